// env.h - the contract of a game: what an author writes, and what is generated from it.
//
// A game is one C file with one plain struct as its state and five functions over it. For a game
// called catcher with the state struct Catcher the author writes
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
//                                                               values[0], the score, comes filled with the return
//   static void catcher_draw   (const Catcher* s, const CatcherParams* p, const PfcDraw* d);
//
//   PFC_DEFINE_ENV(catcher, Catcher, .version = 1, ...)           -> everything else
//
// More functions are optional; PfcEnvSpec below says when each is called: layout, check, mask, script, team, respawn,
// open and close, fill_rows, field, check_data, reset_from, respawn_from. They take void* and are named
// catcher_<member>, because device code calls reset, step, observe, mask, respawn, reset_from, respawn_from and metrics
// by name; those are PFC_FN. The others run on the host only.
//
// What the pool does, so that no author can forget it: seeding, clearing the state before a
// reset (all bytes but rng are zero when reset is called), zeroing rewards and flags before a step,
// counting steps and truncating at max_steps, autoreset, final observations, episode return and
// length, averaging metrics, threads, buffer sizes, checking actions and parameters, refusing masked choices.
//
// What the author promises: reset, step and observe touch nothing but their arguments (no globals,
// allocation, I/O or clock), draw random numbers from s->rng only, and cannot fail. observe and draw
// do not change the state. The state is one block of bytes without pointers.
//
// The rules compile as C17 and as C++17 (and so under nvcc): no compound literals, no VLAs, constant
// tables by PFC_TABLE. Everything here is header-only: a game's object file needs no pufferc symbol,
// so the same file is part of the library or, alone, a module that can be loaded at run time.
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

// Changes whenever a struct below changes; a module built for another number is refused.
#define PFC_ABI_VERSION 2u

#define PFC_MAX_ACTION_DIMS 8
#define PFC_MAX_CHOICES 8192  // of all discrete dimensions together, for masks and policies
#define PFC_MAX_OBS_DIMS 3
#define PFC_MAX_METRICS 32
#define PFC_INFINITY __builtin_inff()

