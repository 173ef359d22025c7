#include "hub/node_calls.h"

#include <charconv>
#include <optional>

#include "base/log.h"
#include "hub/hub.h"

namespace carillon {
namespace {

constexpr std::size_t kFieldsMax = 16;

template <class Number>
std::optional<Number> number_of(std::string_view text) {
  Number number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

}  // namespace

std::string pack_node_call(const NodeCalls::Call& call) {
  std::string bytes;
  for (const std::string& field : call) bytes.append(std::to_string(field.size())).append(1, ':').append(field);
  return bytes;
}

std::optional<NodeCalls::Call> unpack_node_call(std::string_view bytes) {
  NodeCalls::Call call;
  while (!bytes.empty()) {
    const std::size_t colon = bytes.find(':');
    if (colon == std::string_view::npos || call.size() == kFieldsMax) return std::nullopt;
    const auto size = number_of<std::size_t>(bytes.substr(0, colon));
    if (!size || *size > bytes.size() - colon - 1) return std::nullopt;
    call.emplace_back(bytes.substr(colon + 1, *size));
    bytes.remove_prefix(colon + 1 + *size);
  }
  if (call.empty()) return std::nullopt;
  return call;
}

NodeCalls::NodeCalls(Hub& hub, Loop& loop, NodeDirectory& nodes) : hub_(hub), loop_(loop), nodes_(nodes) {
  nodes_.set_events(*this);
}

NodeCalls::~NodeCalls() = default;

void NodeCalls::tell(const Call& call) {
  nodes_.send("", pack_node_call({"tell", pack_node_call(call)}), [](const Result<std::size_t>& told) {
    if (!told) log_warning("the other nodes were not told: {}", told.error().text);
  });
}

void NodeCalls::ask(const Call& call, Loop& loop, UniqueFunction<void(std::size_t)> done) {
  loop_.post([this, &loop, call = pack_node_call(call), done = std::move(done)]() mutable {
    const std::uint64_t id = ++last_id_;
    begin(id, loop, pack_node_call({"ask", std::to_string(id), call}), std::move(done));
  });
}

void NodeCalls::begin(std::uint64_t id, Loop& loop, std::string message, UniqueFunction<void(std::size_t)> done) {
  if (questions_.size() >= kAskingMax) return loop.post([done = std::move(done)]() mutable { done(0); });
  questions_.emplace(id,
                     new Question{.loop = &loop, .done = std::move(done), .timer = CallbackTimer([this, id] { finish(id); })});
  loop_.schedule(questions_.at(id)->timer, kAnswerTime);
  nodes_.send("", std::move(message), [this, id](Result<std::size_t> told) {
    loop_.post([this, id, told = told ? *told : 0] { take_told(id, told); });
  });
}

void NodeCalls::take_told(std::uint64_t id, std::size_t told) {
  const auto found = questions_.find(id);
  if (found == questions_.end()) return;
  found->second->told = told;
  if (found->second->answered >= told) finish(id);
}

void NodeCalls::take_answer(std::uint64_t id, std::size_t count) {
  const auto found = questions_.find(id);
  if (found == questions_.end()) return;
  Question& question = *found->second;
  question.sum += count;
  if (++question.answered >= question.told && question.told > 0) finish(id);
}

void NodeCalls::finish(std::uint64_t id) {
  const auto found = questions_.find(id);
  const std::unique_ptr<Question> question = std::move(found->second);
  questions_.erase(found);
  question->loop->post([done = std::move(question->done), sum = question->sum]() mutable { done(sum); });
}

void NodeCalls::on_node_message(std::string_view from, std::string_view message) {
  std::optional<Call> call = unpack_node_call(message);
  if (!call) return log_warning("a message of node {} cannot be read; it runs another version", from);
  loop_.post([this, from = std::string(from), call = *std::move(call)] { take(from, call); });
}

void NodeCalls::take(const std::string& from, const Call& message) {
  const std::string& kind = message[0];
  if (kind == "tell" && message.size() == 2) {
    if (const auto call = unpack_node_call(message[1])) obey(*call, [](std::size_t) {});
  } else if (kind == "ask" && message.size() == 3) {
    const auto call = unpack_node_call(message[2]);
    if (!call) return;
    obey(*call, [this, from, id = message[1]](std::size_t count) {
      nodes_.send(from, pack_node_call({"answer", id, std::to_string(count)}), [](const Result<std::size_t>&) {});
    });
  } else if (kind == "answer" && message.size() == 3) {
    const auto id = number_of<std::uint64_t>(message[1]);
    if (id) take_answer(*id, number_of<std::size_t>(message[2]).value_or(0));
  }
}

// A call that this version does not know is answered with nothing.
void NodeCalls::obey(const Call& call, UniqueFunction<void(std::size_t)> done) {
  if (call[0] == "disconnect_user" && call.size() == 3)
    return hub_.disconnect_user_here(loop_, call[1], call[2], std::move(done));
  if (call[0] == "close_channel" && call.size() == 4) {
    return hub_.close_channel_here(loop_, {.channel = call[1], .reason = call[2], .crash = call[3] == "crash"},
                                   std::move(done));
  }
  if (call[0] == "announce" && call.size() == 2) hub_.announce_here(Bytes::copy_of(call[1]));
  done(0);
}

}  // namespace carillon
