// bench_envs.c - measures agent steps per second of the games alone, from C.
//
//   bench_envs [NAME [NUM_GAMES [NUM_THREADS [SECONDS [PARAMETER=VALUE ...]]]]]
//
// Steps a pool with uniformly random actions, drawn in advance, and prints the median, min and max of
// nine runs. The time includes everything a step does: action checks, rules, statistics, resets and
// observations.
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "pufferc/pufferc.h"

enum { RUNS = 9, ACTION_SETS = 64, MAX_PARAMS = 16 };

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

// As many games as have about 4096 rows.
static int32_t standard_games(const PfcPoolDesc* desc) {
  PfcPoolDesc one = *desc;
  one.num_games = one.num_threads = 1;
  PfcPool* pool = pfc_pool_create(&one);
  const int32_t agents = pool ? pfc_pool_buffers(pool)->agents : 1;
  pfc_pool_destroy(pool);
  return agents < 4096 ? 4096 / agents : 1;
}

static int bench(const PfcPoolDesc* desc, double seconds) {
  const char* name = desc->env;
  PfcPool* pool = pfc_pool_create(desc);
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
  printf("%-10s %6d games x %5d agents  %2d threads  %8.2f M agent steps/s  (%.2f to %.2f)\n", name, desc->num_games,
         pfc_pool_buffers(pool)->agents, desc->num_threads, rates[RUNS / 2] / 1e6, rates[0] / 1e6,
         rates[RUNS - 1] / 1e6);
  free(actions);
  pfc_pool_destroy(pool);
  return 0;
}

// Reads "NAME=VALUE" words in place; returns how many, -1 where one has no "=".
static int32_t read_params(char** words, int count, PfcParamValue* params) {
  for (int i = 0; i < count; ++i) {
    char* equals = strchr(words[i], '=');
    if (!equals) return -1;
    *equals = 0;
    params[i].name = words[i];
    params[i].value = strtod(equals + 1, NULL);
  }
  return count;
}

int main(int argc, char** argv) {
  PfcParamValue params[MAX_PARAMS];
  const int words = argc > 5 ? argc - 5 : 0;
  PfcPoolDesc desc = {.num_threads = argc > 3 ? atoi(argv[3]) : 1, .seed = 1, .params = params};
  desc.num_params = words <= MAX_PARAMS ? read_params(argv + 5, words, params) : -1;
  if (desc.num_params < 0) {
    fprintf(stderr, "expected at most %d parameters as NAME=VALUE behind the seconds\n", MAX_PARAMS);
    return 1;
  }
  int failed = 0;
  for (int32_t i = 0; i < pfc_env_count(); ++i) {
    const PfcEnvSpec* spec = pfc_env_at(i);
    if (argc > 1 && strcmp(argv[1], spec->name) != 0) continue;
    desc.env = spec->name;
    desc.num_games = argc > 2 ? atoi(argv[2]) : standard_games(&desc);
    failed |= bench(&desc, argc > 4 ? atof(argv[4]) : 2.0);
  }
  return failed;
}
