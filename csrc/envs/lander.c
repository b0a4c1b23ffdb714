// lander.c - land a rocket between two flags. One agent; the rules of Gymnasium's LunarLander-v3 on Box2D v3.
//
// Lengths are in metres, x right, y up; the view is 20 m x 13.33 m. A game owns one Box2D world from open to close. A
// reset destroys its four bodies (moon, hull, two legs) and builds new ones. The state contains handles into the world,
// so it cannot be copied or saved. The observation is measured after each step, so that observe and draw only read the
// state.
#include "pufferc/env.h"

#include "box2d_world.h"

#define LANDER_SCALE 30.0f  // pixels per metre; the shapes below are in pixels, as in Gymnasium
#define LANDER_FPS 50.0f    // steps per second of the game's time
#define LANDER_VIEW_WIDTH 600.0f
#define LANDER_VIEW_HEIGHT 400.0f
#define LANDER_WIDTH (LANDER_VIEW_WIDTH / LANDER_SCALE)
#define LANDER_HEIGHT (LANDER_VIEW_HEIGHT / LANDER_SCALE)
#define LANDER_PAD_Y (LANDER_HEIGHT / 4.0f)
#define LANDER_KICK 1000.0f     // N, max of each component of the force in the first step
#define LANDER_KICK_UP 0.0081f  // m above the hull's centre; makes up for the original's legs, which start elsewhere
#define LANDER_MAIN_POWER 13.0f
#define LANDER_MAIN_Y (4.0f / LANDER_SCALE)  // distance of the main engine below the centre
#define LANDER_SIDE_POWER 0.6f
#define LANDER_SIDE_X (12.0f / LANDER_SCALE)  // where the side engines push
#define LANDER_SIDE_SIN_Y (17.0f / LANDER_SCALE)
#define LANDER_SIDE_COS_Y (14.0f / LANDER_SCALE)  // a different number in the original too
#define LANDER_LEG_X (20.0f / LANDER_SCALE)  // from the hull's centre to that of a leg
#define LANDER_LEG_Y (18.0f / LANDER_SCALE)
#define LANDER_LEG_HALF_WIDTH (2.0f / LANDER_SCALE)
#define LANDER_LEG_HALF_HEIGHT (8.0f / LANDER_SCALE)
#define LANDER_LEG_TORQUE 40.0f  // N m, of the motor that holds a leg out
#define LANDER_LEG_SPEED 0.3f    // rad/s
#define LANDER_LEG_LEAST 0.35f   // rad between hull and leg; the original's 0.4 to 0.9 start at the 0.05 at which
#define LANDER_LEG_MOST 0.85f    // it builds the leg
#define LANDER_LEG_MASS 1.8f     // kg; see lander_spread_mass
#define LANDER_JOINT_DAMPING 30.0f  // Box2D's default of 2 lets a joint torn by a crash throw the rocket up again
#define LANDER_LEG_ROUNDING 0.015f     // m; Box2D 2.3 keeps 0.015 between resting bodies, v3 lets them overlap by 0.005
#define LANDER_REST_SPEED 0.01f        // m/s, and
#define LANDER_REST_TURN 0.034906585f  // rad/s (two degrees): at or below these Box2D 2.3 treats a body as resting

enum { LANDER_CHUNKS = 11, LANDER_SUBSTEPS = 4, LANDER_HULL_CORNERS = 6, LANDER_REST_STEPS = 25 };
enum { LANDER_COAST, LANDER_LEFT, LANDER_MAIN, LANDER_RIGHT };
enum { LANDER_GROUND_BIT = 0x01, LANDER_HULL_BIT = 0x10, LANDER_LEG_BIT = 0x20 };

#define LANDER_PARAMS(X)                                                                                      \
  X(int, max_steps, 1000, 0, PFC_MAX_STEPS, "steps until truncation; 0 = never")                              \
  X(bool, continuous, 0, 0, 1, "1: two controls in [-1, 1], main and side engines; 0: one of four actions")   \
  X(float, gravity, -10, -11.99f, -0.01f, "vertical acceleration, m/s^2")                                     \
  X(bool, enable_wind, 0, 0, 1, "1: wind and turbulence while neither leg touches the ground")                \
  X(float, wind_power, 15, 0, 20, "max force of the wind, N")                                             \
  X(float, turbulence_power, 1.5f, 0, 2, "max torque of the turbulence, N m")
