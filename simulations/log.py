"""What people saw of their conversations: a *delivery log*, which does not depend on what the world was made of.

The engine's worlds, whole nodes on virtual streams and whole nodes on real sockets carry out one script; that they gave
one log is what shows the cheaper of them to be faithful.

Always equal: who converses with whom, which texts each of them has, by whom, each once, and the last state of each.
Equal unless two things happened so close together that either may come first: what an author had seen when it wrote
(and so the heights and the order shown), the order of an author's own texts, and whether a message was known to be
relayed before it was known to be delivered. How close that is the comparison is told, as it is how far instants may be
apart: a tick of the clock here, a frame that takes another one's delay there.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from itertools import pairwise
from typing import TypeAlias

from msgspec import Struct

from protocol.mailbox import ChangeKind, Contact, ContactState, Message, MessageState, PersonalTransaction
from simulations.host import PersonHost
from simulations.world import World

_NEW = """
    SELECT c.number, c.state, m.message_id FROM changes c JOIN messages m ON m.id = c.row
    WHERE c.number > ? AND c.kind <= ? ORDER BY c.number
"""


class Entry(Struct, frozen=True):
    """One message as one person's node shows it."""

    number: int
    """Of the text (`simulations.script.Say`)."""
    author: int
    """A person's number."""
    height: int
    states: tuple[tuple[MessageState, float], ...]
    """Each with the virtual second at which a client of the local API learned of it. Of somebody else's: when shown."""

    @property
    def first_seconds(self) -> float:
        """When it was written, or shown."""
        return self.states[0][1]

    @property
    def chain(self) -> tuple[MessageState, ...]:
        """Without the instants."""
        return tuple(state for state, _ in self.states)


Known: TypeAlias = Callable[[int, bytes], tuple[tuple[MessageState, float], ...]]
"""Of a person and a message id: what `Entry.states` is."""


class Log(Struct, frozen=True):
    """`views[person, contact]`: what a person's node shows of a contact, in its order."""

    views: dict[tuple[int, int], tuple[Entry, ...]]

    def only(self, numbers: Collection[int]) -> "Log":
        """Nothing but these texts."""
        views = {name: tuple(e for e in entries if e.number in numbers) for name, entries in self.views.items()}
        return Log(views)


