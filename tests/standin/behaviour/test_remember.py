"""The cache for what is read from texts."""

from __future__ import annotations

from evalkit.standin.behaviour.remember import remembered


def test_results_are_kept_for_short_texts_only() -> None:
    """A short text is read once, a long one every time, and only so many are kept."""
    calls: list[str] = []

    @remembered(2)
    def length(text: str) -> int:
        calls.append(text[:1])
        return len(text)

    texts = ["a", "a", "b" * 20_000, "b" * 20_000, "c", "d", "a"]
    assert [length(text) for text in texts] == [1, 1, 20_000, 20_000, 1, 1, 1]
    assert calls == ["a", "b", "b", "c", "d", "a"]
