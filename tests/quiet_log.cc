// Linked into every unit test program: what the code under test logs would only hide what the tests say.
#include "base/log.h"

namespace {
[[maybe_unused]] const bool quiet = (carillon::set_log_level(carillon::LogLevel::kOff), true);
}
