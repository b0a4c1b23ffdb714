// env.h - the contract of a game: what its author writes, and what the macros generate.
//
// A game is one C file: one plain struct holds the state, five functions work on it. For a game
// called catcher with the state struct Catcher, the author writes
//
//   #define CATCHER_PARAMS(X)   X(type, name, default, min, max, "help") ...   max_steps comes first
//   PFC_DEFINE_PARAMS(catcher, CatcherParams, CATCHER_PARAMS)     -> struct CatcherParams and its table
//   typedef struct Catcher { PfcRng rng; ... } Catcher;           the state; has a member `rng`
//   typedef struct CatcherObs { ... } CatcherObs;                 one agent's observation
//
//   PFC_FN void catcher_reset  (Catcher* s, const CatcherParams* p);
//   PFC_FN void catcher_step   (Catcher* s, const CatcherParams* p, PfcIo io);
//   PFC_FN void catcher_observe(const Catcher* s, const CatcherParams* p, int32_t agent, CatcherObs* obs);
//   PFC_FN void catcher_metrics(const Catcher* s, const CatcherParams* p, int32_t agent, float* values);
//                                                               values[0], the score, is preset to the return
//   static void catcher_draw   (const Catcher* s, const CatcherParams* p, const PfcDraw* d);
//
//   PFC_DEFINE_ENV(catcher, Catcher, .version = 1, ...)           -> everything else
//
// Optional functions: layout, check, mask, script, team, respawn, open and close, fill_rows, field, check_data,
// reset_from, respawn_from. PfcEnvSpec below documents when each is called. They take void* and are named
// catcher_<member>. Device code calls reset, step, observe, mask, respawn, reset_from, respawn_from and metrics by
// name, so these are PFC_FN. The other functions run on the host only.
//
// The pool does everything that an author could forget: it seeds games, clears the state before a
// reset (all bytes but rng are zero when reset is called), zeroes rewards and flags before a step,
// counts steps and truncates at max_steps, resets ended games, keeps final observations, episode
// returns and lengths, averages metrics, runs threads, sizes buffers, checks actions and parameters,
// and refuses masked choices.
//
// The author promises that reset, step and observe touch only their arguments (no globals,
// allocation, I/O or clock), draw random numbers from s->rng only, and cannot fail. observe and draw
// do not change the state. The state is one block of bytes without pointers.
//
// The rules compile as C17 and as C++17 (and so under nvcc): no compound literals, no VLAs, and
// constant tables are declared with PFC_TABLE. This header needs no library: a game's object file
// uses no pufferc symbol, so the same file can be part of the library or a module loaded at run time.
#ifndef PUFFERC_ENV_H
#define PUFFERC_ENV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pufferc/compiler.h"
#include "pufferc/draw.h"
#include "pufferc/fmath.h"
#include "pufferc/rng.h"
#include "pufferc/style.h"

