#include "protocol/bayeux/bayeux_codec.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <utility>

#include "wire/http/http_syntax.h"

namespace carillon {
namespace {

constexpr std::string_view kChannelMissing = "400::channel_missing";
constexpr std::string_view kMessageInvalid = "400::message_invalid";
constexpr std::string_view kSessionUnknown = "402::session_unknown";
constexpr std::string_view kSubscriptionInvalid = "403::subscription_invalid";
constexpr std::string_view kIdInvalid = "405::message_id_invalid";

constexpr std::uint64_t kWishMax = std::uint64_t{1} << 53;
constexpr std::size_t kEntriesMax = 65536;
constexpr std::size_t kCallbackBytesMax = 64;
// What a reader keeps for the next call.
constexpr std::size_t kDecodedBytesKept = 16384;
constexpr std::size_t kTextsKept = 64;

// --- Numbers, as JSON writes them.

// Behind the `e`; beyond the bounds it is those.
std::int64_t exponent_of(std::string_view digits) {
  constexpr std::int64_t kBound = 1'000'000'000'000'000;
  if (digits.starts_with('+')) digits.remove_prefix(1);
  std::int64_t exponent = 0;
  const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), exponent);
  if (read.ec != std::errc()) return digits.starts_with('-') ? -kBound : kBound;
  return std::clamp(exponent, -kBound, kBound);
}

std::uint64_t wish_of(std::string_view number) {
  if (number.starts_with('-')) return 0;
  const std::size_t e = std::min(number.find_first_of("eE"), number.size());
  const std::string_view digits = number.substr(0, e);
  auto whole_digits = static_cast<std::int64_t>(std::min(digits.find('.'), digits.size()));
  if (e < number.size()) whole_digits += exponent_of(number.substr(e + 1));
  std::uint64_t value = 0;
  for (const char c : digits) {
    if (c == '.') continue;
    if (whole_digits-- <= 0) return value;
    value = std::min(value * 10 + static_cast<std::uint64_t>(c - '0'), kWishMax);
  }
  for (; whole_digits > 0 && value > 0 && value < kWishMax; --whole_digits) value = std::min(value * 10, kWishMax);
  return value;
}

void forget(std::vector<std::string>& texts) {
  if (texts.capacity() > kTextsKept) texts = {};
  texts.clear();
}

// As a new one, but that its lists keep their room.
void forget(BayeuxMessage& message) {
  std::vector<std::string> subscriptions = std::move(message.subscriptions), types = std::move(message.connection_types);
  forget(subscriptions);
  forget(types);
  message = {};
  message.subscriptions = std::move(subscriptions);
  message.connection_types = std::move(types);
}

// --- Small texts.

bool is_letter_or_digit(char c) {
  return is_ascii_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

// What ids are made of, and what a version may hold behind a number.
bool is_word_char(char c) {
  return is_letter_or_digit(c) || c == '-' || c == '_';
}

// Takes a version's first element off the front, up to and with its dot: the digits of its number without leading zeros. Of a
// version that is at its end, zero. Nothing: no element.
std::optional<std::string_view> take_version_number(std::string_view& version) {
  if (version.empty()) return std::string_view();
  const std::size_t dot = version.find('.');
  std::string_view element = version.substr(0, dot);
  version.remove_prefix(element.size());
  if (!version.empty()) version.remove_prefix(1);
  if (dot != std::string_view::npos && version.empty()) return std::nullopt;  // Nothing follows the dot.
  const auto digits_end = std::find_if_not(element.begin(), element.end(), is_ascii_digit);
  if (digits_end == element.begin() || !std::all_of(digits_end, element.end(), is_word_char)) return std::nullopt;
  element = element.substr(0, static_cast<std::size_t>(digits_end - element.begin()));
  element.remove_prefix(std::min(element.find_first_not_of('0'), element.size()));
  return element;
}

// --- Faults.

Error refusal(const JsonSlicer& slicer) {
  // The one fault of a text that is JSON.
  const bool too_large = slicer.fault().text == "too many members or items";
  return {too_large ? ErrorKind::kTooLarge : ErrorKind::kInvalid, slicer.fault().describe()};
}

}  // namespace

