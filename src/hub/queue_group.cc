#include "hub/queue_group.h"

#include <algorithm>
#include <charconv>

#include "base/check.h"

namespace carillon {
namespace {

constexpr std::uint8_t kVersion = 1;
// A delay read from a store is no longer than this, however the calendar was set meanwhile.
constexpr std::int64_t kDelayMax = 24ll * 60 * 60 * 1000;

void put(std::string& out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) out += static_cast<char>(value | 0x80);
  out += static_cast<char>(value);
}

void put_text(std::string& out, std::string_view text) {
  put(out, text.size());
  out += text;
}

// Reads what put() wrote; a fault stays.
class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}
  std::uint64_t number() {
    std::uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      if (text_.empty()) break;
      const auto byte = static_cast<std::uint8_t>(text_.front());
      text_.remove_prefix(1);
      value |= std::uint64_t{byte & 0x7Fu} << shift;
      if (byte < 0x80) return value;
    }
    fine_ = false;
    return 0;
  }
  std::string_view text() {
    const std::uint64_t size = number();
    if (size > text_.size()) fine_ = false;
    if (!fine_) return {};
    const std::string_view read = text_.substr(0, size);
    text_.remove_prefix(size);
    return read;
  }
  bool fine() const { return fine_; }
  bool at_end() const { return text_.empty(); }

 private:
  std::string_view text_;
  bool fine_ = true;
};

Error corrupt() {
  return {ErrorKind::kCorrupt, "the stored state of a queue group is damaged"};
}

}  // namespace

std::string token_text(const DeliveryToken& token) {
  char text[64];
  char* at = std::to_chars(text, text + 20, token.generation, 36).ptr;
  *at++ = '-';
  at = std::to_chars(at, at + 20, token.offset, 36).ptr;
  *at++ = '-';
  at = std::to_chars(at, at + 20, token.attempt, 36).ptr;
  return {text, at};
}

std::optional<DeliveryToken> parse_token(std::string_view text) {
  DeliveryToken token;
  const char* at = text.data();
  const char* const end = text.data() + text.size();
  const auto read = [&](auto& value, bool last) {
    const auto [stop, fault] = std::from_chars(at, end, value, 36);
    if (fault != std::errc() || (last ? stop != end : stop == end || *stop != '-')) return false;
    at = stop + 1;
    return true;
  };
  if (!read(token.generation, false) || !read(token.offset, false) || !read(token.attempt, true)) return std::nullopt;
  if (token.attempt == 0) return std::nullopt;
  return token;
}

const char* return_reason_name(ReturnReason reason) {
  switch (reason) {
    case ReturnReason::kNone: return "none";
    case ReturnReason::kNacked: return "nacked";
    case ReturnReason::kTimedOut: return "timed_out";
    case ReturnReason::kMemberLeft: return "member_left";
    case ReturnReason::kRestarted: return "restarted";
  }
  return "none";
}

QueueGroup::QueueGroup(GroupSettings settings, Position cursor, std::uint64_t generation)
    : settings_(std::move(settings)),
      generation_(generation),
      epoch_(cursor.epoch),
      next_(cursor.offset + 1),
      top_(cursor.offset) {}

// --- What outlives the process

std::string QueueGroup::serialise(Millis now, std::int64_t unix_ms) const {
  std::string out;
  out += static_cast<char>(kVersion);
  put(out, generation_);
  put(out, static_cast<std::uint64_t>(settings_.visibility.count()));
  put(out, settings_.deliveries_max);
  put_text(out, settings_.dead_letter);
  put(out, epoch_);
  put(out, next_);
  for (const std::uint64_t total : {totals_.delivered, totals_.redelivered, totals_.acked, totals_.dead, totals_.lost}) {
    put(out, total);
  }
  put(out, unsettled_.size());
  std::uint64_t last = 0;
  for (const auto& [offset, entry] : unsettled_) {
    put(out, offset - std::exchange(last, offset));
    put(out, entry.attempts);
    put(out, generation_ - entry.generation);
    const bool later = entry.state == State::kDelayed || (entry.state == State::kInFlight && entry.member == 0);
    const std::int64_t from = later ? std::max<std::int64_t>(unix_ms + (entry.time - now).count(), 1) : 0;
    put(out, static_cast<std::uint64_t>(from));
    const ReturnReason reason = entry.state != State::kInFlight ? entry.reason
                                : entry.member == 0             ? ReturnReason::kTimedOut
                                                                : ReturnReason::kRestarted;
    put(out, static_cast<std::uint64_t>(reason));
  }
  return out;
}

