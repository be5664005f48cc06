"""What is fuzzed: every function that takes bytes or text from elsewhere. A new one is one line in `TARGETS`.

A target may return or raise PeerError or CallerError; whatever else comes out is a finding. `seeds` are inputs that it
accepts: from these, mutation reaches the depths that no random byte does.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from protocol.errors import CallerError, PeerError
from protocol.wire.codec import Decoder, encode
from protocol.wire.commands import OnWireToNode, ToRelay
from protocol.wire.frames import MAX_COMMAND_BYTES, decode_frame, encode_frame
from tests.fuzz.samples import TO_NODE, TO_RELAY

_to_relay: Decoder[list[ToRelay]] = Decoder(list[ToRelay])
_to_node: Decoder[list[OnWireToNode]] = Decoder(list[OnWireToNode])


class Target(NamedTuple):
    """Runs one input; `longest` is the length in bytes up to which inputs are made."""

    run: Callable[[bytes], object]
    seeds: Sequence[bytes]
    longest: int = 4_096


def attempt(target: Target, data: bytes) -> bool:
    """Whether the target accepted `data`; raises what is a finding."""
    try:
        target.run(data)
    except (PeerError, CallerError):
        return False
    return True


def _reencodes(decoder: Decoder[list[ToRelay]] | Decoder[list[OnWireToNode]], data: bytes) -> None:
    assert encode(decoder.decode(data)) == data, "two encodings of one value"


TARGETS = {
    "commands-to-relay": Target(lambda data: _reencodes(_to_relay, data), [encode([command]) for command in TO_RELAY]),
    "commands-to-node": Target(lambda data: _reencodes(_to_node, data), [encode([command]) for command in TO_NODE]),
    "frame": Target(lambda data: decode_frame(data, _to_relay), [encode_frame(TO_RELAY[:4])], MAX_COMMAND_BYTES + 2),
}
