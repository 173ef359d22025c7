#include "engine/log/log_channels.h"

namespace carillon {

LogChannelPtr LogChannels::find(std::string_view name) {
  Stripe& stripe = stripe_of(name);
  const std::lock_guard lock(stripe.mutex);
  const auto found = stripe.channels.find(name);
  if (found == stripe.channels.end()) return nullptr;
  found->second->used = true;
  return found->second;
}

LogChannelPtr LogChannels::add(const LogChannelPtr& channel, std::optional<std::uint64_t> dropped) {
  Stripe& stripe = stripe_of(channel->name);
  const std::lock_guard lock(stripe.mutex);
  if (dropped && stripe.dropped != *dropped) return nullptr;
  const auto [place, is_new] = stripe.channels.emplace(channel->name, channel);
  if (is_new) count_.fetch_add(1, std::memory_order_relaxed);
  return place->second;
}

void LogChannels::drop(const LogChannel& channel) {
  Stripe& stripe = stripe_of(channel.name);
  const std::lock_guard lock(stripe.mutex);
  const auto found = stripe.channels.find(channel.name);
  if (found == stripe.channels.end() || found->second.get() != &channel) return;
  stripe.channels.erase(found);
  ++stripe.dropped;
  count_.fetch_sub(1, std::memory_order_relaxed);
}

void LogChannels::drop_unused(std::size_t index) {
  Stripe& stripe = stripes_[index];
  const std::lock_guard lock(stripe.mutex);
  for (auto entry = stripe.channels.begin(); entry != stripe.channels.end();) {
    if (entry->second->used) {
      entry->second->used = false;
      ++entry;
      continue;
    }
    stripe.channels.erase(entry++);
    ++stripe.dropped;
    count_.fetch_sub(1, std::memory_order_relaxed);
  }
}

}  // namespace carillon
