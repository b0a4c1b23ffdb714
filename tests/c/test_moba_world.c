// test_moba_world.c - long runs of moba against slow, obvious code: maps of many seeds, waves, observations, experience
// and gold. Quick by default; test_moba_world SEEDS TICKS runs longer.
#include "moba_game.h"

// ---- maps ------------------------------------------------------------------------------------------------------

static bool open_cell(Game* game, int32_t x, int32_t y) {
  MobaGame* g = game_view(game);
  return moba_inside(g, x, y) && g->cells[moba_cell(g, x, y)] != MOBA_WALL;
}

static const int32_t step_x[8] = {0, 1, 1, 1, 0, -1, -1, -1}, step_y[8] = {-1, -1, 0, 1, 1, 1, 0, -1};

static bool may_go(Game* game, int32_t x, int32_t y, int32_t way) {
  const int32_t dx = step_x[way], dy = step_y[way];
  return open_cell(game, x + dx, y + dy) && (!dx || !dy || (open_cell(game, x + dx, y) && open_cell(game, x, y + dy)));
}

// Marks all that can be reached on foot from a place.
static void flood(Game* game, int32_t x, int32_t y, uint8_t* reached, int32_t* queue) {
  const int32_t size = game->p.size;
  int32_t count = 1;
  memset(reached, 0, (size_t)(size * size));
  queue[0] = y * size + x, reached[queue[0]] = 1;
  for (int32_t i = 0; i < count; ++i)
    for (int32_t way = 0; way < 8; ++way) {
      const int32_t at_x = queue[i] % size, at_y = queue[i] / size, next = queue[i] + step_y[way] * size + step_x[way];
      if (may_go(game, at_x, at_y, way) && !reached[next]) reached[next] = 1, queue[count++] = next;
    }
}

static bool is_jungle(int32_t x, int32_t y) {  // on a map of 64 cells, from the rules
  static const int32_t pits[10][3] = {{13, 40, 3}, {23, 50, 3}, {15, 27, 3}, {36, 48, 3}, {20, 20, 2},
                                      {50, 23, 3}, {40, 13, 3}, {48, 36, 3}, {27, 15, 3}, {43, 43, 2}};
  if ((x <= 12 && y >= 51) || (x >= 51 && y <= 12)) return false;                              // bases
  if ((x >= 3 && x <= 7 && y >= 3) || (y >= 3 && y <= 7 && x >= 3)) return false;              // top lane
  if ((y >= 56 && y <= 60 && x <= 60) || (x >= 56 && x <= 60 && y <= 60)) return false;        // bottom lane
  if (abs(x + y - 63) <= 3 || abs(x - y) <= 2) return false;                                  // middle lane, river
  for (int32_t i = 0; i < 10; ++i)
    if (abs(x - pits[i][0]) <= pits[i][2] && abs(y - pits[i][1]) <= pits[i][2]) return false;
  return true;
}

// Number of steps from a cell along a flow field to `there`; -1 if it does not lead there.
static int32_t follow(Game* game, int32_t team, int32_t x, int32_t y, int32_t which, int32_t most) {
  MobaGame* g = game_view(game);
  const MobaPlace ancient = moba_place_of(g, !team, moba_building_places[MOBA_ANCIENT]);
  const MobaPlace fountain = moba_place_of(g, team, moba_fountain_place);
  for (int32_t steps = 0; steps <= most; ++steps) {
    if (which < MOBA_LANES ? x == ancient.x && y == ancient.y : moba_span(x - fountain.x, y - fountain.y) <= 3)
      return steps;
    const int32_t code = moba_way(g, team, x, y, which);
    if (code < 1 || code > 8) return -1;
    const int32_t way = team ? (code + 3) & 7 : code - 1;
    if (!may_go(game, x, y, way)) return -1;
    x += step_x[way], y += step_y[way];
    if (which == MOBA_HOME && g->cells[moba_cell(g, x, y)] >= MOBA_BUILDINGS &&
        g->cells[moba_cell(g, x, y)] < MOBA_UNITS)
      return -1;
  }
  return -1;
}

