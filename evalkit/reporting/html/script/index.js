// The index of cases (written by index.py) and the words and elements that everything else uses.
// Text from suites, tools and models only ever becomes a text node; nothing here parses markup.

const INDEX = JSON.parse(document.getElementById("index").textContent);
const COUNT = INDEX.id.length;
const SYMBOLS = { pass: "✓", passed: "✓", unstable: "~", fail: "✗", failed: "✗", "not measured": "?", skipped: "–" };
const DOTS = { p: ["passed", "●"], f: ["failed", "○"], n: ["not measured", "?"] };

function el(name, attributes, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) {
    if (typeof value === "function") made.addEventListener(key, value);
    else if (value === true) made.setAttribute(key, "");
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(key, value);
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== ""));
  return made;
}

const slug = (text) => text.replaceAll(" ", "-");
const verdictName = (at) => INDEX.verdicts[INDEX.verdict[at]];
const suiteName = (at) => INDEX.suites[INDEX.suite[at]];
const tagNames = (at) => INDEX.tags[at].map((tag) => INDEX.names[tag]);
const ruleNames = (at) => INDEX.rules[at].map((rule) => INDEX.names[rule]);
const isBroken = (at) => ["fail", "unstable", "not measured"].includes(verdictName(at));

function keyOf(at) {
  return INDEX.suites.length > 1 ? `${suiteName(at)}::${INDEX.id[at]}` : INDEX.id[at];
}

function findCase(key) {
  for (let at = 0; at < COUNT; at += 1) {
    if (key === INDEX.id[at] || key === `${suiteName(at)}::${INDEX.id[at]}`) return at;
  }
  return -1;
}

// The same as rerun.py: a test compares the two.
function commandOf(at) {
  const word = `${suiteName(at)}::${INDEX.id[at]}`;
  const quoted = /^[\p{L}\p{N}_@%+=:,./~-]+$/u.test(word) ? word : `'${word.replaceAll("'", `'"'"'`)}'`;
  return `evalkit run ${quoted}${INDEX.options}`;
}

// The same as wording.py: a test compares the two.
const number = (value) => Math.round(value).toLocaleString("en-US");
const plural = (count, noun, many) => `${number(count)} ${count === 1 ? noun : many || `${noun}s`}`;

const usdExact = (amount) => (amount === null ? "unknown" : `$${amount.toLocaleString("en-US", { minimumFractionDigits: 4, maximumFractionDigits: 4 })}`);

function percent(share) {
  if (share === null) return "–";
  if (share > 0.99 && share < 1) return "99 %";
  if (share > 0 && share < 0.01) return "<1 %";
  return `${(share * 100).toFixed(0)} %`;
}

function duration(milliseconds) {
  if (milliseconds === null) return "–";
  const seconds = milliseconds / 1000;
  if (seconds < 9.995) return `${seconds.toFixed(2)} s`;
  if (seconds < 120) return `${seconds.toFixed(1)} s`;
  return `${Math.floor(seconds / 60)} min ${Math.floor(seconds % 60)} s`;
}

const size = (length) => (length < 1000 ? `${length} characters` : `${(length / 1000).toFixed(0)} KB`);

// Conversations lie in gzipped groups; the last few that were unpacked are kept.
const unpacked = new Map();

function unpack(group) {
  if (!unpacked.has(group)) {
    if (unpacked.size >= 8) unpacked.delete(unpacked.keys().next().value);
    const packed = document.getElementById(`group-${group}`).textContent;
    const bytes = Uint8Array.from(atob(packed), (char) => char.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    unpacked.set(group, new Response(stream).json());
  }
  return unpacked.get(group);
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = el("textarea", { readonly: true, class: "hidden" });
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
}

async function copyFrom(button, text) {
  await copy(text);
  const before = button.textContent;
  button.textContent = "copied";
  setTimeout(() => { button.textContent = before; }, 1200);
}
