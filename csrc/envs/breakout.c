// breakout.c - bounce a ball off a paddle until two walls of bricks are gone. One agent.
//
// The world is 576 x 330 px, y down. The ball is a 32 x 32 square; brick columns are 32 px apart and
// rows 12. Positions are top left corners. Ball and bricks have fixed sizes, so the ball moves as a
// point among fixed lines: it can stop in x only at multiples of 32 (brick sides, side walls), in y
// only at undersides or tops of bricks, the top wall or the paddle. A frame moves it by less than 8 px,
// so it passes at most one line on each axis: the next one ahead.
//
// Details of the rules, chosen so that the ball never overlaps a brick, never leaves the world sideways
// and never gets stuck:
// - The paddle moves before the ball. Only its top is solid: a ball below it falls past.
// - A contact happens when the ball would pass a line, not when a frame ends on it.
// - The order in which lines are reached, not rounded positions, decides what the ball overlaps. So it
//   cannot slip into a brick whose corner it hits exactly; such a hit counts for the horizontal face.
// - Of equal overlaps on one line, the brick with the lower index is hit; of two lines, the horizontal face.
// - A paddle hit uses the current speed, then raises it. The ball always leaves upwards at 15 px/s or
//   more: the formula alone would send it level or down where it overhangs a narrow paddle.
#include "pufferc/env.h"

enum { BREAKOUT_ROWS = 6, BREAKOUT_COLUMNS = 18, BREAKOUT_BRICKS = BREAKOUT_ROWS * BREAKOUT_COLUMNS };
enum { BREAKOUT_STAY, BREAKOUT_LEFT, BREAKOUT_RIGHT };
enum { BREAKOUT_NOTHING = -1, BREAKOUT_SIDE = BREAKOUT_BRICKS, BREAKOUT_TOP, BREAKOUT_PADDLE };  // or a brick
enum { BREAKOUT_WALL_SCORE = 432, BREAKOUT_MAX_SCORE = 2 * BREAKOUT_WALL_SCORE };

#define BREAKOUT_FPS 60.0f
#define BREAKOUT_WIDTH 576.0f
#define BREAKOUT_HEIGHT 330.0f
#define BREAKOUT_BALL 32  // side of the ball
#define BREAKOUT_BRICK_WIDTH 32
#define BREAKOUT_BRICK_HEIGHT 12
#define BREAKOUT_BRICK_TOP 50  // top of row 0
#define BREAKOUT_PADDLE_Y 312.0f
#define BREAKOUT_PADDLE_WIDTH 62.0f
#define BREAKOUT_PADDLE_HEIGHT 8.0f
#define BREAKOUT_PADDLE_STEP (620.0f / BREAKOUT_FPS)  // px per frame
#define BREAKOUT_START_Y 135.0f
#define BREAKOUT_LOST_Y 320.0f
#define BREAKOUT_START_SPEED 256.0f  // px per second, like all speeds
#define BREAKOUT_SPEED_RISE 64.0f
#define BREAKOUT_MAX_SPEED 448.0f
#define BREAKOUT_MIN_CLIMB 15.0f  // upwards, after a paddle hit
#define BREAKOUT_OVERSHOOT (1.0f / 1024.0f)  // px; a line passed earlier in a frame is at least this far behind
// The ball's top left corner when it touches the right wall, the paddle, row 0 from below and from above.
#define BREAKOUT_MAX_X (BREAKOUT_WIDTH - BREAKOUT_BALL)
#define BREAKOUT_REST_Y (BREAKOUT_PADDLE_Y - BREAKOUT_BALL)
#define BREAKOUT_UNDERSIDE (BREAKOUT_BRICK_TOP + BREAKOUT_BRICK_HEIGHT)
#define BREAKOUT_TOPSIDE (BREAKOUT_BRICK_TOP - BREAKOUT_BALL)

#define BREAKOUT_PARAMS(X)                                                    \
  X(int, max_steps, 0, 0, PFC_MAX_STEPS, "steps until truncation; 0 = never") \
  X(int, frames_per_step, 4, 1, 64, "frames of 1/60 s per step")              \
  X(int, balls, 5, 1, 100, "balls per episode")                               \
  X(bool, continuous, 0, 0, 1, "the action is a paddle velocity in [-1, 1] instead of 0 stay, 1 left, 2 right")
PFC_DEFINE_PARAMS(breakout, BreakoutParams, BREAKOUT_PARAMS)

