// The `cometd` and `faye` packages in Chromium.
import assert from "node:assert/strict";
import {once} from "node:events";
import {readFile} from "node:fs/promises";
import http from "node:http";
import {after, before, describe, test} from "node:test";
import puppeteer from "puppeteer-core";
import {startServer, until} from "./carillon.js";

const types = {html: "text/html", js: "text/javascript"};
const here = (path) => new URL(path, import.meta.url);

function fileOf(path) {
  if (path === "/cometd.html") return here("bayeux_page.html");
  if (path === "/faye.html") return here("bayeux_faye_page.html");
  if (path === "/faye.js") return here("node_modules/faye/client/faye-browser.js");
  const [, script] = /^\/cometd\/(\w+\.js)$/.exec(path) ?? [];
  return script && here(`node_modules/cometd/${script}`);
}

let browser, pages, origin;
before(async () => {
  pages = http.createServer(async (request, response) => {
    const file = fileOf(request.url);
    if (!file) return response.writeHead(404).end();
    response.writeHead(200, {"content-type": types[file.pathname.split(".").pop()]}).end(await readFile(file));
  });
  pages.listen(0);
  await once(pages, "listening");
  origin = `http://127.0.0.1:${pages.address().port}`;
  browser = await puppeteer.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: [
      "--no-sandbox",  // Chromium wants it for root; it only opens the pages of this folder.
      "--disable-features=LocalNetworkAccessChecks",  // A page that a test makes up has no address that Chromium knows to be local.
    ],
  });
});
after(async () => {
  await browser?.close();
  pages.close();
  pages.closeAllConnections();
});

async function started(t, ...options) {
  const server = await startServer(...options);
  t.after(() => server.stop());
  return server;
}

// A window whose tabs share cookies.
async function openWindow(t) {
  const context = await browser.createBrowserContext();
  t.after(() => context.close());
  return context;
}

async function openPage(t, url, context) {
  context ??= await openWindow(t);
  const page = await context.newPage();
  const failures = [];
  page.on("pageerror", (error) => failures.push(error));
  t.after(() => assert.deepEqual(failures, []));
  await page.goto(url);
  const next = async (count) => {
    await page.waitForFunction((count) => heard.length >= count, {timeout: 15_000, polling: 10}, count);
    return page.evaluate((count) => heard.splice(0, count), count);
  };
  return {
    page,
    next,
    subscribe: (channel) => page.evaluate((channel) => subscribe(channel), channel),
    publish: (channel, data) => page.evaluate((channel, data) => publish(channel, data), channel, data),
  };
}

