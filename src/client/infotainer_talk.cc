#include "client/infotainer_talk.h"

#include <fmt/core.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "base/utf8.h"
#include "base/uuid_text.h"
#include "wire/cbor/cbor_reader.h"
#include "wire/cbor/cbor_writer.h"

namespace carillon {
namespace {

std::string_view take_word(std::string_view& line) {
  const std::size_t begin = std::min(line.find_first_not_of(" \t"), line.size());
  line.remove_prefix(begin);
  const std::size_t end = std::min(line.find_first_of(" \t"), line.size());
  const std::string_view word = line.substr(0, end);
  line.remove_prefix(end);
  return word;
}

Error invalid(std::string text) {
  return {ErrorKind::kInvalid, std::move(text)};
}

std::string_view bytes_of(const Uuid& id) {
  return {reinterpret_cast<const char*>(id.bytes.data()), id.bytes.size()};
}

std::string message_of(std::string_view variant, const Uuid& subscription) {
  std::string out;
  CborWriter(out).map(1).text(variant).map(1).text("subscription_id").bytes(bytes_of(subscription));
  return out;
}

std::string publish_message(const Uuid& subscription, std::string_view text) {
  std::string out;
  CborWriter cbor(out);
  cbor.map(1).text("SubmitPublication").map(2).text("subscription_id").bytes(bytes_of(subscription));
  cbor.text("submission").array(text.size());
  for (const char byte : text) cbor.number(static_cast<std::uint8_t>(byte));
  return out;
}

// The next item as an id.
std::optional<Uuid> read_uuid(CborReader& reader) {
  const Result<CborItem> item = reader.next();
  Uuid id;
  if (!item || item->type != CborType::kBytes || item->bytes.size() != id.bytes.size()) return std::nullopt;
  std::copy(item->bytes.begin(), item->bytes.end(), id.bytes.begin());
  return id;
}

bool read_array(CborReader& reader) {
  const Result<CborItem> item = reader.next();
  return item && item->type == CborType::kArray;
}

struct Entry {
  std::optional<Uuid> publication;
  std::optional<Uuid> subscription;
  std::string data;
};

bool read_data(CborReader& reader, std::string& data) {
  if (!read_array(reader)) return false;
  for (;;) {
    const Result<CborItem> item = reader.next();
    if (!item) return false;
    if (item->type == CborType::kEnd) return true;
    if (item->type != CborType::kUnsigned || item->value > 255) return false;
    data += static_cast<char>(item->value);
  }
}

// The fields of a publication whose map has begun.
std::optional<Entry> read_entry(CborReader& reader) {
  Entry entry;
  for (;;) {
    const Result<CborItem> key = reader.next();
    if (!key) return std::nullopt;
    if (key->type == CborType::kEnd) break;
    bool read = key->type == CborType::kText;
    if (key->bytes == "publication_id") {
      entry.publication = read_uuid(reader);
    } else if (key->bytes == "subscription_id") {
      entry.subscription = read_uuid(reader);
    } else if (key->bytes == "data") {
      read = read && read_data(reader, entry.data);
    } else {
      read = read && reader.skip();
    }
    if (!read) return std::nullopt;
  }
  if (!entry.publication || !entry.subscription) return std::nullopt;
  return entry;
}

// [subscription, publication]: asks for it.
std::optional<InfotainerHeard> on_issue(CborReader& reader) {
  if (!read_array(reader)) return std::nullopt;
  const auto subscription = read_uuid(reader), publication = read_uuid(reader);
  if (!subscription || !publication) return std::nullopt;
  InfotainerHeard heard;
  CborWriter cbor(heard.answer);
  cbor.map(1).text("GetLogEntries").map(2).text("log_id").bytes(bytes_of(*subscription));
  cbor.text("entries").array(1).bytes(bytes_of(*publication));
  return heard;
}

std::optional<InfotainerHeard> on_entries(CborReader& reader) {
  if (!read_array(reader)) return std::nullopt;
  InfotainerHeard heard;
  for (;;) {
    const Result<CborItem> item = reader.next();
    if (!item) return std::nullopt;
    if (item->type == CborType::kEnd) return heard;
    if (item->type != CborType::kMap) return std::nullopt;
    const std::optional<Entry> entry = read_entry(reader);
    if (!entry) return std::nullopt;
    heard.print += fmt::format("Received publication {} for Subscription {}:\n{}\n", entry->publication->text(),
                               entry->subscription->text(), readable_utf8(entry->data));
  }
}

// [log, [publication, …]]
std::optional<InfotainerHeard> on_index(CborReader& reader) {
  if (!read_array(reader)) return std::nullopt;
  const auto log = read_uuid(reader);
  if (!log || !read_array(reader)) return std::nullopt;
  InfotainerHeard heard;
  heard.print = fmt::format("Log {}:\n", log->text());
  for (;;) {
    CborReader ahead = reader;
    const Result<CborItem> item = ahead.next();
    if (!item) return std::nullopt;
    if (item->type == CborType::kEnd) return heard;
    const auto publication = read_uuid(reader);
    if (!publication) return std::nullopt;
    heard.print += "  " + publication->text() + '\n';
  }
}

std::optional<InfotainerHeard> on_item(std::string_view message) {
  CborReader reader(message);
  const Result<CborItem> map = reader.next();
  if (!map || map->type != CborType::kMap || map->value != 1) return std::nullopt;
  const Result<CborItem> variant = reader.next();
  if (!variant || variant->type != CborType::kText) return std::nullopt;
  if (variant->bytes == "Issue") return on_issue(reader);
  if (variant->bytes == "LogEntry") return on_entries(reader);
  if (variant->bytes == "LogIndex") return on_index(reader);
  return std::nullopt;
}

}  // namespace

Result<std::string> infotainer_command(std::string_view line) {
  const std::string_view word = take_word(line);
  if (word.empty()) return invalid("Missing command");
  const bool publish = word == "PublishText";
  if (!publish && word != "Subscribe" && word != "Unsubscribe") return invalid("Invalid command");
  const std::string_view id_text = take_word(line);
  if (id_text.empty()) return invalid("Missing log id parameter");
  const std::optional<Uuid> id = parse_uuid(id_text);
  if (!id) return invalid(fmt::format("Invalid Input: `{}` is no UUID", id_text));
  if (!publish) return message_of(word, *id);
  line.remove_prefix(std::min<std::size_t>(1, line.size()));  // One blank; the rest is the text.
  return publish_message(*id, line);
}

// What is no item that is known here is a text: how version 1 tells of errors.
InfotainerHeard infotainer_heard(std::string_view message) {
  if (std::optional<InfotainerHeard> heard = on_item(message)) return *std::move(heard);
  return {.print = readable_utf8(message) + '\n', .answer = {}, .fault = true};
}

}  // namespace carillon
