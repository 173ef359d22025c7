// What nodes send each other of their clients' requests (protocol/node_forward.h), and what of the answers goes back. Pure
// functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/dialer.h"
#include "base/stream.h"
#include "wire/http/http_message.h"

namespace carillon {

// The request as it goes to another node: as it came, but for what concerns one connection only, and with the mark.
std::string forwarded_request(const HttpRequest& request, const PeerAddress& client);

// The other node's answer as it goes to the client, without what this node's own connection says to every client: the request's
// id, the date, who may read it unless that is said already.
HttpResponse forwarded_answer(HttpResponse answer);

// "http://10.0.0.5:8080", "https://[fd00::5]": scheme, host and port (else 80 or 443), nothing more. Nothing for any other
// text.
std::optional<DialTarget> read_node_address(std::string_view address);

}  // namespace carillon
