"""Each command as a process, against a running node: what it prints, what it exits with."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import msgspec
import pytest

from node.cli import exits
from node.privacy import read_figures
from node.profile import create_profile, finish_profile
from node.store.keys import credential_slot, new_data_key, write_slots
from protocol.limits import MAX_TEXT_BYTES
from protocol.traffic.policies import NAMES
from tests.node.cli.program import KASSIBER, environment, kassiber, running
from tests.node.cli.typing_person import type_into
from tests.node.fake_node import LINK, NUMBER


@pytest.fixture
def profile(tmp_path: Path) -> Path:
    made = create_profile(tmp_path / "profile")
    write_slots(made.keys, [credential_slot(new_data_key(), bytes(32))])
    made.mailbox.touch(0o600)
    finish_profile(made)
    return tmp_path


@pytest.fixture
def node(profile: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """A running node; texts come as far as the test's `states` say."""
    states = getattr(request, "param", ["relayed", "delivered"])
    program = [KASSIBER[0], "-m", "tests.node.cli.fake_up", str(profile / "profile"), *states]
    with running(profile, program):
        yield profile


def lines(output: bytes) -> list[Any]:
    return [json.loads(line) for line in output.splitlines()]


def test_a_text_that_a_relay_has_exits_with_0(node: Path) -> None:
    sent = kassiber(node, "send", "Bob", "hello")
    assert (sent.returncode, sent.stderr) == (0, b"relayed to Bob\n")


@pytest.mark.parametrize("node", [[]], indirect=True)
def test_a_text_that_nobody_has_yet_exits_with_75(node: Path) -> None:
    sent = kassiber(node, "send", "Bob", "hello", "--wait", "0.3", "--json")
    assert sent.returncode == 75
    assert lines(sent.stdout)[0]["state"] == "queued"


@pytest.mark.parametrize(
    "content", [b"line\n", b"\x00\xe2\x80\xae\r\n\n", "e\u0301\U0001f600".encode(), b"x" * MAX_TEXT_BYTES]
)
def test_standard_input_is_sent_byte_for_byte(node: Path, content: bytes) -> None:
    assert kassiber(node, "send", "Bob", stdin=content).returncode == 0
    assert lines(kassiber(node, "inbox", "Bob", "--json").stdout)[-1]["text"].encode() == content
    assert kassiber(node, "send", "Bob", "-", stdin=content).returncode == 0


def test_what_is_not_utf8_is_refused_with_the_offset_of_its_first_wrong_byte(node: Path) -> None:
    for sent in (kassiber(node, "send", "Bob", stdin=b"gut\xffes"), kassiber(node, "send", "Bob", b"gut\xffes")):
        assert sent.returncode == 65
        assert b"byte 3 (0xff)" in sent.stderr


def test_a_text_too_long_names_the_limit(node: Path) -> None:
    sent = kassiber(node, "send", "Bob", stdin=b"x" * (MAX_TEXT_BYTES + 1))
    assert sent.returncode == 65
    assert b"at most 262,144 bytes" in sent.stderr


def test_nothing_is_sent_of_nothing(node: Path) -> None:
    assert kassiber(node, "send", "Bob").returncode == 65


def test_an_editor_writes_a_text(node: Path) -> None:
    editor = node / "editor"
    editor.write_text("#!/bin/sh\nprintf 'two\\nlines\\n' > \"$1\"\n")
    editor.chmod(0o755)
    code, shown = type_into(node, ["send", "Bob"], more={"EDITOR": str(editor)})
    assert code == 0, shown
    assert lines(kassiber(node, "inbox", "--json").stdout)[-1]["text"] == "two\nlines"
    assert [path.name for path in (node / "run" / "kassiber").glob("draft*")] == []


@pytest.mark.parametrize(
    ("wanted", "found"), [("Bob", "Bob"), ("bob", "Bob"), ("1", "Bob"), ("5", "1"), ("Zoe\u0308", "Zo\u00eb")]
)
def test_a_contact_is_found_by_name_or_number_and_whoever_is_called_a_number_is_not_that_one(
    node: Path, wanted: str, found: str
) -> None:
    sent = kassiber(node, "send", wanted, "x")
    assert (sent.returncode, sent.stderr.decode()) == (0, f"relayed to {found}\n")


def test_a_name_that_is_there_twice_is_told(node: Path) -> None:
    told = kassiber(node, "contacts", "rename", "2", "Bob").stdout.decode()
    assert "Contacts 1, 2 have one name now" in told


