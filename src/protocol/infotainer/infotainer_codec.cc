#include "protocol/infotainer/infotainer_codec.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/utf8.h"
#include "hub/epoch_text.h"
#include "hub/topic_directory.h"
#include "wire/cbor/cbor_json.h"
#include "wire/cbor/cbor_reader.h"
#include "wire/cbor/cbor_writer.h"

namespace carillon {
namespace {

enum class Field : std::uint8_t {
  kId,
  kEntries,
  kSubmission,
  kRequestId,
  kFormat,
  kEvent,
  kIdempotencyKey,
  kPosition,
  kAfter,
  kBefore,
  kFromTime,
  kLimit,
  kAfterId,
  kReverse,
  kName,
  kGroup,
  kInFlight,
  kStart,
  kVisibility,
  kDeliveriesMax,
  kDeadLetter,
  kDelivery,
  kDelay,
  kUnknown,
};

struct FieldName {
  std::string_view name;
  Field field = Field::kUnknown;
};

// A variant's fields: first those that must be there, in their order; then, of version 2, those that may be.
struct Variant {
  std::string_view name;
  std::size_t required = 0;
  std::array<FieldName, 8> fields;

  std::span<const FieldName> fields_of(InfotainerVersion version) const {
    const auto end = std::find_if(fields.begin(), fields.end(), [](const FieldName& field) { return field.name.empty(); });
    const auto count = static_cast<std::size_t>(end - fields.begin());
    return {fields.data(), version == InfotainerVersion::kOne ? required : count};
  }
};

constexpr FieldName kRequestIdField{"request_id", Field::kRequestId};
constexpr FieldName kLogIdField{"log_id", Field::kId};
constexpr FieldName kSubscriptionIdField{"subscription_id", Field::kId};
constexpr FieldName kTopicIdField{"topic_id", Field::kId};
constexpr FieldName kLimitField{"limit", Field::kLimit};
constexpr FieldName kGroupField{"group", Field::kGroup};
constexpr FieldName kDeliveryField{"delivery", Field::kDelivery};
constexpr FieldName kVisibilityField{"visibility_ms", Field::kVisibility};

// In the order of InfotainerVerb.
constexpr std::array<Variant, 18> kVariants{{
    {"GetLogIndex",
     1,
     {{kLogIdField,
       kRequestIdField,
       {"after", Field::kAfter},
       {"before", Field::kBefore},
       {"from_time", Field::kFromTime},
       {"reverse", Field::kReverse},
       kLimitField}}},
    {"GetLogEntries", 2, {{kLogIdField, {"entries", Field::kEntries}, kRequestIdField}}},
    {"Subscribe", 1, {{kSubscriptionIdField, kRequestIdField, {"position", Field::kPosition}}}},
    {"Unsubscribe", 1, {{kSubscriptionIdField, kRequestIdField}}},
    {"SubmitPublication",
     2,
     {{kSubscriptionIdField,
       {"submission", Field::kSubmission},
       kRequestIdField,
       {"event", Field::kEvent},
       {"format", Field::kFormat},
       {"idempotency_key", Field::kIdempotencyKey}}}},
    {"Ack", 2, {{kSubscriptionIdField, {"position", Field::kPosition}, kRequestIdField}}},
    {"ListSubscriptions", 0, {{kRequestIdField}}},
    {"CreateTopic", 1, {{{"name", Field::kName}, kRequestIdField}}},
    {"ListTopics", 0, {{kRequestIdField, {"after", Field::kAfterId}, kLimitField}}},
    {"GetTopic", 1, {{kTopicIdField, kRequestIdField}}},
    {"DeleteTopic", 1, {{kTopicIdField, kRequestIdField}}},
    {"WatchTopics", 0, {{kRequestIdField}}},
    {"UnwatchTopics", 0, {{kRequestIdField}}},
    {"JoinGroup",
     2,
     {{kSubscriptionIdField,
       kGroupField,
       kRequestIdField,
       {"in_flight", Field::kInFlight},
       {"start", Field::kStart},
       kVisibilityField,
       {"deliveries_max", Field::kDeliveriesMax},
       {"dead_letter", Field::kDeadLetter}}}},
    {"LeaveGroup", 2, {{kSubscriptionIdField, kGroupField, kRequestIdField}}},
    {"AckDelivery", 3, {{kSubscriptionIdField, kGroupField, kDeliveryField, kRequestIdField}}},
    {"NackDelivery", 3, {{kSubscriptionIdField, kGroupField, kDeliveryField, kRequestIdField, {"delay_ms", Field::kDelay}}}},
    {"ExtendDelivery", 3, {{kSubscriptionIdField, kGroupField, kDeliveryField, kRequestIdField, kVisibilityField}}},
}};
constexpr std::size_t kVariantsOfOne = 5;

std::span<const Variant> variants_of(InfotainerVersion version) {
  return {kVariants.data(), version == InfotainerVersion::kOne ? kVariantsOfOne : kVariants.size()};
}

// A text between quotes as Rust's `{:?}` writes it.
std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char character : text) {
    switch (character) {
      case '"': out += "\\\""; break;
      case '\\': out += "\\\\"; break;
      case '\n': out += "\\n"; break;
      case '\r': out += "\\r"; break;
      case '\t': out += "\\t"; break;
      case '\0': out += "\\0"; break;
      default:
        if (static_cast<unsigned char>(character) < 0x20 || character == 0x7F) {
          out += fmt::format("\\u{{{:x}}}", static_cast<unsigned>(static_cast<unsigned char>(character)));
        } else {
          out += character;
        }
    }
  }
  return out += '"';
}

