// Updates from the server, once a second: changed runs, and the new lines of the curves that are shown.

const EVERY_MS = 1000;
const live = { version: page.version, asked: new Set(), stale: new Set() };
const whole = { config: {}, machine: {} };

async function get(path) {
  const answer = await fetch(path, { cache: "no-store" });
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return answer.json();
}

function status(text, kind = "") {
  const line = find("#status");
  line.textContent = text;
  line.className = kind;
}

async function requestCurves(run) {
  if (live.asked.has(run.id)) return;
  live.asked.add(run.id);
  live.stale.delete(run.id);
  const known = loaded.get(run.id);
  try {
    const sent = await get(`/curves?run=${run.id}&from=${known?.n ?? 0}&generation=${known?.generation ?? 0}`);
    if (sent.n || !known || sent.generation !== known.generation) {
      appendCurves(run, sent);
      changed();
    }
  } catch {
    live.stale.add(run.id); // the next update tries again
  } finally {
    live.asked.delete(run.id);
  }
}

async function update() {
  try {
    const sent = await get(`/changes?since=${live.version}`);
    live.version = sent.version;
    for (const record of sent.runs) {
      addRun(record, whole);
      if (loaded.has(record.id)) live.stale.add(record.id);
    }
    if (sent.runs.length) { store.records += 1; updateGames(); changed(); }
    for (const id of [...live.stale]) if (store.colours.has(id) || store.band || !loaded.has(id)) requestCurves(runs[id]);
    status("live", "live");
  } catch {
    status("the server has ended; this is its last state", "lost");
  }
  setTimeout(update, EVERY_MS);
}
