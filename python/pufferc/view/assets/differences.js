// What differs between the chosen runs: settings, then machine and versions.

const MAX_COMPARED = 12;

addPanel("#differences", (view) => {
  const list = view.chosen.slice(0, MAX_COMPARED), section = find("#differences");
  section.hidden = list.length < 2;
  if (section.hidden) return;
  const parts = [["config", ["game"]], ["machine", ["started"]]].map(([part, ignored]) => [part, differing(list, { part, ignored, absent: true })]);
  const rows = parts.flatMap(([part, keys]) => keys.map((key) => [key, list.map((run) => asText(run[part][key]))]));
  find("#differences .note").textContent = rows.length
    ? view.chosen.length > list.length ? `The first ${list.length} of ${view.chosen.length} chosen runs.` : ""
    : "Their settings, machines and versions are equal.";
  find("#differences thead").replaceChildren(element("tr", {}, element("th", {}), ...list.map((run) =>
    element("th", { title: run.path }, element("span", { className: "swatch", "--swatch": store.colours.get(run.id) ?? "transparent" }), ` ${run.name}`))));
  const results = [["score", list.map(scoreText)], ["time", list.map((run) => duration(run.seconds))], ["steps", list.map((run) => short(run.steps))]];
  find("#differences tbody").replaceChildren(...[...results, ...rows].map(([key, texts]) =>
    element("tr", {}, element("th", { className: "text", scope: "row" }, key), ...texts.map((text) => element("td", {}, text)))));
}, { always: true });
