#include "client/load/load_generator.h"

#include <fmt/core.h>
#include <sys/resource.h>

#include <algorithm>
#include <vector>

#include "client/load/latency_histogram.h"
#include "client/load/masked_frame.h"
#include "client/load/process_cost.h"
#include "client/load/publish_window.h"
#include "client/load/sequence_check.h"
#include "client/load/socket_crowd.h"

namespace carillon {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;
constexpr std::uint64_t kWaitMax = kSecond / 100;   // Between two looks at `stop` and the clock.
constexpr std::uint64_t kStallTime = kSecond;       // No delivery for so long: a closed loop gives up what is in flight.
constexpr std::uint64_t kQuietTime = kSecond / 10;  // A server that used no CPU time for so long has settled.
constexpr std::uint64_t kSettleLimit = 10 * kSecond;
constexpr std::uint32_t kBurstMax = 1000;        // Publishes between two looks at what came.
constexpr std::size_t kWholeMessage = 64 << 20;  // Messages of several deliveries are looked at whole.
constexpr std::uint64_t kFilesKept = 64;         // Of the file limit, for all that is no connection.

std::uint64_t to_ns(double seconds) {
  return static_cast<std::uint64_t>(seconds * static_cast<double>(kSecond));
}
double to_us(std::uint64_t nanoseconds) {
  return static_cast<double>(nanoseconds) / 1e3;
}
double ratio(double part, double whole) {
  return whole > 0 ? part / whole : 0;
}

double own_cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

Result<void> check_options(const LoadOptions& options) {
  const auto refuse = [](std::string text) { return Error{ErrorKind::kInvalid, std::move(text)}; };
  if (options.subscribers == 0) return refuse("at least one connection is needed");
  if (options.topics == 0) return refuse("at least one topic is needed");
  const bool polls = LoadLanguage(options.dialect, {}).polls();
  if (polls && options.measure == LoadOptions::Measure::kHandshakes) return refuse("clients that poll open no WebSockets");
  if (options.measure != LoadOptions::Measure::kDeliveries) return {};
  if (options.publishers == 0) return refuse("at least one publisher is needed");
  if (options.topics > options.subscribers) {
    return refuse("there must be no more topics than subscribers, so that everything published is heard");
  }
  const bool floor = options.dialect == LoadDialect::kFloor || options.dialect == LoadDialect::kFloorPolls;
  if (floor && options.topics != 1) return refuse("the floor knows no topics");
  if (options.payload_size < PayloadStamp::kSize) {
    return refuse(fmt::format("a payload holds at least its stamp of {} bytes", PayloadStamp::kSize));
  }
  if (options.rate < 0) return refuse("a rate cannot be negative");
  if (options.rate == 0 && options.window == 0) return refuse("a window of 0 publishes nothing");
  return {};
}

// One run from the first connection to the last delivery.
class LoadRun final : public CrowdHandler {
 public:
  LoadRun(const LoadOptions& options, CrowdTarget target)
      : options_(options),
        target_(std::move(target)),
        language_(options.dialect, target_.path),
        bayeux_place_(language_.bayeux_place(target_.authority)),
        lanes_((options.publishers + options.topics - 1) / options.topics),
        window_(std::max(options.window, 1u)),
        order_(options.subscribers, options.topics, lanes_) {}

  Result<LoadReport> run();

  void on_open(std::uint32_t member) override;
  void on_frame(std::uint32_t member, const ScannedFrame& frame) override;
  void on_answer(std::uint32_t member, const ScannedAnswer& answer) override;
  void on_gone(std::uint32_t member, std::string_view why) override;

 private:
  // What everything stood at, at one moment; a measurement is the difference of two.
  struct Mark {
    std::uint64_t time_ns = 0;
    std::uint64_t idle_ns = 0;
    std::uint64_t reads = 0;
    double server_cpu_s = 0;
    double own_cpu_s = 0;
    double machine_s = 0;
    std::uint64_t publishes = 0;
    std::uint64_t deliveries = 0;
    std::uint64_t delivered_bytes = 0;
    std::uint64_t answers = 0;
    std::uint64_t answered_bytes = 0;
  };

  Result<void> measure_handshakes();
  Result<void> measure_deliveries();
  Result<void> hold();

