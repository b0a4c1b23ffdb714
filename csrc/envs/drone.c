// drone.c - fly quadrotors through way-points. An agent steers the four motors of one drone.
//
// obs   float32[26]   in the drone's own frame; see drone_obs below
// act   controls[4]   wanted speed of each motor: (c + 1) / 2 of the largest; about -0.238 hovers
// rew   metres that it came nearer to its way-point, +1 for a way-point, -0.0001 |rates|^2, -1 for leaving the box
//
// The world is a box of 20 m, z up. A drone's frame has z along its rotors' thrust. Motors 0 to 3 sit in its x, y plane
// at (-, +), (+, +), (+, -) and (-, -); 0 and 2 turn one way, 1 and 3 the other. A step is two Runge-Kutta steps (order
// 4) of 0.02 s. The drones of a world do not touch each other; each has its own way-point and its own episodes.
//
// The state is one block: the struct Drone, then one DroneBody per drone.
#include "pufferc/env.h"

#define DRONE_GRAVITY 9.81f         // m/s^2
#define DRONE_MASS 1.0f             // kg
#define DRONE_ARM 0.1f              // m from the middle to a motor
#define DRONE_INERTIA 0.01f         // about x and y, kg m^2
#define DRONE_INERTIA_Z 0.02f
#define DRONE_THRUST 3e-5f          // N / (rad/s)^2
#define DRONE_YAW 1e-6f             // drag torque of a rotor, Nm / (rad/s)^2
#define DRONE_ROTOR_INERTIA 1e-5f   // kg m^2
#define DRONE_LAG_S 0.1f            // a motor covers 1 - 1/e of a change in this time
#define DRONE_MAX_MOTOR 750.0f      // rad/s
#define DRONE_DRAG 0.1f             // N / (m/s)
#define DRONE_DAMPING 0.2f          // of the rates, Nm / (rad/s)
#define DRONE_MAX_SPEED 50.0f       // of each component, m/s
#define DRONE_MAX_RATE 50.0f        // rad/s
#define DRONE_SUBSTEP_S 0.02f
#define DRONE_BOX 10.0f             // the box is +- this, m
#define DRONE_REACH 8.0f            // starts and way-points are within +- this, m
#define DRONE_RADIUS 0.5f           // of a way-point, m
#define DRONE_RATE_COST 0.0001f
#define DRONE_SPEED_SCALE 10.0f     // m/s, of the observed velocity
#define DRONE_RATE_SCALE 20.0f      // rad/s
#define DRONE_PLACE_SCALE 10.0f     // m
#define DRONE_MAX_OFFSET 3.2f       // of an observed offset: the box's diagonal, about, over DRONE_PLACE_SCALE
#define DRONE_PERFECT 15.0f         // way-points
enum {
  DRONE_SUBSTEPS = 2,
  DRONE_MAX_DRONES = 64,
  DRONE_MOTORS = 4,
  DRONE_TRAIL = 32,        // places of the trail in the picture
  DRONE_TRAIL_STEPS = 2,   // between them
};

// The numbers that the equations of motion change, in one array, so that a Runge-Kutta step is a few vector operations.
enum {
  DRONE_PLACE = 0,      // m, in the world
  DRONE_VELOCITY = 3,   // m/s, in the world
  DRONE_TURN = 6,       // unit quaternion w, x, y, z from the drone's frame to the world's
  DRONE_RATES = 10,     // rad/s, in the drone's frame
  DRONE_SPEEDS = 13,    // of the motors, rad/s
  DRONE_VALUES = 17,
};

#define DRONE_PARAMS(X)                                                             \
  X(int, max_steps, 500, 0, PFC_MAX_STEPS, "steps until one life is truncated; 0 = never") \
  X(int, drones, 1, 1, DRONE_MAX_DRONES, "in one world; each is an agent")          \
  X(float, spread, 0.1f, 0, 0.5f, "mass, inertias, thrust and lag of each life vary by up to this share")
PFC_DEFINE_PARAMS(drone, DroneParams, DRONE_PARAMS)

