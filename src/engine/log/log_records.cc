#include "engine/log/log_records.h"

#include <isa-l/crc.h>

#include <algorithm>
#include <bit>
#include <cstring>

// RocksDB's function of this name (its util/crc32c.h), which it exports and calls by its name: where the program has one, as
// here, that one is called. Its own goes by tables, as Debian builds the library for every x86-64, and that was a quarter of
// the writer's time at 1 KB. Where a linker does not let this one take its place the results are the same.
namespace rocksdb::crc32c {
[[gnu::visibility("default")]] std::uint32_t Extend(std::uint32_t crc, const char* data, std::size_t size);

std::uint32_t Extend(std::uint32_t crc, const char* data, std::size_t size) {
  constexpr std::size_t kAtOnce = 1u << 30;
  while (size > 0) {
    const std::size_t part = std::min(size, kAtOnce);
    auto* const bytes = reinterpret_cast<unsigned char*>(const_cast<char*>(data));  // It only reads.
    crc = ~crc32_iscsi(bytes, static_cast<int>(part), ~crc);
    data += part;
    size -= part;
  }
  return crc;
}
}  // namespace rocksdb::crc32c

namespace carillon {
namespace {

static_assert(std::endian::native == std::endian::little);

constexpr std::size_t kHeader = 7;
constexpr std::size_t kHeaderWithNumber = 11;
constexpr std::size_t kTypePlace = 6;
constexpr int kWhole = 1, kFirst = 2, kMiddle = 3, kLast = 4;

template <class T>
T number_at(std::string_view bytes, std::size_t place) {
  T value;
  std::memcpy(&value, bytes.data() + place, sizeof value);
  return value;
}

// RocksDB's way to keep a checksum of bytes that hold checksums from being a simple one.
std::uint32_t masked_crc32c(std::string_view bytes) {
  return std::rotr(rocksdb::crc32c::Extend(0, bytes.data(), bytes.size()), 15) + 0xa282ead8u;
}

bool all_zero(std::string_view bytes) {
  return bytes.find_first_not_of('\0') == std::string_view::npos;
}

}  // namespace

Result<void> LogRecords::load_block(std::uint64_t offset) {
  const std::uint64_t start = offset / kBlockSize * kBlockSize;
  if (block_start_ == start) return {};
  block_.resize(std::min<std::uint64_t>(kBlockSize, size_ - std::min(start, size_)));
  const Result<std::size_t> got = file_.read(start, block_);
  if (!got) return got.error();
  block_.resize(*got);
  block_start_ = start;
  return {};
}

LogRecords::Fragment LogRecords::fragment_at(std::size_t place) const {
  const std::string_view rest = std::string_view(block_).substr(place);
  if (rest.empty()) return {.found = Found::kNothing};
  if (!block_is_cut() && rest.size() < kHeaderWithNumber && all_zero(rest))
    return {.found = Found::kPadding, .size = rest.size()};
  const Found too_short = block_is_cut() ? Found::kIncomplete : Found::kDamaged;
  if (rest.size() < kHeader) return {.found = too_short};

  const int type = static_cast<unsigned char>(rest[kTypePlace]);
  if (type < 1 || type > 8) return {.found = Found::kDamaged};
  const std::size_t header = type > kLast ? kHeaderWithNumber : kHeader;
  const std::size_t size = header + number_at<std::uint16_t>(rest, 4);
  if (place + size > kBlockSize) return {.found = Found::kDamaged};
  if (size > rest.size()) return {.found = too_short};
  if (masked_crc32c(rest.substr(kTypePlace, size - kTypePlace)) != number_at<std::uint32_t>(rest, 0)) return {};
  const bool stale = type > kLast && number_at<std::uint32_t>(rest, kHeader) != static_cast<std::uint32_t>(log_number_);
  if (stale) return {.found = Found::kStale};
  return {.found = Found::kFragment,
          .type = type > kLast ? type - kLast : type,
          .size = size,
          .payload = rest.substr(header, size - header)};
}

bool LogRecords::take(const Fragment& fragment) {
  if (!within_record_) record_.clear();
  record_ += fragment.payload;
  within_record_ = fragment.type == kFirst || fragment.type == kMiddle;
  return within_record_;
}

Result<std::optional<std::string_view>> LogRecords::next() {
  for (;;) {
    if (const Result<void> loaded = load_block(offset_); !loaded) return loaded.error();
    const Fragment fragment = fragment_at(offset_ - *block_start_);
    const bool begins = fragment.type == kWhole || fragment.type == kFirst;
    switch (fragment.found) {
      case Found::kPadding: offset_ = *block_start_ + kBlockSize; continue;
      case Found::kFragment:
        if (begins == within_record_) {  // One begins before the last is over, or goes on that never began.
          end_ = End::kDamaged;
          return std::optional<std::string_view>();
        }
        offset_ += fragment.size;
        if (take(fragment)) continue;
        whole_end_ = offset_;
        return std::optional<std::string_view>(record_);
      case Found::kNothing:
      case Found::kStale: end_ = within_record_ ? End::kIncomplete : End::kWhole; return std::optional<std::string_view>();
      case Found::kIncomplete: end_ = End::kIncomplete; return std::optional<std::string_view>();
      case Found::kDamaged: end_ = End::kDamaged; return std::optional<std::string_view>();
    }
  }
}

// What is damaged may be a length, so any byte may begin the next record.
Result<std::optional<std::uint64_t>> LogRecords::find_another() {
  for (std::uint64_t offset = offset_; offset < size_; ++offset) {
    if (const Result<void> loaded = load_block(offset); !loaded) return loaded.error();
    const std::size_t place = offset - *block_start_;
    if (place >= block_.size()) break;
    const Fragment fragment = fragment_at(place);
    if (fragment.found != Found::kFragment || (fragment.type != kWhole && fragment.type != kFirst)) continue;
    LogRecords behind(file_, size_, log_number_, offset);
    const Result<std::optional<std::string_view>> record = behind.next();
    if (!record) return record.error();
    if (*record) return std::optional(offset);
  }
  return std::optional<std::uint64_t>();
}

Result<bool> LogRecords::another_follows() {
  const Result<std::optional<std::uint64_t>> found = find_another();
  if (!found) return found.error();
  return found->has_value();
}

Result<bool> LogRecords::skip_to_another() {
  const Result<std::optional<std::uint64_t>> found = find_another();
  if (!found) return found.error();
  if (!*found) return false;
  offset_ = **found;
  within_record_ = false;
  return true;
}

}  // namespace carillon
