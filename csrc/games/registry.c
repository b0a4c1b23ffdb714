// registry.c - the one list of built-in games.
#include "pufferc/pufferc.h"

#include <string.h>

#include "core/base.h"
#include "games/registry.h"

// games.inc lists the built-in games in ascending order as PFC_GAME(name), and the games that this build lacks as
// PFC_LEFT_OUT(name). CMake writes it from the lists in csrc/CMakeLists.txt.
#define PFC_LEFT_OUT(id)
#define PFC_GAME(id) extern const PfcEnvSpec pfc_env_##id;
#include "games.inc"
#undef PFC_GAME

#define PFC_GAME(id) &pfc_env_##id,
static const PfcEnvSpec* const games[] = {
#include "games.inc"
};
#undef PFC_GAME
#undef PFC_LEFT_OUT

#define PFC_GAME(id)
#define PFC_LEFT_OUT(id) #id,
static const char* const left_out[] = {
#include "games.inc"
    NULL};
#undef PFC_GAME
#undef PFC_LEFT_OUT

enum { NUM_GAMES = sizeof games / sizeof games[0] };

int32_t pfc_env_count(void) { return NUM_GAMES; }

const PfcEnvSpec* pfc_env_at(int32_t index) { return index >= 0 && index < NUM_GAMES ? games[index] : NULL; }

const char* const* pfc_games_left_out(void) { return left_out; }

const PfcEnvSpec* pfc_env_find(const char* name) {
  if (!name) {
    (void)pfc_fail(PFC_INVALID, "env: expected the name of a game, got NULL");
    return NULL;
  }
  const char* names[NUM_GAMES];
  for (int32_t i = 0; i < NUM_GAMES; ++i) {
    if (strcmp(games[i]->name, name) == 0) return games[i];
    names[i] = games[i]->name;
  }
  for (int32_t i = 0; left_out[i]; ++i) {
    if (strcmp(left_out[i], name) != 0) continue;
    (void)pfc_fail(PFC_UNSUPPORTED, "env: this build does not have %s: " PFC_LEFT_OUT_WHY, name);
    return NULL;
  }
  const char* near = pfc_nearest(name, names, NUM_GAMES);
  (void)pfc_fail(PFC_INVALID,
                 near ? "env: no game named \"%.64s\"; did you mean \"%s\"?" : "env: no game named \"%.64s\"", name,
                 near);
  return NULL;
}
