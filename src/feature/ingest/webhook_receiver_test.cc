#include "feature/ingest/webhook_receiver.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "feature/ingest/webhook_signature.h"
#include "hub/epoch_text.h"

namespace carillon {
namespace {

using testing::HasSubstr;

constexpr std::string_view kRepository =
    R"("repository":{"name":"app","full_name":"alice/app","owner":{"login":"alice"}},"sender":{"login":"bob"}})";
const std::string kPush =
    R"({"ref":"refs/heads/main","before":"aa","after":"bb","commits":[],"pusher":{"name":"bob"},)" + std::string(kRepository);
const std::string kRenamed =
    R"({"action":"renamed","changes":{"repository":{"name":{"from":"old"}}},)" + std::string(kRepository);

class FakeExchange final : public Exchange {
 public:
  FakeExchange(HttpRequest request, std::vector<HttpResponse>& answers) : request_(std::move(request)), answers_(answers) {}
  ~FakeExchange() override {
    if (!answered_) answers_.push_back(HttpResponse::error(500, "internal", "destroyed without an answer"));
  }

  const HttpRequest& request() const override { return request_; }
  PeerAddress peer() const override { return {"127.0.0.1:5000", true}; }
  const PathValues& path_values() const override { return path_values_; }
  void on_gone(Task) override { ADD_FAILURE(); }
  void on_drain(Task) override { ADD_FAILURE(); }
  void reply(HttpResponse response, ReplySent) override {
    EXPECT_FALSE(answered_);
    answered_ = true;
    answers_.push_back(std::move(response));
  }
  void open_stream(HttpResponse, StreamOptions, OpenDialog) override { ADD_FAILURE(); }
  void accept_websocket(WebSocketAcceptance, OpenDialog) override { ADD_FAILURE(); }

 private:
  HttpRequest request_;
  const PathValues path_values_;
  std::vector<HttpResponse>& answers_;
  bool answered_ = false;
};

class FakeRoutes final : public Routes {
 public:
  void add(std::string_view method, std::string_view path, RouteHandler handler) override {
    handlers_[std::string(method) + " " + std::string(path)] = std::move(handler);
  }
  void call(const std::string& route, ExchangePtr exchange) {
    ASSERT_TRUE(handlers_.contains(route)) << route;
    handlers_[route](std::move(exchange));
  }

 private:
  std::map<std::string, RouteHandler> handlers_;
};

class WebhookReceiverTest : public testing::Test {
 protected:
  using Completion = UniqueFunction<void(Result<Receipt>)>;

  void serve(WebhookReceiver::Options options = {}, WebhookReceiver::AdmitFunction admit = {}) {
    receiver_.emplace(
        std::move(options),
        [this](Draft draft, Completion done) {
          drafts_.push_back(std::move(draft));
          completions_.push_back(std::move(done));
          if (at_once_) complete(completions_.size() - 1);
        },
        std::move(admit));
    receiver_->add_routes(routes_);
  }

  // Completes like an engine would: a key seen on a channel is not published again.
  void complete(std::size_t i) {
    const Draft& draft = drafts_[i];
    Receipt receipt;
    receipt.id.bytes[15] = static_cast<std::uint8_t>(i + 1);
    receipt.repeated = !draft.idempotency_key.empty() && !keys_.insert({draft.channel, draft.idempotency_key}).second;
    if (with_history_) receipt.position = Position{0xABC, i + 1};
    completions_[i](receipt);
  }

  HttpRequest github(std::string_view event, std::string body, std::string_view delivery = "d-1") {
    HttpRequest request;
    request.method = "POST";
    request.headers.add("Content-Type", "application/json");
    if (!event.empty()) request.headers.add("X-GitHub-Event", event);
    if (!delivery.empty()) request.headers.add("X-GitHub-Delivery", delivery);
    request.body = std::move(body);
    return request;
  }

