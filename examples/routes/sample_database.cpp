#include "sample_database.h"

#include <sqlite3.h>

#include <string_view>
#include <utility>

namespace insights {
namespace {

using carillon::Error;
using carillon::ErrorKind;
using carillon::json_array;
using carillon::json_object;
using carillon::json_text;
using carillon::Result;
using Clock = std::chrono::steady_clock;

// The same data at every start.
constexpr const char* kSample = R"sql(
create table products(name text primary key, kind text, price real);
insert into products values
  ('Treble bell', 'bell', 120), ('Tenor bell', 'bell', 450), ('Clapper', 'part', 35), ('Rope', 'part', 18),
  ('Tuning', 'service', 240);
create table customers(name text primary key, region text, since text);
insert into customers values
  ('Abbey', 'North', '2019-03-01'), ('Basilica', 'South', '2020-07-15'), ('Chapel', 'West', '2021-01-09'),
  ('Duomo', 'South', '2018-11-30'),
  ('Emmaus', 'East', '2022-05-05'), ('Friary', 'North', '2023-02-14'),
  ('Grange', 'West', '2017-09-21'), ('Hermitage', 'East', '2024-06-02');
create table orders(id integer primary key, day text, customer text, product text, pieces integer, amount real);
with recursive counter(i) as (select 0 union all select i + 1 from counter where i < 359)
insert into orders
  select i + 1, date('2026-01-01', (i * 365 / 360) || ' days'),
         (select name from customers where rowid = 1 + (i * 7 + i / 5) % 8),
         (select name from products where rowid = 1 + (i * i + 3 * i + i / 7) % 5), 1 + (i * 11) % 4, 0
  from counter;
update orders set amount = pieces * (select price from products where products.name = orders.product);
)sql";

struct CloseDatabase {
  void operator()(sqlite3* database) const { sqlite3_close(database); }
};
struct EndStatement {
  void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};
struct FreeBytes {
  void operator()(void* bytes) const { sqlite3_free(bytes); }
};
using DatabasePtr = std::unique_ptr<sqlite3, CloseDatabase>;
using StatementPtr = std::unique_ptr<sqlite3_stmt, EndStatement>;

Result<DatabasePtr> open_empty() {
  sqlite3* opened = nullptr;
  const int status = sqlite3_open_v2(":memory:", &opened, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, nullptr);
  DatabasePtr database(opened);
  if (status != SQLITE_OK) return Error{ErrorKind::kInternal, std::string("SQLite: ") + sqlite3_errstr(status)};
  return database;
}

// What SQLite asks about a statement, and what it was told.
struct Guard {
  const std::function<bool()>& cancelled;
  const Clock::time_point end = Clock::now() + SampleDatabase::kTimeMax;
  bool was_cancelled = false;
  bool was_denied = false;

  // Reading alone is allowed: no writing, no other files, no settings.
  static int allow_reading(void* asked, int action, const char*, const char*, const char*, const char*) {
    const bool reads =
        action == SQLITE_SELECT || action == SQLITE_READ || action == SQLITE_FUNCTION || action == SQLITE_RECURSIVE;
    if (reads) return SQLITE_OK;
    static_cast<Guard*>(asked)->was_denied = true;
    return SQLITE_DENY;
  }

  // Ends a statement that takes too long, or for which nobody waits any more.
  static int is_over(void* asked) {
    Guard& self = *static_cast<Guard*>(asked);
    self.was_cancelled = self.cancelled();
    return self.was_cancelled || Clock::now() >= self.end ? 1 : 0;
  }
};

Error error_of(sqlite3* database, int status, const Guard& guard) {
  if (status == SQLITE_INTERRUPT && guard.was_cancelled)
    return {ErrorKind::kUnavailable, "nobody waits for the answer any more"};
  if (status == SQLITE_INTERRUPT) return {ErrorKind::kLimit, "the statement took too long"};
  if (guard.was_denied) return {ErrorKind::kInvalid, "only statements that read are allowed"};
  return {ErrorKind::kInvalid, sqlite3_errmsg(database)};
}

std::string_view text_of(sqlite3_stmt* statement, int column) {
  const auto* const text = reinterpret_cast<const char*>(sqlite3_column_text(statement, column));
  return {text == nullptr ? "" : text, static_cast<std::size_t>(sqlite3_column_bytes(statement, column))};
}

SqlValue value_of(sqlite3_stmt* statement, int column) {
  switch (sqlite3_column_type(statement, column)) {
    case SQLITE_NULL: return {.text = "null", .json = "null"};
    case SQLITE_INTEGER: {
      std::string digits(text_of(statement, column));
      return {.text = digits, .json = digits};
    }
    case SQLITE_FLOAT: {
      std::string digits = carillon::json_number(sqlite3_column_double(statement, column));
      return {.text = digits, .json = digits};
    }
    default: {  // Bytes are shown as if they were a text.
      std::string text(text_of(statement, column));
      return {.text = text, .json = json_text(text)};
    }
  }
}

Result<SqlTable> read_rows(sqlite3* database, sqlite3_stmt* statement, const Guard& guard) {
  SqlTable table;
  const int width = sqlite3_column_count(statement);
  for (int column = 0; column < width; ++column) table.columns.emplace_back(sqlite3_column_name(statement, column));
  std::size_t bytes = 0;
  int status = SQLITE_OK;
  while ((status = sqlite3_step(statement)) == SQLITE_ROW) {
    if (table.rows.size() == SampleDatabase::kRowsMax) {
      table.more = true;
      return table;
    }
    std::vector<SqlValue>& row = table.rows.emplace_back();
    for (int column = 0; column < width; ++column) bytes += row.emplace_back(value_of(statement, column)).json.size();
    if (bytes > SampleDatabase::kAnswerBytesMax) return Error{ErrorKind::kTooLarge, "the answer is too large; ask for less"};
  }
  if (status != SQLITE_DONE) return error_of(database, status, guard);
  return table;
}

}  // namespace

