"""infotainer by hand: both versions of the protocol, sessions that change hands, what lasts, and what hostile clients send."""
import base64
import json
import os
import re
import subprocess
import threading
import time
import uuid

import pytest

import cbor_text as cbor
from carillon_process import PROGRAM, ROOT, run_program, wait_until
from talking import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, Client, RawWebSocket, close_code
from test_tokens import KEY, SECRET, token


class Infotainer(RawWebSocket):
    def __init__(self, server, session=None, query="", path="/ws", **options):
        self.session = session or uuid.uuid4()
        super().__init__(server, path=f"{path}/{self.session}{query}", **options)
        assert self.status == 101, self.head

    def send_raw(self, data):
        self.frame(BINARY, data)

    def say(self, variant, **fields):
        self.send_raw(cbor.encode({variant: fields}))

    def subscribe(self, log):
        self.say("Subscribe", subscription_id=log.bytes)

    def publish(self, log, data):
        self.say("SubmitPublication", subscription_id=log.bytes, submission=list(data))

    def hear_bytes(self):
        message = self.read_message()
        assert message is not None and message[0] == BINARY, message
        return message[1]

    def hear(self, variant=None):
        message = cbor.decode(self.hear_bytes())
        (name, content), = message.items()
        assert variant in (None, name), message
        return content if variant else message

    def fence(self):
        """Commands are done in their order, and an empty list has an answer: so all before it is done and was silent."""
        self.say("GetLogEntries", log_id=bytes(16), entries=[])
        assert self.hear("LogEntry") == []


class Two(Infotainer):
    """Version 2."""

    def __init__(self, server, session=None, bodies="apart", **options):
        super().__init__(server, session, f"?v=2&bodies={bodies}", **options)
        self.hello = self.hear("Hello")
        assert self.hello["session_id"] == self.session.bytes

    def ask(self, variant, **fields):
        """The answer, and what came before it."""
        self.say(variant, request_id=7, **fields)
        before = []
        while True:
            (name, content), = self.hear().items()
            if content.get("request_id") == 7:
                return name, content, before
            before.append((name, content))

    def fine(self, variant, **fields):
        name, content, _ = self.ask(variant, **fields)
        assert name != "Error", content
        return content

    def fault(self, variant, **fields):
        name, content, _ = self.ask(variant, **fields)
        assert name == "Error", (name, content)
        return content["code"]


@pytest.fixture
def log():
    return uuid.uuid4()


def test_the_original_end_to_end(server, log):
    client = Infotainer(server)
    client.subscribe(log)
    client.publish(log, b"some text")
    subscription, publication = client.hear("Issue")
    assert subscription == log.bytes
    client.say("GetLogIndex", log_id=log.bytes)
    assert client.hear("LogIndex") == [log.bytes, [publication]]
    client.say("GetLogEntries", log_id=log.bytes, entries=[publication])
    entry, = client.hear("LogEntry")
    assert entry == {"publication_id": publication, "subscription_id": log.bytes, "data": list(b"some text")}
    client.say("Unsubscribe", subscription_id=log.bytes)
    assert client.read_frame().opcode == PING  # Nothing is answered: the heartbeat comes next.
    client.close()


def test_every_form_of_the_path_and_none_else(server):
    hyphenated = "00112233-4455-6677-8899-aabbccddeeff"
    for form in (hyphenated, hyphenated.upper(), hyphenated.replace("-", ""), "%7B" + hyphenated + "%7D",
                 "urn:uuid:" + hyphenated):
        client = Infotainer(server, session=form)
        client.fence()
        client.close()
    for form in ("nonsense", hyphenated[:-1], "1"):
        assert RawWebSocket(server, path="/ws/" + form).status == 404
    refused = server.call("POST", "/ws/" + hyphenated)
    assert refused.status == 405 and "GET" in refused.headers["Allow"]
    assert server.get("/ws/" + hyphenated).status in (400, 426)
    assert RawWebSocket(server, path="/ws/" + hyphenated + "?v=3").status == 400
    native = Client(server)  # The native protocol stays where it was.
    assert native.ask({"type": "ping"}) == {"type": "pong"}
    native.close()


