"""The native protocol: what guts' clients speak, to the letter."""
import json
import re
import threading

import pytest

from talking import BINARY, PING, PONG, Client

ADDITIONS = ("epoch", "offset", "positions", "code")  # What our answers add to guts', for clients that look for it.
UUID4 = r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"


def short(answer):
    """The answer as guts would give it."""
    return {key: value for key, value in answer.items() if key not in ADDITIONS}


def test_answers_are_exact_texts(connect):
    client = connect()
    client.say('{"type":"subscribe","channel":"repo:alice/app"}')
    assert re.fullmatch(r'{"type":"subscribed","channel":"repo:alice/app"(,"epoch":"[0-9a-f]+","offset":\d+)?}', client.hear_text())
    client.say('{"type":"unsubscribe","channel":"repo:alice/app"}')
    assert client.hear_text() == '{"type":"unsubscribed","channel":"repo:alice/app"}'
    client.say('{"type":"ping"}')
    assert client.hear_text() == '{"type":"pong"}'


def test_nothing_is_said_before_the_client_speaks(connect):
    connect().hears_nothing_more()


def test_event_is_the_envelope_in_order(server, connect, repo):
    client = connect()
    client.subscribe(repo)
    published = server.publish(repo, "push", {"ref": "refs/heads/main"})
    text = client.hear_text()
    assert re.fullmatch(
        rf'{{"type":"event","channel":"{repo}","event":"push","data":{{"ref":\s?"refs/heads/main"}},'
        rf'"timestamp":\d{{10}},"event_id":"{UUID4}","epoch":"[0-9a-f]+","offset":1}}', text), text
    event = json.loads(text)
    assert (event["event_id"], event["epoch"], event["offset"]) == (published["id"], published["epoch"], published["offset"])


@pytest.mark.parametrize("data", [None, True, 0, -1.5e300, "", "\u00e9\U0001f514\n\"\\", [], {}, [1, [2, {"a": None}]], {"": {"": []}}])
def test_data_is_any_json(server, connect, room, data):
    client = connect()
    client.subscribe(room)
    server.publish(room, data=data)
    assert client.hear()["data"] == data


def test_numbers_and_escapes_of_data_pass_untouched(connect, room):
    client = connect()
    client.subscribe(room)
    for text in ("123456789012345678901234567890", "1.0", "1e5", "-0", r'"\u0000\/\ud83d\ude00"'):
        client.say('{"type":"publish","channel":"%s","event":"e","data":%s}' % (room, text))
        assert f'"data":{text},' in client.hear_text()
        client.hear_type("published")


def test_key_order_is_free_and_unknown_keys_are_ignored(connect, room):
    client = connect()
    assert client.ask('{ "x" : {"type":"ping"} , "channel" : "%s" , "type" : "subscribe" , "y" : [1,2] }' % room)["type"] == "subscribed"


def test_array_form(connect):
    client = connect()
    assert short(client.ask(["subscribe", "repo:a/b"])) == {"type": "subscribed", "channel": "repo:a/b"}
    assert client.ask(["ping"]) == {"type": "pong"}
    assert client.ask(["unsubscribe", "repo:a/b"]) == {"type": "unsubscribed", "channel": "repo:a/b"}


BAD_MESSAGES = ["", "not json", "null", "5", "{", "[", "{}", '{"type":"foo"}', '{"type":5}', '{"type":"Ping"}', '{"type":"subscribe"}',
                '{"type":"subscribe","channel":5}', '{"type":"subscribe","channel":null}', '{"type":"ping"} x', '{"type":"ping",}',
                '{"type":"ping","a":[1,2}}', '{"type":"ping","a":tru}', '{"type":"ping","a":01}', "[]", '["foo"]', '["subscribe"]',
                '["subscribe",5]', '{"type":"ping","a":"\x01"}', '{"type":"subscribe","channel":"repo:a/b","channel":"repo:a/c"}',
                "[" * 5000 + "]" * 5000]


