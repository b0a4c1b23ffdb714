// test_mmo.c - the rules of mmo in scenes on an open field: combat, needs, gathering, creatures, the market, ends of
// lives. test_mmo_world.c tests generated worlds, test_mmo_model.c long runs, test_mmo_lives.c whole lives.
#include "check.h"
#include "mmo_game.h"

enum { FIELD_X = 32, FIELD_Y = 12 };  // place of the scenes, at least 9 cells from the town of the smallest world

// ---- scenes --------------------------------------------------------------------------------------------

static uint8_t* ground_at(Game* g, int32_t x, int32_t y) { return &g->w.ground[mmo_cell(&g->w, x, y)]; }

// The smallest world: grass, with a town in the middle where the players are. All creatures are dead.
static Game scene_open_with(MmoParams p) {
  Game g = game_open(p, 1);
  for (int32_t i = 0; i < p.creatures; ++i) {
    MmoCreature* c = &g.w.creatures[i];
    mmo_clear_cell(&g.w, mmo_cell(&g.w, c->x, c->y));
    c->hp = 0, c->since = 0;
  }
  g.w.towns[0].x = 32, g.w.towns[0].y = 32;
  for (int32_t y = 0; y < p.size; ++y) {
    for (int32_t x = 0; x < p.size; ++x) {
      const bool town = x >= 28 && x <= 36 && y >= 28 && y <= 36, well = x == 32 && y == 32;
      *ground_at(&g, x, y) = well ? MMO_WATER : town ? MMO_FLOOR : MMO_GRASS;
    }
  }
  for (int32_t i = 0; i < p.players; ++i) {
    mmo_take_off(&g.w, &g.w.players[i]);
    mmo_spawn(&g.w, i);
  }
  return g;
}

static Game scene_open(int32_t players, int32_t creatures) {
  MmoParams p = game_small(players, creatures);
  p.creature_ticks = 10000;
  return scene_open_with(p);
}

static MmoPlayer* scene_move(Game* g, int32_t agent, int32_t x, int32_t y) {
  MmoPlayer* me = &g->w.players[agent];
  const int32_t from = mmo_cell(&g->w, me->x, me->y), to = mmo_cell(&g->w, x, y);
  if (from != to) {
    mmo_shift(&g->w, from, to);
    mmo_flip_crowd(&g->w, from), mmo_flip_crowd(&g->w, to);
  }
  me->x = (int16_t)x, me->y = (int16_t)y;
  mmo_look_round(&g->w, me);
  return me;
}

// A living creature at its home (x, y).
static MmoCreature* scene_creature(Game* g, int32_t index, int32_t x, int32_t y, int32_t level, int32_t style,
                                   int32_t temper) {
  MmoCreature* c = &g->w.creatures[index];
  memset(c, 0, sizeof *c);
  c->home_x = (int16_t)x, c->home_y = (int16_t)y;
  c->level = (uint8_t)level, c->style = (uint8_t)style, c->temper = (uint8_t)temper;
  mmo_appear(&g->w, index, x, y);
  return c;
}

static void scene_level(Game* g, int32_t agent, int32_t skill, int32_t level) {
  MmoPlayer* me = &g->w.players[agent];
  me->seen.level[skill] = (uint8_t)level;
  me->seen.combat = (uint8_t)mmo_best(me->seen.level, 3),
  me->seen.profession = (uint8_t)mmo_best(me->seen.level + 3, 5);
  me->hp = (int16_t)mmo_max_hp(me);
  mmo_show_player(&g->w, me);
}

static void scene_give(Game* g, int32_t agent, int32_t kind, int32_t tier) {
  mmo_make_item(&g->w, &g->w.players[agent], kind, tier);
}

static void scene_gold(Game* g, int32_t agent, int32_t gold) {
  g->s->gold_made += gold - g->w.players[agent].gold;
  mmo_set_gold(&g->w.players[agent], gold);
}

// One act of one player; the others rest.
static void scene_act(Game* g, int32_t agent, int32_t act, int32_t slot, int32_t kind, int32_t price) {
  memset(g->actions, 0, sizeof(int32_t) * MMO_DIMS * (size_t)g->rows);
  game_choose(g, agent, act, slot, kind, price);
  game_step_only(g);
}

static void scene_rest(Game* g, int32_t ticks) {
  for (int32_t i = 0; i < ticks; ++i) scene_act(g, 0, MMO_REST, 0, 0, 0);
}

static int32_t held(const Game* g, int32_t agent, int32_t kind) {
  int32_t count = 0;
  for (int32_t i = 0; i < MMO_BAG; ++i) count += g->w.players[agent].seen.bag[i][0] == kind;
  return count;
}

// ---- combat ----------------------------------------------------------------------------------------------

// Attacks whenever possible. Returns the ticks until one of the two is dead: positive if the creature, negative if the
// player.
static int32_t duel(int32_t style, int32_t level, int32_t creature_style, int32_t* hp) {
  Game g = scene_open(1, 1);
  MmoPlayer* me = scene_move(&g, 0, FIELD_X, FIELD_Y);
  MmoCreature* c = scene_creature(&g, 0, FIELD_X + 1, FIELD_Y, level, creature_style, MMO_NEUTRAL);
  int32_t ticks = 0;
  while (me->state == MMO_ACTIVE && c->hp > 0 && ticks < 1000) {
    scene_act(&g, 0, MMO_ATTACK_MELEE + style - 1, 0, 0, 0);
    ++ticks;
  }
  *hp = me->hp;
  if (c->hp > 0) ticks = -ticks;
  game_close(&g);
  return ticks;
}

static void test_duels(void) {
  for (int32_t style = MMO_MELEE; style <= MMO_MAGIC; ++style) {
    const int32_t beaten = style % 3 + 1, beats = beaten % 3 + 1;
    int32_t hp = 0;
    CHECK(duel(style, 1, style, &hp) == 7 && hp > 25);
    CHECK(duel(style, 1, beaten, &hp) == 5 && hp > 25);
    CHECK(duel(style, 1, beats, &hp) == 11 && hp > 25);
    CHECK(duel(style, 6, style, &hp) < 0 && hp == 0);
    CHECK(duel(style, 6, beaten, &hp) > 0 && hp > 0);
  }
}

