// Clients of the `cometd` package where networks break, servers crash, and browsers open many windows.
import assert from "node:assert/strict";
import {randomBytes} from "node:crypto";
import {describe, test} from "node:test";
import {AckExtension} from "cometd";
import {randomFrom, until} from "./carillon.js";
import {bayeuxClient, listener, startBayeux} from "./bayeux_client.js";
import {faultyWire} from "./faulty_wire.js";

async function started(t, ...options) {
  const server = await startBayeux(...options);
  t.after(() => server.stop());
  return server;
}
const range = (from, to) => Array.from({length: to - from}, (_, index) => from + index);

for (const transport of ["long-polling", "websocket"]) {
  const transports = [transport];

  describe(`cometd over ${transport}`, () => {
    test("comes back after a crash: it shakes hands again, and hears", async (t) => {
      const place = {server: await startBayeux()};
      t.after(() => place.server.stop());
      const clients = [await listener(t, place.server, "/room/crash", {transports}), await listener(t, place.server, "/room/crash", {transports})];
      const ids = clients.map(({cometd}) => cometd.getClientId());
      for (const client of clients) await client.held();
      await place.server.kill();
      await until(() => clients.every(({failures}) => failures.length > 0));
      place.server = await startBayeux("--listen", place.server.address);
      for (const [number, client] of clients.entries()) {
        await client.resubscribed();
        assert.notEqual(client.cometd.getClientId(), ids[number]);
        const refusal = client.received.find(({successful}) => successful === false);
        assert.match(refusal.error, /^402:/);
        assert.equal(refusal.advice.reconnect, "handshake");
      }
      await clients[0].publish("/room/crash", "back");
      for (const {channel} of clients) assert.equal(await channel.next(), "back");
    });

    test("a connection that is cut under a held connect is made anew, for the same session", async (t) => {
      const server = await started(t);
      const wire = await faultyWire(t, server.url);
      const client = await listener(t, wire, "/room/cut", {transports});
      const id = client.cometd.getClientId();
      for (const round of range(0, 5)) {
        await client.held();
        const failed = client.failures.length;
        await until(() => wire.cut() || client.failures.length > failed);  // Again, while the connect is on its way to the wire.
        const after = client.received.length;
        await until(() => client.received.slice(after).some(({channel, successful}) => channel === "/meta/connect" && successful));
        await server.publish("room:cut", "n", round);
        assert.equal(await client.channel.next(), round);
      }
      assert.equal(client.cometd.getClientId(), id);
      assert.equal(client.received.filter(({channel}) => channel === "/meta/handshake").length, 1);
    });

    test("a network that dies silently is found out, and the new connect wins over the dead one", async (t) => {
      const server = await started(t, "--set", "bayeux.timeout=300ms", "--set", "bayeux.timeout_max=300ms");
      const wire = await faultyWire(t, server.url);
      const client = await listener(t, wire, "/room/dead", {transports, maxNetworkDelay: 300});
      const id = client.cometd.getClientId();
      await client.held();
      wire.die();
      await until(() => client.failures.length > 0);
      wire.carry();
      const before = client.received.length;
      await until(() => client.received.slice(before).some(({channel, successful}) => channel === "/meta/connect" && successful));
      assert.equal(client.cometd.getClientId(), id);
      await server.publish("room:dead", "n", "alive");
      await until(async () => (await client.channel.next()) === "alive");
    });

    test("a session whose client stays away too long is over, and a new one begins", async (t) => {
      const server = await started(t, "--set", "bayeux.timeout=200ms", "--set", "bayeux.max_interval=300ms");
      const wire = await faultyWire(t, server.url);
      const client = await listener(t, wire, "/room/away", {transports});
      const id = client.cometd.getClientId();
      await client.held();
      wire.refuse();
      wire.cut();
      await until(async () => (await server.call("GET", "/api/sessions")).sessions.length === 0);
      wire.admit();
      await client.resubscribed();
      assert.notEqual(client.cometd.getClientId(), id);
      await server.publish("room:away", "n", 1);
      assert.equal(await client.channel.next(), 1);
    });

    test("told of the max interval, a client shakes hands without asking first", async (t) => {
      const server = await started(t, "--set", "bayeux.timeout=200ms", "--set", "bayeux.max_interval=300ms", "--set", "bayeux.handshake_reconnect=true");
      const wire = await faultyWire(t, server.url);
      const client = await listener(t, wire, "/room/max", {transports});
      assert.equal(client.cometd.getAdvice().maxInterval, 300);
      await client.held();
      wire.refuse();
      wire.cut();
      await until(() => client.sent.filter(({channel}) => channel === "/meta/handshake").length > 1);
      wire.admit();
      await client.resubscribed();
      assert.ok(!client.received.some(({error}) => error?.startsWith("402")), "it was told that its session is over");
      await server.publish("room:max", "n", 1);
      assert.equal(await client.channel.next(), 1);
    });

    test("with acknowledgements nothing is lost and all is in order, however often the network breaks", async (t) => {
      const server = await started(t, "--set", "bayeux.timeout=2s");
      const wire = await faultyWire(t, server.url);
      const client = await listener(t, wire, "/room/ack", {transports, extensions: {ack: new AckExtension()}, backoffIncrement: 10, maxBackoff: 20});
      assert.equal(client.received[0].ext.ack, true);
      const id = client.cometd.getClientId();
      let published = 0;
      const publish = async (count) => {
        for (const n of range(published, (published += count))) await server.publish("room:ack", "n", n);
      };
      const heard = [];
      for (let round = 0; round < 8; round++) {
        await client.held();
        // What the server says now is lost on the way.
        const lost = wire.swallowed();
        wire.swallowAnswers();
        await publish(3);
        await until(() => wire.swallowed() > lost);
        wire.carry();
        wire.cut();
        await publish(2);
        heard.push(...(await client.channel.take(5)));
      }
      assert.deepEqual(heard, range(0, published));
      await server.publish("room:ack", "n", "last");
      assert.equal(await client.channel.next(), "last");
      assert.equal(client.cometd.getClientId(), id);
    });

    test("with acknowledgements, under cuts at any moment", async (t) => {
      const server = await started(t, "--set", "bayeux.timeout=2s");
      const wire = await faultyWire(t, server.url);
      const client = await listener(t, wire, "/room/cuts", {transports, extensions: {ack: new AckExtension()}, backoffIncrement: 5, maxBackoff: 10});
      const id = client.cometd.getClientId();
      const heard = [];
      const all = client.channel.take(300).then((values) => heard.push(...values));
      for (const n of range(0, 300)) {
        await server.publish("room:cuts", "n", n);
        if (n % 7 === 3) wire.cut();
        if (n % 50 === 40) await client.held();  // Now and then it gets through.
      }
      await all;
      assert.deepEqual(heard, range(0, 300));
      assert.equal(client.cometd.getClientId(), id);
    });
  });
}

