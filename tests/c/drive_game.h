// drive_game.h - one world of drive, driven as a pool drives it, for tests of the rules. A Game owns its memory;
// game_open creates it, game_close frees it.
#ifndef PUFFERC_TESTS_DRIVE_GAME_H
#define PUFFERC_TESTS_DRIVE_GAME_H

#include "../../csrc/envs/drive.c"

#include <math.h>
#include <stdlib.h>

#include "check.h"
#include "games/params.h"

static const PfcEnvSpec* const spec = &pfc_env_module;

enum { NUM_METRICS = 9 };
enum {
  METRIC_SCORE,
  METRIC_PERF,
  METRIC_CRASHED,
  METRIC_OFF_ROAD,
  METRIC_RED,
  METRIC_PROGRESS,
  METRIC_SPEED,
  METRIC_WRONG,
  METRIC_TRAFFIC
};
enum { ACCEL_FULL_BRAKE, ACCEL_BRAKE, ACCEL_COAST, ACCEL_SOFT, ACCEL_FULL, STEER_STRAIGHT = 4 };

typedef struct Game {
  DriveParams* p;  // on the heap: `w` points to it
  PfcLayout layout;
  int32_t rows, values;
  Drive* s;
  DriveWorld w;
  int32_t* actions;  // [rows, 2]
  float *controls, *rewards;
  uint8_t *terminated, *truncated, *alive;
  float *obs, *final_obs;  // [rows, values]
  float* metrics;          // [rows, NUM_METRICS], of lives that this step ended
  int32_t* steps;          // [rows] of the current lives
} Game;

static inline DriveParams game_params(void) {
  DriveParams p;
  CHECK(pfc_fill_params(spec, NULL, 0, &p) == PFC_OK);
  return p;
}

// One agent alone.
static inline DriveParams game_alone(void) {
  DriveParams p = game_params();
  p.agents = 1, p.traffic = 0, p.walkers = 0, p.world_steps = 0, p.max_steps = 0;
  return p;
}

static inline PfcIo game_io(Game* g) {
  const PfcIo io = {g->actions, g->controls, g->rewards, g->terminated, g->truncated, g->alive};
  return io;
}

static inline PfcRange game_range(Game* g) {
  const PfcRange range = {(unsigned char*)g->s, g->layout.state_bytes, g->p, 0, 1, g->rows, 2,
                          sizeof(float) * (size_t)g->values, game_io(g), (unsigned char*)g->obs};
  return range;
}

static inline void game_observe(Game* g) {
  const PfcRange range = game_range(g);
  spec->observe_range(&range);
}

static inline void game_reset(Game* g, uint64_t seed, uint64_t index) {
  memset(g->s, 0, g->layout.state_bytes);
  memset(g->alive, 1, (size_t)g->rows);
  memset(g->steps, 0, sizeof(int32_t) * (size_t)g->rows);
  pfc_rng_seed(&g->s->rng, seed, index);
  spec->reset_one(g->s, g->p);
  game_observe(g);
}

static inline Game game_open(DriveParams p, uint64_t seed) {
  Game g = {.rows = p.agents, .layout = spec->sizes};
  g.p = malloc(sizeof *g.p);
  *g.p = p;
  spec->layout(&p, &g.layout);
  const size_t rows = (size_t)g.rows;
  g.values = g.layout.obs_shape[0];
  g.s = aligned_alloc(64, (g.layout.state_bytes + 63) / 64 * 64);
  g.actions = calloc(rows * 2, sizeof(int32_t)), g.controls = calloc(rows * 2, sizeof(float));
  g.rewards = calloc(rows, sizeof(float)), g.steps = calloc(rows, sizeof(int32_t));
  g.terminated = calloc(rows, 1), g.truncated = calloc(rows, 1), g.alive = calloc(rows, 1);
  g.obs = calloc(rows * (size_t)g.values, sizeof(float)), g.final_obs = calloc(rows * (size_t)g.values, sizeof(float));
  g.metrics = calloc(rows, NUM_METRICS * sizeof(float));
  g.w = drive_world(g.s, g.p);
  game_reset(&g, seed, 0);
  return g;
}

static inline void game_close(Game* g) {
  free(g->p), free(g->s), free(g->actions), free(g->controls), free(g->rewards), free(g->metrics), free(g->steps);
  free(g->terminated), free(g->truncated), free(g->alive), free(g->obs), free(g->final_obs);
}

// Only the rules: ended lives are not respawned.
static inline void game_step_only(Game* g) {
  memset(g->rewards, 0, (size_t)g->rows * sizeof(float));
  memset(g->terminated, 0, (size_t)g->rows), memset(g->truncated, 0, (size_t)g->rows);
  const PfcRange range = game_range(g);
  spec->step_range(&range);
}

// The pool's part after the rules: time limits, final observations, metrics, respawns, observations.
static inline void game_finish(Game* g) {
  for (int32_t i = 0; i < g->rows; ++i) {
    g->steps[i] += 1;
    if (g->p->max_steps > 0 && g->steps[i] >= g->p->max_steps && !g->terminated[i]) g->truncated[i] = 1;
    if (g->terminated[i]) g->truncated[i] = 0;
    if (!g->terminated[i] && !g->truncated[i]) continue;
    spec->observe_one(g->s, g->p, i, g->final_obs + (size_t)i * (size_t)g->values);
    spec->metrics_one(g->s, g->p, i, g->metrics + NUM_METRICS * i);
  }
  for (int32_t i = 0; i < g->rows; ++i) {
    if (!g->terminated[i] && !g->truncated[i]) continue;
    g->steps[i] = 0;
    spec->respawn(g->s, g->p, i);
  }
  game_observe(g);
}

static inline void game_step(Game* g) {
  game_step_only(g);
  game_finish(g);
}

static inline void game_choose(Game* g, int32_t agent, int32_t accel, int32_t steer) {
  g->actions[2 * agent] = accel, g->actions[2 * agent + 1] = steer;
}

static inline void game_choose_all(Game* g, int32_t accel, int32_t steer) {
  for (int32_t i = 0; i < g->rows; ++i) game_choose(g, i, accel, steer);
}

static inline void game_choose_randomly(Game* g, PfcRng* rng) {
  for (int32_t i = 0; i < g->rows; ++i)
    game_choose(g, i, (int32_t)pfc_rng_below(rng, DRIVE_ACCELERATIONS), (int32_t)pfc_rng_below(rng, DRIVE_STEERS));
}

static inline const float* game_obs(const Game* g, int32_t agent) { return g->obs + (size_t)agent * (size_t)g->values; }

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
    w->points[k] = p;
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
