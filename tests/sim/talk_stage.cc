#include "sim/talk_stage.h"

#include <fmt/format.h>

#include <set>

namespace carillon {
namespace {

std::string from_hex(std::string_view text) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < text.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(std::string(text.substr(i, 2)), nullptr, 16));
  }
  return bytes;
}

// "200 {…}" or "200".
std::string shown(const TalkStage::Answer& answer, bool with_body) {
  return with_body ? fmt::format("{} {}", answer.status, answer.body) : std::to_string(answer.status);
}

class Player {
 public:
  explicit Player(TalkStage& stage) : stage_(stage) {}

  std::string play(const TalkLine& line) {
    using Kind = TalkLine::Kind;
    const std::string& client = line.client;
    switch (line.kind) {
      case Kind::kSend:
      case Kind::kSendBinary:
        if (known_.insert(client).second) stage_.open(client, {.target = "/ws", .fields = {}});
        stage_.send(client, line.kind == Kind::kSend ? words_.fill(line.text) : from_hex(line.text),
                    line.kind == Kind::kSendBinary);
        return {};
      case Kind::kOpen:
        known_.insert(client);
        stage_.open(client, parse_opening(words_.fill(line.text)));
        return {};
      case Kind::kListen:
        known_.insert(client);
        stage_.listen(client, parse_opening(words_.fill(line.text)));
        return {};
      case Kind::kAsk: {
        const std::string text = words_.fill(line.text);
        const std::size_t target = text.find(' ') + 1, end = std::min(text.find(' ', target), text.size());
        const std::string_view all = text;
        stage_.ask(client, all.substr(0, target - 1), all.substr(target, end - target),
                   all.substr(std::min(end + 1, all.size())));
        return {};
      }
      case Kind::kCloses: stage_.close(client); return {};
      case Kind::kPass: stage_.pass(*parse_span(line.text)); return {};
      case Kind::kExpect: return compare(line.text, stage_.hear(client));
      case Kind::kExpectBinary: return compare("binary " + line.text, stage_.hear(client));
      case Kind::kAnswers: {
        const auto answer = stage_.answer(client);
        return compare(line.text,
                       answer ? std::optional(shown(*answer, line.text.find(' ') != std::string::npos)) : std::nullopt);
      }
      case Kind::kClosed: {
        const auto code = stage_.closed(client);
        if (!code) return "the connection stays";
        if (line.text.empty() || line.text == std::to_string(*code)) return {};
        return fmt::format("closed with {}, not {}", *code, line.text);
      }
    }
    return {};
  }

 private:
  std::string compare(std::string_view wanted, const std::optional<std::string>& heard) {
    if (heard && words_.match(wanted, *heard)) return {};
    return fmt::format("\n  expected {}\n  heard    {}", words_.fill(wanted), heard ? *heard : "nothing");
  }

  TalkStage& stage_;
  TalkWords words_;
  std::set<std::string> known_;
};

}  // namespace

std::string shown_binary(std::string_view message) {
  std::string shown = "binary ";
  for (const char byte : message) shown += fmt::format("{:02x}", static_cast<unsigned char>(byte));
  return shown;
}

std::string play(const Talk& talk, TalkStage& stage) {
  Player player(stage);
  for (const TalkLine& line : talk.lines) {
    if (const std::string fault = player.play(line); !fault.empty()) return fmt::format("line {}: {}", line.number, fault);
  }
  if (const auto left = stage.unheard()) return "after the end: heard " + *left;
  return {};
}

}  // namespace carillon
