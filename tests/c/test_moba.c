// test_moba.c - the rules of moba in scenes: a few units on an empty map, some ticks, and the expected result.
#include "moba_game.h"

enum { Y = 58, X = 34 };  // in the bottom lane, away from all buildings

// An empty map: only the units of the scene, no waves, an odd tick without regeneration.
static Game scene_open(void) {
  MobaParams p = default_params();
  p.wave_ticks = 10000;
  p.max_steps = 0;
  Game game = game_open(p, 3, 0);
  MobaGame* g = game_view(&game);
  for (int32_t unit = 0; unit < MOBA_UNITS; ++unit)
    if (moba_lives(game.s, unit)) moba_lift(g, unit);
  for (int32_t hero = 0; hero < MOBA_HEROES; ++hero) game.s->clock.back[hero] = 255, game.s->hp[hero] = 0;
  for (int32_t pit = 0; pit < 2 * MOBA_PITS; ++pit) game.s->left[pit] = 0, game.s->refill[pit] = UINT16_MAX;
  for (int32_t team = 0; team < 2; ++team) game.s->standing[team] = game.s->open[team] = 0;
  game.s->tick = 1;
  game.s->coin = 0;
  return game;
}

static int32_t scene_hero(Game* game, int32_t hero, int32_t level, int32_t x, int32_t y) {
  Moba* s = game->s;
  const MobaRole* role = &moba_roles[moba_role(hero)];
  s->level[hero] = (uint8_t)level;
  s->hp[hero] = s->max_hp[hero] = (int16_t)(role->hp + role->hp_level * (level - 1));
  s->mana[hero] = s->max_mana[hero] = (int16_t)(role->mana + role->mana_level * (level - 1));
  s->clock.back[hero] = 0;
  moba_put(game_view(game), hero, x, y);
  return hero;
}

// Adds a unit of any other kind with the hit points of its kind.
static int32_t scene_unit(Game* game, int32_t unit, int32_t kind, int32_t x, int32_t y) {
  const MobaPlace at = {(int16_t)x, (int16_t)y};
  moba_create(game_view(game), unit, kind, moba_kinds[kind].hp, at);
  if (unit < MOBA_NEUTRALS) game->s->damage[unit] = (uint8_t)moba_kinds[kind].damage;
  if (moba_is_neutral(unit)) game->s->left[moba_pit_of(unit)] += 1;
  return unit;
}

static int32_t creep_of(int32_t team, int32_t lane, int32_t i) {
  return moba_first_creep(team) + lane * MOBA_LANE_CREEPS + i;
}

static int32_t scene_building(Game* game, int32_t team, int32_t number) {
  const int32_t unit = moba_first_building(team) + number, kind = moba_building_kinds[number];
  const MobaPlace at = moba_place_of(game_view(game), team, moba_building_places[number]);
  game->s->standing[team] = (uint16_t)(game->s->standing[team] | 1u << number);
  game->s->open[team] = moba_open_buildings(game->s->standing[team]);
  return scene_unit(game, unit, kind, at.x, at.y);
}

static void tick(Game* game, int32_t hero, int32_t move, int32_t act, int32_t class_) {
  game_idle(game);
  game_choose(game, hero, move, act, class_);
  game_step(game);
}

// ---- farming and fighting ----------------------------------------------------------------------------------

static void test_last_hit(int32_t helper_gap) {
  Game game = scene_open();
  Moba* s = game.s;
  const int32_t archer = scene_hero(&game, MOBA_ARCHER, 1, X, Y),
                creep = scene_unit(&game, creep_of(1, 0, 0), MOBA_MELEE, X + 5, Y);
  int32_t attacks = 0;
  if (helper_gap) scene_hero(&game, MOBA_WARDEN, 1, X + 5 - helper_gap, Y - 1);
  s->clock.stun[creep] = 100;
  while (moba_lives(s, creep) && attacks < 9) {
    if (s->clock.wait[archer] == 0) ++attacks;
    tick(&game, archer, 0, 1, 1);
  }
  const int32_t sharers = helper_gap && helper_gap <= 8 ? 2 : 1;
  CHECK(attacks == 5 && s->gold[archer] == 18 && s->xp[archer] == 24 / sharers && s->tally[archer].last_hits == 1);
  CHECK(s->xp[MOBA_WARDEN] == (sharers == 2 ? 12 : 0) && s->gold[MOBA_WARDEN] == 0);
  CHECK(game.rewards[0] > 0.0f && game.rewards[archer] > game.rewards[0]);
  game_close(&game);
}

static void test_tower_kills_alone(int32_t role, int32_t expected) {
  Game game = scene_open();
  const int32_t hero = scene_hero(&game, role, 1, 55, 40);
  scene_building(&game, 1, 0);  // its top lane is the bottom one here: (58, 43)
  int32_t ticks = 0;
  for (; moba_lives(game.s, hero) && ticks < 50; ++ticks) tick(&game, hero, 0, 0, 0);
  CHECK(ticks == expected && ticks >= 17 && ticks <= 29);
  CHECK(game.s->tally[hero].deaths == 1 && game.s->clock.back[hero] == 16 + 4 - 1);
  game_close(&game);
}

static void test_tower_targets(void) {
  Game game = scene_open();
  Moba* s = game.s;
  const int32_t tower = scene_building(&game, 1, 0);
  const int32_t hero = scene_hero(&game, MOBA_BULWARK, 5, 58, 45),
                creep = scene_unit(&game, creep_of(0, 2, 0), MOBA_MELEE, 56, 47);
  const int32_t victim = scene_hero(&game, MOBA_TEAM + MOBA_BULWARK, 5, 59, 45);
  s->clock.stun[creep] = 200;
  tick(&game, hero, 0, 0, 0);
  CHECK(s->target[tower] == creep);  // creeps before heroes, even if farther away
  tick(&game, hero, 0, 1, 0);
  CHECK(s->hp[victim] < s->max_hp[victim] && s->target[tower] == creep);  // it was hurt after the tower aimed
  for (int32_t i = 0; i < MOBA_PROVOKED_TICKS; ++i) {
    tick(&game, hero, 0, 0, 0);
    CHECK(s->target[tower] == hero && s->clock.provoked[hero] == MOBA_PROVOKED_TICKS - 1 - i);
  }
  MobaObs* obs = malloc((size_t)game.obs_bytes);
  moba_observe(s, &game.p, hero, obs);
  CHECK(obs->aimed_at == 1);
  tick(&game, hero, 0, 0, 0);
  CHECK(s->target[tower] == hero);  // the last one, as long as it is in reach
  moba_lift(game_view(&game), hero), moba_put(game_view(&game), hero, 53, 56);
  tick(&game, hero, 0, 0, 0);
  CHECK(s->target[tower] == creep);
  moba_observe(s, &game.p, hero, obs);
  CHECK(obs->aimed_at == 0);
  free(obs);
  game_close(&game);
}

