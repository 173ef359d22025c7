// What a decoder says may not depend on how the bytes are torn, and what it holds is bounded by what it was sent.
#include <cstdlib>
#include <vector>

#include "wire/deflate/inflater.h"
#include "wire/websocket/websocket_decoder.h"

namespace {

using namespace carillon;

struct Recorder : WebSocketDecoder::Sink {
  void on_message(WebSocketOpcode opcode, std::string_view message) override {
    if (message.size() > bytes_max) std::abort();
    note(opcode == WebSocketOpcode::kText ? 't' : 'b', message);
  }
  void on_ping(std::string_view payload) override { note('p', payload); }
  void on_pong(std::string_view payload) override { note('q', payload); }
  void on_close(std::optional<std::uint16_t> code, std::string_view reason) override {
    note('c', std::to_string(code.value_or(0)) + std::string(reason));
  }
  void on_fault(std::uint16_t close_code, std::string_view) override { note('f', std::to_string(close_code)); }
  void note(char what, std::string_view payload) { events.push_back(what + std::string(payload)); }

  std::size_t bytes_max = 0;
  std::vector<std::string> events;
};

}  // namespace

// The first byte chooses the settings; the rest is what the peer sends.
extern "C" int LLVMFuzzerTestOneInput(const char* data, std::size_t size) {
  static PerMessageInflater inflater;
  if (size == 0) return 0;
  const WebSocketDecoder::Settings settings{
      .message_bytes_max = (data[0] & 4) != 0 ? 300u : 100'000u,
      .role = (data[0] & 1) != 0 ? WebSocketDecoder::Role::kClient : WebSocketDecoder::Role::kServer,
      .inflater = (data[0] & 2) != 0 ? &inflater : nullptr};
  std::vector<std::string> expected;
  for (std::size_t piece_size : {size, std::size_t{1}, std::size_t{5}}) {
    std::string bytes(data + 1, size - 1);
    WebSocketDecoder decoder;
    Recorder recorder;
    recorder.bytes_max = settings.message_bytes_max;
    for (std::size_t at = 0; at < bytes.size(); at += piece_size) {
      decoder.feed({bytes.data() + at, std::min(piece_size, bytes.size() - at)}, settings, recorder);
    }
    if (piece_size == size) expected = recorder.events;
    if (recorder.events != expected) std::abort();
  }
  return 0;
}
