"""What `support`, `support@v4` and `support@main` mean."""

from __future__ import annotations

from pathlib import Path

import pytest

from evalkit.errors import EvalkitError, FileProblems, UsageError
from evalkit.prompts import find_prompt, find_version, list_prompts, load_prompt, render_prompt
from evalkit.records import PromptRef
from tests.project_files import PROMPT, commit_all, git, write_files, write_project

TODAY = {"today": "2026-11-22"}


def test_a_name_means_the_version_in_current(tmp_path: Path) -> None:
    """`support` is the version that prompts/support/CURRENT names, and is called by it."""
    source = find_prompt("support", write_project(tmp_path))

    assert (source.ref, source.path) == ("support@v2", "prompts/support/v2.md")


def test_a_version_is_a_file(tmp_path: Path) -> None:
    """`support@v1` is prompts/support/v1.md, whatever CURRENT says."""
    assert load_prompt("support@v1", TODAY, write_project(tmp_path)).text.startswith("You are Tom")


def test_a_single_file_is_a_prompt_without_versions(tmp_path: Path) -> None:
    """prompts/greeter.md alone is `greeter`."""
    write_files(tmp_path, {"prompts/greeter.md": "---\nmodel: claude-opus-5\n---\nSay hello.\n"})

    assert (find_prompt("greeter", tmp_path).ref, list_prompts(tmp_path)) == ("greeter", {"greeter": ()})


def test_versions_are_listed_in_their_natural_order(tmp_path: Path) -> None:
    """v10 comes after v9; notes beside the versions are not versions."""
    names = ["v10.md", "v9.md", "v2-short.md", "v2.md", "notes.md", "README.md", "v3.txt"]
    write_files(tmp_path, {f"prompts/a/{name}": "x" for name in names} | {"prompts/README.md": "x"})

    assert list_prompts(tmp_path) == {"a": ("v2", "v2-short", "v9", "v10")}


@pytest.mark.parametrize(
    ("ref", "words"),
    [
        ("suport", r"there is no prompt 'suport' \(did you mean 'support'\?\)"),
        ("support@v3", r"has no version 'v3'.*versions: v1, v2\.$"),
        ("../support", "is not a prompt reference"),
        ("support@", "is not a prompt reference"),
        ("", "is not a prompt reference"),
        ("a/b", "is not a prompt reference"),
        ("support+", "is not a prompt reference"),
        ("support+two words", "is not a prompt reference"),
        ("+claude-haiku-5-5", "is not a prompt reference"),
        ("support@v3+claude-haiku-5-5", r"has no version 'v3'.*versions: v1, v2\.$"),
    ],
)
def test_a_reference_that_means_nothing_is_a_usage_error(tmp_path: Path, ref: str, words: str) -> None:
    """The answer names what there is."""
    with pytest.raises(UsageError, match=words):
        find_prompt(ref, write_project(tmp_path))


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("support", ("support", "", "")),
        ("support+claude-haiku-5-5", ("support", "", "claude-haiku-5-5")),
        ("support@v4+claude-haiku-5-5", ("support", "v4", "claude-haiku-5-5")),
        ("support@HEAD~2+claude-haiku-4-5@20251001", ("support", "HEAD~2", "claude-haiku-4-5@20251001")),
        ("support+anthropic/claude-opus-5-5", ("support", "", "anthropic/claude-opus-5-5")),
        ("support@v1.0+build7+claude-haiku-5-5", ("support", "v1.0+build7", "claude-haiku-5-5")),
    ],
)
def test_a_reference_has_a_name_a_version_and_a_model(text: str, parts: tuple[str, str, str]) -> None:
    """The last + begins the model, whose id may have an @ and a / of its own; a reference reads back as it was."""
    ref = PromptRef.read(text)

    assert (ref.name, ref.version, ref.model) == parts
    assert str(ref) == text


