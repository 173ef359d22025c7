#include "wire/http/http_target.h"

#include <algorithm>

#include "wire/http/http_syntax.h"

namespace carillon {
namespace {

bool is_well_formed(std::string_view target) {
  for (std::size_t i = 0; i < target.size(); ++i) {
    const char c = target[i];
    if (c <= ' ' || c >= 0x7F || c == '#') return false;  // Where char is signed, bytes from 0x80 on are below ' '.
    if (c != '%') continue;
    if (i + 2 >= target.size() || hex_digit_value(target[i + 1]) < 0 || hex_digit_value(target[i + 2]) < 0) return false;
  }
  return true;
}

std::string percent_decode(std::string_view text) {
  std::string decoded;
  if (text.find('%') == std::string_view::npos) return decoded.assign(text);
  decoded.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%') {
      decoded += static_cast<char>(hex_digit_value(text[i + 1]) * 16 + hex_digit_value(text[i + 2]));
      i += 2;
    } else {
      decoded += text[i];
    }
  }
  return decoded;
}

// The rest behind "http://" or "https://"; nothing when the target begins otherwise.
std::optional<std::string_view> without_scheme(std::string_view target) {
  for (const std::string_view scheme : {std::string_view("http://"), std::string_view("https://")}) {
    if (equal_ignoring_case(target.substr(0, scheme.size()), scheme)) return target.substr(scheme.size());
  }
  return std::nullopt;
}

bool is_reg_name_char(char c) {
  return is_ascii_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         std::string_view("-._~!$&'()*+;=").find(c) != std::string_view::npos;
}

bool is_address_char(char c) {
  return hex_digit_value(c) >= 0 || c == ':' || c == '.';
}

bool is_port(std::string_view digits) {
  if (digits.empty()) return true;  // RFC 3986 section 3.2.3: the colon may stand alone.
  const std::optional<std::uint64_t> number = read_content_length(digits);
  return number && *number <= 65535;
}

}  // namespace

std::optional<HttpTarget> read_http_target(std::string_view method, std::string_view target) {
  if (target == "*") {
    if (method != "OPTIONS") return std::nullopt;
    return HttpTarget{.authority = {}, .path = "*", .query = {}};
  }
  if (target.empty() || !is_well_formed(target)) return std::nullopt;

  HttpTarget result;
  std::string_view rest = target;
  if (rest.front() != '/') {
    const std::optional<std::string_view> behind_scheme = without_scheme(target);
    if (!behind_scheme) return std::nullopt;
    const std::size_t authority_end = std::min(behind_scheme->find_first_of("/?"), behind_scheme->size());
    result.authority = behind_scheme->substr(0, authority_end);
    if (!is_http_host(result.authority)) return std::nullopt;
    rest = behind_scheme->substr(authority_end);
  }
  const std::size_t path_end = std::min(rest.find('?'), rest.size());
  result.path = path_end == 0 ? "/" : percent_decode(rest.substr(0, path_end));
  if (result.path.find('\0') != std::string::npos) return std::nullopt;
  if (path_end < rest.size()) result.query = rest.substr(path_end + 1);
  return result;
}

bool is_http_host(std::string_view host) {
  if (host.empty()) return false;
  std::size_t name_end;
  if (host.front() == '[') {
    name_end = host.find(']');
    if (name_end == std::string_view::npos) return false;
    const std::string_view address = host.substr(1, name_end - 1);
    if (address.find(':') == std::string_view::npos) return false;
    if (!std::all_of(address.begin(), address.end(), is_address_char)) return false;
    ++name_end;
  } else {
    name_end = std::min(host.find(':'), host.size());
    const std::string_view name = host.substr(0, name_end);
    if (name.empty() || !std::all_of(name.begin(), name.end(), is_reg_name_char)) return false;
  }
  if (name_end == host.size()) return true;
  return host[name_end] == ':' && is_port(host.substr(name_end + 1));
}

}  // namespace carillon