// Where a message's values are. Null: not there.
struct BayeuxReader::Fields {
  const JsonSpan* channel = nullptr;
  const JsonSpan* id = nullptr;
  const JsonSpan* client_id = nullptr;
  const JsonSpan* data = nullptr;
  const JsonSpan* ext = nullptr;
  const JsonSpan* advice = nullptr;
  const JsonSpan* subscription = nullptr;
  const JsonSpan* connection_type = nullptr;
  const JsonSpan* version = nullptr;
  const JsonSpan* minimum_version = nullptr;
  const JsonSpan* connection_types = nullptr;

  explicit Fields(std::span<const JsonMember> members) {
    constexpr std::pair<std::string_view, const JsonSpan * Fields::*> kNames[] = {
        {"channel", &Fields::channel},
        {"id", &Fields::id},
        {"clientId", &Fields::client_id},
        {"data", &Fields::data},
        {"ext", &Fields::ext},
        {"advice", &Fields::advice},
        {"subscription", &Fields::subscription},
        {"connectionType", &Fields::connection_type},
        {"version", &Fields::version},
        {"minimumVersion", &Fields::minimum_version},
        {"supportedConnectionTypes", &Fields::connection_types},
    };
    for (const JsonMember& member : members) {
      for (const auto& [name, field] : kNames) {
        if (member.key != name) continue;
        const bool there = member.value.type != JsonType::kNull || field == &Fields::data;
        this->*field = there ? &member.value : nullptr;
        break;
      }
    }
  }
};

BayeuxReader::BayeuxReader(std::size_t messages_max)
    : messages_max_(messages_max),
      outer_({.entries_max = std::max(messages_max, kEntriesMax)}),
      inner_({.depth_max = JsonSlicer::Options{}.depth_max - 1}) {}

Result<std::span<const BayeuxMessage>> BayeuxReader::read(std::string_view text) {
  forget(text.size());
  if (read_only_one(text)) return std::span<const BayeuxMessage>(messages_);
  const Result<JsonDocument> document = outer_.slice(text);
  if (!document) return refusal(outer_);
  const Result<void> all = read_all(*document);
  if (!all) return all.error();
  return std::span<const BayeuxMessage>(messages_);
}

// Most requests are an array of one message, which needs no look at the array. Whatever else it is, is found by who reads all.
bool BayeuxReader::read_only_one(std::string_view text) {
  if (messages_max_ == 0 || !text.starts_with('[') || !text.ends_with(']')) return false;
  const Result<JsonDocument> object = inner_.slice(text.substr(1, text.size() - 2));
  if (!object || object->root.type != JsonType::kObject) return false;
  messages_.resize(1);
  read_message(object->members, messages_[0]);
  return true;
}

void BayeuxReader::forget(std::size_t text_size) {
  if (decoded_.capacity() > kDecodedBytesKept) decoded_ = {};
  if (scratch_.capacity() > kDecodedBytesKept) scratch_ = {};
  decoded_.clear();
  text_size_ = text_size;
}

Result<void> BayeuxReader::read_all(const JsonDocument& document) {
  if (document.root.type == JsonType::kObject) {
    messages_.resize(1);
    read_message(document.members, messages_[0]);
    return {};
  }
  if (document.root.type != JsonType::kArray) return Error{ErrorKind::kInvalid, "neither an array nor an object"};
  if (document.items.empty()) return Error{ErrorKind::kInvalid, "no message in the array"};
  if (document.items.size() > messages_max_) {
    return Error{ErrorKind::kTooLarge, fmt::format("more than {} messages", messages_max_)};
  }
  messages_.resize(document.items.size());
  for (std::size_t i = 0; i < document.items.size(); ++i) {
    const JsonSpan& item = document.items[i];
    if (item.type != JsonType::kObject) return Error{ErrorKind::kInvalid, "a message is no object"};
    const Result<JsonDocument> object = inner_.slice(item.text);
    if (!object) return refusal(inner_);
    read_message(object->members, messages_[i]);
  }
  return {};
}

