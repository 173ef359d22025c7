// However the bytes of a connection are cut, the same response comes out of them, and the same fault.
#include <cstdint>
#include <cstdlib>

#include "wire/http/http_response_parser.h"

namespace {

std::string read(std::string_view bytes, std::size_t piece_max) {
  carillon::HttpResponseParser parser({.head_bytes = 512, .body_bytes = 4096});
  std::string body;
  while (!bytes.empty() && !parser.done() && parser.fault() == nullptr) {
    bytes.remove_prefix(parser.feed(bytes.substr(0, piece_max)));
    body += parser.take_body();
  }
  parser.feed_end();
  if (parser.fault() != nullptr) return parser.fault()->text;  // How much of a body came before it is nobody's business.
  std::string seen = std::to_string(parser.response().status) + (parser.keep_alive() ? "keep" : "close");
  for (const auto& [name, value] : parser.response().headers.fields()) seen.append(name).append(":").append(value).append("\n");
  return seen + body + parser.take_body() + std::string(bytes);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > 4096) return 0;  // What waits is limited, and differs with the pieces; the tests look at that limit.
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const std::string whole = read(bytes, bytes.size());
  if (whole != read(bytes, 1) || whole != read(bytes, 7)) std::abort();
  return 0;
}
