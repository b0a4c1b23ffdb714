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
//   static void catcher_metrics(const Catcher* s, const CatcherParams* p, int32_t agent, float* values);
//                                                               values[0], the score, comes filled with the return
//   static void catcher_draw   (const Catcher* s, const CatcherParams* p, const PfcDraw* d);
//
//   PFC_DEFINE_ENV(catcher, Catcher, .version = 1, ...)           -> everything else
//
// What the author need not think of, because the pool does it: seeding, clearing the state before a
// reset (all bytes but rng are zero when reset is called), zeroing rewards and flags before a step,
// counting steps and truncating at max_steps, autoreset, final observations, episode return and
// length, averaging metrics, threads, buffer sizes, checking actions and parameters.
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

#include "pufferc/draw.h"
#include "pufferc/fmath.h"
#include "pufferc/rng.h"
#include "pufferc/style.h"

#ifdef __cplusplus
extern "C" {
#endif

// Changes whenever a struct below changes; a module built for another number is refused.
#define PFC_ABI_VERSION 1u

#define PFC_MAX_ACTION_DIMS 8
#define PFC_MAX_OBS_DIMS 3
#define PFC_MAX_METRICS 16
#define PFC_INFINITY __builtin_inff()

typedef enum PfcDtype { PFC_FLOAT32 = 0, PFC_INT32 = 1, PFC_UINT8 = 2, PFC_INT8 = 3, PFC_INT64 = 4 } PfcDtype;

typedef enum PfcParamType { PFC_PARAM_INT = 0, PFC_PARAM_FLOAT = 1, PFC_PARAM_BOOL = 2 } PfcParamType;

// One entry of a game's parameter table. Entry i describes the 4-byte field at byte 4 * i of the
// parameter struct. Every value fits a double exactly.
typedef struct PfcParam {
  const char* name;
  PfcParamType type;
  double default_value, min, max;
  const char* help;
} PfcParam;

// One entry of a game's observation table: `count` consecutive values of the observation.
typedef struct PfcObsRow {
  const char* name;
  int32_t count;   // 0 = all that remain (for shapes that depend on parameters); last row only
  float low, high; // closed range that the values never leave
  const char* help;  // meaning and unit
} PfcObsRow;

// Sizes and spaces of one game. Constants for most games; `layout` computes them from parameters.
typedef struct PfcLayout {
  uint64_t state_bytes;                        // 0 = sizeof the state struct
  int32_t agents;                              // rows of one game in every buffer; 0 = 1
  int32_t obs_shape[PFC_MAX_OBS_DIMS];         // unused dimensions 0; all 0 = one dimension from sizeof
  int32_t action_counts[PFC_MAX_ACTION_DIMS];  // choices per discrete dimension; unused 0
  int32_t continuous_dims;                     // controls in [-1, 1]; excludes action_counts
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
  // Optional; present = each agent lives by itself: its flags end its own life only, and after the
  // step respawn(state, params, agent) is called for every flagged row in index order. Absent = the
  // episode ends for all rows as soon as one is flagged (terminated if any row is), and the game is reset.
  void (*respawn)(void* state, const void* params, int32_t agent);
  // Optional, for games that own something outside their state (a physics world): called once per
  // game before its first reset and once at the end. Such a state is not cleared before a reset and
  // cannot be snapshotted. open returns false when it cannot.
  bool (*open)(void* state, const void* params);
  void (*close)(void* state);
  int32_t max_games;       // of all pools of a process together, where what they own is limited; 0 = no limit
  const char* limit_help;  // why, and what would raise the limit; NULL where there is none
  const PfcObsRow* obs_rows;
  int32_t num_obs_rows;
  const char* metrics[PFC_MAX_METRICS];  // names; "score" first, "perf" in [0, 1] where a maximum exists

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
#define PFC_FIELD_(type, name, default_, min_, max_, help_) PfcParamField_##type name;
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
    LIST(PFC_FIELD_)                          \
  } Params;
#else
#define PFC_DEFINE_PARAMS(id, Params, LIST)                                                      \
  typedef struct Params {                                                                          \
    LIST(PFC_FIELD_)                                                                               \
  } Params;                                                                                        \
  _Static_assert(offsetof(Params, max_steps) == 0, "the first parameter of a game is max_steps");  \
  static const PfcParam id##_param_table_[] = {LIST(PFC_PARAM_ROW_)};
#define PFC_PARAM_ROW_(type, name_, default_, min_, max_, help_) \
  {#name_, PFC_PARAM_TYPE_##type, (double)(default_), (double)(min_), (double)(max_), help_},
#endif

// ---- the generated loops ---------------------------------------------------------------------------

// Compiles the loops for wider instruction sets besides the portable baseline and picks one when the
// program is loaded. None of them may change a result, so a fused multiply-add must be off
// (-ffp-contract=off). Sanitizers cannot run the resolver; C++ and other systems use the baseline.
#if defined(__x86_64__) && defined(__gnu_linux__) && defined(__GLIBC__) && defined(__OPTIMIZE__) && \
    !defined(__cplusplus) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) &&     \
    !defined(PFC_NO_MULTIVERSION) && !defined(__clang__)
#define PFC_MULTIVERSION __attribute__((target_clones("default", "avx2", "avx512f")))
#else
#define PFC_MULTIVERSION
#endif

#if defined(__GNUC__) && !defined(__clang__)
#define PFC_INDEPENDENT_LOOP_ _Pragma("GCC ivdep")
#else
#define PFC_INDEPENDENT_LOOP_
#endif

#define PFC_ALWAYS_INLINE __attribute__((always_inline)) inline

#if defined(__GNUC__)
#define PFC_EXPORT __attribute__((visibility("default")))
#else
#define PFC_EXPORT
#endif

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
