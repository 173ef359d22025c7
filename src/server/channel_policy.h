// ChannelPolicy: what the channel rules of the configuration allow.
#pragma once

#include "hub/policy.h"
#include "server/channel_rules.h"

namespace carillon {

class ChannelPolicy final : public Policy {
 public:
  explicit ChannelPolicy(const ChannelRules& rules) : rules_(rules) {}

  Result<void> may_subscribe(const Identity& identity, const Selector& selector) const override;
  Result<void> may_publish(const Identity& identity, std::string_view channel) const override;
  Result<void> may_read_history(const Identity& identity, std::string_view channel) const override;
  Result<void> may_see_presence(const Identity& identity, std::string_view channel) const override;

 private:
  const ChannelRules& rules_;
};

}  // namespace carillon
