// The only file that knows toml++.
#include "server/config_file.h"

#include <fmt/core.h>

#include <toml++/toml.h>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <optional>
#include <vector>

#include "base/utf8.h"
#include "server/nearest_word.h"
#include "server/settings.h"

namespace carillon {
namespace {

constexpr std::string_view kChannelsSection = "channels";
constexpr std::string_view kBayeuxSection = "bayeux";
constexpr std::string_view kAuthorizersKey = "authorizers";  // [[bayeux.authorizers]]

// How a list of rules, each a table, is spoken of.
struct RuleWords {
  std::string_view section;  // "channels"
  std::string_view pattern;  // The key that no rule may lack.
  std::string_view one;
  std::string_view many;
};
constexpr RuleWords kChannelWords{kChannelsSection, "match", "a channel rule", "channel rules"};
constexpr RuleWords kAuthorizerWords{"bayeux.authorizers", "channel", "an authorizer", "authorizers"};

constexpr std::size_t kComplaintsMax = 20;  // Of one file; a twenty-first tells nobody anything new.

std::string_view node_kind(const toml::node& node) {
  switch (node.type()) {
    case toml::node_type::table: return "a table";
    case toml::node_type::array: return "a list";
    case toml::node_type::string: return "a text";
    case toml::node_type::integer: return "a whole number";
    case toml::node_type::floating_point: return "a number with a fraction";
    case toml::node_type::boolean: return "true or false";
    case toml::node_type::date: return "a date";
    case toml::node_type::time: return "a time of day";
    case toml::node_type::date_time: return "a date and time";
    case toml::node_type::none: break;
  }
  return "nothing";
}

// What a setting may be made of; nothing for dates, fractions, tables and mixed lists.
std::optional<SettingValue> setting_value(const toml::node& node) {
  if (const auto* flag = node.as_boolean()) return SettingValue(flag->get());
  if (const auto* number = node.as_integer()) return SettingValue(number->get());
  if (const auto* text = node.as_string()) return SettingValue(text->get());
  const auto* list = node.as_array();
  if (list == nullptr) return std::nullopt;
  std::vector<std::string> texts;
  for (const toml::node& element : *list) {
    const auto* text = element.as_string();
    if (text == nullptr) return std::nullopt;
    texts.push_back(text->get());
  }
  return SettingValue(std::move(texts));
}

// Reads one document; collects what is wrong with it.
class Reader {
 public:
  Reader(std::string_view file_name, ServerOptions& options) : file_name_(file_name), options_(options) {}

  void read(const toml::table& document) {
    std::vector<std::string_view> known(setting_sections().begin(), setting_sections().end());
    known.push_back(kChannelsSection);
    for (const auto& [key, node] : document) {
      if (key.str() == kChannelsSection) {
        read_rules(node, kChannelWords, channel_settings(), options_.channels);
      } else if (std::find(known.begin(), known.end(), key.str()) == known.end()) {
        refuse_unknown_section(key, node, known);
      } else if (const toml::table* section = node.as_table()) {
        read_section(key.str(), *section);
      } else {
        refuse(node.source(),
               fmt::format("`{0}` is a section; write [{0}] on a line of its own, not {1}", key.str(), node_kind(node)));
      }
    }
  }

  Result<void> outcome() {
    if (complaints_.empty()) return {};
    std::stable_sort(complaints_.begin(), complaints_.end(), [](const auto& a, const auto& b) { return a.place < b.place; });
    std::string text;
    for (std::size_t i = 0; i < complaints_.size() && i < kComplaintsMax; ++i) {
      if (i > 0) text += '\n';
      text +=
          fmt::format("{}:{}:{}: {}", file_name_, complaints_[i].place.line, complaints_[i].place.column, complaints_[i].text);
    }
    if (complaints_.size() > kComplaintsMax) text += fmt::format("\nand {} more", complaints_.size() - kComplaintsMax);
    return Error{ErrorKind::kInvalid, std::move(text)};
  }

  void refuse(const toml::source_region& where, std::string text) { complaints_.push_back({where.begin, std::move(text)}); }

 private:
  struct Complaint {
    toml::source_position place;
    std::string text;
  };

  struct TableName {
    std::string_view shown;    // "[limits]"
    std::string_view section;  // "limits"
    std::string_view lists;    // The key of a list of rules in it, which is read elsewhere; empty: there is none.
  };

  void read_section(std::string_view name, const toml::table& section) {
    const std::string shown = fmt::format("[{}]", name);
    if (name != kBayeuxSection) return read_table({shown, name, ""}, section, server_settings(), options_);
    read_table({shown, name, kAuthorizersKey}, section, server_settings(), options_);
    if (const toml::node* rules = section.get(kAuthorizersKey)) {
      read_rules(*rules, kAuthorizerWords, bayeux_authorizer_settings(), options_.bayeux.authorizers);
    }
  }

