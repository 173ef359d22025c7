// The `cometd` package over long-polling, in front of three servers in turn.
import assert from "node:assert/strict";
import {listener} from "./bayeux_client.js";
import {clusterPollTests} from "./cluster_polls.js";

clusterPollTests("cometd", async (t, proxy) => {
  const client = await listener(t, proxy, "/room/1");
  return {
    heard: () => client.deliveries("/room/1").map(({data}) => data.number),
    publish: async (number) => assert.ok((await client.publish("/room/1", {number})).successful),
    handshakes: () => client.handshakes.filter(({successful}) => successful).length,
  };
});
