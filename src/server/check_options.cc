#include "server/check_options.h"

#include <arpa/inet.h>
#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <utility>
#include <vector>

#include "server/channel_rules.h"
#include "server/check_bayeux.h"
#include "server/redis_url.h"
#include "server/settings.h"
#include "server/unit_text.h"
#include "transport/forwarded_request.h"
#include "wire/signing/jwt.h"

namespace carillon {
namespace {

// What the envelope of a publication may add to its payload.
constexpr std::size_t kEnvelopeBytes = 1024;

Error refused(std::string text) {
  return {ErrorKind::kInvalid, std::move(text)};
}

bool visible_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char character) { return character > 0x20 && character < 0x7F; });
}

Result<void> check_ranges(const ServerOptions& options) {
  for (const auto& setting : server_settings()) {
    const Result<void> checked = setting.check(options);
    if (!checked) return refused(fmt::format("{} {}", setting.name(), checked.error().text));
  }
  return {};
}

Result<void> check_access(const ServerOptions& options) {
  const Result<ListenAddress> address = parse_listen_address(options.listen);
  if (!address) return refused(fmt::format("server.listen {}", address.error().text));
  if (!visible_ascii(options.api_key)) {
    return refused("auth.api_key may hold visible ASCII characters only, because it travels in a header");
  }
  if (options.api_key.empty() && !options.insecure && !is_loopback_host(address->host)) {
    return refused(
        fmt::format("server.listen is {}, which others can reach, and no auth.api_key is set; set one (--api-key), "
                    "or say --insecure if this is meant",
                    options.listen));
  }
  return {};
}

Result<void> check_tokens(const ServerOptions& options) {
  const AuthOptions& auth = options.auth;
  for (const std::string& secret : auth.jwt_secrets) {
    if (secret.size() >= kJwtSecretBytesMin) continue;
    return refused(
        fmt::format("auth.jwt_secrets holds a secret of {} bytes; HS256 takes {} at least (RFC 7518, section 3.2), "
                    "such as `openssl rand -base64 32` makes",
                    secret.size(), kJwtSecretBytesMin));
  }
  if (auth.require_token && auth.jwt_secrets.empty() && options.api_key.empty()) {
    return refused("auth.require_token is set, but neither auth.jwt_secrets nor auth.api_key: nobody could connect");
  }
  return {};
}

Result<void> check_origin(std::string_view origin) {
  if (origin == "*") return {};
  const auto wrong = [&] {
    return refused(
        fmt::format("server.origins holds `{}`; an origin is `*` or scheme, host and maybe port, such as "
                    "https://app.example.com",
                    origin));
  };
  const std::size_t scheme_end = origin.find("://");
  if (scheme_end == std::string_view::npos || scheme_end == 0 || !visible_ascii(origin)) return wrong();
  const std::string_view host = origin.substr(scheme_end + 3);
  if (host.empty() || host.find_first_of("/?#*@,") != std::string_view::npos) return wrong();
  return {};
}

Result<void> check_limits(const ServerOptions& options) {
  const LimitsOptions& limits = options.limits;
  if (limits.outbox_bytes < message_room(limits.message_bytes)) {
    return refused(
        fmt::format("limits.outbox_bytes ({}) has no room for one message; limits.message_bytes is {}, and 1KiB goes "
                    "with each",
                    size_text(limits.outbox_bytes), size_text(limits.message_bytes)));
  }
  if (limits.outbox_memory_bytes < limits.outbox_bytes) {
    return refused(
        fmt::format("limits.outbox_memory_bytes ({}), for all clients, is less than limits.outbox_bytes ({}), for one",
                    size_text(limits.outbox_memory_bytes), size_text(limits.outbox_bytes)));
  }
  if (limits.body_bytes < limits.message_bytes) {
    return refused(fmt::format("limits.body_bytes ({}) has no room for a publish of limits.message_bytes ({})",
                               size_text(limits.body_bytes), size_text(limits.message_bytes)));
  }
  if (options.engine.kind == "redis") {
    if (const Result<RedisOptions> redis = redis_connection(options.redis); !redis) return redis.error();
    if (!options.redis.advertise.empty() && !read_node_address(options.redis.advertise)) {
      return refused(fmt::format("redis.advertise (`{}`) is no address of a server, such as http://10.0.0.5:8080",
                                 options.redis.advertise));
    }
  }
  if (options.engine.kind == "log" && options.engine.data_dir.empty()) {
    return refused("engine.data_dir is empty; say where the log is to be, or choose engine.kind \"memory\"");
  }
  if (options.routes.message_bytes > limits.message_bytes) {
    return refused(fmt::format("routes.message_bytes ({}) is more than limits.message_bytes ({})",
                               size_text(options.routes.message_bytes), size_text(limits.message_bytes)));
  }
  if (options.engine.history_bytes_max < limits.message_bytes) {
    return refused(fmt::format("engine.history_bytes_max ({}) has no room for one message of limits.message_bytes ({})",
                               size_text(options.engine.history_bytes_max), size_text(limits.message_bytes)));
  }
  return {};
}

