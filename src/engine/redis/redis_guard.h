// RedisGuard: lets what waits for Redis be forgotten when its owner ends: what it has wrapped does nothing from then on. A
// member of the owner, declared last. One thread.
#pragma once

#include <memory>
#include <utility>

namespace carillon {

class RedisGuard {
 public:
  // A callable that calls `call` while the owner lives.
  template <class Call>
  auto wrap(Call call) const {
    return [alive = std::weak_ptr<const char>(alive_), call = std::move(call)](auto&&... arguments) mutable {
      if (!alive.expired()) call(std::forward<decltype(arguments)>(arguments)...);
    };
  }

 private:
  const std::shared_ptr<const char> alive_ = std::make_shared<const char>('\0');
};

}  // namespace carillon
