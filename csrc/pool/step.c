// step.c - one step of a block of games: the rules, ends of episodes, autoreset, observations.
//
// The order for every game is: step and flags of all rows; final observations and statistics of rows that ended; reset
// (or respawn, in index order); observations of all rows.
#include <string.h>

#include "pool/crash.h"
#include "pool/pool.h"

enum { ROW_RUNS = 0, ROW_TERMINATED = 1, ROW_TRUNCATED = 2 };  // values of pool->stopped

// ---- ends of episodes ------------------------------------------------------------------------------------

typedef struct RowEnds {
  const float* rewards;
  float* returns;
  uint8_t *terminated, *truncated;
  int32_t* lengths;
  int32_t max_steps;
} RowEnds;

// Updates returns and lengths of rows [begin, end), truncates episodes at max_steps, and makes the flags 0 or 1, where
// terminated wins. Returns whether any row ended.
PFC_MULTIVERSION static bool finish_rows(const RowEnds* ends, int64_t begin, int64_t end) {
  const RowEnds s = *ends;
  uint8_t ended = 0;
  PFC_INDEPENDENT_LOOP_
  for (int64_t i = begin; i < end; ++i) {
    const int32_t length = s.lengths[i] + (s.lengths[i] < INT32_MAX);
    const uint8_t terminated = s.terminated[i] != 0;
    const uint8_t late = (length >= s.max_steps) & (s.max_steps != INT32_MAX);  // INT32_MAX = no limit
    const uint8_t truncated = (uint8_t)(((s.truncated[i] != 0) | late) & !terminated);
    s.lengths[i] = length;
    s.returns[i] += s.rewards[i];
    s.terminated[i] = terminated;
    s.truncated[i] = truncated;
    ended |= (uint8_t)(terminated | truncated);
  }
  return ended != 0;
}

// A shared episode ends for all rows of a game in the same way: terminated if any row was, else truncated.
static void spread_flags(PfcPool* pool, int32_t begin, int32_t end) {
  const int64_t agents = pool->layout.agents;
  for (int64_t game = begin; game < end; ++game) {
    uint8_t* terminated = pool->terminated + game * agents;
    uint8_t* truncated = pool->truncated + game * agents;
    uint8_t any_terminated = 0, any_truncated = 0;
    for (int64_t i = 0; i < agents; ++i) any_terminated |= terminated[i], any_truncated |= truncated[i];
    if (!(any_terminated | any_truncated)) continue;
    memset(terminated, any_terminated, (size_t)agents);
    memset(truncated, !any_terminated, (size_t)agents);
  }
}

// ---- new episodes ------------------------------------------------------------------------------------

static void begin_episode(PfcPool* pool, int64_t row) {
  pool->running_returns[row] = 0.0f;
  pool->running_lengths[row] = 0;
  pool->alive[row] = 1;
  pool->stopped[row] = ROW_RUNS;
}

static void reset_game(PfcPool* pool, int32_t game) {
  const PfcEnvSpec* spec = pool->spec;
  unsigned char* state = pfc_state_of(pool, game);
  if (!spec->open) {
    PfcRng rng;
    memcpy(&rng, state + spec->rng_offset, sizeof rng);
    memset(state, 0, (size_t)pool->layout.state_bytes);
    memcpy(state + spec->rng_offset, &rng, sizeof rng);
  }
  const int64_t first = (int64_t)game * pool->layout.agents;
  for (int64_t i = 0; i < pool->layout.agents; ++i) begin_episode(pool, first + i);
  if (pool->data) spec->reset_from(state, pool->params, pool->data, pool->data_bytes);
  else spec->reset_one(state, pool->params);
}

static void respawn_row(PfcPool* pool, int32_t game, int64_t row) {
  const PfcEnvSpec* spec = pool->spec;
  const int32_t agent = (int32_t)(row - (int64_t)game * pool->layout.agents);
  void* state = pfc_state_of(pool, game);
  begin_episode(pool, row);
  if (pool->data) spec->respawn_from(state, pool->params, agent, pool->data, pool->data_bytes);
  else spec->respawn(state, pool->params, agent);
}

static bool row_ends(const PfcPool* pool, int64_t row) {
  return (pool->terminated[row] | pool->truncated[row]) && pool->stopped[row] == ROW_RUNS;
}

