"""Bytes that cross a connection: strict canonical msgpack, commands, frames (Spec 2)."""