typedef enum PfcDtype {
  PFC_FLOAT32 = 0,
  PFC_INT32 = 1,
  PFC_UINT8 = 2,
  PFC_INT8 = 3,
  PFC_INT64 = 4,
  // The rest are types of state fields only.
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

// One entry of a game's observation table: `count` consecutive values of the observation. Write rows by the macros
// below. The members behind `help` say what the values are to an encoder; 0 = plain numbers.
typedef struct PfcObsRow {
  const char* name;
  int32_t count;     // 0 = all that remain, possibly none; last row only
  float low, high;   // closed range that the values never leave
  const char* help;  // meaning and unit
  int32_t each;      // the row is count / each entities of `each` values; an entity whose first value is 0 is absent
  int32_t num_codes;  // the values are codes 0 to num_codes - 1; code 0 has no input of its own in one-hot form
  int32_t plane_height, plane_width;  // the row is planes of a board, each row by row; count is a multiple of both
} PfcObsRow;

#define PFC_OBS(name_, count_, low_, high_, help_) {name_, count_, low_, high_, help_, 0, 0, 0, 0}
#define PFC_OBS_CODES(name_, count_, num_codes_, help_) \
  {name_, count_, 0, (float)((num_codes_) - 1), help_, 0, num_codes_, 0, 0}
#define PFC_OBS_SET(name_, count_, each_, low_, high_, help_) {name_, count_, low_, high_, help_, each_, 0, 0, 0}
#define PFC_OBS_PLANE(name_, count_, num_codes_, height_, width_, help_) \
  {name_, count_, 0, (float)((num_codes_) - 1), help_, 0, num_codes_, height_, width_}

// One entry of a game's table of state fields, for tests and debugging: `count` values of `dtype` at byte `offset` of
// the state.
typedef struct PfcField {
  const char* name;
  PfcDtype dtype;
  uint64_t count, offset;
} PfcField;

#define PFC_STATE_FIELD(State, member, dtype) \
  {#member, dtype, sizeof(((State*)0)->member) / PFC_DTYPE_BYTES(dtype), offsetof(State, member)}

// One key of a game that a person plays. In a discrete game the key makes `choice` in dimension `dim`; in a continuous
// one it adds `push` to control number `control` while it is down.
typedef struct PfcKeyBinding {
  const char* keys;  // names separated by spaces, "left a": letters, digits, left, right, up, down, space, enter, ...
  const char* help;  // what it does, for the window's help: "turn left"
  int32_t dim, choice;
  int32_t control;
  float push;
} PfcKeyBinding;

#define PFC_BIND(keys_, help_, dim_, choice_) {keys_, help_, dim_, choice_, 0, 0.0f}
#define PFC_BIND_PUSH(keys_, help_, choice_, control_, push_) {keys_, help_, 0, choice_, control_, push_}

// Values of PfcEnvSpec.idle besides a choice.
#define PFC_IDLE_KEEP (-1)       // without a key the last choice is made again
#define PFC_IDLE_ALTERNATE (-2)  // without a key choices 0 and 1 take turns

// Sizes and spaces of one game. Constants for most games; `layout` computes them from parameters.
typedef struct PfcLayout {
  uint64_t state_bytes;                        // 0 = sizeof the state struct
  int32_t agents;                              // rows of one game in every buffer; 0 = 1
  int32_t obs_shape[PFC_MAX_OBS_DIMS];         // unused dimensions 0; all 0 = one dimension from sizeof
  int32_t action_counts[PFC_MAX_ACTION_DIMS];  // choices per discrete dimension; unused 0
  int32_t continuous_dims;                     // controls in [-1, 1]; excludes action_counts
  int32_t teams;                               // sides that the rows divide into; 0 = none
  int32_t masked;  // comes as 1 where the game has a mask; `layout` sets 0 to switch it off
} PfcLayout;

// One game's slices of the batch during one step. The game writes; the pool has already zeroed
// rewards, terminated and truncated.
typedef struct PfcIo {
  const int32_t* actions;  // [agents * action dims], valid choices; meaningless in a continuous game
  const float* controls;   // [agents * action dims], in [-1, 1]; meaningless in a discrete game
  float* rewards;          // [agents]
  uint8_t* terminated;     // [agents] set to 1: the episode (or this agent's life) ended by the rules
  uint8_t* truncated;      // [agents] set to 1: cut short; terminated wins if both
  uint8_t* alive;          // [agents] 1 = this row acts in the next step; set to 0 for an agent that is
                           // out while its game goes on. The pool sets all to 1 at reset and respawn.
} PfcIo;

// A block of neighbouring games, as the generated loops receive it. Buffers are those of the batch.
typedef struct PfcRange {
  unsigned char* states;  // first game of the batch
  uint64_t state_stride;  // bytes from game to game; sizeof the state struct where that is its size
  const void* params;
  int32_t begin, end;     // games [begin, end)
  int32_t agents, action_dims;
  uint64_t obs_bytes;     // of one row
  PfcIo io;               // row 0 of the batch
  unsigned char* obs;     // [rows, obs_bytes], row 0 of the batch
} PfcRange;

// Everything the pool knows of a game. Made by PFC_DEFINE_ENV; authors set the first group of fields.
typedef struct PfcEnvSpec {
  uint32_t abi_version;  // PFC_ABI_VERSION, first so that any future reader can refuse it
  uint32_t spec_bytes;   // sizeof(PfcEnvSpec)
  const char* name;      // "catcher"

  const char* title;     // "Catcher": the Gymnasium id is pufferc/Catcher-v<version>
  const char* summary;   // one line
  int32_t version;       // changes when behaviour changes, never for speed
  PfcDtype obs_dtype;
  PfcLayout sizes;
  void (*layout)(const void* params, PfcLayout* sizes);  // optional: sizes that depend on parameters
  const char* (*check)(const void* params);              // optional: why these parameters do not fit, or NULL
  // Optional, discrete games only: sets legal[k] = 1 for every choice k that the agent may make in its next action. The
  // K = sum(action_counts) bytes, dimensions side by side, come as zeros; at least one per dimension must be set.
  // Called after observe for rows with alive = 1. Other choices are refused before the game sees them. A row with one
  // legal choice in every dimension is forced: that is how an agent waits for its turn.
  void (*mask)(const void* state, const void* params, int32_t agent, uint8_t* legal);
  // Optional: a built-in player of strength `level`, 0 to num_levels - 1, for opponents and yardsticks. Writes the
  // agent's choices [action dims] or controls [action dims], legal ones where there is a mask; the other array is NULL.
  // It draws from `rng` only, so it never changes a trajectory, and looks only at what the agent may know. Called for
  // rows with alive = 1.
  void (*script)(const void* state, const void* params, int32_t agent, int32_t level, PfcRng* rng, int32_t* choices,
                 float* controls);
  int32_t num_levels;
  // Optional, with sizes.teams > 0: the side of an agent, 0 to teams - 1. Absent = equal blocks of rows in order.
  int32_t (*team)(const void* params, int32_t agent);
  // Optional; present = each agent lives by itself: its flags end its own life only, and after the
  // step respawn(state, params, agent) is called for every flagged row in index order. Absent = the
  // episode ends for all rows as soon as one is flagged (terminated if any row is), and the game is reset.
  void (*respawn)(void* state, const void* params, int32_t agent);
  // Optional, for games that read a file: check_data says why the bytes do not fit these parameters, or gives NULL. In a
  // pool with data reset_from and respawn_from run in place of reset and respawn. Step and observe never see the data.
  const char* (*check_data)(const void* params, const void* data, uint64_t data_bytes);
  void (*reset_from)(void* state, const void* params, const void* data, uint64_t data_bytes);
  void (*respawn_from)(void* state, const void* params, int32_t agent, const void* data, uint64_t data_bytes);
  // Optional, for games that own something outside their state (a physics world): called once per
  // game before its first reset and once at the end. Such a state is not cleared before a reset and
  // cannot be snapshotted. open returns false when it cannot.
  bool (*open)(void* state, const void* params);
  void (*close)(void* state);
  int32_t max_games;       // of all pools of a process together, where what they own is limited; 0 = no limit
  const char* limit_help;  // why, and what would raise the limit; NULL where there is none
  const PfcObsRow* obs_rows;
  int32_t num_obs_rows;
  // Optional: sets count, range, each, num_codes and plane sizes in a copy of the table where they depend on parameters.
  void (*fill_rows)(const void* params, PfcObsRow* rows);
  const char* metrics[PFC_MAX_METRICS];  // names; "score" first, "perf" in [0, 1] where a maximum exists
  // Optional: state members that tests may read and write by name.
  const PfcField* fields;
  int32_t num_fields;
  // Optional: corrects offset and count of field `index`, a copy of its entry, where they depend on parameters.
  void (*field)(const void* params, int32_t index, PfcField* field);
  float fps;  // steps a second at which a person should watch; 0 = 30
  const PfcKeyBinding* keys;  // how a person plays; NULL = digits, or arrows for controls
  int32_t num_keys;
  int32_t idle;  // what a person chooses without a key: a choice, PFC_IDLE_KEEP or PFC_IDLE_ALTERNATE

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

// Bytes of one value. A constant expression.
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
// Selected by token pasting before the preprocessor can expand stdbool.h's `bool`.
#define PFC_PARAM_FIELD_(type, name, default_, min_, max_, help_) PfcParamField_##type name;
#define PFC_PARAM_TYPE_int PFC_PARAM_INT
#define PFC_PARAM_TYPE_float PFC_PARAM_FLOAT
#define PFC_PARAM_TYPE_bool PFC_PARAM_BOOL
typedef int32_t PfcParamField__Bool;  // `bool` after stdbool.h has expanded it
#define PFC_PARAM_TYPE__Bool PFC_PARAM_BOOL

// The largest max_steps; also a practical bound for other counts.
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

#ifdef __cplusplus
#define PFC_DEFINE_ENV(id, State, ...)
#else
#define PFC_DEFINE_ENV(id, State, ...)                                                             \
  _Static_assert(sizeof(((State*)0)->rng) == sizeof(PfcRng), "the state needs a member: PfcRng rng"); \
  PFC_DEFINE_LOOPS_(id, State, State##Params, State##Obs)                                          \
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

#define PFC_DEFINE_LOOPS_(id, State, Params, Obs)                                                   \
  static void id##_reset_one_(void* state, const void* params) {                                    \
    id##_reset((State*)state, (const Params*)params);                                               \
  }                                                                                                   \
  static void id##_observe_one_(const void* state, const void* params, int32_t agent, void* obs) {  \
    id##_observe((const State*)state, (const Params*)params, agent, (Obs*)obs);                     \
  }                                                                                                   \
  static void id##_metrics_one_(const void* state, const void* params, int32_t agent, float* out) { \
    id##_metrics((const State*)state, (const Params*)params, agent, out);                           \
  }                                                                                                   \
  static void id##_draw_one_(const void* state, const void* params, const PfcDraw* draw) {          \
    id##_draw((const State*)state, (const Params*)params, draw);                                    \
  }                                                                                                   \
  PFC_ALWAYS_INLINE static void id##_step_loop_(const PfcRange* r, int64_t stride, int64_t agents,   \
                                                  int64_t dims) {                                     \
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
  PFC_ALWAYS_INLINE static void id##_observe_loop_(const PfcRange* r, int64_t stride,               \
                                                     int64_t agents, int64_t obs_bytes) {             \
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
  }                                                                                                   \
  /* The common case, one agent with one action, gets its sizes as constants: such loops vectorise. */ \
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
#endif

#endif  // PUFFERC_ENV_H
