// ApiRoom's nodes: the servers that share the channels, and their figures together.
#include <simdjson.h>

#include "feature/api/api_answers.h"
#include "feature/api/api_room.h"
#include "protocol/http_error.h"
#include "wire/json/json_writer.h"

namespace carillon {
namespace {

constexpr const char* kFigures[] = {"current_connections", "total_connections", "total_subscriptions", "total_events"};

// What a node said of itself; one that has not said anything yet, or runs another version, has no figures.
using Figures = std::array<std::uint64_t, std::size(kFigures)>;
Figures figures_of(simdjson::dom::parser& parser, const std::string& stats) {
  Figures figures{};
  simdjson::dom::object object;
  if (parser.parse(stats).get_object().get(object) != simdjson::SUCCESS) return figures;
  for (std::size_t i = 0; i < figures.size(); ++i) {
    std::uint64_t number = 0;
    if (object[kFigures[i]].get_uint64().get(number) == simdjson::SUCCESS) figures[i] = number;
  }
  return figures;
}

void write_figures(JsonWriter& json, const Figures& figures) {
  json.begin_object();
  for (std::size_t i = 0; i < figures.size(); ++i) json.key(kFigures[i]).number(figures[i]);
  json.end_object();
}

std::string nodes_json(const std::vector<NodeRecord>& nodes, const std::string& self) {
  std::string body;
  JsonWriter json(body);
  simdjson::dom::parser parser;
  Figures totals{};
  json.begin_object().key("nodes").begin_array();
  for (const NodeRecord& node : nodes) {
    const Figures figures = figures_of(parser, node.stats);
    json.begin_object().key("name").string(node.name).key("number").number(node.number).key("address").string(node.address);
    json.key("started_at_ms").number(node.started_at_ms).key("this").boolean(node.name == self).key("stats");
    write_figures(json, figures);
    json.end_object();
    for (std::size_t i = 0; i < totals.size(); ++i) totals[i] += figures[i];
  }
  json.end_array().key("totals");
  write_figures(json, totals);
  json.end_object();
  return body;
}

}  // namespace

void ApiRoom::list_nodes(ExchangePtr exchange) {
  NodeDirectory* const directory = hub_.engine().nodes();
  if (directory == nullptr) {
    const NodeRecord alone{
        .name = "", .number = 0, .address = "", .started_at_ms = facts_.started_unix_ms, .stats = stats_json(hub_.stats())};
    return exchange->reply(HttpResponse::json(200, nodes_json({alone}, "")));
  }
  auto answer = [self = directory->self().name](const Result<std::vector<NodeRecord>>& nodes) {
    return nodes ? HttpResponse::json(200, nodes_json(*nodes, self)) : error_response(nodes.error());
  };
  directory->list(answer_later<Result<std::vector<NodeRecord>>>(std::move(exchange), std::move(answer)));
}

}  // namespace carillon
