// A native client for tests: its dialog, and a link that takes everything.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "protocol/link_double.h"
#include "protocol/native/native.h"

namespace carillon {

class NativeDouble {
 public:
  // `settle` runs the world until nothing happens any more.
  NativeDouble(FrameMemory& memory, std::function<void()> settle, NativeRoom& room, IdentityPtr identity)
      : settle_(std::move(settle)), link(memory), dialog(room.open(link, std::move(identity), "test")) {
    link.dialog = dialog.get();
  }
  ~NativeDouble() {
    if (!link.closed) dialog->on_link_closed();
  }

  // Sends, and returns all that came until nothing happens any more.
  std::vector<std::string> say(std::string_view message) {
    send(message);
    return hear();
  }
  void send(std::string_view message) { dialog->on_message(message, MessageKind::kText); }
  std::vector<std::string> hear() {
    settle_();
    return link.received();
  }

 private:
  const std::function<void()> settle_;

 public:
  LinkDouble link;
  std::unique_ptr<NativeDialog> dialog;
};

}  // namespace carillon
