"""Bayeux sessions that go on by WebSocket at another server than theirs."""
import signal
import time

import pytest

from carillon_process import wait_until
from cluster_of_nodes import Nodes
from talking import TEXT
from test_bayeux import Bayeux, Socket
from test_cluster_polls import arguments, forwarded, fragile, held, name, nodes  # Fixtures, most of them.

CONNECT = {"id": "c", "channel": "/meta/connect", "connectionType": "websocket"}


class Roamer:
    """A client with a WebSocket at some server, which may be another than its session's."""

    def __init__(self, node, cookie=None):
        self.cookie = cookie
        self.socket = Socket(node).shake_hands()
        self.id = self.socket.id
        self.waiting = []

    def move(self, node):
        self.socket.close()
        self.socket = Socket(node, headers=[f"Cookie: {self.cookie}"] if self.cookie else [])
        return self

    def say(self, channel, **fields):
        self.socket.say({"id": "1", "channel": channel, "clientId": self.id, **fields})

    def connect(self, **fields):
        self.socket.say({**CONNECT, "clientId": self.id, **fields})

    def take(self, wanted):
        """The first message that is wanted; those before it stay."""
        while True:
            for index, message in enumerate(self.waiting):
                if wanted(message):
                    return self.waiting.pop(index)
            self.waiting += self.socket.hear()

    def reply(self, channel):
        return self.take(lambda message: message["channel"] == channel and "data" not in message)

    def ask(self, channel, **fields):
        self.say(channel, **fields)
        return self.reply(channel)

    def hear(self, count):
        """The data of so many deliveries; a connect is always there."""
        heard = []
        while len(heard) < count:
            message = self.take(lambda one: "data" in one or one["channel"] == "/meta/connect")
            if "data" in message:
                heard.append(message["data"])
            else:
                assert message["successful"], message
                self.connect()
        return heard


def test_a_session_goes_on_by_websocket_at_any_server_and_hears_everything_in_order(nodes, name):
    client = Roamer(nodes[0])
    assert client.ask("/meta/subscribe", subscription=f"/{name}")["successful"]
    count = 0
    for turn in (1, 2, 0, 2, 1, 0):
        client.move(nodes[turn])
        client.connect(advice={"timeout": 0})
        assert client.reply("/meta/connect")["successful"]
        client.connect()
        heard = []
        for _ in range(20):
            nodes[count % 3].publish(name, "said", count)
            count += 1
        heard = client.hear(20)
        assert heard == list(range(count - 20, count))


def test_what_is_asked_there_is_done_in_its_order(nodes, name):
    listener, client = Bayeux(nodes[2]), Roamer(nodes[0]).move(nodes[1])
    listener.subscribe(f"/{name}")
    assert client.ask("/meta/subscribe", subscription=[f"/{name}", f"/{name}/more"])["successful"]
    for number in range(500):
        client.say(f"/{name}", data=number)
    for _ in range(500):
        assert client.reply(f"/{name}")["successful"]
    client.connect()
    assert client.hear(500) == list(range(500))
    assert listener.hear(500) == list(range(500))
    assert client.ask("/meta/unsubscribe", subscription=f"/{name}")["successful"]
    refused = client.ask("/meta/subscribe", subscription="/meta/all")
    assert not refused["successful"] and refused["error"].startswith("403")


def test_a_connect_is_held_and_a_newer_one_takes_its_place(nodes, name):
    client = Roamer(nodes[0])
    client.ask("/meta/subscribe", subscription=f"/{name}")
    client.move(nodes[1])
    client.connect(id="first")
    wait_until(lambda: held(nodes[0]) == 1 and forwarded(nodes[1]) == 1)
    client.connect(id="second")
    wait_until(lambda: held(nodes[0]) == 1 and forwarded(nodes[1]) == 1)
    nodes[2].publish(name, "said", 1)
    assert client.hear(1) == [1]
    assert client.reply("/meta/connect")["id"] == "second"
    client.connect(id="third")
    before = time.monotonic()
    answer = client.reply("/meta/connect")
    assert (answer["id"], answer["successful"]) == ("third", True) and time.monotonic() - before < 10


