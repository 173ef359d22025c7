#include "protocol/infotainer/infotainer_common.h"

#include <utility>

#include "base/log.h"
#include "protocol/infotainer/infotainer_desk.h"

namespace carillon {
namespace {

std::string owner_key(const Uuid& session) {
  return "infotainer/" + session.text();
}

}  // namespace

InfotainerCommon::InfotainerCommon(const InfotainerOptions& of, const Parts& parts)
    : options(of),
      durable(parts.durable),
      topics(parts.topics),
      random(parts.random),
      state_(parts.state),
      clock_(parts.clock) {
  topics.on_removed([this](const Uuid& topic) {
    for (std::size_t place = 0; place < siblings.count(); ++place) {
      siblings.post(place, [topic](InfotainerDesk& desk) { desk.forget_known(topic); });
    }
  });
}

InfotainerCommon::~InfotainerCommon() {
  topics.on_removed({});
}

Result<std::optional<InfotainerHolder>> InfotainerCommon::claim(const Uuid& session, InfotainerHolder holder, bool trusted) {
  const std::lock_guard lock(mutex_);
  const auto [found, first] = holders_.try_emplace(session, holder);
  if (first) {
    sessions_.store(holders_.size(), std::memory_order_relaxed);
    return std::optional<InfotainerHolder>();
  }
  if (!trusted && !found->second.owner.empty() && found->second.owner != holder.owner) {
    return Error{ErrorKind::kForbidden, "this session belongs to another user"};
  }
  takeovers.fetch_add(1, std::memory_order_relaxed);
  return std::optional<InfotainerHolder>(std::exchange(found->second, std::move(holder)));
}

void InfotainerCommon::release(const Uuid& session, const InfotainerHolder& holder) {
  const std::lock_guard lock(mutex_);
  const auto found = holders_.find(session);
  if (found == holders_.end() || found->second.place != holder.place || found->second.serial != holder.serial) return;
  holders_.erase(found);
  sessions_.store(holders_.size(), std::memory_order_relaxed);
}

void InfotainerCommon::read_owner(const Uuid& session, UniqueFunction<void(Result<std::string>)> done) {
  state_.read(owner_key(session), [done = std::move(done)](Result<std::optional<std::string>> owner) mutable {
    if (!owner) return done(owner.error());
    done(std::move(*owner).value_or(std::string()));
  });
}

void InfotainerCommon::keep_owner(const Uuid& session, const std::string& owner) {
  if (owner.empty()) return;
  std::vector<StateChange> changes;
  changes.push_back({owner_key(session), owner, clock_.unix_ms() + options.expiry.count()});
  state_.change(std::move(changes), true, [](const Result<void>& kept) {
    if (!kept) log_warning("whose an infotainer session is could not be kept: {}", kept.error().text);
  });
}

}  // namespace carillon