describe("cometd in more than one window", () => {
  test("more windows of one browser than may poll at a time hear nevertheless", async (t) => {
    const server = await started(t, "--set", "bayeux.polls_per_browser=2", "--set", "bayeux.multi_session_interval=100ms");
    const browser = new Map();
    const windows = [];
    for (let count = 0; count < 5; count++) windows.push(await listener(t, server, "/room/windows", {browser}));
    assert.deepEqual([...browser.keys()], ["BAYEUX_BROWSER"]);
    await until(() => windows.filter(({received}) => received.some(({advice}) => advice?.["multiple-clients"] === true)).length >= 3);
    for (const n of range(0, 5)) {
      await server.publish("room:windows", "n", n);
      for (const {channel} of windows) assert.equal(await channel.next(), n);
    }
    assert.ok(windows.every(({failures}) => failures.length === 0));
  });

  test("windows beyond the number are sent away where the interval is 0", async (t) => {
    const server = await started(t, "--set", "bayeux.polls_per_browser=1", "--set", "bayeux.multi_session_interval=0ms");
    const browser = new Map();
    const first = await listener(t, server, "/room/one", {browser});
    await first.held();
    const second = bayeuxClient(t, server, {browser});
    await second.handshake();
    await until(() => second.cometd.getStatus() === "disconnected", () => JSON.stringify(second.received));
    await server.publish("room:one", "n", 1);
    assert.equal(await first.channel.next(), 1);
    // Another browser may.
    const other = await listener(t, server, "/room/one", {});
    await server.publish("room:one", "n", 2);
    assert.equal(await other.channel.next(), 2);
  });

  test("any number may poll where there is no such number", async (t) => {
    const server = await started(t, "--set", "bayeux.polls_per_browser=0");
    const browser = new Map();
    const windows = [];
    for (let count = 0; count < 12; count++) windows.push(await listener(t, server, "/room/any", {browser}));
    for (const window of windows) await window.held();
    await server.publish("room:any", "n", 1);
    for (const {channel, cometd} of windows) {
      assert.equal(await channel.next(), 1);
      assert.equal(cometd.getAdvice()["multiple-clients"], undefined);
    }
  });
});

