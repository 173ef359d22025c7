// The part of bayeux_codec.h that makes UTF-8 texts of a request's body.
#include <algorithm>
#include <utility>

#include "base/utf8.h"
#include "protocol/bayeux/bayeux_codec.h"
#include "wire/http/http_message.h"
#include "wire/http/http_syntax.h"

namespace carillon {
namespace {

enum class Charset { kUtf8, kAscii, kLatin1, kUtf16, kUtf16Le, kUtf16Be };

// Names and aliases as registered with IANA; compared without regard to case.
constexpr std::pair<std::string_view, Charset> kCharsets[] = {
    {"utf-8", Charset::kUtf8},
    {"utf8", Charset::kUtf8},
    {"us-ascii", Charset::kAscii},
    {"ascii", Charset::kAscii},
    {"iso-8859-1", Charset::kLatin1},
    {"iso_8859-1", Charset::kLatin1},
    {"iso_8859-1:1987", Charset::kLatin1},
    {"iso-ir-100", Charset::kLatin1},
    {"latin1", Charset::kLatin1},
    {"l1", Charset::kLatin1},
    {"ibm819", Charset::kLatin1},
    {"cp819", Charset::kLatin1},
    {"csisolatin1", Charset::kLatin1},
    {"utf-16", Charset::kUtf16},
    {"utf-16le", Charset::kUtf16Le},
    {"utf-16be", Charset::kUtf16Be},
};

struct ContentType {
  std::string_view media_type;
  std::optional<std::string_view> charset;
};

ContentType read_content_type(std::string_view field) {
  const auto take = [&field] {
    const std::string_view part = field.substr(0, field.find(';'));
    field.remove_prefix(std::min(part.size() + 1, field.size()));
    return trim_http_space(part);
  };
  ContentType type{.media_type = take(), .charset = {}};
  while (!field.empty()) {
    const std::string_view parameter = take();
    const std::size_t equals = parameter.find('=');
    if (equals == std::string_view::npos || type.charset) continue;
    if (!equal_ignoring_case(parameter.substr(0, equals), "charset")) continue;
    std::string_view value = parameter.substr(equals + 1);
    if (value.size() >= 2 && value.starts_with('"') && value.ends_with('"')) value = value.substr(1, value.size() - 2);
    type.charset = value;
  }
  return type;
}

Result<Charset> charset_of(const ContentType& type) {
  if (!type.charset) return Charset::kUtf8;
  for (const auto& [name, charset] : kCharsets) {
    if (equal_ignoring_case(*type.charset, name)) return charset;
  }
  return Error{ErrorKind::kInvalid, "the charset is none that is read here: UTF-8, US-ASCII, ISO-8859-1, UTF-16"};
}

bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

std::string from_latin1(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) append_utf8(out, static_cast<unsigned char>(c));
  return out;
}

// One code unit of UTF-16 from two bytes; `low` is the place of the less significant one.
std::uint32_t unit_at(std::string_view text, std::size_t at, std::size_t low) {
  return static_cast<unsigned char>(text[at + low]) | static_cast<std::uint32_t>(static_cast<unsigned char>(text[at + 1 - low]))
                                                          << 8;
}

std::optional<std::string> from_utf16(std::string_view text, std::size_t low) {
  if (text.size() % 2 != 0) return std::nullopt;
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size(); at += 2) {
    std::uint32_t code = unit_at(text, at, low);
    if (code >= 0xD800 && code <= 0xDFFF) {
      at += 2;
      if (code >= 0xDC00 || at == text.size()) return std::nullopt;
      const std::uint32_t second = unit_at(text, at, low);
      if (second < 0xDC00 || second > 0xDFFF) return std::nullopt;
      code = 0x10000 + ((code - 0xD800) << 10) + (second - 0xDC00);
    }
    append_utf8(out, code);
  }
  return out;
}

// Nothing when the text is not valid in the charset.
std::optional<std::string> to_utf8(Charset charset, std::string text) {
  switch (charset) {
    case Charset::kUtf8: return is_utf8(text) ? std::optional(std::move(text)) : std::nullopt;
    case Charset::kAscii: return is_ascii(text) ? std::optional(std::move(text)) : std::nullopt;
    case Charset::kLatin1: return from_latin1(text);
    case Charset::kUtf16Le: return from_utf16(text, 0);
    case Charset::kUtf16Be: return from_utf16(text, 1);
    case Charset::kUtf16: {
      if (text.starts_with("\xFF\xFE")) return from_utf16(std::string_view(text).substr(2), 0);
      if (text.starts_with("\xFE\xFF")) return from_utf16(std::string_view(text).substr(2), 1);
      return std::nullopt;
    }
  }
  return std::nullopt;
}

// A form is written as a query is.
std::vector<std::string> form_messages(std::string_view body) {
  HttpRequest form;
  form.query = body;
  return form.query_values("message");
}

}  // namespace

Result<std::vector<std::string>> bayeux_body_texts(std::string_view content_type, std::string_view body) {
  const ContentType type = read_content_type(content_type);
  const Result<Charset> charset = charset_of(type);
  if (!charset) return charset.error();
  std::vector<std::string> texts;
  if (equal_ignoring_case(type.media_type, "application/x-www-form-urlencoded") || body.starts_with("message=")) {
    texts = form_messages(body);
  } else {
    texts.emplace_back(body);
  }
  for (std::string& text : texts) {
    std::optional<std::string> converted = to_utf8(*charset, std::move(text));
    if (!converted) return Error{ErrorKind::kInvalid, "the text is not valid in its charset"};
    text = *std::move(converted);
  }
  return texts;
}

}  // namespace carillon
