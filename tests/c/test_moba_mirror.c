// test_moba_mirror.c - symmetry: a position rotated by 180 degrees with exchanged teams and a flipped coin, played with
// exchanged actions, stays the image of the original for thousands of ticks, bit for bit.
#include "moba_game.h"

// The image of a unit in the rotated game.
static int32_t image_of(int32_t unit) {
  if (unit < MOBA_CREEPS) return (unit + MOBA_TEAM) % MOBA_HEROES;
  if (unit < MOBA_NEUTRALS) return MOBA_CREEPS + (unit - MOBA_CREEPS + MOBA_TEAM_CREEPS) % (2 * MOBA_TEAM_CREEPS);
  if (unit < MOBA_GUARDIANS)
    return MOBA_NEUTRALS + (unit - MOBA_NEUTRALS + MOBA_HALF_NEUTRALS) % (2 * MOBA_HALF_NEUTRALS);
  if (unit < MOBA_BUILDINGS) return MOBA_GUARDIANS + (unit - MOBA_GUARDIANS + 1) % 2;
  if (unit < MOBA_UNITS)
    return MOBA_BUILDINGS + (unit - MOBA_BUILDINGS + MOBA_TEAM_BUILDINGS) % (2 * MOBA_TEAM_BUILDINGS);
  return unit;  // not a unit
}

static uint8_t turned(const Game* a, uint8_t coordinate) {
  return coordinate == MOBA_OFF ? coordinate : (uint8_t)(a->p.size - 1 - coordinate);
}

static void turn_units(const Game* a, Moba* b) {
  const Moba* s = a->s;
  for (int32_t unit = 0; unit < MOBA_SLOTS; ++unit) {
    const int32_t to = image_of(unit);
    b->x[to] = turned(a, s->x[unit]), b->y[to] = turned(a, s->y[unit]);
    b->kind[to] = s->kind[unit], b->damage[to] = s->damage[unit];
    b->look[0][to] = s->look[1][unit], b->look[1][to] = s->look[0][unit];
    b->target[to] = (uint8_t)image_of(s->target[unit]), b->taunter[to] = (uint8_t)image_of(s->taunter[unit]);
    b->hp[to] = s->hp[unit], b->max_hp[to] = s->max_hp[unit], b->shield[to] = s->shield[unit];
    b->clock.wait[to] = s->clock.wait[unit], b->clock.stun[to] = s->clock.stun[unit];
    b->clock.slow[to] = s->clock.slow[unit], b->clock.taunt[to] = s->clock.taunt[unit];
    b->clock.shield[to] = s->clock.shield[unit];
  }
}

#define TURN(member) memcpy(&b->member[to], &s->member[hero], sizeof b->member[to])

static void turn_heroes(const Game* a, Moba* b) {
  const Moba* s = a->s;
  for (int32_t hero = 0; hero < MOBA_HEROES; ++hero) {
    const int32_t to = image_of(hero);
    TURN(clock.skill), TURN(clock.buff), TURN(clock.might), TURN(clock.back), TURN(clock.provoked), TURN(clock.hurt_by);
    TURN(level), TURN(gear), TURN(state), TURN(lane), TURN(leave), TURN(delay), TURN(going_home), TURN(last);
    TURN(mana), TURN(max_mana), TURN(xp), TURN(hurt), TURN(compass), TURN(gold), TURN(tally);
    const bool died = s->tally[hero].deaths > 0;  // before the first death its place is 0, 0 in both
    b->place_x[to] = died ? turned(a, s->place_x[hero]) : 0, b->place_y[to] = died ? turned(a, s->place_y[hero]) : 0;
  }
}

static void turn_rest(const Game* a, Moba* b) {
  const Moba* s = a->s;
  b->rng = s->rng, b->tick = s->tick, b->time = s->time, b->num_effects = s->num_effects;
  b->coin = !s->coin;
  b->over = (uint8_t)((s->over & 1) << 1 | s->over >> 1);
  for (int32_t team = 0; team < 2; ++team) {
    b->seen[!team] = s->seen[team], b->standing[!team] = s->standing[team], b->open[!team] = s->open[team];
    b->towers[!team] = s->towers[team], b->camps[!team] = s->camps[team];
    memcpy(b->front[!team], s->front[team], sizeof b->front[team]);
    b->shared[!team] = s->shared[team];
    memcpy(b->streak[!team], s->streak[team], sizeof b->streak[team]);
  }
  for (int32_t pit = 0; pit < 2 * MOBA_PITS; ++pit) {
    const int32_t to = (pit + MOBA_PITS) % (2 * MOBA_PITS);
    b->refill[to] = s->refill[pit], b->left[to] = s->left[pit], b->awake[to] = s->awake[pit],
    b->calm[to] = s->calm[pit];
    b->pit_x[to] = turned(a, s->pit_x[pit]), b->pit_y[to] = turned(a, s->pit_y[pit]);
  }
  for (int32_t i = 0; i < MOBA_EFFECTS; ++i) {
    const MobaEffect* e = &s->effects[i];
    const bool used = e->x0 || e->y0 || e->x1 || e->y1;  // unused entries are all zeros
    b->effects[i] = *e;
    if (!used) continue;
    b->effects[i].team = e->team < 2 ? (uint8_t)!e->team : e->team;
    b->effects[i].x0 = turned(a, e->x0), b->effects[i].y0 = turned(a, e->y0);
    b->effects[i].x1 = turned(a, e->x1), b->effects[i].y1 = turned(a, e->y1);
  }
}

