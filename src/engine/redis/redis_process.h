// For tests: redis-server processes of their own, on free ports of the loopback, with their files in a directory that goes away
// with them. They are killed in the destructor, and by the kernel when the thread that started them ends.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <memory>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/scratch_file.h"
#include "engine/redis/redis_options.h"
#include "engine/redis/resp.h"

namespace carillon {

// Asks again and again until it holds. A minute without fails the test, by an exception.
template <class Condition>
void wait_until_redis(const char* what, Condition condition) {
  const auto gives_up = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > gives_up) {
      throw std::runtime_error(std::string("waited in vain until ") + what);
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

class RedisProcess {
 public:
  struct Options {
    bool cluster = false;
    bool append_only = false;            // What it holds survives kill() and start().
    std::string password;                // Of the user "default".
    std::vector<std::string> arguments;  // As in its configuration: "--maxmemory", "10mb".
    bool tls = false;                    // A second port, tls_port(). The arguments name certificate and key.
  };

  RedisProcess() : RedisProcess(Options{}) {}
  explicit RedisProcess(Options options) : options_(std::move(options)), port_(free_port()) {
    if (options_.cluster) bus_port_ = free_port();
    if (options_.tls) tls_port_ = free_port();
    start();
  }
  ~RedisProcess() { kill(); }
  RedisProcess(const RedisProcess&) = delete;
  RedisProcess& operator=(const RedisProcess&) = delete;

  std::uint16_t port() const { return port_; }
  std::uint16_t tls_port() const { return tls_port_; }
  std::uint16_t bus_port() const { return bus_port_; }  // Of a cluster.
  RedisOptions::Server server() const { return {.host = "127.0.0.1", .port = port_}; }
  bool is_running() const { return pid_ > 0; }

  // Returns when it answers. After kill(): on the same port, empty unless it appends.
  void start() {
    const std::vector<std::string> words = command_line();
    std::vector<char*> pointers;
    for (const std::string& word : words) pointers.push_back(const_cast<char*>(word.c_str()));
    pointers.push_back(nullptr);
    pid_ = ::fork();
    if (pid_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      ::execvp(pointers[0], pointers.data());
      ::_exit(127);
    }
    wait_until_redis("redis-server answers", [this] { return answers(); });
  }
  // As if its machine lost power. Waits for its end.
  void kill() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = 0;
  }
  // It does nothing at all until thaw(), but its connections stay.
  void freeze() { ::kill(pid_, SIGSTOP); }
  void thaw() { ::kill(pid_, SIGCONT); }

  // One command over a connection of its own, waited for. An error when there is no connection.
  RespValue command(const RespCommand& command) const {
    std::string bytes;
    if (!options_.password.empty()) RespCommand{"AUTH", options_.password}.append_to(bytes);
    command.append_to(bytes);
    std::vector<RespValue> values = exchange(bytes, options_.password.empty() ? 1 : 2);
    return values.empty() ? RespValue{RespValue::Error{"no connection"}} : std::move(values.back());
  }
  RespValue command(std::initializer_list<std::string_view> words) const { return command(RespCommand(words)); }
  // Its answer as text, empty if it is none.
  std::string text(std::initializer_list<std::string_view> words) const {
    const RespValue value = command(words);
    if (const RespValue::Error* const error = value.error()) return error->text;
    return value.text() == nullptr ? "" : *value.text();
  }
  // "connected_clients" of INFO.
  std::string info(std::string_view field) const {
    std::istringstream lines(text({"INFO", "everything"}));
    for (std::string line; std::getline(lines, line);) {
      if (line.starts_with(std::string(field) + ":")) return line.substr(field.size() + 1, line.find('\r') - field.size() - 1);
    }
    return "";
  }
  std::string log() const {
    std::ostringstream all;
    all << std::ifstream(log_.path()).rdbuf();
    return all.str();
  }

  // A port of the loopback that nobody listens on, and that was not given out before here.
  static std::uint16_t free_port() {
    static std::set<std::uint16_t> given;
    for (;;) {
      const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
      sockaddr_in address = loopback(0);
      socklen_t size = sizeof address;
      const bool bound = ::bind(socket, reinterpret_cast<sockaddr*>(&address), size) == 0 &&
                         ::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size) == 0;
      ::close(socket);
      if (bound && given.insert(ntohs(address.sin_port)).second) return ntohs(address.sin_port);
    }
  }

 private:
  static sockaddr_in loopback(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    return address;
  }

  std::vector<std::string> command_line() const {
    std::vector<std::string> words = {"redis-server",    "--port",       std::to_string(port_),
                                      "--bind",          "127.0.0.1",    "--dir",
                                      directory_.path(), "--save",       "",
                                      "--daemonize",     "no",           "--logfile",
                                      log_.path(),       "--appendonly", options_.append_only ? "yes" : "no"};
    const auto add = [&words](std::initializer_list<std::string> more) { words.insert(words.end(), more); };
    add({"--repl-diskless-sync-delay", "0"});
    if (options_.append_only) add({"--appendfsync", "always"});
    if (!options_.password.empty()) add({"--requirepass", options_.password, "--masterauth", options_.password});
    if (options_.cluster) {
      add({"--cluster-enabled", "yes", "--cluster-port", std::to_string(bus_port_), "--cluster-node-timeout", "1000"});
    }
    if (options_.tls) add({"--tls-port", std::to_string(tls_port_), "--tls-auth-clients", "no"});
    words.insert(words.end(), options_.arguments.begin(), options_.arguments.end());
    return words;
  }

  bool answers() {
    if (::waitpid(pid_, nullptr, WNOHANG) == pid_) {
      pid_ = 0;
      throw std::runtime_error("redis-server ended at once; its log: " + log());
    }
    return text({"PING"}) == "PONG";
  }

