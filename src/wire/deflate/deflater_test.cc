#include "wire/deflate/deflater.h"

#include <zlib.h>

#include <random>

#include "wire/deflate/inflater.h"

namespace carillon {
namespace {

using namespace std::string_literals;

// A strict receiver: zlib with exactly this window, taking the output in small steps, so that a reference beyond the
// window finds nothing. Nothing: not readable.
std::optional<std::string> zlib_reads(std::string compressed, int window_bits) {
  compressed += "\x00\x00\xFF\xFF"s;
  z_stream stream{};
  EXPECT_EQ(inflateInit2(&stream, -window_bits), Z_OK);
  stream.next_in = reinterpret_cast<Bytef*>(compressed.data());
  stream.avail_in = static_cast<uInt>(compressed.size());
  std::string out;
  char step[16];
  int outcome = Z_OK;
  do {
    stream.next_out = reinterpret_cast<Bytef*>(step);
    stream.avail_out = sizeof step;
    outcome = inflate(&stream, Z_SYNC_FLUSH);
    out.append(step, sizeof step - stream.avail_out);
  } while (outcome == Z_OK && stream.avail_out == 0);
  inflateEnd(&stream);
  if (outcome != Z_OK && outcome != Z_BUF_ERROR) return std::nullopt;
  return out;
}

std::string random_bytes(std::size_t size) {
  std::mt19937 random(static_cast<unsigned>(size) + 1);
  std::string bytes(size, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  return bytes;
}

std::string json_text(std::size_t size) {
  std::mt19937 random(7);
  std::string text;
  while (text.size() < size) text += "{\"id\":" + std::to_string(random() % 1000) + ",\"name\":\"bell\"},";
  text.resize(size);
  return text;
}

// Repeats at a distance just inside or outside of the windows, which tempts a compressor to look back too far.
std::string repeated(std::size_t size, std::size_t period) {
  const std::string once = random_bytes(period);
  std::string text;
  while (text.size() < size) text += once;
  text.resize(size);
  return text;
}

TEST(Deflate, EverySizeRoundTrips) {
  Deflater deflater;
  PerMessageInflater inflater;
  std::vector<std::size_t> sizes;
  for (std::size_t size = 0; size <= 600; ++size) sizes.push_back(size);
  for (std::size_t size = 700; size <= 70'000; size += 1733) sizes.push_back(size);
  for (std::size_t size : {16383, 16384, 16385, 32767, 32768, 32769, 65535, 65536, 70'000, 1'000'000}) sizes.push_back(size);
  for (std::size_t size : sizes) {
    for (const std::string& payload : {random_bytes(size), json_text(size), std::string(size, 'x')}) {
      std::string compressed;
      deflater.append_deflated(compressed, payload);
      EXPECT_LE(compressed.size(), payload.size() + payload.size() / 1000 + 64);
      const auto inflated = inflater.inflate(compressed, payload.size());
      ASSERT_TRUE(inflated) << size << ": " << inflated.error().text;
      ASSERT_TRUE(*inflated == payload) << size;
      ASSERT_TRUE(zlib_reads(compressed, 15) == payload) << size;
    }
  }
}

TEST(Deflate, AppendsAndCompresses) {
  Deflater deflater;
  std::string out = "header";
  deflater.append_deflated(out, json_text(10'000));
  EXPECT_TRUE(out.starts_with("header"));
  EXPECT_LT(out.size(), 3000u);
}

TEST(Deflate, AnEmptyMessageIsOneByte) {  // RFC 7692, section 7.2.3.6.
  Deflater deflater;
  std::string out;
  deflater.append_deflated(out, "");
  EXPECT_EQ(out, "\0"s);
}

TEST(Deflate, RespectsEveryWindowInAnyOrder) {
  Deflater deflater;
  for (int bits : {15, 8, 9, 15, 10, 8, 11, 12, 13, 14, 15, 9}) {
    const std::size_t window = std::size_t{1} << bits;
    for (std::size_t size : {std::size_t{100}, window - 1, window + 1, 3 * window, std::size_t{70'000}}) {
      for (const std::string& payload :
           {json_text(size), random_bytes(size), repeated(size, window - 20), repeated(size, window + 1),
            repeated(size, window + 300), repeated(size, 3 * window / 2)}) {
        std::string compressed;
        deflater.append_deflated(compressed, payload, bits);
        ASSERT_TRUE(zlib_reads(compressed, bits) == payload) << bits << " bits, " << size << " bytes";
      }
    }
  }
}

// Without this the test above could not fail.
TEST(Deflate, TheStrictReceiverSeesTooLongReferences) {
  Deflater deflater;
  std::string compressed;
  deflater.append_deflated(compressed, repeated(20'000, 1000), 15);
  EXPECT_TRUE(zlib_reads(compressed, 15).has_value());
  EXPECT_FALSE(zlib_reads(compressed, 9).has_value());
}

TEST(Deflate, MessagesKnowNothingOfEachOther) {
  Deflater deflater;
  std::string first;
  std::string second;
  deflater.append_deflated(first, json_text(5000));
  deflater.append_deflated(second, json_text(5000));
  EXPECT_EQ(first, second);
}

TEST(Inflate, ReadsTheExamplesOfTheStandard) {  // RFC 7692, sections 7.2.3.1 to 7.2.3.6.
  PerMessageInflater inflater;
  for (const std::string& payload :
       {"\xF2\x48\xCD\xC9\xC9\x07\x00"s, "\x00\x05\x00\xFA\xFFHello\x00"s, "\xF3\x48\xCD\xC9\xC9\x07\x00\x00"s,
        "\xF2\x48\x05\x00\x00\x00\xFF\xFF\xCA\xC9\xC9\x07\x00"s}) {
    const auto inflated = inflater.inflate(payload, 100);
    ASSERT_TRUE(inflated) << inflated.error().text;
    EXPECT_EQ(*inflated, "Hello");
  }
  const auto empty = inflater.inflate("\0"s, 100);
  ASSERT_TRUE(empty);
  EXPECT_EQ(*empty, "");
}

TEST(Inflate, ReadsWhatFollowsAFinalBlock) {
  PerMessageInflater inflater;
  const std::string hello = "\xF3\x48\xCD\xC9\xC9\x07\x00"s;  // "Hello" in a final block.
  EXPECT_EQ(*inflater.inflate(hello, 100), "Hello");
  EXPECT_EQ(*inflater.inflate(hello + hello + "\0"s, 100), "HelloHello");
  // A length-5, distance-5 reference in a block of its own looks back beyond the final one.
  EXPECT_EQ(*inflater.inflate(hello + "\x02\x13\x00\x00"s, 100), "HelloHello");
}

TEST(Inflate, StopsAtTheLimit) {
  Deflater deflater;
  PerMessageInflater inflater;
  std::string bomb;
  deflater.append_deflated(bomb, std::string(50'000'000, '\0'));
  ASSERT_LT(bomb.size(), 500'000u);
  for (std::size_t bytes_max : {0, 1, 1000, 16'384, 1'000'000, 49'999'999}) {
    const auto inflated = inflater.inflate(bomb, bytes_max);
    ASSERT_FALSE(inflated) << bytes_max;
    EXPECT_EQ(inflated.error().kind, ErrorKind::kTooLarge);
  }
  const auto inflated = inflater.inflate(bomb, 50'000'000);
  ASSERT_TRUE(inflated);
  EXPECT_EQ(inflated->size(), 50'000'000u);
  // And nothing of it lingers.
  EXPECT_EQ(*inflater.inflate("\xF2\x48\xCD\xC9\xC9\x07\x00"s, 5), "Hello");
  EXPECT_FALSE(inflater.inflate("\xF2\x48\xCD\xC9\xC9\x07\x00"s, 4));
}

TEST(Inflate, RefusesDamage) {
  Deflater deflater;
  PerMessageInflater inflater;
  std::string whole;
  deflater.append_deflated(whole, json_text(300));
  for (std::size_t size = 1; size + 1 < whole.size(); ++size) {
    const auto inflated = inflater.inflate(whole.substr(0, size), 1000);
    EXPECT_FALSE(inflated && inflated->size() == 300) << size;
  }
  for (const std::string& payload :
       {"\xFF"s, "\x07"s, "\x00\x05\x00\x00\x00Hello"s, "\x01\x05\x00\xFA\xFFHel"s, "\xF2\x48\xCD"s}) {
    const auto inflated = inflater.inflate(payload, 1000);
    ASSERT_FALSE(inflated);
    EXPECT_EQ(inflated.error().kind, ErrorKind::kCorrupt);
  }
}

}  // namespace
}  // namespace carillon
