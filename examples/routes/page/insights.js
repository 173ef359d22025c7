// The page: what is heard is shown, what is clicked is asked. Everything goes through one RouteClient.
import {RouteClient} from "./route_client.js";

const find = (selector) => document.querySelector(selector);
const user = new URLSearchParams(location.search).get("user") ?? "ann";
const {socket} = await (await fetch("place.json")).json();
find("#me").textContent = user;

function element(name, text, properties = {}) {
  const made = Object.assign(document.createElement(name), properties);
  made.textContent = text;
  return made;
}

function toast({message}) {
  const shown = element("p", message);
  find("#toasts").append(shown);
  setTimeout(() => shown.remove(), 6000);
}

function tableOf({columns, rows, more}) {
  const table = document.createElement("table");
  const line = (name, values) => {
    const row = table.insertRow();
    for (const value of values) row.append(element(name, value === null ? "null" : String(value)));
  };
  line("th", columns);
  for (const row of rows) line("td", row);
  if (more) table.createCaption().textContent = `The first ${rows.length} rows`;
  return table;
}

const client = new RouteClient(() => `${socket}?authentication=demo-${encodeURIComponent(user)}`, {
  onError: toast,
  onStatus(status) {
    find("#status").textContent = status;
    find("#status").dataset.status = status;
    if (status === "closed") interrupt();
  },
  // The server forgets who followed what when a connection ends.
  onOpen() {
    client.emit("/dashboards/list");
    if (wanted) client.emit("/dashboards/get", {id: wanted});
  },
});

// --- SQL

find("#sql").addEventListener("submit", async (event) => {
  event.preventDefault();
  find("#sql-error").textContent = "";
  try {
    const table = await client.emitAndOnce("/sql/run", "runSql", {sql: event.target.elements.sql.value});
    find("#sql-result").replaceChildren(tableOf(table));
  } catch ({code, message}) {
    find("#sql-result").replaceChildren();
    find("#sql-error").textContent = `${code}: ${message}`;
  }
});

// --- Dashboards

let wanted = null;       // The id of the one that is open, or asked for.
let revision = -1;       // Of what is shown; what is older comes too late.
let people = new Map();  // Who looks at it, by id.

client.on("/dashboards/list", "getDashboardsList", (dashboards) => {
  find("#list").replaceChildren(
    ...dashboards.map(({id, title}) => element("button", title, {value: id, onclick: () => open(id)})),
  );
});

function open(id) {
  if (wanted && wanted !== id) leave();
  wanted = id;
  client.emit("/dashboards/get", {id});
}

function leave() {
  client.emit("/dashboards/unsubscribe", {id: wanted});
  wanted = null;
  find("#dashboard").hidden = find("#leave").hidden = true;
}
find("#leave").onclick = leave;

const isOpen = (id) => id === wanted;

client.on("/dashboards/get", "getDashboardState", ({state, members}) => {
  if (!isOpen(state.dashboard.id)) return;
  revision = state.revision;  // Also when it is smaller: after a restart the server counts anew.
  people = new Map(members.map(({id, name}) => [id, name]));
  find("#metrics").replaceChildren();
  find("#dashboard").hidden = find("#leave").hidden = false;
  showPeople();
  showState(state);
}, (error) => {
  wanted = null;
  toast(error);
});

client.on("/dashboards/update", "updateDashboard", ({state}) => {
  if (!isOpen(state.dashboard.id) || state.revision < revision) return;
  revision = state.revision;
  showState(state);
});

// Who comes and goes is told on the route by which the dashboard was opened.
client.on("/dashboards/get", "joinedDashboard", (joined) => {
  for (const {id, name, dashboard_id} of joined.filter(({dashboard_id}) => isOpen(dashboard_id))) {
    people.set(id, name);
    find("#news").prepend(element("li", `${name} joined`));
  }
  showPeople();
});
client.on("/dashboards/get", "leftDashboard", (left) => {
  for (const {id, name} of left.filter(({dashboard_id}) => isOpen(dashboard_id))) {
    people.delete(id);
    find("#news").prepend(element("li", `${name} left`));
  }
  showPeople();
});

function showPeople() {
  find("#people").textContent = [...people.values()].sort().join(", ");
}

function showState({dashboard, draft}) {
  change(find("#dashboard [name=title]"), dashboard.title);
  find("#draft").hidden = !draft;
  for (const metric of dashboard.metrics) {
    const card = cardOf(metric.id);
    card.querySelector("h3").textContent = metric.title;
    change(card.querySelector("textarea"), metric.sql);
  }
}

// What somebody is typing stays, unless another has changed the same field.
function change(field, value) {
  if (field.dataset.heard === value) return;
  field.value = field.dataset.heard = value;
}

function cardOf(id) {
  const known = find(`#metrics [data-metric="${CSS.escape(id)}"]`);
  if (known) return known;
  const card = element("div", "", {className: "metric"});
  card.dataset.metric = id;
  const sql = document.createElement("textarea");
  sql.rows = 4;
  const apply = element("button", "Apply", {onclick: () => update({metric: {id, sql: sql.value}})});
  card.append(element("h3", ""), element("div", "", {className: "data"}), sql, apply);
  find("#metrics").append(card);
  return card;
}

const update = (change) => client.emit("/dashboards/update", {id: wanted, ...change});
find("#rename").onclick = () => update({title: find("#dashboard [name=title]").value});
find("#save").onclick = () => update({save: true});
find("#discard").onclick = () => update({discard: true});

// The same event on two routes: the data of a dashboard that was opened, and of a metric that was changed.
for (const route of ["/dashboards/get", "/dashboards/update"]) {
  client.on(route, "fetchingData", (step) => {
    if (!isOpen(step.dashboard_id)) return;
    const card = cardOf(step.metric_id);
    if (step.revision < Number(card.dataset.revision ?? -1)) return;
    Object.assign(card.dataset, {revision: step.revision, progress: step.progress});
    const data = card.querySelector(".data");
    if (step.progress === "inProgress") data.replaceChildren("…");
    if (step.progress === "completed") data.replaceChildren(tableOf(step.data));
    if (step.progress === "failed") data.replaceChildren(element("span", step.message ?? "failed", {className: "failed"}));
  });
}

// --- Chat

let chat = null;  // The id of the conversation, of all tabs.

find("#chat").addEventListener("submit", (event) => {
  event.preventDefault();
  client.emit("/chats/post", {prompt: event.target.elements.prompt.value, ...(chat && {chat_id: chat})});
  event.target.reset();
});

client.on("/chats/post", "initializeChat", ({chat_id, message_id, prompt}) => {
  chat = chat_id;
  const message = element("div", "", {className: "message"});
  message.dataset.message = message_id;
  message.dataset.progress = "inProgress";
  message.append(element("b", prompt), element("div", "", {className: "answer"}));
  find("#messages").append(message);
});

client.on("/chats/post", "generatingResponseMessage", (step) => {
  const message = find(`[data-message="${CSS.escape(step.message_id)}"]`);
  if (!message) return;  // This tab came later.
  const answer = message.querySelector(".answer");
  message.dataset.progress = step.progress;
  if (step.progress === "inProgress") answer.append(step.response_message_chunk);
  if (step.progress === "completed") answer.textContent = step.response_message;
  if (step.progress === "failed") answer.append(element("span", ` ${step.message ?? "failed"}`, {className: "failed"}));
});

// What was not complete when the connection was lost will not be.
function interrupt() {
  for (const message of document.querySelectorAll(".message[data-progress=inProgress]")) message.dataset.progress = "interrupted";
}
