// Bayeux messages: the bytes of a request to messages, and replies to JSON. No state of a session.
//
// What is read strictly and what is let pass is said at each field. A text that is no JSON refuses the whole request; a message
// with a field of the wrong type is refused alone, with its `fault`.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "carillon/result.h"
#include "wire/json/json_slicer.h"
#include "wire/json/json_writer.h"

namespace carillon {

// What a client says of how it wants to be served; numbers in milliseconds. Fractions are cut off, negative numbers are 0,
// beyond 2^53 it is that. What is no number is a fault of the message.
struct BayeuxWishes {
  std::optional<std::uint64_t> timeout;
  std::optional<std::uint64_t> interval;
};

// One message of a request. Texts without escapes are views into the request, others into the reader, where they live until it
// reads again. JSON texts (…_json) are as they came; empty: not there. `null` is as not there, but in data. Of a name that
// comes twice the last counts; unknown names are let pass. A field of the wrong type is as not there, and a fault.
struct BayeuxMessage {
  std::string_view channel;    // Empty: none.
  std::string_view id_json;    // A string or a number.
  std::string_view client_id;  // Empty: none.
  std::string_view data_json;  // Any JSON value, null too.
  std::string_view ext_json;   // An object.
  bool has_advice = false;
  BayeuxWishes wishes;                     // Of its advice.
  std::string_view subscription_json;      // As sent, to be echoed; of the wrong type too.
  std::vector<std::string> subscriptions;  // Its channels.
  std::string_view connection_type;
  std::string_view version;
  std::string_view minimum_version;
  std::vector<std::string> connection_types;  // supportedConnectionTypes.
  // What is wrong with it, as an error string of a reply; empty: nothing. Of several the first in this order:
  // "400::channel_missing", "405::message_id_invalid", "402::session_unknown", "403::subscription_invalid" (each: of the wrong
  // type), "400::message_invalid" (any other field).
  std::string_view fault;
};

class BayeuxReader {
 public:
  // How many messages one request may hold; one more is kTooLarge.
  explicit BayeuxReader(std::size_t messages_max);

  // An array of objects, or one object. The messages are the reader's, until it reads again; steady use allocates nothing for
  // them but subscriptions and connection types. Errors: kInvalid (no JSON, an element that is no object, nothing in it),
  // kTooLarge (also more than 65536 members in an object).
  Result<std::span<const BayeuxMessage>> read(std::string_view text);

  // The members of an ext object (or another), valid until the next call of this or of read; nothing when it is none.
  std::optional<JsonDocument> members(std::string_view object_json);

 private:
  struct Fields;

  bool read_only_one(std::string_view text);
  Result<void> read_all(const JsonDocument& document);
  void read_message(std::span<const JsonMember> members, BayeuxMessage& message);
  bool read_text(const JsonSpan* span, std::string_view& text);
  bool read_texts(const JsonSpan* span, std::vector<std::string>& texts);
  bool read_advice(const JsonSpan* span, BayeuxMessage& message);
  std::string_view decode(std::string_view raw);
  void forget(std::size_t text_size);

  const std::size_t messages_max_;
  JsonSlicer outer_;
  JsonSlicer inner_;  // Of one message of an array.
  JsonSlicer members_;
  std::vector<BayeuxMessage> messages_;
  std::string decoded_;  // Texts that had escapes. Never grows while there are views of it.
  std::string scratch_;
  std::size_t text_size_ = 0;  // Of the request being read: what is decoded is no longer.
};

// The texts in a request's body, in their order: of `application/x-www-form-urlencoded` each parameter `message`, of any other
// type or none the body itself. Nothing when a form has none. A body that begins with `message=`, as no JSON does, is a form
// under any type: faye's clients on pages of other origins send theirs as text/plain. ISO-8859-1 and its names are converted,
// UTF-16 with a byte order or named LE or BE too; another charset than these, US-ASCII and UTF-8 is kInvalid, and so is text
// that is not valid in it.
Result<std::vector<std::string>> bayeux_body_texts(std::string_view content_type, std::string_view body);

// The first `"clientId"` value that a request's text seems to have: a quick look before it is read, and no more than a hint.
std::string_view glance_at_client_id(std::string_view text);

// [major, minor…] compared element by element as numbers; "1.0" holds "0.9" and "1" and "1.0beta" (letters behind a number are
// cut off). False also for what is no version at all.
bool bayeux_version_at_most(std::string_view version, std::string_view most);

// A JSONP callback: `[a-zA-Z0-9._-]+`, 64 at most.
bool is_jsonp_callback(std::string_view name);
// `/**/callback([…])`, with U+2028 and U+2029 escaped, which JavaScript before ES2019 takes for line ends.
std::string jsonp_body(std::string_view callback, std::string_view json);

// Whether an id is as the specification has it, for servers that insist: a string of letters and digits (and `-_`), not empty.
bool is_bayeux_id(std::string_view id_json);

// --- Cookies

// The value of the cookie of that name in a request's Cookie field; empty: none. Of several the first.
std::string_view cookie_value(std::string_view cookies, std::string_view name);

}  // namespace carillon
