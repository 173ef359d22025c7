// Unchanged clients of several protocols, in front of three servers that are restarted one after the other while somebody publishes.
import assert from "node:assert/strict";
import {once} from "node:events";
import {describe, test} from "node:test";
import {setTimeout as delay} from "node:timers/promises";
import {EventSource} from "eventsource";
import WebSocket from "ws";
import {until} from "./carillon.js";
import {listener} from "./bayeux_client.js";
import {ReplayExtension} from "./bayeux_replay.js";
import {publishing, startCluster} from "./cluster.js";
import {phoenixClient, webSocket18} from "./phoenix_client.js";

const rules = `
[limits]
recover_publications_max = 100000

[[channels]]
match = "**"
publish = "open"
history_count = 100000
`;

// Each gives the numbers that its client has heard so far.
const clients = {
  async native(t, {url}) {
    const heard = [];
    let recover;
    let on = true;
    let socket;
    t.after(() => ((on = false), socket.terminate()));
    const follow = async () => {
      while (on) {
        socket = new WebSocket(url.replace("http:", "ws:") + "/ws");
        socket.on("error", () => {});
        socket.on("open", () => socket.send(JSON.stringify({type: "subscribe", channel: "room:1", recover})));
        socket.on("message", (text) => {
          const message = JSON.parse(text);
          if (message.type === "subscribed") assert.ok(!recover || message.recovered, String(text));
          if (message.type === "subscribed" && !recover) recover = {epoch: message.epoch, offset: message.offset};
          if (message.type !== "event") return;
          recover = {epoch: message.epoch, offset: message.offset};
          heard.push(message.data.number);
        });
        await new Promise((resolve) => socket.on("close", resolve));  // `once` would throw on an error.
        await delay(10);
      }
    };
    follow();
    await until(() => recover);
    return heard;
  },

  async EventSource(t, {url}) {
    const heard = [];
    const source = new EventSource(url + "/api/events?channel=room:1");
    t.after(() => source.close());
    source.onmessage = ({data}) => heard.push(JSON.parse(data).data.number);
    source.addEventListener("reset", () => heard.push("reset"));
    await once(source, "open");
    return heard;
  },

  async phoenix(t, cluster) {
    const heard = [];
    let since = null;
    const client = phoenixClient(t, cluster, webSocket18, {params: {positions: true}, reconnectAfterMs: () => 20, rejoinAfterMs: () => 20});
    const {channel} = client.topic("room:1", () => ({since}));
    channel.on("n", ({number}, ref) => {
      since = ref;
      heard.push(number);
    });
    await new Promise((resolve) => channel.join().receive("ok", ({offset, epoch, recovered}) => {
      if (since && !recovered) heard.push("not recovered");
      since ??= {offset, epoch};
      resolve();
    }));
    return heard;
  },

  async "cometd over WebSocket"(t, cluster) {
    const client = await listener(t, cluster, "/room/1", {transports: ["websocket"], extensions: {replay: new ReplayExtension()}});
    return {
      get length() {
        return client.deliveries("/room/1").length;
      },
      slice: () => client.deliveries("/room/1").map(({data}) => data.number),
    };
  },
};

describe("a rolling restart of three servers", () => {
  test("loses and doubles nothing for clients of four protocols", async (t) => {
    const cluster = await startCluster(t, rules);
    const heard = {};
    for (const [name, begin] of Object.entries(clients)) heard[name] = await begin(t, cluster);
    const told = () => JSON.stringify(Object.entries(heard).map(([name, numbers]) => [name, numbers.length]));
    const publisher = publishing(cluster, "room:1");
    const more = async (some) => {
      const enough = publisher.count + some;
      await until(() => Object.values(heard).every((numbers) => numbers.length >= enough), told, 30_000);
    };
    await more(20);
    for (let index = 0; index < 3; index++) {
      await cluster.restart(index);
      await more(20);
    }
    const count = await publisher.stop();
    await until(() => Object.values(heard).every((numbers) => numbers.length >= count), told, 30_000);
    const all = Array.from({length: count}, (_, number) => number);
    for (const [name, numbers] of Object.entries(heard)) {
    const wrong = numbers.slice().findIndex((number, place) => number !== all[place]);
    const around = wrong < 0 ? [] : numbers.slice().slice(Math.max(wrong - 3, 0), wrong + 5);
    assert.ok(wrong < 0 && numbers.length === count, `${name}: ${numbers.length} of ${count}; wrong at ${wrong}: ${around}`);
  }
  });
});
