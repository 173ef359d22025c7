#include "server/settings.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "server/nearest_word.h"
#include "server/setting_kinds.h"

namespace carillon {
namespace {

constexpr std::string_view kEnvironmentPrefix = "CARILLON_";

char upper(char character) {
  return character >= 'a' && character <= 'z' ? static_cast<char>(character - 32) : character;
}

std::string upper_text(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), upper);
  return out;
}

const Setting<ServerOptions>* find_setting(std::string_view name) {
  for (const auto& setting : server_settings()) {
    if (setting.name() == name) return &setting;
  }
  return nullptr;
}

Result<void> set_from_text(ServerOptions& options, const Setting<ServerOptions>& setting, std::string_view shown_name,
                           std::string_view text) {
  const Result<SettingValue> value = read_setting_text(setting.type, text);
  const Result<void> outcome = value ? setting.set(options, *value) : Result<void>(value.error());
  if (!outcome) return Error{outcome.error().kind, fmt::format("{} {}", shown_name, outcome.error().text)};
  return {};
}

// Whether a variable that no setting has was meant to be one: it names a section, is nearly a known name, or is a key
// without its section. Container systems add variables of their own for a service called `carillon` or `carillon-server`
// (CARILLON_SERVICE_HOST, CARILLON_SERVER_PORT_8080_TCP), which were not.
Result<void> check_unknown_variable(std::string_view name) {
  for (const std::string_view foreign : {"_SERVICE_HOST", "_SERVICE_PORT", "_PORT_"}) {
    if (name.find(foreign) != std::string_view::npos) return {};
  }
  if (name.ends_with("_PORT")) return {};

  std::vector<std::string> names;
  for (const auto& setting : server_settings()) names.push_back(environment_name(setting));
  const std::vector<std::string_view> known(names.begin(), names.end());
  const auto refused = [&](std::string_view hint) {
    return Error{ErrorKind::kInvalid, fmt::format("unknown environment variable {}{}", name, hint)};
  };

  const std::string_view rest = name.substr(kEnvironmentPrefix.size());
  for (const auto& setting : server_settings()) {
    if (rest == upper_text(setting.key)) return refused(fmt::format("; did you mean `{}`?", environment_name(setting)));
  }
  for (const std::string_view section : setting_sections()) {
    if (rest.starts_with(upper_text(section) + "_")) return refused(did_you_mean(name, known));
  }
  // The common prefix makes every name near to every other; three letters may differ.
  const std::string_view nearest = nearest_word(name, known);
  if (!nearest.empty() && edit_distance(name, nearest) <= 3) return refused(fmt::format("; did you mean `{}`?", nearest));
  return {};
}

template <class Rule>
void append_rules(std::string& out, const std::vector<Rule>& rules, std::span<const Setting<Rule>> settings) {
  for (const Rule& rule : rules) {
    out += fmt::format("\n[[{}]]\n", settings.front().section);
    for (const auto& setting : settings) out += fmt::format("{} = {}\n", setting.key, setting.show(rule));
  }
}

template <class Options>
std::string markdown_row(const Setting<Options>& setting, const Options& defaults = Options()) {
  return fmt::format("| `{}` | `{}` | {} | {} |\n", setting.key, setting.show(defaults), setting.takes, setting.help);
}

}  // namespace

std::string environment_name(const Setting<ServerOptions>& setting) {
  return fmt::format("{}{}_{}", kEnvironmentPrefix, upper_text(setting.section), upper_text(setting.key));
}

Result<SettingValue> read_setting_text(SettingType type, std::string_view text) {
  switch (type) {
    case SettingType::kFlag:
      if (text == "true" || text == "1") return SettingValue(true);
      if (text == "false" || text == "0") return SettingValue(false);
      return Error{ErrorKind::kInvalid, fmt::format("takes true or false, not {}", setting_kinds::toml_text(text))};
    case SettingType::kCount: {
      std::int64_t number = 0;
      const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
      if (error != std::errc() || end != text.data() + text.size()) {
        return Error{ErrorKind::kInvalid, fmt::format("takes a whole number, not {}", setting_kinds::toml_text(text))};
      }
      return SettingValue(number);
    }
    case SettingType::kTexts: {
      std::vector<std::string> parts;
      while (!text.empty()) {
        const std::size_t comma = text.find(',');
        parts.emplace_back(text.substr(0, comma));
        text.remove_prefix(comma == std::string_view::npos ? text.size() : comma + 1);
      }
      return SettingValue(std::move(parts));
    }
    case SettingType::kSize:
    case SettingType::kDuration:
    case SettingType::kText:
    case SettingType::kChoice: return SettingValue(std::string(text));
  }
  return SettingValue(std::string(text));
}

Result<void> set_option(ServerOptions& options, const NamedValue& value) {
  if (const auto* setting = find_setting(value.name)) return set_from_text(options, *setting, value.shown, value.text);
  std::vector<std::string> names;
  for (const auto& setting : server_settings()) names.push_back(setting.name());
  const std::vector<std::string_view> known(names.begin(), names.end());
  return Error{ErrorKind::kInvalid, fmt::format("unknown setting `{}`{}", value.name, did_you_mean(value.name, known))};
}

Result<void> apply_environment(ServerOptions& options, const char* const* environment) {
  for (; environment != nullptr && *environment != nullptr; ++environment) {
    const std::string_view entry = *environment;
    if (!entry.starts_with(kEnvironmentPrefix)) continue;
    const std::size_t equals = entry.find('=');
    if (equals == std::string_view::npos) continue;
    const std::string_view name = entry.substr(0, equals);
    const auto table = server_settings();
    const auto known =
        std::find_if(table.begin(), table.end(), [&](const auto& setting) { return environment_name(setting) == name; });
    const Result<void> outcome =
        known == table.end() ? check_unknown_variable(name) : set_from_text(options, *known, name, entry.substr(equals + 1));
    if (!outcome) return outcome.error();
  }
  return {};
}

std::string options_toml(const ServerOptions& options) {
  std::string out;
  for (const std::string_view section : setting_sections()) {
    out += fmt::format("{}[{}]\n", out.empty() ? "" : "\n", section);
    for (const auto& setting : server_settings()) {
      if (setting.section == section) out += fmt::format("{} = {}\n", setting.key, setting.show(options));
    }
  }
  append_rules(out, options.channels, channel_settings());
  append_rules(out, options.bayeux.authorizers, bayeux_authorizer_settings());
  return out;
}

ServerOptions program_defaults() {
  ServerOptions options;
  options.engine.kind = "log";
  return options;
}

std::string settings_markdown() {
  constexpr std::string_view kHead = "\n| key | default | takes | meaning |\n|---|---|---|---|\n";
  std::string out;
  for (const std::string_view section : setting_sections()) {
    out += fmt::format("### `[{}]`\n{}", section, kHead);
    for (const auto& setting : server_settings()) {
      if (setting.section == section) out += markdown_row(setting, program_defaults());
    }
    out += '\n';
  }
  out += fmt::format("### `[[channels]]`\n{}", kHead);
  for (const auto& setting : channel_settings()) out += markdown_row(setting);
  out += fmt::format("\n### `[[bayeux.authorizers]]`\n{}", kHead);
  for (const auto& setting : bayeux_authorizer_settings()) out += markdown_row(setting);
  return out;
}

}  // namespace carillon
