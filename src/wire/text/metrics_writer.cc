#include "wire/text/metrics_writer.h"

#include <fmt/format.h>

namespace carillon {

MetricsWriter& MetricsWriter::family(std::string_view name, Type type, std::string_view help) {
  name_ = name;
  out_.append("# HELP ").append(name).append(" ");
  append_escaped(help);
  out_.append("\n# TYPE ").append(name).append(type == Type::kCounter ? " counter\n" : " gauge\n");
  return *this;
}

MetricsWriter& MetricsWriter::sample(double value, std::initializer_list<Label> labels) {
  return write_sample(fmt::format("{}", value), labels);
}

MetricsWriter& MetricsWriter::write_sample(std::string_view value, std::initializer_list<Label> labels) {
  out_ += name_;
  char before = '{';
  for (const auto& [label, text] : labels) {
    out_ += before;
    out_.append(label).append("=\"");
    append_escaped(text);
    out_ += '"';
    before = ',';
  }
  if (labels.size() > 0) out_ += '}';
  out_.append(" ").append(value).append("\n");
  return *this;
}

// A help text may escape quotes too.
void MetricsWriter::append_escaped(std::string_view text) {
  for (const char c : text) {
    if (c == '\n') {
      out_ += "\\n";
      continue;
    }
    if (c == '\\' || c == '"') out_ += '\\';
    out_ += c;
  }
}

}  // namespace carillon