PFC_DEFINE_PARAMS(lander, LanderParams, LANDER_PARAMS)

typedef struct LanderObs {
  float x, y, vx, vy, angle, angular_velocity, contacts[2];
} LanderObs;

typedef struct LanderBodies {
  b2WorldId world;
  b2BodyId moon, hull, legs[2];  // null before the first reset; legs[0] stands on the right, as in Gymnasium
} LanderBodies;

typedef struct Lander {
  PfcRng rng;
  LanderBodies bodies;
  LanderObs seen;                // after the latest step; observations are clamped, rewards are not
  float ground[LANDER_CHUNKS];   // m, height of the terrain at x = 2 i
  float heading;                 // rad in [-pi, pi]
  float shaping;                 // the potential whose change is rewarded
  b2Vec2 centre;                 // m, centre of mass of the hull's shape; the observed position
  float main_power, side_power;  // in the latest step: 0, or 0.5 to 1; side_power is negative for the left engine
  int32_t turns;                 // full turns to add to heading
  int32_t wind_step, torque_step;
  int32_t rest_steps, landed;    // steps that hull and legs have rested; 1 = landed
} Lander;

static const PfcObsRow lander_obs[] = {
    PFC_OBS("x", 1, -2.5f, 2.5f, "position right of the pad, 10 m"),
    PFC_OBS("y", 1, -2.5f, 2.5f, "height above the pad, 6.67 m"),
    PFC_OBS("vx", 1, -10.0f, 10.0f, "velocity to the right, 5 m/s"),
    PFC_OBS("vy", 1, -10.0f, 10.0f, "velocity upwards, 7.5 m/s"),
    PFC_OBS("angle", 1, -6.2831855f, 6.2831855f, "anticlockwise from upright, rad"),
    PFC_OBS("angular_velocity", 1, -10.0f, 10.0f, "anticlockwise, 2.5 rad/s"),
    PFC_OBS("contacts", 2, 0, 1, "1: the right leg, the left leg touches the ground"),
};

static const b2Vec2 lander_hull[LANDER_HULL_CORNERS] = {
    {-14 / LANDER_SCALE, 17 / LANDER_SCALE}, {-17 / LANDER_SCALE, 0},
    {-17 / LANDER_SCALE, -10 / LANDER_SCALE}, {17 / LANDER_SCALE, -10 / LANDER_SCALE},
    {17 / LANDER_SCALE, 0}, {14 / LANDER_SCALE, 17 / LANDER_SCALE},
};

PFC_FN float lander_ground_x(int32_t corner) { return LANDER_WIDTH / (LANDER_CHUNKS - 1) * (float)corner; }

// ---- a new world of bodies ---------------------------------------------------------------------------

// Random heights, flat at the pad, each smoothed with its neighbours. The left neighbour of the first height is the
// last one, because the original indexes its list with -1.
static void lander_shape_ground(Lander* s) {
  const int32_t middle = LANDER_CHUNKS / 2;
  float height[LANDER_CHUNKS + 1];
  for (int32_t i = 0; i <= LANDER_CHUNKS; ++i) height[i] = pfc_rng_uniform(&s->rng, 0.0f, LANDER_HEIGHT / 2.0f);
  for (int32_t i = middle - 2; i <= middle + 2; ++i) height[i] = LANDER_PAD_Y;
  for (int32_t i = 0; i < LANDER_CHUNKS; ++i)
    s->ground[i] = 0.33f * (height[i > 0 ? i - 1 : LANDER_CHUNKS] + height[i] + height[i + 1]);
}

static void lander_build_moon(Lander* s) {
  const b2BodyDef body = b2DefaultBodyDef();
  s->bodies.moon = b2CreateBody(s->bodies.world, &body);
  b2ShapeDef shape = b2DefaultShapeDef();
  shape.filter.categoryBits = LANDER_GROUND_BIT;
  shape.material.friction = 0.2f;
  const b2Segment floor = {{0.0f, 0.0f}, {LANDER_WIDTH, 0.0f}};
  (void)b2CreateSegmentShape(s->bodies.moon, &shape, &floor);
  shape.material.friction = 0.1f;
  for (int32_t i = 0; i + 1 < LANDER_CHUNKS; ++i) {
    const b2Segment slope = {{lander_ground_x(i), s->ground[i]}, {lander_ground_x(i + 1), s->ground[i + 1]}};
    (void)b2CreateSegmentShape(s->bodies.moon, &shape, &slope);
  }
}

