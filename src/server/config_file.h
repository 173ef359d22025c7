// The configuration file: TOML into ServerOptions, by the table of settings.h. Any thread.
#pragma once

#include <string>
#include <string_view>

#include "carillon/result.h"
#include "carillon/server_options.h"

namespace carillon {

// A longer file is refused unread.
inline constexpr std::size_t kConfigBytesMax = 1024 * 1024;

// Sets what the text says and leaves the rest of `options` as it was. Every wrong key and value is reported, each on a line
// of its own as "file:line:column: what is wrong", in their order; `options` is then unchanged. What contradicts itself is for
// check_options, after the environment and the flags have had their say.
Result<void> read_config(std::string_view text, std::string_view file_name, ServerOptions& options);

// The same from a file. kNotFound when it cannot be opened.
Result<void> read_config_file(const std::string& path, ServerOptions& options);

}  // namespace carillon
