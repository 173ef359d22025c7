"""Phoenix Channels by hand: refusals, tokens, long-polls on every loop, bodies and frames of every wrong kind, ends and restarts."""
import base64
import json
import re
import threading
import time

import pytest

from carillon_process import Server, wait_until
from talking import BINARY, CLOSE, TEXT, RawWebSocket, Wire, close_code
from test_tokens import KEY, SECRET, token

SOCKET = "/socket/websocket?vsn=2.0.0"
POLL = "/socket/longpoll?vsn=2.0.0"
NDJSON = {"Content-Type": "application/x-ndjson"}


class Phoenix(RawWebSocket):
    def __init__(self, server, path=SOCKET, **options):
        super().__init__(server, path=path, **options)
        self.ref = 0

    def say(self, topic, event, payload=None, join_ref="1"):
        self.ref += 1
        self.frame(TEXT, json.dumps([join_ref, str(self.ref), topic, event, payload or {}]))

    def hear(self):
        message = self.read_message()
        assert message is not None and message[0] == TEXT, message
        return json.loads(message[1])

    def ask(self, topic, event, payload=None, join_ref="1"):
        """Status and response of the reply, which must come next."""
        self.say(topic, event, payload, join_ref)
        _, ref, where, kind, answer = self.hear()
        assert (ref, where, kind) == (str(self.ref), topic, "phx_reply")
        return answer["status"], answer["response"]

    def read_to_close(self):
        while (message := self.read_message()) is not None and message[0] != CLOSE:
            pass
        return message and close_code(message[1])


class Poller:
    """A long-poll client; every request on a connection of its own, so on any loop."""

    def __init__(self, server, headers=None, query=""):
        self.server, self.headers = server, headers or {}
        self.opened = server.call("GET", POLL + query, headers=self.headers)
        self.token = self.opened.json.get("token")

    def poll(self, **options):
        return self.server.call("GET", POLL, headers={"X-Phoenix-Longpoll-Token": self.token}, **options)

    def post(self, body, headers=NDJSON):
        return self.server.call("POST", f"{POLL}&token={self.token}", body, headers)

    def send(self, *frames):
        answer = self.post("\n".join(json.dumps(frame) for frame in frames))
        assert (answer.status, answer.json) == (200, {"status": 200})

    def hear(self, count):
        """So many frames, of as many polls as it takes."""
        heard = []
        deadline = time.monotonic() + 30
        while len(heard) < count:
            assert time.monotonic() < deadline, f"{heard} and no more"
            answer = self.poll().json
            assert answer["status"] in (200, 204), answer
            heard += [json.loads(frame) for frame in answer["messages"]]
        return heard


@pytest.fixture(scope="module")
def rooms(tmp_path_factory):
    path = tmp_path_factory.mktemp("phoenix") / "carillon.toml"
    path.write_text('[[channels]]\nmatch = "room:**"\npublish = "open"\n[[channels]]\nmatch = "lobby:**"\npresence = true\n')
    return str(path)


@pytest.fixture(scope="module")
def server(rooms):
    running = Server("--config", rooms, "--loops", "4")
    yield running
    running.stop()


# --- Refused before anything is open


@pytest.mark.parametrize("query", ["?vsn=3.0.0", "?vsn=2.1.0", "?vsn=2", "?vsn=", "?vsn=x&token=y"])
def test_a_version_that_there_is_not(server, query):
    refused = RawWebSocket(server, path="/socket/websocket" + query)
    assert refused.status == 403
    assert refused.headers["content-length"] == "0"
    assert server.get("/socket/longpoll" + query).json == {"status": 403}


def test_origins_and_methods(server):
    evil = {"Origin": "https://evil.example"}
    assert RawWebSocket(server, path=SOCKET, headers=["Origin: https://evil.example"]).status == 403
    refused = server.get(POLL, headers=evil)
    assert refused.json == {"status": 403} and refused.headers["Access-Control-Allow-Origin"] is None
    assert server.call("POST", POLL, "[]", {**NDJSON, **evil}).json == {"status": 403}
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        assert server.call(method, SOCKET).status == 400
    assert server.call("DELETE", POLL).status == 400
    assert server.get(SOCKET).status in (400, 426)


