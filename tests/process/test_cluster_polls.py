"""Long polls over several servers: every request may go to another one than the session's."""
import itertools
import json
import re
import signal
import time
import urllib.parse
import uuid

import pytest

from carillon_process import wait_until
from cluster_of_nodes import Nodes
from talking import RawHttp
from test_bayeux import HANDSHAKE, JSON, Bayeux, later
from test_phoenix import POLL, Poller

MARK = {"X-Carillon-Forwarded": "127.0.0.1:1"}
OPEN = '[[channels]]\nmatch = "**"\npublish = "open"\nhistory_count = 2000\n'


class InTurn:
    """A server for the clients of other tests, each of whose requests goes to the next of these."""

    def __init__(self, *nodes):
        self.turns = itertools.cycle(nodes)

    def call(self, *arguments, **options):
        return next(self.turns).call(*arguments, **options)


@pytest.fixture(scope="module")
def arguments(tmp_path_factory):
    path = tmp_path_factory.mktemp("polls") / "carillon.toml"
    path.write_text(OPEN)
    return ("--config", str(path), "--loops", "2", "--set", "bayeux.timeout=3s", "--set", "phoenix.poll_window=3s")


@pytest.fixture(scope="module")
def nodes(arguments):
    running = Nodes(3, arguments=arguments)
    yield running
    running.end()


@pytest.fixture
def fragile(arguments):
    """Nodes of one's own, which may be killed."""
    running = Nodes(3, arguments=arguments)
    yield running
    running.end()


@pytest.fixture
def name():
    return uuid.uuid4().hex[:12]


def held(node):
    """Connects that wait there."""
    return int(re.search(r"^carillon_bayeux_polls_held (\d+)", node.get("/metrics").text, re.M)[1])


def forwarded(node):
    """Polls that wait elsewhere."""
    return int(re.search(r"^carillon_forwarded_waiting (\d+)", node.get("/metrics").text, re.M)[1])


# --- Every request to another node, everything once and in order


def test_bayeux_polls_on_every_node_hear_everything(nodes, name):
    listeners = [Bayeux(InTurn(*order)) for order in itertools.permutations(nodes)]
    for listener in listeners:
        listener.subscribe(f"/{name}/a", f"/{name}/*")
    for number in range(60):
        nodes[number % 3].publish(f"{name}:a", "said", number)
    for listener in listeners:
        assert listener.hear(60) == list(range(60))


def test_bayeux_messages_of_other_nodes_come_once_and_in_order(nodes, name):
    listener = Bayeux(InTurn(*nodes))
    listener.subscribe(f"/{name}")
    talker = Bayeux(InTurn(nodes[1], nodes[2]))
    heard = []
    for number in range(50):
        assert talker.publish(f"/{name}", number)[-1]["successful"]
        if number % 10 == 0:
            heard += listener.hear(1)
    heard += listener.hear(50 - len(heard))
    assert heard == list(range(50))


def test_a_held_bayeux_poll_hears_of_a_publish_on_a_third_node(nodes, name):
    client = Bayeux(nodes[0])
    client.subscribe(f"/{name}")
    client.server = nodes[1]
    for number in range(10):
        wait = later(client.connect)
        wait_until(lambda: held(nodes[0]) >= 1)
        nodes[2].publish(name, "said", number)
        assert [message["data"] for message in wait() if "data" in message] == [number]


def test_a_held_bayeux_poll_is_answered_when_its_time_is_over(nodes):
    client = Bayeux(nodes[0])
    client.server = nodes[1]
    before = time.monotonic()
    assert client.connect()[-1]["successful"]
    assert 2.9 < time.monotonic() - before < 10


def test_bayeux_forms_and_scripts_on_another_node(nodes, name):
    client = Bayeux(nodes[0])
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    subscribe = json.dumps([{"id": "s", "channel": "/meta/subscribe", "clientId": client.id, "subscription": f"/{name}"}])
    told = nodes[1].call("POST", "/cometd", urllib.parse.urlencode({"message": subscribe}), {**form, "Cookie": client.headers["Cookie"]})
    assert told.json[0]["successful"], told
    nodes[2].publish(name, "said", 7)
    connect = json.dumps([{"id": "c", "channel": "/meta/connect", "clientId": client.id, "connectionType": "callback-polling"}])
    answer = nodes[2].get("/cometd?" + urllib.parse.urlencode({"jsonp": "call", "message": connect}),
                          headers={"Cookie": client.headers["Cookie"]})
    assert answer.headers["Content-Type"].startswith("text/javascript") and answer.text.startswith("/**/call([")
    assert '"data":7' in answer.text


