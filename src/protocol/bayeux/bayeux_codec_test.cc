#include "protocol/bayeux/bayeux_codec.h"

#include <gtest/gtest.h>

#include <array>
#include <limits>

namespace carillon {
namespace {

using std::string_view_literals::operator""sv;
using Texts = std::vector<std::string>;

// A message in a form that compares and outlives its reader.
struct Read {
  std::string channel = {}, id = {}, client_id = {}, data = {}, ext = {};
  bool has_advice = false;
  std::optional<std::uint64_t> timeout = {}, interval = {};
  std::string subscription = {};
  Texts subscriptions = {};
  std::string connection_type = {}, version = {}, minimum_version = {};
  Texts connection_types = {};
  std::string fault = {};
  friend bool operator==(const Read&, const Read&) = default;
};

void PrintTo(const Read& read, std::ostream* out) {
  *out << read.channel << " id " << read.id << " client " << read.client_id << " data " << read.data << " ext " << read.ext
       << " advice " << read.has_advice << ' ' << read.timeout.value_or(0) << ' ' << read.interval.value_or(0)
       << " subscription " << read.subscription << " type " << read.connection_type << " version " << read.version << ' '
       << read.minimum_version << " fault " << read.fault;
  for (const std::string& text : read.subscriptions) *out << " [" << text << "]";
  for (const std::string& text : read.connection_types) *out << " (" << text << ")";
}

Read copy_of(const BayeuxMessage& m) {
  return {.channel = std::string(m.channel),
          .id = std::string(m.id_json),
          .client_id = std::string(m.client_id),
          .data = std::string(m.data_json),
          .ext = std::string(m.ext_json),
          .has_advice = m.has_advice,
          .timeout = m.wishes.timeout,
          .interval = m.wishes.interval,
          .subscription = std::string(m.subscription_json),
          .subscriptions = m.subscriptions,
          .connection_type = std::string(m.connection_type),
          .version = std::string(m.version),
          .minimum_version = std::string(m.minimum_version),
          .connection_types = m.connection_types,
          .fault = std::string(m.fault)};
}

using Messages = std::vector<Read>;

Result<Messages> read_by(BayeuxReader& reader, std::string_view text) {
  // In a block of its own, so that a sanitizer sees a step too far.
  const std::vector<char> bytes(text.begin(), text.end());
  const Result<std::span<const BayeuxMessage>> messages = reader.read({bytes.data(), bytes.size()});
  if (!messages) return messages.error();
  Messages copies;
  for (const BayeuxMessage& message : *messages) copies.push_back(copy_of(message));
  return copies;
}

Messages read(std::string_view text) {
  BayeuxReader reader(100);
  const Result<Messages> messages = read_by(reader, text);
  EXPECT_TRUE(messages) << text;
  return messages ? *messages : Messages{};
}

Read read_one(std::string_view text) {
  const Messages messages = read(text);
  EXPECT_EQ(messages.size(), 1u) << text;
  return messages.size() == 1 ? messages[0] : Read{};
}

std::optional<ErrorKind> refusal(std::string_view text, std::size_t messages_max = 100) {
  BayeuxReader reader(messages_max);
  const Result<Messages> messages = read_by(reader, text);
  if (messages) return std::nullopt;
  EXPECT_FALSE(messages.error().text.empty());
  return messages.error().kind;
}

constexpr std::string_view kHandshake =
    R"([{"id":"1","version":"1.0","minimumVersion":"1.0","channel":"/meta/handshake","supportedConnectionTypes":["long-polling","callback-polling"],"advice":{"timeout":60000,"interval":0}}])";
constexpr std::string_view kBatch =
    R"([{"channel":"/meta/connect","clientId":"c","connectionType":"long-polling","id":"2","advice":{"timeout":0}},)"
    R"( {"channel":"/meta/subscribe","clientId":"c","subscription":"/foo/*","id":"3"},)"
    R"( {"id":"5","channel":"/foo/a","data":{"x":[1,{}]},"clientId":"c","ext":{"ack":1}}])";

TEST(BayeuxCodec, ReadsWhatClientsSend) {
  EXPECT_EQ(read_one(kHandshake), (Read{.channel = "/meta/handshake",
                                        .id = R"("1")",
                                        .has_advice = true,
                                        .timeout = 60000,
                                        .interval = 0,
                                        .version = "1.0",
                                        .minimum_version = "1.0",
                                        .connection_types = {"long-polling", "callback-polling"}}));
  EXPECT_EQ(
      read(kBatch),
      (Messages{{.channel = "/meta/connect",
                 .id = R"("2")",
                 .client_id = "c",
                 .has_advice = true,
                 .timeout = 0,
                 .connection_type = "long-polling"},
                {.channel = "/meta/subscribe",
                 .id = R"("3")",
                 .client_id = "c",
                 .subscription = R"("/foo/*")",
                 .subscriptions = {"/foo/*"}},
                {.channel = "/foo/a", .id = R"("5")", .client_id = "c", .data = R"({"x":[1,{}]})", .ext = R"({"ack":1})"}}));
  EXPECT_EQ(read_one(R"({"channel":"/meta/unsubscribe","subscription":["/a", "/b\u002f**" ,"/a"]})"),
            (Read{.channel = "/meta/unsubscribe",
                  .subscription = R"(["/a", "/b\u002f**" ,"/a"])",
                  .subscriptions = {"/a", "/b/**", "/a"}}));
}

TEST(BayeuxCodec, NoTextIsReadBeforeItsLastByte) {
  for (const std::string_view text : {kHandshake, kBatch}) {
    for (std::size_t size = 0; size < text.size(); ++size) {
      EXPECT_EQ(refusal(text.substr(0, size)), ErrorKind::kInvalid) << text.substr(0, size);
    }
  }
}

TEST(BayeuxCodec, WhatHoldsNoMessagesIsRefusedWhole) {
  for (const char* text : {"", " ", "[]", " [ ] ", "null", "1", "\"a\"", "[1]", "[{},null]", "[[]]", "[{}]]", "{},{}", "[{},]",
                           "{'channel':1}", "\xEF\xBB\xBF[{}]", "[{\"channel\":\"\xFF\"}]", "[{\"a\":\"\\uD800\"}]"}) {
    EXPECT_EQ(refusal(text), ErrorKind::kInvalid) << text;
  }
  EXPECT_EQ(read_one("{}"), Read{});
  EXPECT_EQ(read(" [ {} , {} ] ").size(), 2u);
}

TEST(BayeuxCodec, ARequestHasAsManyMessagesAsMayBe) {
  EXPECT_EQ(refusal("[{},{},{}]", 3), std::nullopt);
  EXPECT_EQ(refusal("[{},{},{},{}]", 3), ErrorKind::kTooLarge);
  EXPECT_EQ(refusal("{}", 1), std::nullopt);
  std::string many = "[{}";
  for (int i = 0; i < 70'000; ++i) many += ",{}";
  many += "]";
  EXPECT_EQ(refusal(many, 3), ErrorKind::kTooLarge);
  EXPECT_EQ(refusal(many, 100'000), std::nullopt);
  std::string wide = R"({"a":1)";
  for (int i = 0; i < 70'000; ++i) wide += R"(,"a":1)";
  wide += "}";
  EXPECT_EQ(refusal(wide), ErrorKind::kTooLarge);
  EXPECT_EQ(refusal("[" + wide + "]"), ErrorKind::kTooLarge);
  EXPECT_EQ(refusal(R"({"data":)" + wide + "}"), std::nullopt);
}

TEST(BayeuxCodec, AWrongTypeRefusesItsMessageAlone) {
  const std::pair<std::string_view, std::vector<std::string_view>> faults[] = {
      {"400::channel_missing", {R"("channel":1)", R"("channel":["/a"])", R"("channel":{})", R"("channel":true)"}},
      {"405::message_id_invalid", {R"("id":{})", R"("id":["1"])", R"("id":true)"}},
      {"402::session_unknown", {R"("clientId":1)", R"("clientId":["c"])", R"("clientId":false)"}},
      {"403::subscription_invalid",
       {R"("subscription":1)", R"("subscription":{})", R"("subscription":[1])", R"("subscription":["/a",null])",
        R"("subscription":["/a",["/b"]])", R"("subscription":false)"}},
      {"400::message_invalid",
       {R"("ext":1)", R"("ext":[])", R"("ext":"{}")", R"("advice":1)", R"("advice":[])", R"("advice":{"timeout":"1"})",
        R"("advice":{"interval":{}})", R"("connectionType":1)", R"("version":1.0)", R"("minimumVersion":1.0)",
        R"("supportedConnectionTypes":"long-polling")", R"("supportedConnectionTypes":{})",
        R"("supportedConnectionTypes":["a",1])"}},
  };
  for (const auto& [fault, members] : faults) {
    for (const std::string_view member : members) {
      const Messages messages = read("[{" + std::string(member) + R"(},{"channel":"/a","id":"2"}])");
      ASSERT_EQ(messages.size(), 2u);
      EXPECT_EQ(messages[0].fault, fault) << member;
      EXPECT_EQ(messages[1], (Read{.channel = "/a", .id = R"("2")"})) << member;
    }
  }
}

TEST(BayeuxCodec, AFaultLeavesTheOtherFieldsToAnswerWith) {
  const Read both =
      read_one(R"({"ext":1,"clientId":2,"id":"7","channel":"/a","subscription":5,"advice":{"timeout":3,"interval":"x"}})");
  EXPECT_EQ(both, (Read{.channel = "/a",
                        .id = R"("7")",
                        .has_advice = true,
                        .timeout = 3,
                        .subscription = "5",
                        .fault = "402::session_unknown"}));
  EXPECT_EQ(read_one(R"({"subscription":[1],"id":[],"channel":5})").fault, "400::channel_missing");
  EXPECT_EQ(read_one(R"({"subscription":[1],"id":[]})").fault, "405::message_id_invalid");
  EXPECT_EQ(read_one(R"({"version":1,"subscription":["/a",1]})"),
            (Read{.subscription = R"(["/a",1])", .fault = "403::subscription_invalid"}));
}

TEST(BayeuxCodec, WhatIsNotThereIsNoFault) {
  EXPECT_EQ(read_one(R"({"channel":null,"id":null,"clientId":null,"ext":null,"advice":null,"subscription":null,)"
                     R"("connectionType":null,"version":null,"minimumVersion":null,"supportedConnectionTypes":null})"),
            Read{});
  EXPECT_EQ(read_one(R"({"data":null})"), Read{.data = "null"});
  EXPECT_EQ(read_one(R"({"channel":"","clientId":"","subscription":[]})"), Read{.subscription = "[]"});
  EXPECT_EQ(read_one(R"({"advice":{}})"), Read{.has_advice = true});
  EXPECT_EQ(read_one(R"({"advice":{"timeout":null,"reconnect":"retry"}})"), Read{.has_advice = true});
  EXPECT_EQ(read_one(R"({"successful":1,"error":{},"timestamp":[],"x":"y","Channel":1})"), Read{});
}

TEST(BayeuxCodec, OfANameThatComesTwiceTheLastCounts) {
  EXPECT_EQ(read_one(R"({"channel":5,"channel":"/a","channel":"/b","id":1,"data":1,"data":null,"id":{},"id":"2"})"),
            (Read{.channel = "/b", .id = R"("2")", .data = "null"}));
  EXPECT_EQ(read_one(R"({"channel":"/a","channel":null,"advice":{"timeout":1,"timeout":2,"interval":1,"interval":null}})"),
            (Read{.has_advice = true, .timeout = 2}));
  EXPECT_EQ(read_one(R"({"subscription":["/a"],"subscription":"/b"})"),
            (Read{.subscription = R"("/b")", .subscriptions = {"/b"}}));
}

TEST(BayeuxCodec, IdsAndDataAreAsTheyCame) {
  for (const char* id : {R"("1")", R"("")", R"("a\u0041\"")", "1", "-1.50e3", "123456789012345678901234567890"}) {
    EXPECT_EQ(read_one(R"({"id": )" + std::string(id) + " }"), Read{.id = id});
  }
  for (const char* data : {"null", "1.0", R"("a\n")", "[ 1,\t2 ]", R"({ "a" : null })", "true"}) {
    EXPECT_EQ(read_one(R"({"data":)" + std::string(data) + "\n}"), Read{.data = data});
  }
}

// Each text that must be decoded stays as it was while others are.
TEST(BayeuxCodec, EscapesAreDecoded) {
  const std::string text =
      R"([{"ch\u0061nnel":"/\u0061","clientId":"c\/1","connectionType":"long\u002dpolling","version":"1\u002e0",)"
      R"("minimumVersion":"\u0030.9","subscription":["\u002fb","/c"],"supportedConnectionTypes":["w\u0073"]},)"
      R"({"channel":"/\ud83d\ude00/)" +
      std::string(300, 'x') + R"(","clientId":"\u0000"}])";
  const Messages messages = read(text);
  ASSERT_EQ(messages.size(), 2u);
  EXPECT_EQ(messages[0], (Read{.channel = "/a",
                               .client_id = "c/1",
                               .subscription = R"(["\u002fb","/c"])",
                               .subscriptions = {"/b", "/c"},
                               .connection_type = "long-polling",
                               .version = "1.0",
                               .minimum_version = "0.9",
                               .connection_types = {"ws"}}));
  EXPECT_EQ(messages[1], (Read{.channel = "/\xF0\x9F\x98\x80/" + std::string(300, 'x'), .client_id = std::string(1, '\0')}));
  EXPECT_EQ(read_one(R"({"id":1,"a":2,"b\"":"\""})"), Read{.id = "1"});
  EXPECT_EQ(read_one(R"({"channel":"\n"})"), Read{.channel = "\n"});
}

TEST(BayeuxCodec, AReaderKeepsNothingOfTheRequestBefore) {
  BayeuxReader reader(100);
  const std::string large = R"([{"channel":"/\u0061)" + std::string(100'000, 'x') + R"("},{"id":1},{"subscription":"/a"}])";
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(read_by(reader, kBatch)->size(), 3u);
    EXPECT_EQ(*read_by(reader, kHandshake), read(kHandshake));
    EXPECT_EQ(*read_by(reader, "[{},{},{}]"), (Messages{{}, {}, {}}));
    EXPECT_FALSE(read_by(reader, "[{},"));
    EXPECT_EQ(*read_by(reader, large), read(large));
    EXPECT_EQ(*read_by(reader, R"({"clientId":"\u0061","channel":1})"),
              (Messages{{.client_id = "a", .fault = "400::channel_missing"}}));
  }
}

TEST(BayeuxCodec, WishesAreWholeMilliseconds) {
  const std::uint64_t most = std::uint64_t{1} << 53;
  const std::pair<std::string_view, std::uint64_t> wishes[] = {
      {"0", 0},
      {"60000", 60000},
      {"1.999", 1},
      {"0.5", 0},
      {"-0", 0},
      {"-1", 0},
      {"-1e300", 0},
      {"1e3", 1000},
      {"1E+3", 1000},
      {"1.2345e2", 123},
      {"12345e-2", 123},
      {"5e-1", 0},
      {"0e9", 0},
      {"0.00012e5", 12},
      {"1e0005", 100000},
      {"9007199254740991", most - 1},
      {"9007199254740992", most},
      {"9007199254740993", most},
      {"18446744073709551616", most},
      {"1e16", most},
      {"1e400", most},
      {"1e99999999999999999999", most},
      {"1e-99999999999999999999", 0},
      {"0e99999999999999999999", 0},
      {"0.1e-400", 0},
  };
  for (const auto& [number, wish] : wishes) {
    const Read message =
        read_one(R"({"advice":{"interval":)" + std::string(number) + R"(,"timeout":)" + std::string(number) + "}}");
    EXPECT_EQ(message, (Read{.has_advice = true, .timeout = wish, .interval = wish})) << number;
  }
}

TEST(BayeuxCodec, AnExtHasMembers) {
  BayeuxReader reader(1);
  const auto messages = reader.read(R"({"channel":"/meta/connect","ext":{"ack":3,"timesync":{"tc":1}}})");
  ASSERT_TRUE(messages);
  const std::optional<JsonDocument> ext = reader.members((*messages)[0].ext_json);
  ASSERT_TRUE(ext);
  EXPECT_EQ(ext->find("ack")->text, "3");
  EXPECT_EQ(ext->find("timesync")->text, R"({"tc":1})");
  EXPECT_EQ(ext->find("other"), nullptr);
  EXPECT_EQ((*messages)[0].channel, "/meta/connect");
  for (const char* none : {"", "[]", "1", "\"a\"", "null", "{"}) EXPECT_FALSE(reader.members(none)) << none;
}

// --- Bodies.

std::optional<Texts> texts_of(std::string_view content_type, std::string_view body) {
  const std::vector<char> type(content_type.begin(), content_type.end()), bytes(body.begin(), body.end());
  const Result<Texts> texts = bayeux_body_texts({type.data(), type.size()}, {bytes.data(), bytes.size()});
  if (!texts) EXPECT_EQ(texts.error().kind, ErrorKind::kInvalid);
  return texts ? std::optional(*texts) : std::nullopt;
}

TEST(BayeuxBody, OfAnyTypeButAFormIsOneText) {
  for (const char* type : {"", "application/json", "application/json;charset=UTF-8", "text/plain", "x", ";", "a/b;charset",
                           "application/json; boundary=x; charset=\"utf-8\"", "application/json ;CHARSET=Utf8",
                           "text/json; x=charset; charset=utf-8;charset=ebcdic"}) {
    EXPECT_EQ(texts_of(type, "[\"\xC3\xA9&message=\"]"), (Texts{"[\"\xC3\xA9&message=\"]"})) << type;
  }
  EXPECT_EQ(texts_of("", ""), Texts{""});
}

TEST(BayeuxBody, AFormHasItsTextsInParameters) {
  for (const char* type : {"application/x-www-form-urlencoded", "Application/X-WWW-Form-UrlEncoded ; charset=utf-8"}) {
    EXPECT_EQ(texts_of(type, "message=%5B%7B%7D%5D"), Texts{"[{}]"}) << type;
    EXPECT_EQ(texts_of(type, "a=1&message=%7B%22a%22:1+2%7D&message=%c3%A9&b"), (Texts{"{\"a\":1 2}", "\xC3\xA9"}));
    EXPECT_EQ(texts_of(type, "a=1"), Texts{});
    EXPECT_EQ(texts_of(type, ""), Texts{});
    EXPECT_EQ(texts_of(type, "message=%ff"), std::nullopt);
  }
  EXPECT_EQ(texts_of("application/x-www-form-urlencoded; charset=iso-8859-1", "message=%e9"), Texts{"\xC3\xA9"});
}

TEST(BayeuxBody, CharsetsAreConverted) {
  for (const char* name :
       {"ISO-8859-1", "iso-8859-1", "latin1", "L1", "\"ISO_8859-1\"", "ISO_8859-1:1987", "cp819", "IBM819"}) {
    EXPECT_EQ(texts_of("a/b; charset=" + std::string(name), "a\xE9\xFF\x80"), Texts{"a\xC3\xA9\xC3\xBF\xC2\x80"}) << name;
  }
  EXPECT_EQ(texts_of("a/b;charset=us-ascii", "abc"), Texts{"abc"});
  EXPECT_EQ(texts_of("a/b;charset=ascii", "ab\x80"), std::nullopt);
  EXPECT_EQ(texts_of("a/b;charset=utf-8", "\xC3"), std::nullopt);
  EXPECT_EQ(texts_of("", "\xED\xA0\x80"), std::nullopt);
  for (const char* name : {"ebcdic", "", "utf-7", "utf-32", "windows-1252", "utf-8 x", "\""}) {
    EXPECT_EQ(texts_of("a/b;charset=" + std::string(name), "abc"), std::nullopt) << name;
  }
}

TEST(BayeuxBody, Utf16IsConverted) {
  const std::string expected = "a\xC2\x80\xE2\x82\xAC\xF0\x9F\x98\x80";
  const std::string_view big = "\0a\0\x80\x20\xAC\xD8\x3D\xDE\x00"sv;
  std::string little;
  for (std::size_t i = 0; i < big.size(); i += 2) little += {big[i + 1], big[i]};
  EXPECT_EQ(texts_of("a/b;charset=UTF-16BE", big), Texts{expected});
  EXPECT_EQ(texts_of("a/b;charset=utf-16le", little), Texts{expected});
  EXPECT_EQ(texts_of("a/b;charset=utf-16", "\xFE\xFF" + std::string(big)), Texts{expected});
  EXPECT_EQ(texts_of("a/b;charset=utf-16", "\xFF\xFE" + little), Texts{expected});
  EXPECT_EQ(texts_of("a/b;charset=utf-16be", ""), Texts{""});
  EXPECT_EQ(texts_of("a/b;charset=utf-16", big), std::nullopt);
  EXPECT_EQ(texts_of("a/b;charset=utf-16", ""), std::nullopt);
  for (const std::string_view wrong :
       {"a"sv, "\0a\0"sv, "\xD8\x3D"sv, "\xD8\x3D\0a"sv, "\xDE\x00"sv, "\xD8\x3D\xD8\x3D"sv, "\xD8\x3D\xDE"sv}) {
    EXPECT_EQ(texts_of("a/b;charset=utf-16be", wrong), std::nullopt);
  }
}

// --- Small texts.

TEST(BayeuxCodec, AGlanceFindsTheClient) {
  EXPECT_EQ(glance_at_client_id(kBatch), "c");
  EXPECT_EQ(glance_at_client_id(kHandshake), "");
  EXPECT_EQ(glance_at_client_id(R"([{"clientId" :
    "abc"}])"),
            "abc");
  EXPECT_EQ(glance_at_client_id(R"({"a":"clientId","clientId":1,"clientId":"x","clientId":"y"})"), "x");
  for (const char* none : {"", "\"clientId\"", "\"clientId\":", "\"clientId\": \"abc", "{\"clientid\":\"x\"}", "clientId:\"x\"",
                           "{\"clientId\":\"\"}"}) {
    EXPECT_EQ(glance_at_client_id(none), "") << none;
  }
}

TEST(BayeuxCodec, VersionsCompareByTheirNumbers) {
  for (const char* version : {"1.0", "1", "0.9", "0", "0.99999999999999999999999", "1.0beta", "1.0.0", "01.00", "1-rc", "1.0_2",
                              "0.9.9.9.9", "1beta.0"}) {
    EXPECT_TRUE(bayeux_version_at_most(version, "1.0")) << version;
  }
  for (const char* version : {"1.1", "2", "1.0.1", "10", "1.00001", "99999999999999999999999", "2.0beta"}) {
    EXPECT_FALSE(bayeux_version_at_most(version, "1.0")) << version;
  }
  for (const char* none : {"", ".", "1.", ".1", "1..0", "a", "1.a", "beta", "-1", " 1", "1.0 ", "1,0", "0.9.", "1.0\xC3\xA9"}) {
    EXPECT_FALSE(bayeux_version_at_most(none, "1.0")) << none;
    EXPECT_FALSE(bayeux_version_at_most("0.1", none)) << none;
  }
  EXPECT_TRUE(bayeux_version_at_most("1.10", "1.10"));
  EXPECT_TRUE(bayeux_version_at_most("1.9", "1.10"));
  EXPECT_FALSE(bayeux_version_at_most("1.10", "1.9"));
  EXPECT_FALSE(bayeux_version_at_most("0.x", "1.0"));
}

TEST(BayeuxCodec, JsonpCallsAFunctionByName) {
  for (const char* name : {"a", "jsonpcallback", "__jsonp1__", "a.b-c_9", "7"}) EXPECT_TRUE(is_jsonp_callback(name)) << name;
  for (const char* name : {"", "a b", "a(", "a;b", "a[0]", "a$", "\xC3\xA9", "a\n", "<script>"}) {
    EXPECT_FALSE(is_jsonp_callback(name)) << name;
  }
  EXPECT_TRUE(is_jsonp_callback(std::string(64, 'a')));
  EXPECT_FALSE(is_jsonp_callback(std::string(65, 'a')));
  EXPECT_EQ(jsonp_body("f", R"([{"a":1}])"), R"(/**/f([{"a":1}]))");
  EXPECT_EQ(jsonp_body("a.b", "[\"\xE2\x80\xA8x\xE2\x80\xA9\xE2\x80\xA7\xE2\x80\"]"),
            "/**/a.b([\"\\u2028x\\u2029\xE2\x80\xA7\xE2\x80\"])");
  EXPECT_EQ(jsonp_body("f", "\xE2\x80"), "/**/f(\xE2\x80)");
}