@pytest.mark.parametrize(("wanted", "says"), [("Carol", b"There are: Bob"), ("Eve", b"Use a number instead: 3, 4")])
def test_a_contact_that_is_none_or_several_is_told(node: Path, wanted: str, says: bytes) -> None:
    sent = kassiber(node, "send", wanted, "x")
    assert sent.returncode == 66
    assert says in sent.stderr


def test_a_terminal_gets_no_control_or_bidi_character_and_json_is_exact(node: Path) -> None:
    shown = kassiber(node, "inbox").stdout
    assert b"hello\\x00\\u202eevil\n" in shown
    assert b"\\x1b[31mred" in shown
    assert not {0, 0x1B} & set(shown)
    assert lines(kassiber(node, "inbox", "--json").stdout)[0]["text"] == "hello\x00\u202eevil\n\x1b[31mred"


def test_chat_sends_lines_and_shows_how_far_they_come(node: Path) -> None:
    shown = kassiber(node, "chat", "Bob", "--after", "5", stdin=b"x\n").stdout.decode()
    assert "not verified" in shown
    with running(node, [*KASSIBER, "chat", "Bob"]) as chat:
        assert chat.stdin is not None
        assert chat.stdout is not None
        chat.stdin.write(b"ping\n")
        chat.stdin.flush()
        shown = ""
        while "Bob: pong" not in shown:
            shown += chat.stdout.readline().decode()
        assert "you: ping [" in shown
        assert shown.index("[relayed] ping") < shown.index("[delivered] ping") < shown.index("Bob: pong")
        chat.stdin.close()
        assert chat.wait(10) == 0


def test_chat_as_json_resumes_after_any_line_and_agrees_with_the_inbox(node: Path) -> None:
    for text in ("one", "ping", "three"):
        kassiber(node, "send", "Bob", text)
    with running_chat(node, "0") as chat:
        first = [json.loads(next(chat)) for _ in range(4)]
    with running_chat(node, str(first[-1]["change"])) as chat:
        rest = [json.loads(next(chat)) for _ in range(7)]
    shown = [row for row in first + rest if row["kind"] == "message"]
    inbox = lines(kassiber(node, "inbox", "Bob", "--json").stdout)
    assert [(row["change"], row["text"]) for row in shown] == [(row["change"], row["text"]) for row in inbox]
    assert [row["state"] for row in inbox if row["mine"]] == ["delivered"] * 3


class running_chat:  # noqa: N801 -- used as a function
    """The lines of `chat --json` with nothing on its standard input."""

    def __init__(self, directory: Path, after: str) -> None:
        self._process = subprocess.Popen(
            [*KASSIBER, "chat", "Bob", "--json", "--after", after],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            cwd=directory,
            env=environment(directory),
        )

    def __enter__(self) -> Iterator[bytes]:
        assert self._process.stdout is not None
        return iter(self._process.stdout)

    def __exit__(self, *error: object) -> None:
        with self._process:
            self._process.kill()


def test_a_chat_ends_with_69_when_its_node_ends(profile: Path) -> None:
    program = [KASSIBER[0], "-m", "tests.node.cli.fake_up", str(profile / "profile")]
    with running(profile, program) as fake, running(profile, [*KASSIBER, "chat", "Bob", "--json"]) as chat:
        fake.kill()
        assert chat.wait(10) == 69


def test_invite_prints_a_link_writes_a_file_and_draws_a_code(node: Path) -> None:
    made = kassiber(node, "invite", "--file", "bob.invitation", "--qr")
    assert made.returncode == 0
    assert made.stdout.splitlines()[0].decode() == LINK
    assert "\u2588" in made.stdout.decode() or "\u2580" in made.stdout.decode()
    assert (node / "bob.invitation").read_bytes() == b"\x00file"
    assert (node / "bob.invitation").stat().st_mode & 0o777 == 0o600
    assert kassiber(node, "invite").stdout.decode() == LINK + "\n"
    assert lines(kassiber(node, "invite", "--json").stdout)[0]["link"] == LINK


def test_accept_takes_a_link_a_file_or_standard_input(node: Path) -> None:
    (node / "file").write_bytes(b"\x93\x00binary")
    (node / "link").write_text(f"{LINK}\n")
    accepted = kassiber(node, "accept", LINK, "--name", "Dan", "--json")
    assert lines(accepted.stdout)[0]["name"] == "Dan"
    for arguments, stdin in ((["file"], b""), (["link"], b""), (["-"], LINK.encode()), (["-"], b"\x93\x00binary")):
        assert kassiber(node, "accept", *arguments, stdin=stdin).returncode == 0


