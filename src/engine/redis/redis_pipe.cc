#include "engine/redis/redis_pipe.h"

#include <algorithm>

namespace carillon {
namespace {

// So many bytes leave at once, so that Redis works on them while what follows is made: else both would wait for each other.
constexpr std::uint64_t kAtOnceBytes = 4 << 10;

}  // namespace

RedisPipe::RedisPipe(const RedisLink::World& world, RedisPipeOwner& owner, RedisLink::Needs needs)
    : loop_(world.loop), owner_(owner), link_(world, *this, needs) {}

void RedisPipe::send(RedisRequest request) {
  std::string& out = link_.out();
  std::uint32_t before = 0;
  if (load_script(request.script)) ++before;
  if (request.asks) {
    RespCommand{"ASKING"}.append_to(out);
    ++before;
  }
  if (request.transaction.empty()) {
    request.command.append_to(out);
  } else {
    out += request.transaction;
  }
  const std::uint32_t answers = request.answers;
  sent_.push_back({.request = std::move(request),
                   .before = before,
                   .left = answers,
                   .end = link_.appended(),
                   .at = loop_.now(),
                   .fault = std::nullopt});
  if (link_.appended() - link_.taken() >= kAtOnceBytes) link_.flush();
}

// True: the command that loads it was sent, because this connection has not done so yet.
bool RedisPipe::load_script(const RedisScript* script) {
  if (script == nullptr || std::find(loaded_.begin(), loaded_.end(), script) != loaded_.end()) return false;
  RespCommand{"SCRIPT", "LOAD", script->text()}.append_to(link_.out());
  loaded_.push_back(script);
  return true;
}

void RedisPipe::forget_script(const RedisScript& script) {
  std::erase(loaded_, &script);
}

void RedisPipe::on_link_up(RedisLink&) {
  loaded_.clear();
  owner_.on_pipe_up(*this);
}

void RedisPipe::on_link_value(RedisLink&, RespValue value) {
  if (sent_.empty()) return link_.give_up({ErrorKind::kUnavailable, "it answered what was not asked"});
  Sent& sent = sent_.front();
  if (sent.before > 0) {
    --sent.before;
    return;
  }
  if (--sent.left > 0) {
    if (value.error() != nullptr && !sent.fault) sent.fault = std::move(value);
    return;
  }
  if (sent.fault) value = std::move(*sent.fault);
  RedisRequest request = std::move(sent.request);
  sent_.pop_front();
  if (!request.probes) owner_.on_pipe_answer(*this, std::move(request), std::move(value));
}

void RedisPipe::on_link_down(RedisLink&, const Error& why) {
  std::deque<RedisRequest> unanswered, unsent;
  for (Sent& sent : sent_) {
    if (sent.request.probes) continue;
    (sent.end <= link_.taken() ? unanswered : unsent).push_back(std::move(sent.request));
  }
  sent_.clear();
  owner_.on_pipe_down(*this, std::move(unanswered), std::move(unsent), why);
}

std::optional<Millis> RedisPipe::waits_since() const {
  if (sent_.empty()) return std::nullopt;
  return sent_.front().at;
}

void RedisPipe::on_link_idle(RedisLink&) {
  RedisRequest ping;
  ping.command = RespCommand{"PING"};
  ping.probes = true;
  send(std::move(ping));
  link_.flush();
}

}  // namespace carillon
