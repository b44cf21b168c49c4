// A case opened in the table: a tab per trial, the failed one first in view.

let opened = { at: -1, row: null };

function closeCase() {
  if (opened.row) opened.row.remove();
  const own = opened.at >= 0 ? rows.get(opened.at) : null;
  if (own) {
    own.classList.remove("opened");
    own.querySelector("th > a").removeAttribute("aria-expanded");
  }
  opened = { at: -1, row: null };
}

// Puts the case below its row and shows the trial that the address names.
async function openCase(at, trial) {
  const own = rows.get(at);
  if (opened.at !== at) {
    closeCase();
    opened = { at, row: el("tr", { class: "inside" }, el("td", { colspan: 8 }, el("div", { class: "box" }, el("p", { class: "soft" }, "Unpacking…")))) };
    own.classList.add("opened");
    own.querySelector("th > a").setAttribute("aria-expanded", "true");
  }
  own.after(opened.row);
  const box = opened.row.querySelector(".box");
  try {
    const views = await Promise.all(INDEX.at[at].map(async ([, group, position]) => (await unpack(group))[position]));
    if (opened.at === at) box.replaceChildren(...caseElements(at, views, Number(trial)));
  } catch (problem) {
    box.replaceChildren(el("p", {}, `The conversation can't be unpacked in this browser: ${problem.message}`));
  }
}

function chooseTrial(views, wanted) {
  const named = views.find((view) => view.trial === wanted);
  const order = ["failed", "not measured", "passed"];
  return named || [...views].sort((a, b) => order.indexOf(a.verdict) - order.indexOf(b.verdict) || a.trial - b.trial)[0];
}

function caseElements(at, views, wanted) {
  const bar = el("div", { class: "tabs" });
  const end = el("span", { class: "end" },
    el("button", { type: "button", click: (event) => copyFrom(event.target, commandOf(at)) }, "copy command"),
    el("button", { type: "button", click: (event) => copyFrom(event.target, linkTo(at)) }, "copy link"),
    el("button", { type: "button", click: leaveCase }, "close"));
  if (!views.length) {
    bar.append(el("span", { class: "soft" }, INDEX.why[at] || "No trial of this case was run."), end);
    return [bar];
  }
  const chosen = chooseTrial(views, wanted);
  bar.append(el("span", { role: "tablist", "aria-label": "Trials" }, views.map((view) => tab(view, view === chosen))), end);
  const same = views.find((view) => view.words === chosen.words && view.trial < chosen.trial);
  const panel = el("div", { role: "tabpanel", id: "trial", "aria-label": `Trial ${chosen.trial}` }, trialElement(chosen, same?.trial));
  const about = el("p", { class: "soft" }, `${INDEX.place[at]} · ${plural(INDEX.needed[at], "trial")} must pass`);
  return [bar, about, panel];
}

function tab(view, selected) {
  const choose = () => go({ trial: String(view.trial) }, { replace: true });
  return el("button", { type: "button", role: "tab", "aria-selected": String(selected), "aria-controls": selected ? "trial" : null, tabindex: selected ? null : "-1", click: choose },
    el("span", { class: `sym v-${slug(view.verdict)}`, "aria-hidden": "true" }, SYMBOLS[view.verdict]), ` trial ${view.trial} `,
    el("span", { class: "hidden" }, view.verdict));
}

function leaveCase() {
  const at = opened.at;
  go({ case: "", trial: "" });
  rows.get(at)?.querySelector("th > a").focus();
}

function stepTrial(by) {
  const tabs = [...document.querySelectorAll('[role="tab"]')];
  const now = tabs.findIndex((one) => one.getAttribute("aria-selected") === "true");
  if (now < 0 || !tabs[now + by]) return;
  const focused = tabs.includes(document.activeElement);
  tabs[now + by].click();
  if (focused) setTimeout(() => document.querySelector('[role="tab"][aria-selected="true"]')?.focus(), 0);
}

function linkTo(at) {
  return location.href.split("#")[0] + addressOf({ ...readAddress(), case: keyOf(at) });
}
