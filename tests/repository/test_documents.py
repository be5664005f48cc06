"""The documents keep up with the program: every command is named, every link leads somewhere."""

import re
import subprocess
import sys

from tests.repository.tree import ROOT, texts

LINK = re.compile(r"\]\((?!https?:)([^)#\s]+)")


def test_every_link_leads_to_a_file() -> None:
    broken = [
        f"{name} -> {target}"
        for name, text in texts()
        if name.endswith(".md")
        for target in LINK.findall(text)
        if not (ROOT / name).parent.joinpath(target).exists()
    ]
    assert broken == []


def test_the_readme_names_every_command() -> None:
    shown = subprocess.run([sys.executable, "-m", "node.cli", "--help"], cwd=ROOT, capture_output=True, text=True)
    commands = re.findall(r"^  ([a-z]+)  ", shown.stdout, re.MULTILINE)
    assert "send" in commands
    assert [name for name in commands if f"`{name}`" not in (ROOT / "README.md").read_text("utf-8")] == []


def test_the_readme_says_what_is_not_protected() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    assert "| Delivery receipts | leave minutes later" in readme
    assert "tells such relays who writes to whom in every preset" in readme
    assert '**When and how much** | **not protected, but for** `traffic = "constant"`' in readme
