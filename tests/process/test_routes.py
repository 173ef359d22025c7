"""Routes and events by hand: handshakes, tabs of one user, send methods, heartbeats, and connections that are lost."""
import json
import struct
import time
import uuid

import pytest

from carillon_process import run_program, wait_until
from talking import BINARY, CLOSE, PING, PONG, TEXT, Client, RawHttp, RawWebSocket, close_code
from test_tokens import CONFIG, KEY, SECRET, token, unsigned

ROOMS = '[[channels]]\nmatch = "room:**"\npublish = "user"\npresence = true\n'
AS_SERVER = {"Authorization": f"Bearer {KEY}"}
ANN, BOB = str(uuid.uuid4()), str(uuid.uuid4())


class Tab(RawWebSocket):
    def __init__(self, server, user=None, path="/api/v1/ws", **options):
        query = f"?authentication={token(user, name='Name of ' + user, aud='authenticated')}" if user else ""
        super().__init__(server, path=path + query, **options)
        self.last_id = 0

    def send_text(self, text):
        self.frame(TEXT, text)

    def hear(self):
        message = self.read_message()
        assert message is not None and message[0] == TEXT, message
        envelope = json.loads(message[1])
        assert list(envelope)[:6] == ["route", "event", "payload", "sent_by", "error", "send_method"], envelope
        return envelope

    def ask(self, route, payload):
        """The answer, and what came before it."""
        self.last_id += 1
        self.send_text(json.dumps({"route": route, "payload": payload, "id": self.last_id}))
        before = []
        while (envelope := self.hear()).get("id") != self.last_id:
            before.append(envelope)
        return envelope, before

    def do(self, route, payload):
        answer, before = self.ask(route, payload)
        assert answer["error"] is None and before == [], (answer, before)
        return answer["payload"]

    def subscribe(self, channel, **more):
        return self.do("/channels/subscribe", {"channel": channel, **more})

    def publish(self, channel, event, data, method):
        answer, before = self.ask("/channels/publish", {"channel": channel, "event": event, "data": data, "send_method": method})
        assert answer["error"] is None, answer
        return before

    def expect_silence(self):
        self.do("/channels/list", {})


@pytest.fixture(scope="module")
def configuration(tmp_path_factory):
    path = tmp_path_factory.mktemp("routes") / "carillon.toml"
    path.write_text(CONFIG.replace("[auth]", '[auth]\njwt_audience = "authenticated"') + ROOMS + "[routes]\nrequire_token = true\n")
    return str(path)


@pytest.fixture(scope="module")
def server(configuration):
    from carillon_process import Server
    running = Server("--config", configuration)
    yield running
    try:
        running.stop()
    finally:
        running.kill()


@pytest.fixture
def tab(server):
    tabs = []

    def open_tab(user, to=None, **options):
        tabs.append(Tab(to or server, user, **options))
        assert tabs[-1].status == 101, tabs[-1].head
        return tabs[-1]

    yield open_tab
    for each in tabs:
        each.close()


def test_a_token_in_every_form(server):
    good = token(ANN, aud="authenticated")
    for path in ("/api/v1/ws", "/api/v1/ws/"):
        for query, headers in (("", [f"Authorization: Bearer {good}"]), ("", [f"Authorization: {good}"]), ("", [f"Authorization: {KEY}"]),
                               (f"?authentication={good}", []), (f"?authentication={token(BOB)}", [f"Authorization: {good}"])):
            with RawWebSocket(server, path=path + query, headers=headers) as socket:
                assert socket.status == 101, (query, headers, socket.head)


@pytest.mark.parametrize("query, headers, reason", [
    ("", [], "No token found"),
    ("?authentication=", [], "No token found"),
    ("?authentication=nonsense", [], "invalid jwt"),
    ("", ["Authorization: Bearer nonsense"], "invalid jwt"),
    (f"?authentication={token(ANN)}", [], "invalid jwt"),  # Without its audience.
    (f"?authentication={token(ANN, aud='authenticated', secret='another secret of thirty-two bytes.')}", [], "invalid jwt"),
    (f"?authentication={token(ANN, aud='authenticated', exp=1)}", [], "invalid jwt"),
    (f"?authentication={unsigned(ANN)}", [], "invalid jwt"),
    (f"?authentication={KEY}", [], "invalid jwt"),  # Queries are logged on the way: the API key is not taken there.
])
def test_a_refused_handshake_says_why_in_headers(server, query, headers, reason):
    with RawWebSocket(server, path="/api/v1/ws" + query, headers=headers) as socket:
        assert socket.status == 401
        assert socket.headers["content-length"] == "0"
        assert socket.headers["sec-websocket-protocol"] == "close"
        assert socket.headers["sec-websocket-close-code"] == "4001"
        assert socket.headers["sec-websocket-close-reason"] == reason


def test_what_is_no_handshake_is_refused_plainly(server):
    with RawHttp(server) as wire:
        answer = wire.ask("GET /api/v1/ws HTTP/1.1\r\nHost: x\r\n\r\n")
        assert answer.status == 401 and "sec-websocket-close-code" not in answer.headers


