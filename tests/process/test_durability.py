"""The log: what is there again after a kill, a full disk, torn and damaged files, and who may not use it."""
import errno
import json
import os
import pathlib
import random
import re
import shutil
import subprocess
import tempfile
import threading
import time

import pytest

from carillon_process import PROGRAM, Program, Server, clean_environment, run_program, wait_until
from talking import Client, SseReader

SYNCED = '[[channels]]\nmatch = "**"\nhistory_count = 1000000\ndurability = "sync"\n'
PLENTY = '[[channels]]\nmatch = "**"\nhistory_count = 1000000\ndurability = "none"\n'
ROUNDS = int(os.environ.get("CARILLON_KILLS", "100"))

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to be somebody else or to mount")


@pytest.fixture
def data(tmp_path):
    return tmp_path / "data"


@pytest.fixture
def synced(tmp_path):
    config = tmp_path / "synced.toml"
    config.write_text(SYNCED)
    return "--config", str(config)


@pytest.fixture
def plenty(tmp_path):
    config = tmp_path / "plenty.toml"
    config.write_text(PLENTY)
    return "--config", str(config)


def history(server, channel, first=1):
    """Everything from this offset on, page by page."""
    events, since = [], ""
    while True:
        page = server.get(f"/api/channels/{channel.replace(':', '%3A').replace('/', '%2F')}/history?limit=1000{since}").json
        events += [event for event in page["events"] if event["offset"] >= first]
        if not page.get("more"):
            return events
        since = f"&since={page['epoch']}:{page['events'][-1]['offset']}"


def newest_log(data):
    return max((file for file in pathlib.Path(data).glob("*.log")), key=lambda file: int(file.stem))


# ---- kill -9 ----

class Speaker(threading.Thread):
    """Publishes with idempotency keys on a connection of its own until the server is gone; remembers what was answered."""

    def __init__(self, server, channel, number):
        super().__init__(daemon=True)
        self.client, self.channel, self.number = Client(server), channel, number
        self.answered = []  # (data, key, answer)
        self.asked = None   # What was published last, and perhaps never answered.

    def run(self):
        try:
            while True:
                self.number += 1
                self.asked = self.number
                key = f"{self.channel} {self.number}"
                answer = self.client.ask({"type": "publish", "channel": self.channel, "event": "n", "data": self.number,
                                          "idempotency_key": key})
                assert answer["type"] == "published", answer
                self.answered.append((self.number, key, answer))
        except (OSError, AssertionError, TypeError, json.JSONDecodeError):
            pass
        finally:
            self.client.close()


def test_kill_at_any_time_loses_nothing_that_was_answered(data, synced):
    """Rounds of a server on the same directory: publishes over several connections, kill -9, restart, look."""
    channels = [f"room:{name}" for name in "abcd"]
    numbers = dict.fromkeys(channels, 0)
    tops = dict.fromkeys(channels, 0)
    epochs, total, rounds = {}, 0, 0
    chance, ending = random.Random(5), time.monotonic() + 80
    while rounds < ROUNDS and (rounds < 10 or time.monotonic() < ending):  # Where a sync takes long, fewer.
        rounds += 1
        server = Server(*synced, data=data)
        try:
            speakers = [Speaker(server, channel, numbers[channel]) for channel in channels]
            for speaker in speakers:
                speaker.start()
            wanted = chance.randrange(1, 40)
            wait_until(lambda: sum(len(speaker.answered) for speaker in speakers) >= wanted)
            server.process.kill()
            for speaker in speakers:
                speaker.join(10)
        finally:
            server.kill()
        server = Server(*synced, data=data)
        try:
            with_client = Client(server)
            for speaker in speakers:
                channel = speaker.channel
                there = history(server, channel, tops[channel] + 1)
                assert [event["offset"] for event in there] == list(range(tops[channel] + 1, tops[channel] + 1 + len(there)))
                said = [number for number, _, _ in speaker.answered]
                heard = [event["data"] for event in there]
                assert heard in (said, said + [speaker.asked]), (channel, heard, said, speaker.asked)
                for event, (_, _, answer) in zip(there, speaker.answered):
                    assert (event["event_id"], event["offset"], event["epoch"]) == (
                        answer["event_id"], answer["offset"], answer["epoch"])
                for number, key, answer in speaker.answered[-3:]:
                    again = with_client.ask({"type": "publish", "channel": channel, "event": "n", "data": number,
                                             "idempotency_key": key})
                    assert again["repeated"] is True and again["offset"] == answer["offset"], again
                for event in there:
                    assert epochs.setdefault(channel, event["epoch"]) == event["epoch"]
                total += len(said)
                tops[channel] += len(there)
                numbers[channel] = speaker.asked
            with_client.close()
            server.process.kill()
        finally:
            server.kill()
    server = Server(*synced, data=data)
    try:
        for channel in channels:
            assert [event["offset"] for event in history(server, channel)] == list(range(1, tops[channel] + 1))
        server.stop()
    finally:
        server.kill()
    assert total >= rounds
    sound = run_program("log", "check", str(data))
    assert sound.returncode == 0, sound.stdout + sound.stderr


