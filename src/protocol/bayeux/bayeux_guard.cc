#include "protocol/bayeux/bayeux_guard.h"

#include <fmt/core.h>

#include <algorithm>

namespace carillon {
namespace {

// A name or wildcard taken apart: what it stands for lies at, one below or anywhere below `base`.
struct Reach {
  enum class Kind { kName, kChildren, kBelow };
  Kind kind;
  std::string_view base;
};

Reach reach_of(std::string_view text) {
  if (text.ends_with("/**")) return {Reach::Kind::kBelow, text.substr(0, text.size() - 3)};
  if (text.ends_with("/*")) return {Reach::Kind::kChildren, text.substr(0, text.size() - 2)};
  return {Reach::Kind::kName, text};
}

bool lies_below(std::string_view name, std::string_view base) {
  return name.size() > base.size() + 1 && name.starts_with(base) && name[base.size()] == '/';
}

bool is_child(std::string_view name, std::string_view base) {
  return lies_below(name, base) && name.find('/', base.size() + 1) == std::string_view::npos;
}

std::string_view refusal(BayeuxOperation operation) {
  switch (operation) {
    case BayeuxOperation::kCreate: return "create_denied";
    case BayeuxOperation::kSubscribe: return "subscribe_denied";
    case BayeuxOperation::kPublish: break;
  }
  return "publish_denied";
}

std::string_view word(BayeuxOperation operation) {
  switch (operation) {
    case BayeuxOperation::kCreate: return "create";
    case BayeuxOperation::kSubscribe: return "subscribe";
    case BayeuxOperation::kPublish: break;
  }
  return "publish";
}

std::string error_text(std::string_view reason, BayeuxOperation operation) {
  return fmt::format("403:{}:{}", reason, refusal(operation));
}

// A rule that is for other operations or somebody else ignores the question, and still is one that must be heard.
BayeuxAnswer judge(const BayeuxAuthorizerRule& rule, const BayeuxQuestion& question) {
  const bool meant =
      std::find(rule.operations.begin(), rule.operations.end(), word(question.operation)) != rule.operations.end();
  if (!meant) return {};
  if (!rule.user.empty() && !(question.client.verified && question.client.user == rule.user)) return {};
  switch (rule.decision) {
    case BayeuxDecision::kGrant: return {.opinion = BayeuxOpinion::kGrant};
    case BayeuxDecision::kDeny: return {.opinion = BayeuxOpinion::kDeny, .reason = rule.reason};
    case BayeuxDecision::kIgnore: break;
  }
  return {};
}

// Counts what the authorizers say of one question.
class Hearing {
 public:
  explicit Hearing(const BayeuxQuestion& question) : question_(question) {}

  // False: it is decided, and nobody else needs to be asked.
  bool take(std::string_view pattern, const BayeuxAnswer& answer) {
    anybody_ = true;
    if (answer.opinion == BayeuxOpinion::kDeny) error_ = error_text(answer.reason, question_.operation);
    granted_ |= answer.opinion == BayeuxOpinion::kGrant && bayeux_pattern_covers(pattern, question_.channel);
    return error_.empty();
  }

  std::string outcome() const {
    if (!error_.empty() || !anybody_ || granted_) return error_;
    return error_text("denied_by_not_granting", question_.operation);
  }

 private:
  const BayeuxQuestion& question_;
  bool anybody_ = false;
  bool granted_ = false;
  std::string error_;
};

}  // namespace

bool bayeux_pattern_covers(std::string_view wide, std::string_view narrow) {
  const Reach outer = reach_of(wide);
  const Reach inner = reach_of(narrow);
  switch (outer.kind) {
    case Reach::Kind::kName: break;
    case Reach::Kind::kChildren:
      if (inner.kind == Reach::Kind::kName) return is_child(inner.base, outer.base);
      break;
    case Reach::Kind::kBelow:
      if (lies_below(inner.base, outer.base)) return true;
      return inner.kind != Reach::Kind::kName && inner.base == outer.base;
  }
  return inner.kind == outer.kind && inner.base == outer.base;
}

// Two of them that have a name in common lie one in the other.
bool bayeux_pattern_has_say(std::string_view pattern, std::string_view asked) {
  return bayeux_pattern_covers(pattern, asked) || bayeux_pattern_covers(asked, pattern);
}

BayeuxVerdict BayeuxGuard::may_handshake(const BayeuxHandshake& handshake) const {
  return hooks_.may_handshake ? hooks_.may_handshake(handshake) : BayeuxVerdict();
}

BayeuxPermission BayeuxGuard::may(const BayeuxQuestion& question) const {
  BayeuxPermission permission;
  if (hooks_.policy) {
    BayeuxVerdict verdict = hooks_.policy(question);
    permission.advice = std::move(verdict.advice);
    permission.ext = std::move(verdict.ext);
    if (!verdict.allowed) {
      permission.error = error_text("denied_by_security_policy", question.operation);
      return permission;
    }
  }
  permission.error = ask_authorizers(question);
  return permission;
}

std::string BayeuxGuard::ask_authorizers(const BayeuxQuestion& question) const {
  Hearing hearing(question);
  for (const BayeuxAuthorizerRule& rule : rules_) {
    if (!bayeux_pattern_has_say(rule.channel, question.channel)) continue;
    if (!hearing.take(rule.channel, judge(rule, question))) return hearing.outcome();
  }
  for (const BayeuxAuthorizer& authorizer : hooks_.authorizers) {
    if (!bayeux_pattern_has_say(authorizer.pattern, question.channel)) continue;
    if (!hearing.take(authorizer.pattern, authorizer.judge(question))) return hearing.outcome();
  }
  return hearing.outcome();
}

}  // namespace carillon
