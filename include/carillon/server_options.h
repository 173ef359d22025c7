// Everything that can be set about a server: plain values with their defaults, each with its unit and what happens at the
// limit. `src/server/settings_table.cc` gives each its name in the configuration file and in the environment.
//
// Sizes are bytes. A default-made ServerOptions is valid: a development server on 127.0.0.1:8080.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

#include "carillon/log_level.h"

namespace carillon {

using Milliseconds = std::chrono::milliseconds;

// What happens to a client that reads more slowly than its channels speak.
enum class SlowConsumer {
  kDropOldest,  // Its oldest waiting publications are dropped, and it is told how many it missed.
  kClose,       // It is disconnected with a code that says so; it may come back and recover by position.
};

// Who may do something on a channel.
enum class ChannelAccess {
  kOpen,    // Everyone who may connect.
  kUser,    // Who shows a valid token, whoever that is; and who may by `kKey`.
  kOwner,   // Who shows a valid token of the user whose name stands where the rule's `match` has `{user}`; and by `kKey`.
  kKey,     // Who shows the API key. Where neither a key nor secrets for tokens are configured: clients on this machine.
  kNobody,  // No client on any protocol; only webhooks and the embedding program.
};

// Whether a client may say who it is without showing a token for it. Such a name is shown to others, and allows nothing.
enum class ClaimedUsers {
  kLoopback,  // Where no secrets for tokens are configured and the server listens on a loopback address.
  kNever,
  kAlways,
};

// How event kinds are written where the client did not choose: `pr_opened` or `pr.opened`.
enum class EventNames { kUnderscore, kDotted };

enum class PushTarget {
  kAll,     // Everybody on the channel, the client that pushed too.
  kOthers,  // Everybody else.
};

// When a publish is answered, and its event sent, on a channel that keeps history with the engine `log`.
enum class PublishDurability {
  kSync,      // When it survives a loss of power. Publishes that come together share one sync of the disk.
  kInterval,  // When a crash of the server does not undo it; a loss of power may, until `engine.sync_interval` later.
  kNone,      // Likewise, and the system alone decides when it survives a loss of power.
};

// What holds on the channels that `match` fits. The first rule of the list that fits decides; a channel that none fits
// has a rule made of these defaults.
struct ChannelRule {
  // A channel name in which `*` stands for one segment and a final `**` for any number of them, none included. Segments
  // end at the first `:` and at every `/` after it: `repo:alice/*`, `repo:**`, `room:*`, `**`. One segment may be `{user}`,
  // which fits what `*` fits: `user:{user}/**`.
  std::string match = "**";
  // Publications kept for history and recovery; beyond it the oldest is forgotten. 0: the channel keeps no history and
  // its events carry no position.
  std::size_t history_count = 100;
  // How long a publication is kept.
  Milliseconds history_age = std::chrono::hours(1);
  // Bytes of publications kept, about; beyond it the oldest is forgotten. 0: no limit.
  std::size_t history_bytes = 0;
  PublishDurability durability = PublishDurability::kInterval;
  ChannelAccess publish = ChannelAccess::kKey;
  // Subscribing, and reading history.
  ChannelAccess subscribe = ChannelAccess::kOpen;
  // Whether clients can be present here, and hear who is: those who may subscribe.
  bool presence = false;
  // Who hears what a client of a protocol with topics (Phoenix) pushes.
  PushTarget push = PushTarget::kAll;

  friend bool operator==(const ChannelRule&, const ChannelRule&) = default;
};

// Who clients are: tokens (JWT, signed with HMAC-SHA256) that name a user.
struct AuthOptions {
  // A token must be signed with one of these, each of 32 bytes at least; several only while one is being replaced. Empty: no
  // token can be checked, and those that are shown are not looked at.
  std::vector<std::string> jwt_secrets;
  // How far the clocks of those who make tokens may be off: so long a token is taken after its `exp` and before its `nbf`.
  Milliseconds jwt_leeway = std::chrono::seconds(5);
  // What `iss` must be, and what `aud` must be or hold. Empty: not looked at.
  std::string jwt_issuer;
  std::string jwt_audience;
  // Refuse (401) clients that show neither a valid token nor the API key.
  bool require_token = false;
  // Whether the parameter `user` of a request names the user where no token is shown.
  ClaimedUsers claimed_users = ClaimedUsers::kLoopback;

