#include "hub/join.h"

#include <algorithm>
#include <boost/unordered/unordered_flat_map.hpp>
#include <string_view>

#include "base/hash.h"

namespace carillon {
namespace {

// Whether some channel may be one of both.
bool may_meet(const Selector& one, const Selector& other) {
  const auto below = [](const Selector& base, const Selector& name) {
    return Selector{.kind = Selector::Kind::kTree, .base = base.base}.matches(name.base);
  };
  return one.base == other.base || below(one, other) || below(other, one);
}

}  // namespace

void Join::fail(Error error) {
  failure = std::move(error);
  held.clear();
}

void Join::cover(const Selector& selector, bool recovered) {
  if (failure || !may_meet(options.selector, selector)) return;
  // Held before the other one began: its answer's positions are behind that, and it was given only if it recovered.
  const auto covered = [&](const PublicationPtr& publication) { return selector.matches(publication->channel); };
  if (std::erase_if(held, covered) > 0 && !recovered) whole = false;
  const auto known = std::ranges::find(covers, selector, &Cover::selector);
  if (known != covers.end()) {
    known->recovered = known->recovered && recovered;
  } else if (covers.size() == kCoversMax) {
    fail({ErrorKind::kUnavailable, "too many subscriptions changed while the history was read; subscribe again"});
  } else {
    covers.push_back({.selector = selector, .recovered = recovered});
  }
}

std::vector<PublicationPtr> Join::missed() const {
  struct Timed {
    std::int64_t time_ms;
    const PublicationPtr* publication;
  };
  std::vector<Timed> all;
  for (const Page& page : pages) {
    // The clock may have jumped back: a publication is never sorted before its channel's previous one.
    std::int64_t latest_ms = INT64_MIN;
    for (const PublicationPtr& publication : page.history.publications) {
      latest_ms = std::max(latest_ms, publication->time_ms);
      all.push_back({latest_ms, &publication});
    }
  }
  if (pages.size() > 1) {
    std::stable_sort(all.begin(), all.end(), [](const Timed& a, const Timed& b) { return a.time_ms < b.time_ms; });
  }
  std::vector<PublicationPtr> missed;
  missed.reserve(all.size());
  for (const Timed& timed : all) missed.push_back(*timed.publication);
  return missed;
}

std::vector<PublicationPtr> Join::newer_than_pages() const {
  boost::unordered_flat_map<std::string_view, const Page*, NameHash, NameEqual> page_of;
  for (const Page& page : pages) page_of.emplace(page.channel, &page);
  std::vector<PublicationPtr> newer;
  for (const PublicationPtr& publication : held) {
    const auto page = page_of.find(publication->channel);
    const std::optional<Position> top = page == page_of.end() ? std::nullopt : page->second->history.top;
    const bool shown = top && publication->position && top->epoch == publication->position->epoch &&
                       publication->position->offset <= top->offset;
    if (!shown) newer.push_back(publication);
  }
  return newer;
}

bool Join::stops_short() const {
  const bool one = options.selector.kind == Selector::Kind::kExact && options.recover && !at_once && !failure;
  return one && pages.size() == 1 && pages[0].history.more;
}

bool Join::recovered(bool all) const {
  if (!options.recover || !whole || pages.empty()) return false;
  return std::all_of(pages.begin(), pages.end(), [all](const Page& page) {
    if ((page.history.more && !all) || !page.history.top) return false;
    if (!page.from_start) return page.history.complete;
    // New to the client: nothing may be missing before the oldest that is kept.
    const auto& kept = page.history.publications;
    return page.history.top->offset == 0 || (!kept.empty() && kept.front()->position && kept.front()->position->offset == 1);
  });
}

}  // namespace carillon
