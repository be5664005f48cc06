"""No queue, map or disk grows beyond its limit, whatever anybody sends."""

from protocol import limits
from simulations.checkers import Violation
from simulations.world import World

_MOST_REFUSALS = 200
"""In one world; a full queue is tried some 40 times."""


def check_bounds(world: World) -> None:
    """At any time. Raises Violation."""
    for relay in world.relays:
        row = relay.disk.connection.execute("SELECT max(stored), max(markers) FROM queues").fetchone()
        _at_most(relay.name, "envelopes in a queue", row[0], limits.QUEUE_QUOTA_ENVELOPES)
        _at_most(relay.name, "refusals, and whoever is refused rests", relay.refusals, _MOST_REFUSALS)
        _at_most(relay.name, "markers in a queue", row[1], limits.MAX_MARKERS_PER_QUEUE)
    for person in world.people:
        run = person.disk.connection.execute
        skipped = run("SELECT max(n) FROM (SELECT count(*) AS n FROM skipped GROUP BY contact)").fetchone()[0]
        _at_most(person.name, "skipped keys of a contact", skipped, limits.MAX_SKIPPED_PER_CONTACT)
        sealed = run("SELECT max(n) FROM (SELECT count(*) AS n FROM envelopes GROUP BY contact)").fetchone()[0]
        _at_most(person.name, "envelopes under way to a contact", sealed, limits.MAX_UNDELIVERED_ENVELOPES)
        parts = run("SELECT max(n) FROM (SELECT sum(length(chunk)) AS n FROM partials GROUP BY contact)").fetchone()[0]
        most = limits.MAX_PARTIAL_BYTES_PER_CONTACT + limits.CHUNK_BYTES
        _at_most(person.name, "bytes of unfinished contents", parts, most)
    for host in world.hosts:
        _at_most(host.name, "connections", len(host.ends), 8 * len(world.hosts))
        for waiting in host.queued_bytes():
            _at_most(host.name, "bytes that wait to be sent", waiting, limits.MAX_QUEUED_COMMAND_BYTES)


def _at_most(who: str, what: str, found: int | None, limit: int) -> None:
    if found is not None and found > limit:
        raise Violation("bounds", f"{who} has {found:,} {what}; {limit:,} are allowed")
