// Several servers over one real Redis, and a balancer in front of them; all gone when the test ends.
import assert from "node:assert/strict";
import {spawn} from "node:child_process";
import {once} from "node:events";
import {mkdtemp, rm, writeFile} from "node:fs/promises";
import net from "node:net";
import {tmpdir} from "node:os";
import path from "node:path";
import {setTimeout as delay} from "node:timers/promises";
import {startServer, until} from "./carillon.js";

async function freePort() {
  const probe = net.createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const {port} = probe.address();
  probe.close();
  await once(probe, "close");
  return port;
}

const reachable = (port) => new Promise((resolve) => {
  const socket = net.connect(port, "127.0.0.1");
  socket.on("connect", () => (socket.destroy(), resolve(true)));
  socket.on("error", () => resolve(false));
});

async function startRedis(directory) {
  const port = await freePort();
  const child = spawn("redis-server", ["--port", String(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", directory], {stdio: "ignore"});
  const exit = once(child, "exit");
  await until(() => (assert.equal(child.exitCode, null, "redis-server did not start"), reachable(port)));
  return {url: `redis://127.0.0.1:${port}`, end: async () => (child.kill("SIGKILL"), exit)};
}

// `nodes[i]` is a server as startServer gives it; `restart(i)` ends it gracefully and starts another at its address; `cut` breaks every
// connection through the balancer, which is at `url`.
export async function startCluster(t, toml, {count = 3, options = []} = {}) {
  const directory = await mkdtemp(path.join(tmpdir(), "carillon-cluster-"));
  const file = path.join(directory, "carillon.toml");
  await writeFile(file, toml);
  const redis = await startRedis(directory);
  const start = (...more) => startServer("--config", file, "--redis", redis.url, "--loops", "1", ...options, ...more);
  const nodes = [];
  t.after(async () => {
    await Promise.all(nodes.map((node) => node.kill()));
    await redis.end();
    await rm(directory, {recursive: true, force: true});
  });
  for (let number = 0; number < count; number++) nodes.push(await start());
  const restart = async (index) => {
    const {address} = nodes[index];
    await nodes[index].stop();
    nodes[index] = await start("--listen", address);
  };
  return {nodes, redis, restart, ...(await balance(t, nodes))};
}

// Each new connection goes to the next server that takes it; `cut` breaks them all.
async function balance(t, nodes) {
  let turn = 0;
  const sockets = new Set();
  const connect = (left) => new Promise((resolve) => {
    const {hostname, port} = new URL(nodes[turn++ % nodes.length].url);
    const onward = net.connect(Number(port), hostname);
    onward.once("connect", () => resolve(onward));
    onward.once("error", () => resolve(left > 0 ? connect(left - 1) : null));
  });
  const balancer = net.createServer(async (client) => {
    client.on("error", () => {});
    const onward = await connect(nodes.length);
    if (onward === null) return client.destroy();
    for (const socket of [client, onward]) {
      sockets.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => {
        sockets.delete(socket);
        client.destroy();
        onward.destroy();
      });
    }
    client.pipe(onward).pipe(client);
  });
  balancer.listen(0, "127.0.0.1");
  await once(balancer, "listening");
  const cut = () => sockets.forEach((socket) => socket.destroy());
  t.after(() => {
    cut();
    balancer.close();
  });
  return {url: `http://127.0.0.1:${balancer.address().port}`, cut};
}

// Publishes numbers by HTTP at one server after the other, each until one has answered; `stop` gives how many there were.
export function publishing(cluster, channel) {
  let on = true;
  let count = 0;
  const ended = (async () => {
    for (; on; count++) {
      for (let turn = count; ; turn++) {
        try {
          const node = cluster.nodes[turn % cluster.nodes.length];
          await node.call("POST", "/api/publish", {channel, event: "n", data: {number: count}, idempotency_key: `n${count}`});
          break;
        } catch {
          await delay(5);  // It is being restarted.
        }
      }
    }
  })();
  return {
    get count() {
      return count;
    },
    async stop() {
      on = false;
      await ended;
      return count;
    },
  };
}
