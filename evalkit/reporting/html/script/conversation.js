// One trial: its turns as they happened, the numbers of every request, every check. `view` is a TrialView.

const FOLD = 4096;
const TURNS_OPEN = 6;
const HELD_SHOWN = 6;

// A long text shows its beginning and a button; a mark beyond the fold keeps it open.
function foldedText(pieces) {
  const whole = pieces.map(([text, mark]) => (mark ? el("mark", { class: mark === 2 ? "warning" : null }, text) : text));
  const length = pieces.reduce((sum, [text]) => sum + text.length, 0);
  const box = el("div", { class: "text", dir: "auto" });
  let start = 0;
  const late = pieces.some(([text, mark]) => { const at = start; start += text.length; return mark && at + text.length > FOLD; });
  if (length <= FOLD || late) {
    box.append(...whole);
    return box;
  }
  const head = pieces.map(([text]) => text).join("").slice(0, FOLD);
  const button = el("button", { type: "button", class: "fold-more", click: () => box.replaceChildren(...whole) }, `show all ${size(length)}`);
  box.append(`${head}… `, button);
  return box;
}

const line = (who, kind, content) => el("div", { class: `say ${kind}` }, el("span", { class: "who" }, who), content);

// What a user said: the words, then the files. A picture is a rule of the style sheet, named by its number.
function fileElement(file) {
  const words = el("span", {}, el("b", {}, file.name), " ", el("span", { class: "soft" }, file.detail), file.shows ? el("br") : "", file.shows);
  if (file.picture === null) return el("span", { class: "file" }, el("span", { class: "kind", "aria-hidden": "true" }, file.kind), words);
  const picture = (more) => el("span", { class: `pic ${more}pic-${file.picture}`, role: "img", "aria-label": file.shows || file.name });
  return el("details", { class: "file" }, el("summary", {}, picture(""), words), picture("whole "));
}

function said(text, files) {
  if (!files.length) return foldedText([[text, 0]]);
  return el("div", {}, text ? foldedText([[text, 0]]) : "", el("div", { class: "files" }, files.map(fileElement)));
}

function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

function stepElement(step) {
  if (step.kind === "say") return line("Assistant", "bot", foldedText(step.pieces));
  if (step.kind === "call") return callElement(step);
  if (step.kind === "fail") {
    const content = el("div", { class: "text" }, el("b", {}, step.name), step.origin ? " " : "", step.origin ? el("code", {}, step.origin) : "");
    if (step.text) content.append(el("div", { class: "partial", dir: "auto" }, step.text));
    return line(step.who, "gone", content);
  }
  const title = step.kind === "think" ? `thought for ${size(step.text.length)}` : step.name;
  return line("", "tool", el("details", { class: "text" }, el("summary", {}, title), el("pre", {}, step.text)));
}

function callElement(step) {
  const short = (text) => (text.length > 120 ? `${text.slice(0, 120)}…` : text);
  const content = el("details", { class: `text call calls${step.error ? " bad" : ""}` },
    el("summary", {}, el("b", {}, step.name), " ", el("code", {}, short(step.arguments)), " → ",
      step.error ? el("em", {}, "error ") : "", el("code", {}, short(step.output))),
    el("pre", {}, pretty(step.arguments)), el("pre", {}, pretty(step.output)),
    step.origin ? el("p", { class: "place" }, `answered by ${step.origin}`) : "");
  return line("Tool", "tool", content);
}

function requestElement(request) {
  const parts = [];
  if (request.input === null) parts.push("no usage");
  else {
    parts.push(`in ${number(request.input)} + ${number(request.read)} cached + ${number(request.write)} written${request.cold ? " (cold)" : ""}`, `out ${number(request.output)}`);
    parts.push(request.cost_usd === null ? "cost unknown" : usdExact(request.cost_usd));
  }
  if (request.first_token_ms !== null) parts.push(`first token ${duration(request.first_token_ms)}`);
  if (request.total_ms !== null) parts.push(`whole ${duration(request.total_ms)}`);
  if (request.waited_ms) parts.push(`waited ${duration(request.waited_ms)}`);
  if (request.stop_reason) parts.push(request.stop_reason);
  if (request.model) parts.push(request.model);
  const item = el("li", { class: "request" }, `request ${request.n}${request.purpose === "reply" ? "" : ` (${request.purpose})`}: ${parts.join(" · ")}`);
  if (request.miss) item.append(" · ", el("span", { class: "miss" }, request.miss));
  for (const retry of request.retries) item.append(" · ", el("span", { class: "miss" }, `retried after ${retry}`));
  if (request.request_id) item.append(" · ", el("code", {}, request.request_id));
  return item;
}

