// The bodies and answers of the HTTP API's routes for queue groups. No hub, no exchange; errors as in body_fields.h. One
// thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "carillon/result.h"
#include "carillon/server_options.h"
#include "protocol/group_json.h"
#include "wire/guts/canonical_channel.h"
#include "wire/json/json_slicer.h"

namespace carillon {

class GroupReader {
 public:
  explicit GroupReader(ChannelTextOptions channels) : channels_(channels) {}

  struct Take {
    GroupName name;
    GroupRequest request;
  };
  // {"channel","group","count"?,"wait_ms"?,"start"?,"visibility_ms"?,"deliveries_max"?,"dead_letter"?}
  Result<Take> read_take(std::string_view body);

  struct Settle {
    GroupName name;
    GroupSettle settle;
  };
  // {"channel","group","delivery", and "delay_ms"? of a nack, "visibility_ms"? of an extend}
  Result<Settle> read_settle(std::string_view body, GroupSettle::Verb verb);

 private:
  struct Body {
    std::string channel;
    GroupFields fields;
  };
  Result<Body> read_body(std::string_view body);

  const ChannelTextOptions channels_;
  JsonSlicer body_;
};

// Where a page of groups ends, and the next begins: "jobs/workers", with ~1 for a slash in either name and ~0 for ~.
std::string group_place(const GroupName& name);
std::optional<GroupName> parse_group_place(std::string_view text);

std::string taken_json(const GroupName& name, const std::vector<GroupDelivery>& deliveries, EventNames names);
std::string settled_json(const GroupName& name, const GroupSettled& settled);
std::string groups_json(const GroupPage& page);

}  // namespace carillon
