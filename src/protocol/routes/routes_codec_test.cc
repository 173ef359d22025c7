#include "protocol/routes/routes_codec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/utf8.h"

namespace carillon {
namespace {

using ::testing::HasSubstr;

constexpr std::string_view kPerson = "00112233-4455-6677-8899-aabbccddeeff";

std::string envelope(const Publication& publication, bool with_id = false) {
  std::string out;
  append_publication_envelope(out, publication, {.id = with_id});
  return out;
}

PublicationPtr published(Draft draft) {
  return PublicationPtr(publication_of(std::move(draft)).release());
}

TEST(RoutesReader, ReadsARequest) {
  RoutesReader reader;
  auto request = reader.read(R"( {"route":"\/sql/run","payload":{ "sql" : "select 1" },"more":[1]} )");
  ASSERT_TRUE(request) << request.error().text;
  EXPECT_EQ(request->route, "/sql/run");
  EXPECT_EQ(request->payload, R"({ "sql" : "select 1" })");
  EXPECT_EQ(request->id, "");
  for (const char* const id : {"7", "\"q-\\u00e9\"", "-1.5e3"}) {
    const std::string text = std::string(R"({"id":)") + id + R"(,"payload":null,"route":"/r"})";
    request = reader.read(text);
    ASSERT_TRUE(request);
    EXPECT_EQ(request->id, id);
    EXPECT_EQ(request->payload, "null");
  }
  request = reader.read(R"({"route":"/r","payload":1,"id":null})");
  ASSERT_TRUE(request);
  EXPECT_EQ(request->id, "");
}

TEST(RoutesReader, SaysWhatIsWrongAndKeepsWhatTheAnswerNeeds) {
  RoutesReader reader;
  const std::pair<std::string, const char*> bad[] = {
      {"", "the message is no JSON"},
      {"{", "the message is no JSON"},
      {"[]", "a message is an object"},
      {R"("text")", "a message is an object"},
      {R"({"payload":1})", "`route` is missing"},
      {R"({"route":"/r"})", "`payload` is missing"},
      {R"({"route":1,"payload":1})", "`route` must be a text"},
      {R"({"route":"","payload":1})", "`route` has 1 to 255 bytes"},
      {R"({"route":")" + std::string(256, 'r') + R"(","payload":1})", "`route` has 1 to 255 bytes"},
      {R"({"route":"/r","payload":1,"id":{}})", "`id` must be a text or a number"},
      {R"({"route":"/r","payload":1,"id":true})", "`id` must be a text or a number"},
      {R"({"route":"/r","payload":1,"id":")" + std::string(300, 'i') + "\"}", "`id` may have 256 bytes"},
  };
  for (const auto& [text, why] : bad) {
    const auto request = reader.read(text);
    ASSERT_FALSE(request) << text;
    EXPECT_EQ(request.error().kind, ErrorKind::kInvalid);
    EXPECT_THAT(request.error().text, HasSubstr(why));
  }
  ASSERT_FALSE(reader.read(R"({"id":5,"route":"/r"})"));
  EXPECT_EQ(reader.id(), "5");
  EXPECT_EQ(reader.route(), "/r");
  ASSERT_FALSE(reader.read("nonsense"));
  EXPECT_EQ(reader.id(), "");
  EXPECT_EQ(reader.route(), "");
}

TEST(RoutesReader, OneByteAtATimeIsNoRequestBeforeTheLast) {
  const std::string whole = R"({"route":"/a","payload":{"é":[1,2]},"id":"x"})";
  RoutesReader reader;
  for (std::size_t size = 0; size < whole.size(); ++size) EXPECT_FALSE(reader.read(whole.substr(0, size))) << size;
  EXPECT_TRUE(reader.read(whole));
}

TEST(RoutesEnvelope, HasEveryKeyInItsOrder) {
  std::string out;
  append_envelope(out, {.route = "/sql/run", .event = "runSql", .payload = R"({"rows":[]})"});
  EXPECT_EQ(out, R"({"route":"/sql/run","event":"runSql","payload":{"rows":[]},"sent_by":null,"error":null,)"
                 R"("send_method":"SenderOnly"})");
  out.clear();
  const std::string error = routes_error_json({RouteErrorCode::kBadRequest, "no \"sql\""});
  const std::string sender = sent_by_json({.id = "u1", .name = "Jane"});
  append_envelope(out, {.route = "/r", .event = "e", .sent_by = sender, .error = error, .method = SendMethod::kAll, .id = "7"});
  EXPECT_EQ(out, R"({"route":"/r","event":"e","payload":null,"sent_by":{"id":"u1","name":"Jane"},)"
                 R"("error":{"code":"BAD_REQUEST","message":"no \"sql\""},"send_method":"All","id":7})");
}

