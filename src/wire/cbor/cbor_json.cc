#include "wire/cbor/cbor_json.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include "wire/cbor/cbor_reader.h"
#include "wire/cbor/cbor_writer.h"
#include "wire/json/json_slicer.h"
#include "wire/json/json_writer.h"
#include "wire/text/base64.h"

namespace carillon {

namespace {

// ---- CBOR to JSON ----

void write_scalar(JsonWriter& json, const CborItem& item) {
  switch (item.type) {
    case CborType::kUnsigned: json.number(item.value); return;
    case CborType::kNegative:
      // A minus in front of n+1, which fits for every n but the last.
      if (item.value == std::numeric_limits<std::uint64_t>::max()) {
        json.raw("-18446744073709551616");
      } else {
        json.raw("-" + std::to_string(item.value + 1));
      }
      return;
    case CborType::kFalse: json.boolean(false); return;
    case CborType::kTrue: json.boolean(true); return;
    case CborType::kFloat: json.number(item.number); return;
    default: json.null(); return;
  }
}

class CborToJson {
 public:
  explicit CborToJson(std::string_view cbor) : reader_(cbor) {}

  Result<std::string> convert() {
    do {
      const auto item = reader_.next();
      if (!item) return item.error();
      if (const auto written = write(*item); !written) return written.error();
    } while (!reader_.complete());
    if (const auto finished = reader_.finish(); !finished) return finished.error();
    return std::move(out_);
  }

 private:
  Result<void> write(const CborItem& item) {
    switch (item.type) {
      case CborType::kTag: return {};
      case CborType::kBytes:
      case CborType::kText: return write_string(item);
      case CborType::kArray:
      case CborType::kMap: return begin_list(item);
      case CborType::kEnd:
        if (item.ended == CborType::kMap) {
          json_.end_object();
        } else {
          json_.end_array();
        }
        return {};
      default: break;
    }
    if (item.is_key) {
      std::string name;
      JsonWriter writer(name);
      write_scalar(writer, item);
      json_.key(name);
    } else {
      write_scalar(json_, item);
    }
    return {};
  }

  Result<void> write_string(const CborItem& item) {
    const auto read = reader_.string(item, scratch_);
    if (!read) return read.error();
    const std::string encoded = item.type == CborType::kBytes ? base64_encode(*read) : std::string();
    const std::string_view text = item.type == CborType::kBytes ? std::string_view(encoded) : *read;
    if (item.is_key) {
      json_.key(text);
    } else {
      json_.string(text);
    }
    return {};
  }

  // A list in a name would have to be escaped, once more for each list around it: no bound would hold.
  Result<void> begin_list(const CborItem& item) {
    if (item.is_key) return cbor_error("an array or a map cannot be a name in JSON", item.offset);
    if (item.type == CborType::kMap) {
      json_.begin_object();
    } else {
      json_.begin_array();
    }
    return {};
  }

  CborReader reader_;
  std::string out_;
  JsonWriter json_{out_};
  std::string scratch_;
};

// ---- JSON to CBOR ----

// The tokens of a text that is known to be valid; commas and colons are passed over.
class JsonTokens {
 public:
  explicit JsonTokens(std::string_view text) : text_(text) {}

  // A bracket, a string with its quotes, a number or a literal; empty at the end.
  std::string_view next() {
    at_ = text_.find_first_not_of(" \t\n\r,:", at_);
    if (at_ == std::string_view::npos) return {};
    const std::size_t begin = at_;
    at_ = end_of_token();
    return text_.substr(begin, at_ - begin);
  }

 private:
  std::size_t end_of_token() const {
    constexpr std::string_view kBrackets = "[]{}";
    if (kBrackets.find(text_[at_]) != std::string_view::npos) return at_ + 1;
    if (text_[at_] != '"') return std::min(text_.find_first_of(" \t\n\r,:[]{}\"", at_), text_.size());
    std::size_t found = text_.find_first_of("\"\\", at_ + 1);
    while (text_[found] != '"') found = text_.find_first_of("\"\\", found + 2);  // Behind an escape.
    return found + 1;
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

bool opens(std::string_view token) {
  return token[0] == '[' || token[0] == '{';
}
bool closes(std::string_view token) {
  return token[0] == ']' || token[0] == '}';
}

// How many items each array has, and how many names and values each object, in the order of their opening brackets.
std::vector<std::size_t> count_entries(std::string_view json) {
  std::vector<std::size_t> counts;
  std::vector<std::size_t> open;
  JsonTokens tokens(json);
  for (std::string_view token = tokens.next(); !token.empty(); token = tokens.next()) {
    if (closes(token)) {
      open.pop_back();
      continue;
    }
    if (!open.empty()) ++counts[open.back()];
    if (!opens(token)) continue;
    open.push_back(counts.size());
    counts.push_back(0);
  }
  return counts;
}

bool write_number(CborWriter& cbor, std::string_view token) {
  const bool minus = token[0] == '-';
  if (const auto whole = json_u64(token.substr(minus ? 1 : 0))) {
    if (!minus) {
      cbor.number(*whole);
    } else if (*whole == 0) {
      cbor.number(-0.0);
    } else {
      cbor.negative(*whole - 1);
    }
    return true;
  }
  if (token == "-18446744073709551616") {
    cbor.negative(std::numeric_limits<std::uint64_t>::max());
    return true;
  }
  const auto number = json_double(token);
  if (number) cbor.number(*number);
  return number.has_value();
}

// False for a number out of range.
bool write_json_scalar(CborWriter& cbor, std::string_view token, std::string& scratch) {
  switch (token[0]) {
    case '"': cbor.text(*json_string(token, scratch)); return true;
    case 'n': cbor.null(); return true;
    case 't': cbor.boolean(true); return true;
    case 'f': cbor.boolean(false); return true;
    default: return write_number(cbor, token);
  }
}

}  // namespace

Result<std::string> cbor_to_json(std::string_view cbor) {
  return CborToJson(cbor).convert();
}

Result<std::string> json_to_cbor(std::string_view json) {
  if (const auto root = JsonSlicer().check(json); !root) return root.error();
  const std::vector<std::size_t> counts = count_entries(json);
  auto count = counts.begin();
  std::string out;
  std::string scratch;
  CborWriter cbor(out);
  JsonTokens tokens(json);
  for (std::string_view token = tokens.next(); !token.empty(); token = tokens.next()) {
    if (closes(token)) continue;
    if (token[0] == '[') {
      cbor.array(*count++);
    } else if (token[0] == '{') {
      cbor.map(*count++ / 2);
    } else if (!write_json_scalar(cbor, token, scratch)) {
      const auto last = static_cast<std::size_t>(token.data() + token.size() - 1 - json.data());
      return Error{ErrorKind::kInvalid, json_fault("number out of range", json, last).describe()};
    }
  }
  return out;
}

}  // namespace carillon
