#include "engine/log/log_export.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/utf8.h"
#include "hub/epoch_text.h"
#include "wire/json/json_writer.h"
#include "wire/text/base64.h"

namespace carillon {
namespace {

constexpr std::size_t kPage = 256;
constexpr std::uint64_t kProgressEvery = 1000;

class Exporter {
 public:
  Exporter(const LogStore& store, const LogLineSink& sink, const LogProgress& progress)
      : store_(store), sink_(sink), progress_(progress) {}

  Result<void> all() {
    head();
    for (std::string after; going_;) {
      const auto page = store_.channels("", after, kPage);
      if (!page) return page.error();
      for (const auto& [name, record] : *page) {
        if (Result<void> done = channel(name, record); !done) return done;
      }
      if (page->size() < kPage) break;
      after = page->back().first;
    }
    if (Result<void> done = keys(""); !done) return done;
    return states();
  }

  Result<void> one(const std::string& name) {
    const Result<std::optional<LogChannelRecord>> record = store_.channel(name);
    if (!record) return record.error();
    if (!*record) return Error{ErrorKind::kNotFound, fmt::format("there is no channel {} in the log", name)};
    head();
    if (Result<void> done = channel(name, **record); !done) return done;
    return keys(name + '\0');
  }

 private:
  JsonWriter begin() {
    line_.clear();
    JsonWriter line(line_);
    line.begin_object();
    return line;
  }
  void end(JsonWriter& line) {
    line.end_object();
    going_ = going_ && sink_(line_);
  }

  void head() {
    JsonWriter line = begin();
    line.key("log").string(kLogTextFormat).key("epoch").string(epoch_text(store_.epoch()));
    end(line);
  }

  Result<void> channel(const std::string& name, const LogChannelRecord& record) {
    JsonWriter line = begin();
    line.key("channel").string(name).key("epoch").string(epoch_text(record.top.epoch)).key("offset").number(record.top.offset);
    line.key("oldest").number(record.oldest).key("time").number(record.last_ms);
    end(line);
    std::uint64_t expected = record.oldest;
    const Result<void> walked = store_.walk(
        record.number, record.oldest, record.top.offset + 1, false, [&](std::uint64_t offset, std::string_view bytes) {
          const PublicationPtr found = read_publication(bytes, name, {record.top.epoch, offset}, store_.run());
          if (found == nullptr || offset != expected) return false;
          ++expected;
          publication(*found);
          return going_;
        });
    if (!walked || !going_ || expected > record.top.offset) return walked;
    return Error{ErrorKind::kCorrupt,
                 fmt::format("channel {}: offset {} is missing or damaged; `carillon log check` says more", name, expected)};
  }

  void publication(const Publication& publication) {
    JsonWriter line = begin();
    line.key("channel").string(publication.channel).key("offset").number(publication.position->offset);
    line.key("id").string(publication.id.text()).key("time").number(publication.time_ms);
    line.key("event").string(publication.event);
    payload(line, publication);
    if (const IdentityPtr& identity = publication.identity) {
      line.key("user").string(identity->user);
      if (identity->trusted) line.key("trusted").boolean(true);
      if (identity->verified) line.key("verified").boolean(true);
    }
    if (!publication.tags.empty()) {
      line.key("tags").begin_object();
      for (const auto& [name, value] : publication.tags) line.key(name).string(value);
      line.end_object();
    }
    end(line);
    if (++written_ % kProgressEvery == 0) progress_("events", written_, 0);
  }

  void payload(JsonWriter& line, const Publication& publication) {
    const std::string_view bytes = publication.payload.view();
    if (publication.format == PayloadFormat::kJson) {
      one_line_ = bytes;  // In JSON a raw line break stands between tokens only.
      std::ranges::replace_if(
          one_line_, [](char c) { return c == '\n' || c == '\r'; }, ' ');
      line.key("data").raw(one_line_);
    } else {
      line.key(publication.format == PayloadFormat::kCbor ? "cbor" : "bytes").string(base64_encode(bytes));
    }
  }

  void name(JsonWriter& line, std::string_view field, std::string_view text) {
    if (is_utf8(text)) {
      line.key(field).string(text);
    } else {
      line.key(std::string(field) + "_base64").string(base64_encode(text));
    }
  }

  Result<void> keys(std::string_view prefix) {
    std::string wrong;
    const Result<void> scanned = store_.scan(LogFamily::kKeys, prefix, [&](std::string_view stored, std::string_view value) {
      const std::optional<ReceiptKey> key = read_receipt_key(stored);
      const std::optional<Receipt> receipt = read_receipt(value);
      if (!key || !receipt || !receipt->position) {
        wrong = key ? key->channel : "";
        return false;
      }
      JsonWriter line = begin();
      line.key("channel").string(key->channel);
      name(line, "key", key->key);
      line.key("id").string(receipt->id.text()).key("epoch").string(epoch_text(receipt->position->epoch));
      line.key("offset").number(receipt->position->offset).key("time").number(receipt->time_ms);
      end(line);
      return going_;
    });
    if (!scanned || wrong.empty()) return scanned;
    return Error{ErrorKind::kCorrupt, fmt::format("channel {}: the receipt of an idempotency key is damaged", wrong)};
  }

  Result<void> states() {
    for (std::string after; going_;) {
      const auto page = store_.states("", after, kPage);
      if (!page) return page.error();
      for (const StateRecord& record : *page) {
        JsonWriter line = begin();
        name(line, "state", record.key);
        line.key("value").string(base64_encode(record.value));
        if (record.expires_at_ms != 0) line.key("expires").number(record.expires_at_ms);
        end(line);
      }
      if (page->size() < kPage) break;
      after = page->back().key;
    }
    return {};
  }

  const LogStore& store_;
  const LogLineSink& sink_;
  const LogProgress& progress_;
  std::string line_, one_line_;
  std::uint64_t written_ = 0;
  bool going_ = true;
};

}  // namespace

Result<void> export_log(const LogStore& store, const std::string& channel, const LogLineSink& sink,
                        const LogProgress& progress) {
  Exporter exporter(store, sink, progress);
  return channel.empty() ? exporter.all() : exporter.one(channel);
}

}  // namespace carillon
