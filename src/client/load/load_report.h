// LoadReport: what a load generator measured, and the two ways of writing it down.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace carillon {

struct LoadReport {
  // What only the server's own /proc entry can say: there when its process id was given.
  struct ServerSide {
    double cpu_us_per_delivery = 0;
    double cpu_us_per_answer = 0;  // Of those to polls.
    double cpu_us_per_publish = 0;
    double cpu_us_per_handshake = 0;
    double busy_percent = 0;  // Of one core, while measuring.
    std::uint64_t rss_bytes = 0;
    double rss_bytes_per_connection = 0;  // What it grew by from before the first connection on.
  };
  // Whether the measuring itself was sound.
  struct Instrument {
    double busy_percent = 0;               // How much of its time the generator had something to do.
    std::optional<double> others_percent;  // Of one core: what neither it nor the server used. Needs the server's process id.
  };

  double seconds = 0;  // How long it measured.
  ServerSide server;
  bool server_known = false;
  Instrument instrument;

  std::uint64_t connections = 0;  // Open when measuring began.
  std::uint64_t refused = 0;      // Could not be opened.
  std::uint64_t gone = 0;         // Ended later, though nobody asked them to.
  std::string first_refusal;      // Why the first one was refused or ended.
  double handshakes_per_s = 0;

  std::uint64_t publishes = 0;
  double publishes_per_s = 0;
  std::uint64_t deliveries = 0;
  double deliveries_per_s = 0;
  double message_bytes = 0;  // A delivery's WebSocket payload or share of an answer, the server's envelope included.
  double messages_per_read = 0;
  std::uint64_t answers = 0;  // To polls that were held; 0 where nobody polls. One may bring several messages, or none.
  double answers_per_s = 0;
  double answer_bytes = 0;  // Head and body.
  double latency_p50_us = 0;
  double latency_p99_us = 0;
  double latency_max_us = 0;

  // From the first publish to the last, warm-up included. All but `stalls` are 0 at a server that keeps its promises.
  std::uint64_t lost = 0;        // Never delivered.
  std::uint64_t gaps = 0;        // A delivery that came before one which should have come earlier.
  std::uint64_t duplicates = 0;  // A delivery that came again, or after a later one.
  std::uint64_t errors = 0;      // The server's error answers; first_error is the first one's text.
  std::string first_error;
  std::uint64_t stalls = 0;  // How often a closed loop waited a whole second in vain, and went on without.
};

// For people: one line a figure, only those that say something.
std::string load_report_text(const LoadReport& report);

// For programs: one JSON object on one line, with the fields' names as they stand above; null what is not known.
std::string load_report_json(const LoadReport& report);

}  // namespace carillon
