// The `cometd` package against the Bayeux room, over each of its transports in Node.
import assert from "node:assert/strict";
import {after, before, describe, test} from "node:test";
import {AckExtension} from "cometd";
import WebSocket from "ws";
import {Heard, startConfigured, startServer, until} from "./carillon.js";
import {bayeuxClient, listener, startBayeux, tokenOf} from "./bayeux_client.js";

for (const transport of ["long-polling", "websocket"]) {
  const transports = [transport];

  describe(`cometd over ${transport}`, () => {
    let server;
    before(async () => (server = await startBayeux()));
    after(() => server?.stop());

    async function connected(t, options) {
      const client = bayeuxClient(t, server, {transports, ...options});
      await client.connect();
      return client;
    }

    async function meeting(t, server) {
      const clients = [bayeuxClient(t, server, {transports}), bayeuxClient(t, server, {transports})];
      const rooms = [];
      for (const client of clients) {
        await client.connect();
        rooms.push(await client.listen("/room/two"));
      }
      return {clients, rooms};
    }

    test("shakes hands, and its first connect is answered at once", async (t) => {
      const client = bayeuxClient(t, server, {transports});
      const reply = await client.connect();
      assert.match(reply.clientId, /^[0-9a-f]{40}$/);
      assert.equal(reply.version, "1.0");
      assert.ok(reply.supportedConnectionTypes.includes(transport));
      assert.deepEqual(reply.advice, {reconnect: "retry", interval: 0, timeout: 30_000});
      await client.held();
      assert.equal(client.cometd.getTransport().type, transport);
      assert.deepEqual(client.received.map(({channel, id}) => [channel, id]), [["/meta/handshake", "1"], ["/meta/connect", "2"]]);
    });

    test("hears what it publishes, and then that it was published", async (t) => {
      const client = await connected(t);
      const room = await client.listen("/room/own");
      const reply = await client.publish("/room/own", {text: "é🔔\u2028</script>"});
      assert.deepEqual([reply.successful, reply.channel, reply.data], [true, "/room/own", undefined]);
      assert.deepEqual(await room.next(), {text: "é🔔\u2028</script>"});
      const [delivery, acknowledgement] = client.received.slice(-2);
      assert.deepEqual([delivery.data !== undefined, acknowledgement.id], [true, reply.id]);
      assert.equal(delivery.clientId, undefined);
    });

    test("any JSON value is carried", async (t) => {
      const client = await connected(t);
      const room = await client.listen("/room/values");
      const values = [null, true, false, 0, -1.5, 1e300, "", "text", [], [1, [2]], {}, {"": {a: null}}];
      for (const value of values) await client.publish("/room/values", value);
      assert.deepEqual(await room.take(values.length), values);
    });

    test("hears what the HTTP API publishes, once, whatever its subscriptions are", async (t) => {
      const server = await startServer();  // One that closes no channel to those who want all.
      t.after(() => server.stop());
      const client = bayeuxClient(t, server, {transports});
      await client.connect();
      const channel = "/repo/alice/app/prs";
      const rooms = {};
      for (const name of [channel, "/repo/alice/app/*", "/repo/alice/**", "/repo/**", "/**"]) rooms[name] = await client.listen(name);
      await server.publish("repo:alice/app/prs", "pr_opened", {number: 7});
      for (const room of Object.values(rooms)) assert.deepEqual(await room.next(), {number: 7});
      await client.publish(channel, "last");
      for (const room of Object.values(rooms)) assert.equal(await room.next(), "last");
      assert.deepEqual(client.deliveries(channel).map(({data}) => data), [{number: 7}, "last"]);
    });

    test("wildcards hear one segment, or any number", async (t) => {
      const client = await connected(t);
      const [one, deep, top] = [await client.listen("/wild/a/*"), await client.listen("/wild/**"), await client.listen("/*")];
      for (const channel of ["wildtop", "wild:a", "wild:a/b", "wild:a/b/c", "wild:b/c"]) await server.publish(channel, "n", channel);
      await client.publish("/wild/a/end", "end");
      await client.publish("/wildend", "end");
      assert.deepEqual(await one.take(2), ["wild:a/b", "end"]);
      assert.deepEqual(await deep.take(5), ["wild:a", "wild:a/b", "wild:a/b/c", "wild:b/c", "end"]);
      assert.deepEqual(await top.take(2), ["wildtop", "end"]);
    });

    test("names that Bayeux has no letters for are written otherwise", async (t) => {
      const client = await connected(t);
      const all = await client.listen("/room/**");
      for (const [channel, written] of [["room:é", "/room/~c3~a9"], ["room:a:b", "/room/a~3ab"], ["room:v1.0 beta", "/room/v1.0 beta"], ["room:~41", "/room/~7e41"]]) {
        const room = await client.listen(written);
        await server.publish(channel, "n", channel);
        assert.deepEqual([await room.next(), await all.next()], [channel, channel]);
        assert.equal((await client.publish(written, "back")).successful, true);
        assert.deepEqual([await room.next(), await all.next()], ["back", "back"]);
      }
    });

    test("talks with the native protocol", async (t) => {
      const client = await connected(t);
      const room = await client.listen("/room/native");
      const native = new WebSocket(server.wsUrl);
      t.after(() => native.close());
      const heard = new Heard();
      native.on("message", (text) => heard.add(JSON.parse(text)));
      await new Promise((resolve) => native.on("open", resolve));
      native.send(JSON.stringify({type: "subscribe", channel: "room:native"}));
      assert.equal((await heard.next()).type, "subscribed");
      native.send(JSON.stringify({type: "publish", channel: "room:native", event: "said", data: {by: "native"}}));
      assert.deepEqual(await room.next(), {by: "native"});
      assert.deepEqual((await heard.next()).data, {by: "native"});
      assert.equal((await heard.next()).type, "published");
      await client.publish("/room/native", {by: "bayeux"});
      const {channel, data} = await heard.next();
      assert.deepEqual([channel, data], ["room:native", {by: "bayeux"}]);
    });

    test("two clients hear each other", async (t) => {
      const {rooms, clients} = await meeting(t, server);
      const numbers = [...Array(30).keys()];
      await Promise.all(numbers.flatMap((n) => clients.map((client, from) => client.publish("/room/two", {from, n}))));
      for (const room of rooms) {
        const heard = await room.take(60);
        for (const who of [0, 1]) assert.deepEqual(heard.filter(({from}) => from === who).map(({n}) => n).sort((a, b) => a - b), numbers);
      }
    });

    // Over long-polling, answers to connects and to publishes pass each other on two connections.
    test("two clients hear each other in order, where there is one way to them", async (t) => {
      const strict = transport === "websocket" ? server : await startBayeux("--set", "bayeux.deliver_by_connect=true");
      if (strict !== server) t.after(() => strict.stop());
      const {rooms, clients} = await meeting(t, strict);
      const numbers = [...Array(30).keys()];
      await Promise.all(numbers.flatMap((n) => clients.map((client, from) => client.publish("/room/two", {from, n}))));
      const [first, second] = await Promise.all(rooms.map((room) => room.take(60)));
      assert.deepEqual(first, second);
      for (const who of [0, 1]) assert.deepEqual(first.filter(({from}) => from === who).map(({n}) => n), numbers);
    });

    test("a batch goes out as one and each of its messages is answered", async (t) => {
      const client = await connected(t);
      const heard = new Heard();
      const replies = new Heard();
      client.cometd.batch(() => {
        client.cometd.subscribe("/room/batch", ({data}) => heard.add(data), (reply) => replies.add(reply));
        for (const n of [1, 2, 3]) client.cometd.publish("/room/batch", n, undefined, (reply) => replies.add(reply));
        client.cometd.publish("/read/batch", 0, undefined, (reply) => replies.add(reply));
      });
      assert.deepEqual((await replies.take(5)).map(({successful}) => successful), [true, true, true, true, false]);
      assert.deepEqual(await heard.take(3), [1, 2, 3]);
    });

    test("what is said before the handshake is answered waits for it", async (t) => {
      const client = bayeuxClient(t, server, {transports});
      const shaken = client.handshake();
      const subscribed = client.subscribing("/room/early");
      const published = client.publish("/room/early", "early");
      assert.equal((await shaken).successful, true);
      const {reply, heard} = await subscribed;
      assert.equal(reply.successful, true);
      assert.equal((await published).successful, true);
      assert.equal((await heard.next()).data, "early");
    });

    test("who has unsubscribed hears no more", async (t) => {
      const client = await connected(t);
      const [left, stays] = [await client.listen("/room/left"), await client.listen("/room/stays")];
      await server.publish("room:left", "n", 1);
      assert.equal(await left.next(), 1);
      const reply = await client.unsubscribe(left.subscription);
      assert.deepEqual([reply.successful, reply.subscription], [true, "/room/left"]);
      await server.publish("room:left", "n", 2);
      await server.publish("room:stays", "n", 3);
      assert.equal(await stays.next(), 3);
      assert.deepEqual(client.deliveries("/room/left").map(({data}) => data), [1]);
    });

    test("leaves while its connect is held, and its session is gone", async (t) => {
      const client = await connected(t);
      const clientId = client.cometd.getClientId();
      await client.held();
      const before = await sessions(server);
      const reply = await client.disconnect();
      assert.deepEqual([reply.successful, reply.channel], [true, "/meta/disconnect"]);
      await until(() => client.cometd.getStatus() === "disconnected");
      await until(async () => (await sessions(server)) === before - 1);
      await client.connect();
      assert.notEqual(client.cometd.getClientId(), clientId);
    });

    test("what is not allowed is refused, and the session goes on", async (t) => {
      const client = await connected(t);
      assert.match((await client.publish("/read/only", 1)).error, /^403:/);
      assert.match((await client.subscribing("/closed/x")).reply.error, /^403:/);
      assert.match((await client.subscribing("/meta/any")).reply.error, /^403:/);
      assert.match((await client.subscribing("/room/*/x")).reply.error, /^40[35]:/);
      assert.match((await client.publish("/room/*", 1)).error, /^40\d:/);
      const room = await client.listen("/room/allowed");
      await client.publish("/room/allowed", "on");
      assert.equal(await room.next(), "on");
      assert.equal(client.received.filter(({channel}) => channel === "/meta/handshake").length, 1);
    });

    test("channels whose names cannot be are refused", async (t) => {
      const client = await connected(t);
      const answers = new Heard();
      client.cometd.addListener("/meta/publish", (message) => answers.add(message));
      for (const channel of ["room/x", "/", "//", "/room/", "/room//x", "/room/ä", "/room/a:b", "/room/%20", "/meta/x"]) {
        client.cometd.send({id: "bad", channel, data: 1});
        const {successful, error} = await answers.next();
        assert.deepEqual([successful, /^40[0-9]:.*:/.test(error)], [false, true], `${channel}: ${error}`);
      }
    });

    test("a service channel that nobody takes is for nobody else", async (t) => {
      const [client, other] = [await connected(t), await connected(t)];
      const {reply, heard} = await other.subscribing("/service/nobody");
      assert.equal(reply.successful, true);
      await client.publish("/service/nobody", 1);
      const room = await other.listen("/room/service");
      await client.publish("/room/service", 2);
      assert.equal(await room.next(), 2);
      assert.equal(other.deliveries("/service/nobody").length, 0);
      await assert.rejects(heard.next(1), /nothing was heard/);
    });

    test("a remote call that nobody takes fails", async (t) => {
      const client = await connected(t);
      const reply = await client.remoteCall("nobody", {question: 1}, 300);
      assert.equal(reply.successful, false);
      assert.match(reply.error, /^40[0-9]:/);
    });

    test("large messages get through", async (t) => {
      const client = await connected(t, {maxSendBayeuxMessageSize: 1_000_000});
      const room = await client.listen("/room/large");
      for (const size of [8_000, 70_000, 900_000]) {
        const text = "x".repeat(size);  // The adapter for Node takes each piece of an answer for whole letters, so no others here.
        assert.equal((await client.publish("/room/large", text)).successful, true);
        assert.equal(await room.next(), text);
      }
    });

    test("a message that the client finds too large is not sent", async (t) => {
      const client = await connected(t);
      const reply = await client.publish("/room/large", "x".repeat(8192));
      assert.equal(reply.successful, false);
      assert.equal((await client.publish("/room/large", "x")).successful, true);
    });

    test("an operator ends a session, and its client stays away", async (t) => {
      const client = await connected(t);
      await client.listen("/room/ended");
      const others = new Set((await server.call("GET", "/api/sessions")).sessions.map(({id}) => id));
      const doomed = bayeuxClient(t, server, {transports});
      await doomed.connect();
      const {sessions} = await server.call("GET", "/api/sessions");
      const [{id, protocol}] = sessions.filter((session) => !others.has(session.id));
      assert.equal(protocol, "bayeux");
      await server.call("DELETE", `/api/sessions/${id}`);
      await until(() => doomed.cometd.getStatus() === "disconnected", () => JSON.stringify(doomed.received.slice(-3)));
      assert.equal((await client.publish("/room/ended", 1)).successful, true);
    });
  });

  describe(`cometd over ${transport} to servers set otherwise`, () => {
    async function started(t, ...options) {
      const server = await startBayeux(...options);
      t.after(() => server.stop());
      return server;
    }

    test("an idle client connects again and again", async (t) => {
      const server = await started(t, "--set", "bayeux.timeout=100ms");
      const client = await listener(t, server, "/room/idle", {transports});
      for (let round = 0; round < 5; round++) assert.equal((await client.connects.next()).successful, true);
      await server.publish("room:idle", "n", 1);
      assert.equal(await client.channel.next(), 1);
      assert.deepEqual(client.failures, []);
    });

    test("the interval between connects is kept, and nothing is lost in it", async (t) => {
      const server = await started(t, "--set", "bayeux.timeout=100ms", "--set", "bayeux.interval=150ms");
      const client = await listener(t, server, "/room/interval", {transports});
      assert.equal(client.cometd.getAdvice().interval, 150);
      for (let n = 0; n < 20; n++) await server.publish("room:interval", "n", n);
      assert.deepEqual(await client.channel.take(20), [...Array(20).keys()]);
    });

    test("a publisher need not hear itself", async (t) => {
      const server = await started(t, "--set", "bayeux.own_messages=false");
      const [alice, bob] = [await listener(t, server, "/room/others", {transports}), await listener(t, server, "/room/others", {transports})];
      await alice.publish("/room/others", "from alice");
      assert.equal(await bob.channel.next(), "from alice");
      await bob.publish("/room/others", "from bob");
      assert.equal(await alice.channel.next(), "from bob");
    });

    test("deliveries may all come by connect", async (t) => {
      const server = await started(t, "--set", "bayeux.deliver_by_connect=true");
      const client = await listener(t, server, "/room/connect", {transports});
      for (const n of [1, 2, 3]) {
        await client.publish("/room/connect", n);
        assert.equal(await client.channel.next(), n);
        const at = client.received.findLastIndex(({data}) => data === n);
        await until(() => client.received.slice(at).some(({channel}) => channel === "/meta/connect"));
        assert.equal(client.received.slice(at).find(({data}) => data === undefined).channel, "/meta/connect");
      }
    });

    test("lazy messages wait, but for what is not lazy", async (t) => {
      const server = await started(t, "--set", "bayeux.lazy_channels=/lazy/**", "--set", "bayeux.lazy_time=400ms");
      const client = await listener(t, server, "/lazy/a", {transports});
      const room = await client.listen("/room/lazy");
      await client.held();
      const published = Date.now();
      await server.publish("lazy:a", "n", 1);
      assert.equal(await client.channel.next(), 1);
      assert.ok(Date.now() - published >= 350, `${Date.now() - published} ms`);
      await server.publish("lazy:a", "n", 2);
      await server.publish("room:lazy", "n", 3);
      assert.deepEqual([await client.channel.next(), await room.next()], [2, 3]);
      assert.deepEqual([...client.deliveries("/lazy/a"), ...client.deliveries("/room/lazy")].map(({data}) => data), [1, 2, 3]);
    });

    test("every message has a timestamp where that is wanted", async (t) => {
      const server = await started(t, "--set", "bayeux.timestamps=true");
      const client = await listener(t, server, "/room/time", {transports});
      await server.publish("room:time", "n", 1);
      await client.channel.next();
      for (const message of client.received) {
        assert.ok(Math.abs(Date.parse(message.timestamp) - Date.now()) < 60_000, JSON.stringify(message));
      }
    });

    test("a message beyond the server's limit is refused, and the client goes on", async (t) => {
      const server = await started(t, "--message-max", "16KB");
      const client = await listener(t, server, "/room/limit", {transports, maxSendBayeuxMessageSize: 1_000_000});
      assert.equal((await client.publish("/room/limit", "x".repeat(20_000))).successful, false);
      await until(async () => (await client.publish("/room/limit", "small")).successful);
      assert.equal(await client.channel.next(), "small");
    });

    test("who shows a token in its handshake is known by it", async (t) => {
      const secret = "a secret of more than thirty-two bytes";
      const server = await startConfigured('[[channels]]\nmatch = "mail:{user}/**"\npublish = "owner"\nsubscribe = "owner"\n', "--set", `auth.jwt_secrets=${secret}`);
      t.after(() => server.stop());
      const shown = (token) => ({ext: {authentication: {token}}});
      const alice = bayeuxClient(t, server, {transports});
      await alice.connect(shown(await tokenOf("alice", secret)));
      const own = await alice.listen("/mail/alice/in");
      assert.equal((await alice.publish("/mail/alice/in", 1)).successful, true);
      assert.equal(await own.next(), 1);
      assert.match((await alice.publish("/mail/bob/in", 1)).error, /^403:/);
      const stranger = bayeuxClient(t, server, {transports});
      await stranger.connect();
      assert.match((await stranger.subscribing("/mail/alice/in")).reply.error, /^403:/);
      const liar = bayeuxClient(t, server, {transports});
      const reply = await liar.handshake(shown((await tokenOf("alice", "another secret of more than 32 bytes"))));
      assert.deepEqual([reply.successful, reply.error, reply.advice.reconnect], [false, "403::handshake_denied", "none"]);
      await until(() => liar.cometd.getStatus() === "disconnected");
    });

    test("a session ends with its token, and its client comes back with another", async (t) => {
      const secret = "a secret of more than thirty-two bytes";
      const server = await started(t, "--set", `auth.jwt_secrets=${secret}`, "--set", "auth.require_token=true", "--set", "auth.jwt_leeway=0s");
      const shown = {ext: {authentication: {token: await tokenOf("alice", secret, "--ttl", "2s")}}};
      const alice = bayeuxClient(t, server, {transports, url: `${server.url}/cometd?token=${await tokenOf("alice", secret)}`});
      await alice.connect(shown);
      const room = await alice.listen("/room/token");
      const id = alice.cometd.getClientId();
      shown.ext.authentication.token = await tokenOf("alice", secret);
      await alice.resubscribed();
      assert.notEqual(alice.cometd.getClientId(), id);
      await alice.publish("/room/token", 1);
      assert.equal(await room.next(), 1);
      assert.ok(!alice.received.some(({channel, data}) => channel === "/meta/disconnect"));
    });

    test("an operator's announcement reaches every client", async (t) => {
      const server = await started(t);
      const client = await listener(t, server, "/room/announced", {transports});
      const heard = new Heard();
      client.cometd.addListener("/service/announcement", ({data}) => heard.add(data));
      assert.deepEqual(await server.call("POST", "/api/announce", {text: "back in a minute"}), {sessions: 1});
      assert.equal(await heard.next(), "back in a minute");
    });

    test("a session that says nothing for too long ends", async (t) => {
      const server = await started(t, "--set", "bayeux.timeout=100ms", "--set", "bayeux.activity=client", "--set", "bayeux.activity_time=1s");
      const [idle, busy] = [await listener(t, server, "/room/idle", {transports}), await listener(t, server, "/room/idle", {transports})];
      await until(async () => {
        await busy.publish("/room/idle", 1);
        return idle.cometd.getStatus() === "disconnected";
      });
      assert.equal((await busy.publish("/room/idle", 2)).successful, true);
    });

    test("a client without a transport in common is refused", async (t) => {
      const server = await started(t, "--set", "bayeux.transports=callback-polling");
      const client = bayeuxClient(t, server, {transports});
      const reply = await client.handshake();
      assert.equal(reply.successful, false);
    });

    test("the server stops with a connect held: the client hears of it and comes to the next", async (t) => {
      const first = await startBayeux();
      const client = await listener(t, first, "/room/stop", {transports});
      await client.held();
      await first.stop();
      await until(() => client.failures.length > 0);
      const second = await startBayeux("--listen", first.address);
      t.after(() => second.stop());
      await client.resubscribed();
      await second.publish("room:stop", "n", 1);
      assert.equal(await client.channel.next(), 1);
    });
  });
}

