// test_modules.c - games loaded at run time: each module has the trajectory of the built-in game.
//
//   test_modules game.so ...
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
  void* module = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (!CHECK(module != NULL)) {
    fprintf(stderr, "  %s\n", dlerror());
    return;
  }
  const PfcEnvSpec* spec = dlsym(module, "pfc_env_module");
  if (CHECK(spec && pfc_env_validate(spec) == PFC_OK)) {
    const bool is_duel = strcmp(spec->name, pfc_env_duel.name) == 0;
    const PfcEnvSpec* built_in = is_duel ? &pfc_env_duel : pfc_env_find(spec->name);
    CHECK_GAME(spec->name, built_in && built_in != spec);
    if (built_in) CHECK_GAME(spec->name, hash_of(spec) == hash_of(built_in));
  }
  dlclose(module);
}

int main(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) test_module(argv[i]);
  return check_report();
}
