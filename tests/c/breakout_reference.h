// breakout_reference.h - two slow, obvious versions of Breakout for test_breakout.c, which includes the
// game first.
//
// Reference: one frame at a time, tests every line and every brick, no fast paths. It shares only
// PfcRng and fmath with the game and must agree with it bit for bit.
// Sweep: the textbook swept-box test in double precision against every brick and wall, without
// lines. It must agree wherever a contact does not depend on rounding.
#ifndef PUFFERC_TESTS_BREAKOUT_REFERENCE_H
#define PUFFERC_TESTS_BREAKOUT_REFERENCE_H

typedef struct Reference {
  PfcRng rng;
  bool gone[6][18];
  float x, y, vx, vy, paddle_x, paddle_width, speed;
  int32_t round_hits, balls, balls_fired, score, bricks, paddle_hits;
} Reference;

typedef struct Touch {
  int32_t what;  // as in the game
  bool sideways;
  float time, overlap, x, y;
} Touch;

static void reference_start_round(Reference* g) {
  g->paddle_width = 62.0f, g->paddle_x = 257.0f, g->x = 272.0f, g->y = 135.0f, g->vx = g->vy = 0.0f;
  g->speed = 256.0f, g->round_hits = 0;
}

// The earlier contact wins, then the larger overlap, then a horizontal face, then the one found first.
static void reference_keep_better(Touch* best, Touch t) {
  bool better = best->what < 0 || t.time < best->time;
  if (best->what >= 0 && t.time == best->time)
    better = t.overlap > best->overlap || (t.overlap == best->overlap && best->sideways && !t.sideways);
  if (t.overlap > 0.0f && better) *best = t;
}

// The nearest of `count` lines at or ahead of `from`, or infinity.
static float reference_next_line(float from, float velocity, const float* lines, int count) {
  float best = velocity < 0.0f ? -PFC_INFINITY : PFC_INFINITY;
  for (int i = 0; i < count; ++i) {
    if (velocity < 0.0f && lines[i] <= from && lines[i] > best) best = lines[i];
    if (velocity >= 0.0f && lines[i] >= from && lines[i] < best) best = lines[i];
  }
  return best;
}

static float reference_time(float from, float velocity, float line) {
  if (velocity < 0.0f && from + velocity < line) return pfc_minf((line - from) / velocity, 1.0f);
  if (velocity > 0.0f && from + velocity > line) return pfc_minf((line - from) / velocity, 1.0f);
  return PFC_INFINITY;
}

static float reference_at(float from, float velocity, float time, float line, bool passed) {
  const float at = from + velocity * time, past = 1.0f / 1024.0f;
  if (velocity < 0.0f && passed) return at < line - past ? at : line - past;
  if (velocity < 0.0f) return at > line ? at : line;
  if (passed) return at > line + past ? at : line + past;
  return at < line ? at : line;
}

static float smallest(float a, float b, float c) { return pfc_minf(pfc_minf(a, b), c); }

