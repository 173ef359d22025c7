"""Several servers over one Redis: every protocol across nodes, order, and what happens when a node, the Redis or the way to it goes away."""
import json
import pathlib
import random
import signal
import subprocess
import sys
import threading
import time
import urllib.request
import uuid

import pytest

from carillon_process import run_program, wait_until
from cluster_of_nodes import Nodes
from redis_processes import RedisCluster, RedisError, RedisServer, Way
from talking import Client, SseReader
from test_bayeux import Bayeux
from test_infotainer import Two
from test_phoenix import Phoenix
from test_routes import ANN, BOB, Tab
from test_tokens import SECRET

OPEN = '[[channels]]\nmatch = "**"\npublish = "open"\nhistory_count = 2000\npresence = true\n'


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    path = tmp_path_factory.mktemp("cluster") / "carillon.toml"
    path.write_text(OPEN)
    return ("--config", str(path), "--loops", "2")


@pytest.fixture(scope="module")
def nodes(config):
    running = Nodes(3, arguments=config)
    yield running
    running.end()


@pytest.fixture
def start(config):
    """Nodes of one's own, which may be broken."""
    running = []

    def start_some(count=2, redis=None, arguments=config, **options):
        running.append(Nodes(count, redis, arguments, **options))
        return running[-1]

    yield start_some
    for some in running:
        some.end()


@pytest.fixture
def room():
    return f"room:{uuid.uuid4().hex[:12]}"


def subscribe(client, channel, **more):
    """Where the Redis has just come back: that may be told first."""
    client.say({"type": "subscribe", "channel": channel, **more})
    while (answer := client.hear())["type"] == "continuity":
        pass
    assert answer["type"] == "subscribed", answer
    return answer


def data_of(client):
    """The data of the next event a native client hears."""
    while (message := client.hear())["type"] != "event":
        assert message["type"] in ("continuity", "presence_diff"), message
    return message["data"]


# ---- every protocol to every other, from node to node ----

class NativeSide:
    def __init__(self, node, channel):
        self.channel, self.client = channel, Client(node)
        self.client.subscribe(channel)

    def publish(self, data):
        self.client.say({"type": "publish", "channel": self.channel, "event": "said", "data": data})
        while self.client.hear()["type"] != "published":
            pass

    def hear(self):
        return data_of(self.client)

    def close(self):
        self.client.close()


class HttpSide:
    """Publishes over HTTP, hears by server-sent events."""

    def __init__(self, node, channel):
        self.node, self.channel = node, channel
        self.reader = SseReader(node, channel)
        self.reader.wait_for_line(lambda line: line.startswith("id:"))

    def publish(self, data):
        self.node.publish(self.channel, "said", data)

    def hear(self):
        while True:
            event = self.reader.next()
            if event.event == "message":
                return json.loads(event.data)["data"]

    def close(self):
        self.reader.close()


class PhoenixSide:
    def __init__(self, node, channel):
        self.channel, self.client = channel, Phoenix(node)
        assert self.client.ask(channel, "phx_join")[0] == "ok"

    def publish(self, data):
        self.client.say(self.channel, "said", data)
        while self.client.hear()[3] != "phx_reply":
            pass

    def hear(self):
        while True:
            _, _, topic, event, payload = self.client.hear()
            if topic == self.channel and not event.startswith(("phx_", "presence_")):
                return payload

    def close(self):
        self.client.close()


class BayeuxSide:
    def __init__(self, node, channel):
        self.channel, self.client = "/" + channel.replace(":", "/", 1), Bayeux(node)
        self.client.subscribe(self.channel)
        self.waiting = []

    def publish(self, data):
        self.client.publish(self.channel, data)

    def hear(self):
        while not self.waiting:
            self.waiting = self.client.hear(1)
        return self.waiting.pop(0)

    def close(self):
        self.client.say("/meta/disconnect")


