"""What is asked of the API is answered exactly, through the client that the command line uses."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio

from node.api.access import Access, read_access
from node.api.client import Client, NotRunningError
from node.api.errors import ApiError
from node.api.server import serve_api
from node.profile import Profile, create_profile
from protocol.limits import MAX_TEXT_BYTES
from protocol.operations import Accept, Configure, Invite, SetName
from protocol.wire.commands import Preset
from tests.node.fake_node import LINK, FakeNode

ADDRESS = "kassiber://relay.example:7777/r#" + "A" * 43


@pytest.fixture(autouse=True)
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))


@asynccontextmanager
async def running(tmp_path: Path) -> AsyncIterator[tuple[FakeNode, "Asking"]]:
    node, profile = FakeNode(), create_profile(tmp_path / "profile")
    async with serve_api(node, profile):
        yield node, Asking(profile)


class Asking:
    """The synchronous client, in a thread, as another process would use it."""

    def __init__(self, profile: Profile) -> None:
        self.client = Client(profile)

    async def __call__(self, method: str, path: str, body: object = None) -> Any:
        return await trio.to_thread.run_sync(partial(self.client.request, method, path, body))

    async def changes(self, after: int, count: int) -> list[Any]:
        def take() -> list[Any]:
            lines = (line for line in self.client.changes(after) if line)
            return [json.loads(next(lines)) for _ in range(count)]

        return await trio.to_thread.run_sync(take)


async def test_traffic_tells_what_links_follow_and_what_they_sent(tmp_path: Path) -> None:
    async with running(tmp_path) as (node, ask):
        node.meter.note(4_096, False, 10.0)
        node.traffic, node.forward = Preset.CONSTANT_4, True
        found = await ask("GET", "/v1/traffic")
        assert (found["traffic"], found["forward"], found["relays"]) == ("constant-4", True, 0)
        assert found["sent"] == {
            "seconds": 3_000.0, "real_frames": 0, "real_bytes": 0, "cover_frames": 1, "cover_bytes": 4_096
        }  # fmt: skip
        status = await ask("GET", "/v1/status")
        assert (status["traffic"], status["forward"]) == ("constant-4", True)


async def test_who_is_not_visible_is_told_what_to_do(tmp_path: Path) -> None:
    """On networks that are not said to be trusted nobody is. With other nodes: tests/journeys/test_meeting.py."""
    async with running(tmp_path) as (_, ask):
        with pytest.raises(ApiError, match="kassiber up --discovery") as refused:
            await ask("POST", "/v1/meeting", {"name": "Alice"})
        assert refused.value.code == "refused"
        for method, path, body in [
            ("GET", "/v1/meeting", None), ("DELETE", "/v1/meeting", None),
            ("POST", "/v1/meeting/call", {"person": 1}), ("PUT", "/v1/meeting/call", {"same": True}),
        ]:  # fmt: skip
            with pytest.raises(ApiError, match="Begin: kassiber meet"):
                await ask(method, path, body)
        with pytest.raises(ApiError) as refused:
            await ask("PUT", "/v1/meeting/call", {"same": "yes"})
        assert refused.value.code == "bad_request"


async def test_status_tells_how_the_node_stands(tmp_path: Path) -> None:
    async with running(tmp_path) as (node, ask):
        node.add_contact("Bob")
        await ask("PUT", "/v1/name", {"name": "Alice"})
        assert isinstance(node.operations[-1], SetName)
        status = await ask("GET", "/v1/status")
        assert (status["name"], status["contacts"], status["last_change"]) == ("Alice", 1, 1)


async def test_relays_are_replaced_as_a_whole(tmp_path: Path) -> None:
    async with running(tmp_path) as (node, ask):
        reply = await ask("PUT", "/v1/relays", {"relays": [ADDRESS]})
        assert reply["relays"][0]["host"] == "ws://relay.example:7777"
        assert reply["relays"][0]["key"] == "A" * 43
        assert isinstance(node.operations[-1], Configure)
        with pytest.raises(ApiError, match="not a relay's address"):
            await ask("PUT", "/v1/relays", {"relays": [LINK]})


async def test_an_invitation_is_made_listed_and_cancelled(tmp_path: Path) -> None:
    async with running(tmp_path) as (node, ask):
        made = await ask("POST", "/v1/invitations", {"name": "Bob"})
        assert made["link"] == LINK
        assert node.operations[-1] == Invite(10_080, "Bob")
        assert (await ask("GET", "/v1/invitations"))["invitations"][0]["state"] == "open"
        assert await ask("DELETE", "/v1/invitations/1") == {}
        with pytest.raises(ApiError, match="<= 43200"):
            await ask("POST", "/v1/invitations", {"lifetime_minutes": 43_201})


async def test_an_invitation_is_accepted_by_link_or_by_file(tmp_path: Path) -> None:
    async with running(tmp_path) as (node, ask):
        assert await ask("POST", "/v1/contacts", {"link": LINK}) == {"contact": 1}
        assert await ask("POST", "/v1/contacts", {"file": "AGZpbGU=", "name": "Eve"}) == {"contact": 2}
        assert node.operations[-1] == Accept(None, b"\x00file", "Eve")
        with pytest.raises(ApiError, match="used by someone else") as caught:
            await ask("POST", "/v1/contacts", {"link": "kassiber://used/i#"})
        assert caught.value.code == "refused"
        wrong: list[object] = [{}, {"link": LINK, "file": "AA=="}, {"lnk": LINK}, [], {"file": "*"}]
        for body in wrong:
            with pytest.raises(ApiError) as caught:
                await ask("POST", "/v1/contacts", body)
            assert caught.value.code == "bad_request"


async def test_a_contact_is_shown_changed_and_removed(tmp_path: Path) -> None:
    async with running(tmp_path) as (node, ask):
        node.add_contact("Bob")
        assert (await ask("PATCH", "/v1/contacts/1", {"verified": True}))["verified"] is True
        assert (await ask("PATCH", "/v1/contacts/1", {"name": "Robert"}))["verified"] is True
        assert (await ask("GET", "/v1/contacts/1"))["name"] == "Robert"
        await ask("DELETE", "/v1/contacts/1")
        with pytest.raises(ApiError) as caught:
            await ask("GET", "/v1/contacts/1")
        assert caught.value.code == "not_found"


@pytest.mark.parametrize("text", ["a\x00b\n", "cafe\u0301 \u202e\u0007", "\U0001f600" * 3, "\\u0000\r\n\t\x7f\x1b[31m"])
async def test_text_comes_and_goes_exactly(tmp_path: Path, text: str) -> None:
    async with running(tmp_path) as (node, ask):
        node.add_contact("Bob")
        sent = await ask("POST", "/v1/messages", {"contact": 1, "text": text})
        (row,) = (await ask("GET", "/v1/messages?contact=1"))["messages"]
        assert (row["text"], row["message_id"], row["change"]) == (text, sent["message_id"], sent["change"])
        assert (await ask.changes(1, 1))[0]["text"] == text


async def test_the_longest_text_goes_through_and_one_byte_more_is_refused(tmp_path: Path) -> None:
    async with running(tmp_path) as (node, ask):
        node.add_contact("Bob")
        await ask("POST", "/v1/messages", {"contact": 1, "text": "\x00" * MAX_TEXT_BYTES})
        with pytest.raises(ApiError, match="at most 262,144 bytes"):
            await ask("POST", "/v1/messages", {"contact": 1, "text": "\x00" * (MAX_TEXT_BYTES + 1)})
        with pytest.raises(ApiError, match="at most 2,097,152 bytes"):
            await ask("POST", "/v1/messages", {"contact": 1, "text": "x" * 3_000_000})


async def test_half_a_surrogate_pair_is_no_text(tmp_path: Path) -> None:
    async with running(tmp_path) as (node, ask):
        node.add_contact("Bob")
        with pytest.raises(ApiError, match="does not fit"):
            await ask("POST", "/v1/messages", {"contact": 1, "text": "\ud800"})


async def test_messages_come_in_pages(tmp_path: Path) -> None:
    async with running(tmp_path) as (node, ask):
        node.add_contact("Bob")
        for number in range(300):
            node.receive(1, str(number))
        first = await ask("GET", "/v1/messages")
        rest = await ask("GET", f"/v1/messages?after={first['next']}")
        assert [row["text"] for row in first["messages"] + rest["messages"]] == [str(number) for number in range(300)]
        assert rest["next"] is None


@pytest.mark.parametrize(
    ("text", "code"), [("full", "disk_full"), ("offline", "unavailable"), ("bug", "internal"), ("x", "refused")]
)
async def test_each_kind_of_failure_has_a_code(tmp_path: Path, text: str, code: str) -> None:
    async with running(tmp_path) as (_, ask):
        with pytest.raises(ApiError) as caught:
            await ask("POST", "/v1/messages", {"contact": 7, "text": text})
        assert caught.value.code == code
        assert "nobody thought of" not in str(caught.value)


async def test_changes_resume_from_the_last_complete_line(tmp_path: Path) -> None:
    async with running(tmp_path) as (node, ask):
        node.add_contact("Bob")
        for number in range(200):
            node.receive(1, str(number))
        first = await ask.changes(0, 120)
        rest = await ask.changes(first[-1]["change"], 81)
        assert [change["change"] for change in first + rest] == list(range(1, 202))


async def test_changes_come_as_they_happen(tmp_path: Path) -> None:
    async with running(tmp_path) as (node, ask), trio.open_nursery() as nursery:
        node.add_contact("Bob")
        found: list[Any] = []
        done = trio.Event()

        async def follow() -> None:
            found.extend(await ask.changes(1, 2))
            done.set()

        nursery.start_soon(follow)
        await trio.sleep(0.1)
        assert found == []
        await ask("POST", "/v1/messages", {"contact": 1, "text": "now"})
        with trio.fail_after(2):
            await done.wait()
        assert [(change["kind"], change["state"]) for change in found] == [("message", "queued"), ("state", "relayed")]


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("GET", "/", "not_found"),
        ("GET", "/v1/nothing", "not_found"),
        ("GET", "/v1/contacts/x", "not_found"),
        ("PUT", "/v1/status", "method_not_allowed"),
        ("GET", "/v1/changes?after=-1", "bad_request"),
        ("GET", "/v1/changes?after=1e3", "bad_request"),
        ("GET", "/v1/changes?after=99999999999999999999", "bad_request"),
        ("GET", "/v1/changes?" + "&".join("a=1" for _ in range(20)), "bad_request"),
    ],
)
async def test_what_does_not_exist_or_fit_is_told(tmp_path: Path, method: str, path: str, code: str) -> None:
    async with running(tmp_path) as (_, ask):
        with pytest.raises(ApiError) as caught:
            await ask(method, path)
        assert caught.value.code == code


async def test_without_a_node_the_client_says_how_to_start_one(tmp_path: Path) -> None:
    async with running(tmp_path) as (_, ask):
        pass
    with pytest.raises(NotRunningError, match="kassiber up"):
        await ask("GET", "/v1/status")


async def test_a_token_that_a_killed_node_left_is_not_shown_to_the_next_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next node begins to listen between the client's look at the access file and its connection."""
    async with running(tmp_path) as (_, ask):
        stale = iter([Access("of the dead", None)])
        monkeypatch.setattr("node.api.client.read_access", lambda path: next(stale, None) or read_access(path))
        await ask("GET", "/v1/status")
        assert next(stale, None) is None
        starting = iter([Access("of the dead", None)])
        monkeypatch.setattr("node.api.client.read_access", lambda _: next(starting, None))
        with pytest.raises(NotRunningError, match="only starting"):
            await ask("GET", "/v1/status")
