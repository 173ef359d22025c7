#include "hub/group_keeper.h"

#include <fmt/format.h>

#include <algorithm>

#include "hub/channel_name.h"
#include "hub/engine.h"
#include "hub/epoch_text.h"

namespace carillon {

Error no_group(const GroupName& name) {
  return {ErrorKind::kNotFound, fmt::format("there is no group {} on {}", name.name, name.channel)};
}

Error no_history(const GroupName& name) {
  return {ErrorKind::kInvalid,
          fmt::format("a queue group needs a channel that keeps history, and {} keeps none (history_count)", name.channel)};
}

Error unlike_group(const GroupName& name, const GroupSettings& settings) {
  return {
      ErrorKind::kConflict,
      fmt::format("the group {} on {} has other settings: visibility_ms {}, deliveries_max {}, dead_letter {}; leave them out, "
                  "or delete the group first",
                  name.name, name.channel, settings.visibility.count(), settings.deliveries_max, settings.dead_letter)};
}

bool fits(const GroupSettings& settings, const GroupWish& wish) {
  return wish.visibility.value_or(settings.visibility) == settings.visibility &&
         wish.deliveries_max.value_or(settings.deliveries_max) == settings.deliveries_max &&
         wish.dead_letter.value_or(settings.dead_letter) == settings.dead_letter;
}

HistoryQuery start_query(const GroupName& name, const GroupWish* wish) {
  const bool beginning = wish != nullptr && wish->start.kind == GroupStart::Kind::kBeginning;
  return {.channel = name.channel, .since = {}, .from_time_ms = {}, .count_max = 1, .reverse = !beginning};
}

Result<GroupBeginning> group_beginning(const GroupName& name, const GroupWish& wish, const HistoryPage& page) {
  if (!page.top) return no_history(name);
  GroupBeginning group{.settings = {}, .cursor = *page.top};
  if (wish.start.kind == GroupStart::Kind::kBeginning && !page.publications.empty()) {
    group.cursor.offset = page.publications.front()->position->offset - 1;
  }
  if (wish.start.kind == GroupStart::Kind::kPosition) {
    const Position& start = wish.start.position;
    if (start.epoch != page.top->epoch || start.offset > page.top->offset) {
      return Error{ErrorKind::kConflict, fmt::format("the position to start after is not one of {} now", name.channel)};
    }
    group.cursor = start;
  }
  group.settings.visibility = wish.visibility.value_or(group.settings.visibility);
  group.settings.deliveries_max = wish.deliveries_max.value_or(group.settings.deliveries_max);
  group.settings.dead_letter = wish.dead_letter.value_or(name.channel + "/dead");
  if (group.settings.deliveries_max > 0 && !check_channel_name(group.settings.dead_letter)) {
    return Error{ErrorKind::kInvalid, "the default name of the dead-letter channel is too long; name one (dead_letter)"};
  }
  return group;
}

Draft dead_letter_draft(const GroupName& name, const GroupSettings& settings, const Publication& publication,
                        const QueueGroup::DeadLetter& dead, std::string key) {
  Draft draft;
  draft.channel = settings.dead_letter;
  draft.event = publication.event;
  draft.payload = publication.payload;
  draft.format = publication.format;
  draft.identity = publication.identity;
  draft.tags = publication.tags;
  std::erase_if(draft.tags, [](const auto& tag) { return tag.first.starts_with(kDeadLetterTag); });
  const auto tag = [&](std::string_view what, std::string value) {
    draft.tags.emplace_back(std::string(kDeadLetterTag) + std::string(what), std::move(value));
  };
  tag("channel", publication.channel);
  tag("group", name.name);
  tag("event_id", publication.id.text());
  tag("epoch", epoch_text(publication.position->epoch));
  tag("offset", std::to_string(publication.position->offset));
  tag("deliveries", std::to_string(dead.attempts));
  tag("reason", return_reason_name(dead.reason));
  draft.idempotency_key = std::move(key);
  return draft;
}

}  // namespace carillon
