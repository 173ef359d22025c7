"""WebSocket conformance in the manner of the Autobahn test-suite (its groups 1-7, 10, 12, 13), against /echo."""
import os
import random
import struct
import zlib

import pytest

from talking import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, RawWebSocket, build_frame, close_code

VALID_UTF8 = "Hello-\u00b5@\u00df\u00f6\u00e4\u00fc\u00e0\u00e1-UTF-8!! \U0001f514 \uffff \U0010ffff \ud7ff\ue000"


@pytest.fixture(scope="module")
def server():
    from carillon_process import Server
    running = Server("--enable-echo", "--message-max", "32MB")
    yield running
    try:
        running.stop()
    finally:
        running.kill()


@pytest.fixture
def echo(server):
    client = RawWebSocket(server, path="/echo")
    assert client.status == 101
    yield client
    client.close()


def assert_fails(client, *codes):
    """The server ends it: with a Close frame of a fitting code, then the end of the stream."""
    while (frame := client.read_frame()) is not None and frame.opcode != CLOSE:
        pass
    assert frame is not None, "the stream ended without a Close frame"
    assert close_code(frame.payload) in codes
    client.frame(CLOSE, frame.payload)
    assert client.ended()


# 1: framing. 9 and 10 in small: large messages, automatic fragmentation.

@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 128, 65535, 65536, 65537, 1_000_000])
@pytest.mark.parametrize("opcode", [TEXT, BINARY])
@pytest.mark.parametrize("chop", [None, 997])
def test_message_comes_back(echo, opcode, size, chop):
    payload = b"*" * size if opcode == TEXT else os.urandom(size)
    echo.frame(opcode, payload, chop=chop)
    assert echo.read_message() == (opcode, payload)


def test_message_of_16_mb(server):
    client = RawWebSocket(server, path="/echo", timeout=60)
    payload = os.urandom(1 << 20) * 16
    client.frame(BINARY, payload)
    assert client.read_message() == (BINARY, payload)
    client.close()


@pytest.mark.parametrize("piece", [1, 64, 1300])
def test_message_in_many_fragments(echo, piece):
    payload = b"*" * 65536 if piece > 1 else b"*" * 1000
    for start in range(0, len(payload), piece):
        echo.frame(CONTINUATION if start else TEXT, payload[start:start + piece], fin=start + piece >= len(payload))
    assert echo.read_message() == (TEXT, payload)


# 2: pings and pongs.

@pytest.mark.parametrize("payload", [b"", b"Hello, world!", b"\x00\xff\xfe\xfd\xfc\xfb\x00\xff", b"\xfe" * 125])
@pytest.mark.parametrize("chop", [None, 1])
def test_ping(echo, payload, chop):
    echo.frame(PING, payload, chop=chop)
    frame = echo.read_frame()
    assert (frame.opcode, frame.fin, frame.payload) == (PONG, True, payload)


def test_ping_too_long(echo):
    echo.frame(PING, b"\xfe" * 126)
    assert_fails(echo, 1002)


def test_unsolicited_pongs_are_ignored(echo):
    echo.frame(PONG)
    echo.frame(PONG, b"unsolicited")
    echo.frame(PING, b"p")
    assert echo.read_frame().payload == b"p"


def test_ten_pings_get_their_pongs_in_order(echo):
    echo.send(b"".join(build_frame(PING, f"payload-{n}") for n in range(10)), chop=1)
    assert [echo.read_frame().payload for _ in range(10)] == [f"payload-{n}".encode() for n in range(10)]


# 3: reserved bits. 4: opcodes.

@pytest.mark.parametrize("rsv", range(1, 8))
@pytest.mark.parametrize("opcode", [TEXT, BINARY, PING, CLOSE])
def test_reserved_bits_without_extension(echo, rsv, opcode):
    echo.frame(TEXT, "first")
    echo.frame(opcode, b"" if opcode == CLOSE else b"x", rsv=rsv)
    assert echo.read_message() == (TEXT, b"first")
    assert_fails(echo, 1002)


@pytest.mark.parametrize("opcode", [3, 4, 5, 6, 7, 11, 12, 13, 14, 15])
@pytest.mark.parametrize("payload", [b"", b"reserved"])
def test_reserved_opcodes(echo, opcode, payload):
    echo.frame(TEXT, "first")
    echo.frame(opcode, payload)
    assert echo.read_message() == (TEXT, b"first")
    assert_fails(echo, 1002)


# 5: fragmentation.

