// Routes and events with the `ws` package, by a small client of the kind that web pages have: listeners by "route:event", and
// promises by request id.
import assert from "node:assert/strict";
import {once} from "node:events";
import {after, before, test} from "node:test";
import WebSocket from "ws";
import {Heard, startConfigured, until} from "./carillon.js";

const config = '[[channels]]\nmatch = "room:**"\npublish = "open"\npresence = true\nhistory_count = 100\n';
let server;
before(async () => (server = await startConfigured(config)));
after(() => server?.stop());

const urlOf = (path) => server.url.replace("http:", "ws:") + path;

async function connect(t, user, {path = "/api/v1/ws", ...options} = {}) {
  const socket = new WebSocket(urlOf(`${path}?user=${user}`), options);
  const events = new Heard();
  const waiting = new Map();
  let last = 0;
  socket.on("message", (text, isBinary) => {
    assert.equal(isBinary, false);
    const envelope = JSON.parse(text);
    assert.deepEqual(Object.keys(envelope).slice(0, 6), ["route", "event", "payload", "sent_by", "error", "send_method"]);
    if (!waiting.has(envelope.id)) return events.add(envelope);
    waiting.get(envelope.id)(envelope);
    waiting.delete(envelope.id);
  });
  await once(socket, "open");
  t.after(() => socket.terminate());
  return {
    socket,
    events,
    async ask(route, payload) {
      const id = `${++last}`;
      const answer = new Promise((resolve) => waiting.set(id, resolve));
      socket.send(JSON.stringify({route, payload, id}));
      return answer;
    },
    async do(route, payload) {
      const {payload: told, error} = await this.ask(route, payload);
      assert.equal(error, null);
      return told;
    },
  };
}

test("many requests at once are paired by their ids", async (t) => {
  const tab = await connect(t, "ann");
  const channels = [...Array(40).keys()].map((n) => `room:pairs${n}`);
  const answers = await Promise.all(channels.map((channel) => tab.do("/channels/subscribe", {channel})));
  assert.deepEqual(answers.map(({channel}) => channel), channels);
  const refused = await tab.ask("/nobody/answers", {});
  assert.deepEqual(refused.error, {code: "NOT_FOUND", message: "there is no such route"});
  assert.equal(refused.payload, null);
});

test("two tabs of one user, and somebody else", async (t) => {
  const [one, two, other] = [await connect(t, "ann"), await connect(t, "ann", {path: "/api/v1/ws/"}), await connect(t, "bob")];
  for (const tab of [one, two, other]) await tab.do("/channels/subscribe", {channel: "room:tabs"});
  const publish = (send_method, data) => one.do("/channels/publish", {channel: "room:tabs", event: "said", data, send_method});
  await publish("SenderOnly", "mine");
  await publish("AllButSender", "theirs");
  await publish("All", {text: "é🔔\u2028"});
  assert.deepEqual([(await one.events.next()).payload, (await one.events.next()).payload], ["mine", {text: "é🔔\u2028"}]);
  assert.deepEqual([(await two.events.next()).payload, (await two.events.next()).payload], ["mine", {text: "é🔔\u2028"}]);
  assert.deepEqual([(await other.events.next()).payload, (await other.events.next()).payload], ["theirs", {text: "é🔔\u2028"}]);
});

test("what the HTTP API publishes is an event", async (t) => {
  const tab = await connect(t, "ann");
  await tab.do("/channels/subscribe", {channel: "room:http"});
  await server.publish("room:http", "deployed", {version: 3});
  assert.deepEqual(await tab.events.next(), {route: "/room/http", event: "deployed", payload: {version: 3}, sent_by: null, error: null, send_method: "All"});
});

test("a tab that is terminated has left", async (t) => {
  const [ann, bob] = [await connect(t, "ann"), await connect(t, "bob")];
  await ann.do("/channels/subscribe", {channel: "room:left", presence: true});
  assert.equal((await ann.events.next()).event, "presenceState");
  await bob.do("/channels/subscribe", {channel: "room:left", presence: true});
  assert.deepEqual(Object.keys((await ann.events.next()).payload.joins), ["bob"]);
  bob.socket.terminate();
  assert.deepEqual(Object.keys((await ann.events.next()).payload.leaves), ["bob"]);
});

test("a large event over permessage-deflate", async (t) => {
  const tab = await connect(t, "ann", {perMessageDeflate: true});
  await tab.do("/channels/subscribe", {channel: "room:large"});
  const data = "carillon ".repeat(50_000);
  await tab.do("/channels/publish", {channel: "room:large", event: "e", data});
  assert.equal((await tab.events.next()).payload, data);
});

test("the connection is counted, pinged at once, and gone when it closes", async (t) => {
  const socket = new WebSocket(urlOf("/api/v1/ws?user=cid"));
  const pinged = once(socket, "ping");
  await once(socket, "open");
  t.after(() => socket.terminate());
  assert.deepEqual([...(await pinged)[0]], [1]);
  const users = async () => (await server.call("GET", "/api/sessions")).sessions.map(({user}) => user);
  await until(async () => (await users()).includes("cid"));
  socket.close(1000);
  const [code] = await once(socket, "close");
  assert.equal(code, 1000);
  await until(async () => !(await users()).includes("cid"));
});

test("without a token, where one is needed, the handshake is refused with headers", async (t) => {
  const strict = await startConfigured('[auth]\njwt_secrets = ["a secret of thirty-two bytes, no less"]\n[routes]\nrequire_token = true\n');
  t.after(() => strict.stop());
  const socket = new WebSocket(strict.url.replace("http:", "ws:") + "/api/v1/ws");
  const [, answer] = await once(socket, "unexpected-response");
  assert.equal(answer.statusCode, 401);
  assert.equal(answer.headers["sec-websocket-close-code"], "4001");
  assert.equal(answer.headers["sec-websocket-close-reason"], "No token found");
  socket.on("error", () => {});
  socket.terminate();
});
