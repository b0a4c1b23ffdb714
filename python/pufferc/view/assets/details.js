// One run: how it ended, its film, its settings and its machine.

function facts(title, entries) {
  return element("div", {}, element("h3", {}, title), element("dl", {}, ...entries.map(([key, value]) =>
    element("div", {}, element("dt", {}, key), element("dd", {}, asText(value))))));
}

function filmOf(run) {
  const source = page.live ? `/film/${run.id}` : page.films[run.id];
  if (!run.film) return element("p", { className: "note" }, "No film. To make one: pufferc eval GAME --checkpoint RUN --record RUN/film.mp4");
  if (!source) return element("p", { className: "note" }, `Its film ${run.film} is too large for this page; it is in ${run.path}`);
  if (/\.(mp4|webm)$/i.test(run.film)) return element("video", { className: "film", src: source, controls: true, loop: true, muted: true });
  return element("img", { className: "film", src: source, alt: `Film of ${run.name}` });
}

// Only a change is drawn, so that a film plays on.
let drawnRun = "";
addPanel("#details", (view) => {
  const run = runs[store.focus] ?? view.shown[0] ?? view.passing[0];
  find("#details").hidden = run === undefined;
  if (!run || drawnRun === JSON.stringify(run)) return;
  drawnRun = JSON.stringify(run);
  find("#details h2").textContent = `Run ${run.name}`;
  const score = (value) => (value ? `${scoreText({ score: value })} over ${value.episodes} episodes (${value.source})` : "–");
  const result = [
    ["state", run.state], ["score", score(run.score)], ["best", score(run.best)], ["time", duration(run.seconds)],
    ["steps", short(run.steps)], ["steps/s", short(run.sps)], ["started", moment(run.started)], ["folder", run.path],
    ...(run.sweep ? [["sweep", run.sweep]] : []), ...(run.group ? [["group of seeds", run.group]] : []),
  ];
  find("#details .content").replaceChildren(
    ...(run.problem ? [element("pre", { className: "bad" }, run.problem)] : []),
    element("div", { className: "columns" }, facts("Result", result), ...(Object.keys(run.machine).length ? [facts("System", Object.entries(run.machine))] : []),
      element("div", {}, element("h3", {}, "Film"), filmOf(run))),
    facts("Settings", Object.entries(run.config)),
  );
  find("#details .content > div:last-child dl").classList.add("columns");
});
