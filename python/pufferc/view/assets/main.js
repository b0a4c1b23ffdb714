// Header, filters, theme, and the start.

function setTheme(dark) {
  document.documentElement.dataset.theme = dark ? "dark" : "light";
  find("#theme").textContent = dark ? "Light" : "Dark";
  drawnRun = "";
  changed();
}

function updateGames() {
  const games = [...new Set(runs.map((run) => run.game).filter(Boolean))].sort(), select = find("#game");
  if (select.options.length === games.length + 1) return;
  select.replaceChildren(element("option", { value: "" }, "all"), ...games.map((game) => element("option", { value: game }, game)));
  select.value = store.game;
  select.parentElement.hidden = games.length < 2;
}

addPanel("#filters", (view) => {
  find("#complaint").textContent = view.complaint;
  find("#count").textContent = `${view.passing.length} of ${runs.length} runs`;
  const buttons = [...store.brushes.values()].map((brush) => {
    const button = element("button", { type: "button", title: "Remove this brush" }, `${brush.label} ×`);
    button.addEventListener("click", () => { store.brushes.delete(brush.key); changed(); });
    return button;
  });
  find("#brushes").replaceChildren(...buttons);
}, { always: true });

function setUp() {
  const made = moment(page.made);
  find("#about").textContent = `${page.folders.join(", ")}${page.live ? "" : ` · made ${made}`} · pufferc ${page.pufferc}`;
  find("#query").addEventListener("input", (event) => { store.query = event.target.value; changed(); });
  find("#game").addEventListener("change", (event) => { store.game = event.target.value; changed(); });
  find("#objective").append(...OBJECTIVES.map(({ key, label }) => element("option", { value: key }, label)));
  find("#objective").addEventListener("change", (event) => {
    store.objective = OBJECTIVES.find(({ key }) => key === event.target.value);
    for (const [key, brush] of store.brushes) if (brush.ranges.some(({ field }) => field === OBJECTIVE)) store.brushes.delete(key);
    changed();
  });
  const preferred = matchMedia("(prefers-color-scheme: dark)");
  preferred.addEventListener("change", () => setTheme(preferred.matches));
  find("#theme").addEventListener("click", () => setTheme(!isDark()));
  let width = 0;
  new ResizeObserver(() => { if (document.body.clientWidth !== width) { width = document.body.clientWidth; changed(); } }).observe(document.body);
  setUpCurves();
  updateGames();
  setTheme(preferred.matches);
  if (page.live) update();
}

setUp();
