// test_boids.c - the rules of Boids: neighbours against brute force, observations under rotation, shift and
// renumbering, each reward term and metric on hand-made worlds, predators, and the limit on work in a crowd.
//
//   test_boids [random worlds]
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../../csrc/envs/boids.c"
#include "check.h"
#include "games/params.h"

static const PfcEnvSpec* const spec = &pfc_env_module;

typedef struct World {
  BoidsParams p;
  PfcLayout layout;
  Boids* s;
  BoidsArrays a;
  int32_t* choices;
  float *controls, *rewards, *obs;  // obs [boids, values]
  uint8_t *terminated, *truncated, *alive;
} World;

static BoidsParams usual(void) {
  BoidsParams p;
  CHECK(pfc_fill_params(spec, NULL, 0, &p) == PFC_OK);
  return p;
}

static World world_open(BoidsParams p, uint64_t seed) {
  World w = {.p = p};
  CHECK(boids_check(&p) == NULL);
  w.layout.continuous_dims = 2;
  boids_layout(&p, &w.layout);
  const size_t n = (size_t)p.boids;
  w.s = aligned_alloc(64, w.layout.state_bytes);
  memset(w.s, 0, w.layout.state_bytes);
  w.a = boids_arrays(w.s, &w.p);
  w.choices = calloc(2 * n, sizeof(int32_t)), w.controls = calloc(2 * n, sizeof(float));
  w.rewards = calloc(n, sizeof(float)), w.obs = calloc(n * (size_t)w.layout.obs_shape[0], sizeof(float));
  w.terminated = calloc(n, 1), w.truncated = calloc(n, 1), w.alive = malloc(n);
  memset(w.alive, 1, n);
  pfc_rng_seed(&w.s->rng, seed, 0);
  boids_reset(w.s, &w.p);
  return w;
}

static void world_close(World* w) {
  free(w->s), free(w->choices), free(w->controls), free(w->rewards), free(w->obs);
  free(w->terminated), free(w->truncated), free(w->alive);
}

static void world_step(World* w) {
  const PfcIo io = {w->choices, w->controls, w->rewards, w->terminated, w->truncated, w->alive};
  memset(w->rewards, 0, sizeof(float) * (size_t)w->p.boids);
  memset(w->terminated, 0, (size_t)w->p.boids);
  boids_step(w->s, &w->p, io);
}

static void world_observe(World* w) {
  for (int32_t i = 0; i < w->p.boids; ++i)
    boids_observe(w->s, &w->p, i, (BoidsObs*)(void*)(w->obs + (size_t)i * (size_t)w->layout.obs_shape[0]));
}

static const float* world_obs(const World* w, int32_t i) { return w->obs + (size_t)i * (size_t)w->layout.obs_shape[0]; }

// Sets a boid's position and heading (an angle); its speed is 0.4 u/step.
static void put(World* w, int32_t i, float x, float y, float angle) {
  w->a.x[i] = x, w->a.y[i] = y;
  pfc_sincosf(angle, &w->a.heading_y[i], &w->a.heading_x[i]);
  w->a.speed[i] = 0.4f;
}

static void look(World* w) { boids_look_around(w->s, &w->p, &w->a, w->rewards); }

static float uniform(PfcRng* rng, float low, float high) { return pfc_rng_uniform(rng, low, high); }

// ---- neighbours against brute force ------------------------------------------------------------------

// Finds the k nearest living boids within sight by sorting all of them.
static int32_t brute_force(const World* w, int32_t boid, int32_t* index, float* square) {
  int32_t found = 0;
  for (int32_t i = 0; i < w->p.boids; ++i) {
    if (i == boid || !w->a.alive[i]) continue;
    const BoidsVector to = boids_offset(w->s, &w->p, boids_place(&w->a, boid), boids_place(&w->a, i));
    const float s = to.x * to.x + to.y * to.y;
    if (s > w->p.sight * w->p.sight) continue;
    int32_t at = found++;
    for (; at > 0 && square[at - 1] > s; --at) square[at] = square[at - 1], index[at] = index[at - 1];
    square[at] = s, index[at] = i;
  }
  return found < w->p.neighbours ? found : w->p.neighbours;
}

