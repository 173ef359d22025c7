// The flags of every command that talks to a server.
#pragma once

#include <string>

#include "client/client_url.h"

namespace CLI {
class App;
}

namespace carillon {

struct ClientFlags {
  std::string url = "http://127.0.0.1:8080";
  std::string api_key;
  std::string token;

  void add_to(CLI::App& command);
  // Fails the command when the URL is none.
  ClientUrl parsed_url() const;
  // What is shown to the server: the token, else the key.
  const std::string& bearer() const { return token.empty() ? api_key : token; }
};

}  // namespace carillon
