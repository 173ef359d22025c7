#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "app/commands.h"
#include "server/load_options.h"
#include "server/make_token.h"
#include "server/unit_text.h"

namespace carillon {
namespace {

constexpr const char* kFooter = R"help(
Prints a token (JWT, HS256) that a server with the same secret takes as the user's: for scripts, for trying things out, and to
see what your own program has to make. It is signed with the first of auth.jwt_secrets, from the environment
(CARILLON_AUTH_JWT_SECRETS) or the file (--config); the server's jwt_issuer and jwt_audience are filled in. A secret on the
command line can be seen by everybody on this machine.

Examples:
  carillon token --user alice --config carillon.toml
  CARILLON_AUTH_JWT_SECRETS="$SECRET" carillon token --user alice --ttl 10m
  carillon token --user alice --claim role='"editor"' --claim rooms='[1,2]'
  carillon sub user:alice --token "$(carillon token --user alice)"

Exit codes: 0 done, 1 there is no secret or something in the token would not do, 2 the command line was wrong.)help";

struct TokenFlags {
  TokenCall call;
  std::string config_path;
  std::string secret;
  std::string ttl = "1h";
  std::vector<std::string> claims;
};

void token(TokenFlags& flags) {
  Result<ServerOptions> options = load_options({.config_path = flags.config_path, .environment = environ});
  if (!options) fail_command(options.error().text.c_str());
  if (!flags.secret.empty()) options->auth.jwt_secrets = {flags.secret};
  const Result<std::chrono::milliseconds> lifetime = parse_duration(flags.ttl);
  if (!lifetime) fail_command(("--ttl: " + lifetime.error().text).c_str());
  flags.call.lifetime = *lifetime;
  for (const std::string& claim : flags.claims) {
    const std::size_t equals = claim.find('=');
    if (equals == std::string::npos) fail_command(("--claim " + claim + ": write NAME=JSON").c_str());
    flags.call.claims.emplace_back(claim.substr(0, equals), claim.substr(equals + 1));
  }
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const Result<std::string> made =
      make_token(options->auth, flags.call, std::chrono::duration_cast<std::chrono::milliseconds>(now).count());
  if (!made) fail_command(made.error().text.c_str());
  std::printf("%s\n", made->c_str());
}

}  // namespace

void add_token_command(CLI::App& program) {
  CLI::App* command = program.add_subcommand("token", "Make a token that says who a client is");
  const auto flags = std::make_shared<TokenFlags>();
  command->add_option("--user", flags->call.user, "Whose token it is (`sub`)")->required()->type_name("NAME");
  command->add_option("--ttl", flags->ttl, "How long it holds, such as 10m or 30d")
      ->type_name("DURATION")
      ->capture_default_str();
  command->add_option("--config", flags->config_path, "The server's configuration file (TOML)")->type_name("FILE");
  command->add_option("--secret", flags->secret, "What to sign with, instead of the configured secret")->type_name("TEXT");
  command->add_option("--claim", flags->claims, "One more claim; may be repeated")
      ->type_name("NAME=JSON")
      ->allow_extra_args(false);
  command->footer(kFooter);
  command->callback([flags] { token(*flags); });
}

}  // namespace carillon
