"""No secret is written, and what lines go by stays."""

from __future__ import annotations

import json

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.store.scrubbing import MARK, Scrubber

SHAPES = [
    "sk-ant-" + "a" * 8,
    "sk-proj-" + "aB3_" * 10,
    "sk-" + "a1" * 24,
    "AKIA" + "A" * 16,
    "ASIA" + "B2" * 8,
    *(f"gh{kind}_" + "a" * 30 for kind in "pousr"),
    "github_pat_" + "a" * 30,
    "glpat-" + "x" * 20,
    "glagent-" + "x" * 50,
    "xoxb-123456789012-abcdefghij",
    "xapp-1-A0123456789-abc",
    "hooks.slack.com/services/T0000/B0000/abcdefg",
    "AIza" + "a" * 35,
    "ya29." + "a" * 30,
    "sk_live_" + "4" * 24,
    "rk_test_" + "4" * 24,
    "npm_" + "a" * 36,
    "pypi-AgEIcHlwaS5vcmc" + "a" * 70,
    "SG." + "a" * 22 + "." + "b" * 43,
    "AccountKey=" + "a" * 86 + "==",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
    "-----BEGIN RSA PRIVATE KEY-----\nMIIE\nabc+/=\n-----END RSA PRIVATE KEY-----",
]
NAMES = [
    *("ANTHROPIC_API_KEY", "AWS_SECRET_ACCESS_KEY", "STRIPE_SECRET_KEY", "GITHUB_PAT", "DB_PASSWORD", "DB_PWD"),
    *("TOKEN", "SENTRY_DSN", "signing_key", "SLACK_WEBHOOK_URL"),
]
ORDINARY = ["PWD", "OLDPWD", "PATH", "SORT_KEY", "MAX_TOKENS", "TOKENIZERS_PARALLELISM", "KEYBOARD", "COMPATIBLE"]


@pytest.mark.parametrize("secret", SHAPES)
def test_a_key_is_told_by_its_shape(secret: str) -> None:
    """A key of a known shape is removed wherever it comes from; what stands around it is kept."""
    line = orjson.dumps({"line": "turn", "user": f"it is {secret} so"})
    assert orjson.loads(Scrubber({})(line)) == {"line": "turn", "user": f"it is {MARK} so"}


def test_a_private_key_that_is_cut_off_is_removed_to_its_end() -> None:
    """An excerpt may hold the beginning of a key alone."""
    assert Scrubber({})(b"-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl") == MARK.encode()


@pytest.mark.parametrize("word", ["Bearer", "bearer"])
def test_a_bearer_token_is_removed_behind_its_word(word: str) -> None:
    """What follows the word in a header is a secret, the word itself is not; plain text is read like JSON."""
    assert Scrubber({})(f"authorization: {word} {'t' * 20}".encode()) == f"authorization: {word} {MARK}".encode()


@pytest.mark.parametrize("name", NAMES)
def test_the_value_of_a_secret_variable_is_removed(name: str) -> None:
    """The environment names secrets that have no shape, short ones too."""
    assert Scrubber({name: "open-6"})(b"say open-6") == f"say {MARK}".encode()


@pytest.mark.parametrize("name", ORDINARY)
def test_what_only_sounds_like_a_secret_stays(name: str) -> None:
    """Names that merely hold such a word are no reason to touch a text."""
    assert Scrubber({name: "/home/ada"})(b"in /home/ada") == b"in /home/ada"


@pytest.mark.parametrize("name", ["DATABASE_URL", "HTTPS_PROXY", "ANTHROPIC_BASE_URL"])
def test_the_password_of_a_url_is_removed_with_and_without_its_url(name: str) -> None:
    """It is a secret in the environment and in any text, as it is written and as it is meant."""
    scrub = Scrubber({name: "https://ada:p%40ss-w0rd@db.example:99/x"})
    assert scrub(b"p%40ss-w0rd, p@ss-w0rd") == f"{MARK}, {MARK}".encode()
    assert Scrubber({})(b"https://ada:other-pass@db.example/x") == f"https://{MARK}@db.example/x".encode()


@given(st.text(min_size=6, max_size=30).filter(lambda value: value.strip() == value and value not in MARK))
def test_a_secret_is_found_however_it_is_escaped(secret: str) -> None:
    """Quotation marks and backslashes in a value hide it neither in JSON nor in JSON inside JSON."""
    inner = orjson.dumps({"value": f"<{secret}>"}).decode()
    line = orjson.dumps({"line": "tool", "call": {"output": inner, secret: [secret]}})
    told = orjson.loads(Scrubber({"MY_SECRET": secret})(line))["call"]
    assert json.loads(told["output"]) == {"value": f"<{MARK}>"}
    assert told[MARK] == [MARK]


def test_what_lines_go_by_stays() -> None:
    """A case whose name looks like a key can still be told from the others; what was said in it is removed."""
    name = "case-AKIA" + "A" * 16
    line = {"line": "session", "key": {"suite": "s.yaml", "case_id": name}, "session_id": name, "history": [name]}
    assert orjson.loads(Scrubber({})(orjson.dumps(line))) == {**line, "history": [f"case-{MARK}"]}