static void test_both_die(void) {
  Game game = scene_open();
  Moba* s = game.s;
  const int32_t a = scene_hero(&game, MOBA_BLADE, 3, X, Y), b = scene_hero(&game, MOBA_TEAM + MOBA_BLADE, 3, X + 1, Y);
  s->hp[a] = s->hp[b] = 1;
  game_idle(&game);
  game_choose(&game, a, 0, 1, 0), game_choose(&game, b, 0, 1, 0);
  game_step(&game);
  for (int32_t hero = a; hero <= b; hero += b - a) {
    CHECK(!moba_lives(s, hero) && s->tally[hero].kills == 1 && s->tally[hero].deaths == 1);
    CHECK(s->gold[hero] == 80 + 8 * 3 && s->xp[hero] == 60 + 20 * 3 && s->clock.back[hero] == 16 + 4 * 3 - 1);
  }
  CHECK(game.rewards[a] == game.rewards[b] && game.rewards[a] > 0.2f);
  game_close(&game);
}

static void test_kill_credit(void) {
  Game game = scene_open();
  Moba* s = game.s;
  const int32_t archer = scene_hero(&game, MOBA_ARCHER, 1, X, Y), ember = scene_hero(&game, MOBA_EMBER, 1, X, Y + 1);
  const int32_t warden = scene_hero(&game, MOBA_WARDEN, 1, X - 12, Y),
                victim = scene_hero(&game, MOBA_TEAM + MOBA_BLADE, 2, X + 4, Y);
  s->hp[victim] = 60;
  s->clock.hurt_by[victim][warden] = 1;  // in its last tick
  s->clock.hurt_by[victim][MOBA_BLADE] = 0;
  game_idle(&game);
  game_choose(&game, archer, 0, 1, 0), game_choose(&game, ember, 0, 1, 0);
  game_step(&game);
  CHECK(s->tally[archer].kills == 1 && s->tally[archer].assists == 0 && s->gold[archer] == 80 + 16);  // 48 against 34
  CHECK(s->tally[ember].kills == 0 && s->tally[ember].assists == 1 && s->gold[ember] == 40);
  CHECK(s->tally[warden].assists == 1 && s->gold[warden] == 40 && s->xp[warden] == 0);  // damaged it, but is not near
  CHECK(s->xp[archer] == 50 && s->xp[ember] == 50);
  game_close(&game);
}

// ---- buildings -----------------------------------------------------------------------------------------------

// True if an attack of a hero next to a building damages it.
static bool building_can_be_hurt(Game* game, int32_t number) {
  Moba* s = game->s;
  const int32_t unit = moba_first_building(1) + number, before = s->hp[unit];
  const int32_t ember = scene_hero(game, MOBA_EMBER, 1, s->x[unit] - 4, s->y[unit] + 1);
  s->clock.wait[ember] = 0;
  tick(game, ember, 0, 1, 2);
  const bool hurt = s->hp[unit] < before;
  CHECK(hurt == (s->hp[unit] == before - 34));
  const int16_t mana = s->mana[ember];
  for (int32_t k = 0; k < MOBA_SKILLS; ++k) tick(game, ember, 0, 2 + k, 2);  // skills never hurt buildings
  CHECK(s->mana[ember] >= mana && s->hp[unit] == (hurt ? before - 34 : before));
  moba_lift(game_view(game), ember);
  return hurt;
}

static void fell(Game* game, int32_t number) {
  Moba* s = game->s;
  moba_lift(game_view(game), moba_first_building(1) + number);
  s->standing[1] = (uint16_t)(s->standing[1] & ~(1u << number));
  s->open[1] = moba_open_buildings(s->standing[1]);
}

static void test_buildings_in_order(void) {
  Game game = scene_open();
  for (int32_t number = 0; number < MOBA_TEAM_BUILDINGS; ++number) scene_building(&game, 1, number);
  for (int32_t lane = 0; lane < MOBA_LANES; ++lane) {
    CHECK(building_can_be_hurt(&game, 3 * lane));
    CHECK(!building_can_be_hurt(&game, 3 * lane + 1) && !building_can_be_hurt(&game, 3 * lane + 2));
  }
  CHECK(!building_can_be_hurt(&game, 9) && !building_can_be_hurt(&game, 10) && !building_can_be_hurt(&game, 11));
  fell(&game, 3);
  CHECK(building_can_be_hurt(&game, 4) && !building_can_be_hurt(&game, 5));
  fell(&game, 4);
  CHECK(building_can_be_hurt(&game, 5) && !building_can_be_hurt(&game, 9));
  fell(&game, 5);
  CHECK(building_can_be_hurt(&game, 9) && building_can_be_hurt(&game, 10) && !building_can_be_hurt(&game, 11));
  fell(&game, 9);
  CHECK(!building_can_be_hurt(&game, 11));
  fell(&game, 10);
  CHECK(building_can_be_hurt(&game, 11) && !building_can_be_hurt(&game, 1));
  game_close(&game);
}

static void test_a_tower_falls(void) {
  Game game = scene_open();
  Moba* s = game.s;
  const int32_t t1 = scene_building(&game, 1, 0), t2 = scene_building(&game, 1, 1);
  const int32_t ember = scene_hero(&game, MOBA_EMBER, 1, 55, 47), other = scene_hero(&game, MOBA_ARCHER, 1, 10, 20);
  const int32_t front = scene_unit(&game, creep_of(0, 2, 0), MOBA_MELEE, 58, 45);
  s->hp[t1] = 30;
  CHECK(moba_code(s, t2, 0) == MOBA_CODE_ENEMY_CLOSED && moba_code(s, t2, 1) == MOBA_CODE_OWN_TOWER);
  tick(&game, ember, 0, 1, 2);
  CHECK(!moba_lives(s, t1) && s->towers[0] == 1 && s->open[1] >> 1 & 1 && moba_code(s, t2, 0) == MOBA_CODE_ENEMY_OPEN);
  CHECK(s->gold[ember] == 60 && s->gold[other] == 60 && s->xp[other] == 80 && s->gold[MOBA_WARDEN] == 60);
  CHECK(s->xp[MOBA_TEAM] == 0 && s->gold[MOBA_TEAM] == 0);
  CHECK(game_unit_at(&game, 58, 43) == MOBA_FREE);
  const float farm = 0.002f * 80 + 0.002f * 60 + 0.5f * 30.0f / 1000.0f;
  CHECK(pfc_absf(game.rewards[ember] - farm) < 1e-6f && game.rewards[MOBA_TEAM] == 0.0f);
  CHECK(s->target[front] == MOBA_NONE);
  game_close(&game);
}

static void test_win(bool both) {
  Game game = scene_open();
  Moba* s = game.s;
  const int32_t a0 = scene_building(&game, 0, MOBA_ANCIENT), a1 = scene_building(&game, 1, MOBA_ANCIENT);
  const int32_t ember = scene_hero(&game, MOBA_EMBER, 1, s->x[a1] - 3, s->y[a1]);
  const int32_t rival = scene_hero(&game, MOBA_TEAM + MOBA_EMBER, 1, s->x[a0] + 3, s->y[a0]);
  s->hp[a0] = s->hp[a1] = 1;
  game_idle(&game);
  game_choose(&game, ember, 0, 1, 2);
  if (both) game_choose(&game, rival, 0, 1, 2);
  game_step(&game);
  for (int32_t row = 0; row < MOBA_HEROES; ++row) {
    float values[15];
    const bool won = !both && row < MOBA_TEAM;
    moba_metrics(s, &game.p, row, values);
    CHECK(game.terminated[row] && values[0] == (both ? 0.5f : won ? 1.0f : 0.0f) && values[1] == values[0]);
    CHECK(values[2] == (float)won);
    const float farm = 0.002f * 140 + 0.5f / 2000.0f;
    const float expected = both ? farm : won ? 5.0f + farm : -5.0f;
    CHECK(pfc_absf(game.rewards[row] - expected) < 1e-5f);
  }
  game_close(&game);
}