TEST(BayeuxCodec, IdsForServersThatInsist) {
  for (const char* id : {R"("1")", R"("aZ09-_")", R"("\u0041")"}) EXPECT_TRUE(is_bayeux_id(id)) << id;
  for (const char* id : {"", "1", "null", R"("")", R"("a b")", R"("a.b")", R"("\n")", "\"\xC3\xA9\"", R"("a)"}) {
    EXPECT_FALSE(is_bayeux_id(id)) << id;
  }
}

TEST(BayeuxCodec, CookiesHaveValues) {
  EXPECT_EQ(cookie_value("BAYEUX_BROWSER=abc", "BAYEUX_BROWSER"), "abc");
  EXPECT_EQ(cookie_value("a=1; BAYEUX_BROWSER=abc; b=2", "BAYEUX_BROWSER"), "abc");
  EXPECT_EQ(cookie_value("a=1;b=2;b=3", "b"), "2");
  EXPECT_EQ(cookie_value(" b = x=y ;", "b"), "x=y");
  EXPECT_EQ(cookie_value("b=; b=3", "b"), "");
  for (const char* none : {"", ";", ";;", "b", "B=1", "ab=1", "a=b=1", "bb=1"}) EXPECT_EQ(cookie_value(none, "b"), "") << none;
}

}  // namespace
}  // namespace carillon
