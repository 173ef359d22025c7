#include "server/redis_url.h"

#include <fmt/core.h>

#include <charconv>

namespace carillon {
namespace {

Error wrong(std::string_view what) {
  return {ErrorKind::kInvalid,
          fmt::format("{}; it is redis://[user[:password]@]host[:port][/database], or rediss:// for TLS", what)};
}

int hex_value(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
  if (digit >= 'A' && digit <= 'F') return digit - 'A' + 10;
  return -1;
}

Result<std::string> unescaped(std::string_view text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      plain += text[i];
      continue;
    }
    if (i + 2 >= text.size() || hex_value(text[i + 1]) < 0 || hex_value(text[i + 2]) < 0) {
      return wrong("a `%` in user or password is not followed by two hexadecimal digits");
    }
    plain += static_cast<char>(hex_value(text[i + 1]) * 16 + hex_value(text[i + 2]));
    i += 2;
  }
  return plain;
}

template <class Number>
bool read_number(std::string_view text, Number most, Number& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() && number <= most;
}

Result<void> read_credentials(std::string_view text, RedisUrl& url) {
  const std::size_t colon = text.find(':');
  Result<std::string> user = unescaped(text.substr(0, colon));
  if (!user) return user.error();
  url.user = *std::move(user);
  if (colon == std::string_view::npos) return {};
  Result<std::string> password = unescaped(text.substr(colon + 1));
  if (!password) return password.error();
  url.password = *std::move(password);
  return {};
}

Result<void> read_address(std::string_view text, RedisOptions::Server& server) {
  std::size_t end = 0;
  if (text.starts_with('[')) {
    end = text.find(']');
    if (end == std::string_view::npos) return wrong("an IPv6 address has no closing bracket");
    server.host = text.substr(1, end++ - 1);
  } else {
    end = std::min(text.find(':'), text.size());
    server.host = text.substr(0, end);
  }
  if (server.host.empty()) return wrong("there is no host");
  if (end == text.size()) return {};
  std::uint16_t port = 0;
  if (text[end] != ':' || !read_number<std::uint16_t>(text.substr(end + 1), 65535, port) || port == 0) {
    return wrong("the port is no number from 1 to 65535");
  }
  server.port = port;
  return {};
}

}  // namespace

Result<RedisUrl> parse_redis_url(std::string_view text) {
  RedisUrl url;
  if (text.starts_with("rediss://")) {
    url.tls = true;
    text.remove_prefix(9);
  } else if (text.starts_with("redis://")) {
    text.remove_prefix(8);
  } else {
    return wrong("an address does not begin with redis:// or rediss://");
  }
  if (const std::size_t slash = text.find('/', text.find('@') == std::string_view::npos ? 0 : text.rfind('@'));
      slash != std::string_view::npos) {
    const std::string_view database = text.substr(slash + 1);
    if (!database.empty() && !read_number<std::uint32_t>(database, 1'000'000, url.database)) {
      return wrong("what follows the host's `/` is no number of a database");
    }
    text = text.substr(0, slash);
  }
  if (const std::size_t at = text.rfind('@'); at != std::string_view::npos) {
    if (Result<void> read = read_credentials(text.substr(0, at), url); !read) return read.error();
    text.remove_prefix(at + 1);
  }
  if (Result<void> read = read_address(text, url.server); !read) return read.error();
  return url;
}

Result<RedisOptions> redis_connection(const RedisEngineOptions& options) {
  RedisOptions redis;
  redis.servers.clear();
  bool tls = false;
  for (const std::string& text : options.urls) {
    Result<RedisUrl> url = parse_redis_url(text);
    if (!url) return Error{ErrorKind::kInvalid, "redis.urls: " + url.error().text};
    const bool first = redis.servers.empty();
    if (!first &&
        (url->tls != tls || url->user != redis.user || url->password != redis.password || url->database != redis.database)) {
      return Error{ErrorKind::kInvalid, "redis.urls: all addresses must have the same scheme, user, password and database"};
    }
    tls = url->tls;
    redis.user = url->user;
    redis.password = url->password;
    redis.database = url->database;
    redis.servers.push_back(url->server);
  }
  if (redis.servers.empty()) return Error{ErrorKind::kInvalid, "redis.urls is empty: there is no Redis to use"};
  if (options.cluster && redis.database != 0) {
    return Error{ErrorKind::kInvalid, "redis.urls: a cluster has only the database 0"};
  }
  redis.cluster = options.cluster;
  if (!options.password.empty()) redis.password = options.password;
  if (tls) {
    redis.tls = DialTls{.server_name = {},
                        .ca_file = options.tls_ca_file,
                        .certificate_file = options.tls_certificate_file,
                        .key_file = options.tls_key_file,
                        .verify = options.tls_verify};
  }
  redis.prefix = options.prefix;
  redis.connect_timeout = Millis(options.connect_time);
  redis.command_timeout = Millis(options.command_time);
  redis.wait_max = Millis(options.wait_time);
  redis.waiting_bytes_max = options.waiting_bytes;
  redis.compress_bytes = options.compress_bytes;
  redis.idle_ms = options.idle_time.count();
  return redis;
}

}  // namespace carillon
