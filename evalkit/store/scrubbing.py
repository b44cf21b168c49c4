"""What must not be written anywhere: secrets, known by the environment that holds them or by the shape of their kind.

A line is read and written again only where it looks as if it held one, so that nearly all cost a glance. What lines go
by (suites, cases, sessions, hashes) stays: a record without its names could not be read. Knows nothing of files.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

import orjson

MARK = "[secret removed]"
SHORTEST = 6
"""Characters of a secret; what is shorter stands in too many texts that have nothing to do with it."""

_SECRET_NAME = re.compile(
    r"(?:^|_)(?:TOKEN|SECRET|PAT|PASS|PASSWORD|PASSWD|PASSPHRASE|CREDENTIALS?|DSN|CONNECTION_STRING|WEBHOOK(?:_URL)?"
    r"|(?:API|ACCESS|SECRET|PRIVATE|SIGNING|ENCRYPTION|MASTER|AUTH|ACCOUNT)_?KEY(?:_ID)?)$|_PWD$",
    re.IGNORECASE,
)
_SHAPES = {
    # what each begins with -> the whole. Sources: the issuers' own pages on secret scanning, read November 2026.
    ("sk-ant-",): r"sk-ant-[A-Za-z0-9_-]{8,}",
    ("sk-",): r"\bsk-(?:(?:proj|svcacct|admin)-[A-Za-z0-9_-]{20,}|[A-Za-z0-9]{32,}|[\w-]*T3BlbkFJ[A-Za-z0-9]{20})",
    ("AKIA", "ASIA", "ABIA", "ACCA", "A3T"): r"(?:A3T[A-Z0-9]|ABIA|ACCA|AKIA|ASIA)[0-9A-Z]{16}",
    ("ghp_", "gho_", "ghu_", "ghs_", "ghr_"): r"gh[pousr]_[A-Za-z0-9]{30,}",
    ("github_pat_",): r"github_pat_[A-Za-z0-9_]{30,}",
    ("glpat-", "gldt-", "glft-", "glsoat-", "glrt-"): r"(?:glpat|gldt|glft|glsoat|glrt)-[A-Za-z0-9_-]{20,}",
    ("glcbt-", "glimt-", "glptt-", "glagent-", "gloas-"): r"(?:glcbt|glimt|glptt|glagent|gloas)-[A-Za-z0-9_-]{20,}",
    ("GR1348941",): r"GR1348941[A-Za-z0-9_-]{20,}",
    ("xox", "xapp-"): r"(?:xox[abeoprs]|xapp)-[A-Za-z0-9-]{10,}",
    ("hooks.slack.com/",): r"hooks\.slack\.com/(?:services|workflows)/[\w/+-]+",
    ("AIza",): r"AIza[0-9A-Za-z_-]{35}",
    ("ya29.",): r"ya29\.[0-9A-Za-z_-]{20,}",
    ("k_live_", "k_test_"): r"[rs]k_(?:live|test)_[0-9a-zA-Z]{16,}",
    ("npm_",): r"npm_[A-Za-z0-9]{36}",
    ("pypi-AgE",): r"pypi-AgE[A-Za-z0-9_-]{50,}",
    ("SG.",): r"SG\.[\w-]{22}\.[\w-]{43}",
    ("AccountKey=",): r"AccountKey=[A-Za-z0-9+/=]{40,}",
    ("eyJ",): r"eyJ[\w=-]{8,}\.[\w=-]{8,}(?:\.[\w.+/=-]*)?",
    ("PRIVATE KEY",): r"-----BEGIN [\w ]*PRIVATE KEY[\w ]*-----(?:[^-]|-(?!----))*(?:-----END [\w ]*-----)?",
    ("earer ",): r"(?<=[Bb]earer )[A-Za-z0-9._~+/-]{16,}=*",
    ("://",): r"(?<=://)[^\s/:@\"']*:[^\s/@\"']+(?=@)",
}
_SHAPE = re.compile("|".join(f"(?:{shape})" for shape in _SHAPES.values()))
_BEGINNINGS = tuple(beginning.encode() for beginnings in _SHAPES for beginning in beginnings)
_NAMES = frozenset(
    {"line", "run_id", "suite", "path", "case_id", "session_id", "sha", "prompt_sha", "template_sha", "ref", "key"}
    | {"prompt_ref", "cluster"}
)
"""Keys of a record's line whose values other lines and files go by."""


class Scrubber:
    """Replaces values of secret-looking environment variables and known shapes of keys, in JSON and in plain text."""

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        values = {
            form
            for value in _secrets(os.environ if environment is None else environment)
            for form in (value, _escaped(value), _escaped(_escaped(value)))
        }
        longest_first = sorted(values, key=len, reverse=True)
        self._signs = (*_BEGINNINGS, *(_escaped(value).encode() for value in values))
        self._secret = re.compile("|".join([*map(re.escape, longest_first), _SHAPE.pattern]))

    def __call__(self, data: bytes) -> bytes:
        """Return `data` without secrets: a line of a record, any other JSON, or plain text."""
        if not any(map(data.__contains__, self._signs)):
            return data
        try:
            value = orjson.loads(data)
        except orjson.JSONDecodeError:
            return self.text(data.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")
        if isinstance(value, dict):
            return orjson.dumps({key: each if key in _NAMES else self._clean(each) for key, each in value.items()})
        return orjson.dumps(self._clean(value))

    def text(self, text: str) -> str:
        """Return a text without secrets."""
        return self._secret.sub(MARK, text)

    def _clean(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return [self._clean(each) for each in value]
        if isinstance(value, dict):
            return {self.text(key): self._clean(each) for key, each in value.items()}
        return value


def _secrets(environment: Mapping[str, str]) -> Iterator[str]:
    """Yield the secrets that an environment holds: values of variables named like one, and passwords in URLs."""
    for name, value in environment.items():
        found = [value.strip()] if _SECRET_NAME.search(name) else []
        if "://" in value and "@" in value:
            password = _password_of(value)
            found += [password, unquote(password)]
        yield from (each for each in found if len(each) >= SHORTEST)


def _password_of(url: str) -> str:
    try:
        return urlsplit(url).password or ""
    except ValueError:
        return ""


def _escaped(value: str) -> str:
    """Return a value as it stands inside a JSON text."""
    return orjson.dumps(value.encode("utf-8", "replace").decode()).decode()[1:-1]
