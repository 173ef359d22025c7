#include "client/load/frame_scanner.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace carillon {
namespace {

struct Seen {
  unsigned opcode;
  std::uint64_t length;
  std::string head;
  friend bool operator==(const Seen&, const Seen&) = default;
  friend void PrintTo(const Seen& seen, std::ostream* out) {
    *out << seen.opcode << ':' << seen.length << ':' << seen.head.substr(0, 40);
  }
};

std::string server_frame(unsigned opcode, std::string_view payload) {
  std::string frame(1, static_cast<char>(0x80 | opcode));
  const std::size_t length = payload.size();
  if (length < 126) {
    frame += static_cast<char>(length);
  } else {
    const int bytes = length < 65536 ? 2 : 8;
    frame += static_cast<char>(bytes == 2 ? 126 : 127);
    for (int i = bytes - 1; i >= 0; --i) frame += static_cast<char>(std::uint64_t{length} >> (8 * i) & 0xff);
  }
  return frame + std::string(payload);
}

Seen seen_frame(unsigned opcode, std::string_view payload) {
  return {opcode, payload.size(), std::string(payload.substr(0, FrameScanner::kHeadMax))};
}

class FrameScannerTest : public testing::Test {
 protected:
  bool scan(std::string_view bytes) {
    return scanner_.scan(bytes, [&](const ScannedFrame& frame) {
      seen_.push_back({frame.opcode, frame.length, std::string(frame.head)});
    });
  }

  FrameScanner scanner_;
  std::vector<Seen> seen_;
};

std::string numbered(std::size_t size) {
  std::string text;
  while (text.size() < size) text += std::to_string(text.size()) + ' ';
  return text.substr(0, size);
}

TEST_F(FrameScannerTest, TakesFramesThatCameTogether) {
  EXPECT_TRUE(scan(server_frame(1, "first") + server_frame(2, "") + server_frame(9, "ping")));
  EXPECT_EQ(seen_, (std::vector{seen_frame(1, "first"), seen_frame(2, ""), seen_frame(9, "ping")}));
}

TEST_F(FrameScannerTest, ShowsOnlyTheHeadOfALongFrame) {
  const std::string payload = numbered(70000);
  EXPECT_TRUE(scan(server_frame(1, payload) + server_frame(1, "next")));
  ASSERT_EQ(seen_.size(), 2u);
  EXPECT_EQ(seen_[0].length, 70000u);
  EXPECT_EQ(seen_[0].head, payload.substr(0, FrameScanner::kHeadMax));
  EXPECT_EQ(seen_[1], seen_frame(1, "next"));
}

TEST_F(FrameScannerTest, ShowsAsMuchAsItIsAskedFor) {
  scanner_ = FrameScanner(100'000);
  const std::string payload = numbered(70000);
  const std::string frame = server_frame(1, payload);
  EXPECT_TRUE(scan(frame + frame.substr(0, 30000)));
  EXPECT_TRUE(scan(frame.substr(30000)));
  EXPECT_EQ(seen_, (std::vector<Seen>{{1, 70000, payload}, {1, 70000, payload}}));
}

TEST_F(FrameScannerTest, SeesTheSameHoweverTheBytesAreTorn) {
  std::string stream;
  std::vector<Seen> wanted;
  for (const std::size_t size : {0, 1, 125, 126, 255, 256, 257, 1000, 65535, 65536}) {
    const std::string payload = numbered(size);
    stream += server_frame(1, payload);
    wanted.push_back(seen_frame(1, payload));
  }
  for (const std::size_t step : {1, 2, 3, 7, 130, 261, 4096, 65537}) {
    seen_.clear();
    for (std::size_t at = 0; at < stream.size(); at += step) ASSERT_TRUE(scan(std::string_view(stream).substr(at, step)));
    EXPECT_EQ(seen_, wanted) << "torn every " << step << " bytes";
  }
}

TEST_F(FrameScannerTest, ReportsAFrameAtItsLastByteOnly) {
  const std::string frame = server_frame(1, numbered(1000));
  EXPECT_TRUE(scan(frame.substr(0, frame.size() - 1)));
  EXPECT_TRUE(seen_.empty());
  EXPECT_TRUE(scan(frame.substr(frame.size() - 1)));
  EXPECT_EQ(seen_.size(), 1u);
}

TEST_F(FrameScannerTest, RefusesWhatNoServerSends) {
  EXPECT_FALSE(scan(std::string("\x81\x85mask", 6)));
  scanner_ = FrameScanner();
  EXPECT_FALSE(scan("HTTP/1.1 400 Bad Request\r\n"));
  scanner_ = FrameScanner();
  EXPECT_TRUE(scan("\x83"));
  EXPECT_FALSE(scan(std::string(1, '\0'))) << "an opcode that is none, torn behind its first byte";
  EXPECT_TRUE(seen_.empty());
}

}  // namespace
}  // namespace carillon
