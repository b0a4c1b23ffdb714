// test_impulse_rules.c - rewards, lives, teams, ends, sudden death, arenas and observations of impulse.
#include "impulse_game.h"

// ---- rewards -----------------------------------------------------------------------------------------------

static void test_hits_are_limited(void) {
  Game game = scene_open(IMPULSE_PIT, 15, 3);
  for (int32_t i = 0; i < 4; ++i) impulse_hurt(game.s, &game.p, 0, 1, 50.0f);
  impulse_hurt(game.s, &game.p, 2, 1, 30.0f);  // another attacker
  impulse_hurt(game.s, &game.p, 0, 2, 10.0f);  // another victim
  CHECK(near(game.s->gain[0], 60.0f * game.p.reward_hit, 1e-5f));
  CHECK(near(game.s->gain[2], 30.0f * game.p.reward_hit + 10.0f * game.p.reward_taken, 1e-5f));
  CHECK(near(game.s->gain[1], 80.0f * game.p.reward_taken, 1e-5f));
  game_close(&game);
}

static void test_pickups_are_limited(void) {
  Game game = scene_open(IMPULSE_PIT, 15, 2);
  game.p.pickups = 1;
  scene_idle(&game);
  for (int32_t i = 0; i < 6; ++i) {
    ImpulsePickup* pickup = &game.s->pickups[0];
    game.s->gain[0] = 0.0f;
    pickup->present = 1, pickup->weapon = IMPULSE_FLAK, pickup->at = game.s->drones[0].at;
    if (i != 3) impulse_take_weapon(&game.s->drones[0], IMPULSE_RIFLE);  // the fourth comes while it holds flak
    tick(&game);
    CHECK(game.s->drones[0].weapon == IMPULSE_FLAK && game.s->drones[0].pickups == i + 1 && pickup->wait == 90);
    CHECK(game.s->gain[0] == (i < 3 ? game.p.reward_pickup : 0.0f));
  }
  game_close(&game);
}

static void test_pickups_return_elsewhere(void) {
  ImpulseParams p = default_params();
  p.arena = IMPULSE_PIT;
  p.weapons = 1 << IMPULSE_SNIPER | 1;
  Game game = game_open(p, 2, 0);
  scene_idle(&game);
  for (int32_t k = 0; k < p.pickups; ++k) {
    CHECK(game.s->pickups[k].present && game.s->pickups[k].weapon == IMPULSE_SNIPER);
    for (int32_t j = 0; j < k; ++j) CHECK(impulse_gap(game.s->pickups[k].at, game.s->pickups[j].at) >= 10.0f);
  }
  const b2Vec2 place = game.s->pickups[0].at;
  scene_place(&game, 0, place.x + 2.4f, place.y, 0.0f, 0.0f);
  scene_place(&game, 1, place.x, place.y - 2.4f, 0.0f, 0.0f);  // as near; the lower index takes it
  tick(&game);
  CHECK(!game.s->pickups[0].present && game.s->drones[0].weapon == IMPULSE_SNIPER && game.s->drones[1].weapon == 0);
  scene_place(&game, 0, 0.0f, 0.0f, 0.0f, 0.0f);
  ticks(&game, 89);
  CHECK(!game.s->pickups[0].present);
  tick(&game);
  CHECK(game.s->pickups[0].present && impulse_gap(game.s->pickups[0].at, place) >= IMPULSE_CELL);
  game_close(&game);
}

// A common kind that lies about is drawn less often.
static void test_weights_of_pickups(void) {
  Game game = scene_open(IMPULSE_PIT, 15, 2);
  int32_t drawn[IMPULSE_WEAPONS] = {0};
  for (int32_t i = 0; i < 20000; ++i) drawn[impulse_draw_weapon(game.s, &game.p)] += 1;
  CHECK(drawn[0] == 0);
  for (int32_t w = 1; w < IMPULSE_WEAPONS; ++w)
    CHECK(near((float)drawn[w], 20000.0f * impulse_weapons[w].weight / 17.5f, w == IMPULSE_NUKE ? 0.2f : 0.08f));
  game.p.pickups = 2;
  for (int32_t k = 0; k < 2; ++k) game.s->pickups[k].present = 1, game.s->pickups[k].weapon = IMPULSE_SNIPER;
  int32_t snipers = 0;
  for (int32_t i = 0; i < 20000; ++i) snipers += impulse_draw_weapon(game.s, &game.p) == IMPULSE_SNIPER;
  CHECK(near((float)snipers, 20000.0f * 1.0f / 15.5f, 0.1f));
  game_close(&game);
}

