#include "hub/durable_subscriptions.h"

#include <fmt/core.h>

#include <charconv>
#include <deque>
#include <mutex>
#include <unordered_map>
#include <utility>

#include "base/hash.h"
#include "hub/channel_name.h"
#include "hub/epoch_text.h"

namespace carillon {
namespace {

// Two orders of the same records: durable/s/<subscriber>/<channel> and durable/c/<channel>/<subscriber>, the name in the middle
// escaped. The first has the value.
constexpr std::string_view kBySubscriber = "durable/s/";
constexpr std::string_view kByChannel = "durable/c/";
constexpr std::size_t kChannelPage = 100;  // Subscribers forgotten at a time.

// Without `/`, so that what comes behind it is apart.
void append_escaped(std::string& out, std::string_view text) {
  for (const char character : text) {
    if (character == '/' || character == '%') {
      out += character == '/' ? "%2F" : "%25";
    } else {
      out += character;
    }
  }
}

std::string prefix_of(std::string_view order, std::string_view name) {
  std::string out(order);
  append_escaped(out, name);
  return out += '/';
}

std::string key_of(std::string_view order, std::string_view first, std::string_view second) {
  return prefix_of(order, first).append(second);
}

// "<expiry in ms>" or "<expiry in ms> <epoch> <offset>".
struct Kept {
  std::int64_t expiry_ms = 0;
  std::optional<Position> heard;
};

std::string write_kept(const Kept& kept) {
  if (!kept.heard) return fmt::format("{}", kept.expiry_ms);
  return fmt::format("{} {} {}", kept.expiry_ms, epoch_text(kept.heard->epoch), kept.heard->offset);
}

std::string_view take_word(std::string_view& text) {
  const std::size_t end = std::min(text.find(' '), text.size());
  const std::string_view word = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return word;
}

template <class Number>
bool read_number(std::string_view text, Number& out) {
  const auto read = std::from_chars(text.data(), text.data() + text.size(), out);
  return read.ec == std::errc() && read.ptr == text.data() + text.size();
}

Result<Kept> read_kept(std::string_view text) {
  const Error damaged{ErrorKind::kCorrupt, "a durable subscription is not readable"};
  Kept kept;
  if (!read_number(take_word(text), kept.expiry_ms)) return damaged;
  if (text.empty()) return kept;
  const auto epoch = parse_epoch(take_word(text));
  Position heard;
  if (!epoch || !read_number(text, heard.offset)) return damaged;
  heard.epoch = *epoch;
  kept.heard = heard;
  return kept;
}

// What is known of how far it heard, when this is told.
std::optional<Position> later_of(const std::optional<Position>& known, const std::optional<Position>& told) {
  if (!told) return known;
  if (known && known->epoch == told->epoch && known->offset > told->offset) return known;
  return told;
}

Result<void> check_names(std::string_view subscriber, std::string_view channel) {
  if (subscriber.empty() || subscriber.size() > DurableSubscriptions::kSubscriberBytesMax) {
    return Error{ErrorKind::kInvalid,
                 fmt::format("a subscriber's name is 1 to {} bytes", DurableSubscriptions::kSubscriberBytesMax)};
  }
  return check_channel_name(channel);
}

}  // namespace

std::string durable_subscriber(std::initializer_list<std::string_view> parts) {
  std::string out;
  for (const std::string_view& part : parts) {
    if (&part != parts.begin()) out += '/';
    append_escaped(out, part);
  }
  return out;
}

// Held by every answer that is awaited.
class DurableSubscriptions::Book : public std::enable_shared_from_this<Book> {
 public:
  struct Entry {
    std::string channel;
    Kept kept;
  };

  Book(StateStore& store, const Clock& clock, Options options) : store_(store), clock_(clock), options_(options) {}

  // Given to each step, which is over when it is destroyed; the subscriber's next begins then.
  class Turn {
   public:
    Turn(std::shared_ptr<Book> book, std::string subscriber) : book_(std::move(book)), subscriber_(std::move(subscriber)) {}
    Turn(Turn&&) = default;
    Turn& operator=(Turn&&) = delete;
    ~Turn() {
      if (book_ != nullptr) book_->next(subscriber_);
    }