static void expect_brute_force(const World* w) {
  int32_t* index = malloc(sizeof *index * (size_t)w->p.boids);
  float* square = malloc(sizeof *square * (size_t)w->p.boids);
  for (int32_t i = 0; i < w->p.boids; ++i) {
    if (!w->a.alive[i]) continue;
    const int32_t found = brute_force(w, i, index, square);
    const int32_t* ours = w->a.neighbours + (size_t)i * (size_t)w->p.neighbours;
    CHECK(w->a.seen[i] == found);
    for (int32_t j = 0; j < found && j < w->a.seen[i]; ++j) CHECK(ours[j] == index[j]);
  }
  free(index), free(square);
}

// Every other world has more boids than are searched without cells.
static BoidsParams random_params(PfcRng* rng) {
  BoidsParams p = usual();
  const bool many = pfc_rng_below(rng, 2) == 0;
  p.boids = many ? BOIDS_FEW + (int32_t)pfc_rng_below(rng, 200) : 1 + (int32_t)pfc_rng_below(rng, BOIDS_FEW);
  p.width = (many ? 60 : 24) + (int32_t)pfc_rng_below(rng, 150);
  p.height = (many ? 60 : 24) + (int32_t)pfc_rng_below(rng, 150);
  p.sight = uniform(rng, 2.0f, pfc_minf(20.0f, 0.4f * (float)pfc_mini(p.width, p.height)));
  p.neighbours = 1 + (int32_t)pfc_rng_below(rng, BOIDS_MAX_NEIGHBOURS);
  p.walls = (int32_t)pfc_rng_below(rng, 2);
  p.obstacles = (int32_t)pfc_rng_below(rng, 8);
  return p;
}

// Half of the worlds are sparse, half have clusters, but no cell has more boids than the limit per cell.
static bool scatter(World* w, PfcRng* rng, bool clustered) {
  const float spread = clustered ? uniform(rng, 4.0f, 12.0f) : 1e4f;
  BoidsVector spots[3];
  for (int32_t i = 0; i < 3; ++i) spots[i] = boids_random_place(w->s, &w->p);
  for (int32_t i = 0; i < w->p.boids; ++i) {
    BoidsVector place = boids_random_place(w->s, &w->p);
    const BoidsVector spot = spots[pfc_rng_below(rng, 3)];
    if (clustered) place.x = spot.x + uniform(rng, -spread, spread), place.y = spot.y + uniform(rng, -spread, spread);
    (void)boids_confine(&w->p, &place);
    put(w, i, place.x, place.y, uniform(rng, -3.0f, 3.0f));
    w->a.alive[i] = pfc_rng_below(rng, 10) > 0;
    w->a.ring[i] = (int32_t)pfc_rng_below(rng, 4);  // a hint that may be wrong
  }
  const BoidsGrid grid = boids_grid(&w->p);
  return !boids_sort(&w->p, &w->a, &grid);
}

static void test_neighbours(int32_t worlds) {
  PfcRng rng;
  pfc_rng_seed(&rng, 5, 0);
  int32_t compared = 0, many = 0;
  for (int32_t i = 0; compared < worlds && i < 4 * worlds; ++i) {
    World w = world_open(random_params(&rng), (uint64_t)i);
    if (scatter(&w, &rng, i % 2 == 1)) {
      look(&w);
      expect_brute_force(&w);
      ++compared;
      many += w.p.boids > BOIDS_FEW;
    }
    world_close(&w);
  }
  CHECK(compared == worlds && many > worlds / 4 && many < worlds);
}

// At equal distances the lower index wins, also across the edges of the torus.
static void test_ties(void) {
  BoidsParams p = usual();
  p.boids = 9, p.neighbours = 4, p.obstacles = 0, p.width = p.height = 40, p.sight = 10;
  World w = world_open(p, 1);
  static const float places[9][2] = {{0, 0}, {3, 0}, {0, 37}, {37, 0}, {0, 3}, {3, 3}, {37, 37}, {20, 20}, {37, 3}};
  for (int32_t i = 0; i < 9; ++i) put(&w, i, places[i][0], places[i][1], 0.0f);
  look(&w);
  for (int32_t j = 0; j < 4; ++j) CHECK(w.a.neighbours[j] == j + 1);
  expect_brute_force(&w);
  world_close(&w);
}