// The flagged rows of one game are stopped until they are reset: by the caller, or with next-step autoreset by the
// following step.
static void stop_rows(PfcPool* pool, int64_t first, int64_t agents) {
  for (int64_t row = first; row < first + agents; ++row) {
    if (!row_ends(pool, row)) continue;
    pool->stopped[row] = pool->terminated[row] ? ROW_TERMINATED : ROW_TRUNCATED;
    pool->alive[row] = 0;
  }
}

// Ends the flagged rows of one game. Returns their number.
static int32_t end_episodes(PfcPool* pool, int32_t game) {
  const PfcEnvSpec* spec = pool->spec;
  const int64_t agents = pool->layout.agents, first = (int64_t)game * agents;
  const uint64_t obs_bytes = pool->buffers.obs_bytes;
  int32_t ended = 0;
  for (int64_t row = first; row < first + agents; ++row) {
    if (!row_ends(pool, row)) continue;
    ++ended;
    spec->observe_one(pfc_state_of(pool, game), pool->params, (int32_t)(row - first),
                      pool->final_observations + (uint64_t)row * obs_bytes);
    pfc_record_episode(pool, game, row);
  }
  if (ended == 0) return 0;
  if (pool->autoreset != PFC_AUTORESET_SAME_STEP) {
    stop_rows(pool, first, agents);
  } else if (spec->respawn) {
    for (int64_t row = first; row < first + agents; ++row)
      if (pool->terminated[row] | pool->truncated[row]) respawn_row(pool, game, row);
  } else {
    reset_game(pool, game);
  }
  return ended;
}

// The next game in [game, end) with a flagged row, or end. Checks eight rows at once.
static int32_t next_ended(const PfcPool* pool, int32_t game, int32_t end) {
  const int64_t agents = pool->layout.agents;
  int64_t row = game * agents;
  const int64_t last = end * agents;
  for (; row + 8 <= last; row += 8) {
    uint64_t terminated, truncated;
    memcpy(&terminated, pool->terminated + row, 8);
    memcpy(&truncated, pool->truncated + row, 8);
    if (terminated | truncated) break;
  }
  for (; row < last; ++row)
    if (pool->terminated[row] | pool->truncated[row]) return (int32_t)(row / agents);
  return end;
}

// ---- blocks ------------------------------------------------------------------------------------------

static PfcRange range_of(const PfcPool* pool, int32_t begin, int32_t end, unsigned char* observations) {
  PfcRange range = {
      .states = pool->states,
      .state_stride = pool->state_stride,
      .params = pool->params,
      .begin = begin,
      .end = end,
      .agents = pool->layout.agents,
      .action_dims = pool->buffers.action_dims,
      .obs_bytes = pool->buffers.obs_bytes,
      .io = {.actions = pool->actions,
             .controls = pool->actions,
             .rewards = pool->rewards,
             .terminated = pool->terminated,
             .truncated = pool->truncated,
             .alive = pool->alive},
      .obs = observations,
  };
  return range;
}

// If agents have their own episodes, stopped rows of a running game get reward 0 and keep the flags of their end.
static void keep_stopped_rows(PfcPool* pool, int64_t begin, int64_t end) {
  for (int64_t row = begin; row < end; ++row) {
    if (pool->stopped[row] == ROW_RUNS) continue;
    pool->rewards[row] = 0.0f;
    pool->terminated[row] = pool->stopped[row] == ROW_TERMINATED;
    pool->truncated[row] = pool->stopped[row] == ROW_TRUNCATED;
  }
}

static void clear_row(PfcPool* pool, int64_t row) {
  pool->rewards[row] = 0.0f;
  pool->terminated[row] = pool->truncated[row] = 0;
}

// With next-step autoreset, stopped rows of games with `respawn` start their next episode in place of a step.
static void respawn_stopped_rows(PfcPool* pool, int64_t begin, int64_t end) {
  for (int64_t row = begin; row < end; ++row) {
    if (pool->stopped[row] == ROW_RUNS) continue;
    clear_row(pool, row);
    respawn_row(pool, (int32_t)(row / pool->layout.agents), row);
  }
}

