// RedisHistory: pages, publications by their ids, the list of channels, and forgetting. On the engine's loop.
//
// A page of a channel that this node hears is shown when everything in it was handed out (RedisFeeds::settle). Long pages are
// read in parts: what is trimmed meanwhile ends the page early, and `more` says so.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/redis/redis_feeds.h"

namespace carillon {

class RedisHistory {
 public:
  // Entries that one script reads; Redis does nothing else meanwhile.
  static constexpr std::size_t kPartMax = 1000;
  // Channels looked at in one step of a list.
  static constexpr std::size_t kListMax = 500;
  // How long the epoch is kept of a channel that was asked for and never published to.
  static constexpr std::int64_t kMadeMs = 3'600'000;

  RedisHistory(const RedisParts& parts, RedisFeeds& feeds) : parts_(parts), feeds_(feeds) {}

  void page(HistoryQuery query, RedisAnswer<HistoryPage> done);
  void publications(std::string channel, std::vector<Uuid> ids, RedisAnswer<std::vector<PublicationPtr>> done);
  void remove(const std::string& channel, RedisAnswer<void> done);
  void channels(std::string prefix, std::string after, std::size_t count_max, RedisAnswer<std::vector<ChannelRecord>> done);

 private:
  struct PageReading;
  struct Search;
  struct Listing;

  void ask_page(std::unique_ptr<PageReading> reading);
  void on_page(std::unique_ptr<PageReading> reading, const Result<RespValue>& reply);
  void go_on(std::unique_ptr<PageReading> reading);
  void on_part(std::unique_ptr<PageReading> reading, const Result<RespValue>& reply);
  void show(std::unique_ptr<PageReading> reading);

  void ask_search(std::unique_ptr<Search> search);
  void on_found(std::unique_ptr<Search> search, const Result<RespValue>& reply);

  void ask_names(std::shared_ptr<Listing> listing);
  void on_names(std::shared_ptr<Listing> listing, const Result<RespValue>& reply);
  void on_record(const std::shared_ptr<Listing>& listing, std::size_t place, const Result<RespValue>& reply);
  void finish_step(std::shared_ptr<Listing> listing);
  void drop_name(const std::string& channel);

  const RedisParts& parts_;
  RedisFeeds& feeds_;
  RedisGuard guard_;
};

}  // namespace carillon
