"""What behaviour knows of earlier turns: only what the request's messages and memory blocks say."""

from __future__ import annotations

from typing import Any

import pytest

from evalkit.standin.behaviour import answer
from evalkit.standin.behaviour.dialogue import cut_memory
from evalkit.standin.behaviour.told import statements_in

from .bikehire import INTRO, QUIET, TOOLS, text

TOLD = (
    "My name is Ann Lee. My dog is called Biscuit. I live in Leeds and I'm allergic to nickel. "
    "My sister's birthday is on 12 May. I prefer to be contacted by email."
)
SYSTEM = f"{INTRO} {QUIET} Answer first, in plain text, in at most 60 words."


def say(*said: str, system: str = SYSTEM, first: list[dict[str, Any]] | None = None, trial: int = 1) -> str:
    """Return the reply to the last of the user's messages; each before it was answered with a nod."""
    messages = list(first or [])
    for each in said[:-1]:
        messages += [{"role": "user", "content": each}, {"role": "assistant", "content": "Noted."}]
    messages.append({"role": "user", "content": said[-1]})
    return text(answer({"system": system, "tools": TOOLS, "messages": messages}, trial, []))


QUESTIONS = [
    ("What is my name?", "Ann Lee"),
    ("What's my dog called?", "Biscuit"),
    ("Do you remember my dog's name?", "Biscuit"),
    ("Where do I live?", "Leeds"),
    ("Can you tell me my name?", "Ann Lee"),
    ("When is my sister's birthday?", "12 May"),
    ("How do I prefer to be contacted?", "email"),
    ("Remind me: what did I say I was allergic to?", "nickel"),
]


@pytest.mark.parametrize(("question", "fact"), QUESTIONS)
def test_what_was_told_is_recalled(question: str, fact: str) -> None:
    """A question about what the user told many turns ago is answered with it, as said to them."""
    reply = say(TOLD, *(["It rains a lot here."] * 30), question)
    assert fact in reply
    assert " my " not in f" {reply.lower()} "


@pytest.mark.parametrize(("question", "fact"), QUESTIONS)
def test_what_is_not_in_the_messages_is_not_known(question: str, fact: str) -> None:
    """Without the message that told it, the same question brings nothing up."""
    assert fact not in say("It rains a lot here.", question)


@pytest.mark.parametrize(
    "memory",
    [
        "<conversation_memory>\nOf its beginning this was noted:\n- The user said: {told}\n</conversation_memory>",
        "<summary>\n{told}\n</summary>",
        "Summary of the conversation so far:\n- {told}",
    ],
)
@pytest.mark.parametrize("place", ["system", "message", "same message", "compaction"])
def test_memory_blocks_count_as_told(memory: str, place: str) -> None:
    """A memory block in the prompt, in a message of its own or in front of the user's words is known like a message."""
    block = memory.format(told="My dog is called Biscuit.")
    question = "What's my dog called?"
    if place == "system":
        reply = say(question, system=f"{SYSTEM}\n\n{block}")
    elif place == "message":
        reply = say(question, first=[{"role": "user", "content": block}])
    elif place == "same message":
        reply = say(f"{block}\n\n{question}")
    else:
        compacted = {"type": "compaction", "content": "- The user said: My dog is called Biscuit."}
        reply = say(question, first=[{"role": "assistant", "content": [compacted]}])
    assert reply == "Your dog is called Biscuit."


def test_memory_block_is_not_read_as_the_users_message() -> None:
    """What a memory block mentions is not acted on: only the user's own words are."""
    block = "<memory>\nThe user asked about booking GH/4417.\n</memory>"
    assert "GH/4417" not in say("Thanks.", first=[{"role": "user", "content": block}])


def test_newest_of_two_statements_counts() -> None:
    """A correction replaces what was said before."""
    said = say("My dog is called Biscuit.", "Actually, my dog is called Waffle.", "What is my dog called?")
    assert said == "Your dog is called Waffle."


def test_not_told_is_said_plainly() -> None:
    """A question about something never told is answered so, with nothing invented."""
    assert say("My dog is called Biscuit.", "Do you remember what my cat is called?") == "You have not told me that."


def test_statements_are_noted() -> None:
    """A message that only states something is acknowledged."""
    assert say("My dog is called Biscuit.") == "Noted."


