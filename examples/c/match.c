// match.c - plays an exported policy against the built-in player of its game, every game twice with sides exchanged.
//
//   pufferc export connect4 --checkpoint latest --out connect4.pfc
//   cc -O2 match.c $(python -m pufferc --cflags --libs) -o match && ./match connect4.pfc 2
#include <pufferc/policy.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PAIRS = 256, GAMES = 2 * PAIRS, MAX_STEPS = 100000, SEED = 1 };

// Whether the policy moves a row: the teams 0, 2, ... in even games, the others in odd ones.
static int is_own(const PfcBuffers* b, int64_t row) { return b->teams[row % b->agents] % 2 == row / b->agents % 2; }

// The points of the policy in a game that has ended, doubled: 2 if its rows scored more on average than the others.
static int points(const PfcBuffers* b, int64_t game) {
  double sum[2] = {0}, count[2] = {0};
  for (int64_t row = game * b->agents; row < (game + 1) * b->agents; ++row) {
    sum[is_own(b, row)] += (double)b->episode_metrics[row * b->num_metrics];  // the score
    count[is_own(b, row)] += 1;
  }
  const double own = sum[1] * count[0], other = sum[0] * count[1];
  return own > other ? 2 : own == other;
}

// Plays the first game of every pair of rows; counts[points] is the number of games. Stops early if a call fails.
static int play(PfcPolicy* policy, PfcPool* pool, int32_t level, int counts[3]) {
  const PfcBuffers* b = pfc_pool_buffers(pool);
  const size_t rows = (size_t)b->rows, dims = (size_t)b->action_dims;
  int32_t *actions = malloc(4 * rows * dims), *replies = malloc(4 * rows * dims), *others = malloc(4 * rows);
  float* memory = calloc(rows * (size_t)pfc_policy_info(policy)->state_size + 1, sizeof(float));
  uint8_t done[GAMES] = {0};
  int32_t num_others = 0, left = GAMES;
  int failed = !actions || !replies || !others || !memory || pfc_pool_reset(pool, NULL);
  for (int32_t row = 0; !failed && row < b->rows; ++row)
    if (!is_own(b, row)) others[num_others++] = row;
  for (uint64_t t = 0; !failed && left > 0 && t < MAX_STEPS; ++t) {
    // The policy acts in all rows, then the built-in player's actions replace those of its rows.
    const PfcPolicyDraw draw = {.seed = SEED, .step = t};
    const PfcScriptDesc script = {level, num_others, others, SEED, t, replies};
    failed = pfc_policy_act_masked(policy, b->observations, b->action_mask, b->rows, &draw, memory, actions, NULL) ||
             pfc_pool_script(pool, &script);
    for (size_t i = 0; i < (size_t)num_others; ++i)
      memcpy(actions + (size_t)others[i] * dims, replies + i * dims, 4 * dims);
    failed = failed || pfc_pool_step(pool, actions, pfc_policy_info(policy)->action_dtype, NULL) ||
             pfc_policy_restart(policy, b->rows, b->terminated, b->truncated, memory);
    for (int64_t game = 0; !failed && game < GAMES; ++game) {
      const int64_t row = game * b->agents;
      if (done[game] || !(b->terminated[row] | b->truncated[row])) continue;
      done[game] = 1, --left, ++counts[points(b, game)];
    }
  }
  free(actions), free(replies), free(others), free(memory);
  return failed;
}

int main(int argc, char** argv) {
  if (argc != 3) return fprintf(stderr, "usage: match POLICY.pfc LEVEL\n"), 2;
  uint64_t numbers[GAMES];  // two games with one number have the same start
  for (uint64_t game = 0; game < GAMES; ++game) numbers[game] = game / 2;
  int counts[3] = {0}, failed = 1;
  PfcPolicy* policy = pfc_policy_load(argv[1]);
  const PfcPolicyInfo* info = pfc_policy_info(policy);
  const PfcPoolDesc desc = {.env = info ? info->game : "", .num_games = GAMES, .num_threads = 2, .seed = SEED,
                            .params = info ? info->params : NULL, .num_params = info ? info->num_params : 0,
                            .game_numbers = numbers};
  PfcPool* pool = policy ? pfc_pool_create(&desc) : NULL;
  const int no_teams = pool && pfc_pool_buffers(pool)->num_teams < 2;
  if (pool && !no_teams && !pfc_policy_check(policy, pool)) failed = play(policy, pool, atoi(argv[2]), counts);
  const int games = counts[0] + counts[1] + counts[2];
  if (failed) fprintf(stderr, "%s\n", no_teams ? "the game has no teams with these parameters" : pfc_last_error());
  else printf("%s: %d games against level %s, %d won, %d drawn, %d lost: mean points %.4f\n", info->game, games, argv[2],
              counts[2], counts[1], counts[0], games ? (counts[2] + 0.5 * counts[1]) / games : 0.0);
  pfc_pool_destroy(pool), pfc_policy_destroy(policy);
  return failed;
}