  Result<void> new_crowd();
  Result<void> open_everybody();
  void add_members();
  Result<void> wait_until_open();
  Result<void> wait_until_quiet();
  Result<void> run_until(std::uint64_t time_ns);
  Result<void> drain();

  void publish_what_is_due();
  void publish(std::uint64_t sent_ns);
  void on_subscriber_frame(std::uint32_t member, const ScannedFrame& frame);
  // Whether it counts: it is not one that came before.
  bool on_delivery(std::uint32_t subscriber, const PayloadStamp& stamp);
  void on_bayeux_text(std::uint32_t member, std::string_view text, std::uint64_t bytes);
  void follow(std::uint32_t member, const BayeuxTalk::Turn& turn);
  void send_message(std::uint32_t member, std::string_view message);
  void on_ready(std::uint32_t member);
  void on_error(std::uint32_t member, std::string_view text);
  void give_up(std::uint32_t member, std::string_view why);

  Mark mark() const;
  void report_span(const Mark& from, const Mark& to);
  void report_server_memory();

  bool is_publisher(std::uint32_t member) const { return member < publishers_; }
  bool is_subscriber(std::uint32_t member) const { return member - publishers_ < subscribers_; }
  std::uint32_t topic_of(std::uint32_t member) const { return (member - publishers_) % options_.topics; }
  // Everybody but the publishers, in a load of Bayeux clients.
  BayeuxTalk& talk_of(std::uint32_t member) { return talks_[member - publishers_]; }
  std::string channel_of(std::uint32_t member) const {
    return is_subscriber(member) ? channel(topic_of(member)) : "bench:idle";
  }
  std::string channel(std::uint32_t topic) const { return fmt::format("bench:{:05}", topic + 1); }
  bool stopped() const { return options_.stop != nullptr && options_.stop->load(std::memory_order_relaxed); }
  // Lets things happen; waits so long at most, or not at all when spinning.
  void poll(std::uint64_t wait_ns) { crowd_->poll(options_.spin ? 0 : wait_ns); }

  const LoadOptions& options_;
  const CrowdTarget target_;
  const LoadLanguage language_;
  const BayeuxPlace bayeux_place_;
  std::vector<BayeuxTalk> talks_;
  std::unique_ptr<SocketCrowd> crowd_;
  LoadReport report_;

  // Members are numbered publishers first, then subscribers, then those who only stand by.
  std::uint32_t publishers_ = 0;
  std::uint32_t subscribers_ = 0;
  bool subscribing_ = false;  // Whether a member subscribes once it is upgraded.
  std::vector<bool> ready_;   // By member: upgraded, and subscribed when it should be.
  std::size_t ready_count_ = 0;
  std::size_t settled_count_ = 0;      // Ready or refused: no longer waited for.
  std::uint64_t earlier_idle_ns_ = 0;  // Of crowds that went before.
  double opening_s_ = 0;
  double opening_cpu_s_ = 0;
  std::uint64_t handshakes_ = 0;
  std::uint64_t first_rss_ = 0;

