"""A steady world: everything is delivered, memory stays bounded, and the same seed gives the same trace."""

from msgspec.structs import replace

from simulations.crowd import Plan, Population

PLAN = Plan(people=12, relays=3, contacts=4, texts_a_minute=6.0, kept_seconds=30.0)


def begun(plan: Plan) -> Population:
    population = Population(plan)
    population.introduce()
    population.write()
    return population


def rows(population: Population) -> int:
    """Of what grows with messages, over all stores."""
    count = 0
    for person in population.people:
        with person.disk.look() as tx:
            count += sum(len(table.rows) for table in (tx.messages, tx.changes, tx.seen, tx.items, tx.envelopes))
    for relay in population.relays:
        with relay.disk.look() as tx:
            count += len(tx.digest) + len(tx.entry)
    return count


def test_every_text_is_shown_and_known_to_be_delivered() -> None:
    population = begun(PLAN)
    population.run(120.0)
    assert population.sent > 100
    while population.undelivered():
        population.run(0.5)
        assert population.engine.time < 1_000.0
    assert population.shown() == population.sent


def test_what_is_settled_is_purged_and_nothing_waits_for_it() -> None:
    population = begun(PLAN)
    population.run(120.0)
    settled = rows(population)
    population.run(600.0)
    assert population.sent > 600
    assert rows(population) < 1.5 * settled
    for person in population.people:
        with person.disk.look() as tx:
            assert not any(row.missing_parent or row.change is None for row in tx.messages.find())


def test_the_same_seed_gives_the_same_trace_whatever_the_crypto() -> None:
    traces = []
    for plan in (PLAN, PLAN, replace(PLAN, real_crypto=True), replace(PLAN, seed=1)):
        population = begun(plan)
        population.run(30.0)
        traces.append(population.engine.trace())
    assert traces[0] == traces[1] == traces[2]
    assert traces[3] != traces[0]
