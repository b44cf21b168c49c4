"""Graders that hold a reply against what the user said: language.user. Each judges one turn of a conversation."""

from __future__ import annotations

from dataclasses import replace

from evalkit.graders.findings import not_measured
from evalkit.graders.form import language
from evalkit.reading.language import is_short, possible_languages
from evalkit.records import Finding, JsonObject, Transcript, Turn


def language_of_user(params: JsonObject, turn: Turn, transcript: Transcript) -> Finding:
    """Require that the reply is in the language that the user writes in.

    Why: a customer who writes in German wants a German answer. Example: `language: user`. The user's language is told
    from the messages up to this turn; when they are too few words to tell, it is not measured. Instead of following
    the user where only one language is spoken, name it.
    """
    said = [one.user for one in transcript.turns if one.n <= turn.n]
    for text in (said[-1], "\n".join(said)):
        found = possible_languages(text)
        if found and (len(found) == 1 or not is_short(text)):
            finding = language({**params, "language": found[0]}, turn.reply, turn.n)
            return replace(finding, expected=f"the user's language, {found[0]}" if finding.expected else "")
    return not_measured("the user's words are too few to tell their language", turn.n)
