"""`kassiber sim`: runs the real nodes and relays in a virtual world."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, Parameter

from node.cli.exits import NoInputError
from node.cli.terminal import print_table

app = App(name="sim", help="Simulate the real nodes and relays: find lost messages, measure what is leaked.")
Crypto = Annotated[Literal["toy", "real"], Parameter(help="toy: same sizes and refusals, many times as fast.")]


@app.command
def hunt(
    seeds: Annotated[int, Parameter(help="How many worlds to carry out.")] = 1_000,
    /,
    *,
    crypto: Crypto = "toy",
    first: Annotated[int | None, Parameter(help="Begin with this seed (default: where the ledger ends).")] = None,
    processes: Annotated[int, Parameter(help="How many at once (default: one a core).")] = 0,
    ledger: Annotated[Path, Parameter(help="Where to keep what was run.")] = Path("hunt.jsonl"),
) -> int:
    """Carry out worlds full of faults until a promise is broken; go on where the ledger ends."""
    import os
    import sys
    import time

    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from simulations.hunt import hunt as carry_out
    from simulations.hunt import read_ledger, totals

    failures: list[tuple[int, str]] = []
    began = time.perf_counter()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, disable=not sys.stdout.isatty()) as bar:
        task = bar.add_task("worlds", total=seeds)
        for span in carry_out(ledger, crypto, seeds, processes or os.cpu_count() or 1, first):
            bar.advance(task, span.count)
            for seed, broken in span.failures:
                print(f"seed {seed}: {broken}", flush=True)
            failures += span.failures
    seconds = time.perf_counter() - began
    print_table(
        ("COMMIT", "CRYPTO", "SEEDS", "MESSAGES", "LEAST", "FAULTS", "LEAST", "FAILED", "CPU H", "SEEDS/CPU H"),
        (
            (
                total.commit, total.crypto, f"{total.seeds:,}", f"{total.messages:,}", str(total.fewest_messages),
                f"{total.faults:,}", str(total.fewest_faults), str(total.failures), f"{total.cpu_hours:.2f}",
                f"{total.seeds_per_cpu_hour:,.0f}",
            )
            for total in totals(read_ledger(ledger))
        ),
    )  # fmt: skip
    print(f"{seeds / seconds * 3_600:,.0f} worlds an hour.")
    if failures:
        print(f"{len(failures)} broke a promise. To see one: kassiber sim replay {failures[0][0]} --crypto {crypto}")
    return 1 if failures else 0


@app.command
def replay(
    script: Annotated[str, Parameter(help="A seed, or a file that --save wrote.")],
    /,
    *,
    crypto: Crypto = "toy",
    shrink: Annotated[bool, Parameter(help="Leave out every line that can be spared.")] = False,
    save: Annotated[Path | None, Parameter(help="Write the script here.")] = None,
) -> int:
    """Carry out one world again, and say what is done to it and what came of it."""
    from simulations import shrink as shrinking
    from simulations.script import Shape, decode, draw
    from simulations.trial import carry_out

    if script.isdecimal():
        chosen = draw(int(script), Shape(), real_crypto=crypto == "real")
    elif Path(script).is_file():
        chosen = decode(Path(script).read_bytes())
    else:
        raise NoInputError(f"{script!r} is neither a seed (a number) nor a file.")
    if shrink:
        chosen = shrinking.shrink(chosen, lambda left: print(f"{left} lines break it still", flush=True))
    outcome = carry_out(chosen)
    for line in chosen.lines:
        print(line)
    print(f"trace {outcome.trace}, {outcome.accepted} messages, healed after {outcome.healed_seconds:g} s")
    print(outcome.violation or "Every promise held.")
    if save is not None:
        save.write_bytes(chosen.encode())
    return 1 if outcome.violation else 0
