#include "engine/redis/redis_presence.h"

#include <utility>

#include "engine/redis/redis_answer.h"
#include "engine/redis/redis_failure.h"

namespace carillon {

RedisPresence::RedisPresence(Loop& loop, RedisClient& client, const RedisKeys& keys, const Clock& clock, RedisNodes& nodes)
    : client_(client),
      keys_(keys),
      nodes_(nodes),
      removal_(client, keys, nodes),
      feeds_(loop, client, keys,
             [this](const std::string& channel, std::string_view node, std::uint64_t incarnation) {
               see_lease(channel, node, incarnation);
             }),
      writer_(loop, client, keys, clock, nodes, [this](std::string_view channel) { return feeds_.version_of(channel); }),
      inbox_(loop) {
  nodes_.set_holder(*this);
}

void RedisPresence::on_lease(const RedisLease& lease) {
  writer_.on_lease(lease);
  removal_.try_again();
}

void RedisPresence::on_hearing(std::size_t master) {
  if (stopped_) return;
  removal_.doubt();
  writer_.doubt(master);
}

void RedisPresence::set_events(PresenceEvents& events) {
  inbox_.put([this, &events] { feeds_.set_events(&events); });
}

void RedisPresence::change(std::string channel, std::vector<PresenceChange> changes) {
  inbox_.put([this, channel = std::move(channel), changes = std::move(changes)]() mutable {
    writer_.change(channel, std::move(changes));
  });
}

void RedisPresence::crash(std::string channel, std::string) {
  inbox_.put([this, channel = std::move(channel)] { writer_.leave_all(channel); });
}

void RedisPresence::state(std::string channel, UniqueFunction<void(Result<PresenceStatePtr>)> done) {
  inbox_.put([this, channel = std::move(channel), answer = PresenceFeeds::StateAnswer(std::move(done))]() mutable {
    // What this node changed before the question is in the answer.
    writer_.when_settled(channel, guard_.wrap([this, channel, answer = std::move(answer)](const Result<void>& settled) mutable {
      if (!settled) return answer(settled.error());
      feeds_.state(channel, std::move(answer));
    }));
  });
}

void RedisPresence::counts(std::string channel, UniqueFunction<void(Result<PresenceCounts>)> done) {
  inbox_.put([this, channel = std::move(channel), answer = RedisAnswer<PresenceCounts>(std::move(done))]() mutable {
    writer_.when_settled(channel, guard_.wrap([this, channel, answer = std::move(answer)](const Result<void>& settled) mutable {
      if (!settled) return answer(settled.error());
      read_counts(channel, std::move(answer));
    }));
  });
}

void RedisPresence::read_counts(const std::string& channel, RedisAnswer<PresenceCounts> answer) {
  client_.transact(
      keys_.members(channel), {RespCommand{"HLEN", keys_.users(channel)}, RespCommand{"HLEN", keys_.members(channel)}},
      [answer = std::move(answer)](const Result<RespValue>& reply) mutable {
        if (const auto failure = redis_failure(reply)) return answer(*failure);
        const RespValue::Array* const both = reply->array();
        const bool is_whole = both != nullptr && both->size() == 2 && both->front().number() && both->back().number();
        if (!is_whole) return answer(Error{ErrorKind::kCorrupt, "Redis answered a count with something else"});
        answer(PresenceCounts{.users = static_cast<std::uint64_t>(*both->front().number()),
                              .members = static_cast<std::uint64_t>(*both->back().number())});
      });
}

void RedisPresence::renew(std::int64_t lease_ms) {
  nodes_.renew(lease_ms);
}

void RedisPresence::add_interest(const Selector& selector) {
  if (selector.kind != Selector::Kind::kExact) return;
  inbox_.put([this, channel = selector.base] { feeds_.add(channel); });
}

void RedisPresence::remove_interest(const Selector& selector) {
  if (selector.kind != Selector::Kind::kExact) return;
  inbox_.put([this, channel = selector.base] { feeds_.remove(channel); });
}

void RedisPresence::see_lease(const std::string& channel, std::string_view node, std::uint64_t incarnation) {
  if (node != nodes_.name() && !stopped_) removal_.suspect(channel, std::string(node) + '.' + std::to_string(incarnation));
}

void RedisPresence::stop(UniqueFunction<void(bool)> left) {
  stopped_ = true;
  inbox_.close();
  feeds_.stop();
  writer_.stop(std::move(left));
}

}  // namespace carillon
