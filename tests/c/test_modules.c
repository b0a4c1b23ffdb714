// test_modules.c - games loaded at run time: each module has the trajectory of the built-in game.
//
//   test_modules game.so ...
#define _GNU_SOURCE
#include <dlfcn.h>

#include "duel.h"

enum { GAMES = 4, STEPS = 300 };

static uint64_t hash_of(const PfcEnvSpec* spec) {
  const PfcPoolDesc desc = {.spec = spec, .num_games = GAMES, .num_threads = 2, .seed = 12};
  Player p = player_start(&desc);
  const uint64_t hash = play_and_hash(&p, spec->respawn ? STEPS / 10 : STEPS);
  player_close(&p);
  return hash;
}

static void test_module(const char* path) {
  const PfcEnvSpec* spec = pfc_env_load(path);
  if (!CHECK(spec != NULL)) {
    fprintf(stderr, "  %s\n", pfc_last_error());
    return;
  }
  const bool is_duel = strcmp(spec->name, pfc_env_duel.name) == 0;
  const PfcEnvSpec* built_in = is_duel ? &pfc_env_duel : pfc_env_find(spec->name);
  CHECK_GAME(spec->name, built_in && built_in != spec);
  if (built_in) CHECK_GAME(spec->name, hash_of(spec) == hash_of(built_in));
}

static bool refused(const char* path, const char* words) {
  return pfc_env_load(path) == NULL && pfc_last_status() == PFC_INVALID && strstr(pfc_last_error(), words) != NULL;
}

static void test_refusals(const char* program) {
  CHECK(refused(NULL, "path: expected the path of a shared object such as ./mygame.so, got NULL"));
  CHECK(refused("mygame.so", "got mygame.so"));
  CHECK(refused("./absent.so", "path: ./absent.so cannot be loaded: "));
  CHECK(refused(program, program));  // not a shared object
#if defined(__linux__)
  Dl_info library;
  if (CHECK(dladdr((void*)(uintptr_t)printf, &library) != 0))
    CHECK(refused(library.dli_fname, "is not a game: it has no pfc_env_module"));
#endif
}

int main(int argc, char** argv) {
  test_refusals(argv[0]);
  for (int i = 1; i < argc; ++i) test_module(argv[i]);
  return check_report();
}