  // The answer, or status 0 while there is none.
  HttpResponse post(HttpRequest request, const std::string& path = "/webhooks/github") {
    const std::size_t before = answers_.size();
    routes_.call("POST " + path, std::make_unique<FakeExchange>(std::move(request), answers_));
    return answers_.size() > before ? answers_.back() : HttpResponse{.status = 0, .headers = {}, .body = {}};
  }

  std::optional<WebhookReceiver> receiver_;
  FakeRoutes routes_;
  std::vector<Draft> drafts_;
  std::vector<Completion> completions_;
  std::vector<HttpResponse> answers_;
  std::set<std::pair<std::string, std::string>> keys_;
  bool at_once_ = true;
  bool with_history_ = false;
};

constexpr std::string_view kFirstId = "00000000-0000-0000-0000-000000000001";

TEST_F(WebhookReceiverTest, PublishesAndTellsWhere) {
  serve();
  const HttpResponse answer = post(github("push", kPush));
  EXPECT_EQ(answer.status, 202);
  EXPECT_EQ(answer.headers.get("Content-Type").substr(0, 16), "application/json");
  EXPECT_EQ(answer.body, R"({"delivery":"d-1","events":[{"channel":"repo:alice/app","event":"push","id":")" +
                             std::string(kFirstId) + R"("}]})");
  ASSERT_EQ(drafts_.size(), 1u);
  EXPECT_EQ(drafts_[0].channel, "repo:alice/app");
  EXPECT_EQ(drafts_[0].event, "push");
  EXPECT_EQ(drafts_[0].format, PayloadFormat::kJson);
  EXPECT_EQ(drafts_[0].idempotency_key, "github:d-1:0");
  EXPECT_THAT(std::string(drafts_[0].payload.view()), HasSubstr(R"("ref":"refs/heads/main","before":"aa","after":"bb")"));
}

TEST_F(WebhookReceiverTest, TellsThePositionWhereThereIsHistory) {
  with_history_ = true;
  serve();
  EXPECT_THAT(post(github("push", kPush)).body, HasSubstr(R"("epoch":")" + epoch_text(0xABC) + R"(","offset":1}])"));
}

TEST_F(WebhookReceiverTest, ARedeliveryPublishesNothingNew) {
  serve();
  EXPECT_EQ(post(github("push", kPush)).status, 202);
  const HttpResponse again = post(github("push", kPush));
  EXPECT_EQ(again.status, 200);
  EXPECT_THAT(again.body, HasSubstr(R"("repeated":true})"));
  EXPECT_EQ(post(github("push", kPush, "d-2")).status, 202) << "another delivery";
}

TEST_F(WebhookReceiverTest, WithoutADeliveryIdEachIsNew) {
  serve();
  EXPECT_EQ(post(github("push", kPush, "")).status, 202);
  EXPECT_EQ(post(github("push", kPush, "")).status, 202);
  EXPECT_EQ(drafts_[0].idempotency_key, "");
  EXPECT_THAT(answers_[0].body, HasSubstr(R"({"delivery":"",)"));
}

TEST_F(WebhookReceiverTest, AnswersWhenTheLastEventIsPublished) {
  at_once_ = false;
  serve();
  EXPECT_EQ(post(github("repository", kRenamed)).status, 0);
  ASSERT_EQ(drafts_.size(), 2u);
  EXPECT_EQ(drafts_[0].idempotency_key, "github:d-1:0");
  EXPECT_EQ(drafts_[1].idempotency_key, "github:d-1:1");
  complete(1);
  EXPECT_TRUE(answers_.empty());
  complete(0);
  ASSERT_EQ(answers_.size(), 1u);
  EXPECT_EQ(answers_[0].status, 202);
  EXPECT_THAT(answers_[0].body, testing::MatchesRegex(R"(.*"repo:alice/app",.*"repo:alice/old",.*)"));
}

