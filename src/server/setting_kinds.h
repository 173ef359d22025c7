// The kinds of settings, as settings_table.cc lists them: each makes a setting that reads, checks and shows one field. `field`
// maps options, const or not, to it. Pure; any thread.
#pragma once

#include <fmt/core.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "server/nearest_word.h"
#include "server/settings.h"
#include "server/unit_text.h"

namespace carillon::setting_kinds {

constexpr std::uint64_t kKiB = 1024;
constexpr std::uint64_t kMiB = 1024 * kKiB;
constexpr std::uint64_t kGiB = 1024 * kMiB;

using std::chrono::days;
using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

struct Texts {
  std::string_view section;
  std::string_view key;
  std::string_view help;
};

// How TOML writes them.
std::string toml_text(std::string_view text);
std::string toml_texts(const std::vector<std::string>& texts);
std::string value_text(const SettingValue& value);
// "takes a size, not ..."
Error takes_other(std::string_view takes, std::string_view shown);

template <class Options, class Field>
Setting<Options> flag(Field field, Texts texts) {
  Setting<Options> setting{texts.section, texts.key, SettingType::kFlag, "true or false", texts.help, false, {}, {}, {}};
  setting.set = [field, takes = setting.takes](Options& options, const SettingValue& value) -> Result<void> {
    if (!std::holds_alternative<bool>(value)) return takes_other(takes, value_text(value));
    field(options) = std::get<bool>(value);
    return {};
  };
  setting.check = [](const Options&) { return Result<void>(); };
  setting.show = [field](const Options& options) -> std::string { return field(options) ? "true" : "false"; };
  return setting;
}

struct CountRange {
  std::size_t low;
  std::size_t high;
};

template <class Options, class Field>
Setting<Options> count(Field field, CountRange range, Texts texts) {
  Setting<Options> setting{texts.section,
                           texts.key,
                           SettingType::kCount,
                           fmt::format("a whole number from {} to {}", range.low, range.high),
                           texts.help,
                           false,
                           {},
                           {},
                           {}};
  const auto fits = [range](std::uint64_t number) { return number >= range.low && number <= range.high; };
  setting.set = [field, fits, takes = setting.takes](Options& options, const SettingValue& value) -> Result<void> {
    const auto* number = std::get_if<std::int64_t>(&value);
    if (number == nullptr || *number < 0 || !fits(static_cast<std::uint64_t>(*number)))
      return takes_other(takes, value_text(value));
    field(options) = static_cast<std::size_t>(*number);
    return {};
  };
  setting.check = [field, fits, takes = setting.takes](const Options& options) -> Result<void> {
    if (!fits(field(options))) return takes_other(takes, std::to_string(field(options)));
    return {};
  };
  setting.show = [field](const Options& options) { return std::to_string(field(options)); };
  return setting;
}

struct SizeRange {
  std::uint64_t low;
  std::uint64_t high;
};

template <class Options, class Field>
Setting<Options> size(Field field, SizeRange range, Texts texts) {
  Setting<Options> setting{texts.section,
                           texts.key,
                           SettingType::kSize,
                           fmt::format("a size from {} to {}", size_text(range.low), size_text(range.high)),
                           texts.help,
                           false,
                           {},
                           {},
                           {}};
  const auto fits = [range](std::uint64_t bytes) { return bytes >= range.low && bytes <= range.high; };
  setting.set = [field, fits, takes = setting.takes](Options& options, const SettingValue& value) -> Result<void> {
    std::uint64_t bytes = 0;
    if (const auto* number = std::get_if<std::int64_t>(&value); number != nullptr && *number >= 0) {
      bytes = static_cast<std::uint64_t>(*number);
    } else if (const auto* text = std::get_if<std::string>(&value)) {
      const Result<std::uint64_t> parsed = parse_size(*text);
      if (!parsed) return Error{parsed.error().kind, fmt::format("takes {}; {}", takes, parsed.error().text)};
      bytes = *parsed;
    } else {
      return takes_other(takes, value_text(value));
    }
    if (!fits(bytes)) return takes_other(takes, value_text(value));
    field(options) = static_cast<std::size_t>(bytes);
    return {};
  };
  setting.check = [field, fits, takes = setting.takes](const Options& options) -> Result<void> {
    if (!fits(field(options))) return takes_other(takes, size_text(field(options)));
    return {};
  };
  setting.show = [field](const Options& options) { return toml_text(size_text(field(options))); };
  return setting;
}

struct TimeRange {
  Milliseconds low;
  Milliseconds high;
};

template <class Options, class Field>
Setting<Options> duration(Field field, TimeRange range, Texts texts) {
  Setting<Options> setting{texts.section,
                           texts.key,
                           SettingType::kDuration,
                           fmt::format("a duration from {} to {}", duration_text(range.low), duration_text(range.high)),
                           texts.help,
                           false,
                           {},
                           {},
                           {}};
  const auto fits = [range](Milliseconds time) { return time >= range.low && time <= range.high; };
  setting.set = [field, fits, takes = setting.takes](Options& options, const SettingValue& value) -> Result<void> {
    if (std::holds_alternative<std::int64_t>(value)) {
      return Error{ErrorKind::kInvalid, fmt::format("takes {}, not a bare number; write a text with a unit, such as \"{}s\"",
                                                    takes, std::get<std::int64_t>(value))};
    }
    const auto* text = std::get_if<std::string>(&value);
    if (text == nullptr) return takes_other(takes, value_text(value));
    const Result<Milliseconds> parsed = parse_duration(*text);
    if (!parsed) return Error{parsed.error().kind, fmt::format("takes {}; {}", takes, parsed.error().text)};
    if (!fits(*parsed)) return takes_other(takes, value_text(value));
    field(options) = *parsed;
    return {};
  };
  setting.check = [field, fits, takes = setting.takes](const Options& options) -> Result<void> {
    if (!fits(field(options))) return takes_other(takes, duration_text(field(options)));
    return {};
  };
  setting.show = [field](const Options& options) { return toml_text(duration_text(field(options))); };
  return setting;
}

template <class Options, class Field>
Setting<Options> text(Field field, std::string_view takes, Texts texts) {
  Setting<Options> setting{texts.section, texts.key, SettingType::kText, std::string(takes), texts.help, false, {}, {}, {}};
  setting.set = [field, takes](Options& options, const SettingValue& value) -> Result<void> {
    if (!std::holds_alternative<std::string>(value)) return takes_other(takes, value_text(value));
    field(options) = std::get<std::string>(value);
    return {};
  };
  setting.check = [](const Options&) { return Result<void>(); };
  setting.show = [field](const Options& options) { return toml_text(field(options)); };
  return setting;
}

template <class Options, class Field>
Setting<Options> texts(Field field, std::string_view takes, Texts texts) {
  Setting<Options> setting{texts.section, texts.key, SettingType::kTexts, std::string(takes), texts.help, false, {}, {}, {}};
  setting.set = [field, takes](Options& options, const SettingValue& value) -> Result<void> {
    if (!std::holds_alternative<std::vector<std::string>>(value)) return takes_other(takes, value_text(value));
    field(options) = std::get<std::vector<std::string>>(value);
    return {};
  };
  setting.check = [](const Options&) { return Result<void>(); };
  setting.show = [field](const Options& options) { return toml_texts(field(options)); };
  return setting;
}

// Some of a few words, one at least and none twice.
template <class Options, class Field>
Setting<Options> words(Field field, std::vector<std::string_view> known, Texts texts) {
  std::string takes = "some of ";
  for (const std::string_view word : known) takes += (word == known.front() ? "" : ", ") + toml_text(word);
  Setting<Options> setting{texts.section, texts.key, SettingType::kTexts, takes, texts.help, false, {}, {}, {}};
  const auto refusal = [known, takes](const std::vector<std::string>& given) -> Result<void> {
    if (given.empty()) return takes_other(takes, toml_texts(given));
    for (auto word = given.begin(); word != given.end(); ++word) {
      if (std::find(known.begin(), known.end(), *word) == known.end()) {
        return Error{ErrorKind::kInvalid, takes_other(takes, toml_text(*word)).text + did_you_mean(*word, known)};
      }
      if (std::find(given.begin(), word, *word) != word) return takes_other(takes, toml_text(*word) + " twice");
    }
    return {};
  };
  setting.set = [field, refusal, takes](Options& options, const SettingValue& value) -> Result<void> {
    const auto* given = std::get_if<std::vector<std::string>>(&value);
    if (given == nullptr) return takes_other(takes, value_text(value));
    if (Result<void> refused = refusal(*given); !refused) return refused;
    field(options) = *given;
    return {};
  };
  setting.check = [field, refusal](const Options& options) { return refusal(field(options)); };
  setting.show = [field](const Options& options) { return toml_texts(field(options)); };
  return setting;
}

template <class Value>
using Choices = std::vector<std::pair<std::string_view, Value>>;

template <class Options, class Field, class Value>
Setting<Options> choice(Field field, Choices<Value> choices, Texts texts) {
  std::vector<std::string_view> names;
  std::string takes;
  for (const auto& [name, value] : choices) {
    takes += (takes.empty() ? "" : name == choices.back().first ? " or " : ", ") + toml_text(name);
    names.push_back(name);
  }
  Setting<Options> setting{texts.section, texts.key, SettingType::kChoice, takes, texts.help, false, {}, {}, {}};
  setting.set = [field, choices, names, takes](Options& options, const SettingValue& value) -> Result<void> {
    const auto* given = std::get_if<std::string>(&value);
    if (given == nullptr) return takes_other(takes, value_text(value));
    for (const auto& [name, chosen] : choices) {
      if (name != *given) continue;
      field(options) = Value(chosen);
      return {};
    }
    return Error{ErrorKind::kInvalid, takes_other(takes, value_text(value)).text + did_you_mean(*given, names)};
  };
  setting.check = [field, choices, takes](const Options& options) -> Result<void> {
    for (const auto& [name, value] : choices) {
      if (Value(value) == field(options)) return {};
    }
    return takes_other(takes, "something else");
  };
  setting.show = [field, choices](const Options& options) {
    for (const auto& [name, value] : choices) {
      if (Value(value) == field(options)) return toml_text(name);
    }
    return toml_text("");
  };
  return setting;
}

template <class Options>
Setting<Options> secret(Setting<Options> setting) {
  setting.secret = true;
  setting.show = [show = setting.show, empty = setting.show(Options())](const Options& options) {
    return show(options) == empty ? empty : toml_text("(set, not shown)");
  };
  return setting;
}

}  // namespace carillon::setting_kinds
