#include "client/subscriber_talk.h"

#include <fmt/core.h>

#include <algorithm>

#include "wire/json/json_slicer.h"
#include "wire/json/json_writer.h"

namespace carillon {
namespace {

using Kind = SubscriberTalk::Outcome::Kind;

constexpr JsonSlicer::Options kMessageJson{.depth_max = 1024, .entries_max = 1'000'000};

// The fields of one JSON object, by name. What is absent or of another type is nothing.
class Fields {
 public:
  explicit Fields(std::string_view object) : slicer_(kMessageJson), document_(slicer_.slice(object)) {}

  const JsonSpan* find(std::string_view name) const { return document_ ? document_->find(name) : nullptr; }
  std::optional<std::string> text(std::string_view name) const {
    const JsonSpan* span = find(name);
    return span == nullptr ? std::nullopt : decode_json_string(span->text);
  }
  std::optional<std::uint64_t> number(std::string_view name) const {
    const JsonSpan* span = find(name);
    return span == nullptr ? std::nullopt : json_u64(span->text);
  }
  std::optional<ClientPosition> position() const {
    std::optional<std::string> epoch = text("epoch");
    const std::optional<std::uint64_t> offset = number("offset");
    if (!epoch || !offset) return std::nullopt;
    return ClientPosition{*std::move(epoch), *offset};
  }
  std::span<const JsonMember> members() const { return document_ ? document_->members : std::span<const JsonMember>(); }