TEST_F(WebhookReceiverTest, AfterHalfAFailureARedeliveryCompletesTheRest) {
  at_once_ = false;
  serve();
  post(github("repository", kRenamed));
  complete(0);
  completions_[1](Error{ErrorKind::kUnavailable, "the engine is away"});
  ASSERT_EQ(answers_.size(), 1u);
  EXPECT_EQ(answers_[0].status, 503);
  EXPECT_EQ(answers_[0].body, R"({"error":{"code":"unavailable","message":"the engine is away"}})");
  post(github("repository", kRenamed));
  complete(2);
  complete(3);
  EXPECT_EQ(answers_[1].status, 202) << "one of the two was new";
}

TEST_F(WebhookReceiverTest, PublishFailuresHaveTheirStatus) {
  at_once_ = false;
  serve();
  const auto status_of = [&](ErrorKind kind) {
    post(github("push", kPush));
    completions_.back()(Error{kind, "x"});
    return answers_.back().status;
  };
  EXPECT_EQ(status_of(ErrorKind::kUnavailable), 503);
  EXPECT_EQ(status_of(ErrorKind::kLimit), 507);
  EXPECT_EQ(status_of(ErrorKind::kTooLarge), 413);
  EXPECT_EQ(status_of(ErrorKind::kInternal), 500);
}

TEST_F(WebhookReceiverTest, ADroppedCompletionIsAnsweredByTheExchange) {
  at_once_ = false;
  serve();
  post(github("push", kPush));
  completions_.clear();
  ASSERT_EQ(answers_.size(), 1u);
  EXPECT_EQ(answers_[0].status, 500);
}

TEST_F(WebhookReceiverTest, ChecksTheSignatureWhenThereIsASecret) {
  serve({.github_secrets = {"new", "s3cret"}});
  HttpRequest request = github("push", kPush);
  EXPECT_EQ(post(request).status, 401) << "not signed";
  request.headers.set("X-Hub-Signature-256", "sha256=" + webhook_signature("wrong", kPush));
  EXPECT_EQ(post(request).status, 401);
  EXPECT_THAT(answers_.back().body, HasSubstr(R"({"error":{"code":"unauthorized",)"));
  request.headers.set("X-Hub-Signature-256", "nonsense");
  EXPECT_EQ(post(request).status, 401);
  request.headers.set("X-Hub-Signature-256", "sha256=" + webhook_signature("s3cret", kPush));
  HttpRequest changed = request;
  changed.body[2] = 'x';
  EXPECT_EQ(post(changed).status, 401);
  EXPECT_TRUE(drafts_.empty());
  EXPECT_EQ(post(request).status, 202);
}

TEST_F(WebhookReceiverTest, AStrangerLearnsNothingButThatHeIsOne) {
  serve({.github_secrets = {"s3cret"}});
  EXPECT_EQ(post(github("", "not json")).status, 401);
}

TEST_F(WebhookReceiverTest, WithoutASecretTheAdmissionDecides) {
  serve({.gitea_secrets = {"s"}}, [](const Exchange& exchange) -> Result<void> {
    if (exchange.request().headers.get("Authorization") == "Bearer key") return {};
    return Error{ErrorKind::kUnauthorized, "show the key"};
  });
  HttpRequest request = github("push", kPush);
  EXPECT_EQ(post(request).status, 401);
  request.headers.add("Authorization", "Bearer key");
  EXPECT_EQ(post(request).status, 202);
  EXPECT_EQ(post(request, "/webhooks/gitea").status, 401) << "a key is no signature";
}

TEST_F(WebhookReceiverTest, GiteaSignsWithoutAPrefix) {
  serve({.github_secrets = {"other"}, .gitea_secrets = {"s3cret"}});
  for (const std::string name : {"Gitea", "Forgejo", "Gogs"}) {
    HttpRequest request;
    request.headers.add("content-type", "application/json; charset=utf-8");
    request.headers.add("X-" + name + "-Event", "push");
    request.headers.add("X-" + name + "-Delivery", "d-" + name);
    request.headers.add("X-" + name + "-Signature", webhook_signature("s3cret", kPush));
    request.body = kPush;
    EXPECT_EQ(post(request, "/webhooks/gitea").status, 202) << name;
    EXPECT_EQ(drafts_.back().idempotency_key, "gitea:d-" + name + ":0");
    request.headers.set("X-" + name + "-Signature", webhook_signature("other", kPush));
    EXPECT_EQ(post(request, "/webhooks/gitea").status, 401) << name;
  }
  HttpRequest request = github("push", kPush);
  request.headers.add("X-Hub-Signature-256", "sha256=" + webhook_signature("s3cret", kPush));
  EXPECT_EQ(post(request, "/webhooks/gitea").status, 202);
}

