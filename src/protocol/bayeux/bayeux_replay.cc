#include "protocol/bayeux/bayeux_replay.h"

#include <algorithm>

#include "hub/position_text.h"
#include "wire/json/json_slicer.h"
#include "wire/json/json_writer.h"

namespace carillon {
namespace {

const Error kWrong{ErrorKind::kInvalid, R"(replay must be {"<subscription>":{"<channel>":"<epoch>:<offset>"}})"};

Result<ChannelPosition> read_position(std::string_view channel, const JsonSpan& value, BayeuxAlphabet alphabet) {
  Result<std::string> name = canonical_of_bayeux(channel, alphabet);
  const std::optional<std::string> text = decode_json_string(value.text);
  const std::optional<Position> position = text ? parse_position_text(*text) : std::nullopt;
  if (!name || !position) return kWrong;
  return ChannelPosition{.channel = *std::move(name), .position = *position};
}

Result<std::vector<ChannelPosition>> read_positions(std::string_view subscription, const JsonSpan& value,
                                                    BayeuxAlphabet alphabet) {
  std::vector<ChannelPosition> positions;
  const auto take = [&](std::string_view channel, const JsonSpan& text) -> Result<void> {
    Result<ChannelPosition> position = read_position(channel, text, alphabet);
    if (!position) return position.error();
    positions.push_back(*std::move(position));
    return {};
  };
  if (value.type == JsonType::kString) {
    if (const Result<void> taken = take(subscription, value); !taken) return taken.error();
    return positions;
  }
  JsonSlicer slicer;
  const Result<JsonDocument> document = slicer.slice(value.text);
  if (!document || document->root.type != JsonType::kObject) return kWrong;
  for (const JsonMember& member : document->members) {
    if (const Result<void> taken = take(member.key, member.value); !taken) return taken.error();
  }
  return positions;
}

}  // namespace

// Of a name that comes twice the last counts.
std::optional<std::vector<ChannelPosition>> BayeuxReplayWishes::of(std::string_view subscription) const {
  const auto fits = [&](const Wish& wish) { return wish.subscription == subscription; };
  const auto found = std::find_if(wishes_.rbegin(), wishes_.rend(), fits);
  if (found == wishes_.rend()) return std::nullopt;
  return found->positions;
}

Result<BayeuxReplayWishes> read_bayeux_replay(std::string_view ext_json, BayeuxAlphabet alphabet) {
  BayeuxReplayWishes wishes;
  if (ext_json.empty()) return wishes;
  JsonSlicer ext_slicer, replay_slicer;
  const Result<JsonDocument> ext = ext_slicer.slice(ext_json);
  const JsonSpan* const replay = ext ? ext->find("replay") : nullptr;
  if (replay == nullptr || replay->type == JsonType::kNull) return wishes;
  const Result<JsonDocument> subscriptions = replay_slicer.slice(replay->text);
  if (!subscriptions || subscriptions->root.type != JsonType::kObject) return kWrong;
  std::size_t count = subscriptions->members.size();
  for (const JsonMember& member : subscriptions->members) {
    if (member.value.type == JsonType::kNull) continue;
    Result<std::vector<ChannelPosition>> positions = read_positions(member.key, member.value, alphabet);
    if (!positions) return positions.error();
    count += positions->size();
    if (count > kBayeuxReplayPositionsMax) return Error{ErrorKind::kTooLarge, "too many positions"};
    wishes.wishes_.push_back({std::string(member.key), *std::move(positions)});
  }
  return wishes;
}

std::string bayeux_replay_reply(std::span<const BayeuxReplayed> subscriptions, BayeuxAlphabet alphabet) {
  std::string out;
  JsonWriter json(out);
  json.begin_object().key("replay").begin_object();
  for (const BayeuxReplayed& replayed : subscriptions) {
    json.key(replayed.subscription).begin_object().key("recovered").boolean(replayed.recovered);
    json.key("positions").begin_object();
    for (const auto& [channel, position] : replayed.positions) {
      json.key(bayeux_of_canonical(channel, alphabet)).string(position_text(position));
    }
    json.end_object().end_object();
  }
  json.end_object().end_object();
  return out;
}

std::string bayeux_lost(std::span<const Gap> gaps, BayeuxAlphabet alphabet) {
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  for (const Gap& gap : gaps) {
    json.key(gap.channel.empty() ? std::string() : bayeux_of_canonical(gap.channel, alphabet)).number(gap.messages);
  }
  json.end_object();
  return out;
}

}  // namespace carillon
