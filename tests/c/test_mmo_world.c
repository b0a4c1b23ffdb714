// test_mmo_world.c - generated worlds of mmo: everything is reachable, every town has the resources for a life, every
// tier has its nodes and creatures, and the result does not depend on previous contents of the memory.
//
//   test_mmo_world [seeds]
#include "check.h"
#include "mmo_game.h"

enum { SIDE = 1024, MARGIN = 8, MAX_CELLS = (SIDE + 2 * MARGIN) * (SIDE + 2 * MARGIN) };

static int32_t num_seeds = 300;

static int32_t code_at(const Game* g, int32_t x, int32_t y) { return g->w.ground[mmo_cell(&g->w, x, y)]; }
static bool walkable(int32_t code) { return code == 0 || (code >= 4 && code < 27); }
static bool water(int32_t code) { return code == 1 || code >= 27; }

static int32_t town_distance(const Game* g, int32_t x, int32_t y) {
  int32_t best = INT32_MAX;
  for (int32_t i = 0; i < g->w.num_towns; ++i) {
    const int32_t dx = abs(g->w.towns[i].x - x), dy = abs(g->w.towns[i].y - y);
    if ((dx > dy ? dx : dy) < best) best = dx > dy ? dx : dy;
  }
  return best;
}

static int32_t tier_at(const Game* g, int32_t x, int32_t y) {
  const int32_t distance = town_distance(g, x, y);
  return distance <= 14 ? 1 : distance <= 20 ? 2 : distance <= 25 ? 3 : distance <= 29 ? 4 : 5;
}

// ---- one world -------------------------------------------------------------------------------------------

static uint8_t marks[MAX_CELLS];
static int32_t stack[MAX_CELLS];

// Walkable cells that are reachable from the first town.
static int32_t count_reached(const Game* g) {
  const int32_t stride = g->w.stride, steps[] = {1, -1, stride, -stride};
  int32_t depth = 1, reached = 0;
  memset(marks, 0, (size_t)g->w.cells);
  stack[0] = mmo_cell(&g->w, g->w.towns[0].x, g->w.towns[0].y - 1);
  marks[stack[0]] = 1;
  while (depth > 0) {
    const int32_t cell = stack[--depth];
    ++reached;
    for (int32_t i = 0; i < 4; ++i) {
      const int32_t next = cell + steps[i];
      if (marks[next] || !walkable(g->w.ground[next])) continue;
      marks[next] = 1;
      stack[depth++] = next;
    }
  }
  return reached;
}

typedef struct Census {
  int32_t walkable, water, stone, nodes, bushes;
  int32_t tier_nodes[6], tier_cells[6];  // nodes and walkable cells by danger tier
} Census;

static Census take_census(const Game* g) {
  Census c = {0};
  for (int32_t y = 0; y < g->p->size; ++y) {
    for (int32_t x = 0; x < g->p->size; ++x) {
      const int32_t code = code_at(g, x, y), tier = tier_at(g, x, y);
      CHECK(code != MMO_OUTSIDE && code != MMO_SPENT);
      c.walkable += walkable(code), c.water += water(code), c.stone += code == 2, c.bushes += code == 5;
      c.tier_cells[tier] += walkable(code);
      if (code < 7) continue;
      CHECK((code - 7) % 5 + 1 == tier);
      c.nodes += 1, c.tier_nodes[tier] += 1;
    }
  }
  return c;
}

// A town has a well, a floor, and within 14 cells 6 bushes and 2 nodes of each kind on land.
static void check_town(const Game* g, const MmoTown* town) {
  const int32_t block_x = town->x / 64 * 64 + 32, block_y = town->y / 64 * 64 + 32;
  int32_t bushes = 0, of_kind[5] = {0};
  CHECK(abs(town->x - block_x) <= 8 && abs(town->y - block_y) <= 8);
  for (int32_t dy = -14; dy <= 14; ++dy) {
    for (int32_t dx = -14; dx <= 14; ++dx) {
      const int32_t x = town->x + dx, y = town->y + dy;
      if (x < 0 || y < 0 || x >= g->p->size || y >= g->p->size) continue;
      const int32_t code = code_at(g, x, y);
      if (abs(dx) <= 4 && abs(dy) <= 4) CHECK(dx || dy ? code == 4 : water(code));
      bushes += code == 5;
      if (code >= 7) of_kind[(code - 7) / 5] += (code - 7) % 5 == 0;
    }
  }
  CHECK(bushes >= 6);
  for (int32_t kind = 0; kind < 4; ++kind) CHECK(of_kind[kind] >= 2);
}

static void check_creatures(const Game* g, int32_t* by_tier) {
  for (int32_t i = 0; i < g->p->creatures; ++i) {
    const MmoCreature* c = &g->w.creatures[i];
    const int32_t tier = tier_at(g, c->home_x, c->home_y), code = code_at(g, c->home_x, c->home_y);
    CHECK(walkable(code) && code != 4 && c->x == c->home_x && c->y == c->home_y);
    CHECK(g->w.unit[mmo_cell(&g->w, c->x, c->y)] == g->rows + i + 1);
    CHECK(c->level >= 6 * tier - 5 && c->level <= 6 * tier && c->style >= 1 && c->style <= 3);
    CHECK(c->hp == (20 + 8 * c->level) * (c->temper == MMO_ELITE ? 4 : 1) && c->lowest == c->hp);
    CHECK(tier == 1 ? c->temper <= MMO_NEUTRAL : tier == 2 ? c->temper == MMO_NEUTRAL : c->temper >= MMO_AGGRESSIVE);
    by_tier[tier] += 1;
  }
}

