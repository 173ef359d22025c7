#include "protocol/infotainer/infotainer_encoding.h"

#include "protocol/topic_json.h"

namespace carillon {

void InfotainerTops::hold(const std::string& channel) {
  ++tops_[channel].count;
}

void InfotainerTops::release(std::string_view channel) {
  const auto found = tops_.find(channel);
  if (found != tops_.end() && --found->second.count == 0) tops_.erase(found);
}

// What somebody missed is encoded for them alone, and may be older than what the others have.
void InfotainerTops::note(std::string_view channel, const Position& position) {
  const auto found = tops_.find(channel);
  if (found == tops_.end()) return;
  std::optional<Position>& top = found->second.top;
  if (!top || top->epoch != position.epoch || top->offset < position.offset) top = position;
}

std::optional<Position> InfotainerTops::top(std::string_view channel) const {
  const auto found = tops_.find(channel);
  return found == tops_.end() ? std::nullopt : found->second.top;
}

void InfotainerIssueEncoding::encode(const Publication& publication, std::string& out) const {
  if (const auto log = topic_of_channel(publication.channel)) append_infotainer_issue(out, *log, publication.id);
}

void InfotainerIssueV2Encoding::encode(const Publication& publication, std::string& out) const {
  if (const auto log = topic_of_channel(publication.channel)) {
    if (publication.position) tops_.note(publication.channel, *publication.position);
    return append_infotainer_issue_v2(out, *log, publication, bodies_);
  }
  // Whoever may publish on `topics` may say anything there; what is no change of a topic is told as such a log's issue would
  // be.
  if (const auto told = read_topic_change(publication.payload.view())) {
    append_infotainer_topic_changed(out, told->topic, told->change);
  } else {
    append_infotainer_issue_v2(out, Uuid{}, publication, InfotainerBodies::kInIssues);
  }
}

}  // namespace carillon
