#include "app/client_flags.h"

#include <CLI/CLI.hpp>

#include "app/commands.h"

namespace carillon {

void ClientFlags::add_to(CLI::App& command) {
  command.add_option("--url", url, "Where the server is")->envname("CARILLON_URL")->capture_default_str();
  command.add_option("--api-key", api_key, "The server's API key; needed where it has one")->envname("CARILLON_AUTH_API_KEY");
  command.add_option("--token", token, "A user's token, shown instead of the key; `carillon token` makes one")
      ->envname("CARILLON_TOKEN");
}

ClientUrl ClientFlags::parsed_url() const {
  Result<ClientUrl> parsed = parse_client_url(url);
  if (!parsed) fail_command(("--url: " + parsed.error().text).c_str());
  return *std::move(parsed);
}

}  // namespace carillon
