"""The section of bench/run.py about several servers over one Redis: what each costs as they grow in number, the clients and the
publications being the same."""
import contextlib
import http.client
import json
import os
import pathlib
import re
import select
import shutil
import socket
import statistics
import subprocess
import tempfile
import threading
import time

from figures import table
from redis import plain_redis

CLIENTS = 600
RATE = 400  # Publishes a second.


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Listeners:
    """Event streams whose bytes are read and counted, and nothing else."""

    def __init__(self):
        self.epoll, self.sockets, self.events, self.ended = select.epoll(), {}, 0, False
        self.thread = threading.Thread(target=self._read, daemon=True)

    def open(self, port):
        connection = socket.create_connection(("127.0.0.1", port))
        connection.sendall(b"GET /api/events?channel=room:1 HTTP/1.1\r\nHost: localhost\r\n\r\n")
        head = b""
        while b"\nid: " not in head:
            head += connection.recv(4096)
        connection.setblocking(False)
        self.sockets[connection.fileno()] = connection
        self.epoll.register(connection.fileno(), select.EPOLLIN)

    def _read(self):
        while not self.ended:
            for descriptor, _ in self.epoll.poll(0.1):
                with contextlib.suppress(BlockingIOError):
                    self.events += self.sockets[descriptor].recv(1 << 16).count(b"\ndata: ")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.ended = True
        if self.thread.is_alive():
            self.thread.join()
        for connection in self.sockets.values():
            connection.close()
        self.epoll.close()


@contextlib.contextmanager
def server(program, redis_port):
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(["taskset", "-c", "0", str(program), "serve", "--redis", f"redis://127.0.0.1:{redis_port}", "--loops", "1",
                                    "--listen", "127.0.0.1:0"], stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        try:
            deadline = time.monotonic() + 10
            while True:
                output.seek(0)
                if found := re.search(r"^listening on http://\S+:(\d+)\s*$", output.read(), re.M):
                    break
                if process.poll() is not None or time.monotonic() > deadline:
                    output.seek(0)
                    raise RuntimeError("a server did not start: " + output.read()[-500:])
                time.sleep(0.01)
            yield int(found[1]), process.pid
        finally:
            process.terminate()
            process.wait(20)


def measure(program, count, seconds):
    """Milliseconds of CPU a second of the server that is published to and of the others (mean); microseconds a delivery of all."""
    with contextlib.ExitStack() as stack:
        redis_port = stack.enter_context(plain_redis())
        servers = [stack.enter_context(server(program, redis_port)) for _ in range(count)]
        listeners = stack.enter_context(Listeners())
        for number in range(CLIENTS):
            listeners.open(servers[number % count][0])
        listeners.thread.start()
        connection = http.client.HTTPConnection("127.0.0.1", servers[0][0])
        body = json.dumps({"channel": "room:1", "event": "said", "data": "x" * 126})
        before = [cpu_seconds(pid) for _, pid in servers]
        published, started = 0, time.monotonic()
        while (passed := time.monotonic() - started) < seconds:
            if published >= passed * RATE:
                time.sleep(0.0005)
                continue
            connection.request("POST", "/api/publish", body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            answer.read()
            if answer.status != 200:
                raise RuntimeError(f"a publish was answered {answer.status}")
            published += 1
        deadline = time.monotonic() + 10
        while listeners.events < published * CLIENTS:
            if time.monotonic() > deadline:
                raise RuntimeError(f"{listeners.events} of {published * CLIENTS} events came")
            time.sleep(0.01)
        took = time.monotonic() - started
        used = [cpu_seconds(pid) - cpu for (_, pid), cpu in zip(servers, before)]
        connection.close()
        others = statistics.mean(used[1:]) if count > 1 else None
        return used[0] * 1e3 / took, others and others * 1e3 / took, sum(used) * 1e6 / listeners.events, published / took


def nodes(bench, quick):
    yield "## Several servers: what each costs"
    yield ""
    if shutil.which("redis-server") is None:
        yield "redis-server is not installed."
        return
    yield (f"{CLIENTS} event streams on one channel, shared out evenly; up to {RATE} publishes of 128 B a second over HTTP to the first server, "
           "one under way. All servers run on one core; Redis, the publisher and the clients on the other.")
    yield ""
    rows = []
    for count in (1, 2, 3):
        runs = [measure(bench.program, count, 2 if quick else 5) for _ in range(bench.rounds)]
        first, others, delivery, rate = (statistics.median(values) if None not in values else None for values in zip(*runs))
        bench.say(f"  {count} servers: {first:.0f} ms/s, {delivery:.2f} us a delivery")
        rows.append([count, CLIENTS // count, f"{rate:.0f}", f"{first:.0f}", "–" if others is None else f"{others:.0f}", f"{delivery:.2f}"])
    yield from table(["servers", "clients each", "publishes/s", "CPU ms/s of the first", "of each other", "CPU us a delivery, all"], rows)
    yield ""
