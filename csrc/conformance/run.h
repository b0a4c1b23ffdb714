// run.h - the current check, its pools and its players, shared by the files of the checks.
//
//   conformance.c  the order of the checks; memory, built-in players, long runs, speed
//   run.c          findings, pools, random play
//   tables.c       tables that depend on parameters
//   compare.c      pairs of pools that must be equal or should differ
#ifndef PUFFERC_CONFORMANCE_RUN_H
#define PUFFERC_CONFORMANCE_RUN_H

#include "conformance/conformance.h"
#include "conformance/guard.h"
#include "conformance/play.h"
#include "pool/pool.h"

enum { PFC_CHECK_GAMES = 6, PFC_CHECK_MAX_STEPS = 2000 };

// The current check: its arguments and the spec that its pools use now, wrapped by the guard or not.
typedef struct PfcCheck {
  const PfcCheckDesc* desc;
  const PfcEnvSpec* spec;
} PfcCheck;
extern PfcCheck pfc_check;

// Starts a check. Findings of the same code and subject are reported once.
void pfc_check_begin(const PfcCheckDesc* desc);
void pfc_check_report(const PfcFinding* finding);
void pfc_check_find(PfcSeverity severity, const char* code, const char* subject, int64_t game, int64_t step,
                    const char* seen);

// A pool, its buffers, and the actions of its next step [rows, action_dims]. pool is NULL if it could not be created.
typedef struct PfcPlayer {
  PfcPool* pool;
  const PfcBuffers* b;
  void* actions;
} PfcPlayer;

// `wanted` games in each of `pools` pools, or as many as the game allows.
int32_t pfc_check_games(int32_t wanted, int32_t pools);
PfcPoolDesc pfc_check_pool(int32_t games, uint64_t seed);
PfcPlayer pfc_player_open(const PfcPoolDesc* desc);
void pfc_player_close(PfcPlayer* player);
void pfc_player_reset(PfcPlayer* player, const char* stage, const PfcResetDesc* desc);
void pfc_player_act(PfcPlayer* player, const char* stage, int64_t step);   // with player->actions
void pfc_player_step(PfcPlayer* player, const char* stage, int64_t step);  // with random ones
// Actions of the game's built-in player for all rows, into `actions` [rows, action_dims]; its levels take turns.
void pfc_player_script(PfcPlayer* player, const char* stage, int64_t step, void* actions);
// Number of steps that a stage plays with `games` games: at most max_steps, fewer for games with large states.
int32_t pfc_player_steps(const PfcPlayer* player, int32_t games, int32_t max_steps);

// tables.c: PFC_INVALID if the parameters are invalid. *sound is set to whether a pool can be created with the tables.
PfcStatus pfc_check_tables(bool* sound);

// compare.c
void pfc_check_repeat(void);
void pfc_check_position(void);
void pfc_check_threads(void);
void pfc_check_snapshot(void);
void pfc_check_script(void);
void pfc_check_seeds(void);
void pfc_check_actions(void);

#endif  // PUFFERC_CONFORMANCE_RUN_H
