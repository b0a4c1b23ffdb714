// The runs of the page, and the values of their fields: results, facts, settings.

const page = JSON.parse(find("#data").textContent);
const runs = [];

// Settings that do not change what is learned, and the game, which has a column of its own.
const IGNORED = ["game", "train.seed", "train.threads", "vec.num_threads", "train.loggers", "train.evaluation_interval_s",
  "train.checkpoint_interval_s", "train.keep_checkpoints"];

// A record of the page itself leaves out what all runs share; one of an update is whole.
function addRun(record, shared) {
  const run = { ...record, config: { ...shared.config, ...record.config }, machine: { ...shared.machine, ...record.machine } };
  const settings = Object.entries(run.config).filter(([key]) => key === "game" || !IGNORED.includes(key));
  run.settings = JSON.stringify(settings.sort()); // equal in runs that differ in their seeds only
  runs[run.id] = run;
  return run;
}
page.runs.forEach((record) => addRun(record, page.common));

const RESULTS = {
  score: (run) => (run.score ? run.score.value : null),
  best: (run) => (run.best ? run.best.value : null),
};

function valueOf(run, field) {
  if (field in RESULTS) return RESULTS[field](run);
  if (field.includes(".")) return run.config[field] ?? null;
  return run[field] ?? null;
}

const asText = (value) => (value === null || value === undefined ? "–" : typeof value === "string" ? value
  : typeof value === "number" ? short(value) : JSON.stringify(value));

// The settings or facts that have different values among some runs; with `absent`, also those that some runs lack.
function differing(list, { part = "config", ignored = IGNORED, absent = false } = {}) {
  const seen = new Map();
  for (const run of list) {
    for (const [key, value] of Object.entries(run[part])) {
      const text = JSON.stringify(value), known = seen.get(key);
      if (known === undefined) seen.set(key, { text, count: 1, differs: false });
      else { known.count += 1; known.differs ||= known.text !== text; }
    }
  }
  const differs = (known) => known.differs || (absent && known.count < list.length);
  return [...seen].filter(([key, known]) => !ignored.includes(key) && differs(known)).map(([key]) => key);
}

// What a search optimises: the name, where its value is, and whether less is better.
const OBJECTIVES = [
  { key: "score", label: "score" },
  { key: "seconds", label: "seconds to the end or target", less: true },
  { key: "steps", label: "steps to the end or target", less: true },
  { key: "sps", label: "steps per second" },
];

// Of runs with a target only those that reached it have a time to it.
function objectiveOf(run, objective) {
  const value = valueOf(run, objective.key);
  const ended = ["complete", "target"].includes(run.state);
  if (objective.less && (!ended || (run.config["train.target_score"] != null && run.state !== "target"))) return null;
  return value;
}
