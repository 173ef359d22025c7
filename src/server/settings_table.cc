// The tables of settings.h: what can be set, what it means, and its range.
#include "server/setting_kinds.h"

namespace carillon {
namespace {

using namespace setting_kinds;

// FIELD(x) is a function from options, const or not, to their field x.
#define FIELD(path)            \
  [](auto& options) -> auto& { \
    return options.path;       \
  }

std::vector<Setting<ServerOptions>> make_server_settings() {
  using S = ServerOptions;
  const Choices<LogLevel> log_levels{{"debug", LogLevel::kDebug},
                                     {"info", LogLevel::kInfo},
                                     {"warning", LogLevel::kWarning},
                                     {"error", LogLevel::kError},
                                     {"off", LogLevel::kOff}};
  const Choices<SlowConsumer> slow_consumers{{"drop_oldest", SlowConsumer::kDropOldest}, {"close", SlowConsumer::kClose}};
  const Choices<EventNames> event_names{{"underscore", EventNames::kUnderscore}, {"dotted", EventNames::kDotted}};
  const Choices<std::string> engines{{"log", "log"}, {"memory", "memory"}, {"redis", "redis"}};
  const Choices<ClaimedUsers> claimed_users{
      {"loopback", ClaimedUsers::kLoopback}, {"never", ClaimedUsers::kNever}, {"always", ClaimedUsers::kAlways}};
  const Choices<BayeuxCookies> bayeux_cookies{
      {"if_sent", BayeuxCookies::kIfSent}, {"required", BayeuxCookies::kRequired}, {"off", BayeuxCookies::kOff}};
  const Choices<SameSite> same_sites{{"lax", SameSite::kLax}, {"strict", SameSite::kStrict}, {"none", SameSite::kNone}};
  const Choices<CookieSecure> cookie_secures{
      {"auto", CookieSecure::kAuto}, {"always", CookieSecure::kAlways}, {"never", CookieSecure::kNever}};
  const Choices<BayeuxActivity> bayeux_activities{
      {"off", BayeuxActivity::kOff}, {"client", BayeuxActivity::kClient}, {"client_server", BayeuxActivity::kClientServer}};
  const std::string_view path = "a path that begins with `/`";
  const std::string_view path_or_none = "a path that begins with `/`, or nothing";
  const std::string_view bayeux_patterns = "a list of channels, such as [\"/a/b\", \"/a/*\", \"/a/**\"]";
  return {
      text<S>(FIELD(listen), "an address and a port, such as \"127.0.0.1:8080\" or \"[::]:8080\"",
              {"server", "listen",
               "Where to listen: an IPv4 address, an IPv6 address in brackets or a host name, then a port. Port 0 picks a free "
               "one. An address that others can reach needs `auth.api_key`, or `insecure`."}),
      count<S>(FIELD(loops), {0, 255},
               {"server", "loops", "Event loops, each a thread. 0: one for each core the process may use."}),
      duration<S>(FIELD(drain_time), {Milliseconds(0), minutes(10)},
                  {"server", "drain_time",
                   "At a stop, WebSocket clients are closed spread over this time, so that they do not all reconnect elsewhere "
                   "at once; who has not answered `websocket.close_time` after that is dropped."}),
      choice<S>(FIELD(log_level), log_levels, {"server", "log_level", "How much is written to the log, on standard error."}),
      texts<S>(FIELD(origins), "a list of origins, such as [\"https://app.example.com\"]",
               {"server", "origins",
                "Origins whose pages may open WebSockets, read SSE and call the HTTP API; `*` is every origin. Empty: pages of "
                "the same host and port; when listening on a loopback address, any page served by this machine. Clients that "
                "send no Origin are no browsers, and are not held back by this."}),
      flag<S>(FIELD(enable_echo), {"server", "enable_echo",
                                   "Serve `/echo`, which sends back WebSocket messages and HTTP bodies as they came. For test "
                                   "suites from outside."}),
      flag<S>(FIELD(insecure), {"server", "insecure",
                                "Start without an API key on an address that others can reach; otherwise that is refused."}),

      secret(text<S>(FIELD(api_key), "a text of visible ASCII characters",
                     {"auth", "api_key",
                      "Who shows it (`Authorization: Bearer …`) may use the HTTP API and publish. Empty: none configured, and "
                      "those are for clients on this machine only. Behind a reverse proxy every client looks as if it were on "
                      "the proxy's machine: set a key."})),
      secret(texts<S>(FIELD(auth.jwt_secrets), "a list of secrets of 32 bytes at least",
                      {"auth", "jwt_secrets",
                       "A client's token (JWT, HS256) must be signed with one of these, else the client is answered 401; more "
                       "than one while a secret is being replaced. Empty: tokens are not looked at. Once set, being on this "
                       "machine makes nobody trusted but on the HTTP API."})),
      duration<S>(
          FIELD(auth.jwt_leeway), {Milliseconds(0), minutes(10)},
          {"auth", "jwt_leeway",
           "How far the clocks of those who make tokens may be off: a token is taken so long after its `exp` and before "
           "its `nbf`."}),
      text<S>(FIELD(auth.jwt_issuer), "a text", {"auth", "jwt_issuer", "What a token's `iss` must be. Empty: not looked at."}),
      text<S>(FIELD(auth.jwt_audience), "a text",
              {"auth", "jwt_audience", "What a token's `aud` must be or hold. Empty: not looked at."}),
      flag<S>(FIELD(auth.require_token),
              {"auth", "require_token", "Refuse (401) clients that show neither a valid token nor the API key."}),
      choice<S>(FIELD(auth.claimed_users), claimed_users,
                {"auth", "claimed_users",
                 "Whether a client that shows no token may name itself by the parameter `user`. `loopback`: where no "
                 "`jwt_secrets` are configured and the server listens on a loopback address. The name is shown to others and "
                 "allows nothing."}),

      count<S>(FIELD(limits.connections_max), {0, 10'000'000},
               {"limits", "connections_max",
                "Connections at a time. Beyond it a request is answered 503 with Retry-After and the connection closed. 0: as "
                "many as the limit on file descriptors allows, which is raised at start as far as the system permits."}),
      count<S>(FIELD(limits.subscriptions_per_client), {1, 1'000'000},
               {"limits", "subscriptions_per_client",
                "Subscriptions of one client; one more is refused, a repeated one is not counted."}),
      size<S>(
          FIELD(limits.message_bytes), {kKiB, kGiB},
          {"limits", "message_bytes",
           "One message from a client. A WebSocket message beyond it closes the connection with 1009; a publish over HTTP is "
           "answered 413."}),
      size<S>(FIELD(limits.outbox_bytes), {2 * kKiB, 4 * kGiB},
              {"limits", "outbox_bytes",
               "Bytes that may wait for one client; beyond it `slow_consumer` decides. At least 1KiB more than "
               "`message_bytes`."}),
      choice<S>(
          FIELD(limits.slow_consumer), slow_consumers,
          {"limits", "slow_consumer",
           "What happens to a client that reads too slowly. `drop_oldest`: its oldest waiting publications are dropped and "
           "it is told how many it missed. `close`: it is disconnected, and may come back and recover."}),
      size<S>(
          FIELD(limits.outbox_memory_bytes), {kMiB, 1024 * kGiB},
          {"limits", "outbox_memory_bytes",
           "Bytes that wait for all clients together; each loop has its equal part. Beyond it the clients with most waiting "
           "are treated as slow consumers, until there is room."}),
      size<S>(FIELD(limits.head_bytes), {kKiB, kMiB},
              {"limits", "head_bytes",
               "Request line and header lines of one HTTP request; beyond it 431, and the connection is closed."}),
      count<S>(FIELD(limits.header_count), {8, 10'000},
               {"limits", "header_count", "Header lines of one HTTP request; beyond it 431, and the connection is closed."}),
      size<S>(
          FIELD(limits.body_bytes), {kKiB, kGiB},
          {"limits", "body_bytes",
           "Body of one HTTP request; beyond it 413, and the connection is closed. Not less than `message_bytes`. The default "
           "takes the largest webhook that GitHub sends."}),
      duration<S>(FIELD(limits.request_time), {Milliseconds(100), hours(1)},
                  {"limits", "request_time",
                   "From the first byte of an HTTP request to its last; beyond it 408, and the connection is closed."}),
      duration<S>(FIELD(limits.keep_alive_time), {Milliseconds(100), hours(1)},
                  {"limits", "keep_alive_time", "How long a connection may stay open between requests; then it is closed."}),
      duration<S>(
          FIELD(limits.stall_time), {Milliseconds(100), hours(1)},
          {"limits", "stall_time", "How long a client may take none of the bytes that wait for it; then it is disconnected."}),
      count<S>(FIELD(limits.history_page_max), {1, 100'000},
               {"limits", "history_page_max",
                "Publications in one page of history; a query for more gets this many, and is told that there is more."}),
      count<S>(
          FIELD(limits.recover_publications_max), {0, 1'000'000'000'000},
          {"limits", "recover_publications_max",
           "Publications that one recovery may bring, as fast as the client takes them; when more were missed it brings so "
           "many and says that it has not recovered. Under a subscription that hears several channels at most 1 000 of "
           "each, and 10 000 of all."}),
      count<S>(
          FIELD(limits.batch_max), {1, 100'000},
          {"limits", "batch_max",
           "Publications in one batch, or channels in one broadcast, over HTTP; beyond it 413, and nothing is published."}),

      choice<S>(
          FIELD(engine.kind), engines,
          {"engine", "kind",
           "What orders and keeps publications. `log`: on a disk, and there again after a restart or a crash. `memory`: in "
           "this process, gone when it ends; the default of a server inside another program. `redis`: shared by several "
           "servers, by the settings of `[redis]`."}),
      text<S>(
          FIELD(engine.data_dir), "a directory",
          {"engine", "data_dir", "Where the log is; made if it is not there. One server at a time: a second one is refused."}),
      duration<S>(FIELD(engine.sync_interval), {Milliseconds(1), minutes(1)},
                  {"engine", "sync_interval",
                   "A loss of power undoes no more than the last so long of what was published with `durability = "
                   "\"interval\"`."}),
      size<S>(FIELD(engine.cache_bytes), {kMiB, 1024 * kGiB},
              {"engine", "cache_bytes", "Memory for what was read from the log; more makes reading the same again faster."}),
      size<S>(FIELD(engine.write_buffer_bytes), {kMiB, 4 * kGiB},
              {"engine", "write_buffer_bytes",
               "Memory for what was written to the log before it is sorted into a file; up to three times this is in use. "
               "About four times this is read again at the start after a crash."}),
      size<S>(FIELD(engine.history_bytes_max), {kMiB, 1024 * kGiB},
              {"engine", "history_bytes_max",
               "With `memory`, bytes of history in all channels together; beyond it the oldest of all are forgotten."}),
      count<S>(FIELD(engine.channels_max), {1, 100'000'000},
               {"engine", "channels_max",
                "Channels that may keep history at a time; beyond it a publish to one more such channel fails (429)."}),
      duration<S>(
          FIELD(engine.idempotency_time), {seconds(1), days(7)},
          {"engine", "idempotency_time",
           "How long an idempotency key is remembered: a publish or webhook delivery repeated within it is not published "
           "again."}),
      count<S>(FIELD(engine.idempotency_keys_max), {1, 100'000'000},
               {"engine", "idempotency_keys_max",
                "Idempotency keys remembered in memory at a time; beyond it the oldest is forgotten. With the log those of "
                "channels with history are on the disk, and have no such limit."}),

      secret(texts<S>(FIELD(redis.urls), "a list of addresses, such as [\"redis://127.0.0.1:6379\"]",
                      {"redis", "urls",
                       "With `engine.kind = \"redis\"`: redis://[user[:password]@]host[:port][/database], or rediss:// with "
                       "TLS. Several: a master and its replicas, of which the one that takes writes is used, also after a "
                       "failover; or some nodes of a cluster."})),
      flag<S>(FIELD(redis.cluster), {"redis", "cluster", "The addresses are nodes of a Redis Cluster."}),
      secret(text<S>(FIELD(redis.password), "a password",
                     {"redis", "password", "Instead of the one in `urls`, so that it can come from the environment."})),
      text<S>(
          FIELD(redis.prefix), "a text",
          {"redis", "prefix", "All keys and channels in Redis begin with it: servers of one prefix share one channel space."}),
      text<S>(FIELD(redis.tls_ca_file), "a file",
              {"redis", "tls_ca_file",
               "With rediss://: authorities (PEM) that the server's certificate is checked by. Empty: "
               "the system's."}),
      text<S>(FIELD(redis.tls_certificate_file), "a file",
              {"redis", "tls_certificate_file", "With rediss://: the certificate (PEM) to show; empty: none."}),
      text<S>(FIELD(redis.tls_key_file), "a file", {"redis", "tls_key_file", "The key (PEM) of that certificate."}),
      flag<S>(FIELD(redis.tls_verify), {"redis", "tls_verify", "Without it anybody is believed to be the Redis."}),
      duration<S>(FIELD(redis.connect_time), {Milliseconds(10), minutes(5)},
                  {"redis", "connect_time", "An attempt to connect that takes longer is given up, and tried again."}),
      duration<S>(FIELD(redis.command_time), {Milliseconds(10), minutes(5)},
                  {"redis", "command_time", "A command that is not answered within this gives the connection up."}),
      duration<S>(FIELD(redis.wait_time), {Milliseconds(0), minutes(5)},
                  {"redis", "wait_time", "How long a publish waits for a connection that is lost; then it fails (503)."}),
      size<S>(FIELD(redis.waiting_bytes), {kMiB, 64 * kGiB},
              {"redis", "waiting_bytes", "Bytes of commands that may wait; beyond it a publish fails (429)."}),
      size<S>(FIELD(redis.compress_bytes), {0, kGiB},
              {"redis", "compress_bytes",
               "Payloads of so many bytes or more are compressed (gzip) in Redis, where that makes them smaller. 0: never."}),
      duration<S>(
          FIELD(redis.idle_time), {Milliseconds(0), days(3650)},
          {"redis", "idle_time", "A channel that nobody published to for so long is forgotten, with its positions. 0: never."}),
      text<S>(FIELD(redis.advertise), "an address, such as http://10.0.0.5:8080",
              {"redis", "advertise",
               "Where the other servers reach this one's HTTP port: for polls that arrive at another server than their "
               "session's. Empty: the address it listens on, unless that is every address of the machine."}),

      text<S>(FIELD(http.api_path), path, {"http", "api_path", "Below which the HTTP API is served."}),
      text<S>(FIELD(http.health_path), path, {"http", "health_path", "At and below which health reports are served."}),
      text<S>(FIELD(http.metrics_path), path, {"http", "metrics_path", "Where Prometheus metrics are served."}),

      duration<S>(FIELD(websocket.ping_interval), {Milliseconds(100), hours(1)},
                  {"websocket", "ping_interval",
                   "How long a connection may be silent before the server pings it. Shorter than `idle_time`."}),
      duration<S>(
          FIELD(websocket.idle_time), {Milliseconds(200), hours(24)},
          {"websocket", "idle_time", "A connection from which nothing came for this long, not even a pong, is closed."}),
      duration<S>(FIELD(websocket.close_time), {Milliseconds(100), minutes(10)},
                  {"websocket", "close_time",
                   "How long to wait for the peer's close frame after sending ours; then the connection is dropped."}),
      flag<S>(FIELD(websocket.compression),
              {"websocket", "compression", "Offer permessage-deflate (RFC 7692) to clients that ask for it."}),
      size<S>(FIELD(websocket.compression_bytes_min), {0, kMiB},
              {"websocket", "compression_bytes_min",
               "Messages smaller than this leave uncompressed, because they would hardly shrink."}),

      text<S>(FIELD(native.path), path, {"native", "path", "Where the native WebSocket protocol is served."}),
      choice<S>(FIELD(native.event_names), event_names,
                {"native", "event_names",
                 "How event kinds are written where a client did not choose: `pr_opened` (`underscore`) or `pr.opened` "
                 "(`dotted`)."}),
      flag<S>(FIELD(native.refuse_unknown_types),
              {"native", "refuse_unknown_types", "Refuse channels that are not `repo:`, `user:` or `org:`, as guts does."}),

      text<S>(FIELD(sse.path), path, {"sse", "path", "Where server-sent events are served."}),
      duration<S>(FIELD(sse.heartbeat), {Milliseconds(100), hours(1)},
                  {"sse", "heartbeat",
                   "A comment line is sent when nothing else was for this long, so that proxies keep the connection open."}),
      duration<S>(FIELD(sse.retry_min), {Milliseconds(1), hours(1)},
                  {"sse", "retry_min",
                   "Each client is told to wait a random time between `retry_min` and `retry_max` before it reconnects."}),
      duration<S>(FIELD(sse.retry_max), {Milliseconds(1), hours(1)}, {"sse", "retry_max", "See `retry_min`."}),

      text<S>(FIELD(phoenix.path), path,
              {"phoenix", "path",
               "The socket that Phoenix Channels clients are given: `new Socket(\"/socket\")`. WebSockets are served at "
               "`/socket/websocket`, long-polls at `/socket/longpoll`."}),
      choice<S>(FIELD(phoenix.event_names), event_names,
                {"phoenix", "event_names", "How event kinds are written for Phoenix clients, as `native.event_names`."}),
      count<S>(FIELD(phoenix.topics_max), {1, 1'000'000},
               {"phoenix", "topics_max",
                "Topics that one connection may have joined; one more is refused. `limits.subscriptions_per_client` holds "
                "too."}),
      duration<S>(FIELD(phoenix.poll_window), {Milliseconds(100), seconds(19)},
                  {"phoenix", "poll_window",
                   "How long a long-poll is held while there is nothing to answer; a session without a poll for one and a half "
                   "times as long is over. phoenix.js gives a poll up after 20 s."}),
      count<S>(FIELD(phoenix.poll_sessions_max), {0, 10'000'000},
               {"phoenix", "poll_sessions_max",
                "Long-poll sessions at a time; each loop has its equal part. Beyond it a new one is refused, and its client "
                "tries again."}),

      text<S>(FIELD(bayeux.path), path,
              {"bayeux", "path",
               "Where Bayeux clients (CometD, faye) are pointed: `http://host/cometd`. All that lies below it is taken too, as "
               "`/cometd/handshake`."}),
      text<S>(FIELD(bayeux.subscribe_path), path_or_none,
              {"bayeux", "subscribe_path",
               "A further place, for clients that send each kind of message elsewhere: this path as it stands, `/` too."}),
      text<S>(FIELD(bayeux.handshake_path), path_or_none,
              {"bayeux", "handshake_path", "The same, with `/handshake` behind it; of `/` that is `/handshake`."}),
      text<S>(FIELD(bayeux.connect_path), path_or_none, {"bayeux", "connect_path", "The same, with `/connect` behind it."}),
      text<S>(FIELD(bayeux.disconnect_path), path_or_none,
              {"bayeux", "disconnect_path", "The same, with `/disconnect` behind it."}),
      words<S>(FIELD(bayeux.transports), {"websocket", "long-polling", "callback-polling", "eventsource"},
               {"bayeux", "transports", "How clients may speak; they are offered these in this order."}),
      duration<S>(
          FIELD(bayeux.timeout), {Milliseconds(100), hours(1)},
          {"bayeux", "timeout",
           "How long a connect is held while nothing waits for its client. A client may ask for another time, as far as "
           "`timeout_max`."}),
      duration<S>(FIELD(bayeux.timeout_max), {Milliseconds(100), hours(1)},
                  {"bayeux", "timeout_max", "See `timeout`. Not less than it."}),
      duration<S>(FIELD(bayeux.interval), {Milliseconds(0), hours(1)},
                  {"bayeux", "interval", "How long clients are told to wait between two connects."}),
      duration<S>(FIELD(bayeux.max_interval), {Milliseconds(100), hours(24)},
                  {"bayeux", "max_interval", "A session without a connect for `interval` and so long is over."}),
      duration<S>(
          FIELD(bayeux.max_processing), {Milliseconds(0), hours(24)},
          {"bayeux", "max_processing",
           "A session whose connect is held, and whose client has said nothing for so long, is over, and the connect is "
           "answered `402::session_unknown`. Longer than `timeout`; so it bounds what clients ask for. `0s`: a connect may "
           "be held for its whole time."}),
      count<S>(FIELD(bayeux.sessions_max), {1, 10'000'000},
               {"bayeux", "sessions_max",
                "Sessions at a time; each loop has its equal part. Beyond it the oldest that has never connected ends; when "
                "there is none, a handshake is refused."}),
      count<S>(FIELD(bayeux.batch_max), {1, 100'000},
               {"bayeux", "batch_max", "Messages in one request; beyond it the whole request is refused (413)."}),
      count<S>(
          FIELD(bayeux.polls_per_browser), {0, 1000},
          {"bayeux", "polls_per_browser",
           "Polls that clients of one browser, by its cookie, may have waiting at a time; one more is answered at once and "
           "told to come back after `multi_session_interval`. Browsers open six connections to a server. 0: any number."}),
      duration<S>(FIELD(bayeux.multi_session_interval), {Milliseconds(0), hours(1)},
                  {"bayeux", "multi_session_interval", "See `polls_per_browser`. `0s`: told not to come back."}),
      choice<S>(
          FIELD(bayeux.cookies), bayeux_cookies,
          {"bayeux", "cookies",
           "When a request of a session must show the cookie BAYEUX_BROWSER. `if_sent`: from its first request that shows "
           "one, so that clients which hold no cookies are served too. `required`: always. `off`: none is set."}),
      choice<S>(FIELD(bayeux.cookie_same_site), same_sites,
                {"bayeux", "cookie_same_site",
                 "The cookie's SameSite. `none`, for pages of other sites, needs a cookie that is Secure."}),
      choice<S>(
          FIELD(bayeux.cookie_secure), cookie_secures,
          {"bayeux", "cookie_secure",
           "Whether the cookie is for TLS only. `auto`: when the request came by TLS, as `X-Forwarded-Proto: https` says."}),
      flag<S>(FIELD(bayeux.deliver_by_connect),
              {"bayeux", "deliver_by_connect",
               "Deliver in answers to connects only, never beside other replies (CometD's metaConnectDeliverOnly)."}),
      flag<S>(FIELD(bayeux.own_messages),
              {"bayeux", "own_messages", "A client hears what it publishes itself, where it is subscribed."}),
      flag<S>(FIELD(bayeux.check_ids),
              {"bayeux", "check_ids", "Refuse messages whose ids are not texts of letters and digits."}),
      flag<S>(
          FIELD(bayeux.strict_channels),
          {"bayeux", "strict_channels",
           "Channel names may hold the specification's characters only; without it, those that CometD lets through too. faye "
           "needs it where names hold a dot."}),
      texts<S>(FIELD(bayeux.lazy_channels), bayeux_patterns,
               {"bayeux", "lazy_channels",
                "Channels whose messages wait until something else is sent to the client, `lazy_time` at most."}),
      duration<S>(FIELD(bayeux.lazy_time), {Milliseconds(1), hours(1)}, {"bayeux", "lazy_time", "See `lazy_channels`."}),
      flag<S>(FIELD(bayeux.handshake_reconnect),
              {"bayeux", "handshake_reconnect",
               "Tell clients `maxInterval`, so that they shake hands again by themselves when it is over."}),
      flag<S>(FIELD(bayeux.deliver_in_handshake),
              {"bayeux", "deliver_in_handshake", "What waits for a client when it shakes hands rides on that answer."}),
      flag<S>(FIELD(bayeux.handshake_per_websocket),
              {"bayeux", "handshake_per_websocket", "A session takes no other WebSocket than the one it shook hands on."}),
      flag<S>(FIELD(bayeux.timestamps), {"bayeux", "timestamps", "Write a `timestamp` into every message."}),
      choice<S>(
          FIELD(bayeux.activity), bayeux_activities,
          {"bayeux", "activity",
           "What keeps a session from ending as idle. `off`: sessions do not end as idle. `client`: what its client sends, "
           "but for connects. `client_server`: and what it is sent."}),
      duration<S>(FIELD(bayeux.activity_time), {Milliseconds(100), days(365)},
                  {"bayeux", "activity_time", "With `activity`: how long a session may be idle."}),

      flag<S>(FIELD(infotainer.enabled),
              {"infotainer", "enabled", "Serve infotainer's protocol: CBOR over WebSocket, with subscriptions that last."}),
      text<S>(FIELD(infotainer.path), path,
              {"infotainer", "path",
               "Below which infotainer's clients find their sessions, each at the UUID of its own: `/ws/<uuid>`."}),
      duration<S>(FIELD(infotainer.expiry), {seconds(1), days(3650)},
                  {"infotainer", "expiry",
                   "How long the subscriptions of a client that is away are remembered; beyond it they are gone."}),
      duration<S>(
          FIELD(infotainer.ping_interval), {Milliseconds(100), minutes(10)},
          {"infotainer", "ping_interval", "As `websocket.ping_interval`, for these clients. Shorter than `idle_time`."}),
      duration<S>(FIELD(infotainer.idle_time), {Milliseconds(200), hours(1)},
                  {"infotainer", "idle_time",
                   "One of these clients that is silent for this long is told so (close code 1001) and dropped."}),

      text<S>(FIELD(routes.path), path,
              {"routes", "path", "Where clients of routes and events connect, with or without a slash behind it."}),
      flag<S>(FIELD(routes.require_token),
              {"routes", "require_token",
               "Refuse (401) clients that show neither a token nor the API key, also where `auth.require_token` lets them in "
               "elsewhere."}),
      duration<S>(FIELD(routes.ping_interval), {Milliseconds(100), minutes(10)},
                  {"routes", "ping_interval",
                   "How often a client is pinged, whatever it sends; the first time when it has connected."}),
      duration<S>(FIELD(routes.pong_time), {Milliseconds(100), minutes(10)},
                  {"routes", "pong_time",
                   "A client that has not answered a ping for so long is told goodbye (close code 1001) and dropped."}),
      duration<S>(
          FIELD(routes.idle_time), {Milliseconds(0), days(1)},
          {"routes", "idle_time",
           "A client that has sent no request for so long is told goodbye (1001); pongs do not count. `0s`: it may look "
           "on in silence for as long as it answers pings."}),
      size<S>(FIELD(routes.message_bytes), {0, kGiB},
              {"routes", "message_bytes",
               "One message from a client; a larger one closes the connection with 1009. 0: `limits.message_bytes`."}),
      count<S>(FIELD(routes.requests_per_second), {0, 1'000'000},
               {"routes", "requests_per_second",
                "Requests of one connection; beyond it they are answered with an error. What one second allows may come at "
                "once. 0: any number."}),
      count<S>(
          FIELD(routes.calls_per_connection), {1, 100'000},
          {"routes", "calls_per_connection",
           "Requests of one connection that the program's handlers have not finished; one more is answered with an error."}),
      count<S>(FIELD(routes.workers), {1, 1024},
               {"routes", "workers", "Threads on which the program's handlers are called; without handlers there are none."}),
      count<S>(
          FIELD(routes.calls_waiting), {1, 1'000'000},
          {"routes", "calls_waiting", "Requests that may wait for one of these threads; one more is answered with an error."}),

      duration<S>(FIELD(presence.period), {Milliseconds(0), minutes(1)},
                  {"presence", "period",
                   "Who came and went in a channel is gathered for so long and then told at once. `0s`: within the turn of the "
                   "event loop."}),
      count<S>(FIELD(presence.list_max), {0, 1'000'000},
               {"presence", "list_max",
                "Members of one channel that are told of by name. With more, clients hear only how many there are, until there "
                "are less than nine tenths of it again; the HTTP API lists them all at any time."}),
      size<S>(FIELD(presence.meta_bytes), {0, 64 * kKiB},
              {"presence", "meta_bytes", "Of what one client says of itself in one channel; beyond it, it is refused."}),
      duration<S>(FIELD(presence.lease), {seconds(1), hours(1)},
                  {"presence", "lease", "How long other nodes keep this node's members after they last heard of it."}),

      text<S>(FIELD(webhooks.github_path), path, {"webhooks", "github_path", "Where GitHub's webhooks are taken."}),
      text<S>(FIELD(webhooks.gitea_path), path, {"webhooks", "gitea_path", "Where Gitea's and Forgejo's webhooks are taken."}),
      secret(texts<S>(FIELD(webhooks.github_secrets), "a list of secrets",
                      {"webhooks", "github_secrets",
                       "A delivery must be signed with one of these, else it is answered 401; more than one while a secret is "
                       "being replaced. Empty: signatures are not checked, and only senders that show the API key are heard "
                       "(without a configured key: senders on this machine)."})),
      secret(texts<S>(FIELD(webhooks.gitea_secrets), "a list of secrets",
                      {"webhooks", "gitea_secrets", "The same for Gitea and Forgejo."})),
      flag<S>(FIELD(webhooks.keep_raw),
              {"webhooks", "keep_raw", "Keep the whole payload as it came under `raw` in the event's data."}),
  };
}

std::vector<Setting<ChannelRule>> make_channel_settings() {
  using C = ChannelRule;
  const Choices<ChannelAccess> accesses{{"open", ChannelAccess::kOpen},
                                        {"user", ChannelAccess::kUser},
                                        {"owner", ChannelAccess::kOwner},
                                        {"key", ChannelAccess::kKey},
                                        {"nobody", ChannelAccess::kNobody}};
  const Choices<PublishDurability> durabilities{
      {"sync", PublishDurability::kSync}, {"interval", PublishDurability::kInterval}, {"none", PublishDurability::kNone}};
  const Choices<PushTarget> push_targets{{"all", PushTarget::kAll}, {"others", PushTarget::kOthers}};
  return {
      text<C>(FIELD(match), "a channel pattern, such as \"repo:alice/*\" or \"room:**\"",
              {"channels", "match",
               "The channels the rule is for: a name in which `*` stands for one segment and a final `**` for any number of "
               "them. Segments end at the first `:` and at every `/` after it. `{user}` is a `*` that `owner` holds against "
               "the user's name."}),
      count<C>(
          FIELD(history_count), {0, 1'000'000'000'000},
          {"channels", "history_count",
           "Publications kept for history and recovery; beyond it the oldest is forgotten. 0: no history, and events carry "
           "no position."}),
      duration<C>(FIELD(history_age), {Milliseconds(1), days(3650)},
                  {"channels", "history_age", "How long a publication is kept."}),
      size<C>(FIELD(history_bytes), {0, 1024 * 1024 * kGiB},
              {"channels", "history_bytes",
               "Bytes of publications kept, about; beyond it the oldest are forgotten. 0: no limit by bytes."}),
      choice<C>(FIELD(durability), durabilities,
                {"channels", "durability",
                 "With the log, when a publish is answered and heard. `sync`: when it survives a loss of power; publishes that "
                 "come together share one sync. `interval`: when a crash of the server does not undo it; a loss of power may, "
                 "until `engine.sync_interval` later. `none`: likewise, and the system decides when."}),
      choice<C>(
          FIELD(publish), accesses,
          {"channels", "publish",
           "Who may publish. `open`: everyone who may connect. `user`: who shows a valid token, or by `key`. `owner`: who "
           "shows the token of the user that `{user}` stands for, or by `key`. `key`: who shows the API key (with neither "
           "a key nor `jwt_secrets` configured: clients on this machine). `nobody`: no client, only webhooks and the "
           "embedding program."}),
      choice<C>(FIELD(subscribe), accesses,
                {"channels", "subscribe", "Who may subscribe and read history, in the same words."}),
      flag<C>(FIELD(presence),
              {"channels", "presence", "Whether clients can be present here, and hear who is: those who may subscribe."}),
      choice<C>(FIELD(push), push_targets,
                {"channels", "push", "Who hears what a Phoenix client pushes: `all`, itself too, or all `others`."}),
  };
}

std::vector<Setting<BayeuxAuthorizerRule>> make_bayeux_authorizer_settings() {
  using R = BayeuxAuthorizerRule;
  const Choices<BayeuxDecision> decisions{
      {"grant", BayeuxDecision::kGrant}, {"deny", BayeuxDecision::kDeny}, {"ignore", BayeuxDecision::kIgnore}};
  const std::string_view section = "bayeux.authorizers";
  return {
      text<R>(FIELD(channel), "a channel as Bayeux clients write it, such as \"/a/b\", \"/a/*\" or \"/a/**\"",
              {section, "channel", "The channels the rule has a say on; `/**` is every channel, those below `/service` too."}),
      words<R>(FIELD(operations), {"create", "subscribe", "publish"},
               {section, "operations", "What it decides on; of the others it has no opinion, as with `ignore`."}),
      text<R>(FIELD(user), "a text",
              {section, "user",
               "Whom it is for: the user of a valid token; of all others it has no opinion. Empty: it is for everybody."}),
      choice<R>(FIELD(decision), decisions,
                {section, "decision", "What it says. `ignore`: no opinion, but now somebody must grant."}),
      text<R>(FIELD(reason), "a text without `:`",
              {section, "reason", "Of a `deny`, what the client is told: `403:<reason>:subscribe_denied`."}),
  };
}

#undef FIELD

}  // namespace

std::span<const Setting<ServerOptions>> server_settings() {
  static const std::vector<Setting<ServerOptions>> table = make_server_settings();
  return table;
}

std::span<const Setting<ChannelRule>> channel_settings() {
  static const std::vector<Setting<ChannelRule>> table = make_channel_settings();
  return table;
}

std::span<const Setting<BayeuxAuthorizerRule>> bayeux_authorizer_settings() {
  static const std::vector<Setting<BayeuxAuthorizerRule>> table = make_bayeux_authorizer_settings();
  return table;
}

std::span<const std::string_view> setting_sections() {
  static const std::vector<std::string_view> sections = [] {
    std::vector<std::string_view> names;
    for (const auto& setting : server_settings()) {
      if (names.empty() || names.back() != setting.section) names.push_back(setting.section);
    }
    return names;
  }();
  return sections;
}

}  // namespace carillon
