// Starts the built program for a test and stops it again; shared by the tests of this folder.
import assert from "node:assert/strict";
import {spawn} from "node:child_process";
import {once} from "node:events";
import {fileURLToPath} from "node:url";

const program = process.env.CARILLON_PROGRAM ?? fileURLToPath(new URL("../../build/release/carillon", import.meta.url));

export async function startServer(...options) {
  const child = spawn(program, ["serve", "--memory", "--listen", "127.0.0.1:0", ...options], {
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
    async publish(channel, event, data) {
      return this.call("POST", "/api/publish", {channel, event, data});
    },
    async call(method, path, body) {
      const answer = await fetch(url + path, {method, body: body && JSON.stringify(body), headers: {connection: "close", "content-type": "application/json"}});
      const text = await answer.text();
      assert.ok(answer.ok, `${method} ${path}: ${answer.status} ${text}`);
      return text && JSON.parse(text);
    },
    async stop() {
      child.kill("SIGTERM");
      const timer = setTimeout(() => child.kill("SIGKILL"), 10_000);
      const [code] = await exit;
      clearTimeout(timer);
      assert.equal(code, 0, log);
    },
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
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error("nothing was heard in time")), wait);
      this.#waiting.push((value) => {
        clearTimeout(timer);
        resolve(value);
      });
    });
  }

  async take(count) {
    const values = [];
    while (values.length < count) values.push(await this.next());
    return values;
  }
}