void BayeuxReader::read_message(std::span<const JsonMember> members, BayeuxMessage& message) {
  carillon::forget(message);
  const Fields fields(members);
  const auto check = [&message](bool right, std::string_view fault) {
    if (!right && message.fault.empty()) message.fault = fault;
  };
  check(read_text(fields.channel, message.channel), kChannelMissing);
  if (fields.id != nullptr) {
    const bool right = fields.id->type == JsonType::kString || fields.id->type == JsonType::kNumber;
    check(right, kIdInvalid);
    if (right) message.id_json = fields.id->text;
  }
  check(read_text(fields.client_id, message.client_id), kSessionUnknown);
  if (fields.data != nullptr) message.data_json = fields.data->text;
  if (fields.subscription != nullptr) {
    message.subscription_json = fields.subscription->text;
    check(read_texts(fields.subscription, message.subscriptions), kSubscriptionInvalid);
  }
  if (fields.ext != nullptr) {
    const bool right = fields.ext->type == JsonType::kObject;
    check(right, kMessageInvalid);
    if (right) message.ext_json = fields.ext->text;
  }
  check(read_advice(fields.advice, message), kMessageInvalid);
  check(read_text(fields.connection_type, message.connection_type), kMessageInvalid);
  check(read_text(fields.version, message.version), kMessageInvalid);
  check(read_text(fields.minimum_version, message.minimum_version), kMessageInvalid);
  const bool types_right = fields.connection_types == nullptr || fields.connection_types->type == JsonType::kArray;
  check(types_right && read_texts(fields.connection_types, message.connection_types), kMessageInvalid);
}

// These give false when what is there is of the wrong type.

bool BayeuxReader::read_text(const JsonSpan* span, std::string_view& text) {
  if (span == nullptr) return true;
  if (span->type != JsonType::kString) return false;
  text = decode(span->text);
  return true;
}

// A text or an array of them.
bool BayeuxReader::read_texts(const JsonSpan* span, std::vector<std::string>& texts) {
  if (span == nullptr) return true;
  if (span->type == JsonType::kString) {
    texts.emplace_back(decode(span->text));
    return true;
  }
  if (span->type != JsonType::kArray) return false;
  const Result<JsonDocument> array = members_.slice(span->text);
  if (!array) return false;  // Too many of them.
  const auto is_text = [](const JsonSpan& item) { return item.type == JsonType::kString; };
  if (!std::all_of(array->items.begin(), array->items.end(), is_text)) return false;
  texts.reserve(array->items.size());
  for (const JsonSpan& item : array->items) texts.emplace_back(decode(item.text));
  return true;
}

bool BayeuxReader::read_advice(const JsonSpan* span, BayeuxMessage& message) {
  if (span == nullptr) return true;
  const std::optional<JsonDocument> advice = members(span->text);
  if (!advice) return false;
  message.has_advice = true;
  bool right = true;
  const auto take = [&right](const JsonSpan& value, std::optional<std::uint64_t>& wish) {
    wish.reset();
    if (value.type == JsonType::kNumber) wish = wish_of(value.text);
    if (value.type != JsonType::kNumber && value.type != JsonType::kNull) right = false;
  };
  for (const JsonMember& member : advice->members) {
    if (member.key == "timeout") take(member.value, message.wishes.timeout);
    if (member.key == "interval") take(member.value, message.wishes.interval);
  }
  return right;
}

