"""report.html as a file: self-contained, whole, escaped, and complete without a script."""

from __future__ import annotations

import base64
import gzip
import json
import re
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from evalkit.analysis import summarise
from evalkit.gate import judge
from evalkit.records import CaseRecord, RunEnd, Source, Trial
from evalkit.reporting import render_html
from evalkit.reporting.html.environment import policy, script, style
from tests.made_up_run import (
    FAILED,
    LIVE,
    PASSED,
    MadeUpRun,
    case,
    marked,
    request,
    run_of,
    score,
    trial,
    trials,
    turn,
)
from tests.reporting.showcase import HOSTILE, showcase


def page_of(run: MadeUpRun, folder: Path) -> str:
    """Analyse, judge and render a run; return the file's text."""
    summary = summarise(run)
    out = folder / "report.html"
    render_html(summary, judge(summary), run.trials(), out)
    return out.read_text("utf-8")


class Elements(HTMLParser):
    """Every element with its attributes, and the text outside scripts and styles."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self._inside = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep the element."""
        self.elements.append((tag, dict(attrs)))
        self._inside = tag

    def handle_data(self, data: str) -> None:
        """Keep what a reader sees."""
        if self._inside not in ("script", "style"):
            self.words.append(data)


def words_of(page: str) -> str:
    """The text a reader sees without a script, on one line."""
    return " ".join(" ".join(Elements(page).words).split())


def unpacked(page: str) -> list[dict[str, object]]:
    """Every conversation in the page's groups."""
    groups = re.findall(r'id="group-\d+">([^<]*)<', page)
    return [view for group in groups for view in json.loads(gzip.decompress(base64.b64decode(group)))]


def test_nothing_is_loaded(tmp_path: Path) -> None:
    """No element of the page names anything outside the page."""
    page = page_of(showcase(), tmp_path)
    for tag, attributes in Elements(page).elements:
        assert tag not in ("link", "iframe", "img", "object", "embed", "base", "form action")
        assert "src" not in attributes
        assert not (attributes.get("href") or "#").partition("#")[0]
        assert "style" not in attributes
        assert not [name for name in attributes if name.startswith("on")]
    assert "http" not in style() + script()


def test_policy_names_exactly_our_style_and_script(tmp_path: Path) -> None:
    """The policy allows nothing by default, and one style and one script by the hash of what is in the page."""
    page = page_of(run_of({"a": "ppp"}), tmp_path)
    assert "default-src 'none'" in policy()
    assert "unsafe" not in policy()
    assert f"<style>{style()}</style>" in page
    assert f"<script>{script()}</script>" in page


def test_verdict_stands_first(tmp_path: Path) -> None:
    """The page opens with source, verdict and reasons, before anything else."""
    words = words_of(page_of(showcase(), tmp_path))
    parts = ("says nothing about Claude", "Failed : 1 critical case fails", "trial 1, turn 1")
    order = [words.index(part) for part in parts]
    assert order == sorted(order)
    assert "pass rate at most 0.40 (2 of 5) is below 0.90" in words


def test_what_broke_shows_the_failing_turn(tmp_path: Path) -> None:
    """Worst first, each entry has the turn that failed with the match marked, the place, and the command."""
    page = page_of(showcase(), tmp_path)
    entries = page.split('<details class="entry')[1:]
    names = [re.search(r'class="name">([^<]*)', entry)[1] for entry in entries]  # type: ignore[index]
    assert names[:4] == ["lookup-keeps-failing", "where-is-my-parcel#3 / late", "hostile", "no-reply"]
    assert "<mark>on its way</mark>" in entries[0]
    assert "suites/late parcels.yaml:95:20" in entries[0]
    assert "upstream timeout" in entries[0]
    assert "evalkit run &#39;suites/late parcels.yaml::lookup-keeps-failing&#39; --via stand-in" in entries[0]


def test_hostile_text_is_only_text(tmp_path: Path) -> None:
    """Markup, template code and escape codes from a model come out as text and as nothing else."""
    page = page_of(showcase(), tmp_path)
    assert not [tag for tag, _ in Elements(page).elements if tag == "img"]
    assert (
        page.count("<script")
        == page.count("</script>")
        == len(re.findall(r'<script( type="[^"]*" id="[\w-]+")?>', page))
    )
    assert "{{ 7 * 7 }}" in page
    assert "\x1b" not in page
    assert "\u202e" not in page


def test_index_cannot_end_its_element(tmp_path: Path) -> None:
    """A case id that would close the script element is written so that it can't, and reads back as it was."""
    name = "</script><!--<script>"
    page = page_of(MadeUpRun([case(name)], trials(name, "fff")), tmp_path)
    index = re.search(r'id="index">(.*?)</script>', page, re.DOTALL)
    assert index
    assert json.loads(index[1])["id"] == [name]


def test_every_trial_is_packed_once(tmp_path: Path) -> None:
    """Each recorded trial is in the groups exactly once, and the index says where."""
    run = run_of({f"c{n}": "ppp" for n in range(90)})
    page = page_of(run, tmp_path)
    views = unpacked(page)
    assert sorted(str(view["session"]) for view in views) == sorted(t.transcript.session_id for t in run.played)
    index = json.loads(re.search(r'id="index">(.*?)</script>', page, re.DOTALL)[1])  # type: ignore[index]
    groups = [json.loads(gzip.decompress(base64.b64decode(g))) for g in re.findall(r'id="group-\d+">([^<]*)<', page)]
    for at, where in enumerate(index["at"]):
        for number, group, position in where:
            assert groups[group][position]["session"] == f"suites/lamps.yaml::{index['id'][at]}@support@v2#{number}"


