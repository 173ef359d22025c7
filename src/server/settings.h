// The one table of everything that can be set: name, meaning, range, and how to read and show it. The configuration file,
// the environment, the flags and docs/guide/configuration.md are all made from it. Immutable; any thread.
//
// A new option is a field in include/carillon/server_options.h and one entry in settings_table.cc; a test fails until the page
// in docs/ shows it too.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "carillon/result.h"
#include "carillon/server_options.h"

namespace carillon {

enum class SettingType { kFlag, kCount, kSize, kDuration, kText, kTexts, kChoice };

// A value as TOML has it. Sizes and durations are texts with units; a size may be a bare number of bytes too.
using SettingValue = std::variant<bool, std::int64_t, std::string, std::vector<std::string>>;

template <class Options>
struct Setting {
  std::string_view section;  // "limits".
  std::string_view key;      // "message_bytes".
  SettingType type;
  std::string takes;      // What may be written, for people: "a size from 1KiB to 1GiB".
  std::string_view help;  // The meaning and what happens at the limit, in sentences.
  bool secret = false;    // Never shown.
  // Refuses a value of the wrong type or out of range, and then changes nothing. The error's text goes on after the name.
  std::function<Result<void>(Options&, const SettingValue&)> set;
  // Refuses what an embedding program put there past `set`.
  std::function<Result<void>(const Options&)> check;
  // As it would be written in TOML.
  std::function<std::string(const Options&)> show;

  std::string name() const { return std::string(section) + "." + std::string(key); }
};

// In the order of the documentation; entries of one section are together.
std::span<const Setting<ServerOptions>> server_settings();
// The keys of one `[[channels]]` table.
std::span<const Setting<ChannelRule>> channel_settings();
// The keys of one `[[bayeux.authorizers]]` table.
std::span<const Setting<BayeuxAuthorizerRule>> bayeux_authorizer_settings();
// The names of the sections that server_settings() has, in their order.
std::span<const std::string_view> setting_sections();

// "CARILLON_LIMITS_MESSAGE_BYTES".
std::string environment_name(const Setting<ServerOptions>& setting);

// Reads a text from the environment or the command line as the setting's type; lists are separated by commas.
Result<SettingValue> read_setting_text(SettingType type, std::string_view text);

struct NamedValue {
  std::string_view name;   // "limits.message_bytes".
  std::string_view shown;  // How the user named it: "--message-max".
  std::string_view text;   // "32MB".
};
// Sets by dotted name. The error says what the user wrote.
Result<void> set_option(ServerOptions& options, const NamedValue& value);

// Applies every CARILLON_<SECTION>_<KEY> of an environment ("NAME=value" entries, null at the end). A name that looks like
// a misspelt setting is refused; others, such as those a container system adds, are left alone.
Result<void> apply_environment(ServerOptions& options, const char* const* environment);

// What `carillon serve` begins with: the defaults, and the log instead of memory.
ServerOptions program_defaults();

// The options as a configuration file that would give the same, secrets hidden.
std::string options_toml(const ServerOptions& options);

// The tables of docs/guide/configuration.md: every setting with its default.
std::string settings_markdown();

}  // namespace carillon
