// pufferc.h - the C API: steps thousands of small games together.
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
//     const float* obs = b->observations;                          // [rows, obs]: choose actions from these
//     if (pfc_pool_step(pool, actions, PFC_INT32, NULL)) { fprintf(stderr, "%s\n", pfc_last_error()); break; }
//   }                                                              // b->rewards, b->terminated, ... are new
//   pfc_pool_destroy(pool);
//
// Shapes: a pool holds num_games games of `agents` rows each. Every buffer has rows = games * agents
// rows, those of one game adjacent. Buffers are contiguous, 64-byte aligned and owned by the pool.
//
// Results of a step for row i: rewards[i] is the reward of the action. terminated[i] = 1 if the rules
// ended the episode, truncated[i] = 1 if it was cut short; never both. observations[i] is the input for
// the next action. With PFC_AUTORESET_SAME_STEP, an ended row has the first observation of its new
// episode there, and the last one of the old episode in final_observations[i], valid until the next
// step. alive[i] = 1 if the row acts in the next step.
//
// Repeatability: results depend only on game, version, parameters and seeds, bit for bit. The number
// of threads, the groups and the order of sends do not matter.
//
// Errors: functions return PFC_OK (0) or another PfcStatus; creation returns NULL. pfc_last_error()
// then names the argument and its value. A call that fails has changed nothing.
//
// Threads: different pools may be used at the same time. A second thread in the same pool gets
// PFC_BUSY. After fork() a pool works in the parent only; in the child every call but
// pfc_pool_destroy returns PFC_FORKED.
#ifndef PUFFERC_H
#define PUFFERC_H

#include "pufferc/env.h"

