"""Commands and frames."""

from collections.abc import Mapping
from typing import Any

import msgspec

from protocol.wire import commands
from protocol.wire.codec import Decoder, encode
from protocol.wire.frames import capacity, decode_frame, encode_frame
from tests.vectors.runners.given import Given, Result
from tests.vectors.scenario import from_hex, to_hex

DECODERS: dict[str, Decoder[list[Any]]] = {
    "relay": Decoder(list[commands.OnWireToRelay]),
    "node": Decoder(list[commands.OnWireToNode]),
}


def plain(value: Any) -> Any:
    """A struct as a vector writes it: names, integers, hexadecimal."""
    if isinstance(value, msgspec.Struct):
        return {name: plain(getattr(value, name)) for name in value.__struct_fields__}
    if isinstance(value, bytes):
        return to_hex(value)
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    return value


def _bytes(values: Mapping[str, Any]) -> dict[str, Any]:
    """Hosts and names are the only texts in commands; all else that is written as one is bytes."""
    return {
        name: from_hex(value) if isinstance(value, str) and name not in {"host", "name"} else value
        for name, value in values.items()
    }


def command(given: Given) -> Result:
    """Decodes to the fields, and encodes again."""
    shape = getattr(commands, given.text("name").capitalize())
    fields = {}
    for field in msgspec.structs.fields(shape):
        value = _bytes(given.values["fields"])[field.name]
        if isinstance(value, dict):
            value = (commands.Link if "link_id" in value else commands.Descriptor)(**_bytes(value))
        fields[field.name] = value
    encoded = encode(shape(**fields))
    decoded = DECODERS[given.text("to")].decode(b"\x91" + encoded)[0]
    assert type(decoded) is shape
    assert plain(decoded) == given.values["fields"]
    return {"encoded": encoded}


def frame(given: Given) -> Result:
    """Commands to a frame and back."""
    decoder = DECODERS[given.text("to")]
    encoded = given.raws("commands")
    values = [decoder.decode(b"\x91" + one)[0] for one in encoded]
    plaintext = encode_frame(values)
    assert decode_frame(plaintext, decoder) == values
    slots = next(slots for slots in (1, 2, 4, 8) if capacity(slots) + 2 == len(plaintext))
    return {"slots": slots, "plaintext": plaintext}


def frame_read(given: Given) -> Result:
    """The commands of a frame."""
    return {"commands": plain(decode_frame(given.raw("plaintext"), DECODERS[given.text("to")]))}


RUNNERS = {"command": command, "frame": frame, "frame_read": frame_read}
