// acrobot.c - swing two links up with a motor in the joint between them. One agent; Gymnasium's Acrobot-v1.
//
// Two links of 1 m and 1 kg hang from a pivot, with centres in their middles, inertias 1 kg m^2 and g = 9.8 m/s^2. q1
// is the angle of the first link (0 = down), q2 of the second one relative to the first. A step is 0.2 s of one
// Runge-Kutta step of order 4 of the book's equations (Sutton and Barto 1998), without branches, so that the compiler
// vectorises the generated loop over games.
//
// obs   float32[6]    cosine and sine of q1 and of q2, both angular velocities
// act   int32[1]      torque on the second joint: 0 -1 Nm  1 none  2 +1 Nm
// rew   -1 per step, 0 in the step in which the end of the second link is more than 1 m above the pivot
//
// score is the return; perf is 1 - steps / max_steps, and 0 if the line was not reached.
#include "pufferc/env.h"

#define ACROBOT_STEP_S 0.2f
#define ACROBOT_MAX_SPEED_1 (4.0f * PFC_PI)  // rad/s
#define ACROBOT_MAX_SPEED_2 (9.0f * PFC_PI)
#define ACROBOT_LINE 1.0f   // height to reach, m above the pivot
#define ACROBOT_START 0.1f  // initial state variables are within +- this

#define ACROBOT_PARAMS(X) X(int, max_steps, 500, 0, PFC_MAX_STEPS, "steps until truncation; 0 = never")
PFC_DEFINE_PARAMS(acrobot, AcrobotParams, ACROBOT_PARAMS)

// Angles and angular velocities, or their derivatives.
typedef struct AcrobotMotion {
  float q1, q2, w1, w2;  // rad, rad/s
} AcrobotMotion;

typedef struct Acrobot {
  PfcRng rng;
  AcrobotMotion now;
} Acrobot;

typedef struct AcrobotObs {
  float cosine1, sine1, cosine2, sine2, velocity1, velocity2;
} AcrobotObs;

static const PfcObsRow acrobot_obs[] = {
    PFC_OBS("cosine1", 1, -1, 1, "of the first link's angle; 1 = down"),
    PFC_OBS("sine1", 1, -1, 1, "of the first link's angle"),
    PFC_OBS("cosine2", 1, -1, 1, "of the second link's angle to the first; 1 = stretched"),
    PFC_OBS("sine2", 1, -1, 1, "of the second link's angle to the first"),
    PFC_OBS("velocity1", 1, -ACROBOT_MAX_SPEED_1, ACROBOT_MAX_SPEED_1, "of the first angle, rad/s"),
    PFC_OBS("velocity2", 1, -ACROBOT_MAX_SPEED_2, ACROBOT_MAX_SPEED_2, "of the second angle, rad/s"),
};

// The derivative of a motion under a torque. The numbers are products of the masses, lengths and inertias above. GCC
// does not inline functions of this size by itself, and only what is inlined into the generated loop is vectorised.
PFC_FN __attribute__((always_inline)) AcrobotMotion acrobot_derivative(AcrobotMotion m, float torque) {
  float sine2, cosine2;
  pfc_sincosf(m.q2, &sine2, &cosine2);
  const float inertia1 = 3.5f + cosine2, shared = 1.25f + 0.5f * cosine2, share = shared / inertia1;
  const float weight2 = 4.9f * pfc_sinf(m.q1 + m.q2);
  const float weight1 = 14.7f * pfc_sinf(m.q1) + weight2 - (0.5f * m.w2 * m.w2 + m.w2 * m.w1) * sine2;
  AcrobotMotion rate;
  rate.q1 = m.w1;
  rate.q2 = m.w2;
  rate.w2 = (torque + share * weight1 - 0.5f * m.w1 * m.w1 * sine2 - weight2) / (1.25f - shared * share);
  rate.w1 = -(shared * rate.w2 + weight1) / inertia1;
  return rate;
}

PFC_FN AcrobotMotion acrobot_after(AcrobotMotion m, AcrobotMotion rate, float time_s) {
  AcrobotMotion next;
  next.q1 = m.q1 + time_s * rate.q1;
  next.q2 = m.q2 + time_s * rate.q2;
  next.w1 = m.w1 + time_s * rate.w1;
  next.w2 = m.w2 + time_s * rate.w2;
  return next;
}