Result<QueueGroup> QueueGroup::parse(std::string_view text, std::uint64_t generation, Millis now, std::int64_t unix_ms) {
  if (text.empty() || text.front() != static_cast<char>(kVersion)) return corrupt();
  Reader reader(text.substr(1));
  const std::uint64_t before = reader.number();
  GroupSettings settings;
  const std::uint64_t visibility = reader.number();
  const std::uint64_t deliveries_max = reader.number();
  if (visibility == 0 || visibility > static_cast<std::uint64_t>(kDelayMax) || deliveries_max > UINT32_MAX) return corrupt();
  settings.visibility = Millis(static_cast<std::int64_t>(visibility));
  settings.deliveries_max = static_cast<std::uint32_t>(deliveries_max);
  settings.dead_letter = reader.text();
  const std::uint64_t epoch = reader.number();
  const std::uint64_t next = reader.number();
  if (!reader.fine() || next == 0) return corrupt();
  QueueGroup group(std::move(settings), {.epoch = epoch, .offset = next - 1}, std::max(generation, before + 1));
  for (std::uint64_t* total :
       {&group.totals_.delivered, &group.totals_.redelivered, &group.totals_.acked, &group.totals_.dead, &group.totals_.lost}) {
    *total = reader.number();
  }
  const std::uint64_t count = reader.number();
  if (count > kUnsettledMax) return corrupt();
  std::uint64_t offset = 0;
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::uint64_t step = reader.number();
    Entry entry;
    entry.attempts = static_cast<std::uint32_t>(reader.number());
    entry.generation = before - reader.number();
    const auto from = static_cast<std::int64_t>(reader.number());
    const std::uint64_t reason = reader.number();
    offset += step;
    if (!reader.fine() || step == 0 || from < 0 || offset < step || offset >= next ||
        reason > static_cast<std::uint64_t>(ReturnReason::kRestarted)) {
      return corrupt();
    }
    const auto added = group.unsettled_.emplace_hint(group.unsettled_.end(), offset, entry);
    const Millis delay = from == 0 ? Millis(0) : Millis(std::clamp<std::int64_t>(from - unix_ms, 0, kDelayMax));
    if (delay > Millis(0)) {
      // Whoever took it may still be at work: not dead before its time is over.
      added->second.state = State::kDelayed;
      added->second.reason = static_cast<ReturnReason>(reason);
      added->second.time = now + delay;
      group.times_.emplace(added->second.time, offset);
    } else {
      group.give_back(added, static_cast<ReturnReason>(reason), now, Millis(0));
    }
  }
  if (!reader.fine() || !reader.at_end()) return corrupt();
  group.changed_ = true;
  return group;
}

// --- The channel

void QueueGroup::see_top(std::uint64_t offset) {
  top_ = std::max(top_, offset);
}

std::uint64_t QueueGroup::cut_back(std::uint64_t top) {
  if (top + 1 >= next_) return 0;
  std::uint64_t forgotten = next_ - 1 - top;
  while (!unsettled_.empty() && unsettled_.rbegin()->first > top) forget(std::prev(unsettled_.end()));
  std::erase_if(dead_, [top](const DeadLetter& dead) { return dead.offset > top; });
  next_ = top + 1;
  top_ = top;
  changed_ = true;
  return forgotten;
}

