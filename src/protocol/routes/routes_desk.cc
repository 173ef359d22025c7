#include "protocol/routes/routes_desk.h"

#include <algorithm>
#include <vector>

#include "protocol/routes/routes_dialog.h"

namespace carillon {
bool others_of_key(const PresenceState& state, std::string_view key, std::string_view member) {
  return std::ranges::any_of(state.entries, [&](const PresenceEntry& entry) {
    return entry.key == key &&
           std::ranges::any_of(entry.metas, [&](const PresenceMeta& meta) { return meta.client_id != member; });
  });
}

RoutesDesk::RoutesDesk(Shard& shard, RoutesCommon& common)
    : shard_(shard), common_(common), place_(common.siblings.add(shard.loop(), *this)) {}

std::uint64_t RoutesDesk::add(RoutesDialog& dialog) {
  dialogs_.emplace(++last_serial_, &dialog);
  common_.connections.fetch_add(1, std::memory_order_relaxed);
  return last_serial_;
}

void RoutesDesk::remove(std::uint64_t serial) {
  if (dialogs_.erase(serial) > 0) common_.connections.fetch_sub(1, std::memory_order_relaxed);
}

RoutesDialog* RoutesDesk::find(std::uint64_t serial) {
  const auto found = dialogs_.find(serial);
  return found == dialogs_.end() ? nullptr : found->second;
}

// --- From handlers

void RoutesDesk::send(const RoutesJobPtr& job, RoutesOutgoing outgoing) {
  if (RoutesDialog* const dialog = find(job->serial)) return dialog->send(*job, std::move(outgoing));
  const bool for_sender = outgoing.channel.empty() || (outgoing.method == SendMethod::kSenderOnly && !outgoing.system);
  if (for_sender) return;
  std::string channel = outgoing.channel;
  hub().publish(routes_draft(std::move(outgoing), std::move(channel), job->identity, job->session, {}), [](Result<Receipt>) {});
}

void RoutesDesk::follow(const RoutesJobPtr& job, RouteFollow follow, UniqueFunction<void(Result<bool>)> done) {
  RoutesDialog* const dialog = find(job->serial);
  if (dialog == nullptr) return done(Error{ErrorKind::kUnavailable, "the connection has ended"});
  dialog->follow(std::move(follow), job->entry->route, std::move(done));
}

bool RoutesDesk::unfollow(const RoutesJob& job, std::string_view channel) {
  RoutesDialog* const dialog = find(job.serial);
  return dialog != nullptr && dialog->unfollow(channel);
}

void RoutesDesk::finish(const RoutesJob& job) {
  common_.calls.fetch_sub(1, std::memory_order_relaxed);
  if (RoutesDialog* const dialog = find(job.serial)) dialog->finish(job.ticket);
}

std::size_t RoutesDesk::revoke(const std::string& channel, std::string_view user, std::string_view text) {
  std::vector<RoutesDialog*> theirs;
  for (const auto& [serial, dialog] : dialogs_) {
    if (dialog->user().id == user) theirs.push_back(dialog);
  }
  return static_cast<std::size_t>(
      std::ranges::count_if(theirs, [&](RoutesDialog* dialog) { return dialog->revoke(channel, text); }));
}

// --- Who has left

void RoutesDesk::on_departure(Departure departure) {
  common_.leaving.begin(departure.channel, departure.key);
  shard_.when_presence_is_told([this, departure = std::move(departure)]() mutable {
    // The last of those that leave at once looks, and by then finds none of them.
    if (common_.leaving.end(departure.channel, departure.key) == 0) settle(std::move(departure));
  });
}

void RoutesDesk::settle(Departure departure) {
  std::string channel = departure.channel;
  look_who_is_there(std::move(channel), [this, departure = std::move(departure)](const PresenceState& state) mutable {
    on_presence(std::move(departure), state);
  });
}

// Where there are many, naming them for each who comes or goes would cost too much.
void RoutesDesk::look_who_is_there(std::string channel, UniqueFunction<void(const PresenceState&)> done) {
  std::string asked = channel;
  hub().presence_counts(
      std::move(asked),
      here<PresenceCounts>([this, channel = std::move(channel), done = std::move(done)](Result<PresenceCounts> counts) mutable {
        if (!counts || counts->members > common_.parts.presence_list_max) return done(PresenceState{.named = false});
        hub().presence(std::move(channel),
                       here<PresenceStatePtr>([done = std::move(done)](Result<PresenceStatePtr> state) mutable {
                         done(state ? **state : PresenceState{.named = false});
                       }));
      }));
}

void RoutesDesk::on_presence(Departure departure, const PresenceState& there) {
  if (!there.named) return;
  if (departure.left && !others_of_key(there, departure.key, departure.member)) {
    hub().publish(*std::move(departure.left), [](Result<Receipt>) {});
  }
  const bool empty = std::ranges::all_of(there.entries, [&](const PresenceEntry& entry) {
    return std::ranges::all_of(entry.metas, [&](const PresenceMeta& meta) { return meta.client_id == departure.member; });
  });
  if (!empty) return;
  StateStore& store = common_.parts.state;
  std::string key = routes_draft_key(departure.channel);
  std::string asked = key;
  store.read(std::move(asked), [&store, key = std::move(key)](Result<std::optional<std::string>> draft) mutable {
    if (!draft || !*draft) return;
    std::vector<StateChange> changes;
    changes.push_back({.key = std::move(key), .value = std::nullopt, .expires_at_ms = 0});
    store.change(std::move(changes), false, [](Result<void>) {});
  });
}

}  // namespace carillon
