"""A relay as a program of its own: a directory with its key and database, listening sockets, and signals.

relay.key   32-byte seed of its one Ed25519 key (0600): who loses it loses the address
relay.db    what it keeps, plain SQLite: nothing in it is anybody's plaintext; and its onion keys of two weeks
"""

import os
import signal
import socket
import stat
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias

import structlog
import trio

from node.entropy import SystemEntropy
from node.files import allow_open_files, make_private_directory, write_private
from node.profile import Profile, locked
from node.runtime import Running, open_core
from node.store.relay import RelayStore
from node.transport.contract import FrameStream, Use
from node.transport.dialer import By, dial
from node.transport.listener import Established, Listener, listen
from node.transport.proxy import Proxy, ProxyPlace, patient
from protocol.crypto.suite import RealSuite
from protocol.errors import CallerError, PeerError
from protocol.keys import Group, Minute, PublisherKey, RelayKey, SigningKey
from protocol.limits import MAX_CONNECTIONS, MAX_CONNECTIONS_PER_ADDRESS
from protocol.link.responder import ResponderLink
from protocol.machines.contract import Core
from protocol.machines.forwarding import Forwarding
from protocol.machines.relay import Relay
from protocol.relays.links import MAX_LIST_FILE_BYTES, format_list_link, format_publisher, from_file
from protocol.relays.refusals import refusal
from protocol.relays.relay_list import parse_list, read_list
from protocol.timing import Timing
from protocol.wire.addresses import Host, format_address, parse_address, parse_hosts

log = structlog.get_logger(__name__)

KEY_FILE = "relay.key"
DATABASE_FILE = "relay.db"
_FILES_BESIDE_CONNECTIONS = 256
_EVERYWHERE = frozenset({"0.0.0.0", "[::]"})  # noqa: S104 - recognised, not bound

Forward: TypeAlias = Literal["public", "any", "none"]
"""To relays with a public address; to any, also on this machine and its networks; to none."""

_suite = RealSuite()


class ServedRelay:
    """A relay at work."""

    def __init__(
        self, running: Running, key: SigningKey, timing: Timing, address: str, ports: list[int], list_link: str | None
    ) -> None:
        self.key = RelayKey(key[32:])
        self.address = address
        """`kassiber://host:port/r#key`, for people to pass on."""
        self.ports = ports
        self.list_link = list_link
        """Leads to the list of relays that it offers, if it offers one."""
        self._running = running
        self._signing = key
        self._timing = timing

    async def carry(self, frames: FrameStream, established: Established) -> None:
        """One connection from outside."""
        link = ResponderLink(_suite, SystemEntropy(), self._timing, self._signing, frames.opened_at)
        await self._running.carry(frames, link, established=established)


@asynccontextmanager
async def open_relay(
    directory: Path,
    places: Sequence[str],
    public: str | None = None,
    timing: Timing | None = None,
    *,
    offered: Path | None = None,
    forward: Forward = "public",
    proxy: ProxyPlace | None = None,
    cards: bool = False,
    most: int = MAX_CONNECTIONS,
    most_per_address: int = MAX_CONNECTIONS_PER_ADDRESS,
) -> AsyncIterator[ServedRelay]:
    """A relay that serves while the block runs.

    `places`: where to listen, `name:port` each (port 0: any). `public`: what others reach it by, `name:port` or
    `wss://name:port` where something in front of it speaks TLS. `offered`: the file of a signed list of relays, for
    whoever asks. `forward`: to which relays it carries what nodes give it for others; `proxy`: by what it
    reaches those. `cards`: whether it keeps cards for people to be found by.

    Raises CallerError, DiskFullError, DiskBrokenError.
    """
    timing = timing or Timing()
    listed = _read_list(offered) if offered is not None else None
    make_private_directory(directory)
    with locked(Profile(directory)):
        key = load_key(directory / KEY_FILE)
        sockets = [bound for place in places for bound in await listen(*_name_and_port(place))]
        ports = [bound.socket.getsockname()[1] for bound in sockets]
        address = format_address(_public_host(public, places[0], ports[0]), RelayKey(key[32:]))
        entropy = SystemEntropy()
        way = Proxy(proxy, entropy) if proxy is not None else None
        dialling = patient(timing) if way is not None else timing
        forwarding = Forwarding(_suite, entropy, dialling, key) if forward != "none" else None
        encoded = listed.encoded if listed is not None else b""
        make = partial(_open_core, directory / DATABASE_FILE, key, timing, encoded, forwarding, cards)

        async def connect(relay: RelayKey, host: str, use: Use, _: Group) -> None:
            by = By(way, way.credentials(relay)) if way is not None else None
            await dial(host, use, public_only=forward == "public", by=by)

        async with (
            open_core(make, suite=_suite, entropy=entropy, timing=dialling, connect=connect) as running,
            trio.open_nursery() as nursery,
        ):
            served = ServedRelay(running, key, timing, address, ports, _list_link(address, listed))
            listener = Listener(sockets, served.carry, timing, most=most, most_per_address=most_per_address)
            await nursery.start(listener.run)
            yield served
            nursery.cancel_scope.cancel()


