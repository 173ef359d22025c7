"""What the native protocol adds to guts', and an old client never notices."""
import re

import pytest

from talking import Client


@pytest.mark.parametrize("id", [1, 0, "a", "", 18446744073709551615, -7])
def test_id_is_echoed_on_every_answer(connect, room, id):
    client = connect()
    for command, answer in [({"type": "ping"}, "pong"), ({"type": "subscribe", "channel": room}, "subscribed"),
                            ({"type": "subscriptions"}, "subscriptions"), ({"type": "history", "channel": room}, "history"),
                            ({"type": "unsubscribe", "channel": room}, "unsubscribed"),
                            ({"type": "publish", "channel": room, "event": "e", "data": 1}, "published"),
                            ({"type": "subscribe", "channel": "repo:x"}, "error"), ({"type": "foo"}, "error")]:
        heard = client.ask({**command, "id": id})
        assert heard["type"] == answer and heard["id"] == id, heard


def test_id_of_another_type_is_refused(connect):
    client = connect()
    for id in ({}, [], True):
        assert client.ask({"type": "ping", "id": id})["type"] == "error"
    client.hears_nothing_more()


def test_publish_is_answered_after_the_own_copy(connect, room):
    client = connect()
    client.subscribe(room)
    client.say({"type": "publish", "channel": room, "event": "new_msg", "data": {"body": "hi"}, "id": 7})
    event, answer = client.hear_type("event"), client.hear_type("published")
    assert event["event"] == "new_msg" and event["data"] == {"body": "hi"}
    assert answer == {"type": "published", "channel": room, "id": 7, "event_id": event["event_id"], "epoch": event["epoch"],
                      "offset": event["offset"]}
    assert list(answer) == ["type", "channel", "id", "event_id", "epoch", "offset"]


def test_published_to_others_by_a_client_that_does_not_listen(connect, room):
    speaker, listener = connect(), connect()
    listener.subscribe(room)
    assert speaker.ask({"type": "publish", "channel": room, "event": "e", "data": 1})["type"] == "published"
    assert listener.hear()["data"] == 1
    speaker.hears_nothing_more()


@pytest.mark.parametrize("command", [
    {"type": "publish", "event": "e", "data": 1}, {"type": "publish", "channel": "room:x", "data": 1},
    {"type": "publish", "channel": "", "event": "e", "data": 1}, {"type": "publish", "channel": "room:x", "event": "", "data": 1},
    {"type": "publish", "channel": "room:x", "event": "a\nb", "data": 1}, {"type": "publish", "channel": "room:x", "event": 5, "data": 1},
    {"type": "publish", "channel": "room:x", "event": "e" * 256, "data": 1},
    {"type": "history", "channel": 5}, {"type": "history", "channel": "room:x", "limit": -1},
    {"type": "history", "channel": "room:x", "limit": "5"}, {"type": "history", "channel": "room:x", "since": 5},
    {"type": "history", "channel": "room:x", "since": {"epoch": "zz", "offset": 1}},
    {"type": "subscribe", "channel": "room:x", "recover": {"epoch": "1"}},
    {"type": "subscribe", "channel": "room:x", "recover": {"epoch": 1, "offset": "x"}},
])
def test_wrong_command_is_told(connect, command):
    client = connect()
    answer = client.ask({**command, "id": 3})
    assert answer["type"] == "error" and answer["id"] == 3 and answer["message"]
    client.hears_nothing_more()


def test_history_pages(server, connect, room):
    ids = [server.publish(room, data=n)["id"] for n in range(10)]
    client = connect()
    page = client.ask({"type": "history", "channel": room, "limit": 4, "id": "h"})
    assert list(page) == ["type", "channel", "id", "epoch", "offset", "complete", "more", "events"]
    assert (page["channel"], page["id"], page["offset"], page["complete"], page["more"]) == (room, "h", 10, True, True)
    assert re.fullmatch("[0-9a-f]+", page["epoch"])
    assert [event["data"] for event in page["events"]] == [0, 1, 2, 3]
    assert page["events"][0]["event_id"] == ids[0] and page["events"][0]["type"] == "event"
    since = {"epoch": page["epoch"], "offset": 4}
    rest = client.ask({"type": "history", "channel": room, "since": since, "limit": 100})
    assert [event["offset"] for event in rest["events"]] == [5, 6, 7, 8, 9, 10] and not rest["more"] and rest["complete"]
    newest = client.ask({"type": "history", "channel": room, "limit": 2, "reverse": True})
    assert [event["data"] for event in newest["events"]] == [9, 8] and newest["more"]
    before = client.ask({"type": "history", "channel": room, "reverse": True, "since": since})
    assert [event["offset"] for event in before["events"]] == [3, 2, 1] and not before["more"]
    foreign = client.ask({"type": "history", "channel": room, "since": {"epoch": "1", "offset": 4}})
    assert not foreign["complete"] and foreign["events"][0]["offset"] == 1


def test_history_of_a_silent_channel_is_empty(connect, room):
    page = connect().ask({"type": "history", "channel": room})
    assert page["type"] == "history" and page["events"] == [] and page["more"] is False


