// A wire between clients and a server that breaks as a test wants: cut, dead, deaf on the way back, closed to newcomers.
import {once} from "node:events";
import net from "node:net";

export async function faultyWire(t, to) {
  const {hostname, port} = new URL(to);
  const pairs = new Set();  // {client, upstream} of each open connection.
  // What happens to bytes: "carries", "is dead" (nothing moves, connections stay open) or "swallows answers" (what the server
  // says is read and thrown away).
  let state = "carries";
  let open = true;
  let swallowed = 0;

  function join(client) {
    if (!open) return client.destroy();
    const upstream = net.connect(Number(port), hostname);
    const pair = {client, upstream};
    pairs.add(pair);
    const end = () => {
      pairs.delete(pair);
      client.destroy();
      upstream.destroy();
    };
    for (const socket of [client, upstream]) socket.on("error", end).on("close", end);
    client.on("data", (bytes) => upstream.write(bytes));
    upstream.on("data", (bytes) => {
      if (state === "swallows answers") swallowed += bytes.length;
      else client.write(bytes);
    });
    if (state === "is dead") rest(pair);
  }
  const rest = ({client, upstream}) => [client, upstream].forEach((socket) => socket.pause());
  const wake = ({client, upstream}) => [client, upstream].forEach((socket) => socket.resume());

  const wire = net.createServer(join);
  wire.listen(0, "127.0.0.1");
  await once(wire, "listening");
  function cut() {
    for (const {client, upstream} of pairs) {
      client.destroy();
      upstream.destroy();
    }
  }
  t.after(() => {
    cut();
    wire.close();
  });
  return {
    url: `http://127.0.0.1:${wire.address().port}`,
    cut,
    connections: () => pairs.size,
    swallowed: () => swallowed,
    // From now on nothing gets through, in neither direction, and nobody is told.
    die() {
      state = "is dead";
      pairs.forEach(rest);
    },
    swallowAnswers() {
      state = "swallows answers";
    },
    carry() {
      state = "carries";
      pairs.forEach(wake);
    },
    // Whether newcomers are let in.
    refuse: () => (open = false),
    admit: () => (open = true),
  };
}
