"""Whoever speaks while a responder begins is heard, though nothing of theirs is new afterwards."""

import socket
import time
from collections.abc import Callable
from ipaddress import IPv4Address

import pytest
from zeroconf import RecordUpdateListener, Zeroconf
from zeroconf._dns import DNSQuestion

from node.discovery.interfaces import Place
from node.discovery.responder import Heard, Responder, Service
from protocol.discovery.announcement import SERVICE_TYPE
from tests.node.discovery.namespaces import inside, needs_namespaces, wire

pytestmark = [pytest.mark.journey, needs_namespaces]

SPOKEN = Service("0123456789abcdef", 7_443, b"\x03v=1")


def test_what_is_said_between_its_sockets_and_its_listener_is_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    listen = Zeroconf.add_listener
    speaker: list[Responder] = []

    def listen_late(zeroconf: Zeroconf, listener: RecordUpdateListener, question: DNSQuestion | None) -> None:
        if speaker:
            speaker[0].publish(SPOKEN, IPv4Address("10.99.0.1").packed)
            _wait(lambda: bool(zeroconf.cache.entries_with_name(f"{SPOKEN.instance}.{SERVICE_TYPE}")))
        listen(zeroconf, listener, question)

    monkeypatch.setattr(Zeroconf, "add_listener", listen_late)

    def act() -> list[Heard]:
        heard: list[Heard] = []
        place = Place(socket.if_nametoindex("wire"), IPv4Address("10.99.0.1"))
        speaker.append(Responder(SERVICE_TYPE, place, lambda _: None, 0.5))
        late = Responder(SERVICE_TYPE, place, heard.append, 0.5)
        try:
            _wait(lambda: bool(heard))
        finally:
            late.close()
            speaker[0].close()
        return heard

    with wire() as network:
        found = inside(network.plug("alice"), act)
    assert found == [Heard(SPOKEN.instance, IPv4Address("10.99.0.1").packed, SPOKEN.port, SPOKEN.txt)]


def _wait(condition: Callable[[], bool], seconds: float = 5.0) -> None:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
