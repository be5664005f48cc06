"""Commands as typed values: what the vectors do not show (Spec 2 §3, §6)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.errors import Code, PeerError
from protocol.keys import Request
from protocol.wire.codec import Decoder, encode
from protocol.wire.commands import OnWireToNode, OnWireToRelay, Refused

TO_RELAY: Decoder[list[OnWireToRelay]] = Decoder(list[OnWireToRelay])
TO_NODE: Decoder[list[OnWireToNode]] = Decoder(list[OnWireToNode])

REASONS = [
    Code.REFUSED, Code.FULL, Code.TOO_LARGE, Code.STAMP, Code.DRAINING, Code.UNAVAILABLE, Code.VERSION
]  # fmt: skip


@pytest.mark.parametrize("code", REASONS)
def test_a_refusal_says_why(code: Code) -> None:
    refused = Refused(Request(7), code)
    assert TO_NODE.decode(encode([refused])) == [refused]
    assert encode([refused]) == bytes((0x91, 0x93, 36, 7, code))


@pytest.mark.parametrize("number", [0, 8, 15, 26, 34, 127])
def test_a_refusal_for_no_known_reason_is_malformed(number: int) -> None:
    with pytest.raises(PeerError) as caught:
        TO_NODE.decode(bytes((0x91, 0x93, 36, 7, number)))
    assert caught.value.code is Code.MALFORMED


@given(st.binary(max_size=200))
@pytest.mark.parametrize("decoder", [TO_RELAY, TO_NODE])
def test_nothing_but_the_two_codes_comes_out_of_a_decoder(decoder: Decoder[list[object]], data: bytes) -> None:
    for junk in (data, b"\x91" + data, b"\x91\x93\x03" + data):
        code: Code | None = None
        try:
            assert encode(decoder.decode(junk)) == junk
        except PeerError as error:
            code = error.code
        assert code in {None, Code.MALFORMED, Code.NON_CANONICAL}