def test_silences_and_texts_of_the_original(server, log):
    client = Infotainer(server)
    client.frame(TEXT, "hello")
    assert client.read_message() == (TEXT, b"Text messages not implemented")
    client.send_raw(b"")
    assert client.hear_bytes() == b"EOF while parsing a value"
    client.send_raw(b"\xa1\x64Nope\xa0")
    assert client.hear_bytes().startswith(b"unknown variant `Nope`, expected one of `GetLogIndex`")
    client.send_raw(b"\xa1\x41\xff\xa0")
    assert client.hear_bytes().decode().startswith("unknown variant `\ufffd`")
    client.publish(log, b"nobody subscribed")  # Dropped without a word.
    client.say("Unsubscribe", subscription_id=log.bytes)
    client.say("GetLogIndex", log_id=log.bytes)
    client.fence()
    client.subscribe(log)
    client.subscribe(log)  # Idempotent.
    client.publish(log, b"x")
    _, publication = client.hear("Issue")
    client.say("GetLogEntries", log_id=log.bytes, entries=[uuid.uuid4().bytes, publication, bytes(16)])
    assert [entry["publication_id"] for entry in client.hear("LogEntry")] == [publication]
    client.frame(PING, b"ours")
    assert client.read_frame()[2:] == (PONG, b"ours")
    client.shake_close(4321)


def test_a_subscription_goes_with_its_last_subscriber_and_its_log_stays(server, log):
    first, second = Infotainer(server), Infotainer(server)
    for client in (first, second):
        client.subscribe(log)
        client.fence()
    second.publish(log, b"1")
    assert first.hear("Issue")[0] == second.hear("Issue")[0] == log.bytes
    first.say("Unsubscribe", subscription_id=log.bytes)
    first.fence()
    first.publish(log, b"2")
    second.hear("Issue")
    second.say("Unsubscribe", subscription_id=log.bytes)
    second.fence()
    first.publish(log, b"3")
    first.say("GetLogIndex", log_id=log.bytes)
    assert len(first.hear("LogIndex")[1]) == 2
    first.close(), second.close()


def test_binary_goes_to_others_as_base64_and_json_comes_as_its_text(server, connect, log):
    native = connect()
    native.subscribe(f"log:{log}")
    client, two = Infotainer(server), Two(server, bodies="inline")
    client.subscribe(log)
    client.fence()
    assert two.fine("Subscribe", subscription_id=log.bytes)["created"] is False
    client.publish(log, b"Hi\xff")
    event = native.hear_type("event")
    assert (event["event"], base64.b64decode(event["data"])) == ("publication", b"Hi\xff")
    assert uuid.UUID(event["event_id"]).bytes == client.hear("Issue")[1]
    assert two.hear("Issue")["data"] == b"Hi\xff"
    server.publish(f"log:{log}", event="said", data={"n": [1, None, 2.5]})
    _, publication = client.hear("Issue")
    client.say("GetLogEntries", log_id=log.bytes, entries=[publication])
    text = bytes(client.hear("LogEntry")[0]["data"])
    assert json.loads(text) == {"n": [1, None, 2.5]}
    issue = two.hear("Issue")
    assert (issue["event"], issue["format"], issue["data"]) == ("said", "json", {"n": [1, None, 2.5]})
    client.close(), two.close()


def test_a_log_that_only_another_protocol_hears_is_published_to(server, connect, log):
    client, two, native = Infotainer(server), Two(server), connect()
    client.publish(log, b"before")
    client.fence()
    native.subscribe(f"log:{log}")
    client.publish(log, b"1")
    assert base64.b64decode(native.hear_type("event")["data"]) == b"1"
    two.fine("SubmitPublication", subscription_id=log.bytes, submission=b"2")
    assert base64.b64decode(native.hear_type("event")["data"]) == b"2"
    native.ask({"type": "unsubscribe", "channel": f"log:{log}"})
    assert two.fault("SubmitPublication", subscription_id=log.bytes, submission=b"3") == "not_found"
    client.close(), two.close()


