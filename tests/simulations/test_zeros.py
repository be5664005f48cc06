"""What is kept without its zeros comes back as it was."""

from hypothesis import given
from hypothesis import strategies as st

from simulations.zeros import pack, unpack

RUNS = st.integers(0, 2_000).map(bytes)
MARK = pack(bytes(32))[:-2]
PARTS = st.one_of(st.binary(max_size=80), RUNS, st.sampled_from([MARK, MARK[1:], MARK[:1]]))


@given(st.lists(PARTS, max_size=8).map(b"".join))
def test_packed_bytes_come_back(data: bytes) -> None:
    assert unpack(pack(data)) == data


def test_long_runs_take_no_room() -> None:
    assert len(pack(b"key" + bytes(1_152) + b"key" + bytes(1_056))) < 40
