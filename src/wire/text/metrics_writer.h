// Metrics in Prometheus' text format 0.0.4. Appends to a string it borrows; one thread.
//
// A family (name, help, type) comes first, then all its samples. Names are literals of ours: counters end in `_total`, units
// are seconds and bytes.
#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace carillon {

class MetricsWriter {
 public:
  static constexpr std::string_view kContentType = "text/plain; version=0.0.4; charset=utf-8";
  enum class Type : std::uint8_t { kCounter, kGauge };
  using Label = std::pair<std::string_view, std::string_view>;

  explicit MetricsWriter(std::string& out) : out_(out) {}

  MetricsWriter& family(std::string_view name, Type type, std::string_view help);
  // A sample of the last family.
  template <std::integral T>
  MetricsWriter& sample(T value, std::initializer_list<Label> labels = {}) {
    return write_sample(std::to_string(value), labels);
  }
  MetricsWriter& sample(double value, std::initializer_list<Label> labels = {});

  // Families of one sample.
  template <class T>
  MetricsWriter& counter(std::string_view name, std::string_view help, T value) {
    return family(name, Type::kCounter, help).sample(value);
  }
  template <class T>
  MetricsWriter& gauge(std::string_view name, std::string_view help, T value) {
    return family(name, Type::kGauge, help).sample(value);
  }

 private:
  MetricsWriter& write_sample(std::string_view value, std::initializer_list<Label> labels);
  void append_escaped(std::string_view text);

  std::string& out_;
  std::string name_;
};

}  // namespace carillon
