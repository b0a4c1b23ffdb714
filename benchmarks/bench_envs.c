// bench_envs.c - measures agent steps per second of the games alone, from C.
//
//   bench_envs [NAME [NUM_GAMES [NUM_THREADS [SECONDS]]]]
//
// Steps a pool with uniformly random actions, drawn in advance, and prints the median, min and max of
// nine runs. The time includes everything a step does: action checks, rules, statistics, resets and
// observations.
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "pufferc/pufferc.h"

enum { RUNS = 9, ACTION_SETS = 64 };

static double now_s(void) {
  struct timespec t;
  (void)clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int compare(const void* a, const void* b) {
  const double x = *(const double*)a, y = *(const double*)b;
  return (x > y) - (x < y);
}

static void* draw_actions(const PfcBuffers* b) {
  const int64_t count = (int64_t)ACTION_SETS * b->rows * b->action_dims;
  int32_t* actions = malloc(sizeof(int32_t) * (size_t)count);
  if (!actions) return NULL;
  PfcRng rng;
  pfc_rng_seed(&rng, 1, 0);
  for (int64_t i = 0; i < count; ++i) {
    const uint32_t choices = b->discrete ? (uint32_t)b->action_counts[i % b->action_dims] : 0;
    if (b->discrete) actions[i] = (int32_t)pfc_rng_below(&rng, choices);
    else ((float*)actions)[i] = pfc_rng_uniform(&rng, -1.0f, 1.0f);
  }
  return actions;
}

// Returns agent steps per second, measured over about `seconds`.
static double run(PfcPool* pool, const int32_t* actions, double seconds) {
  const PfcBuffers* b = pfc_pool_buffers(pool);
  const PfcDtype dtype = b->discrete ? PFC_INT32 : PFC_FLOAT32;
  const double start = now_s();
  int64_t steps = 0;
  double elapsed = 0.0;
  while (elapsed < seconds) {
    for (int32_t i = 0; i < ACTION_SETS; ++i, ++steps)
      if (pfc_pool_step(pool, actions + (int64_t)i * b->rows * b->action_dims, dtype, NULL)) return 0.0;
    elapsed = now_s() - start;
  }
  return (double)steps * b->rows / elapsed;
}

static int bench(const char* name, int32_t num_games, int32_t num_threads, double seconds) {
  const PfcPoolDesc desc = {.env = name, .num_games = num_games, .num_threads = num_threads, .seed = 1};
  PfcPool* pool = pfc_pool_create(&desc);
  int32_t* actions = pool ? draw_actions(pfc_pool_buffers(pool)) : NULL;
  if (!actions || pfc_pool_reset(pool, NULL)) {
    fprintf(stderr, "%s: %s\n", name, pfc_last_error());
    pfc_pool_destroy(pool);
    return 1;
  }
  double rates[RUNS];
  (void)run(pool, actions, seconds / RUNS);  // warm up
  for (int i = 0; i < RUNS; ++i) rates[i] = run(pool, actions, seconds / RUNS);
  qsort(rates, RUNS, sizeof rates[0], compare);
  printf("%-10s %6d games x %4d agents  %2d threads  %8.2f M agent steps/s  (%.2f to %.2f)\n", name, num_games,
         pfc_pool_buffers(pool)->agents, num_threads, rates[RUNS / 2] / 1e6, rates[0] / 1e6, rates[RUNS - 1] / 1e6);
  free(actions);
  pfc_pool_destroy(pool);
  return 0;
}

int main(int argc, char** argv) {
  const int32_t num_threads = argc > 3 ? atoi(argv[3]) : 1;
  const double seconds = argc > 4 ? atof(argv[4]) : 2.0;
  int failed = 0;
  for (int32_t i = 0; i < pfc_env_count(); ++i) {
    const PfcEnvSpec* spec = pfc_env_at(i);
    if (argc > 1 && strcmp(argv[1], spec->name) != 0) continue;
    const int32_t standard = spec->respawn ? 16 : 4096;
    failed |= bench(spec->name, argc > 2 ? atoi(argv[2]) : standard, num_threads, seconds);
  }
  return failed;
}