describe("cometd in Chromium", () => {
  // A tab; `context` is a window to open it in, else one of its own.
  async function open(t, server, options, {context, from = origin} = {}) {
    const tab = await openPage(t, from + "/cometd.html", context);
    const begin = async () => {
      await tab.page.waitForFunction(() => window.ready, {polling: 10});
      return tab.page.evaluate((url, options) => connect(url, options), server.url + "/cometd", options);
    };
    const reply = await begin();
    return Object.assign(tab, {
      begin,
      reply,
      transport: () => tab.page.evaluate(() => cometd.getTransport()?.type),
      status: () => tab.page.evaluate(() => cometd.getStatus()),
      id: () => tab.page.evaluate(() => cometd.getClientId()),
      received: () => tab.page.evaluate(() => received),
    });
  }

  for (const transport of ["websocket", "long-polling", "callback-polling"]) {
    const options = {transports: [transport]};

    test(`two windows over ${transport} hear each other and the HTTP API`, async (t) => {
      const server = await started(t, "--set", "bayeux.timeout=1s");
      const tabs = [await open(t, server, options), await open(t, server, options)];
      for (const tab of tabs) {
        assert.equal(tab.reply.successful, true, JSON.stringify(tab.reply));
        assert.equal((await tab.subscribe("/room/tabs")).successful, true);
      }
      for (const n of [1, 2]) assert.equal((await tabs[0].publish("/room/tabs", {n, text: "é🔔\u2028</script>"})).successful, true);
      await server.publish("room:tabs", "n", "from the server");
      for (const tab of tabs) {
        assert.deepEqual(await tab.next(3), [{n: 1, text: "é🔔\u2028</script>"}, {n: 2, text: "é🔔\u2028</script>"}, "from the server"]);
        assert.equal(await tab.transport(), transport);
      }
      await tabs[0].page.evaluate(() => disconnect());
      await until(async () => (await server.call("GET", "/api/sessions")).sessions.length === 1);
    });

    test(`a batch over ${transport}, of more than fits into one URL`, async (t) => {
      const server = await started(t);
      const tab = await open(t, server, options);
      await tab.subscribe("/room/batch");
      const values = [...Array(40).keys()].map((n) => `${n} ${"x".repeat(100)}`);
      await tab.page.evaluate((values) => batch("/room/batch", values), values);
      const heard = await tab.next(40);
      // Over callback-polling one batch becomes several requests, which browsers may send side by side.
      assert.deepEqual(transport === "callback-polling" ? heard.sort() : heard, transport === "callback-polling" ? values.sort() : values);
    });

    test(`a window over ${transport} comes back to a server that was restarted`, async (t) => {
      const place = {server: await startServer()};
      t.after(() => place.server.stop());
      const tab = await open(t, place.server, {...options, maxNetworkDelay: 2_000, advice: {timeout: 1_000}});
      await tab.subscribe("/room/restart");
      await place.server.kill();
      place.server = await startServer("--listen", place.server.address);
      await tab.page.waitForFunction(() => received.filter(({channel, successful}) => channel === "/meta/subscribe" && successful).length === 2, {timeout: 60_000, polling: 10});
      await place.server.publish("room:restart", "n", "back");
      assert.deepEqual(await tab.next(1), ["back"]);
    });

    test(`a reloaded page over ${transport} goes on with its session`, async (t) => {
      const server = await started(t, "--set", "bayeux.timeout=2s");
      const reloading = {...options, extensions: ["ack", "reload"]};
      const tab = await open(t, server, reloading);
      await tab.subscribe("/room/reload");
      await server.publish("room:reload", "n", 1);
      assert.deepEqual(await tab.next(1), [1]);
      const id = await tab.id();
      await tab.page.evaluate(() => addEventListener("beforeunload", () => cometd.reload()));
      await tab.page.reload();
      await tab.page.waitForFunction(() => window.ready, {polling: 10});
      await tab.page.evaluate(() => cometd.addListener("/room/reload", ({data}) => heard.push(data)));
      await server.publish("room:reload", "n", 2);
      await tab.begin();
      assert.equal(await tab.id(), id);
      await server.publish("room:reload", "n", 3);
      await tab.page.waitForFunction(() => heard.includes(3), {timeout: 15_000, polling: 10});
      const heard = await tab.page.evaluate(() => heard);
      assert.deepEqual(heard.filter((n) => n !== 1), [2, 3]);
    });
  }

  test("left to itself it takes a WebSocket", async (t) => {
    const server = await started(t);
    const tab = await open(t, server, {transports: ["websocket", "long-polling", "callback-polling"], extensions: ["ack", "timesync"]});
    await tab.subscribe("/room/first");
    for (let n = 0; n < 20; n++) await server.publish("room:first", "n", n);
    assert.deepEqual(await tab.next(20), [...Array(20).keys()]);
    assert.equal(await tab.transport(), "websocket");
    assert.ok((await tab.received()).some(({ext}) => ext?.timesync));
  });

  test("the tabs of one window share the cookie, and more of them than may poll at a time hear", async (t) => {
    const server = await started(t, "--set", "bayeux.polls_per_browser=2", "--set", "bayeux.multi_session_interval=200ms");
    const context = await openWindow(t);
    const tabs = [];
    for (let count = 0; count < 4; count++) tabs.push(await open(t, server, {transports: ["long-polling"]}, {context}));
    for (const tab of tabs) await tab.subscribe("/room/many");
    const cookies = (await context.cookies()).filter(({name}) => name === "BAYEUX_BROWSER");
    assert.deepEqual(cookies.map(({httpOnly, path, sameSite}) => ({httpOnly, path, sameSite})), [{httpOnly: true, path: "/", sameSite: "Lax"}]);
    for (const n of [1, 2, 3]) await server.publish("room:many", "n", n);
    for (const tab of tabs) assert.deepEqual(await tab.next(3), [1, 2, 3]);
    const told = await Promise.all(tabs.map(async (tab) => (await tab.received()).some(({advice}) => advice?.["multiple-clients"])));
    assert.ok(told.filter((one) => one).length >= 2, `${told}`);
  });

  for (const transport of ["websocket", "long-polling", "callback-polling"]) {
    test(`across sites over ${transport}, from an origin that is allowed`, async (t) => {
      const from = origin.replace("127.0.0.1", "localhost");  // Another site: cookies do not cross.
      const server = await started(t, "--set", `server.origins=${from}`);
      const tab = await open(t, server, {transports: [transport]}, {from});
      assert.equal(tab.reply.successful, true, JSON.stringify(tab.reply));
      await tab.subscribe("/room/cross");
      await tab.publish("/room/cross", "across");
      await server.publish("room:cross", "n", "pushed");
      assert.deepEqual(await tab.next(2), ["across", "pushed"]);
    });
  }

  for (const transport of ["websocket", "long-polling", "callback-polling"]) {
    test(`a page of an origin that is not allowed does not get through over ${transport}`, async (t) => {
      const server = await started(t, "--set", "server.origins=http://127.0.0.1:1");
      const from = origin.replace("127.0.0.1", "localhost");
      const tab = await open(t, server, {transports: [transport]}, {from});
      assert.equal(tab.reply.successful, false);
      assert.equal((await server.call("GET", "/api/sessions")).sessions.length, 0);
    });
  }

  test("closed without a word, a window's session ends by itself", async (t) => {
    const server = await started(t, "--set", "bayeux.timeout=500ms", "--set", "bayeux.max_interval=500ms");
    const tab = await open(t, server, {transports: ["long-polling"]});
    await tab.subscribe("/room/closed");
    await tab.page.close();
    await until(async () => (await server.call("GET", "/api/sessions")).sessions.length === 0);
  });
});

