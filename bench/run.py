#!/usr/bin/python3
"""Measures Carillon beside the plain floor on this machine, and prints one Markdown page. bench/README.md says how to read it.

The server and the floor run on core 0, one at a time and taking turns; the load generator (`carillon bench`) runs on core 1.
"""
import argparse
import contextlib
import datetime
import json
import os
import pathlib
import platform
import re
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import time

from durable import durable
from figures import micros, quotient, size, table, times, whole
from nodes import nodes
from redis import redis

ROOT = pathlib.Path(__file__).resolve().parent.parent
SECTIONS = ["fanout", "phoenix", "bayeux", "topics", "latency", "idle", "handshakes", "publish", "durable", "redis", "nodes"]
DISTURBED_PERCENT = 7  # Of a core, used by others: above it, a run is repeated.
ATTEMPTS = 4  # For one run,
REPEATS = 100  # and for all together, so that a busy machine does not keep us for ever.
AIM_PHOENIX = 1.10  # Server CPU a delivery against the native protocol's.
AIM_ANSWER = 1.50  # Server CPU an answer to a poll, against a plain answer of that size.
AIM_ALONE, AIM_GATHERED = 1.15, 1.30  # Server CPU a delivery against the floor's: at window 1, and at deeper ones.
BYTES_PER_SECOND = 2.5e9  # What loopback carries, roughly: long windows need long measuring.
WRONG = ("lost", "gaps", "duplicates", "errors", "gone", "refused", "stalls")


class Failed(Exception):
    """A run that gave no figures; the text says why."""


def say(text):
    print(text, file=sys.stderr, flush=True)


# ---- Running things ----


def pinned(core, command):
    return (["taskset", "-c", str(core)] if os.cpu_count() > 1 else []) + [str(word) for word in command]


