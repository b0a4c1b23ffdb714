// stats.c - see stats.h.
#include "conformance/stats.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conformance/play.h"

// Networks learn badly from observations larger than the first. Values are hard to fit if rewards exceed the second.
static const float LARGE_OBSERVATION = 100.0f;
static const double LARGE_REWARD = 1000.0;

typedef struct Place {
  int64_t game, agent, step;
} Place;

static const Place nowhere = {-1, -1, -1};

__attribute__((format(printf, 6, 7))) static void find(const PfcStats* s, PfcSeverity severity, const char* code,
                                                       const char* subject, Place place, const char* format, ...) {
  PfcFinding finding = {.severity = severity,
                        .code = code,
                        .subject = subject,
                        .game = place.game,
                        .agent = place.agent,
                        .step = place.step};
  va_list arguments;
  va_start(arguments, format);
  (void)vsnprintf(finding.seen, sizeof finding.seen, format, arguments);
  va_end(arguments);
  s->report(&finding);
}

// ---- gathering ---------------------------------------------------------------------------------------------

bool pfc_stats_open(PfcStats* s, const PfcPool* pool, void (*report)(const PfcFinding*)) {
  const PfcBuffers* b = pfc_pool_buffers(pool);
  *s = (PfcStats){.spec = b->spec, .values = obs_values(b), .report = report};
  s->low = malloc(sizeof(float) * (size_t)s->values);
  s->high = malloc(sizeof(float) * (size_t)s->values);
  s->rows = malloc(sizeof *s->rows * (size_t)b->num_obs_rows);
  if (!s->low || !s->high || !s->rows) return false;
  memcpy(s->rows, b->obs_rows, sizeof *s->rows * (size_t)b->num_obs_rows);
  for (int64_t i = 0; i < s->values; ++i) {
    s->low[i] = INFINITY;
    s->high[i] = -INFINITY;
  }
  return true;
}

void pfc_stats_close(PfcStats* s) {
  free(s->low);
  free(s->high);
  free(s->lengths);
  free(s->rows);
  *s = (PfcStats){0};
}

bool pfc_stats_begin(PfcStats* s, const PfcPool* pool) {
  const PfcBuffers* b = pfc_pool_buffers(pool);
  s->max_steps = (int32_t)pfc_pool_param(pool, 0);
  free(s->lengths);
  s->lengths = calloc((size_t)b->rows, sizeof(int32_t));
  return s->lengths != NULL;
}

// Checks value `index` of one observation against its table entry.
static void check_value(PfcStats* s, const PfcObsRow* entry, int64_t index, double value, Place place) {
  if (!(value - value == 0.0)) {
    find(s, PFC_ERROR, "observation_not_finite", entry->name, place, "observation %s was %s", entry->name,
         value != value ? "NaN (not a number)" : "infinite");
    return;
  }
  if (entry->num_codes > 0 && !(value == floor(value) && value >= 0.0 && value < (double)entry->num_codes))
    find(s, PFC_ERROR, "observation_code", entry->name, place, "observation %s was %.7g; its table says codes 0 to %d",
         entry->name, value, entry->num_codes - 1);
  else if (!(value >= (double)entry->low && value <= (double)entry->high))
    find(s, PFC_ERROR, "observation_range", entry->name, place, "observation %s was %.7g; its table says [%g, %g]",
         entry->name, value, (double)entry->low, (double)entry->high);
  if ((float)value < s->low[index]) s->low[index] = (float)value;
  if ((float)value > s->high[index]) s->high[index] = (float)value;
}

static void record_observation(PfcStats* s, const unsigned char* obs, Place place) {
  int64_t i = 0;
  for (int32_t r = 0; r < s->spec->num_obs_rows; ++r) {
    const PfcObsRow* entry = &s->rows[r];
    for (const int64_t end = i + entry->count; i < end; ++i)
      check_value(s, entry, i, obs_value(s->spec->obs_dtype, obs, i), place);
  }
  ++s->observations;
}

static void record_metrics(PfcStats* s, const PfcBuffers* b, int64_t row, Place place) {
  for (int32_t i = 0; i < b->num_metrics; ++i) {
    const char* name = s->spec->metrics[i];
    const double value = (double)b->episode_metrics[row * b->num_metrics + i];
    if (!(value - value == 0.0))
      find(s, PFC_ERROR, "metric_not_finite", name, place, "metric %s was %s", name,
           value != value ? "NaN" : "infinite");
    else if (strcmp(name, "perf") == 0 && !(value >= 0.0 && value <= 1.0))
      find(s, PFC_ERROR, "perf_range", name, place, "metric perf was %.7g, expected 0 to 1", value);
  }
}