typedef struct DroneVector {
  float x, y, z;
} DroneVector;

typedef struct DroneBody {
  float value[DRONE_VALUES];
  float thrust;                         // N / (rad/s)^2
  float per_mass, per_lag_s;            // reciprocals, 1/kg and 1/s: divisions are slow
  DroneVector inertia, per_inertia;     // kg m^2 and its reciprocals
  DroneVector goal;      // way-point, m
  int32_t way_points;    // flown through in this life
  int32_t crashed;       // 1: left the box
  int32_t steps;         // of this life
  DroneVector trail[DRONE_TRAIL];  // a ring of places of this life, for the picture
} DroneBody;

typedef struct Drone {
  PfcRng rng;
} Drone;

typedef struct DroneObs {
  float velocity[3], rates[3], turn[9], motors[4], goal[3], near_goal[3], gap;
} DroneObs;

static const PfcObsRow drone_obs[] = {
    PFC_OBS("velocity", 3, -9, 9, "in the drone's frame, 10 m/s"),
    PFC_OBS("rates", 3, -2.5f, 2.5f, "of turning around the drone's axes, 20 rad/s"),
    PFC_OBS("turn", 9, -1, 1, "rotation matrix from the drone's frame to the world's, row by row"),
    PFC_OBS("motors", 4, 0, 1, "speeds, 750 rad/s"),
    PFC_OBS("goal", 3, -DRONE_MAX_OFFSET, DRONE_MAX_OFFSET, "to the way-point, in the drone's frame, 10 m"),
    PFC_OBS("near_goal", 3, -1, 1, "the same in m, each value clamped"),
    PFC_OBS("gap", 1, -0.5f, 1, "to the nearest face of the box, 10 m; clamped"),
};

static void drone_layout(const void* params, PfcLayout* sizes) {
  const DroneParams* p = (const DroneParams*)params;
  sizes->agents = p->drones;
  sizes->state_bytes = sizeof(Drone) + (uint64_t)p->drones * sizeof(DroneBody);
}

PFC_FN DroneBody* drone_body(const Drone* s, int32_t agent) {
  return (DroneBody*)(uintptr_t)(s + 1) + agent;
}

// ---- vectors -----------------------------------------------------------------------------------------

PFC_FN DroneVector drone_vector(float x, float y, float z) {
  DroneVector v;
  v.x = x, v.y = y, v.z = z;
  return v;
}

PFC_FN DroneVector drone_read(const float* value) { return drone_vector(value[0], value[1], value[2]); }

PFC_FN void drone_write(float* value, DroneVector v) { value[0] = v.x, value[1] = v.y, value[2] = v.z; }

PFC_FN DroneVector drone_add(DroneVector a, DroneVector b, float factor) {  // a + factor b
  return drone_vector(a.x + factor * b.x, a.y + factor * b.y, a.z + factor * b.z);
}

PFC_FN float drone_dot(DroneVector a, DroneVector b) { return a.x * b.x + a.y * b.y + a.z * b.z; }

PFC_FN float drone_length(DroneVector v) { return pfc_sqrtf(drone_dot(v, v)); }

// Rows are the world's axes, columns the drone's.
typedef struct DroneMatrix {
  DroneVector x, y, z;
} DroneMatrix;

PFC_FN DroneMatrix drone_matrix(const float* turn) {
  const float w = turn[0], x = turn[1], y = turn[2], z = turn[3];
  DroneMatrix m;
  m.x = drone_vector(1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y));
  m.y = drone_vector(2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x));
  m.z = drone_vector(2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y));
  return m;
}

// From the world's frame to the drone's.
PFC_FN DroneVector drone_inward(const DroneMatrix* m, DroneVector v) {
  return drone_vector(m->x.x * v.x + m->y.x * v.y + m->z.x * v.z, m->x.y * v.x + m->y.y * v.y + m->z.y * v.z,
                      m->x.z * v.x + m->y.z * v.y + m->z.z * v.z);
}

// ---- motion ------------------------------------------------------------------------------------------

