// CHECK: stops the process when our own code is wrong, in every build. Never CHECK what a peer can cause.
#pragma once

namespace carillon {

[[noreturn]] void check_failed(const char* condition, const char* file, int line);

}  // namespace carillon

#define CHECK(condition) ((condition) ? static_cast<void>(0) : ::carillon::check_failed(#condition, __FILE__, __LINE__))
