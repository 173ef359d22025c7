// InfotainerDialog: one client's talk in infotainer's protocol, either version.
//
// 1. The newest connection claims the session id; the one that had it closes, and keeps how far it was. 2. What is remembered
// for the id is loaded and subscribed to again. 3. Commands are done in their order, one after the other; only publishes run
// side by side, for the engine keeps their order. What comes meanwhile waits in a queue that is bounded.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "protocol/dialog.h"
#include "protocol/infotainer/infotainer_desk.h"

namespace carillon {

struct InfotainerStart {
  Uuid session;
  InfotainerVersion version = InfotainerVersion::kOne;
  InfotainerBodies bodies = InfotainerBodies::kApart;
  IdentityPtr identity;
  std::string_view user_agent;
};

class InfotainerDialog final : public Dialog, private SessionClient {
 public:
  // Commands that wait, and publishes that are not answered yet; beyond it a command is refused with the text of infotainer's
  // full mailbox.
  static constexpr std::size_t kQueueMax = 16'384;
  // Entries of one GetLogEntries, and bytes of their payloads (one is always given); beyond it the command is refused.
  static constexpr std::size_t kEntriesMax = 1000;
  static constexpr std::size_t kEntriesBytesMax = 16u << 20;
  // Ids in an index of version 1: of the newest.
  static constexpr std::size_t kIndexMax = 100'000;
  // Closing code of a connection whose session goes on elsewhere.
  static constexpr std::uint16_t kCloseTakenOver = 4001;

  InfotainerDialog(InfotainerDesk& desk, Link& link, const InfotainerStart& start);
  ~InfotainerDialog() override;

  std::uint64_t serial() const { return serial_; }
  // When the link is open: claims the session id and goes on from there.
  void start();

  Outbox& outbox() override { return session_.outbox(); }
  void on_message(std::string_view message, MessageKind kind) override;
  void on_room() override;
  void on_link_closed() override;

  // For the desk.
  void give_up(UniqueFunction<void()> done);
  void load();
  void on_tick(Millis now);

 private:
  enum class State : std::uint8_t { kOpening, kOpen, kClosed };

  struct Subscription {
    Uuid log;
    std::string channel;
    std::optional<Position> position;  // Where it began.
    std::optional<Position> acked;     // As the client says it; from then on only that counts.
    std::optional<Position> kept;      // As the store knows it.
    bool answered = false;             // By the hub: until then nothing is heard here, whatever others on the loop hear.
  };
  // A publish or a subscription of old that waits for the hub.
  struct Asked {
    Ticket ticket = 0;
    std::string request_id;
    Uuid log;
    std::string channel;
  };
  // The command that is being done.
  struct Operation {
    InfotainerVerb verb = InfotainerVerb::kSubscribe;
    Ticket ticket = 0;
    std::string request_id;
    Uuid id;
    bool created = false;
    bool had = false;
    std::optional<Position> position;
    std::optional<Draft> draft;
    HistoryQuery query;
    HistoryPage page;
    std::vector<Uuid> ids;  // Asked for, or an index.
    std::size_t done = 0;
    std::vector<PublicationPtr> found;
    std::vector<Uuid> missing;
    std::size_t bytes = 0;
    Topic topic;
    std::size_t limit = 0;
    std::string group;
    std::optional<std::string> answer;  // Waits until all that was queued has left: it may be larger than the outbox.
  };

  bool is_two() const { return version_ == InfotainerVersion::kTwo; }
  const Policy& policy() const { return desk_.shard().hub().policy(); }
  TopicDirectory& topics() { return desk_.common().topics; }
  std::string creator() const;

  // infotainer_dialog.cc
  void on_loaded(Result<std::vector<DurableSubscription>> loaded);
  void resume(const DurableSubscription& known);
  void on_resumed(const Asked& asked, const Result<Subscribed>& outcome);
  void open();
  void pump();
  void dispatch(const InfotainerCommand& command);
  Operation& operate(const InfotainerCommand& command);
  void finish();
  void finish(std::string_view answer);
  void fail(const Error& error);