class RoutesSide:
    def __init__(self, node, channel):
        self.channel, self.client = channel, Tab(node)
        self.client.subscribe(channel)

    def publish(self, data):
        self.client.publish(self.channel, "said", data, "All")

    def hear(self):
        while (envelope := self.client.hear())["event"] != "said" and envelope["route"] != "/" + self.channel.replace(":", "/", 1):
            pass
        return envelope["payload"]

    def close(self):
        self.client.close()


SIDES = {"native": NativeSide, "http": HttpSide, "phoenix": PhoenixSide, "bayeux": BayeuxSide, "routes": RoutesSide}


@pytest.mark.parametrize("here", SIDES)
@pytest.mark.parametrize("there", SIDES)
def test_every_protocol_reaches_every_other_on_another_node(nodes, room, here, there):
    speaker, listener = SIDES[here](nodes[0], room), SIDES[there](nodes[1], room)
    for number in range(3):
        speaker.publish({"number": number})
    heard = [listener.hear() for _ in range(3)]
    assert heard == [{"number": number} for number in range(3)]
    speaker.close()
    listener.close()


def test_cbor_reaches_other_nodes_and_hears_them(nodes):
    log = uuid.uuid4()
    far, near, native = Two(nodes[0], bodies="inline"), Two(nodes[1], bodies="inline"), NativeSide(nodes[2], f"log:{log}")
    for client in (far, near):
        assert client.ask("Subscribe", subscription_id=log.bytes)[0] == "Subscribed"
    name, _, _ = near.ask("SubmitPublication", subscription_id=log.bytes, submission=b"hello")
    assert name == "Published"
    assert far.hear("Issue")["data"] == b"hello"
    assert native.hear() == "aGVsbG8="
    for client in (far, near, native):
        client.close()


def test_what_is_for_a_user_reaches_its_tabs_on_other_nodes_and_nobody_else(start, room, tmp_path):
    path = tmp_path / "carillon.toml"
    path.write_text(f'[auth]\njwt_secrets = ["{SECRET}"]\njwt_audience = "authenticated"\n' + OPEN)
    nodes = start(2, arguments=("--config", str(path)))
    ann, ann_there, bob = Tab(nodes[0], ANN), Tab(nodes[1], ANN), Tab(nodes[1], BOB)
    for tab in (ann, ann_there, bob):
        tab.subscribe(room)
    ann.publish(room, "mine", 1, "SenderOnly")
    ann.publish(room, "theirs", 2, "AllButSender")
    ann.publish(room, "ours", 3, "All")
    assert [ann_there.hear()["event"] for _ in range(2)] == ["mine", "ours"]
    assert [bob.hear()["event"] for _ in range(2)] == ["theirs", "ours"]
    for tab in (ann, ann_there, bob):
        tab.close()


def test_a_webhook_at_one_node_is_heard_at_the_others(nodes):
    listeners = [NativeSide(nodes[1], "repo:Codertocat/Hello-World"), NativeSide(nodes[2], "repo:Codertocat/Hello-World")]
    body = {"ref": "refs/heads/main", "before": "0" * 40, "after": "1" * 40, "commits": [],
            "repository": {"name": "Hello-World", "full_name": "Codertocat/Hello-World", "owner": {"login": "Codertocat"}},
            "pusher": {"name": "Codertocat"}, "sender": {"login": "Codertocat"}}
    answer = nodes[0].call("POST", "/webhooks/github", body, {"X-GitHub-Event": "push"})
    assert answer.status == 202, answer
    assert [listener.hear()["ref"] for listener in listeners] == ["refs/heads/main"] * 2
    for listener in listeners:
        listener.close()


