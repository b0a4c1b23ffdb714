// rotor.c - a game with many candidates for fused multiply-add: its step rotates points about the origin.
// check_fused.cmake compiles it for wide processors and inspects the instructions.
#include "pufferc/env.h"

#define ROTOR_POINTS 16

#define ROTOR_PARAMS(X) X(int, max_steps, 100, 0, PFC_MAX_STEPS, "steps until truncation; 0 = never")
PFC_DEFINE_PARAMS(rotor, RotorParams, ROTOR_PARAMS)

typedef struct Rotor {
  PfcRng rng;
  float points[2 * ROTOR_POINTS];  // x, y
} Rotor;

typedef struct RotorObs {
  float points[2 * ROTOR_POINTS];
} RotorObs;

static const PfcObsRow rotor_obs[] = {PFC_OBS("points", 2 * ROTOR_POINTS, -2, 2, "x, y of every point")};

PFC_FN void rotor_reset(Rotor* s, const RotorParams* p) {
  (void)p;
  for (int32_t i = 0; i < 2 * ROTOR_POINTS; ++i) s->points[i] = pfc_rng_uniform(&s->rng, -1.0f, 1.0f);
}

PFC_FN void rotor_step(Rotor* s, const RotorParams* p, PfcIo io) {
  (void)p;
  const float angle = io.actions[0] == 1 ? 0.1f : -0.1f, cosine = pfc_cosf(angle), sine = pfc_sinf(angle);
  float turned[2 * ROTOR_POINTS];
  for (int32_t i = 0; i < ROTOR_POINTS; ++i) {
    const float x = s->points[2 * i], y = s->points[2 * i + 1];
    turned[2 * i] = x * cosine - y * sine;
    turned[2 * i + 1] = x * sine + y * cosine;
  }
  for (int32_t i = 0; i < 2 * ROTOR_POINTS; ++i) s->points[i] = turned[i];
  io.rewards[0] = s->points[0];
}

PFC_FN void rotor_observe(const Rotor* s, const RotorParams* p, int32_t agent, RotorObs* obs) {
  (void)p, (void)agent;
  for (int32_t i = 0; i < 2 * ROTOR_POINTS; ++i) obs->points[i] = s->points[i];
}

PFC_FN void rotor_metrics(const Rotor* s, const RotorParams* p, int32_t agent, float* values) {
  (void)p, (void)agent;
  values[0] = s->points[0];
}

static void rotor_draw(const Rotor* s, const RotorParams* p, const PfcDraw* d) {
  (void)s, (void)p;
  d->end(d->context);
}

PFC_DEFINE_ENV(rotor, Rotor, .title = "Rotor", .version = 1, .obs_dtype = PFC_FLOAT32, .sizes = {.action_counts = {2}},
               .obs_rows = rotor_obs, .num_obs_rows = 1)