#ifdef __cplusplus
extern "C" {
#endif

// Changes whenever a struct below changes. A module built for another number is refused.
#define PFC_ABI_VERSION 2u

#define PFC_MAX_ACTION_DIMS 8
#define PFC_MAX_CHOICES 8192  // all discrete dimensions together; limits masks and policies
#define PFC_MAX_OBS_DIMS 3
#define PFC_MAX_METRICS 32
#define PFC_INFINITY __builtin_inff()

typedef enum PfcDtype {
  PFC_FLOAT32 = 0,
  PFC_INT32 = 1,
  PFC_UINT8 = 2,
  PFC_INT8 = 3,
  PFC_INT64 = 4,
  // The types below are for state fields only.
  PFC_UINT16 = 5,
  PFC_INT16 = 6,
  PFC_UINT32 = 7,
  PFC_UINT64 = 8,
  PFC_FLOAT64 = 9
} PfcDtype;

typedef enum PfcParamType { PFC_PARAM_INT = 0, PFC_PARAM_FLOAT = 1, PFC_PARAM_BOOL = 2 } PfcParamType;

// One entry of a game's parameter table. Entry i describes the 4-byte field at byte 4 * i of the
// parameter struct. Every value fits a double exactly.
typedef struct PfcParam {
  const char* name;
  PfcParamType type;
  double default_value, min, max;
  const char* help;
} PfcParam;

// One entry of a game's observation table: `count` consecutive values of the observation. Write rows with the macros
// below. The members after `help` tell an encoder what the values are; 0 = plain numbers.
typedef struct PfcObsRow {
  const char* name;
  int32_t count;     // 0 = all remaining values, possibly none; last row only
  float low, high;   // closed range that the values never leave
  const char* help;  // meaning and unit
  int32_t each;      // the row is count / each entities of `each` values; an entity whose first value is 0 is absent
  int32_t num_codes;  // the values are codes 0 to num_codes - 1; code 0 has no input in one-hot form
  int32_t plane_height, plane_width;  // the row is planes of a board in row-major order; count is a multiple of both
} PfcObsRow;

#define PFC_OBS(name_, count_, low_, high_, help_) {name_, count_, low_, high_, help_, 0, 0, 0, 0}
#define PFC_OBS_CODES(name_, count_, num_codes_, help_) \
  {name_, count_, 0, (float)((num_codes_) - 1), help_, 0, num_codes_, 0, 0}
#define PFC_OBS_SET(name_, count_, each_, low_, high_, help_) {name_, count_, low_, high_, help_, each_, 0, 0, 0}
#define PFC_OBS_PLANE(name_, count_, num_codes_, height_, width_, help_) \
  {name_, count_, 0, (float)((num_codes_) - 1), help_, 0, num_codes_, height_, width_}

// One state field, for tests and debugging: `count` values of `dtype` at byte `offset` of the state.
typedef struct PfcField {
  const char* name;
  PfcDtype dtype;
  uint64_t count, offset;
} PfcField;

#define PFC_STATE_FIELD(State, member, dtype) \
  {#member, dtype, sizeof(((State*)0)->member) / PFC_DTYPE_BYTES(dtype), offsetof(State, member)}

// A key binding for play by hand. In a discrete game the key makes `choice` in dimension `dim`. In a continuous game it
// adds `push` to control number `control` while it is held down.
typedef struct PfcKeyBinding {
  const char* keys;  // names separated by spaces, "left a": letters, digits, left, right, up, down, space, enter, ...
  const char* help;  // shown in the window's help: "turn left"
  int32_t dim, choice;
  int32_t control;
  float push;
} PfcKeyBinding;

#define PFC_BIND(keys_, help_, dim_, choice_) {keys_, help_, dim_, choice_, 0, 0.0f}
#define PFC_BIND_PUSH(keys_, help_, choice_, control_, push_) {keys_, help_, 0, choice_, control_, push_}

// Special values of PfcEnvSpec.idle. Other values are a choice.
#define PFC_IDLE_KEEP (-1)       // without a key, repeat the last choice
#define PFC_IDLE_ALTERNATE (-2)  // without a key, alternate between choices 0 and 1

// Sizes and spaces of one game. Constant for most games; `layout` can compute them from parameters.
typedef struct PfcLayout {
  uint64_t state_bytes;                        // 0 = sizeof the state struct
  int32_t agents;                              // rows of one game in every buffer; 0 = 1
  int32_t obs_shape[PFC_MAX_OBS_DIMS];         // unused dimensions 0; all 0 = one dimension from sizeof
  int32_t action_counts[PFC_MAX_ACTION_DIMS];  // choices per discrete dimension; unused 0
  int32_t continuous_dims;                     // number of controls in [-1, 1]; requires empty action_counts
  int32_t teams;                               // number of teams; 0 = none
  int32_t masked;  // preset to 1 if the game has a mask; `layout` may set 0 to switch it off
} PfcLayout;

// One game's slices of the batch during one step. The pool has already zeroed rewards, terminated and truncated; the
// game writes them.
typedef struct PfcIo {
  const int32_t* actions;  // [agents * action dims], valid choices; unused in a continuous game
  const float* controls;   // [agents * action dims], in [-1, 1]; unused in a discrete game
  float* rewards;          // [agents]
  uint8_t* terminated;     // [agents] set to 1 if the rules ended the episode (or this agent's life)
  uint8_t* truncated;      // [agents] set to 1 if it was cut short; terminated wins if both are set
  uint8_t* alive;          // [agents] 1 = this row acts in the next step. Set it to 0 for an agent that is
                           // out while its game continues. The pool sets it to 1 at reset and respawn.
} PfcIo;

// A block of adjacent games: the argument of the generated loops. Pointers are to the buffers of the whole batch.
typedef struct PfcRange {
  unsigned char* states;  // first game of the batch
  uint64_t state_stride;  // bytes from game to game
  const void* params;
  int32_t begin, end;     // games [begin, end)
  int32_t agents, action_dims;
  uint64_t obs_bytes;     // of one row
  PfcIo io;               // row 0 of the batch
  unsigned char* obs;     // [rows, obs_bytes], row 0 of the batch
} PfcRange;

// Everything the pool knows about a game. PFC_DEFINE_ENV fills in the first group of fields and the last one; authors
// set the group between them.
typedef struct PfcEnvSpec {
  uint32_t abi_version;  // PFC_ABI_VERSION; first, so that any later version of the library can refuse it
  uint32_t spec_bytes;   // sizeof(PfcEnvSpec)
  const char* name;      // "catcher"

  const char* title;     // "Catcher": the Gymnasium id is pufferc/Catcher-v<version>
  const char* summary;   // one line
  int32_t version;       // changes when behaviour changes, never for speed
  PfcDtype obs_dtype;
  PfcLayout sizes;
  void (*layout)(const void* params, PfcLayout* sizes);  // optional: computes sizes that depend on parameters
  const char* (*check)(const void* params);              // optional: why these parameters are invalid, or NULL
  // Optional, discrete games only: sets legal[k] = 1 for every choice k that the agent may make in its next action. The
  // K = sum(action_counts) bytes, dimensions side by side, are preset to 0; at least one per dimension must be set.
  // Called after observe for rows with alive = 1. The pool refuses other choices. A row with one legal choice in every
  // dimension is forced; a game uses this for an agent that waits for its turn.
  void (*mask)(const void* state, const void* params, int32_t agent, uint8_t* legal);
  // Optional: a built-in player of strength `level`, 0 to num_levels - 1, as an opponent and a baseline. Writes the
  // agent's choices [action dims] or controls [action dims], legal ones where there is a mask; the other array is NULL.
  // It draws from `rng` only, so it never changes a trajectory. It should use only what the agent may know. Called for
  // rows with alive = 1.
  void (*script)(const void* state, const void* params, int32_t agent, int32_t level, PfcRng* rng, int32_t* choices,
                 float* controls);
  int32_t num_levels;
  // Optional, with sizes.teams > 0: the team of an agent, 0 to teams - 1. NULL = equal blocks of rows in order.
  int32_t (*team)(const void* params, int32_t agent);
  // Optional: gives each agent its own episodes. A row's flags then end the life of that agent only, and after the step
  // the pool calls respawn for every flagged row in index order. NULL = one flagged row ends the episode of all rows
  // (as terminated if any row is), and the game is reset.
  void (*respawn)(void* state, const void* params, int32_t agent);
  // Optional, for games that read a file: check_data returns why the bytes do not fit these parameters, or NULL. In a
  // pool with data, reset_from and respawn_from replace reset and respawn. Step and observe never see the data.
  const char* (*check_data)(const void* params, const void* data, uint64_t data_bytes);
  void (*reset_from)(void* state, const void* params, const void* data, uint64_t data_bytes);
  void (*respawn_from)(void* state, const void* params, int32_t agent, const void* data, uint64_t data_bytes);
  // Optional, for games that own something outside their state (a physics world). open is called once per game before
  // its first reset and returns false on failure; close is called once at the end. Such a state is not cleared before a
  // reset and has no snapshots.
  bool (*open)(void* state, const void* params);
  void (*close)(void* state);
  int32_t max_games;       // limit for all pools of the process together; 0 = no limit
  const char* limit_help;  // reason for the limit and how to raise it; NULL without a limit
  const PfcObsRow* obs_rows;
  int32_t num_obs_rows;
  // Optional: sets count, low, high, each, num_codes and plane sizes that depend on parameters, in a copy of the table.
  void (*fill_rows)(const void* params, PfcObsRow* rows);
  const char* metrics[PFC_MAX_METRICS];  // names; "score" first, "perf" in [0, 1] where a maximum exists
  // Optional: state members that tests may read and write by name.
  const PfcField* fields;
  int32_t num_fields;
  // Optional: sets offset and count in a copy of field `index` if they depend on parameters.
  void (*field)(const void* params, int32_t index, PfcField* field);
  float fps;  // steps per second when a person watches or plays; 0 = 30
  const PfcKeyBinding* keys;  // keys for play by hand; NULL = digits, or arrows for controls
  int32_t num_keys;
  int32_t idle;  // choice while no key is down, or PFC_IDLE_KEEP or PFC_IDLE_ALTERNATE

  const PfcParam* params;
  int32_t num_params;
  uint32_t params_bytes;
  uint32_t state_bytes;  // sizeof the state struct
  uint32_t obs_bytes;    // sizeof the observation struct
  uint32_t rng_offset;   // of PfcRng rng in the state
  void (*reset_one)(void* state, const void* params);
  void (*step_range)(const PfcRange* range);
  void (*observe_range)(const PfcRange* range);
  void (*observe_one)(const void* state, const void* params, int32_t agent, void* obs);
  void (*metrics_one)(const void* state, const void* params, int32_t agent, float* values);
  void (*draw_one)(const void* state, const void* params, const PfcDraw* draw);
} PfcEnvSpec;

#ifdef __cplusplus
}
#endif

// Bytes of one value, as a constant expression.
#define PFC_DTYPE_BYTES(dtype)                                                                   \
  ((dtype) == PFC_INT64 || (dtype) == PFC_UINT64 || (dtype) == PFC_FLOAT64                ? 8u \
   : (dtype) == PFC_FLOAT32 || (dtype) == PFC_INT32 || (dtype) == PFC_UINT32              ? 4u \
   : (dtype) == PFC_UINT16 || (dtype) == PFC_INT16                                        ? 2u \
                                                                                           : 1u)

// A constant table that host and device code may both read.
#if defined(__CUDACC__)
#define PFC_TABLE static __device__ __constant__ const
#else
#define PFC_TABLE static const
#endif

// ---- parameters ----------------------------------------------------------------------------------

typedef int32_t PfcParamField_int;
typedef float PfcParamField_float;
typedef int32_t PfcParamField_bool;  // 0 or 1
// Token pasting selects these before the preprocessor can expand stdbool.h's `bool`.
#define PFC_PARAM_FIELD_(type, name, default_, min_, max_, help_) PfcParamField_##type name;
#define PFC_PARAM_TYPE_int PFC_PARAM_INT
#define PFC_PARAM_TYPE_float PFC_PARAM_FLOAT
#define PFC_PARAM_TYPE_bool PFC_PARAM_BOOL
typedef int32_t PfcParamField__Bool;  // for `bool` that stdbool.h has already expanded
#define PFC_PARAM_TYPE__Bool PFC_PARAM_BOOL

// Largest max_steps; also a practical limit for other counts.
#define PFC_MAX_STEPS 1000000000

#ifdef __cplusplus
#define PFC_DEFINE_PARAMS(id, Params, LIST) \
  typedef struct Params {                     \
    LIST(PFC_PARAM_FIELD_)                          \
  } Params;
#else
#define PFC_DEFINE_PARAMS(id, Params, LIST)                                                      \
  typedef struct Params {                                                                          \
    LIST(PFC_PARAM_FIELD_)                                                                               \
  } Params;                                                                                        \
  _Static_assert(offsetof(Params, max_steps) == 0, "the first parameter of a game is max_steps");  \
  static const PfcParam id##_param_table_[] = {LIST(PFC_PARAM_ROW_)};
#define PFC_PARAM_ROW_(type, name_, default_, min_, max_, help_) \
  {#name_, PFC_PARAM_TYPE_##type, (double)(default_), (double)(min_), (double)(max_), help_},
#endif

// ---- the generated loops ---------------------------------------------------------------------------

// The spec's symbol: pfc_env_<name> inside the library, pfc_env_module in a loadable module.
#ifdef PFC_BUILDING_LIBRARY
#define PFC_SPEC_SYMBOL_(id) __attribute__((visibility("hidden"))) const PfcEnvSpec pfc_env_##id
#else
#define PFC_SPEC_SYMBOL_(id) PFC_EXPORT const PfcEnvSpec pfc_env_module
#endif

// In C++ it defines nothing; csrc/cuda/device_game.h has another definition, for device code.
#ifdef __cplusplus
#define PFC_DEFINE_ENV(id, State, ...)
#else
#define PFC_DEFINE_ENV(id, State, ...)                                                             \
  _Static_assert(sizeof(((State*)0)->rng) == sizeof(PfcRng), "the state needs a member: PfcRng rng"); \
  PFC_DEFINE_LOOPS_(id, State, State##Params, State##Obs)                                          \
  PFC_DEFINE_RANGES_(id, State, State##Params, State##Obs)                                         \
  PFC_SPEC_SYMBOL_(id) = {                                                                         \
      .abi_version = PFC_ABI_VERSION,                                                                \
      .spec_bytes = sizeof(PfcEnvSpec),                                                              \
      .name = #id,                                                                                   \
      .params = id##_param_table_,                                                                 \
      .num_params = sizeof id##_param_table_ / sizeof id##_param_table_[0],                      \
      .params_bytes = sizeof(State##Params),                                                         \
      .state_bytes = sizeof(State),                                                                  \
      .obs_bytes = sizeof(State##Obs),                                                               \
      .rng_offset = offsetof(State, rng),                                                            \
      .reset_one = id##_reset_one_,                                                                \
      .step_range = id##_step_range_,                                                              \
      .observe_range = id##_observe_range_,                                                        \
      .observe_one = id##_observe_one_,                                                            \
      .metrics_one = id##_metrics_one_,                                                            \
      .draw_one = id##_draw_one_,                                                                  \
      __VA_ARGS__};
#endif

#define PFC_DEFINE_LOOPS_(id, State, Params, Obs)                                                   \
  PFC_FN void id##_reset_one_(void* state, const void* params) {                                    \
    id##_reset((State*)state, (const Params*)params);                                               \
  }                                                                                                   \
  PFC_FN void id##_observe_one_(const void* state, const void* params, int32_t agent, void* obs) {  \
    id##_observe((const State*)state, (const Params*)params, agent, (Obs*)obs);                     \
  }                                                                                                   \
  PFC_FN void id##_metrics_one_(const void* state, const void* params, int32_t agent, float* out) { \
    id##_metrics((const State*)state, (const Params*)params, agent, out);                           \
  }                                                                                                   \
  __attribute__((always_inline)) PFC_FN void id##_step_loop_(const PfcRange* r, int64_t stride,       \
                                                             int64_t agents, int64_t dims) {          \
    const Params params = *(const Params*)r->params;                                                  \
    const PfcIo io = r->io;                                                                           \
    unsigned char* const states = r->states;                                                          \
    const int64_t begin = r->begin, end = r->end;                                                     \
    PFC_INDEPENDENT_LOOP_                                                                             \
    for (int64_t game = begin; game < end; ++game) {                                                  \
      const int64_t row = game * agents;                                                              \
      const PfcIo one = {io.actions + row * dims, io.controls + row * dims, io.rewards + row,         \
                         io.terminated + row,     io.truncated + row,       io.alive + row};          \
      id##_step((State*)(states + game * stride), &params, one);                                    \
    }                                                                                                 \
  }                                                                                                   \
  __attribute__((always_inline)) PFC_FN void id##_observe_loop_(const PfcRange* r, int64_t stride,    \
                                                                int64_t agents, int64_t obs_bytes) {  \
    const Params params = *(const Params*)r->params;                                                  \
    unsigned char* const states = r->states;                                                          \
    unsigned char* const obs = r->obs;                                                                \
    const int64_t begin = r->begin, end = r->end;                                                     \
    for (int64_t game = begin; game < end; ++game) {                                                  \
      const State* state = (const State*)(states + game * stride);                                    \
      for (int64_t agent = 0; agent < agents; ++agent) {                                              \
        unsigned char* out = obs + (game * agents + agent) * obs_bytes;                               \
        id##_observe(state, &params, (int32_t)agent, (Obs*)out);                                    \
      }                                                                                               \
    }                                                                                                 \
  }

#define PFC_DEFINE_RANGES_(id, State, Params, Obs)                                                    \
  static void id##_draw_one_(const void* state, const void* params, const PfcDraw* draw) {          \
    id##_draw((const State*)state, (const Params*)params, draw);                                    \
  }                                                                                                   \
  /* One agent with one action is the common case. Its sizes are constants, so that the loop vectorises. */ \
  PFC_MULTIVERSION static void id##_step_range_(const PfcRange* r) {                                \
    if (r->state_stride == sizeof(State) && r->agents == 1 && r->action_dims == 1)                    \
      id##_step_loop_(r, sizeof(State), 1, 1);                                                      \
    else                                                                                              \
      id##_step_loop_(r, (int64_t)r->state_stride, r->agents, r->action_dims);                      \
  }                                                                                                   \
  PFC_MULTIVERSION static void id##_observe_range_(const PfcRange* r) {                             \
    if (r->state_stride == sizeof(State) && r->agents == 1 && r->obs_bytes == sizeof(Obs))            \
      id##_observe_loop_(r, sizeof(State), 1, sizeof(Obs));                                         \
    else                                                                                              \
      id##_observe_loop_(r, (int64_t)r->state_stride, r->agents, (int64_t)r->obs_bytes);            \
  }

#endif  // PUFFERC_ENV_H
