// lander_draw.h - how the Lander looks: night sky, earth, moonscape, flags, rocket and flames. Part of lander.c.
//
// Drawn in pixels, 600 x 400, y down: a point of the world is scaled and turned over on its way to the screen.
#ifndef PUFFERC_ENVS_LANDER_DRAW_H
#define PUFFERC_ENVS_LANDER_DRAW_H

#define LANDER_VIEW_BEYOND 2000.0f  // by which sky and land go on outside the world, in pictures of other proportions

typedef struct LanderFrame {
  b2Vec2 at;
  b2Rot turn;
} LanderFrame;

static LanderFrame lander_frame(b2BodyId body) {
  const LanderFrame frame = {b2Body_GetPosition(body), b2Body_GetRotation(body)};
  return frame;
}

// (x, y): pixels in a body's own axes, y up.
static PfcPoint lander_pixel(LanderFrame f, float x, float y) {
  PfcPoint pixel;
  pixel.x = LANDER_SCALE * f.at.x + f.turn.c * x - f.turn.s * y;
  pixel.y = LANDER_VIEW_HEIGHT - (LANDER_SCALE * f.at.y + f.turn.s * x + f.turn.c * y);
  return pixel;
}

// A filled convex shape of at most eight corners given in a body's own axes, in pixels.
static void lander_fill(const PfcDraw* d, LanderFrame f, const float (*corners)[2], int32_t count, PfcColor color) {
  PfcPoint points[8];
  for (int32_t i = 0; i < count; ++i) points[i] = lander_pixel(f, corners[i][0], corners[i][1]);
  d->polygon(d->context, points, count, color);
}

// A flat ellipse about (x, y).
static void lander_ellipse(const PfcDraw* d, float x, float y, float half_width, float half_height, PfcColor color) {
  enum { CORNERS = 20 };
  PfcPoint points[CORNERS];
  for (int32_t i = 0; i < CORNERS; ++i) {
    float sine, cosine;
    pfc_sincosf(2.0f * PFC_PI * (float)i / CORNERS, &sine, &cosine);
    points[i].x = x + half_width * cosine, points[i].y = y + half_height * sine;
  }
  d->polygon(d->context, points, CORNERS, color);
}

// A planet of which a little more than half is lit: a half disc whose straight side bulges into the night.
static void lander_draw_earth(const PfcDraw* d, float x, float y, float radius) {
  enum { ARC = 24 };
  static const float land[4][4] = {{-9, -9, 7, 4}, {-8, 7, 4, 7}, {4, -14, 5, 3}, {-17, 0, 3, 4}};
  PfcPoint lit[2 * ARC];
  for (int32_t i = 0; i < 2 * ARC; ++i) {
    float sine, cosine;
    pfc_sincosf(PFC_PI * (0.5f + (float)i / ARC), &sine, &cosine);
    const float across = radius * cosine * (i < ARC ? 1.0f : 0.35f), along = radius * sine;
    lit[i].x = x + 0.93f * across - 0.37f * along, lit[i].y = y + 0.37f * across + 0.93f * along;  // tilted by 22 degrees
  }
  d->circle(d->context, x, y, radius + 5.0f, pfc_tint(0x4f7fb8, 22));
  d->circle(d->context, x, y, radius, pfc_rgb(0x16233c));
  d->polygon(d->context, lit, 2 * ARC, pfc_rgb(0x4a86c5));
  for (int32_t i = 0; i < 4; ++i)
    lander_ellipse(d, x + land[i][0], y + land[i][1], land[i][2], land[i][3], pfc_tint(0x7fb98a, 190));
}