// ---- skills --------------------------------------------------------------------------------------------------

typedef struct SkillScene {
  Game game;
  int32_t hero, target;
} SkillScene;

// A hero of the role and level in the bottom lane, an enemy hero `gap` cells to its right.
static SkillScene skill_open(int32_t role, int32_t level, int32_t target_role, int32_t gap) {
  SkillScene scene = {.game = scene_open()};
  scene.hero = scene_hero(&scene.game, role, level, X, Y);
  scene.target = scene_hero(&scene.game, MOBA_TEAM + target_role, 8, X + gap, Y);
  return scene;
}

// Uses skill k with this move. Returns true if it was executed, which costs mana and starts the cooldown; otherwise
// nothing changes.
static bool use(SkillScene* scene, int32_t k, int32_t move) {
  Moba* s = scene->game.s;
  const int32_t hero = scene->hero, before = s->mana[hero];
  const MobaSkill* skill = moba_skill(hero, k);
  const uint32_t used = s->tally[hero].skills;
  s->tick |= 1;  // no mana regenerates
  tick(&scene->game, hero, move, 2 + k, 0);
  const bool done = s->tally[hero].skills > used;
  CHECK(s->mana[hero] == before - (done ? skill->mana : 0));
  CHECK(s->clock.skill[hero][k] == (done ? skill->wait - 1 : 0));
  return done;
}

// Damage and status effects of skills that hit enemies, at their reach and one cell beyond.
static void test_reach(int32_t which, int32_t base, int32_t per_level, int32_t reach, int32_t stun, int32_t slow) {
  const int32_t role = which / MOBA_SKILLS, k = which % MOBA_SKILLS;
  for (int32_t level = 1; level <= 6; level += 5) {
    SkillScene scene = skill_open(role, level, MOBA_EMBER, reach);
    Moba* s = scene.game.s;
    CHECK(use(&scene, k, 0));
    CHECK(s->max_hp[scene.target] - s->hp[scene.target] == base + per_level * level);
    CHECK(s->clock.stun[scene.target] == (stun ? stun - 1 : 0) && s->clock.slow[scene.target] == (slow ? slow - 1 : 0));
    CHECK(s->hurt[scene.target] == base + per_level * level);
    CHECK(!(moba_legal_acts(game_view(&scene.game), scene.hero) >> (2 + k) & 1));  // on cooldown
    game_close(&scene.game);
  }
  SkillScene beyond = skill_open(role, 1, MOBA_EMBER, reach + 1);
  CHECK(!(moba_legal_acts(game_view(&beyond.game), beyond.hero) >> (2 + k) & 1));
  CHECK(!use(&beyond, k, 0) && beyond.game.s->hp[beyond.target] == beyond.game.s->max_hp[beyond.target]);
  game_close(&beyond.game);
}

static void test_refusals(int32_t which) {
  const int32_t role = which / MOBA_SKILLS, k = which % MOBA_SKILLS;
  for (int32_t reason = 0; reason < 5; ++reason) {  // none, little mana, cooldown, stunned, no target
    SkillScene scene = skill_open(role, 1, MOBA_EMBER, 1);
    Game* game = &scene.game;
    Moba* s = game->s;
    const bool needs = moba_skills[which].needs != MOBA_NEEDS_NOTHING && moba_skills[which].needs != MOBA_NEEDS_WAY;
    s->hp[scene.hero] -= 9;
    if (reason == 1) s->mana[scene.hero] = (int16_t)(moba_skills[which].mana - 1);
    if (reason == 2) s->clock.skill[scene.hero][k] = 3;
    if (reason == 3) s->clock.stun[scene.hero] = 2;
    if (reason == 4) moba_lift(game_view(game), scene.target), s->hp[scene.hero] += 9;
    const int16_t mana = s->mana[scene.hero];
    const bool expected = reason == 0 || (reason == 4 && !needs);
    const bool legal = moba_legal_acts(game_view(game), scene.hero) >> (2 + k) & 1;
    tick(game, scene.hero, 3, 2 + k, 0);
    const bool done = s->tally[scene.hero].skills > 0;
    if (!CHECK(done == expected && legal == expected)) fprintf(stderr, "  skill %d, reason %d\n", which, reason);
    if (!expected) CHECK(s->mana[scene.hero] == mana);
    game_close(game);
  }
}

// A veiled hero is not a target from three cells, but is from two. Near a tower it always is.
static void test_on_veiled(int32_t which) {
  const int32_t role = which / MOBA_SKILLS, k = which % MOBA_SKILLS, reach = moba_skills[which].reach;
  if (moba_skills[which].needs != MOBA_NEEDS_ENEMY && moba_skills[which].needs != MOBA_NEEDS_HERO) return;
  for (int32_t gap = 2; gap <= 3 && gap <= reach; ++gap) {
    SkillScene scene = skill_open(role, 1, MOBA_BLADE, gap);
    scene.game.s->clock.buff[scene.target] = 9;
    CHECK(use(&scene, k, 0) == (gap == 2));
    game_close(&scene.game);
  }
  if (reach < 3) return;
  SkillScene tower = skill_open(role, 1, MOBA_BLADE, 3);
  const int32_t at = scene_building(&tower.game, 0, 7);  // at (30, 58): 7 cells from the blade
  CHECK(moba_gap(tower.game.s, at, tower.target) == 7 && !moba_shows(tower.game.s, MOBA_TEAM + MOBA_BLADE) == false);
  tower.game.s->clock.buff[tower.target] = 9;
  CHECK(!moba_shows(tower.game.s, tower.target));
  moba_lift(game_view(&tower.game), at), moba_put(game_view(&tower.game), at, X + 8, Y);
  CHECK(moba_shows(tower.game.s, tower.target) && use(&tower, k, 0));
  game_close(&tower.game);
}

static void test_skin_and_shield(void) {
  SkillScene scene = skill_open(MOBA_EMBER, 2, MOBA_BULWARK, 5);
  Moba* s = scene.game.s;
  s->clock.buff[scene.target] = 7;
  s->clock.shield[scene.target] = 5, s->shield[scene.target] = 20;
  s->mana[scene.hero] = 300;
  CHECK(use(&scene, 0, 0));  // bolt: 120, halved 60, less the shield 40
  CHECK(s->hurt[scene.target] == 40 && moba_shield_of(s, scene.target) == 0);
  s->clock.shield[scene.target] = 1, s->shield[scene.target] = 200;
  CHECK(use(&scene, 1, 0));  // blaze: 69, halved and rounded up 35
  CHECK(s->hurt[scene.target] == 0 && s->shield[scene.target] == 165);
  CHECK(moba_shield_of(s, scene.target) == 0);  // it has expired
  game_close(&scene.game);
}

