"""CBOR as small as the tests need it: what infotainer's clients write, and everything the server may answer (RFC 8949)."""
import json
import struct


def head(major, value):
    for bits, info, form in ((8, 24, "!B"), (16, 25, "!H"), (32, 26, "!I"), (64, 27, "!Q")):
        if value < 24:
            return bytes([major << 5 | value])
        if value < 1 << bits:
            return bytes([major << 5 | info]) + struct.pack(form, value)
    raise ValueError(value)


def encode(value):
    if value is None or isinstance(value, bool):
        return {None: b"\xf6", False: b"\xf4", True: b"\xf5"}[value]
    if isinstance(value, int):
        return head(0, value) if value >= 0 else head(1, -1 - value)
    if isinstance(value, float):
        return b"\xfb" + struct.pack("!d", value)
    if isinstance(value, bytes):
        return head(2, len(value)) + value
    if isinstance(value, str):
        return head(3, len(value.encode())) + value.encode()
    if isinstance(value, (list, tuple)):
        return head(4, len(value)) + b"".join(map(encode, value))
    return head(5, len(value)) + b"".join(encode(k) + encode(v) for k, v in value.items())


def decode(data):
    value, at = decode_at(data, 0)
    assert at == len(data), f"{len(data) - at} bytes too many"
    return value


def decode_at(data, at):
    major, info = data[at] >> 5, data[at] & 31
    at += 1
    if major == 7 and info >= 25:
        size, form = {25: (2, "!e"), 26: (4, "!f"), 27: (8, "!d")}[info]
        return struct.unpack(form, data[at:at + size])[0], at + size
    if info < 24:
        value = info
    else:
        assert info < 28, "the server writes definite lengths only"
        size = 1 << info - 24
        value, at = int.from_bytes(data[at:at + size], "big"), at + size
    if major in (2, 3):
        piece = data[at:at + value]
        assert len(piece) == value
        return (piece if major == 2 else piece.decode()), at + value
    if major == 4:
        items = []
        for _ in range(value):
            item, at = decode_at(data, at)
            items.append(item)
        return items, at
    if major == 5:
        pairs = {}
        for _ in range(value):
            key, at = decode_at(data, at)
            pairs[key], at = decode_at(data, at)
        return pairs, at
    return {0: lambda: value, 1: lambda: -1 - value, 7: lambda: {20: False, 21: True, 22: None, 23: None}[value]}[major](), at


def notation(value):
    """The value in diagnostic notation (RFC 8949, section 8)."""
    if isinstance(value, bytes):
        return f"h'{value.hex()}'"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, list):
        return "[" + ", ".join(map(notation, value)) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{notation(k)}: {notation(v)}" for k, v in value.items()) + "}"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value)