TEST(RoutesEnvelope, ErrorsHaveFourCodes) {
  const std::pair<ErrorKind, std::string_view> codes[] = {{ErrorKind::kInvalid, "BAD_REQUEST"},
                                                          {ErrorKind::kUnauthorized, "UNAUTHORIZED"},
                                                          {ErrorKind::kForbidden, "UNAUTHORIZED"},
                                                          {ErrorKind::kNotFound, "NOT_FOUND"},
                                                          {ErrorKind::kConflict, "BAD_REQUEST"},
                                                          {ErrorKind::kTooLarge, "BAD_REQUEST"},
                                                          {ErrorKind::kLimit, "BAD_REQUEST"},
                                                          {ErrorKind::kUnavailable, "INTERNAL_SERVER_ERROR"},
                                                          {ErrorKind::kCorrupt, "INTERNAL_SERVER_ERROR"},
                                                          {ErrorKind::kInternal, "INTERNAL_SERVER_ERROR"}};
  for (const auto& [kind, code] : codes) EXPECT_EQ(route_error_text(route_error({kind, "t"}).code), code);
}

TEST(RoutesEnvelope, WhoHasNoNameIsCalledByTheirId) {
  EXPECT_EQ(sent_by_json({}), "");
  EXPECT_EQ(sent_by_json({.id = "u1"}), R"({"id":"u1","name":"u1"})");
}

TEST(RoutesPublication, FromAHandlerSaysWhatItsTagsSay) {
  Draft draft{.channel = "thread:1", .event = "joinedThread", .payload = Bytes::copy_of("[1]")};
  draft.deliver_to = DeliverTo::kOtherUsers;
  draft.tags = routes_tags(
      {.route = "/threads/get", .method = SendMethod::kAllButSender, .sent_by = R"({"id":"u","name":"U"})", .id = "\"q\""});
  const PublicationPtr publication = published(std::move(draft));
  const std::string start = R"({"route":"/threads/get","event":"joinedThread","payload":[1],"sent_by":{"id":"u","name":"U"},)"
                            R"("error":null,"send_method":"AllButSender")";
  EXPECT_EQ(envelope(*publication), start + "}");
  EXPECT_EQ(envelope(*publication, true), start + R"(,"id":"q"})");
}

TEST(RoutesPublication, FromElsewhereIsAnEnvelopeToo) {
  Draft draft{.channel = "repo:alice/app", .event = "push", .payload = Bytes::copy_of(R"({"ref":"main"})")};
  EXPECT_EQ(
      envelope(*published(std::move(draft))),
      R"({"route":"/repo/alice/app","event":"push","payload":{"ref":"main"},"sent_by":null,"error":null,"send_method":"All"})");
  Draft bytes{.channel = "lobby", .event = "e", .payload = Bytes::copy_of("\xff"), .format = PayloadFormat::kBytes};
  bytes.identity = std::make_shared<const Identity>(Identity{.user = "bob"});
  bytes.deliver_to = DeliverTo::kOtherSessions;
  EXPECT_EQ(
      envelope(*published(std::move(bytes))),
      R"({"route":"/lobby","event":"e","payload":"/w==","sent_by":{"id":"bob","name":"bob"},"error":null,"send_method":"AllButSender"})");
}

TEST(RoutesPublication, ShowsWhereItStandsToThoseWhoAskAndOnlyIfItStandsAnywhere) {
  auto kept = publication_of({.channel = "user:" + std::string(kPerson),
                              .event = "e",
                              .payload = Bytes::copy_of("1"),
                              .tags = routes_tags({.route = "/r", .id = "7"})});
  kept->position = Position{.epoch = 0xab, .offset = 3};
  std::string out;
  append_publication_envelope(out, *kept, {.position = true, .id = true});
  EXPECT_THAT(out, HasSubstr(R"("send_method":"All","position":{"channel":")" + std::string(kPerson) +
                             R"(","epoch":"00000000000000ab","offset":3},"id":7})"));
  kept->position.reset();
  EXPECT_THAT(envelope(*kept), testing::Not(HasSubstr("position")));
}

TEST(RoutesNames, ChannelsMapBothWays) {
  const std::string personal = "user:" + std::string(kPerson);
  EXPECT_EQ(*channel_of_routes(kPerson), personal);
  EXPECT_EQ(routes_of_channel(personal), kPerson);
  EXPECT_EQ(*channel_of_routes(personal), personal);
  for (const char* const same : {"thread:00112233-4455-6677-8899-aabbccddeeff", "user:bob", "lobby", "repo:alice/app/prs"}) {
    EXPECT_EQ(*channel_of_routes(same), same);
    EXPECT_EQ(routes_of_channel(same), same);
  }
  EXPECT_FALSE(channel_of_routes(""));
  EXPECT_FALSE(channel_of_routes("a\nb"));
  EXPECT_EQ(route_of_channel("thread:1"), "/thread/1");
}

TEST(RoutesNames, SendMethods) {
  for (const SendMethod method : {SendMethod::kSenderOnly, SendMethod::kAllButSender, SendMethod::kAll}) {
    EXPECT_EQ(parse_send_method(send_method_text(method)), method);
  }
  EXPECT_FALSE(parse_send_method("all"));
}

}  // namespace
}  // namespace carillon
