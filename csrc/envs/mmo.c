// mmo.c - a world in which many players forage, learn trades, fight and trade. One agent per player; each agent has its
// own episodes.
//
// obs   uint8[53 + 3 (2 vision + 1)^2]   codes from 0 to 31: values of the player (mmo_obs), then three planes of the
//                                        cells around it: ground, units, health of the units
// act   int32[4]   act, bag slot, kind of good, price: see the enums below
// rew   higher levels, food and water restored, sales to players, death; each has a weight among the parameters
//
// The state is one block: the struct Mmo, then the sections of MmoWorld in order, each aligned to a cache line. The
// world is a square of `size` cells, x right and y down, with a margin that cannot be entered, so that windows and
// attacks near the edge stay in memory. Distances are max(|dx|, |dy|). The rules use integers only.
//
// Three planes of bytes hold what players see of the world. They are updated where something changes, so an observation
// only copies rows of them.
#include "pufferc/env.h"

// ---- constants ---------------------------------------------------------------------------------------

enum { MMO_GRASS, MMO_WATER, MMO_STONE, MMO_OUTSIDE, MMO_FLOOR, MMO_BUSH, MMO_SPENT, MMO_ORE };  // codes of the ground
enum { MMO_WOOD = 12, MMO_CRYSTAL = 17, MMO_HERB = 22, MMO_FISH = 27 };  // tier 1, as MMO_ORE; + 1 to + 4: tiers 2 to 5
enum { MMO_GROUND_CODES = 32, MMO_WHO_CODES = 31, MMO_VIGOUR_CODES = 17 };
enum { MMO_WHO_ELITE = 15, MMO_WHO_PLAYER = 20, MMO_WHO_WEAK = 25 };  // codes of units, + tier

enum { MMO_REST, MMO_UP, MMO_DOWN, MMO_LEFT, MMO_RIGHT, MMO_ATTACK_MELEE, MMO_ATTACK_RANGED, MMO_ATTACK_MAGIC,
       MMO_USE, MMO_SELL, MMO_BUY, MMO_ACTS };
enum { MMO_ACT, MMO_SLOT, MMO_KIND, MMO_PRICE, MMO_DIMS };  // action dimensions
enum { MMO_PRICES = 4 };

enum { MMO_MELEE = 1, MMO_RANGED, MMO_MAGIC };  // styles; 0 = none yet. Skill number: style - 1
enum { MMO_MINING = 3, MMO_CARVING, MMO_ALCHEMY, MMO_HERBALISM, MMO_FISHING, MMO_SKILLS };
enum { MMO_NOTHING, MMO_SWORD, MMO_BOW, MMO_STAFF, MMO_HELM, MMO_BODY, MMO_LEGS, MMO_TOOL, MMO_POTION, MMO_RATION };
enum { MMO_KINDS = 9, MMO_TIERS = 5, MMO_BAG = 8, MMO_BOOKS = MMO_KINDS * MMO_TIERS };
enum { MMO_MAX_LEVEL = 30, MMO_LEVELS_PER_TIER = 6, MMO_LEVEL_XP = 10 };  // from level L to L + 1: 10 L

enum { MMO_FULL = 100, MMO_HUNGRY = 90 };           // food and water; below 90 a player eats and drinks
enum { MMO_HP = 50, MMO_HP_PER_LEVEL = 5 };         // of a player
enum { MMO_STARVE_HP = 2, MMO_REST_HP = 1, MMO_FIGHT_HEAL_TICKS = 4 };
enum { MMO_MAX_HURT = 10 };  // 20ths
enum { MMO_ATTACK_TICKS = 2, MMO_FIGHT_TICKS = 5 };  // between attacks; in combat after a hit
enum { MMO_PVP_AGE_TICKS = 50, MMO_PVP_LEVELS = 5 };
enum { MMO_MAX_GOLD = 9999, MMO_NO_PRICE = UINT16_MAX };

enum { MMO_PASSIVE, MMO_NEUTRAL, MMO_AGGRESSIVE, MMO_ELITE };  // tempers; elites are aggressive
enum { MMO_ELITE_FACTOR = 4, MMO_ELITE_ONE_IN = 16 };
enum { MMO_CREATURE_HP = 20, MMO_CREATURE_HP_PER_LEVEL = 8, MMO_CREATURE_HIT_TICKS = 3, MMO_FLEE_TICKS = 6 };
enum { MMO_SIGHT = 4, MMO_BRAVE_LEVELS = 10 };      // cells; it ignores players more than 10 levels above it
enum { MMO_CHASE = 8, MMO_LEASH = 12, MMO_WANDER = 4 };  // max cells to the target, to home, to home when idle
enum { MMO_STUCK = 6, MMO_HOMING_TICKS = 32 };
enum { MMO_HOMING_PERCENT = 5, MMO_IDLE_PERCENT = 2 };
enum { MMO_RETRY_TICKS = 10, MMO_RETURN_REACH = 3 };  // of a creature whose home is occupied
enum { MMO_LONG_AGO = 20000 };                      // limit of the counter of ticks since the last hit

enum { MMO_REACH = 4 };                             // cells; max of mmo_reach and MMO_SIGHT
PFC_TABLE int8_t mmo_reach[] = {0, 1, MMO_REACH, 3};  // by style
PFC_TABLE int8_t mmo_step_x[] = {0, 0, 0, -1, 1};   // by act, for the four moves
PFC_TABLE int8_t mmo_step_y[] = {0, -1, 1, 0, 0};

enum { MMO_BLOCK = 64, MMO_TOWN_SPREAD = 8, MMO_TOWN_RADIUS = 4, MMO_TOWN_SIDE = 2 * MMO_TOWN_RADIUS + 1 };
enum { MMO_TOWN_PLAYERS = 64 };                     // max per town, which has 80 cells of floor
enum { MMO_TOWN_TRIES = 32, MMO_HOME_TRIES = 64 };
enum { MMO_SUPPLY_REACH = 14, MMO_SUPPLY_BUSHES = 6, MMO_SUPPLY_NODES = 2 };  // of a town; 2 nodes of each of 4 kinds
enum { MMO_SUPPLY = MMO_SUPPLY_BUSHES + 4 * MMO_SUPPLY_NODES };
enum { MMO_CELLS_PER_NODE = 8, MMO_CELLS_PER_CREATURE = 32 };  // min
// With less than 62 % walkable cells, unreachable pockets would raise the share of stone by more than 6 points.
enum { MMO_WATER_PERCENT = 16, MMO_STONE_PERCENT = 18, MMO_WALKABLE_PERCENT = 62 };
enum { MMO_FEWER_PERCENT = 4, MMO_GENERATIONS = 6 };  // less water and stone in each attempt; the last one is all grass
enum { MMO_HEIGHTS = 7 * 255 + 1 };
enum { MMO_MARKET_DEPTH = 16, MMO_MARKET_LANES = 16 };

PFC_TABLE int16_t mmo_node_xp[] = {0, 16, 30, 50, 80, 120};  // by tier

#define MMO_PARAMS(X)                                                                                      \
  X(int, max_steps, 2048, 0, PFC_MAX_STEPS, "steps until a life is truncated; 0 = never")                  \
  X(int, size, 128, 64, 1024, "cells across and down; a multiple of 64")                                   \
  X(int, players, 128, 1, 8192, "players in one world; each is an agent; at most 64 per 64 x 64 cells")    \
  X(int, creatures, 256, 0, 16384, "creatures in one world; at most one per 32 cells")                     \
  X(int, vision, 5, 3, 7, "cells seen in each direction")                                                  \
  X(float, node_share, 1.0f, 0, 3, "factor on the density of bushes, ores, ...")                           \
  X(int, regrow_ticks, 100, 1, 10000, "ticks until a spent node is back")                                  \
  X(int, creature_ticks, 100, 1, 10000, "ticks until a dead creature is back")                             \
  X(int, need_ticks, 2, 0, 1000, "ticks in which food and water fall by 1; 0 = never")                     \
  X(int, listing_ticks, 500, 1, 100000, "age at which a listing is taken off the market")                  \
  X(int, stall_ticks, 0, 0, PFC_MAX_STEPS, "truncate a life that was so long without a better score; 0 = never") \
  X(int, world_ticks, 8192, 0, PFC_MAX_STEPS, "age at which the world is replaced by a new one; 0 = never") \
  X(bool, shop, 1, 0, 1, "the shop buys and sells")                                                        \
  X(bool, pvp, 0, 0, 1, "players may fight players")                                                       \
  X(bool, masked, 0, 0, 1, "1: action masks, illegal choices are refused; 0: an impossible act is a rest") \
  X(bool, autopilot, 0, 0, 1, "the built-in player plays everybody; actions are ignored")                  \
  X(float, reward_score, 0.5f, -10, 10, "per level of min(combat, profession)")                            \
  X(float, reward_combat, 0.1f, -10, 10, "per level of combat")                                            \
  X(float, reward_profession, 0.1f, -10, 10, "per level of profession")                                    \
  X(float, reward_needs, 0.1f, -10, 10, "times the share of food or water restored")                       \
  X(float, reward_trade, 0.0f, -10, 10, "per sale to a player; above 0 two players can cycle one item")    \
  X(float, reward_death, -1.0f, -10, 10, "at death")
PFC_DEFINE_PARAMS(mmo, MmoParams, MMO_PARAMS)

// ---- state -------------------------------------------------------------------------------------------

typedef struct Mmo {
  PfcRng rng;
  uint32_t tick;                      // age of the world
  uint32_t spent_first, spent_count;  // the used part of the ring of spent nodes
  uint32_t renew;                     // 1: the next respawn makes a new world
  // Of this world. What players carry and list equals what was made minus what was destroyed.
  int64_t items_made, items_destroyed, gold_made, gold_destroyed;
} Mmo;

enum { MMO_OFF, MMO_ACTIVE, MMO_STOPPED };  // not on the board; acts; on the board, waits for a reset
enum { MMO_ALIVE, MMO_HUNGER, MMO_SLAIN };  // how a life ended

// Values 3 to 43 of a player's observation, in their order.
typedef struct MmoSeen {
  uint8_t level[MMO_SKILLS];
  uint8_t combat, profession;  // best of the first three, of the other five
  uint8_t purse;               // 0, or 1 + log2 of the gold
  uint8_t wait, fighting;      // ticks until the next attack; of combat left
  uint8_t style;               // of the last attack; 0 none yet
  uint8_t hurt, hitter;        // damage of the last tick in 20ths of the hp; style of the last hitter
  uint8_t weapon, weapon_tier;
  uint8_t armour[3], tool;     // tiers of helm, body, legs; of the tool
  uint8_t bag[MMO_BAG][2];     // kind, tier
  uint8_t town_direction, town_distance, danger;
} MmoSeen;

typedef struct MmoPlayer {
  MmoSeen seen;
  uint8_t state;
  uint8_t food, water;
  uint8_t last_move;  // its act; the only memory of the built-in player
  uint8_t tier;       // highest danger tier entered
  int16_t hp, damage;  // damage: of this tick
  int16_t gold;
  int16_t x, y;
  int32_t age;    // ticks of this life
  uint32_t life;  // number of this life. Listings and targets refer to a life, not to a player
  // The members below are rarely used.
  uint16_t xp[MMO_SKILLS];
  int16_t aim_x, aim_y;  // cell of the last attack's target, for pictures
  int32_t progress;      // age when the score last rose
  int32_t kills, gathered, earned, sold, bought;
  uint8_t gear;  // sum of worn tiers at death
  uint8_t ended;
  uint8_t trade_kind, trade_tier;  // of the last deal, for pictures
  int16_t trade_gold;              // above 0 received, below 0 paid
  uint8_t plan[MMO_DIMS];          // choices of the autopilot for this tick
  uint8_t unused_[10];             // two cache lines; 96 bytes would make every third player touch one more
} MmoPlayer;

typedef struct MmoCreature {
  int16_t x, y, home_x, home_y;
  int16_t hp;          // 0 = dead
  int16_t lowest;      // in this life; only damage below it gives xp
  uint16_t target;     // player + 1, 0 = none. Passive creatures flee from it
  uint16_t since;      // ticks since the last hit or death, at most MMO_LONG_AGO
  uint8_t target_life;  // low byte of the target's life number
  uint8_t level, style, temper;
  uint8_t wait;    // ticks until it may hit; dead: until it looks for a free cell again
  uint8_t stuck;   // blocked steps in a row
  uint8_t homing;  // ticks left to walk home; 0 = it does not
  uint8_t fresh;   // 1 = it took its target after its last act
} MmoCreature;

typedef struct MmoListing {
  uint16_t price, seller;
  uint32_t life, tick;  // the seller's life number; when it was listed
} MmoListing;

typedef struct MmoMarket {
  MmoListing book[MMO_BOOKS][MMO_MARKET_DEPTH];     // each by price, then age
  uint16_t best[MMO_TIERS][MMO_MARKET_LANES];       // [tier - 1][kind - 1] lowest price in the book
  uint8_t count[MMO_BOOKS];
} MmoMarket;

typedef struct MmoTown {
  int16_t x, y;  // its well
} MmoTown;

typedef struct MmoSpent {
  uint32_t cell_code;  // cell * 32 + code of the ground
  uint32_t due;
} MmoSpent;

#ifndef __cplusplus
_Static_assert(sizeof(MmoSeen) == 41, "the rows 3 to 43 of the observation table");
_Static_assert(sizeof(MmoPlayer) == 128, "two cache lines");
_Static_assert(sizeof(MmoCreature) == 24 && sizeof(MmoListing) == 12 && sizeof(MmoSpent) == 8, "no padding");
_Static_assert(sizeof(((MmoMarket*)0)->book) >= MMO_HEIGHTS * sizeof(int32_t), "generation counts heights there");
#endif

enum { MMO_HEAD = 53, MMO_SEEN = 3 };  // values before the planes; before MmoSeen

typedef struct MmoObs {
  uint8_t code[MMO_HEAD];  // then three planes of (2 vision + 1)^2
} MmoObs;

// Pointers to the sections of a state, computed when needed. Functions that get a const state only read.
typedef struct MmoWorld {
  Mmo* s;
  const MmoParams* p;
  MmoPlayer* players;
  MmoCreature* creatures;
  MmoMarket* market;
  MmoTown* towns;
  MmoSpent* ring;
  uint16_t* unit;  // player + 1, or players + creature + 1; 0 = no unit
  uint8_t *ground, *who, *vigour;
  uint8_t* crowd;  // one bit per cell: a player is there
  int32_t num_towns, ring_size, margin, stride, cells;  // cells: with the margin
  const PfcIo* io;  // during a step
} MmoWorld;

enum { MMO_ALIGNMENT = 64, MMO_LANE = 16 };  // a lane: bytes that are copied at once; planes end with a spare one

PFC_FN int32_t mmo_margin(const MmoParams* p) { return pfc_maxi(p->vision, MMO_REACH); }
PFC_FN int32_t mmo_blocks(const MmoParams* p) { return p->size / MMO_BLOCK; }

// Bytes that a section of `count` elements takes.
PFC_FN uint64_t mmo_section(int32_t count, size_t bytes_each) {
  const uint64_t bytes = (uint64_t)count * bytes_each;
  return (bytes + MMO_ALIGNMENT - 1) / MMO_ALIGNMENT * MMO_ALIGNMENT;
}

typedef struct MmoOffsets {
  uint64_t players, creatures, market, towns, ring, unit, ground, who, vigour, crowd, end;
} MmoOffsets;

PFC_FN int32_t mmo_cells(const MmoParams* p) {
  const int32_t stride = p->size + 2 * mmo_margin(p);
  return stride * stride;
}

PFC_FN MmoOffsets mmo_offsets(const MmoParams* p) {
  const int32_t cells = mmo_cells(p), plane = cells + MMO_LANE;
  MmoOffsets at;
  at.players = mmo_section(1, sizeof(Mmo));
  at.creatures = at.players + mmo_section(p->players, sizeof(MmoPlayer));
  at.market = at.creatures + mmo_section(p->creatures, sizeof(MmoCreature));
  at.towns = at.market + mmo_section(1, sizeof(MmoMarket));
  at.ring = at.towns + mmo_section(mmo_blocks(p) * mmo_blocks(p), sizeof(MmoTown));
  at.unit = at.ring + mmo_section(p->size * p->size / MMO_CELLS_PER_NODE, sizeof(MmoSpent));
  at.ground = at.unit + mmo_section(cells, sizeof(uint16_t));
  at.who = at.ground + mmo_section(plane, 1);
  at.vigour = at.who + mmo_section(plane, 1);
  at.crowd = at.vigour + mmo_section(plane, 1);
  at.end = at.crowd + mmo_section(cells / 8 + (int32_t)sizeof(uint32_t) + 1, 1);
  return at;
}

PFC_FN MmoWorld mmo_world(const Mmo* s, const MmoParams* p, const PfcIo* io) {
  unsigned char* base = (unsigned char*)(uintptr_t)s;
  const MmoOffsets at = mmo_offsets(p);
  MmoWorld w;
  w.s = (Mmo*)(void*)base;
  w.p = p;
  w.players = (MmoPlayer*)(void*)(base + at.players);
  w.creatures = (MmoCreature*)(void*)(base + at.creatures);
  w.market = (MmoMarket*)(void*)(base + at.market);
  w.towns = (MmoTown*)(void*)(base + at.towns);
  w.ring = (MmoSpent*)(void*)(base + at.ring);
  w.unit = (uint16_t*)(void*)(base + at.unit);
  w.ground = base + at.ground;
  w.who = base + at.who;
  w.vigour = base + at.vigour;
  w.crowd = base + at.crowd;
  w.num_towns = mmo_blocks(p) * mmo_blocks(p);
  w.ring_size = p->size * p->size / MMO_CELLS_PER_NODE;
  w.margin = mmo_margin(p);
  w.stride = p->size + 2 * w.margin;
  w.cells = w.stride * w.stride;
  w.io = io;
  return w;
}

// ---- places ------------------------------------------------------------------------------------------

PFC_FN int32_t mmo_abs(int32_t a) { return a < 0 ? -a : a; }
PFC_FN int32_t mmo_distance(int32_t dx, int32_t dy) { return pfc_maxi(mmo_abs(dx), mmo_abs(dy)); }
PFC_FN int32_t mmo_percent(int32_t max, int32_t percent) { return (max * percent + 99) / 100; }  // rounded up
PFC_FN int32_t mmo_tier_of(int32_t level) { return 1 + (level - 1) / MMO_LEVELS_PER_TIER; }

PFC_FN int32_t mmo_cell(const MmoWorld* w, int32_t x, int32_t y) {
  return (y + w->margin) * w->stride + x + w->margin;
}

PFC_FN bool mmo_inside(const MmoWorld* w, int32_t x, int32_t y) {
  return x >= 0 && x < w->p->size && y >= 0 && y < w->p->size;
}

PFC_FN bool mmo_is_water(int32_t code) { return code == MMO_WATER || code >= MMO_FISH; }

PFC_FN bool mmo_is_walkable(int32_t code) {
  const uint32_t walkable = 1u << MMO_GRASS | (0xffffffffu << MMO_FLOOR & ~(0xffffffffu << MMO_FISH));
  return (walkable >> code & 1u) != 0;
}