def revive(running, *arguments, data, port):
    running[0].process.kill()
    running[0].kill()
    running[0] = Server(*arguments, "--listen", f"127.0.0.1:{port}", data=data)


@pytest.mark.parametrize("way", ["websocket", "sse"])
def test_recovery_over_kills_has_neither_gap_nor_duplicate(data, plenty, room, way):
    """The server is killed and restarted while events keep coming; a client comes back by position at any time."""
    options = [*plenty, "--set", "limits.recover_publications_max=1000000"]
    first = Server(*options, data=data)
    running, chance = [first], random.Random(11)
    done, faults = threading.Event(), []

    def speak():
        number = 0
        while not done.is_set():
            try:
                client = Client(running[0])
                while not done.is_set():
                    answer = client.ask({"type": "publish", "channel": room, "event": "n", "data": number,
                                         "idempotency_key": f"k{number}"})
                    if answer["type"] != "published":
                        faults.append(answer)
                        return
                    number += 1
            except (OSError, AssertionError, TypeError):
                done.wait(0.01)  # The server is away.

    def read_websocket(position, count):
        client = Client(running[0])
        try:
            answer = client.subscribe(room, recover=position)
            assert answer["recovered"] is True and answer["epoch"] == position["epoch"], answer
            for _ in range(count):
                event = client.hear()
                assert event["type"] == "event", event
                yield event
        finally:
            client.reset()

    def read_sse(position, count):
        with SseReader(running[0], room, last_event_id=position.get("id")) as stream:
            for _ in range(count):
                event = stream.next()
                if event is None:
                    return
                assert event.event == "message", event
                position["id"] = event.id
                yield json.loads(event.data)

    try:
        start = first.publish(room, "n", -1)
        position = {"epoch": start["epoch"], "offset": 1}
        if way == "sse":
            with SseReader(first, room) as stream:
                first.publish(room, "n", -2)
                position["id"] = stream.next().id
                position["offset"] = 2
        heard = []
        speaker = threading.Thread(target=speak, daemon=True)
        speaker.start()
        for visit in range(24):
            if visit % 4 == 3:
                threading.Thread(target=running[0].process.kill).start()
            try:
                reading = read_websocket({k: position[k] for k in ("epoch", "offset")}, chance.randrange(1, 60)) \
                    if way == "websocket" else read_sse(position, chance.randrange(1, 60))
                for event in reading:
                    heard.append(event)
                    position["offset"] = event["offset"]
            except (OSError, AssertionError, TypeError) as fault:
                if running[0].process.poll() is None and visit % 4 != 3:
                    raise fault
            if visit % 4 == 3:
                running[0].process.wait(10)
                revive(running, *options, data=data, port=first.port)
        done.set()
        speaker.join(10)
        assert not faults
        assert len(heard) > 50
        begin = heard[0]["offset"]
        assert [event["offset"] for event in heard] == list(range(begin, begin + len(heard)))
        assert [event["data"] for event in heard] == list(range(heard[0]["data"], heard[0]["data"] + len(heard)))
        assert {event["epoch"] for event in heard} == {start["epoch"]}
        running[0].stop()
    finally:
        done.set()
        running[0].kill()