static void test_mend(void) {
  for (int32_t gap = 6; gap <= 7; ++gap) {
    SkillScene scene = skill_open(MOBA_WARDEN, 3, MOBA_EMBER, 5);
    Moba* s = scene.game.s;
    const int32_t ally = scene_hero(&scene.game, MOBA_BULWARK, 3, X - gap, Y);
    CHECK(!use(&scene, 0, 0));  // no hero is damaged
    s->hp[ally] = (int16_t)(s->max_hp[ally] - 150), s->hp[scene.hero] = (int16_t)(s->max_hp[scene.hero] - 40);
    scene.game.s->tick = 1;
    CHECK(use(&scene, 0, 0));
    CHECK(s->hp[ally] == s->max_hp[ally] - (gap == 6 ? 150 - 60 - 15 * 3 : 150));
    CHECK(s->hp[scene.hero] == s->max_hp[scene.hero] - (gap == 6 ? 40 : 0));  // itself, if the other is too far
    CHECK(s->tally[scene.hero].healing == (gap == 6 ? 105u : 40u));
    game_close(&scene.game);
  }
}

static void test_aegis(void) {
  SkillScene scene = skill_open(MOBA_WARDEN, 2, MOBA_EMBER, 3);
  Moba* s = scene.game.s;
  const int32_t near = scene_hero(&scene.game, MOBA_BULWARK, 1, X - 4, Y),
                far = scene_hero(&scene.game, MOBA_BLADE, 1, X - 5, Y);
  const int32_t creep = scene_unit(&scene.game, creep_of(0, 2, 1), MOBA_MELEE, X, Y - 2);
  s->clock.shield[near] = 2, s->shield[near] = 90;  // larger than the new one, so it stays as it is
  CHECK(use(&scene, 2, 0));
  CHECK(s->shield[scene.hero] == 60 && s->clock.shield[scene.hero] == MOBA_SHIELD_TICKS - 1);
  CHECK(s->shield[creep] == 60 && s->clock.shield[creep] == MOBA_SHIELD_TICKS - 1);
  CHECK(s->shield[near] == 90 && s->clock.shield[near] == 1 && s->clock.shield[far] == 0 &&
        s->clock.shield[scene.target] == 0);
  for (int32_t i = 0; i < MOBA_SHIELD_TICKS - 1; ++i)
    CHECK(moba_shield_of(s, scene.hero) == 60), tick(&scene.game, 0, 0, 0, 0);
  CHECK(moba_shield_of(s, scene.hero) == 0);
  game_close(&scene.game);
}

static void test_leap(void) {
  SkillScene scene = skill_open(MOBA_BLADE, 1, MOBA_EMBER, 6);
  Moba* s = scene.game.s;
  scene_unit(&scene.game, creep_of(1, 0, 0), MOBA_MELEE, X + 5, Y);  // in the way of the straight cell
  s->clock.stun[creep_of(1, 0, 0)] = 50;
  CHECK(use(&scene, 0, 0));
  // Cells beside the target at distance 5: (39, 57), (39, 58) taken, (39, 59); clockwise from up the lower left comes
  // first.
  CHECK(s->x[scene.hero] == X + 5 && s->y[scene.hero] == Y + 1 && s->hurt[scene.target] == 65);
  s->clock.skill[scene.hero][0] = 0, s->mana[scene.hero] = 100, s->tick = 1;
  CHECK(use(&scene, 0, 0) && s->x[scene.hero] == X + 5 && s->y[scene.hero] == Y + 1);  // beside it already
  game_close(&scene.game);
}

static void test_veil(void) {
  SkillScene scene = skill_open(MOBA_BLADE, 1, MOBA_EMBER, 7);
  Moba* s = scene.game.s;
  CHECK(s->seen[1] == 0);
  tick(&scene.game, scene.hero, 3, 0, 0);
  CHECK(s->seen[1] >> MOBA_BLADE & 1 && s->x[scene.hero] == X + 1);
  CHECK(use(&scene, 1, 3) && s->x[scene.hero] == X + 1);  // a skill takes the whole tick, so no move
  CHECK(!(s->seen[1] >> MOBA_BLADE & 1) && s->clock.buff[scene.hero] == MOBA_VEIL_TICKS - 1);
  tick(&scene.game, scene.hero, 3, 0, 0);
  CHECK(s->x[scene.hero] == X + 3 && !(s->seen[1] >> MOBA_BLADE & 1));  // two cells a tick
  tick(&scene.game, scene.hero, 3, 0, 0);
  CHECK(s->x[scene.hero] == X + 5 && s->seen[1] >> MOBA_BLADE & 1);
  tick(&scene.game, scene.hero, 3, 0, 0);
  CHECK(s->x[scene.hero] == X + 6 && s->clock.buff[scene.hero] > 0);  // the second cell is taken
  s->tick = 1;
  tick(&scene.game, scene.hero, 3, 1, 0);
  CHECK(s->hurt[scene.target] == 52 * 3 / 2 && s->clock.buff[scene.hero] == 0);
  game_close(&scene.game);
}

static void test_area_hits(int32_t which) {
  const int32_t role = which / MOBA_SKILLS, k = which % MOBA_SKILLS;
  SkillScene scene = skill_open(role, 1, MOBA_EMBER, 1);
  Moba* s = scene.game.s;
  const int32_t creep = scene_unit(&scene.game, creep_of(1, 0, 0), MOBA_SIEGE, X, Y + 1);
  const int32_t own = scene_unit(&scene.game, creep_of(0, 2, 0), MOBA_SIEGE, X, Y - 1);
  const int32_t neutral = scene_unit(&scene.game, MOBA_NEUTRALS, MOBA_LARGE, X - 1, Y);
  const int32_t tower = scene_building(&scene.game, 1, 0);
  moba_lift(game_view(&scene.game), tower), moba_put(game_view(&scene.game), tower, X + 1, Y + 1);
  for (int32_t unit = 0; unit < MOBA_UNITS; ++unit)
    s->clock.wait[unit] = 9, s->clock.stun[unit] = (uint8_t)(9 * (unit != role));
  CHECK(use(&scene, k, 0));
  const int32_t damage = moba_skills[which].base + moba_skills[which].level;
  CHECK(s->hp[scene.target] == s->max_hp[scene.target] - damage && s->hp[creep] == 260 - damage);
  CHECK(s->hp[neutral] == 420 - damage && s->hp[own] == 260 && s->hp[tower] == 1000);
  game_close(&scene.game);
}

static void test_volley_takes_four(void) {
  SkillScene scene = skill_open(MOBA_ARCHER, 1, MOBA_EMBER, 5);
  Moba* s = scene.game.s;
  for (int32_t i = 0; i < 5; ++i) scene_unit(&scene.game, creep_of(1, 0, i), MOBA_RANGED, X + 1 + i, Y - 1);
  for (int32_t i = 0; i < 5; ++i) s->clock.stun[creep_of(1, 0, i)] = 9;
  CHECK(use(&scene, 0, 0));
  for (int32_t i = 0; i < 5; ++i) CHECK(s->hp[creep_of(1, 0, i)] == 140 - (i < 4 ? 38 : 0));
  CHECK(s->hurt[scene.target] == 0);  // as far as the fifth creep
  game_close(&scene.game);
  SkillScene tie = skill_open(MOBA_ARCHER, 1, MOBA_EMBER, 5);
  for (int32_t i = 0; i < 4; ++i) scene_unit(&tie.game, creep_of(1, 0, i), MOBA_RANGED, X + 5, Y - 2 + i + (i > 1));
  for (int32_t i = 0; i < 4; ++i) tie.game.s->clock.stun[creep_of(1, 0, i)] = 9;
  CHECK(use(&tie, 0, 0) && tie.game.s->hurt[tie.target] == 38);  // heroes before creeps, then lower numbers
  for (int32_t i = 0; i < 4; ++i) CHECK(tie.game.s->hp[creep_of(1, 0, i)] == 140 - (i < 3 ? 38 : 0));
  game_close(&tie.game);
}

