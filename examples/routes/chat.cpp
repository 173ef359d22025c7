#include "chat.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <thread>
#include <utility>
#include <vector>

#include "insights_routes.h"

namespace insights {
namespace {

using carillon::Error;
using carillon::ErrorKind;
using carillon::json_object;
using carillon::json_text;
using carillon::Result;
using carillon::RouteCall;
using carillon::RouteFields;
using carillon::RouteMessage;
using carillon::SendMethod;

std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words(1);
  for (const char letter : text) {
    const auto byte = static_cast<unsigned char>(letter);
    if (std::isalnum(byte) != 0 || byte >= 0x80) {
      words.back() += static_cast<char>(std::tolower(byte));
    } else if (!words.back().empty()) {
      words.emplace_back();
    }
  }
  if (words.back().empty()) words.pop_back();
  return words;
}

// A word of a question, and what it is in a statement.
struct Word {
  std::string_view said;  // The beginning of the word.
  std::string_view name;
  std::string_view sql;
};
constexpr std::array kMeasures{
    Word{"revenue", "revenue", "sum(amount)"}, Word{"sale", "revenue", "sum(amount)"},
    Word{"money", "revenue", "sum(amount)"},   Word{"order", "orders", "count(*)"},
    Word{"piece", "pieces", "sum(pieces)"},    Word{"average", "average order", "round(avg(amount), 2)"}};
constexpr std::array kGroups{Word{"region", "region", "region"}, Word{"product", "product", "product"},
                             Word{"customer", "customer", "customer"}, Word{"month", "month", "substr(day, 1, 7)"},
                             Word{"kind", "kind", "kind"}};
constexpr std::array<std::string_view, 6> kBest{"best", "top", "most", "highest", "which", "who"};

template <std::size_t count>
const Word* find(const std::array<Word, count>& known, const std::vector<std::string>& words) {
  for (const std::string& word : words) {
    const auto found = std::ranges::find_if(known, [&](const Word& one) { return word.starts_with(one.said); });
    if (found != known.end()) return found;
  }
  return nullptr;
}

std::string statement_for(const Word& measure, const Word* group) {
  const std::string from = " from orders join customers on customers.name = customer join products on products.name = product";
  if (group == nullptr) return "select '', " + std::string(measure.sql) + from;
  return "select " + std::string(group->sql) + ", " + std::string(measure.sql) + " as measure" + from +
         " group by 1 order by measure desc, 1";
}

// What to say when the question holds no word that is known.
std::vector<std::string> help_for(const std::vector<std::string>& words) {
  std::string longest;
  for (const std::string& word : words) {
    if (word.size() > longest.size()) longest = word;
  }
  return {"I know the orders of a bell foundry, ",
          "and I do not know ",
          "“" + longest + "”. ",
          "Ask for revenue, orders, pieces or average orders, ",
          "by region, product, customer, month or kind: ",
          "“Which region brings the most revenue?”"};
}

std::string checked_prompt(RouteFields& fields) {
  std::string prompt = fields.text("prompt");
  if (prompt.size() > Chat::kPromptBytesMax) fields.fail("the prompt is too long");
  if (words_of(prompt).empty()) fields.fail("the prompt has no words");
  return prompt;
}

}  // namespace

void Chat::add_to(carillon::RouteHooks& hooks) {
  carillon::RouteResource<ChatRoute, ChatEvent> routes;
  routes.on(ChatRoute::kPost, ChatEvent::kInitialize, [this](const RouteCall& call) { post(call); });
  routes.add_to(hooks);
}

Result<void> Chat::compose(std::string_view prompt, const std::function<bool()>& cancelled,
                           const std::function<bool(std::string_view)>& say) const {
  const std::vector<std::string> words = words_of(prompt);
  const Word* const measure = find(kMeasures, words);
  if (measure == nullptr) {
    for (const std::string& sentence : help_for(words)) {
      if (!say(sentence)) return {};
    }
    return {};
  }
  const Word* const group = find(kGroups, words);
  const Result<SqlTable> table = database_.run(statement_for(*measure, group), cancelled);
  if (!table) return table.error();
  const std::string name(measure->name);
  if (group == nullptr) {
    (void)say("The " + name + " of all orders: " + table->rows.at(0).at(1).text + ".");
    return {};
  }
  const std::string by(group->name);
  if (std::ranges::any_of(kBest, [&](std::string_view best) { return std::ranges::find(words, best) != words.end(); })) {
    const std::vector<SqlValue>& first = table->rows.at(0);
    if (!say(first.at(0).text + " leads ") || !say("with " + first.at(1).text + ". ")) return {};
  }
  if (!say("The " + name + " by " + by + ": ")) return {};
  for (std::size_t row = 0; row < table->rows.size(); ++row) {
    const std::vector<SqlValue>& values = table->rows[row];
    if (!say(values.at(0).text + " " + values.at(1).text + (row + 1 == table->rows.size() ? "." : ", "))) return {};
  }
  return {};
}

Result<std::string> Chat::answer(const carillon::RouteQuestion& question) const {
  RouteFields fields(question.payload);
  const std::string prompt = checked_prompt(fields);
  if (auto read = fields.status(); !read) return read.error();
  std::string whole;
  const auto composed = compose(prompt, question.cancelled, [&](std::string_view chunk) {
    whole += chunk;
    return true;
  });
  if (!composed) return composed.error();
  return json_object({{"response_message", json_text(whole)}});
}

// On the personal stream, so that every tab of the user shows the chat, and `kAll`, so that the others hear the rest when the
// tab that asked is closed meanwhile: what is for the sender is dropped then.
void Chat::post(const RouteCall& call) {
  RouteFields fields(call.payload());
  const std::string prompt = checked_prompt(fields);
  std::string chat_id = fields.optional_text("chat_id").value_or("");
  if (auto read = fields.status(); !read) return (void)call.fail(ChatEvent::kInitialize, read.error());
  const std::string message_id = std::to_string(++last_id_);
  if (chat_id.empty()) chat_id = call.user().id + "-" + message_id;

  RouteMessage message{.event = ChatEvent::kInitialize, .channel = "user:" + call.user().id, .method = SendMethod::kAll};
  message.payload =
      json_object({{"chat_id", json_text(chat_id)}, {"message_id", json_text(message_id)}, {"prompt", json_text(prompt)}});
  (void)call.send(message);

  message.event = ChatEvent::kResponse;
  message.payload = json_object({{"chat_id", json_text(chat_id)}, {"message_id", json_text(message_id)}});
  carillon::RouteProgress progress(call, message);
  std::string whole;
  const auto say = [&](std::string_view chunk) {
    if (!whole.empty()) std::this_thread::sleep_for(pause_);
    whole += chunk;
    return progress.step(json_object({{"response_message_chunk", json_text(chunk)}})).has_value();
  };
  const auto composed = compose(
      prompt, [] { return false; }, say);
  if (!composed) return (void)progress.fail(json_object({{"message", json_text(composed.error().text)}}));
  (void)progress.complete(json_object({{"response_message", json_text(whole)}}));
}

}  // namespace insights
