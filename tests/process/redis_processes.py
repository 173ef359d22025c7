"""Real Redis servers for tests, alone or as a cluster of masters, and a way to them that can be cut. None is left behind."""
import ctypes
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

PR_SET_PDEATHSIG = 1


def die_with_parent():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


BUS = 10000  # Masters of a cluster speak to each other at their port and this.


def free_port(with_bus=False):
    while True:
        with socket.socket() as probe, socket.socket() as bus:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
            if not with_bus:
                return port
            try:
                bus.bind(("127.0.0.1", port + BUS))
                return port
            except (OSError, OverflowError):
                continue


class RedisError(Exception):
    pass


def read_reply(stream):
    line = stream.readline().rstrip(b"\r\n")
    kind, rest = line[:1], line[1:]
    if kind == b"-":
        return RedisError(rest.decode())
    if kind == b"+":
        return rest.decode()
    if kind == b":":
        return int(rest)
    if kind == b"$":
        size = int(rest)
        return None if size < 0 else stream.read(size + 2)[:-2]
    if kind == b"*":
        size = int(rest)
        return None if size < 0 else [read_reply(stream) for _ in range(size)]
    raise ConnectionError(f"no reply: {line!r}")


class RedisServer:
    """One redis-server on a port of its own. Without `keep` it forgets all it had when it ends."""

    def __init__(self, *options, keep=False):
        self.port, self.options, self.keep = free_port("--cluster-enabled" in options), options, keep
        self.folder = tempfile.mkdtemp(prefix="carillon-redis-")
        self.process = None
        self.start()

    @property
    def url(self):
        return f"redis://127.0.0.1:{self.port}"

    def start(self):
        kept = ["--appendonly", "yes", "--appendfsync", "always"] if self.keep else ["--appendonly", "no"]
        self.process = subprocess.Popen(
            ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", self.folder, *kept, *self.options],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=die_with_parent)
        deadline = time.monotonic() + 15
        while True:
            try:
                if self.ask("PING") == "PONG":
                    return
            except (OSError, RedisError) as error:
                if "NOAUTH" in str(error):
                    return
                assert self.process.poll() is None, "redis-server did not start"
                assert time.monotonic() < deadline, "redis-server does not answer"
                time.sleep(0.01)

    def ask(self, *words):
        """One command on a connection of its own."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
            encoded = [word if isinstance(word, bytes) else str(word).encode() for word in words]
            connection.sendall(b"*%d\r\n" % len(encoded) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in encoded))
            reply = read_reply(connection.makefile("rb"))
        if isinstance(reply, RedisError):
            raise reply
        return reply

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)

    def end(self):
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


class RedisCluster:
    """Masters that share the slots."""

    def __init__(self, masters=3):
        self.masters = [RedisServer("--cluster-enabled", "yes", "--cluster-node-timeout", "2000") for _ in range(masters)]
        share = 16384 // masters
        for number, master in enumerate(self.masters):
            last = 16383 if number == masters - 1 else (number + 1) * share - 1
            master.ask("CLUSTER", "ADDSLOTSRANGE", number * share, last)
            master.ask("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
        for master in self.masters[1:]:
            master.ask("CLUSTER", "MEET", "127.0.0.1", self.masters[0].port)
        deadline = time.monotonic() + 20
        while not all(self._whole(master) for master in self.masters):
            assert time.monotonic() < deadline, "the cluster does not come together"
            time.sleep(0.02)

    def _whole(self, master):
        info = master.ask("CLUSTER", "INFO").decode()
        return "cluster_state:ok" in info and f"cluster_known_nodes:{len(self.masters)}" in info

    @property
    def url(self):
        return ",".join(master.url for master in self.masters)

    def end(self):
        for master in self.masters:
            master.end()


class Way:
    """A way to a port that can be cut: connections break or fall silent, and new ones find nobody."""

    def __init__(self, port):
        self.target, self.open, self.silent, self.pairs = port, True, False, []
        self.lock = threading.Lock()
        self.listener = socket.socket()
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(64)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self):
        return f"redis://127.0.0.1:{self.port}"

    def _accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            if not self.open:
                near.close()
                continue
            try:
                far = socket.create_connection(("127.0.0.1", self.target), timeout=5)
            except OSError:
                near.close()
                continue
            for one in (near, far):
                one.settimeout(None)
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self.lock:
                self.pairs.append((near, far))
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=self._carry, args=(source, sink), daemon=True).start()

    def _carry(self, source, sink):
        try:
            while data := source.recv(65536):
                while self.silent:
                    time.sleep(0.01)
                sink.sendall(data)
        except OSError:
            pass
        for one in (source, sink):
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def cut(self):
        self.open = False
        with self.lock:
            pairs, self.pairs = self.pairs, []
        for pair in pairs:
            for one in pair:
                try:
                    one.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def heal(self):
        self.open, self.silent = True, False

    def end(self):
        self.heal()
        self.cut()
        self.listener.close()
