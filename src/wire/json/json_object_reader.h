// Reading the fields of one JSON object into typed values, where speed does not matter.
//
// The first fault is kept and everything read after it is empty, so a reader of five fields is five lines and one question
// at the end. Used on one thread; the text must outlive the reader.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "carillon/result.h"
#include "wire/json/json_slicer.h"

namespace carillon {

class JsonObjectReader {
 public:
  // `what` begins every error's text: "push record". The text must be one whole JSON object. Of fields of one name the first
  // counts.
  JsonObjectReader(std::string_view what, std::string_view json);

  std::string text(std::string_view field);
  // Absent or null: none.
  std::optional<std::string> optional_text(std::string_view field);
  // Refuses fractions, and what does not fit.
  std::int64_t integer(std::string_view field);
  // The field's value as it was written, byte for byte.
  std::string raw(std::string_view field);
  // The index of the field's text among the names.
  std::size_t one_of(std::string_view field, std::span<const std::string_view> names);

  // Keeps the fault if there is none yet.
  void fail(std::string text);
  // The first fault, or nothing. Kind: kInvalid.
  Result<void> status() const;

 private:
  // The field's value; null, with a fault kept, when there is none or there was a fault before.
  const JsonSpan* require(std::string_view field);

  JsonSlicer slicer_;
  JsonDocument document_;
  std::string what_;
  std::optional<Error> fault_;
};

}  // namespace carillon
