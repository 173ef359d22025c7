// How publications and presence are written for Phoenix clients, one Encoding for each form: who wants the same shares the
// bytes. One per loop.
#pragma once

#include <memory>
#include <vector>

#include "hub/encoding.h"
#include "protocol/phoenix/phoenix_broadcast.h"

namespace carillon {

class PhoenixEncoding final : public Encoding {
 public:
  explicit PhoenixEncoding(const PhoenixForm& form) : form_(form) {}

  const PhoenixForm& form() const { return form_; }

  void encode(const Publication& publication, std::string& out) const override;
  bool is_binary(const Publication& publication) const override;
  void encode_presence(const PresenceUpdate& diff, std::string& out) const override;
  void encode_presence_counts(std::string_view channel, const PresenceCounts& counts, std::string& out) const override;

 private:
  const PhoenixForm form_;
};

class PhoenixEncodings {
 public:
  // The same object for the same form, as long as this lives.
  const PhoenixEncoding& of(const PhoenixForm& form);

 private:
  std::vector<std::unique_ptr<PhoenixEncoding>> all_;
};

// {"users":3,"members":4}
std::string phoenix_presence_stats(const PresenceCounts& counts);

}  // namespace carillon
