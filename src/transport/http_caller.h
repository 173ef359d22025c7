// HttpCaller: asks other programs over HTTP/1.1, on connections that are kept for the next call.
//
// One call is on a connection at a time. One that was kept may have been closed by its peer just then: where it ends without a
// byte of an answer, the call is made once more, on a new one. One per loop, used there only. Calls end before it.
#pragma once

#include <list>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/dialer.h"
#include "base/loop.h"
#include "wire/http/http_response_parser.h"

namespace carillon {

struct HttpCallerOptions {
  Millis connect_time{2'000};
  Millis call_time{90'000};  // From the call to the last byte of its answer; then it has failed.
  Millis idle_time{20'000};  // A connection without a call is closed then: before its peer does.
  // To one address, with and without a call; a call more fails at once. Without a call no more than idle_max.
  std::size_t connections_max = 4096;
  std::size_t idle_max = 64;
  std::size_t response_bytes_max = 16 << 20;  // A longer answer is a failure.
};

class HttpCaller {
 public:
  // Errors: kUnavailable: no connection, or it broke, or took too long; kLimit: too many connections; kTooLarge, kCorrupt: the
  // answer.
  using Answered = UniqueFunction<void(Result<HttpResponse>)>;

  // A call under way; its end gives it up, closes its connection, and no answer comes then.
  class Call;

  HttpCaller(Loop& loop, Dialer& dialer, const HttpCallerOptions& options);
  ~HttpCaller();

  // `request` as it goes out, but not of HEAD. `answered` is called once, never inside the call; it may end the call.
  std::unique_ptr<Call> call(const DialTarget& to, std::string request, Answered answered);

  std::size_t connections() const { return links_.size(); }

 private:
  class Link;
  // Of one address.
  struct Peer {
    std::size_t links = 0;
    std::vector<Link*> idle;  // The last was used last.
  };

  void start(Call& call, bool anew);
  void keep(Link& link);
  void forget(Link& link);

  Loop& loop_;
  Dialer& dialer_;
  const HttpCallerOptions options_;
  std::map<std::string, Peer, std::less<>> peers_;
  std::list<std::unique_ptr<Link>> links_;
};

class HttpCaller::Call final : private Timer {
 public:
  Call(HttpCaller& caller, const DialTarget& to, std::string request, Answered answered);
  ~Call() override;

 private:
  friend class HttpCaller;

  void on_timer() override;
  // Either may end it.
  void fail(Error error);
  void finish(HttpResponse response);

  HttpCaller& caller_;
  const DialTarget to_;
  const std::string request_;
  Answered answered_;
  Link* link_ = nullptr;
  bool refused_ = false;  // There was no room for it.
};

}  // namespace carillon