PFC_FN int32_t mmo_neighbour(const MmoWorld* w, int32_t cell, int32_t move) {
  return cell + mmo_step_x[move] + mmo_step_y[move] * w->stride;
}

PFC_FN bool mmo_beside_water(const MmoWorld* w, int32_t cell) {
  const uint8_t* ground = w->ground + cell;
  return mmo_is_water(ground[-1]) || mmo_is_water(ground[1]) || mmo_is_water(ground[-w->stride]) ||
         mmo_is_water(ground[w->stride]);
}

typedef struct MmoNearest {
  int32_t dx, dy, distance;  // to the centre of the town
} MmoNearest;

// The nearest town, the first of several. A town lies 24 to 40 cells from its block's left and upper edge. So it is at
// most 40 away from any cell of its block, and the towns beyond the farther edges of a cell are at least 56 away: of
// each axis only the block itself and the neighbour on the cell's side of it count.
PFC_FN MmoNearest mmo_nearest_town(const MmoWorld* w, int32_t x, int32_t y) {
  const int32_t blocks = mmo_blocks(w->p);
  const int32_t left = pfc_maxi((x - MMO_BLOCK / 2) >> 6, 0), right = pfc_mini((x + MMO_BLOCK / 2) >> 6, blocks - 1);
  const int32_t top = pfc_maxi((y - MMO_BLOCK / 2) >> 6, 0), bottom = pfc_mini((y + MMO_BLOCK / 2) >> 6, blocks - 1);
  MmoNearest best = {0, 0, INT32_MAX};
  for (int32_t row = top; row <= bottom; ++row) {
    for (int32_t column = left; column <= right; ++column) {
      const MmoTown* town = &w->towns[row * blocks + column];
      const int32_t dx = town->x - x, dy = town->y - y, distance = mmo_distance(dx, dy);
      if (distance >= best.distance) continue;
      best.dx = dx, best.dy = dy, best.distance = distance;
    }
  }
  return best;
}

PFC_FN int32_t mmo_danger(int32_t town_distance) {
  return 1 + (town_distance > 14) + (town_distance > 20) + (town_distance > 25) + (town_distance > 29);
}

// 1 up, then clockwise to 8. Diagonal if the smaller difference is more than half the larger.
PFC_FN int32_t mmo_direction(int32_t dx, int32_t dy) {
  const int32_t ax = mmo_abs(dx), ay = mmo_abs(dy);
  const bool diagonal = 2 * pfc_mini(ax, ay) > pfc_maxi(ax, ay);
  if (!diagonal) return ay >= ax ? (dy < 0 ? 1 : 5) : (dx > 0 ? 3 : 7);
  return dx > 0 ? (dy < 0 ? 2 : 4) : (dy < 0 ? 8 : 6);
}

// Whether there is no stone between two cells that are `distance` = n apart. from: the ground of the first one, in rows
// of `stride` cells. Cell k between them is (dx k / n, dy k / n), rounded half away from 0.
PFC_FN bool mmo_sees(const uint8_t* from, int32_t stride, int32_t dx, int32_t dy, int32_t distance) {
  for (int32_t k = 1; k < distance; ++k) {
    const int32_t x = (2 * mmo_abs(dx) * k + distance) / (2 * distance);
    const int32_t y = (2 * mmo_abs(dy) * k + distance) / (2 * distance);
    if (from[(dx < 0 ? -x : x) + (dy < 0 ? -y : y) * stride] == MMO_STONE) return false;
  }
  return true;
}

// ---- units on the board ------------------------------------------------------------------------------

PFC_FN int32_t mmo_max_hp(const MmoPlayer* me) { return MMO_HP + MMO_HP_PER_LEVEL * me->seen.combat; }

PFC_FN int32_t mmo_creature_max_hp(const MmoCreature* c) {
  const int32_t hp = MMO_CREATURE_HP + MMO_CREATURE_HP_PER_LEVEL * c->level;
  return c->temper == MMO_ELITE ? MMO_ELITE_FACTOR * hp : hp;
}

PFC_FN int32_t mmo_eighths(int32_t hp, int32_t max_hp) { return (8 * hp + max_hp - 1) / max_hp; }

PFC_FN bool mmo_is_hostile(const MmoCreature* c) {
  return c->temper >= MMO_AGGRESSIVE || (c->temper == MMO_NEUTRAL && c->target != 0);
}

PFC_FN int32_t mmo_who_player(const MmoPlayer* me) {
  const int32_t base = 2 * me->hp < mmo_max_hp(me) ? (int32_t)MMO_WHO_WEAK : (int32_t)MMO_WHO_PLAYER;
  return base + mmo_tier_of(me->seen.combat);
}

PFC_FN int32_t mmo_who_creature(const MmoCreature* c) {
  const int32_t base = c->temper == MMO_ELITE ? (int32_t)MMO_WHO_ELITE : MMO_TIERS * (c->style - 1);
  return base + mmo_tier_of(c->level);
}

PFC_FN int32_t mmo_vigour_creature(const MmoCreature* c) {
  return mmo_eighths(c->hp, mmo_creature_max_hp(c)) + (mmo_is_hostile(c) ? 8 : 0);
}

PFC_FN void mmo_show_player(const MmoWorld* w, const MmoPlayer* me) {
  const int32_t cell = mmo_cell(w, me->x, me->y);
  w->who[cell] = (uint8_t)mmo_who_player(me);
  w->vigour[cell] = (uint8_t)mmo_eighths(me->hp, mmo_max_hp(me));
}

PFC_FN void mmo_show_creature(const MmoWorld* w, const MmoCreature* c) {
  const int32_t cell = mmo_cell(w, c->x, c->y);
  w->who[cell] = (uint8_t)mmo_who_creature(c);
  w->vigour[cell] = (uint8_t)mmo_vigour_creature(c);
}

PFC_FN void mmo_flip_crowd(const MmoWorld* w, int32_t cell) { w->crowd[cell >> 3] ^= (uint8_t)(1u << (cell & 7)); }

PFC_FN void mmo_clear_cell(const MmoWorld* w, int32_t cell) {
  w->unit[cell] = 0;
  w->who[cell] = w->vigour[cell] = 0;
}

// Moves the unit at `from` to `to`, which is free.
PFC_FN void mmo_shift(const MmoWorld* w, int32_t from, int32_t to) {
  w->unit[to] = w->unit[from];
  w->who[to] = w->who[from];
  w->vigour[to] = w->vigour[from];
  mmo_clear_cell(w, from);
}

// Updates what the player sees of its place: the nearest town and the danger.
PFC_FN void mmo_look_round(const MmoWorld* w, MmoPlayer* me) {
  const MmoNearest town = mmo_nearest_town(w, me->x, me->y);
  const bool at_home = w->ground[mmo_cell(w, me->x, me->y)] == MMO_FLOOR;
  me->seen.town_direction = (uint8_t)(at_home ? 0 : mmo_direction(town.dx, town.dy));
  me->seen.town_distance = (uint8_t)pfc_mini(town.distance / 3, 15);
  me->seen.danger = (uint8_t)(at_home ? 0 : mmo_danger(town.distance));
  me->tier = (uint8_t)pfc_maxi(me->tier, me->seen.danger);
}

PFC_FN bool mmo_in_town(const MmoPlayer* me) { return me->seen.danger == 0; }

// ---- goods and gold ----------------------------------------------------------------------------------

PFC_FN void mmo_set_gold(MmoPlayer* me, int32_t gold) {
  int32_t purse = 0;
  while (gold >> purse) ++purse;
  me->gold = (int16_t)gold;
  me->seen.purse = (uint8_t)purse;
}

// Gold that exists already. The part that exceeds MMO_MAX_GOLD is destroyed.
PFC_FN void mmo_receive_gold(const MmoWorld* w, MmoPlayer* me, int32_t gold) {
  const int32_t kept = pfc_mini(gold, MMO_MAX_GOLD - me->gold);
  w->s->gold_destroyed += gold - kept;
  me->earned += pfc_mini(gold, INT32_MAX - me->earned);
  mmo_set_gold(me, me->gold + kept);
}

PFC_FN void mmo_make_gold(const MmoWorld* w, MmoPlayer* me, int32_t gold) {
  w->s->gold_made += gold;
  mmo_receive_gold(w, me, gold);
}

// First free slot; MMO_BAG if there is none.
PFC_FN int32_t mmo_free_slot(const MmoSeen* seen) {
  int32_t slot = 0;
  while (slot < MMO_BAG && seen->bag[slot][0] != MMO_NOTHING) ++slot;
  return slot;
}

PFC_FN bool mmo_put_item(MmoPlayer* me, int32_t kind, int32_t tier) {
  const int32_t slot = mmo_free_slot(&me->seen);
  if (slot == MMO_BAG) return false;
  me->seen.bag[slot][0] = (uint8_t)kind;
  me->seen.bag[slot][1] = (uint8_t)tier;
  return true;
}

PFC_FN void mmo_make_item(const MmoWorld* w, MmoPlayer* me, int32_t kind, int32_t tier) {
  w->s->items_made += mmo_put_item(me, kind, tier);
}

PFC_FN void mmo_empty_slot(MmoPlayer* me, int32_t slot) { me->seen.bag[slot][0] = me->seen.bag[slot][1] = 0; }

PFC_FN int32_t mmo_gear(const MmoPlayer* me) {
  const MmoSeen* seen = &me->seen;
  return seen->weapon_tier + seen->armour[0] + seen->armour[1] + seen->armour[2] + seen->tool;
}

PFC_FN int32_t mmo_items_held(const MmoPlayer* me) {
  const MmoSeen* seen = &me->seen;
  int32_t held = (seen->weapon != 0) + (seen->armour[0] != 0) + (seen->armour[1] != 0) + (seen->armour[2] != 0) +
                 (seen->tool != 0);
  for (int32_t slot = 0; slot < MMO_BAG; ++slot) held += seen->bag[slot][0] != MMO_NOTHING;
  return held;
}

// Destroys everything that the player carries and wears.
PFC_FN void mmo_strip(const MmoWorld* w, MmoPlayer* me) {
  w->s->items_destroyed += mmo_items_held(me);
  w->s->gold_destroyed += me->gold;
  mmo_set_gold(me, 0);
  memset(me->seen.bag, 0, sizeof me->seen.bag);
  memset(me->seen.armour, 0, sizeof me->seen.armour);
  me->seen.weapon = me->seen.weapon_tier = me->seen.tool = 0;
}

// Highest tier of a kind that the player may wear or consume.
PFC_FN int32_t mmo_wearable(const MmoSeen* seen, int32_t kind) {
  if (kind <= MMO_STAFF) return mmo_tier_of(seen->level[kind - 1]);
  if (kind <= MMO_LEGS) return mmo_tier_of(seen->combat);
  return kind == MMO_TOOL ? mmo_tier_of(pfc_maxi(seen->combat, seen->profession)) : (int32_t)MMO_TIERS;
}

// ---- levels ------------------------------------------------------------------------------------------

PFC_FN int32_t mmo_best(const uint8_t* level, int32_t count) {
  int32_t best = level[0];
  for (int32_t i = 1; i < count; ++i) best = pfc_maxi(best, level[i]);
  return best;
}

PFC_FN int32_t mmo_score(const MmoPlayer* me) { return pfc_mini(me->seen.combat, me->seen.profession); }

// Damage of this tick in 20ths of the maximum hp, rounded up.
PFC_FN void mmo_show_hurt(MmoPlayer* me) {
  const int32_t max_hp = mmo_max_hp(me);
  me->seen.hurt = (uint8_t)pfc_mini((20 * me->damage + max_hp - 1) / max_hp, MMO_MAX_HURT);
}

// Updates combat, profession, hp and rewards after a skill has risen.
PFC_FN void mmo_rise(const MmoWorld* w, int32_t agent) {
  MmoPlayer* me = &w->players[agent];
  MmoSeen* seen = &me->seen;
  const int32_t combat = mmo_best(seen->level, MMO_MINING);
  const int32_t profession = mmo_best(seen->level + MMO_MINING, MMO_SKILLS - MMO_MINING);
  const int32_t combat_up = combat - seen->combat, profession_up = profession - seen->profession;
  const int32_t score = mmo_score(me);
  seen->combat = (uint8_t)combat;
  seen->profession = (uint8_t)profession;
  const int32_t score_up = mmo_score(me) - score;
  if (score_up > 0) me->progress = me->age;
  if (combat_up > 0) {
    me->hp = (int16_t)(me->hp + MMO_HP_PER_LEVEL * combat_up);
    mmo_show_hurt(me);  // the maximum rose
    mmo_show_player(w, me);
  }
  w->io->rewards[agent] += w->p->reward_score * (float)score_up + w->p->reward_combat * (float)combat_up +
                           w->p->reward_profession * (float)profession_up;
}

PFC_FN void mmo_learn(const MmoWorld* w, int32_t agent, int32_t skill, int32_t xp) {
  MmoPlayer* me = &w->players[agent];
  const int32_t before = me->seen.level[skill];
  int32_t level = before, total = me->xp[skill] + xp;
  for (; level < MMO_MAX_LEVEL && total >= MMO_LEVEL_XP * level; ++level) total -= MMO_LEVEL_XP * level;
  me->xp[skill] = (uint16_t)(level < MMO_MAX_LEVEL ? total : 0);
  if (level == before) return;
  me->seen.level[skill] = (uint8_t)level;
  mmo_rise(w, agent);
}

// ---- lives -------------------------------------------------------------------------------------------

PFC_FN void mmo_take_off(const MmoWorld* w, MmoPlayer* me) {
  const int32_t cell = mmo_cell(w, me->x, me->y);
  mmo_strip(w, me);
  mmo_clear_cell(w, cell);
  mmo_flip_crowd(w, cell);
  me->state = MMO_OFF;
  me->life += 1;
}

PFC_FN void mmo_die(const MmoWorld* w, int32_t agent, int32_t cause) {
  MmoPlayer* me = &w->players[agent];
  me->hp = 0;
  me->gear = (uint8_t)mmo_gear(me);
  me->ended = (uint8_t)cause;
  me->age += cause == MMO_SLAIN && me->age < INT32_MAX;  // hunger kills after this tick was counted
  mmo_take_off(w, me);
  w->io->terminated[agent] = 1;
  w->io->rewards[agent] += w->p->reward_death;
}

// Places the player on a random free floor cell of a random town; after some tries, on the next free one in scan order.
PFC_FN void mmo_find_floor(const MmoWorld* w, MmoPlayer* me) {
  const int32_t spots = MMO_TOWN_SIDE * MMO_TOWN_SIDE;
  int32_t town = (int32_t)pfc_rng_below(&w->s->rng, (uint32_t)w->num_towns), spot = 0;
  for (int32_t i = 0; i < MMO_TOWN_TRIES + spots * w->num_towns; ++i) {
    if (i < MMO_TOWN_TRIES) spot = (int32_t)pfc_rng_below(&w->s->rng, (uint32_t)spots);
    else if (++spot >= spots) spot = 0, town = town + 1 < w->num_towns ? town + 1 : 0;
    me->x = (int16_t)(w->towns[town].x + spot % MMO_TOWN_SIDE - MMO_TOWN_RADIUS);
    me->y = (int16_t)(w->towns[town].y + spot / MMO_TOWN_SIDE - MMO_TOWN_RADIUS);
    const int32_t cell = mmo_cell(w, me->x, me->y);
    if (w->ground[cell] == MMO_FLOOR && w->unit[cell] == 0) return;
  }
}

PFC_FN void mmo_spawn(const MmoWorld* w, int32_t agent) {
  MmoPlayer* me = &w->players[agent];
  const uint32_t life = me->life;
  memset(me, 0, sizeof *me);
  me->life = life;
  memset(me->seen.level, 1, sizeof me->seen.level);
  me->seen.combat = me->seen.profession = 1;
  me->hp = (int16_t)mmo_max_hp(me);
  me->food = me->water = MMO_FULL;
  me->state = MMO_ACTIVE;
  mmo_find_floor(w, me);
  const int32_t cell = mmo_cell(w, me->x, me->y);
  w->unit[cell] = (uint16_t)(agent + 1);
  mmo_flip_crowd(w, cell);
  mmo_show_player(w, me);
  mmo_look_round(w, me);
}

// ---- generation: the ground --------------------------------------------------------------------------
//
// Generation uses the planes as scratch memory before it fills them: lattices of noise in `vigour`, heights in `unit`,
// marks of the flood in `who`, its queue in `unit`, and the histogram of heights in the market.

PFC_FN uint16_t* mmo_height(const MmoWorld* w, int32_t x, int32_t y) { return w->unit + y * w->p->size + x; }

// Adds `weight` times one octave of value noise to the heights.
PFC_FN void mmo_add_noise(const MmoWorld* w, int32_t pitch, int32_t weight) {
  const int32_t size = w->p->size, side = size / pitch + 1;
  uint8_t* lattice = w->vigour;
  int32_t share[16];  // of the farther point, in 256ths: smoothstep of the place between two points
  for (int32_t i = 0; i < side * side; ++i) lattice[i] = (uint8_t)(pfc_rng_u32(&w->s->rng) >> 24);
  for (int32_t i = 0; i < pitch; ++i) {
    const int32_t t = 256 * i / pitch;
    share[i] = t * t * (3 * 256 - 2 * t) >> 16;
  }
  for (int32_t y = 0; y < size; ++y) {
    const uint8_t *upper = lattice + y / pitch * side, *lower = upper + side;
    uint16_t* height = mmo_height(w, 0, y);
    const int32_t down = share[y % pitch];
    for (int32_t i = 0; i + 1 < side; ++i) {
      const int32_t left = upper[i] * (256 - down) + lower[i] * down;
      const int32_t right = upper[i + 1] * (256 - down) + lower[i + 1] * down;
      for (int32_t k = 0; k < pitch; ++k, ++height)
        *height = (uint16_t)(*height + weight * ((left * (256 - share[k]) + right * share[k]) >> 16));
    }
  }
}

// The lowest cells become water and the highest stone. A histogram finds the limits: all maps have the same shares.
PFC_FN void mmo_flood_heights(const MmoWorld* w, int32_t water_percent, int32_t stone_percent) {
  const int32_t size = w->p->size, total = size * size;
  int32_t* count = (int32_t*)(void*)w->market;
  memset(count, 0, MMO_HEIGHTS * sizeof *count);
  for (int32_t i = 0; i < total; ++i) ++count[w->unit[i]];
  int32_t water_end = 0, stone_begin = MMO_HEIGHTS;
  for (int32_t left = total / 100 * water_percent; left >= count[water_end]; ++water_end) left -= count[water_end];
  for (int32_t left = total / 100 * stone_percent; left >= count[stone_begin - 1]; --stone_begin)
    left -= count[stone_begin - 1];
  for (int32_t y = 0; y < size; ++y) {
    const uint16_t* height = mmo_height(w, 0, y);
    uint8_t* ground = w->ground + mmo_cell(w, 0, y);
    for (int32_t x = 0; x < size; ++x)
      ground[x] = (uint8_t)(height[x] < water_end     ? (int32_t)MMO_WATER
                            : height[x] < stone_begin ? (int32_t)MMO_GRASS
                                                      : (int32_t)MMO_STONE);
  }
}

