"""Plays the talks of tests/talk against the real program, over real sockets. tests/talk/README.md describes the format."""
import concurrent.futures
import re
import time

import pytest

from carillon_process import ROOT
from talking import BINARY, CLOSE, TEXT, RawWebSocket, SseReader, close_code

TALKS = ROOT / "tests/talk"
VERBS = ("open", "listen", "ask", "answers", "closes", "closed")
KINDS = {"uuid": "[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}", "clientid": "[0-9a-f]{40}",
         "epoch": "[0-9a-f]{1,16}", "seconds": "[0-9]{10}", "number": "[0-9]{1,20}", "cursor": "[!-~]+", "more": '[^"]*'}
# What is asked at the end, and answered behind all that was queued: by protocol.
LAST_WORDS = {
    "native": ('{"type":"ping","id":"the end"}', '{"type":"pong","id":"the end"}'),
    "bayeux": ('[{"id":"the end"}]', '[{"id":"the end","successful":false,"error":"400::channel_missing"}]'),
    "routes": ('{"route":"/channels/unsubscribe","payload":7,"id":"the end"}', None),  # Its answer names the user.
    "phoenix": ('{"topic":"phoenix","event":"heartbeat","payload":{},"ref":"the end"}',
                '{"topic":"phoenix","event":"phx_reply","ref":"the end","payload":{"status":"ok","response":{}}}'),
    "phoenix 2": ('[null,"the end","phoenix","heartbeat",{}]',
                  '[null,"the end","phoenix","phx_reply",{"status":"ok","response":{}}]')}
PATIENCE = 10
LONGEST_PASS = 3.0  # Talks that need more time are for the simulated world.


def read_talk(path):
    """The configuration, and the lines as (number, client, verb or sign, text)."""
    config, lines = [], []
    for number, line in enumerate(path.read_text().split("\n"), 1):
        if not line.strip() or line.startswith("#"):
            continue
        if line.startswith("| "):
            config.append(line[2:])
        elif line.startswith("@ "):
            lines.append((number, "", "@", line[2:]))
        elif found := re.fullmatch(r"(\w*)(>>|>|<<|<)(?: (.*))?", line):
            lines.append((number, found[1], found[2], found[3] or ""))
        else:
            client, rest = ("", line) if line.split(" ")[0] in VERBS else line.split(" ", 1)
            verb, _, text = rest.partition(" ")
            assert verb in VERBS, f"{path}:{number}: what is {line!r}?"
            lines.append((number, client, verb, text.strip()))
    return "\n".join(config), lines


class Words:
    """What the talk has captured."""

    def __init__(self):
        self.captured = {}

    def fill(self, text):
        return re.sub(r"\$(\w+)", lambda found: self.captured.get(found[1], found[0]), text)

    def match(self, pattern, text):
        names, expression = [], ""
        for part in re.split(r"(\$\w+(?:=\w+)?)", pattern):
            if not part.startswith("$"):
                expression += re.escape(part)
                continue
            word, _, name = part[1:].partition("=")
            kind = re.escape(self.captured[word]) if word in self.captured else KINDS[word]
            expression += f"({kind})"
            names.append(name)
        found = re.fullmatch(expression, text)
        if found:
            self.captured.update({name: value for name, value in zip(names, found.groups()) if name})
        return bool(found)


