"""Bayeux by hand: every loop and transport, paths, cookies and origins, what hostile clients send, ends and restarts."""
import json
import threading

import pytest

from carillon_process import Server, wait_until
from talking import CLOSE, TEXT, RawHttp, RawWebSocket, Wire, close_code
from test_tokens import KEY, SECRET, token

JSON = {"Content-Type": "application/json;charset=UTF-8"}
HANDSHAKE = {"id": "h", "channel": "/meta/handshake", "version": "1.0",
             "supportedConnectionTypes": ["websocket", "long-polling", "callback-polling"]}


class Bayeux:
    """A long-polling client; every request on a connection of its own, so on any loop."""

    def __init__(self, server, path="/cometd", ext=None, cookies=True, connected=True, headers=None):
        self.server, self.path, self.cookies = server, path, cookies
        self.headers = {**JSON, **(headers or {})}
        self.welcome = self.ask({**HANDSHAKE, **({"ext": ext} if ext else {})})[0]
        self.id = self.welcome.get("clientId")
        if connected:
            assert self.connect()[-1]["successful"]

    def post(self, messages, suffix="/", headers=None, timeout=15):
        body = messages if isinstance(messages, (str, bytes)) else json.dumps(messages)
        answer = self.server.call("POST", self.path + suffix, body, {**self.headers, **(headers or {})}, timeout=timeout)
        if self.cookies and (cookie := answer.headers.get("Set-Cookie")):
            self.headers["Cookie"] = cookie.split(";")[0]
        return answer

    def ask(self, *messages, suffix="/", timeout=15):
        answer = self.post(list(messages), suffix, timeout=timeout)
        assert answer.status == 200, answer
        return answer.json

    def say(self, channel, suffix="/", **fields):
        return self.ask({"id": "1", "channel": channel, "clientId": self.id, **fields}, suffix=suffix)

    def connect(self, timeout=15, **fields):
        return self.ask({"id": "c", "channel": "/meta/connect", "clientId": self.id, "connectionType": "long-polling", **fields},
                        suffix="/connect", timeout=timeout)

    def subscribe(self, *channels):
        reply = self.say("/meta/subscribe", subscription=list(channels))[-1]
        assert reply["successful"], reply

    def publish(self, channel, data):
        return self.say(channel, data=data)

    def hear(self, count):
        """The data of so many deliveries, of as many connects as it takes."""
        heard = []
        while len(heard) < count:
            heard += [m["data"] for m in self.connect() if "data" in m]
        return heard


class Socket(RawWebSocket):
    def __init__(self, server, path="/cometd", **options):
        super().__init__(server, path=path, **options)

    def say(self, *messages):
        self.frame(TEXT, json.dumps(messages))

    def hear(self):
        message = self.read_message()
        assert message is not None and message[0] == TEXT, message
        return json.loads(message[1])

    def shake_hands(self):
        self.say(HANDSHAKE)
        self.id = self.hear()[0]["clientId"]
        self.say({"id": "c", "channel": "/meta/connect", "clientId": self.id, "connectionType": "websocket"})
        assert self.hear()[0]["successful"]
        return self

    def read_to_close(self):
        while (message := self.read_message()) is not None and message[0] != CLOSE:
            pass
        return message and close_code(message[1])


@pytest.fixture(scope="module")
def server():
    running = Server("--loops", "4", "--set", "bayeux.timeout=2s")
    yield running
    running.stop()


def later(call):
    """Runs the call on a thread; returns what waits for its outcome."""
    outcome = []
    thread = threading.Thread(target=lambda: outcome.append(call()))
    thread.start()

    def wait():
        thread.join(20)
        assert outcome, "it has not ended"
        return outcome[0]

    return wait


# --- Sessions that live on one loop, and requests that come on any


def test_polls_on_every_loop_hear_everything_once_and_in_order(server):
    talker, listeners = Bayeux(server), [Bayeux(server) for _ in range(8)]
    for listener in listeners:
        listener.subscribe("/every/loop", "/every/*")
    for number in range(100):
        assert talker.publish("/every/loop", number)[-1]["successful"]
    for listener in listeners:
        assert listener.hear(100) == list(range(100))


def test_every_protocol_is_heard(server):
    client = Bayeux(server)
    client.subscribe("/repo/alice/app/prs", "/repo/bob/**")
    server.publish("repo:alice/app/prs", "pr_opened", {"number": 7})
    first = client.connect()[0]
    assert (first["channel"], first["data"], first["ext"]["event"]) == ("/repo/alice/app/prs", {"number": 7}, "pr_opened")
    server.publish("repo:bob/my.app", "push", [1])
    assert client.connect()[0]["channel"] == "/repo/bob/my.app"


