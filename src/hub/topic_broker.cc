#include "carillon/topic_broker.h"

#include <fmt/core.h>

#include <algorithm>
#include <boost/unordered/unordered_flat_map.hpp>

#include "base/hash.h"
#include "hub/subscriber_list.h"

namespace carillon {

std::string topic_adapter_label(const TopicAdapter& adapter) {
  const auto* const node = std::get_if<ClusterReady>(&adapter);
  return node == nullptr ? "single_node" : fmt::format("cluster_ready:{}@{}", node->node_id, node->cluster);
}

class TopicBroker::State {
 public:
  explicit State(TopicAdapter of) : adapter(std::move(of)) {}

  const SubscriberList* find(std::string_view topic) const {
    const auto found = topics.find(topic);
    return found == topics.end() ? nullptr : &found->second;
  }

  TopicAdapter adapter;
  boost::unordered_flat_map<std::string, SubscriberList, NameHash, NameEqual> topics;  // None is empty.
};

TopicBroker::TopicBroker(TopicAdapter adapter) : state_(std::make_unique<State>(std::move(adapter))) {}
TopicBroker::TopicBroker(TopicBroker&&) noexcept = default;
TopicBroker& TopicBroker::operator=(TopicBroker&&) noexcept = default;
TopicBroker::~TopicBroker() = default;

TopicBroker TopicBroker::single_node() {
  return TopicBroker(SingleNode{});
}
TopicBroker TopicBroker::cluster_ready(std::string node_id, std::string cluster) {
  return TopicBroker(ClusterReady{.node_id = std::move(node_id), .cluster = std::move(cluster)});
}

bool TopicBroker::subscribe(std::string_view topic, std::string_view subscriber) {
  auto found = state_->topics.find(topic);
  if (found == state_->topics.end()) found = state_->topics.try_emplace(std::string(topic)).first;
  return found->second.add(subscriber);
}

bool TopicBroker::unsubscribe(std::string_view topic, std::string_view subscriber) {
  const auto found = state_->topics.find(topic);
  if (found == state_->topics.end() || !found->second.remove(subscriber)) return false;
  if (found->second.size() == 0) state_->topics.erase(found);
  return true;
}

void TopicBroker::drop(std::string_view topic) {
  if (const auto found = state_->topics.find(topic); found != state_->topics.end()) state_->topics.erase(found);
}

Recipients TopicBroker::recipients(std::string_view topic) const {
  const SubscriberList* const list = state_->find(topic);
  return list == nullptr ? Recipients() : list->all();
}

Recipients TopicBroker::recipients_without(std::string_view topic, std::string_view subscriber) const {
  const SubscriberList* const list = state_->find(topic);
  return list == nullptr ? Recipients() : list->without(subscriber);
}

const TopicAdapter& TopicBroker::adapter() const {
  return state_->adapter;
}

bool TopicBroker::is_subscribed(std::string_view topic, std::string_view subscriber) const {
  const SubscriberList* const list = state_->find(topic);
  return list != nullptr && list->has(subscriber);
}

std::vector<std::string> TopicBroker::subscribers(std::string_view topic) const {
  return recipients(topic).to_list();
}

std::size_t TopicBroker::subscriber_count(std::string_view topic) const {
  const SubscriberList* const list = state_->find(topic);
  return list == nullptr ? 0 : list->size();
}

std::size_t TopicBroker::topic_count() const {
  return state_->topics.size();
}

std::vector<std::string> TopicBroker::topics() const {
  std::vector<std::string> names;
  names.reserve(topic_count());
  for (const auto& [name, list] : state_->topics) names.push_back(name);
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace carillon
