"""What `kassiber meet` shows of each change; whatever others call themselves."""

from typing import Any

from node.cli.meet import news

START: dict[str, Any] = {
    "version": 0, "name": "Alice", "seconds": 300.0, "anywhere": True, "wait_seconds": 0.0, "people": [], "call": None,
    "trouble": None, "over": None, "contact": None, "invitation": None,
}  # fmt: skip
EVIL = "\x1b[2J\u202eboB"


def told(before: dict[str, Any], **changes: Any) -> list[str]:
    return list(news(START | before, START | before | changes))


def call(**changes: Any) -> dict[str, Any]:
    return {"name": EVIL, "calling": True, "code": None, "same": None} | changes


def test_people_come_and_go_under_names_that_cannot_move_the_cursor() -> None:
    somebody = [{"person": 3, "name": EVIL}]
    assert told({}, people=somebody) == ["   3  \\x1b[2J\\u202eboB"]
    assert told({"people": somebody}) == []
    assert told({"people": somebody}, people=[]) == ["      \\x1b[2J\\u202eboB (3) has gone"]


def test_a_code_is_shown_to_be_compared_once() -> None:
    assert told({}, call=call(calling=False)) == ["\\x1b[2J\\u202eboB calls you."]
    (line,) = told({"call": call()}, call=call(code="012345"))
    assert line.startswith("Code: 012 345. Does \\x1b[2J\\u202eboB see the same?")
    assert told({"call": call(code="012345")}, call=call(code="012345")) == []
    (line,) = told({"call": call(code="012345")}, call=call(code="012345", same=True))
    assert line.startswith("Waiting for")
    assert told({"call": call(code="012345")}, call=call(code="012345", same=False)) == []


def test_a_call_that_failed_says_why_and_when_the_next_may_be() -> None:
    lines = told({"call": call(code="012345")}, call=None, trouble=f"{EVIL} hung up.", wait_seconds=41.7)
    assert lines == ["\\x1b[2J\\u202eboB hung up.", "Another call is possible in 42 seconds."]


def test_the_end_says_what_it_came_to() -> None:
    assert told({"call": call()}, call=None, over="met", contact=7) == [
        "\\x1b[2J\\u202eboB is contact 7. Write: kassiber chat 7"
    ]
    (line,) = told({}, over="time")
    assert "kassiber meet" in line


def test_where_there_is_no_network_the_person_is_told() -> None:
    for before in (True, None):
        (line,) = told({"anywhere": before}, anywhere=False)
        assert "no network" in line
    assert told({"anywhere": False}, anywhere=False) == []
