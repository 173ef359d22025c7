#include "engine/redis/redis_gzip.h"

#include <zlib.h>

#include <algorithm>

namespace carillon {
namespace {

constexpr int kGzip = 16 + MAX_WBITS;
constexpr int kLevel = 1;  // Publishers wait for it.

}  // namespace

std::optional<std::string> gzip(std::string_view bytes) {
  z_stream stream{};
  if (deflateInit2(&stream, kLevel, Z_DEFLATED, kGzip, 8, Z_DEFAULT_STRATEGY) != Z_OK) return std::nullopt;
  std::string out(bytes.size(), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  const int ended = deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  if (ended != Z_STREAM_END || out.size() >= bytes.size()) return std::nullopt;
  return out;
}

std::optional<std::string> gunzip(std::string_view bytes, std::size_t bytes_max) {
  z_stream stream{};
  if (inflateInit2(&stream, kGzip) != Z_OK) return std::nullopt;
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  std::string out;
  int state = Z_OK;
  while (state == Z_OK) {
    if (out.size() > bytes_max) break;
    const std::size_t before = out.size();
    out.resize(before + std::clamp<std::size_t>(before, 4096, 1 << 20));
    stream.next_out = reinterpret_cast<Bytef*>(out.data() + before);
    stream.avail_out = static_cast<uInt>(out.size() - before);
    state = inflate(&stream, Z_NO_FLUSH);
    out.resize(stream.total_out);
    if (state == Z_OK && out.size() == before) state = Z_DATA_ERROR;  // It ends early.
  }
  const bool whole = state == Z_STREAM_END && stream.avail_in == 0 && out.size() <= bytes_max;
  inflateEnd(&stream);
  if (!whole) return std::nullopt;
  return out;
}

}  // namespace carillon