Result<void> check_times(const ServerOptions& options) {
  if (options.websocket.ping_interval >= options.websocket.idle_time) {
    return refused(
        fmt::format("websocket.ping_interval ({}) must be shorter than websocket.idle_time ({}), else a silent client "
                    "is closed before it is asked",
                    duration_text(options.websocket.ping_interval), duration_text(options.websocket.idle_time)));
  }
  if (options.infotainer.ping_interval >= options.infotainer.idle_time) {
    return refused(fmt::format("infotainer.ping_interval ({}) must be shorter than infotainer.idle_time ({})",
                               duration_text(options.infotainer.ping_interval), duration_text(options.infotainer.idle_time)));
  }
  if (options.routes.pong_time >= options.routes.ping_interval) {
    return refused(fmt::format("routes.pong_time ({}) must be shorter than routes.ping_interval ({})",
                               duration_text(options.routes.pong_time), duration_text(options.routes.ping_interval)));
  }
  if (options.sse.retry_min > options.sse.retry_max) {
    return refused(fmt::format("sse.retry_min ({}) is longer than sse.retry_max ({})", duration_text(options.sse.retry_min),
                               duration_text(options.sse.retry_max)));
  }
  return {};
}

// A rule that stands behind one which takes all its channels would never be used: surely not what was meant.
Result<void> check_channels(const std::vector<ChannelRule>& rules) {
  for (std::size_t i = 0; i < rules.size(); ++i) {
    const std::string rule = fmt::format("channels rule {} (`{}`)", i + 1, rules[i].match);
    const Result<void> pattern = check_channel_pattern(rules[i].match);
    if (!pattern) return refused(fmt::format("channels rule {}: {}", i + 1, pattern.error().text));
    for (const auto& setting : channel_settings()) {
      const Result<void> checked = setting.check(rules[i]);
      if (!checked) return refused(fmt::format("{}: {} {}", rule, setting.key, checked.error().text));
    }
    const bool has_owner = rules[i].publish == ChannelAccess::kOwner || rules[i].subscribe == ChannelAccess::kOwner;
    if (has_owner && !channel_pattern_has_user(rules[i].match)) {
      return refused(fmt::format("{}: `owner` needs a match that says whose the channel is, such as user:{{user}}/**", rule));
    }
    for (std::size_t earlier = 0; earlier < i; ++earlier) {
      if (rules[earlier].match == rules[i].match) {
        return refused(fmt::format("{} has the same match as rule {}; the first one decides", rule, earlier + 1));
      }
      if (channel_pattern_covers(rules[earlier].match, rules[i].match)) {
        return refused(fmt::format("{} is never used, because rule {} (`{}`) fits all its channels and stands before it", rule,
                                   earlier + 1, rules[earlier].match));
      }
    }
  }
  return {};
}

struct NamedPath {
  std::string_view name;
  std::string path;
};

// Bayeux' further places. They may be `/`: the subscribe path, which then nobody else posts to, or what the others stand
// behind.
void add_further_bayeux_paths(std::vector<NamedPath>& paths, const BayeuxOptions& bayeux) {
  const auto add = [&paths](std::string_view name, std::string_view path, std::string_view behind) {
    if (path.empty()) return;
    paths.push_back({name, std::string(path == "/" ? "" : path) + std::string(behind)});
  };
  if (bayeux.subscribe_path != "/") add("bayeux.subscribe_path", bayeux.subscribe_path, "");
  add("bayeux.handshake_path, with `/handshake`,", bayeux.handshake_path, "/handshake");
  add("bayeux.connect_path, with `/connect`,", bayeux.connect_path, "/connect");
  add("bayeux.disconnect_path, with `/disconnect`,", bayeux.disconnect_path, "/disconnect");
}

