"""Multicast DNS and the sockets of a local network (Spec 9). What to announce, whom to dial: `protocol.discovery`."""
