#include "dashboards.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "insights_routes.h"

namespace insights {
namespace {

using carillon::Error;
using carillon::ErrorKind;
using carillon::json_array;
using carillon::json_object;
using carillon::json_text;
using carillon::Result;
using carillon::RouteCall;
using carillon::RouteFields;
using carillon::RouteMessage;
using carillon::RouteState;
using carillon::RouteUser;
using carillon::SenderIs;
using carillon::SendMethod;

constexpr std::size_t kTitleBytesMax = 200;

std::string channel_of(std::string_view id) {
  return "dashboard:" + std::string(id);
}

std::vector<Dashboard> sample_dashboards() {
  return {{.id = "sales",
           .title = "Sales",
           .owner = {},
           .metrics = {{"by_region", "Revenue by region",
                        "select region, sum(amount) as revenue from orders join customers on customers.name = customer "
                        "group by region order by revenue desc"},
                       {"by_month", "Orders by month",
                        "select substr(day, 1, 7) as month, count(*) as orders from orders group by month order by month"}}},
          {.id = "products",
           .title = "Products",
           .owner = {},
           .metrics = {{"pieces", "Pieces sold",
                        "select product, sum(pieces) as pieces from orders group by product order by pieces desc"}}},
          {.id = "plans",
           .title = "Ann's plans",
           .owner = "ann",
           .metrics = {{"prices", "Prices", "select name, kind, price from products order by price desc"}}}};
}

// --- Drafts: {"title":…,"metrics":{"<id>":{"title":…,"sql":…}}}

std::string draft_of(const Dashboard& dashboard) {
  std::string metrics;
  for (const Metric& metric : dashboard.metrics) {
    metrics += (metrics.empty() ? "" : ",") + json_text(metric.id) + ":";
    metrics += json_object({{"title", json_text(metric.title)}, {"sql", json_text(metric.sql)}});
  }
  return json_object({{"title", json_text(dashboard.title)}, {"metrics", "{" + metrics + "}"}});
}

Result<void> read_draft(Dashboard& dashboard, const std::string& draft) {
  RouteFields fields(draft);
  dashboard.title = fields.text("title");
  RouteFields metrics(fields.raw("metrics"));
  for (Metric& metric : dashboard.metrics) {
    RouteFields edited(metrics.raw(metric.id));
    metric.title = edited.text("title");
    metric.sql = edited.text("sql");
    if (auto read = edited.status(); !read) return Error{ErrorKind::kCorrupt, "the draft cannot be read"};
  }
  return {};
}

// --- Edits

std::string checked_title(RouteFields& fields, std::string title) {
  if (title.empty() || title.size() > kTitleBytesMax)
    fields.fail("a title has 1 to " + std::to_string(kTitleBytesMax) + " bytes");
  return title;
}

// The metric whose statement has changed; empty: none.
Result<std::string> edit_metric(Dashboard& dashboard, const std::string& payload) {
  RouteFields fields(payload);
  const std::string id = fields.text("id");
  const std::optional<std::string> title = fields.optional_text("title");
  const std::optional<std::string> sql = fields.optional_text("sql");
  const auto metric = std::ranges::find(dashboard.metrics, id, &Metric::id);
  if (metric == dashboard.metrics.end()) fields.fail("the dashboard has no such metric");
  if (title) checked_title(fields, *title);
  if (sql && sql->size() > SampleDatabase::kSqlBytesMax) fields.fail("the statement is too long");
  if (auto read = fields.status(); !read) return read.error();
  if (title) metric->title = *title;
  if (!sql) return std::string();
  metric->sql = *sql;
  return id;
}

struct Edit {
  std::string id;
  std::optional<std::string> title;
  std::string metric;  // A JSON object; empty: none.
  bool save = false;
  bool discard = false;
};

Result<Edit> read_edit(std::string_view payload) {
  RouteFields fields(payload);
  Edit edit{.id = fields.text("id"), .title = fields.optional_text("title"), .metric = fields.raw("metric")};
  edit.save = fields.optional_boolean("save").value_or(false);
  edit.discard = fields.optional_boolean("discard").value_or(false);
  if (edit.title) checked_title(fields, *edit.title);
  if (edit.discard && (edit.save || edit.title || !edit.metric.empty())) fields.fail("`discard` stands alone");
  if (auto read = fields.status(); !read) return read.error();
  return edit;
}

}  // namespace

std::string DashboardView::to_json() const {
  std::vector<std::string> metrics;
  for (const Metric& metric : dashboard.metrics) {
    metrics.push_back(
        json_object({{"id", json_text(metric.id)}, {"title", json_text(metric.title)}, {"sql", json_text(metric.sql)}}));
  }
  const std::string shown =
      json_object({{"id", json_text(dashboard.id)}, {"title", json_text(dashboard.title)}, {"metrics", json_array(metrics)}});
  return json_object({{"dashboard", shown}, {"draft", is_draft ? "true" : "false"}, {"revision", std::to_string(revision)}});
}

Dashboards::Dashboards(const SampleDatabase& database) : database_(database) {
  for (Dashboard& dashboard : sample_dashboards()) dashboards_.emplace(dashboard.id, std::move(dashboard));
}

void Dashboards::add_to(carillon::RouteHooks& hooks) {
  carillon::RouteResource<DashboardRoute, DashboardEvent> routes;
  routes
      .answer(DashboardRoute::kList, DashboardEvent::kList,
              [this](const carillon::RouteQuestion& asked) { return list(asked); })
      .on(DashboardRoute::kGet, DashboardEvent::kState, [this](const RouteCall& call) { get(call); })
      .on(DashboardRoute::kUpdate, DashboardEvent::kUpdated, [this](const RouteCall& call) { update(call); })
      .unsubscribe(DashboardRoute::kUnsubscribe, DashboardEvent::kUnsubscribed, "dashboard");
  routes.add_to(hooks);
}

// --- What is asked and changed

Result<std::string> Dashboards::list(const carillon::RouteQuestion& question) const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> shown;
  for (const auto& [id, dashboard] : dashboards_) {
    if (!dashboard.owner.empty() && dashboard.owner != question.user.id) continue;
    shown.push_back(json_object({{"id", json_text(id)}, {"title", json_text(dashboard.title)}}));
  }
  return json_array(shown);
}

