#include "feature/ingest/webhook_payload.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "carillon/records.h"

namespace carillon {

namespace {

using simdjson::dom::element;
using simdjson::dom::element_type;

bool is_scalar(element value) {
  return value.type() != element_type::OBJECT && value.type() != element_type::ARRAY && !value.is_null();
}

void write_scalar(JsonWriter& writer, element value) {
  std::string_view text;
  if (value.get(text) == simdjson::SUCCESS) {
    writer.string(body_preview(text));
  } else {
    writer.raw(simdjson::minify(value));
  }
}

// Addresses of the sender's API are of no use to a subscriber; a page for people is.
bool is_api_address(std::string_view key) {
  return key == "node_id" || key == "gravatar_id" || (key.ends_with("url") && key != "html_url" && key != "target_url");
}

// The object's own scalars, and its users by their logins.
void write_object_summary(JsonWriter& writer, simdjson::dom::object object) {
  writer.begin_object();
  for (const auto [key, value] : object) {
    if (is_api_address(key)) continue;
    if (is_scalar(value)) {
      writer.key(key);
      write_scalar(writer, value);
    } else if (const std::string_view login = login_of(value); !login.empty()) {
      writer.key(key).string(login);
    }
  }
  writer.end_object();
}

void write_array_summary(JsonWriter& writer, simdjson::dom::array array) {
  writer.begin_array();
  for (const element value : array) {
    simdjson::dom::object object;
    if (value.get(object) == simdjson::SUCCESS) {
      write_object_summary(writer, object);
    } else if (is_scalar(value)) {
      write_scalar(writer, value);
    }
  }
  writer.end_array();
}

template <std::size_t N>
bool is_one_of(std::string_view key, const std::array<std::string_view, N>& names) {
  return std::find(names.begin(), names.end(), key) != names.end();
}

// Written for every event elsewhere, or telling how the hook was installed and not what happened.
constexpr std::array<std::string_view, 9> kNotSummarized = {
    "action", "repository", "organization", "sender", "installation", "enterprise", "webhook", "source", "raw"};
constexpr std::array<std::string_view, 3> kWhole = {"changes", "inputs", "client_payload"};

}  // namespace

std::string_view login_of(element user) {
  simdjson::dom::object object;
  if (user.get(object) != simdjson::SUCCESS) return {};
  for (const std::string_view key : {"login", "username", "name"}) {
    std::string_view text;
    if (object.at_key(key).get(text) == simdjson::SUCCESS && !text.empty()) return text;
  }
  return {};
}

WebhookPayload::WebhookPayload(std::string_view json) {
  element root;
  const simdjson::error_code error = parser_.parse(json.data(), json.size()).get(root);
  if (error != simdjson::SUCCESS) {
    status_ = Error{ErrorKind::kInvalid, fmt::format("the payload is not JSON: {}", simdjson::error_message(error))};
  } else if (root.get(root_) != simdjson::SUCCESS) {
    status_ = Error{ErrorKind::kInvalid, "the payload must be a JSON object"};
  }
}

std::optional<element> WebhookPayload::find(std::string_view pointer) const {
  element value;
  if (root_.at_pointer(pointer).get(value) != simdjson::SUCCESS || value.is_null()) return std::nullopt;
  return value;
}

std::string_view WebhookPayload::text(std::string_view pointer) const {
  std::string_view text;
  const std::optional<element> value = find(pointer);
  return value && value->get(text) == simdjson::SUCCESS ? text : std::string_view{};
}

std::optional<std::int64_t> WebhookPayload::integer(std::string_view pointer) const {
  std::int64_t number = 0;
  const std::optional<element> value = find(pointer);
  if (!value || value->get(number) != simdjson::SUCCESS) return std::nullopt;
  return number;
}

bool WebhookPayload::is_true(std::string_view pointer) const {
  bool truth = false;
  const std::optional<element> value = find(pointer);
  return value && value->get(truth) == simdjson::SUCCESS && truth;
}

std::string_view WebhookPayload::login(std::string_view pointer) const {
  const std::optional<element> value = find(pointer);
  return value ? login_of(*value) : std::string_view{};
}

void WebhookData::text(std::string_view key, std::string_view value) {
  if (!value.empty()) writer_.key(key).string(value);
}

void WebhookData::copy(std::string_view key, std::string_view pointer) {
  const std::optional<element> value = payload_.find(pointer);
  if (value && is_scalar(*value)) writer_.key(key).raw(simdjson::minify(*value));
}

void WebhookData::login(std::string_view key, std::string_view pointer) {
  text(key, payload_.login(pointer));
}

void WebhookData::names(std::string_view key, std::string_view pointer) {
  simdjson::dom::array array;
  const std::optional<element> value = payload_.find(pointer);
  if (!value || value->get(array) != simdjson::SUCCESS || array.size() == 0) return;
  writer_.key(key).begin_array();
  for (const element item : array) {
    if (const std::string_view name = login_of(item); !name.empty()) writer_.string(name);
  }
  writer_.end_array();
}

void WebhookData::whole(std::string_view key, std::string_view pointer) {
  const std::optional<element> value = payload_.find(pointer);
  if (!value) return;
  const std::string json = simdjson::minify(*value);
  if (json.size() <= kWholeBytesMax) writer_.key(key).raw(json);
}

void WebhookData::repository(std::string_view key, std::string_view pointer) {
  if (!payload_.has(pointer)) return;
  const std::string at(pointer);
  writer_.key(key).begin_object();
  login("owner", at + "/owner");
  copy("name", at + "/name");
  copy("full_name", at + "/full_name");
  copy("url", at + "/html_url");
  writer_.end_object();
}

void WebhookData::summary() {
  for (const auto [key, value] : payload_.root()) {
    if (is_one_of(key, kNotSummarized) || is_api_address(key) || value.is_null()) continue;
    simdjson::dom::object object;
    simdjson::dom::array array;
    if (is_one_of(key, kWhole)) {
      const std::string json = simdjson::minify(value);
      if (json.size() <= kWholeBytesMax || key != "changes") writer_.key(key).raw(json);
    } else if (value.get(object) == simdjson::SUCCESS) {
      writer_.key(key);
      write_object_summary(writer_, object);
    } else if (value.get(array) == simdjson::SUCCESS) {
      writer_.key(key);
      write_array_summary(writer_, array);
    } else {
      writer_.key(key);
      write_scalar(writer_, value);
    }
  }
}

}  // namespace carillon