typedef struct Breakout {
  PfcRng rng;
  uint64_t gone[2];  // bit 18 * (r % 3) + c of gone[r / 3]: brick (r, c) is gone
  float ball_x, ball_y;
  float ball_vx, ball_vy;  // px per frame; both 0 = at rest before the first frame of a round
  float paddle_x, paddle_width;
  float speed;          // px per second, for the next paddle hit
  int32_t round_hits;   // paddle hits in this round
  int32_t balls;        // remaining, including the one in play
  int32_t balls_fired;  // in this episode
  int32_t score;
  int32_t bricks;       // broken in this episode
  int32_t paddle_hits;  // in this episode
} Breakout;

typedef struct BreakoutObs {
  float paddle_x, paddle_y, ball_x, ball_y, ball_vx, ball_vy;
  float balls_fired, score, balls_left, paddle_width;
  float gone[BREAKOUT_BRICKS];
} BreakoutObs;

static const PfcObsRow breakout_obs[] = {
    PFC_OBS("paddle_x", 1, 0, 1, "left end of the paddle; 576 px"),
    PFC_OBS("paddle_y", 1, 0, 1, "top of the paddle; 330 px"),
    PFC_OBS("ball_x", 1, 0, 1, "left side of the ball; 576 px"),
    PFC_OBS("ball_y", 1, 0, 1, "top of the ball; 330 px"),
    PFC_OBS("ball_vx", 1, -1, 1, "velocity to the right; 512 px/s"),
    PFC_OBS("ball_vy", 1, -1, 1, "velocity downwards; 512 px/s"),
    PFC_OBS("balls_fired", 1, 0, 20, "balls fired in this episode; 5 balls"),
    PFC_OBS("score", 1, 0, 1, "score; 864"),
    PFC_OBS("balls_left", 1, 0, 1, "balls left, including the one in play; the parameter balls"),
    PFC_OBS("paddle_width", 1, 0.5f, 1, "62 px"),
    PFC_OBS("gone", BREAKOUT_BRICKS, 0, 1, "1 = brick gone; row by row from the upper left"),
};

PFC_TABLE int32_t breakout_row_points[BREAKOUT_ROWS] = {7, 7, 4, 4, 1, 1};

// 1 << i. Loops that test these masks instead of shifting vectorise on every processor.
#define BREAKOUT_BITS4(i) 1u << (i), 2u << (i), 4u << (i), 8u << (i)
PFC_TABLE uint32_t breakout_bits[32] = {BREAKOUT_BITS4(0),  BREAKOUT_BITS4(4),  BREAKOUT_BITS4(8),  BREAKOUT_BITS4(12),
                                        BREAKOUT_BITS4(16), BREAKOUT_BITS4(20), BREAKOUT_BITS4(24), BREAKOUT_BITS4(28)};

// The bits of Breakout.gone for rows < i.
#define BREAKOUT_ROW_BITS(rows) (((uint64_t)1 << (18 * (rows))) - 1)
PFC_TABLE uint64_t breakout_rows_before[BREAKOUT_ROWS + 1][2] = {
    {0, 0}, {BREAKOUT_ROW_BITS(1), 0}, {BREAKOUT_ROW_BITS(2), 0}, {BREAKOUT_ROW_BITS(3), 0},
    {BREAKOUT_ROW_BITS(3), BREAKOUT_ROW_BITS(1)}, {BREAKOUT_ROW_BITS(3), BREAKOUT_ROW_BITS(2)},
    {BREAKOUT_ROW_BITS(3), BREAKOUT_ROW_BITS(3)}};

PFC_FN bool breakout_standing(const Breakout* s, int32_t row, int32_t column) {
  return ((s->gone[row >= 3] >> (18 * (row >= 3 ? row - 3 : row) + column)) & 1u) == 0;
}

PFC_FN float breakout_break(Breakout* s, int32_t brick) {
  const int32_t row = brick / BREAKOUT_COLUMNS, half = row >= 3;
  s->gone[half] |= (uint64_t)1 << (brick - 54 * half);
  s->score += breakout_row_points[row];
  s->bricks += 1;
  if (row < 3) s->speed = BREAKOUT_MAX_SPEED;
  return (float)breakout_row_points[row];
}

