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
#define LANDER_KICK_UP 0.0081f  // m above the hull's centre; the original's kick turns more, due to its legs
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
#define LANDER_LEG_MIN 0.35f     // rad between hull and leg; the original's 0.4 to 0.9 start at the 0.05 at which
#define LANDER_LEG_MAX 0.85f     // it builds the leg
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
  b2BodyId moon, hull, legs[2];  // null before the first reset; legs[0] is the right one, as in Gymnasium
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

// ---- the world ------------------------------------------------------------------------------------------

enum { LANDER_MAX_CONTACTS = 16 };  // more than a game ever has at once

// Brings a world without bodies into a state that does not depend on its past.
//
// The order of free contact numbers depends on the past: Box2D reuses the number of the contact that ended last, and
// solves contacts that begin in the same step in the order of their numbers. So this function creates a fixed number of
// contacts at once, which uses up all free numbers. Events report them in ascending order. It ends them in descending
// order, so that the next contacts are numbered from zero.
static void lander_forget(b2WorldId world) {
  b2BodyDef body = b2DefaultBodyDef();
  const b2BodyId ground = b2CreateBody(world, &body);
  body.type = b2_dynamicBody;
  const b2BodyId comb = b2CreateBody(world, &body);
  b2ShapeDef shape = b2DefaultShapeDef();
  const b2Segment segment = {{-1.0f, 0.0f}, {1.0f, 0.0f}};
  const b2ShapeId line = b2CreateSegmentShape(ground, &shape, &segment);
  shape.enableContactEvents = true;
  shape.updateBodyMass = false;
  const b2Circle circle = {{0.0f, 0.0f}, 0.5f};
  for (int32_t i = 0; i < LANDER_MAX_CONTACTS; ++i) (void)b2CreateCircleShape(comb, &shape, &circle);
  b2World_Step(world, 0.01f, 1);  // nothing moves, because the comb has no mass
  const b2ContactEvents events = b2World_GetContactEvents(world);
  b2Filter nothing = b2DefaultFilter();
  nothing.maskBits = 0;
  for (int32_t i = events.beginCount - 1; i >= 0; --i) {
    const b2ContactBeginTouchEvent* event = &events.beginEvents[i];
    b2Shape_SetFilter(B2_ID_EQUALS(event->shapeIdA, line) ? event->shapeIdB : event->shapeIdA, nothing);
  }
  b2DestroyBody(comb);
  b2DestroyBody(ground);
}

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
  const float side = leg == 0 ? 1.0f : -1.0f, angle = side * LANDER_LEG_MIN;
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
  joint.lowerAngle = side > 0.0f ? LANDER_LEG_MIN : -LANDER_LEG_MAX;
  joint.upperAngle = side > 0.0f ? LANDER_LEG_MAX : -LANDER_LEG_MIN;
  const b2JointId id = b2CreateRevoluteJoint(s->bodies.world, &joint);
  b2Joint_SetConstraintTuning(id, 60.0f, LANDER_JOINT_DAMPING);  // 60 Hz is the default
}

// A leg is so light compared with the hull that the few iterations of v3 cannot hold the joint: the rocket would sink
// into its legs or rock on them endlessly. So mass moves from the hull to each leg, placed at the joint, with the
// moment of the leg's shape. In flight, hull and legs together keep the mass, centre and moment of their shapes.
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
  b2WorldDef definition = b2DefaultWorldDef();
  definition.gravity.y = ((const LanderParams*)params)->gravity;
  s->bodies.moon = b2_nullBodyId;
  return pfc_box2d_create_world(&definition, &s->bodies.world);
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
  lander_forget(world);
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

// ---- drawing ----------------------------------------------------------------------------------------
//
// Night sky, earth, moonscape, flags, rocket and flames. The picture is 600 x 400 px, y down; points of the world are
// scaled and flipped.

#define LANDER_VIEW_BEYOND 2000.0f  // px that sky and land extend past the world, for pictures with other aspect ratios

