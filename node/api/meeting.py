"""/v1/meeting: being visible to strangers on the local network, and calls with them (Spec 9 §6)."""

from msgspec import Struct

from node.api.contract import Call, Reply


class NewMeeting(Struct, frozen=True, forbid_unknown_fields=True):
    name: str | None = None
    """For all to see; nil: what contacts are told."""


class NewCall(Struct, frozen=True, forbid_unknown_fields=True):
    person: int


class Comparison(Struct, frozen=True, forbid_unknown_fields=True):
    same: bool
    """Whether the other person sees the same code."""


async def begin(call: Call) -> Reply:
    """POST: visible from now on, for five minutes, for as long as somebody GETs how it stands."""
    return Reply(await call.node.meetings.begin(call.read_body(NewMeeting).name), 201)


async def show(call: Call) -> Reply:
    """GET: once it is another than version `after`, or after some seconds."""
    return Reply(await call.node.meetings.now().state_after(call.number("after", -1)))


async def end(call: Call) -> Reply:
    """DELETE: visible no longer; a call is hung up."""
    call.node.meetings.now().leave()
    return Reply({})


async def make_call(call: Call) -> Reply:
    """POST /v1/meeting/call: answers once there is a code to compare."""
    return Reply(await call.node.meetings.now().call(call.read_body(NewCall).person), 201)


async def compare(call: Call) -> Reply:
    """PUT /v1/meeting/call: what the person sees."""
    same = call.read_body(Comparison).same
    meeting = call.node.meetings.now()
    meeting.answer(same)
    return Reply(meeting.state())
