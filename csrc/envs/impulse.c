// impulse.c - drones push each other into death walls. Two to eight drones in a walled arena without gravity, on Box2D
// v3; the first `learners` of them are agents, bots fly the others.
//
// Lengths are in m, masses in kg, times in s or ticks of 1/30 s; x points right, y up, the origin is in the arena's
// middle. A step is `ticks` ticks. The state is one plain struct: a grid of wall cells, slots for drones, shots,
// pickups and floating walls, and handles into a Box2D world, so that it cannot be copied or saved. Every reset makes a
// new world. Box2D moves and collides bodies; positions and velocities are read into the slots after each tick, and all
// rules (blasts, sight, deaths, pickups) are arithmetic over slots and grid. Observe and draw only read the slots.
#include "pufferc/env.h"

#include "box2d_world.h"

// ---- constants ----------------------------------------------------------------------------------------

enum {
  IMPULSE_DRONES = 8,
  IMPULSE_SHOTS = 64,
  IMPULSE_PICKUPS = 12,
  IMPULSE_FLOATS = 18,
  IMPULSE_MAX_CELLS = 31,
  IMPULSE_TICKS_PER_S = 30,
  IMPULSE_PAST = 16,  // ticks of positions kept for the bots' delay, at least 0.5 s
  IMPULSE_TAIL = 4,
  IMPULSE_BLASTS = 16,  // recent blasts kept for drawing
  IMPULSE_ATTEMPTS = 8,
  IMPULSE_SPAWN_TICKS = 60,
  IMPULSE_BLAME_TICKS = 90,  // a push counts as a death's cause for so long
  IMPULSE_RING_TICKS = 150,
  IMPULSE_LAST_SQUARE = 5,  // cells per side that sudden death leaves
  IMPULSE_PAID_PICKUPS = 4,
};

// Numbers that bodies and walls have in contacts. Contacts are handled in the order of these numbers.
enum {
  IMPULSE_SHIELD_SLOT = IMPULSE_DRONES,
  IMPULSE_SHOT_SLOT = IMPULSE_SHIELD_SLOT + IMPULSE_DRONES,
  IMPULSE_FLOAT_SLOT = IMPULSE_SHOT_SLOT + IMPULSE_SHOTS,
  IMPULSE_WALL_SLOT = IMPULSE_FLOAT_SLOT + IMPULSE_FLOATS,  // plus the kind of wall
};

enum { IMPULSE_FREE, IMPULSE_STANDARD, IMPULSE_BOUNCY, IMPULSE_DEATH };
enum { IMPULSE_WALL_BIT = 1, IMPULSE_DRONE_BIT = 2, IMPULSE_SHIELD_BIT = 4, IMPULSE_SHOT_BIT = 8,
       IMPULSE_FLOAT_BIT = 16 };
enum { IMPULSE_PIT, IMPULSE_PILLARS, IMPULSE_ROOMS, IMPULSE_BOUNCE, IMPULSE_BARS, IMPULSE_DEBRIS, IMPULSE_GATE,
       IMPULSE_SCATTER, IMPULSE_ARENAS };

#define IMPULSE_TICK_S (1.0f / (float)IMPULSE_TICKS_PER_S)
#define IMPULSE_CELL 4.0f
#define IMPULSE_RADIUS 1.0f       // m, of a drone
#define IMPULSE_DENSITY 1.25f     // kg/m^2
#define IMPULSE_MASS 3.9269908f   // kg
#define IMPULSE_ENGINE 35.0f      // N
#define IMPULSE_DAMPING 1.0f      // 1/s
#define IMPULSE_BRAKING 2.5f      // 1/s
#define IMPULSE_SHIELD_RADIUS 1.5f
#define IMPULSE_FLOAT_HALF 1.5f   // m, half the side of a floating wall
#define IMPULSE_FLOAT_DENSITY 4.0f
#define IMPULSE_FLOAT_MASS 36.0f
#define IMPULSE_FLOAT_DAMPING 0.75f
#define IMPULSE_PICKUP_HALF 1.5f
#define IMPULSE_BULLET_SPEED 20.0f  // m/s above which a shot is tested against moving bodies along its path
#define IMPULSE_TOUCH 0.02f         // m, Box2D's speculative distance: nearer counts as contact
#define IMPULSE_APART 10.0f         // m between drones at a start, and between pickups
#define IMPULSE_SAFE 7.5f           // m from a spawn cell to the nearest death wall
#define IMPULSE_MAX_SHOT_SPEED 300.0f
#define IMPULSE_SPEED_UP 1.07f      // of the accelerator per bounce
#define IMPULSE_HIT_LIMIT 50.0f     // m/s per pair and life that are rewarded
#define IMPULSE_BLAME_MPS 1.0f
#define IMPULSE_REFILL 0.001f       // energy per tick
#define IMPULSE_BRAKE_COST (0.5f * IMPULSE_TICK_S)
#define IMPULSE_BURST_COST (0.6f * IMPULSE_TICK_S)
#define IMPULSE_BURST_START 0.1f
#define IMPULSE_BLAST_ENERGY 0.0035f  // per m/s of an enemy's velocity
#define IMPULSE_HIT_ENERGY 0.001f     // per N s of a shot's momentum
#define IMPULSE_EMPTY 1e-5f           // energy below this is rounding error

PFC_FN int32_t impulse_ticks(float seconds) { return (int32_t)(seconds * (float)IMPULSE_TICKS_PER_S + 0.5f); }

// ---- weapons ------------------------------------------------------------------------------------------

enum { IMPULSE_RIFLE, IMPULSE_MACHINE_GUN, IMPULSE_SNIPER, IMPULSE_SHOTGUN, IMPULSE_IMPLODER, IMPULSE_ACCELERATOR,
       IMPULSE_FLAK, IMPULSE_MINE, IMPULSE_BLACK_HOLE, IMPULSE_NUKE, IMPULSE_WEAPONS };

typedef struct ImpulseWeapon {
  const char* name;
  const char* letters;
  int32_t shots, ammo;   // ammo 0: no end
  float fire, spread;    // N s, +- N s
  float radius, density, recoil, damping;
  float charge_s, cooldown_s;
  float range;           // m of path; 0: no end
  int32_t bounces;       // -1: no end
  float weight;          // of being drawn as a pickup
  float turn;            // rad by which a shot may be turned; of the machine gun at full heat
  float blast_radius, blast;  // m; N s per m, negative: pulls. Of a black hole its pull: N per m
  float energy;          // factor of the energy that a hit brings
} ImpulseWeapon;

PFC_TABLE ImpulseWeapon impulse_weapons[IMPULSE_WEAPONS] = {
    {"standard", "", 1, 0, 17, 0, 0.2f, 3.25f, 20, 0, 0, 0.37f, 80, 2, 0, 0, 0, 0, 1},
    {"machine gun", "MG", 1, 50, 30, 0, 0.15f, 3.2f, 12.8f, 0.1f, 0, 0.07f, 225, 1, 3, 0.1f, 0, 0, 0.2f},
    {"sniper", "SN", 1, 3, 300, 0, 0.5f, 2, 96, 0.05f, 1, 1.5f, 0, 0, 3, 0, 0, 0, 1.2f},
    {"shotgun", "SG", 8, 8, 25, 3, 0.15f, 2.5f, 100, 0.3f, 0, 0.8f, 100, 1, 3, 0.11f, 0, 0, 0.5f},
    {"imploder", "IM", 1, 1, 60, 0, 0.8f, 1, 65, 0, 2, 1.5f, 0, 0, 1, 0, 15, -200, 1},
    {"accelerator", "AC", 1, 1, 35, 0, 0.5f, 2, 100, 0, 0, 2, 0, 100, 1, 0, 0, 0, 1},
    {"flak", "FL", 1, 12, 14, 0, 0.3f, 1, 30, 0.15f, 0, 0.4f, 100, -1, 2, 0, 7.5f, 22, 1},
    {"mine", "MI", 1, 3, 25, 0, 0.5f, 0.5f, 20, 0.2f, 0, 0.6f, 0, -1, 2, 0, 15, 200, 1},
    {"black hole", "BH", 1, 3, 125, 0, 0.5f, 10, 75, 0, 0.75f, 1, 0, 0, 2, 0, 10, -300, 1},
    {"nuke", "NU", 1, 1, 85, 0, 0.8f, 3, 150, 0, 5, 3, 0, 0, 0.5f, 0, 35, 300, 1},
};

#define IMPULSE_FLAK_ARMED 25.0f  // m of path after which flak goes off near an enemy
#define IMPULSE_FLAK_NEAR 2.0f    // m
#define IMPULSE_MINE_NEAR 7.5f    // m
#define IMPULSE_MINE_ARMED_S 0.5f
#define IMPULSE_LIFE_S 10.0f
#define IMPULSE_MINE_LIFE_S 30.0f
#define IMPULSE_HOLE_OWNER 15.0f  // m that a black hole must be away before it pulls its owner

PFC_FN float impulse_shot_mass(const ImpulseWeapon* w) { return PFC_PI * w->radius * w->radius * w->density; }

// m/s that a head-on hit of this mass and speed adds to a resting drone.
PFC_FN float impulse_hit_mps(float mass, float speed) { return 2.0f * mass / (mass + IMPULSE_MASS) * speed; }

PFC_FN bool impulse_explodes(int32_t weapon) {
  return weapon == IMPULSE_IMPLODER || weapon == IMPULSE_FLAK || weapon == IMPULSE_MINE || weapon == IMPULSE_NUKE;
}

// ---- parameters ---------------------------------------------------------------------------------------

#define IMPULSE_PARAMS(X)                                                                                        \
  X(int, max_steps, 900, 0, PFC_MAX_STEPS, "steps until truncation; 0 = never")                                  \
  X(int, drones, 2, 2, IMPULSE_DRONES, "drones in the arena")                                                    \
  X(int, learners, 1, 1, IMPULSE_DRONES, "the first of the drones are agents, bots fly the others")              \
  X(int, teams, 0, 0, 4, "0: each drone for itself; else drone i is in team i mod teams (2 to 4)")               \
  X(int, bot, 2, 0, 3, "strength of the bots: 0 does nothing, 1 easy, 2 medium, 3 hard")                         \
  X(int, pilot, -1, -1, 3, "a bot of this strength flies the agents, and actions are ignored; -1: no")           \
  X(int, arena, -1, -1, IMPULSE_ARENAS - 1,                                                                      \
    "0 pit, 1 pillars, 2 rooms, 3 bounce, 4 bars, 5 debris, 6 gate, 7 scatter; -1: a random one")                \
  X(int, cells, 15, 11, IMPULSE_MAX_CELLS, "side of the arena in cells of 4 m, border included; odd")            \
  X(int, lives, 1, 1, 5, "lives of each drone")                                                                  \
  X(int, pickups, 6, 0, IMPULSE_PICKUPS, "weapons that lie about")                                               \
  X(int, weapons, 1023, 1, 1023, "bit i: weapon i may lie about; 1: no pickups")                                 \
  X(float, sudden_death, 60, 0, 600, "s until the outermost ring turns into death walls; 0 = never")             \
  X(int, substeps, 2, 1, 8, "sub-steps of Box2D per tick")                                                       \
  X(int, ticks, 3, 1, 12, "ticks of 1/30 s per step")                                                            \
  X(bool, continuous, 0, 0, 1, "1: seven controls; 0: choices")                                                  \
  X(float, reward_win, 1, -10, 10, "one's team is the last one")                                                 \
  X(float, reward_loss, -1, -10, 10, "one's team is out")                                                        \
  X(float, reward_kill, 0.5f, -10, 10, "an enemy's death counted to this drone")                                 \
  X(float, reward_death, 0, -10, 10, "each own death")                                                           \
  X(float, reward_self_kill, -0.25f, -10, 10, "an own death counted to oneself, besides reward_death")           \
  X(float, reward_hit, 0.01f, -10, 10, "per m/s by which a shot, blast, burst or pull changed an enemy's velocity") \
  X(float, reward_taken, -0.005f, -10, 10, "the same for the victim")                                            \
  X(float, reward_pickup, 0.05f, -10, 10, "taking a weapon while holding the standard one, four times a life")   \
  X(float, reward_empty, -0.05f, -10, 10, "the energy ran empty")
PFC_DEFINE_PARAMS(impulse, ImpulseParams, IMPULSE_PARAMS)

// ---- state --------------------------------------------------------------------------------------------

// What a drone does in a step.
typedef struct ImpulseIntent {
  b2Vec2 move;       // length 0 to 1
  b2Vec2 aim;        // length 1, or 0: keep
  int32_t relative;  // 1 to 7: aim at the nearest enemy with the deviation of impulse_deviations; 0: use `aim`
  uint8_t fire, brake, burst;
} ImpulseIntent;

typedef struct ImpulseDrone {
  b2BodyId body, shield;  // null if it is not in the arena, has no shield
  b2Vec2 at, v, v_before, aim;  // v_before: before Box2D's step
  float energy, charged;  // charged: energy in the burst that is held; 0: none
  float heat, shield_health;
  float paid[IMPULSE_DRONES];  // m/s of hits rewarded to each attacker in this life
  int32_t weapon, ammo;        // ammo 0: no end
  int32_t cooldown, charge, shield_ticks, pause, refill_wait;
  int32_t ready;               // ticks since the weapon could fire; for the patience of bots
  int32_t lives, wait;         // wait: ticks until the next life
  int32_t enemy, enemy_tick;   // who pushed it last; -1: none
  int32_t taken;               // pickups of this life
  int32_t present;
  uint8_t emptied, braking, dying, won;
  int32_t shots, hits, kills, self_kills, pickups;  // of the episode
  float energy_used;
} ImpulseDrone;

typedef struct ImpulseShot {
  b2BodyId body;  // null if it ended where it was fired
  b2Vec2 at, v, at_before, v_before;
  b2Vec2 held;    // place of a mine in the frame of the floating wall that holds it
  float path;     // m
  int32_t present, owner, weapon, number, age, bounced;
  int32_t stuck;  // 0: no, 1: to a static wall, 2 + i: to floating wall i
  int32_t stuck_ticks;
  uint8_t bullet, done, triggered, scored, far;  // far: a black hole that has left its owner
  b2Vec2 tail[IMPULSE_TAIL];
} ImpulseShot;

typedef struct ImpulseFloat {
  b2BodyId body;
  b2Vec2 at, v, at_before;
  b2Rot turn, turn_before;
  int32_t present, kind, pusher, pusher_tick;
} ImpulseFloat;

typedef struct ImpulsePickup {
  b2Vec2 at;
  int32_t present, weapon, wait;
} ImpulsePickup;

typedef struct ImpulseBlast {  // for drawing
  b2Vec2 at;
  float radius;
  int32_t tick, pulls;
} ImpulseBlast;

typedef struct ImpulseSight {
  b2Vec2 at, v;
} ImpulseSight;

typedef struct Impulse {
  PfcRng rng;
  b2WorldId world;
  b2BodyId walls;  // one static body with all static walls
  int32_t tick, kind, rings, fired, draw, out;  // out: bit i, team i is out
  int32_t shots_end, floats_end;  // nothing is in this slot or a later one
  uint8_t grid[IMPULSE_MAX_CELLS * IMPULSE_MAX_CELLS];  // row by row from the bottom, `cells` per row
  ImpulseDrone drones[IMPULSE_DRONES];
  ImpulseShot shots[IMPULSE_SHOTS];
  ImpulseFloat floats[IMPULSE_FLOATS];
  ImpulsePickup pickups[IMPULSE_PICKUPS];
  ImpulseBlast blasts[IMPULSE_BLASTS];
  ImpulseSight past[IMPULSE_PAST][IMPULSE_DRONES];  // entry tick % IMPULSE_PAST
  ImpulseIntent intents[IMPULSE_DRONES];
  float gain[IMPULSE_DRONES];  // rewards of this step
  int32_t num_blasts;
} Impulse;

typedef struct ImpulseObs {
  float own[19], weapon[7], walls[48], drones[48], shots[108], pickups[24], floating[32];
} ImpulseObs;

static const PfcObsRow impulse_obs[] = {
    PFC_OBS("own", 19, -1, 1,
            "x, y (60 m); velocity (60 m/s); aim; energy; emptied; burst charge; burst pause; braking; cooldown, "
            "charge and ammunition as parts of the weapon's; shield's health and time (3 s); lives; time to the next "
            "ring (90 s); rings closed (16)"),
    PFC_OBS("weapon", 7, -1, 1,
            "speed (200 m/s); hit (120 m/s); recoil (40 m/s); cooldown (3 s); charge (5 s); blast radius (35 m); "
            "strength (300 per m), negative if it pulls"),
    PFC_OBS("walls", 48, 0, 1, "16 rays from +x anticlockwise: distance (60 m) to a static wall; 1 death; 1 bouncy"),
    PFC_OBS_SET("drones", 48, 16, -1, 1,
                "nearest others: 1; 1 team mate, -1 enemy; offset (60 m); relative velocity (60 m/s); distance (85 m); "
                "aim; energy; burst charge; braking; shield; hit, blast radius and charge of its weapon"),
    PFC_OBS_SET("shots", 108, 9, -1, 1,
                "nearest shots: 1; 1 own side, -1 enemy; offset (60 m); relative velocity (200 m/s); hit (120 m/s); "
                "blast radius (35 m); 1 pushes, -1 pulls"),
    PFC_OBS_SET("pickups", 24, 8, -1, 1,
                "nearest: 1; offset (60 m); hit (120 m/s); recoil (40 m/s); blast radius (35 m); strength (300 per m); "
                "ammunition (50)"),
    PFC_OBS_SET("floating", 32, 8, -1, 1,
                "nearest floating walls: 1; offset (60 m); velocity (60 m/s); cosine and sine of 4 x angle; "
                "0 standard, 0.5 bouncy, 1 death"),
};

// ---- vectors ------------------------------------------------------------------------------------------

PFC_FN b2Vec2 impulse_vec(float x, float y) {
  b2Vec2 v;
  v.x = x, v.y = y;
  return v;
}
PFC_FN b2Vec2 impulse_add(b2Vec2 a, b2Vec2 b, float scale) { return impulse_vec(a.x + scale * b.x, a.y + scale * b.y); }
PFC_FN b2Vec2 impulse_sub(b2Vec2 a, b2Vec2 b) { return impulse_vec(a.x - b.x, a.y - b.y); }
PFC_FN b2Vec2 impulse_scale(b2Vec2 a, float scale) { return impulse_vec(a.x * scale, a.y * scale); }
PFC_FN float impulse_dot(b2Vec2 a, b2Vec2 b) { return a.x * b.x + a.y * b.y; }
PFC_FN float impulse_length(b2Vec2 a) { return pfc_sqrtf(a.x * a.x + a.y * a.y); }
PFC_FN float impulse_gap(b2Vec2 a, b2Vec2 b) { return impulse_length(impulse_sub(a, b)); }
PFC_FN float impulse_square_gap(b2Vec2 a, b2Vec2 b) {
  const b2Vec2 offset = impulse_sub(a, b);
  return impulse_dot(offset, offset);
}

// The direction of a; 0 if a is 0.
PFC_FN b2Vec2 impulse_unit(b2Vec2 a) {
  const float length = impulse_length(a);
  return length > 1e-9f ? impulse_scale(a, 1.0f / length) : impulse_vec(0.0f, 0.0f);
}

// a turned by an angle with this cosine and sine.
PFC_FN b2Vec2 impulse_turn(b2Vec2 a, float cosine, float sine) {
  return impulse_vec(cosine * a.x - sine * a.y, sine * a.x + cosine * a.y);
}

PFC_FN b2Vec2 impulse_turn_by(b2Vec2 a, float angle) {
  float sine, cosine;
  pfc_sincosf(angle, &sine, &cosine);
  return impulse_turn(a, cosine, sine);
}

