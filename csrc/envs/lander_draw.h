// lander_draw.h - how the Lander looks: night sky, stars, moonscape, flags, rocket and flames. Part of lander.c.
//
// Drawn in pixels, 600 x 400, y down: a point of the world is scaled and turned over on its way to the screen.
#ifndef PUFFERC_ENVS_LANDER_DRAW_H
#define PUFFERC_ENVS_LANDER_DRAW_H

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

static PfcColor lander_faint(uint32_t rgb, uint8_t alpha) {
  PfcColor color = pfc_rgb(rgb);
  color.a = alpha;
  return color;
}

static void lander_draw_sky(const PfcDraw* d) {
  enum { BANDS = 16, STARS = 70 };
  for (int32_t i = 0; i < BANDS; ++i) {  // a glow that grows towards the horizon
    const float height = LANDER_VIEW_HEIGHT / BANDS;
    d->rect(d->context, 0.0f, height * (float)i, LANDER_VIEW_WIDTH, height, lander_faint(0x35406b, (uint8_t)(i * 9)));
  }
  for (uint64_t i = 0; i < STARS; ++i) {
    const uint64_t noise = pfc_hash64(i);
    const float x = (float)(noise % 600), y = (float)(noise >> 16 & 0xffff) * (LANDER_VIEW_HEIGHT / 65536.0f);
    const float radius = 0.5f + (float)(noise >> 40 & 3) * 0.25f;
    d->circle(d->context, x, y, radius, lander_faint(0xdfe6ff, (uint8_t)(90 + (noise >> 48 & 127))));
  }
  d->circle(d->context, 512.0f, 62.0f, 25.0f, pfc_rgb(0x4f7fb8));  // the earth
  d->circle(d->context, 517.0f, 58.0f, 17.5f, lander_faint(0x86b6df, 110));
  d->circle(d->context, 506.0f, 70.0f, 8.0f, lander_faint(0x6fae7d, 150));
}

static void lander_draw_ground(const Lander* s, const PfcDraw* d) {
  for (int32_t i = 0; i + 1 < LANDER_CHUNKS; ++i) {
    const float x0 = LANDER_SCALE * lander_ground_x(i), x1 = LANDER_SCALE * lander_ground_x(i + 1);
    const float y0 = LANDER_VIEW_HEIGHT - LANDER_SCALE * s->ground[i];
    const float y1 = LANDER_VIEW_HEIGHT - LANDER_SCALE * s->ground[i + 1];
    const PfcPoint near[4] = {{x0, y0}, {x1, y1}, {x1, LANDER_VIEW_HEIGHT}, {x0, LANDER_VIEW_HEIGHT}};
    const PfcPoint deep[4] = {{x0, pfc_minf(y0 + 14.0f, 400.0f)}, {x1, pfc_minf(y1 + 14.0f, 400.0f)},
                              {x1, LANDER_VIEW_HEIGHT}, {x0, LANDER_VIEW_HEIGHT}};
    d->polygon(d->context, near, 4, pfc_rgb(0x9aa0ad));
    d->polygon(d->context, deep, 4, pfc_rgb(0x757b89));
    d->line(d->context, x0, y0, x1, y1, 2.0f, pfc_rgb(0xd5d9e2));
  }
}

static void lander_draw_pad(const PfcDraw* d) {
  const float left = LANDER_SCALE * lander_ground_x(LANDER_CHUNKS / 2 - 1);
  const float right = LANDER_SCALE * lander_ground_x(LANDER_CHUNKS / 2 + 1);
  const float y = LANDER_VIEW_HEIGHT - LANDER_SCALE * LANDER_PAD_Y * 0.99f;  // as the smoothing leaves it
  d->line(d->context, left, y, right, y, 4.0f, pfc_rgb(0xf2b134));
  for (int32_t i = 0; i < 2; ++i) {
    const float x = i == 0 ? left : right;
    const PfcPoint flag[3] = {{x, y - 48.0f}, {x, y - 34.0f}, {x + 24.0f, y - 41.0f}};
    d->line(d->context, x, y, x, y - 49.0f, 2.0f, pfc_rgb(0xe8ebf2));
    d->polygon(d->context, flag, 3, pfc_rgb(0xf2b134));
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
    lander_fill(d, f, corners, 4, lander_faint(colors[i], 225));
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

static void lander_draw(const Lander* s, const LanderParams* p, const PfcDraw* d) {
  (void)p;
  const LanderFrame hull = lander_frame(s->bodies.hull);
  char text[48];
  d->begin(d->context, LANDER_VIEW_WIDTH, LANDER_VIEW_HEIGHT, pfc_rgb(0x0b0e1a));
  lander_draw_sky(d);
  lander_draw_ground(s, d);
  lander_draw_pad(d);
  lander_draw_flames(s, d, hull);
  for (int32_t leg = 0; leg < 2; ++leg) lander_draw_leg(s, d, hull, leg);
  lander_draw_hull(d, hull);
  snprintf(text, sizeof text, "height %5.1f m", (double)(s->seen.y * LANDER_HEIGHT / 2.0f));
  d->text(d->context, 14.0f, 12.0f, 16.0f, text, pfc_rgb(0xe8ebf2));
  snprintf(text, sizeof text, "speed %6.1f m/s", (double)(s->seen.vy * LANDER_FPS / (LANDER_HEIGHT / 2.0f)));
  d->text(d->context, 14.0f, 32.0f, 16.0f, text, pfc_rgb(0x8a93a8));
  d->end(d->context);
}

#endif  // PUFFERC_ENVS_LANDER_DRAW_H
