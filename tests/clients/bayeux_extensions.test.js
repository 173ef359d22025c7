// The extensions that the `cometd` package brings along.
import assert from "node:assert/strict";
import {after, before, describe, test} from "node:test";
import {AckExtension, BinaryExtension, ReloadExtension, TimeStampExtension, TimeSyncExtension} from "cometd";
import {until} from "./carillon.js";
import {bayeuxClient, listener, rawPoller, startBayeux} from "./bayeux_client.js";

for (const transport of ["long-polling", "websocket"]) {
  const transports = [transport];

  describe(`extensions of cometd over ${transport}`, () => {
    let server;
    before(async () => (server = await startBayeux("--set", "bayeux.timeout=500ms")));
    after(() => server?.stop());

    const listening = (t, channel, extensions, options) => listener(t, server, channel, {transports, extensions, ...options});

    test("ack: batches are counted up, and a publish is answered without its delivery", async (t) => {
      const client = await listening(t, "/room/ack", {ack: new AckExtension()});
      for (const n of [1, 2, 3]) {
        await client.publish("/room/ack", n);
        assert.equal(await client.channel.next(), n);
      }
      const acks = client.received.filter(({channel}) => channel === "/meta/connect").map(({ext}) => ext.ack);
      assert.deepEqual(acks, acks.map((_, index) => index + 1));
      const delivered = client.received.findIndex(({data}) => data === 1);
      const after = client.received.slice(delivered).filter(({channel, data}) => channel.startsWith("/meta/") || data === undefined);
      assert.equal(client.received[0].ext.ack, true);
      assert.equal(after[0].channel, "/meta/connect");
    });

    test("ack: a client that switches it off is served without", async (t) => {
      const client = bayeuxClient(t, server, {transports, extensions: {ack: new AckExtension()}});
      client.cometd.ackEnabled = false;
      await client.connect();
      const room = await client.listen("/room/noack");
      await client.publish("/room/noack", 1);
      assert.equal(await room.next(), 1);
      assert.ok(client.received.every(({ext}) => ext?.ack === undefined || ext.ack === false));
    });

    test("timesync: the client comes to know the server's clock", async (t) => {
      const sync = new TimeSyncExtension();
      const client = await listening(t, "/room/sync", {sync});
      const answered = () => client.received.filter(({ext}) => ext?.timesync).map(({channel, ext}) => [channel, ext.timesync]);
      const [[channel, {tc, ts, p, a}]] = answered();
      assert.equal(channel, "/meta/handshake");
      assert.ok(Math.abs(tc - Date.now()) < 60_000 && Math.abs(ts - Date.now()) < 60_000);
      assert.ok(p >= 0 && p < 10_000, `${p}`);
      assert.equal(a, tc - ts);
      assert.ok(Math.abs(sync.getTimeOffset()) < 1_000, `${sync.getTimeOffset()}`);
      assert.ok(sync.getNetworkLag() >= 0 && sync.getNetworkLag() < 5_000, `${sync.getNetworkLag()}`);
      assert.ok(Math.abs(sync.getServerTime() - Date.now()) < 1_000);
    });

    test("timesync: how long a connect was held is not taken for the way", async (t) => {
      const sync = new TimeSyncExtension();
      // Says each time that it knows nothing, so that each connect is answered.
      const forgetful = {outgoing: ({ext}) => void (ext?.timesync && Object.assign(ext.timesync, {l: 0, o: 0}))};
      const client = await listening(t, "/room/held", {forgetful, sync});
      await until(() => client.received.some(({channel, ext}) => channel === "/meta/connect" && ext?.timesync?.p >= 450), () => JSON.stringify(client.received));
      assert.ok(sync.getNetworkLag() < 150, `${sync.getNetworkLag()}`);
    });

    test("timestamp: what clients write is let pass", async (t) => {
      const client = await listening(t, "/room/stamp", {stamp: new TimeStampExtension()});
      assert.equal((await client.publish("/room/stamp", 1)).successful, true);
      assert.equal(await client.channel.next(), 1);
      assert.ok(client.sent.every(({timestamp}) => Date.parse(timestamp)));
    });

    test("binary: bytes go from client to client", async (t) => {
      const [alice, bob] = [await listening(t, "/room/bytes", {binary: new BinaryExtension()}), await listening(t, "/room/bytes", {binary: new BinaryExtension()})];
      for (const bytes of [[], [0], [0, 1], [1, 2, 255], [0, 0, 0, 0], [255, 255, 255, 255], [...Array(256).keys()]]) {
        const reply = await new Promise((resolve) => alice.cometd.publishBinary("/room/bytes", new Uint8Array(bytes), true, {name: "file"}, undefined, resolve));
        assert.equal(reply.successful, true, JSON.stringify(reply));
        for (const {channel} of [alice, bob]) {
          const {data, last, meta} = await channel.next();
          assert.deepEqual([[...new Uint8Array(data)], last, meta], [bytes, true, {name: "file"}]);
        }
      }
    });

    test("binary: who does not know it is sent the text", async (t) => {
      const [alice, plain] = [await listening(t, "/room/text", {binary: new BinaryExtension()}), await listening(t, "/room/text")];
      // "Hello" is the test of Z85's own description (ZeroMQ RFC 32).
      alice.cometd.publishBinary("/room/text", Uint8Array.of(0x86, 0x4f, 0xd2, 0x6f, 0xb5, 0x59, 0xf7, 0x5b), true);
      assert.deepEqual(await plain.channel.next(), {data: "HelloWorld", last: true});
      assert.deepEqual(plain.deliveries("/room/text")[0].ext, {binary: {}});
    });

    test("reload: a new page goes on with the session of the old, and with acknowledgements misses nothing", async (t) => {
      const stored = new Map();
      window.sessionStorage = {getItem: (key) => stored.get(key) ?? null, setItem: (key, value) => stored.set(key, value), removeItem: (key) => stored.delete(key)};
      t.after(() => delete window.sessionStorage);
      const browser = new Map();
      const extensions = () => ({ack: new AckExtension(), reload: new ReloadExtension()});
      const page = await listening(t, "/room/reload", extensions(), {browser});
      const id = page.cometd.getClientId();
      await server.publish("room:reload", "n", "before");
      assert.equal(await page.channel.next(), "before");
      await page.held();
      page.cometd.reload();
      assert.equal(stored.size, 1);
      await server.publish("room:reload", "n", "between");

      const next = bayeuxClient(t, server, {transports, browser, extensions: extensions()});
      const heard = [];
      next.cometd.addListener("/room/reload", ({data}) => heard.push(data));
      const reply = await next.connect();
      assert.deepEqual([next.cometd.getClientId(), reply.ext.reload], [id, true]);
      assert.ok(!next.received.some(({successful, error}) => error || successful === false), JSON.stringify(next.received));
      await until(() => heard.includes("between"));
      await server.publish("room:reload", "n", "after");
      await until(() => heard.includes("after"));
      assert.deepEqual(heard.filter((data) => data !== "before"), ["between", "after"]);
    });

    test("all of them together", async (t) => {
      const extensions = {ack: new AckExtension(), sync: new TimeSyncExtension(), stamp: new TimeStampExtension(), binary: new BinaryExtension()};
      const client = await listening(t, "/room/all", extensions);
      for (let n = 0; n < 10; n++) await server.publish("room:all", "n", n);
      assert.deepEqual(await client.channel.take(10), [...Array(10).keys()]);
      client.cometd.publishBinary("/room/all", Uint8Array.of(1, 2, 3), true);
      assert.deepEqual([...new Uint8Array((await client.channel.next()).data)], [1, 2, 3]);
    });
  });
}