@pytest.mark.parametrize(
    ("argument", "code", "says"),
    [
        ("kassiber://used/i#", 65, b"used by someone else"),
        ("absent", 66, b"neither a link (kassiber://...) nor a card (name@relay), nor a file"),
        ("-", 65, b"empty or too long"),
        ("https://example.org/", 66, b"neither a link"),
    ],
)
def test_accept_says_what_is_wrong(node: Path, argument: str, code: int, says: bytes) -> None:
    accepted = kassiber(node, "accept", argument)
    assert accepted.returncode == code
    assert says in accepted.stderr


def test_verify_compares_numbers(node: Path) -> None:
    assert kassiber(node, "verify", "Bob").stdout.startswith(NUMBER.encode())
    assert kassiber(node, "verify", "Bob", *NUMBER.split()).returncode == 0
    assert b" yes " in kassiber(node, "contacts").stdout
    other = kassiber(node, "verify", "Bob", "54321" * 12)
    assert other.returncode == 65
    assert b"NOT THE SAME" in other.stdout
    assert b" yes " not in kassiber(node, "contacts").stdout
    assert b"60 digits" in kassiber(node, "verify", "Bob", "12345").stderr


def test_relays_are_listed_added_and_removed(node: Path) -> None:
    first, second = (f"kassiber://relay{number}.example:7777/r#" + "A" * 43 for number in (1, 2))
    assert kassiber(node, "relays", "add", first).returncode == 0
    assert kassiber(node, "relays", "add", second).returncode == 0
    assert [row["address"] for row in lines(kassiber(node, "relays", "--json").stdout)] == [first, second]
    assert kassiber(node, "relays", "remove", first).returncode == 0
    assert second.encode() in kassiber(node, "relays").stdout
    assert kassiber(node, "relays", "remove", first).returncode == 66
    assert kassiber(node, "relays", "add", LINK).returncode == 65


def test_status_and_doctor_tell_how_the_node_stands(node: Path) -> None:
    assert lines(kassiber(node, "status", "--json").stdout)[0]["contacts"] == 5
    assert b"Relay     none" in kassiber(node, "status").stdout
    examined = kassiber(node, "doctor")
    assert examined.returncode == 69
    assert b"WRONG There is no relay" in examined.stdout
    assert b"kassiber relays add ADDRESS" in examined.stdout


def test_status_and_doctor_tell_what_links_follow(node: Path) -> None:
    assert b"Traffic   batched; contacts' relays are reached straight" in kassiber(node, "status").stdout
    assert b"Links send as batched says" in kassiber(node, "doctor").stdout


def test_privacy_marks_the_preset_in_use_and_tells_what_was_sent(node: Path) -> None:
    shown = kassiber(node, "privacy")
    assert (shown.returncode, shown.stderr) == (0, b"")
    text = " ".join(shown.stdout.decode().split())
    assert next(line for line in shown.stdout.splitlines() if b" * " in line).startswith(b"batched *")
    sent = "Within 50 minutes this node sent 2 frames to relays (0.01 MB), 1 with something in them (0.01 MB) and 1 of"
    assert sent in text
    for name in NAMES.values():
        assert f"{name} " in text
    assert "find who writes to whom in every preset" in text


def test_privacy_prints_the_figures_that_came_with_the_program(node: Path) -> None:
    (found,) = lines(kassiber(node, "privacy", "--json").stdout)
    assert found["measured"] == msgspec.to_builtins(read_figures())
    assert found["here"]["traffic"] == "batched"
    assert found["here"]["running"]
    assert (found["here"]["sent"]["real_bytes"], found["here"]["sent"]["cover_frames"]) == (8_192, 1)


def test_privacy_needs_no_node_and_no_profile(profile: Path, tmp_path: Path) -> None:
    (profile / "profile" / "settings.toml").write_text('traffic = "constant-4"\nforward = true\n')
    text = " ".join(kassiber(profile, "privacy").stdout.decode().split())
    assert "constant-4 *" in text
    assert "does not see this node, but a relay of yours" in text
    assert "No node is running" in text
    (tmp_path / "other").mkdir()
    alone = kassiber(tmp_path / "other", "privacy")
    assert (alone.returncode, alone.stderr) == (0, b"")
    assert b" * " not in alone.stdout
    named = kassiber(tmp_path / "other", "privacy", "--profile", "missing")
    assert named.returncode == 66
    assert b"missing" in named.stderr


