// Recipients: the subscribers of a topic at one moment, in the order they subscribed. What a broadcast is for.
//
// A value, cheap to make and to copy whatever the number of subscribers: it names a prefix of the topic's log of subscribers
// and a moment, and stays as it was when it was made, whatever happens to the topic, its broker or its runtime afterwards.
// Walking it costs its size. It is used on the thread of the broker that made it; for another thread take `to_list()`.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace carillon {

class Recipients {
 public:
  Recipients() = default;  // Nobody.

  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

  // Calls `visit(const std::string& subscriber)` for each. The visitor may change the broker or the runtime: the walk, and the
  // text it was given, stay as they are while these Recipients live.
  template <class Visit>
  void for_each(Visit&& visit) const {
    for (std::size_t place = 0; place < places_; ++place) {
      if (const std::string* const subscriber = subscriber_at(place)) visit(*subscriber);
    }
  }
  std::vector<std::string> to_list() const;

  struct Log;

 private:
  friend class SubscriberList;
  static constexpr std::size_t kNobody = static_cast<std::size_t>(-1);

  const std::string* subscriber_at(std::size_t place) const;  // Null: had left by then, or is left out.

  std::shared_ptr<const Log> log_;
  std::size_t places_ = 0;    // How far the log reached.
  std::uint64_t moment_ = 0;  // Who left at this moment or before is not meant.
  std::size_t left_out_ = kNobody;
  std::size_t size_ = 0;
};

}  // namespace carillon
