#include "hub/topic_directory.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/log.h"
#include "base/utf8.h"
#include "base/uuid_text.h"

namespace carillon {
namespace {

constexpr std::string_view kKeyPrefix = "topic/";
constexpr std::string_view kChannelPrefix = "log:";

std::string key_of(const Uuid& id) {
  return std::string(kKeyPrefix) + id.text();
}

// "<created> <0|1> <bytes of the name> <name><creator>".
std::string write_value(const Topic& topic) {
  return fmt::format("{} {} {} {}{}", topic.created_ms, topic.lasting ? 1 : 0, topic.name.size(), topic.name, topic.creator);
}

template <class Number>
bool take_number(std::string_view& text, Number& number) {
  const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
  const auto size = static_cast<std::size_t>(read.ptr - text.data());
  if (read.ec != std::errc() || size == text.size() || text[size] != ' ') return false;
  text.remove_prefix(size + 1);
  return true;
}

Result<Topic> read_value(const Uuid& id, std::string_view text) {
  Topic topic{.id = id};
  int lasting = 0;
  std::size_t name_size = 0;
  if (!take_number(text, topic.created_ms) || !take_number(text, lasting) || !take_number(text, name_size) ||
      name_size > text.size()) {
    return Error{ErrorKind::kCorrupt, fmt::format("the record of topic {} is not readable", id.text())};
  }
  topic.lasting = lasting != 0;
  topic.name = text.substr(0, name_size);
  topic.creator = text.substr(name_size);
  return topic;
}

Result<void> check_name(std::string_view name) {
  const bool control =
      std::any_of(name.begin(), name.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; });
  if (name.empty() || name.size() > TopicDirectory::kNameBytesMax || control || !is_utf8(name)) {
    return Error{ErrorKind::kInvalid, fmt::format("a topic's name is 1 to {} bytes of UTF-8 without control characters",
                                                  TopicDirectory::kNameBytesMax)};
  }
  return {};
}

}  // namespace

std::string_view topic_event(TopicChange change) {
  return change == TopicChange::kCreated ? "topic_created" : "topic_removed";
}

std::string topic_channel(const Uuid& id) {
  std::string channel(kChannelPrefix.size() + Uuid::kTextSize, '\0');
  std::copy(kChannelPrefix.begin(), kChannelPrefix.end(), channel.begin());
  id.write_text(channel.data() + kChannelPrefix.size());
  return channel;
}

std::optional<Uuid> topic_of_channel(std::string_view channel) {
  if (!channel.starts_with(kChannelPrefix)) return std::nullopt;
  const std::string_view text = channel.substr(kChannelPrefix.size());
  if (text.size() != Uuid::kTextSize) return std::nullopt;
  if (std::any_of(text.begin(), text.end(), [](char c) { return c >= 'A' && c <= 'F'; })) return std::nullopt;
  return parse_uuid(text);
}

void TopicDirectory::create(Topic topic, UniqueFunction<void(Result<Topic>)> done) {
  if (const Result<void> checked = check_name(topic.name); !checked) return done(checked.error());
  topic.lasting = true;
  topic.created_ms = hub_.clock().unix_ms();
  const Uuid id = topic.id;
  read(id, [this, topic = std::move(topic), done = std::move(done)](Result<std::optional<Topic>> known) mutable {
    if (!known) return done(known.error());
    if (*known && (*known)->lasting) return done(Error{ErrorKind::kConflict, "there is such a topic already"});
    write(topic, 0, true, [this, topic, done = std::move(done)](Result<void> written) mutable {
      if (!written) return done(written.error());
      tell(topic, TopicChange::kCreated);
      done(std::move(topic));
    });
  });
}

void TopicDirectory::ensure(Topic topic, Millis expiry, UniqueFunction<void(Result<bool>)> done) {
  const Uuid id = topic.id;
  read(id, [this, topic = std::move(topic), expiry, done = std::move(done)](Result<std::optional<Topic>> known) mutable {
    if (!known) return done(known.error());
    const bool made = !*known;
    if (!made && (*known)->lasting) return done(false);
    if (!made) {
      topic = **std::move(known);
    } else {
      topic.lasting = false;
      topic.created_ms = hub_.clock().unix_ms();
    }
    write(topic, hub_.clock().unix_ms() + expiry.count(), made,
          [this, topic, made, done = std::move(done)](Result<void> written) mutable {
            if (!written) return done(written.error());
            if (made) tell(topic, TopicChange::kCreated);
            done(made);
          });
  });
}

void TopicDirectory::read(const Uuid& id, UniqueFunction<void(Result<std::optional<Topic>>)> done) {
  hub_.engine().state().read(key_of(id), [id, done = std::move(done)](Result<std::optional<std::string>> value) mutable {
    if (!value) return done(value.error());
    if (!*value) return done(std::optional<Topic>());
    Result<Topic> topic = read_value(id, **value);
    if (!topic) return done(topic.error());
    done(std::optional<Topic>(*std::move(topic)));
  });
}