// All boids in one spot: each looks at 16, and every boid is looked at in turn.
static void test_crowd(void) {
  BoidsParams p = usual();
  p.boids = 400, p.width = p.height = 400, p.obstacles = 0, p.noise = 0;
  World w = world_open(p, 1);
  int32_t looked_at[400] = {0};
  BoidsTile tile = {.columns = BOIDS_TILE, .rows = BOIDS_TILE};
  for (int32_t i = 0; i < p.boids; ++i) put(&w, i, 100.5f, 100.5f, 0.0f);
  for (w.s->step = 0; w.s->step < 400; ++w.s->step) {
    look(&w);
    const BoidsGrid grid = boids_grid(&p);
    tile.left = w.a.cell[0] % grid.columns, tile.top = w.a.cell[0] / grid.columns;
    tile.crowded = boids_sort(&p, &w.a, &grid), tile.step = w.s->step;
    boids_gather(&p, &w.a, &grid, &tile, BOIDS_RINGS);
    CHECK(tile.crowded && tile.count == BOIDS_CELL_BOIDS);
    for (int32_t j = 0; j < tile.count; ++j) ++looked_at[tile.index[j]];
    for (int32_t j = 0; j < w.a.seen[0]; ++j) CHECK((w.a.neighbours[j] - w.s->step + 400) % 400 < BOIDS_CELL_BOIDS);
  }
  for (int32_t i = 0; i < p.boids; ++i) CHECK(looked_at[i] == BOIDS_CELL_BOIDS);
  world_close(&w);
}

// ---- observations --------------------------------------------------------------------------------------

// Checks that boid i of one world and boid `other[i]` of the other have the same observation.
static void expect_same_sight(World* w, World* v, const int32_t* other) {
  world_observe(w), world_observe(v);
  for (int32_t i = 0; i < w->p.boids; ++i)
    for (int32_t k = 0; k < w->layout.obs_shape[0]; ++k)
      CHECK(fabsf(world_obs(w, i)[k] - world_obs(v, other[i])[k]) < 1e-4f);
}

// Observations do not change when a square torus is rotated by 90 degrees, shifted and renumbered.
static void test_symmetry(void) {
  PfcRng rng;
  pfc_rng_seed(&rng, 9, 0);
  BoidsParams p = usual();
  p.width = p.height = 90, p.noise = 0, p.predators = 2;
  for (uint64_t trial = 0; trial < 40; ++trial) {
    World w = world_open(p, trial), v = world_open(p, trial + 100);
    int32_t other[64];
    for (int32_t i = 0; i < p.boids; ++i) other[i] = (i * 29 + (int32_t)trial) % p.boids;
    const float sx = uniform(&rng, 0.0f, 90.0f), sy = uniform(&rng, 0.0f, 90.0f);
    for (int32_t i = 0; i < p.boids; ++i) {
      w.a.turn[i] = v.a.turn[other[i]] = uniform(&rng, -1.0f, 1.0f);
      v.a.speed[other[i]] = w.a.speed[i];
      v.a.x[other[i]] = boids_inside(fmodf(sx - w.a.y[i] + 90.0f, 90.0f), 90.0f);
      v.a.y[other[i]] = boids_inside(fmodf(sy + w.a.x[i], 90.0f), 90.0f);
      v.a.heading_x[other[i]] = -w.a.heading_y[i], v.a.heading_y[other[i]] = w.a.heading_x[i];
    }
    for (int32_t i = 0; i < p.obstacles; ++i) {
      v.s->discs[i].radius = w.s->discs[i].radius;
      v.s->discs[i].center.x = boids_inside(fmodf(sx - w.s->discs[i].center.y + 90.0f, 90.0f), 90.0f);
      v.s->discs[i].center.y = boids_inside(fmodf(sy + w.s->discs[i].center.x, 90.0f), 90.0f);
    }
    for (int32_t i = 0; i < p.predators; ++i) {
      v.s->hunters[i] = w.s->hunters[i];
      v.s->hunters[i].place.x = boids_inside(fmodf(sx - w.s->hunters[i].place.y + 90.0f, 90.0f), 90.0f);
      v.s->hunters[i].place.y = boids_inside(fmodf(sy + w.s->hunters[i].place.x, 90.0f), 90.0f);
      v.s->hunters[i].heading.x = -w.s->hunters[i].heading.y, v.s->hunters[i].heading.y = w.s->hunters[i].heading.x;
    }
    look(&w), look(&v);
    expect_same_sight(&w, &v, other);
    world_close(&w), world_close(&v);
  }
}

