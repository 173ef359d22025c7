// CBOR as JSON and back (RFC 8949, section 6), so that each kind of client can be shown what the other kind published.
//
// Lists nest as deep as both readers allow (128). What either function takes, it gives in one string, whose size is bounded by
// a small multiple of the input's.
#pragma once

#include <string>
#include <string_view>

#include "carillon/result.h"

namespace carillon {

// One CBOR item as one JSON text. What JSON has no word for:
// - byte strings are texts in Base64 (with padding, as elsewhere in Carillon);
// - whole numbers keep all their digits, also beyond 2^53;
// - NaN, the infinities, undefined and other simple values are null;
// - tags are dropped, so a bignum (tags 2 and 3) is its bytes in Base64;
// - keys that are no texts become the text of their JSON ("1", "null"); an array or a map as a key is refused.
// Keys that are the same come as often as they came. The error is kInvalid and says where.
Result<std::string> cbor_to_json(std::string_view cbor);

// One JSON text as one CBOR item, in the order it came; names that are the same are all there.
// - Numbers without fraction and exponent from -2^64 to 2^64-1 are whole; all others, and -0, are the nearest double, in the
//   shortest form that keeps it. A number that no double comes near (1e999, 1e-999) is refused.
// - Texts stay texts: what was bytes before is not seen in Base64.
// The error is kInvalid and says where, as JsonSlicer does. Works in memory of up to eight times the text.
Result<std::string> json_to_cbor(std::string_view json);

}  // namespace carillon
