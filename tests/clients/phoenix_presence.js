// The `phoenix` package's own Presence, whatever its version and transport: everybody knows who is there.
import assert from "node:assert/strict";
import {after, before, test} from "node:test";
import {cuttable, randomFrom, until} from "./carillon.js";
import {phoenixClient, startPhoenix, watchPresence} from "./phoenix_client.js";

export function presenceTests(kind, ...serverOptions) {
  let server;
  before(async () => (server = await startPhoenix(...serverOptions)));
  after(() => server?.stop());
  const client = (t, user) => phoenixClient(t, server, kind, {params: {user_id: user}});
  const attend = (t, user, topic, params) => client(t, user).attend(topic, params);
  const shows = ({presence}, text) => until(() => presence.text() === text, () => `"${presence.text()}", not "${text}"`);

  test("two users see each other come and go", async (t) => {
    const alice = await attend(t, "alice", "room:two");
    await shows(alice, "alice");
    const bob = await attend(t, "bob", "room:two");
    await Promise.all([shows(alice, "alice bob"), shows(bob, "alice bob")]);
    assert.deepEqual((await alice.presence.joins.take(2)).map(({key, before}) => [key, before]), [["alice", 0], ["bob", 0]]);
    assert.equal(alice.presence.exact(), bob.presence.exact());

    bob.channel.leave();
    await shows(alice, "alice");
    const left = await alice.presence.leaves.next();
    assert.deepEqual([left.key, left.remain], ["bob", 0]);
    assert.match(left.metas[0].phx_ref, /./);
  });

  test("who disconnects has left", async (t) => {
    const alice = await attend(t, "alice", "room:gone");
    const bob = client(t, "bob");
    await bob.attend("room:gone");
    await shows(alice, "alice bob");
    bob.socket.disconnect();
    await shows(alice, "alice");
    assert.equal((await alice.presence.leaves.next()).key, "bob");
  });

  test("two tabs of one user are one key with two metas", async (t) => {
    const first = await attend(t, "alice", "room:tabs", {presence: {meta: {tab: 1}}});
    await shows(first, "alice");
    const second = client(t, "alice");
    const tab = await second.attend("room:tabs", {presence: {meta: {tab: 2}}});
    await Promise.all([shows(first, "alice alice"), shows(tab, "alice alice")]);
    assert.deepEqual(first.presence.list().alice.map(({tab}) => tab).sort(), [1, 2]);
    assert.equal(new Set(first.presence.list().alice.map(({phx_ref}) => phx_ref)).size, 2);
    assert.deepEqual((await first.presence.joins.take(2)).map(({key, before}) => [key, before]), [["alice", 0], ["alice", 1]]);

    second.socket.disconnect();
    await shows(first, "alice");
    assert.deepEqual(first.presence.list().alice.map(({tab}) => tab), [1]);
    assert.equal((await first.presence.leaves.next()).remain, 1);
  });

  test("a new meta comes as one diff, in which nobody is gone", async (t) => {
    const [alice, bob] = [await attend(t, "alice", "room:meta", {presence: {meta: {mood: "calm"}}}), await attend(t, "bob", "room:meta")];
    await Promise.all([shows(alice, "alice bob"), shows(bob, "alice bob")]);
    const ref = bob.presence.list().alice[0].phx_ref;
    const diffs = [];
    bob.channel.on("presence_diff", (diff) => diffs.push(structuredClone(diff)));
    const syncs = bob.presence.syncs.length;
    for (const mood of ["glad", "merry"]) assert.deepEqual(await alice.push("presence_update", {mood}), {status: "ok", response: {}});
    await until(() => bob.presence.list().alice?.[0].mood === "merry");

    assert.ok(bob.presence.syncs.slice(syncs).every((list) => list.alice?.length === 1 && list.bob?.length === 1));
    assert.deepEqual([Object.keys(diffs[0].joins), Object.keys(diffs[0].leaves)], [["alice"], ["alice"]]);
    assert.equal(diffs[0].leaves.alice.metas[0].phx_ref, ref);
    assert.equal(diffs[0].joins.alice.metas[0].phx_ref_prev, ref);
    assert.notEqual(diffs[0].joins.alice.metas[0].phx_ref, ref);
    await until(() => alice.presence.exact() === bob.presence.exact());
  });

  test("keys may be any name", async (t) => {
    const users = ["__proto__", "constructor", "é 🔔", "a\"b\\c", "7"];
    const attending = [];
    for (const user of users) attending.push(await attend(t, user, "room:names"));
    const names = [...users].sort().join(" ");
    for (const {presence} of attending) {
      await until(() => presence.text() === names, () => presence.text());
    }
  });

  test("nobody is present where no rule says so", async (t) => {
    const alice = client(t, "alice");
    await alice.join("others:absent", {}, "said");
    await server.publish("others:absent", "said", {});
    await until(() => alice.messages.some(({event}) => event === "said"));
    assert.ok(alice.messages.every(({event}) => !event.startsWith("presence_")));
  });

  // Three clients come and go as the seed says, over wires that break; whenever they are left in peace, those who are there see
  // the same, and exactly those who are there.
  test("after any story everybody sees who is there", async (t) => {
    const seed = Number(process.env.CARILLON_CLIENTS_SEED ?? Math.floor(Math.random() * 2 ** 31));
    t.diagnostic(`CARILLON_CLIENTS_SEED=${seed}`);
    const random = randomFrom(seed);
    const people = await Promise.all(["alice", "alice", "bob"].map((user) => Person.on(t, server, kind, user)));
    const story = [];
    const told = () => `seed ${seed}: ${story.join(", ")}: ${people.map((person) => person.told()).join(" | ")}`;
    const there = () => people.filter((person) => person.joined);
    const names = () => there().map(({user}) => user);
    for (let round = 0; round < 12; round++) {
      for (let steps = 1 + random(4); steps > 0; steps--) {
        const who = random(people.length);
        const possible = people[who].possible();
        const step = possible[random(possible.length)];
        story.push(`${who} ${step}`);
        people[who][step]();
        if (random(2)) await people[who].settled(told);
      }
      story.push("peace");
      await Promise.all(people.map((person) => person.settled(told)));
      const text = names().sort().join(" ");
      await until(() => there().every(({presence}) => presence.text() === text && presence.exact() === there()[0].presence.exact()), told);
    }
    const observer = await attend(t, "observer", "room:story");
    await shows(observer, [...names(), "observer"].sort().join(" "));

    for (const {socket} of people.map(({client}) => client)) socket.disconnect();
    await shows(observer, "observer");
    const sessions = async () => (await server.call("GET", "/api/sessions")).sessions.map(({user}) => user);
    await until(async () => (await sessions()).join() === "observer");
  });
}

