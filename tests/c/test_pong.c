// test_pong.c - the rules of Pong, and the game against an obvious implementation that moves the ball in double
// precision from event to event. Skilled players win; random and idle ones do not.
//
//   test_pong [thousands of frames per player]
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../../csrc/envs/pong.c"
#include "check.h"

static const PongParams usual = {.max_steps = 0, .frames_per_step = 4, .points = 21, .continuous = 0, .players = 1};
static const PongParams single = {.max_steps = 0, .frames_per_step = 1, .points = 21, .continuous = 1, .players = 1};
static const PongParams two = {.max_steps = 0, .frames_per_step = 1, .points = 21, .continuous = 1, .players = 2};

typedef struct Outcome {
  float reward;
  uint8_t terminated;
} Outcome;

static Pong fresh(const PongParams* p, uint64_t seed) {
  Pong s;
  memset(&s, 0, sizeof s);
  pfc_rng_seed(&s.rng, seed, 0);
  pong_reset(&s, p);
  return s;
}

static Outcome play(Pong* s, const PongParams* p, int32_t action, float control) {
  float rewards[2] = {0.0f, 0.0f};
  uint8_t terminated[2] = {0, 0}, truncated[2] = {0, 0}, alive[2] = {1, 1};
  const int32_t actions[2] = {action, 0};
  const float controls[2] = {control, 0.0f};
  const PfcIo io = {.actions = actions,
                    .controls = controls,
                    .rewards = rewards,
                    .terminated = terminated,
                    .truncated = truncated,
                    .alive = alive};
  pong_step(s, p, io);
  const Outcome out = {rewards[0], terminated[0]};
  return out;
}

// ---- game against reference ------------------------------------------------------------------------------

typedef struct Reference {
  double x, y, vx, vy, paddle, bot;
  bool returned, scored;
  bool close;  // hit a paddle's end within rounding, so the two may disagree about the return
} Reference;

static double limited(double x, double low, double high) { return fmin(fmax(x, low), high); }

// One frame, from event to event: wall, paddle front or end of the frame, whichever is first.
static void reference_frame(Reference* g, double control, double aim) {
  const double seen = g->y;
  g->paddle = limited(g->paddle + 3.0 * control, 28.0, 292.0);
  g->bot = limited(g->bot + limited(seen + aim - g->bot, -3.0, 3.0), 28.0, 292.0);
  for (double left = 1.0; left > 0.0;) {
    const double wall = g->vy > 0.0 ? (315.0 - g->y) / g->vy : g->vy < 0.0 ? (5.0 - g->y) / g->vy : 2.0;
    double front = g->vx > 0.0 ? (451.0 - g->x) / g->vx : (29.0 - g->x) / g->vx;
    if (front <= 0.0) front = 2.0;  // behind it
    const double time = fmin(left, fmin(wall, front));
    g->x += time * g->vx;
    g->y += time * g->vy;
    left -= time;
    if (time == wall) g->vy = -g->vy;
    if (time != front) continue;
    const bool right = g->vx > 0.0;
    const double offset = (g->y - (right ? g->paddle : g->bot)) / 33.0;
    g->close = fabs(fabs(offset) - 1.0) < 1e-5;
    g->x = right ? 451.0 + 1e-9 : 29.0 - 1e-9;
    if (fabs(offset) > 1.0) continue;
    g->x = right ? 451.0 - 1e-9 : 29.0 + 1e-9;
    g->vx = (right ? -1.0 : 1.0) * fmin(fabs(g->vx) + 0.25, 8.0);
    g->vy = 6.0 * offset;
    g->returned = true;
  }
  g->scored = g->x < -5.0 || g->x > 485.0;
}

static bool near(double a, double b) { return fabs(a - b) < 1e-3; }

