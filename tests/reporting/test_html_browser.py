"""report.html in a real browser, opened from disk: what a reader does with it, and what a hostile reply can't do."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest
from axe_core_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from evalkit.analysis import summarise
from evalkit.gate import judge
from evalkit.reporting import render_html
from evalkit.reporting.finished_run import rerun_command
from tests.made_up_run import FAILED, PASSED, MadeUpRun, case, marked, request, run_of, score, trial, trials, turn
from tests.reporting.showcase import against_passing, showcase

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]
PARCEL = "suites%2Flate%20parcels.yaml%3A%3Alookup-keeps-failing"
Opener = Callable[..., Page]
expect.set_options(timeout=30_000)  # how long to wait before giving up; nothing here is timed

pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason="chromium is not installed")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for the file."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A fresh window per test that may read and write the clipboard."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    yield context
    context.close()


@pytest.fixture
def open_page(context: BrowserContext, tmp_path: Path) -> Iterator[Opener]:
    """Render a run and open the page; any script error or console message fails the test."""
    said: list[str] = []
    asked: list[str] = []

    def open_page(run: MadeUpRun, address: str = "", name: str = "report.html", *, compared: bool = False) -> Page:
        summary = summarise(run)
        beside = against_passing(run) if compared else None
        gate = judge(summary, beside)
        render_html(summary, gate, run.trials(), tmp_path / name, beside.told if beside else None)
        page = context.new_page()
        page.set_default_timeout(30_000)
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("console", lambda message: said.append(message.text))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(f"file://{tmp_path / name}{address}")
        return page

    yield open_page
    assert said == []
    assert [url for url in asked if not url.startswith(("file://", "blob:"))] == []


def rows(page: Page) -> list[str]:
    """The ids of the listed cases, from top to bottom."""
    return page.locator("#table tr[data-at] > th > a:first-child").all_text_contents()


@pytest.mark.parametrize(("scheme", "width"), [("light", 360), ("dark", 1280)])
def test_accessible(scheme: Literal["light", "dark"], width: int, open_page: Opener) -> None:
    """axe finds nothing to complain about, in both colour schemes, wide and narrow, with everything unfolded."""
    page = open_page(showcase(), f"#case={PARCEL}", compared=True)
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 900})
    expect(page.locator(".inside .talk")).to_be_visible()
    for entry in page.locator("details:not([open]) > summary").all():
        if entry.is_visible():
            entry.click()
    found = Axe().run(page)["violations"]
    page.keyboard.press("?")
    found += Axe().run(page, context="#help")["violations"]
    assert [(one["id"], [node["html"][:160] for node in one["nodes"]]) for one in found] == []


@pytest.mark.parametrize("width", [320, 360, 768, 1280])
def test_page_never_scrolls_sideways(width: int, open_page: Opener) -> None:
    """At any width the page fits; what is too wide scrolls inside its own box."""
    page = open_page(showcase(), f"#case={PARCEL}", compared=True)
    page.set_viewport_size({"width": width, "height": 900})
    expect(page.locator(".inside .talk")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_case_opens_in_place(open_page: Opener) -> None:
    """A click on a case shows its failed trial, the marked words, every check, and puts the case into the address."""
    page = open_page(showcase())
    page.get_by_role("link", name="lookup-keeps-failing", exact=True).first.click()
    inside = page.locator(".inside")
    expect(inside.locator("mark")).to_have_text("on its way")
    expect(inside.get_by_role("tab", selected=True)).to_contain_text("trial 1")
    expect(inside.locator(".checks li")).to_have_count(2)
    expect(inside.locator(".request").first).to_contain_text("in 200 + 1,000 cached")
    assert f"case={PARCEL}" in page.url


def test_address_restores_everything(open_page: Opener) -> None:
    """Filter, order, case and trial stand in the address, and an address brings them back."""
    page = open_page(showcase(), f"#q=tag%3Ashipping&sort=-cost&case={PARCEL}&trial=2")
    expect(page.get_by_role("tab", selected=True)).to_contain_text("trial 2")
    expect(page.locator("#q")).to_have_value("tag:shipping")
    expect(page.locator("#count")).to_have_text("5 of 20 cases")
    expect(page.locator('th[aria-sort="descending"]')).to_contain_text("Cost")
    page.reload()
    expect(page.get_by_role("tab", selected=True)).to_contain_text("trial 2")


def test_back_closes_the_case(open_page: Opener) -> None:
    """The back button leaves the case that was opened."""
    page = open_page(showcase())
    page.get_by_role("link", name="hostile", exact=True).first.click()
    expect(page.locator(".inside .talk")).to_be_visible()
    page.go_back()
    expect(page.locator(".inside")).to_have_count(0)


def test_odd_ids_have_addresses(open_page: Opener) -> None:
    """An id with #, a slash and spaces opens from its own link and from a copied one."""
    page = open_page(showcase(), "#case=suites%2Flate%20parcels.yaml%3A%3Awhere-is-my-parcel%233%20%2F%20late")
    expect(page.locator(".inside .talk")).to_be_visible()
    page.get_by_role("button", name="copy link").click()
    link = page.evaluate("navigator.clipboard.readText()")
    page.goto("about:blank")
    page.goto(link)
    expect(page.locator("tr.opened")).to_contain_text("where-is-my-parcel#3 / late")


