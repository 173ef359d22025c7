// The `phoenix` package's file for pages, in Chromium.
import assert from "node:assert/strict";
import {once} from "node:events";
import {readFile} from "node:fs/promises";
import http from "node:http";
import {after, before, describe, test} from "node:test";
import puppeteer from "puppeteer-core";
import {until} from "./carillon.js";
import {front, startPhoenix, tokenOf} from "./phoenix_client.js";

const file = (type, path) => ({type, url: new URL(path, import.meta.url)});
const files = {
  "/1.8/": file("text/html", "phoenix_page.html"),
  "/1.8/phoenix.js": file("text/javascript", "node_modules/phoenix/priv/static/phoenix.js"),
  "/1.7/": file("text/html", "phoenix_page.html"),
  "/1.7/phoenix.js": file("text/javascript", "node_modules/phoenix-1.7/priv/static/phoenix.js"),
};

describe("phoenix.js in Chromium", () => {
  let browser, pages, origin;
  before(async () => {
    pages = http.createServer(async (request, response) => {
      const found = files[request.url];
      if (!found) return response.writeHead(404).end();
      response.writeHead(200, {"content-type": found.type}).end(await readFile(found.url));
    });
    pages.listen(0, "127.0.0.1");
    await once(pages, "listening");
    origin = `http://127.0.0.1:${pages.address().port}`;
    browser = await puppeteer.launch({
      executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
      args: ["--no-sandbox"],  // Chromium wants it for root; it only opens the page of this folder.
    });
  });
  after(async () => {
    await browser?.close();
    pages.close();
    pages.closeAllConnections();
  });

  async function started(t, ...options) {
    const server = await startPhoenix(...options);
    t.after(() => server.stop());
    return server;
  }

  // A tab of its own window, as a page in the background does not reconnect.
  async function open(t, server, options = {}, version = "1.8") {
    const context = await browser.createBrowserContext();
    t.after(() => context.close());
    const page = await context.newPage();
    const failures = [];
    page.on("pageerror", (error) => failures.push(error));
    t.after(() => assert.deepEqual(failures, []));
    await page.goto(`${origin}/${version}/`);
    const url = server.url.replace("http:", "ws:") + "/socket";
    const connect = () => page.evaluate((url, options) => connect(url, options), url, options);
    await connect();
    return {
      page,
      connect,
      attend: (...args) => page.evaluate((...args) => attend(...args), ...args),
      push: (...args) => page.evaluate((...args) => push(...args), ...args),
      heard: async (count) => {
        await page.waitForFunction((count) => heard.length >= count, {timeout: 10_000, polling: 10}, count);
        return page.evaluate(() => heard.splice(0));
      },
      shows: (text) => until(async () => (await page.evaluate(() => present())) === text),
      transport: () => page.evaluate(() => transport()),
    };
  }

  const joined = {status: "ok", response: {}};

  for (const [version, transport] of [["1.8", "WebSocket"], ["1.8", "long-poll"], ["1.7", "WebSocket"], ["1.7", "long-poll"]]) {
    test(`two tabs with ${version} over ${transport} hear each other and see each other come and go`, async (t) => {
      const server = await started(t, "--set", "phoenix.poll_window=600ms");
      const longPoll = transport === "long-poll";
      const [alice, bob] = await Promise.all(["alice", "bob"].map((user) => open(t, server, {longPoll, params: {user_id: user}}, version)));
      for (const tab of [alice, bob]) assert.deepEqual(await tab.attend("room:tabs", "said"), joined);
      await Promise.all([alice.shows("alice bob"), bob.shows("alice bob")]);
      for (const n of [1, 2]) assert.deepEqual(await alice.push("said", {n, text: "é🔔"}), joined);
      for (const tab of [alice, bob]) {
        assert.deepEqual(await tab.heard(2), [1, 2].map((n) => ({event: "said", payload: {n, text: "é🔔"}})));
        assert.equal(await tab.transport(), transport);
      }
      await bob.page.close();
      await alice.shows("alice");
    });
  }

  test("a page that was left and comes back is present again", async (t) => {
    const server = await started(t);
    const [alice, bob] = [await open(t, server, {params: {user_id: "alice"}}), await open(t, server, {params: {user_id: "bob"}})];
    for (const tab of [alice, bob]) await tab.attend("room:away", "said");
    await alice.shows("alice bob");
    await bob.page.goto(origin + "/1.7/");
    await alice.shows("alice");
    await bob.page.goBack();
    const kept = await bob.page.evaluate(() => socket !== undefined);
    t.diagnostic(kept ? "from the back-forward cache" : "loaded anew");
    if (!kept) {
      await bob.connect();
      await bob.attend("room:away");
    }
    await Promise.all([alice.shows("alice bob"), bob.shows("alice bob")]);
  });

  test("tabs come back to a server that was restarted", async (t) => {
    let server = await startPhoenix();
    t.after(() => server.stop());
    const [alice, bob] = [await open(t, server, {params: {user_id: "alice"}}), await open(t, server, {params: {user_id: "bob"}})];
    for (const tab of [alice, bob]) await tab.attend("room:restart", "said");
    await server.kill();
    server = await startPhoenix("--listen", server.address);
    assert.deepEqual(await alice.push("said", {n: 1}), joined);
    await Promise.all([alice.shows("alice bob"), bob.shows("alice bob")]);
  });

  test("bytes go from tab to tab", async (t) => {
    const server = await started(t);
    const [alice, bob] = [await open(t, server), await open(t, server)];
    for (const tab of [alice, bob]) await tab.attend("room:bytes", "blob");
    await alice.page.evaluate(() => push("blob", Uint8Array.of(0, 1, 255).buffer));
    for (const tab of [alice, bob]) assert.deepEqual(await tab.heard(1), [{event: "blob", payload: [0, 1, 255]}]);
  });

  test("where WebSockets are blocked tabs use long-poll, across origins and with tokens", async (t) => {
    const secret = "a secret of more than thirty-two bytes";
    const server = await started(t, "--set", `server.origins=${origin}`, "--set", `auth.jwt_secrets=${secret}`);
    const proxy = await front(t, server, (_request, socket) => socket.destroy());
    const tabs = [];
    for (const user of ["alice", "bob"]) {
      tabs.push(await open(t, proxy, {longPollFallbackMs: 1_000, authToken: await tokenOf(user, secret)}));
    }
    for (const tab of tabs) assert.deepEqual(await tab.attend("room:blocked", "said"), joined);
    for (const tab of tabs) await tab.shows("alice bob");
    assert.deepEqual(await tabs[0].push("said", {text: "by request"}), joined);
    for (const tab of tabs) {
      assert.deepEqual((await tab.heard(1)).filter(({event}) => event === "said"), [{event: "said", payload: {text: "by request"}}]);
      assert.equal(await tab.transport(), "long-poll");
    }
    assert.equal(await tabs[0].page.evaluate(() => sessionStorage.getItem("phx:fallback:LongPoll")), "true");
  });

  test("a page of an origin that is not allowed gets through neither way", async (t) => {
    const server = await started(t, "--set", "server.origins=http://127.0.0.1:1");
    const tab = await open(t, server, {longPollFallbackMs: 1_000});
    assert.deepEqual((await tab.heard(2)).slice(0, 2), [{event: "connection error"}, {event: "connection error"}]);
    assert.equal(await tab.transport(), "long-poll");
    assert.equal(await tab.page.evaluate(() => socket.establishedConnections), 0);
  });
});