// The torque of the motors on the body. accelerations: of the motors, rad/s^2.
PFC_FN DroneVector drone_torque(const DroneBody* b, const float* speeds, const float* accelerations) {
  const float lever = DRONE_ARM * 0.70710678f * b->thrust;
  const float a = speeds[0] * speeds[0], c = speeds[1] * speeds[1], d = speeds[2] * speeds[2],
              e = speeds[3] * speeds[3];
  const float reaction = accelerations[0] - accelerations[1] + accelerations[2] - accelerations[3];
  return drone_vector(lever * (a + c - d - e), lever * (a + e - c - d),
                      DRONE_YAW * (c + e - a - d) + DRONE_ROTOR_INERTIA * reaction);
}

// The derivatives of all values by time. wanted: speeds of the motors, rad/s.
PFC_FN void drone_derive(const DroneBody* b, const float* value, const float* wanted, float* out) {
  const float* turn = value + DRONE_TURN;
  const float* speeds = value + DRONE_SPEEDS;
  const float w = turn[0], x = turn[1], y = turn[2], z = turn[3];
  const DroneVector v = drone_read(value + DRONE_VELOCITY), r = drone_read(value + DRONE_RATES);
  for (int32_t i = 0; i < DRONE_MOTORS; ++i) out[DRONE_SPEEDS + i] = (wanted[i] - speeds[i]) * b->per_lag_s;

  const float squares = speeds[0] * speeds[0] + speeds[1] * speeds[1] + speeds[2] * speeds[2] + speeds[3] * speeds[3];
  const float lift = b->thrust * squares * b->per_mass, drag = -DRONE_DRAG * b->per_mass;
  const DroneVector up = drone_vector(2 * (x * z + w * y), 2 * (y * z - w * x), 1 - 2 * (x * x + y * y));
  drone_write(out + DRONE_PLACE, v);
  drone_write(out + DRONE_VELOCITY,
              drone_vector(lift * up.x + drag * v.x, lift * up.y + drag * v.y,
                           lift * up.z + drag * v.z - DRONE_GRAVITY));

  out[DRONE_TURN + 0] = 0.5f * (-x * r.x - y * r.y - z * r.z);
  out[DRONE_TURN + 1] = 0.5f * (w * r.x + y * r.z - z * r.y);
  out[DRONE_TURN + 2] = 0.5f * (w * r.y + z * r.x - x * r.z);
  out[DRONE_TURN + 3] = 0.5f * (w * r.z + x * r.y - y * r.x);

  const DroneVector torque = drone_torque(b, speeds, out + DRONE_SPEEDS), inertia = b->inertia, per = b->per_inertia;
  drone_write(out + DRONE_RATES,
              drone_vector((torque.x - DRONE_DAMPING * r.x + (inertia.y - inertia.z) * r.y * r.z) * per.x,
                           (torque.y - DRONE_DAMPING * r.y + (inertia.z - inertia.x) * r.z * r.x) * per.y,
                           (torque.z - DRONE_DAMPING * r.z + (inertia.x - inertia.y) * r.x * r.y) * per.z));
}

PFC_FN void drone_mix(const float* a, const float* b, float factor, float* out) {  // out = a + factor b
  for (int32_t i = 0; i < DRONE_VALUES; ++i) out[i] = a[i] + factor * b[i];
}

PFC_FN void drone_clamp(float* value, float limit) {
  for (int32_t i = 0; i < 3; ++i) value[i] = pfc_clampf(value[i], -limit, limit);
}