def test_unknown_case_is_said(open_page: Opener) -> None:
    """A link to a case that is not in this run says so."""
    page = open_page(showcase(), "#case=gone")
    expect(page.locator("#count")).to_have_text("no case gone in this run")


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("is:critical", ["lookup-keeps-failing", "no-reply"]),
        ("tag:tone -watched", ["a-long-conversation"]),
        ("rule:tools.calls", ["where-is-my-parcel#3 / late"]),
        ("is:skipped", ["skipped-for-now"]),
        ("cost:>0.03", ["a-long-conversation"]),
        ('"not measured"', ["no-reply", "never-run"]),
        ("-is:broken tag:tone", ["a-long-conversation"]),
        ("text:with the facts.", []),
        ('text:"12, with the facts"', ["a-long-conversation"]),
        ("overloaded", ["no-reply"]),
        ("tag:(", []),
    ],
)
def test_filter(query: str, expected: list[str], open_page: Opener) -> None:
    """Words, tags, rules, states, amounts, negation and the conversations themselves filter the cases."""
    page = open_page(showcase())
    page.locator("#q").fill(query)
    expect(page.locator("#count")).to_have_text(f"{len(expected)} of 20 cases")
    assert rows(page) == expected


def test_filter_by_what_the_baseline_says(open_page: Opener) -> None:
    """Cases that are clearly worse, and those that only look it, can be listed."""
    page = open_page(run_of({"gone": "fffff", "shaky": "ppppf", "fine": "ppppp"}), compared=True)
    for query, expected in (("is:worse", ["gone"]), ("is:suspect", []), ("-is:worse", ["shaky", "fine"])):
        page.locator("#q").fill(query)
        expect(page.locator("#count")).to_have_text(f"{len(expected)} of 3 cases")
        assert rows(page) == expected


def test_sorting(open_page: Opener) -> None:
    """A click on a heading sorts, another one turns the order round, and aria-sort says so."""
    page = open_page(run_of({"b": "ppf", "a": "ppp", "c": "fff"}))
    assert rows(page) == ["c", "b", "a"]
    page.get_by_role("button", name="Case").click()
    assert rows(page) == ["a", "b", "c"]
    page.get_by_role("button", name="Case").click()
    assert rows(page) == ["c", "b", "a"]
    expect(page.locator('th[data-sort="case"]')).to_have_attribute("aria-sort", "descending")


def test_keys(open_page: Opener) -> None:
    """Keys filter, move, open, change the trial, show help and close."""
    page = open_page(showcase())
    page.keyboard.press("/")
    page.keyboard.type("tag:shipping")
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("k")
    page.keyboard.press("Enter")
    expect(page.locator("tr.opened")).to_contain_text("lookup-keeps-failing")
    page.keyboard.press("]")
    expect(page.get_by_role("tab", selected=True)).to_contain_text("trial 2")
    page.keyboard.press("[")
    expect(page.get_by_role("tab", selected=True)).to_contain_text("trial 1")
    page.keyboard.press("y")
    assert f"case={PARCEL}" in page.evaluate("navigator.clipboard.readText()")
    page.keyboard.press("Escape")
    expect(page.locator(".inside")).to_have_count(0)
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("f")
    expect(page.locator("#q")).to_have_value("tag:shipping is:broken")
    page.keyboard.press("f")
    expect(page.locator("#q")).to_have_value("tag:shipping")


