// pong.c - two paddles, one ball, first to 21 points against a bot. One agent, or two against each other.
//
// The field is 480 x 320 px, y down; positions are centres, speeds are px per frame of 1/60 s. The agent has the right
// paddle, a bot the left one. Both are 56 px high and move by at most 3 px per frame, within the field. One frame:
//
// - The agent's paddle moves by its action. The bot moves towards the ball's current height, to hit it with a point of
//   its paddle that it draws for each approaching ball, up to 0.6 of the way from the centre to the ends. It never
//   predicts the ball.
// - The ball (10 x 10) flies straight and bounces off the upper and lower wall. A paddle returns it when it crosses the
//   paddle's front. Its new vertical speed is 6 * d, where d in [-1, 1] is its distance from the paddle's centre as a
//   fraction of the largest distance of contact, whatever its direction was: the ends return steeply, the middle
//   straight. Its horizontal speed rises by 0.25, up to 8. Contacts are found within a frame, not at its end, so no
//   ball passes through a paddle. The other sides of a paddle are not solid.
// - A ball that leaves the field is a point for the other side. The next serve follows at once: paddles in the middle,
//   the ball on the middle line within 40 px of its centre, to a random side at speed 5, with a random vertical speed
//   of at most 2. Either paddle can return every serve, so a serve never decides a point.
//
// A player beats the bot with steep balls (vertical speed above the bot's 3) that do not bounce back towards it, and
// reaches the bot's steep balls by predicting them.
//
// With players = 2 a second agent has the left paddle instead of the bot. It sees the field mirrored, so that to each
// agent its own paddle is the right one.
//
// obs   float32[8]              range            unit
//   0   paddle_y                [0, 1]           field heights: the agent's paddle
//   1   bot_y                   [0, 1]           field heights: the bot's, or the other agent's
//   2   ball_x                  [-0.03, 1.03]    field widths
//   3   ball_y                  [0, 1]           field heights
//   4   ball_vx                 [-1, 1]          8 px per frame; positive = towards the agent
//   5   ball_vy                 [-1, 1]          6 px per frame
//   6   points                  [0, 1]           the agent's, as a fraction of the points that win
//   7   bot_points              [0, 1]           the bot's or other's, as a fraction of the points that win
// act   int32[1]   0 stay  1 up  2 down, for frames_per_step frames; with `continuous` a velocity in [-1, 1], 1 = 3 px
//                  down
// rew   +1 for each point, -1 for each point of the bot or other; terminated at the winning point
//
// score is the return, the point difference from -21 to 21; perf maps it to [0, 1].
#include "pufferc/env.h"

enum { PONG_STAY, PONG_UP, PONG_DOWN };

#define PONG_WIDTH 480.0f
#define PONG_HEIGHT 320.0f
#define PONG_BALL 10.0f
#define PONG_PADDLE_HEIGHT 56.0f
#define PONG_PADDLE_WIDTH 8.0f
#define PONG_MARGIN 16.0f       // from a paddle's back to the end of the field
#define PONG_PADDLE_SPEED 3.0f  // px per frame, like all speeds
#define PONG_SERVE_SPEED 5.0f
#define PONG_SPEED_RISE 0.25f  // per return
#define PONG_MAX_SPEED 8.0f
#define PONG_MAX_CLIMB 6.0f      // vertical, from a paddle's end
#define PONG_SERVE_CLIMB 2.0f    // max vertical speed
#define PONG_SERVE_SPREAD 40.0f  // max distance from the middle, px
#define PONG_BOT_AIM 0.6f        // largest offset from its centre at which the bot aims
// Limits of the ball's centre; its x at a paddle's front; the largest distance at which it touches a paddle.
#define PONG_MIN_Y (0.5f * PONG_BALL)
#define PONG_MAX_Y (PONG_HEIGHT - 0.5f * PONG_BALL)
#define PONG_BOT_X (PONG_MARGIN + PONG_PADDLE_WIDTH + 0.5f * PONG_BALL)
#define PONG_AGENT_X (PONG_WIDTH - PONG_BOT_X)
#define PONG_REACH (0.5f * (PONG_PADDLE_HEIGHT + PONG_BALL))

#define PONG_PARAMS(X)                                                        \
  X(int, max_steps, 0, 0, PFC_MAX_STEPS, "steps until truncation; 0 = never") \
  X(int, frames_per_step, 4, 1, 64, "frames of 1/60 s per step")              \
  X(int, points, 21, 1, 1000, "points that win")                              \
  X(bool, continuous, 0, 0, 1, "the action is a paddle velocity in [-1, 1] instead of 0 stay, 1 up, 2 down") \
  X(int, players, 1, 1, 2, "1: an agent against the bot; 2: two agents, the second one on the left")