def test_a_page_may_poll_from_its_origin(server):
    origin = {"Origin": server.url}
    asked = server.call("OPTIONS", POLL, headers={**origin, "Access-Control-Request-Headers": "x-phoenix-longpoll-token"})
    assert asked.status == 200
    assert asked.headers["Access-Control-Allow-Headers"] == "x-phoenix-longpoll-token"
    assert asked.headers["Access-Control-Allow-Methods"] == "get, post, options"
    assert asked.headers["Access-Control-Max-Age"] == "3600"
    # With a star, browsers refuse what is asked with credentials; phoenix.js sends none.
    for answer in (asked, server.get(POLL, headers=origin), server.get(POLL), server.get(POLL + "9", headers=origin)):
        assert answer.headers.get_all("Access-Control-Allow-Origin") == ["*"]
        assert answer.headers["Access-Control-Allow-Credentials"] is None
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Content-Type"] == "application/json; charset=utf-8"


# --- Tokens


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    path = tmp_path_factory.mktemp("phoenix") / "guarded.toml"
    path.write_text(f'[auth]\napi_key = "{KEY}"\njwt_secrets = ["{SECRET}"]\njwt_leeway = "0s"\nrequire_token = true\n'
                    '[[channels]]\nmatch = "user:{user}/**"\nsubscribe = "owner"\npublish = "owner"\n')
    running = Server("--config", str(path), "--loops", "2")
    yield running
    running.stop()


def offered(text, encode=base64.b64encode):
    encoded = encode(text.encode()).decode().rstrip("=")
    return [f"Sec-WebSocket-Protocol: phoenix, base64url.bearer.phx.{encoded}"]


@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
def test_a_token_as_subprotocol(guarded, encode):
    alice = Phoenix(guarded, headers=offered(token("alice", note="<<???>>~~~"), encode))
    assert alice.status == 101 and alice.headers["sec-websocket-protocol"] == "phoenix"
    assert alice.ask("user:alice", "phx_join") == ("ok", {})
    assert alice.ask("user:bob", "phx_join", join_ref="2")[1]["reason"] == "unauthorized"


def test_a_token_in_the_query(guarded):
    alice = Phoenix(guarded, path=SOCKET + "&token=" + token("alice"))
    assert alice.ask("user:alice", "phx_join") == ("ok", {})


def test_tokens_that_do_not_hold(guarded):
    old = token("alice", exp=int(time.time()) - 60)
    for shown in (old, token("alice", secret="another secret of thirty-two bytes"), "x"):
        assert RawWebSocket(guarded, path=SOCKET, headers=offered(shown)).status == 403
        assert RawWebSocket(guarded, path=SOCKET + "&token=" + shown).status == 403
        assert guarded.get(POLL, headers={"X-Phoenix-AuthToken": shown}).json == {"status": 403}
    assert RawWebSocket(guarded, path=SOCKET, headers=["Sec-WebSocket-Protocol: phoenix, base64url.bearer.phx.!!"]).status == 403
    assert RawWebSocket(guarded, path=SOCKET).status == 403
    assert guarded.get(POLL).json == {"status": 403}


def test_a_connection_ends_with_its_token(guarded):
    brief = token("alice", exp=int(time.time()) + 2)
    socket = Phoenix(guarded, headers=offered(brief))
    poller = Poller(guarded, headers={"X-Phoenix-AuthToken": brief})
    assert poller.opened.json["status"] == 410
    assert socket.read_to_close() == 1008
    wait_until(lambda: poller.post("[]").json == {"status": 410})
    assert guarded.get(POLL, headers={"X-Phoenix-AuthToken": brief}).json == {"status": 403}


