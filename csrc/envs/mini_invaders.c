// mini_invaders.c - shoot a block of aliens before it comes down. One agent; MinAtar's Space Invaders.
//
// The aliens move sideways together, and down at a wall; the fewer there are, the faster they move. The alien nearest
// to the cannon's column shoots. A new block comes when all are gone, each a little faster (ramping).
//
// obs   uint8[6][10][10]   planes: cannon, alien, alien going left, going right, own bullet, enemy bullet
// act   int32[1]           0 none  1 left  2 up  3 right  4 down  5 fire; up and down do nothing
// rew   +1 for an alien; a bullet or an alien in the cannon's cell, or aliens below the bottom end the episode
//
// score is the return; perf is score / 150, at most 1.
#include "mini.h"

enum { MINI_INVADERS_TOP_ROWS = 4, MINI_INVADERS_FIRST_COLUMN = 2, MINI_INVADERS_COLUMNS = 6 };  // of a new block
enum { MINI_INVADERS_COOL_DOWN = 5, MINI_INVADERS_MOVE_TIME = 12, MINI_INVADERS_SHOT_TIME = 10 };  // steps
enum { MINI_INVADERS_MIN_MOVE_TIME = 6 };
enum { MINI_INVADERS_BLOCK = ((1 << MINI_INVADERS_COLUMNS) - 1) << MINI_INVADERS_FIRST_COLUMN };
#define MINI_INVADERS_FULL_SCORE 150.0f

#define MINI_INVADERS_PARAMS(X) MINI_MAX_STEPS(X, 10000) MINI_STICKY(X) MINI_RAMPING(X)
PFC_DEFINE_PARAMS(mini_invaders, MiniInvadersParams, MINI_INVADERS_PARAMS)

// Rows are sets of columns: bit x.
typedef struct MiniInvaders {
  PfcRng rng;
  uint16_t aliens[MINI_SIDE], own[MINI_SIDE], enemy[MINI_SIDE];  // aliens, own bullets, enemy bullets
  int8_t cannon;                                                 // x
  int8_t direction;                                              // of the aliens, -1 or 1
  int8_t cool_down, move_time, move_timer, shot_timer;
  int8_t latest;  // action
} MiniInvaders;

typedef struct MiniInvadersObs {
  uint8_t cannon[MINI_CELLS], alien[MINI_CELLS], left[MINI_CELLS], right[MINI_CELLS], own[MINI_CELLS],
      enemy[MINI_CELLS];
} MiniInvadersObs;

static const PfcObsRow mini_invaders_obs[] = {
    MINI_PLANE("cannon", "the cannon, in the bottom row"),
    MINI_PLANE("alien", "aliens"),
    MINI_PLANE("left", "aliens, while they go left"),
    MINI_PLANE("right", "aliens, while they go right"),
    MINI_PLANE("own", "own bullets, which go up"),
    MINI_PLANE("enemy", "enemy bullets, which go down"),
};

PFC_FN void mini_invaders_new_block(MiniInvaders* s) {
  for (int32_t y = 0; y < MINI_INVADERS_TOP_ROWS; ++y) s->aliens[y] = MINI_INVADERS_BLOCK;
}

PFC_FN void mini_invaders_reset(MiniInvaders* s, const MiniInvadersParams* p) {
  (void)p;
  s->cannon = 5;
  s->direction = -1;
  s->move_time = s->move_timer = MINI_INVADERS_MOVE_TIME;
  s->shot_timer = MINI_INVADERS_SHOT_TIME;
  mini_invaders_new_block(s);
}

PFC_FN int32_t mini_invaders_count(const MiniInvaders* s) {
  int32_t count = 0;
  for (int32_t y = 0; y < MINI_SIDE; ++y) count += __builtin_popcount(s->aliens[y]);
  return count;
}

// Columns that hold aliens.
PFC_FN uint32_t mini_invaders_columns(const MiniInvaders* s) {
  uint32_t columns = 0;
  for (int32_t y = 0; y < MINI_SIDE; ++y) columns |= s->aliens[y];
  return columns;
}

PFC_FN bool mini_invaders_hit(const uint16_t* rows, int32_t cannon) { return rows[MINI_LAST] >> cannon & 1; }

PFC_FN void mini_invaders_move_bullets(MiniInvaders* s) {
  for (int32_t y = 0; y < MINI_LAST; ++y) s->own[y] = s->own[y + 1];
  s->own[MINI_LAST] = 0;
  for (int32_t y = MINI_LAST; y > 0; --y) s->enemy[y] = s->enemy[y - 1];
  s->enemy[0] = 0;
}