PFC_FN __attribute__((always_inline)) AcrobotMotion acrobot_integrate(AcrobotMotion m, float torque) {
  const float half_s = 0.5f * ACROBOT_STEP_S;
  const AcrobotMotion a = acrobot_derivative(m, torque);
  const AcrobotMotion b = acrobot_derivative(acrobot_after(m, a, half_s), torque);
  const AcrobotMotion c = acrobot_derivative(acrobot_after(m, b, half_s), torque);
  const AcrobotMotion d = acrobot_derivative(acrobot_after(m, c, ACROBOT_STEP_S), torque);
  AcrobotMotion mean;
  mean.q1 = a.q1 + 2.0f * (b.q1 + c.q1) + d.q1;
  mean.q2 = a.q2 + 2.0f * (b.q2 + c.q2) + d.q2;
  mean.w1 = a.w1 + 2.0f * (b.w1 + c.w1) + d.w1;
  mean.w2 = a.w2 + 2.0f * (b.w2 + c.w2) + d.w2;
  return acrobot_after(m, mean, ACROBOT_STEP_S * (1.0f / 6.0f));
}

PFC_FN float acrobot_wrap(float angle) {
  const float turn = 2.0f * PFC_PI;
  return angle - turn * pfc_roundf(angle * (1.0f / turn));
}

// Of the end of the second link, m above the pivot.
PFC_FN float acrobot_height(AcrobotMotion m) { return -pfc_cosf(m.q1) - pfc_cosf(m.q1 + m.q2); }

PFC_FN bool acrobot_is_up(const Acrobot* s) { return acrobot_height(s->now) > ACROBOT_LINE; }

PFC_FN void acrobot_reset(Acrobot* s, const AcrobotParams* p) {
  (void)p;
  s->now.q1 = pfc_rng_uniform(&s->rng, -ACROBOT_START, ACROBOT_START);
  s->now.q2 = pfc_rng_uniform(&s->rng, -ACROBOT_START, ACROBOT_START);
  s->now.w1 = pfc_rng_uniform(&s->rng, -ACROBOT_START, ACROBOT_START);
  s->now.w2 = pfc_rng_uniform(&s->rng, -ACROBOT_START, ACROBOT_START);
}

PFC_FN __attribute__((always_inline)) void acrobot_step(Acrobot* s, const AcrobotParams* p, PfcIo io) {
  (void)p;
  AcrobotMotion m = acrobot_integrate(s->now, (float)(io.actions[0] - 1));
  m.q1 = acrobot_wrap(m.q1);
  m.q2 = acrobot_wrap(m.q2);
  m.w1 = pfc_clampf(m.w1, -ACROBOT_MAX_SPEED_1, ACROBOT_MAX_SPEED_1);
  m.w2 = pfc_clampf(m.w2, -ACROBOT_MAX_SPEED_2, ACROBOT_MAX_SPEED_2);
  s->now = m;
  const float height = acrobot_height(m);
  io.rewards[0] = height > ACROBOT_LINE ? 0.0f : -1.0f;
  io.terminated[0] = height > ACROBOT_LINE;
}

PFC_FN void acrobot_observe(const Acrobot* s, const AcrobotParams* p, int32_t agent, AcrobotObs* obs) {
  (void)p, (void)agent;
  float sine1, cosine1, sine2, cosine2;
  pfc_sincosf(s->now.q1, &sine1, &cosine1);
  pfc_sincosf(s->now.q2, &sine2, &cosine2);
  obs->cosine1 = pfc_clampf(cosine1, -1.0f, 1.0f);  // against rounding
  obs->sine1 = pfc_clampf(sine1, -1.0f, 1.0f);
  obs->cosine2 = pfc_clampf(cosine2, -1.0f, 1.0f);
  obs->sine2 = pfc_clampf(sine2, -1.0f, 1.0f);
  obs->velocity1 = s->now.w1;
  obs->velocity2 = s->now.w2;
}

