"""Bad input and bad peers: a clear error, nothing lost, nobody else hurt."""
import json
import os
import resource
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

import pytest

from carillon_process import run_program, wait_until
from talking import BINARY, CLOSE, PING, TEXT, Client, RawHttp, RawWebSocket, build_frame, close_code


def alive(server):
    return server.get("/health/live").status == 200


# ---- HTTP ----

@pytest.mark.parametrize("request_bytes", [
    b"nonsense\r\n\r\n", b"GET / HTTP/1.1\r\nno colon\r\n\r\n", b"GET / HTTP/1.1\r\n: empty name\r\n\r\n", b"GET /\r\n\r\n",
    b"GET / HTTP/9.9\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", b"GET / HTTP/1.1\r\nHost : a\r\n\r\n",
    b"POST /api/publish HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n",
    b"POST /api/publish HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
    b"POST /api/publish HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    b"POST /api/publish HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"POST /api/publish HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n\r\n",
    b"POST /api/publish HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    b"GET /\x00 HTTP/1.1\r\nHost: a\r\n\r\n", b"GET / HTTP/1.1\r\nHost: a\r\nX: a\x00b\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\n folded: yes\r\n\r\n",
])
def test_malformed_request_is_refused_and_the_connection_closed(server, request_bytes):
    with RawHttp(server) as wire:
        answer = wire.ask(request_bytes)
        assert answer is None or 400 <= answer.status < 600 and answer.status != 500, answer
        assert answer is None or answer.status in (400, 501, 505)
        assert wire.ended()
    assert alive(server)


