// test_drone.c - the drone's equations of motion against mechanics in double precision, hovering, way-points and ends.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../../csrc/envs/drone.c"
#include "check.h"
#include "classic.h"

static const DroneParams plain = {.max_steps = 500, .drones = 1, .spread = 0.0f};

static Drone* make(const DroneParams* p, uint64_t seed) {
  PfcLayout sizes = {0};
  drone_layout(p, &sizes);
  Drone* s = (Drone*)calloc(1, sizes.state_bytes);
  pfc_rng_seed(&s->rng, seed, 0);
  drone_reset(s, p);
  return s;
}

// A step of a world of one drone.
static Outcome step(Drone* s, const DroneParams* p, const float* controls) {
  Outcome out;
  drone_step(s, p, one_agent(NULL, controls, &out));
  return out;
}

static void randomise(DroneBody* b, PfcRng* rng) {
  for (int i = 0; i < 3; ++i) {
    b->value[DRONE_PLACE + i] = pfc_rng_uniform(rng, -8, 8);
    b->value[DRONE_VELOCITY + i] = pfc_rng_uniform(rng, -6, 6);
    b->value[DRONE_RATES + i] = pfc_rng_uniform(rng, -8, 8);
  }
  double square = 0.0;
  for (int i = 0; i < 4; ++i) {
    b->value[DRONE_SPEEDS + i] = pfc_rng_uniform(rng, 0, DRONE_MAX_MOTOR);
    b->value[DRONE_TURN + i] = pfc_rng_uniform(rng, -1, 1);
    square += (double)b->value[DRONE_TURN + i] * b->value[DRONE_TURN + i];
  }
  for (int i = 0; i < 4; ++i) b->value[DRONE_TURN + i] /= (float)sqrt(square);
}

static void cross(const double* a, const double* b, double* out) {
  for (int i = 0; i < 3; ++i) out[i] = a[(i + 1) % 3] * b[(i + 2) % 3] - a[(i + 2) % 3] * b[(i + 1) % 3];
}

// Newton's and Euler's laws from forces at the places of the motors: the derivative of the momentum is the force, that
// of the angular momentum the torque. Without damping and motors the latter is constant.
static void test_mechanics(void) {
  static const double places[4][2] = {{-1, 1}, {1, 1}, {1, -1}, {-1, -1}}, spins[4] = {-1, 1, -1, 1};
  PfcRng rng;
  pfc_rng_seed(&rng, 3, 0);
  Drone* s = make(&plain, 1);
  DroneBody* b = drone_body(s, 0);
  for (int round = 0; round < 2000; ++round) {
    randomise(b, &rng);
    float wanted[4], d[DRONE_VALUES];
    for (int i = 0; i < 4; ++i) wanted[i] = pfc_rng_uniform(&rng, 0, DRONE_MAX_MOTOR);
    drone_derive(b, b->value, wanted, d);
    const double inertia[3] = {0.01, 0.01, 0.02};
    double torque[3] = {0}, lift = 0.0, rates[3], spin[3], gyro[3];
    for (int i = 0; i < 4; ++i) {
      const double w = b->value[DRONE_SPEEDS + i], thrust = 3e-5 * w * w, reach = 0.1 / sqrt(2.0);
      CHECK(fabs(d[DRONE_SPEEDS + i] - (wanted[i] - w) / 0.1) < 1e-2);
      lift += thrust;
      torque[0] += reach * places[i][1] * thrust;
      torque[1] -= reach * places[i][0] * thrust;
      torque[2] += spins[i] * 1e-6 * w * w - spins[i] * 1e-5 * (wanted[i] - w) / 0.1;
    }
    for (int i = 0; i < 3; ++i) rates[i] = b->value[DRONE_RATES + i], spin[i] = inertia[i] * rates[i];
    cross(rates, spin, gyro);
    for (int i = 0; i < 3; ++i)
      CHECK(fabs(inertia[i] * d[DRONE_RATES + i] + gyro[i] - (torque[i] - 0.2 * rates[i])) < 1e-4);
    const DroneMatrix m = drone_matrix(b->value + DRONE_TURN);
    const double up[3] = {m.x.z, m.y.z, m.z.z};
    for (int i = 0; i < 3; ++i) {
      const double force = lift * up[i] - 0.1 * b->value[DRONE_VELOCITY + i] - (i == 2 ? 9.81 : 0.0);
      CHECK(fabs(d[DRONE_VELOCITY + i] - force) < 1e-3);
      CHECK(d[DRONE_PLACE + i] == b->value[DRONE_VELOCITY + i]);
    }
  }
  free(s);
}

