// test_breakout.c - the rules of Breakout, and the game against two obvious implementations.
//
//   test_breakout [multiple of the default number of frames]
#include <stdlib.h>
#include <string.h>

#include "../../csrc/envs/breakout.c"
#include "breakout_reference.h"
#include "check.h"

// ---- game against reference ------------------------------------------------------------------------------

static uint32_t bits(float x) { return pfc_float_bits(x); }

static bool same_state(const Breakout* s, const Reference* g) {
  for (int i = 0; i < 108; ++i)
    if (breakout_standing(s, i / 18, i % 18) == g->gone[i / 18][i % 18]) return false;
  return s->rng.state == g->rng.state && bits(s->ball_x) == bits(g->x) && bits(s->ball_y) == bits(g->y) &&
         bits(s->ball_vx) == bits(g->vx) && bits(s->ball_vy) == bits(g->vy) && bits(s->speed) == bits(g->speed) &&
         bits(s->paddle_x) == bits(g->paddle_x) && bits(s->paddle_width) == bits(g->paddle_width) &&
         s->round_hits == g->round_hits && s->balls == g->balls && s->balls_fired == g->balls_fired &&
         s->score == g->score && s->bricks == g->bricks && s->paddle_hits == g->paddle_hits;
}

static Reference reference_of(const Breakout* s) {
  Reference g = {.rng = s->rng, .x = s->ball_x, .y = s->ball_y, .vx = s->ball_vx, .vy = s->ball_vy};
  g.paddle_x = s->paddle_x, g.paddle_width = s->paddle_width, g.speed = s->speed, g.round_hits = s->round_hits;
  g.balls = s->balls, g.balls_fired = s->balls_fired, g.score = s->score, g.bricks = s->bricks;
  g.paddle_hits = s->paddle_hits;
  for (int i = 0; i < 108; ++i) g.gone[i / 18][i % 18] = !breakout_standing(s, i / 18, i % 18);
  return g;
}

static bool inside_a_brick(const Reference* g) {
  for (int i = 0; i < 108; ++i) {
    const float left = 32.0f * (float)(i % 18), top = 50.0f + 12.0f * (float)(i / 18);
    const bool over = g->x > left - 32.0f && g->x < left + 32.0f && g->y > top - 32.0f && g->y < top + 12.0f;
    if (over && !g->gone[i / 18][i % 18]) return true;
  }
  return false;
}

static bool observation_is_right(const Breakout* s, const BreakoutParams* p, const Reference* g) {
  BreakoutObs obs;
  breakout_observe(s, p, 0, &obs);
  const float head[10] = {g->paddle_x / 576.0f, 312.0f / 330.0f, g->x / 576.0f, g->y / 330.0f, g->vx * 60.0f / 512.0f,
                          g->vy * 60.0f / 512.0f, (float)g->balls_fired / 5.0f, (float)g->score / 864.0f,
                          (float)g->balls / (float)p->balls, g->paddle_width / 62.0f};
  for (int i = 0; i < 10; ++i)
    if (!(pfc_absf((&obs.paddle_x)[i] - head[i]) <= 1e-6f * (1.0f + pfc_absf(head[i])))) return false;
  for (int i = 0; i < 108; ++i)
    if (obs.gone[i] != (g->gone[i / 18][i % 18] ? 1.0f : 0.0f)) return false;
  return true;
}

typedef enum Player { RANDOM, TRACKING, SCATTERED, PLAYERS } Player;

static void pick_bricks(Breakout* s, PfcRng* rng) {
  const uint32_t density = pfc_rng_below(rng, 5);
  s->gone[0] = s->gone[1] = 0;
  s->score = pfc_rng_below(rng, 2) ? 432 : 0;
  for (int i = 0; i < 108; ++i) {
    if (pfc_rng_below(rng, 4) >= density) continue;
    s->gone[i / 54] |= (uint64_t)1 << (i % 54);
    s->score += breakout_row_points[i / 18];
  }
  if (s->score == 864) s->score = 432;
}

