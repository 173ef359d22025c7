#include "wire/text/metrics_writer.h"

#include <gtest/gtest.h>

namespace carillon {
namespace {

TEST(MetricsWriter, WritesFamiliesAndTheirSamples) {
  std::string out;
  MetricsWriter writer(out);
  writer.counter("a_total", "All of a.", std::uint64_t{18'446'744'073'709'551'615u});
  writer.gauge("b_seconds", "How long.", 0.25);
  writer.family("c", MetricsWriter::Type::kGauge, "Several.").sample(1, {{"x", "1"}, {"y", "2"}}).sample(-2, {{"x", "3"}});
  EXPECT_EQ(out,
            "# HELP a_total All of a.\n# TYPE a_total counter\na_total 18446744073709551615\n"
            "# HELP b_seconds How long.\n# TYPE b_seconds gauge\nb_seconds 0.25\n"
            "# HELP c Several.\n# TYPE c gauge\nc{x=\"1\",y=\"2\"} 1\nc{x=\"3\"} -2\n");
}

TEST(MetricsWriter, EscapesLabelsAndHelp) {
  std::string out;
  MetricsWriter(out).family("a", MetricsWriter::Type::kGauge, "one\ntwo").sample(1, {{"x", "\"\\\n"}});
  EXPECT_EQ(out, "# HELP a one\\ntwo\n# TYPE a gauge\na{x=\"\\\"\\\\\\n\"} 1\n");
}

}  // namespace
}  // namespace carillon
