// moba.c - two teams of five heroes, three lanes of creeps, towers, a jungle, and an ancient to destroy on each side.
//
// obs   uint8[78 + 2 (2 vision + 1)^2]   codes, see moba_obs; all in the view of the agent's own team
// act   int32[3]   move (0 stay, 1-8 clockwise from up), act (0 none, 1 attack, 2-4 the skills Q, W, E), target class
//                  (0 heroes first, 1 creeps and neutrals first, 2 buildings first)
// rew   experience, gold, kills, deaths, damage to buildings, the win; see moba_pay
//
// The world is size x size cells, x right, y down. Team 0's base is at the lower left, team 1's at the upper right, and
// the map equals itself rotated by 180 degrees. The state stores positions as team 0 sees them. A team's own view is
// that map, rotated for team 1. Lanes, directions, numbers of buildings and all tables of places are in the own view.
//
// The rules treat both teams alike, so a rotated game with exchanged teams is the same game. Where order matters, one
// team acts first; the teams alternate from tick to tick. Ties go to the lower number within a team. A step draws no
// random numbers. A ledger collects the damage of a tick and is applied at its end, so two heroes can kill each other.
//
// The state is one block of the pool's memory: the struct Moba, then one byte per cell (the unit there, MOBA_FREE,
// MOBA_WALL or MOBA_OUTSIDE), then one uint16 per cell (four directions of four bits, see moba_way). Both grids have a
// margin of `vision` cells, so that no window needs a bounds check.
#include "pufferc/env.h"

// ---- constants ---------------------------------------------------------------------------------------

enum { MOBA_TEAM = 5, MOBA_HEROES = 2 * MOBA_TEAM, MOBA_SKILLS = 3, MOBA_LANES = 3 };
enum { MOBA_WARDEN, MOBA_BLADE, MOBA_EMBER, MOBA_BULWARK, MOBA_ARCHER };
enum { MOBA_TOP, MOBA_MIDDLE, MOBA_BOTTOM };

// Units, by index. A unit's number is its index within its team; for neutrals, within their half of the map.
enum {
  MOBA_LANE_CREEPS = 16,
  MOBA_TEAM_CREEPS = MOBA_LANES * MOBA_LANE_CREEPS,
  MOBA_CAMPS = 4,                              // per half of the map; the half's guardian counts as a fifth camp
  MOBA_CAMP_UNITS = 3,
  MOBA_HALF_NEUTRALS = MOBA_CAMPS * MOBA_CAMP_UNITS,
  MOBA_TEAM_BUILDINGS = 12,                    // T1 to T3 of the top, middle and bottom lane, two T4, the ancient
  MOBA_CREEPS = MOBA_HEROES,                   // first index
  MOBA_NEUTRALS = MOBA_CREEPS + 2 * MOBA_TEAM_CREEPS,
  MOBA_GUARDIANS = MOBA_NEUTRALS + 2 * MOBA_HALF_NEUTRALS,
  MOBA_BUILDINGS = MOBA_GUARDIANS + 2,
  MOBA_UNITS = MOBA_BUILDINGS + 2 * MOBA_TEAM_BUILDINGS,
  MOBA_SLOTS = MOBA_UNITS + 4,                 // whole blocks of MOBA_BLOCK
  MOBA_BLOCK = 16,                             // units, or cells of a row, that are processed together
  MOBA_FIRST_T4 = 9,
  MOBA_ANCIENT = 11,                           // its number
  MOBA_GUARDIAN_NUMBER = MOBA_HALF_NEUTRALS,
  MOBA_PITS = MOBA_CAMPS + 1,                  // camps and guardian of one half
};

// Cells without a unit. 255 minus the value is the terrain's code in observations.
enum { MOBA_FREE = 255, MOBA_WALL = 254, MOBA_OUTSIDE = 253 };
enum { MOBA_NONE = 255 };  // no unit
enum { MOBA_OFF = 192 };   // coordinate of a unit that is off the map: more than 64 from every cell, modulo 256 too
enum { MOBA_STAY = 8 };    // no direction; 0 to 7 are clockwise from up

enum { MOBA_MIN_SIZE = 64, MOBA_MAX_SIZE = 128 };  // the map is laid out for 64 cells and scaled
enum {
  MOBA_BASE = 12,             // last column of a base, on a map of 64 cells
  MOBA_LANE_LINE = 5,         // centre line of the top lane: its column on the left, its row at the top
  MOBA_LANE_HALF = 2,         // cells of an outer lane on each side of its centre line
  MOBA_MIDDLE_HALF = 3,       // cells of the middle lane on each side of the diagonal
  MOBA_RIVER_HALF = 2,
  MOBA_CLEARING = 3,          // radius of a camp's clearing, which its units do not leave
  MOBA_PIT_CLEARING = 2,      // the same for a guardian
  MOBA_LATTICE = 4,           // cells between lattice points of the value noise
  MOBA_WALL_PERCENT = 40,     // of the jungle, before corridors
  MOBA_FOUNTAIN_RADIUS = 3,
  MOBA_SPAWN_RINGS = 5,       // search radius for a creep's first cell
};

// Ticks; a tick is about a quarter of a second.
enum {
  MOBA_ATTACK_WAIT = 4,
  MOBA_FOCUS_WAIT = 2,
  MOBA_STUN_BIND = 6,
  MOBA_STUN_CHARGE = 4,
  MOBA_SLOW_FROST = 16,
  MOBA_SLOW_SNARE = 12,
  MOBA_SHIELD_TICKS = 20,
  MOBA_VEIL_TICKS = 16,
  MOBA_SKIN_TICKS = 20,
  MOBA_FOCUS_TICKS = 20,
  MOBA_TAUNT_TICKS = 6,
  MOBA_MIGHT_TICKS = 240,
  MOBA_ASSIST_TICKS = 20,
  MOBA_PROVOKED_TICKS = 4,    // towers prefer heroes that hurt a hero within this time
  MOBA_CAMP_REFILL = 240,
  MOBA_GUARDIAN_REFILL = 600,
  MOBA_DEATH_TICKS = 16,
  MOBA_DEATH_LEVEL_TICKS = 4,
  MOBA_LOOK_TICKS = 4,        // between a creep's searches for a target
  MOBA_CAPTAIN_TICK = 800,    // from here on captains push the middle lane together
};

// Cells.
enum {
  MOBA_TOWER_REACH = 5,
  MOBA_CREEP_SIGHT = 5,
  MOBA_CREEP_LEASH = 7,       // a creep gives up a target at this distance
  MOBA_WAKE = 3,              // a hero this close to a camp's middle wakes it
  MOBA_CHASE = 5,             // neutrals attack heroes this close to their camp's middle
  MOBA_SHARE = 8,             // heroes this close to a death share its experience
  MOBA_VEIL_SIGHT = 2,        // units see a veiled hero at this distance, towers at MOBA_TOWER_REACH
  MOBA_CHARGE_CELLS = 4,
  MOBA_PUSH_CELLS = 2,
  MOBA_VOLLEY_TARGETS = 4,
};

enum {
  MOBA_MAX_LEVEL = 15,
  MOBA_MAX_GEAR = 20,
  MOBA_GEAR_GOLD = 120,
  MOBA_GEAR_DAMAGE = 4,
  MOBA_GEAR_HP = 24,
  MOBA_LEVEL_XP = 60,         // level L to L + 1 takes MOBA_LEVEL_XP + MOBA_LEVEL_XP_STEP * L
  MOBA_LEVEL_XP_STEP = 40,
  MOBA_HEAL_PERCENT = 5,      // of the maximum per tick: heroes at their fountain, neutrals without a target
  MOBA_GROWTH_PERCENT = 2,    // of hit points and damage of creeps, per wave
  MOBA_MAX_GROWTH = 200,      // waves; creeps stop growing here, so that their hit points fit in 16 bits
  MOBA_SIEGE_FACTOR = 3,      // siege creeps do this many times their damage to buildings
  MOBA_KILL_XP = 60,          // a hero of level L: 60 + 20 L experience, 80 + 8 L gold
  MOBA_KILL_XP_LEVEL = 20,
  MOBA_KILL_GOLD = 80,
  MOBA_KILL_GOLD_LEVEL = 8,
  MOBA_ASSIST_GOLD = 40,
  MOBA_BUILDING_XP = 80,
  MOBA_BUILDING_GOLD = 60,
  MOBA_GUARDIAN_XP = 150,
  MOBA_GUARDIAN_GOLD = 120,
  MOBA_LEAVE_PERCENT = 20,    // a scripted hero goes home below 20 to 40 % of its hit points,
  MOBA_LEAVE_SPREAD = 21,
  MOBA_RECOVERED_PERCENT = 80,  // and returns to its lane at 80 %
};

#define MOBA_PARAMS(X)                                                                                        \
  X(int, max_steps, 3000, 0, PFC_MAX_STEPS, "ticks until a game is a draw; 0 = never")                        \
  X(int, size, MOBA_MIN_SIZE, MOBA_MIN_SIZE, MOBA_MAX_SIZE, "cells across and down")                          \
  X(int, vision, 6, 6, 7, "cells seen in each direction")                                                     \
  X(int, opponent, 0, 0, 3, "0: ten agents; 1-3: five agents, team 0, against the script of that level")      \
  X(int, autopilot, 0, 0, 3, "1-3: the script of that level plays all rows and actions are ignored")          \
  X(bool, random_jungle, 1, 0, 1, "1: each game draws its own jungle; 0: all games have the same one")        \
  X(bool, masked, 0, 0, 1, "1: illegal choices are refused, see action_mask; 0: they have no effect")         \
  X(int, wave_ticks, 120, 20, 10000, "ticks between waves of creeps")                                         \
  X(float, team_spirit, 0.2f, 0, 1, "share of the team's mean in each reward")                                \
  X(bool, zero_sum, 0, 0, 1, "1: subtract the other team's mean reward")                                      \
  X(float, reward_xp, 0.002f, -10, 10, "per point of experience")                                             \
  X(float, reward_gold, 0.002f, -10, 10, "per coin")                                                          \
  X(float, reward_kill, 0.2f, -10, 10, "for killing a hero")                                                  \
  X(float, reward_death, -0.2f, -10, 10, "for dying")                                                         \
  X(float, reward_building, 0.5f, -10, 10, "times the share taken of an enemy building; each hero") \
  X(float, reward_win, 5.0f, -10, 10, "for a win; the losing team gets its negative")
PFC_DEFINE_PARAMS(moba, MobaParams, MOBA_PARAMS)

// ---- tables --------------------------------------------------------------------------------------------

typedef struct MobaPlace {
  int16_t x, y;
} MobaPlace;

// All in a team's own view, for a map of 64 cells.
PFC_TABLE MobaPlace moba_building_places[MOBA_TEAM_BUILDINGS] = {
    {5, 20}, {5, 33}, {5, 45}, {25, 38}, {20, 43}, {15, 48}, {43, 58}, {30, 58}, {18, 58}, {5, 51}, {12, 58}, {7, 56}};
PFC_TABLE MobaPlace moba_pit_places[MOBA_PITS] = {{13, 40}, {23, 50}, {15, 27}, {36, 48}, {20, 20}};
PFC_TABLE MobaPlace moba_spawn_places[MOBA_LANES] = {{5, 53}, {11, 52}, {10, 58}};
PFC_TABLE MobaPlace moba_fountain_place = {3, 60};

PFC_TABLE int32_t moba_step_x[9] = {0, 1, 1, 1, 0, -1, -1, -1, 0};
PFC_TABLE int32_t moba_step_y[9] = {-1, -1, 0, 1, 1, 1, 0, -1, 0};

typedef struct MobaRole {
  int32_t hp, hp_level, mana, mana_level, damage, damage_level, reach;
} MobaRole;

PFC_TABLE MobaRole moba_roles[MOBA_TEAM] = {
    {520, 45, 300, 25, 36, 2, 4},  // warden
    {480, 45, 220, 15, 52, 4, 1},  // blade
    {430, 35, 360, 35, 34, 2, 5},  // ember
    {680, 70, 240, 15, 44, 3, 1},  // bulwark
    {430, 35, 200, 12, 48, 5, 5},  // archer
};

// Condition for the use of a skill, besides mana and cooldown.
enum {
  MOBA_NEEDS_NOTHING,
  MOBA_NEEDS_HURT_ALLY,  // an own hero within reach below its maximum hit points
  MOBA_NEEDS_HERO,       // an enemy hero within reach
  MOBA_NEEDS_ENEMY,      // an enemy hero or creep, or a neutral, within reach
  MOBA_NEEDS_WAY,        // a move direction
};

typedef struct MobaSkill {
  int32_t mana, wait, reach, base, level;  // the amount is base + level * L; the reach of an area is its radius
  int32_t needs;
} MobaSkill;

enum { MOBA_MEND, MOBA_BIND, MOBA_AEGIS, MOBA_LEAP, MOBA_VEIL, MOBA_WHIRL, MOBA_BOLT, MOBA_BLAZE, MOBA_FROST,
       MOBA_TAUNT, MOBA_SKIN, MOBA_CHARGE, MOBA_VOLLEY, MOBA_SNARE, MOBA_FOCUS };

PFC_TABLE MobaSkill moba_skills[MOBA_TEAM * MOBA_SKILLS] = {
    {60, 24, 6, 60, 15, MOBA_NEEDS_HURT_ALLY},  // mend: heals the own hero that lacks most
    {70, 40, 5, 30, 10, MOBA_NEEDS_HERO},       // bind: damage and stun
    {90, 60, 4, 40, 10, MOBA_NEEDS_NOTHING},    // aegis: shields own heroes and creeps around
    {50, 30, 6, 50, 15, MOBA_NEEDS_ENEMY},      // leap: jumps to the target, damage
    {60, 60, 0, 0, 0, MOBA_NEEDS_NOTHING},      // veil: haste, hard to see, a stronger next attack
    {40, 16, 1, 40, 10, MOBA_NEEDS_ENEMY},      // whirl: damage around
    {80, 28, 6, 80, 20, MOBA_NEEDS_ENEMY},      // bolt: damage
    {90, 30, 6, 45, 12, MOBA_NEEDS_ENEMY},      // blaze: damage around a target
    {60, 40, 2, 20, 6, MOBA_NEEDS_ENEMY},       // frost: damage and slow around
    {60, 48, 3, 0, 0, MOBA_NEEDS_ENEMY},        // taunt: enemies around must attack the caster
    {50, 60, 0, 0, 0, MOBA_NEEDS_NOTHING},      // stone skin: half damage
    {50, 40, 4, 40, 8, MOBA_NEEDS_WAY},         // charge: runs; damage, push and stun at the end
    {60, 20, 5, 30, 8, MOBA_NEEDS_ENEMY},       // volley: damage to the four nearest
    {50, 28, 6, 40, 10, MOBA_NEEDS_ENEMY},      // snare: damage and slow
    {70, 70, 0, 0, 0, MOBA_NEEDS_NOTHING},      // focus: attacks every second tick
};
enum { MOBA_BLAZE_RADIUS = 2 };

// Kinds of units.
enum { MOBA_MELEE, MOBA_RANGED, MOBA_SIEGE, MOBA_SMALL, MOBA_LARGE, MOBA_GUARDIAN, MOBA_T1, MOBA_T2, MOBA_T3, MOBA_T4,
       MOBA_KIND_ANCIENT, MOBA_HERO };

typedef struct MobaKind {
  int32_t hp, damage, reach, wait, xp, gold;  // xp and gold are awarded for its death
} MobaKind;

PFC_TABLE MobaKind moba_kinds[MOBA_HERO] = {
    {220, 8, 1, 4, 24, 18},   {140, 12, 4, 4, 30, 22},  {260, 16, 5, 6, 40, 30},  // creeps: melee, ranged, siege
    {160, 8, 1, 4, 20, 12},   {420, 20, 1, 4, 60, 36},  {1500, 40, 2, 4, MOBA_GUARDIAN_XP, MOBA_GUARDIAN_GOLD},
    {1000, 60, MOBA_TOWER_REACH, 4, MOBA_BUILDING_XP, MOBA_BUILDING_GOLD},  // T1
    {1200, 70, MOBA_TOWER_REACH, 4, MOBA_BUILDING_XP, MOBA_BUILDING_GOLD},
    {1400, 80, MOBA_TOWER_REACH, 4, MOBA_BUILDING_XP, MOBA_BUILDING_GOLD},
    {1200, 80, MOBA_TOWER_REACH, 4, MOBA_BUILDING_XP, MOBA_BUILDING_GOLD},  // T4
    {2000, 0, 0, 4, MOBA_BUILDING_XP, MOBA_BUILDING_GOLD},                  // ancient
};

PFC_TABLE uint8_t moba_building_kinds[MOBA_TEAM_BUILDINGS] = {MOBA_T1, MOBA_T2, MOBA_T3, MOBA_T1, MOBA_T2, MOBA_T3,
                                                              MOBA_T1, MOBA_T2, MOBA_T3, MOBA_T4, MOBA_T4,
                                                              MOBA_KIND_ANCIENT};
PFC_TABLE uint8_t moba_wave_kinds[5] = {MOBA_MELEE, MOBA_MELEE, MOBA_MELEE, MOBA_RANGED, MOBA_SIEGE};

// Codes of the plane of units. Codes below MOBA_CODE_OWN_CREEP are terrain.
enum { MOBA_CODE_OPEN, MOBA_CODE_WALL, MOBA_CODE_OUTSIDE, MOBA_CODE_OWN_CREEP, MOBA_CODE_ENEMY_CREEP = 6,
       MOBA_CODE_NEUTRAL = 9, MOBA_CODE_OWN_TOWER = 12, MOBA_CODE_ENEMY_OPEN, MOBA_CODE_ENEMY_CLOSED,
       MOBA_CODE_OWN_ANCIENT, MOBA_CODE_ENEMY_ANCIENT, MOBA_CODE_OWN_HERO, MOBA_CODE_ENEMY_HERO = 22,
       MOBA_CODES = 27 };

// ---- state ---------------------------------------------------------------------------------------------

// Countdowns in ticks. All are bytes, so that one loop over the struct counts them down.
typedef struct MobaClocks {
  uint8_t wait[MOBA_SLOTS];      // until a unit's next attack
  uint8_t stun[MOBA_SLOTS], slow[MOBA_SLOTS], taunt[MOBA_SLOTS];
  uint8_t shield[MOBA_SLOTS];    // for which Moba.shield lasts
  uint8_t skill[MOBA_HEROES][MOBA_SKILLS];
  uint8_t buff[MOBA_HEROES];     // veil, stone skin or focus, by role
  uint8_t might[MOBA_HEROES];
  uint8_t back[MOBA_HEROES];     // until a dead hero respawns
  uint8_t provoked[MOBA_HEROES];             // while towers prefer this hero, which hurt one of their team's
  uint8_t hurt_by[MOBA_HEROES][MOBA_TEAM];   // while the enemy hero of that number gets an assist for this one's death
  uint8_t unused[8];             // a multiple of 16 bytes
} MobaClocks;

enum { MOBA_EFFECT_STRIKE, MOBA_EFFECT_AREA, MOBA_EFFECT_HEAL };
enum { MOBA_EFFECTS = 24 };

// An event of the last tick, for the picture.
typedef struct MobaEffect {
  uint8_t kind, team;
  uint8_t x0, y0, x1, y1;  // a strike from one cell to another; the others use the first
  uint8_t radius;
  uint8_t unused;
} MobaEffect;

typedef struct MobaTally {
  uint32_t kills, deaths, assists, last_hits, hero_damage, building_damage, healing, skills;
} MobaTally;

// Codes that are equal in all observations of a team, lanes in its own view.
typedef struct MobaShared {
  uint8_t towers[MOBA_LANES], base_towers, ancient;  // standing towers; hit points in eighths
  uint8_t front[MOBA_LANES];                         // Moba.front in 15ths
  uint8_t aimed_at;                                  // bit k: an enemy tower aims at hero k
} MobaShared;

typedef struct Moba {
  PfcRng rng;
  uint32_t tick;
  uint8_t coin;      // the team that acts first in even ticks
  uint8_t over;      // 0 playing, 1 + the winning team, 3 both ancients fell
  uint8_t time;      // code of the observation
  uint8_t num_effects;
  // Of units, by index.
  uint8_t x[MOBA_SLOTS], y[MOBA_SLOTS];  // MOBA_OFF: off the map
  uint8_t kind[MOBA_SLOTS];
  uint8_t target[MOBA_SLOTS];            // of creeps and towers; MOBA_NONE
  uint8_t taunter[MOBA_SLOTS];           // the hero that a taunted unit must attack
  uint8_t damage[MOBA_SLOTS];            // of creeps, per strike
  uint8_t look[2][MOBA_SLOTS];           // how each team sees the unit; see moba_show
  int16_t hp[MOBA_SLOTS], max_hp[MOBA_SLOTS];
  int16_t shield[MOBA_SLOTS];
  MobaClocks clock;
  // Of heroes.
  uint8_t level[MOBA_HEROES], gear[MOBA_HEROES];
  uint8_t place_x[MOBA_HEROES], place_y[MOBA_HEROES];  // of the latest death
  uint8_t state[MOBA_HEROES];    // code of the observation: 1-20 hit points in 20ths, 21 dead
  uint8_t lane[MOBA_HEROES], leave[MOBA_HEROES], delay[MOBA_HEROES];  // for scripts; leave in percent
  uint8_t going_home[MOBA_HEROES];
  uint8_t last[MOBA_HEROES][3];  // choice
  int16_t mana[MOBA_HEROES], max_mana[MOBA_HEROES];
  int16_t xp[MOBA_HEROES];       // within the level
  int16_t hurt[MOBA_HEROES];     // hit points lost in the last tick
  uint16_t compass[MOBA_HEROES]; // the ways of the hero's cell, or of the cell where it died
  int32_t gold[MOBA_HEROES];
  MobaTally tally[MOBA_HEROES];
  // Of teams.
  uint8_t seen[2];               // bit k: the team sees enemy hero k
  uint8_t front[2][MOBA_LANES];  // 1 + progress of the lane's foremost creep, see moba_progress; 0 none
  MobaShared shared[2];
  uint16_t standing[2], open[2]; // bit n: building n stands; building n can be hurt
  uint32_t towers[2], camps[2];  // taken, emptied
  // Of camps and guardians: those of team 0's half first.
  uint16_t refill[2 * MOBA_PITS];
  uint8_t left[2 * MOBA_PITS];   // units alive
  uint8_t awake[2 * MOBA_PITS];
  uint8_t calm[2 * MOBA_PITS];   // asleep, in place and unhurt, so there is nothing to update
  uint8_t pit_x[2 * MOBA_PITS], pit_y[2 * MOBA_PITS];  // the middle
  uint8_t streak[2][MOBA_TEAM_BUILDINGS];  // a tower's consecutive hits on the same hero
  MobaEffect effects[MOBA_EFFECTS];
} Moba;

