"""Why a list of relays is not taken, in words for the person who gave it: what is wrong, by whom, and the way out."""

from protocol.errors import CallerError, Code, PeerError

_WORDS = {
    Code.TOO_LARGE: ("{list} is too large: {detail}. Nothing was taken from it. Ask its publisher for a shorter one."),
    Code.FORGED: (
        "{list} is not signed by {publisher}: {detail}. Nothing was taken from it. Do not trust where it came from; "
        "ask the publisher for the right one."
    ),
    Code.ONE_OPERATOR: (
        "{list} gives one operator too much weight: {detail}. Nothing was taken from it. Ask {publisher}, who signed "
        "it, for one that does not."
    ),
    Code.EXPIRED: (
        "{list} is over: {detail}. Nothing was taken from it, and relays in use stay. Ask {publisher} for the next "
        "one; if it should not be over, set the clock."
    ),
    Code.ROLLED_BACK: (
        "{list} is an old one of {publisher}: {detail}. Where it came from may be hiding the newer ones. The list that "
        "you have stays; take the next one from elsewhere."
    ),
}
_DAMAGED = "{list} is no list of relays, or it is damaged: {detail}. Take it again from where it came."


def refusal(error: PeerError, what: str, publisher: str) -> CallerError:
    """What to tell of a refused list. `what` begins the sentence: "This list"; `publisher` is a key for people."""
    words = _WORDS.get(error.code, _DAMAGED)
    detail = error.detail or error.code.name.lower().replace("_", " ")
    return CallerError(words.format(list=what, publisher=publisher, detail=detail))