static void test_taunt(void) {
  SkillScene scene = skill_open(MOBA_BULWARK, 1, MOBA_ARCHER, 3);
  Game* game = &scene.game;
  Moba* s = game->s;
  const int32_t far = scene_hero(game, MOBA_TEAM + MOBA_BLADE, 8, X + 3, Y + 1),
                creep = scene_unit(game, creep_of(1, 0, 0), MOBA_MELEE, X - 3, Y);
  CHECK(use(&scene, 0, 0));
  CHECK(s->clock.taunt[scene.target] == MOBA_TAUNT_TICKS - 1 && s->clock.taunt[creep] == MOBA_TAUNT_TICKS - 1);
  CHECK(moba_legal_acts(game_view(game), scene.target) == 1);
  uint8_t legal[17] = {0};
  moba_mask(s, &game->p, scene.target, legal);
  int32_t choices = 0;
  for (int32_t i = 0; i < 17; ++i) choices += legal[i];
  CHECK(choices == 3 && legal[0] && legal[9] && legal[14]);
  game_idle(game);
  game_choose(game, scene.target, 7, 0, 0), game_choose(game, far, 7, 0, 0);  // both would run away
  const int32_t blade_x = s->x[far];
  game_step(game);
  CHECK(s->max_hp[scene.hero] - s->hp[scene.hero] >= 48 + 5 * 7 - 1 &&
        s->x[scene.target] == X + 3);                                                             // the archer shoots,
  CHECK(blade_x == X + 2 || s->x[far] == blade_x - 1);                                            // the blade comes
  game_step(game);
  CHECK(s->x[far] <= X + 1 && s->x[creep] > X - 3);                                               // near, and the creep
  s->hp[scene.hero] = 1;
  for (int32_t i = 0; i < 4; ++i) game_step(game);
  CHECK(!moba_lives(s, scene.hero) && s->clock.taunt[scene.target] == 0 && s->clock.taunt[creep] == 0);
  game_close(game);
  SkillScene beyond = skill_open(MOBA_BULWARK, 1, MOBA_ARCHER, 4);
  CHECK(!use(&beyond, 0, 0) && beyond.game.s->clock.taunt[beyond.target] == 0);
  game_close(&beyond.game);
}

static void test_skin(void) {
  SkillScene scene = skill_open(MOBA_BULWARK, 1, MOBA_ARCHER, 5);
  Moba* s = scene.game.s;
  CHECK(use(&scene, 1, 0) && s->clock.buff[scene.hero] == MOBA_SKIN_TICKS - 1);
  s->tick = 1;
  tick(&scene.game, scene.target, 0, 1, 0);
  CHECK(s->hurt[scene.hero] == (48 + 5 * 7 + 1) / 2);
  game_close(&scene.game);
}

static void test_charge(void) {
  SkillScene scene = skill_open(MOBA_BULWARK, 1, MOBA_ARCHER, 4);
  Moba* s = scene.game.s;
  CHECK(!use(&scene, 2, 0));  // needs a direction
  CHECK(use(&scene, 2, 3) && s->x[scene.hero] == X + 3 && s->x[scene.target] == X + 6);
  CHECK(s->hurt[scene.target] == 48 && s->clock.stun[scene.target] == MOBA_STUN_CHARGE - 1);
  game_close(&scene.game);

  SkillScene free_run = skill_open(MOBA_BULWARK, 1, MOBA_ARCHER, 5);
  CHECK(use(&free_run, 2, 3) && free_run.game.s->x[free_run.hero] == X + 4 &&
        free_run.game.s->hurt[free_run.target] == 0);
  game_close(&free_run.game);

  SkillScene wall = skill_open(MOBA_BULWARK, 1, MOBA_ARCHER, 3);  // the push ends at a tower
  const int32_t tower = scene_building(&wall.game, 0, 0);
  moba_lift(game_view(&wall.game), tower), moba_put(game_view(&wall.game), tower, X + 5, Y);
  CHECK(use(&wall, 2, 3) && wall.game.s->x[wall.target] == X + 4 && wall.game.s->x[wall.hero] == X + 2);
  game_close(&wall.game);

  SkillScene own = skill_open(MOBA_BULWARK, 1, MOBA_ARCHER, 9);
  scene_hero(&own.game, MOBA_WARDEN, 1, X + 1, Y);
  CHECK(!use(&own, 2, 3) && own.game.s->x[own.hero] == X);  // blocked at once by a friend
  game_close(&own.game);

  SkillScene building = skill_open(MOBA_BULWARK, 1, MOBA_ARCHER, 9);
  const int32_t enemy = scene_building(&building.game, 1, 0);
  moba_lift(game_view(&building.game), enemy), moba_put(game_view(&building.game), enemy, X + 2, Y);
  CHECK(use(&building, 2, 3) && building.game.s->x[building.hero] == X + 1 && building.game.s->hp[enemy] == 1000);
  game_close(&building.game);
}

static void test_focus(void) {
  SkillScene scene = skill_open(MOBA_ARCHER, 1, MOBA_BULWARK, 5);
  Moba* s = scene.game.s;
  CHECK(use(&scene, 2, 0) && s->clock.buff[scene.hero] == MOBA_FOCUS_TICKS - 1);
  int32_t hits = 0;
  for (int32_t i = 0; i < 19; ++i) tick(&scene.game, scene.hero, 0, 1, 0), hits += s->hurt[scene.target] > 0;
  CHECK(hits == 10);
  for (int32_t i = 0; i < 20; ++i) tick(&scene.game, scene.hero, 0, 1, 0), hits += s->hurt[scene.target] > 0;
  CHECK(hits == 15);
  game_close(&scene.game);
}

