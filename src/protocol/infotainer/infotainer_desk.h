// InfotainerDesk: what all infotainer dialogs of a loop share: the way to each of them from other loops and from answers that
// come later, the encodings, and the logs that are known to be there. One per loop; used there only.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "hub/shard.h"
#include "protocol/infotainer/infotainer_common.h"
#include "protocol/infotainer/infotainer_encoding.h"

namespace carillon {

class InfotainerDialog;

class InfotainerDesk {
 public:
  // What is said of the server to clients of version 2, and the longest message of a client.
  struct About {
    std::string server;
    std::size_t message_bytes_max = 1 << 20;
    std::size_t history_page_max = 1000;
  };

  InfotainerDesk(Shard& shard, InfotainerCommon& common, About about);

  Shard& shard() { return shard_; }
  Loop& loop() { return shard_.loop(); }
  InfotainerCommon& common() { return common_; }
  const About& about() const { return about_; }
  std::size_t place() const { return place_; }
  InfotainerTops& tops() { return tops_; }
  const Encoding& encoding(InfotainerVersion version, InfotainerBodies bodies) const;

  // The number by which answers find the dialog, until it is removed.
  std::uint64_t add(InfotainerDialog& dialog);
  void remove(std::uint64_t serial) { dialogs_.erase(serial); }
  InfotainerDialog* find(std::uint64_t serial);

  // A completion that calls the dialog's method on this loop, if the dialog is still there. Called on any thread.
  template <class T>
  auto answer(std::uint64_t serial, void (InfotainerDialog::*method)(Result<T>)) {
    return [this, &loop = loop(), serial, method](Result<T> outcome) mutable {
      if (loop.in_loop_thread()) return give(serial, method, std::move(outcome));
      loop.post([this, serial, method, outcome = std::move(outcome)]() mutable { give(serial, method, std::move(outcome)); });
    };
  }

  // Closes the dialog, if it is still there, because its session goes on elsewhere; then the dialog `waiting` at `from` goes
  // on.
  void take_over(std::uint64_t serial, std::size_t from, std::uint64_t waiting);
  void on_taken_over(std::uint64_t waiting);

  // Whether the log was known to be there a moment ago: for kKnownTime at most, and until its topic is removed.
  bool knows(const Uuid& log);
  void note_known(const Uuid& log);
  void forget_known(const Uuid& log) { known_.erase(topic_channel(log)); }

 private:
  static constexpr Millis kTick{5'000};
  static constexpr Millis kKnownTime{30'000};
  static constexpr std::size_t kKnownMax = 100'000;  // Beyond it all are asked for again.

  template <class T>
  void give(std::uint64_t serial, void (InfotainerDialog::*method)(Result<T>), Result<T> outcome) {
    if (InfotainerDialog* const dialog = find(serial)) (dialog->*method)(std::move(outcome));
  }
  void on_tick();

  Shard& shard_;
  InfotainerCommon& common_;
  const About about_;
  const std::size_t place_;
  InfotainerTops tops_;
  const InfotainerIssueEncoding issues_;
  const InfotainerIssueV2Encoding apart_{tops_, InfotainerBodies::kApart};
  const InfotainerIssueV2Encoding with_bodies_{tops_, InfotainerBodies::kInIssues};
  std::uint64_t last_serial_ = 0;
  boost::unordered_flat_map<std::uint64_t, InfotainerDialog*> dialogs_;
  boost::unordered_flat_map<std::string, Millis, NameHash, NameEqual> known_;  // Channels, and until when.
  CallbackTimer tick_timer_;                                                   // Armed while there are dialogs.
};

}  // namespace carillon