typedef struct LanderFrame {
  b2Vec2 at;
  b2Rot turn;
} LanderFrame;

static LanderFrame lander_frame(b2BodyId body) {
  const LanderFrame frame = {b2Body_GetPosition(body), b2Body_GetRotation(body)};
  return frame;
}

// (x, y): pixels in a body's frame, y up.
static PfcPoint lander_pixel(LanderFrame f, float x, float y) {
  PfcPoint pixel;
  pixel.x = LANDER_SCALE * f.at.x + f.turn.c * x - f.turn.s * y;
  pixel.y = LANDER_VIEW_HEIGHT - (LANDER_SCALE * f.at.y + f.turn.s * x + f.turn.c * y);
  return pixel;
}

// A filled convex shape of at most eight corners, in pixels in a body's frame.
static void lander_fill(const PfcDraw* d, LanderFrame f, const float (*corners)[2], int32_t count, PfcColor color) {
  PfcPoint points[8];
  for (int32_t i = 0; i < count; ++i) points[i] = lander_pixel(f, corners[i][0], corners[i][1]);
  d->polygon(d->context, points, count, color);
}

// A flat ellipse around (x, y).
static void lander_ellipse(const PfcDraw* d, float x, float y, float half_width, float half_height, PfcColor color) {
  enum { CORNERS = 20 };
  PfcPoint points[CORNERS];
  for (int32_t i = 0; i < CORNERS; ++i) {
    float sine, cosine;
    pfc_sincosf(2.0f * PFC_PI * (float)i / CORNERS, &sine, &cosine);
    points[i].x = x + half_width * cosine, points[i].y = y + half_height * sine;
  }
  d->polygon(d->context, points, CORNERS, color);
}

// A planet, a little more than half of it lit: a half disc with a bulging straight side.
static void lander_draw_earth(const PfcDraw* d, float x, float y, float radius) {
  enum { ARC = 24 };
  static const float land[4][4] = {{-9, -9, 7, 4}, {-8, 7, 4, 7}, {4, -14, 5, 3}, {-17, 0, 3, 4}};
  PfcPoint lit[2 * ARC];
  for (int32_t i = 0; i < 2 * ARC; ++i) {
    float sine, cosine;
    pfc_sincosf(PFC_PI * (0.5f + (float)i / ARC), &sine, &cosine);
    const float across = radius * cosine * (i < ARC ? 1.0f : 0.35f), along = radius * sine;
    lit[i].x = x + 0.93f * across - 0.37f * along,
    lit[i].y = y + 0.37f * across + 0.93f * along;  // tilted by 22 degrees
  }
  d->circle(d->context, x, y, radius + 5.0f, pfc_tint(0x4f7fb8, 22));
  d->circle(d->context, x, y, radius, pfc_rgb(0x16233c));
  d->polygon(d->context, lit, 2 * ARC, pfc_rgb(0x4a86c5));
  for (int32_t i = 0; i < 4; ++i)
    lander_ellipse(d, x + land[i][0], y + land[i][1], land[i][2], land[i][3], pfc_tint(0x7fb98a, 190));
}

static void lander_draw_sky(const PfcDraw* d) {
  enum { BANDS = 20, STARS = 90 };
  const float beyond = LANDER_VIEW_BEYOND, height = LANDER_VIEW_HEIGHT / BANDS;
  for (int32_t i = 1; i < BANDS; ++i) {  // a glow that increases towards the horizon
    PfcColor color = pfc_rgb(0x0b0e1a);
    color.r = (uint8_t)(color.r + i), color.g = (uint8_t)(color.g + 5 * i / 4), color.b = (uint8_t)(color.b + 2 * i);
    d->rect(d->context, -beyond, height * (float)i, LANDER_VIEW_WIDTH + 2.0f * beyond, height, color);
  }
  for (uint64_t i = 0; i < STARS; ++i) {
    const uint64_t noise = pfc_hash64(i);
    const float x = (float)(noise % 800) - 100.0f, y = (float)(noise >> 16 & 0xffff) * (400.0f / 65536.0f) - 100.0f;
    const float radius = 0.6f + (float)(noise >> 40 & 3) * 0.25f;
    if (y > 10.0f && y < 72.0f && (x < 230.0f || x > 430.0f)) continue;  // numbers are here
    d->circle(d->context, x, y, radius, pfc_tint(0xdfe6ff, (uint8_t)(90 + (noise >> 48 & 127))));
  }
}