@pytest.mark.parametrize(
    "question", ["When does GH/4417 start?", "How do I cancel my booking?", "Can I change my booking?", "Is it late?"]
)
def test_other_questions_are_not_taken_for_recall(question: str) -> None:
    """Questions for a tool or an action go there, whatever the user told before."""
    assert "Your booking is a nice one" not in say("My booking is a nice one.", question)


@pytest.mark.parametrize(
    "asking",
    [
        "Summarise the conversation so far.",
        "[Automatic message] Write a memory of the conversation so far. Keep names and numbers. Call no tools.",
        "Please give me a short summary of our conversation.",
    ],
)
def test_summary_lists_what_was_told(asking: str) -> None:
    """Invocation to sum up, the reply is a list of the user's statements, without questions, tools or manners."""
    said = say(TOLD, "What is your cheapest bike?", "Thank you!", asking)
    assert said.splitlines() == [
        "- The user said: My name is Ann Lee.",
        "- The user said: My dog is called Biscuit.",
        "- The user said: I live in Leeds and I'm allergic to nickel.",
        "- The user said: My sister's birthday is on 12 May.",
        "- The user said: I prefer to be contacted by email.",
    ]


def test_summary_of_a_summary_keeps_it() -> None:
    """An earlier memory block is taken over, and facts survive being folded again and again."""
    block = ""
    for number, town in enumerate(["Leeds", "York", "Ely", "Bath", "Hull"]):
        first = [{"role": "user", "content": f"<memory>\n{block}\n</memory>"}] if block else []
        block = say(f"My locker in {town} is L-{number}{number}.", "Summarise our conversation.", first=first)
    assert [line[-5:-1] for line in block.splitlines()] == ["L-00", "L-11", "L-22", "L-33", "L-44"]
    reply = say("Which locker do I have in Ely?", first=[{"role": "user", "content": f"<memory>\n{block}\n</memory>"}])
    assert "L-22" in reply


def test_summary_keeps_what_tools_returned() -> None:
    """Results of calls are listed too."""
    call = {"type": "tool_use", "id": "t1", "name": "find_booking", "input": {"booking_id": "GH/4417"}}
    result = {"type": "tool_result", "tool_use_id": "t1", "content": '{"bike": "cargo bike", "status": "paid"}'}
    messages = [
        {"role": "user", "content": "My booking is GH/4417."},
        {"role": "assistant", "content": [call]},
        {"role": "user", "content": [result]},
        {"role": "assistant", "content": "It is paid."},
    ]
    summary = say("Summarise this conversation.", first=messages)
    assert "My booking is GH/4417." in summary
    assert "cargo bike" in summary


def test_written_out_conversation_is_summed_up() -> None:
    """A transcript inside one message is read line by line; only the user's lines count."""
    script = "User: My dog is called Biscuit.\nAssistant: My dog is called Rex.\nUser: When do you open?"
    assert say(f"Summarise this conversation:\n{script}") == "- The user said: My dog is called Biscuit."
    assert say(script, system="You write summaries of conversations.") == "- The user said: My dog is called Biscuit."


@pytest.mark.parametrize(
    "sentence", ["I want to return a kettle.", "Can I have my money back?", "Tell me my status.", "Thanks a lot!", ""]
)
def test_wishes_and_questions_are_no_statements(sentence: str) -> None:
    """Only what states something is remembered."""
    assert statements_in(sentence) == ()


def test_words_just_before_the_request_for_a_summary_count() -> None:
    """A message that nothing answered yet is summed up too, and the request itself is not."""
    messages = [
        {"role": "user", "content": "My dog is called Biscuit."},
        {"role": "user", "content": "Write a summary of the conversation so far: what is open, what was told."},
    ]
    said = text(answer({"system": SYSTEM, "tools": TOOLS, "messages": messages}, 1, []))
    assert said == "- The user said: My dog is called Biscuit."


@pytest.mark.parametrize("open_tags", ["<memory>" * 3, "<memory><user_memory>", "Summary of the conversation:"])
def test_unclosed_memory_blocks_are_plain_text(open_tags: str) -> None:
    """A tag without its end, or a label with nothing below it, hides nothing of the message."""
    assert cut_memory(f"{open_tags} GH/4417") == (f"{open_tags} GH/4417", ())