PFC_FN void breakout_start_round(Breakout* s) {
  s->paddle_width = BREAKOUT_PADDLE_WIDTH;
  s->paddle_x = 0.5f * (BREAKOUT_WIDTH - BREAKOUT_PADDLE_WIDTH);
  s->ball_x = s->paddle_x + 0.5f * (BREAKOUT_PADDLE_WIDTH - BREAKOUT_BALL);
  s->ball_y = BREAKOUT_START_Y;
  s->ball_vx = s->ball_vy = 0.0f;
  s->speed = BREAKOUT_START_SPEED;
  s->round_hits = 0;
}

PFC_FN void breakout_launch(Breakout* s) {
  float sine, cosine;
  pfc_sincosf(PFC_PI / 3.25f, &sine, &cosine);
  const float side = pfc_rng_below(&s->rng, 2) ? 1.0f : -1.0f, speed = s->speed / BREAKOUT_FPS;
  s->ball_vx = side * speed * sine;
  s->ball_vy = speed * cosine;
  s->balls_fired += 1;
}

PFC_FN float breakout_moved_paddle(float x, float move, float width) {
  return pfc_maxf(0.0f, pfc_minf(x + move, BREAKOUT_WIDTH - width));
}

PFC_FN void breakout_hit_paddle(Breakout* s) {
  const float relative = (s->ball_x + 0.5f * BREAKOUT_BALL - s->paddle_x) / s->paddle_width;
  float sine, cosine;
  pfc_sincosf(-0.25f * PFC_PI + relative * (0.5f * PFC_PI), &sine, &cosine);
  s->ball_vx = s->speed / BREAKOUT_FPS * sine;
  s->ball_vy = -pfc_maxf(s->speed * cosine, BREAKOUT_MIN_CLIMB) / BREAKOUT_FPS;
  s->paddle_hits += 1;
  s->round_hits += 1;
  if (s->round_hits % 4 == 0 && s->speed < BREAKOUT_MAX_SPEED) s->speed += BREAKOUT_SPEED_RISE;
  if (s->score == BREAKOUT_WALL_SCORE) s->gone[0] = s->gone[1] = 0;
}

// The next line ahead of the ball on one axis.
typedef struct BreakoutLine {
  float at;       // the ball's coordinate when it touches the line
  float time;     // fraction of the frame until it is reached; above 1 = not in this frame
  int32_t index;  // column or row of bricks behind it; out of range = a wall or the paddle
} BreakoutLine;

typedef struct BreakoutContact {
  int32_t what;
  float overlap;  // px
} BreakoutContact;

PFC_FN float breakout_line_time(float from, float velocity, float line) {
  const bool passed = velocity < 0.0f ? from + velocity < line : from + velocity > line;
  return passed ? pfc_minf((line - from) / velocity, 1.0f) : PFC_INFINITY;
}

PFC_FN BreakoutLine breakout_next_column(const Breakout* s) {
  const int32_t below = (int32_t)s->ball_x / 32, above = below + ((float)(32 * below) < s->ball_x);
  const bool leftwards = s->ball_vx < 0.0f;
  BreakoutLine line = {(float)(32 * (leftwards ? below : above)), 0.0f, leftwards ? below - 1 : above + 1};
  line.time = breakout_line_time(s->ball_x, s->ball_vx, line.at);
  return line;
}

PFC_FN BreakoutLine breakout_next_row(const Breakout* s) {
  const int32_t down = (int32_t)s->ball_y, up = down + ((float)down < s->ball_y);  // rounded down and up to whole px
  BreakoutLine line = {0.0f, 0.0f, 0};
  if (s->ball_vy < 0.0f) {  // the last underside at or above the ball's y, else the top wall
    line.index = pfc_clampi((down + 6 * 12 - BREAKOUT_UNDERSIDE) / 12 - 6, -1, BREAKOUT_ROWS - 1);
    line.at = line.index < 0 ? 0.0f : (float)(BREAKOUT_UNDERSIDE + 12 * line.index);
  } else {  // the first top at or below it, else the paddle
    line.index = pfc_clampi((up + 2 * 12 - 1 - BREAKOUT_TOPSIDE) / 12 - 1, 0, BREAKOUT_ROWS);
    line.at = line.index < BREAKOUT_ROWS ? (float)(BREAKOUT_TOPSIDE + 12 * line.index) : BREAKOUT_REST_Y;
    if (s->ball_y > line.at) line.at = PFC_INFINITY;  // the ball has fallen past the paddle
  }
  line.time = breakout_line_time(s->ball_y, s->ball_vy, line.at);
  return line;
}