// A session lives on one loop; its requests and its WebSocket may arrive on either.
test("on a server of two loops everybody hears everybody, in one order", async (t) => {
  const server = await startBayeux("--loops", "2");
  t.after(() => server.stop());
  const numbers = [...Array(16).keys()];
  const clients = await Promise.all(numbers.map((number) => listener(t, server, "/room/loops", {
    transports: [number % 2 ? "websocket" : "long-polling"], extensions: {ack: new AckExtension()},
  })));
  for (let round = 0; round < 10; round++) {
    const replies = await Promise.all(clients.map((client, from) => client.publish("/room/loops", {from, round})));
    assert.ok(replies.every(({successful}) => successful));
  }
  const heard = await Promise.all(clients.map(({channel}) => channel.take(160)));
  for (const events of heard) assert.deepEqual(events, heard[0]);
  for (const number of numbers) {
    assert.deepEqual(heard[0].filter(({from}) => from === number).map(({round}) => round), [...Array(10).keys()]);
  }
  const metrics = await (await fetch(server.url + "/metrics", {headers: {connection: "close"}})).text();
  const turns = [...metrics.matchAll(/^carillon_loop_turns_total\{loop="\d"\} (\d+)$/gm)].map(([, count]) => Number(count));
  assert.ok(turns.length === 2 && turns.every((count) => count > 100), `${turns}`);
});

const sessions = async (server) => (await server.call("GET", "/api/sessions")).sessions.length;
