// compare.c - compares pairs of pools. The same seed must give the same game after any history, at any index of the
// batch, with any number of threads and after a snapshot. Other seeds and other actions should give another game.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conformance/run.h"

enum { MANY_GAMES = 96, THREADS = 4, MAX_CHOICES = 16, ACTION_STEPS = 96, MORE_ACTION_STEPS = 1500 };

// ---- comparing two pools -----------------------------------------------------------------------------------

static const uint32_t* mask_row(const PfcBuffers* b, int64_t row) {
  static const uint32_t none[1] = {0};
  return b->mask_words ? b->action_mask + row * b->mask_words : none;
}

// Describes in `words` a difference between row i of a and row k of b. Returns false if there is none.
static bool differs(const PfcBuffers* a, int64_t i, const PfcBuffers* b, int64_t k, char* words, size_t room) {
  const PfcDtype dtype = a->spec->obs_dtype;
  const unsigned char *first = obs_row(a->observations, a, i), *second = obs_row(b->observations, b, k);
  if (memcmp(&a->rewards[i], &b->rewards[k], sizeof(float)) != 0) {
    (void)snprintf(words, room, "the reward was %.9g in one and %.9g in the other", (double)a->rewards[i],
                   (double)b->rewards[k]);
  } else if (a->terminated[i] != b->terminated[k] || a->truncated[i] != b->truncated[k]) {
    (void)snprintf(words, room, "the episode ended in only one of them");
  } else if (a->alive[i] != b->alive[k]) {
    (void)snprintf(words, room, "the agent was alive in only one of them");
  } else if (memcmp(mask_row(a, i), mask_row(b, k), sizeof(uint32_t) * (size_t)a->mask_words) != 0) {
    (void)snprintf(words, room, "the legal choices differed");
  } else if (memcmp(first, second, a->obs_bytes) != 0) {
    int64_t at = 0;
    while (obs_value(dtype, first, at) == obs_value(dtype, second, at) && at < obs_values(a) - 1) ++at;
    (void)snprintf(words, room, "observation %s was %.9g in one and %.9g in the other",
                   obs_entry_name(a->obs_rows, a->num_obs_rows, at), obs_value(dtype, first, at),
                   obs_value(dtype, second, at));
  } else {
    return false;
  }
  return true;
}

// The two games that a code compares.
static const char* comparison_of(const char* code) {
  static const char* const comparisons[][2] = {
      {"seed_repeats", "two games with the same seed and actions differed"},
      {"reset_clears", "a game that was reset with a seed differed from a new one with that seed"},
      {"position", "a game in a batch differed from the same game by itself"},
      {"threads", "games with four threads differed from games with one"},
      {"snapshot", "a game that was saved and loaded differed from one that was not"},
      {"script_changes_game", "a game in which the built-in player was called differed from one in which it was not"},
  };
  for (size_t i = 0; i < sizeof comparisons / sizeof comparisons[0]; ++i)
    if (strcmp(comparisons[i][0], code) == 0) return comparisons[i][1];
  return "two games differed";
}

// Reports the first difference between games [a_first, a_first + games) of a and games [0, games) of b.
static bool compare(const PfcPlayer* a, const PfcPlayer* b, int32_t a_first, int32_t games, int64_t step,
                    const char* code) {
  const int64_t agents = a->b->agents;
  char words[160], seen[320];
  for (int64_t row = 0; row < games * agents; ++row) {
    if (!differs(a->b, a_first * agents + row, b->b, row, words, sizeof words)) continue;
    (void)snprintf(seen, sizeof seen, "%s: %s", comparison_of(code), words);
    const char* subject = strcmp(code, "script_changes_game") == 0 ? "script" : "";
    pfc_check_find(PFC_ERROR, code, subject, a_first + row / agents, step, seen);
    return true;
  }
  return false;
}

// Fills the stack where a game's local variables will be, so that reading them uninitialised makes a difference.
__attribute__((noinline)) static void fill_stack(int value) {
  volatile unsigned char garbage[16384];
  for (size_t i = 0; i < sizeof garbage; ++i) garbage[i] = (unsigned char)value;
}