static void test_against_reference(int32_t frames, uint64_t seed) {
  PfcRng rng;
  pfc_rng_seed(&rng, seed, 1);
  Pong s = fresh(&single, seed);
  float control = 0.0f;
  int32_t returns = 0, points = 0, skipped = 0;
  for (int32_t t = 0; t < frames; ++t) {
    Reference g = {s.ball_x, s.ball_y, s.ball_vx, s.ball_vy, s.paddle_y, s.bot_y, false, false, false};
    const Pong before = s;
    const double aim = (double)s.bot_aim;
    if (t % 40 == 0) control = pfc_rng_uniform(&rng, -1.0f, 1.0f);
    if (seed & 1) control = pfc_clampf((s.ball_y - s.paddle_y + 20.0f) / 3.0f, -1.0f, 1.0f);  // keeps the ball in play
    reference_frame(&g, (double)control, aim);
    const Outcome out = play(&s, &single, 0, control);
    if (g.close) {
      skipped += 1;
    } else if (g.scored) {
      points += 1;
      CHECK(out.reward == (g.x < 0.0 ? 1.0f : -1.0f));
      CHECK(s.points + s.bot_points == before.points + before.bot_points + 1);
      CHECK(out.terminated == (s.points == 21 || s.bot_points == 21));
      if (out.terminated) {
        s = fresh(&single, seed + 1000 + (uint64_t)t);
        continue;
      }
      CHECK(s.ball_x == 240.0f && fabsf(s.ball_y - 160.0f) <= 40.0f && fabsf(s.ball_vy) <= 2.0f);
      CHECK(fabsf(s.ball_vx) == 5.0f && s.paddle_y == 160.0f && s.bot_y == 160.0f);
    } else {
      CHECK(near(g.x, s.ball_x) && near(g.y, s.ball_y) && near(g.vx, s.ball_vx) && near(g.vy, s.ball_vy));
      CHECK(near(g.paddle, s.paddle_y) && near(g.bot, s.bot_y) && out.reward == 0.0f);
      returns += g.returned;
    }
  }
  CHECK(points > frames / 2000 && returns > frames / 2000 && skipped <= 1 + returns / 1000);
}

// ---- properties --------------------------------------------------------------------------------------------

// A step of 4 frames equals 4 steps of one frame, bit for bit.
static void test_a_step_equals_its_frames(void) {
  PongParams one = usual;
  one.frames_per_step = 1;
  for (uint64_t seed = 0; seed < 20; ++seed) {
    Pong whole = fresh(&usual, seed), parts = whole;
    for (int32_t t = 0; t < 3000; ++t) {
      const int32_t action = (int32_t)(pfc_hash64(seed * 7919 + (uint64_t)(t / 5)) % 3);
      const Outcome out = play(&whole, &usual, action, 0.0f);
      Outcome sum = {0.0f, 0};
      for (int32_t frame = 0; frame < 4 && !sum.terminated; ++frame) {
        const Outcome part = play(&parts, &one, action, 0.0f);
        sum.reward += part.reward;
        sum.terminated = part.terminated;
      }
      CHECK(memcmp(&whole, &parts, sizeof whole) == 0 && out.reward == sum.reward && out.terminated == sum.terminated);
      if (out.terminated) whole = parts = fresh(&usual, seed + 500);
    }
  }
}

// The fastest ball, at every height and phase, against a paddle that covers the ball's height.
static void test_no_ball_passes_through_a_paddle(void) {
  for (int32_t i = 0; i < 20000; ++i) {
    Pong s = fresh(&single, 1);
    const bool agent = i & 1;
    s.ball_vx = agent ? 8.0f : -8.0f;
    s.ball_vy = -6.0f + 12.0f * (float)(i % 101) / 100.0f;
    s.ball_y = 60.0f + 200.0f * (float)(i % 997) / 996.0f;
    s.ball_x = agent ? PONG_AGENT_X - 8.0f * (float)(i % 89) / 88.0f : PONG_BOT_X + 8.0f * (float)(i % 89) / 88.0f;
    if (s.ball_x >= PONG_AGENT_X) s.ball_x = PONG_AGENT_X - 1e-3f;
    if (s.ball_x <= PONG_BOT_X) s.ball_x = PONG_BOT_X + 1e-3f;
    s.paddle_y = s.bot_y = s.ball_y + 20.0f - 40.0f * (float)(i % 53) / 52.0f;  // within 33 - 3 - 6 of the ball
    (void)play(&s, &single, 0, 0.0f);
    CHECK(agent ? s.ball_vx == -8.0f && s.ball_x <= PONG_AGENT_X : s.ball_vx == 8.0f && s.ball_x >= PONG_BOT_X);
  }
}

static void test_the_bot_keeps_its_speed_limit(void) {
  Pong s = fresh(&single, 4);
  for (int32_t t = 0; t < 100000; ++t) {
    const Pong before = s;
    const Outcome out = play(&s, &single, 0, pfc_clampf((s.ball_y - s.paddle_y + 25.0f) / 3.0f, -1.0f, 1.0f));
    if (out.reward == 0.0f) CHECK(fabsf(s.bot_y - before.bot_y) <= 3.0f + 1e-4f);
    if (out.terminated) s = fresh(&single, (uint64_t)t);
  }
}

// ---- players -----------------------------------------------------------------------------------------------

typedef enum Style { IDLE, FOLLOW, FLAT, STEEP } Style;

