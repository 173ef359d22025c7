// The `faye` package's client for Node against the Bayeux room.
import assert from "node:assert/strict";
import {describe, test} from "node:test";
import faye from "faye";
import {Heard, startConfigured, startServer, until} from "./carillon.js";
import {faultyWire} from "./faulty_wire.js";

// `transport` is the one it shall use; other options are faye's own. Gone when the test ends.
function fayeClient(t, server, {transport = "long-polling", ...options} = {}) {
  const client = new faye.Client(server.url + "/cometd", {retry: 0.1, ...options});
  if (transport === "long-polling") client.disable("websocket");
  t.after(() => quit(client));
  const wire = [];  // What came and went, as it was on the wire.
  client.addExtension({
    incoming: (message, on) => on(note(wire, {in: message})),
    outgoing: (message, on) => on(note(wire, {out: message})),
  });
  return {
    client,
    incoming: () => wire.flatMap((entry) => entry.in ?? []),
    outgoing: () => wire.flatMap((entry) => entry.out ?? []),
    transport: () => client._dispatcher.connectionType,
    id: () => client._dispatcher.clientId,
    async listen(channel) {
      const heard = new Heard();
      await client.subscribe(channel).withChannel((from, data) => heard.add({from, data}));
      return {heard, next: async () => (await heard.next()).data, take: async (count) => (await heard.take(count)).map(({data}) => data)};
    },
    publish: (channel, data) => settled(client.publish(channel, data)),
    subscribe: (channel) => settled(client.subscribe(channel, () => {})),
  };
}

function note(wire, entry) {
  wire.push(structuredClone(entry));
  return Object.values(entry)[0];
}

// faye's promises know two ways only by `then`; a refusal is its Error with code, params and message.
const settled = (promise) => new Promise((resolve) => promise.then(() => resolve({}), (refusal) => resolve({refusal})));

// It may be anywhere in its talk, also where there is no server any more.
function quit(client) {
  client._advice.reconnect = "none";  // faye knows no other way to stop trying.
  client.disconnect();
  client._dispatcher.close();
  for (const {timer} of client._dispatcher._envelopes.values()) clearTimeout(timer);
  client._dispatcher._envelopes.clear();
}

async function started(t, ...options) {
  const server = await startServer(...options);
  t.after(() => server.stop());
  return server;
}

