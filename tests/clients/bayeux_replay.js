// The replay extension of a cometd client, as docs/protocol/bayeux.md has it: it knows where the client stands in what it is subscribed
// to, and takes that along into the next session.
const fits = (pattern, channel) =>
  pattern === channel ||
  (pattern.endsWith("/**") && channel.startsWith(pattern.slice(0, -2))) ||
  (pattern.endsWith("/*") && channel.startsWith(pattern.slice(0, -1)) && !channel.includes("/", pattern.length - 1));

export class ReplayExtension {
  known = {}; // By subscription: the positions of its channels, and whether the server has told where they stood.

  outgoing(message) {
    if (message.channel === "/meta/handshake") message.ext = {...message.ext, replay: true};
    if (message.channel === "/meta/unsubscribe") for (const name of [message.subscription].flat()) delete this.known[name];
    if (message.channel !== "/meta/subscribe") return;
    const replay = {};
    for (const name of [message.subscription].flat()) {
      replay[name] = this.known[name]?.told ? this.known[name].positions : null;
      if (!replay[name]) this.known[name] = {positions: {}, told: false};
    }
    message.ext = {...message.ext, replay};
  }

  incoming(message) {
    const replay = message.ext?.replay;
    if (!replay) return;
    if (message.channel === "/meta/subscribe") {
      // Over HTTP what follows may have overtaken this.
      for (const [name, {positions}] of Object.entries(replay)) this.known[name] = {positions: {...positions, ...this.known[name]?.positions}, told: true};
    } else if (!message.channel.startsWith("/meta/")) {
      for (const name in this.known) if (fits(name, message.channel)) this.known[name].positions[message.channel] = replay;
    }
  }
}
