// How publications are written for infotainer's clients, and how far each log has been written on this loop. One loop.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "base/hash.h"
#include "hub/encoding.h"
#include "protocol/infotainer/infotainer_codec.h"

namespace carillon {

// The newest position of each channel that was encoded for clients of version 2 on this loop: what a session has been sent is
// this, less what waits in its outbox. Kept for channels that somebody holds.
class InfotainerTops {
 public:
  void hold(const std::string& channel);
  void release(std::string_view channel);
  void note(std::string_view channel, const Position& position);
  std::optional<Position> top(std::string_view channel) const;
  std::size_t size() const { return tops_.size(); }

 private:
  struct Held {
    std::size_t count = 0;
    std::optional<Position> top;
  };
  boost::unordered_flat_map<std::string, Held, NameHash, NameEqual> tops_;
};

class InfotainerIssueEncoding final : public Encoding {
 public:
  void encode(const Publication& publication, std::string& out) const override;
  bool is_binary(const Publication&) const override { return true; }
};

class InfotainerIssueV2Encoding final : public Encoding {
 public:
  InfotainerIssueV2Encoding(InfotainerTops& tops, InfotainerBodies bodies) : tops_(tops), bodies_(bodies) {}
  void encode(const Publication& publication, std::string& out) const override;
  bool is_binary(const Publication&) const override { return true; }

 private:
  InfotainerTops& tops_;
  const InfotainerBodies bodies_;
};

}  // namespace carillon
