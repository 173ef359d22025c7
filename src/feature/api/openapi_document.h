// The OpenAPI 3.1 document that `/api/openapi.json` serves.
#pragma once

#include <string>
#include <string_view>

namespace carillon {

// `api_path` is where the API is served ("/api"); the document's paths are below it.
std::string openapi_document(std::string_view api_path, std::string_view version);

}  // namespace carillon