def test_oversize_head(server):
    with RawHttp(server) as wire:
        assert wire.ask(b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 20000 + b"\r\n\r\n").status == 431
        assert wire.ended()
    with RawHttp(server) as wire:
        assert wire.ask(b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X: a\r\n" * 200 + b"\r\n").status == 431
    with RawHttp(server) as wire:
        assert wire.ask(b"GET /" + b"a" * 20000 + b" HTTP/1.1\r\nHost: x\r\n\r\n").status in (414, 431)


def test_oversize_body_is_refused_before_it_comes(server):
    with RawHttp(server) as wire:
        assert wire.ask(b"POST /webhooks/github HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n").status == 413
    with RawHttp(server) as wire:
        assert wire.ask(b"POST /api/publish HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999999999999999999\r\n\r\n").status in (400, 413)


def test_oversize_message_over_http(start):
    server = start("--message-max", "10KB")
    body = {"channel": "room:x", "event": "e", "data": "a" * 20000}
    answer = server.call("POST", "/api/publish", body)
    assert answer.status == 413 and answer.json["error"]["code"]


def test_oversize_chunked_body(start):
    server = start(env={"CARILLON_LIMITS_BODY_BYTES": "10000", "CARILLON_LIMITS_MESSAGE_BYTES": "5000"})
    with RawHttp(server) as wire:
        wire.send(b"POST /api/publish HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(11):
            wire.send(b"3e8\r\n" + b"a" * 1000 + b"\r\n")
        assert wire.read_answer().status == 413


def test_one_byte_at_a_time(server, room):
    body = json.dumps({"channel": room, "event": "e", "data": 1})
    with RawHttp(server) as wire:
        text = f"POST /api/publish HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n{body}"
        assert wire.ask(text, chop=1).status == 200


def test_expect_continue(server, room):
    body = json.dumps({"channel": room, "event": "e", "data": 1})
    with RawHttp(server) as wire:
        head = f"POST /api/publish HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\nExpect: 100-continue\r\n\r\n"
        assert wire.ask(head).status == 100
        assert wire.ask(body).status == 200


def test_slowloris_is_cut_off(start):
    server = start(env={"CARILLON_LIMITS_REQUEST_TIME": "1s"})
    slow = [RawHttp(server) for _ in range(20)]
    began = time.monotonic()
    for wire in slow:
        wire.send(b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ")
    assert alive(server)
    for wire in slow:
        answer = wire.read_answer()
        assert answer is None or answer.status == 408
        assert wire.ended()
        wire.close()
    assert 0.5 < time.monotonic() - began < 8


def test_slow_drip_does_not_extend_the_time(start):
    server = start(env={"CARILLON_LIMITS_REQUEST_TIME": "1s"})
    began = time.monotonic()
    with RawHttp(server) as wire:
        wire.socket.settimeout(0.05)
        ended = False
        while not ended and time.monotonic() - began < 8:
            try:
                wire.send(b"X")
                ended = not wire.fill()
            except socket.timeout:
                pass
            except OSError:
                ended = True
        assert ended and time.monotonic() - began < 6


def test_idle_keep_alive_connection_is_closed(start):
    server = start(env={"CARILLON_LIMITS_KEEP_ALIVE_TIME": "300ms"})
    with RawHttp(server) as wire:
        assert wire.ask("GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n").status == 200
        assert wire.ended()


def test_half_closed_http_client_still_gets_its_answer(server):
    with RawHttp(server) as wire:
        wire.send(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n")
        wire.socket.shutdown(socket.SHUT_WR)
        assert wire.read_answer().status == 200
        assert wire.ended()


def test_half_closed_websocket_is_ended(server):
    client = Client(server)
    client.socket.shutdown(socket.SHUT_WR)
    while (frame := client.read_frame()) is not None:
        assert frame.opcode == CLOSE
    client.close()


@pytest.mark.parametrize("headers,status", [
    (["Host: x", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"], 400),
    (["Host: x", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: short"], 400),
    (["Host: x", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 8", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="], 426),
    (["Host: x"], 426),
])
def test_wrong_handshake(server, headers, status):
    with RawHttp(server) as wire:
        answer = wire.ask("GET /ws HTTP/1.1\r\n" + "".join(h + "\r\n" for h in headers) + "\r\n")
        assert answer.status in (400, status)
        if status == 426:
            assert answer.status == 426
            assert answer.headers["sec-websocket-version"] == "13" or answer.headers["upgrade"] == "websocket"


def test_foreign_origin_is_refused(start):
    server = start(env={"CARILLON_SERVER_ORIGINS": "https://app.example.com"})
    assert RawWebSocket(server, headers=["Origin: https://evil.example.com"]).status == 403
    assert RawWebSocket(server, headers=["Origin: https://app.example.com"]).status == 101
    assert RawWebSocket(server).status == 101


# ---- WebSocket frames ----

def assert_closed_with(client, code):
    frame = client.read_frame()
    assert frame is not None and frame.opcode == CLOSE, frame
    assert close_code(frame.payload) == code


@pytest.mark.parametrize("frame,code", [
    (build_frame(TEXT, "x", mask=False), 1002), (build_frame(3, "x"), 1002), (build_frame(11), 1002),
    (build_frame(TEXT, "x", rsv=2), 1002), (build_frame(TEXT, "x", rsv=4), 1002), (build_frame(0, "x"), 1002),
    (build_frame(PING, b"x" * 126), 1002), (build_frame(PING, b"x", fin=False), 1002), (build_frame(CLOSE, b"x"), 1002),
    (build_frame(CLOSE, struct.pack("!H", 1005)), 1002), (build_frame(TEXT, b"\xff"), 1007),
    (build_frame(CLOSE, struct.pack("!H", 1000) + b"\xff"), 1007),
    (build_frame(TEXT, "x", fin=False) + build_frame(TEXT, "y"), 1002),
    (b"\x81\xff\xff" + b"\xff" * 7 + b"mask", 1002), (b"\x81\xff" + struct.pack("!Q", 1 << 40) + b"mask", 1009),
])
def test_wrong_frame_closes_with_its_code(server, frame, code):
    client, other = Client(server), Client(server)
    client.send(frame)
    assert_closed_with(client, code)
    other.hears_nothing_more()
    client.close()
    other.close()


def test_oversize_message_closes_with_1009(start):
    server = start("--message-max", "10KB")
    whole = Client(server)
    whole.frame(TEXT, b" " * 20000)
    assert_closed_with(whole, 1009)
    pieces = Client(server)
    pieces.frame(TEXT, b" " * 6000, fin=False)
    pieces.frame(0, b" " * 6000)
    assert_closed_with(pieces, 1009)
    just = Client(server)
    just.say('{"type":"ping"}' + " " * (10_000 - 15))
    assert just.hear()["type"] == "pong"


def test_inflating_bomb_closes_with_1009(start):
    import zlib
    server = start("--message-max", "64KB")
    client = RawWebSocket(server, headers=["Sec-WebSocket-Extensions: permessage-deflate"])
    assert "permessage-deflate" in client.extension
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = packer.compress(b" " * 50_000_000) + packer.flush(zlib.Z_SYNC_FLUSH)
    assert len(bomb) < 64 * 1024
    before = server.rss_kb()
    client.frame(TEXT, bomb[:-4], rsv=4)
    assert_closed_with(client, 1009)
    assert server.rss_kb() - before < 20_000


def test_silent_websocket_is_pinged_then_closed(start):
    server = start(env={"CARILLON_WEBSOCKET_PING_INTERVAL": "200ms", "CARILLON_WEBSOCKET_IDLE_TIME": "1s"})
    silent, polite = Client(server), Client(server)
    frames = []
    while (frame := silent.read_frame()) is not None:
        frames.append(frame.opcode)
        if frame.opcode == PING:
            polite_frame = polite.read_frame()
            if polite_frame.opcode == PING:
                polite.frame(10, polite_frame.payload)
    assert PING in frames
    wait_until(lambda: len(server.sessions()) <= 1)
    silent.close()
    polite.close()


# ---- slow and vanishing clients ----

def flood(server, channel, count, size):
    """Publishes through one native client, as fast as its answers come."""
    speaker = Client(server)
    for number in range(count):
        speaker.say({"type": "publish", "channel": channel, "event": "n", "data": [number, "x" * size]})
        assert speaker.hear()["type"] == "published"
    speaker.shake_close()


def test_client_that_never_reads_costs_bounded_memory_and_hears_of_its_gap(start):
    server = start(env={"CARILLON_LIMITS_OUTBOX_BYTES": "1MB", "CARILLON_LIMITS_MESSAGE_BYTES": "100KB"})
    deaf, good = Client(server, receive_buffer=4096), Client(server)
    deaf.subscribe("room:x")
    good.subscribe("room:x")
    before = server.rss_kb()
    count, size = 600, 50_000  # 30 MB: far more than the kernel's buffers and the outbox together.
    heard = []
    reader = threading.Thread(target=lambda: heard.extend(good.hear()["data"][0] for _ in range(count)))
    reader.start()
    flood(server, "room:x", count, size)
    reader.join(30)
    assert heard == list(range(count))
    assert server.rss_kb() - before < 25_000
    # Now it reads: what it gets is in order, and how much it missed is told without its asking.
    seen, gaps, last = 0, 0, 0
    while seen + gaps < count:
        message = deaf.hear()
        if message["type"] == "event":
            assert message["offset"] > last
            seen, last = seen + 1, message["offset"]
        else:
            assert message["type"] == "gap" and message["channel"] == "room:x", message
            gaps += message["missed"]
    assert gaps > 0 and seen + gaps == count
    deaf.hears_nothing_more()
    deaf.close()
    good.close()


def test_slow_consumer_may_be_closed_instead(start):
    server = start(env={"CARILLON_LIMITS_OUTBOX_BYTES": "1MB", "CARILLON_LIMITS_MESSAGE_BYTES": "100KB",
                        "CARILLON_LIMITS_SLOW_CONSUMER": "close"})
    deaf = Client(server, receive_buffer=4096)
    deaf.subscribe("room:x")
    flood(server, "room:x", 300, 50_000)
    wait_until(lambda: not server.sessions())
    last = None
    while (message := deaf.read_message()) is not None:
        last = message
        if message[0] == CLOSE:
            assert close_code(message[1]) == 1013
            break
    assert last is not None
    deaf.close()


def test_client_that_asks_but_never_reads_is_ended(start):
    server = start(env={"CARILLON_LIMITS_OUTBOX_BYTES": "1MB", "CARILLON_LIMITS_MESSAGE_BYTES": "100KB"})
    for number in range(100):
        server.publish("room:x", data="x" * 20_000)
    greedy = Client(server, receive_buffer=4096)
    greedy.socket.settimeout(5)
    question = build_frame(TEXT, json.dumps({"type": "history", "channel": "room:x", "limit": 100}))
    try:
        for _ in range(200):
            greedy.send(question)
    except OSError:
        pass
    wait_until(lambda: not server.sessions(), 20)
    assert alive(server)
    greedy.close()


def test_killed_clients_leave_no_session(start):
    server = start()
    script = ("import sys; sys.path.insert(0, sys.argv[1]); import collections, talking, time\n"
              "s = collections.namedtuple('S', 'host port')(sys.argv[2], int(sys.argv[3]))\n"
              "clients = [talking.Client(s) for _ in range(50)]\n"
              "[c.subscribe('room:x') for c in clients]\nprint('ready', flush=True); time.sleep(60)\n")
    child = subprocess.Popen([sys.executable, "-c", script, os.path.dirname(__file__), server.host, str(server.port)],
                             stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout.readline() == "ready\n"
        assert server.stats()["current_connections"] == 50
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()
        child.stdout.close()
    wait_until(lambda: server.stats()["current_connections"] == 0)
    assert server.sessions() == []
    server.publish("room:x")


def test_reset_in_the_middle_of_everything(server):
    for cut in range(0, 40, 3):
        client = Client(server)
        client.send(build_frame(TEXT, '{"type":"subscribe","channel":"room:x"}')[:cut])
        client.reset()
    for cut in range(0, 60, 7):
        with RawHttp(server) as wire:
            wire.send(b"POST /api/publish HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nabc"[:cut])
            wire.reset()
    assert alive(server)
    wait_until(lambda: server.sessions() == [])


def test_connection_limit_is_told_and_passes(start):
    server = start(env={"CARILLON_LIMITS_CONNECTIONS_MAX": "5"})
    clients = [Client(server) for _ in range(5)]
    with RawHttp(server) as wire:
        answer = wire.ask("GET /ws HTTP/1.1\r\nHost: x\r\n\r\n")
        assert answer.status == 503 and int(answer.headers["retry-after"]) > 0
        assert wire.ended()
    clients.pop().shake_close()
    wait_until(lambda: RawWebSocket(server).status == 101)
    for client in clients:
        client.hears_nothing_more()
        client.close()


# ---- starting and stopping ----

def test_port_in_use_is_one_clear_line(server):
    ended = run_program("serve", "--memory", "--listen", f"127.0.0.1:{server.port}")
    assert ended.returncode == 1
    lines = [line for line in ended.stderr.splitlines() if "in use" in line]
    assert len(lines) == 1 and str(server.port) in lines[0], ended.stderr
    assert "listening on" not in ended.stdout


def test_open_address_without_auth_is_refused(start):
    ended = run_program("serve", "--memory", "--listen", "0.0.0.0:0")
    assert ended.returncode == 1 and "--insecure" in ended.stderr and "listening on" not in ended.stdout


def test_open_address_with_a_key_or_insecure_starts(start):
    start("--listen", "0.0.0.0:0", "--api-key", "k3y-of-some-length")
    start("--listen", "0.0.0.0:0", "--insecure")


@pytest.mark.parametrize("config", [
    "[websocket]\nping_interval = \"60s\"\nidle_time = \"30s\"\n",
    "[sse]\nretry_min = \"9s\"\nretry_max = \"5s\"\n",
    "[limits]\noutbox_bytes = \"1KB\"\nmessage_bytes = \"1MB\"\n",
])
def test_config_that_contradicts_itself_is_refused(tmp_path, config):
    file = tmp_path / "carillon.toml"
    file.write_text(config)
    ended = run_program("serve", "--memory", "--listen", "127.0.0.1:0", "--config", str(file))
    assert ended.returncode == 1 and "listening on" not in ended.stdout
    assert config.splitlines()[1].split(" ")[0] in ended.stderr, ended.stderr


def test_sigterm_says_goodbye(start):
    server = start("--loops", "2")
    clients = [Client(server) for _ in range(20)]
    for client in clients:
        client.subscribe("room:x")
    server.publish("room:x", data="last words")
    server.terminate()
    for client in clients:
        assert client.hear()["data"] == "last words"  # Nothing that was published is lost.
        assert client.read_close() == 1001
        client.frame(CLOSE, struct.pack("!H", 1001))
        client.close()
    assert server.wait() == 0
    with pytest.raises(OSError):
        Client(server)


def test_sigterm_does_not_wait_for_the_silent(start):
    server = start()
    deaf = Client(server)
    deaf.subscribe("room:x")
    server.terminate()
    assert server.wait(4) == 0
    deaf.close()


def test_sigint_stops_too(start):
    server = start()
    server.process.send_signal(signal.SIGINT)
    assert server.wait() == 0


def test_ipv6(start):
    try:
        probe = socket.socket(socket.AF_INET6)
        probe.bind(("::1", 0))
        probe.close()
    except OSError:
        pytest.skip("this machine has no IPv6 loopback")
    server = start("--listen", "[::1]:0")
    assert alive(server)


def test_without_descriptors_the_server_waits_and_goes_on(start):
    server = start("--loops", "1")
    shortage = "cannot accept a connection"
    used = {int(number) for number in os.listdir(f"/proc/{server.process.pid}/fd")}
    three_free = [number for number in range(len(used) + 3) if number not in used][:3]
    _, hard = resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (three_free[-1] + 1, hard))
    wires = [RawHttp(server) for _ in range(8)]
    ask = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n"
    for wire in wires:
        wire.send(ask)
    inside = [wire for wire in wires[:3] if wire.read_answer().status == 200]
    wait_until(lambda: shortage in server.log)
    # Several pauses long: those inside are served, the others wait, and the log stays as it is.
    until = time.monotonic() + 0.5
    while time.monotonic() < until:
        assert all(wire.ask(ask).status == 200 for wire in inside)
    assert not select.select([wire.socket for wire in wires[3:]], [], [], 0)[0]
    for wire in inside:
        wire.close()
    for wire in wires[3:]:
        assert wire.read_answer().status == 200
        wire.close()
    assert server.log.count(shortage) == 1