// Aliens that leave the bottom come back on top, as in the reference, which shows in the final observation.
PFC_FN void mini_invaders_move_aliens(MiniInvaders* s, PfcIo io) {
  const uint32_t ahead = s->direction < 0 ? 1u : 1u << MINI_LAST;
  if (mini_invaders_columns(s) & ahead) {
    const uint16_t last = s->aliens[MINI_LAST];
    s->direction = (int8_t)-s->direction;
    if (last) io.terminated[0] = 1;
    for (int32_t y = MINI_LAST; y > 0; --y) s->aliens[y] = s->aliens[y - 1];
    s->aliens[0] = last;
  } else {
    for (int32_t y = 0; y < MINI_SIDE; ++y)
      s->aliens[y] = (uint16_t)(s->direction < 0 ? s->aliens[y] >> 1 : s->aliens[y] << 1);
  }
}

// The lowest alien of the column nearest to the cannon shoots from its cell; of two such columns, the left one.
PFC_FN void mini_invaders_shoot(MiniInvaders* s) {
  const uint32_t columns = mini_invaders_columns(s);
  int32_t column = -1;
  for (int32_t distance = 0; distance < MINI_SIDE && column < 0; ++distance) {
    const int32_t left = s->cannon - distance, right = s->cannon + distance;
    if (left >= 0 && columns >> left & 1) column = left;
    else if (right < MINI_SIDE && columns >> right & 1) column = right;
  }
  if (column < 0) return;  // there are no aliens
  int32_t y = MINI_LAST;
  while (!(s->aliens[y] >> column & 1)) y -= 1;
  s->enemy[y] = (uint16_t)(s->enemy[y] | 1u << column);
}

PFC_FN int32_t mini_invaders_strike(MiniInvaders* s) {
  int32_t struck = 0;
  for (int32_t y = 0; y < MINI_SIDE; ++y) {
    const uint16_t both = s->aliens[y] & s->own[y];
    struck += __builtin_popcount(both);
    s->aliens[y] = (uint16_t)(s->aliens[y] & ~both);
    s->own[y] = (uint16_t)(s->own[y] & ~both);
  }
  return struck;
}

PFC_FN void mini_invaders_step(MiniInvaders* s, const MiniInvadersParams* p, PfcIo io) {
  const int32_t action = mini_action(&s->rng, p->sticky, io.actions[0], &s->latest);
  if (action == MINI_FIRE && s->cool_down == 0) {
    s->own[MINI_LAST] = (uint16_t)(s->own[MINI_LAST] | 1u << s->cannon);
    s->cool_down = MINI_INVADERS_COOL_DOWN;
  }
  s->cannon = (int8_t)pfc_clampi(s->cannon + mini_sideways(action), 0, MINI_LAST);
  mini_invaders_move_bullets(s);
  if (mini_invaders_hit(s->enemy, s->cannon) || mini_invaders_hit(s->aliens, s->cannon)) io.terminated[0] = 1;
  if (s->move_timer == 0) {
    s->move_timer = (int8_t)pfc_mini(mini_invaders_count(s), s->move_time);
    mini_invaders_move_aliens(s, io);
    if (mini_invaders_hit(s->aliens, s->cannon)) io.terminated[0] = 1;
  }
  if (s->shot_timer == 0) {
    s->shot_timer = MINI_INVADERS_SHOT_TIME;
    mini_invaders_shoot(s);
  }
  io.rewards[0] = (float)mini_invaders_strike(s);
  if (s->cool_down > 0) s->cool_down -= 1;
  s->move_timer -= 1;
  s->shot_timer -= 1;
  if (mini_invaders_columns(s)) return;
  if (p->ramping && s->move_time > MINI_INVADERS_MIN_MOVE_TIME) s->move_time -= 1;
  mini_invaders_new_block(s);
}

PFC_FN void mini_invaders_write(const uint16_t* rows, uint8_t* plane) {
  for (int32_t y = 0; y < MINI_SIDE; ++y)
    if (rows[y]) mini_set_row(plane, y, rows[y]);
}

PFC_FN void mini_invaders_observe(const MiniInvaders* s, const MiniInvadersParams* p, int32_t agent,
                                  MiniInvadersObs* obs) {
  (void)p, (void)agent;
  mini_clear(obs, sizeof *obs);
  mini_set(obs->cannon, s->cannon, MINI_LAST);
  mini_invaders_write(s->aliens, obs->alien);
  memcpy(s->direction < 0 ? obs->left : obs->right, obs->alien, sizeof obs->alien);
  mini_invaders_write(s->own, obs->own);
  mini_invaders_write(s->enemy, obs->enemy);
}

