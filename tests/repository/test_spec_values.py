"""Numbers and labels stand in the specs as they stand in the code."""

import re
from typing import get_args

import pytest
from msgspec import Struct
from msgspec.inspect import StructType, type_info
from msgspec.structs import fields

from protocol import limits
from protocol.crypto import labels
from protocol.envelope.items import Item
from protocol.wire.commands import OnWireToNode, OnWireToRelay
from tests.repository.tree import ROOT


def spec(number: int) -> str:
    (path,) = (ROOT / "specs").glob(f"{number}-*.md")
    return path.read_text("utf-8")


def kind(shape: type[Struct]) -> object:
    info = type_info(shape)
    assert isinstance(info, StructType)
    return info.tag


def test_every_label_is_in_the_table_of_spec_3() -> None:
    table = spec(3).partition("## §2")[2].partition("## §3")[0]
    assert [
        label
        for label in vars(labels).values()
        if isinstance(label, bytes) and f"`{label.decode().removeprefix('kassiber 1 ')}`" not in table
    ] == []


@pytest.mark.parametrize("shape", [*get_args(OnWireToRelay), *get_args(OnWireToNode)])
def test_every_command_is_in_the_table_of_spec_2_with_its_fields(shape: type[Struct]) -> None:
    (row,) = re.findall(rf"^\| {kind(shape)} \| {shape.__name__.lower()} \| (.*) \|$", spec(2), re.MULTILINE)
    cells = re.split(r",\s(?![^(]*\))", row)
    assert len(cells) == len(fields(shape))


@pytest.mark.parametrize("shape", get_args(Item))
def test_every_item_is_in_the_table_of_spec_5(shape: type[Struct]) -> None:
    name = {"NewRoutes": "routes"}.get(shape.__name__, shape.__name__.lower())
    assert re.search(rf"^\| {kind(shape)} \| {name} \|", spec(5), re.MULTILINE)


@pytest.mark.parametrize(
    ("number", "names"),
    [
        (2, ["SEALED_INVITATION_BYTES", "ENVELOPE_BYTES", "MAX_COMMANDS_PER_FRAME", "MAX_FRAME_BYTES"]),
        (3, ["INVITATION_PADDED_BYTES", "SEALED_INVITATION_BYTES", "INVITATION_DAYS", "MAX_ROUTES"]),
        (4, ["BODY_BYTES", "SEALED_HEADER_BYTES", "PAYLOAD_BYTES", "FIRST_PAYLOAD_BYTES", "MAX_JUMP"]),
        (4, ["MAX_SKIPPED_PER_CONTACT", "MAX_SKIPPED_PER_PROFILE", "MAX_OLD_HEADER_KEYS", "SKIPPED_KEY_DAYS"]),
        (5, ["ENVELOPE_BYTES", "BODY_BYTES", "CHUNK_BYTES", "MAX_FRAGMENTS", "MAX_CONTENT_BYTES", "MAX_TEXT_BYTES"]),
        (8, ["RETENTION_DAYS", "QUEUE_QUOTA_ENVELOPES", "MAX_MARKERS_PER_QUEUE", "DELIVERY_WINDOW"]),
        (8, ["MAX_UNACKNOWLEDGED_PER_CONNECTION", "MAX_QUEUES_PER_CONNECTION", "MAX_CREATES_PER_CONNECTION"]),
        (8, ["MAX_PROVEN_PER_CONNECTION", "MAX_INVITATION_DAYS", "MAX_EXPIRED_PER_STEP"]),
        (9, ["DISCOVERY_TAGS", "DISCOVERY_TAG_BYTES", "DISCOVERY_EPOCH_SECONDS", "DISCOVERY_TTL_SECONDS"]),
        (9, ["MAX_SIGHTINGS", "MAX_NEW_SIGHTINGS_PER_SECOND", "MAX_VISIBLE_INVITATION_BYTES", "MAX_LAN_SESSIONS"]),
        (9, ["MAX_VISIBLE_PEOPLE", "MAX_VISIBLE_CALLERS", "MAX_NAME_BYTES"]),
        (5, ["MAX_PARENTS", "MAX_GAPS", "MAX_RECEIPTS_PER_ITEM", "MAX_NAME_BYTES", "FIRST_PAYLOAD_BYTES"]),
        (11, ["MAX_RELAY_LIST_BYTES", "MAX_LISTED_RELAYS", "MAX_RELAYS_PER_OPERATOR", "MAX_OPERATOR_BYTES"]),
        (11, ["MAX_RELAY_LIST_DAYS", "RELAY_LIST_PART_BYTES"]),
        (12, ["ONION_BYTES", "REPLY_BYTES", "CLAIM_REPLY_BYTES", "ONION_KEY_DAYS", "MAX_DESTINATIONS_PER_SESSION"]),
        (12, ["MAX_NEW_DESTINATIONS_PER_HOUR", "MAX_OPEN_DESTINATIONS"]),
        (12, ["MAX_FORWARDS_PER_SESSION", "MAX_POOLED_FORWARDS"]),
        (13, ["MAX_CARD_BYTES", "MAX_CARD_NAME_BYTES", "MAX_CARD_INVITATIONS", "MAX_LINK_BYTES", "MAX_CARD_DAYS"]),
        (13, ["MAX_CARDS", "MAX_PUBLISHES_PER_SESSION", "MAX_LOOKUPS_PER_SESSION", "LOOKUPS_AT_ONCE"]),
    ],
)  # fmt: skip
def test_every_limit_that_two_programs_share_is_in_its_spec(number: int, names: list[str]) -> None:
    text = spec(number)
    assert [name for name in names if not re.search(rf"(?<![\d,]){getattr(limits, name):,}(?![\d,]\d)", text)] == []
