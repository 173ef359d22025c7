"""The program under test: started as people start it, watched from outside, never left behind."""
import collections
import http.client
import json
import os
import pathlib
import re
import signal
import subprocess
import threading
import time

ROOT = pathlib.Path(__file__).parents[2]
PROGRAM = os.environ.get("CARILLON_PROGRAM", str(ROOT / "build/release/carillon"))

Response = collections.namedtuple("Response", "status headers text json")


def wait_until(condition, seconds=10.0):
    """Returns the condition's first true value; fails when it has none in time."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"waited {seconds} s in vain"
        time.sleep(0.01)


def clean_environment(extra=None):
    environment = {k: v for k, v in os.environ.items() if not k.startswith("CARILLON_")}
    environment.update(extra or {})
    return environment


def run_program(*arguments, env=None, seconds=20, **options):
    """Runs the program to its end."""
    return subprocess.run([PROGRAM, *arguments], env=clean_environment(env), capture_output=True, text=True, timeout=seconds,
                          stdin=subprocess.DEVNULL, **options)


class Program:
    """A running program whose output is collected line by line."""

    def __init__(self, *arguments, env=None, cwd=None, under=()):
        """`under`: the words of a program that starts ours, such as setpriv."""
        self.process = subprocess.Popen([*under, PROGRAM, *arguments], env=clean_environment(env), cwd=cwd, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.out, self.err = [], []
        self.told_to_stop = False
        self.readers = [threading.Thread(target=self._collect, args=pair, daemon=True)
                        for pair in ((self.process.stdout, self.out), (self.process.stderr, self.err))]
        for reader in self.readers:
            reader.start()

    @staticmethod
    def _collect(stream, lines):
        for line in stream:
            lines.append(line.rstrip("\n"))

    @property
    def log(self):
        return "\n".join(self.out + self.err)

    def wait(self, seconds=15):
        status = self.process.wait(seconds)
        for reader in self.readers:
            reader.join(5)
        return status

    def terminate(self):
        """Once: a second signal would end the program at once."""
        if self.process.poll() is None and not self.told_to_stop:
            self.told_to_stop = True
            self.process.send_signal(signal.SIGTERM)

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(10)


class Server(Program):
    """Keeps everything in memory, a log in the directory `data`, or shares the Redis at the address `redis`."""

    def __init__(self, *arguments, env=None, cwd=None, data=None, redis=None, under=()):
        quick = {"CARILLON_SERVER_DRAIN_TIME": "100ms", "CARILLON_WEBSOCKET_CLOSE_TIME": "500ms"}
        listen = [] if "--listen" in arguments else ["--listen", "127.0.0.1:0"]
        kept = ["--redis", redis] if redis else ["--data", str(data)] if data is not None else ["--memory"]
        super().__init__("serve", *kept, *listen, *arguments, env={**quick, **(env or {})}, cwd=cwd, under=under)
        wait_until(lambda: self._address() or self.process.poll() is not None, 15)
        assert self._address(), f"the server did not start:\n{self.log}"
        self.url = self._address()
        self.host, port = re.fullmatch(r"http://(.+):(\d+)", self.url).groups()
        self.port = int(port)

    def _address(self):
        found = [line for line in list(self.out) if line.startswith("listening on ")]
        return found[0].removeprefix("listening on ") if found else None

    def stop(self):
        """Graceful: SIGTERM, exit code 0."""
        self.terminate()
        status = self.wait()
        assert status == 0, f"exit status {status}:\n{self.log[-4000:]}"

    def call(self, method, path, body=None, headers=None, timeout=10):
        """One HTTP request on a connection of its own; a body that is not text or bytes is sent as JSON."""
        connection = http.client.HTTPConnection(self.host.strip("[]"), self.port, timeout=timeout)
        headers = dict(headers or {})
        if body is not None and not isinstance(body, (str, bytes)):
            body = json.dumps(body)
            headers.setdefault("Content-Type", "application/json")
        try:
            connection.request(method, path, body.encode() if isinstance(body, str) else body, headers)
            answer = connection.getresponse()
            text = answer.read().decode()
        finally:
            connection.close()
        value = json.loads(text) if text and "json" in (answer.headers.get("Content-Type") or "") else None
        return Response(answer.status, answer.headers, text, value)

    def get(self, path, **options):
        return self.call("GET", path, **options)

    def publish(self, channel, event="said", data=None, **more):
        answer = self.call("POST", "/api/publish", {"channel": channel, "event": event, "data": data, **more})
        assert answer.status == 200, answer
        return answer.json

    def stats(self):
        return self.get("/api/realtime/stats").json

    def sessions(self):
        return self.get("/api/sessions").json["sessions"]

    def rss_kb(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1])
