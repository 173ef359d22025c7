// The `eventsource` client: hears, and resumes by itself after its connection was dropped.
import assert from "node:assert/strict";
import {after, before, test} from "node:test";
import {EventSource} from "eventsource";
import {cuttable, Heard, startServer} from "./carillon.js";

let server;
before(async () => {
  process.env.CARILLON_SSE_RETRY_MIN = "50ms";  // Else the client would wait seconds before it comes back.
  process.env.CARILLON_SSE_RETRY_MAX = "100ms";
  server = await startServer();
});
after(() => server?.stop());

function listen(t, url) {
  const source = new EventSource(url);
  t.after(() => source.close());
  const heard = new Heard();
  const opened = new Heard();
  source.onopen = () => opened.add(true);
  source.onmessage = (message) => heard.add(JSON.parse(message.data));
  source.addEventListener("reset", () => heard.add("reset"));
  return {heard, opened};
}

test("hears several channels", async (t) => {
  const {heard, opened} = listen(t, `${server.url}/api/events?channel=room:a&channel=${encodeURIComponent("repo:alice/app")}`);
  await opened.next();
  await server.publish("room:a", "said", {text: "two\nlines é🔔"});
  await server.publish("room:b", "said", "unheard");
  await server.publish("repo:alice/app/prs", "pr_opened", 1);
  const [first, second] = await heard.take(2);
  assert.deepEqual([first.channel, first.event, first.data], ["room:a", "said", {text: "two\nlines é🔔"}]);
  assert.deepEqual([second.channel, second.event], ["repo:alice/app/prs", "pr_opened"]);
});

test("resumes after a dropped connection without gap or duplicate", async (t) => {
  const wire = await cuttable(t, server.url);
  const {heard, opened} = listen(t, `${wire.url}/api/events?channel=room:x&channel=room:y`);
  await opened.next();
  const told = {"room:x": [], "room:y": []};
  let next = 0;
  const ring = async () => {
    await server.publish("room:x", "n", next);
    await server.publish("room:y", "n", next++);
  };
  const collect = async (count) => {
    for (const event of await heard.take(count)) told[event.channel].push(event.data);
  };
  await ring();
  await collect(2);
  for (let round = 0; round < 5; round++) {
    wire.cut();
    await ring();
    await ring();  // Told by the resumed stream.
    await opened.next();
    await ring();
    await collect(6);
  }
  const all = [...Array(next).keys()];
  assert.deepEqual(told, {"room:x": all, "room:y": all});
});

test("a removed history is told by a reset", async (t) => {
  const wire = await cuttable(t, server.url);
  const {heard, opened} = listen(t, `${wire.url}/api/events?channel=room:z`);
  await opened.next();
  await server.publish("room:z", "n", 1);
  await heard.next();
  await server.call("DELETE", "/api/channels/room:z/history");
  await server.publish("room:z", "n", 2);
  await heard.next();
  await server.call("DELETE", "/api/channels/room:z/history");
  wire.cut();
  await server.publish("room:z", "n", 3);
  assert.equal(await heard.next(), "reset");
});
