// Topics as JSON: what is published of their changes, and what the HTTP API answers. Any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "hub/topic_directory.h"

namespace carillon {

// Appends {"id":"<uuid>","channel":"log:<uuid>","name":…,"creator":…,"created_ms":…,"lasting":…}.
void append_topic_json(std::string& out, const Topic& topic);

// {"change":"created","topic":{…}}, or "removed".
std::string topic_change_json(const Topic& topic, TopicChange change);

struct ToldTopicChange {
  Topic topic;
  TopicChange change = TopicChange::kCreated;
};
// Reads what topic_change_json wrote; nothing of other texts.
std::optional<ToldTopicChange> read_topic_change(std::string_view json);

}  // namespace carillon
