"""Receiving: what a node keeps for envelopes that have not come, and where it stops (Spec 4 §5, Spec 6 §5)."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from node.store.mailbox import MailboxStore
from protocol.crypto.suite import RealSuite
from protocol.delivery import inbox, outbox
from protocol.delivery.inbox import Fate
from protocol.envelope.envelope import Envelope
from protocol.envelope.items import pad_items
from protocol.errors import Code, PeerError
from protocol.events import Now
from protocol.keys import SendId, Signature
from protocol.limits import MAX_SKIPPED_PER_CONTACT, MAX_SKIPPED_PER_PROFILE, PAYLOAD_BYTES
from protocol.mailbox import Contact, ContactState, Session, Skipped
from protocol.session import ratchet
from protocol.session.ratchet import Ratchet
from protocol.step import Step
from protocol.timing import Timing
from tests.protocol.session.people import SeededEntropy, meet

SUITE = RealSuite()


@pytest.fixture
def step(tmp_path: Path) -> Iterator[Step]:
    """One step on an empty mailbox."""
    store = MailboxStore(tmp_path / "mailbox.db", None)
    with store.transaction() as tx:
        yield Step(tx, Now(0.0, 1_800_000_000.0), SUITE, SeededEntropy(), Timing(), lambda at: None)
    store.close()


class Pair:
    """A contact of this mailbox, and the other end of its session."""

    def __init__(self, step: Step) -> None:
        joined, received = meet()
        row = Contact(
            id=0, name="Bob", name_given=True, identity=received.peer, state=ContactState.ACTIVE, inviter=True,
            verified=False, reset=received.reset, discovery=received.discovery, own_routes_version=1,
            peer_routes_version=1, peer_floor=0, peer_total=0, seen_change=0, unread=0, height=0, last_own=None,
        )  # fmt: skip
        contact = step.tx.contacts.get(step.tx.contacts.add(row))
        assert contact is not None
        self.contact: Contact = contact
        outbox.save_ratchet(step, self.contact.id, received.ratchet)
        self.other: Ratchet = joined.ratchet

    def seal(self) -> Envelope:
        """The next envelope of the other end."""
        self.other, body = ratchet.seal(SUITE, SeededEntropy("other"), self.other, pad_items([], PAYLOAD_BYTES))
        return Envelope(SendId(bytes(16)), body, Signature(bytes(64)))


def fill(step: Step, contact: int, count: int) -> None:
    """Keys of envelopes that never came."""
    for number in range(count):
        step.tx.skipped.save(Skipped(contact, 99, number, number, bytes(32), 0.0))


def test_an_envelope_that_skips_too_many_is_refused_and_no_key_is_evicted_for_it(step: Step) -> None:
    pair = Pair(step)
    pair.seal()
    late = pair.seal()
    fill(step, pair.contact.id, MAX_SKIPPED_PER_CONTACT)
    before = step.tx.sessions.get(pair.contact.id)
    assert inbox.open_envelope(step, pair.contact, late).fate is Fate.UNREADABLE
    assert step.tx.sessions.get(pair.contact.id) == before
    assert step.tx.skipped.count(contact=pair.contact.id) == MAX_SKIPPED_PER_CONTACT
    step.tx.skipped.remove(pair.contact.id, 99, 0)
    assert inbox.open_envelope(step, pair.contact, late).fate is Fate.OPENED


def test_what_skips_nothing_opens_however_many_keys_are_kept(step: Step) -> None:
    pair = Pair(step)
    fill(step, pair.contact.id, MAX_SKIPPED_PER_CONTACT)
    assert inbox.open_envelope(step, pair.contact, pair.seal()).fate is Fate.OPENED


@pytest.mark.parametrize("bound", ["MAX_SKIPPED_PER_CONTACT", "MAX_SKIPPED_PER_PROFILE"])
def test_both_bounds_on_skipped_keys_have_one_code(step: Step, bound: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert MAX_SKIPPED_PER_PROFILE > MAX_SKIPPED_PER_CONTACT
    monkeypatch.setattr(inbox, bound, 3)
    pair = Pair(step)
    fill(step, pair.contact.id if bound == "MAX_SKIPPED_PER_CONTACT" else 7, 3)
    with pytest.raises(PeerError) as caught:
        inbox._check_room(step, pair.contact, 1)
    assert caught.value.code is Code.SKIPPED_FULL


def test_an_envelope_opens_once_and_is_a_duplicate_after_that(step: Step) -> None:
    pair = Pair(step)
    envelope = pair.seal()
    assert [inbox.open_envelope(step, pair.contact, envelope).fate for _ in range(2)] == [Fate.OPENED, Fate.DUPLICATE]


def test_a_number_used_twice_shows_that_the_peer_runs_a_copy(step: Step) -> None:
    pair = Pair(step)
    copy = pair.other
    first = pair.seal()
    _, body = ratchet.seal(SUITE, SeededEntropy("copy"), copy, pad_items([], PAYLOAD_BYTES))
    assert inbox.open_envelope(step, pair.contact, first).fate is Fate.OPENED
    second = Envelope(SendId(bytes(16)), body, Signature(bytes(64)))
    assert inbox.open_envelope(step, pair.contact, second).fate is Fate.FORKED


def test_a_forged_envelope_leaves_the_session_as_it_was(step: Step) -> None:
    pair = Pair(step)
    envelope = pair.seal()
    before = step.tx.sessions.get(pair.contact.id)
    assert isinstance(before, Session)
    forged = envelope._replace(body=envelope.body[:-1] + bytes((envelope.body[-1] ^ 1,)))
    assert inbox.open_envelope(step, pair.contact, forged).fate is Fate.UNREADABLE
    assert step.tx.sessions.get(pair.contact.id) == before
    assert inbox.open_envelope(step, pair.contact, envelope).fate is Fate.OPENED
