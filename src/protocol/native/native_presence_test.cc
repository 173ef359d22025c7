// Presence in the native protocol: who may be present as whom, what is said and in which order.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/memory/hub_double.h"
#include "hub/session_text.h"
#include "protocol/native/native_double.h"

namespace carillon {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::MatchesRegex;
using ::testing::Not;
using ::testing::StartsWith;

// One client of a hub with one loop.
class NativeClient : public NativeDouble {
 public:
  NativeClient(World& world, NativeRoom& room, IdentityPtr identity = nullptr)
      : NativeDouble(
            world.shards[0]->frame_memory(), [&world] { world.settle(); }, room, std::move(identity)) {}
};

// The presence of somebody with one meta, as a regular expression.
std::string one(const std::string& key, const std::string& meta = {}) {
  const std::string more = meta.empty() ? "" : R"(,"meta":)" + meta;
  return R"re(\{")re" + key + R"re(":\{"metas":\[\{"ref":"[^"]+","online_at":1700000000000)re" + more + R"re(\}\]\}\})re";
}

class NativePresenceTest : public ::testing::Test {
 protected:
  explicit NativePresenceTest(World::Options options = {.loops = 1}) : world(options) {}

  std::unique_ptr<NativeClient> client(const std::string& user, bool trusted = false) {
    return std::make_unique<NativeClient>(
        world, room, std::make_shared<const Identity>(Identity{.user = user, .trusted = trusted, .verified = true}));
  }
  // Somebody who is present in "bare" and hears who is.
  std::unique_ptr<NativeClient> come(const std::string& user) {
    auto newcomer = client(user);
    newcomer->say(R"({"type":"subscribe","channel":"bare","presence":true})");
    return newcomer;
  }

  World world;
  NativeRoom room{*world.shards[0], world.durable, [](const Exchange&, std::string_view) { return IdentityPtr(); }, {}, {},
                  "carillon/test"};
};

TEST_F(NativePresenceTest, TheAnswerThenWhoIsThereThenWhatChanges) {
  auto alice = client("alice");
  EXPECT_THAT(alice->say(R"({"type":"subscribe","channel":"bare","presence":true,"id":1})"),
              ElementsAre(R"({"type":"subscribed","channel":"bare","id":1,"key":"alice"})",
                          MatchesRegex(R"re(\{"type":"presence_state","channel":"bare","users":1,"members":1,"presence":)re" +
                                       one("alice") + "\\}")));
  auto bob = come("bob");
  EXPECT_THAT(alice->hear(), ElementsAre(MatchesRegex(R"re(\{"type":"presence_diff","channel":"bare","joins":)re" + one("bob") +
                                                      R"re(,"leaves":\{\},"users":2,"members":2\})re")));
  bob.reset();
  EXPECT_THAT(alice->hear(),
              ElementsAre(MatchesRegex(R"re(\{"type":"presence_diff","channel":"bare","joins":\{\},"leaves":)re" + one("bob") +
                                       R"re(,"users":1,"members":1\})re")));
}

TEST_F(NativePresenceTest, WatchingAndBeingThereAreTwoThings) {
  auto alice = come("alice");
  auto watcher = client("bob");
  EXPECT_THAT(watcher->say(R"({"type":"subscribe","channel":"bare","presence":{"join":false}})"),
              ElementsAre(R"({"type":"subscribed","channel":"bare"})", StartsWith(R"({"type":"presence_state")")));
  EXPECT_THAT(alice->hear(), IsEmpty());
  auto quiet = client("cid");
  EXPECT_THAT(quiet->say(R"({"type":"subscribe","channel":"bare","presence":{"watch":false}})"),
              ElementsAre(R"({"type":"subscribed","channel":"bare","key":"cid"})"));
  EXPECT_THAT(alice->hear(), ElementsAre(HasSubstr(R"("joins":{"cid")")));
  EXPECT_THAT(watcher->hear(), ElementsAre(HasSubstr(R"("joins":{"cid")")));
  alice.reset();
  EXPECT_THAT(quiet->hear(), IsEmpty());
}

TEST_F(NativePresenceTest, AChangeIsOneDiff) {
  auto alice = come("alice");
  EXPECT_THAT(alice->say(R"({"type":"join","channel":"bare","meta":{ "mood" : "busy" },"id":"j"})"),
              ElementsAre(R"({"type":"joined","channel":"bare","id":"j","key":"alice"})",
                          MatchesRegex(R"re(\{"type":"presence_diff","channel":"bare","joins":)re" +
                                       one("alice", R"re(\{ "mood" : "busy" \})re") + R"re(,"leaves":)re" + one("alice") +
                                       R"re(,"users":1,"members":1\})re")));
}

