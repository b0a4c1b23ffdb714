// mountain_car.c - drive a weak car out of a valley by swinging. One agent; Gymnasium's MountainCar-v0, and
// MountainCarContinuous-v0 with continuous = 1 (there max_steps is 999).
//
// The motor is too weak for the slope, so the car must first drive away from the goal. Constants are those of Gymnasium
// (Moore 1990; Sutton and Barto). The step has no branches, so that the compiler vectorises the generated loop over
// games.
//
// obs   float32[2]    position -1.2 to 0.6, velocity -0.07 to 0.07
// act   int32[1]      0 push left  1 nothing  2 push right; or one control, the push
// rew   -1 per step; continuous: 100 at the goal, less 0.1 control^2 per step
//
// score is the return; perf is 1 - steps / max_steps, and 0 if the goal was not reached.
#include "pufferc/env.h"

#define MOUNTAIN_CAR_LEFT -1.2f
#define MOUNTAIN_CAR_RIGHT 0.6f
#define MOUNTAIN_CAR_MAX_SPEED 0.07f  // per step
#define MOUNTAIN_CAR_GRAVITY 0.0025f
#define MOUNTAIN_CAR_GOAL 0.5f
#define MOUNTAIN_CAR_CONTINUOUS_GOAL 0.45f
#define MOUNTAIN_CAR_FORCE 0.001f
#define MOUNTAIN_CAR_CONTINUOUS_FORCE 0.0015f
#define MOUNTAIN_CAR_GOAL_REWARD 100.0f   // continuous only
#define MOUNTAIN_CAR_CONTROL_COST 0.1f    // continuous only
#define MOUNTAIN_CAR_START_LOW -0.6f
#define MOUNTAIN_CAR_START_HIGH -0.4f

#define MOUNTAIN_CAR_PARAMS(X)                                              \
  X(int, max_steps, 200, 0, PFC_MAX_STEPS, "steps until truncation; 0 = never") \
  X(bool, continuous, 0, 0, 1, "1: one control, the push in [-1, 1]; 0: left, nothing or right")
PFC_DEFINE_PARAMS(mountain_car, MountainCarParams, MOUNTAIN_CAR_PARAMS)

typedef struct MountainCar {
  PfcRng rng;
  float x, velocity;
  int32_t steps;
} MountainCar;

typedef struct MountainCarObs {
  float x, velocity;
} MountainCarObs;

static const PfcObsRow mountain_car_obs[] = {
    PFC_OBS("x", 1, MOUNTAIN_CAR_LEFT, MOUNTAIN_CAR_RIGHT, "position; the bottom of the valley is at -0.52"),
    PFC_OBS("velocity", 1, -MOUNTAIN_CAR_MAX_SPEED, MOUNTAIN_CAR_MAX_SPEED, "position per step"),
};

static void mountain_car_layout(const void* params, PfcLayout* sizes) {
  if (!((const MountainCarParams*)params)->continuous) return;
  sizes->action_counts[0] = 0;
  sizes->continuous_dims = 1;
}

PFC_FN float mountain_car_goal(const MountainCarParams* p) {
  return p->continuous ? MOUNTAIN_CAR_CONTINUOUS_GOAL : MOUNTAIN_CAR_GOAL;
}

// The velocity is positive there: the car comes from the left, and the episode ends.
PFC_FN bool mountain_car_is_at_goal(const MountainCar* s, const MountainCarParams* p) {
  return s->x >= mountain_car_goal(p);
}

PFC_FN void mountain_car_reset(MountainCar* s, const MountainCarParams* p) {
  (void)p;
  s->x = pfc_rng_uniform(&s->rng, MOUNTAIN_CAR_START_LOW, MOUNTAIN_CAR_START_HIGH);
}

PFC_FN void mountain_car_step(MountainCar* s, const MountainCarParams* p, PfcIo io) {
  const float control = io.controls[0];  // reads both, so that the selection compiles to a blend, not a branch
  const float choice = (float)(io.actions[0] - 1);
  const float push = p->continuous ? control : choice;
  const float force = p->continuous ? MOUNTAIN_CAR_CONTINUOUS_FORCE : MOUNTAIN_CAR_FORCE;
  const float goal = mountain_car_goal(p);

  const float faster = s->velocity + (push * force - MOUNTAIN_CAR_GRAVITY * pfc_cosf(3.0f * s->x));
  const float velocity = pfc_clampf(faster, -MOUNTAIN_CAR_MAX_SPEED, MOUNTAIN_CAR_MAX_SPEED);
  const float x = pfc_clampf(s->x + velocity, MOUNTAIN_CAR_LEFT, MOUNTAIN_CAR_RIGHT);
  const float stopped = pfc_maxf(velocity, 0.0f);
  s->velocity = x > MOUNTAIN_CAR_LEFT ? velocity : stopped;
  s->x = x;
  s->steps += 1;
  const float prize = x >= goal ? MOUNTAIN_CAR_GOAL_REWARD : 0.0f;
  const float gain = prize - MOUNTAIN_CAR_CONTROL_COST * push * push;
  io.rewards[0] = p->continuous ? gain : -1.0f;
  io.terminated[0] = x >= goal;
}