// The quaternion's derivative turns the drone's axes with its rates.
static void test_turning(void) {
  PfcRng rng;
  pfc_rng_seed(&rng, 4, 0);
  Drone* s = make(&plain, 1);
  DroneBody* b = drone_body(s, 0);
  for (int round = 0; round < 500; ++round) {
    randomise(b, &rng);
    const float wanted[4] = {0};
    float d[DRONE_VALUES], later[4];
    drone_derive(b, b->value, wanted, d);
    const float h = 1e-3f;
    for (int i = 0; i < 4; ++i) later[i] = b->value[DRONE_TURN + i] + h * d[DRONE_TURN + i];
    const DroneMatrix m = drone_matrix(b->value + DRONE_TURN), n = drone_matrix(later);
    const DroneVector rates = drone_read(b->value + DRONE_RATES);
    // The change of the axis z is rates x z, in the drone's frame (rates.y, -rates.x, 0).
    const DroneVector change = drone_vector(n.x.z - m.x.z, n.y.z - m.y.z, n.z.z - m.z.z);
    const DroneVector inward = drone_inward(&m, change);
    CHECK(fabsf(inward.x - h * rates.y) < 2e-4f && fabsf(inward.y + h * rates.x) < 2e-4f);
  }
  free(s);
}

static void test_hovering(void) {
  Drone* s = make(&plain, 5);
  const DroneVector start = drone_read(drone_body(s, 0)->value + DRONE_PLACE);
  const float hover = 2.0f * sqrtf(9.81f / (4.0f * 3e-5f)) / 750.0f - 1.0f;
  CHECK(fabsf(hover + 0.238f) < 1e-3f);
  const float controls[4] = {hover, hover, hover, hover};
  for (int i = 0; i < 250; ++i) step(s, &plain, controls);
  CHECK(drone_distance(start, drone_read(drone_body(s, 0)->value + DRONE_PLACE)) < 1e-2f);
  free(s);
}

static void test_way_points_and_the_box(void) {
  Drone* s = make(&plain, 6);
  DroneBody* b = drone_body(s, 0);
  const float none[4] = {-1, -1, -1, -1};
  memset(b->value, 0, sizeof b->value);
  b->value[DRONE_TURN] = 1.0f;
  b->goal = drone_vector(0.0f, 0.0f, -0.7f);
  b->value[DRONE_VELOCITY + 2] = -40.0f;  // passes the way-point inside of one step
  const Outcome passed = step(s, &plain, none);
  CHECK(b->way_points == 1 && !passed.terminated);
  CHECK(fabsf(passed.reward - (1.0f + 0.7f - (-0.7f - b->value[DRONE_PLACE + 2]))) < 1e-3f);
  CHECK(drone_largest(b->goal) <= DRONE_REACH);

  b->goal = drone_vector(0.0f, 5.0f, 5.0f);
  b->value[DRONE_PLACE + 2] = -9.9f, b->value[DRONE_VELOCITY + 2] = -20.0f;
  CHECK(step(s, &plain, none).terminated && b->crashed == 1);
  float values[3];
  drone_metrics(s, &plain, 0, values);
  CHECK(values[0] == 1.0f && fabsf(values[1] - 1.0f / 15.0f) < 1e-6f && values[2] == 1.0f);
  drone_respawn(s, &plain, 0);
  CHECK(b->way_points == 0 && b->crashed == 0 && drone_largest(drone_read(b->value)) <= DRONE_REACH);
  free(s);
}

// Drones of one world do not touch each other, and bodies vary by at most `spread`.
static void test_many_drones(void) {
  const DroneParams many = {.max_steps = 500, .drones = 64, .spread = 0.1f};
  Drone* s = make(&many, 7);
  float least = 1e9f, most = 0.0f;
  for (int32_t i = 0; i < 64; ++i) {
    const float mass = 1.0f / drone_body(s, i)->per_mass;
    least = fminf(least, mass), most = fmaxf(most, mass);
    CHECK(fabsf(drone_body(s, i)->inertia.z / 0.02f - 1.0f) <= 0.1001f);
  }
  CHECK(least >= 0.8999f && most <= 1.1001f && most - least > 0.15f);
  free(s);
}

static void test_the_pilot(void) {
  Drone* s = make(&plain, 8);
  PfcRng unused;
  pfc_rng_seed(&unused, 1, 1);
  int32_t lives = 0, points = 0;
  for (; lives < 20; ++lives) {
    drone_respawn(s, &plain, 0);
    for (int i = 0; i < 500; ++i) {
      float controls[4];
      drone_script(s, &plain, 0, 0, &unused, NULL, controls);
      if (step(s, &plain, controls).terminated) break;
    }
    points += drone_body(s, 0)->way_points;
  }
  CHECK(points >= 6 * lives);
  free(s);
}

int main(void) {
  test_mechanics();
  test_turning();
  test_hovering();
  test_way_points_and_the_box();
  test_many_drones();
  test_the_pilot();
  return check_report();
}
