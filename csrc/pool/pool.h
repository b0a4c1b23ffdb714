// pool.h - the pool's struct, shared by the files that implement it:
//
//   pool.c      creation, memory, closing, parameters, drawing
//   guard.c     checks of each call: one thread, one process, right order
//   groups.c    reset, step, send and recv: blocks of games for the worker threads
//   step.c      one step of some games: rules, episode ends, autoreset, observations
//   actions.c   checking and copying actions
//   masks.c     legal choices as bits
//   metrics.c   statistics of finished episodes
//   snapshot.c  save and load
//   crash.c     a message when a game's code ends the process
//   script.c    actions of a game's built-in player
//   fields.c    state fields by name, for tests
//   blocks.c    many steps, run by the threads of the caller
//
// A step moves data like this:
//
//   actions -> check and copy -> step the rules -> rewards, terminated, truncated
//   ended rows -> last observation, statistics -> final_observations, episode_*, metric_sums -> reset or respawn
//   states -> observe, mask -> observations, action_mask, forced -> the caller, for the next actions
//
// One allocation holds every buffer; the pool owns it until pfc_pool_destroy.
// Shapes: G games, A agents per game, N = G * A rows, O observation bytes per row, M game metrics.
#ifndef PUFFERC_POOL_H
#define PUFFERC_POOL_H

#include <stdatomic.h>

#include "core/base.h"
#include "core/workers.h"
#include "games/layout.h"

// The operation of a job on each block of games.
typedef enum PfcJob { PFC_JOB_STEP, PFC_JOB_RESET, PFC_JOB_OBSERVE } PfcJob;

typedef struct PfcGroup {
  PfcPool* pool;
  int32_t begin, end;      // games
  int32_t num_blocks;
  int32_t buffer;          // index of the observation buffer that was written last, 0 or 1
  bool sent;
  PfcJob job;
  unsigned char* target;   // batch row 0 of the observations that the job writes
  _Atomic int32_t ended;   // rows that ended in the latest step
} PfcGroup;

struct PfcPool {
  PfcBuffers buffers;
  const PfcEnvSpec* spec;
  PfcLayout layout;
  unsigned char* params;       // [spec->params_bytes]
  const void* data;            // [data_bytes] borrowed, or NULL
  uint64_t data_bytes;
  uint64_t data_checksum;      // 0 without data
  int32_t max_steps;           // INT32_MAX = no limit
  PfcAutoreset autoreset;
  uint64_t state_stride;
  int32_t games_per_block;

  unsigned char* memory;       // contains all arrays from here to `groups`
  unsigned char* states;       // [G, state_stride]
  unsigned char* observations[2];  // [N, O]
  unsigned char* final_observations;  // [N, O]
  void* actions;               // [N, action_dims] int32 or float32
  float* rewards;              // [N]
  uint8_t *terminated, *truncated, *alive;  // [N]
  uint32_t* action_mask;       // [N, W]; W = 0 in a game without masks
  uint8_t* forced;             // [N] in a masked game
  PfcObsRow* obs_rows;         // [num_obs_rows]
  int32_t* teams;              // [A] in a game with teams
  uint64_t* game_numbers;      // [G] numbers that select each game's random stream
  uint8_t* stopped;            // [N] how a row that waits for its reset ended, 0 = it runs; 0 with same-step autoreset
  float* running_returns;      // [N] of the unfinished episodes
  int32_t* running_lengths;    // [N]
  float* episode_returns;      // [N] of the episodes that just ended
  int32_t* episode_lengths;    // [N]
  float* episode_metrics;      // [N, M]
  double* metric_sums;         // [N, 2 + M] over episodes since the last pop
  int32_t* metric_counts;      // [N] episodes in them
  PfcGroup* groups;            // [num_groups]

  PfcWorkers* workers;
  const PfcResetDesc* reset_desc;  // of the current reset
  int32_t opened;              // games whose spec->open succeeded
  uint64_t generation;         // of the process that created the pool
  bool was_reset, closed;
  _Atomic int32_t busy;        // 0 or 1; an int32_t, since atomics of one byte need a library on RISC-V
};

// guard.c: called at the start and end of every call that uses the games. Refuses closed pools, forked children and a
// second thread.
PfcStatus pfc_pool_enter(PfcPool* pool);
void pfc_pool_leave(PfcPool* pool);

PfcStatus pfc_pool_expect_idle(const PfcPool* pool);     // PFC_STATE while a group was sent and not received
PfcStatus pfc_pool_expect_started(const PfcPool* pool);  // PFC_STATE before the first reset

// step.c: steps games [begin, end), with autoreset, and writes observations to `target`, batch row 0. Returns the
// number of rows that ended.
int32_t pfc_step_games(PfcPool* pool, int32_t begin, int32_t end, unsigned char* target);
// Writes observations and masks only.
void pfc_observe_games(PfcPool* pool, int32_t begin, int32_t end, unsigned char* target);
// Resets `game`, or respawns those of its rows that desc->mask names.
void pfc_reset_rows(PfcPool* pool, int32_t game, const PfcResetDesc* desc);

// groups.c: runs `job` over every group. observations: batch row 0, or NULL for the next buffer.
void pfc_pool_run(PfcPool* pool, PfcJob job, void* observations);

// actions.c: checks rows * action_dims actions and copies them to rows [first_row, first_row + rows).
PfcStatus pfc_copy_actions(PfcPool* pool, int64_t first_row, int64_t rows, const void* actions, PfcDtype dtype);

// masks.c: writes action_mask and forced of games [begin, end), from their states and alive flags.
void pfc_write_masks(PfcPool* pool, int32_t begin, int32_t end);
// PFC_INVALID if a choice in rows [first_row, first_row + rows) of pool->actions is illegal; the message names it.
PfcStatus pfc_check_legal(const PfcPool* pool, int64_t first_row, int64_t rows);

// metrics.c: records the statistics of row `row` of `game`, whose episode ends now.
void pfc_record_episode(PfcPool* pool, int32_t game, int64_t row);

static inline void* pfc_state_of(const PfcPool* pool, int32_t game) {
  return pool->states + (uint64_t)game * pool->state_stride;
}

static inline PfcRng* pfc_rng_of(const PfcPool* pool, int32_t game) {
  return (PfcRng*)((unsigned char*)pfc_state_of(pool, game) + pool->spec->rng_offset);
}

static inline void pfc_seed_game(const PfcPool* pool, int32_t game, uint64_t seed) {
  pfc_rng_seed(pfc_rng_of(pool, game), seed, pool->game_numbers[game]);
}

#endif  // PUFFERC_POOL_H
