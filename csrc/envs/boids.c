// boids.c - many birds in one world; each is an agent that sees its nearest neighbours only and learns to flock.
//
// obs   float32[17 + 5 neighbours]   in the boid's own frame: x ahead, y to its right; see boids_obs below
// act   controls[2]   turn and thrust, each in [-1, 1]; with continuous = 0 choices {5, 3} of the same
// rew   local terms, each with a weight of its own: align, cohere, separate, avoid, smooth; see boids_reward
//
// Lengths are in units u (a boid is 1 u long), times in steps. The world is [0, width] x [0, height], x right, y down;
// headings are unit vectors. The world is a torus, or a box with walls.
//
// The state is one block of the pool's memory: the struct Boids, then the arrays of boids_arrays. Boids steer at once
// from the state before the step, so nothing depends on their order. Neighbours are searched once a step, in cells that
// hold the boids sorted, and kept for the observation.
#include "pufferc/env.h"

// A part of a loop of PFC_MULTIVERSION: apart from it, it would be compiled for the baseline only.
#define BOIDS_PART __attribute__((always_inline)) PFC_FN

#define BOIDS_MIN_SPEED 0.2f    // u/step
#define BOIDS_MAX_SPEED 0.6f
#define BOIDS_THRUST 0.05f      // largest change of speed in a step, u/step
#define BOIDS_TURN 0.2f         // largest turn in a step, rad
#define BOIDS_RADIUS 0.5f       // of a boid's own body, u
#define BOIDS_SPACE 3.0f        // personal space, u: nearer than this repels
#define BOIDS_TOUCH 1.0f        // u, nearer than this is crowded
#define BOIDS_LINK 6.0f         // u, neighbours nearer than this are of one flock
#define BOIDS_MIN_DISC 2.0f     // radius of obstacles, u
#define BOIDS_MAX_DISC 5.0f
#define BOIDS_HUNTER_SPEED 0.7f
#define BOIDS_HUNTER_TURN 0.08f
#define BOIDS_HUNTER_SIGHT 20.0f
#define BOIDS_HUNTER_LEASH 25.0f  // u, at which a prey is given up
#define BOIDS_CATCH 1.0f
#define BOIDS_CONFUSION 4.0f    // u around the prey
#define BOIDS_NO_GAP 1e9f
enum {
  BOIDS_MAX_BOIDS = 65536,
  BOIDS_MAX_NEIGHBOURS = 16,
  BOIDS_MAX_DISCS = 256,
  BOIDS_MAX_HUNTERS = 16,
  BOIDS_NEAR = 2,              // surfaces that a boid sees
  BOIDS_CELL_BOIDS = 16,       // boids of a cell that are looked at in a step, so that the work per boid is bounded
  BOIDS_CROWD = 3,             // more other boids than this around a prey confuse its hunter
  BOIDS_REST_STEPS = 20,       // of a hunter after a catch
  BOIDS_SETTLE_STEPS = 200,    // until metrics are measured
  BOIDS_MEASURE_STEPS = 10,    // between measurements
  BOIDS_PLACE_TRIES = 32,
  BOIDS_PLAIN_OBS = 17,        // values of an observation before the neighbours
  BOIDS_NEIGHBOUR_OBS = 5,
};

#define BOIDS_PARAMS(X)                                                                                \
  X(int, max_steps, 1000, 0, PFC_MAX_STEPS, "steps until the episode of all boids is truncated; 0 = never") \
  X(int, boids, 64, 1, BOIDS_MAX_BOIDS, "boids in one world; each is an agent")                        \
  X(int, width, 108, 24, 4096, "of the world, u")                                                      \
  X(int, height, 72, 24, 4096, "of the world, u; keep 121.5 u^2 per boid when scaling")                \
  X(bool, walls, 0, 0, 1, "1: a box; 0: a torus")                                                      \
  X(int, neighbours, 7, 1, BOIDS_MAX_NEIGHBOURS, "nearest others that a boid sees")                    \
  X(float, sight, 12, 2, 64, "how far it sees, u; width and height must be at least 2.5 times this")   \
  X(int, obstacles, 6, 0, BOIDS_MAX_DISCS, "discs, placed at random in each episode")                  \
  X(int, predators, 0, 0, BOIDS_MAX_HUNTERS, "scripted hunters")                                       \
  X(float, noise, 0.1f, 0, 3, "uniform noise added to each turn, up to this many rad either way")      \
  X(bool, continuous, 1, 0, 1, "1: two controls, turn and thrust; 0: choices {5, 3} of the same")      \
  X(float, align, 1, 0, 100, "weight of flying in the neighbours' direction")                          \
  X(float, cohere, 1, 0, 100, "weight of flying in the middle of the neighbours")                      \
  X(float, separate, 1, 0, 100, "weight of keeping 3 u from neighbours")                               \
  X(float, avoid, 1, 0, 100, "weight of keeping 3 u from obstacles and walls, and of not hitting them") \
  X(float, smooth, 0.02f, 0, 100, "weight of small turns")                                             \
  X(float, team, 0, 0, 100, "weight of the whole world's polarisation, the same for all")              \
  X(float, caught, 5, 0, 100, "penalty for being caught")
PFC_DEFINE_PARAMS(boids, BoidsParams, BOIDS_PARAMS)

typedef struct BoidsVector {
  float x, y;
} BoidsVector;

typedef struct BoidsDisc {
  BoidsVector center;
  float radius;
} BoidsDisc;

typedef struct BoidsHunter {
  BoidsVector place, heading;
  int32_t prey;  // index, -1 = none
  int32_t rest;  // steps until it hunts again
} BoidsHunter;

// Sums over the measured steps of an episode.
typedef struct BoidsSums {
  float perf, polarisation, local_polarisation, milling, largest, nearest, nearest_spread, crowded, alone;
  float align, cohere, separate;
  int32_t steps;  // measured
} BoidsSums;

typedef struct Boids {
  PfcRng rng;
  int32_t step;     // of the episode
  int32_t living;
  int32_t hits;     // boids that hit something, summed over steps
  int32_t num_caught;
  float per_width, per_height;  // of a torus, 1/u; 0 with walls
  float polarisation;           // of the whole world after the last step
  BoidsSums sums;
  BoidsHunter hunters[BOIDS_MAX_HUNTERS];
  BoidsDisc discs[BOIDS_MAX_DISCS];
} Boids;

typedef struct BoidsObs {
  float value[BOIDS_PLAIN_OBS + BOIDS_NEIGHBOUR_OBS];  // with one neighbour; more follow
} BoidsObs;

static const PfcObsRow boids_obs[] = {
    PFC_OBS("speed", 1, 0, 1, "between the least and the largest"),
    PFC_OBS("turn", 1, -1, 1, "last turn to the right, noise left out; 0.2 rad"),
    PFC_OBS("seen", 1, 0, 1, "neighbours seen; all that it can see"),
    PFC_OBS("wall", 1, 0, 1, "1 in a box, 0 on a torus"),
    PFC_OBS_SET(
        "obstacles", BOIDS_NEAR * 4, 4, -1, 1,
        "the two nearest surfaces within sight: nearest point ahead, right, and gap (all in sights), 1; else 0"),
    PFC_OBS("predator", 5, -1, 1,
            "nearest within 20 u: ahead, right (20 u), its velocity ahead, right (0.7 u/step), 1; else 0"),
    PFC_OBS_SET("neighbours", 0, BOIDS_NEIGHBOUR_OBS, -1, 1,
                "nearest first: ahead, right (sights), cosine and sine of its heading to the own, relative velocity "
                "ahead (1.2 u/step); else 0"),
};

// ---- memory ----------------------------------------------------------------------------------------

// Cells of the search, at least 7 each way, so that 3 rings around a cell never meet themselves on a torus.
typedef struct BoidsGrid {
  int32_t columns, rows;
  float per_u_x, per_u_y;  // cells per u
  float reach;             // distance that one ring of cells covers at least, u
} BoidsGrid;

PFC_FN BoidsGrid boids_grid(const BoidsParams* p) {
  const float width = (float)p->width, height = (float)p->height;
  const float by_boids = pfc_sqrtf(width * height / (16.0f * (float)p->boids));
  const float side = pfc_minf(pfc_maxf(p->sight / 3.0f, by_boids), pfc_minf(width, height) / 7.0f);
  BoidsGrid grid;
  grid.columns = (int32_t)(width / side);
  grid.rows = (int32_t)(height / side);
  grid.per_u_x = (float)grid.columns / width;
  grid.per_u_y = (float)grid.rows / height;
  grid.reach = side;
  return grid;
}

// The terms of a boid's reward that depend on its neighbours, without weights.
typedef struct BoidsTerms {
  float align, cohere, separate;
} BoidsTerms;

// The nearest point of a disc or wall, for each boid.
typedef struct BoidsSurfaces {
  float *x, *y;  // [n] offset from the boid, u
  float* gap;    // [n] its length; 0 inside of a disc, BOIDS_NO_GAP = none within sight
} BoidsSurfaces;

