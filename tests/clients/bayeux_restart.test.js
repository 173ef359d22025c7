// Clients of the `cometd` package that recover by position when their server was killed and comes back on the same directory.
import assert from "node:assert/strict";
import {mkdtemp, rm} from "node:fs/promises";
import {tmpdir} from "node:os";
import path from "node:path";
import {describe, test} from "node:test";
import {setTimeout as delay} from "node:timers/promises";
import {AckExtension} from "cometd";
import {startConfigured, until} from "./carillon.js";
import {listener} from "./bayeux_client.js";
import {ReplayExtension} from "./bayeux_replay.js";

const rules = `
[limits]
recover_publications_max = 100000

[[channels]]
match = "**"
history_count = 100000
`;

// A server on a directory of its own; `crash` kills it and starts it again there.
async function durable(t) {
  const data = await mkdtemp(path.join(tmpdir(), "carillon-clients-"));
  const options = ["--data", data, "--loops", "2"];
  const place = {server: await startConfigured(rules, ...options)};
  t.after(async () => {
    await place.server.stop();
    await rm(data, {recursive: true});
  });
  place.crash = async () => {
    await place.server.kill();
    place.server = await startConfigured(rules, "--listen", place.server.address, ...options);
  };
  return place;
}

// Publishes numbers by HTTP, one after the other, whether the server is there or not. `stop` gives those that were answered: of the others
// nobody knows.
function publisher(place, channel) {
  let on = true;
  const answered = [];
  const ended = (async () => {
    for (let number = 0; on; number++) {
      try {
        await place.server.publish(channel, "n", number);
        answered.push(number);
      } catch (error) {
        if (error.code === "ERR_ASSERTION") throw error;
        await delay(1);  // Nobody listens.
      }
    }
  })();
  return async () => {
    on = false;
    await ended;
    return answered;
  };
}

for (const transport of ["long-polling", "websocket"]) {
  describe(`cometd over ${transport}`, () => {
    for (const [name, more] of [["", {}], [" and acknowledges", {ack: new AckExtension()}]]) {
      test(`that replays${name} misses and repeats nothing when the server is killed, and killed again`, async (t) => {
        const place = await durable(t);
        const replay = new ReplayExtension();
        const client = await listener(t, place.server, "/room/replay", {transports: [transport], extensions: {replay, ...more}});
        const beside = await listener(t, place.server, "/room/**", {transports: [transport], extensions: {replay: new ReplayExtension()}});
        const both = [client, beside];
        const stop = publisher(place, "room:replay");
        const count = (who) => who.deliveries("/room/replay").length;
        const hearMore = async () => {
          const heard = both.map(count);
          await until(() => both.every((who, index) => count(who) >= heard[index] + 20), () => both.map(count).join(" "));
        };
        await hearMore();
        for (let round = 0; round < 3; round++) {
          await place.crash();
          await hearMore();
        }
        const answered = await stop();
        for (const who of both) {
          const data = () => who.deliveries("/room/replay").map(({data}) => data);
          await until(() => data().at(-1) >= answered.at(-1), () => `${data().at(-1)} of ${answered.at(-1)}`);
          const heard = data();
          assert.deepEqual(heard, [...new Set(heard)].sort((a, b) => a - b), "in order, once");
          const there = new Set(heard);
          assert.deepEqual(answered.filter((number) => !there.has(number)), [], "nothing is missing");
          const told = who.received.filter(({channel, ext}) => channel === "/meta/subscribe" && ext?.replay).map(({ext}) => Object.values(ext.replay)[0].recovered);
          assert.equal(told[0], false);
          assert.ok(told.length >= 4 && told.slice(1).every((recovered) => recovered), told.join(" "));
        }
      });
    }
  });
}
