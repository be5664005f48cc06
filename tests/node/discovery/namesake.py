"""A program that has nothing to do with Kassiber and tells the machine's name on the network, as many do.

    python -m tests.node.discovery.namesake NAME

offers `_ssh._tcp` of NAME.local until its input ends; NAME's LLMNR too.
"""

import socket
import struct
import sys
import threading

from zeroconf import ServiceInfo, Zeroconf
from zeroconf._dns import DNSAddress
from zeroconf._protocol.incoming import DNSIncoming
from zeroconf._protocol.outgoing import DNSOutgoing
from zeroconf.const import _CLASS_IN, _FLAGS_QR_RESPONSE, _TYPE_A

ADDRESS = "10.99.0.1"


def answer_llmnr(name: str) -> None:
    """RFC 4795: the name alone, by unicast to whoever asked."""
    opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    opened.bind(("", 5_355))
    group = struct.pack("4s4s", socket.inet_aton("224.0.0.252"), socket.inet_aton(ADDRESS))
    opened.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, group)
    while True:
        packet, source = opened.recvfrom(9_000)
        query = DNSIncoming(packet)
        for question in query.questions:
            if question.name == f"{name}." and question.type == _TYPE_A:
                reply = DNSOutgoing(_FLAGS_QR_RESPONSE, multicast=False, id_=query.id)
                reply.add_question(question)
                record = DNSAddress(question.name, _TYPE_A, _CLASS_IN, 30, socket.inet_aton(ADDRESS))
                reply.add_answer_at_time(record, 0)
                opened.sendto(reply.packets()[0], source)


def main(name: str) -> None:
    threading.Thread(target=answer_llmnr, args=(name,), daemon=True).start()
    zeroconf = Zeroconf([ADDRESS])
    zeroconf.register_service(
        ServiceInfo(
            "_ssh._tcp.local.", f"{name}._ssh._tcp.local.", 22, addresses=[socket.inet_aton(ADDRESS)],
            server=f"{name}.local.",
        )
    )  # fmt: skip
    print("ready", flush=True)
    sys.stdin.read()
    zeroconf.close()


if __name__ == "__main__":
    main(sys.argv[1])
