#include "engine/redis/presence_record.h"

#include <charconv>
#include <unordered_map>
#include <utility>

namespace carillon {
namespace {

// Takes words off the front of a text; once one was not as wanted, none is.
class Words {
 public:
  explicit Words(std::string_view text) : rest_(text) {}

  // Up to the next `end`, which goes too.
  std::string_view word(char end = ' ') {
    const std::size_t size = rest_.find(end);
    if (size == std::string_view::npos) return fail();
    const std::string_view taken = rest_.substr(0, size);
    rest_.remove_prefix(size + 1);
    return taken;
  }
  template <class Number>
  void number(Number& number, char end = ' ') {
    const std::string_view text = word(end);
    const auto [last, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || last != text.data() + text.size()) fail();
  }
  std::string_view bytes(std::size_t size) {
    if (size > rest_.size()) return fail();
    const std::string_view taken = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return taken;
  }
  std::string_view rest() const { return rest_; }
  bool failed() const { return failed_; }

 private:
  std::string_view fail() {
    failed_ = true;
    rest_ = {};
    return {};
  }

  std::string_view rest_;
  bool failed_ = false;
};

bool take_records(Words& words, std::size_t count, std::vector<PresenceRecord>& records) {
  for (std::size_t i = 0; i < count; ++i) {
    std::size_t member_size = 0;
    std::size_t value_size = 0;
    words.number(member_size);
    words.number(value_size);
    const std::string_view member = words.bytes(member_size);
    auto record = parse_presence_record(member, words.bytes(value_size));
    if (words.failed() || !record) return false;
    records.push_back(*std::move(record));
  }
  return true;
}

}  // namespace

std::string presence_record_text(std::uint64_t incarnation, std::int64_t online_at_ms, std::string_view ref,
                                 std::string_view key, std::string_view meta) {
  std::string text = std::to_string(incarnation) + ' ' + std::to_string(online_at_ms) + ' ';
  text.append(ref).append(" ").append(std::to_string(key.size())).append(" ").append(key).append(meta);
  return text;
}

std::optional<PresenceRecord> parse_presence_record(std::string_view member, std::string_view value) {
  Words words(value);
  PresenceRecord record;
  words.number(record.version, '-');
  words.number(record.index);
  if (const std::string_view before = words.word(); before != "-") record.meta.previous_ref = before;
  words.number(record.incarnation);
  words.number(record.meta.online_at_ms);
  record.meta.ref = words.word();
  std::size_t key_size = 0;
  words.number(key_size);
  record.key = words.bytes(key_size);
  if (words.failed()) return std::nullopt;
  record.meta.meta = words.rest();
  record.meta.client_id = member;
  return record;
}

std::string_view node_of_member(std::string_view member) {
  const std::size_t end = member.find('/');
  return end == std::string_view::npos ? std::string_view() : member.substr(0, end);
}

std::optional<PresenceMessage> parse_presence_message(std::string_view text) {
  Words words(text);
  PresenceMessage message;
  std::size_t leaves = 0;
  std::size_t joins = 0;
  words.number(message.version);
  words.number(message.before);
  words.number(message.counts.users);
  words.number(message.counts.members);
  words.number(leaves);
  words.number(joins);
  if (words.failed()) return std::nullopt;
  if (!take_records(words, leaves, message.leaves) || !take_records(words, joins, message.joins)) return std::nullopt;
  if (!words.rest().empty()) return std::nullopt;
  return message;
}

std::vector<PresenceEntry> presence_entries(const std::vector<PresenceRecord>& records) {
  std::vector<PresenceEntry> entries;
  std::unordered_map<std::string_view, std::size_t> places;
  for (const PresenceRecord& record : records) {
    const auto [place, is_new] = places.try_emplace(record.key, entries.size());
    if (is_new) entries.push_back({.key = record.key, .metas = {}});
    entries[place->second].metas.push_back(record.meta);
  }
  return entries;
}

}  // namespace carillon