PFC_FN void mmo_make_ground(const MmoWorld* w, int32_t attempt) {
  const int32_t size = w->p->size;
  memset(w->ground, MMO_OUTSIDE, (size_t)w->cells + MMO_LANE);
  if (attempt == MMO_GENERATIONS - 1) {
    for (int32_t y = 0; y < size; ++y) memset(w->ground + mmo_cell(w, 0, y), MMO_GRASS, (size_t)size);
    return;
  }
  memset(w->unit, 0, (size_t)w->cells * sizeof *w->unit);
  mmo_add_noise(w, 16, 4);
  mmo_add_noise(w, 8, 2);
  mmo_add_noise(w, 4, 1);
  const int32_t less = MMO_FEWER_PERCENT * attempt;
  mmo_flood_heights(w, pfc_maxi(MMO_WATER_PERCENT - less, 0), MMO_STONE_PERCENT - less);
}

PFC_FN void mmo_make_towns(const MmoWorld* w) {
  const int32_t blocks = mmo_blocks(w->p);
  const uint32_t offsets = 2 * MMO_TOWN_SPREAD + 1;
  for (int32_t i = 0; i < w->num_towns; ++i) {
    MmoTown* town = &w->towns[i];
    const int32_t middle = MMO_BLOCK / 2 - MMO_TOWN_SPREAD;
    town->x = (int16_t)(i % blocks * MMO_BLOCK + middle + (int32_t)pfc_rng_below(&w->s->rng, offsets));
    town->y = (int16_t)(i / blocks * MMO_BLOCK + middle + (int32_t)pfc_rng_below(&w->s->rng, offsets));
    for (int32_t y = town->y - MMO_TOWN_RADIUS; y <= town->y + MMO_TOWN_RADIUS; ++y)
      memset(w->ground + mmo_cell(w, town->x - MMO_TOWN_RADIUS, y), MMO_FLOOR, MMO_TOWN_SIDE);
    w->ground[mmo_cell(w, town->x, town->y)] = MMO_WATER;  // the well
  }
}

// Marks the cells that can be reached from the first town and returns their number. If the queue were full, which no
// map has come near, the remaining cells would count as unreached.
PFC_FN int32_t mmo_flood_reach(const MmoWorld* w) {
  const int32_t capacity = w->cells / 2;
  int32_t* queue = (int32_t*)(void*)w->unit;
  int32_t first = 0, waiting = 1, reached = 1;
  memset(w->who, 0, (size_t)w->cells + MMO_LANE);
  queue[0] = mmo_cell(w, w->towns[0].x + 1, w->towns[0].y);
  w->who[queue[0]] = 1;
  while (waiting > 0) {
    const int32_t cell = queue[first];
    first = first + 1 < capacity ? first + 1 : 0;
    --waiting;
    for (int32_t move = MMO_UP; move <= MMO_RIGHT; ++move) {
      const int32_t next = mmo_neighbour(w, cell, move);
      if (w->who[next] || !mmo_is_walkable(w->ground[next]) || waiting == capacity) continue;
      w->who[next] = 1;
      queue[(first + waiting) % capacity] = next;
      ++waiting, ++reached;
    }
  }
  return reached;
}

// Digs one cell of a path, except in towns.
PFC_FN void mmo_dig(const MmoWorld* w, int32_t x, int32_t y) {
  if (mmo_nearest_town(w, x, y).distance > MMO_TOWN_RADIUS) w->ground[mmo_cell(w, x, y)] = MMO_GRASS;
}

// A path two cells wide from one town to another, along x first.
PFC_FN void mmo_dig_path(const MmoWorld* w, const MmoTown* from, const MmoTown* to) {
  const int32_t right = to->x > from->x ? 1 : -1, down = to->y > from->y ? 1 : -1;
  for (int32_t x = from->x; x != to->x + right; x += right) mmo_dig(w, x, from->y), mmo_dig(w, x, from->y + 1);
  for (int32_t y = from->y; y != to->y + down; y += down) mmo_dig(w, to->x, y), mmo_dig(w, to->x + 1, y);
}

// Connects all towns, turns unreachable cells into stone and returns the number of walkable cells.
PFC_FN int32_t mmo_connect(const MmoWorld* w) {
  int32_t reached = mmo_flood_reach(w), dug = 0;
  for (int32_t i = 1; i < w->num_towns; ++i) {
    if (w->who[mmo_cell(w, w->towns[i].x + 1, w->towns[i].y)]) continue;
    mmo_dig_path(w, &w->towns[i], &w->towns[0]);
    ++dug;
  }
  if (dug > 0) reached = mmo_flood_reach(w);
  for (int32_t cell = 0; cell < w->cells; ++cell)
    if (!w->who[cell] && mmo_is_walkable(w->ground[cell])) w->ground[cell] = MMO_STONE;
  return reached;
}

// ---- generation: nodes and creatures -----------------------------------------------------------------

// Whether one of the eight neighbours is stone.
PFC_FN bool mmo_near_stone(const uint8_t* ground, int32_t stride) {
  bool found = false;
  for (int32_t dy = -1; dy <= 1; ++dy)
    for (int32_t dx = -1; dx <= 1; ++dx) found |= ground[dy * stride + dx] == MMO_STONE;
  return found;
}

PFC_FN bool mmo_near_water(const uint8_t* ground, int32_t stride) {
  bool found = false;
  for (int32_t dy = -1; dy <= 1; ++dy)
    for (int32_t dx = -1; dx <= 1; ++dx) found |= mmo_is_water(ground[dy * stride + dx]);
  return found;
}

// Draws what grows in a cell: the code of a node of tier 1, or the unchanged ground.
PFC_FN int32_t mmo_roll_node(const MmoWorld* w, int32_t cell, float share) {
  const uint8_t* ground = w->ground + cell;
  const int32_t stride = w->stride;
  const bool shore = *ground == MMO_WATER &&
                     (mmo_is_walkable(ground[-1]) || mmo_is_walkable(ground[1]) ||
                      mmo_is_walkable(ground[-stride]) || mmo_is_walkable(ground[stride]));
  if (*ground != MMO_GRASS && !shore) return *ground;
  const int32_t percent = (int32_t)(share * 167772.16f);  // of 2^24
  int32_t draw = (int32_t)(pfc_rng_u32(&w->s->rng) >> 8);
  if (shore) return draw < 20 * percent ? (int32_t)MMO_FISH : (int32_t)MMO_WATER;
  if ((draw -= 3 * percent) < 0) return MMO_BUSH;
  if ((draw -= 3 * percent) < 0) return MMO_WOOD;
  if (draw >= (15 + 12 + 12) * percent) return MMO_GRASS;
  if (mmo_near_water(ground, stride) && (draw -= 15 * percent) < 0) return MMO_HERB;
  if (!mmo_near_stone(ground, stride)) return MMO_GRASS;
  if ((draw -= 12 * percent) < 0) return MMO_ORE;
  return (draw -= 12 * percent) < 0 ? (int32_t)MMO_CRYSTAL : (int32_t)MMO_GRASS;
}

PFC_FN void mmo_scatter_nodes(const MmoWorld* w) {
  const int32_t size = w->p->size;
  int32_t left = w->ring_size - MMO_SUPPLY * w->num_towns;  // the others are reserved for towns
  for (int32_t y = 0; y < size; ++y) {
    for (int32_t x = 0; x < size; ++x) {
      const int32_t cell = mmo_cell(w, x, y), code = mmo_roll_node(w, cell, w->p->node_share);
      if (code == w->ground[cell]) continue;
      const int32_t tier = mmo_danger(mmo_nearest_town(w, x, y).distance);
      w->ground[cell] = (uint8_t)(code == MMO_BUSH ? code : code + tier - 1);
      if (--left == 0) return;
    }
  }
}

// Random grass within reach of a town, or the first in scan order; -1 if there is none.
PFC_FN int32_t mmo_find_grass(const MmoWorld* w, const MmoTown* town) {
  const int32_t side = 2 * MMO_SUPPLY_REACH + 1, spots = side * side;
  for (int32_t i = 0; i < MMO_TOWN_TRIES + spots; ++i) {
    const int32_t spot =
        i < MMO_TOWN_TRIES ? (int32_t)pfc_rng_below(&w->s->rng, (uint32_t)spots) : i - MMO_TOWN_TRIES;
    const int32_t x = town->x + spot % side - MMO_SUPPLY_REACH, y = town->y + spot / side - MMO_SUPPLY_REACH;
    if (mmo_inside(w, x, y) && w->ground[mmo_cell(w, x, y)] == MMO_GRASS) return mmo_cell(w, x, y);
  }
  return -1;
}

// Number of cells with this code near a town.
PFC_FN int32_t mmo_count_near(const MmoWorld* w, const MmoTown* town, int32_t code) {
  int32_t found = 0;
  for (int32_t dy = -MMO_SUPPLY_REACH; dy <= MMO_SUPPLY_REACH; ++dy)
    for (int32_t dx = -MMO_SUPPLY_REACH; dx <= MMO_SUPPLY_REACH; ++dx)
      found += mmo_inside(w, town->x + dx, town->y + dy) && w->ground[mmo_cell(w, town->x + dx, town->y + dy)] == code;
  return found;
}

PFC_FN void mmo_supply_town(const MmoWorld* w, const MmoTown* town) {
  const int32_t codes[] = {MMO_BUSH, MMO_ORE, MMO_WOOD, MMO_CRYSTAL, MMO_HERB};
  for (int32_t i = 0; i < 5; ++i) {
    const int32_t wanted = i == 0 ? (int32_t)MMO_SUPPLY_BUSHES : (int32_t)MMO_SUPPLY_NODES;
    for (int32_t found = mmo_count_near(w, town, codes[i]); found < wanted; ++found) {
      const int32_t cell = mmo_find_grass(w, town);
      if (cell < 0) return;
      w->ground[cell] = (uint8_t)codes[i];
    }
  }
}

PFC_FN bool mmo_is_home(const MmoWorld* w, int32_t x, int32_t y, int32_t tier) {
  const int32_t cell = mmo_cell(w, x, y), code = w->ground[cell];
  if (!mmo_is_walkable(code) || code == MMO_FLOOR || w->unit[cell] != 0) return false;
  return tier == 0 || mmo_danger(mmo_nearest_town(w, x, y).distance) == tier;
}

// Index y * size + x of a free cell of this danger tier (0 = any), or -1. Tries random cells first, then scan order.
PFC_FN int32_t mmo_find_home(const MmoWorld* w, int32_t tier, int32_t tries) {
  const int32_t size = w->p->size, total = size * size;
  for (int32_t i = 0; i < tries + total; ++i) {
    const int32_t index = i < tries ? (int32_t)pfc_rng_below(&w->s->rng, (uint32_t)total) : i - tries;
    if (mmo_is_home(w, index % size, index / size, tier)) return index;
  }
  return -1;
}

PFC_FN int32_t mmo_roll_temper(const MmoWorld* w, int32_t tier) {
  if (tier == 1) return (pfc_rng_u32(&w->s->rng) >> 31) ? (int32_t)MMO_NEUTRAL : (int32_t)MMO_PASSIVE;
  if (tier == 2) return MMO_NEUTRAL;
  return pfc_rng_below(&w->s->rng, MMO_ELITE_ONE_IN) == 0 ? (int32_t)MMO_ELITE : (int32_t)MMO_AGGRESSIVE;
}

PFC_FN void mmo_appear(const MmoWorld* w, int32_t index, int32_t x, int32_t y) {
  MmoCreature* c = &w->creatures[index];
  c->x = (int16_t)x, c->y = (int16_t)y;
  c->hp = c->lowest = (int16_t)mmo_creature_max_hp(c);
  c->since = MMO_LONG_AGO;
  w->unit[mmo_cell(w, x, y)] = (uint16_t)(w->p->players + index + 1);
  mmo_show_creature(w, c);
}

// Without a free cell the tier below is tried, then any cell: 62 % of the cells are walkable, and creatures need 3 %.
PFC_FN void mmo_settle_creature(const MmoWorld* w, int32_t index, int32_t tier) {
  MmoCreature* c = &w->creatures[index];
  int32_t home = mmo_find_home(w, tier, MMO_HOME_TRIES);
  while (home < 0) home = mmo_find_home(w, --tier, 0);
  tier = pfc_maxi(tier, 1);
  memset(c, 0, sizeof *c);
  c->home_x = (int16_t)(home % w->p->size), c->home_y = (int16_t)(home / w->p->size);
  c->level = (uint8_t)(MMO_LEVELS_PER_TIER * (tier - 1) + 1 + (int32_t)pfc_rng_below(&w->s->rng, MMO_LEVELS_PER_TIER));
  c->style = (uint8_t)(MMO_MELEE + (int32_t)pfc_rng_below(&w->s->rng, 3));
  c->temper = (uint8_t)mmo_roll_temper(w, tier);
  mmo_appear(w, index, c->home_x, c->home_y);
}

PFC_FN void mmo_settle_creatures(const MmoWorld* w) {
  const int32_t total = w->p->creatures, percent[] = {24, 16, 12, 8};  // of tiers 2 to 5; the others have tier 1
  int32_t index = 0;
  for (int32_t tier = MMO_TIERS; tier >= 2; --tier)
    for (int32_t left = total * percent[tier - 2] / 100; left > 0; --left) mmo_settle_creature(w, index++, tier);
  while (index < total) mmo_settle_creature(w, index++, 1);
}

PFC_FN void mmo_open_market(MmoMarket* market) {
  memset(market, 0, sizeof *market);
  memset(market->best, 0xff, sizeof market->best);  // MMO_NO_PRICE
}

// Makes a new world without players. Keeps only the rng and the numbers of lives. Initialises all memory, because the
// pool does not clear it when a world is renewed.
PFC_FN void mmo_generate(const MmoWorld* w) {
  Mmo* s = w->s;
  const PfcRng rng = s->rng;
  memset(s, 0, sizeof *s);
  s->rng = rng;
  for (int32_t attempt = 0; attempt < MMO_GENERATIONS; ++attempt) {
    mmo_make_ground(w, attempt);
    mmo_make_towns(w);
    if (100 * (int64_t)mmo_connect(w) >= (int64_t)MMO_WALKABLE_PERCENT * w->p->size * w->p->size) break;
  }
  memset(w->unit, 0, (size_t)w->cells * sizeof *w->unit);
  memset(w->who, 0, (size_t)w->cells + MMO_LANE);
  memset(w->vigour, 0, (size_t)w->cells + MMO_LANE);
  memset(w->crowd, 0, (size_t)w->cells / 8 + sizeof(uint32_t) + 1);
  memset(w->ring, 0, (size_t)w->ring_size * sizeof *w->ring);
  mmo_open_market(w->market);
  mmo_scatter_nodes(w);
  for (int32_t i = 0; i < w->num_towns; ++i) mmo_supply_town(w, &w->towns[i]);
  mmo_settle_creatures(w);
  for (int32_t i = 0; i < w->p->players; ++i) {
    MmoPlayer* me = &w->players[i];
    const uint32_t life = me->life + (me->state != MMO_OFF);
    memset(me, 0, sizeof *me);
    me->life = life;
  }
}

PFC_FN void mmo_reset(Mmo* s, const MmoParams* p) {
  const MmoWorld w = mmo_world(s, p, NULL);
  mmo_generate(&w);
  for (int32_t i = 0; i < p->players; ++i) mmo_spawn(&w, i);
}

// Death has taken its player off the board already; a truncated life has not.
PFC_FN void mmo_respawn(void* state, const void* params, int32_t agent) {
  const MmoWorld w = mmo_world((const Mmo*)state, (const MmoParams*)params, NULL);
  if (w.s->renew) mmo_generate(&w);
  if (w.players[agent].state != MMO_OFF) mmo_take_off(&w, &w.players[agent]);
  mmo_spawn(&w, agent);
}

// ---- combat ------------------------------------------------------------------------------------------

// Damage factor, in quarters, of a style against another (0 = none yet). Melee beats ranged, ranged beats
// magic, magic beats melee.
PFC_FN int32_t mmo_factor(int32_t style, int32_t against) {
  if (against == style % 3 + 1) return 6;
  return against != 0 && style == against % 3 + 1 ? 3 : 4;
}

PFC_FN int32_t mmo_damage(int32_t offence, int32_t factor, int32_t defence) {
  return pfc_maxi(1, offence * factor * 32 / (4 * (32 + defence)));
}

PFC_FN int32_t mmo_offence(const MmoSeen* seen, int32_t style) {
  const int32_t weapon = seen->weapon == style ? 6 * seen->weapon_tier : 0;
  return 6 + 2 * seen->level[style - 1] + weapon;
}

PFC_FN int32_t mmo_defence(const MmoPlayer* me) {
  const uint8_t* armour = me->seen.armour;
  return 2 * me->seen.combat + 4 * (armour[0] + armour[1] + armour[2]);
}

// damage: hp
PFC_FN void mmo_hit_player(const MmoWorld* w, int32_t victim, int32_t damage, int32_t style) {
  MmoPlayer* me = &w->players[victim];
  me->damage = (int16_t)pfc_mini(me->damage + damage, mmo_max_hp(me));
  mmo_show_hurt(me);
  me->seen.hitter = (uint8_t)style;
  me->seen.fighting = MMO_FIGHT_TICKS;
  me->hp = (int16_t)pfc_maxi(me->hp - damage, 0);
  if (me->hp == 0) mmo_die(w, victim, MMO_SLAIN);
  else mmo_show_player(w, me);
}

PFC_FN bool mmo_may_fight(const MmoWorld* w, const MmoPlayer* me, const MmoPlayer* other) {
  return w->p->pvp && other->state == MMO_ACTIVE && !mmo_in_town(me) && !mmo_in_town(other) &&
         me->age > MMO_PVP_AGE_TICKS && other->age > MMO_PVP_AGE_TICKS &&
         mmo_abs(me->seen.combat - other->seen.combat) <= MMO_PVP_LEVELS;
}

// The target with the lowest number is hit: the nearest, creatures before players, then the smallest |dx| + |dy|.
PFC_FN int32_t mmo_target_order(int32_t dx, int32_t dy, bool is_player) {
  return (2 * mmo_distance(dx, dy) + is_player) * 16 + mmo_abs(dx) + mmo_abs(dy);
}

// The unit that an attack of this style hits, 0 = none: the first in reach and line; ties by y, then x.
PFC_FN int32_t mmo_find_target(const MmoWorld* w, int32_t agent, int32_t style) {
  const MmoPlayer* me = &w->players[agent];
  const int32_t reach = mmo_reach[style], cell = mmo_cell(w, me->x, me->y);
  int32_t found = 0, best = INT32_MAX;
  for (int32_t dy = -reach; dy <= reach; ++dy) {
    for (int32_t dx = -reach; dx <= reach; ++dx) {
      const int32_t there = cell + dy * w->stride + dx, unit = w->unit[there];
      if (unit == 0 || there == cell) continue;
      const bool is_player = unit <= w->p->players;
      if (is_player ? !mmo_may_fight(w, me, &w->players[unit - 1]) : w->creatures[unit - 1 - w->p->players].homing > 0)
        continue;
      const int32_t distance = mmo_distance(dx, dy), order = mmo_target_order(dx, dy, is_player);
      if (order >= best || !mmo_sees(w->ground + cell, w->stride, dx, dy, distance)) continue;
      best = order;
      found = unit;
    }
  }
  return found;
}

