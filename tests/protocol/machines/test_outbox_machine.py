"""The outbox as hypothesis sees it: whatever the order of sends, crashes, cut lines, dead disks and lying relays."""

import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from protocol.wire.commands import Command, Delivery
from tests.protocol.machines.world import Participant, Person, World

pytestmark = pytest.mark.long
RANK = {"queued": 1, "relayed": 2, "delivered": 3}


class OutboxMachine(RuleBasedStateMachine):
    @initialize(seed=st.integers(0, 2**16))
    def begin(self, seed: int) -> None:
        self.directory = Path(tempfile.mkdtemp())
        self.world = World(self.directory, seed)
        self.relays = [self.world.relay("first"), self.world.relay("second")]
        self.people = [self.world.person("alice"), self.world.person("bob")]
        for person in self.people:
            person.use(*self.relays)
        self.world.introduce(*self.people)
        self.said: dict[str, list[str]] = {"alice": [], "bob": []}
        self.seen_states: dict[str, dict[str, str]] = {"alice": {}, "bob": {}}
        self.seen_texts: dict[str, list[str]] = {"alice": [], "bob": []}
        self.destroyed = False
        self.old: list[Delivery] = []

    @rule(who=st.integers(0, 1), pieces=st.sampled_from([1, 1, 1, 4]))
    def send(self, who: int, pieces: int) -> None:
        person = self.people[who]
        if person.up:
            text = f"{person.name} {len(self.said[person.name])} " + "x" * 1_300 * (pieces - 1)
            person.send(text)
            self.said[person.name].append(text)

    @rule(seconds=st.sampled_from([0.005, 0.02, 0.1, 1.0, 5.0, 40.0]))
    def wait(self, seconds: float) -> None:
        self.world.run(seconds)

    @rule(who=st.integers(0, 3))
    def crash_or_boot(self, who: int) -> None:
        participant: Participant = [*self.people, *self.relays][who]
        if participant.up:
            participant.crash()
        else:
            participant.boot()

    @rule(who=st.integers(0, 1), relay=st.integers(0, 1))
    def cut_or_mend(self, who: int, relay: int) -> None:
        self.world.cut ^= {(self.people[who].name, self.relays[relay].name)}
        self.world.drop_connections(self.relays[relay])

    @precondition(lambda self: not self.destroyed)
    @rule(which=st.integers(0, 1))
    def destroy_a_disk(self, which: int) -> None:
        relay = self.relays[which]
        if relay.up:
            relay.crash()
        relay.destroy_disk()
        self.destroyed = True

    @rule(kind=st.sampled_from(["honest", "repeat", "alter", "replay", "withhold"]))
    def mischief(self, kind: str) -> None:
        """What the relays do to the envelopes that they deliver, until the next such rule."""

        def meddle(command: Command) -> list[Command]:
            if not isinstance(command, Delivery):
                return [command]
            self.old.append(command)
            altered = command.envelope[:-200] + bytes((command.envelope[-200] ^ 1,)) + command.envelope[-199:]
            older = self.world.random.choice(self.old)
            choices: dict[str, list[Command]] = {
                "honest": [command],
                "repeat": [command, command],
                "alter": [Delivery(command.subscription, command.sequence, altered)],
                "replay": [Delivery(command.subscription, command.sequence, older.envelope), command],
                "withhold": [],
            }
            return choices[kind]

        self.world.mischief = meddle

    @invariant()
    def states_are_true_and_never_go_back(self) -> None:
        if not hasattr(self, "people"):
            return
        for person, other in (self.people, self.people[::-1]):
            states = person.states()
            for text, state in states.items():
                assert RANK[state] >= RANK[self.seen_states[person.name].get(text, "queued")]
                if state == "delivered":
                    assert self._has(other, text), "delivered, but not durable at the recipient"
            self.seen_states[person.name] = states

    @invariant()
    def what_was_shown_stays_shown_once(self) -> None:
        if not hasattr(self, "people"):
            return
        for person in self.people:
            texts = person.texts()
            assert texts[: len(self.seen_texts[person.name])] == self.seen_texts[person.name]
            assert len(texts) == len(set(texts))
            self.seen_texts[person.name] = texts

    def teardown(self) -> None:
        if not hasattr(self, "people"):
            return
        try:
            self.world.mischief = lambda command: [command]
            self.world.cut = set()
            for participant in [*self.people, *self.relays]:
                if participant.up:
                    participant.crash()
                participant.boot()
            self._everything_arrives()
        finally:
            for participant in [*self.people, *self.relays]:
                if participant.up:
                    participant.crash()
            shutil.rmtree(self.directory)

    def _everything_arrives(self) -> None:
        """A tail that a relay withheld shows when something later comes; so both say a last word."""
        for _ in range(2):
            self.world.run(200)
            for who in (0, 1):
                self.send(who, 1)
        self.world.run(200)
        for person, other in (self.people, self.people[::-1]):
            mine = self.said[person.name]
            assert [text for text in other.conversation() if text in mine] == mine
            assert other.conversation() == person.conversation()
            assert set(person.states().values()) <= {"delivered"}

    @staticmethod
    def _has(person: Person, text: str) -> bool:
        reader = person.reader()
        try:
            return bool(reader._connection.execute("SELECT 1 FROM messages WHERE text = ?", (text,)).fetchone())
        finally:
            reader.close()


TestOutbox = OutboxMachine.TestCase
TestOutbox.settings = settings(
    max_examples=25, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)