// Damage of one tick.
typedef struct MobaLedger {
  int16_t damage[MOBA_SLOTS];
  int16_t by_hero[MOBA_SLOTS][MOBA_HEROES];  // valid where damage is not 0
  uint8_t struck[MOBA_SLOTS];                // units with damage, in order of their first hit
  int32_t num_struck;
} MobaLedger;

// The parts of one game's state block, and numbers that most functions need.
typedef struct MobaGame {
  Moba* s;
  const MobaParams* p;
  MobaLedger* ledger;    // during a step, else NULL
  uint8_t* cells;        // [stride, stride]
  uint16_t* ways;        // [stride, stride]
  int32_t size, stride;
  int32_t first;         // the team that acts first in this tick
} MobaGame;

PFC_FN uint64_t moba_round_up(uint64_t bytes) { return (bytes + 63) / 64 * 64; }
PFC_FN uint64_t moba_num_cells(const MobaParams* p) {
  const uint64_t stride = (uint64_t)(p->size + 2 * p->vision);
  return stride * stride;
}
// Windows are read MOBA_BLOCK cells at a time, which passes the last cell.
PFC_FN uint64_t moba_cell_bytes(const MobaParams* p) { return moba_round_up(moba_num_cells(p) + MOBA_BLOCK); }
PFC_FN uint64_t moba_way_bytes(const MobaParams* p) { return moba_round_up(2 * moba_num_cells(p)); }

// Observations, masks and scripts use the result for reading only.
PFC_FN MobaGame moba_open(const Moba* state, const MobaParams* p) {
  MobaGame g;
  unsigned char* bytes = (unsigned char*)(uintptr_t)state;
  g.s = (Moba*)(void*)bytes;
  g.p = p;
  g.ledger = NULL;
  g.size = p->size;
  g.stride = p->size + 2 * p->vision;
  g.first = (int32_t)((state->tick + state->coin) & 1u);
  bytes += moba_round_up(sizeof(Moba));
  g.cells = bytes;
  bytes += moba_cell_bytes(p);
  g.ways = (uint16_t*)(void*)bytes;
  return g;
}

PFC_FN bool moba_lives(const Moba* s, int32_t unit) { return s->x[unit] != MOBA_OFF; }
PFC_FN int32_t moba_hero_team(int32_t hero) { return hero >= MOBA_TEAM; }
PFC_FN int32_t moba_role(int32_t hero) { return hero >= MOBA_TEAM ? hero - MOBA_TEAM : hero; }
PFC_FN int32_t moba_first_creep(int32_t team) { return MOBA_CREEPS + team * MOBA_TEAM_CREEPS; }
PFC_FN int32_t moba_first_building(int32_t team) { return MOBA_BUILDINGS + team * MOBA_TEAM_BUILDINGS; }
PFC_FN bool moba_is_neutral(int32_t unit) { return unit >= MOBA_NEUTRALS && unit < MOBA_BUILDINGS; }

// The team of a unit; of a neutral, its half of the map.
PFC_FN int32_t moba_side(int32_t unit) {
  if (unit < MOBA_CREEPS) return unit >= MOBA_TEAM;
  if (unit < MOBA_NEUTRALS) return unit >= MOBA_CREEPS + MOBA_TEAM_CREEPS;
  if (unit < MOBA_GUARDIANS) return unit >= MOBA_NEUTRALS + MOBA_HALF_NEUTRALS;
  if (unit < MOBA_BUILDINGS) return unit - MOBA_GUARDIANS;
  return unit >= MOBA_BUILDINGS + MOBA_TEAM_BUILDINGS;
}

PFC_FN int32_t moba_number(int32_t unit) {
  const int32_t side = moba_side(unit);
  if (unit < MOBA_CREEPS) return unit - side * MOBA_TEAM;
  if (unit < MOBA_NEUTRALS) return unit - MOBA_CREEPS - side * MOBA_TEAM_CREEPS;
  if (unit < MOBA_GUARDIANS) return unit - MOBA_NEUTRALS - side * MOBA_HALF_NEUTRALS;
  if (unit < MOBA_BUILDINGS) return MOBA_GUARDIAN_NUMBER;
  return unit - MOBA_BUILDINGS - side * MOBA_TEAM_BUILDINGS;
}

PFC_FN int32_t moba_creep_team(int32_t creep) { return creep >= MOBA_CREEPS + MOBA_TEAM_CREEPS; }
PFC_FN int32_t moba_creep_number(int32_t creep) { return creep - moba_first_creep(moba_creep_team(creep)); }
PFC_FN int32_t moba_creep_lane(int32_t creep) { return moba_creep_number(creep) / MOBA_LANE_CREEPS; }

// ---- places and directions -------------------------------------------------------------------------------

PFC_FN int32_t moba_scale(int32_t size, int32_t a) {
  return a < MOBA_MIN_SIZE / 2 ? a * size / MOBA_MIN_SIZE : size - 1 - (MOBA_MIN_SIZE - 1 - a) * size / MOBA_MIN_SIZE;
}

// Converts a coordinate between a team's view and team 0's, in either direction.
PFC_FN int32_t moba_turn(int32_t size, int32_t team, int32_t a) { return team ? size - 1 - a : a; }

// Converts a direction between a team's view and team 0's, in either direction.
PFC_FN int32_t moba_turn_way(int32_t team, int32_t way) { return way == MOBA_STAY ? way : (way + 4 * team) & 7; }

// A team's place from a table, in team 0's view.
PFC_FN MobaPlace moba_place_of(const MobaGame* g, int32_t team, MobaPlace place) {
  MobaPlace at;
  at.x = (int16_t)moba_turn(g->size, team, moba_scale(g->size, place.x));
  at.y = (int16_t)moba_turn(g->size, team, moba_scale(g->size, place.y));
  return at;
}

PFC_FN int32_t moba_abs(int32_t a) { return a < 0 ? -a : a; }
PFC_FN int32_t moba_span(int32_t dx, int32_t dy) { return pfc_maxi(moba_abs(dx), moba_abs(dy)); }
PFC_FN int32_t moba_gap(const Moba* s, int32_t a, int32_t b) { return moba_span(s->x[a] - s->x[b], s->y[a] - s->y[b]); }

// The direction of (dx, dy), diagonal if the smaller component is more than half of the larger one.
PFC_FN int32_t moba_way_to(int32_t dx, int32_t dy) {
  const int32_t ax = moba_abs(dx), ay = moba_abs(dy);
  const int32_t sx = 2 * ax > ay ? (dx > 0) - (dx < 0) : 0;
  const int32_t sy = 2 * ay > ax ? (dy > 0) - (dy < 0) : 0;
  // One digit for each (sy, sx), rows from top to bottom: 7 0 1, 6 8 2, 5 4 3.
  return (int32_t)(0x345286107ull >> (4 * (3 * (sy + 1) + sx + 1)) & 15u);
}

PFC_FN int32_t moba_cell(const MobaGame* g, int32_t x, int32_t y) {
  return (y + g->p->vision) * g->stride + x + g->p->vision;
}
PFC_FN int32_t moba_own_cell(const MobaGame* g, int32_t team, int32_t x, int32_t y) {  // in the team's view
  const int32_t cell = moba_cell(g, x, y);
  return team ? g->stride * g->stride - 1 - cell : cell;
}
PFC_FN int32_t moba_ahead(const MobaGame* g, int32_t cell, int32_t way) {
  return cell + moba_step_y[way] * g->stride + moba_step_x[way];
}
PFC_FN bool moba_inside(const MobaGame* g, int32_t x, int32_t y) {
  return x >= 0 && y >= 0 && x < g->size && y < g->size;
}

// A place's distance along the diagonal from the team's own corner, 0 to 2 (size - 1).
PFC_FN int32_t moba_progress(const MobaGame* g, int32_t team, int32_t x, int32_t y) {
  return team ? g->size - 1 - x + y : x + g->size - 1 - y;
}

// Whether a cell, in the own view, is in either base.
PFC_FN bool moba_in_base(const MobaGame* g, int32_t x, int32_t y) {
  const int32_t base = moba_scale(g->size, MOBA_BASE), far = g->size - 1 - base;
  return (x <= base && y >= far) || (x >= far && y <= base);
}

PFC_FN bool moba_in_lane(const MobaGame* g, int32_t lane, int32_t x, int32_t y) {
  if (lane == MOBA_MIDDLE) return moba_abs(x + y - g->size + 1) <= MOBA_MIDDLE_HALF;
  if (lane == MOBA_BOTTOM) x = g->size - 1 - x, y = g->size - 1 - y;  // the bottom lane is the top one turned
  const int32_t line = moba_scale(g->size, MOBA_LANE_LINE), dx = x - line, dy = y - line;
  return (moba_abs(dx) <= MOBA_LANE_HALF && dy >= -MOBA_LANE_HALF) ||
         (moba_abs(dy) <= MOBA_LANE_HALF && dx >= -MOBA_LANE_HALF);
}

PFC_FN bool moba_in_river(int32_t x, int32_t y) { return moba_abs(x - y) <= MOBA_RIVER_HALF; }

// Cell i of the ring of radius r around (0, 0), clockwise from up. A ring has 8 r cells; ring 0 has one.
PFC_FN MobaPlace moba_ring(int32_t r, int32_t i) {
  MobaPlace d = {0, 0};
  if (i < r) d.x = (int16_t)i, d.y = (int16_t)-r;
  else if (i < 3 * r) d.x = (int16_t)r, d.y = (int16_t)(i - 2 * r);
  else if (i < 5 * r) d.x = (int16_t)(4 * r - i), d.y = (int16_t)r;
  else if (i < 7 * r) d.x = (int16_t)-r, d.y = (int16_t)(6 * r - i);
  else if (r > 0) d.x = (int16_t)(i - 8 * r), d.y = (int16_t)-r;
  return d;
}

// ---- units in a square -------------------------------------------------------------------------------------

// A square of cells. No square contains units that are off the map, see MOBA_OFF.
typedef struct MobaSquare {
  uint8_t left, top;  // modulo 256
  uint8_t span;       // twice the radius
} MobaSquare;

PFC_FN MobaSquare moba_square(int32_t x, int32_t y, int32_t radius) {
  MobaSquare square;
  square.left = (uint8_t)(x - radius);
  square.top = (uint8_t)(y - radius);
  square.span = (uint8_t)(2 * radius);
  return square;
}

PFC_FN bool moba_within(const Moba* s, int32_t unit, MobaSquare q) {
  return (uint8_t)(s->x[unit] - q.left) <= q.span && (uint8_t)(s->y[unit] - q.top) <= q.span;
}

// One byte per item of a block of MOBA_BLOCK, 255 if it matches, else 0. Item 0 is the lowest byte of `low`.
typedef struct MobaHits {
  uint64_t low, high;
} MobaHits;

#if defined(__GNUC__) && !defined(__CUDACC__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
// A few instructions where a loop takes dozens.
typedef uint8_t MobaBytes __attribute__((vector_size(MOBA_BLOCK)));
typedef uint64_t MobaWords __attribute__((vector_size(MOBA_BLOCK)));

PFC_FN MobaHits moba_hits_of(MobaBytes bytes) {
  const MobaWords words = (MobaWords)bytes;
  const MobaHits hits = {words[0], words[1]};
  return hits;
}

// The units [first, first + MOBA_BLOCK) that are in the square.
PFC_FN MobaHits moba_hits(const Moba* s, int32_t first, MobaSquare q) {
  MobaBytes x, y;
  memcpy(&x, s->x + first, sizeof x);
  memcpy(&y, s->y + first, sizeof y);
  return moba_hits_of((MobaBytes)(x - q.left <= q.span) & (MobaBytes)(y - q.top <= q.span));
}

// Copies MOBA_BLOCK cells, in reverse order if `turned`, with their terrain codes. Returns which of them hold units.
PFC_FN MobaHits moba_copy_cells(const uint8_t* from, bool turned, uint8_t* cells, uint8_t* terrain) {
  MobaWords words;
  memcpy(&words, from, sizeof words);
  if (turned) {  // in registers: a vector load of two stored words would have to wait for both
    const MobaWords reversed = {__builtin_bswap64(words[1]), __builtin_bswap64(words[0])};
    words = reversed;
  }
  const MobaBytes found = (MobaBytes)words, codes = ~found;
  memcpy(cells, &found, sizeof found);
  memcpy(terrain, &codes, sizeof codes);
  return moba_hits_of((MobaBytes)(found < (uint8_t)MOBA_UNITS));
}
PFC_FN void moba_prefetch(const void* line) { __builtin_prefetch(line); }
PFC_FN int32_t moba_lowest_bit(uint64_t bits) { return __builtin_ctzll(bits); }
#else
PFC_FN MobaHits moba_hits(const Moba* s, int32_t first, MobaSquare q) {
  MobaHits hits = {0, 0};
  for (int32_t i = 0; i < 8; ++i) {
    hits.low |= (uint64_t)(moba_within(s, first + i, q) ? 255 : 0) << (8 * i);
    hits.high |= (uint64_t)(moba_within(s, first + 8 + i, q) ? 255 : 0) << (8 * i);
  }
  return hits;
}
PFC_FN MobaHits moba_copy_cells(const uint8_t* from, bool turned, uint8_t* cells, uint8_t* terrain) {
  MobaHits hits = {0, 0};
  for (int32_t i = 0; i < MOBA_BLOCK; ++i) {
    cells[i] = turned ? from[MOBA_BLOCK - 1 - i] : from[i];
    terrain[i] = (uint8_t)(MOBA_FREE - cells[i]);
  }
  for (int32_t i = 0; i < 8; ++i) {
    hits.low |= (uint64_t)(cells[i] < MOBA_UNITS ? 255 : 0) << (8 * i);
    hits.high |= (uint64_t)(cells[8 + i] < MOBA_UNITS ? 255 : 0) << (8 * i);
  }
  return hits;
}
PFC_FN void moba_prefetch(const void* line) { (void)line; }
PFC_FN int32_t moba_lowest_bit(uint64_t bits) {
  int32_t i = 0;
  while (!(bits >> i & 1u)) ++i;
  return i;
}
#endif

PFC_FN bool moba_block_within(const Moba* s, int32_t first, MobaSquare q) {
  const MobaHits hits = moba_hits(s, first, q);
  return (hits.low | hits.high) != 0;
}

PFC_FN int32_t moba_list_bytes(uint64_t bytes, int32_t first, uint8_t* list, int32_t n) {
  while (bytes) {
    const int32_t i = moba_lowest_bit(bytes) >> 3;
    list[n++] = (uint8_t)(first + i);
    bytes &= ~(255ull << (8 * i));
  }
  return n;
}

// Appends those of the units [first, first + count) that are in the square to a list of n; returns its new length.
PFC_FN int32_t moba_gather_block(const Moba* s, int32_t first, int32_t count, MobaSquare q, uint8_t* list, int32_t n) {
  MobaHits hits = moba_hits(s, first, q);
  if (count < 8) hits.low &= (1ull << (8 * count)) - 1, hits.high = 0;
  else if (count < MOBA_BLOCK) hits.high &= (1ull << (8 * (count - 8))) - 1;
  n = moba_list_bytes(hits.low, first, list, n);
  return moba_list_bytes(hits.high, first + 8, list, n);
}

PFC_FN int32_t moba_gather_heroes(const Moba* s, int32_t team, MobaSquare q, uint8_t* list, int32_t n) {
  return moba_gather_block(s, team * MOBA_TEAM, MOBA_TEAM, q, list, n);
}

PFC_FN int32_t moba_gather_creeps(const Moba* s, int32_t team, MobaSquare q, uint8_t* list, int32_t n) {
  for (int32_t lane = 0; lane < MOBA_LANES; ++lane)
    n = moba_gather_block(s, moba_first_creep(team) + lane * MOBA_LANE_CREEPS, MOBA_LANE_CREEPS, q, list, n);
  return n;
}

PFC_FN int32_t moba_gather_buildings(const Moba* s, int32_t team, MobaSquare q, uint8_t* list, int32_t n) {
  return moba_gather_block(s, moba_first_building(team), MOBA_TEAM_BUILDINGS, q, list, n);
}

// Neutrals of one half, its guardian last.
PFC_FN int32_t moba_gather_neutrals(const Moba* s, int32_t half, MobaSquare q, uint8_t* list, int32_t n) {
  n = moba_gather_block(s, MOBA_NEUTRALS + half * MOBA_HALF_NEUTRALS, MOBA_HALF_NEUTRALS, q, list, n);
  if (moba_within(s, MOBA_GUARDIANS + half, q)) list[n++] = (uint8_t)(MOBA_GUARDIANS + half);
  return n;
}

// Whether a unit of the team is in the square.
PFC_FN bool moba_team_within(const Moba* s, int32_t team, MobaSquare q) {
  uint8_t list[MOBA_TEAM_BUILDINGS];
  if (moba_gather_heroes(s, team, q, list, 0)) return true;
  for (int32_t lane = 0; lane < MOBA_LANES; ++lane)
    if (moba_block_within(s, moba_first_creep(team) + lane * MOBA_LANE_CREEPS, q)) return true;
  return moba_gather_buildings(s, team, q, list, 0) > 0;
}

PFC_FN bool moba_veiled(const Moba* s, int32_t hero) { return moba_role(hero) == MOBA_BLADE && s->clock.buff[hero]; }

// Whether the other team may see and target a hero that is near its units.
PFC_FN bool moba_shows(const Moba* s, int32_t hero) {
  if (!moba_veiled(s, hero)) return true;
  const int32_t enemy = !moba_hero_team(hero), x = s->x[hero], y = s->y[hero];
  uint8_t list[MOBA_TEAM_BUILDINGS];
  return moba_team_within(s, enemy, moba_square(x, y, MOBA_VEIL_SIGHT)) ||
         moba_gather_block(s, moba_first_building(enemy), MOBA_ANCIENT, moba_square(x, y, MOBA_TOWER_REACH), list, 0);
}

// The same for a neutral at (x, y).
PFC_FN bool moba_shows_to_neutral(const Moba* s, int32_t hero, int32_t x, int32_t y) {
  return !moba_veiled(s, hero) || moba_within(s, hero, moba_square(x, y, MOBA_VEIL_SIGHT));
}

// ---- targets ---------------------------------------------------------------------------------------------

enum { MOBA_CLASS_HEROES, MOBA_CLASS_SMALL, MOBA_CLASS_BUILDINGS, MOBA_CLASSES };

// Order of units that are otherwise equal: the lower number first, then the side that acts first in this tick.
PFC_FN int32_t moba_rank(const MobaGame* g, int32_t unit) {
  return moba_number(unit) << 2 | (int32_t)moba_is_neutral(unit) << 1 | (moba_side(unit) != g->first);
}

// Appends a team's enemies of this class that are in the square and may be attacked.
PFC_FN int32_t moba_gather_class(const MobaGame* g, int32_t team, int32_t class_, MobaSquare q, uint8_t* list,
                                 int32_t n) {
  const Moba* s = g->s;
  const int32_t begin = n, enemy = !team;
  if (class_ == MOBA_CLASS_SMALL) {
    n = moba_gather_creeps(s, enemy, q, list, n);
    n = moba_gather_neutrals(s, g->first, q, list, n);
    return moba_gather_neutrals(s, !g->first, q, list, n);
  }
  if (class_ == MOBA_CLASS_HEROES) n = moba_gather_heroes(s, enemy, q, list, n);
  else n = moba_gather_buildings(s, enemy, q, list, n);
  int32_t kept = begin;
  for (int32_t i = begin; i < n; ++i) {
    const bool may = class_ == MOBA_CLASS_HEROES ? moba_shows(s, list[i]) : s->open[enemy] >> moba_number(list[i]) & 1;
    if (may) list[kept++] = list[i];
  }
  return kept;
}

// All enemies that skills can hit: heroes, creeps and neutrals.
PFC_FN int32_t moba_gather_enemies(const MobaGame* g, int32_t team, MobaSquare q, uint8_t* list) {
  const int32_t n = moba_gather_class(g, team, MOBA_CLASS_HEROES, q, list, 0);
  return moba_gather_class(g, team, MOBA_CLASS_SMALL, q, list, n);
}

// The target of one class within reach: fewest hit points, then nearest, then by rank. MOBA_NONE if there is none.
PFC_FN int32_t moba_weakest(const MobaGame* g, int32_t hero, int32_t reach, int32_t class_) {
  const Moba* s = g->s;
  uint8_t list[MOBA_SLOTS];
  const MobaSquare q = moba_square(s->x[hero], s->y[hero], reach);
  const int32_t n = moba_gather_class(g, moba_hero_team(hero), class_, q, list, 0);
  int32_t best = MOBA_NONE, best_key = INT32_MAX;
  for (int32_t i = 0; i < n; ++i) {
    const int32_t key = s->hp[list[i]] << 12 | moba_gap(s, hero, list[i]) << 8 | moba_rank(g, list[i]);
    if (key < best_key) best = list[i], best_key = key;
  }
  return best;
}

// The target of an action: of the chosen class if it has one, else of the other classes in order. Only the first
// `classes` classes are allowed; a choice beyond them means heroes.
PFC_FN int32_t moba_pick(const MobaGame* g, int32_t hero, int32_t reach, int32_t class_, int32_t classes) {
  if (class_ >= classes) class_ = MOBA_CLASS_HEROES;
  int32_t target = moba_weakest(g, hero, reach, class_);
  for (int32_t other = 0; other < classes && target == MOBA_NONE; ++other)
    if (other != class_) target = moba_weakest(g, hero, reach, other);
  return target;
}

PFC_FN bool moba_any_target(const MobaGame* g, int32_t hero, int32_t reach, int32_t classes) {
  uint8_t list[MOBA_SLOTS];
  const MobaSquare q = moba_square(g->s->x[hero], g->s->y[hero], reach);
  for (int32_t class_ = 0; class_ < classes; ++class_)
    if (moba_gather_class(g, moba_hero_team(hero), class_, q, list, 0)) return true;
  return false;
}

// ---- the board -------------------------------------------------------------------------------------------

PFC_FN int32_t moba_code(const Moba* s, int32_t unit, int32_t team) {
  const int32_t own = moba_side(unit) == team;
  if (unit < MOBA_CREEPS) return (own ? MOBA_CODE_OWN_HERO : MOBA_CODE_ENEMY_HERO) + moba_role(unit);
  if (unit < MOBA_NEUTRALS) return (own ? MOBA_CODE_OWN_CREEP : MOBA_CODE_ENEMY_CREEP) + s->kind[unit];
  if (unit < MOBA_BUILDINGS) return MOBA_CODE_NEUTRAL + s->kind[unit] - MOBA_SMALL;
  if (s->kind[unit] == MOBA_KIND_ANCIENT) return own ? MOBA_CODE_OWN_ANCIENT : MOBA_CODE_ENEMY_ANCIENT;
  if (own) return MOBA_CODE_OWN_TOWER;
  return s->open[!team] >> moba_number(unit) & 1 ? MOBA_CODE_ENEMY_OPEN : MOBA_CODE_ENEMY_CLOSED;
}

