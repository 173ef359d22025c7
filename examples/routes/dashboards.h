// Dashboards that people look at and edit together. What is edited is a draft (carillon::RouteState): everybody who looks on
// sees it, it goes when the last of them has left, and it counts for all when it is saved. Any thread.
#pragma once

#include <carillon/routes.h>

#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "sample_database.h"

namespace insights {

struct Metric {
  std::string id;
  std::string title;
  std::string sql;
};
struct Dashboard {
  std::string id;
  std::string title;
  std::string owner;  // Who alone may see it; empty: everybody.
  std::vector<Metric> metrics;
};
// A dashboard as it is to be shown, with the draft in it.
struct DashboardView {
  Dashboard dashboard;
  bool is_draft = false;
  // Of two views that somebody hears, the one with the smaller number is the older, whichever comes first.
  std::uint64_t revision = 0;
  std::vector<std::string> changed;  // Metrics whose statement has just been changed.

  // "dashboard":{"id","title","metrics":[{"id","title","sql"}]},"draft":…,"revision":… as a JSON object.
  std::string to_json() const;
};

class Dashboards {
 public:
  explicit Dashboards(const SampleDatabase& database);

  // The handlers live as long as this.
  void add_to(carillon::RouteHooks& hooks);

  // What is asked and changed, without a word of who hears of it: routes, HTTP and other code of the program call these alike.
  // Errors: kNotFound, kForbidden, and what the state store says.
  carillon::Result<std::string> list(const carillon::RouteQuestion& question) const;
  carillon::Result<DashboardView> view(const carillon::RouteUser& user, std::string_view id,
                                       const carillon::RouteState& state) const;
  // Payload: {"id","title"?,"metric"?:{"id","title"?,"sql"?},"save"?,"discard"?}. Changes go into the draft; `save` makes the
  // draft what everybody finds, `discard` drops it. Errors: kInvalid too.
  carillon::Result<DashboardView> change(const carillon::RouteUser& user, std::string_view payload,
                                         const carillon::RouteState& state);

 private:
  // The routes. They ask one of the above, and say who hears the answer.
  void get(const carillon::RouteCall& call) const;
  void update(const carillon::RouteCall& call);

  // What the metric shows, step by step; `like` says to whom.
  void fetch(const carillon::RouteCall& call, const carillon::RouteMessage& like, const DashboardView& view,
             const Metric& metric) const;

  carillon::Result<Dashboard> saved(const carillon::RouteUser& user, std::string_view id) const;

  const SampleDatabase& database_;
  mutable std::mutex mutex_;  // Guards `dashboards_`.
  std::map<std::string, Dashboard, std::less<>> dashboards_;
  std::atomic<std::uint64_t> revision_{0};
  std::mutex changing_;  // One change after the other: each reads the draft and writes it. Taken before `mutex_`.
};

}  // namespace insights
