// test_mmo_lives.c - whole lives of mmo in pools: truncation, new worlds, rows that wait for a reset, masks, the
// built-in player and random play, any number of threads, the C++ build, parameters at their limits.
//
//   test_mmo_lives [worlds]   worlds of 128 players for statistics and hashes; the game's page uses 8
#include "harness.h"
#include "mmo_game.h"

static int32_t num_worlds = 1;

static Case mmo_case(int32_t players, int32_t creatures) {
  const Case c = {"mmo", "mmo", 3, {{"size", 64}, {"players", players}, {"creatures", creatures}}};
  return c;
}

// A pool of the game as this file has it compiled in.
static Player lives_start(const Case* c, int32_t games, PfcAutoreset autoreset) {
  PfcPoolDesc desc = case_desc(c, games, 3);
  desc.env = NULL, desc.spec = spec;
  desc.autoreset = autoreset;
  return player_start(&desc);
}

static void read_field(const Player* p, const char* name, void* values) {
  PfcField field;
  const int32_t index = pfc_pool_find_field(p->pool, name);
  CHECK(index >= 0 && pfc_pool_field(p->pool, index, &field) == PFC_OK);
  const uint64_t bytes = field.count * PFC_DTYPE_BYTES(field.dtype) * (uint64_t)p->b->num_games;
  CHECK(pfc_pool_get_field(p->pool, index, values, bytes) == PFC_OK);
}

// ---- truncation ------------------------------------------------------------------------------------------

// Truncates one pool at step `at`; the other one plays on. Final observations of the first equal observations of the
// second.
static void check_cut(const char* name, int32_t at) {
  Case c = mmo_case(16, 40), cut = c;
  c = case_with(&c, "world_ticks", 0), cut = case_with(&c, name, at);
  Player p = lives_start(&c, 2, PFC_AUTORESET_SAME_STEP), q = lives_start(&cut, 2, PFC_AUTORESET_SAME_STEP);
  int32_t started[32] = {0};
  for (int32_t t = 1; t <= at; ++t) {
    player_step(&p), player_step(&q);
    for (int32_t row = 0; row < 32; ++row) {
      if (t < at) {
        CHECK(q.b->terminated[row] == p.b->terminated[row] && !q.b->truncated[row]);
        if (p.b->terminated[row]) started[row] = t;
        continue;
      }
      const bool whole = strcmp(name, "world_ticks") == 0 || started[row] == 0;  // else its life is younger than that
      CHECK(q.b->truncated[row] == (whole && !q.b->terminated[row]) && q.b->terminated[row] == p.b->terminated[row]);
      if (!q.b->truncated[row]) continue;
      CHECK(memcmp(obs_row(q.b->final_observations, q.b, row), obs_row(p.b->observations, p.b, row), p.b->obs_bytes) ==
            0);
      CHECK(q.b->episode_lengths[row] == at - started[row] && q.b->rewards[row] == p.b->rewards[row]);
    }
  }
  player_close(&p), player_close(&q);
}

static void test_stall(void) {
  MmoParams p = game_small(1, 0);
  p.need_ticks = 0, p.stall_ticks = 30;
  Game g = game_open(p, 1);
  const PfcIo io = {g.actions, g.controls, g.rewards, g.terminated, g.truncated, g.alive};
  const MmoWorld w = mmo_world(g.s, g.p, &io);
  for (int32_t t = 1; t <= 50; ++t) {
    game_step_only(&g);
    CHECK(!g.terminated[0] && g.truncated[0] == (t == 50));
    if (t == 10) mmo_learn(&w, 0, 0, 10);            // combat only: no better score
    if (t == 20) mmo_learn(&w, 0, MMO_FISHING, 10);  // profession too: 30 more ticks
  }
  game_finish(&g);
  CHECK(g.metrics[METRIC_SCORE] == 2.0f && g.metrics[METRIC_LIFE] == 50.0f && g.w.players[0].progress == 0);
  game_close(&g);
}

enum { WORLD_CELLS = 74 * 74, ROWS = 16 };  // of the smallest world with its margin

static void check_all_in_town(const Player* p) {
  uint8_t ground[WORLD_CELLS];
  static uint16_t unit[WORLD_CELLS];
  int32_t players = 0;
  read_field(p, "ground", ground), read_field(p, "unit", unit);
  for (int32_t i = 0; i < WORLD_CELLS; ++i) {
    if (unit[i] == 0 || unit[i] > ROWS) continue;
    ++players;
    CHECK(ground[i] == MMO_FLOOR);
  }
  CHECK(players == ROWS);
}