// Land below a slope from (x0, y0) to (x1, y1), down to `low`. It extends a little to the right, but never above the
// next slope, which ends at y2, so that pieces overlap without a seam.
static void lander_fill_slope(const PfcDraw* d, float x0, float y0, float x1, float y1, float y2, float low,
                              PfcColor color) {
  const float over = 10.0f, slope = over / (x1 - x0);
  const float end = pfc_maxf(y1 + slope * (y1 - y0), y1 + slope * (y2 - y1));
  const PfcPoint points[5] = {{x0, y0}, {x1, y1}, {x1 + over, end}, {x1 + over, low}, {x0, low}};
  d->polygon(d->context, points, 5, color);
}

// A chain of slopes over evenly spaced heights, moved down by `depth`, with flat land beyond both ends. Everything
// below is one rectangle, which is faster.
static void lander_fill_chain(const PfcDraw* d, const float* y, int32_t count, float depth, PfcColor color) {
  const float beyond = LANDER_VIEW_BEYOND, width = LANDER_VIEW_WIDTH, step = width / (float)(count - 1);
  float low = y[0] + depth;
  for (int32_t i = 1; i < count; ++i) low = pfc_maxf(low, y[i] + depth);
  for (int32_t i = 0; i + 1 < count; ++i)
    lander_fill_slope(d, step * (float)i, y[i] + depth, step * (float)(i + 1), y[i + 1] + depth,
                      y[pfc_mini(i + 2, count - 1)] + depth, low + 12.0f, color);
  d->rect(d->context, -beyond, y[0] + depth, beyond, low - y[0] - depth + 1.0f, color);
  d->rect(d->context, width, y[count - 1] + depth, beyond, low - y[count - 1] - depth + 1.0f, color);
  d->rect(d->context, -beyond, low, width + 2.0f * beyond, beyond, color);
}

static void lander_draw_hills(const PfcDraw* d) {
  enum { HILLS = 23 };
  for (int32_t layer = 0; layer < 2; ++layer) {
    float y[HILLS];
    for (int32_t i = 0; i < HILLS; ++i)
      y[i] = 236.0f + 34.0f * (float)layer + (float)(pfc_hash64((uint64_t)(100 * (layer + 1) + i)) % 44);
    lander_fill_chain(d, y, HILLS, 0.0f, pfc_rgb(layer == 0 ? 0x252c49 : 0x333a56));
  }
}

static void lander_draw_ground(const Lander* s, const PfcDraw* d) {
  const float beyond = LANDER_VIEW_BEYOND;
  float y[LANDER_CHUNKS];
  for (int32_t i = 0; i < LANDER_CHUNKS; ++i) y[i] = LANDER_VIEW_HEIGHT - LANDER_SCALE * s->ground[i];
  lander_fill_chain(d, y, LANDER_CHUNKS, 0.0f, pfc_rgb(0xa6acb9));
  lander_fill_chain(d, y, LANDER_CHUNKS, 7.0f, pfc_rgb(0x878d9c));
  lander_fill_chain(d, y, LANDER_CHUNKS, 26.0f, pfc_rgb(0x6f7585));
  for (int32_t i = 0; i + 1 < LANDER_CHUNKS; ++i) {
    const float x0 = LANDER_SCALE * lander_ground_x(i), x1 = LANDER_SCALE * lander_ground_x(i + 1);
    const uint64_t noise = pfc_hash64((uint64_t)i + 7);
    const float x = x0 + 10.0f + (float)(noise % 40), depth = 44.0f + (float)(noise >> 8 & 31);
    const float half = 9.0f + (float)(noise >> 16 & 15), at = pfc_maxf(y[i], y[i + 1]) + depth;
    lander_ellipse(d, x, at + 1.5f, half, 0.28f * half, pfc_rgb(0x7d8393));  // a crater's lit rim, then its shade
    lander_ellipse(d, x, at, half, 0.26f * half, pfc_rgb(0x5b6172));
    d->line(d->context, x0, y[i], x1, y[i + 1], 2.0f, pfc_rgb(0xd5d9e2));
  }
  d->line(d->context, -beyond, y[0], 0.0f, y[0], 2.0f, pfc_rgb(0xd5d9e2));
  d->line(d->context, LANDER_VIEW_WIDTH, y[LANDER_CHUNKS - 1], LANDER_VIEW_WIDTH + beyond, y[LANDER_CHUNKS - 1], 2.0f,
          pfc_rgb(0xd5d9e2));
}

