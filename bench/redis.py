"""The section of bench/run.py about the Redis engine: bench/redis.cc beside a plain loop of pipelined XADD and PUBLISH, against one
redis-server, in turn."""
import contextlib
import pathlib
import shutil
import statistics
import tempfile

from durable import redis_server
from figures import run, table, whole

AIM = 0.7


class Redis:
    def __init__(self, program, port, say):
        self.program = program
        self.port = port
        self.say = say

    def run(self, what, **flags):
        return run(self.say, self.program, what, port=self.port, **flags)

    def publishes(self, quick, rounds):
        """Rows: bytes, publishers; the plain loop and the engine, also where it hears what it publishes, and from another thread, in
        turn."""
        rows = []
        seconds = 1 if quick else 3
        kinds = [{}, {"heard": 1}, {"elsewhere": 1}]
        for size in (128, 1024):
            for publishers in (64, 1):
                plains, costs, ours = [], [], [[] for _ in kinds]
                for _ in range(rounds):
                    flags = {"bytes": size, "seconds": seconds}
                    plains.append(self.run("plain", window=publishers, **flags)["per_second"])
                    for kind, rates in zip(kinds, ours):
                        result = self.run("publish", publishers=publishers, **kind, **flags)
                        rates.append(result["per_second"])
                        costs += [result["cpu_us"]] if not kind else []
                row = [size, publishers, whole(statistics.median(plains))]
                for rates in ours:
                    row += [whole(statistics.median(rates)), f"{statistics.median(a / b for a, b in zip(rates, plains)):.2f}"]
                rows.append(row + [f"{statistics.median(costs):.1f}"])
        return rows

    def latencies(self, quick):
        rows = []
        for size in (128, 1024):
            result = self.run("latency", bytes=size, count=1000 if quick else 10_000)
            rows.append([size, f"{result['p50_us']:.0f}", f"{result['p99_us']:.0f}"])
        return rows


@contextlib.contextmanager
def plain_redis():
    with tempfile.TemporaryDirectory() as directory, redis_server(directory, None) as port:
        yield port


def redis(bench, quick):
    yield "## Many machines: the Redis engine"
    yield ""
    if shutil.which("redis-server") is None:
        yield "redis-server is not installed."
        return
    program = pathlib.Path(bench.floor).with_name("bench_redis")
    with plain_redis() as port:
        engine = Redis(program, port, bench.say)
        yield ("Publishes to one channel that keeps 1 000, each publisher with one under way; the next is made where the answer comes, "
               "on the engine's thread, or \"from another thread\". \"Plain\": a loop of pipelined XADD (the payload and its event) and "
               "PUBLISH with as many under way, on one thread. Redis and the publishers share the machine's two cores. "
               f"Aim: {AIM} of plain.")
        yield ""
        yield from table(["payload B", "publishers", "plain/s", "publishes/s", "of plain", "heard too/s", "of plain",
                          "from another thread/s", "of plain", "engine CPU us each"],
                         engine.publishes(quick, bench.rounds))
        yield ""
        yield "From a publish on one node until the engine of another has handed it out, one at a time:"
        yield ""
        yield from table(["payload B", "p50 us", "p99 us"], engine.latencies(quick))
