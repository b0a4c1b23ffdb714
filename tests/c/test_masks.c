// test_masks.c - masks: the pool's words against the bytes of the game's mask function, and refused actions.
#include "duel.h"
#include "pool/pool.h"
#include "test_games.h"

enum { GAMES = 20, STEPS = 250, MAX_CHOICES = 8192 };

// Counts of the kinds of masks seen, so that a test can check that all of them occurred.
typedef struct Seen {
  int64_t forced, dead, open, beyond_first_word;
} Seen;

static int32_t legal_in(const uint8_t* legal, int32_t count) {
  int32_t number = 0;
  for (int32_t k = 0; k < count; ++k) number += legal[k];
  return number;
}

// The expected bytes of a row: all 1 if it is out, else the result of the game's mask function.
static void expected_bytes(const Player* p, int64_t row, uint8_t* legal) {
  const PfcBuffers* b = p->b;
  memset(legal, b->alive[row] ? 0 : 1, (size_t)b->num_choices);
  if (!b->alive[row]) return;
  const int32_t game = (int32_t)(row / b->agents), agent = (int32_t)(row % b->agents);
  b->spec->mask(pfc_game_state(&p->pool->games, game), p->pool->games.params, agent, legal);
}

static bool row_fits(const Player* p, int64_t row, Seen* seen) {
  static uint8_t legal[MAX_CHOICES];
  const PfcBuffers* b = p->b;
  const uint32_t* words = b->action_mask + row * b->mask_words;
  bool fits = true, forced = b->alive[row] != 0;
  expected_bytes(p, row, legal);
  for (int32_t k = 0; k < 32 * b->mask_words; ++k) {
    const uint32_t expected = k < b->num_choices ? legal[k] : 0;  // bits from K on are 0
    fits = fits && (words[k / 32] >> (k % 32) & 1u) == expected;
    seen->beyond_first_word += k >= 32 && expected;
  }
  int32_t first = 0;
  for (int32_t d = 0; d < b->action_dims; ++d) {
    const int32_t number = legal_in(legal + first, b->action_counts[d]);
    fits = fits && number >= 1;
    forced = forced && number == 1;
    first += b->action_counts[d];
  }
  seen->forced += forced;
  seen->dead += !b->alive[row];
  seen->open += b->alive[row] && !forced;
  return fits && b->forced[row] == forced;
}

static bool masks_fit(const Player* p, Seen* seen) {
  bool fit = true;
  for (int64_t row = 0; row < p->b->rows && fit; ++row) {
    fit = row_fits(p, row, seen);
    if (!fit && check_failures_ < CHECK_MAX_PRINTED)
      fprintf(stderr, "  row %lld, step %lld\n", (long long)row, (long long)p->t);
  }
  return fit;
}

// ---- mask words --------------------------------------------------------------------------------------------

static void test_words(const Case* c) {
  PfcPoolDesc desc = case_desc(c, GAMES, 4);
  desc.num_threads = 2;
  Player p = player_start(&desc);
  if (p.b->mask_words > 0) {
    Seen seen = {0};
    CHECK_GAME(c->label, p.b->num_choices == 37 && p.b->mask_words == 2 && p.b->action_mask && p.b->forced);
    CHECK_GAME(c->label, masks_fit(&p, &seen));
    for (int32_t t = 0; t < STEPS; ++t) {
      player_step(&p);
      if (!CHECK_GAME(c->label, masks_fit(&p, &seen))) break;
    }
    CHECK_GAME(c->label, seen.forced > 0 && seen.open > 0 && seen.beyond_first_word > 0);
    CHECK_GAME(c->label, (seen.dead > 0) == (p.b->agents > 2 && !p.b->spec->respawn));
  }
  player_close(&p);
}

// With next-step autoreset an ended row has all choices for one step.
static void test_autoreset_next_step(const Case* c) {
  const Case limited = case_with(c, "max_steps", 40);
  PfcPoolDesc desc = case_desc(&limited, GAMES, 4);
  desc.autoreset = PFC_AUTORESET_NEXT_STEP;
  Player p = player_start(&desc);
  if (p.b->mask_words > 0) {
    Seen seen = {0};
    int64_t ended = 0;
    for (int32_t t = 0; t < 60; ++t) {
      player_step(&p);
      CHECK_GAME(c->label, masks_fit(&p, &seen));
      for (int64_t row = 0; row < p.b->rows; ++row) {
        ended += row_ended(p.b, row);
        CHECK_GAME(c->label, !row_ended(p.b, row) || !p.b->alive[row]);
      }
    }
    CHECK_GAME(c->label, ended > 0);
  }
  player_close(&p);
}

