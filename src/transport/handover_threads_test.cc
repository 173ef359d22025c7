// Exchanges handed over between two real loops, over real sockets, while clients come and go.
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <chrono>
#include <future>
#include <map>
#include <thread>

#include "os/epoll_loop.h"
#include "os/system_clock.h"
#include "os/tcp_listener.h"
#include "protocol/siblings.h"
#include "transport/edge.h"

namespace carillon {
namespace {

constexpr int kClients = 6;
constexpr int kRequestsEach = 150;

// Answers "/poll/{place}/{how}/{number}" at that place with the number: now, soon, or never.
class PollRoom {
 public:
  struct Counts {
    std::size_t handed_over = 0;
    std::size_t taken = 0;
    std::size_t gone = 0;  // Before the answer.
    std::size_t answered = 0;
    std::size_t told = 0;  // Whether the answer has left.
    std::size_t parked = 0;
    std::size_t waiting = 0;
  };

  PollRoom(Loop& loop, Siblings<PollRoom>& siblings, Routes& routes)
      : loop_(loop), siblings_(siblings), place_(siblings.add(loop, *this)) {
    routes.add("GET", "/poll/{place}/{how}/{number}", [this](ExchangePtr exchange) {
      ++counts_.handed_over;
      const std::size_t to = std::stoul(std::string(exchange->path_value("place")));
      siblings_.hand_over(place_, to, std::move(exchange),
                          [](PollRoom& room, ExchangePtr taken) { room.take(std::move(taken)); });
    });
  }

  Counts counts() const {
    Counts now = counts_;
    now.parked = parked_.size();
    now.waiting = siblings_.waiting(place_);
    return now;
  }

 private:
  void take(ExchangePtr exchange) {
    CHECK(loop_.in_loop_thread());
    ++counts_.taken;
    const int id = next_id_++;
    const std::string how(exchange->path_value("how"));
    Exchange& kept = *parked_.emplace(id, std::move(exchange)).first->second;
    if (how == "soon") {
      if (soon_.empty()) loop_.schedule(tick_, Millis{1});
      soon_.push_back(id);
    }
    kept.on_gone([this, id] {
      CHECK(loop_.in_loop_thread());
      ++counts_.gone;
      CHECK(parked_.erase(id) == 1);
    });
    if (how == "now") answer(id);
  }
  void answer(int id) {
    const auto found = parked_.find(id);
    if (found == parked_.end()) return;
    const ExchangePtr exchange = std::move(found->second);
    parked_.erase(found);
    ++counts_.answered;
    exchange->reply(HttpResponse::text(200, std::string(exchange->path_value("number"))), [this](bool) {
      CHECK(loop_.in_loop_thread());
      ++counts_.told;
    });
  }

  Loop& loop_;
  Siblings<PollRoom>& siblings_;
  const std::size_t place_;
  std::map<int, ExchangePtr> parked_;
  std::vector<int> soon_;
  CallbackTimer tick_{[this] {
    for (const int id : std::exchange(soon_, {})) answer(id);
  }};
  Counts counts_;
  int next_id_ = 0;
};

class TwoLoops {
 public:
  TwoLoops() {
    for (std::size_t i = 0; i < 2; ++i) lanes_.push_back(std::make_unique<Lane>(*this));
    for (const auto& lane : lanes_) lane->thread = std::thread([&loop = *lane->loop] { loop.run(); });
  }
  // In the server's order: edges, then rooms, then loops.
  ~TwoLoops() {
    for (std::size_t i = 0; i < lanes_.size(); ++i) stop(i);
    for (const auto& lane : lanes_) lane->listener.reset(), lane->edge.reset();
    for (const auto& lane : lanes_) lane->room.reset();
  }

  void stop(std::size_t place) {
    lanes_[place]->loop->stop();
    if (lanes_[place]->thread.joinable()) lanes_[place]->thread.join();
  }
  const PeerAddress& address(std::size_t place) const { return lanes_[place]->address; }

  // Of both rooms together.
  PollRoom::Counts counts() {
    PollRoom::Counts sum;
    for (const auto& lane : lanes_) {
      std::promise<PollRoom::Counts> promise;
      lane->loop->post([&] { promise.set_value(lane->room->counts()); });
      const PollRoom::Counts one = promise.get_future().get();
      sum.handed_over += one.handed_over;
      sum.taken += one.taken;
      sum.gone += one.gone;
      sum.answered += one.answered;
      sum.told += one.told;
      sum.parked += one.parked;
      sum.waiting += one.waiting;
    }
    return sum;
  }

 private:
  struct Lane {
    explicit Lane(TwoLoops& world) {
      loop = *EpollLoop::create();
      edge = std::make_unique<Edge>(world.shared_, *loop, world.clock_, world.random_, frame_memory);
      room = std::make_unique<PollRoom>(*loop, world.siblings_, edge->router());
      Result<ListeningSockets> listening = listen_on("127.0.0.1:0", 1);
      CHECK(listening);
      address = listening->address;
      listener = std::make_unique<TcpListener>(*loop, std::move(listening->sockets.front()), *edge);
      CHECK(listener->start());
      edge->start();
    }

    std::unique_ptr<EpollLoop> loop;
    FrameMemory frame_memory;
    std::unique_ptr<PollRoom> room;
    std::unique_ptr<Edge> edge;
    std::unique_ptr<TcpListener> listener;
    PeerAddress address;
    std::thread thread;
  };