Result<Dashboard> Dashboards::saved(const RouteUser& user, std::string_view id) const {
  const std::lock_guard lock(mutex_);
  const auto found = dashboards_.find(id);
  if (found == dashboards_.end()) return Error{ErrorKind::kNotFound, "there is no such dashboard"};
  const std::string& owner = found->second.owner;
  if (owner.empty() || owner == user.id) return found->second;
  return Error{ErrorKind::kForbidden, "You don't have permission to access this dashboard"};
}

Result<DashboardView> Dashboards::view(const RouteUser& user, std::string_view id, const RouteState& state) const {
  const std::uint64_t revision = revision_;  // First: who shows more than this is shown it again.
  Result<Dashboard> dashboard = saved(user, id);
  if (!dashboard) return dashboard.error();
  const auto draft = state.draft(channel_of(id));
  if (!draft) return draft.error();
  DashboardView view{.dashboard = *std::move(dashboard), .is_draft = draft->has_value(), .revision = revision, .changed = {}};
  if (!view.is_draft) return view;
  if (auto read = read_draft(view.dashboard, **draft); !read) return read.error();
  return view;
}

Result<DashboardView> Dashboards::change(const RouteUser& user, std::string_view payload, const RouteState& state) {
  const Result<Edit> edit = read_edit(payload);
  if (!edit) return edit.error();
  const std::lock_guard lock(changing_);
  Result<DashboardView> view = this->view(user, edit->id, state);
  if (!view) return view;
  Dashboard& dashboard = view->dashboard;
  const std::string channel = channel_of(edit->id);
  if (edit->title) dashboard.title = *edit->title;
  if (!edit->metric.empty()) {
    const Result<std::string> changed = edit_metric(dashboard, edit->metric);
    if (!changed) return changed.error();
    if (!changed->empty()) view->changed.push_back(*changed);
  }
  if (edit->discard) {
    if (auto dropped = state.drop_draft(channel); !dropped) return dropped.error();
    view = this->view(user, edit->id, state);
    if (!view) return view;
    for (const Metric& metric : view->dashboard.metrics) view->changed.push_back(metric.id);
  } else if (edit->save) {
    if (auto dropped = state.drop_draft(channel); !dropped) return dropped.error();
    view->is_draft = false;
    const std::lock_guard saving(mutex_);
    dashboards_.insert_or_assign(edit->id, dashboard);
  } else {
    if (auto kept = state.set_draft(channel, draft_of(dashboard)); !kept) return kept.error();
    view->is_draft = true;
  }
  view->revision = ++revision_;
  return view;
}

