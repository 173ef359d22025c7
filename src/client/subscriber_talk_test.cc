#include "client/subscriber_talk.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "client/subscriber.h"

namespace carillon {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using Kind = SubscriberTalk::Outcome::Kind;

constexpr const char* kPlain = R"({"type":"subscribe","channel":"room:x","id":0})";

std::string event(const std::string& channel, const std::string& epoch, int offset) {
  return R"({"type":"event","channel":")" + channel + R"(","event":"e","data":1,"timestamp":1,"event_id":"i","epoch":")" +
         epoch + R"(","offset":)" + std::to_string(offset) + "}";
}

// Hears an event and says whether it was new.
bool hears(SubscriberTalk& talk, const std::string& channel, const std::string& epoch, int offset) {
  const auto outcome = talk.on_message(event(channel, epoch, offset));
  if (outcome.kind == Kind::kEvent) {
    EXPECT_EQ(outcome.text, event(channel, epoch, offset));
  }
  return outcome.kind == Kind::kEvent;
}

std::string recovering(const std::string& channel, const std::string& positions) {
  return R"({"type":"subscribe","channel":")" + channel + R"(","id":0,"recover":{"positions":{)" + positions + "}}}";
}

TEST(SubscriberTalk, ComesBackWithThePositionItHeardLast) {
  SubscriberTalk talk({.channels = {"room:x"}});
  EXPECT_THAT(talk.on_connected(), ElementsAre(kPlain));
  EXPECT_FALSE(talk.all_confirmed());
  EXPECT_EQ(talk.on_message(R"({"type":"subscribed","channel":"room:x","id":0,"epoch":"a","offset":4})").kind, Kind::kNothing);
  EXPECT_TRUE(talk.all_confirmed());
  EXPECT_THAT(talk.on_connected(), ElementsAre(recovering("room:x", R"("room:x":{"epoch":"a","offset":4})")));
  EXPECT_FALSE(talk.all_confirmed());
  EXPECT_EQ(talk.on_message(R"({"type":"subscribed","id":0,"epoch":"a","offset":6,"recovered":true})").kind, Kind::kNothing);
  EXPECT_TRUE(hears(talk, "room:x", "a", 5));
  // Lost in the middle of the recovery: what was not heard is asked for again.
  EXPECT_THAT(talk.on_connected(), ElementsAre(recovering("room:x", R"("room:x":{"epoch":"a","offset":5})")));
}

TEST(SubscriberTalk, KeepsThePositionOfEveryChannelHeard) {
  SubscriberTalk talk({.channels = {"repo:a/b"}});
  talk.on_connected();
  talk.on_message(
      R"({"type":"subscribed","id":0,"epoch":"1","offset":1,"positions":{"repo:a/b/prs":{"epoch":"2","offset":7}}})");
  EXPECT_TRUE(hears(talk, "repo:a/b/prs", "2", 8));
  EXPECT_TRUE(hears(talk, "repo:a/b/issues", "3", 1));
  EXPECT_TRUE(hears(talk, "repo:a/bc", "9", 1)) << "printed, though it is not known through what it was heard";
  EXPECT_THAT(talk.on_connected(), ElementsAre(recovering("repo:a/b", R"("repo:a/b":{"epoch":"1","offset":1},)"
                                                                      R"("repo:a/b/issues":{"epoch":"3","offset":1},)"
                                                                      R"("repo:a/b/prs":{"epoch":"2","offset":8})")));
}

TEST(SubscriberTalk, AChannelThatWasEmptyIsAskedForFromItsBeginning) {
  SubscriberTalk talk({.channels = {"room:x"}});
  talk.on_connected();
  talk.on_message(R"({"type":"subscribed","channel":"room:x","id":0})");
  EXPECT_THAT(talk.on_connected(), ElementsAre(recovering("room:x", "")));
}

TEST(SubscriberTalk, SaysWhatCouldNotBeRecovered) {
  SubscriberTalk talk({.channels = {"room:x"}});
  talk.on_connected();
  talk.on_message(R"({"type":"subscribed","id":0,"epoch":"a","offset":4})");
  talk.on_connected();
  const auto outcome = talk.on_message(R"({"type":"subscribed","id":0,"epoch":"b","offset":2,"recovered":false})");
  EXPECT_EQ(outcome.kind, Kind::kNotice);
  EXPECT_EQ(outcome.text, "room:x: some events could not be recovered");
  // What is kept of the new epoch still follows, so its beginning is where this client stands.
  EXPECT_THAT(talk.on_connected(), ElementsAre(recovering("room:x", R"("room:x":{"epoch":"b","offset":0})")));
  talk.on_message(R"({"type":"subscribed","id":0,"epoch":"b","offset":2,"recovered":true})");
  EXPECT_TRUE(hears(talk, "room:x", "b", 1));
}

