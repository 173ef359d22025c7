"""Clients of every protocol with positions come back thousands of times, at random, while others publish: no gap, no repeat, in order."""
import json
import random
import threading
import uuid

import pytest

from carillon_process import Server, wait_until
from talking import Client, SseReader
from test_bayeux import Bayeux
from test_infotainer import Two
from test_phoenix import Phoenix
from test_routes import Tab

LOG = uuid.UUID(int=7)
CHANNEL = f"log:{LOG}"  # Which every protocol can name.
COMEBACKS = 3000  # Of all followers together.
CONFIG = '[[channels]]\nmatch = "**"\nhistory_count = 1000000\nhistory_age = "1h"\npublish = "open"\n'


class Follower(threading.Thread):
    """Comes, hears some, and leaves or is cut off; `heard` is all the numbers that ever came."""

    def __init__(self, server, seed):
        super().__init__(daemon=True)
        self.server, self.dice = server, random.Random(seed)
        self.heard, self.position, self.comebacks, self.faults = [], None, 0, []
        self.stay, self.done = threading.Event(), False

    def run(self):
        try:
            while not self.done:
                self.begin()
                count = self.dice.choice((0, 1, 1, 2, 5, 20))
                while count > 0 or self.stay.is_set():
                    number = self.next()
                    if number == "end":
                        self.done = True
                        break
                    self.heard.append(number)
                    count -= 1
                self.cut() if self.dice.random() < 0.5 else self.leave()
                self.comebacks += 1
        except Exception as error:  # Told by the test, not by the thread.
            self.faults.append(repr(error))

    def cut(self):
        self.client.reset()

    def leave(self):
        self.client.close()


class NativeFollower(Follower):
    def begin(self):
        self.client = Client(self.server)
        answer = self.client.subscribe(CHANNEL, **({"recover": self.position} if self.position else {}))
        if self.position and not answer["recovered"]:
            raise AssertionError(answer)
        self.position = self.position or {"epoch": answer["epoch"], "offset": answer["offset"]}

    def next(self):
        event = self.client.hear_type("event")
        self.position = {"epoch": event["epoch"], "offset": event["offset"]}
        return event["data"]


class SseFollower(Follower):
    def begin(self):
        self.client = SseReader(self.server, CHANNEL, last_event_id=self.position)
        if self.position is None:
            self.client.wait_for_line(lambda line: line.startswith("id:") and self.client_id(line))

    def client_id(self, line):
        self.position = line.removeprefix("id:").strip()
        return True

    def next(self):
        event = self.client.next()
        assert event is not None and event.event == "message", event
        self.position = event.id
        return json.loads(event.data)["data"]

    def cut(self):
        self.client.close()


class PhoenixFollower(Follower):
    def begin(self):
        self.client = Phoenix(self.server, "/socket/websocket?vsn=2.0.0&positions=true")
        status, answer = self.client.ask(CHANNEL, "phx_join", {"since": self.position})
        assert status == "ok" and (self.position is None or answer["recovered"]), answer
        if self.position is None:
            self.position = f"{answer['epoch']}:{answer['offset']}"

    def next(self):
        _, ref, topic, event, payload = self.client.hear()
        assert (topic, event) == (CHANNEL, "n"), event
        self.position = ref
        return payload["data"]


class BayeuxFollower(Follower):
    NAME = "/" + CHANNEL.replace(":", "/", 1)

    def begin(self):
        self.client, self.waiting = Bayeux(self.server, ext={"replay": True}), []
        answers = self.client.say("/meta/subscribe", subscription=self.NAME, ext={"replay": {self.NAME: self.position}})
        reply = next(answer for answer in answers if answer["channel"] == "/meta/subscribe")
        told = reply["ext"]["replay"][self.NAME]
        assert reply["successful"] and (self.position is None or told["recovered"]), reply
        if self.position is None:
            self.position = told["positions"][self.NAME]
        self.keep(answers)

    def keep(self, messages):
        for message in messages:
            assert "lost" not in message.get("ext", {}), message
        self.waiting += [(message["data"], message["ext"]["replay"]) for message in messages if "data" in message]

    def next(self):
        while not self.waiting:
            self.keep(self.client.connect())
        data, self.position = self.waiting.pop(0)
        return data["data"] if isinstance(data, dict) else data

    def cut(self):
        pass  # It just does not come again; what it was handed and has not taken comes once more.

    def leave(self):
        self.client.say("/meta/disconnect")