// Where the parts of a state lie. n = boids, k = neighbours.
typedef struct BoidsArrays {
  float *x, *y, *heading_x, *heading_y;  // [n]
  float *speed, *turn;                   // [n] u/step; last turn in [-1, 1], noise left out
  float *sorted_x, *sorted_y;            // [n] places of the living, cell by cell, by index in a cell
  float *wish_turn, *wish_thrust, *wish_noise;  // [n] of the step, until the search needs their place
  float* nearest;                        // [n] distance of the nearest neighbour, u; sight without one
  BoidsSurfaces nearest_surface, second_surface;
  BoidsTerms* terms;                     // [n] of the last step
  float* rewards;                        // [n] that a reset has no use for
  int32_t* sorted;                       // [n] index of the boid at each sorted place
  int32_t* cell;                         // [n] of a boid
  int32_t* seen;                         // [n] neighbours seen
  int32_t* ring;                         // [n] rings of cells that the last search needed, where the next one starts
  int32_t *flock, *members;              // [n] union-find: another boid of the flock; its boids, at its root
  int32_t* neighbours;                   // [n, k] indices, nearest first
  int32_t *alive, *hit;                  // [n] 0 or 1
  int32_t* touches;                      // [n] 0 or 1: overlaps a disc, while boids move
  int32_t* start;                        // [columns * rows + 1] sorted place where a cell's boids start
} BoidsArrays;

enum { BOIDS_FLOATS = 19, BOIDS_INTEGERS = 8 };  // per boid, besides the neighbours

PFC_FN BoidsArrays boids_arrays(const Boids* s, const BoidsParams* p) {
  const size_t n = (size_t)p->boids, k = (size_t)p->neighbours;
  float* numbers = (float*)(uintptr_t)(s + 1);
  int32_t* integers = (int32_t*)(numbers + BOIDS_FLOATS * n);
  BoidsArrays a;
  a.x = numbers, a.y = numbers + n, a.heading_x = numbers + 2 * n, a.heading_y = numbers + 3 * n;
  a.speed = numbers + 4 * n, a.turn = numbers + 5 * n;
  a.sorted_x = numbers + 6 * n, a.sorted_y = numbers + 7 * n, a.nearest = numbers + 8 * n;
  a.wish_turn = a.sorted_x, a.wish_thrust = a.sorted_y, a.wish_noise = a.nearest;
  a.terms = (BoidsTerms*)(numbers + 9 * n);
  a.rewards = numbers + 12 * n;
  a.nearest_surface.x = numbers + 13 * n, a.nearest_surface.y = numbers + 14 * n;
  a.second_surface.x = numbers + 15 * n, a.second_surface.y = numbers + 16 * n;
  a.nearest_surface.gap = numbers + 17 * n, a.second_surface.gap = numbers + 18 * n;
  a.sorted = integers, a.cell = integers + n, a.members = integers + 2 * n, a.seen = integers + 3 * n;
  a.ring = integers + 4 * n, a.flock = integers + 5 * n, a.alive = integers + 6 * n, a.hit = integers + 7 * n;
  a.touches = a.members;
  a.neighbours = integers + BOIDS_INTEGERS * n;
  a.start = a.neighbours + n * k;
  return a;
}

static void boids_layout(const void* params, PfcLayout* sizes) {
  const BoidsParams* p = (const BoidsParams*)params;
  const BoidsGrid grid = boids_grid(p);
  const uint64_t per_boid = BOIDS_FLOATS + BOIDS_INTEGERS + (uint64_t)p->neighbours;
  const uint64_t cells = (uint64_t)(grid.columns * grid.rows) + 1;
  sizes->state_bytes = (sizeof(Boids) + 4 * ((uint64_t)p->boids * per_boid + cells) + 63) / 64 * 64;
  sizes->agents = p->boids;
  sizes->obs_shape[0] = BOIDS_PLAIN_OBS + BOIDS_NEIGHBOUR_OBS * p->neighbours;
  if (p->continuous) return;
  sizes->continuous_dims = 0;
  sizes->action_counts[0] = 5;
  sizes->action_counts[1] = 3;
}

static const char* boids_check(const void* params) {
  const BoidsParams* p = (const BoidsParams*)params;
  const bool wide = (float)pfc_mini(p->width, p->height) >= 2.5f * p->sight;
  return wide ? NULL : "width and height must be at least 2.5 times sight";
}

// ---- geometry --------------------------------------------------------------------------------------

PFC_FN float boids_length(BoidsVector v) { return pfc_sqrtf(v.x * v.x + v.y * v.y); }

// From one place to another, the shortest way. Without branches: they would guess wrong. With walls per_width and
// per_height are 0, and nothing is wrapped.
PFC_FN BoidsVector boids_offset(const Boids* s, const BoidsParams* p, BoidsVector from, BoidsVector to) {
  BoidsVector offset;
  offset.x = to.x - from.x;
  offset.y = to.y - from.y;
  offset.x -= (float)p->width * pfc_roundf(offset.x * s->per_width);
  offset.y -= (float)p->height * pfc_roundf(offset.y * s->per_height);
  return offset;
}

// One coordinate brought back into [0, size) of a torus. Adding size to a tiny negative number gives size itself.
PFC_FN float boids_inside(float x, float size) {
  const float shifted = x < 0.0f ? x + size : x;
  return shifted >= size ? shifted - size : shifted;
}

// Brings a place back into the world; true if a wall had to stop it.
PFC_FN bool boids_confine(const BoidsParams* p, BoidsVector* place) {
  const float width = (float)p->width, height = (float)p->height;
  const bool walls = p->walls != 0;
  const float stopped_x = pfc_clampf(place->x, 0.0f, width), wrapped_x = boids_inside(place->x, width);
  const float stopped_y = pfc_clampf(place->y, 0.0f, height), wrapped_y = boids_inside(place->y, height);
  const bool stopped = (stopped_x != place->x) | (stopped_y != place->y);
  place->x = walls ? stopped_x : wrapped_x;
  place->y = walls ? stopped_y : wrapped_y;
  return walls & stopped;
}

PFC_FN BoidsVector boids_rotate(BoidsVector heading, float angle) {
  float sine, cosine;
  pfc_sincosf(angle, &sine, &cosine);
  const float x = heading.x * cosine - heading.y * sine, y = heading.x * sine + heading.y * cosine;
  const float scale = 1.0f / pfc_sqrtf(x * x + y * y);
  BoidsVector turned;
  turned.x = x * scale;
  turned.y = y * scale;
  return turned;
}

// v in the frame of a heading: ahead and to the right (y points down).
PFC_FN BoidsVector boids_own_frame(BoidsVector heading, BoidsVector v) {
  BoidsVector own;
  own.x = v.x * heading.x + v.y * heading.y;
  own.y = v.y * heading.x - v.x * heading.y;
  return own;
}

PFC_FN BoidsVector boids_place(const BoidsArrays* a, int32_t i) {
  BoidsVector place;
  place.x = a->x[i];
  place.y = a->y[i];
  return place;
}

PFC_FN BoidsVector boids_heading(const BoidsArrays* a, int32_t i) {
  BoidsVector heading;
  heading.x = a->heading_x[i];
  heading.y = a->heading_y[i];
  return heading;
}

// ---- obstacles -------------------------------------------------------------------------------------

PFC_FN BoidsVector boids_surface_offset(const BoidsSurfaces* surface, int32_t i) {
  BoidsVector offset;
  offset.x = surface->x[i];
  offset.y = surface->y[i];
  return offset;
}

// Keeps a surface if it is one of the two nearest of a boid. Without branches, so that loops over boids vectorise.
BOIDS_PART void boids_keep_nearest(const BoidsArrays* a, int32_t i, float x, float y, float gap) {
  const BoidsSurfaces *first = &a->nearest_surface, *second = &a->second_surface;
  const float first_x = first->x[i], first_y = first->y[i], first_gap = first->gap[i];
  const bool nearest = gap < first_gap, nearer = gap < second->gap[i];
  second->x[i] = nearest ? first_x : nearer ? x : second->x[i];
  second->y[i] = nearest ? first_y : nearer ? y : second->y[i];
  second->gap[i] = nearest ? first_gap : nearer ? gap : second->gap[i];
  first->x[i] = nearest ? x : first_x;
  first->y[i] = nearest ? y : first_y;
  first->gap[i] = nearest ? gap : first_gap;
}

BOIDS_PART void boids_look_at_disc(const Boids* s, const BoidsParams* p, const BoidsArrays* a, BoidsDisc disc) {
  const float sight = p->sight, far = sight + disc.radius;
  PFC_INDEPENDENT_LOOP_
  for (int32_t i = 0; i < p->boids; ++i) {
    const BoidsVector to = boids_offset(s, p, boids_place(a, i), disc.center);
    const float square = to.x * to.x + to.y * to.y, distance = pfc_sqrtf(square);
    const float gap = pfc_maxf(distance - disc.radius, 0.0f), scale = distance > 0.0f ? gap / distance : 0.0f;
    const bool seen = !(square > far * far) & (gap <= sight);
    boids_keep_nearest(a, i, to.x * scale, to.y * scale, seen ? gap : BOIDS_NO_GAP);
  }
}