class Recorder:
    """Follows every node of a world from the start, beside whoever follows it already."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._cursors: dict[int, int] = {}
        self._states: dict[tuple[int, bytes], list[tuple[MessageState, float]]] = {}
        for person in world.people:
            row = person.disk.connection.execute("SELECT max(number) FROM changes").fetchone()
            self._cursors[person.index] = int(row[0] or 0)
            self._follow(person)

    def _follow(self, person: PersonHost) -> None:
        earlier = person.announced

        def announced(person: PersonHost) -> None:
            earlier(person)
            self._look(person)

        person.announced = announced

    def _look(self, person: PersonHost) -> None:
        rows = person.disk.connection.execute(_NEW, (self._cursors[person.index], int(ChangeKind.STATE))).fetchall()
        for number, state, message_id in rows:
            self._cursors[person.index] = number
            states = self._states.setdefault((person.index, message_id), [])
            states.append((MessageState(state), self._world.engine.time))

    def log(self) -> Log:
        """From the disks, once the world is over."""
        return read_log({person.index: person.disk.look() for person in self._world.people}, self._known)

    def _known(self, person: int, message_id: bytes) -> tuple[tuple[MessageState, float], ...]:
        return tuple(self._states.get((person, message_id), ()))


def read_log(mailboxes: Mapping[int, AbstractContextManager[PersonalTransaction]], known: Known) -> Log:
    """Of people, by their numbers. A conversation that one side alone knows of is none."""
    sides: dict[tuple[bytes, bytes], tuple[int, Contact, list[Message]]] = {}
    for person, reading in mailboxes.items():
        with reading as tx:
            profile = tx.profile.get(1)
            assert profile is not None
            for contact in tx.contacts.find():
                if contact.state is not ContactState.REFUSED:
                    messages = tx.messages.find(contact=contact.id)
                    sides[profile.identity, contact.identity] = person, contact, messages
    views: dict[tuple[int, int], tuple[Entry, ...]] = {}
    for (own, theirs), (person, contact, messages) in sides.items():
        if (theirs, own) in sides:
            other = sides[theirs, own][0]
            entries = [
                Entry(
                    int(message.text.split()[1]),
                    person if message.mine else other,
                    message.height,
                    known(person, message.message_id),
                )
                for message in messages
                if message.change is not None
            ]
            entries.sort(key=partial(_place, person if contact.inviter else other))
            views[person, other] = tuple(entries)
    return Log(views)


def _place(inviter: int, entry: Entry) -> tuple[int, bool, int]:
    return entry.height, entry.author != inviter, entry.number


class Comparison(Struct, frozen=True):
    """Of two logs of one script. `differences`, each a sentence, are what must not be."""

    differences: tuple[str, ...]
    messages: int
    races: int
    """Pairs of messages of which either log may have had either first."""
    furthest_seconds: float
    """Between the two instants of one state of one message."""


def compare(one: Log, other: Log, close_seconds: float, *, timed: bool = True) -> Comparison:
    """`close_seconds`: what lies less apart, in either log, may come in either order, and instants may differ by so
    much. Where the other log is not `timed` (a real clock ran), its instants are not looked at."""
    found: list[str] = []
    if one.views.keys() != other.views.keys():
        odd = sorted(one.views.keys() ^ other.views.keys())
        found.append(f"only one log has the conversations {odd}")
    messages = races = 0
    furthest = 0.0
    for view in sorted(one.views.keys() & other.views.keys()):
        pair = _View(view, one.views[view]), _View(view, other.views[view])
        messages += len(pair[0].entries)
        found += _contents(*pair)
        if pair[0].entries.keys() != pair[1].entries.keys():
            continue
        found += _states(*pair)
        apart = _furthest(*pair) if timed else 0.0
        furthest = max(furthest, apart)
        if apart > close_seconds:
            found.append(f"{view}: instants lie {apart:.3f} s apart")
        differing = list(_orders(*pair, pair if timed else pair[:1]))
        races += len(differing)
        found += [text for text, seconds in differing if seconds > close_seconds]
        if not differing and pair[0].heights() != pair[1].heights():
            found.append(f"{view}: heights differ, and nothing came in another order")
    return Comparison(tuple(found), messages, races, furthest)


class _View:
    def __init__(self, name: tuple[int, int], entries: tuple[Entry, ...]) -> None:
        self.name = name
        self.shown = entries
        self.entries = {entry.number: entry for entry in entries}

    def heights(self) -> list[int]:
        """In the order shown."""
        return [entry.height for entry in self.shown]


def _contents(one: _View, other: _View) -> Iterator[str]:
    for view in (one, other):
        if len(view.entries) < len(view.shown):
            yield f"{view.name}: a text is shown twice"
    if one.entries.keys() != other.entries.keys():
        yield f"{one.name}: only one log has the texts {sorted(one.entries.keys() ^ other.entries.keys())}"
    for number in one.entries.keys() & other.entries.keys():
        if one.entries[number].author != other.entries[number].author:
            yield f"{one.name}: text {number} has two authors"


def _states(one: _View, other: _View) -> Iterator[str]:
    for number, entry in one.entries.items():
        chains = entry.chain, other.entries[number].chain
        if chains[0] == chains[1]:
            continue
        texts = [" ".join(state.name.lower() for state in chain) or "nothing" for chain in chains]
        if chains[0][-1:] != chains[1][-1:] or not _only_skips(*chains):
            yield f"{one.name}: text {number} was {texts[0]}, or {texts[1]}"


def _only_skips(one: tuple[MessageState, ...], other: tuple[MessageState, ...]) -> bool:
    """Whether they differ by RELAYED alone, which is skipped where the receipt is first."""
    return set(one) ^ set(other) <= {MessageState.RELAYED}


def _furthest(one: _View, other: _View) -> float:
    apart = 0.0
    for number, entry in one.entries.items():
        if entry.chain == other.entries[number].chain:
            both = zip(entry.states, other.entries[number].states, strict=True)
            apart = max([apart, *(abs(first[1] - second[1]) for first, second in both)])
    return apart


def _orders(one: _View, other: _View, timed: Sequence[_View]) -> Iterator[tuple[str, float]]:
    """Neighbours of one log that the other shows the other way round, and how far apart they became known."""
    places = {entry.number: place for place, entry in enumerate(other.shown)}
    for earlier, later in pairwise(one.shown):
        if places[earlier.number] > places[later.number]:
            seconds = min(
                abs(view.entries[earlier.number].first_seconds - view.entries[later.number].first_seconds)
                for view in timed
            )
            yield f"{one.name}: texts {earlier.number} and {later.number} are shown the other way round", seconds
