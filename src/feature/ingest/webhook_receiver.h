// Webhooks in: POST /webhooks/github and /webhooks/gitea (Gitea and Forgejo). One per loop, used on that loop.
//
// A delivery becomes one or more drafts (webhook_mapping.h), all of them published before it is answered:
//   202 {"delivery":"…","events":[{"channel","event","id","epoch","offset"}]}   (no epoch and offset without history)
//   200 the same with "repeated":true, when the delivery had been published before: its id is the idempotency key.
// Else {"error":{"code","message"}}: 400 broken JSON, no event header, a payload that lacks its subject; 401 a missing or
// wrong signature (or 403, by the admission); 415 another content type; 503 or 507 (full) when publishing failed. The sender
// may then deliver again: what had been published is not published twice.
#pragma once

#include <string>
#include <vector>

#include "base/unique_function.h"
#include "carillon/result.h"
#include "feature/ingest/webhook_mapping.h"
#include "hub/publication.h"
#include "protocol/exchange.h"

namespace carillon {

class WebhookReceiver {
 public:
  struct Options {
    // Any of them may have signed a delivery; they are several only while one is being replaced. Empty: signatures are not
    // checked, and the admission decides alone.
    std::vector<std::string> github_secrets;
    std::vector<std::string> gitea_secrets;
    WebhookMappingOptions mapping;
    std::string github_path = "/webhooks/github";
    std::string gitea_path = "/webhooks/gitea";
    // The size of a body is bounded by the server ([limits] body_bytes, 413 beyond). GitHub sends up to 25 MB and calls a
    // delivery failed that is refused.
  };

  // Publishes the draft and completes on this loop, now or later. A completion that is dropped answers 500.
  using PublishFunction = UniqueFunction<void(Draft, UniqueFunction<void(Result<Receipt>)>)>;

  // Whether a sender is heard for whom no secret is configured. An error is the answer: 401 (kUnauthorized) or 403.
  using AdmitFunction = UniqueFunction<Result<void>(const Exchange&)>;

  // Without an admission, everyone is heard where no secret is configured.
  WebhookReceiver(Options options, PublishFunction publish, AdmitFunction admit = {});

  // The receiver must outlive the routes.
  void add_routes(Routes& routes);

 private:
  void receive(WebhookSource source, ExchangePtr exchange);
  Result<void> check_sender(WebhookSource source, const Exchange& exchange);

  Options options_;
  PublishFunction publish_;
  AdmitFunction admit_;
};

}  // namespace carillon
