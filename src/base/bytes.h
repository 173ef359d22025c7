// Bytes: an immutable run of bytes, shared by counting. Copies and slices cost no copy of the bytes.
//
// The count is atomic: a Bytes may be handed to another thread; one Bytes object is used by one thread at a time.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

namespace carillon {

class Bytes {
 public:
  Bytes() = default;
  static Bytes copy_of(std::string_view text);

  Bytes(const Bytes& other) : block_(other.block_), view_(other.view_) { retain(); }
  Bytes(Bytes&& other) noexcept : block_(std::exchange(other.block_, nullptr)), view_(std::exchange(other.view_, {})) {}
  Bytes& operator=(Bytes other) noexcept {
    std::swap(block_, other.block_);
    std::swap(view_, other.view_);
    return *this;
  }
  ~Bytes() { release(); }

  std::string_view view() const { return view_; }
  std::size_t size() const { return view_.size(); }
  bool empty() const { return view_.empty(); }

  // A part of these bytes that keeps the whole alive. The part must lie within.
  Bytes slice(std::size_t offset, std::size_t count) const;

 private:
  struct Block {
    std::atomic<std::uint32_t> references{1};
  };

  void retain() const {
    if (block_ != nullptr) block_->references.fetch_add(1, std::memory_order_relaxed);
  }
  void release();

  Block* block_ = nullptr;
  std::string_view view_;
};

}  // namespace carillon
