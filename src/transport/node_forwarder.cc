#include "transport/node_forwarder.h"

#include <utility>

#include "transport/forwarded_request.h"

namespace carillon {
namespace {

// A node may claim another number when it was held up for long.
constexpr Millis kNumberTime{1'000};
// What the directory said is good for so long, and asked for anew in the background when it is older than that.
constexpr Millis kKnownTime{5'000};
constexpr Millis kFreshTime{3'000};
// It is not asked more often for a node that it does not list.
constexpr Millis kAskPause{200};
// How often it is asked while requests wait.
constexpr Millis kWatchTime{2'000};
// For what is no poll to be answered, when the server stops.
constexpr Millis kDrainGrace{500};

}  // namespace

NodeForwarder::NodeForwarder(Loop& loop, Dialer& dialer, NodeDirectory& directory, const HttpCallerOptions& options)
    : loop_(loop), directory_(directory), caller_(loop, dialer, options), watch_timer_([this] { on_watch(); }) {}

NodeForwarder::~NodeForwarder() = default;

std::uint16_t NodeForwarder::number() {
  if (number_ == 0 || loop_.now() >= number_until_) {
    number_ = directory_.self().number;
    number_until_ = loop_.now() + kNumberTime;
  }
  return number_;
}

bool NodeForwarder::is_elsewhere(std::uint16_t node, const HttpRequest& request) {
  return node != 0 && node != number() && !was_forwarded(request);
}

void NodeForwarder::forward(std::uint16_t node, ExchangePtr exchange, Back back) {
  const std::uint64_t id = next_id_++;
  Exchange& kept = *exchange;
  waiting_.emplace(id, Waiting{.node = node, .exchange = std::move(exchange), .back = std::move(back)});
  counters_.forwarded_total.add();
  counters_.waiting.set(waiting_.size());
  kept.on_gone([this, id] { take(id); });
  if (waiting_.contains(id)) kept.on_drain([this, id] { on_drain(id); });
  if (!watch_timer_.armed()) loop_.schedule(watch_timer_, kWatchTime);
  begin(id);
}

std::optional<NodeForwarder::Waiting> NodeForwarder::take(std::uint64_t id) {
  auto one = waiting_.extract(id);
  counters_.waiting.set(waiting_.size());
  return one.empty() ? std::nullopt : std::optional(std::move(one.mapped()));
}

void NodeForwarder::begin(std::uint64_t id) {
  const auto found = waiting_.find(id);
  if (found == waiting_.end()) return;
  if (const Known* const there = known(found->second.node)) {
    if (loop_.now() - there->seen_at > kFreshTime) ask();
    return call(id, there->address);
  }
  if (listed_at_ && loop_.now() - *listed_at_ < kAskPause) return give_back(id, Unanswered::kNotThere);
  ask();
}

const NodeForwarder::Known* NodeForwarder::known(std::uint16_t node) const {
  const auto found = nodes_.find(node);
  return found == nodes_.end() || loop_.now() - found->second.seen_at > kKnownTime ? nullptr : &found->second;
}

void NodeForwarder::call(std::uint64_t id, const DialTarget& to) {
  Waiting& one = waiting_.find(id)->second;
  one.call = caller_.call(to, forwarded_request(one.exchange->request(), one.exchange->peer()),
                          [this, id](Result<HttpResponse> answer) { on_answer(id, std::move(answer)); });
}

void NodeForwarder::on_answer(std::uint64_t id, Result<HttpResponse> answer) {
  if (!answer || answer->status == kNotHereStatus) return give_back(id, Unanswered::kNotThere);
  if (const std::optional<Waiting> one = take(id)) one->exchange->reply(forwarded_answer(*std::move(answer)));
}

void NodeForwarder::on_drain(std::uint64_t id) {
  Waiting& one = waiting_.find(id)->second;
  one.drain_timer = std::make_unique<CallbackTimer>([this, id] { give_back(id, Unanswered::kDraining); });
  loop_.schedule(*one.drain_timer, kDrainGrace);
}

// Its hooks are of no more use here: whoever answers it sets others.
void NodeForwarder::give_back(std::uint64_t id, Unanswered why) {
  std::optional<Waiting> given = take(id);
  if (!given) return;
  if (why == Unanswered::kNotThere) counters_.unanswered_total.add();
  given->call.reset();
  given->exchange->on_gone([] {});
  given->exchange->on_drain([] {});
  given->back(std::move(given->exchange), why);
}

// --- Where the nodes are

void NodeForwarder::ask() {
  if (std::exchange(asking_, true)) return;
  directory_.list([this, &loop = loop_](Result<std::vector<NodeRecord>> listed) {
    loop.post([this, listed = std::move(listed)] { on_listed(listed); });
  });
}

void NodeForwarder::on_listed(const Result<std::vector<NodeRecord>>& listed) {
  asking_ = false;
  listed_at_ = loop_.now();
  if (!listed) {
    for (auto& [number, node] : nodes_) node.seen_at = loop_.now();
  } else {
    std::erase_if(nodes_, [this](const auto& node) { return loop_.now() - node.second.seen_at > kKnownTime; });
    for (const NodeRecord& record : *listed) {
      if (auto address = read_node_address(record.address)) nodes_[record.number] = {*std::move(address), loop_.now()};
    }
  }
  std::vector<std::uint64_t> due;
  for (const auto& [id, one] : waiting_) {
    if (one.call == nullptr || known(one.node) == nullptr) due.push_back(id);
  }
  for (const std::uint64_t id : due) begin(id);
}

void NodeForwarder::on_watch() {
  if (waiting_.empty()) return;
  ask();
  loop_.schedule(watch_timer_, kWatchTime);
}

}  // namespace carillon