function turnElement(turn, view) {
  const parts = [
    line("Customer", "user", said(turn.user, turn.files)),
    ...turn.steps.map(stepElement),
    el("ul", { class: "requests" }, turn.requests.map(requestElement),
      turn.bill && view.turns.length > 1 ? el("li", {}, `turn: ${turn.bill}`) : ""),
  ];
  if (view.turns.length <= TURNS_OPEN) return el("div", { class: "turn", "data-turn": turn.n }, parts);
  const failed = view.checks.filter((check) => check.verdict === "failed" && check.turn);
  const found = failed.filter((check) => check.turn === turn.n);
  const open = failed.length ? found.length > 0 : turn.n === view.turns.at(-1).n;
  return el("details", { class: "turn", "data-turn": turn.n, open },
    el("summary", {}, turn.broken ? "✗ " : found.length ? "! " : "", `turn ${turn.n} `, el("b", {}, turn.user.slice(0, 140) || turn.files.map((file) => file.name).join(", "))), parts);
}

function checkElement(check, talk) {
  const body = el("div", {}, el("b", {}, check.label), check.level === "error" ? "" : ` (${check.level})`);
  if (check.turn) {
    const jump = () => {
      const turn = talk.querySelector(`[data-turn="${check.turn}"]`);
      if (turn) { turn.open = true; turn.scrollIntoView({ block: "nearest" }); }
    };
    body.append(" ", el("button", { type: "button", class: "fold-more", click: jump }, `turn ${check.turn}`));
  }
  if (check.verdict !== "passed" && (check.observed || check.expected)) {
    const found = [check.observed ? `found ${check.observed}` : "", check.expected ? `expected ${check.expected}` : ""];
    body.append(el("div", { class: "found" }, found.filter(Boolean).join(", ")));
  }
  if (check.note && check.verdict !== "passed") body.append(el("pre", {}, check.note));
  body.append(el("div", { class: "place" }, check.place));
  const mark = el("span", { class: `sym v-${slug(check.verdict)}`, role: "img", "aria-label": check.verdict }, SYMBOLS[check.verdict]);
  return el("li", {}, mark, body);
}

// What held is folded away when there is much of it.
function checkList(checks, talk) {
  if (!checks.length) return el("p", { class: "soft" }, "No check was made.");
  const items = (some) => el("ul", { class: "checks" }, some.map((check) => checkElement(check, talk)));
  const held = checks.filter((check) => check.verdict === "passed");
  if (held.length <= HELD_SHOWN) return items(checks);
  const rest = checks.filter((check) => check.verdict !== "passed");
  return el("div", {}, rest.length ? items(rest) : "", el("details", { class: "held" }, el("summary", {}, `${held.length} checks held`), items(held)));
}

// What the system prompt was rendered with; folded, since most of it is the same in every case.
function inputsElement(inputs) {
  const values = inputs.map(([name, value]) => [el("b", {}, name), el("pre", { dir: "auto" }, value)]);
  return el("details", { class: "text" }, el("summary", {}, `inputs: ${inputs.map(([name]) => name).join(", ")}`), values.flat());
}

function trialElement(view, same) {
  const talk = el("div", { class: "talk" });
  if (same) talk.append(el("p", { class: "same" }, `Same words and calls as trial ${same}.`));
  if (view.reason) talk.append(el("p", { class: "same" }, view.reason));
  for (const note of view.extra) talk.append(el("p", { class: "same" }, note));
  if (view.inputs.length) talk.append(line("", "tool", inputsElement(view.inputs)));
  for (const [role, text, files] of view.history) talk.append(line(`${role} before`, "user", said(text, files)));
  talk.append(...view.turns.map((turn) => turnElement(turn, view)));
  if (view.bill) talk.append(el("ul", { class: "requests" }, el("li", {}, `session: ${view.bill}`)));
  const order = ["failed", "not measured", "passed"];
  const levels = ["error", "warning", "suggestion"];
  const checks = [...view.checks].sort((a, b) => order.indexOf(a.verdict) - order.indexOf(b.verdict) || levels.indexOf(a.level) - levels.indexOf(b.level));
  return el("div", { class: "two" }, talk, checkList(checks, talk));
}
