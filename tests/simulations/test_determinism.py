"""One seed, one trace: in processes that did nothing else, under every hash seed; and what differs is named."""

import sys
from collections.abc import Sequence

import pytest

from simulations.determinism import HASH_SEEDS, main, trace_all


def test_a_seed_gives_one_trace_in_every_process_under_every_hash_seed() -> None:
    found = list(trace_all(range(3), 1))
    assert all(traces.agree for traces in found)
    assert len({traces.traces[0] for traces in found}) == 3
    assert all(len(traces.traces) == len(HASH_SEEDS) for traces in found)


def of_a_set(seed: int) -> Sequence[str]:
    """What seed 5 prints depends on the order of a set."""
    words = "{'in', 'any', 'order', 'that', 'hashes', 'give'}" if seed == 5 else "'an order'"
    return (sys.executable, "-c", f"print(' '.join({words}))")


def test_a_seed_with_different_traces_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--seeds", "4", "--processes", "1"], of_a_set) == 0
    assert "none with different traces" in capsys.readouterr().out
    assert main(["--seeds", "4", "--first", "3", "--processes", "2"], of_a_set) == 1
    printed = capsys.readouterr().out
    assert "seed 5: different traces" in printed
    assert "4 seeds from 3" in printed
    assert "1 with different traces" in printed