@pytest.mark.parametrize(
    ("asked", "named"),
    [
        ("support+claude-haiku-5-5", "support@v2+claude-haiku-5-5"),
        ("support@v1+claude-haiku-5-5", "support@v1+claude-haiku-5-5"),
        ("support@main+claude-haiku-5-5", "support@main+claude-haiku-5-5"),
    ],
)
def test_a_reference_may_name_another_model(tmp_path: Path, asked: str, named: str) -> None:
    """Everything but the model is the version's own; name and hash tell the two apart."""
    root = write_project(tmp_path)
    commit_all(root, "first")
    own = load_prompt(asked.partition("+")[0], TODAY, root)

    other = load_prompt(asked, TODAY, root)

    assert (other.ref, other.model, other.own_model) == (named, "claude-haiku-5-5", own.model)
    assert (other.system, other.tools, other.params) == (own.system, own.tools, own.params)
    assert other.sha != own.sha


def test_the_prompts_own_model_may_be_named_too(tmp_path: Path) -> None:
    """The same bytes are sent, so the hash is the same; the name says that a model was asked for."""
    root = write_project(tmp_path)

    named = load_prompt("support+claude-sonnet-5-5", TODAY, root)

    assert named.ref == "support@v2+claude-sonnet-5-5"
    assert (named.sha, named.own_model) == (load_prompt("support", TODAY, root).sha, "")


def test_an_earlier_version_is_found_with_the_model_it_was_asked_of(tmp_path: Path) -> None:
    """A baseline taken with a model of its own finds its prompt in git's history."""
    root = write_project(tmp_path)
    commit_all(root, "first")
    before = load_prompt("support@v2+claude-haiku-5-5", TODAY, root)
    write_project(root, v2=PROMPT.replace("Tess", "Ada"))
    commit_all(root, "second")

    found = find_version(before.template_sha, before.ref, root)

    assert found is not None
    assert render_prompt(found, TODAY).system == before.system


@pytest.mark.parametrize(
    ("current", "words"), [("v7\n", "names version 'v7'"), ("../v2\n", "names version"), ("", "names version ''")]
)
def test_a_current_that_names_no_version_is_a_problem_of_that_file(tmp_path: Path, current: str, words: str) -> None:
    """CURRENT is one line with an existing version."""
    with pytest.raises(FileProblems, match=f"prompts/support/CURRENT:1:1: error: {words}"):
        find_prompt("support", write_project(tmp_path, current=current))


def test_versions_without_current_are_a_problem(tmp_path: Path) -> None:
    """Nothing guesses which version is live."""
    write_project(tmp_path)
    (tmp_path / "prompts/support/CURRENT").unlink()

    with pytest.raises(FileProblems, match="CURRENT: error: is missing; expected one line that names the live version"):
        find_prompt("support", tmp_path)


def test_a_git_revision_gives_the_prompt_with_all_its_files_as_they_were(tmp_path: Path) -> None:
    """Prompt, includes, tools and CURRENT come from the same revision, not from the working tree."""
    root = write_project(tmp_path)
    commit_all(root, "first")
    before = load_prompt("support", TODAY, root)
    write_project(
        root,
        v2=PROMPT.replace("Tess", "Ada"),
        voice="Be verbose.\n",
        tool="name: other\ndescription: x\ninput_schema: {type: object}\n",
        current="v1\n",
    )

    then = load_prompt("support@main", TODAY, root)

    assert (then.sha, then.ref) == (before.sha, "support@main")
    assert load_prompt("support@HEAD", TODAY, root).sha == before.sha
    assert load_prompt("support@v2", TODAY, root).sha != before.sha


def test_a_version_file_wins_over_a_branch_of_the_same_name(tmp_path: Path) -> None:
    """A branch called v1 does not shadow v1.md."""
    root = write_project(tmp_path)
    commit_all(root, "first")
    git(root, "branch", "v1")
    write_files(root, {"prompts/support/v1.md": PROMPT.replace("Tess", "Zoe")})

    assert "Zoe" in load_prompt("support@v1", TODAY, root).text


