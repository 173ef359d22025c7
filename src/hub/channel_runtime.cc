#include "carillon/channel_runtime.h"

#include <algorithm>
#include <boost/unordered/unordered_flat_map.hpp>
#include <boost/unordered/unordered_flat_set.hpp>
#include <utility>

#include "base/hash.h"
#include "carillon/topic_broker.h"

namespace carillon {
namespace {

using namespace channel_event;
using channel_outbound::BroadcastMessage;
using channel_outbound::PushMessage;
using channel_outbound::Reply;
using channel_outbound::System;

std::string base36(std::uint64_t number) {
  std::string text;
  do {
    text += "0123456789abcdefghijklmnopqrstuvwxyz"[number % 36];
    number /= 36;
  } while (number > 0);
  std::reverse(text.begin(), text.end());
  return text;
}

std::string ref_prefix(const TopicAdapter& adapter) {
  const auto* const node = std::get_if<ClusterReady>(&adapter);
  return node == nullptr ? "" : node->node_id + '.';
}

std::string with_topic(std::string label, const std::string& topic) {
  return topic.empty() ? label : label + ':' + topic;
}

}  // namespace

class ChannelRuntime::State {
 public:
  explicit State(TopicBroker broker)
      : broker_(std::move(broker)),
        adapter_label_(topic_adapter_label(broker_.adapter())),
        ref_prefix_(ref_prefix(broker_.adapter())) {}

  void on(Join&& event);
  void on(Rejoin&& event);
  void on(Leave&& event);
  void on(Broadcast&& event);
  void on(Push&& event);
  void on(Crash&& event);
  void on(Restart&& event);

  std::vector<ChannelOutbound> flush() { return std::exchange(outbox_, {}); }
  std::size_t outbox_size() const { return outbox_.size(); }

  bool crashed() const { return all_crashed_; }
  bool crashed(std::string_view topic) const { return all_crashed_ || crashed_topics_.contains(topic); }
  const std::string& adapter_label() const { return adapter_label_; }
  const TopicBroker& broker() const { return broker_; }
  const PresenceTracker& tracker() const { return tracker_; }
  std::size_t membership_count() const { return membership_count_; }
  std::size_t topic_count() const { return topics_.size(); }
  bool is_member(std::string_view client_id, std::string_view topic) const {
    const auto members = topics_.find(topic);
    return members != topics_.end() && members->second.contains(client_id);
  }

 private:
  struct Membership {
    std::string user_id;
    std::string ref;
  };
  using Members = boost::unordered_flat_map<std::string, Membership, NameHash, NameEqual>;

  template <class Event>
  void enter(Event&& event, const char* payload);
  template <class Event>
  PresenceMeta new_meta(const Event& event);
  // Null: no member. An event that finds nobody, or a crashed topic, has been answered.
  template <class Event>
  Membership* member_or_refusal(const Event& event);
  template <class Event>
  bool refused(const Event& event);
  Membership* member(std::string_view client_id, std::string_view topic);
  void drop(std::string_view topic);

  void reply(std::string client_id, std::string topic, const char* status, const char* payload);
  template <class Outbound>
  void emit(Outbound outbound) {
    outbox_.emplace_back(std::move(outbound));
  }

