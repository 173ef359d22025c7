#include "engine/log/log_import.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/log/channel_repair.h"
#include "engine/log/log_export.h"
#include "hub/epoch_text.h"
#include "hub/publication_id.h"
#include "wire/text/base64.h"

namespace carillon {
namespace {

constexpr std::size_t kBatchBytes = 1u << 20;

Error wrong(std::string text) {
  return {ErrorKind::kInvalid, std::move(text)};
}

std::optional<int> hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return std::nullopt;
}

std::optional<Uuid> parse_id(std::string_view text) {
  Uuid id;
  std::size_t digits = 0;
  for (const char c : text) {
    if (c == '-') continue;
    const std::optional<int> digit = hex_digit(c);
    if (!digit || digits == 32) return std::nullopt;
    std::uint8_t& byte = id.bytes[digits++ / 2];
    byte = static_cast<std::uint8_t>(byte << 4 | *digit);
  }
  if (id.text() != text) return std::nullopt;
  return id;
}

}  // namespace

// One line's members. The first fault is kept; what is read after it is empty. Each member must have been read at the end.
class LogImport::Line {
 public:
  explicit Line(const JsonDocument& document) : members_(document.members), read_(document.members.size(), false) {}

  bool has(std::string_view name) const {
    return std::ranges::any_of(members_, [name](const JsonMember& member) { return member.key == name; });
  }
  std::string text(std::string_view name) {
    return value<std::string>(name, "a string", [](const JsonSpan& span) { return decode_json_string(span.text); });
  }
  std::string base64(std::string_view name) {
    return value<std::string>(name, "Base64", [](const JsonSpan& span) {
      const std::optional<std::string> text = decode_json_string(span.text);
      return text ? base64_decode(*text) : std::nullopt;
    });
  }
  // As it is, or in Base64 under the longer name.
  std::string any_text(const std::string& name) { return has(name) ? text(name) : base64(name + "_base64"); }
  std::uint64_t number(std::string_view name) {
    return value<std::uint64_t>(name, "a whole number", [](const JsonSpan& span) { return json_u64(span.text); });
  }
  std::int64_t time(std::string_view name) {
    return value<std::int64_t>(name, "a whole number", [](const JsonSpan& span) { return json_i64(span.text); });
  }
  std::uint64_t epoch(std::string_view name) {
    return value<std::uint64_t>(name, "16 hexadecimal digits", [](const JsonSpan& span) {
      const std::optional<std::string> text = decode_json_string(span.text);
      return text ? parse_epoch(*text) : std::nullopt;
    });
  }
  Uuid id(std::string_view name) {
    return value<Uuid>(name, "a UUID", [](const JsonSpan& span) {
      const std::optional<std::string> text = decode_json_string(span.text);
      return text ? parse_id(*text) : std::nullopt;
    });
  }
  bool flag(std::string_view name) {
    if (!has(name)) return false;
    return value<bool>(name, "true",
                       [](const JsonSpan& span) { return span.type == JsonType::kTrue ? std::optional(true) : std::nullopt; });
  }
  std::string_view raw(std::string_view name) {
    return value<std::string_view>(name, "", [](const JsonSpan& span) { return std::optional(span.text); });
  }
  Tags tags() {
    if (!has("tags")) return {};
    return value<Tags>("tags", "an object of strings", [](const JsonSpan& span) -> std::optional<Tags> {
      JsonSlicer slicer;
      const Result<JsonDocument> document = slicer.slice(span.text);
      if (!document || document->root.type != JsonType::kObject) return std::nullopt;
      Tags tags;
      for (const JsonMember& member : document->members) {
        const std::optional<std::string> text = decode_json_string(member.value.text);
        if (!text) return std::nullopt;
        tags.emplace_back(member.key, *text);
      }
      return tags;
    });
  }

  Result<void> status() const {
    if (fault_) return *fault_;
    for (std::size_t i = 0; i < members_.size(); ++i) {
      if (!read_[i]) return wrong(fmt::format("`{}` is unknown here, or given twice", members_[i].key));
    }
    return {};
  }