// Adds a surface whose nearest point is (x, y) from a boid to its two nearest, in double precision.
static void add_surface(double near[2][3], double x, double y, double gap, double sight) {
  if (gap > sight) return;
  const int32_t at = gap < near[0][2] ? 0 : 1;
  if (gap >= near[1][2]) return;
  if (at == 0) memcpy(near[1], near[0], sizeof near[0]);
  near[at][0] = x, near[at][1] = y, near[at][2] = gap;
}

static void slow_surfaces(const World* w, int32_t boid, double near[2][3]) {
  const double width = w->p.width, height = w->p.height, x = (double)w->a.x[boid], y = (double)w->a.y[boid];
  near[0][2] = near[1][2] = 1e9;
  for (int32_t i = 0; i < w->p.obstacles; ++i) {
    const BoidsDisc* disc = &w->s->discs[i];
    double dx = (double)disc->center.x - x, dy = (double)disc->center.y - y;
    if (!w->p.walls) dx = remainder(dx, width), dy = remainder(dy, height);
    const double distance = hypot(dx, dy), gap = fmax(distance - (double)disc->radius, 0.0);
    add_surface(near, dx * gap / distance, dy * gap / distance, gap, (double)w->p.sight);
  }
  if (!w->p.walls) return;
  add_surface(near, -x, 0.0, x, (double)w->p.sight), add_surface(near, width - x, 0.0, width - x, (double)w->p.sight);
  add_surface(near, 0.0, -y, y, (double)w->p.sight), add_surface(near, 0.0, height - y, height - y, (double)w->p.sight);
}

// The two nearest surfaces of each boid, discs across the edges of a torus and walls included.
static void test_surfaces(void) {
  PfcRng rng;
  pfc_rng_seed(&rng, 11, 0);
  int32_t seen = 0;
  for (uint64_t trial = 0; trial < 200; ++trial) {
    World w = world_open(random_params(&rng), trial);
    for (int32_t i = 0; i < w.p.boids; ++i) {
      const BoidsSurfaces* ours[2] = {&w.a.nearest_surface, &w.a.second_surface};
      double near[2][3];
      slow_surfaces(&w, i, near);
      for (int32_t j = 0; j < 2; ++j) {
        const double edge = fabs(near[j][2] - (double)w.p.sight);  // at the edge of sight rounding decides
        const bool none = near[j][2] >= 1e9;
        if (edge > 1e-3) CHECK(none == (ours[j]->gap[i] >= BOIDS_NO_GAP) || none);
        if (none || ours[j]->gap[i] >= BOIDS_NO_GAP) continue;
        ++seen;
        CHECK(fabs((double)ours[j]->gap[i] - near[j][2]) < 1e-3);
        if (near[1][2] - near[0][2] < 1e-3) continue;  // which of two equals comes first
        CHECK(fabs((double)ours[j]->x[i] - near[j][0]) < 1e-3 && fabs((double)ours[j]->y[i] - near[j][1]) < 1e-3);
      }
    }
    world_close(&w);
  }
  CHECK(seen > 5000);
}

