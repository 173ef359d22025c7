// InfotainerTalk: what a person at a terminal says to infotainer's server and what is made of its answers. No sockets; one
// thread. Speaks version 1 of docs/protocol/infotainer.md, as infotainer's own example does.
#pragma once

#include <string>
#include <string_view>

#include "carillon/result.h"

namespace carillon {

// The message of one line: `PublishText <uuid> <text>`, `Subscribe <uuid>`, `Unsubscribe <uuid>`. Errors are kInvalid and for
// people.
Result<std::string> infotainer_command(std::string_view line);

struct InfotainerHeard {
  std::string print;   // For people, lines with their ends; empty: nothing.
  std::string answer;  // A message to send; empty: none.
  bool fault = false;  // `print` is what went wrong.
};
// One message of the server: an issue is answered by asking for its publication, a publication is printed as text (what is no
// UTF-8 of it as U+FFFD), anything else as it is said.
InfotainerHeard infotainer_heard(std::string_view message);

}  // namespace carillon
