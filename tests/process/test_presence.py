"""Presence: who is in a channel, as clients, the HTTP API and the command line see it; and that nobody is seen who is gone."""
import collections
import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time

import pytest

from carillon_process import ROOT, run_program, wait_until
from talking import Client

ROOMS = '[[channels]]\nmatch = "room:**"\nhistory_count = 0\npresence = true\n'


@pytest.fixture
def serve(start, tmp_path):
    """Starts a server whose rooms have presence, with further lines of configuration in front."""
    def serve_one(config="", *arguments, **options):
        file = tmp_path / "carillon.toml"
        file.write_text(config + "\n" + ROOMS)
        return start("--config", str(file), *arguments, **options)
    return serve_one


def come(server, user, channel="room:1", **more):
    """A client that is present, and has heard the answer."""
    client = Client(server, f"?user={user}")
    client.subscribe(channel, presence={"watch": False, **more})
    return client


def watch(server, channel="room:1"):
    client = Client(server)
    client.subscribe(channel, presence={"join": False})
    return client


def keys(server, channel="room:1"):
    return sorted(server.get(f"/api/presence?channel={channel}").json["presence"])


class Seen:
    """Who is there, as a client knows it by what it was told; fails at what cannot be."""

    def __init__(self):
        self.refs, self.states, self.diffs = None, 0, 0

    @staticmethod
    def flat(presence):
        return [(key, meta["ref"]) for key, entry in presence.items() for meta in entry["metas"]]

    def take(self, message):
        if message["type"] == "presence_state":
            self.refs, self.states = set(self.flat(message["presence"])), self.states + 1
        elif message["type"] == "presence_diff":
            assert self.refs is not None, "a diff before any state"
            for left in self.flat(message["leaves"]):
                assert left in self.refs, f"{left} left, but never came"
                self.refs.remove(left)
            for joined in self.flat(message["joins"]):
                assert joined not in self.refs, f"{joined} came twice"
                self.refs.add(joined)
            assert message["members"] == len(self.refs)
            self.diffs += 1
        return message

    @property
    def keys(self):
        return sorted(key for key, _ in self.refs)


def test_two_clients_see_each_other(serve):
    server = serve("", "--loops", "2")
    alice, bob = Client(server, "?user=alice"), Client(server, "?user=bob")
    seen = Seen()
    assert alice.subscribe("room:1", presence=True)["key"] == "alice"
    seen.take(alice.hear_type("presence_state"))
    assert bob.subscribe("room:1", presence={"meta": {"mood": "busy"}})["key"] == "bob"
    state = bob.hear_type("presence_state")
    assert sorted(state["presence"]) == ["alice", "bob"] and (state["users"], state["members"]) == (2, 2)
    joined = seen.take(alice.hear_type("presence_diff"))
    assert joined["joins"]["bob"]["metas"][0]["meta"] == {"mood": "busy"}
    assert abs(joined["joins"]["bob"]["metas"][0]["online_at"] / 1000 - time.time()) < 60
    bob.shake_close()
    seen.take(alice.hear_type("presence_diff"))
    assert seen.keys == ["alice"] and keys(server) == ["alice"]


def test_state_comes_before_diffs_under_fire(serve):
    """Whenever one begins to watch: a state first, then diffs that fit it, to the last."""
    server = serve("", "--loops", "3")
    over = threading.Event()

    def come_and_go(seed):
        dice = random.Random(seed)
        client = Client(server, f"?user=user{seed % 3}")
        client.subscribe("room:1")
        while not over.is_set():
            client.ask({"type": "join", "channel": "room:1", "meta": {"n": dice.randrange(9)}})
            if dice.random() < 0.5:
                client.ask({"type": "leave", "channel": "room:1"})
        client.close()

    crowd = [threading.Thread(target=come_and_go, args=(seed,)) for seed in range(5)]
    for one in crowd:
        one.start()
    watchers = []
    try:
        for _ in range(12):
            watchers.append((watch(server), Seen()))
            client, seen = watchers[-1]
            seen.take(client.hear_type("presence_state"))
            for _ in range(20):
                seen.take(client.hear())
    finally:
        over.set()
        for one in crowd:
            one.join()
    for client, seen in watchers:
        while seen.refs:
            seen.take(client.hear())
        assert seen.states == 1 and seen.diffs >= 20
    assert keys(server) == []


