#include "protocol/phoenix/phoenix_poll_codec.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "base/utf8.h"
#include "wire/http/http_syntax.h"
#include "wire/json/json_writer.h"
#include "wire/text/base64.h"

namespace carillon {
namespace {

bool is_lines(std::string_view content_type) {
  return equal_ignoring_case(trim_http_space(content_type.substr(0, content_type.find(';'))), "application/x-ndjson");
}

Result<PhoenixPollFrame> text_frame(std::string_view text) {
  if (!is_utf8(text)) return Error{ErrorKind::kInvalid, "a text frame is not UTF-8"};
  return PhoenixPollFrame{.kind = MessageKind::kText, .text = text, .data = {}};
}

Result<PhoenixPollFrame> binary_frame(std::string_view base64) {
  if (base64.size() > kPhoenixPollBase64BytesMax) {
    return Error{ErrorKind::kTooLarge, fmt::format("a line of Base64 is longer than {} bytes", kPhoenixPollBase64BytesMax)};
  }
  std::optional<std::string> data = base64_decode(base64);
  if (!data) return Error{ErrorKind::kInvalid, "a line is neither a JSON array nor object nor Base64"};
  return PhoenixPollFrame{.kind = MessageKind::kBinary, .text = {}, .data = *std::move(data)};
}

// Takes the first line off the front, without its end (LF or CRLF).
std::string_view take_line(std::string_view& text) {
  std::string_view line = text.substr(0, text.find('\n'));
  text.remove_prefix(std::min(line.size() + 1, text.size()));
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

std::string answer(int status, std::string_view token, std::string_view messages) {
  std::string out;
  JsonWriter json(out);
  json.begin_object().key("status").number(status).key("token").string(token).key("messages").begin_array();
  if (!messages.empty()) json.raw(messages);
  json.end_array().end_object();
  return out;
}

HttpResponse json_response(std::string body) {
  HttpResponse response;
  response.headers.add("Content-Type", "application/json; charset=utf-8");
  response.headers.add("Cache-Control", "no-store");
  response.body = std::move(body);
  return response;
}

}  // namespace

Result<std::vector<PhoenixPollFrame>> read_phoenix_poll_body(std::string_view content_type, std::string_view body) {
  std::vector<PhoenixPollFrame> frames;
  if (!is_lines(content_type)) {
    Result<PhoenixPollFrame> frame = text_frame(body);
    if (!frame) return frame.error();
    frames.push_back(*std::move(frame));
    return frames;
  }
  while (!body.empty()) {
    const std::string_view line = take_line(body);
    if (line.empty()) continue;
    if (frames.size() == kPhoenixPollLinesMax) {
      return Error{ErrorKind::kTooLarge, fmt::format("more than {} lines", kPhoenixPollLinesMax)};
    }
    Result<PhoenixPollFrame> frame = line[0] == '[' || line[0] == '{' ? text_frame(line) : binary_frame(line);
    if (!frame) return frame.error();
    frames.push_back(*std::move(frame));
  }
  return frames;
}

std::string phoenix_poll_opened(std::string_view token) {
  return answer(410, token, {});
}

void append_phoenix_poll_message(std::string& collected, std::string_view frame) {
  append_json_string(collected, frame);
  collected += ',';
}

std::string phoenix_poll_messages(std::string_view token, std::string_view collected) {
  if (collected.empty()) return answer(204, token, {});
  return answer(200, token, collected.substr(0, collected.size() - 1));
}

std::string phoenix_poll_status(PhoenixPollStatus status) {
  return fmt::format(R"({{"status":{}}})", static_cast<int>(status));
}

HttpResponse phoenix_poll_response(std::string body) {
  HttpResponse response = json_response(std::move(body));
  response.headers.add("Access-Control-Allow-Origin", "*");
  return response;
}

HttpResponse phoenix_poll_origin_refused() {
  return json_response(phoenix_poll_status(PhoenixPollStatus::kForbidden));
}

HttpResponse phoenix_poll_preflight(std::string headers) {
  HttpResponse response = phoenix_poll_response(phoenix_poll_status(PhoenixPollStatus::kOk));
  response.headers.add("Access-Control-Allow-Headers", headers);
  response.headers.add("Access-Control-Allow-Methods", "get, post, options");
  response.headers.add("Access-Control-Max-Age", "3600");
  return response;
}

}  // namespace carillon
