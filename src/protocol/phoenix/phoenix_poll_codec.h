// Phoenix's long-poll transport: request bodies to frames, answers to JSON. No state of a session.
//
// Every answer is HTTP 200, but for methods that there are not; the status that clients look at stands in the JSON.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "carillon/result.h"
#include "protocol/link.h"
#include "wire/http/http_message.h"

namespace carillon {

// A longer body is refused whole: phoenix.js sends no more in a batch.
inline constexpr std::size_t kPhoenixPollLinesMax = 100;
// Of Base64 text, as upstream counts; a longer line refuses the body.
inline constexpr std::size_t kPhoenixPollBase64BytesMax = 10'000'000;

// One frame of a body. A text is a view into the body; a binary frame is decoded.
struct PhoenixPollFrame {
  MessageKind kind = MessageKind::kText;
  std::string_view text;
  std::string data;

  std::string_view bytes() const { return kind == MessageKind::kText ? text : std::string_view(data); }
};

// Of `application/x-ndjson` each line is a frame: text when it begins with `[` or, in V1, `{`; else Base64 of a binary frame;
// empty lines are none. A body of any other type is one text frame. Texts are checked to be UTF-8. Errors: kInvalid, kTooLarge.
Result<std::vector<PhoenixPollFrame>> read_phoenix_poll_body(std::string_view content_type, std::string_view body);

// A new session: {"status":410,"token":"T","messages":[]}. That is what its client waits for.
std::string phoenix_poll_opened(std::string_view token);

// What waits for a client is collected as JSON strings, each with a comma behind it, and goes out as one answer:
// {"status":200,"token":"T","messages":["…"]}, or status 204 when nothing was collected.
void append_phoenix_poll_message(std::string& collected, std::string_view frame);
std::string phoenix_poll_messages(std::string_view token, std::string_view collected);

enum class PhoenixPollStatus : std::uint16_t {
  kOk = 200,
  kBadRequest = 400,
  kForbidden = 403,  // Whatever the reason: clients know no other refusal.
  kGone = 410,
  kTooLarge = 413,
};

// {"status":200}
std::string phoenix_poll_status(PhoenixPollStatus status);

// One of these as the answer. Any page may read it, as with Phoenix; so it is for requests whose origin is allowed.
HttpResponse phoenix_poll_response(std::string body);
// To a page whose origin is not: {"status":403}, for it not to read.
HttpResponse phoenix_poll_origin_refused();
// Leave for a page to send what phoenix.js sends. `headers`: what it asks to send.
HttpResponse phoenix_poll_preflight(std::string headers);

}  // namespace carillon