// ---- deaths and ends ---------------------------------------------------------------------------------------

// Into the wall at the right edge of a 15-cell pit with the next tick.
static void doom(Game* game, int32_t i) { scene_place(game, i, 24.9f, -16.0f + 6.0f * (float)i, 30.0f, 0.0f); }

static Game fight_open(int32_t drones, int32_t learners, int32_t teams, int32_t lives) {
  Game game = scene_open(IMPULSE_PIT, 15, drones);
  game.p.learners = learners;
  game.p.teams = teams;
  game.p.lives = lives;
  game.p.bot = 0;
  for (int32_t i = 0; i < drones; ++i) {
    game.s->drones[i].lives = lives;
    scene_place(&game, i, -16.0f + 6.0f * (float)(i % 4), i < 4 ? 0.0f : 8.0f, 0.0f, 0.0f);
  }
  return game;
}

static void test_draw(void) {
  Game game = fight_open(2, 2, 0, 1);
  doom(&game, 0), doom(&game, 1);
  game_step(&game);
  float metrics[10] = {0};
  CHECK(game.terminated[0] && game.terminated[1] && game.s->tick == 1);  // the rest of the step is not played
  for (int32_t i = 0; i < 2; ++i) {
    spec->metrics_one(game.s, &game.p, i, metrics);
    CHECK(metrics[0] == 0.0f && metrics[1] == 0.0f && metrics[4] == 1.0f && metrics[9] == 1.0f);
    CHECK(near(game.rewards[i], game.p.reward_self_kill, 1e-5f));
  }
  game_close(&game);
}

static void test_win_and_blame(int32_t ticks_before) {
  Game game = fight_open(2, 2, 0, 1);
  impulse_hurt(game.s, &game.p, 0, 1, 2.0f);
  game.s->tick += ticks_before;
  doom(&game, 1);
  game_step(&game);
  const float own = game.p.reward_win + (ticks_before < 90 ? game.p.reward_kill : 0.0f);
  CHECK(game.terminated[0] && near(game.rewards[0], own, 1e-5f) && game.s->drones[0].won);
  CHECK(near(game.rewards[1], game.p.reward_loss + (ticks_before < 90 ? 0.0f : game.p.reward_self_kill), 1e-5f));
  CHECK(game.s->drones[0].kills == (ticks_before < 90) && game.s->drones[1].self_kills == (ticks_before >= 90));
  game_close(&game);
}

// A death wall that an enemy has pushed into the victim is that enemy's kill.
static void test_pushed_wall_kills(void) {
  ImpulseParams p = default_params();
  p.arena = IMPULSE_DEBRIS;
  p.learners = 2;
  Game game = game_open(p, 4, 0);
  ImpulseFloat* wall = &game.s->floats[8];
  CHECK(wall->present && wall->kind == IMPULSE_DEATH);
  impulse_remove_shield(game.s, 0), impulse_remove_shield(game.s, 1);
  scene_place(&game, 0, -20.0f, 20.0f, 0.0f, 0.0f);
  wall->pusher = 0, wall->pusher_tick = 0;
  scene_place(&game, 1, wall->at.x + 2.0f, wall->at.y, -10.0f, 0.0f);
  game_step(&game);
  CHECK(game.terminated[0] && game.s->drones[0].kills == 1 && !game.s->drones[1].present);
  game_close(&game);
}

