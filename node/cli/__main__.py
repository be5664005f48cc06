"""`python -m node.cli`: the command line without the installed script."""

from node.cli import main

main()
