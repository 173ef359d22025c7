"""Queue groups over several nodes that share one Redis: who handles what when nodes come, stop and die."""
import collections
import json
import threading
import time

import pytest

from carillon_process import wait_until
from cluster_of_nodes import Nodes
from test_groups import KEPT, Worker, events, group, over_http, take


@pytest.fixture
def nodes(tmp_path):
    file = tmp_path / "carillon.toml"
    file.write_text(KEPT)
    running = Nodes(3, arguments=("--config", str(file), "--loops", "2"))
    yield running
    running.end()


def test_workers_on_all_nodes_share_and_any_node_takes_their_acks(nodes):
    workers = [Worker(node, in_flight=2) for node in nodes]
    for number in range(6):
        nodes[0].publish("jobs", data=number)
    got = [[worker.next() for _ in range(2)] for worker in workers]
    assert sorted(event["data"] for heard in got for event in heard) == list(range(6))
    for node, heard in zip([nodes[1], nodes[2], nodes[0]], got):
        assert over_http(node, "ack", *(event["delivery"] for event in heard)).json["settled"] == 2
    for node in nodes:
        assert (group(node)["lag"], group(node)["members"], group(node)["acked"]) == (0, 3, 6)


def test_what_a_killed_node_had_comes_to_another_when_its_time_is_over(nodes):
    one = Worker(nodes[0], visibility_ms=1500)
    nodes[1].publish("jobs", data="precious")
    event = one.next()
    began = time.monotonic()
    two = Worker(nodes[1])
    nodes[0].kill()
    again = two.next()
    assert time.monotonic() - began > 1.3
    assert (again["data"], again["attempt"], again["event_id"]) == ("precious", 2, event["event_id"])
    assert over_http(nodes[2], "ack", event["delivery"]).status == 409, "the first delivery counts no more"
    assert over_http(nodes[2], "ack", again["delivery"]).status == 200


def test_a_node_that_stops_gives_back_what_its_members_had(nodes):
    one = Worker(nodes[0])
    nodes[1].publish("jobs", data=1)
    one.next()
    two = Worker(nodes[1])
    began = time.monotonic()
    nodes[0].stop()
    assert two.next()["attempt"] == 2
    assert time.monotonic() - began < 15, "the visibility time is 30 s"


def test_what_one_takes_another_may_settle_and_a_delay_holds_everywhere(nodes):
    nodes[0].publish("jobs", data=1)
    (first,) = take(nodes[0])
    assert over_http(nodes[1], "nack", first["delivery"], delay_ms=600).status == 200
    before = time.monotonic()
    (second,) = take(nodes[2], wait_ms=20000)
    assert time.monotonic() - before >= 0.5
    assert second["attempt"] == 2
    assert over_http(nodes[0], "ack", second["delivery"]).status == 200


def test_a_group_deleted_at_one_node_is_over_at_all(nodes):
    workers = [Worker(node) for node in nodes]
    assert nodes[1].call("DELETE", "/api/groups?channel=jobs&group=workers").status == 200
    for worker in workers:
        assert worker.hear_type("unsubscribed")["reason"] == "the group was deleted"
    assert nodes[2].get("/api/groups").json == {"groups": []}


def test_subs_on_all_nodes_print_each_event_once_though_one_node_is_killed(nodes, launch):
    subs = [launch("sub", "--url", node.url, "jobs", "--group", "workers", "--since-beginning") for node in nodes]
    wait_until(lambda: [each["members"] for each in nodes[2].get("/api/groups").json["groups"]] == [3])
    published = threading.Event()

    def publisher():
        for number in range(200):
            nodes[2].publish("jobs", data=number)
        published.set()

    threading.Thread(target=publisher, daemon=True).start()
    wait_until(lambda: len(events(subs[0])) > 5)
    nodes[0].kill()
    wait_until(published.is_set, 30)
    wait_until(lambda: group(nodes[1])["lag"] == 0, 60)
    printed = collections.Counter(json.loads(line)["data"] for sub in subs for line in list(sub.out))
    assert set(printed) == set(range(200)), "at least once"
    told = group(nodes[1])
    assert (told["acked"], told["dead"], told["lost"]) == (200, 0, 0)
    repeated = sum(count - 1 for count in printed.values())
    assert repeated <= 16, "what was in flight when the node was killed may be done again"
