#include "engine/redis/redis_history.h"

#include <fmt/format.h>

#include <utility>

#include "engine/redis/redis_failure.h"
#include "engine/redis/redis_scripts.h"
#include "hub/publication_id.h"

namespace carillon {
namespace {

Error unreadable(std::string_view channel) {
  return {ErrorKind::kCorrupt,
          fmt::format("what Redis keeps of channel {} cannot be read, or a part of it is missing", channel)};
}

std::optional<std::uint64_t> offset_of(const RespValue& value) {
  const std::string* const text = value.text();
  const std::optional<std::int64_t> number = text != nullptr ? parse_redis_number(*text) : std::nullopt;
  if (!number || *number < 0) return std::nullopt;
  return static_cast<std::uint64_t>(*number);
}

// What the page script says beside the entries.
struct Shown {
  Position top;
  std::uint64_t oldest = 0;
  std::uint64_t from = 0;
  std::uint64_t to = 0;
};

std::optional<Shown> read_shown(const RespValue& reply) {
  const RespValue::Array* const parts = reply.array();
  if (parts == nullptr || parts->size() != 5 || (*parts)[0].text() == nullptr || (*parts)[4].array() == nullptr) {
    return std::nullopt;
  }
  const std::optional<Position> top = parse_redis_position(*(*parts)[0].text());
  const auto oldest = offset_of((*parts)[1]), from = offset_of((*parts)[2]), to = offset_of((*parts)[3]);
  if (!top || !oldest || !from || !to) return std::nullopt;
  return Shown{*top, *oldest, *from, *to};
}

// Whether nothing is missing between the question's position and the page (hub/engine.h).
bool joins(const HistoryQuery& query, const Shown& shown) {
  if (!query.since) return true;
  if (query.since->epoch != shown.top.epoch || query.since->offset > shown.top.offset) return false;
  if (query.reverse) return query.since->offset > shown.oldest || query.since->offset <= 1;
  return query.since->offset + 1 >= shown.oldest;
}

}  // namespace

// ---- Pages ----

struct RedisHistory::PageReading {
  HistoryQuery query;
  RedisAnswer<HistoryPage> done;
  HistoryPage page = {};
  Shown shown = {};
  std::size_t wanted = 0;  // Publications, in all.

