// The filter: words, tag:, rule:, is:, cost:>0.02, time:>5, cached:<0.5, text:, each of them negated by a minus.

const STATES = {
  critical: (at) => INDEX.critical[at] === 1,
  watched: (at) => INDEX.watched[at] === 1,
  broken: isBroken,
  worse: (at) => INDEX.change?.[at] === "clearly worse",
  suspect: (at) => INDEX.change?.[at] === "looks worse",
  pass: (at) => verdictName(at) === "pass",
  fail: (at) => verdictName(at) === "fail",
  unstable: (at) => verdictName(at) === "unstable",
  unmeasured: (at) => verdictName(at) === "not measured",
  skipped: (at) => verdictName(at) === "skipped",
};
const AMOUNTS = {
  cost: (at) => INDEX.cost[at],
  time: (at) => (INDEX.time[at] === null ? null : INDEX.time[at] / 1000),
  cached: (at) => INDEX.cached[at],
};
const haystacks = [];

function haystack(at) {
  haystacks[at] ??= [INDEX.id[at], suiteName(at), verdictName(at), INDEX.why[at], ...tagNames(at)].join("\n").toLowerCase();
  return haystacks[at];
}

function amountTest(of, text) {
  const match = /^([<>]=?|=)?(\d*\.?\d+)$/.exec(text);
  if (!match) return () => false;
  const limit = Number(match[2]);
  const holds = {
    ">": (value) => value > limit, ">=": (value) => value >= limit,
    "<": (value) => value < limit, "<=": (value) => value <= limit, "=": (value) => value === limit,
  }[match[1] || "="];
  return (at) => of(at) !== null && holds(of(at));
}

function termTest(name, value) {
  if (name === "tag") return (at) => tagNames(at).some((tag) => tag.toLowerCase() === value);
  if (name === "rule") return (at) => ruleNames(at).some((rule) => rule.toLowerCase().includes(value));
  if (name === "is") return STATES[value] || (() => false);
  if (AMOUNTS[name]) return amountTest(AMOUNTS[name], value);
  const word = name ? `${name}:${value}` : value;
  return (at) => haystack(at).includes(word);
}

function parseQuery(query) {
  const tests = [];
  const texts = [];
  for (const match of query.matchAll(/(-?)(?:([a-z]+):)?(?:"([^"]*)"?|(\S+))/gi)) {
    const value = (match[3] ?? match[4]).toLowerCase();
    const name = (match[2] || "").toLowerCase();
    const wanted = match[1] !== "-";
    if (name === "text") {
      texts.push({ value, wanted });
      continue;
    }
    const test = termTest(name, value);
    tests.push(wanted ? test : (at) => !test(at));
  }
  return { texts, test: (at) => tests.every((test) => test(at)) };
}

// Searches the conversations group by group; `tell` hears how far it is. An overtaken search stops.
let searches = 0;

async function searchTexts(cases, texts, tell) {
  searches += 1;
  const own = searches;
  const places = new Map();
  for (const at of cases) {
    for (const [, group, position] of INDEX.at[at]) {
      if (!places.has(group)) places.set(group, []);
      places.get(group).push([at, position]);
    }
  }
  const said = new Map(cases.map((at) => [at, texts.map(() => false)]));
  let done = 0;
  for (const [group, trials] of places) {
    const views = await unpack(group);
    if (own !== searches) return null;
    for (const [at, position] of trials) {
      const words = spoken(views[position]);
      texts.forEach((text, n) => { said.get(at)[n] ||= words.includes(text.value); });
    }
    done += 1;
    tell(done / places.size);
  }
  return cases.filter((at) => texts.every((text, n) => said.get(at)[n] === text.wanted));
}

function spoken(view) {
  const words = [];
  for (const turn of view.turns) {
    words.push(turn.user);
    for (const step of turn.steps) words.push(step.pieces.map(([text]) => text).join(""), step.text, step.output, step.arguments);
  }
  return words.join("\n").toLowerCase();
}