PFC_DEFINE_PARAMS(pong, PongParams, PONG_PARAMS)

typedef struct Pong {
  PfcRng rng;
  float ball_x, ball_y, ball_vx, ball_vy;
  float paddle_y, bot_y;
  float bot_aim;  // px that the bot wants its paddle to be below the ball
  int32_t points, bot_points;
  int32_t returns, left_returns;  // by the right and the left paddle in this episode
} Pong;

// What moves the paddles in a frame.
typedef struct PongMoves {
  float right, left;  // px
  bool bot;           // the bot moves the left paddle
} PongMoves;

typedef struct PongObs {
  float paddle_y, bot_y, ball_x, ball_y, ball_vx, ball_vy, points, bot_points;
} PongObs;

static const PfcObsRow pong_obs[] = {
    PFC_OBS("paddle_y", 1, 0, 1, "centre of the agent's paddle, field heights from the top"),
    PFC_OBS("bot_y", 1, 0, 1, "centre of the bot's or other agent's paddle, in field heights"),
    PFC_OBS("ball_x", 1, -0.03f, 1.03f, "field widths from the other's end; the agent's is at 1"),
    PFC_OBS("ball_y", 1, 0, 1, "field heights from the top"),
    PFC_OBS("ball_vx", 1, -1, 1, "8 px per frame of 1/60 s; positive towards the agent"),
    PFC_OBS("ball_vy", 1, -1, 1, "6 px per frame of 1/60 s; positive downwards"),
    PFC_OBS("points", 1, 0, 1, "the agent's, as a fraction of the points that win"),
    PFC_OBS("bot_points", 1, 0, 1, "the bot's or other agent's, as a fraction of the points that win"),
};

PFC_FN float pong_moved_paddle(float y, float move) {
  return pfc_clampf(y + move, 0.5f * PONG_PADDLE_HEIGHT, PONG_HEIGHT - 0.5f * PONG_PADDLE_HEIGHT);
}

PFC_FN void pong_take_aim(Pong* s) {
  s->bot_aim = pfc_rng_uniform(&s->rng, -PONG_BOT_AIM * PONG_REACH, PONG_BOT_AIM * PONG_REACH);
}

PFC_FN void pong_serve(Pong* s) {
  s->paddle_y = s->bot_y = 0.5f * PONG_HEIGHT;
  s->ball_x = 0.5f * PONG_WIDTH;
  s->ball_y = 0.5f * PONG_HEIGHT + pfc_rng_uniform(&s->rng, -PONG_SERVE_SPREAD, PONG_SERVE_SPREAD);
  s->ball_vx = pfc_rng_below(&s->rng, 2) ? PONG_SERVE_SPEED : -PONG_SERVE_SPEED;
  s->ball_vy = pfc_rng_uniform(&s->rng, -PONG_SERVE_CLIMB, PONG_SERVE_CLIMB);
  pong_take_aim(s);
}

// Moves the ball vertically for `frames` frames and bounces it off the walls. The distance is less than the field's
// height.
PFC_FN void pong_climb(Pong* s, float frames) {
  const float y = s->ball_y + s->ball_vy * frames;
  const bool above = y<PONG_MIN_Y, below = y> PONG_MAX_Y;
  s->ball_y = above ? 2.0f * PONG_MIN_Y - y : below ? 2.0f * PONG_MAX_Y - y : y;
  s->ball_vy = (above | below) ? -s->ball_vy : s->ball_vy;
}

PFC_FN void pong_move_paddles(Pong* s, PongMoves moves) {
  const float way = moves.bot ? s->ball_y + s->bot_aim - s->bot_y : moves.left;
  s->paddle_y = pong_moved_paddle(s->paddle_y, moves.right);
  s->bot_y = pong_moved_paddle(s->bot_y, pfc_clampf(way, -PONG_PADDLE_SPEED, PONG_PADDLE_SPEED));
}

// A frame without contact with a paddle.
PFC_FN void pong_drift(Pong* s, PongMoves moves) {
  pong_move_paddles(s, moves);
  s->ball_x += s->ball_vx;
  pong_climb(s, 1.0f);
}

// Handles a ball at a paddle's front, returned or missed, for the `rest` of the frame.
PFC_FN void pong_meet_paddle(Pong* s, float rest) {
  const bool agent = s->ball_vx > 0.0f;
  const float offset = (s->ball_y - (agent ? s->paddle_y : s->bot_y)) * (1.0f / PONG_REACH);
  if (pfc_absf(offset) <= 1.0f) {
    const float speed = pfc_minf(pfc_absf(s->ball_vx) + PONG_SPEED_RISE, PONG_MAX_SPEED);
    s->ball_vx = agent ? -speed : speed;
    s->ball_vy = PONG_MAX_CLIMB * offset;
    s->returns += agent;
    s->left_returns += !agent;
    if (agent) pong_take_aim(s);
  }
  s->ball_x = (agent ? PONG_AGENT_X : PONG_BOT_X) + s->ball_vx * rest;
  pong_climb(s, rest);
}

