#include "server/local_room.h"

#include "base/check.h"
#include "hub/hub.h"

namespace carillon {
namespace {

// Messages of local clients are read where they were written: compressing or masking them would help nobody.
void append_with_length(std::string& out, std::string_view message) {
  const std::size_t at = out.size();
  append_local_length(out);
  out += message;
  set_local_length(out, at);
}

}  // namespace

class LocalFraming::Framed final : public Encoding {
 public:
  explicit Framed(const Encoding& inner) : inner_(inner) {}

  bool is(const Encoding& inner) const { return &inner == &inner_; }

  void encode(const Publication& publication, std::string& out) const override {
    append(out, [&] { inner_.encode(publication, out); });
  }
  void encode_presence(const PresenceUpdate& diff, std::string& out) const override {
    append(out, [&] { inner_.encode_presence(diff, out); });
  }
  void encode_presence_counts(std::string_view channel, const PresenceCounts& counts, std::string& out) const override {
    append(out, [&] { inner_.encode_presence_counts(channel, counts, out); });
  }

 private:
  template <class Encode>
  static void append(std::string& out, Encode encode) {
    const std::size_t at = out.size();
    append_local_length(out);
    encode();
    if (out.size() == at + kLocalLengthBytes) return out.resize(at);  // This encoding has no message for it.
    set_local_length(out, at);
  }

  const Encoding& inner_;
};

LocalFraming::LocalFraming() = default;
LocalFraming::~LocalFraming() = default;

const Encoding& LocalFraming::framed(const Encoding& inner) {
  for (const auto& known : all_) {
    if (known->is(inner)) return *known;
  }
  return *all_.emplace_back(std::make_unique<Framed>(inner));
}

// --- One client

class LocalRoom::Connection final : public Link, public Disposable {
 public:
  Connection(LocalRoom& room, std::shared_ptr<LocalQueue> queue, const ClientMetadata& metadata)
      : room_(room), queue_(std::move(queue)), peer_text_(metadata.ip_address) {
    // Trusted: it is this program itself, which also knows its users.
    const auto identity = std::make_shared<const Identity>(
        Identity{.user = metadata.user_id, .trusted = true, .verified = !metadata.user_id.empty()});
    dialog_ = room_.native_.open(*this, identity, metadata.user_agent);
  }

  NativeDialog& dialog() { return *dialog_; }
  Session& session() { return dialog_->session(); }

  // Hands over what waits, whatever there is of it, and leaves. Freed at the end of the turn.
  void end(std::string_view reason) {
    if (ended_) return;
    push_all();
    session().on_room();  // The outbox is empty: now the notice of what was lost may come.
    push_all();
    ended_ = true;
    queue_->close(reason);
    dialog_->on_link_closed();
    room_.remove(*this);
  }

  const Encoding& framed(const Encoding& inner, MessageKind) override { return room_.framing_.framed(inner); }
  void append_framed(std::string& out, std::string_view message, MessageKind) override { append_with_length(out, message); }
  FramePtr frame(std::string_view message, MessageKind) override {
    std::string bytes;
    append_with_length(bytes, message);
    return Frame::make(room_.shard_.frame_memory(), bytes, {});
  }

  // What the queue refuses stays in the outbox, where the slow-consumer policy counts it, until on_room.
  void flush() override {
    if (ended_) return;
    Outbox& outbox = dialog_->outbox();
    std::string_view first;
    while (outbox.gather({&first, 1}) == 1 && queue_->offer(first)) outbox.pop();
  }
  // The dialog calls this with its session ended and nothing left to do, so that leaving at once is safe.
  void close(std::uint16_t, std::string_view reason) override { end(reason); }
  PeerAddress peer() const override { return {.text = peer_text_, .loopback = true}; }

 private:
  void push_all() {
    Outbox& outbox = dialog_->outbox();
    while (!outbox.empty()) queue_->push(outbox.pop()->bytes());
  }

  LocalRoom& room_;
  const std::shared_ptr<LocalQueue> queue_;
  const std::string peer_text_;
  std::unique_ptr<NativeDialog> dialog_;
  bool ended_ = false;
};

// --- All of them

LocalRoom::LocalRoom(Shard& shard, DurableSubscriptions& durable, const NativeOptions& options, const LimitsOptions& limits)
    : shard_(shard),
      native_(
          shard, durable, [](const Exchange&, std::string_view) { return IdentityPtr(); }, options, limits,
          "carillon/" CARILLON_VERSION),
      connections_max_(limits.connections_max) {}

LocalRoom::~LocalRoom() {
  CHECK(connections_.empty());
}

Result<LocalRoom::Opened> LocalRoom::open(const ClientMetadata& metadata, std::shared_ptr<LocalQueue> queue) {
  if (closed_) return Error{ErrorKind::kUnavailable, "the hub has stopped"};
  if (connections_max_ != 0 && shard_.hub().stats().sessions >= connections_max_) {
    return Error{ErrorKind::kLimit, "failed to send message: maximum connections reached"};
  }
  auto connection = std::make_unique<Connection>(*this, std::move(queue), metadata);
  const Opened opened{.id = connection->session().id(), .connected_at_ms = connection->session().connected_at_ms()};
  connections_.emplace(opened.id, std::move(connection));
  return opened;
}

LocalRoom::Connection* LocalRoom::find(SessionId id) {
  const auto found = connections_.find(id);
  return found == connections_.end() ? nullptr : found->second.get();
}

void LocalRoom::remove(Connection& connection) {
  auto node = connections_.extract(connection.session().id());
  CHECK(!node.empty());
  shard_.loop().dispose(std::move(node.mapped()));
}

bool LocalRoom::command(SessionId id, std::string_view json) {
  Connection* const connection = find(id);
  if (connection == nullptr) return false;
  connection->dialog().on_message(json, MessageKind::kText);
  return true;
}

void LocalRoom::on_room(SessionId id) {
  if (Connection* const connection = find(id)) connection->dialog().on_room();
}

void LocalRoom::close(SessionId id, std::string_view reason) {
  if (Connection* const connection = find(id)) connection->end(reason);
}

void LocalRoom::close_all(std::string_view reason) {
  closed_ = true;
  while (!connections_.empty()) connections_.begin()->second->end(reason);
}

}  // namespace carillon
