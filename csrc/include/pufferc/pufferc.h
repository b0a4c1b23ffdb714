// pufferc.h - the C API: thousands of small games stepped together.
//
//   #include <pufferc/pufferc.h>
//
//   PfcPoolDesc desc = {.env = "breakout", .num_games = 1024, .num_threads = 2, .seed = 1};
//   PfcPool* pool = pfc_pool_create(&desc);
//   if (!pool) { fprintf(stderr, "%s\n", pfc_last_error()); return 1; }
//   pfc_pool_reset(pool, NULL);
//   const PfcBuffers* b = pfc_pool_buffers(pool);
//   int32_t actions[1024] = {0};                                   // one row per agent
//   for (int t = 0; t < 1000; ++t) {
//     const float* obs = b->observations;                          // [rows, obs]: choose actions from it
//     if (pfc_pool_step(pool, actions, PFC_INT32, NULL)) { fprintf(stderr, "%s\n", pfc_last_error()); break; }
//   }                                                              // b->rewards, b->terminated, ... are new
//   pfc_pool_destroy(pool);
//
// Shapes: a pool holds num_games games of `agents` rows each; every buffer has rows = games * agents
// rows, the rows of one game adjacent, and is contiguous, 64-byte aligned and owned by the pool.
//
// What a step returns, for row i: rewards[i] is what the action caused; terminated[i] = 1 if the episode
// ended by the rules, truncated[i] = 1 if it was cut short (never both); observations[i] is what the next
// action is chosen from. With PFC_AUTORESET_SAME_STEP that is the first observation of the new
// episode, and the last one of the old is final_observations[i], valid until the next step. alive[i] = 1
// if the row acts in the next step.
//
// Repeatability: results depend on game, version, parameters and seeds alone, bit for bit; never on
// the number of threads, groups or the order of sends.
//
// Errors: functions return PFC_OK (0) or another PfcStatus, creation returns NULL; pfc_last_error() then
// says what, with the name and value at fault. A call that fails has changed nothing.
//
// Threads: different pools may be used at the same time. Two threads in one pool at the same time get
// PFC_BUSY. After fork() a pool works in the parent only; in the child every call but
// pfc_pool_destroy gives PFC_FORKED.
#ifndef PUFFERC_H
#define PUFFERC_H

#include "pufferc/env.h"