  SystemClock clock_;
  SystemRandom random_;
  EdgeShared shared_;
  Siblings<PollRoom> siblings_;
  std::vector<std::unique_ptr<Lane>> lanes_;
};

class Client {
 public:
  explicit Client(const PeerAddress& server) {
    const Result<SocketAddress> address = parse_address(server.text);
    socket_ = FileDescriptor(::socket(address->storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const timeval patience{.tv_sec = 60, .tv_usec = 0};
    CHECK(::setsockopt(socket_.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) == 0);
    CHECK(::connect(socket_.get(), reinterpret_cast<const sockaddr*>(&address->storage), address->size) == 0);
  }

  void ask(std::size_t place, std::string_view how, int number) {
    const std::string request = "GET /poll/" + std::to_string(place) + "/" + std::string(how) + "/" + std::to_string(number) +
                                " HTTP/1.1\r\nHost: h\r\n\r\n";
    [[maybe_unused]] const ssize_t sent = ::send(socket_.get(), request.data(), request.size(), MSG_NOSIGNAL);
  }
  // "200 17"; empty when the connection ended.
  std::string answer() {
    while (true) {
      if (const std::size_t head_end = received_.find("\r\n\r\n"); head_end != std::string::npos) {
        const std::size_t field = received_.find("Content-Length: ");
        const std::size_t end = head_end + 4 + std::stoul(received_.substr(field + 16));
        if (received_.size() >= end) {
          const std::string text = received_.substr(9, 3) + " " + received_.substr(head_end + 4, end - head_end - 4);
          received_.erase(0, end);
          return text;
        }
      }
      char buffer[4096];
      const ssize_t got = ::recv(socket_.get(), buffer, sizeof buffer, 0);
      if (got <= 0) return {};
      received_.append(buffer, static_cast<std::size_t>(got));
    }
  }
  // Closes; abruptly: by a reset.
  void vanish(bool abruptly) {
    const linger now{.l_onoff = abruptly, .l_linger = 0};
    CHECK(::setsockopt(socket_.get(), SOL_SOCKET, SO_LINGER, &now, sizeof now) == 0);
    socket_.close();
  }

 private:
  FileDescriptor socket_;
  std::string received_;
};

// Both ways, and at home. Every third request is of a client that does not wait for its answer.
void come_and_go(TwoLoops& server, int name) {
  const std::size_t home = static_cast<std::size_t>(name % 2);
  auto staying = std::make_unique<Client>(server.address(home));
  for (int i = 0; i < kRequestsEach; ++i) {
    const int number = name * kRequestsEach + i;
    const std::size_t place = i % 5 == 0 ? home : 1 - home;
    if (i % 3 == 0) {
      Client leaving(server.address(home));
      leaving.ask(place, i % 2 == 0 ? "never" : "soon", number);
      leaving.vanish(i % 4 == 0);
      continue;
    }
    const bool pipelined = i % 7 == 0;
    staying->ask(place, i % 2 == 0 ? "now" : "soon", number);
    if (pipelined) staying->ask(1 - place, "soon", number + 1'000'000);
    ASSERT_EQ(staying->answer(), "200 " + std::to_string(number));
    if (!pipelined) continue;
    ASSERT_EQ(staying->answer(), "200 " + std::to_string(number + 1'000'000));
  }
}

TEST(HandoverThreads, EachIsAnsweredOnceOrItsClientIsGone) {
  TwoLoops server;
  std::vector<std::thread> clients;
  for (int name = 0; name < kClients; ++name) clients.emplace_back([&server, name] { come_and_go(server, name); });
  for (std::thread& client : clients) client.join();
  const auto gives_up = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  PollRoom::Counts counts;
  do {
    std::this_thread::yield();
    counts = server.counts();
  } while ((counts.parked > 0 || counts.waiting > 0 || counts.taken < counts.handed_over || counts.told < counts.answered) &&
           std::chrono::steady_clock::now() < gives_up);
  EXPECT_EQ(counts.taken, counts.handed_over);
  EXPECT_EQ(counts.answered + counts.gone, counts.taken);
  EXPECT_EQ(counts.told, counts.answered);
  EXPECT_EQ(counts.parked, 0u);
  EXPECT_EQ(counts.waiting, 0u);
  EXPECT_GT(counts.gone, 0u);
}

TEST(HandoverThreads, WhoIsSentToALoopThatHasStoppedIsRefused) {
  TwoLoops server;
  Client client(server.address(0));
  client.ask(1, "soon", 1);
  EXPECT_EQ(client.answer(), "200 1");
  Client parked(server.address(0));
  parked.ask(1, "never", 2);  // Taken or not, it must not be waited for when the server ends.
  server.stop(1);
  client.ask(1, "now", 3);
  EXPECT_EQ(client.answer().substr(0, 4), "503 ");
  client.ask(0, "now", 4);
  EXPECT_EQ(client.answer(), "200 4");
}

// The loops stop one after the other, with exchanges on their way in both directions.
TEST(HandoverThreads, StoppingUnderLoadEndsAndLosesNothingToAnybody) {
  std::vector<std::thread> clients;
  std::atomic<int> answers{0};
  {
    TwoLoops server;
    for (int name = 0; name < 4; ++name) {
      const std::size_t home = static_cast<std::size_t>(name % 2);
      clients.emplace_back([&answers, home, client = std::make_unique<Client>(server.address(home))] {
        for (int number = 0;; ++number) {
          client->ask(1 - home, number % 2 == 0 ? "now" : "soon", number);
          const std::string answer = client->answer();
          if (answer.empty()) return;
          ++answers;
          if (answer.starts_with("503 ")) continue;
          ASSERT_EQ(answer, "200 " + std::to_string(number));
        }
      });
    }
    while (answers < 200) std::this_thread::yield();
    server.stop(1);
    server.stop(0);
  }
  for (std::thread& client : clients) client.join();
}

}  // namespace
}  // namespace carillon