// A wall across x, or across y, at a coordinate.
BOIDS_PART void boids_look_at_wall(const BoidsParams* p, const BoidsArrays* a, bool across_x, float at) {
  PFC_INDEPENDENT_LOOP_
  for (int32_t i = 0; i < p->boids; ++i) {
    const float place = across_x ? a->x[i] : a->y[i], to = at > 0.0f ? at - place : -place, gap = pfc_absf(to);
    boids_keep_nearest(a, i, across_x ? to : 0.0f, across_x ? 0.0f : to, gap <= p->sight ? gap : BOIDS_NO_GAP);
  }
}

// The two nearest surfaces within sight of each boid: discs by index, then walls.
PFC_MULTIVERSION PFC_FN void boids_look_at_obstacles(const Boids* s, const BoidsParams* p, const BoidsArrays* a) {
  for (int32_t i = 0; i < p->boids; ++i) a->nearest_surface.gap[i] = a->second_surface.gap[i] = BOIDS_NO_GAP;
  for (int32_t d = 0; d < p->obstacles; ++d) boids_look_at_disc(s, p, a, s->discs[d]);
  if (!p->walls) return;
  boids_look_at_wall(p, a, true, 0.0f);
  boids_look_at_wall(p, a, true, (float)p->width);
  boids_look_at_wall(p, a, false, 0.0f);
  boids_look_at_wall(p, a, false, (float)p->height);
}

// Pushes a boid out of the discs, by index, and back into the world. True if it hit one.
PFC_FN bool boids_push_out(const Boids* s, const BoidsParams* p, BoidsVector* place) {
  bool hit = false;
  for (int32_t i = 0; i < p->obstacles; ++i) {
    const BoidsDisc* disc = &s->discs[i];
    const BoidsVector from = boids_offset(s, p, disc->center, *place);
    const float least = disc->radius + BOIDS_RADIUS, square = from.x * from.x + from.y * from.y;
    if (square >= least * least) continue;
    const float distance = pfc_sqrtf(square);
    place->x = disc->center.x + (distance > 0.0f ? from.x * (least / distance) : least);
    place->y = disc->center.y + (distance > 0.0f ? from.y * (least / distance) : 0.0f);
    (void)boids_confine(p, place);
    hit = true;
  }
  return hit;
}

// ---- the start of an episode -----------------------------------------------------------------------

PFC_FN BoidsVector boids_random_place(Boids* s, const BoidsParams* p) {
  BoidsVector place;
  place.x = pfc_rng_float(&s->rng) * (float)p->width;
  place.y = pfc_rng_float(&s->rng) * (float)p->height;
  (void)boids_confine(p, &place);
  return place;
}

PFC_FN BoidsVector boids_random_heading(PfcRng* rng) {
  BoidsVector heading;
  pfc_sincosf(pfc_rng_uniform(rng, -PFC_PI, PFC_PI), &heading.y, &heading.x);
  return heading;
}

// Whether a circle stays clear of the first `count` discs.
PFC_FN bool boids_is_clear(const Boids* s, const BoidsParams* p, BoidsVector place, float radius, int32_t count) {
  for (int32_t i = 0; i < count; ++i) {
    const BoidsVector to = boids_offset(s, p, place, s->discs[i].center);
    const float least = radius + s->discs[i].radius;
    if (to.x * to.x + to.y * to.y < least * least) return false;
  }
  return true;
}

// A place where a circle stays clear of the first `count` discs; the last one tried where none was found.
PFC_FN BoidsVector boids_clear_place(Boids* s, const BoidsParams* p, float radius, int32_t count) {
  BoidsVector place = boids_random_place(s, p);
  for (int32_t i = 1; i < BOIDS_PLACE_TRIES && !boids_is_clear(s, p, place, radius, count); ++i)
    place = boids_random_place(s, p);
  return place;
}

PFC_FN void boids_place_all(Boids* s, const BoidsParams* p, const BoidsArrays* a) {
  for (int32_t i = 0; i < p->obstacles; ++i) {
    s->discs[i].radius = pfc_rng_uniform(&s->rng, BOIDS_MIN_DISC, BOIDS_MAX_DISC);
    s->discs[i].center = boids_clear_place(s, p, s->discs[i].radius, i);
  }
  for (int32_t i = 0; i < p->boids; ++i) {
    const BoidsVector place = boids_clear_place(s, p, BOIDS_RADIUS, p->obstacles);
    const BoidsVector heading = boids_random_heading(&s->rng);
    a->x[i] = place.x, a->y[i] = place.y;
    a->heading_x[i] = heading.x, a->heading_y[i] = heading.y;
    a->speed[i] = pfc_rng_uniform(&s->rng, BOIDS_MIN_SPEED, BOIDS_MAX_SPEED);
    a->alive[i] = 1;
  }
  for (int32_t i = 0; i < p->predators; ++i) {
    s->hunters[i].place = boids_random_place(s, p);
    s->hunters[i].heading = boids_random_heading(&s->rng);
    s->hunters[i].prey = -1;
    s->hunters[i].rest = BOIDS_REST_STEPS;
  }
}

// ---- movement --------------------------------------------------------------------------------------

// Turn, thrust and noise of each boid, drawn by index; 0 for the caught.
PFC_FN void boids_read_wishes(Boids* s, const BoidsParams* p, const BoidsArrays* a, PfcIo io) {
  for (int32_t i = 0; i < p->boids; ++i) {
    const bool alive = a->alive[i] != 0;
    a->wish_turn[i] = !alive ? 0.0f : p->continuous ? io.controls[2 * i] : 0.5f * (float)(io.actions[2 * i] - 2);
    a->wish_thrust[i] = !alive ? 0.0f : p->continuous ? io.controls[2 * i + 1] : (float)(io.actions[2 * i + 1] - 1);
    a->wish_noise[i] = alive && p->noise > 0.0f ? pfc_rng_uniform(&s->rng, -p->noise, p->noise) : 0.0f;
  }
}

// All boids at once, from the state before the step.
PFC_MULTIVERSION PFC_FN void boids_steer(const BoidsParams* p, const BoidsArrays* a) {
  const bool noisy = p->noise > 0.0f;
  PFC_INDEPENDENT_LOOP_
  for (int32_t i = 0; i < p->boids; ++i) {
    const bool alive = a->alive[i] != 0;
    const BoidsVector heading = boids_heading(a, i);
    const float wish = a->wish_turn[i], last_turn = a->turn[i], speed = a->speed[i], noise = a->wish_noise[i];
    const float turn = wish * BOIDS_TURN, noisy_turn = turn + noise;
    const BoidsVector turned = boids_rotate(heading, noisy ? noisy_turn : turn);
    const float next = pfc_clampf(speed + a->wish_thrust[i] * BOIDS_THRUST, BOIDS_MIN_SPEED, BOIDS_MAX_SPEED);
    a->heading_x[i] = alive ? turned.x : heading.x;
    a->heading_y[i] = alive ? turned.y : heading.y;
    a->turn[i] = alive ? wish : last_turn;
    a->speed[i] = alive ? next : speed;
  }
}

// Flies, and stops at walls.
BOIDS_PART void boids_fly(const BoidsParams* p, const BoidsArrays* a) {
  const int32_t boids = p->boids;
  PFC_INDEPENDENT_LOOP_
  for (int32_t i = 0; i < boids; ++i) {
    const bool alive = a->alive[i] != 0;
    const BoidsVector place = boids_place(a, i);
    BoidsVector next;
    next.x = place.x + a->heading_x[i] * a->speed[i];
    next.y = place.y + a->heading_y[i] * a->speed[i];
    const bool wall = boids_confine(p, &next);
    a->x[i] = alive ? next.x : place.x;
    a->y[i] = alive ? next.y : place.y;
    a->hit[i] = alive & wall;
    a->touches[i] = 0;
  }
}

// Sets touches[i] for boids that overlap a disc.
BOIDS_PART void boids_find_touches(const Boids* s, const BoidsParams* p, const BoidsArrays* a, BoidsDisc disc) {
  const float least = disc.radius + BOIDS_RADIUS;
  const int32_t boids = p->boids;
  PFC_INDEPENDENT_LOOP_
  for (int32_t i = 0; i < boids; ++i) {
    const BoidsVector from = boids_offset(s, p, disc.center, boids_place(a, i));
    a->touches[i] |= from.x * from.x + from.y * from.y < least * least;
  }
}