// A state that normal play rarely reaches: any bricks, the ball anywhere free, often on lines and with
// velocities that hit corners exactly.
static void scatter(Breakout* s, PfcRng* rng) {
  static const float velocities[] = {0.25f, 0.5f, 1.0f, 2.0f, 3.0f, 4.0f, 6.0f, 7.4f, 0.0f, 1e-6f};
  const bool on_grid = pfc_rng_below(rng, 2) != 0;
  Reference g;
  do {
    breakout_start_round(s);
    pick_bricks(s, rng);
    s->ball_x = on_grid ? 4.0f * (float)pfc_rng_below(rng, 137) : pfc_rng_uniform(rng, 0.0f, 544.0f);
    s->ball_y = on_grid ? 2.0f * (float)pfc_rng_below(rng, 150) : pfc_rng_uniform(rng, 0.0f, 300.0f);
    g = reference_of(s);
  } while (inside_a_brick(&g));
  s->ball_vx = on_grid ? velocities[pfc_rng_below(rng, 10)] : pfc_rng_uniform(rng, 0.0f, 7.4f);
  s->ball_vy = on_grid ? velocities[pfc_rng_below(rng, 8)] : pfc_rng_uniform(rng, 0.25f, 7.4f);
  if (pfc_rng_below(rng, 2)) s->ball_vx = -s->ball_vx;
  if (pfc_rng_below(rng, 2)) s->ball_vy = -s->ball_vy;
  s->paddle_width = pfc_rng_below(rng, 2) ? 62.0f : 31.0f;
  s->paddle_x = pfc_rng_uniform(rng, 0.0f, 576.0f - s->paddle_width);
}

// Follows the ball, off centre by an amount that changes with every hit.
static int32_t tracking_action(const Breakout* s) {
  const float aim = 0.05f + 0.9f * (float)((s->paddle_hits * 37 + s->bricks * 11) % 64) / 64.0f;
  const float error = s->ball_x + 16.0f - s->paddle_x - aim * s->paddle_width;
  return error > 8.0f ? BREAKOUT_RIGHT : error < -8.0f ? BREAKOUT_LEFT : BREAKOUT_STAY;
}

static void start_episode(Breakout* s, const BreakoutParams* p) {
  const PfcRng rng = s->rng;
  memset(s, 0, sizeof *s);
  s->rng = rng;
  breakout_reset(s, p);
}

// Steps both; returns false as soon as they differ or an invariant breaks.
static bool step_both(Breakout* s, Reference* g, const BreakoutParams* p, int32_t action, float control, bool* over) {
  float reward = 0.0f, expected = 0.0f;
  uint8_t terminated = 0, truncated = 0, alive = 1;
  const PfcIo io = {&action, &control, &reward, &terminated, &truncated, &alive};
  breakout_step(s, p, io);
  *over = false;
  const float way = p->continuous ? control : (float)((action == 2) - (action == 1));
  for (int32_t frame = 0; frame < p->frames_per_step && !*over; ++frame) {
    Reference before = *g;
    expected += reference_frame(g, way, over);
    before.paddle_x = g->paddle_x;
    if (g->round_hits == before.round_hits && g->balls == before.balls && before.vy != 0.0f) {
      const Touch touch = reference_first_touch(&before);
      const bool looked_at = touch.what >= 0 || frame % 4 == 0;  // the sweep is slow
      if (looked_at && !CHECK(frame_is_physical(&before, &touch))) return false;
    }
    if (!CHECK(!inside_a_brick(g) && g->x >= 0.0f && g->x <= 544.0f && g->y >= 0.0f)) return false;
  }
  return CHECK(same_state(s, g)) && CHECK(reward == expected) && CHECK((terminated != 0) == *over) &&
         CHECK(truncated == 0) && CHECK(observation_is_right(s, p, g));
}

static void test_against_reference(Player player, BreakoutParams p, int64_t frames) {
  Breakout s;
  PfcRng rng;
  memset(&s, 0, sizeof s);
  pfc_rng_seed(&s.rng, 3, (uint64_t)player);
  pfc_rng_seed(&rng, 4, (uint64_t)p.frames_per_step);
  start_episode(&s, &p);
  Reference g = reference_of(&s);
  int64_t until_scatter = 0, bricks = 0;
  for (int64_t frame = 0; frame < frames; frame += p.frames_per_step) {
    if (player == SCATTERED && --until_scatter < 0) {
      scatter(&s, &rng);
      g = reference_of(&s);
      until_scatter = pfc_rng_below(&rng, 24);
    }
    const bool aimed = player == TRACKING && pfc_rng_below(&rng, 16) != 0;
    const int32_t action = aimed ? tracking_action(&s) : (int32_t)pfc_rng_below(&rng, 3);
    const float control = aimed ? (float)((action == 2) - (action == 1)) : pfc_rng_uniform(&rng, -1.0f, 1.0f);
    bool over;
    if (!step_both(&s, &g, &p, action, control, &over)) return;
    if (!over) continue;
    bricks += s.bricks;
    start_episode(&s, &p);
    g = reference_of(&s);
  }
  CHECK(bricks + s.bricks > 0);
}

