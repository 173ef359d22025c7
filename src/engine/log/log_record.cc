#include "engine/log/log_record.h"

#include <cstring>
#include <memory>

namespace carillon {
namespace {

constexpr std::uint8_t kVersion = 1;

// What a publication's flags say beside its format, in the two lowest bits.
constexpr std::uint8_t kToOthers = 4;
constexpr std::uint8_t kTrusted = 8;
constexpr std::uint8_t kVerified = 16;
constexpr std::uint8_t kIdentified = 32;
constexpr std::uint8_t kTagged = 64;
constexpr std::uint8_t kToOtherUsers = 128;

void append_u64(std::string& out, std::uint64_t value) {
  char bytes[8];
  for (char& byte : bytes) {
    byte = static_cast<char>(value);
    value >>= 8;
  }
  out.append(bytes, sizeof bytes);
}

void append_u32(std::string& out, std::uint32_t value) {
  char bytes[4];
  for (char& byte : bytes) {
    byte = static_cast<char>(value);
    value >>= 8;
  }
  out.append(bytes, sizeof bytes);
}

void append_text(std::string& out, std::string_view text) {
  append_u32(out, static_cast<std::uint32_t>(text.size()));
  out += text;
}

std::string_view id_bytes(const Uuid& id) {
  return {reinterpret_cast<const char*>(id.bytes.data()), id.bytes.size()};
}

// Reads from the front; after the first thing that is not there everything is zero and `good` is false.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : left_(bytes) {}

  std::uint8_t u8() {
    const std::string_view bytes = take(1);
    return bytes.empty() ? 0 : static_cast<std::uint8_t>(bytes[0]);
  }
  std::uint32_t u32() { return static_cast<std::uint32_t>(number(4)); }
  std::uint64_t u64() { return number(8); }
  std::int64_t i64() { return static_cast<std::int64_t>(number(8)); }
  std::string_view text() { return take(u32()); }
  Uuid id() {
    Uuid id;
    const std::string_view bytes = take(id.bytes.size());
    if (!bytes.empty()) std::memcpy(id.bytes.data(), bytes.data(), bytes.size());
    return id;
  }
  std::string_view rest() { return take(left_.size()); }
  bool at_end() const { return good_ && left_.empty(); }
  bool good() const { return good_; }

 private:
  std::string_view take(std::size_t count) {
    if (!good_ || left_.size() < count) {
      good_ = false;
      return {};
    }
    const std::string_view taken = left_.substr(0, count);
    left_.remove_prefix(count);
    return taken;
  }
  std::uint64_t number(std::size_t count) {
    const std::string_view bytes = take(count);
    std::uint64_t value = 0;
    for (std::size_t i = bytes.size(); i-- > 0;) value = value << 8 | static_cast<std::uint8_t>(bytes[i]);
    return value;
  }

  std::string_view left_;
  bool good_ = true;
};

std::uint8_t flags_of(const Publication& publication) {
  std::uint8_t flags = static_cast<std::uint8_t>(publication.format);
  if (publication.deliver_to == DeliverTo::kOtherSessions) flags |= kToOthers;
  if (publication.deliver_to == DeliverTo::kOtherUsers) flags |= kToOtherUsers;
  if (!publication.tags.empty()) flags |= kTagged;
  if (publication.identity == nullptr) return flags;
  flags |= kIdentified;
  if (publication.identity->trusted) flags |= kTrusted;
  if (publication.identity->verified) flags |= kVerified;
  return flags;
}

}  // namespace

std::size_t log_bytes(const Publication& publication) {
  std::size_t bytes = 64 + publication.event.size() + publication.payload.size();
  for (const auto& [name, value] : publication.tags) bytes += name.size() + value.size() + 8;
  return bytes;
}

// version, flags, time, bytes before, id, run, session, event, payload; user and tags where the flags say so.
void append_publication(std::string& out, const Publication& publication, std::uint64_t bytes_before, std::uint32_t run) {
  out += static_cast<char>(kVersion);
  const std::uint8_t flags = flags_of(publication);
  out += static_cast<char>(flags);
  append_u64(out, static_cast<std::uint64_t>(publication.time_ms));
  append_u64(out, bytes_before);
  out += id_bytes(publication.id);
  append_u32(out, run);
  append_u64(out, publication.publisher_session);
  append_text(out, publication.event);
  append_text(out, publication.payload.view());
  if ((flags & kIdentified) != 0) append_text(out, publication.identity->user);
  if ((flags & kTagged) == 0) return;
  append_u32(out, static_cast<std::uint32_t>(publication.tags.size()));
  for (const auto& [name, value] : publication.tags) {
    append_text(out, name);
    append_text(out, value);
  }
}