std::string float_text(double number) {
  std::string text = fmt::format("{}", number);
  if (text.find_first_not_of("-0123456789") == std::string::npos) text += ".0";
  return text;
}

Error invalid(std::string text) {
  return {ErrorKind::kInvalid, std::move(text)};
}

// "`a`, `b`, `c`"
template <class List>
std::string names_text(const List& list) {
  std::string out;
  for (const auto& each : list) out += fmt::format("{}`{}`", out.empty() ? "" : ", ", each.name);
  return out;
}

}  // namespace

// The reading of one message.
class InfotainerReader::Decoding {
 public:
  Decoding(InfotainerReader& owner, std::string_view message) : owner_(owner), reader_(message), message_(message) {}

  Result<InfotainerCommand> read() {
    if (message_.empty()) return reader_.next().error();
    const auto first = static_cast<std::uint8_t>(message_[0]);
    const Result<void> outcome = first == 0xA1 ? read_map() : first >= 0x80 && first <= 0x9F ? read_array() : read_alone();
    if (!outcome) return outcome.error();
    if (Result<void> ended = reader_.finish(); !ended) return ended.error();
    if (Result<void> understood = interpret_submission(); !understood) return understood.error();
    return std::move(command_);
  }

 private:
  // {variant: content}
  Result<void> read_map() {
    (void)reader_.next();
    if (Result<void> read = read_variant(); !read) return read;
    if (Result<void> read = read_content(); !read) return read;
    const Result<CborItem> end = reader_.next();
    return end ? Result<void>() : end.error();
  }

  // [variant, content]: the form of older clients.
  Result<void> read_array() {
    const Result<CborItem> array = reader_.next();
    if (!array) return array.error();
    if (at_end()) return cbor_error("array too short", reader_.position());
    if (Result<void> read = read_variant(); !read) return read;
    if (at_end()) return cbor_error("array too short", reader_.position());
    if (Result<void> read = read_content(); !read) return read;
    return read_end(*array);
  }

  // Anything else could only name a variant, and every variant has content.
  Result<void> read_alone() {
    if (Result<void> read = read_variant(); !read) return read;
    return invalid("invalid type: unit variant, expected struct variant");
  }