PFC_FN void acrobot_metrics(const Acrobot* s, const AcrobotParams* p, int32_t agent, float* values) {
  (void)agent;  // the score is the return: -1 for each step but the one that reaches the line
  const float used = p->max_steps > 0 ? (1.0f - values[0]) / (float)p->max_steps : 0.0f;
  values[1] = acrobot_is_up(s) ? 1.0f - used : 0.0f;
}

// ---- picture: 440 x 440, 88 px per m ------------------------------------------------------------------------------

#define ACROBOT_VIEW 440.0f
#define ACROBOT_VIEW_SCALE 88.0f
#define ACROBOT_VIEW_PIVOT_Y 232.0f

static PfcPoint acrobot_link_end(PfcPoint from, float angle) {
  PfcPoint to;
  float sine, cosine;
  pfc_sincosf(angle, &sine, &cosine);
  to.x = from.x + ACROBOT_VIEW_SCALE * sine;
  to.y = from.y + ACROBOT_VIEW_SCALE * cosine;
  return to;
}

// The line to reach, in dashes.
static void acrobot_draw_line(bool up, const PfcDraw* d) {
  const float y = ACROBOT_VIEW_PIVOT_Y - ACROBOT_VIEW_SCALE * ACROBOT_LINE;
  for (float x = 20.0f; x < ACROBOT_VIEW - 20.0f; x += 20.0f)
    d->rect(d->context, x, y - 1.5f, 12.0f, 3.0f, pfc_rgb(up ? PFC_GOOD : PFC_GOAL));
}

static void acrobot_draw(const Acrobot* s, const AcrobotParams* p, const PfcDraw* d) {
  (void)p;
  const bool up = acrobot_is_up(s);
  const PfcPoint pivot = {0.5f * ACROBOT_VIEW, ACROBOT_VIEW_PIVOT_Y};
  const PfcPoint joint = acrobot_link_end(pivot, s->now.q1), end = acrobot_link_end(joint, s->now.q1 + s->now.q2);
  pfc_draw_board(d, ACROBOT_VIEW, ACROBOT_VIEW);
  acrobot_draw_line(up, d);
  d->line(d->context, pivot.x, pivot.y, joint.x, joint.y, 16.0f, pfc_rgb(0x2a7f95));
  d->line(d->context, joint.x, joint.y, end.x, end.y, 12.0f, pfc_rgb(PFC_AGENT));
  d->circle(d->context, end.x, end.y, 8.0f, pfc_rgb(up ? PFC_GOOD : PFC_GOAL));
  d->circle(d->context, joint.x, joint.y, 11.0f, pfc_rgb(PFC_RIVAL));  // the motor
  d->circle(d->context, joint.x, joint.y, 5.0f, pfc_rgb(PFC_BOARD));
  d->circle(d->context, pivot.x, pivot.y, 10.0f, pfc_rgb(PFC_INK));
  d->circle(d->context, pivot.x, pivot.y, 4.0f, pfc_rgb(PFC_BOARD));
  pfc_draw_count(d, 22.0f, 20.0f, 28.0f, true, d->steps, "steps");
  pfc_draw_measure(d, ACROBOT_VIEW - 22.0f, 26.0f, 20.0f, false, acrobot_height(s->now), true, "m");
  d->end(d->context);
}

static const PfcKeyBinding acrobot_keys[] = {
    PFC_BIND("left a", "turn the lower link left", 0, 0),
    PFC_BIND("right d", "turn the lower link right", 0, 2),
};

static const PfcField acrobot_fields[] = {
    PFC_STATE_FIELD(Acrobot, now, PFC_FLOAT32),
};

PFC_DEFINE_ENV(acrobot, Acrobot,
               .title = "Acrobot",
               .summary = "swing two links up to a line, as in Gymnasium's Acrobot-v1",
               .version = 1,
               .obs_dtype = PFC_FLOAT32,
               .sizes = {.action_counts = {3}},
               .obs_rows = acrobot_obs,
               .num_obs_rows = sizeof acrobot_obs / sizeof acrobot_obs[0],
               .metrics = {"score", "perf"},
               .fields = acrobot_fields,
               .num_fields = sizeof acrobot_fields / sizeof acrobot_fields[0],
               .fps = 15,
               .keys = acrobot_keys,
               .num_keys = sizeof acrobot_keys / sizeof acrobot_keys[0],
               .idle = 1)
