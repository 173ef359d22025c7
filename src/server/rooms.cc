#include "server/rooms.h"

#include "feature/api/api_room.h"
#include "feature/echo/echo_room.h"
#include "feature/health/health_room.h"
#include "feature/ingest/webhook_receiver.h"
#include "feature/page/start_page.h"
#include "os/process_usage_reader.h"
#include "protocol/bayeux/bayeux.h"
#include "protocol/infotainer/infotainer.h"
#include "protocol/native/native.h"
#include "protocol/phoenix/phoenix.h"
#include "protocol/routes/routes.h"
#include "protocol/sse/sse.h"
#include "server/loop_metrics.h"
#include "server/part_options.h"
#include "server/runtime.h"

namespace carillon {

Rooms::Rooms(Runtime& runtime, Loop& loop, Shard& shard, Routes& routes, NodeForward* nodes)
    : runtime_(runtime),
      loop_(loop),
      shard_(shard),
      nodes_(nodes),
      access_(runtime.options().api_key, runtime.options().origins),
      identifier_(identifier_options(runtime.options(), runtime.on_loopback()), access_, runtime.clock()) {
  const ChannelTextOptions text_options{.refuse_unknown_types = runtime_.options().native.refuse_unknown_types};
  open_protocols(routes, text_options);
  open_phoenix(routes, text_options);
  open_bayeux(routes, text_options);
  if (runtime_.options().infotainer.enabled) open_infotainer(routes);
  open_routes(routes);
  open_api(routes, text_options);
  open_health(routes);
  open_webhooks(routes);
  const ServerOptions& options = runtime_.options();
  page_ = std::make_unique<StartPage>(StartPageOptions{.version = CARILLON_VERSION, .sse_path = options.sse.path});
  page_->add_routes(routes);
  if (!options.enable_echo) return;
  echo_ = std::make_unique<EchoRoom>(
      EchoOptions{.outbox_bytes_max = std::max(options.limits.outbox_bytes, 2 * options.limits.message_bytes)});
  echo_->add_routes(routes);
}

void Rooms::open_protocols(Routes& routes, const ChannelTextOptions& text_options) {
  const ServerOptions& options = runtime_.options();
  native_ = std::make_unique<NativeRoom>(shard_, runtime_.durable_subscriptions(), identify(), options.native, options.limits,
                                         "carillon/" CARILLON_VERSION);
  native_->add_routes(routes);
  sse_ =
      std::make_unique<SseRoom>(shard_, runtime_.random(), identify(), options.sse, options.native.event_names, text_options);
  sse_->add_routes(routes);
}

void Rooms::open_phoenix(Routes& routes, const ChannelTextOptions& text_options) {
  PhoenixParts parts{.shard = shard_,
                     .random = runtime_.random(),
                     .identify = identify(),
                     .rule_for = phoenix_topic_rules(runtime_.rules()),
                     .may_use_origin =
                         [&origins = runtime_.origins()](const HttpRequest& request) {
                           return origins.may_use(request.headers.get("Origin"), request.headers.get("Host"));
                         },
                     .text_options = text_options,
                     .message_bytes_max = runtime_.options().limits.message_bytes,
                     .siblings = runtime_.phoenix_siblings(),
                     .nodes = nodes_};
  phoenix_ = std::make_unique<PhoenixRoom>(std::move(parts), runtime_.options().phoenix);
  phoenix_->add_routes(routes);
}

void Rooms::open_bayeux(Routes& routes, const ChannelTextOptions& text_options) {
  bayeux_ = std::make_unique<BayeuxRoom>(BayeuxParts{
      .shard = shard_,
      .random = runtime_.random(),
      .identify = identify(),
      .may_use_origin = [&origins = runtime_.origins()](std::string_view origin,
                                                        std::string_view host) { return origins.may_use(origin, host); },
      .text_options = text_options,
      .message_bytes_max = runtime_.options().limits.message_bytes,
      .common = runtime_.bayeux(),
      .nodes = nodes_});
  bayeux_->add_routes(routes);
}

void Rooms::open_infotainer(Routes& routes) {
  infotainer_ =
      std::make_unique<InfotainerRoom>(shard_, identify(), runtime_.infotainer(),
                                       InfotainerDesk::About{.server = "carillon/" CARILLON_VERSION,
                                                             .message_bytes_max = runtime_.options().limits.message_bytes,
                                                             .history_page_max = runtime_.options().limits.history_page_max});
  infotainer_->add_routes(routes);
}

void Rooms::open_routes(Routes& routes) {
  routes_ = std::make_unique<RoutesRoom>(shard_, identify(), runtime_.routes());
  routes_->add_routes(routes);
}

void Rooms::open_api(Routes& routes, const ChannelTextOptions& text_options) {
  const ServerOptions& options = runtime_.options();
  ApiOptions api{.path = options.http.api_path,
                 .publish = {.payload_bytes_max = options.limits.message_bytes,
                             .batch_max = options.limits.batch_max,
                             .channels = text_options},
                 .event_names = options.native.event_names,
                 .history_page_max = options.limits.history_page_max};
  ApiFacts facts{.version = CARILLON_VERSION,
                 .started_unix_ms = runtime_.started_ms(),
                 .loops = runtime_.loop_count(),
                 .engine = options.engine.kind,
                 .protocols = {{"native", options.native.path},
                               {"sse", options.sse.path},
                               {"phoenix", options.phoenix.path},
                               {"bayeux", options.bayeux.path},
                               {"routes", options.routes.path}},
                 .limits = options.limits};
  if (options.infotainer.enabled) facts.protocols.emplace_back("infotainer", options.infotainer.path);
  const ApiTopics topics{
      .directory = runtime_.topics(), .subscriptions = runtime_.durable_subscriptions(), .random = runtime_.random()};
  api_ = std::make_unique<ApiRoom>(shard_.hub(), loop_, access_, identify(), topics, std::move(api), std::move(facts));
  api_->add_routes(routes);
}

void Rooms::open_health(Routes& routes) {
  const ServerOptions& options = runtime_.options();
  HealthOptions health{.health_path = options.http.health_path,
                       .metrics_path = options.http.metrics_path,
                       .version = CARILLON_VERSION,
                       .started_unix_ms = runtime_.started_ms()};
  MetricsSources sources{.process = read_process_usage,
                         .websocket_connections = [this] { return runtime_.websocket_connections(); },
                         .history_bytes = [this] { return runtime_.engines().memory().history_bytes(); },
                         .presence_members = [this] { return runtime_.engines().memory().presence_count(); },
                         .more = [this](MetricsWriter& writer) { write_loop_metrics(runtime_, writer); }};
  health_ = std::make_unique<HealthRoom>(shard_.hub(), loop_, runtime_.phase(), std::move(health), std::move(sources));
  health_->add_routes(routes);
}

void Rooms::open_webhooks(Routes& routes) {
  const WebhookOptions& options = runtime_.options().webhooks;
  webhooks_ = std::make_unique<WebhookReceiver>(
      WebhookReceiver::Options{.github_secrets = options.github_secrets,
                               .gitea_secrets = options.gitea_secrets,
                               .mapping = {.keep_raw = options.keep_raw},
                               .github_path = options.github_path,
                               .gitea_path = options.gitea_path},
      [this](Draft draft, UniqueFunction<void(Result<Receipt>)> done) {
        shard_.hub().publish(std::move(draft), [this, done = std::move(done)](Result<Receipt> outcome) mutable {
          if (loop_.in_loop_thread()) return done(std::move(outcome));
          loop_.post([done = std::move(done), outcome = std::move(outcome)]() mutable { done(std::move(outcome)); });
        });
      },
      [this](const Exchange& exchange) { return access_.check(exchange); });
  webhooks_->add_routes(routes);
}

Rooms::~Rooms() = default;

Identify Rooms::identify() {
  return [this](const Exchange& exchange, std::string_view token) { return identifier_.identify(exchange, token); };
}

}  // namespace carillon
