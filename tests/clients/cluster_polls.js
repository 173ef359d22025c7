// What unchanged long-poll clients do, each of whose requests goes to the next of three servers.
import assert from "node:assert/strict";
import {once} from "node:events";
import http from "node:http";
import {describe, test} from "node:test";
import {until} from "./carillon.js";
import {startCluster} from "./cluster.js";

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

// `begin(t, proxy)` gives a client in room:1: what it has heard, how it publishes, how often it had to begin.
export function clusterPollTests(name, begin) {
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
