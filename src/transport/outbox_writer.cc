#include "transport/outbox_writer.h"

#include <array>

namespace carillon {

bool write_outbox(Stream& stream, Outbox& outbox) {
  std::array<std::string_view, 256> pieces;
  while (!outbox.empty()) {
    const std::size_t count = outbox.gather(pieces);
    std::size_t offered = 0;
    for (std::size_t i = 0; i < count; ++i) offered += pieces[i].size();
    const std::size_t taken = stream.write(std::span(pieces).first(count));
    outbox.consume(taken);
    if (taken < offered) return false;
  }
  return true;
}

}  // namespace carillon
