#include "wire/cbor/cbor_reader.h"

#include <bit>
#include <cmath>
#include <limits>
#include <utility>

#include <fmt/core.h>

#include "base/check.h"
#include "base/utf8.h"

namespace carillon {

namespace {

constexpr std::uint8_t kBreak = 0xFF;
constexpr std::uint8_t kInfoIndefinite = 31;

enum Major : std::uint8_t {
  kMajorUnsigned,
  kMajorNegative,
  kMajorBytes,
  kMajorText,
  kMajorArray,
  kMajorMap,
  kMajorTag,
  kMajorSimple,
};

bool may_be_indefinite(std::uint8_t major) {
  return major >= kMajorBytes && major <= kMajorMap;
}

double half_to_double(std::uint64_t bits) {
  const int exponent = static_cast<int>(bits >> 10 & 31);
  const auto fraction = static_cast<double>(bits & 1023);
  double value = 0;
  if (exponent == 0) {
    value = std::ldexp(fraction, -24);
  } else if (exponent < 31) {
    value = std::ldexp(fraction + 1024, exponent - 25);
  } else {
    value = fraction == 0 ? std::numeric_limits<double>::infinity() : std::numeric_limits<double>::quiet_NaN();
  }
  return (bits >> 15 & 1) != 0 ? -value : value;
}

// How many bytes of a text that is not UTF-8 are.
std::size_t valid_size(std::string_view text) {
  Utf8Checker checker;
  std::size_t valid = 0;
  for (std::size_t at = 0; at < text.size() && checker.feed(text.substr(at, 1)); ++at) {
    if (checker.complete()) valid = at + 1;
  }
  return valid;
}

}  // namespace

std::optional<std::int64_t> CborItem::as_i64() const {
  if (type != CborType::kUnsigned && type != CborType::kNegative) return std::nullopt;
  if (value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) return std::nullopt;
  const auto magnitude = static_cast<std::int64_t>(value);
  return type == CborType::kUnsigned ? magnitude : -1 - magnitude;
}

std::string CborFault::describe() const {
  return offset == 0 ? text : fmt::format("{} at offset {}", text, offset);
}

CborReader::CborReader(std::string_view bytes, Options options) : bytes_(bytes), depth_max_(options.depth_max) {
  CHECK(depth_max_ <= kDepthMax);
}

Result<CborItem> CborReader::next() {
  CborItem item;
  if (failed_ || !read_next(item)) return error();
  return item;
}

Result<std::string_view> CborReader::skip() {
  const std::size_t begin = at_;
  const std::size_t outer_depth = depth_;
  do {
    CborItem item;
    if (failed_ || !read_next(item)) return error();
    if (depth_ < outer_depth) return std::string_view();
  } while (depth_ > outer_depth || tagged_ || in_chunks_);
  return bytes_.substr(begin, at_ - begin);
}

Result<std::string_view> CborReader::string(const CborItem& item, std::string& scratch) {
  if (!item.indefinite) return item.bytes;
  scratch.clear();
  for (;;) {
    CborItem chunk;
    if (failed_ || !read_next(chunk)) return error();
    if (chunk.type == CborType::kEnd) return std::string_view(scratch);
    scratch += chunk.bytes;
  }
}

Result<void> CborReader::finish() {
  if (failed_) return error();
  CHECK(complete());
  if (at_ == bytes_.size()) return {};
  fail("trailing data", at_ + 1);
  return error();
}

bool CborReader::read_next(CborItem& item) {
  item.offset = at_;
  if (in_chunks_) return read_chunk(item);
  if (depth_ > 0 && !lists_[depth_ - 1].indefinite && lists_[depth_ - 1].left == 0) return end_list(item);
  if (at_ == bytes_.size()) return fail_early_end();
  if (static_cast<std::uint8_t>(bytes_[at_]) == kBreak) return end_by_break(item);
  return read_item(item);
}

// There must be a byte.
bool CborReader::read_head(Head& head) {
  const auto first = static_cast<std::uint8_t>(bytes_[at_++]);
  head = {.major = static_cast<std::uint8_t>(first >> 5), .info = static_cast<std::uint8_t>(first & 31), .value = 0};
  if (head.info < 24) {
    head.value = head.info;
    return true;
  }
  if (head.info >= 28) {
    const bool known = head.info == kInfoIndefinite && may_be_indefinite(head.major);
    return known || fail("unassigned type", at_);
  }
  const std::size_t size = std::size_t{1} << (head.info - 24);
  if (bytes_.size() - at_ < size) return fail("EOF while parsing a value", bytes_.size());
  for (std::size_t i = 0; i < size; ++i) head.value = head.value << 8 | static_cast<std::uint8_t>(bytes_[at_++]);
  return true;
}

bool CborReader::read_item(CborItem& item) {
  item.is_key = depth_ > 0 && lists_[depth_ - 1].type == CborType::kMap && !lists_[depth_ - 1].value_due;
  Head head{};
  if (!read_head(head)) return false;
  item.value = head.value;
  if (head.major == kMajorTag) {
    item.type = CborType::kTag;
    tagged_ = true;
    return true;
  }
  begin_item();
  switch (head.major) {
    case kMajorUnsigned: item.type = CborType::kUnsigned; return true;
    case kMajorNegative: item.type = CborType::kNegative; return true;
    case kMajorBytes:
    case kMajorText: return read_string(head, item);
    case kMajorArray:
    case kMajorMap: return open_list(head, item);
    default: return read_simple(head, item);
  }
}

// What follows is the item that a list or a tag waited for. Tags are no items of their own, so they do not count.
void CborReader::begin_item() {
  tagged_ = false;
  if (depth_ == 0) return;
  List& list = lists_[depth_ - 1];
  list.value_due = list.type == CborType::kMap && !list.value_due;
  if (list.indefinite) return;
  --list.left;
  --due_;
}

bool CborReader::read_string(const Head& head, CborItem& item) {
  item.type = head.major == kMajorText ? CborType::kText : CborType::kBytes;
  item.value = 0;
  if (head.info == kInfoIndefinite) {
    item.indefinite = true;
    in_chunks_ = true;
    chunk_type_ = item.type;
    return true;
  }
  if (head.value > bytes_.size() - at_) return fail("EOF while parsing a value", bytes_.size());
  item.bytes = bytes_.substr(at_, static_cast<std::size_t>(head.value));
  if (item.type == CborType::kText && !is_utf8(item.bytes)) return fail("invalid UTF-8", at_ + valid_size(item.bytes));
  at_ += item.bytes.size();
  return true;
}

bool CborReader::read_chunk(CborItem& item) {
  if (at_ == bytes_.size()) return fail("EOF while parsing a value", at_);
  if (static_cast<std::uint8_t>(bytes_[at_]) == kBreak) {
    ++at_;
    in_chunks_ = false;
    item.type = CborType::kEnd;
    item.ended = chunk_type_;
    return true;
  }
  Head head{};
  if (!read_head(head)) return false;
  const std::uint8_t wanted = chunk_type_ == CborType::kText ? kMajorText : kMajorBytes;
  if (head.major != wanted || head.info == kInfoIndefinite) return fail("unexpected code", at_);
  return read_string(head, item);
}

bool CborReader::read_simple(const Head& head, CborItem& item) {
  switch (head.info) {
    case 20: item.type = CborType::kFalse; return true;
    case 21: item.type = CborType::kTrue; return true;
    case 22: item.type = CborType::kNull; return true;
    case 23: item.type = CborType::kUndefined; return true;
    case 25: item.number = half_to_double(head.value); break;
    case 26: item.number = std::bit_cast<float>(static_cast<std::uint32_t>(head.value)); break;
    case 27: item.number = std::bit_cast<double>(head.value); break;
    default: item.type = CborType::kSimple; return head.info < 24 || head.value >= 32 || fail("unassigned type", at_);
  }
  item.type = CborType::kFloat;
  item.value = 0;
  return true;
}

bool CborReader::open_list(const Head& head, CborItem& item) {
  item.type = head.major == kMajorMap ? CborType::kMap : CborType::kArray;
  item.indefinite = head.info == kInfoIndefinite;
  if (depth_ == depth_max_) return fail("recursion limit exceeded", at_);
  // Each item that is due takes a byte at least.
  const std::uint64_t each = item.type == CborType::kMap ? 2 : 1;
  const std::uint64_t room = bytes_.size() - at_;
  if (due_ > room || head.value > (room - due_) / each) return fail("EOF while parsing a value", bytes_.size());
  const std::uint64_t items = head.value * each;
  due_ += items;
  lists_[depth_++] = {.left = items, .type = item.type, .indefinite = item.indefinite, .value_due = false};
  return true;
}

bool CborReader::end_list(CborItem& item) {
  item.type = CborType::kEnd;
  item.ended = lists_[--depth_].type;
  return true;
}

bool CborReader::end_by_break(CborItem& item) {
  ++at_;
  const bool expected = depth_ > 0 && !tagged_ && lists_[depth_ - 1].indefinite && !lists_[depth_ - 1].value_due;
  return expected ? end_list(item) : fail("unexpected code", at_);
}

bool CborReader::fail(const char* text, std::size_t offset) {
  failed_ = true;
  fault_ = {text, offset};
  return false;
}

// Where an item of a list without count could have begun, or its break, the list is named.
bool CborReader::fail_early_end() {
  const bool in_list = depth_ > 0 && !tagged_ && lists_[depth_ - 1].indefinite && !lists_[depth_ - 1].value_due;
  if (!in_list) return fail("EOF while parsing a value", at_);
  return fail(lists_[depth_ - 1].type == CborType::kMap ? "EOF while parsing a map" : "EOF while parsing an array", at_);
}

Result<void> check_cbor(std::string_view bytes) {
  CborReader reader(bytes);
  if (const auto item = reader.skip(); !item) return item.error();
  return reader.finish();
}

Error cbor_error(std::string text, std::size_t offset) {
  return {ErrorKind::kInvalid, CborFault{std::move(text), offset}.describe()};
}

}  // namespace carillon