void QueueGroup::begin_epoch(std::uint64_t epoch, std::uint64_t generation) {
  totals_.lost += lag();
  while (!unsettled_.empty()) forget(unsettled_.begin());
  dead_.clear();
  epoch_ = epoch;
  generation_ = std::max(generation, generation_ + 1);
  next_ = 1;
  top_ = 0;
  changed_ = true;
}

void QueueGroup::lose_before(std::uint64_t offset) {
  for (auto entry = unsettled_.begin(); entry != unsettled_.end() && entry->first < offset;) {
    const auto next = std::next(entry);
    if (entry->second.state == State::kReady || entry->second.state == State::kDelayed) {
      ++totals_.lost;
      settle(entry);
    }
    entry = next;
  }
  if (offset <= next_) return;
  totals_.lost += offset - next_;
  next_ = offset;
  see_top(offset - 1);
  changed_ = true;
}

void QueueGroup::lose(std::uint64_t offset) {
  const auto entry = unsettled_.find(offset);
  if (entry == unsettled_.end()) return;
  ++totals_.lost;
  settle(entry);
}

// --- Members

void QueueGroup::seat(GroupMember id, const Member& member) {
  if (member.in_flight < member.most) free_.emplace(member.in_flight, member.served, id);
}

void QueueGroup::unseat(GroupMember id, const Member& member) {
  free_.erase({member.in_flight, member.served, id});
}

void QueueGroup::join(GroupMember member, Kind kind, std::size_t most) {
  CHECK(member != 0);
  const auto [joined, is_new] = members_.try_emplace(member, Member{.kind = kind, .most = most, .served = ++served_});
  if (is_new) seat(member, joined->second);
}

void QueueGroup::leave(GroupMember member, Millis now) {
  const auto found = members_.find(member);
  if (found == members_.end()) return;
  const bool holds = found->second.kind == Kind::kMember && found->second.in_flight > 0;
  unseat(member, found->second);
  members_.erase(found);
  if (!holds) return;
  for (auto entry = unsettled_.begin(); entry != unsettled_.end(); ++entry) {
    if (entry->second.state != State::kInFlight || entry->second.member != member) continue;
    take_from_flight(entry);
    give_back(entry, ReturnReason::kMemberLeft, now, Millis(0));
  }
}

// --- Deliveries

QueueGroup::Entries::iterator QueueGroup::find(const DeliveryToken& token) {
  const auto entry = unsettled_.find(token.offset);
  if (entry == unsettled_.end() || entry->second.state == State::kDead || entry->second.attempts != token.attempt ||
      entry->second.generation != token.generation) {
    return unsettled_.end();
  }
  return entry;
}

bool QueueGroup::ack(const DeliveryToken& token) {
  const auto entry = find(token);
  if (entry == unsettled_.end()) return false;
  ++totals_.acked;
  settle(entry);
  return true;
}

bool QueueGroup::nack(const DeliveryToken& token, Millis now, Millis delay) {
  const auto entry = find(token);
  if (entry == unsettled_.end() || entry->second.state != State::kInFlight) return false;
  take_from_flight(entry);
  give_back(entry, ReturnReason::kNacked, now, delay);
  return true;
}

bool QueueGroup::extend(const DeliveryToken& token, Millis now, Millis time) {
  const auto entry = find(token);
  if (entry == unsettled_.end() || entry->second.state != State::kInFlight) return false;
  times_.erase({entry->second.time, entry->first});
  entry->second.time = now + time;
  times_.emplace(entry->second.time, entry->first);
  changed_ = true;
  return true;
}

void QueueGroup::undo(const DeliveryToken& token, Millis now) {
  const auto entry = find(token);
  if (entry == unsettled_.end() || entry->second.state != State::kInFlight) return;
  take_from_flight(entry);
  --(--entry->second.attempts == 0 ? totals_.delivered : totals_.redelivered);
  entry->second.state = State::kReady;
  entry->second.time = now;
  ready_.insert(entry->first);
  changed_ = true;
}

