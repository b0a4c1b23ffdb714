// test_impulse.c - the physics and weapons of impulse in scenes: a few bodies in an empty arena, some ticks, and the
// numbers that the game's documentation promises.
#include "impulse_game.h"

// ---- drones ------------------------------------------------------------------------------------------------

static void test_engine(void) {
  Game game = scene_open(IMPULSE_PIT, 31, 2);
  scene_place(&game, 0, -50.0f, 0.0f, 0.0f, 0.0f);
  scene_place(&game, 1, 50.0f, 20.0f, 0.0f, 0.0f);
  scene_idle(&game);
  game.s->intents[0].move = impulse_vec(1.0f, 0.0f);
  ticks(&game, 30);
  CHECK(near(game.s->drones[0].v.x, 5.70f, 0.02f));
  ticks(&game, 180);
  CHECK(near(game.s->drones[0].v.x, 9.06f, 0.01f));
  scene_idle(&game);
  scene_place(&game, 0, -50.0f, 0.0f, 20.0f, 0.0f);
  ticks(&game, 30);
  CHECK(near(game.s->drones[0].v.x, 20.0f * 0.371f, 0.01f));
  scene_place(&game, 0, -50.0f, 0.0f, 20.0f, 0.0f);
  game.s->intents[0].brake = 1;
  ticks(&game, 30);
  CHECK(near(game.s->drones[0].v.x, 20.0f * 0.086f, 0.01f));
  game_close(&game);
}

static void test_energy(void) {
  Game game = scene_open(IMPULSE_PIT, 15, 2);
  const ImpulseDrone* d = &game.s->drones[0];
  scene_idle(&game);
  game.s->intents[0].brake = 1;
  ticks(&game, 59);
  CHECK(d->braking && !d->emptied && d->energy > 0.0f);
  tick(&game);
  CHECK(d->energy == 0.0f && d->emptied && game.s->gain[0] == game.p.reward_empty);
  ticks(&game, 90);  // the wait
  CHECK(d->energy == 0.0f && !d->braking && d->refill_wait == 0);
  tick(&game);
  CHECK(near(d->energy, 0.001f, 0.001f));
  game.s->intents[0].burst = 1;
  ticks(&game, 500);
  CHECK(near(d->energy, 0.501f, 0.001f) && d->emptied && !d->braking && d->charged == 0.0f);
  game.s->intents[0].burst = 0;
  ticks(&game, 498);
  CHECK(d->emptied && !d->braking);
  ticks(&game, 3);
  CHECK(!d->emptied && d->braking);
  game_close(&game);
}

// Half the engine while the energy waits after running empty.
static void test_half_engine(void) {
  Game game = scene_open(IMPULSE_PIT, 31, 2);
  scene_place(&game, 0, -20.0f, 0.0f, 0.0f, 0.0f);
  scene_idle(&game);
  game.s->drones[0].energy = 0.0f, game.s->drones[0].emptied = 1, game.s->drones[0].refill_wait = 90;
  game.s->intents[0].move = impulse_vec(1.0f, 0.0f);
  ticks(&game, 30);
  CHECK(near(game.s->drones[0].v.x, 0.5f * 5.70f, 0.02f));
  game_close(&game);
}

static void test_burst(void) {
  Game game = scene_open(IMPULSE_PIT, 31, 3);
  ImpulseDrone* d = game.s->drones;
  scene_place(&game, 0, 0.0f, 0.0f, 0.0f, 0.0f);
  scene_place(&game, 1, 9.4f, 0.0f, 0.0f, 0.0f);  // its edge is at 8.4 m
  scene_place(&game, 2, 0.0f, 9.6f, 0.0f, 0.0f);
  scene_idle(&game);
  game.s->intents[0].burst = 1;
  tick(&game);
  CHECK(near(d[0].charged, 0.1f, 1e-4f) && near(d[0].energy, 0.9f, 1e-4f));
  ticks(&game, 44);
  CHECK(near(d[0].charged, 0.98f, 1e-4f) && d[1].v.x == 0.0f);
  tick(&game);  // the energy is gone, so it goes off
  const float part = 8.4f / 8.5f;
  CHECK(d[0].charged == 0.0f && d[0].emptied && d[0].pause == 15 && d[0].v.x == 0.0f);
  CHECK(near(d[1].v.x, 175.0f * 2.0f * (1.0f - part * part * part) / IMPULSE_MASS / (1.0f + 1.0f / 30.0f), 0.03f));
  CHECK(d[2].v.y == 0.0f);
  game_close(&game);
}