  friend bool operator==(const AuthOptions&, const AuthOptions&) = default;
};

struct LimitsOptions {
  // Connections at a time. Beyond it a request is answered 503 with Retry-After and the connection closed. 0: as many as
  // the limit on file descriptors allows, which is raised at start as far as the system permits.
  std::size_t connections_max = 0;
  // Subscriptions of one client; one more is refused, a repeated one is not counted.
  std::size_t subscriptions_per_client = 100;
  // One message from a client: a WebSocket message beyond it closes the connection with 1009, a publish over HTTP is
  // answered 413.
  std::size_t message_bytes = 1024 * 1024;
  // Bytes that may wait for one client; beyond it `slow_consumer` decides. Must have room for one whole message.
  std::size_t outbox_bytes = 2 * 1024 * 1024;
  SlowConsumer slow_consumer = SlowConsumer::kDropOldest;
  // Bytes that wait for all clients together, those shared by several counted once a loop; each loop has its equal part.
  // Beyond it the clients with most waiting are treated as slow consumers, until there is room.
  std::size_t outbox_memory_bytes = 256 * 1024 * 1024;

  // Request line and header lines of one HTTP request; beyond it 431, and the connection is closed.
  std::size_t head_bytes = 16 * 1024;
  // Header lines of one HTTP request; beyond it 431, and the connection is closed.
  std::size_t header_count = 100;
  // Body of one HTTP request; beyond it 413, and the connection is closed. The default takes the largest webhook that
  // GitHub sends (25 MB).
  std::size_t body_bytes = 25 * 1024 * 1024;
  // From the first byte of an HTTP request to its last; beyond it 408, and the connection is closed.
  Milliseconds request_time = std::chrono::seconds(30);
  // How long a connection may stay open between requests; then it is closed.
  Milliseconds keep_alive_time = std::chrono::seconds(75);
  // How long a client may take none of the bytes that wait for it, on any protocol; then it is disconnected.
  Milliseconds stall_time = std::chrono::seconds(60);

  // Publications in one page of history; a query for more gets this many and `more`.
  std::size_t history_page_max = 1000;
  // Publications that one recovery may bring; when more were missed it brings so many and says that it has not recovered.
  std::size_t recover_publications_max = 1'000'000;
  // Publications in one batch, or channels in one broadcast, over HTTP; beyond it 413, and nothing is published.
  std::size_t batch_max = 1000;

  friend bool operator==(const LimitsOptions&, const LimitsOptions&) = default;
};

struct WebSocketOptions {
  // How long a connection may be silent before the server pings it. Must be shorter than `idle_time`.
  Milliseconds ping_interval = std::chrono::seconds(25);
  // A connection from which nothing came for this long, not even a pong, is closed.
  Milliseconds idle_time = std::chrono::seconds(60);
  // How long to wait for the peer's close frame after sending ours; then the connection is dropped.
  Milliseconds close_time = std::chrono::seconds(5);
  // Offer permessage-deflate (RFC 7692) to clients that ask for it.
  bool compression = true;
  // Messages smaller than this leave uncompressed, because they would hardly shrink.
  std::size_t compression_bytes_min = 128;

  friend bool operator==(const WebSocketOptions&, const WebSocketOptions&) = default;
};

struct HttpOptions {
  // Where the HTTP API, the health reports and the metrics are served.
  std::string api_path = "/api";
  std::string health_path = "/health";
  std::string metrics_path = "/metrics";

