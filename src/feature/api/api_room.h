// The HTTP API: publish, look and steer by plain requests. docs/protocol/http-api.md describes every route.
//
// One room per loop; the loop, the hub and the access outlive it, and it outlives the loop's last turn. What the hub answers
// on another thread is brought back to the loop, where the exchange has been parked; parked exchanges are bounded by what
// transport lets in.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <memory>
#include <string>
#include <utility>

#include "base/loop.h"
#include "base/random.h"
#include "carillon/server_options.h"
#include "feature/api/api_answers.h"
#include "feature/api/group_request.h"
#include "feature/api/publish_request.h"
#include "feature/api/steer_request.h"
#include "hub/durable_subscriptions.h"
#include "hub/hub.h"
#include "hub/topic_directory.h"
#include "protocol/api_access.h"
#include "protocol/exchange.h"
#include "protocol/identify.h"

namespace carillon {

struct ApiOptions {
  std::string path = "/api";
  PublishLimits publish;
  EventNames event_names = EventNames::kUnderscore;
  // Publications in one page of history; a query for more gets this many and `more`.
  std::size_t history_page_max = 1000;
  // Bytes of events in one page of history; the page ends before them with `more`, but has at least one event.
  std::size_t history_bytes_max = 8u << 20;
  // Channels or sessions in one page; a query for more gets this many and `next`.
  std::size_t list_page_max = 1000;
};

// Topics and what they are made with; all outlive the room.
struct ApiTopics {
  TopicDirectory& directory;
  DurableSubscriptions& subscriptions;
  Random& random;
};

class ApiRoom {
 public:
  ApiRoom(Hub& hub, Loop& loop, const ApiAccess& access, Identify identify, const ApiTopics& topics, ApiOptions options,
          ApiFacts facts);
  ~ApiRoom();
  ApiRoom(const ApiRoom&) = delete;
  ApiRoom& operator=(const ApiRoom&) = delete;

  void add_routes(Routes& routes);

 private:
  using Handler = void (ApiRoom::*)(ExchangePtr);
  // Of what users may do too, as far as the policy allows it to the one who asks.
  using UserHandler = void (ApiRoom::*)(ExchangePtr, const IdentityPtr& asker);
  struct Route;
  struct UserRoute;
  struct Gathering;
  static const Route kRoutes[];
  static const UserRoute kUserRoutes[];

  Result<IdentityPtr> asker(const Exchange& exchange) const;

  void publish(ExchangePtr exchange, const IdentityPtr& asker);
  void broadcast(ExchangePtr exchange, const IdentityPtr& asker);
  void batch(ExchangePtr exchange, const IdentityPtr& asker);
  void announce(ExchangePtr exchange);
  void read_history(ExchangePtr exchange, const IdentityPtr& asker);
  void remove_history(ExchangePtr exchange);
  void list_channels(ExchangePtr exchange);
  void show_channel(ExchangePtr exchange);
  void list_sessions(ExchangePtr exchange);
  void show_session(ExchangePtr exchange);
  void end_session(ExchangePtr exchange);
  void show_presence(ExchangePtr exchange, const IdentityPtr& asker);
  void show_presence_stats(ExchangePtr exchange, const IdentityPtr& asker);
  void close_channel(ExchangePtr exchange);
  void disconnect(ExchangePtr exchange);
  // api_topics.cc
  void list_topics(ExchangePtr exchange, const IdentityPtr& asker);
  void create_topic(ExchangePtr exchange, const IdentityPtr& asker);
  void show_topic(ExchangePtr exchange, const IdentityPtr& asker);
  void delete_topic(ExchangePtr exchange, const IdentityPtr& asker);
  // api_groups.cc
  void take_from_group(ExchangePtr exchange, const IdentityPtr& asker);
  void ack_in_group(ExchangePtr exchange, const IdentityPtr& asker);
  void nack_in_group(ExchangePtr exchange, const IdentityPtr& asker);
  void extend_in_group(ExchangePtr exchange, const IdentityPtr& asker);
  void list_groups(ExchangePtr exchange);
  void remove_group(ExchangePtr exchange);
  // api_nodes.cc
  void list_nodes(ExchangePtr exchange);
  void show_info(ExchangePtr exchange);
  void show_stats(ExchangePtr exchange);
  void show_openapi(ExchangePtr exchange);

  // The channel that `?channel=` names, if who asks may see its presence.
  Result<std::string> presence_channel(const Exchange& exchange, const Identity& asker) const;
  Result<void> may_use_group(const Identity& asker, const GroupName& name) const;
  void answer_take(std::uint64_t ticket, const GroupName& name, Result<std::vector<GroupDelivery>> outcome);
  void settle_in_group(ExchangePtr exchange, const Identity& asker, GroupSettle::Verb verb);
  void publish_each(ExchangePtr exchange, const IdentityPtr& asker, Result<std::vector<PublishReader::Item>> items);
  void take_outcome(std::uint64_t ticket, std::size_t index, const std::string& channel, const Result<Receipt>& outcome);
  static void finish(Gathering& gathering);
  void publish_draft(const IdentityPtr& asker, Draft draft, UniqueFunction<void(Result<Receipt>)> done);
  template <class Outcome, class Answer>
  auto answer_later(ExchangePtr exchange, Answer answer);
  void run_here(Task task);

  Hub& hub_;
  const ApiTopics topics_;
  Loop& loop_;
  const ApiAccess& access_;
  const ApiOptions options_;
  const ApiFacts facts_;
  const Identify identify_;
  const IdentityPtr trusted_;  // Everyone who passed the access check; the policy is asked about it.
  const std::string openapi_;
  PublishReader reader_;
  SteerReader steer_reader_;
  GroupReader group_reader_;
  boost::unordered_flat_map<std::uint64_t, ExchangePtr> parked_;
  boost::unordered_flat_map<std::uint64_t, std::unique_ptr<Gathering>> gatherings_;
  std::uint64_t last_ticket_ = 0;
};

// Parks the exchange. What is returned is called once, on any thread, with the outcome; `answer` then makes the response of
// it on the loop.
template <class Outcome, class Answer>
auto ApiRoom::answer_later(ExchangePtr exchange, Answer answer) {
  const std::uint64_t ticket = ++last_ticket_;
  parked_.emplace(ticket, std::move(exchange));
  return [this, ticket, answer = std::move(answer)](Outcome outcome) mutable {
    run_here([this, ticket, answer = std::move(answer), outcome = std::move(outcome)]() mutable {
      const auto found = parked_.find(ticket);
      const ExchangePtr parked = std::move(found->second);
      parked_.erase(found);
      parked->reply(answer(std::move(outcome)));
    });
  };
}

}  // namespace carillon