PFC_MULTIVERSION PFC_FN void boids_move(Boids* s, const BoidsParams* p, const BoidsArrays* a) {
  boids_fly(p, a);
  for (int32_t d = 0; d < p->obstacles; ++d) boids_find_touches(s, p, a, s->discs[d]);
  for (int32_t i = 0; i < p->boids; ++i) {
    if (a->alive[i] && a->touches[i]) {
      BoidsVector place = boids_place(a, i);
      a->hit[i] |= boids_push_out(s, p, &place);
      a->x[i] = place.x;
      a->y[i] = place.y;
    }
    s->hits += a->hit[i];
  }
}

// ---- predators -------------------------------------------------------------------------------------

// The nearest living boid within `reach` of a place, the lower index of equals; -1 = none.
PFC_FN int32_t boids_nearest_to(const Boids* s, const BoidsParams* p, const BoidsArrays* a, BoidsVector place,
                                float reach) {
  int32_t nearest = -1;
  float least = reach * reach;
  for (int32_t i = 0; i < p->boids; ++i) {
    const BoidsVector to = boids_offset(s, p, place, boids_place(a, i));
    const float square = to.x * to.x + to.y * to.y;
    if (a->alive[i] && (square < least || (square == least && nearest < 0))) nearest = i, least = square;
  }
  return nearest;
}

// Other living boids within BOIDS_CONFUSION of a boid.
PFC_FN int32_t boids_company(const Boids* s, const BoidsParams* p, const BoidsArrays* a, int32_t boid) {
  int32_t others = 0;
  for (int32_t i = 0; i < p->boids; ++i) {
    const BoidsVector to = boids_offset(s, p, boids_place(a, boid), boids_place(a, i));
    others += i != boid && a->alive[i] && to.x * to.x + to.y * to.y <= BOIDS_CONFUSION * BOIDS_CONFUSION;
  }
  return others;
}

PFC_FN void boids_choose_prey(const Boids* s, const BoidsParams* p, const BoidsArrays* a, BoidsHunter* hunter) {
  if (hunter->prey >= 0) {
    const float distance = boids_length(boids_offset(s, p, hunter->place, boids_place(a, hunter->prey)));
    if (!a->alive[hunter->prey] || distance > BOIDS_HUNTER_LEASH) hunter->prey = -1;
  }
  if (hunter->prey < 0) hunter->prey = boids_nearest_to(s, p, a, hunter->place, BOIDS_HUNTER_SIGHT);
}

// Turns towards the prey, unless its company confuses the hunter.
PFC_FN void boids_chase(Boids* s, const BoidsParams* p, const BoidsArrays* a, BoidsHunter* hunter) {
  if (hunter->prey < 0) return;
  if (boids_company(s, p, a, hunter->prey) > BOIDS_CROWD && pfc_rng_below(&s->rng, 2) == 0) return;
  const BoidsVector to = boids_offset(s, p, hunter->place, boids_place(a, hunter->prey));
  const BoidsVector own = boids_own_frame(hunter->heading, to);
  const float angle = pfc_clampf(pfc_atan2f(own.y, own.x), -BOIDS_HUNTER_TURN, BOIDS_HUNTER_TURN);
  hunter->heading = boids_rotate(hunter->heading, angle);
}

PFC_FN void boids_catch(Boids* s, const BoidsParams* p, const BoidsArrays* a, PfcIo io, BoidsHunter* hunter) {
  const int32_t boid = boids_nearest_to(s, p, a, hunter->place, BOIDS_CATCH);
  if (boid < 0) return;
  a->alive[boid] = 0;
  io.alive[boid] = 0;
  io.rewards[boid] = -p->caught;
  s->living -= 1;
  s->num_caught += 1;
  hunter->prey = -1;
  hunter->rest = BOIDS_REST_STEPS;
}

PFC_FN void boids_hunt(Boids* s, const BoidsParams* p, const BoidsArrays* a, PfcIo io) {
  for (int32_t i = 0; i < p->predators; ++i) {
    BoidsHunter* hunter = &s->hunters[i];
    const bool resting = hunter->rest > 0;
    if (resting) {
      hunter->rest -= 1;
    } else {
      boids_choose_prey(s, p, a, hunter);
      boids_chase(s, p, a, hunter);
    }
    hunter->place.x += hunter->heading.x * BOIDS_HUNTER_SPEED;
    hunter->place.y += hunter->heading.y * BOIDS_HUNTER_SPEED;
    (void)boids_confine(p, &hunter->place);
    if (!resting) boids_catch(s, p, a, io, hunter);
  }
}

// ---- neighbours ------------------------------------------------------------------------------------
//
// Boids are sorted into cells. A tile of cells collects its candidates once, the boids of all cells within some rings
// around it, and each boid of the tile picks its neighbours from these: first all squared distances, then those in
// reach, then their order, so that every loop is short and has no branch that guesses wrong.

enum { BOIDS_RINGS = 3 };  // that always cover the sight
enum { BOIDS_TILE = 4, BOIDS_FEW_ROWS = 3 };  // cells of a tile's side; rows of a tile in a world of few boids
enum { BOIDS_CANDIDATES = (BOIDS_TILE + 2 * BOIDS_RINGS) * (BOIDS_TILE + 2 * BOIDS_RINGS) * BOIDS_CELL_BOIDS };
// Loops over few candidates run to a whole number of these, so that their length is easy to predict.
enum { BOIDS_COPY = 4, BOIDS_LANES = 8 };
enum { BOIDS_FEW = 128 };  // in a world of so few boids cells are nearly empty, and a tile has all columns

PFC_FN int32_t boids_cell_of(const BoidsGrid* grid, float x, float y) {
  const int32_t column = pfc_mini((int32_t)(x * grid->per_u_x), grid->columns - 1);
  const int32_t row = pfc_mini((int32_t)(y * grid->per_u_y), grid->rows - 1);
  return row * grid->columns + column;
}

// Sorts the living into cells by counting. True if a cell has more than BOIDS_CELL_BOIDS.
PFC_FN bool boids_sort(const BoidsParams* p, const BoidsArrays* a, const BoidsGrid* grid) {
  const int32_t cells = grid->columns * grid->rows;
  int32_t total = 0, largest = 0;
  memset(a->start, 0, sizeof *a->start * (size_t)(cells + 1));
  for (int32_t i = 0; i < p->boids; ++i) {
    if (!a->alive[i]) continue;
    a->cell[i] = boids_cell_of(grid, a->x[i], a->y[i]);
    ++a->start[a->cell[i]];
  }
  for (int32_t c = 0; c < cells; ++c) {
    largest = pfc_maxi(largest, a->start[c]);
    total += a->start[c];
    a->start[c] = total;  // where the cell ends; filling it from there leaves where it starts
  }
  a->start[cells] = total;
  for (int32_t i = p->boids - 1; i >= 0; --i) {
    if (!a->alive[i]) continue;
    const int32_t at = --a->start[a->cell[i]];
    a->sorted[at] = i;
    a->sorted_x[at] = a->x[i];
    a->sorted_y[at] = a->y[i];
  }
  return largest > BOIDS_CELL_BOIDS;
}

// A tile of cells and the boids around it.
typedef struct BoidsTile {
  int32_t left, top, columns, rows;  // cells of the tile
  int32_t rings;                     // around it that the candidates come from
  int32_t count;                     // candidates
  int32_t step;                      // of the episode
  bool crowded;                      // some cell of the world has more boids than are looked at
  // [count], then what fills up the last lanes; from `to_x` on as seen by one boid of the tile.
  int32_t index[BOIDS_CANDIDATES + BOIDS_LANES];
  float x[BOIDS_CANDIDATES + BOIDS_LANES], y[BOIDS_CANDIDATES + BOIDS_LANES];
  float to_x[BOIDS_CANDIDATES + BOIDS_LANES], to_y[BOIDS_CANDIDATES + BOIDS_LANES];
  int64_t key[BOIDS_CANDIDATES + BOIDS_LANES];
} BoidsTile;

// Copies BOIDS_COPY at once; what is too much is overwritten by the next ones. More of the state follows the sorted
// arrays, so that reading past their end stays inside of it.
PFC_FN void boids_take(BoidsTile* tile, const BoidsArrays* a, int32_t begin, int32_t end) {
  for (int32_t j = begin; j < end; j += BOIDS_COPY) {
    const int32_t to = tile->count + j - begin;
    memcpy(tile->index + to, a->sorted + j, sizeof(int32_t) * BOIDS_COPY);
    memcpy(tile->x + to, a->sorted_x + j, sizeof(float) * BOIDS_COPY);
    memcpy(tile->y + to, a->sorted_y + j, sizeof(float) * BOIDS_COPY);
  }
  tile->count += end - begin;
}

PFC_FN void boids_fill_lanes(BoidsTile* tile) {
  for (int32_t j = tile->count; j < tile->count + BOIDS_LANES; ++j) {
    tile->index[j] = 0;
    tile->x[j] = tile->y[j] = 0.0f;
  }
}

PFC_FN int32_t boids_lanes(const BoidsTile* tile) {
  return (tile->count + BOIDS_LANES - 1) / BOIDS_LANES * BOIDS_LANES;
}