static void test_teams(void) {
  Game game = fight_open(4, 4, 2, 1);
  doom(&game, 2);
  game_step(&game);
  CHECK(!game.alive[2] && !game.terminated[2] && game.rewards[2] == game.p.reward_self_kill);
  impulse_hurt(game.s, &game.p, 0, 2, 5.0f);  // a team mate is no enemy
  CHECK(game.s->gain[0] == 0.0f);
  doom(&game, 1);
  game_step(&game);
  CHECK(!game.alive[1] && !game.terminated[0] && game.rewards[1] == game.p.reward_self_kill);  // drone 3 is left
  doom(&game, 3);
  game_step(&game);
  CHECK(game.terminated[0] && game.rewards[0] == game.p.reward_win && game.rewards[2] == game.p.reward_win);
  CHECK(game.rewards[1] == game.p.reward_loss);
  CHECK(near(game.rewards[3], game.p.reward_loss + game.p.reward_self_kill, 1e-5f));
  game_close(&game);
}

// The fight ends when no agent has lives left; its team has then lost although a bot of it still flies.
static void test_no_agent_left(void) {
  Game game = fight_open(4, 1, 2, 1);
  doom(&game, 0);
  game_step(&game);
  CHECK(game.terminated[0] && near(game.rewards[0], game.p.reward_loss + game.p.reward_self_kill, 1e-5f));
  game_close(&game);
}

static void test_lives(void) {
  Game game = fight_open(2, 1, 0, 3);
  ImpulseDrone* d = &game.s->drones[0];
  d->energy = 0.2f;
  doom(&game, 0);
  game_step(&game);
  CHECK(!game.terminated[0] && game.alive[0] && d->lives == 2 && !d->present && d->wait > 0);
  ImpulseObs obs;
  spec->observe_one(game.s, &game.p, 0, &obs);
  CHECK(obs.own[4] == 0.0f && obs.own[5] == 0.0f && near(obs.own[16], 2.0f / 3.0f, 1e-5f));
  while (!d->present) tick(&game);
  CHECK(game.s->tick == 1 + 60 && d->shield_ticks == 90 && d->energy == 0.5f && d->weapon == IMPULSE_RIFLE);
  CHECK(impulse_gap(d->at, game.s->drones[1].at) >= 10.0f);
  game_close(&game);
}

// ---- sudden death ------------------------------------------------------------------------------------------

static void test_sudden_death(void) {
  ImpulseParams p = default_params();
  p.arena = IMPULSE_ROOMS;
  p.bot = p.pilot = 0;
  Game game = game_open(p, 3, 0);
  uint8_t before[225];
  scene_place(&game, 0, 6.0f, 6.0f, 0.0f, 0.0f);
  scene_place(&game, 1, -6.0f, -6.0f, 0.0f, 0.0f);
  scene_idle(&game);
  ticks(&game, 1799);
  memcpy(before, game.s->grid, 225);
  CHECK(game.s->rings == 0);
  for (int32_t ring = 1; ring <= 4; ++ring) {
    tick(&game);
    CHECK(game.s->rings == ring);
    for (int32_t cell = 0; cell < 225; ++cell) {
      const int32_t x = abs(cell % 15 - 7), y = abs(cell / 15 - 7), out = 7 - (x > y ? x : y);
      const bool closed = out >= 1 && out <= ring && before[cell] == IMPULSE_FREE;
      CHECK(game.s->grid[cell] == (closed ? IMPULSE_DEATH : before[cell]));
    }
    for (int32_t k = 0; k < p.pickups; ++k)
      CHECK(!game.s->pickups[k].present || game.s->grid[impulse_cell_at(&p, game.s->pickups[k].at)] == IMPULSE_FREE);
    if (ring < 4) ticks(&game, 149);
  }
  ticks(&game, 400);
  CHECK(game.s->rings == 4 && game.s->drones[0].present);  // the last square stays
  scene_place(&game, 0, 8.0f, 8.0f, 9.0f, 0.0f);  // the new walls are bodies too
  ticks(&game, 20);
  CHECK(!game.s->drones[0].present);
  game_close(&game);
}

