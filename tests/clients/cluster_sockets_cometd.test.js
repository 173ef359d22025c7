// The `cometd` package over WebSocket, whose connection breaks and comes back at the next of three servers.
import assert from "node:assert/strict";
import {describe, test} from "node:test";
import {AckExtension} from "cometd";
import {listener} from "./bayeux_client.js";
import {until} from "./carillon.js";
import {publishing, startCluster} from "./cluster.js";

const rules = `
[bayeux]
timeout = "2s"

[[channels]]
match = "**"
publish = "open"
`;

describe("cometd, each WebSocket at another of three servers", () => {
  test("hears everything once and in order, and stays in one session", async (t) => {
    const cluster = await startCluster(t, rules);
    const client = await listener(t, cluster, "/room/1", {transports: ["websocket"], extensions: {ack: new AckExtension()}});
    const heard = () => client.deliveries("/room/1").map(({data}) => data.number);
    const publisher = publishing(cluster, "room:1");
    for (let turn = 0; turn < 7; turn++) {
      const enough = publisher.count + 20;
      await until(() => heard().length >= enough, () => `${turn}: ${heard().length} of ${enough}`);
      cluster.cut();
    }
    const count = await publisher.stop();
    await until(() => heard().length >= count, () => `${heard().length} of ${count}`);
    assert.deepEqual(heard(), [...Array(count).keys()]);
    assert.equal(client.handshakes.filter(({successful}) => successful).length, 1);
    assert.ok((await client.publish("/room/1", {number: count})).successful);
    await until(() => heard().at(-1) === count);
  });

  test("comes back by itself when the server of its session dies", async (t) => {
    const cluster = await startCluster(t, rules);
    const client = await listener(t, cluster, "/room/1", {transports: ["websocket"]});
    const before = client.cometd.getClientId();
    cluster.cut();
    await until(() => client.cometd.getStatus() === "connected");
    await cluster.nodes[0].kill();
    let number = 0;
    await until(async () => {
      await cluster.nodes[1 + (number % 2)].publish("room:1", "n", {number: ++number});
      return client.deliveries("/room/1").length > 0;
    }, () => client.cometd.getStatus(), 20_000);
    assert.notEqual(client.cometd.getClientId(), before);
  });
});
