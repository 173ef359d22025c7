#include "protocol/bayeux/bayeux_channel.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <vector>

#include "hub/channel_name.h"
#include "wire/json/json_slicer.h"

namespace carillon {
namespace {

constexpr BayeuxAlphabet kCometd = BayeuxAlphabet::kCometd, kStrict = BayeuxAlphabet::kStrict;
constexpr BayeuxAlphabet kAlphabets[] = {kCometd, kStrict};

std::string kind_of(std::string_view text, BayeuxAlphabet alphabet = kCometd) {
  const Result<BayeuxChannelKind> kind = bayeux_channel_kind(text, alphabet);
  if (!kind) return kind.error().kind == ErrorKind::kInvalid ? "none" : "another error";
  switch (*kind) {
    case BayeuxChannelKind::kMeta: return "meta";
    case BayeuxChannelKind::kService: return "service";
    case BayeuxChannelKind::kBroadcast: return "broadcast";
    case BayeuxChannelKind::kWildcard: return "wildcard";
  }
  return "?";
}

std::string canonical(std::string_view text, BayeuxAlphabet alphabet = kCometd) {
  const Result<std::string> name = canonical_of_bayeux(text, alphabet);
  if (!name) EXPECT_EQ(name.error().kind, ErrorKind::kInvalid) << text;
  return name ? *name : "none";
}

bool hears(std::string_view pattern, std::string_view bayeux_channel) {
  const Result<Selector> selector = bayeux_selector(pattern, kCometd);
  return selector && selector->matches(canonical(bayeux_channel));
}

struct NameCase {
  std::string_view text;
  std::string_view subscribed;  // The kind of it as a subscription.
  bool published;               // Whether one may publish to it.
};

// The names that the channel tables of other servers try. Where ours differ: a name never ends in '/', for that would be a
// second name of a channel; and `/` alone is none.
constexpr NameCase kNames[] = {
    {"", "none", false},
    {"/", "none", false},
    {"//", "none", false},
    {"a", "none", false},
    {"*", "none", false},
    {"**", "none", false},
    {"a/b", "none", false},
    {"*/", "none", false},
    {"/*", "wildcard", false},
    {"/**", "wildcard", false},
    {"/***", "none", false},
    {"/*/", "none", false},
    {"/**/", "none", false},
    {"/a", "broadcast", true},
    {"/a/", "none", false},
    {"/a//", "none", false},
    {"//a", "none", false},
    {"/a/*", "wildcard", false},
    {"/a/**", "wildcard", false},
    {"/a/***", "none", false},
    {"/a/*/", "none", false},
    {"/a/**/", "none", false},
    {"/a*", "none", false},
    {"/a**", "none", false},
    {"/*a", "none", false},
    {"/**a", "none", false},
    {"/a/b*", "none", false},
    {"/a/*b", "none", false},
    {"/a/b**", "none", false},
    {"/*/b", "none", false},
    {"/**/b", "none", false},
    {"/a/*/c", "none", false},
    {"/a/**/c", "none", false},
    {"/*/*", "none", false},
    {"/**/**", "none", false},
    {"/a/*/**", "none", false},
    {"/a/b", "broadcast", true},
    {"/a//b", "none", false},
    {"/a/b/", "none", false},
    {"/a/b/c", "broadcast", true},
    {"/a/b/*", "wildcard", false},
    {"/a/b/**", "wildcard", false},
    {"/a/b/c/d/e/f/*", "wildcard", false},
    {"/a/b//*", "none", false},
    {"/azAZ09", "broadcast", true},
    {"/-_!~()$@", "broadcast", true},
    {"/-_!~()$@/-_!~()$@/**", "wildcard", false},
    {"/!", "broadcast", true},
    {"/a,b", "none", false},
    {"/a%20b", "none", false},
    {"/a?b", "none", false},
    {"/a:b", "none", false},
    {"/a\"b", "none", false},
    {"/a\\b", "none", false},
    {"/a\nb", "none", false},
    {"/\xC3\xA9", "none", false},
    {" /a", "none", false},
};

TEST(BayeuxChannel, NamesAreOfFourKindsOrNone) {
  for (const BayeuxAlphabet alphabet : kAlphabets) {
    for (const NameCase& name : kNames) {
      EXPECT_EQ(kind_of(name.text, alphabet), name.subscribed) << name.text;
      EXPECT_EQ(canonical(name.text, alphabet) != "none", name.published) << name.text;
      const bool subscribes = name.subscribed != "none";
      EXPECT_EQ(static_cast<bool>(bayeux_selector(name.text, alphabet)), subscribes) << name.text;
    }
  }
  EXPECT_EQ(kind_of(std::string_view("/a\0b", 4)), "none");
}

TEST(BayeuxChannel, CometdLetsMoreThrough) {
  for (const char* text : {"/a b", "/ ", "/a#", "/a+b", "/a.b", "/.", "/..", "/{a}", "/a/b c", "/repo/alice/app.git"}) {
    EXPECT_EQ(kind_of(text, kCometd), "broadcast") << text;
    EXPECT_EQ(kind_of(text, kStrict), "none") << text;
  }
  EXPECT_EQ(kind_of("/meta/a.b", kStrict), "none");
  EXPECT_EQ(kind_of("/a.b/*", kCometd), "wildcard");
  EXPECT_EQ(kind_of("/a.b/*", kStrict), "none");
}

TEST(BayeuxChannel, MetaAndServiceAreNoBroadcasts) {
  for (const char* text : {"/meta/handshake", "/meta/a/b", "/meta/*", "/meta/**", "/meta/~ff"}) {
    EXPECT_EQ(kind_of(text), "meta") << text;
    EXPECT_EQ(canonical(text), "none") << text;
    EXPECT_FALSE(bayeux_selector(text, kCometd)) << text;
  }
  for (const char* text : {"/service/echo", "/service/a/b", "/service/*", "/service/**"}) {
    EXPECT_EQ(kind_of(text), "service") << text;
    EXPECT_EQ(canonical(text), "none") << text;
    EXPECT_FALSE(bayeux_selector(text, kCometd)) << text;
  }
  for (const char* text : {"/meta", "/service", "/meta/", "/service/", "/meta//a", "/meta/a*", "/service/*/a"}) {
    EXPECT_EQ(kind_of(text), "none") << text;
    EXPECT_FALSE(bayeux_selector(text, kCometd)) << text;
  }
  for (const char* text : {"/a/meta/b", "/metal", "/services/a", "/Meta/a", "/a/service", "/meta-/a"}) {
    EXPECT_EQ(kind_of(text), "broadcast") << text;
  }
}

struct Pair {
  std::string_view canonical, bayeux;
};

TEST(BayeuxChannel, HubNamesHaveBayeuxNames) {
  constexpr Pair kPairs[] = {
      {"lobby", "/lobby"},
      {"repo:alice", "/repo/alice"},
      {"repo:alice/app", "/repo/alice/app"},
      {"repo:alice/app.git", "/repo/alice/app.git"},
      {"a b", "/a b"},
      // Separators where Bayeux has none.
      {"a/b", "/a~2fb"},
      {"a/b:c/d", "/a~2fb/c/d"},
      {"a:b:c", "/a/b~3ac"},
      {"/", "/~2f"},
      {"/a:b", "/~2fa/b"},
      // Empty segments.
      {"a:", "/a/~"},
      {"a:/", "/a/~/~"},
      {"a:b/", "/a/b/~"},
      {"a:b//c", "/a/b/~/c"},
      // Nothing lies above a name that begins with ':'.
      {":", "/~3a"},
      {":a", "/~3aa"},
      {":a/b", "/~3aa/b"},
      {":a:b/c", "/~3aa~3ab/c"},
      {":/a", "/~3a/a"},
      {"::", "/~3a~3a"},
      // Tildes.
      {"~", "/~7e"},
      {"~~", "/~~"},
      {"a:~", "/a/~7e"},
      {"~alice", "/~alice"},
      {"~ada", "/~7eada"},
      {"~3a", "/~7e3a"},
      {"~3A", "/~3A"},
      {"~3", "/~3"},
      {"~3:a", "/~3/a"},
      {"~3/a", "/~3~2fa"},
      {"~~3a", "/~~7e3a"},
      {"a:~/~7e", "/a/~7e/~7e7e"},
      // The protocol's own trees.
      {"meta", "/~6deta"},
      {"meta:handshake", "/~6deta/handshake"},
      {"service:a", "/~73ervice/a"},
      {"metal", "/metal"},
      {"a:meta", "/a/meta"},
      {"meta/a", "/meta~2fa"},
      {":meta", "/~3ameta"},
      // Bytes outside the alphabet.
      {"*", "/~2a"},
      {"a:**", "/a/~2a~2a"},
      {"caf\xC3\xA9", "/caf~c3~a9"},
      {"a%\"\\", "/a~25~22~5c"},
  };
  for (const auto& [name, bayeux] : kPairs) {
    EXPECT_EQ(bayeux_of_canonical(name, kCometd), bayeux) << name;
    EXPECT_EQ(canonical(bayeux), name) << bayeux;
  }
  EXPECT_EQ(bayeux_of_canonical("a:b.c d", kStrict), "/a/b~2ec~20d");
  EXPECT_EQ(canonical("/a/b~2ec~20d", kStrict), "a:b.c d");
  std::string appended = "\"";
  append_bayeux_channel(appended, "repo:alice", kStrict);
  EXPECT_EQ(appended, "\"/repo/alice");
}

TEST(BayeuxChannel, ANameIsWrittenInOneWayOnly) {
  const std::pair<std::string_view, std::vector<std::string>> unneeded[] = {
      {"a letter", {"/~61", "/a~2eb", "/a/~20", "/m~65ta", "/~6d~65ta", "/~6detal", "/a/~6deta"}},
      {"where the hub ends a segment", {"/a~3ab", "/a/b~2fc", "/a/~2f", "/~3aa~2fb"}},
      {"a tilde that begins no escape", {"/~7ea", "/a~7e", "/~7e~7e", "/~7e3A"}},
      {"where the hub ends none", {"/~/a", "/~/~"}},
      {"the empty name", {"/~"}},
  };
  for (const auto& [why, texts] : unneeded) {
    for (const std::string& text : texts) {
      EXPECT_EQ(canonical(text), "none") << text << ": " << why;
      EXPECT_FALSE(bayeux_selector(text, kCometd)) << text << ": " << why;
      EXPECT_FALSE(bayeux_selector(text + "/*", kCometd)) << text << ": " << why;
    }
  }
}

TEST(BayeuxChannel, WhatAnEscapeSaysMustBeAName) {
  for (const char* text : {"/~ff", "/~c3", "/a~00", "/~7f", "/~c2~80", "/a/~0a"}) {
    EXPECT_EQ(kind_of(text), "broadcast") << text;
    EXPECT_EQ(canonical(text), "none") << text;
  }
}

TEST(BayeuxChannel, ANameIsAsLongAsTheHubsMayBe) {
  const std::string longest(kChannelNameBytesMax, 'a'), longer(kChannelNameBytesMax + 1, 'a');
  EXPECT_EQ(canonical("/" + longest), longest);
  EXPECT_EQ(canonical("/" + longer), "none");
  EXPECT_FALSE(bayeux_selector("/" + longer + "/*", kCometd));
  std::string accents, escaped = "/";
  for (std::size_t i = 0; i + 2 <= kChannelNameBytesMax; i += 2) accents += "\xC3\xA9", escaped += "~c3~a9";
  EXPECT_EQ(canonical(escaped), accents);
  EXPECT_EQ(canonical(escaped + "~c3~a9"), "none");
}

TEST(BayeuxChannel, SubscriptionsHearWhatTheirNameSays) {
  EXPECT_EQ(*bayeux_selector("/a/b", kCometd), (Selector{.kind = Selector::Kind::kExact, .base = "a:b"}));
  EXPECT_EQ(*bayeux_selector("/a/b/*", kCometd), (Selector{.kind = Selector::Kind::kChildren, .base = "a:b"}));
  EXPECT_EQ(*bayeux_selector("/a/**", kCometd), (Selector{.kind = Selector::Kind::kBelow, .base = "a"}));
  EXPECT_EQ(*bayeux_selector("/*", kCometd), (Selector{.kind = Selector::Kind::kChildren, .base = ""}));
  EXPECT_EQ(*bayeux_selector("/**", kCometd), (Selector{.kind = Selector::Kind::kBelow, .base = ""}));
  EXPECT_EQ(*bayeux_selector("/~6deta/**", kCometd), (Selector{.kind = Selector::Kind::kBelow, .base = "meta"}));
}

// What a publication to each channel is heard by.
TEST(BayeuxChannel, PatternsThatFitAChannel) {
  const std::vector<std::string> patterns = {"/*",     "/**",     "/a",     "/a/*",     "/a/**", "/a/b",
                                             "/a/b/*", "/a/b/**", "/a/b/c", "/a/b/c/*", "/b/**", "/a/b/c/**"};
  const std::map<std::string, std::vector<std::string>> fitting = {
      {"/a", {"/*", "/**", "/a"}},
      {"/b", {"/*", "/**"}},
      {"/a/b", {"/**", "/a/*", "/a/**", "/a/b"}},
      {"/a/b/c", {"/**", "/a/**", "/a/b/*", "/a/b/**", "/a/b/c"}},
      {"/a/b/c/d", {"/**", "/a/**", "/a/b/**", "/a/b/c/*", "/a/b/c/**"}},
      {"/a/~", {"/**", "/a/*", "/a/**"}},
      {"/a~2fb", {"/*", "/**"}},
      {"/aa/b", {"/**"}},
  };
  for (const auto& [channel, expected] : fitting) {
    std::vector<std::string> heard, fits;
    for (const std::string& pattern : patterns) {
      if (hears(pattern, channel)) heard.push_back(pattern);
      if (bayeux_pattern_fits(pattern, channel)) fits.push_back(pattern);
    }
    EXPECT_EQ(heard, expected) << channel;
    EXPECT_EQ(fits, expected) << channel;
  }
}

TEST(BayeuxChannel, PatternsFitServiceChannelsToo) {
  EXPECT_TRUE(bayeux_pattern_fits("/service/*", "/service/echo"));
  EXPECT_FALSE(bayeux_pattern_fits("/service/*", "/service/echo/loud"));
  EXPECT_TRUE(bayeux_pattern_fits("/service/**", "/service/echo/loud"));
  EXPECT_TRUE(bayeux_pattern_fits("/**", "/service/echo"));
  EXPECT_TRUE(bayeux_pattern_fits("/service/echo", "/service/echo"));
  EXPECT_FALSE(bayeux_pattern_fits("/service/**", "/service"));
  EXPECT_FALSE(bayeux_pattern_fits("/service/**", "/services/echo"));
  EXPECT_FALSE(bayeux_pattern_fits("/service/*", "/service/"));
}

// --- Properties.

class RandomNames {
 public:
  std::string text(std::size_t parts_max) {
    static constexpr std::string_view kParts[] = {
        "a",       "b",  ":",  "/",  "~",   "*",   "**",       "~7e", "~2f",    "~3a", "~61", "3",   "meta",
        "Z9",      ".",  " ",  "-",  "!",   "%",   "\xC3\xA9", "~c3", "~6deta", "~~",  "{}",  "~2a", "~2e",
        "service", "/*", "/a", "/~", "/~/", "~20", "\"",       "~73", "\\",     "~a9", "~6d", "f"};
    std::string text;
    for (std::size_t count = random_() % (parts_max + 1); count > 0; --count) text += kParts[random_() % std::size(kParts)];
    return text;
  }