// ---- rules -------------------------------------------------------------------------------------------------

typedef struct Run {
  Breakout s;
  BreakoutParams p;
  float reward;
  bool over;
} Run;

static Run new_run(int32_t frames_per_step, int32_t balls) {
  Run run = {.p = {.frames_per_step = frames_per_step, .balls = balls}};
  pfc_rng_seed(&run.s.rng, 1, 2);
  breakout_reset(&run.s, &run.p);
  return run;
}

static void step(Run* run, int32_t action) {
  uint8_t terminated = 0, truncated = 0, alive = 1;
  run->reward = 0.0f;
  const PfcIo io = {&action, NULL, &run->reward, &terminated, &truncated, &alive};
  breakout_step(&run->s, &run->p, io);
  run->over = terminated != 0;
}

static void test_start(void) {
  int32_t to_the_right = 0;
  for (uint64_t seed = 0; seed < 400; ++seed) {
    Run run = new_run(1, 5);
    pfc_rng_seed(&run.s.rng, seed, 0);
    CHECK(run.s.paddle_x == 257.0f && run.s.ball_x == 272.0f && run.s.ball_y == 135.0f && run.s.balls == 5);
    step(&run, BREAKOUT_LEFT);
    CHECK(run.s.paddle_x == 257.0f);  // stays in the first frame
    const float vx = run.s.ball_vx * 60.0f, vy = run.s.ball_vy * 60.0f;
    CHECK(pfc_absf(pfc_absf(pfc_atan2f(vx, vy)) - PFC_PI / 3.25f) < 1e-5f);
    CHECK(pfc_absf(pfc_sqrtf(vx * vx + vy * vy) - 256.0f) < 1e-3f && vy > 0.0f);
    to_the_right += vx > 0.0f;
    step(&run, BREAKOUT_LEFT);
    CHECK(pfc_absf(run.s.paddle_x - (257.0f - 620.0f / 60.0f)) < 1e-4f);
  }
  CHECK(to_the_right > 140 && to_the_right < 260);
}

static void test_losing(void) {
  Run run = new_run(4, 3);
  float total = 0.0f;
  int32_t steps = 0;
  for (; !run.over && steps < 10000; ++steps) {
    const int32_t before = run.s.balls;
    step(&run, BREAKOUT_LEFT);
    total += run.reward;
    if (run.s.balls < before && !run.over) CHECK(run.s.paddle_width == 62.0f && run.s.speed == 256.0f);
  }
  CHECK(run.over && run.s.balls == 0 && run.s.balls_fired == 3 && total == (float)run.s.score);
}

// Puts the ball under a brick of each row; checks reward and speed.
static void test_brick_rewards_and_speed(void) {
  static const int32_t points[6] = {7, 7, 4, 4, 1, 1};
  for (int32_t row = 0; row < 6; ++row) {
    Run run = new_run(1, 5);
    for (int32_t i = 18 * (row + 1); i < 108; ++i) run.s.gone[i / 54] |= (uint64_t)1 << (i % 54);
    run.s.ball_x = 96.0f, run.s.ball_y = 64.0f + 12.0f * (float)row;
    run.s.ball_vx = 0.5f, run.s.ball_vy = -4.0f;
    step(&run, BREAKOUT_STAY);
    CHECK(run.reward == (float)points[row] && run.s.score == points[row] && run.s.bricks == 1);
    CHECK(run.s.ball_y == 62.0f + 12.0f * (float)row && run.s.ball_vy == 4.0f && run.s.ball_vx == 0.5f);
    CHECK(run.s.ball_x == 96.25f);  // half a frame of motion
    CHECK(!breakout_standing(&run.s, row, 3));
    CHECK(run.s.speed == (row < 3 ? 448.0f : 256.0f));
  }
}

static void test_top_wall_narrows_the_paddle(void) {
  Run run = new_run(1, 5);
  run.s.ball_y = 2.0f, run.s.ball_vx = 1.0f, run.s.ball_vy = -5.0f;
  step(&run, BREAKOUT_STAY);
  CHECK(run.s.paddle_width == 31.0f && run.s.ball_y == 0.0f && run.s.ball_vy == 5.0f && run.reward == 0.0f);
}