// Of a cell with more than BOIDS_CELL_BOIDS only that many are taken, beginning with number step % count, so that each
// has its turn and the work per boid is bounded.
PFC_FN void boids_take_cell(BoidsTile* tile, const BoidsArrays* a, int32_t cell) {
  const int32_t begin = a->start[cell], end = a->start[cell + 1], count = end - begin;
  if (count <= BOIDS_CELL_BOIDS) {
    boids_take(tile, a, begin, end);
    return;
  }
  const int32_t first = begin + tile->step % count, beyond = first + BOIDS_CELL_BOIDS - end;
  boids_take(tile, a, first, pfc_mini(first + BOIDS_CELL_BOIDS, end));
  if (beyond > 0) boids_take(tile, a, begin, begin + beyond);
}

// Cells [first, last] of one row.
PFC_FN void boids_take_cells(BoidsTile* tile, const BoidsArrays* a, int32_t row_start, int32_t first, int32_t last) {
  if (!tile->crowded) {
    boids_take(tile, a, a->start[row_start + first], a->start[row_start + last + 1]);
    return;
  }
  for (int32_t c = first; c <= last; ++c) boids_take_cell(tile, a, row_start + c);
}

// A stretch of cells along one axis, in one or two pieces where it crosses the edge of a torus.
typedef struct BoidsStretch {
  int32_t first[2], last[2];
  int32_t pieces;
} BoidsStretch;

// Cells [first, last] of `cells`, cut off by walls, or wrapped, and each cell once.
PFC_FN BoidsStretch boids_stretch(int32_t first, int32_t last, int32_t cells, bool walls) {
  BoidsStretch stretch;
  const bool all = !walls && last - first + 1 >= cells;
  stretch.pieces = 1;
  stretch.first[0] = all ? 0 : pfc_maxi(first, 0);
  stretch.last[0] = all ? cells - 1 : pfc_mini(last, cells - 1);
  stretch.first[1] = first < 0 ? first + cells : 0;
  stretch.last[1] = first < 0 ? cells - 1 : last - cells;
  stretch.pieces += !walls && !all && (first < 0 || last >= cells);
  return stretch;
}

PFC_FN void boids_gather(const BoidsParams* p, const BoidsArrays* a, const BoidsGrid* grid, BoidsTile* tile,
                         int32_t rings) {
  const bool walls = p->walls != 0;
  const int32_t right = tile->left + tile->columns - 1 + rings, bottom = tile->top + tile->rows - 1 + rings;
  const BoidsStretch across = boids_stretch(tile->left - rings, right, grid->columns, walls);
  const BoidsStretch down = boids_stretch(tile->top - rings, bottom, grid->rows, walls);
  tile->rings = rings;
  tile->count = 0;
  for (int32_t i = 0; i < down.pieces; ++i)
    for (int32_t row = down.first[i]; row <= down.last[i]; ++row)
      for (int32_t j = 0; j < across.pieces; ++j)
        boids_take_cells(tile, a, row * grid->columns, across.first[j], across.last[j]);
  boids_fill_lanes(tile);
}

// The neighbours of one boid, nearest first: a key is the squared distance's bits, the index, the candidate's number.
typedef struct BoidsSearch {
  int32_t found;
  int64_t key[BOIDS_MAX_NEIGHBOURS];
} BoidsSearch;

#define BOIDS_NO_KEY INT64_MAX  // of the boid itself, and of what fills up the last lanes

BOIDS_PART void boids_measure_candidates(const Boids* s, const BoidsParams* p, BoidsTile* tile,
                                                       BoidsVector place, int32_t boid) {
  const int32_t lanes = boids_lanes(tile);
  PFC_INDEPENDENT_LOOP_
  for (int32_t j = 0; j < lanes; ++j) {
    BoidsVector at;
    at.x = tile->x[j];
    at.y = tile->y[j];
    const BoidsVector to = boids_offset(s, p, place, at);
    const float square = to.x * to.x + to.y * to.y;
    const int64_t key = (int64_t)pfc_float_bits(square) << 32 | (int64_t)((uint32_t)tile->index[j] << 16 | (uint32_t)j);
    tile->to_x[j] = to.x;
    tile->to_y[j] = to.y;
    tile->key[j] = tile->index[j] == boid ? BOIDS_NO_KEY : key;
  }
  for (int32_t j = 0; j < BOIDS_LANES; ++j) tile->key[tile->count + j] = BOIDS_NO_KEY;
}

// Orders BOIDS_LANES keys by comparing each two of them. All differ but for BOIDS_NO_KEY.
BOIDS_PART void boids_order(BoidsSearch* q, const int64_t* keys) {
  int64_t rank[BOIDS_LANES];
  for (int32_t j = 0; j < BOIDS_LANES; ++j) rank[j] = j;
  for (int32_t j = 1; j < BOIDS_LANES; ++j) {
    for (int32_t i = 0; i < j; ++i) {
      const int64_t less = keys[j] < keys[i];
      rank[i] += less;
      rank[j] -= less;
    }
  }
  for (int32_t i = 0; i < BOIDS_LANES; ++i) q->key[rank[i]] = keys[i];
}

// Keeps the least `wanted` of the keys, ascending. BOIDS_LANES more of them are BOIDS_NO_KEY.
BOIDS_PART void boids_keep_least(BoidsSearch* q, const int64_t* keys, int32_t count, int32_t wanted) {
  if (count <= BOIDS_LANES) {
    boids_order(q, keys);
    return;
  }
  for (int32_t i = 0; i < count; ++i) {
    int32_t at = pfc_mini(i, wanted);
    for (; at > 0 && q->key[at - 1] > keys[i]; --at)
      if (at < wanted) q->key[at] = q->key[at - 1];
    if (at < wanted) q->key[at] = keys[i];
  }
}

// The nearest candidates within `reach` of a boid, whose distances were measured.
BOIDS_PART void boids_pick(const BoidsTile* tile, float reach, int32_t wanted, BoidsSearch* q) {
  int64_t keys[BOIDS_CANDIDATES + BOIDS_LANES];
  const int32_t lanes = boids_lanes(tile);
  const int64_t farthest = (int64_t)pfc_float_bits(reach * reach) << 32 | 0xffffffff;
  int32_t count = 0;
  for (int32_t j = 0; j < lanes; ++j) {
    keys[count] = tile->key[j];
    count += tile->key[j] <= farthest;
  }
  for (int32_t j = 0; j < BOIDS_LANES; ++j) keys[count + j] = BOIDS_NO_KEY;
  boids_keep_least(q, keys, count, wanted);
  q->found = pfc_mini(count, wanted);
}

PFC_FN int32_t boids_candidate(const BoidsSearch* q, int32_t j) { return (int32_t)(q->key[j] & 0xffff); }
PFC_FN float boids_square(const BoidsSearch* q, int32_t j) { return pfc_bits_float((uint32_t)(q->key[j] >> 32)); }

// The nearest boids within sight. All that are nearer than ring * grid->reach are candidates of `ring` rings, so the
// search ends when enough of these were found. It starts with as many rings as the last one needed: that changes only
// what it costs.
BOIDS_PART void boids_search(const Boids* s, const BoidsParams* p, const BoidsArrays* a, const BoidsGrid* grid,
                         BoidsTile* tile, int32_t boid, BoidsSearch* q) {
  int32_t ring = pfc_clampi(a->ring[boid], 1, BOIDS_RINGS);
  for (int32_t measured = 0;; ++ring) {
    if (ring > tile->rings) boids_gather(p, a, grid, tile, ring);
    if (measured != tile->rings) boids_measure_candidates(s, p, tile, boids_place(a, boid), boid);
    measured = tile->rings;
    const bool last = ring == BOIDS_RINGS || (float)ring * grid->reach >= p->sight;
    boids_pick(tile, last ? p->sight : (float)ring * grid->reach, p->neighbours, q);
    if (last || q->found == p->neighbours) break;
  }
  const float less = (float)(ring - 1) * grid->reach;
  a->ring[boid] = q->found == p->neighbours && boids_square(q, q->found - 1) <= less * less ? ring - 1 : ring;
}

// ---- rewards ---------------------------------------------------------------------------------------

// Keeps the neighbours that a search found and judges them.
BOIDS_PART BoidsTerms boids_judge(const BoidsParams* p, const BoidsArrays* a, const BoidsTile* tile, int32_t boid,
                              const BoidsSearch* q) {
  int32_t* neighbours = a->neighbours + (size_t)boid * (size_t)p->neighbours;
  const float heading_x = a->heading_x[boid], heading_y = a->heading_y[boid];
  BoidsTerms terms = {0.0f, -1.0f, 0.0f};
  a->seen[boid] = q->found;
  a->nearest[boid] = q->found > 0 ? pfc_sqrtf(boids_square(q, 0)) : p->sight;
  if (q->found == 0) return terms;
  BoidsVector sum = {0.0f, 0.0f};
  for (int32_t j = 0; j < q->found; ++j) {
    const int32_t candidate = boids_candidate(q, j), other = tile->index[candidate];
    const float closeness = pfc_maxf(1.0f - pfc_sqrtf(boids_square(q, j)) / BOIDS_SPACE, 0.0f);
    neighbours[j] = other;
    sum.x += tile->to_x[candidate];
    sum.y += tile->to_y[candidate];
    terms.align += heading_x * a->heading_x[other] + heading_y * a->heading_y[other];
    terms.separate -= closeness * closeness;
  }
  const float share = 1.0f / (float)q->found;
  terms.align *= share;
  terms.cohere = -boids_length(sum) * share / p->sight;
  terms.separate = pfc_maxf(terms.separate, -1.0f);
  return terms;
}