def test_a_poll_goes_on_with_a_token_of_its_users_beside_it(guarded):
    own = token("alice")
    poller = Poller(guarded, query="&token=" + own)
    assert poller.opened.json["status"] == 410
    body = json.dumps(["1", "1", "user:alice", "phx_join", {}])
    both = f"{POLL}&token={own}&token={poller.token}"
    assert guarded.call("POST", both, body, NDJSON).json == {"status": 200}
    assert json.loads(guarded.get(both).json["messages"][0])[4]["status"] == "ok"


# --- Long-poll


def test_every_loop_serves_every_session(server):
    poller = Poller(server)
    assert (poller.opened.status, poller.opened.json["status"], poller.opened.json["messages"]) == (200, 410, [])
    poller.send(["1", "1", "room:loops", "phx_join", {}])
    assert poller.hear(1)[0][3] == "phx_reply"
    sent = []
    for number in range(100):
        poller.send(["1", str(number + 2), "room:loops", "said", {"n": number}])
        sent += [number]
        if number % 10 == 9:
            heard = poller.hear(20)
            assert [frame[4]["n"] for frame in heard if frame[3] == "said"] == sent
            assert all(frame[4]["status"] == "ok" for frame in heard if frame[3] == "phx_reply")
            sent = []


def test_a_held_poll_hears_at_once(server):
    poller, talker = Poller(server), Phoenix(server)
    poller.send(["1", "1", "room:held", "phx_join", {}])
    poller.hear(1)
    talker.ask("room:held", "phx_join")
    heard = []
    waiting = threading.Thread(target=lambda: heard.extend(poller.hear(1)))
    waiting.start()
    talker.say("room:held", "said", {"n": 1})
    waiting.join(5)
    assert heard == [[None, None, "room:held", "said", {"n": 1}]]


def test_a_batch_of_a_hundred(server):
    poller = Poller(server)
    poller.send(["1", "0", "room:batch", "phx_join", {}], *[["1", str(n), "room:batch", "said", {"n": n}] for n in range(1, 100)])
    heard = poller.hear(199)
    assert [frame[4]["n"] for frame in heard if frame[3] == "said"] == list(range(1, 100))


def test_a_single_text_of_either_version(server):
    poller = Poller(server)
    assert poller.post('["1","1","room:one","phx_join",{}]', {"Content-Type": "text/plain"}).json == {"status": 200}
    assert poller.hear(1)[0][:4] == ["1", "1", "room:one", "phx_reply"]
    old = server.get("/socket/longpoll").json["token"]
    body = '{"topic":"room:one","event":"phx_join","payload":{},"ref":"1"}'
    assert server.call("POST", f"/socket/longpoll?token={old}", body, {"Content-Type": "application/json"}).json == {"status": 200}
    heard = json.loads(server.get(f"/socket/longpoll?token={old}").json["messages"][0])
    assert heard["payload"] == {"status": "ok", "response": {}}


def test_bytes_in_a_batch(server):
    poller, listener = Poller(server), Phoenix(server)
    listener.ask("room:bytes", "phx_join")
    poller.send(["1", "1", "room:bytes", "phx_join", {}])
    binary = bytes([0, 1, 1, 10, 1]) + b"1" + b"2" + b"room:bytes" + b"b" + b"\x00\xff"
    assert poller.post(base64.b64encode(binary)).json == {"status": 200}
    assert listener.read_message() == (BINARY, b"\x02\x0a\x01room:bytesb\x00\xff")
    assert poller.hear(3)[1][4] == {"data": "AP8=", "encoding": "base64"}


@pytest.mark.parametrize("status, body", [
    (400, "!!!"), (400, "AAEC="), (400, '"text"'), (400, b'["\xff"]'), (400, '["1","1","a","phx_join",{}]\nnot base64!'),
    (413, "[]\n" * 101), (413, "[" + "1" * 1_100_000 + "]"), (413, base64.b64encode(b"x" * 1_100_000))])
