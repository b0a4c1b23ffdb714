// mini_breakout.c - bounce a ball off a paddle and break bricks. One agent; MinAtar's Breakout.
//
// The ball moves one cell diagonally per step. Bricks fill rows 1 to 3, and come back when the ball reaches the bottom
// after the last one is gone.
//
// obs   uint8[4][10][10]   planes: paddle, ball, trail (the ball's last cell), brick
// act   int32[1]           0 none  1 left  2 up  3 right  4 down  5 fire; only left and right do something
// rew   +1 for a brick; a missed ball ends the episode
//
// score is the return; perf is score / 50, at most 1.
#include "mini.h"

enum { MINI_BREAKOUT_FIRST = 1, MINI_BREAKOUT_BRICK_ROWS = 3 };  // rows of bricks
enum { MINI_BREAKOUT_FULL_ROW = (1 << MINI_SIDE) - 1 };
#define MINI_BREAKOUT_FULL_SCORE 50.0f

#define MINI_BREAKOUT_PARAMS(X) MINI_MAX_STEPS(X, 10000) MINI_STICKY(X)
PFC_DEFINE_PARAMS(mini_breakout, MiniBreakoutParams, MINI_BREAKOUT_PARAMS)

typedef struct MiniBreakout {
  PfcRng rng;
  uint16_t bricks[MINI_SIDE];  // of each row; bit x
  int8_t paddle;               // x
  int8_t x, y;                 // the ball
  int8_t last_x, last_y;       // where it was
  int8_t dx, dy;               // its direction, -1 or 1
  int8_t struck;               // the last step met a brick
  int8_t latest;               // action
} MiniBreakout;

typedef struct MiniBreakoutObs {
  uint8_t paddle[MINI_CELLS], ball[MINI_CELLS], trail[MINI_CELLS], brick[MINI_CELLS];
} MiniBreakoutObs;

static const PfcObsRow mini_breakout_obs[] = {
    MINI_PLANE("paddle", "the paddle, in the bottom row"),
    MINI_PLANE("ball", "the ball"),
    MINI_PLANE("trail", "where the ball was one step ago"),
    MINI_PLANE("brick", "bricks"),
};

PFC_FN void mini_breakout_fill(MiniBreakout* s) {
  for (int32_t i = 0; i < MINI_BREAKOUT_BRICK_ROWS; ++i) s->bricks[MINI_BREAKOUT_FIRST + i] = MINI_BREAKOUT_FULL_ROW;
}

PFC_FN bool mini_breakout_is_cleared(const MiniBreakout* s) {
  uint32_t any = 0;
  for (int32_t i = 0; i < MINI_BREAKOUT_BRICK_ROWS; ++i) any |= s->bricks[MINI_BREAKOUT_FIRST + i];
  return any == 0;
}

PFC_FN void mini_breakout_reset(MiniBreakout* s, const MiniBreakoutParams* p) {
  (void)p;
  const int32_t right = pfc_rng_below(&s->rng, 2) == 1;  // side of the start
  s->x = s->last_x = right ? MINI_LAST : 0;
  s->y = s->last_y = 3;
  s->dx = right ? -1 : 1;
  s->dy = 1;
  s->paddle = 4;
  mini_breakout_fill(s);
}

// The ball comes to the paddle's row at column x. Returns the row where it stays.
PFC_FN int32_t mini_breakout_meet_paddle(MiniBreakout* s, int32_t x, PfcIo io) {
  if (mini_breakout_is_cleared(s)) mini_breakout_fill(s);
  if (s->x != s->paddle && x != s->paddle) {
    io.terminated[0] = 1;
    return MINI_LAST;
  }
  if (s->x != s->paddle) s->dx = (int8_t)-s->dx;  // it hits the paddle's edge
  s->dy = (int8_t)-s->dy;
  return s->y;
}

PFC_FN void mini_breakout_step(MiniBreakout* s, const MiniBreakoutParams* p, PfcIo io) {
  const int32_t action = mini_action(&s->rng, p->sticky, io.actions[0], &s->latest);
  s->paddle = (int8_t)pfc_clampi(s->paddle + mini_sideways(action), 0, MINI_LAST);
  s->last_x = s->x, s->last_y = s->y;
  int32_t x = s->x + s->dx, y = s->y + s->dy;
  if (!mini_is_inside(x)) {
    x = pfc_clampi(x, 0, MINI_LAST);
    s->dx = (int8_t)-s->dx;
  }
  int8_t struck = 0;
  if (y < 0) {
    y = 0;
    s->dy = (int8_t)-s->dy;
  } else if (s->bricks[y] >> x & 1) {
    struck = 1;
    if (!s->struck) {
      io.rewards[0] = 1.0f;
      s->bricks[y] = (uint16_t)(s->bricks[y] & ~(1u << x));
      y = s->y;
      s->dy = (int8_t)-s->dy;
    }
  } else if (y == MINI_LAST) {
    y = mini_breakout_meet_paddle(s, x, io);
  }
  s->struck = struck;
  s->x = (int8_t)x, s->y = (int8_t)y;
}