// Drops the ball on the paddle with its centre at `relative` of the width.
static void drop_on_paddle(Run* run, float relative) {
  run->s.ball_x = run->s.paddle_x + relative * run->s.paddle_width - 16.0f;
  run->s.ball_y = 279.0f, run->s.ball_vx = 0.0f, run->s.ball_vy = 4.0f;
  step(run, BREAKOUT_STAY);
}

static void test_paddle_hits(void) {
  static const float speeds[] = {256, 256, 256, 256, 320, 320, 320, 320, 384, 384, 384, 384, 448, 448, 448, 448, 448};
  Run run = new_run(1, 5);
  for (int32_t hit = 0; hit < 17; ++hit) {
    drop_on_paddle(&run, 0.75f);
    CHECK(pfc_absf(run.s.ball_vx * 60.0f - speeds[hit] * pfc_sinf(0.125f * PFC_PI)) < 1e-3f);
    CHECK(pfc_absf(run.s.ball_vy * 60.0f + speeds[hit] * pfc_cosf(0.125f * PFC_PI)) < 1e-3f);
    CHECK(run.s.paddle_hits == hit + 1 && run.s.ball_y == 280.0f);
  }
  run.s.paddle_width = 31.0f;
  drop_on_paddle(&run, -0.51f);  // the formula points below the horizon
  CHECK(run.s.ball_vy == -0.25f && run.s.ball_vx < -7.4f);
  drop_on_paddle(&run, -0.52f);  // no overlap
  CHECK(run.s.ball_vy == 4.0f && run.s.ball_y == 283.0f);
}

static void test_bricks_come_back(void) {
  Run run = new_run(1, 5);
  run.s.gone[0] = run.s.gone[1] = (((uint64_t)1 << 54) - 1);
  run.s.score = 431;
  drop_on_paddle(&run, 0.5f);
  CHECK(run.s.gone[0] != 0);
  run.s.score = 432;
  drop_on_paddle(&run, 0.5f);
  CHECK(run.s.gone[0] == 0 && run.s.gone[1] == 0);
}

// A player that never misses breaks both walls, which ends the episode.
static void test_winning(void) {
  Run run = new_run(4, 5);
  PfcRng rng;
  pfc_rng_seed(&rng, 5, 0);
  float total = 0.0f;
  for (int64_t i = 0; i < 2000000 && !run.over; ++i) {
    step(&run, tracking_action(&run.s));
    total += run.reward;
    if (run.s.balls < 5) run.s.balls = 5;
  }
  float metrics[4];
  breakout_metrics(&run.s, &run.p, 0, metrics);
  CHECK(run.over && total == 864.0f && metrics[0] == 864.0f && metrics[1] == 1.0f && metrics[2] == 216.0f);
  CHECK(metrics[3] == (float)run.s.paddle_hits && run.s.paddle_hits > 40);
}

static void test_layout(void) {
  BreakoutParams p = {.frames_per_step = 4, .balls = 5, .continuous = 1};
  PfcLayout sizes = pfc_env_module.sizes;
  CHECK(sizes.action_counts[0] == 3 && sizes.continuous_dims == 0);
  pfc_env_module.layout(&p, &sizes);
  CHECK(sizes.action_counts[0] == 0 && sizes.continuous_dims == 1);
  CHECK(sizeof(BreakoutObs) == 118 * sizeof(float) && sizeof(Breakout) <= 128);
}

int main(int argc, char** argv) {
  const int64_t frames = 250000 * (argc > 1 ? strtoll(argv[1], NULL, 10) : 1);
  const BreakoutParams usual = {.frames_per_step = 4, .balls = 5}, single = {.frames_per_step = 1, .balls = 1};
  const BreakoutParams smooth = {.frames_per_step = 3, .balls = 7, .continuous = 1};
  const BreakoutParams coarse = {.frames_per_step = 64, .balls = 100};
  test_start();
  test_losing();
  test_brick_rewards_and_speed();
  test_top_wall_narrows_the_paddle();
  test_paddle_hits();
  test_bricks_come_back();
  test_winning();
  test_layout();
  for (Player player = RANDOM; player < PLAYERS; ++player) {
    test_against_reference(player, usual, 2 * frames);
    test_against_reference(player, single, frames);
    test_against_reference(player, smooth, frames);
    test_against_reference(player, coarse, frames);
  }
  printf("%llu frames agree with the sweep, %llu depend on rounding\n", clear_frames, unclear_frames);
  CHECK(clear_frames > 50 * unclear_frames);
  return check_report();
}
