#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "carillon/channel_runtime.h"

namespace carillon {
namespace {

using namespace channel_event;
using channel_outbound::PresenceDiff;
using channel_outbound::PushMessage;
using channel_outbound::Reply;
using channel_outbound::System;

TEST(ChannelText, EveryEventHasItsLabel) {
  EXPECT_EQ(channel_event_label(Join{}), "join");
  EXPECT_EQ(channel_event_label(Rejoin{}), "rejoin");
  EXPECT_EQ(channel_event_label(Leave{}), "leave");
  EXPECT_EQ(channel_event_label(Broadcast{}), "broadcast");
  EXPECT_EQ(channel_event_label(Push{}), "push");
  EXPECT_EQ(channel_event_label(Crash{}), "crash");
  EXPECT_EQ(channel_event_label(Restart{}), "restart");
}

TEST(ChannelText, EveryOutboundHasItsLabel) {
  EXPECT_EQ(channel_outbound_label(Reply{}), "reply");
  EXPECT_EQ(channel_outbound_label(PushMessage{}), "push_message");
  EXPECT_EQ(channel_outbound_label(channel_outbound::BroadcastMessage{}), "broadcast_message");
  EXPECT_EQ(channel_outbound_label(PresenceDiff{}), "presence_diff");
  EXPECT_EQ(channel_outbound_label(System{}), "system");
}

TEST(ChannelText, HoldsAllOfAnOutbound) {
  EXPECT_EQ(channel_outbound_text(Reply{"c", "t", "ok", ""}), R"(reply "c" "t" "ok" "")");
  EXPECT_EQ(channel_outbound_text(PushMessage{"c", "t", "e", "p"}), R"(push_message "c" "t" "e" "p")");
  EXPECT_EQ(channel_outbound_text(System{"crash:t:why", "t"}), R"(system "crash:t:why" "t")");
  EXPECT_EQ(channel_outbound_text(PresenceDiff{"t",
                                               {.joins = {{"u", {{"2", "1", -5, "{}", "c"}, {"3", "", 6, "", "d"}}}},
                                                .leaves = {{"v", {{"1", "", 4, "", "c"}}}}}}),
            R"(presence_diff "t" +"u"[("2" "1" -5 "{}" "c") ("3" "" 6 "" "d")] -"v"[("1" "" 4 "" "c")])");
}

TEST(ChannelText, NamesEveryRecipientOfABroadcast) {
  ChannelRuntime runtime = ChannelRuntime::single_node();
  for (const char* client : {"b", "a", "c"}) runtime.handle(Join{client, "t", "u"});
  runtime.flush();
  runtime.handle(Broadcast{"a", "t", "hello"});
  EXPECT_EQ(channel_outbound_text(runtime.flush().front()), R"(broadcast_message "t" "hello" ["b" "a" "c"])");
  runtime.handle(Broadcast{.client_id = "a", .topic = "t", .payload = "hello", .to_sender = false});
  EXPECT_EQ(channel_outbound_text(runtime.flush().front()), R"(broadcast_message "t" "hello" ["b" "c"])");
}

TEST(ChannelText, IsOneLineWhateverTheTextsHold) {
  EXPECT_EQ(channel_outbound_text(Reply{"a\nb", "\"t\"", "\\n", std::string("\0\x7f", 2)}),
            R"(reply "a\x0ab" "\"t\"" "\\n" "\x00\x7f")");
  EXPECT_EQ(channel_outbound_text(Reply{"Zoë", "t", "ok", ""}), "reply \"Zoë\" \"t\" \"ok\" \"\"");
  EXPECT_NE(channel_outbound_text(Reply{"a\" \"b", "c", "", ""}), channel_outbound_text(Reply{"a", "b\" \"c", "", ""}));
}

}  // namespace
}  // namespace carillon
