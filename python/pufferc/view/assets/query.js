// The filter's text: words that a run's texts contain, and comparisons such as score>400 or train.gamma<=0.99.

const COMPARISON = /^([\w.]+)(<=|>=|!=|<|>|=)(.+)$/;
const COMPARE = {
  "<": (a, b) => a < b, ">": (a, b) => a > b, "<=": (a, b) => a <= b, ">=": (a, b) => a >= b,
  "=": (a, b) => a === b, "!=": (a, b) => a !== b,
};

function parseQuery(text) {
  const tests = [], complaints = [];
  for (const word of text.split(/\s+/).filter(Boolean)) {
    const match = COMPARISON.exec(word);
    if (!match) {
      const wanted = word.toLowerCase();
      tests.push((run) => [run.name, run.game, run.policy, run.state, run.sweep].join(" ").toLowerCase().includes(wanted));
      continue;
    }
    const field = fullField(match[1]);
    if (field === null) complaints.push(`No run has a field ${match[1]}`);
    else tests.push(comparison(field, COMPARE[match[2]], match[3]));
  }
  return { accepts: (run) => tests.every((test) => test(run)), complaint: complaints.join(". ") };
}

function comparison(field, compare, wanted) {
  const number = Number(wanted);
  return (run) => {
    const value = valueOf(run, field);
    if (value === null) return false;
    return typeof value === "number" && !Number.isNaN(number) ? compare(value, number) : compare(asText(value), wanted);
  };
}

// A field by its name or by its last part: gamma is train.gamma.
function fullField(name) {
  if (["score", "best", "seconds", "steps", "sps", "seed", "state", "game", "sweep", "policy", "name", "rows"].includes(name)) return name;
  const known = new Set(runs.flatMap((run) => Object.keys(run.config)));
  return known.has(name) ? name : [...known].find((key) => lastPart(key) === name) ?? null;
}