// Who comes and goes, on a wire of their own.
class Person {
  online = true;
  joined = false;  // Or will be, when the connection stands again.
  #back = false;   // Joined when it disconnected.

  static async on(t, server, kind, user) {
    const person = new Person();
    person.wire = await cuttable(t, server.url);
    person.client = phoenixClient(t, person.wire, kind, {params: {user_id: user}});
    person.user = user;
    return person;
  }

  possible() {
    if (!this.online) return ["connect"];
    return [this.joined ? "leave" : "join", "disconnect", "drop"];
  }

  join() {
    this.channel = this.client.socket.channel("room:story");
    this.presence = watchPresence(this.client.library, this.channel);
    this.channel.join();
    this.joined = true;
  }

  leave() {
    this.channel.leave();
    this.joined = false;
  }

  disconnect() {
    this.client.socket.disconnect();
    this.online = false;
    this.#back = this.joined;
    this.joined = false;
  }

  // The package joins again what was joined before.
  connect() {
    this.client.socket.connect();
    this.online = true;
    this.joined = this.#back;
  }

  // The connection is lost; the package comes back by itself.
  drop() {
    this.wire.cut();
  }

  settled(told) {
    const {socket} = this.client;
    if (!this.online) return until(() => !socket.isConnected(), told);
    return until(() => socket.isConnected() && (!this.joined || this.channel.state === "joined"), told);
  }

  told() {
    const connection = this.online ? this.client.socket.connectionState() : "offline";
    return `${this.user} ${connection} ${this.joined ? this.channel.state : "out"} sees "${this.presence?.text() ?? ""}"`;
  }
}
