// A client of the routes protocol for pages: listeners by "route:event", a queue while the connection is not open, and a
// throttled way back. No dependency; docs/protocol/routes.md is the wire.
//
//   const client = new RouteClient(() => "ws://…/api/v1/ws?authentication=…", {onError: ({message}) => toast(message)});
//   client.on("/dashboards/update", "updateDashboard", (payload, envelope) => show(payload));
//   client.emit("/dashboards/get", {id: "sales"});
//   const table = await client.emitAndOnce("/sql/run", "runSql", {sql: "select 1"});

export class RouteClient {
  #urlOf;
  #options;
  #listeners = new Map();  // "route:event" to a list of {payload, error, once}.
  #asked = new Map();      // Request id to {event, resolve, reject}.
  #queue = [];             // Texts that wait for the connection.
  #socket = null;
  #lastId = 0;
  #nextAttempt = 0;        // On the clock of performance.now().
  #timer = null;
  #closed = false;

  // `urlOf` is asked before each attempt, so that it can give a new token.
  // throttle: milliseconds between two attempts to connect, at least. queueMax: requests that wait while there is no connection;
  // one more throws. onError: hears errors that no listener takes. onStatus: "connecting", "open" or "closed". onOpen: a
  // connection is there, before what waits is sent; streams are to be followed again.
  constructor(urlOf, {throttle = 3000, queueMax = 100, onError = console.error, onStatus = () => {}, onOpen = () => {}} = {}) {
    this.#urlOf = urlOf;
    this.#options = {throttle, queueMax, onError, onStatus, onOpen};
    addEventListener("focus", this.#wake);
    addEventListener("online", this.#wake);
    document.addEventListener("visibilitychange", this.#wake);
    this.#connect();
  }

  // Gives back what takes the listener away again.
  on(route, event, payload, error) {
    return this.#listen(route, event, {payload, error, once: false});
  }

  // The first such event only, whoever caused it.
  once(route, event, payload, error) {
    return this.#listen(route, event, {payload, error, once: true});
  }

  // All listeners of the event, or those with this callback.
  off(route, event, payload) {
    this.#keep(`${route}:${event}`, (listener) => payload !== undefined && listener.payload !== payload);
  }

  emit(route, payload = {}) {
    this.#send(JSON.stringify({route, payload}));
  }

  // The event that answers this very request: by its id, so that requests side by side do not cross. Rejects with the server's
  // error, and when the connection is lost before the answer.
  emitAndOnce(route, event, payload = {}) {
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      const text = JSON.stringify({route, payload, id});
      this.#send(text);
      this.#asked.set(id, {event, text, resolve, reject});
    });
  }

  close() {
    this.#closed = true;
    removeEventListener("focus", this.#wake);
    removeEventListener("online", this.#wake);
    document.removeEventListener("visibilitychange", this.#wake);
    clearTimeout(this.#timer);
    this.#socket?.close();
  }

  #listen(route, event, listener) {
    const key = `${route}:${event}`;
    this.#listeners.set(key, [...(this.#listeners.get(key) ?? []), listener]);
    return () => this.#keep(key, (one) => one !== listener);
  }

  #keep(key, wanted) {
    const left = (this.#listeners.get(key) ?? []).filter(wanted);
    if (left.length) this.#listeners.set(key, left);
    else this.#listeners.delete(key);
  }

  // --- The connection

  // Browsers hold the timers of hidden pages back: who looks at the page again need not wait for ours.
  #wake = () => this.#connect();

  // Now, or as soon as the throttle allows.
  #connect() {
    if (this.#closed || this.#socket) return;
    clearTimeout(this.#timer);
    const wait = this.#nextAttempt - performance.now();
    if (wait > 0) {
      this.#timer = setTimeout(this.#wake, wait);
      return;
    }
    // At random up to half as long again, so that not all pages come back to a restarted server at once.
    this.#nextAttempt = performance.now() + this.#options.throttle * (1 + Math.random() / 2);
    this.#options.onStatus("connecting");
    const socket = (this.#socket = new WebSocket(this.#urlOf()));
    socket.onopen = () => this.#opened();
    socket.onmessage = ({data}) => this.#heard(JSON.parse(data));
    socket.onclose = () => this.#lost();
  }

  #opened() {
    const waiting = this.#queue.splice(0);
    this.#options.onStatus("open");
    this.#options.onOpen();
    for (const text of waiting) this.#socket.send(text);
  }

  #lost() {
    this.#socket = null;
    for (const [id, {text, reject}] of this.#asked) {
      if (this.#queue.includes(text)) continue;  // It has not been sent.
      this.#asked.delete(id);
      reject({code: "CONNECTION_LOST", message: "the connection was lost before the answer"});
    }
    this.#options.onStatus("closed");
    this.#connect();
  }

  #send(text) {
    if (this.#socket?.readyState === WebSocket.OPEN) return this.#socket.send(text);
    if (this.#queue.length >= this.#options.queueMax) throw new Error("too many requests wait for the connection");
    this.#queue.push(text);
    this.#connect();
  }

  // --- Events

  #heard(envelope) {
    const asked = this.#asked.get(envelope.id);
    if (asked && (envelope.event === asked.event || envelope.error)) {
      this.#asked.delete(envelope.id);
      if (envelope.error) return asked.reject(envelope.error);
      asked.resolve(envelope.payload);
    }
    const key = `${envelope.route}:${envelope.event}`;
    const listeners = this.#listeners.get(key) ?? [];
    this.#keep(key, ({once}) => !once);
    if (envelope.error) {
      const takers = listeners.filter(({error}) => error);
      for (const {error} of takers) error(envelope.error, envelope);
      if (!takers.length) this.#options.onError(envelope.error, envelope);
      return;
    }
    for (const {payload} of listeners) payload(envelope.payload, envelope);
  }
}