def test_one_order_on_every_node(nodes, room):
    """Six publishers on three nodes; every listener hears the same, and positions have no holes."""
    listeners = [Client(node) for node in nodes for _ in range(2)]
    for listener in listeners:
        listener.subscribe(room)
    each = 60

    def speak(number):
        for count in range(each):
            nodes[number % 3].publish(room, "said", [number, count])

    speakers = [threading.Thread(target=speak, args=(number,)) for number in range(6)]
    for speaker in speakers:
        speaker.start()
    stories = [[listener.hear() for _ in range(6 * each)] for listener in listeners]
    for speaker in speakers:
        speaker.join()
    offsets = [event["offset"] for event in stories[0]]
    assert offsets == list(range(offsets[0], offsets[0] + 6 * each))
    assert all(story == stories[0] for story in stories[1:])
    for number in range(6):
        assert [e["data"][1] for e in stories[0] if e["data"][0] == number] == list(range(each))
    for listener in listeners:
        listener.hears_nothing_more()
        listener.close()


def test_a_node_hears_only_what_its_clients_want(nodes, room):
    client = Client(nodes[1])
    client.subscribe(room)
    subscribed = {channel.decode() for channel in nodes.redis.ask("PUBSUB", "CHANNELS", "*")}
    assert any(room in channel for channel in subscribed)
    client.ask({"type": "unsubscribe", "channel": room})
    client.close()
    wait_until(lambda: not any(room in channel.decode() for channel in nodes.redis.ask("PUBSUB", "CHANNELS", "*")))


def test_idempotency_holds_across_nodes(nodes, room):
    first = nodes[0].publish(room, idempotency_key="once")
    again = nodes[1].publish(room, idempotency_key="once")
    assert (again["offset"], again["id"]) == (first["offset"], first["id"])


def test_history_and_recovery_are_the_same_everywhere(nodes, room):
    for number in range(10):
        nodes[number % 3].publish(room, "said", number)
    pages = [node.get(f"/api/channels/{room}/history").json for node in nodes]
    assert [event["data"] for event in pages[0]["events"]] == list(range(10))
    assert pages[1] == pages[0] and pages[2] == pages[0]
    position = {"epoch": pages[0]["epoch"], "offset": 4}
    for node in nodes:
        client = Client(node)
        assert client.subscribe(room, recover=position)["recovered"] is True
        assert [data_of(client) for _ in range(6)] == list(range(4, 10))
        client.hears_nothing_more()
        client.close()


# ---- operators ----

def test_a_user_is_disconnected_on_all_nodes(nodes):
    clients = [Client(node, "?user=mallory") for node in nodes]
    answer = nodes[0].call("POST", "/api/disconnect", {"user": "mallory"})
    assert answer.json == {"disconnected": 3}
    for client in clients:
        client.read_message()
        client.close()


def test_nodes_know_of_each_other(nodes):
    listed = wait_until(lambda: [n for n in nodes[0].get("/api/nodes").json["nodes"] if n["address"]] if
                        len(nodes[0].get("/api/nodes").json["nodes"]) == 3 else None)
    assert {node["address"] for node in listed} == {node.url for node in nodes}
    assert len({node["number"] for node in listed}) == 3
    assert [node["this"] for node in listed].count(True) == 1


def test_a_channel_is_closed_on_all_nodes(nodes, room):
    clients = [Client(node) for node in nodes]
    for client in clients:
        client.subscribe(room)
    assert nodes[1].call("POST", "/api/channels/close", {"channel": room, "reason": "over"}).json == {"closed": 3}
    for client in clients:
        assert client.hear_type("unsubscribed")["reason"] == "over"
        client.close()


# ---- presence ----

def enter(node, channel, user):
    client = Client(node, f"?user={user}")
    subscribe(client, channel, presence={"watch": False})
    return client


def people(node, channel):
    return sorted(node.get(f"/api/presence?channel={channel}").json["presence"])