// One Runge-Kutta step.
PFC_FN void drone_advance(DroneBody* b, const float* wanted) {
  const float h = DRONE_SUBSTEP_S;
  float first[DRONE_VALUES], second[DRONE_VALUES], third[DRONE_VALUES], fourth[DRONE_VALUES], at[DRONE_VALUES];
  drone_derive(b, b->value, wanted, first);
  drone_mix(b->value, first, 0.5f * h, at);
  drone_derive(b, at, wanted, second);
  drone_mix(b->value, second, 0.5f * h, at);
  drone_derive(b, at, wanted, third);
  drone_mix(b->value, third, h, at);
  drone_derive(b, at, wanted, fourth);
  for (int32_t i = 0; i < DRONE_VALUES; ++i)
    b->value[i] += h / 6.0f * (first[i] + 2.0f * (second[i] + third[i]) + fourth[i]);

  drone_clamp(b->value + DRONE_VELOCITY, DRONE_MAX_SPEED);
  drone_clamp(b->value + DRONE_RATES, DRONE_MAX_RATE);
  float* turn = b->value + DRONE_TURN;
  const float length = pfc_sqrtf(turn[0] * turn[0] + turn[1] * turn[1] + turn[2] * turn[2] + turn[3] * turn[3]);
  for (int32_t i = 0; i < 4; ++i) turn[i] *= 1.0f / length;
}

// ---- the game ----------------------------------------------------------------------------------------

PFC_FN DroneVector drone_random_place(PfcRng* rng) {
  const float x = pfc_rng_uniform(rng, -DRONE_REACH, DRONE_REACH), y = pfc_rng_uniform(rng, -DRONE_REACH, DRONE_REACH);
  return drone_vector(x, y, pfc_rng_uniform(rng, -DRONE_REACH, DRONE_REACH));
}

PFC_FN float drone_vary(PfcRng* rng, float mean, float spread) {
  return mean * pfc_rng_uniform(rng, 1.0f - spread, 1.0f + spread);
}

// A new life: a new body at rest, upright with a random heading, with the motors at the speed that hovers.
PFC_FN void drone_start(Drone* s, const DroneParams* p, int32_t agent) {
  DroneBody* b = drone_body(s, agent);
  PfcRng* rng = &s->rng;
  const float mass = drone_vary(rng, DRONE_MASS, p->spread);
  b->inertia.x = drone_vary(rng, DRONE_INERTIA, p->spread);
  b->inertia.y = drone_vary(rng, DRONE_INERTIA, p->spread);
  b->inertia.z = drone_vary(rng, DRONE_INERTIA_Z, p->spread);
  b->thrust = drone_vary(rng, DRONE_THRUST, p->spread);
  b->per_lag_s = 1.0f / drone_vary(rng, DRONE_LAG_S, p->spread);
  b->per_mass = 1.0f / mass;
  b->per_inertia = drone_vector(1.0f / b->inertia.x, 1.0f / b->inertia.y, 1.0f / b->inertia.z);
  for (int32_t i = 0; i < DRONE_VALUES; ++i) b->value[i] = 0.0f;
  drone_write(b->value + DRONE_PLACE, drone_random_place(rng));
  pfc_sincosf(pfc_rng_uniform(rng, -0.5f * PFC_PI, 0.5f * PFC_PI), &b->value[DRONE_TURN + 3], &b->value[DRONE_TURN]);
  const float hover = pfc_sqrtf(mass * DRONE_GRAVITY / (b->thrust * (float)DRONE_MOTORS));
  for (int32_t i = 0; i < DRONE_MOTORS; ++i) b->value[DRONE_SPEEDS + i] = hover;
  b->goal = drone_random_place(rng);
  b->way_points = 0, b->crashed = 0, b->steps = 0;
  b->trail[0] = drone_read(b->value + DRONE_PLACE);
}

PFC_FN void drone_reset(Drone* s, const DroneParams* p) {
  for (int32_t agent = 0; agent < p->drones; ++agent) drone_start(s, p, agent);
}

PFC_FN void drone_respawn(void* state, const void* params, int32_t agent) {
  drone_start((Drone*)state, (const DroneParams*)params, agent);
}

PFC_FN float drone_distance(DroneVector a, DroneVector b) { return drone_length(drone_add(b, a, -1.0f)); }

// The distance of a point from the way of one step, which a fast drone covers in more than a way-point's radius.
PFC_FN float drone_miss(DroneVector from, DroneVector to, DroneVector point) {
  const DroneVector way = drone_add(to, from, -1.0f), offset = drone_add(point, from, -1.0f);
  const float share = drone_dot(offset, way) / pfc_maxf(drone_dot(way, way), 1e-12f);
  return drone_distance(drone_add(from, way, pfc_clampf(share, 0.0f, 1.0f)), point);
}

