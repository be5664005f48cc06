"""The command line, one file a command. What a command needs is imported when it runs: `--help` stays quick."""

import gc
import sys


def main() -> None:
    """The program `kassiber`; its exit codes are in `node.cli.exits`."""
    gc.disable()  # collecting while importing finds nothing and takes a fifth of the time to --help
    from node.cli.app import run

    gc.enable()
    sys.exit(run(sys.argv[1:]))
