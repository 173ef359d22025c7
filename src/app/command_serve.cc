#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>

#include "app/commands.h"
#include "base/log.h"
#include "carillon/server.h"
#include "server/load_options.h"

namespace carillon {
namespace {

constexpr const char* kFooter = R"(
Without flags: a development server on this machine only, open to subscribe and publish. What is published is kept in a log in
./carillon-data, and is there again after a restart; --memory keeps nothing. When the server is ready it prints one line, `listening on http://HOST:PORT`; port 0 picks a free port. SIGTERM and Ctrl-C stop it
gracefully: clients are told, what waits is sent. A second signal ends it at once.

Every setting can be given in a file (--config, TOML), in the environment (CARILLON_<SECTION>_<KEY>) and as a flag (--set);
flags win over the environment, the environment over the file. docs/guide/configuration.md lists them all.

Examples:
  carillon serve
  carillon serve --memory
  carillon serve --data /var/lib/carillon
  carillon serve --listen 0.0.0.0:80 --api-key "$KEY"
  carillon serve --config carillon.toml --set limits.connections_max=10000
  CARILLON_LIMITS_MESSAGE_BYTES=64KiB carillon serve

Exit codes: 0 stopped gracefully, 1 could not start (wrong configuration, port in use, a log that cannot be used), 2 the command line was wrong.)";

struct ServeFlags {
  OptionSources sources;
  std::vector<std::string> settings;
};

sigset_t stop_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  return signals;
}

void serve(ServeFlags& flags) {
  for (const std::string& setting : flags.settings) {
    const std::size_t equals = setting.find('=');
    if (equals == std::string::npos) fail_command(("--set " + setting + ": write SECTION.KEY=VALUE").c_str());
    const std::string name = setting.substr(0, equals);
    flags.sources.flags.push_back({"--set " + name, name, setting.substr(equals + 1)});
  }
  flags.sources.environment = environ;
  const Result<ServerOptions> options = load_options(flags.sources);
  if (!options) fail_command(options.error().text.c_str());
  set_log_level(options->log_level);

  // Blocked before any thread begins, so that every thread inherits it and the signals wait for sigwait below.
  const sigset_t signals = stop_signals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);

  const Result<std::unique_ptr<Server>> server = Server::start(*options);
  if (!server) {
    flush_log();
    fail_command(server.error().text.c_str());
  }
  std::printf("listening on http://%s\n", (*server)->address().c_str());
  std::fflush(stdout);

  int received = 0;
  sigwait(&signals, &received);
  log_info("stopping on {}", received == SIGINT ? "SIGINT" : "SIGTERM");
  pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
  (*server)->stop();
  flush_log();
}

}  // namespace

void add_serve_command(CLI::App& program) {
  CLI::App* command = program.add_subcommand("serve", "Run the hub");
  const auto flags = std::make_shared<ServeFlags>();
  const auto option = [command, flags](const std::string& flag, const std::string& setting, const std::string& help) {
    return command->add_option_function<std::string>(
        flag,
        [flags, flag, setting](const std::string& text) {
          flags->sources.flags.push_back({flag, setting, text});
        },
        help);
  };
  const auto word = [command, flags](const std::string& flag, const std::string& setting, const std::string& text,
                                     const std::string& help) {
    command->add_flag_callback(
        flag,
        [flags, flag, setting, text] {
          flags->sources.flags.push_back({flag, setting, text});
        },
        help);
  };
  option("--listen", "server.listen", "Address and port (default 127.0.0.1:8080); port 0 picks a free one")
      ->type_name("ADDRESS");
  option("--data", "engine.data_dir", "Where the log is (default ./carillon-data); made if it is not there")->type_name("DIR");
  word("--memory", "engine.kind", "memory", "Keep everything in memory, gone at the end; the same as --engine memory");
  option("--engine", "engine.kind", "What orders and keeps publications: log (the default), memory or redis")
      ->type_name("KIND");
  const auto redis = [flags](const std::string& url) {
    flags->sources.flags.push_back({"--redis", "engine.kind", "redis"});
    flags->sources.flags.push_back({"--redis", "redis.urls", url});
  };
  command
      ->add_option_function<std::string>(
          "--redis", redis, "Share the channels with all servers of this Redis, redis://host:port; several by commas")
      ->type_name("URL");
  option("--loops", "server.loops", "Event loops, each a thread; 0 (the default): one for each usable core")->type_name("N");
  command->add_option("--config", flags->sources.config_path, "A configuration file (TOML)")->type_name("FILE");
  option("--api-key", "auth.api_key", "Who shows it may publish and use the HTTP API")->type_name("KEY");
  word("--insecure", "server.insecure", "true", "Allow an address that others can reach without an API key");
  word("--enable-echo", "server.enable_echo", "true", "Serve /echo, for test suites from outside");
  command
      ->add_option(
          "--message-max", flags->sources.message_max,
          "Largest message (limits.message_bytes), such as 64KiB or 32MB; limits that must have room for one are raised")
      ->type_name("SIZE");
  option("--log-level", "server.log_level", "debug, info (the default), warning, error or off")->type_name("LEVEL");
  command->add_option("--set", flags->settings, "Any setting, such as limits.slow_consumer=close; may be repeated")
      ->type_name("SECTION.KEY=VALUE")
      ->allow_extra_args(false);
  command->footer(kFooter);
  command->callback([flags] { serve(*flags); });
}

}  // namespace carillon
