#include "engine/redis/redis_groups.h"

#include <algorithm>
#include <charconv>
#include <memory>
#include <utility>

#include "base/log.h"
#include "engine/redis/redis_failure.h"
#include "engine/redis/redis_group_scripts.h"
#include "hub/group_keeper.h"
#include "hub/group_listing.h"

namespace carillon {
namespace {

Error unreadable() {
  return {ErrorKind::kCorrupt, "Redis answered what was asked of a queue group with something else"};
}

// Reads a script's answer word by word; a fault stays.
class Words {
 public:
  explicit Words(const RespValue::Array& words) : words_(words) {}
  std::string text() {
    const std::string* const word = at_ < words_.size() ? words_[at_].text() : nullptr;
    ++at_;
    if (word == nullptr) fine_ = false;
    return word == nullptr ? std::string() : *word;
  }
  template <class Number>
  void read(Number& number) {
    const std::string word = text();
    const auto [end, fault] = std::from_chars(word.data(), word.data() + word.size(), number);
    if (fault != std::errc() || end != word.data() + word.size()) fine_ = false;
  }
  const RespValue& value() {
    static const RespValue nothing;
    if (at_ < words_.size()) return words_[at_++];
    fine_ = false;
    return nothing;
  }
  bool fine() const { return fine_; }

 private:
  const RespValue::Array& words_;
  std::size_t at_ = 0;
  bool fine_ = true;
};

void read_settings(Words& words, GroupSettings& settings) {
  std::int64_t visibility = 0;
  words.read(visibility);
  settings.visibility = Millis(visibility);
  words.read(settings.deliveries_max);
  settings.dead_letter = words.text();
}

Result<GroupState> state_in(const GroupName& name, const RespValue::Array& reply) {
  Words words(reply);
  GroupState state;
  state.info.name = name;
  state.created = words.text() == "created";
  words.read(state.generation);
  words.read(state.info.cursor.epoch);
  words.read(state.info.cursor.offset);
  words.read(state.info.lag);
  words.read(state.info.in_flight);
  words.read(state.info.members);
  read_settings(words, state.info.settings);
  QueueGroup::Totals& totals = state.info.totals;
  for (std::uint64_t* total : {&totals.delivered, &totals.redelivered, &totals.acked, &totals.dead, &totals.lost}) {
    words.read(*total);
  }
  if (!words.fine()) return unreadable();
  return state;
}

ReturnReason reason_of(std::string_view name) {
  for (const ReturnReason reason : {ReturnReason::kNacked, ReturnReason::kMemberLeft}) {
    if (name == return_reason_name(reason)) return reason;
  }
  return ReturnReason::kTimedOut;
}

const char* verb_of(GroupSettle::Verb verb) {
  switch (verb) {
    case GroupSettle::Verb::kAck: return "ack";
    case GroupSettle::Verb::kNack: return "nack";
    case GroupSettle::Verb::kExtend: return "extend";
  }
  return "";
}

const char* verb_of(GroupReturn how) {
  switch (how) {
    case GroupReturn::kLeft: return "left";
    case GroupReturn::kUndone: return "undo";
    case GroupReturn::kBuried: return "bury";
  }
  return "";
}

}  // namespace

RedisGroups::RedisGroups(RedisParts& parts) : parts_(parts), inbox_(parts.loop) {}

// --- What the nodes tell each other

void RedisGroups::hear(const GroupName& name) {
  inbox_.put([this, channel = name.channel] {
    if (++heard_[channel] > 1) return;
    // What is missed until then is found when its time has come.
    parts_.client.subscribe(parts_.keys.group_news(channel), *this, [](const Result<void>&) {});
  });
}

void RedisGroups::unhear(const GroupName& name) {
  inbox_.put([this, channel = name.channel] {
    const auto heard = heard_.find(channel);
    if (--heard->second > 0) return;
    heard_.erase(heard);
    parts_.client.unsubscribe(parts_.keys.group_news(channel), *this);
  });
}

// "return <ms> <group>", "removed <generation> <group>", "settled <generation> <offset> <attempt> <group>".
void RedisGroups::on_message(std::size_t, std::string_view channel, std::string_view message) {
  std::optional<std::string> name = parts_.keys.channel_of_group_news(channel);
  if (!name || events_ == nullptr) return;
  bool fine = true;
  const auto word = [&message, &fine] {
    const std::size_t space = std::min(message.find(' '), message.size());
    const std::string_view taken = message.substr(0, space);
    fine = fine && space < message.size();
    message.remove_prefix(std::min(space + 1, message.size()));
    return taken;
  };
  const auto read = [&](auto& number) {
    const std::string_view text = word();
    const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), number);
    fine = fine && fault == std::errc() && end == text.data() + text.size();
  };
  const std::string_view verb = word();
  std::uint64_t number = 0;
  DeliveryToken token;
  read(number);
  if (verb == "settled") {
    token.generation = number;
    read(token.offset);
    read(token.attempt);
  }
  if (!fine) return;
  const GroupName group{.channel = *std::move(name), .name = std::string(message)};
  if (verb == "settled") return events_->on_group_settled(group, token);
  if (verb == "removed") return events_->on_group_removed(group, number);
  const std::uint64_t most = kGroupVisibilityMax.count();
  if (verb == "return") events_->on_group_return(group, Millis(std::min(number, most)));
}