// b <- the image of a.
static void turn_game(Game* a, Game* b) {
  memset(b->s, 0, b->layout.state_bytes);
  turn_units(a, b->s), turn_heroes(a, b->s), turn_rest(a, b->s);
  MobaGame *from = game_view(a), *to = game_view(b);
  const int32_t cells = from->stride * from->stride;
  memcpy(to->cells, from->cells, moba_cell_bytes(&a->p));  // with the bytes behind the last cell
  for (int32_t i = 0; i < cells; ++i) to->cells[cells - 1 - i] = (uint8_t)image_of(from->cells[i]);
  memcpy(to->ways, from->ways, moba_way_bytes(&a->p));
}

static void explain(const Game* want, const Game* got) {
  const unsigned char *w = (const unsigned char*)want->s, *g = (const unsigned char*)got->s;
  uint64_t at = 0;
  while (w[at] == g[at]) ++at;
  fprintf(stderr, "  tick %u: byte %llu of the state is %d, expected %d\n", got->s->tick, (unsigned long long)at, g[at],
          w[at]);
  for (int32_t unit = 0; unit < MOBA_SLOTS; ++unit)
    if (want->s->x[unit] != got->s->x[unit] || want->s->y[unit] != got->s->y[unit] ||
        want->s->hp[unit] != got->s->hp[unit])
      fprintf(stderr, "  unit %d: at %d %d with %d, expected %d %d with %d\n", unit, got->s->x[unit], got->s->y[unit],
              got->s->hp[unit], want->s->x[unit], want->s->y[unit], want->s->hp[unit]);
}

static bool rows_agree(const Game* a, const Game* b) {
  bool agree = true;
  for (int32_t hero = 0; hero < MOBA_HEROES; ++hero) {
    uint8_t seen[2][MOBA_OBS_HEAD + 2 * 15 * 15], legal[2][17] = {{0}};
    const int32_t to = image_of(hero);
    moba_observe(a->s, &a->p, hero, (MobaObs*)(void*)seen[0]);
    moba_observe(b->s, &b->p, to, (MobaObs*)(void*)seen[1]);
    moba_mask(a->s, &a->p, hero, legal[0]), moba_mask(b->s, &b->p, to, legal[1]);
    agree &= memcmp(seen[0], seen[1], (size_t)a->obs_bytes) == 0 && memcmp(legal[0], legal[1], sizeof legal[0]) == 0;
    agree &= a->rewards[hero] == b->rewards[to] && a->terminated[hero] == b->terminated[to];
  }
  return agree;
}

enum { RANDOM, ROAMING, SCRIPTS };

static void choose(Game* a, int32_t style, PfcRng* rng) {
  if (style == RANDOM) game_choose_randomly(a, rng);
  if (style == ROAMING) game_choose_roaming(a, rng);
  for (int32_t hero = 0; style == SCRIPTS && hero < MOBA_HEROES; ++hero) {
    const int32_t level = 1 + (int32_t)(pfc_hash64((uint64_t)hero + a->s->tick / 500u) % 3u);
    if (pfc_rng_below(rng, 8)) moba_script(a->s, &a->p, hero, level, NULL, a->actions[hero], NULL);
    else
      game_choose(a, hero, (int32_t)pfc_rng_below(rng, 9), (int32_t)pfc_rng_below(rng, 5),
                  (int32_t)pfc_rng_below(rng, 3));
  }
}

static int64_t deaths, falls, ends;

// Plays a game and, from tick `start` on, its image.
static void play(MobaParams p, int32_t style, uint64_t seed, int32_t start, int32_t ticks) {
  Game a = game_open(p, seed, 0);
  PfcRng rng;
  pfc_rng_seed(&rng, seed, 1);
  for (int32_t t = 0; t < start && !a.s->over; ++t) choose(&a, style, &rng), game_step(&a);
  Game b = game_copy(&a), image = game_copy(&a);
  turn_game(&a, &b);
  for (int32_t t = 0; t < ticks && !a.s->over; ++t) {
    choose(&a, style, &rng);
    for (int32_t hero = 0; hero < MOBA_HEROES; ++hero)
      memcpy(b.actions[image_of(hero)], a.actions[hero], sizeof a.actions[hero]);
    game_step(&a), game_step(&b);
    turn_game(&a, &image);
    if (!CHECK(memcmp(image.s, b.s, b.layout.state_bytes) == 0)) {
      explain(&image, &b);
      break;
    }
    if (!CHECK(rows_agree(&a, &b))) break;
  }
  ends += a.s->over != 0;
  for (int32_t hero = 0; hero < MOBA_HEROES; ++hero) deaths += a.s->tally[hero].deaths;
  falls += a.s->towers[0] + a.s->towers[1];
  game_close(&a), game_close(&b), game_close(&image);
}

int main(int argc, char** argv) {
  const int32_t games = argc > 1 ? atoi(argv[1]) : 2;
  MobaParams p = default_params();
  for (int32_t i = 0; i < games; ++i) {
    p.zero_sum = i & 1;
    play(p, RANDOM, (uint64_t)(100 + i), 0, 2000);
    play(p, ROAMING, (uint64_t)(200 + i), 300 * (i % 5), 2000);
    play(p, SCRIPTS, (uint64_t)(300 + i), 200 * (i % 9), 3000);
  }
  p.size = 101, p.vision = 7, p.wave_ticks = 40;
  play(p, SCRIPTS, 7, 0, 1500);
  CHECK(deaths > 20 && falls > 4);  // otherwise the games test too little
  printf("%lld deaths, %lld towers, %lld ends\n", (long long)deaths, (long long)falls, (long long)ends);
  return check_report();
}