  const std::uint32_t lanes_;  // Publishers that take turns on one channel.
  PublishWindow window_;
  SequenceCheck order_;
  StampFinder stamps_;
  LatencyHistogram latency_;
  bool measuring_ = false;
  std::uint32_t next_sequence_ = 0;
  std::uint64_t next_due_ns_ = 0;
  std::uint64_t last_progress_ns_ = 0;
  std::vector<std::uint64_t> hearers_;  // By topic.
  std::uint64_t hearing_ = 0;           // All of them.
  std::vector<std::string> outgoing_;   // By publisher: frames of this turn.
  std::uint64_t expected_ = 0;
  std::uint64_t deliveries_ = 0;
  std::uint64_t delivered_bytes_ = 0;
  std::uint64_t answers_ = 0;
  std::uint64_t answered_bytes_ = 0;
};

Result<LoadReport> LoadRun::run() {
  if (options_.server_pid > 0) {
    const auto rss = process_rss_bytes(options_.server_pid);
    if (!rss || !process_cpu_seconds(options_.server_pid)) {
      return Error{ErrorKind::kInvalid, fmt::format("there is no process {} to measure", options_.server_pid)};
    }
    first_rss_ = *rss;
    report_.server_known = true;
  }
  Result<void> done;
  switch (options_.measure) {
    case LoadOptions::Measure::kHandshakes: done = measure_handshakes(); break;
    case LoadOptions::Measure::kIdle: done = hold(); break;
    case LoadOptions::Measure::kDeliveries: done = measure_deliveries(); break;
  }
  if (!done) return done.error();
  report_.handshakes_per_s = ratio(static_cast<double>(handshakes_), opening_s_);
  report_.server.cpu_us_per_handshake = 1e6 * ratio(opening_cpu_s_, static_cast<double>(handshakes_));
  return report_;
}

// --- What is measured

Result<void> LoadRun::measure_handshakes() {
  const std::uint64_t files = allow_many_sockets();
  const auto at_once = static_cast<std::uint32_t>(files > 2 * kFilesKept ? files - kFilesKept : files / 2);
  const Mark from = mark();
  for (std::uint32_t left = options_.subscribers; left > 0;) {
    const std::uint32_t count = std::min(left, at_once);
    left -= count;
    if (auto made = new_crowd(); !made) return made;
    if (auto quiet = wait_until_quiet(); !quiet) return quiet;
    for (std::uint32_t i = 0; i < count; ++i) crowd_->add(target_.path);
    ready_.assign(count, false);
    if (auto opened = wait_until_open(); !opened) return opened;
    report_.connections = std::max<std::uint64_t>(report_.connections, ready_count_);
    report_server_memory();
  }
  report_span(from, mark());
  return {};
}

Result<void> LoadRun::hold() {
  subscribing_ = true;
  if (auto opened = open_everybody(); !opened) return opened;
  const Mark from = mark();
  if (auto held = run_until(crowd_->now_ns() + to_ns(options_.duration_s)); !held) return held;
  report_span(from, mark());
  report_server_memory();
  return {};
}

Result<void> LoadRun::measure_deliveries() {
  subscribing_ = true;
  publishers_ = options_.publishers;
  subscribers_ = options_.subscribers;
  hearers_.assign(options_.topics, 0);
  outgoing_.resize(publishers_);
  if (auto opened = open_everybody(); !opened) return opened;
  for (std::uint32_t i = 0; i < publishers_; ++i) {
    if (!ready_[i])
      return Error{ErrorKind::kUnavailable, fmt::format("a publisher could not connect: {}", report_.first_refusal)};
  }
  report_server_memory();

  next_due_ns_ = last_progress_ns_ = crowd_->now_ns();
  if (auto warm = run_until(crowd_->now_ns() + to_ns(options_.warmup_s)); !warm) return warm;
  measuring_ = true;
  const Mark from = mark();
  if (auto measured = run_until(from.time_ns + to_ns(options_.duration_s)); !measured) return measured;
  report_span(from, mark());
  measuring_ = false;

  if (auto drained = drain(); !drained) return drained;
  report_.lost = expected_ - std::min(expected_, deliveries_);
  report_.latency_p50_us = to_us(latency_.quantile(0.5));
  report_.latency_p99_us = to_us(latency_.quantile(0.99));
  report_.latency_max_us = to_us(latency_.max());
  return {};
}

// --- Connections

Result<void> LoadRun::new_crowd() {
  if (crowd_ != nullptr) earlier_idle_ns_ += crowd_->idle_ns();
  crowd_.reset();
  ready_count_ = settled_count_ = 0;
  const std::size_t head_max = language_.bayeux() ? kWholeMessage : FrameScanner::kHeadMax;
  auto crowd = SocketCrowd::make(*this, {.target = target_, .frame_head_max = head_max});
  if (!crowd) return crowd.error();
  crowd_ = *std::move(crowd);
  return {};
}

Result<void> LoadRun::open_everybody() {
  allow_many_sockets();
  if (auto made = new_crowd(); !made) return made;
  add_members();
  if (auto opened = wait_until_open(); !opened) return opened;
  report_.connections = ready_count_;
  return wait_until_quiet();
}

void LoadRun::add_members() {
  const bool idle = options_.measure == LoadOptions::Measure::kIdle;
  const std::uint32_t bystanders = idle ? options_.subscribers : options_.bystanders;
  const std::string path = idle ? language_.subscriber_path() : language_.bystander_path();
  const std::uint32_t members = publishers_ + subscribers_ + bystanders;
  ready_.assign(members, false);
  talks_.clear();
  for (std::uint32_t member = 0; member < members; ++member) {
    if (is_publisher(member)) {
      crowd_->add(language_.publisher_path());
      continue;
    }
    if (language_.bayeux()) talks_.emplace_back(channel_of(member));
    if (language_.polls()) {
      crowd_->add_plain();
    } else {
      crowd_->add(is_subscriber(member) ? language_.subscriber_path() : path);
    }
  }
}

Result<void> LoadRun::wait_until_open() {
  const Mark from = mark();
  std::uint64_t since = crowd_->now_ns();
  for (std::size_t settled = 0; settled_count_ < ready_.size() && crowd_->now_ns() - since < to_ns(options_.patience_s);) {
    if (stopped()) return Error{ErrorKind::kUnavailable, "stopped"};
    poll(kWaitMax);
    if (settled_count_ > settled) since = crowd_->now_ns();
    settled = settled_count_;
  }
  const Mark to = mark();
  report_.refused += ready_.size() - settled_count_;
  opening_s_ += static_cast<double>(to.time_ns - from.time_ns) / 1e9;
  opening_cpu_s_ += to.server_cpu_s - from.server_cpu_s;
  handshakes_ += ready_count_;
  if (ready_count_ > 0) return {};
  return Error{ErrorKind::kUnavailable, report_.first_refusal.empty() ? "nobody answered" : report_.first_refusal};
}

// A server has work left when the last handshake is answered, or connections have just gone: that belongs to no measurement.
Result<void> LoadRun::wait_until_quiet() {
  const std::uint64_t limit = crowd_->now_ns() + kSettleLimit;
  double cpu = mark().server_cpu_s;
  std::uint64_t since = crowd_->now_ns();
  while (crowd_->now_ns() < limit && crowd_->now_ns() - since < kQuietTime) {
    if (stopped()) return Error{ErrorKind::kUnavailable, "stopped"};
    crowd_->poll(kWaitMax);
    const double used = mark().server_cpu_s;
    if (used != cpu) since = crowd_->now_ns();
    cpu = used;
  }
  return {};
}

void LoadRun::on_open(std::uint32_t member) {
  if (!subscribing_ || is_publisher(member)) return on_ready(member);
  if (language_.bayeux()) return follow(member, talk_of(member).begin(bayeux_place_));
  const std::string message = language_.subscribe(channel_of(member));
  if (message.empty()) return on_ready(member);
  send_message(member, message);
}

void LoadRun::send_message(std::uint32_t member, std::string_view message) {
  std::string frame;
  append_masked_frame(frame, kTextOpcode, message);
  crowd_->send(member, frame);
}

void LoadRun::on_ready(std::uint32_t member) {
  ready_[member] = true;
  ++ready_count_;
  ++settled_count_;
  if (!is_subscriber(member)) return;
  ++hearers_[topic_of(member)];
  ++hearing_;
}

void LoadRun::on_gone(std::uint32_t member, std::string_view why) {
  if (report_.first_refusal.empty()) report_.first_refusal = why;
  if (!ready_[member]) {
    ++report_.refused;
    ++settled_count_;
    return;
  }
  ++report_.gone;
  ready_[member] = false;
  if (!is_subscriber(member)) return;
  --hearers_[topic_of(member)];
  --hearing_;
}

// --- Traffic

void LoadRun::on_frame(std::uint32_t member, const ScannedFrame& frame) {
  if (language_.bayeux() && !is_publisher(member)) {
    on_bayeux_text(member, frame.head, frame.length);
    return follow(member, talk_of(member).on_messages(bayeux_place_, frame.head));
  }
  if (is_subscriber(member)) return on_subscriber_frame(member, frame);
  if (!ready_[member] && language_.is_subscribed(frame.head)) return on_ready(member);
  if (language_.is_error(frame.head)) on_error(member, frame.head);
}

void LoadRun::on_subscriber_frame(std::uint32_t member, const ScannedFrame& frame) {
  if (const auto stamp = stamps_.find(frame.head)) {
    if (on_delivery(member - publishers_, *stamp)) delivered_bytes_ += frame.length;
    return;
  }
  if (!ready_[member] && language_.is_subscribed(frame.head)) return on_ready(member);
  if (language_.is_error(frame.head)) on_error(member, frame.head);
}

void LoadRun::on_answer(std::uint32_t member, const ScannedAnswer& answer) {
  BayeuxTalk& talk = talk_of(member);
  if (talk.listening()) {
    ++answers_;
    answered_bytes_ += answer.size();
  }
  on_bayeux_text(member, answer.body, answer.size());
  follow(member, talk.on_answer(bayeux_place_, answer));
}

// Several messages may have come together, deliveries and replies.
void LoadRun::on_bayeux_text(std::uint32_t member, std::string_view text, std::uint64_t bytes) {
  if (!is_subscriber(member)) return;
  const std::uint64_t before = deliveries_;
  stamps_.each(text, [&](const PayloadStamp& stamp) { on_delivery(member - publishers_, stamp); });
  if (deliveries_ > before) delivered_bytes_ += bytes;
}

void LoadRun::follow(std::uint32_t member, const BayeuxTalk::Turn& turn) {
  if (!turn.fault.empty()) {
    if (report_.errors++ == 0) report_.first_error = turn.fault;
    return give_up(member, turn.fault);
  }
  if (language_.polls()) {
    crowd_->send(member, turn.say);
  } else if (!turn.say.empty()) {
    send_message(member, turn.say);
  }
  if (turn.subscribed) on_ready(member);
}

bool LoadRun::on_delivery(std::uint32_t subscriber, const PayloadStamp& stamp) {
  const auto verdict = order_.on_delivered(subscriber, stamp.sequence);
  if (verdict == SequenceCheck::Verdict::kDuplicate) {
    ++report_.duplicates;
    return false;
  }
  if (verdict == SequenceCheck::Verdict::kGap) ++report_.gaps;
  ++deliveries_;
  last_progress_ns_ = crowd_->now_ns();
  window_.on_delivered(stamp.sequence);
  if (measuring_) latency_.add(last_progress_ns_ - std::min(stamp.sent_ns, last_progress_ns_));
  return true;
}

// An error instead of `subscribed` means that this one will never hear anything.
void LoadRun::on_error(std::uint32_t member, std::string_view text) {
  if (report_.errors++ == 0) report_.first_error = text;
  if (!ready_[member]) give_up(member, text);
}

void LoadRun::give_up(std::uint32_t member, std::string_view why) {
  const std::string reason(why);  // What came goes with the member.
  crowd_->drop(member);
  on_gone(member, reason);
}

Result<void> LoadRun::run_until(std::uint64_t time_ns) {
  const bool publishes = publishers_ > 0;
  while (crowd_->now_ns() < time_ns) {
    if (stopped()) return Error{ErrorKind::kUnavailable, "stopped"};
    if (publishes && hearing_ == 0) {
      return Error{ErrorKind::kUnavailable, fmt::format("all subscribers are gone: {}", report_.first_refusal)};
    }
    if (publishes) publish_what_is_due();
    std::uint64_t wait = kWaitMax;
    if (publishes && options_.rate > 0) wait = std::min(wait, next_due_ns_ - std::min(next_due_ns_, crowd_->now_ns()));
    poll(wait);
  }
  return {};
}

void LoadRun::publish_what_is_due() {
  const std::uint64_t now = crowd_->now_ns();
  if (options_.rate > 0) {
    // The stamp says when it should have gone, so that a generator that was held up does not hide the wait.
    for (std::uint32_t i = 0; i < kBurstMax && next_due_ns_ <= now; ++i) {
      publish(next_due_ns_);
      next_due_ns_ += std::max<std::uint64_t>(1, to_ns(1 / options_.rate));
    }
  } else {
    if (!window_.empty() && now - std::min(now, last_progress_ns_) > kStallTime) {
      ++report_.stalls;
      window_.give_up();
    }
    if (window_.empty()) last_progress_ns_ = now;
    for (std::uint32_t i = 0; i < kBurstMax && window_.may_publish(); ++i) publish(now);
  }
  for (std::uint32_t publisher = 0; publisher < publishers_; ++publisher) {
    if (outgoing_[publisher].empty()) continue;
    crowd_->send(publisher, outgoing_[publisher]);
    outgoing_[publisher].clear();
  }
}

void LoadRun::publish(std::uint64_t sent_ns) {
  const std::uint32_t sequence = next_sequence_++;
  const std::uint32_t topic = sequence % options_.topics;
  const std::uint32_t lane = sequence / options_.topics % lanes_;
  const std::uint32_t publisher = (topic + lane * options_.topics) % publishers_;
  const PayloadStamp stamp{.sent_ns = sent_ns, .sequence = sequence};
  append_masked_frame(outgoing_[publisher], kTextOpcode, language_.publish(channel(topic), stamp, options_.payload_size));
  expected_ += hearers_[topic];
  if (options_.rate == 0) window_.on_published(hearers_[topic]);
}

Result<void> LoadRun::drain() {
  last_progress_ns_ = crowd_->now_ns();
  while (deliveries_ < expected_ && crowd_->now_ns() - last_progress_ns_ < to_ns(options_.drain_s)) {
    if (stopped()) return Error{ErrorKind::kUnavailable, "stopped"};
    poll(kWaitMax);
  }
  return {};
}

// --- Figures

LoadRun::Mark LoadRun::mark() const {
  Mark mark{.time_ns = SocketCrowd::clock_ns(),
            .idle_ns = earlier_idle_ns_,
            .own_cpu_s = own_cpu_seconds(),
            .machine_s = machine_busy_seconds(),
            .publishes = next_sequence_,
            .deliveries = deliveries_,
            .delivered_bytes = delivered_bytes_,
            .answers = answers_,
            .answered_bytes = answered_bytes_};
  if (report_.server_known) mark.server_cpu_s = process_cpu_seconds(options_.server_pid).value_or(0);
  if (crowd_ != nullptr) {
    mark.idle_ns += crowd_->idle_ns();
    mark.reads = crowd_->reads();
  }
  return mark;
}

void LoadRun::report_span(const Mark& from, const Mark& to) {
  report_.seconds = static_cast<double>(to.time_ns - from.time_ns) / 1e9;
  const double span = report_.seconds;
  report_.publishes = to.publishes - from.publishes;
  report_.deliveries = to.deliveries - from.deliveries;
  const auto publishes = static_cast<double>(report_.publishes);
  const auto deliveries = static_cast<double>(report_.deliveries);
  report_.publishes_per_s = ratio(publishes, span);
  report_.deliveries_per_s = ratio(deliveries, span);
  report_.message_bytes = ratio(static_cast<double>(to.delivered_bytes - from.delivered_bytes), deliveries);
  report_.answers = to.answers - from.answers;
  const auto answers = static_cast<double>(report_.answers);
  report_.answers_per_s = ratio(answers, span);
  report_.answer_bytes = ratio(static_cast<double>(to.answered_bytes - from.answered_bytes), answers);
  report_.messages_per_read = ratio(deliveries, static_cast<double>(to.reads - from.reads));

  const double server_s = to.server_cpu_s - from.server_cpu_s;
  report_.server.cpu_us_per_delivery = 1e6 * ratio(server_s, deliveries);
  report_.server.cpu_us_per_answer = 1e6 * ratio(server_s, answers);
  report_.server.cpu_us_per_publish = 1e6 * ratio(server_s, publishes);
  report_.server.busy_percent = 100 * ratio(server_s, span);
  report_.instrument.busy_percent =
      std::max(0.0, 100 - 100 * ratio(static_cast<double>(to.idle_ns - from.idle_ns) / 1e9, span));
  if (report_.server_known) {
    const double others = to.machine_s - from.machine_s - server_s - (to.own_cpu_s - from.own_cpu_s);
    report_.instrument.others_percent = std::max(0.0, 100 * ratio(others, span));
  }
}

void LoadRun::report_server_memory() {
  if (!report_.server_known) return;
  report_.server.rss_bytes = process_rss_bytes(options_.server_pid).value_or(0);
  const double grown = static_cast<double>(report_.server.rss_bytes) - static_cast<double>(first_rss_);
  report_.server.rss_bytes_per_connection = ratio(grown, static_cast<double>(ready_count_));
}

}  // namespace

Result<LoadReport> run_load(const LoadOptions& options) {
  if (auto checked = check_options(options); !checked) return checked.error();
  auto target = resolve_target(options.url);
  if (!target) return target.error();
  return LoadRun(options, *std::move(target)).run();
}

}  // namespace carillon
