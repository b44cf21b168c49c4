// Ties everything together: the address is the state, `show` makes the page look like it.

let shownCase = "";

async function show() {
  const state = readAddress();
  if (filter.value !== state.q && document.activeElement !== filter) filter.value = state.q;
  document.getElementById("only-broken").setAttribute("aria-pressed", String(/(^|\s)is:broken(\s|$)/.test(state.q)));
  await list(state);
  const at = state.case ? findCase(state.case) : -1;
  if (at < 0) {
    if (state.case) tellCount(listed.length, `no case ${state.case} in this run`);
    closeCase();
    shownCase = "";
    return;
  }
  const own = rowFor(at);
  if (!own.isConnected) body.prepend(own);
  await openCase(at, state.trial);
  if (shownCase !== state.case) own.scrollIntoView({ block: "start" });
  shownCase = state.case;
}

function onClick(event) {
  const button = event.target.closest("button[data-copy]");
  if (button) copyFrom(button, button.dataset.copy);
  const link = event.target.closest("tr[data-at] > th > a:first-child");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  const at = Number(link.closest("tr").dataset.at);
  if (opened.at === at) leaveCase();
  else {
    shownCase = keyOf(at);  // it is in view already
    go({ case: keyOf(at), trial: "" });
  }
}

let opened_for_print = [];

function openForPrint() {
  opened_for_print = [...document.querySelectorAll("details:not([open])")];
  for (const one of opened_for_print) one.open = true;
}

function start() {
  document.documentElement.classList.add("js");
  document.getElementById("filter").hidden = false;
  addSortButtons();
  document.addEventListener("click", onClick);
  document.addEventListener("keydown", onKey);
  window.addEventListener("hashchange", show);
  window.addEventListener("popstate", show);
  window.addEventListener("beforeprint", openForPrint);
  window.addEventListener("afterprint", () => { for (const one of opened_for_print) one.open = false; });
  document.getElementById("filter").addEventListener("submit", (event) => event.preventDefault());
  filter.addEventListener("input", () => { limit = COUNT <= ALL_ROWS ? COUNT : STEP; go({ q: filter.value }, { replace: true }); });
  document.getElementById("only-broken").addEventListener("click", toggleBroken);
  document.getElementById("more").firstElementChild.addEventListener("click", () => { limit += STEP; place(listed); show(); });
  show();
}

start();