PFC_FN void mountain_car_observe(const MountainCar* s, const MountainCarParams* p, int32_t agent, MountainCarObs* obs) {
  (void)p, (void)agent;
  obs->x = s->x;
  obs->velocity = s->velocity;
}

PFC_FN void mountain_car_metrics(const MountainCar* s, const MountainCarParams* p, int32_t agent, float* values) {
  (void)agent;  // the score is the return
  const float used = p->max_steps > 0 ? (float)s->steps / (float)p->max_steps : 0.0f;
  values[1] = mountain_car_is_at_goal(s, p) ? 1.0f - used : 0.0f;
}

// ---- picture: 640 x 420; the hill is sin 3x ------------------------------------------------------------------------

#define MOUNTAIN_CAR_VIEW_WIDTH 640.0f
#define MOUNTAIN_CAR_VIEW_HEIGHT 420.0f
#define MOUNTAIN_CAR_VIEW_SCALE 340.0f  // px per unit of position
#define MOUNTAIN_CAR_VIEW_MIDDLE 260.0f
#define MOUNTAIN_CAR_VIEW_RISE 130.0f  // from the middle of the hill to its top
enum { MOUNTAIN_CAR_VIEW_SLICES = 72 };

// The road at a position. Beyond the limits it goes up to the picture's edges.
static PfcPoint mountain_car_road(float x) {
  PfcPoint at;
  at.x = 14.0f + MOUNTAIN_CAR_VIEW_SCALE * (x - MOUNTAIN_CAR_LEFT);
  at.y = MOUNTAIN_CAR_VIEW_MIDDLE - MOUNTAIN_CAR_VIEW_RISE * pfc_sinf(3.0f * x);
  return at;
}

static void mountain_car_draw_hill(const PfcDraw* d) {
  const float first = MOUNTAIN_CAR_LEFT - 0.05f, pitch = 2.0f / (float)MOUNTAIN_CAR_VIEW_SLICES;
  for (int32_t pass = 0; pass < 2; ++pass)  // the ground, then the road on top
    for (int32_t i = 0; i < MOUNTAIN_CAR_VIEW_SLICES; ++i) {
      const PfcPoint a = mountain_car_road(first + pitch * (float)i);
      const PfcPoint b = mountain_car_road(first + pitch * (float)(i + 1));
      const PfcPoint ground[4] = {  // slices overlap, because their edges are blended
          a, {b.x + 1.0f, b.y}, {b.x + 1.0f, MOUNTAIN_CAR_VIEW_HEIGHT}, {a.x, MOUNTAIN_CAR_VIEW_HEIGHT}};
      if (pass == 0) d->polygon(d->context, ground, 4, pfc_rgb(PFC_TILE));
      else d->line(d->context, a.x, a.y, b.x, b.y, 5.0f, pfc_rgb(PFC_LINE));
    }
}

static void mountain_car_draw_flag(const MountainCar* s, const MountainCarParams* p, const PfcDraw* d) {
  const PfcPoint foot = mountain_car_road(mountain_car_goal(p));
  const PfcColor color = pfc_rgb(mountain_car_is_at_goal(s, p) ? PFC_GOOD : PFC_GOAL);
  const PfcPoint cloth[3] = {{foot.x, foot.y - 74.0f}, {foot.x + 36.0f, foot.y - 62.0f}, {foot.x, foot.y - 50.0f}};
  d->line(d->context, foot.x, foot.y, foot.x, foot.y - 74.0f, 3.0f, pfc_rgb(PFC_DIM));
  d->polygon(d->context, cloth, 3, color);
}

// Places a corner of the car: `ahead` along the road and `above` it, in px, from the point of the road under the car.
static PfcPoint mountain_car_corner(PfcPoint foot, float sine, float cosine, float ahead, float above) {
  PfcPoint at;
  at.x = foot.x + ahead * cosine - above * sine;
  at.y = foot.y - ahead * sine - above * cosine;
  return at;
}

