// lander.c - land a rocket between two flags. One agent; the rules of Gymnasium's LunarLander-v3 on Box2D v3.
//
// Lengths are in metres, x right, y up; the view is 20 m x 13.33 m. A game owns one Box2D world from open to close; a
// reset destroys its four bodies (moon, hull, two legs) and builds new ones. The state therefore holds handles into
// the world and can be neither copied nor saved. What the observation needs is measured after each step, so that
// observing and drawing only read the state.
#include "pufferc/env.h"

#include <stdio.h>

#include "box2d_world.h"

#define LANDER_SCALE 30.0f  // pixels to the metre: the shapes below are given in pixels, as they have always been
#define LANDER_FPS 50.0f    // steps per second of the game's time
#define LANDER_VIEW_WIDTH 600.0f
#define LANDER_VIEW_HEIGHT 400.0f
#define LANDER_WIDTH (LANDER_VIEW_WIDTH / LANDER_SCALE)
#define LANDER_HEIGHT (LANDER_VIEW_HEIGHT / LANDER_SCALE)
#define LANDER_PAD_Y (LANDER_HEIGHT / 4.0f)
#define LANDER_KICK 1000.0f  // N, largest component of the force of the first step
#define LANDER_MAIN_POWER 13.0f
#define LANDER_MAIN_Y (4.0f / LANDER_SCALE)  // where the main engine pushes, below the centre
#define LANDER_SIDE_POWER 0.6f
#define LANDER_SIDE_X (12.0f / LANDER_SCALE)  // where the side engines push
#define LANDER_SIDE_SIN_Y (17.0f / LANDER_SCALE)
#define LANDER_SIDE_COS_Y (14.0f / LANDER_SCALE)  // not the same number in the original either
#define LANDER_LEG_X (20.0f / LANDER_SCALE)  // from the hull's centre to a leg's
#define LANDER_LEG_Y (18.0f / LANDER_SCALE)
#define LANDER_LEG_HALF_WIDTH (2.0f / LANDER_SCALE)
#define LANDER_LEG_HALF_HEIGHT (8.0f / LANDER_SCALE)
#define LANDER_LEG_TORQUE 40.0f  // N m of the motor that holds a leg out
#define LANDER_LEG_SPEED 0.3f    // rad/s
#define LANDER_LEG_LEAST 0.4f    // rad, range of a leg's joint
#define LANDER_LEG_MOST 0.9f
#define LANDER_SLEEP_SPEED 0.02f  // m/s below which a body may fall asleep
#define LANDER_SLEEP_CATEGORY 0

enum { LANDER_CHUNKS = 11, LANDER_SUBSTEPS = 4, LANDER_HULL_CORNERS = 6 };
enum { LANDER_COAST, LANDER_LEFT, LANDER_MAIN, LANDER_RIGHT };
enum { LANDER_GROUND_BIT = 0x01, LANDER_HULL_BIT = 0x10, LANDER_LEG_BIT = 0x20 };

#define LANDER_PARAMS(X)                                                                                      \
  X(int, max_steps, 1000, 0, PFC_MAX_STEPS, "steps until truncation; 0 = never")                              \
  X(bool, continuous, 0, 0, 1, "1: two controls in [-1, 1], main and side engines; 0: one of four actions")   \
  X(float, gravity, -10, -11.99f, -0.01f, "vertical acceleration, m/s^2")                                     \
  X(bool, enable_wind, 0, 0, 1, "1: wind and turbulence while neither leg touches the ground")                \
  X(float, wind_power, 15, 0, 20, "largest force of the wind, N")                                             \
  X(float, turbulence_power, 1.5f, 0, 2, "largest torque of the turbulence, N m")
PFC_DEFINE_PARAMS(lander, LanderParams, LANDER_PARAMS)

typedef struct LanderObs {
  float x, y, vx, vy, angle, angular_velocity, left_contact, right_contact;
} LanderObs;

typedef struct LanderBodies {
  b2WorldId world;
  b2BodyId moon, hull, legs[2];  // legs: at -x, at +x... set by lander_build; moon null before the first reset
} LanderBodies;

typedef struct Lander {
  PfcRng rng;
  LanderBodies bodies;
  LanderObs seen;                // after the latest step, clamped to its table
  float ground[LANDER_CHUNKS];   // m, height of the terrain at x = 2 i
  float heading;                 // rad in [-pi, pi]
  float shaping;                 // the potential whose change is rewarded
  float main_power, side_power;  // of the latest step: 0 or 0.5 to 1; side < 0 pushes to the left
  int32_t turns;                 // whole turns to add to heading
  int32_t wind_step, torque_step;
  int32_t landed;
} Lander;

static const PfcObsRow lander_obs[] = {
    {"x", 1, -2.5f, 2.5f, "position right of the pad, 10 m"},
    {"y", 1, -2.5f, 2.5f, "height above the pad, 6.67 m"},
    {"vx", 1, -10.0f, 10.0f, "velocity to the right, 5 m/s"},
    {"vy", 1, -10.0f, 10.0f, "velocity upwards, 7.5 m/s"},
    {"angle", 1, -6.2831855f, 6.2831855f, "anticlockwise from upright, rad"},
    {"angular_velocity", 1, -10.0f, 10.0f, "anticlockwise, 2.5 rad/s"},
    {"left_contact", 1, 0, 1, "1: the left leg touches the ground"},
    {"right_contact", 1, 0, 1, "1: the right leg touches the ground"},
};
