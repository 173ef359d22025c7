// infotainer's protocol with another's CBOR: `ws` and `cbor-x`, which writes what serde_cbor's clients write.
import assert from "node:assert/strict";
import {randomBytes, randomUUID} from "node:crypto";
import {once} from "node:events";
import {after, before, test} from "node:test";
import {Encoder} from "cbor-x";
import WebSocket from "ws";
import {Heard, startServer} from "./carillon.js";

// Plain RFC 8949: no records, no tags of its own.
const cbor = new Encoder({useRecords: false, mapsAsObjects: true, variableMapSize: true, tagUint8Array: false});

let server;
before(async () => (server = await startServer()));
after(() => server?.stop());

const bytesOf = (uuid) => Buffer.from(uuid.replaceAll("-", ""), "hex");

async function connect({session = randomUUID(), query = "", ...options} = {}) {
  const socket = new WebSocket(`${server.wsUrl}/${session}${query}`, options);
  const heard = new Heard();
  socket.on("message", (bytes, isBinary) => heard.add(isBinary ? cbor.decode(bytes) : bytes.toString()));
  await once(socket, "open");
  return {
    socket,
    session,
    say: (variant, fields) => socket.send(cbor.encode({[variant]: fields})),
    async hear(variant) {
      const message = await heard.next();
      assert.deepEqual(Object.keys(message), [variant], String(message[variant]?.message ?? message));
      return message[variant];
    },
    async leave() {
      socket.close(1000);
      await once(socket, "close");
    },
  };
}

test("a publication is told of, indexed and fetched", async () => {
  const log = bytesOf(randomUUID());
  const [publisher, listener] = [await connect(), await connect()];
  listener.say("Subscribe", {subscription_id: log});
  listener.say("GetLogEntries", {log_id: log, entries: []});
  assert.deepEqual(await listener.hear("LogEntry"), []);
  const body = randomBytes(1000);
  publisher.say("SubmitPublication", {subscription_id: log, submission: [...body]});
  const [subscription, publication] = await listener.hear("Issue");
  assert.deepEqual(Buffer.from(subscription), log);
  listener.say("GetLogIndex", {log_id: log});
  const [indexed, ids] = await listener.hear("LogIndex");
  assert.deepEqual(Buffer.from(indexed), log);
  assert.deepEqual(ids, [publication]);
  listener.say("GetLogEntries", {log_id: log, entries: ids});
  const [entry] = await listener.hear("LogEntry");
  assert.deepEqual(Buffer.from(entry.data), body);
  assert.deepEqual(entry.publication_id, publication);
  await Promise.all([publisher.leave(), listener.leave()]);
});

test("a byte string is taken, over a compressed connection too", async () => {
  const log = bytesOf(randomUUID());
  const client = await connect({perMessageDeflate: {threshold: 0}});
  assert.ok(client.socket.extensions.includes("permessage-deflate"));
  client.say("Subscribe", {subscription_id: log});
  client.say("SubmitPublication", {subscription_id: log, submission: Buffer.alloc(5000, "x")});
  const [, publication] = await client.hear("Issue");
  client.say("GetLogEntries", {log_id: log, entries: [publication]});
  assert.equal(Buffer.from((await client.hear("LogEntry"))[0].data).toString(), "x".repeat(5000));
  await client.leave();
});

test("version 2 answers, and catches up", async () => {
  const log = bytesOf(randomUUID());
  const publisher = await connect({query: "?v=2"});
  let client = await connect({query: "?v=2&bodies=inline"});
  assert.equal((await client.hear("Hello")).version, 2);
  await publisher.hear("Hello");
  client.say("Subscribe", {subscription_id: log, request_id: "s"});
  const subscribed = await client.hear("Subscribed");
  assert.equal(subscribed.request_id, "s");
  assert.equal(subscribed.created, true);
  await client.leave();
  for (const item of [{n: 1, list: [true, null, 1.5]}, "text"]) {
    publisher.say("SubmitPublication", {subscription_id: log, submission: item, format: "cbor", request_id: 1});
    assert.equal((await publisher.hear("Published")).repeated, false);
  }
  publisher.say("GetLogIndex", {log_id: log, reverse: true, limit: 1, request_id: 2});
  const index = await publisher.hear("LogIndex");
  assert.equal(index.entries.length, 1);
  assert.equal(index.more, true);
  assert.equal(index.entries[0].offset, 2);
  client = await connect({session: client.session, query: "?v=2&bodies=inline"});
  assert.equal((await client.hear("Hello")).subscriptions, 1);
  assert.equal((await client.hear("Resumed")).lost, false);
  assert.deepEqual((await client.hear("Issue")).data, {n: 1, list: [true, null, 1.5]});
  assert.equal((await client.hear("Issue")).data, "text");
  client.say("Subscribe", {subscription_id: "no bytes", request_id: 3});
  const error = await client.hear("Error");
  assert.deepEqual([error.request_id, error.code, error.message], [3, "invalid", 'invalid type: string "no bytes", expected bytes']);
  await Promise.all([publisher.leave(), client.leave()]);
});

test("topics are created, watched and deleted", async () => {
  const client = await connect({query: "?v=2"});
  await client.hear("Hello");
  client.say("WatchTopics", {});
  assert.equal((await client.hear("WatchingTopics")).watching, true);
  const topic = await server.call("POST", "/api/topics", {name: "by http"});
  const told = await client.hear("TopicChanged");
  assert.deepEqual([told.change, told.name], ["created", "by http"]);
  assert.deepEqual(Buffer.from(told.topic_id), bytesOf(topic.id));
  await server.call("DELETE", `/api/topics/${topic.id}`);
  assert.equal((await client.hear("TopicChanged")).change, "removed");
  await client.leave();
});

test("the newest connection has the session", async () => {
  const log = bytesOf(randomUUID());
  const first = await connect();
  const closed = once(first.socket, "close");
  const second = await connect({session: first.session});
  const [code, reason] = await closed;
  assert.deepEqual([code, reason.toString()], [4001, "the session goes on in another connection"]);
  second.say("Subscribe", {subscription_id: log});
  second.say("SubmitPublication", {subscription_id: log, submission: [1]});
  await second.hear("Issue");
  await second.leave();
});