// Steps both pools and compares them, up to `steps` times or until a difference is found.
static void play_alike(PfcPlayer* a, PfcPlayer* b, const char* stage, int32_t steps, const char* code) {
  if (compare(a, b, 0, a->b->num_games, 0, code)) return;
  for (int32_t t = 1; t <= steps; ++t) {
    fill_stack(0x00);
    pfc_player_step(a, stage, t);
    fill_stack(0x7f);
    pfc_player_step(b, stage, t);
    if (compare(a, b, 0, a->b->num_games, t, code)) return;
  }
}

// Compares two pools with the same seed, and then a used pool after a reset.
void pfc_check_repeat(void) {
  const PfcPoolDesc desc = pfc_check_pool(pfc_check_games(PFC_CHECK_GAMES, 2), 21);
  PfcPlayer a = pfc_player_open(&desc), b = pfc_player_open(&desc);
  if (a.pool && b.pool) {
    const int32_t steps = pfc_player_steps(&a, 2 * PFC_CHECK_GAMES, PFC_CHECK_MAX_STEPS);
    pfc_player_reset(&a, "repeat", NULL);
    pfc_player_reset(&b, "repeat", NULL);
    play_alike(&a, &b, "repeat", steps, "seed_repeats");
    const PfcResetDesc again = {.has_seed = 1, .seed = 33};
    for (int32_t t = 1; t <= 97; ++t) pfc_player_step(&b, "reset", t);  // so that their histories differ
    pfc_player_reset(&a, "reset", &again);
    pfc_player_reset(&b, "reset", &again);
    play_alike(&a, &b, "reset", steps, "reset_clears");
  }
  pfc_player_close(&a);
  pfc_player_close(&b);
}

// Compares each game of a pool with a pool of that game only.
void pfc_check_position(void) {
  const int32_t games = pfc_check_games(PFC_CHECK_GAMES / 2, 2);
  const PfcPoolDesc desc = pfc_check_pool(games, 5), single = pfc_check_pool(1, 5);
  static const uint64_t seeds[PFC_CHECK_GAMES] = {8, 9, 10, 11, 12, 13};
  const PfcResetDesc all = {.seeds = seeds};
  PfcPlayer batch = pfc_player_open(&desc), single_players[PFC_CHECK_GAMES] = {{0}};
  bool made = batch.pool != NULL;
  for (int32_t g = 0; g < games && made; ++g) made = (single_players[g] = pfc_player_open(&single)).pool != NULL;
  if (made) {
    pfc_player_reset(&batch, "position", &all);
    for (int32_t g = 0; g < games; ++g) {
      const PfcResetDesc one = {.has_seed = 1, .seed = seeds[g]};
      pfc_player_reset(&single_players[g], "position", &one);
    }
    const int32_t steps = pfc_player_steps(&batch, 2 * games, PFC_CHECK_MAX_STEPS / 2);
    const uint64_t game_bytes = 4ull * (uint64_t)batch.b->agents * (uint64_t)batch.b->action_dims;
    bool same = true;
    for (int32_t g = 0; g < games && same; ++g) same = !compare(&batch, &single_players[g], g, 1, 0, "position");
    for (int32_t t = 1; t <= steps && same; ++t) {
      pfc_player_step(&batch, "position", t);
      for (int32_t g = 0; g < games && same; ++g) {
        memcpy(single_players[g].actions, (unsigned char*)batch.actions + (uint64_t)g * game_bytes, game_bytes);
        pfc_player_act(&single_players[g], "position", t);
        same = !compare(&batch, &single_players[g], g, 1, t, "position");
      }
    }
  }
  pfc_player_close(&batch);
  for (int32_t g = 0; g < games; ++g) pfc_player_close(&single_players[g]);
}

// Compares one thread with several. Uses the unwrapped spec, since the guard is single-threaded.
void pfc_check_threads(void) {
  pfc_check.spec = pfc_check.desc->spec;
  PfcPoolDesc desc = pfc_check_pool(pfc_check_games(MANY_GAMES, 2), 41);
  PfcPlayer a = pfc_player_open(&desc);
  desc.num_threads = THREADS;
  PfcPlayer b = pfc_player_open(&desc);
  if (a.pool && b.pool) {
    pfc_player_reset(&a, "threads", NULL);
    pfc_player_reset(&b, "threads", NULL);
    play_alike(&a, &b, "threads", pfc_player_steps(&a, 2 * a.b->num_games, PFC_CHECK_MAX_STEPS / 2), "threads");
  }
  pfc_player_close(&a);
  pfc_player_close(&b);
}

