"""To which addresses a relay carries what others give it: to none that only its own machine or network reaches."""

from ipaddress import ip_address

import pytest
import trio

from node.transport.dialer import _is_public, dial
from protocol.errors import WorldError

PRIVATE = [
    "0.0.0.0",
    "10.1.2.3",
    "100.64.0.1",
    "127.0.0.1",
    "169.254.169.254",
    "172.16.0.1",
    "192.0.2.1",
    "192.168.1.1",
    "198.18.0.1",
    "224.0.0.251",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "fe80::1",
    "fc00::1",
    "ff02::fb",
    "2001:db8::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "2002:7f00:1::",
    "2002:a00:1::",
    "64:ff9b::7f00:1",
    "64:ff9b::a00:1",
]
PUBLIC = ["1.1.1.1", "8.8.8.8", "2606:4700::1111", "::ffff:1.1.1.1", "2002:101:101::", "64:ff9b::101:101"]


@pytest.mark.parametrize("address", PRIVATE)
def test_what_only_this_machine_reaches_is_not_public(address: str) -> None:
    assert not _is_public(ip_address(address))


@pytest.mark.parametrize("address", PUBLIC)
def test_what_everybody_reaches_is_public(address: str) -> None:
    assert _is_public(ip_address(address))


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]", "0.0.0.0", "127.1", "2130706433"])
async def test_no_spelling_of_this_machine_is_dialled_for_others(host: str) -> None:
    async def use(frames: object) -> None:
        raise AssertionError(f"{frames} leads to this machine")

    with pytest.raises(WorldError), trio.fail_after(5):
        await dial(f"ws://{host}:9", use, public_only=True)