// A burst beside a wall throws its owner off it.
static void test_burst_off_wall(void) {
  Game game = scene_open(IMPULSE_BOUNCE, 15, 2);
  scene_place(&game, 0, 0.0f, -24.0f, 0.0f, 0.0f);  // 2 m from the wall
  scene_idle(&game);
  game.s->intents[0].burst = 1;
  tick(&game);
  game.s->intents[0].burst = 0;
  tick(&game);
  const float kick = (5.0f + 2.5f) * log2f(2.0f * (35.0f + 14.0f)) / IMPULSE_MASS;
  CHECK(near(game.s->drones[0].v.y, kick / (1.0f + 1.0f / 30.0f), 0.02f));
  CHECK(game.s->drones[0].refill_wait == 30);
  game_close(&game);
}

// ---- weapons -----------------------------------------------------------------------------------------------

// The table of the documentation: speed, hit and recoil in m/s, m/s, N s; times in ticks; range in m, 0: no end;
// bounces -1: no end; energy that a head-on hit of a resting drone gives.
typedef struct Expected {
  int32_t weapon;
  float speed, hit, recoil;
  int32_t shots, ammo, cooldown, charge;
  float range;
  int32_t bounces;
  float energy;
} Expected;

static const Expected expected[] = {
    {IMPULSE_RIFLE, 41.6f, 7.8f, 20.0f, 1, 0, 11, 0, 80.0f, 2, 17.0f * 0.001f},
    {IMPULSE_MACHINE_GUN, 132.6f, 14.4f, 12.8f, 1, 50, 2, 0, 225.0f, 1, 30.0f * 0.0002f},
    {IMPULSE_SNIPER, 191.0f, 109.1f, 96.0f, 1, 3, 45, 30, 0.0f, 0, 300.0f * 0.0012f},
    {IMPULSE_SHOTGUN, 141.5f, 12.2f, 100.0f, 8, 8, 24, 0, 100.0f, 1, 25.0f * 0.0005f},
    {IMPULSE_IMPLODER, 29.8f, 20.2f, 65.0f, 1, 1, 45, 60, 0.0f, 0, 60.0f * 0.001f},
    {IMPULSE_ACCELERATOR, 22.3f, 12.7f, 100.0f, 1, 1, 60, 0, 0.0f, 100, 35.0f * 0.001f},
    {IMPULSE_FLAK, 49.5f, 6.7f, 30.0f, 1, 12, 12, 0, 100.0f, -1, 14.0f * 0.001f},
    {IMPULSE_MINE, 63.7f, 11.6f, 20.0f, 1, 3, 18, 0, 0.0f, -1, 25.0f * 0.001f},
    {IMPULSE_BLACK_HOLE, 15.9f, 21.2f, 75.0f, 1, 3, 30, 23, 0.0f, 0, 125.0f * 0.001f},
    {IMPULSE_NUKE, 14.1f, 17.1f, 150.0f, 1, 1, 90, 150, 0.0f, 0, 85.0f * 0.001f},
};

// The tick of a shot: speed, recoil, ammunition, cooldown; then nothing until the cooldown is over.
static void test_shot(const Expected* e) {
  Game game = scene_open(IMPULSE_PIT, 31, 2);
  ImpulseDrone* d = &game.s->drones[0];
  scene_place(&game, 0, 0.0f, 0.0f, 0.0f, 3.0f);
  scene_place(&game, 1, 0.0f, 50.0f, 0.0f, 0.0f);
  scene_idle(&game);
  impulse_take_weapon(d, e->weapon);
  d->ammo += e->ammo == 1;  // keeps the weapon
  for (int32_t t = 0; t < e->charge; ++t) {  // the charge
    CHECK(d->charge == t && shots_present(&game) == 0);
    game.s->intents[0].fire = 1;
    tick(&game);
  }
  game.s->intents[0].fire = e->charge == 0;
  scene_place(&game, 0, 0.0f, 0.0f, 0.0f, 3.0f);
  const int32_t ammo = d->ammo;
  impulse_use_weapon(game.s, &game.p, 0);
  CHECK(shots_present(&game) == e->shots && d->shots == e->shots && d->cooldown == e->cooldown && d->charge == 0);
  CHECK(d->ammo == (e->ammo == 0 ? 0 : ammo - 1));
  CHECK(near(-d->v.x, e->recoil / 3.927f, 0.01f) && d->v.y == 3.0f);
  float along = 0.0f, across = 0.0f;
  for (int32_t i = 0; i < e->shots; ++i)
    along += game.s->shots[i].v.x / (float)e->shots, across += game.s->shots[i].v.y;
  CHECK(near(along, e->speed, e->shots > 1 ? 0.06f : 0.01f));
  CHECK(e->shots > 1 || near(across, 3.0f, 0.01f));
  CHECK(near(impulse_hit_mps(impulse_shot_mass(&impulse_weapons[e->weapon]), e->speed), e->hit, 0.01f));
  d->charge = e->charge;
  for (int32_t t = 1; t < e->cooldown; ++t) impulse_run_timers(game.s, 0), impulse_use_weapon(game.s, &game.p, 0);
  CHECK(d->shots == e->shots);
  d->charge = e->charge;
  impulse_run_timers(game.s, 0), impulse_use_weapon(game.s, &game.p, 0);
  CHECK(d->shots == 2 * e->shots);
  if (e->ammo == 1) CHECK(d->weapon == IMPULSE_RIFLE && d->ammo == 0);
  game_close(&game);
}

