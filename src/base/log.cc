// The only file that knows spdlog.
#include "base/log.h"

#include <spdlog/async.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <memory>

namespace carillon {
namespace {

std::atomic<LogLevel> lowest{LogLevel::kInfo};

spdlog::level::level_enum spdlog_level(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug: return spdlog::level::debug;
    case LogLevel::kInfo: return spdlog::level::info;
    case LogLevel::kWarning: return spdlog::level::warn;
    case LogLevel::kError: return spdlog::level::err;
    case LogLevel::kOff: return spdlog::level::off;
  }
  return spdlog::level::info;
}

struct Writer {
  std::shared_ptr<spdlog::details::thread_pool> pool = std::make_shared<spdlog::details::thread_pool>(8192, 1);
  std::shared_ptr<spdlog::async_logger> logger = std::make_shared<spdlog::async_logger>(
      "carillon", std::make_shared<spdlog::sinks::stderr_sink_mt>(), pool, spdlog::async_overflow_policy::overrun_oldest);

  Writer() {
    logger->set_level(spdlog::level::trace);
    logger->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %l %v", spdlog::pattern_time_type::utc);
    logger->flush_on(spdlog::level::info);
  }
  // What waits is written and the thread ended before the logger goes.
  ~Writer() { pool.reset(); }
};

Writer& writer() {
  static Writer instance;
  return instance;
}

}  // namespace

void set_log_level(LogLevel level) {
  lowest.store(level, std::memory_order_relaxed);
}

bool log_enabled(LogLevel level) {
  const LogLevel floor = lowest.load(std::memory_order_relaxed);
  return floor != LogLevel::kOff && level >= floor;
}

void write_log(LogLevel level, std::string_view line) {
  writer().logger->log(spdlog_level(level), spdlog::string_view_t(line.data(), line.size()));
}

void flush_log() {
  writer().logger->flush();
}

}  // namespace carillon
