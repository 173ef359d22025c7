#include "engine/redis/redis_link.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/log.h"
#include "engine/redis/redis_slots.h"

namespace carillon {
namespace {

// What was sent is moved away, and memory given back, when it is more than this.
constexpr std::size_t kSentMax = std::size_t{1} << 20;

// Of an answer to INFO.
std::string run_id_in(const RespValue& value) {
  const std::string* const text = value.text();
  constexpr std::string_view kField = "\r\nrun_id:";
  const std::size_t at = text == nullptr ? std::string::npos : text->find(kField);
  if (at == std::string::npos) return {};
  const std::size_t from = at + kField.size();
  return text->substr(from, text->find('\r', from) - from);
}

Error lost(std::string_view why) {
  return {ErrorKind::kUnavailable, std::string(why)};
}

}  // namespace

RedisLink::RedisLink(const World& world, RedisLinkOwner& owner, Needs needs) : world_(world), owner_(owner), needs_(needs) {}

RedisLink::~RedisLink() {
  stop();
}

void RedisLink::start(std::vector<RedisOptions::Server> servers) {
  stop();
  servers_ = std::move(servers);
  at_ = tried_ = 0;
  pause_ = Millis{0};
  failed_ = false;
  dial();
}

void RedisLink::stop() {
  disconnect();
  cancel();
  state_ = State::kStopped;
}

void RedisLink::give_up(const Error& why) {
  if (state_ == State::kStopped || state_ == State::kPause) return;
  const bool was_up = state_ == State::kUp;
  failure_ = {ErrorKind::kUnavailable, fmt::format("Redis at {}: {}", describe_server(server()), why.text)};
  if (log_limit_.may_write(world_.loop.now())) {
    log_warning("{}; trying again{}", failure_.text, was_up ? "" : ", with pauses");
  }
  disconnect();
  try_later();
  owner_.on_link_down(*this, failure_);
}

void RedisLink::disconnect() {
  attempt_.reset();
  if (stream_) {
    stream_->close();
    world_.loop.dispose(std::make_unique<Closed>(std::move(stream_)));
  }
  greetings_.clear();
  out_.clear();
  sent_ = 0;
  blocked_ = false;
}

// The next server at once; after a round of all a pause.
void RedisLink::try_later() {
  at_ = (at_ + 1) % servers_.size();
  const bool round_ended = ++tried_ >= servers_.size();
  failed_ = failed_ || round_ended || state_ == State::kUp;
  if (round_ended) tried_ = 0;
  state_ = State::kPause;
  world_.loop.schedule(*this, round_ended ? next_pause() : Millis{0});
}

// Between half and all of a span that doubles.
Millis RedisLink::next_pause() {
  pause_ = std::clamp(pause_ * 2, world_.options.retry_min, world_.options.retry_max);
  const std::int64_t half = pause_.count() / 2;
  return Millis(half + static_cast<std::int64_t>(world_.random.next_u64() % static_cast<std::uint64_t>(half + 1)));
}

void RedisLink::dial() {
  state_ = State::kDialing;
  began_ = world_.loop.now();
  const DialTarget target{.host = server().host, .port = server().port, .tls = world_.options.tls};
  // The attempt ends with this link, and then nothing is called.
  attempt_ = world_.dialer.dial(target, world_.options.connect_timeout,
                                [this](Result<std::unique_ptr<Stream>> stream) { on_dialed(std::move(stream)); });
}

void RedisLink::on_dialed(Result<std::unique_ptr<Stream>> stream) {
  attempt_.reset();
  if (!stream) return give_up(stream.error());
  stream_ = std::move(*stream);
  stream_->set_handler(*this);
  reader_ = RespReader();
  taken_ = 0;
  greet();
}

void RedisLink::greet() {
  state_ = State::kGreeting;
  const RedisOptions& options = world_.options;
  if (!options.password.empty()) {
    RespCommand auth{"AUTH"};
    if (!options.user.empty()) auth.add(options.user);
    auth.add(options.password).append_to(out_);
    greetings_.push_back(Greeting::kAuth);
  }
  if (options.database != 0 && !options.cluster) {
    RespCommand{"SELECT"}.add(static_cast<std::int64_t>(options.database)).append_to(out_);
    greetings_.push_back(Greeting::kSelect);
  }
  // Asked of every server, if only so that one that cannot be used (a password is wanted) is found out now.
  RespCommand{"ROLE"}.append_to(out_);
  greetings_.push_back(Greeting::kRole);
  RespCommand{"INFO", "server"}.append_to(out_);
  greetings_.push_back(Greeting::kInfo);
  std::reverse(greetings_.begin(), greetings_.end());
  world_.loop.schedule(*this, std::max(world_.options.connect_timeout - (world_.loop.now() - began_), Millis{1}));
  flush();
}

void RedisLink::on_greeted(const RespValue& value) {
  const Greeting greeting = greetings_.back();
  greetings_.pop_back();
  if (const std::optional<Error> fault = fault_of(greeting, value)) return give_up(*fault);
  if (greeting == Greeting::kInfo) run_id_ = run_id_in(value);
  if (greetings_.empty()) come_up();
}

std::optional<Error> RedisLink::fault_of(Greeting greeting, const RespValue& value) const {
  const RespValue::Error* const error = value.error();
  switch (greeting) {
    case Greeting::kAuth:
      if (error != nullptr) return lost(fmt::format("the user or the password is refused: {}", error->text));
      break;
    case Greeting::kSelect:
      if (error != nullptr) return lost(fmt::format("the database is refused: {}", error->text));
      break;
    case Greeting::kInfo: break;
    case Greeting::kRole: {
      // A user who may not ask for the role (NOPERM) is given the benefit of the doubt: a replica says so at the first write.
      if (error != nullptr && !error->text.starts_with("NOPERM")) return lost(error->text);
      const RespValue::Array* const role = value.array();
      const std::string* const name = role == nullptr || role->empty() ? nullptr : role->front().text();
      if (needs_.master && name != nullptr && *name != "master") return lost(fmt::format("it is no master but a {}", *name));
      break;
    }
  }
  return std::nullopt;
}

void RedisLink::come_up() {
  state_ = State::kUp;
  failed_ = false;
  tried_ = 0;
  pause_ = Millis{0};
  taken_ = 0;
  watch();
  owner_.on_link_up(*this);
}

// Looks after the connection eight times in the time a command may take.
void RedisLink::watch() {
  world_.loop.schedule(*this, std::max(world_.options.command_timeout / 8, Millis{1}));
}

void RedisLink::on_timer() {
  const Millis now = world_.loop.now();
  const Millis limit = world_.options.command_timeout;
  switch (state_) {
    case State::kStopped:
    case State::kDialing: return;
    case State::kPause: return dial();
    case State::kGreeting:
      return give_up(lost(fmt::format("no answer to the greeting within {} ms", world_.options.connect_timeout.count())));
    case State::kUp: break;
  }
  if (const std::optional<Millis> since = owner_.waits_since()) {
    if (now - std::max(*since, heard_) >= limit) return give_up(lost(fmt::format("no answer within {} ms", limit.count())));
  } else if (now - heard_ >= limit) {
    owner_.on_link_idle(*this);
  }
  watch();
}

void RedisLink::flush() {
  if (!stream_ || blocked_ || sent_ == out_.size()) return;
  const std::string_view rest = std::string_view(out_).substr(sent_);
  const std::size_t taken = stream_->write({&rest, 1});
  taken_ += taken;
  sent_ += taken;
  blocked_ = taken < rest.size();
  if (blocked_) return forget_sent();
  // A burst's memory is given back.
  if (out_.capacity() > kSentMax) out_ = {};
  out_.clear();
  sent_ = 0;
}

// Of a peer that never takes everything.
void RedisLink::forget_sent() {
  if (sent_ < kSentMax || sent_ < out_.size() / 2) return;
  out_.erase(0, sent_);
  sent_ = 0;
}

void RedisLink::on_writable() {
  blocked_ = false;
  flush();
}

void RedisLink::on_bytes(std::span<char> bytes) {
  heard_ = world_.loop.now();
  reader_.feed({bytes.data(), bytes.size()});
  const Stream* const stream = stream_.get();
  // The link may be given up in any call, and is only connected anew in a later turn.
  while (stream_.get() == stream) {
    std::optional<RespValue> value = reader_.next();
    if (!value) break;
    if (state_ == State::kGreeting) {
      on_greeted(*value);
    } else {
      owner_.on_link_value(*this, std::move(*value));
    }
  }
  if (stream_.get() != stream) return;
  if (reader_.broken()) return give_up(lost("it answered what is no RESP"));
  if (state_ == State::kUp) owner_.on_link_read(*this);
}

void RedisLink::on_end() {
  give_up(lost("it closed the connection"));
}

void RedisLink::on_lost() {
  give_up(lost("the connection was lost"));
}

}  // namespace carillon
