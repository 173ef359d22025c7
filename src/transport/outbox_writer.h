// Sends what waits in an outbox: everything, gathered, as far as the stream takes it.
#pragma once

#include "base/stream.h"
#include "hub/outbox.h"

namespace carillon {

// True: all has left. False: the stream will say on_writable.
bool write_outbox(Stream& stream, Outbox& outbox);

}  // namespace carillon