def test_subscriptions_are_listed(connect, room, repo):
    client = connect()
    assert client.ask({"type": "subscriptions"}) == {"type": "subscriptions", "channels": []}
    for channel in (room, repo, repo + "/prs", "all"):
        client.subscribe(channel)
    client.subscribe(room)
    assert sorted(client.ask({"type": "subscriptions"})["channels"]) == sorted([room, repo, repo + "/prs", "all"])
    client.ask({"type": "unsubscribe", "channel": repo})
    assert sorted(client.ask({"type": "subscriptions"})["channels"]) == sorted([room, repo + "/prs", "all"])


def test_recovery_brings_what_was_missed_in_order(server, connect, room):
    first = server.publish(room, data=0)
    for number in range(1, 6):
        server.publish(room, data=number)
    client = connect()
    answer = client.subscribe(room, id=1, recover={"epoch": first["epoch"], "offset": first["offset"]})
    assert answer["recovered"] is True and answer["epoch"] == first["epoch"] and answer["offset"] == 6
    assert list(answer) == ["type", "channel", "id", "epoch", "offset", "recovered"]
    server.publish(room, data=6)
    heard = [client.hear() for _ in range(6)]
    assert [event["data"] for event in heard] == [1, 2, 3, 4, 5, 6]
    assert [event["offset"] for event in heard] == [2, 3, 4, 5, 6, 7]
    client.hears_nothing_more()


def test_recovery_from_another_epoch_is_honest(server, connect, room):
    first = server.publish(room)
    wrong = f"{int(first['epoch'], 16) ^ 1:x}"
    answer = connect().subscribe(room, recover={"epoch": wrong, "offset": 0})
    assert answer["recovered"] is False and answer["epoch"] == first["epoch"] and answer["offset"] == 1


def test_recovery_past_what_is_kept_is_honest(start, connect, room, tmp_path):
    config = tmp_path / "carillon.toml"
    config.write_text('[[channels]]\nmatch = "room:*"\nhistory_count = 3\n')
    server = start("--config", str(config))
    first = server.publish(room)
    for _ in range(5):
        server.publish(room)
    client = connect(server)
    assert client.subscribe(room, recover={"epoch": first["epoch"], "offset": 1})["recovered"] is False
    other = connect(server)
    assert other.subscribe(room, recover={"epoch": first["epoch"], "offset": 3})["recovered"] is True
    assert [other.hear()["offset"] for _ in range(3)] == [4, 5, 6]


def test_channel_without_history_has_no_positions(start, connect, tmp_path):
    config = tmp_path / "carillon.toml"
    config.write_text('[[channels]]\nmatch = "fleeting:**"\nhistory_count = 0\n')
    server = start("--config", str(config))
    client = connect(server)
    client.subscribe("fleeting:x")
    published = server.publish("fleeting:x")
    assert set(published) == {"channel", "id"}
    assert set(client.hear()) == {"type", "channel", "event", "data", "timestamp", "event_id"}
    answer = client.ask({"type": "publish", "channel": "fleeting:x", "event": "e", "data": 1})
    assert answer["type"] == "event"
    assert set(client.hear_type("published")) == {"type", "channel", "event_id"}


def test_recovery_under_fire_has_neither_gap_nor_duplicate(server, connect, room):
    """A client comes and goes while others publish, and recovers by position each time."""
    speaker = connect()
    start = server.publish(room, data=0)
    position = {"epoch": start["epoch"], "offset": start["offset"]}
    heard = []
    for visit in range(15):
        for _ in range(10):  # Without waiting for the answers: these race with the subscription.
            speaker.say({"type": "publish", "channel": room, "event": "n", "data": visit})
        client = Client(server)
        assert client.subscribe(room, recover=position)["recovered"] is True
        for _ in range(7):
            heard.append(client.hear())
        position = {"epoch": heard[-1]["epoch"], "offset": heard[-1]["offset"]}
        client.reset()
    assert [event["offset"] for event in heard] == list(range(2, 2 + 15 * 7))


def test_hello_only_when_asked_for(server, connect):
    client = connect(query="?v=2")
    hello = client.hear()
    assert hello["type"] == "hello" and hello["session"] and hello["server"] and isinstance(hello["limits"], dict)
    assert hello["session"] in [str(session["id"]) for session in server.sessions()]
    client.hears_nothing_more()


def test_dotted_event_names_on_request(server, connect, repo):
    dotted, plain = connect(query="?events=dotted"), connect()
    for client in (dotted, plain):
        client.subscribe(repo)
    names = {"push": "push", "pr_opened": "pr.opened", "issue_comment": "issue.comment", "branch_created": "branch.created",
             "workflow_run_completed": "workflow_run.completed", "my_own_name": "my_own_name"}
    for name in names:
        server.publish(repo, name)
    assert [dotted.hear()["event"] for _ in names] == list(names.values())
    assert [plain.hear()["event"] for _ in names] == list(names)


def test_both_options_together(connect):
    assert connect(query="?events=dotted&v=2").hear()["type"] == "hello"