static void test_letting_go_early(void) {
  Game game = scene_open(IMPULSE_PIT, 15, 2);
  ImpulseDrone* d = &game.s->drones[0];
  scene_idle(&game);
  impulse_take_weapon(d, IMPULSE_SNIPER);
  game.s->intents[0].fire = 1;
  ticks(&game, 10);
  game.s->intents[0].fire = 0;
  ticks(&game, 4);
  CHECK(d->charge == 6 && d->shots == 0);
  ticks(&game, 10);
  CHECK(d->charge == 0 && d->shots == 0 && d->ammo == 3);
  game_close(&game);
}

static void test_heat(void) {
  Game game = scene_open(IMPULSE_PIT, 31, 2);
  ImpulseDrone* d = &game.s->drones[0];
  impulse_take_weapon(d, IMPULSE_MACHINE_GUN);
  d->heat = 1.0f;
  float widest = 0.0f;
  for (int32_t i = 0; i < 49; ++i) {
    scene_place(&game, 0, 0.0f, 0.0f, 0.0f, 0.0f);
    impulse_fire(game.s, &game.p, 0);
    widest = fmaxf(widest, fabsf(game.s->shots[i].v.y / game.s->shots[i].v.x));
  }
  CHECK(widest < 0.1004f && widest > 0.08f && d->heat == 1.0f && d->ammo == 1);
  for (int32_t t = 0; t < 60; ++t) impulse_run_timers(game.s, 0);
  CHECK(d->heat < 1e-4f);
  game_close(&game);
}

// A head-on hit of a resting drone at 10 m: its velocity, both momenta, reward and energy. The drone's damping acts
// within the tick and takes up to 2.6 % of the momentum. What explodes or pulls moves the drone by that too.
static void test_head_on(const Expected* e) {
  Game game = scene_open(IMPULSE_PIT, 31, 2);
  ImpulseDrone *shooter = &game.s->drones[0], *victim = &game.s->drones[1];
  const float mass = impulse_shot_mass(&impulse_weapons[e->weapon]);
  scene_place(&game, 0, -5.0f, 0.0f, 0.0f, 0.0f);
  scene_place(&game, 1, 5.0f, 0.0f, 0.0f, 0.0f);
  scene_idle(&game);
  const int32_t i = scene_shot(&game, 0, e->weapon, impulse_vec(-3.0f, 0.0f), impulse_vec(e->speed, 0.0f));
  const ImpulseShot* shot = &game.s->shots[i];
  shooter->energy = 0.2f, shooter->refill_wait = 1000;
  for (int32_t t = 0; t < 60 && shooter->hits == 0; ++t) tick(&game);
  CHECK(shooter->hits == 1 && victim->enemy == 0);
  const float before = impulse_length(shot->v_before);
  if (impulse_weapons[e->weapon].blast == 0.0f || e->weapon == IMPULSE_MINE || e->weapon == IMPULSE_FLAK) {
    CHECK(near(victim->v.x, e->hit, 0.05f) && fabsf(victim->v.y) < 0.01f * e->hit);
    const float after = shot->v.x / (e->weapon == IMPULSE_ACCELERATOR ? 1.07f : 1.0f);
    CHECK(near(mass * after + IMPULSE_MASS * victim->v.x, mass * before, 0.026f));
    CHECK(near(game.s->gain[0], game.p.reward_hit * fminf(e->hit, 50.0f), 0.07f));
    CHECK(near(shooter->energy - 0.2f, e->energy * before / e->speed, 0.01f));
  } else {
    CHECK(shooter->energy - 0.2f >= 0.99f * e->energy);
  }
  game_close(&game);
}

