#include "protocol/bayeux/bayeux_encoding.h"

#include <array>
#include <ctime>

#include "hub/position_text.h"
#include "protocol/bayeux/bayeux_binary.h"
#include "protocol/event_json.h"
#include "wire/json/json_writer.h"

namespace carillon {
namespace {

// What a client hears beside the payload.
void append_ext(std::string& out, const Publication& publication, bool positions) {
  const bool binary = publication.format != PayloadFormat::kJson;
  const bool foreign = publication.event != kBayeuxEvent;
  const bool position = positions && publication.position;
  if (!binary && !foreign && !position) return;
  out += R"(,"ext":{)";
  if (binary) out += R"("binary":{})";
  if (foreign) {
    if (binary) out += ',';
    out += R"("event":)";
    append_json_string(out, publication.event);
    out += R"(,"event_id":")";
    out += publication.id.text();
    out += '"';
  }
  if (position) {
    if (binary || foreign) out += ',';
    out += R"("replay":")";
    out += position_text(*publication.position);
    out += '"';
  }
  out += '}';
}

}  // namespace

void BayeuxEncoding::encode(const Publication& publication, std::string& out) const {
  out += R"({"channel":")";
  append_bayeux_channel(out, publication.channel, form_.alphabet);  // Holds nothing that JSON would escape.
  out += R"(","data":)";
  if (publication.format == PayloadFormat::kJson) {
    out += publication.payload.view();
  } else {
    append_bayeux_binary(out, publication);
  }
  append_ext(out, publication, form_.positions);
  if (form_.timestamps) {
    out += R"(,"timestamp":")";
    out += bayeux_timestamp(publication.time_ms);
    out += '"';
  }
  out += "},";
}

std::string bayeux_timestamp(std::int64_t unix_ms) {
  const std::time_t seconds = unix_ms / 1000;
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  static constexpr std::array kDays{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr std::array kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const auto two = [](int value) { return std::string(value < 10 ? "0" : "") + std::to_string(value); };
  return std::string(kDays[static_cast<std::size_t>(parts.tm_wday)]) + ' ' + kMonths[static_cast<std::size_t>(parts.tm_mon)] +
         ' ' + two(parts.tm_mday) + ' ' + two(parts.tm_hour) + ':' + two(parts.tm_min) + ':' + two(parts.tm_sec) + " GMT " +
         std::to_string(parts.tm_year + 1900);
}

std::string bayeux_delivery(const BayeuxDelivery& delivery) {
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  if (!delivery.id_json.empty()) json.key("id").raw(delivery.id_json);
  json.key("channel").string(delivery.channel);
  if (!delivery.data_json.empty()) json.key("data").raw(delivery.data_json);
  if (delivery.successful) json.key("successful").boolean(*delivery.successful);
  if (!delivery.timestamp.empty()) json.key("timestamp").string(delivery.timestamp);
  json.end_object();
  return out + ',';
}

}  // namespace carillon