PFC_FN float drone_largest(DroneVector v) {
  return pfc_maxf(pfc_maxf(pfc_absf(v.x), pfc_absf(v.y)), pfc_absf(v.z));
}

PFC_FN void drone_fly(Drone* s, int32_t agent, PfcIo io) {
  DroneBody* b = drone_body(s, agent);
  const float* controls = io.controls + agent * DRONE_MOTORS;
  float wanted[DRONE_MOTORS];
  for (int32_t i = 0; i < DRONE_MOTORS; ++i) wanted[i] = 0.5f * DRONE_MAX_MOTOR * (controls[i] + 1.0f);
  const DroneVector from = drone_read(b->value + DRONE_PLACE);
  for (int32_t i = 0; i < DRONE_SUBSTEPS; ++i) drone_advance(b, wanted);
  const DroneVector to = drone_read(b->value + DRONE_PLACE), rates = drone_read(b->value + DRONE_RATES);

  float reward = drone_distance(from, b->goal) - drone_distance(to, b->goal);
  reward -= DRONE_RATE_COST * drone_dot(rates, rates);
  if (drone_miss(from, to, b->goal) < DRONE_RADIUS) {
    reward += 1.0f;
    b->way_points += 1;
    b->goal = drone_random_place(&s->rng);
  }
  if (drone_largest(to) > DRONE_BOX) {
    reward -= 1.0f;
    b->crashed = 1;
    io.terminated[agent] = 1;
  }
  b->steps += 1;
  if (b->steps % DRONE_TRAIL_STEPS == 0) b->trail[b->steps / DRONE_TRAIL_STEPS % DRONE_TRAIL] = to;
  io.rewards[agent] = reward;
}

PFC_FN void drone_step(Drone* s, const DroneParams* p, PfcIo io) {
  for (int32_t agent = 0; agent < p->drones; ++agent) drone_fly(s, agent, io);
}

PFC_FN void drone_observe(const Drone* s, const DroneParams* p, int32_t agent, DroneObs* obs) {
  (void)p;
  const DroneBody* b = drone_body(s, agent);
  const DroneMatrix m = drone_matrix(b->value + DRONE_TURN);
  const DroneVector place = drone_read(b->value + DRONE_PLACE);
  const DroneVector velocity = drone_inward(&m, drone_read(b->value + DRONE_VELOCITY));
  const DroneVector goal = drone_inward(&m, drone_add(b->goal, place, -1.0f));
  const DroneVector rows[3] = {m.x, m.y, m.z};
  drone_write(obs->velocity, velocity);
  drone_write(obs->goal, goal);
  drone_write(obs->near_goal, goal);
  for (int32_t i = 0; i < 3; ++i) {
    obs->velocity[i] = pfc_clampf(obs->velocity[i] / DRONE_SPEED_SCALE, -9.0f, 9.0f);
    obs->rates[i] = b->value[DRONE_RATES + i] / DRONE_RATE_SCALE;
    obs->goal[i] = pfc_clampf(obs->goal[i] / DRONE_PLACE_SCALE, -DRONE_MAX_OFFSET, DRONE_MAX_OFFSET);
    drone_write(obs->turn + 3 * i, rows[i]);
  }
  for (int32_t i = 0; i < 9; ++i) obs->turn[i] = pfc_clampf(obs->turn[i], -1.0f, 1.0f);  // against rounding
  for (int32_t i = 0; i < DRONE_MOTORS; ++i)
    obs->motors[i] = pfc_clampf(b->value[DRONE_SPEEDS + i] / DRONE_MAX_MOTOR, 0.0f, 1.0f);
  drone_clamp(obs->near_goal, 1.0f);
  obs->gap = pfc_clampf((DRONE_BOX - drone_largest(place)) / DRONE_PLACE_SCALE, -0.5f, 1.0f);
}

