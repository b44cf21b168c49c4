"""A script played on a clinic's front desk: a domain that nothing in the code knows."""

from __future__ import annotations

import json
from typing import Any

import pytest

from evalkit.standin import Cue, Reply
from evalkit.standin.directions import NO_SCRIPT, mark_no_script
from evalkit.standin.script import check_script, player, read_script
from evalkit.structured import REPAIR_OPENING
from evalkit.yamlsource import SourceText

CLINIC = """\
words:
  doctor: {osei: Osei, lindqvist: Lindqvist}
  choice: {0: first|earlier, 1: second|later}
prompt:
  emergency: call 999
  choose: only after the patient has chosen
  doctors: /Our doctors are ([^.]+)/
facts: {doctor: "{doctor}"}
rules:
  - {user: chest pain|bleeding, has: emergency, say: Please call 999 at once.}
  - {if: failed.tool == 'book_slot', say: It is taken. Which other time would you like?}
  - reply: Which one would you like
    user: "{choice}"
    call: {book_slot: {slot: "{{ find_slots.slots[choice | int].id }}"}}
    say: It is booked. Your reference is {{ book_slot.reference }}.
  - user: "{doctor}"
    call: {find_slots: {doctor: "{{ doctor }}"}}
    then:
      - {if: not find_slots.slots, say: There is nothing free.}
      - {lacks: choose, call: {book_slot: {slot: "{{ find_slots.slots[0].id }}"}}, say: It is booked.}
      - say: >-
          {% for s in find_slots.slots[:2] %}{{ s.day | day }} at {{ s.time }}. {% endfor %}
          Which one would you like?
  - {user: appointment, has: doctors, say: "Which doctor: {{ prompt.doctors }}?"}
  - {user: broken, say: "{{ facts.doctor }}"}
"""
CAREFUL = "Book only after the patient has chosen. If it is serious, call 999. Our doctors are Osei and Lindqvist."
TOOLS = [{"name": name, "input_schema": {"type": "object"}} for name in ("find_slots", "book_slot")]
SLOTS = {
    "slots": [{"id": "s1", "day": "2026-11-30", "time": "09:20"}, {"id": "s2", "day": "2026-12-01", "time": "14:00"}]
}


def ask(*messages: Any, system: str = CAREFUL, script: str = CLINIC, trial: int = 1, **more: Any) -> Reply:
    """Return the reply to a conversation; texts are the user's and the assistant's in turn."""
    listed = [
        {"role": ("user", "assistant")[n % 2], "content": said} if isinstance(said, str) else said
        for n, said in enumerate(messages)
    ]
    request = {"system": system, "tools": TOOLS, "messages": listed, **more}
    return player({"": read_script(SourceText("stand-in.yaml", script))})(request, trial, Cue())


def called(name: str, given: dict[str, Any], result: Any, *, error: bool = False) -> list[dict[str, Any]]:
    """Return a call and its result as messages."""
    block = {"type": "tool_use", "id": f"{name}1", "name": name, "input": given}
    text = result if isinstance(result, str) else json.dumps(result)
    answer = {"type": "tool_result", "tool_use_id": f"{name}1", "content": text, "is_error": error}
    return [{"role": "assistant", "content": [block]}, {"role": "user", "content": [answer]}]


LOOKED = called("find_slots", {"doctor": "osei"}, SLOTS)
OFFER = "30 November at 09:20. 1 December at 14:00. Which one would you like?"


def text(reply: Reply) -> str:
    """Return what a reply says."""
    return "".join(block.get("text", "") for block in reply.content)


def test_a_call_is_made_once_and_its_result_is_spoken_of() -> None:
    """The rule calls, and goes on with its inner rules when the conversation holds the result."""
    first = ask("Can Dr Osei see me?")
    assert first.content == ({"type": "tool_use", "name": "find_slots", "input": {"doctor": "osei"}},)
    assert text(ask("Can Dr Osei see me?", *LOOKED)) == OFFER