static void test_ring_kills(void) {
  ImpulseParams p = default_params();
  p.arena = IMPULSE_DEBRIS;
  p.bot = p.pilot = 0;
  p.sudden_death = 1.0f;
  Game game = game_open(p, 3, 0);
  scene_place(&game, 0, 24.0f, 10.0f, 0.0f, 0.0f);
  scene_place(&game, 1, 0.0f, 0.0f, 0.0f, 0.0f);
  scene_idle(&game);
  const int32_t shot = scene_shot(&game, 1, IMPULSE_NUKE, impulse_vec(-24.0f, 0.0f), impulse_vec(0.0f, 0.0f));
  ImpulseFloat* wall = &game.s->floats[0];
  b2Body_SetTransform(wall->body, impulse_vec(-8.0f, 22.5f), b2Rot_identity);
  CHECK(!ticks(&game, 29) && game.s->drones[0].present && game.s->shots[shot].present && wall->present);
  CHECK(tick(&game) && !game.s->drones[0].present && !game.s->shots[shot].present && !wall->present);
  CHECK(game.s->num_blasts == 0);
  game_close(&game);
}

// ---- arenas ------------------------------------------------------------------------------------------------

// Free cells reached from one of them, by repeated sweeps.
static int32_t reached(const Impulse* s, int32_t n) {
  uint8_t seen[IMPULSE_MAX_CELLS * IMPULSE_MAX_CELLS] = {0};
  int32_t count = 0;
  for (int32_t i = 0; i < n * n && count == 0; ++i) seen[i] = s->grid[i] == IMPULSE_FREE, count = seen[i];
  for (bool more = true; more;) {
    more = false;
    for (int32_t i = n; i < n * n - n; ++i) {
      if (seen[i] || s->grid[i] != IMPULSE_FREE) continue;
      if (!(seen[i - 1] || seen[i + 1] || seen[i - n] || seen[i + n])) continue;
      seen[i] = 1, more = true, ++count;
    }
  }
  return count;
}

// By the definition: no wall around the drone's cell, and 7.5 m from its middle to every death wall.
static void check_start(const Game* game, int32_t i) {
  const int32_t n = game->p.cells, own = impulse_cell_at(&game->p, game->s->drones[i].at);
  const b2Vec2 at = game->s->drones[i].at;
  CHECK(impulse_gap(at, impulse_centre(&game->p, own)) < 1e-4f);
  for (int32_t cell = 0; cell < n * n; ++cell) {
    const int32_t kind = game->s->grid[cell];
    if (kind == IMPULSE_FREE) continue;
    CHECK(abs(cell % n - own % n) > 1 || abs(cell / n - own / n) > 1);
    CHECK(kind != IMPULSE_DEATH || impulse_gap(impulse_nearest_point(&game->p, cell, at), at) >= 7.5f);
  }
}

static void check_arena(const Game* game) {
  const Impulse* s = game->s;
  const int32_t n = game->p.cells;
  int32_t open = 0;
  for (int32_t cell = 0; cell < n * n; ++cell) {
    open += s->grid[cell] == IMPULSE_FREE;
    CHECK(s->grid[cell] == s->grid[n * n - 1 - cell]);
  }
  CHECK(2 * open >= (n - 2) * (n - 2) && reached(s, n) == open);
  const b2Vec2 a = s->drones[0].at, b = s->drones[1].at;
  CHECK(a.x == -b.x && a.y == -b.y && impulse_gap(a, b) > 7.9f);
  check_start(game, 0), check_start(game, 1);
  for (int32_t i = 0; i < IMPULSE_FLOATS; i += 2) {
    const ImpulseFloat* f = &s->floats[i];
    if (!CHECK(f[0].present == f[1].present) || !f->present) continue;
    CHECK(f[0].at.x == -f[1].at.x && f[0].at.y == -f[1].at.y && f[0].kind == f[1].kind && f[0].turn.s == f[1].turn.s);
  }
}

static void test_arenas(void) {
  ImpulseParams p = default_params();
  int32_t kinds[IMPULSE_ARENAS] = {0}, cells[3] = {11, 15, 31};
  for (int32_t size = 0; size < 3; ++size) {
    p.cells = cells[size];
    Game game = game_open(p, 1, 0);
    for (uint64_t seed = 0; seed < (size == 1 ? 1000 : 60); ++seed) {
      game_reset(&game, seed, 7);
      kinds[game.s->kind] += 1;
      check_arena(&game);
    }
    game_close(&game);
  }
  for (int32_t kind = 0; kind < IMPULSE_ARENAS; ++kind) CHECK(kinds[kind] > 90);
}

