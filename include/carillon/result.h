// Result<T>: a value, or an Error that says what went wrong.
//
// The names are std::expected's, so that this class can become an alias the day every supported compiler ships it.
// Programs look at Error::kind, people read Error::text. No exceptions, no threads of its own.
#pragma once

#include <string>
#include <utility>
#include <variant>

namespace carillon {

enum class ErrorKind {
  kInvalid,       // The request can never succeed as it is.
  kUnauthorized,  // Nobody is known to be asking; identify first.
  kForbidden,     // The one asking may not do this.
  kNotFound,
  kConflict,     // It contradicts something that exists already.
  kTooLarge,     // A size limit was passed; a smaller request may succeed.
  kLimit,        // A count, rate or memory limit was reached; later may succeed.
  kUnavailable,  // Not now (starting, stopping, a system behind us is away); try again.
  kCorrupt,      // Stored or received bytes are damaged.
  kInternal,     // A fault of ours or of the operating system.
};

// The kind's stable name in lower case with underscores ("not_found"), as error codes on the wire show it.
const char* error_kind_name(ErrorKind kind);

struct Error {
  ErrorKind kind = ErrorKind::kInternal;
  std::string text;  // What was wrong, where, and what to do; for people.
};

template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

  explicit operator bool() const { return state_.index() == 0; }
  bool has_value() const { return state_.index() == 0; }

  T& operator*() & { return std::get<0>(state_); }
  const T& operator*() const& { return std::get<0>(state_); }
  T&& operator*() && { return std::get<0>(std::move(state_)); }
  T* operator->() { return &std::get<0>(state_); }
  const T* operator->() const { return &std::get<0>(state_); }

  const Error& error() const { return std::get<1>(state_); }

 private:
  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : failed_(true), error_(std::move(error)) {}

  explicit operator bool() const { return !failed_; }
  bool has_value() const { return !failed_; }
  const Error& error() const { return error_; }

 private:
  bool failed_ = false;
  Error error_;
};

}  // namespace carillon
