// cartpole.c - balance a pole on a cart. One agent; Gymnasium's CartPole-v1.
//
// Physics of Barto, Sutton and Anderson (1983), with the constants and the Euler integration of
// Gymnasium's CartPole-v1. The step has no branches, so that the compiler vectorises the generated
// loop over games.
#include "pufferc/env.h"

#define CARTPOLE_GRAVITY 9.8f           // m/s^2
#define CARTPOLE_CART_MASS 1.0f         // kg
#define CARTPOLE_POLE_MASS 0.1f         // kg
#define CARTPOLE_HALF_LENGTH 0.5f       // m, from the pivot to the pole's centre of mass
#define CARTPOLE_FORCE 10.0f            // N
#define CARTPOLE_STEP_S 0.02f           // s
#define CARTPOLE_MAX_X 2.4f             // m
#define CARTPOLE_MAX_ANGLE 0.20943951f  // rad, 12 degrees
#define CARTPOLE_START 0.05f            // initial state variables are within +- this

#define CARTPOLE_PARAMS(X)                                                                  \
  X(int, max_steps, 500, 0, PFC_MAX_STEPS, "steps until truncation; 0 = never")             \
  X(bool, continuous, 0, 0, 1, "1: one control in [-1, 1], a share of 10 N; 0: left or right")
PFC_DEFINE_PARAMS(cartpole, CartpoleParams, CARTPOLE_PARAMS)

typedef struct Cartpole {
  PfcRng rng;
  float x, velocity;               // m, m/s
  float angle, angular_velocity;   // rad from upright, rad/s
} Cartpole;

typedef struct CartpoleObs {
  float x, velocity, angle, angular_velocity;
} CartpoleObs;

// Ranges are twice the limits: the episode ends in the step that exceeds a limit.
static const PfcObsRow cartpole_obs[] = {
    PFC_OBS("x", 1, -4.8f, 4.8f, "cart position, m"),
    PFC_OBS("velocity", 1, -PFC_INFINITY, PFC_INFINITY, "cart velocity, m/s"),
    PFC_OBS("angle", 1, -0.41887903f, 0.41887903f, "pole angle from upright, rad"),
    PFC_OBS("angular_velocity", 1, -PFC_INFINITY, PFC_INFINITY, "pole angular velocity, rad/s"),
};

static void cartpole_layout(const void* params, PfcLayout* sizes) {
  if (!((const CartpoleParams*)params)->continuous) return;
  sizes->action_counts[0] = 0;
  sizes->continuous_dims = 1;
}

PFC_FN void cartpole_reset(Cartpole* s, const CartpoleParams* p) {
  (void)p;
  s->x = pfc_rng_uniform(&s->rng, -CARTPOLE_START, CARTPOLE_START);
  s->velocity = pfc_rng_uniform(&s->rng, -CARTPOLE_START, CARTPOLE_START);
  s->angle = pfc_rng_uniform(&s->rng, -CARTPOLE_START, CARTPOLE_START);
  s->angular_velocity = pfc_rng_uniform(&s->rng, -CARTPOLE_START, CARTPOLE_START);
}

PFC_FN void cartpole_step(Cartpole* s, const CartpoleParams* p, PfcIo io) {
  const float share = 1.0f / (CARTPOLE_CART_MASS + CARTPOLE_POLE_MASS);
  const float pole_moment = CARTPOLE_POLE_MASS * CARTPOLE_HALF_LENGTH;
  const float control = io.controls[0];  // reads both, so that the selection below compiles to a blend, not a branch
  const float side = 2.0f * (float)io.actions[0] - 1.0f;
  const float push = p->continuous ? control : side;
  const float spin = s->angular_velocity;
  float sine, cosine;
  pfc_sincosf(s->angle, &sine, &cosine);

  const float shared = (push * CARTPOLE_FORCE + pole_moment * spin * spin * sine) * share;
  const float angular_acceleration =
      (CARTPOLE_GRAVITY * sine - cosine * shared) /
      (CARTPOLE_HALF_LENGTH * (4.0f / 3.0f - CARTPOLE_POLE_MASS * share * cosine * cosine));
  const float acceleration = shared - pole_moment * share * angular_acceleration * cosine;

  s->x += CARTPOLE_STEP_S * s->velocity;
  s->velocity += CARTPOLE_STEP_S * acceleration;
  s->angle += CARTPOLE_STEP_S * spin;
  s->angular_velocity = spin + CARTPOLE_STEP_S * angular_acceleration;
  io.rewards[0] = 1.0f;
  const int32_t off_track = pfc_absf(s->x) > CARTPOLE_MAX_X, fallen = pfc_absf(s->angle) > CARTPOLE_MAX_ANGLE;
  io.terminated[0] = (uint8_t)(off_track | fallen);
}

PFC_FN void cartpole_observe(const Cartpole* s, const CartpoleParams* p, int32_t agent, CartpoleObs* obs) {
  (void)p, (void)agent;
  obs->x = s->x;
  obs->velocity = s->velocity;
  obs->angle = s->angle;
  obs->angular_velocity = s->angular_velocity;
}

