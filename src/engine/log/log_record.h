// What the log keeps, as bytes: publications, what is known of a channel, the receipts of idempotency keys, state.
//
// Numbers are little-endian; the first byte of every record is its version. Reading checks every length: bytes that were not
// written here are refused, never trusted.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "hub/engine.h"

namespace carillon {

// A channel that keeps history, as it stands after the write it is part of.
struct LogChannelRecord {
  std::uint64_t number = 0;  // Its publications are kept under it; never used for another.
  Position top;
  std::uint64_t oldest = 1;      // The offset of the oldest that is kept; behind the top when none is.
  std::uint64_t erased = 1;      // Where erasing goes on: below it nothing is left on the disk.
  std::uint64_t bytes_ever = 0;  // Of all publications there have been.
  std::uint64_t bytes_gone = 0;  // Of those before the oldest.
  std::int64_t oldest_ms = 0;    // The oldest's time, or an earlier one.
  std::int64_t last_ms = 0;      // The newest's time.

  std::uint64_t count() const { return top.offset + 1 - oldest; }
  std::uint64_t bytes() const { return bytes_ever - bytes_gone; }
};

// What a publication's record says of it without its texts.
struct LogPublicationHead {
  std::int64_t time_ms = 0;
  std::uint64_t bytes_before = 0;  // Of all publications of the channel before this one.
};

// What a publication counts against limits of bytes.
std::size_t log_bytes(const Publication& publication);

// `run` names this life of the server: sessions' ids mean something in it only.
void append_publication(std::string& out, const Publication& publication, std::uint64_t bytes_before, std::uint32_t run);
std::optional<LogPublicationHead> read_publication_head(std::string_view record);
// Null: damaged. The channel and its position are what the record's key says.
PublicationPtr read_publication(std::string_view record, std::string_view channel, const Position& position, std::uint32_t run);

void append_channel(std::string& out, const LogChannelRecord& record);
std::optional<LogChannelRecord> read_channel(std::string_view record);

void append_receipt(std::string& out, const Receipt& receipt);
std::optional<Receipt> read_receipt(std::string_view record);

// A value with the time from which it is gone (0: never) in front.
void append_expiring(std::string& out, std::string_view value, std::int64_t expires_at_ms);
struct Expiring {
  std::string_view value;
  std::int64_t expires_at_ms = 0;
};
std::optional<Expiring> read_expiring(std::string_view record);

}  // namespace carillon
