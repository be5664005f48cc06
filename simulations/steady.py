"""A study carried out by the real nodes and relays: nothing fails, and all that wires and relays show is written down.

What comes out has the shape of what the population model gives, so that the same measures are applied to both.
"""

from functools import partial

import numpy as np

from protocol.envelope.envelope import parse_envelope
from protocol.mailbox import ChangeKind, RouteState
from protocol.timing import Timing
from protocol.traffic.policies import TRAVEL_SECONDS
from protocol.wire.commands import Command, Deposit
from simulations.arrays import Floats
from simulations.host import PersonHost
from simulations.measures import Seen
from simulations.mischief import CheatingRelay
from simulations.network import End
from simulations.observation import from_recorder
from simulations.population.observing import Truth, Watched
from simulations.recording import Recorder, Sight
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


def carry_out(study: Study, seed: int, settle_seconds: float = _SETTLE_SECONDS) -> tuple[Seen, str]:
    """One run, and its trace hash. Deterministic. `settle_seconds`: after the last text, for what is under way."""
    contacts, texts = draw_workload(study, seed)
    pairs = list(zip(contacts.first.tolist(), contacts.second.tolist(), strict=True))
    real = study.run.crypto == "real"
    people, relays = study.topology.people, study.topology.relays
    stage = Stage(people, relays, tuple(pairs), real, store="dict")
    script = Script(seed, people, relays, tuple(pairs), (), real_crypto=real)
    preset = study.policy.preset
    timing = Timing(receipt_mean_seconds=study.policy.receipt_seconds, travel_seconds=TRAVEL_SECONDS[preset])
    world = World(stage, script, timing=timing, latency=study.topology.latency_seconds)
    for person in world.people:
        person.preset = preset
    for relay in world.relays:
        relay.forward, relay.relays = True, world.relay_of  # loops go by one to another
    recorder = Recorder()
    span = study.workload.hours * 3_600.0
    world.boot()
    world.engine.run(_SETTLE_SECONDS + PATIENCE_TRAVELS * timing.travel_seconds)
    start = world.engine.time
    directions = {pair: 2 * number for number, (one, other) in enumerate(pairs) for pair in ((other, one),)}
    directions |= {(one, other): 2 * number + 1 for number, (one, other) in enumerate(pairs)}
    _listen(world, recorder, start, _names_of_queues(world, directions))
    shown = _follow(world)
    lines = _lines(texts, start)
    for line in lines:
        world.engine.at(line.at, partial(world.say, line))
    if study.churn.offline_hours:
        _come_and_go(world, study, start + span, np.random.default_rng((seed, 1)))
    world.engine.run(start + span + settle_seconds)
    truth, delays = _truth(world, lines, directions, shown, start)
    for host in world.hosts:
        host.die()
    seen = from_recorder(recorder)
    run = Seen(Watched(seen, truth, people, relays), texts.length.astype(np.int64), delays, span)
    return run, world.engine.trace()


def _lines(texts: Workload, start: float) -> list[Say]:
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
    """Every frame on every wire, and each deposit inside every relay."""
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
        if isinstance(command, Deposit) and end.peer is not None:
            person, size = end.peer.host.index, len(command.envelope)
            link = person * relays + relay.index - people
            queue = queues.get(parse_envelope(command.envelope).send_id, -1)
            recorder.command(engine.time - start, link, person, relay.index, size, True, Sight.DEPOSIT, queue)

    world.network.observer = hear
    for relay in world.relays:
        relay.notes = opened


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


def _truth(
    world: World, lines: list[Say], directions: dict[tuple[int, int], int], shown: dict[str, float], start: float
) -> tuple[Truth, Floats]:
    """Which texts went over which links, by each contact's first route: nothing fails here, so no other is used."""
    relays, people = len(world.relays), len(world.people)
    primary = {pair: _primary(world, *pair) for pair in {(line.sender, line.recipient) for line in lines}}
    written: list[float] = []
    delivered: list[float] = []
    sender_links: list[int] = []
    recipient_links: list[int] = []
    for line in lines:
        at = shown.get(text_of(line))
        relay = primary[line.sender, line.recipient]
        written.append(line.at - start)
        delivered.append(np.inf if at is None else at - start)
        sender_links.append(line.sender * relays + relay - people)
        recipient_links.append(line.recipient * relays + relay - people)
    came = np.array(delivered)
    numbers = [directions[line.sender, line.recipient] for line in lines]
    truth = Truth(
        np.array(written), came, np.array(numbers, dtype=np.int64),
        np.array(sender_links, dtype=np.int64), np.array(recipient_links, dtype=np.int64),
    )  # fmt: skip
    return truth, came - truth.written


def _primary(world: World, sender: int, recipient: int) -> int:
    with world.people[sender].disk.look() as tx:
        routes = tx.routes.find(contact=world.numbers[sender, recipient])
    first = min((route for route in routes if route.state is RouteState.CLAIMED), key=lambda route: route.position)
    relay = world.relay_of(first.relay)
    assert relay is not None
    return relay.index