void QueueGroup::bury(std::uint64_t offset) {
  const auto entry = unsettled_.find(offset);
  if (entry == unsettled_.end() || entry->second.state != State::kDead) return;
  ++totals_.dead;
  settle(entry);
}

void QueueGroup::revive(std::uint64_t offset) {
  const auto entry = unsettled_.find(offset);
  if (entry == unsettled_.end() || entry->second.state != State::kDead) return;
  dead_.push_back({offset, entry->second.attempts, entry->second.reason});
}

// The entry is in none of the lists after this, and its member has room for another.
void QueueGroup::take_from_flight(Entries::iterator entry) {
  times_.erase({entry->second.time, entry->first});
  --in_flight_;
  const auto member = members_.find(std::exchange(entry->second.member, 0));
  if (member == members_.end()) return;
  unseat(member->first, member->second);
  --member->second.in_flight;
  seat(member->first, member->second);
}

void QueueGroup::give_back(Entries::iterator entry, ReturnReason reason, Millis now, Millis delay) {
  Entry& back = entry->second;
  back.reason = reason;
  changed_ = true;
  if (settings_.deliveries_max > 0 && back.attempts >= settings_.deliveries_max) {
    back.state = State::kDead;
    dead_.push_back({entry->first, back.attempts, reason});
  } else if (delay > Millis(0)) {
    back.state = State::kDelayed;
    back.time = now + delay;
    times_.emplace(back.time, entry->first);
  } else {
    back.state = State::kReady;
    ready_.insert(entry->first);
  }
}

void QueueGroup::forget(Entries::iterator entry) {
  switch (entry->second.state) {
    case State::kReady: ready_.erase(entry->first); break;
    case State::kDelayed: times_.erase({entry->second.time, entry->first}); break;
    case State::kInFlight: take_from_flight(entry); break;
    case State::kDead: break;
  }
  unsettled_.erase(entry);
}

void QueueGroup::settle(Entries::iterator entry) {
  forget(entry);
  changed_ = true;
}

void QueueGroup::expire(Millis now) {
  while (!times_.empty() && times_.begin()->first <= now) {
    const auto entry = unsettled_.find(times_.begin()->second);
    if (entry->second.state == State::kInFlight) {
      take_from_flight(entry);
      give_back(entry, ReturnReason::kTimedOut, now, Millis(0));
    } else {
      times_.erase(times_.begin());
      give_back(entry, entry->second.reason, now, Millis(0));
    }
  }
}

std::optional<std::uint64_t> QueueGroup::next_offset() {
  if (!ready_.empty()) return ready_.extract(ready_.begin()).value();
  if (next_ > top_ || unsettled_.size() >= kUnsettledMax) return std::nullopt;
  unsettled_.emplace_hint(unsettled_.end(), next_, Entry{});
  return next_++;
}

std::vector<QueueGroup::Delivery> QueueGroup::deliver(Millis now) {
  expire(now);
  std::vector<Delivery> deliveries;
  while (!free_.empty()) {
    const std::optional<std::uint64_t> offset = next_offset();
    if (!offset) break;
    const GroupMember id = std::get<2>(*free_.begin());
    free_.erase(free_.begin());
    Member& member = members_.find(id)->second;
    Entry& entry = unsettled_.find(*offset)->second;
    ++(entry.attempts == 0 ? totals_.delivered : totals_.redelivered);
    entry.state = State::kInFlight;
    entry.reason = ReturnReason::kNone;
    entry.generation = generation_;
    entry.member = member.kind == Kind::kMember ? id : 0;
    entry.time = now + settings_.visibility;
    times_.emplace(entry.time, *offset);
    ++entry.attempts;
    ++in_flight_;
    ++member.in_flight;
    member.served = ++served_;
    seat(id, member);
    deliveries.push_back({id, {generation_, *offset, entry.attempts}, entry.time});
    changed_ = true;
  }
  return deliveries;
}

std::optional<Millis> QueueGroup::next_time() const {
  if (times_.empty()) return std::nullopt;
  return times_.begin()->first;
}

}  // namespace carillon
