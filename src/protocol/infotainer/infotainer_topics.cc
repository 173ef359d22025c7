// Topics: logs that have a name. Version 2 only.
#include <algorithm>

#include "protocol/infotainer/infotainer_dialog.h"

namespace carillon {
namespace {

constexpr std::size_t kTopicsDefault = 100;
constexpr std::size_t kTopicsMax = 1000;  // In one page; and subscribers that are named.

const Error kNoTopic{ErrorKind::kNotFound, "Topic not found"};

Selector exact_selector(std::string channel) {
  return {.kind = Selector::Kind::kExact, .base = std::move(channel)};
}

}  // namespace

// Who may publish on its log may make a topic, and remove it.
void InfotainerDialog::create_topic(const InfotainerCommand& command) {
  Operation& operation = operate(command);
  operation.id = Uuid::random_v4(desk_.common().random);
  const Result<void> allowed = policy().may_publish(session_.identity(), topic_channel(operation.id));
  if (!allowed) return fail(allowed.error());
  topics().create({.id = operation.id, .name = command.name, .creator = creator()},
                  desk_.answer(serial_, &InfotainerDialog::on_topic_created));
}

void InfotainerDialog::on_topic_created(Result<Topic> topic) {
  if (!topic) return fail(topic.error());
  desk_.note_known(topic->id);
  finish(infotainer_topic_created(operation_->request_id, *topic));
}

void InfotainerDialog::list_topics(const InfotainerCommand& command) {
  Operation& operation = operate(command);
  const Result<void> allowed = policy().may_subscribe(session_.identity(), exact_selector(std::string(kTopicsChannel)));
  if (!allowed) return fail(allowed.error());
  operation.limit = static_cast<std::size_t>(std::clamp<std::uint64_t>(command.limit.value_or(kTopicsDefault), 1, kTopicsMax));
  topics().list(command.after_id, operation.limit + 1, desk_.answer(serial_, &InfotainerDialog::on_topics));
}

void InfotainerDialog::on_topics(Result<std::vector<Topic>> topics) {
  if (!topics) return fail(topics.error());
  const bool more = topics->size() > operation_->limit;
  if (more) topics->resize(operation_->limit);
  finish(infotainer_topics(operation_->request_id, *topics, more));
}

void InfotainerDialog::get_topic(const InfotainerCommand& command) {
  operate(command);
  const Result<void> allowed = policy().may_subscribe(session_.identity(), exact_selector(topic_channel(command.id)));
  if (!allowed) return fail(allowed.error());
  topics().read(command.id, desk_.answer(serial_, &InfotainerDialog::on_topic));
}

void InfotainerDialog::on_topic(Result<std::optional<Topic>> topic) {
  if (!topic) return fail(topic.error());
  if (!*topic) return fail(kNoTopic);
  operation_->topic = **std::move(topic);
  desk_.common().durable.subscribers(topic_channel(operation_->id), {}, kTopicsMax + 1,
                                     desk_.answer(serial_, &InfotainerDialog::on_topic_subscribers));
}

void InfotainerDialog::on_topic_subscribers(Result<std::vector<std::string>> subscribers) {
  if (!subscribers) return fail(subscribers.error());
  const bool more = subscribers->size() > kTopicsMax;
  if (more) subscribers->resize(kTopicsMax);
  finish(infotainer_topic(operation_->request_id, operation_->topic, *subscribers, more));
}

void InfotainerDialog::delete_topic(const InfotainerCommand& command) {
  operate(command);
  const Result<void> allowed = policy().may_publish(session_.identity(), topic_channel(command.id));
  if (!allowed) return fail(allowed.error());
  topics().read(command.id, desk_.answer(serial_, &InfotainerDialog::on_topic_to_delete));
}

void InfotainerDialog::on_topic_to_delete(Result<std::optional<Topic>> topic) {
  if (!topic) return fail(topic.error());
  if (!*topic) return fail(kNoTopic);
  if (!session_.identity().trusted && (*topic)->creator != creator()) {
    return fail({ErrorKind::kForbidden, "only who created a topic may delete it, or who shows the API key"});
  }
  topics().remove(desk_.loop(), operation_->id, desk_.answer(serial_, &InfotainerDialog::on_topic_deleted));
}

void InfotainerDialog::on_topic_deleted(Result<bool> had) {
  desk_.forget_known(operation_->id);
  if (!had) return fail(had.error());
  if (!*had) return fail(kNoTopic);
  finish(infotainer_topic_deleted(operation_->request_id, operation_->id));
}

void InfotainerDialog::watch_topics(const InfotainerCommand& command) {
  Operation& operation = operate(command);
  Selector selector = exact_selector(std::string(kTopicsChannel));
  if (command.verb == InfotainerVerb::kWatchTopics) {
    return session_.subscribe({.selector = std::move(selector), .ticket = operation.ticket});
  }
  session_.unsubscribe(selector);
  finish(infotainer_watching(operation.request_id, false));
}

}  // namespace carillon