// Saves a pool, loads the snapshot into another one, and compares both.
void pfc_check_snapshot(void) {
  if (pfc_check.desc->spec->open) return;
  const PfcPoolDesc desc = pfc_check_pool(PFC_CHECK_GAMES, 51);
  PfcPlayer a = pfc_player_open(&desc), b = pfc_player_open(&desc);
  const uint64_t bytes = a.pool && b.pool ? pfc_pool_snapshot_bytes(a.pool) : 0;
  unsigned char* snapshot = bytes ? malloc(bytes) : NULL;
  if (snapshot) {
    const int32_t steps = pfc_player_steps(&a, 3 * PFC_CHECK_GAMES, PFC_CHECK_MAX_STEPS / 2);
    pfc_player_reset(&a, "snapshot", NULL);
    for (int32_t t = 1; t <= steps; ++t) pfc_player_step(&a, "snapshot", t);
    (void)pfc_pool_save(a.pool, snapshot, bytes);
    pfc_guard_attach(b.pool);
    (void)pfc_pool_load(b.pool, snapshot, bytes, NULL);
    for (int32_t t = 1; t <= steps; ++t) {
      pfc_player_step(&a, "snapshot", t);
      pfc_player_step(&b, "snapshot", t);
      if (compare(&a, &b, 0, PFC_CHECK_GAMES, t, "snapshot")) break;
    }
  }
  free(snapshot);
  pfc_player_close(&a);
  pfc_player_close(&b);
}

// Calling the built-in player without playing its moves must change nothing.
void pfc_check_script(void) {
  if (!pfc_check.spec->script) return;
  const PfcPoolDesc desc = pfc_check_pool(pfc_check_games(PFC_CHECK_GAMES, 2), 55);
  PfcPlayer a = pfc_player_open(&desc), b = pfc_player_open(&desc);
  if (a.pool && b.pool) {
    const int32_t steps = pfc_player_steps(&a, 3 * PFC_CHECK_GAMES, PFC_CHECK_MAX_STEPS / 4);
    pfc_player_reset(&a, "script", NULL);
    pfc_player_reset(&b, "script", NULL);
    for (int32_t t = 1; t <= steps; ++t) {
      pfc_player_script(&a, "script", t, a.actions);
      pfc_player_step(&a, "script", t);
      pfc_player_step(&b, "script", t);
      if (compare(&a, &b, 0, a.b->num_games, t, "script_changes_game")) break;
    }
  }
  pfc_player_close(&a);
  pfc_player_close(&b);
}

static bool any_difference(const PfcPlayer* a, const PfcPlayer* b) {
  char words[200];
  for (int64_t row = 0; row < a->b->rows; ++row)
    if (differs(a->b, row, b->b, row, words, sizeof words)) return true;
  return false;
}

// Different seeds should give different games.
void pfc_check_seeds(void) {
  const int32_t games = pfc_check_games(PFC_CHECK_GAMES, 2);
  const PfcPoolDesc first = pfc_check_pool(games, 61), second = pfc_check_pool(games, 62);
  PfcPlayer a = pfc_player_open(&first), b = pfc_player_open(&second);
  if (a.pool && b.pool) {
    const int32_t steps = pfc_player_steps(&a, 2 * games, PFC_CHECK_MAX_STEPS / 2);
    pfc_player_reset(&a, "seeds", NULL);
    pfc_player_reset(&b, "seeds", NULL);
    bool different = any_difference(&a, &b);
    for (int32_t t = 1; t <= steps && !different; ++t) {
      pfc_player_step(&a, "seeds", t);
      pfc_player_step(&b, "seeds", t);
      different = any_difference(&a, &b);
    }
    if (!different)
      pfc_check_find(PFC_WARNING, "seed_without_effect", "", -1, -1,
                     "two different seeds gave identical games");
  }
  pfc_player_close(&a);
  pfc_player_close(&b);
}

// ---- actions -----------------------------------------------------------------------------------------------