PFC_FN float boids_avoidance(const BoidsArrays* a, int32_t i) {
  const float closeness = pfc_maxf(1.0f - a->nearest_surface.gap[i] / BOIDS_SPACE, 0.0f);
  return -closeness * closeness - (float)a->hit[i];
}

PFC_FN float boids_reward(const Boids* s, const BoidsParams* p, const BoidsArrays* a, int32_t i) {
  const BoidsTerms terms = a->terms[i];
  const float local = p->align * terms.align + p->cohere * terms.cohere + p->separate * terms.separate;
  const float flight = p->avoid * boids_avoidance(a, i) - p->smooth * a->turn[i] * a->turn[i];
  return local + flight + p->team * s->polarisation + (p->predators > 0 ? 1.0f : 0.0f);
}

// ---- measures of a flock ---------------------------------------------------------------------------

// Length of the mean heading of the living.
PFC_FN float boids_polarisation(const Boids* s, const BoidsParams* p, const BoidsArrays* a) {
  BoidsVector sum = {0.0f, 0.0f};
  for (int32_t i = 0; i < p->boids; ++i) {
    sum.x += a->alive[i] ? a->heading_x[i] : 0.0f;
    sum.y += a->alive[i] ? a->heading_y[i] : 0.0f;
  }
  return s->living > 0 ? boids_length(sum) / (float)s->living : 0.0f;
}

// Mean length of the mean heading of a boid and its neighbours.
PFC_FN float boids_local_polarisation(const Boids* s, const BoidsParams* p, const BoidsArrays* a) {
  float total = 0.0f;
  for (int32_t i = 0; i < p->boids; ++i) {
    if (!a->alive[i]) continue;
    BoidsVector sum = boids_heading(a, i);
    const int32_t* neighbours = a->neighbours + (size_t)i * (size_t)p->neighbours;
    for (int32_t j = 0; j < a->seen[i]; ++j) {
      sum.x += a->heading_x[neighbours[j]];
      sum.y += a->heading_y[neighbours[j]];
    }
    total += boids_length(sum) / (float)(1 + a->seen[i]);
  }
  return total / (float)s->living;
}

// Mean of one coordinate of the living; on a torus as the direction of their mean on a circle.
PFC_FN float boids_center(const Boids* s, const BoidsParams* p, const BoidsArrays* a, const float* coordinate,
                          float size) {
  float sum = 0.0f, sines = 0.0f, cosines = 0.0f;
  for (int32_t i = 0; i < p->boids; ++i) {
    if (!a->alive[i]) continue;
    float sine, cosine;
    pfc_sincosf(coordinate[i] * (2.0f * PFC_PI / size), &sine, &cosine);
    sines += sine;
    cosines += cosine;
    sum += coordinate[i];
  }
  if (p->walls) return sum / (float)s->living;
  return boids_inside(pfc_atan2f(sines, cosines) * (size / (2.0f * PFC_PI)), size);
}

// Size of the mean of cross(unit vector from the flock's centre, heading): 1 for a ring that turns, 0 for a flock.
PFC_FN float boids_milling(const Boids* s, const BoidsParams* p, const BoidsArrays* a) {
  BoidsVector center;
  center.x = boids_center(s, p, a, a->x, (float)p->width);
  center.y = boids_center(s, p, a, a->y, (float)p->height);
  float sum = 0.0f;
  for (int32_t i = 0; i < p->boids; ++i) {
    if (!a->alive[i]) continue;
    const BoidsVector from = boids_offset(s, p, center, boids_place(a, i));
    const float length = boids_length(from);
    if (length > 0.0f) sum += (from.x * a->heading_y[i] - from.y * a->heading_x[i]) / length;
  }
  return pfc_absf(sum) / (float)s->living;
}

PFC_FN int32_t boids_root(int32_t* flock, int32_t i) {
  while (flock[i] != i) {
    flock[i] = flock[flock[i]];
    i = flock[i];
  }
  return i;
}

// Share of the living in the largest group that is linked by neighbours nearer than BOIDS_LINK.
PFC_FN float boids_largest(const Boids* s, const BoidsParams* p, const BoidsArrays* a) {
  int32_t largest = 0;
  for (int32_t i = 0; i < p->boids; ++i) a->flock[i] = i, a->members[i] = 0;
  for (int32_t i = 0; i < p->boids; ++i) {
    if (!a->alive[i]) continue;
    const int32_t* neighbours = a->neighbours + (size_t)i * (size_t)p->neighbours;
    for (int32_t j = 0; j < a->seen[i]; ++j) {
      const BoidsVector to = boids_offset(s, p, boids_place(a, i), boids_place(a, neighbours[j]));
      if (to.x * to.x + to.y * to.y >= BOIDS_LINK * BOIDS_LINK) break;  // nearest first
      const int32_t one = boids_root(a->flock, i), other = boids_root(a->flock, neighbours[j]);
      a->flock[pfc_maxi(one, other)] = pfc_mini(one, other);
    }
  }
  for (int32_t i = 0; i < p->boids; ++i)
    if (a->alive[i]) largest = pfc_maxi(largest, ++a->members[boids_root(a->flock, i)]);
  return (float)largest / (float)s->living;
}

// Adds a measured step.
PFC_FN void boids_measure(Boids* s, const BoidsParams* p, const BoidsArrays* a) {
  BoidsSums* sums = &s->sums;
  const float share = 1.0f / (float)s->living;
  float nearest = 0.0f, squares = 0.0f, crowded = 0.0f, alone = 0.0f;
  for (int32_t i = 0; i < p->boids; ++i) {
    if (!a->alive[i]) continue;
    nearest += a->nearest[i];
    squares += a->nearest[i] * a->nearest[i];
    crowded += a->nearest[i] < BOIDS_TOUCH || a->hit[i] ? share : 0.0f;
    alone += a->seen[i] == 0 ? share : 0.0f;
    sums->align += a->terms[i].align * share;
    sums->cohere += a->terms[i].cohere * share;
    sums->separate += a->terms[i].separate * share;
  }
  const float largest = boids_largest(s, p, a), mean = nearest * share;
  sums->perf += s->polarisation * largest * (1.0f - crowded) * (float)s->living / (float)p->boids;
  sums->polarisation += s->polarisation;
  sums->local_polarisation += boids_local_polarisation(s, p, a);
  sums->milling += boids_milling(s, p, a);
  sums->largest += largest;
  sums->nearest += mean;
  sums->nearest_spread += pfc_sqrtf(pfc_maxf(squares * share - mean * mean, 0.0f));
  sums->crowded += crowded;
  sums->alone += alone;
  sums->steps += 1;
}

// ---- a step ----------------------------------------------------------------------------------------

// Searches the neighbours of a boid from its tile, and judges it.
BOIDS_PART void boids_look(const Boids* s, const BoidsParams* p, const BoidsArrays* a, const BoidsGrid* grid,
                                         BoidsTile* tile, int32_t boid) {
  BoidsSearch q;
  boids_search(s, p, a, grid, tile, boid, &q);
  a->terms[boid] = boids_judge(p, a, tile, boid, &q);
}

BOIDS_PART void boids_look_from_tile(const Boids* s, const BoidsParams* p, const BoidsArrays* a,
                                                   const BoidsGrid* grid, BoidsTile* tile) {
  tile->rings = 0;
  for (int32_t row = tile->top; row < tile->top + tile->rows; ++row) {
    const int32_t* start = a->start + row * grid->columns + tile->left;
    for (int32_t at = start[0]; at < start[tile->columns]; ++at) boids_look(s, p, a, grid, tile, a->sorted[at]);
  }
}

// Searches all neighbours, tile by tile.
PFC_MULTIVERSION PFC_FN void boids_search_all(const Boids* s, const BoidsParams* p, const BoidsArrays* a) {
  const BoidsGrid grid = boids_grid(p);
  const bool few = p->boids <= BOIDS_FEW;
  const int32_t columns = few ? grid.columns : BOIDS_TILE, rows = few ? BOIDS_FEW_ROWS : BOIDS_TILE;
  BoidsTile tile;
  tile.step = s->step;
  tile.crowded = boids_sort(p, a, &grid);
  for (tile.top = 0; tile.top < grid.rows; tile.top += rows) {
    tile.rows = pfc_mini(rows, grid.rows - tile.top);
    for (tile.left = 0; tile.left < grid.columns; tile.left += columns) {
      tile.columns = pfc_mini(columns, grid.columns - tile.left);
      boids_look_from_tile(s, p, a, &grid, &tile);
    }
  }
}

