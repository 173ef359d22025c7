"""Queue groups: members share a channel's publications, each is handled by one of them; over WebSocket, HTTP, and `carillon sub`."""
import collections
import itertools
import json
import random
import signal
import threading
import time

import pytest

from carillon_process import wait_until
from redis_processes import RedisServer
from talking import Client

prefixes = itertools.count(1)
KEPT = '[[channels]]\nmatch = "**"\nhistory_count = 100000\n'


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    file = tmp_path_factory.mktemp("groups") / "carillon.toml"
    file.write_text(KEPT)
    return str(file)


@pytest.fixture(scope="module")
def redis():
    running = RedisServer()
    yield running
    running.end()


@pytest.fixture(params=["alone", "of several"])
def server(request, start, config):
    """One whose groups are its own, and one that would share them with other nodes: clients see no difference."""
    if request.param == "alone":
        return start("--config", config, "--loops", "3")
    prefix = f"groups{next(prefixes)}:"
    return start("--config", config, "--loops", "3", "--set", f"redis.prefix={prefix}", redis=request.getfixturevalue("redis").url)


class Worker(Client):
    """A member of the group; what is delivered ahead of an answer waits here."""

    def __init__(self, server, **more):
        super().__init__(server)
        self.delivered = collections.deque()
        self.subscribe("jobs", group="workers", start="beginning", **more)

    def next(self):
        return self.delivered.popleft() if self.delivered else self.hear_type("event")

    def settle(self, verb, *deliveries, **more):
        self.say({"type": verb, "channel": "jobs", "group": "workers", "id": 1, "delivery": list(deliveries), **more})
        while (answer := self.hear())["type"] == "event":
            self.delivered.append(answer)
        return answer


def take(server, **more):
    answer = server.call("POST", "/api/groups/take", {"channel": "jobs", "group": "workers", "start": "beginning", **more}, timeout=70)
    assert answer.status == 200, answer
    return answer.json["deliveries"]


def over_http(server, verb, *deliveries, **more):
    return server.call("POST", f"/api/groups/{verb}", {"channel": "jobs", "group": "workers", "delivery": list(deliveries), **more})


def group(server):
    (only,) = server.get("/api/groups").json["groups"]
    return only


def events(program):
    return [json.loads(line) for line in list(program.out)]


def test_two_workers_share_and_each_event_is_with_one(server):
    one, two = Worker(server, in_flight=3), Worker(server, in_flight=3)
    for number in range(6):
        server.publish("jobs", data=number)
    got = [[client.next() for _ in range(3)] for client in (one, two)]
    assert sorted(event["data"] for events in got for event in events) == list(range(6))
    for client, heard in zip((one, two), got):
        assert [event["offset"] for event in heard] == sorted(event["offset"] for event in heard)
        assert client.settle("ack", *(event["delivery"] for event in heard))["settled"] == 3
    assert group(server)["offset"] == 6
    assert group(server)["lag"] == 0


def test_what_a_killed_worker_had_is_delivered_to_another(server):
    one = Worker(server)
    server.publish("jobs", data="precious")
    event = one.next()
    two = Worker(server)
    one.reset()
    again = two.next()
    assert (again["data"], again["attempt"], again["event_id"]) == ("precious", 2, event["event_id"])
    assert two.settle("ack", event["delivery"])["code"] == "conflict", "the first delivery counts no more"
    assert two.settle("ack", again["delivery"])["settled"] == 1


def test_nack_waits_as_long_as_it_says(server):
    worker = Worker(server)
    server.publish("jobs", data=1)
    event = worker.next()
    before = time.monotonic()
    assert worker.settle("nack", event["delivery"], delay_ms=400)["type"] == "nacked"
    again = worker.next()
    assert time.monotonic() - before >= 0.4
    assert again["attempt"] == 2


def test_what_is_not_acknowledged_in_time_comes_again_unless_extended(server):
    worker = Worker(server, visibility_ms=300)
    server.publish("jobs", data=1)
    first = worker.next()
    assert worker.settle("extend", first["delivery"], visibility_ms=1000)["type"] == "extended"
    before = time.monotonic()
    second = worker.next()
    assert time.monotonic() - before >= 0.9
    assert second["attempt"] == 2
    assert worker.settle("ack", first["delivery"])["code"] == "conflict"
    assert worker.settle("ack", second["delivery"])["settled"] == 1


