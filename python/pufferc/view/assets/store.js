// What the user chose. Every change draws the panels again, at most once per frame.

const store = {
  query: "", game: "", objective: OBJECTIVES[0], chosen: new Set(), brushes: new Map(), focus: null,
  sort: page.live ? { key: "started", down: true } : { key: "score", down: true },
  metrics: [], x: "steps", smoothing: 4, shown: 12, band: false, logarithmic: false, zoom: null, colours: new Map(), records: 0, // how often records changed
};
const panels = []; // of the page's sections: {section, draw, drawn}
let view = null, waiting = false;

// `draw(view)` draws what is in a section. It is called when the section comes into sight; `always`: with every change.
function addPanel(selector, draw, { always = false } = {}) {
  panels.push({ section: find(selector), draw, always, drawn: null });
}

function changed() {
  view = null;
  drawLater();
}

function drawLater() {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => {
    waiting = false;
    view ??= makeView();
    const due = panels.filter((panel) => panel.drawn !== view && (panel.always || isNear(panel.section)));
    for (const panel of due) {
      panel.drawn = view;
      panel.draw(view);
    }
    if (due.length) drawLater(); // others may have come into sight
  });
}

// Whether a section is in sight, or nearly; a hidden one may have to be shown.
function isNear(section) {
  const { top, bottom } = section.getBoundingClientRect();
  return section.hidden || (bottom > -400 && top < innerHeight + 400);
}
addEventListener("scroll", drawLater, { passive: true });

// pool: runs of the query and game, and what follows from them; kept while only brushes and choices change.
let pooled = { key: null };
function poolOf() {
  const key = JSON.stringify([store.query, store.game, store.objective.key, store.records, isDark()]);
  if (pooled.key !== key) {
    const test = parseQuery(store.query);
    const pool = runs.filter((run) => (!store.game || run.game === store.game) && test.accepts(run));
    const settings = differing(pool);
    pooled = { key, pool, settings, ranked: rankedSettings(pool, settings), colour: objectiveColours(pool), complaint: test.complaint,
      scales: new Map() };
  }
  return pooled;
}

// kept, passing: the runs that all brushes keep, as a set and in the table's order. shown: those with curves.
function makeView() {
  const base = poolOf();
  const brushes = [...store.brushes.values()];
  const kept = new Set(base.pool.filter((run) => brushes.every((brush) => brush.accepts(run))));
  const passing = sorted([...kept]);
  const chosen = passing.filter((run) => store.chosen.has(run.id));
  const shown = (chosen.length ? chosen : passing).slice(0, store.shown);
  store.colours = new Map(shown.map((run, i) => [run.id, lineColour(i, shown, run)]));
  return { ...base, kept, passing, chosen, shown };
}

function sorted(list) {
  const { key, down } = store.sort, sign = down ? -1 : 1;
  const compare = (a, b) => (typeof a === "number" && typeof b === "number" ? a - b : String(a) < String(b) ? -1 : 1);
  return list.map((run) => [valueOf(run, key), run]).sort(([a, p], [b, q]) => {
    if (a === null || b === null) return (a === null) - (b === null) || p.id - q.id; // without a value: last
    return a === b ? p.id - q.id : sign * compare(a, b);
  }).map(([, run]) => run);
}
