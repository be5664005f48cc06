"""When an address is announced, under another name each time, and when it is not (Spec 9 §3).

One for each address of each interface. It says what is wanted; whoever holds sockets does it.
"""

from collections.abc import Sequence
from enum import Enum

from msgspec import Struct

from protocol.discovery.announcement import encode_txt, make_announcement, make_instance
from protocol.discovery.tags import EPOCHS_BEFORE, Endpoint, epoch_of
from protocol.entropy import Entropy
from protocol.events import Now
from protocol.keys import PairSecret
from protocol.timing import Timing


class Wanted(Enum):
    """What `Announcer.tick` asks for."""

    NOTHING = 0
    LISTEN = 1
    """Take a fresh port, then call `announce`, or `cannot_listen`."""
    WITHDRAW = 2
    """Take down what was published last, without a goodbye, and take no new connections on its port."""


class Published(Struct, frozen=True):
    """`secrets` are those that connections to this port may rest on; `nonce` is what their hints are made with."""

    instance: str
    endpoint: Endpoint
    nonce: bytes
    txt: bytes
    secrets: tuple[PairSecret, ...]
    epoch: int


class Announcer:
    """Gap, announcement, gap, announcement …"""

    def __init__(self, entropy: Entropy, timing: Timing, address: bytes, now: Now) -> None:
        """`address`: 16 bytes. It begins with a gap: an address that comes and goes says nothing each time."""
        self._entropy = entropy
        self._timing = timing
        self._address = address
        self.published: Published | None = None
        self.next_wake = now.service + self._gap()

    def tick(self, now: Now) -> Wanted:
        """At `next_wake`, or earlier: harmless."""
        if self.published is None:
            return Wanted.LISTEN if now.service >= self.next_wake else Wanted.NOTHING
        if now.service < self.next_wake and 0 <= epoch_of(now.wall) - self.published.epoch <= EPOCHS_BEFORE:
            return Wanted.NOTHING
        # Its time has come; or the clock jumped, as after sleep, and nobody recognises it any more.
        self.published = None
        self.next_wake = now.service + self._gap()
        return Wanted.WITHDRAW

    def announce(self, port: int, secrets: Sequence[PairSecret], now: Now) -> Published:
        """After LISTEN: a name, nonce and tags that were never used. `secrets`: at most 64."""
        assert self.published is None
        endpoint, epoch = Endpoint(self._address, port), epoch_of(now.wall)
        instance = make_instance(self._entropy)
        announcement = make_announcement(self._entropy, secrets, endpoint, epoch)
        txt = encode_txt(announcement)
        self.published = Published(instance, endpoint, announcement.nonce, txt, tuple(secrets), epoch)
        timing = self._timing
        life = self._between(timing.announcement_least_seconds, timing.announcement_most_seconds)
        self.next_wake = now.service + life
        return self.published

    def cannot_listen(self, now: Now) -> None:
        """After LISTEN: try again after another gap."""
        self.next_wake = now.service + self._gap()

    def _gap(self) -> float:
        return self._between(self._timing.announcement_gap_least_seconds, self._timing.announcement_gap_most_seconds)

    def _between(self, least: float, most: float) -> float:
        return least + (most - least) * self._entropy.uniform()
