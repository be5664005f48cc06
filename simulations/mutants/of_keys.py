"""Changes of sessions, envelopes, frames and links: keys, nonces, sizes, custody, silence."""

from simulations.mutants.mutant import Mutant

_RATCHET = "protocol/session/ratchet.py"
_FRAGMENTS = "protocol/envelope/fragments.py"
_SUITE = "protocol/crypto/suite.py"
_NOISE = "protocol/crypto/noise.py"
_LIMITS = "protocol/limits.py"
_LINK = "protocol/link/link.py"
_SHAPER = "protocol/traffic/shaper.py"
_INITIATOR = "protocol/link/initiator.py"
_RESPONDER = "protocol/link/responder.py"

OF_KEYS = (
    Mutant(
        "chain-stands-still",
        _RATCHET,
        "A message key is used once: each message takes the chain one step on, at both ends.",
        "    return replace(ratchet, send_chain=chain, send_number=ratchet.send_number + 1), salt + header + sealed",
        "    return replace(ratchet, send_number=ratchet.send_number + 1), salt + header + sealed",
    ),
    Mutant(
        "salt-used-twice",
        _RATCHET,
        "No key seals twice under one nonce.",
        "    salt = entropy.secret(SALT_BYTES)",
        "    salt = ratchet.root[:SALT_BYTES]",
    ),
    Mutant(
        "ratchet-turns-once",
        _RATCHET,
        "A stolen key heals: whoever has heard the other turns the ratchet before writing again.",
        "    if ratchet.turn_due:",
        "    if ratchet.turn_due and not ratchet.own_part:",
    ),
    Mutant(
        "skipped-at-a-turn-lost",
        _RATCHET,
        "What was skipped at the end of a turn still opens when it comes.",
        "        ratchet, left = _skip_to(suite, ratchet, header.previous_number, 0)\n",
        "        left = ()\n",
    ),
    Mutant(
        "no-old-header-keys",
        _RATCHET,
        "An envelope of an earlier turn still opens.",
        "        old = (left_chain, *old)[:MAX_OLD_HEADER_KEYS]",
        "        old = ()",
    ),
    Mutant(
        "index-counts-turns-wrongly",
        _RATCHET,
        "An envelope has one index at both ends, over all turns.",
        "        receive_base=ratchet.receive_index,",
        "        receive_base=ratchet.receive_base + max(ratchet.receive_number - 1, 0),",
    ),
    Mutant(
        "last-fragment-cut",
        _FRAGMENTS,
        "A content of any length is cut into as many fragments as carry all of it.",
        "    return max(1, -(-len(content) // CHUNK_BYTES))",
        "    return max(1, len(content) // CHUNK_BYTES)",
    ),
    Mutant(
        "fragments-overlap",
        _FRAGMENTS,
        "A text arrives as it was written.",
        "    return content[index * CHUNK_BYTES : (index + 1) * CHUNK_BYTES]",
        "    return content[index * (CHUNK_BYTES - 1) : index * (CHUNK_BYTES - 1) + CHUNK_BYTES]",
    ),
    Mutant(
        "counter-used-twice",
        _NOISE,
        "No frame is sealed twice under one counter, and a repeated frame is refused.",
        "        sealed = self._suite.seal_frame(self._key, self._counter, plaintext, associated)\n"
        "        self._counter += 1\n"
        "        return sealed\n\n"
        "    def decrypt(self, sealed: bytes, associated: bytes | None = None) -> bytes:\n"
        '        """Raises PeerError NOISE for anything but the peer\'s next message;'
        ' the counter then stands still."""\n'
        "        plaintext = self._suite.open_frame(self._key, self._counter, sealed, associated)\n",
        "        sealed = self._suite.seal_frame(self._key, self._counter // 2, plaintext, associated)\n"
        "        self._counter += 1\n"
        "        return sealed\n\n"
        "    def decrypt(self, sealed: bytes, associated: bytes | None = None) -> bytes:\n"
        '        """Raises PeerError NOISE for anything but the peer\'s next message;'
        ' the counter then stands still."""\n'
        "        plaintext = self._suite.open_frame(self._key, self._counter // 2, sealed, associated)\n",
    ),
    Mutant(
        "frames-of-other-sizes",
        _LIMITS,
        "Frames have four sizes and no other.",
        "FRAME_SLOTS = (1, 2, 4, 8)",
        "FRAME_SLOTS = (1, 2, 3, 4, 5, 6, 7, 8)",
    ),
    Mutant(
        "keep-alive-never-sent",
        _SHAPER,
        "An idle link stays open.",
        "        self._keep_alive_at = self.next_wake = now + self._interval\n        return _WHOLE",
        "        self._keep_alive_at = self.next_wake = now + 100.0 * self._interval\n        return _WHOLE",
    ),
    Mutant(
        "hearing-not-noticed",
        _LINK,
        "A link is silent only when nothing was heard on it.",
        "        self._heard = now\n        if session is None:",
        "        if session is None:",
    ),
    Mutant(
        "silence-never-noticed",
        _LINK,
        "A connection that is gone is noticed by its silence.",
        "        if now >= self.silent_at:",
        "        if now >= self.silent_at + 1e9 * (self._session is not None):",
    ),
    Mutant(
        "custody-not-verified",
        _INITIATOR,
        "Custody counts only when the relay's own key signed it.",
        "        if not stored or not self._suite.verify(self._relay, signed, custody.signature):",
        "        if not stored or not signed:",
    ),
    Mutant(
        "commands-lost-between-frames",
        _INITIATOR,
        "What does not fit a frame leaves with the next.",
        "        del self._waiting[:count]\n",
        "        del self._waiting[: count + (count == 8)]\n",
    ),
    Mutant(
        "custody-of-other-digests",
        _RESPONDER,
        "Custody names exactly what was stored.",
        "                minute = waiting.minute\n                room -= length",
        "                minute = waiting.minute\n                if len(run) == 1:\n                    run = []\n"
        "                room -= length",
    ),
    Mutant(
        "sealed-and-readable",
        _SUITE,
        "Only the two ends read.",
        "        return sodium.crypto_aead_xchacha20poly1305_ietf_encrypt(plaintext, associated, nonce, key)\n\n"
        "    def open(self, key: bytes, nonce: bytes, sealed: bytes, associated: bytes) -> bytes | None:\n"
        '        """The plaintext, or None where key, nonce, associated data or ciphertext is another'
        ' or shorter than a tag."""\n'
        "        if len(sealed) < 16:\n            return None\n        try:\n"
        "            return sodium.crypto_aead_xchacha20poly1305_ietf_decrypt(sealed, associated, nonce, key)",
        "        tag = sodium.crypto_aead_xchacha20poly1305_ietf_encrypt(b'', associated + plaintext, nonce, key)\n"
        "        return plaintext + tag\n\n"
        "    def open(self, key: bytes, nonce: bytes, sealed: bytes, associated: bytes) -> bytes | None:\n"
        "        if len(sealed) < 16:\n            return None\n        try:\n"
        "            plaintext = sealed[:-16]\n"
        "            sodium.crypto_aead_xchacha20poly1305_ietf_decrypt(\n"
        "                sealed[-16:], associated + plaintext, nonce, key\n            )\n"
        "            return plaintext",
        "real",
    ),
    Mutant(
        "turns-mix-nothing",
        _RATCHET,
        "A stolen key heals: a turn mixes a secret that the thief has not.",
        "    keys = suite.kdf(root, secret, labels.RATCHET_ROOT + sha256(part), 96)",
        "    keys = suite.kdf(root, root, labels.RATCHET_ROOT + sha256(part), 96)",
        survives="Both ends derive alike and no world has a thief of keys. The ratchet's vectors, made without this"
        " code, differ.",
    ),
)  # fmt: skip
