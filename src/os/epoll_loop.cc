#include "os/epoll_loop.h"

#include <fmt/format.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>

#include "base/check.h"

namespace carillon {
namespace {

thread_local const EpollLoop* running_here = nullptr;

std::int64_t monotonic_us() {
  return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

Millis monotonic_now() {
  return Millis(monotonic_us() / 1000);
}

}  // namespace

Result<std::unique_ptr<EpollLoop>> EpollLoop::create() {
  FileDescriptor epoll(epoll_create1(EPOLL_CLOEXEC));
  FileDescriptor bell(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  if (!epoll || !bell) {
    return Error{ErrorKind::kInternal, fmt::format("cannot make an event loop: {}", std::strerror(errno))};
  }
  std::unique_ptr<EpollLoop> loop(new EpollLoop(std::move(epoll), std::move(bell)));
  if (Result<void> watched = loop->watch(loop->bell_fd_.get(), EPOLLIN, loop->bell_); !watched) return watched.error();
  return loop;
}

EpollLoop::EpollLoop(FileDescriptor epoll, FileDescriptor bell)
    : epoll_(std::move(epoll)),
      bell_fd_(std::move(bell)),
      bell_(bell_fd_.get()),
      read_buffer_(new char[kReadBufferBytes]),
      now_(monotonic_now()),
      timers_(now_) {}

EpollLoop::~EpollLoop() {
  stop_taking();
}

void EpollLoop::run() {
  running_here = this;
  while (!stopping_.load(std::memory_order_acquire)) turn();
  stop_taking();
  running_here = nullptr;
}

// What is destroyed may post and dispose of more.
void EpollLoop::stop_taking() {
  free_disposed();
  std::vector<Task> unrun;
  {
    const std::lock_guard lock(posted_mutex_);
    stopped_ = true;
    unrun.swap(posted_);
  }
  unrun.clear();
  free_disposed();
}

void EpollLoop::stop() {
  stopping_.store(true, std::memory_order_release);
  post([] {});
}

void EpollLoop::post(Task task) {
  bool ring;
  {
    const std::lock_guard lock(posted_mutex_);
    if (stopped_) return;
    ring = posted_.empty();
    posted_.push_back(std::move(task));
  }
  // On our own thread the end of the turn looks; from elsewhere the first task of a batch wakes the loop.
  if (!ring || in_loop_thread()) return;
  const std::uint64_t one = 1;
  const ssize_t written = ::write(bell_fd_.get(), &one, sizeof one);
  CHECK(written == sizeof one || errno == EAGAIN);
}

void EpollLoop::Bell::on_ready(std::uint32_t) {
  std::uint64_t rung;
  [[maybe_unused]] const ssize_t got = ::read(fd_, &rung, sizeof rung);
}

bool EpollLoop::in_loop_thread() const {
  return running_here == this;
}

Result<void> EpollLoop::watch(int fd, std::uint32_t epoll_events, Pollable& pollable) {
  epoll_event event{.events = epoll_events, .data = {.ptr = &pollable}};
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0) return {};
  return Error{ErrorKind::kLimit, fmt::format("cannot watch a socket: {}", std::strerror(errno))};
}

void EpollLoop::change(int fd, std::uint32_t epoll_events, Pollable& pollable) {
  epoll_event event{.events = epoll_events, .data = {.ptr = &pollable}};
  CHECK(epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event) == 0);
}

void EpollLoop::forget(int fd) {
  static_cast<void>(epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr));
}

void EpollLoop::turn() {
  int timeout_ms;
  {
    const std::lock_guard lock(posted_mutex_);
    timeout_ms = posted_.empty() ? timer_wait_ms() : 0;
  }
  epoll_event events[kEventsPerTurn];
  const int ready = epoll_wait(epoll_.get(), events, kEventsPerTurn, timeout_ms);
  CHECK(ready >= 0 || errno == EINTR);
  const std::int64_t began_us = monotonic_us();
  now_ = Millis(began_us / 1000);
  for (int i = 0; i < ready; ++i) static_cast<Pollable*>(events[i].data.ptr)->on_ready(events[i].events);
  run_posted();
  timers_.advance(now_);
  for (TurnEnd* const hook : turn_ends_) hook->on_turn_end();
  free_disposed();
  measure_turn(began_us);
}

// Until the next timer, from now and not from when the last turn began; -1 when there is none.
int EpollLoop::timer_wait_ms() const {
  const std::int64_t wait = timers_.until_next(now_).count();
  if (wait <= 0) return static_cast<int>(wait);
  return static_cast<int>(std::clamp<std::int64_t>(wait - (monotonic_now() - now_).count(), 0, 60'000));
}

void EpollLoop::run_posted() {
  std::vector<Task> tasks;
  {
    const std::lock_guard lock(posted_mutex_);
    if (posted_.empty()) return;
    tasks.swap(posted_);
  }
  for (Task& task : tasks) task();
}

// Freeing may dispose of more: a connection frees its dialog, which frees its session.
void EpollLoop::free_disposed() {
  while (!disposed_.empty()) std::exchange(disposed_, {}).clear();
}

void EpollLoop::measure_turn(std::int64_t began_us) {
  turns_.add();
  const auto took = static_cast<std::uint64_t>(monotonic_us() - began_us);
  if (took > longest_turn_us_.load(std::memory_order_relaxed)) longest_turn_us_.store(took, std::memory_order_relaxed);
}

}  // namespace carillon
