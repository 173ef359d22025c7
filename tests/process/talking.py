"""Verbs to talk with the server: raw HTTP bytes, WebSocket frames by hand, an event-stream reader. Every wait has a deadline."""
import base64
import collections
import hashlib
import http.client
import json
import os
import socket
import struct
import time
import zlib

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
Frame = collections.namedtuple("Frame", "fin rsv opcode payload")
HttpAnswer = collections.namedtuple("HttpAnswer", "status headers body")


class Wire:
    """A TCP connection with a buffer and a deadline on every read."""

    def __init__(self, server, timeout=10, receive_buffer=None):
        self.timeout = timeout
        family = socket.AF_INET6 if ":" in server.host else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_STREAM)
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(timeout)
        self.socket.connect((server.host.strip("[]"), server.port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""

    def send(self, data, chop=None):
        """All of it; with chop, that many bytes at a time, each its own segment."""
        for start in range(0, len(data), chop or len(data) or 1):
            self.socket.sendall(data[start:start + (chop or len(data))])

    def fill(self):
        """Reads more; False at the end of the stream or after a reset."""
        try:
            more = self.socket.recv(65536)
        except ConnectionError:
            return False
        self.buffer += more
        return bool(more)

    def read(self, count):
        """Exactly count bytes, or None when the stream ends before."""
        while len(self.buffer) < count:
            if not self.fill():
                return None
        taken, self.buffer = self.buffer[:count], self.buffer[count:]
        return taken

    def read_past(self, mark):
        while mark not in self.buffer:
            if not self.fill():
                return None
        taken, self.buffer = self.buffer.split(mark, 1)
        return taken + mark

    def read_all(self):
        while self.fill():
            pass
        taken, self.buffer = self.buffer, b""
        return taken

    def ended(self):
        """The peer closed (and sent nothing more)."""
        return not self.buffer and not self.fill()

    def close(self):
        self.socket.close()

    def reset(self):
        """Goes away as a killed process with unread bytes does: RST."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class RawHttp(Wire):
    def ask(self, text, **options):
        self.send(text.encode("latin-1") if isinstance(text, str) else text, **options)
        return self.read_answer()

    def read_answer(self, body_expected=True):
        """One HTTP answer with Content-Length or chunks; None when the connection ended instead."""
        head = self.read_past(b"\r\n\r\n")
        if head is None:
            return None
        first, *lines = head.decode("latin-1").split("\r\n")[:-2]
        headers = {k.lower(): v.strip() for k, v in (line.split(":", 1) for line in lines)}
        status = int(first.split(" ")[1])
        body = b""
        if body_expected and status >= 200 and status not in (204, 304):
            if headers.get("transfer-encoding") == "chunked":
                while (size := int(self.read_past(b"\r\n"), 16)) > 0:
                    body += self.read(size)
                    self.read(2)
                self.read(2)
            elif "content-length" in headers:
                body = self.read(int(headers["content-length"]))
        return HttpAnswer(status, headers, body)


def mask_bytes(payload, key):
    if not payload:
        return payload
    stretched = (key * (len(payload) // 4 + 1))[:len(payload)]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(stretched, "big")).to_bytes(len(payload), "big")


def build_frame(opcode, payload=b"", fin=True, rsv=0, mask=True):
    payload = payload.encode() if isinstance(payload, str) else payload
    head = bytes([fin << 7 | rsv << 4 | opcode])
    bit = 0x80 if mask else 0
    if len(payload) < 126:
        head += bytes([bit | len(payload)])
    elif len(payload) < 65536:
        head += struct.pack("!BH", bit | 126, len(payload))
    else:
        head += struct.pack("!BQ", bit | 127, len(payload))
    if not mask:
        return head + payload
    key = os.urandom(4)
    return head + key + mask_bytes(payload, key)


class RawWebSocket(Wire):
    """A WebSocket client that can also do everything a client must not."""

    def __init__(self, server, path="/ws", headers=(), **options):
        super().__init__(server, **options)
        key = base64.b64encode(os.urandom(16)).decode()
        lines = [f"GET {path} HTTP/1.1", f"Host: {server.host}:{server.port}", "Upgrade: websocket", "Connection: Upgrade",
                 f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13", *headers]
        self.send(("\r\n".join(lines) + "\r\n\r\n").encode())
        head = self.read_past(b"\r\n\r\n")
        assert head is not None, "no answer to the handshake"
        self.head = head.decode()
        self.status = int(self.head.split(" ")[1])
        fields = [line.split(":", 1) for line in self.head.split("\r\n")[1:] if line]
        self.headers = {k.lower(): v.strip() for k, v in fields}
        if self.status != 101:
            return
        accept = hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()
        assert self.headers["sec-websocket-accept"] == base64.b64encode(accept).decode()
        self.extension = self.headers.get("sec-websocket-extensions", "")
        self.inflate = zlib.decompressobj(-15)

    def frame(self, opcode, payload=b"", chop=None, **bits):
        self.send(build_frame(opcode, payload, **bits), chop=chop)

    def read_frame(self):
        """The server's next frame; None at the end of the stream. A server's frames are never masked (RFC 6455, 5.1)."""
        head = self.read(2)
        if head is None:
            return None
        assert not head[1] & 0x80, "the server masked a frame"
        size = head[1] & 0x7F
        if size == 126:
            size = struct.unpack("!H", self.read(2))[0]
            assert size > 125, "not the shortest length"
        elif size == 127:
            size = struct.unpack("!Q", self.read(8))[0]
            assert size > 65535, "not the shortest length"
        return Frame(bool(head[0] & 0x80), head[0] >> 4 & 7, head[0] & 15, self.read(size))

    def read_message(self):
        """The next data message as (opcode, bytes), answering pings on the way; a Close frame counts as a message."""
        opcode, parts, deflated = None, b"", False
        while True:
            frame = self.read_frame()
            if frame is None:
                return None
            if frame.opcode == PING:
                self.frame(PONG, frame.payload)
            elif frame.opcode == CLOSE:
                return CLOSE, frame.payload
            elif frame.opcode != PONG:
                if opcode is None:
                    opcode, deflated = frame.opcode, bool(frame.rsv & 4)
                parts += frame.payload
                if frame.fin:
                    break
        if deflated:
            parts = self.inflate.decompress(parts + b"\0\0\xff\xff")
            if "server_no_context_takeover" in self.extension:
                self.inflate = zlib.decompressobj(-15)
        return opcode, parts

    def read_close(self):
        """The code of the Close frame that must come next (None: without code), after which the stream ends."""
        frame = self.read_frame()
        assert frame is not None and frame.opcode == CLOSE, frame
        return close_code(frame.payload)

    def shake_close(self, code=1000):
        self.frame(CLOSE, struct.pack("!H", code))
        while (frame := self.read_frame()) is not None and frame.opcode != CLOSE:
            pass
        self.close()


def close_code(payload):
    return struct.unpack("!H", payload[:2])[0] if payload else None


class Client(RawWebSocket):
    """One client of the native protocol: JSON out, JSON in."""

    def __init__(self, server, query="", **options):
        super().__init__(server, path="/ws" + query, **options)
        assert self.status == 101, self.head
        self.pending = collections.deque()

    def say(self, command):
        self.frame(TEXT, command if isinstance(command, (str, bytes)) else json.dumps(command))

    def hear_text(self):
        message = self.read_message()
        assert message is not None and message[0] == TEXT, message
        return message[1].decode()

    def hear(self):
        return json.loads(self.hear_text())

    def hear_type(self, kind):
        """The next message, which must be of this type."""
        message = self.hear()
        assert message["type"] == kind, message
        return message

    def ask(self, command):
        self.say(command)
        return self.hear()

    def subscribe(self, channel, **more):
        answer = self.ask({"type": "subscribe", "channel": channel, **more})
        assert answer["type"] == "subscribed", answer
        return answer

    def hears_nothing_more(self):
        """Proves silence without sleeping: what was published before on another loop comes before the second pong at the latest."""
        for _ in range(2):
            assert self.ask({"type": "ping"}) == {"type": "pong"}


SseEvent = collections.namedtuple("SseEvent", "event id data")


class SseReader:
    """Reads an event stream as the standard says (WHATWG HTML, 9.2.6)."""

    def __init__(self, server, *channels, last_event_id=None, timeout=10, path="/api/events"):
        from urllib.parse import quote
        query = "&".join("channel=" + quote(channel, safe="") for channel in channels)
        headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": last_event_id} if last_event_id else {})
        self.connection = http.client.HTTPConnection(server.host.strip("[]"), server.port, timeout=timeout)
        self.connection.request("GET", f"{path}?{query}" if query else path, headers=headers)
        self.answer = self.connection.getresponse()
        self.status, self.headers = self.answer.status, self.answer.headers
        self.retry, self.comments, self.last_id = None, [], last_event_id or ""

    def lines(self):
        while True:
            line = self.answer.readline()
            if not line:
                return
            yield line.decode().rstrip("\r\n")

    def next(self):
        """The next dispatched event; None when the stream ended. An id without data is a checkpoint: it only moves last_id."""
        kind, data = "message", []
        for line in self.lines():
            if line == "":
                if data:
                    return SseEvent(kind, self.last_id, "\n".join(data))
                kind = "message"
                continue
            field, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if field == "":
                self.comments.append(value)
            elif field == "data":
                data.append(value)
            elif field == "event":
                kind = value
            elif field == "id":
                self.last_id = value
            elif field == "retry":
                self.retry = int(value)
        return None

    def next_json(self):
        return json.loads(self.next().data)

    def wait_for_line(self, wanted, seconds=10):
        deadline = time.monotonic() + seconds
        for line in self.lines():
            if wanted(line):
                return line
            assert time.monotonic() < deadline
        raise AssertionError("the stream ended")

    def close(self):
        self.answer.close()
        self.connection.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