static void test_statuses(void) {
  SkillScene scene = skill_open(MOBA_WARDEN, 1, MOBA_EMBER, 5);
  Game* game = &scene.game;
  Moba* s = game->s;
  s->clock.stun[scene.target] = 3;
  CHECK(use(&scene, 1, 0) && s->clock.stun[scene.target] == MOBA_STUN_BIND - 1);  // the longer stun counts
  for (int32_t i = 0; i < MOBA_STUN_BIND - 1; ++i) {
    tick(game, scene.target, 7, 1, 0);
    CHECK(s->x[scene.target] == X + 5 && s->hurt[scene.hero] == 0);
  }
  tick(game, scene.target, 7, 0, 0);  // to its own left
  CHECK(s->x[scene.target] == X + 6);
  s->clock.slow[scene.target] = 9;
  int32_t moved = 0;
  for (int32_t i = 0; i < 8; ++i) {
    const int32_t from = s->x[scene.target], even = ((s->tick + MOBA_EMBER) & 1) == 0;
    tick(game, scene.target, i & 2 ? 7 : 3, 0, 0);
    CHECK((s->x[scene.target] != from) == even);
    moved += s->x[scene.target] != from;
  }
  CHECK(moved == 4);
  s->clock.slow[scene.target] = 50, s->clock.might[scene.target] = 50, s->clock.shield[scene.target] = 50;
  s->hp[scene.target] = 1, s->shield[scene.target] = 1;
  s->clock.wait[scene.hero] = 0;
  moba_lift(game_view(game), scene.hero), moba_put(game_view(game), scene.hero, s->x[scene.target] - 4, Y);
  tick(game, scene.hero, 0, 1, 0);
  CHECK(!moba_lives(s, scene.target) && !s->clock.slow[scene.target] && !s->clock.might[scene.target] &&
        !s->clock.shield[scene.target]);
  game_close(game);
}

// ---- death, levels, rewards ----------------------------------------------------------------------------------

static void test_death_and_return(void) {
  Game game = scene_open();
  Moba* s = game.s;
  const int32_t hero = scene_hero(&game, MOBA_EMBER, 6, X, Y),
                rival = scene_hero(&game, MOBA_TEAM + MOBA_ARCHER, 1, X + 4, Y);
  s->hp[hero] = 1, s->gold[hero] = 300;
  tick(&game, rival, 0, 1, 0);
  CHECK(!moba_lives(s, hero) && s->place_x[hero] == X && s->place_y[hero] == Y && s->clock.back[hero] == 39);
  MobaObs* obs = malloc((size_t)game.obs_bytes);
  moba_observe(s, &game.p, hero, obs);
  CHECK(obs->back == 10 && obs->hp == 0 && obs->x == X * 25 / 64 && obs->planes[6 * 13 + 6] == MOBA_CODE_OPEN);
  moba_observe(s, &game.p, rival, obs);
  CHECK(obs->enemies[MOBA_EMBER].state == 21 && obs->enemies[MOBA_EMBER].level == 6 &&
        obs->enemies[MOBA_EMBER].way == 0);
  for (int32_t i = 0; i < 39; ++i) {
    tick(&game, hero, 3, 0, 0);
    CHECK(!moba_lives(s, hero));
  }
  CHECK(s->gear[hero] == 2 && s->gold[hero] == 60);
  tick(&game, hero, 3, 0, 0);  // respawned; moves from the next tick on
  CHECK(moba_lives(s, hero) && s->x[hero] == 3 && s->y[hero] == 60);
  CHECK(s->hp[hero] == 430 + 5 * 35 + 2 * 24 && s->hp[hero] == s->max_hp[hero] && s->mana[hero] == s->max_mana[hero]);
  tick(&game, hero, 3, 0, 0);
  CHECK(s->x[hero] == 4);
  free(obs);
  game_close(&game);
}

static void test_fountain(void) {
  Game game = scene_open();
  Moba* s = game.s;
  const int32_t home = scene_hero(&game, MOBA_EMBER, 1, 6, 57), away = scene_hero(&game, MOBA_ARCHER, 1, 7, 57);
  s->hp[home] = s->hp[away] = 100, s->mana[home] = s->mana[away] = 50;
  s->gold[home] = s->gold[away] = 125;
  tick(&game, 0, 0, 0, 0);
  CHECK(s->gear[home] == 1 && s->gold[home] == 5 && s->max_hp[home] == 454 && s->hp[home] == 100 + 24 + 22);
  CHECK(s->mana[home] == 50 + 18 && s->gear[away] == 0 && s->hp[away] == 100 && s->mana[away] == 50);
  tick(&game, 0, 0, 0, 0);
  CHECK(s->hp[away] == 101 && s->mana[away] == 51);  // an even tick
  s->gear[home] = 19, s->gold[home] = 500;
  tick(&game, 0, 0, 0, 0);
  CHECK(s->gear[home] == 20 && s->gold[home] == 380);
  CHECK(moba_attack_damage(s, home) == 34 + 4 * 20);
  game_close(&game);
}

static void test_levels(void) {
  Game game = scene_open();
  Moba* s = game.s;
  MobaGame* g = game_view(&game);
  const int32_t hero = scene_hero(&game, MOBA_WARDEN, 1, X, Y);
  s->hp[hero] = 100, s->mana[hero] = 10;
  CHECK(moba_learn(g, hero, 99) == 99 && s->level[hero] == 1 && moba_learn(g, hero, 1) == 1 && s->level[hero] == 2);
  CHECK(s->hp[hero] == 145 && s->max_hp[hero] == 565 && s->mana[hero] == 35 && s->xp[hero] == 0);
  CHECK(moba_learn(g, hero, 140 + 180 + 7) == 327 && s->level[hero] == 4 && s->xp[hero] == 7);
  s->level[hero] = 14, s->xp[hero] = 0;
  CHECK(moba_learn(g, hero, 700) == 60 + 40 * 14 && s->level[hero] == 15 && s->xp[hero] == 0);
  CHECK(moba_learn(g, hero, 700) == 0 && s->xp[hero] == 0);
  game_close(&game);
}

static void test_lost_rewards(void) {
  Game game = scene_open();
  Moba* s = game.s;
  const int32_t archer = scene_hero(&game, MOBA_ARCHER, 15, X, Y),
                creep = scene_unit(&game, creep_of(1, 0, 0), MOBA_MELEE, X + 3, Y);
  s->gear[archer] = 20, s->hp[creep] = 1;
  tick(&game, archer, 0, 1, 1);
  CHECK(!moba_lives(s, creep) && s->gold[archer] == 0 && s->xp[archer] == 0 && game.rewards[archer] == 0.0f);
  game_close(&game);
}

// ---- camps and guardians ---------------------------------------------------------------------------------------

static void test_camp(void) {
  Game game = scene_open();
  Moba* s = game.s;
  const int32_t pit = 2, first = moba_first_of_pit(pit);  // the large camp at (15, 27)
  moba_fill_pit(game_view(&game), pit);
  CHECK(s->kind[first] == MOBA_LARGE && s->kind[first + 1] == MOBA_SMALL && s->x[first + 1] == 14 &&
        s->x[first + 2] == 16);
  const int32_t hero = scene_hero(&game, MOBA_ARCHER, 15, 15, 24);
  s->clock.stun[hero] = 255;
  tick(&game, 0, 0, 0, 0);
  CHECK(s->awake[pit]);  // three cells from the middle
  for (int32_t i = 0; i < 20; ++i) tick(&game, 0, 0, 0, 0);
  CHECK(s->hp[hero] < s->max_hp[hero]);
  moba_lift(game_view(&game), hero), moba_put(game_view(&game), hero, 15, 21);  // six cells: they go back and heal
  s->hp[first] = 100, s->calm[pit] = 0;
  tick(&game, 0, 0, 0, 0);
  CHECK(!s->awake[pit] && s->hp[first] == 121);
  for (int32_t i = 0; i < 40; ++i) tick(&game, 0, 0, 0, 0);
  CHECK(s->calm[pit] && s->hp[first] == 420 && s->x[first] == 15 && s->y[first] == 27);
  for (int32_t i = 0; i < 3; ++i) s->hp[first + i] = 1;
  s->clock.stun[hero] = 0, s->mana[hero] = 300;
  moba_lift(game_view(&game), hero), moba_put(game_view(&game), hero, 15, 23);
  tick(&game, hero, 0, 2, 0);  // volley
  CHECK(s->left[pit] == 0 && s->refill[pit] == MOBA_CAMP_REFILL - 1 && s->camps[0] == 1 &&
        s->gold[hero] == 36 + 12 + 12);
  moba_lift(game_view(&game), hero), moba_put(game_view(&game), hero, 15, 24);
  for (int32_t i = 0; i < MOBA_CAMP_REFILL + 5; ++i) s->clock.stun[hero] = 9, tick(&game, 0, 0, 0, 0);
  CHECK(s->left[pit] == 0 && s->refill[pit] == 0);  // not while a hero is near
  moba_lift(game_view(&game), hero), moba_put(game_view(&game), hero, 15, 23);
  tick(&game, 0, 0, 0, 0);
  CHECK(s->left[pit] == 3 && s->hp[first] == 420);
  game_close(&game);
}

