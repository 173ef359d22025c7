#include "feature/page/start_page.h"

#include <string_view>

namespace carillon {
namespace {

// Self-contained; what comes from outside is only ever set as text. @VERSION@ and @EVENTS@ are filled in once.
constexpr std::string_view kHtml = R"(<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Carillon</title>
<style>
  body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #222; background: #fff }
  pre { background: #f3f3f3; padding: .75rem; overflow-x: auto; border-radius: 4px }
  h2 { margin-top: 2rem } #state { color: #555 } li { margin: .4rem 0 } ol { padding-left: 1.2rem }
  code { overflow-wrap: anywhere }
  @media (prefers-color-scheme: dark) { body { color: #ddd; background: #181818 } pre { background: #262626 } #state { color: #aaa } }
</style>
<h1>Carillon @VERSION@</h1>
<p>Publish once; everybody who listens hears it, in order. Try it in a terminal:</p>
<pre id="try"></pre>
<h2>What happens now</h2>
<p id="state" role="status">connecting…</p>
<ol id="events" reversed></ol>
<p><a href="/api/openapi.json">HTTP API</a> · <a href="/health">health</a> · <a href="/metrics">metrics</a></p>
<script>
  const here = location.origin, list = document.getElementById("events"), state = document.getElementById("state");
  document.getElementById("try").textContent =
    `curl ${here}/api/publish -H 'Content-Type: application/json' \\\n  -d '{"channel":"room:42","event":"new_msg","data":{"text":"hello"}}'\n\n` +
    `curl -N '${here}@EVENTS@?channel=room:42'`;
  const source = new EventSource("@EVENTS@?channel=all");
  source.onopen = () => { state.textContent = "listening to every channel"; };
  source.onerror = () => {
    state.textContent = source.readyState === EventSource.CLOSED
      ? "this page may not hear every channel: that needs the API key" : "disconnected; trying again…";
  };
  source.onmessage = (message) => {
    const event = JSON.parse(message.data), item = document.createElement("li");
    const what = document.createElement("strong"), data = document.createElement("code");
    what.textContent = `${event.event} in ${event.channel} `;
    data.textContent = JSON.stringify(event.data).slice(0, 400);
    item.append(what, data);
    list.prepend(item);
    while (list.children.length > 100) list.lastChild.remove();
  };
</script>
</html>
)";

std::string filled(std::string_view text, std::string_view version, std::string_view events) {
  std::string out;
  while (!text.empty()) {
    const std::size_t at = text.find('@');
    out += text.substr(0, at);
    if (at == std::string_view::npos) break;
    text.remove_prefix(at);
    const std::size_t end = text.find('@', 1);
    const std::string_view word = text.substr(0, end + 1);
    if (word == "@VERSION@") {
      out += version;
    } else if (word == "@EVENTS@") {
      out += events;
    } else {
      out += '@';
      text.remove_prefix(1);
      continue;
    }
    text.remove_prefix(word.size());
  }
  return out;
}

}  // namespace

StartPage::StartPage(const StartPageOptions& options) : html_(filled(kHtml, options.version, options.sse_path)) {}

void StartPage::add_routes(Routes& routes) {
  routes.add("GET", "/", [this](ExchangePtr exchange) {
    HttpResponse response;
    response.headers.add("Content-Type", "text/html; charset=utf-8");
    response.headers.add("Content-Security-Policy",
                         "default-src 'none'; connect-src 'self'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
                         "base-uri 'none'; form-action 'none'; frame-ancestors 'none'");
    response.headers.add("X-Content-Type-Options", "nosniff");
    response.headers.add("Cache-Control", "no-cache");
    response.body = html_;
    exchange->reply(std::move(response));
  });
}

}  // namespace carillon