PFC_FN void drone_metrics(const Drone* s, const DroneParams* p, int32_t agent, float* values) {
  (void)p;
  const DroneBody* b = drone_body(s, agent);
  values[0] = (float)b->way_points;
  values[1] = pfc_minf(1.0f, values[0] / DRONE_PERFECT);
  values[2] = (float)b->crashed;
}

// ---- the built-in pilot: loops for place, velocity, attitude and rates around each other ---------------------

#define DRONE_PILOT_PLACE 1.6f      // m/s per m
#define DRONE_PILOT_SPEED 7.0f      // m/s at most
#define DRONE_PILOT_VELOCITY 3.0f   // m/s^2 per m/s
#define DRONE_PILOT_PUSH 14.0f      // m/s^2 sideways at most
#define DRONE_PILOT_ATTITUDE 9.0f   // rad/s per rad
#define DRONE_PILOT_RATES 12.0f     // rad/s^2 per rad/s
#define DRONE_PILOT_LEAD 2.0f       // times the change of a motor's speed that is asked for, against its lag

PFC_FN DroneVector drone_shorten(DroneVector v, float limit) {
  const float length = drone_length(v);
  return length > limit ? drone_add(drone_vector(0, 0, 0), v, limit / length) : v;
}

// The acceleration that brings the drone to its way-point, gravity included, in its own frame.
static DroneVector drone_pilot_push(const DroneBody* b, const DroneMatrix* m) {
  const DroneVector none = drone_vector(0, 0, 0);
  const DroneVector offset = drone_add(b->goal, drone_read(b->value + DRONE_PLACE), -1.0f);
  const DroneVector wanted = drone_shorten(drone_add(none, offset, DRONE_PILOT_PLACE), DRONE_PILOT_SPEED);
  const DroneVector change = drone_add(wanted, drone_read(b->value + DRONE_VELOCITY), -1.0f);
  DroneVector push = drone_shorten(drone_add(none, change, DRONE_PILOT_VELOCITY), DRONE_PILOT_PUSH);
  push.z = pfc_maxf(push.z + DRONE_GRAVITY, 0.3f * DRONE_GRAVITY);  // never falls freely, so that it can steer
  return drone_inward(m, push);
}

static void drone_script(const void* state, const void* params, int32_t agent, int32_t level, PfcRng* rng,
                         int32_t* choices, float* controls) {
  (void)params, (void)level, (void)rng, (void)choices;
  const DroneBody* b = drone_body((const Drone*)state, agent);
  const DroneMatrix m = drone_matrix(b->value + DRONE_TURN);
  const DroneVector rates = drone_read(b->value + DRONE_RATES), push = drone_pilot_push(b, &m);
  const float length = pfc_maxf(drone_length(push), 1e-3f);
  // The rotation from the thrust's direction to the wanted one, by its axis; the heading does not matter.
  const float turn_x = -DRONE_PILOT_ATTITUDE * push.y / length, turn_y = DRONE_PILOT_ATTITUDE * push.x / length;
  const float roll = DRONE_INERTIA * DRONE_PILOT_RATES * (turn_x - rates.x) + DRONE_DAMPING * turn_x;
  const float pitch = DRONE_INERTIA * DRONE_PILOT_RATES * (turn_y - rates.y) + DRONE_DAMPING * turn_y;
  const float lift = DRONE_MASS * pfc_maxf(push.z, 0.0f), lever = DRONE_ARM * 0.70710678f;
  const float side[DRONE_MOTORS] = {1, 1, -1, -1}, front[DRONE_MOTORS] = {1, -1, -1, 1};
  for (int32_t i = 0; i < DRONE_MOTORS; ++i) {
    const float thrust = 0.25f * (lift + (roll * side[i] + pitch * front[i]) / lever);
    const float speed = b->value[DRONE_SPEEDS + i], wanted = pfc_sqrtf(pfc_maxf(thrust, 0.0f) / DRONE_THRUST);
    const float asked = speed + DRONE_PILOT_LEAD * (wanted - speed);
    controls[i] = pfc_clampf(2.0f * asked / DRONE_MAX_MOTOR - 1.0f, -1.0f, 1.0f);
  }
}

