"""Writes the files of a new project from templates: small, runnable at once, and never over a file that is there.

Knows which template becomes which file; the templates say everything else.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from evalkit.errors import UsageError
from evalkit.standin.script.format import ScriptFile
from evalkit.suites.format import SuiteFile
from evalkit.suites.voice import VoiceFile
from evalkit.yamlsource import FileModel, json_schema

FILES = {
    "pyproject.toml": "pyproject.toml.txt",
    "prompts/support/CURRENT": "prompts/CURRENT",
    "prompts/support/v1.md": "prompts/v1.md",
    "prompts/support/stand-in.yaml": "prompts/stand-in.yaml",
    "prompts/support/tools/find_order.yaml": "prompts/tools/find_order.yaml",
    "prompts/support/tools/open_return.yaml": "prompts/tools/open_return.yaml",
    "suites/shop.yaml": "shop.yaml",
    "suites/voice.yaml": "voice.yaml",
    "README.md": "README.md",
}
CI_FILES = {
    ".github/workflows/evals.yml": "workflows/evals.yml",
    ".github/workflows/evals-fork.yml": "workflows/evals-fork.yml",
    "requirements-evals.txt": "requirements-evals.txt",
}
IGNORE = ".gitignore"


@dataclass(frozen=True)
class ProjectFiles:
    """What became of the files, by path relative to the project: written, left as they were, or added to."""

    written: tuple[str, ...]
    kept: tuple[str, ...]
    added_to: tuple[str, ...] = ()


def start_project(folder: Path, *, ci: bool = False) -> ProjectFiles:
    """Write what is missing of a project; UsageError when the folder can't be one."""
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder}: is a file; expected a folder, or a name that is still free.")
    contents = {name: template(source) for name, source in FILES.items()}
    contents[".schema/suite.json"] = _schema_text(SuiteFile, "evalkit suite")
    contents[".schema/stand-in.json"] = _schema_text(ScriptFile, "evalkit stand-in script")
    contents[".schema/voice.json"] = _schema_text(VoiceFile, "evalkit brand voice")
    contents |= {name: template(source) for name, source in (CI_FILES.items() if ci else ())}
    # A project that has prompts and suites of its own needs no sample among them.
    if any((folder / name).exists() for name in ("prompts", "suites")):
        contents = {name: text for name, text in contents.items() if not name.startswith(("prompts/", "suites/"))}
    written, kept = [], []
    for name, text in contents.items():
        path = folder / name
        if path.exists() or path.is_symlink():
            kept.append(name)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
        written.append(name)
    ignore = _ignore(folder)
    return ProjectFiles((*written, *ignore.written), (*kept, *ignore.kept), ignore.added_to)


def template(name: str) -> str:
    """Return the text of a template."""
    return files("evalkit.project").joinpath("templates", name).read_text("utf-8")


def _ignore(folder: Path) -> ProjectFiles:
    """Add the lines that .gitignore lacks; what it has stays."""
    path, wanted = folder / IGNORE, template("gitignore.txt")
    if not path.exists():
        path.write_text(wanted, "utf-8")
        return ProjectFiles((IGNORE,), ())
    text = path.read_text("utf-8")
    missing = [line for line in wanted.splitlines() if line not in text.splitlines()]
    if not missing:
        return ProjectFiles((), (IGNORE,))
    gap = "" if not text or text.endswith("\n") else "\n"
    path.write_text(f"{text}{gap}" + "".join(f"{line}\n" for line in missing), "utf-8")
    return ProjectFiles((), (), (IGNORE,))


def _schema_text(model: type[FileModel], title: str) -> str:
    return json.dumps(json_schema(model, title), ensure_ascii=False, indent=2) + "\n"