// part / whole in n-ths, rounded up.
PFC_FN int32_t moba_parts(int32_t part, int32_t whole, int32_t n) { return (part * n + whole - 1) / whole; }

// Updates how both teams see a living unit: its code in the lower five bits, its hit points in eighths minus 1 in the
// upper three. A hero that the other team does not see looks like open ground.
PFC_FN void moba_show(MobaGame* g, int32_t unit) {
  Moba* s = g->s;
  const int32_t eighths = moba_parts(s->hp[unit], s->max_hp[unit], 8);
  for (int32_t team = 0; team < 2; ++team) {
    const bool hidden = unit < MOBA_HEROES && moba_hero_team(unit) != team && !(s->seen[team] >> moba_role(unit) & 1);
    s->look[team][unit] = (uint8_t)(hidden ? (int32_t)MOBA_CODE_OPEN : moba_code(s, unit, team) | (eighths - 1) << 5);
  }
}

// Puts a unit that is off the map onto a free cell.
PFC_FN void moba_put(MobaGame* g, int32_t unit, int32_t x, int32_t y) {
  g->s->x[unit] = (uint8_t)x;
  g->s->y[unit] = (uint8_t)y;
  g->cells[moba_cell(g, x, y)] = (uint8_t)unit;
  moba_show(g, unit);
}

PFC_FN void moba_lift(MobaGame* g, int32_t unit) {
  Moba* s = g->s;
  g->cells[moba_cell(g, s->x[unit], s->y[unit])] = MOBA_FREE;
  s->x[unit] = s->y[unit] = MOBA_OFF;
}

// Moves a unit to a free cell.
PFC_FN void moba_shift(MobaGame* g, int32_t unit, int32_t x, int32_t y) {
  Moba* s = g->s;
  g->cells[moba_cell(g, s->x[unit], s->y[unit])] = MOBA_FREE;
  g->cells[moba_cell(g, x, y)] = (uint8_t)unit;
  s->x[unit] = (uint8_t)x;
  s->y[unit] = (uint8_t)y;
}

// Whether a step does not cut the corner of a wall: neither cell beside a diagonal step is a wall.
PFC_FN bool moba_corner_clear(const MobaGame* g, int32_t cell, int32_t way) {
  return !(way & 1) || (g->cells[moba_ahead(g, cell, way - 1)] != MOBA_WALL &&
                        g->cells[moba_ahead(g, cell, (way + 1) & 7)] != MOBA_WALL);
}

PFC_FN bool moba_can_step(const MobaGame* g, int32_t x, int32_t y, int32_t way) {
  const int32_t cell = moba_cell(g, x, y);
  return g->cells[moba_ahead(g, cell, way)] == MOBA_FREE && moba_corner_clear(g, cell, way);
}

PFC_FN bool moba_step_unit(MobaGame* g, int32_t unit, int32_t way) {
  const int32_t x = g->s->x[unit], y = g->s->y[unit];
  if (!moba_can_step(g, x, y, way)) return false;
  moba_shift(g, unit, x + moba_step_x[way], y + moba_step_y[way]);
  return true;
}

// Whether a creep of this lane of the team may be at a place.
PFC_FN bool moba_on_track(const MobaGame* g, int32_t team, int32_t lane, int32_t x, int32_t y) {
  x = moba_turn(g->size, team, x), y = moba_turn(g->size, team, y);
  return moba_in_lane(g, lane, x, y) || moba_in_base(g, x, y);
}

typedef struct MobaSearch {
  int32_t team;   // the order of cells is that of its view
  int32_t lane;   // only cells on this lane; -1: any cell
  int32_t rings;  // largest distance
} MobaSearch;

// The free cell nearest to a place; x is -1 if there is none.
PFC_FN MobaPlace moba_free_near(const MobaGame* g, MobaPlace from, MobaSearch search) {
  for (int32_t r = 0; r <= search.rings; ++r)
    for (int32_t i = 0; i < pfc_maxi(8 * r, 1); ++i) {
      const MobaPlace d = moba_ring(r, i);
      MobaPlace at;
      at.x = (int16_t)(search.team ? from.x - d.x : from.x + d.x);
      at.y = (int16_t)(search.team ? from.y - d.y : from.y + d.y);
      if (!moba_inside(g, at.x, at.y) || g->cells[moba_cell(g, at.x, at.y)] != MOBA_FREE) continue;
      if (search.lane < 0 || moba_on_track(g, search.team, search.lane, at.x, at.y)) return at;
    }
  from.x = -1;
  return from;
}

// The next step from a cell, in the team's view: 1 + direction, or 0 at the destination. which: a lane, or MOBA_HOME.
enum { MOBA_HOME = MOBA_LANES };
PFC_FN int32_t moba_way(const MobaGame* g, int32_t team, int32_t x, int32_t y, int32_t which) {
  return g->ways[moba_own_cell(g, team, x, y)] >> (4 * which) & 15;
}

// ---- camps -----------------------------------------------------------------------------------------------

// Pits are numbered 0 to 2 MOBA_PITS - 1: team 0's half first, and in each half the camps before the guardian.
PFC_FN int32_t moba_pit_half(int32_t pit) { return pit >= MOBA_PITS; }
PFC_FN bool moba_is_guardian_pit(int32_t pit) { return pit % MOBA_PITS == MOBA_CAMPS; }
PFC_FN int32_t moba_pit_units(int32_t pit) { return moba_is_guardian_pit(pit) ? 1 : MOBA_CAMP_UNITS; }
PFC_FN int32_t moba_first_of_pit(int32_t pit) {
  const int32_t half = moba_pit_half(pit), camp = pit - half * MOBA_PITS;
  return camp == MOBA_CAMPS ? MOBA_GUARDIANS + half
                            : MOBA_NEUTRALS + half * MOBA_HALF_NEUTRALS + camp * MOBA_CAMP_UNITS;
}
PFC_FN int32_t moba_pit_of(int32_t neutral) {
  const int32_t number = moba_number(neutral);
  return moba_side(neutral) * MOBA_PITS + (number == MOBA_GUARDIAN_NUMBER ? MOBA_CAMPS : number / MOBA_CAMP_UNITS);
}
PFC_FN MobaPlace moba_pit_middle(const Moba* s, int32_t pit) {
  MobaPlace at = {s->pit_x[pit], s->pit_y[pit]};
  return at;
}

// Home of unit i of a camp: the middle, the cell to its left, the cell to its right.
PFC_FN MobaPlace moba_pit_place(const Moba* s, int32_t pit, int32_t i) {
  MobaPlace at = moba_pit_middle(s, pit);
  const int32_t right = (i == 2) - (i == 1);
  at.x = (int16_t)(at.x + (moba_pit_half(pit) ? -right : right));
  return at;
}

// ---- the map ---------------------------------------------------------------------------------------------

// Memory for drawing a map.
enum { MOBA_MAX_CELLS = (MOBA_MAX_SIZE + 2 * 7) * (MOBA_MAX_SIZE + 2 * 7), MOBA_QUEUE = 4096 };
typedef struct MobaScratch {
  uint8_t mark[MOBA_MAX_CELLS];  // indexed like cells: heights of the jungle, then marks of a flood
  // Cells that a flood has reached and not yet left, a ring buffer. It holds more cells than the bases and a lane have,
  // where the largest flood starts, plus those around them.
  uint16_t queue[MOBA_QUEUE];
} MobaScratch;

// Marks of a flood: the distance modulo 3 of a reached cell, or one of these. It enters MOBA_UNREACHED cells only.
enum { MOBA_UNREACHED = 3, MOBA_CLOSED, MOBA_BLOCKED, MOBA_BUILT };
enum { MOBA_HEIGHTS = 256, MOBA_FLAT = 0, MOBA_LATTICE_MAX = MOBA_MAX_SIZE / MOBA_LATTICE + 1 };

// Whether a cell is jungle, not a lane, the river, a base or a clearing. In team 0's view.
PFC_FN bool moba_in_jungle(const MobaGame* g, int32_t x, int32_t y) {
  if (moba_in_river(x, y) || moba_in_base(g, x, y)) return false;
  for (int32_t lane = 0; lane < MOBA_LANES; ++lane)
    if (moba_in_lane(g, lane, x, y)) return false;
  for (int32_t pit = 0; pit < 2 * MOBA_PITS; ++pit) {
    const int32_t radius = moba_is_guardian_pit(pit) ? MOBA_PIT_CLEARING : MOBA_CLEARING;
    if (moba_span(x - g->s->pit_x[pit], y - g->s->pit_y[pit]) <= radius) return false;
  }
  return true;
}

// Sets a cell and its image under rotation.
PFC_FN void moba_set_pair(MobaGame* g, int32_t x, int32_t y, uint8_t value) {
  g->cells[moba_own_cell(g, 0, x, y)] = value;
  g->cells[moba_own_cell(g, 1, x, y)] = value;
}

// Opens all cells and fills heights of the jungle with y > x, 1 to 255, by bilinear interpolation of random values on a
// lattice. Adds the number of cells of height h to count[h] and returns the number of all.
PFC_FN int32_t moba_raise_jungle(MobaGame* g, PfcRng* rng, uint8_t* heights, uint16_t* count) {
  uint8_t lattice[MOBA_LATTICE_MAX][MOBA_LATTICE_MAX];
  const int32_t points = (g->size - 1) / MOBA_LATTICE + 2, full = MOBA_LATTICE * MOBA_LATTICE;
  for (int32_t j = 0; j < points; ++j)
    for (int32_t i = 0; i < points; ++i) lattice[j][i] = (uint8_t)(1 + pfc_rng_below(rng, 255));
  int32_t cells = 0;
  for (int32_t y = 0; y < g->size; ++y)
    for (int32_t x = 0; x < g->size; ++x) {
      const int32_t cell = moba_cell(g, x, y);
      g->cells[cell] = MOBA_FREE;
      heights[cell] = MOBA_FLAT;
      if (y <= x || !moba_in_jungle(g, x, y)) continue;
      const int32_t i = x / MOBA_LATTICE, j = y / MOBA_LATTICE, right = x % MOBA_LATTICE, down = y % MOBA_LATTICE;
      const int32_t upper = lattice[j][i] * (MOBA_LATTICE - right) + lattice[j][i + 1] * right;
      const int32_t lower = lattice[j + 1][i] * (MOBA_LATTICE - right) + lattice[j + 1][i + 1] * right;
      heights[cell] = (uint8_t)((upper * (MOBA_LATTICE - down) + lower * down) / full);
      count[heights[cell]] += 1;
      ++cells;
    }
  return cells;
}

// Turns the highest cells into walls. Of equally high cells, those that come first row by row.
PFC_FN void moba_raise_walls(MobaGame* g, uint8_t* heights, PfcRng* rng) {
  uint16_t count[MOBA_HEIGHTS];
  memset(count, 0, sizeof count);
  int32_t left = moba_raise_jungle(g, rng, heights, count) * MOBA_WALL_PERCENT / 100, level = MOBA_HEIGHTS - 1;
  while (level > 0 && count[level] <= left) left -= count[level--];
  for (int32_t y = 0; y < g->size; ++y)
    for (int32_t x = 0; x < y; ++x) {
      const int32_t height = heights[moba_cell(g, x, y)];
      if (height == MOBA_FLAT || height < level || (height == level && left-- <= 0)) continue;
      moba_set_pair(g, x, y, MOBA_WALL);
    }
}

// The lane cell nearest to a place of team 0's half.
PFC_FN MobaPlace moba_lane_near(const MobaGame* g, MobaPlace from) {
  for (int32_t r = 1; r < g->size; ++r)
    for (int32_t i = 0; i < 8 * r; ++i) {
      MobaPlace at = moba_ring(r, i);
      at.x = (int16_t)(at.x + from.x), at.y = (int16_t)(at.y + from.y);
      for (int32_t lane = 0; lane < MOBA_LANES; ++lane)
        if (moba_inside(g, at.x, at.y) && moba_in_lane(g, lane, at.x, at.y)) return at;
    }
  return from;
}

// Digs a corridor, two cells wide, from a camp to the nearest lane cell, along the longer axis first.
PFC_FN void moba_dig_corridor(MobaGame* g, MobaPlace camp) {
  const MobaPlace lane = moba_lane_near(g, camp);
  const bool across_first = moba_abs(lane.x - camp.x) > moba_abs(lane.y - camp.y);
  for (int32_t leg = 0; leg < 2; ++leg) {
    const bool across = across_first == (leg == 0);
    while (across ? camp.x != lane.x : camp.y != lane.y) {
      if (across) camp.x = (int16_t)(camp.x + (lane.x > camp.x ? 1 : -1));
      else camp.y = (int16_t)(camp.y + (lane.y > camp.y ? 1 : -1));
      moba_set_pair(g, camp.x, camp.y, MOBA_FREE);
      moba_set_pair(g, camp.x + !across, camp.y + across, MOBA_FREE);
    }
  }
}

// Bit k is set if byte k of `bytes`, counted from the lowest, equals `wanted`.
PFC_FN uint32_t moba_equal_bits(uint64_t bytes, uint64_t wanted) {
  const uint64_t ones = 0x0101010101010101ull, differ = bytes ^ wanted * ones;  // marks are below 128
  const uint64_t equal = ~(differ + 127u * ones) >> 7 & ones;
  return (uint32_t)(equal * 0x0102040810204080ull >> 56);
}

PFC_FN void moba_set_way(MobaGame* g, int32_t cell, int32_t which, int32_t way) {
  g->ways[cell] = (uint16_t)(g->ways[cell] | (1 + way) << (4 * which));
}

// Breadth-first flood from the first `count` cells of the queue, which are marked 0, over MOBA_UNREACHED cells. Stores
// in each reached cell, as direction `which`, its first neighbour clockwise from up that is one step nearer. Buildings
// stop the flood, but get a direction too, for the time after they have fallen.
PFC_FN void moba_flood(MobaGame* g, MobaScratch* m, int32_t count, int32_t which) {
  const int32_t sources = count;
  int32_t offset[8];
  for (int32_t way = 0; way < 8; ++way) offset[way] = moba_ahead(g, 0, way);
  for (int32_t next = 0; next < count; ++next) {
    const int32_t cell = m->queue[next & (MOBA_QUEUE - 1)], mark = m->mark[cell];
    uint64_t around = 0;
    for (int32_t way = 0; way < 8; ++way) around |= (uint64_t)m->mark[cell + offset[way]] << (8 * way);
    const uint32_t ground = ~moba_equal_bits(around, MOBA_BLOCKED), straight = ground & 0x55u;
    // A diagonal step needs both straight neighbours beside it.
    const uint32_t open = straight | (ground & 0xaau & straight << 1 & (straight >> 1 | straight << 7));
    const uint32_t nearer = moba_equal_bits(around, (uint64_t)((mark + 2) % 3)) & open;
    if (next >= sources) moba_set_way(g, cell, which, moba_lowest_bit(nearer));
    for (uint32_t fresh = moba_equal_bits(around, MOBA_UNREACHED) & open; fresh; fresh &= fresh - 1) {
      const int32_t at = cell + offset[moba_lowest_bit(fresh)];
      m->mark[at] = (uint8_t)((mark + 1) % 3);
      m->queue[count++ & (MOBA_QUEUE - 1)] = (uint16_t)at;
    }
    for (uint32_t built = moba_equal_bits(around, MOBA_BUILT) & open; built; built &= built - 1) {
      const int32_t way = moba_lowest_bit(built), at = cell + offset[way];
      if (!(g->ways[at] >> (4 * which) & 15)) moba_set_way(g, at, which, (way + 4) & 7);
    }
  }
}

// Marks all cells before a flood: free ones as given, walls, and buildings.
PFC_FN void moba_mark_cells(const MobaGame* g, uint8_t* mark, uint8_t free) {
  for (int32_t cell = 0; cell < g->stride * g->stride; ++cell) {
    const uint8_t found = g->cells[cell];
    mark[cell] = found == MOBA_FREE ? free : found < MOBA_UNITS ? (uint8_t)MOBA_BUILT : (uint8_t)MOBA_BLOCKED;
  }
}

// Ways home. Cells that cannot be reached from the fountain become walls. The map is symmetric, so both teams reach the
// same cells.
PFC_FN void moba_find_home(MobaGame* g, MobaScratch* m) {
  const MobaPlace fountain = moba_place_of(g, 0, moba_fountain_place);
  const int32_t cells = g->stride * g->stride, radius = MOBA_FOUNTAIN_RADIUS;
  int32_t count = 0;
  moba_mark_cells(g, m->mark, MOBA_UNREACHED);
  for (int32_t y = fountain.y - radius; y <= fountain.y + radius; ++y)
    for (int32_t x = fountain.x - radius; x <= fountain.x + radius; ++x) {
      if (!moba_inside(g, x, y)) continue;
      m->mark[moba_cell(g, x, y)] = 0;
      m->queue[count++] = (uint16_t)moba_cell(g, x, y);
    }
  moba_flood(g, m, count, MOBA_HOME);
  for (int32_t cell = 0; cell < cells; ++cell)
    if (m->mark[cell] == MOBA_UNREACHED) g->cells[cell] = MOBA_WALL;
}

// Ways along a lane to the enemy's ancient, and from all other cells to the lane.
PFC_FN void moba_find_lane(MobaGame* g, MobaScratch* m, int32_t lane) {
  const MobaPlace ancient = moba_place_of(g, 1, moba_building_places[MOBA_ANCIENT]);
  const int32_t cells = g->stride * g->stride, goal = moba_cell(g, ancient.x, ancient.y);
  moba_mark_cells(g, m->mark, MOBA_CLOSED);
  for (int32_t y = 0; y < g->size; ++y)
    for (int32_t x = 0; x < g->size; ++x) {
      const int32_t cell = moba_cell(g, x, y);
      if (m->mark[cell] == MOBA_CLOSED && (moba_in_lane(g, lane, x, y) || moba_in_base(g, x, y)))
        m->mark[cell] = MOBA_UNREACHED;
    }
  m->mark[goal] = 0;
  m->queue[0] = (uint16_t)goal;
  moba_flood(g, m, 1, lane);
  int32_t count = 0;
  for (int32_t cell = 0; cell < cells; ++cell) {
    if (m->mark[cell] < MOBA_UNREACHED) m->mark[cell] = 0, m->queue[count++] = (uint16_t)cell;
    else if (m->mark[cell] == MOBA_CLOSED) m->mark[cell] = MOBA_UNREACHED;
  }
  moba_flood(g, m, count, lane);
}

// Draws the terrain, places buildings in the cells and finds the ways.
PFC_FN void moba_make_map(MobaGame* g) {
  MobaScratch scratch;
  PfcRng fixed = {0, 1};
  if (!g->p->random_jungle) pfc_rng_seed(&fixed, 64, 0);
  for (int32_t pit = 0; pit < 2 * MOBA_PITS; ++pit) {
    const MobaPlace at = moba_place_of(g, moba_pit_half(pit), moba_pit_places[pit % MOBA_PITS]);
    g->s->pit_x[pit] = (uint8_t)at.x, g->s->pit_y[pit] = (uint8_t)at.y;
  }
  memset(g->cells, MOBA_OUTSIDE, moba_cell_bytes(g->p));
  moba_raise_walls(g, scratch.mark, g->p->random_jungle ? &g->s->rng : &fixed);
  for (int32_t camp = 0; camp < MOBA_CAMPS; ++camp) moba_dig_corridor(g, moba_pit_middle(g->s, camp));
  for (int32_t unit = MOBA_BUILDINGS; unit < MOBA_UNITS; ++unit) {
    const MobaPlace at = moba_place_of(g, moba_side(unit), moba_building_places[moba_number(unit)]);
    g->cells[moba_cell(g, at.x, at.y)] = (uint8_t)unit;
  }
  moba_find_home(g, &scratch);
  for (int32_t lane = 0; lane < MOBA_LANES; ++lane) moba_find_lane(g, &scratch, lane);
}

// ---- filling camps ---------------------------------------------------------------------------------------

PFC_FN int32_t moba_pit_kind(int32_t pit, int32_t i) {
  const int32_t camp = pit % MOBA_PITS;
  if (camp == MOBA_CAMPS) return MOBA_GUARDIAN;
  return camp >= 2 && i == 0 ? MOBA_LARGE : MOBA_SMALL;  // the last two camps are large
}

// Puts a new unit onto the map.
PFC_FN void moba_create(MobaGame* g, int32_t unit, int32_t kind, int32_t hp, MobaPlace at) {
  Moba* s = g->s;
  s->kind[unit] = (uint8_t)kind;
  s->hp[unit] = s->max_hp[unit] = (int16_t)hp;
  s->target[unit] = MOBA_NONE;
  s->clock.wait[unit] = s->clock.stun[unit] = s->clock.slow[unit] = s->clock.taunt[unit] = s->clock.shield[unit] = 0;
  moba_put(g, unit, at.x, at.y);
}

PFC_FN void moba_fill_pit(MobaGame* g, int32_t pit) {
  Moba* s = g->s;
  const MobaSearch search = {moba_pit_half(pit), -1, g->size};
  for (int32_t i = 0; i < moba_pit_units(pit); ++i) {
    const int32_t kind = moba_pit_kind(pit, i);
    const MobaPlace at = moba_free_near(g, moba_pit_place(g->s, pit, i), search);
    moba_create(g, moba_first_of_pit(pit) + i, kind, moba_kinds[kind].hp, at);
  }
  s->left[pit] = (uint8_t)moba_pit_units(pit);
  s->awake[pit] = 0;
  s->calm[pit] = 0;
}

// ---- reset -----------------------------------------------------------------------------------------------

// Which of the standing buildings can be hurt.
PFC_FN uint16_t moba_open_buildings(uint32_t standing) {
  uint32_t open = 0, base = 0;
  for (int32_t lane = 0; lane < MOBA_LANES; ++lane) {
    const uint32_t three = standing >> (3 * lane) & 7u;
    open |= (three & (1u | (~three & 3u) << 1)) << (3 * lane);  // T1, and towers whose predecessor has fallen
    base |= !(three & 4u);
  }
  if (base) open |= 3u << MOBA_FIRST_T4;
  if (!(standing >> MOBA_FIRST_T4 & 3u)) open |= 1u << MOBA_ANCIENT;
  return (uint16_t)(open & standing);
}

// Draws what makes scripted heroes differ from game to game.
PFC_FN void moba_draw_habits(MobaGame* g, int32_t team) {
  Moba* s = g->s;
  uint8_t lanes[MOBA_TEAM] = {MOBA_BOTTOM, MOBA_MIDDLE, MOBA_MIDDLE, MOBA_TOP, MOBA_BOTTOM};
  if (pfc_rng_below(&s->rng, 4) == 0) {
    for (int32_t left = MOBA_TEAM; left > 1; --left) {
      const uint32_t pick = pfc_rng_below(&s->rng, (uint32_t)left);
      const uint8_t lane = lanes[pick];
      lanes[pick] = lanes[left - 1];
      lanes[left - 1] = lane;
    }
  }
  for (int32_t k = 0; k < MOBA_TEAM; ++k) {
    const int32_t hero = team * MOBA_TEAM + k;
    s->lane[hero] = lanes[k];
    s->leave[hero] = (uint8_t)(MOBA_LEAVE_PERCENT + pfc_rng_below(&s->rng, MOBA_LEAVE_SPREAD));
    s->delay[hero] = (uint8_t)pfc_rng_below(&s->rng, 3);
  }
}

