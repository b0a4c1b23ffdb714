// raster.c - triangles and blocks of pixels in memory. See raster.h.
#include "draw/raster.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

static inline int32_t clamp_int(int32_t value, int32_t low, int32_t high) {
  return value < low ? low : value > high ? high : value;
}

static PfcBox intersect(PfcBox box, PfcBox bounds) {
  return (PfcBox){clamp_int(box.left, bounds.left, bounds.right), clamp_int(box.top, bounds.top, bounds.bottom),
                  clamp_int(box.right, bounds.left, bounds.right), clamp_int(box.bottom, bounds.top, bounds.bottom)};
}

void pfc_canvas_clip(PfcCanvas* canvas, PfcBox box) {
  canvas->clip = intersect(box, (PfcBox){0, 0, canvas->width, canvas->height});
}

static inline uint32_t pack_color(PfcColor color) {
  const uint8_t bytes[4] = {color.r, color.g, color.b, 255};
  uint32_t packed;
  memcpy(&packed, bytes, sizeof packed);
  return packed;
}

// Blends two 8-bit channels at once, which lie in the low halves of two 16-bit lanes. Rounds to nearest.
static inline uint32_t mix_lanes(uint32_t over, uint32_t under, uint32_t a) {
  const uint32_t sum = over * a + under * (255 - a) + 0x00800080u;
  return (sum + (sum >> 8 & 0x00ff00ffu)) >> 8 & 0x00ff00ffu;
}

static inline uint32_t mix(uint32_t over, uint32_t under, uint32_t a) {
  const uint32_t lanes = 0x00ff00ffu;
  return mix_lanes(over & lanes, under & lanes, a) | mix_lanes(over >> 8 & lanes, under >> 8 & lanes, a) << 8;
}

static inline void fill_span(uint32_t* pixels, int32_t count, uint32_t color, uint32_t a) {
  if (a >= 255)
    for (int32_t i = 0; i < count; ++i) pixels[i] = color;
  else
    for (int32_t i = 0; i < count; ++i) pixels[i] = mix(color, pixels[i], a);
}

// Alpha changes by `slope` from pixel to pixel and is clamped to [low, high].
static inline void fade_span(uint32_t* pixels, int32_t count, uint32_t color, float alpha, float slope, float low,
                             float high) {
  for (int32_t i = 0; i < count; ++i) {
    const float a = alpha + slope * (float)i, bounded = a > low ? a < high ? a : high : low;
    pixels[i] = mix(color, pixels[i], (uint32_t)(int32_t)(bounded + 0.5f));
  }
}

static inline uint32_t* row_at(const PfcCanvas* canvas, int32_t y) {
  return canvas->pixels + (size_t)canvas->width * (size_t)y;
}

void pfc_raster_block(const PfcCanvas* canvas, PfcBox box, PfcColor color, float alpha) {
  const PfcBox b = intersect(box, canvas->clip);
  const uint32_t packed = pack_color(color), a = (uint32_t)(alpha + 0.5f);
  for (int32_t y = b.top; y < b.bottom; ++y) fill_span(row_at(canvas, y) + b.left, b.right - b.left, packed, a);
}

// The first pixel whose centre is not before `position`, clamped to [low, high].
static inline int32_t first_pixel(float position, int32_t low, int32_t high) {
  const float at = position - 0.5f;
  if (!(at > (float)low)) return low;
  if (at >= (float)high) return high;
  const int32_t whole = (int32_t)at;
  return whole + (at > (float)whole);
}

// x of the edge from a down to b at height y. Both triangles at an edge start from its upper end, so they get the same
// x.
static inline float edge_at(const PfcCorner* a, const PfcCorner* b, float y) {
  return a->x + (y - a->y) * ((b->x - a->x) / (b->y - a->y));
}

static inline void order_by_y(const PfcCorner** a, const PfcCorner** b) {
  if ((*a)->y <= (*b)->y) return;
  const PfcCorner* swapped = *a;
  *a = *b, *b = swapped;
}

void pfc_raster_triangle(const PfcCanvas* canvas, const PfcCorner corners[3], PfcColor color) {
  const PfcBox clip = canvas->clip;
  const PfcCorner *p = &corners[0], *q = &corners[1], *r = &corners[2];
  order_by_y(&p, &q), order_by_y(&q, &r), order_by_y(&p, &q);
  const int32_t first = first_pixel(p->y, clip.top, clip.bottom), last = first_pixel(r->y, clip.top, clip.bottom);
  if (first >= last) return;
  const float area = (q->x - p->x) * (r->y - p->y) - (r->x - p->x) * (q->y - p->y);
  if (!(fabsf(area) > 1e-9f)) return;
  const float dq = q->alpha - p->alpha, dr = r->alpha - p->alpha;
  const float slope_x = (dq * (r->y - p->y) - dr * (q->y - p->y)) / area;
  const float slope_y = (dr * (q->x - p->x) - dq * (r->x - p->x)) / area;
  const float low = fminf(p->alpha, fminf(q->alpha, r->alpha)), high = fmaxf(p->alpha, fmaxf(q->alpha, r->alpha));
  const uint32_t packed = pack_color(color);
  for (int32_t j = first; j < last; ++j) {
    const float y = (float)j + 0.5f;
    const float a = edge_at(p, r, y), b = y < q->y ? edge_at(p, q, y) : edge_at(q, r, y);
    const int32_t left = first_pixel(a < b ? a : b, clip.left, clip.right);
    const int32_t right = first_pixel(a < b ? b : a, clip.left, clip.right);
    if (left >= right) continue;
    uint32_t* pixels = row_at(canvas, j) + left;
    if (low == high)
      fill_span(pixels, right - left, packed, (uint32_t)(high + 0.5f));
    else
      fade_span(pixels, right - left, packed, p->alpha + slope_x * ((float)left + 0.5f - p->x) + slope_y * (y - p->y),
                slope_x, low, high);
  }
}
