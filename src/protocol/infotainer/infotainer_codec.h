// infotainer's messages: one CBOR item a message, in both versions. No state of a talk.
//
// A message is a map of one entry: the name of a variant, and its fields. Version 1 is read as serde_cbor 0.11 reads it for
// infotainer's server, with that reader's leniency and its texts; version 2 adds variants and fields and is read by the same
// rules. docs/protocol/infotainer.md describes every message.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/id.h"
#include "carillon/result.h"
#include "hub/durable_subscriptions.h"
#include "hub/engine.h"
#include "hub/group_call.h"
#include "hub/publication.h"
#include "hub/session.h"
#include "hub/topic_directory.h"
#include "wire/json/json_slicer.h"

namespace carillon {

enum class InfotainerVersion : std::uint8_t { kOne, kTwo };

// In the order of their numbers in the packed form.
enum class InfotainerVerb : std::uint8_t {
  kGetLogIndex,
  kGetLogEntries,
  kSubscribe,
  kUnsubscribe,
  kSubmitPublication,
  // Version 2.
  kAck,
  kListSubscriptions,
  kCreateTopic,
  kListTopics,
  kGetTopic,
  kDeleteTopic,
  kWatchTopics,
  kUnwatchTopics,
  kJoinGroup,
  kLeaveGroup,
  kAckDelivery,
  kNackDelivery,
  kExtendDelivery,
};

// Views lie in the message, or in the reader; both until its next message.
struct InfotainerCommand {
  InfotainerVerb verb = InfotainerVerb::kGetLogIndex;
  Uuid id;  // The log's, the subscription's or the topic's, which are all one.
  std::vector<Uuid> entries;
  std::string_view submission;  // The payload: bytes, one JSON text or one CBOR item, as `format` says; checked.
  // Version 2.
  PayloadFormat format = PayloadFormat::kBytes;
  std::string event;  // Empty: not named.
  std::string idempotency_key;
  std::optional<Position> position;  // Of Ack, and where a Subscribe wants to go on.
  std::optional<Position> after, before;
  std::optional<std::int64_t> from_time_ms;
  std::optional<std::uint64_t> limit;
  std::optional<Uuid> after_id;  // Of ListTopics.
  bool reverse = false;
  std::string name;  // Of a new topic.
  // Of queue groups. What check_group_wish and check_group_settle look at is not looked at.
  std::string group;
  std::size_t in_flight = kGroupInFlightDefault;  // 1 to kGroupInFlightMax.
  GroupWish wish;
  std::vector<std::string> deliveries;  // Tokens.
  std::optional<Millis> time;           // A nack's delay, or how long a delivery's time is from now.
};

class InfotainerReader {
 public:
  explicit InfotainerReader(InfotainerVersion version) : version_(version) {}

  // The error's text is what the client is to be told.
  Result<InfotainerCommand> read(std::string_view message);
  // The CBOR item of the `request_id` of the message read last, to be echoed: also of one that could not be read, where it can
  // be found. Empty: there is none.
  std::string_view request_id() const { return request_id_; }

 private:
  class Decoding;

  InfotainerVersion version_;
  JsonSlicer slicer_;
  std::string submission_;
  std::string request_id_;
};

// The event name of what is published without one.
inline constexpr std::string_view kInfotainerEvent = "publication";
// Bytes of a request id's CBOR item; a longer one is refused.
inline constexpr std::size_t kRequestIdBytesMax = 64;

// --- Version 1

void append_infotainer_issue(std::string& out, const Uuid& log, const Uuid& publication);
std::string infotainer_log_index(const Uuid& log, std::span<const Uuid> publications);
std::string infotainer_log_entries(const Uuid& log, std::span<const PublicationPtr> publications);

// --- Version 2. `request_id`: a CBOR item or empty.

enum class InfotainerBodies : std::uint8_t { kApart, kInIssues };

void append_infotainer_issue_v2(std::string& out, const Uuid& log, const Publication& publication, InfotainerBodies bodies);

struct InfotainerHello {
  Uuid session;
  std::string_view server;
  std::size_t subscriptions = 0;  // Remembered from before.
  std::size_t message_bytes_max = 0;
};
std::string infotainer_hello(const InfotainerHello& hello);
// `recovered` absent: there was nothing to recover from.
struct InfotainerSubscribed {
  Uuid log;
  bool created = false;
  bool already = false;
  std::optional<bool> recovered;
  std::optional<Position> position;
};
std::string infotainer_subscribed(std::string_view request_id, const InfotainerSubscribed& subscribed);
// What is told, unasked, of each subscription that was remembered; the issues missed follow.
std::string infotainer_resumed(const InfotainerSubscribed& subscribed);
std::string infotainer_unsubscribed(std::string_view request_id, const Uuid& log, bool was_subscribed);
// The server ended the subscription.
std::string infotainer_ended(const Uuid& log, std::string_view reason);
std::string infotainer_published(std::string_view request_id, const Uuid& log, const Receipt& receipt);
std::string infotainer_log_index_v2(std::string_view request_id, const Uuid& log, const HistoryPage& page);
std::string infotainer_log_entries_v2(std::string_view request_id, const Uuid& log,
                                      std::span<const PublicationPtr> publications, std::span<const Uuid> missing);
std::string infotainer_acked(std::string_view request_id, const Uuid& log);
std::string infotainer_subscriptions(std::string_view request_id, std::span<const DurableSubscription> subscriptions);
std::string infotainer_topic_created(std::string_view request_id, const Topic& topic);
std::string infotainer_topics(std::string_view request_id, std::span<const Topic> topics, bool more);
// `more`: there are more subscribers than these.
std::string infotainer_topic(std::string_view request_id, const Topic& topic, std::span<const std::string> subscribers,
                             bool more);
std::string infotainer_topic_deleted(std::string_view request_id, const Uuid& topic);
std::string infotainer_watching(std::string_view request_id, bool watching);
std::string infotainer_group_joined(std::string_view request_id, const Uuid& log, std::string_view group,
                                    const GroupJoined& joined);
std::string infotainer_group_left(std::string_view request_id, const Uuid& log, std::string_view group, bool was_member);
// The server ended the membership.
std::string infotainer_group_ended(const Uuid& log, std::string_view group, std::string_view reason);
std::string infotainer_delivery(const Uuid& log, std::string_view group, const GroupDelivery& delivery);
std::string infotainer_settled(std::string_view request_id, const Uuid& log, std::string_view group, GroupSettle::Verb verb,
                               const GroupSettled& settled);
void append_infotainer_topic_changed(std::string& out, const Topic& topic, TopicChange change);
// `log` absent: of several.
std::string infotainer_gap(const std::optional<Uuid>& log, std::uint64_t messages);
std::string infotainer_continuity(Continuity continuity);
std::string infotainer_announcement(std::string_view text);
std::string infotainer_error(std::string_view request_id, const Error& error);

}  // namespace carillon