// The first contact of the frame; what < 0: none.
static Touch reference_first_touch(const Reference* g) {
  float columns[18], rows[7];
  for (int i = 0; i < 18; ++i) columns[i] = 32.0f * (float)i;
  for (int r = 0; r < 6; ++r) rows[r] = (g->vy < 0.0f ? 62.0f : 18.0f) + 12.0f * (float)r;
  rows[6] = g->vy < 0.0f ? 0.0f : 280.0f;
  const float column = reference_next_line(g->x, g->vx, columns, 18), row = reference_next_line(g->y, g->vy, rows, 7);
  const float tx = reference_time(g->x, g->vx, column), ty = reference_time(g->y, g->vy, row);
  Touch best = {-1, false, 0.0f, 0.0f, 0.0f, 0.0f};
  if (tx <= 1.0f) {
    const float y = reference_at(g->y, g->vy, tx, row, ty < tx);
    if (column == (g->vx < 0.0f ? 0.0f : 544.0f))
      reference_keep_better(&best, (Touch){BREAKOUT_SIDE, true, tx, 32.0f, column, y});
    for (int i = 0; i < 108; ++i) {
      const float left = 32.0f * (float)(i % 18), top = 50.0f + 12.0f * (float)(i / 18);
      const bool on_line = column == (g->vx < 0.0f ? left + 32.0f : left - 32.0f);
      const Touch t = {i, true, tx, smallest(y - (top - 32.0f), (top + 12.0f) - y, 12.0f), column, y};
      if (!g->gone[i / 18][i % 18] && on_line) reference_keep_better(&best, t);
    }
  }
  if (ty <= 1.0f) {
    const float x = reference_at(g->x, g->vx, ty, column, tx <= ty && best.what < 0);
    if (g->vy < 0.0f && row == 0.0f) reference_keep_better(&best, (Touch){BREAKOUT_TOP, false, ty, 32.0f, x, row});
    if (g->vy > 0.0f && row == 280.0f) {
      const float overlap = pfc_minf(x + 32.0f, g->paddle_x + g->paddle_width) - pfc_maxf(x, g->paddle_x);
      reference_keep_better(&best, (Touch){BREAKOUT_PADDLE, false, ty, overlap, x, row});
    }
    for (int i = 0; i < 108; ++i) {
      const float left = 32.0f * (float)(i % 18), top = 50.0f + 12.0f * (float)(i / 18);
      const bool on_line = row == (g->vy < 0.0f ? top + 12.0f : top - 32.0f);
      const Touch t = {i, false, ty, smallest(x - (left - 32.0f), (left + 32.0f) - x, 32.0f), x, row};
      if (!g->gone[i / 18][i % 18] && on_line) reference_keep_better(&best, t);
    }
  }
  return best;
}

static void reference_hit_paddle(Reference* g) {
  const float relative = (g->x + 16.0f - g->paddle_x) / g->paddle_width;
  const float angle = -0.25f * PFC_PI + relative * (0.5f * PFC_PI);
  g->vx = g->speed / 60.0f * pfc_sinf(angle);
  g->vy = -pfc_maxf(g->speed * pfc_cosf(angle), 15.0f) / 60.0f;
  g->paddle_hits += 1;
  g->round_hits += 1;
  if (g->round_hits % 4 == 0 && g->speed < 448.0f) g->speed += 64.0f;
  if (g->score == 432) memset(g->gone, 0, sizeof g->gone);
}

static float reference_hit_brick(Reference* g, int brick) {
  static const int32_t points[6] = {7, 7, 4, 4, 1, 1};
  g->gone[brick / 18][brick % 18] = true;
  g->score += points[brick / 18];
  g->bricks += 1;
  if (brick / 18 < 3) g->speed = 448.0f;
  return (float)points[brick / 18];
}

// Returns the reward; *over is set when the episode ended.
static float reference_frame(Reference* g, float way, bool* over) {
  if (g->vx == 0.0f && g->vy == 0.0f) {
    const float side = pfc_rng_below(&g->rng, 2) ? 1.0f : -1.0f;
    g->vx = side * (g->speed / 60.0f) * pfc_sinf(PFC_PI / 3.25f);
    g->vy = g->speed / 60.0f * pfc_cosf(PFC_PI / 3.25f);
    g->balls_fired += 1;
  } else {
    g->paddle_x = pfc_clampf(g->paddle_x + way * (620.0f / 60.0f), 0.0f, 576.0f - g->paddle_width);
  }
  const Touch touch = reference_first_touch(g);
  float reward = 0.0f;
  if (touch.what < 0) {
    g->x += g->vx, g->y += g->vy;
  } else {
    g->x = touch.x, g->y = touch.y;
    if (touch.sideways) g->vx = -g->vx;
    if (!touch.sideways) g->vy = -g->vy;
    if (touch.what == BREAKOUT_TOP) g->paddle_width = 31.0f;
    if (touch.what == BREAKOUT_PADDLE) reference_hit_paddle(g);
    if (touch.what < 108) reward = reference_hit_brick(g, touch.what);
  }
  if (g->y > 320.0f) {
    g->balls -= 1;
    if (g->balls > 0) reference_start_round(g);
  }
  *over = g->balls == 0 || g->score == 864;
  return reward;
}

