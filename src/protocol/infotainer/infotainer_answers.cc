// What the server says, in both versions: the answers of infotainer_codec.h.
#include <algorithm>

#include "base/utf8.h"
#include "hub/epoch_text.h"
#include "hub/topic_directory.h"
#include "protocol/infotainer/infotainer_codec.h"
#include "wire/cbor/cbor_json.h"
#include "wire/cbor/cbor_reader.h"
#include "wire/cbor/cbor_writer.h"

namespace carillon {
namespace {

std::string_view bytes_of(const Uuid& id) {
  return {reinterpret_cast<const char*>(id.bytes.data()), id.bytes.size()};
}

CborWriter& uuid_field(CborWriter& cbor, std::string_view name, const Uuid& id) {
  return cbor.text(name).bytes(bytes_of(id));
}

void write_numbers(CborWriter& cbor, std::string_view bytes) {
  cbor.array(bytes.size());
  for (const char byte : bytes) cbor.number(static_cast<std::uint8_t>(byte));
}

CborWriter& position_fields(CborWriter& cbor, const Position& position) {
  return cbor.text("epoch").text(epoch_text(position.epoch)).text("offset").number(position.offset);
}

CborWriter& position_field(CborWriter& cbor, std::string_view name, const Position& position) {
  return position_fields(cbor.text(name).map(2), position);
}

// {variant: {…}}, with the request id where there is one; `fields` more are the caller's to write.
void begin_answer(CborWriter& cbor, std::string_view variant, std::string_view request_id, std::size_t fields) {
  cbor.map(1).text(variant).map(fields + (request_id.empty() ? 0 : 1));
  if (!request_id.empty()) cbor.text("request_id").raw(request_id);
}

// The `format` and `data` of a publication: JSON as the CBOR item it becomes.
void write_payload(CborWriter& cbor, const Publication& publication) {
  const std::string_view payload = publication.payload.view();
  if (publication.format == PayloadFormat::kJson) {
    if (const Result<std::string> item = json_to_cbor(payload)) {
      cbor.text("format").text("json").text("data").raw(*item);
      return;
    }
    // Numbers that CBOR cannot hold: the text as it came.
    cbor.text("format").text("json_text").text("data").text(payload);
    return;
  }
  if (publication.format == PayloadFormat::kCbor && check_cbor(payload)) {
    cbor.text("format").text("cbor").text("data").raw(payload);
    return;
  }
  cbor.text("format").text("bytes").text("data").bytes(payload);
}

constexpr std::size_t kAboutFields = 3;
// What an issue and an index say of a publication.
void write_about(CborWriter& cbor, const Publication& publication) {
  uuid_field(cbor, "publication_id", publication.id);
  cbor.text("event").text(publication.event).text("time").number(publication.time_ms);
  if (publication.position) position_fields(cbor, *publication.position);
}

std::size_t about_fields(const Publication& publication) {
  return kAboutFields + (publication.position ? 2 : 0);
}

}  // namespace

void append_infotainer_issue(std::string& out, const Uuid& log, const Uuid& publication) {
  CborWriter(out).map(1).text("Issue").array(2).bytes(bytes_of(log)).bytes(bytes_of(publication));
}

std::string infotainer_log_index(const Uuid& log, std::span<const Uuid> publications) {
  std::string out;
  CborWriter cbor(out);
  cbor.map(1).text("LogIndex").array(2).bytes(bytes_of(log)).array(publications.size());
  for (const Uuid& id : publications) cbor.bytes(bytes_of(id));
  return out;
}

std::string infotainer_log_entries(const Uuid& log, std::span<const PublicationPtr> publications) {
  std::string out;
  CborWriter cbor(out);
  cbor.map(1).text("LogEntry").array(publications.size());
  for (const PublicationPtr& publication : publications) {
    cbor.map(3);
    uuid_field(cbor, "publication_id", publication->id);
    uuid_field(cbor, "subscription_id", log);
    cbor.text("data");
    write_numbers(cbor, publication->payload.view());
  }
  return out;
}

void append_infotainer_issue_v2(std::string& out, const Uuid& log, const Publication& publication, InfotainerBodies bodies) {
  const bool inline_body = bodies == InfotainerBodies::kInIssues;
  CborWriter cbor(out);
  begin_answer(cbor, "Issue", {}, 1 + about_fields(publication) + (inline_body ? 2 : 0));
  uuid_field(cbor, "subscription_id", log);
  write_about(cbor, publication);
  if (inline_body) write_payload(cbor, publication);
}

std::string infotainer_hello(const InfotainerHello& hello) {
  std::string out;
  CborWriter cbor(out);
  begin_answer(cbor, "Hello", {}, 5);
  uuid_field(cbor, "session_id", hello.session);
  cbor.text("server").text(hello.server).text("version").number(2);
  cbor.text("subscriptions").number(hello.subscriptions).text("message_bytes").number(hello.message_bytes_max);
  return out;
}

std::string infotainer_subscribed(std::string_view request_id, const InfotainerSubscribed& subscribed) {
  std::string out;
  CborWriter cbor(out);
  begin_answer(cbor, "Subscribed", request_id, 3 + (subscribed.recovered ? 1 : 0) + (subscribed.position ? 1 : 0));
  uuid_field(cbor, "subscription_id", subscribed.log);
  cbor.text("created").boolean(subscribed.created).text("already").boolean(subscribed.already);
  if (subscribed.recovered) cbor.text("lost").boolean(!*subscribed.recovered);
  if (subscribed.position) position_field(cbor, "position", *subscribed.position);
  return out;
}

std::string infotainer_resumed(const InfotainerSubscribed& subscribed) {
  std::string out;
  CborWriter cbor(out);
  begin_answer(cbor, "Resumed", {}, 2 + (subscribed.position ? 1 : 0));
  uuid_field(cbor, "subscription_id", subscribed.log);
  cbor.text("lost").boolean(!subscribed.recovered.value_or(false));
  if (subscribed.position) position_field(cbor, "position", *subscribed.position);
  return out;
}

std::string infotainer_unsubscribed(std::string_view request_id, const Uuid& log, bool was_subscribed) {
  std::string out;
  CborWriter cbor(out);
  begin_answer(cbor, "Unsubscribed", request_id, 2);
  uuid_field(cbor, "subscription_id", log).text("was_subscribed").boolean(was_subscribed);
  return out;
}

std::string infotainer_ended(const Uuid& log, std::string_view reason) {
  std::string out;
  CborWriter cbor(out);
  begin_answer(cbor, "Ended", {}, 2);
  uuid_field(cbor, "subscription_id", log).text("reason").text(reason);
  return out;
}

std::string infotainer_published(std::string_view request_id, const Uuid& log, const Receipt& receipt) {
  std::string out;
  CborWriter cbor(out);
  begin_answer(cbor, "Published", request_id, 4 + (receipt.position ? 1 : 0));
  uuid_field(cbor, "subscription_id", log);
  uuid_field(cbor, "publication_id", receipt.id);
  cbor.text("time").number(receipt.time_ms).text("repeated").boolean(receipt.repeated);
  if (receipt.position) position_field(cbor, "position", *receipt.position);
  return out;
}

std::string infotainer_log_index_v2(std::string_view request_id, const Uuid& log, const HistoryPage& page) {
  std::string out;
  CborWriter cbor(out);
  begin_answer(cbor, "LogIndex", request_id, 4 + (page.top ? 1 : 0));
  uuid_field(cbor, "log_id", log).text("entries").array(page.publications.size());
  for (const PublicationPtr& publication : page.publications) {
    cbor.map(about_fields(*publication) + 1);
    write_about(cbor, *publication);
    cbor.text("size").number(publication->payload.size());
  }
  cbor.text("lost").boolean(!page.complete).text("more").boolean(page.more);
  if (page.top) position_field(cbor, "top", *page.top);
  return out;
}

std::string infotainer_log_entries_v2(std::string_view request_id, const Uuid& log,
                                      std::span<const PublicationPtr> publications, std::span<const Uuid> missing) {
  std::string out;
  CborWriter cbor(out);
  begin_answer(cbor, "LogEntries", request_id, 3);
  uuid_field(cbor, "log_id", log).text("entries").array(publications.size());
  for (const PublicationPtr& publication : publications) {
    const bool has_user = publication->identity != nullptr && !publication->identity->user.empty();
    cbor.map(about_fields(*publication) + 2 + (has_user ? 1 : 0));
    write_about(cbor, *publication);
    if (has_user) cbor.text("user").text(publication->identity->user);
    write_payload(cbor, *publication);
  }
  cbor.text("missing").array(missing.size());
  for (const Uuid& id : missing) cbor.bytes(bytes_of(id));
  return out;
}

std::string infotainer_acked(std::string_view request_id, const Uuid& log) {
  std::string out;
  CborWriter cbor(out);
  begin_answer(cbor, "Acked", request_id, 1);
  uuid_field(cbor, "subscription_id", log);
  return out;
}

std::string infotainer_subscriptions(std::string_view request_id, std::span<const DurableSubscription> subscriptions) {
  std::string out;
  CborWriter cbor(out);
  begin_answer(cbor, "Subscriptions", request_id, 1);
  cbor.text("subscriptions").array(subscriptions.size());
  for (const DurableSubscription& subscription : subscriptions) {
    cbor.map(1 + (subscription.heard ? 1 : 0));
    uuid_field(cbor, "subscription_id", topic_of_channel(subscription.channel).value_or(Uuid{}));
    if (subscription.heard) position_field(cbor, "position", *subscription.heard);
  }
  return out;
}

namespace {

constexpr std::size_t kTopicFields = 5;
void write_topic(CborWriter& cbor, const Topic& topic) {
  uuid_field(cbor, "topic_id", topic.id).text("name").text(topic.name).text("creator").text(topic.creator);
  cbor.text("created").number(topic.created_ms).text("lasting").boolean(topic.lasting);
}

}  // namespace

std::string infotainer_topic_created(std::string_view request_id, const Topic& topic) {
  std::string out;
  CborWriter cbor(out);
  begin_answer(cbor, "TopicCreated", request_id, kTopicFields);
  write_topic(cbor, topic);
  return out;
}

std::string infotainer_topics(std::string_view request_id, std::span<const Topic> topics, bool more) {
  std::string out;
  CborWriter cbor(out);
  begin_answer(cbor, "Topics", request_id, 2);
  cbor.text("topics").array(topics.size());
  for (const Topic& topic : topics) {
    cbor.map(kTopicFields);
    write_topic(cbor, topic);
  }
  cbor.text("more").boolean(more);
  return out;
}

std::string infotainer_topic(std::string_view request_id, const Topic& topic, std::span<const std::string> subscribers,
                             bool more) {
  std::string out;
  CborWriter cbor(out);
  begin_answer(cbor, "Topic", request_id, kTopicFields + 2);
  write_topic(cbor, topic);
  cbor.text("subscribers").array(subscribers.size());
  for (const std::string& subscriber : subscribers) cbor.text(subscriber);
  cbor.text("more").boolean(more);
  return out;
}

std::string infotainer_topic_deleted(std::string_view request_id, const Uuid& topic) {
  std::string out;
  CborWriter cbor(out);
  begin_answer(cbor, "TopicDeleted", request_id, 1);
  uuid_field(cbor, "topic_id", topic);
  return out;
}

std::string infotainer_watching(std::string_view request_id, bool watching) {
  std::string out;
  CborWriter cbor(out);
  begin_answer(cbor, "WatchingTopics", request_id, 1);
  cbor.text("watching").boolean(watching);
  return out;
}

namespace {

// Ends with the names of what it is about: `fields` more are the caller's to write.
void begin_group_answer(CborWriter& cbor, std::string_view variant, std::string_view request_id, const Uuid& log,
                        std::string_view group, std::size_t fields) {
  begin_answer(cbor, variant, request_id, 2 + fields);
  uuid_field(cbor, "subscription_id", log).text("group").text(group);
}

const char* settled_variant(GroupSettle::Verb verb) {
  switch (verb) {
    case GroupSettle::Verb::kAck: return "DeliveryAcked";
    case GroupSettle::Verb::kNack: return "DeliveryNacked";
    case GroupSettle::Verb::kExtend: return "DeliveryExtended";
  }
  return "DeliveryAcked";
}

}  // namespace

std::string infotainer_group_joined(std::string_view request_id, const Uuid& log, std::string_view group,
                                    const GroupJoined& joined) {
  std::string out;
  CborWriter cbor(out);
  begin_group_answer(cbor, "GroupJoined", request_id, log, group, joined.already ? 2 : 4);
  cbor.text("created").boolean(joined.created).text("already").boolean(joined.already);
  if (joined.already) return out;
  position_field(cbor, "position", joined.cursor).text("lag").number(joined.lag);
  return out;
}

std::string infotainer_group_left(std::string_view request_id, const Uuid& log, std::string_view group, bool was_member) {
  std::string out;
  CborWriter cbor(out);
  begin_group_answer(cbor, "GroupLeft", request_id, log, group, 1);
  cbor.text("was_member").boolean(was_member);
  return out;
}

std::string infotainer_group_ended(const Uuid& log, std::string_view group, std::string_view reason) {
  std::string out;
  CborWriter cbor(out);
  begin_group_answer(cbor, "GroupEnded", {}, log, group, 1);
  cbor.text("reason").text(reason);
  return out;
}

std::string infotainer_delivery(const Uuid& log, std::string_view group, const GroupDelivery& delivery) {
  const Publication& publication = *delivery.publication;
  const bool has_user = publication.identity != nullptr && !publication.identity->user.empty();
  std::string out;
  CborWriter cbor(out);
  begin_group_answer(cbor, "Delivery", {}, log, group, 2 + about_fields(publication) + (has_user ? 1 : 0) + 2);
  cbor.text("delivery").text(delivery.token).text("attempt").number(delivery.attempt);
  write_about(cbor, publication);
  if (has_user) cbor.text("user").text(publication.identity->user);
  write_payload(cbor, publication);
  return out;
}

std::string infotainer_settled(std::string_view request_id, const Uuid& log, std::string_view group, GroupSettle::Verb verb,
                               const GroupSettled& settled) {
  std::string out;
  CborWriter cbor(out);
  begin_group_answer(cbor, settled_variant(verb), request_id, log, group, 2);
  cbor.text("settled").number(settled.settled).text("refused").array(settled.refused.size());
  for (const std::string& token : settled.refused) cbor.text(token);
  return out;
}

void append_infotainer_topic_changed(std::string& out, const Topic& topic, TopicChange change) {
  CborWriter cbor(out);
  begin_answer(cbor, "TopicChanged", {}, 1 + kTopicFields);
  cbor.text("change").text(change == TopicChange::kCreated ? "created" : "removed");
  write_topic(cbor, topic);
}

std::string infotainer_gap(const std::optional<Uuid>& log, std::uint64_t messages) {
  std::string out;
  CborWriter cbor(out);
  begin_answer(cbor, "Gap", {}, log ? 2 : 1);
  if (log) uuid_field(cbor, "subscription_id", *log);
  cbor.text("messages").number(messages);
  return out;
}

std::string infotainer_continuity(Continuity continuity) {
  std::string out;
  CborWriter cbor(out);
  begin_answer(cbor, "Continuity", {}, 1);
  cbor.text("state").text(continuity_text(continuity));
  return out;
}

std::string infotainer_announcement(std::string_view text) {
  std::string out;
  CborWriter cbor(out);
  begin_answer(cbor, "Announcement", {}, 1);
  cbor.text("text").text(text);
  return out;
}

std::string infotainer_error(std::string_view request_id, const Error& error) {
  std::string out;
  CborWriter cbor(out);
  begin_answer(cbor, "Error", request_id, 2);
  cbor.text("code").text(error_kind_name(error.kind)).text("message").text(error.text);
  return out;
}

}  // namespace carillon
