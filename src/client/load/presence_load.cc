#include "client/load/presence_load.h"

#include <fmt/format.h>

#include <chrono>
#include <memory>

#include "client/hub_client.h"
#include "client/load/masked_frame.h"
#include "client/load/process_cost.h"
#include "client/load/socket_crowd.h"

namespace carillon {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;
constexpr std::uint64_t kWaitMax = kSecond / 100;  // Between two looks at `stop` and the clock.

std::uint64_t to_ns(double seconds) {
  return static_cast<std::uint64_t>(seconds * static_cast<double>(kSecond));
}

// One crowd, from its first connection to its end.
class PresenceRun final : public CrowdHandler {
 public:
  PresenceRun(const PresenceLoadOptions& options, CrowdTarget target, std::uint32_t members)
      : options_(options),
        target_(std::move(target)),
        language_(options.dialect, target_.path),
        channel_(fmt::format("{}:{}", options.channel, members)) {
    row_.members = members;
  }

  Result<PresenceLoadRow> run() {
    if (Result<void> opened = open(); !opened) return opened.error();
    if (Result<void> told = join(); !told) return told.error();
    if (Result<void> listed = list(); !listed) return listed.error();
    return row_;
  }

  void on_open(std::uint32_t) override { ++upgraded_; }
  void on_frame(std::uint32_t, const ScannedFrame& frame) override {
    ++row_.messages;
    row_.bytes += frame.length;
    last_ns_ = crowd_->now_ns();
    if (language_.is_subscribed(frame.head)) ++subscribed_;
    if (language_.is_error(frame.head)) fail(frame.head);
  }
  void on_gone(std::uint32_t, std::string_view why) override { fail(why); }

 private:
  Result<void> open() {
    auto crowd = SocketCrowd::make(*this, {.target = target_});
    if (!crowd) return crowd.error();
    crowd_ = *std::move(crowd);
    const std::string path = language_.subscriber_path();
    const char sign = path.find('?') == std::string::npos ? '?' : '&';
    for (std::uint32_t i = 0; i < row_.members; ++i) crowd_->add(fmt::format("{}{}user=user{}", path, sign, i));
    const std::uint64_t limit = crowd_->now_ns() + to_ns(options_.patience_s);
    while (upgraded_ < row_.members) {
      if (Result<void> fine = look(); !fine) return fine;
      if (crowd_->now_ns() > limit) return Error{ErrorKind::kUnavailable, "not everybody could connect in time"};
    }
    return {};
  }

  Result<void> join() {
    const double cpu = cpu_seconds();
    const std::uint64_t start = crowd_->now_ns();
    row_.messages = row_.bytes = 0;
    last_ns_ = start;
    for (std::uint32_t i = 0; i < row_.members; ++i) {
      std::string frame;
      append_masked_frame(frame, kTextOpcode, language_.subscribe_present(channel_));
      crowd_->send(i, frame);
      if (i % 100 == 99) crowd_->poll(0);
    }
    const std::uint64_t limit = start + to_ns(options_.patience_s);
    while (crowd_->now_ns() < limit && !row_.settled) {
      if (Result<void> fine = look(); !fine) return fine;
      row_.settled = subscribed_ >= row_.members && crowd_->now_ns() - last_ns_ > to_ns(options_.quiet_s);
    }
    row_.settle_s = static_cast<double>(last_ns_ - start) / 1e9;
    row_.server_cpu_s = cpu_seconds() - cpu;
    return {};
  }

  Result<void> list() {
    const Result<ClientUrl> url = parse_client_url("http://" + target_.authority);
    if (!url) return url.error();
    HubClient client(*url, {.bearer = options_.bearer});
    const std::uint64_t start = SocketCrowd::clock_ns();
    const Result<std::string> body = client.presence_body(channel_);
    row_.list_ms = static_cast<double>(SocketCrowd::clock_ns() - start) / 1e6;
    if (!body) return body.error();
    row_.list_bytes = body->size();
    const Result<PresenceAnswer> counts = client.presence_stats(channel_);
    if (!counts) return counts.error();
    row_.present = counts->members;
    return {};
  }

  Result<void> look() {
    if (options_.stop != nullptr && options_.stop->load(std::memory_order_relaxed)) {
      return Error{ErrorKind::kUnavailable, "stopped"};
    }
    crowd_->poll(kWaitMax);
    if (!fault_.empty()) return Error{ErrorKind::kUnavailable, fault_};
    return {};
  }
  void fail(std::string_view why) {
    if (fault_.empty()) fault_ = why;
  }
  double cpu_seconds() const { return options_.server_pid > 0 ? process_cpu_seconds(options_.server_pid).value_or(0) : 0; }

  const PresenceLoadOptions& options_;
  const CrowdTarget target_;
  const LoadLanguage language_;
  const std::string channel_;
  std::unique_ptr<SocketCrowd> crowd_;
  PresenceLoadRow row_;
  std::uint32_t upgraded_ = 0;
  std::uint32_t subscribed_ = 0;
  std::uint64_t last_ns_ = 0;
  std::string fault_;
};

}  // namespace

Result<std::vector<PresenceLoadRow>> run_presence_load(const PresenceLoadOptions& options) {
  if (options.dialect != LoadDialect::kNative && options.dialect != LoadDialect::kPhoenix) {
    return Error{ErrorKind::kInvalid, "only clients of the native protocol and of Phoenix become present"};
  }
  if (options.server_pid > 0 && !process_cpu_seconds(options.server_pid)) {
    return Error{ErrorKind::kInvalid, fmt::format("there is no process {} to measure", options.server_pid)};
  }
  allow_many_sockets();
  std::vector<PresenceLoadRow> rows;
  for (const std::uint32_t members : options.members) {
    if (members == 0) return Error{ErrorKind::kInvalid, "a crowd has at least one member"};
    Result<CrowdTarget> target = resolve_target(options.url);
    if (!target) return target.error();
    const Result<PresenceLoadRow> row = PresenceRun(options, *std::move(target), members).run();
    if (!row) return row.error();
    rows.push_back(*row);
  }
  return rows;
}

std::string presence_load_text(const std::vector<PresenceLoadRow>& rows) {
  std::string text = fmt::format("{:>8}{:>10}{:>11}{:>12}{:>14}{:>13}{:>14}{:>10}{:>13}\n", "members", "present", "settled s",
                                 "messages", "bytes", "bytes each", "server cpu s", "list ms", "list bytes");
  for (const PresenceLoadRow& row : rows) {
    text += fmt::format("{:>8}{:>10}{:>11}{:>12}{:>14}{:>13}{:>14.2f}{:>10.1f}{:>13}\n", row.members, row.present,
                        row.settled ? fmt::format("{:.2f}", row.settle_s) : "never", row.messages, row.bytes,
                        row.bytes / row.members, row.server_cpu_s, row.list_ms, row.list_bytes);
  }
  return text;
}

std::string presence_load_json(const std::vector<PresenceLoadRow>& rows) {
  std::string text = "[";
  for (const PresenceLoadRow& row : rows) {
    text += fmt::format(R"({}{{"members": {}, "present": {}, "settled": {}, "settle_s": {:.6g}, "messages": {}, "bytes": {}, )"
                        R"("server_cpu_s": {:.6g}, "list_ms": {:.6g}, "list_bytes": {}}})",
                        text.size() > 1 ? ", " : "", row.members, row.present, row.settled, row.settle_s, row.messages,
                        row.bytes, row.server_cpu_s, row.list_ms, row.list_bytes);
  }
  return text + ']';
}

}  // namespace carillon