def test_version_two_answers_everything(server, log):
    two = Two(server)
    assert two.fault("SubmitPublication", subscription_id=log.bytes, submission=b"x") == "not_found"
    assert two.fault("GetLogIndex", log_id=log.bytes) == "not_found"
    assert two.fault("Subscribe", subscription_id="text") == "invalid"
    assert two.fine("Subscribe", subscription_id=log.bytes)["created"] is True
    assert two.fine("Subscribe", subscription_id=log.bytes)["already"] is True
    ids = []
    for number in range(5):
        name, receipt, before = two.ask("SubmitPublication", subscription_id=log.bytes, submission=f'{{"n": {number}}}',
                                        format="json", event="counted")
        assert name == "Published" and before[0][0] == "Issue"
        assert before[0][1]["publication_id"] == receipt["publication_id"]
        ids.append(receipt["publication_id"])
    index = two.fine("GetLogIndex", log_id=log.bytes, limit=2)
    assert [e["publication_id"] for e in index["entries"]] == ids[:2] and index["more"] and not index["lost"]
    last = index["entries"][-1]
    after = {"epoch": last["epoch"], "offset": last["offset"]}
    index = two.fine("GetLogIndex", log_id=log.bytes, after=after)
    assert [e["publication_id"] for e in index["entries"]] == ids[2:] and not index["more"]
    index = two.fine("GetLogIndex", log_id=log.bytes, before=after, reverse=True)
    assert [e["publication_id"] for e in index["entries"]] == ids[:1]
    assert two.fine("GetLogIndex", log_id=log.bytes, from_time=int(time.time() * 1000) + 10 ** 6)["entries"] == []
    assert two.fault("GetLogIndex", log_id=log.bytes, before=after) == "invalid"
    missing = uuid.uuid4().bytes
    entries = two.fine("GetLogEntries", log_id=log.bytes, entries=[ids[3], missing, ids[0]])
    assert [e["data"] for e in entries["entries"]] == [{"n": 3}, {"n": 0}] and entries["missing"] == [missing]
    assert two.fine("ListSubscriptions")["subscriptions"][0]["position"]["offset"] == 5
    assert two.fine("Unsubscribe", subscription_id=log.bytes)["was_subscribed"] is True
    assert two.fine("Unsubscribe", subscription_id=log.bytes)["was_subscribed"] is False
    two.frame(TEXT, "hello")
    assert two.hear("Error")["message"] == "Text messages not implemented"
    two.close()


def test_an_idempotent_publish_and_any_cbor_item(server, log):
    two = Two(server, bodies="inline")
    two.fine("Subscribe", subscription_id=log.bytes)
    item = {1: [b"\x00", -5, {"deep": None}]}
    fields = dict(subscription_id=log.bytes, submission=item, format="cbor", idempotency_key="once")
    name, receipt, before = two.ask("SubmitPublication", **fields)
    assert before[0][1]["data"] == item and before[0][1]["format"] == "cbor" and not receipt["repeated"]
    again = two.fine("SubmitPublication", **fields)
    assert again["repeated"] and again["publication_id"] == receipt["publication_id"]
    two.close()


def test_the_newest_connection_has_the_session(server, log):
    """Many times, so that both are on the same loop and on different ones."""
    other = Infotainer(server)
    session = uuid.uuid4()
    current = Infotainer(server, session)
    current.subscribe(log)
    current.fence()
    for number in range(12):
        newer = Infotainer(server, session)
        while (message := current.read_message()) is not None and message[0] != CLOSE:
            pass
        assert message is not None and close_code(message[1]) == 4001
        newer.fence()
        current.close()  # Its end does not take the newer one's place away.
        other.publish(log, b"%d" % number)
        assert newer.hear("Issue")[0] == log.bytes
        current = newer
    current.close(), other.close()