static void mountain_car_draw_car(const MountainCar* s, const PfcDraw* d) {
  static const float body[4][2] = {{-26, 9}, {26, 9}, {24, 22}, {-24, 22}};
  static const float cabin[4][2] = {{-16, 21}, {15, 21}, {8, 33}, {-11, 33}};
  const float rise = 3.0f * MOUNTAIN_CAR_VIEW_RISE * pfc_cosf(3.0f * s->x), run = MOUNTAIN_CAR_VIEW_SCALE;
  const float length = pfc_sqrtf(rise * rise + run * run), sine = rise / length, cosine = run / length;
  const PfcPoint foot = mountain_car_road(s->x);
  PfcPoint corners[4];
  for (int32_t i = 0; i < 4; ++i) corners[i] = mountain_car_corner(foot, sine, cosine, cabin[i][0], cabin[i][1]);
  d->polygon(d->context, corners, 4, pfc_tint(PFC_AGENT, 150));
  for (int32_t i = 0; i < 4; ++i) corners[i] = mountain_car_corner(foot, sine, cosine, body[i][0], body[i][1]);
  d->polygon(d->context, corners, 4, pfc_rgb(PFC_AGENT));
  for (int32_t side = -1; side <= 1; side += 2) {
    const PfcPoint wheel = mountain_car_corner(foot, sine, cosine, 15.0f * (float)side, 9.0f);
    d->circle(d->context, wheel.x, wheel.y, 8.0f, pfc_rgb(PFC_DIM));
    d->circle(d->context, wheel.x, wheel.y, 3.0f, pfc_rgb(PFC_BOARD));
  }
}

// A bar under the road's lowest point, from its middle in the direction of the velocity.
static void mountain_car_draw_speed(const MountainCar* s, const PfcDraw* d) {
  const float middle = mountain_car_road(-0.5236f).x, half = 90.0f, y = 398.0f;
  const float reach = half * s->velocity / MOUNTAIN_CAR_MAX_SPEED;
  d->rounded_rect(d->context, middle - half, y, 2.0f * half, 8.0f, 4.0f, pfc_rgb(PFC_BOARD));
  d->rect(d->context, middle + pfc_minf(reach, 0.0f), y, pfc_absf(reach), 8.0f, pfc_rgb(PFC_AGENT));
  d->rect(d->context, middle - 1.0f, y - 3.0f, 2.0f, 14.0f, pfc_rgb(PFC_DIM));
}

static void mountain_car_draw(const MountainCar* s, const MountainCarParams* p, const PfcDraw* d) {
  pfc_draw_board(d, MOUNTAIN_CAR_VIEW_WIDTH, MOUNTAIN_CAR_VIEW_HEIGHT);
  mountain_car_draw_hill(d);
  mountain_car_draw_flag(s, p, d);
  mountain_car_draw_car(s, d);
  mountain_car_draw_speed(s, d);
  pfc_draw_count(d, 24.0f, 22.0f, 30.0f, true, d->steps, "steps");
  d->end(d->context);
}

static const PfcKeyBinding mountain_car_keys[] = {
    PFC_BIND_PUSH("left a", "push left", 0, 0, -1.0f),
    PFC_BIND_PUSH("right d", "push right", 2, 0, 1.0f),
};

static const PfcField mountain_car_fields[] = {
    PFC_STATE_FIELD(MountainCar, x, PFC_FLOAT32),
    PFC_STATE_FIELD(MountainCar, velocity, PFC_FLOAT32),
};

PFC_DEFINE_ENV(mountain_car, MountainCar,
               .title = "MountainCar",
               .summary = "swing a weak car out of a valley, as in Gymnasium's MountainCar-v0",
               .version = 1,
               .obs_dtype = PFC_FLOAT32,
               .sizes = {.action_counts = {3}},
               .layout = mountain_car_layout,
               .obs_rows = mountain_car_obs,
               .num_obs_rows = sizeof mountain_car_obs / sizeof mountain_car_obs[0],
               .metrics = {"score", "perf"},
               .fields = mountain_car_fields,
               .num_fields = sizeof mountain_car_fields / sizeof mountain_car_fields[0],
               .fps = 30,
               .keys = mountain_car_keys,
               .num_keys = sizeof mountain_car_keys / sizeof mountain_car_keys[0],
               .idle = 1)