def test_presence_is_one_on_all_nodes(nodes, room):
    clients = [enter(node, room, f"user{number}") for number, node in enumerate(nodes)]
    for node in nodes:
        wait_until(lambda: people(node, room) == ["user0", "user1", "user2"])
    clients[1].close()
    for node in nodes:
        wait_until(lambda: people(node, room) == ["user0", "user2"])
    clients[0].close()
    clients[2].close()
    for node in nodes:
        wait_until(lambda: people(node, room) == [])


def test_who_watches_hears_who_comes_and_goes_on_other_nodes(nodes, room):
    watcher = Client(nodes[0])
    watcher.subscribe(room, presence={"join": False})
    assert watcher.hear_type("presence_state")["presence"] == {}
    there = enter(nodes[1], room, "bob")
    assert list(watcher.hear_type("presence_diff")["joins"]) == ["bob"]
    there.close()
    assert list(watcher.hear_type("presence_diff")["leaves"]) == ["bob"]
    watcher.close()


def test_the_people_of_a_killed_node_go_within_its_lease(start, room):
    nodes = start(3)
    watcher = Client(nodes[0])
    watcher.subscribe(room, presence={"join": False})
    watcher.hear_type("presence_state")
    gone = [enter(nodes[1], room, f"gone{number}") for number in range(20)]
    kept = enter(nodes[2], room, "kept")
    wait_until(lambda: len(people(nodes[0], room)) == 21)
    nodes[1].kill()
    wait_until(lambda: people(nodes[0], room) == ["kept"] and people(nodes[2], room) == ["kept"], 15)
    left = set()
    while len(left) < 20:
        left |= set(watcher.hear_type("presence_diff")["leaves"])
    assert left == {f"gone{number}" for number in range(20)}
    for client in [watcher, kept, *gone]:
        client.close()


def test_presence_is_exact_after_chaos(start, room):
    """Clients come, go and are lost, a node dies and comes back, the Redis is lost with all it had: in the end everybody sees who is there."""
    nodes = start(3)
    dice = random.Random(7)
    there = {}
    for step in range(120):
        number, user = dice.randrange(3), f"user{step}"
        there[user] = (number, enter(nodes[number], room, user))
        if dice.random() < 0.5:
            _, client = there.pop(dice.choice(list(there)))
            dice.choice((client.close, client.reset, client.shake_close))()
        if step == 60:
            nodes[1].kill()
            for user in [user for user, (number, _) in there.items() if number == 1]:
                there.pop(user)[1].close()
            nodes.replace(1)
        if step == 90:
            nodes.redis.kill()
            nodes.redis.start()
            wait_until(lambda: all(node.get("/health/ready").status == 200 for node in nodes), 20)
    expected = sorted(there)
    for node in nodes:
        wait_until(lambda: people(node, room) == expected, 20)
    for _, client in there.values():
        client.close()
    wait_until(lambda: all(people(node, room) == [] for node in nodes), 20)


# ---- nodes that go ----

def test_clients_of_a_killed_node_recover_on_another(start, room):
    nodes = start(3)
    client = Client(nodes[0])
    position = client.subscribe(room)
    for number in range(5):
        nodes[1].publish(room, "said", number)
    last = [client.hear() for _ in range(5)][-1]
    nodes[0].kill()
    for number in range(5, 12):
        nodes[1].publish(room, "said", number)
    back = Client(nodes[2])
    answer = back.subscribe(room, recover={"epoch": last["epoch"], "offset": last["offset"]})
    assert answer["recovered"] is True and answer["epoch"] == position["epoch"]
    assert [data_of(back) for _ in range(7)] == list(range(5, 12))
    nodes[1].publish(room, "said", 12)
    assert data_of(back) == 12
    back.close()
    client.close()


