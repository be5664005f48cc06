"""What a disk may hold after its power failed, worked out by hand."""

import random
from pathlib import Path

from simulations.disk.platter import Delete, Loss, Opened, Operation, Platter, Sync, Truncate, Write

A, B = b"a" * 1_024, b"b" * 1_024


def found(tmp_path: Path, loss: Loss, *operations: Operation, seed: int = 0) -> dict[str, bytes]:
    platter = Platter(random.Random(seed))
    for operation in operations:
        platter.operate(operation)
    directory = tmp_path / f"{loss.name} {seed} {len(list(tmp_path.iterdir()))}"
    directory.mkdir()
    platter.image(directory, {"f": loss})
    return {file.name: file.read_bytes() for file in directory.iterdir()}


SYNCED = (Opened("/d/f", existed=True), Write("/d/f", 0, A), Sync("/d/f", directory=True))


def test_what_was_synced_is_there_whatever_is_lost(tmp_path: Path) -> None:
    for loss in Loss:
        for seed in range(8):
            assert found(tmp_path, loss, *SYNCED, seed=seed) == {"f": A}


def test_what_was_not_synced_may_be_missing_there_or_torn_between_sectors(tmp_path: Path) -> None:
    operations = (*SYNCED, Write("/d/f", 0, B))
    assert found(tmp_path, Loss.NOTHING, *operations) == {"f": B}
    assert found(tmp_path, Loss.EVERYTHING, *operations) == {"f": A}
    halves = {(one, other) for one in (A[:512], B[:512]) for other in (A[512:], B[512:])}
    seen = {
        (content[:512], content[512:])
        for seed in range(80)
        for content in found(tmp_path, Loss.SCATTERED, *operations, seed=seed).values()
    }
    assert seen == halves
    assert len({found(tmp_path, Loss.GARBLED, *operations, seed=seed)["f"] for seed in range(40)} - {A, B}) > 3


def test_what_is_written_in_order_is_lost_from_its_end(tmp_path: Path) -> None:
    operations = (*SYNCED, Write("/d/f", 0, B), Write("/d/f", 1_024, B))
    for seed in range(40):
        content = found(tmp_path, Loss.TAIL, *operations, seed=seed)["f"]
        assert b"ab" not in content[:1_024], "a later sector was written, an earlier one not"
        assert len(content) == 1_024 or content[:1_024] == B


def test_a_file_whose_name_was_not_synced_may_be_missing_and_a_deleted_one_may_return(tmp_path: Path) -> None:
    unnamed = (SYNCED[0], SYNCED[1], Sync("/d/f", directory=False))
    assert found(tmp_path, Loss.EVERYTHING, *unnamed) == {}
    assert found(tmp_path, Loss.EVERYTHING, *SYNCED, Delete("/d/f", directory=False)) == {"f": A}
    assert found(tmp_path, Loss.EVERYTHING, *SYNCED, Delete("/d/f", directory=True)) == {}


def test_a_failed_sync_is_made_good_by_no_later_sync_but_by_writing_again(tmp_path: Path) -> None:
    failed = (*SYNCED, Write("/d/f", 0, B), Sync("/d/f", directory=False, failed=True), Sync("/d/f", directory=False))
    assert found(tmp_path, Loss.NOTHING, *failed) == {"f": B}
    assert found(tmp_path, Loss.EVERYTHING, *failed) == {"f": A}
    again = (*failed, Write("/d/f", 0, B), Sync("/d/f", directory=False))
    for loss in Loss:
        assert found(tmp_path, loss, *again) == {"f": B}


def test_a_length_is_old_until_it_is_synced(tmp_path: Path) -> None:
    cut = (*SYNCED, Truncate("/d/f", 100))
    assert found(tmp_path, Loss.EVERYTHING, *cut) == {"f": A}
    assert found(tmp_path, Loss.EVERYTHING, *cut, Sync("/d/f", directory=False)) == {"f": A[:100]}
