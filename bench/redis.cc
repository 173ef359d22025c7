// What the Redis engine costs, through the engine's port: publishes a second beside a plain loop of pipelined XADD and PUBLISH
// with the same window against the same Redis; the time from a publish on one node to its arrival on another.
//
//   bench_redis publish --port N [--bytes N] [--publishers N] [--heard 1] [--elsewhere 1] [--seconds N]
//   bench_redis plain   --port N [--bytes N] [--window N] [--seconds N]
//   bench_redis latency --port N [--bytes N] [--count N]
//
// `heard`: the node that publishes hears the channel too. `elsewhere`: the publishers are on another thread than the engine.
// Each prints one line of key=value pairs; bench/run.py makes a table.
#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "engine/redis/redis_engine.h"
#include "engine/redis/resp.h"
#include "os/system_clock.h"
#include "os/tcp_dialer.h"
#include "publishers.h"

namespace carillon {
namespace {

// Tells one who waits when something was heard.
class Listener final : public EngineEvents {
 public:
  void on_publication(const PublicationPtr&) override {
    const std::lock_guard lock(mutex_);
    ++heard_;
    there_.notify_one();
  }
  void on_gap(const std::string&, std::uint64_t) override { give_up("a gap"); }
  void on_continuity(Continuity) override {}
  void wait_for(std::uint64_t count) {
    std::unique_lock lock(mutex_);
    there_.wait(lock, [&] { return heard_ >= count; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable there_;
  std::uint64_t heard_ = 0;
};

// One server's engine, on a loop with a thread of its own.
class Node {
 public:
  explicit Node(const Flags& flags) {
    RedisOptions options;
    options.servers = {{.host = "127.0.0.1", .port = static_cast<std::uint16_t>(number(flags, "port", 6379))}};
    options.prefix = "bench:";
    options.rule_for = [](std::string_view) { return HistoryRule{.count_max = 1000}; };
    engine_ = std::make_unique<RedisEngine>(*loop_, dialer_, clock_, random_, options);
    engine_->set_events(listener);
    engine_->start();
    thread_ = std::thread([this] { loop_->run(); });
  }
  ~Node() {
    engine_->stop();
    loop_->stop();
    thread_.join();
  }
  RedisEngine& engine() { return *engine_; }
  void listen(const std::string& channel) {
    engine_->add_interest({Selector::Kind::kExact, channel});
    std::promise<void> heard;
    engine_->history({.channel = channel, .count_max = 0}, [&heard](const Result<HistoryPage>& page) {
      if (!page) give_up(page.error().text);
      heard.set_value();
    });
    heard.get_future().wait();
  }
  Listener listener;

 private:
  SystemClock clock_;
  SystemRandom random_;
  std::unique_ptr<EpollLoop> loop_ = *EpollLoop::create();
  TcpDialer dialer_{*loop_};
  std::unique_ptr<RedisEngine> engine_;
  std::thread thread_;
};

void run_publish(const Flags& flags) {
  Node node(flags);
  const std::uint64_t count = number(flags, "publishers", 64), bytes = number(flags, "bytes", 128);
  const bool heard = number(flags, "heard", 0) != 0, elsewhere = number(flags, "elsewhere", 0) != 0;
  if (heard) node.listen("bench:1");
  const Publishers::Outcome done =
      Publishers(node.engine(), "bench:1", bytes, elsewhere).run(count, static_cast<double>(number(flags, "seconds", 3)));
  fmt::print("publishers={} bytes={} heard={} elsewhere={} per_second={:.0f} cpu_us={:.2f}\n", count, bytes, heard ? 1 : 0,
             elsewhere ? 1 : 0, done.per_second(), done.processor_us());
}

// What any program must do: add to the stream, tell who listens; so many under way.
void run_plain(const Flags& flags) {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(number(flags, "port", 6379)));
  if (::connect(socket, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) give_up("cannot connect");
  const int on = 1;
  ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  const std::uint64_t window = number(flags, "window", 64), bytes = number(flags, "bytes", 128);
  const double seconds = static_cast<double>(number(flags, "seconds", 3));
  const std::string payload(bytes, 'x');
  std::string one, out;
  RespCommand{"XADD", "plain", "MAXLEN", "~", "1000", "*", "event", "message", "data", payload}.append_to(one);
  RespCommand{"PUBLISH", "plain", payload}.append_to(one);
  const auto send = [&](std::uint64_t count) {
    out.clear();
    for (std::uint64_t i = 0; i < count; ++i) out += one;
    for (std::string_view left = out; !left.empty();) {
      const ssize_t sent = ::send(socket, left.data(), left.size(), 0);
      if (sent <= 0) give_up("the connection is lost");
      left.remove_prefix(static_cast<std::size_t>(sent));
    }
  };
  RespReader reader;
  std::vector<char> buffer(256 << 10);
  std::uint64_t replies = 0, done = 0;
  send(window);
  const double begin = seconds_now(), processor_before = processor_seconds();
  while (seconds_now() - begin < seconds) {
    const ssize_t got = ::recv(socket, buffer.data(), buffer.size(), 0);
    if (got <= 0) give_up("the connection is lost");
    reader.feed({buffer.data(), static_cast<std::size_t>(got)});
    std::uint64_t answered = 0;
    while (const std::optional<RespValue> value = reader.next()) {
      if (value->error() != nullptr) give_up(value->error()->text);
      if (++replies % 2 == 0) ++answered;
    }
    done += answered;
    if (answered > 0) send(answered);
  }
  const double took = seconds_now() - begin, processor = processor_seconds() - processor_before;
  ::close(socket);
  fmt::print("plain window={} bytes={} per_second={:.0f} cpu_us={:.2f}\n", window, bytes, static_cast<double>(done) / took,
             1e6 * processor / static_cast<double>(done));
}

// One publish at a time; the next when the other node has heard it.
void run_latency(const Flags& flags) {
  Node from(flags), to(flags);
  to.listen("bench:1");
  const std::uint64_t count = number(flags, "count", 5000), bytes = number(flags, "bytes", 128);
  const Bytes payload = Bytes::copy_of(std::string(bytes, 'x'));
  std::vector<double> took;
  for (std::uint64_t i = 0; i < count; ++i) {
    const double begin = seconds_now();
    from.engine().publish(draft_of("bench:1", payload), [](const Result<Receipt>& outcome) {
      if (!outcome) give_up(outcome.error().text);
    });
    to.listener.wait_for(i + 1);
    took.push_back(seconds_now() - begin);
  }
  std::sort(took.begin(), took.end());
  const auto at = [&](double share) { return 1e6 * took[static_cast<std::size_t>(share * static_cast<double>(count - 1))]; };
  fmt::print("latency bytes={} p50_us={:.0f} p99_us={:.0f}\n", bytes, at(0.5), at(0.99));
}

}  // namespace
}  // namespace carillon

int main(int count, char** words) {
  const carillon::Flags flags = carillon::read_flags(count, words);
  const std::string what = count > 1 ? words[1] : "";
  if (what == "publish") {
    carillon::run_publish(flags);
  } else if (what == "plain") {
    carillon::run_plain(flags);
  } else if (what == "latency") {
    carillon::run_latency(flags);
  } else {
    carillon::give_up("publish, plain or latency");
  }
}
