"""Requests of the person that are answered later: an invitation that relays must hold first, a claim to be won.

Volatile: after a restart nobody waits for these answers; the rows go on by themselves.
"""

from itertools import chain

from msgspec import Struct

from protocol.delivery import inviting, joining
from protocol.delivery.hosts import Hosts
from protocol.effects import Answer
from protocol.errors import WorldError
from protocol.events import Now
from protocol.keys import SHARED, Group, RelayKey
from protocol.mailbox import InvitationState, QueueState
from protocol.operations import ContactMade, Invited
from protocol.step import Step

_SOON_SECONDS = 2.0


class _Invite(Struct):
    request: int
    deadline: float
    soon: float | None = None
    """Once one relay confirmed, the others get until then."""


class _Accept(Struct):
    request: int
    deadline: float
    position: int = 0
    reasons: list[str] = []


class Waiting:
    """Who waits for what."""

    def __init__(self, hosts: Hosts) -> None:
        self._hosts = hosts
        self._invites: dict[int, _Invite] = {}
        self._accepts: dict[int, _Accept] = {}
        self._batch: Now | None = None
        self._before = (self._invites, self._accepts)
        """As they were before the batch of that moment."""

    def begin(self, now: Now) -> None:
        """An event comes; those of one batch share their `now`."""
        if now is not self._batch:
            self._batch = now
            self._before = (self._invites.copy(), self._accepts.copy())

    def failed(self, step: Step) -> None:
        """The batch that is under way was undone: nobody waits because of it, and nobody got an answer."""
        self._invites, self._accepts = self._before[0].copy(), self._before[1].copy()
        for waiting in chain[_Invite | _Accept](self._invites.values(), self._accepts.values()):
            step.wake_at(waiting.deadline)

    def invite(self, step: Step, request: int, invitation: int) -> None:
        """Answer once the invitation stands at its relays, or at one of them and a moment has passed."""
        deadline = step.now.service + step.timing.dial_seconds + step.timing.travel_seconds
        self._invites[invitation] = _Invite(request, deadline)
        step.wake_at(deadline)

    def queue_created(self, step: Step, invitation: int) -> None:
        """One more relay holds a queue of this invitation."""
        waiting = self._invites.get(invitation)
        if waiting is None:
            return
        made = step.tx.queues.find(invitation=invitation)
        if all(queue.state is QueueState.READY for queue in made):
            self._answer_invite(step, invitation, waiting)
        elif any(queue.state is QueueState.READY and not queue.direct for queue in made) and waiting.soon is None:
            waiting.soon = min(step.now.service + _SOON_SECONDS + step.timing.travel_seconds, waiting.deadline)
            step.wake_at(waiting.soon)

    def accept(self, step: Step, request: int, number: int) -> None:
        """Answer once the claim is won or lost."""
        former = self._accepts.pop(number, None)
        if former is not None:
            step.effects.append(Answer(former.request, WorldError("The same invitation is being accepted elsewhere.")))
        patience = 3 * step.timing.dial_seconds + step.timing.travel_seconds
        deadline = step.now.service + patience + (step.timing.forward_seconds if self._hosts.forward else 0.0)
        self._accepts[number] = _Accept(request, deadline)
        step.wake_at(deadline)

    def go_on(self, step: Step) -> None:
        """A host connected: claims that waited for it leave."""
        joining.go_on(step, self._hosts, {number: waiting.position for number, waiting in self._accepts.items()})

    def unreachable(self, step: Step, relay: RelayKey, group: Group, reason: str) -> None:
        """Claims that stand at this host go on with the next."""
        for number, waiting in list(self._accepts.items()):
            if group not in {SHARED, self._hosts.group_of_joining(number)}:
                continue
            if joining.waits_for(step, number, waiting.position, relay):
                waiting.reasons = [*waiting.reasons, reason]
                self._next(step, number, waiting)

    def refused(self, step: Step, reference: int) -> None:
        """The relay does not give the invitation to this node: somebody else may have it, or its disk is gone."""
        number, _ = divmod(reference, joining.MAX_CANDIDATES)
        waiting = self._accepts.get(number)
        if waiting is None:
            joining.give_up(step, number)
            return
        waiting.reasons = [*waiting.reasons, ""]
        self._next(step, number, waiting)

    def joined(self, step: Step, joined: joining.Joined | None) -> None:
        """A claim was won; the handshake is on its way, or the invitation was unusable."""
        waiting = self._accepts.pop(joined.joining, None) if joined is not None else None
        if waiting is not None and joined is not None:
            result = ContactMade(joined.contact) if joined.contact is not None else joined.error
            step.effects.append(Answer(waiting.request, result))

    def time_passed(self, step: Step) -> None:
        """Whoever waited too long is told."""
        for invitation, invite in list(self._invites.items()):
            if (invite.soon is not None and invite.soon <= step.now.service) or invite.deadline <= step.now.service:
                self._answer_invite(step, invitation, invite)
            else:
                step.wake_at(invite.soon or invite.deadline)
        for number, accept in list(self._accepts.items()):
            if accept.deadline <= step.now.service:
                self._answer_later(step, number, accept)
            else:
                step.wake_at(accept.deadline)
        self.go_on(step)

    def _next(self, step: Step, number: int, waiting: _Accept) -> None:
        position = joining.next_candidate(step, self._hosts, number, waiting.position)
        if position is not None:
            waiting.position = position
            return
        if any(waiting.reasons):
            self._answer_later(step, number, waiting)
            return
        joining.give_up(step, number)
        del self._accepts[number]
        step.effects.append(Answer(waiting.request, joining.refusal()))

    def _answer_later(self, step: Step, number: int, waiting: _Accept) -> None:
        """Nobody waits any more, but the claim goes on."""
        del self._accepts[number]
        reasons = ", ".join(dict.fromkeys(reason for reason in waiting.reasons if reason)) or "no answer"
        text = f"The invitation's relays cannot be reached now ({reasons}); it will be tried again."
        step.effects.append(Answer(waiting.request, WorldError(text)))

    def _answer_invite(self, step: Step, number: int, waiting: _Invite) -> None:
        del self._invites[number]
        invitation = step.tx.invitations.get(number)
        made = step.tx.queues.find(invitation=number)
        if invitation is None or not any(queue.state is QueueState.READY for queue in made):
            inviting.cancel(step, self._hosts, number, InvitationState.CANCELLED)
            step.effects.append(
                Answer(
                    waiting.request,
                    WorldError(
                        "None of your relays can be reached now, so no invitation was made. "
                        "Try again later, or see 'kassiber doctor'."
                    ),
                )
            )
            return
        link, file, ready = inviting.describe(step, invitation)
        step.effects.append(Answer(waiting.request, Invited(number, link, file, invitation.expires * 60.0, ready)))
