"""A study carried out by the real nodes and relays: nothing fails, and all that wires and relays show is written down.

What comes out has the shape of what the population model gives, so that the same measures are applied to both.
"""

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np

from protocol.envelope.envelope import parse_envelope
from protocol.forwarding.onion import open_onion
from protocol.keys import RelayKey
from protocol.mailbox import ChangeKind, PersonalTransaction, RouteState
from protocol.timing import Timing
from protocol.traffic.policies import timing_of
from protocol.wire.commands import Command, Deposit, Onion
from protocol.wire.onions import OnionDeposit
from simulations.arrays import Floats
from simulations.host import STEP_SECONDS, PersonHost
from simulations.measures import Seen
from simulations.mischief import CheatingRelay
from simulations.network import End
from simulations.observation import from_recorder
from simulations.population.observing import Truth, Watched
from simulations.recording import NO_LINK, NO_QUEUE, Recorder, Sight
from simulations.script import Say, Script
from simulations.study import Study
from simulations.workload import DAY_SECONDS, LIVELY, Contacts, Workload, bursty, contact_graph, poisson
from simulations.world import Stage, World, text_of

_SETTLE_SECONDS = 60.0
PATIENCE_TRAVELS = 4.0
"""How many travels of a preset proofs and subscriptions have before anybody writes."""


def draw_workload(study: Study, seed: int) -> tuple[Contacts, Workload]:
    """Who knows whom, and their texts: for the machines and for the model alike."""
    rng = np.random.default_rng(seed)
    contacts = contact_graph(study.topology.people, study.topology.contacts, rng, study.workload.activity_sigma)
    days = study.workload.hours * 3_600.0 / DAY_SECONDS
    if study.workload.kind == "poisson":
        texts = poisson(contacts, study.topology.people, rng, study.workload.texts_per_day, days)
    else:
        rhythm = LIVELY._replace(texts_per_user_day=study.workload.texts_per_day)
        texts = bursty(contacts, study.topology.people, rng, rhythm, days)
    return contacts, texts


def carry_out(
    study: Study,
    seed: int,
    settle_seconds: float = _SETTLE_SECONDS,
    workload_seed: int | None = None,
    step_seconds: float = STEP_SECONDS,
) -> tuple[Seen, str]:
    """One run, and its trace hash. Deterministic. `settle_seconds`: after the last text, for what is under way.

    `workload_seed`: of who knows whom and their texts, where other seeds are to carry the same ones; everything that
    nodes draw, the first relay of each contact too, is then `seed`'s. `step_seconds`: from an event to its commit.
    """
    contacts, texts = draw_workload(study, seed if workload_seed is None else workload_seed)
    pairs = list(zip(contacts.first.tolist(), contacts.second.tolist(), strict=True))
    real = study.run.crypto == "real"
    people, relays = study.topology.people, study.topology.relays
    stage = Stage(people, relays, tuple(pairs), real, store="dict", seed=0 if workload_seed is None else seed)
    script = Script(seed, people, relays, tuple(pairs), (), real_crypto=real)
    preset = study.policy.preset
    timing = timing_of(preset, Timing(receipt_mean_seconds=study.policy.receipt_mean_seconds))
    world = World(stage, script, timing=timing, latency=study.topology.latency_seconds)
    for person in world.people:
        person.preset, person.forward = preset, study.policy.forward
    for host in world.hosts:
        host.step_seconds = step_seconds
    for relay in world.relays:
        relay.forward, relay.relays = True, world.relay_of  # loops go by one to another
    recorder = Recorder()
    span = study.workload.hours * 3_600.0
    world.boot()
    world.engine.run(settled_after(timing.travel_seconds))
    start = world.engine.time
    directions = number_directions(pairs)
    _listen(world, recorder, start, _names_of_queues(world, directions))
    shown = _follow(world)
    lines = make_lines(texts, start)
    for line in lines:
        world.engine.at(line.at, partial(world.say, line))
    if study.churn.offline_hours:
        _come_and_go(world, study, start + span, np.random.default_rng((seed, 1)))
    world.engine.run(start + span + settle_seconds)
    first = {pair: _primary(world, *pair) for pair in directions}
    truth, delays = truth_of(lines, directions, first, shown, start, relays)
    for host in world.hosts:
        host.die()
    seen = from_recorder(recorder)
    run = Seen(Watched(seen, truth, people, relays), texts.length.astype(np.int64), delays, span)
    return run, world.engine.trace()


def make_lines(texts: Workload, start: float) -> list[Say]:
    """What is said when, of a workload that begins at `start`."""
    columns = (texts.time.tolist(), texts.sender.tolist(), texts.recipient.tolist(), texts.length.tolist())
    return [Say(start + at, number, *rest) for number, (at, *rest) in enumerate(zip(*columns, strict=True))]


def _names_of_queues(world: World, directions: dict[tuple[int, int], int]) -> dict[bytes, int]:
    """By send id, all routes of a direction alike: the number that observers of relays know a queue by."""
    names: dict[bytes, int] = {}
    for (sender, recipient), direction in directions.items():
        with world.people[sender].disk.look() as tx:
            for route in tx.routes.find(contact=world.numbers[sender, recipient]):
                names[route.send_id] = direction
    return names


