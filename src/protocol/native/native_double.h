// A native client of a hub with one loop, for tests.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/memory/hub_double.h"
#include "protocol/link_double.h"
#include "protocol/native/native.h"

namespace carillon {

class NativeClient {
 public:
  NativeClient(World& world, NativeRoom& room, IdentityPtr identity = nullptr)
      : world_(world), link(world.shards[0]->frame_memory()) {
    dialog = room.open(link, std::move(identity), "test");
    link.dialog = dialog.get();
  }
  ~NativeClient() {
    if (!link.closed) dialog->on_link_closed();
  }

  // Sends, and returns all that came until nothing happens any more.
  std::vector<std::string> say(std::string_view message) {
    send(message);
    return hear();
  }
  void send(std::string_view message) { dialog->on_message(message, MessageKind::kText); }
  std::vector<std::string> hear() {
    world_.settle();
    return link.received();
  }

 private:
  World& world_;

 public:
  LinkDouble link;
  std::unique_ptr<NativeDialog> dialog;
};

}  // namespace carillon
