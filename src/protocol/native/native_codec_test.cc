#include "protocol/native/native_codec.h"

#include <gtest/gtest.h>

#include "hub/epoch_text.h"

namespace carillon {
namespace {

std::string fault(std::string_view message) {
  NativeReader reader;
  const Result<NativeCommand> command = reader.read(message);
  if (command) return "was read";
  EXPECT_EQ(command.error().kind, ErrorKind::kInvalid);
  constexpr std::string_view kPrefix = "Invalid message format: ";
  EXPECT_TRUE(command.error().text.starts_with(kPrefix)) << command.error().text;
  return command.error().text.substr(kPrefix.size());
}

std::string id_of(std::string_view message) {
  NativeReader reader;
  static_cast<void>(reader.read(message));
  return std::string(reader.id());
}

constexpr std::string_view kWhole[] = {
    R"({"type":"subscribe","channel":"repo:alice/app"})",
    R"({"type":"subscribe","channel":"room:1","id":"a\"b","recover":{"epoch":"1f","offset":42}})",
    R"({"type":"subscribe","channel":"repo:a/b","id":7,"recover":{"positions":{"repo:a/b":{"epoch":"1","offset":1}}}})",
    R"({"type":"unsubscribe","channel":"repo:alice/app","id":-1.5e3})",
    R"({"type":"ping"})",
    R"({"type":"publish","channel":"room:1","event":"new","data":{"deep":[1,2,{"x":null}]},"idempotency_key":"k","id":null})",
    R"({"type":"history","channel":"room:1","since":{"epoch":"1","offset":0},"limit":10,"reverse":true})",
    R"({"type":"subscriptions","id":1})",
    R"({"type":"subscribe","channel":"room:1","presence":{"watch":false,"join":true,"key":"a\"b","meta":{"x":[1]}}})",
    R"({"type":"join","channel":"room:1","key":"alice","meta":{"mood":"busy"},"id":1})",
    R"({"type":"leave","channel":"room:1"})",
    R"({"type":"presence","channel":"room:1"})",
    R"({"type":"presence_stats","channel":"room:1"})",
    R"({"type":"publish","channel":"room:1","event":"e","data":1,"to":"others"})",
    R"({"type":"subscribe","channel":"jobs","group":"g","start":"beginning","in_flight":4,"visibility_ms":500,"deliveries_max":3})",
    R"({"type":"subscribe","channel":"jobs","group":"g","start":{"epoch":"1","offset":0},"dead_letter":"dead"})",
    R"({"type":"ack","channel":"jobs","group":"g","delivery":["a-1-1","a-2-1"]})",
    R"({"type":"nack","channel":"jobs","group":"g","delivery":"a-1-1","delay_ms":100,"id":1})",
    R"({"type":"extend","channel":"jobs","group":"g","delivery":"a-1-1"})",
    R"(["subscribe","repo:a/b"])",
    R"(["ping"])",
};

TEST(NativeCodec, CommandsOfGuts) {
  NativeReader reader;
  Result<NativeCommand> command = reader.read(R"( { "channel" : "repo:alice\/app", "more" : [1], "type" : "subscribe" } )");
  ASSERT_TRUE(command);
  EXPECT_EQ(command->verb, NativeVerb::kSubscribe);
  EXPECT_EQ(command->channel, "repo:alice/app");
  EXPECT_FALSE(command->recover);
  EXPECT_EQ(reader.id(), "");
  command = reader.read(R"({"type":"unsubscribe","channel":""})");
  EXPECT_EQ(command->verb, NativeVerb::kUnsubscribe);
  EXPECT_EQ(command->channel, "");
  EXPECT_EQ(reader.read(R"({"type":"ping","channel":5})")->verb, NativeVerb::kPing);
}

TEST(NativeCodec, ASequenceIsACommandToo) {
  NativeReader reader;
  EXPECT_EQ(reader.read(R"(["ping"])")->verb, NativeVerb::kPing);
  const Result<NativeCommand> command = reader.read(R"(["subscribe","repo:a/b"])");
  EXPECT_EQ(command->verb, NativeVerb::kSubscribe);
  EXPECT_EQ(command->channel, "repo:a/b");
  EXPECT_EQ(fault("[]"), "missing field `type` at line 1 column 2");
  EXPECT_EQ(fault(R"(["subscribe"])"), "missing field `channel`");
  EXPECT_NE(fault(R"(["subscribe","a","b"])").find("trailing"), std::string::npos);
  EXPECT_EQ(fault(R"([["ping"]])"), "invalid type: sequence, expected a string");
}

