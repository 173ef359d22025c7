#include "hub/queue_groups.h"

#include <algorithm>

#include "base/check.h"
#include "hub/group_home.h"
#include "hub/group_listing.h"
#include "hub/shared_group_home.h"

namespace carillon {
QueueGroups::QueueGroups(Hub& hub) : hub_(hub) {
  if (GroupStore* const store = hub.engine().groups()) store->set_events(*this);
}

QueueGroups::~QueueGroups() = default;

void QueueGroups::add_home(Loop& loop) {
  if (GroupStore* const store = hub_.engine().groups()) {
    homes_.push_back(std::make_unique<SharedGroupHome>(*this, hub_, *store, loop, homes_.size()));
  } else {
    homes_.push_back(std::make_unique<GroupHome>(*this, hub_, loop, homes_.size()));
  }
}

GroupKeeper& QueueGroups::home_of(const GroupName& name) const {
  CHECK(!homes_.empty());
  return *homes_[hash_name(group_key(name)) % homes_.size()];
}

GroupMember QueueGroups::join(Join join) {
  const GroupMember member = last_member_.fetch_add(1, std::memory_order_relaxed) + 1;
  if (Result<void> checked = check_group_wish(join.wish, join.name); !checked) {
    join.joined(checked.error());
    return member;
  }
  join.in_flight_max = std::clamp<std::size_t>(join.in_flight_max, 1, kGroupInFlightMax);
  GroupKeeper& home = home_of(join.name);
  home.loop().post([&home, member, join = std::move(join)]() mutable { home.join(member, std::move(join)); });
  return member;
}

void QueueGroups::leave(const GroupName& name, GroupMember member) {
  GroupKeeper& home = home_of(name);
  home.loop().post([&home, name, member] { home.leave(name, member); });
}

GroupMember QueueGroups::take(Take take) {
  const GroupMember taker = last_member_.fetch_add(1, std::memory_order_relaxed) + 1;
  if (Result<void> checked = check_group_wish(take.wish, take.name); !checked) {
    take.taken(checked.error());
    return taker;
  }
  take.count = std::clamp<std::size_t>(take.count, 1, kGroupTakeMax);
  take.wait = std::clamp(take.wait, Millis(0), kGroupWaitMax);
  GroupKeeper& home = home_of(take.name);
  home.loop().post([&home, taker, take = std::move(take)]() mutable { home.take(taker, std::move(take)); });
  return taker;
}

void QueueGroups::cancel(const GroupName& name, GroupMember taker) {
  GroupKeeper& home = home_of(name);
  home.loop().post([&home, name, taker] { home.cancel(name, taker); });
}

void QueueGroups::settle(const GroupName& name, GroupSettle settle, UniqueFunction<void(Result<GroupSettled>)> done) {
  if (Result<void> checked = check_group_name(name.name); !checked) return done(checked.error());
  if (Result<void> checked = check_group_settle(settle); !checked) return done(checked.error());
  GroupKeeper& home = home_of(name);
  home.loop().post([&home, name, settle = std::move(settle), done = std::move(done)]() mutable {
    home.settle(name, std::move(settle), std::move(done));
  });
}

void QueueGroups::list(std::string channel, std::optional<GroupName> after, std::size_t count_max,
                       UniqueFunction<void(Result<GroupPage>)> done) {
  if (GroupStore* const store = hub_.engine().groups()) {
    return store->list(std::move(channel), std::move(after), count_max, std::move(done));
  }
  // The key of the group of no name is what those of the channel begin with.
  const std::string prefix = channel.empty() ? "group/" : group_key({.channel = std::move(channel), .name = {}});
  hub_.engine().state().list(
      prefix, after ? group_key(*after) : std::string(), count_max + 1,
      [this, count_max, done = std::move(done)](Result<std::vector<StateRecord>> records) mutable {
        if (!records) return done(records.error());
        std::vector<GroupName> names;
        for (const StateRecord& record : *records) {
          if (std::optional<GroupName> name = parse_group_key(record.key)) names.push_back(*std::move(name));
        }
        if (names.empty()) return done(GroupPage());
        const auto listing = std::make_shared<GroupListing>(std::move(names), count_max, std::move(done));
        for (std::size_t place = 0; place < listing->names().size(); ++place) {
          GroupKeeper& home = home_of(listing->names()[place]);
          home.loop().post([&home, listing, place] {
            home.inspect(listing->names()[place],
                         [listing, place](Result<GroupInfo> outcome) { listing->take(place, std::move(outcome)); });
          });
        }
      });
}

void QueueGroups::remove(const GroupName& name, UniqueFunction<void(Result<void>)> done) {
  if (Result<void> checked = check_group_name(name.name); !checked) return done(checked.error());
  GroupKeeper& home = home_of(name);
  home.loop().post([&home, name, done = std::move(done)]() mutable { home.remove(name, std::move(done)); });
}

GroupStats QueueGroups::stats() const {
  GroupStats stats;
  for (const auto& home : homes_) {
    const GroupKeeper::Counters& counters = home->counters();
    stats.groups += counters.groups.get();
    stats.members += counters.members.get();
    stats.in_flight += counters.in_flight.get();
    stats.deliveries_total += counters.deliveries_total.get();
    stats.redeliveries_total += counters.redeliveries_total.get();
    stats.acks_total += counters.acks_total.get();
    stats.dead_total += counters.dead_total.get();
    stats.lost_total += counters.lost_total.get();
  }
  return stats;
}

// --- News of channels

// One task for each home, however many publications come before it looks.
void QueueGroups::tell(const Publication& publication) {
  if (!publication.position) return;
  std::uint64_t wake = 0;
  {
    const std::shared_lock lock(watches_mutex_);
    const auto found = watches_.find(std::string_view(publication.channel));
    if (found == watches_.end()) return;
    Watch& watch = *found->second;
    const std::lock_guard watch_lock(watch.mutex);
    watch.top = *publication.position;
    for (std::size_t home = 0; home < homes_.size(); ++home) {
      if (watch.homes[home] > 0) wake |= std::uint64_t{1} << home;
    }
    wake &= ~watch.told;
    watch.told |= wake;
  }
  for (; wake != 0; wake &= wake - 1) {
    GroupKeeper& home = *homes_[static_cast<std::size_t>(__builtin_ctzll(wake))];
    home.loop().post([&home, channel = publication.channel] { home.on_news(channel); });
  }
}

void QueueGroups::look_again(const std::string& channel) {
  if (watch_count_.load(std::memory_order_acquire) == 0) return;
  for (const auto& home : homes_) home->loop().post([&home = *home, channel] { home.look_again(channel); });
}

void QueueGroups::watch(const std::string& channel, std::size_t home) {
  const std::unique_lock lock(watches_mutex_);
  std::unique_ptr<Watch>& watch = watches_[channel];
  if (watch == nullptr) {
    watch = std::make_unique<Watch>();
    hub_.add_interest({.base = channel});
  }
  ++watch->groups;
  ++watch->homes[home];
  watch_count_.store(watches_.size(), std::memory_order_release);
}

void QueueGroups::unwatch(const std::string& channel, std::size_t home) {
  const std::unique_lock lock(watches_mutex_);
  const auto found = watches_.find(channel);
  --found->second->homes[home];
  if (--found->second->groups == 0) {
    watches_.erase(found);
    hub_.remove_interest({.base = channel});
  }
  watch_count_.store(watches_.size(), std::memory_order_release);
}

std::optional<Position> QueueGroups::look(const std::string& channel, std::size_t home) {
  const std::shared_lock lock(watches_mutex_);
  const auto found = watches_.find(channel);
  if (found == watches_.end()) return std::nullopt;
  const std::lock_guard watch_lock(found->second->mutex);
  found->second->told &= ~(std::uint64_t{1} << home);
  return found->second->top;
}

// --- News of groups that nodes share

void QueueGroups::on_group_return(const GroupName& name, Millis within) {
  GroupKeeper& home = home_of(name);
  home.loop().post([&home, name, within] { home.on_return(name, within); });
}

void QueueGroups::on_group_removed(const GroupName& name, std::uint64_t generation) {
  GroupKeeper& home = home_of(name);
  home.loop().post([&home, name, generation] { home.on_removed(name, generation); });
}

void QueueGroups::on_group_settled(const GroupName& name, const DeliveryToken& token) {
  GroupKeeper& home = home_of(name);
  home.loop().post([&home, name, token] { home.on_settled(name, token); });
}

}  // namespace carillon
