#include "engine/log/log_records.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <dlfcn.h>

#include "base/simulated_disk.h"

namespace rocksdb::crc32c {
std::uint32_t Extend(std::uint32_t crc, const char* data, std::size_t size);
}

namespace carillon {
namespace {

using ::testing::ElementsAre;

// RFC 3720, appendix B.4, and the usual "123456789".
TEST(RocksCrc, IsCrc32cAndWhatTheLibraryCalls) {
  const auto crc = [](std::string_view bytes) { return rocksdb::crc32c::Extend(0, bytes.data(), bytes.size()); };
  EXPECT_EQ(crc("123456789"), 0xe3069283u);
  EXPECT_EQ(crc(std::string(32, '\0')), 0x8a9136aau);
  EXPECT_EQ(crc(std::string(32, '\xff')), 0x62a8ab43u);
  EXPECT_EQ(crc(""), 0u);
  EXPECT_EQ(rocksdb::crc32c::Extend(crc("12345"), "6789", 4), crc("123456789"));
  // Whoever looks for it by its name, as the library does, finds the program's.
  EXPECT_EQ(dlsym(RTLD_DEFAULT, "_ZN7rocksdb6crc32c6ExtendEjPKcm"), reinterpret_cast<void*>(&rocksdb::crc32c::Extend));
  Dl_info found{};
  ASSERT_NE(dladdr(reinterpret_cast<void*>(&rocksdb::crc32c::Extend), &found), 0);
  EXPECT_EQ(std::string_view(found.dli_fname).find("librocksdb"), std::string_view::npos) << found.dli_fname;
}

// Each "abc": whole, first, last, and whole with the numbers of logs 9 and 8.
const std::string kWhole(
    "\xf2\x70\xe8\x9d\x03\x00\x01"
    "abc",
    10);
const std::string kFirst(
    "\x37\x2d\x9a\x8b\x03\x00\x02"
    "abc",
    10);
const std::string kLast(
    "\xad\xb5\x75\x70\x03\x00\x04"
    "abc",
    10);
const std::string kWholeOfLog9(
    "\xe8\x12\xb0\xa3\x03\x00\x05\x09\x00\x00\x00"
    "abc",
    14);

const std::string kWholeOfLog8(
    "\xee\xe2\x40\xfb\x03\x00\x05\x08\x00\x00\x00"
    "abc",
    14);

struct Reading {
  std::vector<std::string> records;
  LogRecords::End end = LogRecords::End::kWhole;
  std::uint64_t whole_end = 0;
  std::uint64_t stopped_at = 0;
  bool another = false;
};

Reading read(std::string_view bytes) {
  SimulatedDisk disk(1);
  EXPECT_TRUE((*disk.create("log"))->append(bytes));
  const auto file = disk.read_from("log");
  LogRecords records(**file, bytes.size(), 9);
  Reading reading;
  for (;;) {
    const auto record = records.next();
    EXPECT_TRUE(record);
    if (!record || !*record) break;
    reading.records.emplace_back(**record);
  }
  reading.end = records.end();
  reading.whole_end = records.whole_end();
  reading.stopped_at = records.stopped_at();
  reading.another = *records.another_follows();
  return reading;
}

TEST(LogRecords, RecordsOfOneFragmentAndOfSeveral) {
  const Reading reading = read(kWhole + kFirst + kLast + kWholeOfLog9);
  EXPECT_THAT(reading.records, ElementsAre("abc", "abcabc", "abc"));
  EXPECT_EQ(reading.end, LogRecords::End::kWhole);
  EXPECT_EQ(reading.whole_end, 44u);
}

TEST(LogRecords, OneByteAtATime) {
  const std::string log = kWhole + kFirst + kLast;
  for (std::size_t size = 0; size < log.size(); ++size) {
    SCOPED_TRACE(size);
    const Reading reading = read(log.substr(0, size));
    EXPECT_EQ(reading.records.size(), size < 10 ? 0u : 1u);
    EXPECT_EQ(reading.end, size % 10 == 0 && size < 20 ? LogRecords::End::kWhole : LogRecords::End::kIncomplete);
    EXPECT_EQ(reading.whole_end, size < 10 ? 0u : 10u);
    EXPECT_FALSE(reading.another);
  }
}

TEST(LogRecords, WhatIsNoRecordIsDamageAndWhatLiesBehindIsFound) {
  const Reading reading = read(kWhole + "??" + kFirst + kLast);
  EXPECT_THAT(reading.records, ElementsAre("abc"));
  EXPECT_EQ(reading.stopped_at, 10u);
  EXPECT_TRUE(reading.another);
  EXPECT_FALSE(read(kWhole + "??" + kFirst).another);
  EXPECT_FALSE(read(kWhole + "??" + kLast).another);
  EXPECT_EQ(read(kWhole + kLast).end, LogRecords::End::kDamaged);
  EXPECT_EQ(read(kFirst + kWhole).end, LogRecords::End::kDamaged);
  EXPECT_TRUE(read(kFirst + kWhole).another);
}

TEST(LogRecords, WhatAnEarlierUseOfTheFileLeftIsNoRecord) {
  const Reading reading = read(kWholeOfLog9 + kWholeOfLog8);
  EXPECT_THAT(reading.records, ElementsAre("abc"));
  EXPECT_EQ(reading.end, LogRecords::End::kWhole);
  EXPECT_EQ(reading.whole_end, 14u);
  EXPECT_EQ(read(kFirst + kWholeOfLog8).end, LogRecords::End::kIncomplete);
}

}  // namespace
}  // namespace carillon
