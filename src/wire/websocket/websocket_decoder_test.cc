#include "wire/websocket/websocket_decoder.h"

#include <random>

#include "wire/deflate/deflater.h"
#include "wire/deflate/inflater.h"

namespace carillon {
namespace {

using namespace std::string_literals;
using Events = std::vector<std::string>;

// Writes down what it hears, one line each; a long payload as its size.
class Recorder : public WebSocketDecoder::Sink {
 public:
  void on_message(WebSocketOpcode opcode, std::string_view message) override {
    note(opcode == WebSocketOpcode::kText ? "text " : "binary ", message);
    messages.emplace_back(message);
  }
  void on_ping(std::string_view payload) override { note("ping ", payload); }
  void on_pong(std::string_view payload) override { note("pong ", payload); }
  void on_close(std::optional<std::uint16_t> code, std::string_view reason) override {
    note("close " + (code ? std::to_string(*code) : "-") + " ", reason);
  }
  void on_fault(std::uint16_t close_code, std::string_view reason) override {
    EXPECT_FALSE(reason.empty());
    note("fault ", std::to_string(close_code));
  }

  Events events;
  std::vector<std::string> messages;
  WebSocketDecoder* stop_at_next = nullptr;

 private:
  void note(std::string what, std::string_view payload) {
    events.push_back(what + (payload.size() < 200 ? std::string(payload) : std::to_string(payload.size())));
    if (stop_at_next != nullptr) stop_at_next->stop();
  }
};

class Decoding : public testing::Test {
 protected:
  // What comes of the bytes when they arrive in pieces of this size.
  Events heard(std::string bytes, std::size_t piece_size) {
    WebSocketDecoder decoder;
    Recorder recorder;
    bool going = true;
    for (std::size_t at = 0; at < bytes.size(); at += piece_size) {
      const bool was_going = going;
      const auto events_before = recorder.events.size();
      going = decoder.feed({bytes.data() + at, std::min(piece_size, bytes.size() - at)}, settings_, recorder);
      if (!was_going) {
        EXPECT_FALSE(going);
        EXPECT_EQ(recorder.events.size(), events_before);
      }
    }
    const bool ended = !recorder.events.empty() &&
                       (recorder.events.back().starts_with("close") || recorder.events.back().starts_with("fault"));
    EXPECT_EQ(going, !ended);
    if (ended) {
      EXPECT_FALSE(decoder.half_way());
    }
    return recorder.events;
  }

  // The same, whole and torn in several ways, which must not make a difference.
  Events heard(const std::string& bytes) {
    const Events whole = heard(bytes, bytes.size() + 1);
    for (std::size_t piece_size : {1, 2, 3, 7, 64}) EXPECT_EQ(heard(bytes, piece_size), whole) << piece_size;
    return whole;
  }

  static constexpr std::uint32_t kKey = 0x3D21FA37;

  // A client's frame.
  static std::string frame(WebSocketOpcode opcode, std::string_view payload, WebSocketFrameFlags flags = {}) {
    std::string out;
    append_masked_frame(out, opcode, payload, kKey, flags);
    return out;
  }
  static std::string text(std::string_view payload, WebSocketFrameFlags flags = {}) {
    return frame(WebSocketOpcode::kText, payload, flags);
  }
  static std::string more(std::string_view payload) { return frame(WebSocketOpcode::kContinuation, payload, {.fin = false}); }
  static std::string last(std::string_view payload) { return frame(WebSocketOpcode::kContinuation, payload); }
  static std::string ping(std::string_view payload) { return frame(WebSocketOpcode::kPing, payload); }
  static std::string close(std::string_view payload) { return frame(WebSocketOpcode::kClose, payload); }
  std::string deflated(std::string_view payload) {
    std::string out;
    deflater_.append_deflated(out, payload);
    return out;
  }

  void allow_compression() { settings_.inflater = &inflater_; }