def test_the_personal_stream_is_shared_by_all_tabs_of_a_user(server, tab):
    one, two, other = tab(ANN), tab(ANN), tab(BOB)
    assert one.do("/channels/list", {}) == [{"id": ANN}]
    for each in (two, other):
        each.expect_silence()
    assert server.call("POST", "/api/publish", {"channel": f"user:{ANN}", "event": "mail", "data": {"from": "us"}}, AS_SERVER).status == 200
    for each in (one, two):
        envelope = each.hear()
        assert envelope == {"route": f"/user/{ANN}", "event": "mail", "payload": {"from": "us"}, "sent_by": None, "error": None,
                            "send_method": "All"}
    other.expect_silence()


def test_send_methods_are_per_user(server, tab, room):
    one, two, other = tab(ANN), tab(ANN), tab(BOB)
    for each in (one, two, other):
        each.subscribe(room)

    def envelope(event, method):
        return {"route": "/" + room.replace(":", "/"), "event": event, "payload": {"n": 1}, "sent_by": {"id": ANN, "name": f"Name of {ANN}"},
                "error": None, "send_method": method}

    assert one.publish(room, "all", {"n": 1}, "All") == [envelope("all", "All")]
    assert two.hear() == other.hear() == envelope("all", "All")
    assert one.publish(room, "others", {"n": 1}, "AllButSender") == []
    assert other.hear() == envelope("others", "AllButSender")
    assert one.publish(room, "own", {"n": 1}, "SenderOnly") == [envelope("own", "SenderOnly")]
    assert two.hear() == envelope("own", "SenderOnly")
    for each in (two, other):
        each.expect_silence()


def test_other_protocols_hear_what_is_for_them(server, tab, room):
    ann, native = tab(ANN), Client(server, f"?token={token(BOB, aud='authenticated')}")
    native.subscribe(room)
    ann.publish(room, "said", [1], "All")
    ann.publish(room, "private", [2], "SenderOnly")
    ann.publish(room, "bye", [3], "AllButSender")
    assert [(message["event"], message["data"]) for message in (native.hear(), native.hear())] == [("said", [1]), ("bye", [3])]
    native.close()
    history = server.get(f"/api/channels/{room}/history", headers=AS_SERVER).json["events"]
    assert [event["event"] for event in history] == ["said", "bye"]


def test_who_comes_back_gets_what_it_missed(server, tab, room):
    ann, bob = tab(ANN), tab(BOB)
    position = ann.subscribe(room)
    ann.reset()
    for n in range(3):
        bob.publish(room, "n", n, "All")
    back = tab(ANN)
    answer = back.subscribe(room, recover={"epoch": position["epoch"], "offset": position["offset"]})
    assert answer["recovered"] is True
    assert [back.hear()["payload"] for _ in range(3)] == [0, 1, 2]


def test_who_is_killed_has_left(server, tab, room):
    ann, bob = tab(ANN), tab(BOB)
    ann.subscribe(room, presence=True)
    assert ann.hear()["event"] == "presenceState"
    bob.subscribe(room, presence=True)
    assert list(ann.hear()["payload"]["joins"]) == [BOB]
    assert [member["user"] for member in ann.do("/channels/members", {"channel": room})] == sorted([ANN, BOB], key=[ANN, BOB].index)
    bob.reset()
    assert list(ann.hear()["payload"]["leaves"]) == [BOB]


def test_what_is_no_request_is_answered(server, tab):
    ann = tab(ANN)
    for text in ("", "{", "null", '{"route":"/r"}', '{"route":5,"payload":1}', '{"payload":1}', '{"route":"/r","payload":1,"id":{}}',
                 '{"route":"' + "r" * 300 + '","payload":1}', "[" * 5000):
        ann.send_text(text)
        envelope = ann.hear()
        assert (envelope["event"], envelope["payload"], envelope["error"]["code"]) == ("error", None, "BAD_REQUEST"), text
    ann.frame(BINARY, b"\x00\xff")
    assert "binary" in ann.hear()["error"]["message"]
    ann.send_text('{"route":"/sql/run","payload":{},"more":1,"id":"q"}')
    envelope = ann.hear()
    assert (envelope["route"], envelope["error"]["code"], envelope["id"]) == ("/sql/run", "NOT_FOUND", "q")
    ann.expect_silence()


def test_a_text_that_is_no_utf8_and_a_message_too_large_close_the_connection(start):
    server = start("--set", "routes.message_bytes=64KiB")
    with Tab(server) as bad:
        bad.frame(TEXT, b"\xff")
        message = bad.read_message()
        assert message[0] == CLOSE and close_code(message[1]) == 1007
    with Tab(server) as large:
        large.send_text(json.dumps({"route": "/r", "payload": "x" * 70_000}))
        message = large.read_message()
        assert message[0] == CLOSE and close_code(message[1]) == 1009


