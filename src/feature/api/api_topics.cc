// The routes of topics: channels that have a name.
#include "base/uuid_text.h"
#include "feature/api/api_query.h"
#include "feature/api/api_room.h"
#include "feature/api/body_fields.h"
#include "protocol/http_error.h"
#include "protocol/topic_json.h"
#include "wire/json/json_writer.h"

namespace carillon {
namespace {

constexpr std::size_t kSubscribersMax = 1000;  // Named of one topic.

Selector exact_selector(std::string channel) {
  return {.kind = Selector::Kind::kExact, .base = std::move(channel)};
}

Error no_topic(std::string_view id) {
  return {ErrorKind::kNotFound, "there is no topic " + std::string(id)};
}

std::string topics_json(const std::vector<Topic>& topics, std::size_t page_size) {
  std::string body = R"({"topics":[)";
  for (std::size_t i = 0; i < topics.size() && i < page_size; ++i) {
    if (i > 0) body += ',';
    append_topic_json(body, topics[i]);
  }
  body += ']';
  if (topics.size() > page_size) body += R"(,"next":")" + topics[page_size - 1].id.text() + '"';
  return body += '}';
}

// The topic's own members, and its subscribers.
std::string shown_topic_json(const Topic& topic, const std::vector<std::string>& subscribers) {
  std::string own;
  append_topic_json(own, topic);
  std::string body;
  JsonWriter json(body);
  json.begin_object().members(own).key("subscribers").begin_array();
  for (std::size_t i = 0; i < subscribers.size() && i < kSubscribersMax; ++i) json.string(subscribers[i]);
  json.end_array().key("more").boolean(subscribers.size() > kSubscribersMax).end_object();
  return body;
}

}  // namespace

void ApiRoom::list_topics(ExchangePtr exchange, const IdentityPtr& asker) {
  const HttpRequest& request = exchange->request();
  const Result<std::size_t> limit = read_limit(request, options_.list_page_max);
  if (!limit) return exchange->reply(error_response(limit.error()));
  const Result<void> allowed = hub_.policy().may_subscribe(*asker, exact_selector(std::string(kTopicsChannel)));
  if (!allowed) return exchange->reply(error_response(allowed.error()));
  const std::optional<std::string> after_text = request.query_value("after");
  const std::optional<Uuid> after = after_text ? parse_uuid(*after_text) : std::nullopt;
  if (after_text && !after) return exchange->reply(error_response({ErrorKind::kInvalid, "parameter `after` must be a UUID"}));
  auto answer = [limit = *limit](Result<std::vector<Topic>> topics) {
    return topics ? HttpResponse::json(200, topics_json(*topics, limit)) : error_response(topics.error());
  };
  topics_.directory.list(after, *limit + 1, answer_later<Result<std::vector<Topic>>>(std::move(exchange), std::move(answer)));
}

// {"name"}
void ApiRoom::create_topic(ExchangePtr exchange, const IdentityPtr& asker) {
  JsonSlicer slicer;
  const Result<JsonDocument> document = read_object(slicer, exchange->request().body);
  if (!document) return exchange->reply(error_response(document.error()));
  Result<std::string> name = find_text(*document, "name");
  if (!name) return exchange->reply(error_response(name.error()));
  const Uuid id = Uuid::random_v4(topics_.random);
  const Result<void> allowed = hub_.policy().may_publish(*asker, topic_channel(id));
  if (!allowed) return exchange->reply(error_response(allowed.error()));
  auto answer = [](Result<Topic> topic) {
    if (!topic) return error_response(topic.error());
    std::string body;
    append_topic_json(body, *topic);
    return HttpResponse::json(201, std::move(body));
  };
  topics_.directory.create({.id = id, .name = *std::move(name), .creator = asker->user.empty() ? "api" : asker->user},
                           answer_later<Result<Topic>>(std::move(exchange), std::move(answer)));
}

void ApiRoom::show_topic(ExchangePtr exchange, const IdentityPtr& asker) {
  const std::string text(exchange->path_value("id"));
  const std::optional<Uuid> id = parse_uuid(text);
  if (!id) return exchange->reply(error_response(no_topic(text)));
  const Result<void> allowed = hub_.policy().may_subscribe(*asker, exact_selector(topic_channel(*id)));
  if (!allowed) return exchange->reply(error_response(allowed.error()));
  using Shown = Result<std::pair<Topic, std::vector<std::string>>>;
  auto answer = [](Shown shown) {
    return shown ? HttpResponse::json(200, shown_topic_json(shown->first, shown->second)) : error_response(shown.error());
  };
  auto done = answer_later<Shown>(std::move(exchange), std::move(answer));
  topics_.directory.read(*id, [this, text, done = std::move(done)](Result<std::optional<Topic>> topic) mutable {
    if (!topic) return done(topic.error());
    if (!*topic) return done(no_topic(text));
    topics_.subscriptions.subscribers(
        topic_channel((*topic)->id), {}, kSubscribersMax + 1,
        [topic = **topic, done = std::move(done)](Result<std::vector<std::string>> subscribers) mutable {
          if (!subscribers) return done(subscribers.error());
          done(std::pair(std::move(topic), *std::move(subscribers)));
        });
  });
}

// Who made it, and who may use all of the API.
void ApiRoom::delete_topic(ExchangePtr exchange, const IdentityPtr& asker) {
  const std::string text(exchange->path_value("id"));
  const std::optional<Uuid> id = parse_uuid(text);
  if (!id) return exchange->reply(error_response(no_topic(text)));
  auto answer = [text](Result<bool> removed) {
    if (!removed) return error_response(removed.error());
    if (!*removed) return error_response(no_topic(text));
    std::string body;
    JsonWriter(body).begin_object().key("id").string(text).key("removed").boolean(true).end_object();
    return HttpResponse::json(200, std::move(body));
  };
  auto done = answer_later<Result<bool>>(std::move(exchange), std::move(answer));
  topics_.directory.read(*id, [this, id = *id, asker, done = std::move(done)](Result<std::optional<Topic>> topic) mutable {
    if (!topic) return done(topic.error());
    if (!*topic) return done(false);
    if (!asker->trusted && (*topic)->creator != asker->user) {
      return done(Error{ErrorKind::kForbidden, "only who created a topic may delete it, or who shows the API key"});
    }
    topics_.directory.remove(loop_, id, std::move(done));
  });
}

}  // namespace carillon