static void check_map(Game* game, uint8_t* reached, int32_t* queue) {
  const int32_t size = game->p.size;
  MobaGame* g = game_view(game);
  int32_t jungle = 0, walls = 0;
  flood(game, 3 * size / 64, 60, reached, queue);
  bool even = true, all_reached = true, open_ground = true;
  for (int32_t y = 0; y < size; ++y)
    for (int32_t x = 0; x < size; ++x) {
      const bool open = open_cell(game, x, y);
      even &= open == open_cell(game, size - 1 - x, size - 1 - y);
      all_reached &= open == (reached[y * size + x] != 0);
      if (is_jungle(x, y)) ++jungle, walls += !open;
      else open_ground &= open;
    }
  CHECK(even && all_reached && open_ground);
  CHECK(100 * walls >= 20 * jungle && 100 * walls <= 45 * jungle);
  for (int32_t unit = 0; unit < MOBA_UNITS; ++unit)
    CHECK(!moba_lives(game->s, unit) || reached[game->s->y[unit] * size + game->s->x[unit]]);
  (void)g;
}

static void check_ways(Game* game) {
  const int32_t size = game->p.size;
  for (int32_t y = 0; y < size; ++y)
    for (int32_t x = 0; x < size; ++x) {
      const int32_t found = game_unit_at(game, x, y);
      if (found == MOBA_WALL || (found >= MOBA_BUILDINGS && found < MOBA_UNITS)) continue;
      bool leads = follow(game, 0, x, y, MOBA_HOME, 3 * size) >= 0;
      for (int32_t lane = 0; lane < MOBA_LANES; ++lane) leads &= follow(game, (x + y) & 1, x, y, lane, 3 * size) >= 0;
      if (!leads) CHECK(leads);
    }
  CHECK(true);
}

static void test_maps(int32_t seeds) {
  Game game = game_open(default_params(), 1, 0);
  uint8_t* reached = malloc(128 * 128);
  int32_t* queue = malloc(128 * 128 * sizeof(int32_t));
  int32_t differing = 0;
  uint64_t last = 0;
  for (int32_t i = 0; i < seeds; ++i) {
    game_reset(&game, 11, (uint64_t)i);
    check_map(&game, reached, queue);
    if (i % 10 == 0) check_ways(&game);
    uint64_t hash = 1;
    for (int32_t k = 0; k < 76 * 76; ++k) hash = pfc_hash64(hash ^ (game_view(&game)->cells[k] == MOBA_WALL));
    differing += hash != last;
    last = hash;
  }
  CHECK(differing == seeds);
  game.p.random_jungle = 0;
  game_reset(&game, 1, 0);
  unsigned char* fixed = malloc(moba_cell_bytes(&game.p));
  memcpy(fixed, game_view(&game)->cells, moba_cell_bytes(&game.p));
  game_reset(&game, 2, 0);
  check_ways(&game);
  bool same = true;
  for (int32_t k = 0; k < 76 * 76; ++k) same &= (fixed[k] == MOBA_WALL) == (game_view(&game)->cells[k] == MOBA_WALL);
  CHECK(same);
  game_close(&game);
  MobaParams large = default_params();
  for (large.size = 65; large.size <= 128; large.size += 9) {
    Game wide = game_open(large, 3, (uint64_t)large.size);
    check_ways(&wide);
    game_close(&wide);
  }
  free(reached), free(queue), free(fixed);
}

// ---- waves -------------------------------------------------------------------------------------------------------

static void remove_unit(Game* game, int32_t unit) {
  if (!moba_lives(game->s, unit)) return;
  moba_lift(game_view(game), unit);
  moba_forget(game->s, unit);
  game->s->hp[unit] = 0;
}