// Gold, and one of 16 outcomes for an item. An elite always leaves its weapon.
PFC_FN void mmo_loot(const MmoWorld* w, MmoPlayer* me, const MmoCreature* c) {
  const int32_t tier = mmo_tier_of(c->level), gold = 1 + c->level / 2;
  const bool elite = c->temper == MMO_ELITE;
  mmo_make_gold(w, me, elite ? MMO_ELITE_FACTOR * gold : gold);
  const int32_t roll = elite ? 8 : (int32_t)pfc_rng_below(&w->s->rng, 16);
  if (roll < 4) mmo_make_item(w, me, MMO_TOOL, tier);
  else if (roll < 6) mmo_make_item(w, me, MMO_POTION, tier);
  else if (roll < 8) mmo_make_item(w, me, MMO_RATION, tier);
  else if (roll == 8) mmo_make_item(w, me, c->style, tier);  // a weapon's kind is its style
  else if (roll == 9) mmo_make_item(w, me, MMO_HELM + (int32_t)pfc_rng_below(&w->s->rng, 3), tier);
}

PFC_FN void mmo_kill_creature(const MmoWorld* w, int32_t agent, MmoCreature* c) {
  MmoPlayer* me = &w->players[agent];
  mmo_clear_cell(w, mmo_cell(w, c->x, c->y));
  c->target = 0;
  c->wait = c->stuck = c->fresh = 0;
  me->kills += 1;
  mmo_loot(w, me, c);
}

// Only damage below the creature's lowest hp gives xp, so hitting and healing it in turn yields no more than a kill.
PFC_FN void mmo_hit_creature(const MmoWorld* w, int32_t agent, MmoCreature* c, int32_t style) {
  MmoPlayer* me = &w->players[agent];
  const int32_t damage = mmo_damage(mmo_offence(&me->seen, style), mmo_factor(style, c->style), 2 * c->level);
  if (c->since >= w->p->creature_ticks) c->lowest = c->hp;
  c->hp = (int16_t)pfc_maxi(c->hp - damage, 0);
  c->since = 0;
  if (c->temper == MMO_PASSIVE || c->target == 0 || c->fresh) {
    c->target = (uint16_t)(agent + 1);
    c->target_life = (uint8_t)me->life;
    c->fresh = 1;
  }
  const int32_t pushed = c->lowest - c->hp;
  c->lowest = (int16_t)pfc_mini(c->lowest, c->hp);
  if (pushed > 0) mmo_learn(w, agent, style - 1, pfc_maxi(1, pushed * (4 + c->level) / 8));
  if (c->hp == 0) mmo_kill_creature(w, agent, c);
  else mmo_show_creature(w, c);
}

PFC_FN void mmo_fight_player(const MmoWorld* w, int32_t agent, int32_t victim, int32_t style) {
  MmoPlayer *me = &w->players[agent], *other = &w->players[victim];
  const int32_t factor = mmo_factor(style, other->seen.style);
  const int32_t damage = mmo_damage(mmo_offence(&me->seen, style), factor, mmo_defence(other));
  if (damage >= other->hp) {
    mmo_receive_gold(w, me, other->gold);
    mmo_set_gold(other, 0);
  }
  mmo_hit_player(w, victim, damage, style);
}

PFC_FN void mmo_attack(const MmoWorld* w, int32_t agent, int32_t style) {
  MmoPlayer* me = &w->players[agent];
  if (me->seen.wait > 0 || mmo_in_town(me)) return;
  const int32_t unit = mmo_find_target(w, agent, style);
  if (unit == 0) return;
  me->seen.wait = MMO_ATTACK_TICKS;
  me->seen.style = (uint8_t)style;
  me->seen.fighting = MMO_FIGHT_TICKS;
  if (unit <= w->p->players) {
    me->aim_x = w->players[unit - 1].x, me->aim_y = w->players[unit - 1].y;
    mmo_fight_player(w, agent, unit - 1, style);
  } else {
    MmoCreature* c = &w->creatures[unit - 1 - w->p->players];
    me->aim_x = c->x, me->aim_y = c->y;
    mmo_hit_creature(w, agent, c, style);
  }
}

// ---- the market --------------------------------------------------------------------------------------

PFC_TABLE uint8_t mmo_ask_quarters[] = {1, 3, 4, 6};  // of the base price, by dimension 3; 0 = to the shop
PFC_TABLE uint8_t mmo_cap_quarters[] = {3, 4, 6, 8};

PFC_FN int32_t mmo_base_price(int32_t kind, int32_t tier) {
  return (kind <= MMO_TOOL ? 8 : 4) << (tier - 1);
}

PFC_FN int32_t mmo_ask(int32_t kind, int32_t tier, int32_t price) {
  return mmo_base_price(kind, tier) * mmo_ask_quarters[price] / 4;
}

PFC_FN int32_t mmo_cap(int32_t kind, int32_t tier, int32_t price) {
  return mmo_base_price(kind, tier) * mmo_cap_quarters[price] / 4;
}

PFC_FN int32_t mmo_shop_price(int32_t kind) { return 2 * mmo_base_price(kind, 1); }
PFC_FN int32_t mmo_book(int32_t kind, int32_t tier) { return (kind - 1) * MMO_TIERS + tier - 1; }

PFC_FN void mmo_note_best(MmoMarket* market, int32_t book) {
  const uint16_t price = market->count[book] ? market->book[book][0].price : (uint16_t)MMO_NO_PRICE;
  market->best[book % MMO_TIERS][book / MMO_TIERS] = price;
}

PFC_FN bool mmo_list(const MmoWorld* w, int32_t agent, int32_t kind, int32_t tier, int32_t price) {
  MmoMarket* market = w->market;
  const int32_t book = mmo_book(kind, tier);
  MmoListing* listings = market->book[book];
  int32_t at = market->count[book];
  if (at == MMO_MARKET_DEPTH) return false;
  for (; at > 0 && listings[at - 1].price > price; --at) listings[at] = listings[at - 1];
  listings[at].price = (uint16_t)price;
  listings[at].seller = (uint16_t)agent;
  listings[at].life = w->players[agent].life;
  listings[at].tick = w->s->tick;
  market->count[book] += 1;
  mmo_note_best(market, book);
  return true;
}

PFC_FN MmoListing mmo_unlist(const MmoWorld* w, int32_t book, int32_t at) {
  MmoMarket* market = w->market;
  MmoListing* listings = market->book[book];
  const MmoListing taken = listings[at];
  market->count[book] -= 1;
  for (; at < market->count[book]; ++at) listings[at] = listings[at + 1];
  memset(&listings[at], 0, sizeof listings[at]);
  mmo_note_best(market, book);
  return taken;
}

// The seller of a listing, or NULL if that life has ended.
PFC_FN MmoPlayer* mmo_seller(const MmoWorld* w, const MmoListing* listing) {
  MmoPlayer* seller = &w->players[listing->seller];
  return seller->state == MMO_ACTIVE && seller->life == listing->life ? seller : NULL;
}

PFC_FN void mmo_note_deal(MmoPlayer* me, int32_t kind, int32_t tier, int32_t gold) {
  me->trade_kind = (uint8_t)kind;
  me->trade_tier = (uint8_t)tier;
  me->trade_gold = (int16_t)gold;
}

PFC_FN void mmo_sell_to_shop(const MmoWorld* w, MmoPlayer* me, int32_t kind, int32_t tier) {
  const int32_t gold = w->p->shop ? pfc_maxi(1, mmo_ask(kind, tier, 0)) : 0;
  w->s->items_destroyed += 1;
  mmo_make_gold(w, me, gold);
  me->sold += gold > 0;
  mmo_note_deal(me, kind, tier, gold);
}

PFC_FN void mmo_sell(const MmoWorld* w, int32_t agent, int32_t slot, int32_t price) {
  MmoPlayer* me = &w->players[agent];
  const int32_t kind = me->seen.bag[slot][0], tier = me->seen.bag[slot][1];
  if (kind == MMO_NOTHING || me->seen.fighting > 0) return;
  if (price == 0) mmo_sell_to_shop(w, me, kind, tier);
  else if (!mmo_list(w, agent, kind, tier, mmo_ask(kind, tier, price))) return;
  mmo_empty_slot(me, slot);
}

PFC_FN bool mmo_is_own(const MmoWorld* w, int32_t agent, const MmoListing* listing) {
  return listing->seller == agent && listing->life == w->players[agent].life;
}

PFC_FN void mmo_pay_seller(const MmoWorld* w, const MmoListing* sale, int32_t kind, int32_t tier) {
  MmoPlayer* seller = mmo_seller(w, sale);
  if (!seller) {
    w->s->gold_destroyed += sale->price;
    return;
  }
  mmo_receive_gold(w, seller, sale->price);
  mmo_note_deal(seller, kind, tier, sale->price);
  seller->sold += 1;
  w->io->rewards[sale->seller] += w->p->reward_trade;
}

// Buys the cheapest listing of another player; false if there is none within the limit. Books are sorted, so the first
// listing that is not the buyer's own decides.
PFC_FN bool mmo_buy_listing(const MmoWorld* w, int32_t agent, int32_t kind, int32_t tier, int32_t limit) {
  MmoPlayer* me = &w->players[agent];
  const int32_t book = mmo_book(kind, tier), count = w->market->count[book];
  int32_t at = 0;
  while (at < count && mmo_is_own(w, agent, &w->market->book[book][at])) ++at;
  if (at == count || w->market->book[book][at].price > limit) return false;
  const MmoListing sale = mmo_unlist(w, book, at);
  mmo_set_gold(me, me->gold - sale.price);
  mmo_put_item(me, kind, tier);
  mmo_note_deal(me, kind, tier, -sale.price);
  me->bought += 1;
  mmo_pay_seller(w, &sale, kind, tier);
  return true;
}

PFC_FN void mmo_buy_from_shop(const MmoWorld* w, MmoPlayer* me, int32_t kind) {
  const int32_t price = mmo_shop_price(kind);
  if (!w->p->shop || price > me->gold || mmo_wearable(&me->seen, kind) < 1) return;
  w->s->gold_destroyed += price;
  mmo_set_gold(me, me->gold - price);
  mmo_make_item(w, me, kind, 1);
  mmo_note_deal(me, kind, 1, -price);
  me->bought += 1;
}

PFC_FN void mmo_buy(const MmoWorld* w, int32_t agent, int32_t kind, int32_t price) {
  MmoPlayer* me = &w->players[agent];
  if (me->seen.fighting > 0 || mmo_free_slot(&me->seen) == MMO_BAG) return;
  for (int32_t tier = mmo_wearable(&me->seen, kind); tier >= 1; --tier)
    if (mmo_buy_listing(w, agent, kind, tier, pfc_mini(me->gold, mmo_cap(kind, tier, price)))) return;
  if (price == MMO_PRICES - 1) mmo_buy_from_shop(w, me, kind);
}

// Returns old listings of one book to their sellers.
PFC_FN void mmo_sweep_market(const MmoWorld* w) {
  const int32_t book = (int32_t)(w->s->tick % MMO_BOOKS);
  for (int32_t at = w->market->count[book] - 1; at >= 0; --at) {
    if (w->s->tick - w->market->book[book][at].tick <= (uint32_t)w->p->listing_ticks) continue;
    const MmoListing old = mmo_unlist(w, book, at);
    MmoPlayer* seller = mmo_seller(w, &old);
    if (!seller || !mmo_put_item(seller, book / MMO_TIERS + 1, book % MMO_TIERS + 1)) w->s->items_destroyed += 1;
  }
}

// ---- a player's turn ---------------------------------------------------------------------------------

// Moves to the next cell if it is free. If there is a fish, returns its cell, else 0.
PFC_FN int32_t mmo_move(const MmoWorld* w, int32_t agent, int32_t move) {
  MmoPlayer* me = &w->players[agent];
  const int32_t from = mmo_cell(w, me->x, me->y), to = mmo_neighbour(w, from, move);
  if (w->ground[to] >= MMO_FISH) return to;
  if (!mmo_is_walkable(w->ground[to]) || w->unit[to] != 0) return 0;
  mmo_shift(w, from, to);
  mmo_flip_crowd(w, from);
  mmo_flip_crowd(w, to);
  me->x = (int16_t)(me->x + mmo_step_x[move]);
  me->y = (int16_t)(me->y + mmo_step_y[move]);
  me->last_move = (uint8_t)move;
  mmo_look_round(w, me);
  return 0;
}

PFC_FN void mmo_restore_needs(const MmoWorld* w, int32_t agent, int32_t food, int32_t water) {
  MmoPlayer* me = &w->players[agent];
  const int32_t restored = food - me->food + water - me->water;
  me->food = (uint8_t)food;
  me->water = (uint8_t)water;
  w->io->rewards[agent] += w->p->reward_needs * ((float)restored / (float)MMO_FULL);
}

PFC_FN void mmo_drink_potion(const MmoWorld* w, MmoPlayer* me, int32_t tier) {
  me->hp = (int16_t)pfc_mini(me->hp + 30 + 10 * tier, mmo_max_hp(me));
  mmo_show_player(w, me);
}

PFC_FN void mmo_consume(const MmoWorld* w, int32_t agent, int32_t slot) {
  MmoPlayer* me = &w->players[agent];
  const int32_t tier = me->seen.bag[slot][1], meal = 40 + 10 * tier;
  if (me->seen.bag[slot][0] == MMO_POTION) mmo_drink_potion(w, me, tier);
  else mmo_restore_needs(w, agent, pfc_mini(me->food + meal, MMO_FULL), pfc_mini(me->water + meal, MMO_FULL));
  mmo_empty_slot(me, slot);
  w->s->items_destroyed += 1;
}

// Swaps an item in the bag with what is worn in its place.
PFC_FN void mmo_wear(MmoPlayer* me, int32_t slot) {
  uint8_t* item = me->seen.bag[slot];
  const int32_t kind = item[0];
  if (me->seen.fighting > 0 || mmo_wearable(&me->seen, kind) < item[1]) return;
  uint8_t* worn = kind <= MMO_STAFF   ? &me->seen.weapon_tier
                  : kind == MMO_TOOL ? &me->seen.tool
                                     : &me->seen.armour[kind - MMO_HELM];
  const int32_t old_kind = *worn == 0 ? (int32_t)MMO_NOTHING : kind <= MMO_STAFF ? me->seen.weapon : kind;
  const uint8_t old_tier = *worn;
  *worn = item[1];
  if (kind <= MMO_STAFF) me->seen.weapon = (uint8_t)kind;
  item[0] = (uint8_t)old_kind;
  item[1] = old_tier;
}

PFC_FN void mmo_use(const MmoWorld* w, int32_t agent, int32_t slot) {
  MmoPlayer* me = &w->players[agent];
  const int32_t kind = me->seen.bag[slot][0];
  if (kind == MMO_NOTHING) return;
  if (kind >= MMO_POTION) mmo_consume(w, agent, slot);
  else mmo_wear(me, slot);
}

// Returns the cell of a fish that the player moved into, or 0.
PFC_FN int32_t mmo_act(const MmoWorld* w, int32_t agent, const int32_t* choices) {
  const int32_t act = choices[MMO_ACT];
  if (act >= MMO_UP && act <= MMO_RIGHT) return mmo_move(w, agent, act);
  if (act >= MMO_ATTACK_MELEE && act <= MMO_ATTACK_MAGIC) mmo_attack(w, agent, act - MMO_ATTACK_MELEE + MMO_MELEE);
  else if (act == MMO_USE) mmo_use(w, agent, choices[MMO_SLOT]);
  else if (act == MMO_SELL) mmo_sell(w, agent, choices[MMO_SLOT], choices[MMO_PRICE]);
  else if (act == MMO_BUY) mmo_buy(w, agent, choices[MMO_KIND] + 1, choices[MMO_PRICE]);
  return 0;
}

// Removes a node from its cell until it is due.
PFC_FN void mmo_spend(const MmoWorld* w, int32_t cell) {
  Mmo* s = w->s;
  const int32_t code = w->ground[cell];
  uint32_t at = s->spent_first + s->spent_count;
  if (at >= (uint32_t)w->ring_size) at -= (uint32_t)w->ring_size;
  w->ring[at].cell_code = (uint32_t)(cell * MMO_GROUND_CODES + code);
  w->ring[at].due = s->tick + (uint32_t)w->p->regrow_ticks;
  s->spent_count += 1;
  w->ground[cell] = code >= MMO_FISH ? MMO_WATER : MMO_SPENT;
}

PFC_FN int32_t mmo_roll_product(const MmoWorld* w, int32_t skill) {
  switch (skill) {
    case MMO_MINING: {
      const int32_t kinds[] = {MMO_SWORD, MMO_HELM, MMO_BODY, MMO_LEGS};
      return kinds[pfc_rng_below(&w->s->rng, 4)];
    }
    case MMO_CARVING: return pfc_rng_below(&w->s->rng, 2) ? (int32_t)MMO_TOOL : (int32_t)MMO_BOW;
    case MMO_ALCHEMY: return pfc_rng_below(&w->s->rng, 2) ? (int32_t)MMO_POTION : (int32_t)MMO_STAFF;
    default: return skill == MMO_HERBALISM ? MMO_POTION : MMO_RATION;
  }
}

PFC_FN int32_t mmo_node_tier(int32_t code) { return (code - MMO_ORE) % MMO_TIERS + 1; }
PFC_FN int32_t mmo_node_skill(int32_t code) { return MMO_MINING + (code - MMO_ORE) / MMO_TIERS; }

PFC_FN void mmo_harvest(const MmoWorld* w, int32_t agent, int32_t cell) {
  MmoPlayer* me = &w->players[agent];
  const int32_t code = w->ground[cell], tier = mmo_node_tier(code), skill = mmo_node_skill(code);
  if (me->seen.tool < tier - 1 || mmo_free_slot(&me->seen) == MMO_BAG) return;
  mmo_spend(w, cell);
  mmo_make_item(w, me, mmo_roll_product(w, skill), tier);
  me->gathered += 1;
  mmo_learn(w, agent, skill, mmo_node_xp[tier]);
}

// fish: the cell of a fish that the player moved into, or 0.
PFC_FN void mmo_gather(const MmoWorld* w, int32_t agent, int32_t fish) {
  MmoPlayer* me = &w->players[agent];
  const int32_t here = mmo_cell(w, me->x, me->y);
  if (w->ground[here] == MMO_BUSH && me->food < MMO_HUNGRY) {
    mmo_spend(w, here);
    mmo_restore_needs(w, agent, MMO_FULL, me->water);
  }
  if (me->water < MMO_HUNGRY && mmo_beside_water(w, here)) mmo_restore_needs(w, agent, me->food, MMO_FULL);
  const int32_t node = fish ? fish : here;
  if (w->ground[node] >= MMO_ORE) mmo_harvest(w, agent, node);
}