// A world of 60 ticks, in a pool that respawns, in one that is reset as a whole, and in one that is reset row by row.
static void test_new_world(void) {
  for (int32_t way = 0; way < 3; ++way) {
    Case c = mmo_case(ROWS, 40);
    c = case_with(&c, "world_ticks", 60);
    Player p = lives_start(&c, 1, way == 0 ? PFC_AUTORESET_SAME_STEP : PFC_AUTORESET_DISABLED);
    uint8_t before[WORLD_CELLS], after[WORLD_CELLS], mask[ROWS] = {0};
    uint32_t tick = 0;
    int32_t differ = 0;
    read_field(&p, "ground", before);
    for (int32_t t = 0; t < 60; ++t) player_step(&p);
    for (int32_t row = 0; row < ROWS; ++row)
      CHECK(p.b->truncated[row] != p.b->terminated[row] && p.b->alive[row] == (way == 0));
    const PfcResetDesc whole = {0}, part = {.mask = mask};
    if (way == 1) CHECK(pfc_pool_reset(p.pool, &whole) == PFC_OK);
    for (int32_t row = ROWS - 1; way == 2 && row >= 0; row -= 5) {  // four calls, the first of one row
      memset(mask, 0, sizeof mask);
      for (int32_t i = row; i < pfc_mini(row + 5, ROWS); ++i) mask[i] = 1;
      CHECK(pfc_pool_reset(p.pool, &part) == PFC_OK);
      for (int32_t i = 0; i < ROWS; ++i) CHECK(p.b->alive[i] == (i >= row));
    }
    read_field(&p, "tick", &tick), read_field(&p, "ground", after);
    for (int32_t i = 0; i < WORLD_CELLS; ++i) differ += before[i] != after[i];
    CHECK(tick == 0 && differ > WORLD_CELLS / 5);
    check_all_in_town(&p);
    for (int32_t t = 0; t < 60; ++t) player_step(&p);
    for (int32_t row = 0; row < ROWS; ++row) CHECK(p.b->truncated[row] != p.b->terminated[row]);
    player_close(&p);
  }
}

// A row that waits for its reset does not change, cannot be attacked, and keeps its cell.
static void test_waiting_row(void) {
  MmoParams p = game_small(2, 1);
  p.pvp = 1;
  Game g = game_open(p, 1);
  MmoPlayer *me = &g.w.players[0], *other = &g.w.players[1];
  MmoCreature* c = &g.w.creatures[0];
  c->temper = MMO_AGGRESSIVE;
  for (int32_t dy = -4; dy <= 4; ++dy)
    for (int32_t dx = -4; dx <= 4; ++dx)
      g.w.ground[mmo_cell(&g.w, g.w.towns[0].x + dx, g.w.towns[0].y + dy)] = MMO_GRASS;
  mmo_put_creature(&g.w, c, g.w.towns[0].x, g.w.towns[0].y);
  c->home_x = c->x, c->home_y = c->y;
  me->age = other->age = 100;
  mmo_look_round(&g.w, me), mmo_look_round(&g.w, other);
  mmo_make_item(&g.w, other, MMO_POTION, 1), mmo_list(&g.w, 1, MMO_POTION, 1, 4), mmo_empty_slot(other, 0);
  g.alive[0] = g.alive[1] = 0;
  const MmoPlayer before = *other;
  for (int32_t t = 0; t < 300; ++t) {
    game_choose_act(&g, 1, MMO_RIGHT);
    game_step_only(&g);
  }
  CHECK(other->hp == before.hp && other->food == before.food && other->age == before.age && other->x == before.x);
  CHECK(c->target == 0 && g.w.unit[mmo_cell(&g.w, other->x, other->y)] == 2);
  g.alive[0] = 1;
  c->hp = 0, c->since = 0, mmo_clear_cell(&g.w, mmo_cell(&g.w, c->x, c->y));
  mmo_make_gold(&g.w, me, 10);
  game_choose(&g, 0, MMO_BUY, 0, MMO_POTION - 1, 1);
  game_step_only(&g);
  CHECK(me->gold == 6 && other->gold == 0 && g.s->gold_made - g.s->gold_destroyed == 6);
  CHECK(mmo_find_target(&g.w, 0, MMO_RANGED) == 0);
  spec->respawn(g.s, g.p, 1);
  CHECK(other->life == before.life + 1 && other->state == MMO_ACTIVE && other->age == 0);
  game_close(&g);
}