// The waves of one team in the middle lane, without opponents.
static void test_siege(int32_t team, uint64_t index) {
  MobaParams p = default_params();
  p.max_steps = 0;
  Game game = game_open(p, 5, index);
  int32_t order[MOBA_TEAM_BUILDINGS], fallen = 0;
  uint32_t standing = game.s->standing[!team];
  while (!game.s->over && game.s->tick < 4000) {
    for (int32_t k = 0; k < MOBA_TEAM_CREEPS; ++k) {
      remove_unit(&game, moba_first_creep(!team) + k);
      if (k / MOBA_LANE_CREEPS != MOBA_MIDDLE) remove_unit(&game, moba_first_creep(team) + k);
    }
    for (int32_t hero = 0; hero < MOBA_HEROES; ++hero) remove_unit(&game, hero), game.s->clock.back[hero] = 9;
    game_step(&game);
    for (int32_t n = 0; n < MOBA_TEAM_BUILDINGS; ++n)
      if ((standing & ~game.s->standing[!team]) >> n & 1) order[fallen++] = n;
    standing = game.s->standing[!team];
  }
  CHECK(game.s->over == 1 + team && game.s->tick >= 1500 && game.s->tick <= 2700);
  CHECK(fallen == 6 && order[0] == 3 && order[1] == 4 && order[2] == 5 && order[3] + order[4] == 19 && order[5] == 11);
  if (index == 0 && team == 0) printf("the waves of the middle lane win after %u ticks\n", game.s->tick);
  game_close(&game);
}

static void test_peace(uint64_t index) {
  Game game = game_open(default_params(), 5, index);
  for (int32_t t = 0; t < 1500; ++t) game_step(&game);
  CHECK(game.s->towers[0] == 0 && game.s->towers[1] == 0 && game.s->tally[0].deaths == 0);
  game_close(&game);
}

// Place of the first attack in each lane: creeps cut the corners of the outer lanes. No creep leaves its lane.
static void test_meeting(uint64_t index) {
  Game game = game_open(default_params(), 5, index);
  Moba* s = game.s;
  MobaGame* g = game_view(&game);
  bool met[MOBA_LANES] = {false};
  static const int32_t middle[MOBA_LANES][2] = {{7, 7}, {31, 32}, {56, 56}};
  for (int32_t t = 0; t < 400; ++t) {
    game_step(&game);
    for (int32_t unit = MOBA_CREEPS; unit < MOBA_NEUTRALS; ++unit) {
      if (!moba_lives(s, unit)) continue;
      const int32_t team = moba_side(unit), lane = moba_creep_lane(unit), place = team ? MOBA_LANES - 1 - lane : lane;
      CHECK(moba_on_track(g, team, lane, s->x[unit], s->y[unit]));
      if (met[place] || s->clock.wait[unit] == 0) continue;
      met[place] = true;
      const int32_t rival = s->target[unit];
      const int32_t at_x = (s->x[unit] + s->x[rival]) / 2, at_y = (s->y[unit] + s->y[rival]) / 2;
      CHECK(moba_span(at_x - middle[place][0], at_y - middle[place][1]) <= 3);
    }
  }
  CHECK(met[0] && met[1] && met[2]);
  game_close(&game);
}

// No creep stays in place for long, except for those that wait behind others with an enemy near.
static void test_no_creep_is_stuck(int32_t waves) {
  MobaParams p = default_params();
  p.max_steps = 0;
  Game game = game_open(p, 6, 0);
  Moba* s = game.s;
  int32_t idle[MOBA_UNITS] = {0}, x[MOBA_UNITS] = {0}, y[MOBA_UNITS] = {0}, longest = 0;
  for (int32_t t = 0; t < 120 * waves; ++t) {
    game_step(&game);
    if (s->over) game_reset(&game, 6, (uint64_t)t);
    for (int32_t unit = MOBA_CREEPS; unit < MOBA_NEUTRALS; ++unit) {
      const bool waits = s->clock.wait[unit] || s->target[unit] != MOBA_NONE;
      const bool busy = s->x[unit] != x[unit] || s->y[unit] != y[unit] || waits || !moba_lives(s, unit);
      idle[unit] = busy ? 0 : idle[unit] + 1;
      longest = pfc_maxi(longest, idle[unit]);
      x[unit] = s->x[unit], y[unit] = s->y[unit];
    }
  }
  CHECK(longest < 50);
  printf("no creep is idle for more than %d ticks\n", longest);
  game_close(&game);
}