static b2BodyId lander_add_body(const Lander* s, b2Vec2 position, float angle, const b2Polygon* polygon, float density,
                                float friction, uint64_t category) {
  float sine, cosine;
  pfc_sincosf(angle, &sine, &cosine);
  b2BodyDef body = b2DefaultBodyDef();
  body.type = b2_dynamicBody;
  body.position = position;
  body.rotation.c = cosine;
  body.rotation.s = sine;
  body.enableSleep = false;
  const b2BodyId id = b2CreateBody(s->bodies.world, &body);
  b2ShapeDef shape = b2DefaultShapeDef();
  shape.density = density;
  shape.material.friction = friction;
  shape.filter.categoryBits = category;
  shape.filter.maskBits = LANDER_GROUND_BIT;
  (void)b2CreatePolygonShape(id, &shape, polygon);
  return id;
}

// A joint connects a leg to the hull's centre. The leg is built at the end of the joint's range, where the motor holds
// it. The original builds it elsewhere, and the first step pulls it into place.
static void lander_build_leg(Lander* s, b2Vec2 centre, int32_t leg) {
  const float side = leg == 0 ? 1.0f : -1.0f, angle = side * LANDER_LEG_LEAST;
  const b2Vec2 anchor = {-side * LANDER_LEG_X, LANDER_LEG_Y};  // of the joint, in the leg's frame
  float sine, cosine;
  pfc_sincosf(angle, &sine, &cosine);
  const b2Vec2 position = {centre.x - (cosine * anchor.x - sine * anchor.y),
                           centre.y - (sine * anchor.x + cosine * anchor.y)};
  const b2Polygon box = b2MakeRoundedBox(LANDER_LEG_HALF_WIDTH, LANDER_LEG_HALF_HEIGHT, LANDER_LEG_ROUNDING);
  s->bodies.legs[leg] = lander_add_body(s, position, angle, &box, 1.0f, 0.2f, LANDER_LEG_BIT);
  b2RevoluteJointDef joint = b2DefaultRevoluteJointDef();
  joint.bodyIdA = s->bodies.hull;
  joint.bodyIdB = s->bodies.legs[leg];
  joint.localAnchorB = anchor;
  joint.enableMotor = joint.enableLimit = true;
  joint.maxMotorTorque = LANDER_LEG_TORQUE;
  joint.motorSpeed = -side * LANDER_LEG_SPEED;
  joint.lowerAngle = side > 0.0f ? LANDER_LEG_LEAST : -LANDER_LEG_MOST;
  joint.upperAngle = side > 0.0f ? LANDER_LEG_MOST : -LANDER_LEG_LEAST;
  const b2JointId id = b2CreateRevoluteJoint(s->bodies.world, &joint);
  b2Joint_SetConstraintTuning(id, 60.0f, LANDER_JOINT_DAMPING);  // 60 Hz is the default
}

// A leg weighs so little beside the hull that the few iterations of v3 cannot hold it: the rocket would sink into its
// legs or rock on them for ever. So each leg becomes heavier at the hull's expense, with its mass at the joint and the
// moment about it that it has by its shape. Hull and legs in flight keep the mass, centre and moment of their shapes.
static void lander_spread_mass(Lander* s) {
  const b2Polygon box = b2MakeBox(LANDER_LEG_HALF_WIDTH, LANDER_LEG_HALF_HEIGHT);
  const b2Vec2 leg_at = b2Body_GetLocalPoint(s->bodies.hull, b2Body_GetPosition(s->bodies.legs[0]));
  b2MassData hull = b2Body_GetMassData(s->bodies.hull), leg = b2ComputePolygonMass(&box, 1.0f);
  s->centre = hull.center;
  const float mass = hull.mass + 2.0f * leg.mass;
  const float centre = (hull.mass * hull.center.y + 2.0f * leg.mass * leg_at.y) / mass;
  const float below = leg_at.y - centre, above = hull.center.y - centre;
  const float moment = hull.rotationalInertia + hull.mass * above * above +
                       2.0f * (leg.rotationalInertia + leg.mass * (leg_at.x * leg_at.x + below * below));
  leg.rotationalInertia += leg.mass * (LANDER_LEG_X * LANDER_LEG_X + LANDER_LEG_Y * LANDER_LEG_Y);
  leg.mass = LANDER_LEG_MASS;
  hull.mass = mass - 2.0f * leg.mass;
  hull.center.y = centre * mass / hull.mass;
  const float lift = hull.center.y - centre;
  leg.center.y = LANDER_LEG_Y;
  hull.rotationalInertia = moment - hull.mass * lift * lift;
  hull.rotationalInertia -= 2.0f * (leg.rotationalInertia + leg.mass * centre * centre);
  b2Body_SetMassData(s->bodies.hull, hull);
  for (int32_t i = 0; i < 2; ++i) {
    leg.center.x = i == 0 ? -LANDER_LEG_X : LANDER_LEG_X;
    b2Body_SetMassData(s->bodies.legs[i], leg);
  }
}