// 16 directions, anticlockwise from +x.
PFC_TABLE float impulse_directions[16][2] = {
    {1, 0}, {0.92387953f, 0.38268343f}, {0.70710678f, 0.70710678f}, {0.38268343f, 0.92387953f},
    {0, 1}, {-0.38268343f, 0.92387953f}, {-0.70710678f, 0.70710678f}, {-0.92387953f, 0.38268343f},
    {-1, 0}, {-0.92387953f, -0.38268343f}, {-0.70710678f, -0.70710678f}, {-0.38268343f, -0.92387953f},
    {0, -1}, {0.38268343f, -0.92387953f}, {0.70710678f, -0.70710678f}, {0.92387953f, -0.38268343f},
};

// Cosine and sine of 0, 4, -4, 9, -9, 18, -18 degrees: 22.5 degrees miss a drone beyond 5 m.
PFC_TABLE float impulse_deviations[7][2] = {
    {1, 0}, {0.99756405f, 0.06975647f}, {0.99756405f, -0.06975647f}, {0.98768834f, 0.15643447f},
    {0.98768834f, -0.15643447f}, {0.95105652f, 0.30901699f}, {0.95105652f, -0.30901699f},
};

PFC_FN b2Vec2 impulse_direction(int32_t i) { return impulse_vec(impulse_directions[i][0], impulse_directions[i][1]); }

// ---- the grid -----------------------------------------------------------------------------------------

PFC_FN float impulse_half_side(const ImpulseParams* p) { return 0.5f * IMPULSE_CELL * (float)p->cells; }

PFC_FN b2Vec2 impulse_centre(const ImpulseParams* p, int32_t cell) {
  const float middle = (float)(p->cells / 2), x = (float)(cell % p->cells), y = (float)(cell / p->cells);
  return impulse_vec(IMPULSE_CELL * (x - middle), IMPULSE_CELL * (y - middle));
}

// Column or row of a coordinate, clamped to the arena.
PFC_FN int32_t impulse_column(const ImpulseParams* p, float x) {
  const float half = impulse_half_side(p);
  return (int32_t)(pfc_clampf((x + half) * (1.0f / IMPULSE_CELL), 0.0f, (float)p->cells - 0.5f));
}

PFC_FN int32_t impulse_cell_at(const ImpulseParams* p, b2Vec2 at) {
  return impulse_column(p, at.y) * p->cells + impulse_column(p, at.x);
}

// The point of a cell that is nearest to `at`.
PFC_FN b2Vec2 impulse_nearest_point(const ImpulseParams* p, int32_t cell, b2Vec2 at) {
  const b2Vec2 c = impulse_centre(p, cell);
  const float half = 0.5f * IMPULSE_CELL;
  return impulse_vec(pfc_clampf(at.x, c.x - half, c.x + half), pfc_clampf(at.y, c.y - half, c.y + half));
}

typedef struct ImpulseNear {
  b2Vec2 point;
  float distance;  // PFC_INFINITY: none
} ImpulseNear;

// The nearest static wall within `reach` (of one kind, or any if kind is IMPULSE_FREE); ties go to the lower cell.
PFC_FN ImpulseNear impulse_nearest_wall(const Impulse* s, const ImpulseParams* p, b2Vec2 at, float reach,
                                        int32_t kind) {
  ImpulseNear best = {at, PFC_INFINITY};
  float nearest = PFC_INFINITY;
  const int32_t x0 = impulse_column(p, at.x - reach), x1 = impulse_column(p, at.x + reach);
  const int32_t y0 = impulse_column(p, at.y - reach), y1 = impulse_column(p, at.y + reach);
  for (int32_t y = y0; y <= y1; ++y) {
    for (int32_t x = x0; x <= x1; ++x) {
      const int32_t cell = y * p->cells + x, found = s->grid[cell];
      if (found == IMPULSE_FREE || (kind != IMPULSE_FREE && found != kind)) continue;
      const b2Vec2 point = impulse_nearest_point(p, cell, at);
      const float square = impulse_square_gap(point, at);
      if (square < nearest) best.point = point, nearest = square;
    }
  }
  const float distance = pfc_sqrtf(nearest);
  if (distance <= reach) best.distance = distance;
  return best;
}

typedef struct ImpulseRay {
  float distance;  // `reach` if nothing was hit
  int32_t kind;    // of the wall; IMPULSE_FREE: none
  int32_t across;  // 1: the wall's side is vertical, 0: horizontal
} ImpulseRay;

// Walks from cell to cell along a ray until the first static wall. The border is wall, so a ray never leaves the grid.
PFC_FN ImpulseRay impulse_cast(const Impulse* s, const ImpulseParams* p, b2Vec2 from, b2Vec2 along, float reach) {
  const float half = impulse_half_side(p);
  const int32_t x = impulse_column(p, from.x), y = impulse_column(p, from.y);
  const int32_t right = along.x > 0.0f, up = along.y > 0.0f;
  const int32_t step_x = right ? 1 : -1, step_y = up ? p->cells : -p->cells;
  const float inverse_x = 1.0f / along.x, inverse_y = 1.0f / along.y;  // infinite along an axis
  const float per_x = IMPULSE_CELL * pfc_absf(inverse_x), per_y = IMPULSE_CELL * pfc_absf(inverse_y);
  const float edge_x = IMPULSE_CELL * (float)(x + right) - half, edge_y = IMPULSE_CELL * (float)(y + up) - half;
  float next_x = along.x != 0.0f ? (edge_x - from.x) * inverse_x : PFC_INFINITY;
  float next_y = along.y != 0.0f ? (edge_y - from.y) * inverse_y : PFC_INFINITY;
  int32_t cell = y * p->cells + x, across = 0;
  float distance = 0.0f;
  while (s->grid[cell] == IMPULSE_FREE) {  // without branches that depend on the direction
    across = next_x < next_y;
    distance = across ? next_x : next_y;
    cell += across ? step_x : step_y;
    next_x += across ? per_x : 0.0f;
    next_y += across ? 0.0f : per_y;
    if (distance < reach) continue;
    const ImpulseRay clear = {reach, IMPULSE_FREE, across};
    return clear;
  }
  const ImpulseRay ray = {pfc_maxf(distance, 0.0f), s->grid[cell], across};
  return ray;
}

// No static wall between two points.
PFC_FN bool impulse_sees(const Impulse* s, const ImpulseParams* p, b2Vec2 from, b2Vec2 to) {
  const float distance = impulse_gap(from, to);
  return impulse_cast(s, p, from, impulse_unit(impulse_sub(to, from)), distance).kind == IMPULSE_FREE;
}

// The first static wall in the way of a disc.
PFC_FN ImpulseRay impulse_sweep(const Impulse* s, const ImpulseParams* p, b2Vec2 from, b2Vec2 along, float reach,
                                float radius) {
  const b2Vec2 side = impulse_vec(-along.y, along.x);
  ImpulseRay best = impulse_cast(s, p, from, along, reach);
  for (int32_t i = -1; i <= 1; i += 2) {
    const ImpulseRay ray = impulse_cast(s, p, impulse_add(from, side, radius * (float)i), along, reach);
    if (ray.distance < best.distance) best = ray;
  }
  return best;
}

// From a point to a floating wall.
PFC_FN float impulse_float_gap(const ImpulseFloat* f, b2Vec2 at) {
  const b2Vec2 local = impulse_turn(impulse_sub(at, f->at), f->turn.c, -f->turn.s);
  const b2Vec2 beyond = impulse_vec(pfc_maxf(pfc_absf(local.x) - IMPULSE_FLOAT_HALF, 0.0f),
                                    pfc_maxf(pfc_absf(local.y) - IMPULSE_FLOAT_HALF, 0.0f));
  return impulse_length(beyond);
}

// The first floating wall nearer than `reach`; -1: there is none.
PFC_FN int32_t impulse_float_within(const Impulse* s, b2Vec2 at, float reach) {
  for (int32_t i = 0; i < s->floats_end; ++i)
    if (s->floats[i].present && impulse_float_gap(&s->floats[i], at) < reach) return i;
  return -1;
}

// Whether a floating wall is in the way of a disc: one of death walls only, or any.
PFC_FN bool impulse_float_ahead(const Impulse* s, b2Vec2 from, b2Vec2 along, float reach, float radius, bool death) {
  for (int32_t i = 0; i < s->floats_end; ++i) {
    const ImpulseFloat* f = &s->floats[i];
    if (!f->present || (death && f->kind != IMPULSE_DEATH)) continue;
    const b2Vec2 offset = impulse_sub(f->at, from);
    const float ahead = impulse_dot(offset, along), beside = pfc_absf(offset.x * along.y - offset.y * along.x);
    if (ahead > 0.0f && ahead < reach && beside < IMPULSE_FLOAT_HALF + radius) return true;
  }
  return false;
}

// ---- who is who ---------------------------------------------------------------------------------------

PFC_FN int32_t impulse_team(const void* params, int32_t drone) {
  const int32_t teams = ((const ImpulseParams*)params)->teams;
  return teams > 0 ? drone % teams : drone;
}

PFC_FN bool impulse_enemies(const ImpulseParams* p, int32_t a, int32_t b) {
  return impulse_team(p, a) != impulse_team(p, b);
}

PFC_FN bool impulse_shielded(const ImpulseDrone* d) { return d->shield_ticks > 0 && d->shield_health > 0.0f; }

// Ties go to the lower index; -1: none.
PFC_FN int32_t impulse_nearest_enemy(const Impulse* s, const ImpulseParams* p, int32_t drone) {
  int32_t best = -1;
  float nearest = PFC_INFINITY;
  for (int32_t i = 0; i < p->drones; ++i) {
    if (!s->drones[i].present || !impulse_enemies(p, drone, i)) continue;
    const float distance = impulse_gap(s->drones[i].at, s->drones[drone].at);
    if (distance < nearest) nearest = distance, best = i;
  }
  return best;
}

// ---- bodies -------------------------------------------------------------------------------------------

PFC_FN b2ShapeDef impulse_shape(int32_t slot, float density, float restitution, float friction) {
  b2ShapeDef shape = b2DefaultShapeDef();
  shape.userData = (void*)(intptr_t)slot;
  shape.density = density;
  shape.material.restitution = restitution;
  shape.material.friction = friction;
  shape.enableContactEvents = shape.enableSensorEvents = shape.enableHitEvents = false;
  return shape;
}

PFC_FN float impulse_wall_restitution(int32_t kind) { return kind == IMPULSE_BOUNCY ? 1.0f : 0.01f; }
PFC_FN float impulse_wall_friction(int32_t kind) { return kind == IMPULSE_BOUNCY ? 0.0f : 0.3f; }

PFC_FN b2BodyId impulse_add_circle(b2WorldId world, const b2BodyDef* body, const b2ShapeDef* shape, float radius) {
  const b2BodyId id = b2CreateBody(world, body);
  b2Circle circle;
  circle.center = impulse_vec(0.0f, 0.0f);
  circle.radius = radius;
  (void)b2CreateCircleShape(id, shape, &circle);
  return id;
}

PFC_FN void impulse_destroy(b2BodyId* body) {
  const b2BodyId id = *body;
  if (B2_IS_NON_NULL(id)) b2DestroyBody(id);
  *body = b2_nullBodyId;
}

PFC_FN void impulse_add_drone_body(Impulse* s, int32_t i) {
  ImpulseDrone* d = &s->drones[i];
  b2BodyDef body = b2DefaultBodyDef();
  body.type = b2_dynamicBody;
  body.position = d->at;
  body.linearDamping = IMPULSE_DAMPING;
  body.fixedRotation = true;
  body.enableSleep = false;
  b2ShapeDef shape = impulse_shape(i, IMPULSE_DENSITY, 0.3f, 0.1f);
  shape.enableContactEvents = true;
  shape.filter.categoryBits = IMPULSE_DRONE_BIT;
  shape.filter.groupIndex = -(i + 1);  // never touches its own shield
  d->body = impulse_add_circle(s->world, &body, &shape, IMPULSE_RADIUS);
}

PFC_FN void impulse_add_shield(Impulse* s, int32_t i, int32_t ticks) {
  ImpulseDrone* d = &s->drones[i];
  b2BodyDef body = b2DefaultBodyDef();
  body.type = b2_kinematicBody;
  body.position = d->at;
  body.enableSleep = false;
  b2ShapeDef shape = impulse_shape(IMPULSE_SHIELD_SLOT + i, 1.0f, 0.3f, 0.1f);
  shape.filter.categoryBits = IMPULSE_SHIELD_BIT;
  shape.filter.maskBits = IMPULSE_DRONE_BIT | IMPULSE_SHOT_BIT;
  shape.filter.groupIndex = -(i + 1);
  d->shield = impulse_add_circle(s->world, &body, &shape, IMPULSE_SHIELD_RADIUS);
  d->shield_health = 100.0f;
  d->shield_ticks = ticks;
}

PFC_FN void impulse_add_shot_body(Impulse* s, int32_t i) {
  ImpulseShot* shot = &s->shots[i];
  const ImpulseWeapon* w = &impulse_weapons[shot->weapon];
  b2BodyDef body = b2DefaultBodyDef();
  body.type = shot->stuck ? b2_kinematicBody : b2_dynamicBody;
  body.position = shot->at;
  body.linearVelocity = shot->v;
  body.linearDamping = w->damping;
  body.fixedRotation = true;
  body.enableSleep = false;
  shot->bullet = impulse_length(shot->v) > IMPULSE_BULLET_SPEED;
  body.isBullet = shot->bullet != 0;
  b2ShapeDef shape = impulse_shape(IMPULSE_SHOT_SLOT + i, w->density, 1.0f, 0.0f);
  shape.enableContactEvents = true;
  shape.filter.categoryBits = IMPULSE_SHOT_BIT;
  if (shot->stuck) shape.filter.maskBits = IMPULSE_DRONE_BIT | IMPULSE_SHOT_BIT;  // it must not push what holds it
  shot->body = impulse_add_circle(s->world, &body, &shape, w->radius);
}

PFC_FN void impulse_add_float_body(Impulse* s, int32_t i, float angle) {
  ImpulseFloat* f = &s->floats[i];
  float sine, cosine;
  pfc_sincosf(angle, &sine, &cosine);
  b2BodyDef body = b2DefaultBodyDef();
  body.type = b2_dynamicBody;
  body.position = f->at;
  body.rotation.c = cosine, body.rotation.s = sine;
  body.linearDamping = body.angularDamping = IMPULSE_FLOAT_DAMPING;
  body.enableSleep = false;
  b2ShapeDef shape = impulse_shape(IMPULSE_FLOAT_SLOT + i, IMPULSE_FLOAT_DENSITY, impulse_wall_restitution(f->kind),
                                   impulse_wall_friction(f->kind));
  shape.filter.categoryBits = IMPULSE_FLOAT_BIT;
  const b2Polygon square = b2MakeSquare(IMPULSE_FLOAT_HALF);
  f->body = b2CreateBody(s->world, &body);
  (void)b2CreatePolygonShape(f->body, &shape, &square);
  f->turn = f->turn_before = body.rotation;
}

// One static rectangle of cells.
PFC_FN void impulse_add_wall(Impulse* s, const ImpulseParams* p, int32_t cell, int32_t width, int32_t height) {
  const int32_t kind = s->grid[cell];
  const b2Vec2 low = impulse_centre(p, cell), high = impulse_centre(p, cell + (height - 1) * p->cells + width - 1);
  const b2Vec2 middle = impulse_vec(0.5f * (low.x + high.x), 0.5f * (low.y + high.y));
  const b2Polygon box = b2MakeOffsetBox(0.5f * IMPULSE_CELL * (float)width, 0.5f * IMPULSE_CELL * (float)height, middle,
                                        b2Rot_identity);
  b2ShapeDef shape = impulse_shape(IMPULSE_WALL_SLOT + kind, 1.0f, impulse_wall_restitution(kind),
                                   impulse_wall_friction(kind));
  shape.filter.categoryBits = IMPULSE_WALL_BIT;
  shape.invokeContactCreation = s->tick > 0;  // bodies at rest meet a ring of sudden death
  (void)b2CreatePolygonShape(s->walls, &shape, &box);
}

// Merges the marked cells into few rectangles of one kind: along x first, then along y. A body that slides along a wall
// would bump at every seam.
PFC_FN void impulse_add_walls(Impulse* s, const ImpulseParams* p, uint8_t* todo) {
  const int32_t n = p->cells;
  for (int32_t cell = 0; cell < n * n; ++cell) {
    if (!todo[cell]) continue;
    const int32_t kind = s->grid[cell], room = n - cell % n;
    int32_t width = 1, height = 1;
    while (width < room && todo[cell + width] && s->grid[cell + width] == kind) ++width;
    for (bool whole = true; cell / n + height < n;) {
      for (int32_t i = 0; i < width; ++i)
        whole = whole && todo[cell + height * n + i] && s->grid[cell + height * n + i] == kind;
      if (!whole) break;
      ++height;
    }
    for (int32_t y = 0; y < height; ++y) memset(todo + cell + y * n, 0, (size_t)width);
    impulse_add_wall(s, p, cell, width, height);
  }
}

// Changes a velocity in the slot and in Box2D.
PFC_FN void impulse_set_velocity(b2BodyId body, b2Vec2* v, b2Vec2 changed) {
  *v = changed;
  if (B2_IS_NON_NULL(body)) b2Body_SetLinearVelocity(body, changed);
}

// ---- arenas -------------------------------------------------------------------------------------------
//
// Every arena equals itself turned by half a turn, so that no side is better.

PFC_FN int32_t impulse_opposite(const ImpulseParams* p, int32_t cell) { return p->cells * p->cells - 1 - cell; }

// Sets the cell (x, y) cells from the middle, and its opposite.
PFC_FN void impulse_put(Impulse* s, const ImpulseParams* p, int32_t x, int32_t y, int32_t kind) {
  const int32_t middle = p->cells / 2, cell = (middle + y) * p->cells + middle + x;
  s->grid[cell] = s->grid[impulse_opposite(p, cell)] = (uint8_t)kind;
}

PFC_FN void impulse_build_border(Impulse* s, const ImpulseParams* p) {
  const int32_t kind = s->kind == IMPULSE_BOUNCE ? IMPULSE_BOUNCY : IMPULSE_DEATH, n = p->cells;
  memset(s->grid, IMPULSE_FREE, sizeof s->grid);
  for (int32_t i = 0; i < n; ++i)
    s->grid[i] = s->grid[(n - 1) * n + i] = s->grid[i * n] = s->grid[i * n + n - 1] = (uint8_t)kind;
}

// Every fourth cell, a random half of the pairs missing. The one in the middle has no partner and stays.
PFC_FN void impulse_build_pillars(Impulse* s, const ImpulseParams* p) {
  const int32_t reach = (p->cells / 2 - 1) / 4 * 4, side = reach / 2 + 1, pairs = side * side / 2;
  int32_t missing = pairs / 2;
  for (int32_t i = 0; i < pairs; ++i) {
    const int32_t x = i % side * 4 - reach, y = i / side * 4 - reach;
    const bool leave_out = (int32_t)pfc_rng_below(&s->rng, (uint32_t)(pairs - i)) < missing;
    missing -= leave_out;
    if (!leave_out) impulse_put(s, p, x, y, IMPULSE_STANDARD);
  }
  impulse_put(s, p, 0, 0, IMPULSE_STANDARD);
}

// A cross whose arms have a gap of three cells between death posts.
PFC_FN void impulse_build_rooms(Impulse* s, const ImpulseParams* p) {
  const int32_t length = p->cells / 2 - 1, gap = (length - 3) / 2 + 1;
  for (int32_t i = 0; i <= length; ++i) {
    if (i >= gap && i < gap + 3) continue;
    const int32_t kind = i == gap - 1 || i == gap + 3 ? IMPULSE_DEATH : IMPULSE_STANDARD;
    impulse_put(s, p, i, 0, kind);
    impulse_put(s, p, 0, i, kind);
  }
}