PFC_FN void mini_invaders_metrics(const MiniInvaders* s, const MiniInvadersParams* p, int32_t agent, float* values) {
  (void)s, (void)p, (void)agent;  // the score is the return
  values[1] = pfc_minf(1.0f, values[0] * (1.0f / MINI_INVADERS_FULL_SCORE));
}

static void mini_invaders_draw_alien(int32_t x, int32_t y, int32_t direction, const PfcDraw* d) {
  const PfcPoint at = mini_centre(x, y);
  mini_draw_box(d, x - direction, y, 37.0f, 26.0f, pfc_tint(PFC_VIOLET, 35));
  mini_draw_box(d, x, y, 32.0f, 22.0f, pfc_rgb(PFC_VIOLET));
  for (int32_t side = -1; side <= 1; side += 2) {
    d->rect(d->context, at.x + 10.0f * (float)side - 3.0f, at.y + 9.0f, 6.0f, 6.0f, pfc_rgb(PFC_VIOLET));
    d->circle(d->context, at.x + 7.0f * (float)side, at.y - 2.0f, 3.5f, pfc_rgb(PFC_BOARD));
  }
}

static void mini_invaders_draw(const MiniInvaders* s, const MiniInvadersParams* p, const PfcDraw* d) {
  uint32_t rows[MINI_SIDE];
  (void)p;
  for (int32_t y = 0; y < MINI_SIDE; ++y) rows[y] = y == MINI_LAST ? 0x2a3040 : PFC_TILE;
  mini_draw_start(d, rows);
  for (int32_t cell = 0; cell < MINI_CELLS; ++cell) {
    const int32_t x = cell % MINI_SIDE, y = cell / MINI_SIDE;
    if (s->aliens[y] >> x & 1) mini_invaders_draw_alien(x, y, s->direction, d);
    if (s->own[y] >> x & 1) mini_draw_box(d, x, y, 6.0f, 22.0f, pfc_rgb(PFC_AGENT));
    if (s->enemy[y] >> x & 1) mini_draw_box(d, x, y, 6.0f, 22.0f, pfc_rgb(PFC_BAD));
  }
  const PfcPoint cannon = mini_centre(s->cannon, MINI_LAST);
  d->rounded_rect(d->context, cannon.x - 4.0f, cannon.y - 15.0f, 8.0f, 20.0f, 3.0f, pfc_rgb(PFC_AGENT));
  d->rounded_rect(d->context, cannon.x - 16.0f, cannon.y - 3.0f, 32.0f, 17.0f, 5.0f, pfc_rgb(PFC_AGENT));
  d->end(d->context);
}

static const PfcField mini_invaders_fields[] = {
    PFC_STATE_FIELD(MiniInvaders, rng, PFC_UINT64),
    PFC_STATE_FIELD(MiniInvaders, aliens, PFC_UINT16),    PFC_STATE_FIELD(MiniInvaders, own, PFC_UINT16),
    PFC_STATE_FIELD(MiniInvaders, enemy, PFC_UINT16),     PFC_STATE_FIELD(MiniInvaders, cannon, PFC_INT8),
    PFC_STATE_FIELD(MiniInvaders, direction, PFC_INT8),   PFC_STATE_FIELD(MiniInvaders, cool_down, PFC_INT8),
    PFC_STATE_FIELD(MiniInvaders, move_time, PFC_INT8),   PFC_STATE_FIELD(MiniInvaders, move_timer, PFC_INT8),
    PFC_STATE_FIELD(MiniInvaders, shot_timer, PFC_INT8),
};

PFC_DEFINE_ENV(mini_invaders, MiniInvaders,
               .title = "MiniInvaders",
               .summary = "shoot a block of aliens on 10 x 10 cells, as in MinAtar",
               .version = 1,
               .obs_dtype = PFC_UINT8,
               .sizes = {.obs_shape = {6, MINI_SIDE, MINI_SIDE}, .action_counts = {MINI_CHOICES}},
               .obs_rows = mini_invaders_obs,
               .num_obs_rows = sizeof mini_invaders_obs / sizeof mini_invaders_obs[0],
               .metrics = {"score", "perf"},
               .fields = mini_invaders_fields,
               .num_fields = sizeof mini_invaders_fields / sizeof mini_invaders_fields[0],
               .fps = 10,
               .keys = mini_keys,
               .num_keys = MINI_NUM_KEYS)