class Follower(threading.Thread):
    """A client that comes back by position at any node, whenever it is thrown out; what it hears, in order."""

    def __init__(self, nodes, channel, number):
        super().__init__(daemon=True)
        self.nodes, self.channel, self.number = nodes, channel, number
        self.heard, self.faults, self.position, self.done = [], [], None, threading.Event()
        self.joined = threading.Event()

    def run(self):
        turn = self.number
        while not self.done.is_set():
            turn += 1
            try:
                client = Client(self.nodes[turn % len(self.nodes.all)], timeout=2)
            except (OSError, AssertionError):
                time.sleep(0.02)
                continue
            try:
                self.follow(client)
            except (OSError, AssertionError, TypeError, json.JSONDecodeError):
                pass
            client.close()

    def follow(self, client):
        more = {"recover": self.position} if self.position else {}
        answer = client.ask({"type": "subscribe", "channel": self.channel, **more})
        if answer["type"] != "subscribed":
            return
        if self.position and not answer["recovered"]:
            self.faults.append(answer)
        if not self.position:
            self.position = {"epoch": answer["epoch"], "offset": answer["offset"]}
        self.joined.set()
        while not self.done.is_set():
            message = client.hear()
            if message["type"] == "gap":
                self.faults.append(message)
            if message["type"] == "event":
                self.heard.append((message["offset"], message["data"]))
                self.position = {"epoch": message["epoch"], "offset": message["offset"]}


def test_rolling_restart_loses_nothing_and_doubles_nothing(start, room):
    """Promise: no acknowledged publication is lost and none comes twice after recovery, while every node is restarted."""
    nodes = start(3)
    followers = [Follower(nodes, room, number) for number in range(6)]
    for follower in followers:
        follower.start()
    for follower in followers:
        assert follower.joined.wait(10)
    acknowledged, stop = [], threading.Event()

    def speak():
        number = 0
        while not stop.is_set():
            number += 1
            key = f"k{number}"
            for attempt in range(200):
                try:
                    answer = nodes[(number + attempt) % 3].call(
                        "POST", "/api/publish", {"channel": room, "event": "said", "data": number, "idempotency_key": key}, timeout=3)
                except OSError:
                    time.sleep(0.01)
                    continue
                if answer.status == 200:
                    acknowledged.append((answer.json["offset"], number))
                    break
                time.sleep(0.01)

    speaker = threading.Thread(target=speak, daemon=True)
    speaker.start()
    for index in range(3):
        before = len(acknowledged)
        wait_until(lambda: len(acknowledged) >= before + 50, 20)
        nodes.restart(index)
    before = len(acknowledged)
    wait_until(lambda: len(acknowledged) >= before + 50, 20)
    stop.set()
    speaker.join(30)
    wait_until(lambda: all(follower.heard and follower.heard[-1] == acknowledged[-1] for follower in followers), 20)
    for follower in followers:
        follower.done.set()
        assert follower.faults == []
        assert follower.heard == acknowledged[acknowledged.index(follower.heard[0]):]
        assert follower.heard[0] == acknowledged[0]


# ---- the Redis, and the way to it ----

def hear_continuity(client, *states):
    """Reads events until these states have been told, in this order; the events."""
    events, wanted = [], list(states)
    while wanted:
        message = client.hear()
        if message["type"] == "continuity":
            assert message["state"] == wanted[0], message
            wanted.pop(0)
        elif message["type"] == "event":
            events.append(message["data"])
    return events


def publish_when_it_goes(node, channel, data):
    return wait_until(lambda: (answer := node.call("POST", "/api/publish", {"channel": channel, "event": "said", "data": data}))
                      .status == 200 and answer.json, 20)


def test_redis_killed_and_started_with_its_data(start, room):
    redis = RedisServer(keep=True)
    nodes = start(2, redis)
    clients = [Client(node) for node in nodes]
    for client in clients:
        client.subscribe(room)
    first = nodes[0].publish(room, "said", 0)
    redis.kill()
    answer = nodes[0].call("POST", "/api/publish", {"channel": room, "event": "said", "data": "lost"})
    assert answer.status == 503, answer
    assert "Redis" in answer.json["error"]["message"] or "redis" in answer.json["error"]["message"]
    redis.start()
    assert publish_when_it_goes(nodes[1], room, 1)["epoch"] == first["epoch"]
    for client in clients:
        heard = hear_continuity(client, "degraded")
        while 1 not in heard:
            heard.append(data_of(client))
        assert heard == [0, 1]
        client.close()