@pytest.mark.parametrize("opcode", [PING, PONG, CLOSE])
def test_control_frames_may_not_be_fragmented(echo, opcode):
    echo.frame(opcode, b"", fin=False)
    echo.frame(CONTINUATION, b"")
    assert_fails(echo, 1002)


@pytest.mark.parametrize("chop", [None, 1])
def test_ping_between_fragments(echo, chop):
    echo.send(build_frame(TEXT, "frag", fin=False) + build_frame(PING, "ping") + build_frame(CONTINUATION, "ment"), chop=chop)
    frame = echo.read_frame()
    assert (frame.opcode, frame.payload) == (PONG, b"ping")
    assert echo.read_message() == (TEXT, b"fragment")


def test_pings_between_empty_fragments(echo):
    echo.frame(TEXT, b"", fin=False)
    echo.frame(PING, b"1")
    echo.frame(CONTINUATION, b"", fin=False)
    echo.frame(PING, b"2")
    echo.frame(CONTINUATION, b"")
    assert [echo.read_frame().payload for _ in range(2)] == [b"1", b"2"]
    assert echo.read_message() == (TEXT, b"")


@pytest.mark.parametrize("frames", [
    [(CONTINUATION, "x", True)], [(CONTINUATION, "x", False), (TEXT, "y", True)], [(TEXT, "x", False), (TEXT, "y", True)],
    [(TEXT, "x", False), (CONTINUATION, "y", True), (CONTINUATION, "z", False)], [(TEXT, "x", False), (BINARY, "y", False)],
])
@pytest.mark.parametrize("chop", [None, 1])
def test_fragments_out_of_order(echo, frames, chop):
    echo.send(b"".join(build_frame(opcode, payload, fin=fin) for opcode, payload, fin in frames), chop=chop)
    assert_fails(echo, 1002)


# 6: UTF-8.

@pytest.mark.parametrize("piece", [None, 1, 2, 3, 5])
@pytest.mark.parametrize("chop", [None, 1])
def test_valid_utf8_however_it_is_cut(echo, piece, chop):
    payload = VALID_UTF8.encode()
    piece = piece or len(payload)
    for start in range(0, len(payload), piece):
        echo.frame(CONTINUATION if start else TEXT, payload[start:start + piece], fin=start + piece >= len(payload), chop=chop)
    assert echo.read_message() == (TEXT, payload)


INVALID_UTF8 = [b"\xff", b"\xfe", b"\x80", b"\xbf", b"\xc0\x80", b"\xc1\xbf", b"\xe0\x80\x80", b"\xe0\x9f\xbf", b"\xf0\x80\x80\x80",
                b"\xf0\x8f\xbf\xbf", b"\xed\xa0\x80", b"\xed\xbf\xbf", b"\xed\xa0\xbd\xed\xb8\x80", b"\xf4\x90\x80\x80",
                b"\xf8\x88\x80\x80\x80", b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80edited", b"\xe2\x82", b"\xf0\x9f\x94",
                b"ok\xc2", b"\xc2a", b"\xe2\x28\xa1", b"\xf0\x28\x8c\xbc"]


@pytest.mark.parametrize("payload", INVALID_UTF8)
@pytest.mark.parametrize("piece", [None, 1])
def test_invalid_utf8(echo, payload, piece):
    piece = piece or len(payload)
    echo.send(b"".join(build_frame(CONTINUATION if start else TEXT, payload[start:start + piece], fin=start + piece >= len(payload))
                       for start in range(0, len(payload), piece)))
    assert_fails(echo, 1007)


def test_invalid_utf8_fails_before_the_message_ends(echo):
    echo.frame(TEXT, b"\xce\xba\xe1\xbd\xb9\xcf\x83", fin=False)
    echo.frame(CONTINUATION, b"\xf4\x90\x80\x80", fin=False)
    assert_fails(echo, 1007)


def test_binary_may_be_anything(echo):
    for payload in INVALID_UTF8:
        echo.frame(BINARY, payload)
        assert echo.read_message() == (BINARY, payload)


# 7: closing.

@pytest.mark.parametrize("code", [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999])
def test_close_is_answered_with_its_code(echo, code):
    echo.frame(CLOSE, struct.pack("!H", code) + b"reason")
    assert echo.read_close() == code
    assert echo.ended()


@pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535])
def test_close_with_a_code_that_may_not_be_sent(echo, code):
    echo.frame(CLOSE, struct.pack("!H", code))
    assert echo.read_close() == 1002
    assert echo.ended()


