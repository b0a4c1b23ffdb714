// pendulum.c - swing a pendulum up and hold it there with a weak motor. One agent; Gymnasium's Pendulum-v1.
//
// A rod of 1 kg and 1 m turns around one end, g = 10 m/s^2. Its angle is 0 upright and grows clockwise. A step is
// 0.05 s of Euler integration, without branches, so that the compiler vectorises the generated loop over games. The
// game never ends by its rules.
//
// obs   float32[3]    cosine and sine of the angle, angular velocity
// act   one control in [-1, 1], the torque / 2 Nm; with continuous = 0 five torques: -2, -1, 0, 1, 2 Nm
// rew   -(angle^2 + 0.1 velocity^2 + 0.001 torque^2) of the state before the step
//
// score is the return; perf is 1 - mean cost / 16.2736, the largest cost.
#include "pufferc/env.h"

#define PENDULUM_STEP_S 0.05f
#define PENDULUM_MAX_TORQUE 2.0f    // Nm
#define PENDULUM_MAX_SPEED 8.0f     // rad/s
#define PENDULUM_GRAVITY 15.0f      // 3 g / (2 length), rad/s^2
#define PENDULUM_INVERSE_INERTIA 3.0f  // 3 / (mass length^2)
#define PENDULUM_START_SPEED 1.0f
#define PENDULUM_SPEED_COST 0.1f
#define PENDULUM_TORQUE_COST 0.001f
#define PENDULUM_MAX_COST 16.2736f  // pi^2 + 0.1 * 8^2 + 0.001 * 2^2, rounded up
enum { PENDULUM_TORQUES = 5, PENDULUM_NO_TORQUE = 2 };

#define PENDULUM_PARAMS(X)                                                  \
  X(int, max_steps, 200, 0, PFC_MAX_STEPS, "steps until truncation; 0 = never") \
  X(bool, continuous, 1, 0, 1, "1: one control, a share of 2 Nm; 0: five torques")
PFC_DEFINE_PARAMS(pendulum, PendulumParams, PENDULUM_PARAMS)

typedef struct Pendulum {
  PfcRng rng;
  float angle;     // rad, 0 = upright, in [-pi, pi]
  float velocity;  // rad/s
  float torque;    // of the last step, Nm; for the picture
  int32_t steps;
} Pendulum;

typedef struct PendulumObs {
  float cosine, sine, velocity;
} PendulumObs;

static const PfcObsRow pendulum_obs[] = {
    PFC_OBS("cosine", 1, -1, 1, "of the angle; 1 = upright"),
    PFC_OBS("sine", 1, -1, 1, "of the angle; positive = to the right"),
    PFC_OBS("velocity", 1, -PENDULUM_MAX_SPEED, PENDULUM_MAX_SPEED, "angular velocity, rad/s"),
};

static void pendulum_layout(const void* params, PfcLayout* sizes) {
  if (!((const PendulumParams*)params)->continuous) return;
  sizes->action_counts[0] = 0;
  sizes->continuous_dims = 1;
}

PFC_FN float pendulum_wrap(float angle) {
  const float turn = 2.0f * PFC_PI;
  return angle - turn * pfc_roundf(angle * (1.0f / turn));
}

PFC_FN void pendulum_reset(Pendulum* s, const PendulumParams* p) {
  (void)p;
  s->angle = pfc_rng_uniform(&s->rng, -PFC_PI, PFC_PI);
  s->velocity = pfc_rng_uniform(&s->rng, -PENDULUM_START_SPEED, PENDULUM_START_SPEED);
}

PFC_FN void pendulum_step(Pendulum* s, const PendulumParams* p, PfcIo io) {
  const float control = io.controls[0];  // reads both, so that the selection compiles to a blend, not a branch
  const float choice = (float)(io.actions[0] - PENDULUM_NO_TORQUE) * (1.0f / (float)PENDULUM_NO_TORQUE);
  const float torque = PENDULUM_MAX_TORQUE * (p->continuous ? control : choice);
  const float angle = s->angle, velocity = s->velocity;
  const float cost =
      angle * angle + PENDULUM_SPEED_COST * velocity * velocity + PENDULUM_TORQUE_COST * torque * torque;
  const float acceleration = PENDULUM_GRAVITY * pfc_sinf(angle) + PENDULUM_INVERSE_INERTIA * torque;
  s->velocity =
      pfc_clampf(velocity + acceleration * PENDULUM_STEP_S, -PENDULUM_MAX_SPEED, PENDULUM_MAX_SPEED);
  s->angle = pendulum_wrap(angle + s->velocity * PENDULUM_STEP_S);
  s->torque = torque;
  s->steps += 1;
  io.rewards[0] = -cost;
}

PFC_FN void pendulum_observe(const Pendulum* s, const PendulumParams* p, int32_t agent, PendulumObs* obs) {
  (void)p, (void)agent;
  float sine, cosine;
  pfc_sincosf(s->angle, &sine, &cosine);
  obs->cosine = pfc_clampf(cosine, -1.0f, 1.0f);  // against rounding
  obs->sine = pfc_clampf(sine, -1.0f, 1.0f);
  obs->velocity = s->velocity;
}

PFC_FN void pendulum_metrics(const Pendulum* s, const PendulumParams* p, int32_t agent, float* values) {
  (void)p, (void)agent;  // the score is the return
  values[1] = 1.0f + values[0] / (PENDULUM_MAX_COST * (float)pfc_maxi(s->steps, 1));
}

// ---- picture: 440 x 440 ------------------------------------------------------------------------------------------

