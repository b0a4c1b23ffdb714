// test_mmo_model.c - long runs of mmo, checked after every tick by slow, obvious code: no gold or goods appear or
// disappear without a record, and all incremental data (planes, bits, caches, listings) equals a fresh computation.
//
//   test_mmo_model [ticks of each run]
#include "check.h"
#include "mmo_game.h"

static int32_t ticks_per_run = 5000;

// ---- conservation --------------------------------------------------------------------------------------

static int32_t count_items(const MmoPlayer* me) {
  const MmoSeen* seen = &me->seen;
  int32_t items = 0;
  for (int32_t i = 0; i < 8; ++i) items += seen->bag[i][0] > 0;
  items += seen->weapon > 0;
  for (int32_t i = 0; i < 3; ++i) items += seen->armour[i] > 0;
  return items + (seen->tool > 0);
}

static void audit_conservation(const Game* g) {
  int64_t items = 0, gold = 0;
  for (int32_t i = 0; i < g->rows; ++i) {
    items += count_items(&g->w.players[i]);
    gold += g->w.players[i].gold;
    CHECK(g->w.players[i].state != MMO_OFF || (count_items(&g->w.players[i]) == 0 && g->w.players[i].gold == 0));
  }
  for (int32_t book = 0; book < MMO_BOOKS; ++book) items += g->w.market->count[book];
  CHECK(items == g->s->items_made - g->s->items_destroyed);
  CHECK(gold == g->s->gold_made - g->s->gold_destroyed);
}

// ---- planes ----------------------------------------------------------------------------------------------

typedef struct Planes {
  uint8_t *base, *ground, *who, *vigour, *crowd;  // base: the ground when the world was made
  uint16_t* unit;
  size_t crowd_bytes;
  uint32_t tick;  // of the latest audit
} Planes;

static Planes planes_open(const Game* g) {
  const size_t cells = (size_t)g->w.cells;
  Planes e = {.crowd_bytes = cells / 8 + 1, .tick = UINT32_MAX};
  e.base = malloc(cells), e.ground = malloc(cells), e.who = malloc(cells), e.vigour = malloc(cells);
  e.unit = malloc(2 * cells), e.crowd = malloc(e.crowd_bytes);
  return e;
}

static void planes_close(Planes* e) {
  free(e->base), free(e->ground), free(e->who), free(e->vigour), free(e->unit), free(e->crowd);
}

static int32_t cell_at(const Game* g, int32_t x, int32_t y) {
  const int32_t margin = g->p->vision > 4 ? g->p->vision : 4;
  return (y + margin) * (g->p->size + 2 * margin) + x + margin;
}

static bool walkable(int32_t code) { return code == 0 || (code >= 4 && code < 27); }

// Smallest n with 8 hp <= n max.
static int32_t eighths(int32_t hp, int32_t max) {
  int32_t n = 0;
  while (n * max < 8 * hp) ++n;
  return n;
}

static void expect_unit(const Game* g, Planes* e, int32_t x, int32_t y, int32_t unit, int32_t who, int32_t vigour) {
  const int32_t cell = cell_at(g, x, y);
  CHECK(x >= 0 && y >= 0 && x < g->p->size && y < g->p->size);
  CHECK(e->unit[cell] == 0 && walkable(g->w.ground[cell]));
  e->unit[cell] = (uint16_t)unit, e->who[cell] = (uint8_t)who, e->vigour[cell] = (uint8_t)vigour;
}

static void expect_units(const Game* g, Planes* e) {
  memset(e->unit, 0, 2 * (size_t)g->w.cells), memset(e->who, 0, (size_t)g->w.cells);
  memset(e->vigour, 0, (size_t)g->w.cells), memset(e->crowd, 0, e->crowd_bytes);
  for (int32_t i = 0; i < g->rows; ++i) {
    const MmoPlayer* me = &g->w.players[i];
    const int32_t max = 50 + 5 * me->seen.combat, tier = (me->seen.combat + 5) / 6;
    if (me->state == MMO_OFF) continue;
    CHECK(me->hp > 0 && me->hp <= max);
    expect_unit(g, e, me->x, me->y, i + 1, (2 * me->hp < max ? 25 : 20) + tier, eighths(me->hp, max));
    const int32_t cell = cell_at(g, me->x, me->y);
    e->crowd[cell / 8] |= (uint8_t)(1 << cell % 8);
  }
  for (int32_t i = 0; i < g->p->creatures; ++i) {
    const MmoCreature* c = &g->w.creatures[i];
    const bool elite = c->temper == MMO_ELITE, hunts = c->temper >= MMO_AGGRESSIVE || (c->temper && c->target);
    const int32_t max = (20 + 8 * c->level) * (elite ? 4 : 1), tier = (c->level + 5) / 6;
    if (c->hp == 0) continue;
    CHECK(c->hp > 0 && c->hp <= max && g->w.ground[cell_at(g, c->x, c->y)] != MMO_FLOOR);
    expect_unit(g, e, c->x, c->y, g->rows + i + 1, elite ? 15 + tier : 5 * (c->style - 1) + tier,
                eighths(c->hp, max) + (hunts ? 8 : 0));
  }
}