// Damage of one hit by a creature of level 20 on a player of level 20.
static int32_t damage_in_armour(int32_t tier) {
  Game g = scene_open(1, 1);
  MmoPlayer* me = scene_move(&g, 0, FIELD_X, FIELD_Y);
  MmoCreature* c = scene_creature(&g, 0, FIELD_X + 1, FIELD_Y, 20, MMO_MELEE, MMO_AGGRESSIVE);
  scene_level(&g, 0, 0, 20);
  memset(me->seen.armour, tier, sizeof me->seen.armour);
  const int32_t before = me->hp;
  scene_rest(&g, 1);
  const int32_t damage = before - me->hp;
  CHECK(c->wait == 3 && me->seen.hitter == MMO_MELEE && me->damage == damage && me->seen.fighting == 5);
  CHECK(me->seen.hurt == (20 * damage + 149) / 150);
  game_close(&g);
  return damage;
}

static void test_armour(void) {
  CHECK(damage_in_armour(0) > 0 && 3 * damage_in_armour(4) < 2 * damage_in_armour(0));
}

// Hits give experience for each hit point of the creature once, even if it heals during the fight.
static void test_xp_only_once(void) {
  Game g = scene_open(1, 1);
  MmoPlayer* me = scene_move(&g, 0, FIELD_X, FIELD_Y);
  MmoCreature* c = scene_creature(&g, 0, FIELD_X + 1, FIELD_Y, 12, MMO_MELEE, MMO_PASSIVE);
  for (int32_t y = FIELD_Y - 1; y <= FIELD_Y + 1; ++y)  // it cannot flee
    for (int32_t x = FIELD_X; x <= FIELD_X + 2; ++x)
      if ((x != FIELD_X || y != FIELD_Y) && (x != FIELD_X + 1 || y != FIELD_Y)) *ground_at(&g, x, y) = MMO_WATER;
  scene_act(&g, 0, MMO_ATTACK_MELEE, 0, 0, 0);
  const int32_t hurt = c->lowest;  // 2 % heal the same tick
  CHECK(hurt < 116 && me->seen.level[0] == 1 && me->xp[0] > 0);
  const int32_t xp = me->xp[0];
  c->hp = 116;
  scene_rest(&g, 1);
  scene_act(&g, 0, MMO_ATTACK_MELEE, 0, 0, 0);
  CHECK(me->xp[0] == xp && me->seen.wait == 1);  // no experience for the same hp again
  c->hp = (int16_t)(hurt + 1);
  scene_rest(&g, 1);
  c->hp = (int16_t)(hurt + 1);
  scene_act(&g, 0, MMO_ATTACK_MELEE, 0, 0, 0);
  CHECK(me->xp[0] > xp || me->seen.level[0] > 1);  // below the lowest hp so far
  game_close(&g);

  MmoParams p = game_small(1, 1);
  p.creature_ticks = 30;
  g = scene_open_with(p);
  me = scene_move(&g, 0, FIELD_X, FIELD_Y);
  c = scene_creature(&g, 0, FIELD_X + 1, FIELD_Y, 12, MMO_MELEE, MMO_NEUTRAL);
  scene_act(&g, 0, MMO_ATTACK_MELEE, 0, 0, 0);
  for (int32_t wait = 29; wait <= 30; ++wait) {  // hit again after 29 ticks, then after 30
    const int32_t before = me->xp[0];
    c->target = 0, c->fresh = 0;
    for (int32_t i = 1; i < wait; ++i) {
      c->hp = 116;
      c->target = 0;
      c->x = FIELD_X + 1;
      scene_rest(&g, 1);
      mmo_clear_cell(&g.w, mmo_cell(&g.w, c->x, c->y));
      c->x = FIELD_X + 1, c->y = FIELD_Y;
      g.w.unit[mmo_cell(&g.w, c->x, c->y)] = 2;
    }
    c->hp = 116;
    scene_act(&g, 0, MMO_ATTACK_MELEE, 0, 0, 0);
    CHECK((me->xp[0] != before || me->seen.level[0] > 1) == (wait == 30));
  }
  game_close(&g);
}

// The nearest target first; a creature before a player; then by |dx| + |dy|, y, x. Not through stone, not in town, and
// not a creature on its way home.
static void test_targets(void) {
  MmoParams p = game_small(3, 4);
  p.pvp = 1;
  Game g = scene_open_with(p);
  const MmoWorld* w = &g.w;
  MmoPlayer *me = scene_move(&g, 0, FIELD_X, FIELD_Y), *other = scene_move(&g, 1, FIELD_X - 1, FIELD_Y);
  me->age = other->age = 51;
  CHECK(mmo_find_target(w, 0, MMO_MELEE) == 2);
  MmoCreature* far = scene_creature(&g, 0, FIELD_X + 2, FIELD_Y, 1, 1, 0);
  CHECK(mmo_find_target(w, 0, MMO_RANGED) == 2 && mmo_find_target(w, 0, MMO_MELEE) == 2);
  MmoCreature* near = scene_creature(&g, 1, FIELD_X + 1, FIELD_Y + 1, 1, 1, 0);
  CHECK(mmo_find_target(w, 0, MMO_MELEE) == 5 && mmo_find_target(w, 0, MMO_MAGIC) == 5);
  scene_creature(&g, 2, FIELD_X, FIELD_Y + 1, 1, 1, 0);
  CHECK(mmo_find_target(w, 0, MMO_MELEE) == 6);
  scene_creature(&g, 3, FIELD_X, FIELD_Y - 1, 1, 1, 0);
  CHECK(mmo_find_target(w, 0, MMO_MELEE) == 7);
  for (int32_t i = 1; i <= 3; ++i) g.w.creatures[i].homing = 5;
  CHECK(mmo_find_target(w, 0, MMO_MELEE) == 2 && mmo_find_target(w, 0, MMO_RANGED) == 2);
  other->age = 50;
  CHECK(mmo_find_target(w, 0, MMO_MELEE) == 0 && mmo_find_target(w, 0, MMO_RANGED) == 4);
  other->age = 51, other->seen.combat = 6;
  CHECK(mmo_find_target(w, 0, MMO_MELEE) == 2);
  other->seen.combat = 7;
  CHECK(mmo_find_target(w, 0, MMO_MELEE) == 0);
  *ground_at(&g, FIELD_X + 1, FIELD_Y) = MMO_STONE;
  CHECK(mmo_find_target(w, 0, MMO_RANGED) == 0);
  *ground_at(&g, FIELD_X + 1, FIELD_Y) = MMO_WATER;
  CHECK(mmo_find_target(w, 0, MMO_RANGED) == 4);
  CHECK(far->homing == 0 && near->homing == 5);
  game_close(&g);
}