  std::size_t left() const { return wanted - page.publications.size(); }
  std::uint64_t next() const {
    return query.reverse ? shown.to - 1 - page.publications.size() : shown.from + page.publications.size();
  }
  // False: one cannot be read, or is missing where it cannot have been trimmed.
  bool take(const RespValue::Array& entries, const RedisWriter& reader) {
    for (const RespValue& entry : entries) {
      if (left() == 0) break;
      PublicationPtr publication = read_stream_entry(query.channel, entry, reader);
      if (publication == nullptr || *publication->position != Position{shown.top.epoch, next()}) return false;
      page.publications.push_back(std::move(publication));
    }
    return true;
  }
};

void RedisHistory::page(HistoryQuery query, RedisAnswer<HistoryPage> done) {
  auto reading = std::make_unique<PageReading>(PageReading{std::move(query), std::move(done)});
  const std::string channel = reading->query.channel;
  feeds_.when_heard(channel,
                    RedisAnswer<void>(guard_.wrap([this, reading = std::move(reading)](const Result<void>& heard) mutable {
                      if (!heard) return reading->done(heard.error());
                      ask_page(std::move(reading));
                    })));
}

void RedisHistory::ask_page(std::unique_ptr<PageReading> reading) {
  const HistoryQuery& query = reading->query;
  const HistoryRule rule = parts_.options.rule_for(query.channel);
  if (rule.count_max == 0) {
    HistoryPage nothing;
    nothing.complete = !query.since;
    return reading->done(std::move(nothing));
  }
  const std::string keys[] = {parts_.keys.stream(query.channel)};
  std::vector<std::string> arguments = {std::to_string(rule.count_max),
                                        std::to_string(rule.age_max_ms),
                                        std::to_string(rule.bytes_max),
                                        std::to_string(kMadeMs),
                                        query.since ? redis_position(*query.since) : "",
                                        query.from_time_ms && !query.since ? std::to_string(*query.from_time_ms) : "",
                                        std::to_string(std::min(query.count_max, kPartMax)),
                                        query.reverse ? "1" : "0"};
  parts_.client.run(redis_scripts::page(), keys, std::move(arguments),
                    guard_.wrap([this, reading = std::move(reading)](const Result<RespValue>& reply) mutable {
                      on_page(std::move(reading), reply);
                    }));
}

void RedisHistory::on_page(std::unique_ptr<PageReading> reading, const Result<RespValue>& reply) {
  if (const std::optional<Error> failure = redis_failure(reply)) return reading->done(*failure);
  const std::optional<Shown> shown = read_shown(*reply);
  if (!shown) return reading->done(unreadable(reading->query.channel));
  reading->shown = *shown;
  reading->page.top = shown->top;
  reading->page.complete = joins(reading->query, *shown);
  const std::size_t there = shown->to > shown->from ? shown->to - shown->from : 0;
  reading->wanted = std::min(there, reading->query.count_max);
  reading->page.more = reading->wanted < there;
  const RespValue::Array& entries = *(*reply->array())[4].array();
  if (!reading->take(entries, parts_.writer) || (entries.empty() && reading->wanted > 0)) {
    return reading->done(unreadable(reading->query.channel));
  }
  go_on(std::move(reading));
}

void RedisHistory::go_on(std::unique_ptr<PageReading> reading) {
  if (reading->left() == 0) return show(std::move(reading));
  const Shown& shown = reading->shown;
  const std::string next = redis_position({shown.top.epoch, reading->next()});
  const std::string end = redis_position({shown.top.epoch, reading->query.reverse ? shown.from : shown.to - 1});
  const std::string key = parts_.keys.stream(reading->query.channel);
  const std::string count = std::to_string(std::min(reading->left(), kPartMax));
  const char* const name = reading->query.reverse ? "XREVRANGE" : "XRANGE";
  parts_.client.send(key, RespCommand{name, key, next, end, "COUNT", count},
                     guard_.wrap([this, reading = std::move(reading)](const Result<RespValue>& reply) mutable {
                       on_part(std::move(reading), reply);
                     }));
}

void RedisHistory::on_part(std::unique_ptr<PageReading> reading, const Result<RespValue>& reply) {
  if (const std::optional<Error> failure = redis_failure(reply)) return reading->done(*failure);
  const RespValue::Array* const entries = reply->array();
  if (entries == nullptr) return reading->done(unreadable(reading->query.channel));
  const std::optional<Position> first = entries->empty() ? std::nullopt : stream_entry_position(entries->front());
  if (!first || *first != Position{reading->shown.top.epoch, reading->next()}) {
    // Trimmed since the page began.
    reading->page.more = true;
    return show(std::move(reading));
  }
  if (!reading->take(*entries, parts_.writer)) return reading->done(unreadable(reading->query.channel));
  go_on(std::move(reading));
}

void RedisHistory::show(std::unique_ptr<PageReading> reading) {
  const std::string channel = reading->query.channel;
  const Position top = reading->shown.top;
  feeds_.settle(channel, top, RedisAnswer<void>([reading = std::move(reading)](const Result<void>& settled) mutable {
                  if (!settled) return reading->done(settled.error());
                  reading->done(std::move(reading->page));
                }));
}

// ---- By ids ----

struct RedisHistory::Search {
  std::string channel;
  std::vector<Uuid> ids;
  RedisAnswer<std::vector<PublicationPtr>> done;
  std::string epoch = "0";  // The ids' offsets can be told when it is known.
  int attempts = 0;
};

void RedisHistory::publications(std::string channel, std::vector<Uuid> ids, RedisAnswer<std::vector<PublicationPtr>> done) {
  if (ids.empty() || parts_.options.rule_for(channel).count_max == 0) return done(std::vector<PublicationPtr>(ids.size()));
  auto search = std::make_unique<Search>(Search{std::move(channel), std::move(ids), std::move(done)});
  if (const std::optional<Position> last = feeds_.last(search->channel)) search->epoch = std::to_string(last->epoch);
  ask_search(std::move(search));
}

void RedisHistory::ask_search(std::unique_ptr<Search> search) {
  const HistoryRule rule = parts_.options.rule_for(search->channel);
  const std::string keys[] = {parts_.keys.stream(search->channel)};
  std::vector<std::string> arguments = {std::to_string(rule.count_max), std::to_string(rule.age_max_ms), search->epoch};
  const std::optional<std::int64_t> epoch = parse_redis_number(search->epoch);
  // An id that was made elsewhere says any number; those a double cannot hold are nobody's.
  constexpr std::uint64_t kOffsetMax = std::uint64_t{1} << 53;
  for (const Uuid& id : search->ids) {
    const std::uint64_t offset = offset_in(id, static_cast<std::uint64_t>(epoch.value_or(0)));
    arguments.push_back(offset < kOffsetMax ? std::to_string(offset) : "0");
  }
  parts_.client.run(redis_scripts::find(), keys, std::move(arguments),
                    guard_.wrap([this, search = std::move(search)](const Result<RespValue>& reply) mutable {
                      on_found(std::move(search), reply);
                    }));
}

void RedisHistory::on_found(std::unique_ptr<Search> search, const Result<RespValue>& reply) {
  if (const std::optional<Error> failure = redis_failure(reply)) return search->done(*failure);
  std::vector<PublicationPtr> found(search->ids.size());
  const RespValue::Array* const parts = reply->array();
  if (parts == nullptr || parts->empty() || (*parts)[0].text() == nullptr) return search->done(std::move(found));
  if (*(*parts)[0].text() != search->epoch) {
    // In an epoch that ends again and again nothing is found.
    if (++search->attempts == 3) return search->done(std::move(found));
    search->epoch = *(*parts)[0].text();
    return ask_search(std::move(search));
  }
  for (std::size_t i = 0; i < found.size() && i + 1 < parts->size(); ++i) {
    const PublicationPtr publication = read_stream_entry(search->channel, (*parts)[i + 1], parts_.writer);
    if (publication != nullptr && publication->id == search->ids[i]) found[i] = publication;
  }
  search->done(std::move(found));
}

// ---- Forgetting ----

void RedisHistory::remove(const std::string& channel, RedisAnswer<void> done) {
  const std::string keys[] = {parts_.keys.stream(channel)};
  parts_.client.run(redis_scripts::remove(), keys, {std::to_string(kMadeMs)},
                    guard_.wrap([this, channel, done = std::move(done)](const Result<RespValue>& reply) mutable {
                      if (const std::optional<Error> failure = redis_failure(reply)) return done(*failure);
                      parts_.client.send(parts_.keys.channels(), RespCommand{"ZREM", parts_.keys.channels(), channel},
                                         [done = std::move(done)](const Result<RespValue>& removed) mutable {
                                           const std::optional<Error> refused = redis_failure(removed);
                                           done(refused ? Result<void>(*refused) : Result<void>());
                                         });
                    }));
}

// ---- The list of channels ----

struct RedisHistory::Listing {
  struct Row {
    ChannelRecord record;
    bool there = false;
  };
  std::string prefix;
  std::string after;
  std::size_t count_max;
  RedisAnswer<std::vector<ChannelRecord>> done;
  std::vector<ChannelRecord> found = {};
  std::vector<Row> step = {};
  std::size_t waiting = 0;
  bool last_step = false;
  std::optional<Error> failure = std::nullopt;
};

void RedisHistory::channels(std::string prefix, std::string after, std::size_t count_max,
                            RedisAnswer<std::vector<ChannelRecord>> done) {
  ask_names(std::make_shared<Listing>(Listing{std::move(prefix), std::move(after), count_max, std::move(done)}));
}

void RedisHistory::ask_names(std::shared_ptr<Listing> listing) {
  const std::size_t count = std::min(listing->count_max - listing->found.size(), kListMax);
  if (count == 0) return listing->done(std::move(listing->found));
  const std::string from =
      listing->after < listing->prefix || listing->after.empty() ? "[" + listing->prefix : "(" + listing->after;
  // No name has a byte 0xff: they are UTF-8.
  const std::string to = listing->prefix.empty() ? "+" : "(" + listing->prefix + "\xff";
  const std::string key = parts_.keys.channels();
  parts_.client.send(key, RespCommand{"ZRANGEBYLEX", key, from, to, "LIMIT", "0", std::to_string(count)},
                     guard_.wrap([this, listing = std::move(listing), count](const Result<RespValue>& reply) mutable {
                       listing->last_step = reply && reply->array() != nullptr && reply->array()->size() < count;
                       on_names(std::move(listing), reply);
                     }));
}

void RedisHistory::on_names(std::shared_ptr<Listing> listing, const Result<RespValue>& reply) {
  if (const std::optional<Error> failure = redis_failure(reply)) return listing->done(*failure);
  listing->step.clear();
  if (const RespValue::Array* const names = reply->array()) {
    for (const RespValue& name : *names) {
      if (name.text() != nullptr) listing->step.push_back({.record = {.name = *name.text(), .top = std::nullopt}});
    }
  }
  if (listing->step.empty()) return listing->done(std::move(listing->found));
  listing->after = listing->step.back().record.name;
  listing->waiting = listing->step.size();
  for (std::size_t i = 0; i < listing->step.size(); ++i) {
    const std::string& name = listing->step[i].record.name;
    const HistoryRule rule = parts_.options.rule_for(name);
    const std::string keys[] = {parts_.keys.stream(name)};
    parts_.client.run(redis_scripts::page(), keys,
                      {std::to_string(rule.count_max), std::to_string(rule.age_max_ms), "0", "0", "", "", "0", "0"},
                      guard_.wrap([this, listing, i](const Result<RespValue>& record) { on_record(listing, i, record); }));
  }
}

void RedisHistory::on_record(const std::shared_ptr<Listing>& listing, std::size_t place, const Result<RespValue>& reply) {
  Listing::Row& row = listing->step[place];
  const std::optional<Error> failure = redis_failure(reply);
  const std::optional<Shown> shown = failure ? std::nullopt : read_shown(*reply);
  if (shown) {
    row.there = true;
    row.record.top = shown->top;
    row.record.history_count = shown->top.offset + 1 - shown->oldest;
  } else if (!failure) {
    drop_name(row.record.name);
  } else if (failure->kind != ErrorKind::kCorrupt) {
    listing->failure = failure;
  }
  if (--listing->waiting == 0) finish_step(listing);
}

void RedisHistory::finish_step(std::shared_ptr<Listing> listing) {
  if (listing->failure) return listing->done(*listing->failure);
  for (Listing::Row& row : listing->step) {
    if (row.there) listing->found.push_back(std::move(row.record));
  }
  if (listing->last_step) return listing->done(std::move(listing->found));
  ask_names(std::move(listing));
}

// Its stream is gone. One that has begun anew since is listed again.
void RedisHistory::drop_name(const std::string& channel) {
  const std::string key = parts_.keys.channels();
  parts_.client.send(key, RespCommand{"ZREM", key, channel}, [](const Result<RespValue>&) {});
  const std::string stream = parts_.keys.stream(channel);
  parts_.client.send(stream, RespCommand{"EXISTS", stream}, guard_.wrap([this, channel](const Result<RespValue>& reply) {
    if (!reply || reply->number() == nullptr || *reply->number() == 0) return;
    const std::string names = parts_.keys.channels();
    parts_.client.send(names, RespCommand{"ZADD", names, "0", channel}, [](const Result<RespValue>&) {});
  }));
}

}  // namespace carillon
