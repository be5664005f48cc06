"""Who is recognised, and when it is dialled, whatever else is on the network."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from protocol.discovery.announcement import encode_txt, make_announcement, make_instance
from protocol.discovery.sightings import Dial, Lost, Network, Sightings
from protocol.discovery.tags import Endpoint
from protocol.errors import Code, PeerError
from protocol.keys import PairSecret
from protocol.limits import MAX_NEW_SIGHTINGS_PER_SECOND, MAX_SIGHTINGS
from protocol.timing import Timing
from tests.protocol.discovery.place import EPOCH, ETHERNET, HERE, NETWORKS, WIRELESS, Dice, at, ipv4, secret

BOB, CAROL = 1, 2
DICE = Dice(9)


def looking(*contacts: int) -> Sightings:
    sightings = Sightings(Dice(1), Timing())
    sightings.attach(NETWORKS, at(0))
    sightings.know({contact: (secret(contact),) for contact in contacts}, at(0))
    return sightings


def announced(*contacts: int, endpoint: Endpoint = HERE) -> bytes:
    """The TXT record of a node that has these secrets to tag with."""
    return encode_txt(make_announcement(DICE, [secret(contact) for contact in contacts], endpoint, EPOCH))


def meet(
    sightings: Sightings, txt: bytes, when: float = 0, interface: int = ETHERNET, endpoint: Endpoint = HERE
) -> str:
    instance = make_instance(DICE)
    assert sightings.seen(interface, instance, endpoint, txt, at(when))
    return instance


def test_a_contact_is_dialled_once_within_half_a_minute() -> None:
    sightings = looking(BOB, CAROL)
    txt = announced(BOB)
    meet(sightings, txt)
    assert sightings.found == {BOB}
    wake = sightings.next_wake
    assert wake is not None
    assert 0 < wake <= 30
    assert sightings.tick(at(wake - 0.01)) == []
    (dial,) = sightings.tick(at(wake))
    assert isinstance(dial, Dial)
    assert (dial.contact, dial.interface, dial.endpoint, dial.secret) == (BOB, ETHERNET, HERE, secret(BOB))
    assert sightings.tick(at(wake + 60)) == []


def test_the_dial_comes_at_no_fixed_time() -> None:
    wakes: set[float] = set()
    sightings = looking(*range(1, 30))
    for contact in range(1, 30):
        meet(sightings, announced(contact), when=contact * 0.2)
    while len(wakes) < 29:
        wake = sightings.next_wake
        assert wake is not None
        wakes |= {wake for _ in sightings.tick(at(wake))}
    assert max(wakes) - min(wakes) > 15


def test_a_stranger_is_never_dialled() -> None:
    sightings = looking(BOB)
    meet(sightings, announced(CAROL, 3, 4))
    assert sightings.found == frozenset()
    assert sightings.tick(at(60)) == []


def test_the_same_announcement_under_other_names_is_not_dialled_again() -> None:
    sightings = looking(BOB)
    txt = announced(BOB)
    meet(sightings, txt)
    assert len(sightings.tick(at(30))) == 1
    sightings.ended(BOB, at(31))
    for number in range(5):
        meet(sightings, txt, when=32 + number)
    assert sightings.tick(at(100)) == []


def test_after_a_session_the_next_announcement_is_dialled() -> None:
    sightings = looking(BOB)
    meet(sightings, announced(BOB))
    assert len(sightings.tick(at(30))) == 1
    meet(sightings, announced(BOB), when=40)
    assert sightings.tick(at(80)) == [], "a session stands"
    sightings.ended(BOB, at(90))
    assert len(sightings.tick(at(120))) == 1


def test_a_contact_has_gone_with_its_last_announcement() -> None:
    sightings = looking(BOB)
    first = meet(sightings, announced(BOB))
    second = meet(sightings, announced(BOB), when=1)
    assert len(sightings.tick(at(31))) == 1
    sightings.gone(ETHERNET, first)
    assert sightings.tick(at(32)) == []
    sightings.gone(ETHERNET, second)
    assert sightings.tick(at(33)) == [Lost(BOB)]
    assert sightings.tick(at(34)) == []


def test_one_that_is_gone_before_it_was_dialled_is_not_dialled() -> None:
    sightings = looking(BOB)
    instance = meet(sightings, announced(BOB))
    sightings.gone(ETHERNET, instance)
    assert sightings.tick(at(60)) == [Lost(BOB)]


def test_nobody_is_there_longer_than_an_announcement_can_live() -> None:
    sightings = looking(BOB)
    meet(sightings, announced(BOB))
    assert sightings.tick(at(1_319)) != []
    assert sightings.next_wake == 1_320
    assert sightings.tick(at(1_320)) == [Lost(BOB)]
    assert sightings.next_wake is None


def test_an_announcement_from_elsewhere_or_another_time_is_nobodys() -> None:
    sightings = looking(BOB)
    txt = announced(BOB)
    meet(sightings, txt, endpoint=Endpoint(ipv4(8), HERE.port))
    meet(sightings, txt, endpoint=Endpoint(HERE.address, HERE.port + 1))
    meet(sightings, txt, when=1_800)
    assert sightings.found == frozenset()


@pytest.mark.parametrize(
    ("interface", "endpoint"),
    [
        (ETHERNET, Endpoint(HERE.address, 0)),
        (ETHERNET, Endpoint(ipv4(7, third=9), 40_001)),
        (ETHERNET, Endpoint(bytes(15) + b"\1", 22)),
        (WIRELESS, HERE),
        (77, HERE),
    ],
)
def test_nobody_can_have_us_dial_outside_the_network(interface: int, endpoint: Endpoint) -> None:
    sightings = looking(BOB)
    with pytest.raises(PeerError) as refused:
        sightings.seen(interface, make_instance(DICE), endpoint, announced(BOB, endpoint=endpoint), at(0))
    assert refused.value.code is Code.MALFORMED
    assert sightings.next_wake is None


def test_a_flood_is_cut_off_and_the_other_interface_does_not_notice() -> None:
    sightings = looking(BOB)
    taken = sum(
        sightings.seen(ETHERNET, make_instance(DICE), HERE, announced(), at(0.001 * number)) for number in range(1_000)
    )
    assert MAX_NEW_SIGHTINGS_PER_SECOND <= taken <= 2 * MAX_NEW_SIGHTINGS_PER_SECOND
    there = Endpoint(ipv4(7, third=3), 40_001)
    meet(sightings, announced(BOB, endpoint=there), when=1, interface=WIRELESS, endpoint=there)
    assert sightings.found == {BOB}


def test_hundreds_of_strangers_do_not_drive_out_a_contact() -> None:
    sightings = looking(BOB)
    meet(sightings, announced(BOB))
    assert len(sightings.tick(at(30))) == 1
    for number in range(2 * MAX_SIGHTINGS):
        meet(sightings, announced(), when=31 + number)
    assert sightings.found == {BOB}


def test_a_new_secret_recognises_what_is_already_there() -> None:
    sightings = looking()
    meet(sightings, announced(BOB))
    assert sightings.found == frozenset()
    sightings.know({BOB: (secret(99), secret(BOB))}, at(1))
    assert sightings.found == {BOB}
    assert len(sightings.tick(at(31))) == 1


def test_a_contact_that_is_no_longer_looked_for_is_lost() -> None:
    sightings = looking(BOB)
    meet(sightings, announced(BOB))
    sightings.know({}, at(1))
    assert sightings.tick(at(60)) == [Lost(BOB)]


def test_what_was_seen_on_an_interface_goes_with_it() -> None:
    sightings = looking(BOB)
    meet(sightings, announced(BOB))
    sightings.attach({WIRELESS: NETWORKS[WIRELESS]}, at(1))
    assert sightings.tick(at(60)) == [Lost(BOB)]


def test_an_interface_whose_addresses_change_keeps_what_it_still_reaches() -> None:
    sightings = looking(BOB)
    meet(sightings, announced(BOB))
    sightings.attach({ETHERNET: (*NETWORKS[ETHERNET], Network(ipv4(0, third=9), 120))}, at(1))
    assert sightings.found == {BOB}
    sightings.attach({ETHERNET: (Network(ipv4(0, third=9), 120),)}, at(2))
    assert sightings.tick(at(60)) == [Lost(BOB)]


class AnyNetwork(RuleBasedStateMachine):
    """Contacts, strangers, copies and goodbyes in any order: what is promised holds."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.sightings = looking(BOB, CAROL)
        self.dice = Dice(5)
        self.said: list[tuple[str, bytes]] = []
        self.standing: set[int] = set()
        self.dialled: set[bytes] = set()

    @rule(whose=st.sets(st.sampled_from([BOB, CAROL, 7])), seconds=st.floats(0, 40))
    def announce(self, whose: set[int], seconds: float) -> None:
        self.now += seconds
        epoch = EPOCH + int(self.now // 600)
        secrets: list[PairSecret] = [secret(number) for number in sorted(whose)]
        txt = encode_txt(make_announcement(self.dice, secrets, HERE, epoch))
        self.said.append((make_instance(self.dice), txt))
        self.sightings.seen(ETHERNET, *self._with_endpoint(-1), at(self.now))

    @rule(which=st.integers(0, 50), renamed=st.booleans())
    def copy(self, which: int, renamed: bool) -> None:
        if self.said:
            instance, endpoint, txt = self._with_endpoint(which % len(self.said))
            self.sightings.seen(
                ETHERNET, make_instance(self.dice) if renamed else instance, endpoint, txt, at(self.now)
            )

    @rule(which=st.integers(0, 50))
    def goodbye(self, which: int) -> None:
        if self.said:
            self.sightings.gone(ETHERNET, self.said[which % len(self.said)][0])

    @rule(contact=st.sampled_from([BOB, CAROL]))
    def end(self, contact: int) -> None:
        if contact in self.standing:
            self.standing.remove(contact)
            self.sightings.ended(contact, at(self.now))

    @rule(seconds=st.floats(0, 700))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        for wish in self.sightings.tick(at(self.now)):
            if isinstance(wish, Lost):
                assert wish.contact not in self.sightings.found
                continue
            assert wish.contact not in self.standing, "two sessions with one contact"
            assert wish.nonce not in self.dialled, "one announcement dialled twice"
            assert wish.secret == secret(wish.contact)
            self.dialled.add(wish.nonce)
            self.standing.add(wish.contact)

    @invariant()
    def nobody_else_is_found(self) -> None:
        assert self.sightings.found <= {BOB, CAROL}

    def _with_endpoint(self, which: int) -> tuple[str, Endpoint, bytes]:
        instance, txt = self.said[which]
        return instance, HERE, txt


TestAnyNetwork = AnyNetwork.TestCase
TestAnyNetwork.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)
