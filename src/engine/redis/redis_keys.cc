#include "engine/redis/redis_keys.h"

namespace carillon {
namespace {

constexpr std::string_view kOpen = ":{";

void append_escaped(std::string& out, std::string_view name) {
  for (const char c : name) {
    switch (c) {
      case '%': out += "%25"; break;
      case '{': out += "%7B"; break;
      case '}': out += "%7D"; break;
      default: out += c;
    }
  }
}

// Absent: `append_escaped` does not write such a text.
std::optional<std::string> unescaped(std::string_view text) {
  std::string name;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] != '%') {
      name += text[at];
      continue;
    }
    const std::string_view code = text.substr(at, 3);
    if (code == "%25") {
      name += '%';
    } else if (code == "%7B") {
      name += '{';
    } else if (code == "%7D") {
      name += '}';
    } else {
      return std::nullopt;
    }
    at += 2;
  }
  return name;
}

void append_glob_escaped(std::string& out, std::string_view text) {
  for (const char c : text) {
    if (std::string_view("*?[]^-\\").find(c) != std::string_view::npos) out += '\\';
    out += c;
  }
}

}  // namespace

std::string RedisKeys::of(std::string_view kind, std::string_view channel) const {
  std::string key;
  key.reserve(prefix_.size() + kind.size() + channel.size() + 3);
  key.append(prefix_).append(kind).append(kOpen);
  append_escaped(key, channel);
  key += '}';
  return key;
}

std::string RedisKeys::idempotency(std::string_view channel, std::string_view key) const {
  return of("k", channel).append(":").append(key);
}

std::string RedisKeys::publications_glob(std::string_view begin) const {
  std::string escaped;
  append_escaped(escaped, begin);
  std::string glob;
  append_glob_escaped(glob, prefix_ + "c:{" + escaped);
  return glob + "*}";
}

std::string RedisKeys::lease_removal(std::string_view lease) const {
  return (prefix_ + "x:{nodes}:").append(lease);
}

std::string RedisKeys::node(std::string_view name) const {
  return (all_nodes() + ':').append(name);
}

std::string RedisKeys::state_value(std::string_view key) const {
  return (prefix_ + "v:{state}:").append(key);
}

std::optional<std::string> RedisKeys::channel_in(std::string_view kind, std::string_view name) const {
  for (const std::string_view begin : {std::string_view(prefix_), kind, kOpen}) {
    if (!name.starts_with(begin)) return std::nullopt;
    name.remove_prefix(begin.size());
  }
  if (!name.ends_with('}')) return std::nullopt;
  name.remove_suffix(1);
  return unescaped(name);
}

}  // namespace carillon