for (const transport of ["long-polling", "websocket"]) {
  describe(`faye over ${transport}`, () => {
    test("publishes, and hears itself and others", async (t) => {
      const server = await started(t);
      const [alice, bob] = [fayeClient(t, server, {transport}), fayeClient(t, server, {transport})];
      const rooms = [await alice.listen("/room/faye"), await bob.listen("/room/faye")];
      for (const n of [1, 2, 3]) assert.deepEqual(await alice.publish("/room/faye", {n, text: "é🔔\u2028"}), {});
      for (const room of rooms) assert.deepEqual(await room.take(3), [1, 2, 3].map((n) => ({n, text: "é🔔\u2028"})));
      await until(() => alice.transport() === transport && bob.transport() === transport);
      for (const delivery of bob.incoming().filter(({data}) => data !== undefined)) assert.equal(delivery.clientId, undefined);
    });

    test("hears the HTTP API by wildcards, once", async (t) => {
      const server = await started(t);
      const alice = fayeClient(t, server, {transport});
      const one = await alice.listen("/repo/alice/app/*");
      const deep = await alice.listen("/repo/**");
      await server.publish("repo:alice/app/prs", "pr_opened", 1);
      await server.publish("repo:alice/app", "pushed", 2);
      await server.publish("repo:alice/app/issues", "opened", 3);
      assert.deepEqual(await deep.take(3), [1, 2, 3]);
      assert.deepEqual(await one.take(2), [1, 3]);
      assert.deepEqual(alice.incoming().filter(({data}) => data !== undefined).map(({channel}) => channel),
                       ["/repo/alice/app/prs", "/repo/alice/app", "/repo/alice/app/issues"]);
    });

    test("an order is kept", async (t) => {
      const server = await started(t);
      const [alice, bob] = [fayeClient(t, server, {transport}), fayeClient(t, server, {transport})];
      const room = await bob.listen("/room/order");
      await alice.publish("/room/order", 0);
      await until(() => alice.transport() === transport && bob.transport() === transport);
      for (let n = 1; n < 100; n++) {
        const published = alice.publish("/room/order", n);
        if (transport === "long-polling") await published;  // What is too large for one request goes in several side by side.
      }
      assert.deepEqual(await room.take(100), [...Array(100).keys()]);
    });

    test("its extensions see what the server writes", async (t) => {
      const server = await started(t);
      const alice = fayeClient(t, server, {transport});
      alice.client.addExtension({outgoing: (message, on) => on(Object.assign(message, {ext: {token: "any"}}))});
      const room = await alice.listen("/room/ext");
      await alice.publish("/room/ext", "with ext");
      assert.equal(await room.next(), "with ext");
      const [handshake] = alice.incoming();
      assert.deepEqual([handshake.channel, handshake.id, handshake.successful, handshake.version], ["/meta/handshake", "1", true, "1.0"]);
      assert.deepEqual(handshake.supportedConnectionTypes, ["websocket", "long-polling", "callback-polling", "eventsource", "cross-origin-long-polling"]);
    });

    test("is refused what cannot be, and goes on", async (t) => {
      const server = await startConfigured('[[channels]]\nmatch = "closed:*"\nsubscribe = "nobody"\npublish = "nobody"\n');
      t.after(() => server.stop());
      const alice = fayeClient(t, server, {transport});
      for (const [refused, code] of [
        [await alice.publish("/room/bad:name", 1), 405],
        [await alice.publish("/room/*", 1), 4],
        [await alice.publish("/meta/x", 1), 4],
        [await alice.publish("/closed/x", 1), 403],
        [await alice.subscribe("/closed/x"), 403],
        [await alice.subscribe("/meta/x"), 403],
        [await alice.subscribe("/room/bad:name"), 4],
      ]) {
        assert.ok(`${refused.refusal?.code}`.startsWith(`${code}`), JSON.stringify(refused));
      }
      const room = await alice.listen("/room/good");
      await alice.publish("/room/good", 1);
      assert.equal(await room.next(), 1);
    });

    test("who has cancelled hears no more", async (t) => {
      const server = await started(t);
      const alice = fayeClient(t, server, {transport});
      const left = new Heard();
      const subscription = alice.client.subscribe("/room/left", (data) => left.add(data));
      await subscription;
      const stays = await alice.listen("/room/stays");
      subscription.cancel();
      await until(() => alice.incoming().some(({channel, successful}) => channel === "/meta/unsubscribe" && successful));
      await server.publish("room:left", "n", 1);
      await server.publish("room:stays", "n", 2);
      assert.equal(await stays.next(), 2);
      assert.ok(!alice.incoming().some(({channel, data}) => channel === "/room/left" && data !== undefined));
    });

    test("leaves, and its session is gone", async (t) => {
      const server = await started(t);
      const alice = fayeClient(t, server, {transport});
      await alice.listen("/room/leaves");
      const sessions = async () => (await server.call("GET", "/api/sessions")).sessions.length;
      await until(async () => (await sessions()) === 1);
      await settled(alice.client.disconnect());
      await until(async () => (await sessions()) === 0);
    });

    test("idle, it connects again and again", async (t) => {
      const server = await started(t, "--set", "bayeux.timeout=200ms");
      const alice = fayeClient(t, server, {transport});
      const room = await alice.listen("/room/idle");
      const connects = () => alice.incoming().filter(({channel, successful}) => channel === "/meta/connect" && successful).length;
      await until(() => connects() >= 5);
      await server.publish("room:idle", "n", 1);
      assert.equal(await room.next(), 1);
    });

    test("comes back after a crash, with its subscriptions", async (t) => {
      const place = {server: await startServer()};
      t.after(() => place.server.stop());
      const alice = fayeClient(t, place.server, {transport});
      const room = await alice.listen("/room/crash");
      const id = alice.id();
      await place.server.kill();
      place.server = await startServer("--listen", place.server.address);
      const subscribed = () => alice.incoming().filter(({channel, successful}) => channel === "/meta/subscribe" && successful).length;
      await until(() => subscribed() === 2);
      assert.notEqual(alice.id(), id);
      await place.server.publish("room:crash", "n", "back");
      assert.equal(await room.next(), "back");
      assert.deepEqual(await alice.publish("/room/crash", "both ways"), {});
      assert.equal(await room.next(), "both ways");
    });

    test("a connection that is cut is made anew, for the same session", async (t) => {
      const server = await started(t);
      const wire = await faultyWire(t, server.url);
      const alice = fayeClient(t, wire, {transport});
      const room = await alice.listen("/room/cut");
      const id = alice.id();
      for (const round of [1, 2, 3]) {
        const sent = alice.incoming().length;
        await until(() => wire.connections() > 0);
        wire.cut();
        await until(() => wire.connections() > 0);
        assert.deepEqual(await alice.publish("/room/cut", round), {});
        assert.equal(await room.next(), round);
        assert.ok(alice.incoming().length > sent);
      }
      assert.equal(alice.id(), id);
    });
  });
}

test("faye uses the WebSocket that it finds, and the session of its handshake by request", async (t) => {
  const server = await started(t);
  const alice = fayeClient(t, server, {transport: "any"});
  const room = await alice.listen("/room/any");
  await until(() => alice.transport() === "websocket");
  await alice.publish("/room/any", 1);
  assert.equal(await room.next(), 1);
  assert.equal(alice.incoming().filter(({channel}) => channel === "/meta/handshake").length, 1);
});

test("faye polls where WebSockets do not get through", async (t) => {
  const server = await started(t);
  const wire = await faultyWire(t, server.url);
  wire.refuse();
  const alice = fayeClient(t, server, {transport: "any", endpoints: {websocket: wire.url + "/cometd"}});
  const room = await alice.listen("/room/behind");
  await server.publish("room:behind", "n", 1);
  assert.equal(await room.next(), 1);
  assert.equal(alice.transport(), "long-polling");
});

test("faye and its session share the cookie that is demanded", async (t) => {
  const server = await started(t, "--set", "bayeux.cookies=required");
  const alice = fayeClient(t, server);
  const room = await alice.listen("/room/cookie");
  await alice.publish("/room/cookie", 1);
  assert.equal(await room.next(), 1);
});
