// Any bytes as a command of either version: read or refused with a text; what version 1 reads, version 2 reads as the same;
// what is read is sound, and the request id of the answer is one item.
#include "base/check.h"
#include "base/utf8.h"
#include "protocol/infotainer/infotainer_codec.h"
#include "wire/cbor/cbor_reader.h"
#include "wire/json/json_slicer.h"

using namespace carillon;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static InfotainerReader one(InfotainerVersion::kOne), two(InfotainerVersion::kTwo);
  static JsonSlicer slicer;
  const std::string_view message(reinterpret_cast<const char*>(data), size);
  const Result<InfotainerCommand> first = one.read(message);
  const Result<InfotainerCommand> second = two.read(message);
  for (const auto* const command : {&first, &second}) {
    if (!*command) CHECK(!command->error().text.empty() && is_utf8(command->error().text));
  }
  CHECK(one.request_id().empty());
  const std::string request_id(two.request_id());
  CHECK(request_id.size() <= kRequestIdBytesMax);
  if (!second) {
    CHECK(check_cbor(infotainer_error(request_id, second.error())));
    return 0;
  }
  CHECK(check_cbor(message));
  CHECK(check_cbor(infotainer_acked(request_id, second->id)));
  CHECK(is_utf8(second->event) && is_utf8(second->idempotency_key) && is_utf8(second->name));
  CHECK(is_utf8(second->group) && second->in_flight >= 1 && second->in_flight <= kGroupInFlightMax);
  for (const std::string& token : second->deliveries) CHECK(is_utf8(token));
  if (second->wish.dead_letter) CHECK(is_utf8(*second->wish.dead_letter));
  if (second->verb != InfotainerVerb::kSubmitPublication) return 0;
  if (second->format == PayloadFormat::kJson) CHECK(slicer.check(second->submission));
  if (second->format == PayloadFormat::kCbor) CHECK(check_cbor(second->submission));
  if (first && second->format == PayloadFormat::kBytes) CHECK(first->submission == second->submission);
  return 0;
}
