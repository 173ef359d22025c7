#include "protocol/bayeux/bayeux_ack.h"

#include <utility>

namespace carillon {

void BayeuxAck::acknowledge(std::uint64_t batch) {
  while (!kept_.empty() && kept_.front().batch <= batch) {
    bytes_ -= kept_.front().frame->bytes().size();
    kept_.pop_front();
  }
}

void BayeuxAck::append_kept(std::string& out) const {
  for (const Kept& kept : kept_) out += kept.frame->bytes();
}

void BayeuxAck::keep(FramePtr frame) {
  bytes_ += frame->bytes().size();
  kept_.push_back({batch_, std::move(frame)});
}

}  // namespace carillon
