// Any bytes as the stored state of a queue group: refused, or a group that works and is stored as it was read.
#include "base/check.h"
#include "hub/queue_group.h"

using namespace carillon;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::int64_t kUnix = 1'700'000'000'000;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  static_cast<void>(parse_token(text));
  Result<QueueGroup> group = QueueGroup::parse(text, 5, Millis(1000), kUnix);
  if (!group) return 0;
  const std::string stored = group->serialise(Millis(1000), kUnix);
  const Result<QueueGroup> again = QueueGroup::parse(stored, 5, Millis(1000), kUnix);
  CHECK(again && again->cursor() == group->cursor() && again->lag() == group->lag());
  CHECK(again->settings() == group->settings() && again->totals().acked == group->totals().acked);
  // Whoever comes is given everything that is left, and what is dead is buried: nothing stays.
  for (const QueueGroup::DeadLetter& dead : group->take_dead()) group->bury(dead.offset);
  group->join(1, QueueGroup::Kind::kMember, QueueGroup::kUnsettledMax);
  const Millis later(1000 + 48ll * 60 * 60 * 1000);
  for (int round = 0; round < 2; ++round) {
    for (const QueueGroup::Delivery& delivery : group->deliver(later)) CHECK(group->ack(delivery.token));
    for (const QueueGroup::DeadLetter& dead : group->take_dead()) group->bury(dead.offset);
  }
  CHECK(group->lag() == 0);
  return 0;
}
