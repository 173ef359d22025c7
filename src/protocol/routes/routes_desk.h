// RoutesDesk: what all routes dialogs of a loop share: the way to each of them from handlers and from answers that come later,
// the encoding, and what is still to be done when somebody has left a channel. One per loop; used there only.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <optional>
#include <string>

#include "hub/shard.h"
#include "protocol/routes/routes_codec.h"
#include "protocol/routes/routes_common.h"

namespace carillon {

class RoutesDialog;

// Whether the key is present by another member than this one.
bool others_of_key(const PresenceState& state, std::string_view key, std::string_view member);

class RoutesEncoding final : public Encoding {
 public:
  explicit RoutesEncoding(bool positions) : positions_(positions) {}
  void encode(const Publication& publication, std::string& out) const override {
    append_publication_envelope(out, publication, {.position = positions_});
  }
  void encode_own(const Publication& publication, std::string& out) const override {
    append_publication_envelope(out, publication, {.position = positions_, .id = true});
  }
  void encode_presence(const PresenceUpdate& diff, std::string& out) const override { append_presence_envelope(out, diff); }
  void encode_presence_counts(std::string_view channel, const PresenceCounts& counts, std::string& out) const override {
    append_presence_stats_envelope(out, channel, counts);
  }

 private:
  const bool positions_;
};

class RoutesDesk {
 public:
  RoutesDesk(Shard& shard, RoutesCommon& common);

  Shard& shard() { return shard_; }
  Hub& hub() { return shard_.hub(); }
  Loop& loop() { return shard_.loop(); }
  RoutesCommon& common() { return common_; }
  std::size_t place() const { return place_; }
  // `positions`: for clients that asked for them.
  const Encoding& encoding(bool positions) const { return positions ? with_positions_ : plain_; }
  RoutesReader& reader() { return reader_; }

  // The number by which answers find the dialog, until it is removed.
  std::uint64_t add(RoutesDialog& dialog);
  void remove(std::uint64_t serial);
  RoutesDialog* find(std::uint64_t serial);

  // A completion that calls the function on this loop. Called on any thread.
  template <class T, class GoOn>
  UniqueFunction<void(Result<T>)> here(GoOn go_on) {
    return [&loop = loop(), go_on = std::move(go_on)](Result<T> outcome) mutable {
      if (loop.in_loop_thread()) return go_on(std::move(outcome));
      loop.post([go_on = std::move(go_on), outcome = std::move(outcome)]() mutable { go_on(std::move(outcome)); });
    };
  }
  // A completion that calls the function with the dialog, on this loop, if the dialog is still there. Called on any thread.
  template <class T, class GoOn>
  UniqueFunction<void(Result<T>)> later(std::uint64_t serial, GoOn go_on) {
    return here<T>([this, serial, go_on = std::move(go_on)](Result<T> outcome) mutable {
      if (RoutesDialog* const dialog = find(serial)) go_on(*dialog, std::move(outcome));
    });
  }

  // From handlers, by the door. Of a dialog that has gone: what it would have answered is dropped, what others are told on a
  // channel is told.
  void send(const RoutesJobPtr& job, RoutesOutgoing outgoing);
  void follow(const RoutesJobPtr& job, RouteFollow follow, UniqueFunction<void(Result<bool>)> done);
  bool unfollow(const RoutesJob& job, std::string_view channel);
  void finish(const RoutesJob& job);
  // All connections of the user here leave the channel; how many there were.
  std::size_t revoke(const std::string& channel, std::string_view user, std::string_view text);

  // Who is present in the channel; not `named` where there are too many, or the store has no answer. Called on this loop, maybe
  // inside the call.
  void look_who_is_there(std::string channel, UniqueFunction<void(const PresenceState&)> done);

  // A session has left a channel where it was present.
  struct Departure {
    std::string channel;
    std::string key;
    std::string member;         // As the store calls it.
    std::optional<Draft> left;  // To be told if none of the key is there any more.
  };
  void on_departure(Departure departure);

 private:
  void settle(Departure departure);
  void on_presence(Departure departure, const PresenceState& there);

  Shard& shard_;
  RoutesCommon& common_;
  const std::size_t place_;
  const RoutesEncoding plain_{false};
  const RoutesEncoding with_positions_{true};
  RoutesReader reader_;
  std::uint64_t last_serial_ = 0;
  boost::unordered_flat_map<std::uint64_t, RoutesDialog*> dialogs_;
};

}  // namespace carillon
