// play.js - plays the recorded trajectories of one game in a WebAssembly module under Node.
//
//   node play.js ENGINE.js MODULE.wasm GAME VERSION RECORDS.txt
//
// Prints one line per record of this version, like play.c: GAME got HASH expected HASH.
"use strict";
const fs = require("fs");
const path = require("path");
const [enginePath, modulePath, game, version, records] = process.argv.slice(2);
const { Engine, parseRecord } = require(path.resolve(enginePath));

async function main() {
  const engine = await Engine.load(fs.readFileSync(modulePath));
  for (const line of fs.readFileSync(records, "utf8").split("\n")) {
    if (!line.trim() || line.startsWith("#")) continue;
    const record = parseRecord(line);
    if (record.version === Number(version)) console.log(`${game} got ${engine.hash(record)} expected ${record.hash}`);
  }
}

main().catch((error) => {
  console.error(String(error));
  process.exit(1);
});