TEST_F(NativePresenceTest, WhoLeavesGoesOnHearing) {
  auto alice = come("alice");
  EXPECT_THAT(alice->say(R"({"type":"leave","channel":"bare","id":1})"),
              ElementsAre(R"({"type":"left","channel":"bare","id":1})", HasSubstr(R"("leaves":{"alice")")));
  EXPECT_THAT(alice->say(R"({"type":"leave","channel":"bare"})"), ElementsAre(R"({"type":"left","channel":"bare"})"));
  world.publish("bare", "1");
  auto bob = come("bob");
  EXPECT_THAT(alice->hear(), ElementsAre(StartsWith(R"({"type":"event")"), HasSubstr(R"("joins":{"bob")")));
}

TEST_F(NativePresenceTest, UnsubscribingLeaves) {
  auto alice = come("alice");
  auto bob = come("bob");
  alice->hear();
  EXPECT_THAT(bob->say(R"({"type":"unsubscribe","channel":"bare"})"),
              ElementsAre(R"({"type":"unsubscribed","channel":"bare"})"));
  EXPECT_THAT(alice->hear(), ElementsAre(HasSubstr(R"("leaves":{"bob")")));
  EXPECT_THAT(bob->say(R"({"type":"join","channel":"bare","id":1})"),
              ElementsAre(R"({"type":"error","message":"presence: subscribe to the channel first","code":"conflict","id":1})"));
}