describe("faye in Chromium", () => {
  // Its page lies on the server's own origin, or `from` another.
  async function open(t, server, without, from = server.url) {
    const context = await openWindow(t);
    const page = await context.newPage();
    if (from === server.url) {
      await page.setRequestInterception(true);
      page.on("request", async (request) => {
        const file = fileOf(new URL(request.url()).pathname);
        if (!file) return request.continue();
        await request.respond({contentType: types[file.pathname.split(".").pop()], body: await readFile(file)});
      });
    }
    await page.goto(from + "/faye.html");
    await page.evaluate((url, without) => connect(url, without), server.url + "/cometd", without);
    return {
      page,
      subscribe: (channel) => page.evaluate((channel) => subscribe(channel), channel),
      publish: (channel, data) => page.evaluate((channel, data) => publish(channel, data), channel, data),
      transport: () => page.evaluate(() => transport()),
      async next(count) {
        let told = [];
        await until(async () => {
          told = await page.evaluate(() => wire.slice(-20));
          return page.evaluate((count) => heard.length >= count, count);
        }, () => JSON.stringify(told), 15_000);
        return page.evaluate((count) => heard.splice(0, count), count);
      },
    };
  }

  async function talkingOver(t, transport, tabs, server) {
    for (const tab of tabs) assert.deepEqual(await tab.subscribe("/room/faye"), {});
    let used;
    for (const tab of tabs) await until(async () => (used = await tab.transport()) === transport, () => used);
    const texts = [1, 2, 3].map((n) => ({n, text: "é🔔\u2028"}));
    for (const text of texts) assert.deepEqual(await tabs[0].publish("/room/faye", text), {});
    await server.publish("room:faye", "n", "from the server");
    for (const tab of tabs) assert.deepEqual(await tab.next(4), [...texts, "from the server"]);
  }

  const transports = ["websocket", "eventsource", "long-polling", "callback-polling"];
  for (const [number, transport] of transports.entries()) {
    test(`two windows over ${transport} hear each other and the HTTP API`, async (t) => {
      const server = await started(t, "--set", "bayeux.timeout=2s");
      const without = transports.slice(0, number);
      await talkingOver(t, transport, [await open(t, server, without), await open(t, server, without)], server);
    });

    test(`a window over ${transport} comes back to a server that was restarted`, async (t) => {
      const place = {server: await startServer("--set", "bayeux.timeout=2s")};
      t.after(() => place.server.stop());
      const tab = await open(t, place.server, transports.slice(0, number));
      await tab.subscribe("/room/restart");
      await until(async () => (await tab.transport()) === transport);
      await place.server.kill();
      place.server = await startServer("--set", "bayeux.timeout=2s", "--listen", place.server.address);
      const subscribed = () => tab.page.evaluate(() => wire.filter(({channel, successful}) => channel === "/meta/subscribe" && successful).length);
      await until(async () => (await subscribed()) === 2, () => transport, 30_000);
      await place.server.publish("room:restart", "n", "back");
      assert.deepEqual(await tab.next(1), ["back"]);
    });
  }

  // From another site faye shakes hands by JSONP, and then sends forms where WebSockets are not to be had.
  for (const [transport, without] of [["websocket", []], ["cross-origin-long-polling", ["websocket"]], ["callback-polling", ["websocket", "cross-origin-long-polling"]]]) {
    test(`across sites over ${transport}`, async (t) => {
      const from = origin.replace("127.0.0.1", "localhost");
      const server = await started(t, "--set", "bayeux.timeout=2s", "--set", `server.origins=${from}`);
      await talkingOver(t, transport, [await open(t, server, without, from), await open(t, server, without, from)], server);
    });
  }
});