   private:
    std::shared_ptr<Book> book_;
    std::string subscriber_;
  };
  using Step = UniqueFunction<void(Turn)>;

  void take_turn(std::string subscriber, Step step) {
    {
      const std::lock_guard lock(mutex_);
      const auto [found, first] = waiting_.try_emplace(subscriber);
      if (!first) return found->second.push_back(std::move(step));
    }
    step(Turn(shared_from_this(), std::move(subscriber)));
  }

  void load(const std::string& subscriber, UniqueFunction<void(Result<std::vector<DurableSubscription>>)> done, Turn turn) {
    list(subscriber,
         [this, subscriber, done = std::move(done), turn = std::move(turn)](Result<std::vector<Entry>> entries) mutable {
           if (!entries) return done(entries.error());
           std::vector<DurableSubscription> subscriptions;
           std::vector<StateChange> changes;
           for (const Entry& entry : *entries) {
             subscriptions.push_back({entry.channel, entry.kept.heard});
             add_changes(changes, subscriber, entry);
           }
           if (changes.empty()) return done(std::move(subscriptions));
           store_.change(std::move(changes), false,
                         [done = std::move(done), subscriptions = std::move(subscriptions),
                          turn = std::move(turn)](Result<void> renewed) mutable {
                           if (!renewed) return done(renewed.error());
                           done(std::move(subscriptions));
                         });
         });
  }

  void keep(const std::string& subscriber, Entry wanted, Done done, Turn turn) {
    list(subscriber, [this, subscriber, wanted = std::move(wanted), done = std::move(done),
                      turn = std::move(turn)](Result<std::vector<Entry>> entries) mutable {
      if (!entries) return done(entries.error());
      const auto known = find(*entries, wanted.channel);
      if (known == entries->end() && entries->size() >= options_.channels_max) {
        return done(
            Error{ErrorKind::kLimit, fmt::format("a subscriber may have {} durable subscriptions", options_.channels_max)});
      }
      const bool is_new = known == entries->end();
      if (!is_new) wanted.kept.heard = later_of(known->kept.heard, wanted.kept.heard);
      std::vector<StateChange> changes;
      add_changes(changes, subscriber, wanted);
      change(std::move(changes), is_new, std::move(done), std::move(turn));
    });
  }

  void heard(const std::string& subscriber, std::vector<DurableSubscription> told, Done done, Turn turn) {
    list(subscriber, [this, subscriber, told = std::move(told), done = std::move(done),
                      turn = std::move(turn)](Result<std::vector<Entry>> entries) mutable {
      if (!entries) return done(entries.error());
      std::vector<StateChange> changes;
      for (const DurableSubscription& each : told) {
        const auto known = find(*entries, each.channel);
        if (known == entries->end()) continue;
        known->kept.heard = later_of(known->kept.heard, each.heard);
        add_changes(changes, subscriber, *known);
      }
      if (changes.empty()) return done({});
      change(std::move(changes), false, std::move(done), std::move(turn));
    });
  }

  void forget(const std::string& subscriber, const std::string& channel, UniqueFunction<void(Result<bool>)> done, Turn turn) {
    store_.read(key_of(kBySubscriber, subscriber, channel),
                [this, subscriber, channel, done = std::move(done),
                 turn = std::move(turn)](Result<std::optional<std::string>> known) mutable {
                  if (!known) return done(known.error());
                  if (!*known) return done(false);
                  std::vector<StateChange> changes;
                  add_removal(changes, subscriber, channel);
                  change(
                      std::move(changes), true,
                      [done = std::move(done)](Result<void> outcome) mutable {
                        if (!outcome) return done(outcome.error());
                        done(true);
                      },
                      std::move(turn));
                });
  }

