// A webhook's payload to read from, and the `data` of its event to write. For this room only; includes simdjson.
//
// Fields are named by JSON pointers (RFC 6901): "/pull_request/head/ref". What is absent, null or of another type reads as
// nothing, for payloads differ between versions of their senders.
#pragma once

#include <simdjson.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "carillon/result.h"
#include "wire/json/json_writer.h"

namespace carillon {

class WebhookPayload {
 public:
  explicit WebhookPayload(std::string_view json);
  WebhookPayload(const WebhookPayload&) = delete;
  WebhookPayload& operator=(const WebhookPayload&) = delete;

  // Whether the text was one JSON object. Nothing else may be asked when it was not.
  const Result<void>& status() const { return status_; }

  simdjson::dom::object root() const { return root_; }
  std::optional<simdjson::dom::element> find(std::string_view pointer) const;
  bool has(std::string_view pointer) const { return find(pointer).has_value(); }
  std::string_view text(std::string_view pointer) const;
  std::optional<std::int64_t> integer(std::string_view pointer) const;
  bool is_true(std::string_view pointer) const;
  // What the user, team or author at the pointer is called.
  std::string_view login(std::string_view pointer) const;

 private:
  simdjson::dom::parser parser_;
  simdjson::dom::object root_;
  Result<void> status_;
};

// What a user object is called: its login (GitHub), username (Gitea) or, of a commit's author, its name.
std::string_view login_of(simdjson::dom::element user);

// Writes the members of one `data` object, taking values from the payload. What the payload does not tell is left out.
class WebhookData {
 public:
  WebhookData(const WebhookPayload& payload, std::string& out) : payload_(payload), writer_(out) { writer_.begin_object(); }

  JsonWriter& writer() { return writer_; }
  void text(std::string_view key, std::string_view value);
  void integer(std::string_view key, std::int64_t value) { writer_.key(key).number(value); }
  void boolean(std::string_view key, bool value) { writer_.key(key).boolean(value); }
  // The text, number or truth at the pointer.
  void copy(std::string_view key, std::string_view pointer);
  void login(std::string_view key, std::string_view pointer);
  // The names (or logins) of the objects in the array at the pointer; nothing when it is empty.
  void names(std::string_view key, std::string_view pointer);
  // The whole value at the pointer when it has at most kWholeBytesMax bytes, else nothing.
  void whole(std::string_view key, std::string_view pointer);
  // {"owner","name","full_name","url"} of the repository at the pointer.
  void repository(std::string_view key, std::string_view pointer);
  // What can be said of any payload: its own texts, numbers and truths and those of the objects in it, one level deep, without
  // API addresses, users as their logins, long texts cut; what users gave themselves (inputs, client_payload) whole.
  void summary();
  void done() { writer_.end_object(); }

  static constexpr std::size_t kWholeBytesMax = 4096;

 private:
  const WebhookPayload& payload_;
  JsonWriter writer_;
};

}  // namespace carillon