// ---- masks -------------------------------------------------------------------------------------------------

// Legal choice number `noise` of dimension d.
static int32_t pick_legal(const PfcBuffers* b, int64_t row, int32_t d, uint32_t noise) {
  int32_t first = 0, legal[16], count = 0;
  for (int32_t i = 0; i < d; ++i) first += b->action_counts[i];
  for (int32_t i = 0; i < b->action_counts[d]; ++i)
    if (b->action_mask[row * b->mask_words] >> (first + i) & 1u) legal[count++] = i;
  CHECK(count > 0);
  return count > 0 ? legal[noise % (uint32_t)count] : 0;
}

// Half of the rows follow the script, half make random legal choices. All are accepted; other choices are refused.
static void test_masked_play(void) {
  Case c = mmo_case(48, 100);
  c = case_with(&c, "masked", 1);
  Player p = lives_start(&c, 2, PFC_AUTORESET_SAME_STEP);
  const PfcBuffers* b = p.b;
  int32_t* actions = p.actions;
  PfcRng rng;
  int64_t legal_acts = 0;
  pfc_rng_seed(&rng, 4, 4);
  CHECK(b->num_choices == 32 && b->mask_words == 1 && b->action_mask != NULL);
  for (int32_t t = 0; t < 1500; ++t) {
    const PfcScriptDesc script = {.num_rows = b->rows, .seed = 5, .step = (uint64_t)t, .actions = actions};
    CHECK(pfc_pool_script(p.pool, &script) == PFC_OK);
    for (int64_t row = t % 2; row < b->rows; row += 2)
      for (int32_t d = 0; d < MMO_DIMS; ++d) actions[row * MMO_DIMS + d] = pick_legal(b, row, d, pfc_rng_u32(&rng));
    for (int64_t row = 0; row < b->rows; ++row) legal_acts += __builtin_popcount(b->action_mask[row] & 2047u);
    if (!CHECK(pfc_pool_step(p.pool, actions, PFC_INT32, NULL) == PFC_OK)) break;
  }
  CHECK(legal_acts > 3 * 1500 * (int64_t)b->rows && legal_acts < 9 * 1500 * (int64_t)b->rows);
  for (int64_t i = 0; i < b->rows * MMO_DIMS; ++i) actions[i] = 0;
  CHECK(pfc_pool_reset(p.pool, NULL) == PFC_OK);
  actions[5 * MMO_DIMS] = MMO_ATTACK_MAGIC;  // in town
  check_message(pfc_pool_step(p.pool, actions, PFC_INT32, NULL) == PFC_INVALID, "row 5, dimension 0: choice 7");
  player_close(&p);
  c = mmo_case(4, 4);
  p = lives_start(&c, 1, PFC_AUTORESET_SAME_STEP);
  CHECK(p.b->action_mask == NULL && p.b->mask_words == 0);
  player_close(&p);
}

// ---- the built-in player and random play ----------------------------------------------------------------------

typedef struct Means {
  double score, life;
  int32_t lives;
} Means;

// Means over the first life of every row, so that long lives count as much as short ones.
static Means first_lives(bool autopilot) {
  const Case c = {"mmo", "mmo", 1, {{"autopilot", autopilot}}};
  Player p = lives_start(&c, num_worlds, PFC_AUTORESET_SAME_STEP);
  uint8_t* done = calloc((size_t)p.b->rows, 1);
  Means sum = {0};
  while (sum.lives < p.b->rows) {
    player_step(&p);
    for (int64_t row = 0; row < p.b->rows; ++row) {
      if (done[row] || !row_ended(p.b, row)) continue;
      done[row] = 1;
      sum.score += (double)p.b->episode_metrics[row * NUM_METRICS + METRIC_SCORE];
      sum.life += (double)p.b->episode_metrics[row * NUM_METRICS + METRIC_LIFE];
      sum.lives += 1;
    }
  }
  const Means means = {sum.score / sum.lives, sum.life / sum.lives, sum.lives};
  printf("%s: mean score %.2f, mean life %.0f over %d lives\n", autopilot ? "autopilot" : "random", means.score,
         means.life, means.lives);
  free(done);
  player_close(&p);
  return means;
}