def test_killed_client_leaves_at_once(serve):
    server = serve()
    watcher, seen = watch(server), Seen()
    seen.take(watcher.hear_type("presence_state"))
    script = ("import sys, time; sys.path.insert(0, sys.argv[1]); from talking import Client\n"
              "class Server: host, port = '127.0.0.1', int(sys.argv[2])\n"
              "client = Client(Server, '?user=victim'); client.subscribe('room:1', presence={'watch': False})\n"
              "time.sleep(1000)")
    victim = subprocess.Popen([sys.executable, "-c", script, str(ROOT / "tests/process"), str(server.port)])
    try:
        seen.take(watcher.hear_type("presence_diff"))
        assert seen.keys == ["victim"]
        killed = time.monotonic()
        os.kill(victim.pid, signal.SIGKILL)
        seen.take(watcher.hear_type("presence_diff"))
        assert seen.keys == [] and time.monotonic() - killed < 2
    finally:
        victim.kill()
        victim.wait()


@pytest.mark.parametrize("way", ["reset", "close", "shake_close"])
def test_dropped_connection_leaves_at_once(serve, way):
    server = serve()
    watcher, seen = watch(server), Seen()
    seen.take(watcher.hear_type("presence_state"))
    leaving = come(server, "alice")
    seen.take(watcher.hear_type("presence_diff"))
    gone = time.monotonic()
    getattr(leaving, way)()
    seen.take(watcher.hear_type("presence_diff"))
    assert seen.keys == [] and time.monotonic() - gone < 2


def test_silent_client_leaves_within_the_idle_time(serve):
    """It answers no ping and its connection stays open, as when a telephone is out of reach."""
    server = serve('[websocket]\nping_interval = "300ms"\nidle_time = "1s"')
    watcher, seen = watch(server), Seen()
    seen.take(watcher.hear_type("presence_state"))
    silent = come(server, "alice")
    quiet_since = time.monotonic()
    seen.take(watcher.hear_type("presence_diff"))
    assert seen.keys == ["alice"]
    seen.take(watcher.hear_type("presence_diff"))
    assert seen.keys == [] and time.monotonic() - quiet_since < 1.25 + 2
    silent.close()


def test_no_ghost_stays_however_clients_go(serve):
    server = serve('[websocket]\nping_interval = "300ms"\nidle_time = "1s"', "--loops", "2")
    watcher, seen = watch(server), Seen()
    ways = collections.Counter()
    silent = []
    for number in range(60):
        client = come(server, f"user{number % 7}")
        way = ("reset", "close", "shake_close", "silent", "unsubscribe", "leave", "disconnect")[number % 7]
        ways[way] += 1
        if way == "silent":
            silent.append(client)
        elif way in ("unsubscribe", "leave"):
            client.say({"type": way, "channel": "room:1"})
            client.close()
        elif way == "disconnect":
            assert server.call("POST", "/api/disconnect", {"user": f"user{number % 7}"}).json["disconnected"] >= 1
            client.close()
        else:
            getattr(client, way)()
    assert len(ways) == 7

    def nobody_is_there():
        watcher.say({"type": "ping"})  # It also keeps the watcher itself from falling silent.
        while seen.take(watcher.hear())["type"] != "pong":
            pass
        return keys(server) == []

    wait_until(nobody_is_there)
    while seen.refs:
        seen.take(watcher.hear())
    assert server.get("/api/presence?channel=room:1").json == {"channel": "room:1", "users": 0, "members": 0, "presence": {}}
    assert re.search(r"^carillon_presence_members 0$", server.get("/metrics").text, re.M)
    for client in silent:
        client.close()


def test_many_members_are_listed_in_full(serve):
    server = serve("", "--loops", "2")
    clients = [come(server, f"user{number % 400}") for number in range(500)]
    listed = server.get("/api/presence?channel=room:1").json
    assert (listed["users"], listed["members"]) == (400, 500)
    sessions = {meta["session"] for entry in listed["presence"].values() for meta in entry["metas"]}
    assert len(sessions) == 500 and {session["id"] for session in server.sessions()} <= sessions
    assert server.get("/api/presence_stats?channel=room:1").json == {"channel": "room:1", "users": 400, "members": 500}
    assert re.search(r"^carillon_presence_members 500$", server.get("/metrics").text, re.M)
    for client in clients:
        client.reset()
    wait_until(lambda: server.get("/api/presence_stats?channel=room:1").json["members"] == 0)


def test_crowd_is_only_counted_until_it_fits_again(serve):
    server = serve("[presence]\nlist_max = 10")
    watcher, seen = watch(server), Seen()
    seen.take(watcher.hear_type("presence_state"))
    clients = [come(server, f"user{number}") for number in range(15)]
    while (message := seen.take(watcher.hear()))["type"] == "presence_diff":
        assert message["members"] <= 10
    assert message["type"] == "presence_stats" and message["members"] <= 15
    while message["members"] < 15:
        message = watcher.hear_type("presence_stats")
    for client in clients[5:]:
        client.reset()
    while (message := watcher.hear())["type"] == "presence_stats":
        pass
    seen.take(message)
    while len(seen.refs) > 5:
        seen.take(watcher.hear())
    assert seen.keys == [f"user{number}" for number in range(5)] and seen.states == 2