def test_many_events_are_there_soon_and_cost_bounded_memory(data, plenty):
    server = Server(*plenty, "--set", "limits.batch_max=1000", data=data)
    try:
        batch = {"publications": [{"channel": f"room:{n % 50}", "event": "e", "data": "x" * 200} for n in range(1000)]}
        body = json.dumps(batch)
        for number in range(200):
            answer = server.call("POST", "/api/batch", body, {"Content-Type": "application/json"})
            assert answer.status == 200, answer.text[:300]
            if number == 20:
                early = server.rss_kb()
        # What is not yet in tables (64 MiB at most) and a little; the events themselves are some 60 MB.
        assert server.rss_kb() - early < 160 * 1024
        server.process.kill()
    finally:
        server.kill()
    begin = time.monotonic()
    server = Server(*plenty, data=data)
    try:
        took = time.monotonic() - begin
        assert took < 10, f"{took:.1f} s"
        page = server.get("/api/channels/room%3A49/history?limit=1&reverse=true").json
        assert page["events"][0]["offset"] == 4000
        assert server.rss_kb() < 300 * 1024
        server.stop()
    finally:
        server.kill()


# ---- torn and damaged files ----

def killed_with_events(data, synced, count):
    """A directory of a server that was killed: `count` synced events of room:x, the last batch of the newest log the last."""
    server = Server(*synced, data=data)
    try:
        for number in range(count):
            server.publish("room:x", "n", {"number": number, "text": "x" * 300}, idempotency_key=f"k{number}")
        server.process.kill()
    finally:
        server.kill()


@pytest.mark.parametrize("tear", [lambda log: log[:-7], lambda log: log[:-40] + b"\xa5" * 40, lambda log: log + b"\x17" * 1000])
def test_a_torn_last_write_is_cut_and_told(data, synced, tear):
    killed_with_events(data, synced, 20)
    log = newest_log(data)
    log.write_bytes(tear(log.read_bytes()))
    looked = run_program("log", "check", str(data))
    assert looked.returncode == 0 and "unfinished write" in looked.stdout and "is sound" in looked.stdout, looked
    server = Server(*synced, data=data)
    try:
        told = [line for line in server.err if "unfinished write" in line]
        assert len(told) == 1 and str(log) in told[0], server.log
        there = history(server, "room:x")
        assert [event["data"]["number"] for event in there] in (list(range(19)), list(range(20)))
        server.publish("room:x", "n", "after")
        assert history(server, "room:x")[-1]["offset"] == len(there) + 1
        server.stop()
    finally:
        server.kill()


def refused(data, *arguments, under=(), env=None):
    """What a server that must not start says."""
    program = Program("serve", "--data", str(data), "--listen", "127.0.0.1:0", *arguments, under=under, env=env)
    try:
        assert program.wait() == 1, program.log
    finally:
        program.kill()
    assert not program.out, program.log
    return program.log


def test_older_damage_is_refused_and_repaired(data, synced):
    killed_with_events(data, synced, 60)
    log = newest_log(data)
    whole = log.read_bytes()
    middle = whole.index(b'"number": 30')
    log.write_bytes(whole[:middle] + b"#" + whole[middle + 1:])

    said = refused(data, *synced)
    assert f"carillon log check {data}" in said and "damaged" in said, said
    looked = run_program("log", "check", str(data))
    assert looked.returncode == 1 and "wrong: " in looked.stdout and str(log) in looked.stdout, looked
    assert log.read_bytes()[middle:middle + 1] == b"#", "checking changed it"

    repaired = run_program("log", "check", str(data), "--repair")
    assert repaired.returncode == 0, repaired
    assert "lost: channel room:x: 1 events; it begins a new epoch" in repaired.stdout, repaired.stdout
    kept = re.search(r"the damaged files are kept in (.*)", repaired.stdout)[1]
    assert (pathlib.Path(kept) / log.name).read_bytes()[middle:middle + 1] == b"#"
    assert run_program("log", "check", str(data)).returncode == 0

    server = Server(*synced, data=data)
    try:
        there = history(server, "room:x")
        assert [event["data"]["number"] for event in there] == [n for n in range(60) if n != 30]
        assert [event["offset"] for event in there] == list(range(1, 60))
        assert server.publish("room:x", "n", 0, idempotency_key="k59")["repeated"] is True
        assert server.publish("room:x", "n", 0)["offset"] == 60
        server.stop()
    finally:
        server.kill()
    nothing = run_program("log", "check", str(data), "--repair")
    assert nothing.returncode == 0 and "nothing to repair" in nothing.stdout