test("a crowd on bad networks hears everything once and in order, on either transport", async (t) => {
  const seed = Number(process.env.CARILLON_CLIENTS_SEED ?? Math.floor(Math.random() * 2 ** 31));
  t.diagnostic(`CARILLON_CLIENTS_SEED=${seed}`);
  const random = randomFrom(seed);
  const server = await started(t, "--loops", "2", "--set", "bayeux.timeout=1s");
  const members = await Promise.all(range(0, 12).map(async (number) => {
    const wire = await faultyWire(t, server.url);
    const client = await listener(t, wire, "/room/crowd", {
      transports: [number % 2 ? "websocket" : "long-polling"], extensions: {ack: new AckExtension()}, backoffIncrement: 10, maxBackoff: 30,
    });
    return {wire, client, id: client.cometd.getClientId()};
  }));
  for (const n of range(0, 400)) {
    await server.publish("room:crowd", "n", n);
    const {wire} = members[random(members.length)];
    const fault = random(8);
    if (fault === 0) wire.cut();
    if (fault === 1) wire.swallowAnswers();
    if (fault === 2 || n === 399) {
      // What was swallowed leaves a connection without its end: who is deaf to it must be told.
      for (const member of n === 399 ? members : [{wire}]) {
        member.wire.carry();
        member.wire.cut();
      }
    }
  }
  for (const {client, id} of members) {
    assert.deepEqual(await client.channel.take(400), range(0, 400));
    assert.equal(client.cometd.getClientId(), id);
  }
});

describe("cometd that reads too slowly", () => {
  const lostOf = ({received}) => received.reduce((sum, {channel, ext}) => sum + (channel === "/meta/connect" ? ext?.lost ?? 0 : 0), 0);
  const ascending = (numbers) => numbers.every((n, index) => index === 0 || n > numbers[index - 1]);

  // Hears of more than is kept for it while it is away.
  async function missing(t, extensions) {
    const server = await started(t, "--message-max", "16KB", "--set", "limits.outbox_bytes=64KB");
    const wire = await faultyWire(t, server.url);
    const client = await listener(t, wire, "/room/slow", {extensions});
    await client.held();
    wire.refuse();
    wire.cut();
    await until(() => client.failures.length > 0);
    for (const n of range(0, 100)) await server.publish("room:slow", "n", {n, text: "x".repeat(2_000)});
    const id = client.cometd.getClientId();
    wire.admit();
    return {server, client, id};
  }

  test("is told how many messages it missed", async (t) => {
    const {server, client} = await missing(t, {});
    const heard = () => client.deliveries("/room/slow").map(({data}) => data.n);
    await until(() => heard().at(-1) === 99);
    await server.publish("room:slow", "n", {n: 100});
    await until(() => lostOf(client) > 0);
    assert.equal(heard().at(-1), 100);
    assert.ok(ascending(heard()));
    // The first may have been on its way when the connection broke.
    assert.ok([100, 101].includes(heard().length + lostOf(client)), `${heard().length} heard, ${lostOf(client)} lost`);
  });

  test("and has asked for acknowledgements, begins anew", async (t) => {
    const {server, client, id} = await missing(t, {ack: new AckExtension()});
    await client.resubscribed();
    assert.notEqual(client.cometd.getClientId(), id);
    const heard = client.deliveries("/room/slow").map(({data}) => data.n);
    assert.deepEqual(heard, range(0, heard.length), "what it was given before is without holes");
    await server.publish("room:slow", "n", {n: "after"});
    await until(() => client.deliveries("/room/slow").at(-1)?.data.n === "after");
  });

  test("on a WebSocket is told how many messages it missed", async (t) => {
    const server = await started(t, "--set", "bayeux.timeout=500ms");
    const wire = await faultyWire(t, server.url);
    const client = await listener(t, wire, "/room/slow", {transports: ["websocket"], maxNetworkDelay: 60_000});
    wire.die();
    const text = randomBytes(375_000).toString("base64");  // Which compression does not make small.
    for (const n of range(0, 60)) await server.publish("room:slow", "n", {n, text});
    wire.carry();
    await until(() => client.deliveries("/room/slow").length + lostOf(client) === 60, () => `${client.deliveries("/room/slow").length} heard, ${lostOf(client)} lost, ${JSON.stringify(client.received.filter(({data}) => data === undefined))}`);
    assert.ok(lostOf(client) > 0);
    assert.ok(ascending(client.deliveries("/room/slow").map(({data}) => data.n)));
    assert.equal(client.received.filter(({channel}) => channel === "/meta/handshake").length, 1);
  });
});

