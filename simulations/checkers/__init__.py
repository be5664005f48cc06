"""What must hold in every world, whatever strikes it. A checker raises `Violation`, which names what was broken."""


class Violation(AssertionError):
    """A promise was broken. `checker`: which one noticed; the text says how, for a person."""

    def __init__(self, checker: str, text: str) -> None:
        super().__init__(f"{checker}: {text}")
        self.checker = checker
