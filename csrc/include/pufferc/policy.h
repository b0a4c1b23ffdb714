// policy.h - trained policies without Python: loads a file from `pufferc export`, chooses actions for many rows.
//
//   #include <pufferc/policy.h>
//
//   PfcPolicy* policy = pfc_policy_load("breakout.pfc");
//   if (!policy) { fprintf(stderr, "%s\n", pfc_last_error()); return 1; }
//   const PfcPolicyInfo* info = pfc_policy_info(policy);
//   PfcPoolDesc desc = {.env = info->game, .num_games = 1024, .params = info->params, .num_params = info->num_params};
//   PfcPool* pool = pfc_pool_create(&desc);                        // the game with its parameters of training
//   if (!pool || pfc_policy_check(policy, pool)) { fprintf(stderr, "%s\n", pfc_last_error()); return 1; }
//   pfc_pool_reset(pool, NULL);
//   const PfcBuffers* b = pfc_pool_buffers(pool);
//   int32_t actions[1024];
//   float* state = calloc(1024 * info->state_size + 1, sizeof(float));  // zeros = start of an episode
//   for (uint64_t t = 0; t < 1000; ++t) {
//     PfcPolicyDraw draw = {.seed = 1, .step = t};
//     if (pfc_policy_act(policy, b->observations, b->rows, &draw, state, actions, NULL)) break;
//     if (pfc_pool_step(pool, actions, info->action_dtype, NULL)) break;
//     pfc_policy_restart(policy, b->rows, b->terminated, b->truncated, state);
//   }
//
// A policy maps one row's observation to K action outputs and one value estimate. For discrete actions the outputs are
// logits, K = sum of action_counts. For D controls they are the D means and D log standard deviations of normal
// distributions. A policy never changes after loading, so any number of threads may use it at the same time, each with
// its own rows. Calls run on the calling thread; to use more threads, give each a part of the rows
// (PfcPolicyDraw.first_row).
//
// Memory. A recurrent policy keeps state_size numbers per row between calls. The caller owns this state and passes it
// to each call, which updates it. All zeros is the state at the start of an episode; pfc_policy_restart zeroes the rows
// whose episode ended. Rows can therefore be moved, saved, or played by another thread. For policies without memory
// state_size is 0 and the state may be NULL.
//
// Masks. For a game in which choices can be illegal (info->mask_words > 0), call pfc_policy_act_masked with the pool's
// action_mask in place of pfc_policy_act. It never chooses an illegal one.
//
// Results agree with the exported float32 network to about 1e-6 of its largest number. They may differ in the last bits
// between machines, because sums are taken in vectors of the processor's width.
//
// File format, version 2: little-endian, every entry at a multiple of 8 bytes, padding is zero.
//
//   0    char[8]       "PFCPOL\r\n" (detects a transfer that changes line ends)
//   8    u32           version of the format, 2; version 1, the same without bytes 160 to 167, can be read too
//   12   u32           layers, 1 to PFC_POLICY_MAX_LAYERS
//   16   u64           bytes of the whole file
//   24   u64           checksum of all bytes from 32 on: 64-bit FNV-1a over 8-byte words w, with the number of
//                      bytes mixed in:  h = 0xcbf29ce484222325 ^ bytes;  h = (h ^ w) * 0x100000001b3;  h ^= h >> 32
//   32   char[64]      name of the game, zero-terminated
//   96   i32           version of the game
//   100  u32           dtype of an observation (PfcDtype), converted to float32 before the first layer
//   104  i32[3]        shape of an observation, unused dimensions 0
//   116  u32           action head: 0 categorical, one softmax per action dimension; 1 normal, the sample is clamped
//                      to [-1, 1]; 2 normal, the sample is passed through tanh
//   120  i32           action dimensions D
//   124  i32[8]        choices per action dimension, unused dimensions 0; all 0 for normal heads
//   156  u32           number of game parameters that follow, at most PFC_POLICY_MAX_PARAMS
//   160  u32           flags: 1 = masked, the policy needs a mask of legal choices; categorical heads only
//   164  u32           0
//   168                per parameter: char[32] name, zero-terminated; f64 value
//   then               per layer: u32 kind, u32 option, u32 inputs, u32 outputs, u64 bytes that follow; its numbers,
//                      all f32, padded to a multiple of 8 bytes
//     kind 1:             refused; earlier versions used it to normalise observations
//     kind 2, linear:     f32 weight[outputs][inputs], bias[outputs]
//                         y = weight x + bias; option 1 applies max(y, 0), option 0 does not
//     kind 3, codes:      no numbers; option = C, the largest code, 1 to 255; outputs = inputs * C
//                         y[i * C + c - 1] = 1 where x[i] = c, else 0: each observed byte as a one-hot vector in which
//                         code 0, and codes above C, have no entry; first layer only, of uint8 or int8 observations
//     kind 4, MinGRU:     f32 weight[2 outputs][inputs], bias[2 outputs]; option 0, outputs = inputs
//                         u, c = weight x + bias;  z = 1 / (1 + exp(-u));  h = (1 - z) h + z c;  y = x + h
//                         state h[outputs]
//     kind 5, LSTM:       f32 weight[4 outputs][inputs + outputs], bias[4 outputs]; option 0
//                         i, f, g, o = weight [x, h] + bias;  with s(v) = 1 / (1 + exp(-v)):
//                         c = s(f) c + s(i) tanh(g);  h = s(o) tanh(c);  y = h
//                         state h[outputs], c[outputs]
//     kind 6, conv:       u32 height, width, channels, stride; f32 weight[F][3][3][channels], bias[F]; option = F filters
//                         the first height * width * channels inputs are an image, row by row with the channels of a
//                         cell side by side and a border of zeros around it; the outputs are those of the filters at
//                         every stride-th cell of every stride-th row, max(y, 0), F for each cell; then the other inputs
//     kind 7, sets:       option = S sets; S times u32 first, count, each, width: entities of `each` values among the
//                         count inputs from `first` on, in order; then for each set f32 A[width][each], a[width],
//                         B[width][width], b[width]
//                         the outputs are the inputs outside of the sets, in order, and then for each set, of `width`
//                         numbers, max(0, the maximum of B max(0, A x + a) + b over its entities x whose first value is
//                         not 0), zeros without one; width and each are at most 16,384
//     kind 8, code rows:  option = R, the rows of the observation; R times u32 count, C, first, step
//                         the count values of a row follow those of the row before; value i of a row, from 0, becomes
//                         the outputs from first + i * step on: a one-hot vector of C entries as in kind 3, or the value
//                         itself where C = 0; every output belongs to exactly one value; first layer only
//   The last layer is linear with option 0 and has K + 1 outputs: the K of the action head (logits side by side; or the
//   means, then the log standard deviations) and the value. A row's state holds the states of its layers in order.
//
// An invalid file is refused with its name and the reason; loading never reads outside it.
#ifndef PUFFERC_POLICY_H
#define PUFFERC_POLICY_H

