// AnswerScanner: walks through the HTTP/1.1 answers a server sends (RFC 9112) without keeping them.
//
// For load, where HttpResponseParser (wire/http) would cost more than what is measured: it understands only answers that say
// their length, and copies nothing unless an answer is torn between two reads. One scanner a connection, on its thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

namespace carillon {

// Views are valid during the call only.
struct ScannedAnswer {
  int status = 0;
  std::string_view head;  // Status line and fields, with the empty line behind them.
  std::string_view body;

  std::size_t size() const { return head.size() + body.size(); }
  // The first field of that name, written in lower case here and in any case there; empty when there is none.
  std::string_view field(std::string_view lower_name) const;
};

class AnswerScanner {
 public:
  static constexpr std::size_t kHeadMax = 16 << 10;  // A longer head is refused,
  static constexpr std::size_t kBodyMax = 64 << 20;  // and so is a longer body.

  // Walks on through the bytes of one read and calls visit(const ScannedAnswer&) at each answer's last byte; the scanner must
  // outlive the call. False when the bytes are no answer with a Content-Length; the connection is then of no more use.
  template <class Visit>
  bool scan(std::string_view bytes, Visit&& visit) {
    std::string torn = std::exchange(torn_, {});
    if (!torn.empty()) bytes = torn.append(bytes);
    for (ScannedAnswer answer; !bytes.empty(); answer = {}) {
      switch (take(bytes, answer)) {
        case Step::kMore: torn_.assign(bytes); return true;
        case Step::kAnswer: visit(static_cast<const ScannedAnswer&>(answer)); break;
        case Step::kBroken: return false;
      }
    }
    return true;
  }

 private:
  enum class Step { kMore, kAnswer, kBroken };

  // Takes the answer at the front of `bytes` when it is whole.
  static Step take(std::string_view& bytes, ScannedAnswer& answer);

  std::string torn_;  // The answer that is torn, from its beginning.
};

}  // namespace carillon
