"""A key ring for machines that have none: a real `keyring` backend that keeps its entries in one file."""

import json
import os
from pathlib import Path

from keyring.backend import KeyringBackend


class FileKeyRing(KeyringBackend):
    """Entries in the file at `path`, or at `$TEST_KEY_RING` where `keyring` makes the backend itself."""

    priority = 1

    def __init__(self, path: Path | None = None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.path = path or Path(os.environ.get("TEST_KEY_RING", os.devnull))

    def _entries(self) -> dict[str, str]:
        return dict(json.loads(self.path.read_text())) if self.path.exists() else {}

    def get_password(self, service: str, username: str) -> str | None:
        return self._entries().get(f"{service}/{username}")

    def set_password(self, service: str, username: str, password: str) -> None:
        self.path.write_text(json.dumps(self._entries() | {f"{service}/{username}": password}))

    def delete_password(self, service: str, username: str) -> None:
        entries = self._entries()
        entries.pop(f"{service}/{username}", None)
        self.path.write_text(json.dumps(entries))