// The ring of spent nodes is sorted; the ground is that of the new world without these nodes.
static void expect_ground(const Game* g, Planes* e) {
  memcpy(e->ground, e->base, (size_t)g->w.cells);
  uint32_t due = 0;
  for (uint32_t i = 0; i < g->s->spent_count; ++i) {
    const MmoSpent* spent = &g->w.ring[(g->s->spent_first + i) % (uint32_t)(g->p->size * g->p->size / 8)];
    const uint32_t cell = spent->cell_code / 32, code = spent->cell_code % 32;
    CHECK(spent->due >= due && spent->due >= g->s->tick && spent->due <= g->s->tick + (uint32_t)g->p->regrow_ticks);
    CHECK(e->ground[cell] == code);  // no node is spent twice
    due = spent->due;
    e->ground[cell] = code >= 27 ? 1 : 6;
  }
}

static void audit_planes(const Game* g, Planes* e) {
  const size_t cells = (size_t)g->w.cells;
  if (g->s->tick < e->tick) memcpy(e->base, g->w.ground, cells);  // a new world
  e->tick = g->s->tick;
  expect_units(g, e);
  expect_ground(g, e);
  CHECK(memcmp(e->ground, g->w.ground, cells) == 0);
  CHECK(memcmp(e->who, g->w.who, cells) == 0);
  CHECK(memcmp(e->vigour, g->w.vigour, cells) == 0);
  CHECK(memcmp(e->unit, g->w.unit, 2 * cells) == 0);
  CHECK(memcmp(e->crowd, g->w.crowd, e->crowd_bytes) == 0);
}

// ---- the market --------------------------------------------------------------------------------------------

static void audit_market(const Game* g) {
  for (int32_t book = 0; book < MMO_BOOKS; ++book) {
    const MmoListing* listings = g->w.market->book[book];
    const int32_t count = g->w.market->count[book];
    const int32_t best = g->w.market->best[book % 5][book / 5];
    CHECK(count <= 16 && best == (count ? listings[0].price : UINT16_MAX));
    for (int32_t i = 0; i < count; ++i) {
      CHECK(listings[i].price > 0 && listings[i].seller < g->rows && listings[i].tick <= g->s->tick);
      CHECK(g->s->tick - listings[i].tick <= (uint32_t)g->p->listing_ticks + 45);
      if (i == 0) continue;
      CHECK(listings[i - 1].price <= listings[i].price);
      CHECK(listings[i - 1].price < listings[i].price || listings[i - 1].tick <= listings[i].tick);
    }
  }
}

// ---- observations --------------------------------------------------------------------------------------------

// Price of the cheapest listing of a kind and tier, or of the shop's; 0 = none.
static int32_t cheapest(const Game* g, int32_t kind, int32_t tier) {
  const int32_t book = (kind - 1) * 5 + tier - 1;
  int32_t price = g->p->shop && tier == 1 ? (kind <= 7 ? 16 : 8) : 0;
  for (int32_t i = 0; i < g->w.market->count[book]; ++i) {
    const int32_t listed = g->w.market->book[book][i].price;
    if (price == 0 || listed < price) price = listed;
  }
  return price;
}

static bool may_wear(const MmoPlayer* me, int32_t kind, int32_t tier) {
  const int32_t either = me->seen.combat > me->seen.profession ? me->seen.combat : me->seen.profession;
  const int32_t level = kind <= 3 ? me->seen.level[kind - 1] : kind <= 6 ? me->seen.combat : kind == 7 ? either : 30;
  return 1 + (level - 1) / 6 >= tier;
}