TEST(NativeCodec, FaultsReadAsGutsWritesThem) {
  EXPECT_TRUE(
      fault(R"({"type":"foo"})").starts_with("unknown variant `foo`, expected one of `subscribe`, `unsubscribe`, `ping`"));
  EXPECT_EQ(fault("{}"), "missing field `type` at line 1 column 2");
  EXPECT_EQ(fault(R"({"type":"subscribe"})"), "missing field `channel`");
  EXPECT_EQ(fault(""), "EOF while parsing a value at line 1 column 0");
  EXPECT_EQ(fault("not json"), "expected ident at line 1 column 2");
  EXPECT_EQ(fault(R"({"type":"subscribe","channel":5})"), "invalid type: integer `5`, expected a string");
  EXPECT_EQ(fault("null"), "invalid type: null, expected internally tagged enum ClientCommand at line 1 column 4");
  EXPECT_EQ(fault(R"({"type":"subscribe","channel":"a","channel":"b"})"), "duplicate field `channel`");
  EXPECT_EQ(fault(R"({"type":"ping"} x)"), "trailing characters at line 1 column 17");
}

TEST(NativeCodec, EveryFieldMayComeOnce) {
  for (const char* field : {"type", "channel", "event", "data", "idempotency_key", "recover", "since", "limit", "reverse", "id",
                            "presence", "key", "meta", "to"}) {
    const std::string twice = R"({")" + std::string(field) + R"(":1,")" + field + R"(":2})";
    EXPECT_EQ(fault(twice), "duplicate field `" + std::string(field) + "`");
  }
  EXPECT_EQ(fault(R"({"type":"ping","t\u0079pe":"ping"})"), "duplicate field `type`");
  NativeReader reader;
  EXPECT_TRUE(reader.read(R"({"type":"ping","x":1,"x":2})"));
}

TEST(NativeCodec, TypesAreChecked) {
  EXPECT_EQ(fault(R"({"type":1.5})"), "invalid type: floating point `1.5`, expected a string");
  EXPECT_EQ(fault(R"({"type":true})"), "invalid type: boolean `true`, expected a string");
  EXPECT_EQ(fault(R"({"type":"subscribe","channel":null})"), "invalid type: null, expected a string");
  EXPECT_EQ(fault(R"({"type":"subscribe","channel":{}})"), "invalid type: map, expected a string");
  EXPECT_NE(fault(R"({"type":"subscribe","channel":"a","recover":"x"})").find("as recover"), std::string::npos);
  EXPECT_EQ(fault(R"({"type":"publish","channel":"a","data":1})"), "missing field `event`");
  EXPECT_EQ(fault(R"({"type":"publish","channel":"a","event":"e"})"), "missing field `data`");
  EXPECT_NE(fault(R"({"type":"publish","channel":"a","event":"e","data":1,"idempotency_key":1})"), "was read");
  for (const char* limit : {"-1", "1.5", "\"1\"", "null", "1e3", "99999999999999999999"}) {
    EXPECT_NE(fault(R"({"type":"history","channel":"a","limit":)" + std::string(limit) + "}"), "was read") << limit;
  }
  EXPECT_NE(fault(R"({"type":"history","channel":"a","reverse":1})"), "was read");
  EXPECT_NE(fault(R"({"type":"history","channel":"a","since":1})"), "was read");
}

TEST(NativeCodec, IdsComeBackAsTheyWere) {
  EXPECT_EQ(id_of(R"({"type":"ping","id":"a\u0062"})"), R"("a\u0062")");
  EXPECT_EQ(id_of(R"({"type":"ping","id":-12.50e+1})"), "-12.50e+1");
  EXPECT_EQ(id_of(R"({"type":"ping","id":null})"), "");
  EXPECT_EQ(id_of(R"({"type":"nothing","id":5})"), "5");  // Of a command that is refused, too.
  EXPECT_EQ(id_of(R"({"type":"ping","id":")" + std::string(126, 'x') + R"("})").size(), 128u);
  EXPECT_NE(fault(R"({"type":"ping","id":")" + std::string(127, 'x') + R"("})").find("longer than 128"), std::string::npos);
  for (const char* id : {"true", "[1]", "{}"}) {
    EXPECT_NE(fault(R"({"type":"ping","id":)" + std::string(id) + "}"), "was read");
    EXPECT_EQ(id_of(R"({"type":"ping","id":)" + std::string(id) + "}"), "");
  }
  NativeReader reader;
  EXPECT_TRUE(reader.read(R"({"type":"ping","id":1})"));
  EXPECT_TRUE(reader.read(R"({"type":"ping"})"));
  EXPECT_EQ(reader.id(), "");
}

