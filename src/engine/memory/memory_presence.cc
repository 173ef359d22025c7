#include "engine/memory/memory_presence.h"

#include <algorithm>
#include <utility>

namespace carillon {
namespace {

// Between a node's name and its member's.
constexpr char kOfNode = '/';

std::string base36(std::uint64_t number) {
  std::string digits;
  do digits.insert(digits.begin(), "0123456789abcdefghijklmnopqrstuvwxyz"[number % 36]);
  while ((number /= 36) != 0);
  return digits;
}

bool is_of_node(std::string_view member, std::string_view node) {
  return member.size() > node.size() && member.starts_with(node) && member[node.size()] == kOfNode;
}

}  // namespace

class MemoryPresence::Node final : public PresenceStore {
 public:
  Node(MemoryPresence& all, std::string name) : all_(all), name_(std::move(name)) {}
  ~Node() override { all_.close_node(name_); }

  void set_events(PresenceEvents& events) override {
    const std::lock_guard lock(all_.nodes_mutex_);
    for (Lease& node : all_.nodes_) {
      if (node.node == name_) node.events = &events;
    }
  }
  void change(std::string channel, std::vector<PresenceChange> changes) override {
    all_.change(name_, std::move(channel), std::move(changes));
  }
  void crash(std::string channel, std::string reason) override { all_.crash(name_, channel, reason); }
  std::string name_of(std::string_view member) const override { return (name_ + kOfNode).append(member); }
  void state(std::string channel, UniqueFunction<void(Result<PresenceStatePtr>)> done) override { done(all_.state(channel)); }
  void counts(std::string channel, UniqueFunction<void(Result<PresenceCounts>)> done) override { done(all_.counts(channel)); }
  void renew(std::int64_t lease_ms) override { all_.renew(name_, lease_ms); }