PFC_FN void impulse_build_bounce(Impulse* s, const ImpulseParams* p) {
  const int32_t corner = p->cells / 2 - 1, arm = p->cells / 8;
  for (int32_t i = 0; i < 4; ++i) {
    impulse_put(s, p, corner - i % 2, corner - i / 2, IMPULSE_DEATH);
    impulse_put(s, p, -corner + i % 2, corner - i / 2, IMPULSE_DEATH);
  }
  for (int32_t i = 0; i <= arm; ++i) {
    impulse_put(s, p, i, 0, IMPULSE_BOUNCY);
    impulse_put(s, p, 0, i, IMPULSE_BOUNCY);
  }
}

PFC_FN void impulse_build_bars(Impulse* s, const ImpulseParams* p) {
  const int32_t length = p->cells / 3, beside = (p->cells + 1) / 4, along_x = (int32_t)pfc_rng_below(&s->rng, 2);
  for (int32_t i = -(length / 2); i <= length / 2; ++i)
    impulse_put(s, p, along_x ? i : beside, along_x ? beside : i, IMPULSE_DEATH);
}

// A square ring of about half the arena's side with a gap of three cells in each side.
PFC_FN void impulse_build_gate(Impulse* s, const ImpulseParams* p) {
  const int32_t beside = (p->cells + 1) / 4;
  for (int32_t i = -beside; i <= beside; ++i) {
    if (i >= -1 && i <= 1) continue;
    impulse_put(s, p, i, beside, IMPULSE_DEATH);
    impulse_put(s, p, beside, i, IMPULSE_DEATH);
  }
}

PFC_FN void impulse_build_scatter(Impulse* s, const ImpulseParams* p) {
  const int32_t n = p->cells;
  for (int32_t cell = 0; cell < n * n / 2; ++cell) {
    if (s->grid[cell] != IMPULSE_FREE) continue;
    const float chance = pfc_rng_float(&s->rng);
    const int32_t kind = chance < 0.06f   ? IMPULSE_DEATH
                         : chance < 0.11f ? IMPULSE_STANDARD
                         : chance < 0.14f ? IMPULSE_BOUNCY
                                          : IMPULSE_FREE;
    s->grid[cell] = s->grid[impulse_opposite(p, cell)] = (uint8_t)kind;
  }
}

PFC_FN bool impulse_open_around(const Impulse* s, const ImpulseParams* p, int32_t cell) {
  const int32_t n = p->cells, x = cell % n, y = cell / n;
  if (x == 0 || y == 0 || x == n - 1 || y == n - 1) return false;
  for (int32_t i = 0; i < 9; ++i)
    if (s->grid[(y + i / 3 - 1) * n + x + i % 3 - 1] != IMPULSE_FREE) return false;
  return true;
}

// A floating wall fits where no wall is near: neither static nor floating nor its own opposite.
PFC_FN bool impulse_float_fits(const Impulse* s, const ImpulseParams* p, int32_t cell) {
  const b2Vec2 at = impulse_centre(p, cell);
  const float apart = 2.0f * IMPULSE_CELL - 0.5f;
  if (!impulse_open_around(s, p, cell) || pfc_maxf(pfc_absf(at.x), pfc_absf(at.y)) < 0.5f * apart) return false;
  for (int32_t i = 0; i < s->floats_end; ++i) {
    const b2Vec2 offset = impulse_sub(s->floats[i].at, at);
    if (s->floats[i].present && pfc_absf(offset.x) < apart && pfc_absf(offset.y) < apart) return false;
  }
  return true;
}

// Adds a pair of floating walls on random opposite cells, if a cell fits.
PFC_FN void impulse_add_float_pair(Impulse* s, const ImpulseParams* p, int32_t kind) {
  int32_t chosen = -1, seen = 0;
  for (int32_t cell = 0; cell < p->cells * p->cells; ++cell) {
    if (!impulse_float_fits(s, p, cell)) continue;
    if (pfc_rng_below(&s->rng, (uint32_t)++seen) == 0) chosen = cell;
  }
  if (chosen < 0) return;
  for (int32_t i = 0; i < 2; ++i) {
    ImpulseFloat* f = &s->floats[s->floats_end++];
    f->present = 1;
    f->kind = kind;
    f->pusher = -1;
    f->at = impulse_centre(p, i == 0 ? chosen : impulse_opposite(p, chosen));
    f->turn.c = 1.0f, f->turn.s = 0.0f;
  }
}

PFC_FN void impulse_place_floats(Impulse* s, const ImpulseParams* p) {
  s->floats_end = 0;
  if (s->kind == IMPULSE_DEBRIS) {
    for (int32_t i = 0; i < 5; ++i)
      impulse_add_float_pair(s, p, i < 3 ? IMPULSE_STANDARD : i == 3 ? IMPULSE_BOUNCY : IMPULSE_DEATH);
  } else if (s->kind == IMPULSE_SCATTER) {
    for (int32_t i = 0; i < 2; ++i)
      impulse_add_float_pair(s, p, IMPULSE_STANDARD + (int32_t)pfc_rng_below(&s->rng, 3));
  }
}

PFC_FN void impulse_build_arena(Impulse* s, const ImpulseParams* p) {
  impulse_build_border(s, p);
  switch (s->kind) {
    case IMPULSE_PILLARS: impulse_build_pillars(s, p); break;
    case IMPULSE_ROOMS: impulse_build_rooms(s, p); break;
    case IMPULSE_BOUNCE: impulse_build_bounce(s, p); break;
    case IMPULSE_BARS: impulse_build_bars(s, p); break;
    case IMPULSE_GATE: impulse_build_gate(s, p); break;
    case IMPULSE_SCATTER: impulse_build_scatter(s, p); break;
    default: break;
  }
  impulse_place_floats(s, p);
}

// Steps from `target` to every free cell along free cells (neighbours east, north, west, south), -1 where there is no
// way; stops at `stop` if that is a cell. Returns how many cells were reached.
PFC_FN int32_t impulse_flood(const Impulse* s, const ImpulseParams* p, int32_t target, int32_t stop, int16_t* steps) {
  const int32_t n = p->cells, offsets[4] = {1, n, -1, -n};
  int16_t queue[IMPULSE_MAX_CELLS * IMPULSE_MAX_CELLS];
  int32_t head = 0, tail = 0;
  memset(steps, 0xff, sizeof *steps * (size_t)(n * n));  // -1
  if (s->grid[target] != IMPULSE_FREE) return 0;
  queue[tail++] = (int16_t)target;
  steps[target] = 0;
  while (head < tail) {
    const int32_t cell = queue[head++];
    if (cell == stop) break;
    for (int32_t i = 0; i < 4; ++i) {  // free cells are never on the border, so a neighbour exists
      const int32_t next = cell + offsets[i];
      if (s->grid[next] != IMPULSE_FREE || steps[next] >= 0) continue;
      steps[next] = (int16_t)(steps[cell] + 1);
      queue[tail++] = (int16_t)next;
    }
  }
  return tail;
}

// Marks the cells where a drone may start: no wall next to it, no death wall near. Returns how many.
PFC_FN int32_t impulse_mark_spawns(const Impulse* s, const ImpulseParams* p, uint8_t* spawns) {
  int32_t count = 0;
  for (int32_t cell = 0; cell < p->cells * p->cells; ++cell) {
    const b2Vec2 at = impulse_centre(p, cell);
    bool fits = impulse_open_around(s, p, cell) &&
                impulse_nearest_wall(s, p, at, IMPULSE_SAFE, IMPULSE_DEATH).distance >= IMPULSE_SAFE;
    for (int32_t i = 0; fits && i < s->floats_end; ++i) {
      const ImpulseFloat* f = &s->floats[i];
      if (!f->present) continue;
      fits = impulse_float_gap(f, at) >= (f->kind == IMPULSE_DEATH ? IMPULSE_SAFE : 0.5f * IMPULSE_CELL);
    }
    spawns[cell] = fits;
    count += fits;
  }
  return count;
}

PFC_FN bool impulse_arena_is_fair(const Impulse* s, const ImpulseParams* p, const uint8_t* spawns, int32_t num_spawns) {
  int16_t steps[IMPULSE_MAX_CELLS * IMPULSE_MAX_CELLS];
  const int32_t n = p->cells, inside = (n - 2) * (n - 2);
  int32_t open = 0, first = -1;
  for (int32_t cell = 0; cell < n * n; ++cell) {
    if (s->grid[cell] != IMPULSE_FREE) continue;
    ++open;
    if (first < 0) first = cell;
  }
  if (2 * open < inside || num_spawns - spawns[n * n / 2] < 2) return false;
  return impulse_flood(s, p, first, -1, steps) == open;
}

PFC_FN void impulse_choose_arena(Impulse* s, const ImpulseParams* p, uint8_t* spawns) {
  s->kind = p->arena >= 0 ? p->arena : (int32_t)pfc_rng_below(&s->rng, IMPULSE_ARENAS);
  for (int32_t attempt = 0; attempt < IMPULSE_ATTEMPTS; ++attempt) {
    impulse_build_arena(s, p);
    const int32_t count = impulse_mark_spawns(s, p, spawns);
    if (impulse_arena_is_fair(s, p, spawns, count)) return;
  }
  s->kind = IMPULSE_PIT;
  impulse_build_arena(s, p);
  (void)impulse_mark_spawns(s, p, spawns);
}

// ---- starts and lives ---------------------------------------------------------------------------------

// From a place to the nearest drone in the arena.
PFC_FN float impulse_room(const Impulse* s, const ImpulseParams* p, b2Vec2 at) {
  float room = PFC_INFINITY;
  for (int32_t i = 0; i < p->drones; ++i)
    if (s->drones[i].present) room = pfc_minf(room, impulse_gap(s->drones[i].at, at));
  return room;
}

// The free cell farthest from death walls that holds neither a drone nor a floating wall; ties go to the lower cell.
PFC_FN int32_t impulse_last_resort(const Impulse* s, const ImpulseParams* p) {
  const float far = IMPULSE_CELL * IMPULSE_MAX_CELLS;
  int32_t best = p->cells * p->cells / 2;
  float best_distance = -1.0f;
  for (int32_t cell = 0; cell < p->cells * p->cells; ++cell) {
    const b2Vec2 at = impulse_centre(p, cell);
    if (s->grid[cell] != IMPULSE_FREE || impulse_room(s, p, at) <= 3.0f * IMPULSE_RADIUS) continue;
    if (impulse_float_within(s, at, IMPULSE_RADIUS) >= 0) continue;
    const float distance = pfc_minf(impulse_nearest_wall(s, p, at, far, IMPULSE_DEATH).distance, far);
    if (distance > best_distance) best = cell, best_distance = distance;
  }
  return best;
}

// A random spawn cell at least 10 m from all drones, or the spawn cell farthest from them, or the last resort.
PFC_FN int32_t impulse_choose_spawn(Impulse* s, const ImpulseParams* p, const uint8_t* spawns) {
  int32_t chosen = -1, seen = 0, farthest = -1;
  float best = 3.0f * IMPULSE_RADIUS;
  for (int32_t cell = 0; cell < p->cells * p->cells; ++cell) {
    if (!spawns[cell]) continue;
    const float room = impulse_room(s, p, impulse_centre(p, cell));
    if (room > best) best = room, farthest = cell;
    if (room >= IMPULSE_APART && pfc_rng_below(&s->rng, (uint32_t)++seen) == 0) chosen = cell;
  }
  if (chosen >= 0) return chosen;
  return farthest >= 0 ? farthest : impulse_last_resort(s, p);
}

// Drone 0 starts where its opposite, drone 1, is at least 10 m away, or else as far away as possible.
PFC_FN int32_t impulse_choose_first_spawn(Impulse* s, const ImpulseParams* p, const uint8_t* spawns) {
  int32_t chosen = -1, seen = 0, farthest = 0;
  float best = -1.0f;
  for (int32_t cell = 0; cell < p->cells * p->cells; ++cell) {
    if (!spawns[cell]) continue;
    const float room = 2.0f * impulse_length(impulse_centre(p, cell));
    if (room > best) best = room, farthest = cell;
    if (room >= IMPULSE_APART && pfc_rng_below(&s->rng, (uint32_t)++seen) == 0) chosen = cell;
  }
  return chosen >= 0 ? chosen : farthest;
}

PFC_FN void impulse_take_weapon(ImpulseDrone* d, int32_t weapon) {
  d->weapon = weapon;
  d->ammo = impulse_weapons[weapon].ammo;
  d->charge = 0;
  d->heat = 0.0f;
  d->ready = 0;
}

// Puts a drone into the arena: at rest, aim towards the middle, standard weapon.
PFC_FN void impulse_enter(Impulse* s, int32_t i, b2Vec2 at, int32_t shield_ticks) {
  ImpulseDrone* d = &s->drones[i];
  const b2Vec2 rest = impulse_vec(0.0f, 0.0f), inwards = impulse_unit(impulse_scale(at, -1.0f));
  d->at = at;
  d->v = d->v_before = rest;
  d->aim = impulse_dot(inwards, inwards) > 0.0f ? inwards : impulse_vec(1.0f, 0.0f);
  impulse_take_weapon(d, IMPULSE_RIFLE);
  d->cooldown = d->pause = d->refill_wait = d->taken = d->wait = 0;
  d->charged = 0.0f;
  d->emptied = d->braking = d->dying = 0;
  d->enemy = -1;
  d->present = 1;
  memset(d->paid, 0, sizeof d->paid);
  for (int32_t k = 0; k < IMPULSE_PAST; ++k) s->past[k][i].at = at, s->past[k][i].v = rest;
  impulse_add_drone_body(s, i);
  impulse_add_shield(s, i, shield_ticks);
}

PFC_FN void impulse_start_drones(Impulse* s, const ImpulseParams* p, const uint8_t* spawns) {
  const int32_t shield = impulse_ticks(1.5f), first = impulse_choose_first_spawn(s, p, spawns);
  for (int32_t i = 0; i < p->drones; ++i) {
    const int32_t cell = i == 0 ? first : i == 1 ? impulse_opposite(p, first) : impulse_choose_spawn(s, p, spawns);
    s->drones[i].energy = 1.0f;
    s->drones[i].lives = p->lives;
    impulse_enter(s, i, impulse_centre(p, cell), shield);
  }
}

PFC_FN void impulse_return(Impulse* s, const ImpulseParams* p, int32_t i) {
  uint8_t spawns[IMPULSE_MAX_CELLS * IMPULSE_MAX_CELLS];
  (void)impulse_mark_spawns(s, p, spawns);
  s->drones[i].energy = pfc_maxf(s->drones[i].energy, 0.5f);
  impulse_enter(s, i, impulse_centre(p, impulse_choose_spawn(s, p, spawns)), impulse_ticks(3.0f));
}

// ---- pickups ------------------------------------------------------------------------------------------

// Draws a kind with weight / (1 + number of that kind lying about).
PFC_FN int32_t impulse_draw_weapon(Impulse* s, const ImpulseParams* p) {
  float weights[IMPULSE_WEAPONS], total = 0.0f;
  for (int32_t w = 0; w < IMPULSE_WEAPONS; ++w) {
    int32_t lying = 0;
    for (int32_t k = 0; k < p->pickups; ++k) lying += s->pickups[k].present && s->pickups[k].weapon == w;
    weights[w] = w > 0 && (p->weapons >> w & 1) ? impulse_weapons[w].weight / (float)(1 + lying) : 0.0f;
    total += weights[w];
  }
  float left = pfc_rng_float(&s->rng) * total;
  int32_t chosen = 0;
  for (int32_t w = 1; w < IMPULSE_WEAPONS; ++w) {
    if (weights[w] <= 0.0f) continue;
    chosen = w;
    if ((left -= weights[w]) < 0.0f) break;
  }
  return chosen;
}

PFC_FN bool impulse_pickup_fits(const Impulse* s, const ImpulseParams* p, int32_t k, int32_t cell) {
  const b2Vec2 at = impulse_centre(p, cell);
  if (s->grid[cell] != IMPULSE_FREE || (s->tick > 0 && impulse_gap(at, s->pickups[k].at) < IMPULSE_CELL)) return false;
  for (int32_t i = 0; i < p->pickups; ++i)
    if (s->pickups[i].present && impulse_square_gap(s->pickups[i].at, at) < IMPULSE_APART * IMPULSE_APART) return false;
  return true;
}

// Places a pickup on a random free cell 10 m from the others; without one it tries again in the next tick.
PFC_FN void impulse_place_pickup(Impulse* s, const ImpulseParams* p, int32_t k) {
  ImpulsePickup* pickup = &s->pickups[k];
  int32_t chosen = -1, seen = 0;
  for (int32_t cell = 0; cell < p->cells * p->cells; ++cell)
    if (impulse_pickup_fits(s, p, k, cell) && pfc_rng_below(&s->rng, (uint32_t)++seen) == 0) chosen = cell;
  pickup->wait = 1;
  if (chosen < 0) return;
  pickup->weapon = impulse_draw_weapon(s, p);
  pickup->at = impulse_centre(p, chosen);
  pickup->present = 1;
}

PFC_FN int32_t impulse_num_pickups(const ImpulseParams* p) { return p->weapons > 1 ? p->pickups : 0; }

PFC_FN void impulse_remove_pickup(Impulse* s, int32_t k) {
  s->pickups[k].present = 0;
  s->pickups[k].wait = impulse_ticks(s->rings > 0 ? 2.0f : 3.0f);
}

// ---- reset --------------------------------------------------------------------------------------------

static b2WorldDef impulse_world(void) {
  b2WorldDef definition = b2DefaultWorldDef();
  definition.gravity = impulse_vec(0.0f, 0.0f);
  definition.enableSleep = false;
  definition.enableContinuous = true;
  definition.restitutionThreshold = 0.0f;  // with the default a slow shot sticks to walls
  return definition;
}

PFC_FN void impulse_build_world(Impulse* s, const ImpulseParams* p) {
  uint8_t todo[IMPULSE_MAX_CELLS * IMPULSE_MAX_CELLS];
  const b2BodyDef body = b2DefaultBodyDef();
  s->walls = b2CreateBody(s->world, &body);
  for (int32_t cell = 0; cell < p->cells * p->cells; ++cell) todo[cell] = s->grid[cell] != IMPULSE_FREE;
  impulse_add_walls(s, p, todo);
  for (int32_t i = 0; i < s->floats_end; i += 2) {
    if (!s->floats[i].present) continue;
    const float angle = pfc_rng_uniform(&s->rng, 0.0f, 0.5f * PFC_PI);  // half a turn changes no square
    impulse_add_float_body(s, i, angle);
    impulse_add_float_body(s, i + 1, angle);
  }
}

PFC_FN void impulse_reset(Impulse* s, const ImpulseParams* p) {
  uint8_t spawns[IMPULSE_MAX_CELLS * IMPULSE_MAX_CELLS];
  const PfcRng rng = s->rng;
  b2WorldId world = s->world;
  const b2WorldDef definition = impulse_world();
  pfc_box2d_renew_world(&definition, &world);
  memset(s, 0, sizeof *s);
  s->rng = rng;
  s->world = world;
  impulse_choose_arena(s, p, spawns);
  impulse_build_world(s, p);
  impulse_start_drones(s, p, spawns);
  for (int32_t k = 0; k < impulse_num_pickups(p); ++k) impulse_place_pickup(s, p, k);
}

static bool impulse_open(void* state, const void* params) {
  (void)params;
  const b2WorldDef definition = impulse_world();
  return pfc_box2d_create_world(&definition, &((Impulse*)state)->world);
}

static void impulse_close(void* state) { pfc_box2d_destroy_world(&((Impulse*)state)->world); }

// ---- hits, rewards and blame --------------------------------------------------------------------------

// An attacker changed a drone's velocity by `mps`.
PFC_FN void impulse_hurt(Impulse* s, const ImpulseParams* p, int32_t attacker, int32_t victim, float mps) {
  ImpulseDrone* d = &s->drones[victim];
  if (!impulse_enemies(p, attacker, victim)) return;
  if (mps >= IMPULSE_BLAME_MPS && (d->enemy < 0 || d->enemy_tick < s->tick || attacker < d->enemy))
    d->enemy = attacker, d->enemy_tick = s->tick;
  const float paid = pfc_clampf(IMPULSE_HIT_LIMIT - d->paid[attacker], 0.0f, mps);
  d->paid[attacker] += paid;
  s->gain[attacker] += p->reward_hit * paid;
  s->gain[victim] += p->reward_taken * paid;
}