static int32_t offer(const Game* g, const MmoPlayer* me, int32_t kind) {
  for (int32_t tier = 5; tier >= 1; --tier) {
    const int32_t price = cheapest(g, kind, tier);
    if (price && price <= me->gold && may_wear(me, kind, tier)) return tier;
  }
  return 0;
}

// Index of the compass point, by the angle's slope.
static int32_t compass(int32_t dx, int32_t dy) {
  static const int32_t points[3][3] = {{8, 1, 2}, {7, 0, 3}, {6, 5, 4}};  // [sign dy + 1][sign dx + 1]
  const int32_t ax = dx < 0 ? -dx : dx, ay = dy < 0 ? -dy : dy;
  int32_t sx = (dx > 0) - (dx < 0), sy = (dy > 0) - (dy < 0);
  if (2 * ax <= ay) sx = 0;
  else if (2 * ay <= ax) sy = 0;
  return points[sy + 1][sx + 1];
}

static void expect_place(const Game* g, const MmoPlayer* me, uint8_t* out) {
  int32_t best = INT32_MAX, dx = 0, dy = 0;
  for (int32_t i = 0; i < g->w.num_towns; ++i) {
    const int32_t x = g->w.towns[i].x - me->x, y = g->w.towns[i].y - me->y;
    const int32_t ax = x < 0 ? -x : x, ay = y < 0 ? -y : y, distance = ax > ay ? ax : ay;
    if (distance < best) best = distance, dx = x, dy = y;
  }
  const bool in_town = g->w.ground[cell_at(g, me->x, me->y)] == 4;
  out[0] = (uint8_t)(in_town ? 0 : compass(dx, dy));
  out[1] = (uint8_t)(best / 3 > 15 ? 15 : best / 3);
  out[2] = (uint8_t)(in_town ? 0 : best <= 14 ? 1 : best <= 20 ? 2 : best <= 25 ? 3 : best <= 29 ? 4 : 5);
}

static uint8_t twentieths(int32_t part, int32_t whole) {
  int32_t n = 0;
  while (n * whole < 20 * part) ++n;
  return (uint8_t)n;
}

static void expect_head(const Game* g, int32_t agent, uint8_t* out) {
  const MmoPlayer* me = &g->w.players[agent];
  const MmoSeen* seen = &me->seen;
  const int32_t max = 50 + 5 * seen->combat;
  out[0] = twentieths(me->hp, max), out[1] = twentieths(me->food, 100), out[2] = twentieths(me->water, 100);
  for (int32_t i = 0; i < 8; ++i) {
    out[3 + i] = seen->level[i];
    if (seen->level[i] > out[i < 3 ? 11 : 12]) out[i < 3 ? 11 : 12] = seen->level[i];
  }
  for (int32_t gold = me->gold; gold > 0; gold /= 2) ++out[13];
  out[14] = seen->wait, out[15] = seen->fighting, out[16] = seen->style;
  const uint8_t hurt = twentieths(me->damage, max);
  out[17] = hurt > 10 ? 10 : hurt;
  out[18] = seen->hitter, out[19] = seen->weapon, out[20] = seen->weapon_tier;
  for (int32_t i = 0; i < 3; ++i) out[21 + i] = seen->armour[i];
  out[24] = seen->tool;
  for (int32_t i = 0; i < 16; ++i) out[25 + i] = seen->bag[i / 2][i % 2];
  expect_place(g, me, out + 41);
  for (int32_t kind = 1; kind <= 9; ++kind) out[43 + kind] = (uint8_t)offer(g, me, kind);
}

static void audit_observations(const Game* g) {
  const int32_t vision = g->p->vision, side = 2 * vision + 1;
  const uint8_t* planes[] = {g->w.ground, g->w.who, g->w.vigour};
  for (int32_t agent = 0; agent < g->rows; ++agent) {
    const MmoPlayer* me = &g->w.players[agent];
    const uint8_t* obs = game_obs(g, agent);
    uint8_t head[MMO_HEAD] = {0};
    int32_t wrong = 0;
    if (!g->alive[agent]) continue;
    expect_head(g, agent, head);
    for (int32_t i = 0; i < MMO_HEAD; ++i) wrong += head[i] != obs[i];
    CHECK(wrong == 0);
    for (int32_t i = 0; i < 3 * side * side; ++i) {
      const int32_t y = i / side % side - vision, x = i % side - vision;
      wrong += obs[MMO_HEAD + i] != planes[i / side / side][cell_at(g, me->x + x, me->y + y)];
    }
    CHECK(wrong == 0);
  }
}