def test_redis_restarted_empty_is_told(start, room):
    nodes = start(2)
    client, bare = Client(nodes[0]), Client(nodes[1])
    position = client.subscribe(room)
    bare.subscribe(room)
    for number in range(3):
        nodes[1].publish(room, "said", number)
    assert [data_of(client) for _ in range(3)] == [0, 1, 2]
    nodes.redis.kill()
    nodes.redis.start()
    fresh = publish_when_it_goes(nodes[1], room, "new")
    assert fresh["epoch"] != position["epoch"] and fresh["offset"] == 1
    heard = []
    while "new" not in heard:
        message = client.hear()
        heard.append(message.get("data", message["type"]))
    assert heard.count("new") == 1 and "continuity" in heard
    back = Client(nodes[1])
    answer = subscribe(back, room, recover={"epoch": position["epoch"], "offset": 2})
    assert answer["recovered"] is False
    for one in (client, bare, back):
        one.close()


def test_a_node_that_is_cut_off_brings_what_it_missed(start, room):
    way = None
    nodes = start(1)
    way = Way(nodes.redis.port)
    try:
        cut = nodes.add(url=way.url)
        near, far = Client(nodes[0]), Client(cut)
        near.subscribe(room)
        far.subscribe(room)
        nodes[0].publish(room, "said", 0)
        assert data_of(near) == 0 and data_of(far) == 0
        way.cut()
        assert hear_continuity(far, "degraded") == []
        for number in range(1, 20):
            nodes[0].publish(room, "said", number)
        assert [data_of(near) for _ in range(19)] == list(range(1, 20))
        assert cut.call("POST", "/api/publish", {"channel": room, "event": "said", "data": "x"}).status == 503
        way.heal()
        heard = []
        while len(heard) < 19:
            heard.append(data_of(far))
        assert heard == list(range(1, 20))
        publish_when_it_goes(cut, room, 20)
        assert data_of(near) == 20 and data_of(far) == 20
        near.close()
        far.close()
    finally:
        way.end()


def test_a_way_that_falls_silent_is_given_up(start, room):
    nodes = start(1)
    way = Way(nodes.redis.port)
    try:
        cut = nodes.add(url=way.url)
        far = Client(cut)
        far.subscribe(room)
        way.silent = True
        started = time.monotonic()
        answer = cut.call("POST", "/api/publish", {"channel": room, "event": "said", "data": "x"})
        assert answer.status == 503 and time.monotonic() - started < 5
        way.cut()
        way.heal()
        publish_when_it_goes(cut, room, "y")
        heard = []
        while "y" not in heard:
            heard.append(data_of(far))
        assert heard in (["x", "y"], ["y"])
        far.close()
    finally:
        way.end()


def test_a_redis_that_stands_still_and_goes_on(start, room):
    nodes = start(2)
    client = Client(nodes[0])
    client.subscribe(room)
    nodes.redis.pause()
    answer = nodes[1].call("POST", "/api/publish", {"channel": room, "event": "said", "data": "x"})
    assert answer.status == 503, answer
    nodes.redis.resume()
    publish_when_it_goes(nodes[1], room, "y")
    heard = []
    while "y" not in heard:
        heard.append(data_of(client))
    assert heard in (["x", "y"], ["y"])
    client.close()


