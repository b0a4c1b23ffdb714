// lock.c - a masked game for tests of policies. Policies learn it within seconds, but only with masks. Two agents take
// turns at a lock: the observed digit opens its first half; of the two available keys, the lower or the higher one
// opens the second half.
//
// obs   LockValue[6]   see lock_obs
// act   int32[2]       digit 0 to 2; key 0 to 33, of which two are legal: the choices cross a word of the mask
// rew   0.5 for each half that opens
//
// A waiting agent has one legal choice in each dimension, digit 0 and key 0. From step `leave` on, agent 1 is out.
// Built into C tests with PFC_BUILDING_LIBRARY, and as a module for Python tests, which may replace the three lines
// below.
#include "pufferc/env.h"

typedef float LockValue;
#define LOCK_DTYPE PFC_FLOAT32
#define LOCK_SHAPE \
  {6}

enum { LOCK_DIGITS = 3, LOCK_KEYS = 34 };

#define LOCK_PARAMS(X)                                                             \
  X(int, max_steps, 20, 0, PFC_MAX_STEPS, "steps until truncation; 0 = never")     \
  X(int, leave, 0, 0, PFC_MAX_STEPS, "step after which agent 1 is out; 0 = never") \
  X(float, jam, 0, 0, 1, "chance in a step that the game ends")                    \
  X(bool, masked, 1, 0, 1, "refuse illegal choices; otherwise they open nothing")
PFC_DEFINE_PARAMS(lock, LockParams, LOCK_PARAMS)

typedef struct Lock {
  PfcRng rng;
  int32_t turn, steps, digit, higher;
  int32_t keys[2];  // ascending
} Lock;

typedef struct LockObs {
  LockValue value[6];
} LockObs;

static const PfcObsRow lock_obs[] = {
    PFC_OBS("turn", 1, 0, 1, "1 if it is the agent's turn"),
    PFC_OBS("digit", LOCK_DIGITS, 0, 1, "one of three"),
    PFC_OBS("keys", 2, 0, 1, "(1, 0): the lower key opens; (0, 1): the higher one"),
};

PFC_FN void lock_show(Lock* s) {
  s->digit = (int32_t)pfc_rng_below(&s->rng, LOCK_DIGITS);
  s->higher = (int32_t)pfc_rng_below(&s->rng, 2);
  const int32_t first = (int32_t)pfc_rng_below(&s->rng, LOCK_KEYS);
  const int32_t second = (first + 1 + (int32_t)pfc_rng_below(&s->rng, LOCK_KEYS - 1)) % LOCK_KEYS;
  s->keys[0] = pfc_mini(first, second);
  s->keys[1] = pfc_maxi(first, second);
}

PFC_FN void lock_reset(Lock* s, const LockParams* p) {
  (void)p;
  s->turn = (int32_t)pfc_rng_below(&s->rng, 2);
  lock_show(s);
}

PFC_FN void lock_step(Lock* s, const LockParams* p, PfcIo io) {
  const int32_t* actions = io.actions + 2 * s->turn;
  io.rewards[s->turn] = 0.5f * (float)(actions[0] == s->digit) + 0.5f * (float)(actions[1] == s->keys[s->higher]);
  s->steps += 1;
  if (p->jam > 0.0f && pfc_rng_float(&s->rng) < p->jam) io.terminated[0] = 1;
  if (p->leave > 0 && s->steps >= p->leave) io.alive[1] = 0;
  s->turn = io.alive[1] ? 1 - s->turn : 0;
  lock_show(s);
}

PFC_FN void lock_observe(const Lock* s, const LockParams* p, int32_t agent, LockObs* obs) {
  (void)p;
  for (int32_t i = 0; i < 6; ++i) obs->value[i] = 0;
  obs->value[0] = (LockValue)(s->turn == agent);
  obs->value[1 + s->digit] = 1;
  obs->value[4 + s->higher] = 1;
}

PFC_FN void lock_mask(const void* state, const void* params, int32_t agent, uint8_t* legal) {
  const Lock* s = (const Lock*)state;
  uint8_t* keys = legal + LOCK_DIGITS;
  (void)params;
  if (agent != s->turn) {
    legal[0] = keys[0] = 1;
    return;
  }
  for (int32_t digit = 0; digit < LOCK_DIGITS; ++digit) legal[digit] = 1;
  keys[s->keys[0]] = keys[s->keys[1]] = 1;
}

PFC_FN void lock_metrics(const Lock* s, const LockParams* p, int32_t agent, float* values) {
  (void)s, (void)p, (void)agent, (void)values;
}

static void lock_layout(const void* params, PfcLayout* sizes) { sizes->masked = ((const LockParams*)params)->masked; }

static void lock_draw(const Lock* s, const LockParams* p, const PfcDraw* d) {
  (void)s, (void)p;
  d->begin(d->context, 1.0f, 1.0f, pfc_rgb(0));
  d->end(d->context);
}

PFC_DEFINE_ENV(lock, Lock, .title = "Lock", .summary = "two agents take turns at a lock; for tests of masks",
               .version = 1, .obs_dtype = LOCK_DTYPE,
               .sizes = {.agents = 2, .obs_shape = LOCK_SHAPE, .action_counts = {LOCK_DIGITS, LOCK_KEYS}},
               .layout = lock_layout, .mask = lock_mask, .obs_rows = lock_obs,
               .num_obs_rows = sizeof lock_obs / sizeof lock_obs[0], .metrics = {"score"})
