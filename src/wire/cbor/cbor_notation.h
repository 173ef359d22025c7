// For tests of CBOR: bytes as hexadecimal digits, an item in diagnostic notation (RFC 8949, section 8), an item written again.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <fmt/core.h>

#include "wire/cbor/cbor_reader.h"
#include "wire/cbor/cbor_writer.h"
#include "wire/json/json_writer.h"

namespace carillon {

inline std::string from_hex(std::string_view digits) {
  std::string out;
  for (; digits.size() >= 2; digits.remove_prefix(2)) {
    out += static_cast<char>(std::stoi(std::string(digits.substr(0, 2)), nullptr, 16));
  }
  return out;
}

inline std::string to_hex(std::string_view bytes) {
  std::string out;
  for (const char c : bytes) out += fmt::format("{:02x}", static_cast<unsigned char>(c));
  return out;
}

// As short as it goes, but never like a whole number: "1.0", "1e+300".
inline std::string diagnose_float(double number) {
  std::string text = fmt::format("{}", number);
  if (text.find_first_not_of("-0123456789") == std::string::npos) text += ".0";
  return text;
}

inline std::string diagnose_scalar(const CborItem& item) {
  std::string text;
  switch (item.type) {
    case CborType::kUnsigned: return fmt::format("{}", item.value);
    case CborType::kNegative:
      return item.value == ~std::uint64_t{0} ? "-18446744073709551616" : fmt::format("-{}", item.value + 1);
    case CborType::kBytes: return "h'" + to_hex(item.bytes) + "'";
    case CborType::kText: append_json_string(text, item.bytes); return text;
    case CborType::kFalse: return "false";
    case CborType::kTrue: return "true";
    case CborType::kNull: return "null";
    case CborType::kUndefined: return "undefined";
    case CborType::kSimple: return fmt::format("simple({})", item.value);
    case CborType::kFloat: return diagnose_float(item.number);
    default: return "?";
  }
}

// The next item, or the text of the fault. Recursive, so not for bytes of which nothing is known.
inline std::string diagnose(CborReader& reader) {
  const auto item = reader.next();
  if (!item) return item.error().text;
  const bool list = item->type == CborType::kArray || item->type == CborType::kMap;
  if (item->type == CborType::kEnd) return "";
  if (item->type == CborType::kTag) return fmt::format("{}({})", item->value, diagnose(reader));
  if (!list && !item->indefinite) return diagnose_scalar(*item);

  const bool map = item->type == CborType::kMap;
  std::string out = map ? "{" : list ? "[" : "(";
  if (item->indefinite) out += "_ ";
  std::string_view separator;
  for (std::string entry = diagnose(reader); !entry.empty(); entry = diagnose(reader)) {
    if (reader.fault().offset != 0) return entry;
    out += fmt::format("{}{}", separator, entry);
    if (map) out += ": " + diagnose(reader);
    separator = ", ";
  }
  return out + (map ? "}" : list ? "]" : ")");
}

// One item written by CborWriter as it was read; nothing when it is malformed or has a part without a count.
inline std::optional<std::string> rewrite_cbor(std::string_view bytes) {
  CborReader reader(bytes);
  std::string out;
  CborWriter writer(out);
  do {
    const auto item = reader.next();
    if (!item || item->indefinite) return std::nullopt;
    switch (item->type) {
      case CborType::kUnsigned: writer.number(item->value); break;
      case CborType::kNegative: writer.negative(item->value); break;
      case CborType::kBytes: writer.bytes(item->bytes); break;
      case CborType::kText: writer.text(item->bytes); break;
      case CborType::kArray: writer.array(item->value); break;
      case CborType::kMap: writer.map(item->value); break;
      case CborType::kTag: writer.tag(item->value); break;
      case CborType::kFalse: writer.boolean(false); break;
      case CborType::kTrue: writer.boolean(true); break;
      case CborType::kNull: writer.null(); break;
      case CborType::kUndefined: writer.undefined(); break;
      case CborType::kSimple: writer.simple(static_cast<std::uint8_t>(item->value)); break;
      case CborType::kFloat: writer.number(item->number); break;
      case CborType::kEnd: break;
    }
  } while (!reader.complete());
  if (!reader.finish()) return std::nullopt;
  return out;
}

}  // namespace carillon
