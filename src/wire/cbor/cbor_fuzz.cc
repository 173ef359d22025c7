// Any bytes as CBOR and as JSON. An item is walked, skipped and written again to the same end; its JSON is valid and comes back
// from CBOR as it was; JSON that is valid becomes one well-formed item.
#include <cstdint>

#include "base/check.h"
#include "wire/cbor/cbor_json.h"
#include "wire/cbor/cbor_notation.h"
#include "wire/json/json_slicer.h"

using namespace carillon;

static bool walk(std::string_view bytes) {
  CborReader reader(bytes);
  do {
    const std::size_t before = reader.position();
    const auto item = reader.next();
    if (!item) return false;
    const bool list = item->type == CborType::kArray || item->type == CborType::kMap;
    CHECK(reader.position() > before || item->type == CborType::kEnd);
    CHECK(!list || item->value <= bytes.size() - reader.position());
    CHECK(reader.depth() <= CborReader::kDepthMax);
  } while (!reader.complete());
  return reader.finish().has_value();
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const bool good = check_cbor(bytes).has_value();
  CHECK(good == walk(bytes));
  if (const auto written = rewrite_cbor(bytes)) {
    CHECK(good && written->size() <= size);
    CHECK(rewrite_cbor(*written) == written);
  }
  if (const auto json = cbor_to_json(bytes)) {
    CHECK(good && JsonSlicer().check(*json).has_value());
    const auto again = json_to_cbor(*json);
    CHECK(again && *cbor_to_json(*again) == *json);
  }
  const auto cbor = json_to_cbor(bytes);
  if (cbor) CHECK(check_cbor(*cbor).has_value() && rewrite_cbor(*cbor) == *cbor);
  const bool number_fault = !cbor && cbor.error().text.starts_with("number out of range");
  CHECK(JsonSlicer().check(bytes).has_value() == (cbor.has_value() || number_fault));
  return 0;
}