def test_a_disconnect_there_answers_the_connect_that_waits(nodes):
    client = Roamer(nodes[0]).move(nodes[1])
    client.connect()
    wait_until(lambda: held(nodes[0]) == 1)
    client.say("/meta/disconnect")
    assert client.reply("/meta/connect")["advice"]["reconnect"] == "none"
    assert client.reply("/meta/disconnect")["successful"]
    client.connect()
    assert client.reply("/meta/connect")["error"] == "402::session_unknown"


def test_a_socket_that_vanishes_there_is_seen_at_the_sessions_server(nodes, name):
    client = Roamer(nodes[0])
    client.ask("/meta/subscribe", subscription=f"/{name}")
    client.move(nodes[1])
    client.connect()
    wait_until(lambda: held(nodes[0]) == 1)
    client.socket.reset()
    wait_until(lambda: held(nodes[0]) == 0 and forwarded(nodes[1]) == 0)
    nodes[1].publish(name, "said", "meanwhile")
    client.move(nodes[2])
    client.connect()
    assert client.hear(1) == ["meanwhile"]


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_who_loses_its_session_with_its_server_begins_anew_on_the_same_socket(fragile, name, how):
    client = Roamer(fragile[0]).move(fragile[1])
    client.connect(advice={"timeout": 0})
    assert client.reply("/meta/connect")["successful"]
    client.connect()
    wait_until(lambda: held(fragile[0]) == 1)
    fragile[0].kill() if how == signal.SIGKILL else fragile[0].stop()
    # One that stops answers what it holds; then it is gone.
    while "error" not in (answer := client.reply("/meta/connect")):
        client.connect()
    assert (answer["error"], answer["advice"]["reconnect"]) == ("402::session_unknown", "handshake")
    old = client.id
    client.id = client.socket.shake_hands().id
    assert client.id != old
    assert client.ask("/meta/subscribe", subscription=f"/{name}")["successful"]
    client.connect()
    fragile[2].publish(name, "said", 1)
    assert client.hear(1) == [1]
    fragile.replace(0)


def test_a_session_bound_to_a_cookie_is_not_to_be_had_without_it(nodes):
    polls = Bayeux(nodes[0])
    polls.connect(advice={"timeout": 0})
    for cookie in (None, "BAYEUX_BROWSER=" + "0" * 40):
        thief = Socket(nodes[1], headers=[f"Cookie: {cookie}"] if cookie else [])
        thief.say({**CONNECT, "clientId": polls.id})
        assert thief.hear()[0]["error"] == "402::session_unknown"
    owner = Socket(nodes[1], headers=[f"Cookie: {polls.headers['Cookie']}"])
    owner.say({**CONNECT, "clientId": polls.id, "advice": {"timeout": 0}})
    assert owner.hear()[0]["successful"]


def test_what_cannot_be_read_closes_there_too(nodes):
    client = Roamer(nodes[0]).move(nodes[1])
    client.connect(advice={"timeout": 0})
    assert client.reply("/meta/connect")["successful"]
    client.socket.frame(TEXT, "[{]")
    assert client.socket.read_to_close() == 1011


def test_a_socket_may_change_to_a_session_of_its_own_server(nodes, name):
    client = Roamer(nodes[0]).move(nodes[1])
    client.connect()
    wait_until(lambda: held(nodes[0]) == 1)
    here = client.socket.shake_hands().id
    wait_until(lambda: held(nodes[0]) == 0)
    client.id = here
    assert client.ask("/meta/subscribe", subscription=f"/{name}")["successful"]
    nodes[0].publish(name, "said", 1)
    assert client.hear(1) == [1]


def test_who_floods_a_session_whose_server_stands_still_is_let_go(fragile, name):
    client = Roamer(fragile[0]).move(fragile[1])
    assert client.ask("/meta/subscribe", subscription=f"/{name}")["successful"]
    fragile[0].process.send_signal(signal.SIGSTOP)
    try:
        for _ in range(40):
            client.say(f"/{name}", data="x" * 100_000)
        assert client.socket.read_to_close() == 1013
    finally:
        fragile[0].process.send_signal(signal.SIGCONT)
    assert Bayeux(fragile[1]).connect(advice={"timeout": 0})[-1]["successful"]


def test_where_long_polls_are_not_offered_a_session_stays_at_its_server(arguments):
    running = Nodes(2, arguments=(*arguments, "--set", "bayeux.transports=websocket"))
    try:
        client = Roamer(running[0]).move(running[1])
        client.connect()
        assert client.reply("/meta/connect")["error"] == "402::session_unknown"
    finally:
        running.end()