PFC_FN void impulse_give_energy(Impulse* s, int32_t i, float energy) {
  ImpulseDrone* d = &s->drones[i];
  if (!d->present) return;
  d->energy = pfc_minf(d->energy + energy, 1.0f);
  if (d->energy >= 1.0f) d->emptied = 0;
}

// Takes energy that is there. Running empty stops the burst and the brake until the energy is full again.
PFC_FN void impulse_spend(Impulse* s, const ImpulseParams* p, int32_t i, float energy) {
  ImpulseDrone* d = &s->drones[i];
  d->energy_used += pfc_minf(energy, d->energy);
  d->energy -= energy;
  if (d->energy > IMPULSE_EMPTY) return;
  d->energy = 0.0f;
  d->refill_wait = impulse_ticks(3.0f);
  if (!d->emptied) s->gain[i] += p->reward_empty;
  d->emptied = 1;
}

PFC_FN void impulse_hit_shield(Impulse* s, const ImpulseParams* p, int32_t attacker, int32_t owner, float damage) {
  ImpulseDrone* d = &s->drones[owner];
  if (!impulse_shielded(d)) return;
  d->shield_health -= damage;
  if (d->shield_health > 0.0f) return;
  d->shield_health = 0.0f;
  if (attacker == owner) return;
  impulse_give_energy(s, attacker, 0.25f);
  impulse_spend(s, p, owner, pfc_minf(0.33f, d->energy));
}

// A floating wall that kills within 3 s counts to its `pusher`.
PFC_FN void impulse_push_float(Impulse* s, ImpulseFloat* f, b2Vec2 push, int32_t pusher) {
  if (push.x == 0.0f && push.y == 0.0f) return;
  impulse_set_velocity(f->body, &f->v, impulse_add(f->v, push, 1.0f / IMPULSE_FLOAT_MASS));
  f->pusher = pusher, f->pusher_tick = s->tick;
}

// ---- blasts -------------------------------------------------------------------------------------------

typedef struct ImpulseCharge {
  b2Vec2 at;
  float radius, strength;  // m; N s per m of silhouette, negative: pulls
  int32_t owner;
  bool spares_owner;
} ImpulseCharge;

// The impulse of a blast on a body whose centre is `at` and whose nearest point is `gap` away; 0 if a wall is between.
PFC_FN b2Vec2 impulse_blast_on(const Impulse* s, const ImpulseParams* p, const ImpulseCharge* blast, b2Vec2 at,
                               float gap, float silhouette) {
  const float part = pfc_maxf(gap, 0.0f) / blast->radius;
  if (part >= 1.0f || !impulse_sees(s, p, blast->at, at)) return impulse_vec(0.0f, 0.0f);
  const b2Vec2 away = impulse_unit(impulse_sub(at, blast->at));
  return impulse_scale(away, blast->strength * (1.0f - part * part * part) * silhouette);
}

PFC_FN void impulse_blast_drone(Impulse* s, const ImpulseParams* p, const ImpulseCharge* blast, int32_t i) {
  ImpulseDrone* d = &s->drones[i];
  if (!d->present || (blast->spares_owner && i == blast->owner)) return;
  const float gap = impulse_gap(d->at, blast->at) - IMPULSE_RADIUS;
  b2Vec2 push = impulse_blast_on(s, p, blast, d->at, gap, 2.0f * IMPULSE_RADIUS);
  const float strength = impulse_length(push);
  if (strength <= 0.0f) return;
  if (impulse_shielded(d)) {
    push = impulse_scale(push, 0.5f);
    impulse_hit_shield(s, p, blast->owner, i, 0.8f * strength);
  }
  const float mps = impulse_length(push) / IMPULSE_MASS;
  impulse_set_velocity(d->body, &d->v, impulse_add(d->v, push, 1.0f / IMPULSE_MASS));
  impulse_hurt(s, p, blast->owner, i, mps);
  if (impulse_enemies(p, blast->owner, i)) impulse_give_energy(s, blast->owner, IMPULSE_BLAST_ENERGY * mps);
}

// Shots are pushed but never slowed. A mine goes off in the same tick.
PFC_FN void impulse_blast_shot(Impulse* s, const ImpulseParams* p, const ImpulseCharge* blast, int32_t i) {
  ImpulseShot* shot = &s->shots[i];
  if (!shot->present || shot->done) return;
  const ImpulseWeapon* w = &impulse_weapons[shot->weapon];
  const float gap = impulse_gap(shot->at, blast->at) - w->radius;
  if (shot->weapon == IMPULSE_MINE) {
    if (gap < blast->radius && impulse_sees(s, p, blast->at, shot->at)) shot->triggered = 1;
    return;
  }
  const b2Vec2 push = impulse_blast_on(s, p, blast, shot->at, gap, 2.0f * w->radius);
  const b2Vec2 changed = impulse_add(shot->v, push, 1.0f / impulse_shot_mass(w));
  const float before = impulse_length(shot->v), after = impulse_length(changed);
  const float scale = after < before && after > 0.0f ? before / after : 1.0f;
  if (push.x != 0.0f || push.y != 0.0f) impulse_set_velocity(shot->body, &shot->v, impulse_scale(changed, scale));
}

PFC_FN void impulse_blast(Impulse* s, const ImpulseParams* p, const ImpulseCharge* blast) {
  for (int32_t i = 0; i < p->drones; ++i) impulse_blast_drone(s, p, blast, i);
  for (int32_t i = 0; i < s->shots_end; ++i) impulse_blast_shot(s, p, blast, i);
  for (int32_t i = 0; i < s->floats_end; ++i) {
    ImpulseFloat* f = &s->floats[i];
    if (!f->present) continue;
    const float gap = impulse_float_gap(f, blast->at);
    impulse_push_float(s, f, impulse_blast_on(s, p, blast, f->at, gap, 2.0f * IMPULSE_FLOAT_HALF), blast->owner);
  }
  ImpulseBlast* shown = &s->blasts[s->num_blasts++ % IMPULSE_BLASTS];
  shown->at = blast->at;
  shown->radius = blast->radius;
  shown->tick = s->tick;
  shown->pulls = blast->strength < 0.0f;
}

// ---- shots --------------------------------------------------------------------------------------------

PFC_FN void impulse_remove_shot(Impulse* s, int32_t i) {
  impulse_destroy(&s->shots[i].body);
  s->shots[i].present = 0;
}

// The lowest free slot, or that of the oldest shot, which is removed without a blast.
PFC_FN int32_t impulse_free_shot(Impulse* s) {
  int32_t slot = 0, oldest = 0;
  for (; slot < IMPULSE_SHOTS && s->shots[slot].present; ++slot)
    if (s->shots[slot].number < s->shots[oldest].number) oldest = slot;
  if (slot == IMPULSE_SHOTS) impulse_remove_shot(s, slot = oldest);
  s->shots_end = pfc_maxi(s->shots_end, slot + 1);
  return slot;
}

// Whether a disc overlaps a wall. *holder: 2 + number of a floating wall, else 1.
PFC_FN bool impulse_blocked(const Impulse* s, const ImpulseParams* p, b2Vec2 at, float radius, int32_t* holder) {
  *holder = 1;
  if (impulse_nearest_wall(s, p, at, radius, IMPULSE_FREE).distance < radius) return true;
  const int32_t f = impulse_float_within(s, at, radius);
  if (f >= 0) *holder = 2 + f;
  return f >= 0;
}

// Makes a shot a mine that sticks to a wall where it is now.
PFC_FN void impulse_stick(Impulse* s, int32_t i, int32_t holder) {
  ImpulseShot* shot = &s->shots[i];
  shot->stuck = holder;
  shot->stuck_ticks = 0;
  shot->v = impulse_vec(0.0f, 0.0f);
  if (holder >= 2) {
    const ImpulseFloat* f = &s->floats[holder - 2];
    shot->held = impulse_turn(impulse_sub(shot->at, f->at_before), f->turn_before.c, -f->turn_before.s);
  }
  impulse_destroy(&shot->body);
  impulse_add_shot_body(s, i);
}

// Fires one shot along `aim`. If a wall is nearer than its place, it ends there.
PFC_FN void impulse_launch(Impulse* s, const ImpulseParams* p, int32_t owner, b2Vec2 aim, float fire) {
  const ImpulseDrone* d = &s->drones[owner];
  const ImpulseWeapon* w = &impulse_weapons[d->weapon];
  const int32_t i = impulse_free_shot(s);
  ImpulseShot* shot = &s->shots[i];
  const b2Vec2 across = impulse_add(d->v, aim, -impulse_dot(d->v, aim));
  float start = (impulse_shielded(d) ? IMPULSE_SHIELD_RADIUS : IMPULSE_RADIUS) + 1.05f * w->radius;
  int32_t holder = 1;
  const ImpulseRay ray = impulse_cast(s, p, d->at, aim, start);
  bool stopped = ray.kind != IMPULSE_FREE;
  start = ray.distance;
  while (impulse_blocked(s, p, impulse_add(d->at, aim, start), w->radius, &holder) && start > 0.0f)
    stopped = true, start = pfc_maxf(start - 0.05f, 0.0f);
  memset(shot, 0, sizeof *shot);
  shot->present = 1;
  shot->owner = owner;
  shot->weapon = d->weapon;
  shot->number = s->fired++;
  shot->at = shot->at_before = impulse_add(d->at, aim, start);
  shot->v = impulse_add(across, aim, fire / impulse_shot_mass(w));
  for (int32_t k = 0; k < IMPULSE_TAIL; ++k) shot->tail[k] = shot->at;
  s->drones[owner].shots += 1;
  if (holder >= 2) {  // the mine's place in its frame is as of now
    ImpulseFloat* f = &s->floats[holder - 2];
    f->at_before = f->at, f->turn_before = f->turn;
  }
  if (stopped && d->weapon == IMPULSE_MINE) impulse_stick(s, i, holder);
  else if (stopped) shot->done = 1;
  else impulse_add_shot_body(s, i);
}

PFC_FN void impulse_fire(Impulse* s, const ImpulseParams* p, int32_t i) {
  ImpulseDrone* d = &s->drones[i];
  const ImpulseWeapon* w = &impulse_weapons[d->weapon];
  for (int32_t k = 0; k < w->shots; ++k) {
    b2Vec2 aim = d->aim;
    float fire = w->fire;
    if (w->turn > 0.0f) {
      const float heat = d->weapon == IMPULSE_MACHINE_GUN ? d->heat : 1.0f;
      aim = impulse_turn_by(aim, w->turn * heat * pfc_rng_uniform(&s->rng, -1.0f, 1.0f));
    }
    if (w->spread > 0.0f) fire += pfc_rng_uniform(&s->rng, -w->spread, w->spread);
    impulse_launch(s, p, i, aim, fire);
  }
  impulse_set_velocity(d->body, &d->v, impulse_add(d->v, d->aim, -w->recoil / IMPULSE_MASS));
  if (d->weapon == IMPULSE_MACHINE_GUN) d->heat = pfc_minf(d->heat + 0.04f, 1.0f);
  d->cooldown = impulse_ticks(w->cooldown_s);
  d->charge = d->ready = 0;
  if (d->ammo > 0 && --d->ammo == 0) impulse_take_weapon(d, IMPULSE_RIFLE);
}

// ---- what drones do, in index order -------------------------------------------------------------------

PFC_FN void impulse_remove_shield(Impulse* s, int32_t i) {
  impulse_destroy(&s->drones[i].shield);
  s->drones[i].shield_ticks = 0;
  s->drones[i].shield_health = 0.0f;
}

PFC_FN void impulse_run_timers(Impulse* s, int32_t i) {
  ImpulseDrone* d = &s->drones[i];
  d->cooldown -= d->cooldown > 0;
  d->pause -= d->pause > 0;
  d->heat = pfc_maxf(d->heat - 0.5f * IMPULSE_TICK_S, 0.0f);
  if (d->shield_ticks > 0 && (--d->shield_ticks == 0 || d->shield_health <= 0.0f)) impulse_remove_shield(s, i);
  if (d->charged > 0.0f) return;
  if (d->refill_wait > 0) d->refill_wait -= 1;
  else impulse_give_energy(s, i, IMPULSE_REFILL);
}

PFC_FN void impulse_aim(Impulse* s, const ImpulseParams* p, int32_t i) {
  ImpulseDrone* d = &s->drones[i];
  const ImpulseIntent* intent = &s->intents[i];
  if (intent->relative > 0) {
    const int32_t enemy = impulse_nearest_enemy(s, p, i);
    const b2Vec2 towards = enemy < 0 ? intent->aim : impulse_unit(impulse_sub(s->drones[enemy].at, d->at));
    const float* deviation = impulse_deviations[intent->relative - 1];
    if (impulse_dot(towards, towards) > 0.0f) d->aim = impulse_turn(towards, deviation[0], deviation[1]);
  } else if (impulse_dot(intent->aim, intent->aim) > 0.0f) {
    d->aim = intent->aim;
  }
}

PFC_FN void impulse_use_weapon(Impulse* s, const ImpulseParams* p, int32_t i) {
  ImpulseDrone* d = &s->drones[i];
  const int32_t full = impulse_ticks(impulse_weapons[d->weapon].charge_s), fire = s->intents[i].fire;
  if (full == 0) {
    d->ready += d->cooldown == 0;
    if (fire && d->cooldown == 0) impulse_fire(s, p, i);
    return;
  }
  d->ready += d->cooldown == 0 && d->charge == full;
  if (fire) d->charge += d->charge < full;
  else if (d->charge == full && d->cooldown == 0) impulse_fire(s, p, i);
  else d->charge -= d->charge > 0;
}

PFC_FN float impulse_burst_radius(float charged) { return 3.5f + 5.0f * charged; }
PFC_FN float impulse_burst_strength(float charged) { return 35.0f + 140.0f * charged; }

// m/s that a burst off a wall gives its owner.
PFC_FN float impulse_burst_kick(float charged) {
  const float octaves = pfc_logf(2.0f * impulse_burst_strength(charged)) * 1.44269504f;
  return (5.0f + 25.0f * charged) * octaves / IMPULSE_MASS;
}

PFC_FN void impulse_set_off_burst(Impulse* s, const ImpulseParams* p, int32_t i) {
  ImpulseDrone* d = &s->drones[i];
  const float charged = d->charged;
  const ImpulseCharge blast = {d->at, impulse_burst_radius(charged), impulse_burst_strength(charged), i, true};
  impulse_blast(s, p, &blast);
  const ImpulseNear wall = impulse_nearest_wall(s, p, d->at, blast.radius, IMPULSE_FREE);
  const b2Vec2 away = impulse_unit(impulse_sub(d->at, wall.point));
  if (wall.distance <= blast.radius)
    impulse_set_velocity(d->body, &d->v, impulse_add(d->v, away, impulse_burst_kick(charged)));
  d->charged = 0.0f;
  d->pause = impulse_ticks(0.5f);
  if (!d->emptied) d->refill_wait = impulse_ticks(1.0f);
}

PFC_FN void impulse_use_burst(Impulse* s, const ImpulseParams* p, int32_t i) {
  ImpulseDrone* d = &s->drones[i];
  const bool held = s->intents[i].burst != 0;
  if (d->charged == 0.0f) {
    if (!held || d->pause > 0 || d->emptied || impulse_shielded(d) || d->energy < IMPULSE_BURST_START - IMPULSE_EMPTY)
      return;
    d->charged = IMPULSE_BURST_START;
    impulse_spend(s, p, i, IMPULSE_BURST_START);
  } else if (held) {
    const float moved = pfc_minf(IMPULSE_BURST_COST, d->energy);
    d->charged += moved;
    impulse_spend(s, p, i, moved);
  }
  if (!held || d->emptied) impulse_set_off_burst(s, p, i);
}

PFC_FN void impulse_use_brake(Impulse* s, const ImpulseParams* p, int32_t i) {
  ImpulseDrone* d = &s->drones[i];
  const bool brakes = s->intents[i].brake && !d->emptied && !impulse_shielded(d);
  if (brakes != (d->braking != 0)) b2Body_SetLinearDamping(d->body, brakes ? IMPULSE_BRAKING : IMPULSE_DAMPING);
  d->braking = brakes;
  if (!brakes) return;
  d->refill_wait = impulse_ticks(1.0f);
  impulse_spend(s, p, i, IMPULSE_BRAKE_COST);
}

PFC_FN void impulse_use_engine(Impulse* s, int32_t i) {
  ImpulseDrone* d = &s->drones[i];
  const b2Vec2 move = s->intents[i].move;
  const float power = d->emptied && d->refill_wait > 0 ? 0.5f * IMPULSE_ENGINE : IMPULSE_ENGINE;
  if (move.x != 0.0f || move.y != 0.0f) b2Body_ApplyForceToCenter(d->body, impulse_scale(move, power), true);
}

PFC_FN void impulse_act(Impulse* s, const ImpulseParams* p, int32_t i) {
  ImpulseDrone* d = &s->drones[i];
  if (d->wait > 0 && --d->wait == 0) {
    impulse_return(s, p, i);
    return;  // it acts from the next tick on
  }
  if (!d->present) return;
  impulse_run_timers(s, i);
  impulse_aim(s, p, i);
  impulse_use_weapon(s, p, i);
  impulse_use_burst(s, p, i);
  impulse_use_brake(s, p, i);
  impulse_use_engine(s, i);
}

// ---- physics ------------------------------------------------------------------------------------------

PFC_FN b2Vec2 impulse_pull_on(const ImpulseShot* hole, b2Vec2 at, float gap, float silhouette) {
  const ImpulseWeapon* w = &impulse_weapons[IMPULSE_BLACK_HOLE];
  const float part = 1.0f - pfc_maxf(gap, 0.0f) / w->blast_radius;
  if (part <= 0.0f) return impulse_vec(0.0f, 0.0f);
  const b2Vec2 away = impulse_unit(impulse_sub(at, hole->at));
  return impulse_scale(away, w->blast * part * silhouette * IMPULSE_TICK_S);
}

PFC_FN void impulse_pull_drones(Impulse* s, const ImpulseParams* p, const ImpulseShot* hole) {
  for (int32_t i = 0; i < p->drones; ++i) {
    ImpulseDrone* d = &s->drones[i];
    if (!d->present || (i == hole->owner && !hole->far)) continue;
    const float gap = impulse_gap(d->at, hole->at) - IMPULSE_RADIUS;
    const b2Vec2 pull = impulse_pull_on(hole, d->at, gap, 2.0f * IMPULSE_RADIUS);
    const float mps = impulse_length(pull) / IMPULSE_MASS;
    if (mps <= 0.0f) continue;
    impulse_set_velocity(d->body, &d->v, impulse_add(d->v, pull, 1.0f / IMPULSE_MASS));
    impulse_hurt(s, p, hole->owner, i, mps);
  }
}

// One black hole's pull for one tick.
PFC_FN void impulse_pull(Impulse* s, const ImpulseParams* p, int32_t number) {
  ImpulseShot* hole = &s->shots[number];
  const ImpulseDrone* owner = &s->drones[hole->owner];
  if (!owner->present || impulse_gap(owner->at, hole->at) >= IMPULSE_HOLE_OWNER) hole->far = 1;
  impulse_pull_drones(s, p, hole);
  for (int32_t i = 0; i < s->shots_end; ++i) {
    ImpulseShot* shot = &s->shots[i];
    const ImpulseWeapon* w = &impulse_weapons[shot->weapon];
    if (!shot->present || i == number || shot->done || shot->stuck) continue;
    const b2Vec2 pull = impulse_pull_on(hole, shot->at, impulse_gap(shot->at, hole->at) - w->radius, 2.0f * w->radius);
    if (pull.x != 0.0f || pull.y != 0.0f)
      impulse_set_velocity(shot->body, &shot->v, impulse_add(shot->v, pull, 1.0f / impulse_shot_mass(w)));
  }
  for (int32_t i = 0; i < s->floats_end; ++i) {
    ImpulseFloat* f = &s->floats[i];
    if (!f->present) continue;
    const float gap = impulse_float_gap(f, hole->at);
    impulse_push_float(s, f, impulse_pull_on(hole, f->at, gap, 2.0f * IMPULSE_FLOAT_HALF), hole->owner);
  }
}

