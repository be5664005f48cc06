"""`settings.toml`: what a person may set, checked key by key so that an error says what would be right.

No relay's host, name or key belongs here: the file is not encrypted (Spec 1 §6).
"""

import difflib
import math
import tomllib
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import fields

from node.transport.proxy import ProxyPlace, parse_proxy
from protocol.errors import CallerError
from protocol.limits import EACH_CONTACT, MAX_CONTACT_GROUPS
from protocol.timing import Timing
from protocol.traffic.policies import NAMES
from protocol.wire.addresses import parse_hosts
from protocol.wire.commands import Preset

_EVERYWHERE = {"0.0.0.0", "[::]"}  # noqa: S104 -- only compared with


_ISOLATION = {"none": 0, "contact": EACH_CONTACT}


class SettingsError(CallerError):
    """The settings file names what is no setting, or gives one a value that it cannot have."""


class Settings(Struct, frozen=True, kw_only=True):
    """Where this node itself listens, what contacts are told of it, how its links send, and every duration."""

    listen: str | None = None
    """`address:port`, for the direct route."""
    public: str | None = None
    """`name:port` that contacts are told instead of `listen`."""
    discovery: bool = False
    """Find contacts on the local networks that this machine is in. Only where these are trusted (Spec 9 §7)."""
    forward: bool = False
    """Reach contacts' relays by one of one's own only, so that they do not see this machine's address (Spec 12)."""
    proxy: ProxyPlace | None = None
    """By which every connection is made that this node dials (Spec 7 §7)."""
    isolation: int = 0
    """Into so many groups contacts are spread; no two share a connection, or a circuit of the proxy (Spec 7 §8)."""
    traffic: Preset = Preset.BATCHED
    """How this node's links send, and what they ask of relays (Spec 10)."""
    timing: Timing = Timing()

    @property
    def isolated(self) -> bool:
        """Whether contacts are kept apart at all."""
        return self.isolation > 0


_KEYS = [field.name for field in fields(Settings)]


def read_settings(path: Path) -> Settings:
    """The settings; defaults where the file is missing. Raises SettingsError: key, value, and what would be right."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return Settings()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} cannot be read: {error}.") from error
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path} is not TOML: {error}.") from error
    _refuse_unknown(path, "", table, _KEYS)
    return Settings(
        listen=_place(path, table, "listen"),
        public=_place(path, table, "public"),
        discovery=_switch(path, table, "discovery"),
        forward=_switch(path, table, "forward"),
        proxy=parse_proxy_setting(table["proxy"], f"{path}: proxy") if "proxy" in table else None,
        isolation=parse_isolation(table.get("isolation", "none"), f"{path}: isolation"),
        traffic=parse_traffic(table.get("traffic", NAMES[Preset.BATCHED]), f"{path}: traffic"),
        timing=_timing(path, table.get("timing", {})),
    )


def _refuse_unknown(path: Path, prefix: str, table: dict[str, Any], known: list[str]) -> None:
    for key, value in table.items():
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            right = f"Did you mean {prefix}{near[0]}?" if near else f"There are: {', '.join(known)}."
            raise SettingsError(f"{path}: {prefix}{key} = {value!r} is no setting. {right}")


def parse_place(text: str, name: str) -> str:
    """`name:port`, in the form in which it is told to others. Raises SettingsError that says what `name` should be."""
    try:
        (host,) = parse_hosts("kassiber", text)
    except (CallerError, ValueError):
        raise SettingsError(f'{name} = {text!r} should look like "name:port", as "0.0.0.0:7777".') from None
    return host.authority


def parse_isolation(value: object, name: str) -> int:
    """Into how many groups: "none", "contact", or a number. Raises SettingsError."""
    if isinstance(value, str) and value in _ISOLATION:
        return _ISOLATION[value]
    number = int(value) if isinstance(value, str) and value.isascii() and value.isdigit() else value
    if isinstance(number, bool) or not isinstance(number, int) or not 2 <= number <= MAX_CONTACT_GROUPS:
        raise SettingsError(
            f"{name} = {value!r} should be one of: {', '.join(_ISOLATION)}; or into how many groups contacts are "
            f"spread, 2 to {MAX_CONTACT_GROUPS}."
        )
    return number


def parse_traffic(text: object, name: str) -> Preset:
    """A preset by its name. Raises SettingsError that says which there are."""
    for preset, known in NAMES.items():
        if text == known:
            return preset
    raise SettingsError(f"{name} = {text!r} is no preset. There are: {', '.join(NAMES.values())}.")


def parse_proxy_setting(text: object, name: str) -> ProxyPlace | None:
    """`socks5://name:port`, or nothing for none. Raises SettingsError."""
    if text == "":
        return None
    try:
        return parse_proxy(str(text))
    except CallerError as error:
        raise SettingsError(f"{name}: {error}") from None


def check_hidden(settings: Settings) -> None:
    """Whoever sets a proxy wants to show no address. Raises SettingsError where something else would show it."""
    if settings.proxy is None:
        return
    if settings.discovery:
        raise SettingsError(
            "discovery and a proxy do not go together: contacts on the local network are reached past the proxy. "
            "Switch one of them off: discovery = false (--no-discovery), or proxy = \"\" (--proxy '')."
        )
    if settings.listen is not None and settings.public is None:
        raise SettingsError(
            f"listen = {settings.listen!r} with a proxy: contacts would be told this machine's address. Say what they "
            "are told instead, as an onion address that leads here: public (--public NAME:PORT); or do not listen."
        )


def check_told(settings: Settings) -> None:
    """Contacts must be told where to reach this node. Raises SettingsError where that is every address at once."""
    if settings.listen is not None and settings.public is None and settings.listen.rpartition(":")[0] in _EVERYWHERE:
        raise SettingsError(
            f"listen = {settings.listen!r} is every address of this machine: contacts need one of them. "
            "Set public too (--public NAME:PORT), or listen on one address."
        )


def _place(path: Path, table: dict[str, Any], key: str) -> str | None:
    value = table.get(key)
    return None if value is None else parse_place(str(value), f"{path}: {key}")


def _switch(path: Path, table: dict[str, Any], key: str) -> bool:
    value = table.get(key, False)
    if not isinstance(value, bool):
        raise SettingsError(f"{path}: {key} = {value!r} should be true or false.")
    return value


def _timing(path: Path, table: object) -> Timing:
    if not isinstance(table, dict):
        raise SettingsError(f"{path}: timing = {table!r} should be a table: [timing], and a line for each duration.")
    known = [field.name for field in fields(Timing)]
    _refuse_unknown(path, "timing.", table, known)
    for key, value in table.items():
        unit = key.rpartition("_")[2]
        if isinstance(value, bool) or not isinstance(value, int | float) or not (math.isfinite(value) and value > 0):
            raise SettingsError(f"{path}: timing.{key} = {value!r} should be a number of {unit} above 0.")
    return Timing(**{key: float(value) for key, value in table.items()})
