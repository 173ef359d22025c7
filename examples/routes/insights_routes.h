// The routes and events of this application, as enumerations: a name that is misspelled does not compile.
#pragma once

#include <carillon/routes.h>

#include <string_view>

namespace insights {

enum class SqlRoute { kRun };
enum class SqlEvent { kRunSql };

enum class DashboardRoute { kList, kGet, kUpdate, kUnsubscribe };
enum class DashboardEvent { kList, kState, kUpdated, kFetchingData, kJoined, kLeft, kUnsubscribed };

enum class ChatRoute { kPost };
enum class ChatEvent { kInitialize, kResponse };

// carillon::RouteName finds these beside the enumerations.
constexpr std::string_view wire_name(SqlRoute) {
  return "/sql/run";
}
constexpr std::string_view wire_name(SqlEvent) {
  return "runSql";
}

constexpr std::string_view wire_name(DashboardRoute route) {
  switch (route) {
    case DashboardRoute::kList: return "/dashboards/list";
    case DashboardRoute::kGet: return "/dashboards/get";
    case DashboardRoute::kUpdate: return "/dashboards/update";
    case DashboardRoute::kUnsubscribe: return "/dashboards/unsubscribe";
  }
  return "";
}
constexpr std::string_view wire_name(DashboardEvent event) {
  switch (event) {
    case DashboardEvent::kList: return "getDashboardsList";
    case DashboardEvent::kState: return "getDashboardState";
    case DashboardEvent::kUpdated: return "updateDashboard";
    case DashboardEvent::kFetchingData: return "fetchingData";
    case DashboardEvent::kJoined: return "joinedDashboard";
    case DashboardEvent::kLeft: return "leftDashboard";
    case DashboardEvent::kUnsubscribed: return "unsubscribed";
  }
  return "";
}

constexpr std::string_view wire_name(ChatRoute) {
  return "/chats/post";
}
constexpr std::string_view wire_name(ChatEvent event) {
  switch (event) {
    case ChatEvent::kInitialize: return "initializeChat";
    case ChatEvent::kResponse: return "generatingResponseMessage";
  }
  return "";
}

}  // namespace insights