// Brings what follows other bodies into place, and notes momenta before the step.
PFC_FN void impulse_prepare(Impulse* s, const ImpulseParams* p) {
  for (int32_t i = 0; i < p->drones; ++i) {
    ImpulseDrone* d = &s->drones[i];
    d->v_before = d->v;
    if (B2_IS_NULL(d->shield)) continue;
    b2Body_SetTransform(d->shield, d->at, b2Rot_identity);
    b2Body_SetLinearVelocity(d->shield, d->v);
  }
  for (int32_t i = 0; i < s->shots_end; ++i) {
    ImpulseShot* shot = &s->shots[i];
    if (!shot->present) continue;
    shot->at_before = shot->at;
    shot->v_before = shot->v;
    if (shot->stuck >= 2) {
      const ImpulseFloat* f = &s->floats[shot->stuck - 2];
      shot->at = impulse_add(f->at, impulse_turn(shot->held, f->turn.c, f->turn.s), 1.0f);
      b2Body_SetTransform(shot->body, shot->at, b2Rot_identity);
    } else if (!shot->stuck && !shot->done) {
      const uint8_t fast = impulse_length(shot->v) > IMPULSE_BULLET_SPEED;
      if (fast != shot->bullet) b2Body_SetBullet(shot->body, fast != 0);
      shot->bullet = fast;
    }
  }
  for (int32_t i = 0; i < s->floats_end; ++i)
    s->floats[i].at_before = s->floats[i].at, s->floats[i].turn_before = s->floats[i].turn;
}

PFC_FN void impulse_read_bodies(Impulse* s, const ImpulseParams* p) {
  for (int32_t i = 0; i < p->drones; ++i) {
    ImpulseDrone* d = &s->drones[i];
    if (!d->present) continue;
    d->at = b2Body_GetPosition(d->body);
    d->v = b2Body_GetLinearVelocity(d->body);
  }
  for (int32_t i = 0; i < s->shots_end; ++i) {
    ImpulseShot* shot = &s->shots[i];
    if (!shot->present || shot->done || shot->stuck) continue;
    shot->tail[s->tick % IMPULSE_TAIL] = shot->at;
    shot->at = b2Body_GetPosition(shot->body);
    shot->v = b2Body_GetLinearVelocity(shot->body);
    shot->path += impulse_gap(shot->at, shot->at_before);
  }
  for (int32_t i = 0; i < s->floats_end; ++i) {
    ImpulseFloat* f = &s->floats[i];
    if (!f->present) continue;
    f->at = b2Body_GetPosition(f->body);
    f->v = b2Body_GetLinearVelocity(f->body);
    f->turn = b2Body_GetRotation(f->body);
  }
}

// ---- contacts -----------------------------------------------------------------------------------------

enum { IMPULSE_MAX_CONTACTS = 512 };  // begun in one tick; there are never half as many

// Contacts begun in this tick as lower slot << 16 | higher slot, in ascending order, each pair once.
PFC_FN int32_t impulse_list_contacts(const Impulse* s, uint32_t* keys) {
  const b2ContactEvents events = b2World_GetContactEvents(s->world);
  int32_t count = 0;
  for (int32_t e = 0; e < events.beginCount && count < IMPULSE_MAX_CONTACTS; ++e) {
    const uint32_t a = (uint32_t)(uintptr_t)b2Shape_GetUserData(events.beginEvents[e].shapeIdA);
    const uint32_t b = (uint32_t)(uintptr_t)b2Shape_GetUserData(events.beginEvents[e].shapeIdB);
    const uint32_t key = a < b ? a << 16 | b : b << 16 | a;
    int32_t i = count;
    while (i > 0 && keys[i - 1] > key) --i;
    if (i > 0 && keys[i - 1] == key) continue;
    memmove(keys + i + 1, keys + i, sizeof *keys * (size_t)(count - i));
    keys[i] = key;
    ++count;
  }
  return count;
}

// Counts a contact of a shot; the accelerator speeds up.
PFC_FN void impulse_bounce(Impulse* s, int32_t i, bool counts) {
  ImpulseShot* shot = &s->shots[i];
  const int32_t most = impulse_weapons[shot->weapon].bounces;
  if (counts && most >= 0 && ++shot->bounced > most) shot->done = 1;
  if (shot->weapon != IMPULSE_ACCELERATOR || shot->done) return;
  const float speed = impulse_length(shot->v), faster = pfc_minf(speed * IMPULSE_SPEED_UP, IMPULSE_MAX_SHOT_SPEED);
  if (faster > speed) impulse_set_velocity(shot->body, &shot->v, impulse_scale(shot->v, faster / speed));
}

PFC_FN void impulse_shot_hits_drone(Impulse* s, const ImpulseParams* p, int32_t i, int32_t victim) {
  ImpulseShot* shot = &s->shots[i];
  const ImpulseWeapon* w = &impulse_weapons[shot->weapon];
  const float mass = impulse_shot_mass(w), push = mass * impulse_gap(shot->v, shot->v_before) / IMPULSE_MASS;
  if (impulse_enemies(p, shot->owner, victim) && !shot->stuck) {
    impulse_hurt(s, p, shot->owner, victim, push);
    impulse_give_energy(s, shot->owner, IMPULSE_HIT_ENERGY * w->energy * mass * impulse_length(shot->v_before));
    if (!shot->scored) s->drones[shot->owner].hits += 1;
    shot->scored = 1;
  }
  if (!shot->stuck) impulse_bounce(s, i, true);
}

// Two drones collide. Only a death's cause takes notice.
PFC_FN void impulse_ram(Impulse* s, const ImpulseParams* p, int32_t a, int32_t b) {
  for (int32_t k = 0; k < 2; ++k) {
    ImpulseDrone* d = &s->drones[k == 0 ? a : b];
    const int32_t other = k == 0 ? b : a;
    if (!impulse_enemies(p, a, b) || impulse_gap(d->v, d->v_before) < IMPULSE_BLAME_MPS) continue;
    if (d->enemy < 0 || d->enemy_tick < s->tick || other < d->enemy) d->enemy = other, d->enemy_tick = s->tick;
  }
}

// A death wall kills. If an enemy has pushed that wall, the death counts to it.
PFC_FN void impulse_touch_death(Impulse* s, const ImpulseParams* p, int32_t i, const ImpulseFloat* f) {
  ImpulseDrone* d = &s->drones[i];
  d->dying = 1;
  if (!f || f->pusher < 0 || s->tick - f->pusher_tick > IMPULSE_BLAME_TICKS) return;
  if (impulse_enemies(p, f->pusher, i)) d->enemy = f->pusher, d->enemy_tick = s->tick;
}

// holder: 1 a static wall, 2 + i floating wall i.
PFC_FN void impulse_shot_hits_wall(Impulse* s, int32_t i, int32_t kind, int32_t holder) {
  ImpulseShot* shot = &s->shots[i];
  if (shot->stuck) return;
  if (holder >= 2) s->floats[holder - 2].pusher = shot->owner, s->floats[holder - 2].pusher_tick = s->tick;
  if (shot->weapon == IMPULSE_MINE) {
    shot->at = shot->at_before;  // where the contact was found, before it bounced
    impulse_stick(s, i, holder);
  } else {
    impulse_bounce(s, i, kind != IMPULSE_BOUNCY);
  }
}

PFC_FN void impulse_contact_of_drone(Impulse* s, const ImpulseParams* p, int32_t i, int32_t other) {
  const int32_t f = other - IMPULSE_FLOAT_SLOT, shot = other - IMPULSE_SHOT_SLOT;
  if (other == IMPULSE_WALL_SLOT + IMPULSE_DEATH) impulse_touch_death(s, p, i, NULL);
  else if (other >= IMPULSE_WALL_SLOT) return;
  else if (f >= 0 && s->floats[f].kind == IMPULSE_DEATH) impulse_touch_death(s, p, i, &s->floats[f]);
  else if (f >= 0) return;
  else if (shot >= 0) impulse_shot_hits_drone(s, p, shot, i);
  else if (other < IMPULSE_SHIELD_SLOT) impulse_ram(s, p, i, other);
}

PFC_FN void impulse_contact_of_shot(Impulse* s, int32_t i, int32_t other) {
  const int32_t f = other - IMPULSE_FLOAT_SLOT, shot = other - IMPULSE_SHOT_SLOT;
  if (other >= IMPULSE_WALL_SLOT) {
    impulse_shot_hits_wall(s, i, other - IMPULSE_WALL_SLOT, 1);
  } else if (f >= 0) {
    impulse_shot_hits_wall(s, i, s->floats[f].kind, 2 + f);
  } else {  // two shots
    if (s->shots[i].weapon == IMPULSE_MINE) s->shots[i].triggered = 1;
    if (s->shots[shot].weapon == IMPULSE_MINE) s->shots[shot].triggered = 1;
  }
}

PFC_FN void impulse_handle_contacts(Impulse* s, const ImpulseParams* p) {
  uint32_t keys[IMPULSE_MAX_CONTACTS + 1];
  const int32_t count = impulse_list_contacts(s, keys);
  for (int32_t k = 0; k < count; ++k) {
    const int32_t low = (int32_t)(keys[k] >> 16), high = (int32_t)(keys[k] & 0xffff);
    if (low < IMPULSE_SHIELD_SLOT) {
      impulse_contact_of_drone(s, p, low, high);
    } else if (low < IMPULSE_SHOT_SLOT) {  // other drones just bounce off a shield
      ImpulseShot* shot = &s->shots[high - IMPULSE_SHOT_SLOT];
      const float momentum = impulse_shot_mass(&impulse_weapons[shot->weapon]) * impulse_length(shot->v_before);
      impulse_hit_shield(s, p, shot->owner, low - IMPULSE_SHIELD_SLOT, 0.5f * momentum);
      impulse_bounce(s, high - IMPULSE_SHOT_SLOT, false);
    } else {
      impulse_contact_of_shot(s, low - IMPULSE_SHOT_SLOT, high);
    }
  }
}

// ---- the end of shots ---------------------------------------------------------------------------------

PFC_FN bool impulse_enemy_within(const Impulse* s, const ImpulseParams* p, const ImpulseShot* shot, float reach) {
  for (int32_t i = 0; i < p->drones; ++i) {
    const ImpulseDrone* d = &s->drones[i];
    if (!d->present || !impulse_enemies(p, shot->owner, i)) continue;
    if (impulse_gap(d->at, shot->at) - IMPULSE_RADIUS > reach) continue;
    if (shot->weapon != IMPULSE_MINE || impulse_sees(s, p, shot->at, d->at)) return true;
  }
  return false;
}

// Ages a shot and decides whether it ends now.
PFC_FN void impulse_age_shot(Impulse* s, const ImpulseParams* p, ImpulseShot* shot) {
  const ImpulseWeapon* w = &impulse_weapons[shot->weapon];
  const bool mine = shot->weapon == IMPULSE_MINE;
  const float half = impulse_half_side(p);
  shot->age += 1;
  shot->stuck_ticks += shot->stuck != 0;
  if (shot->done) return;
  if (w->range > 0.0f && shot->path >= w->range) shot->done = 1;
  if (shot->age >= impulse_ticks(mine ? IMPULSE_MINE_LIFE_S : IMPULSE_LIFE_S)) shot->done = 1;
  if (pfc_maxf(pfc_absf(shot->at.x), pfc_absf(shot->at.y)) > half) shot->done = 1;
  if (shot->weapon == IMPULSE_FLAK && shot->path >= IMPULSE_FLAK_ARMED &&
      impulse_enemy_within(s, p, shot, IMPULSE_FLAK_NEAR))
    shot->triggered = 1;
  if (mine && shot->stuck_ticks > impulse_ticks(IMPULSE_MINE_ARMED_S) &&
      impulse_enemy_within(s, p, shot, IMPULSE_MINE_NEAR))
    shot->triggered = 1;
}

// A shot that bounces in this tick has already left the wall; its blast is where the contact was found.
PFC_FN void impulse_explode(Impulse* s, const ImpulseParams* p, ImpulseShot* shot) {
  const ImpulseWeapon* w = &impulse_weapons[shot->weapon];
  const bool bounced = w->bounces >= 0 && shot->bounced > w->bounces;
  const ImpulseCharge blast = {bounced ? shot->at_before : shot->at, w->blast_radius, w->blast, shot->owner, false};
  shot->done = 1;
  shot->triggered = 2;  // has gone off
  impulse_blast(s, p, &blast);
}

// Blasts in slot order; mines that a blast reaches follow, the lowest slot first.
PFC_FN void impulse_end_shots(Impulse* s, const ImpulseParams* p) {
  for (int32_t i = 0; i < s->shots_end; ++i)
    if (s->shots[i].present) impulse_age_shot(s, p, &s->shots[i]);
  for (int32_t i = 0; i < s->shots_end; ++i) {
    ImpulseShot* shot = &s->shots[i];
    if (!shot->present || shot->triggered == 2 || !(shot->done || shot->triggered) || !impulse_explodes(shot->weapon))
      continue;
    impulse_explode(s, p, shot);
    i = -1;  // it may have set off a mine in a lower slot
  }
  for (int32_t i = 0; i < s->shots_end; ++i)
    if (s->shots[i].present && s->shots[i].done) impulse_remove_shot(s, i);
  while (s->shots_end > 0 && !s->shots[s->shots_end - 1].present) --s->shots_end;
}

// ---- pickups, deaths and the end ----------------------------------------------------------------------

PFC_FN bool impulse_touches_pickup(const ImpulsePickup* pickup, b2Vec2 at) {
  const float x = pfc_maxf(pfc_absf(at.x - pickup->at.x) - IMPULSE_PICKUP_HALF, 0.0f);
  const float y = pfc_maxf(pfc_absf(at.y - pickup->at.y) - IMPULSE_PICKUP_HALF, 0.0f);
  return x * x + y * y <= IMPULSE_RADIUS * IMPULSE_RADIUS;
}

PFC_FN void impulse_take_pickup(Impulse* s, const ImpulseParams* p, int32_t k) {
  const ImpulsePickup* pickup = &s->pickups[k];
  int32_t taker = -1;
  float nearest = PFC_INFINITY;
  for (int32_t i = 0; i < p->drones; ++i) {
    const ImpulseDrone* d = &s->drones[i];
    const float gap = impulse_gap(d->at, pickup->at);
    if (d->present && impulse_touches_pickup(pickup, d->at) && gap < nearest) nearest = gap, taker = i;
  }
  if (taker < 0) return;
  ImpulseDrone* d = &s->drones[taker];
  if (d->weapon == IMPULSE_RIFLE && d->taken < IMPULSE_PAID_PICKUPS) s->gain[taker] += p->reward_pickup;
  d->taken += 1;
  d->pickups += 1;
  impulse_take_weapon(d, pickup->weapon);
  impulse_remove_pickup(s, k);
}

PFC_FN void impulse_run_pickups(Impulse* s, const ImpulseParams* p) {
  for (int32_t k = 0; k < impulse_num_pickups(p); ++k) {
    if (s->pickups[k].present) impulse_take_pickup(s, p, k);
    else if (--s->pickups[k].wait <= 0) impulse_place_pickup(s, p, k);
  }
}

// Deaths that no contact has reported: at rest beside a death wall, or outside.
PFC_FN void impulse_find_deaths(Impulse* s, const ImpulseParams* p) {
  const float half = impulse_half_side(p), reach = IMPULSE_RADIUS + IMPULSE_TOUCH;
  for (int32_t i = 0; i < p->drones; ++i) {
    ImpulseDrone* d = &s->drones[i];
    if (!d->present || d->dying) continue;
    if (pfc_maxf(pfc_absf(d->at.x), pfc_absf(d->at.y)) > half) d->dying = 1;
    if (impulse_nearest_wall(s, p, d->at, reach, IMPULSE_DEATH).distance <= reach) d->dying = 1;
    for (int32_t k = 0; k < s->floats_end; ++k) {
      const ImpulseFloat* f = &s->floats[k];
      if (!f->present || f->kind != IMPULSE_DEATH) continue;
      if (impulse_float_gap(f, d->at) <= reach) impulse_touch_death(s, p, i, f);
    }
  }
}

PFC_FN int32_t impulse_most_rings(const ImpulseParams* p) { return (p->cells - 2 - IMPULSE_LAST_SQUARE) / 2; }

// Ticks until the next ring closes; -1: never.
PFC_FN int32_t impulse_next_ring(const Impulse* s, const ImpulseParams* p) {
  if (p->sudden_death <= 0.0f || s->rings >= impulse_most_rings(p)) return -1;
  return impulse_ticks(p->sudden_death) + IMPULSE_RING_TICKS * s->rings - s->tick;
}

PFC_FN bool impulse_in_ring(const ImpulseParams* p, int32_t cell, int32_t ring) {
  const int32_t n = p->cells, x = cell % n, y = cell / n;
  return pfc_mini(pfc_mini(x, y), pfc_mini(n - 1 - x, n - 1 - y)) == ring;
}

// Whether a marked cell contains the middle of a disc, or the end of one of its radii along the axes.
PFC_FN bool impulse_in_marked(const ImpulseParams* p, const uint8_t* marked, b2Vec2 at, float radius) {
  for (int32_t i = 0; i < 16; i += 4)
    if (marked[impulse_cell_at(p, impulse_add(at, impulse_direction(i), radius))]) return true;
  return marked[impulse_cell_at(p, at)] != 0;
}

// Mines that stick to it vanish too.
PFC_FN void impulse_remove_float(Impulse* s, int32_t i) {
  for (int32_t k = 0; k < s->shots_end; ++k)
    if (s->shots[k].present && s->shots[k].stuck == 2 + i) impulse_remove_shot(s, k);
  impulse_destroy(&s->floats[i].body);
  s->floats[i].present = 0;
}

// Closes the outermost ring: its free cells turn into death walls.
PFC_FN void impulse_close_ring(Impulse* s, const ImpulseParams* p) {
  uint8_t todo[IMPULSE_MAX_CELLS * IMPULSE_MAX_CELLS] = {0};
  s->rings += 1;
  for (int32_t cell = 0; cell < p->cells * p->cells; ++cell) {
    if (!impulse_in_ring(p, cell, s->rings) || s->grid[cell] != IMPULSE_FREE) continue;
    s->grid[cell] = IMPULSE_DEATH;
    todo[cell] = 1;
  }
  for (int32_t i = 0; i < s->shots_end; ++i)
    if (s->shots[i].present && impulse_in_marked(p, todo, s->shots[i].at, impulse_weapons[s->shots[i].weapon].radius))
      impulse_remove_shot(s, i);
  for (int32_t k = 0; k < impulse_num_pickups(p); ++k)
    if (s->pickups[k].present && impulse_in_marked(p, todo, s->pickups[k].at, 0.0f)) impulse_remove_pickup(s, k);
  for (int32_t i = 0; i < s->floats_end; ++i)
    if (s->floats[i].present && impulse_in_marked(p, todo, s->floats[i].at, IMPULSE_FLOAT_HALF))
      impulse_remove_float(s, i);
  impulse_add_walls(s, p, todo);
  impulse_find_deaths(s, p);
}

PFC_FN void impulse_die(Impulse* s, const ImpulseParams* p, int32_t i) {
  ImpulseDrone* d = &s->drones[i];
  const bool blamed = d->enemy >= 0 && s->tick - d->enemy_tick <= IMPULSE_BLAME_TICKS;
  s->gain[i] += p->reward_death;
  if (blamed) {
    s->gain[d->enemy] += p->reward_kill;
    s->drones[d->enemy].kills += 1;
  } else {
    s->gain[i] += p->reward_self_kill;
    d->self_kills += 1;
  }
  impulse_destroy(&d->body);
  impulse_remove_shield(s, i);
  d->v = impulse_vec(0.0f, 0.0f);
  d->charged = 0.0f;
  d->present = d->dying = d->braking = 0;
  d->lives -= 1;
  d->wait = d->lives > 0 ? IMPULSE_SPAWN_TICKS : 0;
}