// Games and agents that wait for a reset accept any actions.
static void test_autoreset_disabled(const Case* c) {
  const Case limited = case_with(c, "max_steps", 40);
  PfcPoolDesc desc = case_desc(&limited, GAMES, 4);
  desc.autoreset = PFC_AUTORESET_DISABLED;
  Player p = player_start(&desc);
  if (p.b->mask_words > 0) {
    Seen seen = {0};
    for (int32_t t = 0; t < 60; ++t) {
      player_step(&p);
      CHECK_GAME(c->label, masks_fit(&p, &seen));
    }
    CHECK_GAME(c->label, seen.dead >= 20 * p.b->rows);
    int32_t* actions = p.actions;
    for (int64_t i = 0; i < 2 * p.b->rows; ++i) actions[i] = p.b->action_counts[i % 2] - 1;
    CHECK_GAME(c->label, pfc_pool_step(p.pool, actions, PFC_INT32, NULL) == PFC_OK);
  }
  player_close(&p);
}

// A reset of some games updates the masks of these games only.
static void test_partial_reset(const Case* c) {
  const PfcPoolDesc desc = case_desc(c, GAMES, 4);
  Player p = player_start(&desc);
  const size_t row_bytes = sizeof(uint32_t) * (size_t)p.b->mask_words;
  uint32_t* before = malloc((size_t)p.b->rows * row_bytes + 1);
  uint8_t* mask = calloc((size_t)p.b->rows, 1);
  Seen seen = {0};
  for (int64_t row = 0; row < p.b->rows / 2; ++row) mask[row] = row / p.b->agents % 3 == 0;
  if (p.b->spec->respawn) mask[p.b->rows - 1] = 1;  // one agent of a game
  for (int32_t t = 0; t < 30 && p.b->mask_words > 0; ++t) {
    player_step(&p);
    memcpy(before, p.b->action_mask, (size_t)p.b->rows * row_bytes);
    CHECK_GAME(c->label, pfc_pool_reset(p.pool, &(PfcResetDesc){.mask = mask}) == PFC_OK);
    CHECK_GAME(c->label, masks_fit(&p, &seen));
    const int64_t untouched = p.b->rows / 2, end = p.b->rows - p.b->agents;
    CHECK_GAME(c->label, memcmp(before + untouched * p.b->mask_words, p.b->action_mask + untouched * p.b->mask_words,
                                (size_t)(end - untouched) * row_bytes) == 0);
  }
  free(before), free(mask);
  player_close(&p);
}

static void test_threads(const Case* c) {
  static const int32_t threads[] = {2, 7};
  PfcPoolDesc desc = case_desc(c, 100, 4);
  Player model = player_start(&desc), others[2];
  const size_t bytes = sizeof(uint32_t) * (size_t)(model.b->rows * model.b->mask_words), rows = (size_t)model.b->rows;
  for (int32_t i = 0; i < 2; ++i) {
    desc.num_threads = threads[i];
    desc.num_groups = 1 + i;
    others[i] = player_start(&desc);
  }
  for (int32_t t = 0; t < STEPS && bytes > 0; ++t) {
    player_step(&model);
    for (int32_t i = 0; i < 2; ++i) {
      player_step(&others[i]);
      CHECK_GAME(c->label, memcmp(model.b->action_mask, others[i].b->action_mask, bytes) == 0);
      CHECK_GAME(c->label, memcmp(model.b->forced, others[i].b->forced, rows) == 0);
    }
  }
  player_close(&model), player_close(&others[0]), player_close(&others[1]);
}

// Snapshots contain no masks; load computes them, also in a pool that was never reset.
static void test_snapshot(const Case* c) {
  PfcPoolDesc desc = case_desc(c, GAMES, 4);
  Player p = player_start(&desc);
  desc.num_threads = 3;
  desc.num_groups = 2;
  Player loaded = player_open(&desc);
  Seen seen = {0};
  for (int32_t t = 0; t < 100; ++t) player_step(&p);
  unsigned char* snapshot = take_snapshot(p.pool);
  CHECK_GAME(c->label, pfc_pool_load(loaded.pool, snapshot, pfc_pool_snapshot_bytes(p.pool), NULL) == PFC_OK);
  if (p.b->mask_words > 0) {
    const size_t words = (size_t)(p.b->rows * p.b->mask_words);
    CHECK_GAME(c->label, memcmp(p.b->action_mask, loaded.b->action_mask, sizeof(uint32_t) * words) == 0);
    CHECK_GAME(c->label, memcmp(p.b->forced, loaded.b->forced, (size_t)p.b->rows) == 0);
    CHECK_GAME(c->label, masks_fit(&loaded, &seen));
  }
  free(snapshot);
  player_close(&p), player_close(&loaded);
}

// ---- numbers of choices --------------------------------------------------------------------------------------

static int32_t mask_counts[2];  // for the game below

