"""Each key does its work once and is forgotten, and stolen ones stop being worth anything (Spec 4).

Both ends may go wrong alike and understand each other perfectly; so keys are watched where they are used.
"""

from msgspec import msgpack

from protocol.crypto.suite import RealSuite
from protocol.delivery.inviting import OPEN
from protocol.limits import PAYLOAD_BYTES
from protocol.session.ratchet import Ratchet
from simulations.checkers import Violation
from simulations.toy import ToySuite
from simulations.world import World

_SEALED_PAYLOAD_BYTES = PAYLOAD_BYTES + 16
_ratchets = msgpack.Decoder(Ratchet)
_HELD_TOO_LONG = """
    SELECT count(*) FROM skipped k JOIN seen s ON s.contact = k.contact AND s.turn = k.turn AND s.number = k.number
"""


class KeysOnce:
    """Over a suite: notes what each key seals and opens. What it finds is kept: a machine would contain it."""

    def __init__(self) -> None:
        super().__init__()
        self._sealed: dict[tuple[bytes, bytes | int], int] = {}
        self._opened: dict[bytes, int] = {}
        self.found = ""

    def seal(self, key: bytes, nonce: bytes, plaintext: bytes, associated: bytes) -> bytes:
        sealed: bytes = super().seal(key, nonce, plaintext, associated)  # type: ignore[misc]
        self._note(key, nonce, sealed)
        return sealed

    def seal_frame(self, key: bytes, counter: int, plaintext: bytes, associated: bytes | None) -> bytes:
        sealed: bytes = super().seal_frame(key, counter, plaintext, associated)  # type: ignore[misc]
        self._note(key, counter, sealed)
        return sealed

    def open(self, key: bytes, nonce: bytes, sealed: bytes, associated: bytes) -> bytes | None:
        opened: bytes | None = super().open(key, nonce, sealed, associated)  # type: ignore[misc]
        if opened is not None and len(sealed) == _SEALED_PAYLOAD_BYTES:
            name = hash(sealed)
            if self._opened.setdefault(key, name) != name:
                self.found = self.found or "one message key opened two payloads"
        return opened

    def _note(self, key: bytes, nonce: bytes | int, sealed: bytes) -> None:
        name = hash(sealed)
        if self._sealed.setdefault((key, nonce), name) != name:
            self.found = self.found or f"one key sealed twice under one nonce of {len(sealed)} bytes"


class WatchedToySuite(KeysOnce, ToySuite):
    """Toy crypto, watched."""


class WatchedRealSuite(KeysOnce, RealSuite):
    """Real crypto, watched."""


def watched_suite(real: bool) -> WatchedToySuite | WatchedRealSuite:
    """For a world."""
    return WatchedRealSuite() if real else WatchedToySuite()


def check_keys_once(world: World) -> None:
    """At the end. Raises Violation."""
    suite = world.people[0].suite
    assert isinstance(suite, KeysOnce), "this world was not watched"
    if suite.found:
        raise Violation("keys", suite.found)


class Turns:
    """How far each session's ratchet had turned when a world began."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._before = self._turns()

    def _turns(self) -> dict[tuple[int, int], int]:
        found: dict[tuple[int, int], int] = {}
        for person in self._world.people:
            for contact, state in person.disk.connection.execute("SELECT contact, ratchet FROM sessions").fetchall():
                found[person.index, contact] = _ratchets.decode(state).turn
        return found

    def check(self) -> None:
        """After everything has healed: everybody has heard everybody since. Raises Violation."""
        now = self._turns()
        for (person, contact), before in self._before.items():
            if now.get((person, contact), before + 1) <= before:
                name = self._world.people[person].name
                raise Violation("keys", f"the ratchet of {name} with contact {contact} stands at turn {before}")


def check_forgotten(world: World) -> None:
    """Keys that have done their work are gone. Raises Violation."""
    open_states = ", ".join(str(state.value) for state in OPEN)
    for person in world.people:
        run = person.disk.connection.execute
        if run(_HELD_TOO_LONG).fetchone()[0]:
            raise Violation("keys", f"{person.name} keeps a message key that has opened its envelope")
        kept = (
            f"SELECT count(*) FROM invitations WHERE state NOT IN ({open_states}) AND dh || kem || secret IS NOT NULL"
        )
        if run(kept).fetchone()[0]:
            raise Violation("keys", f"{person.name} keeps the private keys of an invitation that was used")
