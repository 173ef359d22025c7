#include "carillon/topic_broker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace carillon {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(TopicBroker, SaysForWhomAMessageIs) {
  TopicBroker broker = TopicBroker::single_node();
  EXPECT_TRUE(broker.subscribe("room", "alice"));
  EXPECT_TRUE(broker.subscribe("room", "bob"));
  EXPECT_FALSE(broker.subscribe("room", "alice"));
  const Deliveries<int> deliveries = broker.publish("room", 7);
  EXPECT_EQ(deliveries.size(), 2u);
  EXPECT_THAT(deliveries.to_list(), ElementsAre(Delivery<int>{"room", "alice", 7}, Delivery<int>{"room", "bob", 7}));
}

TEST(TopicBroker, AMessageForNobodyIsNoDelivery) {
  const TopicBroker broker = TopicBroker::single_node();
  EXPECT_THAT(broker.publish("room", std::string("hello")).to_list(), IsEmpty());
}

TEST(TopicBroker, ATopicGoesWithItsLastSubscriber) {
  TopicBroker broker = TopicBroker::single_node();
  broker.subscribe("b", "alice");
  broker.subscribe("a", "alice");
  broker.subscribe("a", "bob");
  EXPECT_THAT(broker.topics(), ElementsAre("a", "b"));
  EXPECT_EQ(broker.topic_count(), 2u);
  EXPECT_TRUE(broker.unsubscribe("a", "alice"));
  EXPECT_FALSE(broker.unsubscribe("a", "alice"));
  EXPECT_THAT(broker.subscribers("a"), ElementsAre("bob"));
  EXPECT_TRUE(broker.unsubscribe("a", "bob"));
  EXPECT_FALSE(broker.unsubscribe("a", "bob"));
  EXPECT_THAT(broker.topics(), ElementsAre("b"));
  EXPECT_EQ(broker.subscriber_count("a"), 0u);
  EXPECT_TRUE(broker.is_subscribed("b", "alice"));
  EXPECT_FALSE(broker.is_subscribed("a", "alice"));
}

TEST(TopicBroker, DropsATopicWhole) {
  TopicBroker broker = TopicBroker::single_node();
  broker.subscribe("a", "alice");
  broker.subscribe("b", "alice");
  const Recipients recipients = broker.recipients("a");
  broker.drop("a");
  broker.drop("unknown");
  EXPECT_THAT(broker.topics(), ElementsAre("b"));
  EXPECT_THAT(recipients.to_list(), ElementsAre("alice"));
}

TEST(TopicBroker, LeavesOutASender) {
  TopicBroker broker = TopicBroker::single_node();
  broker.subscribe("a", "alice");
  broker.subscribe("a", "bob");
  EXPECT_THAT(broker.recipients_without("a", "alice").to_list(), ElementsAre("bob"));
  EXPECT_TRUE(broker.recipients_without("nowhere", "alice").empty());
}

TEST(TopicBroker, KnowsItsAdapter) {
  EXPECT_EQ(topic_adapter_label(TopicBroker::single_node().adapter()), "single_node");
  const TopicBroker broker = TopicBroker::cluster_ready("n1", "east");
  EXPECT_EQ(broker.adapter(), TopicAdapter(ClusterReady{"n1", "east"}));
  EXPECT_EQ(topic_adapter_label(broker.adapter()), "cluster_ready:n1@east");
}

}  // namespace
}  // namespace carillon