// --- Calls

void RedisGroups::run(const RedisScript& script, const GroupName& name, std::vector<std::string> arguments, Replied replied) {
  const RedisKeys& keys = parts_.keys;
  arguments.insert(arguments.begin(), {name.name, parts_.writer.node});
  const std::vector<std::string> of_group{keys.stream(name.channel), keys.group(name.channel, name.name),
                                          keys.group_members(name.channel, name.name)};
  parts_.client.run(script, of_group, std::move(arguments),
                    [name, replied = std::move(replied)](Result<RespValue> reply) mutable {
                      if (reply && reply->error() != nullptr && reply->error()->text.starts_with("CORRUPT")) {
                        return replied(Error{ErrorKind::kCorrupt, "the stored state of a queue group is damaged"});
                      }
                      // An answer holds entries, which are no errors of Redis.
                      if (reply && reply->array() != nullptr) {
                        const RespValue::Array& words = *reply->array();
                        if (words.empty() || words[0].text() == nullptr) return replied(unreadable());
                        return replied(std::move(std::get<RespValue::Array>(reply->value)));
                      }
                      const std::optional<Error> failure = redis_failure(reply);
                      replied(failure ? *failure : unreadable());
                    });
}

void RedisGroups::open(GroupName name, std::optional<GroupBeginning> beginning, UniqueFunction<void(Result<GroupState>)> done) {
  inbox_.put([this, name = std::move(name), beginning = std::move(beginning),
              answer = RedisAnswer<GroupState>(std::move(done))]() mutable {
    open_here(std::move(name), std::move(beginning), std::move(answer));
  });
}

// The name is in the set before the group is there, and once more after it, lest a listing that found none has taken it out.
void RedisGroups::open_here(GroupName name, std::optional<GroupBeginning> beginning, RedisAnswer<GroupState> answer) {
  if (!beginning) return ask_state(name, beginning, std::move(answer));
  const std::string key = parts_.keys.groups();
  parts_.client.send(key, RespCommand{"ZADD", key, "0", group_key(name)},
                     guard_.wrap([this, name, beginning, answer = std::move(answer)](Result<RespValue> reply) mutable {
                       if (const auto failure = redis_failure(reply)) return answer(*failure);
                       ask_state(name, beginning, std::move(answer));
                     }));
}

void RedisGroups::ask_state(const GroupName& name, const std::optional<GroupBeginning>& beginning,
                            RedisAnswer<GroupState> answer) {
  std::vector<std::string> arguments{std::to_string(kGroupMembersLease.count()), "", "", "", ""};
  if (beginning) {
    const GroupSettings& settings = beginning->settings;
    arguments = {std::move(arguments[0]), redis_position(beginning->cursor), std::to_string(settings.visibility.count()),
                 std::to_string(settings.deliveries_max), settings.dead_letter};
  }
  run(redis_group_scripts::open(), name, std::move(arguments),
      guard_.wrap([this, name, answer = std::move(answer)](Result<RespValue::Array> words) mutable {
        if (!words) return answer(words.error());
        if (*(*words)[0].text() == "gone") return answer(no_group(name));
        Result<GroupState> state = state_in(name, *words);
        if (state && state->created) index(name, true);
        answer(std::move(state));
      }));
}

void RedisGroups::index(const GroupName& name, bool there) {
  const std::string key = parts_.keys.groups();
  const std::string member = group_key(name);
  const auto ignored = [](const Result<RespValue>&) {};  // A listing puts it right.
  parts_.client.send(key, there ? RespCommand{"ZADD", key, "0", member} : RespCommand{"ZREM", key, member}, ignored);
}

