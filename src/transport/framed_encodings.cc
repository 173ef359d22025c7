#include "transport/framed_encodings.h"

#include "wire/http/http_response_writer.h"
#include "wire/websocket/websocket_frame.h"

namespace carillon {

class FramedEncodings::Framed final : public Encoding {
 public:
  Framed(FramedEncodings& owner, const Encoding& inner, Framing framing) : owner_(owner), inner_(inner), framing_(framing) {}

  bool is(const Encoding& inner, Framing framing) const { return &inner_ == &inner && framing_ == framing; }

  void encode(const Publication& publication, std::string& out) const override {
    append(out, framing_of(publication), [&](std::string& message) { inner_.encode(publication, message); });
  }
  void encode_own(const Publication& publication, std::string& out) const override {
    append(out, framing_of(publication), [&](std::string& message) { inner_.encode_own(publication, message); });
  }
  void encode_presence(const PresenceUpdate& diff, std::string& out) const override {
    append(out, framing_, [&](std::string& message) { inner_.encode_presence(diff, message); });
  }
  void encode_presence_counts(std::string_view channel, const PresenceCounts& counts, std::string& out) const override {
    append(out, framing_, [&](std::string& message) { inner_.encode_presence_counts(channel, counts, message); });
  }

 private:
  Framing framing_of(const Publication& publication) const {
    Framing framing = framing_;
    if (framing.kind == Framing::Kind::kWebSocketText && inner_.is_binary(publication)) {
      framing.kind = Framing::Kind::kWebSocketBinary;
    }
    return framing;
  }
  template <class Encode>
  void append(std::string& out, Framing framing, Encode encode) const {
    if (framing.kind == Framing::Kind::kPlain) return encode(out);
    message_.clear();
    encode(message_);
    if (!message_.empty()) owner_.append(out, message_, framing);
  }

  FramedEncodings& owner_;
  const Encoding& inner_;
  const Framing framing_;
  mutable std::string message_;
};

FramedEncodings::FramedEncodings(std::size_t compress_from) : compress_from_(compress_from) {}
FramedEncodings::~FramedEncodings() = default;

const Encoding& FramedEncodings::framed(const Encoding& inner, Framing framing) {
  for (const auto& known : all_) {
    if (known->is(inner, framing)) return *known;
  }
  return *all_.emplace_back(std::make_unique<Framed>(*this, inner, framing));
}

void FramedEncodings::append(std::string& out, std::string_view message, Framing framing) {
  if (framing.kind == Framing::Kind::kPlain) {
    out += message;
    return;
  }
  if (framing.kind == Framing::Kind::kChunk) return append_chunk(out, message);
  const WebSocketOpcode opcode =
      framing.kind == Framing::Kind::kWebSocketText ? WebSocketOpcode::kText : WebSocketOpcode::kBinary;
  if (framing.window_bits == 0 || message.size() < compress_from_) return append_frame(out, opcode, message);
  compressed_.clear();
  deflater_.append_deflated(compressed_, message, framing.window_bits);
  append_frame(out, opcode, compressed_, {.fin = true, .compressed = true});
}

}  // namespace carillon