 private:
  MemoryPresence& all_;
  const std::string name_;
};

// Refs begin with a random text, so that a client that comes back to a restarted server takes none of them for one it knows.
MemoryPresence::MemoryPresence(const Clock& clock, Random& random) : clock_(clock) {
  const std::string start = base36(random.next_u64() >> 32);
  for (std::size_t i = 0; i < kStripes; ++i) {
    stripes_.push_back(std::make_unique<Stripe>(ChannelRuntime::cluster_ready(start + base36(i), "memory")));
  }
}

MemoryPresence::~MemoryPresence() = default;

std::unique_ptr<PresenceStore> MemoryPresence::open_node() {
  const std::lock_guard lock(nodes_mutex_);
  nodes_.push_back({.node = base36(nodes_ever_++)});
  return std::make_unique<Node>(*this, nodes_.back().node);
}

// Its lease stays, so that its members leave when it is over.
void MemoryPresence::close_node(const std::string& node) {
  const std::lock_guard lock(nodes_mutex_);
  for (Lease& lease : nodes_) {
    if (lease.node == node) lease.events = nullptr;
  }
}

void MemoryPresence::change(const std::string& node, std::string channel, std::vector<PresenceChange> changes) {
  const std::int64_t now_ms = clock_.unix_ms();
  Stripe& stripe = stripe_of(channel);
  const std::lock_guard lock(stripe.mutex);
  for (PresenceChange& change : changes) {
    std::string member = node + kOfNode + change.member;  // name_of().
    if (change.kind == PresenceChange::Kind::kLeave) {
      stripe.runtime.handle(channel_event::Leave{.client_id = std::move(member), .topic = channel});
    } else if (stripe.runtime.is_member(member, channel)) {
      stripe.runtime.handle(channel_event::Rejoin{.client_id = std::move(member),
                                                  .topic = channel,
                                                  .user_id = std::move(change.key),
                                                  .now_ms = now_ms,
                                                  .meta = std::move(change.meta)});
    } else {
      stripe.runtime.handle(channel_event::Join{.client_id = std::move(member),
                                                .topic = channel,
                                                .user_id = std::move(change.key),
                                                .now_ms = now_ms,
                                                .meta = std::move(change.meta)});
    }
  }
  tell(stripe, channel);
}

void MemoryPresence::crash(const std::string& node, const std::string& channel, const std::string& reason) {
  Stripe& stripe = stripe_of(channel);
  const std::lock_guard lock(stripe.mutex);
  const std::vector<std::string> members = stripe.runtime.subscribers(channel);
  if (!std::all_of(members.begin(), members.end(), [&](const auto& member) { return is_of_node(member, node); })) {
    return drop_members(stripe, node, channel);  // The other nodes' members have not crashed.
  }
  // A crash has no diff of its own: the machine forgets.
  PresenceBatch gone;
  gone.add({.joins = {}, .leaves = stripe.runtime.presences(channel)});
  stripe.runtime.handle(channel_event::Crash{.reason = reason, .topic = channel});
  stripe.runtime.handle(channel_event::Restart{.topic = channel});
  stripe.runtime.flush();
  tell(stripe, channel, gone);
}

void MemoryPresence::tell(Stripe& stripe, const std::string& channel) {
  PresenceBatch batch;
  for (ChannelOutbound& outbound : stripe.runtime.flush()) {
    // Replies are for clients that ask; the hub asks only what it knows the answer to.
    if (auto* const diff = std::get_if<channel_outbound::PresenceDiff>(&outbound)) batch.add(std::move(diff->changes));
  }
  tell(stripe, channel, batch);
}

void MemoryPresence::tell(Stripe& stripe, const std::string& channel, PresenceBatch& batch) {
  if (batch.empty()) return;
  auto diff = std::make_shared<PresenceUpdate>(PresenceUpdate{
      .channel = channel, .version = ++stripe.last_version, .changes = batch.take(), .counts = counts_in(stripe, channel)});
  if (diff->counts.members == 0) {
    stripe.channels.erase(channel);
  } else {
    stripe.channels[channel] = Channel{.version = diff->version, .state = nullptr};
  }
  const std::lock_guard lock(nodes_mutex_);
  for (const Lease& node : nodes_) {
    if (node.events != nullptr) node.events->on_presence(diff);
  }
}

PresenceCounts MemoryPresence::counts_in(const Stripe& stripe, std::string_view channel) {
  return {.users = stripe.runtime.key_count(channel), .members = stripe.runtime.subscriber_count(channel)};
}

PresenceStatePtr MemoryPresence::state(const std::string& channel) {
  Stripe& stripe = stripe_of(channel);
  const std::lock_guard lock(stripe.mutex);
  const auto found = stripe.channels.find(channel);
  if (found == stripe.channels.end()) {
    return std::make_shared<PresenceState>(
        PresenceState{.channel = channel, .version = stripe.last_version, .entries = {}, .counts = {}});
  }
  if (found->second.state == nullptr) {
    found->second.state = std::make_shared<PresenceState>(PresenceState{.channel = channel,
                                                                        .version = found->second.version,
                                                                        .entries = stripe.runtime.presences(channel),
                                                                        .counts = counts_in(stripe, channel)});
  }
  return found->second.state;
}

PresenceCounts MemoryPresence::counts(const std::string& channel) {
  Stripe& stripe = stripe_of(channel);
  const std::lock_guard lock(stripe.mutex);
  return counts_in(stripe, channel);
}

std::size_t MemoryPresence::membership_count() const {
  std::size_t count = 0;
  for (const auto& stripe : stripes_) {
    const std::lock_guard lock(stripe->mutex);
    count += stripe->runtime.membership_count();
  }
  return count;
}

// --- Leases

void MemoryPresence::renew(const std::string& node, std::int64_t lease_ms) {
  {
    const std::lock_guard lock(nodes_mutex_);
    for (Lease& lease : nodes_) {
      if (lease.node == node) lease.ends_ms = clock_.unix_ms() + lease_ms;
    }
  }
  expire();
}

void MemoryPresence::expire() {
  std::vector<std::string> gone;
  {
    const std::lock_guard lock(nodes_mutex_);
    const std::int64_t now_ms = clock_.unix_ms();
    for (Lease& lease : nodes_) {
      if (lease.ends_ms <= now_ms) gone.push_back(lease.node);
    }
    std::erase_if(nodes_, [&](const Lease& lease) { return lease.events == nullptr && lease.ends_ms <= now_ms; });
    // A node that is only late comes back with members of its own making.
    for (Lease& lease : nodes_) {
      if (lease.ends_ms <= now_ms) lease.ends_ms = INT64_MAX;
    }
  }
  for (const std::string& node : gone) {
    for (const auto& stripe : stripes_) {
      const std::lock_guard lock(stripe->mutex);
      for (const std::string& channel : stripe->runtime.topics()) drop_members(*stripe, node, channel);
    }
  }
}

// With the stripe's lock held.
void MemoryPresence::drop_members(Stripe& stripe, const std::string& node, const std::string& channel) {
  for (std::string& member : stripe.runtime.subscribers(channel)) {
    if (!is_of_node(member, node)) continue;
    stripe.runtime.handle(channel_event::Leave{.client_id = std::move(member), .topic = channel});
  }
  tell(stripe, channel);
}

}  // namespace carillon