static void lander_draw_pad(const PfcDraw* d) {
  const float left = LANDER_SCALE * lander_ground_x(LANDER_CHUNKS / 2 - 1);
  const float right = LANDER_SCALE * lander_ground_x(LANDER_CHUNKS / 2 + 1);
  const float y = LANDER_VIEW_HEIGHT - LANDER_SCALE * LANDER_PAD_Y * 0.99f;  // the pad's height after smoothing
  d->line(d->context, left, y, right, y, 4.0f, pfc_rgb(PFC_GOAL));
  for (int32_t i = 0; i < 2; ++i) {
    const float x = i == 0 ? left : right;
    const PfcPoint flag[3] = {{x, y - 48.0f}, {x, y - 34.0f}, {x + 24.0f, y - 41.0f}};
    d->line(d->context, x, y, x, y - 49.0f, 2.0f, pfc_rgb(PFC_INK));
    d->polygon(d->context, flag, 3, pfc_rgb(PFC_GOAL));
  }
}

// A flame from (x, y) in direction (dx, dy), in the hull's frame; longer with more power. Its flicker depends on the
// rocket's position, so that the picture of a state is always the same.
static void lander_draw_flame(const PfcDraw* d, LanderFrame f, b2Vec2 from, b2Vec2 along, float width, float length) {
  static const uint32_t colors[3] = {0xe5484d, 0xf2793b, 0xfff1c4};
  const uint64_t noise = pfc_hash64((uint64_t)pfc_float_bits(f.at.x) << 32 | pfc_float_bits(f.at.y));
  const float flicker = 0.85f + 0.3f * (float)(noise >> 40) * (1.0f / 16777216.0f);
  for (int32_t i = 0; i < 3; ++i) {
    const float share = 1.0f - 0.3f * (float)i, w = 0.5f * width * share, l = length * flicker * share;
    const float waist = 0.45f * l, half = 0.8f * w;
    const float corners[4][2] = {{from.x - along.y * w, from.y + along.x * w},
                                 {from.x + along.x * waist - along.y * half, from.y + along.y * waist + along.x * half},
                                 {from.x + along.x * l, from.y + along.y * l},
                                 {from.x + along.y * w, from.y - along.x * w}};
    lander_fill(d, f, corners, 4, pfc_tint(colors[i], 225));
  }
}

static void lander_draw_flames(const Lander* s, const PfcDraw* d, LanderFrame hull) {
  const b2Vec2 nozzle = {0.0f, -13.0f}, down = {0.0f, -1.0f};
  if (s->main_power > 0.0f) lander_draw_flame(d, hull, nozzle, down, 11.0f, 34.0f * s->main_power);
  if (s->side_power == 0.0f) return;
  const float out = s->side_power > 0.0f ? -1.0f : 1.0f;  // the right engine's flame is on the left of the hull
  const b2Vec2 vent = {17.0f * out, 11.0f}, outward = {out, 0.0f};
  lander_draw_flame(d, hull, vent, outward, 6.0f, 17.0f * pfc_absf(s->side_power));
}

