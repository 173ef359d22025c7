#include "server/program_publish.h"

#include <fmt/format.h>

#include <utility>

#include "hub/epoch_text.h"
#include "server/answer.h"
#include "wire/json/json_slicer.h"

namespace carillon {

Error hub_has_stopped() {
  return {ErrorKind::kUnavailable, "the hub has stopped"};
}

Result<std::string_view> check_program_data(const ServerOptions& options, std::string_view data) {
  const std::size_t most = options.limits.message_bytes;
  if (data.size() > most) {
    return Error{ErrorKind::kTooLarge,
                 fmt::format("data of {} bytes is larger than limits.message_bytes ({})", data.size(), most)};
  }
  thread_local JsonSlicer slicer;
  const Result<JsonSpan> checked = slicer.check(data);
  if (!checked) return Error{ErrorKind::kInvalid, fmt::format("data is no JSON: {}", checked.error().text)};
  return checked->text;
}

Result<EmitReceipt> publish_for_program(Runtime& runtime, ProgramPublish publish) {
  if (!runtime.running()) return hub_has_stopped();
  const Result<std::string_view> payload = check_program_data(runtime.options(), publish.data);
  if (!payload) return payload.error();

  Draft draft;
  draft.channel = std::move(publish.channel);
  draft.event = publish.event;
  draft.payload = Bytes::copy_of(*payload);
  Answer<Result<Receipt>> answer;
  runtime.hub().publish(std::move(draft),
                        [giver = answer.giver()](Result<Receipt> outcome) mutable { giver.give(std::move(outcome)); });
  const std::optional<Result<Receipt>> receipt = answer.wait();
  if (!receipt) return hub_has_stopped();
  if (!*receipt) return receipt->error();
  EmitReceipt told{.event_id = (*receipt)->id.text()};
  if (const std::optional<Position>& position = (*receipt)->position) {
    told.epoch = epoch_text(position->epoch);
    told.offset = position->offset;
  }
  return told;
}

}  // namespace carillon
