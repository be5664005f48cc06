"""`kassiber completion`: a script for the shell."""

from typing import Annotated, Literal

from cyclopts import Parameter


def completion(shell: Annotated[Literal["bash", "zsh", "fish"], Parameter(help="Whose language to print.")], /) -> None:
    """Print a completion script.

    For bash: kassiber completion bash > ~/.local/share/bash-completion/completions/kassiber
    """
    from node.cli.app import app

    print(app.generate_completion(prog_name="kassiber", shell=shell))
