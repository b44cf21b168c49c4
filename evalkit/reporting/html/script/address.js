// What is shown stands in the address: #q=…&sort=-cost&case=…&trial=2. Reload, back and a pasted link restore it.
// An address without "=" is an ordinary link to a section.

const FIELDS = ["q", "sort", "case", "trial"];

function readAddress() {
  const state = { q: "", sort: "", case: "", trial: "" };
  for (const part of location.hash.slice(1).split("&")) {
    const cut = part.indexOf("=");
    const field = part.slice(0, cut);
    if (cut < 0 || !FIELDS.includes(field)) continue;
    try {
      state[field] = decodeURIComponent(part.slice(cut + 1).replaceAll("+", " "));
    } catch {
      state[field] = part.slice(cut + 1);
    }
  }
  return state;
}

function addressOf(state) {
  const parts = FIELDS.filter((field) => state[field]).map((field) => `${field}=${encodeURIComponent(state[field])}`);
  return `#${parts.join("&")}`;
}

function go(changes, { replace = false } = {}) {
  const next = addressOf({ ...readAddress(), ...changes });
  if (next === location.hash || (next === "#" && !location.hash)) return;
  if (replace) history.replaceState(null, "", next);
  else history.pushState(null, "", next);
  show();
}
