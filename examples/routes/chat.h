// A chat about the orders: the words of a question become a statement, its rows become sentences, and each is told as soon as
// it is there. Any thread.
#pragma once

#include <carillon/routes.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "sample_database.h"

namespace insights {

class Chat {
 public:
  static constexpr std::size_t kPromptBytesMax = 2000;

  // `pause` is between two chunks, so that people can see how an answer grows.
  Chat(const SampleDatabase& database, std::chrono::milliseconds pause) : database_(database), pause_(pause) {}

  // The handlers live as long as this.
  void add_to(carillon::RouteHooks& hooks);

  // The whole answer at once: {"response_message":"…"}. Payload: {"prompt":"…"}.
  carillon::Result<std::string> answer(const carillon::RouteQuestion& question) const;

  // Says the answer piece by piece, until `say` returns false. Errors: those of SampleDatabase::run.
  carillon::Result<void> compose(std::string_view prompt, const std::function<bool()>& cancelled,
                                 const std::function<bool(std::string_view)>& say) const;

 private:
  // The route: as messages to all tabs of the user.
  void post(const carillon::RouteCall& call);

  const SampleDatabase& database_;
  const std::chrono::milliseconds pause_;
  // Of messages. It goes on from the time of the start, so that tabs that have seen a restart meet no id twice.
  std::atomic<std::int64_t> last_id_{std::chrono::system_clock::now().time_since_epoch() / std::chrono::milliseconds(1)};
};

}  // namespace insights