TEST_F(WebhookReceiverTest, FormsAreRead) {
  serve({.github_secrets = {"s3cret"}});
  HttpRequest request = github("push", "payload=%7B%22ref%22%3A%22refs%2Fheads%2Fa+b%22%2C" +
                                           std::string("%22repository%22%3A%7B%22full_name%22%3A%22alice%2Fapp%22%7D%7D"));
  request.headers.set("Content-Type", "application/x-www-form-urlencoded");
  request.headers.set("X-Hub-Signature-256", "sha256=" + webhook_signature("s3cret", request.body));
  EXPECT_EQ(post(request).status, 202);
  EXPECT_THAT(std::string(drafts_[0].payload.view()), HasSubstr(R"("ref":"refs/heads/a b")"));
}

TEST_F(WebhookReceiverTest, AFormWithoutAPayloadIsRefusedAndCurlsDefaultIsNot) {
  serve();
  HttpRequest request = github("push", "other=1");
  request.headers.set("Content-Type", "application/x-www-form-urlencoded");
  EXPECT_EQ(post(request).status, 400);
  request.body = "";
  EXPECT_EQ(post(request).status, 400);
  request.body = " " + kPush;
  EXPECT_EQ(post(request).status, 202);
}

TEST_F(WebhookReceiverTest, RefusesWhatIsNoDelivery) {
  serve();
  HttpRequest request = github("push", kPush);
  for (const char* type : {"text/plain", "application/xml", "multipart/form-data", "application/jsonx"}) {
    request.headers.set("Content-Type", type);
    EXPECT_EQ(post(request).status, 415) << type;
  }
  EXPECT_EQ(post(github("", kPush)).status, 400);
  EXPECT_THAT(answers_.back().body, HasSubstr("X-GitHub-Event"));
  EXPECT_EQ(post(github("", kPush), "/webhooks/gitea").status, 400);
  EXPECT_THAT(answers_.back().body, HasSubstr("X-Gitea-Event"));
  EXPECT_EQ(post(github("pu sh", kPush)).status, 400);
  EXPECT_EQ(post(github("push", kPush, std::string(129, 'd'))).status, 400);
  EXPECT_EQ(post(github("push", "[]")).status, 400);
  EXPECT_EQ(post(github("issues", kPush)).status, 400);
  EXPECT_THAT(answers_.back().body, HasSubstr("issue.number"));
  EXPECT_TRUE(drafts_.empty());
}

TEST_F(WebhookReceiverTest, EveryPrefixOfADeliveryIsRefused) {
  serve();
  for (std::size_t size = 0; size < kPush.size(); ++size) {
    ASSERT_EQ(post(github("push", kPush.substr(0, size))).status, 400) << size;
  }
  HttpRequest form = github("push", "");
  form.headers.set("Content-Type", "application/x-www-form-urlencoded");
  const std::string whole = "payload=%7B%22a%22%3A1%7D";
  for (std::size_t size = 0; size < whole.size(); ++size) {
    form.body = whole.substr(0, size);
    ASSERT_EQ(post(form).status, 400) << size;
  }
  EXPECT_TRUE(drafts_.empty());
}

TEST_F(WebhookReceiverTest, PathsAndRawFollowTheOptions) {
  serve({.mapping = {.keep_raw = true}, .github_path = "/hooks/gh"});
  EXPECT_EQ(post(github("push", kPush), "/hooks/gh").status, 202);
  EXPECT_THAT(std::string(drafts_[0].payload.view()), HasSubstr(R"("raw":{"ref":)"));
}

}  // namespace
}  // namespace carillon
