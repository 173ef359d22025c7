// What of Bayeux over HTTP no client's package shows: cookies, header fields, forms and charsets.
import assert from "node:assert/strict";
import {after, before, describe, test} from "node:test";
import {rawPoller, startBayeux} from "./bayeux_client.js";

async function started(t, ...options) {
  const server = await startBayeux(...options);
  t.after(() => server.stop());
  return server;
}
const unknown = ({successful, error, advice}) => successful === false && error === "402::session_unknown" && advice.reconnect === "handshake";

describe("Bayeux cookies", () => {
  const browser = "00112233445566778899aabbccddeeff00112233";

  async function cookieOf(t, headers, ...options) {
    const server = await started(t, ...options);
    const answer = await rawPoller(server, {headers}).post([{channel: "/meta/handshake", version: "1.0", supportedConnectionTypes: ["long-polling"]}]);
    assert.equal((await answer.json())[0].successful, true);
    return answer.headers.getSetCookie();
  }

  test("one is set by the handshake, for the whole host and for no script", async (t) => {
    const [cookie, ...more] = await cookieOf(t);
    assert.match(cookie, /^BAYEUX_BROWSER=[0-9a-f]{40}; Path=\/; HttpOnly; SameSite=Lax$/);
    assert.deepEqual(more, []);
  });

  test("by TLS it is for TLS only", async (t) => {
    assert.match((await cookieOf(t, {"x-forwarded-proto": "https"}))[0], /; Secure$/);
  });

  test("its sites and its TLS are as the options have it", async (t) => {
    const [cookie] = await cookieOf(t, {}, "--set", "bayeux.cookie_same_site=none", "--set", "bayeux.cookie_secure=always");
    assert.match(cookie, /; SameSite=None; Secure$/);
  });

  test("one that is shown is kept, also among others", async (t) => {
    assert.deepEqual(await cookieOf(t, {cookie: `other=1; BAYEUX_BROWSER=${browser}; last=2`}), []);
  });

  test("one that is none is replaced", async (t) => {
    assert.match((await cookieOf(t, {cookie: "BAYEUX_BROWSER=short"}))[0], /^BAYEUX_BROWSER=[0-9a-f]{40};/);
  });

  test("none is set where they are off, and none is looked at", async (t) => {
    const server = await started(t, "--set", "bayeux.cookies=off");
    const jar = new Map();
    const poller = rawPoller(server, {jar});
    const {clientId} = await poller.handshake();
    assert.equal(jar.size, 0);
    jar.set("BAYEUX_BROWSER", browser);
    const [reply] = await poller.send({channel: "/room/a", data: 1, clientId, id: "2"});
    assert.equal(reply.successful, true);
  });

  // By whether the option is there: what may be said with the session's cookie, with another, with none.
  for (const [option, own, none] of [["if_sent", true, false], ["required", true, false]]) {
    test(`${option}: who has shown one must go on showing it`, async (t) => {
      const server = await started(t, "--set", `bayeux.cookies=${option}`);
      const jar = new Map();
      const {clientId} = await rawPoller(server, {jar}).handshake();
      const publish = async (cookies) => (await rawPoller(server, {jar: cookies}).send({channel: "/room/a", data: 1, clientId, id: "2"}))[0];
      assert.equal((await publish(jar)).successful, own);
      assert.equal((await publish(new Map())).successful, none);
      assert.ok(unknown(await publish(new Map([["BAYEUX_BROWSER", browser]]))));
      // And nothing is held for who does not: no long wait for a stranger.
      const began = Date.now();
      const [reply] = await rawPoller(server).send({channel: "/meta/connect", connectionType: "long-polling", clientId, id: "3"});
      assert.ok(unknown(reply));
      assert.ok(Date.now() - began < 5_000);
    });
  }

  test("if_sent: who never shows one is served", async (t) => {
    const server = await started(t);
    const poller = rawPoller(server);
    const {clientId} = await poller.handshake();
    for (const id of ["2", "3"]) assert.equal((await poller.send({channel: "/room/a", data: 1, clientId, id}))[0].successful, true);
  });

  test("required: who never shows one is not", async (t) => {
    const server = await started(t, "--set", "bayeux.cookies=required");
    const poller = rawPoller(server);
    const {clientId} = await poller.handshake();
    assert.ok(unknown((await poller.send({channel: "/room/a", data: 1, clientId, id: "2"}))[0]));
  });
});