def test_a_websocket_takes_a_session_over_from_polls_and_gives_it_back(server):
    talker = Bayeux(server)
    for number in range(12):  # Some of them on the loop of the session, most on others.
        client = Bayeux(server)
        client.subscribe("/over")
        socket = Socket(server)
        socket.say({"id": "c", "channel": "/meta/connect", "clientId": client.id, "connectionType": "websocket",
                    "advice": {"timeout": 0}})
        assert socket.hear()[0]["successful"]
        talker.publish("/over", [number, "by socket"])
        assert socket.hear() == [{"channel": "/over", "data": [number, "by socket"]}]
        socket.close()
        heard = []
        wait = later(lambda: heard.extend(client.hear(1)) or True)
        # The socket may not be known to be gone yet: what had begun to leave through it may be lost with it.
        wait_until(lambda: talker.publish("/over", [number, "lost?"]) and heard)
        wait()
        client.say("/meta/disconnect")


def test_an_event_stream_beside_polls(server):
    for _ in range(6):
        client, stream = Bayeux(server), Wire(server)
        client.subscribe("/streamed")
        head = f"GET /cometd/{client.id} HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\nCookie: {client.headers['Cookie']}\r\n\r\n"
        stream.send(head.encode())
        assert b"text/event-stream" in stream.read_past(b"\r\n\r\n")
        held = later(lambda: client.connect(connectionType="eventsource"))
        client.publish("/streamed", {"text": "line\nline"})
        assert b'[{"channel":"/streamed","data":{"text": "line\\nline"}}]' in stream.read_past(b"}]\n\n")
        assert held()[-1]["successful"]
        stream.close()


def test_a_stolen_client_id_is_worth_nothing_without_the_cookie(server):
    client = Bayeux(server)
    thief = Bayeux(server, connected=False)
    thief.id = client.id
    assert thief.connect()[0]["error"] == "402::session_unknown"
    for _ in range(8):
        assert server.get(f"/cometd/{client.id}", headers={"Accept": "text/event-stream"}).status == 404
    assert client.connect(advice={"timeout": 0})[0]["successful"]


# --- Paths, cookies, origins


def test_any_path_below_the_mount(server):
    for suffix in ("", "/", "/handshake", "/any/thing", "/connect?x=1"):
        assert Bayeux(server, connected=False).post([HANDSHAKE], suffix).json[0]["successful"]


def test_four_base_paths(start):
    server = start("--set", "bayeux.subscribe_path=/", "--set", "bayeux.handshake_path=/shake", "--set", "bayeux.connect_path=/poll",
                   "--set", "bayeux.disconnect_path=/bye", "--set", "bayeux.timeout=300ms")
    client = Bayeux(server, path="", connected=False)
    client.id = client.post([HANDSHAKE], "/shake/handshake").json[0]["clientId"]
    ask = lambda path, channel, **more: client.post([{"channel": channel, "clientId": client.id, **more}], path).json[-1]
    assert ask("/poll/connect", "/meta/connect", connectionType="long-polling")["successful"]
    assert ask("/", "/meta/subscribe", subscription="/a")["subscription"] == "/a"
    assert ask("/bye/disconnect", "/meta/disconnect")["successful"]


def test_the_cookie_behind_tls(server):
    answer = Bayeux(server, connected=False).post([HANDSHAKE], headers={"X-Forwarded-Proto": "https", "Cookie": ""})
    assert answer.headers["Set-Cookie"].endswith("; Path=/; HttpOnly; SameSite=Lax; Secure")


def test_clients_that_hold_no_cookies(server, start):
    client = Bayeux(server, cookies=False)
    client.subscribe("/no/jar")
    client.publish("/no/jar", 1)
    strict = start("--set", "bayeux.cookies=required")
    assert Bayeux(strict, cookies=False, connected=False).connect()[0]["error"] == "402::session_unknown"
    assert Bayeux(strict).welcome["successful"]


def test_pages_of_other_origins(start):
    server = start("--set", "server.origins=https://app.example")
    preflight = server.call("OPTIONS", "/cometd/handshake", headers={"Origin": "https://app.example",
                                                                     "Access-Control-Request-Method": "POST"})
    assert preflight.status in (200, 204)
    assert preflight.headers["Access-Control-Allow-Origin"] == "https://app.example"
    assert preflight.headers["Access-Control-Allow-Credentials"] == "true"
    assert preflight.headers["Access-Control-Max-Age"] == "86400"
    assert server.call("POST", "/cometd/", "[]", {**JSON, "Origin": "https://evil.example"}).status == 403
    assert server.get("/cometd/?jsonp=f&message=[]", headers={"Sec-Fetch-Site": "cross-site", "Referer": "https://evil.example/"}).status == 403