// ---- runs ------------------------------------------------------------------------------------------------------

// Events that must occur in the runs; otherwise they test nothing.
static int64_t deaths, cuts, worlds, sales, kills, harvests, purchases, worn;

static void note_ends(const Game* g) {
  for (int32_t i = 0; i < g->rows; ++i) {
    const float* metrics = g->metrics + NUM_METRICS * i;
    if (!g->terminated[i] && !g->truncated[i]) continue;
    deaths += g->terminated[i], cuts += g->truncated[i];
    CHECK(!(g->terminated[i] && g->truncated[i]));
    CHECK((metrics[METRIC_HUNGER] + metrics[METRIC_SLAIN] == 1.0f) == (g->terminated[i] == 1));
    sales += (int64_t)metrics[METRIC_SOLD], kills += (int64_t)metrics[METRIC_KILLS];
    harvests += (int64_t)metrics[METRIC_GATHERED], purchases += (int64_t)metrics[METRIC_BOUGHT];
    worn += (int64_t)metrics[METRIC_GEAR];
  }
}

// A third of the players are random, a third follow the script, a third mix the script with deals and attacks.
static void choose(Game* g, PfcRng* rng) {
  game_choose_randomly(g, rng);
  for (int32_t i = 0; i < g->rows; ++i) {
    const bool scripted = i % 3 == 1 || (i % 3 == 2 && pfc_rng_below(rng, 4));
    if (scripted) spec->script(g->s, g->p, i, 0, rng, g->actions + MMO_DIMS * i, NULL);
    else if (i % 3 == 2) g->actions[MMO_DIMS * i] = MMO_ATTACK_MELEE + (int32_t)pfc_rng_below(rng, 6);
  }
}

static void run(MmoParams p, uint64_t seed) {
  CHECK(spec->check(&p) == NULL);
  Game g = game_open(p, seed);
  Planes e = planes_open(&g);
  PfcRng rng;
  pfc_rng_seed(&rng, seed, 1);
  audit_planes(&g, &e);
  for (int32_t tick = 0; tick < ticks_per_run; ++tick) {
    choose(&g, &rng);
    game_step_only(&g);
    audit_conservation(&g);
    if (g.s->renew == 0) audit_planes(&g, &e);
    worlds += g.s->renew;
    game_finish(&g);
    note_ends(&g);
    audit_conservation(&g);
    audit_planes(&g, &e);
    audit_market(&g);
    if (tick % 4 == 0) audit_observations(&g);
  }
  planes_close(&e);
  game_close(&g);
}

static void test_runs(void) {
  MmoParams p = game_small(24, 60);
  run(p, 1);
  p.shop = 0, p.pvp = 1, p.need_ticks = 12, p.creature_ticks = 20, p.regrow_ticks = 7, p.listing_ticks = 30;
  run(p, 2);
  p = game_small(48, 128);
  p.vision = 3, p.node_share = 3.0f, p.max_steps = 300, p.stall_ticks = 150, p.world_ticks = 1000, p.regrow_ticks = 1;
  p.creature_ticks = 1, p.need_ticks = 0;
  run(p, 3);
  p = game_small(5, 0);
  p.vision = 7, p.pvp = 1, p.node_share = 0.0f, p.world_ticks = 97, p.listing_ticks = 1, p.shop = 1;
  run(p, 4);
  CHECK(deaths > 0 && cuts > 0 && worlds > 0 && sales > 0 && kills > 0 && harvests > 0 && purchases > 0 && worn > 0);
}

int main(int argc, char** argv) {
  if (argc > 1) ticks_per_run = atoi(argv[1]);
  test_runs();
  printf(
      "%lld deaths, %lld cuts, %lld worlds, %lld sales, %lld purchases, %lld kills, %lld harvests, %lld tiers worn\n",
      (long long)deaths, (long long)cuts, (long long)worlds, (long long)sales, (long long)purchases, (long long)kills,
      (long long)harvests, (long long)worn);
  return check_report();
}
