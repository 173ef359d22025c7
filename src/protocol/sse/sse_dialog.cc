#include "protocol/sse/sse_dialog.h"

#include <algorithm>

#include "protocol/native_channels.h"
#include "wire/json/json_writer.h"

namespace carillon {
namespace {

bool hears_one_channel(const SseStart& start) {
  return start.selectors.size() == 1 && start.selectors.front().kind == Selector::Kind::kExact;
}

}  // namespace

SseDialog::SseDialog(Shard& shard, Link& link, const SseStart& start)
    : link_(link),
      own_encoding_(hears_one_channel(start) ? nullptr : std::make_unique<OwnEncoding>(*this, start.names)),
      session_(shard, *this,
               {.protocol = "sse",
                .encoding = own_encoding_ == nullptr ? &link.framed(*start.shared_encoding, MessageKind::kText)
                                                     : static_cast<const Encoding*>(own_encoding_.get()),
                .identity = start.identity,
                .user_agent = start.user_agent}),
      selectors_(start.selectors),
      resuming_(start.cursor.has_value()) {}

void SseDialog::begin(const SseStart& start) {
  session_.enqueue(frame("retry: " + std::to_string(start.retry_ms) + "\n\n"));
  if (start.cursor) {
    for (const ChannelPosition& known : *start.cursor) {
      const auto hears = [&](const Selector& selector) { return selector.matches(known.channel); };
      if (std::any_of(start.selectors.begin(), start.selectors.end(), hears)) advance(known.channel, known.position);
    }
  }
  if (start.cursor_lost) send_notice("reset", "{\"type\":\"reset\"}");
  for (std::size_t i = 0; i < start.selectors.size(); ++i) {
    SubscribeOptions options{.selector = start.selectors[i], .ticket = i};
    if (start.cursor) options.recover = *start.cursor;
    session_.subscribe(std::move(options));
  }
}

void SseDialog::on_subscribed(Ticket ticket, const Result<Subscribed>& outcome) {
  const Selector& selector = selectors_[ticket];
  if (!outcome) {
    std::string json;
    JsonWriter(json)
        .begin_object()
        .key("type")
        .string("error")
        .key("channel")
        .string(subscription_text(selector))
        .key("code")
        .string(error_kind_name(outcome.error().kind))
        .key("message")
        .string(outcome.error().text)
        .end_object();
    return send_notice("error", json);
  }
  if (resuming_ && !outcome->recovered && !outcome->already) {
    std::string json;
    JsonWriter(json).begin_object().key("type").string("reset").key("channel").string(subscription_text(selector)).end_object();
    send_notice("reset", json);
  }
  // A recovering stream keeps the client's own cursor until the events that follow move it, so that a cut in between loses
  // nothing; channels that are new to it begin before their first event.
  const bool recovered = resuming_ && outcome->recovered;
  for (const ChannelPosition& known : outcome->positions) {
    const auto is_known = [&](const ChannelPosition& other) { return other.channel == known.channel; };
    if (!recovered) {
      advance(known.channel, known.position);
    } else if (std::none_of(positions_.begin(), positions_.end(), is_known)) {
      advance(known.channel, {.epoch = known.position.epoch, .offset = 0});
    }
  }
  if (positions_.empty()) return;
  std::string block;
  append_sse_checkpoint(block, cursor());
  session_.enqueue(frame(block));
}

void SseDialog::advance(std::string_view channel, const Position& position) {
  for (ChannelPosition& known : positions_) {
    if (known.channel != channel) continue;
    known.position = position;
    return;
  }
  cursor_lost_ = cursor_lost_ || positions_.size() == kCursorChannelsMax;
  if (!cursor_lost_) positions_.push_back({std::string(channel), position});
}

std::string SseDialog::cursor() {
  std::string text = cursor_lost_ ? std::string() : sse_cursor(positions_);
  cursor_lost_ = cursor_lost_ || text.size() > kCursorBytesMax;
  return cursor_lost_ ? std::string(kSseLostCursor) : text;
}

void SseDialog::OwnEncoding::encode(const Publication& publication, std::string& out) const {
  std::string id;
  if (publication.position) {
    dialog_.advance(publication.channel, *publication.position);
    id = dialog_.cursor();
  }
  block_.clear();
  append_sse_event(block_, id, publication, names_);
  dialog_.link_.append_framed(out, block_, MessageKind::kText);
}

void SseDialog::on_quiet() {
  session_.enqueue(frame(":\n\n"));
}

void SseDialog::on_gap(std::span<const Gap> gaps) {
  for (const Gap& gap : gaps) {
    std::string json, block;
    JsonWriter(json)
        .begin_object()
        .key("type")
        .string("gap")
        .key("channel")
        .string(gap.channel)
        .key("missed")
        .number(gap.messages)
        .end_object();
    append_sse_notice(block, "gap", json);
    session_.outbox().push_urgent(frame(block));
  }
  link_.flush();  // The turn's own flush is over.
}

void SseDialog::on_continuity(Continuity continuity) {
  std::string json, block;
  JsonWriter(json)
      .begin_object()
      .key("type")
      .string("continuity")
      .key("state")
      .string(continuity_text(continuity))
      .end_object();
  append_sse_notice(block, "continuity", json);
  session_.enqueue(frame(block));
}

void SseDialog::on_announcement(const Bytes& text) {
  // Each line of the text is a data line of its own (section 9.2.6).
  std::string block = "event: announcement\n";
  std::string_view rest = text.view();
  for (;;) {
    const std::size_t end = rest.find_first_of("\r\n");
    block += "data: ";
    block += rest.substr(0, end);
    block += '\n';
    if (end == std::string_view::npos) break;
    rest.remove_prefix(end + (rest.substr(end, 2) == "\r\n" ? 2 : 1));
  }
  session_.enqueue(frame(block + "\n"));
}

void SseDialog::on_end_wanted(EndReason reason, std::string_view) {
  session_.end(reason);
  link_.close(0, {});
}

void SseDialog::send_notice(std::string_view name, std::string_view json) {
  std::string block;
  append_sse_notice(block, name, json);
  session_.enqueue(frame(block));
}

}  // namespace carillon