static void test_yardsticks(void) {
  const Means pilot = first_lives(true), random = first_lives(false);
  const double slack = num_worlds >= 8 ? 1.0 : 0.7;  // the lives of one world are alike
  CHECK(pilot.score >= 4.0 * slack && pilot.life >= 1000.0 * slack);
  CHECK(random.score <= 1.5 && random.life <= 500.0);
}

// The script never changes a trajectory, and its players gather.
static void test_script(void) {
  const Case c = mmo_case(32, 80);
  Player p = lives_start(&c, 2, PFC_AUTORESET_SAME_STEP);
  unsigned char* before = take_snapshot(p.pool);
  const uint64_t bytes = pfc_pool_snapshot_bytes(p.pool);
  double values[2 + PFC_MAX_METRICS];
  int64_t lives = 0;
  for (int32_t t = 0; t < 1200; ++t) {
    const PfcScriptDesc script = {.num_rows = p.b->rows, .seed = 1, .step = (uint64_t)t, .actions = p.actions};
    CHECK(pfc_pool_script(p.pool, &script) == PFC_OK);
    if (t == 0) {
      unsigned char* after = take_snapshot(p.pool);
      CHECK(memcmp(before, after, bytes) == 0);
      free(after);
    }
    CHECK(pfc_pool_step(p.pool, p.actions, PFC_INT32, NULL) == PFC_OK);
  }
  CHECK(pfc_pool_pop_metrics(p.pool, &lives, values) == PFC_OK && lives > 0 && values[2 + METRIC_GATHERED] > 5.0);
  free(before);
  player_close(&p);
}

// The parameter `autopilot` plays exactly as the script does with the game's generator.
static void test_autopilot(void) {
  MmoParams p = game_small(24, 60), own = p;
  own.autopilot = 1;
  Game scripted = game_open(p, 3), piloted = game_open(own, 3);
  for (int32_t t = 0; t < 600; ++t) {
    for (int32_t i = 0; i < p.players; ++i)
      spec->script(scripted.s, scripted.p, i, 0, &scripted.s->rng, scripted.actions + MMO_DIMS * i, NULL);
    game_step(&scripted), game_step(&piloted);
    CHECK(memcmp(&scripted.s->rng, &piloted.s->rng, sizeof(PfcRng)) == 0);
    CHECK(memcmp(scripted.obs, piloted.obs, (size_t)(scripted.values * p.players)) == 0);
  }
  game_close(&scripted), game_close(&piloted);
}

static int32_t below(PfcRng* rng, int32_t bound) { return (int32_t)pfc_rng_below(rng, (uint32_t)bound); }

// A random value among those below `end` that give the same 20ths of `max` as `value` does.
static int32_t same_twentieths(PfcRng* rng, int32_t value, int32_t max, int32_t end) {
  for (;;) {
    const int32_t other = below(rng, end);
    if ((20 * other + max - 1) / max == (20 * value + max - 1) / max) return other;
  }
}

static void hide_units(Game* g, int32_t agent, PfcRng* rng) {
  for (int32_t i = 0; i < g->p->creatures; ++i) {
    MmoCreature* c = &g->w.creatures[i];
    c->level = (uint8_t)(6 * ((c->level - 1) / 6) + 1 + below(rng, 6));
    c->target = (uint16_t)below(rng, g->rows + 1), c->target_life = (uint8_t)below(rng, 3);
    c->homing = (uint8_t)below(rng, 33), c->wait = (uint8_t)below(rng, 4), c->since = (uint16_t)below(rng, 200);
    c->temper = (uint8_t)below(rng, 4), c->hp = (int16_t)(1 + below(rng, 30));
  }
  for (int32_t i = 0; i < g->rows; ++i) {
    MmoPlayer* other = &g->w.players[i];
    other->age = below(rng, 2000), other->life = pfc_rng_u32(rng), other->tier = (uint8_t)below(rng, 6);
    for (int32_t k = 0; k < MMO_SKILLS; ++k) other->xp[k] = (uint16_t)below(rng, 10);
    if (i == agent) continue;
    other->hp = (int16_t)(1 + below(rng, 55)), other->food = (uint8_t)below(rng, 101),
    other->gold = (int16_t)below(rng, 100);
    other->seen.fighting = (uint8_t)below(rng, 6), other->seen.danger = (uint8_t)below(rng, 6);
  }
}

