// A log as text: one JSON object a line, to be read, kept, and made a log again (log_import.h). The fields:
//
//   {"log","epoch"}                                     the first line: the format, and the epoch of channels yet to come
//   {"channel","epoch","offset","oldest","time"}        a channel, its newest position, the offset of its oldest, its last time
//   {"channel","offset","id","time","event",            each of its publications, behind it, in order
//    "data" | "cbor" | "bytes", "user"?, "trusted"?, "verified"?, "tags"?}
//   {"channel","key","id","epoch","offset","time"}      an idempotency key and its receipt
//   {"state","value","expires"?}                        a state record
//
// "data" is the payload itself, with line breaks between its tokens made spaces; "cbor", "bytes" and "value" are Base64. A key
// or a state's name that is no UTF-8 is Base64 too, called "key_base64" or "state_base64". Times are Unix milliseconds. What
// means something in one life of the server only is left out: sessions.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "engine/log/log_check.h"
#include "engine/log/log_store.h"

namespace carillon {

inline constexpr std::string_view kLogTextFormat = "carillon log text 1";

// Takes a line without its end; false ends the export.
using LogLineSink = std::function<bool(std::string_view line)>;

// `channel`: only that one and its keys; empty: everything. kNotFound: there is no such channel. kCorrupt: something cannot be
// read; the lines before it were given.
Result<void> export_log(const LogStore& store, const std::string& channel, const LogLineSink& sink,
                        const LogProgress& progress);

}  // namespace carillon
