#include "wire/websocket/websocket_decoder.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <string>
#include <utility>

#include "base/utf8.h"
#include "wire/deflate/inflater.h"

namespace carillon {
namespace {

bool is_control(WebSocketOpcode opcode) {
  return static_cast<std::uint8_t>(opcode) >= 8;
}

std::uint8_t byte_at(std::string_view bytes, std::size_t index) {
  return static_cast<std::uint8_t>(bytes[index]);
}

std::uint64_t big_endian(std::string_view bytes) {
  std::uint64_t value = 0;
  for (char byte : bytes) value = value << 8 | static_cast<unsigned char>(byte);
  return value;
}

// How many payload bytes one message may have on the wire.
std::uint64_t wire_bytes_max(const WebSocketDecoder::Settings& settings, bool compressed) {
  const std::uint64_t max = settings.message_bytes_max;
  if (!compressed) return max;
  const std::uint64_t more = max / 8 + 64;
  return max > std::numeric_limits<std::uint64_t>::max() - more ? max : max + more;
}

}  // namespace

struct WebSocketDecoder::Header {
  WebSocketOpcode opcode = WebSocketOpcode::kContinuation;
  bool fin = false;
  bool compressed = false;
  std::size_t size = 0;
  std::uint64_t length = 0;  // Of the payload.
  std::uint32_t key = 0;     // Zero: not masked, and unmasking with it changes nothing.
};

// What is half-way: a header, or a frame's payload; and, around either, a message.
struct WebSocketDecoder::Partial {
  bool idle() const { return header_size == 0 && !in_payload && !in_message; }

  std::array<char, kMaskedFrameHeaderMax> header_bytes{};
  std::uint8_t header_size = 0;

  bool in_payload = false;
  Header frame;                // While in_payload.
  std::uint64_t received = 0;  // Of frame.length.
  std::array<char, kControlPayloadMax> control{};

  bool in_message = false;
  WebSocketOpcode message_opcode = WebSocketOpcode::kText;
  bool message_compressed = false;
  Utf8Checker utf8;  // Of a text that is not compressed.
  std::string message;
};

// One call of feed().
class WebSocketDecoder::Turn {
 public:
  Turn(WebSocketDecoder& decoder, std::span<char> bytes, const Settings& settings, Sink& sink)
      : decoder_(decoder), rest_(bytes), settings_(settings), sink_(sink) {}

  void run() {
    while (!decoder_.stopped_ && !rest_.empty()) {
      if (decoder_.partial_ != nullptr && decoder_.partial_->in_payload) {
        read_payload();
      } else if (decoder_.partial_ != nullptr && decoder_.partial_->header_size > 0) {
        read_torn_header();
      } else {
        read_frame();
      }
    }
  }

 private:
  enum class HeaderState { kIncomplete, kComplete, kFault };

  Partial& partial() {
    if (decoder_.partial_ == nullptr) decoder_.partial_ = std::make_unique<Partial>();
    return *decoder_.partial_;
  }

  bool in_message() const { return decoder_.partial_ != nullptr && decoder_.partial_->in_message; }

  std::span<char> take(std::size_t count) {
    const auto taken = rest_.first(count);
    rest_ = rest_.subspan(count);
    return taken;
  }

  void fault(std::uint16_t close_code, std::string_view reason) {
    decoder_.stopped_ = true;
    sink_.on_fault(close_code, reason);
  }
  HeaderState header_fault(std::string_view reason) {
    fault(kCloseProtocolError, reason);
    return HeaderState::kFault;
  }

  void read_frame() {
    Header header;
    const std::string_view bytes(rest_.data(), rest_.size());
    switch (parse_header(bytes, header)) {
      case HeaderState::kFault: return;
      case HeaderState::kIncomplete:
        std::copy(bytes.begin(), bytes.end(), partial().header_bytes.begin());
        partial().header_size = static_cast<std::uint8_t>(bytes.size());
        rest_ = {};
        return;
      case HeaderState::kComplete:
        take(header.size);
        begin_payload(header);
        return;
    }
  }

  void read_torn_header() {
    Partial& torn = partial();
    while (!rest_.empty()) {
      torn.header_bytes[torn.header_size++] = take(1)[0];
      Header header;
      switch (parse_header({torn.header_bytes.data(), torn.header_size}, header)) {
        case HeaderState::kFault: return;
        case HeaderState::kIncomplete: continue;
        case HeaderState::kComplete:
          torn.header_size = 0;
          begin_payload(header);
          return;
      }
    }
  }