// The line of an attack by a slow rule in floating point: rounds |d| k / n half away from 0.
static void test_lines(void) {
  Game g = scene_open(1, 0);
  const int32_t cell = mmo_cell(&g.w, FIELD_X, FIELD_Y);
  for (int32_t dy = -4; dy <= 4; ++dy) {
    for (int32_t dx = -4; dx <= 4; ++dx) {
      const int32_t n = mmo_distance(dx, dy);
      CHECK(mmo_sees(g.w.ground + cell, g.w.stride, dx, dy, n));
      for (int32_t stone_y = -4; stone_y <= 4; ++stone_y) {
        for (int32_t stone_x = -4; stone_x <= 4; ++stone_x) {
          bool blocked = false;
          for (int32_t k = 1; k < n; ++k) {
            const double x = (double)dx * k / n, y = (double)dy * k / n;
            blocked |= (int32_t)(x + (x < 0 ? -0.5 : 0.5)) == stone_x && (int32_t)(y + (y < 0 ? -0.5 : 0.5)) == stone_y;
          }
          *ground_at(&g, FIELD_X + stone_x, FIELD_Y + stone_y) = MMO_STONE;
          CHECK(mmo_sees(g.w.ground + cell, g.w.stride, dx, dy, n) == !blocked);
          *ground_at(&g, FIELD_X + stone_x, FIELD_Y + stone_y) = MMO_GRASS;
        }
      }
    }
  }
  game_close(&g);
}

static void test_pvp(void) {
  MmoParams p = game_small(2, 0);
  p.pvp = 1;
  Game g = scene_open_with(p);
  MmoPlayer *me = scene_move(&g, 0, FIELD_X, FIELD_Y), *other = scene_move(&g, 1, FIELD_X + 1, FIELD_Y);
  scene_gold(&g, 0, 9000), scene_gold(&g, 1, 1500), scene_give(&g, 1, MMO_SWORD, 2);
  me->age = other->age = 51;
  other->hp = 7;
  scene_act(&g, 0, MMO_ATTACK_MELEE, 0, 0, 0);
  CHECK(g.terminated[1] && other->state == MMO_OFF && g.rewards[1] == -1.0f && g.rewards[0] == 0.0f);
  CHECK(me->gold == MMO_MAX_GOLD && me->xp[0] == 0 && me->earned == 1500);
  CHECK(g.s->gold_made - g.s->gold_destroyed == MMO_MAX_GOLD && g.s->items_made == g.s->items_destroyed);
  game_finish(&g);
  CHECK(g.metrics[NUM_METRICS + METRIC_SLAIN] == 1.0f && g.metrics[NUM_METRICS + METRIC_HUNGER] == 0.0f);
  CHECK(g.final_obs[g.values] == 0 && g.final_obs[g.values + 25] == 0);  // hp and bag
  CHECK(other->state == MMO_ACTIVE && other->seen.level[0] == 1 && other->hp == 55 && other->life == me->life + 1);
  game_close(&g);
}

// A tier has 6 levels; hp grows with combat; a level in only one of combat and profession does not raise the score.
static void test_levels(void) {
  Game g = scene_open(1, 1);
  MmoPlayer* me = scene_move(&g, 0, FIELD_X, FIELD_Y);
  const PfcIo io = {g.actions, g.controls, g.rewards, g.terminated, g.truncated, g.alive};
  const MmoWorld w = mmo_world(g.s, g.p, &io);
  me->age = 7;
  mmo_learn(&w, 0, 0, 10 + 20 + 5);
  CHECK(me->seen.level[0] == 3 && me->xp[0] == 5 && me->seen.combat == 3 && me->hp == 65 && g.rewards[0] == 0.2f);
  mmo_learn(&w, 0, 1, 10);
  CHECK(me->seen.level[1] == 2 && me->seen.combat == 3 && me->hp == 65 && g.rewards[0] == 0.2f && me->progress == 0);
  mmo_learn(&w, 0, MMO_FISHING, 10);
  CHECK(me->seen.profession == 2 && g.rewards[0] == 0.2f + (0.5f + 0.1f) && me->progress == 7);
  mmo_learn(&w, 0, 2, 60000);
  CHECK(me->seen.level[2] == 30 && me->xp[2] == 0 && me->seen.combat == 30 && me->hp == 200);
  mmo_learn(&w, 0, 2, 60000);
  CHECK(me->seen.level[2] == 30 && me->xp[2] == 0);
  for (int32_t level = 1; level <= 30; ++level) CHECK(mmo_tier_of(level) == (level + 5) / 6);
  game_close(&g);
}

// A player that is hit and then rises in the same tick observes the damage as a share of its new maximum.
static void test_hurt_after_a_rise(void) {
  MmoParams p = game_small(2, 1);
  p.pvp = 1;
  Game g = scene_open_with(p);
  MmoPlayer *me = scene_move(&g, 0, FIELD_X, FIELD_Y), *other = scene_move(&g, 1, FIELD_X - 1, FIELD_Y);
  scene_creature(&g, 0, FIELD_X + 1, FIELD_Y, 1, MMO_RANGED, MMO_PASSIVE);
  me->age = other->age = 51, me->xp[0] = 9;
  g.s->tick = 2;  // player 1 acts first
  game_choose_act(&g, 1, MMO_ATTACK_MELEE), game_choose_act(&g, 0, MMO_ATTACK_MELEE);
  game_step_only(&g);
  CHECK(me->damage == 7 && me->seen.combat == 2 && me->seen.hurt == 3);  // 7 of 55 are three 20ths, 7 of 60 too
  me->damage = 11, me->seen.hurt = 4;
  const MmoWorld w =
      mmo_world(g.s, g.p, &(PfcIo){g.actions, g.controls, g.rewards, g.terminated, g.truncated, g.alive});
  mmo_learn(&w, 0, 0, 60);
  CHECK(me->seen.combat == 4 && me->seen.hurt == 4);  // 11 of 70
  mmo_learn(&w, 0, 0, 60);
  CHECK(me->seen.combat == 5 && me->seen.hurt == 3);  // 11 of 75
  game_close(&g);
}