// A neighbour ahead on the right, flying to the right, and a disc behind.
static void test_sight(void) {
  BoidsParams p = usual();
  p.boids = 2, p.obstacles = 1, p.noise = 0;
  World w = world_open(p, 1);
  w.s->discs[0].center.x = 50.0f - 8.0f, w.s->discs[0].center.y = 30.0f, w.s->discs[0].radius = 2.0f;
  put(&w, 0, 50.0f, 30.0f, 0.0f);
  put(&w, 1, 53.0f, 34.0f, 0.5f * PFC_PI);
  look(&w), world_observe(&w);
  const float* obs = world_obs(&w, 0);
  const float expected[] = {0.5f, 0, 1.0f / 7.0f, 0, -0.5f, 0, 0.5f, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                            0.25f, 4.0f / 12.0f, 0, 1, -0.4f / 1.2f};
  for (int32_t k = 0; k < 22; ++k) CHECK(fabsf(obs[k] - expected[k]) < 1e-5f);
  for (int32_t k = 22; k < w.layout.obs_shape[0]; ++k) CHECK(obs[k] == 0.0f);
  world_close(&w);
}

// ---- rewards -------------------------------------------------------------------------------------------

typedef struct Term {
  const char* name;
  float distance, angle;  // of the second boid: straight ahead; its heading
  float align, cohere, separate, smooth;
} Term;

static float reward_with(const BoidsParams* weights, const Term* term) {
  World w = world_open(*weights, 1);
  put(&w, 0, 40.0f, 40.0f, 0.0f);
  put(&w, 1, 40.0f + term->distance, 40.0f, term->angle);
  w.a.turn[0] = 0.5f;
  w.a.hit[0] = 0;
  look(&w);
  const float reward = w.rewards[0];
  world_close(&w);
  return reward;
}

static void test_reward_terms(void) {
  static const Term terms[] = {
      {"parallel, apart", 6.0f, 0.0f, 1.0f, -0.5f, 0.0f, -0.25f},
      {"opposite", 6.0f, PFC_PI, -1.0f, -0.5f, 0.0f, -0.25f},
      {"across, near", 1.5f, 0.5f * PFC_PI, 0.0f, -0.125f, -0.25f, -0.25f},
      {"on the edge of sight", 12.0f, 0.0f, 1.0f, -1.0f, 0.0f, -0.25f},
      {"out of sight", 12.5f, 0.0f, 0.0f, -1.0f, 0.0f, -0.25f},
      {"at the edge of the personal space", 3.0f, 0.0f, 1.0f, -0.25f, 0.0f, -0.25f},
  };
  BoidsParams none = usual();
  none.boids = 2, none.obstacles = 0, none.align = none.cohere = none.separate = none.avoid = none.smooth = 0;
  for (size_t i = 0; i < sizeof terms / sizeof *terms; ++i) {
    BoidsParams p[4] = {none, none, none, none};
    p[0].align = 2, p[1].cohere = 2, p[2].separate = 2, p[3].smooth = 2;
    const float expected[] = {terms[i].align, terms[i].cohere, terms[i].separate, terms[i].smooth};
    for (int32_t k = 0; k < 4; ++k)
      if (!CHECK(fabsf(reward_with(&p[k], &terms[i]) - 2.0f * expected[k]) < 1e-5f))
        fprintf(stderr, "  %s, term %d\n", terms[i].name, k);
  }
}

// Penalties for nearness to a disc and for a hit, and the reward for the whole world's polarisation.
static void test_other_rewards(void) {
  BoidsParams p = usual();
  p.boids = 2, p.obstacles = 1, p.noise = 0, p.align = p.cohere = p.separate = p.smooth = 0;
  World w = world_open(p, 1);
  w.s->discs[0].center.x = 50.0f, w.s->discs[0].center.y = 40.0f, w.s->discs[0].radius = 4.0f;
  put(&w, 1, 90.0f, 10.0f, 0.0f);
  put(&w, 0, 44.5f, 40.0f, 0.5f * PFC_PI);  // 1.5 u from the disc
  w.a.hit[0] = 0;
  look(&w);
  CHECK(fabsf(w.rewards[0] + 0.25f) < 1e-5f && w.rewards[1] == 0.0f);
  put(&w, 0, 45.4f, 40.0f, 0.0f);  // flies into it and is moved to 0.5 u
  world_step(&w);
  CHECK(w.a.hit[0] && fabsf(w.a.x[0] - 45.5f) < 1e-4f && fabsf(w.rewards[0] + 1.0f + 25.0f / 36.0f) < 1e-4f);
  world_close(&w);
  p.team = 3, p.avoid = 0;
  w = world_open(p, 1);
  put(&w, 0, 10.0f, 10.0f, 0.0f), put(&w, 1, 60.0f, 60.0f, 0.5f * PFC_PI);
  look(&w);
  for (int32_t i = 0; i < 2; ++i) CHECK(fabsf(w.rewards[i] - 3.0f * sqrtf(0.5f)) < 1e-5f);
  world_close(&w);
}

