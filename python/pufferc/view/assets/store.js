// What the user chose. Every change draws the panels again, at most once per frame.

const store = {
  query: "", game: "", objective: OBJECTIVES[0], chosen: new Set(), brushes: new Map(), focus: null,
  sort: page.live ? { key: "started", down: true } : { key: "score", down: true },
  metrics: [], x: "steps", smoothing: 4, shown: 12, band: false, logarithmic: false, zoom: null, colours: new Map(),
};
const panels = []; // functions of a view, called in order
let waiting = false;

function changed() {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => {
    waiting = false;
    const view = makeView();
    for (const draw of panels) draw(view);
  });
}

// pool: runs of the query and game. passing: those that all brushes keep, in the table's order. shown: those with curves.
function makeView() {
  const test = parseQuery(store.query);
  const pool = runs.filter((run) => (!store.game || run.game === store.game) && test.accepts(run));
  const kept = new Set(pool.filter((run) => [...store.brushes.values()].every((brush) => brush.accepts(run))));
  const passing = sorted([...kept]);
  const chosen = passing.filter((run) => store.chosen.has(run.id));
  const shown = (chosen.length ? chosen : passing).slice(0, store.shown);
  store.colours = new Map(shown.map((run, i) => [run.id, lineColour(i, shown, run)]));
  const settings = differing(pool);
  return { pool, kept, passing, chosen, shown, settings, complaint: test.complaint };
}

function sorted(list) {
  const { key, down } = store.sort, sign = down ? -1 : 1;
  const compare = (a, b) => (typeof a === "number" && typeof b === "number" ? a - b : String(a) < String(b) ? -1 : 1);
  return list.map((run) => [valueOf(run, key), run]).sort(([a, p], [b, q]) => {
    if (a === null || b === null) return (a === null) - (b === null) || p.id - q.id; // without a value: last
    return a === b ? p.id - q.id : sign * compare(a, b);
  }).map(([, run]) => run);
}