  // Looks whether a list has no more items, without reading its end.
  bool at_end() const {
    CborReader ahead = reader_;
    const Result<CborItem> item = ahead.next();
    return item && item->type == CborType::kEnd;
  }

  // The end of an array in which nothing more may come.
  Result<void> read_end(const CborItem& array) {
    CborReader ahead = reader_;
    const Result<CborItem> item = ahead.next();
    if (item && item->type == CborType::kEnd) {
      reader_ = ahead;
      return {};
    }
    if (!item && !array.indefinite && reader_.position() == message_.size()) return item.error();
    if (!item && reader_.position() == message_.size()) return cbor_error("EOF while parsing an array", reader_.position());
    return cbor_error("trailing data", reader_.position() + (array.indefinite ? 1 : 0));
  }

  // The next item behind its tags, of which none mean anything here.
  Result<CborItem> next() {
    for (;;) {
      Result<CborItem> item = reader_.next();
      if (!item || item->type != CborType::kTag) return item;
    }
  }

  Error wrong_type(const CborItem& item, std::string_view expected) { return unexpected("type", item, expected); }

  Error unexpected(std::string_view what, const CborItem& item, std::string_view expected) {
    std::string shown;
    switch (item.type) {
      case CborType::kUnsigned: shown = fmt::format("integer `{}`", item.value); break;
      case CborType::kNegative:
        shown =
            item.value == ~std::uint64_t{0} ? "integer `-18446744073709551616`" : fmt::format("integer `-{}`", item.value + 1);
        break;
      case CborType::kBytes: shown = "byte array"; break;
      case CborType::kText: {
        const Result<std::string_view> text = reader_.string(item, scratch_);
        if (!text) return text.error();
        shown = "string " + quoted(*text);
        break;
      }
      case CborType::kArray: shown = "sequence"; break;
      case CborType::kMap: shown = "map"; break;
      case CborType::kFalse: shown = "boolean `false`"; break;
      case CborType::kTrue: shown = "boolean `true`"; break;
      case CborType::kFloat: shown = fmt::format("floating point `{}`", float_text(item.number)); break;
      case CborType::kSimple: return cbor_error("unassigned type", reader_.position());
      default: shown = "unit value"; break;
    }
    return invalid(fmt::format("invalid {}: {}, expected {}", what, shown, expected));
  }

  Result<void> read_variant() {
    const std::span<const Variant> variants = variants_of(owner_.version_);
    const Result<CborItem> item = next();
    if (!item) return item.error();
    if (item->type == CborType::kUnsigned) {
      if (item->value >= variants.size()) {
        return unexpected("value", *item, fmt::format("variant index 0 <= i < {}", variants.size()));
      }
      return choose(static_cast<std::size_t>(item->value));
    }
    if (item->type != CborType::kText && item->type != CborType::kBytes) return wrong_type(*item, "variant identifier");
    const Result<std::string_view> name = reader_.string(*item, scratch_);
    if (!name) return name.error();
    for (std::size_t i = 0; i < variants.size(); ++i) {
      if (variants[i].name == *name) return choose(i);
    }
    return invalid(fmt::format("unknown variant `{}`, expected one of {}", readable_utf8(*name), names_text(variants)));
  }

  Result<void> choose(std::size_t index) {
    variant_ = &kVariants[index];
    command_.verb = static_cast<InfotainerVerb>(index);
    return {};
  }

  std::string expected_content() const { return fmt::format("struct variant ClientCommand::{}", variant_->name); }

  Result<void> read_content() {
    const Result<CborItem> content = next();
    if (!content) return content.error();
    if (content->type == CborType::kMap) return read_fields();
    if (content->type == CborType::kArray) return read_elements(*content);
    return wrong_type(*content, expected_content());
  }

