// test_acrobot.c - the physics of the acrobot: a step equals the fine integration of a Lagrangian in double precision,
// energy is conserved without torque, and the game ends above the line.
#include <math.h>
#include <string.h>

#include "../../csrc/envs/acrobot.c"
#include "check.h"
#include "classic.h"

static const AcrobotParams params = {.max_steps = 500};

static Outcome step(Acrobot* s, int32_t choice) {
  Outcome out;
  const float unused = 0.0f;
  acrobot_step(s, &params, one_agent(&choice, &unused, &out));
  return out;
}

static Acrobot at(float q1, float q2, float w1, float w2) {
  Acrobot s;
  memset(&s, 0, sizeof s);
  s.now.q1 = q1, s.now.q2 = q2, s.now.w1 = w1, s.now.w2 = w2;
  return s;
}

// ---- the same two links in double precision, from their mass matrix -------------------------------------------------

typedef struct Links {
  double q1, q2, w1, w2;
} Links;

static void accelerations(const Links* l, double torque, double* a1, double* a2) {
  const double m11 = 2.0 + 0.25 + 1.25 + cos(l->q2), m12 = 1.25 + 0.5 * cos(l->q2), m22 = 1.25;
  const double bend = 0.5 * sin(l->q2);
  const double f1 = bend * (l->w2 * l->w2 + 2.0 * l->w1 * l->w2) - 9.8 * (1.5 * sin(l->q1) + 0.5 * sin(l->q1 + l->q2));
  const double f2 = torque - bend * l->w1 * l->w1 - 4.9 * sin(l->q1 + l->q2);
  const double determinant = m11 * m22 - m12 * m12;
  *a1 = (m22 * f1 - m12 * f2) / determinant;
  *a2 = (m11 * f2 - m12 * f1) / determinant;
}

// Small midpoint steps.
static Links fine(Links l, double torque, double time_s, int pieces) {
  const double dt = time_s / pieces;
  for (int i = 0; i < pieces; ++i) {
    double a1, a2;
    accelerations(&l, torque, &a1, &a2);
    const Links half = {l.q1 + 0.5 * dt * l.w1, l.q2 + 0.5 * dt * l.w2, l.w1 + 0.5 * dt * a1, l.w2 + 0.5 * dt * a2};
    accelerations(&half, torque, &a1, &a2);
    l.q1 += dt * half.w1, l.q2 += dt * half.w2, l.w1 += dt * a1, l.w2 += dt * a2;
  }
  return l;
}

static double energy(const Links* l) {
  const double m11 = 3.5 + cos(l->q2), m12 = 1.25 + 0.5 * cos(l->q2), m22 = 1.25;
  const double kinetic = 0.5 * m11 * l->w1 * l->w1 + m12 * l->w1 * l->w2 + 0.5 * m22 * l->w2 * l->w2;
  return kinetic - 9.8 * (1.5 * cos(l->q1) + 0.5 * cos(l->q1 + l->q2));
}

static void test_a_step_follows_the_equations(void) {
  PfcRng rng;
  pfc_rng_seed(&rng, 1, 0);
  for (int i = 0; i < 2000; ++i) {
    const float q1 = pfc_rng_uniform(&rng, -1.0f, 1.0f), q2 = pfc_rng_uniform(&rng, -1.0f, 1.0f);
    const float w1 = pfc_rng_uniform(&rng, -1.0f, 1.0f), w2 = pfc_rng_uniform(&rng, -1.0f, 1.0f);
    const int32_t choice = (int32_t)pfc_rng_below(&rng, 3);
    Acrobot s = at(q1, q2, w1, w2);
    step(&s, choice);
    const Links start = {q1, q2, w1, w2}, end = fine(start, choice - 1.0, 0.2, 400);
    CHECK(fabs(s.now.q1 - end.q1) < 2e-3 && fabs(s.now.q2 - end.q2) < 2e-3);
    CHECK(fabs(s.now.w1 - end.w1) < 2e-2 && fabs(s.now.w2 - end.w2) < 2e-2);
    if (choice == 1) CHECK(fabs(energy(&end) - energy(&start)) < 1e-3);
  }
}

static void test_angles_wrap_and_speeds_are_limited(void) {
  Acrobot s = at(3.1f, 0.0f, 12.5f, 28.2f);
  for (int i = 0; i < 50; ++i) {
    step(&s, 2);
    CHECK(fabsf(s.now.q1) <= 3.1416f && fabsf(s.now.q2) <= 3.1416f);
    CHECK(fabsf(s.now.w1) <= 12.5664f && fabsf(s.now.w2) <= 28.2744f);
  }
}

static void test_the_line_ends_it(void) {
  Acrobot low = at(3.14f, -2.2f, 0.0f, 0.0f), high = at(3.14f, 0.0f, 0.0f, 0.0f);
  const Outcome below = step(&low, 1), above = step(&high, 1);
  CHECK(!below.terminated && below.reward == -1.0f && acrobot_height(low.now) < 1.0f);
  CHECK(above.terminated && above.reward == 0.0f && acrobot_height(high.now) > 1.9f);
  float values[2] = {-99.0f, 0.0f};  // 100 steps, the last of which was free
  acrobot_metrics(&high, &params, 0, values);
  CHECK(fabsf(values[1] - 0.8f) < 1e-6f);
  acrobot_metrics(&low, &params, 0, values);
  CHECK(values[1] == 0.0f);
}

int main(void) {
  test_a_step_follows_the_equations();
  test_angles_wrap_and_speeds_are_limited();
  test_the_line_ends_it();
  return check_report();
}