// What all boids see of the world as it is now, and what the living earn by it.
PFC_FN void boids_look_around(Boids* s, const BoidsParams* p, const BoidsArrays* a, float* rewards) {
  s->polarisation = boids_polarisation(s, p, a);
  boids_look_at_obstacles(s, p, a);
  boids_search_all(s, p, a);
  for (int32_t i = 0; i < p->boids; ++i)
    if (a->alive[i]) rewards[i] = boids_reward(s, p, a, i);
}

PFC_FN void boids_reset(Boids* s, const BoidsParams* p) {
  const BoidsArrays a = boids_arrays(s, p);
  s->living = p->boids;
  s->per_width = p->walls ? 0.0f : 1.0f / (float)p->width;
  s->per_height = p->walls ? 0.0f : 1.0f / (float)p->height;
  boids_place_all(s, p, &a);
  boids_look_around(s, p, &a, a.rewards);
}

PFC_FN void boids_step(Boids* s, const BoidsParams* p, PfcIo io) {
  const BoidsArrays a = boids_arrays(s, p);
  s->step += 1;
  boids_read_wishes(s, p, &a, io);
  boids_steer(p, &a);
  boids_move(s, p, &a);
  boids_hunt(s, p, &a, io);
  if (s->living == 0) {
    for (int32_t i = 0; i < p->boids; ++i) io.terminated[i] = 1;
    return;
  }
  boids_look_around(s, p, &a, io.rewards);
  if (s->step >= BOIDS_SETTLE_STEPS && s->step % BOIDS_MEASURE_STEPS == 0) boids_measure(s, p, &a);
}

// ---- what a boid sees ------------------------------------------------------------------------------

PFC_FN float boids_unit(float x) { return pfc_clampf(x, -1.0f, 1.0f); }

BOIDS_PART void boids_observe_surface(const BoidsParams* p, const BoidsArrays* a, const BoidsSurfaces* surface,
                                      int32_t i, float* out) {
  if (surface->gap[i] >= BOIDS_NO_GAP) return;
  const BoidsVector own = boids_own_frame(boids_heading(a, i), boids_surface_offset(surface, i));
  out[0] = boids_unit(own.x / p->sight);
  out[1] = boids_unit(own.y / p->sight);
  out[2] = surface->gap[i] / p->sight;
  out[3] = 1.0f;
}

// The nearest hunter within its sight, the first of equals; NULL = none.
PFC_FN const BoidsHunter* boids_nearest_hunter(const Boids* s, const BoidsParams* p, BoidsVector place) {
  const BoidsHunter* nearest = NULL;
  float least = BOIDS_HUNTER_SIGHT * BOIDS_HUNTER_SIGHT;
  for (int32_t i = 0; i < p->predators; ++i) {
    const BoidsVector to = boids_offset(s, p, place, s->hunters[i].place);
    const float square = to.x * to.x + to.y * to.y;
    if (square <= least && !(nearest && square == least)) nearest = &s->hunters[i], least = square;
  }
  return nearest;
}

BOIDS_PART void boids_observe_hunter(const Boids* s, const BoidsParams* p, const BoidsArrays* a, int32_t i,
                                     float* out) {
  const BoidsVector place = boids_place(a, i), heading = boids_heading(a, i);
  const BoidsHunter* hunter = boids_nearest_hunter(s, p, place);
  if (!hunter) return;
  const BoidsVector to = boids_own_frame(heading, boids_offset(s, p, place, hunter->place));
  const BoidsVector course = boids_own_frame(heading, hunter->heading);
  out[0] = boids_unit(to.x / BOIDS_HUNTER_SIGHT);
  out[1] = boids_unit(to.y / BOIDS_HUNTER_SIGHT);
  out[2] = boids_unit(course.x);
  out[3] = boids_unit(course.y);
  out[4] = 1.0f;
}

BOIDS_PART void boids_observe_neighbours(const Boids* s, const BoidsParams* p, const BoidsArrays* a, int32_t i,
                                     float* out) {
  const BoidsVector place = boids_place(a, i), heading = boids_heading(a, i);
  const int32_t* neighbours = a->neighbours + (size_t)i * (size_t)p->neighbours;
  const float per_sight = 1.0f / p->sight;
  for (int32_t j = 0; j < a->seen[i]; ++j, out += BOIDS_NEIGHBOUR_OBS) {
    const int32_t other = neighbours[j];
    const BoidsVector to = boids_own_frame(heading, boids_offset(s, p, place, boids_place(a, other)));
    const BoidsVector course = boids_own_frame(heading, boids_heading(a, other));
    out[0] = boids_unit(to.x * per_sight);
    out[1] = boids_unit(to.y * per_sight);
    out[2] = boids_unit(course.x);
    out[3] = boids_unit(course.y);
    out[4] = boids_unit((course.x * a->speed[other] - a->speed[i]) / (2.0f * BOIDS_MAX_SPEED));
  }
}

// A caught boid sees zeros.
BOIDS_PART void boids_observe(const Boids* s, const BoidsParams* p, int32_t agent, BoidsObs* obs) {
  const BoidsArrays a = boids_arrays(s, p);
  float* out = obs->value;
  const int32_t values = BOIDS_PLAIN_OBS + BOIDS_NEIGHBOUR_OBS * p->neighbours;
  memset(out, 0, sizeof *out * (size_t)values);
  if (!a.alive[agent]) return;
  out[0] = pfc_clampf((a.speed[agent] - BOIDS_MIN_SPEED) / (BOIDS_MAX_SPEED - BOIDS_MIN_SPEED), 0.0f, 1.0f);
  out[1] = a.turn[agent];
  out[2] = (float)a.seen[agent] / (float)p->neighbours;
  out[3] = (float)p->walls;
  boids_observe_surface(p, &a, &a.nearest_surface, agent, out + 4);
  boids_observe_surface(p, &a, &a.second_surface, agent, out + 8);
  boids_observe_hunter(s, p, &a, agent, out + 12);
  boids_observe_neighbours(s, p, &a, agent, out + BOIDS_PLAIN_OBS);
}

PFC_FN void boids_metrics(const Boids* s, const BoidsParams* p, int32_t agent, float* values) {
  (void)agent;
  const BoidsSums* sums = &s->sums;
  const float share = sums->steps > 0 ? 1.0f / (float)sums->steps : 0.0f;
  const float per_1000 = s->step > 0 ? 1000.0f / ((float)p->boids * (float)s->step) : 0.0f;
  values[0] = 100.0f * sums->perf * share;
  values[1] = sums->perf * share;
  values[2] = sums->polarisation * share;
  values[3] = sums->local_polarisation * share;
  values[4] = sums->milling * share;
  values[5] = sums->largest * share;
  values[6] = sums->nearest * share;
  values[7] = sums->nearest_spread * share;
  values[8] = sums->crowded * share;
  values[9] = sums->alone * share;
  values[10] = (float)s->hits * per_1000;
  values[11] = (float)s->num_caught * per_1000;
  values[12] = sums->align * share;
  values[13] = sums->cohere * share;
  values[14] = sums->separate * share;
}

// ---- three rules by hand ---------------------------------------------------------------------------

// Reynolds 1987, "Flocks, Herds and Schools": weights of alignment, cohesion, separation and of keeping off obstacles.
typedef struct BoidsRules {
  float align, cohere, separate, obstacles;
} BoidsRules;

PFC_TABLE BoidsRules boids_rules[] = {
    {1.0f, 0.6f, 1.5f, 3.0f},  // the textbook's
    {2.2f, 0.52f, 5.41f, 4.1f},  // the best by reward of 200 random settings, benchmarks/boids_baseline.py
};

PFC_FN void boids_add(BoidsVector* sum, BoidsVector v, float factor) {
  sum->x += factor * v.x;
  sum->y += factor * v.y;
}

// Where the rules want to fly, in the world's frame, from the neighbours alone. *ahead: mean offset along the heading.
PFC_FN BoidsVector boids_follow(const Boids* s, const BoidsParams* p, const BoidsArrays* a, int32_t i, BoidsRules rules,
                                float* ahead) {
  const int32_t* neighbours = a->neighbours + (size_t)i * (size_t)p->neighbours;
  const BoidsVector place = boids_place(a, i);
  BoidsVector want = boids_heading(a, i), mean = {0.0f, 0.0f}, courses = {0.0f, 0.0f};
  const float share = a->seen[i] > 0 ? 1.0f / (float)a->seen[i] : 0.0f;
  for (int32_t j = 0; j < a->seen[i]; ++j) {
    const BoidsVector to = boids_offset(s, p, place, boids_place(a, neighbours[j]));
    const float distance = boids_length(to), closeness = pfc_maxf(1.0f - distance / BOIDS_SPACE, 0.0f);
    boids_add(&mean, to, share);
    boids_add(&courses, boids_heading(a, neighbours[j]), share);
    if (distance > 0.0f) boids_add(&want, to, -rules.separate * closeness / distance);
  }
  boids_add(&want, courses, rules.align);
  boids_add(&want, mean, rules.cohere / p->sight);
  *ahead = boids_own_frame(boids_heading(a, i), mean).x;
  return want;
}