  friend bool operator==(const HttpOptions&, const HttpOptions&) = default;
};

struct NativeOptions {
  std::string path = "/ws";
  EventNames event_names = EventNames::kUnderscore;
  // Refuse channels that are not `repo:`, `user:` or `org:`, as guts does.
  bool refuse_unknown_types = false;

  friend bool operator==(const NativeOptions&, const NativeOptions&) = default;
};

struct SseOptions {
  std::string path = "/api/events";
  // A comment line is sent when nothing else was for this long, so that proxies keep the connection open.
  Milliseconds heartbeat = std::chrono::seconds(15);
  // Each client is told to wait a random time between these two before it reconnects, so that they do not all come back at
  // once after a restart.
  Milliseconds retry_min = std::chrono::seconds(1);
  Milliseconds retry_max = std::chrono::seconds(5);

  friend bool operator==(const SseOptions&, const SseOptions&) = default;
};

// Phoenix Channels.
struct PhoenixOptions {
  // The socket's path, as its clients are given it: WebSockets are at `<path>/websocket`, long-polls at
  // `<path>/longpoll`.
  std::string path = "/socket";
  EventNames event_names = EventNames::kUnderscore;
  // Topics that one connection may have joined; one more is refused with "too many channels joined". So it is beyond
  // `subscriptions_per_client`.
  std::size_t topics_max = 100;
  // How long a poll is held while nothing waits for its client; a session without a poll for one and a half times as long is
  // over. phoenix.js gives a poll up after 20 s.
  Milliseconds poll_window = std::chrono::seconds(10);
  // Long-poll sessions at a time; each loop has its equal part. Beyond it a new one is refused, and its client tries again.
  std::size_t poll_sessions_max = 10'000;

  friend bool operator==(const PhoenixOptions&, const PhoenixOptions&) = default;
};

// When a request of a Bayeux session must show the cookie BAYEUX_BROWSER.
enum class BayeuxCookies {
  kIfSent,    // From the first request that shows one: clients that hold no cookies are served too.
  kRequired,  // Always, but for the handshake. Clients without a cookie jar cannot speak by HTTP then.
  kOff,       // None is set, and none looked at.
};
enum class SameSite { kLax, kStrict, kNone };
enum class CookieSecure {
  kAuto,  // When the request came by TLS, as `X-Forwarded-Proto: https` says.
  kAlways,
  kNever,
};

// What keeps a Bayeux session from ending as idle.
enum class BayeuxActivity {
  kOff,           // Sessions do not end as idle.
  kClient,        // What the client sends, but for connects.
  kClientServer,  // And what it is sent.
};

enum class BayeuxDecision { kGrant, kDeny, kIgnore };

// A say on Bayeux channels (CometD's authorizers). Where at least one rule's `channel` fits, one must grant and none deny.
struct BayeuxAuthorizerRule {
  // As Bayeux clients write it: "/a/b", "/a/*", "/a/**".
  std::string channel;
  // Some of "create", "subscribe", "publish".
  std::vector<std::string> operations = {"create", "subscribe", "publish"};
  // Whom it is for: the user of a valid token. Empty: everybody.
  std::string user;
  BayeuxDecision decision = BayeuxDecision::kGrant;
  // Of a deny, what the client is told: "403:<reason>:subscribe_denied".
  std::string reason = "denied";