// The ball's coordinate at `time`, placed on the correct side of its next line.
PFC_FN float breakout_at(float from, float velocity, float time, float line, bool passed) {
  const float at = from + velocity * time;
  if (velocity < 0.0f) return passed ? pfc_minf(at, line - BREAKOUT_OVERSHOOT) : pfc_maxf(at, line);
  return passed ? pfc_maxf(at, line + BREAKOUT_OVERSHOOT) : pfc_minf(at, line);
}

PFC_FN void breakout_touch_brick(const Breakout* s, int32_t row, int32_t column, float overlap, BreakoutContact* best) {
  if (overlap <= best->overlap || !breakout_standing(s, row, column)) return;
  best->what = row * BREAKOUT_COLUMNS + column;
  best->overlap = overlap;
}

// What a ball at height y touches at the vertical line of `column`.
PFC_FN BreakoutContact breakout_beside(const Breakout* s, int32_t column, float y) {
  BreakoutContact contact = {BREAKOUT_NOTHING, 0.0f}, wall = {BREAKOUT_SIDE, (float)BREAKOUT_BALL};
  if (column < 0 || column >= BREAKOUT_COLUMNS) return wall;
  for (int32_t row = 0; row < BREAKOUT_ROWS; ++row) {
    const float under = y - (float)(BREAKOUT_TOPSIDE + 12 * row), over = (float)(BREAKOUT_UNDERSIDE + 12 * row) - y;
    breakout_touch_brick(s, row, column, pfc_minf(pfc_minf(under, over), (float)BREAKOUT_BRICK_HEIGHT), &contact);
  }
  return contact;
}

// What a ball at x touches at the horizontal line of `row`.
PFC_FN BreakoutContact breakout_facing(const Breakout* s, int32_t row, float x) {
  BreakoutContact contact = {BREAKOUT_NOTHING, 0.0f}, wall = {BREAKOUT_TOP, (float)BREAKOUT_BALL};
  if (row < 0) return wall;
  if (row >= BREAKOUT_ROWS) {
    contact.overlap = pfc_minf(x + BREAKOUT_BALL, s->paddle_x + s->paddle_width) - pfc_maxf(x, s->paddle_x);
    if (contact.overlap > 0.0f) contact.what = BREAKOUT_PADDLE;
    return contact;
  }
  const int32_t first = (int32_t)x / 32;
  for (int32_t column = first; column <= first + 1; ++column) {
    const float before = x - (float)(32 * (column - 1)), after = (float)(32 * (column + 1)) - x;
    breakout_touch_brick(s, row, column, pfc_minf(before, after), &contact);
  }
  return contact;
}

// Moves the ball by one frame or to the first contact; returns what it touched.
PFC_FN int32_t breakout_move_ball(Breakout* s) {
  const BreakoutLine column = breakout_next_column(s), row = breakout_next_row(s);
  BreakoutContact side = {BREAKOUT_NOTHING, 0.0f}, face = {BREAKOUT_NOTHING, 0.0f};
  float side_y = 0.0f, face_x = 0.0f;
  if (column.time <= 1.0f) {
    side_y = breakout_at(s->ball_y, s->ball_vy, column.time, row.at, row.time < column.time);
    side = breakout_beside(s, column.index, side_y);
  }
  if (row.time <= 1.0f) {
    const bool passed = column.time <= row.time && side.what == BREAKOUT_NOTHING;
    face_x = breakout_at(s->ball_x, s->ball_vx, row.time, column.at, passed);
    face = breakout_facing(s, row.index, face_x);
  }
  const bool side_first = column.time < row.time || (column.time == row.time && side.overlap > face.overlap);
  const bool hit_side = side.what != BREAKOUT_NOTHING && (side_first || face.what == BREAKOUT_NOTHING);
  const bool hit_face = face.what != BREAKOUT_NOTHING && !hit_side;
  s->ball_x = hit_side ? column.at : hit_face ? face_x : s->ball_x + s->ball_vx;
  s->ball_y = hit_side ? side_y : hit_face ? row.at : s->ball_y + s->ball_vy;
  if (hit_side) s->ball_vx = -s->ball_vx;
  if (hit_face) s->ball_vy = -s->ball_vy;
  return hit_side ? side.what : face.what;
}

