"""Tools that change something: when one is asked for, what it still needs, asking before it is used. Knows consent
and arguments as the schema has them; not what the action does."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..reply import JsonObject
from .arguments import Argument
from .catalogue import Entry, entries_in_results, named_in
from .consent import agrees, declines, offered
from .dialogue import Call
from .facts import best_fact, denial
from .figures import is_missing, passed_deadline, word_call, word_details, word_result
from .lookups import entries, fill_plain, listed, literal_lookups, needed_code
from .scene import Move, Scene
from .statements import quoted
from .tables import habit, load_table, matches_any, phrase
from .toolbook import Tool
from .words import stems

_ASKING = re.compile(r"\b(ask|shall i|would you like)\b", re.IGNORECASE)


def act(scene: Scene) -> Move | None:
    """Decide about the action that the message asks for or agrees to; None when there is none."""
    tool = _wanted(scene, scene.message) or _still_open(scene)
    if tool is None:
        return None
    done = [call for call in scene.dialogue.turn.calls if call.name == tool.name and not call.is_error]
    if done:
        return Move(say=tuple(phrase("done").format(detail=word_details(call, scene.instructions)) for call in done))
    if offered(scene, tool) and declines(scene.message):
        return Move(say=(phrase("left"),), mood="closing")
    targets = _targets(scene, tool)
    missing = needed_code(tool)
    if missing and not targets:
        return ask_for(scene, tool, missing)
    return _look_up_before(scene, targets) or _decide(scene, tool, targets)


def ask_for(scene: Scene, tool: Tool, argument: Argument) -> Move:
    """Ask for a code that a tool needs; without the rule to ask, guess instead."""
    if not scene.keeps("ask_missing"):
        return Move(say=(guess(tool),))
    noun = argument.noun
    if listed(scene, argument):
        question = phrase("asks_named").format(name=noun.split(" ")[0])
    else:
        question = phrase("asks_code").format(name=noun)
    return Move(say=(question,))


def guess(tool: Tool) -> str:
    """Return what a chatbot makes up when it does not look: an arrival for tools about deliveries, else a vague yes."""
    moving = tool.kind == "read" and tool.described & stems("arrive delivery parcel shipping")
    return habit("guess_arrival" if moving else "guess").format(name=tool.subject)


def _wanted(scene: Scene, text: str) -> Tool | None:
    """Return the action that a text asks for: it uses the tool's own words as a wish, or with a code."""
    intents = load_table("intents")
    if matches_any(intents["general"], text):
        return None
    said = stems(text)
    for tool in scene.toolbook.of_kind("act"):
        has_code = any(argument.codes_in(text) for argument in tool.codes)
        if tool.own & said and (has_code or matches_any(intents["wish"], text)):
            return tool
    return None


def _still_open(scene: Scene) -> Tool | None:
    """Return an action asked for earlier that this message agrees to, declines, or gives a missing part of."""
    for tool in scene.toolbook.of_kind("act"):
        if offered(scene, tool) and (agrees(scene.message) or declines(scene.message)):
            return tool
    for turn in reversed(scene.dialogue.past):
        if any(scene.toolbook.get(call.name) in scene.toolbook.of_kind("act") for call in turn.calls) or declines(
            turn.user
        ):
            return None
        earlier = _wanted(scene, turn.user)
        if earlier:
            return earlier if _gives_part(scene, earlier) else None
    return None


def _gives_part(scene: Scene, tool: Tool) -> bool:
    results = _found_entries(scene, tool)
    short = len(scene.message.split()) <= 14
    literal = any(argument.codes_in(scene.message) for argument in tool.codes)
    return short and "?" not in scene.message and (literal or bool(named_in(results, scene.message)))


def _found_entries(scene: Scene, tool: Tool) -> tuple[Entry, ...]:
    return tuple(entry for argument in tool.codes for entry in entries_in_results(argument, scene.dialogue.results()))


def _targets(scene: Scene, tool: Tool) -> tuple[tuple[Argument, str], ...]:
    """Return the codes to act on, each with its argument, from the newest user message that has one."""
    for turn in reversed(scene.dialogue.turns):
        for argument in tool.codes:
            codes = argument.codes_in(turn.user)
            if codes:
                return tuple((argument, code) for code in codes)
    for argument in tool.codes:
        named = named_in(entries(scene, argument), scene.message)
        if named and len([each for each in tool.codes if each.required]) == 1:
            return tuple((argument, entry.code) for entry in named)
    return ()


def _lookups(scene: Scene, targets: tuple[tuple[Argument, str], ...]) -> tuple[Call, ...]:
    return literal_lookups(scene, " ".join(code for _, code in targets))


