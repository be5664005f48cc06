"""Whatever a program sends to the API's socket, the next one is served."""

import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from node.api import access, limits
from node.api.access import read_access
from node.api.client import Client
from node.api.server import serve_api
from node.profile import Profile, create_profile
from tests.node.fake_node import FakeNode


@pytest.fixture
def profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Profile:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return create_profile(tmp_path / "profile")


@asynccontextmanager
async def serving(profile: Profile) -> AsyncIterator[FakeNode]:
    """A server that still answers an honest client at the end."""
    node = FakeNode()
    async with serve_api(node, profile):
        yield node
        await trio.to_thread.run_sync(Client(profile).request, "GET", "/v1/status")


def authorization(profile: Profile) -> bytes:
    found = read_access(profile.access)
    assert found is not None
    return b"Authorization: Bearer " + found.token.encode() + b"\r\n"


def request(profile: Profile, path: bytes = b"/v1/status", more: bytes = b"") -> bytes:
    return b"GET " + path + b" HTTP/1.1\r\nHost: localhost\r\n" + authorization(profile) + more + b"\r\n"


async def talk(profile: Profile, data: bytes, half_close: bool = False) -> bytes:
    """All that is answered until the server closes."""
    async with await trio.open_unix_socket(profile.socket) as stream:
        await stream.send_all(data)
        if half_close:
            await stream.send_eof()
        answer = b""
        with trio.fail_after(5):
            while piece := await stream.receive_some():
                answer += piece
        return answer


async def test_socket_and_token_are_this_users_alone(profile: Profile) -> None:
    async with serving(profile):
        assert profile.socket.stat().st_mode & 0o777 == 0o600
        assert profile.access.stat().st_mode & 0o777 == 0o600
        assert profile.access.parent.stat().st_mode & 0o777 == 0o700
        assert profile.access.parent not in {profile.directory, *profile.directory.parents[:1]}
    assert not profile.socket.exists()
    assert not profile.access.exists()


async def test_a_dead_nodes_socket_is_replaced(profile: Profile) -> None:
    profile.socket.parent.mkdir(mode=0o700)
    left = socket.socket(socket.AF_UNIX)
    left.bind(os.fspath(profile.socket))
    left.close()
    async with serving(profile):
        pass


@pytest.mark.parametrize(
    "header",
    [b"", b"Authorization: Bearer\r\n", b"Authorization: Bearer x\r\n", b"Authorization: Bearer \xff\xfe\r\n"],
)
async def test_without_the_token_nothing_is_answered(profile: Profile, header: bytes) -> None:
    async with serving(profile) as node:
        answer = await talk(profile, b"GET /v1/status HTTP/1.1\r\nHost: x\r\n" + header + b"\r\n")
        assert answer.startswith(b"HTTP/1.1 401 ")
        assert b'{"error":{"code":"unauthorised"' in answer
        assert node.operations == []


async def test_two_tokens_are_none(profile: Profile) -> None:
    async with serving(profile):
        assert (await talk(profile, request(profile, more=authorization(profile)))).startswith(b"HTTP/1.1 401 ")


async def test_without_the_token_no_body_is_read(profile: Profile) -> None:
    async with serving(profile):
        answer = await talk(profile, b"POST /v1/messages HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999999\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 401 ")


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
        (b"GET /v1/status HTTP/1.1\r\n\r\n", 400),
        (b"GET /v1/st\xc3\xa4tus HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nA\xff: y\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 20_000, 431),
        (b"G" * 20_000, 431),
    ],
)
async def test_what_is_no_request_is_refused(profile: Profile, data: bytes, status: int) -> None:
    async with serving(profile):
        assert (await talk(profile, data)).startswith(f"HTTP/1.1 {status} ".encode())


async def test_header_bytes_beyond_ascii_disturb_nobody(profile: Profile) -> None:
    async with serving(profile):
        answer = await talk(profile, request(profile, more=b"X-Name: Z\xc3\xbcrich\xff\r\nConnection: close\r\n"))
        assert answer.startswith(b"HTTP/1.1 200 ")


async def test_every_header_with_every_byte_gets_an_answer_or_is_closed(profile: Profile) -> None:
    async with serving(profile):
        for name in (b"Host", b"Connection", b"Content-Length", b"Transfer-Encoding", b"Expect", b"Authorization"):
            for byte in (b"\x00", b"\x0b", b"\x7f", b"\x80", b"\xff", b","):
                answer = await talk(profile, b"GET / HTTP/1.1\r\n" + name + b": " + byte + b"\r\n\r\n", half_close=True)
                assert answer == b"" or answer.startswith((b"HTTP/1.1 4", b"HTTP/1.1 5"))