  std::vector<RespValue> exchange(const std::string& bytes, std::size_t count) const {
    std::vector<RespValue> values;
    const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const sockaddr_in address = loopback(port_);
    const bool sent = ::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
                      ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size());
    RespReader reader;
    char buffer[16 << 10];
    while (sent && values.size() < count) {
      if (std::optional<RespValue> value = reader.next()) {
        values.push_back(std::move(*value));
        continue;
      }
      const ssize_t got = ::recv(socket, buffer, sizeof buffer, 0);
      if (got <= 0) break;
      reader.feed({buffer, static_cast<std::size_t>(got)});
    }
    ::close(socket);
    if (values.size() < count) values.clear();
    return values;
  }

  const Options options_;
  const ScratchDirectory directory_;
  const ScratchFile log_{".log"};
  const std::uint16_t port_;
  std::uint16_t bus_port_ = 0;
  std::uint16_t tls_port_ = 0;
  pid_t pid_ = 0;
};

// Three masters that share the slots: the first has 0 to 5460, the second to 10922, the third the rest; and, if wanted, a
// replica of each behind them.
class RedisClusterProcess {
 public:
  static constexpr std::size_t kMasters = 3;
  static constexpr std::uint16_t kFirstSlots[kMasters + 1] = {0, 5461, 10923, 16384};

  struct Options {
    bool replicas = false;
    std::vector<std::string> arguments;
  };

  RedisClusterProcess() : RedisClusterProcess(Options{}) {}
  explicit RedisClusterProcess(Options options) {
    const std::size_t count = options.replicas ? 2 * kMasters : kMasters;
    for (std::size_t i = 0; i < count; ++i) add({.cluster = true, .arguments = options.arguments});
    for (std::size_t i = 0; i < kMasters; ++i) {
      RespCommand slots{"CLUSTER", "ADDSLOTSRANGE"};
      slots.add(std::int64_t{kFirstSlots[i]}).add(std::int64_t{kFirstSlots[i + 1] - 1});
      nodes_[i]->command(slots);
      nodes_[i]->command({"CLUSTER", "SET-CONFIG-EPOCH", std::to_string(i + 1)});
    }
    for (std::size_t i = 1; i < count; ++i) meet(*nodes_[i]);
    wait_until_redis("the cluster's nodes know each other", [&] { return all_know(count); });
    for (std::size_t i = kMasters; i < count; ++i) {
      nodes_[i]->command({"CLUSTER", "REPLICATE", id(i - kMasters)});
    }
    wait_until_redis("the cluster is well", [&] { return is_well(); });
  }

  RedisProcess& operator[](std::size_t node) { return *nodes_[node]; }
  std::size_t size() const { return nodes_.size(); }
  std::vector<RedisOptions::Server> servers() const {
    std::vector<RedisOptions::Server> servers;
    for (const auto& node : nodes_) servers.push_back(node->server());
    return servers;
  }
  std::string id(std::size_t node) const { return nodes_[node]->text({"CLUSTER", "MYID"}); }

  // Every running node says that all slots are served, and tells of a replica for each master where there are some.
  bool is_well() const {
    return std::all_of(nodes_.begin(), nodes_.end(), [](const auto& node) {
      return !node->is_running() || node->text({"CLUSTER", "INFO"}).starts_with("cluster_state:ok");
    });
  }
  // Adds a master without slots.
  RedisProcess& add_master() {
    add({.cluster = true});
    meet(*nodes_.back());
    wait_until_redis("the cluster's nodes know the new one", [&] { return all_know(nodes_.size()); });
    return *nodes_.back();
  }
  // The steps of moving a slot with its keys: the first makes both sides ask and be asked, the last ends it.
  void begin_move(std::uint16_t slot, std::size_t from, std::size_t to) {
    nodes_[to]->command({"CLUSTER", "SETSLOT", std::to_string(slot), "IMPORTING", id(from)});
    nodes_[from]->command({"CLUSTER", "SETSLOT", std::to_string(slot), "MIGRATING", id(to)});
  }
  void move_keys(std::uint16_t slot, std::size_t from, std::size_t to) {
    for (;;) {
      const RespValue keys = nodes_[from]->command({"CLUSTER", "GETKEYSINSLOT", std::to_string(slot), "100"});
      if (keys.array() == nullptr || keys.array()->empty()) return;
      for (const RespValue& key : *keys.array()) {
        nodes_[from]->command({"MIGRATE", "127.0.0.1", std::to_string(nodes_[to]->port()), *key.text(), "0", "5000"});
      }
    }
  }
  void end_move(std::uint16_t slot, std::size_t to) {
    const std::string id_of_new = id(to);
    nodes_[to]->command({"CLUSTER", "SETSLOT", std::to_string(slot), "NODE", id_of_new});
    for (const auto& node : nodes_) node->command({"CLUSTER", "SETSLOT", std::to_string(slot), "NODE", id_of_new});
  }

 private:
  void add(RedisProcess::Options options) { nodes_.push_back(std::make_unique<RedisProcess>(std::move(options))); }
  void meet(RedisProcess& node) {
    nodes_[0]->command({"CLUSTER", "MEET", "127.0.0.1", std::to_string(node.port()), std::to_string(node.bus_port())});
  }
  bool all_know(std::size_t count) const {
    return std::all_of(nodes_.begin(), nodes_.end(), [count](const auto& node) {
      const std::string known = node->text({"CLUSTER", "NODES"});
      return static_cast<std::size_t>(std::count(known.begin(), known.end(), '\n')) == count &&
             known.find("handshake") == std::string::npos;
    });
  }

  std::vector<std::unique_ptr<RedisProcess>> nodes_;
};

}  // namespace carillon