  friend bool operator==(const BayeuxAuthorizerRule&, const BayeuxAuthorizerRule&) = default;
};

// Bayeux, as CometD's and faye's clients speak it.
struct BayeuxOptions {
  // Where clients are pointed: everything below it is taken too (`/cometd/handshake`).
  std::string path = "/cometd";
  // Further places, for clients that send each kind of message elsewhere: `subscribe_path` as it stands, the others with
  // `/handshake`, `/connect` and `/disconnect` behind them. Empty: none; `/`: at the root.
  std::string subscribe_path;
  std::string handshake_path;
  std::string connect_path;
  std::string disconnect_path;
  // Some of "websocket", "long-polling", "callback-polling", "eventsource"; clients are offered them in this order.
  std::vector<std::string> transports = {"websocket", "long-polling", "callback-polling", "eventsource"};
  // How long a connect is held while nothing waits for its client; what a client asks for counts as far as `timeout_max`.
  Milliseconds timeout = std::chrono::seconds(30);
  Milliseconds timeout_max = std::chrono::seconds(60);
  // How long clients are told to wait between two connects.
  Milliseconds interval{0};
  // A session without a connect for `interval` and so long is over.
  Milliseconds max_interval = std::chrono::seconds(30);
  // A session whose connect is held, and whose client has said nothing for so long, is over: the connect is answered
  // "402::session_unknown". Longer than `timeout`; so it bounds what clients ask for. 0: it may be held for its whole time.
  Milliseconds max_processing{0};
  // Sessions at a time; each loop has its equal part. Beyond it the oldest that has never connected ends; when there is none, a
  // handshake is refused.
  std::size_t sessions_max = 100'000;
  // Messages in one request; beyond it the whole request is refused (413).
  std::size_t batch_max = 1000;
  // Polls that clients of one browser (by its cookie) may have waiting at a time; one more is answered at once and told to come
  // back after `multi_session_interval`. Browsers open six connections to a server. 0: any number.
  std::size_t polls_per_browser = 4;
  // 0: told not to come back.
  Milliseconds multi_session_interval = std::chrono::seconds(2);
  BayeuxCookies cookies = BayeuxCookies::kIfSent;
  SameSite cookie_same_site = SameSite::kLax;
  CookieSecure cookie_secure = CookieSecure::kAuto;
  // Deliver in answers to connects only (CometD's metaConnectDeliverOnly).
  bool deliver_by_connect = false;
  // A client hears what it publishes itself, where it is subscribed.
  bool own_messages = true;
  // Refuse ids that are not texts of letters and digits.
  bool check_ids = false;
  // Channel names may hold the specification's characters only, and others are written with escapes (docs/protocol/bayeux.md);
  // without it those that CometD lets through too.
  bool strict_channels = false;
  // Channels ("/a/b", "/a/*", "/a/**") whose messages wait for something else to be sent, or for `lazy_time`.
  std::vector<std::string> lazy_channels;
  Milliseconds lazy_time = std::chrono::seconds(5);
  // Tell clients `maxInterval`, so that they shake hands again by themselves when it is over.
  bool handshake_reconnect = false;
  // What waits for a client when it shakes hands rides on that answer.
  bool deliver_in_handshake = false;
  // A session takes no other WebSocket than the one it shook hands on.
  bool handshake_per_websocket = false;
  // Write a `timestamp` into every message.
  bool timestamps = false;
  BayeuxActivity activity = BayeuxActivity::kOff;
  Milliseconds activity_time = std::chrono::minutes(30);
  std::vector<BayeuxAuthorizerRule> authorizers;

  friend bool operator==(const BayeuxOptions&, const BayeuxOptions&) = default;
};

// infotainer: CBOR over WebSocket, with logs and subscriptions that are remembered.
struct InfotainerOptions {
  bool enabled = true;
  // Sessions are at `<path>/<uuid>`.
  std::string path = "/ws";
  // How long the subscriptions of a client that is away are remembered; beyond it they are gone.
  Milliseconds expiry = std::chrono::hours(7 * 24);
  // As those of WebSocketOptions; a client that is silent for `idle_time` is told so.
  Milliseconds ping_interval = std::chrono::seconds(5);
  Milliseconds idle_time = std::chrono::seconds(10);

