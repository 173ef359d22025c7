// The `ws` client, with and without permessage-deflate.
import assert from "node:assert/strict";
import {once} from "node:events";
import {after, before, describe, test} from "node:test";
import WebSocket from "ws";
import {Heard, startServer} from "./carillon.js";

let server;
before(async () => (server = await startServer("--enable-echo", "--message-max", "32MB")));
after(() => server?.stop());

async function connect(options, url = server.wsUrl) {
  const socket = new WebSocket(url, options);
  const heard = new Heard();
  socket.on("message", (bytes, isBinary) => heard.add(isBinary ? bytes : bytes.toString()));
  await once(socket, "open");
  return {
    socket,
    heard,
    say: (command) => socket.send(JSON.stringify(command)),
    hear: async () => JSON.parse(await heard.next()),
    async leave() {
      socket.close(1000);
      const [code] = await once(socket, "close");
      assert.equal(code, 1000);
    },
  };
}

for (const [name, options] of [
  ["without compression", {perMessageDeflate: false}],
  ["with compression", {perMessageDeflate: {threshold: 0}}],
  ["with compression and no context takeover", {perMessageDeflate: {threshold: 0, serverNoContextTakeover: true, clientNoContextTakeover: true}}],
]) {
  describe(`ws ${name}`, () => {
    test("hears what is published", async () => {
      const client = await connect(options);
      assert.equal(client.socket.extensions.includes("permessage-deflate"), options.perMessageDeflate !== false);
      client.say({type: "subscribe", channel: "room:ws"});
      const {type, channel} = await client.hear();
      assert.deepEqual([type, channel], ["subscribed", "room:ws"]);
      for (const size of [0, 10, 127, 1000, 70_000]) {
        const data = {text: "é🔔".repeat(size)};
        await server.publish("room:ws", "said", data);
        const event = await client.hear();
        assert.deepEqual([event.type, event.channel, event.event, event.data], ["event", "room:ws", "said", data]);
      }
      client.say({type: "unsubscribe", channel: "room:ws"});
      assert.equal((await client.hear()).type, "unsubscribed");
      await client.leave();
    });

    test("publishes", async () => {
      const [speaker, listener] = await Promise.all([connect(options), connect(options)]);
      listener.say({type: "subscribe", channel: "room:pub"});
      await listener.hear();
      for (let number = 0; number < 100; number++) speaker.say({type: "publish", channel: "room:pub", event: "n", data: number, id: number});
      assert.deepEqual((await listener.heard.take(100)).map((text) => JSON.parse(text).data), [...Array(100).keys()]);
      assert.deepEqual((await speaker.heard.take(100)).map((text) => JSON.parse(text).id), [...Array(100).keys()]);
      await Promise.all([speaker.leave(), listener.leave()]);
    });

    test("gets its echo back", async () => {
      const client = await connect(options, server.url.replace("http:", "ws:") + "/echo");
      for (const payload of ["", "a", "x".repeat(65_536), Buffer.alloc(1_000_000, 7), Buffer.from([0, 255])]) {
        client.socket.send(payload);
        assert.deepEqual(await client.heard.next(), payload);
      }
      for (let part = 0; part < 10; part++) client.socket.send("part ", {fin: part === 9});
      assert.equal(await client.heard.next(), "part ".repeat(10));
      await client.leave();
    });

    test("gets its pong", async () => {
      const client = await connect(options);
      client.socket.ping("bell");
      const [payload] = await once(client.socket, "pong");
      assert.equal(payload.toString(), "bell");
      await client.leave();
    });
  });
}

test("one publication reaches compressed and plain clients alike", async () => {
  const clients = await Promise.all(
    [false, true, {threshold: 0}, {serverNoContextTakeover: true}, {serverMaxWindowBits: 15}, {clientMaxWindowBits: 10}].map((perMessageDeflate) => connect({perMessageDeflate})));
  for (const client of clients) client.say({type: "subscribe", channel: "room:mixed"});
  for (const client of clients) assert.equal((await client.hear()).type, "subscribed");
  for (let number = 0; number < 50; number++) {
    const data = {number, text: "ding dong ".repeat(number * 10)};
    await server.publish("room:mixed", "ring", data);
    for (const client of clients) assert.deepEqual((await client.hear()).data, data);
  }
  await Promise.all(clients.map((client) => client.leave()));
});

test("a server that stops says 1001", async () => {
  const other = await startServer();
  const client = await connect({}, other.wsUrl);
  const closed = once(client.socket, "close");
  await other.stop();
  assert.equal((await closed)[0], 1001);
});