  TopicBroker broker_;
  PresenceTracker tracker_;
  std::string adapter_label_;
  std::string ref_prefix_;
  std::uint64_t last_ref_ = 0;  // Never reset: a ref is not given twice, whatever crashes.
  boost::unordered_flat_map<std::string, Members, NameHash, NameEqual> topics_;  // None is empty.
  std::size_t membership_count_ = 0;
  bool all_crashed_ = false;
  boost::unordered_flat_set<std::string, NameHash, NameEqual> crashed_topics_;  // Empty while all are.
  std::vector<ChannelOutbound> outbox_;
};

void ChannelRuntime::State::on(Join&& event) {
  if (refused(event)) return;
  if (member(event.client_id, event.topic) != nullptr) {
    return reply(std::move(event.client_id), std::move(event.topic), "error", "already_joined");
  }
  enter(std::move(event), "");
}

void ChannelRuntime::State::on(Rejoin&& event) {
  if (refused(event)) return;
  Membership* const membership = member(event.client_id, event.topic);
  if (membership == nullptr) return enter(std::move(event), "rejoined");
  PresenceMeta meta = new_meta(event);
  std::string ref = meta.ref;
  PresenceDiff diff = tracker_.replace(event.topic, membership->user_id, membership->ref, event.user_id, std::move(meta));
  *membership = {.user_id = std::move(event.user_id), .ref = std::move(ref)};
  reply(std::move(event.client_id), std::move(event.topic), "ok", "rejoined");
  emit(std::move(diff));
}

void ChannelRuntime::State::on(Leave&& event) {
  const Membership* const membership = member_or_refusal(event);
  if (membership == nullptr) return;
  PresenceDiff diff = tracker_.leave(event.topic, membership->user_id, membership->ref);
  broker_.unsubscribe(event.topic, event.client_id);
  const auto members = topics_.find(event.topic);
  members->second.erase(event.client_id);
  if (members->second.empty()) topics_.erase(members);
  --membership_count_;
  reply(std::move(event.client_id), std::move(event.topic), "ok", "");
  emit(std::move(diff));
}

void ChannelRuntime::State::on(Broadcast&& event) {
  if (member_or_refusal(event) == nullptr) return;
  emit(BroadcastMessage{.topic = event.topic,
                        .payload = std::move(event.payload),
                        .recipients = event.to_sender ? broker_.recipients(event.topic)
                                                      : broker_.recipients_without(event.topic, event.client_id)});
  reply(std::move(event.client_id), std::move(event.topic), "ok", "");
}

void ChannelRuntime::State::on(Push&& event) {
  if (member_or_refusal(event) == nullptr) return;
  emit(PushMessage{.client_id = event.client_id,
                   .topic = event.topic,
                   .event = std::move(event.event),
                   .payload = std::move(event.payload)});
  reply(std::move(event.client_id), std::move(event.topic), "ok", "");
}

void ChannelRuntime::State::on(Crash&& event) {
  if (crashed(event.topic)) return;
  std::string label = with_topic("crash", event.topic) + ':' + event.reason;
  if (event.topic.empty()) {
    all_crashed_ = true;
    crashed_topics_.clear();
    for (const auto& [topic, members] : topics_) {
      broker_.drop(topic);
      tracker_.drop(topic);
    }
    topics_.clear();
    membership_count_ = 0;
  } else {
    drop(event.topic);
    crashed_topics_.insert(event.topic);
  }
  emit(System{.label = std::move(label), .topic = std::move(event.topic)});
}

void ChannelRuntime::State::on(Restart&& event) {
  if (event.topic.empty()) {
    if (!all_crashed_ && crashed_topics_.empty()) return;
    all_crashed_ = false;
    crashed_topics_.clear();
  } else if (crashed_topics_.erase(event.topic) == 0) {
    return;
  }
  emit(System{.label = with_topic("restart", event.topic), .topic = std::move(event.topic)});
}

template <class Event>
void ChannelRuntime::State::enter(Event&& event, const char* payload) {
  PresenceMeta meta = new_meta(event);
  topics_[event.topic].emplace(event.client_id, Membership{.user_id = event.user_id, .ref = meta.ref});
  ++membership_count_;
  broker_.subscribe(event.topic, event.client_id);
  PresenceDiff diff = tracker_.join(event.topic, event.user_id, std::move(meta));
  reply(std::move(event.client_id), std::move(event.topic), "ok", payload);
  emit(std::move(diff));
}

template <class Event>
PresenceMeta ChannelRuntime::State::new_meta(const Event& event) {
  return {.ref = ref_prefix_ + base36(++last_ref_),
          .previous_ref = {},
          .online_at_ms = event.now_ms,
          .meta = event.meta,
          .client_id = event.client_id};
}

template <class Event>
auto ChannelRuntime::State::member_or_refusal(const Event& event) -> Membership* {
  if (refused(event)) return nullptr;
  Membership* const membership = member(event.client_id, event.topic);
  if (membership == nullptr) reply(event.client_id, event.topic, "error", "not_joined");
  return membership;
}

template <class Event>
bool ChannelRuntime::State::refused(const Event& event) {
  if (!crashed(event.topic)) return false;
  reply(event.client_id, event.topic, "error", "crashed");
  return true;
}

auto ChannelRuntime::State::member(std::string_view client_id, std::string_view topic) -> Membership* {
  const auto members = topics_.find(topic);
  if (members == topics_.end()) return nullptr;
  const auto found = members->second.find(client_id);
  return found == members->second.end() ? nullptr : &found->second;
}

void ChannelRuntime::State::drop(std::string_view topic) {
  const auto members = topics_.find(topic);
  if (members == topics_.end()) return;
  membership_count_ -= members->second.size();
  topics_.erase(members);
  broker_.drop(topic);
  tracker_.drop(topic);
}

void ChannelRuntime::State::reply(std::string client_id, std::string topic, const char* status, const char* payload) {
  emit(Reply{.client_id = std::move(client_id), .topic = std::move(topic), .status = status, .payload = payload});
}

ChannelRuntime::ChannelRuntime(std::unique_ptr<State> state) : state_(std::move(state)) {}
ChannelRuntime::ChannelRuntime(ChannelRuntime&&) noexcept = default;
ChannelRuntime& ChannelRuntime::operator=(ChannelRuntime&&) noexcept = default;
ChannelRuntime::~ChannelRuntime() = default;

ChannelRuntime ChannelRuntime::single_node() {
  return ChannelRuntime(std::make_unique<State>(TopicBroker::single_node()));
}
ChannelRuntime ChannelRuntime::cluster_ready(std::string node_id, std::string cluster) {
  return ChannelRuntime(std::make_unique<State>(TopicBroker::cluster_ready(std::move(node_id), std::move(cluster))));
}

void ChannelRuntime::handle(ChannelEvent event) {
  std::visit([this](auto& one) { state_->on(std::move(one)); }, event);
}
std::vector<ChannelOutbound> ChannelRuntime::flush() {
  return state_->flush();
}
std::size_t ChannelRuntime::outbox_size() const {
  return state_->outbox_size();
}

bool ChannelRuntime::crashed() const {
  return state_->crashed();
}
bool ChannelRuntime::crashed(std::string_view topic) const {
  return state_->crashed(topic);
}
const std::string& ChannelRuntime::adapter_label() const {
  return state_->adapter_label();
}
std::vector<std::string> ChannelRuntime::subscribers(std::string_view topic) const {
  return state_->broker().subscribers(topic);
}
std::size_t ChannelRuntime::subscriber_count(std::string_view topic) const {
  return state_->broker().subscriber_count(topic);
}
std::vector<PresenceEntry> ChannelRuntime::presences(std::string_view topic) const {
  return state_->tracker().list(topic);
}
std::size_t ChannelRuntime::key_count(std::string_view topic) const {
  return state_->tracker().key_count(topic);
}
std::size_t ChannelRuntime::ref_count(std::string_view topic) const {
  return state_->tracker().ref_count(topic);
}
bool ChannelRuntime::is_member(std::string_view client_id, std::string_view topic) const {
  return state_->is_member(client_id, topic);
}
std::size_t ChannelRuntime::membership_count() const {
  return state_->membership_count();
}
std::size_t ChannelRuntime::topic_count() const {
  return state_->topic_count();
}
std::vector<std::string> ChannelRuntime::topics() const {
  return state_->broker().topics();
}

}  // namespace carillon
