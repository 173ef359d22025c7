// A small analytics application with a page, on the routes protocol: SQL, dashboards that people edit together, a chat whose
// answers grow. It sees Carillon's public headers only.
//
//   example_routes [--listen 127.0.0.1:8080] [--pages 127.0.0.1:8081] [--page-folder DIR] [--chat-pause MILLISECONDS]
#include <carillon/server.h>
#include <signal.h>

#include <array>
#include <charconv>
#include <chrono>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "chat.h"
#include "dashboards.h"
#include "insights_routes.h"
#include "page_server.h"
#include "sample_database.h"

namespace {

using carillon::json_object;
using carillon::json_text;
using carillon::Result;
using carillon::RouteUser;
using insights::PageRequest;
using insights::PageResponse;

struct Settings {
  std::string listen = "127.0.0.1:8080";
  std::string pages = "127.0.0.1:8081";
  std::string page_folder = INSIGHTS_PAGE_FOLDER;
  int chat_pause_ms = 60;
};

std::optional<Settings> read_settings(int count, char** words) {
  Settings settings;
  for (int n = 1; n < count; n += 2) {
    const std::string_view name = words[n];
    if (n + 1 == count) return std::nullopt;
    const std::string_view value = words[n + 1];
    if (name == "--listen") {
      settings.listen = value;
    } else if (name == "--pages") {
      settings.pages = value;
    } else if (name == "--page-folder") {
      settings.page_folder = value;
    } else if (name == "--chat-pause") {
      const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), settings.chat_pause_ms);
      if (error != std::errc() || end != value.data() + value.size() || settings.chat_pause_ms < 0) return std::nullopt;
    } else {
      return std::nullopt;
    }
  }
  return settings;
}

// Who shows `demo-ann` is Ann. A real program asks whoever knows its tokens, or lets Carillon check JWTs (auth.jwt_secrets).
std::optional<RouteUser> find_user(std::string_view token) {
  for (const auto& [id, name] :
       {std::pair("ann", "Ann Archer"), std::pair("ben", "Ben Bell"), std::pair("cleo", "Cleo Chime")}) {
    if (token == std::string("demo-") + id) {
      return RouteUser{
          .id = id, .name = name, .email = std::string(id) + "@example.com", .avatar_url = {}, .claims = {}, .data = {}};
    }
  }
  return std::nullopt;
}

carillon::RouteWelcome may_connect(const carillon::RouteVisitor& visitor) {
  if (visitor.user.verified) return {};
  return {.refused_status = 401, .reason = "invalid token", .user = std::nullopt};
}

carillon::ServerOptions server_options(const Settings& settings) {
  carillon::ServerOptions options;
  options.listen = settings.listen;
  options.drain_time = carillon::Milliseconds(100);
  options.log_level = carillon::LogLevel::kWarning;
  options.routes.require_token = true;
  options.routes.idle_time = carillon::Milliseconds(0);  // Who only looks on may do so.
  // Handlers decide who follows what. Nobody gets around them by asking for a channel by its name, on whatever protocol.
  options.channels = {{.match = "**",
                       .history_count = 0,
                       .publish = carillon::ChannelAccess::kNobody,
                       .subscribe = carillon::ChannelAccess::kNobody}};
  return options;
}

// --- The page, and the same questions over HTTP

PageResponse file(const std::string& folder, const std::string& name, std::string type) {
  std::ifstream in(folder + "/" + name, std::ios::binary);
  if (!in) return {.status = 500, .type = "text/plain", .body = "the page is not in " + folder + "\n"};
  return {.status = 200, .type = std::move(type), .body = std::string(std::istreambuf_iterator<char>(in), {})};
}

PageResponse response_of(const Result<std::string>& outcome) {
  if (outcome) return {.body = *outcome};
  const carillon::RouteError error = carillon::route_error(outcome.error());
  constexpr std::array kStatus{500, 404, 401, 400};  // In the order of RouteErrorCode.
  return {.status = kStatus.at(static_cast<std::size_t>(error.code)),
          .body = json_object(
              {{"code", json_text(carillon::route_error_text(error.code))}, {"message", json_text(error.message)}})};
}

