"""The tap: passes on every byte, and reads from the wire how long messages are and nothing else."""

import os
import random

import trio

from simulations.captures.tap import Messages, Tap

HEAD = b"GET /kassiber HTTP/1.1\r\nHost: relay\r\n\r\n"
PING = b"\x89\x80" + bytes(4)


def message(length: int, mask: bool) -> bytes:
    """A binary message as RFC 6455 §5.2 has it."""
    short = length < 126
    second = (length if short else 126) | (0x80 if mask else 0)
    header = bytes((0x82, second)) + (b"" if short else length.to_bytes(2, "big"))
    return header + (os.urandom(4) if mask else b"") + os.urandom(length)


def test_lengths_are_read_however_the_stream_is_cut() -> None:
    lengths = [4_096, 8_192, 32_768, 100, 4_096]
    stream = HEAD + PING + b"".join(message(length, mask=True) for length in lengths) + b"\x88\x80" + bytes(4)
    chance = random.Random(3)
    for most in (1, 7, 5_000, len(stream)):
        messages, at = Messages(), 0
        found: list[int] = []
        while at < len(stream):
            piece = stream[at : at + chance.randint(1, most)]
            found += messages.feed(piece)
            at += len(piece)
        assert found == lengths
        assert messages.within == sum(lengths)
        assert messages.beside == len(stream) - sum(lengths)


async def test_a_tap_changes_nothing_and_tells_which_way_a_message_went(nursery: trio.Nursery) -> None:
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    seen: list[tuple[int, bool]] = []
    tap = Tap(listener.socket.getsockname()[1], lambda length, toward_relay: seen.append((length, toward_relay)))
    await nursery.start(tap.run)
    node = await trio.open_tcp_stream("127.0.0.1", tap.port)
    relay = await listener.accept()
    there, back = HEAD + message(4_096, mask=True), b"HTTP/1.1 101\r\n\r\n" + message(8_192, mask=False)
    for source, sink, stream in ((node, relay, there), (relay, node, back)):
        await source.send_all(stream)
        came = b""
        while len(came) < len(stream):
            came += await sink.receive_some()
        assert came == stream
    assert seen == [(4_096, True), (8_192, False)]
    await relay.aclose()
    assert await node.receive_some() == b""