def test_jsonp(server):
    ask = lambda query: server.get("/cometd/?" + query)
    answer = ask("jsonp=my.callback-1&message=" + "%5B%7B%22channel%22%3A%22%2Fmeta%2Fconnect%22%7D%5D")
    assert answer.status == 200 and answer.text.startswith("/**/my.callback-1([{") and answer.text.endswith("}])")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert ask("jsonp=a(b)&message=[]").status == 400
    assert ask("jsonp=a").status == 400
    assert ask("jsonp=a&jsonp=b&message=[]").status == 400
    assert ask("jsonp=" + "a" * 65 + "&message=[]").status == 400


def test_tokens_say_who_a_client_is(start, tmp_path):
    path = tmp_path / "carillon.toml"
    path.write_text(f'[auth]\napi_key = "{KEY}"\njwt_secrets = ["{SECRET}"]\nrequire_token = true\n')
    server = start("--config", str(path))
    assert Bayeux(server, connected=False).welcome["error"] == "403::handshake_denied"
    for client in (Bayeux(server, headers={"Authorization": f"Bearer {token('alice')}"}),
                   Bayeux(server, ext={"authentication": {"token": token("alice")}})):
        assert client.welcome["successful"]
    sessions = server.call("GET", "/api/sessions", headers={"Authorization": f"Bearer {KEY}"}).json["sessions"]
    assert [s["user"] for s in sessions if s["protocol"] == "bayeux"] == ["alice", "alice"]
    assert Bayeux(server, ext={"authentication": {"token": token("alice") + "x"}}, connected=False).welcome["error"] == \
        "403::handshake_denied"


# --- Much, and wrong


@pytest.mark.parametrize("body, status", [
    ("", 400), ("[", 400), ("[]", 400), ("7", 400), ("[7]", 400), ('"text"', 400), ("[{}", 400), (b"\xff\xfe", 400), (b"[{\"channel\":\"\xff\"}]", 400),
    ("[{}]", 200), ('{"channel":"/meta/connect"}', 200), ("[" * 100_000, 400), (json.dumps([{"channel": "/a"}] * 1001), 413),
    (json.dumps([{"channel": "/a", "data": "x" * 1_100_000}]), 413)])
def test_bodies_of_every_wrong_kind(server, body, status):
    answer = server.call("POST", "/cometd/", body, JSON)
    assert answer.status == status, answer.text[:200]
    assert server.get("/health").status == 200


@pytest.mark.parametrize("message, error", [
    ({}, "400::channel_missing"), ({"channel": 7}, "400::channel_missing"), ({"channel": "a"}, "405::channel_invalid"),
    ({"channel": "/a/*", "data": 1}, "405::channel_invalid"), ({"channel": "/a//b"}, "405::channel_invalid"),
    ({"channel": "/" + "a" * 300, "data": 1}, "405::channel_invalid"), ({"channel": "/a", "id": {}}, "405::message_id_invalid"),
    ({"channel": "/meta/handshake/x"}, "403:denied_by_security_policy:publish_denied"),
    ({"channel": "/meta/subscribe"}, "403::subscription_missing"), ({"channel": "/meta/subscribe", "subscription": [1]}, "403::subscription_invalid"),
    ({"channel": "/meta/subscribe", "subscription": ["/a"] * 300 + [f"/b/{n}" for n in range(101)]}, "403:too_many_subscriptions:subscribe_failed")])
def test_messages_of_every_wrong_kind(server, message, error):
    client = Bayeux(server)
    reply = client.ask({**message, "clientId": client.id})[-1]
    assert (reply["successful"], reply["error"]) == (False, error)
    assert client.publish("/still/there", 1)[-1]["successful"]


def test_ten_thousand_handshakes_that_never_connect(start):
    server = start("--loops", "2", "--set", "bayeux.sessions_max=100")
    client = Bayeux(server)
    client.subscribe("/here")
    body = json.dumps([HANDSHAKE])
    request = f"POST /cometd/handshake HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    with RawHttp(server) as one, RawHttp(server) as another:
        for number in range(10_000):
            answer = (one, another)[number % 2].ask(request)
            assert answer.status == 200 and b'"successful":true' in answer.body
    assert len([s for s in server.sessions() if s["protocol"] == "bayeux"]) <= 100
    client.publish("/here", 1)