// No shot passes through a drone, from any side and distance.
static void test_shots_hit(int32_t weapon) {
  Game game = scene_open(IMPULSE_PIT, 31, 2);
  const ImpulseWeapon* w = &impulse_weapons[weapon];
  PfcRng rng;
  pfc_rng_seed(&rng, 3, (uint64_t)weapon);
  int32_t hits = 0;
  for (int32_t i = 0; i < 300; ++i) {
    const float distance = pfc_rng_uniform(&rng, 2.5f, 24.0f), angle = pfc_rng_uniform(&rng, -PFC_PI, PFC_PI);
    const b2Vec2 aim = impulse_turn_by(impulse_vec(1.0f, 0.0f), angle);
    ImpulseDrone* d = game.s->drones;
    scene_idle(&game);
    scene_place(&game, 0, 0.0f, 0.0f, 0.0f, 0.0f);
    scene_place(&game, 1, distance * aim.x, distance * aim.y, 0.0f, 0.0f);
    d[0].hits = 0;
    d[0].weapon = weapon;
    impulse_launch(game.s, &game.p, 0, aim, w->fire);
    for (int32_t t = 0; t < 120 && d[0].hits == 0 && shots_present(&game) > 0; ++t) {
      tick(&game);
      impulse_set_velocity(d[0].body, &d[0].v, impulse_vec(0.0f, 0.0f));
    }
    hits += d[0].hits;
    for (int32_t k = 0; k < IMPULSE_SHOTS; ++k) impulse_remove_shot(game.s, k);
  }
  if (!CHECK(hits == 300)) fprintf(stderr, "  %s: %d of 300 shots hit\n", w->name, hits);
  game_close(&game);
}

// A shot into a wall ends where it is fired; recoil and ammunition count, and its blast goes off.
static void test_shot_into_a_wall(void) {
  Game game = scene_open(IMPULSE_BOUNCE, 15, 2);
  ImpulseDrone* d = &game.s->drones[0];
  scene_place(&game, 0, 24.5f, 4.0f, 0.0f, 0.0f);  // 1.5 m from the wall
  scene_idle(&game);
  scene_arm(&game, 0, IMPULSE_IMPLODER);
  impulse_fire(game.s, &game.p, 0);
  CHECK(game.s->shots[0].done && game.s->shots[0].at.x < 26.0f && d->weapon == IMPULSE_RIFLE);
  CHECK(near(-d->v.x, 65.0f / 3.927f, 0.01f));
  tick(&game);
  CHECK(game.s->num_blasts == 1 && shots_present(&game) == 0);
  scene_place(&game, 0, 24.5f, 4.0f, 0.0f, 0.0f);
  scene_arm(&game, 0, IMPULSE_MINE);
  impulse_fire(game.s, &game.p, 0);
  CHECK(game.s->shots[0].stuck == 1 && game.s->shots[0].at.x <= 25.5f && game.s->shots[0].at.x > 25.0f);
  game_close(&game);
}

static void test_oldest_shot_goes(void) {
  Game game = scene_open(IMPULSE_BOUNCE, 31, 2);
  scene_place(&game, 0, 0.0f, 20.0f, 0.0f, 0.0f);
  for (int32_t i = 0; i < IMPULSE_SHOTS; ++i) impulse_launch(game.s, &game.p, 0, impulse_vec(1.0f, 0.0f), 17.0f);
  impulse_launch(game.s, &game.p, 0, impulse_vec(1.0f, 0.0f), 17.0f);
  CHECK(shots_present(&game) == IMPULSE_SHOTS && game.s->shots[0].number == IMPULSE_SHOTS && game.s->num_blasts == 0);
  game_close(&game);
}

// ---- walls -------------------------------------------------------------------------------------------------

// A bouncy wall takes no speed and no bounces, not even at 0.5 m/s across it.
static void test_bouncy_walls(void) {
  Game game = scene_open(IMPULSE_BOUNCE, 15, 2);
  const int32_t i = scene_shot(&game, 0, IMPULSE_RIFLE, impulse_vec(0.0f, 10.0f), impulse_vec(41.6f, 0.0f));
  ImpulseShot* shot = &game.s->shots[i];
  scene_place(&game, 0, 0.0f, -20.0f, 0.0f, 0.0f);
  scene_place(&game, 1, 0.0f, -10.0f, 0.0f, 0.0f);
  scene_idle(&game);
  int32_t turns = 0;
  for (int32_t t = 0; t < 2000 && turns < 20; ++t) {
    const float before = shot->v.x;
    tick(&game);
    turns += shot->v.x * before < 0.0f;
    shot->age = 0, shot->path = 0.0f;
  }
  CHECK(turns == 20 && shot->present && shot->bounced == 0 && near(impulse_length(shot->v), 41.6f, 0.01f));
  for (int32_t k = 0; k < 20; ++k) {
    impulse_remove_shot(game.s, i);
    CHECK(scene_shot(&game, 0, IMPULSE_RIFLE, impulse_vec(-10.0f, 25.78f), impulse_vec(10.0f, 0.5f)) == i);
    ticks(&game, 12);
    CHECK(near(shot->v.y, -0.5f, 0.01f) && near(shot->v.x, 10.0f, 0.01f) && shot->bounced == 0);
  }
  game_close(&game);
}