// Sets the choice in all rows where it is legal. Returns whether a row that is alive makes it.
static bool set_action(PfcPlayer* p, int32_t dim, int32_t choice) {
  const int32_t k = p->b->discrete ? first_choice_of(p->b, dim) + choice : 0;
  bool any = false;
  for (int64_t row = 0; row < p->b->rows; ++row) {
    const int64_t at = row * p->b->action_dims + dim;
    if (!choice_is_legal(p->b, row, k)) continue;
    any = any || p->b->alive[row];
    if (p->b->discrete)
      ((int32_t*)p->actions)[at] = choice;
    else
      ((float*)p->actions)[at] = (float)(choice - 1);
  }
  return any;
}

// Hash of the results of a run that makes one choice in dimension `dim` in two of three steps, where it is legal. Sets
// *made to whether any row made it.
static uint64_t hash_of_choice(int32_t dim, int32_t choice, int32_t max_steps, bool* made) {
  const PfcPoolDesc desc = pfc_check_pool(pfc_check_games(PFC_CHECK_GAMES, 1), 71);
  PfcPlayer p = pfc_player_open(&desc);
  uint64_t hash = 0;
  *made = false;
  if (p.pool) {
    const int32_t steps = pfc_player_steps(&p, p.b->num_games, max_steps);
    pfc_player_reset(&p, "actions", NULL);
    for (int32_t t = 1; t <= steps; ++t) {
      fill_actions(p.b, 77, t, p.actions);
      if (t % 3) *made = set_action(&p, dim, choice) || *made;
      pfc_player_act(&p, "actions", t);
      hash = hash_bytes(hash, p.b->observations, obs_total_bytes(p.b));
      hash = hash_bytes(hash, p.b->rewards, sizeof(float) * (uint64_t)p.b->rows);
      hash = hash_bytes(hash, p.b->terminated, (uint64_t)p.b->rows);
    }
  }
  pfc_player_close(&p);
  return hash;
}

// Whether two choices have the same effect: in the short runs of `hashes`, and then in longer runs.
static bool same_choice(int32_t dim, int32_t i, int32_t k, const uint64_t* hashes) {
  bool made;
  if (hashes[i] != hashes[k]) return false;
  return hash_of_choice(dim, i, MORE_ACTION_STEPS, &made) == hash_of_choice(dim, k, MORE_ACTION_STEPS, &made);
}

static void check_dimension(int32_t dim, int32_t choices, bool discrete) {
  uint64_t hashes[MAX_CHOICES];
  int32_t twin[MAX_CHOICES], twins = 0, tried = 0;  // twin: an earlier choice with the same effect, or -1
  bool made[MAX_CHOICES];  // false = never legal, so not compared
  for (int32_t i = 0; i < choices; ++i) {
    hashes[i] = hash_of_choice(dim, i, ACTION_STEPS, &made[i]);
    twin[i] = -1;
    for (int32_t k = 0; k < i && twin[i] < 0; ++k)
      if (made[i] && made[k] && same_choice(dim, i, k, hashes)) twin[i] = k;
    twins += twin[i] >= 0;
    tried += made[i];
  }
  char subject[16], seen[128];
  (void)snprintf(subject, sizeof subject, "%d", dim);
  if (tried > 1 && twins == tried - 1) {
    (void)snprintf(seen, sizeof seen, "every choice in dimension %d of the action had the same effect", dim);
    pfc_check_find(PFC_WARNING, "action_without_effect", subject, -1, -1, seen);
    return;
  }
  for (int32_t i = 0; discrete && i < choices; ++i) {
    if (twin[i] < 0) continue;
    (void)snprintf(seen, sizeof seen, "choices %d and %d in dimension %d of the action had the same effect", twin[i], i,
                   dim);
    pfc_check_find(PFC_WARNING, "action_twice", subject, -1, -1, seen);
  }
}

void pfc_check_actions(void) {
  const PfcPoolDesc desc = pfc_check_pool(1, 1);
  PfcPlayer p = pfc_player_open(&desc);
  if (!p.pool) return;
  const int32_t dims = p.b->action_dims;
  const bool discrete = p.b->discrete != 0;
  int32_t counts[PFC_MAX_ACTION_DIMS];
  for (int32_t d = 0; d < dims; ++d) counts[d] = discrete ? PFC_MIN(p.b->action_counts[d], MAX_CHOICES) : 3;
  pfc_player_close(&p);
  for (int32_t d = 0; d < dims; ++d) check_dimension(d, counts[d], discrete);
}