// ---- picture: the box from the side and from above, 20 m each ---------------------------------------------------

#define DRONE_VIEW 400.0f    // of one view
#define DRONE_VIEW_GAP 24.0f
#define DRONE_VIEW_HEAD 52.0f  // above the views

// A view shows x to the right, and z (side) or y (from above) upwards.
static PfcPoint drone_view(DroneVector at, bool above) {
  const float scale = 0.5f * DRONE_VIEW / DRONE_BOX;
  PfcPoint point;
  point.x = (above ? DRONE_VIEW + 2.0f * DRONE_VIEW_GAP : DRONE_VIEW_GAP) + 0.5f * DRONE_VIEW + scale * at.x;
  point.y = DRONE_VIEW_HEAD + 0.5f * DRONE_VIEW - scale * (above ? at.y : at.z);
  return point;
}

static void drone_draw_trail(const DroneBody* b, bool above, const PfcDraw* d) {
  const int32_t last = b->steps / DRONE_TRAIL_STEPS, first = pfc_maxi(0, last - DRONE_TRAIL + 1);
  for (int32_t i = first; i < last; ++i) {
    const PfcPoint from = drone_view(b->trail[i % DRONE_TRAIL], above);
    const PfcPoint to = drone_view(b->trail[(i + 1) % DRONE_TRAIL], above);
    const uint8_t alpha = (uint8_t)(30 + 170 * (i - first) / DRONE_TRAIL);
    d->line(d->context, from.x, from.y, to.x, to.y, 3.0f, pfc_tint(PFC_AGENT, alpha));
  }
}

static void drone_draw_goal(const DroneBody* b, bool above, const PfcDraw* d) {
  const float radius = 0.5f * DRONE_VIEW / DRONE_BOX * DRONE_RADIUS;
  const PfcPoint at = drone_view(b->goal, above);
  d->circle(d->context, at.x, at.y, radius + 3.0f, pfc_rgb(PFC_GOAL));
  d->circle(d->context, at.x, at.y, radius, pfc_rgb(PFC_TILE));
}

// Two arms at three times their size, with a disc per motor that is brighter the faster it turns.
static void drone_draw_body(const DroneBody* b, bool above, const PfcDraw* d) {
  const float reach = 6.0f * 0.70710678f * DRONE_ARM;
  const float x[DRONE_MOTORS] = {-1, 1, 1, -1}, y[DRONE_MOTORS] = {1, 1, -1, -1};
  const DroneMatrix m = drone_matrix(b->value + DRONE_TURN);
  const DroneVector place = drone_read(b->value + DRONE_PLACE);
  PfcPoint ends[DRONE_MOTORS];
  for (int32_t i = 0; i < DRONE_MOTORS; ++i) {
    const float dx = reach * x[i], dy = reach * y[i];
    ends[i] = drone_view(drone_vector(place.x + m.x.x * dx + m.x.y * dy, place.y + m.y.x * dx + m.y.y * dy,
                                      place.z + m.z.x * dx + m.z.y * dy), above);
  }
  for (int32_t i = 0; i < 2; ++i)
    d->line(d->context, ends[i].x, ends[i].y, ends[i + 2].x, ends[i + 2].y, 4.0f, pfc_rgb(PFC_AGENT));
  for (int32_t i = 0; i < DRONE_MOTORS; ++i) {
    const float share = pfc_clampf(b->value[DRONE_SPEEDS + i] / DRONE_MAX_MOTOR, 0.0f, 1.0f);
    d->circle(d->context, ends[i].x, ends[i].y, 4.5f, pfc_tint(PFC_INK, (uint8_t)(90.0f + 165.0f * share)));
  }
}