def test_a_project_below_the_repository_root_finds_its_files_in_git(tmp_path: Path) -> None:
    """Paths in the revision are relative to the project, not to the repository."""
    root = write_project(tmp_path / "sub" / "project")
    commit_all(tmp_path, "first")
    (root / "prompts/support/v2.md").unlink()

    assert load_prompt("support@main", TODAY, root).text.startswith("You are Tess")


def test_problems_in_a_revision_name_the_revision(tmp_path: Path) -> None:
    """A file of a revision is named as git names it."""
    root = write_project(tmp_path, v2=PROMPT.replace("{{ shop }}", "{{ shpo }}"))
    commit_all(root, "first")
    write_project(root)

    with pytest.raises(FileProblems, match=r"main:prompts/support/v2.md:10:20: error: 'shpo' is undefined"):
        load_prompt("support@main", TODAY, root)


@pytest.mark.parametrize("revision", ["nowhere", "-x", "--help", "HEAD:prompts", "a b"])
def test_an_unknown_revision_is_a_usage_error(tmp_path: Path, revision: str) -> None:
    """A revision git does not know, or an option in disguise, is refused by name."""
    root = write_project(tmp_path)
    commit_all(root, "first")

    with pytest.raises(UsageError, match="git knows no such revision"):
        find_prompt(f"support@{revision}", root)


def test_outside_a_repository_a_revision_says_so(tmp_path: Path) -> None:
    """Without git history the message is about git, not about versions."""
    with pytest.raises(UsageError, match="is not in a git repository"):
        find_prompt("support@main", write_project(tmp_path))


def test_without_git_the_message_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without git gets a sentence, not a traceback."""
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(EvalkitError, match="git is not installed"):
        find_prompt("support@main", write_project(tmp_path))


@pytest.mark.parametrize(
    "link", ["prompts/support/v2.md", "prompts/support/partials/voice.md", "prompts/support/tools/lookup_order.yaml",
             "prompts/support/CURRENT", "prompts/support/partials", "prompts/support"],
)  # fmt: skip
def test_nothing_of_a_prompt_may_be_reached_through_a_link(tmp_path: Path, link: str) -> None:
    """Prompt, includes, tools, CURRENT and folders: a symbolic link is refused for each."""
    root = write_project(tmp_path / "project")
    target = tmp_path / "elsewhere"
    (root / link).rename(target)
    (root / link).symlink_to(target)

    with pytest.raises(FileProblems, match="symbolic link"):
        load_prompt("support", TODAY, root)


def test_a_link_in_a_revision_is_refused_too(tmp_path: Path) -> None:
    """What git stored as a link is not followed."""
    root = write_project(tmp_path)
    (root / "prompts/support/partials/voice.md").unlink()
    (root / "prompts/support/partials/voice.md").symlink_to("/etc/hostname")
    commit_all(root, "first")

    with pytest.raises(FileProblems, match=r"main:prompts/support/partials/voice.md: error: is a symbolic link"):
        load_prompt("support@main", TODAY, root)


@pytest.mark.parametrize("name", ["../../secret.md", "/etc/hostname", "partials/../../x.md", "a\\\\b.md"])
def test_an_include_or_tool_outside_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    """The path alone decides; the file is not even looked for."""
    text = PROMPT.replace("partials/voice.md", name)
    with pytest.raises(FileProblems, match=r"v2.md:11:4: error: .* is not below prompts/support"):
        load_prompt("support", TODAY, write_project(tmp_path, v2=text))

    tool = PROMPT.replace("tools/lookup_order.yaml", name.replace("\\\\", "\\"))
    with pytest.raises(FileProblems, match=r"v2.md:5:9: error: .* is not below prompts/support"):
        load_prompt("support", TODAY, write_project(tmp_path, v2=tool))
