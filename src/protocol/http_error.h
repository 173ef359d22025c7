// How errors look over HTTP: {"error":{"code":"…","message":"…"}} with the status that fits the kind. The one table for all
// rooms that answer requests. Any thread.
#pragma once

#include <string>

#include "carillon/result.h"
#include "wire/http/http_message.h"

namespace carillon {

int http_status(ErrorKind kind);

// A 401 asks for a bearer token, a 503 says when to try again.
HttpResponse error_response(const Error& error);

// Appends {"code":"…","message":"…"}; for answers that hold several outcomes.
void append_error_json(std::string& out, const Error& error);

}  // namespace carillon