TEST(NativeCodec, RecoverNamesOnePositionOrMany) {
  NativeReader reader;
  const auto recover = [&](std::string text) {
    const Result<NativeCommand> command = reader.read(R"({"type":"subscribe","channel":"c","recover":)" + text + "}");
    return command && command->recover ? *command->recover : std::vector<ChannelPosition>();
  };
  using Positions = std::vector<ChannelPosition>;
  EXPECT_EQ(recover(R"({"epoch":"1f","offset":42})"), (Positions{{"", {0x1f, 42}}}));
  EXPECT_EQ(recover(R"({"positions":{"a":{"offset":1,"epoch":"2"},"b\u0063":{"epoch":"3","offset":4}}})"),
            (Positions{{"a", {2, 1}}, {"bc", {3, 4}}}));
  EXPECT_EQ(recover(R"({"epoch":"5","positions":{"a":{"epoch":"2","offset":1}},"offset":6})"),
            (Positions{{"", {5, 6}}, {"a", {2, 1}}}));
  EXPECT_TRUE(recover(R"({"positions":{}})").empty());
  EXPECT_TRUE(reader.read(R"({"type":"subscribe","channel":"c","recover":{"positions":{}}})")->recover);
  EXPECT_FALSE(reader.read(R"({"type":"subscribe","channel":"c","recover":null})")->recover);
  for (const char* wrong :
       {"{}", R"({"epoch":"1"})", R"({"offset":1})", R"({"epoch":1,"offset":1})", R"({"epoch":"x","offset":1})",
        R"({"epoch":"","offset":1})", R"({"epoch":"1","offset":-1})", R"({"epoch":"1","offset":"1"})",
        R"({"epoch":"11111111111111111","offset":1})", R"({"positions":[]})", R"({"positions":{"a":1}})",
        R"({"positions":{"a":{}}})", R"({"epoch":"1","positions":{}})", "[]", "1", "\"x\"", "true"}) {
    EXPECT_NE(fault(R"({"type":"subscribe","channel":"c","recover":)" + std::string(wrong) + "}"), "was read") << wrong;
  }
}

TEST(NativeCodec, PresenceIsAFlagOrAnObject) {
  NativeReader reader;
  const auto presence = [&](std::string text) {
    const Result<NativeCommand> command = reader.read(R"({"type":"subscribe","channel":"c","presence":)" + text + "}");
    EXPECT_TRUE(command) << text;
    return command ? command->presence : std::nullopt;
  };
  EXPECT_FALSE(presence("false"));
  EXPECT_FALSE(presence("null"));
  for (const char* both : {"true", "{}", R"({"watch":true,"more":1})", R"({"meta":null})"}) {
    const auto read = presence(both);
    ASSERT_TRUE(read);
    EXPECT_TRUE(read->watch && read->join);
    EXPECT_EQ(read->key + read->meta, "");
  }
  const auto read = presence(R"({"watch":false,"join":false,"key":"al\u0069ce","meta": { "a" : 1.0 } })");
  EXPECT_FALSE(read->watch || read->join);
  EXPECT_EQ(read->key, "alice");
  EXPECT_EQ(read->meta, R"({ "a" : 1.0 })");
  for (const char* wrong : {"1", "\"x\"", "[]", R"({"watch":1})", R"({"join":null})", R"({"key":null})", R"({"key":1})",
                            R"({"meta":[]})", R"({"meta":"x"})"}) {
    EXPECT_NE(fault(R"({"type":"subscribe","channel":"c","presence":)" + std::string(wrong) + "}"), "was read") << wrong;
  }
}

TEST(NativeCodec, AJoinSaysWhoAndWhat) {
  NativeReader reader;
  Result<NativeCommand> command = reader.read(R"({"type":"join","channel":"c","key":"a","meta":{"b":1}})");
  ASSERT_TRUE(command);
  EXPECT_EQ(command->presence->key, "a");
  EXPECT_EQ(command->presence->meta, R"({"b":1})");
  command = reader.read(R"({"type":"join","channel":"c"})");
  EXPECT_EQ(command->presence->key + command->presence->meta, "");
  EXPECT_EQ(fault(R"({"type":"join","channel":"c","meta":1})"), "invalid type: integer `1`, expected an object as meta");
  EXPECT_EQ(fault(R"({"type":"join","channel":"c","key":{}})"), "invalid type: map, expected a string");
  EXPECT_EQ(fault(R"({"type":"leave"})"), "missing field `channel`");
}

TEST(NativeCodec, APublishMayBeForOthers) {
  NativeReader reader;
  EXPECT_TRUE(reader.read(R"({"type":"publish","channel":"c","event":"e","data":1,"to":"others"})")->to_others);
  EXPECT_FALSE(reader.read(R"({"type":"publish","channel":"c","event":"e","data":1})")->to_others);
  EXPECT_EQ(fault(R"({"type":"publish","channel":"c","event":"e","data":1,"to":"me"})"),
            "unknown value `me` of `to`, expected `others`");
  EXPECT_NE(fault(R"({"type":"publish","channel":"c","event":"e","data":1,"to":null})"), "was read");
}

