// step.h - one step of some games: the rules, ends of episodes, autoreset, observations and masks. The CPU pool
// (step.c) and the pool on a GPU (cuda/device_game.h) run this source; there every thread has a range of one game.
//
// The order for every game is: step and flags of all rows; final observations and statistics of rows that ended; reset
// (or respawn, in index order); observations of all rows.
//
// Before it includes this file, the includer defines the type PfcCalls: the functions of a game. On the CPU this is
// PfcEnvSpec. On a GPU it is a struct with static functions of the same names, since device code has no function
// pointers.
#ifndef PUFFERC_POOL_STEP_H
#define PUFFERC_POOL_STEP_H

#include <string.h>

#include "pool/games.h"
#include "pool/masks.h"

enum { PFC_ROW_RUNS = 0, PFC_ROW_TERMINATED = 1, PFC_ROW_TRUNCATED = 2 };  // values of PfcGames.stopped

// ---- ends of episodes ------------------------------------------------------------------------------------

// Updates returns and lengths of rows [begin, end), truncates episodes at max_steps, and makes the flags 0 or 1, where
// terminated wins. Returns whether any row ended.
PFC_MULTIVERSION PFC_FN bool pfc_finish_rows(const PfcGames* g, int64_t begin, int64_t end) {
  const float* rewards = g->rewards;
  float* returns = g->running_returns;
  uint8_t *all_terminated = g->terminated, *all_truncated = g->truncated;
  int32_t* lengths = g->running_lengths;
  const int32_t max_steps = pfc_max_steps(g);
  uint8_t ended = 0;
  PFC_INDEPENDENT_LOOP_
  for (int64_t i = begin; i < end; ++i) {
    const int32_t length = lengths[i] + (lengths[i] < INT32_MAX);
    const uint8_t terminated = all_terminated[i] != 0;
    const uint8_t late = (length >= max_steps) & (max_steps != INT32_MAX);  // INT32_MAX = no limit
    const uint8_t truncated = (uint8_t)(((all_truncated[i] != 0) | late) & !terminated);
    lengths[i] = length;
    returns[i] += rewards[i];
    all_terminated[i] = terminated;
    all_truncated[i] = truncated;
    ended |= (uint8_t)(terminated | truncated);
  }
  return ended != 0;
}

// A shared episode ends for all rows of a game in the same way: terminated if any row was, else truncated.
PFC_FN void pfc_spread_flags(const PfcGames* g, int32_t begin, int32_t end) {
  const int64_t agents = g->agents;
  for (int64_t game = begin; game < end; ++game) {
    uint8_t* terminated = g->terminated + game * agents;
    uint8_t* truncated = g->truncated + game * agents;
    uint8_t any_terminated = 0, any_truncated = 0;
    for (int64_t i = 0; i < agents; ++i) any_terminated |= terminated[i], any_truncated |= truncated[i];
    if (!(any_terminated | any_truncated)) continue;
    memset(terminated, any_terminated, (size_t)agents);
    memset(truncated, !any_terminated, (size_t)agents);
  }
}

// Records the statistics of a row whose episode ends now. Each row has its own sums, so the result does not depend on
// the order in which threads finish games.
PFC_FN void pfc_record_episode(const PfcGames* g, const PfcCalls* calls, int32_t game, int64_t row) {
  const int32_t num_metrics = g->num_metrics;
  float* metrics = g->episode_metrics + row * num_metrics;
  memset(metrics, 0, sizeof(float) * (size_t)num_metrics);
  metrics[0] = g->running_returns[row];
  calls->metrics_one(pfc_game_state(g, game), g->params, (int32_t)(row - (int64_t)game * g->agents), metrics);
  g->episode_returns[row] = g->running_returns[row];
  g->episode_lengths[row] = g->running_lengths[row];
  double* sums = g->metric_sums + row * (2 + num_metrics);
  sums[0] += (double)g->episode_returns[row];
  sums[1] += g->episode_lengths[row];
  for (int32_t i = 0; i < num_metrics; ++i) sums[2 + i] += (double)metrics[i];
  ++g->metric_counts[row];
}

// ---- new episodes ----------------------------------------------------------------------------------------

PFC_FN void pfc_begin_episode(const PfcGames* g, int64_t row) {
  g->running_returns[row] = 0.0f;
  g->running_lengths[row] = 0;
  g->alive[row] = 1;
  g->stopped[row] = PFC_ROW_RUNS;
}

PFC_FN void pfc_reset_game(const PfcGames* g, const PfcCalls* calls, int32_t game) {
  unsigned char* state = pfc_game_state(g, game);
  if (!calls->open) {
    PfcRng rng;
    memcpy(&rng, state + g->rng_offset, sizeof rng);
    memset(state, 0, (size_t)g->state_bytes);
    memcpy(state + g->rng_offset, &rng, sizeof rng);
  }
  const int64_t first = (int64_t)game * g->agents;
  for (int64_t i = 0; i < g->agents; ++i) pfc_begin_episode(g, first + i);
  if (g->data) calls->reset_from(state, g->params, g->data, g->data_bytes);
  else calls->reset_one(state, g->params);
}

