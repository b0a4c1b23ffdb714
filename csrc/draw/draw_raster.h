// draw_raster.h - fills triangles and blocks of pixels in memory, with soft alpha. What draw_shapes.h makes of shapes
// are many triangles of a few pixels each; a general renderer's transforms, clipping and colour per corner cost ten
// times as much as the pixels.
//
// A canvas is RGBA bytes [height, width, 4], the bottom row first, as OpenGL has them; its memory is the caller's. x
// goes right and y down, from the upper left corner of the picture; pixel (i, j) has its centre at (i + 0.5, j + 0.5).
// Every pixel stays opaque. Two triangles that share an edge leave no gap there and cover no pixel twice.
#ifndef PUFFERC_DRAW_RASTER_H
#define PUFFERC_DRAW_RASTER_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "pufferc/draw.h"

typedef struct Canvas {
  uint8_t* pixels;
  int32_t width, height;
  int32_t left, top, right, bottom;  // only pixels in here are drawn; within the canvas
} Canvas;

typedef struct Corner {
  float x, y, alpha;  // alpha in [0, 255]
} Corner;

static inline int clamp_int(int value, int low, int high) { return value < low ? low : value > high ? high : value; }

static void canvas_clip(Canvas* c, int left, int top, int right, int bottom) {
  c->left = clamp_int(left, 0, c->width), c->right = clamp_int(right, 0, c->width);
  c->top = clamp_int(top, 0, c->height), c->bottom = clamp_int(bottom, 0, c->height);
}

static inline uint32_t pack_color(PfcColor color) {
  const uint8_t bytes[4] = {color.r, color.g, color.b, 255};
  uint32_t packed;
  memcpy(&packed, bytes, sizeof packed);
  return packed;
}

// Two channels at once: `over` weighs a, `under` 255 - a; both hold one in each 16 bits. Rounded.
static inline uint32_t mix_lanes(uint32_t over, uint32_t under, uint32_t a) {
  const uint32_t sum = over * a + under * (255 - a) + 0x00800080u;
  return (sum + (sum >> 8 & 0x00ff00ffu)) >> 8 & 0x00ff00ffu;
}

static inline uint32_t mix(uint32_t over, uint32_t under, uint32_t a) {
  const uint32_t lanes = 0x00ff00ffu;
  return mix_lanes(over & lanes, under & lanes, a) | mix_lanes(over >> 8 & lanes, under >> 8 & lanes, a) << 8;
}

static inline uint32_t* canvas_row(const Canvas* c, int y) {
  return (uint32_t*)(void*)c->pixels + (size_t)c->width * (size_t)(c->height - 1 - y);
}

static inline void fill_span(uint32_t* pixels, int count, uint32_t color, uint32_t a) {
  if (a >= 255)
    for (int i = 0; i < count; ++i) pixels[i] = color;
  else
    for (int i = 0; i < count; ++i) pixels[i] = mix(color, pixels[i], a);
}

// Alpha changes by `slope` from pixel to pixel and stays within [low, high].
static inline void fade_span(uint32_t* pixels, int count, uint32_t color, float alpha, float slope, float low,
                             float high) {
  for (int i = 0; i < count; ++i) {
    const float a = alpha + slope * (float)i, bounded = a > low ? a < high ? a : high : low;
    pixels[i] = mix(color, pixels[i], (uint32_t)(int32_t)(bounded + 0.5f));
  }
}

// Whole pixels [x0, x1) x [y0, y1).
static void raster_block(const Canvas* c, int x0, int y0, int x1, int y1, PfcColor color, float alpha) {
  x0 = clamp_int(x0, c->left, c->right), x1 = clamp_int(x1, c->left, c->right);
  y0 = clamp_int(y0, c->top, c->bottom), y1 = clamp_int(y1, c->top, c->bottom);
  const uint32_t packed = pack_color(color), a = (uint32_t)(alpha + 0.5f);
  for (int y = y0; y < y1; ++y) fill_span(canvas_row(c, y) + x0, x1 - x0, packed, a);
}

// The first pixel whose centre is not before `position`, at most `high` and at least `low`.
static inline int first_pixel(float position, int low, int high) {
  const float at = position - 0.5f;
  if (!(at > (float)low)) return low;
  if (at >= (float)high) return high;
  const int whole = (int)at;
  return whole + (at > (float)whole);
}

// Where the edge from a down to b is at height y. Both triangles at an edge compute it from the same end.
static inline float edge_at(const Corner* a, const Corner* b, float y) {
  return a->x + (y - a->y) * ((b->x - a->x) / (b->y - a->y));
}

static inline void order(const Corner** a, const Corner** b) {
  if ((*a)->y <= (*b)->y) return;
  const Corner* swapped = *a;
  *a = *b, *b = swapped;
}

static void raster_triangle(const Canvas* c, const Corner corners[3], PfcColor color) {
  const Corner *p = &corners[0], *q = &corners[1], *r = &corners[2];
  order(&p, &q), order(&q, &r), order(&p, &q);
  const int first = first_pixel(p->y, c->top, c->bottom), last = first_pixel(r->y, c->top, c->bottom);
  if (first >= last) return;
  const float area = (q->x - p->x) * (r->y - p->y) - (r->x - p->x) * (q->y - p->y);
  if (!(fabsf(area) > 1e-9f)) return;
  const float dq = q->alpha - p->alpha, dr = r->alpha - p->alpha;
  const float slope_x = (dq * (r->y - p->y) - dr * (q->y - p->y)) / area;
  const float slope_y = (dr * (q->x - p->x) - dq * (r->x - p->x)) / area;
  const float low = fminf(p->alpha, fminf(q->alpha, r->alpha)), high = fmaxf(p->alpha, fmaxf(q->alpha, r->alpha));
  const uint32_t packed = pack_color(color);
  for (int j = first; j < last; ++j) {
    const float y = (float)j + 0.5f;
    const float a = edge_at(p, r, y), b = y < q->y ? edge_at(p, q, y) : edge_at(q, r, y);
    const int left = first_pixel(a < b ? a : b, c->left, c->right),
              right = first_pixel(a < b ? b : a, c->left, c->right);
    if (left >= right) continue;
    uint32_t* pixels = canvas_row(c, j) + left;
    if (low == high)
      fill_span(pixels, right - left, packed, (uint32_t)(high + 0.5f));
    else
      fade_span(pixels, right - left, packed, p->alpha + slope_x * ((float)left + 0.5f - p->x) + slope_y * (y - p->y),
                slope_x, low, high);
  }
}

#endif  // PUFFERC_DRAW_RASTER_H
