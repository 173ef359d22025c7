// Reading CBOR (RFC 8949), one item at a time.
//
// A reader is used on one thread. The bytes belong to the caller and must outlive the reader and every view it gives. Nothing
// is allocated but the text of a fault, and by `string` for a string that came in chunks: arrays and maps are counted, never
// collected.
//
// Strict means: every rule of appendix F (reserved heads, breaks, chunks, simple values below 32 in two bytes), and UTF-8
// checked in each text and each chunk of one. Lenient as the RFC allows: heads need not be the shortest, keys of a map may be
// of any type, in any order, and twice; the caller judges.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "carillon/result.h"

namespace carillon {

enum class CborType : std::uint8_t {
  kUnsigned,
  kNegative,
  kBytes,
  kText,
  kArray,
  kMap,
  kTag,  // What it tags is the next item.
  kFalse,
  kTrue,
  kNull,
  kUndefined,
  kSimple,  // Any other simple value.
  kFloat,
  kEnd,  // Of the array, the map or the string of chunks that was begun last and is still open.
};

struct CborItem {
  CborType type = CborType::kNull;
  CborType ended = CborType::kNull;  // Of kEnd: kArray, kMap, kBytes or kText.
  bool indefinite = false;           // Of strings: chunks (items of the same type) follow, then kEnd. Of lists: no count.
  bool is_key = false;               // A map's key, or a tag in front of one. False for what is inside a key, and for kEnd.
  std::uint64_t value = 0;  // kUnsigned, kSimple: the value. kNegative: n for -1-n. kTag: its number. Lists: items, or pairs.
  double number = 0;        // Of kFloat, whatever its size.
  std::string_view bytes;   // Of kBytes and kText that are not indefinite.
  std::size_t offset = 0;   // Where its head begins.

  // kUnsigned and kNegative that fit.
  std::optional<std::int64_t> as_i64() const;
};

// What is wrong, and how many bytes had to be read to see it (of text that is not UTF-8: where it begins not to be). Texts and
// offsets are those of serde_cbor where it has one for the case, because the clients of infotainer have seen them. One case
// differs: a count larger than what can follow is an early end at once, whatever is wrong in the items that are there.
struct CborFault {
  std::string text;
  std::size_t offset = 0;

  std::string describe() const;  // "unexpected code at offset 1"; without a place when the offset is 0.
};

class CborReader {
 public:
  static constexpr std::size_t kDepthMax = 128;

  struct Options {
    // Arrays and maps open at once, kDepthMax at most; one more is a fault ("recursion limit exceeded"). Tags and chunks do
    // not nest.
    std::size_t depth_max = kDepthMax;
  };

  explicit CborReader(std::string_view bytes) : CborReader(bytes, Options{}) {}
  CborReader(std::string_view bytes, Options options);

  // The next item, also of a sequence of several (RFC 8742). Every array and map ends with a kEnd, counted ones too. A count is
  // given only when at least as many bytes as all open lists together still need are there, so that it is safe to make room for
  // it. The error is kInvalid with the fault described; it stays.
  Result<CborItem> next();
  // Reads the next item with all that is in it, and its tags; gives its bytes. Where a list ends: reads the end, gives nothing.
  // Within a string of chunks: reads what is left of it.
  Result<std::string_view> skip();
  // All of a string whose item (kBytes or kText) was read last: as it lies there, or put together in `scratch`.
  Result<std::string_view> string(const CborItem& item, std::string& scratch);
  // To be called when items are complete: a fault ("trailing data") when bytes are left.
  Result<void> finish();

  // No list and no string is open and no tag waits for its item.
  bool complete() const { return depth_ == 0 && !tagged_ && !in_chunks_; }
  // Arrays and maps that are open.
  std::size_t depth() const { return depth_; }
  // Bytes read.
  std::size_t position() const { return at_; }
  // The fault behind the last error.
  const CborFault& fault() const { return fault_; }

 private:
  struct Head {
    std::uint8_t major;
    std::uint8_t info;
    std::uint64_t value;
  };
  struct List {
    std::uint64_t left;  // Items (keys and values count one each) still to begin; of a counted list.
    CborType type;
    bool indefinite;
    bool value_due;  // Of a map: a key was begun and its value was not.
  };

  bool read_next(CborItem& item);
  bool read_head(Head& head);
  bool read_item(CborItem& item);
  bool read_chunk(CborItem& item);
  bool read_string(const Head& head, CborItem& item);
  bool read_simple(const Head& head, CborItem& item);
  bool open_list(const Head& head, CborItem& item);
  bool end_list(CborItem& item);
  bool end_by_break(CborItem& item);
  void begin_item();
  bool fail(const char* text, std::size_t offset);
  bool fail_early_end();
  Error error() const { return {ErrorKind::kInvalid, fault_.describe()}; }

  std::string_view bytes_;
  std::size_t at_ = 0;
  std::size_t depth_max_;
  std::size_t depth_ = 0;
  std::uint64_t due_ = 0;  // The sum of `left` over the open lists: bytes that must still come, at least.
  bool tagged_ = false;
  bool in_chunks_ = false;
  bool failed_ = false;
  CborType chunk_type_ = CborType::kBytes;
  std::array<List, kDepthMax> lists_;  // The first depth_ are open, outermost first; the others hold nothing.
  CborFault fault_;
};

// Whether the bytes are exactly one well-formed item.
Result<void> check_cbor(std::string_view bytes);

// For callers who find their own fault in well-formed bytes.
Error cbor_error(std::string text, std::size_t offset);

}  // namespace carillon
