#include "protocol/sse/sse_codec.h"

#include <algorithm>

#include "hub/channel_name.h"
#include "hub/epoch_text.h"
#include "protocol/event_json.h"
#include "wire/http/http_syntax.h"
#include "wire/json/json_slicer.h"

namespace carillon {
namespace {

constexpr char kHex[] = "0123456789abcdef";

// What may stand in a header field and is none of our separators.
bool is_plain(char c) {
  return c > ' ' && c < 0x7F && c != '%' && c != ';' && c != '=';
}

void append_name(std::string& out, std::string_view name) {
  for (const char c : name) {
    if (is_plain(c)) {
      out += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    out += '%';
    out += kHex[byte >> 4];
    out += kHex[byte & 15];
  }
}

std::optional<std::string> read_name(std::string_view text) {
  std::string name;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      name += text[i];
      continue;
    }
    if (i + 2 >= text.size()) return std::nullopt;
    const int high = hex_digit_value(text[i + 1]), low = hex_digit_value(text[i + 2]);
    if (high < 0 || low < 0) return std::nullopt;
    name += static_cast<char>(high << 4 | low);
    i += 2;
  }
  if (!check_channel_name(name)) return std::nullopt;
  return name;
}

void append_entry(std::string& out, std::string_view channel, const Position& position) {
  append_name(out, channel);
  out += '=';
  out += epoch_text(position.epoch);
  out += ':';
  out += std::to_string(position.offset);
}

}  // namespace

std::string sse_cursor(const std::vector<ChannelPosition>& positions) {
  std::string text;
  for (const ChannelPosition& known : positions) {
    if (!text.empty()) text += ';';
    append_entry(text, known.channel, known.position);
  }
  return text;
}

std::optional<std::vector<ChannelPosition>> parse_sse_cursor(std::string_view text) {
  std::vector<ChannelPosition> positions;
  while (!text.empty()) {
    const std::string_view entry = text.substr(0, text.find(';'));
    text.remove_prefix(std::min(entry.size() + 1, text.size()));
    const std::size_t equals = entry.find('=');
    const std::size_t colon = entry.find(':', equals == std::string_view::npos ? entry.size() : equals);
    if (colon == std::string_view::npos) return std::nullopt;
    const auto name = read_name(entry.substr(0, equals));
    const auto epoch = parse_epoch(entry.substr(equals + 1, colon - equals - 1));
    const auto offset = json_u64(entry.substr(colon + 1));
    if (!name || !epoch || !offset) return std::nullopt;
    positions.push_back({*name, {.epoch = *epoch, .offset = *offset}});
  }
  if (positions.empty()) return std::nullopt;
  return positions;
}

void append_sse_event(std::string& out, std::string_view id, const Publication& publication, EventNames names) {
  if (!id.empty()) {
    out += "id: ";
    out += id;
    out += '\n';
  }
  out += "data: ";
  const std::size_t from = out.size();
  append_event_json(out, publication, names);
  // Outside strings, where alone JSON may have them, line breaks mean nothing more than spaces.
  std::replace_if(
      out.begin() + static_cast<std::ptrdiff_t>(from), out.end(), [](char c) { return c == '\n' || c == '\r'; }, ' ');
  out += "\n\n";
}

void append_sse_checkpoint(std::string& out, std::string_view id) {
  out += "id: ";
  out += id;
  out += "\n\n";
}

void append_sse_notice(std::string& out, std::string_view name, std::string_view json) {
  out += "event: ";
  out += name;
  out += "\ndata: ";
  out += json;
  out += "\n\n";
}

void SseEncoding::encode(const Publication& publication, std::string& out) const {
  std::string id;
  if (publication.position) append_entry(id, publication.channel, *publication.position);
  append_sse_event(out, id, publication, names_);
}

}  // namespace carillon
