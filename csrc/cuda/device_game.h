// device_game.h - the device code of one game: kernels that run pool/step.h, one thread per game.
//
// Not a header in the usual sense: the build makes one translation unit per game, which defines PFC_DEVICE_GAME as the
// game's name and PFC_DEVICE_SOURCE as its file, and includes this. The game's file is included as it is. Its functions
// are called by name, so that the compiler sees through every call; nothing here uses function pointers. The optional
// functions of a game are found by overload resolution: a name that does not exist selects the empty version.
#include <utility>

#include "cuda/device_code.h"
#include "cuda/launch.h"

// Two versions of a call of <game>_<member>, and whether it exists. The first argument of the calls is 0, which prefers
// `int` to `long`.
#define PFC_OPTIONAL_(id, member)                                                                                    \
  template <typename... Arguments>                                                                                   \
  PFC_FN auto id##_##member##_or_nothing_(int, Arguments... arguments)->decltype((void)id##_##member(arguments...)) { \
    id##_##member(arguments...);                                                                                     \
  }                                                                                                                  \
  template <typename... Arguments>                                                                                   \
  PFC_FN void id##_##member##_or_nothing_(long, Arguments...) {}                                                     \
  template <typename... Arguments>                                                                                   \
  constexpr auto id##_has_##member##_(int)->decltype((void)id##_##member(std::declval<Arguments>()...), true) {      \
    return true;                                                                                                     \
  }                                                                                                                  \
  template <typename... Arguments>                                                                                   \
  constexpr bool id##_has_##member##_(long) {                                                                        \
    return false;                                                                                                    \
  }