 private:
  template <class T, class Read>
  T value(std::string_view name, std::string_view expected, const Read& read) {
    const auto member = std::ranges::find(members_, name, &JsonMember::key);
    if (member == members_.end()) {
      if (!fault_) fault_ = wrong(fmt::format("`{}` is missing", name));
      return T();
    }
    read_[static_cast<std::size_t>(member - members_.begin())] = true;
    std::optional<T> found = read(member->value);
    if (!found && !fault_) fault_ = wrong(fmt::format("`{}` is not {}", name, expected));
    return found ? *std::move(found) : T();
  }

  const std::span<const JsonMember> members_;
  std::vector<bool> read_;
  std::optional<Error> fault_;
};

Result<std::unique_ptr<LogImport>> LogImport::begin(Files& files, const Clock& clock, Random& random,
                                                    const std::string& directory) {
  bool made_directory = false;
  if (const Result<std::vector<std::string>> names = files.list(directory); names) {
    if (!names->empty())
      return Error{ErrorKind::kConflict, fmt::format("{} is not empty: import into a new directory", directory)};
  } else {
    if (names.error().kind != ErrorKind::kNotFound) return names.error();
    if (const Result<void> made = files.make_directory(directory); !made) return made.error();
    made_directory = true;
  }
  std::unique_ptr<LogImport> import(new LogImport(files, directory));
  import->made_directory_ = made_directory;
  const Result<std::unique_ptr<FileForAppend>> mark = files.create(unfinished_path(directory));
  if (!mark) return mark.error();
  Result<void> written =
      (*mark)->append(fmt::format("an import into {} was interrupted: empty it, and import again\n", directory));
  if (written) written = (*mark)->sync();
  if (written) written = files.sync_directory(directory);
  if (!written) return written.error();
  Result<std::unique_ptr<LogStore>> store =
      LogStore::open(files, clock, random, {.directory = directory, .key_ms = kReceiptsForEver, .unfinished = true});
  if (!store) return store.error();
  import->store_ = *std::move(store);
  import->batch_.emplace(*import->store_);
  return import;
}

LogImport::~LogImport() {
  if (finished_) return;
  batch_.reset();
  store_.reset();
  const Result<std::vector<std::string>> names = files_.list(directory_);
  if (!names) return;
  for (const std::string& name : *names) static_cast<void>(files_.remove(directory_ + "/" + name));
  if (made_directory_) static_cast<void>(files_.remove_directory(directory_));
}

Result<void> LogImport::add(std::string_view text) {
  const Result<JsonDocument> document = slicer_.slice(text);
  if (!document) return document.error();
  if (document->root.type != JsonType::kObject) return wrong("it is no JSON object");
  Line line(*document);
  if (!epoch_) return add_head(line);
  if (line.has("event")) return add_publication(line);
  if (Result<void> ended = end_channel(); !ended) return ended;
  if (line.has("key") || line.has("key_base64")) return add_key(line);
  if (line.has("state") || line.has("state_base64")) return add_state(line);
  return add_channel(line);
}

Result<void> LogImport::add_head(Line& line) {
  if (line.has("log") && line.text("log") != kLogTextFormat)
    return wrong(fmt::format("this program reads `{}`", kLogTextFormat));
  if (!line.has("log")) return wrong("the first line must say the format, as `carillon log export` writes it");
  const std::uint64_t epoch = line.epoch("epoch");
  if (Result<void> good = line.status(); !good) return good;
  epoch_ = epoch;
  return {};
}

Result<void> LogImport::add_channel(Line& line) {
  const std::string name = line.text("channel");
  LogChannelRecord record{.number = next_number_, .top = {line.epoch("epoch"), line.number("offset")}};
  record.oldest = record.erased = line.number("oldest");
  record.last_ms = record.oldest_ms = line.time("time");
  if (Result<void> good = line.status(); !good) return good;
  if (name.empty()) return wrong("`channel` is empty");
  if (record.oldest == 0 || record.oldest - 1 > record.top.offset) return wrong("`oldest` is beyond `offset`");
  const Result<std::optional<LogChannelRecord>> there = store_->channel(name);
  if (!there) return there.error();
  if (*there) return wrong(fmt::format("channel {} was there already", name));
  ++next_number_;
  channel_ = name;
  record_ = record;
  next_ = record.oldest;
  return {};
}