 private:
  std::mt19937 random_{42};
};

TEST(BayeuxChannel, EveryHubNameComesBack) {
  RandomNames names;
  std::size_t tried = 0;
  for (int i = 0; i < 100'000; ++i) {
    const std::string name = names.text(8);
    if (!check_channel_name(name)) continue;
    ++tried;
    for (const BayeuxAlphabet alphabet : kAlphabets) {
      const std::string text = bayeux_of_canonical(name, alphabet);
      ASSERT_EQ(kind_of(text, alphabet), "broadcast") << name << " as " << text;
      ASSERT_EQ(canonical(text, alphabet), name) << text;
      ASSERT_EQ(decode_json_string('"' + text + '"'), text);
    }
  }
  EXPECT_GT(tried, 50'000u);
}

TEST(BayeuxChannel, EveryBayeuxNameComesBack) {
  RandomNames names;
  std::size_t accepted = 0;
  for (int i = 0; i < 200'000; ++i) {
    const std::string text = "/" + names.text(6);
    for (const BayeuxAlphabet alphabet : kAlphabets) {
      const Result<std::string> name = canonical_of_bayeux(text, alphabet);
      if (!name) continue;
      ++accepted;
      ASSERT_TRUE(check_channel_name(*name)) << text;
      ASSERT_EQ(bayeux_of_canonical(*name, alphabet), text) << *name;
    }
  }
  EXPECT_GT(accepted, 10'000u);
}

// The hub's segments are those that Bayeux clients see.
TEST(BayeuxChannel, APatternFitsJustWhatItsSelectorHears) {
  RandomNames names;
  std::size_t heard = 0;
  for (int i = 0; i < 200'000; ++i) {
    const std::string name = names.text(5);
    if (!check_channel_name(name)) continue;
    const std::string channel = bayeux_of_canonical(name, kCometd);
    // Any place of the channel's text may be where a pattern's base ends.
    const std::string base = i % 2 == 0 ? channel.substr(0, channel.rfind('/')) : "/" + names.text(2);
    for (const char* last : {"", "/*", "/**"}) {
      const std::string pattern = base + last;
      const Result<Selector> selector = bayeux_selector(pattern, kCometd);
      if (!selector) continue;
      const bool fits = bayeux_pattern_fits(pattern, channel);
      heard += fits ? 1 : 0;
      ASSERT_EQ(selector->matches(name), fits) << pattern << " and " << channel;
    }
  }
  EXPECT_GT(heard, 10'000u);
}

}  // namespace
}  // namespace carillon