def test_cookies_and_origins_count_on_every_node(nodes):
    client = Bayeux(nodes[0])
    stolen = nodes[1].call("POST", "/cometd", json.dumps([{"channel": "/meta/connect", "clientId": client.id, "id": "c"}]),
                           {**JSON, "Cookie": "BAYEUX_BROWSER=" + "0" * 40})
    assert stolen.json[0]["error"] == "402::session_unknown"
    client.server = nodes[1]
    answer = client.post([{"id": "c", "channel": "/meta/connect", "clientId": client.id, "connectionType": "long-polling",
                           "advice": {"timeout": 0}}], headers={"Origin": nodes[1].url, "x-request-id": "mine"})
    assert answer.json[-1]["successful"]
    for field, value in (("Access-Control-Allow-Origin", nodes[1].url), ("Access-Control-Allow-Credentials", "true"),
                         ("x-request-id", "mine"), ("Vary", "Origin")):
        assert answer.headers.get_all(field) == [value]
    assert client.post([], headers={"Origin": "https://evil.example"}).status == 403


def test_phoenix_polls_on_every_node(nodes, name):
    topic = f"room:{name}"
    listener = Poller(InTurn(*nodes))
    listener.send(["1", "1", topic, "phx_join", {}])
    assert listener.hear(1)[0][3] == "phx_reply"
    talker = Poller(InTurn(nodes[2], nodes[0]))
    talker.send(["1", "1", topic, "phx_join", {}])
    heard = []
    for number in range(40):
        talker.send(["1", str(number + 2), topic, "said", {"number": number}])
        if number % 10 == 0:
            heard += listener.hear(1)
    heard += listener.hear(40 - len(heard))
    assert [frame[4]["number"] for frame in heard] == list(range(40))


def test_a_held_phoenix_poll_hears_of_a_publish_on_a_third_node(nodes, name):
    client = Poller(nodes[0])
    client.send(["1", "1", f"room:{name}", "phx_join", {}])
    client.hear(1)
    client.server = nodes[1]
    for number in range(5):
        wait = later(client.poll)
        time.sleep(0.02)  # Whether it is held by then or not, the outcome is the same.
        nodes[2].publish(f"room:{name}", "said", {"number": number})
        assert [json.loads(frame)[4] for frame in wait().json["messages"]] == [{"number": number}]
    assert client.poll().json["status"] == 204


# --- Ends


def test_a_poll_that_its_client_gives_up_ends_at_its_owner(nodes):
    owner, other = nodes[0], nodes[1]
    wait_until(lambda: held(owner) == 0)
    client = Bayeux(owner)
    connect = json.dumps([{"id": "c", "channel": "/meta/connect", "clientId": client.id, "connectionType": "long-polling"}])
    for _ in range(3):
        wire = RawHttp(other)
        wire.send((f"POST /cometd HTTP/1.1\r\nHost: h\r\nCookie: {client.headers['Cookie']}\r\nContent-Type: application/json\r\n"
                   f"Content-Length: {len(connect)}\r\n\r\n{connect}").encode())
        began = time.monotonic()
        wait_until(lambda: held(owner) == 1)
        wire.socket.close()
        wait_until(lambda: held(owner) == 0)
        assert time.monotonic() - began < 2.5, "its time was over"
    client.server = other
    assert client.connect(advice={"timeout": 0})[-1]["successful"]


def start_anew(client, other, topic):
    """A Bayeux client that was told to."""
    anew = Bayeux(other)
    anew.subscribe(topic)
    assert anew.id != client.id
    return anew


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_a_bayeux_client_whose_node_ends_starts_anew(fragile, name, how):
    owner, other, third = fragile
    client = Bayeux(owner)
    client.subscribe(f"/{name}")
    client.server = other
    wait = later(client.connect)
    wait_until(lambda: held(owner) == 1)
    owner.process.send_signal(how)
    try:
        answer = wait()[-1]
        assert (answer["successful"], answer["error"], answer["advice"]["reconnect"]) == (False, "402::session_unknown", "handshake")
        # From now on it is known at once.
        assert client.connect()[-1]["error"] == "402::session_unknown"
        anew = start_anew(client, InTurn(other, third), f"/{name}")
        third.publish(name, "said", "on")
        assert anew.hear(1) == ["on"]
    finally:
        owner.process.send_signal(signal.SIGCONT)


