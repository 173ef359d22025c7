// Finds the lines of a message head while it arrives, each byte looked at once however it is cut.
//
// Stricter than RFC 9112 section 2.2 allows: only CRLF ends a line, and a CR or LF alone is a fault, because two parsers
// that disagree about where a line ends are what request smuggling is made of. For the same reason a line that begins with
// white space (obs-fold, section 5.2) is one.
#pragma once

#include <cstddef>
#include <string_view>

namespace carillon {

class HttpHeadScanner {
 public:
  enum class Found {
    kMore,   // The rest of the current line has not come yet.
    kLine,   // line() is the next line.
    kEnd,    // The empty line: the head is whole, and ends at position().
    kFault,  // fault() says what is wrong.
  };

  // `head` is the message from its first byte on; what earlier calls saw must not have changed.
  Found next(std::string_view head);

  std::string_view line() const { return line_; }  // Without CRLF; lies in the `head` of the last call.
  std::size_t position() const { return line_start_; }
  const char* fault() const { return fault_; }

 private:
  Found fail(const char* text);

  std::size_t line_start_ = 0;
  std::size_t scanned_ = 0;  // No line end before this.
  std::string_view line_;
  const char* fault_ = nullptr;
};

}  // namespace carillon
