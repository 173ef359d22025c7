#include "protocol/infotainer/infotainer_codec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/uuid_text.h"
#include "wire/cbor/cbor_notation.h"

namespace carillon {
namespace {

using ::testing::ElementsAre;

const Uuid kA = *parse_uuid("00112233445566778899aabbccddeeff");
const Uuid kB = *parse_uuid("ffeeddccbbaa99887766554433221100");
const std::string kAHex = "5000112233445566778899aabbccddeeff";
const std::string kBHex = "50ffeeddccbbaa99887766554433221100";
const std::string kSubscriptionId = "6f737562736372697074696f6e5f6964";
const std::string kSubscribeA = "a169537562736372696265a1" + kSubscriptionId + kAHex;

PublicationPtr publication(PayloadFormat format, std::string_view payload, std::optional<Position> position = {}) {
  auto* const made = new Publication;
  made->id = kB;
  made->event = "e";
  made->time_ms = 5;
  made->format = format;
  made->payload = Bytes::copy_of(payload);
  made->position = position;
  return PublicationPtr(made);
}

std::string notation(std::string_view bytes) {
  CborReader reader(bytes);
  return diagnose(reader);
}

class InfotainerCodecTest : public ::testing::Test {
 protected:
  InfotainerCommand read(std::string_view hex) {
    message_ = from_hex(hex);
    Result<InfotainerCommand> command = one.read(message_);
    EXPECT_TRUE(command) << hex << ": " << command.error().text;
    return command ? *command : InfotainerCommand{};
  }
  std::string fault(std::string_view hex) {
    message_ = from_hex(hex);
    const Result<InfotainerCommand> command = one.read(message_);
    return command ? "no fault" : command.error().text;
  }
  // Version 2, of a message that is written as CborWriter does.
  template <class Write>
  Result<InfotainerCommand> read_two(Write write) {
    message_.clear();
    CborWriter cbor(message_);
    write(cbor);
    return two.read(message_);
  }

  InfotainerReader one{InfotainerVersion::kOne};
  InfotainerReader two{InfotainerVersion::kTwo};

