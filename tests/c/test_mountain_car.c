// test_mountain_car.c - the rules of MountainCar against the same rules in double precision, and its ends.
#include <math.h>
#include <string.h>

#include "../../csrc/envs/mountain_car.c"
#include "check.h"
#include "classic.h"

static const MountainCarParams choices = {.max_steps = 200, .continuous = 0};
static const MountainCarParams controls = {.max_steps = 999, .continuous = 1};

static Outcome step(MountainCar* s, const MountainCarParams* p, int32_t choice, float control) {
  Outcome out;
  mountain_car_step(s, p, one_agent(&choice, &control, &out));
  return out;
}

static void test_motion(const MountainCarParams* p) {
  PfcRng rng;
  pfc_rng_seed(&rng, 2, 0);
  for (int i = 0; i < 5000; ++i) {
    MountainCar s;
    memset(&s, 0, sizeof s);
    s.x = pfc_rng_uniform(&rng, -1.2f, 0.4f), s.velocity = pfc_rng_uniform(&rng, -0.07f, 0.07f);
    const int32_t choice = (int32_t)pfc_rng_below(&rng, 3);
    const float control = pfc_rng_uniform(&rng, -1.0f, 1.0f);
    double v = s.velocity + (p->continuous ? 0.0015 * control : 0.001 * (choice - 1)) - 0.0025 * cos(3.0 * s.x);
    v = fmin(fmax(v, -0.07), 0.07);
    double x = s.x + v;
    if (x < -1.2) x = -1.2, v = fmax(v, 0.0);
    const double goal = p->continuous ? 0.45 : 0.5;
    if (fabs(x - goal) < 1e-5) continue;
    const Outcome out = step(&s, p, choice, control);
    CHECK(fabs(s.x - x) < 1e-6 && fabs(s.velocity - v) < 1e-6);
    CHECK(out.terminated == (x > goal));
    const double reward = p->continuous ? (x > goal ? 100.0 : 0.0) - 0.1 * control * control : -1.0;
    CHECK(fabs(out.reward - reward) < 1e-4);
  }
}

// Pushing along the velocity reaches the goal, pushing to the right does not.
static void test_swinging_reaches_the_goal(void) {
  for (uint64_t game = 0; game < 20; ++game) {
    MountainCar swinging, pushing;
    memset(&swinging, 0, sizeof swinging);
    pfc_rng_seed(&swinging.rng, 3, game);
    mountain_car_reset(&swinging, &choices);
    CHECK(swinging.x >= -0.6f && swinging.x <= -0.4f && swinging.velocity == 0.0f);
    pushing = swinging;
    bool ended = false;
    for (int t = 0; t < 200; ++t) CHECK(!step(&pushing, &choices, 2, 0.0f).terminated);
    for (int t = 0; t < 200 && !ended; ++t)
      ended = step(&swinging, &choices, swinging.velocity > 0.0f ? 2 : 0, 0.0f).terminated;
    float values[2] = {0.0f, 0.0f};
    mountain_car_metrics(&swinging, &choices, 0, values);
    CHECK(ended && fabsf(values[1] - (1.0f - (float)swinging.steps / 200.0f)) < 1e-6f);
    mountain_car_metrics(&pushing, &choices, 0, values);
    CHECK(values[1] == 0.0f);
  }
}

int main(void) {
  test_motion(&choices);
  test_motion(&controls);
  test_swinging_reaches_the_goal();
  return check_report();
}