// Teams with lives left, as bits.
PFC_FN int32_t impulse_teams_in(const Impulse* s, const ImpulseParams* p) {
  int32_t in = 0;
  for (int32_t i = 0; i < p->drones; ++i)
    if (s->drones[i].lives > 0) in |= 1 << impulse_team(p, i);
  return in;
}

// Pays wins and losses. Returns whether the fight is over.
PFC_FN bool impulse_judge(Impulse* s, const ImpulseParams* p) {
  const int32_t in = impulse_teams_in(s, p);
  bool agents_left = false;
  for (int32_t i = 0; i < p->learners; ++i) agents_left = agents_left || s->drones[i].lives > 0;
  const bool last = (in & (in - 1)) == 0, over = last || !agents_left;
  for (int32_t i = 0; i < p->drones; ++i) {
    const int32_t team = 1 << impulse_team(p, i);
    const bool lost_before = (s->out & team) != 0, survives = (in & team) != 0;
    if (last && survives) s->gain[i] += p->reward_win, s->drones[i].won = 1;
    else if (!lost_before && in != 0 && (!survives || over)) s->gain[i] += p->reward_loss;
  }
  for (int32_t team = 0; team < p->drones; ++team)
    if (!(in >> team & 1)) s->out |= 1 << team;
  s->draw = in == 0;
  return over;
}

// ---- bots ---------------------------------------------------------------------------------------------
//
// A bot decides once per step. It reads the state and draws from the generator it is given.

typedef struct ImpulseSkill {
  int32_t delay;  // ticks, below IMPULSE_PAST
  float error;    // rad, standard deviation of the aim
  bool leads, careful, clever;
} ImpulseSkill;

PFC_TABLE ImpulseSkill impulse_skills[4] = {
    {0, 0.0f, false, false, false},
    {15, 0.34906585f, false, false, false},
    {6, 0.10471976f, true, true, false},
    {0, 0.02617994f, true, true, true},
};

#define IMPULSE_FLEE 4.0f        // m to a death wall
#define IMPULSE_MARGIN 5.0f      // m that its recoil must leave a careful bot, or else the enemy's next hit kills it
#define IMPULSE_FORESIGHT_S 0.5f  // a death wall that would be reached within this time makes it brake
#define IMPULSE_CRUISE 9.0f      // m/s, about the engine's top speed
#define IMPULSE_CLOSE 4.0f       // m to an enemy that is worth a burst
#define IMPULSE_DODGE_S 0.6f
#define IMPULSE_DODGE 2.5f       // m
#define IMPULSE_OWN_BLAST 20.0f  // m/s that a careful bot risks from its own blast
#define IMPULSE_FAST 12.0f       // m/s above which it brakes
#define IMPULSE_CENTRAL 8.0f     // m from the middle; the enemy is then between a careful bot and the walls
#define IMPULSE_RING_S 3.0f      // before a ring closes, bots leave it
#define IMPULSE_PATIENCE_S 2.0f  // wait for a death wall behind the enemy

typedef struct ImpulseBot {
  const Impulse* s;
  const ImpulseParams* p;
  const ImpulseDrone* d;
  const ImpulseSkill* skill;
  int32_t self, enemy;  // enemy -1: none
  b2Vec2 seen, seen_v;  // the enemy, as it was `delay` ticks ago
  bool in_danger;       // near a death wall or on the way to one
  PfcRng* rng;
} ImpulseBot;

// Distance that a drone still flies from this speed with the engine against it: the solution of
// v' = -damping v - power.
PFC_FN float impulse_stopping(float speed, float damping) {
  const float power = IMPULSE_ENGINE / (IMPULSE_MASS * damping);
  return (speed - power * pfc_logf(1.0f + speed / power)) / damping;
}

PFC_FN float impulse_normal(PfcRng* rng) {
  const float radius = pfc_sqrtf(-2.0f * pfc_logf(1.0f - pfc_rng_float(rng)));
  return radius * pfc_cosf(2.0f * PFC_PI * pfc_rng_float(rng));
}

// m at which the weapon is best; 0: any distance.
PFC_FN float impulse_best_range(int32_t weapon) {
  if (weapon == IMPULSE_RIFLE || weapon == IMPULSE_SHOTGUN) return 15.0f;
  return weapon == IMPULSE_MACHINE_GUN || weapon == IMPULSE_IMPLODER || weapon == IMPULSE_FLAK ? 30.0f : 0.0f;
}

// Whether a drone that flies at `v` would meet a death wall within `reach` m.
PFC_FN bool impulse_flies_into_death(const ImpulseBot* bot, b2Vec2 from, b2Vec2 v, float reach) {
  const b2Vec2 along = impulse_unit(v);
  const ImpulseRay ray = impulse_sweep(bot->s, bot->p, from, along, reach + IMPULSE_RADIUS, IMPULSE_RADIUS);
  if (ray.kind == IMPULSE_DEATH) return true;
  return impulse_float_ahead(bot->s, from, along, ray.distance + IMPULSE_FLOAT_HALF, IMPULSE_RADIUS, true);
}

// Away from all death walls nearer than 4 m, longer the nearer they are.
PFC_FN b2Vec2 impulse_flight(const ImpulseBot* bot) {
  const Impulse* s = bot->s;
  const ImpulseParams* p = bot->p;
  const b2Vec2 at = bot->d->at;
  const int32_t x = impulse_column(p, at.x), y = impulse_column(p, at.y);
  b2Vec2 away = impulse_vec(0.0f, 0.0f);
  for (int32_t i = 0; i < 25; ++i) {
    const int32_t cx = x + i % 5 - 2, cy = y + i / 5 - 2;
    if (cx < 0 || cy < 0 || cx >= p->cells || cy >= p->cells || s->grid[cy * p->cells + cx] != IMPULSE_DEATH) continue;
    const b2Vec2 from = impulse_sub(at, impulse_nearest_point(p, cy * p->cells + cx, at));
    const float gap = impulse_length(from) - IMPULSE_RADIUS;
    if (gap < IMPULSE_FLEE) away = impulse_add(away, impulse_unit(from), 1.0f - gap / IMPULSE_FLEE);
  }
  for (int32_t i = 0; i < s->floats_end; ++i) {
    const ImpulseFloat* f = &s->floats[i];
    if (!f->present || f->kind != IMPULSE_DEATH) continue;
    const float gap = impulse_float_gap(f, at) - IMPULSE_RADIUS;
    if (gap < IMPULSE_FLEE) away = impulse_add(away, impulse_unit(impulse_sub(at, f->at)), 1.0f - gap / IMPULSE_FLEE);
  }
  return away;
}

PFC_FN bool impulse_can_brake(const ImpulseDrone* d) { return !d->emptied && !impulse_shielded(d) && d->energy > 0.3f; }

// m/s by the recoil of all shots until the next step: a bot cannot stop shooting before.
PFC_FN float impulse_recoil_mps(const ImpulseBot* bot) {
  const ImpulseWeapon* w = &impulse_weapons[bot->d->weapon];
  const int32_t cooldown = impulse_ticks(w->cooldown_s), shots = (bot->p->ticks + cooldown - 1) / cooldown;
  return w->recoil * (float)shots / IMPULSE_MASS;
}

// m until a drone at this speed stops, with a margin, since it decides in steps only.
PFC_FN float impulse_stop(const ImpulseBot* bot, float speed) {
  return 1.3f * impulse_stopping(speed, impulse_can_brake(bot->d) ? IMPULSE_BRAKING : IMPULSE_DAMPING);
}

// A careful bot does not shoot if engine and brake would stop it nearer to a death wall than IMPULSE_MARGIN.
PFC_FN bool impulse_recoil_is_safe(const ImpulseBot* bot, b2Vec2 along) {
  const b2Vec2 after = impulse_add(bot->d->v, along, -impulse_recoil_mps(bot));
  const float speed = impulse_length(after);
  const float reach = impulse_stop(bot, speed) + IMPULSE_MARGIN;
  return speed < 0.5f || !impulse_flies_into_death(bot, bot->d->at, after, reach);
}

// An easy bot does not look where the recoil carries it, but shoots only with as much room around it.
PFC_FN bool impulse_has_room(const ImpulseBot* bot) {
  const float speed = impulse_recoil_mps(bot) + impulse_length(bot->d->v);
  const float room = impulse_stop(bot, speed) + IMPULSE_RADIUS;
  return !bot->in_danger && impulse_nearest_wall(bot->s, bot->p, bot->d->at, room, IMPULSE_DEATH).distance > room;
}

// m to the enemy within which the weapon's blast would throw the bot itself about.
PFC_FN float impulse_own_danger(int32_t weapon) {
  const ImpulseWeapon* w = &impulse_weapons[weapon];
  if (!impulse_explodes(weapon)) return 0.0f;
  const float full_mps = pfc_absf(w->blast) * 2.0f * IMPULSE_RADIUS / IMPULSE_MASS;
  return full_mps > IMPULSE_OWN_BLAST ? w->blast_radius * (1.0f - 0.34f * IMPULSE_OWN_BLAST / full_mps) : 0.0f;
}

// The direction of the way to `target` along free cells, straight where nothing is between.
PFC_FN b2Vec2 impulse_way(const ImpulseBot* bot, b2Vec2 target) {
  const Impulse* s = bot->s;
  const ImpulseParams* p = bot->p;
  const b2Vec2 at = bot->d->at, straight = impulse_sub(target, at), along = impulse_unit(straight);
  const float distance = impulse_length(straight);
  if (impulse_sweep(s, p, at, along, distance, IMPULSE_RADIUS).kind == IMPULSE_FREE) return along;
  int16_t steps[IMPULSE_MAX_CELLS * IMPULSE_MAX_CELLS];
  const int32_t own = impulse_cell_at(p, at), offsets[4] = {1, p->cells, -1, -p->cells};
  (void)impulse_flood(s, p, impulse_cell_at(p, target), own, steps);
  if (steps[own] <= 0) return along;
  for (int32_t i = 0; i < 4; ++i)
    if (steps[own + offsets[i]] == steps[own] - 1)
      return impulse_unit(impulse_sub(impulse_centre(p, own + offsets[i]), at));
  return along;
}

// Weapons that hit their owner too often: a bot leaves them. An easy one also leaves what explodes or has a strong
// recoil.
PFC_FN bool impulse_shuns(const ImpulseBot* bot, int32_t weapon) {
  if (weapon == IMPULSE_NUKE || weapon == IMPULSE_ACCELERATOR) return true;
  return !bot->skill->careful && (impulse_own_danger(weapon) > 0.0f || impulse_weapons[weapon].recoil > 40.0f);
}

// The nearest pickup, while on the standard weapon.
PFC_FN int32_t impulse_wanted_pickup(const ImpulseBot* bot) {
  int32_t best = -1;
  float nearest = PFC_INFINITY;
  for (int32_t k = 0; bot->d->weapon == IMPULSE_RIFLE && k < bot->p->pickups; ++k) {
    const ImpulsePickup* pickup = &bot->s->pickups[k];
    const float gap = impulse_gap(pickup->at, bot->d->at);
    if (!pickup->present || impulse_shuns(bot, pickup->weapon)) continue;
    if (gap < nearest) nearest = gap, best = k;
  }
  return best;
}

// Whether the bot is in the ring that closes soon, or so near that a push would carry it there.
PFC_FN bool impulse_ring_threatens(const ImpulseBot* bot) {
  const int32_t next = impulse_next_ring(bot->s, bot->p), ring = bot->s->rings + 1;
  if (next < 0 || next > impulse_ticks(IMPULSE_RING_S)) return false;
  const float inside = impulse_half_side(bot->p) - IMPULSE_CELL * (float)(ring + 1) - IMPULSE_RADIUS;
  return pfc_maxf(pfc_absf(bot->d->at.x), pfc_absf(bot->d->at.y)) > inside - 1.0f;
}

// Where a bot in sight of its enemy wants to be: at its weapon's distance, with room for the recoil.
PFC_FN b2Vec2 impulse_fighting_wish(const ImpulseBot* bot) {
  const b2Vec2 towards = impulse_unit(impulse_sub(bot->seen, bot->d->at));
  const float best = impulse_best_range(bot->d->weapon), gap = impulse_gap(bot->seen, bot->d->at);
  if (best > 0.0f && gap > best + 2.0f) return impulse_scale(towards, IMPULSE_CRUISE);
  const float nearest = pfc_maxf(impulse_own_danger(bot->d->weapon), best - 5.0f);
  if (gap < nearest) return impulse_scale(towards, -0.5f * IMPULSE_CRUISE);
  const bool ready = bot->skill->careful ? impulse_recoil_is_safe(bot, towards) : impulse_has_room(bot);
  const bool central = !bot->skill->careful || impulse_length(bot->d->at) <= IMPULSE_CENTRAL;
  if (ready && central) return impulse_vec(0.0f, 0.0f);
  return impulse_scale(impulse_way(bot, impulse_vec(0.0f, 0.0f)), (ready ? 0.4f : 0.5f) * IMPULSE_CRUISE);
}

// The velocity that the bot would like to have.
PFC_FN b2Vec2 impulse_wish(const ImpulseBot* bot) {
  const int32_t pickup = impulse_wanted_pickup(bot);
  if (impulse_ring_threatens(bot)) return impulse_scale(impulse_way(bot, impulse_vec(0.0f, 0.0f)), IMPULSE_CRUISE);
  if (pickup >= 0) return impulse_scale(impulse_way(bot, bot->s->pickups[pickup].at), IMPULSE_CRUISE);
  if (bot->enemy < 0) return impulse_vec(0.0f, 0.0f);
  if (impulse_sees(bot->s, bot->p, bot->d->at, bot->seen)) return impulse_fighting_wish(bot);
  return impulse_scale(impulse_way(bot, bot->seen), IMPULSE_CRUISE);
}

// Out of the way of the first enemy shot that would pass near; 0: there is none.
PFC_FN b2Vec2 impulse_dodge(const ImpulseBot* bot) {
  float soonest = IMPULSE_DODGE_S;
  b2Vec2 aside = impulse_vec(0.0f, 0.0f);
  for (int32_t i = 0; i < bot->s->shots_end; ++i) {
    const ImpulseShot* shot = &bot->s->shots[i];
    if (!shot->present || shot->stuck || !impulse_enemies(bot->p, shot->owner, bot->self)) continue;
    const b2Vec2 offset = impulse_sub(bot->d->at, shot->at), v = impulse_sub(shot->v, bot->d->v);
    const float speed2 = impulse_dot(v, v), time = impulse_dot(offset, v) / pfc_maxf(speed2, 1e-6f);
    if (time <= 0.0f || time >= soonest) continue;
    const b2Vec2 miss = impulse_add(offset, v, -time);
    if (impulse_length(miss) > IMPULSE_DODGE) continue;
    soonest = time;
    aside = impulse_dot(miss, miss) > 1e-4f ? impulse_unit(miss) : impulse_unit(impulse_vec(-v.y, v.x));
  }
  return aside;
}

PFC_FN void impulse_steer(ImpulseBot* bot, ImpulseIntent* out) {
  const ImpulseDrone* d = bot->d;
  const float speed = impulse_length(d->v);
  const b2Vec2 flight = impulse_flight(bot);
  b2Vec2 wish = impulse_add(impulse_wish(bot), flight, 2.0f * IMPULSE_CRUISE);
  const b2Vec2 aside = bot->skill->clever ? impulse_dodge(bot) : impulse_vec(0.0f, 0.0f);
  wish = impulse_add(wish, aside, IMPULSE_CRUISE);
  const bool in_danger = speed > 1.0f && impulse_flies_into_death(bot, d->at, d->v, IMPULSE_FORESIGHT_S * speed);
  if (in_danger) wish = impulse_add(impulse_scale(d->v, -1.0f), flight, 2.0f * IMPULSE_CRUISE);
  const bool brakes = bot->skill->careful || d->cooldown > 0;  // an easy bot brakes after its own recoil only
  out->brake = in_danger || (brakes && speed > IMPULSE_FAST && impulse_can_brake(d));
  bot->in_danger = in_danger || impulse_length(flight) > 0.3f;
  const b2Vec2 change = impulse_sub(wish, d->v);
  if (impulse_length(change) > 0.5f) out->move = impulse_unit(change);
  if (!bot->skill->clever || d->emptied || impulse_shielded(d)) return;
  // A burst throws it off the wall that it would fly into. It must be let go in the next step.
  const float reach = impulse_burst_radius(IMPULSE_BURST_START) - 0.5f;
  const ImpulseNear wall = impulse_nearest_wall(bot->s, bot->p, d->at, reach, IMPULSE_FREE);
  const bool towards = impulse_dot(impulse_sub(wall.point, d->at), d->v) > 0.0f;
  if (in_danger && wall.distance <= reach && towards && d->charged == 0.0f) out->burst = 1;
}

// Where to aim: at the enemy, or at where it will be when the shot arrives.
PFC_FN b2Vec2 impulse_lead(const ImpulseBot* bot, float speed) {
  const ImpulseDrone* d = bot->d;
  b2Vec2 target = bot->seen;
  if (!bot->skill->leads) return target;
  const float late = (float)bot->skill->delay * IMPULSE_TICK_S;
  const b2Vec2 now = impulse_add(bot->seen, bot->seen_v, late);
  target = now;
  for (int32_t i = 0; i < 2; ++i) {
    const b2Vec2 along = impulse_unit(impulse_sub(target, d->at));
    const b2Vec2 across = impulse_add(d->v, along, -impulse_dot(d->v, along));  // which the shot has too
    target = impulse_add(now, impulse_sub(bot->seen_v, across), impulse_gap(target, d->at) / speed);
  }
  return target;
}

// A direction in which a shot reaches `target` off one wall; 0: there is none.
PFC_FN b2Vec2 impulse_bank(const ImpulseBot* bot, b2Vec2 target, float radius) {
  enum { RAYS = 32 };
  const b2Vec2 from = bot->d->at;
  for (int32_t i = 0; i < RAYS; ++i) {
    b2Vec2 along = impulse_direction(i % 16);
    if (i >= 16) along = impulse_turn(along, 0.98078528f, 0.19509032f);  // 11.25 degrees
    const ImpulseRay wall = impulse_cast(bot->s, bot->p, from, along, 60.0f);
    if (wall.kind == IMPULSE_FREE) continue;
    const b2Vec2 turn = impulse_add(from, along, wall.distance - radius - 0.01f);
    const b2Vec2 back = wall.across ? impulse_vec(-along.x, along.y) : impulse_vec(along.x, -along.y);
    const b2Vec2 offset = impulse_sub(target, turn);
    const float ahead = impulse_dot(offset, back), beside = pfc_absf(offset.x * back.y - offset.y * back.x);
    if (ahead > 0.0f && beside < IMPULSE_RADIUS && impulse_sees(bot->s, bot->p, turn, target)) return along;
  }
  return impulse_vec(0.0f, 0.0f);
}

// A clever bot waits until the enemy would be pushed into a death wall, but at most 2 s.
PFC_FN bool impulse_is_worth_it(const ImpulseBot* bot, b2Vec2 along) {
  if (bot->d->ready >= impulse_ticks(IMPULSE_PATIENCE_S)) return true;
  return impulse_cast(bot->s, bot->p, bot->seen, along, 30.0f).kind == IMPULSE_DEATH;
}