def test_what_nobody_can_handle_ends_in_the_dead_letter_channel(server):
    dead = Client(server)
    dead.subscribe("jobs/dead")
    worker = Worker(server, deliveries_max=3)
    receipt = server.publish("jobs", data={"poison": True})
    for attempt in (1, 2, 3):
        event = worker.next()
        assert event["attempt"] == attempt
        worker.settle("nack", event["delivery"])
    letter = dead.hear_type("event")
    assert letter["data"] == {"poison": True}
    assert letter["dead_letter"] == {"channel": "jobs", "group": "workers", "event_id": receipt["id"], "epoch": receipt["epoch"],
                                     "offset": receipt["offset"], "deliveries": 3, "reason": "nacked"}
    wait_until(lambda: group(server)["dead"] == 1)
    assert group(server)["offset"] == 1
    server.publish("jobs", data="good")
    assert worker.next()["data"] == "good"


def test_take_waits_for_the_next_event(server):
    assert take(server) == []
    before = time.monotonic()
    assert take(server, wait_ms=300) == []
    assert time.monotonic() - before >= 0.3
    threading.Timer(0.2, server.publish, ("jobs",), {"data": 7}).start()
    (event,) = take(server, wait_ms=30000)
    assert time.monotonic() - before < 20
    assert event["data"] == 7
    answer = over_http(server, "ack", event["delivery"])
    assert answer.json == {"channel": "jobs", "group": "workers", "settled": 1}
    assert over_http(server, "ack", event["delivery"]).status == 409, "once is enough"


def test_a_taker_keeps_what_it_took_for_the_visibility_time(server):
    server.publish("jobs", data=1)
    (first,) = take(server, visibility_ms=500)
    assert take(server) == []
    (second,) = take(server, wait_ms=10000)
    assert second["attempt"] == 2
    assert over_http(server, "ack", first["delivery"]).status == 409
    assert over_http(server, "nack", second["delivery"], delay_ms=0).status == 200
    (third,) = take(server)
    assert third["attempt"] == 3
    assert over_http(server, "ack", third["delivery"]).status == 200


def test_a_taker_that_hangs_up_takes_nothing_with_it(server):
    assert take(server) == []
    with pytest.raises(TimeoutError):
        server.call("POST", "/api/groups/take", {"channel": "jobs", "group": "workers", "wait_ms": 30000}, timeout=0.3)
    wait_until(lambda: group(server)["members"] == 0)
    server.publish("jobs", data=1)
    (event,) = take(server)
    assert event["data"] == 1


def test_takers_and_members_share_one_group(server):
    worker = Worker(server, in_flight=1)
    for number in range(3):
        server.publish("jobs", data=number)
    heard = worker.next()
    taken = take(server, count=10)
    assert sorted([heard["data"]] + [event["data"] for event in taken]) == [0, 1, 2]


def test_settings_hold_for_the_whole_group(server):
    Worker(server, visibility_ms=5000)
    answer = Client(server).ask({"type": "subscribe", "channel": "jobs", "group": "workers", "visibility_ms": 6000, "id": 1})
    assert (answer["type"], answer["code"]) == ("error", "conflict")
    assert server.call("POST", "/api/groups/take", {"channel": "jobs", "group": "workers", "deliveries_max": 9}).status == 409


def test_a_deleted_group_tells_its_members(server):
    worker = Worker(server)
    assert server.call("DELETE", "/api/groups?channel=jobs&group=workers").status == 200
    assert worker.hear_type("unsubscribed")["reason"] == "the group was deleted"
    assert server.get("/api/groups").json == {"groups": []}
    assert server.call("DELETE", "/api/groups?channel=jobs&group=workers").status == 404


def test_a_channel_without_history_has_no_groups(start, tmp_path):
    file = tmp_path / "carillon.toml"
    file.write_text('[[channels]]\nmatch = "**"\nhistory_count = 0\n')
    server = start("--config", str(file))
    answer = Client(server).ask({"type": "subscribe", "channel": "jobs", "group": "workers"})
    assert answer["code"] == "invalid"
    assert "keeps history" in answer["message"]


def test_metrics_count_groups(server):
    worker = Worker(server)
    server.publish("jobs", data=1)
    event = worker.next()
    worker.settle("ack", event["delivery"])
    text = server.get("/metrics").text
    for line in ("carillon_group_groups 1", "carillon_group_members 1", "carillon_group_in_flight 0",
                 "carillon_group_deliveries_total 1", "carillon_group_acks_total 1", "carillon_group_dead_letters_total 0"):
        assert f"\n{line}\n" in text, line


