// The `phoenix` package's Socket, Channel and Presence with ears that a test can wait for.
import assert from "node:assert/strict";
import {execFile} from "node:child_process";
import {once} from "node:events";
import http from "node:http";
import {promisify} from "node:util";
import * as phoenix18 from "phoenix";
import * as phoenix17 from "phoenix-1.7";
import WebSocket from "ws";
import {Heard, program, startConfigured} from "./carillon.js";

// What a suite is run with: which package, and how it reaches the server. Long-poll of 1.7 wants a browser's XMLHttpRequest.
export const webSocket18 = {library: phoenix18, transport: WebSocket, binary: true};
export const webSocket17 = {library: phoenix17, transport: WebSocket, binary: true};
export const longPoll18 = {library: phoenix18, transport: phoenix18.LongPoll, binary: false};

export const startPhoenix = (...options) => startConfigured(channelRules, ...options);

const channelRules = `
[[channels]]
match = "room:*"
publish = "open"
presence = true
push = "all"

[[channels]]
match = "others:*"
push = "others"

[[channels]]
match = "read:*"
publish = "nobody"

[[channels]]
match = "closed:*"
subscribe = "nobody"
`;

// As `carillon token` makes it.
export async function tokenOf(user, secret, ...options) {
  const {stdout} = await promisify(execFile)(program, ["token", "--user", user, "--secret", secret, ...options]);
  return stdout.trim();
}

// What became of a push: {status: "ok" | "error" | "timeout", response}.
export function answered(push) {
  return new Promise((resolve) => {
    for (const status of ["ok", "error", "timeout"]) push.receive(status, (response) => resolve({status, response}));
  });
}

// A connected client, gone when the test ends. `kind` is one of those above; other options are phoenix.js's own.
export function phoenixClient(t, server, {library, transport}, options = {}) {
  const socket = new library.Socket(server.url.replace("http:", "ws:") + "/socket", {transport, ...options});
  const opened = new Heard();
  const closed = new Heard();
  const errors = new Heard();
  const messages = [];  // Everything that came, also for topics that were left.
  socket.onOpen(() => opened.add(socket.conn));
  socket.onClose((event) => closed.add(event));
  socket.onError((error) => errors.add(error));
  socket.onMessage((message) => messages.push(message));
  socket.connect();
  t.after(() => socket.disconnect());

  // A channel, not joined yet, that writes down the events that are named.
  const topic = (name, params, ...events) => {
    const channel = socket.channel(name, params);
    const heard = new Heard();
    for (const event of events) channel.on(event, (payload, ref) => heard.add({event, payload, ref}));
    return {
      channel,
      heard,
      next: async () => (await heard.next()).payload,
      async join() {
        const {status, response} = await answered(channel.join());
        assert.equal(status, "ok", `join of ${name}: ${JSON.stringify(response)}`);
        return response;
      },
      push: (event, payload) => answered(channel.push(event, payload)),
    };
  };
  return {
    library,
    socket,
    opened,
    closed,
    errors,
    messages,
    topic,
    async join(...args) {
      const joined = topic(...args);
      return Object.assign(joined, {response: await joined.join()});
    },
    // Joins, and is told who is there.
    async attend(...args) {
      const attended = topic(...args);
      const presence = watchPresence(library, attended.channel);
      await attended.join();
      return Object.assign(attended, {presence});
    },
  };
}

// The package's Presence, with what it called.
export function watchPresence(library, channel) {
  const presence = new library.Presence(channel);
  const joins = new Heard();
  const leaves = new Heard();
  const syncs = [];
  const list = () => Object.fromEntries(presence.list((key, {metas}) => [key, metas]));
  presence.onJoin((key, current, joined) => joins.add({key, before: current?.metas.length ?? 0, metas: joined.metas}));
  presence.onLeave((key, current, left) => leaves.add({key, remain: current.metas.length, metas: left.metas}));
  presence.onSync(() => syncs.push(list()));
  return {
    joins,
    leaves,
    syncs,
    list,
    // "alice bob bob" for one connection of alice and two of bob.
    text: () => presence.list((key, {metas}) => metas.map(() => key)).flat().sort().join(" "),
    // Who is there, to the last meta, in an order that does not depend on who came to know of it when.
    exact: () => JSON.stringify(presence.list((key, {metas}) => metas.map((meta) => `${key} ${JSON.stringify(meta)}`)).flat().sort()),
  };
}

// Stands before a server and passes on requests; `onUpgrade(request, socket)` decides what becomes of a WebSocket's.
export async function front(t, server, onUpgrade, onRequest = () => {}) {
  const sockets = new Set();
  const proxy = http.createServer((request, response) => {
    onRequest(request);
    const onward = http.request(server.url + request.url, {method: request.method, headers: request.headers}, (answer) => {
      response.writeHead(answer.statusCode, answer.headers);
      answer.pipe(response);
    });
    onward.on("error", () => response.destroy());
    response.on("close", () => onward.destroy());
    request.pipe(onward);
  });
  proxy.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  });
  proxy.on("upgrade", onUpgrade);
  proxy.listen(0, "127.0.0.1");
  await once(proxy, "listening");
  t.after(() => {
    proxy.close();
    for (const socket of sockets) socket.destroy();
  });
  return {url: `http://127.0.0.1:${proxy.address().port}`};
}
