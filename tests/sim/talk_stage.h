// TalkStage: where a talk is played. play() has the talk's clients act on it and compares what they hear.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/loop.h"
#include "sim/talk_script.h"

namespace carillon {

class TalkStage {
 public:
  struct Answer {
    int status = 0;
    std::string body;
  };

  virtual ~TalkStage() = default;

  virtual void open(const std::string& client, const TalkOpening& opening) = 0;
  virtual void listen(const std::string& client, const TalkOpening& opening) = 0;
  virtual void ask(const std::string& client, std::string_view method, std::string_view target, std::string_view body) = 0;
  virtual void send(const std::string& client, std::string_view message, bool binary) = 0;
  virtual void close(const std::string& client) = 0;
  virtual void pass(Millis span) = 0;

  // What came next, taken; of bytes shown_binary(). Nothing: it did not come in any reasonable time.
  virtual std::optional<std::string> hear(const std::string& client) = 0;
  virtual std::optional<Answer> answer(const std::string& client) = 0;
  // The code with which the server closed; 0: an event stream has ended.
  virtual std::optional<int> closed(const std::string& client) = 0;
  // Something that came and nobody took, when nothing more is on its way.
  virtual std::optional<std::string> unheard() = 0;
};

// "binary 00ff"
std::string shown_binary(std::string_view message);

// Empty: all went as the talk says. Else what did not, with its line.
std::string play(const Talk& talk, TalkStage& stage);

}  // namespace carillon