// In a pit every contact counts. One more than the table allows ends the shot; flak bounces until its range ends.
static void test_bounces(const Expected* e) {
  Game game = scene_open(IMPULSE_PIT, 11, 2);
  const int32_t i = scene_shot(&game, 0, e->weapon, impulse_vec(0.0f, 10.0f), impulse_vec(e->speed, 0.0f));
  ImpulseShot* shot = &game.s->shots[i];
  scene_place(&game, 0, 0.0f, -12.0f, 0.0f, 0.0f);
  scene_place(&game, 1, 0.0f, -8.0f, 0.0f, 0.0f);
  scene_idle(&game);
  int32_t turns = 0;
  for (int32_t t = 0; t < 1500 && shot->present; ++t) {
    const float before = shot->v.x;
    tick(&game);
    turns += shot->v.x * before < 0.0f;
    shot->age = 0, shot->path = 0.0f;
  }
  CHECK(turns > e->bounces);
  CHECK(shot->present == (e->bounces < 0));
  if (e->bounces >= 0 && !CHECK(turns == e->bounces + 1 && shot->bounced == turns))
    fprintf(stderr, "  %s: %d turns\n", impulse_weapons[e->weapon].name, turns);
  game_close(&game);
}

// Between bouncy walls nothing counts, so a shot ends after its range, or else after 10 s. What explodes does it then.
static void test_ends(const Expected* e) {
  Game game = scene_open(IMPULSE_BOUNCE, 31, 2);
  const int32_t i = scene_shot(&game, 0, e->weapon, impulse_vec(0.0f, 30.0f), impulse_vec(e->speed, 0.0f));
  ImpulseShot* shot = &game.s->shots[i];
  const bool explodes = e->weapon == IMPULSE_IMPLODER || e->weapon == IMPULSE_FLAK || e->weapon == IMPULSE_NUKE;
  scene_place(&game, 0, 0.0f, -40.0f, 0.0f, 0.0f);
  scene_place(&game, 1, 0.0f, -46.0f, 0.0f, 0.0f);
  scene_idle(&game);
  float before = 0.0f;
  for (int32_t t = 0; t < 400 && shot->present; ++t) before = shot->path, tick(&game);
  CHECK(!shot->present && game.s->num_blasts == explodes);
  if (e->range > 0.0f) CHECK(before < e->range && shot->path >= e->range && shot->age < 300);
  else CHECK(shot->age == 300);
  game_close(&game);
}

static void test_accelerator(void) {
  Game game = scene_open(IMPULSE_PIT, 11, 2);
  const int32_t i = scene_shot(&game, 0, IMPULSE_ACCELERATOR, impulse_vec(0.0f, 10.0f), impulse_vec(22.3f, 0.0f));
  ImpulseShot* shot = &game.s->shots[i];
  scene_place(&game, 0, 0.0f, -12.0f, 0.0f, 0.0f);
  scene_place(&game, 1, 0.0f, -8.0f, 0.0f, 0.0f);
  scene_idle(&game);
  for (int32_t turns = 0; turns < 60;) {
    const b2Vec2 before = shot->v;
    tick(&game);
    shot->age = 0;
    if (!CHECK(shot->present)) break;
    if (shot->v.x * before.x >= 0.0f) continue;
    ++turns;
    CHECK(near(impulse_length(shot->v), fminf(300.0f, 1.07f * impulse_length(before)), 0.01f));
  }
  CHECK(near(impulse_length(shot->v), 300.0f, 0.01f) && shot->bounced == 60);
  game_close(&game);
}

// It dies in the tick in which it touches the wall, and never gets beyond.
static void test_death_walls(float mps) {
  Game game = scene_open(IMPULSE_PIT, 15, 2);
  const ImpulseDrone* d = &game.s->drones[0];
  scene_place(&game, 0, 10.0f, 1.0f, mps, 0.0f);
  scene_idle(&game);
  game.s->intents[0].move = impulse_vec(1.0f, 0.0f);
  float before = d->at.x, speed = mps;
  for (int32_t t = 0; t < 300 && d->present; ++t) {
    before = d->at.x, speed = d->v.x;
    tick(&game);
    CHECK(d->at.x < (d->present ? 24.98f : 25.3f));  // a fast body may sink into a wall by a fifth of its radius
  }
  CHECK(before + (speed + 0.3f) * IMPULSE_TICK_S > 24.97f);  // not before it touched
  CHECK(!d->present && d->lives == 0 && d->self_kills == 1);
  game_close(&game);
}