// Every kind fits into every size. In the smallest arena, eight drones cannot keep 10 m apart.
static void test_arena_sizes(void) {
  ImpulseParams p = default_params();
  p.drones = 8;
  for (p.cells = 11; p.cells <= 31; p.cells += 2) {
    for (p.arena = 0; p.arena < IMPULSE_ARENAS; ++p.arena) {
      Game game = game_open(p, 9, (uint64_t)p.cells);
      CHECK(game.s->kind == p.arena || p.arena == IMPULSE_SCATTER);
      float nearest = 1e9f;
      const ImpulseDrone* d = game.s->drones;
      for (int32_t i = 0; i < 8; ++i)
        for (int32_t k = 0; k < i; ++k) nearest = fminf(nearest, impulse_gap(d[i].at, d[k].at));
      CHECK(nearest > 3.0f && (p.cells < 23 || p.arena == IMPULSE_SCATTER || nearest >= 10.0f));
      game_close(&game);
    }
  }
}

// ---- sight -------------------------------------------------------------------------------------------------

// Rays against small steps through the grid.
static void test_rays(void) {
  ImpulseParams p = default_params();
  p.arena = IMPULSE_SCATTER;
  Game game = game_open(p, 1, 0);
  PfcRng rng;
  pfc_rng_seed(&rng, 8, 0);
  for (uint64_t seed = 0; seed < 20; ++seed) {
    game_reset(&game, seed, 0);
    for (int32_t i = 0; i < 20; ++i) {
      const b2Vec2 from = impulse_vec(pfc_rng_uniform(&rng, -25.0f, 25.0f), pfc_rng_uniform(&rng, -25.0f, 25.0f));
      const b2Vec2 along = i < 16 ? impulse_direction(i) : impulse_turn_by(impulse_vec(1.0f, 0.0f), (float)i);
      const ImpulseRay ray = impulse_cast(game.s, &p, from, along, 60.0f);
      float distance = 0.0f;
      while (game.s->grid[impulse_cell_at(&p, impulse_add(from, along, distance))] == IMPULSE_FREE) distance += 0.002f;
      const int32_t kind = game.s->grid[impulse_cell_at(&p, impulse_add(from, along, distance))];
      CHECK(fabsf(ray.distance - fminf(distance, 60.0f)) < 0.01f);
      CHECK(ray.kind == kind || ray.distance == 60.0f || fabsf(along.x * along.y) > 0.01f);  // a step may cut a corner
    }
  }
  game_close(&game);
}