PFC_FN void mini_breakout_observe(const MiniBreakout* s, const MiniBreakoutParams* p, int32_t agent,
                                  MiniBreakoutObs* obs) {
  (void)p, (void)agent;
  mini_clear(obs, sizeof *obs);
  mini_set(obs->paddle, s->paddle, MINI_LAST);
  mini_set(obs->ball, s->x, s->y);
  mini_set(obs->trail, s->last_x, s->last_y);
  for (int32_t y = MINI_BREAKOUT_FIRST; y < MINI_BREAKOUT_FIRST + MINI_BREAKOUT_BRICK_ROWS; ++y)
    mini_set_row(obs->brick, y, s->bricks[y]);
}

PFC_FN void mini_breakout_metrics(const MiniBreakout* s, const MiniBreakoutParams* p, int32_t agent, float* values) {
  (void)s, (void)p, (void)agent;  // the score is the return
  values[1] = pfc_minf(1.0f, values[0] * (1.0f / MINI_BREAKOUT_FULL_SCORE));
}

static void mini_breakout_draw(const MiniBreakout* s, const MiniBreakoutParams* p, const PfcDraw* d) {
  static const uint32_t colors[MINI_BREAKOUT_BRICK_ROWS] = {PFC_RIVAL, PFC_GOAL, PFC_GOOD};
  uint32_t rows[MINI_SIDE];
  (void)p;
  for (int32_t y = 0; y < MINI_SIDE; ++y) rows[y] = PFC_TILE;
  mini_draw_start(d, rows);
  for (int32_t i = 0; i < MINI_BREAKOUT_BRICK_ROWS * MINI_SIDE; ++i) {
    const int32_t x = i % MINI_SIDE, y = MINI_BREAKOUT_FIRST + i / MINI_SIDE;
    if (s->bricks[y] >> x & 1) mini_draw_box(d, x, y, 36.0f, 30.0f, pfc_rgb(colors[i / MINI_SIDE]));
  }
  mini_draw_box(d, s->paddle, MINI_LAST, 38.0f, 16.0f, pfc_rgb(PFC_AGENT));
  mini_draw_dot(d, s->last_x, s->last_y, 11.0f, pfc_tint(PFC_INK, 60));
  mini_draw_dot(d, s->x, s->y, 12.0f, pfc_rgb(PFC_INK));
  d->end(d->context);
}

static const PfcField mini_breakout_fields[] = {
    PFC_STATE_FIELD(MiniBreakout, rng, PFC_UINT64),   PFC_STATE_FIELD(MiniBreakout, bricks, PFC_UINT16),
    PFC_STATE_FIELD(MiniBreakout, paddle, PFC_INT8),  PFC_STATE_FIELD(MiniBreakout, x, PFC_INT8),
    PFC_STATE_FIELD(MiniBreakout, y, PFC_INT8),       PFC_STATE_FIELD(MiniBreakout, dx, PFC_INT8),
    PFC_STATE_FIELD(MiniBreakout, dy, PFC_INT8),      PFC_STATE_FIELD(MiniBreakout, struck, PFC_INT8),
};

PFC_DEFINE_ENV(mini_breakout, MiniBreakout,
               .title = "MiniBreakout",
               .summary = "break bricks with a ball on 10 x 10 cells, as in MinAtar",
               .version = 1,
               .obs_dtype = PFC_UINT8,
               .sizes = {.obs_shape = {4, MINI_SIDE, MINI_SIDE}, .action_counts = {MINI_CHOICES}},
               .obs_rows = mini_breakout_obs,
               .num_obs_rows = sizeof mini_breakout_obs / sizeof mini_breakout_obs[0],
               .metrics = {"score", "perf"},
               .fields = mini_breakout_fields,
               .num_fields = sizeof mini_breakout_fields / sizeof mini_breakout_fields[0],
               .fps = 10,
               .keys = mini_keys,
               .num_keys = MINI_NUM_KEYS)