  Result<void> read_fields() {
    for (;;) {
      const Result<CborItem> key = next();
      if (!key) return key.error();
      if (key->type == CborType::kEnd) break;
      const Result<FieldName> field = field_of(*key);
      if (!field) return field.error();
      if (field->field == Field::kUnknown) {
        if (const auto skipped = reader_.skip(); !skipped) return skipped.error();
        continue;
      }
      if (has(field->field)) return invalid(fmt::format("duplicate field `{}`", field->name));
      if (Result<void> read = read_value(*field); !read) return read;
    }
    for (const FieldName& field : required()) {
      if (!has(field.field)) return invalid(fmt::format("missing field `{}`", field.name));
    }
    return {};
  }

  std::span<const FieldName> required() const { return {variant_->fields.data(), variant_->required}; }

  Result<FieldName> field_of(const CborItem& key) {
    const std::span<const FieldName> fields = variant_->fields_of(owner_.version_);
    if (key.type == CborType::kUnsigned) {
      return key.value < fields.size() ? fields[static_cast<std::size_t>(key.value)] : FieldName{};
    }
    if (key.type != CborType::kText && key.type != CborType::kBytes) return wrong_type(key, "field identifier");
    const Result<std::string_view> name = reader_.string(key, scratch_);
    if (!name) return name.error();
    const auto found = std::find_if(fields.begin(), fields.end(), [&](const FieldName& field) { return field.name == *name; });
    return found == fields.end() ? FieldName{} : *found;
  }

  // The fields that must be there, in their order.
  Result<void> read_elements(const CborItem& array) {
    for (const FieldName& field : required()) {
      if (at_end()) {
        const std::size_t index = static_cast<std::size_t>(&field - variant_->fields.data());
        return invalid(fmt::format("invalid length {}, expected {} with {} element{}", index, expected_content(),
                                   variant_->required, variant_->required == 1 ? "" : "s"));
      }
      if (Result<void> read = read_value(field); !read) return read;
    }
    return read_end(array);
  }

  bool has(Field field) const { return (seen_ >> static_cast<unsigned>(field) & 1) != 0; }

  Result<void> read_value(const FieldName& field) {
    seen_ |= 1u << static_cast<unsigned>(field.field);
    switch (field.field) {
      case Field::kId: return read_uuid(command_.id);
      case Field::kEntries: return read_entries();
      case Field::kSubmission: return read_submission();
      case Field::kRequestId: return read_request_id();
      case Field::kFormat: return read_format();
      case Field::kEvent: return read_text(command_.event);
      case Field::kIdempotencyKey: return read_text(command_.idempotency_key);
      case Field::kName: return read_text(command_.name);
      case Field::kPosition: return read_position(command_.position);
      case Field::kAfter: return read_position(command_.after);
      case Field::kBefore: return read_position(command_.before);
      case Field::kFromTime: return read_time();
      case Field::kLimit: return read_limit();
      case Field::kAfterId: return read_uuid(command_.after_id.emplace());
      case Field::kReverse: return read_reverse();
      case Field::kGroup: return read_text(command_.group);
      case Field::kInFlight: return read_in_flight();
      case Field::kStart: return read_start();
      case Field::kVisibility:
        return read_time_span(field.name,
                              command_.verb == InfotainerVerb::kJoinGroup ? command_.wish.visibility : command_.time);
      case Field::kDeliveriesMax: return read_deliveries_max();
      case Field::kDeadLetter: return read_dead_letter();
      case Field::kDelivery: return read_deliveries();
      case Field::kDelay: return read_time_span(field.name, command_.time);
      case Field::kUnknown: break;
    }
    return {};
  }

  Result<void> read_uuid(Uuid& id) {
    const Result<CborItem> item = next();
    if (!item) return item.error();
    return take_uuid(*item, id);
  }

