// One line for the operator. Structured by hand: a sentence, then key=value pairs.
//
// Any thread. Writing is done by a background thread; when its queue (8 192 lines) is full the oldest lines are dropped,
// so that a slow disk never holds up a loop. A peer's fault is counted, never logged line by line.
#pragma once

#include <fmt/core.h>

#include <string>
#include <string_view>

#include "carillon/log_level.h"

namespace carillon {

// Default: kInfo, to standard error.
void set_log_level(LogLevel level);
bool log_enabled(LogLevel level);
void write_log(LogLevel level, std::string_view line);
// Waits until what was written so far has left the process.
void flush_log();

template <class... Args>
void log_line(LogLevel level, fmt::format_string<Args...> format, Args&&... args) {
  if (log_enabled(level)) write_log(level, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void log_debug(fmt::format_string<Args...> format, Args&&... args) {
  log_line(LogLevel::kDebug, format, std::forward<Args>(args)...);
}
template <class... Args>
void log_info(fmt::format_string<Args...> format, Args&&... args) {
  log_line(LogLevel::kInfo, format, std::forward<Args>(args)...);
}
template <class... Args>
void log_warning(fmt::format_string<Args...> format, Args&&... args) {
  log_line(LogLevel::kWarning, format, std::forward<Args>(args)...);
}
template <class... Args>
void log_error(fmt::format_string<Args...> format, Args&&... args) {
  log_line(LogLevel::kError, format, std::forward<Args>(args)...);
}

}  // namespace carillon
