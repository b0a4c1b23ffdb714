// test_pendulum.c - the rules of Pendulum against the same rules in double precision, and its range of scores.
#include <math.h>
#include <string.h>

#include "../../csrc/envs/pendulum.c"
#include "check.h"
#include "classic.h"

static const PendulumParams controls = {.max_steps = 200, .continuous = 1};
static const PendulumParams choices = {.max_steps = 200, .continuous = 0};

static Outcome step(Pendulum* s, const PendulumParams* p, int32_t choice, float control) {
  Outcome out;
  pendulum_step(s, p, one_agent(&choice, &control, &out));
  return out;
}

static double near_zero(double angle) { return remainder(angle, 2.0 * 3.14159265358979323846); }

static void test_motion(const PendulumParams* p) {
  PfcRng rng;
  pfc_rng_seed(&rng, 2, 0);
  for (int i = 0; i < 5000; ++i) {
    Pendulum s;
    memset(&s, 0, sizeof s);
    s.angle = pfc_rng_uniform(&rng, -3.14159f, 3.14159f), s.velocity = pfc_rng_uniform(&rng, -8.0f, 8.0f);
    const int32_t choice = (int32_t)pfc_rng_below(&rng, 5);
    const float control = pfc_rng_uniform(&rng, -1.0f, 1.0f);
    const double torque = p->continuous ? 2.0 * control : choice - 2;
    const double cost = (double)s.angle * s.angle + 0.1 * s.velocity * s.velocity + 0.001 * torque * torque;
    const double speed = fmin(fmax(s.velocity + (15.0 * sin(s.angle) + 3.0 * torque) * 0.05, -8.0), 8.0);
    const double angle = s.angle + speed * 0.05;
    const Outcome out = step(&s, p, choice, control);
    CHECK(fabs(s.velocity - speed) < 1e-5 && fabs(near_zero(s.angle - angle)) < 1e-5 && fabsf(s.angle) < 3.14160f);
    CHECK(fabs(out.reward + cost) < 1e-4 && !out.terminated);
  }
}

static void test_starts_and_scores(void) {
  for (uint64_t game = 0; game < 100; ++game) {
    Pendulum s;
    memset(&s, 0, sizeof s);
    pfc_rng_seed(&s.rng, 4, game);
    pendulum_reset(&s, &controls);
    CHECK(fabsf(s.angle) <= PFC_PI && fabsf(s.velocity) <= 1.0f);
    float values[2] = {0.0f, 0.0f};
    for (int t = 0; t < 200; ++t) values[0] += step(&s, &controls, 0, s.velocity > 0.0f ? 1.0f : -1.0f).reward;
    pendulum_metrics(&s, &controls, 0, values);
    CHECK(fabsf(values[1] - (1.0f + values[0] / (200.0f * 16.2736f))) < 1e-5f);
    CHECK(values[1] > 0.0f && values[1] < 1.0f);
  }
}

int main(void) {
  test_motion(&controls);
  test_motion(&choices);
  test_starts_and_scores();
  return check_report();
}