#ifdef __cplusplus
extern "C" {
#endif

#define PFC_API PFC_EXPORT

typedef enum PfcStatus {
  PFC_OK = 0,
  PFC_INVALID = 1,      // an argument is invalid
  PFC_BUSY = 2,         // another thread is inside this pool
  PFC_FORKED = 3,       // the pool belongs to the parent process
  PFC_CLOSED = 4,       // the pool was closed
  PFC_STATE = 5,        // wrong order of calls: step before reset, recv without send, ...
  PFC_UNSUPPORTED = 6,  // this game cannot do that
  PFC_NO_MEMORY = 7
} PfcStatus;

// Message and status of the last failed call in this thread; "" and PFC_OK if none failed. The message is valid until
// the next failure. Functions that return a pointer report their status here.
PFC_API const char* pfc_last_error(void);
PFC_API PfcStatus pfc_last_status(void);
PFC_API const char* pfc_version(void);  // "0.1.0"
PFC_API uint32_t pfc_abi_version(void);  // the PFC_ABI_VERSION of the library

// ---- games -----------------------------------------------------------------------------------------

PFC_API int32_t pfc_env_count(void);
PFC_API const PfcEnvSpec* pfc_env_at(int32_t index);         // sorted by name; NULL outside [0, count)
PFC_API const PfcEnvSpec* pfc_env_find(const char* name);    // NULL if there is no such game; the error suggests one
// PFC_OK if a spec, such as that of a loaded module, is consistent and has this ABI; else PFC_INVALID.
PFC_API PfcStatus pfc_env_validate(const PfcEnvSpec* spec);
// The game in a shared object that `pufferc build` made, "./mygame.so" (a path with a slash), for pfc_pool_create. The
// object's code is run, and it stays loaded. NULL, with pfc_last_error, if it cannot be loaded or is not a game.
PFC_API const PfcEnvSpec* pfc_env_load(const char* path);

// ---- pools -----------------------------------------------------------------------------------------

typedef struct PfcPool PfcPool;

typedef enum PfcAutoreset {
  PFC_AUTORESET_SAME_STEP = 0,  // an ended game is reset within the step that ended it
  PFC_AUTORESET_DISABLED = 1,   // an ended game is frozen (reward 0, flags kept, alive 0) until it is reset; in games
                                // with `respawn` an ended agent is frozen while the others play
  PFC_AUTORESET_NEXT_STEP = 2   // an ended game is reset by the next step, which ignores its actions and gives reward
                                // 0; in games with `respawn` an ended agent returns after the others have played
} PfcAutoreset;

typedef struct PfcParamValue {
  const char* name;
  double value;
} PfcParamValue;

// Limits of a pool, checked before any memory is allocated.
#define PFC_MAX_ROWS (1 << 28)  // games * agents
#define PFC_MAX_THREADS 256
#define PFC_MAX_GROUPS 256

// Zero means default for every field but num_games, and env or spec.
typedef struct PfcPoolDesc {
  const char* env;             // name of a built-in game,
  const PfcEnvSpec* spec;      // or a spec; it must outlive the pool
  int32_t num_games;           // >= 1; at most PFC_MAX_ROWS rows
  int32_t num_threads;         // threads that step, including the caller's; 0 = 1; at most PFC_MAX_THREADS
  int32_t num_groups;          // 0 = 1; at most PFC_MAX_GROUPS; divides num_games
  PfcAutoreset autoreset;
  uint64_t seed;
  const PfcParamValue* params; // [num_params] overrides of the parameter table
  int32_t num_params;
  const uint64_t* game_numbers;  // [num_games], copied, or NULL = 0, 1, 2, ...: numbers of the games in a larger set.
                                 // Random streams depend on them, so a shard plays as it would in the whole set
  const void* data;            // [data_bytes] of a file for games that read one (a map), or NULL; borrowed and read
  uint64_t data_bytes;         // only, must outlive the pool
} PfcPoolDesc;

// The pool's buffers. The struct lives as long as the pool. Only `observations` changes: it alternates
// between two buffers, or points to the caller's array of the latest step or reset. Groups alternate
// independently; use pfc_pool_group_observations for them.
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
  const PfcObsRow* obs_rows;     // [num_obs_rows] the observation table for these parameters; every count is resolved,
                                 // 0 = an empty last row
  int32_t num_teams;             // 0 = the game has no teams
  const int32_t* teams;          // [agents] team of each agent, 0 to num_teams - 1; NULL without teams
  int32_t mask_words;            // W = ceil(K / 32) in a masked game, else 0
  const uint32_t* action_mask;   // [rows, W] or NULL: bit k % 32 of word k / 32 is 1 if choice k is legal in the next
                                 // step; dimensions side by side without padding; bits K and up are 0. Written with the
                                 // observations. Rows with alive = 0 have all K bits set
  const uint8_t* forced;         // [rows] or NULL: 1 = one legal choice in every dimension, so nothing to decide; 0 in
                                 // rows with alive = 0
  const void* observations;      // [rows, obs_shape...] of spec->obs_dtype
  const void* final_observations;  // the same; set only in rows that are terminated or truncated, until the next step
  const float* rewards;          // [rows]
  const uint8_t* terminated;     // [rows]
  const uint8_t* truncated;      // [rows]
  const uint8_t* alive;          // [rows]
  const float* episode_returns;  // [rows] returns of the episodes that this step ended; set as final_observations are
  const int32_t* episode_lengths;  // [rows] their lengths, in steps
  const float* episode_metrics;  // [rows, num_metrics] their metrics, in the order of spec->metrics
} PfcBuffers;

PFC_API PfcPool* pfc_pool_create(const PfcPoolDesc* desc);
// Ends the threads. The buffers stay readable until pfc_pool_destroy. Later calls return PFC_CLOSED.
PFC_API PfcStatus pfc_pool_close(PfcPool* pool);
PFC_API void pfc_pool_destroy(PfcPool* pool);  // NULL is allowed
PFC_API const PfcBuffers* pfc_pool_buffers(const PfcPool* pool);  // NULL for NULL
// Current value of parameter `index` of spec->params; 0 with the last error set if there is none.
PFC_API double pfc_pool_param(const PfcPool* pool, int32_t index);
// Sets a parameter of all games between steps, for schedules. It takes effect with the next step or reset; current
// observations and masks are not updated. Refused if the layout, the observation table or the teams would change, or if
// the pool's data would no longer fit.
PFC_API PfcStatus pfc_pool_set_param(PfcPool* pool, const char* name, double value);

typedef struct PfcResetDesc {
  int32_t has_seed;         // 1: game number i draws from the stream (seed, i); 0: the streams continue
  uint64_t seed;
  const uint64_t* seeds;    // [num_games] or NULL: game i draws from the stream (seeds[i], 0)
  const uint8_t* mask;      // [rows] or NULL: 1 = reset this row. All rows of a game must have the same value unless
                            // the game has `respawn`. Seeds apply to games whose rows are all 1.
  void* observations;       // [rows, obs] or NULL: write the observations here
} PfcResetDesc;