#ifdef __cplusplus
extern "C" {
#endif

#define PFC_API PFC_EXPORT

typedef enum PfcStatus {
  PFC_OK = 0,
  PFC_INVALID = 1,      // an argument does not fit
  PFC_BUSY = 2,         // another thread is inside this pool
  PFC_FORKED = 3,       // the pool belongs to the parent process
  PFC_CLOSED = 4,       // the pool was closed
  PFC_STATE = 5,        // not now: step before reset, recv without send, ...
  PFC_UNSUPPORTED = 6,  // this game cannot do that
  PFC_NO_MEMORY = 7
} PfcStatus;

// Message and status of the last failed call in this thread, "" and PFC_OK if none. The message is valid until the next
// failure. Functions that return a pointer leave their status here.
PFC_API const char* pfc_last_error(void);
PFC_API PfcStatus pfc_last_status(void);
PFC_API const char* pfc_version(void);  // "0.1.0"
PFC_API uint32_t pfc_abi_version(void);  // PFC_ABI_VERSION that the library was built with

// ---- the games -------------------------------------------------------------------------------------

PFC_API int32_t pfc_env_count(void);
PFC_API const PfcEnvSpec* pfc_env_at(int32_t index);         // NULL outside [0, count); by name, ascending
PFC_API const PfcEnvSpec* pfc_env_find(const char* name);    // NULL: no such game; the message suggests one
// 0 if a spec (of a loaded module, say) is consistent and of this ABI; else PFC_INVALID.
PFC_API PfcStatus pfc_env_validate(const PfcEnvSpec* spec);

// ---- pools -----------------------------------------------------------------------------------------

typedef struct PfcPool PfcPool;

typedef enum PfcAutoreset {
  PFC_AUTORESET_SAME_STEP = 0,  // an ended game is reset within the step that ended it
  PFC_AUTORESET_DISABLED = 1    // it stands still (reward 0, flags kept, alive 0) until it is reset; where agents live
                                // by themselves, each stands still from its own end on while the others play
} PfcAutoreset;

typedef struct PfcParamValue {
  const char* name;
  double value;
} PfcParamValue;

// Limits of a pool. What is above them is refused before any memory is touched.
#define PFC_MAX_ROWS (1 << 28)  // games times the agents of one
#define PFC_MAX_THREADS 256
#define PFC_MAX_GROUPS 256

// Zero means default for every field but num_games, and env or spec.
typedef struct PfcPoolDesc {
  const char* env;             // name of a built-in game,
  const PfcEnvSpec* spec;      // or a spec; it must outlive the pool
  int32_t num_games;           // >= 1; at most PFC_MAX_ROWS rows
  int32_t num_threads;         // threads that step, the caller included; 0 = 1; at most PFC_MAX_THREADS
  int32_t num_groups;          // 0 = 1; at most PFC_MAX_GROUPS; divides num_games
  PfcAutoreset autoreset;
  uint64_t seed;
  const PfcParamValue* params; // [num_params] overrides of the parameter table
  int32_t num_params;
  const uint64_t* game_numbers;  // [num_games], copied, or NULL = 0, 1, 2, ...: where the games stand in a larger set,
                                 // so that a part of it plays what the whole would
  const void* data;            // [data_bytes] of a file for games that read one (a map), or NULL; borrowed, read only,
  uint64_t data_bytes;         // it must outlive the pool
} PfcPoolDesc;

// The pool's buffers. The struct lives as long as the pool; only `observations` changes: it points to
// one of two buffers in turn, or to the caller's array of the latest step or reset. With groups, each
// group alternates by itself: use pfc_pool_group_observations.
typedef struct PfcBuffers {
  const PfcEnvSpec* spec;
  int32_t num_games, agents, rows, num_groups;
  int32_t obs_dims, obs_shape[PFC_MAX_OBS_DIMS];
  uint64_t obs_bytes;            // of one row
  int32_t discrete;              // 1: actions int32 [rows, action_dims]; 0: float32, each in [-1, 1]
  int32_t action_dims, action_counts[PFC_MAX_ACTION_DIMS];
  int32_t num_choices;           // K = sum(action_counts); 0 in a continuous game
  int32_t num_metrics;
  int32_t num_obs_rows;
  const PfcObsRow* obs_rows;     // [num_obs_rows] the observation table for these parameters, without a count of 0
                                 // except for an empty last row
  int32_t num_teams;             // 0 = the game has no sides
  const int32_t* teams;          // [agents] side of each agent, 0 to num_teams - 1; NULL without sides
  int32_t mask_words;            // W = ceil(K / 32) in a masked game, else 0
  const uint32_t* action_mask;   // [rows, W] or NULL: bit k % 32 of word k / 32 is 1 if choice k may be made in the next
                                 // step; dimensions side by side without padding; bits from K on are 0. Written with the
                                 // observations. Rows with alive = 0: all K bits are 1
  const uint8_t* forced;         // [rows] or NULL: 1 = one legal choice in every dimension, so nothing to decide; 0 in
                                 // rows with alive = 0
  const void* observations;      // [rows, obs_shape...] of spec->obs_dtype
  const void* final_observations;  // the same; only rows where terminated or truncated, until the next step
  const float* rewards;          // [rows]
  const uint8_t* terminated;     // [rows]
  const uint8_t* truncated;      // [rows]
  const uint8_t* alive;          // [rows]
  const float* episode_returns;  // [rows] of the episodes that this step ended, like final_observations
  const int32_t* episode_lengths;  // [rows] of the same episodes, in steps
  const float* episode_metrics;  // [rows, num_metrics] of the same episodes, in the order of spec->metrics
} PfcBuffers;

PFC_API PfcPool* pfc_pool_create(const PfcPoolDesc* desc);
// Ends the threads; the buffers stay readable until pfc_pool_destroy. Further calls give PFC_CLOSED.
PFC_API PfcStatus pfc_pool_close(PfcPool* pool);
PFC_API void pfc_pool_destroy(PfcPool* pool);  // NULL is allowed
// NULL for NULL.
PFC_API const PfcBuffers* pfc_pool_buffers(const PfcPool* pool);
// Value in force of parameter `index` of spec->params; 0 with the last error set if there is none.
PFC_API double pfc_pool_param(const PfcPool* pool, int32_t index);
// Sets a parameter for all games, for schedules; between steps. In force from the next step or reset on: observations
// and masks at hand are not written again. Refused where the layout, the observation table or the sides would change, and
// where the pool's data would no longer fit.
PFC_API PfcStatus pfc_pool_set_param(PfcPool* pool, const char* name, double value);

typedef struct PfcResetDesc {
  int32_t has_seed;         // 1: game number i draws from the stream (seed, i); 0: the streams continue
  uint64_t seed;
  const uint64_t* seeds;    // [num_games] or NULL: game i draws from the stream (seeds[i], 0)
  const uint8_t* mask;      // [rows] or NULL: 1 = reset this row. Rows of one game go together unless agents
                            // live by themselves. Seeds apply to games whose rows are all masked.
  void* observations;       // [rows, obs] or NULL: write the observations here
} PfcResetDesc;

// Starts new episodes; NULL resets every game with its stream continued. A pool that was never reset
// starts from the seed of its PfcPoolDesc.
PFC_API PfcStatus pfc_pool_reset(PfcPool* pool, const PfcResetDesc* desc);

// One step of every game. actions: [rows, action_dims] of int32 or int64 (discrete) or float32
// (continuous: NaN and infinity are refused, the rest is clamped to [-1, 1]). They are checked, in a masked game
// against action_mask, and copied before anything moves. observations: NULL, or the caller's [rows, obs] array to write into. After sends that left the
// groups' buffers out of step, one group's previous observations may be overwritten.
PFC_API PfcStatus pfc_pool_step(PfcPool* pool, const void* actions, PfcDtype dtype, void* observations);

// The same in halves, for one group of games: actions and observations are [rows / num_groups, ...].
// Each send is followed by one recv of that group; other groups may be sent and received in between.
PFC_API PfcStatus pfc_pool_send(PfcPool* pool, int32_t group, const void* actions, PfcDtype dtype,
                                void* observations);
PFC_API PfcStatus pfc_pool_recv(PfcPool* pool, int32_t group);
// Latest observations of a group; NULL before the first reset.
PFC_API const void* pfc_pool_group_observations(const PfcPool* pool, int32_t group);
// How many rows ended in the latest step of a group; group -1: of all groups.
PFC_API int32_t pfc_pool_ended(const PfcPool* pool, int32_t group);

// Means over the episodes that ended since the last call (or over this pool's life), then forgets them.
// values: [2 + num_metrics]: return, length, then the game's metrics. Rows are summed in order, in
// double precision. *episodes = 0 leaves values zero.
PFC_API PfcStatus pfc_pool_pop_metrics(PfcPool* pool, int64_t* episodes, double* values);

// Snapshots: every game, its random stream and its unfinished episode's statistics. A pool of the same
// game, version, parameters, data, games and autoreset takes it, whatever its threads and groups; anything
// else, or a damaged one, is refused. After load, observations show the restored games. The checksum
// guards against damage, not against forgery: load only what you trust.
PFC_API uint64_t pfc_pool_snapshot_bytes(const PfcPool* pool);
PFC_API PfcStatus pfc_pool_save(PfcPool* pool, void* buffer, uint64_t bytes);
PFC_API PfcStatus pfc_pool_load(PfcPool* pool, const void* buffer, uint64_t bytes, void* observations);

// Actions of a game's built-in player.
typedef struct PfcScriptDesc {
  int32_t level;        // 0 to spec->num_levels - 1
  int32_t num_rows;
  const int32_t* rows;  // [num_rows] rows to fill, or NULL = all rows of the pool (num_rows = rows)
  uint64_t seed, step;  // row r of a game draws from (seed, step, number of the row in the whole set of games) alone, so
                        // any division into threads, pools and calls gives the same actions
  void* actions;        // [num_rows, action_dims] int32 or float32 out, the caller's
} PfcScriptDesc;

// Fills desc->actions for the games as they are now; zeros in rows with alive = 0. Changes no game. Between recv and send
// only.
PFC_API PfcStatus pfc_pool_script(PfcPool* pool, const PfcScriptDesc* desc);

// State fields, for tests and debugging. Index of a field of spec->fields by name, -1 with the last error set if there
// is none; and its entry for the pool's parameters.
PFC_API int32_t pfc_pool_find_field(const PfcPool* pool, const char* name);
PFC_API PfcStatus pfc_pool_field(const PfcPool* pool, int32_t index, PfcField* field);
// Copies a field of every game out, values [num_games, count] of field.dtype, `bytes` in all.
PFC_API PfcStatus pfc_pool_get_field(PfcPool* pool, int32_t index, void* values, uint64_t bytes);
// Copies values in and writes observations and masks again, into the next buffer or the caller's [rows, obs] array.
// Games that own something outside their state (spec->open) refuse it. Nothing checks the values: a state that the rules
// cannot reach is the caller's business.
PFC_API PfcStatus pfc_pool_set_field(PfcPool* pool, int32_t index, const void* values, uint64_t bytes, void* observations);

// Draws one game, following draw->agent. Between recv and send only.
PFC_API PfcStatus pfc_pool_draw(PfcPool* pool, int32_t game, const PfcDraw* draw);

#ifdef __cplusplus
}
#endif

#endif  // PUFFERC_H
