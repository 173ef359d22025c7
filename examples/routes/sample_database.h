// A small shop's orders in SQLite, to be read and never changed. Any thread: every question has a connection of its own to
// the same bytes.
#pragma once

#include <carillon/result.h>
#include <carillon/routes.h>

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace insights {

struct SqlValue {
  std::string text;  // A number's digits, a text as it is; "null".
  std::string json;
};
struct SqlTable {
  std::vector<std::string> columns;
  std::vector<std::vector<SqlValue>> rows;
  bool more = false;  // There were more rows than are shown.

  // "columns":[…],"rows":[[…]],"more":… as a JSON object.
  std::string to_json() const;
};

class SampleDatabase {
 public:
  // A question is answered with so many rows; what is beyond is left out.
  static constexpr std::size_t kRowsMax = 200;
  // Beyond these a question is refused: bytes of the statement, bytes of the answer's values, time.
  static constexpr std::size_t kSqlBytesMax = 10'000;
  static constexpr std::size_t kAnswerBytesMax = 256 * 1024;
  static constexpr std::chrono::milliseconds kTimeMax{2000};

  // Errors: kInternal.
  static carillon::Result<std::unique_ptr<SampleDatabase>> open();

  // One statement that only reads. `cancelled` is asked now and then. Errors: kInvalid (as SQLite says; also when it
  // would change something), kTooLarge, kLimit (it took too long), kUnavailable (cancelled), kInternal.
  carillon::Result<SqlTable> run(const std::string& sql, const std::function<bool()>& cancelled) const;

  // What `/sql/run` answers, over whatever the question came. Payload: {"sql":"select …"}.
  carillon::Result<std::string> answer(const carillon::RouteQuestion& question) const;

 private:
  explicit SampleDatabase(std::vector<unsigned char> bytes) : bytes_(std::move(bytes)) {}

  // SQLite takes them as it is told not to write, and not const.
  mutable std::vector<unsigned char> bytes_;
};

}  // namespace insights