static void test_neutrals_stay(void) {
  Game game = scene_open();
  Moba* s = game.s;
  moba_fill_pit(game_view(&game), 0);
  const int32_t hero = scene_hero(&game, MOBA_BULWARK, 15, 13, 43);
  PfcRng rng;
  pfc_rng_seed(&rng, 4, 0);
  bool chased = false;
  for (int32_t i = 0; i < 300; ++i) {
    tick(&game, hero, (int32_t)pfc_rng_below(&rng, 9), (int32_t)pfc_rng_below(&rng, 2), 1);
    for (int32_t k = 0; k < 3; ++k) {
      if (!moba_lives(s, MOBA_NEUTRALS + k)) continue;
      CHECK(moba_span(s->x[MOBA_NEUTRALS + k] - 13, s->y[MOBA_NEUTRALS + k] - 40) <= MOBA_CLEARING);
    }
    chased |= s->hurt[hero] > 0;
  }
  CHECK(chased);
  game_close(&game);
}

static void test_guardian(void) {
  Game game = scene_open();
  Moba* s = game.s;
  const int32_t pit = MOBA_CAMPS, unit = MOBA_GUARDIANS;
  moba_fill_pit(game_view(&game), pit);
  CHECK(s->x[unit] == 20 && s->y[unit] == 20 && s->hp[unit] == 1500);
  const int32_t hero = scene_hero(&game, MOBA_ARCHER, 1, 20, 17), other = scene_hero(&game, MOBA_WARDEN, 1, X, Y);
  s->hp[unit] = 1;
  tick(&game, hero, 0, 1, 1);
  CHECK(!moba_lives(s, unit) && s->refill[pit] == MOBA_GUARDIAN_REFILL - 1 && s->camps[0] == 0);
  CHECK(s->level[other] == 2 && s->xp[other] == 50 && s->gold[other] == 120 && s->gold[hero] == 120 &&
        s->xp[MOBA_TEAM] == 0);
  CHECK(s->clock.might[other] == MOBA_MIGHT_TICKS - 1 && s->clock.might[MOBA_BLADE] == 0);  // dead heroes get none
  const int32_t rival = scene_hero(&game, MOBA_TEAM + MOBA_EMBER, 1, X + 4, Y);
  s->tick = 1;
  tick(&game, other, 0, 1, 0);
  CHECK(s->hurt[rival] == (36 + 2) * 6 / 5);
  game_close(&game);
}

// ---- creeps ------------------------------------------------------------------------------------------------------

static void test_creep_targets(void) {
  Game game = scene_open();
  Moba* s = game.s;
  const int32_t creep = scene_unit(&game, creep_of(0, 2, 0), MOBA_RANGED, X, Y);
  const int32_t hero = scene_hero(&game, MOBA_TEAM + MOBA_EMBER, 1, X + 4, Y);
  s->clock.stun[hero] = 255, s->hp[hero] = s->max_hp[hero] = 2000;
  s->tick = 4;
  game_idle(&game);
  game_step(&game);
  CHECK(s->target[creep] == hero && s->hurt[hero] == 12);
  const int32_t rival = scene_unit(&game, creep_of(1, 0, 3), MOBA_MELEE, X + 2, Y + 1);
  s->clock.stun[rival] = 255;
  for (int32_t i = 0; i < 8; ++i) game_step(&game);
  CHECK(s->target[creep] == hero);  // it keeps its target
  moba_lift(game_view(&game), hero), moba_put(game_view(&game), hero, X + 8, Y);
  for (int32_t i = 0; i < 4; ++i) game_step(&game);
  CHECK(s->target[creep] == rival);  // 7 away or more: it looks again, and creeps of its lane are near
  moba_lift(game_view(&game), rival);
  moba_forget(s, rival);
  const int32_t stranger = scene_unit(&game, creep_of(1, 1, 0), MOBA_MELEE, X + 2, Y + 1);  // of another lane
  for (int32_t i = 0; i < 4; ++i) s->clock.stun[stranger] = 255, game_step(&game);
  CHECK(s->target[creep] != stranger);
  game_close(&game);
}

static void test_siege_hurts_buildings(void) {
  Game game = scene_open();
  Moba* s = game.s;
  const int32_t tower = scene_building(&game, 1, 0), ancient = scene_building(&game, 1, MOBA_ANCIENT);
  const int32_t creep = scene_unit(&game, creep_of(0, 2, 0), MOBA_SIEGE, 58, 48);
  s->clock.stun[tower] = 255;
  s->tick = 4;
  game_idle(&game);
  game_step(&game);
  CHECK(s->target[creep] == tower && s->hp[tower] == 1000 - 48 && s->clock.wait[creep] == 5 && s->hp[ancient] == 2000);
  game_close(&game);
}

static void test_astray_creep_comes_back(void) {
  Game game = scene_open();
  Moba* s = game.s;
  MobaGame* g = game_view(&game);
  const int32_t creep =
      scene_unit(&game, creep_of(0, 0, 0), MOBA_MELEE, 21, 22);  // in the river, far from the top lane
  game_idle(&game);
  for (int32_t i = 0; i < 120 && !moba_on_track(g, 0, 0, s->x[creep], s->y[creep]); ++i) game_step(&game);
  CHECK(moba_on_track(g, 0, 0, s->x[creep], s->y[creep]));
  game_close(&game);
}

static void test_waves(void) {
  MobaParams p = default_params();
  p.wave_ticks = 20;
  Game game = game_open(p, 9, 9);
  Moba* s = game.s;
  game_idle(&game);
  for (int32_t wave = 0; wave < 3; ++wave) {
    game_step(&game);
    int32_t count[MOBA_SIEGE + 1] = {0};
    for (int32_t unit = MOBA_CREEPS; unit < MOBA_NEUTRALS; ++unit)
      if (moba_lives(s, unit)) ++count[s->kind[unit]];
    CHECK(count[MOBA_MELEE] == 18 * (wave + 1) && count[MOBA_RANGED] == 6 * (wave + 1));
    CHECK(count[MOBA_SIEGE] == (wave == 2 ? 6 : 0));
    for (int32_t i = 1; i < 20; ++i) game_step(&game);
  }
  const int32_t creep = creep_of(0, 0, 12);
  CHECK(s->kind[creep] == MOBA_SIEGE && s->max_hp[creep] == 260 * 104 / 100 && s->damage[creep] == 16 * 104 / 100);
  for (int32_t i = 0; i < 20 * 8; ++i) game_step(&game);  // 16 creeps per lane; more are not spawned
  game_close(&game);
}

