// step.c - steps, resets and observes a block of games of a pool, by the source of step.h.
#include "pufferc/env.h"

typedef PfcEnvSpec PfcCalls;

#include "pool/crash.h"
#include "pool/pool.h"
#include "pool/step.h"

void pfc_pool_reset_game(PfcPool* pool, int32_t game, const PfcResetDesc* desc) {
  pfc_enter_game();
  pfc_reset_rows(&pool->games, pool->spec, game, desc);
  pfc_in_game = 0;
}

void pfc_pool_observe_games(PfcPool* pool, int32_t begin, int32_t end, unsigned char* target) {
  uint8_t legal[PFC_MAX_CHOICES];
  pfc_enter_game();
  pfc_observe_games(&pool->games, pool->spec, begin, end, target, legal);
  pfc_in_game = 0;
}

int32_t pfc_pool_step_games(PfcPool* pool, int32_t begin, int32_t end, unsigned char* target) {
  pfc_enter_game();
  const int32_t ended = pfc_step_games(&pool->games, pool->spec, begin, end);
  pfc_pool_observe_games(pool, begin, end, target);
  return ended;
}
