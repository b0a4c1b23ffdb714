// play.c - plays the recorded trajectories of every registered game in this place: this compiler, its flags and this
// processor. places.py compares the places.
//
//   everywhere FOLDER     FOLDER is tests/golden. Prints one line per record: GAME got HASH expected HASH
//
// Exit code 1 if a hash differs or a game has no record.
#include <inttypes.h>

#include "conformance/trajectory.h"
#include "record.h"

static bool play(const Record* r, const PfcEnvSpec* spec, uint64_t* hash) {
  static uint64_t hashes[RECORD_MAX_GAMES];
  const PfcPoolDesc desc = record_desc(r, spec);
  PfcPool* pool = pfc_pool_create(&desc);
  if (!pool) return false;
  const PfcBuffers* b = pfc_pool_buffers(pool);
  void* actions = malloc((size_t)b->rows * (size_t)b->action_dims * 4);
  const PfcStatus status = actions ? hash_trajectory(pool, r->steps, actions, hashes, hash) : PFC_NO_MEMORY;
  free(actions);
  pfc_pool_destroy(pool);
  return status == PFC_OK;
}

// Returns the number of records that do not hold, at least 1 in a game without records.
static int32_t play_game(const PfcEnvSpec* spec, const char* folder) {
  char path[4096], line[RECORD_LINE_BYTES];
  int32_t records = 0, wrong = 0;
  snprintf(path, sizeof path, "%s/%s.txt", folder, spec->name);
  FILE* file = fopen(path, "r");
  while (file && fgets(line, sizeof line, file)) {
    Record r;
    uint64_t hash = 0;
    if (!line_is_record(line)) continue;
    const bool parsed = parse_record(line, &r);
    if (parsed && r.version != spec->version) continue;
    if (!parsed || !play(&r, spec, &hash)) fprintf(stderr, "%s: cannot play: %s%s\n", path, line, pfc_last_error());
    printf("%s got %016" PRIx64 " expected %016llx\n", spec->name, hash, r.hash);
    records += 1;
    wrong += hash != r.hash;
  }
  if (file) fclose(file);
  if (records == 0) fprintf(stderr, "%s: no record of version %d\n", path, spec->version);
  return records ? wrong : 1;
}

int main(int argc, char** argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: everywhere FOLDER\n");
    return 2;
  }
  int32_t wrong = 0;
  for (int32_t i = 0; i < pfc_env_count(); ++i) wrong += play_game(pfc_env_at(i), argv[1]);
  return wrong ? 1 : 0;
}
