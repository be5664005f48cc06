"""What a scenario file says, and what is wrong with it: TOML, every key optional, every mistake named."""

import difflib
import hashlib
import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import msgspec
from msgspec import Meta, Struct, field

from protocol.errors import CallerError
from protocol.traffic.policies import NAMES, RECEIPT_MEAN_SECONDS
from protocol.wire.commands import Preset

Hours = Annotated[float, Meta(gt=0, le=24 * 365)]
Kind = Literal["direct", "batched", "constant", "constant-4", "constant-16"]
Observer = Literal["relay", "colluding relays", "local", "global"]
Measure = Literal["cost", "size", "timing", "advantage", "trilemma", "disclosure", "receipts"]


class _Table(Struct, frozen=True, forbid_unknown_fields=True):
    pass


class Topology(_Table, frozen=True):
    """Who there is."""

    people: Annotated[int, Meta(ge=4, le=10_000_000)] = 30
    relays: Annotated[int, Meta(ge=1, le=100)] = 2
    contacts: Annotated[int, Meta(ge=2, le=100, multiple_of=2)] = 4
    """Each person's; even, as they are drawn as rings."""
    latency_seconds: Annotated[float, Meta(gt=0, le=2)] = 0.05
    """One way between a node and a relay. With more, handshakes take longer than a node waits for them."""


class Workload(_Table, frozen=True):
    """What people write. Synthetic: no recording of people is in it."""

    kind: Literal["lively", "poisson"] = "lively"
    """Conversations in bursts, by day more than by night; or each text by itself at any time."""
    texts_per_day: Annotated[float, Meta(ge=0, le=10_000)] = 40.0
    """Of each person; 0 shows what idle links cost."""
    hours: Hours = 6.0
    activity_sigma: Annotated[float, Meta(ge=0, le=3)] = 0.0
    """How unlike people are: 0 makes all write alike; the logarithm's standard deviation of how much they do."""


class Churn(_Table, frozen=True):
    """How nodes come and go. Without it everybody stays connected."""

    online_hours: Annotated[float, Meta(ge=0, le=10_000)] = 0.0
    """Mean, exponential; 0: always."""
    offline_hours: Annotated[float, Meta(ge=0, le=10_000)] = 0.0


class Policy(_Table, frozen=True):
    """When links send."""

    kind: Kind = "direct"
    forward: bool = False
    """Whether everybody reaches contacts' relays by a relay of their own (Spec 12)."""
    receipt_mean_seconds: Annotated[float, Meta(gt=0, le=86_400)] | None = None
    """Between the ticks of a contact at which receipts leave (Spec 6 §5); without it, as the preset has it."""

    @property
    def preset(self) -> Preset:
        """As links and relays know it."""
        return next(preset for preset, name in NAMES.items() if name == self.kind)

    @property
    def receipt_seconds(self) -> float:
        """The mean that holds."""
        return self.receipt_mean_seconds or RECEIPT_MEAN_SECONDS[self.preset]


class Adversary(_Table, frozen=True):
    """Who watches, and what is asked of it."""

    observers: Annotated[tuple[Observer, ...], Meta(min_length=1)] = ("global",)
    measures: Annotated[tuple[Measure, ...], Meta(min_length=1)] = ("cost", "size", "timing", "receipts")
    targets: Annotated[int, Meta(ge=1, le=1_000)] = 10
    """People whose correspondents are looked for, a run: all of them where there are fewer."""


class Run(_Table, frozen=True):
    """How it is carried out."""

    engine: Literal["machines", "population"] = "machines"
    """The real nodes and relays, or the vectorised model of their traffic."""
    crypto: Literal["toy", "real"] = "toy"
    seeds: Annotated[int, Meta(ge=1, le=1_000_000)] = 10
    first_seed: Annotated[int, Meta(ge=0, le=2**31)] = 0


class Study(_Table, frozen=True):
    """A whole scenario file."""

    name: Annotated[str, Meta(min_length=1, max_length=80)]
    topology: Topology = field(default_factory=Topology)
    workload: Workload = field(default_factory=Workload)
    churn: Churn = field(default_factory=Churn)
    policy: Policy = field(default_factory=Policy)
    adversary: Adversary = field(default_factory=Adversary)
    run: Run = field(default_factory=Run)

    @property
    def configuration_hash(self) -> str:
        """16 hexadecimal digits over all but the name and the seeds: what two runs must share to be compared."""
        run = msgspec.structs.replace(self.run, seeds=1, first_seed=0)
        plain = msgspec.structs.replace(self, name="-", run=run)
        return hashlib.sha256(msgspec.json.encode(plain)).hexdigest()[:16]


def read_study(path: Path, changes: dict[str, str] | None = None) -> Study:
    """The study of a file, with some keys changed (`{"topology.people": "50"}`, values as TOML or plain words).

    Raises CallerError: which key, what it is, what would be right.
    """
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise CallerError(f"{path} is not TOML: {error}.") from None
    except UnicodeDecodeError:
        raise CallerError(f"{path} is not UTF-8 text.") from None
    except OSError as error:
        raise CallerError(f"{path} cannot be read: {error.strerror}.") from None
    for key, text in (changes or {}).items():
        _change(raw, key, text)
    try:
        study = msgspec.convert(raw, Study, strict=True)
    except msgspec.ValidationError as error:
        raise CallerError(f"{path}: {_explain(str(error), raw)}") from None
    _check_together(study, path)
    return study