TEST(SubscriberTalk, BeginsWhereItIsTold) {
  SubscriberTalk since({.channels = {"room:x"}, .recover = {}, .since_beginning = true});
  EXPECT_THAT(since.on_connected(), ElementsAre(recovering("room:x", "")));

  SubscriberTalk after({.channels = {"room:x"}, .recover = ClientPosition{"1f", 12}});
  const char* first = R"({"type":"subscribe","channel":"room:x","id":0,"recover":{"epoch":"1f","offset":12}})";
  EXPECT_THAT(after.on_connected(), ElementsAre(first));
  EXPECT_THAT(after.on_connected(), ElementsAre(first)) << "until it was confirmed";
  EXPECT_EQ(after.on_message(R"({"type":"subscribed","id":0,"epoch":"1f","offset":14,"recovered":true})").kind, Kind::kNothing);
  EXPECT_THAT(after.on_connected(), ElementsAre(recovering("room:x", R"("room:x":{"epoch":"1f","offset":12})")));
}

TEST(SubscriberTalk, TwoSubscriptionsPrintARecoveredEventOnce) {
  SubscriberTalk talk({.channels = {"repo:a/b", "repo:a/b/prs"}});
  talk.on_connected();
  talk.on_message(R"({"type":"subscribed","id":0,"positions":{"repo:a/b/prs":{"epoch":"1","offset":3}}})");
  talk.on_message(R"({"type":"subscribed","id":1,"epoch":"1","offset":3})");
  EXPECT_TRUE(hears(talk, "repo:a/b/prs", "1", 4));
  EXPECT_FALSE(hears(talk, "repo:a/b/prs", "1", 4));
  EXPECT_TRUE(hears(talk, "repo:a/b/prs", "1", 5));
  EXPECT_TRUE(hears(talk, "repo:a/b/prs", "2", 1)) << "another epoch counts anew";
}

TEST(SubscriberTalk, EventsWithoutPositionAreAlwaysNew) {
  SubscriberTalk talk({.channels = {"room:x"}});
  talk.on_connected();
  const std::string fleeting = R"({"type":"event","channel":"room:x","event":"e","data":1,"timestamp":1,"event_id":"i"})";
  EXPECT_EQ(talk.on_message(fleeting).kind, Kind::kEvent);
  EXPECT_EQ(talk.on_message(fleeting).kind, Kind::kEvent);
}

TEST(SubscriberTalk, AnEventIsOneLine) {
  SubscriberTalk talk({.channels = {"room:x"}});
  const auto outcome = talk.on_message("{\"type\":\"event\",\"data\":{\r\n \"a\": \"\\n\"\n}}");
  EXPECT_EQ(outcome.text, R"({"type":"event","data":{ "a": "\n"}})");
}

TEST(SubscriberTalk, WhoComesAndGoesIsALineEach) {
  SubscriberTalk talk({.channels = {"room:x"}, .recover = {}, .presence = true});
  EXPECT_EQ(talk.on_connected()[0], R"({"type":"subscribe","channel":"room:x","id":0,"presence":{"join":false}})");
  SubscriberTalk::Outcome outcome = talk.on_message(
      R"({"type":"presence_state","channel":"room:x","users":2,"members":3,"presence":{"al\"ice":{"metas":[{"ref":"1","online_at":5},)"
      R"({"ref":"2","online_at":6,"meta":{ "a":[1] }}]},"bob":{"metas":[{"ref":"3","online_at":7}]}}})");
  EXPECT_EQ(outcome.kind, Kind::kPresence);
  EXPECT_EQ(outcome.text, R"({"type":"present","channel":"room:x","key":"al\"ice","ref":"1","online_at":5})"
                          "\n"
                          R"({"type":"present","channel":"room:x","key":"al\"ice","ref":"2","online_at":6,"meta":{ "a":[1] }})"
                          "\n"
                          R"({"type":"present","channel":"room:x","key":"bob","ref":"3","online_at":7})"
                          "\n");
  outcome = talk.on_message(
      R"({"type":"presence_diff","channel":"room:x","joins":{"bob":{"metas":[{"ref":"4"}]}},"leaves":{"bob":{"metas":[{"ref":"3"}]}}})");
  EXPECT_EQ(outcome.text, R"({"type":"leave","channel":"room:x","key":"bob","ref":"3"})"
                          "\n"
                          R"({"type":"join","channel":"room:x","key":"bob","ref":"4"})"
                          "\n");
  outcome = talk.on_message(R"({"type":"presence_stats","channel":"room:x","users":9,"members":9})");
  EXPECT_EQ(outcome.text, "{\"type\":\"presence_stats\",\"channel\":\"room:x\",\"users\":9,\"members\":9}\n");
  for (const char* odd : {R"({"type":"presence_state"})", R"({"type":"presence_diff","joins":[],"leaves":{"a":1}})",
                          R"({"type":"presence_diff","joins":{"a":{"metas":[1,[]]}}})"}) {
    EXPECT_EQ(talk.on_message(odd).text, "") << odd;
  }
}

TEST(SubscriberTalk, AClosedChannelIsOverACrashedOneIsTriedAgain) {
  SubscriberTalk talk({.channels = {"room:x"}});
  SubscriberTalk::Outcome outcome = talk.on_message(R"({"type":"unsubscribed","channel":"room:x","reason":"over"})");
  EXPECT_EQ(outcome.kind, Kind::kRefused);
  EXPECT_EQ(outcome.text, "room:x: the server ended the subscription: over");
  outcome = talk.on_message(R"({"type":"unsubscribed","channel":"room:x","reason":"oh","crashed":true})");
  EXPECT_EQ(outcome.kind, Kind::kLater);
}

