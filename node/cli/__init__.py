"""The command line, one file a command. What a command needs is imported when it runs: `--help` stays quick."""

import gc
import sys


def main() -> None:
    """The program `kassiber`; its exit codes are in `node.cli.exits`."""
    arguments = sys.argv[1:]
    if arguments in ([], ["--help"], ["-h"]):
        from node.cli.overview import overview

        sys.stdout.write(overview())
        return
    gc.disable()  # collecting while importing finds nothing and costs a fifth of the time
    from node.cli.app import run

    gc.enable()
    sys.exit(run(arguments))
