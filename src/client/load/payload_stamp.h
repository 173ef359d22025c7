// The stamp at the beginning of every payload a load generator publishes: by it a delivery is known, timed and put in order,
// whatever the server wrapped around the payload.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace carillon {

struct PayloadStamp {
  static constexpr std::size_t kSize = 32;  // A mark, then time and sequence in hexadecimal: safe within JSON strings.

  std::uint64_t sent_ns = 0;
  std::uint32_t sequence = 0;
};

// A payload of `size` bytes, at least PayloadStamp::kSize, filled up with letters.
std::string stamped_payload(const PayloadStamp& stamp, std::size_t size);

// Finds stamps. Remembers where the last one was, since all messages of a run look alike. One thread.
class StampFinder {
 public:
  // The stamp in a message.
  std::optional<PayloadStamp> find(std::string_view head);

  // Calls visit(const PayloadStamp&) for each stamp in a text of any number of messages, in their order.
  template <class Visit>
  void each(std::string_view text, Visit&& visit) {
    while (const auto stamp = take(text)) visit(*stamp);
  }

 private:
  // The first stamp in the text, which is then what follows it; nothing when there is none.
  std::optional<PayloadStamp> take(std::string_view& text);
  // What stands there, kSize bytes; nothing when it is no stamp.
  std::optional<PayloadStamp> read(std::string_view text);

  std::size_t last_at_ = 0;
  std::array<char, PayloadStamp::kSize> last_text_{};  // Everyone who hears a publication reads the same stamp.
  PayloadStamp last_stamp_;
};

}  // namespace carillon
