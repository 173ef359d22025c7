#include "carillon/guts_channel.h"

#include <fmt/format.h>

#include <array>
#include <utility>

#include "wire/json/json_object_reader.h"
#include "wire/json/json_writer.h"

namespace carillon {

namespace {

constexpr std::array<std::string_view, 3> kTypeNames = {"repository", "user", "organization"};
constexpr std::array<std::string_view, 3> kPrefixes = {"repo", "user", "org"};

Error invalid(std::string_view what, std::string_view text) {
  return {ErrorKind::kInvalid, fmt::format("invalid channel: {}: {}", what, text)};
}

Result<GutsChannel> parse_repository(std::string_view rest) {
  const std::size_t owner_end = rest.find('/');
  if (owner_end == std::string_view::npos) return invalid("repository channel requires owner/name format", rest);
  const std::size_t name_end = rest.find('/', owner_end + 1);
  GutsChannel channel{ChannelType::repository, std::string(rest.substr(0, name_end)), std::nullopt};
  if (name_end != std::string_view::npos) channel.filter = rest.substr(name_end + 1);
  return channel;
}

}  // namespace

std::string_view channel_prefix(ChannelType type) {
  return kPrefixes[static_cast<std::size_t>(type)];
}

Result<GutsChannel> parse_guts_channel(std::string_view text) {
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos) return invalid("missing channel type prefix", text);
  const std::string_view prefix = text.substr(0, colon);
  const std::string_view rest = text.substr(colon + 1);
  if (prefix == "repo") return parse_repository(rest);
  if (prefix != "user" && prefix != "org") return invalid("unknown channel type", prefix);
  const std::string_view name = rest.substr(0, rest.find('/'));
  if (name.empty()) return invalid("channel identifier cannot be empty", text);
  const ChannelType type = prefix == "user" ? ChannelType::user : ChannelType::organization;
  return GutsChannel{type, std::string(name), std::nullopt};
}

std::string GutsChannel::text() const {
  std::string out = fmt::format("{}:{}", channel_prefix(type), identifier);
  if (filter) out.append("/").append(*filter);
  return out;
}

bool GutsChannel::matches(const GutsChannel& published_to) const {
  return type == published_to.type && identifier == published_to.identifier && (!filter || filter == published_to.filter);
}

bool GutsChannel::matches(std::string_view published_to) const {
  const Result<GutsChannel> channel = parse_guts_channel(published_to);
  return channel && matches(*channel);
}

std::string GutsChannel::to_json() const {
  std::string out;
  JsonWriter writer(out);
  writer.begin_object().key("channel_type").string(kTypeNames[static_cast<std::size_t>(type)]);
  writer.key("identifier").string(identifier).key("filter");
  if (filter) {
    writer.string(*filter);
  } else {
    writer.null();
  }
  writer.end_object();
  return out;
}

Result<GutsChannel> GutsChannel::from_json(std::string_view json) {
  JsonObjectReader reader("channel", json);
  GutsChannel channel;
  channel.type = static_cast<ChannelType>(reader.one_of("channel_type", kTypeNames));
  channel.identifier = reader.text("identifier");
  channel.filter = reader.optional_text("filter");
  if (auto status = reader.status(); !status) return status.error();
  return channel;
}

}  // namespace carillon