describe("Bayeux over HTTP", () => {
  let server;
  before(async () => (server = await startBayeux()));
  after(() => server?.stop());

  async function session() {
    const poller = rawPoller(server);
    const {clientId} = await poller.handshake();
    await poller.send({channel: "/meta/subscribe", subscription: "/room/own", clientId, id: "2"});
    const published = (data) => JSON.stringify([{channel: "/room/own", data, clientId, id: "3"}]);
    return {poller, clientId, published};
  }
  const dataOf = async (answer) => {
    assert.equal(answer.status, 200);
    return (await answer.json())[0].data;
  };

  test("answers are JSON that nobody keeps or changes", async () => {
    const answer = await rawPoller(server).post([{channel: "/room/a", id: "1"}]);
    assert.equal(answer.headers.get("content-type").toLowerCase(), "application/json;charset=utf-8");
    assert.match(answer.headers.get("cache-control"), /no-store/);
    assert.match(answer.headers.get("cache-control"), /no-transform/);
  });

  test("calls are scripts that cannot be taken for anything else", async () => {
    const message = encodeURIComponent(JSON.stringify([{channel: "/room/a", data: "\u2028\u2029", id: "1"}]));
    const answer = await fetch(`${server.url}/cometd/?jsonp=f&message=${message}`);
    assert.equal(answer.status, 200);
    assert.match(answer.headers.get("content-type"), /^text\/javascript; charset=utf-8$/i);
    assert.equal(answer.headers.get("x-content-type-options"), "nosniff");
    assert.match(answer.headers.get("content-disposition"), /^attachment/);
    assert.match(answer.headers.get("cache-control"), /no-store/);
    assert.match(await answer.text(), /^\/\*\*\/f\(\[\{.*\}\]\)$/);
  });

  test("the body's type may be missing, or be anything", async () => {
    const {poller, published} = await session();
    for (const type of [undefined, "application/json", "application/json; charset=utf-8", "text/json", "text/plain;charset=UTF-8"]) {
      const body = type === undefined ? new TextEncoder().encode(published(type ?? "none")) : published(type);
      assert.equal(await dataOf(await poller.post(body, {type})), type ?? "none");
    }
  });

  test("other charsets are honoured", async () => {
    const {poller, published} = await session();
    assert.equal(await dataOf(await poller.post(Buffer.from(published("é"), "latin1"), {type: "application/json; charset=ISO-8859-1"})), "é");
    assert.equal(await dataOf(await poller.post(Buffer.from(published("é🔔"), "utf16le"), {type: "application/json;charset=utf-16le"})), "é🔔");
    assert.equal((await poller.post(Buffer.from(published("é"), "latin1"))).status, 400);
    assert.equal((await poller.post(published("e"), {type: "application/json;charset=ebcdic"})).status, 400);
  });

  test("messages may be fields of a form", async () => {
    const {poller, clientId, published} = await session();
    for (const type of ["application/x-www-form-urlencoded", "text/plain;charset=UTF-8"]) {
      assert.equal(await dataOf(await poller.post("message=" + encodeURIComponent(published("é+ %")), {type})), "é+ %");
    }
    const two = [1, 2].map((data) => "message=" + encodeURIComponent(JSON.stringify({channel: "/room/own", data, clientId, id: `${data}`}))).join("&");
    const replies = await (await poller.post(two, {type: "application/x-www-form-urlencoded"})).json();
    assert.deepEqual(replies.map(({data, id}) => data ?? id), [1, 2, "1", "2"]);
    assert.equal((await poller.post("other=1", {type: "application/x-www-form-urlencoded"})).status, 400);
  });

  test("pages of allowed origins may ask, with cookies; others may not", async (t) => {
    const strict = await started(t, "--set", "server.origins=https://app.example.com");
    const preflight = (origin) => fetch(strict.url + "/cometd/", {
      method: "OPTIONS", headers: {origin, "access-control-request-method": "POST", "access-control-request-headers": "content-type"},
    });
    const allowed = await preflight("https://app.example.com");
    assert.ok(allowed.status === 200 || allowed.status === 204);
    assert.equal(allowed.headers.get("access-control-allow-origin"), "https://app.example.com");
    assert.equal(allowed.headers.get("access-control-allow-credentials"), "true");
    assert.match(allowed.headers.get("access-control-allow-methods"), /POST/);
    assert.match(allowed.headers.get("access-control-allow-headers"), /content-type/i);
    assert.equal(allowed.headers.get("access-control-max-age"), "86400");
    assert.equal((await preflight("https://evil.example.com")).headers.get("access-control-allow-origin"), null);

    const shake = [{channel: "/meta/handshake", version: "1.0", supportedConnectionTypes: ["long-polling"], id: "1"}];
    const answer = await rawPoller(strict, {headers: {origin: "https://app.example.com"}}).post(shake);
    assert.equal(answer.headers.get("access-control-allow-origin"), "https://app.example.com");
    assert.equal((await answer.json())[0].successful, true);
    assert.equal((await rawPoller(strict, {headers: {origin: "https://evil.example.com"}}).post(shake)).status, 403);
  });
});
