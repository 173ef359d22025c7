#include "server/bayeux_handle.h"

#include <fmt/format.h>

#include <string>
#include <utility>

#include "protocol/bayeux/bayeux_channel.h"
#include "server/answer.h"
#include "server/program_publish.h"

namespace carillon {
namespace {

constexpr std::string_view kMessageEvent = "message";  // A Bayeux message has no kind.

Result<void> check_delivery_channel(std::string_view channel, BayeuxAlphabet alphabet) {
  const Result<BayeuxChannelKind> kind = bayeux_channel_kind(channel, alphabet);
  if (!kind) return kind.error();
  const bool wildcard = channel.ends_with("/*") || channel.ends_with("/**");
  if (*kind == BayeuxChannelKind::kMeta || wildcard) {
    return Error{ErrorKind::kInvalid, fmt::format("nothing can be sent on `{}`", channel)};
  }
  return {};
}

}  // namespace

bool Bayeux::Parts::ask(std::string_view client_id, std::function<bool(BayeuxSessions&)> task) {
  const std::optional<std::size_t> place = bayeux_place(client_id);
  if (!place || *place >= common().siblings.count()) return false;
  Answer<bool> answer;
  common().door->post(client_id, [giver = answer.giver(), task = std::move(task)](BayeuxSessions& sessions) mutable {
    giver.give(task(sessions));
  });
  if (runtime_.on_a_loop()) return true;
  return answer.wait().value_or(false);
}

Bayeux::Bayeux(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Bayeux::~Bayeux() = default;

Result<EmitReceipt> Bayeux::publish(std::string_view channel, std::string_view data) {
  Result<std::string> canonical = canonical_of_bayeux(channel, parts_->common().alphabet);
  if (!canonical) return canonical.error();
  return publish_for_program(parts_->runtime(), {.channel = *std::move(canonical), .event = kMessageEvent, .data = data});
}

Result<void> Bayeux::send(std::string_view client_id, std::string_view channel, std::string_view data, bool lazy) {
  if (!parts_->runtime().running()) return hub_has_stopped();
  if (Result<void> checked = check_delivery_channel(channel, parts_->common().alphabet); !checked) return checked;
  const Result<std::string_view> payload = check_program_data(parts_->runtime().options(), data);
  if (!payload) return payload.error();
  const bool found =
      parts_->ask(client_id, [id = std::string(client_id), on = std::string(channel), json = std::string(*payload),
                              lazy](BayeuxSessions& sessions) { return sessions.send_to(id, on, json, lazy); });
  if (found) return {};
  return Error{ErrorKind::kNotFound, fmt::format("there is no session `{}`", client_id)};
}

bool Bayeux::remove(std::string_view client_id) {
  return parts_->ask(client_id, [id = std::string(client_id)](BayeuxSessions& sessions) {
    return sessions.remove(id, bayeux_event::RemovalReason::kRemoved);
  });
}

std::size_t Bayeux::session_count() const {
  return parts_->common().session_count();
}

void Bayeux::emit_custom(std::any value) {
  parts_->common().events.emit(bayeux_event::Custom{std::move(value)});
}

// --- The listener

class BayeuxListener::Parts {
 public:
  Parts(std::shared_ptr<BayeuxEvents::Streams> streams, std::shared_ptr<BayeuxEventStream> own)
      : streams_(std::move(streams)), own_(std::move(own)) {}

  std::unique_ptr<Parts> copy() const { return std::make_unique<Parts>(streams_, streams_->add_copy(*own_)); }
  BayeuxEventStream& stream() { return *own_; }

 private:
  const std::shared_ptr<BayeuxEvents::Streams> streams_;
  const std::shared_ptr<BayeuxEventStream> own_;
};

BayeuxListener Bayeux::listen(std::size_t capacity) {
  BayeuxEvents& events = parts_->common().events;
  return BayeuxListener(std::make_unique<BayeuxListener::Parts>(events.streams(), events.listen(capacity)));
}

BayeuxListener::BayeuxListener(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
BayeuxListener::BayeuxListener(const BayeuxListener& other) : parts_(other.parts_->copy()) {}
BayeuxListener& BayeuxListener::operator=(const BayeuxListener& other) {
  if (this != &other) parts_ = other.parts_->copy();
  return *this;
}
BayeuxListener::BayeuxListener(BayeuxListener&&) noexcept = default;
BayeuxListener& BayeuxListener::operator=(BayeuxListener&&) noexcept = default;
BayeuxListener::~BayeuxListener() = default;

std::optional<BayeuxEvent> BayeuxListener::next(std::chrono::milliseconds wait) {
  return parts_->stream().next(wait);
}
std::uint64_t BayeuxListener::take_lost() {
  return parts_->stream().take_lost();
}
bool BayeuxListener::closed() const {
  return parts_->stream().closed();
}

}  // namespace carillon
