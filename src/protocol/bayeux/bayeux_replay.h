// The replay extension: what a client knows of the channels that it subscribes to, as it comes in the `ext` of a subscribe, and
// what it is told of them. No state; any thread.
//
//   asked:    "ext":{"replay":{"/room/42":"<epoch>:<offset>","/repo/alice/**":{"/repo/alice/app":"<epoch>:<offset>"}}}
//   answered: "ext":{"replay":{"/room/42":{"recovered":true,"positions":{"/room/42":"<epoch>:<offset>"}}, …}}
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "hub/session.h"
#include "protocol/bayeux/bayeux_channel.h"

namespace carillon {

// Positions in one `ext`; one more is kTooLarge.
inline constexpr std::size_t kBayeuxReplayPositionsMax = 1024;

class BayeuxReplayWishes {
 public:
  // The positions that the client knows in what it subscribes to by that name, as on the wire; a channel that is not among them
  // is new to it. Nothing: it asks for nothing that was.
  std::optional<std::vector<ChannelPosition>> of(std::string_view subscription) const;

 private:
  friend Result<BayeuxReplayWishes> read_bayeux_replay(std::string_view ext_json, BayeuxAlphabet alphabet);
  struct Wish {
    std::string subscription;
    std::vector<ChannelPosition> positions;
  };
  std::vector<Wish> wishes_;
};

// `ext_json`: an object, or empty. Of a subscription either an object of channels and their positions, or, of a single channel,
// the position alone; null asks for nothing. Errors: kInvalid (anything else there, a name that no channel has), kTooLarge.
Result<BayeuxReplayWishes> read_bayeux_replay(std::string_view ext_json, BayeuxAlphabet alphabet);

// What became of one subscription.
struct BayeuxReplayed {
  std::string subscription;
  bool recovered = false;
  std::vector<ChannelPosition> positions;
};
// The `ext` of the reply.
std::string bayeux_replay_reply(std::span<const BayeuxReplayed> subscriptions, BayeuxAlphabet alphabet);

// {"/room/42":6}: publications lost, by channel; those of channels without a name under "".
std::string bayeux_lost(std::span<const Gap> gaps, BayeuxAlphabet alphabet);

}  // namespace carillon