// A wall stops a boid, counts as a hit and is observed as an obstacle; on a torus the boid flies through.
static void test_walls(void) {
  for (int32_t walls = 0; walls < 2; ++walls) {
    BoidsParams p = usual();
    p.boids = 1, p.obstacles = 0, p.noise = 0, p.walls = walls;
    World w = world_open(p, 1);
    put(&w, 0, 107.9f, 30.0f, 0.0f);
    world_step(&w), world_observe(&w);
    CHECK(walls ? w.a.x[0] == 108.0f && w.a.hit[0] : fabsf(w.a.x[0] - 0.3f) < 1e-4f && !w.a.hit[0]);
    CHECK(world_obs(&w, 0)[3] == (float)walls && world_obs(&w, 0)[7] == (float)walls);
    world_close(&w);
  }
}

// ---- metrics -------------------------------------------------------------------------------------------

static void test_measures(void) {
  BoidsParams p = usual();
  p.boids = 40, p.obstacles = 0, p.width = p.height = 120, p.sight = 12;
  World w = world_open(p, 1);
  for (int32_t i = 0; i < 40; ++i) put(&w, i, (float)(3 * (i % 8)), (float)(3 * (i / 8)) + 110.0f, 1.0f);
  for (int32_t i = 0; i < 40; ++i) w.a.y[i] = boids_inside(w.a.y[i], 120.0f);  // across the edge of the torus
  look(&w);
  CHECK(fabsf(w.s->polarisation - 1.0f) < 1e-5f && boids_milling(w.s, &p, &w.a) < 0.01f);
  CHECK(fabsf(boids_local_polarisation(w.s, &p, &w.a) - 1.0f) < 1e-5f && boids_largest(w.s, &p, &w.a) == 1.0f);
  for (int32_t i = 0; i < 40; ++i) {  // a rotating ring
    const float angle = 2.0f * PFC_PI * (float)i / 40.0f;
    put(&w, i, 5.0f + 20.0f * cosf(angle), 5.0f + 20.0f * sinf(angle), angle + 0.5f * PFC_PI);
    w.a.x[i] = boids_inside(w.a.x[i], 120.0f), w.a.y[i] = boids_inside(w.a.y[i], 120.0f);
  }
  look(&w);
  CHECK(w.s->polarisation < 1e-4f && fabsf(boids_milling(w.s, &p, &w.a) - 1.0f) < 1e-3f);
  for (int32_t i = 0; i < 40; ++i) {
    const float number = (float)i;
    put(&w, i, i < 30 ? 2.0f * number : 90.0f, i < 30 ? 10.0f : 70.0f + number, 0.0f);
  }
  look(&w);
  CHECK(fabsf(boids_largest(w.s, &p, &w.a) - 0.75f) < 1e-6f);
  world_close(&w);
}

