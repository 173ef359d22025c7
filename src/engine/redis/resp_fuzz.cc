// Any bytes as replies: what is read does not depend on where they are torn, and keeps to the limits.
#include "base/check.h"
#include "engine/redis/resp.h"

using namespace carillon;

namespace {

constexpr RespLimits kLimits{.depth = 4, .line_bytes = 64, .string_bytes = 256, .elements = 64};

struct Size {
  std::size_t depth = 0, string_bytes = 0, elements = 0;
};

// Appends the value as bytes that say the same; adds up what it holds.
void write(const RespValue& value, std::size_t depth, std::string& out, Size& size) {
  if (const std::int64_t* const number = value.number()) {
    out += ":" + std::to_string(*number) + ";";
  } else if (const std::string* const text = value.text()) {
    size.string_bytes += text->size();
    out += "$" + *text + ";";
  } else if (const RespValue::Error* const error = value.error()) {
    CHECK(error->text.size() < kLimits.line_bytes);
    out += "-" + error->text + ";";
  } else if (const RespValue::Array* const array = value.array()) {
    size.depth = std::max(size.depth, depth);
    size.elements += array->size();
    out += "[";
    for (const RespValue& each : *array) write(each, depth + 1, out, size);
    out += "]";
  } else {
    out += "0;";
  }
}

void read_all(RespReader& reader, std::string& out) {
  while (const std::optional<RespValue> value = reader.next()) {
    Size size;
    write(*value, 1, out, size);
    out += "\n";
    CHECK(size.depth <= kLimits.depth + 1);  // An empty array is not opened.
    CHECK(size.elements <= kLimits.elements);
    CHECK(size.string_bytes <= kLimits.string_bytes + kLimits.elements * kLimits.line_bytes);  // Statuses are lines.
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  RespReader whole(kLimits), torn(kLimits);
  std::string read, read_torn;
  whole.feed(bytes);
  read_all(whole, read);
  for (std::size_t at = 0, step = 1; at < size; at += step, step = step % 7 + 1) {
    torn.feed(bytes.substr(at, step));
    read_all(torn, read_torn);
  }
  CHECK(read == read_torn);
  CHECK(whole.broken() == torn.broken());
  return 0;
}
