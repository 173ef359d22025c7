// However the bytes of a connection are cut, the same requests come out of them, and the same fault.
#include <cstdint>
#include <cstdlib>

#include "wire/http/http_request_parser.h"

namespace {

std::string read(std::string_view bytes, std::size_t piece_max) {
  carillon::HttpRequestParser parser({.head_bytes = 512, .header_count = 8, .body_bytes = 256, .target_bytes = 128});
  std::string seen;
  while (!bytes.empty() && parser.fault() == nullptr) {
    bytes.remove_prefix(parser.feed(bytes.substr(0, piece_max)));
    if (!parser.done()) continue;
    const carillon::HttpRequest request = parser.take();
    seen += request.method + ' ' + request.target + ' ' + request.path + '?' + request.query + '\n';
    for (const auto& [name, value] : request.headers.fields()) seen.append(name).append(":").append(value).append("\n");
    seen += request.body + (request.keep_alive ? "\nkeep\n" : "\nclose\n");
    for (const std::string& value : request.query_values("a")) seen += value;
  }
  if (parser.fault() != nullptr) seen += std::to_string(parser.fault()->status) + parser.fault()->text;
  return seen + (parser.started() ? "started" : "");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const std::string whole = read(bytes, bytes.size());
  if (whole != read(bytes, 1) || whole != read(bytes, 7)) std::abort();
  return 0;
}