PFC_FN void breakout_frame(Breakout* s, float move, PfcIo io) {
  if (s->ball_vy == 0.0f)
    breakout_launch(s);
  else
    s->paddle_x = breakout_moved_paddle(s->paddle_x, move, s->paddle_width);
  const int32_t touched = breakout_move_ball(s);
  if (touched == BREAKOUT_PADDLE) breakout_hit_paddle(s);
  if (touched == BREAKOUT_TOP) s->paddle_width = 0.5f * BREAKOUT_PADDLE_WIDTH;
  if (touched >= 0 && touched < BREAKOUT_BRICKS) io.rewards[0] += breakout_break(s, touched);
  if (s->ball_y > BREAKOUT_LOST_Y && --s->balls > 0) breakout_start_round(s);
  io.terminated[0] = s->balls == 0 || s->score == BREAKOUT_MAX_SCORE;
}

// True if the ball may hit a brick on its straight way to (x, y). May be true for a brick next to its way.
PFC_FN bool breakout_bricks_near(const Breakout* s, float x, float y) {
  const float x_low = pfc_maxf(0.0f, pfc_minf(x, s->ball_x));
  const float x_high = pfc_minf(BREAKOUT_MAX_X, pfc_maxf(x, s->ball_x));
  const float y_low = pfc_minf(y, s->ball_y), y_high = pfc_maxf(y, s->ball_y);
  const uint32_t first_column = (uint32_t)(int32_t)x_low / 32u, last_column = (uint32_t)(int32_t)x_high / 32u + 1u;
  const float first_y = pfc_clampf(y_low, BREAKOUT_UNDERSIDE - 12, BREAKOUT_UNDERSIDE + 60);
  const float end_y = pfc_clampf(y_high, BREAKOUT_TOPSIDE - 12, BREAKOUT_TOPSIDE + 60);
  const uint64_t* before = breakout_rows_before[(uint32_t)((int32_t)first_y - (BREAKOUT_UNDERSIDE - 12)) / 12u];
  const uint64_t* end = breakout_rows_before[(uint32_t)((int32_t)end_y - (BREAKOUT_TOPSIDE - 12)) / 12u];
  const uint64_t columns = (2ull << last_column) - (1ull << first_column);
  const uint64_t standing = ((before[0] ^ end[0]) & ~s->gone[0]) | ((before[1] ^ end[1]) & ~s->gone[1]);
  return (standing & (columns | columns << 18 | columns << 36)) != 0;
}

// Plays a whole step at once if the ball cannot touch anything (five of six steps), else returns false. It
// flies straight, so everything it passes is in the box between its first and last position.
PFC_FN bool breakout_glide(Breakout* s, float move, int32_t frames) {
  float x = s->ball_x, y = s->ball_y, paddle_x = s->paddle_x;
  for (int32_t frame = 0; frame < frames; ++frame) {
    x += s->ball_vx;
    y += s->ball_vy;
    paddle_x = breakout_moved_paddle(paddle_x, move, s->paddle_width);
  }
  const float lowest = s->ball_y > BREAKOUT_REST_Y ? BREAKOUT_LOST_Y : BREAKOUT_REST_Y;
  const bool inside = (x >= 0.0f) & (x <= BREAKOUT_MAX_X) & (y >= 0.0f) & (y <= lowest);
  const bool near = breakout_bricks_near(s, x, y), rest = s->ball_vy == 0.0f;
  if (!inside | near | rest) return false;
  s->ball_x = x;
  s->ball_y = y;
  s->paddle_x = paddle_x;
  return true;
}

PFC_FN void breakout_play(Breakout* s, float move, int32_t frames, PfcIo io) {
  for (int32_t frame = 0; frame < frames && !io.terminated[0]; ++frame) breakout_frame(s, move, io);
}

PFC_FN void breakout_reset(Breakout* s, const BreakoutParams* p) {
  s->balls = p->balls;
  breakout_start_round(s);
}

// Inlined, because gcc would otherwise inline breakout_play into the loop over games in its place.
__attribute__((always_inline)) PFC_FN void breakout_step(Breakout* s, const BreakoutParams* p, PfcIo io) {
  const float way = p->continuous ? io.controls[0]
                                  : (float)((io.actions[0] == BREAKOUT_RIGHT) - (io.actions[0] == BREAKOUT_LEFT));
  const float move = way * BREAKOUT_PADDLE_STEP;
  // The default count as a constant, so that the loop unrolls.
  const int32_t frames = p->frames_per_step;
  const bool glided = frames == 4 ? breakout_glide(s, move, 4) : breakout_glide(s, move, frames);
  if (!glided) breakout_play(s, move, frames, io);
}

