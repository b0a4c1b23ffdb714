// stats.h - statistics of random play: observations against their table, rewards, ends, metrics.
//
// PfcStats covers any number of pools of one game with the same parameters. The caller owns it and frees it with
// pfc_stats_close. Mistakes in single values are reported at once, those in the statistics by pfc_stats_conclude.
#ifndef PUFFERC_CONFORMANCE_STATS_H
#define PUFFERC_CONFORMANCE_STATS_H

#include "conformance/conformance.h"

typedef struct PfcStats {
  const PfcEnvSpec* spec;
  PfcObsRow* rows;    // [spec->num_obs_rows] the pools' observation table
  int64_t values;     // of one observation
  float *low, *high;  // [values] extremes seen
  int64_t observations, steps, rows_stepped;
  int64_t nonzero_rewards;
  double largest_reward;  // absolute value
  int64_t episodes, terminated, one_step_episodes;
  int32_t longest_run;  // steps of the pool that was played longest
  int32_t max_steps;    // 0 = no limit
  int32_t* lengths;     // [rows] of unfinished episodes of the current pool
  void (*report)(const PfcFinding*);
} PfcStats;

// Returns false without memory.
bool pfc_stats_open(PfcStats* stats, const PfcPool* pool, void (*report)(const PfcFinding*));
void pfc_stats_close(PfcStats* stats);
// Call pfc_stats_begin after the reset of a pool, and pfc_stats_watch after its reset (step 0) and after each step.
bool pfc_stats_begin(PfcStats* stats, const PfcPool* pool);
void pfc_stats_watch(PfcStats* stats, const PfcPool* pool, int64_t step);
void pfc_stats_conclude(const PfcStats* stats);

#endif  // PUFFERC_CONFORMANCE_STATS_H