  void forget_all(const std::string& subscriber, Done done, Turn turn) {
    list(subscriber,
         [this, subscriber, done = std::move(done), turn = std::move(turn)](Result<std::vector<Entry>> entries) mutable {
           if (!entries) return done(entries.error());
           std::vector<StateChange> changes;
           for (const Entry& entry : *entries) add_removal(changes, subscriber, entry.channel);
           if (changes.empty()) return done({});
           change(std::move(changes), true, std::move(done), std::move(turn));
         });
  }

  void subscribers(const std::string& channel, std::string after, std::size_t count_max,
                   UniqueFunction<void(Result<std::vector<std::string>>)> done) {
    const std::string prefix = prefix_of(kByChannel, channel);
    if (!after.empty()) after.insert(0, prefix);
    store_.list(prefix, std::move(after), count_max,
                [size = prefix.size(), done = std::move(done)](Result<std::vector<StateRecord>> records) mutable {
                  if (!records) return done(records.error());
                  std::vector<std::string> names;
                  for (const StateRecord& record : *records) names.push_back(record.key.substr(size));
                  done(std::move(names));
                });
  }

  // A page of subscribers after the other; each by its own turn.
  void forget_channel(const std::string& channel, Done done) {
    subscribers(channel, {}, kChannelPage,
                [self = shared_from_this(), channel, done = std::move(done)](Result<std::vector<std::string>> names) mutable {
                  if (!names) return done(names.error());
                  if (names->empty()) return done({});
                  self->forget_each(channel, *std::move(names), std::move(done));
                });
  }

 private:
  struct Gathering {
    std::mutex mutex;
    std::size_t missing;
    Result<void> outcome;
    Done done;
  };

  void forget_each(const std::string& channel, std::vector<std::string> names, Done done) {
    const auto gathering = std::make_shared<Gathering>();
    gathering->missing = names.size();
    gathering->done = std::move(done);
    for (std::string& name : names) {
      take_turn(name, [self = shared_from_this(), gathering, channel, name](Turn turn) mutable {
        self->forget(
            name, channel, [self, gathering, channel](Result<bool> gone) { self->gather(*gathering, channel, gone); },
            std::move(turn));
      });
    }
  }

  void gather(Gathering& gathering, const std::string& channel, const Result<bool>& gone) {
    {
      const std::lock_guard lock(gathering.mutex);
      if (!gone) gathering.outcome = gone.error();
      if (--gathering.missing > 0) return;
    }
    if (!gathering.outcome) return gathering.done(gathering.outcome);
    forget_channel(channel, std::move(gathering.done));  // Those behind this page.
  }

  static std::vector<Entry>::iterator find(std::vector<Entry>& entries, std::string_view channel) {
    auto at = entries.begin();
    while (at != entries.end() && at->channel != channel) ++at;
    return at;
  }

  // All of a subscriber's; what is not readable is an error, and never overwritten.
  void list(const std::string& subscriber, UniqueFunction<void(Result<std::vector<Entry>>)> done) {
    const std::string prefix = prefix_of(kBySubscriber, subscriber);
    store_.list(prefix, {}, options_.channels_max,
                [size = prefix.size(), done = std::move(done)](Result<std::vector<StateRecord>> records) mutable {
                  if (!records) return done(records.error());
                  std::vector<Entry> entries;
                  for (const StateRecord& record : *records) {
                    const Result<Kept> kept = read_kept(record.value);
                    if (!kept) return done(kept.error());
                    entries.push_back({record.key.substr(size), *kept});
                  }
                  done(std::move(entries));
                });
  }

  // Both orders, good for the whole expiry.
  void add_changes(std::vector<StateChange>& changes, const std::string& subscriber, const Entry& entry) {
    const std::int64_t until = clock_.unix_ms() + entry.kept.expiry_ms;
    changes.push_back({key_of(kBySubscriber, subscriber, entry.channel), write_kept(entry.kept), until});
    changes.push_back({key_of(kByChannel, entry.channel, subscriber), std::string(), until});
  }