// ---- the textbook sweep --------------------------------------------------------------------------------

typedef struct Sweep {
  double time;
  bool sideways;
} Sweep;

// When the ball, moving from (x, y), enters the box; keeps the earlier contact.
static void sweep_box(Sweep* best, const Reference* g, double left, double top, double width, double height) {
  const double from[2] = {(double)g->x, (double)g->y}, velocity[2] = {(double)g->vx, (double)g->vy};
  const double low[2] = {left - 32.0, top - 32.0}, high[2] = {left + width, top + height};
  double enter[2], leave[2];
  for (int k = 0; k < 2; ++k) {
    const bool within = from[k] > low[k] && from[k] < high[k];
    if (velocity[k] == 0.0) enter[k] = within ? -1e9 : 1e9, leave[k] = within ? 1e9 : -1e9;
    if (velocity[k] > 0.0) enter[k] = (low[k] - from[k]) / velocity[k], leave[k] = (high[k] - from[k]) / velocity[k];
    if (velocity[k] < 0.0) enter[k] = (high[k] - from[k]) / velocity[k], leave[k] = (low[k] - from[k]) / velocity[k];
  }
  const double in = enter[0] > enter[1] ? enter[0] : enter[1], out = leave[0] < leave[1] ? leave[0] : leave[1];
  if (in >= 0.0 && in <= 1.0 && in < out && in < best->time) *best = (Sweep){in, enter[0] > enter[1]};
}

static Sweep sweep(const Reference* g, double grow) {
  Sweep best = {2.0, false};
  sweep_box(&best, g, -100.0, -1000.0, 100.0 + grow, 3000.0);
  sweep_box(&best, g, 576.0 - grow, -1000.0, 100.0, 3000.0);
  sweep_box(&best, g, -1000.0, -100.0, 3000.0, 100.0 + grow);
  if (g->vy > 0.0f && g->y <= 280.0f) {
    Sweep paddle = {2.0, false};
    sweep_box(&paddle, g, (double)g->paddle_x - grow, 312.0 - grow, (double)g->paddle_width + 2.0 * grow, 100.0);
    if (!paddle.sideways && paddle.time < best.time) best = paddle;
  }
  for (int i = 0; i < 108; ++i)
    if (!g->gone[i / 18][i % 18])
      sweep_box(&best, g, 32.0 * (i % 18) - grow, 50.0 + 12.0 * (i / 18) - grow, 32.0 + 2.0 * grow, 12.0 + 2.0 * grow);
  return best;
}

static unsigned long long clear_frames, unclear_frames;

// Checks one frame of `g` (paddle already moved) against the sweep, unless growing or shrinking all
// obstacles by 0.002 px changes the result.
static bool frame_is_physical(const Reference* before, const Touch* touch) {
  const Sweep small = sweep(before, -0.002), exact = sweep(before, 0.0), large = sweep(before, 0.002);
  const bool hit = exact.time <= 1.0;
  const bool clear = (small.time <= 1.0) == hit && (large.time <= 1.0) == hit && small.sideways == exact.sideways &&
                     large.sideways == exact.sideways && (!hit || small.time - large.time < 0.1);
  *(clear ? &clear_frames : &unclear_frames) += 1;
  if (!clear) return true;
  if (!hit || touch->what < 0) return !hit && touch->what < 0;
  const double x = (double)before->x + (double)before->vx * exact.time;
  const double y = (double)before->y + (double)before->vy * exact.time;
  return touch->sideways == exact.sideways && x - (double)touch->x < 0.01 && (double)touch->x - x < 0.01 &&
         y - (double)touch->y < 0.01 && (double)touch->y - y < 0.01;
}

#endif  // PUFFERC_TESTS_BREAKOUT_REFERENCE_H
