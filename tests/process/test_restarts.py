"""What clients recover by position when the server was killed and comes back on the same directory."""
import json
import threading

import pytest

from carillon_process import wait_until
from talking import SseReader
from test_phoenix import Phoenix


@pytest.fixture
def restarting(start, tmp_path):
    """A server on a directory, and how to kill it and start it again there."""
    data = tmp_path / "data"

    class Restarting:
        server = start("--loops", "2", data=data)

        def crash(self):
            self.server.kill()
            self.server = start("--loops", "2", "--listen", f"{self.server.host}:{self.server.port}", data=data)
            return self.server

    return Restarting()


class Publisher:
    """Numbers 0, 1, 2… one after the other, each counted when it was answered."""

    def __init__(self, server, channel):
        self.count, self.stopped = 0, threading.Event()
        self.thread = threading.Thread(target=self._run, args=(server, channel))
        self.thread.start()

    def _run(self, server, channel):
        while not self.stopped.is_set():
            server.publish(channel, "n", self.count)
            self.count += 1

    def stop(self):
        self.stopped.set()
        self.thread.join(10)
        return self.count


def test_an_event_stream_goes_on_behind_its_last_event_id(restarting):
    with SseReader(restarting.server, "room:sse") as stream:
        publisher = Publisher(restarting.server, "room:sse")
        heard = [stream.next_json()["data"] for _ in range(20)]
        wait_until(lambda: publisher.count >= 40)
        published, last = publisher.stop(), stream.last_id
    server = restarting.crash()
    with SseReader(server, "room:sse", last_event_id=last) as stream:
        server.publish("room:sse", "n", published)
        while len(heard) <= published:
            event = stream.next()
            assert event.event != "reset"
            heard.append(json.loads(event.data)["data"])
    assert heard == list(range(published + 1))


def test_a_phoenix_client_goes_on_behind_the_ref_of_its_last_broadcast(restarting):
    path = "/socket/websocket?vsn=2.0.0&positions=true"
    client = Phoenix(restarting.server, path)
    status, before = client.ask("room:phoenix", "phx_join", {"since": None})
    assert status == "ok"
    publisher = Publisher(restarting.server, "room:phoenix")
    heard = []
    while len(heard) < 20:
        _, last, _, event, payload = client.hear()
        assert event == "n"
        heard.append(payload["data"])
    wait_until(lambda: publisher.count >= 40)
    published = publisher.stop()
    server = restarting.crash()
    client = Phoenix(server, path)
    status, after = client.ask("room:phoenix", "phx_join", {"since": last})
    assert (status, after["recovered"], after["epoch"]) == ("ok", True, before["epoch"])
    server.publish("room:phoenix", "n", published)
    while len(heard) <= published:
        heard.append(client.hear()[4]["data"])
    assert heard == list(range(published + 1))