// What the client does not do of itself.
describe("ack by hand", () => {
  let server;
  before(async () => (server = await startBayeux("--set", "bayeux.timeout=1500ms")));
  after(() => server?.stop());

  async function acknowledging() {
    const poller = rawPoller(server);
    const {clientId, ext} = await poller.handshake({ext: {ack: true}});
    assert.equal(ext.ack, true);
    await poller.send({channel: "/meta/subscribe", clientId, subscription: "/room/hand", id: "2"});
    let id = 2;
    const connect = async (ack, more = {}) => {
      const answer = await poller.send({channel: "/meta/connect", clientId, connectionType: "long-polling", id: `${++id}`, ext: {ack}, ...more});
      return {data: answer.filter(({data}) => data !== undefined).map(({data}) => data), ack: answer.find(({channel}) => channel === "/meta/connect").ext.ack};
    };
    return {clientId, connect};
  }
  const publish = async (...values) => {
    for (const value of values) await server.publish("room:hand", "n", value);
  };

  test("what was not acknowledged comes again, before what is newer, until it is", async () => {
    const {connect} = await acknowledging();
    assert.deepEqual(await connect(0), {data: [], ack: 1});
    await publish(1, 2);
    assert.deepEqual(await connect(1), {data: [1, 2], ack: 2});
    assert.deepEqual(await connect(1), {data: [1, 2], ack: 3});  // The answer was lost.
    await publish(3);
    assert.deepEqual(await connect(1), {data: [1, 2, 3], ack: 4});
    await publish(4);
    assert.deepEqual(await connect(4), {data: [4], ack: 5});
    assert.deepEqual(await connect(5), {data: [], ack: 6});
  });

  test("a connect with nothing but unacknowledged messages is not held", async () => {
    const {connect} = await acknowledging();
    await connect(0);
    await publish(1);
    await connect(1);
    const began = Date.now();
    assert.deepEqual((await connect(1)).data, [1]);
    assert.ok(Date.now() - began < 1400, `${Date.now() - began} ms`);
  });

  test("what was acknowledged before stays acknowledged, whatever an older connect says", async () => {
    const {connect} = await acknowledging();
    await connect(0);
    await publish(1);
    const {ack} = await connect(1);
    await publish(2);
    assert.deepEqual((await connect(ack)).data, [2]);
    assert.deepEqual((await connect(ack)).data, [2]);
    assert.deepEqual((await connect(0, {advice: {timeout: 0}})).data, [2]);
  });
});
