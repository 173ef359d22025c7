#include "os/process_usage_reader.h"

#include <dirent.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <memory>

namespace carillon {
namespace {

double seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

// Linux tells the number as the directory's size since 6.2; before, the entries are counted.
std::uint64_t count_open_fds() {
  struct stat about {};
  if (stat("/proc/self/fd", &about) == 0 && about.st_size > 0) return static_cast<std::uint64_t>(about.st_size);
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(opendir("/proc/self/fd"), closedir);
  if (directory == nullptr) return 0;
  std::uint64_t count = 0;
  while (readdir(directory.get()) != nullptr) ++count;
  return count > 3 ? count - 3 : 0;  // ".", ".." and the directory itself.
}

}  // namespace

ProcessUsage read_process_usage() {
  ProcessUsage usage;
  rusage times{};
  if (getrusage(RUSAGE_SELF, &times) == 0) usage.cpu_seconds = seconds(times.ru_utime) + seconds(times.ru_stime);
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) == 0) usage.max_fds = files.rlim_cur;
  usage.open_fds = count_open_fds();
  const std::unique_ptr<FILE, int (*)(FILE*)> statm(std::fopen("/proc/self/statm", "re"), std::fclose);
  unsigned long long virtual_pages = 0;
  unsigned long long resident_pages = 0;
  if (statm != nullptr && std::fscanf(statm.get(), "%llu %llu", &virtual_pages, &resident_pages) == 2) {
    const auto page = static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
    usage.virtual_bytes = virtual_pages * page;
    usage.resident_bytes = resident_pages * page;
  }
  return usage;
}

}  // namespace carillon