  void subscribe(const InfotainerCommand& command);
  void on_ensured(Result<bool> made);
  void on_kept(Result<void> kept);
  void on_own_subscribed(const Result<Subscribed>& outcome);
  void keep_beginning(Subscription& subscription);
  void unsubscribe(const InfotainerCommand& command);
  void on_forgotten(Result<bool> had);
  void on_left(Result<void> left);
  void publish(const InfotainerCommand& command);
  void on_log_known(Result<bool> known);
  void on_listeners(Result<std::vector<Hub::ChannelInfo>> channels);
  void on_groups_there(Result<GroupPage> groups);
  void publish_operation();
  void send_draft(Draft draft, std::string request_id, const Uuid& log);
  void ack(const InfotainerCommand& command);
  void list_subscriptions(const InfotainerCommand& command);

  // infotainer_logs.cc
  void get_index(const InfotainerCommand& command);
  void take_index_page(const HistoryPage& page);
  void take_index_page_v2(const HistoryPage& page);
  void on_index_known(Result<bool> known);
  void get_entries(const InfotainerCommand& command);
  void ask_entries();
  void on_entries(Result<std::vector<PublicationPtr>> entries);
  void answer_entries();
  void send_waiting_answer();

  // infotainer_topics.cc
  void create_topic(const InfotainerCommand& command);
  void on_topic_created(Result<Topic> topic);
  void list_topics(const InfotainerCommand& command);
  void on_topics(Result<std::vector<Topic>> topics);
  void get_topic(const InfotainerCommand& command);
  void on_topic(Result<std::optional<Topic>> topic);
  void on_topic_subscribers(Result<std::vector<std::string>> subscribers);
  void delete_topic(const InfotainerCommand& command);
  void on_topic_to_delete(Result<std::optional<Topic>> topic);
  void on_topic_deleted(Result<bool> had);
  void watch_topics(const InfotainerCommand& command);

  // infotainer_groups.cc
  void join_group(const InfotainerCommand& command);
  void leave_group(const InfotainerCommand& command);
  void settle_group(const InfotainerCommand& command);

  // SessionClient
  void on_outbox() override;
  void on_subscribed(Ticket ticket, const Result<Subscribed>& outcome) override;
  void on_published(Ticket ticket, const Result<Receipt>& outcome) override;
  void on_history(Ticket ticket, const Result<HistoryPage>& outcome) override;
  void on_gap(std::span<const Gap> gaps) override;
  void on_unsubscribed(std::string_view channel, std::string_view reason, bool crash) override;
  void on_group_joined(Ticket ticket, const Result<GroupJoined>& outcome) override;
  void on_group_delivery(const GroupName& name, const GroupDelivery& delivery) override;
  void on_group_settled(Ticket ticket, const Result<GroupSettled>& outcome) override;
  void on_group_ended(const GroupName& name, std::string_view reason) override;
  void on_continuity(Continuity continuity) override;
  void on_announcement(const Bytes& text) override;
  void on_end_wanted(EndReason reason, std::string_view text) override;
  std::string peer_text() const override { return link_.peer().text; }

  Subscription* find(const Uuid& log);
  void drop(const Uuid& log);
  std::optional<Position> heard(const Subscription& subscription);
  void leave();
  void keep_heard(DurableSubscriptions::Done done);
  void renew();
  Asked take(Ticket ticket);
  void send(std::string_view message);
  void send_error(const Error& error, std::string_view request_id);

  InfotainerDesk& desk_;
  Link& link_;
  const InfotainerVersion version_;
  const Uuid session_id_;
  const std::string subscriber_;  // As DurableSubscriptions knows it.
  const std::string owner_;
  Session session_;
  const std::uint64_t serial_;
  State state_ = State::kOpening;
  bool claimed_ = false;
  bool pumping_ = false;
  bool front_waits_ = false;  // The first of the queue is no publish: it waits until all of them are answered.
  std::size_t resuming_ = 0;
  std::size_t publishing_ = 0;
  Ticket last_ticket_ = 0;
  Millis renewed_at_{0};
  InfotainerReader reader_;
  std::vector<Subscription> subscriptions_;
  std::deque<Asked> asked_;  // In the order of their tickets.
  std::unique_ptr<Operation> operation_;
  std::deque<std::string> queue_;
  std::size_t queue_bytes_ = 0;
};

}  // namespace carillon
