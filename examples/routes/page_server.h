// A small HTTP server for the page and for what the program answers without a WebSocket: one request a connection, a few
// threads, loopback. It is here so that the example needs nothing else; a real program has its web server already.
#pragma once

#include <carillon/result.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace insights {

struct PageRequest {
  std::string method;
  std::string path;   // Without what stands behind `?`.
  std::string token;  // Of `Authorization: Bearer`.
  std::string body;
};
struct PageResponse {
  int status = 200;
  std::string type = "application/json";
  std::string body;
};
// Called on the server's threads, several at a time.
using PageHandler = std::function<PageResponse(const PageRequest&)>;

class PageServer {
 public:
  // `address`: "127.0.0.1:8081"; port 0 picks a free one. Errors: kInvalid, kUnavailable (the address is in use).
  static carillon::Result<std::unique_ptr<PageServer>> start(const std::string& address, PageHandler handler);
  // Waits for the requests that are being answered.
  ~PageServer();
  PageServer(const PageServer&) = delete;
  PageServer& operator=(const PageServer&) = delete;

  const std::string& address() const { return address_; }

 private:
  // A file descriptor that is closed.
  struct Descriptor {
    explicit Descriptor(int opened) : number(opened) {}
    ~Descriptor();
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    const int number;
  };

  explicit PageServer(PageHandler handler);
  carillon::Result<void> listen(const std::string& address);
  void serve();
  void answer(int connection) const;
  std::string read_request(int connection) const;
  // False: too late, or the server stops.
  bool wait_for(int descriptor, short events, int milliseconds) const;

  const PageHandler handler_;
  const Descriptor listener_;
  const Descriptor stop_;  // An eventfd that is readable when the server stops.
  std::string address_;
  std::vector<std::thread> threads_;
};

}  // namespace insights
