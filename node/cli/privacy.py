"""`kassiber privacy`: what each preset of traffic costs and hides, and what this node sent in the last hour."""

import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from node.cli.exits import OK, NoInputError
from node.cli.profiles import HERE, Json, Where
from node.cli.terminal import counted, print_json, print_table

if TYPE_CHECKING:
    from node.privacy import Estimate, Measured

_COLUMNS = 120
_COST = {
    "MB A DAY, IDLE": ("idle_megabytes",),
    "40 TEXTS A DAY": ("used_megabytes",),
    "A TEXT TAKES": ("text_p50_seconds", "text_p99_seconds"),
    "ALONE": ("alone_p50_seconds", "alone_p99_seconds"),
}
_TOLD = {
    "BY TIMING: 15 MIN": ("timing_auc_900",),
    "1 H": ("timing_auc_3600",),
    "6 H": ("timing_auc_21600",),
    "LENGTH": ("size_bits",),
    "ONE RELAY": ("answers_relay",),
    "COLLUDING: RECEIPTS": ("receipts_colluding",),
    "ANSWERS": ("answers_colluding",),
    "GUESSED": ("receipts_guess",),
}
_LEGEND = (
    "MB: of one relay, both ways. A text takes, alone: seconds from queued to delivered, half of them less, and "
    "99 in 100; in a conversation, and by itself. By timing: how well who watches every wire for so long tells "
    "people who write to each other from people who do not: 0.5 is guessing, 1 is always. Length: bits of a "
    "text's length that wires show. One relay, colluding: share of correspondents that relays find by what "
    "follows a hundred messages, if they see queues only: answers, or receipts alone where nobody answers; guessed: "
    "by chance. -: not measured."
)
_MEASURED = (
    "Measured on nodes and relays of version {version} with {seeds} seeds or more; ± is 95 %. What relays find takes "
    "weeks, and is of a model that was held against them."
)
_OBSERVER = (
    "A network observer sees which relays this node has links to, when it comes and goes, and when frames of "
    "which size leave. Only the constant presets make these times say nothing, and only while both ends stay "
    "connected."
)
_RELAY = (
    "A relay sees the network address and the queues of each link that it has, and when they are used; it tells "
    "cover from what is real. {ways} Relays that share their notes find who writes to whom in every preset, as "
    "people answer each other within minutes; by receipts alone, where nobody answers, in all but the constant ones."
)
_STRAIGHT = (
    "One that keeps a contact's queue sees this node deposit there: forward = true in settings.toml has that done"
    " by a relay of yours."
)
_FORWARDED = "One that keeps a contact's queue does not see this node, but a relay of yours."
_CONTACT = (
    "A contact sees when you write. Its receipts leave every {minutes} on average, read or not: they "
    "tell that this node was connected then.{lasting}"
)

_LASTING = " They never stop, and with more than {most} contacts are the more seldom the more there are."


def privacy(
    *,
    picture: Annotated[Path | None, Parameter(help="Write the figures as an SVG picture to this file.")] = None,
    json: Json = False,
    where: Where = HERE,
) -> int:
    """Show what each preset of traffic costs and hides, as measured, and what this node sent in the last hour."""
    from node.privacy import picture as drawn
    from node.privacy import read_figures

    if picture is not None:
        try:
            picture.write_bytes(drawn())
        except OSError as error:
            raise NoInputError(f"{str(picture)!r} cannot be written: {error.strerror}.") from error
        print(f"Drawn: {picture}", file=sys.stderr)
    measured = read_figures()
    here = _look(where)
    if json:
        print_json(_as_json(measured, here))
        return OK
    for line in _tell(measured, here):
        print(line)
    return OK


def _look(where: Where) -> dict[str, Any]:
    """The preset in use, and more where the node runs. Without a profile nothing is in use."""
    from node.api.client import Client
    from node.profile import NoProfileError
    from node.settings import read_settings
    from protocol.traffic.policies import NAMES

    try:
        profile = where.open()
    except NoProfileError:
        if where.profile is not None:
            raise
        return {"running": False, "traffic": None, "forward": False, "sent": None}
    client = Client(profile)
    if client.is_running():
        found: dict[str, Any] = client.request("GET", "/v1/traffic")
        return {"running": True} | found
    settings = read_settings(profile.settings)
    return {"running": False, "traffic": NAMES[settings.traffic], "forward": settings.forward, "sent": None}


def _as_json(measured: "Measured", here: dict[str, Any]) -> dict[str, Any]:
    import msgspec

    return {"measured": msgspec.to_builtins(measured), "here": here}


def _tell(measured: "Measured", here: dict[str, Any]) -> Iterator[str]:
    from protocol.traffic.policies import NAMES, RECEIPT_GAP_SECONDS, RECEIPT_MEAN_SECONDS
    from protocol.wire.commands import Preset

    for columns in (_COST, _TOLD):
        header = ["PRESET", *columns]
        rows = [
            [f"{name} *" if name == here["traffic"] else name, *(_cell(figures, keys) for keys in columns.values())]
            for name, figures in measured.presets.items()
        ]
        print_table(header, rows)
        yield ""
    used = next((preset for preset, name in NAMES.items() if name == here["traffic"]), Preset.BATCHED)
    mean, gap = RECEIPT_MEAN_SECONDS[used], RECEIPT_GAP_SECONDS.get(used)
    lasting = "" if gap is None else _LASTING.format(most=round(mean / gap))
    for paragraph in (
        _LEGEND,
        _MEASURED.format(version=measured.version, seeds=measured.seeds),
        _OBSERVER,
        _RELAY.format(ways=_FORWARDED if here["forward"] else _STRAIGHT),
        _CONTACT.format(minutes=counted(mean / 60.0, "minute"), lasting=lasting),
        *_tell_here(here),
    ):
        yield from (*textwrap.wrap(paragraph, _COLUMNS), "")


def _cell(figures: "dict[str, Estimate]", keys: tuple[str, ...]) -> str:
    found = [figures[key] for key in keys if key in figures]
    if len(found) < len(keys):
        return "-"
    if len(found) == 1 and keys[0].startswith(("timing", "receipts", "answers", "size")):
        return f"{found[0].mean:.2f} ± {found[0].half_width:.2f}"
    return " / ".join(f"{one.mean:.3g}" for one in found)


def _tell_here(here: dict[str, Any]) -> Iterator[str]:
    if here["traffic"] is None:
        yield "There is no profile here, so nothing is in use."
        return
    yield f'* in use: {here["traffic"]}. Another: traffic = "…" in settings.toml, or kassiber up --traffic.'
    sent = here["sent"]
    if sent is None:
        yield "No node is running: what this one sent is known while it runs."
        return
    frames, size = (sent[f"real_{kind}"] + sent[f"cover_{kind}"] for kind in ("frames", "bytes"))
    yield (
        f"Within {counted(round(sent['seconds'] / 60), 'minute')} this node sent {frames} frames to relays "
        f"({size / 1e6:.2f} MB), "
        f"{sent['real_frames']} with something in them ({sent['real_bytes'] / 1e6:.2f} MB) and "
        f"{sent['cover_frames']} of cover ({sent['cover_bytes'] / 1e6:.2f} MB)."
    )
