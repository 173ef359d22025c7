#include "sim/talk_script.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace carillon {
namespace {

bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_hex(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'f');
}

std::string_view take_word(std::string_view& text) {
  const auto end = std::find_if_not(text.begin(), text.end(), is_word);
  const std::string_view word = text.substr(0, static_cast<std::size_t>(end - text.begin()));
  text.remove_prefix(word.size());
  return word;
}

std::string_view trimmed(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  return text;
}

constexpr std::pair<std::string_view, TalkLine::Kind> kVerbs[] = {
    {"open", TalkLine::Kind::kOpen},       {"listen", TalkLine::Kind::kListen}, {"ask", TalkLine::Kind::kAsk},
    {"answers", TalkLine::Kind::kAnswers}, {"closes", TalkLine::Kind::kCloses}, {"closed", TalkLine::Kind::kClosed},
};
constexpr std::pair<std::string_view, TalkLine::Kind> kSigns[] = {{">>", TalkLine::Kind::kSendBinary},
                                                                  {">", TalkLine::Kind::kSend},
                                                                  {"<<", TalkLine::Kind::kExpectBinary},
                                                                  {"<", TalkLine::Kind::kExpect}};

std::optional<TalkLine> parse_line(std::string_view text) {
  TalkLine line;
  if (text.starts_with("@ ")) {
    line.kind = TalkLine::Kind::kPass;
    line.text = text.substr(2);
    if (!parse_span(line.text)) return std::nullopt;
    return line;
  }
  line.client = take_word(text);
  for (const auto& [sign, kind] : kSigns) {
    if (!text.starts_with(sign)) continue;
    text.remove_prefix(sign.size());
    if (!text.empty() && text.front() != ' ') return std::nullopt;
    line.kind = kind;
    line.text = text.substr(std::min<std::size_t>(1, text.size()));
    return line;
  }
  // The client without a name begins with its verb.
  text = trimmed(text);
  const auto is_verb = [](std::string_view word) {
    return std::any_of(std::begin(kVerbs), std::end(kVerbs), [word](const auto& known) { return known.first == word; });
  };
  const bool unnamed = is_verb(line.client);
  const std::string verb = unnamed ? std::exchange(line.client, {}) : std::string(take_word(text));
  for (const auto& [name, kind] : kVerbs) {
    if (verb != name) continue;
    line.kind = kind;
    line.text = trimmed(text);
    return line;
  }
  return std::nullopt;
}

// The bytes at the beginning of `text` that may stand for a kind, as many as there are; nothing: none may, or there is no such
// kind.
std::optional<std::size_t> extent_of(std::string_view kind, std::string_view text) {
  const auto run = [text](auto fits) {
    return static_cast<std::size_t>(std::find_if_not(text.begin(), text.end(), fits) - text.begin());
  };
  const auto some = [](std::size_t count, std::size_t least, std::size_t most) {
    return count >= least && count <= most ? std::optional(count) : std::nullopt;
  };
  if (kind == "uuid") {
    const std::size_t count = run([](char c) { return is_hex(c) || c == '-'; });
    const bool shaped =
        count == 36 && text[8] == '-' && text[13] == '-' && text[14] == '4' && text[18] == '-' && text[23] == '-';
    return shaped ? std::optional(count) : std::nullopt;
  }
  if (kind == "clientid") return some(run(is_hex), 40, 40);
  if (kind == "epoch") return some(run(is_hex), 1, 16);
  if (kind == "seconds") return some(run(is_digit), 10, 10);
  if (kind == "number") return some(run(is_digit), 1, 20);
  if (kind == "cursor") return some(run([](char c) { return c > ' ' && c < 0x7F; }), 1, 8192);
  if (kind == "more") return run([](char c) { return c != '"'; });
  return std::nullopt;
}

}  // namespace

Result<Talk> parse_talk(std::string_view text) {
  Talk talk;
  for (int number = 1; !text.empty(); ++number) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    if (trimmed(line).empty() || line.starts_with('#')) continue;
    if (line.starts_with("| ")) {
      talk.config.append(line.substr(2)).append("\n");
      continue;
    }
    std::optional<TalkLine> parsed = parse_line(line);
    if (!parsed) return Error{ErrorKind::kInvalid, fmt::format("line {}: what is \"{}\"?", number, line)};
    parsed->number = number;
    talk.lines.push_back(*std::move(parsed));
  }
  return talk;
}

TalkOpening parse_opening(std::string_view text) {
  TalkOpening opening;
  bool first = true;
  while (!text.empty()) {
    const std::string_view part = text.substr(0, text.find(" | "));
    text.remove_prefix(std::min(part.size() + 3, text.size()));
    if (std::exchange(first, false)) {
      opening.target = trimmed(part);
      continue;
    }
    const std::size_t colon = part.find(':');
    opening.fields.emplace_back(trimmed(part.substr(0, colon)), trimmed(part.substr(std::min(colon, part.size() - 1) + 1)));
  }
  return opening;
}

std::optional<Millis> parse_span(std::string_view text) {
  std::int64_t count = 0;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), count);
  const std::string_view unit = text.substr(static_cast<std::size_t>(end - text.data()));
  if (fault != std::errc() || count < 0 || (unit != "ms" && unit != "s")) return std::nullopt;
  return Millis(unit == "s" ? 1000 * count : count);
}

std::string TalkWords::fill(std::string_view text) const {
  std::string out;
  while (!text.empty()) {
    const std::string_view before = text.substr(0, text.find('$'));
    out += before;
    text.remove_prefix(before.size());
    if (text.empty()) break;
    text.remove_prefix(1);
    const std::string_view name = take_word(text);
    const auto found = captured_.find(name);
    if (found == captured_.end()) {
      out.append("$").append(name);
    } else {
      out += found->second;
    }
  }
  return out;
}

bool TalkWords::match(std::string_view pattern, std::string_view text) {
  while (!pattern.empty()) {
    const std::string_view literal = pattern.substr(0, pattern.find('$'));
    if (!text.starts_with(literal)) return false;
    pattern.remove_prefix(literal.size());
    text.remove_prefix(literal.size());
    if (pattern.empty()) break;
    pattern.remove_prefix(1);
    const std::string_view word = take_word(pattern);
    std::size_t extent = 0;
    if (const auto known = captured_.find(word); known != captured_.end()) {
      if (!text.starts_with(known->second)) return false;
      extent = known->second.size();
    } else {
      const std::optional<std::size_t> fits = extent_of(word, text);
      if (!fits) return false;
      extent = *fits;
    }
    if (pattern.size() > 1 && pattern[0] == '=' && is_word(pattern[1])) {
      pattern.remove_prefix(1);
      captured_.insert_or_assign(std::string(take_word(pattern)), std::string(text.substr(0, extent)));
    }
    text.remove_prefix(extent);
  }
  return text.empty();
}

}  // namespace carillon
