#include "wire/deflate/permessage_deflate.h"

#include <algorithm>
#include <utility>

#include "wire/http/http_syntax.h"

namespace carillon {
namespace {

constexpr int kWindowBitsMin = 8;
constexpr int kWindowBitsMax = 15;

struct Parameter {
  std::string_view name;
  std::optional<std::string> value;
};

// RFC 6455, section 9.1: extension-list, one step at a time. A step that finds something else answers with nothing.
class ExtensionReader {
 public:
  explicit ExtensionReader(std::string_view text) : rest_(text) {}

  std::string_view read_token() {
    skip_space();
    const auto end = std::find_if_not(rest_.begin(), rest_.end(), is_http_token_char);
    const auto token = rest_.substr(0, static_cast<std::size_t>(end - rest_.begin()));
    rest_.remove_prefix(token.size());
    return token;
  }

  bool skip(char letter) {
    skip_space();
    if (!rest_.starts_with(letter)) return false;
    rest_.remove_prefix(1);
    return true;
  }

  std::optional<Parameter> read_parameter() {
    Parameter parameter{read_token(), {}};
    if (parameter.name.empty()) return std::nullopt;
    if (!skip('=')) return parameter;
    skip_space();
    parameter.value = rest_.starts_with('"') ? read_quoted() : std::string(read_token());
    if (parameter.value->empty()) return std::nullopt;
    return parameter;
  }

  bool at_end() {
    skip_space();
    return rest_.empty();
  }

 private:
  void skip_space() { rest_.remove_prefix(std::min(rest_.find_first_not_of(" \t"), rest_.size())); }

  // Unescaped; empty when it does not end, or is not a token inside (section 9.1 demands one).
  std::string read_quoted() {
    std::string text;
    for (std::size_t i = 1; i < rest_.size(); ++i) {
      if (rest_[i] == '"') {
        rest_.remove_prefix(i + 1);
        return text;
      }
      if (rest_[i] == '\\' && ++i == rest_.size()) break;
      if (!is_http_token_char(rest_[i])) break;
      text.push_back(rest_[i]);
    }
    return {};
  }

  std::string_view rest_;
};

// "8" to "15", no leading zero (section 7.1.2.1).
std::optional<int> window_bits(const std::string& text) {
  for (int bits = kWindowBitsMin; bits <= kWindowBitsMax; ++bits) {
    if (text == std::to_string(bits)) return bits;
  }
  return std::nullopt;
}

// One offer's parameters, as they come; says whether the offer can still be accepted.
class OfferCheck {
 public:
  void take(const Parameter& parameter) { acceptable_ = acceptable_ && accepts(parameter); }
  bool acceptable() const { return acceptable_; }
  const DeflateAgreement& agreement() const { return agreement_; }

 private:
  bool accepts(const Parameter& parameter) {
    if (parameter.name == "server_no_context_takeover") return first(server_takeover_seen_) && !parameter.value;
    if (parameter.name == "client_no_context_takeover") return first(client_takeover_seen_) && !parameter.value;
    if (parameter.name == "client_max_window_bits") {
      // Only a promise about what comes in; the inflater reads every window.
      return first(client_window_seen_) && (!parameter.value || window_bits(*parameter.value));
    }
    if (parameter.name != "server_max_window_bits" || !first(agreement_.names_server_window) || !parameter.value) return false;
    const auto bits = window_bits(*parameter.value);
    if (bits) agreement_.server_window_bits = *bits;
    return bits.has_value();
  }

  static bool first(bool& seen) { return !std::exchange(seen, true); }

  DeflateAgreement agreement_;
  bool acceptable_ = true;
  bool server_takeover_seen_ = false;
  bool client_takeover_seen_ = false;
  bool client_window_seen_ = false;
};

}  // namespace

std::string DeflateAgreement::text() const {
  std::string text = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
  if (names_server_window) text += "; server_max_window_bits=" + std::to_string(server_window_bits);
  return text;
}

std::optional<DeflateAgreement> negotiate_deflate(std::string_view offers) {
  ExtensionReader reader(offers);
  do {
    // An empty list element is no offer (RFC 9110, section 5.6.1).
    if (reader.skip(',')) continue;
    const auto name = reader.read_token();
    if (name.empty()) return std::nullopt;
    OfferCheck offer;
    while (reader.skip(';')) {
      const auto parameter = reader.read_parameter();
      if (!parameter) return std::nullopt;
      offer.take(*parameter);
    }
    if (!reader.at_end() && !reader.skip(',')) return std::nullopt;
    if (equal_ignoring_case(name, "permessage-deflate") && offer.acceptable()) return offer.agreement();
  } while (!reader.at_end());
  return std::nullopt;
}

}  // namespace carillon
