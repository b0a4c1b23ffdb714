// pool.h - the pool's struct, shared by the files that implement it:
//
//   pool.c      creation, memory, closing, parameters, drawing
//   guard.c     checks of each call: one thread, one process, right order
//   groups.c    reset, step, send and recv: blocks of games for the worker threads
//   games.h     the games: sizes and memory
//   step.h      one step of some games: rules, episode ends, autoreset, statistics, observations
//   masks.h     legal choices as bits
//   step.c      runs step.h on a block of games
//   actions.c   checking and copying actions
//   metrics.c   means over finished episodes
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
// Shapes as in games.h.
#ifndef PUFFERC_POOL_H
#define PUFFERC_POOL_H

#include <stdatomic.h>

#include "core/base.h"
#include "core/workers.h"
#include "games/layout.h"
#include "pool/games.h"

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
  PfcGames games;
  uint64_t data_checksum;      // 0 without data
  int32_t games_per_block;

  unsigned char* memory;       // contains the arrays of `games` and the three below
  PfcObsRow* obs_rows;         // [num_obs_rows]
  int32_t* teams;              // [A] in a game with teams
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
int32_t pfc_pool_step_games(PfcPool* pool, int32_t begin, int32_t end, unsigned char* target);
// Writes observations and masks only.
void pfc_pool_observe_games(PfcPool* pool, int32_t begin, int32_t end, unsigned char* target);
// Resets `game`, or respawns those of its rows that desc->mask names.
void pfc_pool_reset_game(PfcPool* pool, int32_t game, const PfcResetDesc* desc);

// groups.c: runs `job` over every group. observations: batch row 0, or NULL for the next buffer.
void pfc_pool_run(PfcPool* pool, PfcJob job, void* observations);

// actions.c: checks rows * action_dims actions and copies them to rows [first_row, first_row + rows).
PfcStatus pfc_copy_actions(PfcPool* pool, int64_t first_row, int64_t rows, const void* actions, PfcDtype dtype);

#endif  // PUFFERC_POOL_H
