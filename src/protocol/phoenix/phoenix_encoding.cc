#include "protocol/phoenix/phoenix_encoding.h"

#include "protocol/phoenix/phoenix_presence.h"

namespace carillon {

void PhoenixEncoding::encode(const Publication& publication, std::string& out) const {
  append_phoenix_broadcast(out, publication, form_);
}

bool PhoenixEncoding::is_binary(const Publication& publication) const {
  return phoenix_broadcast_kind(publication, form_) == MessageKind::kBinary;
}

void PhoenixEncoding::encode_presence(const PresenceUpdate& diff, std::string& out) const {
  out += phoenix_broadcast(form_.version, diff.channel, "presence_diff", phoenix_presence_diff(diff.changes));
}

void PhoenixEncoding::encode_presence_counts(std::string_view channel, const PresenceCounts& counts, std::string& out) const {
  out += phoenix_broadcast(form_.version, channel, "presence_stats", phoenix_presence_stats(counts));
}

const PhoenixEncoding& PhoenixEncodings::of(const PhoenixForm& form) {
  for (const auto& known : all_) {
    if (known->form() == form) return *known;
  }
  return *all_.emplace_back(std::make_unique<PhoenixEncoding>(form));
}

std::string phoenix_presence_stats(const PresenceCounts& counts) {
  std::string out;
  JsonWriter(out).begin_object().key("users").number(counts.users).key("members").number(counts.members).end_object();
  return out;
}

}  // namespace carillon