std::optional<LogPublicationHead> read_publication_head(std::string_view record) {
  Reader reader(record);
  if (reader.u8() != kVersion) return std::nullopt;
  reader.u8();
  LogPublicationHead head;
  head.time_ms = reader.i64();
  head.bytes_before = reader.u64();
  if (!reader.good()) return std::nullopt;
  return head;
}

PublicationPtr read_publication(std::string_view record, std::string_view channel, const Position& position,
                                std::uint32_t run) {
  Reader reader(record);
  if (reader.u8() != kVersion) return nullptr;
  const std::uint8_t flags = reader.u8();
  if ((flags & 3) > static_cast<std::uint8_t>(PayloadFormat::kBytes)) return nullptr;
  auto publication = std::make_unique<Publication>();
  publication->channel = channel;
  publication->position = position;
  publication->time_ms = reader.i64();
  reader.u64();
  publication->id = reader.id();
  const bool this_run = reader.u32() == run;
  const std::uint64_t session = reader.u64();
  publication->publisher_session = this_run ? session : 0;
  publication->event = reader.text();
  publication->payload = Bytes::copy_of(reader.text());
  publication->format = static_cast<PayloadFormat>(flags & 3);
  if (this_run && (flags & kToOthers) != 0) publication->deliver_to = DeliverTo::kOtherSessions;
  if ((flags & kToOtherUsers) != 0) publication->deliver_to = DeliverTo::kOtherUsers;
  if ((flags & kIdentified) != 0) {
    publication->identity = std::make_shared<const Identity>(
        Identity{.user = std::string(reader.text()), .trusted = (flags & kTrusted) != 0, .verified = (flags & kVerified) != 0});
  }
  if ((flags & kTagged) != 0) {
    for (std::uint32_t left = reader.u32(); left > 0 && reader.good(); --left) {
      std::string name(reader.text());
      publication->tags.emplace_back(std::move(name), reader.text());
    }
  }
  if (!reader.at_end()) return nullptr;
  return PublicationPtr(publication.release());
}

void append_channel(std::string& out, const LogChannelRecord& record) {
  out += static_cast<char>(kVersion);
  for (const std::uint64_t number :
       {record.number, record.top.epoch, record.top.offset, record.oldest, record.erased, record.bytes_ever, record.bytes_gone,
        static_cast<std::uint64_t>(record.oldest_ms), static_cast<std::uint64_t>(record.last_ms)}) {
    append_u64(out, number);
  }
}

std::optional<LogChannelRecord> read_channel(std::string_view bytes) {
  Reader reader(bytes);
  if (reader.u8() != kVersion) return std::nullopt;
  LogChannelRecord record;
  record.number = reader.u64();
  record.top.epoch = reader.u64();
  record.top.offset = reader.u64();
  record.oldest = reader.u64();
  record.erased = reader.u64();
  record.bytes_ever = reader.u64();
  record.bytes_gone = reader.u64();
  record.oldest_ms = reader.i64();
  record.last_ms = reader.i64();
  const bool sound = reader.at_end() && record.erased <= record.oldest && record.oldest <= record.top.offset + 1 &&
                     record.bytes_gone <= record.bytes_ever;
  if (!sound) return std::nullopt;
  return record;
}

void append_receipt(std::string& out, const Receipt& receipt) {
  out += static_cast<char>(kVersion);
  append_u64(out, receipt.position ? receipt.position->epoch : 0);
  append_u64(out, receipt.position ? receipt.position->offset : 0);
  out += id_bytes(receipt.id);
  append_u64(out, static_cast<std::uint64_t>(receipt.time_ms));
}

std::optional<Receipt> read_receipt(std::string_view bytes) {
  Reader reader(bytes);
  if (reader.u8() != kVersion) return std::nullopt;
  Position position;
  position.epoch = reader.u64();
  position.offset = reader.u64();
  Receipt receipt;
  if (position.offset != 0) receipt.position = position;
  receipt.id = reader.id();
  receipt.time_ms = reader.i64();
  if (!reader.at_end()) return std::nullopt;
  return receipt;
}

void append_expiring(std::string& out, std::string_view value, std::int64_t expires_at_ms) {
  out += static_cast<char>(kVersion);
  append_u64(out, static_cast<std::uint64_t>(expires_at_ms));
  out += value;
}

std::optional<Expiring> read_expiring(std::string_view bytes) {
  Reader reader(bytes);
  if (reader.u8() != kVersion) return std::nullopt;
  Expiring expiring;
  expiring.expires_at_ms = reader.i64();
  expiring.value = reader.rest();
  if (!reader.good()) return std::nullopt;
  return expiring;
}

}  // namespace carillon
