// Clients of the `phoenix` package live through the end of their server.
import assert from "node:assert/strict";
import {describe, test} from "node:test";
import {until} from "./carillon.js";
import {longPoll18, phoenixClient, startPhoenix, webSocket17, webSocket18} from "./phoenix_client.js";

const kinds = {
  "1.8 over WebSocket": webSocket18,
  "1.7 over WebSocket": webSocket17,
  "1.8 over long-poll": longPoll18,
};

// Two users who see each other, and a server that a test may replace.
async function meeting(t, kind) {
  const place = {server: await startPhoenix()};
  t.after(() => place.server.stop());
  const clients = ["alice", "bob"].map((user) => phoenixClient(t, place.server, kind, {params: {user_id: user}}));
  const rooms = [];
  for (const client of clients) rooms.push(await client.attend("room:meeting"));
  place.replace = async () => (place.server = await startPhoenix("--listen", place.server.address));
  place.complete = () => until(
    () => rooms.every(({channel, presence}) => channel.state === "joined" && presence.text() === "alice bob" && presence.exact() === rooms[0].presence.exact()),
    () => rooms.map(({channel, presence}) => `${channel.state} ${presence.text()}`).join(" | "));
  await place.complete();
  return Object.assign(place, {clients, rooms});
}

for (const [name, kind] of Object.entries(kinds)) {
  describe(`phoenix ${name}`, () => {
    test("comes back after a crash, with everybody present", async (t) => {
      const place = await meeting(t, kind);
      await place.server.kill();
      await until(() => place.rooms.every(({channel}) => channel.state === "errored"));
      await place.replace();
      await place.complete();
      const said = place.rooms[1].channel;
      const heard = new Promise((resolve) => said.on("said", resolve));
      assert.equal((await place.rooms[0].push("said", {text: "back"})).status, "ok");
      assert.deepEqual(await heard, {text: "back"});
    });

    test("comes back after a graceful stop, with everybody present", async (t) => {
      const place = await meeting(t, kind);
      await place.server.stop();
      for (const {closed} of place.clients) {
        const {code} = await closed.next();
        if (kind.binary) assert.equal(code, 1012);
      }
      await place.replace();
      await place.complete();
    });
  });
}