def test_a_giant_batch(server):
    client = Bayeux(server)
    client.subscribe("/giant")
    replies = client.ask(*[{"id": str(n), "channel": "/giant", "clientId": client.id, "data": n} for n in range(1000)])
    assert [m["data"] for m in replies if "data" in m] == list(range(1000))
    assert [m["id"] for m in replies if "data" not in m] == [str(n) for n in range(1000)]


def test_clients_that_hold_polls_for_ever(start):
    client = Bayeux(start("--set", "bayeux.timeout=200ms", "--set", "bayeux.timeout_max=1s"))
    for timeout in (10**18, 1e300):
        assert client.connect(advice={"timeout": timeout})[-1]["successful"]


def test_websocket_messages_of_every_wrong_kind(server):
    for text in ("", "[", "[]", "7", "[7]"):
        socket = Socket(server)
        socket.frame(TEXT, text)
        assert socket.read_to_close() == 1011, text
    socket = Socket(server)
    socket.frame(2, b"\x00")
    assert socket.read_to_close() == 1003


def test_a_websocket_that_never_reads_is_no_burden(start):
    server = start("--loops", "2", "--set", "limits.outbox_bytes=256KiB", "--set", "limits.message_bytes=128KiB")
    greedy, other = Socket(server, receive_buffer=4096).shake_hands(), Bayeux(server)
    greedy.say({"channel": "/meta/subscribe", "clientId": greedy.id, "subscription": "/much"})
    greedy.hear()
    other.subscribe("/little")
    for number in range(200):
        server.publish("much", "said", "x" * 50_000)
    other.publish("/little", 1)
    wait_until(lambda: all(s["outbox_bytes"] <= 400_000 for s in server.sessions()))


# --- Ends


def test_a_stop_answers_the_polls(start):
    server = start("--loops", "4")
    clients = [Bayeux(server) for _ in range(8)]
    waits = [later(client.connect) for client in clients]
    wait_until(lambda: "carillon_bayeux_polls_held 8" in server.get("/metrics").text)
    server.stop()
    for wait in waits:
        assert wait()[-1]["successful"]


def test_after_a_crash_clients_shake_hands_again(start):
    server = start("--loops", "2")
    client = Bayeux(server)
    server.kill()
    again = start("--loops", "2", "--listen", f"{server.host}:{server.port}")
    client.server = again
    reply = client.connect()[0]
    assert (reply["error"], reply["advice"]["reconnect"]) == ("402::session_unknown", "handshake")


# --- Recovery by position


class Replaying(Bayeux):
    """A client that knows where it stands in one channel, and takes it along into its next session."""

    def __init__(self, server, channel, position=None, **options):
        super().__init__(server, ext={"replay": True}, **options)
        assert self.welcome["ext"]["replay"] is True
        self.channel, self.position, self.heard = channel, position, []
        messages = self.say("/meta/subscribe", subscription=channel, ext={"replay": {channel: position}})
        assert messages[0]["successful"], messages[0]
        self.told = messages[0]["ext"]["replay"][channel]
        if position is None:
            self.position = self.told["positions"][channel]
        self.take(messages)

    def take(self, messages):
        for message in messages:
            if message["channel"] == self.channel and "data" in message:
                self.heard.append(message["data"]["n"])
                self.position = message["ext"]["replay"]

    def poll(self, **options):
        messages = self.connect(**options)
        self.take(messages)
        return messages[-1]


@pytest.fixture
def durable(start, tmp_path):
    """Starts servers that keep their channels in one directory, and remember much; `again` one where another was."""
    config = tmp_path / "carillon.toml"
    config.write_text('[limits]\nrecover_publications_max = 10000\n[bayeux]\ntimeout = "2s"\n'
                      '[[channels]]\nmatch = "**"\npublish = "open"\nhistory_count = 10000\n')

    def start_one(again=None):
        where = ("--listen", f"{again.host}:{again.port}") if again else ()
        return start("--loops", "4", "--config", str(config), *where, data=tmp_path / "data")

    return start_one


def publish_numbers(server, channel, numbers, size=1000):
    numbers = list(numbers)
    for at in range(0, len(numbers), 500):
        events = [{"channel": channel, "event": "n", "data": {"n": n, "x": "x" * size}} for n in numbers[at:at + 500]]
        answer = server.call("POST", "/api/batch", {"publications": events})
        assert answer.status == 200 and not any("error" in each for each in answer.json["results"]), answer