PFC_FN void boids_keep_off(const Boids* s, const BoidsParams* p, const BoidsArrays* a, int32_t i, float weight,
                           BoidsVector* want) {
  const BoidsVector place = boids_place(a, i);
  const BoidsSurfaces* surfaces[BOIDS_NEAR] = {&a->nearest_surface, &a->second_surface};
  for (int32_t j = 0; j < BOIDS_NEAR; ++j) {
    const float gap = surfaces[j]->gap[i];
    if (gap <= 0.0f || gap >= BOIDS_NO_GAP) continue;
    boids_add(want, boids_surface_offset(surfaces[j], i), -weight * pfc_maxf(1.0f - gap / 6.0f, 0.0f) / gap);
  }
  const BoidsHunter* hunter = boids_nearest_hunter(s, p, place);
  if (!hunter) return;
  const BoidsVector to = boids_offset(s, p, place, hunter->place);
  const float distance = boids_length(to);
  if (distance > 0.0f && distance <= 10.0f) boids_add(want, to, -3.0f / distance);
}

PFC_FN void boids_script(const void* state, const void* params, int32_t agent, int32_t level, PfcRng* rng,
                         int32_t* choices, float* controls) {
  const Boids* s = (const Boids*)state;
  const BoidsParams* p = (const BoidsParams*)params;
  const BoidsArrays a = boids_arrays(s, p);
  const BoidsRules rules = boids_rules[level];
  float ahead;
  (void)rng;
  BoidsVector want = boids_follow(s, p, &a, agent, rules, &ahead);
  boids_keep_off(s, p, &a, agent, rules.obstacles, &want);
  const BoidsVector own = boids_own_frame(boids_heading(&a, agent), want);
  const float turn = boids_unit(pfc_atan2f(own.y, own.x) / BOIDS_TURN);
  const float speed = 0.45f + 0.15f * boids_unit(2.0f * ahead / p->sight);
  const float thrust = boids_unit((speed - a.speed[agent]) / BOIDS_THRUST);
  if (p->continuous) {
    controls[0] = turn;
    controls[1] = thrust;
  } else {
    choices[0] = 2 + (int32_t)pfc_roundf(2.0f * turn);
    choices[1] = 1 + (int32_t)pfc_roundf(thrust);
  }
}

// ---- picture ---------------------------------------------------------------------------------------

enum { BOIDS_DRAW_SHAPES = 2000 };  // more boids than this are short lines

// A colour for a heading: round a circle of hues from the agent's blue.
static PfcColor boids_tint(float x, float y) {
  PfcColor color;
  color.r = (uint8_t)(140.0f + 90.0f * y);
  color.g = (uint8_t)(165.0f + 60.0f * x);
  color.b = (uint8_t)(200.0f - 50.0f * x);
  color.a = 255;
  return color;
}

static void boids_draw_arrow(const PfcDraw* d, BoidsVector at, BoidsVector heading, float length, PfcColor color) {
  const float half = 0.28f * length;
  PfcPoint corners[3];
  corners[0].x = at.x + 0.6f * length * heading.x, corners[0].y = at.y + 0.6f * length * heading.y;
  corners[1].x = at.x - 0.4f * length * heading.x - half * heading.y;
  corners[1].y = at.y - 0.4f * length * heading.y + half * heading.x;
  corners[2].x = at.x - 0.4f * length * heading.x + half * heading.y;
  corners[2].y = at.y - 0.4f * length * heading.y - half * heading.x;
  d->polygon(d->context, corners, 3, color);
}

// The followed boid's links to its neighbours; those across the edge of a torus end at the edge of the picture.
static void boids_draw_links(const Boids* s, const BoidsParams* p, const BoidsArrays* a, const PfcDraw* d) {
  const int32_t i = d->agent;
  if (!a->alive[i]) return;
  const int32_t* neighbours = a->neighbours + (size_t)i * (size_t)p->neighbours;
  const BoidsVector place = boids_place(a, i);
  for (int32_t j = 0; j < a->seen[i]; ++j) {
    const BoidsVector to = boids_offset(s, p, place, boids_place(a, neighbours[j]));
    d->line(d->context, place.x, place.y, place.x + to.x, place.y + to.y, 0.15f, pfc_tint(PFC_INK, 70));
  }
  d->circle(d->context, place.x, place.y, 1.5f, pfc_tint(PFC_INK, 50));
}

// A frame around the board, or along its inner side where the thickness is negative.
static void boids_draw_frame(const PfcDraw* d, float width, float height, float thickness, uint32_t color) {
  const float out = pfc_maxf(thickness, 0.0f), size = pfc_absf(thickness), inner = out - size;
  d->rect(d->context, -out, -out, width + 2.0f * out, size, pfc_rgb(color));
  d->rect(d->context, -out, height + inner, width + 2.0f * out, size, pfc_rgb(color));
  d->rect(d->context, -out, -out, size, height + 2.0f * out, pfc_rgb(color));
  d->rect(d->context, width + inner, -out, size, height + 2.0f * out, pfc_rgb(color));
}

static void boids_draw(const Boids* s, const BoidsParams* p, const PfcDraw* d) {
  const BoidsArrays a = boids_arrays(s, p);
  const float scale = (float)p->width / 108.0f;
  const bool shapes = p->boids <= BOIDS_DRAW_SHAPES;
  pfc_draw_board(d, (float)p->width, (float)p->height);
  for (int32_t i = 0; i < p->obstacles; ++i) {
    const BoidsDisc* disc = &s->discs[i];
    for (int32_t y = -1; y <= 1; ++y)
      for (int32_t x = -1; x <= 1; ++x)
        if ((x == 0 && y == 0) || !p->walls)
          d->circle(d->context, disc->center.x + (float)(x * p->width), disc->center.y + (float)(y * p->height),
                    disc->radius, pfc_rgb(PFC_LINE));
  }
  if (p->walls) boids_draw_frame(d, (float)p->width, (float)p->height, -0.4f * scale, PFC_LINE);
  boids_draw_links(s, p, &a, d);
  for (int32_t i = 0; i < p->boids; ++i) {
    if (!a.alive[i]) continue;
    const BoidsVector at = boids_place(&a, i), heading = boids_heading(&a, i);
    const PfcColor color = i == d->agent ? pfc_rgb(PFC_GOAL) : boids_tint(heading.x, heading.y);
    if (shapes) boids_draw_arrow(d, at, heading, 1.8f, color);
    else d->line(d->context, at.x, at.y, at.x - 2.0f * heading.x, at.y - 2.0f * heading.y, 0.8f, color);
  }
  for (int32_t i = 0; i < p->predators; ++i) {
    const BoidsHunter* hunter = &s->hunters[i];
    boids_draw_arrow(d, hunter->place, hunter->heading, 3.6f, pfc_rgb(hunter->rest > 0 ? PFC_DIM : PFC_RIVAL));
  }
  // What reaches across the edge of the board is cut off there, also in a picture of other proportions.
  boids_draw_frame(d, (float)p->width, (float)p->height, p->sight + 2.0f * BOIDS_MAX_DISC, PFC_PAGE);
  const int32_t aligned = (int32_t)(100.0f * s->polarisation + 0.5f);
  pfc_draw_count(d, 2.0f * scale, 2.0f * scale, 4.0f * scale, true, aligned, "% aligned");
  d->end(d->context);
}

static const PfcKeyBinding boids_keys[] = {
    PFC_BIND_PUSH("left a", "turn left", 0, 0, -1.0f),
    PFC_BIND_PUSH("right d", "turn right", 4, 0, 1.0f),
    PFC_BIND_PUSH("up w", "faster", 2, 1, 1.0f),
    PFC_BIND_PUSH("down s", "slower", 2, 1, -1.0f),
};

PFC_DEFINE_ENV(boids, Boids,
               .title = "Boids",
               .summary = "many birds learn to fly as one flock by what their nearest neighbours do",
               .version = 1,
               .obs_dtype = PFC_FLOAT32,
               .sizes = {.continuous_dims = 2},
               .layout = boids_layout,
               .check = boids_check,
               .script = boids_script,
               .num_levels = sizeof boids_rules / sizeof boids_rules[0],
               .obs_rows = boids_obs,
               .num_obs_rows = sizeof boids_obs / sizeof boids_obs[0],
               .metrics = {"score", "perf", "polarisation", "local_polarisation", "milling", "largest", "nearest",
                           "nearest_spread", "crowded", "alone", "hits", "caught", "align", "cohere", "separate"},
               .fps = 30,
               .keys = boids_keys,
               .num_keys = sizeof boids_keys / sizeof boids_keys[0],
               .idle = 2)