class Speaker:
    """One client of a talk: a WebSocket, an event stream, or requests."""

    def __init__(self, server):
        self.server = server
        self.socket = self.stream = self.answer = None
        self.asking = concurrent.futures.ThreadPoolExecutor(1)

    def open(self, text):
        target, *fields = text.split(" | ")
        self.close()
        socket = RawWebSocket(self.server, path=target, headers=fields, timeout=PATIENCE)
        if socket.status == 101:
            self.socket = socket
            self.last_words = LAST_WORDS[protocol_at(target)]
        else:
            self.answer = (socket.status, socket.read(int(socket.headers.get("content-length", 0))).decode())
            socket.close()

    def listen(self, text):
        target, *fields = text.split(" | ")
        headers = dict(field.split(": ", 1) for field in fields)
        self.close()
        stream = SseReader(self.server, path=target, last_event_id=headers.pop("Last-Event-ID", None), timeout=PATIENCE)
        assert not headers, "an event stream's client here sends only Last-Event-ID"
        if stream.status == 200:
            self.stream, self.lines = stream, stream.lines()
        else:
            self.answer = (stream.status, stream.answer.read().decode())
            stream.close()

    def ask(self, text):
        method, target, body = (text + "  ").split(" ", 2)
        body = body.strip()
        headers = {"Content-Type": "application/json"} if body else None
        self.answer = self.asking.submit(self.server.call, method, target, body or None, headers, PATIENCE)

    def answered(self):
        """Status and text, when they have come."""
        if isinstance(self.answer, concurrent.futures.Future):
            answer = self.answer.result()
            self.answer = (answer.status, answer.text)
        return self.answer

    def send(self, message):
        if self.socket is None:
            self.open("/ws")
        self.socket.frame(BINARY if isinstance(message, bytes) else TEXT, message)

    def hear(self):
        if self.stream:
            return next(self.lines)
        message = self.socket.read_message()
        assert message is not None and message[0] in (TEXT, BINARY), message
        return message[1].decode() if message[0] == TEXT else "binary " + message[1].hex()

    def closed(self):
        """The close code; for an event stream nothing, once it has ended."""
        if self.stream:
            assert next(self.lines, None) is None
            return None
        message = self.socket.read_message()
        assert message is not None and message[0] == CLOSE, message
        self.socket.close()
        self.socket = None
        return close_code(message[1])

    def close(self):
        if self.socket:
            self.socket.shake_close()
        if self.stream:
            self.stream.close()
        self.socket = self.stream = None

    def end(self):
        self.close()
        self.asking.shutdown()

    def unheard(self):
        """What is left, if anything. Whatever was queued comes before the pong; a stream's silence cannot be proved here."""
        if self.socket is None:
            return None
        question, answer = self.last_words
        self.send(question)
        heard = self.hear()
        if answer is None:
            return None if heard.endswith(',"id":"the end"}') else heard
        return None if heard == answer else heard


class Player:
    def __init__(self, server):
        self.server, self.words, self.speakers = server, Words(), {}

    def play(self, name, sign, text):
        speaker = self.speakers.setdefault(name, Speaker(self.server))
        if sign == "@":
            time.sleep(seconds_of(text))
        elif sign == ">":
            speaker.send(self.words.fill(text))
        elif sign == ">>":
            speaker.send(bytes.fromhex(text))
        elif sign == "<":
            self.compare(text, speaker.hear())
        elif sign == "<<":
            self.compare("binary " + text, speaker.hear())
        elif sign == "answers":
            status, body = speaker.answered()
            self.compare(text, f"{status} {body}" if " " in text else str(status))
        elif sign == "closes":
            speaker.close()
        elif sign == "closed":
            code = speaker.closed()
            assert not text or int(text) == code
        else:
            getattr(speaker, sign)(self.words.fill(text))

    def compare(self, pattern, heard):
        assert self.words.match(pattern, heard), f"\n  expected {self.words.fill(pattern)}\n  heard    {heard}"

    def end(self):
        left = {name: heard for name, speaker in self.speakers.items() if (heard := speaker.unheard())}
        for speaker in self.speakers.values():
            speaker.end()
        assert not left


def protocol_at(target):
    if "/socket/" in target:
        return "phoenix 2" if "vsn=2" in target else "phoenix"
    if target.startswith("/api/v1/ws"):
        return "routes"
    return "bayeux" if target.startswith("/cometd") else "native"


def seconds_of(text):
    count, unit = re.fullmatch(r"(\d+)(ms|s)", text).groups()
    return int(count) / (1000 if unit == "ms" else 1)


@pytest.mark.parametrize("name", sorted(str(path.relative_to(TALKS)) for path in TALKS.rglob("*.talk")))
def test_talk(start, tmp_path, name):
    config, lines = read_talk(TALKS / name)
    if sum(seconds_of(text) for _, _, sign, text in lines if sign == "@") > LONGEST_PASS:
        pytest.skip("takes too long outside the simulated world")
    file = tmp_path / "carillon.toml"
    file.write_text(config + "\n")
    player = Player(start("--config", str(file)))
    for number, client, sign, text in lines:
        try:
            player.play(client, sign, text)
        except (AssertionError, TimeoutError, StopIteration) as fault:
            raise AssertionError(f"tests/talk/{name}:{number}: {str(fault) or repr(fault)}") from fault
    player.end()