def test_five_thousand_missed_come_whole_to_a_poller_after_a_crash(durable):
    server = durable()
    client = Replaying(server, "/room/long")
    assert client.told["recovered"] is False
    publish_numbers(server, "room:long", range(0, 5000))
    server.kill()
    server = durable(again=server)
    publish_numbers(server, "room:long", range(5000, 5010))
    client = Replaying(server, "/room/long", client.position)
    assert client.told["recovered"] is True
    while len(client.heard) < 5010:
        assert client.poll()["successful"]
    server.publish("room:long", data={"n": 5010})
    client.poll()
    assert client.heard == list(range(5011))


def test_five_thousand_missed_come_whole_over_a_websocket_on_any_loop(durable):
    server = durable()
    known = Replaying(server, "/room/long").position
    publish_numbers(server, "room:long", range(0, 5000))
    for _ in range(4):
        client = Bayeux(server, ext={"replay": True})
        socket = Socket(server)  # Of whatever loop.
        socket.say({"id": "c", "channel": "/meta/connect", "clientId": client.id, "connectionType": "websocket"},
                   {"id": "s", "channel": "/meta/subscribe", "clientId": client.id, "subscription": "/room/long",
                    "ext": {"replay": {"/room/long": known}}})
        heard, told = [], None
        while len(heard) < 5000:
            for message in socket.hear():
                if message["channel"] == "/meta/subscribe":
                    told = message
                elif message["channel"] == "/room/long":
                    assert told, "the reply comes first"
                    heard.append(message["data"]["n"])
        assert told["ext"]["replay"]["/room/long"]["recovered"] is True
        assert heard == list(range(5000))
        socket.close()


def test_crashes_under_fire_lose_and_repeat_nothing_for_a_client_that_replays(durable):
    server = durable()
    client = Replaying(server, "/room/fire")
    heard, published = client.heard, 0
    for _ in range(3):
        stop = threading.Event()

        def publish():
            nonlocal published
            while not stop.is_set():
                server.publish("room:fire", "n", {"n": published})  # Answered: it holds.
                published += 1

        wait = later(lambda: (publish(), True))
        seen = len(heard)
        while len(heard) < seen + 30:
            client.poll()
        stop.set()
        wait()
        server.kill()
        server = durable(again=server)
        position = client.position
        client = Replaying(server, "/room/fire", position)
        assert client.told["recovered"] is True
        heard += client.heard
        client.heard = heard
    while len(heard) < published:
        client.poll()
    assert heard == list(range(published))


def test_positions_of_a_channel_whose_history_was_removed_are_refused_honestly(durable):
    server = durable()
    client = Replaying(server, "/room/gone")
    publish_numbers(server, "room:gone", range(0, 3))
    assert server.call("DELETE", "/api/channels/room:gone/history").status in (200, 204)
    publish_numbers(server, "room:gone", range(3, 5))
    client = Replaying(server, "/room/gone", client.position)
    assert client.told["recovered"] is False
    while len(client.heard) < 2:
        client.poll()
    assert client.heard == [3, 4], "what is kept follows"


@pytest.mark.parametrize("replay, error", [
    (7, "400::replay_invalid"),
    ({"/room/a": 7}, "400::replay_invalid"),
    ({"/room/a": "7"}, "400::replay_invalid"),
    ({"/room/**": "1:1"}, "400::replay_invalid"),
    ({"/room/a": {"room": "1:1"}}, "400::replay_invalid"),
    ({"/room/**": {f"/room/{n}": "1:1" for n in range(1024)}}, "413::replay_too_large"),
])
def test_positions_that_cannot_be(server, replay, error):
    client = Bayeux(server, ext={"replay": True})
    reply = client.say("/meta/subscribe", subscription="/room/a", ext={"replay": replay})[-1]
    assert (reply["successful"], reply["error"]) == (False, error)


def test_an_operator_ends_a_session(start):
    server = start("--loops", "4")
    client = Bayeux(server)
    held = later(client.connect)
    wait_until(lambda: "carillon_bayeux_polls_held 1" in server.get("/metrics").text)
    (session,) = server.sessions()
    assert server.call("DELETE", f"/api/sessions/{session['id']}").status in (200, 204)
    messages = held()
    assert {"channel": "/meta/disconnect", "successful": True, "advice": {"reconnect": "none", "interval": 0}} in messages
    assert client.connect()[0]["error"] == "402::session_unknown"
