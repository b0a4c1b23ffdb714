// test_golden.c - the trajectory of every game, pinned in tests/golden/<game>.txt.
//
// A line of such a file is one recorded trajectory:
//
//   version games steps seed hash [parameter=value ...]
//
// Lines of other versions are ignored. Every line of the current version must hold for 1, 2 and 7
// threads, for one group and two, and for step as well as send and recv.
//
//   test_golden FOLDER           checks
//   test_golden FOLDER --print   prints the current lines. To accept a change of rules, raise the game's
//                                version, run this, and copy the new lines into the file.
#include "duel.h"

enum { MAX_GAMES = 1024, LINE_BYTES = 512 };

typedef struct Record {
  int32_t version, games, steps;
  unsigned long long seed, hash;
  Case run;
  char text[LINE_BYTES];  // storage of the parameter names
} Record;

// Parses "name=value name=value" in place.
static bool parse_params(char* text, Case* c) {
  for (char* word = strtok(text, " \n"); word; word = strtok(NULL, " \n")) {
    char* equals = strchr(word, '=');
    if (!equals || c->num_params == CASE_MAX_PARAMS) return false;
    *equals = 0;
    c->params[c->num_params].name = word;
    c->params[c->num_params++].value = strtod(equals + 1, NULL);
  }
  return true;
}

static bool parse_record(const char* line, const char* game, Record* r) {
  int used = 0;
  memset(r, 0, sizeof *r);
  r->run.game = r->run.label = game;
  if (sscanf(line, "%d %d %d %llu %llx%n", &r->version, &r->games, &r->steps, &r->seed, &r->hash, &used) != 5)
    return false;
  snprintf(r->text, sizeof r->text, "%s", line + used);
  return r->games >= 2 && r->games <= MAX_GAMES && r->games % 2 == 0 && parse_params(r->text, &r->run);
}

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

static uint64_t trajectory(const Record* r, int32_t threads, int32_t groups, bool async) {
  PfcPoolDesc desc = case_desc(&r->run, r->games, r->seed);
  desc.num_threads = threads;
  desc.num_groups = groups;
  Player p = player_start(&desc);
  uint64_t hashes[MAX_GAMES] = {0};
  for (int32_t game = 0; game < r->games; ++game)
    hashes[game] = hash_game((uint64_t)game, p.b, p.b->observations, game);
  for (int32_t t = 0; t < r->steps + async; ++t) {  // a group's step t is hashed when step t + 1 begins
    if (async) {
      step_groups(&p, hashes);
      continue;
    }
    player_step(&p);
    for (int32_t game = 0; game < r->games; ++game)
      hashes[game] = hash_game(hashes[game], p.b, p.b->observations, game);
  }
  player_close(&p);
  return combine_hashes(hashes, r->games);
}

static void check_record(const Record* r) {
  static const int32_t threads[] = {1, 2, 7};
  for (size_t i = 0; i < sizeof threads / sizeof threads[0]; ++i) {
    for (int32_t groups = 1; groups <= 2; ++groups) {
      for (int async = 0; async <= 1; ++async) {
        const unsigned long long hash = trajectory(r, threads[i], groups, async != 0);
        if (CHECK_GAME(r->run.game, hash == r->hash)) continue;
        fprintf(stderr, "  seed %llu, %d threads, %d groups, %s: got %016llx, expected %016llx\n", r->seed, threads[i],
                groups, async ? "sent" : "stepped", hash, r->hash);
      }
    }
  }
}

static void print_record(const Record* r) {
  const unsigned long long hash = trajectory(r, 1, 1, false);
  printf("%d %d %d %llu %016llx", r->version, r->games, r->steps, r->seed, hash);
  for (int32_t i = 0; i < r->run.num_params; ++i) printf(" %s=%.9g", r->run.params[i].name, r->run.params[i].value);
  printf("\n");
}

static void do_game(const PfcEnvSpec* spec, const char* folder, bool print) {
  char path[4096], line[LINE_BYTES];
  snprintf(path, sizeof path, "%s/%s.txt", folder, spec->name);
  FILE* file = fopen(path, "r");
  if (!CHECK_GAME(spec->name, file != NULL)) return;
  int32_t records = 0;
  if (print) printf("# %s\n", path);
  while (fgets(line, sizeof line, file)) {
    Record r;
    if (line[0] == '#' || line[0] == '\n') continue;
    if (!CHECK_GAME(spec->name, parse_record(line, spec->name, &r))) continue;
    if (print) r.version = spec->version;
    if (r.version != spec->version) continue;
    records += 1;
    if (print) print_record(&r);
    else check_record(&r);
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