def test_nothing_broke_still_teaches(tmp_path: Path) -> None:
    """A green page names the weakest cases."""
    words = words_of(page_of(run_of({"a": "ppp", "b": "ppp"}), tmp_path))
    assert "Nothing broke. The weakest:" in words


@pytest.mark.parametrize(
    ("run", "said"),
    [
        (MadeUpRun([], [], suites=()), "No case was selected"),
        (run_of({"a": "nnn", "b": "nnn"}), "overloaded_error (529): Overloaded req_down1"),
        (run_of({"a": "ppp", "b": "..."}, end=RunEnd("max_cost", "2026-11-22T07:15:00Z", 9.0)), "3 of 6 trials ran"),
        (run_of({"a": "ppp"}, end=None), "never ended"),
        (run_of({"a": "ppp"}, source=Source("replayed", "reports/old")), "replayed from reports/old"),
        (run_of({"a": "ppp"}, source=Source("replayed", "old", "live")), "replayed from old (live)"),
        (run_of({"a": "ppp"}, source=Source("imported", "chats.jsonl")), "imported from chats.jsonl"),
        (run_of({"a": "ppp"}, source=LIVE), "$0.003 spent"),
        (run_of({"a": "ppp"}, end=RunEnd("finished", "x", 1.0, ("prompt edited since",))), "prompt edited since"),
    ],
)
def test_states(run: MadeUpRun, said: str, tmp_path: Path) -> None:
    """Every state of a run has its words on the page."""
    assert said in words_of(page_of(run, tmp_path))


def test_rule_that_was_never_measured_did_not_hold(tmp_path: Path) -> None:
    """A rule without a measured trial is told apart from the rules that held."""
    words = words_of(page_of(showcase(), tmp_path))
    assert "Never measured: budget.cache_hit" in words
    down_everywhere = words_of(page_of(run_of({"a": "nnn"}), tmp_path))
    assert "No rule was measured." in down_everywhere
    assert "No rule was broken" not in down_everywhere


def test_unknown_cost_is_said(tmp_path: Path) -> None:
    """Without a price the page says unknown, and nowhere $0."""
    unpriced = replace(turn(), requests=(request(cost_usd=None),))
    run = MadeUpRun([case("a")], [trial("a", n, score(PASSED), turns=[unpriced]) for n in (1, 2, 3)], source=LIVE)
    words = words_of(page_of(run, tmp_path))
    assert "Cost unknown" in words
    assert "$0" not in words


def test_huge_reply_is_cut_around_its_mark(tmp_path: Path) -> None:
    """A reply of 100 KB shows what surrounds the mark, the whole is in the packed conversation."""
    reply = "word " * 12_000 + "bad thing" + " more" * 8_000
    broken = score(FAILED, "never_says bad", spans=(marked(reply, "bad thing"),))
    page = page_of(MadeUpRun([case("a")], [trial("a", 1, broken, turns=[turn(1, reply)])]), tmp_path)
    entry = page.split('<details class="entry')[1].split("</details>")[0]
    assert "<mark>bad thing</mark>" in entry
    assert len(entry) < 8_000
    assert "KB more" in entry
    pieces = unpacked(page)[0]["turns"][0]["steps"][0]["pieces"]  # type: ignore[index]
    assert "".join(text for text, _ in pieces) == reply


def test_identical_runs_give_identical_pages(tmp_path: Path) -> None:
    """The page has no clock and no chance in it."""
    assert page_of(showcase(), tmp_path) == page_of(showcase(), tmp_path)


def test_many_cases_show_the_first_rows(tmp_path: Path) -> None:
    """Up to 500 cases every row is there without a script; above that the worst 200."""
    assert page_of(run_of({f"c{n}": "ppp" for n in range(300)}), tmp_path).count("<tr data-at=") == 300
    marks = {f"c{n}": "ppp" for n in range(600)} | {"worst": "fff"}
    page = page_of(run_of(marks), tmp_path)
    assert page.count("<tr data-at=") == 200
    assert page.index("<tr data-at=") < page.index(">worst</a></th>")
    assert page.split("<tr data-at=")[1].count(">worst<") == 1


def test_failed_writing_leaves_no_half_page(tmp_path: Path) -> None:
    """When the trials break off, the old page stays and nothing else is left."""
    out = tmp_path / "report.html"
    out.write_text("old")
    run = run_of({"a": "ppp"})
    summary = summarise(run)

    def torn() -> Iterator[Trial]:
        yield run.played[0]
        raise OSError

    with pytest.raises(OSError):
        render_html(summary, judge(summary), torn(), out)
    assert out.read_text() == "old"
    assert list(tmp_path.iterdir()) == [out]


def test_conversations_are_not_held_in_memory(tmp_path: Path) -> None:
    """Eight times the conversations take nowhere near eight times the memory."""

    def peak(count: int) -> int:
        cases: list[CaseRecord] = [case("a", trials=count)]
        summary = summarise(MadeUpRun(cases, [], suites=()))
        reply = "words and " * 2_000
        many = (trial("a", n, score(PASSED), turns=[turn(1, reply + str(n))]) for n in range(1, count + 1))
        tracemalloc.start()
        render_html(summary, judge(summary), many, tmp_path / "report.html")
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    peak(1)
    assert peak(800) < 2 * peak(100) + 2_000_000


def test_hostile_case_is_in_the_showcase() -> None:
    """The hostile text really holds what these tests are about."""
    assert all(part in HOSTILE for part in ("<img", "</script>", "{{", "\x1b", "\u202e"))