// ---- observations --------------------------------------------------------------------------------------------------

static int32_t distance(const Moba* s, int32_t a, int32_t b) {
  return pfc_maxi(abs(s->x[a] - s->x[b]), abs(s->y[a] - s->y[b]));
}

static bool slow_sees(const Game* game, int32_t team, int32_t hero) {
  const Moba* s = game->s;
  const bool veiled = hero % MOBA_TEAM == MOBA_BLADE && s->clock.buff[hero] > 0;
  if (s->x[hero] == MOBA_OFF) return false;
  for (int32_t unit = 0; unit < MOBA_UNITS; ++unit) {
    if (s->x[unit] == MOBA_OFF || moba_is_neutral(unit) || moba_side(unit) != team) continue;
    const bool tower = unit >= MOBA_BUILDINGS && s->kind[unit] != MOBA_KIND_ANCIENT;
    if (distance(s, unit, hero) <= (veiled ? tower ? 5 : 2 : game->p.vision)) return true;
  }
  return false;
}

static int32_t slow_code(const Game* game, int32_t unit, int32_t team) {
  const Moba* s = game->s;
  const bool own = moba_side(unit) == team;
  if (unit < 10) return (own ? 17 : 22) + unit % 5;
  if (unit < 106) return (own ? 3 : 6) + s->kind[unit];
  if (unit < 132) return 9 + s->kind[unit] - MOBA_SMALL;
  const int32_t number = (unit - 132) % 12, side = unit >= 144;
  if (number == 11) return own ? 15 : 16;
  if (own) return 12;
  const uint32_t standing = s->standing[side];
  bool can = number < 9 && (number % 3 == 0 || !(standing >> (number - 1) & 1));
  if (number >= 9) can = !(standing >> 2 & 1) || !(standing >> 5 & 1) || !(standing >> 8 & 1);
  return can ? 13 : 14;
}

// Both planes of a whole map as a team sees it, rebuilt from the units: code + 32 (hit points in eighths).
static void slow_planes(Game* game, int32_t team, uint8_t* plane) {
  const Moba* s = game->s;
  const int32_t size = game->p.size, v = game->p.vision, stride = size + 2 * v;
  for (int32_t i = 0; i < stride * stride; ++i) plane[2 * i] = 2, plane[2 * i + 1] = 0;
  for (int32_t y = 0; y < size; ++y)
    for (int32_t x = 0; x < size; ++x) {
      const int32_t own_x = team ? size - 1 - x : x, own_y = team ? size - 1 - y : y;
      plane[2 * ((own_y + v) * stride + own_x + v)] = (uint8_t)!open_cell(game, x, y);
    }
  for (int32_t unit = 0; unit < MOBA_UNITS; ++unit) {
    if (s->x[unit] == MOBA_OFF) continue;
    if (unit < 10 && moba_side(unit) != team && !slow_sees(game, team, unit)) continue;
    const int32_t own_x = team ? size - 1 - s->x[unit] : s->x[unit], own_y = team ? size - 1 - s->y[unit] : s->y[unit];
    const int32_t hp = (8 * s->hp[unit] + s->max_hp[unit] - 1) / s->max_hp[unit];
    plane[2 * ((own_y + v) * stride + own_x + v)] = (uint8_t)slow_code(game, unit, team);
    plane[2 * ((own_y + v) * stride + own_x + v) + 1] = (uint8_t)hp;
  }
}