class CborFollower(Follower):
    def begin(self):
        self.client = Two(self.server, bodies="inline")
        fields = {"position": self.position} if self.position else {}
        name, answer, before = self.client.ask("Subscribe", subscription_id=LOG.bytes, **fields)
        assert name == "Subscribed" and before == [] and not answer.get("lost"), answer
        self.position = self.position or answer["position"]

    def next(self):
        issue = self.client.hear("Issue")
        self.position = {"epoch": issue["epoch"], "offset": issue["offset"]}
        return issue["data"]


class RoutesFollower(Follower):
    def begin(self):
        self.client = Tab(self.server, path="/api/v1/ws?positions=1")
        more = {"recover": self.position} if self.position else {}
        self.client.last_id += 1
        self.client.send_text(json.dumps({"route": "/channels/subscribe", "payload": {"channel": CHANNEL, **more}, "id": self.client.last_id}))
        answer = self.client.hear()
        assert answer["error"] is None and answer.get("id") == self.client.last_id, answer
        if self.position is None:
            self.position = {"epoch": answer["payload"]["epoch"], "offset": answer["payload"]["offset"]}
        else:
            assert answer["payload"]["recovered"], answer

    def next(self):
        envelope = self.client.hear()
        self.position = {key: envelope["position"][key] for key in ("epoch", "offset")}
        return envelope["payload"]


KINDS = [NativeFollower, SseFollower, PhoenixFollower, BayeuxFollower, CborFollower, RoutesFollower]


@pytest.mark.parametrize("engine", ["memory", "log"])
def test_thousands_of_comebacks_lose_and_repeat_nothing(tmp_path, engine):
    """Promise 5, over real sockets, on several loops."""
    config = tmp_path / "carillon.toml"
    config.write_text(CONFIG)
    server = Server("--config", str(config), "--loops", "3", data=tmp_path / "data" if engine == "log" else None)
    try:
        followers = [kind(server, seed) for seed, kind in enumerate(KINDS * 2)]
        first = server.publish(CHANNEL, "n", "begin")
        for follower in followers:
            follower.start()
        # Nobody's first subscription is behind the numbers.
        wait_until(lambda: all(follower.position or follower.faults for follower in followers))
        stop, count = threading.Event(), [0]

        def speak():
            client = Client(server)
            while not stop.is_set():
                client.ask({"type": "publish", "channel": CHANNEL, "event": "n", "data": count[0]})
                count[0] += 1
            client.ask({"type": "publish", "channel": CHANNEL, "event": "n", "data": "end"})
            client.close()

        speaker = threading.Thread(target=speak, daemon=True)
        speaker.start()
        wait_until(lambda: sum(f.comebacks for f in followers) >= COMEBACKS or any(f.faults for f in followers), 120)
        for follower in followers:
            follower.stay.set()
        stop.set()
        speaker.join(20)
        for follower in followers:
            follower.join(30)
            kind = type(follower).__name__
            assert follower.faults == [], (kind, follower.faults)
            assert not follower.is_alive(), (kind, len(follower.heard), count[0])
            wrong = next((place for place, number in enumerate(follower.heard) if number != place), None)
            assert wrong is None, (kind, wrong, follower.heard[wrong - 3:wrong + 5])
            assert len(follower.heard) == count[0], kind
        assert first["offset"] == 1
        server.stop()
    finally:
        server.kill()
