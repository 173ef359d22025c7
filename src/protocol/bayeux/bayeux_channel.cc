#include "protocol/bayeux/bayeux_channel.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "hub/channel_name.h"
#include "wire/http/http_syntax.h"

namespace carillon {
namespace {

using Letters = std::array<bool, 256>;

constexpr Letters make_letters(std::string_view marks) {
  Letters letters{};
  for (unsigned c = '0'; c <= '9'; ++c) letters[c] = true;
  for (unsigned c = 'a'; c <= 'z'; ++c) letters[c] = true;
  for (unsigned c = 'A'; c <= 'Z'; ++c) letters[c] = true;
  for (const char mark : marks) letters[static_cast<unsigned char>(mark)] = true;
  return letters;
}

constexpr Letters kCometdLetters = make_letters("-_!~()$@ #+.{}");
constexpr Letters kStrictLetters = make_letters("-_!~()$@");

const Letters& letters_of(BayeuxAlphabet alphabet) {
  return alphabet == BayeuxAlphabet::kCometd ? kCometdLetters : kStrictLetters;
}

bool is_letter(const Letters& letters, char c) {
  return letters[static_cast<unsigned char>(c)];
}

Error no_channel(std::string_view what) {
  return {ErrorKind::kInvalid, fmt::format("invalid Bayeux channel: {}", what)};
}

// Takes the text up to the next `/` off the front, and the `/`.
std::string_view take_segment(std::string_view& rest) {
  const std::string_view segment = rest.substr(0, rest.find('/'));
  rest.remove_prefix(std::min(segment.size() + 1, rest.size()));
  return segment;
}

// --- From the hub's names.

int lower_hex_digit(char c) {
  return c >= 'A' && c <= 'F' ? -1 : hex_digit_value(c);
}

// Whether `~` and two lower-case digits stand at the front.
bool begins_escape(std::string_view text) {
  return text.size() >= 3 && text[0] == '~' && lower_hex_digit(text[1]) >= 0 && lower_hex_digit(text[2]) >= 0;
}

void append_escape(std::string& out, char c) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  const auto byte = static_cast<unsigned char>(c);
  out += '~';
  out += kDigits[byte >> 4];
  out += kDigits[byte & 15];
}

void append_segment(std::string& out, std::string_view segment, const Letters& letters) {
  if (segment.empty()) {
    out += '~';
  } else if (segment == "~") {
    append_escape(out, '~');
  } else {
    for (std::size_t i = 0; i < segment.size(); ++i) {
      const bool plain = is_letter(letters, segment[i]) && !begins_escape(segment.substr(i));
      if (plain) {
        out += segment[i];
      } else {
        append_escape(out, segment[i]);
      }
    }
  }
}

// Where the first segment of a canonical name ends. Nothing can be above a name that begins with `:`, so that is a part of it.
std::size_t first_segment_size(std::string_view canonical) {
  const std::size_t colon = canonical.find(':');
  return std::min(colon == 0 ? canonical.find('/') : colon, canonical.size());
}

// --- To the hub's names.

void append_unescaped(std::string& out, std::string_view segment) {
  if (segment == "~") return;
  for (;;) {
    const std::size_t plain = std::min(segment.find('~'), segment.size());
    out += segment.substr(0, plain);
    segment.remove_prefix(plain);
    if (segment.empty()) return;
    const bool escape = begins_escape(segment);
    out += escape ? static_cast<char>(lower_hex_digit(segment[1]) * 16 + lower_hex_digit(segment[2])) : '~';
    segment.remove_prefix(escape ? 3 : 1);
  }
}

// Of a text that bayeux_channel_kind has found to be well formed; what its escapes say may still be no name.
std::string unescaped_name(std::string_view text) {
  std::string name;
  name.reserve(text.size());
  text.remove_prefix(1);
  append_unescaped(name, take_segment(text));
  if (text.empty()) return name;
  name += name.starts_with(':') ? '/' : ':';
  append_unescaped(name, take_segment(text));
  while (!text.empty()) {
    name += '/';
    append_unescaped(name, take_segment(text));
  }
  return name;
}

// `text` without its last segment when that is a wildcard's.
std::string_view wildcard_base(std::string_view text) {
  return text.substr(0, text.rfind('/'));
}

bool is_wildcard_segment(std::string_view segment) {
  return segment == "*" || segment == "**";
}

// The canonical name of a broadcast channel that is well formed.
Result<std::string> canonical_of(std::string_view text, BayeuxAlphabet alphabet) {
  std::string name = unescaped_name(text);
  const Result<void> checked = check_channel_name(name);
  if (!checked) return checked.error();
  // An escape that is not needed, or cuts the name otherwise than the hub does.
  const bool escapes = text.find('~') != std::string_view::npos;
  if (escapes && bayeux_of_canonical(name, alphabet) != text)
    return no_channel("it is not written in the one way its name has");
  return name;
}

}  // namespace