#define PENDULUM_VIEW 440.0f
#define PENDULUM_VIEW_LENGTH 140.0f  // of the rod
#define PENDULUM_VIEW_ARC 46.0f      // radius of the torque's arrow
enum { PENDULUM_VIEW_DOTS = 24, PENDULUM_VIEW_ARC_PIECES = 16 };

static PfcPoint pendulum_place(float angle, float radius) {
  PfcPoint at;
  float sine, cosine;
  pfc_sincosf(angle, &sine, &cosine);
  at.x = 0.5f * PENDULUM_VIEW + radius * sine;
  at.y = 0.5f * PENDULUM_VIEW + 10.0f - radius * cosine;
  return at;
}

// The circle of the rod's end, with the goal on top.
static void pendulum_draw_circle(float angle, const PfcDraw* d) {
  const float pitch = 2.0f * PFC_PI / (float)PENDULUM_VIEW_DOTS;
  for (int32_t i = 1; i < PENDULUM_VIEW_DOTS; ++i) {
    const PfcPoint dot = pendulum_place(pitch * (float)i, PENDULUM_VIEW_LENGTH);
    d->circle(d->context, dot.x, dot.y, 2.5f, pfc_rgb(PFC_LINE));
  }
  const PfcPoint top = pendulum_place(0.0f, PENDULUM_VIEW_LENGTH);
  d->circle(d->context, top.x, top.y, 19.0f, pfc_rgb(pfc_absf(angle) < 0.15f ? PFC_GOOD : PFC_GOAL));
  d->circle(d->context, top.x, top.y, 16.0f, pfc_rgb(PFC_BOARD));
}

// An arc around the pivot in the direction of the torque, half a circle for the largest, with a head at its end.
static void pendulum_draw_torque(float torque, const PfcDraw* d) {
  const float reach = PFC_PI * torque / PENDULUM_MAX_TORQUE, ahead = torque > 0.0f ? 0.34f : -0.34f;
  if (pfc_absf(reach) < 0.05f) return;
  for (int32_t i = 0; i < PENDULUM_VIEW_ARC_PIECES; ++i) {
    const float piece = reach / (float)PENDULUM_VIEW_ARC_PIECES;
    const PfcPoint a = pendulum_place(piece * (float)i, PENDULUM_VIEW_ARC);
    const PfcPoint b = pendulum_place(piece * (float)(i + 1), PENDULUM_VIEW_ARC);
    d->line(d->context, a.x, a.y, b.x, b.y, 5.0f, pfc_rgb(PFC_RIVAL));
  }
  const PfcPoint head[3] = {pendulum_place(reach, PENDULUM_VIEW_ARC - 11.0f),
                            pendulum_place(reach, PENDULUM_VIEW_ARC + 11.0f),
                            pendulum_place(reach + ahead, PENDULUM_VIEW_ARC)};
  d->polygon(d->context, head, 3, pfc_rgb(PFC_RIVAL));
}

static void pendulum_draw(const Pendulum* s, const PendulumParams* p, const PfcDraw* d) {
  (void)p;
  const PfcPoint pivot = pendulum_place(0.0f, 0.0f), end = pendulum_place(s->angle, PENDULUM_VIEW_LENGTH);
  pfc_draw_board(d, PENDULUM_VIEW, PENDULUM_VIEW);
  pendulum_draw_circle(s->angle, d);
  d->line(d->context, pivot.x, pivot.y, end.x, end.y, 14.0f, pfc_rgb(PFC_AGENT));
  d->circle(d->context, end.x, end.y, 12.0f, pfc_rgb(PFC_AGENT));
  pendulum_draw_torque(s->torque, d);
  d->circle(d->context, pivot.x, pivot.y, 9.0f, pfc_rgb(PFC_INK));
  d->circle(d->context, pivot.x, pivot.y, 4.0f, pfc_rgb(PFC_BOARD));
  pfc_draw_count(d, 22.0f, 20.0f, 28.0f, true, d->steps, "steps");
  pfc_draw_measure(d, PENDULUM_VIEW - 22.0f, 26.0f, 20.0f, false, s->angle * (180.0f / PFC_PI), true, "degrees");
  pfc_draw_measure(d, PENDULUM_VIEW - 22.0f, PENDULUM_VIEW - 40.0f, 20.0f, false, s->torque, true, "Nm");
  d->end(d->context);
}

static const PfcKeyBinding pendulum_keys[] = {
    PFC_BIND_PUSH("left a", "turn left", 0, 0, -1.0f),
    PFC_BIND_PUSH("right d", "turn right", PENDULUM_TORQUES - 1, 0, 1.0f),
};

static const PfcField pendulum_fields[] = {
    PFC_STATE_FIELD(Pendulum, angle, PFC_FLOAT32),
    PFC_STATE_FIELD(Pendulum, velocity, PFC_FLOAT32),
};

PFC_DEFINE_ENV(pendulum, Pendulum,
               .title = "Pendulum",
               .summary = "swing a pendulum up with a weak motor, as in Gymnasium's Pendulum-v1",
               .version = 1,
               .obs_dtype = PFC_FLOAT32,
               .sizes = {.action_counts = {PENDULUM_TORQUES}},
               .layout = pendulum_layout,
               .obs_rows = pendulum_obs,
               .num_obs_rows = sizeof pendulum_obs / sizeof pendulum_obs[0],
               .metrics = {"score", "perf"},
               .fields = pendulum_fields,
               .num_fields = sizeof pendulum_fields / sizeof pendulum_fields[0],
               .fps = 20,
               .keys = pendulum_keys,
               .num_keys = sizeof pendulum_keys / sizeof pendulum_keys[0],
               .idle = PENDULUM_NO_TORQUE)