def test_the_first_ping_comes_at_once_and_pongs_echo(server):
    with Tab(server, ANN) as ann:
        frame = ann.read_frame()
        assert (frame.opcode, frame.payload) == (PING, b"\x01")
        ann.frame(PING, b"echo me")
        frame = ann.read_frame()
        assert (frame.opcode, frame.payload) == (PONG, b"echo me")


def test_heartbeats(start):
    server = start("--set", "routes.ping_interval=400ms", "--set", "routes.pong_time=200ms", "--set", "routes.idle_time=1s")
    with Tab(server) as dead:  # Reads, but answers nothing; what it asks does not count as a pong.
        while (frame := dead.read_frame()).opcode == PING:
            dead.send_text('{"route":"/channels/list","payload":{}}')
            assert dead.read_frame().opcode in (TEXT, CLOSE)
        assert frame.opcode == CLOSE or dead.read_frame() is None
    with Tab(server) as quiet:  # Answers pings, and says nothing.
        message = quiet.read_message()
        assert message[0] == CLOSE and close_code(message[1]) == 1001
    watching = start("--set", "routes.ping_interval=200ms", "--set", "routes.pong_time=100ms", "--set", "routes.idle_time=0s")
    with Tab(watching) as viewer:
        for _ in range(10):
            frame = viewer.read_frame()
            assert frame.opcode == PING
            viewer.frame(PONG, frame.payload)
        viewer.expect_silence()


def test_a_token_that_expires_ends_the_connection(start, configuration):
    server = start("--config", configuration, "--set", "auth.jwt_leeway=0s")
    soon = token(ANN, aud="authenticated", exp=int(time.time()) + 2)
    with RawWebSocket(server, path=f"/api/v1/ws?authentication={soon}") as socket:
        message = socket.read_message()
        assert message[0] == CLOSE and close_code(message[1]) == 4001


def test_sigterm_says_goodbye_to_everybody(start):
    server = start("--loops", "2")
    tabs = [Tab(server) for _ in range(8)]
    for each in tabs:
        each.expect_silence()
    assert {"name": "routes", "path": "/api/v1/ws"} in server.get("/api/info").json["protocols"]
    server.stop()
    for each in tabs:
        message = each.read_message()
        assert message[0] == CLOSE and close_code(message[1]) == 1001
        each.close()


def test_metrics_count_connections_and_refusals(start):
    server = start("--set", "routes.requests_per_second=1")
    with Tab(server) as ann:
        answers = [ann.ask("/channels/list", {})[0] for _ in range(3)]
        assert [answer["error"] and answer["error"]["code"] for answer in answers] == [None, "BAD_REQUEST", "BAD_REQUEST"]
        metrics = server.get("/metrics").text
        assert "carillon_routes_connections 1\n" in metrics
        assert "carillon_routes_refused_total 2\n" in metrics
    wait_until(lambda: "carillon_routes_connections 0\n" in server.get("/metrics").text)


@pytest.mark.parametrize("config, why", [
    ('[routes]\npath = "/api"\n', "are both"),
    ('[routes]\npath = "api/v1/ws"\n', "a path begins with"),
    ('[routes]\nping_interval = "5s"\npong_time = "5s"\n', "must be shorter"),
    ('[routes]\nmessage_bytes = "2GiB"\n', "takes a size"),
    ('[routes]\nworkers = 0\n', "takes a whole number"),
])
def test_a_configuration_that_contradicts_itself_is_refused(tmp_path, config, why):
    file = tmp_path / "carillon.toml"
    file.write_text(config)
    told = run_program("check-config", str(file))
    assert told.returncode != 0 and why in told.stderr, told.stderr


def test_with_the_log_what_is_for_one_user_is_heard_and_not_kept(start, tmp_path):
    config = tmp_path / "carillon.toml"
    config.write_text('[[channels]]\nmatch = "room:**"\npublish = "open"\n')
    server = start("--config", str(config), "--loops", "2", data=tmp_path / "data")
    one, two = (Tab(server, path="/api/v1/ws?user=ann&positions=1") for _ in range(2))
    for each in (one, two):
        each.subscribe("room:1")
    assert "position" not in one.publish("room:1", "own", 1, "SenderOnly")[0]
    assert one.publish("room:1", "others", 2, "AllButSender") == []
    assert one.publish("room:1", "all", 3, "All")[0]["position"]["offset"] == 2
    assert [two.hear()["event"], two.hear()["event"]] == ["own", "all"]
    history = server.get("/api/channels/room:1/history").json["events"]
    assert [event["event"] for event in history] == ["others", "all"]
    # Who recovers gets what is for it: the others' is not.
    start_of = {"epoch": history[0]["epoch"], "offset": 0}
    one.do("/channels/unsubscribe", {"id": "room:1"})
    assert one.subscribe("room:1", recover=start_of)["recovered"] is True
    assert one.hear()["event"] == "all"
    for each in (one, two):
        each.expect_silence()
        each.close()
