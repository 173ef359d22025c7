// The application of examples/routes in Chromium, with the page that it serves: two people, and two tabs of one of them.
import assert from "node:assert/strict";
import {spawn} from "node:child_process";
import {once} from "node:events";
import {existsSync} from "node:fs";
import {after, before, describe, test} from "node:test";
import {fileURLToPath} from "node:url";
import puppeteer from "puppeteer-core";
import WebSocket from "ws";
import {endings, until} from "./carillon.js";

const program = process.env.CARILLON_ROUTES_EXAMPLE ?? fileURLToPath(new URL("../../build/release/example_routes", import.meta.url));
const skip = existsSync(program) ? false : `${program} was not built: it needs SQLite (libsqlite3-dev) and CARILLON_TESTS`;

async function startExample({listen = "127.0.0.1:0", pages = "127.0.0.1:0", pause = 20} = {}) {
  const child = spawn(program, ["--listen", listen, "--pages", pages, "--chat-pause", `${pause}`], {stdio: ["ignore", "pipe", "pipe"]});
  let log = "";
  child.stderr.on("data", (bytes) => (log += bytes));
  const exit = once(child, "exit");
  const [, place, page] = await new Promise((resolve, reject) => {
    let out = "";
    child.stdout.on("data", (bytes) => {
      out += bytes;
      const found = /^listening on http:\/\/(\S+)\nthe page is at (http:\S+)\/$/m.exec(out);
      if (found) resolve(found);
    });
    exit.then(([code]) => reject(new Error(`the example ended with ${code}:\n${log}`)));
    child.on("error", reject);
  });
  return {
    page,
    where: {listen: place, pages: new URL(page).host},
    socket: `ws://${place}/api/v1/ws`,
    async ask(user, method, path, body) {
      const answer = await fetch(page + path, {method, body: body && JSON.stringify(body), headers: {authorization: `Bearer demo-${user}`}});
      return {status: answer.status, body: await answer.json()};
    },
    ...endings(child, exit, () => log),
  };
}

async function started(t, options) {
  const example = await startExample(options);
  t.after(() => example.stop());
  return example;
}

