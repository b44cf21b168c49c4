// Keys: never with a modifier, never while something is typed.

const help = document.getElementById("help");
const filter = document.getElementById("q");

function moveTo(by) {
  const links = [...body.querySelectorAll("tr[data-at] > th > a:first-child")];
  if (!links.length) return;
  const current = document.activeElement?.closest?.("tr[data-at]") || (opened.at >= 0 ? rows.get(opened.at) : null);
  const now = links.findIndex((link) => link.closest("tr") === current);
  const next = links[Math.min(Math.max(now + by, 0), links.length - 1)];
  next.focus();
  next.scrollIntoView({ block: "nearest" });
}

function toggleBroken() {
  const { q } = readAddress();
  const rest = q.replace(/(^|\s)is:broken(?=\s|$)/, " ").trim();
  go({ q: rest === q.trim() ? `${rest} is:broken`.trim() : rest }, { replace: true });
}

const KEYS = {
  "/": () => { filter.focus(); filter.select(); },
  j: () => moveTo(1),
  k: () => moveTo(-1),
  f: toggleBroken,
  y: () => copy(opened.at >= 0 ? linkTo(opened.at) : location.href),
  "[": () => stepTrial(-1),
  "]": () => stepTrial(1),
  "?": () => help.showModal(),
};

function onKey(event) {
  const typing = event.target.matches("input, textarea, select, [contenteditable]");
  if (event.ctrlKey || event.metaKey || event.altKey || help.open) return;
  if (event.key === "Escape") {
    if (typing) event.target.blur();
    else if (opened.at >= 0) leaveCase();
    return;
  }
  if (typing) return;
  if (event.target.matches('[role="tab"]') && ["ArrowLeft", "ArrowRight"].includes(event.key)) {
    stepTrial(event.key === "ArrowLeft" ? -1 : 1);
    event.preventDefault();
  } else if (KEYS[event.key]) {
    KEYS[event.key]();
    event.preventDefault();
  }
}