// Loot over many kills: gold by level, one of 16 drops, the elite's weapon. Loot that does not fit the bag is lost.
static void test_loot(void) {
  Game g = scene_open(1, 1);
  MmoPlayer* me = &g.w.players[0];
  int32_t count[MMO_KINDS + 1] = {0};
  const MmoCreature plain = {.hp = 0, .level = 13, .style = MMO_RANGED, .temper = MMO_AGGRESSIVE};
  for (int32_t i = 0; i < 16000; ++i) {
    mmo_loot(&g.w, me, &plain);
    count[me->seen.bag[0][0]] += 1;
    CHECK(me->gold == 7 && (me->seen.bag[0][0] == 0 || me->seen.bag[0][1] == 3));
    mmo_strip(&g.w, me);
  }
  const int32_t expected[] = {6000, 0, 1000, 0, 333, 333, 333, 4000, 2000, 2000};
  for (int32_t kind = 0; kind <= MMO_KINDS; ++kind) CHECK(abs(count[kind] - expected[kind]) <= expected[kind] / 8 + 20);
  const MmoCreature elite = {.hp = 0, .level = 30, .style = MMO_MAGIC, .temper = MMO_ELITE};
  for (int32_t i = 0; i < 10; ++i) {
    mmo_loot(&g.w, me, &elite);
    CHECK(me->gold == 64 * (i + 1) && held(&g, 0, MMO_STAFF) == (i < 8 ? i + 1 : 8) && me->seen.bag[0][1] == 5);
  }
  CHECK(g.s->items_made - g.s->items_destroyed == 8);
  game_close(&g);
}

// ---- needs and gathering ---------------------------------------------------------------------------------

static void test_hunger(void) {
  Game g = scene_open(2, 0);
  MmoPlayer* me = scene_move(&g, 0, 31, 32);  // next to the well
  int32_t ticks = 0;
  while (me->state == MMO_ACTIVE && ticks < 1000) {
    scene_rest(&g, 1);
    ++ticks;
    CHECK(ticks >= 200 || me->hp == 55);
  }
  CHECK(abs(ticks - 228) <= 2 && g.terminated[0] && !g.truncated[0] && g.rewards[0] == -1.0f);
  game_finish(&g);
  CHECK(g.metrics[METRIC_HUNGER] == 1.0f && g.metrics[METRIC_SLAIN] == 0.0f && g.metrics[METRIC_LIFE] == (float)ticks);
  game_close(&g);
}

// Both needs at 0 take 4 hp a tick; need_ticks = 0 takes nothing. Rest heals 1 a tick, in combat every 4th.
static void test_rest(void) {
  Game g = scene_open(1, 0);
  MmoPlayer* me = scene_move(&g, 0, FIELD_X, FIELD_Y);
  me->hp = 20;
  scene_rest(&g, 5);
  CHECK(me->hp == 25);
  me->food = me->water = 0;
  scene_rest(&g, 3);
  CHECK(me->hp == 13);
  g.p->need_ticks = 0;
  me->food = 0, me->water = 1;
  scene_rest(&g, 3);
  CHECK(me->hp == 7 && me->water == 1);
  me->food = 1, me->age = 100;
  for (int32_t i = 0; i < 8; ++i) me->seen.fighting = 5, scene_rest(&g, 1);
  CHECK(me->hp == 9);
  game_close(&g);
}

static void test_bush_and_water(void) {
  Game g = scene_open(1, 0);
  g.p->need_ticks = 0, g.p->regrow_ticks = 9;
  MmoPlayer* me = scene_move(&g, 0, FIELD_X, FIELD_Y);
  uint8_t* bush = ground_at(&g, FIELD_X, FIELD_Y);
  *bush = MMO_BUSH;
  me->food = 90, me->water = 89;
  scene_rest(&g, 1);
  CHECK(*bush == MMO_BUSH && me->food == 90 && me->water == 89);  // 90 is enough; no water near
  *ground_at(&g, FIELD_X + 1, FIELD_Y + 1) = MMO_WATER;
  scene_rest(&g, 1);
  CHECK(me->water == 89);  // diagonal
  *ground_at(&g, FIELD_X, FIELD_Y + 1) = MMO_FISH + 4;
  me->food = 40;
  scene_rest(&g, 1);
  CHECK(*bush == MMO_SPENT && me->food == 100 && me->water == 100);
  CHECK(g.rewards[0] == 0.1f * 0.6f + 0.1f * 0.11f);
  for (int32_t i = 1; i < 9; ++i) {
    scene_rest(&g, 1);
    CHECK(*bush == MMO_SPENT);
  }
  scene_rest(&g, 1);
  CHECK(*bush == MMO_BUSH && g.s->spent_count == 0);
  game_close(&g);
}

static void test_nodes(void) {
  static const struct {
    int32_t code, skill, kinds[4];
  } nodes[] = {{MMO_ORE, MMO_MINING, {MMO_SWORD, MMO_HELM, MMO_BODY, MMO_LEGS}},
               {MMO_WOOD, MMO_CARVING, {MMO_BOW, MMO_TOOL}},
               {MMO_CRYSTAL, MMO_ALCHEMY, {MMO_STAFF, MMO_POTION}},
               {MMO_HERB, MMO_HERBALISM, {MMO_POTION}}};
  static const int32_t xp[] = {0, 16, 30, 50, 80, 120};
  Game g = scene_open(1, 0);
  g.p->regrow_ticks = 1;
  MmoPlayer* me = scene_move(&g, 0, FIELD_X, FIELD_Y);
  for (int32_t i = 0; i < 4; ++i) {
    int32_t seen_kinds = 0;
    for (int32_t round = 0; round < 60; ++round) {
      const int32_t tier = round % 5 + 1;
      mmo_strip(&g.w, me);
      me->food = me->water = 100;
      memset(me->seen.level, 1, sizeof me->seen.level), memset(me->xp, 0, sizeof me->xp);
      *ground_at(&g, FIELD_X, FIELD_Y) = (uint8_t)(nodes[i].code + tier - 1);
      if (tier >= 2) {
        me->seen.tool = (uint8_t)(tier - 2);
        scene_rest(&g, 1);
        CHECK(*ground_at(&g, FIELD_X, FIELD_Y) == nodes[i].code + tier - 1 && me->seen.bag[0][0] == 0);
        me->seen.tool = (uint8_t)(tier - 1);
      }
      scene_rest(&g, 1);
      int32_t gained = me->xp[nodes[i].skill], which = 0;
      for (int32_t level = 1; level < me->seen.level[nodes[i].skill]; ++level) gained += 10 * level;
      CHECK(*ground_at(&g, FIELD_X, FIELD_Y) == MMO_SPENT && gained == xp[tier]);
      while (which < 4 && nodes[i].kinds[which] != me->seen.bag[0][0]) ++which;
      CHECK(which < 4 && me->seen.bag[0][0] != 0 && me->seen.bag[0][1] == tier);
      seen_kinds |= 1 << which;
      scene_rest(&g, 1);  // regrown, and gathered at once if the tool is there
      me->seen.tool = 0;
    }
    for (int32_t k = 0; k < 4; ++k) CHECK((seen_kinds >> k & 1) == (nodes[i].kinds[k] != 0));
  }
  for (int32_t i = 0; i < MMO_BAG; ++i) me->seen.bag[i][0] = MMO_POTION, me->seen.bag[i][1] = 1;
  *ground_at(&g, FIELD_X, FIELD_Y) = MMO_ORE;
  scene_rest(&g, 1);
  CHECK(*ground_at(&g, FIELD_X, FIELD_Y) == MMO_ORE);  // no free slot
  game_close(&g);
}

