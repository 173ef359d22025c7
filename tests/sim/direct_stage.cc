#include "sim/direct_stage.h"

#include "base/check.h"
#include "wire/http/http_target.h"

namespace carillon {
namespace {

// Ends each message where it is to be cut again. No text holds such a byte, and bytes are written in hexadecimal.
constexpr char kMessageEnd = '\0';

class SeparatedEncoding final : public Encoding {
 public:
  explicit SeparatedEncoding(const Encoding& inner) : inner_(inner) {}
  void encode(const Publication& publication, std::string& out) const override {
    if (inner_.is_binary(publication)) {
      std::string message;
      inner_.encode(publication, message);
      out += shown_binary(message);
    } else {
      inner_.encode(publication, out);
    }
    out += kMessageEnd;
  }
  void encode_own(const Publication& publication, std::string& out) const override {
    inner_.encode_own(publication, out);
    out += kMessageEnd;
  }
  void encode_presence(const PresenceUpdate& diff, std::string& out) const override {
    inner_.encode_presence(diff, out);
    if (!out.empty()) out += kMessageEnd;
  }
  void encode_presence_counts(std::string_view channel, const PresenceCounts& counts, std::string& out) const override {
    inner_.encode_presence_counts(channel, counts, out);
    if (!out.empty()) out += kMessageEnd;
  }

 private:
  const Encoding& inner_;
};

}  // namespace

// A link that takes everything at once.
class DirectStage::Client final : public Link {
 public:
  explicit Client(DirectStage& stage) : stage_(stage) {}
  ~Client() {
    if (dialog_ != nullptr) dialog_->on_link_closed();
  }

  // An event stream is lines, whatever wrote them.
  void open(OpenDialog open, bool lines, Millis quiet_time) {
    lines_ = lines;
    quiet_time_ = quiet_time;
    sent_at_ = stage_.loop_.now();
    dialog_ = open(*this);
    flush();
  }
  void go() {
    if (dialog_ == nullptr) return;
    dialog_->on_link_closed();
    stage_.loop_.dispose(std::move(dialog_));
  }
  void say(std::string_view message, MessageKind kind) {
    if (dialog_ != nullptr) dialog_->on_message(message, kind);
  }
  void on_time() {
    if (dialog_ == nullptr || quiet_time_ == Millis{0} || stage_.loop_.now() - sent_at_ < quiet_time_) return;
    sent_at_ = stage_.loop_.now();
    dialog_->on_quiet();
  }
  std::optional<std::string> take() {
    const std::size_t end = heard_.find(lines_ ? '\n' : kMessageEnd);
    if (end == std::string::npos) return std::nullopt;
    std::string message = heard_.substr(0, end);
    heard_.erase(0, end + 1);
    return message;
  }

  const Encoding& framed(const Encoding& inner, MessageKind) override {
    if (lines_) return inner;
    // One for all clients, so that they share frames.
    std::unique_ptr<Encoding>& made = stage_.encodings_[&inner];
    if (made == nullptr) made = std::make_unique<SeparatedEncoding>(inner);
    return *made;
  }
  void append_framed(std::string& out, std::string_view message, MessageKind kind) override {
    out += kind == MessageKind::kBinary ? shown_binary(message) : std::string(message);
    if (!lines_) out += kMessageEnd;
  }
  FramePtr frame(std::string_view message, MessageKind kind) override {
    std::string bytes;
    append_framed(bytes, message, kind);
    return Frame::make(stage_.shard_.frame_memory(), bytes, {});
  }
  void flush() override {
    if (dialog_ == nullptr) return;
    while (!dialog_->outbox().empty()) heard_ += dialog_->outbox().pop()->bytes();
    sent_at_ = stage_.loop_.now();
  }
  void close(std::uint16_t code, std::string_view) override {
    flush();
    closed_ = code;
    stage_.loop_.post([this] { go(); });
  }
  PeerAddress peer() const override { return {.text = "127.0.0.1:40000", .loopback = true}; }

  std::optional<Answer> answer_;
  std::optional<int> closed_;

