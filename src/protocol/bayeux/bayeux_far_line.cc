#include "protocol/bayeux/bayeux_far_line.h"

#include "protocol/bayeux/bayeux_sessions.h"

namespace carillon {

BayeuxFarLine::~BayeuxFarLine() {
  if (session() != nullptr) session()->on_line_gone(*this);
}

void BayeuxFarLine::send(const FramePtr& messages) {
  std::string array = "[";
  array += messages->bytes();
  array.back() = ']';
  send_array(array);
}

void BayeuxFarLine::send_array(std::string_view array) {
  under_way_ += array.size();
  arrays_.emplace_back(array);
}

void BayeuxFarLine::flush() {
  if (arrays_.empty()) return;
  owner_.common().siblings.post(socket_.place, [number = socket_.number, arrays = std::exchange(arrays_, {})](
                                                   BayeuxSessions& there) { there.sockets().send(number, arrays); });
}

void BayeuxFarLine::close(std::uint16_t code, std::string_view reason) {
  flush();
  owner_.common().siblings.post(socket_.place, [number = socket_.number, code, reason = std::string(reason)](
                                                   BayeuxSessions& there) { there.sockets().close(number, code, reason); });
}

void BayeuxFarLine::on_left(std::size_t bytes) {
  const bool had_room = has_room();
  under_way_ -= std::min(bytes, under_way_);
  if (!had_room && has_room() && session() != nullptr) session()->on_line_room();
}

BayeuxFarLine& BayeuxFarLines::line(BayeuxSocketName socket, BayeuxTransport transport) {
  std::unique_ptr<BayeuxFarLine>& line = lines_[socket];
  if (line == nullptr) line = std::make_unique<BayeuxFarLine>(owner_, socket, transport);
  return *line;
}

BayeuxFarLine* BayeuxFarLines::find(BayeuxSocketName socket) {
  const auto found = lines_.find(socket);
  return found == lines_.end() ? nullptr : found->second.get();
}

void BayeuxFarLines::forget(BayeuxSocketName socket) {
  const auto found = lines_.find(socket);
  if (found == lines_.end()) return;
  std::unique_ptr<BayeuxFarLine> line = std::move(found->second);
  lines_.erase(found);
  if (line->session() != nullptr) line->session()->on_line_gone(*line);
  owner_.loop().dispose(std::move(line));
}

}  // namespace carillon