// Puts a hero at the fountain with full hit points and mana.
PFC_FN void moba_spawn_hero(MobaGame* g, int32_t hero) {
  Moba* s = g->s;
  const int32_t team = moba_hero_team(hero);
  const MobaSearch search = {team, -1, g->size};
  const MobaPlace at = moba_free_near(g, moba_place_of(g, team, moba_fountain_place), search);
  s->hp[hero] = s->max_hp[hero];
  s->mana[hero] = s->max_mana[hero];
  moba_put(g, hero, at.x, at.y);
}

PFC_FN void moba_update_views(MobaGame* g);

PFC_FN void moba_reset(Moba* s, const MobaParams* p) {
  for (int32_t unit = 0; unit < MOBA_SLOTS; ++unit) {
    s->x[unit] = s->y[unit] = MOBA_OFF;
    s->target[unit] = s->taunter[unit] = MOBA_NONE;
  }
  MobaGame game = moba_open(s, p), *g = &game;
  moba_make_map(g);
  s->coin = (uint8_t)pfc_rng_below(&s->rng, 2);
  for (int32_t team = 0; team < 2; ++team) {
    s->standing[team] = (1u << MOBA_TEAM_BUILDINGS) - 1u;
    s->open[team] = moba_open_buildings(s->standing[team]);
    moba_draw_habits(g, team);
  }
  for (int32_t unit = MOBA_BUILDINGS; unit < MOBA_UNITS; ++unit) {
    const int32_t number = moba_number(unit), kind = moba_building_kinds[number];
    const MobaPlace at = moba_place_of(g, moba_side(unit), moba_building_places[number]);
    moba_create(g, unit, kind, moba_kinds[kind].hp, at);
  }
  for (int32_t pit = 0; pit < 2 * MOBA_PITS; ++pit) moba_fill_pit(g, pit);
  for (int32_t hero = 0; hero < MOBA_HEROES; ++hero) {
    const MobaRole* role = &moba_roles[moba_role(hero)];
    s->kind[hero] = MOBA_HERO;
    s->level[hero] = 1;
    s->max_hp[hero] = (int16_t)role->hp;
    s->max_mana[hero] = (int16_t)role->mana;
    moba_spawn_hero(g, hero);
  }
  moba_update_views(g);
}

// ---- damage ----------------------------------------------------------------------------------------------

PFC_FN void moba_add_effect(Moba* s, int32_t kind, int32_t team, MobaPlace from, MobaPlace to) {
  if (s->num_effects == MOBA_EFFECTS) return;
  MobaEffect* effect = &s->effects[s->num_effects++];
  effect->kind = (uint8_t)kind, effect->team = (uint8_t)team;
  effect->x0 = (uint8_t)from.x, effect->y0 = (uint8_t)from.y;
  effect->x1 = (uint8_t)to.x, effect->y1 = (uint8_t)to.y;
  effect->radius = 0;
}

PFC_FN MobaPlace moba_where(const Moba* s, int32_t unit) {
  MobaPlace at = {s->x[unit], s->y[unit]};
  return at;
}

// An effect around a unit.
PFC_FN void moba_add_area(Moba* s, int32_t kind, int32_t hero, int32_t unit, int32_t radius) {
  const int32_t before = s->num_effects;
  moba_add_effect(s, kind, moba_hero_team(hero), moba_where(s, unit), moba_where(s, unit));
  if (before < s->num_effects) s->effects[before].radius = (uint8_t)radius;
}

// Enters damage into the ledger. Might raises a hero's damage by a fifth.
PFC_FN void moba_strike(MobaGame* g, int32_t from, int32_t to, int32_t damage) {
  Moba* s = g->s;
  MobaLedger* ledger = g->ledger;
  if (ledger->damage[to] == 0) {
    ledger->struck[ledger->num_struck++] = (uint8_t)to;
    for (int32_t hero = 0; hero < MOBA_HEROES; ++hero) ledger->by_hero[to][hero] = 0;
  }
  if (from < MOBA_HEROES) {
    if (s->clock.might[from]) damage = damage * 6 / 5;
    ledger->by_hero[to][from] = (int16_t)(ledger->by_hero[to][from] + damage);
    if (to < MOBA_HEROES) s->tally[from].hero_damage += (uint32_t)damage;
    if (to >= MOBA_BUILDINGS) s->tally[from].building_damage += (uint32_t)damage;
  }
  ledger->damage[to] = (int16_t)(ledger->damage[to] + damage);
  moba_add_effect(s, MOBA_EFFECT_STRIKE, moba_is_neutral(from) ? 2 : moba_side(from), moba_where(s, from),
                  moba_where(s, to));
}

PFC_FN void moba_stun(Moba* s, int32_t unit, int32_t ticks) {
  s->clock.stun[unit] = (uint8_t)pfc_maxi(s->clock.stun[unit], ticks);
}
PFC_FN void moba_slow(Moba* s, int32_t unit, int32_t ticks) {
  s->clock.slow[unit] = (uint8_t)pfc_maxi(s->clock.slow[unit], ticks);
}
PFC_FN int32_t moba_shield_of(const Moba* s, int32_t unit) { return s->clock.shield[unit] ? s->shield[unit] : 0; }

PFC_FN void moba_heal(MobaGame* g, int32_t unit, int32_t amount) {
  Moba* s = g->s;
  if (s->hp[unit] == s->max_hp[unit]) return;
  s->hp[unit] = (int16_t)pfc_mini(s->hp[unit] + amount, s->max_hp[unit]);
  moba_show(g, unit);
}

// Makes the camp of a displaced, taunted or hurt neutral active.
PFC_FN void moba_disturb(Moba* s, int32_t unit) {
  if (moba_is_neutral(unit)) s->calm[moba_pit_of(unit)] = 0;
}

// ---- heroes: attack and skills -----------------------------------------------------------------------------

PFC_FN int32_t moba_attack_damage(const Moba* s, int32_t hero) {
  const MobaRole* role = &moba_roles[moba_role(hero)];
  const int32_t damage = role->damage + role->damage_level * (s->level[hero] - 1) + MOBA_GEAR_DAMAGE * s->gear[hero];
  return moba_veiled(s, hero) ? damage * 3 / 2 : damage;
}

PFC_FN void moba_attack_unit(MobaGame* g, int32_t hero, int32_t target) {
  Moba* s = g->s;
  const bool focused = moba_role(hero) == MOBA_ARCHER && s->clock.buff[hero];
  moba_strike(g, hero, target, moba_attack_damage(s, hero));
  if (moba_veiled(s, hero)) s->clock.buff[hero] = 0;
  s->clock.wait[hero] = focused ? MOBA_FOCUS_WAIT : MOBA_ATTACK_WAIT;
}

PFC_FN bool moba_attack(MobaGame* g, int32_t hero, int32_t class_) {
  if (g->s->clock.wait[hero]) return false;
  const int32_t target = moba_pick(g, hero, moba_roles[moba_role(hero)].reach, class_, MOBA_CLASSES);
  if (target == MOBA_NONE) return false;
  moba_attack_unit(g, hero, target);
  return true;
}

PFC_FN const MobaSkill* moba_skill(int32_t hero, int32_t k) { return &moba_skills[moba_role(hero) * MOBA_SKILLS + k]; }
PFC_FN int32_t moba_skill_amount(const Moba* s, int32_t hero, int32_t k) {
  const MobaSkill* skill = moba_skill(hero, k);
  return skill->base + skill->level * s->level[hero];
}
PFC_FN bool moba_skill_ready(const Moba* s, int32_t hero, int32_t k) {
  return !s->clock.skill[hero][k] && s->mana[hero] >= moba_skill(hero, k)->mana;
}

// The own hero within reach that lacks most hit points; MOBA_NONE if none lacks any.
PFC_FN int32_t moba_most_hurt(const Moba* s, int32_t hero, int32_t reach) {
  uint8_t list[MOBA_TEAM];
  const MobaSquare q = moba_square(s->x[hero], s->y[hero], reach);
  const int32_t n = moba_gather_heroes(s, moba_hero_team(hero), q, list, 0);
  int32_t best = MOBA_NONE, most = 0;
  for (int32_t i = 0; i < n; ++i) {
    const int32_t missing = s->max_hp[list[i]] - s->hp[list[i]];
    if (missing > most) best = list[i], most = missing;
  }
  return best;
}

// Whether a skill has a target. Mana, cooldown and a charge's direction are checked elsewhere.
PFC_FN bool moba_skill_has_target(const MobaGame* g, int32_t hero, int32_t k) {
  const MobaSkill* skill = moba_skill(hero, k);
  if (skill->needs == MOBA_NEEDS_HURT_ALLY) return moba_most_hurt(g->s, hero, skill->reach) != MOBA_NONE;
  if (skill->needs == MOBA_NEEDS_HERO) return moba_any_target(g, hero, skill->reach, MOBA_CLASS_HEROES + 1);
  if (skill->needs == MOBA_NEEDS_ENEMY) return moba_any_target(g, hero, skill->reach, MOBA_CLASS_SMALL + 1);
  return true;
}

// One use of a skill.
typedef struct MobaCast {
  int32_t hero, amount;
  int32_t target;  // of aimed skills
  int32_t way;     // the chosen move in team 0's view, or MOBA_STAY
  const MobaSkill* skill;
} MobaCast;

PFC_FN bool moba_mend(MobaGame* g, const MobaCast* c) {
  Moba* s = g->s;
  const int32_t ally = moba_most_hurt(s, c->hero, c->skill->reach), before = s->hp[ally];
  moba_heal(g, ally, c->amount);
  s->tally[c->hero].healing += (uint32_t)(s->hp[ally] - before);
  moba_add_area(s, MOBA_EFFECT_HEAL, c->hero, ally, 1);
  return true;
}

PFC_FN void moba_shield_unit(Moba* s, int32_t unit, int32_t amount) {
  if (amount < moba_shield_of(s, unit)) return;
  s->shield[unit] = (int16_t)amount;
  s->clock.shield[unit] = MOBA_SHIELD_TICKS;
}

PFC_FN bool moba_aegis(MobaGame* g, const MobaCast* c) {
  Moba* s = g->s;
  const int32_t team = moba_hero_team(c->hero);
  const MobaSquare q = moba_square(s->x[c->hero], s->y[c->hero], c->skill->reach);
  uint8_t list[MOBA_SLOTS];
  int32_t n = moba_gather_heroes(s, team, q, list, 0);
  n = moba_gather_creeps(s, team, q, list, n);
  for (int32_t i = 0; i < n; ++i) moba_shield_unit(s, list[i], c->amount);
  moba_add_area(s, MOBA_EFFECT_HEAL, c->hero, c->hero, c->skill->reach);
  return true;
}

// Jumps to the nearest free cell beside the target. The blade's own cell counts as free.
PFC_FN bool moba_leap(MobaGame* g, const MobaCast* c) {
  Moba* s = g->s;
  const int32_t team = moba_hero_team(c->hero);
  int32_t best_gap = INT32_MAX, best_x = 0, best_y = 0;
  for (int32_t way = 0; way < 8; ++way) {
    const int32_t turned = moba_turn_way(team, way);
    const int32_t x = s->x[c->target] + moba_step_x[turned], y = s->y[c->target] + moba_step_y[turned];
    const int32_t found = g->cells[moba_cell(g, x, y)], gap = moba_span(x - s->x[c->hero], y - s->y[c->hero]);
    if ((found == MOBA_FREE || found == c->hero) && gap < best_gap) best_gap = gap, best_x = x, best_y = y;
  }
  if (best_gap == INT32_MAX) return false;
  if (best_gap > 0) moba_shift(g, c->hero, best_x, best_y);
  moba_strike(g, c->hero, c->target, c->amount);
  return true;
}

// Damages and slows all enemies around a unit.
PFC_FN bool moba_blast(MobaGame* g, const MobaCast* c, int32_t middle, int32_t radius, int32_t slow) {
  Moba* s = g->s;
  uint8_t list[MOBA_SLOTS];
  const MobaSquare q = moba_square(s->x[middle], s->y[middle], radius);
  const int32_t n = moba_gather_enemies(g, moba_hero_team(c->hero), q, list);
  moba_add_area(s, MOBA_EFFECT_AREA, c->hero, middle, radius);
  for (int32_t i = 0; i < n; ++i) {
    moba_strike(g, c->hero, list[i], c->amount);
    moba_slow(s, list[i], slow);
  }
  return true;
}

PFC_FN bool moba_aimed(MobaGame* g, const MobaCast* c, int32_t stun, int32_t slow) {
  moba_strike(g, c->hero, c->target, c->amount);
  moba_stun(g->s, c->target, stun);
  moba_slow(g->s, c->target, slow);
  return true;
}

PFC_FN bool moba_taunt(MobaGame* g, const MobaCast* c) {
  Moba* s = g->s;
  uint8_t list[MOBA_SLOTS];
  const MobaSquare q = moba_square(s->x[c->hero], s->y[c->hero], c->skill->reach);
  const int32_t n = moba_gather_enemies(g, moba_hero_team(c->hero), q, list);
  for (int32_t i = 0; i < n; ++i) {
    s->clock.taunt[list[i]] = MOBA_TAUNT_TICKS;
    s->taunter[list[i]] = (uint8_t)c->hero;
    moba_disturb(s, list[i]);
  }
  moba_add_area(s, MOBA_EFFECT_AREA, c->hero, c->hero, c->skill->reach);
  return true;
}

// Whether a charge may hit what a cell holds.
PFC_FN bool moba_is_enemy(int32_t hero, int32_t unit) {
  return unit < MOBA_BUILDINGS && (moba_is_neutral(unit) || moba_side(unit) != moba_hero_team(hero));
}

// Runs until blocked. An enemy in the way is damaged, pushed and stunned.
PFC_FN bool moba_charge(MobaGame* g, const MobaCast* c) {
  Moba* s = g->s;
  if (c->way == MOBA_STAY) return false;
  int32_t steps = 0;
  while (steps < MOBA_CHARGE_CELLS && moba_step_unit(g, c->hero, c->way)) ++steps;
  const int32_t cell = moba_cell(g, s->x[c->hero], s->y[c->hero]), met = g->cells[moba_ahead(g, cell, c->way)];
  if (steps == MOBA_CHARGE_CELLS || !moba_corner_clear(g, cell, c->way) || !moba_is_enemy(c->hero, met))
    return steps > 0;
  moba_strike(g, c->hero, met, c->amount);
  for (int32_t i = 0; i < MOBA_PUSH_CELLS && moba_step_unit(g, met, c->way); ++i) continue;
  moba_stun(s, met, MOBA_STUN_CHARGE);
  moba_disturb(s, met);
  return true;
}

PFC_FN bool moba_volley(MobaGame* g, const MobaCast* c) {
  Moba* s = g->s;
  uint8_t list[MOBA_SLOTS];
  const MobaSquare q = moba_square(s->x[c->hero], s->y[c->hero], c->skill->reach);
  int32_t n = moba_gather_enemies(g, moba_hero_team(c->hero), q, list);
  for (int32_t shot = 0; shot < MOBA_VOLLEY_TARGETS && n > 0; ++shot) {
    int32_t best = 0, best_key = INT32_MAX;
    for (int32_t i = 0; i < n; ++i) {
      const int32_t small = list[i] >= MOBA_HEROES;
      const int32_t key = moba_gap(s, c->hero, list[i]) << 9 | small << 8 | moba_rank(g, list[i]);
      if (key < best_key) best = i, best_key = key;
    }
    moba_strike(g, c->hero, list[best], c->amount);
    list[best] = list[--n];
  }
  return true;
}

PFC_FN bool moba_buff(MobaGame* g, const MobaCast* c, int32_t ticks) {
  g->s->clock.buff[c->hero] = (uint8_t)ticks;
  moba_add_area(g->s, MOBA_EFFECT_AREA, c->hero, c->hero, 1);
  return true;
}

PFC_FN bool moba_cast(MobaGame* g, const MobaCast* c, int32_t which) {
  switch (which) {
    case MOBA_MEND: return moba_mend(g, c);
    case MOBA_BIND: return moba_aimed(g, c, MOBA_STUN_BIND, 0);
    case MOBA_AEGIS: return moba_aegis(g, c);
    case MOBA_LEAP: return moba_leap(g, c);
    case MOBA_VEIL: return moba_buff(g, c, MOBA_VEIL_TICKS);
    case MOBA_WHIRL: return moba_blast(g, c, c->hero, c->skill->reach, 0);
    case MOBA_BOLT: return moba_aimed(g, c, 0, 0);
    case MOBA_BLAZE: return moba_blast(g, c, c->target, MOBA_BLAZE_RADIUS, 0);
    case MOBA_FROST: return moba_blast(g, c, c->hero, c->skill->reach, MOBA_SLOW_FROST);
    case MOBA_TAUNT: return moba_taunt(g, c);
    case MOBA_SKIN: return moba_buff(g, c, MOBA_SKIN_TICKS);
    case MOBA_CHARGE: return moba_charge(g, c);
    case MOBA_VOLLEY: return moba_volley(g, c);
    case MOBA_SNARE: return moba_aimed(g, c, 0, MOBA_SLOW_SNARE);
    default: return moba_buff(g, c, MOBA_FOCUS_TICKS);
  }
}

// Uses skill k if it is ready, affordable and has a target; otherwise it costs nothing. Returns whether it was used.
PFC_FN bool moba_use_skill(MobaGame* g, int32_t hero, int32_t k, int32_t class_, int32_t way) {
  Moba* s = g->s;
  if (!moba_skill_ready(s, hero, k) || !moba_skill_has_target(g, hero, k)) return false;
  MobaCast c = {hero, moba_skill_amount(s, hero, k), MOBA_NONE, way, moba_skill(hero, k)};
  const int32_t which = moba_role(hero) * MOBA_SKILLS + k;
  if (c.skill->needs == MOBA_NEEDS_HERO) c.target = moba_weakest(g, hero, c.skill->reach, MOBA_CLASS_HEROES);
  if (c.skill->needs == MOBA_NEEDS_ENEMY) c.target = moba_pick(g, hero, c.skill->reach, class_, MOBA_CLASS_SMALL + 1);
  if (!moba_cast(g, &c, which)) return false;
  s->mana[hero] = (int16_t)(s->mana[hero] - c.skill->mana);
  s->clock.skill[hero][k] = (uint8_t)c.skill->wait;
  s->tally[hero].skills += 1;
  return true;
}

// Bit k: act k is legal. Dead, stunned and taunted heroes have act 0 only.
PFC_FN uint32_t moba_legal_acts(const MobaGame* g, int32_t hero) {
  const Moba* s = g->s;
  if (!moba_lives(s, hero) || s->clock.stun[hero] || s->clock.taunt[hero]) return 1u;
  uint32_t legal = 1u;
  if (!s->clock.wait[hero] && moba_any_target(g, hero, moba_roles[moba_role(hero)].reach, MOBA_CLASSES)) legal |= 2u;
  for (int32_t k = 0; k < MOBA_SKILLS; ++k)
    if (moba_skill_ready(s, hero, k) && moba_skill_has_target(g, hero, k)) legal |= 4u << k;
  return legal;
}

// ---- heroes: a turn ----------------------------------------------------------------------------------------

// Slowed units move in every second tick only.
PFC_FN bool moba_may_move(const Moba* s, int32_t unit) {
  return !s->clock.slow[unit] || ((s->tick + (uint32_t)moba_number(unit)) & 1u) == 0;
}

PFC_FN void moba_move_hero(MobaGame* g, int32_t hero, int32_t way) {
  if (way == MOBA_STAY || !moba_may_move(g->s, hero)) return;
  if (moba_step_unit(g, hero, way) && moba_veiled(g->s, hero)) (void)moba_step_unit(g, hero, way);
}

// A taunted hero attacks its taunter or walks towards it.
PFC_FN void moba_follow_taunt(MobaGame* g, int32_t hero) {
  Moba* s = g->s;
  const int32_t target = s->taunter[hero];
  if (moba_gap(s, hero, target) > moba_roles[moba_role(hero)].reach)
    moba_move_hero(g, hero, moba_way_to(s->x[target] - s->x[hero], s->y[target] - s->y[hero]));
  else if (!s->clock.wait[hero])
    moba_attack_unit(g, hero, target);
}

PFC_FN void moba_act_hero(MobaGame* g, int32_t hero, const int32_t* choice) {
  Moba* s = g->s;
  if (s->clock.stun[hero]) return;
  if (s->clock.taunt[hero]) {
    moba_follow_taunt(g, hero);
    return;
  }
  const int32_t way = choice[0] == 0 ? MOBA_STAY : moba_turn_way(moba_hero_team(hero), choice[0] - 1);
  bool done = false;
  if (choice[1] == 1) done = moba_attack(g, hero, choice[2]);
  if (choice[1] > 1) done = moba_use_skill(g, hero, choice[1] - 2, choice[2], way);
  if (!done) moba_move_hero(g, hero, way);
}

// ---- creeps, neutrals, towers ------------------------------------------------------------------------------

// Directions to try when the straight one (attempt 0) is blocked: 45 degrees to one side, then to the other. Which side
// comes first alternates.
PFC_FN int32_t moba_sidestep(const Moba* s, int32_t number, int32_t way, int32_t attempt) {
  if (attempt == 0) return way;
  const uint32_t right_first = (s->tick + (uint32_t)number) / 2 & 1u;
  return (way + (right_first == (attempt == 1) ? 1 : 7)) & 7;
}

// The first enemy creep of the lane that a creep walks on. The other team's lanes are numbered in reverse.
PFC_FN int32_t moba_opposing_creeps(int32_t creep) {
  return moba_first_creep(!moba_creep_team(creep)) + (MOBA_LANES - 1 - moba_creep_lane(creep)) * MOBA_LANE_CREEPS;
}

// The nearest enemy that a creep sees; at equal distance creeps of its lane, then heroes, then buildings.
PFC_FN int32_t moba_find_prey(const MobaGame* g, int32_t creep) {
  const Moba* s = g->s;
  const int32_t team = moba_creep_team(creep);
  const MobaSquare q = moba_square(s->x[creep], s->y[creep], MOBA_CREEP_SIGHT);
  uint8_t list[MOBA_LANE_CREEPS + MOBA_TEAM + MOBA_TEAM_BUILDINGS];
  int32_t n = moba_gather_block(s, moba_opposing_creeps(creep), MOBA_LANE_CREEPS, q, list, 0);
  n = moba_gather_class(g, team, MOBA_CLASS_HEROES, q, list, n);
  n = moba_gather_class(g, team, MOBA_CLASS_BUILDINGS, q, list, n);
  int32_t best = MOBA_NONE, best_gap = INT32_MAX;
  for (int32_t i = 0; i < n; ++i) {
    const int32_t gap = moba_gap(s, creep, list[i]);
    if (gap < best_gap) best = list[i], best_gap = gap;
  }
  return best;
}