TEST(NativeCodec, APublishesDataIsCopiedAsItCame) {
  NativeReader reader;
  const Result<NativeCommand> command =
      reader.read(R"({"type":"publish","channel":"c","event":"\u0065","data": { "a" : 1.0 } ,"idempotency_key":"k\n"})");
  ASSERT_TRUE(command);
  EXPECT_EQ(command->data, R"({ "a" : 1.0 })");
  EXPECT_EQ(command->event, "e");
  EXPECT_EQ(command->idempotency_key, "k\n");
  EXPECT_EQ(reader.read(R"({"type":"publish","channel":"c","event":"e","data":null})")->data, "null");
}

TEST(NativeCodec, NoCommandIsReadBeforeItsLastByte) {
  for (const std::string_view whole : kWhole) {
    NativeReader reader;
    EXPECT_TRUE(reader.read(whole)) << whole;
    for (std::size_t size = 0; size < whole.size(); ++size) {
      // In a block of its own, so that a sanitizer sees a step too far.
      const std::vector<char> bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
      EXPECT_FALSE(reader.read({bytes.data(), bytes.size()})) << whole.substr(0, size);
    }
  }
}

TEST(NativeCodec, AnswersHaveTheKeysOfGutsFirst) {
  EXPECT_EQ(native_subscribed("repo:a/b", "", {}, {.own_name = "repo:a/b"}), R"({"type":"subscribed","channel":"repo:a/b"})");
  const Subscribed outcome{.recovered = true, .positions = {{"c/x", {2, 3}}, {"c", {0x1f, 9}}, {"c/y", {4, 5}}}};
  EXPECT_EQ(native_subscribed("C\"", "\"i\"", outcome, {.own_name = "c", .asked_to_recover = true}),
            R"({"type":"subscribed","channel":"C\"","id":"i",)"
            R"("epoch":")" +
                epoch_text(0x1f) + R"(","offset":9,"positions":{)" + R"("c/x":{"epoch":")" + epoch_text(2) +
                R"(","offset":3},"c/y":{"epoch":")" + epoch_text(4) + R"(","offset":5}},"recovered":true})");
  EXPECT_EQ(native_unsubscribed("c", "1"), R"({"type":"unsubscribed","channel":"c","id":1})");
  EXPECT_EQ(native_pong(""), R"({"type":"pong"})");
  EXPECT_EQ(native_pong("1"), R"({"type":"pong","id":1})");
  EXPECT_EQ(native_error("no \"x\"", "invalid", ""), R"({"type":"error","message":"no \"x\"","code":"invalid"})");
  EXPECT_EQ(native_subscriptions("", {"a", "b"}), R"({"type":"subscriptions","channels":["a","b"]})");
  EXPECT_EQ(native_gap({.channel = "c", .messages = 3}), R"({"type":"gap","channel":"c","missed":3})");
  EXPECT_EQ(native_joined("c", "1", "al\"ice"), R"({"type":"joined","channel":"c","id":1,"key":"al\"ice"})");
  EXPECT_EQ(native_left("c", ""), R"({"type":"left","channel":"c"})");
  EXPECT_EQ(native_ended("c", "over", false), R"({"type":"unsubscribed","channel":"c","reason":"over"})");
  EXPECT_EQ(native_ended("c", "", true), R"({"type":"unsubscribed","channel":"c","reason":"","crashed":true})");
  EXPECT_EQ(native_presence_stats("c", "", {.users = 1, .members = 2}),
            R"({"type":"presence_stats","channel":"c","users":1,"members":2})");
  const PresenceState state{.channel = "c",
                            .entries = {{.key = "a", .metas = {{.ref = "r", .online_at_ms = 5, .client_id = "0/1f"}}}},
                            .counts = {.users = 1, .members = 1}};
  EXPECT_EQ(native_presence_state(state), R"({"type":"presence_state","channel":"c","users":1,"members":1,)"
                                          R"("presence":{"a":{"metas":[{"ref":"r","online_at":5}]}}})");
  EXPECT_EQ(native_presence("C", "7", state, PresenceSessions::kShown),
            R"({"type":"presence","channel":"C","id":7,"users":1,"members":1,)"
            R"("presence":{"a":{"metas":[{"ref":"r","online_at":5,"session":"1f"}]}}})");
  std::string diff;
  append_native_presence_diff(diff, {.channel = "c", .changes = {.joins = {}, .leaves = state.entries}});
  EXPECT_EQ(diff, R"({"type":"presence_diff","channel":"c","joins":{},)"
                  R"("leaves":{"a":{"metas":[{"ref":"r","online_at":5}]}},"users":0,"members":0})");
  EXPECT_EQ(native_history("c", "", {.publications = {}, .complete = true}, EventNames::kDotted),
            R"({"type":"history","channel":"c","complete":true,"more":false,"events":[]})");
}

}  // namespace
}  // namespace carillon
