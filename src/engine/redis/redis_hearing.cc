#include "engine/redis/redis_hearing.h"

#include <fmt/format.h>

namespace carillon {
namespace {

// Names in one SUBSCRIBE when all are subscribed to again.
constexpr std::size_t kNamesPerCommand = 128;

constexpr std::string_view subscribe_word(RedisNameKind kind) {
  return kind == RedisNameKind::kChannel ? "SUBSCRIBE" : "PSUBSCRIBE";
}
constexpr std::string_view unsubscribe_word(RedisNameKind kind) {
  return kind == RedisNameKind::kChannel ? "UNSUBSCRIBE" : "PUNSUBSCRIBE";
}

}  // namespace

RedisHearing::RedisHearing(const RedisLink::World& world, RedisHearingOwner& owner)
    : loop_(world.loop), owner_(owner), link_(world, *this, {}) {}

void RedisHearing::start(const RedisOptions::Server& server) {
  const bool was_up = link_.is_up();
  link_.stop();
  if (was_up) fail({ErrorKind::kUnavailable, "another Redis is used from now on"});
  link_.start({server});
}

void RedisHearing::want(RedisNameKind kind, const std::string& name) {
  Name& state = names(kind)[name];
  state.wanted = true;
  if (!link_.is_up()) return;
  ++state.unconfirmed;
  burst_ = true;
  RespCommand{subscribe_word(kind), name}.append_to(link_.out());
}

void RedisHearing::leave(RedisNameKind kind, const std::string& name) {
  const auto found = names(kind).find(name);
  if (found == names(kind).end() || !found->second.wanted) return;
  found->second.wanted = false;
  if (found->second.unconfirmed == 0) names(kind).erase(found);
  if (!link_.is_up()) return;
  burst_ = true;
  RespCommand{unsubscribe_word(kind), name}.append_to(link_.out());
}

bool RedisHearing::is_subscribed(RedisNameKind kind, std::string_view name) const {
  const RedisNames<Name>& all = names_[static_cast<std::size_t>(kind)];
  const auto found = all.find(name);
  return link_.is_up() && found != all.end() && found->second.wanted && found->second.unconfirmed == 0;
}

bool RedisHearing::rehear() {
  next_.announces = true;
  return std::exchange(hearing_, false);
}

bool RedisHearing::after_heard(Heard& heard) {
  if (!link_.is_up() && !link_.is_new()) return false;
  next_.heard.push_back(std::move(heard));
  return true;
}

void RedisHearing::flush() {
  if (!link_.is_up()) return;
  if (burst_ || next_.announces || !next_.heard.empty()) {
    RespCommand{"PING"}.append_to(link_.out());
    next_.at = loop_.now();
    pings_.push_back(std::exchange(next_, {}));
    burst_ = false;
  }
  link_.flush();
}

void RedisHearing::on_link_up(RedisLink&) {
  subscribe_to_all(RedisNameKind::kChannel);
  subscribe_to_all(RedisNameKind::kPattern);
  next_.announces = true;
  flush();
}

void RedisHearing::subscribe_to_all(RedisNameKind kind) {
  boost::unordered::erase_if(names(kind), [](const auto& each) { return !each.second.wanted; });
  RespCommand command{subscribe_word(kind)};
  for (auto& [name, state] : names(kind)) {
    state.unconfirmed = 1;
    command.add(std::string_view(name));
    if (command.size() <= kNamesPerCommand) continue;
    command.append_to(link_.out());
    command = {subscribe_word(kind)};
  }
  if (command.size() > 1) command.append_to(link_.out());
}

void RedisHearing::on_link_value(RedisLink&, RespValue value) {
  if (const RespValue::Array* const push = value.array()) return on_push(*push);
  // Without subscriptions a ping is answered as any command is.
  if (const std::string* const text = value.text(); text != nullptr && *text == "PONG") return on_pong();
  const RespValue::Error* const error = value.error();
  link_.give_up({ErrorKind::kUnavailable, error == nullptr ? "it answered what was not asked"
                                                           : fmt::format("it refuses to subscribe: {}", error->text)});
}

void RedisHearing::on_push(const RespValue::Array& push) {
  const std::string* const word = push.empty() ? nullptr : push[0].text();
  const std::string* const name = push.size() < 2 ? nullptr : push[1].text();
  if (word == nullptr || name == nullptr) return;  // "unsubscribe" of nothing has no name.
  if (*word == "message" && push.size() == 3 && push[2].text() != nullptr) {
    return owner_.on_heard(*this, RedisNameKind::kChannel, *name, *name, *push[2].text());
  }
  if (*word == "pmessage" && push.size() == 4 && push[2].text() != nullptr && push[3].text() != nullptr) {
    return owner_.on_heard(*this, RedisNameKind::kPattern, *name, *push[2].text(), *push[3].text());
  }
  if (*word == "pong") return on_pong();
  if (*word == "subscribe") return on_confirmed(RedisNameKind::kChannel, *name);
  if (*word == "psubscribe") return on_confirmed(RedisNameKind::kPattern, *name);
}

void RedisHearing::on_confirmed(RedisNameKind kind, std::string_view name) {
  const auto found = names(kind).find(name);
  if (found == names(kind).end() || found->second.unconfirmed == 0) return;
  if (--found->second.unconfirmed > 0) return;
  if (found->second.wanted) {
    owner_.on_subscribed(*this, kind, name);
  } else {
    names(kind).erase(found);
  }
}

void RedisHearing::on_pong() {
  if (pings_.empty()) return link_.give_up({ErrorKind::kUnavailable, "it answered what was not asked"});
  Ping ping = std::move(pings_.front());
  pings_.pop_front();
  // Another announcement may be under way: then all is heard only behind that.
  bool announces = ping.announces && !next_.announces;
  for (const Ping& later : pings_) announces = announces && !later.announces;
  if (announces) {
    hearing_ = true;
    owner_.on_hearing(*this);
  }
  for (Heard& heard : ping.heard) heard({});
}

void RedisHearing::on_link_down(RedisLink&, const Error& why) {
  fail(why);
}

void RedisHearing::fail(const Error& why) {
  std::deque<Ping> lost = std::exchange(pings_, {});
  lost.push_back(std::exchange(next_, {}));
  burst_ = false;
  owner_.on_hearing_failed(*this, std::exchange(hearing_, false), why);
  for (Ping& ping : lost) {
    for (Heard& heard : ping.heard) heard(Error{ErrorKind::kUnavailable, why.text});
  }
}

std::optional<Millis> RedisHearing::waits_since() const {
  if (pings_.empty()) return std::nullopt;
  return pings_.front().at;
}

void RedisHearing::on_link_idle(RedisLink&) {
  burst_ = true;
  flush();
}

}  // namespace carillon