static void lander_draw_sky(const PfcDraw* d) {
  enum { BANDS = 20, STARS = 90 };
  const float beyond = LANDER_VIEW_BEYOND, height = LANDER_VIEW_HEIGHT / BANDS;
  for (int32_t i = 1; i < BANDS; ++i) {  // a glow that grows towards the horizon
    PfcColor color = pfc_rgb(0x0b0e1a);
    color.r = (uint8_t)(color.r + i), color.g = (uint8_t)(color.g + 5 * i / 4), color.b = (uint8_t)(color.b + 2 * i);
    d->rect(d->context, -beyond, height * (float)i, LANDER_VIEW_WIDTH + 2.0f * beyond, height, color);
  }
  for (uint64_t i = 0; i < STARS; ++i) {
    const uint64_t noise = pfc_hash64(i);
    const float x = (float)(noise % 800) - 100.0f, y = (float)(noise >> 16 & 0xffff) * (400.0f / 65536.0f) - 100.0f;
    const float radius = 0.6f + (float)(noise >> 40 & 3) * 0.25f;
    if (y > 10.0f && y < 72.0f && (x < 230.0f || x > 430.0f)) continue;  // figures stand here
    d->circle(d->context, x, y, radius, pfc_tint(0xdfe6ff, (uint8_t)(90 + (noise >> 48 & 127))));
  }
}

// The land from a slope, (x0, y0) to (x1, y1), down to `low`. It goes on a little to the right, never above the next slope,
// which ends at y2: pieces that overlap leave no seam between them.
static void lander_fill_slope(const PfcDraw* d, float x0, float y0, float x1, float y1, float y2, float low,
                              PfcColor color) {
  const float over = 10.0f, slope = over / (x1 - x0);
  const float end = pfc_maxf(y1 + slope * (y1 - y0), y1 + slope * (y2 - y1));
  const PfcPoint points[5] = {{x0, y0}, {x1, y1}, {x1 + over, end}, {x1 + over, low}, {x0, low}};
  d->polygon(d->context, points, 5, color);
}

// A chain of slopes over evenly spread heights, moved down by `depth`, which goes on level beyond both ends. What lies
// below all of it is a rectangle, which is quicker.
static void lander_fill_chain(const PfcDraw* d, const float* y, int32_t count, float depth, PfcColor color) {
  const float beyond = LANDER_VIEW_BEYOND, width = LANDER_VIEW_WIDTH, step = width / (float)(count - 1);
  float low = y[0] + depth;
  for (int32_t i = 1; i < count; ++i) low = pfc_maxf(low, y[i] + depth);
  for (int32_t i = 0; i + 1 < count; ++i)
    lander_fill_slope(d, step * (float)i, y[i] + depth, step * (float)(i + 1), y[i + 1] + depth,
                      y[pfc_mini(i + 2, count - 1)] + depth, low + 12.0f, color);
  d->rect(d->context, -beyond, y[0] + depth, beyond, low - y[0] - depth + 1.0f, color);
  d->rect(d->context, width, y[count - 1] + depth, beyond, low - y[count - 1] - depth + 1.0f, color);
  d->rect(d->context, -beyond, low, width + 2.0f * beyond, beyond, color);
}

static void lander_draw_hills(const PfcDraw* d) {
  enum { HILLS = 23 };
  for (int32_t layer = 0; layer < 2; ++layer) {
    float y[HILLS];
    for (int32_t i = 0; i < HILLS; ++i)
      y[i] = 236.0f + 34.0f * (float)layer + (float)(pfc_hash64((uint64_t)(100 * (layer + 1) + i)) % 44);
    lander_fill_chain(d, y, HILLS, 0.0f, pfc_rgb(layer == 0 ? 0x252c49 : 0x333a56));
  }
}

