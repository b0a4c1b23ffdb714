// breakout_draw.h - how Breakout looks. Part of breakout.c; drawn in the units of its world, 576 x 330 px.
#ifndef PUFFERC_ENVS_BREAKOUT_DRAW_H
#define PUFFERC_ENVS_BREAKOUT_DRAW_H

static void breakout_draw_bricks(const Breakout* s, const PfcDraw* d) {
  static const uint32_t colors[BREAKOUT_ROWS] = {0xe5484d, 0xf2793b, 0xf2b134, 0x5fb96c, 0x3fb6d3, 0x6d7ff0};
  const PfcColor shine = {255, 255, 255, 48};
  for (int32_t i = 0; i < BREAKOUT_BRICKS; ++i) {
    const int32_t row = i / BREAKOUT_COLUMNS, column = i % BREAKOUT_COLUMNS;
    if (!breakout_standing(s, row, column)) continue;
    const float x = (float)(BREAKOUT_BRICK_WIDTH * column) + 1.0f;
    const float y = (float)(BREAKOUT_BRICK_TOP + BREAKOUT_BRICK_HEIGHT * row) + 1.0f;
    d->rounded_rect(d->context, x, y, BREAKOUT_BRICK_WIDTH - 2, BREAKOUT_BRICK_HEIGHT - 2, 2.5f, pfc_rgb(colors[row]));
    d->rect(d->context, x + 2.5f, y + 1.0f, BREAKOUT_BRICK_WIDTH - 7, 1.5f, shine);
  }
}

// The ball, and behind it the way it came, fading.
static void breakout_draw_ball(const Breakout* s, const PfcDraw* d) {
  const float half = 0.5f * BREAKOUT_BALL;
  for (int32_t i = 3; i >= 1; --i) {
    const float x = pfc_clampf(s->ball_x - 2.4f * (float)i * s->ball_vx, 0.0f, BREAKOUT_MAX_X);
    const float y = pfc_clampf(s->ball_y - 2.4f * (float)i * s->ball_vy, 0.0f, BREAKOUT_REST_Y);
    d->line(d->context, x + half, y + half, s->ball_x + half, s->ball_y + half, BREAKOUT_BALL - 5.0f * (float)i,
            pfc_tint(PFC_GOAL, 30));
  }
  d->rounded_rect(d->context, s->ball_x, s->ball_y, BREAKOUT_BALL, BREAKOUT_BALL, 11.0f, pfc_rgb(0xf7c873));
  d->rounded_rect(d->context, s->ball_x + 6.0f, s->ball_y + 5.0f, 11.0f, 8.0f, 4.0f, pfc_tint(0xffffff, 90));
}

static void breakout_draw(const Breakout* s, const BreakoutParams* p, const PfcDraw* d) {
  (void)p;
  pfc_draw_board(d, BREAKOUT_WIDTH, BREAKOUT_HEIGHT);
  d->rect(d->context, 0.0f, 0.0f, BREAKOUT_WIDTH, 1.5f, pfc_rgb(PFC_LINE));  // a wall; the bottom is open
  pfc_draw_count(d, 14.0f, 11.0f, 28.0f, true, s->score, "points");
  for (int32_t i = 0; i < pfc_mini(s->balls, 10); ++i)
    d->circle(d->context, BREAKOUT_WIDTH - 20.0f - 17.0f * (float)i, 25.0f, 5.5f, pfc_rgb(i == 0 ? 0xf7c873 : 0x8f784f));
  breakout_draw_bricks(s, d);
  d->rounded_rect(d->context, s->paddle_x, BREAKOUT_PADDLE_Y, s->paddle_width, BREAKOUT_PADDLE_HEIGHT, 4.0f,
                  pfc_rgb(PFC_INK));
  breakout_draw_ball(s, d);
  d->end(d->context);
}

#endif  // PUFFERC_ENVS_BREAKOUT_DRAW_H
