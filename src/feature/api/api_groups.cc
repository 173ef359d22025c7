// The routes of the HTTP API for queue groups.
#include "feature/api/api_query.h"
#include "feature/api/api_room.h"
#include "protocol/http_error.h"
#include "protocol/native_channels.h"
#include "wire/json/json_writer.h"

namespace carillon {
namespace {

Error invalid(std::string text) {
  return {ErrorKind::kInvalid, std::move(text)};
}

std::vector<std::string> tokens_of(const std::vector<GroupDelivery>& deliveries) {
  std::vector<std::string> tokens;
  for (const GroupDelivery& delivery : deliveries) tokens.push_back(delivery.token);
  return tokens;
}

}  // namespace

Result<void> ApiRoom::may_use_group(const Identity& asker, const GroupName& name) const {
  return hub_.policy().may_subscribe(asker, {.kind = Selector::Kind::kExact, .base = name.channel});
}

// Waits as long as it was asked to; when the client goes or the server stops, what waits is answered with nothing.
void ApiRoom::take_from_group(ExchangePtr exchange, const IdentityPtr& asker) {
  Result<GroupReader::Take> asked = group_reader_.read_take(exchange->request().body);
  if (!asked) return exchange->reply(error_response(asked.error()));
  const GroupName name = asked->name;
  if (const Result<void> allowed = may_use_group(*asker, name); !allowed) {
    return exchange->reply(error_response(allowed.error()));
  }
  const std::uint64_t ticket = ++last_ticket_;
  parked_.emplace(ticket, std::move(exchange));
  QueueGroups::Take take{.name = name,
                         .wish = std::move(asked->request.wish),
                         .count = asked->request.count,
                         .wait = asked->request.wait,
                         .taken = [this, ticket, name](Result<std::vector<GroupDelivery>> outcome) {
                           run_here([this, ticket, name, outcome = std::move(outcome)]() mutable {
                             answer_take(ticket, name, std::move(outcome));
                           });
                         }};
  const GroupMember taker = hub_.groups().take(std::move(take));
  const auto parked = parked_.find(ticket);
  if (parked == parked_.end()) return;  // Refused already.
  Exchange& waiting = *parked->second;
  waiting.on_gone([this, name, taker] { hub_.groups().cancel(name, taker); });
  waiting.on_drain([this, name, taker] { hub_.groups().cancel(name, taker); });
}

// What could not be told is for others at once.
void ApiRoom::answer_take(std::uint64_t ticket, const GroupName& name, Result<std::vector<GroupDelivery>> outcome) {
  const auto found = parked_.find(ticket);
  const ExchangePtr parked = std::move(found->second);
  parked_.erase(found);
  if (!outcome) return parked->reply(error_response(outcome.error()));
  HttpResponse response = HttpResponse::json(200, taken_json(name, *outcome, options_.event_names));
  if (outcome->empty()) return parked->reply(std::move(response));
  parked->reply(std::move(response), [&hub = hub_, name, tokens = tokens_of(*outcome)](bool sent) mutable {
    if (sent) return;
    hub.groups().settle(name, {.verb = GroupSettle::Verb::kNack, .deliveries = std::move(tokens), .time = Millis(0)},
                        [](Result<GroupSettled>) {});
  });
}

void ApiRoom::ack_in_group(ExchangePtr exchange, const IdentityPtr& asker) {
  settle_in_group(std::move(exchange), *asker, GroupSettle::Verb::kAck);
}

void ApiRoom::nack_in_group(ExchangePtr exchange, const IdentityPtr& asker) {
  settle_in_group(std::move(exchange), *asker, GroupSettle::Verb::kNack);
}

void ApiRoom::extend_in_group(ExchangePtr exchange, const IdentityPtr& asker) {
  settle_in_group(std::move(exchange), *asker, GroupSettle::Verb::kExtend);
}

void ApiRoom::settle_in_group(ExchangePtr exchange, const Identity& asker, GroupSettle::Verb verb) {
  Result<GroupReader::Settle> asked = group_reader_.read_settle(exchange->request().body, verb);
  if (!asked) return exchange->reply(error_response(asked.error()));
  const GroupName name = asked->name;
  if (const Result<void> allowed = may_use_group(asker, name); !allowed) {
    return exchange->reply(error_response(allowed.error()));
  }
  auto answer = [name](Result<GroupSettled> settled) {
    if (!settled) return error_response(settled.error());
    if (settled->settled == 0) return error_response(not_in_flight());
    return HttpResponse::json(200, settled_json(name, *settled));
  };
  hub_.groups().settle(name, std::move(asked->settle),
                       answer_later<Result<GroupSettled>>(std::move(exchange), std::move(answer)));
}

void ApiRoom::list_groups(ExchangePtr exchange) {
  const HttpRequest& request = exchange->request();
  const Result<std::size_t> limit = read_limit(request, options_.list_page_max);
  if (!limit) return exchange->reply(error_response(limit.error()));
  std::string channel;
  if (const std::optional<std::string> asked = request.query_value("channel")) {
    Result<std::string> named = named_channel(*asked, options_.publish.channels);
    if (!named) return exchange->reply(error_response(named.error()));
    channel = *std::move(named);
  }
  std::optional<GroupName> after;
  if (const std::optional<std::string> asked = request.query_value("after")) {
    after = parse_group_place(*asked);
    if (!after) return exchange->reply(error_response(invalid("parameter `after` must be the `next` of a page")));
  }
  auto answer = [](Result<GroupPage> page) {
    return page ? HttpResponse::json(200, groups_json(*page)) : error_response(page.error());
  };
  hub_.groups().list(std::move(channel), std::move(after), *limit,
                     answer_later<Result<GroupPage>>(std::move(exchange), std::move(answer)));
}

void ApiRoom::remove_group(ExchangePtr exchange) {
  const HttpRequest& request = exchange->request();
  const Result<std::string> channel = named_channel(request.query_value("channel").value_or(""), options_.publish.channels);
  if (!channel) return exchange->reply(error_response(channel.error()));
  const GroupName name{.channel = *channel, .name = request.query_value("group").value_or("")};
  auto answer = [name](Result<void> outcome) {
    if (!outcome) return error_response(outcome.error());
    std::string body;
    JsonWriter writer(body);
    writer.begin_object().key("channel").string(name.channel).key("group").string(name.name);
    writer.key("removed").boolean(true).end_object();
    return HttpResponse::json(200, std::move(body));
  };
  hub_.groups().remove(name, answer_later<Result<void>>(std::move(exchange), std::move(answer)));
}

}  // namespace carillon
