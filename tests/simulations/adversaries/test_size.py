"""Paddings as their papers and the specs have them, and what they leave to see."""

import numpy as np
import pytest

from protocol.envelope.content import Text, encode_content
from protocol.envelope.fragments import fragment_count
from protocol.keys import MessageId, Minute, Request
from protocol.wire.commands import Deposit
from protocol.wire.frames import encode_frame
from simulations.adversaries import size


@pytest.mark.parametrize(("length", "padded"), [(1, 1), (2, 2), (3, 3), (9, 10), (129, 144), (1_000_000, 1_015_808)])
def test_padme_is_that_of_its_paper(length: int, padded: int) -> None:
    assert size.padme(np.array([length])).tolist() == [padded]


def test_padme_is_monotonic_and_never_shrinks() -> None:
    lengths = np.arange(1, 200_000)
    padded = size.padme(lengths)
    assert (padded >= lengths).all()
    assert (np.diff(padded) >= 0).all()


def test_buckets_hold_what_is_put_into_them() -> None:
    assert size.buckets(np.array([1, 512, 513, 65_536, 65_537])).tolist() == [512, 512, 2_048, 65_536, 131_072]


@pytest.mark.parametrize("length", [1_300, 1_337, 1_338, 2_721, 2_722, 100_000])
def test_envelopes_are_as_many_as_the_real_fragments(length: int) -> None:
    content = Text(MessageId(bytes(16)), [MessageId(bytes(range(16)))], Minute(29_000_000), "x" * length)
    expected = fragment_count(encode_content(content))
    assert abs(len(encode_content(content)) - length - size.CONTENT_OVERHEAD_BYTES) <= 2
    assert size.envelopes(np.array([length])).tolist() == [expected]


@pytest.mark.parametrize("waiting", range(1, 9))
def test_frames_have_the_slots_of_real_ones(waiting: int) -> None:
    frame = encode_frame([Deposit(Request(request), bytes(3_929)) for request in range(waiting)])
    assert size.frame_slots(np.array([waiting])).tolist() == [(len(frame) + 16) // 4_096]


def test_more_than_a_full_frame_leaves_in_several() -> None:
    assert size.frame_slots(np.array([0, 9, 16, 19])).tolist() == [0, 9, 16, 20]


def test_one_size_leaks_nothing_and_plain_length_leaks_all() -> None:
    lengths = np.arange(256)
    assert size.leakage_bits(lengths, np.zeros(256, dtype=np.int64)) == pytest.approx(0.0)
    assert size.leakage_bits(lengths, lengths) == pytest.approx(8.0)
    assert size.leakage_bits(lengths, lengths % 4) == pytest.approx(2.0)