std::string SqlTable::to_json() const {
  std::vector<std::string> names;
  for (const std::string& column : columns) names.push_back(json_text(column));
  std::vector<std::string> lines;
  for (const std::vector<SqlValue>& row : rows) {
    std::vector<std::string> values;
    for (const SqlValue& value : row) values.push_back(value.json);
    lines.push_back(json_array(values));
  }
  return json_object({{"columns", json_array(names)}, {"rows", json_array(lines)}, {"more", more ? "true" : "false"}});
}

Result<std::unique_ptr<SampleDatabase>> SampleDatabase::open() {
  sqlite3_hard_heap_limit64(256 << 20);  // Of all questions together; beyond it SQLite says that it is out of memory.
  Result<DatabasePtr> database = open_empty();
  if (!database) return database.error();
  if (sqlite3_exec(database->get(), kSample, nullptr, nullptr, nullptr) != SQLITE_OK) {
    return Error{ErrorKind::kInternal, std::string("the sample data: ") + sqlite3_errmsg(database->get())};
  }
  sqlite3_int64 size = 0;
  const std::unique_ptr<unsigned char, FreeBytes> bytes(sqlite3_serialize(database->get(), "main", &size, 0));
  if (bytes == nullptr) return Error{ErrorKind::kInternal, "the sample data: no memory for it"};
  return std::unique_ptr<SampleDatabase>(new SampleDatabase({bytes.get(), bytes.get() + size}));
}

Result<SqlTable> SampleDatabase::run(const std::string& sql, const std::function<bool()>& cancelled) const {
  if (sql.size() > kSqlBytesMax) return Error{ErrorKind::kTooLarge, "the statement is too long"};
  const Result<DatabasePtr> opened = open_empty();
  if (!opened) return opened.error();
  sqlite3* const database = opened->get();
  const auto size = static_cast<sqlite3_int64>(bytes_.size());
  if (sqlite3_deserialize(database, "main", bytes_.data(), size, size, SQLITE_DESERIALIZE_READONLY) != SQLITE_OK) {
    return Error{ErrorKind::kInternal, sqlite3_errmsg(database)};
  }
  sqlite3_limit(database, SQLITE_LIMIT_LENGTH, static_cast<int>(kAnswerBytesMax));  // Of one value.
  Guard guard{.cancelled = cancelled};
  sqlite3_set_authorizer(database, Guard::allow_reading, &guard);
  sqlite3_progress_handler(database, 1000, Guard::is_over, &guard);

  sqlite3_stmt* prepared = nullptr;
  const char* rest = nullptr;
  const int status = sqlite3_prepare_v2(database, sql.c_str(), static_cast<int>(sql.size()) + 1, &prepared, &rest);
  const StatementPtr statement(prepared);
  if (status != SQLITE_OK) return error_of(database, status, guard);
  if (statement == nullptr) return Error{ErrorKind::kInvalid, "there is no statement"};
  if (std::string_view(rest).find_first_not_of(" \t\r\n;") != std::string_view::npos) {
    return Error{ErrorKind::kInvalid, "one statement at a time"};
  }
  return read_rows(database, statement.get(), guard);
}

Result<std::string> SampleDatabase::answer(const carillon::RouteQuestion& question) const {
  carillon::RouteFields fields(question.payload);
  const std::string sql = fields.text("sql");
  if (auto read = fields.status(); !read) return read.error();
  const Result<SqlTable> table = run(sql, question.cancelled);
  if (!table) return table.error();
  return table->to_json();
}

}  // namespace insights
