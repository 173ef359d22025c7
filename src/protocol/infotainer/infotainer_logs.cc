// The logs: which publications there are, and the publications.
#include <algorithm>

#include "base/check.h"
#include "protocol/infotainer/infotainer_dialog.h"

namespace carillon {
namespace {

// Entries read at a time, so that no more than this is in memory beyond what may be answered.
constexpr std::size_t kReadTogether = 16;

const Error kNoLog{ErrorKind::kNotFound, "Log not found"};

bool was_ever_published(const HistoryPage& page) {
  return page.top && page.top->offset > 0;
}

}  // namespace

void InfotainerDialog::get_index(const InfotainerCommand& command) {
  Operation& operation = operate(command);
  const std::size_t page_max = desk_.about().history_page_max;
  operation.query = {.channel = topic_channel(command.id), .count_max = page_max, .reverse = true};
  if (is_two()) {
    if (command.before && !command.reverse) return fail({ErrorKind::kInvalid, "`before` goes with `reverse`"});
    if (command.after && command.reverse) return fail({ErrorKind::kInvalid, "`after` does not go with `reverse`"});
    if (command.from_time_ms && (command.after || command.before)) {
      return fail({ErrorKind::kInvalid, "`from_time` goes in place of `after` and `before`"});
    }
    operation.query.since = command.reverse ? command.before : command.after;
    operation.query.from_time_ms = command.from_time_ms;
    operation.query.reverse = command.reverse;
    operation.query.count_max = static_cast<std::size_t>(
        std::clamp<std::uint64_t>(command.limit.value_or(std::min<std::size_t>(page_max, 100)), 1, page_max));
  }
  session_.history(operation.query, operation.ticket);
}

// The whole index of version 1, from the newest back.
void InfotainerDialog::take_index_page(const HistoryPage& page) {
  if (!was_ever_published(page)) return finish();  // As the original: a log that was never written to is none.
  Operation& operation = *operation_;
  for (const PublicationPtr& publication : page.publications) operation.ids.push_back(publication->id);
  if (page.more && !page.publications.empty() && operation.ids.size() < kIndexMax) {
    operation.query.since = page.publications.back()->position;
    return session_.history(operation.query, operation.ticket);
  }
  std::reverse(operation.ids.begin(), operation.ids.end());
  operation.answer = infotainer_log_index(operation.id, operation.ids);
  send_waiting_answer();
}

void InfotainerDialog::take_index_page_v2(const HistoryPage& page) {
  operation_->page = page;
  if (was_ever_published(page)) return on_index_known(true);
  topics().is_known(operation_->id, desk_.answer(serial_, &InfotainerDialog::on_index_known));
}

void InfotainerDialog::on_index_known(Result<bool> known) {
  if (!known) return fail(known.error());
  if (!*known) return fail(kNoLog);
  finish(infotainer_log_index_v2(operation_->request_id, operation_->id, operation_->page));
}

void InfotainerDialog::get_entries(const InfotainerCommand& command) {
  Operation& operation = operate(command);
  if (command.entries.size() > kEntriesMax) {
    return fail({ErrorKind::kTooLarge, "more than 1000 entries asked for; ask for fewer"});
  }
  const Result<void> allowed = policy().may_read_history(session_.identity(), topic_channel(command.id));
  if (!allowed) return fail(allowed.error());
  operation.ids = command.entries;
  ask_entries();
}

void InfotainerDialog::ask_entries() {
  Operation& operation = *operation_;
  if (operation.done == operation.ids.size()) return answer_entries();
  const std::size_t end = std::min(operation.done + kReadTogether, operation.ids.size());
  std::vector<Uuid> some(operation.ids.begin() + static_cast<std::ptrdiff_t>(operation.done),
                         operation.ids.begin() + static_cast<std::ptrdiff_t>(end));
  desk_.shard().hub().engine().publications(topic_channel(operation.id), std::move(some),
                                            desk_.answer(serial_, &InfotainerDialog::on_entries));
}

void InfotainerDialog::on_entries(Result<std::vector<PublicationPtr>> entries) {
  if (!entries) return fail(entries.error());
  Operation& operation = *operation_;
  CHECK(operation.done + entries->size() <= operation.ids.size());
  for (PublicationPtr& publication : *entries) {
    const Uuid& id = operation.ids[operation.done++];
    if (publication == nullptr) {
      operation.missing.push_back(id);
      continue;
    }
    operation.bytes += publication->payload.size();
    operation.found.push_back(std::move(publication));
  }
  if (operation.bytes > kEntriesBytesMax && operation.found.size() > 1) {
    return fail({ErrorKind::kTooLarge, "the entries asked for have more than 16 MiB; ask for fewer"});
  }
  ask_entries();
}

void InfotainerDialog::answer_entries() {
  Operation& operation = *operation_;
  operation.answer = is_two()
                         ? infotainer_log_entries_v2(operation.request_id, operation.id, operation.found, operation.missing)
                         : infotainer_log_entries(operation.id, operation.found);
  send_waiting_answer();
}

// An outbox takes a message of any size when it is empty.
void InfotainerDialog::send_waiting_answer() {
  if (state_ == State::kClosed || operation_ == nullptr || !operation_->answer) return;
  if (!session_.outbox().empty()) return;
  send(*operation_->answer);
  finish();
}

}  // namespace carillon