def test_hostile_text_does_nothing(open_page: Opener) -> None:
    """Markup in replies, tool results, labels and errors is shown as text: no element of it exists, no script ran."""
    page = open_page(showcase(), "#case=suites%2Flate%20parcels.yaml%3A%3Ahostile")
    expect(page.locator(".inside .talk")).to_contain_text("<img src=x onerror=alert(1)>")
    assert page.locator("img").count() == 0
    assert page.locator("script:not([type])").count() == 1
    assert page.locator(".inside mark").all_text_contents() == ["</script>", "esrever"]


INJECT = """() => {
  window.refused = [];
  document.addEventListener("securitypolicyviolation", (event) => window.refused.push(event.effectiveDirective));
  document.body.insertAdjacentHTML("beforeend", '<img src="http://127.0.0.1:9/x" onerror="window.ran = 1">');
  const script = document.createElement("script");
  script.textContent = "window.ran = 1";
  document.body.append(script);
  document.body.insertAdjacentHTML("beforeend", '<p style="color: red">styled</p>');
}"""


def test_policy_refuses_what_slips_in(context: BrowserContext, tmp_path: Path) -> None:
    """Even an element injected behind our back loads nothing and runs nothing: the page's policy refuses it."""
    run = run_of({"a": "ppp"})
    summary = summarise(run)
    render_html(summary, judge(summary), run.trials(), tmp_path / "r.html")
    page = context.new_page()
    page.goto(f"file://{tmp_path / 'r.html'}")
    page.evaluate(INJECT)
    page.wait_for_function("window.refused.length >= 4")
    assert set(page.evaluate("window.refused")) == {"img-src", "script-src-elem", "script-src-attr", "style-src-attr"}
    assert page.evaluate("window.ran") is None


def test_huge_reply_is_folded(open_page: Opener) -> None:
    """A reply of 100 KB shows its first 4 KB and a button for all of it."""
    reply = "word " * 20_000
    page = open_page(MadeUpRun([case("a")], [trial("a", 1, score(PASSED), turns=[turn(1, reply)])]), "#case=a")
    text = page.locator(".inside .bot .text")
    expect(text).to_contain_text("show all 100 KB")
    assert len(text.inner_text()) < 5_000
    text.get_by_role("button").click()
    assert len(text.inner_text()) > 99_000


def test_long_conversation_opens_where_it_broke(open_page: Opener) -> None:
    """Of 200 turns only the broken one is open; a check's button opens its turn."""
    turns = [turn(n, f"Answer {n}.", f"Question {n}?") for n in range(1, 201)]
    broken = score(FAILED, 'never_says "120"', spans=(marked("Answer 120.", "120", 120),))
    held = score(PASSED, "max_words 20", turn=7)
    page = open_page(MadeUpRun([case("a")], [trial("a", 1, broken, held, turns=turns)]), "#case=a")
    expect(page.locator(".inside details.turn")).to_have_count(200)
    expect(page.locator(".inside details.turn[open]")).to_have_count(1)
    expect(page.locator(".inside details.turn[open] mark")).to_have_text("120")
    page.get_by_role("button", name="turn 7", exact=True).click()
    expect(page.locator('.inside details.turn[data-turn="7"]')).to_have_attribute("open", "")


def test_right_to_left_text_reads_right_to_left(open_page: Opener) -> None:
    """A Hebrew reply is laid out from the right, the English one beside it from the left."""
    hebrew = replace(turn(1, "המנורה במלאי", "יש מנורה?"), n=1)
    page = open_page(MadeUpRun([case("a")], [trial("a", 1, score(PASSED), turns=[hebrew, turn(2)])]), "#case=a")
    texts = page.locator(".inside .bot .text")
    assert [texts.nth(n).evaluate("one => getComputedStyle(one).direction") for n in (0, 1)] == ["rtl", "ltr"]


def test_identical_trials_are_told(open_page: Opener) -> None:
    """A trial whose words are those of an earlier one says so."""
    page = open_page(run_of({"a": "ppp"}), "#case=a&trial=3")
    expect(page.locator(".inside .same")).to_have_text("Same words and calls as trial 1.")


def test_rows_of_script_and_template_agree(open_page: Opener) -> None:
    """A row made by the script is the row that the template writes."""
    run = showcase()
    extra = [case(f"extra-{n}") for n in range(600)]
    short = open_page(run, name="short.html", compared=True)
    long = open_page(replace(run, cases=[*run.cases, *extra]), "#q=-extra", name="long.html", compared=True)
    expect(long.locator("#count")).to_have_text("20 of 620 cases")
    clean = "rows => rows.map(row => row.innerHTML.replace(/ aria-expanded=\"\\w+\"/g, ''))"
    written = dict(zip(rows(short), short.locator("#table tr[data-at]").evaluate_all(clean), strict=True))
    made = dict(zip(rows(long), long.locator("#table tr[data-at]").evaluate_all(clean), strict=True))
    assert len(made) == 20

    def text(row: str) -> str:
        return re.sub(r"\s+", " ", re.sub(r"#q=tag(%3A|:)", "#q=tag:", row.replace("%2F", "/"))).replace("> <", "><")

    assert {name: text(row) for name, row in made.items()} == {name: text(row) for name, row in written.items()}


