#include "transport/framed_encodings.h"

#include "wire/http/http_response_writer.h"
#include "wire/websocket/websocket_frame.h"

namespace carillon {

class FramedEncodings::Framed final : public Encoding {
 public:
  Framed(FramedEncodings& owner, const Encoding& inner, Framing framing) : owner_(owner), inner_(inner), framing_(framing) {}

  bool is(const Encoding& inner, Framing framing) const { return &inner_ == &inner && framing_ == framing; }

  void encode(const Publication& publication, std::string& out) const override {
    if (framing_.kind == Framing::Kind::kPlain) return inner_.encode(publication, out);
    message_.clear();
    inner_.encode(publication, message_);
    if (!message_.empty()) owner_.append(out, message_, framing_);
  }

 private:
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
