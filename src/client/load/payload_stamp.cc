#include "client/load/payload_stamp.h"

#include <algorithm>

#include "base/check.h"
#include "base/id.h"

namespace carillon {
namespace {

constexpr std::string_view kMark = "#stamp#:";
constexpr std::size_t kTimeDigits = 16;
constexpr std::size_t kSequenceDigits = 8;
static_assert(kMark.size() + kTimeDigits + kSequenceDigits == PayloadStamp::kSize);

std::optional<std::uint64_t> parse_hex(std::string_view digits) {
  std::uint64_t value = 0;
  for (const char digit : digits) {
    const int number = digit >= '0' && digit <= '9' ? digit - '0' : digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
    if (number < 0) return std::nullopt;
    value = value << 4 | static_cast<std::uint64_t>(number);
  }
  return value;
}

}  // namespace

std::string stamped_payload(const PayloadStamp& stamp, std::size_t size) {
  CHECK(size >= PayloadStamp::kSize);
  std::string payload(kMark);
  payload += hex_text(stamp.sent_ns, kTimeDigits);
  payload += hex_text(stamp.sequence, kSequenceDigits);
  payload.resize(size, 'x');
  return payload;
}

std::optional<PayloadStamp> StampFinder::find(std::string_view head) {
  std::size_t at = last_at_;
  if (head.size() < at || !head.substr(at).starts_with(kMark)) at = head.find(kMark);
  if (at == std::string_view::npos || head.size() - at < PayloadStamp::kSize) return std::nullopt;

  const auto stamp = read(head.substr(at, PayloadStamp::kSize));
  if (stamp) last_at_ = at;
  return stamp;
}

std::optional<PayloadStamp> StampFinder::take(std::string_view& text) {
  for (std::size_t at = text.find(kMark); at != std::string_view::npos; at = text.find(kMark)) {
    text.remove_prefix(at);
    if (text.size() < PayloadStamp::kSize) return std::nullopt;
    const auto stamp = read(text.substr(0, PayloadStamp::kSize));
    text.remove_prefix(stamp ? PayloadStamp::kSize : kMark.size());
    if (stamp) return stamp;
  }
  return std::nullopt;
}

std::optional<PayloadStamp> StampFinder::read(std::string_view text) {
  if (std::equal(text.begin(), text.end(), last_text_.begin())) return last_stamp_;
  const auto sent_ns = parse_hex(text.substr(kMark.size(), kTimeDigits));
  const auto sequence = parse_hex(text.substr(kMark.size() + kTimeDigits));
  if (!sent_ns || !sequence) return std::nullopt;

  std::copy(text.begin(), text.end(), last_text_.begin());
  last_stamp_ = {.sent_ns = *sent_ns, .sequence = static_cast<std::uint32_t>(*sequence)};
  return last_stamp_;
}

}  // namespace carillon