  friend bool operator==(const InfotainerOptions&, const InfotainerOptions&) = default;
};

// Routes and events: requests {route, payload} as JSON over WebSocket (Buster's protocol).
struct RoutesOptions {
  // With and without a slash behind it.
  std::string path = "/api/v1/ws";
  // Refuse (401) clients that show neither a token nor the API key, also where `auth.require_token` lets them in elsewhere.
  bool require_token = false;
  // A client is pinged this often, whatever it sends, and dropped when it has not answered for `pong_time`.
  Milliseconds ping_interval = std::chrono::seconds(15);
  Milliseconds pong_time = std::chrono::seconds(5);
  // A client that has sent no request for this long is told goodbye; pongs do not count. 0: it may look on in silence.
  Milliseconds idle_time = std::chrono::minutes(5);
  // One message from a client, beyond it the connection is closed with 1009. 0: `limits.message_bytes`.
  std::size_t message_bytes = 0;
  // Requests of one connection; beyond it they are refused. What one second allows may come at once. 0: any number.
  std::size_t requests_per_second = 100;
  // Requests of one connection that the program's handlers have not finished; one more is refused.
  std::size_t calls_per_connection = 32;
  // Threads that the program's handlers are called on, and requests that may wait for one; beyond it they are refused.
  std::size_t workers = 8;
  std::size_t calls_waiting = 1024;

  friend bool operator==(const RoutesOptions&, const RoutesOptions&) = default;
};

struct PresenceOptions {
  // Who came and went is gathered for so long and then told at once. 0: within the turn of the loop.
  Milliseconds period{0};
  // Members of one channel that are told of by name. With more, clients hear only how many there are, until there are less than
  // nine tenths of it again; the HTTP API lists them all at any time.
  std::size_t list_max = 1000;
  // Of what one client says of itself: beyond it, it is refused.
  std::size_t meta_bytes = 1024;
  // How long other nodes keep this node's members after they last heard of it.
  Milliseconds lease = std::chrono::seconds(30);

  friend bool operator==(const PresenceOptions&, const PresenceOptions&) = default;
};

struct WebhookOptions {
  std::string github_path = "/webhooks/github";
  std::string gitea_path = "/webhooks/gitea";  // Gitea and Forgejo.
  // A delivery must be signed with one of these, else it is answered 401. More than one only while a secret is being
  // replaced. Empty: signatures are not checked, and only senders that may publish without a secret are heard (who shows the
  // API key; without a configured key, clients on this machine).
  std::vector<std::string> github_secrets;
  std::vector<std::string> gitea_secrets;
  // Keep the whole payload as it came under `raw` in the event's data.
  bool keep_raw = false;

  friend bool operator==(const WebhookOptions&, const WebhookOptions&) = default;
};

// The engine `redis`: one channel space for several servers, kept by a Redis (7.0 or later).
struct RedisEngineOptions {
  // redis://[user[:password]@]host[:port][/database], or rediss:// with TLS. Several: a master and its replicas, of which the
  // one that takes writes is used, also after a failover; or some nodes of a cluster.
  std::vector<std::string> urls = {"redis://127.0.0.1:6379"};
  // The addresses are nodes of a Redis Cluster.
  bool cluster = false;
  // Instead of the one in `urls`, so that it can come from the environment.
  std::string password;
  // All keys and channels in Redis begin with it: servers of one prefix share one channel space.
  std::string prefix = "carillon:";
  // With rediss://: files in PEM. No authorities named: the system's. Without `tls_verify` anybody is believed to be the Redis.
  std::string tls_ca_file;
  std::string tls_certificate_file;
  std::string tls_key_file;
  bool tls_verify = true;
  // An attempt to connect that takes longer is given up.
  Milliseconds connect_time = std::chrono::seconds(5);
  // A command that is not answered within this gives the connection up.
  Milliseconds command_time = std::chrono::seconds(5);
  // How long a publish waits for a connection that is lost; then it fails (503).
  Milliseconds wait_time = std::chrono::seconds(5);
  // Bytes of commands that may wait; beyond it a publish fails (429).
  std::size_t waiting_bytes = 64 * 1024 * 1024;
  // Payloads of so many bytes or more are compressed (gzip) in Redis, where that makes them smaller. 0: never.
  std::size_t compress_bytes = 4096;
  // A channel that nobody published to for so long is forgotten, with its positions. 0: never.
  Milliseconds idle_time = std::chrono::hours(7 * 24);
  // Where the other servers reach this one's HTTP port, such as http://10.0.0.5:8080: for polls that arrive at another server
  // than their session's. Empty: the address it listens on, unless that is every address of the machine.
  std::string advertise;