// Changes everything that this player does not observe.
static void hide(Game* g, int32_t agent, PfcRng* rng) {
  MmoPlayer* me = &g->w.players[agent];
  const int32_t margin = g->w.margin, max_hp = mmo_max_hp(me);
  hide_units(g, agent, rng);
  me->hp = (int16_t)same_twentieths(rng, me->hp, max_hp, max_hp + 1);
  me->food = (uint8_t)same_twentieths(rng, me->food, 100, 101);
  me->water = (uint8_t)same_twentieths(rng, me->water, 100, 101);
  memset(g->w.market->count, 16, sizeof g->w.market->count);
  for (int32_t i = 0; i < g->w.num_towns; ++i) g->w.towns[i].x = g->w.towns[i].y = 1;
  for (int32_t cell = 0; cell < g->w.cells; ++cell) {
    const int32_t x = cell % g->w.stride - margin, y = cell / g->w.stride - margin;
    g->w.unit[cell] = (uint16_t)below(rng, g->rows + g->p->creatures + 1);
    if (mmo_distance(x - me->x, y - me->y) <= g->p->vision) continue;
    g->w.ground[cell] = (uint8_t)below(rng, 32), g->w.who[cell] = (uint8_t)below(rng, 31);
    g->w.vigour[cell] = (uint8_t)below(rng, 17);
  }
  g->s->tick = pfc_rng_u32(rng);
}

static void test_script_uses_only_observations(void) {
  MmoParams p = game_small(24, 100);
  Game g = game_open(p, 7);
  Mmo* saved = aligned_alloc(64, g.layout.state_bytes);
  int32_t acts[MMO_ACTS] = {0}, before[MMO_DIMS], after[MMO_DIMS];
  PfcRng rng;
  pfc_rng_seed(&rng, 2, 2);
  for (int32_t t = 0; t < 1000; ++t) {
    for (int32_t i = 0; i < p.players; ++i) spec->script(g.s, g.p, i, 0, &rng, g.actions + MMO_DIMS * i, NULL);
    game_step(&g);
    const int32_t agent = t % p.players;
    memcpy(saved, g.s, g.layout.state_bytes);
    PfcRng one = rng, two = rng;
    spec->script(g.s, g.p, agent, 0, &one, before, NULL);
    hide(&g, agent, &rng);
    spec->observe_one(g.s, g.p, agent, g.final_obs);
    CHECK(memcmp(g.final_obs, game_obs(&g, agent), (size_t)g.values) == 0);
    spec->script(g.s, g.p, agent, 0, &two, after, NULL);
    CHECK(memcmp(before, after, sizeof before) == 0 && memcmp(&one, &two, sizeof one) == 0);
    acts[before[MMO_ACT]] += 1;
    memcpy(g.s, saved, g.layout.state_bytes);
  }
  const int32_t attacks = acts[MMO_ATTACK_MELEE] + acts[MMO_ATTACK_RANGED] + acts[MMO_ATTACK_MAGIC];
  CHECK(attacks > 20 && acts[MMO_USE] > 0 && acts[MMO_SELL] > 0);  // these decisions were tested
  free(saved);
  game_close(&g);
}

// ---- the same bits ------------------------------------------------------------------------------------------------

static uint64_t play_hash(int32_t threads) {
  PfcPoolDesc desc = {.spec = spec, .num_games = 8, .num_threads = threads, .seed = 21};
  Player p = player_start(&desc);
  const uint64_t hash = play_and_hash(&p, num_worlds >= 8 ? 1000 : 60);
  player_close(&p);
  return hash;
}

static void test_threads(void) {
  const uint64_t hash = play_hash(1);
  CHECK(play_hash(2) == hash && play_hash(7) == hash);
}

#ifdef MMO_CXX
void mmo_cxx_reset(void* state, const void* params);
void mmo_cxx_step(void* state, const void* params, const PfcIo* io);
void mmo_cxx_respawn(void* state, const void* params, int32_t agent);
void mmo_cxx_observe(const void* state, const void* params, int32_t agent, void* obs);