void TopicDirectory::is_known(const Uuid& id, UniqueFunction<void(Result<bool>)> done) {
  read(id, [this, id, done = std::move(done)](Result<std::optional<Topic>> topic) mutable {
    if (!topic) return done(topic.error());
    if (*topic) return done(true);
    subscriptions_.subscribers(topic_channel(id), {}, 1,
                               [done = std::move(done)](Result<std::vector<std::string>> names) mutable {
                                 if (!names) return done(names.error());
                                 done(!names->empty());
                               });
  });
}

void TopicDirectory::list(std::optional<Uuid> after, std::size_t count_max,
                          UniqueFunction<void(Result<std::vector<Topic>>)> done) {
  hub_.engine().state().list(std::string(kKeyPrefix), after ? key_of(*after) : std::string(), count_max,
                             [done = std::move(done)](Result<std::vector<StateRecord>> records) mutable {
                               if (!records) return done(records.error());
                               std::vector<Topic> topics;
                               for (const StateRecord& record : *records) {
                                 const auto id = parse_uuid(std::string_view(record.key).substr(kKeyPrefix.size()));
                                 if (!id) continue;
                                 Result<Topic> topic = read_value(*id, record.value);
                                 if (!topic) return done(topic.error());
                                 topics.push_back(*std::move(topic));
                               }
                               done(std::move(topics));
                             });
}

void TopicDirectory::on_unsubscribed(const Uuid& id, Done done) {
  read(id, [this, id, done = std::move(done)](Result<std::optional<Topic>> topic) mutable {
    if (!topic) return done(topic.error());
    if (!*topic || (*topic)->lasting) return done({});
    subscriptions_.subscribers(
        topic_channel(id), {}, 1,
        [this, topic = **std::move(topic), done = std::move(done)](Result<std::vector<std::string>> names) mutable {
          if (!names) return done(names.error());
          if (!names->empty()) return done({});
          remove_record(std::move(topic), std::move(done));
        });
  });
}

void TopicDirectory::remove(Loop& loop, const Uuid& id, UniqueFunction<void(Result<bool>)> done) {
  // Errors and "there was none" come on the loop too.
  UniqueFunction<void(Result<bool>)> on_loop = [&loop, done = std::move(done)](Result<bool> outcome) mutable {
    if (loop.in_loop_thread()) return done(std::move(outcome));
    loop.post([done = std::move(done), outcome = std::move(outcome)]() mutable { done(std::move(outcome)); });
  };
  read(id, [this, &loop, id, done = std::move(on_loop)](Result<std::optional<Topic>> topic) mutable {
    if (!topic) return done(topic.error());
    if (!*topic) return done(false);
    remove_record(**std::move(topic), [this, &loop, id, done = std::move(done)](Result<void> removed) mutable {
      if (!removed) return done(removed.error());
      remove_rest(loop, id, std::move(done));
    });
  });
}

void TopicDirectory::remove_rest(Loop& loop, const Uuid& id, UniqueFunction<void(Result<bool>)> done) {
  subscriptions_.forget_channel(topic_channel(id), [this, &loop, id, done = std::move(done)](Result<void> forgotten) mutable {
    if (!forgotten) return done(forgotten.error());
    hub_.remove_history(topic_channel(id), [this, &loop, id, done = std::move(done)](Result<void> removed) mutable {
      if (!removed) return done(removed.error());
      hub_.close_channel(loop, {.channel = topic_channel(id), .reason = "the topic was removed"},
                         [done = std::move(done)](std::size_t) mutable { done(true); });
    });
  });
}

void TopicDirectory::remove_record(Topic topic, Done done) {
  std::vector<StateChange> changes(1);
  changes.front().key = key_of(topic.id);
  hub_.engine().state().change(std::move(changes), true,
                               [this, topic = std::move(topic), done = std::move(done)](Result<void> removed) mutable {
                                 if (removed && removed_) removed_(topic.id);
                                 if (removed) tell(topic, TopicChange::kRemoved);
                                 done(std::move(removed));
                               });
}

void TopicDirectory::write(Topic topic, std::int64_t expires_at_ms, bool synced, Done done) {
  std::vector<StateChange> changes;
  changes.push_back({key_of(topic.id), write_value(topic), expires_at_ms});
  hub_.engine().state().change(std::move(changes), synced, std::move(done));
}

void TopicDirectory::tell(const Topic& topic, TopicChange change) {
  Draft draft;
  draft.channel = kTopicsChannel;
  draft.event = topic_event(change);
  draft.payload = Bytes::copy_of(describe_(topic, change));
  hub_.publish(std::move(draft), [](const Result<Receipt>& outcome) {
    if (!outcome) log_warning("who watches topics was not told of a change: {}", outcome.error().text);
  });
}

}  // namespace carillon