static void lander_build(Lander* s) {
  const b2Vec2 centre = {LANDER_WIDTH / 2.0f, LANDER_HEIGHT};
  const b2Hull hull = b2ComputeHull(lander_hull, LANDER_HULL_CORNERS);
  const b2Polygon polygon = b2MakePolygon(&hull, 0.0f);
  lander_build_moon(s);
  s->bodies.hull = lander_add_body(s, centre, 0.0f, &polygon, 5.0f, 0.1f, LANDER_HULL_BIT);
  for (int32_t leg = 0; leg < 2; ++leg) lander_build_leg(s, centre, leg);
  lander_spread_mass(s);
}

// Destroys bodies in the reverse order of lander_build, so that the next bodies get the same numbers.
static void lander_clear(Lander* s) {
  if (B2_IS_NULL(s->bodies.moon)) return;
  b2DestroyBody(s->bodies.legs[1]);
  b2DestroyBody(s->bodies.legs[0]);
  b2DestroyBody(s->bodies.hull);
  b2DestroyBody(s->bodies.moon);
}

static bool lander_open(void* state, const void* params) {
  Lander* s = (Lander*)state;
  const b2Vec2 gravity = {0.0f, ((const LanderParams*)params)->gravity};
  s->bodies.moon = b2_nullBodyId;
  return pfc_box2d_create_world(gravity, &s->bodies.world);
}

static void lander_close(void* state) { pfc_box2d_destroy_world(&((Lander*)state)->bodies.world); }

// ---- one step ------------------------------------------------------------------------------------------

static b2Vec2 lander_centre(const Lander* s) { return b2Body_GetWorldPoint(s->bodies.hull, s->centre); }

// Applies a force for one step, `up` above the hull's centre, as an impulse at the start of the step like the original.
static void lander_push(Lander* s, float x, float y, float up) {
  const b2Vec2 impulse = {x / LANDER_FPS, y / LANDER_FPS}, centre = lander_centre(s);
  const b2Vec2 place = {centre.x, centre.y + up};
  b2Body_ApplyLinearImpulse(s->bodies.hull, impulse, place, true);
}

// tanh(sin(k/50) + sin(pi k/100)), which never repeats. Full turns are removed in double precision, which keeps the
// sine's argument small in a game of any length.
static float lander_gust(int32_t k) {
  const double turns = (double)k * (0.02 / 6.283185307179586);
  const float angle = (float)((turns - (double)(int64_t)turns) * 6.283185307179586);
  return pfc_tanhf(pfc_sinf(angle) + pfc_sinf(0.01f * PFC_PI * (float)(k % 200)));
}

static void lander_blow(Lander* s, const LanderParams* p) {
  if (!p->enable_wind || s->seen.contacts[0] > 0.0f || s->seen.contacts[1] > 0.0f) return;
  const float torque = lander_gust(s->torque_step) * p->turbulence_power;
  lander_push(s, lander_gust(s->wind_step) * p->wind_power, 0.0f, 0.0f);
  b2Body_ApplyAngularImpulse(s->bodies.hull, torque / LANDER_FPS, true);
  if (++s->wind_step == INT32_MAX) s->wind_step = 0;
  if (++s->torque_step == INT32_MAX) s->torque_step = 0;
}

static void lander_choose_power(Lander* s, const LanderParams* p, PfcIo io) {
  if (!p->continuous) {
    s->main_power = io.actions[0] == LANDER_MAIN ? 1.0f : 0.0f;
    s->side_power = (float)((io.actions[0] == LANDER_RIGHT) - (io.actions[0] == LANDER_LEFT));
    return;
  }
  const float up = io.controls[0], across = io.controls[1];
  s->main_power = up > 0.0f ? 0.5f + 0.5f * up : 0.0f;
  s->side_power = pfc_absf(across) > 0.5f ? across : 0.0f;
}