// Metrics are means over steps 200, 210, ...; they are zero if the episode ends earlier.
static void test_metrics(void) {
  BoidsParams p = usual();
  p.boids = 12, p.obstacles = 0, p.noise = 0, p.width = p.height = 60;
  World w = world_open(p, 1);
  for (int32_t i = 0; i < 12; ++i) put(&w, i, (float)(4 * (i % 4)), (float)(4 * (i / 4)), 0.3f);
  float values[15];
  for (int32_t step = 1; step <= 235; ++step) {
    world_step(&w);
    boids_metrics(w.s, &p, 0, values);
    CHECK(w.s->sums.steps == (step < 200 ? 0 : (step - 190) / 10));
    CHECK(step >= 200 || (values[0] == 0.0f && values[1] == 0.0f));
  }
  CHECK(fabsf(values[1] - 1.0f) < 1e-4f && fabsf(values[0] - 100.0f) < 0.01f);  // parallel, one flock, none crowded
  CHECK(fabsf(values[6] - 4.0f) < 0.01f && values[7] < 0.01f && values[8] == 0.0f && values[9] == 0.0f);
  world_close(&w);
}

// ---- predators -----------------------------------------------------------------------------------------

static void set_hunter(World* w, float x, float y, float angle, int32_t rest) {
  BoidsHunter* hunter = &w->s->hunters[0];
  hunter->place.x = x, hunter->place.y = y, hunter->prey = -1, hunter->rest = rest;
  pfc_sincosf(angle, &hunter->heading.y, &hunter->heading.x);
}

// A caught boid gets the penalty once, is ignored from then on, and observes zeros.
static void test_catch(void) {
  BoidsParams p = usual();
  p.boids = 3, p.obstacles = 0, p.noise = 0, p.predators = 1, p.width = p.height = 200;
  World w = world_open(p, 1);
  put(&w, 0, 100.0f, 100.0f, 0.0f), put(&w, 1, 103.0f, 100.0f, 0.0f), put(&w, 2, 20.0f, 20.0f, 0.0f);
  set_hunter(&w, 99.5f, 100.0f, 0.0f, 0);
  look(&w);
  CHECK(w.a.seen[1] == 1);
  world_step(&w), world_observe(&w);
  CHECK(!w.alive[0] && w.alive[1] && w.rewards[0] == -5.0f && w.s->hunters[0].rest == BOIDS_REST_STEPS);
  CHECK(w.a.seen[1] == 0 && w.s->living == 2 && w.s->num_caught == 1);
  for (int32_t k = 0; k < w.layout.obs_shape[0]; ++k) CHECK(world_obs(&w, 0)[k] == 0.0f);
  const float x = w.a.x[0];
  for (int32_t step = 0; step < 15; ++step) {
    world_step(&w);
    CHECK(w.rewards[0] == 0.0f && w.a.x[0] == x && w.alive[1] && !w.terminated[0]);
  }
  world_close(&w);
}

// The episode ends for all when the last boid is caught.
static void test_all_caught(void) {
  BoidsParams p = usual();
  p.boids = 1, p.obstacles = 0, p.noise = 0, p.predators = 1;
  World w = world_open(p, 1);
  put(&w, 0, 50.0f, 50.0f, 0.0f);
  set_hunter(&w, 49.0f, 50.0f, 0.0f, 0);
  world_step(&w);
  CHECK(w.terminated[0] && !w.alive[0] && w.rewards[0] == -5.0f);
  world_close(&w);
}

// With more than three others around the prey, the hunter flies straight on in half of the steps.
static void test_confusion(void) {
  for (int32_t others = 3; others <= 4; ++others) {
    BoidsParams p = usual();
    p.boids = 1 + others, p.obstacles = 0, p.noise = 0, p.predators = 1, p.width = p.height = 200;
    int32_t straight = 0;
    for (uint64_t seed = 0; seed < 400; ++seed) {
      World w = world_open(p, seed);
      for (int32_t i = 0; i <= others; ++i) put(&w, i, 100.0f + 0.7f * (float)i, 100.0f, 0.0f);
      set_hunter(&w, 100.0f, 90.0f, 0.0f, 0);  // the prey is to its right
      world_step(&w);
      straight += w.s->hunters[0].heading.y == 0.0f;
      world_close(&w);
    }
    CHECK(others == 3 ? straight == 0 : straight > 150 && straight < 250);
  }
}

// ---- limits -----------------------------------------------------------------------------------------------

