#include "client/load/answer_scanner.h"

#include <algorithm>
#include <charconv>
#include <optional>

namespace carillon {
namespace {

constexpr std::string_view kVersion = "HTTP/1.1 ";
constexpr std::string_view kLineEnd = "\r\n";
constexpr std::string_view kHeadEnd = "\r\n\r\n";

template <class Number>
std::optional<Number> to_number(std::string_view digits) {
  Number number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return number;
}

bool is_name(std::string_view text, std::string_view lower_name) {
  const auto equal = [](char c, char lower) { return (c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c) == lower; };
  return std::equal(text.begin(), text.end(), lower_name.begin(), lower_name.end(), equal);
}

}  // namespace

std::string_view ScannedAnswer::field(std::string_view lower_name) const {
  std::string_view rest = head.substr(std::min(head.find(kLineEnd), head.size()));
  while (rest.size() > kHeadEnd.size()) {
    rest.remove_prefix(kLineEnd.size());
    const std::string_view line = rest.substr(0, rest.find(kLineEnd));
    rest.remove_prefix(line.size());
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos || !is_name(line.substr(0, colon), lower_name)) continue;
    std::string_view value = line.substr(colon + 1);
    value.remove_prefix(std::min(value.find_first_not_of(" \t"), value.size()));
    return value;
  }
  return {};
}

AnswerScanner::Step AnswerScanner::take(std::string_view& bytes, ScannedAnswer& answer) {
  const std::string_view begin = bytes.substr(0, kVersion.size());
  if (!kVersion.starts_with(begin)) return Step::kBroken;
  const std::size_t end = bytes.substr(0, kHeadMax).find(kHeadEnd);
  if (end == std::string_view::npos) return bytes.size() < kHeadMax ? Step::kMore : Step::kBroken;
  answer.head = bytes.substr(0, end + kHeadEnd.size());
  const auto status = to_number<int>(answer.head.substr(kVersion.size(), 3));
  const auto length = to_number<std::size_t>(answer.field("content-length"));
  if (!status || !length || *length > kBodyMax) return Step::kBroken;
  if (bytes.size() - answer.head.size() < *length) return Step::kMore;
  answer.status = *status;
  answer.body = bytes.substr(answer.head.size(), *length);
  bytes.remove_prefix(answer.size());
  return Step::kAnswer;
}

}  // namespace carillon
