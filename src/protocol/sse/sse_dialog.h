// SseDialog: one event stream's subscriptions, its cursor, its heartbeat.
//
// A stream on one channel shares its events' bytes with all others of its kind. A stream on several has a cursor of its own in
// every event's id, so its events are written for it alone; that is the price of resuming all of them by one id.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "hub/shard.h"
#include "protocol/dialog.h"
#include "protocol/sse/sse_codec.h"

namespace carillon {

struct SseStart {
  std::vector<Selector> selectors;
  std::optional<std::vector<ChannelPosition>> cursor;  // Where to resume.
  bool cursor_lost = false;                            // The client sent one that nobody can read.
  EventNames names = EventNames::kUnderscore;
  const Encoding* shared_encoding = nullptr;  // Of streams on one channel.
  IdentityPtr identity;
  std::string_view user_agent;
  std::int64_t retry_ms = 3000;
};

class SseDialog final : public Dialog, private SessionClient {
 public:
  // Cursors name at most so many channels and bytes, as they come back in a request's head. A stream that stands in more sends
  // kSseLostCursor from then on.
  static constexpr std::size_t kCursorChannelsMax = 100;
  static constexpr std::size_t kCursorBytesMax = 6 * 1024;

  SseDialog(Shard& shard, Link& link, const SseStart& start);

  // Subscribes to everything; after construction, as the link then knows the dialog.
  void begin(const SseStart& start);

  Outbox& outbox() override { return session_.outbox(); }
  void on_message(std::string_view, MessageKind) override {}
  void on_room() override { session_.on_room(); }
  void on_quiet() override;
  void on_link_closed() override { session_.end(EndReason::kClientLeft); }

 private:
  class OwnEncoding final : public Encoding {
   public:
    OwnEncoding(SseDialog& dialog, EventNames names) : dialog_(dialog), names_(names) {}
    void encode(const Publication& publication, std::string& out) const override;

   private:
    SseDialog& dialog_;
    const EventNames names_;
    mutable std::string block_;
  };

  void on_outbox() override { link_.flush(); }
  void on_subscribed(Ticket ticket, const Result<Subscribed>& outcome) override;
  void on_published(Ticket, const Result<Receipt>&) override {}
  void on_history(Ticket, const Result<HistoryPage>&) override {}
  void on_gap(std::span<const Gap> gaps) override;
  void on_continuity(Continuity continuity) override;
  void on_announcement(const Bytes& text) override;
  void on_end_wanted(EndReason reason, std::string_view text) override;
  std::string peer_text() const override { return link_.peer().text; }

  void advance(std::string_view channel, const Position& position);
  std::string cursor();
  void send_notice(std::string_view name, std::string_view json);
  FramePtr frame(std::string_view block) { return link_.frame(block, MessageKind::kText); }

  Link& link_;
  std::unique_ptr<OwnEncoding> own_encoding_;  // Null on a stream that hears one channel.
  Session session_;
  std::vector<Selector> selectors_;         // By ticket.
  std::vector<ChannelPosition> positions_;  // The cursor.
  bool cursor_lost_ = false;                // It would be too large.
  bool resuming_;                           // From a cursor that could be read.
};

}  // namespace carillon
