#include "protocol/infotainer/infotainer_desk.h"

#include <vector>

#include "protocol/infotainer/infotainer_dialog.h"

namespace carillon {

InfotainerDesk::InfotainerDesk(Shard& shard, InfotainerCommon& common, About about)
    : shard_(shard),
      common_(common),
      about_(std::move(about)),
      place_(common.siblings.add(shard.loop(), *this)),
      tick_timer_([this] { on_tick(); }) {}

const Encoding& InfotainerDesk::encoding(InfotainerVersion version, InfotainerBodies bodies) const {
  if (version == InfotainerVersion::kOne) return issues_;
  return bodies == InfotainerBodies::kInIssues ? with_bodies_ : apart_;
}

std::uint64_t InfotainerDesk::add(InfotainerDialog& dialog) {
  dialogs_.emplace(++last_serial_, &dialog);
  if (!tick_timer_.armed()) loop().schedule(tick_timer_, kTick);
  return last_serial_;
}

InfotainerDialog* InfotainerDesk::find(std::uint64_t serial) {
  const auto found = dialogs_.find(serial);
  return found == dialogs_.end() ? nullptr : found->second;
}

void InfotainerDesk::take_over(std::uint64_t serial, std::size_t from, std::uint64_t waiting) {
  const auto tell = [&siblings = common_.siblings, from, waiting] {
    siblings.post(from, [waiting](InfotainerDesk& desk) { desk.on_taken_over(waiting); });
  };
  InfotainerDialog* const dialog = find(serial);
  if (dialog == nullptr) return tell();
  dialog->give_up(tell);
}

void InfotainerDesk::on_taken_over(std::uint64_t waiting) {
  if (InfotainerDialog* const dialog = find(waiting)) dialog->load();
}

bool InfotainerDesk::knows(const Uuid& log) {
  const auto found = known_.find(topic_channel(log));
  return found != known_.end() && found->second > loop().now();
}

void InfotainerDesk::note_known(const Uuid& log) {
  if (known_.size() >= kKnownMax) known_.clear();
  known_[topic_channel(log)] = loop().now() + kKnownTime;
}

void InfotainerDesk::on_tick() {
  if (dialogs_.empty()) return;
  loop().schedule(tick_timer_, kTick);
  std::vector<std::uint64_t> serials;  // A dialog may end in its call.
  for (const auto& [serial, dialog] : dialogs_) serials.push_back(serial);
  for (const std::uint64_t serial : serials) {
    if (InfotainerDialog* const dialog = find(serial)) dialog->on_tick(loop().now());
  }
}

}  // namespace carillon
