"""Which suites a change affects: derived from their inputs, in a real git repository."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from evalkit.errors import ExitCode, NoVerdict, UsageError
from evalkit.runner.changed import find_affected, inputs_of
from evalkit.suites import load_suite
from tests.runner.project import make_project, write_suite

PARTIAL = "Be kind.\n"
GRADER = """from evalkit.graders import Grader
from evalkit.records import Finding, Transcript, TrialVerdict


class Short(Grader):
    def grade(self, transcript: Transcript, turn: int | None) -> Finding:
        return Finding(TrialVerdict.PASSED)
"""


def git(root: Path, *arguments: str) -> None:
    """Run git."""
    name = ["-c", "user.name=t", "-c", "user.email=t@example.invalid", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", "-C", str(root), *name, *arguments], check=True, capture_output=True)


def commit(root: Path) -> None:
    """Commit everything."""
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "x")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository with two prompts and a suite for each."""
    make_project(tmp_path)
    other = tmp_path / "prompts" / "other"
    (other / "partials").mkdir(parents=True)
    (other / "partials" / "manners.md").write_text(PARTIAL)
    (other / "v1.md").write_text(
        "---\ndescription: Another.\nmodel: claude-sonnet-5-5\nmax_tokens: 300\n---\n"
        '{% include "partials/manners.md" %}\n'
    )
    (other / "CURRENT").write_text("v1\n")
    (tmp_path / "suites" / "voice.yaml").write_text(
        "rules:\n  - {id: no-blame, extends: existence, message: \"Blames: '%s'\", tokens: [you failed]}\n"
    )
    write_suite(tmp_path, "b", prompt="other", tools={}, voice="voice.yaml", cases=[
        {"id": "greets", "user": "Hello", "expect": {"says": ["good day"]}, "stand_in": [{"say": "Good day."}]}
    ])  # fmt: skip
    (tmp_path / "README.md").write_text("Nothing.\n")
    (tmp_path / "pyproject.toml").write_text("[tool.evalkit]\njobs = 2\n")
    git(tmp_path, "init", "-q", "-b", "main")
    commit(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("file", "affected"),
    [
        ("README.md", []),
        ("suites/a.yaml", ["suites/a.yaml"]),
        ("suites/voice.yaml", ["suites/b.yaml"]),
        ("suites/a.baseline.json", ["suites/a.yaml"]),
        ("prompts/bot/v1.md", ["suites/a.yaml"]),
        ("prompts/bot/CURRENT", ["suites/a.yaml"]),
        ("prompts/bot/tools/lookup.yaml", ["suites/a.yaml"]),
        ("prompts/bot/v2.md", []),
        ("prompts/other/partials/manners.md", ["suites/b.yaml"]),
        ("pyproject.toml", ["suites/a.yaml", "suites/b.yaml"]),
        ("uv.lock", ["suites/a.yaml", "suites/b.yaml"]),
    ],
)
@pytest.mark.parametrize("committed", [True, False])
def test_a_change_selects_the_suites_that_depend_on_it(
    root: Path, file: str, affected: list[str], *, committed: bool
) -> None:
    """Each kind of input selects its suites and no other, committed on a branch or only in the working tree."""
    git(root, "switch", "-q", "-c", "change")
    path = root / file
    text = path.read_text() if path.exists() else ""
    path.write_text(f"{text}\n")
    if committed:
        commit(root)
    assert list(find_affected(root, "main").suites) == affected


@pytest.mark.parametrize(
    ("file", "versions"),
    [
        ("prompts/bot/v2.md", {"bot@v2": ("suites/a.yaml",)}),
        ("prompts/bot/v1.md", {}),
        ("prompts/bot/notes.md", {}),
        ("prompts/other/v9.md", {}),
        ("pyproject.toml", {}),
    ],
)
def test_a_version_that_is_not_live_is_found(root: Path, file: str, versions: dict[str, tuple[str, ...]]) -> None:
    """A changed version is told with the suites that follow its prompt, unless it is live or a prompt was named."""
    write_suite(
        root, "b", prompt="other@v1", tools={}, cases=[{"id": "c", "user": "Hello", "expect": {"tools": "none"}}]
    )
    commit(root)
    path = root / file
    path.write_text((root / "prompts" / "bot" / "v1.md").read_text() + "\n")
    assert find_affected(root, "HEAD").versions == versions
    assert find_affected(root, "HEAD", prompt="bot").versions == {}
    (root / "prompts" / "bot" / "CURRENT").write_text(f"{path.stem if 'bot/v' in file else 'v1'}\n")
    assert find_affected(root, "HEAD").versions == {}