@pytest.mark.parametrize("text", BAD_MESSAGES)
def test_bad_message_is_told_and_the_connection_stays(connect, text):
    client = connect()
    answer = client.ask(text)
    assert list(short(answer)) == ["type", "message"] and answer["type"] == "error"
    assert answer["message"].startswith("Invalid message format: ") and len(answer["message"]) > 25
    client.hears_nothing_more()


@pytest.mark.parametrize("channel,text", [
    ("invalid", None),  # Open here: a name without a colon is a channel like any other, or an error with guts' text.
    ("repo:", "invalid channel: repository channel requires owner/name format: "),
    ("repo:onlyname", "invalid channel: repository channel requires owner/name format: onlyname"),
    ("user:", "invalid channel: channel identifier cannot be empty: user:"),
    ("org:", "invalid channel: channel identifier cannot be empty: org:"),
    ("user:/x", "invalid channel: channel identifier cannot be empty: user:/x"),
])
def test_bad_channel_has_guts_text(connect, channel, text):
    client = connect()
    answer = client.ask({"type": "subscribe", "channel": channel})
    if text is None:
        assert answer["type"] in ("subscribed", "error")
    else:
        assert short(answer) == {"type": "error", "message": text}
    client.hears_nothing_more()


@pytest.mark.parametrize("channel", ["", "x" * 256, "room:\u0001", "room:a\nb", "room:\u007f"])
def test_channel_outside_the_canonical_form_is_refused(connect, channel):
    client = connect()
    answer = client.ask({"type": "subscribe", "channel": channel})
    assert answer["type"] == "error" and answer["message"].startswith("invalid channel: ")
    client.hears_nothing_more()


def test_option_restores_the_refusal_of_unknown_types(start):
    server = start(env={"CARILLON_NATIVE_REFUSE_UNKNOWN_TYPES": "true"})
    client = Client(server)
    assert client.ask({"type": "subscribe", "channel": "unknown:test"})["message"] == "invalid channel: unknown channel type: unknown"
    assert client.ask({"type": "subscribe", "channel": "invalid"})["message"] == "invalid channel: missing channel type prefix: invalid"
    client.subscribe("repo:a/b")
    client.close()


def test_unsubscribe_of_what_was_not_subscribed_is_confirmed(connect, room):
    assert connect().ask({"type": "unsubscribe", "channel": room}) == {"type": "unsubscribed", "channel": room}


def test_unsubscribed_hears_no_more(server, connect, room):
    client = connect()
    client.subscribe(room)
    server.publish(room)
    client.hear_type("event")
    client.ask({"type": "unsubscribe", "channel": room})
    server.publish(room)
    client.hears_nothing_more()


def test_one_hundred_subscriptions(connect):
    client = connect()
    for number in range(100):
        client.subscribe(f"room:many{number}")
    refused = {"type": "error", "message": "subscription limit exceeded: max 100 subscriptions"}
    assert short(client.ask({"type": "subscribe", "channel": "room:onemore"})) == refused
    client.subscribe("room:many7")  # A repeated one is not counted.
    client.ask({"type": "unsubscribe", "channel": "room:many7"})
    client.subscribe("room:onemore")
    assert short(client.ask({"type": "subscribe", "channel": "room:many7"})) == refused


def test_binary_frames_are_ignored(connect):
    client = connect()
    client.frame(BINARY, b'{"type":"subscribe","channel":"room:x"}')
    client.frame(BINARY, b"\xff\x00")
    client.hears_nothing_more()


