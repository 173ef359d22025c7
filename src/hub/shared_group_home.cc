#include "hub/shared_group_home.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/log.h"
#include "hub/epoch_text.h"
#include "hub/group_seating.h"

namespace carillon {

struct SharedGroupHome::Taker {
  UniqueFunction<void(Result<std::vector<GroupDelivery>>)> taken;
  Millis until{0};
  bool asked = false;   // A fetch that may give it something is under way,
  bool looked = false;  // or has come back.
  std::vector<GroupDelivery> got;
};

struct SharedGroupHome::Opener {
  GroupWish wish;
  Opened opened;
};

struct SharedGroupHome::Group : GroupInUse {
  enum class State : std::uint8_t { kOpening, kRunning };
  struct Seat {
    UniqueFunction<void(std::vector<GroupDelivery>)> deliver;
    UniqueFunction<void(std::string_view)> ended;
  };
  struct Held {
    GroupMember member = 0;
    std::uint32_t attempt = 0;
    Millis deadline{0};
  };
  struct Dead {
    PublicationPtr publication;
    DeliveryToken token;
    ReturnReason reason = ReturnReason::kNone;
    bool busy = false;   // It is being published or buried.
    Millis retry_at{0};  // When not.
  };

  explicit Group(Task on_time) : timer(std::move(on_time)) {}

  State state = State::kOpening;
  std::vector<Opener> openers;
  bool asking = false;                  // The store for the group's state, or the channel for its start.
  std::vector<GroupMember> gone;        // Who left before it was open.
  std::optional<GroupBeginning> again;  // The store has forgotten the group: as it is made again.

  GroupSettings settings;
  std::uint64_t generation = 0;
  Position top;  // Of the group's epoch, as far as this node has heard.
  Position cursor;
  std::uint64_t lag = 0;
  bool fresh = false;  // Made, and nobody has joined it.

  boost::unordered_flat_map<GroupMember, Seat> seats;
  boost::unordered_flat_map<GroupMember, Taker> takers;
  GroupSeating seating;                                  // Of both.
  std::map<std::uint64_t, Held> held;                    // By offset: deliveries made here and not settled.
  std::set<std::pair<Millis, std::uint64_t>> deadlines;  // Of what is held.
  std::map<std::uint64_t, Dead> dead;                    // By offset.

  bool fetching = false;
  bool news = true;      // The channel may have more than was fetched,
  bool stirred = false;  // as was heard while a fetch is under way.
  Millis look_at{0};     // When it is next looked for what came back.
  Millis members_at{0};  // When the store is next told how many members there are.
  std::size_t members_told = 0;
  bool returns = false;  // Something that came back found no room.
  bool full = false;     // New ones wait until some are settled.
  bool verify = false;   // The channel may count anew.
  std::optional<Millis> retry_at;
  std::optional<Millis> idle_since;
  CallbackTimer timer;

  std::size_t counted_members = 0, counted_in_flight = 0;