def test_wrong_bodies(server, status, body):
    poller = Poller(server)
    answer = poller.post(body)
    assert (answer.status, answer.json) == (200, {"status": status})
    poller.send(["1", "1", "room:after", "phx_join", {}])
    assert poller.hear(1)[0][4]["status"] == "ok"


def test_sessions_that_there_are_not(server):
    for wrong in ("x", "0." + "0" * 32, "9999." + "0" * 32, "99999999999999999999." + "0" * 32, "-1." + "0" * 32, "%00", "a" * 5000):
        assert server.call("POST", f"{POLL}&token={wrong}", "[]", NDJSON).json == {"status": 410}
        answer = server.get(f"{POLL}&token={wrong}").json
        assert answer["status"] == 410 and answer["token"] != wrong


def test_a_session_without_polls_ends(start):
    server = start("--set", "phoenix.poll_window=300ms", "--loops", "2")
    poller = Poller(server)
    began = time.monotonic()
    assert poller.poll().json == {"status": 204, "token": poller.token, "messages": []}
    assert time.monotonic() - began >= 0.29
    assert [s["protocol"] for s in server.sessions()] == ["phoenix"]
    wait_until(lambda: not server.sessions())
    assert poller.post("[]").json == {"status": 410}


def http_connections(server):
    return int(re.search(r'^carillon_connections{kind="http"} (\d+)', server.get("/metrics").text, re.M)[1])


