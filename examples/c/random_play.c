// random_play.c - the smallest useful program: plays a thousand games with random actions and prints their scores.
//
//   cc -O2 random_play.c $(pkg-config --cflags --libs pufferc) -o random_play && ./random_play [game]
#include <pufferc/pufferc.h>
#include <stdio.h>
#include <stdlib.h>

enum { GAMES = 1000, STEPS = 1000 };

static void choose(const PfcBuffers* b, PfcRng* rng, int32_t* actions) {
  for (int32_t row = 0; row < b->rows; ++row)
    for (int32_t d = 0; d < b->action_dims; ++d)
      actions[row * b->action_dims + d] = (int32_t)pfc_rng_below(rng, (uint32_t)b->action_counts[d]);
}

static int play(PfcPool* pool, int32_t* actions) {
  const PfcBuffers* b = pfc_pool_buffers(pool);
  double means[2 + PFC_MAX_METRICS];
  int64_t episodes;
  PfcRng rng;
  pfc_rng_seed(&rng, 1, 0);
  if (pfc_pool_reset(pool, NULL)) return 1;
  for (int32_t t = 0; t < STEPS; ++t) {
    choose(b, &rng, actions);
    if (pfc_pool_step(pool, actions, PFC_INT32, NULL)) return 1;
  }
  if (pfc_pool_pop_metrics(pool, &episodes, means)) return 1;
  printf("%s: %lld episodes, mean return %.3f, mean length %.1f\n", b->spec->title, (long long)episodes, means[0],
         means[1]);
  for (int32_t i = 0; i < b->num_metrics; ++i) printf("  %-16s %.4g\n", b->spec->metrics[i], means[2 + i]);
  return 0;
}

int main(int argc, char** argv) {
  const PfcPoolDesc desc = {.env = argc > 1 ? argv[1] : "breakout", .num_games = GAMES, .num_threads = 2, .seed = 1};
  PfcPool* pool = pfc_pool_create(&desc);
  int failed = pool == NULL;
  if (pool) {
    const PfcBuffers* b = pfc_pool_buffers(pool);
    int32_t* actions = malloc(sizeof(int32_t) * (size_t)b->rows * (size_t)b->action_dims);
    failed = actions == NULL || play(pool, actions);
    free(actions);
    pfc_pool_destroy(pool);
  }
  if (failed) fprintf(stderr, "%s\n", pfc_last_error());
  return failed;
}