@contextlib.contextmanager
def running(command):
    """Starts a server on core 0, waits until it listens; gives its port and process id; ends it whatever happens."""
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(pinned(0, command), stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        try:
            yield wait_for_port(process, output), process.pid
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def wait_for_port(process, output):
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        output.seek(0)
        text = output.read()
        found = re.search(r"^listening on http://\S+:(\d+)\s*$", text, re.M)
        if found:
            return int(found[1])
        if process.poll() is not None:
            raise Failed(f"{process.args[-1]} ended at once: {text.strip()[-500:]}")
        time.sleep(0.01)
    raise Failed(f"no address within 10 s from: {' '.join(process.args)}")


class Bench:
    """Runs single measurements; knows the programs and how long to measure."""

    def __init__(self, options):
        self.program = pathlib.Path(options.program)
        self.floor = pathlib.Path(options.floor)
        self.rounds = 1 if options.quick else options.rounds
        self.duration = 1 if options.quick else 2
        self.warmup = 0.3 if options.quick else 0.5
        self.attempts = 1 if options.quick else ATTEMPTS
        self.repeats_left = REPEATS
        self.envelope = 0
        self.failures = 0
        self.say = say

    def server_command(self):
        return [self.program, "serve", "--memory", "--loops", "1", "--listen", "127.0.0.1:0"]

    def floor_command(self, mode, pad):
        return [self.floor, "--listen", "127.0.0.1:0", "--mode", mode, "--pad", str(pad)]

    def polled_floor_command(self, answer):
        return [self.floor, "--listen", "127.0.0.1:0", "--answer", str(answer)]

    def once(self, command, load):
        """One run against a fresh server or floor."""
        is_floor = command[0] == self.floor
        with running(command) as (port, pid):
            words = [self.program, "bench", "--json", "--server-pid", pid, "--url", f"ws://127.0.0.1:{port}/ws"]
            for name, value in load.items():
                words += [f"--{name}", value]
            done = subprocess.run(pinned(1, words + (["--floor"] if is_floor else [])), capture_output=True, text=True)
        if done.returncode != 0:
            raise Failed(done.stderr.strip() or f"carillon bench ended with {done.returncode}")
        return json.loads(done.stdout)

    def calm(self, command, load):
        """As once, repeated while others disturb it, up to a bound; then the least disturbed one."""
        best = None
        for attempt in range(self.attempts):
            if attempt > 0:
                if self.repeats_left == 0:
                    break
                self.repeats_left -= 1
                time.sleep(1)
            result = self.once(command, load)
            if best is None or result["others_percent"] < best["others_percent"]:
                best = result
            if best["others_percent"] <= DISTURBED_PERCENT:
                break
        return best

    def interleaved(self, title, commands, load, own=None):
        """Each command in turn, round after round; returns for each the medians, or why there are none.

        `own`: what one command's load has beside what all have.
        """
        runs = {name: [] for name in commands}
        failed = {}
        for number in range(self.rounds):
            for name, command in commands.items():
                if name in failed:
                    continue
                try:
                    runs[name].append(self.calm(command, {**load, **(own or {}).get(name, {})}))
                except Failed as failure:
                    failed[name] = str(failure)
                    self.failures += 1
                    say(f"  {title}: {name} failed: {failure}")
            say(f"  {title}, round {number + 1} of {self.rounds}: " + ", ".join(
                f"{name} {brief(results[-1])}" for name, results in runs.items() if results))
        return {name: Figures(runs[name], failed.get(name)) for name in commands}

    def traffic(self, **load):
        """The options of a run with deliveries, long enough for two full windows."""
        message = load["payload"] + 150
        lap = load["subscribers"] * message * load.get("window", 1) / BYTES_PER_SECOND
        return {**load, "duration": min(max(self.duration, 2 * lap), 15), "warmup": min(max(self.warmup, lap), 6)}

    def learn_envelope(self):
        """How many bytes Carillon's protocol adds to a payload."""
        result = self.once(self.server_command(), {"subscribers": 1, "payload": 128, "duration": 0.2, "warmup": 0.1})
        self.envelope = round(result["message_bytes"] - 128)


def brief(result):
    if result["publishes"]:
        return f"{micros(result['server_cpu_us_per_delivery'])} us"
    return f"{result['server_rss_bytes_per_connection']:.0f} B, {result['server_cpu_us_per_handshake']:.1f} us a handshake"


class Figures:
    """Medians over the rounds of one thing measured."""

    def __init__(self, runs, failure):
        self.runs = runs if not failure else []
        self.failure = failure

    def __getitem__(self, key):
        return statistics.median(run[key] for run in self.runs) if self.runs else None

    def notes(self, name):
        """What a reader must know of these runs."""
        if self.failure:
            return [f"{name}: {self.failure}"]
        wrong = {key: max(run[key] for run in self.runs) for key in WRONG}
        return [f"{name} {key}: {count}" for key, count in wrong.items() if count]

    def disturbance(self):
        return max((run["others_percent"] for run in self.runs), default=0)


# ---- Writing things ----


def latency(figures):
    return f"{whole(figures['latency_p50_us'])} / {whole(figures['latency_p99_us'])}"


def notes(figures):
    disturbance = max(one.disturbance() for one in figures.values())
    disturbed = [f"disturbed ({disturbance:.0f} %)"] if disturbance > DISTURBED_PERCENT else []
    return "; ".join(disturbed + [note for name, one in figures.items() for note in one.notes(name)])


# ---- The sections ----


def fanout(bench, quick):
    subscribers, payloads, windows = ((100, 1000), (128, 1024), (1, 16)) if quick else (
        (100, 1000, 10000), (128, 1024, 16384), (1, 16, 64))
    rows, within = [], {"floor": [], "same bytes": []}
    for count in subscribers:
        for payload in payloads:
            for window in windows:
                mode = "each" if window == 1 else "gather"
                figures = bench.interleaved(
                    f"fan-out to {count}, {size(payload)}, window {window}", {
                        "server": bench.server_command(),
                        "floor": bench.floor_command(mode, 0),
                        "same bytes": bench.floor_command(mode, bench.envelope)
                    }, bench.traffic(subscribers=count, payload=payload, window=window))
                cost = {name: one["server_cpu_us_per_delivery"] for name, one in figures.items()}
                ratios = {name: quotient(cost["server"], cost[name]) for name in within}
                aim = AIM_ALONE if window == 1 else AIM_GATHERED
                for name, ratio in ratios.items():
                    within[name].append(ratio is not None and ratio <= aim)
                rows.append([whole(count), size(payload), window, micros(cost["server"]), micros(cost["floor"]),
                             micros(cost["same bytes"]), times(ratios["floor"]), times(ratios["same bytes"]),
                             whole(figures["server"]["deliveries_per_s"]), whole(figures["floor"]["deliveries_per_s"]),
                             latency(figures["server"]), latency(figures["floor"]), notes(figures)])
    yield "## One channel, everybody hears it"
    yield ""
    yield (f"Server CPU in µs a delivery. The floor sends each message by itself at window 1, and gathers at deeper windows. "
           f"\"Same bytes\": its messages are {bench.envelope} bytes longer, as Carillon's are by their envelope. Latency from "
           f"publish to delivery, with a full window.")
    yield ""
    yield from table(["subscribers", "payload", "window", "server", "floor", "same bytes", "server / floor",
                      "server / same bytes", "deliveries/s", "floor's", "p50 / p99 µs", "floor's", "notes"], rows)
    yield ""
    yield (f"Aim: at most {AIM_ALONE:.2f} of the floor at window 1, {AIM_GATHERED:.2f} at deeper ones. Within it: "
           f"{sum(within['floor'])} of {len(rows)} by equal payloads, {sum(within['same bytes'])} of {len(rows)} by equal bytes.")


def phoenix(bench, quick):
    rows, within = [], 0
    for count in (100,) if quick else (100, 1000):
        for payload in (128,) if quick else (128, 1024):
            for window in (1, 16) if quick else (1, 16, 64):
                figures = bench.interleaved(
                    f"Phoenix to {count}, {size(payload)}, window {window}",
                    {"native": bench.server_command(), "phoenix": bench.server_command()},
                    bench.traffic(subscribers=count, payload=payload, window=window), {"phoenix": {"protocol": "phoenix"}})
                cost = {name: one["server_cpu_us_per_delivery"] for name, one in figures.items()}
                ratio = quotient(cost["phoenix"], cost["native"])
                within += ratio is not None and ratio <= AIM_PHOENIX
                rows.append([whole(count), size(payload), window, micros(cost["native"]), micros(cost["phoenix"]), times(ratio),
                             whole(figures["native"]["deliveries_per_s"]), whole(figures["phoenix"]["deliveries_per_s"]),
                             whole(figures["native"]["message_bytes"]), whole(figures["phoenix"]["message_bytes"]),
                             notes(figures)])
    yield "## Fan-out by Phoenix Channels (V2) beside the native protocol"
    yield ""
    yield "Server CPU in µs a delivery; publishers speak the native protocol."
    yield ""
    yield from table(["subscribers", "payload", "window", "native", "Phoenix", "Phoenix / native", "native deliveries/s",
                      "Phoenix deliveries/s", "native message, bytes", "Phoenix message, bytes", "notes"], rows)
    yield ""
    yield f"Aim: at most {AIM_PHOENIX:.2f} of the native protocol's. Within it: {within} of {len(rows)}."


# Loads of the Bayeux tables: how they are called there, and their options.
BAYEUX_LOADS = [("1", {"window": 1}), ("16", {"window": 16}), ("2 a second", {"rate": 2})]
BY_WEBSOCKET = {"protocol": "bayeux"}
BY_POLLING = {"protocol": "bayeux", "transport": "long-polling"}


def bayeux(bench, quick):
    yield from bayeux_by_websocket(bench, quick)
    yield ""
    yield from bayeux_by_polling(bench, quick)
    yield ""
    yield from bayeux_idle(bench, quick)


def bayeux_cells(bench, quick, payloads):
    """Each table's cells: subscribers, payload, what the load is called, its options."""
    for count in (100,) if quick else (1000, 10000):
        for payload in payloads:
            for name, options in BAYEUX_LOADS if payload == payloads[0] and not quick else BAYEUX_LOADS[:2]:
                load = bench.traffic(subscribers=count, payload=payload, **options)
                if "rate" in options:
                    load["duration"] = 5 * bench.duration
                yield count, payload, name, load


def bayeux_by_websocket(bench, quick):
    rows = []
    for count, payload, name, load in bayeux_cells(bench, quick, (128,)):
        figures = bench.interleaved(f"Bayeux by WebSocket to {count}, {size(payload)}, window {name}", {
            "native": bench.server_command(), "bayeux": bench.server_command()}, load, {"bayeux": BY_WEBSOCKET})
        native, by_bayeux = figures["native"], figures["bayeux"]
        cost = {one: figures[one]["server_cpu_us_per_delivery"] for one in figures}
        rows.append([whole(count), size(payload), name, micros(cost["native"]), micros(cost["bayeux"]),
                     times(quotient(cost["bayeux"], cost["native"])), whole(native["deliveries_per_s"]),
                     whole(by_bayeux["deliveries_per_s"]), latency(native), latency(by_bayeux), whole(by_bayeux["message_bytes"]),
                     notes(figures)])
    yield "## Bayeux by WebSocket beside the native protocol"
    yield ""
    yield "Server CPU in µs a delivery; publishers speak the native protocol. Each client has a connect that is held."
    yield ""
    yield from table(["subscribers", "payload", "window", "native", "Bayeux", "Bayeux / native", "native deliveries/s",
                      "Bayeux deliveries/s", "native p50 / p99 µs", "Bayeux p50 / p99 µs", "Bayeux bytes a message", "notes"], rows)


def bayeux_by_polling(bench, quick):
    rows, within = [], 0
    for count, payload, name, load in bayeux_cells(bench, quick, (128,) if quick else (128, 1024)):
        title = f"Bayeux by long-polling to {count}, {size(payload)}, window {name}"
        try:
            answer = round(bench.once(bench.server_command(), {**load, **BY_POLLING})["answer_bytes"])
        except Failed as failure:
            say(f"  {title}: {failure}")
            bench.failures += 1
            continue
        figures = bench.interleaved(title, {
            "server": bench.server_command(), "floor": bench.polled_floor_command(answer)}, {**load, **BY_POLLING})
        server, floor = figures["server"], figures["floor"]
        ratio = quotient(server["server_cpu_us_per_answer"], floor["server_cpu_us_per_answer"])
        within += ratio is not None and ratio <= AIM_ANSWER
        rows.append([whole(count), size(payload), name, whole(server["answer_bytes"]),
                     times(quotient(server["deliveries"], server["answers"])), micros(server["server_cpu_us_per_answer"]),
                     micros(floor["server_cpu_us_per_answer"]), times(ratio), micros(server["server_cpu_us_per_delivery"]),
                     whole(server["deliveries_per_s"]), whole(floor["deliveries_per_s"]), latency(server), latency(floor),
                     notes(figures)])
    yield "## Bayeux by long-polling beside plain HTTP answers"
    yield ""
    yield ("Server CPU in µs. Each delivery answers a poll that was held, and its client polls again at once. The floor takes the "
           "same requests by as many connections, keeps each until something is published, and sends an answer of the same size, "
           "without looking into the request. Several messages may ride on one answer.")
    yield ""
    yield from table(["subscribers", "payload", "window", "bytes an answer", "messages an answer", "CPU an answer", "floor's",
                      "server / floor", "CPU a delivery", "deliveries/s", "floor's", "p50 / p99 µs", "floor's", "notes"], rows)
    yield ""
    yield f"Aim: an answer costs at most {AIM_ANSWER:.2f} of the floor's. Within it: {within} of {len(rows)}."


def bayeux_idle(bench, quick):
    kinds = {"native": {}, "Bayeux by WebSocket": BY_WEBSOCKET, "Bayeux by long-polling": BY_POLLING, "floor, polled": BY_POLLING}
    commands = {name: bench.server_command() for name in kinds}
    commands["floor, polled"] = bench.polled_floor_command(0)
    fewer, more = (100, 1000) if quick else (1000, 10000)
    runs = {count: bench.interleaved(f"{count} idle sessions", commands, {"idle": count, "duration": bench.duration}, kinds)
            for count in (fewer, more)}
    rows = []
    for name in kinds:
        one, other = runs[fewer][name], runs[more][name]
        grown = None if one.failure or other.failure else other["server_rss_bytes"] - one["server_rss_bytes"]
        rows.append([name, whole(other["connections"]), whole(other["server_rss_bytes_per_connection"]),
                     whole(quotient(grown, more - fewer)), times(other["server_busy_percent"]),
                     micros(other["server_cpu_us_per_handshake"]), notes({name: other})])
    yield "## Idle Bayeux sessions"
    yield ""
    yield ("The server's RSS, without the kernel's share; each session is subscribed and has a connect or poll that is held. \"Each "
           f"further one\": from {whole(fewer)} to {whole(more)}, without what the first one costs once. \"Opening\": server CPU "
           "from the TCP connection to the held connect.")
    yield ""
    yield from table(["", "sessions", "RSS bytes a session", "each further one", "server busy %", "opening, µs", "notes"], rows)


def topics(bench, quick):
    rows = []
    for window in (16,) if quick else (16, 256):
        load = {"subscribers": 10000, "topics": 1000, "payload": 128, "window": window,
                "duration": bench.duration, "warmup": bench.warmup}
        figures = bench.interleaved(f"1000 topics of 10, window {window}", {"server": bench.server_command()}, load)
        server = figures["server"]
        rows.append([window, micros(server["server_cpu_us_per_delivery"]), whole(server["deliveries_per_s"]), latency(server),
                     notes(figures)])
    yield "## 1 000 channels of 10 subscribers, 128 B"
    yield ""
    yield from table(["window", "server CPU µs a delivery", "deliveries/s", "p50 / p99 µs", "notes"], rows)


def open_loop(bench, quick):
    rows = []
    for rate in (50,) if quick else (50, 1000, 2000):
        load = {"subscribers": 1000, "payload": 128, "rate": rate, "duration": 2 * bench.duration, "warmup": bench.warmup}
        figures = bench.interleaved(f"{rate} publishes a second", {
            "server": bench.server_command(), "floor": bench.floor_command("gather", 0)}, load)
        server, floor = figures["server"], figures["floor"]
        rows.append([whole(rate), latency(server), latency(floor), micros(server["server_cpu_us_per_delivery"]),
                     micros(floor["server_cpu_us_per_delivery"]), notes(figures)])
    yield "## Latency at a steady rate: 1 000 subscribers, 128 B"
    yield ""
    yield from table(["publishes/s", "p50 / p99 µs", "floor's", "server CPU µs a delivery", "floor's", "notes"], rows)


def file_limit():
    return resource.getrlimit(resource.RLIMIT_NOFILE)[1]


def connections_max():
    """As many as the file limit allows on each side; where that is huge, as many as fit into half of the free memory."""
    memory = int(re.search(r"MemAvailable:\s+(\d+)", pathlib.Path("/proc/meminfo").read_text())[1]) * 1024
    limit = file_limit()
    limit = limit if limit != resource.RLIM_INFINITY else 1 << 20
    return min(limit - 100, memory // 2 // (16 << 10))


def idle(bench, quick):
    rows, sizes = [], []
    for count in (1000, 2000) if quick else (min(10000, connections_max() // 2), connections_max()):
        figures = bench.interleaved(f"{count} idle connections", {
            "server": bench.server_command(), "floor": bench.floor_command("each", 0)}, {"idle": count, "duration": bench.duration})
        server, floor = figures["server"], figures["floor"]
        sizes.append((server["connections"], server["server_rss_bytes"]))
        rows.append([whole(count), whole(server["connections"]), whole(server["server_rss_bytes_per_connection"]),
                     whole(floor["server_rss_bytes_per_connection"]), times(server["server_busy_percent"]), notes(figures)])
    yield "## Idle subscribed connections"
    yield ""
    yield (f"The server's RSS, without the kernel's share. The limit of open files is {whole(file_limit())} here, for the server "
           f"and for the generator.")
    yield ""
    yield from table(["asked for", "open", "RSS bytes a connection", "floor's", "server busy %", "notes"], rows)
    (fewer, less), (more, most) = sizes
    if fewer and more:
        yield ""
        yield (f"The figures include what the first connection costs once (code and tables touched for the first time); each further "
               f"one, from the first row to the second: {whole(quotient(most - less, more - fewer))} bytes.")


def handshakes(bench, quick):
    count = 5000 if quick else 50000
    figures = bench.interleaved("handshakes", {
        "server": bench.server_command(), "floor": bench.floor_command("each", 0)}, {"handshakes": count})
    yield "## Handshakes"
    yield ""
    yield f"{whole(count)} WebSocket upgrades, 128 under way at once."
    yield ""
    yield from table(["", "handshakes/s", "server CPU µs a handshake", "notes"],
                     [[name, whole(one["handshakes_per_s"]), micros(one["server_cpu_us_per_handshake"]), notes({name: one})]
                      for name, one in figures.items()])


def publish(bench, quick):
    rows = []
    bystanders = (0, 1000) if quick else (0, min(10000, connections_max()))
    for window in (1, 16):
        for others in bystanders:
            load = {"subscribers": 1, "bystanders": others, "payload": 128, "window": window, "duration": bench.duration,
                    "warmup": bench.warmup}
            mode = "each" if window == 1 else "gather"
            figures = bench.interleaved(f"a publish for one, window {window}, {others} others", {
                "server": bench.server_command(), "floor": bench.floor_command(mode, 0)}, load)
            server, floor = figures["server"], figures["floor"]
            rows.append([window, whole(others), micros(server["server_cpu_us_per_publish"]),
                         micros(floor["server_cpu_us_per_publish"]), latency(server), notes(figures)])
    yield "## A publish to a channel with one subscriber, while others are connected"
    yield ""
    yield "Its cost grows with who hears it, not with who is connected: the figures should not depend on the second column."
    yield ""
    yield from table(["window", "others connected", "server CPU µs a publish", "floor's", "p50 / p99 µs", "notes"], rows)


# ---- The page ----


def output_of(*command):
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout.strip()


def cpu_model():
    found = re.search(r"^model name\s*:\s*(.+)$", pathlib.Path("/proc/cpuinfo").read_text(), re.M)
    return found[1] if found else platform.machine()


def heading(rounds):
    memory = int(re.search(r"MemTotal:\s+(\d+)", pathlib.Path("/proc/meminfo").read_text())[1]) / 1e6
    command = "./dev bench" + "".join(f" {word}" for word in sys.argv[1:])
    yield "# What Carillon costs, measured"
    yield ""
    yield f"- Machine: {cpu_model()}, {os.cpu_count()} cores, {memory:.0f} GB, Linux {platform.release()}; loopback."
    yield f"- Date: {datetime.date.today().isoformat()}. Commit: {output_of('git', 'describe', '--always', '--dirty') or 'unknown'}."
    yield f"- Repeat: `{command}`. Medians of {rounds} round{'s' if rounds > 1 else ''}, server and floor taking turns."
    yield (f"- \"disturbed\" in the notes: others used more than {DISTURBED_PERCENT} % of a core, repeated or not; such a row is a "
           f"hint only. Ratios hold better than absolute figures.")


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few cells, one short round each: a look, not a measurement")
    parser.add_argument("--only", default=",".join(SECTIONS), help=f"some of: {','.join(SECTIONS)}")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of which medians are taken (3)")
    parser.add_argument("--out", help="also write the page to this file")
    parser.add_argument("--program", default=ROOT / "build/release/carillon", help="the carillon to measure, and measure with")
    parser.add_argument("--floor", default=ROOT / "build/release/bench_floor", help="the plain floor")
    options = parser.parse_args()
    options.sections = options.only.split(",")
    for name in options.sections:
        if name not in SECTIONS:
            parser.error(f"--only knows no '{name}', only: {', '.join(SECTIONS)}")
    if options.rounds < 1:
        parser.error("--rounds must be at least 1")
    for program in (options.program, options.floor):
        if not os.access(program, os.X_OK):
            parser.error(f"{program} is not there; ./dev bench builds it")
    return options


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # So that what runs is ended on the way out.
    options = parse_options()
    bench = Bench(options)
    if os.cpu_count() < 2:
        say("one core only: server and generator share it, and the figures say little")
    try:
        bench.learn_envelope()
    except Failed as failure:
        say(f"the server cannot be measured: {failure}")
        return 1
    lines = list(heading(bench.rounds))
    make = {"fanout": fanout, "phoenix": phoenix, "bayeux": bayeux, "topics": topics, "latency": open_loop, "idle": idle, "handshakes": handshakes, "publish": publish,
            "durable": durable, "redis": redis, "nodes": nodes}
    for name in SECTIONS:
        if name in options.sections:
            say(name)
            lines += ["", *make[name](bench, options.quick)]
    page = "\n".join(lines) + "\n"
    print(page, end="")
    if options.out:
        pathlib.Path(options.out).write_text(page)
    return 1 if bench.failures else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        say("stopped")
        sys.exit(130)