def load_key(path: Path) -> SigningKey:
    """The key in `path`, made there if missing. Raises CallerError: damaged, or readable by others."""
    if not path.exists():
        write_private(path, os.urandom(32))
    seed = path.read_bytes()
    if len(seed) != 32:
        raise CallerError(f"{path} is damaged: it should hold 32 bytes. Restore it: a new key is a new address.")
    if os.name == "posix" and stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise CallerError(f"{path} can be read by other users. Close it: chmod 600 {path}")
    return _suite.signing_key(seed)


@contextmanager
def _open_core(
    path: Path, key: SigningKey, timing: Timing, offered: bytes, forwarding: Forwarding | None, cards: bool
) -> Iterator[Core[Any]]:
    """In the thread that will own it."""
    store = RelayStore(path)
    try:
        relay = Relay(
            _suite, timing, RelayKey(key[32:]), offered=offered, forwarding=forwarding, directory=cards
        )  # fmt: skip
        yield Core(relay, store)
    finally:
        store.close()


class _Listed(NamedTuple):
    encoded: bytes
    publisher: PublisherKey


def _read_list(path: Path) -> _Listed:
    """What the relay offers. Raises CallerError: nobody would take this list."""
    with path.open("rb") as file:
        encoded = from_file(file.read(MAX_LIST_FILE_BYTES))
    publisher = None
    try:
        publisher = parse_list(encoded).publisher
        read_list(_suite, encoded, publisher, None, Minute(int(time.time() // 60)))
    except PeerError as error:
        whose = format_publisher(publisher) if publisher is not None else "its publisher"
        raise refusal(error, f"The list in {path}", whose) from None
    return _Listed(encoded, publisher)


def _list_link(address: str, listed: _Listed | None) -> str | None:
    return format_list_link(*parse_address(address), listed.publisher) if listed is not None else None


def _name_and_port(place: str) -> tuple[str, int]:
    name, separator, port = place.rpartition(":")
    if not separator or not (port.isascii() and port.isdigit() and int(port) < 65_536):
        raise CallerError(f"{place!r} is no place to listen at: it should look like 0.0.0.0:4040 or [::]:4040.")
    return name.strip("[]"), int(port)


def _public_host(public: str | None, place: str, port: int) -> Host:
    """What the relay's address names. Where it listens everywhere and nobody said otherwise: this machine's name."""
    if public is not None:
        return Host.parse(public) if "://" in public else parse_hosts("kassiber", public)[0]
    name = place.rpartition(":")[0]
    return parse_hosts("kassiber", f"{socket.gethostname() if name in _EVERYWHERE else name}:{port}")[0]


def run_relay(
    directory: Path,
    places: Sequence[str],
    public: str | None,
    started: Callable[[ServedRelay], None],
    timing: Timing | None = None,
    offered: Path | None = None,
    forward: Forward = "public",
    proxy: ProxyPlace | None = None,
    cards: bool = False,
) -> None:
    """Serve until SIGTERM or SIGINT. `started` is called once it can be reached.

    Raises CallerError, DiskFullError, DiskBrokenError.
    """
    _prepare_process()
    trio.run(_serve, directory, places, public, started, timing, offered, forward, proxy, cards)


async def _serve(
    directory: Path,
    places: Sequence[str],
    public: str | None,
    started: Callable[[ServedRelay], None],
    timing: Timing | None,
    offered: Path | None,
    forward: Forward,
    proxy: ProxyPlace | None,
    cards: bool,
) -> None:
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        opened = open_relay(
            directory, places, public, timing, offered=offered, forward=forward, proxy=proxy, cards=cards
        )  # fmt: skip
        async with opened as served:
            started(served)
            log.info("the relay serves")
            await anext(aiter(signals))
            log.info("the relay stops")


def _prepare_process() -> None:
    """No core dumps, which would hold keys; as many open files as connections are allowed."""
    if sys.platform == "win32":
        return
    import resource  # noqa: PLC0415 - POSIX only

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    allow_open_files(MAX_CONNECTIONS + _FILES_BESIDE_CONNECTIONS)
