#include "protocol/infotainer/infotainer.h"

#include "base/uuid_text.h"
#include "protocol/http_error.h"

namespace carillon {
namespace {

// ?v=2, and with it ?bodies=inline.
Result<void> read_form(const HttpRequest& request, InfotainerStart& start) {
  const std::string version = request.query_value("v").value_or("1");
  if (version != "1" && version != "2") return Error{ErrorKind::kInvalid, "parameter `v` must be 1 or 2"};
  if (version == "1") return {};
  start.version = InfotainerVersion::kTwo;
  const std::string bodies = request.query_value("bodies").value_or("apart");
  if (bodies != "apart" && bodies != "inline") return Error{ErrorKind::kInvalid, "parameter `bodies` must be apart or inline"};
  if (bodies == "inline") start.bodies = InfotainerBodies::kInIssues;
  return {};
}

}  // namespace

void InfotainerRoom::add_routes(Routes& routes) {
  routes.add("GET", desk_.common().options.path + "/{session_id}",
             [this](ExchangePtr exchange) { accept(std::move(exchange)); });
}

void InfotainerRoom::accept(ExchangePtr exchange) {
  const HttpRequest& request = exchange->request();
  const std::optional<Uuid> session = parse_uuid(exchange->path_value("session_id"));
  if (!session) return exchange->reply(error_response({ErrorKind::kNotFound, "the path must end in a session's UUID"}));
  Visitor visitor;
  visitor.start.session = *session;
  if (const Result<void> read = read_form(request, visitor.start); !read) return exchange->reply(error_response(read.error()));
  Result<IdentityPtr> identity = identify_(*exchange, {});
  if (!identity) return exchange->reply(refused_identity(identity.error(), request));
  visitor.start.identity = *std::move(identity);
  visitor.user_agent = request.headers.get("User-Agent");
  visitor.exchange = std::move(exchange);
  const std::uint64_t number = ++last_number_;
  const auto parked = visitors_.emplace(number, std::move(visitor)).first;
  Exchange& waiting = *parked->second.exchange;
  waiting.on_gone([this, number] { visitors_.erase(number); });
  desk_.common().read_owner(*session, [this, &loop = desk_.loop(), number](Result<std::string> owner) {
    if (loop.in_loop_thread()) return on_owner(number, owner);
    loop.post([this, number, owner = std::move(owner)] { on_owner(number, owner); });
  });
}

void InfotainerRoom::on_owner(std::uint64_t number, const Result<std::string>& owner) {
  const auto found = visitors_.find(number);
  if (found == visitors_.end()) return;
  Visitor visitor = std::move(found->second);
  visitors_.erase(found);
  if (!owner) return visitor.exchange->reply(error_response(owner.error()));
  const IdentityPtr& identity = visitor.start.identity;
  const bool trusted = identity != nullptr && identity->trusted;
  const bool same = identity != nullptr && identity->verified && identity->user == *owner;
  if (!owner->empty() && !trusted && !same) {
    return visitor.exchange->reply(error_response({ErrorKind::kForbidden, "this session belongs to another user"}));
  }
  open(std::move(visitor));
}

void InfotainerRoom::open(Visitor visitor) {
  visitor.start.user_agent = visitor.user_agent;
  const InfotainerOptions& options = desk_.common().options;
  const WebSocketAcceptance acceptance{.ping_interval = Millis(options.ping_interval), .idle_time = Millis(options.idle_time)};
  visitor.exchange->accept_websocket(acceptance, [this, &visitor](Link& link) -> std::unique_ptr<Dialog> {
    auto dialog = std::make_unique<InfotainerDialog>(desk_, link, visitor.start);
    desk_.loop().post([this, serial = dialog->serial()] {
      if (InfotainerDialog* const there = desk_.find(serial)) there->start();
    });
    return dialog;
  });
}

}  // namespace carillon