// Simulates the ball and returns the height at which it reaches the agent's paddle.
static float arrival(const Pong* s) {
  Pong ahead = *s;
  while (ahead.ball_x < PONG_AGENT_X) {
    ahead.ball_x += ahead.ball_vx;
    pong_climb(&ahead, 1.0f);
  }
  return ahead.ball_y;
}

static float wanted(const Pong* s, Style style) {
  if (style == IDLE || s->ball_x >= PONG_AGENT_X) return s->paddle_y;
  if (style == FOLLOW || s->ball_vx < 0.0f) return s->ball_y;
  const float y = arrival(s), away = s->bot_y < 160.0f ? 1.0f : -1.0f;  // away from the bot
  return style == FLAT ? y : y - away * 0.88f * PONG_REACH;
}

// Mean point difference over `games` games at the default frames_per_step.
static double mean_score(Style style, int32_t games) {
  PongParams p = usual;
  p.continuous = 1;
  double sum = 0.0;
  for (int32_t game = 0; game < games; ++game) {
    Pong s = fresh(&p, (uint64_t)game);
    for (Outcome out = {0.0f, 0}; !out.terminated; sum += out.reward)
      out = play(&s, &p, 0, pfc_clampf((wanted(&s, style) - s.paddle_y) / (4.0f * PONG_PADDLE_SPEED), -1.0f, 1.0f));
    float values[5] = {0.0f};
    pong_metrics(&s, &p, 0, values);
    CHECK(pfc_maxi(s.points, s.bot_points) == 21 && values[2] == (float)s.points && values[3] == (float)s.bot_points);
    CHECK(fabsf(values[1] - (float)(s.points - s.bot_points + 21) / 42.0f) < 1e-6f);
  }
  return sum / games;
}

static void test_skill_wins(void) {
  const double idle = mean_score(IDLE, 50), follow = mean_score(FOLLOW, 50);
  const double flat = mean_score(FLAT, 50), steep = mean_score(STEEP, 50);
  printf("mean scores: idle %.1f, follow %.1f, flat %.1f, steep %.1f\n", idle, follow, flat, steep);
  CHECK(idle < -15.0);                        // an idle player loses
  CHECK(fabs(follow) < 12.0);                 // the bot's own strategy is about equal
  CHECK(steep > 15.0 && steep > flat + 3.0);  // prediction and hits with the paddle's ends beat it
}

// A paddle that follows the ball returns every serve, on either side.
static void test_serves_can_be_returned(void) {
  for (uint64_t seed = 0; seed < 5000; ++seed) {
    Pong s = fresh(&single, seed);
    const float way = s.ball_vx;
    while (s.ball_vx == way) {
      const Outcome out = play(&s, &single, 0, pfc_clampf((s.ball_y - s.paddle_y) / 3.0f, -1.0f, 1.0f));
      if (!CHECK(out.reward == 0.0f)) return;
    }
  }
}

// ---- two agents --------------------------------------------------------------------------------------------

typedef struct TwoOutcomes {
  float rewards[2];
  uint8_t terminated[2];
} TwoOutcomes;

static TwoOutcomes play_two(Pong* s, const PongParams* p, float right, float left) {
  TwoOutcomes out = {{0.0f, 0.0f}, {0, 0}};
  uint8_t truncated[2] = {0, 0}, alive[2] = {1, 1};
  const float controls[2] = {right, left};
  const int32_t actions[2] = {right < 0.0f ? PONG_UP : right > 0.0f ? PONG_DOWN : PONG_STAY,
                              left < 0.0f ? PONG_UP : left > 0.0f ? PONG_DOWN : PONG_STAY};
  const PfcIo io = {.actions = actions,
                    .controls = controls,
                    .rewards = out.rewards,
                    .terminated = out.terminated,
                    .truncated = truncated,
                    .alive = alive};
  pong_step(s, p, io);
  return out;
}

// A second agent that moves as the bot would gives the game against the bot.
static void test_an_agent_can_replace_the_bot(void) {
  for (uint64_t seed = 0; seed < 10; ++seed) {
    Pong a = fresh(&single, seed), b = fresh(&two, seed);
    for (int32_t t = 0; t < 5000; ++t) {
      const float right = pfc_clampf((a.ball_y - a.paddle_y + 20.0f) / 3.0f, -1.0f, 1.0f);
      const float left = pfc_clampf((a.ball_y + a.bot_aim - a.bot_y) / 3.0f, -1.0f, 1.0f);
      const Outcome one = play(&a, &single, 0, right);
      const TwoOutcomes both = play_two(&b, &two, right, left);
      CHECK(both.rewards[0] == one.reward && both.rewards[1] == -one.reward);
      CHECK(both.terminated[0] == one.terminated && both.terminated[1] == one.terminated);
      CHECK(near(a.bot_y, b.bot_y) && near(a.ball_y, b.ball_y) && a.returns == b.returns && a.points == b.points);
      if (one.terminated) a = fresh(&single, seed + 100), b = fresh(&two, seed + 100);
      else b = a;  // rounding does not add up
    }
  }
}