 private:
  std::string message_;
};

TEST_F(InfotainerCodecTest, CommandsAreReadByteForByte) {
  EXPECT_EQ(read(kSubscribeA).verb, InfotainerVerb::kSubscribe);
  EXPECT_EQ(read(kSubscribeA).id, kA);
  const auto unsubscribe = read("a16b556e737562736372696265a1" + kSubscriptionId + kAHex);
  EXPECT_EQ(unsubscribe.verb, InfotainerVerb::kUnsubscribe);
  EXPECT_EQ(unsubscribe.id, kA);
  const auto index = read("a16b4765744c6f67496e646578a1666c6f675f6964" + kAHex);
  EXPECT_EQ(index.verb, InfotainerVerb::kGetLogIndex);
  EXPECT_EQ(index.id, kA);
  const auto entries = read(
      "a16d4765744c6f67456e7472696573a2666c6f675f69645000112233445566778899aabbccddeeff67656e74726965738150ffeeddccbbaa99887766"
      "55"
      "4433221100");
  EXPECT_EQ(entries.verb, InfotainerVerb::kGetLogEntries);
  EXPECT_EQ(entries.id, kA);
  EXPECT_THAT(entries.entries, ElementsAre(kB));
  const auto submit = read(
      "a1715375626d69745075626c69636174696f6ea26f737562736372697074696f6e5f69645000112233445566778899aabbccddeeff6a7375626d6973"
      "73"
      "696f6e831848186918ff");
  EXPECT_EQ(submit.verb, InfotainerVerb::kSubmitPublication);
  EXPECT_EQ(submit.id, kA);
  EXPECT_EQ(submit.submission, "Hi\xff");
}

TEST_F(InfotainerCodecTest, AnswersAreWrittenByteForByte) {
  std::string issue;
  append_infotainer_issue(issue, kA, kB);
  EXPECT_EQ(to_hex(issue), "a1654973737565825000112233445566778899aabbccddeeff50ffeeddccbbaa99887766554433221100");
  EXPECT_EQ(to_hex(infotainer_log_index(kA, std::vector{kB})),
            "a1684c6f67496e646578825000112233445566778899aabbccddeeff8150ffeeddccbbaa99887766554433221100");
  EXPECT_EQ(to_hex(infotainer_log_entries(kA, std::vector{publication(PayloadFormat::kBytes, "Hi")})),
            "a1684c6f67456e74727981a36e7075626c69636174696f6e5f696450ffeeddccbbaa998877665544332211006f737562736372697074696f6e"
            "5f69645000112233445566778899aabbccddeeff64646174618218481869");
  EXPECT_EQ(to_hex(infotainer_log_entries(kA, {})), "a1684c6f67456e74727980");
}

TEST_F(InfotainerCodecTest, OtherFormsThatTheOriginalReadsAreRead) {
  for (const std::string& hex : {
           "8269537562736372696265a1" + kSubscriptionId + kAHex,         // [variant, content]
           "9f69537562736372696265a1" + kSubscriptionId + kAHex + "ff",  // Without a count.
           "980269537562736372696265a1" + kSubscriptionId + kAHex,       // A head that is not the shortest.
           "a16953756273637269626581" + kAHex,                           // Content as an array.
           "a1695375627363726962659f" + kAHex + "ff",                    //
           "a102a100" + kAHex,                                           // Packed.
           "820281" + kAHex,                                             //
           "a11802a11900"
           "00" +
               kAHex,                                                    //
           "a169537562736372696265bf" + kSubscriptionId + kAHex + "ff",  //
           "a169537562736372696265a2"
           "6178"
           "83010203" +
               kSubscriptionId + kAHex,  // A field that nobody knows.
           "a169537562736372696265a2"
           "07"
           "a0" +
               kSubscriptionId + kAHex,
           "a169537562736372696265a1" + kSubscriptionId +
               "5f48"
               "0011223344556677"
               "4888"
               "99aabbccddeeff"
               "ff",
           "a169537562736372696265a1" + kSubscriptionId + "d825" + kAHex,  // A tag within.
           "a149537562736372696265a1" + kSubscriptionId + kAHex,           // Names as byte strings.
       }) {
    EXPECT_EQ(read(hex).verb, InfotainerVerb::kSubscribe) << hex;
    EXPECT_EQ(read(hex).id, kA) << hex;
  }
  const auto chunked = read("a17f6453756273656372696265ffa1" + kSubscriptionId + kAHex);
  EXPECT_EQ(chunked.id, kA);
  const auto entries = read("a101a2019f" + kBHex + kAHex + "ff00" + kAHex);  // Fields in any order.
  EXPECT_THAT(entries.entries, ElementsAre(kB, kA));
  EXPECT_EQ(read("a104"
                 "82" +
                 kAHex + "9f1848ff")
                .submission,
            "H");
  EXPECT_EQ(read("a104"
                 "82" +
                 kAHex + "80")
                .submission,
            "");
}

TEST_F(InfotainerCodecTest, ASubmissionMayBeAByteString) {
  EXPECT_EQ(read("a10482" + kAHex +
                 "43"
                 "4869ff")
                .submission,
            "Hi\xff");
  EXPECT_EQ(read("a10482" + kAHex + "5f41484169ff").submission, "Hi");
}

TEST_F(InfotainerCodecTest, FaultsHaveTheTextsOfTheOriginal) {
  const std::pair<std::string, std::string> cases[] = {
      {"", "EOF while parsing a value"},
      {kSubscribeA.substr(0, 40), "EOF while parsing a value at offset 20"},
      {"bf69537562736372696265a1" + kSubscriptionId + kAHex + "ff", "invalid type: map, expected variant identifier"},
      {"d9d9f7" + kSubscribeA, "invalid type: map, expected variant identifier"},
      {"a2" + kSubscribeA.substr(2) + "0000", "invalid type: map, expected variant identifier"},
      {kSubscribeA + "00", "trailing data at offset 46"},
      {"a169537562736372696265a1" + kSubscriptionId + "63616263", "invalid type: string \"abc\", expected bytes"},
      {"a169537562736372696265a1" + kSubscriptionId + "63610a22", "invalid type: string \"a\\n\\\"\", expected bytes"},
      {"a169537562736372696265a1" + kSubscriptionId + "43010203",
       "UUID parsing failed: invalid bytes length: expected 16, found 3"},
      {"a169537562736372696265a0", "missing field `subscription_id`"},
      {"a1644e6f7065a0",
       "unknown variant `Nope`, expected one of `GetLogIndex`, `GetLogEntries`, `Subscribe`, `Unsubscribe`, "
       "`SubmitPublication`"},
      {"a10482" + kAHex + "01", "invalid type: integer `1`, expected a sequence"},
      {"a10482" + kAHex + "81190100", "invalid value: integer `256`, expected u8"},
      {"a10482" + kAHex + "8120", "invalid value: integer `-1`, expected u8"},
      {"a10482" + kAHex + "816161", "invalid type: string \"a\", expected u8"},
      {"a10482" + kAHex + "81f93e00", "invalid type: floating point `1.5`, expected u8"},
      {"a10482" + kAHex + "81f6", "invalid type: unit value, expected u8"},
      {"a10481" + kAHex, "invalid length 1, expected struct variant ClientCommand::SubmitPublication with 2 elements"},
      {"a10280", "invalid length 0, expected struct variant ClientCommand::Subscribe with 1 element"},
      {"a10282" + kAHex + "00", "trailing data at offset 20"},
      {"a1029f" + kAHex + "00ff", "trailing data at offset 21"},
      {"a10201", "invalid type: integer `1`, expected struct variant ClientCommand::Subscribe"},
      {"a169537562736372696265a2" + kSubscriptionId + kAHex + kSubscriptionId + kAHex, "duplicate field `subscription_id`"},
      {"6161",
       "unknown variant `a`, expected one of `GetLogIndex`, `GetLogEntries`, `Subscribe`, `Unsubscribe`, "
       "`SubmitPublication`"},
      {"a141ffa0",
       "unknown variant `\xEF\xBF\xBD`, expected one of `GetLogIndex`, `GetLogEntries`, `Subscribe`, `Unsubscribe`, "
       "`SubmitPublication`"},
      {"69537562736372696265", "invalid type: unit variant, expected struct variant"},
      {"02", "invalid type: unit variant, expected struct variant"},
      {"09", "invalid value: integer `9`, expected variant index 0 <= i < 5"},
      {"a105a0", "invalid value: integer `5`, expected variant index 0 <= i < 5"},
      {"f5", "invalid type: boolean `true`, expected variant identifier"},
      {"ff", "unexpected code at offset 1"},
      {"1c", "unassigned type at offset 1"},
      {"80", "array too short at offset 1"},
      {"8102", "array too short at offset 2"},
      {"830281" + kAHex + "00", "trailing data at offset 20"},
      {"a102a1"
       "80" +
           kAHex,
       "invalid type: sequence, expected field identifier"},
  };
  for (const auto& [hex, text] : cases) EXPECT_EQ(fault(hex), text) << hex;
}

TEST_F(InfotainerCodecTest, HostileMessagesAreRefused) {
  EXPECT_EQ(fault("a10482" + kAHex + "9b00ffffffffffffff"), "EOF while parsing a value at offset 29");
  EXPECT_EQ(fault("5bffffffffffffffff"), "EOF while parsing a value at offset 9");
  EXPECT_EQ(fault("a102a2"
                  "6178" +
                  [] {
                    std::string deep;
                    for (int i = 0; i < 200; ++i) deep += "81";
                    return deep + "00";
                  }()),
            "recursion limit exceeded at offset 132");
  std::string tags;
  for (int i = 0; i < 10'000; ++i) tags += "c1";
  EXPECT_EQ(fault(tags + kSubscribeA), "invalid type: map, expected variant identifier");
  const std::string whole = from_hex(kSubscribeA);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_FALSE(one.read(std::string_view(whole).substr(0, size)));
    EXPECT_FALSE(two.read(std::string_view(whole).substr(0, size)));
  }
}

TEST_F(InfotainerCodecTest, VersionTwoReadsItsOwnFields) {
  const std::string a(reinterpret_cast<const char*>(kA.bytes.data()), 16);
  const auto publish = read_two([&](CborWriter& cbor) {
    cbor.map(1).text("SubmitPublication").map(6).text("submission").text("{\"a\": 1}").text("format").text("json");
    cbor.text("subscription_id").bytes(a).text("event").text("said").text("idempotency_key").text("k");
    cbor.text("request_id").array(2).number(1).text("x");
  });
  ASSERT_TRUE(publish) << publish.error().text;
  EXPECT_EQ(publish->submission, "{\"a\": 1}");
  EXPECT_EQ(publish->format, PayloadFormat::kJson);
  EXPECT_EQ(publish->event, "said");
  EXPECT_EQ(publish->idempotency_key, "k");
  EXPECT_EQ(notation(two.request_id()), "[1, \"x\"]");

  const auto item = read_two([&](CborWriter& cbor) {
    cbor.map(1).text("SubmitPublication").map(3).text("format").text("cbor").text("subscription_id").bytes(a);
    cbor.text("submission").map(1).number(1).boolean(true);
  });
  ASSERT_TRUE(item);
  EXPECT_EQ(notation(item->submission), "{1: true}");
  EXPECT_EQ(two.request_id(), "");

  const auto index = read_two([&](CborWriter& cbor) {
    cbor.map(1).text("GetLogIndex").map(6).text("log_id").bytes(a).text("after").map(2).text("epoch").text("00000000000000ff");
    cbor.text("offset").number(3).text("limit").number(10).text("reverse").boolean(false).text("from_time").number(-5);
    cbor.text("request_id").number(7);
  });
  ASSERT_TRUE(index) << index.error().text;
  EXPECT_EQ(index->after, (Position{255, 3}));
  EXPECT_EQ(index->limit, 10u);
  EXPECT_EQ(index->from_time_ms, -5);
  EXPECT_EQ(two.request_id(), "\x07");

  const auto topic = read_two([&](CborWriter& cbor) { cbor.map(1).text("CreateTopic").map(1).text("name").text("weather"); });
  ASSERT_TRUE(topic);
  EXPECT_EQ(topic->name, "weather");
  EXPECT_EQ(fault("a16b437265617465546f706963a1646e616d656177").substr(0, 29), "unknown variant `CreateTopic`");
}

TEST_F(InfotainerCodecTest, VersionTwoFaultsKeepTheRequestId) {
  const auto refused = read_two([&](CborWriter& cbor) {
    cbor.map(1).text("Subscribe").map(2).text("subscription_id").text("nonsense").text("request_id").text("r");
  });
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().text, "invalid type: string \"nonsense\", expected bytes");
  EXPECT_EQ(notation(two.request_id()), "\"r\"");
  const auto no_json = read_two([&](CborWriter& cbor) {
    cbor.map(1).text("SubmitPublication").map(3).text("subscription_id").bytes(std::string(16, 'a'));
    cbor.text("format").text("json").text("submission").text("{");
  });
  EXPECT_THAT(no_json.error().text, ::testing::StartsWith("submission is no JSON: "));
  const auto too_long =
      read_two([&](CborWriter& cbor) { cbor.map(1).text("WatchTopics").map(1).text("request_id").text(std::string(64, 'r')); });
  EXPECT_FALSE(too_long);
  EXPECT_EQ(two.request_id(), "");
}

TEST_F(InfotainerCodecTest, VersionTwoAnswersAreMapsWithTheRequestIdInFront) {
  const std::string id = "\x07";
  EXPECT_EQ(notation(infotainer_subscribed(id, {.log = kA, .created = true, .position = Position{255, 3}})),
            "{\"Subscribed\": {\"request_id\": 7, \"subscription_id\": h'00112233445566778899aabbccddeeff', \"created\": true, "
            "\"already\": false, \"position\": {\"epoch\": \"00000000000000ff\", \"offset\": 3}}}");
  EXPECT_EQ(notation(infotainer_subscribed({}, {.log = kA, .already = true, .recovered = false})),
            "{\"Subscribed\": {\"subscription_id\": h'00112233445566778899aabbccddeeff', \"created\": false, "
            "\"already\": true, \"lost\": true}}");
  EXPECT_EQ(notation(infotainer_error(id, {ErrorKind::kNotFound, "no"})),
            "{\"Error\": {\"request_id\": 7, \"code\": \"not_found\", \"message\": \"no\"}}");
  std::string issue;
  append_infotainer_issue_v2(issue, kA, *publication(PayloadFormat::kJson, "[1]", Position{1, 2}), InfotainerBodies::kInIssues);
  EXPECT_EQ(notation(issue),
            "{\"Issue\": {\"subscription_id\": h'00112233445566778899aabbccddeeff', "
            "\"publication_id\": h'ffeeddccbbaa99887766554433221100', \"event\": \"e\", \"time\": 5, "
            "\"epoch\": \"0000000000000001\", \"offset\": 2, \"format\": \"json\", \"data\": [1]}}");
  EXPECT_EQ(notation(infotainer_log_entries_v2(id, kA, std::vector{publication(PayloadFormat::kBytes, "Hi")}, std::vector{kA})),
            "{\"LogEntries\": {\"request_id\": 7, \"log_id\": h'00112233445566778899aabbccddeeff', \"entries\": [{"
            "\"publication_id\": h'ffeeddccbbaa99887766554433221100', \"event\": \"e\", \"time\": 5, \"format\": \"bytes\", "
            "\"data\": h'4869'}], \"missing\": [h'00112233445566778899aabbccddeeff']}}");
}

TEST_F(InfotainerCodecTest, PayloadsOfEveryFormatAreShown) {
  const auto shown = [](PayloadFormat format, std::string_view payload) {
    std::string issue;
    append_infotainer_issue_v2(issue, kA, *publication(format, payload), InfotainerBodies::kInIssues);
    const std::string text = notation(issue);
    return text.substr(text.find("\"format\""));
  };
  EXPECT_EQ(shown(PayloadFormat::kBytes, "\xff"), "\"format\": \"bytes\", \"data\": h'ff'}}");
  EXPECT_EQ(shown(PayloadFormat::kCbor, "\xa1\x01\x02"), "\"format\": \"cbor\", \"data\": {1: 2}}}");
  EXPECT_EQ(shown(PayloadFormat::kCbor, "\xa1\x01"), "\"format\": \"bytes\", \"data\": h'a101'}}");
  EXPECT_EQ(shown(PayloadFormat::kJson, "{\"a\":null}"), "\"format\": \"json\", \"data\": {\"a\": null}}}");
  EXPECT_EQ(shown(PayloadFormat::kJson, "1e999"), "\"format\": \"json_text\", \"data\": \"1e999\"}}");
}

TEST_F(InfotainerCodecTest, CommandsOfQueueGroupsAreRead) {
  const std::string a(reinterpret_cast<const char*>(kA.bytes.data()), 16),
      b(reinterpret_cast<const char*>(kB.bytes.data()), 16);
  const auto join = read_two([&](CborWriter& cbor) {
    cbor.map(1).text("JoinGroup").map(8).text("subscription_id").bytes(a).text("group").text("g").text("in_flight").number(4);
    cbor.text("start").map(2).text("epoch").text("ff").text("offset").number(3).text("visibility_ms").number(5000);
    cbor.text("deliveries_max").number(0).text("dead_letter").bytes(b).text("request_id").number(7);
  });
  ASSERT_TRUE(join) << join.error().text;
  EXPECT_EQ(join->verb, InfotainerVerb::kJoinGroup);
  EXPECT_EQ(join->id, kA);
  EXPECT_EQ(join->group, "g");
  EXPECT_EQ(join->in_flight, 4u);
  EXPECT_EQ(join->wish.start.kind, GroupStart::Kind::kPosition);
  EXPECT_EQ(join->wish.start.position, (Position{255, 3}));
  EXPECT_EQ(join->wish.visibility, Millis{5000});
  EXPECT_EQ(join->wish.deliveries_max, 0u);
  EXPECT_EQ(join->wish.dead_letter, topic_channel(kB));
  EXPECT_EQ(notation(two.request_id()), "7");

  const auto plain = read_two([&](CborWriter& cbor) {
    cbor.map(1).text("JoinGroup").map(4).text("subscription_id").bytes(a).text("group").text("g");
    cbor.text("start").text("beginning").text("dead_letter").text("failed");
  });
  ASSERT_TRUE(plain) << plain.error().text;
  EXPECT_EQ(plain->wish.start.kind, GroupStart::Kind::kBeginning);
  EXPECT_EQ(plain->wish.dead_letter, "failed");
  EXPECT_EQ(plain->in_flight, kGroupInFlightDefault);
  EXPECT_FALSE(plain->wish.visibility || plain->wish.deliveries_max);

  const auto settle = [&](std::string_view verb, std::string_view time) {
    return read_two([&](CborWriter& cbor) {
      cbor.map(1).text(verb).map(4).text("delivery").array(2).text("t1").text("t2").text("group").text("g");
      cbor.text("subscription_id").bytes(a).text(time).number(250);
    });
  };
  for (const auto& [verb, time] : {std::pair{"NackDelivery", "delay_ms"}, {"ExtendDelivery", "visibility_ms"}}) {
    const auto read = settle(verb, time);
    ASSERT_TRUE(read) << read.error().text;
    EXPECT_THAT(read->deliveries, ElementsAre("t1", "t2"));
    EXPECT_EQ(read->time, Millis{250}) << verb;
  }
  EXPECT_FALSE(settle("AckDelivery", "delay_ms")->time) << "a field that it does not have";
}

TEST_F(InfotainerCodecTest, FaultsInCommandsOfQueueGroupsAreNamed) {
  const std::string a(reinterpret_cast<const char*>(kA.bytes.data()), 16);
  const auto fault_of = [&](std::string_view verb, std::string_view field, auto write) {
    const auto read = read_two([&](CborWriter& cbor) {
      cbor.map(1).text(verb).map(3).text("subscription_id").bytes(a).text("group").text("g").text(field);
      write(cbor);
    });
    return read ? "no fault" : read.error().text;
  };
  const auto number = [](std::uint64_t value) { return [value](CborWriter& cbor) { cbor.number(value); }; };
  const auto text = [](std::string_view value) { return [value](CborWriter& cbor) { cbor.text(value); }; };
  EXPECT_EQ(fault_of("JoinGroup", "in_flight", number(0)), "in_flight: 0 is not 1 to 1000");
  EXPECT_EQ(fault_of("JoinGroup", "in_flight", number(1001)), "in_flight: 1001 is not 1 to 1000");
  EXPECT_EQ(fault_of("JoinGroup", "in_flight", text("4")), "invalid type: string \"4\", expected u64");
  EXPECT_EQ(fault_of("JoinGroup", "deliveries_max", number(1001)), "deliveries_max: 1001 is not 0 to 1000");
  EXPECT_EQ(fault_of("JoinGroup", "visibility_ms", number(43'200'001)), "visibility_ms: 43200001 is not 0 to 43200000");
  EXPECT_EQ(fault_of("JoinGroup", "start", text("then")),
            "start: \"then\" is neither \"now\" nor \"beginning\" nor a position");
  EXPECT_EQ(fault_of("JoinGroup", "start", number(3)),
            "invalid type: integer `3`, expected \"now\", \"beginning\" or a position");
  EXPECT_EQ(fault_of("JoinGroup", "start", [](CborWriter& cbor) { cbor.map(1).text("epoch").text("ff"); }),
            "missing field `offset`");
  EXPECT_EQ(fault_of("JoinGroup", "dead_letter", number(3)), "invalid type: integer `3`, expected bytes or a string");
  EXPECT_EQ(fault_of("JoinGroup", "group", text("h")), "duplicate field `group`");
  EXPECT_EQ(fault_of("AckDelivery", "delivery", number(3)),
            "invalid type: integer `3`, expected a string or a sequence of strings");
  EXPECT_EQ(fault_of("AckDelivery", "delivery", [](CborWriter& cbor) { cbor.array(1).number(3); }),
            "invalid type: integer `3`, expected a string");
  EXPECT_EQ(fault_of("AckDelivery", "other", number(3)), "missing field `delivery`");
  EXPECT_EQ(fault_of("LeaveGroup", "other", number(3)), "no fault");
  EXPECT_EQ(fault("a1694a6f696e47726f7570a0").substr(0, 27), "unknown variant `JoinGroup`");
}

TEST_F(InfotainerCodecTest, AnswersOfQueueGroups) {
  const std::string id = "\x07";
  EXPECT_EQ(notation(infotainer_group_joined(id, kA, "g", {.cursor = {255, 3}, .lag = 2, .created = true})),
            "{\"GroupJoined\": {\"request_id\": 7, \"subscription_id\": h'00112233445566778899aabbccddeeff', \"group\": \"g\", "
            "\"created\": true, \"already\": false, \"position\": {\"epoch\": \"00000000000000ff\", \"offset\": 3}, "
            "\"lag\": 2}}");
  EXPECT_EQ(notation(infotainer_group_joined({}, kA, "g", {.cursor = {}, .already = true})),
            "{\"GroupJoined\": {\"subscription_id\": h'00112233445566778899aabbccddeeff', \"group\": \"g\", "
            "\"created\": false, \"already\": true}}");
  EXPECT_EQ(notation(infotainer_group_left(id, kA, "g", true)),
            "{\"GroupLeft\": {\"request_id\": 7, \"subscription_id\": h'00112233445566778899aabbccddeeff', \"group\": \"g\", "
            "\"was_member\": true}}");
  const GroupDelivery delivery{.publication = publication(PayloadFormat::kJson, "[1]", Position{1, 2}),
                               .token = "t",
                               .attempt = 3,
                               .visible_until_ms = 9};
  EXPECT_EQ(notation(infotainer_delivery(kA, "g", delivery)),
            "{\"Delivery\": {\"subscription_id\": h'00112233445566778899aabbccddeeff', \"group\": \"g\", \"delivery\": \"t\", "
            "\"attempt\": 3, \"publication_id\": h'ffeeddccbbaa99887766554433221100', \"event\": \"e\", \"time\": 5, "
            "\"epoch\": \"0000000000000001\", \"offset\": 2, \"format\": \"json\", \"data\": [1]}}");
  const auto settled = [&](GroupSettle::Verb verb) {
    const std::string text = notation(infotainer_settled(id, kA, "g", verb, {.settled = 2, .refused = {"t"}}));
    EXPECT_THAT(text, ::testing::EndsWith("\"group\": \"g\", \"settled\": 2, \"refused\": [\"t\"]}}"));
    return text.substr(0, text.find(':'));
  };
  EXPECT_EQ(settled(GroupSettle::Verb::kAck), "{\"DeliveryAcked\"");
  EXPECT_EQ(settled(GroupSettle::Verb::kNack), "{\"DeliveryNacked\"");
  EXPECT_EQ(settled(GroupSettle::Verb::kExtend), "{\"DeliveryExtended\"");
  EXPECT_EQ(notation(infotainer_group_ended(kA, "g", "why")),
            "{\"GroupEnded\": {\"subscription_id\": h'00112233445566778899aabbccddeeff', \"group\": \"g\", "
            "\"reason\": \"why\"}}");
}

}  // namespace
}  // namespace carillon
