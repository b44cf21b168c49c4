// The table of cases: adopts the rows that are in the page, makes the others, filters and sorts them.
// The rows made here are those of cases.html.j2: a test compares the two.

const STEP = 200;
const ALL_ROWS = 500;
const body = document.querySelector("#table tbody");
const rows = new Map([...body.rows].map((row) => [Number(row.dataset.at), row]));
const firstDown = new Set(["cost", "time"]);
let limit = COUNT <= ALL_ROWS ? COUNT : STEP;

const passedShare = (at) => (INDEX.trials[at] ? INDEX.trials[at].split("p").length - 1 : 0) / (INDEX.trials[at].length || 1);
const SORTS = {
  verdict: (at) => at,
  case: (at) => INDEX.id[at].toLowerCase(),
  trials: passedShare,
  cost: (at) => INDEX.cost[at] ?? -1,
  cached: (at) => INDEX.cached[at] ?? -1,
  time: (at) => INDEX.time[at] ?? -1,
  place: (at) => INDEX.place[at].replace(/\d+/g, (digits) => digits.padStart(8, "0")),
};

function trialWords(at) {
  const trials = INDEX.trials[at];
  const passed = trials.split("p").length - 1;
  const open = trials.split("n").length - 1;
  return `${passed} of ${plural(trials.length, "trial")} passed${open ? `, ${open} not measured` : ""}`;
}

function makeRow(at) {
  const verdict = verdictName(at);
  const ran = INDEX.at[at].length > 0;
  const head = el("th", { scope: "row" }, el("a", { href: addressOf({ case: keyOf(at) }) }, INDEX.id[at]));
  if (INDEX.critical[at]) head.append(" ", el("span", { class: "chip critical" }, "critical"));
  if (INDEX.watched[at]) head.append(" ", el("span", { class: "chip" }, "watched only"));
  const change = INDEX.change?.[at];
  if (change) head.append(" ", el("span", { class: `chip c-${change === "clearly worse" ? "worse" : "suspect"}` }, change));
  for (const tag of tagNames(at)) head.append(" ", el("a", { class: "tag", href: addressOf({ q: `tag:${tag}` }) }, tag));
  const dots = [...INDEX.trials[at]].map((letter) => el("i", { class: `t-${slug(DOTS[letter][0])}` }, DOTS[letter][1]));
  return el("tr", { "data-at": at },
    el("td", {}, el("span", { class: `verdict v-${slug(verdict)}` }, el("span", { class: "sym", "aria-hidden": "true" }, SYMBOLS[verdict]), ` ${verdict}`)),
    head,
    el("td", { class: "why" }, INDEX.why[at]),
    el("td", {}, dots.length ? el("span", { class: "dots", role: "img", "aria-label": trialWords(at) }, dots) : "", INDEX.was?.[at] ? el("span", { class: "was" }, INDEX.was[at]) : ""),
    el("td", { class: "num money" }, ran ? usdExact(INDEX.cost[at]) : ""),
    el("td", { class: "num wide" }, ran ? percent(INDEX.cached[at]) : ""),
    el("td", { class: "num wide" }, ran ? duration(INDEX.time[at]) : ""),
    el("td", { class: "wide place" }, INDEX.place[at]));
}

function rowFor(at) {
  if (!rows.has(at)) rows.set(at, makeRow(at));
  return rows.get(at);
}

function sorted(cases, sort) {
  const down = sort.startsWith("-");
  const value = SORTS[sort.replace(/^-/, "")] || SORTS.verdict;
  const compare = (a, b) => (value(a) < value(b) ? -1 : value(a) > value(b) ? 1 : a - b);
  return [...cases].sort(down ? (a, b) => compare(b, a) || a - b : compare);
}

function place(cases) {
  const shown = cases.slice(0, limit);
  body.replaceChildren(...shown.map(rowFor));
  const more = document.getElementById("more");
  more.hidden = shown.length === cases.length;
  more.firstElementChild.textContent = `show ${number(Math.min(STEP, cases.length - shown.length))} more of ${number(cases.length - shown.length)}`;
  return shown;
}

function tellCount(found, note) {
  document.getElementById("count").textContent = note || (found === COUNT ? plural(COUNT, "case") : `${number(found)} of ${plural(COUNT, "case")}`);
}

let listed = [];
let listedFor = null;

async function list(state) {
  const wanted = `${state.q}\n${state.sort}`;
  if (listedFor === wanted) return;
  listedFor = wanted;
  const query = parseQuery(state.q);
  let cases = Array.from({ length: COUNT }, (_, at) => at).filter(query.test);
  if (query.texts.length) {
    const tell = (share) => tellCount(0, `searching the conversations, ${percent(share)}`);
    cases = await searchTexts(cases, query.texts, tell);
    if (cases === null || listedFor !== wanted) return;
  }
  listed = sorted(cases, state.sort);
  place(listed);
  tellCount(listed.length);
  markSort(state.sort || "verdict");
}

function markSort(sort) {
  for (const head of document.querySelectorAll("#table th[data-sort]")) {
    if (head.dataset.sort === sort.replace(/^-/, "")) head.setAttribute("aria-sort", sort.startsWith("-") ? "descending" : "ascending");
    else head.removeAttribute("aria-sort");
  }
}

function sortBy(key) {
  const now = readAddress().sort || "verdict";
  const first = firstDown.has(key) ? `-${key}` : key;
  const other = first.startsWith("-") ? key : `-${key}`;
  const next = now === first ? other : first;
  go({ sort: next === "verdict" ? "" : next }, { replace: true });
}

function addSortButtons() {
  for (const head of document.querySelectorAll("#table th[data-sort]:not(.plain)")) {
    const button = el("button", { type: "button", click: () => sortBy(head.dataset.sort) }, head.textContent);
    head.replaceChildren(button);
  }
}
