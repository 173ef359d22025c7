// Z85: bytes as text, five characters for four bytes (ZeroMQ RFC 32), with a last group of less than four as CometD's binary
// extension writes it: r bytes are padded with zeros, and only the first r + 1 of the five characters are kept. Any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace carillon {

std::string z85_encode(std::string_view bytes);
// Nothing: a character outside the alphabet, a group whose value is beyond 32 bits, or a last group of one character.
std::optional<std::string> z85_decode(std::string_view text);

}  // namespace carillon