static void test_observation(void) {
  Game game = scene_open(IMPULSE_PIT, 15, 3);
  ImpulseObs obs;
  scene_place(&game, 0, -6.0f, 3.0f, 6.0f, 0.0f);
  scene_place(&game, 1, 6.0f, 3.0f, -6.0f, 3.0f);
  scene_place(&game, 2, -6.0f, -3.0f, 0.0f, 0.0f);
  game.p.teams = 0;
  impulse_take_weapon(&game.s->drones[1], IMPULSE_IMPLODER);
  game.s->drones[1].charge = 30;
  const int32_t shot = scene_shot(&game, 1, IMPULSE_RIFLE, impulse_vec(0.0f, 3.0f), impulse_vec(-41.6f, 0.0f));
  spec->observe_one(game.s, &game.p, 0, &obs);
  CHECK(near(obs.own[0], -0.1f, 1e-5f) && near(obs.own[1], 0.05f, 1e-5f) && near(obs.own[2], 0.1f, 1e-5f));
  CHECK(obs.own[4] == 1.0f && obs.own[6] == 1.0f && obs.own[13] == 1.0f && obs.own[16] == 1.0f && obs.own[17] == 1.0f);
  CHECK(near(obs.weapon[0], 41.6f / 200.0f, 0.001f) && near(obs.weapon[2], 20.0f / 3.927f / 40.0f, 0.001f));
  CHECK(near(obs.walls[0], 32.0f / 60.0f, 1e-5f) && obs.walls[1] == 1.0f && obs.walls[2] == 0.0f);
  CHECK(near(obs.walls[3 * 4], 23.0f / 60.0f, 1e-5f));
  CHECK(obs.drones[0] == 1.0f && obs.drones[1] == -1.0f && obs.drones[2] == 0.0f && near(obs.drones[3], -0.1f, 1e-5f));
  const float* second = obs.drones + 16;
  CHECK(near(second[2], 0.2f, 1e-5f) && near(second[4], -0.2f, 1e-5f) && near(second[5], 0.05f, 1e-5f));
  CHECK(near(second[6], 12.0f / 85.0f, 1e-5f) && near(second[14], 15.0f / 35.0f, 1e-5f));
  CHECK(near(second[15], 0.5f, 1e-5f));
  CHECK(obs.drones[32] == 0.0f && obs.drones[47] == 0.0f);
  CHECK(obs.shots[0] == 1.0f && obs.shots[1] == -1.0f && near(obs.shots[2], 0.1f, 1e-5f));
  CHECK(near(obs.shots[4], -47.6f / 200.0f, 1e-4f) && near(obs.shots[6], 7.84f / 120.0f, 0.01f));
  CHECK(obs.shots[9] == 0.0f);
  game.s->shots[shot].owner = 0;
  spec->observe_one(game.s, &game.p, 0, &obs);
  CHECK(obs.shots[1] == 1.0f);
  game_close(&game);
}

// Choices and controls of the same meaning do the same.
static void test_controls(void) {
  ImpulseIntent a, b;
  const int32_t choices[5] = {2, 3, 1, 0, 1}, relative[5] = {0, 20, 0, 1, 0};
  const float controls[7] = {1.0f, 1.0f, 0.5f, 0.5f, 0.1f, 0.0f, 1.0f}, still[7] = {0.3f, 0.4f, 0.05f, 0.05f, -1, 1, 0};
  impulse_read_choices(choices, &a);
  impulse_read_controls(controls, &b);
  CHECK(impulse_gap(a.move, b.move) < 1e-5f && impulse_gap(a.aim, b.aim) < 1e-5f);
  CHECK(a.fire == b.fire && a.brake == b.brake && a.burst == b.burst && a.fire && !a.brake && a.burst);
  impulse_read_controls(still, &b);
  CHECK(near(impulse_length(b.move), 0.5f, 1e-5f) && impulse_length(b.aim) == 0.0f && !b.fire && b.brake && !b.burst);
  impulse_read_choices(relative, &a);
  CHECK(a.relative == 4 && a.brake && impulse_length(a.move) == 0.0f);
  Game game = scene_open(IMPULSE_PIT, 15, 2);
  scene_place(&game, 0, 0.0f, 0.0f, 0.0f, 0.0f);
  scene_place(&game, 1, 0.0f, 10.0f, 0.0f, 0.0f);
  game.s->intents[0] = a;
  impulse_aim(game.s, &game.p, 0);
  CHECK(near(atan2f(game.s->drones[0].aim.y, game.s->drones[0].aim.x), (90.0f + 9.0f) * PFC_PI / 180.0f, 1e-4f));
  game_close(&game);
}

// ---- fairness ----------------------------------------------------------------------------------------------

// The same for an agent that sees the arena turned by half a turn.
static void turn_choices(const int32_t* choices, int32_t* turned) {
  memcpy(turned, choices, 5 * sizeof *turned);
  if (choices[0] > 0) turned[0] = 1 + (choices[0] + 3) % 8;
  if (choices[1] > 0 && choices[1] <= 16) turned[1] = 1 + (choices[1] + 7) % 16;
}

static float mirror_error(const Impulse* s) {
  const ImpulseDrone *a = &s->drones[0], *b = &s->drones[1];
  const float place = fmaxf(fabsf(a->at.x + b->at.x), fabsf(a->at.y + b->at.y));
  const float state = fmaxf(fabsf(a->energy - b->energy), fabsf(a->aim.x + b->aim.x));
  return fmaxf(fmaxf(place, state), (float)(abs(a->cooldown - b->cooldown) + abs(a->present - b->present)));
}

