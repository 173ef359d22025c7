#include "hub/group_home.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"
#include "base/log.h"
#include "hub/channel_name.h"
#include "hub/epoch_text.h"

namespace carillon {
namespace {

// Offsets that lie no further apart are read in one page.
constexpr std::uint64_t kSkipMax = 8;

}  // namespace

struct GroupHome::Taker {
  UniqueFunction<void(Result<std::vector<GroupDelivery>>)> taken;
  Millis until{0};
  std::size_t pending = 0;  // Decided on, and not read yet.
  std::vector<GroupDelivery> got;
};

struct GroupHome::Group : GroupInUse {
  enum class State : std::uint8_t { kReading, kMaking, kRunning, kEnding };
  struct Opener {
    std::optional<GroupWish> wish;
    Opened opened;
  };
  struct Seat {
    UniqueFunction<void(std::vector<GroupDelivery>)> deliver;
    UniqueFunction<void(std::string_view)> ended;
  };
  // A publication to be read: for whom.
  struct Wanted {
    QueueGroup::Delivery delivery;  // member 0: it is dead.
    QueueGroup::DeadLetter dead;
  };

  explicit Group(Task on_time) : timer(std::move(on_time)) {}

  State state = State::kReading;
  bool synced = false;
  bool watched = false;
  bool fresh = false;  // Made, and nobody has joined it.
  std::string stored;
  std::vector<Opener> openers;
  std::vector<GroupMember> gone;  // Who left before it was open.

  std::unique_ptr<QueueGroup> machine;
  boost::unordered_flat_map<GroupMember, Seat> seats;
  boost::unordered_flat_map<GroupMember, Taker> takers;
  std::map<std::uint64_t, Wanted> wanted;
  std::vector<std::uint64_t> unburied;  // Dead ones that could not be published.
  bool verify = false;                  // Its channel's top is to be read anew.
  bool reading = false;                 // A page is on its way,
  std::uint64_t reading_epoch = 0;      // asked for in this epoch.
  Millis retry_at{0};                   // 0: nothing to try again.
  std::optional<Millis> idle_since;
  bool dirty = false;
  CallbackTimer timer;

  std::size_t counted_members = 0, counted_in_flight = 0;
  QueueGroup::Totals counted;