  template <class Rule>
  void read_rules(const toml::node& node, const RuleWords& words, std::span<const Setting<Rule>> settings,
                  std::vector<Rule>& rules) {
    const std::string shown = fmt::format("[[{}]]", words.section);
    const toml::array* list = node.as_array();
    if (list == nullptr) {
      refuse(node.source(),
             fmt::format("{} are written as {}, in double brackets, not as {}", words.many, shown, node_kind(node)));
      return;
    }
    rules.clear();
    for (const toml::node& element : *list) {
      const toml::table* table = element.as_table();
      if (table == nullptr) {
        refuse(element.source(), fmt::format("{} is a {} table, not {}", words.one, shown, node_kind(element)));
        continue;
      }
      if (!table->contains(words.pattern)) {
        refuse(table->source(), fmt::format("a {} rule needs `{}`, the pattern it is for", shown, words.pattern));
      }
      Rule rule;
      read_table({shown, words.section, ""}, *table, settings, rule);
      rules.push_back(std::move(rule));
    }
  }

  template <class Options>
  void read_table(const TableName& name, const toml::table& table, std::span<const Setting<Options>> settings,
                  Options& options) {
    for (const auto& [key, node] : table) {
      if (!name.lists.empty() && key.str() == name.lists) continue;
      const Setting<Options>* setting = nullptr;
      for (const auto& candidate : settings) {
        if (candidate.section == name.section && candidate.key == key.str()) setting = &candidate;
      }
      if (setting == nullptr) {
        refuse_unknown_key(key, name, settings);
        continue;
      }
      const std::optional<SettingValue> value = setting_value(node);
      const Result<void> set = value ? setting->set(options, *value) : wrong_kind(*setting, node);
      if (!set) refuse(node.source(), fmt::format("`{}` {}", key.str(), set.error().text));
    }
  }

  template <class Options>
  static Result<void> wrong_kind(const Setting<Options>& setting, const toml::node& node) {
    return Error{ErrorKind::kInvalid, fmt::format("takes {}, not {}", setting.takes, node_kind(node))};
  }

  template <class Options>
  void refuse_unknown_key(const toml::key& key, const TableName& name, std::span<const Setting<Options>> settings) {
    std::vector<std::string_view> here;
    for (const auto& setting : settings) {
      if (setting.section == name.section) here.push_back(setting.key);
    }
    if (!name.lists.empty()) here.push_back(name.lists);
    std::string hint = did_you_mean(key.str(), here);
    for (const auto& setting : server_settings()) {
      if (hint.empty() && setting.key == key.str()) hint = fmt::format("; it belongs to [{}]", setting.section);
    }
    refuse(key.source(), fmt::format("unknown key `{}` in {}{}", key.str(), name.shown, hint));
  }

  void refuse_unknown_section(const toml::key& key, const toml::node& node, const std::vector<std::string_view>& known) {
    if (node.is_table() || node.is_array_of_tables()) {
      std::string hint = did_you_mean(key.str(), known);
      if (hint.empty() && key.str() == kAuthorizersKey) hint = fmt::format("; did you mean `{}`?", kAuthorizerWords.section);
      refuse(key.source(), fmt::format("unknown section [{}]{}", key.str(), hint));
      return;
    }
    std::string hint = "; keys stand below a section such as [server]";
    for (const auto& setting : server_settings()) {
      if (setting.key != key.str()) continue;
      hint = fmt::format("; it belongs to [{}]", setting.section);
      break;
    }
    refuse(key.source(), fmt::format("unknown key `{}` outside of any section{}", key.str(), hint));
  }

  std::string_view file_name_;
  ServerOptions& options_;
  std::vector<Complaint> complaints_;
};

}  // namespace

Result<void> read_config(std::string_view text, std::string_view file_name, ServerOptions& options) {
  if (text.size() > kConfigBytesMax) {
    return Error{ErrorKind::kTooLarge,
                 fmt::format("{}: larger than {} bytes, which no configuration is", file_name, kConfigBytesMax)};
  }
  if (!is_utf8(text)) return Error{ErrorKind::kInvalid, fmt::format("{}: is not UTF-8 text", file_name)};
  ServerOptions changed = options;
  Reader reader(file_name, changed);
  try {
    reader.read(toml::parse(text));
  } catch (const toml::parse_error& error) {
    reader.refuse(error.source(), std::string(error.description()));
  }
  Result<void> outcome = reader.outcome();
  if (outcome) options = std::move(changed);
  return outcome;
}

Result<void> read_config_file(const std::string& path, ServerOptions& options) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rbe"), std::fclose);
  if (file == nullptr) return Error{ErrorKind::kNotFound, fmt::format("{}: {}", path, std::strerror(errno))};
  std::string text;
  char piece[16 * 1024];
  while (text.size() <= kConfigBytesMax) {
    const std::size_t count = std::fread(piece, 1, sizeof piece, file.get());
    if (count == 0) break;
    text.append(piece, count);
  }
  if (std::ferror(file.get()) != 0) return Error{ErrorKind::kInvalid, fmt::format("{}: cannot be read", path)};
  return read_config(text, path, options);
}

}  // namespace carillon
