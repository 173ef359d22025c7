// How the `phoenix` package connects over WebSocket: versions, heartbeats, tokens; and what it does when the connection ends.
import assert from "node:assert/strict";
import {createHmac} from "node:crypto";
import {after, before, describe, test} from "node:test";
import {cuttable, until} from "./carillon.js";
import {longPoll18, phoenixClient, startPhoenix, tokenOf, webSocket17, webSocket18} from "./phoenix_client.js";

const transports = [["WebSocket", webSocket18], ["long-poll", longPoll18]];
const jwtSecret = "a secret of more than thirty-two bytes";

// As `carillon token` makes none.
function expiredToken(user) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const signed = `${part({alg: "HS256", typ: "JWT"})}.${part({sub: user, exp: Math.floor(Date.now() / 1000) - 3600})}`;
  return `${signed}.${createHmac("sha256", jwtSecret).update(signed).digest("base64url")}`;
}

// Cut between two polls, a wire is not missed; so until it is.
const lose = (wire, channel) => until(() => channel.state !== "joined" || wire.cut());

async function started(t, ...options) {
  const server = await startPhoenix(...options);
  t.after(() => server.stop());
  return server;
}

describe("phoenix's connection", () => {
  let server;
  before(async () => (server = await startPhoenix()));
  after(() => server?.stop());

  test("stands as long as its heartbeats are answered", async (t) => {
    const alice = phoenixClient(t, server, webSocket18, {heartbeatIntervalMs: 20});
    const answers = () => alice.messages.filter(({topic, event}) => topic === "phoenix" && event === "phx_reply");
    await until(() => answers().length >= 10);
    for (const {join_ref, payload} of answers()) assert.deepEqual([join_ref, payload], [null, {status: "ok", response: {}}]);
    assert.equal(alice.socket.establishedConnections, 1);
  });

  test("answers a ping", async (t) => {
    const alice = phoenixClient(t, server, webSocket18);
    await alice.opened.next();
    assert.ok((await new Promise((resolve) => alice.socket.ping(resolve))) >= 0);
  });

  test("speaks version 1 to a client that asks for it", async (t) => {
    const alice = phoenixClient(t, server, webSocket18, {
      vsn: "1.0.0",
      encode: ({topic, event, payload, ref}, done) => done(JSON.stringify({topic, event, payload, ref})),
      decode: (text, done) => done(JSON.parse(text)),
    });
    const bob = phoenixClient(t, server, webSocket18);
    const [old, current] = [await alice.join("others:versions", {}, "said", "blob"), await bob.join("others:versions", {}, "said")];
    assert.equal((await old.push("said", {by: 1})).status, "ok");
    assert.deepEqual(await current.next(), {by: 1});
    assert.equal((await current.push("said", {by: 2})).status, "ok");
    assert.deepEqual(await old.next(), {by: 2});
    assert.equal((await current.push("blob", Uint8Array.of(1, 2, 255).buffer)).status, "ok");
    assert.deepEqual(await old.next(), {data: "AQL/", encoding: "base64"});
    assert.deepEqual(Object.keys(alice.messages[0]).sort(), ["event", "payload", "ref", "topic"]);
  });

  for (const [name, kind] of transports) {
    test(`is refused over ${name} in a version that nobody speaks`, async (t) => {
      const alice = phoenixClient(t, server, kind, {vsn: "3.0.0"});
      await alice.errors.next();
      await alice.closed.next();
      assert.equal(alice.socket.establishedConnections, 0);
    });
  }

  for (const [name, kind] of [...transports, ["WebSocket, version 1.7,", webSocket17]]) {
    test(`over ${name} comes back and joins again when it was lost`, async (t) => {
      const wire = await cuttable(t, server.url);
      const alice = phoenixClient(t, wire, kind);
      const room = await alice.join("room:lost", {}, "said");
      for (let round = 0; round < 5; round++) {
        await lose(wire, room.channel);
        assert.equal((await room.push("said", {round})).status, "ok");  // The package keeps it until the channel is joined again.
        assert.deepEqual(await room.next(), {round});
      }
    });
  }

  for (const [name, kind] of transports) {
    test(`over ${name} recovers what it missed, once and in order`, async (t) => {
      const wire = await cuttable(t, server.url);
      const alice = phoenixClient(t, wire, kind, {params: {positions: true}});
      const room = `room:recovered ${name}`;
      let since = null;
      const told = [];
      const {channel} = alice.topic(room, () => ({since}));
      const answers = [];
      channel.on("n", ({n}, ref) => {
        told.push(n);
        since = ref;
      });
      channel.join().receive("ok", (response) => answers.push(response));
      await until(() => answers.length === 1);
      since = {offset: answers[0].offset, epoch: answers[0].epoch};
      let next = 0;
      const ring = () => server.publish(room, "n", {n: next++});
      await ring();
      for (let round = 1; round <= 5; round++) {
        await until(() => told.length === next);
        await lose(wire, channel);
        await ring();
        await ring();
        await until(() => answers.length > round);
        await ring();
      }
      await until(() => told.length >= next);
      assert.deepEqual(told, [...Array(next).keys()]);
      assert.ok(answers.slice(1).every(({recovered}) => recovered === true));
    });
  }

  test("is told when it cannot recover", async (t) => {
    await server.publish("room:forgotten", "n", {n: 1});
    const first = await phoenixClient(t, server, webSocket18).join("room:forgotten", {since: null});
    await server.publish("room:forgotten", "n", {n: 2});
    await server.call("DELETE", "/api/channels/room:forgotten/history");
    await server.publish("room:forgotten", "n", {n: 3});
    const {offset, epoch} = first.response;
    const second = await phoenixClient(t, server, webSocket18).join("room:forgotten", {since: {offset, epoch}});
    assert.equal(second.response.recovered, false);
    assert.notEqual(second.response.epoch, epoch);
  });

  for (const [name, kind] of transports) {
    test(`over ${name} comes back when an operator ended it`, async (t) => {
      const alice = phoenixClient(t, server, kind, {params: {user_id: `ended ${name}`}});
      const room = await alice.join("room:ended");
      const {sessions} = await server.call("GET", "/api/sessions");
      const {id} = sessions.find(({user}) => user === `ended ${name}`);
      await server.call("DELETE", `/api/sessions/${id}?reason=enough`);
      const {code, reason} = await alice.closed.next();
      assert.deepEqual([code, reason], kind.binary ? [1008, "enough"] : [3410, "session_gone"]);
      assert.deepEqual(await room.push("said", {}), {status: "ok", response: {}});
    });
  }
});