def test_close_without_code(echo):
    echo.frame(CLOSE)
    assert echo.read_close() in (None, 1000)
    assert echo.ended()


def test_close_with_half_a_code(echo):
    echo.frame(CLOSE, b"\x03")
    assert echo.read_close() == 1002


def test_close_with_longest_reason(echo):
    echo.frame(CLOSE, struct.pack("!H", 1000) + b"*" * 123)
    assert echo.read_close() == 1000


def test_close_with_too_long_reason(echo):
    echo.frame(CLOSE, struct.pack("!H", 1000) + b"*" * 124)
    assert echo.read_close() == 1002


def test_close_with_reason_that_is_no_utf8(echo):
    echo.frame(CLOSE, struct.pack("!H", 1000) + b"\xce\xba\xed\xa0\x80")
    assert echo.read_close() == 1007


def test_nothing_is_heard_after_close(echo):
    echo.send(build_frame(CLOSE, struct.pack("!H", 1000)) + build_frame(PING, "late") + build_frame(TEXT, "later"))
    assert echo.read_close() == 1000
    assert echo.ended()


def test_messages_before_close_come_back_first(echo):
    echo.send(build_frame(TEXT, "a") + build_frame(TEXT, "b") + build_frame(CLOSE, struct.pack("!H", 1000)))
    assert [echo.read_message() for _ in range(2)] == [(TEXT, b"a"), (TEXT, b"b")]
    assert echo.read_close() == 1000


def test_close_between_fragments(echo):
    echo.send(build_frame(TEXT, "half", fin=False) + build_frame(CLOSE, struct.pack("!H", 1000)) + build_frame(CONTINUATION, "other half"))
    assert echo.read_close() == 1000
    assert echo.ended()


def test_length_with_its_top_bit_set(echo):
    echo.send(b"\x82\xff" + struct.pack("!Q", 1 << 63) + b"mask")
    assert_fails(echo, 1002, 1009)


# 12, 13: permessage-deflate with various parameters.

OFFERS = ["permessage-deflate", "permessage-deflate; client_no_context_takeover", "permessage-deflate; server_no_context_takeover",
          "permessage-deflate; client_max_window_bits", "permessage-deflate; client_max_window_bits=9",
          "permessage-deflate; server_max_window_bits=9", "permessage-deflate; server_max_window_bits=15; client_max_window_bits=15",
          "permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=12; client_max_window_bits=12",
          "x-unknown, permessage-deflate", "permessage-deflate; server_max_window_bits=9, permessage-deflate"]


class Deflating:
    """The client's half of the extension as it was agreed on."""

    def __init__(self, server, offer):
        self.client = RawWebSocket(server, path="/echo", headers=["Sec-WebSocket-Extensions: " + offer])
        agreed = [part.strip() for part in self.client.extension.split(";")]
        self.agreed = dict((part.split("=") + [None])[:2] for part in agreed)
        self.fresh()

    def fresh(self):
        bits = int(self.agreed.get("client_max_window_bits") or 15)
        self.packer = zlib.compressobj(6, zlib.DEFLATED, -bits)

    def send(self, opcode, payload, piece=None, chop=None):
        packed = (self.packer.compress(payload) + self.packer.flush(zlib.Z_SYNC_FLUSH))[:-4]
        if "client_no_context_takeover" in self.agreed:
            self.fresh()
        piece = piece or len(packed) or 1
        for start in range(0, len(packed) or 1, piece):
            self.client.frame(CONTINUATION if start else opcode, packed[start:start + piece], fin=start + piece >= len(packed),
                              rsv=0 if start else 4, chop=chop)


@pytest.mark.parametrize("offer", OFFERS)
def test_deflated_messages_come_back(server, offer):
    talk = Deflating(server, offer)
    if "permessage-deflate" not in talk.agreed:
        # A server may decline a window it cannot keep, if nothing else was offered.
        assert "server_max_window_bits" in offer and talk.client.extension == ""
        talk.client.frame(TEXT, "plain")
        assert talk.client.read_message() == (TEXT, b"plain")
        return
    if "server_max_window_bits=9," not in offer and "server_max_window_bits" in offer:
        asked = int(offer.split("server_max_window_bits=")[1].split(";")[0])
        assert int(talk.agreed["server_max_window_bits"]) <= asked
    if "server_no_context_takeover" in offer:
        assert "server_no_context_takeover" in talk.agreed
    if "client_max_window_bits" not in offer:
        assert "client_max_window_bits" not in talk.agreed  # RFC 7692, 7.1.2.2: only when offered.
    rng = random.Random(7)
    for size in (0, 1, 16, 64, 256, 1024, 4096, 32768, 131072):
        for payload in (b"*" * size, bytes(rng.choices(b'{"key": 1234567890, abcdef}', k=size))):
            talk.send(TEXT, payload)
            assert talk.client.read_message() == (TEXT, payload)
    talk.send(BINARY, rng.randbytes(100_000))
    assert talk.client.read_message()[0] == BINARY
    talk.client.close()