PFC_FN void impulse_shoot(const ImpulseBot* bot, ImpulseIntent* out) {
  const ImpulseDrone* d = bot->d;
  const ImpulseWeapon* w = &impulse_weapons[d->weapon];
  const float speed = w->fire / impulse_shot_mass(w), best = impulse_best_range(d->weapon);
  const b2Vec2 target = impulse_lead(bot, speed);
  b2Vec2 along = impulse_unit(impulse_sub(target, d->at));
  const float gap = impulse_gap(target, d->at);
  bool reaches = (best <= 0.0f || gap < 2.0f * best) &&
                 impulse_sweep(bot->s, bot->p, d->at, along, gap, w->radius).kind == IMPULSE_FREE &&
                 !impulse_float_ahead(bot->s, d->at, along, gap, w->radius, false);
  if (!reaches && bot->skill->clever && w->bounces > 0) {
    const b2Vec2 off_wall = impulse_bank(bot, target, w->radius);
    reaches = impulse_dot(off_wall, off_wall) > 0.0f;
    if (reaches) along = off_wall;
  }
  const bool safe = gap >= impulse_own_danger(d->weapon) &&
                    (bot->skill->careful ? impulse_recoil_is_safe(bot, along) : impulse_has_room(bot));
  const bool shoots = reaches && safe && (!bot->skill->clever || impulse_is_worth_it(bot, along));
  const bool full = d->charge >= impulse_ticks(w->charge_s);
  out->aim = impulse_turn_by(along, bot->skill->error * impulse_normal(bot->rng));
  out->fire = w->charge_s > 0.0f ? !(full && shoots && d->cooldown == 0) : shoots;
}

PFC_FN void impulse_decide(const Impulse* s, const ImpulseParams* p, int32_t self, int32_t level, PfcRng* rng,
                           ImpulseIntent* out) {
  memset(out, 0, sizeof *out);
  if (level == 0 || !s->drones[self].present) return;
  ImpulseBot bot;
  bot.s = s, bot.p = p, bot.d = &s->drones[self], bot.skill = &impulse_skills[level], bot.self = self, bot.rng = rng;
  bot.in_danger = false;
  bot.enemy = impulse_nearest_enemy(s, p, self);
  bot.seen = bot.seen_v = impulse_vec(0.0f, 0.0f);
  if (bot.enemy >= 0) {
    const ImpulseSight* sight = &s->past[(s->tick + IMPULSE_PAST - bot.skill->delay) % IMPULSE_PAST][bot.enemy];
    bot.seen = sight->at, bot.seen_v = sight->v;
  }
  impulse_steer(&bot, out);
  if (bot.enemy < 0) return;
  impulse_shoot(&bot, out);
  const bool close = impulse_gap(bot.seen, bot.d->at) - 2.0f * IMPULSE_RADIUS < IMPULSE_CLOSE;
  if (close && bot.d->charged < 0.2f && impulse_sees(s, p, bot.d->at, bot.seen)) out->burst = 1;
}

// ---- one step -----------------------------------------------------------------------------------------

PFC_FN void impulse_read_choices(const int32_t* choices, ImpulseIntent* out) {
  memset(out, 0, sizeof *out);
  if (choices[0] > 0) out->move = impulse_direction(2 * (choices[0] - 1));
  if (choices[1] > 16) out->relative = choices[1] - 16;
  else if (choices[1] > 0) out->aim = impulse_direction(choices[1] - 1);
  out->fire = choices[2] != 0;
  out->brake = choices[3] != 0;
  out->burst = choices[4] != 0;
}

PFC_FN void impulse_read_controls(const float* controls, ImpulseIntent* out) {
  memset(out, 0, sizeof *out);
  out->move = impulse_vec(controls[0], controls[1]);
  if (impulse_length(out->move) > 1.0f) out->move = impulse_unit(out->move);
  const b2Vec2 aim = impulse_vec(controls[2], controls[3]);
  if (impulse_length(aim) >= 0.1f) out->aim = impulse_unit(aim);
  out->fire = controls[4] > 0.0f;
  out->brake = controls[5] > 0.0f;
  out->burst = controls[6] > 0.0f;
}

// All drones decide from the same state.
PFC_FN void impulse_choose(Impulse* s, const ImpulseParams* p, const PfcIo* io) {
  for (int32_t i = 0; i < p->drones; ++i) {
    ImpulseIntent* intent = &s->intents[i];
    const bool agent = i < p->learners;
    if (!agent || p->pilot >= 0) impulse_decide(s, p, i, agent ? p->pilot : p->bot, &s->rng, intent);
    else if (p->continuous) impulse_read_controls(io->controls + 7 * i, intent);
    else impulse_read_choices(io->actions + 5 * i, intent);
  }
}

PFC_FN void impulse_remember(Impulse* s, const ImpulseParams* p) {
  ImpulseSight* now = s->past[s->tick % IMPULSE_PAST];
  for (int32_t i = 0; i < p->drones; ++i) now[i].at = s->drones[i].at, now[i].v = s->drones[i].v;
}

// One tick. Returns whether the fight is over.
PFC_FN bool impulse_tick(Impulse* s, const ImpulseParams* p) {
  s->tick += 1;
  for (int32_t i = 0; i < p->drones; ++i) impulse_act(s, p, i);
  for (int32_t i = 0; i < s->shots_end; ++i) {
    const ImpulseShot* shot = &s->shots[i];
    if (shot->present && !shot->done && shot->weapon == IMPULSE_BLACK_HOLE) impulse_pull(s, p, i);
  }
  impulse_prepare(s, p);
  b2World_Step(s->world, IMPULSE_TICK_S, p->substeps);
  impulse_read_bodies(s, p);
  impulse_handle_contacts(s, p);
  impulse_end_shots(s, p);
  impulse_run_pickups(s, p);
  impulse_find_deaths(s, p);
  if (impulse_next_ring(s, p) == 0) impulse_close_ring(s, p);
  bool died = false;
  for (int32_t i = 0; i < p->drones; ++i) {
    if (!s->drones[i].dying) continue;
    impulse_die(s, p, i);
    died = true;
  }
  impulse_remember(s, p);
  return died && impulse_judge(s, p);
}

PFC_FN void impulse_step(Impulse* s, const ImpulseParams* p, PfcIo io) {
  memset(s->gain, 0, sizeof s->gain);
  impulse_choose(s, p, &io);
  bool over = false;
  for (int32_t t = 0; t < p->ticks && !over; ++t) over = impulse_tick(s, p);
  for (int32_t i = 0; i < p->learners; ++i) {
    io.rewards[i] = s->gain[i];
    io.terminated[i] = over;
    if (!over && s->drones[i].lives == 0) io.alive[i] = 0;
  }
}

// ---- observation --------------------------------------------------------------------------------------

PFC_FN float impulse_unit_range(float x) { return pfc_clampf(x, -1.0f, 1.0f); }

PFC_FN void impulse_write_pair(float* out, b2Vec2 v, float scale) {
  out[0] = impulse_unit_range(v.x * scale);
  out[1] = impulse_unit_range(v.y * scale);
}

// The slots of drones, shots, pickups or floating walls: where the place and the presence of the first one stand, and
// how many bytes behind it the next one follows.
typedef struct ImpulseSlots {
  const b2Vec2* at;
  const int32_t* present;
  size_t stride;
  int32_t count;
} ImpulseSlots;

#define IMPULSE_SLOTS(array, count) {&(array)->at, &(array)->present, sizeof *(array), count}

enum { IMPULSE_MOST_SEEN = 12 };  // entities of one kind

// The slots that are nearest to `from`, at most `most`, ascending, ties to the lower slot. Returns how many there are.
PFC_FN int32_t impulse_nearest(ImpulseSlots slots, b2Vec2 from, int32_t most, int32_t* chosen) {
  float gaps[IMPULSE_MOST_SEEN];
  int32_t found = 0;
  for (int32_t i = 0; i < slots.count; ++i) {
    const size_t offset = slots.stride * (size_t)i;
    if (!*(const int32_t*)(const void*)((const char*)slots.present + offset)) continue;
    const float gap = impulse_square_gap(*(const b2Vec2*)(const void*)((const char*)slots.at + offset), from);
    int32_t place = found;
    while (place > 0 && gaps[place - 1] > gap) --place;
    if (place == most) continue;
    if (found < most) ++found;
    for (int32_t k = found - 1; k > place; --k) chosen[k] = chosen[k - 1], gaps[k] = gaps[k - 1];
    chosen[place] = i, gaps[place] = gap;
  }
  return found;
}

typedef struct ImpulseView {
  const Impulse* s;
  const ImpulseParams* p;
  const ImpulseDrone* d;
  int32_t self;
} ImpulseView;

// A dead drone has no aim, no energy and no weapon.
PFC_FN void impulse_see_self(const ImpulseView* view, float* out) {
  const ImpulseDrone* d = view->d;
  const ImpulseWeapon* w = &impulse_weapons[d->weapon];
  const int32_t full = impulse_ticks(w->charge_s), next = impulse_next_ring(view->s, view->p);
  impulse_write_pair(out, d->at, 1.0f / 60.0f);
  out[16] = (float)d->lives / (float)view->p->lives;
  out[17] = next < 0 ? 1.0f : pfc_clampf((float)next * (IMPULSE_TICK_S / 90.0f), 0.0f, 1.0f);
  out[18] = (float)view->s->rings / 16.0f;
  if (!d->present) return;
  impulse_write_pair(out + 2, d->v, 1.0f / 60.0f);
  impulse_write_pair(out + 4, d->aim, 1.0f);
  out[6] = d->energy;
  out[7] = d->emptied;
  out[8] = pfc_minf(d->charged, 1.0f);
  out[9] = (float)d->pause / (float)impulse_ticks(0.5f);
  out[10] = d->braking;
  out[11] = pfc_minf((float)d->cooldown / (float)impulse_ticks(w->cooldown_s), 1.0f);
  out[12] = full > 0 ? (float)d->charge / (float)full : 0.0f;
  out[13] = w->ammo > 0 ? (float)d->ammo / (float)w->ammo : 1.0f;
  out[14] = d->shield_health / 100.0f;
  out[15] = (float)d->shield_ticks / (float)impulse_ticks(3.0f);
}

PFC_FN float impulse_seen_hit(const ImpulseWeapon* w) {
  return pfc_minf(impulse_hit_mps(impulse_shot_mass(w), w->fire / impulse_shot_mass(w)) / 120.0f, 1.0f);
}

PFC_FN void impulse_see_weapon(const ImpulseView* view, float* out) {
  if (!view->d->present) return;
  const ImpulseWeapon* w = &impulse_weapons[view->d->weapon];
  out[0] = w->fire / impulse_shot_mass(w) / 200.0f;
  out[1] = impulse_seen_hit(w);
  out[2] = w->recoil / IMPULSE_MASS / 40.0f;
  out[3] = w->cooldown_s / 3.0f;
  out[4] = w->charge_s / 5.0f;
  out[5] = w->blast_radius / 35.0f;
  out[6] = w->blast / 300.0f;
}

PFC_FN void impulse_see_walls(const ImpulseView* view, float* out) {
  for (int32_t i = 0; i < 16; ++i, out += 3) {
    const ImpulseRay ray = impulse_cast(view->s, view->p, view->d->at, impulse_direction(i), 60.0f);
    out[0] = pfc_minf(ray.distance / 60.0f, 1.0f);
    out[1] = ray.kind == IMPULSE_DEATH;
    out[2] = ray.kind == IMPULSE_BOUNCY;
  }
}

PFC_FN void impulse_see_drone(const ImpulseView* view, int32_t i, float* out) {
  const ImpulseDrone* d = &view->s->drones[i];
  const ImpulseWeapon* w = &impulse_weapons[d->weapon];
  const int32_t full = impulse_ticks(w->charge_s);
  const b2Vec2 offset = impulse_sub(d->at, view->d->at);
  out[0] = 1.0f;
  out[1] = impulse_enemies(view->p, view->self, i) ? -1.0f : 1.0f;
  impulse_write_pair(out + 2, offset, 1.0f / 60.0f);
  impulse_write_pair(out + 4, impulse_sub(d->v, view->d->v), 1.0f / 60.0f);
  out[6] = pfc_minf(impulse_length(offset) / 85.0f, 1.0f);
  impulse_write_pair(out + 7, d->aim, 1.0f);
  out[9] = d->energy;
  out[10] = pfc_minf(d->charged, 1.0f);
  out[11] = d->braking;
  out[12] = d->shield_health / 100.0f;
  out[13] = impulse_seen_hit(w);
  out[14] = w->blast_radius / 35.0f;
  out[15] = full > 0 ? (float)d->charge / (float)full : 0.0f;
}

PFC_FN void impulse_see_drones(const ImpulseView* view, float* out) {
  const ImpulseSlots slots = IMPULSE_SLOTS(view->s->drones, view->p->drones);
  int32_t nearest[4], seen = 0;  // itself is one of the nearest
  const int32_t count = impulse_nearest(slots, view->d->at, 4, nearest);
  for (int32_t k = 0; k < count && seen < 3; ++k)
    if (nearest[k] != view->self) impulse_see_drone(view, nearest[k], out + 16 * seen++);
}

PFC_FN void impulse_see_shots(const ImpulseView* view, float* out) {
  const ImpulseSlots slots = IMPULSE_SLOTS(view->s->shots, view->s->shots_end);
  int32_t nearest[12];
  const int32_t count = impulse_nearest(slots, view->d->at, 12, nearest);
  for (int32_t k = 0; k < count; ++k, out += 9) {
    const ImpulseShot* shot = &view->s->shots[nearest[k]];
    const ImpulseWeapon* w = &impulse_weapons[shot->weapon];
    const float hit = impulse_hit_mps(impulse_shot_mass(w), impulse_length(shot->v));
    out[0] = 1.0f;
    out[1] = impulse_enemies(view->p, view->self, shot->owner) ? -1.0f : 1.0f;
    impulse_write_pair(out + 2, impulse_sub(shot->at, view->d->at), 1.0f / 60.0f);
    impulse_write_pair(out + 4, impulse_sub(shot->v, view->d->v), 1.0f / 200.0f);
    out[6] = pfc_minf(hit / 120.0f, 1.0f);
    out[7] = w->blast_radius / 35.0f;
    out[8] = (float)((w->blast > 0.0f) - (w->blast < 0.0f));
  }
}

PFC_FN void impulse_see_pickups(const ImpulseView* view, float* out) {
  const ImpulseSlots slots = IMPULSE_SLOTS(view->s->pickups, view->p->pickups);
  int32_t nearest[3];
  const int32_t count = impulse_nearest(slots, view->d->at, 3, nearest);
  for (int32_t k = 0; k < count; ++k, out += 8) {
    const ImpulsePickup* pickup = &view->s->pickups[nearest[k]];
    const ImpulseWeapon* w = &impulse_weapons[pickup->weapon];
    out[0] = 1.0f;
    impulse_write_pair(out + 1, impulse_sub(pickup->at, view->d->at), 1.0f / 60.0f);
    out[3] = impulse_seen_hit(w);
    out[4] = w->recoil / IMPULSE_MASS / 40.0f;
    out[5] = w->blast_radius / 35.0f;
    out[6] = w->blast / 300.0f;
    out[7] = (float)w->ammo / 50.0f;
  }
}

PFC_FN void impulse_see_floats(const ImpulseView* view, float* out) {
  const ImpulseSlots slots = IMPULSE_SLOTS(view->s->floats, view->s->floats_end);
  int32_t nearest[4];
  const int32_t count = impulse_nearest(slots, view->d->at, 4, nearest);
  for (int32_t k = 0; k < count; ++k, out += 8) {
    const ImpulseFloat* f = &view->s->floats[nearest[k]];
    const b2Vec2 turn = impulse_vec(f->turn.c, f->turn.s), twice = impulse_turn(turn, turn.x, turn.y);
    out[0] = 1.0f;
    impulse_write_pair(out + 1, impulse_sub(f->at, view->d->at), 1.0f / 60.0f);
    impulse_write_pair(out + 3, f->v, 1.0f / 60.0f);
    impulse_write_pair(out + 5, impulse_turn(twice, twice.x, twice.y), 1.0f);
    out[7] = 0.5f * (float)(f->kind - IMPULSE_STANDARD);
  }
}

PFC_FN void impulse_observe(const Impulse* s, const ImpulseParams* p, int32_t agent, ImpulseObs* obs) {
  const ImpulseView view = {s, p, &s->drones[agent], agent};
  memset(obs, 0, sizeof *obs);
  impulse_see_self(&view, obs->own);
  impulse_see_weapon(&view, obs->weapon);
  impulse_see_walls(&view, obs->walls);
  impulse_see_drones(&view, obs->drones);
  impulse_see_shots(&view, obs->shots);
  impulse_see_pickups(&view, obs->pickups);
  impulse_see_floats(&view, obs->floating);
}

// ---- metrics, sizes, script ---------------------------------------------------------------------------

PFC_FN void impulse_metrics(const Impulse* s, const ImpulseParams* p, int32_t agent, float* values) {
  (void)p;
  const ImpulseDrone* d = &s->drones[agent];
  values[0] = values[1] = (float)d->won;
  values[2] = (float)s->tick * IMPULSE_TICK_S;
  values[3] = (float)d->kills;
  values[4] = (float)d->self_kills;
  values[5] = d->shots > 0 ? (float)d->hits / (float)d->shots : 0.0f;
  values[6] = (float)d->pickups;
  values[7] = (float)d->shots;
  values[8] = d->energy_used;
  values[9] = (float)s->draw;
}

static void impulse_layout(const void* params, PfcLayout* sizes) {
  const ImpulseParams* p = (const ImpulseParams*)params;
  sizes->agents = p->learners;
  if (p->learners > 1) sizes->teams = p->teams > 0 ? pfc_mini(p->teams, p->learners) : p->learners;
  if (!p->continuous) return;
  memset(sizes->action_counts, 0, sizeof sizes->action_counts);
  sizes->continuous_dims = 7;
}

static const char* impulse_check(const void* params) {
  const ImpulseParams* p = (const ImpulseParams*)params;
  if (p->learners > p->drones) return "learners is more than drones";
  if (p->teams == 1) return "teams is 1; it must be 0 (each for itself) or 2 to 4";
  if (p->teams > 0 && p->drones % p->teams != 0) return "drones is no multiple of teams";
  if (p->cells % 2 == 0) return "cells is even; the arena needs a cell in its middle";
  return NULL;
}

// The choice whose direction is nearest to `aim`: one of 16, or one relative to the nearest enemy.
PFC_FN int32_t impulse_aim_choice(const Impulse* s, const ImpulseParams* p, int32_t agent, b2Vec2 aim) {
  const int32_t enemy = impulse_nearest_enemy(s, p, agent);
  float best = -2.0f;
  int32_t choice = 0;
  for (int32_t i = 1; i < 24; ++i) {
    if (i > 16 && enemy < 0) break;
    b2Vec2 direction = impulse_direction((i - 1) % 16);
    if (i > 16) {
      const float* deviation = impulse_deviations[i - 17];
      direction = impulse_unit(impulse_sub(s->drones[enemy].at, s->drones[agent].at));
      direction = impulse_turn(direction, deviation[0], deviation[1]);
    }
    const float cosine = impulse_dot(direction, aim);
    if (cosine > best) best = cosine, choice = i;
  }
  return choice;
}

static void impulse_script(const void* state, const void* params, int32_t agent, int32_t level, PfcRng* rng,
                           int32_t* choices, float* controls) {
  const Impulse* s = (const Impulse*)state;
  const ImpulseParams* p = (const ImpulseParams*)params;
  ImpulseIntent intent;
  impulse_decide(s, p, agent, level, rng, &intent);
  const bool moves = impulse_dot(intent.move, intent.move) > 0.0f, aims = impulse_dot(intent.aim, intent.aim) > 0.0f;
  if (controls) {
    controls[0] = intent.move.x, controls[1] = intent.move.y;
    controls[2] = intent.aim.x, controls[3] = intent.aim.y;
    controls[4] = intent.fire ? 1.0f : -1.0f;
    controls[5] = intent.brake ? 1.0f : -1.0f;
    controls[6] = intent.burst ? 1.0f : -1.0f;
    return;
  }
  memset(choices, 0, 5 * sizeof *choices);
  float best = 0.0f;
  for (int32_t i = 0; moves && i < 8; ++i) {
    const float cosine = impulse_dot(impulse_direction(2 * i), intent.move);
    if (cosine > best) best = cosine, choices[0] = 1 + i;
  }
  if (aims) choices[1] = impulse_aim_choice(s, p, agent, intent.aim);
  choices[2] = intent.fire, choices[3] = intent.brake, choices[4] = intent.burst;
}

