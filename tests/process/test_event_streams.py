"""Event streams: GET /api/events."""
import threading

from carillon_process import wait_until
from talking import RawHttp, SseReader


def test_head_and_first_bytes(server, room):
    with SseReader(server, room) as stream:
        assert stream.status == 200
        assert stream.headers["Content-Type"].replace(" ", "").lower() in ("text/event-stream", "text/event-stream;charset=utf-8")
        assert "no-cache" in stream.headers["Cache-Control"]
        assert stream.headers["X-Accel-Buffering"] == "no"
        retry = stream.wait_for_line(lambda line: line.startswith("retry:"))
        assert 1000 <= int(retry.removeprefix("retry:")) <= 5000


def test_retry_varies(server, room):
    waits = set()
    for _ in range(10):
        with SseReader(server, room) as stream:
            waits.add(stream.wait_for_line(lambda line: line.startswith("retry:")))
    assert len(waits) > 1


def test_event_is_the_native_object(server, connect, room):
    client = connect()
    client.subscribe(room)
    with SseReader(server, room) as stream:
        server.publish(room, "new_msg", {"text": "two\nlines"})
        event = stream.next()
        assert event.id and event.event == "message"
        assert event.data == client.hear_text()


def test_several_channels_and_the_children_of_a_repository(server, room, repo):
    with SseReader(server, room, repo) as stream:
        server.publish(room)
        server.publish("room:unheard")
        server.publish(repo + "/prs", "pr_opened")
        assert [stream.next_json()["channel"] for _ in range(2)] == [room, repo + "/prs"]


def test_payload_with_line_breaks_stays_one_event(server, room):
    with SseReader(server, room) as stream:
        body = '{"channel":"%s","event":"e","data":{\r\n"a":\n1,\r"b":2}}' % room
        assert server.call("POST", "/api/publish", body).status == 200
        server.publish(room, data="after")
        assert stream.next_json()["data"] == {"a": 1, "b": 2}
        assert stream.next_json()["data"] == "after"


def test_heartbeats(start, room):
    server = start(env={"CARILLON_SSE_HEARTBEAT": "100ms"})
    with SseReader(server, room) as stream:
        for _ in range(3):
            stream.wait_for_line(lambda line: line.startswith(":"))


def test_resume_brings_what_was_missed(server, room):
    with SseReader(server, room) as stream:
        server.publish(room, data=1)
        last = stream.next().id
    server.publish(room, data=2)
    server.publish(room, data=3)
    with SseReader(server, room, last_event_id=last) as stream:
        server.publish(room, data=4)
        assert [stream.next_json()["data"] for _ in range(3)] == [2, 3, 4]


def test_resume_before_the_first_event(server, room):
    """A client that heard nothing yet has a position too, if the stream gave it one."""
    with SseReader(server, room) as stream:
        stream.wait_for_line(lambda line: line.startswith("id:"))
        last = None
    with SseReader(server, room) as stream:
        for line in stream.lines():
            if line.startswith("id:"):
                last = line[3:].strip()
                break
    server.publish(room, data=1)
    with SseReader(server, room, last_event_id=last) as stream:
        assert stream.next_json()["data"] == 1


def test_unknown_position_is_told_by_a_reset(server, room):
    server.publish(room, data=1)
    with SseReader(server, room, last_event_id="no-such-position") as stream:
        assert stream.next().event == "reset"
        server.publish(room, data=2)
        while stream.next_json().get("data") != 2:  # What is still kept may come before.
            pass


def test_resume_after_the_history_was_removed_is_told_by_a_reset(server, room):
    with SseReader(server, room) as stream:
        server.publish(room, data=1)
        last = stream.next().id
    assert server.call("DELETE", f"/api/channels/{room}/history").status in (200, 204)
    server.publish(room, data=2)
    with SseReader(server, room, last_event_id=last) as stream:
        assert stream.next().event == "reset"


def test_resume_across_channels_under_fire_has_neither_gap_nor_duplicate(server, connect, room):
    channels = [f"{room}/{name}" for name in "abc"]
    total, speakers = 60, [connect() for _ in channels]

    def speak(client, channel):
        for number in range(total):
            assert client.ask({"type": "publish", "channel": channel, "event": "n", "data": number})["type"] == "published"

    heard, last = {channel: [] for channel in channels}, None
    stream = SseReader(server, *channels)
    threads = [threading.Thread(target=speak, args=pair) for pair in zip(speakers, channels)]
    for thread in threads:
        thread.start()
    while sum(map(len, heard.values())) < total * len(channels):
        for _ in range(min(11, total * len(channels) - sum(map(len, heard.values())))):
            event = stream.next_json()
            assert "offset" in event, event
            heard[event["channel"]].append(event["data"])
        last = stream.last_id
        stream.close()
        stream = SseReader(server, *channels, last_event_id=last)
    stream.close()
    for thread in threads:
        thread.join()
    for channel in channels:
        assert heard[channel] == list(range(total))


def test_position_may_also_come_in_the_query(server, room):
    with SseReader(server, room) as stream:
        server.publish(room, data=1)
        last = stream.next().id
    server.publish(room, data=2)
    with SseReader(server, path=f"/api/events?channel={room}&lastEventId={last}") as stream:
        assert stream.next_json()["data"] == 2


def test_without_channel(server):
    answer = server.get("/api/events")
    assert answer.status == 400 and answer.json["error"]["code"] and answer.json["error"]["message"]


def test_bad_channel(server):
    assert server.get("/api/events?channel=repo:onlyname").status == 400
    assert server.get("/api/events?channel=").status == 400


def test_session_ends_with_the_connection(start, room):
    server = start()
    stream = SseReader(server, room)
    wait_until(lambda: [s for s in server.sessions() if s["protocol"] == "sse"])
    stream.close()
    wait_until(lambda: not server.sessions())


def test_http_1_0_gets_its_stream_without_chunks(server, room):
    with RawHttp(server) as wire:
        wire.send(f"GET /api/events?channel={room} HTTP/1.0\r\n\r\n".encode())
        head = wire.read_past(b"\r\n\r\n").decode().lower()
        assert " 200 " in head and "transfer-encoding" not in head
        wire.read_past(b"retry:")
        server.publish(room)
        assert b'"type":"event"' in wire.read_past(b"event_id")
