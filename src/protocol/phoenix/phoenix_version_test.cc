#include "protocol/phoenix/phoenix_version.h"

#include <gtest/gtest.h>

namespace carillon {
namespace {

constexpr PhoenixVersion kV1 = PhoenixVersion::kV1, kV2 = PhoenixVersion::kV2;

std::optional<PhoenixVersion> version_of(std::optional<std::string_view> vsn) {
  const Result<PhoenixVersion> version = phoenix_version(vsn);
  if (!version) {
    EXPECT_EQ(version.error().kind, ErrorKind::kInvalid);
    return std::nullopt;
  }
  return *version;
}

TEST(PhoenixVersion, IsChosenAsElixirMatchesVersions) {
  EXPECT_EQ(version_of(std::nullopt), kV1);
  for (const char* vsn : {"1.0.0", "1.0.12", "1.0.1-rc.1", "1.0.0+a"}) EXPECT_EQ(version_of(vsn), kV1) << vsn;
  for (const char* vsn :
       {"2.0.0", "2.0.1", "2.0.99999999999999999999", "2.0.1-rc", "2.0.1-0.x-y.10", "2.0.0+build.01", "2.0.0+a-b"}) {
    EXPECT_EQ(version_of(vsn), kV2) << vsn;
  }
  for (const char* vsn : {"2.1.0",    "2.0.0-rc",   "1.0.0-0",  "0.0.0",     "3.0.0",     "2.1.0-0",  "10.0.0",   "1.1.0",
                          "",         "2",          "2.0",      "2.0.0.0",   "v2.0.0",    "2.0.0 ",   " 2.0.0",   "02.0.0",
                          "2.00.0",   "2.0.01",     "2.0.-1",   "2..0",      ".0.0",      "2.0.",     "2.0.0-",   "2.0.0+",
                          "2.0.1-a.", "2.0.1-a..b", "2.0.1-01", "2.0.1-a_b", "2.0.0+a+b", "~> 2.0.0", "2.0.0+a\n"}) {
    EXPECT_EQ(version_of(vsn), std::nullopt) << vsn;
  }
}

}  // namespace
}  // namespace carillon