  Result<void> take_uuid(const CborItem& item, Uuid& id) {
    if (item.type != CborType::kBytes) return wrong_type(item, "bytes");
    const Result<std::string_view> bytes = reader_.string(item, scratch_);
    if (!bytes) return bytes.error();
    if (bytes->size() != id.bytes.size()) {
      return invalid(fmt::format("UUID parsing failed: invalid bytes length: expected 16, found {}", bytes->size()));
    }
    std::copy(bytes->begin(), bytes->end(), id.bytes.begin());
    return {};
  }

  Result<void> read_entries() {
    const Result<CborItem> list = next();
    if (!list) return list.error();
    if (list->type != CborType::kArray) return wrong_type(*list, "a sequence");
    for (;;) {
      const Result<CborItem> item = next();
      if (!item) return item.error();
      if (item->type == CborType::kEnd) return {};
      if (Result<void> taken = take_uuid(*item, command_.entries.emplace_back()); !taken) return taken;
    }
  }

  // In version 2 the format, which may come behind it, says what it is.
  Result<void> read_submission() {
    if (owner_.version_ == InfotainerVersion::kOne) return read_bytes();
    const Result<std::string_view> item = reader_.skip();
    if (!item) return item.error();
    submitted_ = *item;
    return {};
  }

  Result<void> interpret_submission() {
    if (owner_.version_ == InfotainerVersion::kOne || command_.verb != InfotainerVerb::kSubmitPublication) return {};
    if (command_.format == PayloadFormat::kCbor) {
      command_.submission = submitted_;
      return {};
    }
    reader_ = CborReader(submitted_);
    if (command_.format == PayloadFormat::kBytes) return read_bytes();
    const Result<CborItem> item = next();
    if (!item) return item.error();
    if (item->type != CborType::kText) return wrong_type(*item, "a string");
    const Result<std::string_view> text = reader_.string(*item, owner_.submission_);
    if (!text) return text.error();
    if (const Result<JsonSpan> checked = owner_.slicer_.check(*text); !checked) {
      return invalid("submission is no JSON: " + checked.error().text);
    }
    command_.submission = *text;
    return {};
  }

  // An array of numbers, as infotainer has it, or a byte string.
  Result<void> read_bytes() {
    Result<CborItem> item = next();
    if (!item) return item.error();
    if (item->type == CborType::kBytes) {
      const Result<std::string_view> bytes = reader_.string(*item, owner_.submission_);
      if (!bytes) return bytes.error();
      command_.submission = *bytes;
      return {};
    }
    if (item->type != CborType::kArray) return wrong_type(*item, "a sequence");
    std::string& bytes = owner_.submission_;
    bytes.clear();
    bytes.reserve(static_cast<std::size_t>(item->value));
    for (;;) {
      item = next();
      if (!item) return item.error();
      if (item->type == CborType::kEnd) break;
      const bool whole = item->type == CborType::kUnsigned || item->type == CborType::kNegative;
      if (!whole) return wrong_type(*item, "u8");
      if (item->type == CborType::kNegative || item->value > 255) return unexpected("value", *item, "u8");
      bytes += static_cast<char>(item->value);
    }
    command_.submission = bytes;
    return {};
  }

  Result<void> read_request_id() {
    const Result<std::string_view> item = reader_.skip();
    if (!item) return item.error();
    if (item->size() > kRequestIdBytesMax) {
      return invalid(fmt::format("request_id: an item of {} bytes, at most {}", item->size(), kRequestIdBytesMax));
    }
    return {};  // Found by find_request_id.
  }

  Result<void> read_text(std::string& text) {
    const Result<CborItem> item = next();
    if (!item) return item.error();
    if (item->type != CborType::kText) return wrong_type(*item, "a string");
    const Result<std::string_view> read = reader_.string(*item, scratch_);
    if (!read) return read.error();
    text = *read;
    return {};
  }