// ---- scripts, opponents, rewards ---------------------------------------------------------------------------------

static void test_spirit_and_zero_sum(void) {
  Game game = scene_open();
  Moba* s = game.s;
  const int32_t archer = scene_hero(&game, MOBA_ARCHER, 1, X, Y),
                creep = scene_unit(&game, creep_of(1, 0, 0), MOBA_MELEE, X + 3, Y);
  const float farm = 0.002f * 24 + 0.002f * 18;
  s->hp[creep] = 1;
  Game other = game_copy(&game);
  tick(&game, archer, 0, 1, 1);
  CHECK(pfc_absf(game.rewards[archer] - (0.8f * farm + 0.2f * farm / 5)) < 1e-7f);
  CHECK(pfc_absf(game.rewards[0] - 0.2f * farm / 5) < 1e-7f && game.rewards[5] == 0.0f);
  other.p.zero_sum = 1;
  tick(&other, archer, 0, 1, 1);
  CHECK(game.rewards[archer] == other.rewards[archer] && pfc_absf(other.rewards[5] + farm / 5) < 1e-7f);
  float sum = 0.0f;
  for (int32_t row = 0; row < MOBA_HEROES; ++row) sum += other.rewards[row];
  CHECK(pfc_absf(sum) < 1e-6f);
  game_close(&game), game_close(&other);
}

// Legal acts are executed, illegal ones never are. Leaps also need a free cell, charges a free path.
static void test_mask_equals_executed_acts(void) {
  Game game = game_open(default_params(), 21, 0), trial = game_copy(&game);
  PfcRng rng;
  pfc_rng_seed(&rng, 8, 8);
  int32_t seen[2][5] = {{0}};
  for (int32_t t = 0; t < 4000; ++t) {
    game_choose_roaming(&game, &rng);
    game_step(&game);
    if (game.s->over) game_reset(&game, 21, (uint64_t)t);
    const int32_t hero = (int32_t)pfc_rng_below(&rng, MOBA_HEROES), act = 1 + (int32_t)pfc_rng_below(&rng, 4);
    const bool legal = moba_legal_acts(game_view(&game), hero) >> act & 1;
    const int32_t which = moba_role(hero) * MOBA_SKILLS + act - 2;
    memcpy(trial.s, game.s, game.layout.state_bytes);
    if (!moba_lives(trial.s, hero)) continue;
    MobaLedger ledger;
    memset(&ledger, 0, sizeof ledger);
    MobaGame* g = game_view(&trial);
    g->ledger = &ledger;
    const int32_t choice[3] = {act == 1 || which != MOBA_CHARGE ? 0 : 3, act, (int32_t)pfc_rng_below(&rng, 3)};
    const bool taunted = trial.s->clock.taunt[hero] > 0;
    moba_act_hero(g, hero, choice);
    const Moba* s = trial.s;
    const bool done = act == 1 ? s->clock.wait[hero] > game.s->clock.wait[hero] : s->mana[hero] < game.s->mana[hero];
    const bool may_fail = which == MOBA_CHARGE || which == MOBA_LEAP;
    CHECK(done == legal || (legal && act > 1 && may_fail) || (taunted && act == 1));
    seen[legal][act] += 1;
  }
  for (int32_t act = 1; act < 5; ++act) CHECK(seen[0][act] > 5 && seen[1][act] > 5);
  game_close(&game), game_close(&trial);
}

static void test_layout(void) {
  MobaParams p = default_params();
  PfcLayout sizes = spec->sizes;
  spec->layout(&p, &sizes);
  CHECK(sizes.agents == 10 && sizes.teams == 2 && !sizes.masked && sizes.obs_shape[0] == 416 && MOBA_OBS_HEAD == 78);
  CHECK(sizes.state_bytes <= 6 * 1024 * 10);
  p.size = 128, p.vision = 7, p.opponent = 3, p.masked = 1;
  spec->layout(&p, &sizes);
  CHECK(sizes.agents == 5 && sizes.teams == 1 && sizes.masked && sizes.obs_shape[0] == 78 + 2 * 225);
  CHECK(sizes.state_bytes <= 18 * 1024 * 10);
  PfcObsRow rows[MOBA_OBS_ROWS];
  memcpy(rows, moba_obs, sizeof rows);
  moba_fill_rows(&p, rows);
  int32_t total = 0;
  for (int32_t i = 0; i < MOBA_OBS_ROWS; ++i) total += rows[i].count;
  CHECK(total == sizes.obs_shape[0] && rows[MOBA_OBS_ROWS - 1].plane_width == 15);
}

int main(void) {
  test_last_hit(0), test_last_hit(8), test_last_hit(9);
  test_tower_kills_alone(MOBA_WARDEN, 21), test_tower_kills_alone(MOBA_BLADE, 21);
  test_tower_kills_alone(MOBA_EMBER, 17), test_tower_kills_alone(MOBA_BULWARK, 29);
  test_tower_targets();
  test_both_die();
  test_kill_credit();
  test_buildings_in_order();
  test_a_tower_falls();
  test_win(false), test_win(true);
  test_reach(MOBA_BIND, 30, 10, 5, MOBA_STUN_BIND, 0);
  test_reach(MOBA_LEAP, 50, 15, 6, 0, 0);
  test_reach(MOBA_WHIRL, 40, 10, 1, 0, 0);
  test_reach(MOBA_BOLT, 80, 20, 6, 0, 0);
  test_reach(MOBA_BLAZE, 45, 12, 6, 0, 0);
  test_reach(MOBA_FROST, 20, 6, 2, 0, MOBA_SLOW_FROST);
  test_reach(MOBA_VOLLEY, 30, 8, 5, 0, 0);
  test_reach(MOBA_SNARE, 40, 10, 6, 0, MOBA_SLOW_SNARE);
  for (int32_t which = 0; which < MOBA_TEAM * MOBA_SKILLS; ++which) test_refusals(which), test_on_veiled(which);
  test_skin_and_shield();
  test_mend(), test_aegis(), test_leap(), test_veil();
  test_area_hits(MOBA_WHIRL), test_area_hits(MOBA_BLAZE), test_area_hits(MOBA_FROST), test_area_hits(MOBA_VOLLEY);
  test_volley_takes_four();
  test_taunt(), test_skin(), test_charge(), test_focus();
  test_statuses();
  test_death_and_return();
  test_fountain();
  test_levels();
  test_lost_rewards();
  test_camp(), test_neutrals_stay(), test_guardian();
  test_creep_targets(), test_siege_hurts_buildings(), test_astray_creep_comes_back(), test_waves();
  test_spirit_and_zero_sum();
  test_mask_equals_executed_acts();
  test_layout();
  return check_report();
}