def test_subscriptions_are_remembered_and_version_two_catches_up(server, log):
    publisher = Two(server)
    publisher.fine("Subscribe", subscription_id=log.bytes)
    one, session = Infotainer(server), uuid.uuid4()
    one.subscribe(log)
    one.fence()
    two = Two(server, session, bodies="inline")
    two.fine("Subscribe", subscription_id=log.bytes)

    def publish(number):
        return publisher.fine("SubmitPublication", subscription_id=log.bytes, submission=number, format="cbor")

    publish(1)
    assert two.hear("Issue")["data"] == 1
    one.hear("Issue")
    two.shake_close()
    one.shake_close()
    for number in (2, 3, 4):
        publish(number)
    two = Two(server, session, bodies="inline")
    assert two.hello["subscriptions"] == 1
    resumed = two.hear("Resumed")
    assert resumed["subscription_id"] == log.bytes and resumed["lost"] is False
    assert [two.hear("Issue")["data"] for _ in range(3)] == [2, 3, 4]
    publish(5)
    assert two.hear("Issue")["data"] == 5
    one = Infotainer(server, one.session)  # Version 1 asks for the index; only what is new is told.
    one.fence()
    publish(6)
    assert len(one.hear("Issue")) == 2
    one.fence()
    for client in (publisher, one, two):
        client.close()


def test_what_retention_took_is_lost_and_said(start, tmp_path, log):
    config = tmp_path / "carillon.toml"
    config.write_text('[[channels]]\nmatch = "log:*"\nhistory_count = 2\n')
    server = start("--config", str(config))
    publisher, session = Two(server), uuid.uuid4()
    two = Two(server, session, bodies="inline")
    two.fine("Subscribe", subscription_id=log.bytes)
    two.shake_close()
    for number in range(5):
        publisher.fine("SubmitPublication", subscription_id=log.bytes, submission=number, format="cbor")
    two = Two(server, session, bodies="inline")
    assert two.hear("Resumed")["lost"] is True
    assert [two.hear("Issue")["data"] for _ in range(2)] == [3, 4]
    publisher.close(), two.close()


def test_who_acknowledges_is_told_again_what_it_did_not(server, log):
    publisher, session = Two(server), uuid.uuid4()
    two = Two(server, session, bodies="inline")
    two.fine("Subscribe", subscription_id=log.bytes)
    for number in range(3):
        publisher.fine("SubmitPublication", subscription_id=log.bytes, submission=number, format="cbor")
    issues = [two.hear("Issue") for _ in range(3)]
    two.fine("Ack", subscription_id=log.bytes, position={k: issues[0][k] for k in ("epoch", "offset")})
    assert two.fault("Ack", subscription_id=bytes(16), position={"epoch": "1", "offset": 1}) == "not_found"
    two.shake_close()
    two = Two(server, session, bodies="inline")
    assert two.hear("Resumed")["lost"] is False
    assert [two.hear("Issue")["data"] for _ in range(2)] == [1, 2]
    publisher.close(), two.close()


def test_subscriptions_expire(start, log):
    server = start(env={"CARILLON_INFOTAINER_EXPIRY": "1s"})
    session = uuid.uuid4()
    two = Two(server, session)
    two.fine("Subscribe", subscription_id=log.bytes)
    two.shake_close()

    def forgotten():
        time.sleep(1.1)  # Coming back too early renews it.
        again = Two(server, session)
        again.close()
        return again.hello["subscriptions"] == 0

    wait_until(forgotten)