class Insights {
 public:
  Insights(const insights::SampleDatabase& database, Settings settings)
      : settings_(std::move(settings)),
        database_(database),
        dashboards_(database),
        chat_(database, std::chrono::milliseconds(settings_.chat_pause_ms)) {}

  Result<void> start() {
    carillon::RouteHooks hooks;
    hooks.find_user = find_user;
    hooks.may_connect = may_connect;
    carillon::RouteResource<insights::SqlRoute, insights::SqlEvent> sql;
    sql.answer(insights::SqlRoute::kRun, insights::SqlEvent::kRunSql,
               [this](const carillon::RouteQuestion& question) { return database_.answer(question); });
    sql.add_to(hooks);
    dashboards_.add_to(hooks);
    chat_.add_to(hooks);

    auto server = carillon::Server::start(server_options(settings_), {}, hooks);
    if (!server) return server.error();
    server_ = *std::move(server);
    auto pages = insights::PageServer::start(settings_.pages, [this](const PageRequest& request) { return answer(request); });
    if (!pages) return pages.error();
    pages_ = *std::move(pages);
    return {};
  }

  std::string page_address() const { return pages_->address(); }
  std::string address() const { return server_->address(); }

 private:
  PageResponse answer(const PageRequest& request) {
    const std::string asked = request.method + " " + request.path;
    if (asked == "GET /") return file(settings_.page_folder, "insights.html", "text/html; charset=utf-8");
    if (asked == "GET /insights.js" || asked == "GET /route_client.js") {
      return file(settings_.page_folder, request.path.substr(1), "text/javascript");
    }
    if (asked == "GET /place.json") return {.body = json_object({{"socket", json_text("ws://" + address() + "/api/v1/ws")}})};
    if (request.path.starts_with("/api/")) return answer_api(asked, request);
    return {.status = 404, .type = "text/plain", .body = "there is no such page\n"};
  }

  // The second way to the same functions: by the name of a route, or by a plain call.
  PageResponse answer_api(const std::string& asked, const PageRequest& request) {
    const std::optional<RouteUser> user = find_user(request.token);
    if (!user) return {.status = 401, .type = "text/plain", .body = "Authorization: Bearer demo-ann\n"};
    constexpr std::string_view kDashboard = "GET /api/dashboards/";
    if (asked == "POST /api/sql/run") return response_of(server_->routes().call("/sql/run", *user, request.body));
    if (asked == "GET /api/dashboards") return response_of(server_->routes().call("/dashboards/list", *user, "{}"));
    if (asked.starts_with(kDashboard)) {
      const auto view = dashboards_.view(*user, asked.substr(kDashboard.size()), server_->routes().state());
      return response_of(view ? Result<std::string>(view->to_json()) : Result<std::string>(view.error()));
    }
    if (asked == "POST /api/chats") {
      return response_of(chat_.answer({.user = *user, .payload = request.body, .cancelled = [] { return false; }}));
    }
    return {.status = 404, .type = "text/plain", .body = "there is no such question\n"};
  }

  const Settings settings_;
  const insights::SampleDatabase& database_;
  insights::Dashboards dashboards_;
  insights::Chat chat_;
  // These call the above, so they end before it.
  std::unique_ptr<carillon::Server> server_;
  std::unique_ptr<insights::PageServer> pages_;
};

int fail(const std::string& text) {
  std::cerr << "example_routes: " << text << '\n';
  return 1;
}

}  // namespace

int main(int count, char** words) {
  const std::optional<Settings> settings = read_settings(count, words);
  if (!settings) return fail("options are --listen, --pages, --page-folder and --chat-pause, each with a value");
  // Before there are threads, so that none of them takes the signal.
  sigset_t stops;
  sigemptyset(&stops);
  sigaddset(&stops, SIGINT);
  sigaddset(&stops, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &stops, nullptr);

  const auto database = insights::SampleDatabase::open();
  if (!database) return fail(database.error().text);
  Insights insights(**database, *settings);
  if (auto started = insights.start(); !started) return fail(started.error().text);
  std::cout << "listening on http://" << insights.address() << "\nthe page is at http://" << insights.page_address() << "/"
            << std::endl;
  int signal = 0;
  sigwait(&stops, &signal);
  return 0;
}
