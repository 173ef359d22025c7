// A link for tests of dialogs: messages go out one by one, as far as the test lets them. One thread.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "protocol/dialog.h"
#include "protocol/link.h"

namespace carillon {

// Frames are the messages, each behind its length, so that several in one frame come apart again.
class LinkDouble final : public Link {
 public:
  explicit LinkDouble(FrameMemory& frame_memory) : frame_memory_(frame_memory) {}

  const Encoding& framed(const Encoding& inner, MessageKind) override {
    for (const auto& known : framed_) {
      if (&known->inner == &inner) return *known;
    }
    return *framed_.emplace_back(std::make_unique<Framed>(inner));
  }
  void append_framed(std::string& out, std::string_view message, MessageKind) override { append(out, message); }
  FramePtr frame(std::string_view message, MessageKind) override {
    std::string bytes;
    append(bytes, message);
    return Frame::make(frame_memory_, bytes, {});
  }
  void flush() override {
    while (open && !blocked && !dialog->outbox().empty()) {
      const FramePtr sent = dialog->outbox().pop();
      for (std::string_view rest = sent->bytes(); !rest.empty();) {
        const std::size_t end = rest.find(' ');
        const std::size_t size = std::stoul(std::string(rest.substr(0, end)));
        received_.emplace_back(rest.substr(end + 1, size));
        rest.remove_prefix(end + 1 + size);
      }
    }
  }
  void close(std::uint16_t code, std::string_view reason) override {
    if (closed) return;
    closed = {code, std::string(reason)};
    flush();
    open = false;
    dialog->on_link_closed();
  }
  PeerAddress peer() const override { return {.text = "192.0.2.1:5000", .loopback = false}; }

  // What the client got since the last call.
  std::vector<std::string> received() { return std::exchange(received_, {}); }
  void unblock() {
    blocked = false;
    dialog->on_room();
  }

  Dialog* dialog = nullptr;
  bool open = true;
  bool blocked = false;
  std::optional<std::pair<std::uint16_t, std::string>> closed;

 private:
  struct Framed final : Encoding {
    explicit Framed(const Encoding& encoding) : inner(encoding) {}
    void encode(const Publication& publication, std::string& out) const override {
      std::string message;
      inner.encode(publication, message);
      append(out, message);
    }
    void encode_own(const Publication& publication, std::string& out) const override {
      std::string message;
      inner.encode_own(publication, message);
      append(out, message);
    }
    void encode_presence(const PresenceUpdate& diff, std::string& out) const override {
      std::string message;
      inner.encode_presence(diff, message);
      if (!message.empty()) append(out, message);
    }
    void encode_presence_counts(std::string_view channel, const PresenceCounts& counts, std::string& out) const override {
      std::string message;
      inner.encode_presence_counts(channel, counts, message);
      if (!message.empty()) append(out, message);
    }
    const Encoding& inner;
  };

  static void append(std::string& out, std::string_view message) {
    out += std::to_string(message.size());
    out += ' ';
    out += message;
  }

  FrameMemory& frame_memory_;
  std::vector<std::unique_ptr<Framed>> framed_;
  std::vector<std::string> received_;
};

}  // namespace carillon