PFC_FN void pfc_respawn_row(const PfcGames* g, const PfcCalls* calls, int32_t game, int64_t row) {
  const int32_t agent = (int32_t)(row - (int64_t)game * g->agents);
  void* state = pfc_game_state(g, game);
  pfc_begin_episode(g, row);
  if (g->data) calls->respawn_from(state, g->params, agent, g->data, g->data_bytes);
  else calls->respawn(state, g->params, agent);
}

PFC_FN bool pfc_row_ends(const PfcGames* g, int64_t row) {
  return (g->terminated[row] | g->truncated[row]) && g->stopped[row] == PFC_ROW_RUNS;
}

// The flagged rows of one game are stopped until they are reset: by the caller, or with next-step autoreset by the
// following step.
PFC_FN void pfc_stop_rows(const PfcGames* g, int64_t first) {
  for (int64_t row = first; row < first + g->agents; ++row) {
    if (!pfc_row_ends(g, row)) continue;
    g->stopped[row] = g->terminated[row] ? PFC_ROW_TERMINATED : PFC_ROW_TRUNCATED;
    g->alive[row] = 0;
  }
}

// Ends the flagged rows of one game. Returns their number.
PFC_FN int32_t pfc_end_episodes(const PfcGames* g, const PfcCalls* calls, int32_t game) {
  const int64_t first = (int64_t)game * g->agents, end = first + g->agents;
  int32_t ended = 0;
  for (int64_t row = first; row < end; ++row) {
    if (!pfc_row_ends(g, row)) continue;
    ++ended;
    calls->observe_one(pfc_game_state(g, game), g->params, (int32_t)(row - first),
                       g->final_observations + (uint64_t)row * g->obs_bytes);
    pfc_record_episode(g, calls, game, row);
  }
  if (ended == 0) return 0;
  if (g->autoreset != PFC_AUTORESET_SAME_STEP) {
    pfc_stop_rows(g, first);
  } else if (g->has_respawn) {
    for (int64_t row = first; row < end; ++row)
      if (g->terminated[row] | g->truncated[row]) pfc_respawn_row(g, calls, game, row);
  } else {
    pfc_reset_game(g, calls, game);
  }
  return ended;
}

// The next game in [game, end) with a flagged row, or end. Checks eight rows at once.
PFC_FN int32_t pfc_next_ended(const PfcGames* g, int32_t game, int32_t end) {
  const int64_t agents = g->agents, last = end * agents;
  int64_t row = game * agents;
  for (; row + 8 <= last; row += 8) {
    uint64_t terminated, truncated;
    memcpy(&terminated, g->terminated + row, 8);
    memcpy(&truncated, g->truncated + row, 8);
    if (terminated | truncated) break;
  }
  for (; row < last; ++row)
    if (g->terminated[row] | g->truncated[row]) return (int32_t)(row / agents);
  return end;
}

// ---- ranges of games -------------------------------------------------------------------------------------

PFC_FN PfcRange pfc_range_of(const PfcGames* g, int32_t begin, int32_t end, unsigned char* observations) {
  PfcRange range;
  range.states = g->states;
  range.state_stride = g->state_stride;
  range.params = g->params;
  range.begin = begin;
  range.end = end;
  range.agents = g->agents;
  range.action_dims = g->action_dims;
  range.obs_bytes = g->obs_bytes;
  range.io.actions = (const int32_t*)g->actions;
  range.io.controls = (const float*)g->actions;
  range.io.rewards = g->rewards;
  range.io.terminated = g->terminated;
  range.io.truncated = g->truncated;
  range.io.alive = g->alive;
  range.obs = observations;
  return range;
}

// If agents have their own episodes, stopped rows of a running game get reward 0 and keep the flags of their end.
PFC_FN void pfc_keep_stopped_rows(const PfcGames* g, int64_t begin, int64_t end) {
  for (int64_t row = begin; row < end; ++row) {
    if (g->stopped[row] == PFC_ROW_RUNS) continue;
    g->rewards[row] = 0.0f;
    g->terminated[row] = g->stopped[row] == PFC_ROW_TERMINATED;
    g->truncated[row] = g->stopped[row] == PFC_ROW_TRUNCATED;
  }
}

PFC_FN void pfc_clear_row(const PfcGames* g, int64_t row) {
  g->rewards[row] = 0.0f;
  g->terminated[row] = g->truncated[row] = 0;
}

// With next-step autoreset, stopped rows of games with `respawn` start their next episode in place of a step.
PFC_FN void pfc_respawn_stopped_rows(const PfcGames* g, const PfcCalls* calls, int64_t begin, int64_t end) {
  for (int64_t row = begin; row < end; ++row) {
    if (g->stopped[row] == PFC_ROW_RUNS) continue;
    pfc_clear_row(g, row);
    pfc_respawn_row(g, calls, (int32_t)(row / g->agents), row);
  }
}