// Starts new episodes. NULL resets every game and continues its random stream. The first reset uses the seed of
// PfcPoolDesc.
PFC_API PfcStatus pfc_pool_reset(PfcPool* pool, const PfcResetDesc* desc);

// Steps every game. actions: [rows, action_dims] of int32 or int64 (discrete) or float32 (continuous: NaN and infinity
// are refused, other values are clamped to [-1, 1]). They are checked, in a masked game also against action_mask, and
// copied before any game moves. observations: NULL, or the caller's [rows, obs] array to write into. If earlier sends
// left the groups on different buffers, the step may overwrite the previous observations of one group.
PFC_API PfcStatus pfc_pool_step(PfcPool* pool, const void* actions, PfcDtype dtype, void* observations);

// The two halves of a step for one group of games; actions and observations are [rows / num_groups, ...].
// One recv must follow each send of a group; other groups may be sent and received in between.
PFC_API PfcStatus pfc_pool_send(PfcPool* pool, int32_t group, const void* actions, PfcDtype dtype,
                                void* observations);
PFC_API PfcStatus pfc_pool_recv(PfcPool* pool, int32_t group);
// Latest observations of a group; NULL before the first reset.
PFC_API const void* pfc_pool_group_observations(const PfcPool* pool, int32_t group);
// Number of rows that ended in the latest step of a group; group -1 = all groups.
PFC_API int32_t pfc_pool_ended(const PfcPool* pool, int32_t group);

// Means over the episodes that ended since the last call, then clears the sums. values [2 + num_metrics]:
// return, length, then the game's metrics. Rows are summed in order, in double precision. Without an
// episode, *episodes and all values are 0.
PFC_API PfcStatus pfc_pool_pop_metrics(PfcPool* pool, int64_t* episodes, double* values);

// Snapshots hold every game, its random stream and the statistics of its unfinished episode. A pool loads
// one if game, version, parameters, data, number of games and autoreset are the same; threads and groups
// may differ. Other and damaged snapshots are refused. Loading updates the observations. The checksum
// detects damage, not forgery: load only what you trust.
PFC_API uint64_t pfc_pool_snapshot_bytes(const PfcPool* pool);
PFC_API PfcStatus pfc_pool_save(PfcPool* pool, void* buffer, uint64_t bytes);
PFC_API PfcStatus pfc_pool_load(PfcPool* pool, const void* buffer, uint64_t bytes, void* observations);

// Arguments of pfc_pool_script.
typedef struct PfcScriptDesc {
  int32_t level;        // 0 to spec->num_levels - 1
  int32_t num_rows;
  const int32_t* rows;  // [num_rows] rows to fill, or NULL = all rows of the pool (num_rows = rows)
  uint64_t seed, step;  // a row draws from (seed, step, number of the row in the whole set of games) only, so any
                        // division into threads, pools and calls gives the same actions
  void* actions;        // [num_rows, action_dims] int32 or float32, the caller's; written
} PfcScriptDesc;

// Writes the built-in player's actions for the current state of the games; zeros in rows with alive = 0. Changes no
// game. Not between send and recv.
PFC_API PfcStatus pfc_pool_script(PfcPool* pool, const PfcScriptDesc* desc);

// State fields, for tests and debugging. Returns the index of a field of spec->fields by name, or -1 with the last
// error set.
PFC_API int32_t pfc_pool_find_field(const PfcPool* pool, const char* name);
// A field's entry for the pool's parameters.
PFC_API PfcStatus pfc_pool_field(const PfcPool* pool, int32_t index, PfcField* field);
// Copies a field of every game to values [num_games, count] of field.dtype, `bytes` in all.
PFC_API PfcStatus pfc_pool_get_field(PfcPool* pool, int32_t index, void* values, uint64_t bytes);
// Copies values into a field, then updates observations (in the next buffer or the caller's [rows, obs] array) and
// masks. Refused for games that own something outside their state (spec->open). The values are not checked: the caller
// must not create a state that the rules cannot reach.
PFC_API PfcStatus pfc_pool_set_field(PfcPool* pool, int32_t index, const void* values, uint64_t bytes,
                                     void* observations);

// Draws one game, following draw->agent. Not between send and recv.
PFC_API PfcStatus pfc_pool_draw(PfcPool* pool, int32_t game, const PfcDraw* draw);

#ifdef __cplusplus
}
#endif

#endif  // PUFFERC_H
