// The `phoenix` package over long-poll, in front of three servers in turn.
import assert from "node:assert/strict";
import {clusterPollTests} from "./cluster_polls.js";
import {longPoll18, phoenixClient} from "./phoenix_client.js";

clusterPollTests("phoenix LongPoll", async (t, proxy) => {
  const client = phoenixClient(t, proxy, longPoll18, {reconnectAfterMs: () => 50, rejoinAfterMs: () => 50});
  const heard = [];
  let opened = 0;
  client.socket.onOpen(() => opened++);
  const room = client.topic("room:1");
  room.channel.on("n", ({number}) => heard.push(number));
  await room.join();
  return {
    heard: () => heard,
    publish: async (number) => assert.equal((await room.push("n", {number})).status, "ok"),
    handshakes: () => opened,
  };
});
