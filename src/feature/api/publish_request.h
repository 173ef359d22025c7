// The bodies of the HTTP API's publishing routes, read into drafts. No hub, no exchange.
//
// Payloads stay byte for byte as they came. Fields that are not known are ignored; a known one twice is refused. Errors are
// kInvalid, naming line and column of what is no JSON and the field of what is the wrong JSON, and kTooLarge. One thread.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "carillon/result.h"
#include "hub/publication.h"
#include "wire/guts/canonical_channel.h"
#include "wire/json/json_slicer.h"

namespace carillon {

struct PublishLimits {
  // The JSON text of one `data`; beyond it kTooLarge.
  std::size_t payload_bytes_max = 1024 * 1024;
  // Publications of one batch, channels of one broadcast; beyond it kTooLarge, and nothing is published.
  std::size_t batch_max = 1000;
  ChannelTextOptions channels;
};

class PublishReader {
 public:
  explicit PublishReader(PublishLimits limits) : limits_(limits), list_({.depth_max = 128, .entries_max = limits.batch_max}) {}

  // {"channel","event","data","idempotency_key"?}
  Result<Draft> read_publish(std::string_view body);

  // One of several: what is wrong with one does not touch the others. The channel is as the client wrote it.
  struct Item {
    std::string channel;
    Result<Draft> draft;
  };
  // {"channels":[…],"event","data","idempotency_key"?}: the same publication for each channel.
  Result<std::vector<Item>> read_broadcast(std::string_view body);
  // {"publications":[{…},…]}, each as for read_publish.
  Result<std::vector<Item>> read_batch(std::string_view body);
  // {"text"}
  Result<std::string> read_announcement(std::string_view body);

 private:
  Result<std::span<const JsonSpan>> read_list(const JsonDocument& document, std::string_view field);
  Item read_item(JsonSpan value);
  Result<Draft> read_content(const JsonDocument& document);
  Result<Draft> address(Draft draft, std::string_view channel);

  PublishLimits limits_;
  JsonSlicer body_;
  JsonSlicer list_;
  JsonSlicer item_;
};

}  // namespace carillon
