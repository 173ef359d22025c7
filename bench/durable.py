"""The section of bench/run.py about the durable log: bench/durable.cc beside a plain loop of write and fdatasync on the same disk,
and, for orientation, redis-server with its append-only file."""
import contextlib
import pathlib
import re
import shutil
import socket
import statistics
import subprocess
import tempfile
import time

from figures import run, table, whole

AIM_SYNCED, AIM_UNSYNCED, AIM_REPLAY = 0.5, 400_000, 500_000


class Durable:
    def __init__(self, program, server, directory, say):
        self.program = program
        self.server = server
        self.directory = pathlib.Path(directory)
        self.say = say

    def run(self, what, **flags):
        return run(self.say, self.program, what, **flags)

    def fresh(self):
        path = self.directory / "log"
        shutil.rmtree(path, ignore_errors=True)
        return path

    def publishes(self, quick, rounds):
        """Rows: bytes, publishers, durability; each beside a plain loop of its batch size in the same round."""
        rows = []
        seconds = 1 if quick else 3
        for size in (128,) if quick else (128, 1024):
            for publishers in (64, 1):
                for durability in ("sync", "interval", "none"):
                    ours, elsewhere, plains, batches = [], [], [], []
                    for _ in range(rounds):
                        flags = {"bytes": size, "publishers": publishers, "durability": durability, "seconds": seconds}
                        result = self.run("publish", dir=self.fresh(), **flags)
                        ours.append(result["per_second"])
                        batches.append(result["batch"])
                        elsewhere.append(self.run("publish", dir=self.fresh(), elsewhere=1, **flags)["per_second"])
                        if durability == "sync":
                            # What is written for a publication beside its payload is some 90 bytes.
                            plain = self.run("plain", dir=self.directory, bytes=size + 90, batch=max(1, round(result["batch"])),
                                             seconds=seconds)
                            plains.append(plain["per_second"])
                    ratio = f"{statistics.median(a / b for a, b in zip(ours, plains)):.2f}" if plains else ""
                    rows.append([size, publishers, durability, whole(statistics.median(ours)),
                                 f"{statistics.median(batches):.0f}",
                                 whole(statistics.median(plains)) if plains else "", ratio, whole(statistics.median(elsewhere))])
        return rows

    def redis(self, quick):
        """Publishes a second of XADD, 64 under way, with the append-only file synced always and every second."""
        if shutil.which("redis-server") is None:
            return [["not installed", "", ""]]
        rows = []
        for fsync in ("always", "everysec"):
            for size in (128,) if quick else (128, 1024):
                with tempfile.TemporaryDirectory(dir=self.directory) as data, redis_server(data, fsync) as port:
                    count = 20_000 if fsync == "always" else 300_000
                    done = subprocess.run(["redis-benchmark", "-p", str(port), "-P", "64", "-c", "1", "-n", str(count), "--csv",
                                           "XADD", "bench", "*", "d", "x" * size], capture_output=True, text=True)
                    rates = re.findall(r'^"XADD[^"]*","([\d.]+)"', done.stdout, re.M)
                    rows.append([fsync, size, whole(float(rates[-1])) if rates else "failed"])
                    self.say(f"  redis {fsync} {size} B: {rows[-1][2]}")
        return rows

    def replays(self, quick):
        count = 100_000 if quick else 1_000_000
        log = self.fresh()
        self.run("fill", dir=log, count=count, bytes=128)
        rows = []
        for subscribers in (1, 100):
            result = self.run("replay", dir=log, subscribers=subscribers)
            rows.append(["engine's pages", subscribers, whole(result["replayed"]), whole(result["per_second"]),
                         f"{result['rss'] / 1e6:.0f} MB"])
        for subscribers in (1, 100):
            wanted = count if subscribers == 1 else count // 10
            with self.serve(log) as (port, pid):
                result = self.run("recover", port=port, count=wanted, subscribers=subscribers)
                rows.append(["WebSocket, one subscribe", subscribers, whole(result["recovered"]), whole(result["per_second"]),
                             f"{resident(pid) / 1e6:.0f} MB"])
        return rows

    @contextlib.contextmanager
    def serve(self, log):
        # The default rule keeps a hundred.
        config = self.directory / "keep.toml"
        config.write_text('[[channels]]\nmatch = "**"\nhistory_count = 1000000000\nhistory_age = "365d"\n')
        words = [str(self.server), "serve", "--config", str(config), "--data", str(log), "--listen", "127.0.0.1:0", "--loops", "1", "--log-level", "error"]
        process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
        try:
            line = process.stdout.readline()
            yield int(line.rsplit(":", 1)[1]), process.pid
        finally:
            process.terminate()
            process.wait(30)

    def openings(self, quick):
        rows = []
        log = self.fresh()
        for count in (100_000,) if quick else (1_000_000, 9_000_000):
            filled = self.run("fill", dir=log, count=count, bytes=128, channels=1000)
            opened = self.run("open", dir=log)
            size = sum(file.stat().st_size for file in log.iterdir())
            rows.append(["10 M" if rows else f"{count / 1e6:g} M", f"{size / 1e6:.0f} MB", f"{opened['open_ms']:.0f} ms",
                         f"{opened['rss'] / 1e6:.0f} MB", f"{filled['rss'] / 1e6:.0f} MB"])
        self.fresh()
        return rows


def resident(pid):
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", text)[1]) * 1024


@contextlib.contextmanager
def redis_server(directory, fsync):
    """With an append-only file that is synced so; with None, without one."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--dir", directory, "--save", "",
                                *(["--appendonly", "yes", "--appendfsync", fsync] if fsync else [])], stdout=subprocess.DEVNULL)
    try:
        while process.poll() is None:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            time.sleep(0.05)
        yield port
    finally:
        process.terminate()
        process.wait(30)


def durable(bench, quick):
    program = pathlib.Path(bench.floor).with_name("bench_durable")
    # Beside the sources: temporary directories may be in memory.
    with tempfile.TemporaryDirectory(dir=pathlib.Path(bench.program).parent) as directory:
        log = Durable(program, bench.program, directory, bench.say)
        yield "## The durable log"
        yield ""
        yield ("Publishes through the engine's port, each publisher with one under way, on one channel. \"Plain\": a loop of write and "
               "fdatasync with batches of the same size, on the same disk, in turn.")
        yield ""
        yield from table(["payload B", "publishers", "durability", "publishes/s", "in a batch", "plain, synced/s", "of plain",
                          "from another thread/s"],
                         log.publishes(quick, bench.rounds))
        yield ""
        yield f"Aims: {AIM_SYNCED} of plain with 64 publishers and sync; {whole(AIM_UNSYNCED)} a second without."
        yield ""
        yield "For orientation, redis-server: XADD, 64 pipelined on one connection."
        yield ""
        yield from table(["appendfsync", "payload B", "XADD/s"], log.redis(quick))
        yield ""
        yield "### Replay from the disk"
        yield ""
        yield (f"128 B. Each subscriber reads everything, by pages of 1 000; over WebSocket as recovery by one subscribe, a tenth of it "
               f"for 100 subscribers. Generator and server share the machine. Aim: {whole(AIM_REPLAY)} a second for one.")
        yield ""
        yield from table(["by", "subscribers", "publications", "a second", "server's RSS"], log.replays(quick))
        yield ""
        yield "### Opening a long log"
        yield ""
        yield from table(["publications", "on the disk", "opening", "RSS when open", "RSS after writing"], log.openings(quick))