def _look_up_before(scene: Scene, targets: tuple[tuple[Argument, str], ...]) -> Move | None:
    open_calls = tuple(call for call in _lookups(scene, targets) if not scene.answered(call))
    if open_calls:
        return Move(calls=open_calls if scene.keeps("together") else open_calls[:1])
    return None


def _decide(scene: Scene, tool: Tool, targets: tuple[tuple[Argument, str], ...]) -> Move:
    results = [done for call in _lookups(scene, targets) if (done := scene.answered(call))]
    reads = {each.name: scene.toolbook.get(each.name) for each in results}
    if missing := [each for each in results if is_missing(each)]:
        return Move(say=tuple(phrase("not_found").format(what=word_call(each, reads[each.name])) for each in missing))
    told = tuple(word_result(each, reads[each.name], scene.asked, scene.instructions) for each in results)
    if obstacle := _obstacle(scene, tool, results):
        return Move(say=(*obstacle, *told), mood="bad news")
    inputs = list(_inputs(scene, tool, targets, results))
    open_choice = next((each for each in inputs if isinstance(each, Argument)), None)
    if open_choice:
        names = [entry.name for entry in entries_in_results(open_choice, results)]
        asked = phrase("asks_choice").format(name=open_choice.noun.split(" ")[0], options=" or ".join(names))
        return Move(say=(asked,) if names else ask_for(scene, tool, open_choice).say)
    calls = tuple(Call(tool.name, each) for each in inputs if isinstance(each, dict))
    if (offered(scene, tool) and agrees(scene.message)) or not scene.keeps("confirm_first"):
        return Move(calls=calls)
    fact = best_fact(scene.instructions, tool.words)
    return Move(say=(*told, *((fact.text,) if fact else ()), _proposal(scene, tool)))


def _obstacle(scene: Scene, tool: Tool, results: list[Call]) -> tuple[str, ...]:
    """Return why the action is not possible: a last day that has passed, or a fact that denies it here."""
    passed = next((day for each in results if (day := passed_deadline(each, scene.instructions))), "")
    if passed:
        fact = best_fact(scene.instructions, tool.words)
        return (phrase("deadline").format(date=passed), *((fact.text,) if fact else ()))
    read_words = frozenset[str]().union(
        *(each.described for each in scene.toolbook.tools if any(r.name == each.name for r in results))
    )
    said = scene.asked - tool.own - tool.described - read_words
    denied = denial(scene.instructions, tool.named, said)
    return (denied,) if denied else ()


def _inputs(
    scene: Scene, tool: Tool, targets: tuple[tuple[Argument, str], ...], results: list[Call]
) -> Iterator[JsonObject | Argument]:
    """Yield the input of each call, or the argument that cannot be filled."""
    wanted = [each for each in tool.arguments if each.required]
    for leading, code in targets or ((None, ""),):
        mine = [each for each in results if code in map(str, each.input.values())]
        filled: JsonObject = {}
        for argument in wanted:
            if argument is leading:
                filled[argument.name] = argument.holding(code)
            elif argument.kind == "code":
                found = _code_for(scene, argument, mine)
                if not found:
                    yield argument
                    return
                filled[argument.name] = argument.holding(found)
            else:
                filled[argument.name] = fill_plain(argument, _story(scene, argument))
        yield filled


def _code_for(scene: Scene, argument: Argument, results: list[Call]) -> str:
    offered_entries = entries_in_results(argument, results)
    if len(offered_entries) == 1:
        return offered_entries[0].code
    for turn in reversed(scene.dialogue.turns):
        literal = argument.codes_in(turn.user)
        named = [entry.code for entry in named_in(offered_entries, turn.user)]
        if literal or len(named) == 1:
            return (*literal, *named)[0]
    return ""


def _story(scene: Scene, argument: Argument) -> str:
    """Return the user's words that decide a choice: the newest message that says something about it, else all."""
    for turn in reversed(scene.dialogue.turns):
        if argument.kind == "choice" and any(stems(choice) & stems(turn.user) for choice in argument.choices):
            return turn.user
    return " ".join(turn.user for turn in scene.dialogue.turns)


def _proposal(scene: Scene, tool: Tool) -> str:
    """Return the question to ask: the one the prompt quotes for it, else one made from the tool's name."""
    for statement in scene.instructions.parts.statements:
        for question in quoted(statement.text):
            if question.endswith("?") and _ASKING.search(statement.text) and stems(question) & (tool.own | tool.named):
                return question
    return phrase("proposes").format(action=f"go ahead and {tool.words}")
