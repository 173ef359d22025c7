// What the durable log costs, through the engine's port: publishes a second with each durability beside a plain loop of write
// and fdatasync with batches of the same size on the same disk; replay from the disk; opening a long log.
//
//   bench_durable publish --dir DIR [--bytes N] [--publishers N] [--durability sync|interval|none] [--elsewhere 1]
//           [--seconds N]
//   bench_durable plain   --dir DIR --bytes N --batch N [--seconds N]
//   bench_durable fill    --dir DIR --bytes N --count N [--channels N]
//   bench_durable replay  --dir DIR [--subscribers N]
//   bench_durable open    --dir DIR
//   bench_durable recover --port PORT --count N [--subscribers N]
//
// `elsewhere`: the publishers are on another thread than the log's writer. `recover` asks a running server for the first N
// publications of channel bench:1 over WebSocket, by one subscribe. Each prints one line of key=value pairs; bench/run.py makes
// a table of them.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <fstream>
#include <memory>
#include <semaphore>
#include <string>
#include <thread>
#include <vector>

#include "client/websocket_client.h"
#include "engine/log/log_engine.h"
#include "engine/memory/memory_engine.h"
#include "os/system_clock.h"
#include "os/system_files.h"
#include "publishers.h"

namespace carillon {
namespace {

std::uint64_t resident_bytes() {
  std::ifstream file("/proc/self/statm");
  std::uint64_t pages = 0;
  file >> pages >> pages;
  return pages * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

class Nobody final : public EngineEvents {
 public:
  void on_publication(const PublicationPtr&) override {}
  void on_gap(const std::string&, std::uint64_t) override {}
  void on_continuity(Continuity) override {}
};

struct World {
  explicit World(const Flags& flags) {
    LogEngineOptions options;
    options.store.directory = text(flags, "dir", "");
    if (options.store.directory.empty()) give_up("--dir is missing");
    HistoryRule rule{.count_max = 1'000'000'000};
    const std::string durability = text(flags, "durability", "interval");
    rule.durability = durability == "sync"       ? Durability::kSync
                      : durability == "interval" ? Durability::kInterval
                                                 : Durability::kNone;
    options.rule_for = [rule](std::string_view) { return rule; };
    auto opened = LogEngine::open(files, clock, random, memory, options);
    if (!opened) give_up(opened.error().text);
    engine = *std::move(opened);
    engine->set_events(nobody);
  }

  SystemClock clock;
  SystemRandom random;
  SystemFiles files;
  MemoryEngine memory{clock, random, {}};
  Nobody nobody;
  std::unique_ptr<LogEngine> engine;
};

void run_publish(const Flags& flags) {
  World world(flags);
  const std::uint64_t count = number(flags, "publishers", 64), bytes = number(flags, "bytes", 128);
  const bool elsewhere = number(flags, "elsewhere", 0) != 0;
  const std::uint64_t batches_before = world.engine->stats().batches_total;
  const Publishers::Outcome done =
      Publishers(*world.engine, "bench:1", bytes, elsewhere).run(count, static_cast<double>(number(flags, "seconds", 3)));
  const std::uint64_t batches = world.engine->stats().batches_total - batches_before;
  fmt::print("publishers={} bytes={} durability={} elsewhere={} per_second={:.0f} batch={:.1f} rss={}\n", count, bytes,
             text(flags, "durability", "interval"), elsewhere ? 1 : 0, done.per_second(),
             static_cast<double>(done.answered) / static_cast<double>(std::max<std::uint64_t>(batches, 1)), resident_bytes());
}

// What any log must do: append a batch, ask the disk to keep it.
void run_plain(const Flags& flags) {
  const std::string path = text(flags, "dir", "") + "/plain";
  const std::uint64_t batch = number(flags, "batch", 64), bytes = number(flags, "bytes", 128);
  const double seconds = static_cast<double>(number(flags, "seconds", 3));
  const int file = open(path.c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_APPEND, 0600);
  if (file < 0) give_up("cannot write " + path);
  const std::string records(batch * bytes, 'x');
  std::uint64_t batches = 0;
  const double begin = seconds_now();
  for (; seconds_now() - begin < seconds; ++batches) {
    if (write(file, records.data(), records.size()) != static_cast<ssize_t>(records.size())) give_up("write failed");
    if (fdatasync(file) != 0) give_up("fdatasync failed");
  }
  const double took = seconds_now() - begin;
  close(file);
  unlink(path.c_str());
  fmt::print("plain batch={} bytes={} per_second={:.0f} sync_us={:.1f}\n", batch, bytes,
             static_cast<double>(batches * batch) / took, 1e6 * took / static_cast<double>(batches));
}

void run_fill(const Flags& flags) {
  World world(flags);
  const std::uint64_t count = number(flags, "count", 1'000'000), channels = number(flags, "channels", 1);
  const Bytes payload = Bytes::copy_of(std::string(number(flags, "bytes", 128), 'x'));
  constexpr std::ptrdiff_t kUnderWay = 20'000;
  std::counting_semaphore<kUnderWay> places(kUnderWay);
  const double begin = seconds_now();
  for (std::uint64_t i = 0; i < count; ++i) {
    places.acquire();
    world.engine->publish(draft_of("bench:" + std::to_string(i % channels + 1), payload),
                          [&places](const Result<Receipt>& outcome) {
                            if (!outcome) give_up(outcome.error().text);
                            places.release();
                          });
  }
  for (std::ptrdiff_t i = 0; i < kUnderWay; ++i) places.acquire();
  fmt::print("filled={} per_second={:.0f} rss={}\n", count, static_cast<double>(count) / (seconds_now() - begin),
             resident_bytes());
}

// Each subscriber reads the channel page by page, the next when it has the one before.
class Replay {
 public:
  Replay(LogEngine& engine, std::atomic<std::uint64_t>& left) : engine_(engine), left_(left) {}

  void next() {
    engine_.history({.channel = "bench:1", .since = since_, .count_max = 1000}, [this](Result<HistoryPage> page) {
      if (!page) give_up(page.error().text);
      seen_ += page->publications.size();
      if (!page->publications.empty()) since_ = page->publications.back()->position;
      if (page->more) return next();
      left_.fetch_sub(1);
      left_.notify_one();
    });
  }
  std::uint64_t seen() const { return seen_; }

 private:
  LogEngine& engine_;
  std::atomic<std::uint64_t>& left_;
  std::optional<Position> since_;
  std::uint64_t seen_ = 0;
};

void run_replay(const Flags& flags) {
  World world(flags);
  const std::uint64_t subscribers = number(flags, "subscribers", 1);
  std::atomic<std::uint64_t> left{subscribers};
  std::vector<std::unique_ptr<Replay>> replays;
  for (std::uint64_t i = 0; i < subscribers; ++i) replays.push_back(std::make_unique<Replay>(*world.engine, left));
  const double begin = seconds_now();
  for (const auto& replay : replays) replay->next();
  for (std::uint64_t now = left.load(); now != 0; now = left.load()) left.wait(now);
  const double took = seconds_now() - begin;
  std::uint64_t seen = 0;
  for (const auto& replay : replays) seen += replay->seen();
  fmt::print("subscribers={} replayed={} per_second={:.0f} rss={}\n", subscribers, seen, static_cast<double>(seen) / took,
             resident_bytes());
}

void run_open(const Flags& flags) {
  const double begin = seconds_now();
  const World world(flags);
  fmt::print("open_ms={:.1f} rss={}\n", 1e3 * (seconds_now() - begin), resident_bytes());
}

// One subscriber over WebSocket: until it has all that was missed.
void recover_one(std::uint16_t port, std::uint64_t count, std::atomic<std::uint64_t>& received) {
  const Result<ClientUrl> url = parse_client_url(fmt::format("http://127.0.0.1:{}", port));
  if (!url) give_up(url.error().text);
  Result<WebSocketClient> client = WebSocketClient::connect(*url, "/ws");
  if (!client) give_up(client.error().text);
  const Result<void> sent = client->send_text(R"({"type":"subscribe","channel":"bench:1","recover":{"positions":{}},"id":1})");
  if (!sent) give_up(sent.error().text);
  for (std::uint64_t seen = 0; seen < count;) {
    const Result<WebSocketClient::Heard> heard = client->receive(std::chrono::seconds(60));
    if (!heard) give_up(heard.error().text);
    if (heard->kind != WebSocketClient::Heard::Kind::kMessage) give_up(fmt::format("after {} events: {}", seen, heard->text));
    if (heard->text.starts_with(R"({"type":"event")")) {
      ++seen;
      received.fetch_add(1, std::memory_order_relaxed);
    } else if (!heard->text.starts_with(R"({"type":"subscribed")") ||
               heard->text.find("\"recovered\":true") == std::string::npos) {
      give_up(heard->text);
    }
  }
}

void run_recover(const Flags& flags) {
  const auto port = static_cast<std::uint16_t>(number(flags, "port", 0));
  const std::uint64_t subscribers = number(flags, "subscribers", 1), count = number(flags, "count", 1'000'000);
  std::atomic<std::uint64_t> received{0};
  std::vector<std::thread> threads;
  const double begin = seconds_now();
  for (std::uint64_t i = 0; i < subscribers; ++i) threads.emplace_back([&] { recover_one(port, count, received); });
  for (std::thread& thread : threads) thread.join();
  const double took = seconds_now() - begin;
  fmt::print("subscribers={} recovered={} per_second={:.0f}\n", subscribers, received.load(),
             static_cast<double>(received.load()) / took);
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
  } else if (what == "fill") {
    carillon::run_fill(flags);
  } else if (what == "replay") {
    carillon::run_replay(flags);
  } else if (what == "open") {
    carillon::run_open(flags);
  } else if (what == "recover") {
    carillon::run_recover(flags);
  } else {
    carillon::give_up("publish, plain, fill, replay, open or recover");
  }
}