def test_two_workers_share_a_log_and_what_one_had_goes_to_the_other(server, log):
    def take(worker, count):
        return [worker.hear("Delivery") for _ in range(count)]

    publisher, first, second = Two(server), Two(server), Two(server)
    group = {"subscription_id": log.bytes, "group": "workers"}
    assert first.fine("JoinGroup", in_flight=3, **group)["created"] is True
    assert second.fine("JoinGroup", in_flight=3, **group)["created"] is False
    for number in range(6):  # That only the group waits for.
        publisher.fine("SubmitPublication", subscription_id=log.bytes, submission={"job": number}, format="cbor")
    had, others = take(first, 3), take(second, 3)
    assert sorted(each["data"]["job"] for each in had + others) == list(range(6))
    assert {each["attempt"] for each in had + others} == {1}
    assert all(each["format"] == "cbor" and each["group"] == "workers" for each in had + others)
    assert first.fine("AckDelivery", delivery=had[0]["delivery"], **group)["settled"] == 1
    assert second.fine("AckDelivery", delivery=[each["delivery"] for each in others] + ["nonsense"], **group) == {
        "request_id": 7, **group, "settled": 3, "refused": ["nonsense"]}
    assert first.fine("LeaveGroup", **group)["was_member"] is True
    again = take(second, 2)
    assert sorted(each["data"]["job"] for each in again) == sorted(each["data"]["job"] for each in had[1:])
    assert {each["attempt"] for each in again} == {2}
    assert first.fault("AckDelivery", delivery=had[1]["delivery"], **group) == "conflict"

    first.fine("JoinGroup", in_flight=3, **group)
    second.close()  # A connection that breaks is left as well.
    third = take(first, 2)
    assert sorted(each["data"]["job"] for each in third) == sorted(each["data"]["job"] for each in again)
    assert {each["attempt"] for each in third} == {3}
    settled = first.fine("AckDelivery", delivery=[each["delivery"] for each in third], **group)
    assert settled["settled"] == 2 and settled["refused"] == []
    assert first.fault("JoinGroup", subscription_id=log.bytes, group="") == "invalid"
    assert publisher.fault("JoinGroup", visibility_ms=5000, **group) == "conflict"
    deleted = server.call("DELETE", f"/api/groups?channel=log:{log}&group=workers")
    assert deleted.status == 200, deleted.text
    assert first.hear("GroupEnded")["group"] == "workers"
    publisher.close(), first.close()


def test_topics_are_created_listed_watched_and_deleted(server):
    two, watcher = Two(server), Two(server)
    assert watcher.fine("WatchTopics") == {"request_id": 7, "watching": True}
    topic = two.fine("CreateTopic", name="weather")
    assert topic["name"] == "weather" and topic["lasting"] is True
    told = watcher.hear("TopicChanged")
    assert (told["change"], told["topic_id"], told["name"]) == ("created", topic["topic_id"], "weather")
    watcher.fine("Subscribe", subscription_id=topic["topic_id"])
    shown = two.fine("GetTopic", topic_id=topic["topic_id"])
    assert shown["subscribers"] == [f"infotainer/{watcher.session}"] and shown["more"] is False
    listed, after = [], {}
    while True:
        page = two.fine("ListTopics", limit=3, **after)
        listed += [each["topic_id"] for each in page["topics"]]
        if not page["more"]:
            break
        after = {"after": listed[-1]}
    assert topic["topic_id"] in listed and listed == sorted(listed)
    two.fine("SubmitPublication", subscription_id=topic["topic_id"], submission=b"rain")
    watcher.hear("Issue")
    assert two.fine("DeleteTopic", topic_id=topic["topic_id"])["topic_id"] == topic["topic_id"]
    heard = {next(iter(watcher.hear())) for _ in range(2)}
    assert heard == {"TopicChanged", "Ended"}
    assert two.fault("GetTopic", topic_id=topic["topic_id"]) == "not_found"
    assert two.fault("GetLogIndex", log_id=topic["topic_id"]) == "not_found"
    assert two.fault("SubmitPublication", subscription_id=topic["topic_id"], submission=b"x") == "not_found"
    assert two.fault("CreateTopic", name="") == "invalid"
    assert watcher.fine("UnwatchTopics")["watching"] is False
    two.close(), watcher.close()