PFC_FN void mmo_player_turn(const MmoWorld* w, int32_t agent) {
  MmoPlayer* me = &w->players[agent];
  int32_t planned[MMO_DIMS];
  const int32_t* choices = w->io->actions + agent * MMO_DIMS;
  if (me->state != MMO_ACTIVE) return;
  if (w->p->autopilot) {
    for (int32_t i = 0; i < MMO_DIMS; ++i) planned[i] = me->plan[i];
    choices = planned;
  }
  const int32_t fish = mmo_act(w, agent, choices);
  me->seen.wait = (uint8_t)(me->seen.wait - (me->seen.wait > 0));
  me->seen.fighting = (uint8_t)(me->seen.fighting - (me->seen.fighting > 0));
  mmo_gather(w, agent, fish);
}

// ---- a creature's turn -------------------------------------------------------------------------------

// The target, or NULL if that life has ended.
PFC_FN const MmoPlayer* mmo_target(const MmoWorld* w, const MmoCreature* c) {
  if (c->target == 0) return NULL;
  const MmoPlayer* target = &w->players[c->target - 1];
  return target->state == MMO_ACTIVE && (uint8_t)target->life == c->target_life ? target : NULL;
}

PFC_FN void mmo_heal_creature(MmoCreature* c, int32_t percent) {
  const int32_t max_hp = mmo_creature_max_hp(c);
  if (c->hp < max_hp) c->hp = (int16_t)pfc_mini(c->hp + mmo_percent(max_hp, percent), max_hp);
}

PFC_FN void mmo_put_creature(const MmoWorld* w, MmoCreature* c, int32_t x, int32_t y) {
  mmo_shift(w, mmo_cell(w, c->x, c->y), mmo_cell(w, x, y));
  c->x = (int16_t)x, c->y = (int16_t)y;
}

PFC_FN bool mmo_creature_may_enter(const MmoWorld* w, int32_t cell) {
  const int32_t code = w->ground[cell];
  return w->unit[cell] == 0 && code != MMO_FLOOR && mmo_is_walkable(code);
}

PFC_FN bool mmo_creature_step(const MmoWorld* w, MmoCreature* c, int32_t step_x, int32_t step_y) {
  if (!mmo_creature_may_enter(w, mmo_cell(w, c->x + step_x, c->y + step_y))) return false;
  mmo_put_creature(w, c, c->x + step_x, c->y + step_y);
  return true;
}

PFC_FN int32_t mmo_sign(int32_t a) { return (a > 0) - (a < 0); }

// A step along the longer of two differences, or along the other one if that is blocked. False if both are.
PFC_FN bool mmo_creature_towards(const MmoWorld* w, MmoCreature* c, int32_t dx, int32_t dy) {
  const int32_t ax = mmo_abs(dx), ay = mmo_abs(dy);
  const bool vertical = ay > ax || (ay == ax && w->s->tick % 2 == 0);
  const int32_t step_x = mmo_sign(dx), step_y = mmo_sign(dy);
  if (vertical)
    return (step_y != 0 && mmo_creature_step(w, c, 0, step_y)) || (step_x != 0 && mmo_creature_step(w, c, step_x, 0));
  return (step_x != 0 && mmo_creature_step(w, c, step_x, 0)) || (step_y != 0 && mmo_creature_step(w, c, 0, step_y));
}

PFC_FN int32_t mmo_from_home(const MmoCreature* c) { return mmo_distance(c->x - c->home_x, c->y - c->home_y); }

// One tick of walking home, during which it heals and cannot be attacked. After the last tick it is put there.
PFC_FN void mmo_walk_home(const MmoWorld* w, MmoCreature* c) {
  if (mmo_from_home(c) > 0) (void)mmo_creature_towards(w, c, c->home_x - c->x, c->home_y - c->y);
  mmo_heal_creature(c, MMO_HOMING_PERCENT);
  c->homing -= 1;
  if (c->homing == 0 && mmo_from_home(c) > 0 && w->unit[mmo_cell(w, c->home_x, c->home_y)] == 0)
    mmo_put_creature(w, c, c->home_x, c->home_y);
  if (mmo_from_home(c) == 0 && c->hp == mmo_creature_max_hp(c)) c->homing = 0;
}

PFC_FN void mmo_send_home(MmoCreature* c) {
  c->target = 0;
  c->stuck = 0;
  c->homing = MMO_HOMING_TICKS;
}

// Players in row `dy` of the square that an aggressive creature sees, one bit each; bit 0 is dx = -MMO_SIGHT.
PFC_FN uint32_t mmo_crowd_row(const MmoWorld* w, int32_t cell, int32_t dy) {
  const int32_t first = cell + dy * w->stride - MMO_SIGHT;
  const uint8_t* at = w->crowd + (first >> 3);
  const uint32_t bits = (uint32_t)at[0] | (uint32_t)at[1] << 8;
  return bits >> (first & 7) & ((1u << (2 * MMO_SIGHT + 1)) - 1u);
}

PFC_FN bool mmo_tempts(const MmoWorld* w, const MmoCreature* c, int32_t agent) {
  const MmoPlayer* player = &w->players[agent];
  return player->state == MMO_ACTIVE && !mmo_in_town(player) && player->seen.combat <= c->level + MMO_BRAVE_LEVELS;
}

// The nearest player in sight that it may attack becomes its target; ties by y, then x.
PFC_FN void mmo_look_for_prey(const MmoWorld* w, MmoCreature* c) {
  const int32_t cell = mmo_cell(w, c->x, c->y);
  uint32_t rows[2 * MMO_SIGHT + 1], any = 0;
  int32_t best = MMO_SIGHT + 1;
  for (int32_t i = 0; i <= 2 * MMO_SIGHT; ++i) any |= rows[i] = mmo_crowd_row(w, cell, i - MMO_SIGHT);
  if (any == 0) return;
  for (int32_t i = 0; i <= 2 * MMO_SIGHT; ++i) {
    for (int32_t k = 0; rows[i] >> k != 0; ++k) {
      const int32_t dx = k - MMO_SIGHT, dy = i - MMO_SIGHT, distance = mmo_distance(dx, dy);
      if (!(rows[i] >> k & 1u) || distance >= best) continue;
      const int32_t agent = w->unit[cell + dy * w->stride + dx] - 1;
      if (!mmo_tempts(w, c, agent)) continue;
      best = distance;
      c->target = (uint16_t)(agent + 1);
      c->target_life = (uint8_t)w->players[agent].life;
    }
  }
}

// Takes or drops the target. A creature that drops it, or has strayed, walks home.
PFC_FN void mmo_settle_target(const MmoWorld* w, MmoCreature* c) {
  if (c->temper == MMO_PASSIVE) {
    if (mmo_from_home(c) > MMO_LEASH) mmo_send_home(c);
    return;
  }
  c->fresh = 0;
  if (c->target == 0 && c->temper >= MMO_AGGRESSIVE) mmo_look_for_prey(w, c);
  if (c->target == 0) return;
  const MmoPlayer* target = mmo_target(w, c);
  if (!target || mmo_in_town(target) || mmo_distance(target->x - c->x, target->y - c->y) > MMO_CHASE ||
      mmo_from_home(c) > MMO_LEASH || c->stuck >= MMO_STUCK)
    mmo_send_home(c);
}

PFC_FN void mmo_creature_hit(const MmoWorld* w, MmoCreature* c) {
  const int32_t victim = c->target - 1;
  const MmoPlayer* player = &w->players[victim];
  c->wait = MMO_CREATURE_HIT_TICKS;
  mmo_hit_player(w, victim,
                 mmo_damage(3 + 2 * c->level, mmo_factor(c->style, player->seen.style), mmo_defence(player)), c->style);

}

PFC_FN void mmo_chase(const MmoWorld* w, MmoCreature* c, const MmoPlayer* target) {
  const int32_t dx = target->x - c->x, dy = target->y - c->y, distance = mmo_distance(dx, dy);
  if (distance <= mmo_reach[c->style] && mmo_sees(w->ground + mmo_cell(w, c->x, c->y), w->stride, dx, dy, distance)) {
    c->stuck = 0;
    if (c->wait == 0) mmo_creature_hit(w, c);
    return;
  }
  c->stuck = (uint8_t)(mmo_creature_towards(w, c, dx, dy) ? 0 : c->stuck + 1);
}

// Rests and heals. One tick in 8 takes a random step that stays near home.
PFC_FN void mmo_wander(const MmoWorld* w, MmoCreature* c) {
  const uint32_t draw = pfc_rng_u32(&w->s->rng);
  mmo_heal_creature(c, MMO_IDLE_PERCENT);
  if (draw & 7) return;
  const int32_t move = MMO_UP + (int32_t)(draw >> 3 & 3);
  const int32_t dx = c->x + mmo_step_x[move] - c->home_x, dy = c->y + mmo_step_y[move] - c->home_y;
  const int32_t distance = mmo_distance(dx, dy);
  if (distance <= MMO_WANDER || distance < mmo_from_home(c))
    (void)mmo_creature_step(w, c, mmo_step_x[move], mmo_step_y[move]);
}

PFC_FN void mmo_creature_acts(const MmoWorld* w, MmoCreature* c) {
  if (c->homing == 0) mmo_settle_target(w, c);
  if (c->homing > 0) {
    mmo_walk_home(w, c);
    return;
  }
  const MmoPlayer* target = mmo_target(w, c);
  if (c->temper != MMO_PASSIVE && target) mmo_chase(w, c, target);
  else if (c->since < MMO_FLEE_TICKS && target) (void)mmo_creature_towards(w, c, c->x - target->x, c->y - target->y);
  else mmo_wander(w, c);
}

// A dead creature respawns at home or, if that is occupied, at the nearest free cell; ties by y, then x.
PFC_FN void mmo_return_creature(const MmoWorld* w, int32_t index) {
  MmoCreature* c = &w->creatures[index];
  int32_t best = MMO_RETURN_REACH + 1, found_x = 0, found_y = 0;
  for (int32_t dy = -MMO_RETURN_REACH; dy <= MMO_RETURN_REACH; ++dy) {
    for (int32_t dx = -MMO_RETURN_REACH; dx <= MMO_RETURN_REACH; ++dx) {
      const int32_t x = c->home_x + dx, y = c->home_y + dy, distance = mmo_distance(dx, dy);
      if (distance >= best || !mmo_creature_may_enter(w, mmo_cell(w, x, y))) continue;
      best = distance, found_x = x, found_y = y;
    }
  }
  if (best <= MMO_RETURN_REACH) mmo_appear(w, index, found_x, found_y);
  else c->wait = MMO_RETRY_TICKS;
}

PFC_FN void mmo_creature_turn(const MmoWorld* w, int32_t index) {
  MmoCreature* c = &w->creatures[index];
  c->wait = (uint8_t)(c->wait - (c->wait > 0));
  if (c->hp == 0) {
    if (c->since < w->p->creature_ticks) c->since += 1;
    else if (c->wait == 0) mmo_return_creature(w, index);
    return;
  }
  const int32_t hp = c->hp;
  const bool hostile = mmo_is_hostile(c);
  mmo_creature_acts(w, c);
  if (c->since < MMO_LONG_AGO) c->since += 1;
  if (c->hp != hp || mmo_is_hostile(c) != hostile) mmo_show_creature(w, c);
}

// ---- a tick ------------------------------------------------------------------------------------------

PFC_FN void mmo_script_choices(const MmoWorld* w, int32_t agent, PfcRng* rng, int32_t* choices);

// All choices are made before anything moves, from what agents observed after the last tick.
PFC_FN void mmo_plan(const MmoWorld* w) {
  for (int32_t i = 0; i < w->p->players; ++i) {
    int32_t choices[MMO_DIMS];
    if (!w->io->alive[i]) continue;
    mmo_script_choices(w, i, &w->s->rng, choices);
    for (int32_t k = 0; k < MMO_DIMS; ++k) w->players[i].plan[k] = (uint8_t)choices[k];
  }
}

// Rows that wait for a reset, in a pool without autoreset, are stopped.
PFC_FN void mmo_begin_tick(const MmoWorld* w) {
  for (int32_t i = 0; i < w->p->players; ++i) {
    MmoPlayer* me = &w->players[i];
    me->damage = 0;
    me->seen.hurt = 0;
    if (me->state != MMO_OFF) me->state = w->io->alive[i] ? MMO_ACTIVE : MMO_STOPPED;
  }
}

// The order of a tick. On even ticks by index, cyclically from a start that moves by one; on odd ticks the reverse of
// the tick before. So each of two units is first equally often.
typedef struct MmoOrder {
  int32_t next, step, count;
} MmoOrder;

PFC_FN MmoOrder mmo_order(uint32_t tick, int32_t count) {
  const int32_t first = count > 0 ? (int32_t)(tick / 2 % (uint32_t)count) : 0;
  MmoOrder order = {first, 1, count};
  if (tick % 2 == 1) {
    order.next = first > 0 ? first - 1 : count - 1;
    order.step = -1;
  }
  return order;
}

PFC_FN int32_t mmo_next(MmoOrder* order) {
  const int32_t index = order->next, next = index + order->step;
  order->next = next < 0 ? order->count - 1 : next < order->count ? next : 0;
  return index;
}

PFC_FN void mmo_starve(const MmoWorld* w, MmoPlayer* me) {
  const int32_t need_ticks = w->p->need_ticks;
  me->age += me->age < INT32_MAX;
  if (need_ticks > 0 && me->age % need_ticks == 0) {
    me->food = (uint8_t)(me->food - (me->food > 0));
    me->water = (uint8_t)(me->water - (me->water > 0));
  }
}

// Hunger, thirst and rest of one player.
PFC_FN void mmo_live(const MmoWorld* w, int32_t agent) {
  MmoPlayer* me = &w->players[agent];
  if (me->state != MMO_ACTIVE) return;
  mmo_starve(w, me);
  const int32_t lost = MMO_STARVE_HP * ((me->food == 0) + (me->water == 0));
  if (lost == 0) {
    if (me->hp >= mmo_max_hp(me) || (me->seen.fighting > 0 && me->age % MMO_FIGHT_HEAL_TICKS != 0)) return;
    me->hp = (int16_t)(me->hp + MMO_REST_HP);
  } else {
    me->hp = (int16_t)pfc_maxi(me->hp - lost, 0);
    if (me->hp == 0) {
      mmo_die(w, agent, MMO_HUNGER);
      return;
    }
  }
  mmo_show_player(w, me);
}

PFC_FN void mmo_regrow(const MmoWorld* w) {
  Mmo* s = w->s;
  for (; s->spent_count > 0; --s->spent_count) {
    const MmoSpent* spent = &w->ring[s->spent_first];
    if ((int32_t)(spent->due - s->tick) > 0) return;
    w->ground[spent->cell_code / MMO_GROUND_CODES] = (uint8_t)(spent->cell_code % MMO_GROUND_CODES);
    s->spent_first = s->spent_first + 1 < (uint32_t)w->ring_size ? s->spent_first + 1 : 0;
  }
}

PFC_FN void mmo_cut_short(const MmoWorld* w) {
  const MmoParams* p = w->p;
  const bool world_ends = p->world_ticks > 0 && w->s->tick >= (uint32_t)p->world_ticks;
  if (world_ends) w->s->renew = 1;
  if (!world_ends && p->stall_ticks == 0) return;
  for (int32_t i = 0; i < p->players; ++i) {
    const MmoPlayer* me = &w->players[i];
    const bool stalls = p->stall_ticks > 0 && me->age - me->progress >= p->stall_ticks;
    if (me->state == MMO_ACTIVE && (world_ends || stalls)) w->io->truncated[i] = 1;
  }
}

PFC_FN void mmo_step(Mmo* s, const MmoParams* p, PfcIo io) {
  const MmoWorld w = mmo_world(s, p, &io);
  if (p->autopilot) mmo_plan(&w);
  mmo_begin_tick(&w);
  MmoOrder order = mmo_order(s->tick, p->players);
  for (int32_t i = 0; i < p->players; ++i) mmo_player_turn(&w, mmo_next(&order));
  order = mmo_order(s->tick, p->creatures);
  for (int32_t i = 0; i < p->creatures; ++i) mmo_creature_turn(&w, mmo_next(&order));
  for (int32_t i = 0; i < p->players; ++i) mmo_live(&w, i);
  mmo_regrow(&w);
  mmo_sweep_market(&w);
  s->tick += 1;
  mmo_cut_short(&w);
}

// ---- what an agent sees ------------------------------------------------------------------------------

static const PfcObsRow mmo_obs[] = {
    PFC_OBS_CODES("hp", 1, 21, "20ths of the maximum, rounded up"),
    PFC_OBS_CODES("food", 1, 21, "20ths, rounded up"),
    PFC_OBS_CODES("water", 1, 21, "20ths, rounded up"),
    PFC_OBS_CODES("skill", 8, 31, "levels: melee, ranged, magic; mining, carving, alchemy, herbalism, fishing"),
    PFC_OBS_CODES("combat", 1, 31, "the best of melee, ranged, magic"),
    PFC_OBS_CODES("profession", 1, 31, "the best of the five other skills"),
    PFC_OBS_CODES("gold", 1, 16, "0, else 1 + log2, rounded down"),
    PFC_OBS_CODES("wait", 1, 2, "ticks until the next attack"),
    PFC_OBS_CODES("fighting", 1, 6, "ticks of combat left"),
    PFC_OBS_CODES("style", 1, 4, "of the last attack: 1 melee, 2 ranged, 3 magic, 0 none yet"),
    PFC_OBS_CODES("hurt", 1, 11, "damage by hits in the last tick, 20ths of the maximum hp, rounded up, at most 10"),
    PFC_OBS_CODES("hitter", 1, 4, "style of the last hitter, 0 none yet"),
    PFC_OBS_CODES("weapon", 1, 4, "kind of the worn weapon: 1 sword, 2 bow, 3 staff"),
    PFC_OBS_CODES("gear", 5, 6, "tiers of the worn weapon, helm, body, legs, tool"),
    PFC_OBS_CODES("bag", 16, 10,
                  "8 slots of kind and tier: 1 sword, 2 bow, 3 staff, 4 helm, 5 body, 6 legs, 7 tool, 8 potion, "
                  "9 ration"),
    PFC_OBS_CODES("town_direction", 1, 9, "of the nearest town: 1 up, then clockwise; 0 in a town"),
    PFC_OBS_CODES("town_distance", 1, 16, "cells to its centre / 3, at most 15"),
    PFC_OBS_CODES("danger", 1, 6, "tier of the creatures and nodes here; 0 in a town"),
    PFC_OBS_CODES("offer", 9, 6, "by kind: highest tier on offer that the player can pay and wear now"),
    PFC_OBS_PLANE("ground", 121, MMO_GROUND_CODES, 11, 11,
                  "0 grass, 1 water, 2 stone, 3 outside, 4 town, 5 bush, 6 spent; ore 7-11, wood 12-16, crystal 17-21, "
                  "herb 22-26, fish 27-31 by tier; row by row, the player in the middle"),
    PFC_OBS_PLANE("who", 121, MMO_WHO_CODES, 11, 11,
                  "creatures 5 (style - 1) + tier, elites 15 + tier, players 20 + tier, below half their hp 25 + tier"),
    PFC_OBS_PLANE("vigour", 121, MMO_VIGOUR_CODES, 11, 11,
                  "hp in eighths; 8 more for a creature that is aggressive or has a target"),
};
enum { MMO_OBS_ROWS = sizeof mmo_obs / sizeof mmo_obs[0], MMO_PLANES = 3 };