@pytest.mark.parametrize("inside", [True, False])
def test_a_teams_graders_are_inputs_of_the_suites_that_name_them(
    root: Path, monkeypatch: pytest.MonkeyPatch, *, inside: bool
) -> None:
    """A package that is installed to be edited counts with all its files, or by its module where it is the project."""
    source = root if inside else root / "checks"
    for folder in (source / "team_checks", source / "team_checks.dist-info"):
        folder.mkdir(parents=True)
    (source / "team_checks" / "__init__.py").write_text(GRADER)
    (source / "team_checks.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: team-checks\nVersion: 1\n")
    (source / "team_checks.dist-info" / "entry_points.txt").write_text("[evalkit.graders]\nshort = team_checks:Short\n")
    told = {"url": source.as_uri(), "dir_info": {"editable": True}}
    (source / "team_checks.dist-info" / "direct_url.json").write_text(json.dumps(told))
    (source / "notes.txt").write_text("x\n")
    monkeypatch.syspath_prepend(str(source))
    monkeypatch.delitem(sys.modules, "team_checks", raising=False)
    cases = [{"id": "c", "user": "Hello", "expect": {"team": [{"grader": "short"}]}}]
    write_suite(root, "b", prompt="other", tools={}, cases=cases)
    commit(root)

    (source / "notes.txt").write_text("y\n")
    assert list(find_affected(root, "HEAD").suites) == ([] if inside else ["suites/b.yaml"])
    (source / "notes.txt").write_text("x\n")
    (source / "team_checks" / "words.py").write_text("MOST = 3\n")
    assert list(find_affected(root, "HEAD").suites) == ["suites/b.yaml"]
    name = f"{'' if inside else 'checks/'}team_checks/__init__.py"
    assert name in inputs_of(load_suite(root / "suites/b.yaml", root), root)
    (source / "team_checks" / "words.py").unlink()
    (source / "team_checks.dist-info" / "direct_url.json").write_text("{}")
    (source / "team_checks" / "__init__.py").write_text(GRADER + "# more\n")
    assert find_affected(root, "HEAD").suites == {}


def test_only_the_branchs_own_changes_count(root: Path) -> None:
    """What main gained after the branch left it does not affect the branch."""
    git(root, "switch", "-q", "-c", "change")
    git(root, "switch", "-q", "main")
    write_suite(root, "a", description="Another text.")
    commit(root)
    git(root, "switch", "-q", "change")
    assert find_affected(root, "main").suites == {}


def test_another_prompt_asked_for_is_the_input(root: Path) -> None:
    """With a prompt reference of the command line the suites' own prompt no longer matters."""
    (root / "prompts" / "bot" / "v1.md").write_text((root / "prompts" / "bot" / "v1.md").read_text() + "More.\n")
    assert list(find_affected(root, "main", prompt="other").suites) == []


def test_evalkit_itself_selects_everything(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A change to the package that is running, kept in the same repository, affects every suite."""
    (root / "src").mkdir()
    (root / "src" / "gate.py").write_text("x = 1\n")
    monkeypatch.setattr("evalkit.__file__", str(root / "src" / "__init__.py"))
    found = find_affected(root, "main")
    assert found.everything == "src/gate.py"
    assert len(found.suites) == 2


def test_a_project_below_the_repository_knows_what_is_above(root: Path) -> None:
    """A pyproject.toml above the project is an input of all suites, another file there is none."""
    inner = root / "inner"
    inner.mkdir()
    make_project(inner)
    commit(root)
    (root / "README.md").write_text("Changed.\n")
    assert find_affected(inner, "HEAD").suites == {}
    (root / "pyproject.toml").write_text("")
    assert find_affected(inner, "HEAD").everything == "../pyproject.toml"


@pytest.mark.parametrize("revision", ["nowhere", "-h", "--output=x"])
def test_git_failing_is_no_verdict(root: Path, revision: str) -> None:
    """A revision that git does not know is never read as "nothing changed"."""
    with pytest.raises(NoVerdict, match="fetch-depth") as caught:
        find_affected(root, revision)
    assert caught.value.exit_code == ExitCode.NO_VERDICT


def test_no_common_history_is_no_verdict(root: Path) -> None:
    """Where the branches have no commit in common, as in a shallow clone, nothing is said."""
    git(root, "switch", "-q", "--orphan", "alone")
    commit_empty = ["commit", "-q", "--allow-empty", "-m", "x"]
    git(root, *commit_empty)
    make_project(root)
    with pytest.raises(NoVerdict):
        find_affected(root, "main")


def test_no_repository_is_no_verdict(tmp_path: Path) -> None:
    """Outside a git repository there is no verdict either."""
    make_project(tmp_path)
    with pytest.raises(NoVerdict):
        find_affected(tmp_path, "main")


def test_an_empty_revision_is_a_mistake(root: Path) -> None:
    """A variable that was not set is told as such."""
    with pytest.raises(UsageError, match="empty"):
        find_affected(root, " ")


def test_the_sentence_names_what_changed(root: Path) -> None:
    """The sentence says how many files changed, and why a suite is affected."""
    write_suite(root, "a", description="Another text.")
    assert find_affected(root, "HEAD").sentence == (
        "1 file changed since HEAD; affected: suites/a.yaml (suites/a.yaml)."
    )