PFC_FN void pong_score(Pong* s, const PongParams* p, PfcIo io) {
  const bool won = s->ball_x < 0.0f;
  const float reward = won ? 1.0f : -1.0f;
  s->points += won;
  s->bot_points += !won;
  io.rewards[0] += reward;
  if (p->players == 2) io.rewards[1] -= reward;
  if (s->points < p->points && s->bot_points < p->points) {
    pong_serve(s);
    return;
  }
  for (int32_t agent = 0; agent < p->players; ++agent) io.terminated[agent] = 1;
}

PFC_FN void pong_frame(Pong* s, const PongParams* p, PongMoves moves, PfcIo io) {
  const bool rightwards = s->ball_vx > 0.0f;
  const float front = rightwards ? PONG_AGENT_X : PONG_BOT_X, next = s->ball_x + s->ball_vx;
  const bool meets = rightwards ? s->ball_x < front && next >= front : s->ball_x > front && next <= front;
  if (!meets) {
    pong_drift(s, moves);
  } else {
    const float time = (front - s->ball_x) / s->ball_vx;
    pong_move_paddles(s, moves);
    pong_climb(s, time);
    pong_meet_paddle(s, 1.0f - time);
  }
  if (s->ball_x < -0.5f * PONG_BALL || s->ball_x > PONG_WIDTH + 0.5f * PONG_BALL) pong_score(s, p, io);
}

// Plays a whole step if the ball stays between the paddles (true for most steps), else returns false. A margin of one
// pixel covers differences in rounding between a sum of frames and their product.
PFC_FN bool pong_glide(Pong* s, PongMoves moves, int32_t frames) {
  const float last = s->ball_x + s->ball_vx * (float)frames;
  const float low = pfc_minf(last, s->ball_x), high = pfc_maxf(last, s->ball_x);
  if (!((low > PONG_BOT_X + 1.0f) & (high < PONG_AGENT_X - 1.0f))) return false;
  for (int32_t frame = 0; frame < frames; ++frame) pong_drift(s, moves);
  return true;
}

PFC_FN void pong_play(Pong* s, const PongParams* p, PongMoves moves, PfcIo io) {
  for (int32_t frame = 0; frame < p->frames_per_step && !io.terminated[0]; ++frame) pong_frame(s, p, moves, io);
}

PFC_FN float pong_move_of(const PongParams* p, int32_t agent, PfcIo io) {
  if (p->continuous) return io.controls[agent] * PONG_PADDLE_SPEED;
  return (float)((io.actions[agent] == PONG_DOWN) - (io.actions[agent] == PONG_UP)) * PONG_PADDLE_SPEED;
}

PFC_FN void pong_reset(Pong* s, const PongParams* p) {
  (void)p;
  pong_serve(s);
}

// Inlined, because gcc would otherwise inline pong_play into the loop over games in its place.
__attribute__((always_inline)) PFC_FN void pong_step(Pong* s, const PongParams* p, PfcIo io) {
  const bool bot = p->players == 1;
  const PongMoves moves = {pong_move_of(p, 0, io), bot ? 0.0f : pong_move_of(p, 1, io), bot};
  // The default count as a constant, so that the loop unrolls.
  const int32_t frames = p->frames_per_step;
  const bool glided = frames == 4 ? pong_glide(s, moves, 4) : pong_glide(s, moves, frames);
  if (!glided) pong_play(s, p, moves, io);
}

PFC_FN void pong_observe(const Pong* s, const PongParams* p, int32_t agent, PongObs* obs) {
  const bool left = agent == 1;
  const float share = 1.0f / (float)p->points;
  obs->paddle_y = (left ? s->bot_y : s->paddle_y) * (1.0f / PONG_HEIGHT);
  obs->bot_y = (left ? s->paddle_y : s->bot_y) * (1.0f / PONG_HEIGHT);
  obs->ball_x = (left ? PONG_WIDTH - s->ball_x : s->ball_x) * (1.0f / PONG_WIDTH);
  obs->ball_y = s->ball_y * (1.0f / PONG_HEIGHT);
  obs->ball_vx = (left ? -s->ball_vx : s->ball_vx) * (1.0f / PONG_MAX_SPEED);
  obs->ball_vy = s->ball_vy * (1.0f / PONG_MAX_CLIMB);
  obs->points = (float)(left ? s->bot_points : s->points) * share;
  obs->bot_points = (float)(left ? s->points : s->bot_points) * share;
}