void RedisGroups::fetch(GroupFetch fetch, UniqueFunction<void(Result<GroupFetched>)> done) {
  inbox_.put([this, fetch = std::move(fetch), answer = RedisAnswer<GroupFetched>(std::move(done))]() mutable {
    run(redis_group_scripts::fetch(), fetch.name,
        {std::to_string(kGroupMembersLease.count()), fetch.members ? std::to_string(*fetch.members) : std::string(),
         std::to_string(fetch.room), fetch.look ? "1" : "0", std::to_string(fetch.top.epoch), std::to_string(fetch.top.offset),
         fetch.verify ? "1" : "0"},
        guard_.wrap([this, name = fetch.name, answer = std::move(answer)](Result<RespValue::Array> words) mutable {
          if (!words) return answer(words.error());
          if (*(*words)[0].text() != "gone") return answer(read_fetched(name, *words));
          const bool forgotten = words->size() > 1 && (*words)[1].text() != nullptr && *(*words)[1].text() == "forgotten";
          if (!forgotten) return answer(no_group(name));
          GroupFetched fetched;
          fetched.forgotten = true;
          answer(std::move(fetched));
        }));
  });
}

// Entries that nobody can read are settled as lost, or they would come back for ever.
Result<GroupFetched> RedisGroups::read_fetched(const GroupName& name, const RespValue::Array& reply) {
  Words words(reply);
  GroupFetched fetched;
  words.text();
  words.read(fetched.generation);
  words.read(fetched.epoch);
  read_settings(words, fetched.settings);
  words.read(fetched.lost);
  fetched.returned_left = words.text() == "1";
  fetched.unsettled_full = words.text() == "1";
  const RespValue::Array* const given = words.value().array();
  const RespValue::Array* const dead = words.value().array();
  if (!words.fine() || given == nullptr || dead == nullptr) return unreadable();

  std::vector<DeliveryToken> unread;
  const auto read_entry = [&](Words& entries) -> std::pair<PublicationPtr, DeliveryToken> {
    const RespValue& entry = entries.value();
    DeliveryToken token{.generation = fetched.generation, .offset = 0, .attempt = 0};
    entries.read(token.attempt);
    PublicationPtr publication = read_stream_entry(name.channel, entry, parts_.writer);
    if (const std::optional<Position> position = stream_entry_position(entry)) token.offset = position->offset;
    if (publication == nullptr) unread.push_back(token);
    return {std::move(publication), token};
  };
  Words deliveries(*given);
  for (std::size_t i = 0; i + 1 < given->size(); i += 2) {
    auto [publication, token] = read_entry(deliveries);
    if (publication != nullptr) fetched.deliveries.push_back({std::move(publication), token, fetched.settings.visibility});
  }
  Words dying(*dead);
  for (std::size_t i = 0; i + 2 < dead->size(); i += 3) {
    auto [publication, token] = read_entry(dying);
    const ReturnReason reason = reason_of(dying.text());
    if (publication != nullptr) fetched.dead.push_back({std::move(publication), token, reason});
  }
  if (!deliveries.fine() || !dying.fine()) return unreadable();
  if (!unread.empty()) {
    log_warning("queue group: entries of the channel's stream cannot be read: channel={} group={} entries={} first={}",
                name.channel, name.name, unread.size(), unread.front().offset);
    fetched.lost += unread.size();
    end_deliveries(name, "lose", Millis(0), unread, [](const Result<std::string>&) {});
  }
  return fetched;
}

void RedisGroups::end_deliveries(const GroupName& name, std::string_view verb, Millis time,
                                 const std::vector<DeliveryToken>& deliveries, UniqueFunction<void(Result<std::string>)> done) {
  std::vector<std::string> arguments{std::string(verb), std::to_string(time.count()), parts_.keys.group_news(name.channel)};
  for (const DeliveryToken& token : deliveries) {
    for (const std::uint64_t number : {token.generation, token.offset, std::uint64_t{token.attempt}}) {
      arguments.push_back(std::to_string(number));
    }
  }
  run(redis_group_scripts::settle(), name, std::move(arguments),
      [name, count = deliveries.size(), done = std::move(done)](Result<RespValue::Array> words) mutable {
        if (!words) return done(words.error());
        if (*(*words)[0].text() == "gone") return done(no_group(name));
        const std::string* const counted = words->size() > 1 ? (*words)[1].text() : nullptr;
        if (counted == nullptr || counted->size() != count) return done(unreadable());
        done(*counted);
      });
}

