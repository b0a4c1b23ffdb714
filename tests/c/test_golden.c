// test_golden.c - the trajectory of every game, pinned in tests/golden/<game>.txt.
//
// tests/everywhere/record.h describes the lines. Those of other versions are ignored. Every line of the current version
// must hold for 1, 2 and 7 threads, for one group and two, and for step as well as send and recv.
//
//   test_golden FOLDER           checks
//   test_golden FOLDER --print   prints the current lines. To accept a change of rules, raise the game's
//                                version, run this, and copy the new lines into the file.
#include "duel.h"
#include "../everywhere/record.h"

// Steps groups in a changing order; a group may be sent again before the other one is received.
static void step_groups(Player* p, uint64_t* hashes) {
  const int32_t groups = p->b->num_groups, games = p->b->num_games / groups;
  const uint64_t rows = (uint64_t)(p->b->rows / groups);
  for (int32_t i = 0; i < groups; ++i) {
    const int32_t g = (int32_t)((i + p->t) % groups);
    const int64_t first_row = g * (int64_t)rows;
    const unsigned char* actions = (unsigned char*)p->actions + first_row * p->b->action_dims * 4;
    if (p->t > 0) {
      CHECK_GAME(p->b->spec->name, pfc_pool_recv(p->pool, g) == PFC_OK);
      const unsigned char* row0 = (const unsigned char*)pfc_pool_group_observations(p->pool, g);
      for (int32_t k = 0; k < games; ++k) {
        const int32_t game = g * games + k;
        const uint64_t offset = (uint64_t)g * rows * p->b->obs_bytes;
        hashes[game] = hash_game(hashes[game], p->b, (const void*)((uintptr_t)row0 - offset), game);
      }
    }
    fill_row_actions(p->b, p->seed, p->t, first_row, first_row + (int64_t)rows, p->actions);
    CHECK_GAME(p->b->spec->name, pfc_pool_send(p->pool, g, actions, action_dtype(p->b), NULL) == PFC_OK);
  }
  p->t += 1;
}

static uint64_t trajectory(const Record* r, const PfcEnvSpec* spec, int32_t threads, int32_t groups, bool async) {
  PfcPoolDesc desc = record_desc(r, spec);
  desc.num_threads = threads;
  desc.num_groups = groups;
  Player p = player_open(&desc);
  uint64_t hashes[RECORD_MAX_GAMES], hash = 0;
  if (async) {
    CHECK_GAME(spec->name, pfc_pool_reset(p.pool, NULL) == PFC_OK);
    for (int32_t game = 0; game < r->games; ++game)
      hashes[game] = hash_game((uint64_t)game, p.b, p.b->observations, game);
    for (int32_t t = 0; t <= r->steps; ++t) step_groups(&p, hashes);  // step t is hashed when step t + 1 begins
    hash = combine_hashes(hashes, r->games);
  } else {
    CHECK_GAME(spec->name, hash_trajectory(p.pool, r->steps, p.actions, hashes, &hash) == PFC_OK);
  }
  player_close(&p);
  return hash;
}

static void check_record(const Record* r, const PfcEnvSpec* spec) {
  static const int32_t threads[] = {1, 2, 7};
  for (size_t i = 0; i < sizeof threads / sizeof threads[0]; ++i) {
    for (int32_t groups = 1; groups <= 2; ++groups) {
      for (int async = 0; async <= 1; ++async) {
        const unsigned long long hash = trajectory(r, spec, threads[i], groups, async != 0);
        if (CHECK_GAME(spec->name, hash == r->hash)) continue;
        fprintf(stderr, "  seed %llu, %d threads, %d groups, %s: got %016llx, expected %016llx\n", r->seed, threads[i],
                groups, async ? "sent" : "stepped", hash, r->hash);
      }
    }
  }
}

static void print_record(const Record* r, const PfcEnvSpec* spec) {
  const unsigned long long hash = trajectory(r, spec, 1, 1, false);
  printf("%d %d %d %llu %016llx", r->version, r->games, r->steps, r->seed, hash);
  for (int32_t i = 0; i < r->num_params; ++i) printf(" %s=%.9g", r->params[i].name, r->params[i].value);
  printf("\n");
}

static void do_game(const PfcEnvSpec* spec, const char* folder, bool print) {
  char path[4096], line[RECORD_LINE_BYTES];
  snprintf(path, sizeof path, "%s/%s.txt", folder, spec->name);
  FILE* file = fopen(path, "r");
  if (!CHECK_GAME(spec->name, file != NULL)) return;
  int32_t records = 0;
  if (print) printf("# %s\n", path);
  while (fgets(line, sizeof line, file)) {
    Record r;
    if (!line_is_record(line)) continue;
    if (!CHECK_GAME(spec->name, parse_record(line, &r))) continue;
    if (print) r.version = spec->version;
    if (r.version != spec->version) continue;
    records += 1;
    if (print) print_record(&r, spec);
    else check_record(&r, spec);
  }
  CHECK_GAME(spec->name, records > 0);  // this version of the game has a golden hash
  fclose(file);
}

int main(int argc, char** argv) {
  if (argc < 2) {
    fprintf(stderr, "usage: test_golden FOLDER [--print]\n");
    return 2;
  }
  const bool print = argc > 2 && strcmp(argv[2], "--print") == 0;
  for (int32_t i = 0; i < pfc_env_count(); ++i)
    if (game_is_selected(pfc_env_at(i)->name)) do_game(pfc_env_at(i), argv[1], print);
  linked_specs[0] = &pfc_env_duel;
  do_game(&pfc_env_duel, argv[1], print);  // a masked game: its hashes include the mask words
  return check_report();
}