async def test_a_large_body_is_refused_and_the_reason_arrives(profile: Profile) -> None:
    async with serving(profile):
        size = limits.MAX_BODY_BYTES + 100_000
        head = request(profile, b"/v1/messages", f"Content-Length: {size}\r\n".encode()).replace(b"GET", b"POST")
        answer = await talk(profile, head + b" " * size)
        assert answer.startswith(b"HTTP/1.1 413 ")


async def test_chunks_without_end_are_refused(profile: Profile) -> None:
    async with serving(profile):
        head = request(profile, b"/v1/messages", b"Transfer-Encoding: chunked\r\n").replace(b"GET", b"POST")
        answer = await talk(profile, head + (b"10000\r\n" + b" " * 65_536 + b"\r\n") * 40)
        assert answer.startswith(b"HTTP/1.1 413 ")


async def test_a_slow_request_is_given_up(profile: Profile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "REQUEST_SECONDS", 0.2)
    async with serving(profile), await trio.open_unix_socket(profile.socket) as stream:
        await stream.send_all(b"GET /v1/status HT")
        with trio.fail_after(3):
            assert (await stream.receive_some()).startswith(b"HTTP/1.1 408 ")


async def test_a_silent_connection_is_closed(profile: Profile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "IDLE_SECONDS", 0.2)
    async with serving(profile):
        assert await talk(profile, b"") == b""


async def test_half_a_request_and_a_half_close_end_the_connection(profile: Profile) -> None:
    async with serving(profile):
        answer = await talk(profile, b"GET /v1/status HTTP/1.1\r\nHo", half_close=True)
        assert answer == b"" or answer.startswith(b"HTTP/1.1 400 ")


async def test_a_whole_request_before_a_half_close_is_answered(profile: Profile) -> None:
    async with serving(profile):
        assert (await talk(profile, request(profile), half_close=True)).startswith(b"HTTP/1.1 200 ")


async def test_a_half_close_ends_a_stream_of_changes(profile: Profile) -> None:
    async with serving(profile):
        assert (await talk(profile, request(profile, b"/v1/changes"), half_close=True)).startswith(b"HTTP/1.1 200 ")


async def test_pipelined_requests_are_all_answered(profile: Profile) -> None:
    async with serving(profile):
        answer = await talk(profile, request(profile) * 3, half_close=True)
        assert answer.count(b"HTTP/1.1 200 ") == 3


async def test_who_asks_before_sending_is_told_to_go_on(profile: Profile) -> None:
    async with serving(profile), await trio.open_unix_socket(profile.socket) as stream:
        head = request(profile, b"/v1/name", b"Expect: 100-continue\r\nContent-Length: 12\r\n").replace(b"GET", b"PUT")
        await stream.send_all(head)
        with trio.fail_after(3):
            assert (await stream.receive_some()).startswith(b"HTTP/1.1 100 ")
            await stream.send_all(b'{"name":"A"}')
            assert (await stream.receive_some()).startswith(b"HTTP/1.1 200 ")


async def test_a_reader_that_does_not_read_is_left(profile: Profile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "WRITE_SECONDS", 0.3)
    async with serving(profile) as node, await trio.open_unix_socket(profile.socket) as stream:
        node.add_contact("Bob")
        for _ in range(200):
            node.receive(1, "x" * 100_000)
        await stream.send_all(request(profile, b"/v1/changes"))
        await trio.sleep(0.8)
        received = 0
        with trio.fail_after(5):
            try:
                while piece := await stream.receive_some():
                    received += len(piece)
            except trio.BrokenResourceError:
                pass
        assert received < 10_000_000


async def test_an_idle_stream_has_a_heartbeat(profile: Profile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("node.api.changes.HEARTBEAT_SECONDS", 0.1)
    async with serving(profile):

        def two() -> list[bytes]:
            lines = iter(Client(profile).changes(0))
            return [next(lines), next(lines)]

        with trio.fail_after(3):
            assert await trio.to_thread.run_sync(two) == [b"", b""]


async def test_too_many_connections_are_told_so_and_the_next_is_served(profile: Profile) -> None:
    async with serving(profile):
        held = [await trio.open_unix_socket(profile.socket) for _ in range(limits.MAX_CONNECTIONS)]
        await trio.sleep(0.1)
        assert (await talk(profile, request(profile))).startswith(b"HTTP/1.1 503 ")
        for stream in held:
            await stream.aclose()
        await trio.sleep(0.1)


async def test_a_thousand_connections_opened_and_left_disturb_nobody(profile: Profile) -> None:
    async with serving(profile):
        for _ in range(1_000):
            await (await trio.open_unix_socket(profile.socket)).aclose()


async def test_where_there_are_no_unix_sockets_the_loopback_serves(
    profile: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access, "HAS_UNIX_SOCKETS", False)
    async with serving(profile):
        found = read_access(profile.access)
        assert found is not None
        assert found.port is not None
        assert not profile.socket.exists()