#include "pufferc/pufferc.h"

#ifdef __cplusplus
extern "C" {
#endif

#define PFC_POLICY_MAX_LAYERS 64
#define PFC_POLICY_MAX_WIDTH 65536  // inputs or outputs of a layer
#define PFC_POLICY_MAX_PARAMS 64

typedef struct PfcPolicy PfcPolicy;

// What a policy was trained for. Valid as long as the policy, with everything it points to.
typedef struct PfcPolicyInfo {
  const char* game;
  int32_t game_version;
  PfcDtype obs_dtype;
  int32_t obs_dims, obs_shape[PFC_MAX_OBS_DIMS];
  int32_t obs_size;                     // values of one observation, the product of obs_shape
  int32_t action_dims, action_counts[PFC_MAX_ACTION_DIMS];
  int32_t discrete;                     // 1: actions are choices; 0: controls in [-1, 1], action_counts all 0
  PfcDtype action_dtype;                // PFC_INT32 for choices, PFC_FLOAT32 for controls
  int32_t num_outputs;                  // K + 1
  int32_t mask_words;                   // uint32 words of a row's mask, ceil(K / 32); 0 = trained without masks
  int32_t state_size;                   // numbers that a row keeps between calls; 0 = not recurrent
  int32_t num_layers;
  int64_t num_weights;                  // numbers in all layers together
  const PfcParamValue* params;          // [num_params] game parameters that differ from their defaults
  int32_t num_params;
} PfcPolicyInfo;

// Returns NULL with pfc_last_error() set if the file cannot be read or is not a policy.
PFC_API PfcPolicy* pfc_policy_load(const char* path);
// The same from memory, borrowed for the call. Messages show `name` in place of the path; NULL = "policy".
PFC_API PfcPolicy* pfc_policy_parse(const void* data, uint64_t bytes, const char* name);
PFC_API void pfc_policy_destroy(PfcPolicy* policy);  // NULL is allowed
PFC_API const PfcPolicyInfo* pfc_policy_info(const PfcPolicy* policy);
// PFC_OK if the policy can play this pool (same game, version, observations, actions and masks); else PFC_INVALID.
PFC_API PfcStatus pfc_policy_check(const PfcPolicy* policy, const PfcPool* pool);

// Writes outputs float32 [rows, K + 1] for observations [rows, obs_size] of obs_dtype. state float32 [rows, state_size]
// is updated in place; NULL for policies without memory.
PFC_API PfcStatus pfc_policy_forward(const PfcPolicy* policy, const void* observations, int64_t rows, float* state,
                                     float* outputs);
// Zeroes the state of rows whose episode ended (terminated or truncated [rows] nonzero).
PFC_API PfcStatus pfc_policy_restart(const PfcPolicy* policy, int64_t rows, const uint8_t* terminated,
                                     const uint8_t* truncated, float* state);

// How actions are chosen. There is no generator to carry along: row i draws from (seed, step, first_row + i) only, and
// pufferc.ops.sample_actions in Python gives the same draw for these numbers.
typedef struct PfcPolicyDraw {
  int32_t greedy;      // 1: the most probable action (the first of equals), or the mean; other fields are ignored
  uint64_t seed;
  uint64_t step;       // must differ from call to call
  uint64_t first_row;  // number of row 0, for a part of a batch
} PfcPolicyDraw;

// Writes actions [rows, action_dims] of action_dtype, ready for pfc_pool_step, for observations [rows, obs_size]. state
// as in pfc_policy_forward. values float32 [rows] or NULL. draw NULL = greedy.
// A row with outputs that are not finite gets actions of 0; the other rows are computed, then the call returns
// PFC_INVALID. It also returns PFC_INVALID for a policy that was trained with masks.
PFC_API PfcStatus pfc_policy_act(const PfcPolicy* policy, const void* observations, int64_t rows,
                                 const PfcPolicyDraw* draw, float* state, void* actions, float* values);
// The same with mask uint32 [rows, mask_words], laid out like action_mask of PfcBuffers; never makes an illegal choice.
// NULL for a policy without masks. Rows with outputs that are not finite get the first legal choices.
PFC_API PfcStatus pfc_policy_act_masked(const PfcPolicy* policy, const void* observations, const uint32_t* mask,
                                        int64_t rows, const PfcPolicyDraw* draw, float* state, void* actions,
                                        float* values);

#ifdef __cplusplus
}
#endif

#endif  // PUFFERC_POLICY_H