// A move into a fish catches it; the player stays. The cell is water until the fish regrows.
static void test_fish(void) {
  Game g = scene_open(1, 0);
  g.p->regrow_ticks = 3;
  MmoPlayer* me = scene_move(&g, 0, FIELD_X, FIELD_Y);
  uint8_t* fish = ground_at(&g, FIELD_X + 1, FIELD_Y);
  *fish = MMO_FISH;
  me->water = 50;
  scene_act(&g, 0, MMO_RIGHT, 0, 0, 0);
  CHECK(*fish == MMO_WATER && me->x == FIELD_X && me->seen.bag[0][0] == MMO_RATION && me->water >= 99);
  CHECK(me->gathered == 1 && me->seen.level[MMO_FISHING] == 2 && me->xp[MMO_FISHING] == 6);
  scene_act(&g, 0, MMO_RIGHT, 0, 0, 0);
  CHECK(me->x == FIELD_X && me->gathered == 1);
  scene_rest(&g, 2);
  CHECK(*fish == MMO_FISH);
  *fish = MMO_FISH + 1;
  scene_act(&g, 0, MMO_RIGHT, 0, 0, 0);
  CHECK(*fish == MMO_FISH + 1 && me->gathered == 1);  // tier 2 needs a tool
  game_close(&g);
}

static void test_gear(void) {
  Game g = scene_open(1, 0);
  MmoPlayer* me = scene_move(&g, 0, FIELD_X, FIELD_Y);
  scene_level(&g, 0, 0, 12);
  scene_give(&g, 0, MMO_SWORD, 3);
  scene_act(&g, 0, MMO_USE, 0, 0, 0);
  CHECK(me->seen.weapon == 0 && held(&g, 0, MMO_SWORD) == 1);
  scene_level(&g, 0, 0, 13);
  me->seen.fighting = 3;
  scene_act(&g, 0, MMO_USE, 0, 0, 0);
  CHECK(me->seen.weapon == 0);
  me->seen.fighting = 0;
  scene_act(&g, 0, MMO_USE, 0, 0, 0);
  CHECK(me->seen.weapon == MMO_SWORD && me->seen.weapon_tier == 3 && me->seen.bag[0][0] == 0);
  CHECK(mmo_offence(&me->seen, MMO_MELEE) == 6 + 26 + 18 && mmo_offence(&me->seen, MMO_RANGED) == 6 + 2);
  scene_give(&g, 0, MMO_BOW, 1);
  scene_act(&g, 0, MMO_USE, 0, 0, 0);  // another kind of weapon: they swap
  CHECK(me->seen.weapon == MMO_BOW && me->seen.bag[0][0] == MMO_SWORD && me->seen.bag[0][1] == 3);
  scene_give(&g, 0, MMO_LEGS, 2), scene_give(&g, 0, MMO_LEGS, 3), scene_give(&g, 0, MMO_TOOL, 4);
  for (int32_t slot = 1; slot <= 3; ++slot) scene_act(&g, 0, MMO_USE, slot, 0, 0);
  CHECK(me->seen.armour[2] == 3 && me->seen.bag[2][0] == MMO_LEGS && me->seen.bag[2][1] == 2 && me->seen.tool == 0);
  me->hp = 10, me->food = 20, me->water = 95;
  scene_give(&g, 0, MMO_POTION, 2), scene_give(&g, 0, MMO_RATION, 3);
  CHECK(me->seen.bag[1][0] == MMO_POTION && me->seen.bag[4][0] == MMO_RATION);
  me->seen.fighting = 3;
  scene_act(&g, 0, MMO_USE, 1, 0, 0);
  CHECK(me->hp >= 60 && me->hp <= 61);
  scene_act(&g, 0, MMO_USE, 4, 0, 0);
  CHECK(me->food >= 89 && me->food <= 90 && me->water >= 99 && g.s->items_destroyed == 2);
  game_close(&g);
}

// ---- the order of a tick -----------------------------------------------------------------------------------

static void test_order(void) {
  Game g = scene_open(2, 0);
  g.p->need_ticks = 0, g.p->world_ticks = 0;
  int32_t wins[2] = {0};
  for (int32_t tick = 0; tick < 1000; ++tick) {
    scene_move(&g, 0, FIELD_X - 1, FIELD_Y), scene_move(&g, 1, FIELD_X + 1, FIELD_Y);
    game_choose_act(&g, 0, MMO_RIGHT), game_choose_act(&g, 1, MMO_LEFT);
    const int32_t first = ((int32_t)g.s->tick / 2 + (int32_t)g.s->tick) % 2;
    game_step_only(&g);
    CHECK(g.w.unit[mmo_cell(&g.w, FIELD_X, FIELD_Y)] == first + 1);
    wins[g.w.players[1].x == FIELD_X] += 1;
  }
  CHECK(wins[0] == 500 && wins[1] == 500);
  game_close(&g);
  for (uint32_t tick = 0; tick < 40; tick += 2) {  // an odd tick is the reverse of the one before
    MmoOrder even = mmo_order(tick, 7), odd = mmo_order(tick + 1, 7);
    int32_t indices[7];
    for (int32_t i = 0; i < 7; ++i) indices[i] = mmo_next(&even);
    CHECK(indices[0] == (int32_t)(tick / 2 % 7));
    for (int32_t i = 0; i < 7; ++i) CHECK(mmo_next(&odd) == indices[6 - i]);
  }
}

// ---- creatures -------------------------------------------------------------------------------------------------

