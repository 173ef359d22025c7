#include "protocol/phoenix/phoenix_version.h"

#include <algorithm>

namespace carillon {
namespace {

bool is_digits(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

bool is_number(std::string_view text) {
  return is_digits(text) && (text.size() == 1 || text[0] != '0');
}

bool is_identifier(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-';
  });
}

// Cuts the text at the separator and gives what follows it; nothing when there is none.
std::optional<std::string_view> cut_off(std::string_view& text, char separator) {
  const std::size_t at = text.find(separator);
  if (at == std::string_view::npos) return std::nullopt;
  const std::string_view rest = text.substr(at + 1);
  text = text.substr(0, at);
  return rest;
}

template <class Accept>
bool all_parts(std::string_view text, Accept accept) {
  for (;;) {
    const std::optional<std::string_view> rest = cut_off(text, '.');
    if (!accept(text)) return false;
    if (!rest) return true;
    text = *rest;
  }
}

bool is_build(std::string_view text) {
  return all_parts(text, is_identifier);
}

bool is_prerelease(std::string_view text) {
  return all_parts(text, [](std::string_view part) { return is_identifier(part) && (!is_digits(part) || is_number(part)); });
}

}  // namespace

Result<PhoenixVersion> phoenix_version(std::optional<std::string_view> vsn) {
  if (!vsn) return PhoenixVersion::kV1;
  std::string_view major = *vsn;
  const std::optional<std::string_view> build = cut_off(major, '+');
  const std::optional<std::string_view> prerelease = cut_off(major, '-');
  std::optional<std::string_view> minor = cut_off(major, '.');
  const std::optional<std::string_view> patch = minor ? cut_off(*minor, '.') : std::nullopt;
  if (!patch || !is_number(major) || !is_number(*minor) || !is_number(*patch) || (prerelease && !is_prerelease(*prerelease)) ||
      (build && !is_build(*build))) {
    return Error{ErrorKind::kInvalid, "vsn is no version: MAJOR.MINOR.PATCH"};
  }
  const bool matches = minor == "0" && !(patch == "0" && prerelease);  // A pre-release comes before its version.
  if (matches && major == "1") return PhoenixVersion::kV1;
  if (matches && major == "2") return PhoenixVersion::kV2;
  return Error{ErrorKind::kInvalid, "vsn must match ~> 1.0.0 or ~> 2.0.0"};
}

}  // namespace carillon