@pytest.mark.parametrize("piece,chop", [(1, None), (7, None), (256, 3), (None, 1)])
def test_deflated_fragments(server, piece, chop):
    talk = Deflating(server, "permessage-deflate")
    payload = (VALID_UTF8 * 50).encode()
    for _ in range(3):
        talk.send(TEXT, payload, piece=piece, chop=chop)
        assert talk.client.read_message() == (TEXT, payload)
    talk.client.close()


def test_plain_message_on_a_deflating_connection(server):
    talk = Deflating(server, "permessage-deflate")
    talk.client.frame(TEXT, "plain")
    assert talk.client.read_message() == (TEXT, b"plain")
    talk.client.close()


def test_hundred_deflated_messages_share_their_context(server):
    talk = Deflating(server, "permessage-deflate")
    for number in range(100):
        payload = (f"message {number} " * 30).encode()
        talk.send(TEXT, payload)
        assert talk.client.read_message() == (TEXT, payload)
    talk.client.close()


def deflate_fails(server, frames, *codes):
    talk = Deflating(server, "permessage-deflate")
    talk.client.send(frames)
    assert_fails(talk.client, *codes)


def test_broken_deflate_data(server):
    deflate_fails(server, build_frame(TEXT, b"\xff\xff\xff\xff", rsv=4), 1002, 1003, 1007)


def test_inflated_text_must_be_utf8(server):
    packer = zlib.compressobj(6, zlib.DEFLATED, -15)
    packed = (packer.compress(b"\xff" * 10) + packer.flush(zlib.Z_SYNC_FLUSH))[:-4]
    deflate_fails(server, build_frame(TEXT, packed, rsv=4), 1007)


def test_compressed_bit_belongs_on_the_first_fragment_only(server):
    deflate_fails(server, build_frame(TEXT, b"x", fin=False) + build_frame(CONTINUATION, b"y", rsv=4), 1002)


def test_control_frames_are_never_compressed(server):
    deflate_fails(server, build_frame(PING, b"x", rsv=4), 1002)


@pytest.mark.parametrize("offer", [
    "permessage-deflate; server_max_window_bits=7", "permessage-deflate; server_max_window_bits=16", "permessage-deflate; unknown_parameter",
    "permessage-deflate; server_max_window_bits", "permessage-deflate; client_max_window_bits=99",
    "permessage-deflate; server_no_context_takeover=1", "permessage-deflate; client_no_context_takeover; client_no_context_takeover",
])
def test_wrong_offer_is_declined(server, offer):
    client = RawWebSocket(server, path="/echo", headers=["Sec-WebSocket-Extensions: " + offer])
    assert client.status == 101 and client.extension == ""
    client.frame(TEXT, "plain")
    assert client.read_message() == (TEXT, b"plain")
    client.close()


def test_compression_off_by_configuration():
    from carillon_process import Server
    plain = Server("--enable-echo", env={"CARILLON_WEBSOCKET_COMPRESSION": "false"})
    try:
        assert RawWebSocket(plain, path="/echo", headers=["Sec-WebSocket-Extensions: permessage-deflate"]).extension == ""
        plain.stop()
    finally:
        plain.kill()


# The door itself.

def test_echo_is_closed_unless_asked_for(start):
    assert start().get("/echo").status == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_http_bodies_come_back(server, method):
    answer = server.call(method, "/echo", "the body\n" * 1000)
    assert answer.status == 200 and answer.text == "the body\n" * 1000


def test_bytes_sent_together_with_the_handshake_are_not_lost(server):
    from talking import Wire
    with Wire(server) as wire:
        wire.send(b"GET /echo HTTP/1.1\r\nHost: x\r\nUpgrade: WebSocket\r\nConnection: keep-alive, Upgrade\r\n"
                  b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n" + build_frame(TEXT, "early"))
        head = wire.read_past(b"\r\n\r\n").lower()
        assert b" 101 " in head and b"s3pplmbitxaq9kygzzhzrbk+xoo=" in head  # The example of RFC 6455, 1.3.
        assert wire.read(7) == b"\x81\x05early"