// Squad with other numbers of choices and a random mask, sometimes with a single legal choice.
static void mask_squad(const void* state, const void* params, int32_t agent, uint8_t* legal) {
  (void)params;
  uint64_t noise;
  memcpy(&noise, (const unsigned char*)state + pfc_env_squad.rng_offset, sizeof noise);
  noise = pfc_hash64(noise ^ (uint64_t)agent);
  int32_t first = 0;
  for (int32_t d = 0; d < 2; first += mask_counts[d], ++d) {
    for (int32_t k = 0; k < mask_counts[d] && noise % 4 != 0; ++k)
      legal[first + k] = pfc_hash64(noise + (uint64_t)k) & 1;
    legal[first + (int32_t)((noise >> 8) % (uint64_t)mask_counts[d])] = 1;
  }
}

static PfcEnvSpec masked_squad(int32_t first, int32_t second) {
  PfcEnvSpec spec = pfc_env_squad;
  spec.mask = mask_squad;
  spec.sizes.action_counts[0] = mask_counts[0] = first;
  spec.sizes.action_counts[1] = mask_counts[1] = second;
  return spec;
}

// Numbers of choices around the size of a word, and the maximum.
static void test_counts(void) {
  static const int32_t counts[][2] = {{1, 1}, {16, 15}, {16, 16}, {31, 2}, {32, 32}, {63, 2}, {1, 100}, {4095, 4097}};
  for (size_t i = 0; i < sizeof counts / sizeof counts[0]; ++i) {
    const PfcEnvSpec spec = masked_squad(counts[i][0], counts[i][1]);
    const PfcPoolDesc desc = {.spec = &spec, .num_games = 6, .num_threads = 2};
    Player p = player_start(&desc);
    Seen seen = {0};
    CHECK(p.b->num_choices == counts[i][0] + counts[i][1] && p.b->mask_words == (p.b->num_choices + 31) / 32);
    for (int32_t t = 0; t < 60; ++t) {
      player_step(&p);
      if (!CHECK(masks_fit(&p, &seen))) fprintf(stderr, "  %d and %d choices\n", counts[i][0], counts[i][1]);
    }
    CHECK(seen.forced > 0 && seen.dead > 0 && (seen.open > 0 || p.b->num_choices == 2));
    player_close(&p);
  }
  const PfcEnvSpec spec = masked_squad(4096, 4097);
  const PfcPoolDesc desc = {.spec = &spec, .num_games = 1};
  check_message(pfc_pool_create(&desc) == NULL,
                "squad: 8193 choices in all dimensions, expected at most 8192 in a masked game");
  CHECK(pfc_last_status() == PFC_INVALID);
  PfcEnvSpec unmasked = spec;
  unmasked.mask = NULL;
  const PfcPoolDesc other = {.spec = &unmasked, .num_games = 1};
  Player p = player_start(&other);  // the limit applies to masked games only
  CHECK(p.b->num_choices == 8193 && p.b->mask_words == 0);
  player_close(&p);
}

// ---- refused choices -----------------------------------------------------------------------------------------

typedef enum How { STEP, SEND } How;

static PfcStatus act(Player* p, How how, int32_t group, const void* actions, PfcDtype dtype) {
  if (how == STEP) return pfc_pool_step(p->pool, actions, dtype, NULL);
  const int64_t offset = (int64_t)group * p->b->rows / p->b->num_groups * p->b->action_dims;
  return pfc_pool_send(p->pool, group, (const unsigned char*)actions + offset * (dtype == PFC_INT64 ? 8 : 4), dtype,
                       NULL);
}

// Returns an illegal choice of a row in a dimension, or -1.
static int32_t illegal_choice(const PfcBuffers* b, int64_t row, int32_t dim) {
  for (int32_t k = 0; k < b->action_counts[dim]; ++k)
    if (!choice_is_legal(b, row, first_choice_of(b, dim) + k)) return k;
  return -1;
}