def test_privacy_writes_its_picture_where_it_is_told(profile: Path) -> None:
    assert kassiber(profile, "privacy", "--picture", "presets.svg").returncode == 0
    assert ElementTree.parse(profile / "presets.svg").getroot().tag.endswith("svg")
    refused = kassiber(profile, "privacy", "--picture", "no/such/place.svg")
    assert refused.returncode != 0
    assert b"no/such/place.svg" in refused.stderr


def test_without_a_node_status_ends_with_69_and_doctor_names_the_remedy(profile: Path) -> None:
    assert kassiber(profile, "status").returncode == 69
    examined = kassiber(profile, "doctor")
    assert examined.returncode == 0
    assert b"note  No node is running" in examined.stdout
    (profile / "profile" / "settings.toml").write_text("lisen = 1")
    examined = kassiber(profile, "doctor")
    assert examined.returncode == 69
    assert b"Did you mean listen?" in examined.stdout


def test_without_a_profile_every_command_says_how_to_make_one(tmp_path: Path) -> None:
    for command in (["contacts"], ["inbox"], ["up"], ["status"], ["send", "Bob", "x"], ["passphrase"]):
        ended = kassiber(tmp_path, *command)
        assert ended.returncode == 66
        assert b"kassiber init" in ended.stderr


def test_a_locked_profile_without_a_terminal_names_the_ways_in_and_ends_with_77(profile: Path) -> None:
    ended = kassiber(profile, "inbox")
    assert ended.returncode == 77
    assert b"--credential-file FILE" in ended.stderr


def test_a_wrong_credential_ends_with_77_and_changes_nothing(profile: Path) -> None:
    (profile / "wrong").write_bytes(bytes(range(32)))
    before = {path: path.read_bytes() for path in (profile / "profile").iterdir()}
    for command in (["inbox"], ["up"], ["passphrase"]):
        ended = kassiber(profile, *command, "--credential-file", "wrong")
        assert ended.returncode == 77
        assert b"Nothing was changed" in ended.stderr
    after = {path: path.read_bytes() for path in (profile / "profile").iterdir() if path.name != "lock"}
    assert after == before


def test_a_second_node_on_one_profile_is_refused(node: Path) -> None:
    (node / "key").write_bytes(bytes(32))
    ended = kassiber(node, "up", "--credential-file", "key")
    assert ended.returncode == 69
    assert b"A node or relay is running" in ended.stderr


@pytest.mark.parametrize(
    "arguments",
    [["sned"], ["send"], ["send", "Bob", "x", "--wait", "soon"], ["inbox", "--jsn"], ["send", "Bob", "--jsn"]],
)
def test_wrong_usage_ends_with_64(profile: Path, arguments: list[str]) -> None:
    assert kassiber(profile, *arguments).returncode == 64


def test_a_reader_that_leaves_early_ends_the_program_quietly(node: Path) -> None:
    command = " ".join([KASSIBER[0], "-c", "'from node.cli import main; main()'", "inbox", "--json"])
    ended = subprocess.run(
        ["bash", "-c", f"{command} | true; exit ${{PIPESTATUS[0]}}"],
        env=environment(node),
        cwd=node,
        capture_output=True,
    )
    assert ended.returncode in {0, 141}
    assert ended.stderr == b""


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_knows_the_commands(tmp_path: Path, shell: str) -> None:
    script = kassiber(tmp_path, "completion", shell)
    assert script.returncode == 0
    assert b"contacts" in script.stdout


def test_help_names_every_command_and_the_exit_codes(tmp_path: Path) -> None:
    shown = kassiber(tmp_path, "--help").stdout
    assert kassiber(tmp_path).stdout == shown
    for word in (b"init", b"doctor", b"chat", b"75  queued", b"KASSIBER_PROFILE"):
        assert word in shown
    known = {code for name, code in vars(exits).items() if name.isupper() and isinstance(code, int)} - {141}
    assert {int(line[:4]) for line in shown.decode().partition("Exit codes:\n")[2].splitlines()} == known
    assert kassiber(tmp_path, "--version").returncode == 0
    assert b"CONTACT" in kassiber(tmp_path, "send", "--help").stdout


def test_help_imports_nothing_slow(tmp_path: Path) -> None:
    program = "import sys; from node.cli import main; main(); print(sorted(sys.modules))"
    shown = subprocess.run(
        [KASSIBER[0], "-c", program], env=environment(tmp_path), cwd=tmp_path, capture_output=True, check=True
    ).stdout.decode()
    for slow in ("cyclopts", "rich", "trio", "msgspec", "h11", "nacl", "cryptography", "segno", "structlog"):
        assert f"'{slow}'" not in shown
