#include "client/load/presence_load.h"

#include <gtest/gtest.h>

namespace carillon {
namespace {

TEST(PresenceLoad, RefusesWhatMakesNoSense) {
  EXPECT_EQ(run_presence_load({.members = {0}}).error().kind, ErrorKind::kInvalid);
  EXPECT_EQ(run_presence_load({.dialect = LoadDialect::kFloor}).error().kind, ErrorKind::kInvalid);
  EXPECT_EQ(run_presence_load({.server_pid = 0x7FFFFFFF}).error().kind, ErrorKind::kInvalid);
  EXPECT_EQ(run_presence_load({.url = "ftp://x", .members = {1}}).error().kind, ErrorKind::kInvalid);
}

TEST(PresenceLoad, IsATableOrJson) {
  const PresenceLoadRow row{.members = 10,
                            .present = 10,
                            .settled = true,
                            .settle_s = 1.5,
                            .messages = 20,
                            .bytes = 5000,
                            .server_cpu_s = 0.25,
                            .list_ms = 2.5,
                            .list_bytes = 1234};
  EXPECT_EQ(presence_load_json({row, {.members = 1}}),
            R"([{"members": 10, "present": 10, "settled": true, "settle_s": 1.5, "messages": 20, "bytes": 5000, )"
            R"("server_cpu_s": 0.25, "list_ms": 2.5, "list_bytes": 1234}, )"
            R"({"members": 1, "present": 0, "settled": false, "settle_s": 0, "messages": 0, "bytes": 0, )"
            R"("server_cpu_s": 0, "list_ms": 0, "list_bytes": 0}])");
  const std::string text = presence_load_text({row, {.members = 1}});
  EXPECT_NE(
      text.find("      10        10       1.50          20          5000          500          0.25       2.5         1234\n"),
      std::string::npos)
      << text;
  EXPECT_NE(text.find("never"), std::string::npos);
}

}  // namespace
}  // namespace carillon