  Result<void> read_format() {
    std::string name;
    if (Result<void> read = read_text(name); !read) return read;
    if (name == "bytes") {
      command_.format = PayloadFormat::kBytes;
    } else if (name == "cbor") {
      command_.format = PayloadFormat::kCbor;
    } else if (name == "json") {
      command_.format = PayloadFormat::kJson;
    } else {
      return invalid(fmt::format("format: {} is none of \"bytes\", \"cbor\", \"json\"", quoted(name)));
    }
    return {};
  }

  // {"epoch": text, "offset": number}
  Result<void> read_position(std::optional<Position>& position) {
    const Result<CborItem> map = next();
    if (!map) return map.error();
    if (map->type != CborType::kMap) return wrong_type(*map, "a position");
    std::optional<std::uint64_t> epoch, offset;
    for (;;) {
      const Result<CborItem> key = next();
      if (!key) return key.error();
      if (key->type == CborType::kEnd) break;
      if (key->type != CborType::kText) return wrong_type(*key, "`epoch` or `offset`");
      const Result<std::string_view> name = reader_.string(*key, scratch_);
      if (!name) return name.error();
      const bool is_epoch = *name == "epoch", is_offset = *name == "offset";
      if (is_epoch) {
        std::string text;
        if (Result<void> read = read_text(text); !read) return read;
        epoch = parse_epoch(text);
        if (!epoch) return invalid(fmt::format("epoch: {} is not 1 to 16 hexadecimal digits", quoted(text)));
      } else if (is_offset) {
        if (Result<void> read = read_u64(offset.emplace()); !read) return read;
      } else if (const auto skipped = reader_.skip(); !skipped) {
        return skipped.error();
      }
    }
    if (!epoch || !offset) return invalid(fmt::format("missing field `{}`", epoch ? "offset" : "epoch"));
    position = Position{*epoch, *offset};
    return {};
  }

  Result<void> read_u64(std::uint64_t& number) {
    const Result<CborItem> item = next();
    if (!item) return item.error();
    if (item->type != CborType::kUnsigned) return wrong_type(*item, "u64");
    number = item->value;
    return {};
  }

  Result<void> read_limit() { return read_u64(command_.limit.emplace()); }

  Result<void> read_time() {
    const Result<CborItem> item = next();
    if (!item) return item.error();
    command_.from_time_ms = item->as_i64();
    return command_.from_time_ms ? Result<void>() : wrong_type(*item, "i64");
  }

  Result<void> read_reverse() {
    const Result<CborItem> item = next();
    if (!item) return item.error();
    if (item->type != CborType::kTrue && item->type != CborType::kFalse) return wrong_type(*item, "a boolean");
    command_.reverse = item->type == CborType::kTrue;
    return {};
  }

  Result<std::uint64_t> read_number(std::string_view name, std::uint64_t least, std::uint64_t most) {
    std::uint64_t number = 0;
    if (Result<void> read = read_u64(number); !read) return read.error();
    if (number < least || number > most) return invalid(fmt::format("{}: {} is not {} to {}", name, number, least, most));
    return number;
  }

  Result<void> read_in_flight() {
    const Result<std::uint64_t> number = read_number("in_flight", 1, kGroupInFlightMax);
    if (!number) return number.error();
    command_.in_flight = static_cast<std::size_t>(*number);
    return {};
  }

  Result<void> read_deliveries_max() {
    const Result<std::uint64_t> number = read_number("deliveries_max", 0, kGroupDeliveriesMax);
    if (!number) return number.error();
    command_.wish.deliveries_max = static_cast<std::uint32_t>(*number);
    return {};
  }

  Result<void> read_time_span(std::string_view name, std::optional<Millis>& time) {
    const Result<std::uint64_t> number = read_number(name, 0, static_cast<std::uint64_t>(kGroupVisibilityMax.count()));
    if (!number) return number.error();
    time = Millis(static_cast<std::int64_t>(*number));
    return {};
  }

