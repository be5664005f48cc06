"""Write `specs/vectors/` anew: `python -m tests.vectors.generate`. Imports neither `protocol` nor `node`."""

from collections.abc import Iterator

from tests.vectors.scenario import FOLDER, Scenario
from tests.vectors.scenarios import cards, commands, discovery, envelopes, keys, links, lists, onions, sessions, traffic


def scenarios() -> Iterator[Scenario]:
    """Every vector, in the order of the specs."""
    for subject in (commands, keys, sessions, envelopes, links, discovery, traffic, lists, onions, cards):
        yield from subject.scenarios()


def main() -> None:
    """Remove what is no vector any more, write all that are."""
    texts = {f"{scenario.name}.json": scenario.to_json() for scenario in scenarios()}
    FOLDER.mkdir(parents=True, exist_ok=True)
    for path in FOLDER.glob("*.json"):
        if path.name not in texts:
            path.unlink()
    for name, text in texts.items():
        (FOLDER / name).write_text(text, "utf-8")
    print(f"{len(texts)} vectors, {sum(map(len, texts.values())) // 1_024} KiB")


if __name__ == "__main__":
    main()