static void test_sight(void) {
  for (int32_t distance = 4; distance <= 5; ++distance) {
    for (int32_t side = 0; side < 4; ++side) {
      Game g = scene_open(1, 1);
      MmoCreature* c = scene_creature(&g, 0, FIELD_X, FIELD_Y, 13, MMO_RANGED, MMO_AGGRESSIVE);
      scene_move(&g, 0, FIELD_X + mmo_step_x[side + 1] * distance, FIELD_Y + mmo_step_y[side + 1] * distance);
      scene_rest(&g, 1);
      CHECK((c->target == 1) == (distance == 4) && (g.w.players[0].seen.hurt > 0) == (distance == 4));
      game_close(&g);
    }
  }
  Game g = scene_open(3, 2);  // the nearer of two, not the first in scan order
  MmoCreature* c = scene_creature(&g, 0, FIELD_X, FIELD_Y, 13, MMO_MAGIC, MMO_AGGRESSIVE);
  scene_move(&g, 0, FIELD_X - 4, FIELD_Y - 4), scene_move(&g, 1, FIELD_X + 2, FIELD_Y + 1);
  scene_level(&g, 2, 1, 24), scene_move(&g, 2, FIELD_X + 1, FIELD_Y);  // 11 above it: not touched
  MmoCreature* calm = scene_creature(&g, 1, FIELD_X + 3, FIELD_Y + 3, 30, MMO_MAGIC, MMO_NEUTRAL);
  scene_rest(&g, 1);
  CHECK(c->target == 2 && calm->target == 0 && g.w.players[1].seen.hitter == MMO_MAGIC);
  game_close(&g);
}

// A creature drops a target that enters a town or whose life ends, even if the next life starts next to it.
static void test_creatures_drop_targets(void) {
  Game g = scene_open(1, 1);
  MmoPlayer* me = scene_move(&g, 0, 32, 25);
  MmoCreature* c = scene_creature(&g, 0, 32, 24, 13, MMO_MELEE, MMO_AGGRESSIVE);
  scene_level(&g, 0, 0, 20);
  scene_rest(&g, 1);
  CHECK(c->target == 1 && c->homing == 0);
  scene_act(&g, 0, MMO_DOWN, 0, 0, 0), scene_act(&g, 0, MMO_DOWN, 0, 0, 0), scene_act(&g, 0, MMO_DOWN, 0, 0, 0);
  CHECK(me->y == 28 && mmo_in_town(me) && c->target == 0 && c->homing > 0 && c->y < 28);
  for (int32_t i = 0; c->homing > 0; ++i) {
    scene_rest(&g, 1);
    CHECK(i < 32 && *ground_at(&g, c->x, c->y) != MMO_FLOOR);
  }
  CHECK(c->x == 32 && c->y == 24 && c->hp == mmo_creature_max_hp(c));
  game_close(&g);

  g = scene_open(1, 1);
  me = scene_move(&g, 0, FIELD_X, FIELD_Y);
  c = scene_creature(&g, 0, FIELD_X + 1, FIELD_Y, 30, MMO_MELEE, MMO_NEUTRAL);
  int32_t ticks = 0;
  while (!g.terminated[0] && ++ticks < 100) scene_act(&g, 0, MMO_ATTACK_MELEE, 0, 0, 0);
  CHECK(g.terminated[0] && c->target == 1);
  game_finish(&g);
  CHECK(g.metrics[METRIC_LIFE] == (float)ticks && g.metrics[METRIC_SLAIN] == 1.0f);
  scene_move(&g, 0, FIELD_X + 2, FIELD_Y + 1);
  for (int32_t i = 0; i < 40; ++i) {
    scene_rest(&g, 1);
    CHECK(c->target == 0 && me->hp == 55);
  }
  game_close(&g);
}

// A melee creature that is shot across water gives up, goes home and heals there. It cannot be attacked on the way.
static void test_shot_over_water(void) {
  Game g = scene_open(1, 1);
  MmoPlayer* me = scene_move(&g, 0, FIELD_X, FIELD_Y);
  for (int32_t y = 0; y < 64; ++y) *ground_at(&g, FIELD_X + 2, y) = MMO_WATER;
  MmoCreature* c = scene_creature(&g, 0, FIELD_X + 4, FIELD_Y, 12, MMO_MELEE, MMO_NEUTRAL);
  scene_act(&g, 0, MMO_ATTACK_RANGED, 0, 0, 0);
  CHECK(c->target == 1 && c->hp < 116 && c->x == FIELD_X + 3);
  int32_t ticks = 0;
  while (c->homing == 0 && ticks < 40) scene_act(&g, 0, MMO_ATTACK_RANGED, 0, 0, 0), ++ticks;
  CHECK(ticks >= 6 && ticks <= 12 && c->target == 0);
  c->hp = 20;
  for (int32_t i = 1; i <= 4; ++i) {
    scene_act(&g, 0, MMO_ATTACK_RANGED, 0, 0, 0);
    CHECK(c->hp == 20 + 6 * i && c->homing > 0);
  }
  CHECK(me->seen.hitter == 0);
  for (ticks = 4; c->homing > 0 && ticks < 40; ++ticks) scene_rest(&g, 1);
  CHECK(ticks <= 32 && c->hp == 116 && c->x == FIELD_X + 4 && c->y == FIELD_Y);
  game_close(&g);
}

// A creature that cannot walk home is moved there after 32 ticks, or stays if its home is occupied.
static void test_far_from_home(void) {
  for (int32_t occupied = 0; occupied <= 1; ++occupied) {
    Game g = scene_open(1, 1);
    MmoCreature* c = scene_creature(&g, 0, FIELD_X, FIELD_Y, 5, MMO_MELEE, MMO_PASSIVE);
    mmo_put_creature(&g.w, c, FIELD_X + 13, FIELD_Y);
    for (int32_t y = 0; y < 64; ++y) *ground_at(&g, FIELD_X + 8, y) = MMO_STONE;
    if (occupied) scene_move(&g, 0, FIELD_X, FIELD_Y);
    scene_rest(&g, 31);
    CHECK(c->homing == 1 && c->x == FIELD_X + 9);
    scene_rest(&g, 1);
    CHECK(c->homing == 0 && c->x == (occupied ? FIELD_X + 9 : FIELD_X));
    game_close(&g);
  }
}