// --- The routes

// Nobody follows a dashboard that they may not see: the question comes first.
void Dashboards::get(const RouteCall& call) const {
  RouteFields fields(call.payload());
  const std::string id = fields.text("id");
  if (auto read = fields.status(); !read) return (void)call.fail(DashboardEvent::kState, read.error());
  if (auto seen = saved(call.user(), id); !seen) return (void)call.fail(DashboardEvent::kState, seen.error());

  const RouteUser& user = call.user();
  const std::string about = json_array({json_object({{"id", json_text(user.id)},
                                                     {"email", json_text(user.email)},
                                                     {"name", json_text(user.name)},
                                                     {"dashboard_id", json_text(id)}})});
  const auto followed = call.follow({.channel = channel_of(id),
                                     .joined = carillon::RouteNews{DashboardEvent::kJoined, about},
                                     .left = carillon::RouteNews{DashboardEvent::kLeft, about},
                                     .card = {}});
  if (!followed) return (void)call.fail(DashboardEvent::kState, followed.error());

  // Only now, so that no change falls between what is shown and what is heard.
  const Result<DashboardView> view = this->view(user, id, call.state());
  if (!view) return (void)call.fail(DashboardEvent::kState, view.error());
  const auto members = call.members(channel_of(id));
  if (!members) return (void)call.fail(DashboardEvent::kState, members.error());
  std::vector<std::string> there;
  for (const carillon::RouteMember& member : *members) there.push_back(member.card);

  // The state is for the tab that asked: the user's others have theirs.
  RouteMessage message{.event = DashboardEvent::kState, .channel = channel_of(id), .sender = SenderIs::kConnection};
  const std::string state = view->to_json();
  message.payload = json_object({{"state", state}, {"members", json_array(there)}});
  (void)call.send(message);
  message.event = DashboardEvent::kFetchingData;
  for (const Metric& metric : view->dashboard.metrics) fetch(call, message, *view, metric);
}

void Dashboards::update(const RouteCall& call) {
  const Result<DashboardView> view = change(call.user(), call.payload(), call.state());
  if (!view) return (void)call.fail(DashboardEvent::kUpdated, view.error());
  const std::string& id = view->dashboard.id;
  RouteMessage message{.event = DashboardEvent::kUpdated,
                       .payload = json_object({{"state", view->to_json()}}),
                       .channel = channel_of(id),
                       .method = SendMethod::kAll};
  (void)call.send(message);
  message.event = DashboardEvent::kFetchingData;
  for (const Metric& metric : view->dashboard.metrics) {
    if (std::ranges::find(view->changed, metric.id) != view->changed.end()) fetch(call, message, *view, metric);
  }
}

void Dashboards::fetch(const RouteCall& call, const RouteMessage& like, const DashboardView& view, const Metric& metric) const {
  RouteMessage message = like;
  message.payload = json_object({{"dashboard_id", json_text(view.dashboard.id)},
                                 {"metric_id", json_text(metric.id)},
                                 {"revision", std::to_string(view.revision)}});
  carillon::RouteProgress progress(call, message);
  (void)progress.step();
  const bool for_all = like.method == SendMethod::kAll;  // They still want to know when the one who asked has gone.
  const Result<SqlTable> table = database_.run(metric.sql, [&] { return !for_all && call.cancelled(); });
  if (table) return (void)progress.complete(json_object({{"data", table->to_json()}}));
  (void)progress.fail(json_object({{"message", json_text(table.error().text)}}));
}

}  // namespace insights
