// Unchanged long-poll clients whose every request goes to the next of three servers.
import assert from "node:assert/strict";
import {once} from "node:events";
import http from "node:http";
import {describe, test} from "node:test";
import {listener} from "./bayeux_client.js";
import {until} from "./carillon.js";
import {startCluster} from "./cluster.js";
import {longPoll18, phoenixClient} from "./phoenix_client.js";

const rules = `
[bayeux]
timeout = "2s"

[phoenix]
poll_window = "2s"

[[channels]]
match = "**"
publish = "open"
`;
const count = 60;
const numbers = [...Array(count).keys()];

// Every request to the next server that is there; how many each was sent is in `asked`.
async function roundRobin(t, nodes) {
  let turn = 0;
  const asked = nodes.map(() => 0);
  const proxy = http.createServer(async (request, answer) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const pass = (left) => {
      const index = turn++ % nodes.length;
      const onward = http.request(nodes[index].url + request.url, {method: request.method, headers: request.headers, agent: false}, (response) => {
        asked[index]++;
        answer.writeHead(response.statusCode, response.headers);
        response.on("error", () => answer.destroy());
        response.pipe(answer);
      });
      onward.on("error", (error) => (error.code === "ECONNREFUSED" && left > 0 ? pass(left - 1) : answer.destroy()));
      answer.on("close", () => onward.destroy());
      onward.end(Buffer.concat(chunks));
    };
    pass(nodes.length);
  }).listen(0, "127.0.0.1");
  await once(proxy, "listening");
  t.after(() => (proxy.close(), proxy.closeAllConnections()));
  return {url: `http://127.0.0.1:${proxy.address().port}`, asked};
}

const clients = {
  async cometd(t, proxy) {
    const client = await listener(t, proxy, "/room/1");
    return {
      heard: () => client.deliveries("/room/1").map(({data}) => data.number),
      publish: async (number) => assert.ok((await client.publish("/room/1", {number})).successful),
      handshakes: () => client.handshakes.filter(({successful}) => successful).length,
    };
  },

  async "phoenix LongPoll"(t, proxy) {
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
  },
};

for (const [name, begin] of Object.entries(clients)) {
  describe(`${name}, every request to another of three servers`, () => {
    test("hears everything once and in order, and stays in one session", async (t) => {
      const {nodes} = await startCluster(t, rules);
      const proxy = await roundRobin(t, nodes);
      const client = await begin(t, proxy);
      for (const number of numbers) {
        if (number % 2 === 0) await client.publish(number);
        else await nodes[number % 3].publish("room:1", "n", {number});
      }
      await until(() => client.heard().length >= count, () => JSON.stringify(client.heard()));
      assert.deepEqual(client.heard(), numbers);
      assert.equal(client.handshakes(), 1);
      assert.ok(proxy.asked.every((times) => times > 5), String(proxy.asked));
    });

    test("comes back by itself when the server of its session dies", async (t) => {
      const {nodes} = await startCluster(t, rules);
      const proxy = await roundRobin(t, nodes);
      const client = await begin(t, proxy);
      await nodes[0].publish("room:1", "n", {number: -1});
      await until(() => client.heard().includes(-1));
      // The first request, which began the session, went to the first.
      await nodes[0].kill();
      let number = 0;
      await until(async () => {
        await nodes[1 + (number % 2)].publish("room:1", "n", {number: ++number});
        return client.heard().some((one) => one > 0);
      }, () => JSON.stringify(client.heard()), 20_000);
    });
  });
}