 private:
  JsonSlicer slicer_;
  Result<JsonDocument> document_;
};

void write_position(JsonWriter& writer, const ClientPosition& position) {
  writer.begin_object();
  writer.key("epoch").string(position.epoch);
  writer.key("offset").number(position.offset);
  writer.end_object();
}

// Where a `subscribed` says its channels stand: the subscribed one beside its name, those below it under `positions`.
std::vector<std::pair<std::string, ClientPosition>> told_positions(const Fields& answer, const std::string& channel) {
  std::vector<std::pair<std::string, ClientPosition>> told;
  if (std::optional<ClientPosition> position = answer.position()) told.emplace_back(channel, *std::move(position));
  const JsonSpan* others = answer.find("positions");
  if (others == nullptr || others->type != JsonType::kObject) return told;
  const Fields listed(others->text);
  for (const JsonMember& member : listed.members()) {
    if (std::optional<ClientPosition> position = Fields(member.value.text).position()) {
      told.emplace_back(std::string(member.key), *std::move(position));
    }
  }
  return told;
}

// A line for each meta of the object under `field`: {"type":`kind`,"channel":…,"key":…,"ref":…,…}.
std::string present_lines(std::string_view message, std::string_view field, std::string_view kind) {
  const Fields told(message);
  const std::string channel = told.text("channel").value_or("");
  const JsonSpan* const entries = told.find(field);
  std::string lines;
  if (entries == nullptr) return lines;
  JsonSlicer list_slicer(kMessageJson);
  const Fields keys(entries->text);
  for (const JsonMember& entry : keys.members()) {
    const Fields holder(entry.value.text);
    const JsonSpan* const metas = holder.find("metas");
    const Result<JsonDocument> list = list_slicer.slice(metas == nullptr ? std::string_view("[]") : metas->text);
    if (!list) continue;
    for (const JsonSpan& meta : list->items) {
      if (meta.type != JsonType::kObject) continue;
      std::string line;
      JsonWriter writer(line);
      writer.begin_object().key("type").string(kind).key("channel").string(channel).key("key").string(entry.key);
      writer.members(meta.text).end_object();
      lines += one_line(line) + '\n';
    }
  }
  return lines;
}

}  // namespace

// A channel is heard through itself, through what it lies below (hub/channel_name.h), and through `all`.
bool SubscriberTalk::Subscription::hears(std::string_view event_channel) const {
  if (channel == "all" || event_channel == channel) return true;
  return event_channel.starts_with(channel) && event_channel[channel.size()] == '/';
}

SubscriberTalk::SubscriberTalk(SubscriberStart start)
    : presence_(start.presence), group_(std::move(start.group)), first_recover_(std::move(start.recover)) {
  for (std::string& channel : start.channels) {
    Subscription subscription;
    subscription.channel = std::move(channel);
    subscription.recovering = start.since_beginning;
    subscriptions_.push_back(std::move(subscription));
  }
}

std::vector<std::string> SubscriberTalk::on_connected() {
  std::vector<std::string> commands;
  for (std::size_t i = 0; i < subscriptions_.size(); ++i) {
    subscriptions_[i].confirmed = false;
    commands.push_back(group_ ? join_command(subscriptions_[i], i) : subscribe_command(subscriptions_[i], i));
  }
  return commands;
}

std::string SubscriberTalk::join_command(const Subscription& subscription, std::size_t index) const {
  std::string command;
  JsonWriter writer(command);
  writer.begin_object().key("type").string("subscribe").key("channel").string(subscription.channel).key("id").number(index);
  writer.key("group").string(group_->name);
  if (first_recover_) {
    writer.key("start");
    write_position(writer, *first_recover_);
  } else if (subscription.recovering) {
    writer.key("start").string("beginning");
  }
  if (group_->in_flight) writer.key("in_flight").number(*group_->in_flight);
  if (group_->visibility_ms) writer.key("visibility_ms").number(*group_->visibility_ms);
  if (group_->deliveries_max) writer.key("deliveries_max").number(*group_->deliveries_max);
  if (!group_->dead_letter.empty()) writer.key("dead_letter").string(group_->dead_letter);
  writer.end_object();
  return command;
}

// The group knows what is to be repeated: no position is kept here.
SubscriberTalk::Outcome SubscriberTalk::on_delivery(std::string_view message) const {
  Outcome outcome{Kind::kEvent, one_line(message), {}};
  const Fields event(message);
  const std::optional<std::string> channel = event.text("channel");
  const std::optional<std::string> delivery = event.text("delivery");
  if (!group_->acknowledge || !channel || !delivery) return outcome;
  JsonWriter writer(outcome.reply);
  writer.begin_object().key("type").string("ack").key("channel").string(*channel).key("group").string(group_->name);
  writer.key("delivery").string(*delivery).end_object();
  return outcome;
}

std::string SubscriberTalk::subscribe_command(const Subscription& subscription, std::size_t index) const {
  std::string command;
  JsonWriter writer(command);
  writer.begin_object();
  writer.key("type").string("subscribe");
  writer.key("channel").string(subscription.channel);
  writer.key("id").number(index);
  if (first_recover_) {
    writer.key("recover");
    write_position(writer, *first_recover_);
  } else if (subscription.recovering) {
    writer.key("recover").begin_object();
    writer.key("positions").begin_object();
    for (const auto& [channel, position] : subscription.positions) {
      writer.key(channel);
      write_position(writer, position);
    }
    writer.end_object().end_object();
  }
  if (presence_) writer.key("presence").begin_object().key("join").boolean(false).end_object();
  writer.end_object();
  return command;
}

SubscriberTalk::Outcome SubscriberTalk::on_message(std::string_view message) {
  const std::optional<std::string> type = Fields(message).text("type");
  if (!type) return {Kind::kNotice, "the server says: " + one_line(message)};  // An announcement may be any text.
  if (*type == "event") return group_ ? on_delivery(message) : on_event(message);
  if (*type == "subscribed") return on_subscribed(message);
  if (*type == "error") return on_error(message);
  if (*type == "unsubscribed") return on_ended(message);
  if (*type == "presence_state") return {Kind::kPresence, present_lines(message, "presence", "present")};
  if (*type == "presence_diff") {
    // Who only changed leaves and joins: the other way round it would seem to be gone.
    return {Kind::kPresence, present_lines(message, "leaves", "leave") + present_lines(message, "joins", "join")};
  }
  if (*type == "presence_stats") return {Kind::kPresence, one_line(message) + '\n'};
  if (*type == "gap") {
    const Fields gap(message);
    return {Kind::kNotice, fmt::format("{}: {} events were lost, because this program reads too slowly",
                                       gap.text("channel").value_or("?"), gap.number("missed").value_or(0))};
  }
  return {};
}

SubscriberTalk::Outcome SubscriberTalk::on_subscribed(std::string_view message) {
  const Fields answer(message);
  const std::optional<std::uint64_t> index = answer.number("id");
  if (!index || *index >= subscriptions_.size()) return {};
  Subscription& subscription = subscriptions_[*index];
  subscription.confirmed = true;
  if (group_) return {};

  const JsonSpan* recovered = answer.find("recovered");
  const bool asked = subscription.recovering || first_recover_.has_value();
  const bool failed = asked && (recovered == nullptr || recovered->type != JsonType::kTrue);
  if (first_recover_ && !failed) subscription.positions.emplace(subscription.channel, *first_recover_);
  for (auto& [channel, position] : told_positions(answer, subscription.channel)) {
    if (subscription.positions.size() >= kPositionsMax) break;
    if (!asked) {
      subscription.positions.insert_or_assign(channel, std::move(position));
    } else if (failed) {
      const auto known = subscription.positions.find(channel);
      if (known != subscription.positions.end() && known->second.epoch == position.epoch) continue;
      subscription.positions.insert_or_assign(channel, ClientPosition{std::move(position.epoch), 0});
    }
  }
  subscription.recovering = true;
  first_recover_.reset();
  if (!failed) return {};
  return {Kind::kNotice, fmt::format("{}: some events could not be recovered", subscription.channel)};
}

SubscriberTalk::Outcome SubscriberTalk::on_event(std::string_view message) {
  const Fields event(message);
  const std::optional<std::string> channel = event.text("channel");
  const std::optional<ClientPosition> position = event.position();
  if (channel && position && !move_on(*channel, *position)) return {};
  return {Kind::kEvent, one_line(message)};
}

// Takes a position over; false when every subscription that hears the channel has been there already, as when two of them
// recover the same events.
bool SubscriberTalk::move_on(std::string_view channel, const ClientPosition& position) {
  bool heard_by_any = false;
  bool news = false;
  for (Subscription& subscription : subscriptions_) {
    if (!subscription.hears(channel)) continue;
    heard_by_any = true;
    const auto known = subscription.positions.find(channel);
    if (known == subscription.positions.end()) {
      news = true;
      if (subscription.positions.size() < kPositionsMax) subscription.positions.emplace(channel, position);
    } else if (known->second.epoch != position.epoch || known->second.offset < position.offset) {
      news = true;
      known->second = position;
    }
  }
  return news || !heard_by_any;
}

SubscriberTalk::Outcome SubscriberTalk::on_error(std::string_view message) {
  const Fields error(message);
  const std::string text = error.text("message").value_or("the server refused, and did not say why");
  const std::optional<std::uint64_t> index = error.number("id");
  if (!index || *index >= subscriptions_.size()) return {Kind::kNotice, text};
  const bool later = error.text("code") == "unavailable";
  return {later ? Kind::kLater : Kind::kRefused, fmt::format("{}: {}", subscriptions_[*index].channel, text)};
}

// Not by us, who never unsubscribe: the server closed the channel.
SubscriberTalk::Outcome SubscriberTalk::on_ended(std::string_view message) {
  const Fields ended(message);
  const JsonSpan* const crashed = ended.find("crashed");
  const bool later = crashed != nullptr && crashed->type == JsonType::kTrue;
  return {later ? Kind::kLater : Kind::kRefused,
          fmt::format("{}: the server ended the subscription: {}", ended.text("channel").value_or("?"),
                      ended.text("reason").value_or(""))};
}

bool SubscriberTalk::all_confirmed() const {
  return std::all_of(subscriptions_.begin(), subscriptions_.end(), [](const auto& each) { return each.confirmed; });
}

}  // namespace carillon