static void test_standard_walls(float mps) {
  Game game = scene_open(IMPULSE_PILLARS, 15, 2);  // the one in the middle is always there
  const ImpulseDrone* d = &game.s->drones[0];
  scene_place(&game, 0, -4.0f, 0.0f, mps, 0.0f);
  scene_idle(&game);
  float before = mps;
  for (int32_t t = 0; t < 60 && d->v.x > 0.0f; ++t) before = d->v.x, tick(&game);
  CHECK(d->present && d->at.x < -2.8f && near(-d->v.x, 0.3f * before, 0.08f));
  game_close(&game);
}

// ---- blasts ------------------------------------------------------------------------------------------------

static ImpulseCharge nuke_at(float x, float y, int32_t owner) {
  const ImpulseWeapon* w = &impulse_weapons[IMPULSE_NUKE];
  const ImpulseCharge charge = {impulse_vec(x, y), w->blast_radius, w->blast, owner, false};
  return charge;
}

static void test_blast(void) {
  Game game = scene_open(IMPULSE_PILLARS, 15, 2);
  ImpulseDrone* d = &game.s->drones[1];
  const float full = 300.0f * 2.0f * (1.0f - powf(9.0f / 35.0f, 3.0f)) / IMPULSE_MASS;
  ImpulseCharge nuke = nuke_at(8.0f, -8.0f, 0);
  game.s->grid[impulse_cell_at(&game.p, impulse_vec(0.0f, 16.0f))] = IMPULSE_FREE;
  scene_place(&game, 0, -20.0f, 8.0f, 0.0f, 0.0f);
  scene_place(&game, 1, 18.0f, -8.0f, 0.0f, 0.0f);
  impulse_blast(game.s, &game.p, &nuke);
  CHECK(near(d->v.x, full, 0.001f) && d->v.y == 0.0f && d->enemy == 0);
  CHECK(near(game.s->gain[0], game.p.reward_hit * 50.0f, 0.001f));  // counts 50 m/s
  nuke = nuke_at(-5.0f, 0.0f, 0);
  scene_place(&game, 1, 5.0f, 0.0f, 0.0f, 0.0f);  // behind the pillar in the middle
  impulse_blast(game.s, &game.p, &nuke);
  CHECK(d->v.x == 0.0f && d->v.y == 0.0f);
  nuke = nuke_at(8.0f, -8.0f, 0);
  scene_place(&game, 1, 18.0f, -8.0f, 0.0f, 0.0f);
  impulse_add_shield(game.s, 1, 45);
  impulse_blast(game.s, &game.p, &nuke);
  CHECK(near(d->v.x, 0.5f * full, 0.001f) && !impulse_shielded(d));
  game_close(&game);
}

static int32_t scene_mine(Game* game, int32_t owner, float x, float y) {
  const int32_t i = scene_shot(game, owner, IMPULSE_MINE, impulse_vec(x, y), impulse_vec(0.0f, 0.0f));
  impulse_stick(game->s, i, 1);
  return i;
}

static void test_mines(void) {
  Game game = scene_open(IMPULSE_BOUNCE, 31, 2);
  scene_place(&game, 0, -40.0f, 40.0f, 0.0f, 0.0f);
  scene_place(&game, 1, 40.0f, 40.0f, 0.0f, 0.0f);
  scene_idle(&game);
  const int32_t a = scene_mine(&game, 0, 30.0f, -57.5f), b = scene_mine(&game, 1, 40.0f, -57.5f);
  ticks(&game, 30);
  CHECK(game.s->shots[a].present && game.s->shots[b].present && game.s->num_blasts == 0);
  ImpulseCharge nuke = nuke_at(20.0f, -40.0f, 0);
  nuke.radius = 25.0f;  // reaches the first mine, whose blast reaches the second
  impulse_blast(game.s, &game.p, &nuke);
  nuke.radius = 10.0f;
  CHECK(game.s->shots[a].triggered == 1);
  game.s->shots[b].triggered = 0;
  tick(&game);
  CHECK(!game.s->shots[a].present && !game.s->shots[b].present && game.s->num_blasts == 3);
  game_close(&game);
}

static void test_mine_watches(void) {
  Game game = scene_open(IMPULSE_BOUNCE, 31, 2);
  scene_place(&game, 0, 30.0f, -50.0f, 0.0f, 0.0f);  // its owner may be near
  scene_place(&game, 1, 40.0f, 40.0f, 0.0f, 0.0f);
  scene_idle(&game);
  const int32_t i = scene_mine(&game, 0, 30.0f, -57.5f);
  ticks(&game, 20);
  CHECK(game.s->shots[i].present);
  scene_place(&game, 1, 34.0f, -51.0f, 0.0f, 0.0f);  // 6.6 m
  ticks(&game, 1);
  CHECK(game.s->shots[i].present && game.s->shots[i].stuck_ticks > 15 ? false : true);
  CHECK(game.s->num_blasts == 1 && game.s->drones[1].v.y > 10.0f && game.s->drones[1].enemy == 0);
  game_close(&game);
}

