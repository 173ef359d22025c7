// Origins: which pages may use this server from a browser (RFC 6454; RFC 6455, section 10.2).
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace carillon {

class Origins {
 public:
  // `allowed` as in the configuration: whole origins, or "*" for every one. `development`: pages of this machine too.
  Origins(std::vector<std::string> allowed, bool development) : allowed_(std::move(allowed)), development_(development) {}

  // `origin` is the Origin field, `host` the Host field. Without an origin it is no browser, and allowed.
  bool may_use(std::string_view origin, std::string_view host) const;

 private:
  std::vector<std::string> allowed_;
  bool development_;
};

}  // namespace carillon