Result<void> LogImport::add_publication(Line& line) {
  const std::string channel = line.text("channel");
  Publication publication;
  publication.position = {record_.top.epoch, line.number("offset")};
  publication.id = line.id("id");
  publication.time_ms = line.time("time");
  publication.event = line.text("event");
  if (line.has("data")) {
    publication.payload = Bytes::copy_of(line.raw("data"));
  } else {
    publication.format = line.has("cbor") ? PayloadFormat::kCbor : PayloadFormat::kBytes;
    publication.payload = Bytes::copy_of(line.base64(line.has("cbor") ? "cbor" : "bytes"));
  }
  if (line.has("user")) {
    const Identity identity{.user = line.text("user"), .trusted = line.flag("trusted"), .verified = line.flag("verified")};
    publication.identity = std::make_shared<const Identity>(identity);
  }
  publication.tags = line.tags();
  if (Result<void> good = line.status(); !good) return good;
  if (channel_.empty() || channel != channel_)
    return wrong(fmt::format("no line of channel {} comes before its events", channel));
  const std::uint64_t offset = publication.position->offset;
  if (offset != next_ || offset > record_.top.offset)
    return wrong(fmt::format("`offset` is {}, and {} must come", offset, next_));
  if (offset_in(publication.id, record_.top.epoch) != offset) return wrong("`id` is not of this position");
  if (offset > record_.oldest && publication.time_ms < record_.oldest_ms)
    return wrong("`time` is before that of the event before");
  if (publication.time_ms > record_.last_ms) return wrong("`time` is after that of the channel's newest");
  batch_->put_publication(record_.number, publication, record_.bytes_ever, 0);
  record_.bytes_ever += log_bytes(publication);
  record_.oldest_ms = publication.time_ms;  // Of the one before, until the channel is at its end.
  if (offset == record_.oldest) first_ms_ = publication.time_ms;
  ++next_;
  ++publications_;
  return write_when_much();
}

Result<void> LogImport::end_channel() {
  if (channel_.empty()) return {};
  if (next_ != record_.top.offset + 1) {
    return wrong(fmt::format("channel {} ends before its offset {}; {} must come", channel_, record_.top.offset, next_));
  }
  if (record_.count() > 0) record_.oldest_ms = first_ms_;
  batch_->put_channel(channel_, record_);
  channel_.clear();
  return write(false);  // So that a second line of it is found.
}

Result<void> LogImport::add_key(Line& line) {
  const std::string channel = line.text("channel"), key = line.any_text("key");
  Receipt receipt{
      .position = Position{line.epoch("epoch"), line.number("offset")}, .id = line.id("id"), .time_ms = line.time("time")};
  if (Result<void> good = line.status(); !good) return good;
  if (channel.empty() || receipt.position->offset == 0) return wrong("a key needs a channel and an offset");
  batch_->put_key(channel, key, receipt);
  return write_when_much();
}

Result<void> LogImport::add_state(Line& line) {
  const std::string key = line.any_text("state"), value = line.base64("value");
  const std::int64_t expires_at_ms = line.has("expires") ? line.time("expires") : 0;
  if (Result<void> good = line.status(); !good) return good;
  batch_->put_state(key, value, expires_at_ms);
  return write_when_much();
}

Result<void> LogImport::write_when_much() {
  return batch_->bytes() < kBatchBytes ? Result<void>() : write(false);
}

Result<void> LogImport::write(bool synced) {
  Result<void> written = store_->write(*batch_, synced);
  batch_->clear();
  return written;
}

Result<void> LogImport::finish() {
  if (!epoch_) return wrong("there is no line");
  if (Result<void> ended = end_channel(); !ended) return ended;
  batch_->put_beginnings(next_number_, *epoch_);
  if (Result<void> written = write(true); !written) return written;
  finished_ = true;
  batch_.reset();
  store_.reset();
  if (Result<void> removed = files_.remove(unfinished_path(directory_)); !removed) return removed;
  return files_.sync_directory(directory_);
}

}  // namespace carillon