// In every row and dimension with an illegal choice: the message names it, and no game has moved.
static void check_refused(Player* p, How how, PfcDtype dtype) {
  const PfcBuffers* b = p->b;
  const int64_t values = b->rows * b->action_dims;
  int64_t* wide = malloc(sizeof *wide * (size_t)values);
  int32_t* narrow = p->actions;
  unsigned char* before = take_snapshot(p->pool);
  const void* observations = b->observations;
  int32_t refused = 0;
  fill_actions(b, 5, p->t, narrow);
  for (int64_t i = 0; i < values; ++i) {
    const int64_t row = i / b->action_dims;
    const int32_t dim = (int32_t)(i % b->action_dims), good = narrow[i], bad = illegal_choice(b, row, dim);
    if (bad < 0) continue;
    char words[128];
    snprintf(words, sizeof words, "actions: row %lld, dimension %d: choice %d is not legal now; see action_mask",
             (long long)row, dim, bad);
    narrow[i] = bad;
    for (int64_t k = 0; k < values; ++k) wide[k] = narrow[k];
    const int32_t group = (int32_t)(row / (b->rows / b->num_groups));
    check_message(act(p, how, group, dtype == PFC_INT64 ? (void*)wide : (void*)narrow, dtype) == PFC_INVALID, words);
    narrow[i] = good;
    ++refused;
  }
  unsigned char* after = take_snapshot(p->pool);
  CHECK(refused > 0 && memcmp(before, after, pfc_pool_snapshot_bytes(p->pool)) == 0 && b->observations == observations);
  CHECK(pfc_pool_recv(p->pool, 0) == PFC_STATE);  // a refused send does not count
  free(wide), free(before), free(after);
}

static void test_refused(void) {
  const PfcParamValue params[] = {{"players", 4}, {"height", 4}};
  PfcPoolDesc desc = {
      .spec = &pfc_env_duel, .num_games = 4, .num_groups = 2, .seed = 3, .params = params, .num_params = 2};
  Player p = player_start(&desc), model = player_start(&desc);
  for (int32_t t = 0; t < 40; ++t) {
    player_step(&p), player_step(&model);
    check_refused(&p, t % 2 ? STEP : SEND, t % 4 < 2 ? PFC_INT32 : PFC_INT64);
    CHECK(memcmp(p.b->action_mask, model.b->action_mask, sizeof(uint32_t) * (size_t)(p.b->rows * p.b->mask_words)) ==
          0);
  }
  CHECK(play_and_hash(&p, 100) == play_and_hash(&model, 100));
  player_close(&p), player_close(&model);
}

// The message names the first of several illegal choices. Numbers out of range get the same message as in any game.
// Rows that are out accept any number.
static void test_first_illegal_choice_is_named(void) {
  const PfcParamValue params[] = {{"players", 6}, {"charges", 9}, {"decay", 0}};
  const PfcPoolDesc desc = {.spec = &pfc_env_duel, .num_games = 4, .seed = 3, .params = params, .num_params = 3};
  Player p = player_start(&desc);
  int32_t* actions = p.actions;
  fill_actions(p.b, 5, 0, actions);
  for (int64_t row = 7; row < p.b->rows; ++row)
    if (p.b->forced[row]) actions[2 * row + 1] = 0;  // a waiting row: 33, nowhere, is its only legal place
  const int32_t named = p.b->forced[7] ? 7 : 8;
  char words[64];
  snprintf(words, sizeof words, "actions: row %d, dimension 1: choice 0 is not", named);
  check_message(pfc_pool_step(p.pool, actions, PFC_INT32, NULL) == PFC_INVALID, words);
  actions[2 * p.b->rows - 1] = 34;
  check_message(pfc_pool_step(p.pool, actions, PFC_INT32, NULL) == PFC_INVALID, "expected an integer in [0, 34)");
  int32_t dead = 0;
  for (int32_t t = 0; t < 200; ++t) {
    fill_actions(p.b, 5, t, actions);
    for (int64_t row = 0; row < p.b->rows; ++row) {
      if (p.b->alive[row]) continue;
      ++dead;
      actions[2 * row] = t % 3, actions[2 * row + 1] = t % 34;
    }
    CHECK(pfc_pool_step(p.pool, actions, PFC_INT32, NULL) == PFC_OK);
  }
  CHECK(dead > 100);
  player_close(&p);
}

// A game whose parameter switches masks off has no masks and refuses no choice.
static void test_switched_off(void) {
  const PfcParamValue off = {"masked", 0};
  const PfcPoolDesc desc = {.spec = &pfc_env_duel, .num_games = 4, .params = &off, .num_params = 1};
  Player p = player_start(&desc);
  CHECK(p.b->num_choices == 37 && p.b->mask_words == 0 && p.b->action_mask == NULL && p.b->forced == NULL);
  int32_t* actions = p.actions;
  for (int64_t i = 0; i < 2 * p.b->rows; ++i) actions[i] = p.b->action_counts[i % 2] - 1;
  CHECK(pfc_pool_step(p.pool, actions, PFC_INT32, NULL) == PFC_OK);
  player_close(&p);
}

int main(void) {
  for_each_duel_case(test_words);
  for_each_duel_case(test_autoreset_disabled);
  for_each_duel_case(test_autoreset_next_step);
  for_each_duel_case(test_partial_reset);
  for_each_duel_case(test_threads);
  for_each_duel_case(test_snapshot);
  test_counts();
  test_refused();
  test_first_illegal_choice_is_named();
  test_switched_off();
  return check_report();
}
