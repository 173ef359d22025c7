// What a program that embeds the server publishes: checked, handed to the hub, waited for. Any thread.
#pragma once

#include <string>
#include <string_view>

#include "carillon/local_hub.h"
#include "carillon/result.h"
#include "server/runtime.h"

namespace carillon {

// One whole JSON text without what stands around it. Errors: kTooLarge (limits.message_bytes), kInvalid.
Result<std::string_view> check_program_data(const ServerOptions& options, std::string_view data);

struct ProgramPublish {
  std::string channel;  // Canonical.
  std::string_view event;
  std::string_view data;
};
// The channels' rules on who may publish do not apply. Errors: those of the data, kInvalid (event name), kLimit, kUnavailable.
Result<EmitReceipt> publish_for_program(Runtime& runtime, ProgramPublish publish);

// kUnavailable.
Error hub_has_stopped();

}  // namespace carillon
