#include "wire/http/http_response_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstring>
#include <iterator>

#include "base/check.h"
#include "wire/http/http_syntax.h"

namespace carillon {
namespace {

bool may_have_body(int status) {
  return status >= 200 && status != 204 && status != 304;
}

bool is_written_by_us(std::string_view name) {
  for (const std::string_view ours : {"Content-Length", "Transfer-Encoding", "Date"}) {
    if (equal_ignoring_case(name, ours)) return true;
  }
  return false;
}

bool is_control(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return (byte < 0x20 && byte != '\t') || byte == 0x7F;
}

// Whether one of eight bytes is below the space or DEL; of others above ASCII, maybe. (As in wire/json/json_slicer.cc.)
bool may_hold_control(std::uint64_t eight) {
  constexpr std::uint64_t kOnes = 0x0101010101010101u;
  constexpr std::uint64_t kHighs = 0x8080808080808080u;
  const std::uint64_t del = eight ^ kOnes * 0x7F;
  return (((eight - kOnes * 0x20) | (del - kOnes)) & kHighs) != 0;
}

bool may_hold_control(std::string_view text) {
  if (text.size() < 8) return std::any_of(text.begin(), text.end(), is_control);
  const auto eight_at = [text](std::size_t at) {
    std::uint64_t eight;
    std::memcpy(&eight, text.data() + at, 8);
    return eight;
  };
  for (std::size_t at = 0; at + 8 < text.size(); at += 8) {
    if (may_hold_control(eight_at(at))) return true;
  }
  return may_hold_control(eight_at(text.size() - 8));
}

void append_field(std::string& out, std::string_view name, std::string_view value) {
  out.append(name).append(": ").append(value);
  if (may_hold_control(value))
    std::replace_if(out.end() - static_cast<std::ptrdiff_t>(value.size()), out.end(), is_control, ' ');
  out.append("\r\n");
}

void append_number(std::string& out, std::size_t number) {
  char digits[20];
  out.append(digits, std::to_chars(digits, digits + sizeof(digits), number).ptr);
}

// About what a response's head takes, so that it is written into one piece of memory.
std::size_t head_size_of(const HttpResponse& response) {
  std::size_t size = 160;
  for (const auto& [name, value] : response.headers.fields()) size += name.size() + value.size() + 4;
  return size;
}

// Status line and all fields but those that frame the body.
void append_head(std::string& out, const HttpResponse& response, const ResponseContext& context) {
  CHECK(response.status >= 100 && response.status <= 999);
  out.append("HTTP/1.1 ");
  append_number(out, static_cast<std::size_t>(response.status));
  out.append(" ").append(http_reason(response.status)).append("\r\n");
  if (!context.date.empty()) append_field(out, "Date", context.date);
  for (const auto& [name, value] : response.headers.fields()) {
    CHECK(is_http_token(name));
    if (!is_written_by_us(name)) append_field(out, name, value);
  }
  if (response.status < 200) return;  // An interim response ends nothing; after 101 the connection is no longer HTTP.
  if (!context.keep_alive) {
    out.append("Connection: close\r\n");
  } else if (context.minor_version == 0) {
    out.append("Connection: keep-alive\r\n");
  }
}

}  // namespace

void write_response(std::string& out, const HttpResponse& response, const ResponseContext& context) {
  if (out.empty()) out.reserve(head_size_of(response) + response.body.size());
  const std::string_view body = write_response_head(out, response, context);
  out.append(body);
}

std::string_view write_response_head(std::string& out, const HttpResponse& response, const ResponseContext& context) {
  append_head(out, response, context);
  const bool has_body = may_have_body(response.status);
  if (has_body) {
    out.append("Content-Length: ");
    append_number(out, response.body.size());
    out.append("\r\n");
  }
  out.append("\r\n");
  return has_body && !context.head_only ? std::string_view(response.body) : std::string_view();
}

void write_stream_head(std::string& out, const HttpResponse& response, const ResponseContext& context) {
  CHECK(may_have_body(response.status));
  ResponseContext stream = context;
  if (context.minor_version == 0) stream.keep_alive = false;
  append_head(out, response, stream);
  if (context.minor_version > 0) out.append("Transfer-Encoding: chunked\r\n");
  out.append("\r\n");
}

void append_chunk(std::string& out, std::string_view data) {
  if (data.empty()) return;
  fmt::format_to(std::back_inserter(out), "{:x}\r\n", data.size());
  out.append(data).append("\r\n");
}

std::string http_date(std::int64_t unix_seconds) {
  // Written by hand because strftime follows the locale.
  static constexpr const char* kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const std::chrono::sys_seconds time{std::chrono::seconds{unix_seconds}};
  const auto midnight = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date{midnight};
  const std::chrono::hh_mm_ss clock{time - midnight};
  return fmt::format("{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT", kDays[std::chrono::weekday{midnight}.c_encoding()],
                     static_cast<unsigned>(date.day()), kMonths[static_cast<unsigned>(date.month()) - 1],
                     static_cast<int>(date.year()), clock.hours().count(), clock.minutes().count(), clock.seconds().count());
}

}  // namespace carillon