// A passive creature flees from its attacker for 6 ticks; a neutral one attacks the last of two attackers.
static void test_being_hit(void) {
  Game g = scene_open(2, 1);
  scene_move(&g, 0, FIELD_X, FIELD_Y), scene_move(&g, 1, FIELD_X, FIELD_Y + 2);
  MmoCreature* c = scene_creature(&g, 0, FIELD_X + 1, FIELD_Y, 12, MMO_MAGIC, MMO_PASSIVE);
  scene_act(&g, 0, MMO_ATTACK_MELEE, 0, 0, 0);
  for (int32_t i = 1; i <= 6; ++i) {
    CHECK(c->x == FIELD_X + 1 + i && c->y == FIELD_Y);
    if (i < 6) scene_rest(&g, 1);
  }
  scene_rest(&g, 1);
  CHECK(c->x <= FIELD_X + 7);
  game_close(&g);

  g = scene_open(2, 1);
  scene_move(&g, 0, FIELD_X, FIELD_Y), scene_move(&g, 1, FIELD_X + 2, FIELD_Y);
  c = scene_creature(&g, 0, FIELD_X + 1, FIELD_Y, 12, MMO_MAGIC, MMO_NEUTRAL);
  g.s->tick = 4;  // player 0 is first
  game_choose_act(&g, 0, MMO_ATTACK_MELEE), game_choose_act(&g, 1, MMO_ATTACK_MELEE);
  game_step_only(&g);
  CHECK(c->target == 2);
  for (int32_t i = 0; i < 2; ++i) scene_act(&g, 0, MMO_ATTACK_MELEE, 0, 0, 0);
  CHECK(c->target == 2);  // it keeps the target that it has
  game_close(&g);
}

// A dead creature respawns after creature_ticks, next to its home if that is occupied, or 10 ticks later.
static void test_return(void) {
  for (int32_t crowd = 0; crowd < 3; ++crowd) {
    MmoParams p = game_small(1, 1);
    p.creature_ticks = 20, p.need_ticks = 0;
    Game g = scene_open_with(p);
    MmoPlayer* me = scene_move(&g, 0, FIELD_X, FIELD_Y);
    MmoCreature* c = scene_creature(&g, 0, FIELD_X + 1, FIELD_Y, 1, MMO_MELEE, MMO_NEUTRAL);
    c->hp = 1;
    scene_act(&g, 0, MMO_ATTACK_MELEE, 0, 0, 0);
    CHECK(c->hp == 0 && me->kills == 1 && me->gold == 1 && g.w.unit[mmo_cell(&g.w, FIELD_X + 1, FIELD_Y)] == 0);
    if (crowd >= 1) scene_act(&g, 0, MMO_RIGHT, 0, 0, 0);
    if (crowd == 2)
      for (int32_t i = 0; i < 49; ++i) *ground_at(&g, FIELD_X + 1 + i % 7 - 3, FIELD_Y + i / 7 - 3) = MMO_STONE;
    const int32_t passed = crowd >= 1, due = crowd == 2 ? 30 : 20;
    for (int32_t tick = passed + 1; tick <= due; ++tick) {
      CHECK(c->hp == 0);
      if (tick == 22) *ground_at(&g, FIELD_X + 1 + 3, FIELD_Y + 3) = MMO_HERB;
      scene_rest(&g, 1);
    }
    CHECK(c->hp == 28 && c->lowest == 28);
    if (crowd == 0) CHECK(c->x == FIELD_X + 1 && c->y == FIELD_Y);
    if (crowd == 1) CHECK(c->x == FIELD_X && c->y == FIELD_Y - 1);  // the first in scan order
    if (crowd == 2) CHECK(c->x == FIELD_X + 4 && c->y == FIELD_Y + 3);
    game_close(&g);
  }
}

// ---- the market ------------------------------------------------------------------------------------------------

static void test_shop(void) {
  Game g = scene_open(1, 0);
  MmoPlayer* me = &g.w.players[0];
  static const struct {
    int32_t kind, tier, base;
  } goods[] = {{MMO_SWORD, 1, 8}, {MMO_LEGS, 3, 32}, {MMO_TOOL, 5, 128}, {MMO_POTION, 1, 4}, {MMO_RATION, 5, 64}};
  for (int32_t i = 0; i < 5; ++i) {
    scene_give(&g, 0, goods[i].kind, goods[i].tier);
    scene_gold(&g, 0, 0);
    me->seen.fighting = 2;
    scene_act(&g, 0, MMO_SELL, 0, 0, 0);
    CHECK(me->gold == 0 && held(&g, 0, goods[i].kind) == 1);
    me->seen.fighting = 0;
    scene_act(&g, 0, MMO_SELL, 0, 0, 0);
    CHECK(me->gold == goods[i].base / 4 && held(&g, 0, goods[i].kind) == 0);
    scene_gold(&g, 0, goods[i].base > 64 ? 1000 : 2 * (goods[i].kind <= MMO_TOOL ? 8 : 4) - 1);
    const int32_t before = me->gold;
    for (int32_t cap = 0; cap < 3; ++cap) scene_act(&g, 0, MMO_BUY, 0, goods[i].kind - 1, cap);
    CHECK(me->gold == before);  // only the highest cap reaches the shop
    scene_act(&g, 0, MMO_BUY, 0, goods[i].kind - 1, 3);
    CHECK(me->gold == (before == 1000 ? 1000 - 16 : before));
    mmo_strip(&g.w, me);
  }
  g.p->shop = 0;
  scene_give(&g, 0, MMO_SWORD, 1);
  scene_act(&g, 0, MMO_SELL, 0, 0, 0);
  CHECK(me->gold == 0 && me->sold == 5 && held(&g, 0, MMO_SWORD) == 0 && g.s->items_made == g.s->items_destroyed);
  game_close(&g);
}