// The position where an engine pushes has a little random noise in each step.
static void lander_fire(Lander* s) {
  const b2Vec2 at = b2Body_GetPosition(s->bodies.hull);
  const b2Rot turn = b2Body_GetRotation(s->bodies.hull);
  const b2Vec2 tip = {turn.s, turn.c}, side = {-turn.c, turn.s};
  const float along = pfc_rng_uniform(&s->rng, -1.0f, 1.0f) / LANDER_SCALE;
  const float across = pfc_rng_uniform(&s->rng, -1.0f, 1.0f) / LANDER_SCALE;
  if (s->main_power > 0.0f) {
    const float down = LANDER_MAIN_Y + 2.0f * along, power = -LANDER_MAIN_POWER * s->main_power;
    const b2Vec2 offset = {tip.x * down + side.x * across, -tip.y * down - side.y * across};
    const b2Vec2 place = {at.x + offset.x, at.y + offset.y}, impulse = {offset.x * power, offset.y * power};
    b2Body_ApplyLinearImpulse(s->bodies.hull, impulse, place, true);
  }
  if (s->side_power != 0.0f) {
    const float direction = s->side_power > 0.0f ? 1.0f : -1.0f, power = -LANDER_SIDE_POWER * pfc_absf(s->side_power);
    const float outward = 3.0f * across + direction * LANDER_SIDE_X;
    const b2Vec2 offset = {tip.x * along + side.x * outward, -tip.y * along - side.y * outward};
    const b2Vec2 place = {at.x + offset.x - tip.x * LANDER_SIDE_SIN_Y, at.y + offset.y + tip.y * LANDER_SIDE_COS_Y};
    const b2Vec2 impulse = {offset.x * power, offset.y * power};
    b2Body_ApplyLinearImpulse(s->bodies.hull, impulse, place, true);
  }
}

static bool lander_touches(b2BodyId body) {
  b2ContactData contact;
  return b2Body_GetContactData(body, &contact, 1) > 0;
}

// v3 has one threshold for linear and angular speed together, which firing engines on the ground would not exceed.
static bool lander_rests(b2BodyId body, b2Vec2 velocity) {
  return velocity.x * velocity.x + velocity.y * velocity.y <= LANDER_REST_SPEED * LANDER_REST_SPEED &&
         pfc_absf(b2Body_GetAngularVelocity(body)) <= LANDER_REST_TURN;
}

// Reads the bodies into s->seen.
static void lander_measure(Lander* s) {
  const b2Vec2 at = b2Body_GetPosition(s->bodies.hull);
  const b2Vec2 velocity = b2Body_GetWorldPointVelocity(s->bodies.hull, lander_centre(s));
  const b2Rot turn = b2Body_GetRotation(s->bodies.hull);
  const float half_width = LANDER_WIDTH / 2.0f, half_height = LANDER_HEIGHT / 2.0f;
  const float heading = pfc_atan2f(turn.s, turn.c), change = heading - s->heading;
  s->turns += (change < -PFC_PI) - (change > PFC_PI);
  s->heading = heading;
  s->seen.x = (at.x - half_width) / half_width;
  s->seen.y = (at.y - (LANDER_PAD_Y + LANDER_LEG_Y)) / half_height;
  s->seen.vx = velocity.x * half_width / LANDER_FPS;
  s->seen.vy = velocity.y * half_height / LANDER_FPS;
  s->seen.angle = heading + 2.0f * PFC_PI * (float)s->turns;
  s->seen.angular_velocity = 20.0f * b2Body_GetAngularVelocity(s->bodies.hull) / LANDER_FPS;
  bool rests = lander_rests(s->bodies.hull, velocity);
  for (int32_t leg = 0; leg < 2; ++leg) {
    const b2BodyId body = s->bodies.legs[leg];
    s->seen.contacts[leg] = lander_touches(body) ? 1.0f : 0.0f;
    rests = rests && lander_rests(body, b2Body_GetWorldPointVelocity(body, b2Body_GetPosition(body)));
  }
  s->rest_steps = rests ? s->rest_steps + 1 : 0;
}