  // "now", "beginning", or a position: after it.
  Result<void> read_start() {
    const CborReader before = reader_;
    const Result<CborItem> item = next();
    if (!item) return item.error();
    GroupStart& start = command_.wish.start;
    if (item->type == CborType::kMap) {
      reader_ = before;
      std::optional<Position> position;
      if (Result<void> read = read_position(position); !read) return read;
      start = {.kind = GroupStart::Kind::kPosition, .position = *position};
      return {};
    }
    if (item->type != CborType::kText) return wrong_type(*item, "\"now\", \"beginning\" or a position");
    const Result<std::string_view> name = reader_.string(*item, scratch_);
    if (!name) return name.error();
    if (*name != "now" && *name != "beginning") {
      return invalid(fmt::format("start: {} is neither \"now\" nor \"beginning\" nor a position", quoted(*name)));
    }
    start = {.kind = *name == "now" ? GroupStart::Kind::kNow : GroupStart::Kind::kBeginning, .position = {}};
    return {};
  }

  // A log's id, or the name of any channel.
  Result<void> read_dead_letter() {
    const Result<CborItem> item = next();
    if (!item) return item.error();
    if (item->type == CborType::kBytes) {
      Uuid log;
      if (Result<void> taken = take_uuid(*item, log); !taken) return taken;
      command_.wish.dead_letter = topic_channel(log);
      return {};
    }
    if (item->type != CborType::kText) return wrong_type(*item, "bytes or a string");
    const Result<std::string_view> name = reader_.string(*item, scratch_);
    if (!name) return name.error();
    command_.wish.dead_letter = std::string(*name);
    return {};
  }

  // One token, or several.
  Result<void> read_deliveries() {
    Result<CborItem> item = next();
    if (!item) return item.error();
    if (item->type == CborType::kText) return take_token(*item);
    if (item->type != CborType::kArray) return wrong_type(*item, "a string or a sequence of strings");
    for (;;) {
      item = next();
      if (!item) return item.error();
      if (item->type == CborType::kEnd) return {};
      if (item->type != CborType::kText) return wrong_type(*item, "a string");
      if (Result<void> taken = take_token(*item); !taken) return taken;
    }
  }

  Result<void> take_token(const CborItem& item) {
    const Result<std::string_view> token = reader_.string(item, scratch_);
    if (!token) return token.error();
    command_.deliveries.emplace_back(*token);
    return {};
  }

  InfotainerReader& owner_;
  CborReader reader_;
  const std::string_view message_;
  const Variant* variant_ = nullptr;
  std::uint32_t seen_ = 0;  // Fields, by their bit.
  std::string_view submitted_;
  std::string scratch_;
  InfotainerCommand command_;
};

namespace {

// The item under that name in the content of the message's one entry, as far as it can be read.
std::string_view find_request_id(std::string_view message) {
  CborReader reader(message);
  const Result<CborItem> outer = reader.next();
  if (!outer || (outer->type != CborType::kMap && outer->type != CborType::kArray)) return {};
  if (const auto variant = reader.skip(); !variant || variant->empty()) return {};
  const Result<CborItem> content = reader.next();
  if (!content || content->type != CborType::kMap) return {};
  for (;;) {
    const Result<CborItem> key = reader.next();
    if (!key || key->type == CborType::kEnd) return {};
    const bool found = key->type == CborType::kText && !key->indefinite && key->bytes == "request_id";
    if (key->type == CborType::kArray || key->type == CborType::kMap || key->indefinite) return {};
    const Result<std::string_view> value =
        key->type == CborType::kTag ? Result<std::string_view>(std::string_view()) : reader.skip();
    if (!value) return {};
    if (found) return value->size() <= kRequestIdBytesMax ? *value : std::string_view();
  }
}

}  // namespace

Result<InfotainerCommand> InfotainerReader::read(std::string_view message) {
  request_id_ = version_ == InfotainerVersion::kTwo ? find_request_id(message) : std::string_view();
  return Decoding(*this, message).read();
}

}  // namespace carillon