// Buys the highest tier, then the lowest price, then the oldest; never own listings, within the cap, wearable only.
// Total gold and goods do not change.
static void test_deals(void) {
  Game g = scene_open(4, 0);
  g.p->shop = 0;
  static const struct {
    int32_t seller, tier, price;  // price: dimension 3
  } listings[] = {{0, 1, 3}, {0, 2, 2}, {1, 2, 2}, {1, 2, 1}, {2, 1, 1}, {2, 3, 1}};
  for (int32_t i = 0; i < 6; ++i) {
    scene_give(&g, listings[i].seller, MMO_BOW, listings[i].tier);
    scene_act(&g, listings[i].seller, MMO_SELL, 0, 0, listings[i].price);
    CHECK(held(&g, listings[i].seller, MMO_BOW) == 0);
  }
  const int64_t items = g.s->items_made - g.s->items_destroyed;
  scene_level(&g, 3, 1, 12);  // bows of tier 2
  scene_gold(&g, 3, 100);
  g.p->reward_trade = 0.25f;
  static const struct {
    int32_t cap, seller, tier, price;
  } deals[] = {{0, 1, 2, 12}, {0, 2, 1, 6}, {1, 0, 2, 16}, {1, 1, 2, 16}, {2, 0, 1, 12}, {3, -1, 0, 0}};
  for (int32_t i = 0; i < 6; ++i) {
    const int32_t gold = g.w.players[3].gold, earned = deals[i].seller < 0 ? 0 : g.w.players[deals[i].seller].gold;
    const int64_t made = g.s->gold_made - g.s->gold_destroyed;
    scene_act(&g, 3, MMO_BUY, 0, MMO_BOW - 1, deals[i].cap);
    CHECK(g.w.players[3].gold == gold - deals[i].price && g.s->gold_made - g.s->gold_destroyed == made);
    CHECK(g.s->items_made - g.s->items_destroyed == items);
    if (deals[i].seller < 0) continue;
    CHECK(g.w.players[deals[i].seller].gold == earned + deals[i].price && g.rewards[deals[i].seller] == 0.25f);
    CHECK(g.w.players[3].seen.bag[i][0] == MMO_BOW && g.w.players[3].seen.bag[i][1] == deals[i].tier);
  }
  scene_level(&g, 2, 1, 30), scene_gold(&g, 2, 100);
  scene_act(&g, 2, MMO_BUY, 0, MMO_BOW - 1, 3);  // its own listing
  CHECK(g.w.players[2].gold == 100 && g.w.market->count[mmo_book(MMO_BOW, 3)] == 1);
  game_close(&g);
}

static void test_full_book(void) {
  Game g = scene_open(3, 0);
  for (int32_t i = 0; i < 17; ++i) {
    scene_give(&g, i / 8, MMO_POTION, 2);
    scene_act(&g, i / 8, MMO_SELL, 0, 0, 1 + i % 3);
  }
  CHECK(g.w.market->count[mmo_book(MMO_POTION, 2)] == 16 && held(&g, 2, MMO_POTION) == 1);
  game_close(&g);
}

// Listings of a dead seller: their gold leaves the world, unsold goods are destroyed, and the next life gets nothing.
static void test_dead_sellers(void) {
  Game g = scene_open(2, 0);
  g.p->listing_ticks = 60, g.p->need_ticks = 0;
  MmoPlayer *seller = &g.w.players[0], *buyer = &g.w.players[1];
  for (int32_t i = 0; i < 3; ++i) scene_give(&g, 0, MMO_RATION, 1), scene_act(&g, 0, MMO_SELL, 0, 0, 1);
  scene_give(&g, 1, MMO_RATION, 1), scene_act(&g, 1, MMO_SELL, 0, 0, 3);
  seller->food = 0, seller->hp = 1;
  scene_rest(&g, 1);
  CHECK(g.terminated[0]);
  game_finish(&g);
  scene_gold(&g, 1, 50), scene_gold(&g, 0, 50);
  scene_act(&g, 1, MMO_BUY, 0, MMO_RATION - 1, 1);
  CHECK(buyer->gold == 47 && seller->gold == 50 && seller->sold == 0 && g.s->gold_made - g.s->gold_destroyed == 97);
  scene_act(&g, 0, MMO_BUY, 0, MMO_RATION - 1, 1);  // a listing of the previous life is not its own
  CHECK(seller->gold == 47 && g.s->gold_made - g.s->gold_destroyed == 94);
  const int64_t destroyed = g.s->items_destroyed;
  scene_rest(&g, 60 - 6);
  CHECK(g.w.market->count[mmo_book(MMO_RATION, 1)] == 2);
  scene_rest(&g, 45 + 6);
  CHECK(g.w.market->count[mmo_book(MMO_RATION, 1)] == 0 && g.s->items_destroyed == destroyed + 1);
  CHECK(held(&g, 1, MMO_RATION) == 2 && held(&g, 0, MMO_RATION) == 1);  // bought, and back from the market
  game_close(&g);
}

// ---- masks -------------------------------------------------------------------------------------------------------

static void check_mask(Game* g, const char* acts, const char* slots, const char* kinds) {
  uint8_t legal[32] = {0};
  char text[40] = {0};
  spec->mask(g->s, g->p, 0, legal);
  for (int32_t i = 0; i < 32; ++i) text[i] = legal[i] ? '1' : '0';
  CHECK(strncmp(text, acts, 11) == 0 && strncmp(text + 11, slots, 8) == 0 && strncmp(text + 19, kinds, 9) == 0);
  CHECK(strncmp(text + 28, "1111", 4) == 0);
}

static void test_masks(void) {
  Game g = scene_open(2, 1);
  MmoPlayer* me = scene_move(&g, 0, 32, 28);  // in town
  check_mask(&g, "11111000001", "11111111", "111111111");
  scene_move(&g, 0, FIELD_X, FIELD_Y);
  *ground_at(&g, FIELD_X, FIELD_Y - 1) = MMO_WATER, *ground_at(&g, FIELD_X - 1, FIELD_Y) = MMO_FISH;
  scene_move(&g, 1, FIELD_X + 1, FIELD_Y);
  check_mask(&g, "10111111001", "11111111", "111111111");
  scene_give(&g, 0, MMO_POTION, 1), scene_give(&g, 0, MMO_SWORD, 1);
  mmo_empty_slot(me, 0);
  scene_gold(&g, 0, 8);
  check_mask(&g, "10111111111", "01000000", "000000011");
  me->seen.fighting = 1, me->seen.wait = 1;
  check_mask(&g, "10111000100", "01000000", "000000011");
  me->seen.fighting = me->seen.wait = 0;
  for (int32_t i = 0; i < MMO_BAG; ++i) scene_give(&g, 0, MMO_POTION, 1);
  check_mask(&g, "10111111110", "11111111", "000000011");
  game_close(&g);
}

int main(void) {
  test_duels();
  test_armour();
  test_xp_only_once();
  test_targets();
  test_lines();
  test_pvp();
  test_levels();
  test_hurt_after_a_rise();
  test_loot();
  test_hunger();
  test_rest();
  test_bush_and_water();
  test_nodes();
  test_fish();
  test_gear();
  test_order();
  test_sight();
  test_creatures_drop_targets();
  test_shot_over_water();
  test_far_from_home();
  test_being_hit();
  test_return();
  test_shop();
  test_deals();
  test_full_book();
  test_dead_sellers();
  test_masks();
  return check_report();
}
