// The `phoenix` package over long-poll, and how it comes to it where WebSockets do not get through.
import assert from "node:assert/strict";
import {describe, test} from "node:test";
import {WebSocketServer} from "ws";
import {until} from "./carillon.js";
import {front, longPoll18, phoenixClient, startPhoenix, webSocket18} from "./phoenix_client.js";
import {presenceTests} from "./phoenix_presence.js";
import {topicTests} from "./phoenix_topics.js";

describe("phoenix 1.8 over long-poll", () => topicTests(longPoll18));
describe("presence of phoenix 1.8 over long-poll", () => presenceTests(longPoll18, "--set", "phoenix.poll_window=600ms"));

test("an idle client over long-poll asks again and again, and stays connected", async (t) => {
  const server = await startPhoenix("--set", "phoenix.poll_window=100ms");
  t.after(() => server.stop());
  let polls = 0;
  const proxy = await front(t, server, () => {}, () => polls++);
  const alice = phoenixClient(t, proxy, longPoll18);
  const room = await alice.join("room:idle", {}, "said");
  const before = polls;
  await until(() => polls >= before + 10);
  await server.publish("room:idle", "said", {});
  await room.next();
  assert.equal(alice.socket.establishedConnections, 1);
});

// A session lives on one loop; its requests may arrive on either.
describe("phoenix over long-poll to a server of two loops", () => {
  for (const [name, headers] of [["with kept connections", {}], ["with a connection for each request", {connection: "close"}]]) {
    test(`everybody hears and sees everybody ${name}`, async (t) => {
      const server = await startPhoenix("--loops", "2");
      t.after(() => server.stop());
      const {fetch} = globalThis;
      globalThis.fetch = (url, options) => fetch(url, {...options, headers: {...options?.headers, ...headers}});
      t.after(() => (globalThis.fetch = fetch));

      const numbers = [...Array(16).keys()];
      const clients = numbers.map((number) => phoenixClient(t, server, longPoll18, {params: {user_id: `user${number}`}}));
      const rooms = await Promise.all(clients.map((client) => client.attend("room:loops", {}, "n")));
      for (let round = 0; round < 10; round++) {
        const answers = await Promise.all(rooms.map((room, from) => room.push("n", {from, round})));
        assert.ok(answers.every(({status}) => status === "ok"));
      }
      const told = await Promise.all(rooms.map(({heard}) => heard.take(160)));
      for (const events of told) assert.deepEqual(events, told[0]);
      for (const number of numbers) {
        assert.deepEqual(told[0].filter(({payload}) => payload.from === number).map(({payload}) => payload.round), [...Array(10).keys()]);
      }

      const sees = (those, who) => until(
        () => those.every(({presence}) => presence.exact() === those[0].presence.exact() && presence.text() === who.map((number) => `user${number}`).sort().join(" ")),
        () => those.map(({presence}) => presence.text()).join(" | "));
      await sees(rooms, numbers);
      for (const {channel} of rooms.slice(8)) channel.leave();
      await sees(rooms.slice(0, 8), numbers.slice(0, 8));
      assert.ok((await turnsOfLoops(server)).every((turns) => turns > 100));
    });
  }

  async function turnsOfLoops(server) {
    const metrics = await (await fetch(server.url + "/metrics", {headers: {connection: "close"}})).text();
    return [...metrics.matchAll(/^carillon_loop_turns_total\{loop="\d"\} (\d+)$/gm)].map(([, turns]) => Number(turns));
  }
});

describe("phoenix falls back to long-poll", () => {
  const silent = new WebSocketServer({noServer: true});
  const obstacles = {
    "that refuses WebSockets": (_request, socket) => socket.end("HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"),
    "that drops WebSockets": (_request, socket) => socket.destroy(),
    "that leaves WebSockets waiting": () => {},
    "that opens WebSockets and carries nothing": (request, socket, head) => silent.handleUpgrade(request, socket, head, () => {}),
  };
  for (const [name, onUpgrade] of Object.entries(obstacles)) {
    test(`behind a proxy ${name}`, async (t) => {
      const server = await startPhoenix();
      t.after(() => server.stop());
      const proxy = await front(t, server, onUpgrade);
      const remembered = new Map();
      const sessionStorage = {getItem: (key) => remembered.get(key), setItem: (key, value) => remembered.set(key, value)};
      const alice = phoenixClient(t, proxy, webSocket18, {longPollFallbackMs: 200, sessionStorage, params: {user_id: "alice"}});
      const room = await alice.attend("room:behind");
      await until(() => room.presence.text() === "alice");
      assert.equal((await room.push("said", {})).status, "ok");
      assert.equal(alice.socket.transport, longPoll18.transport);
      assert.equal(remembered.get("phx:fallback:LongPoll"), "true");
    });
  }

  test("and not where WebSockets get through", async (t) => {
    const server = await startPhoenix();
    t.after(() => server.stop());
    const alice = phoenixClient(t, server, webSocket18, {longPollFallbackMs: 5_000});
    await alice.join("room:direct");
    await until(() => alice.socket.primaryPassedHealthCheck);
    assert.equal(alice.socket.transport, webSocket18.transport);
  });
});