def test_topics_over_http_are_those_of_the_protocol(server, connect):
    watcher, native = Two(server), connect()
    watcher.fine("WatchTopics")
    native.subscribe("topics")
    topic = server.call("POST", "/api/topics", json.dumps({"name": "by http"}), {"Content-Type": "application/json"})
    assert topic.status == 201
    told, event = watcher.hear("TopicChanged"), native.hear_type("event")
    assert told["topic_id"] == uuid.UUID(topic.json["id"]).bytes
    assert event["event"] == "topic_created" and event["data"]["topic"]["name"] == "by http"
    watcher.fine("Subscribe", subscription_id=told["topic_id"])
    shown = server.get(f"/api/topics/{topic.json['id']}").json
    assert shown["subscribers"] == [f"infotainer/{watcher.session}"]
    server.publish(topic.json["channel"], data=1)
    assert watcher.hear("Issue")["subscription_id"] == told["topic_id"]
    listed = server.get("/api/topics?limit=1000").json["topics"]
    assert topic.json["id"] in [each["id"] for each in listed]
    assert server.call("DELETE", f"/api/topics/{topic.json['id']}").status == 200
    assert {next(iter(watcher.hear())) for _ in range(2)} == {"TopicChanged", "Ended"}
    assert server.get(f"/api/topics/{topic.json['id']}").status == 404
    assert watcher.fault("SubmitPublication", subscription_id=told["topic_id"], submission=b"x") == "not_found"
    watcher.close()


def test_a_session_of_a_user_is_that_user_s(start, tmp_path, log):
    config = tmp_path / "carillon.toml"
    config.write_text(f'[auth]\napi_key = "{KEY}"\njwt_secrets = ["{SECRET}"]\n[[channels]]\nmatch = "**"\npublish = "user"\n')
    server = start("--config", str(config))
    session = uuid.uuid4()
    bearer = lambda text: [f"Authorization: Bearer {text}"]
    alice = Two(server, session, headers=bearer(token("alice")))
    alice.fine("Subscribe", subscription_id=log.bytes)
    for headers in (bearer(token("mallory")), []):
        assert RawWebSocket(server, path=f"/ws/{session}", headers=headers).status == 403
    anonymous = Two(server)
    assert anonymous.fault("SubmitPublication", subscription_id=log.bytes, submission=b"x") in ("unauthorized", "forbidden")
    assert anonymous.fault("CreateTopic", name="n") in ("unauthorized", "forbidden")
    mine = alice.fine("CreateTopic", name="mine")
    bob = Two(server, headers=bearer(token("bob")))
    assert bob.fault("DeleteTopic", topic_id=mine["topic_id"]) == "forbidden"
    alice.shake_close()
    alice = Two(server, session, headers=bearer(token("alice")))
    assert alice.hello["subscriptions"] == 1
    for client in (alice, anonymous, bob):
        client.close()


def test_policy_faults_are_texts_in_version_one(start, tmp_path, log):
    config = tmp_path / "carillon.toml"
    config.write_text('[[channels]]\nmatch = "log:*"\npublish = "nobody"\nsubscribe = "nobody"\n')
    server = start("--config", str(config))
    client = Infotainer(server)
    client.subscribe(log)
    assert client.hear_bytes()[0] < 0xa0  # No CBOR map: a text.
    client.say("GetLogIndex", log_id=log.bytes)
    client.hear_bytes()
    client.close()


def test_fragments_and_large_messages(start, log):
    server = start("--message-max", "1MiB")
    client = Infotainer(server)
    client.subscribe(log)
    data = os.urandom(200_000)
    whole = cbor.encode({"SubmitPublication": {"subscription_id": log.bytes, "submission": list(data)}})
    pieces = [whole[i:i + 50_000] for i in range(0, len(whole), 50_000)]
    for number, piece in enumerate(pieces):
        client.frame(CONTINUATION if number else BINARY, piece, fin=number == len(pieces) - 1)
    _, publication = client.hear("Issue")
    client.say("GetLogEntries", log_id=log.bytes, entries=[publication])
    assert bytes(client.hear("LogEntry")[0]["data"]) == data
    client.frame(BINARY, bytes(1_100_000))
    assert close_code(client.read_message()[1]) == 1009
    client.close()


