// Join: a subscription that is still reading what its client missed.
//
// 1. The session becomes a member with this join: publications are held here for it from now on.
// 2. The engine is asked for the history of every channel the selector matches (without `recover`: for the positions only).
// 3. When all pages are there, the inbox is delivered, so that whatever a page shows has either reached the others or is held
//    here (every engine hands a publication out before any page shows it).
// 4. The client hears Subscribed, then what it missed, then what was held and is newer than the pages; then it is a member
//    like any other. So nothing is missed and nothing comes twice.
//
// What one channel missed is brought page by page, as fast as the client takes it (Stream, shard_stream.cc): its subscription
// is answered with the first page, and steps 3 and 4 are those of the last. So a recovery of any length fills neither the
// memory nor the client's outbox. Several channels at once are read whole, and are bounded.
//
// A channel that the session hears by another, finished subscription is left out of step 4: what came is there already. If
// that other one ends before the answer, it has covered the channel until then: the pages are left out all the same, and what
// is held since then follows.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "hub/session.h"

namespace carillon {

struct Join {
  // Publications held while pages are read; beyond it the join fails with kUnavailable and the client asks again. A stream
  // forgets them instead, and reads them from the history.
  static constexpr std::size_t kHeldMax = 10'000;
  // Publications of several channels that are read at once.
  static constexpr std::size_t kAtOnceMax = 10'000;
  // Of each of them: a page is in memory until all are there.
  static constexpr std::size_t kOfEachMax = 1000;
  // Overlapping subscriptions that ended meanwhile; beyond it likewise.
  static constexpr std::size_t kCoversMax = 256;

  struct Page {
    std::string channel;
    bool from_start = false;  // The client did not name the channel: everything in it was missed.
    HistoryPage history;
  };
  // The end of a publish by the session, told after the session's own copy: when this join is over.
  struct Published {
    Ticket ticket;
    Result<Receipt> outcome;
  };

  // Another subscription of the session covered these channels until it ended: nothing of them that came before is to be given,
  // and `held` has all that came after.
  struct Cover {
    Selector selector;
    bool recovered;  // And it brought what was missed before it began.
  };

  // What is still to be brought of the one channel, after the answer.
  struct Stream {
    std::vector<PublicationPtr> page;  // From `next` on it is not queued yet.
    std::size_t next = 0;
    Position last;         // Of what was queued or found missing last.
    std::size_t left = 0;  // Publications that may still be brought.
    bool more = false;     // The page is not the last.
    bool behind = false;   // Held publications were forgotten since the page was asked for.
    bool asking = false;   // A page is on its way.
    bool pumping = false;
  };

  SessionId session = 0;
  Audience* audience = nullptr;
  std::optional<Stream> stream;
  SubscribeOptions options;
  std::vector<PublicationPtr> held;
  std::vector<Page> pages;
  std::vector<Published> published;
  std::vector<Cover> covers;
  std::size_t pages_missing = 0;
  bool at_once = false;  // One channel, which no stream can bring: read as several are.
  bool whole = true;     // False: not everything that was missed could be looked at.
  std::optional<Error> failure;

  void fail(Error error);
  // The other subscription ends or begins anew now. Does nothing where it has no channel in common with this one.
  void cover(const Selector& selector, bool recovered);
  // All pages' publications, of all channels, about by time; the order within each channel is kept.
  std::vector<PublicationPtr> missed() const;
  // What was held and no page shows.
  std::vector<PublicationPtr> newer_than_pages() const;
  // `all`: more pages follow.
  bool recovered(bool all = false) const;
  // It read one page of one channel, as streams do, and there is more.
  bool stops_short() const;
};

}  // namespace carillon
