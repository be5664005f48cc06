"""Dialling by a real SOCKS5 proxy: it gets names, nothing goes past it, and what it does wrong is told in words."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress

import pytest
import trio

from node.entropy import SystemEntropy
from node.transport import proxy as proxy_module
from node.transport.contract import FrameStream
from node.transport.dialer import By, dial
from node.transport.proxy import Proxy, is_onion, parse_proxy
from protocol.errors import CallerError, WorldError
from protocol.keys import RelayKey
from tests.node.serving import serving
from tests.node.socks_server import NO_AUTHENTICATION, SocksServer

ONION = "a" * 56 + ".onion"


@pytest.fixture
def server() -> Iterator[SocksServer]:
    made = SocksServer({"relay.invalid": "127.0.0.1", ONION: "127.0.0.1"})
    yield made
    made.stop()


class Looking(trio.abc.HostnameResolver):
    """Writes down every name that is looked up here."""

    def __init__(self) -> None:
        self.names: list[object] = []

    async def getaddrinfo(self, host: object, *rest: object, **more: object) -> list[object]:  # type: ignore[override]
        self.names.append(host)
        raise OSError(1, "nothing is looked up here")

    async def getnameinfo(self, *_: object) -> tuple[str, str]:
        raise AssertionError


@pytest.fixture
async def looking() -> AsyncIterator[Looking]:
    resolver = Looking()
    trio.socket.set_custom_hostname_resolver(resolver)
    yield resolver
    trio.socket.set_custom_hostname_resolver(None)


def by(place: str, *, apart: bool = False) -> By:
    made = Proxy(parse_proxy(place), SystemEntropy(), apart=apart)
    return By(made, made.credentials(RelayKey(bytes(32))))


async def reached(host: str, way: By) -> None:
    """Returns once there was a WebSocket with it."""
    used: list[FrameStream] = []

    async def use(frames: FrameStream) -> None:
        used.append(frames)

    with trio.fail_after(5):
        await dial(host, use, by=way)
    assert used


@pytest.mark.parametrize("name", ["relay.invalid", ONION])
async def test_the_proxy_is_given_the_name_and_nobody_here_looks_it_up(
    server: SocksServer, looking: Looking, name: str
) -> None:
    async with serving() as served:
        await reached(f"ws://{name}:{served.port}", by(server.place))
        assert [(one.kind, one.name, one.port) for one in server.asked] == [(3, name, served.port)]
    assert looking.names == []


async def test_one_relay_and_group_always_goes_by_the_same_credentials_until_the_next_start(
    server: SocksServer,
) -> None:
    one, other = (Proxy(parse_proxy(server.place), SystemEntropy()) for _ in range(2))
    relays = [RelayKey(bytes((number,)) * 32) for number in (1, 2)]
    named = [way.credentials(relay, group) for way in (one, other) for relay in relays for group in (0, 1, -1)]
    assert len(set(named)) == len(named)
    assert one.credentials(relays[0], 1) == named[1]
    assert one.fresh_credentials() != one.fresh_credentials()
    async with serving() as served:
        for _ in range(2):
            await reached(served.host, By(one, named[0]))
    assert {(asked.username, asked.password) for asked in server.asked} == {tuple(named[0])}


async def test_a_proxy_without_passwords_serves_who_keeps_nothing_apart() -> None:
    server = SocksServer(methods=(NO_AUTHENTICATION,))
    async with serving() as served:
        await reached(served.host, by(server.place))
        with pytest.raises(WorldError, match="keep connections apart"):
            await reached(served.host, by(server.place, apart=True))
    assert len(server.asked) == 1
    server.stop()


async def test_what_the_proxy_cannot_reach_is_told(server: SocksServer) -> None:
    with pytest.raises(WorldError, match="does not find its name"):
        await reached("ws://elsewhere.invalid:1", by(server.place))
    with pytest.raises(WorldError, match="it refused"):
        await reached("ws://127.0.0.1:1", by(server.place))


async def test_a_proxy_that_is_not_there_is_told_and_not_gone_round(server: SocksServer) -> None:
    server.stop()
    async with serving() as served:
        with pytest.raises(
            WorldError, match=r"the proxy socks5://127.0.0.1:\d+ cannot be reached \(connection refused"
        ):
            await reached(served.host, by(server.place))
        assert served.listener.connections == 0
        assert not served.endings


@asynccontextmanager
async def saying(answer: bytes, *, close: bool = True) -> AsyncIterator[str]:
    """Something that says this to whoever connects."""

    async def serve(stream: trio.SocketStream) -> None:
        async with stream:
            await stream.send_all(answer)
            if close:
                await stream.send_eof()
            with suppress(trio.BrokenResourceError):
                while await stream.receive_some():
                    pass

    async with trio.open_nursery() as nursery:
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, serve, [listener])
        yield f"socks5://127.0.0.1:{listener.socket.getsockname()[1]}"
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"", "the proxy broke the connection off"),
        (b"\x05", "the proxy broke the connection off"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "is not a SOCKS5 proxy"),
        (b"\x05\xff", "another authentication"),
        (b"\x05\x02\x01\x01", "another authentication"),
        (b"\x05\x02\x01\x00\x05\x00", "the proxy broke the connection off"),
        (b"\x05\x02\x01\x00" + bytes(900), "is not a SOCKS5 proxy"),
    ],
)
async def test_a_proxy_that_answers_garbage_is_told_in_words(answer: bytes, reason: str) -> None:
    async with saying(answer) as place:
        with pytest.raises(WorldError, match=reason):
            await reached("ws://relay.invalid:1", by(place))


async def test_a_proxy_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proxy_module, "GREETING_SECONDS", 0.2)
    async with saying(b"\x05", close=False) as place:
        with pytest.raises(WorldError, match="does not answer"):
            await reached("ws://relay.invalid:1", by(place))


async def test_an_onion_address_without_a_proxy_is_not_even_looked_up(looking: Looking) -> None:
    async def use(frames: FrameStream) -> None:
        pytest.fail("it connected")

    for public_only in (False, True):
        with pytest.raises(WorldError, match="by a proxy only"):
            await dial(f"ws://{ONION}:80", use, public_only=public_only)
    assert looking.names == []
    assert is_onion("onion")
    assert not is_onion("onion.example")


async def test_an_entry_relay_asks_a_proxy_for_no_inner_address(server: SocksServer) -> None:
    async def use(frames: FrameStream) -> None:
        pytest.fail("it connected")

    for host in ("ws://127.0.0.1:1", "ws://[::1]:1", "ws://10.0.0.1:1", "ws://localhost:1"):
        with pytest.raises(WorldError, match="no public address"):
            await dial(host, use, public_only=True, by=by(server.place))
    assert server.asked == []


@pytest.mark.parametrize(
    "wrong",
    ["127.0.0.1:9050", "http://127.0.0.1:9050", "socks5://127.0.0.1", "socks5://me:pw@127.0.0.1:9050",
     "socks5://127.0.0.1:9050/", "socks5://", f"socks5://{ONION}:9050", "socks4://127.0.0.1:9050"],
)  # fmt: skip
def test_what_is_no_proxy_is_refused(wrong: str) -> None:
    with pytest.raises(CallerError):
        parse_proxy(wrong)


def test_a_proxy_reads_back() -> None:
    for text in ("socks5://127.0.0.1:9050", "socks5://[::1]:9050", "socks5://tor.lan:1"):
        assert str(parse_proxy(text)) == text
    assert parse_proxy("socks5h://127.0.0.1:9050") == parse_proxy("socks5://127.0.0.1:9050")