def test_commands_of_script_and_reports_agree(open_page: Opener) -> None:
    """The command that the page copies is the one the terminal prints."""
    run = showcase()
    page = open_page(run, "#case=suites%2Flate%20parcels.yaml%3A%3Awhere-is-my-parcel%233%20%2F%20late")
    page.get_by_role("button", name="copy command").click()
    wanted = next(c for c in summarise(run).cases if c.case_id.startswith("where"))
    assert page.evaluate("navigator.clipboard.readText()") == rerun_command(summarise(run), wanted)


def test_many_cases_come_in_steps(open_page: Opener) -> None:
    """Of a thousand cases 200 rows are there; the button shows more; filter and link reach all of them."""
    page = open_page(run_of({f"case{n:04}": "ppp" for n in range(1000)}))
    assert len(rows(page)) == 200
    page.get_by_role("button", name="show 200 more of 800").click()
    assert len(rows(page)) == 400
    page.locator("#q").fill("case0999")
    expect(page.locator("#count")).to_have_text("1 of 1,000 cases")
    page.get_by_role("link", name="case0999").click()
    expect(page.locator(".inside .talk")).to_be_visible()


def test_times_and_money_agree_with_the_python_words(open_page: Opener) -> None:
    """The numbers of a request read the same in the opened case and in what broke."""
    slow = replace(turn(), requests=(request(total_ms=130_000.0, first_token_ms=9_996.0, cost_usd=None),))
    page = open_page(MadeUpRun([case("a")], [trial("a", 1, score(FAILED), turns=[slow])]), "#case=a")
    inside = page.locator(".inside .request").inner_text()
    assert "first token 10.0 s" in inside
    assert "whole 2 min 10 s" in inside
    assert "cost unknown" in inside
    assert "2 min 10 s" in page.locator("#broke .request").inner_text()


def test_without_javascript(browser: Browser, tmp_path: Path) -> None:
    """With scripts switched off verdict, what broke, rules, charts, rows and setup are all there."""
    run = showcase()
    summary = summarise(run)
    render_html(summary, judge(summary), run.trials(), tmp_path / "r.html")
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"file://{tmp_path / 'r.html'}")
    expect(page.get_by_role("heading", level=1)).to_contain_text("1 critical case fails")
    expect(page.locator("#broke mark").first).to_have_text("on its way")
    expect(page.get_by_role("img").first).to_be_visible()
    assert len(rows(page)) == 20
    expect(page.locator("#filter")).to_be_hidden()
    expect(page.locator("#cases noscript").first).to_be_visible()
    context.close()


def test_print_shows_what_is_folded(open_page: Opener) -> None:
    """On paper the folded parts are open and the controls are gone."""
    page = open_page(showcase())
    page.emulate_media(media="print")
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    expect(page.locator(".prompt").first).to_be_visible()
    expect(page.locator("#filter")).to_be_hidden()
    page.emulate_media(media="screen")
    page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    expect(page.locator(".prompt").first).to_be_hidden()


@pytest.mark.parametrize(
    "run",
    [
        MadeUpRun([], [], suites=()),
        run_of({"a": "nnn"}),
        run_of({"a": "..."}, end=None),
        MadeUpRun([], [replace(trial("chat", 1), score=None)], suites=()),
        MadeUpRun([case("a", skip="later")], []),
        MadeUpRun([case("a")], trials("a", "ppp")),
    ],
    ids=["nothing selected", "no reply", "nothing run", "no suite", "skipped", "one case"],
)
def test_every_state_opens(run: MadeUpRun, open_page: Opener) -> None:
    """The page of every state opens without an error, and each of its cases opens too."""
    page = open_page(run)
    for name in rows(page):
        page.get_by_role("link", name=name, exact=True).last.click()
        expect(page.locator(".inside .box")).not_to_contain_text("Unpacking")
    assert page.locator("h1").count() == 1
    assert json.loads(page.locator("#index").text_content() or "")["run"] == "20261122-071455-7c1e"