// A mine on a floating wall moves with it, and goes with it when a ring closes.
static void test_mine_on_a_wall(void) {
  Game game = scene_open(IMPULSE_DEBRIS, 31, 2);
  scene_idle(&game);
  ImpulseFloat* wall = &game.s->floats[0];
  CHECK(wall->present);
  wall->at = impulse_vec(0.0f, 40.0f), wall->turn = b2Rot_identity;
  b2Body_SetTransform(wall->body, wall->at, wall->turn);
  scene_place(&game, 0, -30.0f, -40.0f, 0.0f, 0.0f);
  scene_place(&game, 1, 30.0f, -40.0f, 0.0f, 0.0f);
  const int32_t i = scene_shot(&game, 0, IMPULSE_MINE, impulse_vec(-6.0f, 40.0f), impulse_vec(30.0f, 0.0f));
  const ImpulseShot* mine = &game.s->shots[i];
  ticks(&game, 10);
  CHECK(mine->stuck == 2 && near(mine->at.x, wall->at.x - 2.0f, 0.05f) && wall->pusher == 0);
  impulse_push_float(game.s, wall, impulse_vec(0.0f, 200.0f), 1);
  ticks(&game, 15);
  CHECK(wall->at.y > 41.0f && near(impulse_gap(mine->at, wall->at), 2.0f, 0.05f) && wall->pusher == 1);
  impulse_remove_float(game.s, 0);
  CHECK(!mine->present);
  game_close(&game);
}

// Flak goes off beside an enemy, but not in the first 25 m.
static void test_flak(float distance, bool goes_off) {
  Game game = scene_open(IMPULSE_PIT, 31, 2);
  scene_place(&game, 0, -40.0f, -20.0f, 0.0f, 0.0f);
  scene_place(&game, 1, -40.0f + distance, 2.5f, 0.0f, 0.0f);  // the shot passes 1.5 m from its edge
  scene_idle(&game);
  const int32_t i = scene_shot(&game, 0, IMPULSE_FLAK, impulse_vec(-40.0f, 0.0f), impulse_vec(49.5f, 0.0f));
  ticks(&game, 30);
  CHECK(game.s->num_blasts == goes_off && game.s->shots[i].present == !goes_off);
  CHECK(goes_off ? game.s->drones[1].v.y > 3.0f && game.s->drones[1].enemy == 0 : game.s->drones[1].v.y == 0.0f);
  game_close(&game);
}

// An imploder that ends beside a drone pulls it.
static void test_imploder(void) {
  Game game = scene_open(IMPULSE_BOUNCE, 31, 2);
  scene_place(&game, 0, -40.0f, -20.0f, 0.0f, 0.0f);
  scene_place(&game, 1, 10.0f, 30.0f, 0.0f, 0.0f);
  scene_idle(&game);
  const int32_t i = scene_shot(&game, 0, IMPULSE_IMPLODER, impulse_vec(0.0f, 30.0f), impulse_vec(0.0f, 0.0f));
  game.s->shots[i].done = 1;
  tick(&game);
  const float part = 9.0f / 15.0f;
  CHECK(near(game.s->drones[1].v.x, -200.0f * 2.0f * (1.0f - part * part * part) / IMPULSE_MASS, 0.001f));
  game_close(&game);
}

// A blast turns and speeds up shots, but never slows one down.
static void test_blasts_keep_shots_fast(void) {
  Game game = scene_open(IMPULSE_PIT, 31, 2);
  scene_place(&game, 0, -40.0f, -20.0f, 0.0f, 0.0f);
  scene_place(&game, 1, 40.0f, -20.0f, 0.0f, 0.0f);
  const ImpulseCharge nuke = {impulse_vec(10.0f, 0.0f), 35.0f, 300.0f, 1, false};
  const int32_t to = scene_shot(&game, 0, IMPULSE_RIFLE, impulse_vec(0.0f, 0.0f), impulse_vec(41.6f, 0.0f));
  const int32_t from = scene_shot(&game, 0, IMPULSE_RIFLE, impulse_vec(0.0f, 5.0f), impulse_vec(-41.6f, 0.0f));
  impulse_blast(game.s, &game.p, &nuke);
  CHECK(impulse_length(game.s->shots[to].v) > 41.59f && game.s->shots[to].v.x < 0.0f);
  CHECK(impulse_length(game.s->shots[from].v) > 200.0f && game.s->shots[from].v.y > 0.0f);
  game_close(&game);
}