  // Every check that a header allows, as early as its bytes allow it; so the answer does not depend on how they are torn.
  HeaderState parse_header(std::string_view bytes, Header& header) {
    const std::uint8_t first = byte_at(bytes, 0);
    header.fin = (first & 0x80) != 0;
    header.compressed = (first & 0x40) != 0;
    if ((first & 0x30) != 0) return header_fault("a reserved bit is set");
    if (const char* wrong = set_opcode(first & 0x0F, header)) return header_fault(wrong);
    if (bytes.size() < 2) return HeaderState::kIncomplete;

    const std::uint8_t second = byte_at(bytes, 1);
    const bool masked = (second & 0x80) != 0;
    if (masked != (settings_.role == Role::kServer)) {
      return header_fault(masked ? "a server's frame is masked" : "a client's frame is not masked");
    }
    const std::uint8_t short_length = second & 0x7F;
    if (is_control(header.opcode) && short_length > kControlPayloadMax) {
      return header_fault("a control frame is longer than 125 bytes");
    }
    const std::size_t length_bytes = short_length == 126 ? 2 : short_length == 127 ? 8 : 0;
    if (bytes.size() < 2 + length_bytes) return HeaderState::kIncomplete;
    header.length = length_bytes == 0 ? short_length : big_endian(bytes.substr(2, length_bytes));
    if ((length_bytes == 2 && header.length < 126) || (length_bytes == 8 && header.length <= 0xFFFF)) {
      return header_fault("a length is not written in its shortest form");
    }
    if (header.length >> 63 != 0) return header_fault("a length has its highest bit set");
    if (!is_control(header.opcode) && !fits(header)) {
      fault(kCloseMessageTooBig, "the message is larger than the limit");
      return HeaderState::kFault;
    }
    header.size = 2 + length_bytes + (masked ? sizeof header.key : 0);
    if (bytes.size() < header.size) return HeaderState::kIncomplete;
    if (masked) std::memcpy(&header.key, bytes.data() + 2 + length_bytes, sizeof header.key);
    return HeaderState::kComplete;
  }

  // Null, or what is wrong with the opcode here.
  const char* set_opcode(std::uint8_t opcode, Header& header) const {
    header.opcode = static_cast<WebSocketOpcode>(opcode);
    switch (header.opcode) {
      case WebSocketOpcode::kContinuation:
        if (!in_message()) return "a continuation without a message";
        return header.compressed ? "RSV1 is set on a continuation" : nullptr;
      case WebSocketOpcode::kText:
      case WebSocketOpcode::kBinary:
        if (in_message()) return "a new message inside another one";
        return header.compressed && settings_.inflater == nullptr ? "RSV1 is set without an extension" : nullptr;
      case WebSocketOpcode::kClose:
      case WebSocketOpcode::kPing:
      case WebSocketOpcode::kPong:
        if (!header.fin) return "a control frame is fragmented";
        return header.compressed ? "RSV1 is set on a control frame" : nullptr;
    }
    return "a reserved opcode";
  }

  bool fits(const Header& header) const {
    const bool continued = header.opcode == WebSocketOpcode::kContinuation;
    const std::size_t before = continued ? decoder_.partial_->message.size() : 0;
    const bool compressed = continued ? decoder_.partial_->message_compressed : header.compressed;
    return header.length <= wire_bytes_max(settings_, compressed) - before;
  }

  void begin_payload(const Header& header) {
    const bool starts_message = header.opcode == WebSocketOpcode::kText || header.opcode == WebSocketOpcode::kBinary;
    const bool alone = is_control(header.opcode) || (starts_message && header.fin);
    if (alone && header.length <= rest_.size()) {
      const auto payload = take(static_cast<std::size_t>(header.length));
      unmask(payload, header.key);
      const std::string_view text(payload.data(), payload.size());
      if (is_control(header.opcode)) {
        deliver_control(header.opcode, text);
      } else if (!header.compressed && header.opcode == WebSocketOpcode::kText && !is_utf8(text)) {
        fault_not_utf8();
      } else {
        deliver_message(header.opcode, header.compressed, text);
      }
      return;
    }
    Partial& partial = this->partial();
    if (starts_message) {
      partial.in_message = true;
      partial.message_opcode = header.opcode;
      partial.message_compressed = header.compressed;
      partial.utf8 = {};
    }
    partial.frame = header;
    partial.received = 0;
    partial.in_payload = true;
    read_payload();
  }