// Steps games [begin, end), none of which is stopped. Returns the number of rows that ended.
static int32_t step_all(PfcPool* pool, int32_t begin, int32_t end) {
  const int64_t agents = pool->layout.agents;
  const int64_t first = begin * agents, last = end * agents;
  memset(pool->rewards + first, 0, sizeof(float) * (size_t)(last - first));
  memset(pool->terminated + first, 0, (size_t)(last - first));
  memset(pool->truncated + first, 0, (size_t)(last - first));
  const PfcRange range = range_of(pool, begin, end, NULL);
  pool->spec->step_range(&range);
  const RowEnds ends = {pool->rewards,   pool->running_returns, pool->terminated,
                         pool->truncated, pool->running_lengths, pool->max_steps};
  const bool any = finish_rows(&ends, first, last);
  if (pool->spec->respawn && pool->autoreset == PFC_AUTORESET_DISABLED) keep_stopped_rows(pool, first, last);
  if (pool->spec->respawn && pool->autoreset == PFC_AUTORESET_NEXT_STEP) respawn_stopped_rows(pool, first, last);
  if (!any) return 0;
  if (agents > 1 && !pool->spec->respawn) spread_flags(pool, begin, end);
  int32_t ended = 0;
  for (int32_t game = next_ended(pool, begin, end); game < end; game = next_ended(pool, game + 1, end))
    ended += end_episodes(pool, game);
  return ended;
}

// Whether all rows of the game are stopped.
static bool is_stopped(const PfcPool* pool, int32_t game) {
  const int64_t agents = pool->layout.agents, first = game * agents;
  int64_t stopped = 0;
  while (stopped < agents && pool->stopped[first + stopped] != ROW_RUNS) ++stopped;
  return stopped == agents;
}

// What a step does with a stopped game: with next-step autoreset it starts the next episode, else it changes nothing.
// The reward is 0.
static void pass_stopped_game(PfcPool* pool, int32_t game) {
  const int64_t agents = pool->layout.agents, first = game * agents;
  if (pool->autoreset == PFC_AUTORESET_DISABLED) {
    memset(pool->rewards + first, 0, sizeof(float) * (size_t)agents);
  } else if (pool->spec->respawn) {
    respawn_stopped_rows(pool, first, first + agents);
  } else {
    for (int64_t row = first; row < first + agents; ++row) clear_row(pool, row);
    reset_game(pool, game);
  }
}

// Steps the running games.
static int32_t step_running(PfcPool* pool, int32_t begin, int32_t end) {
  int32_t ended = 0;
  for (int32_t game = begin; game < end;) {
    int32_t run_end = game;
    while (run_end < end && !is_stopped(pool, run_end)) ++run_end;
    if (run_end > game) ended += step_all(pool, game, run_end);
    for (game = run_end; game < end && is_stopped(pool, game); ++game) pass_stopped_game(pool, game);
  }
  return ended;
}

void pfc_reset_rows(PfcPool* pool, int32_t game, const PfcResetDesc* desc) {
  pfc_enter_game();
  const int64_t agents = pool->layout.agents, first = game * agents;
  int64_t masked = agents;
  if (desc->mask) {
    masked = 0;
    for (int64_t i = 0; i < agents; ++i) masked += desc->mask[first + i] != 0;
  }
  for (int64_t row = first; row < first + agents; ++row)
    if (!desc->mask || desc->mask[row]) clear_row(pool, row);
  if (masked == agents) {
    if (desc->seeds) pfc_rng_seed(pfc_rng_of(pool, game), desc->seeds[game], 0);
    else if (desc->has_seed) pfc_seed_game(pool, game, desc->seed);
    reset_game(pool, game);
  } else if (masked > 0) {
    for (int64_t row = first; row < first + agents; ++row)
      if (desc->mask[row]) respawn_row(pool, game, row);
  }
  pfc_in_game = 0;
}

void pfc_observe_games(PfcPool* pool, int32_t begin, int32_t end, unsigned char* target) {
  const PfcRange range = range_of(pool, begin, end, target);
  pfc_enter_game();
  pool->spec->observe_range(&range);
  if (pool->buffers.mask_words) pfc_write_masks(pool, begin, end);
  pfc_in_game = 0;
}

int32_t pfc_step_games(PfcPool* pool, int32_t begin, int32_t end, unsigned char* target) {
  pfc_enter_game();
  const int32_t ended =
      pool->autoreset == PFC_AUTORESET_SAME_STEP ? step_all(pool, begin, end) : step_running(pool, begin, end);
  pfc_observe_games(pool, begin, end, target);
  return ended;
}