PFC_FN void breakout_expand(uint32_t word, int32_t count, float* flags) {
  for (int32_t i = 0; i < count; ++i) flags[i] = (word & breakout_bits[i]) ? 1.0f : 0.0f;
}

PFC_FN void breakout_observe(const Breakout* s, const BreakoutParams* p, int32_t agent, BreakoutObs* obs) {
  (void)agent;
  obs->paddle_x = s->paddle_x * (1.0f / BREAKOUT_WIDTH);
  obs->paddle_y = BREAKOUT_PADDLE_Y / BREAKOUT_HEIGHT;
  obs->ball_x = s->ball_x * (1.0f / BREAKOUT_WIDTH);
  obs->ball_y = s->ball_y * (1.0f / BREAKOUT_HEIGHT);
  obs->ball_vx = s->ball_vx * (BREAKOUT_FPS / 512.0f);
  obs->ball_vy = s->ball_vy * (BREAKOUT_FPS / 512.0f);
  obs->balls_fired = (float)s->balls_fired * 0.2f;
  obs->score = (float)s->score * (1.0f / BREAKOUT_MAX_SCORE);
  obs->balls_left = (float)s->balls / (float)p->balls;
  obs->paddle_width = s->paddle_width * (1.0f / BREAKOUT_PADDLE_WIDTH);
  const uint64_t first = s->gone[0] | s->gone[1] << 54, last = s->gone[1] >> 10;  // flags 0 .. 63, 64 .. 107
  breakout_expand((uint32_t)first, 32, obs->gone);
  breakout_expand((uint32_t)(first >> 32), 32, obs->gone + 32);
  breakout_expand((uint32_t)last, 32, obs->gone + 64);
  breakout_expand((uint32_t)(last >> 32), 12, obs->gone + 96);
}

PFC_FN void breakout_metrics(const Breakout* s, const BreakoutParams* p, int32_t agent, float* values) {
  (void)p, (void)agent;
  values[0] = (float)s->score, values[1] = (float)s->score / BREAKOUT_MAX_SCORE;
  values[2] = (float)s->bricks;
  values[3] = (float)s->paddle_hits;
}

// ---- drawing ----------------------------------------------------------------------------------------
//
// The picture uses the units of the world, 576 x 330 px.

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

// Draws the ball with a fading trail.
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
  d->rect(d->context, 0.0f, 0.0f, BREAKOUT_WIDTH, 1.5f, pfc_rgb(PFC_LINE));  // the top wall; the bottom is open
  pfc_draw_count(d, 14.0f, 11.0f, 28.0f, true, s->score, "points");
  for (int32_t i = 0; i < pfc_mini(s->balls, 10); ++i)
    d->circle(d->context, BREAKOUT_WIDTH - 20.0f - 17.0f * (float)i, 25.0f, 5.5f,
              pfc_rgb(i == 0 ? 0xf7c873 : 0x8f784f));
  breakout_draw_bricks(s, d);
  d->rounded_rect(d->context, s->paddle_x, BREAKOUT_PADDLE_Y, s->paddle_width, BREAKOUT_PADDLE_HEIGHT, 4.0f,
                  pfc_rgb(PFC_INK));
  breakout_draw_ball(s, d);
  d->end(d->context);
}

static void breakout_layout(const void* params, PfcLayout* sizes) {
  if (!((const BreakoutParams*)params)->continuous) return;
  sizes->action_counts[0] = 0;
  sizes->continuous_dims = 1;
}

static const PfcKeyBinding breakout_keys[] = {
    PFC_BIND_PUSH("left a", "left", 1, 0, -1.0f),
    PFC_BIND_PUSH("right d", "right", 2, 0, 1.0f),
};

PFC_DEFINE_ENV(breakout, Breakout,
               .title = "Breakout",
               .summary = "bounce a ball off a paddle until two walls of bricks are gone",
               .version = 1,
               .obs_dtype = PFC_FLOAT32,
               .sizes = {.action_counts = {3}},
               .layout = breakout_layout,
               .obs_rows = breakout_obs,
               .num_obs_rows = sizeof breakout_obs / sizeof breakout_obs[0],
               .metrics = {"score", "perf", "bricks", "paddle_hits"},
               .fps = 60,
               .keys = breakout_keys,
               .num_keys = sizeof breakout_keys / sizeof breakout_keys[0])
