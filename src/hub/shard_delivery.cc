// Shard's deliveries: from the inbox to the outboxes, and what happens when an outbox is full.
#include "base/log.h"
#include "hub/session_text.h"
#include "hub/shard.h"

namespace carillon {
namespace {

// A run of publications in one frame is cut here, so that a deep turn does not make one frame that fills an outbox.
constexpr std::size_t kRunBytes = 64 << 10;

}  // namespace

bool Shard::collect_inbox() {
  const std::lock_guard lock(inbox_mutex_);
  if (inbox_.empty()) return false;
  collected_.swap(inbox_);
  return true;
}

void Shard::deliver_inbox() {
  if (walking_ || !collect_inbox()) return;
  walking_ = true;
  boost::unordered_flat_map<std::string_view, std::size_t, NameHash, NameEqual> group_of;
  std::string_view last_channel;
  std::size_t last_group = 0;
  group_count_ = 0;
  for (PublicationPtr& publication : collected_) {
    const std::string_view channel = publication->channel;
    if (group_count_ == 0 || channel != last_channel) {
      last_channel = channel;
      const auto [found, is_new] = group_of.try_emplace(channel, group_count_);
      last_group = found->second;
      if (is_new && ++group_count_ > groups_.size()) groups_.emplace_back();
    }
    Group& group = groups_[last_group];
    if (publication->deliver_to != DeliverTo::kAll || publication->own_form) [[unlikely]] {
      group.singled_out.push_back(publication->publisher_session);
      group.mixed =
          group.mixed || (publication->deliver_to != DeliverTo::kAll && publication->deliver_to != DeliverTo::kOtherSessions);
    }
    group.publications.push_back(std::move(publication));
  }
  collected_.clear();
  for (std::size_t i = 0; i < group_count_; ++i) {
    std::ranges::sort(groups_[i].singled_out);
    deliver(groups_[i]);
  }
  for (std::size_t i = 0; i < group_count_; ++i) {
    groups_[i].publications.clear();
    groups_[i].singled_out.clear();
    groups_[i].mixed = false;
  }
  if (groups_.size() > 1024) groups_.clear();
  end_walk();
}

void Shard::end_walk() {
  walking_ = false;
  for (Audience* const audience : std::exchange(unsettled_, {})) settle(*audience);
  if (finishing_) return;
  finishing_ = true;
  while (!finish_ready_.empty()) {
    for (const JoinId join : std::exchange(finish_ready_, {})) finish_join(join);
  }
  finishing_ = false;
}

void Shard::deliver(const Group& group) {
  const std::string& channel = group.publications.front()->channel;
  boost::container::small_vector<Audience*, 8> hearing;
  bool joining = false;
  audiences_.for_each_match(channel, [&](const std::unique_ptr<Audience>& audience) {
    hearing.push_back(audience.get());
    joining = joining || audience->joining > 0;
  });
  if (hearing.empty()) return;

  joining_.clear();
  const std::uint64_t stamp = ++delivery_stamp_;
  if (joining && !streams_.empty()) hold_for_streams(group);
  const bool stamped = hearing.size() > 1 || joining;
  const SlowConsumer policy = hub_.options().slow_consumer;
  const Encoding* last_encoding = nullptr;
  const FrameRun* frames = nullptr;
  std::uint64_t reached = 0;
  // Who comes meanwhile was not there when this was published; who becomes joining meanwhile finds it in its pages.
  const auto reach_member = [&](const Member& member) {
    if (member.join != 0) return joining_.push_back(member.join);
    Session& session = *member.session;
    if (stamped) {
      if (session.delivery_stamp_ == stamp) return;
      session.delivery_stamp_ = stamp;
    }
    if (group.mixed) [[unlikely]]
      return queue_mixed(session, group, policy);
    if (!group.singled_out.empty() && std::ranges::binary_search(group.singled_out, session.id_)) [[unlikely]] {
      return queue_chosen(session, group, policy);
    }
    if (session.encoding_ != last_encoding) {
      last_encoding = session.encoding_;
      frames = &frames_for(*last_encoding, group);
    }
    for (const FramePtr& frame : *frames) queue(session, frame, policy);
    ++reached;
  };
  for (const Audience* const audience : hearing) audience->members.for_each(reach_member);
  encoded_.clear();
  if (stamped) hold_for(joining_, group);
  counters_.deliveries_total.add(reached * group.publications.size());
}

// A joining session that hears the channel by another subscription too has had its copy.
void Shard::hold_for(const std::vector<JoinId>& joins, const Group& group) {
  for (const JoinId id : joins) {
    const auto found = joins_.find(id);
    if (found == joins_.end()) continue;
    Join& join = *found->second;
    const Session& session = *find_session(join.session);
    if (join.failure || join.stream || session.delivery_stamp_ == delivery_stamp_) continue;
    if (join.held.size() + group.publications.size() > Join::kHeldMax) {
      join.fail({ErrorKind::kUnavailable, "too much was published while the history was read; subscribe again"});
    } else {
      std::ranges::copy_if(group.publications, std::back_inserter(join.held), [&](const PublicationPtr& publication) {
        return publication->is_for(session.id_, session.identity());
      });
    }
  }
}

// What is for a publisher, in frames of its own.
void Shard::queue_chosen(Session& session, const Group& group, SlowConsumer policy) {
  FrameRun frames;
  counters_.deliveries_total.add(encode_run(*session.encoding_, group.publications, frames, &session));
  for (const FramePtr& frame : frames) queue(session, frame, policy);
}

// Each publication is a frame here, shared by all whom it is for.
void Shard::queue_mixed(Session& session, const Group& group, SlowConsumer policy) {
  const FrameRun* frames = nullptr;
  for (std::size_t i = 0; i < group.publications.size(); ++i) {
    const PublicationPtr& publication = group.publications[i];
    if (!publication->is_for(session.id_, session.identity())) continue;
    counters_.deliveries_total.add();
    if (publication->own_form && publication->publisher_session == session.id_) {
      FrameRun own;
      encode_run(*session.encoding_, std::span(&publication, 1), own, &session);
      for (const FramePtr& frame : own) queue(session, frame, policy);
      continue;
    }
    if (frames == nullptr) frames = &single_frames_for(*session.encoding_, group);
    if ((*frames)[i] != nullptr) queue(session, (*frames)[i], policy);
  }
}

// One frame for each publication, null where the encoding writes nothing.
const Shard::FrameRun& Shard::single_frames_for(const Encoding& encoding, const Group& group) {
  for (const auto& [known, frames] : encoded_) {
    if (known == &encoding) return frames;
  }
  FrameRun frames;
  for (const PublicationPtr& publication : group.publications) {
    FrameRun one;
    encode_run(encoding, std::span(&publication, 1), one);
    frames.push_back(one.empty() ? FramePtr() : std::move(one.front()));
  }
  return encoded_.emplace_back(&encoding, std::move(frames)).second;
}

const Shard::FrameRun& Shard::frames_for(const Encoding& encoding, const Group& group) {
  for (const auto& [known, frames] : encoded_) {
    if (known == &encoding) return frames;
  }
  auto& [added, frames] = encoded_.emplace_back(&encoding, FrameRun{});
  encode_run(encoding, group.publications, frames);
  return frames;
}

// Publications of one channel as frames of at most kRunBytes, unless one alone is larger.
std::size_t Shard::encode_run(const Encoding& encoding, std::span<const PublicationPtr> publications, FrameRun& out,
                              const Session* hearer) {
  const auto channel = std::make_shared<const std::string>(publications.front()->channel);
  scratch_.clear();
  std::uint32_t messages = 0;
  std::size_t total = 0;
  for (const PublicationPtr& publication : publications) {
    const bool own = hearer != nullptr && publication->own_form && publication->publisher_session == hearer->id_;
    if (hearer == nullptr || publication->is_for(hearer->id_, hearer->identity())) {
      own ? encoding.encode_own(*publication, scratch_) : encoding.encode(*publication, scratch_);
      ++messages;
      ++total;
    }
    if (scratch_.size() < kRunBytes && &publication != &publications.back()) continue;
    if (!scratch_.empty()) out.push_back(Frame::make(frame_memory_, scratch_, {.messages = messages, .channel = channel}));
    scratch_.clear();
    messages = 0;
  }
  if (scratch_.capacity() > (1u << 20)) scratch_.shrink_to_fit();
  return total;
}

void Shard::queue(Session& session, const FramePtr& frame, SlowConsumer policy) {
  if (session.ended_ || session.ending_ != Session::Ending::kNo) return;
  const std::size_t bytes = frame->bytes().size();
  if (session.outbox_.bytes() + bytes > outbox_limit() && !make_room(session, bytes, policy)) [[unlikely]] {
    if (session.ended_) return;
    if (policy == SlowConsumer::kClose) return want_end(session);
    return count_gap(session, *frame);
  }
  session.outbox_.push(frame);
  mark_ready(session);
}

std::size_t Shard::outbox_limit() const {
  const HubOptions& options = hub_.options();
  const bool hungry = frame_memory_.bytes * hub_.shards_.size() > options.outbox_memory_bytes;
  return hungry ? std::min(options.outbox_bytes_hungry, options.outbox_bytes_max) : options.outbox_bytes_max;
}

// The outbox is full: what the link takes now leaves at once; then, if that is the policy, the oldest publications go.
// Says whether `bytes` more have room; an empty outbox has room for anything, that of an ended session for nothing.
bool Shard::make_room(Session& session, std::size_t bytes, SlowConsumer policy) {
  const std::size_t limit = outbox_limit();
  Outbox& outbox = session.outbox_;
  flush(session);
  if (session.ended_) return false;
  while (!outbox.empty() && outbox.bytes() + bytes > limit) {
    if (policy == SlowConsumer::kClose) return false;
    const FramePtr dropped = outbox.drop_oldest();
    if (dropped == nullptr) return false;
    count_gap(session, *dropped);
  }
  return true;
}

void Shard::count_gap(Session& session, const Frame& dropped) {
  if (dropped.tells_presence()) return lose_presence(session, dropped.channel());
  if (slow_log_.may_write(loop_.now())) {
    log_info("slow consumer loses the oldest: session={} protocol={} peer={} channel={} waiting_bytes={} others_unlogged={}",
             session_text(session.id_), session.protocol_, session.client_.peer_text(), dropped.channel(),
             session.outbox_.bytes(), slow_log_.take_left_out());
  }
  note_gap(session, dropped.channel(), dropped.messages());
}

void Shard::tell_gap(const std::string& channel, std::uint64_t count) {
  deliver_inbox();
  const std::uint64_t stamp = ++delivery_stamp_;
  walking_ = true;
  audiences_.for_each_match(channel, [&](const std::unique_ptr<Audience>& audience) {
    audience->members.for_each([&](const Member& member) {
      // Who is joining still hears of it by the pages it reads.
      if (member.join != 0 || std::exchange(member.session->delivery_stamp_, stamp) == stamp) return;
      note_gap(*member.session, channel, count);
    });
  });
  end_walk();
}

void Shard::tell_continuity(Continuity continuity) {
  deliver_inbox();
  for (std::size_t slot = 0; slot < sessions_.size(); ++slot) {
    Session* const session = sessions_[slot];
    if (session != nullptr && !session->ended_) session->client_.on_continuity(continuity);
  }
}

void Shard::note_gap(Session& session, const std::string& channel, std::uint64_t messages) {
  if (session.gaps_ == nullptr) session.gaps_ = std::make_unique<std::vector<Gap>>();
  std::vector<Gap>& gaps = *session.gaps_;
  const auto gap_of = [&](std::string_view name) {
    return std::find_if(gaps.begin(), gaps.end(), [&](const Gap& known) { return known.channel == name; });
  };
  auto gap = gap_of(channel);
  if (gap == gaps.end()) {
    const bool named = gaps.size() < kGapChannelsMax;
    gap = named ? gap : gap_of({});
    if (gap == gaps.end()) gap = gaps.insert(gaps.end(), Gap{.channel = named ? channel : std::string()});
  }
  gap->messages += messages;
  counters_.dropped_total.add(messages);
  mark_ready(session);
}

void Shard::want_end(Session& session) {
  if (session.ended_ || session.ending_ != Session::Ending::kNo) return;
  if (slow_log_.may_write(loop_.now())) {
    log_info("slow consumer closed: session={} protocol={} peer={} waiting_bytes={} others_unlogged={}",
             session_text(session.id_), session.protocol_, session.client_.peer_text(), session.outbox_.bytes(),
             slow_log_.take_left_out());
  }
  session.ending_ = Session::Ending::kTelling;
  session.client_.on_end_wanted(EndReason::kSlowConsumer, "slow consumer: more waits for this client than the server keeps");
  session.ending_ = Session::Ending::kWanted;
}

// Over the shared budget: whoever has more waiting than a hungry hub allows is cut down to that, once until there is room.
void Shard::shed_memory() {
  const std::size_t limit = outbox_limit();
  const bool hungry = limit < hub_.options().outbox_bytes_max;
  if (!hungry || std::exchange(shed_, hungry)) {
    shed_ = hungry;
    return;
  }
  for (std::size_t slot = 0; slot < sessions_.size(); ++slot) {
    Session* const session = sessions_[slot];
    if (session == nullptr || session->outbox_.bytes() <= limit) continue;
    if (!make_room(*session, 0, hub_.options().slow_consumer)) want_end(*session);
  }
}

}  // namespace carillon