@pytest.mark.parametrize("durability", ["sync", "interval"])
def test_a_killed_server_knows_its_groups_again(start, tmp_path, durability):
    file = tmp_path / "carillon.toml"
    file.write_text(KEPT + f'durability = "{durability}"\n')
    keeping = ["--config", str(file), "--loops", "2"]
    server = start(*keeping, data=tmp_path / "data")
    worker = Worker(server, in_flight=3, deliveries_max=2)
    for number in range(6):
        server.publish("jobs", data=number)
    got = [worker.next() for _ in range(3)]
    assert worker.settle("ack", got[1]["delivery"])["settled"] == 1
    fourth = worker.next()
    assert worker.settle("nack", fourth["delivery"], delay_ms=60000)["settled"] == 1
    (taken,) = take(server)
    server.kill()

    server = start(*keeping, data=tmp_path / "data")
    told = group(server)
    assert (told["offset"], told["lag"], told["acked"], told["deliveries_max"]) == (0, 5, 1, 2)
    assert over_http(server, "ack", got[0]["delivery"]).status == 200, "not delivered anew: a late one counts, over the restart too"
    assert over_http(server, "ack", got[1]["delivery"]).status == 409, "it was settled"
    again = Worker(server)
    heard = again.next()
    assert (heard["data"], heard["attempt"]) == (2, 2)
    assert over_http(server, "ack", got[2]["delivery"]).status == 409, "it was delivered anew"
    assert again.settle("ack", heard["delivery"])["settled"] == 1
    assert over_http(server, "ack", taken["delivery"]).status == 200, "what was taken stays with who took it"
    wait_until(lambda: group(server)["in_flight"] == len(again.delivered))


def test_sub_with_a_group_shares_and_acknowledges(server, launch):
    subs = [launch("sub", "--url", server.url, "jobs", "--group", "workers", "--since-beginning") for _ in range(2)]
    wait_until(lambda: [each["members"] for each in server.get("/api/groups").json["groups"]] == [2])
    for number in range(20):
        server.publish("jobs", data=number)
    wait_until(lambda: sum(len(events(sub)) for sub in subs) == 20)
    assert sorted(event["data"] for sub in subs for event in events(sub)) == list(range(20))
    wait_until(lambda: group(server)["lag"] == 0)


def test_what_a_killed_sub_had_is_printed_by_another(server, launch):
    first = launch("sub", "--url", server.url, "jobs", "--group", "workers", "--ack", "never", "--in-flight", "2")
    wait_until(lambda: [each["members"] for each in server.get("/api/groups").json["groups"]] == [1])
    for number in range(3):
        server.publish("jobs", data=number)
    wait_until(lambda: len(events(first)) == 2)
    first.process.send_signal(signal.SIGKILL)
    second = launch("sub", "--url", server.url, "jobs", "--group", "workers", "--count", "3")
    assert second.wait() == 0
    assert sorted((event["data"], event["attempt"]) for event in events(second)) == [(0, 2), (1, 2), (2, 1)]
    wait_until(lambda: group(server)["lag"] == 0)


def test_flags_of_a_group_want_a_group(server, launch):
    sub = launch("sub", "--url", server.url, "jobs", "--ack", "never")
    assert sub.wait() == 2


@pytest.mark.parametrize("seed", range(3))
def test_work_is_done_however_badly_it_goes(server, seed):
    """Workers that die, leave and refuse while events are published: all are handled in the end, each with one worker at a time."""
    total, lock = 300, threading.Lock()
    holders, done = {}, collections.Counter()
    finished = threading.Event()

    def publisher():
        for number in range(total):
            server.publish("jobs", data=number)

    def worker(seed):
        mine = random.Random(seed)
        while not finished.is_set():
            client = Worker(server, in_flight=mine.randint(1, 5), visibility_ms=20000, deliveries_max=0)
            client.socket.settimeout(0.2)
            for _ in range(mine.randint(5, 60)):
                try:
                    message = client.hear()
                except TimeoutError:
                    if finished.is_set():
                        return
                    continue
                if message["type"] != "event":
                    continue
                with lock:
                    assert message["data"] not in holders, "with two at a time"
                    holders[message["data"]] = seed
                choice = mine.random()
                with lock:
                    del holders[message["data"]]
                    if choice < 0.8:
                        done[message["data"]] += 1
                client.say({"type": "ack" if choice < 0.8 else "nack", "channel": "jobs", "group": "workers",
                            "delivery": message["delivery"]})
            client.reset() if mine.random() < 0.5 else client.close()

    threads = [threading.Thread(target=worker, args=(seed * 10 + number,), daemon=True) for number in range(4)]
    for thread in threads:
        thread.start()
    publisher()
    wait_until(lambda: group(server)["offset"] == total, 60)
    finished.set()
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()
    assert set(done) == set(range(total))
    told = group(server)
    assert (told["lag"], told["acked"], told["dead"], told["lost"]) == (0, total, 0, 0)