// The target of a creep in this tick. It keeps its target until that is gone or far away. While the target is out of
// reach it looks for a nearer one: otherwise creeps walk past enemies to reach one behind them.
PFC_FN int32_t moba_choose_prey(MobaGame* g, int32_t creep) {
  Moba* s = g->s;
  if (s->clock.taunt[creep]) return s->taunter[creep];
  int32_t target = s->target[creep], gap = target == MOBA_NONE ? 0 : moba_gap(s, creep, target);
  if (gap >= MOBA_CREEP_LEASH || (target < MOBA_HEROES && !moba_shows(s, target))) target = MOBA_NONE;
  const bool looks = target == MOBA_NONE || gap > moba_kinds[s->kind[creep]].reach;
  if (looks && (s->tick + (uint32_t)moba_creep_number(creep)) % MOBA_LOOK_TICKS == 0) {
    const int32_t prey = moba_find_prey(g, creep);
    if (prey != MOBA_NONE) target = prey;
  }
  s->target[creep] = (uint8_t)target;
  return target;
}

// Steps in a direction or 45 degrees beside it. A creep stays on its lane unless it was pushed off.
PFC_FN bool moba_step_creep(MobaGame* g, int32_t creep, int32_t way, bool astray) {
  const Moba* s = g->s;
  const int32_t team = moba_creep_team(creep), lane = moba_creep_lane(creep), x = s->x[creep], y = s->y[creep];
  for (int32_t attempt = 0; attempt < 3; ++attempt) {
    const int32_t tried = moba_sidestep(s, moba_creep_number(creep), way, attempt);
    if (!astray && !moba_on_track(g, team, lane, x + moba_step_x[tried], y + moba_step_y[tried])) continue;
    if (moba_step_unit(g, creep, tried)) return true;
  }
  return false;
}

// Walks towards the target; without one, or if units block the direct way, along the lane. A creep off its lane walks
// back to it.
PFC_FN void moba_walk_creep(MobaGame* g, int32_t creep, int32_t target) {
  const Moba* s = g->s;
  const int32_t team = moba_creep_team(creep), lane = moba_creep_lane(creep), x = s->x[creep], y = s->y[creep];
  if ((s->tick + (uint32_t)moba_creep_number(creep)) & 1u) return;
  const bool astray = !moba_on_track(g, team, lane, x, y);
  if (target != MOBA_NONE && !astray &&
      moba_step_creep(g, creep, moba_way_to(s->x[target] - x, s->y[target] - y), false))
    return;
  const int32_t code = moba_way(g, team, x, y, lane);
  if (code > 0) (void)moba_step_creep(g, creep, moba_turn_way(team, code - 1), astray);
}

PFC_FN void moba_run_creep(MobaGame* g, int32_t creep) {
  Moba* s = g->s;
  if (s->clock.stun[creep]) return;
  const MobaKind* kind = &moba_kinds[s->kind[creep]];
  const int32_t target = moba_choose_prey(g, creep);
  if (target == MOBA_NONE || moba_gap(s, creep, target) > kind->reach) {
    moba_walk_creep(g, creep, target);
  } else if (!s->clock.wait[creep]) {
    const bool siege = s->kind[creep] == MOBA_SIEGE && target >= MOBA_BUILDINGS;
    moba_strike(g, creep, target, s->damage[creep] * (siege ? MOBA_SIEGE_FACTOR : 1));
    s->clock.wait[creep] = (uint8_t)kind->wait;
  }
}

// Runs creep k of the first team, then k of the other, for the bytes that are set.
PFC_FN void moba_run_places(MobaGame* g, int32_t number, uint64_t first, uint64_t second) {
  for (uint64_t left = first | second; left;) {
    const int32_t i = moba_lowest_bit(left) >> 3;
    const uint64_t byte = 255ull << (8 * i);
    if (first & byte) moba_run_creep(g, moba_first_creep(g->first) + number + i);
    if (second & byte) moba_run_creep(g, moba_first_creep(!g->first) + number + i);
    left &= ~byte;
  }
}

PFC_FN void moba_run_creeps(MobaGame* g) {
  const MobaSquare all = {0, 0, MOBA_MAX_SIZE - 1};  // the living ones; none dies or spawns during this phase
  for (int32_t number = 0; number < MOBA_TEAM_CREEPS; number += MOBA_BLOCK) {
    const MobaHits first = moba_hits(g->s, moba_first_creep(g->first) + number, all);
    const MobaHits second = moba_hits(g->s, moba_first_creep(!g->first) + number, all);
    moba_run_places(g, number, first.low, second.low);
    moba_run_places(g, number + 8, first.high, second.high);
  }
}

// The nearest hero that a neutral fights: within MOBA_CHASE of its camp's middle.
PFC_FN int32_t moba_find_intruder(const MobaGame* g, int32_t neutral, MobaPlace middle) {
  const Moba* s = g->s;
  const MobaSquare q = moba_square(middle.x, middle.y, MOBA_CHASE);
  int32_t best = MOBA_NONE, best_key = INT32_MAX;
  for (int32_t hero = 0; hero < MOBA_HEROES; ++hero) {
    if (!moba_within(s, hero, q) || !moba_shows_to_neutral(s, hero, s->x[neutral], s->y[neutral])) continue;
    const int32_t key = moba_gap(s, neutral, hero) << 8 | moba_rank(g, hero);
    if (key < best_key) best = hero, best_key = key;
  }
  return best;
}

// Steps towards (x, y) without leaving the camp's clearing. A unit outside it only steps nearer to the middle.
PFC_FN void moba_walk_neutral(MobaGame* g, int32_t neutral, MobaPlace middle, int32_t x, int32_t y) {
  Moba* s = g->s;
  const int32_t from_x = s->x[neutral], from_y = s->y[neutral], way = moba_way_to(x - from_x, y - from_y);
  if (way == MOBA_STAY || !moba_may_move(s, neutral)) return;
  const int32_t now = moba_span(from_x - middle.x, from_y - middle.y);
  for (int32_t attempt = 0; attempt < 3; ++attempt) {
    const int32_t tried = moba_sidestep(s, moba_number(neutral), way, attempt);
    const int32_t then = moba_span(from_x + moba_step_x[tried] - middle.x, from_y + moba_step_y[tried] - middle.y);
    if ((then <= MOBA_CLEARING || then < now) && moba_step_unit(g, neutral, tried)) return;
  }
}

PFC_FN void moba_run_neutral(MobaGame* g, int32_t neutral, int32_t pit) {
  Moba* s = g->s;
  if (s->clock.stun[neutral]) return;
  const MobaKind* kind = &moba_kinds[s->kind[neutral]];
  const MobaPlace middle = moba_pit_middle(g->s, pit);
  int32_t target = MOBA_NONE;
  if (s->clock.taunt[neutral]) target = s->taunter[neutral];
  else if (s->awake[pit]) target = moba_find_intruder(g, neutral, middle);
  if (target == MOBA_NONE) {
    const MobaPlace at = moba_pit_place(s, pit, neutral - moba_first_of_pit(pit));
    moba_walk_neutral(g, neutral, middle, at.x, at.y);
    moba_heal(g, neutral, s->max_hp[neutral] * MOBA_HEAL_PERCENT / 100);
  } else if (moba_gap(s, neutral, target) > kind->reach) {
    moba_walk_neutral(g, neutral, middle, s->x[target], s->y[target]);
  } else if (!s->clock.wait[neutral]) {
    moba_strike(g, neutral, target, kind->damage);
    s->clock.wait[neutral] = (uint8_t)kind->wait;
  }
}

// Whether every unit of a camp is in its place, unhurt.
PFC_FN bool moba_at_rest(const MobaGame* g, int32_t pit) {
  const Moba* s = g->s;
  for (int32_t i = 0; i < moba_pit_units(pit); ++i) {
    const int32_t unit = moba_first_of_pit(pit) + i;
    const MobaPlace at = moba_pit_place(g->s, pit, i);
    if (!moba_lives(s, unit)) continue;
    if (s->x[unit] != at.x || s->y[unit] != at.y || s->hp[unit] < s->max_hp[unit] || s->clock.taunt[unit]) return false;
  }
  return true;
}

// Wakes camps, lets them sleep, and refills empty ones.
PFC_FN void moba_tend_pits(MobaGame* g) {
  Moba* s = g->s;
  for (int32_t pit = 0; pit < 2 * MOBA_PITS; ++pit) {
    const MobaPlace middle = moba_pit_middle(g->s, pit);
    const MobaSquare near = moba_square(middle.x, middle.y, MOBA_CHASE);
    bool chased = false, woken = false, visited = false;
    const int32_t heroes = moba_block_within(s, 0, near) ? MOBA_HEROES : 0;
    for (int32_t hero = 0; hero < heroes; ++hero) {
      if (!moba_within(s, hero, near)) continue;
      const bool wakes = moba_within(s, hero, moba_square(middle.x, middle.y, MOBA_WAKE));
      chased = true;
      visited |= wakes;
      woken |= wakes && moba_shows_to_neutral(s, hero, middle.x, middle.y);
    }
    if (s->left[pit] == 0) {
      if (s->refill[pit] == 0 && !visited) moba_fill_pit(g, pit);
      continue;
    }
    s->awake[pit] = (uint8_t)((s->awake[pit] || woken) && chased);
    if (s->awake[pit]) s->calm[pit] = 0;
    else if (!s->calm[pit]) s->calm[pit] = moba_at_rest(g, pit);
  }
}

PFC_FN void moba_run_neutrals(MobaGame* g) {
  moba_tend_pits(g);
  for (int32_t number = 0; number <= MOBA_GUARDIAN_NUMBER; ++number)
    for (int32_t turn = 0; turn < 2; ++turn) {
      const int32_t half = g->first ^ turn, camp = number / MOBA_CAMP_UNITS, pit = half * MOBA_PITS + camp;
      if (g->s->calm[pit]) continue;
      const int32_t neutral = moba_first_of_pit(pit) + number - camp * MOBA_CAMP_UNITS;
      if (moba_lives(g->s, neutral)) moba_run_neutral(g, neutral, pit);
    }
}

// The nearest unit of a list, the first of equal ones; MOBA_NONE of an empty list.
PFC_FN int32_t moba_nearest(const Moba* s, int32_t unit, const uint8_t* list, int32_t n) {
  int32_t best = MOBA_NONE, best_gap = INT32_MAX;
  for (int32_t i = 0; i < n; ++i) {
    const int32_t gap = moba_gap(s, unit, list[i]);
    if (gap < best_gap) best = list[i], best_gap = gap;
  }
  return best;
}

// The target of a tower: the nearest hero that recently hurt one of the team's, else the last target, else the nearest
// creep, else the nearest hero.
PFC_FN int32_t moba_aim_tower(const MobaGame* g, int32_t tower) {
  const Moba* s = g->s;
  const int32_t team = moba_side(tower), last = s->target[tower];
  const MobaSquare q = moba_square(s->x[tower], s->y[tower], MOBA_TOWER_REACH);
  uint8_t heroes[MOBA_TEAM], provokers[MOBA_TEAM], creeps[MOBA_TEAM_CREEPS];
  const int32_t num_heroes = moba_gather_class(g, team, MOBA_CLASS_HEROES, q, heroes, 0);
  int32_t n = 0;
  for (int32_t i = 0; i < num_heroes; ++i)
    if (s->clock.provoked[heroes[i]]) provokers[n++] = heroes[i];
  if (n > 0) return moba_nearest(s, tower, provokers, n);
  if (last != MOBA_NONE && moba_within(s, last, q)) return last;
  n = moba_gather_creeps(s, !team, q, creeps, 0);
  return n > 0 ? moba_nearest(s, tower, creeps, n) : moba_nearest(s, tower, heroes, num_heroes);
}

PFC_FN void moba_run_tower(MobaGame* g, int32_t tower) {
  Moba* s = g->s;
  const int32_t target = moba_aim_tower(g, tower);
  uint8_t* streak = &s->streak[moba_side(tower)][moba_number(tower)];
  if (target != s->target[tower]) *streak = 0;
  s->target[tower] = (uint8_t)target;
  if (target == MOBA_NONE || s->clock.wait[tower]) return;
  const MobaKind* kind = &moba_kinds[s->kind[tower]];
  moba_strike(g, tower, target, kind->damage * (4 + *streak) / 4);
  s->clock.wait[tower] = (uint8_t)kind->wait;
  if (target < MOBA_HEROES && *streak < 4) ++*streak;
}

PFC_FN void moba_run_towers(MobaGame* g) {
  for (int32_t number = 0; number < MOBA_ANCIENT; ++number)
    for (int32_t turn = 0; turn < 2; ++turn) {
      const int32_t team = g->first ^ turn;
      if (g->s->standing[team] >> number & 1) moba_run_tower(g, moba_first_building(team) + number);
    }
}

// ---- the start of a tick -----------------------------------------------------------------------------------

PFC_FN void moba_buy_gear(MobaGame* g, int32_t hero) {
  Moba* s = g->s;
  while (s->gold[hero] >= MOBA_GEAR_GOLD && s->gear[hero] < MOBA_MAX_GEAR) {
    s->gold[hero] -= MOBA_GEAR_GOLD;
    s->gear[hero] += 1;
    s->max_hp[hero] = (int16_t)(s->max_hp[hero] + MOBA_GEAR_HP);
    if (moba_lives(s, hero)) moba_heal(g, hero, MOBA_GEAR_HP);
  }
}

PFC_FN bool moba_at_fountain(const MobaGame* g, int32_t hero) {
  const MobaPlace at = moba_place_of(g, moba_hero_team(hero), moba_fountain_place);
  return moba_within(g->s, hero, moba_square(at.x, at.y, MOBA_FOUNTAIN_RADIUS));
}

PFC_FN void moba_regenerate(MobaGame* g, int32_t hero) {
  Moba* s = g->s;
  const bool home = moba_at_fountain(g, hero);
  if (home || !moba_lives(s, hero)) moba_buy_gear(g, hero);
  if (!moba_lives(s, hero)) return;
  const int32_t hp = home ? s->max_hp[hero] * MOBA_HEAL_PERCENT / 100 : s->tick % 2 == 0;
  const int32_t mana = home ? s->max_mana[hero] * MOBA_HEAL_PERCENT / 100 : s->tick % 2 == 0;
  if (hp) moba_heal(g, hero, hp);
  s->mana[hero] = (int16_t)pfc_mini(s->mana[hero] + mana, s->max_mana[hero]);
}

// Spawns a creep in a free slot and a free cell of its lane, if there are any.
PFC_FN void moba_spawn_creep(MobaGame* g, int32_t team, int32_t lane, int32_t kind, int32_t wave) {
  Moba* s = g->s;
  const MobaSearch search = {team, lane, MOBA_SPAWN_RINGS};
  int32_t creep = moba_first_creep(team) + lane * MOBA_LANE_CREEPS;
  const int32_t end = creep + MOBA_LANE_CREEPS;
  while (creep < end && moba_lives(s, creep)) ++creep;
  if (creep == end) return;
  const MobaPlace at = moba_free_near(g, moba_place_of(g, team, moba_spawn_places[lane]), search);
  if (at.x < 0) return;
  const int32_t percent = 100 + MOBA_GROWTH_PERCENT * wave;
  moba_create(g, creep, kind, moba_kinds[kind].hp * percent / 100, at);
  s->damage[creep] = (uint8_t)(moba_kinds[kind].damage * percent / 100);
}

PFC_FN void moba_spawn_wave(MobaGame* g) {
  const uint32_t ticks = (uint32_t)g->p->wave_ticks, wave = g->s->tick / ticks;
  if (g->s->tick % ticks != 0) return;
  const int32_t units = wave % 3 == 2 ? 5 : 4, strength = wave < MOBA_MAX_GROWTH ? (int32_t)wave : MOBA_MAX_GROWTH;
  for (int32_t lane = 0; lane < MOBA_LANES; ++lane)
    for (int32_t i = 0; i < units; ++i)
      for (int32_t turn = 0; turn < 2; ++turn)
        moba_spawn_creep(g, g->first ^ turn, lane, moba_wave_kinds[i], strength);
}

PFC_FN void moba_begin_tick(MobaGame* g) {
  Moba* s = g->s;
  s->num_effects = 0;
  for (int32_t hero = 0; hero < MOBA_HEROES; ++hero) s->hurt[hero] = 0;
  for (int32_t hero = 0; hero < MOBA_HEROES; ++hero) moba_regenerate(g, hero);
  for (int32_t k = 0; k < MOBA_TEAM; ++k)
    for (int32_t turn = 0; turn < 2; ++turn) {
      const int32_t hero = (g->first ^ turn) * MOBA_TEAM + k;
      if (!moba_lives(s, hero) && !s->clock.back[hero]) moba_spawn_hero(g, hero);
    }
  moba_spawn_wave(g);
}

// ---- the end of a tick -------------------------------------------------------------------------------------

// What heroes and teams gained in a tick.
typedef struct MobaGains {
  int32_t xp[MOBA_HEROES], gold[MOBA_HEROES];  // awarded; moba_pay_out lowers them to the parts that count
  int32_t kills[MOBA_HEROES], deaths[MOBA_HEROES];
  float buildings[2];  // hit points taken off the enemy's buildings, as parts of each one's maximum
  bool might[2];
} MobaGains;

// Takes the damage of this tick off a unit's hit points.
PFC_FN void moba_suffer(MobaGame* g, int32_t unit, MobaGains* gains) {
  Moba* s = g->s;
  int32_t damage = g->ledger->damage[unit];
  if (unit < MOBA_HEROES && moba_role(unit) == MOBA_BULWARK && s->clock.buff[unit]) damage = (damage + 1) / 2;
  const int32_t absorbed = pfc_mini(moba_shield_of(s, unit), damage);
  s->shield[unit] = (int16_t)(s->shield[unit] - absorbed);
  const int32_t taken = pfc_mini(damage - absorbed, s->hp[unit]);
  s->hp[unit] = (int16_t)(s->hp[unit] - taken);
  if (unit < MOBA_HEROES) s->hurt[unit] = (int16_t)taken;
  if (unit >= MOBA_BUILDINGS) gains->buildings[!moba_side(unit)] += (float)taken / (float)s->max_hp[unit];
  if (moba_is_neutral(unit)) s->awake[moba_pit_of(unit)] = 1;
  moba_disturb(s, unit);
  if (s->hp[unit] > 0) moba_show(g, unit);
}

// Remembers which heroes hurt a hero.
PFC_FN void moba_note_attackers(MobaGame* g, int32_t victim) {
  Moba* s = g->s;
  const int32_t first = moba_hero_team(victim) ? 0 : MOBA_TEAM;
  for (int32_t k = 0; k < MOBA_TEAM; ++k) {
    if (g->ledger->by_hero[victim][first + k] == 0) continue;
    s->clock.hurt_by[victim][k] = MOBA_ASSIST_TICKS + 1;  // 1 more: the clocks fall once in this tick
    s->clock.provoked[first + k] = MOBA_PROVOKED_TICKS + 1;
  }
}

// The hero that did most damage to a unit in this tick; MOBA_NONE if none did any.
PFC_FN int32_t moba_killer(const MobaGame* g, int32_t victim) {
  int32_t best = MOBA_NONE, most = 0;
  for (int32_t k = 0; k < MOBA_TEAM; ++k)
    for (int32_t turn = 0; turn < 2; ++turn) {
      const int32_t hero = (g->first ^ turn) * MOBA_TEAM + k, damage = g->ledger->by_hero[victim][hero];
      if (damage > most) best = hero, most = damage;
    }
  return best;
}

// Shares experience equally among the team's living heroes within MOBA_SHARE of the dead unit. A killer of that team
// gets its share at any distance.
PFC_FN void moba_share_xp(const MobaGame* g, int32_t dead, int32_t team, int32_t killer, int32_t xp, MobaGains* gains) {
  const Moba* s = g->s;
  uint8_t list[MOBA_TEAM + 1];
  const MobaSquare q = moba_square(s->x[dead], s->y[dead], MOBA_SHARE);
  int32_t n = moba_gather_heroes(s, team, q, list, 0);
  if (killer != MOBA_NONE && moba_hero_team(killer) == team && !moba_within(s, killer, q)) list[n++] = (uint8_t)killer;
  for (int32_t i = 0; i < n; ++i) gains->xp[list[i]] += xp / n;
}

PFC_FN void moba_award_team(int32_t team, int32_t xp, int32_t gold, MobaGains* gains) {
  for (int32_t hero = team * MOBA_TEAM; hero < (team + 1) * MOBA_TEAM; ++hero) {
    gains->xp[hero] += xp;
    gains->gold[hero] += gold;
  }
}

PFC_FN void moba_award_hero(MobaGame* g, int32_t dead, int32_t killer, MobaGains* gains) {
  Moba* s = g->s;
  const int32_t enemy = !moba_hero_team(dead), level = s->level[dead];
  moba_share_xp(g, dead, enemy, killer, MOBA_KILL_XP + MOBA_KILL_XP_LEVEL * level, gains);
  gains->deaths[dead] += 1;
  s->tally[dead].deaths += 1;
  for (int32_t k = 0; k < MOBA_TEAM; ++k) {
    const int32_t hero = enemy * MOBA_TEAM + k;
    if (hero == killer || !s->clock.hurt_by[dead][k]) continue;
    gains->gold[hero] += MOBA_ASSIST_GOLD;
    s->tally[hero].assists += 1;
  }
  if (killer == MOBA_NONE) return;
  gains->gold[killer] += MOBA_KILL_GOLD + MOBA_KILL_GOLD_LEVEL * level;
  gains->kills[killer] += 1;
  s->tally[killer].kills += 1;
}

PFC_FN void moba_award_neutral(MobaGame* g, int32_t dead, int32_t killer, MobaGains* gains) {
  Moba* s = g->s;
  const int32_t pit = moba_pit_of(dead), team = moba_hero_team(killer);
  const MobaKind* kind = &moba_kinds[s->kind[dead]];
  if (s->kind[dead] == MOBA_GUARDIAN) {
    moba_award_team(team, kind->xp, kind->gold, gains);
    gains->might[team] = true;
  } else {
    moba_share_xp(g, dead, team, killer, kind->xp, gains);
    gains->gold[killer] += kind->gold;
  }
  if (--s->left[pit] > 0) return;
  s->refill[pit] = moba_is_guardian_pit(pit) ? MOBA_GUARDIAN_REFILL : MOBA_CAMP_REFILL;
  s->camps[team] += !moba_is_guardian_pit(pit);
}

