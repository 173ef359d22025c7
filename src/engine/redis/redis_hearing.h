// RedisHearing: the subscription connection to one master. It knows what is wanted there, subscribes to it again after each
// loss, and ends each burst with a ping: what was published before the ping's answer has been heard.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>

#include "base/unique_function.h"
#include "engine/redis/redis_link.h"

namespace carillon {

enum class RedisNameKind : std::uint8_t { kChannel, kPattern };

// Names are looked up by views of them.
struct RedisNameHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view name) const { return std::hash<std::string_view>()(name); }
};
template <class Value>
using RedisNames = boost::unordered_flat_map<std::string, Value, RedisNameHash, std::equal_to<>>;

class RedisHearing;

class RedisHearingOwner {
 public:
  // `name` is the channel or pattern subscribed to by which it came.
  virtual void on_heard(RedisHearing& hearing, RedisNameKind kind, std::string_view name, const std::string& channel,
                        const std::string& message) = 0;
  // What is published to this name from now on is heard.
  virtual void on_subscribed(RedisHearing& hearing, RedisNameKind kind, std::string_view name) = 0;
  // All that is wanted is heard from now on. After the connection was made anew, and after rehear().
  virtual void on_hearing(RedisHearing& hearing) = 0;
  // The connection was lost or could not be made.
  virtual void on_hearing_failed(RedisHearing& hearing, bool was_hearing, const Error& why) = 0;

 protected:
  ~RedisHearingOwner() = default;
};

class RedisHearing final : public Disposable, private RedisLinkOwner {
 public:
  using Heard = UniqueFunction<void(Result<void>)>;

  RedisHearing(const RedisLink::World& world, RedisHearingOwner& owner);

  RedisLink& link() { return link_; }
  const RedisLink& link() const { return link_; }
  bool is_hearing() const { return hearing_; }

  // Connects to this server, from now on; what was connected is lost, and the owner told.
  void start(const RedisOptions::Server& server);
  // There is no connection for this reason: whoever waits is told, and the owner.
  void fail(const Error& why);

  void want(RedisNameKind kind, const std::string& name);
  void leave(RedisNameKind kind, const std::string& name);
  // Wanted, and confirmed since it was wanted last.
  bool is_subscribed(RedisNameKind kind, std::string_view name) const;
  // on_hearing is called (again) behind what is wanted now; until then is_hearing() is false. Returns what it was.
  bool rehear();
  // Called behind all that was published before the next flush. False (and `heard` is left alone): there is no connection, and
  // the last attempt to make one failed.
  bool after_heard(Heard& heard);
  // Ends the burst.
  void flush();

 private:
  struct Name {
    bool wanted = false;
    std::uint32_t unconfirmed = 0;  // SUBSCRIBE commands of it on their way.
  };
  struct Ping {
    Millis at;
    bool announces = false;  // Its answer is on_hearing.
    std::vector<Heard> heard;
  };

  void on_link_up(RedisLink& link) override;
  void on_link_value(RedisLink& link, RespValue value) override;
  void on_link_down(RedisLink& link, const Error& why) override;
  std::optional<Millis> waits_since() const override;
  void on_link_idle(RedisLink& link) override;

  void subscribe_to_all(RedisNameKind kind);
  void on_push(const RespValue::Array& push);
  void on_confirmed(RedisNameKind kind, std::string_view name);
  void on_pong();
  RedisNames<Name>& names(RedisNameKind kind) { return names_[static_cast<std::size_t>(kind)]; }

  Loop& loop_;
  RedisHearingOwner& owner_;
  std::array<RedisNames<Name>, 2> names_;  // By kind.
  std::deque<Ping> pings_;                 // Sent.
  Ping next_{};                            // To be sent.
  bool burst_ = false;                     // Something was sent that a ping is to end.
  bool hearing_ = false;
  RedisLink link_;
};

}  // namespace carillon