static void mmo_fill_rows(const void* params, PfcObsRow* rows) {
  const int32_t side = 2 * ((const MmoParams*)params)->vision + 1;
  for (int32_t i = MMO_OBS_ROWS - MMO_PLANES; i < MMO_OBS_ROWS; ++i) {
    rows[i].count = side * side;
    rows[i].plane_height = rows[i].plane_width = side;
  }
}

enum { MMO_MIN_PRICE = 3 };  // of any listing: 3/4 of the lowest base price

// offers [MMO_MARKET_LANES], by kind - 1: the highest tier on offer, own listings and the shop included, that the
// player can pay and may wear; 0 = none.
PFC_FN void mmo_find_offers(const MmoWorld* w, const MmoPlayer* me, uint8_t* offers) {
  uint16_t wearable[MMO_MARKET_LANES] = {0}, found[MMO_MARKET_LANES] = {0};
  const uint16_t gold = (uint16_t)me->gold;
  memset(offers, 0, MMO_MARKET_LANES);
  if (gold < MMO_MIN_PRICE) return;
  for (int32_t kind = 1; kind <= MMO_KINDS; ++kind) {
    wearable[kind - 1] = (uint16_t)mmo_wearable(&me->seen, kind);
    found[kind - 1] = w->p->shop && mmo_shop_price(kind) <= gold && wearable[kind - 1] >= 1;
  }
  for (uint16_t tier = 1; tier <= MMO_TIERS; ++tier) {
    const uint16_t* price = w->market->best[tier - 1];
    for (int32_t i = 0; i < MMO_MARKET_LANES; ++i)
      found[i] = price[i] <= gold && tier <= wearable[i] ? tier : found[i];
  }
  for (int32_t i = 0; i < MMO_MARKET_LANES; ++i) offers[i] = (uint8_t)found[i];
}

// The default window. Whole lanes are copied; the next row overwrites the surplus.
enum { MMO_VISION = 5, MMO_SIDE = 2 * MMO_VISION + 1 };

PFC_FN void mmo_copy_default(const uint8_t* corner, int32_t stride, uint8_t* out) {
  for (int32_t y = 0; y < MMO_SIDE - 1; ++y) memcpy(out + y * MMO_SIDE, corner + y * stride, MMO_LANE);
  memcpy(out + (MMO_SIDE - 1) * MMO_SIDE, corner + (MMO_SIDE - 1) * stride, MMO_SIDE);
}

PFC_FN void mmo_copy_window(const uint8_t* corner, int32_t stride, int32_t side, uint8_t* out) {
  if (side == MMO_SIDE) {
    mmo_copy_default(corner, stride, out);
    return;
  }
  for (int32_t y = 0; y < side; ++y) memcpy(out + y * side, corner + y * stride, (size_t)side);
}

// A player that is off the board sees its last cell.
PFC_FN void mmo_observe(const Mmo* s, const MmoParams* p, int32_t agent, MmoObs* obs) {
  const MmoWorld w = mmo_world(s, p, NULL);
  const MmoPlayer* me = &w.players[agent];
  const int32_t side = 2 * p->vision + 1, max_hp = mmo_max_hp(me);
  const int32_t corner = mmo_cell(&w, me->x - p->vision, me->y - p->vision);
  uint8_t offers[MMO_MARKET_LANES];
  uint8_t* out = obs->code;
  out[0] = (uint8_t)((20 * me->hp + max_hp - 1) / max_hp);
  out[1] = (uint8_t)((me->food + 4) / 5);
  out[2] = (uint8_t)((me->water + 4) / 5);
  memcpy(out + MMO_SEEN, &me->seen, sizeof me->seen);
  mmo_find_offers(&w, me, offers);
  memcpy(out + MMO_SEEN + sizeof me->seen, offers, MMO_KINDS);
  out += MMO_HEAD;
  mmo_copy_window(w.ground + corner, w.stride, side, out);
  mmo_copy_window(w.who + corner, w.stride, side, out + side * side);
  mmo_copy_window(w.vigour + corner, w.stride, side, out + 2 * side * side);
}

PFC_FN void mmo_mask_acts(const MmoWorld* w, const MmoPlayer* me, bool holds, uint8_t* acts) {
  const int32_t cell = mmo_cell(w, me->x, me->y);
  const bool fights = me->seen.wait == 0 && !mmo_in_town(me), calm = me->seen.fighting == 0;
  acts[MMO_REST] = 1;
  for (int32_t move = MMO_UP; move <= MMO_RIGHT; ++move) {
    const int32_t code = w->ground[mmo_neighbour(w, cell, move)];
    acts[move] = mmo_is_walkable(code) || code >= MMO_FISH;
  }
  acts[MMO_ATTACK_MELEE] = acts[MMO_ATTACK_RANGED] = acts[MMO_ATTACK_MAGIC] = fights;
  acts[MMO_USE] = holds;
  acts[MMO_SELL] = holds && calm;
  acts[MMO_BUY] = calm && mmo_free_slot(&me->seen) < MMO_BAG;
}

PFC_FN void mmo_mask(const void* state, const void* params, int32_t agent, uint8_t* legal) {
  const MmoWorld w = mmo_world((const Mmo*)state, (const MmoParams*)params, NULL);
  const MmoPlayer* me = &w.players[agent];
  uint8_t *slots = legal + MMO_ACTS, *kinds = slots + MMO_BAG, *prices = kinds + MMO_KINDS;
  uint8_t offers[MMO_MARKET_LANES];
  int32_t offered = 0, held = 0;
  mmo_find_offers(&w, me, offers);
  for (int32_t i = 0; i < MMO_KINDS; ++i) offered |= offers[i];
  for (int32_t i = 0; i < MMO_BAG; ++i) held |= me->seen.bag[i][0];
  mmo_mask_acts(&w, me, held != 0, legal);
  for (int32_t i = 0; i < MMO_BAG; ++i) slots[i] = held == 0 || me->seen.bag[i][0] != MMO_NOTHING;
  for (int32_t i = 0; i < MMO_KINDS; ++i) kinds[i] = offered == 0 || offers[i] != 0;
  memset(prices, 1, MMO_PRICES);
}

PFC_FN void mmo_metrics(const Mmo* s, const MmoParams* p, int32_t agent, float* values) {
  const MmoWorld w = mmo_world(s, p, NULL);
  const MmoPlayer* me = &w.players[agent];
  const int32_t score = mmo_score(me);
  values[0] = (float)score;
  values[1] = (float)pfc_maxi(score - 1, 0) / (float)(MMO_MAX_LEVEL - 1);
  values[2] = (float)me->age;
  values[3] = (float)me->seen.combat;
  values[4] = (float)me->seen.profession;
  values[5] = (float)me->kills;
  values[6] = (float)me->gathered;
  values[7] = (float)(me->ended == MMO_ALIVE ? mmo_gear(me) : me->gear);
  values[8] = (float)me->earned;
  values[9] = (float)me->sold;
  values[10] = (float)me->bought;
  values[11] = (float)(me->ended == MMO_HUNGER);
  values[12] = (float)(me->ended == MMO_SLAIN);
  values[13] = (float)me->tier;
}

// ---- the built-in player -----------------------------------------------------------------------------
//
// A list of rules; the first that applies decides. It reads the player's observation and last move, no other state: it
// knows a creature's tier but not its level, and not whom the creature is after. A flood of the window finds its paths.

enum { MMO_MAX_SIDE = 15, MMO_MAX_VIEW = MMO_MAX_SIDE * MMO_MAX_SIDE };
enum { MMO_PILOT_LOW = 8, MMO_PILOT_WEAK = 10 };  // 20ths: of food, water and hp for a potion; of hp for a fight
enum { MMO_PILOT_GUESS = 3 };                     // assumed level of a creature within its tier, 1 to 6
enum { MMO_PILOT_FEAR = MMO_SIGHT + 1 };          // cells; one more than an aggressive creature sees
enum { MMO_PILOT_TURN = 16, MMO_PILOT_MAX_KEPT = 2, MMO_PILOT_SHOP = 4 };  // one in 16 turns; potions; one sale in 4

// The cells of the window that the player can walk to, nearest first; [0] is its own.
typedef struct MmoFlood {
  int32_t count;
  int8_t x[MMO_MAX_VIEW], y[MMO_MAX_VIEW];  // from the player
  uint8_t place[MMO_MAX_VIEW];              // index in the window
  uint8_t move[MMO_MAX_VIEW];               // the first move on the way there; 0 for [0]
} MmoFlood;

typedef struct MmoPilot {
  const uint8_t *obs, *ground, *who, *vigour;  // the observation; its planes [side, side]
  MmoSeen seen;                                // values 3 to 43 of it
  int32_t vision, side, last_move;
  bool pvp;
  PfcRng* rng;
  int32_t* choices;
  int32_t prey, prey_x, prey_y;  // creature to hunt: its place, or -1; cells from the player
  int32_t style;                 // that hurts the prey most
  MmoFlood flood;
} MmoPilot;

// The place next to cell i of the flood, or -1 outside the window.
PFC_FN int32_t mmo_place_beside(const MmoPilot* pilot, int32_t i, int32_t move) {
  const int32_t x = pilot->flood.x[i] + mmo_step_x[move], y = pilot->flood.y[i] + mmo_step_y[move];
  return mmo_distance(x, y) > pilot->vision ? -1 : (y + pilot->vision) * pilot->side + x + pilot->vision;
}

PFC_FN void mmo_flood_view(MmoPilot* pilot) {
  MmoFlood* flood = &pilot->flood;
  uint8_t marked[MMO_MAX_VIEW] = {0};
  flood->count = 1;
  flood->x[0] = flood->y[0] = 0;
  flood->place[0] = (uint8_t)(pilot->side * pilot->side / 2);
  flood->move[0] = 0;
  marked[flood->place[0]] = 1;
  for (int32_t i = 0; i < flood->count; ++i) {
    for (int32_t move = MMO_UP; move <= MMO_RIGHT; ++move) {
      const int32_t place = mmo_place_beside(pilot, i, move), end = flood->count;
      if (place < 0 || marked[place] || pilot->who[place] || !mmo_is_walkable(pilot->ground[place])) continue;
      marked[place] = 1;
      flood->x[end] = (int8_t)(flood->x[i] + mmo_step_x[move]);
      flood->y[end] = (int8_t)(flood->y[i] + mmo_step_y[move]);
      flood->place[end] = (uint8_t)place;
      flood->move[end] = i == 0 ? (uint8_t)move : flood->move[i];
      flood->count += 1;
    }
  }
}

enum { MMO_WANT_BUSH, MMO_WANT_WATER, MMO_WANT_NODE, MMO_WANT_PREY, MMO_WANT_TOWN };

PFC_FN bool mmo_can_gather(const MmoSeen* seen, int32_t code) {
  return code >= MMO_ORE && mmo_node_tier(code) - 1 <= seen->tool;
}

PFC_FN bool mmo_pilot_drinks(const MmoPilot* pilot, int32_t i) {
  for (int32_t move = MMO_UP; move <= MMO_RIGHT; ++move) {
    const int32_t place = mmo_place_beside(pilot, i, move);
    if (place >= 0 && mmo_is_water(pilot->ground[place])) return true;
  }
  return false;
}

// The move from cell i of the flood into a fish that the player can catch, or 0.
PFC_FN int32_t mmo_fish_beside(const MmoPilot* pilot, int32_t i) {
  for (int32_t move = MMO_UP; move <= MMO_RIGHT; ++move) {
    const int32_t place = mmo_place_beside(pilot, i, move), code = place < 0 ? 0 : pilot->ground[place];
    if (code >= MMO_FISH && mmo_can_gather(&pilot->seen, code)) return move;
  }
  return 0;
}

PFC_FN bool mmo_reaches_prey(const MmoPilot* pilot, int32_t i) {
  const int32_t dx = pilot->prey_x - pilot->flood.x[i], dy = pilot->prey_y - pilot->flood.y[i];
  const uint8_t* from = pilot->ground + pilot->flood.place[i];
  const int32_t distance = mmo_distance(dx, dy);
  return *from != MMO_FLOOR && distance <= mmo_reach[pilot->style] && mmo_sees(from, pilot->side, dx, dy, distance);
}

PFC_FN bool mmo_is_wanted(const MmoPilot* pilot, int32_t i, int32_t want) {
  const int32_t code = pilot->ground[pilot->flood.place[i]];
  switch (want) {
    case MMO_WANT_BUSH: return code == MMO_BUSH;
    case MMO_WANT_WATER: return mmo_pilot_drinks(pilot, i);
    case MMO_WANT_NODE: return mmo_can_gather(&pilot->seen, code) || mmo_fish_beside(pilot, i) != 0;
    case MMO_WANT_PREY: return mmo_reaches_prey(pilot, i);
    default: return code == MMO_FLOOR;
  }
}

// Steps towards the nearest wanted cell; false if there is none, or the player is there already.
PFC_FN bool mmo_seek(const MmoPilot* pilot, int32_t want) {
  int32_t i = 0;
  while (i < pilot->flood.count && !mmo_is_wanted(pilot, i, want)) ++i;
  if (i == pilot->flood.count) return false;
  const int32_t move = i == 0 && want == MMO_WANT_NODE ? mmo_fish_beside(pilot, 0) : pilot->flood.move[i];
  pilot->choices[MMO_ACT] = move;
  return move != 0;
}

// Straight on. Turns when blocked, and at random.
PFC_FN void mmo_stroll(const MmoPilot* pilot) {
  int32_t move = pilot->last_move;
  const bool turns = move == 0 || pfc_rng_below(pilot->rng, MMO_PILOT_TURN) == 0;
  if (turns) move = MMO_UP + (int32_t)pfc_rng_below(pilot->rng, 4);
  const int32_t turn = 1 + 2 * (int32_t)pfc_rng_below(pilot->rng, 2);  // to either side
  for (int32_t i = 0; i < 4; ++i, move = MMO_UP + (move - MMO_UP + turn) % 4) {
    const int32_t place = mmo_place_beside(pilot, 0, move);
    if (pilot->who[place] || !mmo_is_walkable(pilot->ground[place])) continue;
    pilot->choices[MMO_ACT] = move;
    return;
  }
}

PFC_TABLE int8_t mmo_compass_x[] = {0, 0, 1, 1, 1, 0, -1, -1, -1};  // by town_direction
PFC_TABLE int8_t mmo_compass_y[] = {0, -1, -1, 0, 1, 1, 1, 0, -1};

// To a town in sight, else to the reachable cell that is nearest to where the observation says that the town is.
PFC_FN void mmo_head_for_town(const MmoPilot* pilot) {
  const MmoSeen* seen = &pilot->seen;
  const int32_t distance = 3 * seen->town_distance + 1;
  const int32_t x = distance * mmo_compass_x[seen->town_direction], y = distance * mmo_compass_y[seen->town_direction];
  int32_t best = 0, best_distance = INT32_MAX;
  if (mmo_seek(pilot, MMO_WANT_TOWN)) return;
  for (int32_t i = 0; i < pilot->flood.count; ++i) {
    const int32_t left = mmo_abs(x - pilot->flood.x[i]) + mmo_abs(y - pilot->flood.y[i]);
    if (left < best_distance) best = i, best_distance = left;
  }
  if (best == 0) mmo_stroll(pilot);
  else pilot->choices[MMO_ACT] = pilot->flood.move[best];
}

PFC_FN void mmo_choose_slot(const MmoPilot* pilot, int32_t act, int32_t slot, int32_t price) {
  pilot->choices[MMO_ACT] = act;
  pilot->choices[MMO_SLOT] = slot;
  pilot->choices[MMO_PRICE] = price;
}

PFC_FN bool mmo_pilot_consumes(const MmoPilot* pilot, int32_t kind) {
  for (int32_t slot = 0; slot < MMO_BAG; ++slot) {
    if (pilot->seen.bag[slot][0] != kind) continue;
    mmo_choose_slot(pilot, MMO_USE, slot, 0);
    return true;
  }
  return false;
}

// How much better an item is than what is worn in its place; 0 for consumables.
PFC_FN int32_t mmo_gain(const MmoSeen* seen, const uint8_t* item) {
  const int32_t kind = item[0], tier = item[1];
  if (kind == MMO_NOTHING || kind >= MMO_POTION) return 0;
  if (kind == MMO_TOOL) return tier - seen->tool;
  if (kind >= MMO_HELM) return tier - seen->armour[kind - MMO_HELM];
  const int32_t worn = seen->weapon ? 2 * seen->level[seen->weapon - 1] + 6 * seen->weapon_tier : 0;
  return 2 * seen->level[kind - 1] + 6 * tier - worn;
}

PFC_FN bool mmo_pilot_dresses(const MmoPilot* pilot) {
  const MmoSeen* seen = &pilot->seen;
  if (seen->fighting > 0) return false;
  for (int32_t slot = 0; slot < MMO_BAG; ++slot) {
    const uint8_t* item = seen->bag[slot];
    if (mmo_gain(seen, item) <= 0 || item[1] > mmo_wearable(seen, item[0])) continue;
    mmo_choose_slot(pilot, MMO_USE, slot, 0);
    return true;
  }
  return false;
}

// Keeps two potions, two rations, and the best piece of each kind of gear if it can be worn within 6 levels.
PFC_FN bool mmo_pilot_keeps(const MmoSeen* seen, int32_t slot) {
  const uint8_t* item = seen->bag[slot];
  int32_t others = 0;
  for (int32_t i = 0; i < MMO_BAG; ++i) {
    const uint8_t* other = seen->bag[i];
    others += i != slot && other[0] == item[0] && (other[1] > item[1] || (other[1] == item[1] && i < slot));
  }
  if (item[0] >= MMO_POTION) return others < MMO_PILOT_MAX_KEPT;
  return others == 0 && mmo_gain(seen, item) > 0 && item[1] <= mmo_wearable(seen, item[0]) + 1;
}

// The shop gets what cannot be worn within 6 levels, and some of the rest, because a full book refuses listings and a
// player does not see whether it is full.
PFC_FN bool mmo_pilot_sells(const MmoPilot* pilot) {
  const MmoSeen* seen = &pilot->seen;
  if (seen->fighting > 0 || seen->danger > 0) return false;
  for (int32_t slot = 0; slot < MMO_BAG; ++slot) {
    const int32_t kind = seen->bag[slot][0], tier = seen->bag[slot][1];
    if (kind == MMO_NOTHING || mmo_pilot_keeps(seen, slot)) continue;
    const bool shop = tier > mmo_wearable(seen, kind) + 1 || pfc_rng_below(pilot->rng, MMO_PILOT_SHOP) == 0;
    mmo_choose_slot(pilot, MMO_SELL, slot, shop ? 0 : 2);
    return true;
  }
  return false;
}

// The style that does most damage to a creature of this style and level.
PFC_FN int32_t mmo_strongest_style(const MmoSeen* seen, int32_t against, int32_t level) {
  int32_t best = MMO_MELEE, best_damage = 0;
  for (int32_t style = MMO_MELEE; style <= MMO_MAGIC; ++style) {
    const int32_t damage = mmo_damage(mmo_offence(seen, style), mmo_factor(style, against), 2 * level);
    if (damage > best_damage) best = style, best_damage = damage;
  }
  return best;
}