// Every hero's planes are the window around it, or around the place where it died.
static bool planes_agree(Game* game, uint8_t* plane) {
  const int32_t v = game->p.vision, size = game->p.size, stride = size + 2 * v, side = 2 * v + 1;
  for (int32_t hero = 0; hero < MOBA_HEROES; ++hero) {
    uint8_t seen[MOBA_OBS_HEAD + 2 * 225];
    const int32_t team = hero >= MOBA_TEAM;
    if (hero % MOBA_TEAM == 0) slow_planes(game, team, plane);
    const bool dead = game->s->x[hero] == MOBA_OFF;
    const int32_t x = dead ? game->s->place_x[hero] : game->s->x[hero],
                  y = dead ? game->s->place_y[hero] : game->s->y[hero];
    const int32_t left = team ? size - 1 - x : x, top = team ? size - 1 - y : y;  // with the margin, the corner's cell
    moba_observe(game->s, &game->p, hero, (MobaObs*)(void*)seen);
    for (int32_t i = 0; i < side * side; ++i) {
      const uint8_t* cell = plane + 2 * ((top + i / side) * stride + left + i % side);
      if (seen[MOBA_OBS_HEAD + i] != cell[0] || seen[MOBA_OBS_HEAD + side * side + i] != cell[1]) return false;
    }
  }
  return true;
}

// The cells contain exactly the units, each at its own position.
static bool cells_agree(Game* game) {
  int32_t units = 0, found = 0;
  for (int32_t unit = 0; unit < MOBA_UNITS; ++unit) {
    if (!moba_lives(game->s, unit)) continue;
    ++units;
    if (game_unit_at(game, game->s->x[unit], game->s->y[unit]) != unit) return false;
  }
  const MobaGame* g = game_view(game);
  for (int32_t i = 0; i < g->stride * g->stride; ++i) found += g->cells[i] < MOBA_UNITS;
  return units == found;
}

// A hero's observation does not depend on positions of enemies that its team cannot see.
static bool keeps_secrets(Game* game, Game* twin, int32_t hero) {
  uint8_t seen[2][MOBA_OBS_HEAD + 2 * 225];
  const int32_t team = hero >= MOBA_TEAM;
  memcpy(twin->s, game->s, game->layout.state_bytes);
  bool moved = false;
  for (int32_t k = 0; k < MOBA_TEAM; ++k) {
    const int32_t enemy = !team * MOBA_TEAM + k;
    if (!moba_lives(twin->s, enemy) || slow_sees(game, team, enemy)) continue;
    const MobaSearch search = {0, -1, 64};
    const MobaPlace corner = {32, 32};
    const MobaPlace at = moba_free_near(game_view(twin), corner, search);
    moba_lift(game_view(twin), enemy), moba_put(game_view(twin), enemy, at.x, at.y);
    moved = true;
  }
  moba_observe(game->s, &game->p, hero, (MobaObs*)(void*)seen[0]);
  moba_observe(twin->s, &twin->p, hero, (MobaObs*)(void*)seen[1]);
  return !moved || memcmp(seen[0], seen[1], (size_t)game->obs_bytes) == 0;
}

// ---- experience and gold --------------------------------------------------------------------------------------------

typedef struct Books {
  int64_t xp[MOBA_HEROES], gold[MOBA_HEROES];  // sums since the start
} Books;

static int64_t xp_of(const Moba* s, int32_t hero) {
  int64_t total = s->xp[hero];
  for (int32_t level = 1; level < s->level[hero]; ++level) total += 60 + 40 * level;
  return total;
}
static int64_t gold_of(const Moba* s, int32_t hero) { return s->gold[hero] + 120 * s->gear[hero]; }