PFC_FN void cartpole_metrics(const Cartpole* s, const CartpoleParams* p, int32_t agent, float* values) {
  (void)s, (void)agent;  // the score is the return: 1 for each step survived
  values[1] = p->max_steps > 0 ? values[0] / (float)p->max_steps : 0.0f;
}

// The picture is 600 x 400 px, 100 px per metre.
#define CARTPOLE_VIEW_SCALE 100.0f
#define CARTPOLE_RAIL_Y 316.0f

// Draws the rail, its end stops, and a mark for each metre.
static void cartpole_draw_rail(const PfcDraw* d, float middle) {
  const float reach = CARTPOLE_MAX_X * CARTPOLE_VIEW_SCALE, y = CARTPOLE_RAIL_Y;
  for (int32_t metre = -2; metre <= 2; ++metre) {
    const float x = middle + CARTPOLE_VIEW_SCALE * (float)metre;
    d->rect(d->context, x - 1.0f, y + 12.0f, 2.0f, metre == 0 ? 14.0f : 8.0f, pfc_rgb(PFC_LINE));
  }
  d->rounded_rect(d->context, middle - reach - 40.0f, y, 2.0f * reach + 80.0f, 6.0f, 3.0f, pfc_rgb(PFC_LINE));
  for (int32_t side = -1; side <= 1; side += 2) {
    const float x = middle + (float)side * reach;
    d->rounded_rect(d->context, x - 3.0f, y - 16.0f, 6.0f, 24.0f, 3.0f, pfc_rgb(PFC_BAD));
  }
}

// Draws the range of allowed angles as a faint wedge above the hinge.
static void cartpole_draw_wedge(const PfcDraw* d, float x, float y, float radius) {
  enum { ARC = 9 };
  PfcPoint points[ARC + 1];
  for (int32_t i = 0; i < ARC; ++i) {
    float sine, cosine;
    pfc_sincosf(CARTPOLE_MAX_ANGLE * (2.0f * (float)i / (ARC - 1) - 1.0f), &sine, &cosine);
    points[i].x = x + radius * sine, points[i].y = y - radius * cosine;
  }
  points[ARC].x = x, points[ARC].y = y;
  d->polygon(d->context, points, ARC + 1, pfc_tint(PFC_GOOD, 26));
}

static void cartpole_draw(const Cartpole* s, const CartpoleParams* p, const PfcDraw* d) {
  (void)p;
  const float width = 600.0f, height = 400.0f, middle = width / 2.0f, wheel = 8.0f;
  const float x = middle + CARTPOLE_VIEW_SCALE * s->x, y = CARTPOLE_RAIL_Y - wheel - 22.0f;  // hinge
  const float length = 3.2f * CARTPOLE_HALF_LENGTH * CARTPOLE_VIEW_SCALE;                    // exaggerated
  const bool fallen = pfc_absf(s->angle) > CARTPOLE_MAX_ANGLE || pfc_absf(s->x) > CARTPOLE_MAX_X;
  float sine, cosine;
  pfc_sincosf(s->angle, &sine, &cosine);
  pfc_draw_board(d, width, height);
  cartpole_draw_wedge(d, x, y, length + 18.0f);
  cartpole_draw_rail(d, middle);
  for (int32_t side = -1; side <= 1; side += 2)
    d->circle(d->context, x + 19.0f * (float)side, CARTPOLE_RAIL_Y - wheel, wheel, pfc_rgb(PFC_DIM));
  d->rounded_rect(d->context, x - 34.0f, y - 12.0f, 68.0f, 26.0f, 7.0f, pfc_rgb(PFC_AGENT));
  d->line(d->context, x, y, x + length * sine, y - length * cosine, 9.0f, pfc_rgb(fallen ? PFC_BAD : PFC_GOAL));
  d->circle(d->context, x, y, 7.5f, pfc_rgb(PFC_INK));
  d->circle(d->context, x, y, 3.0f, pfc_rgb(PFC_BOARD));
  pfc_draw_count(d, 24.0f, 22.0f, 30.0f, true, d->steps, "steps");
  pfc_draw_measure(d, width - 24.0f, 30.0f, 20.0f, false, s->angle * (180.0f / PFC_PI), true, "degrees");
  d->end(d->context);
}

static const PfcKeyBinding cartpole_keys[] = {
    PFC_BIND_PUSH("left a", "push left", 0, 0, -1.0f),
    PFC_BIND_PUSH("right d", "push right", 1, 0, 1.0f),
};

PFC_DEFINE_ENV(cartpole, Cartpole,
               .title = "CartPole",
               .summary = "balance a pole on a cart, as in Gymnasium's CartPole-v1",
               .version = 1,
               .obs_dtype = PFC_FLOAT32,
               .sizes = {.action_counts = {2}},
               .layout = cartpole_layout,
               .obs_rows = cartpole_obs,
               .num_obs_rows = sizeof cartpole_obs / sizeof cartpole_obs[0],
               .metrics = {"score", "perf"},
               .fps = 50,
               .keys = cartpole_keys,
               .num_keys = sizeof cartpole_keys / sizeof cartpole_keys[0],
               .idle = PFC_IDLE_ALTERNATE)