PFC_FN int32_t mmo_guess_level(int32_t who) { return MMO_LEVELS_PER_TIER * ((who - 1) % MMO_TIERS) + MMO_PILOT_GUESS; }

// Creatures of tier 1 never attack first, so they are prey at any level.
PFC_FN bool mmo_is_prey(const MmoSeen* seen, int32_t who) {
  return who <= MMO_WHO_ELITE && ((who - 1) % MMO_TIERS == 0 || mmo_guess_level(who) <= seen->combat + 1);
}

// Finds the nearest prey in the window. Returns true if there is a hostile creature that the player must not fight (one
// that is no prey, or any while the player is weak), and it is near or the player is in combat.
PFC_FN bool mmo_pilot_looks(MmoPilot* pilot, bool weak) {
  const int32_t vision = pilot->vision;
  int32_t best = INT32_MAX, place = 0;
  bool hunted = false;
  pilot->prey = -1;
  for (int32_t dy = -vision; dy <= vision; ++dy) {
    for (int32_t dx = -vision; dx <= vision; ++dx, ++place) {
      const int32_t who = pilot->who[place], distance = mmo_distance(dx, dy);
      if (who == 0 || who > MMO_WHO_PLAYER) continue;
      const bool prey = mmo_is_prey(&pilot->seen, who), hostile = pilot->vigour[place] > 8;
      hunted |= hostile && (weak || !prey) && (pilot->seen.fighting > 0 || distance <= MMO_PILOT_FEAR);
      if (!prey || distance >= best) continue;
      best = distance;
      pilot->prey = place, pilot->prey_x = dx, pilot->prey_y = dy;
    }
  }
  if (pilot->prey < 0) return hunted;
  const int32_t who = pilot->who[pilot->prey];
  pilot->style = mmo_strongest_style(&pilot->seen, (who - 1) / MMO_TIERS + 1, mmo_guess_level(who));
  return hunted;
}

// Place of the unit that an attack of the prey's style would meet, -1 if there is none: see mmo_find_target.
PFC_FN int32_t mmo_pilot_meets(const MmoPilot* pilot) {
  const int32_t reach = pfc_mini(mmo_reach[pilot->style], pilot->vision), middle = pilot->flood.place[0];
  int32_t found = -1, best = INT32_MAX;
  for (int32_t dy = -reach; dy <= reach; ++dy) {
    for (int32_t dx = -reach; dx <= reach; ++dx) {
      const int32_t place = middle + dy * pilot->side + dx, who = pilot->who[place];
      const bool is_player = who > MMO_WHO_PLAYER;
      if (who == 0 || place == middle || (is_player && !pilot->pvp)) continue;
      const int32_t distance = mmo_distance(dx, dy), order = mmo_target_order(dx, dy, is_player);
      if (order >= best || !mmo_sees(pilot->ground + middle, pilot->side, dx, dy, distance)) continue;
      best = order;
      found = place;
    }
  }
  return found;
}

// Makes no attack that would meet another unit.
PFC_FN bool mmo_pilot_hunts(const MmoPilot* pilot) {
  if (pilot->prey < 0) return false;
  if (!mmo_reaches_prey(pilot, 0)) return mmo_seek(pilot, MMO_WANT_PREY);
  if (mmo_pilot_meets(pilot) != pilot->prey) return false;
  if (pilot->seen.wait == 0) pilot->choices[MMO_ACT] = MMO_ATTACK_MELEE + pilot->style - MMO_MELEE;
  return true;
}

// Legal choices for the dimensions that the act does not need.
PFC_FN void mmo_pilot_rests(const MmoPilot* pilot) {
  const uint8_t* offers = pilot->obs + MMO_HEAD - MMO_KINDS;
  int32_t slot = 0, kind = 0;
  while (slot < MMO_BAG && pilot->seen.bag[slot][0] == MMO_NOTHING) ++slot;
  while (kind < MMO_KINDS && offers[kind] == 0) ++kind;
  pilot->choices[MMO_ACT] = MMO_REST;
  pilot->choices[MMO_SLOT] = slot % MMO_BAG;
  pilot->choices[MMO_KIND] = kind % MMO_KINDS;
  pilot->choices[MMO_PRICE] = 0;
}

PFC_FN void mmo_pilot_decides(MmoPilot* pilot) {
  const MmoSeen* seen = &pilot->seen;
  const int32_t hp = pilot->obs[0];
  const bool hungry = pilot->obs[1] <= MMO_PILOT_LOW, thirsty = pilot->obs[2] <= MMO_PILOT_LOW;
  mmo_pilot_rests(pilot);
  if (hp <= MMO_PILOT_LOW && mmo_pilot_consumes(pilot, MMO_POTION)) return;
  if (mmo_pilot_dresses(pilot)) return;
  if ((hungry || thirsty) && mmo_pilot_consumes(pilot, MMO_RATION)) return;
  mmo_flood_view(pilot);
  if (hungry && mmo_seek(pilot, MMO_WANT_BUSH)) return;
  if (thirsty && mmo_seek(pilot, MMO_WANT_WATER)) return;
  const bool weak = hp <= MMO_PILOT_WEAK, hunted = mmo_pilot_looks(pilot, weak);
  const bool strayed = seen->danger > mmo_tier_of(seen->combat) + (hungry || thirsty);
  if (!hunted && !weak && mmo_pilot_hunts(pilot)) return;
  if (hunted || strayed) mmo_head_for_town(pilot);
  else if (mmo_free_slot(seen) < MMO_BAG && mmo_seek(pilot, MMO_WANT_NODE)) return;
  else if (!mmo_pilot_sells(pilot)) mmo_stroll(pilot);
}

// obs: the player's observation. It and the last move are all that the choices depend on, beside parameters and chance.
PFC_FN void mmo_autopilot(const MmoParams* p, const uint8_t* obs, int32_t last_move, PfcRng* rng, int32_t* choices) {
  MmoPilot pilot;
  pilot.vision = p->vision, pilot.side = 2 * p->vision + 1;
  pilot.pvp = p->pvp != 0;
  pilot.obs = obs, pilot.ground = obs + MMO_HEAD;
  pilot.who = pilot.ground + pilot.side * pilot.side, pilot.vigour = pilot.who + pilot.side * pilot.side;
  memcpy(&pilot.seen, obs + MMO_SEEN, sizeof pilot.seen);
  pilot.last_move = last_move;
  pilot.rng = rng, pilot.choices = choices;
  mmo_pilot_decides(&pilot);
}

PFC_FN void mmo_script_choices(const MmoWorld* w, int32_t agent, PfcRng* rng, int32_t* choices) {
  uint8_t obs[MMO_HEAD + MMO_PLANES * MMO_MAX_VIEW];
  mmo_observe(w->s, w->p, agent, (MmoObs*)(void*)obs);
  mmo_autopilot(w->p, obs, w->players[agent].last_move, rng, choices);
}

static void mmo_script(const void* state, const void* params, int32_t agent, int32_t level, PfcRng* rng,
                       int32_t* choices, float* controls) {
  const MmoWorld w = mmo_world((const Mmo*)state, (const MmoParams*)params, NULL);
  (void)level, (void)controls;
  mmo_script_choices(&w, agent, rng, choices);
}

// ---- picture, 640 x 480 ------------------------------------------------------------------------------

enum { MMO_VIEW_WIDTH = 20, MMO_VIEW_HEIGHT = 15 };  // cells
enum { MMO_CELL_PX = 32, MMO_MAP_PX = 96, MMO_SLOT_PX = 20, MMO_PANEL_PX = 176 };
static const uint32_t mmo_skill_colors[MMO_SKILLS] = {0xe07a5f, 0xd8b45a, 0x9d8cf5, 0xd08c4a,
                                                      0xb99d66, 0x8f7bf0, 0x6cc070, 0x58b7dd};
static const uint32_t mmo_creature_colors[MMO_TIERS] = {0xa8b48c, 0xc9ab6b, 0xcf8350, 0xb8628f, 0x8c63c4};
static const int16_t mmo_tier_reach[] = {29, 25, 20, 14, MMO_TOWN_RADIUS};  // of tiers 4 to 1 and the town's floor

typedef struct MmoCamera {
  const PfcDraw* d;
  const MmoWorld* w;
  int32_t left, top;  // cells
} MmoCamera;

static bool mmo_on_screen(const MmoCamera* m, int32_t x, int32_t y) {
  return x >= m->left && x < m->left + MMO_VIEW_WIDTH && y >= m->top && y < m->top + MMO_VIEW_HEIGHT;
}

// Centre of a cell, px.
static PfcPoint mmo_centre(const MmoCamera* m, int32_t x, int32_t y) {
  PfcPoint at;
  at.x = MMO_CELL_PX * ((float)(x - m->left) + 0.5f);
  at.y = MMO_CELL_PX * ((float)(y - m->top) + 0.5f);
  return at;
}

// The colour with `by` added to each channel.
static uint32_t mmo_lighter(uint32_t rgb, int32_t by) {
  uint32_t result = 0;
  for (int32_t shift = 16; shift >= 0; shift -= 8)
    result |= (uint32_t)pfc_clampi((int32_t)(rgb >> shift & 255u) + by, 0, 255) << shift;
  return result;
}

static void mmo_draw_polygon(const PfcDraw* d, PfcPoint centre, const float* offsets, int32_t count, PfcColor color) {
  PfcPoint points[8];
  for (int32_t i = 0; i < count; ++i) {
    points[i].x = centre.x + offsets[2 * i];
    points[i].y = centre.y + offsets[2 * i + 1];
  }
  d->polygon(d->context, points, count, color);
}

static void mmo_draw_frame(const PfcDraw* d, float x, float y, float width, float height, PfcColor color) {
  d->rect(d->context, x, y, width, 1.0f, color);
  d->rect(d->context, x, y + height - 1.0f, width, 1.0f, color);
  d->rect(d->context, x, y + 1.0f, 1.0f, height - 2.0f, color);
  d->rect(d->context, x + width - 1.0f, y + 1.0f, 1.0f, height - 2.0f, color);
}

static void mmo_draw_pips(const PfcDraw* d, float x, float y, int32_t tier, PfcColor color) {
  const float left = x - 2.0f * (float)(tier - 1);
  for (int32_t i = 0; i < tier; ++i) d->circle(d->context, left + 4.0f * (float)i, y, 1.4f, color);
}

static uint32_t mmo_ground_color(const MmoWorld* w, int32_t x, int32_t y) {
  const int32_t code = w->ground[mmo_cell(w, x, y)], chequer = (x + y) % 2 * 2;
  if (mmo_is_water(code)) return mmo_lighter(0x1d3550, chequer);
  if (code == MMO_STONE) return mmo_lighter(0x3a3f4b, chequer);
  if (code == MMO_FLOOR) return mmo_lighter(0x4a4234, 3 * chequer);
  return mmo_lighter(0x20301f, chequer + 6 * (mmo_danger(mmo_nearest_town(w, x, y).distance) - 1));
}

static void mmo_draw_fish(const PfcDraw* d, PfcPoint at, PfcColor color) {
  const float body[] = {-9, 0, -3, -5, 5, -4, 9, 0, 5, 4, -3, 5}, tail[] = {-7, 0, -12, -5, -12, 5};
  mmo_draw_polygon(d, at, body, 6, color);
  mmo_draw_polygon(d, at, tail, 3, color);
}

static void mmo_draw_bush(const PfcDraw* d, PfcPoint at) {
  d->circle(d->context, at.x, at.y, 10.0f, pfc_rgb(0x3f7a45));
  d->circle(d->context, at.x - 4.0f, at.y - 3.0f, 2.2f, pfc_rgb(PFC_BAD));
  d->circle(d->context, at.x + 4.0f, at.y - 1.0f, 2.2f, pfc_rgb(PFC_BAD));
  d->circle(d->context, at.x - 1.0f, at.y + 4.0f, 2.2f, pfc_rgb(PFC_BAD));
}

static void mmo_draw_node(const PfcDraw* d, PfcPoint at, int32_t code) {
  const float rock[] = {-9, 5, -7, -4, -1, -8, 6, -5, 9, 4, 4, 7, -5, 7}, tree[] = {0, -11, 8, 5, -8, 5};
  const float gem[] = {0, -10, 6, -2, 0, 9, -6, -2};
  const int32_t skill = mmo_node_skill(code);
  const PfcColor color = pfc_rgb(mmo_skill_colors[skill]);
  if (skill == MMO_MINING) mmo_draw_polygon(d, at, rock, 7, color);
  if (skill == MMO_CARVING) {
    d->rect(d->context, at.x - 1.5f, at.y + 4.0f, 3.0f, 6.0f, pfc_rgb(0x6b5436));
    mmo_draw_polygon(d, at, tree, 3, color);
  }
  if (skill == MMO_ALCHEMY) mmo_draw_polygon(d, at, gem, 4, color);
  if (skill == MMO_HERBALISM) {
    d->line(d->context, at.x, at.y - 4.0f, at.x, at.y + 8.0f, 2.0f, pfc_rgb(0x3f7a45));
    d->circle(d->context, at.x - 4.0f, at.y, 4.0f, color);
    d->circle(d->context, at.x + 4.0f, at.y, 4.0f, color);
    d->circle(d->context, at.x, at.y - 5.0f, 4.0f, color);
  }
  if (skill == MMO_FISHING) mmo_draw_fish(d, at, color);
  mmo_draw_pips(d, at.x, at.y + 13.0f, mmo_node_tier(code), pfc_tint(PFC_INK, 170));
}

// A strip along the side of a cell that a move leads to.
static void mmo_draw_edge(const PfcDraw* d, PfcPoint at, int32_t move, float px, PfcColor color) {
  const float half = 0.5f * MMO_CELL_PX, across = 0.5f * px, dx = mmo_step_x[move], dy = mmo_step_y[move];
  const float width = dx != 0.0f ? px : (float)MMO_CELL_PX, height = dy != 0.0f ? px : (float)MMO_CELL_PX;
  const float x = at.x + dx * (half - across) - 0.5f * width, y = at.y + dy * (half - across) - 0.5f * height;
  d->rect(d->context, x, y, width, height, color);
}

// Shores of water and sides of rocks, where the ground next to it differs.
static void mmo_draw_edges(const MmoCamera* m, int32_t cell, PfcPoint at) {
  const bool water = mmo_is_water(m->w->ground[cell]);
  for (int32_t move = MMO_UP; move <= MMO_RIGHT; ++move) {
    const int32_t beside = m->w->ground[mmo_neighbour(m->w, cell, move)];
    if (water && !mmo_is_water(beside)) mmo_draw_edge(m->d, at, move, 3.0f, pfc_tint(0x7fb2d6, 60));
    if (water || beside == MMO_STONE) continue;
    const bool shade = move == MMO_DOWN;
    mmo_draw_edge(m->d, at, move, shade ? 5.0f : 2.0f, shade ? pfc_tint(0x000000, 90) : pfc_tint(0xffffff, 34));
  }
}

// Tufts in some cells of grass, ripples in some of water.
static void mmo_draw_grain(const PfcDraw* d, PfcPoint at, uint32_t grain, bool water) {
  const float x = at.x + (float)(grain >> 3 & 15u) - 8.0f, y = at.y + (float)(grain >> 7 & 15u) - 8.0f;
  const PfcColor color = water ? pfc_tint(0x9cc7e3, 40) : pfc_tint(0x86b06a, 70);
  if (grain % 5 != 0) return;
  d->line(d->context, x - 3.0f, water ? y : y - 4.0f, x, water ? y - 1.5f : y, 1.5f, color);
  d->line(d->context, x + 3.0f, water ? y : y - 4.0f, x, water ? y - 1.5f : y, 1.5f, color);
}

static void mmo_draw_cell(const MmoCamera* m, int32_t x, int32_t y) {
  const PfcDraw* d = m->d;
  const int32_t cell = mmo_cell(m->w, x, y), code = m->w->ground[cell];
  const uint32_t grain = ((uint32_t)x * 2654435761u ^ (uint32_t)y * 2246822519u) >> 16;
  const PfcPoint at = mmo_centre(m, x, y);
  d->rect(d->context, at.x - 16.0f, at.y - 16.0f, MMO_CELL_PX, MMO_CELL_PX, pfc_rgb(mmo_ground_color(m->w, x, y)));
  if (code == MMO_GRASS || code == MMO_WATER) mmo_draw_grain(d, at, grain, code == MMO_WATER);
  if (code == MMO_STONE || mmo_is_water(code)) mmo_draw_edges(m, cell, at);
  if (code == MMO_BUSH) mmo_draw_bush(d, at);
  if (code == MMO_SPENT) d->circle(d->context, at.x, at.y, 3.0f, pfc_tint(PFC_DIM, 90));
  if (code >= MMO_ORE) mmo_draw_node(d, at, code);
}

// A bar below full health.
static void mmo_draw_health(const PfcDraw* d, PfcPoint at, int32_t hp, int32_t max_hp) {
  if (hp >= max_hp) return;
  const float share = (float)hp / (float)max_hp;
  d->rect(d->context, at.x - 12.0f, at.y - 15.0f, 24.0f, 3.0f, pfc_rgb(PFC_PAGE));
  d->rect(d->context, at.x - 12.0f, at.y - 15.0f, 24.0f * share, 3.0f, pfc_rgb(share < 0.5f ? PFC_BAD : PFC_GOOD));
}

// The shape of a style, `grow` px larger than the creature.
static void mmo_draw_shape(const PfcDraw* d, PfcPoint at, int32_t style, float grow, PfcColor color) {
  const float r = 10.0f + grow, triangle[] = {0, -r - grow, r + grow, r - 1, -r - grow, r - 1};
  const float diamond[] = {0, -r - 1, r + 1, 0, 0, r + 1, -r - 1, 0};
  if (style == MMO_MELEE) d->circle(d->context, at.x, at.y, r, color);
  else if (style == MMO_RANGED) mmo_draw_polygon(d, at, triangle, 3, color);
  else mmo_draw_polygon(d, at, diamond, 4, color);
}

static void mmo_draw_creature(const MmoCamera* m, const MmoCreature* c) {
  const PfcPoint at = mmo_centre(m, c->x, c->y);
  const int32_t tier = mmo_tier_of(c->level);
  if (c->temper == MMO_ELITE) mmo_draw_shape(m->d, at, c->style, 2.5f, pfc_rgb(PFC_GOAL));
  else if (mmo_is_hostile(c)) mmo_draw_shape(m->d, at, c->style, 2.0f, pfc_rgb(PFC_BAD));
  mmo_draw_shape(m->d, at, c->style, 0.0f, pfc_rgb(mmo_creature_colors[tier - 1]));
  mmo_draw_pips(m->d, at.x, at.y + (c->style == MMO_RANGED ? 4.0f : 0.0f), tier, pfc_rgb(PFC_PAGE));
  mmo_draw_health(m->d, at, c->hp, mmo_creature_max_hp(c));
}