  std::size_t members() const { return seats.size() + takers.size(); }
  // Takers count while they wait.
  std::size_t members_to_tell(Millis now) const {
    const auto waits = [now](const auto& taker) { return taker.second.until > now; };
    return seats.size() + static_cast<std::size_t>(std::ranges::count_if(takers, waits));
  }
  bool idle() const { return members() == 0 && held.empty() && dead.empty() && !fetching && !asking; }
};

SharedGroupHome::SharedGroupHome(QueueGroups& groups, Hub& hub, GroupStore& store, Loop& loop, std::size_t index)
    : groups_(groups), hub_(hub), store_(store), loop_(loop), index_(index) {
  loop.add_turn_end(*this);
}

SharedGroupHome::~SharedGroupHome() = default;

void SharedGroupHome::run_here(Task task) {
  if (loop_.in_loop_thread()) return task();
  loop_.post(std::move(task));
}

// --- A group begins, and ends

void SharedGroupHome::open(const GroupName& name, const GroupWish& wish, bool afresh, Opened opened) {
  Group* group = table_.find(name);
  if (group != nullptr && group->state == Group::State::kRunning && !afresh) return opened(group);
  if (group == nullptr) {
    const Result<Group*> added = table_.add(name);
    if (!added) return opened(added.error());
    group = *added;
    groups_.watch(name.channel, index_);
    store_.hear(name);
  }
  group->openers.push_back({wish, std::move(opened)});
  if (!group->asking && !group->again) ask_state(*group, std::nullopt);
}

void SharedGroupHome::ask_state(Group& group, std::optional<GroupBeginning> beginning) {
  group.asking = true;
  store_.open(group.name, std::move(beginning), [this, id = group.id](Result<GroupState> outcome) mutable {
    run_here([this, id, outcome = std::move(outcome)]() mutable { take_state(id, std::move(outcome)); });
  });
}

void SharedGroupHome::take_state(std::uint64_t id, Result<GroupState> outcome) {
  Group* const group = table_.find(id);
  if (group == nullptr) return;
  group->asking = false;
  if (!outcome) {
    if (outcome.error().kind != ErrorKind::kNotFound) return fail(*group, outcome.error());
    if (group->state == Group::State::kOpening || group->again) return ask_start(*group);
    group->look_at = loop_.now();  // A fetch tells whether it was removed or forgotten.
    return table_.activate(*group);
  }
  adopt(*group, outcome->generation, outcome->info.settings, outcome->info.cursor.epoch);
  group->again.reset();
  group->cursor = outcome->info.cursor;
  group->lag = outcome->info.lag;
  group->fresh = group->fresh || outcome->created;
  group->state = Group::State::kRunning;
  group->look_at = loop_.now();
  table_.activate(*group);
  for (Opener& opener : std::exchange(group->openers, {})) opener.opened(group);
  group->gone.clear();
}

// It does not exist. The channel is heard already, so that the page leaves nothing out that is not heard of.
void SharedGroupHome::ask_start(Group& group) {
  group.asking = true;
  const GroupWish* const wish = group.again || group.openers.empty() ? nullptr : &group.openers.front().wish;
  hub_.engine().history(start_query(group.name, wish), [this, id = group.id](Result<HistoryPage> outcome) mutable {
    run_here([this, id, outcome = std::move(outcome)]() mutable { take_start(id, outcome); });
  });
}

void SharedGroupHome::take_start(std::uint64_t id, const Result<HistoryPage>& outcome) {
  Group* const group = table_.find(id);
  if (group == nullptr) return;
  group->asking = false;
  if (!outcome) return fail(*group, outcome.error());
  if (group->again) {
    if (!outcome->top) return fail(*group, no_history(group->name));
    group->again->cursor = {.epoch = outcome->top->epoch, .offset = 0};
    return ask_state(*group, group->again);
  }
  if (group->openers.empty()) return forget(*group);
  Result<GroupBeginning> beginning = group_beginning(group->name, group->openers.front().wish, *outcome);
  if (!beginning) return fail(*group, beginning.error());
  ask_state(*group, *std::move(beginning));
}

// Whoever waits for it is told. One that is in use goes on, and so does one that is to be made again.
void SharedGroupHome::fail(Group& group, const Error& error) {
  std::vector<Opener> openers = std::exchange(group.openers, {});
  if (group.state == Group::State::kOpening) {
    forget(group);
  } else {
    group.gone.clear();
    if (group.again) group.retry_at = loop_.now() + kRetryTime;
    table_.activate(group);
  }
  for (Opener& opener : openers) opener.opened(error);
}

// Of another generation nothing counts that was delivered before.
void SharedGroupHome::adopt(Group& group, std::uint64_t generation, const GroupSettings& settings, std::uint64_t epoch) {
  group.settings = settings;
  if (group.top.epoch != epoch) group.top = {.epoch = epoch, .offset = 0};
  if (group.generation == generation) return;
  if (group.generation != 0) {
    log_info(
        "queue group: its channel counts anew (the history was removed or lost), and so does the group: channel={} group={} "
        "in_flight={}",
        group.name.channel, group.name.name, group.held.size());
  }
  group.generation = generation;
  group.held.clear();
  group.deadlines.clear();
  group.dead.clear();
  group.seating.clear_all();
  group.news = true;
}

// The store has lost the group with all it had. Its members stay.
void SharedGroupHome::remake(Group& group) {
  log_warning("queue group: the store has lost it, and its channel's history; it begins anew: channel={} group={}",
              group.name.channel, group.name.name);
  group.again = GroupBeginning{.settings = group.settings, .cursor = {}};
  ask_start(group);
}

// It was removed.
void SharedGroupHome::end(Group& group) {
  auto seats = std::exchange(group.seats, {});
  auto takers = std::exchange(group.takers, {});
  std::vector<Opener> openers = std::exchange(group.openers, {});
  const std::vector<GroupMember> gone = std::exchange(group.gone, {});
  const GroupName name = group.name;
  forget(group);
  for (auto& [member, seat] : seats) seat.ended("the group was deleted");
  for (auto& [taker, one] : takers) one.taken(no_group(name));
  for (Opener& opener : openers) open(name, opener.wish, false, std::move(opener.opened));
  if (Group* const anew = table_.find(name)) anew->gone = gone;
}

void SharedGroupHome::forget(Group& group) {
  counters_.members.subtract(group.counted_members);
  counters_.in_flight.subtract(group.counted_in_flight);
  groups_.unwatch(group.name.channel, index_);
  store_.unhear(group.name);
  table_.remove(group);
  counters_.groups.set(table_.size());
}

// --- What is asked of a group

void SharedGroupHome::join(GroupMember member, GroupJoin join) {
  const GroupName name = join.name;
  const GroupWish wish = join.wish;
  open(name, wish, true, [this, member, join = std::move(join)](Result<Group*> opened) mutable {
    if (!opened) return join.joined(opened.error());
    Group& group = **opened;
    if (std::erase(group.gone, member) > 0) return;
    if (!fits(group.settings, join.wish)) return join.joined(unlike_group(group.name, group.settings));
    group.seating.seat(member, join.in_flight_max);
    group.seats.emplace(member, Group::Seat{std::move(join.deliver), std::move(join.ended)});
    table_.activate(group);
    join.joined(GroupJoined{.cursor = group.cursor, .lag = group.lag, .created = std::exchange(group.fresh, false)});
  });
}

void SharedGroupHome::leave(const GroupName& name, GroupMember member) {
  Group* const group = table_.find(name);
  if (group == nullptr) return;
  if (group->seats.erase(member) == 0) {
    if (!group->openers.empty()) group->gone.push_back(member);
    return;
  }
  group->seating.unseat(member);
  std::vector<DeliveryToken> tokens;
  for (const auto& [offset, held] : group->held) {
    if (held.member == member) tokens.push_back({group->generation, offset, held.attempt});
  }
  for (const DeliveryToken& token : tokens) clear(*group, token.offset);
  if (!tokens.empty()) give_back(*group, GroupReturn::kLeft, std::move(tokens));
  table_.activate(*group);
}

void SharedGroupHome::take(GroupMember taker, GroupTake take) {
  const GroupName name = take.name;
  const GroupWish wish = take.wish;
  open(name, wish, false, [this, taker, take = std::move(take)](Result<Group*> opened) mutable {
    if (!opened) return take.taken(opened.error());
    Group& group = **opened;
    if (std::erase(group.gone, taker) > 0) return take.taken(std::vector<GroupDelivery>());
    if (!fits(group.settings, take.wish)) return take.taken(unlike_group(group.name, group.settings));
    group.seating.seat(taker, take.count);
    group.takers.emplace(taker, Taker{.taken = std::move(take.taken), .until = loop_.now() + take.wait, .got = {}});
    group.fresh = false;
    group.news = group.stirred = true;
    group.look_at = loop_.now();
    table_.activate(group);
  });
}

void SharedGroupHome::cancel(const GroupName& name, GroupMember taker) {
  Group* const group = table_.find(name);
  if (group == nullptr) return;
  const auto found = group->takers.find(taker);
  if (found == group->takers.end()) {
    if (!group->openers.empty()) group->gone.push_back(taker);
    return;
  }
  found->second.until = loop_.now();
  found->second.looked = true;
  table_.activate(*group);
}

// The group need not be in use here.
void SharedGroupHome::settle(const GroupName& name, GroupSettle settle, UniqueFunction<void(Result<GroupSettled>)> done) {
  GroupSettle asked = settle;
  store_.settle(
      name, std::move(asked),
      [this, name, settle = std::move(settle), done = std::move(done)](Result<GroupSettled> outcome) mutable {
        run_here([this, name, settle = std::move(settle), done = std::move(done), outcome = std::move(outcome)]() mutable {
          if (outcome) take_settled(name, settle, *outcome);
          done(std::move(outcome));
        });
      });
}

// Whatever the store has said of a delivery, it has ended; only one that was extended goes on.
void SharedGroupHome::take_settled(const GroupName& name, const GroupSettle& settle, const GroupSettled& settled) {
  if (settle.verb == GroupSettle::Verb::kAck) counters_.acks_total.add(settled.settled);
  Group* const group = table_.find(name);
  if (group == nullptr) return;
  const std::set<std::string_view> refused(settled.refused.begin(), settled.refused.end());
  for (const std::string& text : settle.deliveries) {
    const std::optional<DeliveryToken> token = parse_token(text);
    if (!token || token->generation != group->generation) continue;
    const auto held = group->held.find(token->offset);
    if (held == group->held.end() || held->second.attempt != token->attempt) continue;
    if (settle.verb != GroupSettle::Verb::kExtend || refused.contains(text)) {
      clear(*group, token->offset);
      continue;
    }
    group->deadlines.erase({held->second.deadline, token->offset});
    held->second.deadline = loop_.now() + settle.time.value_or(group->settings.visibility);
    group->deadlines.emplace(held->second.deadline, token->offset);
  }
  if (settle.verb == GroupSettle::Verb::kNack) {
    group->look_at = std::min(group->look_at, loop_.now() + settle.time.value_or(Millis(0)));
  }
  if (group->full) group->news = group->stirred = true;
  table_.activate(*group);
}

void SharedGroupHome::inspect(const GroupName& name, UniqueFunction<void(Result<GroupInfo>)> done) {
  store_.open(name, std::nullopt, [done = std::move(done)](Result<GroupState> outcome) mutable {
    if (!outcome) return done(outcome.error());
    done(std::move(outcome->info));
  });
}

void SharedGroupHome::remove(const GroupName& name, UniqueFunction<void(Result<void>)> done) {
  store_.remove(name, [this, name, done = std::move(done)](Result<void> outcome) mutable {
    run_here([this, name, outcome = std::move(outcome), done = std::move(done)]() mutable {
      Group* const group = table_.find(name);
      if (outcome && group != nullptr && group->state == Group::State::kRunning) end(*group);
      done(std::move(outcome));
    });
  });
}

void SharedGroupHome::on_news(const std::string& channel) {
  const std::optional<Position> top = groups_.look(channel, index_);
  if (!top) return;
  table_.for_each(channel, [&](Group& group) {
    if (top->epoch == group.top.epoch) {
      group.top.offset = std::max(group.top.offset, top->offset);
    } else {
      group.verify = true;  // News may be older than what the store has told.
    }
    group.news = group.stirred = true;
    table_.activate(group);
  });
}

void SharedGroupHome::look_again(const std::string& channel) {
  table_.for_each(channel, [&](Group& group) {
    group.news = group.stirred = group.verify = true;
    table_.activate(group);
  });
}

void SharedGroupHome::on_return(const GroupName& name, Millis within) {
  Group* const group = table_.find(name);
  if (group == nullptr) return;
  group->look_at = std::min(group->look_at, loop_.now() + within);
  table_.activate(*group);
}

// One that was made since has another generation.
void SharedGroupHome::on_removed(const GroupName& name, std::uint64_t generation) {
  Group* const group = table_.find(name);
  if (group != nullptr && group->state == Group::State::kRunning && group->generation == generation) end(*group);
}

void SharedGroupHome::on_settled(const GroupName& name, const DeliveryToken& token) {
  Group* const group = table_.find(name);
  if (group == nullptr || group->generation != token.generation) return;
  const auto held = group->held.find(token.offset);
  if (held == group->held.end() || held->second.attempt != token.attempt) return;
  clear(*group, token.offset);
  if (group->full) group->news = group->stirred = true;
  table_.activate(*group);
}

// --- Turns

void SharedGroupHome::on_turn_end() {
  // Answers may lead to more; what is left after some rounds waits for the next turn.
  for (int round = 0; round < 8 && table_.any_active(); ++round) {
    table_.work([this](Group& group) { work(group); });
  }
  if (table_.any_active()) loop_.post([] {});
}

void SharedGroupHome::work(Group& group) {
  const std::uint64_t id = group.id;
  if (group.state == Group::State::kOpening) return;
  if (group.retry_at && *group.retry_at <= loop_.now()) {
    group.retry_at.reset();
    if (group.again && !group.asking) ask_start(group);
  }
  expire(group);
  std::vector<DeliveryToken> dead;
  for (const auto& [offset, one] : group.dead) {
    if (!one.busy && one.retry_at <= loop_.now()) dead.push_back(one.token);
  }
  for (const DeliveryToken& token : dead) publish_dead(group, token);
  answer_takers(group);
  fetch(group);
  if (table_.find(id) == nullptr) return;
  count(group);
  arm(group);
}

// Deliveries made here whose time is over: whoever had them has room, and they are for anybody.
void SharedGroupHome::expire(Group& group) {
  while (!group.deadlines.empty() && group.deadlines.begin()->first <= loop_.now()) {
    clear(group, group.deadlines.begin()->second);
    group.look_at = loop_.now();
  }
}

void SharedGroupHome::clear(Group& group, std::uint64_t offset) {
  const auto held = group.held.find(offset);
  if (held == group.held.end()) return;
  group.deadlines.erase({held->second.deadline, offset});
  group.seating.clear(held->second.member);
  group.held.erase(held);
}

void SharedGroupHome::fetch(Group& group) {
  const Millis now = loop_.now();
  if (group.fetching || group.asking || group.again || group.retry_at) return;
  const std::size_t room = group.seating.room();
  const bool wanted = room > 0 && group.news;
  const bool look = group.look_at <= now || (group.returns && room > 0);
  const std::size_t members = group.members_to_tell(now);
  const bool tell = members != group.members_told || (members > 0 && group.members_at <= now);
  if (!wanted && !look && !tell && !group.verify) return;
  GroupFetch fetch{.name = group.name,
                   .room = std::min(room, kFetchMax),
                   .look = look,
                   .members = {},
                   .top = group.top,
                   .verify = std::exchange(group.verify, false)};
  if (tell) {
    fetch.members = group.members_told = members;
    group.members_at = now + kMembersTime;
  }
  if (room > 0) {
    for (auto& [taker, one] : group.takers) one.asked = true;
  }
  if (look) group.look_at = now + kLookTime;
  group.fetching = true;
  group.stirred = false;
  store_.fetch(std::move(fetch),
               [this, id = group.id, look, asked = std::min(room, kFetchMax)](Result<GroupFetched> outcome) mutable {
                 run_here([this, id, look, asked, outcome = std::move(outcome)]() mutable {
                   take_fetched(id, look, asked, std::move(outcome));
                 });
               });
}

void SharedGroupHome::take_fetched(std::uint64_t id, bool looked, std::size_t room, Result<GroupFetched> outcome) {
  Group* const group = table_.find(id);
  if (group == nullptr) return;  // It was removed meanwhile.
  group->fetching = false;
  table_.activate(*group);
  if (!outcome) {
    if (outcome.error().kind == ErrorKind::kNotFound) return end(*group);
    if (failure_log_.may_write(loop_.now())) {
      log_warning("queue group: its store cannot be read, trying again: channel={} group={} reason={} others_unlogged={}",
                  group->name.channel, group->name.name, outcome.error().text, failure_log_.take_left_out());
    }
    group->retry_at = loop_.now() + kRetryTime;
    group->look_at = std::min(group->look_at, *group->retry_at);
    group->members_at = loop_.now();  // Whether it was told is not known.
    group->verify = true;
    std::vector<GroupMember> late;
    for (const auto& [taker, one] : group->takers) {
      if (one.until <= loop_.now() && one.got.empty()) late.push_back(taker);
    }
    for (const GroupMember taker : late) {
      const auto found = group->takers.find(taker);
      auto taken = std::move(found->second.taken);
      group->takers.erase(found);
      group->seating.unseat(taker);
      taken(outcome.error());
    }
    for (Opener& opener : std::exchange(group->openers, {})) opener.opened(outcome.error());
    return;
  }
  if (outcome->forgotten) return remake(*group);
  adopt(*group, outcome->generation, outcome->settings, outcome->epoch);
  if (outcome->lost > 0) {
    counters_.lost_total.add(outcome->lost);
    if (lost_log_.may_write(loop_.now())) {
      log_warning(
          "queue group: the channel's retention took publications before they were delivered: channel={} group={} lost={} "
          "others_unlogged={}",
          group->name.channel, group->name.name, outcome->lost, lost_log_.take_left_out());
    }
  }
  group->news = group->stirred || (outcome->deliveries.size() >= room && room > 0);
  group->full = outcome->unsettled_full;
  if (looked) group->returns = outcome->returned_left;
  if (outcome->returned_left && !outcome->dead.empty()) group->look_at = loop_.now();
  for (GroupFetched::Dead& dead : outcome->dead) {
    const std::uint64_t offset = dead.token.offset;
    clear(*group, offset);
    group->dead.try_emplace(
        offset, Group::Dead{.publication = std::move(dead.publication), .token = dead.token, .reason = dead.reason});
  }
  hand_out(*group, std::move(outcome->deliveries));
  for (auto& [taker, one] : group->takers) one.looked = one.looked || one.asked;
  if (!group->openers.empty() && !group->asking) ask_state(*group, std::nullopt);
}

void SharedGroupHome::hand_out(Group& group, std::vector<GroupFetched::Delivery> deliveries) {
  std::map<GroupMember, std::vector<GroupDelivery>> batches;
  std::vector<DeliveryToken> undone;
  for (GroupFetched::Delivery& fetched : deliveries) {
    const DeliveryToken token = fetched.token;
    clear(group, token.offset);  // An earlier delivery of it, whose end was not heard of.
    const std::optional<GroupMember> member = group.seating.serve();
    if (!member) {
      undone.push_back(token);
      continue;
    }
    (token.attempt == 1 ? counters_.deliveries_total : counters_.redeliveries_total).add();
    const Millis deadline = loop_.now() + fetched.left;
    group.held.emplace(token.offset, Group::Held{.member = *member, .attempt = token.attempt, .deadline = deadline});
    group.deadlines.emplace(deadline, token.offset);
    GroupDelivery delivery{.publication = std::move(fetched.publication),
                           .token = token_text(token),
                           .attempt = token.attempt,
                           .visible_until_ms = hub_.clock().unix_ms() + fetched.left.count()};
    if (const auto taker = group.takers.find(*member); taker != group.takers.end()) {
      taker->second.got.push_back(std::move(delivery));
    } else {
      batches[*member].push_back(std::move(delivery));
    }
  }
  if (!undone.empty()) give_back(group, GroupReturn::kUndone, std::move(undone));
  for (auto& [member, batch] : batches) {
    if (const auto seat = group.seats.find(member); seat != group.seats.end()) seat->second.deliver(std::move(batch));
  }
}

// What the store is not told of comes back when its time is over.
void SharedGroupHome::give_back(Group& group, GroupReturn how, std::vector<DeliveryToken> tokens) {
  store_.give_back(group.name, how, std::move(tokens), [this, id = group.id](Result<std::size_t>) {
    run_here([this, id] {
      Group* const known = table_.find(id);
      if (known == nullptr) return;
      known->look_at = loop_.now();
      table_.activate(*known);
    });
  });
}

// --- What nobody could handle

void SharedGroupHome::publish_dead(Group& group, const DeliveryToken& token) {
  Group::Dead& dead = group.dead.find(token.offset)->second;
  dead.busy = true;
  const Position at = *dead.publication->position;
  // Another node may publish it too, should this one die before it is buried.
  std::string key = fmt::format("{}:{}:{}:{}", group.key, group.generation, epoch_text(at.epoch), at.offset);
  Draft draft = dead_letter_draft(group.name, group.settings, *dead.publication,
                                  {.offset = at.offset, .attempts = dead.token.attempt, .reason = dead.reason}, std::move(key));
  hub_.publish(std::move(draft), [this, id = group.id, token](Result<Receipt> outcome) mutable {
    run_here([this, id, token, outcome = std::move(outcome)] { take_dead_receipt(id, token, outcome); });
  });
}

void SharedGroupHome::take_dead_receipt(std::uint64_t id, const DeliveryToken& token, const Result<Receipt>& outcome) {
  const auto known = [this, id, token]() -> Group* {
    Group* const group = table_.find(id);
    return group != nullptr && group->generation == token.generation && group->dead.contains(token.offset) ? group : nullptr;
  };
  Group* const group = known();
  if (group == nullptr) return;
  const auto again = [this, token](Group& one) {
    Group::Dead& dead = one.dead.find(token.offset)->second;
    dead.busy = false;
    dead.retry_at = loop_.now() + kRetryTime;
    table_.activate(one);
  };
  if (!outcome) {
    if (failure_log_.may_write(loop_.now())) {
      log_warning(
          "queue group: its dead-letter channel takes nothing, trying again: channel={} group={} dead_letter={} reason={} "
          "others_unlogged={}",
          group->name.channel, group->name.name, group->settings.dead_letter, outcome.error().text,
          failure_log_.take_left_out());
    }
    return again(*group);
  }
  store_.give_back(group->name, GroupReturn::kBuried, {token}, [this, known, again, token](Result<std::size_t> buried) {
    run_here([this, known, again, token, buried = std::move(buried)] {
      Group* const one = known();
      if (one == nullptr) return;
      if (!buried) return again(*one);
      counters_.dead_total.add(*buried);
      one->dead.erase(token.offset);
      table_.activate(*one);
    });
  });
}

// --- Takers and times

// Whoever has something, or has waited long enough.
void SharedGroupHome::answer_takers(Group& group) {
  std::vector<GroupMember> done;
  for (const auto& [id, taker] : group.takers) {
    if (!taker.got.empty() || (taker.looked && taker.until <= loop_.now())) done.push_back(id);
  }
  for (const GroupMember id : done) {
    const auto found = group.takers.find(id);
    Taker taker = std::move(found->second);
    group.takers.erase(found);
    group.seating.unseat(id);
    taker.taken(std::move(taker.got));
  }
}

void SharedGroupHome::arm(Group& group) {
  std::optional<Millis> next;
  const auto also = [&next](Millis at) { next = next ? std::min(*next, at) : at; };
  if (!group.deadlines.empty()) also(group.deadlines.begin()->first);
  for (const auto& [id, taker] : group.takers) {
    if (taker.until > loop_.now()) also(taker.until);
  }
  for (const auto& [offset, dead] : group.dead) {
    if (!dead.busy) also(dead.retry_at);
  }
  if (group.retry_at) also(*group.retry_at);
  if (!group.fetching && !group.asking && !group.retry_at) {
    if (group.members() > 0) also(std::min(group.look_at, group.members_at));
  }
  if (!group.idle()) {
    group.idle_since.reset();
  } else {
    if (!group.idle_since) group.idle_since = loop_.now();
    if (*group.idle_since + kIdleTime <= loop_.now()) return forget(group);
    also(*group.idle_since + kIdleTime);
  }
  if (!next) return group.timer.cancel();
  loop_.schedule(group.timer, std::max(*next - loop_.now(), Millis(0)));
}

void SharedGroupHome::count(Group& group) {
  counters_.members.add(group.members() - std::exchange(group.counted_members, group.members()));
  counters_.in_flight.add(group.held.size() - std::exchange(group.counted_in_flight, group.held.size()));
  counters_.groups.set(table_.size());
}

}  // namespace carillon