  void read_payload() {
    Partial& partial = *decoder_.partial_;
    const auto wanted = partial.frame.length - partial.received;
    const auto piece = take(static_cast<std::size_t>(std::min<std::uint64_t>(wanted, rest_.size())));
    unmask(piece, partial.frame.key, static_cast<std::size_t>(partial.received % 4));
    const std::string_view text(piece.data(), piece.size());
    const bool control = is_control(partial.frame.opcode);
    if (control) {
      std::copy(text.begin(), text.end(), partial.control.begin() + static_cast<std::ptrdiff_t>(partial.received));
    } else {
      if (checks_utf8(partial) && !partial.utf8.feed(text)) return fault_not_utf8();
      // Grows by doubling with what has really come; a declared length alone costs nothing.
      partial.message.append(text);
    }
    partial.received += piece.size();
    if (partial.received < partial.frame.length) return;
    partial.in_payload = false;
    if (control) {
      deliver_control(partial.frame.opcode, {partial.control.data(), static_cast<std::size_t>(partial.frame.length)});
    } else if (partial.frame.fin) {
      end_message(partial);
    }
  }

  static bool checks_utf8(const Partial& partial) {
    return partial.message_opcode == WebSocketOpcode::kText && !partial.message_compressed;
  }

  void end_message(Partial& partial) {
    if (checks_utf8(partial) && !partial.utf8.complete()) return fault_not_utf8();
    partial.in_message = false;
    const std::string message = std::exchange(partial.message, {});
    deliver_message(partial.message_opcode, partial.message_compressed, message);
  }

  void fault_not_utf8() { fault(kCloseInvalidPayload, "the text is not UTF-8"); }

  // A text that was not compressed has been checked already.
  void deliver_message(WebSocketOpcode opcode, bool compressed, std::string_view payload) {
    if (!compressed) return sink_.on_message(opcode, payload);
    const auto inflated = settings_.inflater->inflate(payload, settings_.message_bytes_max);
    if (!inflated) {
      const bool too_large = inflated.error().kind == ErrorKind::kTooLarge;
      return fault(too_large ? kCloseMessageTooBig : kCloseInvalidPayload, inflated.error().text);
    }
    if (opcode == WebSocketOpcode::kText && !is_utf8(*inflated)) return fault_not_utf8();
    sink_.on_message(opcode, *inflated);
  }

  void deliver_control(WebSocketOpcode opcode, std::string_view payload) {
    if (opcode == WebSocketOpcode::kPing) return sink_.on_ping(payload);
    if (opcode == WebSocketOpcode::kPong) return sink_.on_pong(payload);
    deliver_close(payload);
  }

  // RFC 6455, section 5.5.1: nothing, or a code and a reason.
  void deliver_close(std::string_view payload) {
    std::optional<std::uint16_t> code;
    std::string_view reason;
    if (!payload.empty()) {
      if (payload.size() == 1) return fault(kCloseProtocolError, "a close frame holds half a code");
      code = static_cast<std::uint16_t>(big_endian(payload.substr(0, 2)));
      reason = payload.substr(2);
      if (!may_be_sent(*code)) return fault(kCloseProtocolError, "a close frame's code may not be sent");
      if (!is_utf8(reason)) return fault(kCloseInvalidPayload, "a close frame's reason is not UTF-8");
    }
    decoder_.stopped_ = true;
    sink_.on_close(code, reason);
  }

  WebSocketDecoder& decoder_;
  std::span<char> rest_;
  const Settings& settings_;
  Sink& sink_;
};

WebSocketDecoder::WebSocketDecoder() = default;
WebSocketDecoder::~WebSocketDecoder() = default;
WebSocketDecoder::WebSocketDecoder(WebSocketDecoder&&) noexcept = default;
WebSocketDecoder& WebSocketDecoder::operator=(WebSocketDecoder&&) noexcept = default;

static_assert(sizeof(WebSocketDecoder) <= 40, "idle connections are counted in hundreds of bytes");

bool WebSocketDecoder::feed(std::span<char> bytes, const Settings& settings, Sink& sink) {
  Turn(*this, bytes, settings, sink).run();
  if (partial_ != nullptr && (stopped_ || partial_->idle())) partial_.reset();
  return !stopped_;
}

}  // namespace carillon