  bool idle() const {
    return seats.empty() && takers.empty() && wanted.empty() && unburied.empty() && !reading && machine->in_flight() == 0;
  }
};

GroupHome::GroupHome(QueueGroups& groups, Hub& hub, Loop& loop, std::size_t index)
    : groups_(groups), hub_(hub), loop_(loop), index_(index), write_timer_([] {}) {
  loop.add_turn_end(*this);
}

GroupHome::~GroupHome() = default;

void GroupHome::run_here(Task task) {
  if (loop_.in_loop_thread()) return task();
  loop_.post(std::move(task));
}

// Greater than any before, also one of an earlier process, as far as the calendar goes on.
std::uint64_t GroupHome::next_generation() const {
  return static_cast<std::uint64_t>(hub_.clock().unix_ms());
}

// --- A group begins

void GroupHome::open(const GroupName& name, const GroupWish* wish, Opened opened) {
  Group* group = table_.find(name);
  if (group != nullptr && group->state == Group::State::kRunning) return opened(group);
  if (group == nullptr) {
    const Result<Group*> added = table_.add(name);
    if (!added) return opened(added.error());
    group = *added;
    const auto& synced = hub_.options().is_synced_channel;
    group->synced = synced && synced(name.channel);
    group->openers.push_back({wish == nullptr ? std::nullopt : std::optional(*wish), std::move(opened)});
    return read_state(*group);
  }
  group->openers.push_back({wish == nullptr ? std::nullopt : std::optional(*wish), std::move(opened)});
}

void GroupHome::read_state(Group& group) {
  hub_.engine().state().read(group.key, [this, id = group.id](Result<std::optional<std::string>> outcome) mutable {
    run_here([this, id, outcome = std::move(outcome)]() mutable { take_state(id, std::move(outcome)); });
  });
}

void GroupHome::take_state(std::uint64_t id, Result<std::optional<std::string>> outcome) {
  Group* const group = table_.find(id);
  if (group == nullptr) return;
  if (!outcome) return fail(*group, outcome.error());
  if (*outcome) {
    group->stored = **std::move(outcome);
  } else {
    // Whoever may make it is heard first.
    const auto maker =
        std::ranges::find_if(group->openers, [](const Group::Opener& opener) { return opener.wish.has_value(); });
    if (maker == group->openers.end()) return fail(*group, no_group(group->name));
    std::rotate(group->openers.begin(), maker, maker + 1);
  }
  read_start(*group);
}

// What is published from now on is heard of; so the page that is asked for then leaves nothing out.
void GroupHome::read_start(Group& group) {
  groups_.watch(group.name.channel, index_);
  group.watched = true;
  const GroupWish* const wish = group.stored.empty() ? &*group.openers.front().wish : nullptr;
  hub_.engine().history(start_query(group.name, wish), [this, id = group.id](Result<HistoryPage> outcome) mutable {
    run_here([this, id, outcome = std::move(outcome)]() mutable { take_start(id, std::move(outcome)); });
  });
}

void GroupHome::take_start(std::uint64_t id, Result<HistoryPage> outcome) {
  Group* const group = table_.find(id);
  if (group == nullptr) return;
  if (!outcome) return fail(*group, outcome.error());
  if (!outcome->top) return fail(*group, no_history(group->name));
  const bool stored = !group->stored.empty();
  if (Result<void> begun = stored ? resume(*group, *outcome) : begin(*group, *outcome); !begun) {
    return fail(*group, begun.error());
  }
  if (stored) return start(*group);
  group->state = Group::State::kMaking;
  group->fresh = true;
  table_.activate(*group);
  // It is there when it is written.
  waiting_.emplace_back([this, id](const Result<void>& written) {
    Group* const made = table_.find(id);
    if (made == nullptr) return;
    if (!written) return fail(*made, written.error());
    start(*made);
  });
}

Result<void> GroupHome::begin(Group& group, const HistoryPage& page) {
  Result<GroupBeginning> beginning = group_beginning(group.name, *group.openers.front().wish, page);
  if (!beginning) return beginning.error();
  group.machine = std::make_unique<QueueGroup>(std::move(beginning->settings), beginning->cursor, next_generation());
  group.machine->see_top(page.top->offset);
  return {};
}

Result<void> GroupHome::resume(Group& group, const HistoryPage& page) {
  Result<QueueGroup> machine = QueueGroup::parse(group.stored, next_generation(), loop_.now(), hub_.clock().unix_ms());
  if (!machine) {
    return Error{machine.error().kind, fmt::format("{}: {} on {}; delete it to begin anew", machine.error().text,
                                                   group.name.name, group.name.channel)};
  }
  group.stored.clear();
  group.machine = std::make_unique<QueueGroup>(*std::move(machine));
  group.counted = group.machine->totals();
  if (follow_epoch(group, *page.top)) return {};
  if (const std::uint64_t forgotten = group.machine->cut_back(page.top->offset); forgotten > 0) {
    log_warning(
        "queue group: its channel ends before its cursor, as after a loss of power; it goes on from the channel's end: "
        "channel={} group={} offsets={}",
        group.name.channel, group.name.name, forgotten);
  }
  group.machine->see_top(page.top->offset);
  return {};
}

void GroupHome::start(Group& group) {
  group.state = Group::State::kRunning;
  table_.activate(group);
  for (Group::Opener& opener : std::exchange(group.openers, {})) opener.opened(&group);
  group.gone.clear();
}

void GroupHome::fail(Group& group, const Error& error) {
  std::vector<Group::Opener> openers = std::move(group.openers);
  forget(group);
  for (Group::Opener& opener : openers) opener.opened(error);
}

void GroupHome::forget(Group& group) {
  counters_.members.subtract(group.counted_members);
  counters_.in_flight.subtract(group.counted_in_flight);
  if (group.watched) groups_.unwatch(group.name.channel, index_);
  table_.remove(group);
  counters_.groups.set(table_.size());
}

// --- What is asked of a group

void GroupHome::join(GroupMember member, GroupJoin join) {
  const GroupName name = join.name;
  const GroupWish wish = join.wish;
  open(name, &wish, [this, member, join = std::move(join)](Result<Group*> opened) mutable {
    if (!opened) return join.joined(opened.error());
    Group& group = **opened;
    if (std::erase(group.gone, member) > 0) return;
    if (!fits(group.machine->settings(), join.wish)) return join.joined(unlike_group(group.name, group.machine->settings()));
    group.machine->join(member, QueueGroup::Kind::kMember, join.in_flight_max);
    group.seats.emplace(member, Group::Seat{std::move(join.deliver), std::move(join.ended)});
    table_.activate(group);
    join.joined(GroupJoined{
        .cursor = group.machine->cursor(), .lag = group.machine->lag(), .created = std::exchange(group.fresh, false)});
  });
}

void GroupHome::leave(const GroupName& name, GroupMember member) {
  Group* const group = table_.find(name);
  if (group == nullptr) return;
  if (group->state != Group::State::kRunning) return group->gone.push_back(member);
  if (group->seats.erase(member) == 0) return;
  std::erase_if(group->wanted, [&](const auto& entry) {
    if (entry.second.delivery.member != member) return false;
    group->machine->undo(entry.second.delivery.token, loop_.now());
    return true;
  });
  group->machine->leave(member, loop_.now());
  table_.activate(*group);
}

void GroupHome::take(GroupMember taker, GroupTake take) {
  const GroupName name = take.name;
  const GroupWish wish = take.wish;
  open(name, &wish, [this, taker, take = std::move(take)](Result<Group*> opened) mutable {
    if (!opened) return take.taken(opened.error());
    Group& group = **opened;
    if (std::erase(group.gone, taker) > 0) return take.taken(std::vector<GroupDelivery>());
    if (!fits(group.machine->settings(), take.wish)) return take.taken(unlike_group(group.name, group.machine->settings()));
    group.machine->join(taker, QueueGroup::Kind::kTaker, take.count);
    group.takers.emplace(taker, Taker{.taken = std::move(take.taken), .until = loop_.now() + take.wait, .got = {}});
    group.fresh = false;
    table_.activate(group);
  });
}

void GroupHome::cancel(const GroupName& name, GroupMember taker) {
  Group* const group = table_.find(name);
  if (group == nullptr) return;
  if (group->state != Group::State::kRunning) return group->gone.push_back(taker);
  const auto found = group->takers.find(taker);
  if (found == group->takers.end()) return;
  found->second.until = loop_.now();
  table_.activate(*group);
}

void GroupHome::settle(const GroupName& name, GroupSettle settle, UniqueFunction<void(Result<GroupSettled>)> done) {
  open(name, nullptr, [this, settle = std::move(settle), done = std::move(done)](Result<Group*> opened) mutable {
    if (!opened) return done(opened.error());
    Group& group = **opened;
    QueueGroup& machine = *group.machine;
    const Millis now = loop_.now();
    GroupSettled settled;
    for (std::string& text : settle.deliveries) {
      const std::optional<DeliveryToken> token = parse_token(text);
      bool counts = false;
      if (token) {
        switch (settle.verb) {
          case GroupSettle::Verb::kAck: counts = machine.ack(*token); break;
          case GroupSettle::Verb::kNack: counts = machine.nack(*token, now, settle.time.value_or(Millis(0))); break;
          case GroupSettle::Verb::kExtend:
            counts = machine.extend(*token, now, settle.time.value_or(machine.settings().visibility));
            break;
        }
      }
      if (counts) {
        ++settled.settled;
      } else {
        settled.refused.push_back(std::move(text));
      }
    }
    table_.activate(group);
    if (settled.settled == 0) return done(std::move(settled));
    waiting_.emplace_back([done = std::move(done), settled = std::move(settled)](const Result<void>& written) mutable {
      if (!written) return done(written.error());
      done(std::move(settled));
    });
  });
}

void GroupHome::inspect(const GroupName& name, UniqueFunction<void(Result<GroupInfo>)> done) {
  open(name, nullptr, [done = std::move(done)](Result<Group*> opened) mutable {
    if (!opened) return done(opened.error());
    const Group& group = **opened;
    const QueueGroup& machine = *group.machine;
    done(GroupInfo{.name = group.name,
                   .settings = machine.settings(),
                   .cursor = machine.cursor(),
                   .lag = machine.lag(),
                   .in_flight = machine.in_flight(),
                   .members = group.seats.size() + group.takers.size(),
                   .totals = machine.totals()});
  });
}

// A group whose state cannot be read can be removed all the same.
void GroupHome::remove(const GroupName& name, UniqueFunction<void(Result<void>)> done) {
  open(name, nullptr, [this, name, done = std::move(done)](Result<Group*> opened) mutable {
    if (!opened) {
      if (opened.error().kind != ErrorKind::kCorrupt && opened.error().kind != ErrorKind::kInvalid) return done(opened.error());
      removals_.push_back(group_key(name));
      waiting_.emplace_back([done = std::move(done)](const Result<void>& written) mutable { done(written); });
      return;
    }
    Group& group = **opened;
    group.state = Group::State::kEnding;
    removals_.push_back(group.key);
    auto seats = std::move(group.seats);
    auto takers = std::move(group.takers);
    group.seats.clear();
    group.takers.clear();
    waiting_.emplace_back([this, id = group.id, done = std::move(done)](const Result<void>& written) mutable {
      if (Group* const ended = table_.find(id)) {
        const GroupName ended_name = ended->name;
        std::vector<Group::Opener> openers = std::move(ended->openers);
        const std::vector<GroupMember> gone = std::move(ended->gone);
        forget(*ended);
        for (Group::Opener& opener : openers) {
          open(ended_name, opener.wish ? &*opener.wish : nullptr, std::move(opener.opened));
        }
        if (Group* const anew = table_.find(ended_name)) anew->gone = gone;
      }
      done(written);
    });
    for (auto& [member, seat] : seats) seat.ended("the group was deleted");
    for (auto& [member, taker] : takers) taker.taken(no_group(group.name));
  });
}

void GroupHome::on_news(const std::string& channel) {
  const std::optional<Position> top = groups_.look(channel, index_);
  if (!top) return;
  table_.for_each(channel, [&](Group& group) {
    if (group.machine == nullptr) return;  // The page that is on its way shows it.
    if (top->epoch == group.machine->epoch()) {
      group.machine->see_top(top->offset);
    } else {
      group.verify = true;  // News may be older than what a page has shown.
    }
    table_.activate(group);
  });
}

void GroupHome::look_again(const std::string& channel) {
  table_.for_each(channel, [&](Group& group) {
    if (group.machine == nullptr) return;
    group.verify = true;
    table_.activate(group);
  });
}

// --- Turns

void GroupHome::on_turn_end() {
  // Answers may lead to more; what is left after some rounds waits for the next turn.
  for (int round = 0; round < 8 && (round == 0 || table_.any_active()); ++round) {
    table_.work([this](Group& group) { work(group); });
    write();
  }
  if (table_.any_active()) loop_.post([] {});
}

void GroupHome::work(Group& group) {
  if (group.state == Group::State::kRunning) {
    if (group.retry_at != Millis(0) && group.retry_at <= loop_.now()) {
      group.retry_at = Millis(0);
      for (const std::uint64_t offset : std::exchange(group.unburied, {})) group.machine->revive(offset);
    }
    pump(group);
    fetch(group);
    answer_takers(group);
  }
  if (group.machine == nullptr || group.state == Group::State::kEnding) return;
  if (group.machine->take_changed() && !std::exchange(group.dirty, true)) dirty_.push_back(group.id);
  count(group);
  arm(group);
}

void GroupHome::pump(Group& group) {
  const auto want = [&](std::uint64_t offset, Group::Wanted wanted) {
    Group::Wanted& place = group.wanted[offset];
    // One that came back before it was read.
    if (const auto taker = group.takers.find(place.delivery.member); taker != group.takers.end()) --taker->second.pending;
    place = wanted;
  };
  for (const QueueGroup::Delivery& delivery : group.machine->deliver(loop_.now())) {
    want(delivery.token.offset, {.delivery = delivery, .dead = {}});
    if (const auto taker = group.takers.find(delivery.member); taker != group.takers.end()) ++taker->second.pending;
  }
  for (const QueueGroup::DeadLetter& dead : group.machine->take_dead()) want(dead.offset, {.delivery = {}, .dead = dead});
}

// One page at a time; what lies near the first one wanted is read with it.
void GroupHome::fetch(Group& group) {
  if (group.reading || group.retry_at != Millis(0) || (group.wanted.empty() && !group.verify)) return;
  HistoryQuery query{.channel = group.name.channel, .count_max = 1, .reverse = true};
  std::uint64_t first = 0;
  if (!std::exchange(group.verify, false)) {
    first = group.wanted.begin()->first;
    std::uint64_t last = first;
    for (const auto& [offset, wanted] : group.wanted) {
      if (offset - last > kSkipMax || offset - first >= kPageMax) break;
      last = offset;
    }
    query.since = Position{.epoch = group.machine->epoch(), .offset = first - 1};
    query.count_max = static_cast<std::size_t>(last - first + 1);
    query.reverse = false;
  }
  group.reading = true;
  group.reading_epoch = group.machine->epoch();
  hub_.engine().history(std::move(query), [this, id = group.id, first](Result<HistoryPage> outcome) mutable {
    run_here([this, id, first, outcome = std::move(outcome)]() mutable { take_page(id, first, std::move(outcome)); });
  });
}

// `first`: the offset that the page was asked from; 0: only the top is of interest.
void GroupHome::take_page(std::uint64_t id, std::uint64_t first, Result<HistoryPage> outcome) {
  Group* const group = table_.find(id);
  if (group == nullptr) return;
  group->reading = false;
  if (group->state != Group::State::kRunning) return;
  table_.activate(*group);
  if (!outcome) {
    group->verify = group->verify || first == 0;
    return retry_later(*group);
  }
  if (!outcome->top || group->reading_epoch != group->machine->epoch() || follow_epoch(*group, *outcome->top)) return;
  group->machine->see_top(outcome->top->offset);
  if (first != 0) hand_out(*group, *outcome, first);
}

// True: the channel counts anew, and so does the group.
bool GroupHome::follow_epoch(Group& group, const Position& top) {
  if (top.epoch == group.machine->epoch()) return false;
  log_info(
      "queue group: its channel counts anew (the history was removed or lost), and so does the group: channel={} group={} "
      "not_settled={}",
      group.name.channel, group.name.name, group.machine->lag());
  group.machine->begin_epoch(top.epoch, next_generation());
  group.machine->see_top(top.offset);
  group.wanted.clear();
  group.unburied.clear();
  for (auto& [id, taker] : group.takers) taker.pending = 0;
  return true;
}

void GroupHome::hand_out(Group& group, const HistoryPage& page, std::uint64_t first) {
  const std::uint64_t oldest =
      page.publications.empty() ? std::max(page.top->offset, first) + 1 : page.publications.front()->position->offset;
  const auto drop = [&](std::uint64_t offset, const Group::Wanted& wanted) {
    if (const auto taker = group.takers.find(wanted.delivery.member); taker != group.takers.end()) --taker->second.pending;
    group.machine->lose(offset);
  };
  if (oldest > first) {
    while (!group.wanted.empty() && group.wanted.begin()->first < oldest) {
      drop(group.wanted.begin()->first, group.wanted.begin()->second);
      group.wanted.erase(group.wanted.begin());
    }
    group.machine->lose_before(std::min(oldest, page.top->offset + 1));
    if (lost_log_.may_write(loop_.now())) {
      log_warning(
          "queue group: the channel's retention took publications before they were delivered: channel={} group={} "
          "lost_ever={} others_unlogged={}",
          group.name.channel, group.name.name, group.machine->totals().lost, lost_log_.take_left_out());
    }
  }
  std::map<GroupMember, std::vector<GroupDelivery>> batches;
  for (const PublicationPtr& publication : page.publications) {
    const auto found = group.wanted.find(publication->position->offset);
    if (found == group.wanted.end()) continue;
    const Group::Wanted wanted = found->second;
    group.wanted.erase(found);
    if (wanted.delivery.member == 0) {
      publish_dead(group, wanted.dead, *publication);
      continue;
    }
    GroupDelivery delivery{.publication = publication,
                           .token = token_text(wanted.delivery.token),
                           .attempt = wanted.delivery.token.attempt,
                           .visible_until_ms = hub_.clock().unix_ms() + (wanted.delivery.deadline - loop_.now()).count()};
    if (const auto taker = group.takers.find(wanted.delivery.member); taker != group.takers.end()) {
      --taker->second.pending;
      taker->second.got.push_back(std::move(delivery));
    } else {
      batches[wanted.delivery.member].push_back(std::move(delivery));
    }
  }
  for (auto& [member, batch] : batches) {
    if (const auto seat = group.seats.find(member); seat != group.seats.end()) seat->second.deliver(std::move(batch));
  }
}

// --- What nobody could handle

void GroupHome::publish_dead(Group& group, const QueueGroup::DeadLetter& dead, const Publication& publication) {
  // A crash between this publish and the write that remembers it would repeat it.
  std::string key = fmt::format("{}:{}:{}", group.key, epoch_text(publication.position->epoch), publication.position->offset);
  Draft draft = dead_letter_draft(group.name, group.machine->settings(), publication, dead, std::move(key));
  hub_.publish(std::move(draft),
               [this, id = group.id, epoch = group.machine->epoch(), offset = dead.offset](Result<Receipt> outcome) mutable {
                 run_here([this, id, epoch, offset, outcome = std::move(outcome)] {
                   if (Group* const known = table_.find(id); known != nullptr && known->machine->epoch() == epoch) {
                     take_dead_receipt(*known, offset, outcome);
                   }
                 });
               });
}

void GroupHome::take_dead_receipt(Group& group, std::uint64_t offset, const Result<Receipt>& outcome) {
  table_.activate(group);
  if (outcome) return group.machine->bury(offset);
  if (group.unburied.empty()) {
    log_warning(
        "queue group: its dead-letter channel takes nothing, trying again: channel={} group={} dead_letter={} reason={}",
        group.name.channel, group.name.name, group.machine->settings().dead_letter, outcome.error().text);
  }
  group.unburied.push_back(offset);
  retry_later(group);
}

// --- Takers and times

// Whoever has something, or has waited long enough.
void GroupHome::answer_takers(Group& group) {
  std::vector<GroupMember> done;
  for (const auto& [id, taker] : group.takers) {
    if (taker.pending == 0 && (!taker.got.empty() || taker.until <= loop_.now())) done.push_back(id);
  }
  for (const GroupMember id : done) {
    const auto found = group.takers.find(id);
    Taker taker = std::move(found->second);
    group.takers.erase(found);
    group.machine->leave(id, loop_.now());
    // A restart should know what is taken. If it is not written, it is delivered again after one: that is allowed.
    if (taker.got.empty()) {
      taker.taken(std::vector<GroupDelivery>());
      continue;
    }
    waiting_.emplace_back(
        [taken = std::move(taker.taken), got = std::move(taker.got)](const Result<void>&) mutable { taken(std::move(got)); });
  }
}

void GroupHome::retry_later(Group& group) {
  if (group.retry_at == Millis(0)) group.retry_at = loop_.now() + kRetryTime;
}

void GroupHome::arm(Group& group) {
  std::optional<Millis> next = group.machine->next_time();
  const auto also = [&next](Millis at) { next = next ? std::min(*next, at) : at; };
  for (const auto& [id, taker] : group.takers) also(taker.until);
  if (group.retry_at != Millis(0)) also(group.retry_at);
  if (!group.idle()) {
    group.idle_since.reset();
  } else if (group.state == Group::State::kRunning) {
    if (!group.idle_since) group.idle_since = loop_.now();
    const Millis over = *group.idle_since + kIdleTime;
    // What is being written could not be read back yet.
    if (over <= loop_.now() && !group.dirty && !writing_) return forget(group);
    also(std::max(over, loop_.now() + kRetryTime));
  }
  if (!next) return group.timer.cancel();
  loop_.schedule(group.timer, std::max(*next - loop_.now(), Millis(0)));
}

void GroupHome::count(Group& group) {
  const std::size_t members = group.seats.size() + group.takers.size();
  counters_.members.add(members - std::exchange(group.counted_members, members));
  counters_.in_flight.add(group.machine->in_flight() - std::exchange(group.counted_in_flight, group.machine->in_flight()));
  const QueueGroup::Totals totals = group.machine->totals();
  const QueueGroup::Totals before = std::exchange(group.counted, totals);
  counters_.deliveries_total.add(totals.delivered - before.delivered);
  counters_.redeliveries_total.add(totals.redelivered - before.redelivered);
  counters_.acks_total.add(totals.acked - before.acked);
  counters_.dead_total.add(totals.dead - before.dead);
  counters_.lost_total.add(totals.lost - before.lost);
  counters_.groups.set(table_.size());
}

// --- The store

void GroupHome::write() {
  if (writing_ || write_timer_.armed() || (dirty_.empty() && removals_.empty() && waiting_.empty())) return;
  std::vector<StateChange> changes;
  bool synced = false;
  for (std::string& key : std::exchange(removals_, {})) changes.push_back({.key = std::move(key), .value = std::nullopt});
  for (const std::uint64_t id : std::exchange(dirty_, {})) {
    Group* const group = table_.find(id);
    if (group == nullptr || group->state == Group::State::kEnding) continue;
    group->dirty = false;
    synced = synced || group->synced;
    changes.push_back({.key = group->key, .value = group->machine->serialise(loop_.now(), hub_.clock().unix_ms())});
    writing_groups_.push_back(id);
  }
  writing_ = true;
  writing_answers_ = std::exchange(waiting_, {});
  if (changes.empty()) return on_written({});  // It was written before.
  hub_.engine().state().change(std::move(changes), synced, [this](Result<void> outcome) mutable {
    run_here([this, outcome = std::move(outcome)] { on_written(outcome); });
  });
}

void GroupHome::on_written(const Result<void>& outcome) {
  writing_ = false;
  const std::vector<std::uint64_t> groups = std::exchange(writing_groups_, {});
  if (!outcome) {
    log_warning("queue groups: their state is not written, trying again: {}", outcome.error().text);
    for (const std::uint64_t id : groups) {
      Group* const group = table_.find(id);
      if (group != nullptr && !std::exchange(group->dirty, true)) dirty_.push_back(id);
    }
    loop_.schedule(write_timer_, kRetryTime);
  }
  for (Written& answer : std::exchange(writing_answers_, {})) answer(outcome);
}

}  // namespace carillon
