#include "client/load/load_report.h"

#include <fmt/core.h>

#include <string_view>

namespace carillon {
namespace {

// Writes the few kinds of values a report has.
class JsonObject {
 public:
  void add(std::string_view name, double value) { add_raw(name, fmt::format("{:.6g}", value)); }
  void add(std::string_view name, std::uint64_t value) { add_raw(name, fmt::format("{}", value)); }
  void add(std::string_view name, std::optional<double> value) { value ? add(name, *value) : add_raw(name, "null"); }
  void add(std::string_view name, std::string_view text) {
    std::string quoted = "\"";
    for (const char c : text) {
      if (c == '"' || c == '\\') quoted += '\\';
      if (static_cast<unsigned char>(c) < 0x20)
        quoted += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
      else
        quoted += c;
    }
    add_raw(name, quoted + '"');
  }
  std::string text() const { return text_ + '}'; }

 private:
  void add_raw(std::string_view name, std::string_view value) {
    text_ += fmt::format("{}\"{}\": {}", text_.size() > 1 ? ", " : "", name, value);
  }
  std::string text_ = "{";
};

class Lines {
 public:
  void add(std::string_view name, std::string_view value) { text_ += fmt::format("  {:<24}{}\n", name, value); }
  std::string text() && { return std::move(text_); }

 private:
  std::string text_;
};

void add_connections(Lines& lines, const LoadReport& report) {
  lines.add("connections", fmt::format("{}", report.connections));
  if (report.refused + report.gone > 0) {
    lines.add("refused, lost", fmt::format("{}, {} ({})", report.refused, report.gone, report.first_refusal));
  }
  if (report.handshakes_per_s > 0) lines.add("handshakes", fmt::format("{:.0f} a second", report.handshakes_per_s));
}

void add_deliveries(Lines& lines, const LoadReport& report) {
  lines.add("measured for", fmt::format("{:.1f} s", report.seconds));
  lines.add("publishes", fmt::format("{} ({:.0f} a second)", report.publishes, report.publishes_per_s));
  lines.add("deliveries", fmt::format("{} ({:.0f} a second)", report.deliveries, report.deliveries_per_s));
  lines.add("bytes a message", fmt::format("{:.0f}", report.message_bytes));
  lines.add("messages a read", fmt::format("{:.2f}", report.messages_per_read));
  if (report.answers > 0) {
    lines.add("answers to polls", fmt::format("{} ({:.0f} a second)", report.answers, report.answers_per_s));
    lines.add("bytes an answer", fmt::format("{:.0f}", report.answer_bytes));
  }
  lines.add("latency p50, p99, max",
            fmt::format("{:.0f}, {:.0f}, {:.0f} us", report.latency_p50_us, report.latency_p99_us, report.latency_max_us));
  lines.add("lost, gaps, duplicates", fmt::format("{}, {}, {}", report.lost, report.gaps, report.duplicates));
  if (report.errors > 0) lines.add("error answers", fmt::format("{} ({})", report.errors, report.first_error));
  if (report.stalls > 0) lines.add("stalls of a second", fmt::format("{}", report.stalls));
}

void add_server(Lines& lines, const LoadReport& report) {
  const auto& server = report.server;
  lines.add("server busy", fmt::format("{:.0f} % of a core", server.busy_percent));
  if (report.deliveries > 0) lines.add("server CPU a delivery", fmt::format("{:.3f} us", server.cpu_us_per_delivery));
  if (report.answers > 0) lines.add("server CPU an answer", fmt::format("{:.3f} us", server.cpu_us_per_answer));
  if (report.publishes > 0) lines.add("server CPU a publish", fmt::format("{:.1f} us", server.cpu_us_per_publish));
  lines.add("server CPU a handshake", fmt::format("{:.1f} us", server.cpu_us_per_handshake));
  lines.add("server RSS", fmt::format("{:.1f} MB, {:.0f} bytes a connection", static_cast<double>(server.rss_bytes) / 1e6,
                                      server.rss_bytes_per_connection));
}

}  // namespace

std::string load_report_text(const LoadReport& report) {
  Lines lines;
  add_connections(lines, report);
  if (report.publishes > 0) add_deliveries(lines, report);
  if (report.server_known) add_server(lines, report);
  lines.add("generator busy", fmt::format("{:.0f} %", report.instrument.busy_percent));
  if (report.instrument.others_percent) {
    lines.add("others on the machine", fmt::format("{:.0f} % of a core", *report.instrument.others_percent));
  }
  return std::move(lines).text();
}

std::string load_report_json(const LoadReport& report) {
  const auto known = [&](double value) { return report.server_known ? std::optional(value) : std::nullopt; };
  JsonObject object;
  object.add("seconds", report.seconds);
  object.add("connections", report.connections);
  object.add("refused", report.refused);
  object.add("gone", report.gone);
  object.add("first_refusal", std::string_view(report.first_refusal));
  object.add("handshakes_per_s", report.handshakes_per_s);
  object.add("publishes", report.publishes);
  object.add("publishes_per_s", report.publishes_per_s);
  object.add("deliveries", report.deliveries);
  object.add("deliveries_per_s", report.deliveries_per_s);
  object.add("message_bytes", report.message_bytes);
  object.add("messages_per_read", report.messages_per_read);
  object.add("answers", report.answers);
  object.add("answers_per_s", report.answers_per_s);
  object.add("answer_bytes", report.answer_bytes);
  object.add("latency_p50_us", report.latency_p50_us);
  object.add("latency_p99_us", report.latency_p99_us);
  object.add("latency_max_us", report.latency_max_us);
  object.add("lost", report.lost);
  object.add("gaps", report.gaps);
  object.add("duplicates", report.duplicates);
  object.add("errors", report.errors);
  object.add("first_error", std::string_view(report.first_error));
  object.add("stalls", report.stalls);
  object.add("server_cpu_us_per_delivery", known(report.server.cpu_us_per_delivery));
  object.add("server_cpu_us_per_answer", known(report.server.cpu_us_per_answer));
  object.add("server_cpu_us_per_publish", known(report.server.cpu_us_per_publish));
  object.add("server_cpu_us_per_handshake", known(report.server.cpu_us_per_handshake));
  object.add("server_busy_percent", known(report.server.busy_percent));
  object.add("server_rss_bytes", known(static_cast<double>(report.server.rss_bytes)));
  object.add("server_rss_bytes_per_connection", known(report.server.rss_bytes_per_connection));
  object.add("generator_busy_percent", report.instrument.busy_percent);
  object.add("others_percent", report.instrument.others_percent);
  return object.text();
}

}  // namespace carillon
