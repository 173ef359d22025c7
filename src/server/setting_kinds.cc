#include "server/setting_kinds.h"

namespace carillon::setting_kinds {

// Everything but `"`, `\` and control characters stands for itself.
std::string toml_text(std::string_view text) {
  std::string out = "\"";
  for (const char character : text) {
    if (character == '"' || character == '\\') {
      out += '\\';
      out += character;
    } else if (static_cast<unsigned char>(character) < 0x20 || character == 0x7F) {
      out += fmt::format("\\u{:04X}", static_cast<unsigned char>(character));
    } else {
      out += character;
    }
  }
  return out += '"';
}

std::string toml_texts(const std::vector<std::string>& texts) {
  std::string out = "[";
  for (const std::string& text : texts) {
    if (out.size() > 1) out += ", ";
    out += toml_text(text);
  }
  return out += ']';
}

std::string value_text(const SettingValue& value) {
  struct Writer {
    std::string operator()(bool flag) const { return flag ? "true" : "false"; }
    std::string operator()(std::int64_t number) const { return std::to_string(number); }
    std::string operator()(const std::string& text) const { return toml_text(text); }
    std::string operator()(const std::vector<std::string>& texts) const { return toml_texts(texts); }
  };
  return std::visit(Writer(), value);
}

Error takes_other(std::string_view takes, std::string_view shown) {
  return {ErrorKind::kInvalid, fmt::format("takes {}, not {}", takes, shown)};
}

}  // namespace carillon::setting_kinds