// Each parameter at its ends, beside others that leave room for it; observations stay within their table.
static void test_limits(void) {
  for (int32_t i = 0; i < 2 * spec->num_params; ++i) {
    const PfcParam* param = &spec->params[i / 2];
    const double value = i % 2 ? param->max : param->min;
    const float number = (float)value;
    const int32_t integer = (int32_t)value;
    BoidsParams p = usual();
    const void* given = param->type == PFC_PARAM_FLOAT ? (const void*)&number : (const void*)&integer;
    memcpy((unsigned char*)&p + 4 * (i / 2), given, 4);
    if (strcmp(param->name, "sight") == 0) p.width = p.height = 160;
    if (value == 24.0) p.sight = 9.6f;
    if (strcmp(param->name, "caught") == 0) p.predators = 4;
    World w = world_open(p, 5);
    for (int32_t step = 0; step < (p.boids > 1000 ? 2 : 250); ++step) {
      for (int32_t k = 0; k < 2 * p.boids; ++k) w.controls[k] = uniform(&w.s->rng, -1.0f, 1.0f);
      for (int32_t k = 0; k < 2 * p.boids; ++k) w.choices[k] = (int32_t)pfc_rng_below(&w.s->rng, k % 2 ? 3 : 5);
      world_step(&w);
    }
    world_observe(&w);
    bool good = true;
    for (size_t k = 0; k < (size_t)p.boids * (size_t)w.layout.obs_shape[0]; ++k) good = good && fabsf(w.obs[k]) <= 1.0f;
    for (int32_t k = 0; k < p.boids; ++k) good = good && isfinite(w.rewards[k]);
    if (!CHECK(good)) fprintf(stderr, "  %s = %g\n", param->name, value);
    world_close(&w);
  }
}

// A world narrower than 2.5 sights is refused.
static void test_check(void) {
  BoidsParams p = usual();
  p.sight = 28.8f;
  CHECK(boids_check(&p) == NULL);
  p.sight = 28.9f;
  CHECK(boids_check(&p) != NULL && strstr(boids_check(&p), "sight"));
}

// ---- whole games ---------------------------------------------------------------------------------------

// Mean perf of a script over some worlds; level -1 = random turns.
static float play(int32_t level, int32_t continuous, uint64_t first_seed, int32_t worlds) {
  BoidsParams p = usual();
  p.continuous = continuous;
  float total = 0.0f;
  for (int32_t k = 0; k < worlds; ++k) {
    World w = world_open(p, first_seed + (uint64_t)k);
    PfcRng rng;
    pfc_rng_seed(&rng, 3, (uint64_t)k);
    float values[15];
    for (int32_t step = 0; step < 600; ++step) {
      for (int32_t i = 0; i < p.boids; ++i) {
        if (level >= 0) boids_script(w.s, &p, i, level, NULL, w.choices + 2 * i, w.controls + 2 * i);
        else w.controls[2 * i] = uniform(&rng, -1.0f, 1.0f), w.controls[2 * i + 1] = uniform(&rng, -1.0f, 1.0f);
      }
      world_step(&w);
    }
    boids_metrics(w.s, &p, 0, values);
    total += values[1];
    world_close(&w);
  }
  return total / (float)worlds;
}

// The score separates good flocks from bad ones.
static void test_scripts(void) {
  const float chance = play(-1, 1, 1, 4), textbook = play(0, 1, 1, 6);
  const float tuned = play(1, 1, 1, 6), steps = play(1, 0, 1, 6);
  printf("perf: random %.3f, textbook %.3f, tuned %.3f, tuned with choices %.3f\n", (double)chance, (double)textbook,
         (double)tuned, (double)steps);
  CHECK(chance < 0.05f && textbook > 0.2f && tuned > textbook && steps > textbook);
}

int main(int argc, char** argv) {
  test_neighbours(argc > 1 ? atoi(argv[1]) : 1000);
  test_ties();
  test_crowd();
  test_symmetry();
  test_surfaces();
  test_sight();
  test_reward_terms();
  test_other_rewards();
  test_walls();
  test_measures();
  test_metrics();
  test_catch();
  test_all_caught();
  test_confusion();
  test_limits();
  test_check();
  test_scripts();
  return check_report();
}
