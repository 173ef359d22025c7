// Queue groups on a log. Version 2 only. A membership is the connection's: it is not remembered for the session.
#include <utility>

#include "protocol/infotainer/infotainer_dialog.h"
#include "protocol/native_channels.h"

namespace carillon {
namespace {

GroupSettle::Verb settle_verb(InfotainerVerb verb) {
  if (verb == InfotainerVerb::kNackDelivery) return GroupSettle::Verb::kNack;
  return verb == InfotainerVerb::kExtendDelivery ? GroupSettle::Verb::kExtend : GroupSettle::Verb::kAck;
}

}  // namespace

void InfotainerDialog::join_group(const InfotainerCommand& command) {
  Operation& operation = operate(command);
  operation.group = command.group;
  GroupWish wish = command.wish;
  if (wish.dead_letter) {
    Result<std::string> dead_letter = named_channel(*wish.dead_letter);
    if (!dead_letter) return fail(dead_letter.error());
    wish.dead_letter = *std::move(dead_letter);
  }
  session_.join_group({.name = {.channel = topic_channel(command.id), .name = command.group},
                       .wish = std::move(wish),
                       .in_flight_max = command.in_flight,
                       .ticket = operation.ticket});
}

void InfotainerDialog::leave_group(const InfotainerCommand& command) {
  operate(command);
  const bool was_member = session_.leave_group({.channel = topic_channel(command.id), .name = command.group});
  finish(infotainer_group_left(operation_->request_id, command.id, command.group, was_member));
}

void InfotainerDialog::settle_group(const InfotainerCommand& command) {
  Operation& operation = operate(command);
  operation.group = command.group;
  GroupSettle settle{.verb = settle_verb(command.verb), .deliveries = command.deliveries, .time = command.time};
  session_.settle_group({.channel = topic_channel(command.id), .name = command.group}, std::move(settle), operation.ticket);
}

// --- The hub's answers

void InfotainerDialog::on_group_joined(Ticket ticket, const Result<GroupJoined>& outcome) {
  if (state_ == State::kClosed || operation_ == nullptr || operation_->ticket != ticket) return;
  if (!outcome) return fail(outcome.error());
  finish(infotainer_group_joined(operation_->request_id, operation_->id, operation_->group, *outcome));
}

void InfotainerDialog::on_group_settled(Ticket ticket, const Result<GroupSettled>& outcome) {
  if (state_ == State::kClosed || operation_ == nullptr || operation_->ticket != ticket) return;
  if (!outcome) return fail(outcome.error());
  if (outcome->settled == 0) return fail(not_in_flight());
  finish(
      infotainer_settled(operation_->request_id, operation_->id, operation_->group, settle_verb(operation_->verb), *outcome));
}

void InfotainerDialog::on_group_delivery(const GroupName& name, const GroupDelivery& delivery) {
  if (const auto log = topic_of_channel(name.channel)) send(infotainer_delivery(*log, name.name, delivery));
}

void InfotainerDialog::on_group_ended(const GroupName& name, std::string_view reason) {
  if (const auto log = topic_of_channel(name.channel)) send(infotainer_group_ended(*log, name.name, reason));
}

}  // namespace carillon