  static void add_removal(std::vector<StateChange>& changes, const std::string& subscriber, const std::string& channel) {
    changes.push_back({key_of(kBySubscriber, subscriber, channel), std::nullopt, 0});
    changes.push_back({key_of(kByChannel, channel, subscriber), std::nullopt, 0});
  }

  void change(std::vector<StateChange> changes, bool synced, Done done, Turn turn) {
    store_.change(std::move(changes), synced,
                  [done = std::move(done), turn = std::move(turn)](Result<void> outcome) mutable { done(std::move(outcome)); });
  }

  void next(const std::string& subscriber) {
    Step step;
    {
      const std::lock_guard lock(mutex_);
      const auto found = waiting_.find(subscriber);
      if (found->second.empty()) {
        waiting_.erase(found);
        return;
      }
      step = std::move(found->second.front());
      found->second.pop_front();
    }
    step(Turn(shared_from_this(), subscriber));
  }

  StateStore& store_;
  const Clock& clock_;
  const Options options_;
  std::mutex mutex_;  // Held for nothing else than this:
  // Subscribers of which something is being done, and the steps that wait for it.
  std::unordered_map<std::string, std::deque<Step>, NameHash, NameEqual> waiting_;
};

DurableSubscriptions::DurableSubscriptions(StateStore& store, const Clock& clock, Options options)
    : book_(std::make_shared<Book>(store, clock, options)) {}

DurableSubscriptions::~DurableSubscriptions() = default;

void DurableSubscriptions::load(std::string subscriber, UniqueFunction<void(Result<std::vector<DurableSubscription>>)> done) {
  std::string name = subscriber;
  book_->take_turn(std::move(name), [book = book_.get(), subscriber = std::move(subscriber), done = std::move(done)](
                                        Book::Turn turn) mutable { book->load(subscriber, std::move(done), std::move(turn)); });
}

void DurableSubscriptions::keep(std::string subscriber, DurableSubscription subscription, Millis expiry, Done done) {
  if (Result<void> checked = check_names(subscriber, subscription.channel); !checked) return done(std::move(checked));
  std::string name = subscriber;
  Book::Entry wanted{std::move(subscription.channel), {expiry.count(), subscription.heard}};
  book_->take_turn(std::move(name), [book = book_.get(), subscriber = std::move(subscriber), wanted = std::move(wanted),
                                     done = std::move(done)](Book::Turn turn) mutable {
    book->keep(subscriber, std::move(wanted), std::move(done), std::move(turn));
  });
}

void DurableSubscriptions::heard(std::string subscriber, std::vector<DurableSubscription> subscriptions, Done done) {
  std::string name = subscriber;
  book_->take_turn(std::move(name), [book = book_.get(), subscriber = std::move(subscriber), told = std::move(subscriptions),
                                     done = std::move(done)](Book::Turn turn) mutable {
    book->heard(subscriber, std::move(told), std::move(done), std::move(turn));
  });
}

void DurableSubscriptions::forget(std::string subscriber, std::string channel, UniqueFunction<void(Result<bool>)> done) {
  std::string name = subscriber;
  book_->take_turn(std::move(name), [book = book_.get(), subscriber = std::move(subscriber), channel = std::move(channel),
                                     done = std::move(done)](Book::Turn turn) mutable {
    book->forget(subscriber, channel, std::move(done), std::move(turn));
  });
}

void DurableSubscriptions::forget_all(std::string subscriber, Done done) {
  std::string name = subscriber;
  book_->take_turn(std::move(name),
                   [book = book_.get(), subscriber = std::move(subscriber), done = std::move(done)](Book::Turn turn) mutable {
                     book->forget_all(subscriber, std::move(done), std::move(turn));
                   });
}

void DurableSubscriptions::subscribers(std::string channel, std::string after, std::size_t count_max,
                                       UniqueFunction<void(Result<std::vector<std::string>>)> done) {
  book_->subscribers(channel, std::move(after), count_max, std::move(done));
}

void DurableSubscriptions::forget_channel(std::string channel, Done done) {
  book_->forget_channel(channel, std::move(done));
}

}  // namespace carillon
