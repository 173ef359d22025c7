// RESP: what Redis speaks (its protocol specification, version 2). Values, commands as bytes, scripts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace carillon {

// One reply. Errors of Redis are values too: they answer one command and leave the connection whole.
struct RespValue {
  struct Error {
    std::string text;  // "WRONGTYPE Operation against …".
  };
  using Array = std::vector<RespValue>;
  std::variant<std::monostate, std::int64_t, std::string, Error, Array> value;  // monostate: null.

  bool is_null() const { return std::holds_alternative<std::monostate>(value); }
  const std::string* text() const { return std::get_if<std::string>(&value); }
  const std::int64_t* number() const { return std::get_if<std::int64_t>(&value); }
  const Array* array() const { return std::get_if<Array>(&value); }
  const Error* error() const { return std::get_if<Error>(&value); }
};

// One command as it goes over the wire: an array of bulk strings.
class RespCommand {
 public:
  RespCommand() = default;
  RespCommand(std::initializer_list<std::string_view> words);
  RespCommand& add(std::string_view word);
  RespCommand& add(std::int64_t number);
  // With its header; at least one word.
  void append_to(std::string& out) const;
  std::size_t size() const { return count_; }
  std::size_t bytes() const { return words_.size(); }  // About what it takes on the wire.
  std::string_view name() const;                       // Its first word; empty without words.

 private:
  std::string words_;  // Each with its length, as they are written.
  std::size_t count_ = 0;
};

// A Lua script and the name Redis knows it by (SHA-1 of its text, in hex).
class RedisScript {
 public:
  explicit RedisScript(std::string text);
  const std::string& text() const { return text_; }
  const std::string& sha1() const { return sha1_; }

 private:
  std::string text_;
  std::string sha1_;
};

// Commands that are executed one behind the other with nothing between, as they go over the wire.
class RespTransaction {
 public:
  RespTransaction();
  RespTransaction& add(const RespCommand& command);
  // Begins a command of so many words, which are to follow.
  RespTransaction& begin(std::size_t words);
  RespTransaction& word(std::string_view word);
  // Calls the script, by its name; it must outlive the transaction. One at most.
  RespTransaction& run(const RedisScript& script, std::span<const std::string_view> keys,
                       std::span<const std::string_view> arguments);

  std::size_t size() const { return count_; }
  const RedisScript* script() const { return script_; }
  // All of it. No more is to be added.
  std::string take();

 private:
  std::string text_;
  std::size_t count_ = 0;
  const RedisScript* script_ = nullptr;
};

// What one reply may hold; beyond it the bytes cannot be read.
struct RespLimits {
  std::size_t depth = 8;                              // Arrays within arrays.
  std::size_t line_bytes = 64u << 10;                 // Of a status, an error, a length.
  std::size_t string_bytes = std::size_t{512} << 20;  // Of its bulk strings together.
  std::size_t elements = 16u << 20;                   // Of its arrays together.
};

// Reads replies from bytes as they come. What was read is not looked at again; memory is taken for bytes that are there, never
// for lengths that are only announced.
class RespReader {
 public:
  explicit RespReader(RespLimits limits = {}) : limits_(limits) {}

  void feed(std::string_view bytes);
  // The next whole reply. Absent: not yet there.
  std::optional<RespValue> next();
  // What follows cannot be read: the connection is to be given up.
  bool broken() const { return broken_; }

 private:
  // An array some of whose elements are to come.
  struct Open {
    RespValue::Array array;
    std::size_t left;
  };

  std::optional<std::string_view> take_line();
  std::optional<RespValue> read_item();
  std::optional<RespValue> read_length(char type, std::string_view digits);
  std::optional<RespValue> begin_string(std::size_t size);
  std::optional<RespValue> begin_array(std::size_t size);
  std::optional<RespValue> read_string();
  std::optional<RespValue> place(RespValue value);
  void forget_read();
  std::nullopt_t fail();

  RespLimits limits_;
  std::string held_;
  std::size_t read_ = 0;     // Of held_.
  std::size_t scanned_ = 0;  // Of held_: no line ends between read_ and here.
  std::vector<Open> open_;
  std::string string_;  // The bulk string that is being read.
  std::optional<std::size_t> string_left_;
  std::size_t reply_bytes_ = 0;
  std::size_t reply_elements_ = 0;
  bool broken_ = false;
};

}  // namespace carillon