static void drone_draw_view(const Drone* s, const DroneParams* p, bool above, const PfcDraw* d) {
  const float left = above ? DRONE_VIEW + 2.0f * DRONE_VIEW_GAP : DRONE_VIEW_GAP;
  d->rounded_rect(d->context, left, DRONE_VIEW_HEAD, DRONE_VIEW, DRONE_VIEW, 8.0f, pfc_rgb(PFC_TILE));
  for (int32_t i = 1; i < 4; ++i) {
    const float at = DRONE_VIEW * 0.25f * (float)i;
    d->rect(d->context, left + at, DRONE_VIEW_HEAD, 1.0f, DRONE_VIEW, pfc_rgb(PFC_LINE));
    d->rect(d->context, left, DRONE_VIEW_HEAD + at, DRONE_VIEW, 1.0f, pfc_rgb(PFC_LINE));
  }
  const DroneBody* chosen = drone_body(s, d->agent);
  drone_draw_goal(chosen, above, d);
  drone_draw_trail(chosen, above, d);
  for (int32_t agent = 0; agent < p->drones; ++agent) drone_draw_body(drone_body(s, agent), above, d);
}

static void drone_draw(const Drone* s, const DroneParams* p, const PfcDraw* d) {
  const DroneBody* chosen = drone_body(s, d->agent);
  const float width = 2.0f * DRONE_VIEW + 3.0f * DRONE_VIEW_GAP;
  const float speed = drone_length(drone_read(chosen->value + DRONE_VELOCITY));
  pfc_draw_board(d, width, DRONE_VIEW + DRONE_VIEW_HEAD + DRONE_VIEW_GAP);
  drone_draw_view(s, p, false, d);
  drone_draw_view(s, p, true, d);
  pfc_draw_count(d, DRONE_VIEW_GAP, 16.0f, 26.0f, true, chosen->way_points, "way-points");
  pfc_draw_measure(d, width - DRONE_VIEW_GAP, 16.0f, 26.0f, false, speed, false, "m/s");
  d->text(d->context, DRONE_VIEW_GAP + 10.0f, DRONE_VIEW_HEAD + DRONE_VIEW - 24.0f, 15.0f, "side", pfc_rgb(PFC_DIM));
  d->text(d->context, DRONE_VIEW + 2.0f * DRONE_VIEW_GAP + 10.0f, DRONE_VIEW_HEAD + DRONE_VIEW - 24.0f, 15.0f, "above",
          pfc_rgb(PFC_DIM));
  d->end(d->context);
}

#define DRONE_FIELD(member, count) {#member, PFC_FLOAT32, count, sizeof(Drone) + offsetof(DroneBody, member)}

static const PfcField drone_fields[] = {  // of the first drone
    DRONE_FIELD(value, DRONE_VALUES), DRONE_FIELD(goal, 3),     DRONE_FIELD(inertia, 3),
    DRONE_FIELD(thrust, 1),           DRONE_FIELD(per_mass, 1), DRONE_FIELD(per_lag_s, 1),
};

static const PfcKeyBinding drone_keys[] = {
    PFC_BIND_PUSH("q", "motor 0", 0, 0, 1.0f),
    PFC_BIND_PUSH("w", "motor 1", 0, 1, 1.0f),
    PFC_BIND_PUSH("s", "motor 2", 0, 2, 1.0f),
    PFC_BIND_PUSH("a", "motor 3", 0, 3, 1.0f),
};

PFC_DEFINE_ENV(drone, Drone,
               .title = "Drone",
               .summary = "fly quadrotors through way-points by the speeds of their motors",
               .version = 1,
               .obs_dtype = PFC_FLOAT32,
               .sizes = {.continuous_dims = DRONE_MOTORS},
               .layout = drone_layout,
               .script = drone_script,
               .num_levels = 1,
               .respawn = drone_respawn,
               .obs_rows = drone_obs,
               .num_obs_rows = sizeof drone_obs / sizeof drone_obs[0],
               .metrics = {"score", "perf", "crashed"},
               .fields = drone_fields,
               .num_fields = sizeof drone_fields / sizeof drone_fields[0],
               .fps = 25,
               .keys = drone_keys,
               .num_keys = sizeof drone_keys / sizeof drone_keys[0])
