"""`kassiber up` with a node that needs no network: holds the profile, serves the real API, answers `ping` with `pong`.

Run as a program: `python -m tests.node.cli.fake_up PROFILE STATE…`, where the states are how far each text comes.
"""

import sys
from pathlib import Path

import trio

from node.api.server import serve_api
from node.profile import locked, open_profile
from protocol.operations import Queued
from tests.node.fake_node import FakeNode


class AnsweringNode(FakeNode):
    """Bob, Zoë, two people called Eve, and one who calls himself 1; whoever gets `ping` answers."""

    def __init__(self, states: list[str]) -> None:
        super().__init__()
        self.carry = states  # type: ignore[assignment]
        for name in ("Bob", "Zo\u00eb", "Eve", "Eve", "1"):
            self.add_contact(name)
        self.meter.note(8_192, True, 1.0)
        self.meter.note(4_096, False, 70.0)
        self.receive(1, "hello\x00\u202eevil\n\x1b[31mred")

    def _send(self, contact: int, text: str) -> Queued:
        queued = super()._send(contact, text)
        if text == "ping":
            self.receive(contact, "pong")
        return queued


async def main(*arguments: str) -> None:
    profile_directory, *states = arguments
    profile = open_profile(Path(profile_directory))
    with locked(profile):
        async with serve_api(AnsweringNode(states), profile):
            print("ready", flush=True)
            await trio.sleep_forever()


if __name__ == "__main__":
    trio.run(main, *sys.argv[1:])
