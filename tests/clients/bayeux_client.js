// The `cometd` package's client with ears that a test can wait for.
import assert from "node:assert/strict";
import {execFile} from "node:child_process";
import {inspect, promisify} from "node:util";
import {CometD} from "cometd";
import {adapt} from "cometd-nodejs-client";
import {Heard, program, startConfigured, until} from "./carillon.js";

// Cookies by browser: what is one browser shares a jar. The adapter asks for them with the transport's context.
const jars = new WeakMap();  // By the URL object of one request.
adapt({
  cookies: {
    retrieveCookies({jar}, url, callback) {
      jars.set(url, jar);
      callback(null, [...jar].map(([name, value]) => `${name}=${value}`));
    },
    storeCookie(url, header, callback) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(header);
      jars.get(url).set(name, value);
      callback();
    },
  },
});

export const startBayeux = (...options) => startConfigured(channelRules, ...options);

const channelRules = `
[[channels]]
match = "closed:*"
subscribe = "nobody"

[[channels]]
match = "read:*"
publish = "nobody"

[[channels]]
match = "**"
publish = "open"
`;

// As `carillon token` makes it.
export async function tokenOf(user, secret, ...options) {
  const {stdout} = await promisify(execFile)(program, ["token", "--user", user, "--secret", secret, ...options]);
  return stdout.trim();
}

// A client that has not shaken hands yet, gone when the test ends. `transports` are the ones it may use, `browser` the jar that it
// shares with others, `extensions` by their names; other options are cometd's own.
export function bayeuxClient(t, server, {transports = ["long-polling"], browser = new Map(), extensions = {}, ...options} = {}) {
  const cometd = new CometD();
  for (const type of cometd.getTransportTypes()) {
    if (!transports.includes(type)) cometd.unregisterTransport(type);
  }
  const polling = cometd.findTransport("long-polling");
  if (polling) polling.context = {jar: browser};
  cometd.configure({url: server.url + "/cometd", logLevel: "warn", backoffIncrement: 50, maxBackoff: 200, ...options});
  t.after(() => new Promise((resolve) => (cometd.isDisconnected() ? resolve() : cometd.disconnect(resolve))));

  // Everything that came and went, as it was on the wire, but for what extensions registered before did to it.
  const received = [];
  const sent = [];
  cometd.registerExtension("ear", {incoming: (message) => void received.push(structuredClone(message)), outgoing: (message) => void sent.push(message)});
  for (const [name, extension] of Object.entries(extensions)) cometd.registerExtension(name, extension);

  const heardOf = (channel) => {
    const heard = new Heard();
    cometd.addListener(channel, (message) => heard.add(message));
    return heard;
  };
  const handshakes = [];
  cometd.addListener("/meta/handshake", (message) => void handshakes.push(message));
  const connects = heardOf("/meta/connect");
  const failures = [];
  cometd.addListener("/meta/unsuccessful", (message) => void failures.push(message));

  // Channels to subscribe to again whenever a new session begins, as applications do.
  const kept = new Map();
  const answers = [];
  // cometd tells who hears `/**` of meta messages too.
  const into = (heard) => (message) => message.data !== undefined && heard.add(message);
  cometd.addListener("/meta/handshake", ({successful, reestablish}) => {
    if (!successful || !reestablish) return;
    cometd.batch(() => kept.forEach((heard, channel) => cometd.subscribe(channel, into(heard), (reply) => void answers.push(reply))));
  });

  const client = {
    cometd,
    browser,
    received,
    sent,
    handshakes,
    connects,
    failures,
    deliveries: (channel) => received.filter((message) => message.channel === channel && message.data !== undefined),
    handshake: (props) => new Promise((resolve) => cometd.handshake(props, resolve)),
    // Shakes hands and waits for the answer to the first connect.
    async connect(props) {
      const reply = await client.handshake(props);
      assert.equal(reply.successful, true, inspect(reply));
      let connected;
      do connected = await connects.next(); while (!connected.successful);
      return reply;
    },
    // Until a connect is on its way that the server may hold.
    held: () => until(() => sent.findLast(({channel}) => channel === "/meta/connect")?.advice === undefined && cometd.getStatus() === "connected"),
    // Until a subscription of `listen` was made again, in a new session.
    async resubscribed() {
      await until(() => answers.some(({successful}) => successful), () => inspect({status: cometd.getStatus(), sent: sent.slice(-4), received: received.slice(-4)}));
      answers.length = 0;
    },
    subscribing(channel, heard = new Heard()) {
      return new Promise((resolve) => {
        const subscription = cometd.subscribe(channel, into(heard), (reply) => resolve({reply, subscription, heard}));
      });
    },
    // A subscription that outlives sessions: `next()` is the data of the next message.
    async listen(channel) {
      const heard = new Heard();
      kept.set(channel, heard);
      const {reply, subscription} = await client.subscribing(channel, heard);
      assert.equal(reply.successful, true, inspect(reply));
      return {subscription, heard, next: async (wait) => (await heard.next(wait)).data, take: async (count) => (await heard.take(count)).map(({data}) => data)};
    },
    unsubscribe(subscription) {
      kept.delete(subscription.channel);
      return new Promise((resolve) => cometd.unsubscribe(subscription, resolve));
    },
    publish: (channel, data, props) => new Promise((resolve) => cometd.publish(channel, data, props, resolve)),
    remoteCall: (target, data, timeout) => new Promise((resolve) => cometd.remoteCall(target, data, timeout, resolve)),
    disconnect: () => new Promise((resolve) => cometd.disconnect(resolve)),
  };
  return client;
}

// Connected, and listening to one channel.
export async function listener(t, server, channel, options) {
  const client = bayeuxClient(t, server, options);
  await client.connect();
  return Object.assign(client, {channel: await client.listen(channel)});
}

// Speaks Bayeux by hand, one request after another; `send` gives the messages of the answer. With a jar when it is to hold cookies.
export function rawPoller(server, {jar, path = "/cometd", headers = {}} = {}) {
  const post = async (body, {suffix = "", type = "application/json", signal} = {}) => {
    const cookies = jar?.size ? {cookie: [...jar].map(([name, value]) => `${name}=${value}`).join("; ")} : {};
    const text = typeof body === "string" || body instanceof Uint8Array ? body : JSON.stringify(body);
    const answer = await fetch(server.url + path + suffix, {method: "POST", body: text, headers: {...(type ? {"content-type": type} : {}), ...cookies, ...headers}, signal});
    for (const cookie of answer.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(cookie);
      jar?.set(name, value);
    }
    return answer;
  };
  return {
    post,
    async send(...messages) {
      const answer = await post(messages);
      const text = await answer.text();
      assert.equal(answer.status, 200, text);
      return JSON.parse(text);
    },
    async handshake(more = {}) {
      const [reply] = await this.send({channel: "/meta/handshake", version: "1.0", supportedConnectionTypes: ["long-polling"], id: "1", ...more});
      assert.equal(reply.successful, true, JSON.stringify(reply));
      return reply;
    },
  };
}