  WebSocketDecoder::Settings settings_{.message_bytes_max = 100'000};
  Deflater deflater_;
  PerMessageInflater inflater_;
};

// RFC 6455, section 5.7.

TEST_F(Decoding, ReadsTheMaskedExampleOfTheStandard) {
  EXPECT_EQ(heard("\x81\x85\x37\xFA\x21\x3D\x7F\x9F\x4D\x51\x58"), Events{"text Hello"});
  EXPECT_EQ(heard("\x8A\x85\x37\xFA\x21\x3D\x7F\x9F\x4D\x51\x58"), Events{"pong Hello"});
}

TEST_F(Decoding, ReadsTheUnmaskedExamplesAsAClient) {
  settings_.role = WebSocketDecoder::Role::kClient;
  EXPECT_EQ(heard("\x81\x05Hello"), Events{"text Hello"});
  EXPECT_EQ(heard("\x01\x03Hel\x80\x02lo"), Events{"text Hello"});
  EXPECT_EQ(heard("\x89\x05Hello"), Events{"ping Hello"});
  EXPECT_EQ(heard("\x82\x7E\x01\x00"s + std::string(256, 'x')), Events{"binary 256"});
  EXPECT_EQ(heard("\x82\x7F\x00\x00\x00\x00\x00\x01\x00\x00"s + std::string(65536, 'x')), Events{"binary 65536"});
}

// RFC 7692, section 7.2.3, as a server would send them.

TEST_F(Decoding, ReadsTheCompressedExamplesOfTheStandard) {
  settings_.role = WebSocketDecoder::Role::kClient;
  allow_compression();
  EXPECT_EQ(heard("\xC1\x07\xF2\x48\xCD\xC9\xC9\x07\x00"s), Events{"text Hello"});
  EXPECT_EQ(heard("\x41\x03\xF2\x48\xCD\x80\x04\xC9\xC9\x07\x00"s), Events{"text Hello"});
  EXPECT_EQ(heard("\xC1\x0B\x00\x05\x00\xFA\xFFHello\x00"s), Events{"text Hello"});
  EXPECT_EQ(heard("\xC1\x08\xF3\x48\xCD\xC9\xC9\x07\x00\x00"s), Events{"text Hello"});
  EXPECT_EQ(heard("\xC1\x0D\xF2\x48\x05\x00\x00\x00\xFF\xFF\xCA\xC9\xC9\x07\x00"s), Events{"text Hello"});
}

TEST_F(Decoding, ReadsFragmentsWithControlFramesBetween) {
  EXPECT_EQ(heard(text("Hel", {.fin = false}) + ping("1") + more("") + ping("") + more("lo, ") + last("world") + text("next")),
            (Events{"ping 1", "ping ", "text Hello, world", "text next"}));
  EXPECT_EQ(heard(frame(WebSocketOpcode::kBinary, "\x00\xFF"s, {.fin = false}) + last("\x80")),
            (Events{"binary \x00\xFF\x80"s}));
  EXPECT_EQ(heard(text("", {.fin = false}) + more("") + last("")), Events{"text "});
}

TEST_F(Decoding, ReadsEmptyAndLongestControlFrames) {
  const std::string longest(125, '\xFE');
  EXPECT_EQ(heard(text("") + frame(WebSocketOpcode::kBinary, "") + ping(longest) + frame(WebSocketOpcode::kPong, "")),
            (Events{"text ", "binary ", "ping " + longest, "pong "}));
}

TEST_F(Decoding, EveryLengthArrivesWhole) {
  for (std::size_t size : {1, 124, 125, 126, 127, 128, 65534, 65535, 65536, 65537, 100'000}) {
    std::string payload(size, '\0');
    for (std::size_t i = 0; i < size; ++i) payload[i] = static_cast<char>(i * 31);
    for (std::size_t piece_size : {std::size_t{1}, std::size_t{1000}, size + 14}) {
      std::string bytes = frame(WebSocketOpcode::kBinary, payload);
      WebSocketDecoder decoder;
      Recorder recorder;
      for (std::size_t at = 0; at < bytes.size(); at += piece_size) {
        ASSERT_TRUE(decoder.feed({bytes.data() + at, std::min(piece_size, bytes.size() - at)}, settings_, recorder));
      }
      ASSERT_EQ(recorder.messages.size(), 1u);
      EXPECT_TRUE(recorder.messages[0] == payload) << size << " by " << piece_size;
      EXPECT_FALSE(decoder.half_way());
    }
  }
}

TEST_F(Decoding, AWholeMessageIsNotCopied) {
  struct Here : Recorder {
    void on_message(WebSocketOpcode, std::string_view message) override { at = message.data(); }
    const char* at = nullptr;
  } here;
  std::string bytes = text("Hello");
  WebSocketDecoder decoder;
  EXPECT_TRUE(decoder.feed(bytes, settings_, here));
  EXPECT_EQ(here.at, bytes.data() + 6);
}

TEST_F(Decoding, ReadsClose) {
  EXPECT_EQ(heard(close("") + text("unheard")), Events{"close - "});
  EXPECT_EQ(heard(close("\x03\xE8"s) + ping("unheard")), Events{"close 1000 "});
  EXPECT_EQ(heard(close("\x0F\xA0" + std::string(123, 'r'))), Events{"close 4000 " + std::string(123, 'r')});
  EXPECT_EQ(heard(text("a", {.fin = false}) + close("\x03\xE9gone \xE2\x82\xAC")), Events{"close 1001 gone \xE2\x82\xAC"});
}

TEST_F(Decoding, FaultsEndTheTalkWithTheirCode) {
  const std::string big(65536, 'x');
  const auto with_first_byte = [](int first, std::string bytes) {
    bytes[0] = static_cast<char>(first);
    return bytes;
  };
  struct Case {
    const char* what;
    std::string bytes;
    const char* fault;
  };
  std::vector<Case> cases = {
      {"not masked", "\x81\x05Hello", "fault 1002"},
      {"RSV1 without the extension", text("x", {.compressed = true}), "fault 1002"},
      {"RSV2", with_first_byte(0xA1, text("x")), "fault 1002"},
      {"RSV3", with_first_byte(0x91, text("x")), "fault 1002"},
      {"RSV2 on a ping", with_first_byte(0xA9, ping("x")), "fault 1002"},
      {"fragmented ping", frame(WebSocketOpcode::kPing, "x", {.fin = false}), "fault 1002"},
      {"fragmented close", frame(WebSocketOpcode::kClose, "", {.fin = false}), "fault 1002"},
      {"long ping", ping(std::string(126, 'x')), "fault 1002"},
      {"long close", close("\x03\xE8" + std::string(124, 'x')), "fault 1002"},
      {"continuation first", last("x"), "fault 1002"},
      {"continuation after a whole message", text("") + last("x"), ""},
      {"text in a text", text("a", {.fin = false}) + text("b"), "fault 1002"},
      {"binary in a text", text("a", {.fin = false}) + frame(WebSocketOpcode::kBinary, "b"), "fault 1002"},
      {"length 125 in two bytes", "\x81\xFE\x00\x7D\x00\x00\x00\x00"s, "fault 1002"},
      {"length 65535 in eight bytes", "\x81\xFF\x00\x00\x00\x00\x00\x00\xFF\xFF\x00\x00\x00\x00"s, "fault 1002"},
      {"length above 2^63", "\x81\xFF\x80\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"s, "fault 1002"},
      {"half a close code", close("\x03"), "fault 1002"},
      {"close code 0", close("\x00\x00"s), "fault 1002"},
      {"close code 999", close("\x03\xE7"), "fault 1002"},
      {"close code 1004", close("\x03\xEC"), "fault 1002"},
      {"close code 1005", close("\x03\xED"), "fault 1002"},
      {"close code 1006", close("\x03\xEE"), "fault 1002"},
      {"close code 1015", close("\x03\xF7"), "fault 1002"},
      {"close code 1016", close("\x03\xF8"), "fault 1002"},
      {"close code 2999", close("\x0B\xB7"), "fault 1002"},
      {"close code 5000", close("\x13\x88"), "fault 1002"},
      {"close reason not UTF-8", close("\x03\xE8\xFF"), "fault 1007"},
      {"close reason cut off", close("\x03\xE8\xE2\x82"), "fault 1007"},
      {"text not UTF-8", text("a\xC0\xAF"), "fault 1007"},
      {"text a surrogate", text("\xED\xA0\x80"), "fault 1007"},
      {"text cut off", text("\xE2\x82"), "fault 1007"},
      {"fragmented text cut off", text("\xE2", {.fin = false}) + last("\x82"), "fault 1007"},
      {"fragmented text not UTF-8", text("\xE2", {.fin = false}) + more("x"), "fault 1007"},
      {"one byte too large", frame(WebSocketOpcode::kBinary, std::string(100'001, 'x')), "fault 1009"},
      {"too large together", text(big, {.fin = false}) + last(big), "fault 1009"},
      {"huge", "\x82\xFF\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF"s, "fault 1009"},
  };
  for (int opcode : {3, 4, 5, 6, 7, 11, 12, 13, 14, 15}) {
    cases.push_back({"reserved opcode", with_first_byte(0x80 | opcode, text("x")), "fault 1002"});
  }
  for (const Case& c : cases) {
    const auto events = heard(c.bytes + text("unheard"));
    if (*c.fault == '\0') {
      EXPECT_EQ(events, (Events{"text ", "fault 1002"})) << c.what;
    } else {
      EXPECT_EQ(events, Events{c.fault}) << c.what;
    }
  }
}

TEST_F(Decoding, AMaskedFrameIsAFaultForAClient) {
  settings_.role = WebSocketDecoder::Role::kClient;
  EXPECT_EQ(heard(text("x")), Events{"fault 1002"});
}

// Autobahn 6.4: the fault is told at the first byte that cannot be, whatever is still to come.
TEST_F(Decoding, BadTextFailsBeforeItsEnd) {
  const std::string good = "\xCE\xBA\xE1\xBD\xB9\xCF\x83\xCE\xBC\xCE\xB5";
  EXPECT_EQ(heard(text(good, {.fin = false}) + more("\xF4\x90")), Events{"fault 1007"});
  EXPECT_EQ(heard(text(good + "\xF4", {.fin = false}) + more("\x90")), Events{"fault 1007"});
  const std::string whole = text(good + "\xF4\x90\x80\x80" + "edited");
  const std::size_t bad = 6 + good.size() + 1;
  EXPECT_EQ(heard(whole.substr(0, bad)), Events{});
  EXPECT_EQ(heard(whole.substr(0, bad + 1)), Events{"fault 1007"});
}

// The header's bytes are judged one by one, so that nobody waits for a message that cannot be.
TEST_F(Decoding, HeadersFailAtTheByteThatIsWrong) {
  EXPECT_EQ(heard("\xC1"), Events{"fault 1002"});
  EXPECT_EQ(heard("\x83"), Events{"fault 1002"});
  EXPECT_EQ(heard("\x80"), Events{"fault 1002"});
  EXPECT_EQ(heard("\x09"), Events{"fault 1002"});
  EXPECT_EQ(heard("\x89\xFE"), Events{"fault 1002"});
  EXPECT_EQ(heard("\x81\x05"), Events{"fault 1002"});
  EXPECT_EQ(heard("\x82\xFF\x00\x00\x00\x00\x10\x00\x00\x00"s), Events{"fault 1009"});
  EXPECT_EQ(heard("\x82\xFF\x00\x00\x00\x00\x10\x00\x00"s), Events{});
}

TEST_F(Decoding, TheLargestMessageFits) {
  EXPECT_EQ(heard(frame(WebSocketOpcode::kBinary, std::string(100'000, 'x'))), Events{"binary 100000"});
  EXPECT_EQ(heard(text(std::string(60'000, 'x'), {.fin = false}) + more(std::string(40'000, 'x')) + last("")),
            Events{"text 100000"});
}

TEST_F(Decoding, StopEndsTheCallbacks) {
  for (std::size_t piece_size : {1, 1000}) {
    for (const std::string& first : {text("a"), ping("a"), text("a", {.fin = false}) + last("b")}) {
      std::string bytes = first + text("unheard") + text("unheard", {.fin = false});
      WebSocketDecoder decoder;
      Recorder recorder;
      recorder.stop_at_next = &decoder;
      bool going = true;
      for (std::size_t at = 0; at < bytes.size(); at += piece_size) {
        going = decoder.feed({bytes.data() + at, std::min(piece_size, bytes.size() - at)}, settings_, recorder);
      }
      EXPECT_FALSE(going);
      EXPECT_EQ(recorder.events.size(), 1u);
      EXPECT_FALSE(decoder.half_way());
    }
  }
}

TEST_F(Decoding, HoldsNothingBetweenMessages) {
  std::string bytes = text("Hello") + ping("x") + text("a", {.fin = false}) + ping("y") + last("b");
  WebSocketDecoder decoder;
  Recorder recorder;
  std::vector<std::size_t> idle_at;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    decoder.feed({bytes.data() + i, 1}, settings_, recorder);
    if (!decoder.half_way()) idle_at.push_back(i + 1);
  }
  EXPECT_EQ(idle_at, (std::vector<std::size_t>{11, 18, 39}));
}

TEST_F(Decoding, ReadsCompressedMessages) {
  allow_compression();
  const std::string large(100'000, 'x');
  const std::string packed = deflated(large);
  const std::string euro = deflated("\xE2\x82\xAC");
  EXPECT_EQ(heard(text(packed, {.compressed = true}) + text("plain") + text(euro, {.compressed = true})),
            (Events{"text 100000", "text plain", "text \xE2\x82\xAC"}));
  EXPECT_EQ(heard(text(packed.substr(0, 5), {.fin = false, .compressed = true}) + ping("between") + more(packed.substr(5)) +
                  last("")),
            (Events{"ping between", "text 100000"}));
  EXPECT_EQ(heard(text(deflated(""), {.compressed = true})), Events{"text "});
}

TEST_F(Decoding, CompressedFaultsEndTheTalkWithTheirCode) {
  allow_compression();
  const WebSocketFrameFlags compressed{.compressed = true};
  EXPECT_EQ(heard(text(deflated("a\xFF"), compressed)), Events{"fault 1007"});
  EXPECT_EQ(heard(text("\xFF\xFF\xFF", compressed)), Events{"fault 1007"});
  EXPECT_EQ(heard(text(deflated(std::string(500, 'x') + "y").substr(0, 3), compressed)), Events{"fault 1007"});
  EXPECT_EQ(heard(text(deflated(std::string(100'001, 'x')), compressed)), Events{"fault 1009"});
  // Ten megabytes of nothing in some ten kilobytes.
  EXPECT_EQ(heard(frame(WebSocketOpcode::kBinary, deflated(std::string(10'000'000, '\0')), compressed)), Events{"fault 1009"});
  EXPECT_EQ(heard("\xC2\xFF\x00\x00\x00\x00\x00\x02\x00\x00"s), Events{"fault 1009"});
  EXPECT_EQ(heard("\xC9\x80\x01\x02\x03\x04"s), Events{"fault 1002"});
  EXPECT_EQ(heard(text("", {.fin = false, .compressed = true}) + frame(WebSocketOpcode::kContinuation, "x", compressed)),
            Events{"fault 1002"});
}

// Messages of every kind, fragmented and torn at random, come out as they went in.
TEST_F(Decoding, RoundTripsRandomTalks) {
  allow_compression();
  for (unsigned seed = 1; seed <= 200; ++seed) {
    std::mt19937 random(seed);
    const auto below = [&](unsigned bound) { return static_cast<unsigned>(random() % bound); };
    Events expected;
    std::string bytes;
    for (unsigned left = 1 + below(8); left > 0; --left) {
      std::string payload(below(3) == 0 ? below(3000) : below(150), '\0');
      for (char& byte : payload) byte = static_cast<char>('a' + below(20));
      const bool compressed = below(2) == 0;
      const std::string wire = compressed ? deflated(payload) : payload;
      const auto opcode = below(2) == 0 ? WebSocketOpcode::kText : WebSocketOpcode::kBinary;
      std::size_t at = 0;
      for (bool first = true, fin = false; !fin; first = false) {
        const std::size_t size = below(2) == 0 ? wire.size() - at : below(static_cast<unsigned>(wire.size() - at) + 1);
        fin = at + size == wire.size();
        append_masked_frame(bytes, first ? opcode : WebSocketOpcode::kContinuation, std::string_view(wire).substr(at, size),
                            static_cast<std::uint32_t>(random()), {.fin = fin, .compressed = compressed && first});
        at += size;
        if (!fin && below(2) == 0) {
          append_masked_frame(bytes, WebSocketOpcode::kPing, "p", static_cast<std::uint32_t>(random()));
          expected.push_back("ping p");
        }
      }
      expected.push_back((opcode == WebSocketOpcode::kText ? "text " : "binary ") +
                         (payload.size() < 200 ? payload : std::to_string(payload.size())));
    }
    WebSocketDecoder decoder;
    Recorder recorder;
    for (std::size_t at = 0; at < bytes.size();) {
      const std::size_t size = std::min<std::size_t>(bytes.size() - at, 1 + below(below(2) == 0 ? 10 : 2000));
      ASSERT_TRUE(decoder.feed({bytes.data() + at, size}, settings_, recorder)) << "seed " << seed;
      at += size;
    }
    ASSERT_EQ(recorder.events, expected) << "seed " << seed;
    EXPECT_FALSE(decoder.half_way());
  }
}

}  // namespace
}  // namespace carillon
