#include "protocol/bayeux/bayeux_common.h"

#include <algorithm>

#include "base/check.h"
#include "protocol/bayeux/bayeux_channel.h"
#include "protocol/bayeux/bayeux_line.h"

namespace carillon {
namespace {

// faye's clients know a second name for long polls from pages of other origins.
std::vector<std::string> connection_types_of(const BayeuxOptions& options) {
  std::vector<std::string> types = options.transports;
  if (std::ranges::find(types, "long-polling") != types.end()) types.emplace_back("cross-origin-long-polling");
  return types;
}

std::vector<Selector> selectors_of(const std::vector<std::string>& channels, BayeuxAlphabet alphabet) {
  std::vector<Selector> selectors;
  for (const std::string& channel : channels) {
    Result<Selector> selector = bayeux_selector(channel, alphabet);
    CHECK(selector.has_value());  // check_options has looked.
    selectors.push_back(*std::move(selector));
  }
  return selectors;
}

}  // namespace

std::size_t BayeuxTally::add(std::string_view name) {
  const std::lock_guard lock(mutex_);
  const auto found = counts_.find(name);
  return found == counts_.end() ? counts_.emplace(std::string(name), 1).first->second : ++found->second;
}

void BayeuxTally::remove(std::string_view name) {
  const std::lock_guard lock(mutex_);
  const auto found = counts_.find(name);
  if (found != counts_.end() && --found->second == 0) counts_.erase(found);
}

bool BayeuxTally::has(std::string_view name) const {
  const std::lock_guard lock(mutex_);
  return counts_.contains(name);
}

BayeuxBrowser& BayeuxBrowsers::join(std::string_view id) {
  CHECK(id.size() == BayeuxBrowser::kIdBytes);
  const std::lock_guard lock(mutex_);
  auto found = browsers_.find(id);
  if (found == browsers_.end()) {
    auto browser = std::make_unique<BayeuxBrowser>();
    std::ranges::copy(id, browser->id_bytes.begin());
    found = browsers_.insert(std::move(browser)).first;
  }
  ++(*found)->sessions_;
  return **found;
}

void BayeuxBrowsers::leave(BayeuxBrowser& browser) {
  const std::lock_guard lock(mutex_);
  if (--browser.sessions_ == 0) browsers_.erase(browsers_.find(browser.id()));
}

std::size_t BayeuxBrowsers::size() const {
  const std::lock_guard lock(mutex_);
  return browsers_.size();
}

void BayeuxDoor::post(std::string_view client_id, UniqueFunction<void(BayeuxSessions&)> task) {
  const std::lock_guard lock(mutex_);
  const std::optional<std::size_t> place = bayeux_place(client_id);
  if (siblings_ == nullptr || !place || *place >= siblings_->count()) return;
  siblings_->post(*place, std::move(task));
}

void BayeuxDoor::close() {
  const std::lock_guard lock(mutex_);
  siblings_ = nullptr;
}

BayeuxCommon::BayeuxCommon(const BayeuxOptions& of, BayeuxHooks with, std::size_t loop_count)
    : options(of),
      hooks(std::move(with)),
      loops(loop_count),
      alphabet(of.strict_channels ? BayeuxAlphabet::kStrict : BayeuxAlphabet::kCometd),
      connection_types(connection_types_of(of)),
      relays(!of.handshake_per_websocket &&
             std::ranges::count(of.transports, bayeux_transport_name(BayeuxTransport::kLongPolling)) > 0),
      lazy_channels(selectors_of(of.lazy_channels, alphabet)),
      guard(of.authorizers, hooks),
      services(hooks.services),
      door(std::make_shared<BayeuxDoor>(siblings)) {}

BayeuxCommon::~BayeuxCommon() {
  door->close();
  events.close();
}

}  // namespace carillon
