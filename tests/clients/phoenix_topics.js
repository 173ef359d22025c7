// What every client of the `phoenix` package finds, whatever its version and transport: topics, pushes, broadcasts.
import assert from "node:assert/strict";
import {readFile} from "node:fs/promises";
import {after, before, test} from "node:test";
import {EventSource} from "eventsource";
import WebSocket from "ws";
import {Heard, until} from "./carillon.js";
import {answered, phoenixClient, startPhoenix} from "./phoenix_client.js";

export function topicTests(kind) {
  let server;
  before(async () => (server = await startPhoenix()));
  after(() => server?.stop());
  const client = (t, options) => phoenixClient(t, server, kind, options);

  test("joins, pushes, and has each answered", async (t) => {
    const alice = client(t);
    const room = await alice.join("room:join", {color: "green", deep: [{é: "🔔"}]}, "said");
    assert.deepEqual(room.response, {});
    assert.deepEqual(await room.push("said", {text: "é🔔"}), {status: "ok", response: {}});
    assert.deepEqual(await room.next(), {text: "é🔔"});
  });

  test("hears its own push before the push's answer", async (t) => {
    const room = await client(t).join("room:own");
    const order = [];
    room.channel.on("said", () => order.push("event"));
    await room.push("said", {}).then(() => order.push("answer"));
    assert.deepEqual(order, ["event", "answer"]);
  });

  test("does not hear its own push where a rule says so", async (t) => {
    const [alice, bob] = await Promise.all([client(t), client(t)].map((one) => one.join("others:a", {}, "said")));
    assert.equal((await alice.push("said", {by: "alice"})).status, "ok");
    assert.equal((await bob.push("said", {by: "bob"})).status, "ok");
    assert.deepEqual(await alice.next(), {by: "bob"});
    assert.deepEqual(await bob.next(), {by: "alice"});
  });

  test("is told why it may not join", async (t) => {
    const alice = client(t);
    for (const [topic, reason] of [["closed:a", "unauthorized"], ["repo:without-owner", "unmatched topic"], ["phoenix", "unmatched topic"]]) {
      const {status, response} = await answered(alice.topic(topic).channel.join());
      assert.deepEqual([topic, status, response.reason], [topic, "error", reason]);
    }
    await alice.join("room:allowed");
  });

  test("is told why it may not push, and stays joined", async (t) => {
    const room = await client(t).join("read:a");
    for (let times = 0; times < 2; times++) {  // The second would be refused as unmatched, had the first ended the join.
      const {status, response} = await room.push("said", {});
      assert.deepEqual([status, response.reason], ["error", "unauthorized"]);
    }
  });

  test("joins a hundred topics and no more", async (t) => {
    const alice = client(t);
    const joins = [...Array(101).keys()].map((number) => answered(alice.topic(`many:${number}`).channel.join()));
    const outcomes = await Promise.all(joins);
    assert.deepEqual(outcomes.slice(0, 100), Array(100).fill({status: "ok", response: {}}));
    assert.deepEqual([outcomes[100].status, outcomes[100].response.reason], ["error", "too many channels joined"]);
  });

  test("keeps the order of a thousand pushes", async (t) => {
    const [alice, bob] = await Promise.all([client(t), client(t)].map((one) => one.join("room:order", {}, "n")));
    const numbers = [...Array(1000).keys()];
    const answers = Promise.all(numbers.map((n) => alice.push("n", {n})));
    for (const hearer of [alice, bob]) assert.deepEqual((await hearer.heard.take(1000)).map(({payload}) => payload.n), numbers);
    assert.ok((await answers).every(({status}) => status === "ok"));
  });

  test("hears what the backend publishes, by its event", async (t) => {
    const room = await client(t).join("room:api", {}, "said", "count", "message");
    await server.publish("room:api", "said", {text: "hello"});
    await server.publish("room:api", "count", 7);  // What is no object is wrapped into one.
    await server.publish("room:api", "count", [1, null]);
    await server.publish("room:api", "phx_close", {});  // Would end the channel, were it told so.
    await server.publish("room:api", "said", {text: "still here"});
    assert.deepEqual((await room.heard.take(5)).map(({event, payload}) => [event, payload]), [
      ["said", {text: "hello"}],
      ["count", {data: 7}],
      ["count", {data: [1, null]}],
      ["message", {event: "phx_close", data: {}}],
      ["said", {text: "still here"}],
    ]);
    assert.equal(room.channel.state, "joined");
  });

  test("hears a webhook of GitHub", async (t) => {
    const repository = await client(t).join("repo:alice/app", {}, "push");
    const body = await readFile(new URL("../../examples/github_push.json", import.meta.url));
    const answer = await fetch(server.url + "/webhooks/github", {
      method: "POST",
      headers: {"content-type": "application/json", "x-github-event": "push", connection: "close"},
      body,
    });
    assert.equal(answer.status, 202);
    const data = await repository.next();
    assert.deepEqual([data.ref, data.repository.full_name, data.source], ["refs/heads/main", "alice/app", "github"]);
    assert.equal(data.commits[0].message, "Ring the bells");
  });

  test("is heard by a native client and an event stream", async (t) => {
    const room = await client(t).join("room:mixed");
    const heard = new Heard();
    const native = new WebSocket(server.wsUrl);
    t.after(() => native.terminate());
    native.on("message", (bytes) => heard.add(JSON.parse(bytes)));
    native.on("open", () => native.send(JSON.stringify({type: "subscribe", channel: "room:mixed"})));
    assert.equal((await heard.next()).type, "subscribed");
    const streamed = new Heard();
    const stream = new EventSource(`${server.url}/api/events?channel=room:mixed`);
    t.after(() => stream.close());
    stream.onmessage = (message) => streamed.add(JSON.parse(message.data));
    const subscribed = ({protocol, subscriptions}) => protocol === "sse" && subscriptions === 1;
    await until(async () => (await server.call("GET", "/api/sessions")).sessions.some(subscribed));

    await room.push("said", {text: "to all"});
    for (const {channel, event, data} of [await heard.next(), await streamed.next()]) {
      assert.deepEqual([channel, event, data], ["room:mixed", "said", {text: "to all"}]);
    }
  });

  test("sends and hears bytes", async (t) => {
    const [alice, bob] = await Promise.all([client(t), client(t)].map((one) => one.join("others:bytes", {}, "blob", "text")));
    const bytes = Uint8Array.from({length: 70_000}, (_, at) => (at * 7) & 255);
    for (const size of [0, 1, 70_000]) assert.equal((await alice.push("blob", bytes.slice(0, size).buffer)).status, "ok");
    await alice.push("text", {after: "bytes"});
    const heard = await bob.heard.take(4);
    for (const [at, size] of [0, 1, 70_000].entries()) {
      const {payload} = heard[at];
      const data = kind.binary ? Buffer.from(payload) : Buffer.from(payload.data, payload.encoding);
      assert.deepEqual(data, Buffer.from(bytes.slice(0, size)));
    }
    assert.deepEqual(heard[3].payload, {after: "bytes"});
  });

  test("leaves, and nothing comes any more", async (t) => {
    const alice = client(t);
    const [left, fence] = [await alice.join("room:left", {}, "said"), await alice.join("room:fence", {}, "said")];
    left.channel.leave();  // Which the package takes as done before the server knows of it.
    const said = () => alice.messages.filter(({topic, event}) => topic === "room:left" && !event.startsWith("presence_"));
    await until(() => said().some(({event}) => event === "phx_close"));
    await server.publish("room:left", "said", {});
    await server.publish("room:fence", "said", {});
    await fence.next();
    assert.deepEqual(said().map(({event, payload}) => [event, payload]), [
      ["phx_reply", {status: "ok", response: {}}],
      ["phx_reply", {status: "ok", response: {}}],
      ["phx_close", {}],
    ]);

    const again = await alice.join("room:left", {}, "said");
    await server.publish("room:left", "said", {again: true});
    assert.deepEqual(await again.next(), {again: true});
  });

  test("a second channel of the same topic takes the first one's place", async (t) => {
    const alice = client(t);
    const first = await alice.join("room:twice", {}, "said");
    const second = await alice.join("room:twice", {}, "said");
    assert.equal(first.channel.state, "closed");
    await server.publish("room:twice", "said", {});
    await second.next();
    assert.equal(second.channel.state, "joined");
  });

  test("a join of a joined topic closes the channel that was there", async (t) => {
    const alice = client(t);
    alice.socket.leaveOpenTopic = () => {};  // As from a client that does not tidy up by itself.
    const first = await alice.join("room:thrice", {}, "said");
    const closed = new Promise((resolve) => first.channel.onClose(resolve));
    const firstRef = first.channel.joinPush.ref;
    const second = await alice.join("room:thrice", {}, "said");
    await closed;
    assert.equal(alice.messages.find(({event}) => event === "phx_close").join_ref, firstRef);
    assert.equal(second.channel.state, "joined");
    await server.publish("room:thrice", "said", {});
    await second.next();
  });

  test("many clients hear each other", async (t) => {
    const rooms = await Promise.all([...Array(20)].map(() => client(t).join("room:crowd", {}, "hello")));
    await Promise.all(rooms.map((room, from) => room.push("hello", {from})));
    const told = await Promise.all(rooms.map((room) => room.heard.take(20)));
    for (const hellos of told) assert.deepEqual(hellos, told[0]);
    assert.deepEqual(told[0].map(({payload}) => payload.from).sort((a, b) => a - b), [...Array(20).keys()]);
  });
}
