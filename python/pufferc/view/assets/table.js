// The table of runs. Only the rows in sight exist, so that thousands of runs scroll smoothly.

const ROW_PX = 28, SPARE_ROWS = 6;
const MAX_SETTINGS = 14; // columns of settings that differ
const COLUMNS = [
  { key: "name", title: "run", text: true, show: (run) => run.name },
  { key: "game", title: "game", text: true, show: (run) => run.game ?? "–" },
  { key: "state", title: "state", text: true, show: (run) => run.state },
  { key: "score", title: "score", show: scoreText },
  { key: "seconds", title: "time", show: (run) => duration(run.seconds) },
  { key: "steps", title: "steps", show: (run) => short(run.steps) },
  { key: "sps", title: "steps/s", show: (run) => short(run.sps) },
  { key: "seed", title: "seed", show: (run) => String(run.seed ?? "–") },
  { key: "policy", title: "policy", text: true, show: (run) => run.policy ?? "–" },
  { key: "started", title: "started", text: true, show: (run) => moment(run.started) },
];
const table = { body: find("#rows tbody"), head: find("#rows thead"), box: find("#rows"), view: null, columns: [], from: -1, last: null };

// As `pufferc runs` has it: with its interval from an evaluation, marked by "~" from training.
function scoreText(run) {
  if (!run.score) return "–";
  if (run.score.source === "training") return `~${short(run.score.value)}`;
  return short(run.score.value) + (run.score.ci95 === null ? "" : ` ± ${short(run.score.ci95)}`);
}

function drawTable(view) {
  const settings = view.settings.filter((key) => !["policy.kind", "policy.hidden_size"].includes(key)).slice(0, MAX_SETTINGS);
  const several = new Set(view.pool.map((run) => run.game)).size > 1;
  table.columns = [
    ...COLUMNS.filter(({ key }) => key !== "game" || several),
    ...settings.map((key) => ({ key, title: lastPart(key), show: (run) => asText(run.config[key]), setting: true })),
  ];
  table.view = view;
  table.head.replaceChildren(element("tr", {}, element("th", {}), ...table.columns.map(headCell)));
  find("#unchoose").hidden = store.chosen.size === 0;
  drawRows(true);
}

function headCell({ key, title, text }) {
  const sorts = store.sort.key === key;
  const button = element("button", { type: "button", title: key }, sorts ? `${title} ${store.sort.down ? "↓" : "↑"}` : title);
  button.addEventListener("click", () => {
    store.sort = { key, down: sorts ? !store.sort.down : !text };
    table.box.scrollTop = 0;
    changed();
  });
  const cell = element("th", { className: text ? "text" : "", scope: "col" }, button);
  if (sorts) cell.setAttribute("aria-sort", store.sort.down ? "descending" : "ascending");
  return cell;
}

function drawRows(force = false) {
  const { passing } = table.view;
  const inSight = Math.ceil(table.box.clientHeight / ROW_PX) + 2 * SPARE_ROWS;
  const from = Math.max(0, Math.min(passing.length - inSight, Math.floor(table.box.scrollTop / ROW_PX) - SPARE_ROWS));
  if (!force && from === table.from) return;
  table.from = from;
  const to = Math.min(passing.length, from + inSight);
  const gap = (rows) => element("tr", { ariaHidden: "true", "--rows": rows }, (() => {
    const cell = element("td", { colSpan: table.columns.length + 1 });
    cell.style.cssText = `height:${rows * ROW_PX}px;border:0;padding:0`;
    return cell;
  })());
  table.body.replaceChildren(
    ...(from > 0 ? [gap(from)] : []), ...passing.slice(from, to).map(bodyRow), ...(to < passing.length ? [gap(passing.length - to)] : []),
  );
}

function bodyRow(run) {
  const swatch = element("span", { className: "swatch", "--swatch": store.colours.get(run.id) ?? "transparent" });
  const cells = table.columns.map((column) => {
    const cell = element("td", { className: column.text ? "text" : "" });
    if (column.key === "name") {
      cell.classList.add("name");
      cell.append(element("button", { type: "button", title: run.path }, run.name));
    } else cell.textContent = column.show(run);
    if (column.key === "state") cell.classList.add(`state-${run.state}`);
    return cell;
  });
  const chosen = store.chosen.has(run.id);
  const row = element("tr", { className: chosen ? "chosen" : "", ariaSelected: String(chosen) },
    element("td", { className: "swatches" }, swatch), ...cells);
  row.dataset.run = run.id;
  return row;
}

// A row's click chooses it, with Shift all rows from the last click; a name's click shows the run.
table.body.addEventListener("click", (event) => {
  const row = event.target.closest("tr[data-run]");
  if (!row) return;
  const id = Number(row.dataset.run);
  if (event.target.closest("button")) {
    store.focus = id;
    changed();
    requestAnimationFrame(() => find("#details").scrollIntoView({ block: "start" }));
    return;
  }
  const order = table.view.passing.map((run) => run.id), here = order.indexOf(id), before = order.indexOf(table.last);
  if (event.shiftKey && before >= 0) {
    order.slice(Math.min(here, before), Math.max(here, before) + 1).forEach((each) => store.chosen.add(each));
  } else if (!store.chosen.delete(id)) store.chosen.add(id);
  table.last = id;
  changed();
});
table.box.addEventListener("scroll", () => requestAnimationFrame(() => drawRows()));
find("#unchoose").addEventListener("click", () => { store.chosen.clear(); changed(); });
addPanel("#runs", drawTable);
