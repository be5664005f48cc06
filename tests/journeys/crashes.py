"""Two people talk while their nodes and both relays are killed with -9 at random points.

    python -m tests.journeys.crashes --seed 7 --messages 500 --kills 100

The seed decides who says what at which pace, at which points of the conversation somebody is killed, who, and how long
they stay dead. How far a program has come in that moment it does not decide: the machine does.
"""

import argparse
import random
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from node.api.client import NotRunningError
from node.cli.inbox import all_messages
from node.cli.stage import opened
from tests.journeys.follower import Follower
from tests.journeys.journey import Journey
from tests.journeys.truth import check_end, check_states

PEOPLE = {"alice": "bob", "bob": "alice"}
PROCESSES = ("alice", "bob", "relay-1", "relay-2")
PAUSE_SECONDS = 0.12
"""Mean, between two texts of one person."""
LATEST_KILL_SECONDS = 0.3
LONGEST_DEAD_SECONDS = 1.5
LONG_TEXTS = 0.03
"""How many are cut into several envelopes."""
AMBUSHES = 0.6
"""How many kills wait until somebody says something, and strike while that is under way."""
UNDER_WAY_SECONDS = 0.02
"""From the request to the relay's answer, about."""
SETTLE_SECONDS = 60.0


class Plan(NamedTuple):
    """What the seed is asked for."""

    seed: int
    messages: int
    """Of each of the two."""
    kills: int


class CrashJourney(Journey):
    """With what the killer needs."""

    def kill(self, name: str) -> None:
        """With -9; it must have been alive until now."""
        process = self._processes.pop(name)
        assert process.poll() is None, [f"{name} had ended with {process.returncode}", *self.told()]
        process.kill()
        process.wait()

    def revive(self, name: str) -> None:
        """Without waiting: it may be killed again before it is up."""
        if name in PEOPLE:
            self.spawn(name, "up", *self.profile_words(name))
        else:
            self.spawn_relay(name)


class Talker:
    """One person who says their texts one after the other, whatever happens to the node."""

    def __init__(self, journey: Journey, name: str, plan: Plan) -> None:
        self.name = name
        self.follower = Follower(journey.place / name, journey.environment)
        self.said = 0
        self.unanswered = 0
        self.failure: BaseException | None = None
        self.in_request = threading.Event()
        self.ids: dict[str, str] = {}
        """Message id of each text that was answered."""
        self._random = random.Random(f"{plan.seed} {name}")
        self._journey = journey
        self.texts = [self._text(number) for number in range(plan.messages)]
        self._thread = threading.Thread(target=self._talk, daemon=True)

    def start(self) -> None:
        self._thread.start()

    @property
    def is_done(self) -> bool:
        """Whether everything is said. Raises what kept this one from going on."""
        if self.failure is not None:
            raise self.failure
        return not self._thread.is_alive()

    def _text(self, number: int) -> str:
        more = self._random.choice("äöü☂\U0001f54a") * (3_000 if self._random.random() < LONG_TEXTS else 3)
        return f"{self.name} {number} {more}"

    def _talk(self) -> None:
        try:
            for text in self.texts:
                self._say(text)
                self.said += 1
                time.sleep(self._random.expovariate(1 / PAUSE_SECONDS))
        except Exception as error:  # noqa: BLE001 - raised again by the main thread
            self.failure = error

    def _say(self, text: str) -> None:
        """Until it is known to be queued. Where no answer came, a person looks before saying it again."""
        tried = False
        while True:
            try:
                if tried and self._find(text):
                    self.unanswered += 1
                    return
                tried = True
                self.in_request.set()
                self.ids[text] = self._journey.say(self.name, text)
                return
            except NotRunningError:
                time.sleep(0.05)
            finally:
                self.in_request.clear()

    def _find(self, text: str) -> bool:
        return any(row["text"] == text for row in all_messages(self._journey.client(self.name), None, 0))


