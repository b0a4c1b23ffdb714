// bench_envs.c - measures agent steps per second of the games alone, from C.
//
//   bench_envs [NAME [NUM_GAMES [NUM_THREADS [SECONDS [PARAMETER=VALUE ...] [script=LEVEL]]]]]
//
// Steps a pool with uniformly random actions, drawn in advance, and prints the median, min and max of
// nine runs. The time includes everything a step does: action checks, rules, statistics, resets and
// observations. Masked games get random legal actions, drawn between the steps and outside the time. With
// script=LEVEL the built-in player acts for all agents of a game but the first, within the time.
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

// What a run repeats.
typedef struct Bench {
  PfcPool* pool;
  const PfcBuffers* b;
  int32_t* actions;  // [ACTION_SETS, rows, action dims]
  int32_t* scripted;  // [num_scripted] rows that the built-in player acts for
  int32_t num_scripted, level;
  int32_t* choices;   // [num_scripted, action dims]
  PfcRng rng;
  uint64_t steps;
} Bench;

// A random legal choice among those of a dimension, which begin at bit `first` of the row's mask.
static int32_t legal_choice(Bench* c, const uint32_t* mask, int32_t first, int32_t count) {
  int32_t legal = 0, choice = 0;
  for (int32_t k = first; k < first + count; ++k) legal += mask[k / 32] >> (k % 32) & 1u;
  int32_t left = (int32_t)pfc_rng_below(&c->rng, (uint32_t)legal);
  for (;; ++choice)
    if (mask[(first + choice) / 32] >> ((first + choice) % 32) & 1u && left-- == 0) return choice;
}

static void draw_legal_actions(Bench* c, int32_t* actions) {
  const PfcBuffers* b = c->b;
  for (int64_t row = 0; row < b->rows; ++row) {
    int32_t first = 0;
    for (int32_t d = 0; d < b->action_dims; first += b->action_counts[d++])
      actions[row * b->action_dims + d] = legal_choice(c, b->action_mask + row * b->mask_words, first, b->action_counts[d]);
  }
}

static bool act_by_script(Bench* c, int32_t* actions) {
  const int32_t dims = c->b->action_dims;
  const PfcScriptDesc desc = {.level = c->level, .rows = c->scripted, .num_rows = c->num_scripted, .seed = 1,
                              .step = c->steps, .actions = c->choices};
  if (c->num_scripted == 0) return true;
  if (pfc_pool_script(c->pool, &desc)) return false;
  for (int64_t i = 0; i < c->num_scripted; ++i)
    memcpy(actions + (int64_t)c->scripted[i] * dims, c->choices + i * dims, sizeof(int32_t) * (size_t)dims);
  return true;
}

// Returns agent steps per second, measured over about `seconds`; 0 after an error.
static double run(Bench* c, double seconds) {
  const PfcBuffers* b = c->b;
  const PfcDtype dtype = b->discrete ? PFC_INT32 : PFC_FLOAT32;
  const bool each = b->mask_words > 0 || c->num_scripted > 0;  // actions depend on the state
  int64_t steps = 0;
  double elapsed = 0.0;
  while (elapsed < seconds) {
    double start = now_s();
    for (int32_t i = 0; i < ACTION_SETS; ++i, ++steps, ++c->steps) {
      int32_t* actions = c->actions + (int64_t)i * b->rows * b->action_dims;
      if (b->mask_words) draw_legal_actions(c, actions);
      if (each) start = now_s();
      if (!act_by_script(c, actions) || pfc_pool_step(c->pool, actions, dtype, NULL)) return 0.0;
      if (each) elapsed += now_s() - start;
    }
    if (!each) elapsed += now_s() - start;
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

// Lists the rows that the built-in player acts for: all agents but the first, or none at level -1.
static bool open_bench(Bench* c, PfcPool* pool, int32_t level) {
  const PfcBuffers* b = pfc_pool_buffers(pool);
  c->pool = pool, c->b = b, c->level = level, c->steps = 0, c->num_scripted = 0;
  pfc_rng_seed(&c->rng, 1, 1);
  c->actions = draw_actions(b);
  c->scripted = malloc(sizeof(int32_t) * (size_t)b->rows);
  c->choices = malloc(sizeof(int32_t) * (size_t)b->rows * (size_t)b->action_dims);
  for (int32_t row = 0; c->scripted && level >= 0 && row < b->rows; ++row)
    if (row % b->agents > 0) c->scripted[c->num_scripted++] = row;
  return c->actions && c->scripted && c->choices;
}

static int bench(const PfcPoolDesc* desc, double seconds, int32_t level) {
  const char* name = desc->env;
  PfcPool* pool = pfc_pool_create(desc);
  Bench c = {0};
  double rates[RUNS];
  bool failed = !pool || !open_bench(&c, pool, level) || pfc_pool_reset(pool, NULL);
  if (!failed) failed = run(&c, seconds / RUNS) == 0.0;  // warm up
  for (int i = 0; !failed && i < RUNS; ++i) rates[i] = run(&c, seconds / RUNS);
  if (failed) {
    fprintf(stderr, "%s: %s\n", name, pfc_last_error());
  } else {
    qsort(rates, RUNS, sizeof rates[0], compare);
    printf("%-10s %6d games x %5d agents  %2d threads  %8.2f M agent steps/s  (%.2f to %.2f)\n", name, desc->num_games,
           c.b->agents, desc->num_threads, rates[RUNS / 2] / 1e6, rates[0] / 1e6, rates[RUNS - 1] / 1e6);
  }
  free(c.actions);
  free(c.scripted);
  free(c.choices);
  pfc_pool_destroy(pool);
  return failed;
}

// Reads "NAME=VALUE" words in place; returns how many parameters there are, -1 where a word has no "=".
static int32_t read_params(char** words, int count, PfcParamValue* params, int32_t* level) {
  int32_t found = 0;
  for (int i = 0; i < count; ++i) {
    char* equals = strchr(words[i], '=');
    if (!equals) return -1;
    *equals = 0;
    if (strcmp(words[i], "script") == 0) {
      *level = atoi(equals + 1);
      continue;
    }
    params[found].name = words[i];
    params[found++].value = strtod(equals + 1, NULL);
  }
  return found;
}

int main(int argc, char** argv) {
  PfcParamValue params[MAX_PARAMS];
  const int words = argc > 5 ? argc - 5 : 0;
  PfcPoolDesc desc = {.num_threads = argc > 3 ? atoi(argv[3]) : 1, .seed = 1, .params = params};
  int32_t level = -1;
  desc.num_params = words <= MAX_PARAMS ? read_params(argv + 5, words, params, &level) : -1;
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
    failed |= bench(&desc, argc > 4 ? atof(argv[4]) : 2.0, level);
  }
  return failed;
}
