// CometD's binary extension: bytes as Z85 in a message's data, {"data":"<Z85>","last":true,"meta":{…}}, marked by ext.binary.
// Any thread.
#pragma once

#include <string>
#include <string_view>

#include "carillon/result.h"
#include "hub/publication.h"
#include "wire/json/json_slicer.h"

namespace carillon {

// Makes the draft's payload of a message's data. Whether it is the last part, and what it says of itself (`meta`), are kept for
// Bayeux clients; others get the bytes. Error, kInvalid: it is not of that form.
Result<void> take_bayeux_binary(Draft& draft, std::string_view data_json, JsonSlicer& slicer);

// The publication's bytes in that form.
void append_bayeux_binary(std::string& out, const Publication& publication);

}  // namespace carillon