// Awards experience and gold for a death. Levels and positions are still those before it.
PFC_FN void moba_award(MobaGame* g, int32_t dead, MobaGains* gains) {
  Moba* s = g->s;
  const int32_t killer = moba_killer(g, dead), enemy = !moba_side(dead);
  if (dead < MOBA_CREEPS) {
    moba_award_hero(g, dead, killer, gains);
  } else if (moba_is_neutral(dead)) {
    moba_award_neutral(g, dead, killer, gains);
  } else if (dead >= MOBA_BUILDINGS) {
    moba_award_team(enemy, MOBA_BUILDING_XP, MOBA_BUILDING_GOLD, gains);
    s->towers[enemy] += s->kind[dead] != MOBA_KIND_ANCIENT;
  } else {
    const MobaKind* kind = &moba_kinds[s->kind[dead]];
    moba_share_xp(g, dead, enemy, killer, kind->xp, gains);
    if (killer == MOBA_NONE) return;
    gains->gold[killer] += kind->gold;
    s->tally[killer].last_hits += 1;
  }
}

// Adds experience and returns how much counted. A new level adds its hit points and mana at once.
PFC_FN int32_t moba_learn(MobaGame* g, int32_t hero, int32_t xp) {
  Moba* s = g->s;
  const MobaRole* role = &moba_roles[moba_role(hero)];
  int32_t have = s->xp[hero] + xp;
  if (xp == 0 || s->level[hero] == MOBA_MAX_LEVEL) return 0;
  while (s->level[hero] < MOBA_MAX_LEVEL && have >= MOBA_LEVEL_XP + MOBA_LEVEL_XP_STEP * s->level[hero]) {
    have -= MOBA_LEVEL_XP + MOBA_LEVEL_XP_STEP * s->level[hero];
    s->level[hero] += 1;
    s->max_hp[hero] = (int16_t)(s->max_hp[hero] + role->hp_level);
    s->max_mana[hero] = (int16_t)(s->max_mana[hero] + role->mana_level);
    if (s->hp[hero] == 0) continue;  // dead
    s->mana[hero] = (int16_t)(s->mana[hero] + role->mana_level);
    moba_heal(g, hero, role->hp_level);
  }
  const int32_t lost = s->level[hero] == MOBA_MAX_LEVEL ? have : 0;
  s->xp[hero] = (int16_t)(have - lost);
  return xp - lost;
}

PFC_FN void moba_pay_out(MobaGame* g, MobaGains* gains) {
  Moba* s = g->s;
  for (int32_t hero = 0; hero < MOBA_HEROES; ++hero) {
    gains->xp[hero] = moba_learn(g, hero, gains->xp[hero]);
    if (s->gear[hero] == MOBA_MAX_GEAR) gains->gold[hero] = 0;
    s->gold[hero] += gains->gold[hero];
    if (gains->might[moba_hero_team(hero)] && s->hp[hero] > 0) s->clock.might[hero] = MOBA_MIGHT_TICKS;
  }
}

// Clears a removed unit from all targets and taunters.
PFC_FN void moba_forget(Moba* s, int32_t gone) {
  for (int32_t unit = 0; unit < MOBA_SLOTS; ++unit) {
    if (s->target[unit] == gone) s->target[unit] = MOBA_NONE;
    if (s->taunter[unit] == gone) s->taunter[unit] = MOBA_NONE, s->clock.taunt[unit] = 0;
  }
}

PFC_FN void moba_remove_hero(Moba* s, int32_t hero, int32_t level) {
  MobaClocks* clock = &s->clock;
  s->place_x[hero] = s->x[hero];
  s->place_y[hero] = s->y[hero];
  s->going_home[hero] = 0;
  clock->stun[hero] = clock->slow[hero] = clock->taunt[hero] = clock->shield[hero] = 0;
  clock->buff[hero] = clock->might[hero] = clock->provoked[hero] = 0;
  for (int32_t k = 0; k < MOBA_TEAM; ++k) clock->hurt_by[hero][k] = 0;
  clock->back[hero] = (uint8_t)(MOBA_DEATH_TICKS + MOBA_DEATH_LEVEL_TICKS * level);
}

PFC_FN void moba_remove_building(MobaGame* g, int32_t building) {
  Moba* s = g->s;
  const int32_t team = moba_side(building);
  s->standing[team] = (uint16_t)(s->standing[team] & ~(1u << moba_number(building)));
  s->open[team] = moba_open_buildings(s->standing[team]);
  if (moba_number(building) == MOBA_ANCIENT) s->over = (uint8_t)(s->over | 1u << !team);
}

// Applies the ledger: damage, deaths and awards.
PFC_FN void moba_settle(MobaGame* g, MobaGains* gains) {
  Moba* s = g->s;
  const MobaLedger* ledger = g->ledger;
  uint8_t dead[MOBA_SLOTS], level[MOBA_HEROES];
  int32_t n = 0;
  bool fell = false;
  for (int32_t i = 0; i < ledger->num_struck; ++i) {
    const int32_t unit = ledger->struck[i];
    moba_suffer(g, unit, gains);
    if (unit < MOBA_HEROES) moba_note_attackers(g, unit);
    if (s->hp[unit] == 0) dead[n++] = (uint8_t)unit;
  }
  for (int32_t hero = 0; hero < MOBA_HEROES; ++hero) level[hero] = s->level[hero];
  for (int32_t i = 0; i < n; ++i) moba_award(g, dead[i], gains);
  moba_pay_out(g, gains);
  for (int32_t i = 0; i < n; ++i) {
    if (dead[i] < MOBA_HEROES) moba_remove_hero(s, dead[i], level[dead[i]]);
    if (dead[i] >= MOBA_BUILDINGS) moba_remove_building(g, dead[i]), fell = true;
    moba_lift(g, dead[i]);
    moba_forget(s, dead[i]);
  }
  for (int32_t unit = MOBA_BUILDINGS; fell && unit < MOBA_UNITS; ++unit)  // others may now be open to attack
    if (moba_lives(s, unit)) moba_show(g, unit);
}

// 1 + the progress of the lane's foremost creep; 0 if there is none.
PFC_FN int32_t moba_find_front(const MobaGame* g, int32_t team, int32_t lane) {
  const uint8_t* x = g->s->x + moba_first_creep(team) + lane * MOBA_LANE_CREEPS;
  const uint8_t* y = g->s->y + moba_first_creep(team) + lane * MOBA_LANE_CREEPS;
  const int16_t sign = team ? -1 : 1, none = INT16_MIN;
  int16_t best = none;
  for (int32_t i = 0; i < MOBA_LANE_CREEPS; ++i) {
    const int16_t along = (int16_t)(x[i] == MOBA_OFF ? none : (int16_t)(sign * (x[i] - y[i])));
    best = along > best ? along : best;
  }
  return best == none ? 0 : best + g->size;
}

PFC_FN void moba_share_codes(MobaGame* g, int32_t team) {
  const Moba* s = g->s;
  MobaShared* shared = &g->s->shared[team];
  const uint32_t standing = s->standing[team];
  for (int32_t lane = 0; lane < MOBA_LANES; ++lane) {
    const uint32_t three = standing >> (3 * lane) & 7u;
    const int32_t front = s->front[team][lane];
    shared->towers[lane] = (uint8_t)((three & 1u) + (three >> 1 & 1u) + (three >> 2));
    shared->front[lane] = (uint8_t)(front ? 15 * (front - 1) / (2 * (g->size - 1)) : 0);
  }
  shared->base_towers = (uint8_t)((standing >> MOBA_FIRST_T4 & 1u) + (standing >> (MOBA_FIRST_T4 + 1) & 1u));
  const int32_t ancient = moba_first_building(team) + MOBA_ANCIENT, first = moba_first_building(!team);
  shared->ancient = (uint8_t)moba_parts(s->hp[ancient], s->max_hp[ancient], 8);
  uint32_t aimed_at = 0;
  for (int32_t tower = first; tower < first + MOBA_ANCIENT; ++tower)
    if (s->target[tower] < MOBA_HEROES) aimed_at |= 1u << moba_role(s->target[tower]);
  shared->aimed_at = (uint8_t)aimed_at;
}

// The place from which a hero observes.
PFC_FN MobaPlace moba_eye(const Moba* s, int32_t hero) {
  MobaPlace dead = {s->place_x[hero], s->place_y[hero]};
  return moba_lives(s, hero) ? moba_where(s, hero) : dead;
}

// The first row of the window around a cell in the team's view: the address of the MOBA_BLOCK cells to copy. Team 1's
// view runs from the last cell to the first.
PFC_FN const uint8_t* moba_first_row(const MobaGame* g, int32_t team, MobaPlace eye) {
  const uint8_t* middle = g->cells + moba_cell(g, eye.x, eye.y);
  const int32_t vision = g->p->vision, before = vision * (g->stride + 1);
  return team ? middle + before + 1 - MOBA_BLOCK : middle - before;
}

// Loads the cells of a window into the cache. The pool steps a block of games before it observes them, so the loads of
// all heroes overlap.
PFC_FN void moba_prefetch_window(const MobaGame* g, int32_t team, MobaPlace eye) {
  const int32_t side = 2 * g->p->vision + 1, step = team ? -g->stride : g->stride;
  const uint8_t* row = moba_first_row(g, team, eye);
  for (int32_t y = 0; y < side; ++y) moba_prefetch(row + y * step);
}

// Updates what the next observations, masks and scripts need: seen heroes, fronts, and codes that are equal in all
// observations of a team.
PFC_FN void moba_update_views(MobaGame* g) {
  Moba* s = g->s;
  const int32_t vision = g->p->vision;
  for (int32_t team = 0; team < 2; ++team) {
    uint32_t seen = 0;
    for (int32_t k = 0; k < MOBA_TEAM; ++k) {
      const int32_t hero = !team * MOBA_TEAM + k;
      if (!moba_lives(s, hero)) continue;
      const bool sees = moba_veiled(s, hero)
                            ? moba_shows(s, hero)
                            : moba_team_within(s, team, moba_square(s->x[hero], s->y[hero], vision));
      seen |= (uint32_t)sees << k;
    }
    s->seen[team] = (uint8_t)seen;
    for (int32_t lane = 0; lane < MOBA_LANES; ++lane) s->front[team][lane] = (uint8_t)moba_find_front(g, team, lane);
    moba_share_codes(g, team);
  }
  for (int32_t hero = 0; hero < MOBA_HEROES; ++hero) {
    const int32_t team = moba_hero_team(hero);
    const MobaPlace eye = moba_eye(s, hero);
    moba_prefetch_window(g, team, eye);
    s->compass[hero] = g->ways[moba_own_cell(g, team, eye.x, eye.y)];
    s->state[hero] = 21;
    if (!moba_lives(s, hero)) continue;
    s->state[hero] = (uint8_t)moba_parts(s->hp[hero], s->max_hp[hero], 20);
    moba_show(g, hero);
  }
  const uint64_t limit = (uint64_t)g->p->max_steps;
  s->time = (uint8_t)(limit ? pfc_mini((int32_t)(25u * (uint64_t)s->tick / limit), 24) : 0);
}

// Computes the rewards of all heroes and writes those that are rows.
PFC_FN void moba_pay(const MobaGame* g, const MobaGains* gains, PfcIo io) {
  const MobaParams* p = g->p;
  float reward[MOBA_HEROES], mean[2];
  for (int32_t team = 0; team < 2; ++team) {
    const float win = g->s->over == 1 + team ? p->reward_win : g->s->over == 2 - team ? -p->reward_win : 0.0f;
    float sum = 0.0f;
    for (int32_t hero = team * MOBA_TEAM; hero < (team + 1) * MOBA_TEAM; ++hero) {
      reward[hero] = p->reward_xp * (float)gains->xp[hero] + p->reward_gold * (float)gains->gold[hero] +
                     p->reward_kill * (float)gains->kills[hero] + p->reward_death * (float)gains->deaths[hero] +
                     p->reward_building * gains->buildings[team] + win;
      sum += reward[hero];
    }
    mean[team] = sum / (float)MOBA_TEAM;
  }
  const int32_t rows = p->opponent ? MOBA_TEAM : MOBA_HEROES;
  for (int32_t row = 0; row < rows; ++row) {
    const int32_t team = moba_hero_team(row);
    const float mixed = (1.0f - p->team_spirit) * reward[row] + p->team_spirit * mean[team];
    io.rewards[row] = p->zero_sum ? mixed - mean[!team] : mixed;
    io.terminated[row] = g->s->over != 0;
  }
}

PFC_FN void moba_turn_clocks(Moba* s) {
  uint8_t* clock = (uint8_t*)&s->clock;
  for (uint32_t i = 0; i < sizeof s->clock; ++i) clock[i] = (uint8_t)(clock[i] - (clock[i] > 0));
  for (int32_t pit = 0; pit < 2 * MOBA_PITS; ++pit) s->refill[pit] = (uint16_t)(s->refill[pit] - (s->refill[pit] > 0));
}

// Scripted heroes go home when they are weak and return when they have recovered.
PFC_FN void moba_judge_health(Moba* s) {
  for (int32_t hero = 0; hero < MOBA_HEROES; ++hero) {
    const int32_t percent = s->hp[hero] * 100 / s->max_hp[hero];
    if (percent < s->leave[hero]) s->going_home[hero] = moba_lives(s, hero);
    else if (percent >= MOBA_RECOVERED_PERCENT) s->going_home[hero] = 0;
  }
}

// ---- scripts -----------------------------------------------------------------------------------------------

enum { MOBA_LEVEL_IDLE, MOBA_LEVEL_MARCHER, MOBA_LEVEL_LANER, MOBA_LEVEL_CAPTAIN, MOBA_LEVELS };
enum {
  MOBA_FEAR = 6,             // a laner this close to an enemy tower steps back,
  MOBA_COVER = 2,            // unless this many own creeps are in the tower's reach
  MOBA_AHEAD = 2,            // a laner turns back this many steps beyond its front creep or tower
  MOBA_CROWD = 3,            // an area skill without an enemy hero needs this many units
  MOBA_WEAK_PERCENT = 60,    // heals and shields are for allies below this
  MOBA_ESCAPE_PERCENT = 40,
  MOBA_ATTACK_PERCENT = 50,  // enemy heroes below this are attacked before creeps
  MOBA_GATHER = 3,           // with this many allies within MOBA_GATHER_CELLS a captain does not fear towers
  MOBA_GATHER_CELLS = 8,
  MOBA_DANGER_CELLS = 12,    // captains leave guardians alone if they see an enemy hero this close
};

typedef struct MobaChoice {
  int32_t move, act, class_;
} MobaChoice;

PFC_FN MobaChoice moba_choose(int32_t move, int32_t act, int32_t class_) {
  MobaChoice choice = {move, act, class_};
  return choice;
}

// A move in this direction of the own view (1 + direction, 0 to stay), or 45 degrees beside it if it is blocked. Only
// cells of the lane and the bases count as free, unless lane is MOBA_ANYWHERE.
enum { MOBA_ANYWHERE = -1 };
PFC_FN MobaChoice moba_choose_way(const MobaGame* g, int32_t hero, int32_t code, int32_t lane) {
  const Moba* s = g->s;
  const int32_t team = moba_hero_team(hero), x = s->x[hero], y = s->y[hero];
  for (int32_t attempt = 0; code > 0 && attempt < 3; ++attempt) {
    const int32_t way = moba_sidestep(s, moba_role(hero), code - 1, attempt), turned = moba_turn_way(team, way);
    const bool may =
        lane == MOBA_ANYWHERE || moba_on_track(g, team, lane, x + moba_step_x[turned], y + moba_step_y[turned]);
    if (may && moba_can_step(g, x, y, turned)) return moba_choose(1 + way, 0, 0);
  }
  return moba_choose(0, 0, 0);
}

PFC_FN MobaChoice moba_choose_along(const MobaGame* g, int32_t hero, int32_t which) {
  return moba_choose_way(g, hero, g->s->compass[hero] >> (4 * which) & 15, MOBA_ANYWHERE);
}

// A move straight towards a place.
PFC_FN MobaChoice moba_choose_to(const MobaGame* g, int32_t hero, MobaPlace at, int32_t lane) {
  const int32_t way = moba_way_to(at.x - g->s->x[hero], at.y - g->s->y[hero]);
  return moba_choose_way(g, hero, way == MOBA_STAY ? 0 : 1 + moba_turn_way(moba_hero_team(hero), way), lane);
}

// Whether something worth an attack is within reach. Camps are not: neutrals heal faster than a hero hits them from
// outside their camp. Captains also attack guardians.
PFC_FN bool moba_any_prey(const MobaGame* g, int32_t hero, int32_t reach, int32_t level) {
  const Moba* s = g->s;
  const int32_t team = moba_hero_team(hero);
  const MobaSquare q = moba_square(s->x[hero], s->y[hero], reach);
  uint8_t list[MOBA_TEAM_CREEPS];
  if (moba_gather_creeps(s, !team, q, list, 0)) return true;
  if (level == MOBA_LEVEL_CAPTAIN && moba_gather_block(s, MOBA_GUARDIANS, 2, q, list, 0)) return true;
  return moba_gather_class(g, team, MOBA_CLASS_HEROES, q, list, 0) ||
         moba_gather_class(g, team, MOBA_CLASS_BUILDINGS, q, list, 0);
}

PFC_FN MobaChoice moba_march(const MobaGame* g, int32_t hero) {
  if (!moba_any_prey(g, hero, moba_roles[moba_role(hero)].reach, MOBA_LEVEL_MARCHER))
    return moba_choose_along(g, hero, g->s->lane[hero]);
  return moba_choose(0, g->s->clock.wait[hero] == 0, MOBA_CLASS_HEROES);
}

// Whether an enemy tower that can be hurt is near and has too few own creeps in its reach.
PFC_FN bool moba_fears_tower(const MobaGame* g, int32_t hero) {
  const Moba* s = g->s;
  const int32_t team = moba_hero_team(hero);
  uint8_t towers[MOBA_TEAM_BUILDINGS], creeps[MOBA_TEAM_CREEPS];
  const MobaSquare near = moba_square(s->x[hero], s->y[hero], MOBA_FEAR);
  const int32_t n = moba_gather_class(g, team, MOBA_CLASS_BUILDINGS, near, towers, 0);
  for (int32_t i = 0; i < n; ++i) {
    if (s->kind[towers[i]] == MOBA_KIND_ANCIENT) continue;
    const MobaSquare reach = moba_square(s->x[towers[i]], s->y[towers[i]], MOBA_TOWER_REACH);
    if (moba_gather_creeps(s, team, reach, creeps, 0) < MOBA_COVER) return true;
  }
  return false;
}

PFC_FN bool moba_below(const Moba* s, int32_t unit, int32_t percent) {
  return s->hp[unit] * 100 < percent * s->max_hp[unit];
}

PFC_FN bool moba_ally_below(const Moba* s, int32_t hero, int32_t reach, int32_t percent) {
  uint8_t list[MOBA_TEAM];
  const MobaSquare q = moba_square(s->x[hero], s->y[hero], reach);
  const int32_t n = moba_gather_heroes(s, moba_hero_team(hero), q, list, 0);
  for (int32_t i = 0; i < n; ++i)
    if (moba_below(s, list[i], percent)) return true;
  return false;
}

PFC_FN bool moba_hero_in_reach(const MobaGame* g, int32_t hero, int32_t reach) {
  return moba_any_target(g, hero, reach, MOBA_CLASS_HEROES + 1);
}

// Whether an enemy hero or a crowd is within the area.
PFC_FN bool moba_area_pays(const MobaGame* g, int32_t hero, int32_t middle, int32_t radius) {
  uint8_t list[MOBA_SLOTS];
  const MobaSquare q = moba_square(g->s->x[middle], g->s->y[middle], radius);
  const int32_t n = moba_gather_enemies(g, moba_hero_team(hero), q, list);
  return n >= MOBA_CROWD || (n > 0 && list[0] < MOBA_HEROES);
}

// The move, as an action, with which a charge meets an enemy hero; 0 if there is none.
PFC_FN int32_t moba_charge_way(const MobaGame* g, int32_t hero) {
  const Moba* s = g->s;
  const int32_t target = moba_weakest(g, hero, MOBA_CHARGE_CELLS, MOBA_CLASS_HEROES);
  if (target == MOBA_NONE) return 0;
  const int32_t dx = s->x[target] - s->x[hero], dy = s->y[target] - s->y[hero];
  if (dx != 0 && dy != 0 && moba_abs(dx) != moba_abs(dy)) return 0;
  return 1 + moba_turn_way(moba_hero_team(hero), moba_way_to(dx, dy));
}

// Whether a script should use a skill that is ready and has a target.
PFC_FN bool moba_skill_pays(const MobaGame* g, int32_t hero, int32_t k) {
  const Moba* s = g->s;
  const MobaSkill* skill = moba_skill(hero, k);
  switch (moba_role(hero) * MOBA_SKILLS + k) {
    case MOBA_MEND:
    case MOBA_AEGIS: return moba_ally_below(s, hero, skill->reach, MOBA_WEAK_PERCENT);
    case MOBA_VEIL:
    case MOBA_SKIN: return moba_below(s, hero, MOBA_ESCAPE_PERCENT);
    case MOBA_WHIRL:
    case MOBA_FROST:
    case MOBA_TAUNT:
    case MOBA_VOLLEY: return moba_area_pays(g, hero, hero, skill->reach);
    case MOBA_BLAZE: return moba_area_pays(g, hero, moba_pick(g, hero, skill->reach, 0, 2), MOBA_BLAZE_RADIUS);
    case MOBA_CHARGE: return moba_charge_way(g, hero) != 0;
    case MOBA_FOCUS: return moba_hero_in_reach(g, hero, moba_roles[MOBA_ARCHER].reach);
    default: return moba_hero_in_reach(g, hero, skill->reach);
  }
}

// The first skill that a script should use, as an act; 0 if there is none.
PFC_FN int32_t moba_choose_skill(const MobaGame* g, int32_t hero) {
  for (int32_t k = 0; k < MOBA_SKILLS; ++k)
    if (moba_skill_ready(g->s, hero, k) && moba_skill_has_target(g, hero, k) && moba_skill_pays(g, hero, k))
      return 2 + k;
  return 0;
}

// The visible enemy hero with fewest hit points, which all captains attack.
PFC_FN int32_t moba_marked_hero(const MobaGame* g, int32_t team) {
  const Moba* s = g->s;
  int32_t best = MOBA_NONE;
  for (int32_t k = 0; k < MOBA_TEAM; ++k) {
    const int32_t hero = !team * MOBA_TEAM + k;
    if ((s->seen[team] >> k & 1) && (best == MOBA_NONE || s->hp[hero] < s->hp[best])) best = hero;
  }
  return best;
}

