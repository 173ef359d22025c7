// The program, from its command line to its exit code.
#pragma once

namespace carillon {

int run_program(int argc, const char* const* argv);

}  // namespace carillon