Result<BayeuxChannelKind> bayeux_channel_kind(std::string_view text, BayeuxAlphabet alphabet) {
  if (!text.starts_with('/')) return no_channel("it does not begin with '/'");
  if (text.ends_with('/')) return no_channel("it ends in '/'");
  const Letters& letters = letters_of(alphabet);
  std::string_view rest = text.substr(1);
  const std::string_view first = take_segment(rest);
  const bool one_segment = rest.empty();
  std::string_view segment = first;
  for (;; segment = take_segment(rest)) {
    if (segment.empty()) return no_channel("it has an empty segment");
    if (rest.empty() && is_wildcard_segment(segment)) break;
    const auto foreign = std::find_if(segment.begin(), segment.end(), [&](char c) { return !is_letter(letters, c); });
    if (foreign != segment.end()) {
      return no_channel(
          fmt::format("byte {} is not allowed there", foreign - segment.begin() + (segment.data() - text.data())));
    }
    if (rest.empty()) break;
  }
  const bool meta = first == "meta";
  if (meta || first == "service") {
    if (one_segment) return no_channel(fmt::format("'/{}' has channels below it only", first));
    return meta ? BayeuxChannelKind::kMeta : BayeuxChannelKind::kService;
  }
  return is_wildcard_segment(segment) ? BayeuxChannelKind::kWildcard : BayeuxChannelKind::kBroadcast;
}

Result<std::string> canonical_of_bayeux(std::string_view text, BayeuxAlphabet alphabet) {
  const Result<BayeuxChannelKind> kind = bayeux_channel_kind(text, alphabet);
  if (!kind) return kind.error();
  if (*kind != BayeuxChannelKind::kBroadcast) return no_channel("it names no single broadcast channel");
  return canonical_of(text, alphabet);
}

void append_bayeux_channel(std::string& out, std::string_view canonical, BayeuxAlphabet alphabet) {
  const Letters& letters = letters_of(alphabet);
  const std::string_view first = canonical.substr(0, first_segment_size(canonical));
  out += '/';
  if (first == "meta" || first == "service") {
    append_escape(out, first[0]);
    append_segment(out, first.substr(1), letters);
  } else {
    append_segment(out, first, letters);
  }
  if (first.size() == canonical.size()) return;
  std::string_view rest = canonical.substr(first.size() + 1);
  const std::size_t separators = static_cast<std::size_t>(std::count(rest.begin(), rest.end(), '/'));
  for (std::size_t i = 0; i <= separators; ++i) {
    out += '/';
    append_segment(out, take_segment(rest), letters);
  }
}

std::string bayeux_of_canonical(std::string_view canonical, BayeuxAlphabet alphabet) {
  std::string text;
  text.reserve(canonical.size() + 1);
  append_bayeux_channel(text, canonical, alphabet);
  return text;
}

Result<Selector> bayeux_selector(std::string_view text, BayeuxAlphabet alphabet) {
  const Result<BayeuxChannelKind> kind = bayeux_channel_kind(text, alphabet);
  if (!kind) return kind.error();
  const bool wildcard = *kind == BayeuxChannelKind::kWildcard;
  if (!wildcard && *kind != BayeuxChannelKind::kBroadcast) return no_channel("it is no broadcast channel");
  const Selector::Kind below = text.ends_with("**") ? Selector::Kind::kBelow : Selector::Kind::kChildren;
  Selector selector{.kind = wildcard ? below : Selector::Kind::kExact, .base = {}};
  const std::string_view base = wildcard ? wildcard_base(text) : text;
  if (base.empty()) return selector;
  Result<std::string> name = canonical_of(base, alphabet);
  if (!name) return name.error();
  selector.base = *std::move(name);
  return selector;
}

bool bayeux_pattern_fits(std::string_view pattern, std::string_view channel) {
  const bool below = pattern.ends_with("/**");
  if (!below && !pattern.ends_with("/*")) return channel == pattern;
  const std::string_view prefix = pattern.substr(0, pattern.rfind('/') + 1);
  if (channel.size() <= prefix.size() || !channel.starts_with(prefix)) return false;
  return below || channel.find('/', prefix.size()) == std::string_view::npos;
}

}  // namespace carillon
