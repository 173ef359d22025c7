// Starts the built program for a test and stops it again; shared by the tests of this folder. It keeps nothing on a disk, but with
// `--data` or `--redis` among the options.
import assert from "node:assert/strict";
import {spawn} from "node:child_process";
import {once} from "node:events";
import {mkdtemp, rm, writeFile} from "node:fs/promises";
import net from "node:net";
import {tmpdir} from "node:os";
import path from "node:path";
import {setTimeout as delay} from "node:timers/promises";
import {fileURLToPath} from "node:url";

export const program = process.env.CARILLON_PROGRAM ?? fileURLToPath(new URL("../../build/release/carillon", import.meta.url));

export async function startServer(...options) {
  const where = options.includes("--listen") ? [] : ["--listen", "127.0.0.1:0"];
  const memory = options.includes("--data") || options.includes("--redis") ? [] : ["--memory"];
  const child = spawn(program, ["serve", ...memory, ...where, ...options], {
    stdio: ["ignore", "pipe", "pipe"],
    env: {...process.env, CARILLON_SERVER_DRAIN_TIME: "100ms"},
  });
  let log = "";
  child.stderr.on("data", (bytes) => (log += bytes));
  const exit = once(child, "exit");
  const url = await new Promise((resolve, reject) => {
    let out = "";
    child.stdout.on("data", (bytes) => {
      out += bytes;
      const found = /^listening on (http:\S+)$/m.exec(out);
      if (found) resolve(found[1]);
    });
    exit.then(([code]) => reject(new Error(`the server ended with ${code}:\n${log}`)));
    child.on("error", reject);
  });
  return {
    url,
    wsUrl: url.replace("http:", "ws:") + "/ws",
    address: new URL(url).host,
    async publish(channel, event, data) {
      return this.call("POST", "/api/publish", {channel, event, data});
    },
    async call(method, path, body) {
      const answer = await fetch(url + path, {method, body: body && JSON.stringify(body), headers: {connection: "close", "content-type": "application/json"}});
      const text = await answer.text();
      assert.ok(answer.ok, `${method} ${path}: ${answer.status} ${text}`);
      return text && JSON.parse(text);
    },
    ...endings(child, exit, () => log),
  };
}

// How a program ends: asked to, with status 0, or killed. `exit`: once(child, "exit").
export function endings(child, exit, log) {
  return {
    async stop() {
      child.kill("SIGTERM");
      const timer = setTimeout(() => child.kill("SIGKILL"), 10_000);
      const [code] = await exit;
      clearTimeout(timer);
      assert.equal(code, 0, log());
    },
    async kill() {
      child.kill("SIGKILL");
      await exit;
    },
  };
}

// With a configuration file, which is gone again when the server listens.
export async function startConfigured(toml, ...options) {
  const directory = await mkdtemp(path.join(tmpdir(), "carillon-clients-"));
  try {
    const file = path.join(directory, "carillon.toml");
    await writeFile(file, toml);
    return await startServer("--config", file, ...options);
  } finally {
    await rm(directory, {recursive: true});
  }
}

// A wire between client and server that can be cut.
export async function cuttable(t, to) {
  const {hostname, port} = new URL(to);
  const sockets = new Set();
  const proxy = net.createServer((client) => {
    const upstream = net.connect(Number(port), hostname);
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => {
        sockets.delete(socket);
        client.destroy();
        upstream.destroy();
      });
    }
    client.pipe(upstream).pipe(client);
  });
  proxy.listen(0, "127.0.0.1");
  await once(proxy, "listening");
  const cut = () => sockets.forEach((socket) => socket.destroy());
  t.after(() => {
    cut();
    proxy.close();
  });
  return {url: `http://127.0.0.1:${proxy.address().port}`, cut};
}

// Waits until `holds` does; `told` says what was there instead.
export async function until(holds, told = () => "", wait = 10_000) {
  const deadline = Date.now() + wait;
  while (!(await holds())) {
    if (Date.now() > deadline) assert.fail(`in ${wait} ms it did not come true that ${holds}: ${told()}`);
    await delay(5);
  }
}

// mulberry32: the same numbers from the same seed.
export function randomFrom(seed) {
  return (below) => {
    seed = (seed + 0x6d2b79f5) | 0;
    let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

// Messages of an emitter as promises: `next()` waits for one, at most `wait` milliseconds.
export class Heard {
  #queue = [];
  #waiting = [];

  add(value) {
    const waiting = this.#waiting.shift();
    if (waiting) waiting(value);
    else this.#queue.push(value);
  }

  next(wait = 10_000) {
    if (this.#queue.length) return Promise.resolve(this.#queue.shift());
    const late = new Error("nothing was heard in time");  // Made here, so that it says who waited.
    return new Promise((resolve, reject) => {
      const waiting = (value) => {
        clearTimeout(timer);
        resolve(value);
      };
      const timer = setTimeout(() => {
        this.#waiting.splice(this.#waiting.indexOf(waiting), 1);
        reject(late);
      }, wait);
      this.#waiting.push(waiting);
    });
  }

  async take(count) {
    const values = [];
    while (values.length < count) values.push(await this.next());
    return values;
  }
}