// Rewards of one tick's deaths, computed from the state before the ledger is settled.
static void slow_awards(const Moba* s, const MobaLedger* ledger, int32_t first, int64_t* xp, int64_t* gold) {
  for (int32_t unit = 0; unit < MOBA_UNITS; ++unit) {
    if (s->x[unit] == MOBA_OFF || ledger->damage[unit] == 0) continue;
    int32_t damage = ledger->damage[unit];
    if (unit % 5 == MOBA_BULWARK && unit < 10 && s->clock.buff[unit]) damage -= damage / 2;
    if (s->clock.shield[unit]) damage -= damage < s->shield[unit] ? damage : s->shield[unit];
    if (damage < s->hp[unit]) continue;
    int32_t killer = -1;
    for (int32_t i = 0; i < 10; ++i) {
      const int32_t hero = (i % 2 ? !first : first) * 5 + i / 2;
      if (ledger->by_hero[unit][hero] > 0 &&
          (killer < 0 || ledger->by_hero[unit][hero] > ledger->by_hero[unit][killer]))
        killer = hero;
    }
    int32_t sharers[10], n = 0, worth = 0, all_xp = 0, all_gold = 0, winner = !moba_side(unit);
    if (unit < 10) worth = 60 + 20 * s->level[unit];
    else if (unit < 106) worth = s->kind[unit] == MOBA_MELEE ? 24 : s->kind[unit] == MOBA_RANGED ? 30 : 40;
    else if (unit < 132)
      winner = killer >= 5, worth = s->kind[unit] == MOBA_SMALL ? 20 : s->kind[unit] == MOBA_LARGE ? 60 : 0;
    if (s->kind[unit] == MOBA_GUARDIAN) all_xp = 150, all_gold = 120;
    if (unit >= 132) all_xp = 80, all_gold = 60;
    for (int32_t hero = winner * 5; hero < winner * 5 + 5; ++hero) {
      xp[hero] += all_xp, gold[hero] += all_gold;
      const bool near = s->x[hero] != MOBA_OFF && distance(s, hero, unit) <= 8;
      if (near || (hero == killer && (unit < 10 || unit >= 106))) sharers[n++] = hero;
      const bool hurt = unit < 10 && (s->clock.hurt_by[unit][hero % 5] > 0 || ledger->by_hero[unit][hero] > 0);
      if (hurt && hero != killer) gold[hero] += 40;
    }
    for (int32_t i = 0; i < n; ++i) xp[sharers[i]] += worth / n;
    if (killer < 0) continue;
    if (unit < 10) gold[killer] += 80 + 8 * s->level[unit];
    else if (unit < 106) gold[killer] += s->kind[unit] == MOBA_MELEE ? 18 : s->kind[unit] == MOBA_RANGED ? 22 : 30;
    else if (s->kind[unit] == MOBA_SMALL) gold[killer] += 12;
    else if (s->kind[unit] == MOBA_LARGE) gold[killer] += 36;
  }
}

// moba_step in parts, with a check of the ledger before it is settled.
static void watched_step(Game* game, int64_t* xp, int64_t* gold) {
  MobaGame* g = game_view(game);
  MobaLedger ledger;
  MobaGains gains;
  int32_t choices[MOBA_HEROES][3];
  uint32_t present = 0;
  const PfcIo io = {&game->actions[0][0], NULL, game->rewards, game->terminated, game->truncated, game->alive};
  memset(&ledger, 0, sizeof ledger), memset(&gains, 0, sizeof gains);
  g->ledger = &ledger;
  for (int32_t hero = 0; hero < MOBA_HEROES; ++hero) present |= (uint32_t)moba_lives(g->s, hero) << hero;
  moba_collect_choices(g, io, choices);
  moba_begin_tick(g);
  moba_run_heroes(g, present, choices);
  moba_run_creeps(g), moba_run_neutrals(g), moba_run_towers(g);
  memset(xp, 0, 10 * sizeof *xp), memset(gold, 0, 10 * sizeof *gold);
  slow_awards(g->s, &ledger, g->first, xp, gold);
  moba_settle(g, &gains);
  moba_pay(g, &gains, io);
  moba_turn_clocks(g->s);
  moba_judge_health(g->s);
  g->s->tick += 1;
  moba_update_views(g);
}