Result<void> check_paths(const ServerOptions& options) {
  std::vector<NamedPath> paths = {{"http.api_path", options.http.api_path},
                                  {"http.health_path", options.http.health_path},
                                  {"http.metrics_path", options.http.metrics_path},
                                  {"native.path", options.native.path},
                                  {"sse.path", options.sse.path},
                                  {"phoenix.path", options.phoenix.path},
                                  {"Phoenix's WebSocket", options.phoenix.path + "/websocket"},
                                  {"Phoenix's long-poll", options.phoenix.path + "/longpoll"},
                                  {"bayeux.path", options.bayeux.path},
                                  {"infotainer.path, with a session behind it,", options.infotainer.path + "/session"},
                                  {"routes.path", options.routes.path},
                                  {"webhooks.github_path", options.webhooks.github_path},
                                  {"webhooks.gitea_path", options.webhooks.gitea_path}};
  add_further_bayeux_paths(paths, options.bayeux);
  if (options.enable_echo) paths.push_back({"the echo service", "/echo"});
  for (std::size_t i = 0; i < paths.size(); ++i) {
    const auto& [name, path] = paths[i];
    const bool clean = path.size() >= 2 && path.front() == '/' && path.back() != '/' && visible_ascii(path) &&
                       path.find_first_of("?#%\"\\{}*") == std::string_view::npos && path.find("//") == std::string_view::npos;
    if (!clean) {
      return refused(
          fmt::format("{} is `{}`; a path begins with `/`, does not end with one, and holds no spaces, queries or "
                      "percent signs",
                      name, path));
    }
    for (std::size_t earlier = 0; earlier < i; ++earlier) {
      if (paths[earlier].path == path) {
        return refused(fmt::format("{} and {} are both `{}`", paths[earlier].name, name, path));
      }
    }
  }
  return {};
}

Result<void> check_webhooks(const WebhookOptions& webhooks) {
  const auto empty = [](const std::string& secret) { return secret.empty(); };
  if (std::any_of(webhooks.github_secrets.begin(), webhooks.github_secrets.end(), empty)) {
    return refused("webhooks.github_secrets holds an empty secret, which anyone can sign with");
  }
  if (std::any_of(webhooks.gitea_secrets.begin(), webhooks.gitea_secrets.end(), empty)) {
    return refused("webhooks.gitea_secrets holds an empty secret, which anyone can sign with");
  }
  return {};
}

}  // namespace

Result<void> check_options(const ServerOptions& options) {
  for (const Result<void>& checked :
       {check_ranges(options), check_access(options), check_tokens(options), check_limits(options), check_times(options),
        check_channels(options.channels), check_paths(options), check_bayeux(options), check_webhooks(options.webhooks)}) {
    if (!checked) return checked.error();
  }
  for (const std::string& origin : options.origins) {
    const Result<void> checked = check_origin(origin);
    if (!checked) return checked.error();
  }
  return {};
}

std::size_t message_room(std::size_t message_bytes) {
  return message_bytes + kEnvelopeBytes;
}

Result<ListenAddress> parse_listen_address(std::string_view text) {
  const auto wrong = [&](std::string_view why) {
    return refused(fmt::format("is `{}`, {}; write an address and a port, such as 127.0.0.1:8080 or [::1]:8080", text, why));
  };
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return wrong("which has no port");
  std::string_view host = text.substr(0, colon);
  const std::string_view port_text = text.substr(colon + 1);
  ListenAddress address;
  const auto [end, error] = std::from_chars(port_text.data(), port_text.data() + port_text.size(), address.port);
  if (port_text.empty() || error != std::errc() || end != port_text.data() + port_text.size()) {
    return wrong("whose port is no number from 0 to 65535");
  }
  if (host.starts_with('[')) {
    if (!host.ends_with(']')) return wrong("whose bracket is not closed");
    host = host.substr(1, host.size() - 2);
    in6_addr parsed;
    if (inet_pton(AF_INET6, std::string(host).c_str(), &parsed) != 1) return wrong("whose brackets hold no IPv6 address");
  } else if (host.find(':') != std::string_view::npos) {
    return wrong("whose IPv6 address needs brackets");
  }
  if (host.empty()) return wrong("which has no address; every address of this machine is 0.0.0.0 or [::]");
  if (!visible_ascii(host) || host.find_first_of("/[]@?#\"") != std::string_view::npos) return wrong("which is no address");
  address.host = std::string(host);
  return address;
}

bool is_loopback_host(std::string_view host) {
  if (host == "localhost") return true;
  const std::string text(host);
  in_addr v4;
  if (inet_pton(AF_INET, text.c_str(), &v4) == 1) return (ntohl(v4.s_addr) >> 24) == 127;
  in6_addr v6;
  return inet_pton(AF_INET6, text.c_str(), &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

}  // namespace carillon