class Killer:
    """Kills at its points, brings back, and looks at the disks of the dead."""

    def __init__(self, journey: CrashJourney, talkers: dict[str, Talker], plan: Plan) -> None:
        self.killed: Counter[str] = Counter()
        self.checked = 0
        self._random = random.Random(f"{plan.seed} killer")
        self._journey = journey
        self._talkers = talkers
        total = 2 * plan.messages
        self._points = sorted(self._random.sample(range(1, total), plan.kills))
        self._agenda: list[float] = []
        self._dead: dict[str, float] = {}
        """Until when."""

    @property
    def is_done(self) -> bool:
        return not (self._points or self._agenda or self._dead)

    def go_on(self) -> None:
        """Whatever is due now."""
        now = time.monotonic()
        said = sum(talker.said for talker in self._talkers.values())
        while self._points and self._points[0] <= said:
            del self._points[0]
            self._agenda.append(now + self._random.uniform(0, LATEST_KILL_SECONDS))
        for name in [name for name, until in self._dead.items() if until <= now]:
            del self._dead[name]
            self._journey.revive(name)
        due = [at for at in self._agenda if at <= now]
        alive = [name for name in PROCESSES if name not in self._dead]
        for at, name in zip(due, self._random.sample(alive, len(alive)), strict=False):
            self._agenda.remove(at)
            self._kill(name)
        self._look_after_followers()

    def _kill(self, name: str) -> None:
        talker = self._talkers.get(name)
        if self._random.random() < AMBUSHES:
            (talker or self._random.choice([*self._talkers.values()])).in_request.wait(1.0)
            time.sleep(self._random.uniform(0, UNDER_WAY_SECONDS))
        if talker is not None:
            talker.follower.kill()
        self._journey.kill(name)
        self.killed[name] += 1
        self._dead[name] = time.monotonic() + self._random.uniform(0, LONGEST_DEAD_SECONDS)
        if talker is not None:
            talker.follower.end()
            check_states(self._journey.place, name, PEOPLE[name])
            self.checked += 1

    def _look_after_followers(self) -> None:
        for name, talker in self._talkers.items():
            if name not in self._dead and self._journey.client(name).is_running():
                talker.follower.ensure()


def talk_through_crashes(place: Path, plan: Plan) -> str:
    """The whole journey; what happened, in a line. Raises AssertionError where a promise is broken."""
    print(f"Seed {plan.seed}. Again: python -m tests.journeys.crashes --seed {plan.seed} "
          f"--messages {plan.messages} --kills {plan.kills}", flush=True)  # fmt: skip
    with opened(CrashJourney(place)) as journey:
        journey.set_up()
        journey.befriend("alice", "bob")
        talkers = {name: Talker(journey, name, plan) for name in PEOPLE}
        killer = Killer(journey, talkers, plan)
        began = time.monotonic()
        try:
            for talker in talkers.values():
                talker.start()
            while not all((killer.is_done, *(talker.is_done for talker in talkers.values()))):
                killer.go_on()
                time.sleep(0.02)
            talked = time.monotonic() - began
            _settle(journey, killer, talkers)
        finally:
            for talker in talkers.values():
                talker.follower.end()
        again = sum(_check(journey, talker) for talker in talkers.values())
        settled = time.monotonic() - began - talked
    unanswered = sum(talker.unanswered for talker in talkers.values())
    begun = sum(talker.follower.begun for talker in talkers.values())
    return (
        f"{2 * plan.messages} messages, {killer.killed.total()} kills {dict(sorted(killer.killed.items()))}. "
        "Each shown once, in causal order, and delivered. "
        f"{unanswered} answers were lost to a kill, {again} messages sent again, {begun} followers, "
        f"{killer.checked} looks at a dead node's disk. {talked:.0f} s of talk, {settled:.0f} s more until quiet."
    )


def _settle(journey: Journey, killer: Killer, talkers: dict[str, Talker]) -> None:
    """Everybody stays alive now: everything arrives."""
    end = time.monotonic() + SETTLE_SECONDS
    while True:
        killer.go_on()
        waiting = [name for name, talker in talkers.items() if not _has_all(journey, talker)]
        if not waiting:
            return
        assert time.monotonic() < end, [f"not all texts of {waiting} are delivered and told", *journey.told()]
        time.sleep(0.2)


def _has_all(journey: Journey, talker: Talker) -> bool:
    try:
        last = journey.ask(talker.name, "GET", "/v1/status")["last_change"]
        rows = list(all_messages(journey.client(talker.name), None, 0))
    except NotRunningError:
        return False
    mine = [row for row in rows if row["mine"]]
    other = len(rows) - len(mine)
    return (
        len(mine) == len(talker.texts) == other
        and all(row["state"] == "delivered" for row in mine)
        and talker.follower.cursor == last
    )


def _check(journey: Journey, talker: Talker) -> int:
    """Everything that was promised to one of the two; how many of their messages were sent again."""
    mine, theirs = journey.inbox(talker.name), journey.inbox(PEOPLE[talker.name])
    check_end(mine, theirs, talker.follower, talker.texts)
    by_text = {row["text"]: row["message_id"] for row in mine if row["mine"]}
    assert {text: by_text[text] for text in talker.ids} == talker.ids, "an answered text has its answer's id"
    check_states(journey.place, talker.name, PEOPLE[talker.name])
    return sum(row["again"] > 0 for row in mine)


def main() -> None:
    """One run, as asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    parser.add_argument("--messages", type=int, default=500, help="of each of the two")
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--keep", type=Path, help="leave all files in this new directory")
    asked = parser.parse_args()
    plan = Plan(asked.seed, asked.messages, asked.kills)
    if asked.keep is not None:
        asked.keep.mkdir(mode=0o700)
        print(talk_through_crashes(asked.keep.resolve(), plan))
        return
    with tempfile.TemporaryDirectory(prefix="kassiber-crashes-") as place:
        print(talk_through_crashes(Path(place), plan))


if __name__ == "__main__":
    main()