// ---- drawing ------------------------------------------------------------------------------------------
//
// 640 x 480: the arena fills the height, a column at the right holds a card per drone.

#define IMPULSE_VIEW_HEIGHT 480.0f
#define IMPULSE_VIEW_WIDTH 640.0f

PFC_TABLE uint32_t impulse_colors[IMPULSE_DRONES] = {PFC_AGENT, PFC_RIVAL, PFC_GOOD, 0xd36ad0,
                                                     PFC_GOAL,  PFC_VIOLET, 0x9bd34f, 0xe8ebf2};
PFC_TABLE uint32_t impulse_wall_colors[4] = {PFC_BOARD, 0x4d5568, 0x2a5f9c, 0x5c1f27};
PFC_TABLE uint32_t impulse_edge_colors[4] = {PFC_BOARD, 0x717a8f, 0x58a0ea, PFC_BAD};

typedef struct ImpulsePainter {
  const Impulse* s;
  const ImpulseParams* p;
  const PfcDraw* d;
  float scale;  // px per m
} ImpulsePainter;

static uint32_t impulse_color(const ImpulsePainter* w, int32_t drone) {
  return impulse_colors[impulse_team(w->p, drone)];
}

static PfcPoint impulse_pixel(const ImpulsePainter* w, b2Vec2 at) {
  PfcPoint pixel;
  pixel.x = 0.5f * IMPULSE_VIEW_HEIGHT + w->scale * at.x;
  pixel.y = 0.5f * IMPULSE_VIEW_HEIGHT - w->scale * at.y;
  return pixel;
}

static void impulse_line(const ImpulsePainter* w, b2Vec2 from, b2Vec2 to, float thickness_px, PfcColor color) {
  const PfcPoint a = impulse_pixel(w, from), b = impulse_pixel(w, to);
  w->d->line(w->d->context, a.x, a.y, b.x, b.y, thickness_px, color);
}

static void impulse_disc(const ImpulsePainter* w, b2Vec2 at, float radius, PfcColor color) {
  const PfcPoint a = impulse_pixel(w, at);
  w->d->circle(w->d->context, a.x, a.y, radius * w->scale, color);
}

// The first `part` of a circle, from the top clockwise.
static void impulse_arc(const ImpulsePainter* w, b2Vec2 at, float radius, float part, float thickness_px,
                        PfcColor color) {
  enum { PIECES = 28 };
  const int32_t pieces = (int32_t)(part * PIECES + 0.5f);
  b2Vec2 from = impulse_vec(at.x, at.y + radius);
  for (int32_t i = 1; i <= pieces; ++i) {
    float sine, cosine;
    pfc_sincosf(2.0f * PFC_PI * (float)i / PIECES, &sine, &cosine);
    const b2Vec2 to = impulse_vec(at.x + radius * sine, at.y + radius * cosine);
    impulse_line(w, from, to, thickness_px, color);
    from = to;
  }
}

static void impulse_cell_rect(const ImpulsePainter* w, int32_t cell, int32_t width, float grow_px, PfcColor color) {
  const b2Vec2 centre = impulse_centre(w->p, cell);
  const PfcPoint corner = impulse_pixel(w, impulse_vec(centre.x - 0.5f * IMPULSE_CELL, centre.y + 0.5f * IMPULSE_CELL));
  const float side = w->scale * IMPULSE_CELL;
  w->d->rect(w->d->context, corner.x - grow_px, corner.y - grow_px, side * (float)width + 2.0f * grow_px,
             side + 2.0f * grow_px, color);
}

// Three diagonals that join those of the neighbours.
static void impulse_hatch(const ImpulsePainter* w, int32_t cell) {
  const b2Vec2 c = impulse_centre(w->p, cell);
  const float h = 0.5f * IMPULSE_CELL;
  const PfcColor color = pfc_tint(PFC_BAD, 120);
  const float thickness = 0.28f * w->scale;
  impulse_line(w, impulse_vec(c.x - h, c.y - h), impulse_vec(c.x + h, c.y + h), thickness, color);
  impulse_line(w, impulse_vec(c.x - h, c.y), impulse_vec(c.x, c.y + h), thickness, color);
  impulse_line(w, impulse_vec(c.x, c.y - h), impulse_vec(c.x + h, c.y), thickness, color);
}

static bool impulse_free_neighbour(const ImpulsePainter* w, int32_t x, int32_t y) {
  const int32_t n = w->p->cells;
  return x >= 0 && y >= 0 && x < n && y < n && w->s->grid[y * n + x] == IMPULSE_FREE;
}

// A bright edge where a wall meets free cells.
static void impulse_draw_edges(const ImpulsePainter* w, int32_t cell) {
  const int32_t n = w->p->cells, x = cell % n, y = cell / n;
  const b2Vec2 c = impulse_centre(w->p, cell);
  const float h = 0.5f * IMPULSE_CELL;
  const PfcColor color = pfc_rgb(impulse_edge_colors[w->s->grid[cell]]);
  for (int32_t i = 0; i < 4; ++i) {
    const b2Vec2 out = impulse_direction(4 * i), side = impulse_vec(-out.y, out.x);
    if (!impulse_free_neighbour(w, x + (int32_t)out.x, y + (int32_t)out.y)) continue;
    const b2Vec2 middle = impulse_add(c, out, h);
    impulse_line(w, impulse_add(middle, side, -h), impulse_add(middle, side, h), 1.5f, color);
  }
}

static void impulse_draw_walls(const ImpulsePainter* w) {
  const int32_t n = w->p->cells;
  for (int32_t cell = 0, width; cell < n * n; cell += width) {
    const int32_t kind = w->s->grid[cell];
    for (width = 1; (cell + width) % n != 0 && w->s->grid[cell + width] == kind;) ++width;
    if (kind != IMPULSE_FREE) impulse_cell_rect(w, cell, width, 0.25f, pfc_rgb(impulse_wall_colors[kind]));
  }
  for (int32_t cell = 0; cell < n * n; ++cell)
    if (w->s->grid[cell] == IMPULSE_DEATH) impulse_hatch(w, cell);
  for (int32_t cell = 0; cell < n * n; ++cell)
    if (w->s->grid[cell] != IMPULSE_FREE) impulse_draw_edges(w, cell);
}

// The ring that closes next pulses in its last five seconds.
static void impulse_draw_next_ring(const ImpulsePainter* w) {
  const int32_t next = impulse_next_ring(w->s, w->p), phase = w->s->tick % 30;
  if (next < 0 || next > IMPULSE_RING_TICKS) return;
  const uint8_t alpha = (uint8_t)(30 + 4 * (phase < 15 ? phase : 30 - phase));
  for (int32_t cell = 0; cell < w->p->cells * w->p->cells; ++cell)
    if (impulse_in_ring(w->p, cell, w->s->rings + 1) && w->s->grid[cell] == IMPULSE_FREE)
      impulse_cell_rect(w, cell, 1, 0.0f, pfc_tint(PFC_BAD, alpha));
}

static void impulse_draw_floats(const ImpulsePainter* w) {
  for (int32_t i = 0; i < w->s->floats_end; ++i) {
    const ImpulseFloat* f = &w->s->floats[i];
    if (!f->present) continue;
    PfcPoint corners[2][4];
    for (int32_t k = 0; k < 8; ++k) {
      const float half = k < 4 ? IMPULSE_FLOAT_HALF : IMPULSE_FLOAT_HALF - 0.3f;
      const b2Vec2 corner = impulse_vec(k % 4 == 0 || k % 4 == 3 ? half : -half, k % 4 < 2 ? half : -half);
      corners[k / 4][k % 4] = impulse_pixel(w, impulse_add(f->at, impulse_turn(corner, f->turn.c, f->turn.s), 1.0f));
    }
    w->d->polygon(w->d->context, corners[0], 4, pfc_rgb(impulse_edge_colors[f->kind]));
    w->d->polygon(w->d->context, corners[1], 4, pfc_rgb(impulse_wall_colors[f->kind]));
    for (int32_t k = -1; k <= 1 && f->kind == IMPULSE_DEATH; ++k) {
      const float c = 0.8f * (float)k, reach = 1.1f - 0.5f * pfc_absf(c);
      const b2Vec2 a = impulse_turn(impulse_vec(-reach - c, -reach + c), f->turn.c, f->turn.s);
      const b2Vec2 b = impulse_turn(impulse_vec(reach - c, reach + c), f->turn.c, f->turn.s);
      const float thickness = 0.28f * w->scale;
      impulse_line(w, impulse_add(f->at, a, 1.0f), impulse_add(f->at, b, 1.0f), thickness, pfc_tint(PFC_BAD, 190));
    }
  }
}

static void impulse_draw_pickups(const ImpulsePainter* w) {
  for (int32_t k = 0; k < IMPULSE_PICKUPS; ++k) {
    const ImpulsePickup* pickup = &w->s->pickups[k];
    if (!pickup->present) continue;
    const PfcPoint at = impulse_pixel(w, pickup->at);
    const float half = IMPULSE_PICKUP_HALF * w->scale, size = 1.05f * half;
    const char* letters = impulse_weapons[pickup->weapon].letters;
    for (int32_t inner = 0; inner < 2; ++inner) {
      const float reach = half - 1.5f * (float)inner;
      w->d->rounded_rect(w->d->context, at.x - reach, at.y - reach, 2.0f * reach, 2.0f * reach, 0.3f * half,
                         pfc_rgb(inner ? PFC_TILE : PFC_LINE));
    }
    w->d->text(w->d->context, at.x - 0.5f * pfc_text_width(letters, size), at.y - 0.42f * size, size, letters,
               pfc_rgb(PFC_GOAL));
  }
}

static void impulse_draw_blasts(const ImpulsePainter* w) {
  for (int32_t i = 0; i < IMPULSE_BLASTS; ++i) {
    const ImpulseBlast* blast = &w->s->blasts[i];
    const int32_t age = w->s->tick - blast->tick;
    if (blast->radius <= 0.0f || age >= 6) continue;
    const uint32_t color = blast->pulls ? PFC_VIOLET : PFC_GOAL;
    const float radius = blast->radius * (float)(age + 1) / 6.0f;
    impulse_disc(w, blast->at, radius, pfc_tint(color, (uint8_t)(48 - 7 * age)));
    impulse_arc(w, blast->at, radius, 1.0f, 2.0f, pfc_tint(color, (uint8_t)(230 - 35 * age)));
  }
}

static void impulse_draw_shot(const ImpulsePainter* w, const ImpulseShot* shot) {
  const float radius = pfc_maxf(impulse_weapons[shot->weapon].radius, 0.25f);
  const uint32_t color = impulse_color(w, shot->owner);
  for (int32_t k = 0; k < IMPULSE_TAIL && !shot->stuck; ++k) {
    const b2Vec2 from = shot->tail[(w->s->tick + 1 + k) % IMPULSE_TAIL];
    const b2Vec2 to = k + 1 < IMPULSE_TAIL ? shot->tail[(w->s->tick + 2 + k) % IMPULSE_TAIL] : shot->at;
    impulse_line(w, from, to, 1.4f * radius * w->scale, pfc_tint(color, (uint8_t)(40 + 45 * k)));
  }
  if (shot->weapon == IMPULSE_BLACK_HOLE) {
    impulse_disc(w, shot->at, 2.6f * radius, pfc_tint(PFC_VIOLET, 60));
    impulse_disc(w, shot->at, 2.0f * radius, pfc_rgb(PFC_VIOLET));
    impulse_disc(w, shot->at, 1.6f * radius, pfc_rgb(0x050508));
    return;
  }
  impulse_disc(w, shot->at, radius, pfc_rgb(color));
  const bool lit = shot->weapon != IMPULSE_MINE || w->s->tick % 10 < 5;
  impulse_disc(w, shot->at, 0.5f * radius, pfc_rgb(lit ? PFC_INK : PFC_BAD));
}

static void impulse_draw_drone(const ImpulsePainter* w, int32_t i) {
  const ImpulseDrone* d = &w->s->drones[i];
  const uint32_t color = impulse_color(w, i);
  const float charge_s = impulse_weapons[d->weapon].charge_s;
  const float charge = charge_s > 0.0f ? (float)d->charge / (float)impulse_ticks(charge_s) : 0.0f;
  const b2Vec2 tip = impulse_add(d->at, d->aim, 1.9f);
  if (impulse_shielded(d)) {
    const uint8_t alpha = (uint8_t)(30.0f + 2.0f * d->shield_health);
    impulse_disc(w, d->at, IMPULSE_SHIELD_RADIUS, pfc_tint(PFC_AGENT, (uint8_t)(alpha / 6)));
    impulse_arc(w, d->at, IMPULSE_SHIELD_RADIUS, 1.0f, 2.0f, pfc_tint(PFC_INK, alpha));
  }
  if (d->charged > 0.0f) {
    const float reach = impulse_burst_radius(d->charged);
    impulse_arc(w, d->at, reach, 1.0f, 1.0f, pfc_tint(color, 110));
  }
  impulse_line(w, d->at, tip, 0.4f * w->scale, pfc_rgb(color));
  if (charge > 0.0f) impulse_disc(w, tip, 0.2f + 0.4f * charge, pfc_rgb(PFC_GOAL));
  impulse_disc(w, d->at, IMPULSE_RADIUS, pfc_rgb(color));
  impulse_disc(w, d->at, 0.74f, pfc_rgb(0x12141c));
  impulse_arc(w, d->at, 0.87f, d->energy, 0.26f * w->scale, pfc_rgb(d->emptied ? PFC_BAD : PFC_INK));
  impulse_disc(w, d->at, 0.5f, pfc_rgb(d->braking ? PFC_BAD : color));
}

// A card: colour, weapon, ammunition, energy, lives.
static void impulse_draw_card(const ImpulsePainter* w, int32_t i) {
  const ImpulseDrone* d = &w->s->drones[i];
  const PfcDraw* out = w->d;
  const float height = 58.0f, x = IMPULSE_VIEW_HEIGHT + 8.0f, y = 4.0f + height * (float)i, width = 144.0f;
  const bool gone = d->lives == 0;
  const PfcColor ink = pfc_tint(PFC_INK, gone ? 70 : 255);
  const ImpulseWeapon* weapon = &impulse_weapons[d->weapon];
  out->rounded_rect(out->context, x, y, width, height - 6.0f, 6.0f, pfc_rgb(PFC_TILE));
  out->rect(out->context, x, y + 6.0f, 4.0f, height - 18.0f, pfc_tint(impulse_color(w, i), gone ? 70 : 255));
  out->text(out->context, x + 12.0f, y + 7.0f, 15.0f, d->present ? weapon->name : gone ? "out" : "returns", ink);
  if (d->present && weapon->ammo > 0) {
    const int ammo = d->ammo;
    char number[16];
    snprintf(number, sizeof number, "%d", ammo);
    const float left = x + width - 10.0f - pfc_text_width(number, 15.0f);
    out->text(out->context, left, y + 7.0f, 15.0f, number, pfc_rgb(PFC_GOAL));
  }
  out->rounded_rect(out->context, x + 12.0f, y + 32.0f, 84.0f, 7.0f, 3.5f, pfc_rgb(PFC_LINE));
  if (d->present && d->energy > 0.02f)
    out->rounded_rect(out->context, x + 12.0f, y + 32.0f, 84.0f * d->energy, 7.0f,
                      3.5f * pfc_minf(1.0f, 12.0f * d->energy), pfc_rgb(d->emptied ? PFC_BAD : PFC_GOOD));
  for (int32_t life = 0; life < d->lives; ++life)
    out->circle(out->context, x + width - 10.0f - 8.0f * (float)life, y + 35.5f, 3.0f, pfc_rgb(impulse_color(w, i)));
}

static void impulse_draw_clock(const ImpulsePainter* w) {
  const int32_t next = impulse_next_ring(w->s, w->p);
  const float x = IMPULSE_VIEW_WIDTH - 12.0f;
  if (w->p->drones > 7) return;  // the cards fill the column
  if (next >= 0)
    pfc_draw_measure(w->d, x, 446.0f, 20.0f, false, (float)next * IMPULSE_TICK_S, false, "s to the ring");
  else
    pfc_draw_measure(w->d, x, 446.0f, 20.0f, false, (float)w->s->tick * IMPULSE_TICK_S, false, "s");
}

static void impulse_draw(const Impulse* s, const ImpulseParams* p, const PfcDraw* d) {
  const ImpulsePainter w = {s, p, d, IMPULSE_VIEW_HEIGHT / (IMPULSE_CELL * (float)p->cells)};
  d->begin(d->context, IMPULSE_VIEW_WIDTH, IMPULSE_VIEW_HEIGHT, pfc_rgb(PFC_PAGE));
  d->rect(d->context, 0.0f, 0.0f, IMPULSE_VIEW_HEIGHT, IMPULSE_VIEW_HEIGHT, pfc_rgb(PFC_BOARD));
  impulse_draw_next_ring(&w);
  impulse_draw_pickups(&w);
  impulse_draw_blasts(&w);
  impulse_draw_walls(&w);
  impulse_draw_floats(&w);
  for (int32_t i = 0; i < s->shots_end; ++i)
    if (s->shots[i].present) impulse_draw_shot(&w, &s->shots[i]);
  for (int32_t i = 0; i < p->drones; ++i)
    if (s->drones[i].present) impulse_draw_drone(&w, i);
  d->rect(d->context, IMPULSE_VIEW_HEIGHT, -100.0f, IMPULSE_VIEW_WIDTH, 680.0f, pfc_rgb(PFC_PAGE));
  d->rect(d->context, -100.0f, -100.0f, IMPULSE_VIEW_WIDTH + 200.0f, 100.0f, pfc_rgb(PFC_PAGE));
  d->rect(d->context, -100.0f, IMPULSE_VIEW_HEIGHT, IMPULSE_VIEW_WIDTH + 200.0f, 100.0f, pfc_rgb(PFC_PAGE));
  for (int32_t i = 0; i < p->drones; ++i) impulse_draw_card(&w, i);
  impulse_draw_clock(&w);
  d->end(d->context);
}

static const PfcKeyBinding impulse_keys[] = {
    PFC_BIND("d", "fly right", 0, 1),      PFC_BIND("w", "fly up", 0, 3),
    PFC_BIND("a", "fly left", 0, 5),       PFC_BIND("s", "fly down", 0, 7),
    PFC_BIND("q", "aim at the enemy", 1, 17),
    PFC_BIND("right", "aim right", 1, 1),  PFC_BIND("up", "aim up", 1, 5),
    PFC_BIND("left", "aim left", 1, 9),    PFC_BIND("down", "aim down", 1, 13),
    PFC_BIND("space", "fire", 2, 1),       PFC_BIND("x", "brake", 3, 1),
    PFC_BIND("e", "burst", 4, 1),
};

PFC_DEFINE_ENV(impulse, Impulse,
               .title = "Impulse",
               .summary = "drones push each other into death walls with shots, blasts and recoil",
               .version = 1,
               .obs_dtype = PFC_FLOAT32,
               .sizes = {.action_counts = {9, 24, 2, 2, 2}},
               .layout = impulse_layout,
               .check = impulse_check,
               .script = impulse_script,
               .num_levels = 4,
               .team = impulse_team,
               .open = impulse_open,
               .close = impulse_close,
               .max_games = PFC_BOX2D_MAX_WORLDS,
               .limit_help = PFC_BOX2D_LIMIT_HELP,
               .obs_rows = impulse_obs,
               .num_obs_rows = sizeof impulse_obs / sizeof impulse_obs[0],
               .metrics = {"score", "perf", "fight_s", "kills", "self_kills", "hit_rate", "pickups", "shots",
                           "energy_used", "draws"},
               .fps = 10,
               .keys = impulse_keys,
               .num_keys = sizeof impulse_keys / sizeof impulse_keys[0])
