#include "client/load/frame_scanner.h"

#include <algorithm>

namespace carillon {
namespace {

std::uint8_t byte_at(std::string_view bytes, std::size_t at) {
  return static_cast<std::uint8_t>(bytes[at]);
}

// How long the header is, known from its second byte on.
std::size_t header_size(std::string_view bytes) {
  const std::uint8_t length = byte_at(bytes, 1) & 0x7f;
  return length < 126 ? 2 : length == 126 ? 4 : 10;
}

std::uint64_t payload_length(std::string_view header) {
  if (header.size() == 2) return byte_at(header, 1) & 0x7f;
  std::uint64_t length = 0;
  for (std::size_t i = 2; i < header.size(); ++i) length = length << 8 | byte_at(header, i);
  return length;
}

// How much of a torn frame to gather, as far as what is there tells: its second byte, its header, its head.
std::size_t wanted_head(std::string_view torn, std::size_t head_max) {
  if (torn.size() < 2) return 2;
  const std::size_t header = header_size(torn);
  if (torn.size() < header) return header;
  const std::uint64_t length = payload_length(torn.substr(0, header));
  return header + static_cast<std::size_t>(std::min<std::uint64_t>(length, head_max));
}

// A server never masks (section 5.1), no extension was agreed upon that could set a reserved bit (5.2), and opcodes 3 to 7 and
// 11 to 15 are none.
bool can_begin_frame(std::string_view bytes) {
  const unsigned first = byte_at(bytes, 0);
  return (first & 0x70) == 0 && (first & 0x07) <= 2 && (byte_at(bytes, 1) & 0x80) == 0;
}

}  // namespace

FrameScanner::Step FrameScanner::step(std::string_view& bytes, ScannedFrame& frame) {
  if (place_ == Place::kBetween) return begin(bytes, frame);
  if (place_ == Place::kHead) return gather_head(bytes, frame);
  const std::uint64_t skipped = std::min<std::uint64_t>(left_, bytes.size());
  left_ -= skipped;
  bytes.remove_prefix(static_cast<std::size_t>(skipped));
  return left_ == 0 ? finish(frame) : Step::kMore;
}

// The usual case: the whole frame lies in this read.
FrameScanner::Step FrameScanner::begin(std::string_view& bytes, ScannedFrame& frame) {
  if (bytes.size() >= 2) {
    if (!can_begin_frame(bytes)) return Step::kBroken;
    const std::size_t header = header_size(bytes);
    if (bytes.size() >= header) {
      const std::uint64_t length = payload_length(bytes.substr(0, header));
      if (bytes.size() - header >= length) {
        frame = {.opcode = static_cast<std::uint8_t>(byte_at(bytes, 0) & 0x0f),
                 .length = length,
                 .head = bytes.substr(header, std::min<std::size_t>(static_cast<std::size_t>(length), head_max_))};
        bytes.remove_prefix(header + static_cast<std::size_t>(length));
        return Step::kFrame;
      }
    }
  }
  torn_.clear();
  place_ = Place::kHead;
  return gather_head(bytes, frame);
}

FrameScanner::Step FrameScanner::gather_head(std::string_view& bytes, ScannedFrame& frame) {
  while (torn_.size() < wanted_head(torn_, head_max_)) {
    if (bytes.empty()) return Step::kMore;
    const std::size_t taken = std::min(wanted_head(torn_, head_max_) - torn_.size(), bytes.size());
    torn_.append(bytes.substr(0, taken));
    bytes.remove_prefix(taken);
    if (torn_.size() == 2 && !can_begin_frame(torn_)) return Step::kBroken;
  }
  left_ = payload_length(std::string_view(torn_).substr(0, header_size(torn_))) - (torn_.size() - header_size(torn_));
  place_ = Place::kRest;
  return left_ == 0 ? finish(frame) : Step::kMore;
}

FrameScanner::Step FrameScanner::finish(ScannedFrame& frame) {
  const std::string_view torn = torn_;
  const std::size_t header = header_size(torn);
  frame = {.opcode = static_cast<std::uint8_t>(byte_at(torn, 0) & 0x0f),
           .length = payload_length(torn.substr(0, header)),
           .head = torn.substr(header)};
  place_ = Place::kBetween;
  return Step::kFrame;
}

}  // namespace carillon
