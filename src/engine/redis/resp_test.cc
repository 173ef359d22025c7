#include "engine/redis/resp.h"

#include <gtest/gtest.h>

#include <array>

namespace carillon {
namespace {

std::string describe(const RespValue& value) {
  if (value.is_null()) return "null";
  if (const std::int64_t* const number = value.number()) return std::to_string(*number);
  if (const std::string* const text = value.text()) return "\"" + *text + "\"";
  if (const RespValue::Error* const error = value.error()) return "error(" + error->text + ")";
  std::string all;
  for (const RespValue& each : *value.array()) all += (all.empty() ? "" : " ") + describe(each);
  return "[" + all + "]";
}

std::string read_all(RespReader& reader) {
  std::string all;
  while (const std::optional<RespValue> value = reader.next()) all += describe(*value) + ";";
  return all;
}

std::string read(std::string_view bytes, RespLimits limits = {}) {
  RespReader reader(limits);
  reader.feed(bytes);
  const std::string all = read_all(reader);
  return reader.broken() ? all + "broken" : all;
}

TEST(RespTransactionTest, IsCommandsBetweenMultiAndExec) {
  const RedisScript script("return 1");
  RespTransaction transaction;
  transaction.add({"GET", "a"}).begin(3).word("SET").word("a").word("");
  transaction.run(script, std::array<std::string_view, 1>{"k"}, std::array<std::string_view, 1>{"v"});
  EXPECT_EQ(transaction.size(), 3u);
  EXPECT_EQ(transaction.script(), &script);
  EXPECT_EQ(transaction.take(),
            "*1\r\n$5\r\nMULTI\r\n*2\r\n$3\r\nGET\r\n$1\r\na\r\n*3\r\n$3\r\nSET\r\n$1\r\na\r\n$0\r\n\r\n"
            "*5\r\n$7\r\nEVALSHA\r\n$40\r\n" +
                script.sha1() + "\r\n$1\r\n1\r\n$1\r\nk\r\n$1\r\nv\r\n*1\r\n$4\r\nEXEC\r\n");
}

TEST(RespReaderTest, ReadsEveryType) {
  EXPECT_EQ(read("+OK\r\n"), "\"OK\";");
  EXPECT_EQ(read("+\r\n"), "\"\";");
  EXPECT_EQ(read("-ERR no\r\n"), "error(ERR no);");
  EXPECT_EQ(read(":0\r\n:-12\r\n:+7\r\n:9223372036854775807\r\n"), "0;-12;7;9223372036854775807;");
  EXPECT_EQ(read("$5\r\nhe\r\no\r\n$0\r\n\r\n$-1\r\n"), "\"he\r\no\";\"\";null;");
  EXPECT_EQ(read("*2\r\n:1\r\n$1\r\na\r\n*0\r\n*-1\r\n"), "[1 \"a\"];[];null;");
}

TEST(RespReaderTest, ReadsArraysWithinArrays) {
  EXPECT_EQ(read("*3\r\n*0\r\n*2\r\n*1\r\n$-1\r\n-ERR\r\n*-1\r\n"), "[[] [[null] error(ERR)] null];");
  EXPECT_EQ(read("*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:5\r\n"), "[[[[[[[[5]]]]]]]];");
}

// What a stream of replies looks like, with every type at every place.
const std::string kStream = std::string("*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$12\r\nline\r\nbreak") + '\0' +
                            "\r\n+OK\r\n*2\r\n*-1\r\n*1\r\n:-7\r\n$-1\r\n-ERR torn\r\n:1\r\n*0\r\n$0\r\n\r\n";

TEST(RespReaderTest, IsNotDisturbedByWhereBytesAreTorn) {
  const std::string& stream = kStream;
  const std::string whole = read(stream);
  ASSERT_EQ(std::count(whole.begin(), whole.end(), ';'), 8);
  for (std::size_t first = 0; first <= stream.size(); ++first) {
    for (std::size_t second = first; second <= stream.size(); ++second) {
      RespReader reader;
      std::string all;
      for (const std::string_view part :
           {std::string_view(stream).substr(0, first), std::string_view(stream).substr(first, second - first),
            std::string_view(stream).substr(second)}) {
        reader.feed(part);
        all += read_all(reader);
      }
      ASSERT_EQ(all, whole) << first << " " << second;
    }
  }
}

TEST(RespReaderTest, ReadsByteForByte) {
  RespReader reader;
  std::string all;
  for (const char byte : kStream) {
    reader.feed({&byte, 1});
    all += read_all(reader);
  }
  EXPECT_EQ(all, read(kStream));
}

TEST(RespReaderTest, GivesUpWhatIsNoReply) {
  EXPECT_EQ(read(":1\r\nHTTP/1.1 400 Bad Request\r\n"), "1;broken");
  for (const char* const bytes :
       {"\r\n", "+OK\n", ":\r\n", ":1x\r\n", ": 1\r\n", ":9223372036854775808\r\n", "$-2\r\n", "$x\r\n", "$3\r\nabcd\r\n",
        "$1\r\na\n\r", "*-2\r\n", "*1.0\r\n", "_\r\n", "%1\r\n", "*1\r\n*1\r\n?\r\n"}) {
    EXPECT_EQ(read(bytes), "broken") << bytes;
  }
}

TEST(RespReaderTest, NothingIsReadBehindWhatIsNoReply) {
  RespReader reader;
  reader.feed("?\r\n");
  EXPECT_FALSE(reader.next());
  reader.feed(":1\r\n");
  EXPECT_FALSE(reader.next());
  EXPECT_TRUE(reader.broken());
}

TEST(RespReaderTest, HoldsItsLimits) {
  EXPECT_EQ(read("$8\r\n12345678\r\n", {.string_bytes = 8}), "\"12345678\";");
  EXPECT_EQ(read("$9\r\n", {.string_bytes = 8}), "broken");
  EXPECT_EQ(read("*2\r\n$4\r\n1234\r\n$5\r\n", {.string_bytes = 8}), "broken");
  EXPECT_EQ(read("$5\r\n12345\r\n$5\r\n12345\r\n", {.string_bytes = 8}), "\"12345\";\"12345\";")
      << "a limit is that of one reply";
  EXPECT_EQ(read("*4\r\n", {.elements = 3}), "broken");
  EXPECT_EQ(read("*2\r\n*2\r\n", {.elements = 3}), "broken");
  EXPECT_EQ(read("*2\r\n*1\r\n:1\r\n:2\r\n*3\r\n:1\r\n:2\r\n:3\r\n", {.elements = 3}), "[[1] 2];[1 2 3];");
  EXPECT_EQ(read("*1\r\n*1\r\n*1\r\n", {.depth = 2}), "broken");
  EXPECT_EQ(read("+12345678\r\n", {.line_bytes = 8}), "broken");
  EXPECT_EQ(read("+1234567890", {.line_bytes = 8}), "broken") << "a line that does not end";
}

// Announced, and nothing follows: no memory is taken for it.
TEST(RespReaderTest, LengthsThatAreOnlyAnnouncedAreBorne) {
  for (const char* const bytes : {"$536870912\r\n", "*16777216\r\n", "*1\r\n*1\r\n*16777214\r\n$536870912\r\nab"}) {
    RespReader reader;
    reader.feed(bytes);
    EXPECT_FALSE(reader.next());
    EXPECT_FALSE(reader.broken()) << bytes;
  }
  EXPECT_EQ(read("$536870913\r\n"), "broken");
  EXPECT_EQ(read("*16777217\r\n"), "broken");
  EXPECT_EQ(read("$9223372036854775807\r\n"), "broken");
}

// If each byte led to another look at what is held, this would take minutes.
TEST(RespReaderTest, AStringThatComesByteForByteIsReadOnce) {
  const std::size_t size = 1 << 20;
  RespReader reader;
  reader.feed("*2\r\n$" + std::to_string(size) + "\r\n");
  for (std::size_t i = 0; i < size; ++i) {
    reader.feed("x");
    ASSERT_FALSE(reader.next());
  }
  reader.feed("\r\n:1\r\n");
  const std::optional<RespValue> value = reader.next();
  ASSERT_TRUE(value);
  EXPECT_EQ(value->array()->front().text()->size(), size);
}

TEST(RespReaderTest, ManyRepliesOfOneFeedAreReadOneByOne) {
  std::string bytes;
  for (int i = 0; i < 100'000; ++i) bytes += ":" + std::to_string(i) + "\r\n";
  RespReader reader;
  reader.feed(bytes);
  for (int i = 0; i < 100'000; ++i) ASSERT_EQ(*reader.next()->number(), i);
  EXPECT_FALSE(reader.next());
}

TEST(RespCommandTest, IsAnArrayOfBulkStrings) {
  RespCommand command{"SET", "k\r\n"};
  command.add("").add(std::int64_t{-12});
  std::string out = "before ";
  command.append_to(out);
  EXPECT_EQ(out, "before *4\r\n$3\r\nSET\r\n$3\r\nk\r\n\r\n$0\r\n\r\n$3\r\n-12\r\n");
  EXPECT_EQ(command.size(), 4u);
  EXPECT_EQ(command.name(), "SET");
  EXPECT_EQ(RespCommand().name(), "");
}

TEST(RedisScriptTest, IsNamedByItsHash) {
  EXPECT_EQ(RedisScript("return 1").sha1(), "e0e1f9fabfc9d4800c877a703b823ac0578ff8db");
}

}  // namespace
}  // namespace carillon