// Shares of the tiers: 40, 24, 16, 12, 8 %, rounded down, the rest in tier 1.
static void check_world(const Game* g) {
  const int32_t size = g->p->size, total = size * size, percent[] = {0, 0, 24, 16, 12, 8};
  const Census c = take_census(g);
  int32_t by_tier[6] = {0};
  CHECK(count_reached(g) == c.walkable);
  CHECK(100 * c.walkable >= 62 * total);
  CHECK(c.water * 100 >= (size == 64 ? 9 : 10) * total && c.water * 100 <= 22 * total);
  CHECK(c.stone * 100 >= 12 * total && c.stone * 100 <= (size == 64 ? 30 : 24) * total);
  CHECK(c.nodes + c.bushes <= total / 8);
  for (int32_t i = 0; i < g->w.num_towns; ++i) check_town(g, &g->w.towns[i]);
  check_creatures(g, by_tier);
  for (int32_t tier = 1; tier <= 5; ++tier) {
    const int32_t creatures = g->p->creatures * percent[tier] / 100;
    CHECK(c.tier_nodes[tier] > 0 && by_tier[tier] > 0 && (tier == 1 || by_tier[tier] == creatures));
  }
}

// ---- many worlds -------------------------------------------------------------------------------------------

static void test_seeds(MmoParams p, int32_t seeds) {
  Game g = game_open(p, 0);
  for (int32_t seed = 0; seed < seeds; ++seed) {
    memset(g.s, 0, g.layout.state_bytes);
    pfc_rng_seed(&g.s->rng, (uint64_t)seed, 0);
    spec->reset_one(g.s, g.p);
    check_world(&g);
  }
  game_close(&g);
}

// The same rng gives the same world from cleared memory and from the memory of a played world.
static void test_renewal(void) {
  MmoParams p = game_small(16, 64);
  Game fresh = game_open(p, 5), used = game_open(p, 6);
  PfcRng rng;
  pfc_rng_seed(&rng, 1, 1);
  for (int32_t tick = 0; tick < 500; ++tick) {
    game_choose_randomly(&used, &rng);
    game_step(&used);
  }
  pfc_rng_seed(&fresh.s->rng, 9, 0), pfc_rng_seed(&used.s->rng, 9, 0);
  for (int32_t i = 0; i < p.players; ++i) fresh.w.players[i].life = used.w.players[i].life;
  fresh.s->renew = used.s->renew = 1;
  for (int32_t i = 0; i < p.players; ++i) spec->respawn(fresh.s, &p, i), spec->respawn(used.s, &p, i);
  CHECK(memcmp(fresh.s, used.s, fresh.layout.state_bytes) == 0);
  game_close(&fresh), game_close(&used);
}

// Crowded towns: every player gets its own cell, and all floors fill up.
static void test_crowd(void) {
  MmoParams p = game_small(64, 0);
  Game g = game_open(p, 3);
  int32_t taken = 0;
  for (int32_t i = 0; i < 64; ++i) {
    const MmoPlayer* me = &g.w.players[i];
    CHECK(code_at(&g, me->x, me->y) == 4 && g.w.unit[mmo_cell(&g.w, me->x, me->y)] == i + 1);
  }
  for (int32_t cell = 0; cell < g.w.cells; ++cell) taken += g.w.unit[cell] != 0;
  CHECK(taken == 64);
  game_close(&g);
}

static void test_parameters(void) {
  MmoParams p = game_params();
  CHECK(spec->check(&p) == NULL);
  p.size = 100;
  CHECK(strstr(spec->check(&p), "multiple of 64"));
  p.size = 64, p.players = 64, p.creatures = 128;
  CHECK(spec->check(&p) == NULL);
  p.players = 65;
  CHECK(strstr(spec->check(&p), "players"));
  p.players = 64, p.creatures = 129;
  CHECK(strstr(spec->check(&p), "creatures"));
  p = game_params();
  p.size = 512, p.players = 1024, p.creatures = 2048;
  CHECK(spec->check(&p) == NULL);
  PfcLayout sizes = {0};
  spec->layout(&p, &sizes);
  CHECK(sizes.agents == 1024 && sizes.obs_shape[0] == 416 && sizes.masked == 0);
  CHECK(sizes.state_bytes <= 1024 * 2048);  // limits of memory: 2.0 and 1.2 KB per agent
  p = game_params();
  p.masked = 1;
  spec->layout(&p, &sizes);
  CHECK(sizes.agents == 128 && sizes.state_bytes <= 128 * 1228 && sizes.masked == 1);
}

int main(int argc, char** argv) {
  if (argc > 1) num_seeds = atoi(argv[1]);
  MmoParams p = game_params();
  test_seeds(p, num_seeds);
  test_seeds(game_small(64, 128), num_seeds / 3);
  p.size = 512, p.players = 1024, p.creatures = 2048;
  test_seeds(p, 1 + num_seeds / 100);
  p.size = 1024, p.players = 8192, p.creatures = 16384, p.vision = 7;
  test_seeds(p, 1);
  test_renewal();
  test_crowd();
  test_parameters();
  return check_report();
}