def test_a_phoenix_client_whose_node_is_killed_starts_anew(fragile, name):
    owner, other, third = fragile
    client = Poller(owner)
    client.send(["1", "1", f"room:{name}", "phx_join", {}])
    client.hear(1)
    client.server = other
    wait = later(client.poll)
    wait_until(lambda: forwarded(other) == 1)
    owner.process.kill()
    answer = wait().json
    assert answer["status"] == 410 and answer["messages"] == []
    assert answer["token"] != client.token
    assert client.post("[]").json == {"status": 410}
    client.token, client.server = answer["token"], InTurn(third, other)
    client.send(["1", "1", f"room:{name}", "phx_join", {}])
    assert client.hear(1)[0][3] == "phx_reply"


def test_a_node_that_stops_answers_what_is_held_elsewhere(fragile, name):
    owner, other, third = fragile
    client, poller = Bayeux(owner), Poller(owner)
    client.subscribe(f"/{name}")
    client.server = poller.server = other
    wait = later(lambda: client.post([{"id": "c", "channel": "/meta/connect", "clientId": client.id, "connectionType": "long-polling"}]))
    polled = later(poller.poll)
    wait_until(lambda: forwarded(other) == 2 and held(owner) == 1)
    other.terminate()
    assert wait().status == 503
    assert polled().json["status"] == 204
    assert other.wait() == 0
    client.server = poller.server = third
    third.publish(name, "said", "still there")
    assert client.hear(1) == ["still there"]
    poller.send(["1", "1", f"room:{name}", "phx_join", {}])


# --- What is asked from outside


def test_a_mark_from_outside_gains_nothing(nodes):
    client = Bayeux(nodes[0])
    connect = [{"id": "c", "channel": "/meta/connect", "clientId": client.id, "connectionType": "long-polling", "advice": {"timeout": 0}}]
    assert nodes[1].call("POST", "/cometd", json.dumps(connect), {**client.headers, **MARK}).status == 421, "it goes no further"
    assert nodes[0].call("POST", "/cometd", json.dumps([HANDSHAKE]), {**JSON, **MARK}).status == 421
    assert nodes[0].get(POLL, headers=MARK).status == 421
    # Programs on this machine may publish; who forwards is none.
    body = {"channel": "a", "event": "e", "data": 1}
    assert nodes[0].call("POST", "/api/publish", body).status == 200
    assert nodes[0].call("POST", "/api/publish", body, MARK).status in (401, 403)


def test_ids_of_nodes_that_are_none(nodes):
    for node in ("0000", "00ff", "ffff"):
        client_id = "00060a24e0" + node + "00" + "a" * 24
        answer = nodes[0].call("POST", "/cometd", json.dumps([{"id": "c", "channel": "/meta/connect", "clientId": client_id}]), JSON)
        assert answer.json[0]["error"] == "402::session_unknown" and answer.json[0]["advice"]["reconnect"] == "handshake"
    for node in (0, 255, 65535):
        assert nodes[0].get(f"{POLL}&token={node}.0.{'a' * 32}").json["status"] == 410
        assert nodes[0].call("POST", f"{POLL}&token={node}.0.{'a' * 32}", "[]").json == {"status": 410}


def test_a_client_of_event_streams_goes_on_by_polls_at_another_server(nodes, name):
    client = Bayeux(nodes[0])
    client.subscribe(f"/{name}")
    refused = nodes[1].get(f"/cometd/{client.id}", headers={"Accept": "text/event-stream", "Cookie": client.headers["Cookie"]})
    assert refused.status == 404, "faye's EventSource gives up then, and not its connects"
    client.server = nodes[1]
    nodes[2].publish(name, "said", 1)
    assert [message["data"] for message in client.connect(connectionType="eventsource") if "data" in message] == [1]
