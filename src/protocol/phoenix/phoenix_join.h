// What a client may say of itself in a join's payload, beyond what Phoenix knows. One loop.
//
//   {"since": {"offset": 7, "epoch": "…"}, "presence": {"key": "…", "meta": {…}}, …}
//
// `since` asks for what was published after that position, and for positions in answers; as text it is "<epoch>:<offset>", the
// ref of a broadcast. With null, only the positions are asked for. What else the payload holds is the application's.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "carillon/result.h"
#include "hub/publication.h"
#include "wire/json/json_slicer.h"

namespace carillon {

struct PhoenixJoin {
  bool positions = false;         // `since` is there.
  std::optional<Position> since;  // Absent: it is null, or not there.
  std::string presence_key;       // Empty: none.
  std::string presence_meta;      // A JSON object, or empty.
};

class PhoenixJoinReader {
 public:
  // `payload` is a valid JSON object. The error is kInvalid.
  Result<PhoenixJoin> read(std::string_view payload);

 private:
  Result<Position> read_position(const JsonSpan& span);
  Result<void> read_presence(const JsonSpan& span, PhoenixJoin& join);

  JsonSlicer slicer_;
  JsonSlicer inner_slicer_;
};

}  // namespace carillon