describe("phoenix's tokens", () => {
  for (const [name, kind] of transports) {
    test(`say who a client is, over ${name}`, async (t) => {
      const server = await started(t, "--set", `auth.jwt_secrets=${jwtSecret}`);
      const token = await tokenOf("alice", jwtSecret);
      const alice = phoenixClient(t, server, kind, {authToken: token, params: {user_id: "mallory"}});
      const room = await alice.attend("room:tokens");
      await until(() => room.presence.text() === "alice");
      const {sessions} = await server.call("GET", "/api/sessions");
      assert.deepEqual(sessions.map(({user, verified}) => [user, verified]), [["alice", true]]);

      const old = phoenixClient(t, server, kind, {params: {token}});  // As before there was authToken.
      await old.attend("room:tokens");
      await until(() => room.presence.text() === "alice alice");
    });

    test(`are refused over ${name} when they have expired, and taken when new`, async (t) => {
      const server = await started(t, "--set", `auth.jwt_secrets=${jwtSecret}`);
      const tokens = [expiredToken("alice"), "no token at all", await tokenOf("alice", jwtSecret)];
      const alice = phoenixClient(t, server, kind, {authToken: () => tokens.shift()});
      await alice.errors.next();
      await alice.errors.next();
      await alice.opened.next();
      const room = await alice.attend("room:tokens");
      await until(() => room.presence.text() === "alice");
      assert.deepEqual(tokens, []);
    });
  }

  test("are renewed by connecting again when they expire", async (t) => {
    const server = await started(t, "--set", `auth.jwt_secrets=${jwtSecret}`, "--set", "auth.jwt_leeway=0s");
    const tokens = [await tokenOf("alice", jwtSecret, "--ttl", "2s"), await tokenOf("alice", jwtSecret)];
    const alice = phoenixClient(t, server, webSocket18, {authToken: () => tokens.shift()});
    const room = await alice.attend("room:renewed");
    const {code, reason} = await alice.closed.next();
    assert.deepEqual([code, reason], [1008, "token expired"]);
    await until(() => room.channel.state === "joined" && room.presence.text() === "alice");
    assert.deepEqual(tokens, []);
  });
});