// A JSON string's characters. Each string of a request is decoded once, and decoding never lengthens: room for the request's
// size is room for all of them.
std::string_view BayeuxReader::decode(std::string_view raw) {
  const std::string_view inside = raw.substr(1, raw.size() - 2);
  if (inside.find('\\') == std::string_view::npos) return inside;
  decoded_.reserve(text_size_);
  const std::size_t begin = decoded_.size();
  decoded_ += json_string(raw, scratch_).value_or(std::string_view());
  return std::string_view(decoded_).substr(begin);
}

std::optional<JsonDocument> BayeuxReader::members(std::string_view object_json) {
  const Result<JsonDocument> document = members_.slice(object_json);
  if (!document || document->root.type != JsonType::kObject) return std::nullopt;
  return *document;
}

std::string_view glance_at_client_id(std::string_view text) {
  constexpr std::string_view kName = R"("clientId")";
  const auto skip_space = [&text] { text.remove_prefix(std::min(text.find_first_not_of(" \t\r\n"), text.size())); };
  for (;;) {
    // Looks for all of it at once; string_view::find would stop at every quote.
    const void* const at = memmem(text.data(), text.size(), kName.data(), kName.size());
    if (at == nullptr) return {};
    text.remove_prefix(static_cast<std::size_t>(static_cast<const char*>(at) - text.data()) + kName.size());
    skip_space();
    if (!text.starts_with(':')) continue;
    text.remove_prefix(1);
    skip_space();
    if (!text.starts_with('"')) continue;
    const std::size_t end = text.find('"', 1);
    return end == std::string_view::npos ? std::string_view() : text.substr(1, end - 1);
  }
}

bool bayeux_version_at_most(std::string_view version, std::string_view most) {
  if (version.empty() || most.empty()) return false;
  int order = 0;  // Of the first element that differs; all are read, for they must be numbers.
  while (!version.empty() || !most.empty()) {
    const std::optional<std::string_view> number = take_version_number(version), bound = take_version_number(most);
    if (!number || !bound) return false;
    if (order != 0) continue;
    if (number->size() != bound->size()) {
      order = number->size() < bound->size() ? -1 : 1;
    } else {
      order = number->compare(*bound);
    }
  }
  return order <= 0;
}

bool is_jsonp_callback(std::string_view name) {
  const auto fits = [](char c) { return is_letter_or_digit(c) || c == '.' || c == '_' || c == '-'; };
  return !name.empty() && name.size() <= kCallbackBytesMax && std::all_of(name.begin(), name.end(), fits);
}

std::string jsonp_body(std::string_view callback, std::string_view json) {
  // In UTF-8 both begin with these two bytes; outside of strings JSON has neither.
  constexpr std::string_view kBegin = "\xE2\x80";
  std::string body;
  body.reserve(json.size() + callback.size() + 6);
  body.append("/**/").append(callback).append("(");
  for (;;) {
    const std::size_t at = json.find(kBegin);
    body += json.substr(0, at);
    if (at == std::string_view::npos) break;
    const std::string_view sequence = json.substr(at, 3);
    if (sequence.ends_with('\xA8') || sequence.ends_with('\xA9')) {
      body += sequence.ends_with('\xA8') ? "\\u2028" : "\\u2029";
    } else {
      body += sequence;
    }
    json.remove_prefix(at + sequence.size());
  }
  body += ')';
  return body;
}

bool is_bayeux_id(std::string_view id_json) {
  std::string scratch;
  const std::optional<std::string_view> id = json_string(id_json, scratch);
  return id && !id->empty() && std::all_of(id->begin(), id->end(), is_word_char);
}

std::string_view cookie_value(std::string_view cookies, std::string_view name) {
  while (!cookies.empty()) {
    const std::string_view pair = cookies.substr(0, cookies.find(';'));
    cookies.remove_prefix(std::min(pair.size() + 1, cookies.size()));
    const std::size_t equals = pair.find('=');
    if (equals == std::string_view::npos || trim_http_space(pair.substr(0, equals)) != name) continue;
    return trim_http_space(pair.substr(equals + 1));
  }
  return {};
}

}  // namespace carillon
