// Addresses of Redis servers as people write them: redis://[user[:password]@]host[:port][/database]; rediss:// with TLS.
#pragma once

#include <string_view>
#include <vector>

#include "carillon/server_options.h"
#include "engine/redis/redis_options.h"

namespace carillon {

struct RedisUrl {
  RedisOptions::Server server;
  bool tls = false;
  std::string user, password;
  std::uint32_t database = 0;
};

// Percent-escapes in user and password are resolved. Errors: kInvalid, with what is wrong; the password is never in the text.
Result<RedisUrl> parse_redis_url(std::string_view text);

// All servers of a configuration; they must agree on everything but host and port. Errors: kInvalid.
Result<RedisOptions> redis_connection(const RedisEngineOptions& options);

}  // namespace carillon