def test_a_follow_up_binds_to_the_earlier_result() -> None:
    """What the assistant said last is a condition, and values of words go into the next call."""
    asked = [{"role": "user", "content": "Dr Osei?"}, *LOOKED, {"role": "assistant", "content": OFFER}]
    reply = ask(*asked, {"role": "user", "content": "The second, please"})
    assert reply.content[0]["input"] == {"slot": "s2"}
    taken = called("book_slot", {"slot": "s2"}, "taken", error=True)
    assert "Which other time" in text(ask(*asked, {"role": "user", "content": "The second, please"}, *taken))


def test_a_weaker_prompt_breaks_the_rule_that_rests_on_its_sentence() -> None:
    """Without the sentence it books at once, and does not send an emergency away."""
    weak = "You are the front desk."
    assert ask("Dr Osei?", *LOOKED, system=weak).content[0]["name"] == "book_slot"
    assert text(ask("I have chest pain")) == "Please call 999 at once."
    assert ask("I have chest pain", system=weak).no_script is not None


def test_what_no_rule_fits_is_marked_and_names_what_is_known() -> None:
    """The placeholder is marked beside the text, with a few messages that do get a reply."""
    reply = ask("Do you have parking?")
    assert reply.no_script is not None
    assert (reply.no_script.reason, reply.no_script.place) == ("no rule fits", "stand-in.yaml")
    assert '"chest pain"' in text(reply)
    assert mark_no_script(reply.no_script)[NO_SCRIPT] == "no rule fits;at=stand-in.yaml"


def test_a_rule_that_can_not_be_carried_out_is_named_with_its_line() -> None:
    """Printing what is missing, or a call that failed and that no rule speaks of, is no reply."""
    missing = ask("It is broken").no_script
    assert missing is not None
    assert (missing.reason, missing.place) == ("'doctor' is missing here", "stand-in.yaml:25:5")
    failed = ask("Dr Osei?", *called("find_slots", {"doctor": "osei"}, "down", error=True)).no_script
    assert failed is not None
    assert failed.reason.startswith("find_slots has failed")


def test_a_pattern_that_takes_too_long_on_the_prompt_is_no_crash() -> None:
    """The reply is a placeholder that says why, as where any rule can't be carried out."""
    script = "prompt: {slow: '/(x|xx)+[0-9]/'}\nrules: [{user: hello, say: Hi.}]"
    slow = ask("Hello", system="x" * 60, script=script).no_script
    assert slow is not None
    assert slow.reason == "under `prompt`, the pattern takes longer than 0.5 s on this text"


def test_no_tool_no_call() -> None:
    """A rule whose tool is not offered does not fit; a demanded call that no rule makes is a marked placeholder."""
    assert ask("Dr Osei?", tool_choice={"type": "none"}).no_script is not None
    forced = ask("An appointment, please", tool_choice={"type": "tool", "name": "book_slot"})
    assert forced.no_script is not None
    assert forced.content[0]["name"] == "book_slot"


