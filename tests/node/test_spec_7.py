"""Spec 7 names the numbers that the code has."""

import re
from pathlib import Path

import pytest

from node.connection import MOST_UNSENT_BYTES
from node.transport.websocket import HANDSHAKE_BYTES, MOST_BYTES_WITHOUT_MESSAGE, PATH
from protocol import SUBPROTOCOL, limits
from protocol.crypto.noise import HYBRID_NAME, PROLOGUE
from protocol.link import offers
from protocol.timing import Timing

TEXT = (Path(__file__).parents[2] / "specs" / "7-links.md").read_text("utf-8")


@pytest.mark.parametrize(
    "number",
    [
        limits.MAX_COMMANDS_PER_FRAME, limits.MAX_UNHANDLED_FRAMES, limits.MAX_QUEUED_COMMAND_BYTES, MOST_UNSENT_BYTES,
        limits.MAX_UNANSWERED_DEPOSITS, limits.MAX_CONNECTIONS, limits.MAX_CONNECTIONS_PER_ADDRESS, HANDSHAKE_BYTES,
        MOST_BYTES_WITHOUT_MESSAGE, offers.OFFER_BYTES, offers.CHOICE_BYTES, limits.MAX_FRAME_BYTES,
        int(Timing().keep_alive_seconds), int(Timing().handshake_seconds), int(Timing().write_seconds),
    ],
)  # fmt: skip
def test_every_limit_of_a_link_is_in_its_spec(number: int) -> None:
    assert re.search(rf"(?<![\d,]){number:,}(?![\d,]\d)", TEXT)


@pytest.mark.parametrize("name", [HYBRID_NAME.decode(), PROLOGUE.decode(), SUBPROTOCOL, PATH])
def test_every_name_of_a_link_is_in_its_spec(name: str) -> None:
    assert f"`{name}`" in TEXT