def test_period_gathers_changes_into_one_diff(serve):
    server = serve('[presence]\nperiod = "500ms"')
    watcher, seen = watch(server), Seen()
    seen.take(watcher.hear_type("presence_state"))
    clients = [come(server, f"user{number}") for number in range(20)]
    while len(seen.refs) < 20:
        seen.take(watcher.hear())
    assert seen.diffs <= 3
    for client in clients:
        client.close()


def test_where_presence_is_off_the_text_names_the_setting(serve, tmp_path):
    server = serve()
    client = Client(server)
    refused = client.ask({"type": "subscribe", "channel": "builds", "presence": True})
    assert refused["code"] == "forbidden" and "set `presence = true` in its rule" in refused["message"]
    answer = server.get("/api/presence?channel=builds")
    assert answer.status == 403 and "set `presence = true` in its rule" in answer.json["error"]["message"]
    file = tmp_path / "wrong.toml"
    file.write_text("[presence]\nlist_max = 2000000\n")
    ended = run_program("check-config", str(file))
    assert ended.returncode == 1 and "`list_max` takes a whole number from 0 to 1000000, not 2000000" in ended.stderr, ended


def test_closing_a_channel_ends_its_presence(serve):
    server = serve("", "--loops", "2")
    clients = [come(server, f"user{number}") for number in range(4)]
    assert server.call("POST", "/api/channels/close", {"channel": "room:1", "reason": "over"}).json == {"closed": 4}
    for client in clients:
        assert client.hear() == {"type": "unsubscribed", "channel": "room:1", "reason": "over"}
    wait_until(lambda: keys(server) == [])
    clients[0].subscribe("room:1", presence={"watch": False})
    assert keys(server) == ["user0"]


def test_presence_command(serve):
    server = serve()
    alice = come(server, "alice", meta={"mood": "busy"})
    clock = Client(server)
    clock.subscribe("room:1", presence={"watch": False, "key": "two words"})
    ended = run_program("presence", "room:1", "--url", server.url)
    lines = ended.stdout.splitlines()
    assert ended.returncode == 0 and len(lines) == 2, ended
    assert re.fullmatch(r'alice  \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ  [0-9a-f]{16}  \{"mood": ?"busy"\}', lines[0])
    assert lines[1].startswith('"two words"  ')
    ended = run_program("presence", "room:1", "--url", server.url, "--stats")
    assert ended.stdout == "users 2\nmembers 2\n"
    ended = run_program("presence", "room:1", "--url", server.url, "--json")
    assert sorted(json.loads(ended.stdout)["presence"]) == ["alice", "two words"]
    ended = run_program("presence", "builds", "--url", server.url)
    assert ended.returncode == 1 and "set `presence = true`" in ended.stderr
    alice.close()
    clock.close()


def test_sub_shows_who_comes_and_goes(serve, launch):
    server = serve()
    alice = come(server, "alice")
    listening = launch("sub", "room:1", "--presence", "--url", server.url)
    wait_until(lambda: len(listening.out) == 1)
    bob = come(server, "bob", meta={"x": 1})
    wait_until(lambda: len(listening.out) == 2)
    alice.reset()
    wait_until(lambda: len(listening.out) == 3)
    server.publish("room:1", "said")
    wait_until(lambda: len(listening.out) == 4)
    told = [json.loads(line) for line in listening.out]
    assert [(line["type"], line.get("key")) for line in told] == [
        ("present", "alice"), ("join", "bob"), ("leave", "alice"), ("event", None)]
    assert told[1]["meta"] == {"x": 1} and told[0]["ref"] == told[2]["ref"]
    assert keys(server) == ["bob"]
    bob.close()


@pytest.mark.parametrize("protocol", ["native", "phoenix"])
def test_bench_presence_lists_everybody(start, tmp_path, protocol):
    file = tmp_path / "carillon.toml"
    file.write_text('[presence]\nlist_max = 15\n[[channels]]\nmatch = "bench:**"\npresence = true\n')
    server = start("--config", str(file))
    ended = run_program("bench", "presence", "--url", server.url.replace("http", "ws") + "/ws", "--members", "10,20", "--protocol",
                        protocol, "--server-pid", str(server.process.pid), "--json", seconds=60)
    assert ended.returncode == 0, ended
    rows = json.loads(ended.stdout)
    assert [(row["members"], row["present"], row["settled"]) for row in rows] == [(10, 10, True), (20, 20, True)]
    assert rows[0]["messages"] >= 20 and rows[1]["list_bytes"] > rows[0]["list_bytes"] > 100