static float lander_potential(const LanderObs* seen) {
  return -100.0f * pfc_sqrtf(seen->x * seen->x + seen->y * seen->y) -
         100.0f * pfc_sqrtf(seen->vx * seen->vx + seen->vy * seen->vy) - 100.0f * pfc_absf(seen->angle) +
         10.0f * seen->contacts[0] + 10.0f * seen->contacts[1];
}

// Applies wind and engines, then steps the world.
static void lander_advance(Lander* s, const LanderParams* p) {
  lander_blow(s, p);
  lander_fire(s);
  b2World_Step(s->bodies.world, 1.0f / LANDER_FPS, LANDER_SUBSTEPS);
  lander_measure(s);
}

PFC_FN void lander_step(Lander* s, const LanderParams* p, PfcIo io) {
  lander_choose_power(s, p, io);
  lander_advance(s, p);
  const float potential = lander_potential(&s->seen);
  const bool crashed = lander_touches(s->bodies.hull) || pfc_absf(s->seen.x) >= 1.0f;
  s->landed = s->rest_steps >= LANDER_REST_STEPS;
  io.rewards[0] = potential - s->shaping - 0.3f * s->main_power - 0.03f * pfc_absf(s->side_power);
  s->shaping = potential;
  if (crashed) io.rewards[0] = -100.0f;
  if (s->landed) io.rewards[0] = 100.0f;
  io.terminated[0] = crashed || s->landed;
}

// The first step is part of the reset: a random push, engines off.
PFC_FN void lander_reset(Lander* s, const LanderParams* p) {
  lander_clear(s);
  const PfcRng rng = s->rng;
  const b2WorldId world = s->bodies.world;
  memset(s, 0, sizeof *s);
  s->rng = rng;
  s->bodies.world = world;
  pfc_box2d_forget(world);
  lander_shape_ground(s);
  lander_build(s);
  const float kick_x = pfc_rng_uniform(&s->rng, -LANDER_KICK, LANDER_KICK);
  lander_push(s, kick_x, pfc_rng_uniform(&s->rng, -LANDER_KICK, LANDER_KICK), LANDER_KICK_UP);
  s->wind_step = (int32_t)pfc_rng_below(&s->rng, 2 * 9999) - 9999;
  s->torque_step = (int32_t)pfc_rng_below(&s->rng, 2 * 9999) - 9999;
  lander_advance(s, p);
  s->shaping = lander_potential(&s->seen);
}

PFC_FN void lander_observe(const Lander* s, const LanderParams* p, int32_t agent, LanderObs* obs) {
  (void)p, (void)agent;
  const float* seen = (const float*)&s->seen;
  float* values = (float*)obs;
  for (int32_t i = 0; i < 6; ++i) values[i] = pfc_clampf(seen[i], lander_obs[i].low, lander_obs[i].high);
  memcpy(obs->contacts, s->seen.contacts, sizeof obs->contacts);
}

PFC_FN void lander_metrics(const Lander* s, const LanderParams* p, int32_t agent, float* values) {
  (void)p, (void)agent;  // the score is the return
  values[1] = (float)s->landed;
}

static void lander_layout(const void* params, PfcLayout* sizes) {
  if (!((const LanderParams*)params)->continuous) return;
  sizes->action_counts[0] = 0;
  sizes->continuous_dims = 2;
}

#include "lander_draw.h"

static const PfcKeyBinding lander_keys[] = {
    PFC_BIND_PUSH("up w", "main engine", 2, 0, 1.0f),
    PFC_BIND_PUSH("left a", "left engine", 1, 1, -1.0f),
    PFC_BIND_PUSH("right d", "right engine", 3, 1, 1.0f),
};

PFC_DEFINE_ENV(lander, Lander,
               .title = "Lander",
               .summary = "land a rocket between two flags, as in Gymnasium's LunarLander-v3",
               .version = 3,
               .obs_dtype = PFC_FLOAT32,
               .sizes = {.action_counts = {4}},
               .layout = lander_layout,
               .open = lander_open,
               .close = lander_close,
               .max_games = PFC_BOX2D_MAX_WORLDS,
               .limit_help = PFC_BOX2D_LIMIT_HELP,
               .obs_rows = lander_obs,
               .num_obs_rows = sizeof lander_obs / sizeof lander_obs[0],
               .metrics = {"score", "perf"},
               .fps = 50,
               .keys = lander_keys,
               .num_keys = sizeof lander_keys / sizeof lander_keys[0])