def _listen(world: World, recorder: Recorder, start: float, queues: dict[bytes, int]) -> None:
    """Every frame on every node's wire, and each deposit inside every relay; queues of loops have numbers below 0."""
    people, relays, engine = len(world.people), len(world.relays), world.engine

    def hear(end: End, frame: bytes) -> None:
        peer = end.peer
        assert peer is not None
        source, destination = end.host.index, peer.host.index
        if min(source, destination) >= people:
            return  # between relays
        toward_relay = destination >= people
        person, relay = (source, destination) if toward_relay else (destination, source)
        link = person * relays + relay - people
        recorder.frame(engine.time - start, link, source, destination, len(frame), toward_relay)

    def opened(relay: CheatingRelay, end: End, command: Command) -> None:
        envelope = _deposited(relay, command)
        if envelope is not None and end.peer is not None:
            source, size = end.peer.host.index, len(envelope)
            link = source * relays + relay.index - people if source < people else NO_LINK
            queue = queues.setdefault(parse_envelope(envelope).send_id, NO_QUEUE - 1 - len(queues))
            recorder.command(engine.time - start, link, source, relay.index, size, True, Sight.DEPOSIT, queue)

    world.network.observer = hear
    for relay in world.relays:
        relay.notes = opened


def _deposited(relay: CheatingRelay, command: Command) -> bytes | None:
    """The envelope that a relay is given to put into a queue of its own, in an onion or by the node itself."""
    if isinstance(command, Deposit):
        return command.envelope
    if not isinstance(command, Onion):
        return None
    with relay.disk.look() as tx:
        keys = {key.epoch: key.private for key in tx.onion_keys.all()}
    content = open_onion(relay.suite, relay.key, keys[command.onion[0]], command.onion).content
    return content.envelope if isinstance(content, OnionDeposit) else None


def _follow(world: World) -> dict[str, float]:
    """When each text is first shown to whom it is for: filled in as the world runs."""
    shown: dict[str, float] = {}
    cursors: dict[int, int] = {}

    def look(person: PersonHost) -> None:
        number = cursors.get(person.index, 0)
        with person.disk.look() as tx:
            while (change := tx.changes.get(number + 1)) is not None:
                number += 1
                message = tx.messages.get(change.row) if change.kind is ChangeKind.MESSAGE else None
                if message is not None and not message.mine:
                    shown.setdefault(message.text, world.engine.time)
        cursors[person.index] = number

    for person in world.people:
        person.announced = look
    return shown


def _come_and_go(world: World, study: Study, until: float, rng: np.random.Generator) -> None:
    """Each node by itself: online and offline for exponential times."""

    def leave(person: PersonHost) -> None:
        if world.engine.time < until and person.up:
            person.save_clock()
            person.die()
            world.engine.after(float(rng.exponential(study.churn.offline_hours * 3_600.0)), partial(come, person))

    def come(person: PersonHost) -> None:
        person.boot()
        world.engine.after(float(rng.exponential(study.churn.online_hours * 3_600.0)), partial(leave, person))

    for person in world.people:
        world.engine.after(float(rng.exponential(study.churn.online_hours * 3_600.0)), partial(leave, person))


def truth_of(
    lines: list[Say], directions: Mapping[tuple[int, int], int], first: Mapping[tuple[int, int], int],
    shown: Mapping[str, float], start: float, relays: int,
) -> tuple[Truth, Floats]:  # fmt: skip
    """Which texts went over which links, and how long each took.

    By each contact's first relay (`first`, numbered from 0): nothing fails here, so no other is used.
    """
    written = np.array([line.at - start for line in lines])
    came = np.array([shown.get(text_of(line), np.inf) - start for line in lines])
    pairs = [(line.sender, line.recipient) for line in lines]
    truth = Truth(
        written, came, np.array([directions[pair] for pair in pairs], dtype=np.int64),
        np.array([sender * relays + first[sender, recipient] for sender, recipient in pairs], dtype=np.int64),
        np.array([recipient * relays + first[sender, recipient] for sender, recipient in pairs], dtype=np.int64),
    )  # fmt: skip
    return truth, came - written


def _primary(world: World, sender: int, recipient: int) -> int:
    with world.people[sender].disk.look() as tx:
        relay = world.relay_of(first_relay(tx, world.numbers[sender, recipient]))
    assert relay is not None
    return relay.index - len(world.people)


def first_relay(tx: PersonalTransaction, contact: int) -> RelayKey:
    """Where the texts to a contact go."""
    routes = (route for route in tx.routes.find(contact=contact) if route.state is RouteState.CLAIMED)
    return min(routes, key=lambda route: route.position).relay


def number_directions(pairs: Sequence[tuple[int, int]]) -> dict[tuple[int, int], int]:
    """By (sender, recipient): the number of the queue; that of the way back is this ^ 1."""
    there = {(other, one): 2 * number for number, (one, other) in enumerate(pairs)}
    return there | {(one, other): 2 * number + 1 for number, (one, other) in enumerate(pairs)}


def settled_after(travel_seconds: float) -> float:
    """How many seconds proofs and subscriptions have, after all have started, before anybody writes."""
    return _SETTLE_SECONDS + PATIENCE_TRAVELS * travel_seconds
