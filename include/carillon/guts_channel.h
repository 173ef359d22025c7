// The three channel kinds of a code-hosting node: `repo:owner/name[/filter]`, `user:name` and `org:name`.
//
// The shape rules and the error texts are those of guts, whose clients compare them; see docs/protocol/native.md. Values
// only; any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "carillon/result.h"

namespace carillon {

enum class ChannelType { repository, user, organization };

// "repo", "user" or "org": what stands before the colon.
std::string_view channel_prefix(ChannelType type);

struct GutsChannel {
  ChannelType type = ChannelType::repository;
  std::string identifier;             // "owner/name" of a repository, else the name.
  std::optional<std::string> filter;  // Only of a repository: its sub-channel ("prs"). May be empty or hold more slashes.

  // The canonical text: prefix, colon, identifier, and `/filter` where there is one.
  std::string text() const;

  // Whether a subscription to this channel hears what is published to the other: the same kind and identifier, and no filter
  // here or an equal one there. A text that is no such channel is never heard.
  bool matches(const GutsChannel& published_to) const;
  bool matches(std::string_view published_to) const;

  // {"channel_type":"repository","identifier":"alice/app","filter":null}
  std::string to_json() const;
  // A missing `filter` is none.
  static Result<GutsChannel> from_json(std::string_view json);

  friend bool operator==(const GutsChannel&, const GutsChannel&) = default;
};

// Errors: kInvalid, with guts' text ("invalid channel: missing channel type prefix: lobby"). There is no limit of length or
// characters here; a server's own limits come on top. What follows the first slash of a user or an organisation is dropped.
Result<GutsChannel> parse_guts_channel(std::string_view text);

}  // namespace carillon
