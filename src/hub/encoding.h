// Encoding: how one protocol writes a publication on one kind of link. The hub tells encodings apart by address only:
// sessions that share an Encoding object share the bytes of every publication.
#pragma once

#include <string>

#include "hub/publication.h"

namespace carillon {

class Encoding {
 public:
  virtual ~Encoding() = default;
  // Appends the whole message, framing included. Called on the encoding's own loop, once per publication and loop.
  virtual void encode(const Publication& publication, std::string& out) const = 0;
};

}  // namespace carillon
