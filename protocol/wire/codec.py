"""Strict canonical msgpack: exact shapes, one encoding for each value (Spec 2 §2).

msgspec decodes into types and refuses what does not fit; what does not re-encode to the same bytes (non-minimal
lengths, duplicate keys) is refused before anybody looks at it. The wire has no maps, floats or extension types.
"""

from typing import Generic, TypeVar

import msgspec

from protocol.errors import Code, PeerError

T = TypeVar("T")

_encoder = msgspec.msgpack.Encoder()
encode = _encoder.encode


class Decoder(Generic[T]):
    """Decodes one shape; made once, used for every value of that shape."""

    def __init__(self, shape: type[T] | object) -> None:
        self._decoder: msgspec.msgpack.Decoder[T] = msgspec.msgpack.Decoder(shape)

    def decode(self, data: bytes | memoryview) -> T:
        """The value of `data`. Raises PeerError: MALFORMED (not this shape), NON_CANONICAL (another encoding of it)."""
        try:
            value = self._decoder.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise PeerError(Code.MALFORMED, str(error)) from None
        if _encoder.encode(value) != bytes(data):  # a memoryview would be compared element by element
            raise PeerError(Code.NON_CANONICAL)
        return value