static Pong mirrored(const Pong* s) {
  Pong m = *s;
  m.ball_x = PONG_WIDTH - s->ball_x, m.ball_vx = -s->ball_vx;
  m.paddle_y = s->bot_y, m.bot_y = s->paddle_y;
  m.points = s->bot_points, m.bot_points = s->points;
  m.returns = s->left_returns, m.left_returns = s->returns;
  return m;
}

// The mirrored game with exchanged actions stays the image of the game, and each agent sees what the other sees in it.
static void test_mirrored_games_are_alike(void) {
  PongParams p = two;
  p.frames_per_step = 4;
  PfcRng rng;
  pfc_rng_seed(&rng, 3, 3);
  int32_t scored = 0, returned = 0;
  for (uint64_t seed = 0; seed < 20; ++seed) {
    Pong s = fresh(&p, seed);
    for (int32_t t = 0; t < 2000; ++t) {
      const float right = pfc_clampf((s.ball_y - s.paddle_y) / 12.0f + pfc_rng_uniform(&rng, -1.0f, 1.0f), -1.0f, 1.0f);
      const float left = pfc_clampf((s.ball_y - s.bot_y) / 12.0f + pfc_rng_uniform(&rng, -1.0f, 1.0f), -1.0f, 1.0f);
      Pong image = mirrored(&s);
      const int32_t before = s.returns + s.left_returns;
      const TwoOutcomes a = play_two(&s, &p, right, left), b = play_two(&image, &p, left, right);
      CHECK(a.rewards[0] == b.rewards[1] && a.rewards[1] == b.rewards[0] && a.rewards[0] == -a.rewards[1]);
      CHECK(a.terminated[0] == a.terminated[1] && b.terminated[0] == a.terminated[0]);
      scored += a.rewards[0] != 0.0f;
      returned += s.returns + s.left_returns > before;
      if (a.terminated[0]) {
        float own[5] = {0.0f}, other[5] = {0.0f};
        pong_metrics(&s, &p, 0, own);
        pong_metrics(&s, &p, 1, other);
        CHECK(own[1] + other[1] == 1.0f && own[2] == other[3] && own[3] == other[2]);
        CHECK(own[4] == (float)s.returns && other[4] == (float)s.left_returns);
        s = fresh(&p, seed + 1000 + (uint64_t)t);
      }
      if (a.rewards[0] != 0.0f) continue;  // a serve draws its side at random
      const Pong expected = mirrored(&s);
      CHECK(near(image.ball_x, expected.ball_x) && near(image.ball_y, expected.ball_y) &&
            near(image.ball_vy, expected.ball_vy));
      CHECK(near(image.paddle_y, expected.paddle_y) && near(image.bot_y, expected.bot_y) &&
            image.returns == expected.returns);
      PongObs seen[2][2];
      for (int32_t agent = 0; agent < 2; ++agent) {
        pong_observe(&s, &p, agent, &seen[0][agent]);
        pong_observe(&expected, &p, 1 - agent, &seen[1][agent]);
        CHECK(near(seen[0][agent].ball_x, seen[1][agent].ball_x) && seen[0][agent].ball_vx == seen[1][agent].ball_vx);
        CHECK(seen[0][agent].paddle_y == seen[1][agent].paddle_y && seen[0][agent].bot_y == seen[1][agent].bot_y);
        CHECK(seen[0][agent].points == seen[1][agent].points && seen[0][agent].bot_points == seen[1][agent].bot_points);
      }
    }
  }
  CHECK(scored > 100 && returned > 100);
}

int main(int argc, char** argv) {
  const int32_t frames = 1000 * (argc > 1 ? atoi(argv[1]) : 100);
  for (uint64_t seed = 0; seed < 6; ++seed) test_against_reference(frames, seed);
  test_a_step_equals_its_frames();
  test_no_ball_passes_through_a_paddle();
  test_the_bot_keeps_its_speed_limit();
  test_skill_wins();
  test_serves_can_be_returned();
  test_an_agent_can_replace_the_bot();
  test_mirrored_games_are_alike();
  return check_report();
}
