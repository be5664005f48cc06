"""This person's own profile, and the relays in it."""

from msgspec import msgpack

from protocol.errors import CallerError
from protocol.mailbox import OwnRelay, Profile
from protocol.step import Step

_relays = msgpack.Decoder(tuple[OwnRelay, ...])


def own_profile(step: Step) -> Profile:
    """The one profile row. Raises CallerError before `init`."""
    profile = step.tx.profile.get(1)
    if profile is None:
        raise CallerError("There is no profile here yet; make one with 'kassiber init'.")
    return profile


def own_relays(profile: Profile) -> tuple[OwnRelay, ...]:
    """Direct first."""
    return _relays.decode(profile.relays)
