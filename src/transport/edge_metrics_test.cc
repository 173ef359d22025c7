#include "transport/edge_metrics.h"

#include <gtest/gtest.h>

namespace carillon {
namespace {

TEST(EdgeMetrics, AddsTheLoopsUp) {
  EdgeCounters one;
  EdgeCounters two;
  one.connections.set(10);
  two.connections.set(5);
  one.websockets.set(7);
  two.event_streams.set(2);
  one.handshakes_total.add(9);
  one.requests_total[2].add(3);
  two.requests_total[2].add(4);
  two.requests_total[5].add();
  const EdgeCounters* edges[] = {&one, &two};
  std::string out;
  MetricsWriter writer(out);
  write_edge_metrics(writer, edges);
  for (const char* line :
       {"carillon_connections{kind=\"http\"} 6\n", "carillon_connections{kind=\"websocket\"} 7\n",
        "carillon_connections{kind=\"sse\"} 2\n", "carillon_websocket_handshakes_total 9\n",
        "carillon_http_responses_total{class=\"2xx\"} 7\n", "carillon_http_responses_total{class=\"5xx\"} 1\n"}) {
    EXPECT_NE(out.find(line), std::string::npos) << line << out;
  }
}

}  // namespace
}  // namespace carillon