// What the game's file ends with: the functions of the game under the names that step.h calls. What only some steps need
// is not inlined: the kernels get smaller, which saves registers, and minutes of the compiler's time for large games.
#undef PFC_DEFINE_ENV
#define PFC_DEFINE_ENV(id, State, ...)                                                                             \
  PFC_DEFINE_LOOPS_(id, State, State##Params, State##Obs)                                                          \
  PFC_OPTIONAL_(id, mask)                                                                                          \
  PFC_OPTIONAL_(id, respawn)                                                                                       \
  PFC_OPTIONAL_(id, reset_from)                                                                                    \
  PFC_OPTIONAL_(id, respawn_from)                                                                                  \
  namespace { /* every game has its own type of this name */                                                       \
  struct PfcCalls {                                                                                                \
    static constexpr bool open = false;                                                                            \
    static constexpr bool has_mask = id##_has_mask_<const void*, const void*, int32_t, uint8_t*>(0);               \
    static constexpr bool has_respawn = id##_has_respawn_<void*, const void*, int32_t>(0);                         \
    static constexpr bool has_data = id##_has_reset_from_<void*, const void*, const void*, uint64_t>(0);           \
    PFC_FN void step_range(const PfcRange* r) {                                                                    \
      id##_step_loop_(r, (int64_t)r->state_stride, r->agents, r->action_dims);                                     \
    }                                                                                                              \
    PFC_FN void observe_range(const PfcRange* r) {                                                                 \
      id##_observe_loop_(r, (int64_t)r->state_stride, r->agents, (int64_t)r->obs_bytes);                           \
    }                                                                                                              \
    __noinline__ PFC_FN void reset_one(void* state, const void* params) { id##_reset_one_(state, params); }                     \
    __noinline__ PFC_FN void observe_one(const void* state, const void* params, int32_t agent, void* obs) {                     \
      id##_observe_one_(state, params, agent, obs);                                                                \
    }                                                                                                              \
    __noinline__ PFC_FN void metrics_one(const void* state, const void* params, int32_t agent, float* values) {                 \
      id##_metrics_one_(state, params, agent, values);                                                             \
    }                                                                                                              \
    PFC_FN void mask(const void* state, const void* params, int32_t agent, uint8_t* legal) {                       \
      id##_mask_or_nothing_(0, state, params, agent, legal);                                                       \
    }                                                                                                              \
    __noinline__ PFC_FN void respawn(void* state, const void* params, int32_t agent) {                                          \
      id##_respawn_or_nothing_(0, state, params, agent);                                                           \
    }                                                                                                              \
    __noinline__ PFC_FN void reset_from(void* state, const void* params, const void* data, uint64_t bytes) {                    \
      id##_reset_from_or_nothing_(0, state, params, data, bytes);                                                  \
    }                                                                                                              \
    __noinline__ PFC_FN void respawn_from(void* state, const void* params, int32_t agent, const void* data, uint64_t bytes) {   \
      id##_respawn_from_or_nothing_(0, state, params, agent, data, bytes);                                         \
    }                                                                                                              \
  };                                                                                                               \
  }

#include PFC_DEVICE_SOURCE

#include "pool/step.h"

namespace {

// The first legal choice of a dimension, whose choices begin at `first`.
__device__ int32_t first_legal(const uint32_t* mask, int32_t first) {
  int32_t choice = 0;
  while (!pfc_mask_allows(mask, first + choice)) ++choice;
  return choice;
}

// Copies one choice, or its replacement. Rows that wait for a reset may have any, which no game sees.
__device__ bool take_choice(const PfcDeviceCall& call, int64_t row, int32_t dim, int32_t first) {
  const PfcGames& g = call.games;
  const int64_t at = row * g.action_dims + dim;
  const int64_t choice = call.dtype == PFC_INT64 ? static_cast<const int64_t*>(call.actions)[at]
                                                 : static_cast<const int32_t*>(call.actions)[at];
  const uint32_t* mask = g.action_mask + row * g.mask_words;
  const bool in_range = choice >= 0 && choice < call.action_counts[dim];
  const bool good = in_range && (!g.mask_words || pfc_mask_allows(mask, first + static_cast<int32_t>(choice)));
  const int32_t other = g.mask_words && !good ? first_legal(mask, first) : 0;
  static_cast<int32_t*>(g.actions)[at] = good ? static_cast<int32_t>(choice) : other;
  return good;
}

__device__ bool take_control(const PfcDeviceCall& call, int64_t at) {
  const float control = static_cast<const float*>(call.actions)[at];
  const bool good = pfc_is_finite(control);
  static_cast<float*>(call.games.actions)[at] = good ? pfc_clampf(control, -1.0f, 1.0f) : 0.0f;
  return good;
}

__device__ void take_actions(const PfcDeviceCall& call, int32_t game) {
  const PfcGames& g = call.games;
  for (int64_t row = (int64_t)game * g.agents; row < ((int64_t)game + 1) * g.agents; ++row) {
    int32_t first = 0;
    bool good = true;
    for (int32_t dim = 0; dim < g.action_dims; ++dim) {
      good &= g.discrete ? take_choice(call, row, dim, first) : take_control(call, row * g.action_dims + dim);
      first += call.action_counts[dim];
    }
    if (!good && !g.stopped[row]) atomicMin(call.bad_row, static_cast<uint32_t>(row));
  }
}

__device__ void observe(const PfcDeviceCall& call, const PfcCalls* calls, int32_t game) {
  const PfcGames& g = call.games;
  pfc_observe_games(&g, calls, game, game + 1, call.observations, call.legal + (int64_t)game * g.mask_words * 32);
}

__global__ void __launch_bounds__(pufferc::kBlockThreads) step_kernel(const __grid_constant__ PfcDeviceCall call) {
  const int64_t game = pufferc::column_of_thread();
  const PfcCalls calls{};
  if (game >= call.games.num_games) return;
  take_actions(call, static_cast<int32_t>(game));
  pfc_step_games(&call.games, &calls, static_cast<int32_t>(game), static_cast<int32_t>(game) + 1);
  observe(call, &calls, static_cast<int32_t>(game));
}

__global__ void __launch_bounds__(pufferc::kBlockThreads) reset_kernel(const __grid_constant__ PfcDeviceCall call) {
  const int64_t game = pufferc::column_of_thread();
  const PfcCalls calls{};
  if (game >= call.games.num_games) return;
  pfc_reset_rows(&call.games, &calls, static_cast<int32_t>(game), &call.reset);
  observe(call, &calls, static_cast<int32_t>(game));
}

}  // namespace

#define PFC_CODE_SYMBOL_2_(id) pfc_device_code_##id
#define PFC_CODE_SYMBOL_(id) PFC_CODE_SYMBOL_2_(id)
#define PFC_CODE_NAME_2_(id) #id
#define PFC_CODE_NAME_(id) PFC_CODE_NAME_2_(id)

extern const PfcDeviceCode PFC_CODE_SYMBOL_(PFC_DEVICE_GAME);
const PfcDeviceCode PFC_CODE_SYMBOL_(PFC_DEVICE_GAME) = {PFC_CODE_NAME_(PFC_DEVICE_GAME),
                                                         PfcCalls::has_mask,
                                                         PfcCalls::has_respawn,
                                                         PfcCalls::has_data,
                                                         step_kernel,
                                                         reset_kernel};