static int64_t most_xp, most_gold;

static void check_books(Game* game, const Books* before, const uint8_t* level, const uint8_t* gear, const int64_t* xp,
                        const int64_t* gold) {
  for (int32_t hero = 0; hero < MOBA_HEROES; ++hero) {
    const Moba* s = game->s;
    const int64_t got_xp = xp_of(s, hero) - before->xp[hero], got_gold = gold_of(s, hero) - before->gold[hero];
    const int64_t room = xp_of(&(Moba){.level = {15}}, 0) - before->xp[hero];  // up to level 15
    CHECK(got_xp == (level[hero] == 15 ? 0 : xp[hero] < room ? xp[hero] : room));
    CHECK(got_gold == (gear[hero] == 20 ? 0 : gold[hero]));
    most_xp += got_xp, most_gold += got_gold;
  }
}

// A style: 0 random, 1 roaming, 2 the laner's script, 3 the captain's.
static void test_at_length(int32_t style, uint64_t seed, int32_t ticks) {
  MobaParams p = default_params();
  p.autopilot = style >= 2 ? style : 0;
  p.vision = 6 + (style & 1);
  Game game = game_open(p, seed, 0), plain = game_copy(&game), twin = game_copy(&game);
  PfcRng rng;
  pfc_rng_seed(&rng, seed, 2);
  uint8_t* plane = malloc(2 * 142 * 142);
  for (int32_t t = 0; t < ticks; ++t) {
    if (style == 0) game_choose_randomly(&game, &rng);
    if (style == 1) game_choose_roaming(&game, &rng);
    Books before;
    uint8_t level[MOBA_HEROES], gear[MOBA_HEROES];
    int64_t xp[MOBA_HEROES], gold[MOBA_HEROES];
    for (int32_t hero = 0; hero < MOBA_HEROES; ++hero) {
      before.xp[hero] = xp_of(game.s, hero), before.gold[hero] = gold_of(game.s, hero);
      level[hero] = game.s->level[hero], gear[hero] = game.s->gear[hero];
    }
    memcpy(plain.s, game.s, game.layout.state_bytes);
    memcpy(plain.actions, game.actions, sizeof plain.actions);
    watched_step(&game, xp, gold);
    game_step(&plain);
    for (int32_t hero = 0; hero < MOBA_HEROES; ++hero)
      if (game.s->gear[hero] == 20)
        gear[hero] = 20 * (gear[hero] == 20 || gold[hero] == 0 || gold_of(game.s, hero) == before.gold[hero]);
    if (!CHECK(memcmp(plain.s, game.s, game.layout.state_bytes) == 0)) break;
    check_books(&game, &before, level, gear, xp, gold);
    if (!CHECK(planes_agree(&game, plane) && cells_agree(&game))) break;
    CHECK(keeps_secrets(&game, &twin, t % MOBA_HEROES));
    if (game.s->over || game.s->tick == 3000) game_reset(&game, seed, (uint64_t)t + 1);
  }
  free(plane);
  game_close(&game), game_close(&plain), game_close(&twin);
}

int main(int argc, char** argv) {
  const int32_t seeds = argc > 1 ? atoi(argv[1]) : 10, ticks = argc > 2 ? atoi(argv[2]) : 1000;
  test_maps(seeds);
  for (uint64_t index = 0; index < 2; ++index) {
    test_siege((int32_t)index, index);
    test_peace(index);
    test_meeting(index);
  }
  test_no_creep_is_stuck(ticks >= 20000 ? 100 : 30);
  for (int32_t style = 0; style < 4; ++style) test_at_length(style, 40 + (uint64_t)style, ticks);
  CHECK(most_xp > 1000 && most_gold > 1000);
  return check_report();
}