def _change(raw: dict[str, Any], key: str, text: str) -> None:
    table, _, name = key.rpartition(".")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text
    place = raw
    for part in table.split(".") if table else ():
        place = place.setdefault(part, {})
        if not isinstance(place, dict):
            raise CallerError(f"{key!r} cannot be varied: {part} is a value, and has no keys.")
    place[name] = value


def _check_together(study: Study, path: Path) -> None:
    """Keys that are right by themselves and not beside each other."""
    if study.run.engine == "population" and study.churn.offline_hours:
        raise CallerError(
            f'{path}: churn.offline_hours = {study.churn.offline_hours:g} with run.engine = "population": in the model '
            'everybody stays connected. Write churn.offline_hours = 0, or run.engine = "machines".'
        )
    if bool(study.churn.offline_hours) != bool(study.churn.online_hours):
        raise CallerError(
            f"{path}: churn.online_hours = {study.churn.online_hours:g} and churn.offline_hours = "
            f"{study.churn.offline_hours:g}: either both are above 0, or both are 0 (everybody stays connected)."
        )
    if study.policy.forward and study.run.engine == "population":
        raise CallerError(
            f'{path}: policy.forward = true with run.engine = "population": the model knows no entry relays. '
            'Write policy.forward = false, or run.engine = "machines".'
        )
    if study.policy.forward and study.topology.relays < _LEAST_TO_FORWARD:
        raise CallerError(
            f"{path}: policy.forward = true with topology.relays = {study.topology.relays}: an entry is another relay "
            f"than the destination, and one without a choice waits. Write at least {_LEAST_TO_FORWARD}."
        )
    if study.topology.contacts >= study.topology.people:
        raise CallerError(
            f"{path}: topology.contacts = {study.topology.contacts} of topology.people = {study.topology.people}: "
            "a person can have at most all others as contacts; write a smaller number."
        )
    if study.run.engine == "machines" and study.topology.people > _MOST_MACHINES:
        raise CallerError(
            f'{path}: topology.people = {study.topology.people:,} with run.engine = "machines": at most '
            f'{_MOST_MACHINES:,} real nodes fit. Write fewer, or run.engine = "population".'
        )


_MOST_MACHINES = 20_000
_LEAST_TO_FORWARD = 3
_WORDS = {
    "`int`": "a whole number", "`float`": "a number", "`str`": "a text in quotes", "`array`": "a list",
    "`object`": "a table",
}  # fmt: skip
_PLACE = re.compile(r" - at `\$(?:\.)?([^`]*)`")
_UNKNOWN = re.compile(r"Object contains unknown field `([^`]*)`")
_MISSING = re.compile(r"Object missing required field `([^`]*)`")


def _explain(message: str, raw: dict[str, Any]) -> str:
    """msgspec's words, as a person with a file before them needs them."""
    found = _PLACE.search(message)
    place = found[1] if found else ""
    text = _PLACE.sub("", message)
    if unknown := _UNKNOWN.match(text):
        known = _keys_of(place)
        near = difflib.get_close_matches(unknown[1], known, 1)
        hint = f"Did you mean {near[0]!r}?" if near else f"There are: {', '.join(known)}."
        return f"there is no key {_joined(place, unknown[1])!r}. {hint}"
    if missing := _MISSING.match(text):
        return f"the key {_joined(place, missing[1])!r} is missing."
    if text.startswith("Invalid enum value"):
        text = f"it should be one of {', '.join(map(repr, _choices(place)))}"
    for word, plain in _WORDS.items():
        text = text.replace(word, plain)
    return f"{place} = {_value_at(raw, place)!r}: {text[:1].lower()}{text[1:]}."


def _joined(place: str, name: str) -> str:
    return f"{place}.{name}" if place else name


def _choices(place: str) -> list[str]:
    """What a key of few values may be."""
    table, _, name = place.partition("[")[0].rpartition(".")
    hints = {field.name: field.type for field in msgspec.structs.fields(_table_at(table))}
    found: list[str] = []
    waiting: list[Any] = [hints[name]]
    while waiting:
        hint = waiting.pop()
        if get_origin(hint) is Literal:
            found += get_args(hint)
        else:
            waiting += get_args(hint)
    return found


def _keys_of(place: str) -> list[str]:
    return [field.name for field in msgspec.structs.fields(_table_at(place))]


def _table_at(place: str) -> Any:
    table: Any = Study
    for part in place.split(".") if place else ():
        table = {field.name: field.type for field in msgspec.structs.fields(table)}[part]
    return table


def _value_at(raw: dict[str, Any], place: str) -> Any:
    value: Any = raw
    for part in re.split(r"[.\[\]]+", place.replace("[...]", "")):
        if part:
            value = value[int(part) if part.isdigit() else part]
    return value
