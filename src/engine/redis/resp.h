// RESP: what Redis speaks (its protocol specification, version 2). Values, commands as bytes, scripts.
#pragma once

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
  std::string_view name() const;  // Its first word.

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

// Reads replies from bytes as they come. Limits: nesting 8, bulk strings 512 MiB, arrays 16 Mi.
class RespReader {
 public:
  void feed(std::string_view bytes);
  // Absent: not yet whole.
  std::optional<RespValue> next();
  // What follows cannot be read: the connection is to be given up.
  bool broken() const { return broken_; }

 private:
  std::string held_;
  std::size_t read_ = 0;
  bool broken_ = false;
};

}  // namespace carillon
