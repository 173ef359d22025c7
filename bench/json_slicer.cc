// The JSON reader of the message path: short commands, publishes with payloads of the usual sizes, and texts that are
// hard for it.
#include "wire/json/json_slicer.h"

#include <string>
#include <string_view>

#include <benchmark/benchmark.h>

namespace carillon {
namespace {

std::string repeated(std::string_view piece, std::size_t size) {
  std::string out;
  while (out.size() < size) out += piece;
  return out;
}

std::string publish(std::string_view before, std::string_view data, std::string_view after) {
  std::string out = R"({"type":"publish","channel":"room:42","event":"new_msg","data":)";
  for (const std::string_view part : {before, data, after, std::string_view(R"(,"id":"17"})")}) out += part;
  return out;
}

std::string publish_text(std::string_view piece, std::size_t size) {
  return publish("{\"body\":\"", repeated(piece, size), "\"}");
}

std::string publish_records(std::size_t size) {
  constexpr std::string_view kRecord =
      R"({"id":1234567,"name":"alice/app","open":true,"labels":["bug","help wanted"],"score":-1.5e3},)";
  return publish("[", repeated(kRecord, size), "null]");
}

void slice(benchmark::State& state, std::string text) {
  JsonSlicer slicer;
  for (auto _ : state) {
    auto document = slicer.slice(text);
    if (!document) state.SkipWithError(document.error().text.c_str());
    benchmark::DoNotOptimize(document);
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * text.size()));
  state.counters["bytes"] = static_cast<double>(text.size());
}

BENCHMARK_CAPTURE(slice, command, R"({"type":"subscribe","channel":"repo:alice/app/prs","id":"1"})");
BENCHMARK_CAPTURE(slice, phoenix_push, R"(["1","2","room:42","new_msg",{"body":"hello there"}])");
BENCHMARK_CAPTURE(slice, text_128, publish_text("hello there, ", 128));
BENCHMARK_CAPTURE(slice, text_1k, publish_text("hello there, ", 1024));
BENCHMARK_CAPTURE(slice, text_16k, publish_text("hello there, ", 16384));
BENCHMARK_CAPTURE(slice, records_1k, publish_records(1024));
BENCHMARK_CAPTURE(slice, records_16k, publish_records(16384));
BENCHMARK_CAPTURE(slice, japanese_16k, publish_text("日本語のテキスト", 16384));
BENCHMARK_CAPTURE(slice, german_16k, publish_text("fünf große Äpfel und ", 16384));
BENCHMARK_CAPTURE(slice, escapes_16k, publish_text(R"(line\n\"said\"\u00e9 )", 16384));

}  // namespace
}  // namespace carillon

BENCHMARK_MAIN();