// The class to attack: heroes if the weakest in reach is below half or marked, else creeps, else buildings, else
// heroes.
PFC_FN int32_t moba_choose_class(const MobaGame* g, int32_t hero, int32_t level) {
  const int32_t reach = moba_roles[moba_role(hero)].reach, weakest = moba_weakest(g, hero, reach, MOBA_CLASS_HEROES);
  if (weakest != MOBA_NONE) {
    if (moba_below(g->s, weakest, MOBA_ATTACK_PERCENT)) return MOBA_CLASS_HEROES;
    if (level == MOBA_LEVEL_CAPTAIN && weakest == moba_marked_hero(g, moba_hero_team(hero))) return MOBA_CLASS_HEROES;
  }
  if (moba_weakest(g, hero, reach, MOBA_CLASS_SMALL) != MOBA_NONE) return MOBA_CLASS_SMALL;
  return moba_weakest(g, hero, reach, MOBA_CLASS_BUILDINGS) != MOBA_NONE ? MOBA_CLASS_BUILDINGS : MOBA_CLASS_HEROES;
}

// The nearest enemy creep or building within MOBA_CREEP_SIGHT; MOBA_NONE if there is none or the hero is off its lane.
// From the jungle a hero would walk back and forth between its lane and a target behind a wall.
PFC_FN int32_t moba_worth_a_walk(const MobaGame* g, int32_t hero, int32_t lane) {
  const Moba* s = g->s;
  const int32_t team = moba_hero_team(hero);
  const MobaSquare q = moba_square(s->x[hero], s->y[hero], MOBA_CREEP_SIGHT);
  uint8_t list[MOBA_TEAM_CREEPS + MOBA_TEAM_BUILDINGS];
  if (!moba_on_track(g, team, lane, s->x[hero], s->y[hero])) return MOBA_NONE;
  const int32_t n = moba_gather_creeps(s, !team, q, list, 0);
  return moba_nearest(s, hero, list, moba_gather_class(g, team, MOBA_CLASS_BUILDINGS, q, list, n));
}

// A move to the own front creep, without one to the lane's foremost own tower; back if the hero is beyond it.
PFC_FN MobaChoice moba_choose_front(const MobaGame* g, int32_t hero, int32_t lane) {
  const Moba* s = g->s;
  const int32_t team = moba_hero_team(hero), here = moba_progress(g, team, s->x[hero], s->y[hero]);
  int32_t goal = s->front[team][lane] - 1;
  if (goal < 0) {
    const int32_t three = s->standing[team] >> (3 * lane) & 7;
    const int32_t tower = three == 0 ? (int32_t)MOBA_ANCIENT : 3 * lane + (three & 1 ? 0 : three & 2 ? 1 : 2);
    const MobaPlace at = moba_where(s, moba_first_building(team) + tower);
    goal = moba_progress(g, team, at.x, at.y);
  }
  if (here > goal + MOBA_AHEAD) return moba_choose_along(g, hero, MOBA_HOME);
  if (here < goal || !moba_on_track(g, team, lane, s->x[hero], s->y[hero])) return moba_choose_along(g, hero, lane);
  return moba_choose(0, 0, 0);
}

// Whether enough allies are near for an attack together.
PFC_FN bool moba_gathered(const MobaGame* g, int32_t hero) {
  const Moba* s = g->s;
  uint8_t list[MOBA_TEAM];
  const MobaSquare near = moba_square(s->x[hero], s->y[hero], MOBA_GATHER_CELLS);
  return moba_gather_heroes(s, moba_hero_team(hero), near, list, 0) > MOBA_GATHER;  // including itself
}

// The nearer living guardian; MOBA_NONE if there is none or an enemy hero is in sight nearby.
PFC_FN int32_t moba_wanted_guardian(const MobaGame* g, int32_t hero) {
  const Moba* s = g->s;
  const int32_t team = moba_hero_team(hero), x = s->x[hero], y = s->y[hero];
  uint8_t list[MOBA_TEAM];
  const int32_t n = moba_gather_heroes(s, !team, moba_square(x, y, MOBA_DANGER_CELLS), list, 0);
  for (int32_t i = 0; i < n; ++i)
    if (s->seen[team] >> moba_role(list[i]) & 1) return MOBA_NONE;
  const int32_t own = MOBA_GUARDIANS + team, other = MOBA_GUARDIANS + !team;
  if (!moba_lives(s, other)) return moba_lives(s, own) ? own : MOBA_NONE;
  return moba_lives(s, own) && moba_gap(s, hero, own) <= moba_gap(s, hero, other) ? own : other;
}

// A move along the middle lane to the river, then along the river.
PFC_FN MobaChoice moba_choose_guardian(const MobaGame* g, int32_t hero, int32_t guardian) {
  const Moba* s = g->s;
  const int32_t x = s->x[hero], y = s->y[hero];
  if (moba_in_river(x, y) || moba_gap(s, hero, guardian) <= MOBA_CHASE)
    return moba_choose_to(g, hero, moba_where(s, guardian), MOBA_ANYWHERE);
  const bool short_of_it = moba_progress(g, moba_hero_team(hero), x, y) < g->size - 1;
  return moba_choose_along(g, hero, short_of_it ? (int32_t)MOBA_MIDDLE : (int32_t)MOBA_HOME);
}

PFC_FN MobaChoice moba_lane_play(const MobaGame* g, int32_t hero, int32_t level) {
  const Moba* s = g->s;
  const bool captain = level == MOBA_LEVEL_CAPTAIN;
  if (s->going_home[hero]) return moba_choose_along(g, hero, MOBA_HOME);
  const bool gathered = captain && moba_gathered(g, hero);
  if (!gathered && moba_fears_tower(g, hero)) return moba_choose_along(g, hero, MOBA_HOME);
  const int32_t skill = moba_choose_skill(g, hero);
  if (skill) {
    const bool charge = moba_role(hero) * MOBA_SKILLS + skill - 2 == MOBA_CHARGE;
    return moba_choose(charge ? moba_charge_way(g, hero) : 0, skill, MOBA_CLASS_HEROES);
  }
  if (moba_any_prey(g, hero, moba_roles[moba_role(hero)].reach, level))
    return moba_choose(0, s->clock.wait[hero] == 0, moba_choose_class(g, hero, level));
  const int32_t lane = captain && s->tick >= MOBA_CAPTAIN_TICK ? (int32_t)MOBA_MIDDLE : s->lane[hero];
  const int32_t prey = moba_worth_a_walk(g, hero, lane);
  if (prey != MOBA_NONE) return moba_choose_to(g, hero, moba_where(s, prey), lane);
  const int32_t guardian = gathered ? moba_wanted_guardian(g, hero) : MOBA_NONE;
  if (guardian != MOBA_NONE) return moba_choose_guardian(g, hero, guardian);
  if (gathered) return moba_choose_along(g, hero, lane);
  return moba_choose_front(g, hero, lane);
}

PFC_FN MobaChoice moba_decide(const MobaGame* g, int32_t hero, int32_t level) {
  const Moba* s = g->s;
  const uint8_t* last = s->last[hero];
  if (level == MOBA_LEVEL_IDLE || !moba_lives(s, hero) || s->clock.stun[hero] || s->clock.taunt[hero])
    return moba_choose(0, 0, 0);
  // A hero that only walks decides in every tick. A repeated direction would lead past corners and back without end.
  const bool walks = last[0] != 0 && last[1] == 0;
  if (!walks && (s->tick + (uint32_t)moba_role(hero)) % (1u + s->delay[hero]) != 0)
    return moba_legal_acts(g, hero) >> last[1] & 1 ? moba_choose(last[0], last[1], last[2]) : moba_choose(0, 0, 0);
  return level == MOBA_LEVEL_MARCHER ? moba_march(g, hero) : moba_lane_play(g, hero, level);
}

static void moba_script(const void* state, const void* params, int32_t agent, int32_t level, PfcRng* rng,
                        int32_t* choices, float* controls) {
  (void)rng, (void)controls;  // the step calls the same script for `opponent`, and a step draws no random numbers
  const MobaGame game = moba_open((const Moba*)state, (const MobaParams*)params);
  const MobaChoice choice = moba_decide(&game, agent, level);
  choices[0] = choice.move, choices[1] = choice.act, choices[2] = choice.class_;
}

// ---- a step ------------------------------------------------------------------------------------------------

// Collects the choices of all heroes before anything moves.
PFC_FN void moba_collect_choices(MobaGame* g, PfcIo io, int32_t choices[MOBA_HEROES][3]) {
  Moba* s = g->s;
  const MobaParams* p = g->p;
  for (int32_t hero = 0; hero < MOBA_HEROES; ++hero) {
    const bool rival = p->opponent && hero >= MOBA_TEAM;
    const int32_t level = rival ? p->opponent : p->autopilot;
    int32_t* choice = choices[hero];
    if (level) {
      const MobaChoice decided = moba_decide(g, hero, level);
      choice[0] = decided.move, choice[1] = decided.act, choice[2] = decided.class_;
    } else {
      for (int32_t d = 0; d < 3; ++d) choice[d] = io.actions[3 * hero + d];
    }
  }
  for (int32_t hero = 0; hero < MOBA_HEROES; ++hero)
    for (int32_t d = 0; d < 3; ++d) s->last[hero][d] = (uint8_t)choices[hero][d];
}

// Runs the heroes that were on the map at the start of the tick. Those that respawned in it act from the next tick on.
PFC_FN void moba_run_heroes(MobaGame* g, uint32_t present, int32_t choices[MOBA_HEROES][3]) {
  for (int32_t k = 0; k < MOBA_TEAM; ++k)
    for (int32_t turn = 0; turn < 2; ++turn) {
      const int32_t hero = (g->first ^ turn) * MOBA_TEAM + k;
      if (present >> hero & 1) moba_act_hero(g, hero, choices[hero]);
    }
}

// In a pool of hundreds of games a state is no longer in the L1 cache when its turn comes. These load what a step is
// sure to touch all at once, instead of line by line.
PFC_FN void moba_prefetch_struct(const Moba* s) {
  for (uint32_t i = 0; i < sizeof *s; i += 64) moba_prefetch((const uint8_t*)s + i);
}

PFC_FN void moba_prefetch_creeps(const MobaGame* g) {
  const Moba* s = g->s;
  for (int32_t creep = MOBA_CREEPS; creep < MOBA_NEUTRALS; ++creep) {
    if (!moba_lives(s, creep)) continue;
    const int32_t cell = moba_cell(g, s->x[creep], s->y[creep]);
    moba_prefetch(g->cells + cell);
    moba_prefetch(g->ways + moba_own_cell(g, moba_creep_team(creep), s->x[creep], s->y[creep]));
  }
}

PFC_FN void moba_step(Moba* s, const MobaParams* p, PfcIo io) {
  moba_prefetch_struct(s);
  MobaGame game = moba_open(s, p), *g = &game;
  MobaLedger ledger;
  MobaGains gains;
  int32_t choices[MOBA_HEROES][3];
  uint32_t present = 0;
  memset(ledger.damage, 0, sizeof ledger.damage);
  memset(&gains, 0, sizeof gains);
  ledger.num_struck = 0;
  g->ledger = &ledger;
  for (int32_t hero = 0; hero < MOBA_HEROES; ++hero) present |= (uint32_t)moba_lives(s, hero) << hero;
  moba_prefetch_creeps(g);
  moba_collect_choices(g, io, choices);
  moba_begin_tick(g);
  moba_run_heroes(g, present, choices);
  moba_run_creeps(g);
  moba_run_neutrals(g);
  moba_run_towers(g);
  moba_settle(g, &gains);
  moba_pay(g, &gains, io);
  moba_turn_clocks(s);
  moba_judge_health(s);
  s->tick += 1;
  moba_update_views(g);
}

// ---- observation, mask, metrics --------------------------------------------------------------------------------

typedef struct MobaOther {
  uint8_t state, way, distance, level;
} MobaOther;

typedef struct MobaStanding {
  uint8_t towers[MOBA_LANES], base_towers, ancient;
} MobaStanding;

typedef struct MobaObs {
  uint8_t role, level, hp, mana, gear, gold, attack_wait;
  uint8_t skills[MOBA_SKILLS];
  uint8_t stunned, slowed, shield, buff, taunted, might, hurt, aimed_at, x, y;
  uint8_t compass[MOBA_LANES + 1];
  uint8_t back, time;
  MobaOther allies[MOBA_TEAM - 1], enemies[MOBA_TEAM];
  MobaStanding own, enemy;
  uint8_t fronts[MOBA_LANES][2];
  uint8_t planes[1];  // [2][2 vision + 1][2 vision + 1]
} MobaObs;

enum { MOBA_OBS_HEAD = offsetof(MobaObs, planes), MOBA_SIDE = 2 * 6 + 1 };

static const PfcObsRow moba_obs[] = {
    PFC_OBS_CODES("role", 1, 6, "1 warden, 2 blade, 3 ember, 4 bulwark, 5 archer"),
    PFC_OBS_CODES("level", 1, 16, "1 to 15"),
    PFC_OBS_CODES("hp", 1, 21, "hit points in 20ths of the maximum, rounded up"),
    PFC_OBS_CODES("mana", 1, 17, "mana in 16ths of the maximum, rounded up"),
    PFC_OBS_CODES("gear", 1, 21, "pieces of gear"),
    PFC_OBS_CODES("gold", 1, 16, "gold / 40; at most 15"),
    PFC_OBS_CODES("attack_wait", 1, 4, "ticks until the next attack"),
    PFC_OBS_CODES("skills", 3, 20, "skills Q, W, E: 0 ready, 1 too little mana, else 2 + wait / 4"),
    PFC_OBS_CODES("stunned", 1, 9, "ticks / 2, rounded up"),
    PFC_OBS_CODES("slowed", 1, 9, "ticks / 2, rounded up"),
    PFC_OBS_CODES("shield", 1, 9, "hit points of the shield / 30, rounded up"),
    PFC_OBS_CODES("buff", 1, 11, "veil, stone skin or focus: ticks / 2, rounded up"),
    PFC_OBS_CODES("taunted", 1, 7, "ticks"),
    PFC_OBS_CODES("might", 1, 16, "ticks / 16, rounded up"),
    PFC_OBS_CODES("hurt", 1, 11, "hit points lost in the last tick in 20ths of the maximum, rounded up; at most 10"),
    PFC_OBS_CODES("aimed_at", 1, 2, "1: a tower aims at the hero"),
    PFC_OBS_CODES("place", 2, 25, "x and y in 25ths of the map; where it died if dead"),
    PFC_OBS_CODES("compass", 4, 9, "next step along the top, middle and bottom lane, and home: 1 + direction, 0 there"),
    PFC_OBS_CODES("back", 1, 20, "dead heroes: ticks until respawn / 4, rounded up"),
    PFC_OBS_CODES("time", 1, 25, "ticks in 25ths of max_steps; 0 if there is no limit"),
    PFC_OBS_CODES("allies", 16, 22,
                  "teammates by role: hit points in 20ths, 21 dead; 1 + direction; distance / 2; level"),
    PFC_OBS_CODES("enemies", 20, 22, "enemy heroes by role, with the same four codes; 0 if not seen"),
    PFC_OBS_CODES("own_towers", 3, 4, "standing towers in the top, middle and bottom lane"),
    PFC_OBS_CODES("own_base", 1, 3, "standing towers of the base"),
    PFC_OBS_CODES("own_ancient", 1, 9, "its hit points in eighths, rounded up"),
    PFC_OBS_CODES("enemy_towers", 3, 4, "standing enemy towers in the top, middle and bottom lane of the own view"),
    PFC_OBS_CODES("enemy_base", 1, 3, "standing towers of the enemy base"),
    PFC_OBS_CODES("enemy_ancient", 1, 9, "hit points of the enemy ancient in eighths, rounded up"),
    PFC_OBS_CODES("fronts", 6, 16,
                  "per lane: progress of the own foremost creep, then of the enemy's, in 15ths; 0 none"),
    PFC_OBS_PLANE(
        "units", MOBA_SIDE* MOBA_SIDE, MOBA_CODES, MOBA_SIDE, MOBA_SIDE,
        "the surroundings, the hero in the middle: 0 open, 1 wall, 2 outside; creeps melee, ranged, siege: own 3-5, "
        "enemy 6-8; 9 small, 10 large neutral, 11 guardian; 12 own tower; enemy tower 13 can be hurt, 14 not; "
        "ancient 15 own, 16 enemy; heroes by role: own 17-21, enemy 22-26"),
    PFC_OBS_PLANE("unit_hp", 0, 9, MOBA_SIDE, MOBA_SIDE, "hit points of the unit there in eighths, rounded up"),
};
enum { MOBA_OBS_ROWS = sizeof moba_obs / sizeof moba_obs[0] };

PFC_FN uint8_t moba_skill_code(const Moba* s, int32_t hero, int32_t k) {
  const int32_t wait = s->clock.skill[hero][k];
  return (uint8_t)(wait ? 2 + wait / 4 : s->mana[hero] < moba_skill(hero, k)->mana);
}

PFC_FN void moba_observe_self(const MobaGame* g, int32_t hero, MobaObs* obs) {
  const Moba* s = g->s;
  const MobaClocks* clock = &s->clock;
  const bool lives = moba_lives(s, hero);
  obs->role = (uint8_t)(1 + moba_role(hero));
  obs->level = s->level[hero];
  obs->hp = lives ? s->state[hero] : 0;
  obs->mana = (uint8_t)moba_parts(s->mana[hero], s->max_mana[hero], 16);
  obs->gear = s->gear[hero];
  obs->gold = (uint8_t)(s->gold[hero] < 600 ? s->gold[hero] / 40 : 15);
  obs->attack_wait = clock->wait[hero];
  for (int32_t k = 0; k < MOBA_SKILLS; ++k) obs->skills[k] = moba_skill_code(s, hero, k);
  obs->stunned = (uint8_t)((clock->stun[hero] + 1) / 2);
  obs->slowed = (uint8_t)((clock->slow[hero] + 1) / 2);
  obs->shield = (uint8_t)((moba_shield_of(s, hero) + 29) / 30);
  obs->buff = (uint8_t)((clock->buff[hero] + 1) / 2);
  obs->taunted = clock->taunt[hero];
  obs->might = (uint8_t)((clock->might[hero] + 15) / 16);
  obs->hurt = (uint8_t)(s->hurt[hero] ? pfc_mini(moba_parts(s->hurt[hero], s->max_hp[hero], 20), 10) : 0);
  obs->back = (uint8_t)(lives ? 0 : (clock->back[hero] + 3) / 4);
  obs->time = s->time;
  obs->aimed_at = s->shared[moba_hero_team(hero)].aimed_at >> moba_role(hero) & 1u;
}

PFC_FN void moba_observe_place(const MobaGame* g, int32_t hero, MobaPlace eye, MobaObs* obs) {
  const int32_t size = g->size, team = moba_hero_team(hero);
  const uint32_t ways = g->s->compass[hero];
  obs->x = (uint8_t)(moba_turn(size, team, eye.x) * 25 / size);
  obs->y = (uint8_t)(moba_turn(size, team, eye.y) * 25 / size);
  for (int32_t i = 0; i <= MOBA_LANES; ++i) obs->compass[i] = (uint8_t)(ways >> (4 * i) & 15u);
}

// Another hero as seen from `eye`. Only the level of a dead one is shown.
PFC_FN void moba_observe_other(const Moba* s, int32_t team, MobaPlace eye, int32_t hero, MobaOther* other) {
  other->state = s->state[hero];
  other->level = s->level[hero];
  other->way = other->distance = 0;
  if (!moba_lives(s, hero)) return;
  const int32_t sign = team ? -1 : 1, dx = sign * (s->x[hero] - eye.x), dy = sign * (s->y[hero] - eye.y);
  const int32_t way = moba_way_to(dx, dy);
  other->way = (uint8_t)(way == MOBA_STAY ? 0 : 1 + way);
  other->distance = (uint8_t)pfc_mini(moba_span(dx, dy) / 2, 15);
}

PFC_FN void moba_observe_others(const MobaGame* g, int32_t hero, MobaPlace eye, MobaObs* obs) {
  const Moba* s = g->s;
  const int32_t team = moba_hero_team(hero), role = moba_role(hero);
  const MobaOther unseen = {0, 0, 0, 0};
  for (int32_t k = 0; k < MOBA_TEAM; ++k) {
    const int32_t enemy = !team * MOBA_TEAM + k;
    if (k != role) moba_observe_other(s, team, eye, team * MOBA_TEAM + k, &obs->allies[k - (k > role)]);
    if (!moba_lives(s, enemy) || (s->seen[team] >> k & 1)) moba_observe_other(s, team, eye, enemy, &obs->enemies[k]);
    else obs->enemies[k] = unseen;
  }
}

// Buildings and fronts of both teams, lanes in the own view.
PFC_FN void moba_observe_lanes(const Moba* s, int32_t team, MobaObs* obs) {
  const MobaShared *own = &s->shared[team], *enemy = &s->shared[!team];
  for (int32_t lane = 0; lane < MOBA_LANES; ++lane) {
    const int32_t other = MOBA_LANES - 1 - lane;
    obs->own.towers[lane] = own->towers[lane], obs->enemy.towers[lane] = enemy->towers[other];
    obs->fronts[lane][0] = own->front[lane], obs->fronts[lane][1] = enemy->front[other];
  }
  obs->own.base_towers = own->base_towers, obs->enemy.base_towers = enemy->base_towers;
  obs->own.ancient = own->ancient, obs->enemy.ancient = enemy->ancient;
}

// Writes the units among eight cells over the terrain. hits: bytes of ones where there are units.
PFC_FN void moba_observe_units(const uint8_t* look, const uint8_t* cells, uint64_t hits, uint8_t* units, uint8_t* hp) {
  for (uint64_t left = hits; left;) {
    const int32_t i = moba_lowest_bit(left) >> 3, code = look[cells[i]] & 31;
    units[i] = (uint8_t)code;
    hp[i] = (uint8_t)(code < MOBA_CODE_OWN_CREEP ? 0 : (look[cells[i]] >> 5) + 1);
    left &= ~(255ull << (8 * i));
  }
}

// The window around a cell: codes, then hit points. Rows are written MOBA_BLOCK cells at a time; the next row
// overwrites the excess.
PFC_FN void moba_observe_planes(const MobaGame* g, int32_t team, MobaPlace eye, uint8_t* units) {
  const int32_t side = 2 * g->p->vision + 1, step = team ? -g->stride : g->stride;
  const uint64_t used = (1ull << (8 * (side - 8))) - 1;
  const uint8_t *look = g->s->look[team], *row = moba_first_row(g, team, eye);
  uint8_t* hp = units + side * side;
  memset(hp, 0, (size_t)(side * side));
  for (int32_t y = 0; y < side; ++y, row += step, units += side, hp += side) {
    uint8_t cells[MOBA_BLOCK], terrain[MOBA_BLOCK];
    const MobaHits hits = moba_copy_cells(row, team, cells, terrain);
    if (y < side - 1) memcpy(units, terrain, MOBA_BLOCK);
    else memcpy(units, terrain, (size_t)side);
    moba_observe_units(look, cells, hits.low, units, hp);
    moba_observe_units(look, cells + 8, hits.high & used, units + 8, hp + 8);
  }
}