def test_entries_beyond_what_waits_for_a_client_come_whole(server, log):
    client = Infotainer(server)
    client.subscribe(log)
    data = os.urandom(400_000)
    ids = []
    for _ in range(12):
        client.say("SubmitPublication", subscription_id=log.bytes, submission=data)  # A byte string is taken too.
        ids.append(client.hear("Issue")[1])
    client.say("GetLogEntries", log_id=log.bytes, entries=ids)
    client.say("GetLogIndex", log_id=log.bytes)
    entries = client.hear("LogEntry")
    assert [e["publication_id"] for e in entries] == ids and all(bytes(e["data"]) == data for e in entries)
    assert client.hear("LogIndex")[1] == ids
    client.close()


def test_a_silent_client_is_pinged_and_then_told_goodbye(start):
    server = start(env={"CARILLON_INFOTAINER_PING_INTERVAL": "200ms", "CARILLON_INFOTAINER_IDLE_TIME": "600ms"})
    client = Infotainer(server)
    opcodes = []
    while not opcodes or opcodes[-1] != CLOSE:
        frame = client.read_frame()
        opcodes.append(frame.opcode)
    assert opcodes[0] == PING and close_code(frame.payload) == 1001
    client.close()


def test_hostile_cbor_is_answered_and_the_connection_stays(server, log):
    client = Infotainer(server)
    deep = b"\x81" * 100_000
    hostile = [b"\xff", b"\x1c", b"\x9b" + b"\xff" * 8, b"\x5b" + b"\xff" * 8, b"\xbf" * 500, deep, b"\xc1" * 100_000,
               b"\xa1\x69Subscribe\xa1\x6fsubscription_id\x81" + deep, b"\xa1\x7f", b"\xa1\x69Subscribe\xba\xff\xff\xff\xff",
               b"\xa1\x04\x82\x50" + bytes(16) + b"\x9b\x00\x00\x00\x7f\xff\xff\xff\xff", os.urandom(1000)]
    for data in hostile:
        client.send_raw(data)
        assert client.hear_bytes().decode()
    whole = cbor.encode({"Subscribe": {"subscription_id": log.bytes}})
    for size in range(len(whole)):
        client.send_raw(whole[:size])
        assert client.hear_bytes().startswith(b"EOF while parsing")
    client.fence()
    client.close()


def test_commands_sent_at_once_are_done_in_their_order(server, log):
    client = Infotainer(server)
    client.subscribe(log)
    for number in range(500):
        client.publish(log, b"%d" % number)
    client.say("GetLogIndex", log_id=log.bytes)
    ids = [client.hear("Issue")[1] for _ in range(500)]
    assert client.hear("LogIndex")[1] == ids[-100:]  # What the channel's rule keeps.
    client.close()


