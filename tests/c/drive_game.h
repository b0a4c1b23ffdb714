// drive_game.h - one world of drive for tests of the rules; see world_game.h.
#ifndef PUFFERC_TESTS_DRIVE_GAME_H
#define PUFFERC_TESTS_DRIVE_GAME_H

#include "../../csrc/envs/drive.c"

#include <math.h>

typedef DriveParams GameParams;
typedef Drive GameState;
typedef DriveWorld GameWorld;
typedef float GameValue;
#define GAME_WORLD(state, params) drive_world(state, params)
enum { NUM_METRICS = 9 };
enum {
  METRIC_SCORE, METRIC_PERF, METRIC_CRASHED, METRIC_OFF_ROAD, METRIC_RED, METRIC_PROGRESS, METRIC_SPEED,
  METRIC_WRONG, METRIC_TRAFFIC
};
enum { ACCEL_FULL_BRAKE, ACCEL_BRAKE, ACCEL_COAST, ACCEL_SOFT, ACCEL_FULL, STEER_STRAIGHT = 4 };

#include "world_game.h"

// One agent alone.
static inline DriveParams game_alone(void) {
  DriveParams p = game_params();
  p.agents = 1, p.traffic = 0, p.walkers = 0, p.world_steps = 0, p.max_steps = 0;
  return p;
}

static inline void game_choose(Game* g, int32_t agent, int32_t accel, int32_t steer) {
  g->actions[2 * agent] = accel, g->actions[2 * agent + 1] = steer;
}

static inline void game_choose_all(Game* g, int32_t accel, int32_t steer) {
  for (int32_t i = 0; i < g->rows; ++i) game_choose(g, i, accel, steer);
}

// Turns the world into an empty plane with one straight lane of `length` m from (left, 0) to the east, without edges,
// and takes all bodies off it. The plane is a square around (0, 0), as large as the grid has cells.
static inline void game_flatten(Game* g, float left, float length) {
  DriveWorld* w = &g->w;
  DriveTown* town = &g->s->town;
  const int32_t parts = (int32_t)(length / DRIVE_SPACING);
  memset(town, 0, sizeof *town);
  town->num_points = parts + 1, town->num_lanes = town->num_roads = 1;
  DriveLane* lane = &w->lanes[0];
  memset(lane, 0, sizeof *lane);
  lane->length = length, lane->limit = 25.0f, lane->stop = -1.0f, lane->centre = 1000.0f,
  lane->count = (uint16_t)(parts + 1);
  lane->junction = lane->signal = lane->merge = lane->crossing[0] = lane->crossing[1] = DRIVE_NONE;
  for (int32_t k = 0; k <= parts; ++k) {
    const DrivePoint p = {left + length * (float)k / (float)parts, 0.0f, 1.0f, 0.0f, DRIVE_REACH, DRIVE_REACH};
    drive_set_point(w, k, &p);
  }
  town->usable = town->road = length;
  const DriveSizes z = drive_sizes(g->p);
  int32_t side = 1;
  while ((side + 1) * (side + 1) <= z.cells) ++side;
  town->columns = town->rows = side;
  town->left = town->bottom = -0.5f * DRIVE_CELL * (float)side;
  memset(w->starts, 0, sizeof(uint16_t) * (size_t)(side * side + 1));
  for (int32_t i = 0; i < w->padded; ++i) w->away[i] = DRIVE_FAR;
  memset(w->cars, 0, sizeof *w->cars * (size_t)w->num_cars);
}

// Puts a present car of 4.5 x 1.9 m on lane 0.
static inline void game_put(Game* g, int32_t i, float along, float speed) {
  drive_set_size(&g->w, i, 4.5f, 1.9f);
  drive_put(&g->w, i, 0, along);
  g->w.v[i] = speed;
  g->w.cars[i].pace = 1.0f;
  g->w.cars[i].goal = 1e6f, g->w.cars[i].goal_x = 1e6f;
  drive_set_present(&g->w, i);
}

#endif  // PUFFERC_TESTS_DRIVE_GAME_H