TEST_F(NativePresenceTest, NobodyTakesAnothersName) {
  auto alice = client("alice");
  EXPECT_THAT(alice->say(R"({"type":"subscribe","channel":"bare","presence":{"key":"bob"},"id":1})"),
              ElementsAre(MatchesRegex(R"re(\{"type":"error","message":"presence key: .*","code":"forbidden","id":1\})re")));
  EXPECT_THAT(alice->say(R"({"type":"subscriptions"})"), ElementsAre(R"({"type":"subscriptions","channels":[]})"))
      << "refused as a whole";
  EXPECT_THAT(alice->say(R"({"type":"subscribe","channel":"bare","presence":{"key":"alice"}})"),
              ElementsAre(HasSubstr(R"("key":"alice")"), StartsWith(R"({"type":"presence_state")")));
  EXPECT_THAT(alice->say(R"({"type":"join","channel":"bare","key":"bob"})"), ElementsAre(HasSubstr("forbidden")));
  auto backend = client("backend", true);
  EXPECT_THAT(backend->say(R"({"type":"subscribe","channel":"bare","presence":{"watch":false,"key":"bob"}})"),
              ElementsAre(HasSubstr(R"("key":"bob")")));
  NativeClient nobody(world, room);
  EXPECT_THAT(nobody.say(R"({"type":"subscribe","channel":"bare","presence":{"watch":false}})"),
              ElementsAre(HasSubstr(R"("key":"anonymous:)" + session_text(nobody.dialog->session().id()) + '"')));
}

TEST_F(NativePresenceTest, WhatIsRefusedIsRefusedBeforeSubscribing) {
  auto alice = client("alice");
  const std::string huge = R"({"m":")" + std::string(2000, 'x') + R"("})";
  EXPECT_THAT(alice->say(R"({"type":"subscribe","channel":"secret","presence":true})"), ElementsAre(HasSubstr("forbidden")));
  EXPECT_THAT(alice->say(R"({"type":"subscribe","channel":"bare","presence":{"meta":)" + huge + "}}"),
              ElementsAre(HasSubstr(R"("code":"limit")")));
  EXPECT_THAT(alice->say(R"({"type":"subscribe","channel":"repo:a/b","presence":true})"),
              ElementsAre(HasSubstr("hears several channels")));
  EXPECT_THAT(alice->say(R"({"type":"subscribe","channel":"all","presence":true})"),
              ElementsAre(HasSubstr("hears several channels")));
  EXPECT_THAT(alice->say(R"({"type":"subscriptions"})"), ElementsAre(R"({"type":"subscriptions","channels":[]})"));
  EXPECT_THAT(alice->say(R"({"type":"join","channel":"bare"})"), ElementsAre(HasSubstr(R"("code":"conflict")")));
  EXPECT_THAT(alice->say(R"({"type":"subscribe","channel":"repo:a/b/prs","presence":true})"),
              ElementsAre(StartsWith(R"({"type":"subscribed")"), StartsWith(R"({"type":"presence_state")")));
}

TEST_F(NativePresenceTest, WhoIsThereIsAnsweredToo) {
  auto alice = come("alice");
  auto second = come("alice");
  auto asker = client("bob");
  const auto list = asker->say(R"({"type":"presence","channel":"bare","id":1})");
  ASSERT_EQ(list.size(), 1u);
  EXPECT_THAT(list[0], StartsWith(R"({"type":"presence","channel":"bare","id":1,"users":1,"members":2,"presence":{"alice")"));
  EXPECT_THAT(list[0], Not(HasSubstr("session")));
  EXPECT_THAT(asker->say(R"({"type":"presence_stats","channel":"bare","id":2})"),
              ElementsAre(R"({"type":"presence_stats","channel":"bare","id":2,"users":1,"members":2})"));
  EXPECT_THAT(asker->say(R"({"type":"presence","channel":"secret","id":3})"), ElementsAre(HasSubstr("forbidden")));
  EXPECT_THAT(asker->say(R"({"type":"presence_stats","channel":"secret","id":4})"), ElementsAre(HasSubstr("forbidden")));
  auto trusted = client("ops", true);
  EXPECT_THAT(trusted->say(R"({"type":"presence","channel":"bare"})"),
              ElementsAre(HasSubstr(R"("session":")" + session_text(alice->dialog->session().id()) + '"')));
}

TEST_F(NativePresenceTest, AClosedChannelIsTold) {
  auto alice = come("alice");
  const auto close = [&](bool crash) {
    world.hub->close_channel(*world.loops[0], {.channel = "bare", .reason = "over", .crash = crash}, [](std::size_t) {});
  };
  close(false);
  EXPECT_THAT(alice->hear(), ElementsAre(R"({"type":"unsubscribed","channel":"bare","reason":"over"})"));
  alice->say(R"({"type":"subscribe","channel":"bare","presence":true})");
  close(true);
  EXPECT_THAT(alice->hear(), ElementsAre(R"({"type":"unsubscribed","channel":"bare","reason":"over","crashed":true})"));
}

TEST_F(NativePresenceTest, SubscribingAgainSaysItAnew) {
  auto alice = come("alice");
  EXPECT_THAT(alice->say(R"({"type":"subscribe","channel":"bare","presence":{"meta":{"x":1}}})"),
              ElementsAre(R"({"type":"subscribed","channel":"bare","key":"alice"})",
                          AllOf(StartsWith(R"({"type":"presence_state")"), HasSubstr(R"("meta":{"x":1})"))));
}

TEST_F(NativePresenceTest, ARecoveryAndPresenceGoTogether) {
  world.publish("room:1", "1");
  auto alice = client("alice");
  alice->say(R"({"type":"subscribe","channel":"room:1"})");
  const auto told = alice->say(R"({"type":"subscribe","channel":"room:1","presence":true,"recover":{"epoch":"1","offset":7}})");
  ASSERT_EQ(told.size(), 3u);
  EXPECT_THAT(told[0], HasSubstr(R"("recovered":false,"key":"alice"})"));
  EXPECT_THAT(told[1], StartsWith(R"({"type":"event")"));
  EXPECT_THAT(told[2], StartsWith(R"({"type":"presence_state")"));
}

TEST_F(NativePresenceTest, WhatIsForOthersDoesNotComeBack) {
  auto alice = come("alice");
  auto bob = come("bob");
  alice->hear();
  EXPECT_THAT(bob->say(R"({"type":"publish","channel":"bare","event":"typing","data":1,"to":"others"})"),
              ElementsAre(StartsWith(R"({"type":"published")")));
  EXPECT_THAT(alice->hear(), ElementsAre(StartsWith(R"({"type":"event","channel":"bare","event":"typing")")));
}

class CrowdedPresenceTest : public NativePresenceTest {
 protected:
  CrowdedPresenceTest() : NativePresenceTest({.loops = 1, .hub = {.presence_list_max = 2}}) {}
};

TEST_F(CrowdedPresenceTest, ACrowdIsOnlyCounted) {
  auto alice = come("alice");
  auto bob = come("bob");
  alice->hear();
  auto cid = client("cid");
  EXPECT_THAT(cid->say(R"({"type":"subscribe","channel":"bare","presence":true})"),
              ElementsAre(StartsWith(R"({"type":"subscribed")"),
                          R"({"type":"presence_stats","channel":"bare","users":3,"members":3})"));
  EXPECT_THAT(alice->hear(), IsEmpty());
  world.loops[0]->advance(Millis(1100));
  EXPECT_THAT(alice->hear(), ElementsAre(R"({"type":"presence_stats","channel":"bare","users":3,"members":3})"));
  EXPECT_THAT(alice->say(R"({"type":"presence","channel":"bare"})"), ElementsAre(HasSubstr(R"("cid")")))
      << "who asks is told in full";
  cid.reset();
  bob.reset();
  EXPECT_THAT(alice->hear(), ElementsAre(AllOf(StartsWith(R"({"type":"presence_state")"), HasSubstr(R"("members":1)"))));
}

}  // namespace
}  // namespace carillon
