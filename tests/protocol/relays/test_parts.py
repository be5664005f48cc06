"""A relay's list comes in parts, and a relay that lies about them is found out before it costs anything."""

import pytest

from protocol.errors import CallerError, Code, PeerError
from protocol.keys import Request
from protocol.limits import MAX_RELAY_LIST_BYTES, RELAY_LIST_PART_BYTES
from protocol.relays.parts import Inquiry, cut_part
from protocol.wire.commands import Described, Done, Info, Refused


def answer(encoded: bytes, question: Info) -> Described:
    return Described(question.request, *cut_part(encoded, question.part))


@pytest.mark.parametrize("length", [1, RELAY_LIST_PART_BYTES, RELAY_LIST_PART_BYTES + 1, MAX_RELAY_LIST_BYTES])
def test_what_is_asked_for_part_by_part_is_the_whole(length: int) -> None:
    encoded = (bytes(range(251)) * 300)[:length]
    inquiry = Inquiry()
    while (question := inquiry.question) is not None:
        inquiry.take(answer(encoded, question))
    assert inquiry.encoded == encoded


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (Described(Request(0), 18, bytes(RELAY_LIST_PART_BYTES)), Code.TOO_LARGE),
        (Described(Request(0), 65_535, bytes(RELAY_LIST_PART_BYTES)), Code.TOO_LARGE),
        (Described(Request(0), 2, bytes(RELAY_LIST_PART_BYTES - 1)), Code.MALFORMED),
        (Described(Request(1), 1, b"list"), Code.MALFORMED),
        (Done(Request(0)), Code.MALFORMED),
        (Refused(Request(0), Code.UNAVAILABLE), Code.UNAVAILABLE),
    ],
)
def test_an_answer_that_fits_no_list_is_refused(reply: object, code: Code) -> None:
    with pytest.raises(PeerError) as raised:
        Inquiry().take(reply)
    assert raised.value.code is code


def test_the_number_of_parts_does_not_change_on_the_way() -> None:
    inquiry = Inquiry()
    inquiry.take(Described(Request(0), 3, bytes(RELAY_LIST_PART_BYTES)))
    with pytest.raises(PeerError, match="do not fit together"):
        inquiry.take(Described(Request(1), 2, b"the end"))


def test_a_relay_without_a_list_says_so() -> None:
    with pytest.raises(CallerError, match="offers no list"):
        Inquiry().take(Described(Request(0), 0, b""))
