// test_observations.c - where observations are written: alternating buffers, or the caller's array.
#include "duel.h"

enum { GAMES = 64, STEPS = 60, GUARD = 64 };

// Observations stay valid for one more step.
static void test_alternation(const Case* c) {
  PfcPoolDesc desc = case_desc(c, GAMES, 2);
  desc.num_groups = 2;
  Player p = player_start(&desc);
  const uint64_t bytes = obs_total_bytes(p.b);
  unsigned char* copy = malloc(bytes);
  for (int32_t t = 0; t < STEPS; ++t) {
    const void* before = p.b->observations;
    memcpy(copy, before, bytes);
    player_step(&p);
    CHECK_GAME(c->label, p.b->observations != before);
    CHECK_GAME(c->label, memcmp(before, copy, bytes) == 0);
    CHECK_GAME(c->label, pfc_pool_group_observations(p.pool, 0) == p.b->observations);
    CHECK_GAME(c->label, pfc_pool_group_observations(p.pool, 1) == obs_row(p.b->observations, p.b, p.b->rows / 2));
  }
  free(copy);
  player_close(&p);
}

// Row t + 1 of a rollout array [T + 1, rows, obs] gets the same values as the pool's own buffer. No other
// byte changes.
static void test_rollout(const Case* c) {
  PfcPoolDesc desc = case_desc(c, GAMES, 2);
  Player own = player_start(&desc);
  desc.num_groups = 4;
  desc.num_threads = 3;
  Player p = player_open(&desc);
  const uint64_t bytes = obs_total_bytes(p.b);
  unsigned char* rollout = malloc(GUARD + (STEPS + 1) * bytes + GUARD);
  memset(rollout, 0xa5, GUARD + (STEPS + 1) * bytes + GUARD);
  unsigned char* first = rollout + GUARD;
  const PfcResetDesc reset = {.observations = first};
  CHECK_GAME(c->label, pfc_pool_reset(p.pool, &reset) == PFC_OK);
  CHECK_GAME(c->label, memcmp(first, own.b->observations, bytes) == 0);
  for (uint64_t t = 1; t <= STEPS; ++t) {
    player_step(&own);
    player_step_into(&p, first + t * bytes);
    CHECK_GAME(c->label, p.b->observations == first + t * bytes);
    CHECK_GAME(c->label, memcmp(first + t * bytes, own.b->observations, bytes) == 0);
    if (t < STEPS) CHECK_GAME(c->label, first[(t + 1) * bytes] == 0xa5);
  }
  for (int32_t i = 0; i < GUARD; ++i)
    CHECK_GAME(c->label, rollout[i] == 0xa5 && first[(STEPS + 1) * bytes + (uint64_t)i] == 0xa5);
  free(rollout);
  player_close(&own), player_close(&p);
}

// The same for groups: each group writes its own part.
static void test_group_arrays(const Case* c) {
  PfcPoolDesc desc = case_desc(c, GAMES, 6);
  Player own = player_start(&desc);
  desc.num_groups = 2;
  desc.num_threads = 2;
  Player p = player_start(&desc);
  const uint64_t half = obs_total_bytes(p.b) / 2, half_actions = (uint64_t)(p.b->rows / 2 * p.b->action_dims) * 4;
  unsigned char* arrays[2] = {malloc(half), malloc(half)};
  for (int32_t t = 0; t < STEPS; ++t) {
    player_step(&own);
    for (int32_t i = 0; i < 2; ++i) {
      const int32_t g = (i + t) % 2;
      const unsigned char* actions = (unsigned char*)own.actions + (uint64_t)g * half_actions;
      CHECK_GAME(c->label, pfc_pool_send(p.pool, g, actions, action_dtype(p.b), t % 3 ? arrays[g] : NULL) == PFC_OK);
    }
    for (int32_t g = 0; g < 2; ++g) {
      CHECK_GAME(c->label, pfc_pool_recv(p.pool, g) == PFC_OK);
      const void* seen = pfc_pool_group_observations(p.pool, g);
      if (t % 3) CHECK_GAME(c->label, seen == arrays[g]);
      CHECK_GAME(c->label, memcmp(seen, (const unsigned char*)own.b->observations + (uint64_t)g * half, half) == 0);
    }
    CHECK_GAME(c->label, pfc_pool_ended(p.pool, -1) == pfc_pool_ended(own.pool, -1));
    CHECK_GAME(c->label, pfc_pool_ended(p.pool, 0) + pfc_pool_ended(p.pool, 1) == pfc_pool_ended(p.pool, -1));
  }
  free(arrays[0]), free(arrays[1]);
  player_close(&own), player_close(&p);
}

// If one group is a step ahead, on the other buffer, a call for all groups writes one array again.
static void test_group_ahead(const Case* c) {
  PfcPoolDesc desc = case_desc(c, GAMES, 6);
  Player own = player_start(&desc);
  desc.num_groups = 2;
  Player p = player_start(&desc);
  const PfcResetDesc reset = {.has_seed = 1, .seed = 9};
  fill_actions(p.b, 1, 0, p.actions);
  CHECK_GAME(c->label, pfc_pool_send(p.pool, 0, p.actions, action_dtype(p.b), NULL) == PFC_OK);
  CHECK_GAME(c->label, pfc_pool_recv(p.pool, 0) == PFC_OK);
  CHECK_GAME(c->label, pfc_pool_reset(p.pool, &reset) == PFC_OK && pfc_pool_reset(own.pool, &reset) == PFC_OK);
  for (int32_t t = 0; t < 3; ++t) {
    CHECK_GAME(c->label, memcmp(p.b->observations, own.b->observations, obs_total_bytes(p.b)) == 0);
    player_step(&own), player_step(&p);
  }
  player_close(&own), player_close(&p);
}

int main(void) {
  for_each_case(test_alternation);
  for_each_case(test_rollout);
  for_each_case(test_group_arrays);
  for_each_case(test_group_ahead);
  for_each_duel_case(test_alternation);
  for_each_duel_case(test_rollout);
  for_each_duel_case(test_group_arrays);
  for_each_duel_case(test_group_ahead);
  return check_report();
}
