// How much of what happens is written to the log; each level includes those after it.
#pragma once

namespace carillon {

enum class LogLevel { kDebug, kInfo, kWarning, kError, kOff };

}  // namespace carillon