  friend bool operator==(const RedisEngineOptions&, const RedisEngineOptions&) = default;
};

struct EngineOptions {
  // What orders and keeps publications. "memory": in this process, gone when it ends. "log": on a disk, in `data_dir`; there
  // again after a restart or a crash. "redis": shared by several servers, see RedisEngineOptions.
  std::string kind = "memory";
  // Where the log is; made if it is not there. One server at a time.
  std::string data_dir = "carillon-data";
  // A loss of power undoes no more than this of what was published with durability "interval".
  Milliseconds sync_interval = std::chrono::milliseconds(200);
  // Memory for what was read from the log; and for what is written to it, before it is sorted into a file.
  std::size_t cache_bytes = 32 * 1024 * 1024;
  std::size_t write_buffer_bytes = 64 * 1024 * 1024;
  // In memory, bytes of publications kept as history in all channels together; beyond it the oldest of all are forgotten.
  std::size_t history_bytes_max = 256 * 1024 * 1024;
  // Channels that may keep history at a time; beyond it a publish to one more such channel fails (429).
  std::size_t channels_max = 1'000'000;
  // How long an idempotency key is remembered: a repeated publish or webhook delivery within it is not published again.
  Milliseconds idempotency_time = std::chrono::minutes(10);
  // In memory, idempotency keys remembered at a time; beyond it the oldest is forgotten.
  std::size_t idempotency_keys_max = 100'000;

  friend bool operator==(const EngineOptions&, const EngineOptions&) = default;
};

struct ServerOptions {
  // Where to listen: an IPv4 address, an IPv6 address in brackets or a host name, then a port; port 0 picks a free one.
  std::string listen = "127.0.0.1:8080";
  // Event loops, each a thread. 0: one for each core this process may use.
  std::size_t loops = 0;
  // At a stop, the connected WebSocket clients are closed spread over this time, so that they do not all reconnect elsewhere
  // at once; who has not answered `websocket.close_time` after that is dropped.
  Milliseconds drain_time = std::chrono::seconds(5);
  LogLevel log_level = LogLevel::kInfo;
  // Origins whose pages may open WebSockets, read SSE and call the HTTP API, such as `https://app.example.com`; "*" is every
  // origin. Empty: pages of the same host and port; on a loopback address pages of this machine too. A client that sends no
  // Origin is no browser, and is not held back by this.
  std::vector<std::string> origins;
  // Serve `/echo`, which sends back WebSocket messages and HTTP bodies as they came. For test suites from outside.
  bool enable_echo = false;
  // Start without an API key on an address that others can reach. Otherwise that is refused.
  bool insecure = false;
  // Who shows it (`Authorization: Bearer`) may use the HTTP API and publish. Empty: none configured, and those are for
  // clients on this machine only (publishing over WebSocket too, unless `auth.jwt_secrets` are configured).
  std::string api_key;
  AuthOptions auth;

  LimitsOptions limits;
  std::vector<ChannelRule> channels;
  PresenceOptions presence;
  EngineOptions engine;
  RedisEngineOptions redis;
  HttpOptions http;
  WebSocketOptions websocket;
  NativeOptions native;
  SseOptions sse;
  PhoenixOptions phoenix;
  BayeuxOptions bayeux;
  InfotainerOptions infotainer;
  RoutesOptions routes;
  WebhookOptions webhooks;

  friend bool operator==(const ServerOptions&, const ServerOptions&) = default;
};

}  // namespace carillon