static void lander_draw_ground(const Lander* s, const PfcDraw* d) {
  const float beyond = LANDER_VIEW_BEYOND;
  float y[LANDER_CHUNKS];
  for (int32_t i = 0; i < LANDER_CHUNKS; ++i) y[i] = LANDER_VIEW_HEIGHT - LANDER_SCALE * s->ground[i];
  lander_fill_chain(d, y, LANDER_CHUNKS, 0.0f, pfc_rgb(0xa6acb9));
  lander_fill_chain(d, y, LANDER_CHUNKS, 7.0f, pfc_rgb(0x878d9c));
  lander_fill_chain(d, y, LANDER_CHUNKS, 26.0f, pfc_rgb(0x6f7585));
  for (int32_t i = 0; i + 1 < LANDER_CHUNKS; ++i) {
    const float x0 = LANDER_SCALE * lander_ground_x(i), x1 = LANDER_SCALE * lander_ground_x(i + 1);
    const uint64_t noise = pfc_hash64((uint64_t)i + 7);
    const float x = x0 + 10.0f + (float)(noise % 40), depth = 44.0f + (float)(noise >> 8 & 31);
    const float half = 9.0f + (float)(noise >> 16 & 15), at = pfc_maxf(y[i], y[i + 1]) + depth;
    lander_ellipse(d, x, at + 1.5f, half, 0.28f * half, pfc_rgb(0x7d8393));  // a crater's lit rim, then its shade
    lander_ellipse(d, x, at, half, 0.26f * half, pfc_rgb(0x5b6172));
    d->line(d->context, x0, y[i], x1, y[i + 1], 2.0f, pfc_rgb(0xd5d9e2));
  }
  d->line(d->context, -beyond, y[0], 0.0f, y[0], 2.0f, pfc_rgb(0xd5d9e2));
  d->line(d->context, LANDER_VIEW_WIDTH, y[LANDER_CHUNKS - 1], LANDER_VIEW_WIDTH + beyond, y[LANDER_CHUNKS - 1], 2.0f,
          pfc_rgb(0xd5d9e2));
}

static void lander_draw_pad(const PfcDraw* d) {
  const float left = LANDER_SCALE * lander_ground_x(LANDER_CHUNKS / 2 - 1);
  const float right = LANDER_SCALE * lander_ground_x(LANDER_CHUNKS / 2 + 1);
  const float y = LANDER_VIEW_HEIGHT - LANDER_SCALE * LANDER_PAD_Y * 0.99f;  // as the smoothing leaves it
  d->line(d->context, left, y, right, y, 4.0f, pfc_rgb(PFC_GOAL));
  for (int32_t i = 0; i < 2; ++i) {
    const float x = i == 0 ? left : right;
    const PfcPoint flag[3] = {{x, y - 48.0f}, {x, y - 34.0f}, {x + 24.0f, y - 41.0f}};
    d->line(d->context, x, y, x, y - 49.0f, 2.0f, pfc_rgb(PFC_INK));
    d->polygon(d->context, flag, 3, pfc_rgb(PFC_GOAL));
  }
}

// A tongue of fire from (x, y) in direction (dx, dy), all in the hull's axes; longer with more power. Its flicker is a
// function of where the rocket is, so that a picture of a state is always the same.
static void lander_draw_flame(const PfcDraw* d, LanderFrame f, b2Vec2 from, b2Vec2 along, float width, float length) {
  static const uint32_t colors[3] = {0xe5484d, 0xf2793b, 0xfff1c4};
  const uint64_t noise = pfc_hash64((uint64_t)pfc_float_bits(f.at.x) << 32 | pfc_float_bits(f.at.y));
  const float flicker = 0.85f + 0.3f * (float)(noise >> 40) * (1.0f / 16777216.0f);
  for (int32_t i = 0; i < 3; ++i) {
    const float share = 1.0f - 0.3f * (float)i, w = 0.5f * width * share, l = length * flicker * share;
    const float waist = 0.45f * l, half = 0.8f * w;
    const float corners[4][2] = {{from.x - along.y * w, from.y + along.x * w},
                                 {from.x + along.x * waist - along.y * half, from.y + along.y * waist + along.x * half},
                                 {from.x + along.x * l, from.y + along.y * l},
                                 {from.x + along.y * w, from.y - along.x * w}};
    lander_fill(d, f, corners, 4, pfc_tint(colors[i], 225));
  }
}

static void lander_draw_flames(const Lander* s, const PfcDraw* d, LanderFrame hull) {
  const b2Vec2 nozzle = {0.0f, -13.0f}, down = {0.0f, -1.0f};
  if (s->main_power > 0.0f) lander_draw_flame(d, hull, nozzle, down, 11.0f, 34.0f * s->main_power);
  if (s->side_power == 0.0f) return;
  const float out = s->side_power > 0.0f ? -1.0f : 1.0f;  // the right engine's plume is on the left of the hull
  const b2Vec2 vent = {17.0f * out, 11.0f}, outward = {out, 0.0f};
  lander_draw_flame(d, hull, vent, outward, 6.0f, 17.0f * pfc_absf(s->side_power));
}

