// InfotainerClient: a terminal's talk with infotainer's server: lines in, publications out. One thread; run() blocks.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "carillon/result.h"
#include "client/client_url.h"
#include "client/infotainer_talk.h"
#include "client/websocket_client.h"

namespace carillon {

struct InfotainerClientOptions {
  std::string session;  // A UUID; empty: one of this run's own.
  std::string path = "/ws";
  std::string bearer;
  int input = 0;      // The descriptor that lines are read from.
  bool stay = false;  // When the input has ended: hear on, rather than say goodbye.
  std::chrono::milliseconds ping_time = std::chrono::seconds(5);
};

class InfotainerListener {
 public:
  virtual ~InfotainerListener() = default;
  // Lines with their ends.
  virtual void on_print(std::string_view text) = 0;
  virtual void on_fault(std::string_view text) = 0;
};

class InfotainerClient {
 public:
  InfotainerClient(ClientUrl url, InfotainerClientOptions options, InfotainerListener& listener)
      : url_(std::move(url)), options_(std::move(options)), listener_(listener) {}

  // Until the input ends and the server has said goodbye, or the connection is lost (an error).
  Result<void> run();

 private:
  Result<void> read_input(WebSocketClient& socket);
  Result<void> say(WebSocketClient& socket, std::string_view line);
  Result<bool> hear(WebSocketClient& socket);

  const ClientUrl url_;
  const InfotainerClientOptions options_;
  InfotainerListener& listener_;
  std::string input_;  // The beginning of a line.
  bool input_ended_ = false;
  bool leaving_ = false;
};

}  // namespace carillon