static void mmo_draw_player(const MmoCamera* m, const MmoPlayer* me, bool followed) {
  const PfcDraw* d = m->d;
  const PfcPoint at = mmo_centre(m, me->x, me->y);
  if (followed) d->circle(d->context, at.x, at.y, 15.0f, pfc_rgb(PFC_INK));
  d->circle(d->context, at.x, at.y, 12.5f, pfc_rgb(PFC_PAGE));
  d->circle(d->context, at.x, at.y, 11.0f, pfc_rgb(PFC_AGENT));
  d->circle(d->context, at.x, at.y - 3.0f, 4.0f, pfc_tint(PFC_INK, 200));
  mmo_draw_pips(d, at.x, at.y + 5.0f, mmo_tier_of(me->seen.combat), pfc_rgb(PFC_PAGE));
  mmo_draw_health(d, at, me->hp, mmo_max_hp(me));
}

static void mmo_draw_units(const MmoCamera* m) {
  const MmoWorld* w = m->w;
  for (int32_t i = 0; i < w->p->creatures; ++i)
    if (w->creatures[i].hp > 0 && mmo_on_screen(m, w->creatures[i].x, w->creatures[i].y))
      mmo_draw_creature(m, &w->creatures[i]);
  for (int32_t i = 0; i < w->p->players; ++i)
    if (w->players[i].state != MMO_OFF && mmo_on_screen(m, w->players[i].x, w->players[i].y))
      mmo_draw_player(m, &w->players[i], i == m->d->agent);
}

static void mmo_draw_hit(const MmoCamera* m, int32_t x, int32_t y, int32_t to_x, int32_t to_y, int32_t style) {
  if (!mmo_on_screen(m, x, y) || !mmo_on_screen(m, to_x, to_y)) return;
  const PfcPoint from = mmo_centre(m, x, y), to = mmo_centre(m, to_x, to_y);
  m->d->line(m->d->context, from.x, from.y, to.x, to.y, 3.0f, pfc_tint(mmo_skill_colors[style - 1], 200));
}

// The wait tells which units hit in the last tick.
static void mmo_draw_hits(const MmoCamera* m) {
  const MmoWorld* w = m->w;
  for (int32_t i = 0; i < w->p->players; ++i) {
    const MmoPlayer* me = &w->players[i];
    if (me->seen.wait == MMO_ATTACK_TICKS - 1) mmo_draw_hit(m, me->x, me->y, me->aim_x, me->aim_y, me->seen.style);
  }
  for (int32_t i = 0; i < w->p->creatures; ++i) {
    const MmoCreature* c = &w->creatures[i];
    if (c->hp == 0 || c->wait != MMO_CREATURE_HIT_TICKS || c->target == 0) continue;
    mmo_draw_hit(m, c->x, c->y, w->players[c->target - 1].x, w->players[c->target - 1].y, c->style);
  }
}

static void mmo_draw_bar(const PfcDraw* d, float y, float share, uint32_t color, const char* label) {
  d->text(d->context, 16.0f, y - 2.0f, 11.0f, label, pfc_rgb(PFC_DIM));
  d->rounded_rect(d->context, 56.0f, y, 120.0f, 7.0f, 3.0f, pfc_rgb(PFC_TILE));
  if (share > 0.02f) d->rounded_rect(d->context, 56.0f, y, 120.0f * share, 7.0f, 3.0f, pfc_rgb(color));
}

// An item in a square of MMO_SLOT_PX.
static void mmo_draw_item(const PfcDraw* d, PfcPoint at, int32_t kind) {
  const float x = at.x, y = at.y, body[] = {-6, -5, 6, -5, 4, 5, -4, 5};
  const PfcColor metal = pfc_rgb(0xb8c0d0), wood = pfc_rgb(0xb99d66), magic = pfc_rgb(0x9d8cf5);
  switch (kind) {
    case MMO_SWORD:
      d->line(d->context, x - 5, y + 4, x + 5, y - 6, 2.0f, metal);
      d->line(d->context, x - 5, y, x - 1, y + 4, 2.0f, wood);
      break;
    case MMO_BOW:
      d->line(d->context, x - 3, y - 7, x + 4, y - 1, 2.0f, wood);
      d->line(d->context, x + 4, y - 1, x - 3, y + 5, 2.0f, wood);
      d->line(d->context, x - 3, y - 7, x - 3, y + 5, 1.0f, metal);
      break;
    case MMO_STAFF:
      d->line(d->context, x - 4, y + 5, x + 3, y - 4, 2.0f, wood);
      d->circle(d->context, x + 4, y - 5, 3.0f, magic);
      break;
    case MMO_HELM:
      d->circle(d->context, x, y - 1, 5.5f, metal);
      d->rect(d->context, x - 2, y, 4, 5, pfc_rgb(PFC_TILE));
      break;
    case MMO_BODY: mmo_draw_polygon(d, at, body, 4, metal); break;
    case MMO_LEGS:
      d->rect(d->context, x - 4, y - 6, 8, 4, metal);
      d->rect(d->context, x - 4, y - 2, 3, 7, metal);
      d->rect(d->context, x + 1, y - 2, 3, 7, metal);
      break;
    case MMO_TOOL:
      d->line(d->context, x, y + 5, x, y - 5, 2.0f, wood);
      d->line(d->context, x - 5, y - 3, x + 5, y - 5, 2.5f, metal);
      break;
    case MMO_POTION:
      d->circle(d->context, x, y + 1, 4.5f, pfc_rgb(0xd9607a));
      d->rect(d->context, x - 1.5f, y - 6, 3, 4, metal);
      break;
    default: d->rounded_rect(d->context, x - 6, y - 4, 12, 8, 3.5f, pfc_rgb(0xd8b45a)); break;
  }
}

static void mmo_draw_slot(const PfcDraw* d, float x, float y, int32_t kind, int32_t tier) {
  PfcPoint centre;
  centre.x = x + 0.5f * MMO_SLOT_PX, centre.y = y + 0.5f * MMO_SLOT_PX;
  d->rounded_rect(d->context, x, y, MMO_SLOT_PX, MMO_SLOT_PX, 3.0f, pfc_rgb(PFC_TILE));
  if (tier == 0) return;
  mmo_draw_item(d, centre, kind);
  mmo_draw_pips(d, centre.x, y + MMO_SLOT_PX - 2.5f, tier, pfc_rgb(PFC_GOAL));
}

static void mmo_draw_levels(const PfcDraw* d, const MmoPlayer* me) {
  for (int32_t i = 0; i < MMO_SKILLS; ++i) {
    const float x = 16.0f + 20.5f * (float)i;
    char number[8];
    snprintf(number, sizeof number, "%d", me->seen.level[i]);
    d->rounded_rect(d->context, x, 80.0f, 17.0f, 3.0f, 1.0f, pfc_rgb(mmo_skill_colors[i]));
    d->text(d->context, x + 1.0f, 85.0f, 12.0f, number, pfc_rgb(PFC_INK));
  }
}

static void mmo_draw_self(const PfcDraw* d, const MmoPlayer* me) {
  const MmoSeen* seen = &me->seen;
  d->rounded_rect(d->context, 8.0f, 8.0f, MMO_PANEL_PX, 148.0f, 6.0f, pfc_tint(PFC_PAGE, 215));
  pfc_draw_count(d, 16.0f, 13.0f, 22.0f, true, mmo_score(me), "score");
  mmo_draw_bar(d, 42.0f, (float)me->hp / (float)mmo_max_hp(me), PFC_BAD, "hp");
  mmo_draw_bar(d, 54.0f, (float)me->food / MMO_FULL, PFC_GOAL, "food");
  mmo_draw_bar(d, 66.0f, (float)me->water / MMO_FULL, PFC_AGENT, "water");
  mmo_draw_levels(d, me);
  mmo_draw_slot(d, 16.0f, 104.0f, seen->weapon, seen->weapon_tier);
  for (int32_t i = 0; i < 3; ++i) mmo_draw_slot(d, 37.0f + 21.0f * (float)i, 104.0f, MMO_HELM + i, seen->armour[i]);
  mmo_draw_slot(d, 100.0f, 104.0f, MMO_TOOL, seen->tool);
  for (int32_t i = 0; i < MMO_BAG; ++i)
    mmo_draw_slot(d, 12.0f + 21.0f * (float)i, 130.0f, seen->bag[i][0], seen->bag[i][1]);
}

// Top left corner of the map, and px per cell.
typedef struct MmoChart {
  float left, top, scale;
} MmoChart;

// The cells within `reach` of a town.
static void mmo_draw_reach(const MmoCamera* m, const MmoChart* chart, const MmoTown* town, int32_t reach,
                           uint32_t color) {
  const int32_t size = m->w->p->size;
  const int32_t x0 = pfc_maxi(town->x - reach, 0), x1 = pfc_mini(town->x + reach + 1, size);
  const int32_t y0 = pfc_maxi(town->y - reach, 0), y1 = pfc_mini(town->y + reach + 1, size);
  m->d->rect(m->d->context, chart->left + chart->scale * (float)x0, chart->top + chart->scale * (float)y0,
             chart->scale * (float)(x1 - x0), chart->scale * (float)(y1 - y0), pfc_rgb(color));
}

static void mmo_draw_dot(const MmoCamera* m, const MmoChart* chart, const MmoPlayer* me, float side, uint32_t color) {
  const float x = chart->left + chart->scale * ((float)me->x + 0.5f) - 0.5f * side;
  const float y = chart->top + chart->scale * ((float)me->y + 0.5f) - 0.5f * side;
  if (me->state != MMO_OFF) m->d->rect(m->d->context, x, y, side, side, pfc_rgb(color));
}

// The whole world: danger tiers as squares around towns, players as dots, a frame around what the camera shows.
static void mmo_draw_map(const MmoCamera* m) {
  const PfcDraw* d = m->d;
  const MmoWorld* w = m->w;
  const MmoChart chart = {640.0f - 8.0f - MMO_MAP_PX, 8.0f, (float)MMO_MAP_PX / (float)w->p->size};
  d->rounded_rect(d->context, chart.left - 4.0f, chart.top - 4.0f, MMO_MAP_PX + 8.0f, MMO_MAP_PX + 8.0f, 5.0f,
                  pfc_tint(PFC_PAGE, 215));
  d->rect(d->context, chart.left, chart.top, MMO_MAP_PX, MMO_MAP_PX, pfc_rgb(mmo_lighter(0x20301f, 44)));
  for (int32_t i = 0; i < 5; ++i) {
    const uint32_t color = i == 4 ? 0xa08a5c : mmo_lighter(0x20301f, 33 - 11 * i);
    for (int32_t k = 0; k < w->num_towns; ++k) mmo_draw_reach(m, &chart, &w->towns[k], mmo_tier_reach[i], color);
  }
  mmo_draw_frame(d, chart.left + chart.scale * (float)m->left, chart.top + chart.scale * (float)m->top,
                 chart.scale * MMO_VIEW_WIDTH, chart.scale * MMO_VIEW_HEIGHT, pfc_tint(PFC_INK, 180));
  for (int32_t i = 0; i < w->p->players; ++i) mmo_draw_dot(m, &chart, &w->players[i], 1.5f, PFC_AGENT);
  mmo_draw_dot(m, &chart, &w->players[d->agent], 4.0f, PFC_INK);
}

static void mmo_draw_purse(const PfcDraw* d, const MmoPlayer* me) {
  const float left = 640.0f - 8.0f - 120.0f, top = 480.0f - 8.0f - 34.0f;
  d->rounded_rect(d->context, left, top, 120.0f, 34.0f, 6.0f, pfc_tint(PFC_PAGE, 215));
  pfc_draw_count(d, 640.0f - 16.0f, top + 8.0f, 18.0f, false, me->gold, "gold");
  if (me->trade_kind == MMO_NOTHING) return;
  mmo_draw_slot(d, left + 6.0f, top + 7.0f, me->trade_kind, me->trade_tier);
  char price[8];
  snprintf(price, sizeof price, "%+d", me->trade_gold);
  d->text(d->context, left + 30.0f, top + 11.0f, 12.0f, price, pfc_rgb(me->trade_gold < 0 ? PFC_BAD : PFC_GOOD));
}

static void mmo_draw(const Mmo* s, const MmoParams* p, const PfcDraw* d) {
  const MmoWorld w = mmo_world(s, p, NULL);
  const MmoPlayer* me = &w.players[d->agent];
  const float sight = (float)(MMO_CELL_PX * (2 * p->vision + 1));
  MmoCamera m;
  m.d = d, m.w = &w;
  m.left = pfc_clampi(me->x - MMO_VIEW_WIDTH / 2, 0, p->size - MMO_VIEW_WIDTH);
  m.top = pfc_clampi(me->y - MMO_VIEW_HEIGHT / 2, 0, p->size - MMO_VIEW_HEIGHT);
  d->begin(d->context, 640.0f, 480.0f, pfc_rgb(PFC_PAGE));
  for (int32_t y = m.top; y < m.top + MMO_VIEW_HEIGHT; ++y)
    for (int32_t x = m.left; x < m.left + MMO_VIEW_WIDTH; ++x) mmo_draw_cell(&m, x, y);
  const PfcPoint centre = mmo_centre(&m, me->x, me->y);
  mmo_draw_frame(d, centre.x - 0.5f * sight, centre.y - 0.5f * sight, sight, sight, pfc_tint(PFC_INK, 50));
  mmo_draw_units(&m);
  mmo_draw_hits(&m);
  mmo_draw_self(d, me);
  mmo_draw_map(&m);
  mmo_draw_purse(d, me);
  d->end(d->context);
}

// ---- sizes, fields, keys -----------------------------------------------------------------------------

static void mmo_layout(const void* params, PfcLayout* sizes) {
  const MmoParams* p = (const MmoParams*)params;
  const int32_t side = 2 * p->vision + 1;
  sizes->state_bytes = mmo_offsets(p).end;
  sizes->agents = p->players;
  sizes->obs_shape[0] = MMO_HEAD + MMO_PLANES * side * side;
  sizes->masked = p->masked;
}

static const char* mmo_check(const void* params) {
  const MmoParams* p = (const MmoParams*)params;
  if (p->size % MMO_BLOCK != 0) return "size must be a multiple of 64";
  if (p->players > MMO_TOWN_PLAYERS * mmo_blocks(p) * mmo_blocks(p))
    return "the world is too small: players must not exceed 64 (size / 64)^2";
  if (p->creatures > p->size * p->size / MMO_CELLS_PER_CREATURE)
    return "the world is too small: creatures must not exceed size^2 / 32";
  return NULL;
}

// mmo_field sets the offsets and counts of all but the first. Planes include the margin.
enum { MMO_FIELD_TICK, MMO_FIELD_GROUND, MMO_FIELD_WHO, MMO_FIELD_VIGOUR, MMO_FIELD_UNIT, MMO_FIELD_PLAYERS };
enum { MMO_FIELDS = MMO_FIELD_PLAYERS + 1 };
static const PfcField mmo_fields[MMO_FIELDS] = {
    PFC_STATE_FIELD(Mmo, tick, PFC_UINT32), {"ground", PFC_UINT8, 0, 0},  {"who", PFC_UINT8, 0, 0},
    {"vigour", PFC_UINT8, 0, 0},            {"unit", PFC_UINT16, 0, 0}, {"players", PFC_UINT8, 0, 0},
};

static void mmo_field(const void* params, int32_t index, PfcField* field) {
  const MmoParams* p = (const MmoParams*)params;
  const MmoOffsets at = mmo_offsets(p);
  if (index == MMO_FIELD_TICK) return;
  field->count = (uint64_t)mmo_cells(p);
  if (index == MMO_FIELD_GROUND) field->offset = at.ground;
  if (index == MMO_FIELD_WHO) field->offset = at.who;
  if (index == MMO_FIELD_VIGOUR) field->offset = at.vigour;
  if (index == MMO_FIELD_UNIT) field->offset = at.unit;
  if (index != MMO_FIELD_PLAYERS) return;
  field->offset = at.players;
  field->count = (uint64_t)p->players * sizeof(MmoPlayer);
}

static const PfcKeyBinding mmo_keys[] = {
    PFC_BIND("up w", "up", MMO_ACT, MMO_UP),
    PFC_BIND("down s", "down", MMO_ACT, MMO_DOWN),
    PFC_BIND("left a", "left", MMO_ACT, MMO_LEFT),
    PFC_BIND("right d", "right", MMO_ACT, MMO_RIGHT),
    PFC_BIND("j", "melee", MMO_ACT, MMO_ATTACK_MELEE),
    PFC_BIND("k", "shoot", MMO_ACT, MMO_ATTACK_RANGED),
    PFC_BIND("l", "cast", MMO_ACT, MMO_ATTACK_MAGIC),
    PFC_BIND("space", "use the slot", MMO_ACT, MMO_USE),
    PFC_BIND("enter", "sell the slot", MMO_ACT, MMO_SELL),
    PFC_BIND("b", "buy the kind", MMO_ACT, MMO_BUY),
    PFC_BIND("1", "slot 1", MMO_SLOT, 0),
    PFC_BIND("2", "slot 2", MMO_SLOT, 1),
    PFC_BIND("3", "slot 3", MMO_SLOT, 2),
    PFC_BIND("4", "slot 4", MMO_SLOT, 3),
    PFC_BIND("5", "slot 5", MMO_SLOT, 4),
    PFC_BIND("6", "slot 6", MMO_SLOT, 5),
    PFC_BIND("7", "slot 7", MMO_SLOT, 6),
    PFC_BIND("8", "slot 8", MMO_SLOT, 7),
    PFC_BIND("e", "sword", MMO_KIND, 0),
    PFC_BIND("r", "bow", MMO_KIND, 1),
    PFC_BIND("t", "staff", MMO_KIND, 2),
    PFC_BIND("y", "helm", MMO_KIND, 3),
    PFC_BIND("u", "body", MMO_KIND, 4),
    PFC_BIND("i", "legs", MMO_KIND, 5),
    PFC_BIND("o", "tool", MMO_KIND, 6),
    PFC_BIND("p", "potion", MMO_KIND, 7),
    PFC_BIND("f", "ration", MMO_KIND, 8),
    PFC_BIND("z", "shop / three quarters", MMO_PRICE, 0),
    PFC_BIND("x", "low price", MMO_PRICE, 1),
    PFC_BIND("c", "base price", MMO_PRICE, 2),
    PFC_BIND("v", "high price", MMO_PRICE, 3),
};

PFC_DEFINE_ENV(mmo, Mmo,
               .title = "Mmo",
               .summary = "many players in one world forage, learn trades, fight, wear what they find and deal",
               .version = 1,
               .obs_dtype = PFC_UINT8,
               .sizes = {.action_counts = {MMO_ACTS, MMO_BAG, MMO_KINDS, MMO_PRICES}},
               .layout = mmo_layout,
               .check = mmo_check,
               .mask = mmo_mask,
               .script = mmo_script,
               .num_levels = 1,
               .respawn = mmo_respawn,
               .obs_rows = mmo_obs,
               .num_obs_rows = MMO_OBS_ROWS,
               .fill_rows = mmo_fill_rows,
               .metrics = {"score", "perf", "life", "combat", "profession", "kills", "gathered", "gear", "gold", "sold",
                           "bought", "hunger", "slain", "tier"},
               .fields = mmo_fields,
               .num_fields = MMO_FIELDS,
               .field = mmo_field,
               .fps = 6,
               .keys = mmo_keys,
               .num_keys = sizeof mmo_keys / sizeof mmo_keys[0],
               .idle = MMO_REST)