// The C++17 build gives the same states and observations.
static void test_cxx(void) {
  MmoParams p = game_small(24, 100);
  p.autopilot = 1, p.pvp = 1, p.world_ticks = 700, p.max_steps = 400;
  Game g = game_open(p, 11);
  Mmo* twin = aligned_alloc(64, g.layout.state_bytes);
  memset(twin, 0, g.layout.state_bytes);
  pfc_rng_seed(&twin->rng, 11, 0);
  mmo_cxx_reset(twin, &p);
  CHECK(memcmp(twin, g.s, g.layout.state_bytes) == 0);
  for (int32_t t = 0; t < 1500; ++t) {
    const PfcIo io = {g.actions, g.controls, g.rewards, g.terminated, g.truncated, g.alive};
    mmo_cxx_step(twin, &p, &io);
    game_step(&g);
    for (int32_t i = 0; i < p.players; ++i)
      if (g.terminated[i] || g.truncated[i]) mmo_cxx_respawn(twin, &p, i);
    if (!CHECK(memcmp(twin, g.s, g.layout.state_bytes) == 0)) break;
    mmo_cxx_observe(twin, &p, t % p.players, g.final_obs);
    CHECK(memcmp(g.final_obs, game_obs(&g, t % p.players), (size_t)g.values) == 0);
  }
  free(twin);
  game_close(&g);
}
#else
static void test_cxx(void) {}
#endif

static void test_snapshot(void) {
  Case c = mmo_case(24, 60);
  c = case_with(&c, "world_ticks", 700);
  Player p = lives_start(&c, 3, PFC_AUTORESET_SAME_STEP);
  for (int32_t t = 0; t < 300; ++t) player_step(&p);
  unsigned char* snapshot = take_snapshot(p.pool);
  const uint64_t first = play_and_hash(&p, 1000);
  CHECK(pfc_pool_load(p.pool, snapshot, pfc_pool_snapshot_bytes(p.pool), NULL) == PFC_OK);
  p.t = 300;
  CHECK(play_and_hash(&p, 1000) == first);
  free(snapshot);
  player_close(&p);
}

// ---- parameters -----------------------------------------------------------------------------------------------------

// Every observed byte fits the observation table of these parameters.
static void check_codes(const PfcBuffers* b) {
  for (int64_t row = 0; row < b->rows; ++row) {
    const uint8_t* obs = obs_row(b->observations, b, row);
    int32_t at = 0, beyond = 0;
    for (int32_t r = 0; r < b->num_obs_rows; ++r)
      for (int32_t i = 0; i < b->obs_rows[r].count; ++i) beyond += obs[at++] >= b->obs_rows[r].num_codes;
    CHECK(beyond == 0 && (uint64_t)at == b->obs_bytes);
  }
}

static void test_parameters_at_their_limits(void) {
  for (int32_t i = 0; i < spec->num_params; ++i) {
    for (int32_t end = 0; end < 2; ++end) {
      const PfcParam* param = &spec->params[i];
      const double value = end ? param->max : param->min;
      Case c = {param->name, "mmo", 0, {{0}}};
      const bool large = value > 300 && (strcmp(param->name, "players") == 0 || strcmp(param->name, "creatures") == 0);
      if (strcmp(param->name, "size") != 0) c = case_with(&c, "size", large ? 1024 : 64);
      if (strcmp(param->name, "players") != 0) c = case_with(&c, "players", 30);
      if (strcmp(param->name, "creatures") != 0) c = case_with(&c, "creatures", 60);
      c = case_with(&c, param->name, value);
      Player p = lives_start(&c, 1, PFC_AUTORESET_SAME_STEP);
      const int32_t steps = p.b->rows > 100 ? 5 : 100;
      memset(p.actions, 0, sizeof(int32_t) * MMO_DIMS * (size_t)p.b->rows);
      for (int32_t t = 0; t < steps; ++t) {
        const PfcScriptDesc script = {.num_rows = p.b->rows, .seed = 1, .step = (uint64_t)t, .actions = p.actions};
        if (t % 3 == 0) CHECK(pfc_pool_script(p.pool, &script) == PFC_OK);
        else if (!p.b->action_mask) fill_actions(p.b, 1, t, p.actions);
        else continue;
        CHECK_GAME(param->name, pfc_pool_step(p.pool, p.actions, PFC_INT32, NULL) == PFC_OK);
        check_codes(p.b);
      }
      player_close(&p);
    }
  }
}

int main(int argc, char** argv) {
  if (argc > 1) num_worlds = atoi(argv[1]);
  check_cut("max_steps", 45);
  check_cut("stall_ticks", 1);
  check_cut("world_ticks", 45);
  test_stall();
  test_new_world();
  test_waiting_row();
  test_masked_play();
  test_yardsticks();
  test_script();
  test_autopilot();
  test_script_uses_only_observations();
  test_threads();
  test_cxx();
  test_snapshot();
  test_parameters_at_their_limits();
  return check_report();
}