static void lander_draw_leg(const Lander* s, const PfcDraw* d, LanderFrame hull, int32_t leg) {
  const float side = leg == 0 ? 1.0f : -1.0f;
  const LanderFrame f = lander_frame(s->bodies.legs[leg]);
  const PfcPoint hip = lander_pixel(hull, 11.0f * side, -6.0f), knee = lander_pixel(f, 0.0f, 3.0f);
  static const float strut[4][2] = {{-2, -8}, {2, -8}, {2, 8}, {-2, 8}};
  static const float foot[4][2] = {{-5, -8}, {5, -8}, {4, -5.5f}, {-4, -5.5f}};
  d->line(d->context, hip.x, hip.y, knee.x, knee.y, 2.5f, pfc_rgb(0x7d8598));
  lander_fill(d, f, strut, 4, pfc_rgb(0xaab2c5));
  lander_fill(d, f, foot, 4, s->seen.contacts[leg] > 0.0f ? pfc_rgb(0x5fb96c) : pfc_rgb(0xaab2c5));
}

static void lander_draw_hull(const PfcDraw* d, LanderFrame f) {
  static const float nozzle[4][2] = {{-4, -9}, {4, -9}, {7, -14}, {-7, -14}};
  static const float lower[4][2] = {{-17, 0}, {-17, -10}, {17, -10}, {17, 0}};
  static const float upper[4][2] = {{-14, 17}, {-17, 0}, {17, 0}, {14, 17}};
  static const float shade[4][2] = {{6, 17}, {8, 0}, {17, 0}, {14, 17}};
  lander_fill(d, f, nozzle, 4, pfc_rgb(0x59607a));
  lander_fill(d, f, lower, 4, pfc_rgb(0xd79b3c));
  lander_fill(d, f, upper, 4, pfc_rgb(0xe8ebf2));
  lander_fill(d, f, shade, 4, pfc_rgb(0xc3c9d8));
  const PfcPoint window = lander_pixel(f, -2.0f, 8.5f);
  const PfcPoint left = lander_pixel(f, -17.0f, 0.0f), right = lander_pixel(f, 17.0f, 0.0f);
  d->line(d->context, left.x, left.y, right.x, right.y, 1.5f, pfc_rgb(0x8a6424));
  d->circle(d->context, window.x, window.y, 5.0f, pfc_rgb(0x59607a));
  d->circle(d->context, window.x, window.y, 3.6f, pfc_rgb(0x3fb6d3));
}

static void lander_draw_figures(const Lander* s, const PfcDraw* d) {
  const float right = LANDER_VIEW_WIDTH - 24.0f;
  const float height = s->seen.y * LANDER_HEIGHT / 2.0f, climb = s->seen.vy * LANDER_FPS / (LANDER_HEIGHT / 2.0f);
  pfc_draw_count(d, 24.0f, 20.0f, 30.0f, true, (int32_t)d->episode_return, "points");
  pfc_draw_measure(d, right, 20.0f, 20.0f, false, height, false, "m high  ");
  pfc_draw_measure(d, right, 44.0f, 20.0f, false, climb, true, "m/s     ");
}

static void lander_draw(const Lander* s, const LanderParams* p, const PfcDraw* d) {
  (void)p;
  const LanderFrame hull = lander_frame(s->bodies.hull);
  d->begin(d->context, LANDER_VIEW_WIDTH, LANDER_VIEW_HEIGHT, pfc_rgb(0x0b0e1a));
  lander_draw_sky(d);
  lander_draw_earth(d, 500.0f, 118.0f, 24.0f);
  lander_draw_hills(d);
  lander_draw_ground(s, d);
  lander_draw_pad(d);
  lander_draw_flames(s, d, hull);
  for (int32_t leg = 0; leg < 2; ++leg) lander_draw_leg(s, d, hull, leg);
  lander_draw_hull(d, hull);
  lander_draw_figures(s, d);
  d->end(d->context);
}

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