PFC_FN void pong_metrics(const Pong* s, const PongParams* p, int32_t agent, float* values) {
  const bool left = agent == 1;
  const int32_t points = left ? s->bot_points : s->points, other = left ? s->points : s->bot_points;
  values[1] = 0.5f + 0.5f * (float)(points - other) / (float)p->points;  // the score is the return
  values[2] = (float)points;
  values[3] = (float)other;
  values[4] = (float)(left ? s->left_returns : s->returns);
}

static void pong_draw_side(float x, float y, int32_t points, float score_x, const char* name, uint32_t color,
                           const PfcDraw* d) {
  char text[16];
  snprintf(text, sizeof text, "%d", (int)points);
  d->text(d->context, score_x - 0.5f * pfc_text_width(text, 44.0f), 20.0f, 44.0f, text, pfc_rgb(0x66708a));
  d->text(d->context, score_x - 0.5f * pfc_text_width(name, 14.0f), 64.0f, 14.0f, name, pfc_rgb(0x4a546c));
  d->rounded_rect(d->context, x, y - 0.5f * PONG_PADDLE_HEIGHT, PONG_PADDLE_WIDTH, PONG_PADDLE_HEIGHT, 4.0f,
                  pfc_rgb(color));
}

static void pong_draw(const Pong* s, const PongParams* p, const PfcDraw* d) {
  const bool bot = p->players == 1;
  const float middle = 0.5f * PONG_WIDTH, dash = 10.0f, agent_x = PONG_WIDTH - PONG_MARGIN - PONG_PADDLE_WIDTH;
  pfc_draw_board(d, PONG_WIDTH, PONG_HEIGHT);
  d->rect(d->context, 0.0f, 0.0f, PONG_WIDTH, 2.0f, pfc_rgb(PFC_LINE));
  d->rect(d->context, 0.0f, PONG_HEIGHT - 2.0f, PONG_WIDTH, 2.0f, pfc_rgb(PFC_LINE));
  for (float y = 0.5f * dash; y < PONG_HEIGHT; y += 2.0f * dash)
    d->rect(d->context, middle - 1.5f, y, 3.0f, dash, pfc_rgb(PFC_LINE));
  pong_draw_side(PONG_MARGIN, s->bot_y, s->bot_points, 0.5f * middle, bot ? "bot" : "agent 1", PFC_RIVAL, d);
  pong_draw_side(agent_x, s->paddle_y, s->points, 1.5f * middle, bot ? "agent" : "agent 0", PFC_AGENT, d);
  for (int32_t i = 3; i >= 1; --i) {  // trail of earlier positions
    const float x = s->ball_x - 1.6f * (float)i * s->ball_vx, y = s->ball_y - 1.6f * (float)i * s->ball_vy;
    d->circle(d->context, x, pfc_clampf(y, PONG_MIN_Y, PONG_MAX_Y), PONG_BALL * (0.5f - 0.08f * (float)i),
              pfc_tint(PFC_GOAL, (uint8_t)(110 - 30 * i)));
  }
  d->rounded_rect(d->context, s->ball_x - 0.5f * PONG_BALL, s->ball_y - 0.5f * PONG_BALL, PONG_BALL, PONG_BALL, 4.0f,
                  pfc_rgb(0xf7c873));
  d->end(d->context);
}

static void pong_layout(const void* params, PfcLayout* sizes) {
  const PongParams* p = (const PongParams*)params;
  sizes->agents = p->players;
  sizes->teams = p->players == 2 ? 2 : 0;
  if (!p->continuous) return;
  sizes->action_counts[0] = 0;
  sizes->continuous_dims = 1;
}

static const PfcKeyBinding pong_keys[] = {
    PFC_BIND_PUSH("up w", "up", 1, 0, -1.0f),
    PFC_BIND_PUSH("down s", "down", 2, 0, 1.0f),
};

PFC_DEFINE_ENV(pong, Pong,
               .title = "Pong",
               .summary = "first to 21 points against a bot that follows the ball, or against another agent",
               .version = 1,
               .obs_dtype = PFC_FLOAT32,
               .sizes = {.action_counts = {3}},
               .layout = pong_layout,
               .obs_rows = pong_obs,
               .num_obs_rows = sizeof pong_obs / sizeof pong_obs[0],
               .metrics = {"score", "perf", "points", "bot_points", "returns"},
               .fps = 60,
               .keys = pong_keys,
               .num_keys = sizeof pong_keys / sizeof pong_keys[0])
