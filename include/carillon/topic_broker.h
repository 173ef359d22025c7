// TopicBroker: who subscribes to which topic, and whom a message for a topic is for. It sends nothing itself.
//
// Subscribing and unsubscribing cost O(1) amortised, publishing O(1) whatever the number of subscribers. A topic without
// subscribers does not exist. Nothing raises, nothing is limited: whoever feeds it bounds what it lets in. One thread at a
// time.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "carillon/recipients.h"

namespace carillon {

struct SingleNode {
  friend bool operator==(const SingleNode&, const SingleNode&) = default;
};

// One node of several. The names are carried for labels and refs; nothing here speaks to another node.
struct ClusterReady {
  std::string node_id;
  std::string cluster;
  friend bool operator==(const ClusterReady&, const ClusterReady&) = default;
};

using TopicAdapter = std::variant<SingleNode, ClusterReady>;

// "single_node" or "cluster_ready:<node>@<cluster>".
std::string topic_adapter_label(const TopicAdapter& adapter);

// One message for one subscriber.
template <class Message>
struct Delivery {
  std::string topic;
  std::string subscriber;
  Message message;
  friend bool operator==(const Delivery&, const Delivery&) = default;
};

// One message for all its subscribers: what a list of deliveries would say, without a copy for each.
template <class Message>
struct Deliveries {
  std::string topic;
  Message message;
  Recipients recipients;

  std::size_t size() const { return recipients.size(); }
  std::vector<Delivery<Message>> to_list() const {
    std::vector<Delivery<Message>> list;
    list.reserve(size());
    recipients.for_each([&](const std::string& subscriber) { list.push_back({topic, subscriber, message}); });
    return list;
  }
};

class TopicBroker {
 public:
  static TopicBroker single_node();
  static TopicBroker cluster_ready(std::string node_id, std::string cluster);
  TopicBroker(TopicBroker&&) noexcept;
  TopicBroker& operator=(TopicBroker&&) noexcept;
  ~TopicBroker();

  // False: subscribed already; the place in the order stays.
  bool subscribe(std::string_view topic, std::string_view subscriber);
  // False: was not subscribed.
  bool unsubscribe(std::string_view topic, std::string_view subscriber);
  // Unsubscribes all of a topic.
  void drop(std::string_view topic);

  template <class Message>
  Deliveries<Message> publish(std::string_view topic, Message message) const {
    return {std::string(topic), std::move(message), recipients(topic)};
  }
  Recipients recipients(std::string_view topic) const;
  // All but one, who need not subscribe.
  Recipients recipients_without(std::string_view topic, std::string_view subscriber) const;

  const TopicAdapter& adapter() const;
  bool is_subscribed(std::string_view topic, std::string_view subscriber) const;
  // In the order they subscribed.
  std::vector<std::string> subscribers(std::string_view topic) const;
  std::size_t subscriber_count(std::string_view topic) const;
  std::size_t topic_count() const;
  // In the order of their names.
  std::vector<std::string> topics() const;

 private:
  class State;
  explicit TopicBroker(TopicAdapter adapter);
  std::unique_ptr<State> state_;
};

}  // namespace carillon