TEST(SubscriberTalk, TellsRefusalsApart) {
  SubscriberTalk talk({.channels = {"repo:x"}});
  talk.on_connected();
  const auto refused = talk.on_message(R"({"type":"error","message":"invalid channel: …","code":"invalid","id":0})");
  EXPECT_EQ(refused.kind, Kind::kRefused);
  EXPECT_EQ(refused.text, "repo:x: invalid channel: …");
  EXPECT_EQ(talk.on_message(R"({"type":"error","message":"starting","code":"unavailable","id":0})").kind, Kind::kLater);
  EXPECT_EQ(talk.on_message(R"({"type":"error","message":"hm"})").kind, Kind::kNotice);
  EXPECT_THAT(talk.on_message(R"({"type":"gap","channel":"room:x","missed":3})").text, HasSubstr("room:x: 3 events were lost"));
}

TEST(SubscriberTalk, ShowsAnAnnouncementWhateverItIs) {
  SubscriberTalk talk({.channels = {"room:x"}});
  const auto outcome = talk.on_message("back in \nfive minutes");
  EXPECT_EQ(outcome.kind, Kind::kNotice);
  EXPECT_EQ(outcome.text, "the server says: back in five minutes");
}

TEST(SubscriberTalk, AnyMessageIsHeardWithoutHarm) {
  SubscriberTalk talk({.channels = {"room:x"}});
  talk.on_connected();
  for (const char* message :
       {"", "null", "[]", "{}", "{", R"({"type":5})", R"({"type":"subscribed"})", R"({"type":"subscribed","id":99})",
        R"({"type":"subscribed","id":0,"positions":[]})", R"({"type":"subscribed","id":0,"positions":{"c":5}})",
        R"({"type":"event"})", R"({"type":"event","channel":"room:x","epoch":5,"offset":"a"})", R"({"type":"error","id":-1})",
        R"({"type":"pong"})"}) {
    static_cast<void>(talk.on_message(message));
  }
  EXPECT_THAT(talk.on_connected(), ElementsAre(recovering("room:x", "")));
}

TEST(Backoff, GrowsToItsLongestWithJitter) {
  using std::chrono::milliseconds;
  Backoff backoff(milliseconds(100), milliseconds(300));
  EXPECT_EQ(backoff.next(0), milliseconds(100));
  EXPECT_EQ(backoff.next(0), milliseconds(200));
  EXPECT_EQ(backoff.next(150), milliseconds(150));
  for (const std::uint32_t random : {0u, 1u, 149u, 150u, 151u, 4'000'000'000u}) {
    const milliseconds wait = backoff.next(random);
    EXPECT_GE(wait, milliseconds(150));
    EXPECT_LE(wait, milliseconds(300));
  }
  backoff.reset();
  EXPECT_EQ(backoff.next(0), milliseconds(100));
}

TEST(SubscriberTalk, AMemberOfAGroupAcknowledgesWhatItWasTold) {
  SubscriberTalk talk(
      {.channels = {"jobs"}, .since_beginning = true, .group = SubscriberGroup{.name = "workers", .in_flight = 4}});
  const std::string join =
      R"({"type":"subscribe","channel":"jobs","id":0,"group":"workers","start":"beginning","in_flight":4})";
  EXPECT_THAT(talk.on_connected(), ElementsAre(join));
  EXPECT_EQ(talk.on_message(R"({"type":"subscribed","channel":"jobs","group":"workers","id":0,"epoch":"a","offset":4})").kind,
            Kind::kNothing);
  EXPECT_TRUE(talk.all_confirmed());
  const std::string delivery = R"({"type":"event","channel":"jobs","data":1,"group":"workers","delivery":"a-1-1","attempt":1})";
  for (int i = 0; i < 2; ++i) {
    const auto outcome = talk.on_message(delivery);
    EXPECT_EQ(outcome.kind, Kind::kEvent) << "what comes again is told again";
    EXPECT_EQ(outcome.text, delivery);
    EXPECT_EQ(outcome.reply, R"({"type":"ack","channel":"jobs","group":"workers","delivery":"a-1-1"})");
  }
  EXPECT_EQ(talk.on_message(R"({"type":"error","message":"late","code":"conflict"})").kind, Kind::kNotice);
  EXPECT_THAT(talk.on_connected(), ElementsAre(join));
  EXPECT_EQ(
      talk.on_message(R"({"type":"unsubscribed","channel":"jobs","group":"workers","reason":"the group was deleted"})").kind,
      Kind::kRefused);
}

TEST(SubscriberTalk, OrDoesNot) {
  SubscriberTalk talk({.channels = {"jobs"}, .group = SubscriberGroup{.name = "workers", .acknowledge = false}});
  talk.on_connected();
  EXPECT_EQ(talk.on_message(R"({"type":"event","channel":"jobs","delivery":"a-1-1"})").reply, "");
}

}  // namespace
}  // namespace carillon