describe("the application of examples/routes in Chromium", {skip}, () => {
  let browser;
  before(async () => {
    browser = await puppeteer.launch({
      executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
      args: ["--no-sandbox"],  // Chromium wants it for root; it only opens the example's page.
    });
  });
  after(() => browser?.close());

  // A tab; of a window of its own, unless one is given.
  async function open(t, example, user, context) {
    if (!context) {
      context = await browser.createBrowserContext();
      t.after(() => context.close());
    }
    const page = await context.newPage();
    const failures = [];
    page.on("pageerror", (error) => failures.push(error));
    t.after(() => assert.deepEqual(failures, []));
    await page.goto(`${example.page}/?user=${user}`);
    const textOf = (selector) => page.evaluate((selector) => document.querySelector(selector)?.innerText, selector);
    const shows = (selector, text) =>
      until(async () => (await textOf(selector)) === text, () => `${selector} does not show ${text}`);
    await shows("#status", "open");
    return {
      page,
      context,
      textOf,
      shows,
      set: (selector, value) => page.$eval(selector, (field, value) => (field.value = value), value),
      // By script: a tab in the background has no mouse.
      click: (selector) => page.$eval(selector, (button) => button.click()),
      async run(sql) {
        await this.set("#sql textarea", sql);
        await this.click("#sql button");
      },
      async openDashboard(id) {
        await page.waitForSelector(`#list [value=${id}]`);
        await this.click(`#list [value=${id}]`);
        await page.waitForSelector("#dashboard:not([hidden]) .metric[data-progress=completed]");
      },
      rows: (selector) =>
        page.evaluate((selector) => [...document.querySelectorAll(`${selector} tr`)].map((row) => [...row.cells].map((cell) => cell.innerText)), selector),
      news: () => page.evaluate(() => [...document.querySelectorAll("#news li")].map((line) => line.innerText).reverse()),
    };
  }

  const metric = (id) => `[data-metric=${id}]`;

  test("the result of a statement is shown, to the one who asked", async (t) => {
    const example = await started(t);
    const [ann, ben] = [await open(t, example, "ann"), await open(t, example, "ben")];
    await ann.run("select name, kind, price from products where price > 200 order by price");
    await until(async () => (await ann.rows("#sql-result")).length === 3);
    assert.deepEqual(await ann.rows("#sql-result"), [["name", "kind", "price"], ["Tuning", "service", "240"], ["Tenor bell", "bell", "450"]]);
    await ann.run("select id from orders order by id");
    await ann.shows("#sql-result caption", "The first 200 rows");
    assert.deepEqual(await ben.rows("#sql-result"), []);
  });

  test("statements that do not only read are bad requests, and change nothing", async (t) => {
    const example = await started(t);
    const ann = await open(t, example, "ann");
    for (const sql of ["delete from orders", "create temp table t(x)", "attach '/etc/passwd' as other", "pragma query_only = 0", "begin"]) {
      await ann.run(sql);
      await ann.shows("#sql-error", "BAD_REQUEST: only statements that read are allowed");
    }
    await ann.run("selct 1");
    await ann.shows("#sql-error", 'BAD_REQUEST: near "selct": syntax error');
    await ann.run("select 1; select 2");
    await ann.shows("#sql-error", "BAD_REQUEST: one statement at a time");
    await ann.run("with recursive n(i) as (select 1 union all select i + 1 from n) select max(i) from n");
    await ann.shows("#sql-error", "BAD_REQUEST: the statement took too long");
    await ann.run("select count(*) from orders");
    await ann.shows("#sql-result td", "360");
  });

  test("people who look at a dashboard see each other come and go", async (t) => {
    const example = await started(t);
    const ann = await open(t, example, "ann");
    await ann.openDashboard("sales");
    await ann.shows("#people", "Ann Archer");
    const ben = await open(t, example, "ben");
    await ben.openDashboard("sales");
    await ben.shows("#people", "Ann Archer, Ben Bell");
    await ann.shows("#people", "Ann Archer, Ben Bell");
    // A second tab of Ben is no news, and the first may go without being missed.
    const second = await open(t, example, "ben", ben.context);
    await second.openDashboard("sales");
    await second.shows("#people", "Ann Archer, Ben Bell");
    await ben.page.close();
    await second.click("#leave");
    await ann.shows("#people", "Ann Archer");
    assert.deepEqual(await ann.news(), ["Ben Bell joined", "Ben Bell left"]);
    // Who just closes the tab has left, too.
    await second.openDashboard("sales");
    await ann.shows("#people", "Ann Archer, Ben Bell");
    await second.page.close();
    await ann.shows("#people", "Ann Archer");
  });

  test("what one changes the other sees, and it counts when it is saved", async (t) => {
    const example = await started(t);
    const [ann, ben] = [await open(t, example, "ann"), await open(t, example, "ben")];
    for (const tab of [ann, ben]) await tab.openDashboard("products");
    await ann.set(`${metric("pieces")} textarea`, "select 'changed' as word");
    await ann.click(`${metric("pieces")} button`);
    for (const tab of [ann, ben]) {
      await tab.shows(`${metric("pieces")} td`, "changed");
      await tab.page.waitForSelector("#draft:not([hidden])");
    }
    await ben.set("#dashboard [name=title]", "Ben's products");
    await ben.click("#rename");
    const titleOf = (tab) => tab.page.$eval("#dashboard [name=title]", (field) => field.value);
    await until(async () => (await titleOf(ann)) === "Ben's products");
    const saved = async () => (await example.ask("cleo", "GET", "/api/dashboards")).body.find(({id}) => id === "products").title;
    assert.equal(await saved(), "Products");
    await ann.click("#save");
    await ben.page.waitForSelector("#draft[hidden]");
    assert.equal(await saved(), "Ben's products");
    // A statement that does not run is a metric that has failed, for all.
    await ann.set(`${metric("pieces")} textarea`, "select missing");
    await ann.click(`${metric("pieces")} button`);
    await ben.shows(`${metric("pieces")} .failed`, "no such column: missing");
    await ben.click("#discard");
    await ann.shows(`${metric("pieces")} td`, "changed");
  });

  test("a draft goes with the last who looks at it", async (t) => {
    const example = await started(t);
    const [ann, ben] = [await open(t, example, "ann"), await open(t, example, "ben")];
    for (const tab of [ann, ben]) await tab.openDashboard("products");
    await ann.set("#dashboard [name=title]", "Nobody saved this");
    await ann.click("#rename");
    await ben.page.waitForSelector("#draft:not([hidden])");
    const view = async () => (await example.ask("cleo", "GET", "/api/dashboards/products")).body;
    assert.deepEqual([(await view()).draft, (await view()).dashboard.title], [true, "Nobody saved this"]);
    await ann.page.close();
    await ben.shows("#people", "Ben Bell");
    assert.equal((await view()).draft, true);
    await ben.click("#leave");
    await until(async () => (await view()).draft === false);
    assert.equal((await view()).dashboard.title, "Products");
  });

  test("an answer of the chat grows in order, in every tab of the one who asked", async (t) => {
    const example = await started(t);
    const ann = await open(t, example, "ann");
    const second = await open(t, example, "ann", ann.context);
    const ben = await open(t, example, "ben");
    for (const tab of [ann, second]) {
      await tab.page.evaluate(() => {
        window.seen = [];
        const note = () => seen.push(document.querySelector(".answer")?.textContent ?? "");
        new MutationObserver(note).observe(document.querySelector("#messages"), {childList: true, subtree: true, characterData: true});
      });
    }
    const prompt = "Which region brings the most revenue?";
    await ann.set("#chat input", prompt);
    await ann.click("#chat button");
    const whole = (await example.ask("ann", "POST", "/api/chats", {prompt})).body.response_message;
    assert.match(whole, /^\w+ leads with \d+\. The revenue by region: (\w+ \d+, ){3}\w+ \d+\.$/);
    for (const tab of [ann, second]) {
      await tab.page.waitForSelector(".message[data-progress=completed]");
      assert.equal(await tab.textOf(".message b"), prompt);
      assert.equal(await tab.textOf(".answer"), whole);
      const seen = [...new Set((await tab.page.evaluate(() => seen)).filter((text) => text))];
      assert.ok(seen.length >= 4, `it grew in ${seen.length} steps`);
      for (const text of seen) assert.ok(whole.startsWith(text), text);
      assert.deepEqual(seen, [...seen].sort((a, b) => a.length - b.length));
    }
    assert.equal(await ben.page.$(".message"), null);
  });

  test("a tab hears the rest of an answer when the one that asked has been closed", async (t) => {
    const example = await started(t, {pause: 150});
    const ann = await open(t, example, "ann");
    const second = await open(t, example, "ann", ann.context);
    await ann.set("#chat input", "orders by month");
    await ann.click("#chat button");
    await second.page.waitForFunction(() => document.querySelector(".answer")?.textContent, {polling: 10});
    await ann.page.close();
    const whole = (await example.ask("ann", "POST", "/api/chats", {prompt: "orders by month"})).body.response_message;
    assert.equal(await second.page.$eval(".message", (message) => message.dataset.progress), "inProgress");
    await second.page.waitForSelector(".message[data-progress=completed]");
    assert.equal(await second.textOf(".answer"), whole);
  });

  test("the page's client: listeners, requests side by side, errors", async (t) => {
    const example = await started(t);
    const ann = await open(t, example, "ann");
    const told = await ann.page.evaluate(async (url) => {
      const {RouteClient} = await import("/route_client.js");
      const told = {on: [], once: [], off: [], error: [], general: []};
      const client = new RouteClient(() => url, {queueMax: 6, onError: ({code}) => told.general.push(code)});
      const word = ({rows}) => rows[0][0];
      const unwanted = (payload) => told.off.push(word(payload));
      client.on("/sql/run", "runSql", (payload) => told.on.push(word(payload)));
      client.once("/sql/run", "runSql", (payload) => told.once.push(word(payload)));
      client.on("/sql/run", "runSql", unwanted);
      client.off("/sql/run", "runSql", unwanted);
      client.on("/sql/run", "runSql", unwanted)();  // What `on` gives back takes it away, too.
      // All these wait for the connection, and one more is too many.
      const ask = (word) => client.emitAndOnce("/sql/run", "runSql", {sql: `select '${word}'`});
      const words = ["a", "b", "c", "d", "e"];
      const asked = Promise.all(words.map(ask));
      client.emit("/nobody/answers");
      try {
        client.emit("/sql/run", {sql: "select 'too many'"});
      } catch ({message}) {
        told.tooMany = message;
      }
      told.answers = (await asked).map(word);
      try {
        await client.emitAndOnce("/sql/run", "runSql", {sql: "drop table orders"});
      } catch ({code}) {
        told.rejected = code;
      }
      client.on("/dashboards/get", "getDashboardState", () => {}, ({code}) => told.error.push(code));
      client.emit("/dashboards/get", {id: "none"});
      while (!told.error.length || !told.general.length) await new Promise((resolve) => setTimeout(resolve, 5));
      client.close();
      return told;
    }, `${example.socket}?authentication=demo-cleo`);
    assert.deepEqual(told.on.sort(), ["a", "b", "c", "d", "e"]);
    assert.equal(told.once.length, 1);
    assert.deepEqual(told.off, []);
    assert.deepEqual(told.answers, ["a", "b", "c", "d", "e"]);
    assert.equal(told.tooMany, "too many requests wait for the connection");
    assert.equal(told.rejected, "BAD_REQUEST");
    assert.deepEqual(told.error, ["NOT_FOUND"]);
    assert.deepEqual(told.general, ["NOT_FOUND"]);
  });

  test("the page's client tries to connect no more often than it is told", async (t) => {
    const example = await started(t);
    const ann = await open(t, example, "ann");
    const [first, second, third] = await ann.page.evaluate(async () => {
      const {RouteClient} = await import("/route_client.js");
      const attempts = [];
      const options = {throttle: 300, onStatus: (status) => status === "connecting" && attempts.push(performance.now())};
      const client = new RouteClient(() => `ws://${location.host}/`, options);  // No WebSocket is there.
      while (attempts.length < 3) {
        dispatchEvent(new Event("focus"));
        client.emit("/sql/run", {});
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      client.close();
      return attempts;
    });
    for (const pause of [second - first, third - second]) assert.ok(pause >= 299, `${pause} ms`);
  });

  test("the same questions over HTTP, and who may not see a dashboard", async (t) => {
    const example = await started(t);
    assert.deepEqual(await example.ask("ann", "POST", "/api/sql/run", {sql: "select 1 as one, 'é' as e, null as n"}), {
      status: 200,
      body: {columns: ["one", "e", "n"], rows: [[1, "é", null]], more: false},
    });
    assert.equal((await example.ask("ann", "POST", "/api/sql/run", {})).status, 400);
    assert.equal((await example.ask("ann", "GET", "/api/dashboards/plans")).body.dashboard.title, "Ann's plans");
    const refused = {code: "UNAUTHORIZED", message: "You don't have permission to access this dashboard"};
    assert.deepEqual(await example.ask("ben", "GET", "/api/dashboards/plans"), {status: 401, body: refused});

    const socket = new WebSocket(`${example.socket}?authentication=demo-ben`);
    t.after(() => socket.terminate());
    await once(socket, "open");
    const asking = async (route, payload) => {
      socket.send(JSON.stringify({route, payload, id: 1}));
      const [text] = await once(socket, "message");
      return JSON.parse(text);
    };
    assert.deepEqual((await asking("/dashboards/get", {id: "plans"})).error, refused);
    assert.equal((await asking("/dashboards/get", {id: "none"})).error.code, "NOT_FOUND");
    assert.equal((await asking("/dashboards/update", {id: "sales", title: ""})).error.code, "BAD_REQUEST");
    // Nor by the name of its channel.
    assert.equal((await asking("/channels/subscribe", {channel: "dashboard:plans"})).error.code, "UNAUTHORIZED");

    const stranger = new WebSocket(`${example.socket}?authentication=demo-eve`);
    stranger.on("error", () => {});
    const [, answer] = await once(stranger, "unexpected-response");
    assert.equal(answer.statusCode, 401);
    stranger.terminate();
  });

  test("pages come back to a server that was restarted, with what they asked meanwhile", async (t) => {
    const place = {example: await startExample()};
    t.after(() => place.example.stop());
    const [ann, ben] = [await open(t, place.example, "ann"), await open(t, place.example, "ben")];
    for (const tab of [ann, ben]) await tab.openDashboard("sales");
    await place.example.kill();
    await until(async () => (await ann.textOf("#status")) !== "open");
    await ann.run("select 'waited' as word");
    place.example = await startExample(place.example.where);
    for (const tab of [ann, ben]) await tab.shows("#status", "open");
    await ann.shows("#sql-result td", "waited");
    for (const tab of [ann, ben]) await tab.shows("#people", "Ann Archer, Ben Bell");
    await ben.set("#dashboard [name=title]", "After the restart");
    await ben.click("#rename");
    await until(async () => (await ann.page.$eval("#dashboard [name=title]", (field) => field.value)) === "After the restart");
  });
});