static void test_black_hole(void) {
  Game game = scene_open(IMPULSE_BOUNCE, 31, 2);
  scene_place(&game, 0, -5.0f, 30.0f, 0.0f, 0.0f);
  scene_place(&game, 1, 5.0f, 30.0f, 0.0f, 0.0f);
  scene_idle(&game);
  const int32_t i = scene_shot(&game, 0, IMPULSE_BLACK_HOLE, impulse_vec(0.0f, 30.0f), impulse_vec(0.0f, 0.0f));
  impulse_pull(game.s, &game.p, i);
  CHECK(near(-game.s->drones[1].v.x, 300.0f * 2.0f * (1.0f - 4.0f / 10.0f) / 30.0f / IMPULSE_MASS, 0.001f));
  CHECK(game.s->drones[0].v.x == 0.0f && game.s->drones[1].enemy == 0);
  scene_place(&game, 0, -15.5f, 30.0f, 0.0f, 0.0f);
  impulse_pull(game.s, &game.p, i);
  scene_place(&game, 0, -5.0f, 30.0f, 0.0f, 0.0f);
  impulse_pull(game.s, &game.p, i);
  CHECK(game.s->drones[0].v.x > 1.0f);  // it has been 15 m away
  const int32_t passing = scene_shot(&game, 1, IMPULSE_RIFLE, impulse_vec(0.0f, 35.2f), impulse_vec(41.6f, 0.0f));
  impulse_pull(game.s, &game.p, i);
  const float pull = 300.0f * 0.4f * (1.0f - 5.0f / 10.0f) / 30.0f / 0.4084f;
  CHECK(near(-game.s->shots[passing].v.y, pull, 0.001f) && game.s->shots[passing].v.x == 41.6f);
  game_close(&game);
}

// ---- shields -----------------------------------------------------------------------------------------------

static void test_shield(void) {
  Game game = scene_open(IMPULSE_PIT, 31, 2);
  ImpulseDrone* d = game.s->drones;
  scene_place(&game, 0, -30.0f, 0.0f, 0.0f, 0.0f);
  scene_place(&game, 1, 0.0f, 0.0f, 0.0f, 0.0f);
  scene_idle(&game);
  impulse_add_shield(game.s, 1, 1000);
  d[0].energy = 0.5f;
  const int32_t i = scene_shot(&game, 0, IMPULSE_RIFLE, impulse_vec(-10.0f, 0.0f), impulse_vec(41.6f, 0.0f));
  for (int32_t t = 0; t < 20; ++t) tick(&game);
  CHECK(game.s->shots[i].v.x < -40.0f && game.s->shots[i].bounced == 0);
  CHECK(near(d[1].shield_health, 100.0f - 0.5f * 17.0f, 0.002f) && d[1].v.x == 0.0f);
  impulse_remove_shot(game.s, i);
  d[1].shield_health = 5.0f;
  const float energy = d[0].energy;
  (void)scene_shot(&game, 0, IMPULSE_RIFLE, impulse_vec(-10.0f, 0.0f), impulse_vec(41.6f, 0.0f));
  for (int32_t t = 0; t < 9; ++t) tick(&game);
  CHECK(d[1].v.x == 0.0f && !impulse_shielded(&d[1]) && B2_IS_NULL(d[1].shield));
  CHECK(near(d[0].energy, energy + 0.25f, 0.05f) && near(d[1].energy, 0.67f, 0.03f));
  game_close(&game);
}

int main(void) {
  test_engine();
  test_energy();
  test_half_engine();
  test_burst();
  test_burst_off_wall();
  for (size_t i = 0; i < sizeof expected / sizeof expected[0]; ++i) test_shot(&expected[i]);
  test_letting_go_early();
  test_heat();
  for (size_t i = 0; i < sizeof expected / sizeof expected[0]; ++i) test_head_on(&expected[i]);
  for (int32_t weapon = 0; weapon < IMPULSE_WEAPONS; ++weapon) test_shots_hit(weapon);
  test_shot_into_a_wall();
  test_oldest_shot_goes();
  test_bouncy_walls();
  for (size_t i = 0; i < sizeof expected / sizeof expected[0]; ++i) {
    if (expected[i].weapon == IMPULSE_MINE) continue;  // it sticks to the first wall; see test_mine_on_a_wall
    test_bounces(&expected[i]);
    test_ends(&expected[i]);
  }
  test_accelerator();
  test_death_walls(5.0f);
  test_death_walls(120.0f);
  test_standard_walls(5.0f);
  test_standard_walls(12.0f);
  test_blast();
  test_mines();
  test_mine_watches();
  test_mine_on_a_wall();
  test_flak(20.0f, false);
  test_flak(35.0f, true);
  test_imploder();
  test_blasts_keep_shots_fast();
  test_black_hole();
  test_shield();
  return check_report();
}
