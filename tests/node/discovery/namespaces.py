"""Network namespaces that a test makes itself: machines on one wire, and an ear on it."""

import ctypes
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, TypeVar

import pytest

T = TypeVar("T")

_CLONE_NEWNET = 0x40000000
_ALL_PROTOCOLS = 0x0003


def ip(*words: str) -> None:
    """`ip …`, which must succeed."""
    subprocess.run(["ip", *words], check=True, capture_output=True)


def why_not() -> str | None:
    """Why namespaces cannot be made here."""
    if not sys.platform.startswith("linux"):
        return "network namespaces are Linux's"
    if os.geteuid() != 0 or shutil.which("ip") is None:
        return "network namespaces need root and the program `ip`"
    tried = subprocess.run(["unshare", "-n", "true"], capture_output=True)
    return None if tried.returncode == 0 else "network namespaces are not allowed here"


needs_namespaces = pytest.mark.skipif(why_not() is not None, reason=why_not() or "")


class Wire:
    """A bridge with machines on it; each has an interface, `wire`, with 10.99.0.N and a link-local address."""

    def __init__(self, interface: str = "wire", network: str = "10.99.0") -> None:
        self._prefix = f"k{os.getpid()}-{interface}"
        self._interface = interface
        self._network = network
        self._machines: list[str] = []
        self._ends = 0

    def lay(self) -> None:
        """Before the first machine."""
        self._bridge = self._namespace("bridge")
        ip("-n", self._bridge, "link", "add", "name", "hub", "type", "bridge", "mcast_snooping", "0")
        ip("-n", self._bridge, "link", "set", "hub", "up")

    def plug(self, name: str) -> str:
        """A new machine; the name of its namespace."""
        machine = self._namespace(name)
        ip("-n", machine, "link", "set", "lo", "up")
        self.connect(machine)
        return machine

    def connect(self, machine: str, multicast: bool = True) -> str:
        """An interface more for a machine; its IPv4 address."""
        self._ends += 1
        address, end = f"{self._network}.{self._ends}", f"to{self._ends}"
        names = ("peer", "name", end, "netns", self._bridge)
        ip("link", "add", self._interface, "netns", machine, "type", "veth", *names)
        ip("-n", self._bridge, "link", "set", end, "master", "hub", "up")
        ip("-n", machine, "addr", "add", f"{address}/24", "dev", self._interface)
        ip("-n", machine, "link", "set", self._interface, "multicast", "on" if multicast else "off", "up")
        return address

    def _namespace(self, name: str) -> str:
        machine = f"{self._prefix}-{name}"
        ip("netns", "add", machine)
        self._machines.append(machine)
        return machine

    def remove(self) -> None:
        for machine in self._machines:
            subprocess.run(["ip", "netns", "del", machine], capture_output=True)


@contextmanager
def wire(interface: str = "wire", network: str = "10.99.0") -> Iterator[Wire]:
    """Gone afterwards."""
    made = Wire(interface, network)
    try:
        made.lay()
        yield made
    finally:
        made.remove()


def inside(machine: str, act: Callable[[], T]) -> T:
    """What `act` returns in a machine's namespace; a socket that it makes stays there."""
    results: list[T] = []

    def run() -> None:
        with open(f"/run/netns/{machine}", "rb") as namespace:
            assert ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), _CLONE_NEWNET) == 0
        results.append(act())

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return results[0]


_ETHERNET_BYTES = 14
_IPV6_BYTES = 40


class Ear:
    """Every multicast DNS message on a machine's wire: (source address, UDP payload)."""

    def __init__(self, machine: str) -> None:
        self._socket = inside(machine, self._open)
        self._socket.settimeout(0.5)
        self.heard: list[tuple[str, bytes]] = []
        self._stopping = False
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()

    @staticmethod
    def _open() -> socket.socket:
        opened = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ALL_PROTOCOLS))
        opened.bind(("wire", 0))
        return opened

    def _listen(self) -> None:
        while not self._stopping:
            try:
                packet = self._socket.recv(65_536)
            except TimeoutError:
                continue
            if packet[12:14] == b"\x08\0" and packet[23] == socket.IPPROTO_UDP:
                source = socket.inet_ntoa(packet[26:30])
                start = _ETHERNET_BYTES + (packet[_ETHERNET_BYTES] & 15) * 4
            elif packet[12:14] == b"\x86\xdd" and packet[20] == socket.IPPROTO_UDP:
                source = socket.inet_ntop(socket.AF_INET6, packet[22:38])
                start = _ETHERNET_BYTES + _IPV6_BYTES
            else:
                continue
            if packet[start + 2 : start + 4] == (5_353).to_bytes(2, "big"):
                self.heard.append((source, packet[start + 8 :]))

    def stop(self) -> None:
        self._stopping = True
        self._thread.join()
        self._socket.close()


class Peer:
    """`tests.node.discovery.peer`, or another program of that folder, on a machine, and what it said."""

    def __init__(self, machine: str, *words: str, program: str = "peer") -> None:
        command = ["ip", "netns", "exec", machine, sys.executable, "-m", f"tests.node.discovery.{program}", *words]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self.lines: list[str] = []
        assert self._process.stdout is not None
        self._thread = threading.Thread(target=self._read, args=(self._process.stdout,), daemon=True)
        self._thread.start()

    def _read(self, stream: IO[str]) -> None:
        for line in iter(stream.readline, ""):
            self.lines.append(line.strip())

    def says(self, start: str, times: int = 1, seconds: float = 20.0) -> list[str]:
        """The lines with this beginning, once there are so many."""
        end = time.monotonic() + seconds
        while True:
            found = [line for line in self.lines if line.startswith(start)]
            if len(found) >= times:
                return found
            assert time.monotonic() < end, f"no {start!r} among {self.lines}"
            assert self._process.poll() is None, self.lines
            time.sleep(0.05)

    def stop(self) -> int:
        """Its exit code."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            code = self._process.wait(15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        self._thread.join()
        return code