// Steps games [begin, end), none of which is stopped. Returns the number of rows that ended.
PFC_FN int32_t pfc_step_all(const PfcGames* g, const PfcCalls* calls, int32_t begin, int32_t end) {
  const int64_t agents = g->agents;
  const int64_t first = begin * agents, last = end * agents;
  memset(g->rewards + first, 0, sizeof(float) * (size_t)(last - first));
  memset(g->terminated + first, 0, (size_t)(last - first));
  memset(g->truncated + first, 0, (size_t)(last - first));
  const PfcRange range = pfc_range_of(g, begin, end, NULL);
  calls->step_range(&range);
  const bool any = pfc_finish_rows(g, first, last);
  if (g->has_respawn && g->autoreset == PFC_AUTORESET_DISABLED) pfc_keep_stopped_rows(g, first, last);
  if (g->has_respawn && g->autoreset == PFC_AUTORESET_NEXT_STEP) pfc_respawn_stopped_rows(g, calls, first, last);
  if (!any) return 0;
  if (agents > 1 && !g->has_respawn) pfc_spread_flags(g, begin, end);
  int32_t ended = 0;
  for (int32_t game = pfc_next_ended(g, begin, end); game < end; game = pfc_next_ended(g, game + 1, end))
    ended += pfc_end_episodes(g, calls, game);
  return ended;
}

// Whether all rows of the game are stopped.
PFC_FN bool pfc_is_stopped(const PfcGames* g, int32_t game) {
  const int64_t agents = g->agents, first = game * agents;
  int64_t stopped = 0;
  while (stopped < agents && g->stopped[first + stopped] != PFC_ROW_RUNS) ++stopped;
  return stopped == agents;
}

// What a step does with a stopped game: with next-step autoreset it starts the next episode, else it changes nothing.
// The reward is 0.
PFC_FN void pfc_pass_stopped_game(const PfcGames* g, const PfcCalls* calls, int32_t game) {
  const int64_t agents = g->agents, first = game * agents;
  if (g->autoreset == PFC_AUTORESET_DISABLED) {
    memset(g->rewards + first, 0, sizeof(float) * (size_t)agents);
  } else if (g->has_respawn) {
    pfc_respawn_stopped_rows(g, calls, first, first + agents);
  } else {
    for (int64_t row = first; row < first + agents; ++row) pfc_clear_row(g, row);
    pfc_reset_game(g, calls, game);
  }
}

// The first game in [game, end) with all rows stopped, or end.
PFC_FN int32_t pfc_next_stopped(const PfcGames* g, int32_t game, int32_t end) {
  while (game < end && !pfc_is_stopped(g, game)) ++game;
  return game;
}

// ---- steps, resets, observations -------------------------------------------------------------------------

// Steps games [begin, end) with the actions of `g`, with autoreset. Returns the number of rows that ended. Observations
// and masks are written afterwards.
PFC_FN int32_t pfc_step_games(const PfcGames* g, const PfcCalls* calls, int32_t begin, int32_t end) {
  const bool stops = g->autoreset != PFC_AUTORESET_SAME_STEP;
  int32_t ended = 0;
  for (int32_t game = begin; game < end;) {
    const int32_t run_end = stops ? pfc_next_stopped(g, game, end) : end;
    if (run_end > game) ended += pfc_step_all(g, calls, game, run_end);
    for (game = run_end; game < end && pfc_is_stopped(g, game); ++game) pfc_pass_stopped_game(g, calls, game);
  }
  return ended;
}

// Resets `game`, or respawns those of its rows that desc->mask names.
PFC_FN void pfc_reset_rows(const PfcGames* g, const PfcCalls* calls, int32_t game, const PfcResetDesc* desc) {
  const int64_t agents = g->agents, first = game * agents;
  int64_t masked = agents;
  if (desc->mask) {
    masked = 0;
    for (int64_t i = 0; i < agents; ++i) masked += desc->mask[first + i] != 0;
  }
  for (int64_t row = first; row < first + agents; ++row)
    if (!desc->mask || desc->mask[row]) pfc_clear_row(g, row);
  if (masked == agents) {
    if (desc->seeds) pfc_rng_seed(pfc_game_rng(g, game), desc->seeds[game], 0);
    else if (desc->has_seed) pfc_seed_game(g, game, desc->seed);
    pfc_reset_game(g, calls, game);
  } else if (masked > 0) {
    for (int64_t row = first; row < first + agents; ++row)
      if (desc->mask[row]) pfc_respawn_row(g, calls, game, row);
  }
}

// Writes observations of games [begin, end) to `target`, batch row 0, and their masks; legal as for pfc_write_masks.
PFC_FN void pfc_observe_games(const PfcGames* g, const PfcCalls* calls, int32_t begin, int32_t end,
                              unsigned char* target, uint8_t* legal) {
  const PfcRange range = pfc_range_of(g, begin, end, target);
  calls->observe_range(&range);
  if (g->mask_words) pfc_write_masks(g, calls, begin, end, legal);
}

#endif  // PUFFERC_POOL_STEP_H
