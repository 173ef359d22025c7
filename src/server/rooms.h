// Rooms: every protocol and feature of one loop, as the options want them, with their routes claimed.
#pragma once

#include <memory>

#include "base/loop.h"
#include "hub/shard.h"
#include "protocol/api_access.h"
#include "protocol/exchange.h"
#include "protocol/identify.h"
#include "protocol/node_forward.h"
#include "server/identifier.h"
#include "wire/guts/canonical_channel.h"

namespace carillon {

class ApiRoom;
class BayeuxRoom;
class EchoRoom;
class HealthRoom;
class InfotainerRoom;
class NativeRoom;
class PhoenixRoom;
class RoutesRoom;
class Runtime;
class SseRoom;
class StartPage;
class WebhookReceiver;

class Rooms {
 public:
  // `nodes`: null where there is one.
  Rooms(Runtime& runtime, Loop& loop, Shard& shard, Routes& routes, NodeForward* nodes);
  ~Rooms();

 private:
  Identify identify();
  void open_protocols(Routes& routes, const ChannelTextOptions& text_options);
  void open_phoenix(Routes& routes, const ChannelTextOptions& text_options);
  void open_bayeux(Routes& routes, const ChannelTextOptions& text_options);
  void open_infotainer(Routes& routes);
  void open_routes(Routes& routes);
  void open_api(Routes& routes, const ChannelTextOptions& text_options);
  void open_health(Routes& routes);
  void open_webhooks(Routes& routes);

  Runtime& runtime_;
  Loop& loop_;
  Shard& shard_;
  NodeForward* const nodes_;
  const ApiAccess access_;
  const Identifier identifier_;
  std::unique_ptr<NativeRoom> native_;
  std::unique_ptr<SseRoom> sse_;
  std::unique_ptr<PhoenixRoom> phoenix_;
  std::unique_ptr<BayeuxRoom> bayeux_;
  std::unique_ptr<InfotainerRoom> infotainer_;
  std::unique_ptr<RoutesRoom> routes_;
  std::unique_ptr<ApiRoom> api_;
  std::unique_ptr<HealthRoom> health_;
  std::unique_ptr<WebhookReceiver> webhooks_;
  std::unique_ptr<StartPage> page_;
  std::unique_ptr<EchoRoom> echo_;
};

}  // namespace carillon
