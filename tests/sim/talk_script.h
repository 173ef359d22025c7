// Talks: conversations with a server as text files. tests/talk/README.md describes the format.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/loop.h"
#include "carillon/result.h"

namespace carillon {

struct TalkLine {
  enum class Kind {
    kSend,          // >   A text message.
    kSendBinary,    // >>  A binary message, in hexadecimal.
    kExpect,        // <   The next message, or the next line of an event stream.
    kOpen,          // open TARGET [| Name: value]…     A WebSocket.
    kListen,        // listen TARGET [| Name: value]…   An event stream.
    kAsk,           // ask METHOD TARGET [BODY]
    kAnswers,       // answers STATUS [BODY]            To ask, or to an open or listen that was refused.
    kCloses,        // closes                           The client says goodbye.
    kClosed,        // closed [CODE]                    The server has.
    kPass,          // @ 1500ms
    kExpectBinary,  // <<  The next message, which is binary, in hexadecimal.
  };
  int number = 0;  // In the file.
  Kind kind = Kind::kSend;
  std::string client;  // Empty: the one without a name.
  std::string text;    // What follows the sign or word.
};

struct Talk {
  std::string config;  // TOML.
  std::vector<TalkLine> lines;
};

// The error names the line.
Result<Talk> parse_talk(std::string_view text);

// "TARGET | Name: value | Name: value"
struct TalkOpening {
  std::string target;
  std::vector<std::pair<std::string, std::string>> fields;
};
TalkOpening parse_opening(std::string_view text);

// "1500ms", "30s"
std::optional<Millis> parse_span(std::string_view text);

// What a talk has captured: `$kind=name` in what is expected; `$name` later stands for it.
class TalkWords {
 public:
  // With every captured name replaced; other `$` stay.
  std::string fill(std::string_view text) const;
  // Whether the whole text is what the pattern says; captures on the way.
  bool match(std::string_view pattern, std::string_view text);

 private:
  std::map<std::string, std::string, std::less<>> captured_;
};

}  // namespace carillon
