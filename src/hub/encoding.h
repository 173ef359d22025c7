// Encoding: how one protocol writes a publication on one kind of link. The hub tells encodings apart by address only:
// sessions that share an Encoding object share the bytes of every publication.
#pragma once

#include <string>
#include <string_view>

#include "hub/presence.h"
#include "hub/publication.h"

namespace carillon {

class Encoding {
 public:
  virtual ~Encoding() = default;
  // Appends the whole message, framing included. Called on the encoding's own loop, once per publication and loop.
  virtual void encode(const Publication& publication, std::string& out) const = 0;
  // The same as the session hears it that published it, where the publication has a form of its own for that (own_form).
  virtual void encode_own(const Publication& publication, std::string& out) const { encode(publication, out); }
  // Whether that message is bytes rather than text, for links that tell them apart.
  virtual bool is_binary(const Publication&) const { return false; }
  // Who came and went; and only how many there are, where there are too many to name. Appending nothing: this protocol does
  // not tell of it.
  virtual void encode_presence(const PresenceUpdate&, std::string&) const {}
  virtual void encode_presence_counts(std::string_view /*channel*/, const PresenceCounts&, std::string&) const {}
};

}  // namespace carillon
