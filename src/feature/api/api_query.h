// What queries of several of the HTTP API's routes ask for. Errors are kInvalid. Any thread.
#pragma once

#include <cstddef>

#include "carillon/result.h"
#include "wire/http/http_message.h"

namespace carillon {

// ?limit=, from 1; more than `most` is `most`; 100 without.
Result<std::size_t> read_limit(const HttpRequest& request, std::size_t most);

}  // namespace carillon
