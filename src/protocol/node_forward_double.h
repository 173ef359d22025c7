// The ways to other nodes for tests: what is forwarded is kept, to be answered or given back. One thread.
#pragma once

#include <utility>
#include <vector>

#include "protocol/node_forward.h"

namespace carillon {

class NodeForwardDouble final : public NodeForward {
 public:
  struct Forwarded {
    std::uint16_t node;
    ExchangePtr exchange;
    Back back;

    void give_back(Unanswered why) { back(std::move(exchange), why); }
  };

  std::uint16_t own_number = 0;
  std::vector<Forwarded> forwarded;

  std::uint16_t number() override { return own_number; }
  bool is_elsewhere(std::uint16_t node, const HttpRequest& request) override {
    return node != 0 && node != own_number && !was_forwarded(request);
  }
  void forward(std::uint16_t node, ExchangePtr exchange, Back back) override {
    forwarded.push_back({node, std::move(exchange), std::move(back)});
  }
};

}  // namespace carillon