def test_a_poll_that_is_cut_off_loses_nothing(rooms, start):
    server = start("--config", rooms, "--loops", "4", "--set", "phoenix.poll_window=1s")
    poller, talker = Poller(server), Phoenix(server)
    poller.send(["1", "1", "room:cut", "phx_join", {}])
    poller.hear(1)
    talker.ask("room:cut", "phx_join")
    before = http_connections(server)
    for number in range(20):
        poll = Wire(server)
        poll.send(f"GET {POLL}&token={poller.token} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        poll.close()
        talker.say("room:cut", "said", {"n": number})
        talker.hear(), talker.hear()
    # What had begun to leave for a client that was gone already may be lost with it; the rest comes once, and in order. None of
    # them takes the place of the polls below.
    wait_until(lambda: http_connections(server) <= before)
    numbers = []
    while (answer := poller.poll().json)["status"] == 200:
        numbers += [json.loads(frame)[4]["n"] for frame in answer["messages"]]
    talker.say("room:cut", "said", {"n": 20})
    numbers += [frame[4]["n"] for frame in poller.hear(1)]
    assert numbers == sorted(set(numbers))
    assert numbers[-1] == 20


def test_only_so_many_sessions(start):
    server = start("--set", "phoenix.poll_sessions_max=5", "--loops", "1")
    assert [server.get(POLL).json["status"] for _ in range(7)] == [410] * 5 + [403] * 2
    assert "long-poll session refused" in server.log


# --- Much, and wrong


def test_ten_thousand_joins_on_one_socket(server):
    greedy, other = Phoenix(server, timeout=30), Phoenix(server)
    statuses = []
    for first in range(0, 10_000, 500):
        for number in range(first, first + 500):
            greedy.say(f"room:many/{number}", "phx_join", join_ref=str(number))
        statuses += [greedy.hear()[4] for _ in range(500)]
        assert other.ask("phoenix", "heartbeat", join_ref=None) == ("ok", {})
    assert [s["status"] for s in statuses] == ["ok"] * 100 + ["error"] * 9_900
    assert all(s["response"] == {"reason": "too many channels joined"} for s in statuses[100:])
    greedy.close()
    wait_until(lambda: all(s["subscriptions"] < 100 for s in server.sessions()))


def test_topics_that_are_too_long(server):
    client = Phoenix(server)
    for size in (256, 10_000, 500_000):
        status, response = client.ask("t" * size, "phx_join")
        assert (status, response["reason"]) == ("error", "invalid message")
    assert client.ask("t" * 255, "phx_join") == ("ok", {})
    status, response = client.ask("t" * 255, "e" * 256)
    assert (status, response["reason"]) == ("error", "invalid message")


def test_a_client_that_talks_nonsense_is_held_back(server):
    nonsense = [(TEXT, "x", 1007), (TEXT, "[]", 1007), (TEXT, '{"topic":1}', 1007), (BINARY, b"", 1007), (BINARY, b"\x01", 1007),
                (BINARY, bytes([0, 9, 9, 9, 9]), 1007), (TEXT, "[" * 200, 1007)]
    began = time.monotonic()
    talks = []
    for opcode, message, code in nonsense:
        talks.append((Phoenix(server), code))
        talks[-1][0].frame(opcode, message)
    for client, code in talks:
        assert client.read_to_close() == code
    assert 4.5 < time.monotonic() - began < 9


# --- Ends


def test_a_stop_sends_everybody_away_to_come_back(start):
    server = start("--loops", "2")
    sockets = [Phoenix(server) for _ in range(10)]
    for socket in sockets:
        socket.ask("room:1", "phx_join")
    poller, answers = Poller(server), []
    waiting = threading.Thread(target=lambda: answers.append(poller.poll().json))
    waiting.start()
    # Nobody sees from outside that a poll is held; but a second one takes its place, and the first is answered.
    second = threading.Thread(target=lambda: answers.append(poller.poll().json))
    second.start()
    wait_until(lambda: len(answers) == 1)
    server.terminate()
    assert [socket.read_to_close() for socket in sockets] == [1012] * 10
    for thread in (waiting, second):
        thread.join(5)
    assert [answer["status"] for answer in answers] == [204, 204]
    server.stop()


def test_a_kill_and_a_restart(start, rooms):
    first = start("--config", rooms, "--loops", "2")
    client, poller = Phoenix(first), Poller(first)
    status, before = client.ask("room:1", "phx_join", {"since": None})
    client.say("room:1", "said", {"n": 1})
    client.hear(), client.hear()
    first.kill()
    assert client.read_to_close() is None
    second = start("--config", rooms, "--loops", "2", "--listen", f"{first.host}:{first.port}")
    poller.server = second
    assert poller.post("[]").json == {"status": 410}
    again = poller.poll().json
    assert again["status"] == 410 and again["token"] != poller.token
    client = Phoenix(second)
    status, after = client.ask("room:1", "phx_join", {"since": {"offset": 1, "epoch": before["epoch"]}})
    assert status == "ok" and after["recovered"] is False and after["epoch"] != before["epoch"]


def test_presence_of_clients_that_are_cut_off(server):
    watcher = Phoenix(server, path=SOCKET + "&user=watcher")
    assert watcher.ask("lobby:1", "phx_join")[0] == "ok"
    assert list(watcher.hear()[4]) == ["watcher"]
    for number in range(5):
        guest = Phoenix(server, path=f"{SOCKET}&user=guest{number}")
        guest.ask("lobby:1", "phx_join")
        assert list(watcher.hear()[4]["joins"]) == [f"guest{number}"]
        guest.close()
        assert list(watcher.hear()[4]["leaves"]) == [f"guest{number}"]


def test_a_webhook_is_an_event_of_its_kind(server):
    client = Phoenix(server)
    assert client.ask("repo:octo/app", "phx_join") == ("ok", {})
    payload = {"ref": "refs/heads/main", "before": "0" * 40, "after": "1" * 40, "commits": [],
               "repository": {"name": "app", "full_name": "octo/app", "owner": {"login": "octo"}},
               "pusher": {"name": "octo"}, "sender": {"login": "octo"}}
    answer = server.call("POST", "/webhooks/github", payload, {"X-GitHub-Event": "push", "X-GitHub-Delivery": "one"})
    assert 200 <= answer.status < 300, answer
    _, _, topic, event, data = client.hear()
    assert (topic, event) == ("repo:octo/app", "push")
    assert isinstance(data, dict) and data