static void record_row(PfcStats* s, const PfcBuffers* b, int64_t row, Place place) {
  const double reward = (double)b->rewards[row];
  if (!(reward - reward == 0.0))
    find(s, PFC_ERROR, "reward_not_finite", "", place, "a reward was %s", reward != reward ? "NaN" : "infinite");
  else if (fabs(reward) > s->largest_reward)
    s->largest_reward = fabs(reward);
  s->nonzero_rewards += reward != 0.0;
  s->lengths[row] += 1;
  if (!row_ended(b, row)) return;
  s->episodes += 1;
  s->terminated += b->terminated[row];
  s->one_step_episodes += s->lengths[row] == 1;
  s->lengths[row] = 0;
  record_observation(s, obs_row(b->final_observations, b, row), place);
  record_metrics(s, b, row, place);
}

void pfc_stats_watch(PfcStats* s, const PfcPool* pool, int64_t step) {
  const PfcBuffers* b = pfc_pool_buffers(pool);
  for (int64_t row = 0; row < b->rows; ++row) {
    const Place place = {row / b->agents, row % b->agents, step};
    record_observation(s, obs_row(b->observations, b, row), place);
    if (step > 0) record_row(s, b, row, place);
  }
  s->steps += step > 0;
  s->rows_stepped += step > 0 ? b->rows : 0;
  if (step > s->longest_run) s->longest_run = (int32_t)step;
}

// ---- conclusions -------------------------------------------------------------------------------------------

static void conclude_entry(const PfcStats* s, const PfcObsRow* entry, int64_t begin, int64_t end) {
  float low = INFINITY, high = -INFINITY;
  bool constant = true;
  for (int64_t i = begin; i < end; ++i) {
    low = s->low[i] < low ? s->low[i] : low;
    high = s->high[i] > high ? s->high[i] : high;
    constant = constant && s->low[i] == s->high[i];
  }
  // A value that is always 0 was probably forgotten; another constant may be intended, such as a parameter.
  const PfcSeverity severity = low == 0.0f && high == 0.0f ? PFC_WARNING : PFC_NOTE;
  if (constant && low == high)
    find(s, severity, "observation_constant", entry->name, nowhere, "observation %s never changed: it was always %g",
         entry->name, (double)low);
  else if (constant)
    find(s, severity, "observation_constant", entry->name, nowhere,
         "none of the %lld values of observation %s ever changed", (long long)(end - begin), entry->name);
  const float size = fmaxf(fabsf(low), fabsf(high));
  if (s->spec->obs_dtype == PFC_FLOAT32 && size > LARGE_OBSERVATION)
    find(s, PFC_WARNING, "observation_large", entry->name, nowhere, "observation %s reached %g", entry->name,
         (double)size);
}

static bool all_zero(const PfcStats* s) {
  for (int64_t i = 0; i < s->values; ++i)
    if (s->low[i] != 0.0f || s->high[i] != 0.0f) return false;
  return true;
}

static void conclude_observations(const PfcStats* s) {
  if (all_zero(s)) {
    find(s, PFC_WARNING, "observation_zero", "", nowhere, "all values of all %lld observations were 0",
         (long long)s->observations);
    return;
  }
  int64_t i = 0;
  for (int32_t r = 0; r < s->spec->num_obs_rows; ++r) {
    const int64_t end = i + s->rows[r].count;
    if (i < end) conclude_entry(s, &s->rows[r], i, end);
    i = end;
  }
}

void pfc_stats_conclude(const PfcStats* s) {
  const long long steps = s->rows_stepped;
  conclude_observations(s);
  if (s->nonzero_rewards == 0)
    find(s, PFC_WARNING, "reward_zero", "", nowhere, "every reward of %lld steps was 0", steps);
  if (s->largest_reward > LARGE_REWARD)
    find(s, PFC_WARNING, "reward_large", "", nowhere, "the largest reward had the absolute value %g",
         s->largest_reward);
  if (s->episodes == 0)
    find(s, PFC_WARNING, "episode_endless", "", nowhere, "no episode ended in %d steps of random play%s",
         s->longest_run, s->max_steps == 0 ? ", and max_steps is 0 (never)" : "");
  else if (s->one_step_episodes == s->episodes && s->max_steps != 1)
    find(s, PFC_WARNING, "episode_short", "", nowhere, "each of %lld episodes ended with its first step",
         (long long)s->episodes);
  else if (s->terminated == 0)
    find(s, PFC_NOTE, "episode_truncated", "", nowhere,
         "each of %lld episodes was cut short, by max_steps or by the game; none "
         "ended by the rules",
         (long long)s->episodes);
}