def test_many_sessions_change_hands_at_once(server, log):
    """Clients fight for few session ids; at the end each id has one connection, which hears everything."""
    sessions = [uuid.uuid4() for _ in range(3)]
    failures = []

    def fight(seed):
        try:
            for number in range(15):
                client = Infotainer(server, sessions[(seed + number) % 3])
                client.subscribe(log)
                client.close()
        except AssertionError as failure:
            failures.append(failure)

    threads = [threading.Thread(target=fight, args=(seed,)) for seed in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    clients = [Infotainer(server, session) for session in sessions]
    for client in clients:
        client.fence()
    clients[0].publish(log, b"x")
    for client in clients:
        assert client.hear("Issue")[0] == log.bytes
        client.close()


def test_metrics_and_facts(start, log):
    server = start()
    session = uuid.uuid4()
    first = Infotainer(server, session)
    first.subscribe(log)
    first.publish(uuid.uuid4(), b"x")
    first.fence()
    second = Infotainer(server, session)
    second.fence()
    metrics = server.get("/metrics").text
    for line in ("carillon_infotainer_sessions 1", "carillon_infotainer_takeovers_total 1", "carillon_infotainer_resumed_total 1",
                 "carillon_infotainer_unknown_total 1"):
        assert line in metrics.splitlines()
    assert {"name": "infotainer", "path": "/ws"} in server.get("/api/info").json["protocols"]
    off = start(env={"CARILLON_INFOTAINER_ENABLED": "false"})
    assert RawWebSocket(off, path=f"/ws/{session}").status == 404
    moved = start(env={"CARILLON_INFOTAINER_PATH": "/cbor"})
    Infotainer(moved, path="/cbor").fence()
    first.close(), second.close()


def test_the_command_publishes_subscribes_and_fetches(server, log):
    def talk(*arguments):
        return subprocess.Popen([PROGRAM, "infotainer", "--url", f"http://{server.host}:{server.port}", *arguments],
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    listener = talk("--stay")
    try:
        listener.stdin.write(f"Subscribe {log}\nnonsense\nSubscribe\n\n")
        listener.stdin.close()
        for text in ("Invalid command", "Missing log id parameter", "Missing command"):
            assert listener.stderr.readline().strip() == text
        wait_until(lambda: server.call("GET", f"/api/topics/{log}").status == 200)
        binary = Infotainer(server)
        binary.publish(log, b"no \xff text")
        binary.fence()
        publisher = talk()
        assert publisher.communicate(f"PublishText {log} some text\n", timeout=15)[0] == ""
        assert publisher.returncode == 0
        lines = [listener.stdout.readline().rstrip("\n") for _ in range(4)]
        assert lines[0].startswith("Received publication ") and lines[0].endswith(f" for Subscription {log}:")
        assert lines[1] == "no \ufffd text" and lines[3] == "some text"
        binary.close()
    finally:
        listener.kill()
        listener.wait(15)
        listener.stdout.close(), listener.stderr.close()
    assert run_program("infotainer", "--session", "x").returncode == 2
    assert run_program("infotainer", "--url", "http://127.0.0.1:1").returncode == 1


def examples():
    """The messages of docs/protocol/infotainer.md, as (direction, notation, bytes)."""
    page = (ROOT / "docs/protocol/infotainer.md").read_text()
    for block in re.findall(r"^```cbor\n(.*?)^```", page, re.M | re.S):
        shown, *hexadecimal = block.strip().split("\n")
        yield shown[0], shown[2:], bytes.fromhex("".join(hexadecimal))


def test_the_examples_of_the_page_are_what_is_spoken(server):
    """Each is CBOR as it says; each command is answered by a message of the shape that the page shows."""
    shapes, commands = {}, []
    for direction, shown, data in examples():
        message = cbor.decode(data)
        assert cbor.notation(message) == shown
        (name, content), = message.items()
        if direction == ">":
            commands.append((name, content, data))
        elif isinstance(content, dict):
            shapes.setdefault(name, []).append(set(content))
    assert len(commands) > 15 and len(shapes) > 15
    two, listener = Two(server, bodies="inline"), Two(server)
    log = cbor.decode(commands[0][2])["GetLogIndex"]["log_id"]
    two.fine("Subscribe", subscription_id=log)
    listener.fine("Subscribe", subscription_id=log)
    publication = two.fine("SubmitPublication", subscription_id=log, submission=b"Hi")["publication_id"]
    listener.hear("Issue")
    delivery = None  # The token of the one in flight.
    for name, content, data in commands:
        content = dict(content)
        if "delivery" in content:
            content["delivery"] = delivery if isinstance(content["delivery"], str) else [delivery]
        content.setdefault("request_id", 99)
        if "entries" in content:
            content["entries"] = [publication, bytes(16)]
        two.say(name, **content)
        came = None
        while True:
            (answer, told), = two.hear().items()
            assert answer in shapes, told
            came = told["delivery"] if answer == "Delivery" else came
            optional = {"user", "position", "lost", "top", "request_id"}
            assert any(shape - optional == set(told) - optional for shape in shapes[answer]), (answer, told)
            if told.get("request_id") == content["request_id"]:
                break
        if answer == "Error":  # Only what the commands before have undone.
            assert told["code"] in ("not_found", "invalid"), (name, told)
        if answer in ("GroupJoined", "DeliveryNacked", "DeliveryAcked"):
            delivery = came or two.hear("Delivery")["delivery"]
    two.close(), listener.close()
