// Server-sent events as text: blocks, and the ids by which a client resumes. No state of a talk.
//
// An id is a cursor: where the stream stands in every channel that keeps history. Entries CHANNEL=EPOCH:OFFSET, separated by
// `;`, the channel percent-encoded where it holds one of these or no visible ASCII. It must come back as it was sent.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "carillon/server_options.h"
#include "hub/encoding.h"
#include "hub/session.h"

namespace carillon {

std::string sse_cursor(const std::vector<ChannelPosition>& positions);
// Nothing: the text is no cursor of ours.
std::optional<std::vector<ChannelPosition>> parse_sse_cursor(std::string_view text);

// The id of a stream that stands in more than a cursor may name. parse_sse_cursor refuses it, so that a client that comes back
// with it is told that it did not recover, instead of resuming from where it stood long ago.
inline constexpr std::string_view kSseLostCursor = "-";

// Appends `id: …`, when there is an id, and the event object as `data: …`, and the blank line.
void append_sse_event(std::string& out, std::string_view id, const Publication& publication, EventNames names);
// A block that only sets the client's last event id.
void append_sse_checkpoint(std::string& out, std::string_view id);
// An event of our own: `event: NAME`, `data: JSON`.
void append_sse_notice(std::string& out, std::string_view name, std::string_view json);

// For streams that hear one channel: its position is the whole cursor, so all such streams share their bytes.
class SseEncoding final : public Encoding {
 public:
  explicit SseEncoding(EventNames names) : names_(names) {}
  void encode(const Publication& publication, std::string& out) const override;

 private:
  EventNames names_;
};

}  // namespace carillon