def test_repository_hears_its_children_and_they_do_not_hear_it(server, connect, repo):
    parent, prs, issues, other = (connect() for _ in range(4))
    parent.subscribe(repo)
    prs.subscribe(repo + "/prs")
    issues.subscribe(repo + "/issues")
    other.subscribe(repo + "x")
    server.publish(repo, "push")
    server.publish(repo + "/prs", "pr_opened")
    server.publish(repo + "/issues", "issue_opened")
    assert [parent.hear()["channel"] for _ in range(3)] == [repo, repo + "/prs", repo + "/issues"]
    assert prs.hear()["event"] == "pr_opened"
    assert issues.hear()["event"] == "issue_opened"
    for client in (parent, prs, issues, other):
        client.hears_nothing_more()


def test_one_copy_however_many_subscriptions_match(server, connect, repo):
    client = connect()
    for channel in (repo, repo + "/prs", repo, repo + "/issues", "all"):
        client.subscribe(channel)
    server.publish(repo + "/prs", "pr_opened")
    assert client.hear()["event"] == "pr_opened"
    client.hears_nothing_more()


def test_what_remains_subscribed_is_still_heard(server, connect, repo):
    client = connect()
    client.subscribe(repo)
    client.subscribe(repo + "/prs")
    client.ask({"type": "unsubscribe", "channel": repo})
    server.publish(repo, "push")
    server.publish(repo + "/prs", "pr_opened")
    assert client.hear()["event"] == "pr_opened"
    client.hears_nothing_more()


def test_user_channel_echoes_its_text_and_equals_its_bare_form(server, connect):
    client = connect()
    assert short(client.subscribe("user:alice/x")) == {"type": "subscribed", "channel": "user:alice/x"}
    server.publish("user:alice", "mention")
    assert client.hear()["channel"] == "user:alice"
    assert client.ask({"type": "unsubscribe", "channel": "user:alice"}) == {"type": "unsubscribed", "channel": "user:alice"}
    server.publish("user:alice", "mention")
    client.hears_nothing_more()


def test_channel_all_hears_everything(server, connect, room, repo):
    client = connect()
    client.subscribe("all")
    for channel in (room, repo, "org:acme", "lobby"):
        server.publish(channel)
    assert [client.hear()["channel"] for _ in range(4)] == [room, repo, "org:acme", "lobby"]


def test_subscribed_precedes_events_while_others_publish(server, connect, room):
    stop = threading.Event()

    def ring():
        while not stop.is_set():
            server.publish(room)

    bell = threading.Thread(target=ring)
    bell.start()
    try:
        for _ in range(20):
            client = Client(server)
            client.say({"type": "subscribe", "channel": room})
            assert client.hear()["type"] == "subscribed"
            assert client.hear()["type"] == "event"
            client.shake_close()
    finally:
        stop.set()
        bell.join()


def test_events_come_in_the_order_of_their_channel_to_everyone(server, connect, room):
    clients = [connect() for _ in range(8)]
    for client in clients:
        client.subscribe(room)
    publishers = [connect() for _ in range(4)]

    def publish(client, name):
        for number in range(50):
            client.say({"type": "publish", "channel": room, "event": "n", "data": [name, number]})

    threads = [threading.Thread(target=publish, args=pair) for pair in zip(publishers, "abcd")]
    for thread in threads:
        thread.start()
    heard = [[client.hear() for _ in range(200)] for client in clients]
    for thread in threads:
        thread.join()
    for events in heard:
        assert [event["offset"] for event in events] == list(range(1, 201))
        assert [event["event_id"] for event in events] == [event["event_id"] for event in heard[0]]
    for name in "abcd":
        assert [e["data"][1] for e in heard[0] if e["data"][0] == name] == list(range(50))


def test_protocol_ping_is_answered_with_its_payload(connect):
    client = connect()
    client.frame(PING, b"are you there?")
    frame = client.read_frame()
    assert (frame.opcode, frame.payload) == (PONG, b"are you there?")


def test_unicode_channel(server, connect):
    client = connect()
    client.subscribe("room:caf\u00e9-\U0001f514")
    server.publish("room:caf\u00e9-\U0001f514")
    assert client.hear()["channel"] == "room:caf\u00e9-\U0001f514"