test("a session that shall keep to its WebSocket does not outlive it", async (t) => {
  const server = await started(t, "--set", "bayeux.handshake_per_websocket=true");
  const wire = await faultyWire(t, server.url);
  const client = await listener(t, wire, "/room/bound", {transports: ["websocket"]});
  const id = client.cometd.getClientId();
  await client.held();
  wire.cut();
  await client.resubscribed();
  assert.notEqual(client.cometd.getClientId(), id);
  await server.publish("room:bound", "n", 1);
  assert.equal(await client.channel.next(), 1);
});

describe("cometd moves from WebSocket to long-polling", () => {
  // As an application does that wants it (onTransportFailure in CometD's documentation).
  function fallsBack({cometd}) {
    const usual = cometd.onTransportFailure.bind(cometd);
    cometd.onTransportFailure = (message, failure, handle) => {
      if (message.channel !== "/meta/connect") return usual(message, failure, handle);
      failure.action = "retry";
      failure.delay = 0;
      failure.transport = cometd.findTransport("long-polling");
      handle(failure);
    };
  }

  test("its session goes on, and acknowledged messages come once and in order", async (t) => {
    const server = await started(t);
    const wire = await faultyWire(t, server.url);
    const client = await listener(t, wire, "/room/moves", {
      transports: ["websocket", "long-polling"],
      extensions: {ack: new AckExtension()},
      urls: {"long-polling": server.url + "/cometd"},
    });
    fallsBack(client);
    const id = client.cometd.getClientId();
    assert.equal(client.cometd.getTransport().type, "websocket");
    await client.held();
    for (const n of range(0, 5)) await server.publish("room:moves", "n", n);
    assert.deepEqual(await client.channel.take(5), range(0, 5));
    await client.held();
    const lost = wire.swallowed();
    wire.swallowAnswers();
    for (const n of range(5, 10)) await server.publish("room:moves", "n", n);
    await until(() => wire.swallowed() > lost);
    wire.refuse();
    wire.cut();
    for (const n of range(10, 15)) await server.publish("room:moves", "n", n);
    assert.deepEqual(await client.channel.take(10), range(5, 15));
    assert.equal(client.cometd.getTransport().type, "long-polling");
    assert.equal(client.cometd.getClientId(), id);
    await client.publish("/room/moves", "by request");
    assert.equal(await client.channel.next(), "by request");
  });

  test("where WebSockets do not get through, the handshake finds the other way", async (t) => {
    const server = await started(t);
    const wire = await faultyWire(t, server.url);
    wire.refuse();
    const client = bayeuxClient(t, server, {transports: ["websocket", "long-polling"], urls: {websocket: wire.url + "/cometd"}});
    assert.equal((await client.handshake()).successful, false);
    await until(() => client.handshakes.length === 2);
    assert.equal(client.handshakes[1].successful, true);
    assert.equal(client.cometd.getTransport().type, "long-polling");
    const room = await client.listen("/room/falls");
    await server.publish("room:falls", "n", 1);
    assert.equal(await room.next(), 1);
  });
});
