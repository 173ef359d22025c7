// What is asked of queue groups and what they answer; of no protocol. Values, any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/unique_function.h"
#include "carillon/result.h"
#include "hub/queue_group.h"

namespace carillon {

struct GroupName {
  std::string channel;  // Canonical.
  std::string name;     // 1 to 128 bytes of UTF-8 without control characters.
  friend bool operator==(const GroupName&, const GroupName&) = default;
};
inline constexpr std::size_t kGroupNameBytesMax = 128;
Result<void> check_group_name(std::string_view name);

// Under which a group's state is stored: "group/<channel>/<name>", with ~1 for a slash in either and ~0 for ~. At most 775
// bytes.
std::string group_key(const GroupName& name);
std::optional<GroupName> parse_group_key(std::string_view key);

// Where a group begins that does not exist yet; of one that does it says nothing.
struct GroupStart {
  enum class Kind : std::uint8_t { kNow, kBeginning, kPosition };
  Kind kind = Kind::kNow;
  Position position;  // kPosition: after it.
};

// What is absent is as the group has it; for a new group the default.
struct GroupWish {
  GroupStart start;
  std::optional<Millis> visibility;             // 100 ms to 12 h.
  std::optional<std::uint32_t> deliveries_max;  // At most 1000; 0: without end.
  std::optional<std::string> dead_letter;       // Default: the channel's name and "/dead".
};
Result<void> check_group_wish(const GroupWish& wish, const GroupName& name);

// How a group is made.
struct GroupBeginning {
  GroupSettings settings;
  Position cursor;
};

inline constexpr std::size_t kGroupInFlightDefault = 16;
inline constexpr std::size_t kGroupInFlightMax = 1000;
inline constexpr std::size_t kGroupTakeMax = 100;
inline constexpr Millis kGroupVisibilityMin{100};
inline constexpr Millis kGroupVisibilityMax{12 * 60 * 60 * 1000};
inline constexpr Millis kGroupWaitMax{60'000};
inline constexpr std::uint32_t kGroupDeliveriesMax = 1000;
// Deliveries that one ack, nack or extend may name.
inline constexpr std::size_t kGroupSettleMax = 1000;

// What a dead letter's publication carries tags of: this and "channel", "group", "event_id", "epoch", "offset", "deliveries"
// and "reason" (return_reason_name).
inline constexpr std::string_view kDeadLetterTag = "dead_letter_";

struct GroupDelivery {
  PublicationPtr publication;
  std::string token;                  // What an ack names it by.
  std::uint32_t attempt = 0;          // From 1.
  std::int64_t visible_until_ms = 0;  // Unix time at which it counts no more unless it is extended.
};

struct GroupJoined {
  Position cursor;        // All up to it are settled.
  std::uint64_t lag = 0;  // Publications that are not settled.
  bool created = false;   // The group is new.
  bool already = false;   // The session was a member before; nothing changed.
};

struct GroupSettle {
  enum class Verb : std::uint8_t { kAck, kNack, kExtend };
  Verb verb = Verb::kAck;
  std::vector<std::string> deliveries;  // Tokens, kGroupSettleMax at most.
  // kNack: how long it waits before it is delivered again. kExtend: how long it stays with who has it, from now; absent: the
  // group's visibility time.
  std::optional<Millis> time;
};
Result<void> check_group_settle(const GroupSettle& settle);

// Told when it is written, and synced where the channel's rule is so.
struct GroupSettled {
  std::size_t settled = 0;
  std::vector<std::string> refused;  // Settled before, delivered anew meanwhile, or never this group's.
};

// What to say where none was settled.
Error not_in_flight();

struct GroupInfo {
  GroupName name;
  GroupSettings settings;
  Position cursor;
  std::uint64_t lag = 0;
  std::size_t in_flight = 0;
  std::size_t members = 0;
  QueueGroup::Totals totals;
  std::string fault;  // Why only its name is known.
};

struct GroupPage {
  std::vector<GroupInfo> groups;
  std::optional<GroupName> next;  // There are more: ask again for what comes after it.
};

}  // namespace carillon
