#include "engine/redis/resp.h"

#include <fmt/format.h>
#include <openssl/sha.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <iterator>
#include <utility>

#include "base/check.h"

namespace carillon {
namespace {

// Taken before the bytes are there.
constexpr std::size_t kStringReserveMax = 64 << 10;
constexpr std::size_t kArrayReserveMax = 256;
// What was read is moved away when it is more than this.
constexpr std::size_t kReadMax = 64 << 10;

void append_length(std::string& out, char type, std::size_t length) {
  char digits[24];
  const auto [end, fault] = std::to_chars(digits, digits + sizeof digits, length);
  out.push_back(type);
  out.append(digits, end);
  out.append("\r\n", 2);
}

void append_word(std::string& out, std::string_view word) {
  append_length(out, '$', word.size());
  out.append(word);
  out.append("\r\n", 2);
}

std::optional<std::int64_t> parse_number(std::string_view digits) {
  std::int64_t number = 0;
  if (digits.starts_with('+')) digits.remove_prefix(1);
  const auto [end, fault] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (fault != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return number;
}

std::string sha1_hex(std::string_view text) {
  unsigned char digest[SHA_DIGEST_LENGTH];
  SHA1(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest);
  std::string hex;
  for (const unsigned char byte : digest) fmt::format_to(std::back_inserter(hex), "{:02x}", byte);
  return hex;
}

}  // namespace

RespCommand::RespCommand(std::initializer_list<std::string_view> words) {
  for (const std::string_view word : words) add(word);
}

RespCommand& RespCommand::add(std::string_view word) {
  append_word(words_, word);
  ++count_;
  return *this;
}

RespCommand& RespCommand::add(std::int64_t number) {
  char digits[24];
  const auto [end, fault] = std::to_chars(digits, digits + sizeof digits, number);
  return add(std::string_view(digits, end));
}

void RespCommand::append_to(std::string& out) const {
  append_length(out, '*', count_);
  out += words_;
}

std::string_view RespCommand::name() const {
  const std::size_t line_end = words_.find('\r');
  if (line_end == std::string::npos) return {};
  const std::optional<std::int64_t> size = parse_number(std::string_view(words_).substr(1, line_end - 1));
  return std::string_view(words_).substr(line_end + 2, static_cast<std::size_t>(size.value_or(0)));
}

RedisScript::RedisScript(std::string text) : text_(std::move(text)), sha1_(sha1_hex(text_)) {}

RespTransaction::RespTransaction() {
  RespCommand{"MULTI"}.append_to(text_);
}

RespTransaction& RespTransaction::add(const RespCommand& command) {
  command.append_to(text_);
  ++count_;
  return *this;
}

RespTransaction& RespTransaction::begin(std::size_t words) {
  append_length(text_, '*', words);
  ++count_;
  return *this;
}

RespTransaction& RespTransaction::word(std::string_view word) {
  append_word(text_, word);
  return *this;
}

RespTransaction& RespTransaction::run(const RedisScript& script, std::span<const std::string_view> keys,
                                      std::span<const std::string_view> arguments) {
  CHECK(script_ == nullptr);
  script_ = &script;
  begin(3 + keys.size() + arguments.size()).word("EVALSHA").word(script.sha1()).word(std::to_string(keys.size()));
  for (const std::string_view key : keys) word(key);
  for (const std::string_view argument : arguments) word(argument);
  return *this;
}

std::string RespTransaction::take() {
  RespCommand{"EXEC"}.append_to(text_);
  return std::move(text_);
}

void RespReader::feed(std::string_view bytes) {
  if (broken_) return;
  forget_read();
  held_ += bytes;
}

void RespReader::forget_read() {
  if (read_ < held_.size() && read_ < kReadMax) return;
  held_.erase(0, read_);
  scanned_ -= read_;
  read_ = 0;
}

std::optional<RespValue> RespReader::next() {
  while (!broken_) {
    const std::size_t opened = open_.size();
    std::optional<RespValue> item = string_left_ ? read_string() : read_item();
    if (!item) {
      if (open_.size() == opened) return std::nullopt;
      continue;  // An array was begun: its first element may be there already.
    }
    if (std::optional<RespValue> reply = place(std::move(*item))) return reply;
  }
  return std::nullopt;
}

std::optional<std::string_view> RespReader::take_line() {
  const void* const found = std::memchr(held_.data() + scanned_, '\n', held_.size() - scanned_);
  if (found == nullptr) {
    scanned_ = held_.size();
    if (scanned_ - read_ > limits_.line_bytes) fail();
    return std::nullopt;
  }
  const auto end = static_cast<std::size_t>(static_cast<const char*>(found) - held_.data());
  const std::string_view line(held_.data() + read_, end - read_);
  if (line.size() < 2 || line.back() != '\r' || line.size() > limits_.line_bytes) return fail();
  read_ = scanned_ = end + 1;
  return line.substr(0, line.size() - 1);
}

std::optional<RespValue> RespReader::read_item() {
  const std::optional<std::string_view> line = take_line();
  if (!line) return std::nullopt;
  const std::string_view rest = line->substr(1);
  switch (line->front()) {
    case '+': return RespValue{std::string(rest)};
    case '-': return RespValue{RespValue::Error{std::string(rest)}};
    case ':':
      if (const std::optional<std::int64_t> number = parse_number(rest)) return RespValue{*number};
      return fail();
    case '$':
    case '*': return read_length(line->front(), rest);
    default: return fail();
  }
}

std::optional<RespValue> RespReader::read_length(char type, std::string_view digits) {
  const std::optional<std::int64_t> length = parse_number(digits);
  if (!length || *length < -1) return fail();
  if (*length == -1) return RespValue{};
  const auto size = static_cast<std::size_t>(*length);
  return type == '$' ? begin_string(size) : begin_array(size);
}

std::optional<RespValue> RespReader::begin_string(std::size_t size) {
  if (size > limits_.string_bytes - reply_bytes_) return fail();
  reply_bytes_ += size;
  string_left_ = size;
  string_.clear();
  if (held_.size() - read_ < size + 2) string_.reserve(std::min(size, kStringReserveMax));
  return read_string();
}

std::optional<RespValue> RespReader::begin_array(std::size_t size) {
  if (size > limits_.elements - reply_elements_ || open_.size() == limits_.depth) return fail();
  if (size == 0) return RespValue{RespValue::Array{}};
  reply_elements_ += size;
  open_.push_back({.array = {}, .left = size});
  open_.back().array.reserve(std::min(size, kArrayReserveMax));
  return std::nullopt;
}

std::optional<RespValue> RespReader::read_string() {
  const std::size_t there = std::min(*string_left_, held_.size() - read_);
  string_.append(held_, read_, there);
  read_ += there;
  *string_left_ -= there;
  scanned_ = read_;
  if (*string_left_ > 0 || held_.size() - read_ < 2) return std::nullopt;
  if (held_[read_] != '\r' || held_[read_ + 1] != '\n') return fail();
  read_ += 2;
  scanned_ = read_;
  string_left_.reset();
  return RespValue{std::exchange(string_, {})};
}

// Puts a value where it belongs; returns the reply that became whole by it.
std::optional<RespValue> RespReader::place(RespValue value) {
  while (!open_.empty()) {
    Open& within = open_.back();
    within.array.push_back(std::move(value));
    if (--within.left > 0) return std::nullopt;
    value = RespValue{std::move(within.array)};
    open_.pop_back();
  }
  reply_bytes_ = reply_elements_ = 0;
  return value;
}

std::nullopt_t RespReader::fail() {
  broken_ = true;
  held_ = {};
  read_ = scanned_ = 0;
  return std::nullopt;
}

}  // namespace carillon
