// Any bytes are read or refused; what is read shows itself as a file that is read as the same.
#include "base/check.h"
#include "server/check_options.h"
#include "server/config_file.h"
#include "server/settings.h"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  using namespace carillon;
  ServerOptions options;
  if (!read_config({reinterpret_cast<const char*>(data), size}, "fuzzed", options)) return 0;
  static_cast<void>(check_options(options));
  // Secrets are not shown.
  options.api_key.clear();
  options.auth.jwt_secrets.clear();
  options.webhooks.github_secrets.clear();
  options.webhooks.gitea_secrets.clear();
  ServerOptions again;
  CHECK(read_config(options_toml(options), "shown", again));
  CHECK(again == options);
  return 0;
}