def test_a_damaged_table_is_repaired(data, plenty):
    """A byte of a table file: what lies in the table is lost, the rest is there."""
    for part in range(2):
        server = Server(*plenty, data=data)
        try:
            for number in range(50):
                server.publish(f"room:{part}", "n", number)
            server.process.kill()  # The next start writes the log's events into a table.
        finally:
            server.kill()
    server = Server(*plenty, data=data)
    server.stop()
    tables = [file for file in data.glob("*.sst") if b"room:" not in file.read_bytes() and file.stat().st_size > 3000]
    assert tables, [(file.name, file.stat().st_size) for file in data.glob("*.sst")]
    hurt = min(tables, key=lambda file: int(file.stem))
    content = hurt.read_bytes()
    hurt.write_bytes(content[:1000] + bytes([content[1000] ^ 1]) + content[1001:])
    looked = run_program("log", "check", str(data))
    assert looked.returncode == 1 and hurt.name in looked.stdout, looked
    repaired = run_program("log", "check", str(data), "--repair")
    assert repaired.returncode == 0 and f"lost: {hurt.name}" in repaired.stdout, repaired
    server = Server(*plenty, data=data)
    try:
        counts = sorted(len(history(server, f"room:{part}")) for part in range(2))
        assert counts == [0, 50]
        server.stop()
    finally:
        server.kill()


def test_export_and_import_keep_everything(data, tmp_path):
    server = Server(data=data)
    try:
        client = Client(server)
        client.subscribe("room:a")
        for number in range(30):
            server.publish("room:a", "n", {"line": "a\nb", "number": number}, idempotency_key=f"k{number}")
        server.call("POST", "/api/publish", '{"channel":"room:b","event":"e","data":{\r\n"a":\n1}}')
        position = server.publish("room:b", "e", 2)
        refusal = run_program("log", "export", str(data))
        assert refusal.returncode == 1 and "another server uses the log" in refusal.stderr
        assert run_program("log", "check", str(data)).returncode == 1
        server.stop()
    finally:
        server.kill()
    text = run_program("log", "export", str(data))
    assert text.returncode == 0, text
    copy = tmp_path / "copy"
    made = subprocess.run([PROGRAM, "log", "import", str(copy)], input=text.stdout, env=clean_environment(), capture_output=True,
                          text=True, timeout=20)
    assert (made.returncode, made.stdout) == (0, "32 events\n"), made
    assert run_program("log", "export", str(copy)).stdout == text.stdout
    one = run_program("log", "export", str(copy), "--channel", "room:b").stdout.splitlines()
    assert [json.loads(line).get("offset") for line in one] == [None, 2, 1, 2]
    assert run_program("log", "check", str(copy)).returncode == 0
    server = Server(data=copy)
    try:
        client = Client(server)
        answer = client.subscribe("room:b", recover={"epoch": position["epoch"], "offset": 1})
        assert answer["recovered"] is True and client.hear()["data"] == 2
        assert server.publish("room:a", "n", 0, idempotency_key="k7")["repeated"] is True
        server.stop()
    finally:
        server.kill()


def test_a_line_that_cannot_be_is_refused_and_leaves_nothing(tmp_path):
    lines = ['{"log":"carillon log text 1","epoch":"00000000000000aa"}',
             '{"channel":"a","epoch":"00000000000000aa","offset":0,"oldest":1,"time":5}']
    for wrong in ("{", '{"channel":"b","colour":"red"}', lines[1], '{"channel":"a","offset":1,"event":"e","data":1}'):
        made = subprocess.run([PROGRAM, "log", "import", str(tmp_path / "new")], input="\n".join([*lines, wrong]),
                              env=clean_environment(), capture_output=True, text=True, timeout=20)
        assert made.returncode == 1 and made.stderr.startswith("carillon: line 3: "), made
        assert not (tmp_path / "new").exists()


# ---- who may not ----

