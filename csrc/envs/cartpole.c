// cartpole.c - balance a pole on a cart. One agent; Gymnasium's CartPole-v1.
//
// Physics of Barto, Sutton and Anderson (1983), with the constants and the Euler integration of
// Gymnasium's CartPole-v1. The step has no branches, so that the generated loop moves many carts
// with each vector instruction.
#include "pufferc/env.h"

#define CARTPOLE_GRAVITY 9.8f           // m/s^2
#define CARTPOLE_CART_MASS 1.0f         // kg
#define CARTPOLE_POLE_MASS 0.1f         // kg
#define CARTPOLE_HALF_LENGTH 0.5f       // m, from the pivot to the pole's centre of mass
#define CARTPOLE_FORCE 10.0f            // N
#define CARTPOLE_STEP_S 0.02f           // s
#define CARTPOLE_MAX_X 2.4f             // m
#define CARTPOLE_MAX_ANGLE 0.20943951f  // rad, 12 degrees
#define CARTPOLE_START 0.05f            // every state variable starts within +- this

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

// The cart leaves its range, or the pole its angle, by one step at most before the episode ends.
static const PfcObsRow cartpole_obs[] = {
    {"x", 1, -4.8f, 4.8f, "cart position, m"},
    {"velocity", 1, -PFC_INFINITY, PFC_INFINITY, "cart velocity, m/s"},
    {"angle", 1, -0.41887903f, 0.41887903f, "pole angle from upright, rad"},
    {"angular_velocity", 1, -PFC_INFINITY, PFC_INFINITY, "pole angular velocity, rad/s"},
};

static void cartpole_layout(const void* params, PfcLayout* sizes) {
  if (!((const CartpoleParams*)params)->continuous) return;
  sizes->action_counts[0] = 0;
  sizes->controls = 1;
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
  const float control = io.controls[0];  // both are read, so that the choice is a blend and not a branch
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

static void cartpole_metrics(const Cartpole* s, const CartpoleParams* p, int32_t agent, float* values) {
  (void)s, (void)agent;  // the score is the return: 1 for each step survived
  values[1] = p->max_steps > 0 ? values[0] / (float)p->max_steps : 0.0f;
}

static void cartpole_draw(const Cartpole* s, const CartpoleParams* p, const PfcDraw* d) {
  (void)p;
  const float scale = 100.0f, width = 600.0f, height = 400.0f, rail_y = 300.0f;  // 100 px to the metre
  const float cart_x = width / 2.0f + scale * s->x, cart_y = rail_y - 18.0f;
  const float length = 2.0f * CARTPOLE_HALF_LENGTH * scale * 1.6f;  // longer than true, to be seen
  float sine, cosine;
  pfc_sincosf(s->angle, &sine, &cosine);
  d->begin(d->context, width, height, pfc_rgb(0x14171f));
  d->line(d->context, 0.0f, rail_y, width, rail_y, 3.0f, pfc_rgb(0x3a4152));
  for (int32_t side = -1; side <= 1; side += 2) {
    const float x = width / 2.0f + (float)side * CARTPOLE_MAX_X * scale;
    d->line(d->context, x, rail_y - 10.0f, x, rail_y + 10.0f, 3.0f, pfc_rgb(0xc2495b));
  }
  d->rounded_rect(d->context, cart_x - 32.0f, cart_y - 16.0f, 64.0f, 32.0f, 6.0f, pfc_rgb(0x3fb6d3));
  d->line(d->context, cart_x, cart_y, cart_x + length * sine, cart_y - length * cosine, 9.0f, pfc_rgb(0xf2b134));
  d->circle(d->context, cart_x, cart_y, 6.0f, pfc_rgb(0xe8eaf0));
  d->end(d->context);
}

PFC_DEFINE_ENV(cartpole, Cartpole,
               .title = "CartPole",
               .summary = "balance a pole on a cart, as in Gymnasium's CartPole-v1",
               .version = 1,
               .obs_dtype = PFC_FLOAT32,
               .sizes = {.action_counts = {2}},
               .layout = cartpole_layout,
               .obs_rows = cartpole_obs,
               .num_obs_rows = sizeof cartpole_obs / sizeof cartpole_obs[0],
               .metrics = {"score", "perf"})