PFC_FN void moba_observe(const Moba* s, const MobaParams* p, int32_t agent, MobaObs* obs) {
  const MobaGame game = moba_open(s, p), *g = &game;
  const int32_t team = moba_hero_team(agent);
  const MobaPlace eye = moba_eye(s, agent);
  moba_observe_planes(g, team, eye, (uint8_t*)obs + MOBA_OBS_HEAD);
  moba_observe_self(g, agent, obs);
  moba_observe_place(g, agent, eye, obs);
  moba_observe_others(g, agent, eye, obs);
  moba_observe_lanes(s, team, obs);
}

PFC_FN void moba_mask(const void* state, const void* params, int32_t agent, uint8_t* legal) {
  const Moba* s = (const Moba*)state;
  const MobaGame game = moba_open(s, (const MobaParams*)params);
  const uint32_t acts = moba_legal_acts(&game, agent);
  const bool able = moba_lives(s, agent) && !s->clock.stun[agent] && !s->clock.taunt[agent];
  legal[0] = legal[14] = 1;
  for (int32_t i = 1; i < 9; ++i) legal[i] = able;
  for (int32_t k = 0; k < 5; ++k) legal[9 + k] = (uint8_t)(acts >> k & 1u);
  legal[15] = legal[16] = able;
}

PFC_FN void moba_metrics(const Moba* s, const MobaParams* p, int32_t agent, float* values) {
  (void)p;
  const int32_t team = moba_hero_team(agent);
  const MobaTally* tally = &s->tally[agent];
  values[0] = values[1] = s->over == 1 + team ? 1.0f : s->over == 2 - team ? 0.0f : 0.5f;
  values[2] = (float)(s->over == 1 + team);
  values[3] = (float)s->level[agent];
  values[4] = (float)s->gear[agent];
  values[5] = (float)tally->kills;
  values[6] = (float)tally->deaths;
  values[7] = (float)tally->assists;
  values[8] = (float)tally->last_hits;
  values[9] = (float)tally->hero_damage;
  values[10] = (float)tally->building_damage;
  values[11] = (float)tally->healing;
  values[12] = (float)tally->skills;
  values[13] = (float)s->towers[team];
  values[14] = (float)s->camps[team];
}

// ---- sizes and tables ------------------------------------------------------------------------------------------

static void moba_layout(const void* params, PfcLayout* sizes) {
  const MobaParams* p = (const MobaParams*)params;
  const int32_t side = 2 * p->vision + 1;
  sizes->state_bytes = moba_round_up(sizeof(Moba)) + moba_cell_bytes(p) + moba_way_bytes(p);
  sizes->agents = p->opponent ? MOBA_TEAM : MOBA_HEROES;
  sizes->teams = p->opponent ? 1 : 2;
  sizes->masked = p->masked;
  sizes->obs_shape[0] = MOBA_OBS_HEAD + 2 * side * side;
}

static void moba_fill_rows(const void* params, PfcObsRow* rows) {
  const int32_t side = 2 * ((const MobaParams*)params)->vision + 1;
  for (int32_t i = MOBA_OBS_ROWS - 2; i < MOBA_OBS_ROWS; ++i) {
    rows[i].count = side * side;
    rows[i].plane_height = rows[i].plane_width = side;
  }
}

static const PfcField moba_fields[] = {
    PFC_STATE_FIELD(Moba, tick, PFC_UINT32),     PFC_STATE_FIELD(Moba, coin, PFC_UINT8),
    PFC_STATE_FIELD(Moba, over, PFC_UINT8),      PFC_STATE_FIELD(Moba, x, PFC_UINT8),
    PFC_STATE_FIELD(Moba, y, PFC_UINT8),         PFC_STATE_FIELD(Moba, kind, PFC_UINT8),
    PFC_STATE_FIELD(Moba, hp, PFC_INT16),        PFC_STATE_FIELD(Moba, max_hp, PFC_INT16),
    PFC_STATE_FIELD(Moba, level, PFC_UINT8),     PFC_STATE_FIELD(Moba, gear, PFC_UINT8),
    PFC_STATE_FIELD(Moba, mana, PFC_INT16),      PFC_STATE_FIELD(Moba, xp, PFC_INT16),
    PFC_STATE_FIELD(Moba, gold, PFC_INT32),      PFC_STATE_FIELD(Moba, lane, PFC_UINT8),
    PFC_STATE_FIELD(Moba, standing, PFC_UINT16), PFC_STATE_FIELD(Moba, seen, PFC_UINT8),
};

// ---- picture, 640 x 480: the map, and beside it the heroes ----------------------------------------------------------

enum { MOBA_VIEW = 480, MOBA_PANEL_WIDTH = 160 };
#define MOBA_WALL_COLOR 0x1d3327u
#define MOBA_RIVER_COLOR 0x2b5d78u
#define MOBA_GUARDED_COLOR 0x59606eu  // of buildings that cannot be hurt

static const char* const moba_letters[MOBA_TEAM] = {"W", "L", "E", "U", "A"};
static const char* const moba_names[MOBA_TEAM] = {"warden", "blade", "ember", "bulwark", "archer"};
PFC_TABLE uint32_t moba_team_colors[3] = {PFC_AGENT, PFC_RIVAL, PFC_VIOLET};

// Context for drawing parts of a picture.
typedef struct MobaCanvas {
  const MobaGame* g;
  const PfcDraw* d;
  float cell;  // side of a cell in the picture
} MobaCanvas;

static float moba_center(const MobaCanvas* c, int32_t coordinate) { return ((float)coordinate + 0.5f) * c->cell; }

// An arc: `part` of a circle, clockwise from the top.
static void moba_draw_arc(const MobaCanvas* c, float x, float y, float radius, float part, PfcColor color) {
  const int32_t pieces = (int32_t)(20.0f * part + 0.99f);
  float last_x = x, last_y = y - radius;
  for (int32_t i = 1; i <= pieces; ++i) {
    const float angle = 2.0f * PFC_PI * pfc_minf((float)i / 20.0f, part);
    const float next_x = x + radius * pfc_sinf(angle), next_y = y - radius * pfc_cosf(angle);
    c->d->line(c->d->context, last_x, last_y, next_x, next_y, 1.6f, color);
    last_x = next_x, last_y = next_y;
  }
}

// A band along a diagonal of the map, from the lower left or from the upper left.
static void moba_draw_diagonal(const MobaCanvas* c, int32_t half, bool rising, PfcColor color) {
  const float w = ((float)half + 0.5f) * c->cell, side = (float)MOBA_VIEW;
  PfcPoint down[6] = {{0, 0}, {w, 0}, {side, side - w}, {side, side}, {side - w, side}, {0, w}};
  for (int32_t i = 0; rising && i < 6; ++i) down[i].y = side - down[i].y;
  c->d->polygon(c->d->context, down, 6, color);
}

static void moba_draw_cells(const MobaCanvas* c, int32_t x0, int32_t y0, int32_t x1, int32_t y1, PfcColor color) {
  c->d->rect(c->d->context, (float)x0 * c->cell, (float)y0 * c->cell, (float)(x1 - x0) * c->cell,
             (float)(y1 - y0) * c->cell, color);
}

static void moba_draw_ground(const MobaCanvas* c) {
  const int32_t size = c->g->size, base = moba_scale(size, MOBA_BASE) + 1, line = moba_scale(size, MOBA_LANE_LINE);
  const int32_t near = line - MOBA_LANE_HALF, far = line + MOBA_LANE_HALF + 1;
  const PfcColor lane = pfc_rgb(0x1a1e29), ground = pfc_rgb(0x1f2431);
  c->d->rect(c->d->context, 0, 0, (float)MOBA_VIEW, (float)MOBA_VIEW, pfc_rgb(PFC_BOARD));
  moba_draw_diagonal(c, MOBA_MIDDLE_HALF, true, lane);
  moba_draw_cells(c, near, near, far, size, lane);
  moba_draw_cells(c, far, near, size, far, lane);
  moba_draw_cells(c, size - far, far, size - near, size - near, lane);
  moba_draw_cells(c, far, size - far, size - far, size - near, lane);
  moba_draw_diagonal(c, MOBA_RIVER_HALF, false, pfc_tint(MOBA_RIVER_COLOR, 60));
  moba_draw_cells(c, 0, size - base, base, size, ground);
  moba_draw_cells(c, size - base, 0, size, base, ground);
  for (int32_t team = 0; team < 2; ++team) {
    const MobaPlace at = moba_place_of(c->g, team, moba_fountain_place);
    const float reach = ((float)MOBA_FOUNTAIN_RADIUS + 0.5f) * c->cell;
    const int32_t left = team ? size - base : 0, top = team ? 0 : size - base;
    moba_draw_cells(c, left, top, left + base, top + base, pfc_tint(moba_team_colors[team], 20));
    c->d->circle(c->d->context, moba_center(c, at.x), moba_center(c, at.y), reach,
                 pfc_tint(moba_team_colors[team], 36));
  }
}

// Each run of wall cells is slightly larger than its cells, so that adjacent rows leave no gaps.
static void moba_draw_walls(const MobaCanvas* c) {
  const MobaGame* g = c->g;
  for (int32_t y = 0; y < g->size; ++y)
    for (int32_t x = 0; x < g->size; ++x) {
      int32_t end = x;
      while (end < g->size && g->cells[moba_cell(g, end, y)] == MOBA_WALL) ++end;
      if (end > x)
        c->d->rounded_rect(c->d->context, (float)x * c->cell - 0.4f, (float)y * c->cell - 0.4f,
                           (float)(end - x) * c->cell + 0.8f, c->cell + 0.8f, 0.4f * c->cell, pfc_rgb(MOBA_WALL_COLOR));
      x = end;
    }
}

static float moba_part(const Moba* s, int32_t unit) { return (float)s->hp[unit] / (float)s->max_hp[unit]; }

static void moba_draw_building(const MobaCanvas* c, int32_t unit) {
  const Moba* s = c->g->s;
  const PfcDraw* d = c->d;
  const int32_t team = moba_side(unit);
  const float x = moba_center(c, s->x[unit]), y = moba_center(c, s->y[unit]), part = moba_part(s, unit);
  const bool open = s->open[team] >> moba_number(unit) & 1;
  const PfcColor color = pfc_rgb(moba_team_colors[team]);
  if (s->kind[unit] == MOBA_KIND_ANCIENT) {
    const int32_t beat = (int32_t)(s->tick % 8u), swell = beat < 4 ? beat : 8 - beat;
    const float r = 11.0f + 0.8f * part * (float)swell, core = 4.0f + 6.0f * part;
    const PfcPoint outer[4] = {{x, y - r}, {x + r, y}, {x, y + r}, {x - r, y}};
    const PfcPoint inner[4] = {{x, y - core}, {x + core, y}, {x, y + core}, {x - core, y}};
    d->polygon(d->context, outer, 4, pfc_tint(moba_team_colors[team], 110));
    d->polygon(d->context, inner, 4, open ? color : pfc_rgb(MOBA_GUARDED_COLOR));
    d->circle(d->context, x, y, 3.0f, open ? pfc_rgb(PFC_BOARD) : color);
    return;
  }
  d->rounded_rect(d->context, x - 4.0f, y - 4.0f, 8.0f, 8.0f, 1.5f, open ? color : pfc_rgb(MOBA_GUARDED_COLOR));
  d->rect(d->context, x - 1.5f, y - 1.5f, 3.0f, 3.0f, open ? pfc_rgb(PFC_BOARD) : color);
  moba_draw_arc(c, x, y, 7.2f, part, pfc_tint(moba_team_colors[team], open ? 255 : 110));
}

static void moba_draw_small(const MobaCanvas* c, int32_t unit) {
  const Moba* s = c->g->s;
  const PfcDraw* d = c->d;
  const float x = moba_center(c, s->x[unit]), y = moba_center(c, s->y[unit]);
  const int32_t kind = s->kind[unit];
  const uint32_t rgb = kind == MOBA_GUARDIAN ? PFC_GOAL : moba_team_colors[moba_is_neutral(unit) ? 2 : moba_side(unit)];
  const PfcColor color = pfc_tint(rgb, (uint8_t)(130.0f + 125.0f * moba_part(s, unit)));
  if (kind == MOBA_SIEGE) d->rect(d->context, x - 2.6f, y - 2.6f, 5.2f, 5.2f, color);
  else
    d->circle(d->context, x, y,
              kind == MOBA_GUARDIAN ? 5.5f
              : kind == MOBA_LARGE  ? 3.6f
              : kind == MOBA_RANGED ? 1.9f
                                    : 2.4f,
              color);
  if (kind == MOBA_GUARDIAN) moba_draw_arc(c, x, y, 7.2f, moba_part(s, unit), pfc_rgb(PFC_GOAL));
}

static void moba_draw_hero(const MobaCanvas* c, int32_t hero) {
  const Moba* s = c->g->s;
  const PfcDraw* d = c->d;
  const int32_t team = moba_hero_team(hero);
  const MobaPlace eye = moba_eye(s, hero);
  const float x = moba_center(c, eye.x), y = moba_center(c, eye.y), size = 9.5f;
  const PfcColor color = pfc_rgb(moba_team_colors[team]);
  if (!moba_lives(s, hero)) {
    if (s->tally[hero].deaths == 0) return;
    d->line(d->context, x - 3.5f, y - 3.5f, x + 3.5f, y + 3.5f, 1.6f, pfc_tint(moba_team_colors[team], 150));
    d->line(d->context, x - 3.5f, y + 3.5f, x + 3.5f, y - 3.5f, 1.6f, pfc_tint(moba_team_colors[team], 150));
    return;
  }
  if (hero == d->agent) d->circle(d->context, x, y, 12.0f, pfc_tint(PFC_INK, 200));
  d->circle(d->context, x, y, 9.8f, pfc_rgb(PFC_PAGE));
  d->circle(d->context, x, y, 6.2f, moba_veiled(s, hero) ? pfc_tint(moba_team_colors[team], 110) : color);
  moba_draw_arc(c, x, y, 8.9f, moba_part(s, hero), pfc_rgb(PFC_GOOD));
  moba_draw_arc(c, x, y, 7.2f, (float)s->mana[hero] / (float)s->max_mana[hero], pfc_rgb(PFC_VIOLET));
  d->text(d->context, x - 0.5f * PFC_TEXT_PITCH * size, y - 0.5f * size, size, moba_letters[moba_role(hero)],
          pfc_rgb(PFC_PAGE));
}

static void moba_draw_effects(const MobaCanvas* c) {
  const Moba* s = c->g->s;
  const PfcDraw* d = c->d;
  for (int32_t i = 0; i < s->num_effects; ++i) {
    const MobaEffect* e = &s->effects[i];
    const float x = moba_center(c, e->x0), y = moba_center(c, e->y0), reach = ((float)e->radius + 0.5f) * c->cell;
    const uint32_t rgb = e->kind == MOBA_EFFECT_HEAL ? PFC_GOOD : moba_team_colors[e->team];
    if (e->kind == MOBA_EFFECT_STRIKE)
      d->line(d->context, x, y, moba_center(c, e->x1), moba_center(c, e->y1), 1.0f, pfc_tint(rgb, 170));
    else
      d->circle(d->context, x, y, reach, pfc_tint(rgb, 60));
  }
}

static void moba_draw_sight(const MobaCanvas* c) {
  const MobaPlace eye = moba_eye(c->g->s, c->d->agent);
  const float side = (float)(2 * c->g->p->vision + 1) * c->cell, x = moba_center(c, eye.x), y = moba_center(c, eye.y);
  const float left = pfc_maxf(x - 0.5f * side, 0.0f), top = pfc_maxf(y - 0.5f * side, 0.0f);
  const float right = pfc_minf(x + 0.5f * side, (float)MOBA_VIEW), bottom = pfc_minf(y + 0.5f * side, (float)MOBA_VIEW);
  c->d->rect(c->d->context, left, top, right - left, bottom - top, pfc_tint(PFC_INK, 14));
}

static void moba_draw_map(const MobaCanvas* c) {
  const Moba* s = c->g->s;
  moba_draw_ground(c);
  moba_draw_walls(c);
  moba_draw_sight(c);
  for (int32_t unit = MOBA_BUILDINGS; unit < MOBA_UNITS; ++unit)
    if (moba_lives(s, unit)) moba_draw_building(c, unit);
  for (int32_t unit = MOBA_CREEPS; unit < MOBA_BUILDINGS; ++unit)
    if (moba_lives(s, unit)) moba_draw_small(c, unit);
  moba_draw_effects(c);
  for (int32_t i = 1; i <= MOBA_HEROES; ++i)
    moba_draw_hero(c, (c->d->agent + i) % MOBA_HEROES);  // the followed one last
}

static void moba_draw_bar(const PfcDraw* d, float x, float y, float width, float height, float part, uint32_t rgb) {
  d->rect(d->context, x, y, width, height, pfc_rgb(PFC_TILE));
  if (part > 0.0f) d->rect(d->context, x, y, width * part, height, pfc_rgb(rgb));
}

// Three squares that fill up while skills cool down.
static void moba_draw_skills(const PfcDraw* d, const Moba* s, int32_t hero, float x, float y) {
  const float side = 8.0f;
  for (int32_t k = 0; k < MOBA_SKILLS; ++k) {
    const MobaSkill* skill = moba_skill(hero, k);
    const float full = side * (1.0f - (float)s->clock.skill[hero][k] / (float)skill->wait), left = x + 11.0f * (float)k;
    const bool ready = moba_skill_ready(s, hero, k);
    d->rect(d->context, left, y, side, side, pfc_rgb(PFC_TILE));
    if (full > 0.0f) d->rect(d->context, left, y + side - full, side, full, pfc_rgb(ready ? PFC_GOAL : PFC_LINE));
  }
}

static void moba_draw_hero_row(const MobaCanvas* c, int32_t hero, float y) {
  const Moba* s = c->g->s;
  const PfcDraw* d = c->d;
  const float x = (float)MOBA_VIEW + 10.0f, width = (float)MOBA_PANEL_WIDTH - 20.0f;
  const bool lives = moba_lives(s, hero);
  const uint32_t rgb = moba_team_colors[moba_hero_team(hero)];
  char text[32];
  if (hero == d->agent) d->rounded_rect(d->context, x - 5.0f, y - 3.0f, width + 10.0f, 37.0f, 4.0f, pfc_rgb(PFC_TILE));
  d->text(d->context, x, y, 10.0f, moba_letters[moba_role(hero)], pfc_tint(rgb, lives ? 255 : 120));
  d->text(d->context, x + 11.0f, y, 10.0f, moba_names[moba_role(hero)], pfc_rgb(lives ? PFC_INK : PFC_DIM));
  snprintf(text, sizeof text, "%u/%u", (unsigned)s->tally[hero].kills, (unsigned)s->tally[hero].deaths);
  d->text(d->context, x + 70.0f, y, 9.0f, text, pfc_rgb(PFC_DIM));
  snprintf(text, sizeof text, "%d", s->level[hero]);
  d->text(d->context, x + width - pfc_text_width(text, 11.0f), y - 1.0f, 11.0f, text, pfc_rgb(PFC_GOAL));
  if (!lives) {
    snprintf(text, sizeof text, "back in %d", s->clock.back[hero] + 1);
    d->text(d->context, x + 11.0f, y + 13.0f, 8.0f, text, pfc_rgb(PFC_DIM));
    return;
  }
  moba_draw_bar(d, x, y + 13.0f, width, 4.0f, moba_part(s, hero), PFC_GOOD);
  moba_draw_bar(d, x, y + 18.0f, width, 2.5f, (float)s->mana[hero] / (float)s->max_mana[hero], PFC_VIOLET);
  for (int32_t i = 0; i < s->gear[hero]; ++i)
    d->rect(d->context, x + 5.0f * (float)(i % 20), y + 25.0f, 3.6f, 3.6f, pfc_tint(rgb, 220));
  moba_draw_skills(d, s, hero, x + width - 30.0f, y + 23.0f);
}

static void moba_draw_panel(const MobaCanvas* c) {
  const Moba* s = c->g->s;
  const PfcDraw* d = c->d;
  const float left = (float)MOBA_VIEW, x = left + 10.0f;
  char text[32];
  d->rect(d->context, left, 0.0f, (float)MOBA_PANEL_WIDTH, (float)MOBA_VIEW, pfc_rgb(PFC_PAGE));
  pfc_draw_count(d, x, 9.0f, 20.0f, true, (int32_t)s->tick, "ticks");
  d->text(d->context, x, 36.0f, 10.0f, "towers", pfc_rgb(PFC_DIM));
  for (int32_t team = 0; team < 2; ++team) {
    snprintf(text, sizeof text, "%u", (unsigned)s->towers[team]);
    d->text(d->context, x + 52.0f + 30.0f * (float)team, 34.0f, 13.0f, text, pfc_rgb(moba_team_colors[team]));
  }
  for (int32_t hero = 0; hero < MOBA_HEROES; ++hero)
    moba_draw_hero_row(c, hero, 58.0f + 41.5f * (float)hero + (hero >= MOBA_TEAM ? 6.0f : 0.0f));
}

static void moba_draw(const Moba* s, const MobaParams* p, const PfcDraw* d) {
  const MobaGame g = moba_open(s, p);
  const MobaCanvas canvas = {&g, d, (float)MOBA_VIEW / (float)p->size};
  d->begin(d->context, (float)(MOBA_VIEW + MOBA_PANEL_WIDTH), (float)MOBA_VIEW, pfc_rgb(PFC_PAGE));
  moba_draw_map(&canvas);
  moba_draw_panel(&canvas);
  d->end(d->context);
}

static const PfcKeyBinding moba_keys[] = {
    PFC_BIND("up", "up", 0, 1),           PFC_BIND("right", "right", 0, 3),      PFC_BIND("down", "down", 0, 5),
    PFC_BIND("left", "left", 0, 7),       PFC_BIND("space a", "attack", 1, 1),   PFC_BIND("q", "first skill", 1, 2),
    PFC_BIND("w", "second skill", 1, 3),  PFC_BIND("e", "third skill", 1, 4),    PFC_BIND("1", "heroes first", 2, 0),
    PFC_BIND("2", "creeps first", 2, 1),  PFC_BIND("3", "buildings first", 2, 2),
};

PFC_DEFINE_ENV(moba, Moba,
               .title = "Moba",
               .summary = "two teams of five heroes push three lanes to destroy each other's ancient",
               .version = 1,
               .obs_dtype = PFC_UINT8,
               .sizes = {.action_counts = {9, 5, 3}},
               .layout = moba_layout,
               .mask = moba_mask,
               .script = moba_script,
               .num_levels = MOBA_LEVELS,
               .obs_rows = moba_obs,
               .num_obs_rows = MOBA_OBS_ROWS,
               .fill_rows = moba_fill_rows,
               .metrics = {"score", "perf", "win", "level", "gear", "kills", "deaths", "assists", "last_hits",
                           "hero_damage", "building_damage", "healing", "skills", "towers", "camps"},
               .fields = moba_fields,
               .num_fields = sizeof moba_fields / sizeof moba_fields[0],
               .fps = 8,
               .keys = moba_keys,
               .num_keys = sizeof moba_keys / sizeof moba_keys[0])
