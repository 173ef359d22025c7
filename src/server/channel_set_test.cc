// What is said of sets of channels is held against all names of up to five segments over three words, one of which no pattern
// and no selector has: every question about those is answered by some name.
#include "server/channel_set.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "server/channel_policy.h"
#include "server/channel_rules.h"

namespace carillon {
namespace {

std::string name_of(const std::vector<std::string>& segments) {
  std::string name;
  for (std::size_t i = 0; i < segments.size(); ++i) {
    if (i > 0) name += i == 1 ? ':' : '/';
    name += segments[i];
  }
  return name;
}

void add_names(std::vector<std::string>& segments, std::size_t depth, std::vector<std::string>& names) {
  if (!segments.empty()) names.push_back(name_of(segments));
  if (segments.size() == depth) return;
  for (const char* const word : {"a", "b", "c"}) {
    segments.emplace_back(word);
    add_names(segments, depth, names);
    segments.pop_back();
  }
}

const std::vector<std::string>& all_names() {
  static const std::vector<std::string> all = [] {
    std::vector<std::string> segments, names;
    add_names(segments, 5, names);
    return names;
  }();
  return all;
}

class Generator {
 public:
  explicit Generator(unsigned seed) : bits_(seed) {}
  unsigned below(unsigned bound) { return static_cast<unsigned>(bits_()) % bound; }

  std::string pattern(bool with_user = true) {
    std::vector<std::string> segments;
    bool has_user = !with_user;
    for (unsigned count = below(4); count > 0; --count) {
      const char* const words[] = {"a", "b", "*", "{user}"};
      const std::string word = words[below(has_user ? 3 : 4)];
      has_user = has_user || word == "{user}";
      segments.push_back(word);
    }
    if (segments.empty() || below(3) == 0) segments.emplace_back("**");
    return name_of(segments);
  }
  Selector selector() {
    std::vector<std::string> segments;
    for (unsigned count = below(4); count > 0; --count) segments.emplace_back(below(2) == 0 ? "a" : "b");
    auto kind = static_cast<Selector::Kind>(below(4));
    if (segments.empty() && kind == Selector::Kind::kExact) kind = Selector::Kind::kTree;
    return {.kind = kind, .base = name_of(segments)};
  }

 private:
  std::mt19937 bits_;
};

TEST(ChannelSet, IsWhatThePatternFitsAndTheSelectorMatches) {
  Generator random(1);
  for (int round = 0; round < 2000; ++round) {
    const std::string one = random.pattern(), other = random.pattern();
    const Selector selector = random.selector();
    SCOPED_TRACE(one + " and " + other + " and " + selector.base + " " + std::to_string(static_cast<int>(selector.kind)));
    ASSERT_TRUE(check_channel_pattern(one)) << one;
    bool meets = false, within = true, covers = true;
    for (const std::string& name : all_names()) {
      const bool fits = channel_pattern_fits(one, name), matches = selector.matches(name);
      meets = meets || (fits && matches);
      within = within && (fits || !matches);
      covers = covers && (fits || !channel_pattern_fits(other, name));
    }
    const ChannelSet asked = ChannelSet::of_selector(selector), fitting = ChannelSet::of_pattern(one);
    ASSERT_EQ(ChannelSet::common(asked, fitting).has_value(), meets);
    ASSERT_EQ(ChannelSet::common(fitting, asked).has_value(), meets);
    ASSERT_EQ(fitting.holds(asked), within);
    ASSERT_EQ(channel_pattern_covers(one, other), covers);
  }
}

TEST(ChannelSet, WhatIsCommonIsInBoth) {
  Generator random(2);
  for (int round = 0; round < 2000; ++round) {
    const std::string one = random.pattern(), other = random.pattern(false);
    const auto both = ChannelSet::common(ChannelSet::of_pattern(one), ChannelSet::of_pattern(other));
    for (const std::string& name : all_names()) {
      const bool fits_both = channel_pattern_fits(one, name) && channel_pattern_fits(other, name);
      const bool held = both && both->holds(ChannelSet::of_selector({.kind = Selector::Kind::kExact, .base = name}));
      ASSERT_EQ(held, fits_both) << one << " and " << other << " at " << name;
      if (!held || both->owner().empty()) continue;
      ASSERT_EQ(both->owner(), channel_owner(one, name)) << one << " and " << other << " at " << name;
    }
  }
}

TEST(ChannelSet, AWideSubscriptionIsAllowedWhereEachOfItsChannelsIs) {
  Generator random(3);
  const std::vector<Identity> identities = {{}, {.trusted = true}, {.user = "a", .verified = true}, {.user = "a"}};
  int allowed_count = 0, refused_count = 0;
  for (int round = 0; round < 4000; ++round) {
    std::vector<ChannelRule> rules(1 + random.below(4));
    for (ChannelRule& rule : rules) {
      rule.match = random.pattern();
      rule.subscribe = static_cast<ChannelAccess>(random.below(5));
    }
    const Selector selector = random.selector();
    const Identity& identity = identities[random.below(4)];
    const ChannelRules made(rules);
    const ChannelPolicy policy(made);
    const Result<void> wide = policy.may_subscribe(identity, selector);
    const auto forbidden = std::find_if(all_names().begin(), all_names().end(), [&](const std::string& name) {
      return selector.matches(name) && !policy.may_subscribe(identity, {.kind = Selector::Kind::kExact, .base = name});
    });
    const bool each = forbidden == all_names().end();
    std::string story;
    for (const ChannelRule& rule : rules) story += rule.match + "=" + std::to_string(static_cast<int>(rule.subscribe)) + " ";
    SCOPED_TRACE(story + "for " + selector.base + " " + std::to_string(static_cast<int>(selector.kind)));
    ASSERT_TRUE(each || !wide) << *forbidden << " would be heard";
    // Everything at once is for operators; and more than one rule together may have taken what a later one forbids.
    const bool exact = !selector.base.empty() && rules.size() <= 2;
    ASSERT_TRUE(wide || !each || !exact) << wide.error().text;
    ++(wide ? allowed_count : refused_count);
  }
  EXPECT_GT(allowed_count, 500);
  EXPECT_GT(refused_count, 500);
}

}  // namespace
}  // namespace carillon