def test_two_servers_on_one_directory(data):
    server = Server(data=data)
    try:
        assert f"another server uses the log in {data}" in refused(data)
        server.publish("room:x")
        server.stop()
    finally:
        server.kill()


def test_a_file_instead_of_a_directory(data):
    data.write_text("not a directory")
    assert f"{data} is a file" in refused(data)


@needs_root
def test_a_directory_without_rights():
    """As somebody else: a directory that may not be read, one that may not be written to, one that may not be made."""
    nobody = ["setpriv", "--reuid", "nobody", "--clear-groups"]
    with tempfile.TemporaryDirectory() as place:
        os.chmod(place, 0o755)
        program = pathlib.Path(place) / "carillon"
        shutil.copy(PROGRAM, program)
        closed, fixed = pathlib.Path(place) / "closed", pathlib.Path(place) / "fixed"
        closed.mkdir(mode=0o700)
        fixed.mkdir(mode=0o755)
        for directory in (closed, fixed, fixed / "new"):
            ended = subprocess.run([*nobody, program, "serve", "--data", directory, "--listen", "127.0.0.1:0"], cwd="/",
                                   env=clean_environment(), capture_output=True, text=True, timeout=20)
            assert ended.returncode == 1, ended
            assert "Permission denied" in ended.stderr and str(directory) in ended.stderr, ended.stderr


def mounted(place, options):
    """Words that start a program where a file system in memory is mounted at `place`, seen by it alone; None: not allowed."""
    place.mkdir()
    under = ["unshare", "--mount", "sh", "-c", f'mount -t tmpfs -o {options} none "$0" && exec "$@"', str(place)]
    tried = subprocess.run([*under, "true"], capture_output=True, text=True)
    return under if tried.returncode == 0 else None


def fill(path):
    """Until there is no room."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT)
    try:
        while True:
            os.write(file, b"x" * 4096)
    except OSError as full:
        assert full.errno == errno.ENOSPC
    finally:
        os.close(file)


@needs_root
def test_a_directory_that_is_only_readable(tmp_path):
    under = mounted(tmp_path / "disk", "ro")
    if not under:
        pytest.skip("file systems may not be mounted here")
    assert "Read-only file system" in refused(tmp_path / "disk" / "data", under=under)


@needs_root
def test_a_full_disk_refuses_publishes_and_recovers_by_itself(tmp_path, synced):
    disk = tmp_path / "disk"
    under = mounted(disk, "size=24m")
    if not under:
        pytest.skip("file systems may not be mounted here")
    server = Server(*synced, data=disk / "data", under=under)
    try:
        seen = pathlib.Path(f"/proc/{server.process.pid}/root{disk}")  # The server's view of it.
        client, listener = Client(server), Client(server)
        server.publish("room:x", "n", "before")
        listener.subscribe("room:memory")
        ballast = seen / "ballast"
        fill(ballast)

        def full():
            answer = server.call("POST", "/api/publish", {"channel": "room:x", "event": "n", "data": "y" * 20000})
            return answer if answer.status != 200 else None

        answer = wait_until(full)
        assert answer.status == 429 and "full" in answer.json["error"]["message"], answer
        said = client.ask({"type": "publish", "channel": "room:x", "event": "n", "data": 1})
        assert said["type"] == "error" and "full" in said["message"], said
        assert "\ncarillon_log_writable 0" in server.get("/metrics").text
        there = history(server, "room:x")
        assert there[0]["data"] == "before"
        late = Client(server)
        assert late.subscribe("room:x", recover={"epoch": there[0]["epoch"], "offset": 1})["recovered"] is True
        assert late.ask({"type": "ping"})["type"] in ("pong", "event")

        os.unlink(ballast)
        after = {"channel": "room:x", "event": "n", "data": "after"}
        wait_until(lambda: server.call("POST", "/api/publish", after).status == 200)
        assert "\ncarillon_log_writable 1" in server.get("/metrics").text
        now = history(server, "room:x")
        assert [event["offset"] for event in now] == list(range(1, len(now) + 1)) and now[-1]["data"] == "after"
        assert now[:len(there)] == there and len(now) == len(there) + 1, "what was refused is there"
        server.stop()
    finally:
        server.kill()