 private:
  DirectStage& stage_;
  std::unique_ptr<Dialog> dialog_;
  std::string heard_;
  bool lines_ = false;
  Millis quiet_time_{0};
  Millis sent_at_{0};
};

class DirectStage::Request final : public Exchange {
 public:
  Request(Client& client, HttpRequest request, PathValues values)
      : client_(client), request_(std::move(request)), values_(std::move(values)) {}

  const HttpRequest& request() const override { return request_; }
  PeerAddress peer() const override { return client_.peer(); }
  const PathValues& path_values() const override { return values_; }
  void on_gone(Task) override {}   // Nobody leaves before the answer,
  void on_drain(Task) override {}  // and the server does not stop.
  void reply(HttpResponse response, ReplySent sent) override {
    client_.answer_ = Answer{response.status, std::move(response.body)};
    if (sent) sent(true);
  }
  void open_stream(HttpResponse, StreamOptions options, OpenDialog open) override {
    client_.open(std::move(open), true, options.quiet_time);
  }
  void accept_websocket(WebSocketAcceptance, OpenDialog open) override { client_.open(std::move(open), false, Millis{0}); }

 private:
  Client& client_;
  const HttpRequest request_;
  const PathValues values_;
};

DirectStage::DirectStage(const ServerOptions& options)
    : core_(world_, options, 1), shard_(core_.hub.add_shard(loop_)), rooms_(core_, shard_, router_) {}

DirectStage::~DirectStage() {
  clients_.clear();
  world_.settle();
}

DirectStage::Client& DirectStage::client(const std::string& name) {
  std::unique_ptr<Client>& found = clients_[name];
  if (found == nullptr) found = std::make_unique<Client>(*this);
  return *found;
}

void DirectStage::turn(Task task) {
  loop_.post(std::move(task));
  world_.settle();
}

void DirectStage::request(const std::string& name, HttpRequest request) {
  Client& asking = client(name);
  asking.answer_.reset();
  asking.closed_.reset();
  const std::size_t mark = request.target.find('?');
  const std::string_view path = std::string_view(request.target).substr(0, mark);
  request.path = path;
  if (mark != std::string::npos) request.query = request.target.substr(mark + 1);
  Router::Match match = router_.match(request.method, request.target, request.path);
  CHECK(match.handler != nullptr);
  turn([&] { (*match.handler)(std::make_unique<Request>(asking, std::move(request), std::move(match.values))); });
}

void DirectStage::open(const std::string& name, const TalkOpening& opening) {
  open_with(name, opening, "Upgrade", "websocket");
}

void DirectStage::listen(const std::string& name, const TalkOpening& opening) {
  open_with(name, opening, "Accept", "text/event-stream");
}

void DirectStage::open_with(const std::string& name, const TalkOpening& opening, std::string_view field,
                            std::string_view value) {
  clients_.erase(name);
  HttpRequest asked;
  asked.method = "GET";
  asked.target = opening.target;
  asked.headers.add(field, value);
  for (const auto& [other, its_value] : opening.fields) asked.headers.add(other, its_value);
  request(name, std::move(asked));
}

void DirectStage::ask(const std::string& name, std::string_view method, std::string_view target, std::string_view body) {
  HttpRequest asked;
  asked.method = method;
  asked.target = target;
  asked.body = body;
  request(name, std::move(asked));
}

void DirectStage::send(const std::string& name, std::string_view message, bool binary) {
  turn([&] { client(name).say(message, binary ? MessageKind::kBinary : MessageKind::kText); });
}

void DirectStage::close(const std::string& name) {
  turn([&] { client(name).go(); });
}

void DirectStage::pass(Millis span) {
  constexpr Millis kStep{10};
  for (; span > Millis{0}; span -= kStep) {
    world_.run_for(std::min(span, kStep));
    turn([&] {
      for (const auto& entry : clients_) entry.second->on_time();
    });
  }
}

std::optional<std::string> DirectStage::hear(const std::string& name) {
  return client(name).take();
}
std::optional<TalkStage::Answer> DirectStage::answer(const std::string& name) {
  return client(name).answer_;
}
std::optional<int> DirectStage::closed(const std::string& name) {
  return client(name).closed_;
}

std::optional<std::string> DirectStage::unheard() {
  for (const auto& [name, entry] : clients_) {
    if (const auto left = entry->take()) return name + ": " + *left;
  }
  return std::nullopt;
}

}  // namespace carillon