void RedisGroups::settle(GroupName name, GroupSettle settle, UniqueFunction<void(Result<GroupSettled>)> done) {
  inbox_.put([this, name = std::move(name), settle = std::move(settle),
              answer = RedisAnswer<GroupSettled>(std::move(done))]() mutable {
    std::vector<DeliveryToken> tokens;
    for (const std::string& text : settle.deliveries) tokens.push_back(parse_token(text).value_or(DeliveryToken{}));
    const bool own_time = settle.verb == GroupSettle::Verb::kExtend && !settle.time;
    const Millis time = own_time ? Millis(-1) : settle.time.value_or(Millis(0));
    end_deliveries(name, verb_of(settle.verb), time, tokens,
                   [settle = std::move(settle), answer = std::move(answer)](Result<std::string> counted) mutable {
                     if (!counted) return answer(counted.error());
                     GroupSettled settled;
                     for (std::size_t i = 0; i < counted->size(); ++i) {
                       if ((*counted)[i] == '1') {
                         ++settled.settled;
                       } else {
                         settled.refused.push_back(std::move(settle.deliveries[i]));
                       }
                     }
                     answer(std::move(settled));
                   });
  });
}

void RedisGroups::give_back(GroupName name, GroupReturn how, std::vector<DeliveryToken> deliveries,
                            UniqueFunction<void(Result<std::size_t>)> done) {
  inbox_.put([this, name = std::move(name), how, deliveries = std::move(deliveries),
              answer = RedisAnswer<std::size_t>(std::move(done))]() mutable {
    end_deliveries(name, verb_of(how), Millis(0), deliveries,
                   [answer = std::move(answer)](Result<std::string> counted) mutable {
                     if (!counted) return answer(counted.error());
                     answer(static_cast<std::size_t>(std::count(counted->begin(), counted->end(), '1')));
                   });
  });
}

void RedisGroups::remove(GroupName name, UniqueFunction<void(Result<void>)> done) {
  inbox_.put([this, name = std::move(name), answer = RedisAnswer<void>(std::move(done))]() mutable {
    run(redis_group_scripts::remove(), name, {parts_.keys.group_news(name.channel)},
        guard_.wrap([this, name, answer = std::move(answer)](Result<RespValue::Array> words) mutable {
          if (!words) return answer(words.error());
          index(name, false);
          if (*(*words)[0].text() == "gone") return answer(no_group(name));
          answer({});
        }));
  });
}

// --- All groups

void RedisGroups::list(std::string channel, std::optional<GroupName> after, std::size_t count_max,
                       UniqueFunction<void(Result<GroupPage>)> done) {
  inbox_.put([this, channel = std::move(channel), after = std::move(after), count_max,
              answer = RedisAnswer<GroupPage>(std::move(done))]() mutable {
    // The key of the group of no name is what those of the channel begin with. It ends with a slash, behind which comes a zero.
    const std::string prefix = channel.empty() ? "group/" : group_key({.channel = channel, .name = {}});
    const std::string end = prefix.substr(0, prefix.size() - 1) + '0';
    const std::string key = parts_.keys.groups();
    const std::string behind = after ? group_key(*after) : std::string();
    RespCommand command{"ZRANGEBYLEX", key, behind < prefix ? '[' + prefix : '(' + behind, '(' + end, "LIMIT", "0"};
    command.add(static_cast<std::int64_t>(count_max) + 1);
    parts_.client.send(key, std::move(command),
                       guard_.wrap([this, count_max, answer = std::move(answer)](const Result<RespValue>& reply) mutable {
                         list_named(reply, count_max, std::move(answer));
                       }));
  });
}

void RedisGroups::list_named(const Result<RespValue>& reply, std::size_t count_max, RedisAnswer<GroupPage> answer) {
  if (const auto failure = redis_failure(reply)) return answer(*failure);
  std::vector<GroupName> names;
  for (const RespValue& word : reply->array() == nullptr ? RespValue::Array() : *reply->array()) {
    std::optional<GroupName> name = word.text() == nullptr ? std::nullopt : parse_group_key(*word.text());
    if (name) names.push_back(*std::move(name));
  }
  if (names.empty()) return answer(GroupPage());
  const auto listing = std::make_shared<GroupListing>(std::move(names), count_max, std::move(answer));
  const auto tell = [listing](std::size_t place, Result<GroupState> outcome) {
    listing->take(place, outcome ? Result<GroupInfo>(std::move(outcome->info)) : outcome.error());
  };
  for (std::size_t place = 0; place < listing->names().size(); ++place) {
    const GroupName& name = listing->names()[place];
    const auto told = [this, tell, name, place](Result<GroupState> outcome) {
      if (outcome || outcome.error().kind != ErrorKind::kNotFound) return tell(place, std::move(outcome));
      // Its name goes, unless it has been made meanwhile.
      index(name, false);
      ask_state(name, std::nullopt, {[this, tell, name, place](Result<GroupState> again) {
                  if (again) index(name, true);
                  tell(place, std::move(again));
                }});
    };
    ask_state(name, std::nullopt, {guard_.wrap(told)});
  }
}

}  // namespace carillon