def test_chance_depends_on_the_request_the_trial_and_the_rule() -> None:
    """The same trial rolls the same, other trials differ, and a rule above does not move the dice."""
    rules = "rules: [{chance: 0.5, say: Now.}, {user: hi, say: Later.}]"
    more = "rules: [{user: bye, say: Bye.}, {chance: 0.5, say: Now.}, {user: hi, say: Later.}]"
    drawn = [text(ask("Hi", script=rules, trial=trial)) for trial in range(30)]
    assert drawn == [text(ask("Hi", script=more, trial=trial)) for trial in range(30)]
    assert set(drawn) == {"Now.", "Later."}


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("rules: [{user: hi, sey: Hello}]", "1:20 unknown key 'sey' in a rule (did you mean 'say'?)"),
        ("rules: [{user: hi}]", "1:9 this rule does nothing; expected one of say, call, then, output, refuse."),
        ("rules: [{user: '{dog}', say: Hi}]", "1:16 the pattern '{dog}' names {dog}, which stands nowhere"),
        ("rules: [{user: '/(/', say: Hi}]", "1:16 the pattern '/(/' is not a regular expression"),
        ("prompt: {asks: x}\nrules: [{has: ask, user: a, say: Hi}]", "2:15 'ask' stands nowhere under `prompt`"),
        ("rules: [{user: hi, say: '{{ x }}'}]", "1:25 the text '{{ x }}' uses 'x', which stands nowhere"),
        ("rules: [{user: hi, say: '{{ 1 | x }}'}]", "1:25 the text '{{ 1 | x }}' no filter 'x' here; there are: abs"),
        ("rules: [{user: hi, say: '{{ x '}]", "1:25 the text '{{ x ' is not a template"),
        ("rules: [{user: hi, say: Hi, slip: {say: Ho}}]", "1:35 a slip needs its `chance`"),
    ],
)  # fmt: skip
def test_mistakes_are_found_when_a_script_is_read(script: str, message: str) -> None:
    """Each is reported at its line and column."""
    _, problems = check_script(SourceText("s.yaml", script))
    assert message in [f"{one.place.line}:{one.place.column} {one.message}"[: len(message)] for one in problems]


def test_one_malformed_rule_hides_nothing_about_the_others() -> None:
    """All mistakes of a file are told at once, in the order of its lines, and none that only follow from another."""
    text = """
prompt: {asks: /ask (first/}
rules:
  - {user: a, hass: asks, call: {look: {}}, say: x}
  - {user: b}
  - {user: c, lacks: nowhere, say: "{{ look.place }} {{ oops"}
style: [{start: ok, word: 1}]
"""
    _, problems = check_script(SourceText("s.yaml", text))

    assert [(problem.place.line, problem.message.split(";")[0].split(" is not")[0][:30]) for problem in problems] == [
        (2, "the pattern '/ask (first/'"),
        (4, "unknown key 'hass' in a rule ("),
        (5, "this rule does nothing"),
        (6, "'nowhere' stands nowhere under"),
        (6, "the text '{{ look.place }} {{ "),
        (7, "unknown key 'word' in a style "),
    ]


TRIAGE = """\
rules:
  - {user: chest, output: {urgency: now}}
  - {user: tongue, output: {urgency: 7}}
  - {user: throat, output: {urgency: today, advice: "Drink something warm."}, stop: max_tokens}
"""
REPAIR = f"{REPAIR_OPENING} at 'urgency'."


def test_an_output_is_said_as_it_is_written() -> None:
    """It need not fit what the request asks for, so that a fault can be planted; a cut leaves half of it."""
    wrong, cut = (ask(f"My {part} hurts", script=TRIAGE) for part in ("tongue", "throat"))

    assert wrong.content[0]["text"] == '{"urgency":7}'
    assert (cut.stop_reason, cut.content[0]["text"]) == ("max_tokens", '{"urgency":"today","advice')


def test_a_reply_that_is_asked_for_again_is_said_again() -> None:
    """A script without a rule for the repair stands by what it said; one with a rule mends it."""
    again = ask("My tongue hurts", '{"urgency":7}', REPAIR, script=TRIAGE)
    mended = ask("My tongue hurts", '{"urgency":7}', REPAIR, script=TRIAGE + "  - {user: can't be used, output: {}}\n")

    assert again.content[0]["text"] == '{"urgency":7}'
    assert mended.content[0]["text"] == "{}"


def test_a_rule_without_conditions_is_warned_of() -> None:
    """It hides what nobody wrote a rule for."""
    _, problems = check_script(SourceText("s.yaml", "rules: [{say: Anything.}]"))
    assert [(one.severity, one.place.column) for one in problems] == [("warning", 9)]