def test_a_full_redis_refuses_and_recovers(start, room):
    nodes = start(2)
    nodes[0].publish(room, "said", 0)
    nodes.redis.ask("CONFIG", "SET", "maxmemory", "1mb")
    nodes.redis.ask("CONFIG", "SET", "maxmemory-policy", "noeviction")
    answer = nodes[0].call("POST", "/api/publish", {"channel": room, "event": "said", "data": "x"})
    assert answer.status == 429, answer
    assert nodes[1].get(f"/api/channels/{room}/history").status == 200
    nodes.redis.ask("CONFIG", "SET", "maxmemory", "0")
    nodes[0].publish(room, "said", 1)


def test_another_type_under_a_key_hurts_that_channel_alone(start, room):
    nodes = start(1)
    nodes.redis.ask("SET", "carillon:s:{%s}" % room, "not a stream")
    answer = nodes[0].call("POST", "/api/publish", {"channel": room, "event": "said", "data": "x"})
    assert answer.status in (500, 503), answer
    assert "WRONGTYPE" in answer.json["error"]["message"]
    nodes[0].publish(room + "b", "said", 1)


def test_a_redis_cluster_of_three_masters(start):
    nodes = start(3, RedisCluster())
    rooms = [f"room:{number}" for number in range(12)]
    listener = Client(nodes[1])
    for channel in rooms:
        listener.subscribe(channel)
    for number, channel in enumerate(rooms):
        nodes[number % 3].publish(channel, "said", number)
    assert sorted(data_of(listener) for _ in rooms) == list(range(12))
    pages = [nodes[0].get(f"/api/channels/{channel}/history").json["events"] for channel in rooms]
    assert [page[0]["data"] for page in pages] == list(range(12))
    masters_used = sum(1 for master in nodes.redis.masters if master.ask("DBSIZE") > 0)
    assert masters_used == 3
    listener.close()


# ---- starting ----

def test_one_command_starts_three_servers_and_ends_them():
    """What `./dev cluster` runs."""
    script = pathlib.Path(__file__).with_name("cluster_of_nodes.py")
    running = subprocess.Popen([sys.executable, str(script), "--port", "0"], stdout=subprocess.PIPE, text=True)
    try:
        urls = []
        for line in running.stdout:
            if line.startswith("node "):
                urls.append(line.split()[-1])
            if "Ctrl-C" in line:
                break
        assert len(urls) == 3
        body = json.dumps({"channel": "room:1", "event": "said", "data": 1}).encode()
        request = urllib.request.Request(urls[0] + "/api/publish", body, {"Content-Type": "application/json"})
        assert urllib.request.urlopen(request, timeout=10).status == 200
        page = json.load(urllib.request.urlopen(urls[2] + "/api/channels/room:1/history", timeout=10))
        assert [event["data"] for event in page["events"]] == [1]
        running.send_signal(signal.SIGINT)
        assert running.wait(40) == 0
    finally:
        running.kill()
        running.wait()
        running.stdout.close()
    with pytest.raises(OSError):
        urllib.request.urlopen(urls[0], timeout=5)


def test_a_redis_that_is_not_there_is_one_clear_line():
    ended = run_program("serve", "--redis", "redis://127.0.0.1:1", "--listen", "127.0.0.1:0",
                        env={"CARILLON_REDIS_WAIT_TIME": "500ms"})
    assert ended.returncode == 1 and "listening on" not in ended.stdout
    assert "127.0.0.1:1" in ended.stderr and "redis" in ended.stderr.lower(), ended.stderr


def test_a_wrong_password_is_said_and_not_shown():
    redis = RedisServer("--requirepass", "right")
    try:
        with pytest.raises(RedisError):
            redis.ask("DBSIZE")
        ended = run_program("serve", "--redis", f"redis://:wrong-word@127.0.0.1:{redis.port}", "--listen", "127.0.0.1:0",
                            env={"CARILLON_REDIS_WAIT_TIME": "500ms"})
        assert ended.returncode == 1 and "wrong-word" not in ended.stderr + ended.stdout
        assert "WRONGPASS" in ended.stderr or "password" in ended.stderr, ended.stderr
    finally:
        redis.end()

