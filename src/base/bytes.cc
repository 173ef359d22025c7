#include "base/bytes.h"

#include <cstdlib>
#include <cstring>
#include <new>

#include "base/check.h"

namespace carillon {

Bytes Bytes::copy_of(std::string_view text) {
  Bytes bytes;
  if (text.empty()) return bytes;
  void* memory = ::operator new(sizeof(Block) + text.size());
  bytes.block_ = new (memory) Block;
  char* data = static_cast<char*>(memory) + sizeof(Block);
  std::memcpy(data, text.data(), text.size());
  bytes.view_ = {data, text.size()};
  return bytes;
}

Bytes Bytes::slice(std::size_t offset, std::size_t count) const {
  CHECK(offset <= view_.size() && count <= view_.size() - offset);
  Bytes part = *this;
  part.view_ = view_.substr(offset, count);
  return part;
}

void Bytes::release() {
  if (block_ == nullptr) return;
  if (block_->references.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  block_->~Block();
  ::operator delete(block_);
}

}  // namespace carillon
