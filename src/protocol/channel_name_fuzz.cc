// Any text as a channel: the three kinds keep their identity through text and JSON, a canonical name is its own canonical name,
// and who subscribes to a text hears what is published to it.
#include "base/check.h"
#include "carillon/guts_channel.h"
#include "hub/channel_name.h"
#include "protocol/native_channels.h"

using namespace carillon;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const Result<GutsChannel> channel = parse_guts_channel(text)) {
    const Result<GutsChannel> again = parse_guts_channel(channel->text());
    CHECK(again && *again == *channel && channel->matches(channel->text()));
  }
  const Result<std::string> name = named_channel(text);
  if (!name) return 0;
  CHECK(check_channel_name(*name));
  CHECK(named_channel(*name) && *named_channel(*name) == *name);
  const Result<Selector> selector = subscription_selector(text);
  CHECK(selector && selector->matches(*name));
  for (std::string_view up = *name; !up.empty(); up = parent_channel(up)) {
    CHECK((Selector{.kind = Selector::Kind::kTree, .base = std::string(up)}.matches(*name)));
  }
  if (const Result<GutsChannel> channel = parse_guts_channel(text)) {
    const Result<GutsChannel> from_json = GutsChannel::from_json(channel->to_json());
    CHECK(from_json && *from_json == *channel);
  }
  return 0;
}
