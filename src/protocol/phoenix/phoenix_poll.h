// PhoenixPoll: one long-poll client between its polls: a Link whose frames are JSON strings, and the dialog behind it.
//
// 1. A poll that comes is held until something waits for the client, or its window is over. 2. Its answer takes what waits;
// until it has left, nothing more is answered, and if it could not leave, it goes first into the next. So nothing is lost or
// overtaken when a connection breaks. 3. Without a poll for one and a half windows the session ends. On the loop of its
// PhoenixPolls.
#pragma once

#include <memory>
#include <string>

#include "protocol/exchange.h"
#include "protocol/phoenix/phoenix_dialog.h"

namespace carillon {

class PhoenixPolls;

class PhoenixPoll final : public Link, public Disposable, private DeadlineList::Member {
 public:
  PhoenixPoll(PhoenixPolls& owner, std::string token, PeerAddress peer);
  ~PhoenixPoll() override;

  void open(std::unique_ptr<Dialog> dialog);

  // Holds the poll. One that is held already is answered without messages: its client has given it up.
  void poll(ExchangePtr exchange);
  // A frame from the client. False: the session is over.
  bool take(std::string_view frame, MessageKind kind);
  // What became of the last answer with messages.
  void on_sent(bool sent);

  const std::string& token() const { return token_; }

  const Encoding& framed(const Encoding& inner, MessageKind kind) override;
  void append_framed(std::string& out, std::string_view message, MessageKind kind) override;
  FramePtr frame(std::string_view message, MessageKind kind) override;
  void flush() override;
  void close(std::uint16_t code, std::string_view reason) override;
  PeerAddress peer() const override { return peer_; }

 private:
  void on_deadline() override;
  void answer();
  void wait_until(Millis deadline);

  PhoenixPolls& owner_;
  const std::string token_;
  const PeerAddress peer_;
  ExchangePtr held_;
  std::string leaving_;  // Of the answer that is under way.
  std::string unsent_;   // Of the last one, when it could not leave.
  Millis deadline_{0};
  bool closed_ = false;
  std::unique_ptr<Dialog> dialog_;  // Ends before what it uses.
};

// Frames for polls around another encoding's messages.
class PhoenixPollEncoding final : public Encoding {
 public:
  explicit PhoenixPollEncoding(const Encoding& inner) : inner_(inner) {}

  const Encoding& inner() const { return inner_; }

  void encode(const Publication& publication, std::string& out) const override;
  void encode_presence(const PresenceUpdate& diff, std::string& out) const override;
  void encode_presence_counts(std::string_view channel, const PresenceCounts& counts, std::string& out) const override;

 private:
  template <class Encode>
  void append(std::string& out, Encode encode) const;

  const Encoding& inner_;
};

}  // namespace carillon