static void lander_draw_leg(const Lander* s, const PfcDraw* d, LanderFrame hull, int32_t leg) {
  const float side = leg == 0 ? 1.0f : -1.0f;
  const LanderFrame f = lander_frame(s->bodies.legs[leg]);
  const PfcPoint hip = lander_pixel(hull, 11.0f * side, -6.0f), knee = lander_pixel(f, 0.0f, 3.0f);
  static const float strut[4][2] = {{-2, -8}, {2, -8}, {2, 8}, {-2, 8}};
  static const float foot[4][2] = {{-5, -8}, {5, -8}, {4, -5.5f}, {-4, -5.5f}};
  d->line(d->context, hip.x, hip.y, knee.x, knee.y, 2.5f, pfc_rgb(0x7d8598));
  lander_fill(d, f, strut, 4, pfc_rgb(0xaab2c5));
  lander_fill(d, f, foot, 4, s->seen.contacts[leg] > 0.0f ? pfc_rgb(0x5fb96c) : pfc_rgb(0xaab2c5));
}

static void lander_draw_hull(const PfcDraw* d, LanderFrame f) {
  static const float nozzle[4][2] = {{-4, -9}, {4, -9}, {7, -14}, {-7, -14}};
  static const float lower[4][2] = {{-17, 0}, {-17, -10}, {17, -10}, {17, 0}};
  static const float upper[4][2] = {{-14, 17}, {-17, 0}, {17, 0}, {14, 17}};
  static const float shade[4][2] = {{6, 17}, {8, 0}, {17, 0}, {14, 17}};
  lander_fill(d, f, nozzle, 4, pfc_rgb(0x59607a));
  lander_fill(d, f, lower, 4, pfc_rgb(0xd79b3c));
  lander_fill(d, f, upper, 4, pfc_rgb(0xe8ebf2));
  lander_fill(d, f, shade, 4, pfc_rgb(0xc3c9d8));
  const PfcPoint window = lander_pixel(f, -2.0f, 8.5f);
  const PfcPoint left = lander_pixel(f, -17.0f, 0.0f), right = lander_pixel(f, 17.0f, 0.0f);
  d->line(d->context, left.x, left.y, right.x, right.y, 1.5f, pfc_rgb(0x8a6424));
  d->circle(d->context, window.x, window.y, 5.0f, pfc_rgb(0x59607a));
  d->circle(d->context, window.x, window.y, 3.6f, pfc_rgb(0x3fb6d3));
}

static void lander_draw_figures(const Lander* s, const PfcDraw* d) {
  const float right = LANDER_VIEW_WIDTH - 24.0f;
  const float height = s->seen.y * LANDER_HEIGHT / 2.0f, climb = s->seen.vy * LANDER_FPS / (LANDER_HEIGHT / 2.0f);
  pfc_draw_count(d, 24.0f, 20.0f, 30.0f, true, (int32_t)d->episode_return, "points");
  pfc_draw_measure(d, right, 20.0f, 20.0f, false, height, false, "m high  ");
  pfc_draw_measure(d, right, 44.0f, 20.0f, false, climb, true, "m/s     ");
}

static void lander_draw(const Lander* s, const LanderParams* p, const PfcDraw* d) {
  (void)p;
  const LanderFrame hull = lander_frame(s->bodies.hull);
  d->begin(d->context, LANDER_VIEW_WIDTH, LANDER_VIEW_HEIGHT, pfc_rgb(0x0b0e1a));
  lander_draw_sky(d);
  lander_draw_earth(d, 500.0f, 118.0f, 24.0f);
  lander_draw_hills(d);
  lander_draw_ground(s, d);
  lander_draw_pad(d);
  lander_draw_flames(s, d, hull);
  for (int32_t leg = 0; leg < 2; ++leg) lander_draw_leg(s, d, hull, leg);
  lander_draw_hull(d, hull);
  lander_draw_figures(s, d);
  d->end(d->context);
}

#endif  // PUFFERC_ENVS_LANDER_DRAW_H