// Two agents whose choices are mirror images stay mirror images: no rule favours an index, a side or a direction. There
// are no pickups, whose places are random. Contacts are solved in one order for both sides, so rounding differs; where
// drones and floating walls collide often, it grows until some fights differ.
static void test_mirror(int32_t arena) {
  ImpulseParams p = default_params();
  p.arena = arena;
  p.drones = p.learners = 2;
  p.weapons = 1;
  Game game = game_open(p, 0, 0);
  PfcRng rng;
  pfc_rng_seed(&rng, 21, (uint64_t)arena);
  const int32_t counts[5] = {9, 24, 2, 2, 2};
  int32_t equal = 0, over = 0;
  for (uint64_t seed = 0; seed < 12; ++seed) {
    float worst = 0.0f;
    game_reset(&game, seed, 0);
    game.terminated[0] = 0;
    for (int32_t t = 0; t < 300 && !game.terminated[0] && worst < 1e-3f; ++t) {
      for (int32_t k = 0; k < 5 && t % 4 == 0; ++k)
        game.actions[k] = (int32_t)pfc_rng_below(&rng, (uint32_t)counts[k]);
      turn_choices(game.actions, game.actions + 5);
      game_step(&game);
      worst = fmaxf(worst, fmaxf(mirror_error(game.s), fabsf(game.rewards[0] - game.rewards[1])));
    }
    over += game.terminated[0];
    equal += worst < 1e-3f;
    CHECK(worst >= 1e-3f || !game.terminated[0] || game.s->draw);
  }
  if (!CHECK(equal >= (arena == IMPULSE_DEBRIS ? 9 : 12) && over > 6))
    fprintf(stderr, "  arena %d: %d of 12 fights stayed equal, %d ended\n", arena, equal, over);
  game_close(&game);
}

// Eight drones fire machine guns for 90 s: all slots of shots are in use, and the memory stays within its limit.
static void test_crowd(void) {
  ImpulseParams p = default_params();
  p.arena = IMPULSE_BOUNCE;
  p.cells = 31;
  p.drones = p.learners = 8;
  p.lives = 5;
  const int32_t before = b2GetByteCount();
  Game game = game_open(p, 6, 0);
  int32_t most_shots = 0, most_bytes = 0;
  for (int32_t t = 0; t < 2700; ++t) {
    for (int32_t i = 0; i < 8; ++i) {
      ImpulseIntent* intent = &game.s->intents[i];
      memset(intent, 0, sizeof *intent);
      intent->aim = impulse_turn_by(impulse_vec(1.0f, 0.0f), 0.002f * (float)(t * (i + 1)));
      intent->fire = 1;
      game.s->drones[i].weapon = IMPULSE_MACHINE_GUN, game.s->drones[i].ammo = 50, game.s->drones[i].lives = 5;
    }
    CHECK(!tick(&game));
    most_shots = pfc_maxi(most_shots, shots_present(&game));
    most_bytes = pfc_maxi(most_bytes, b2GetByteCount() - before);
  }
  printf("a game's world takes up to %d bytes, its state %zu\n", most_bytes, sizeof *game.s);
  CHECK(most_shots == IMPULSE_SHOTS);
  CHECK(sizeof *game.s <= 32 * 1024 && most_bytes + (int32_t)sizeof *game.s <= 256 * 1024);
  game_close(&game);
}

int main(void) {
  test_crowd();
  test_hits_are_limited();
  test_pickups_are_limited();
  test_pickups_return_elsewhere();
  test_weights_of_pickups();
  test_draw();
  test_win_and_blame(0);
  test_win_and_blame(120);
  test_pushed_wall_kills();
  test_teams();
  test_no_agent_left();
  test_lives();
  test_sudden_death();
  test_ring_kills();
  test_arenas();
  test_arena_sizes();
  test_rays();
  test_observation();
  test_controls();
  for (int32_t arena = 0; arena < IMPULSE_ARENAS; ++arena) test_mirror(arena);
  return check_report();
}
