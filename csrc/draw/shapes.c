// shapes.c - anti-aliased shapes and text, made of blocks and triangles of raster.h. See shapes.h.
#include "draw/shapes.h"

#include <math.h>
#include <stdbool.h>

#include "draw/font.h"

enum { MIN_ROUND_POINTS = 8, MAX_ROUND_POINTS = 160 };  // of a circle

#define PI_F 3.14159265f
#define MAX_ROUND_ERROR_PX 0.1f  // distance by which a circle's sides may lie inside it
#define MAX_MITER 2.2f           // length of a corner's offset, in offsets of a straight edge
#define TEXT_THICKNESS 0.095f    // of a stroke, as a fraction of the text's size
#define TEXT_BASE_ROW 6.0f       // of the font's grid
#define DOT_RADIUS 1.2f          // of a dot, in half thicknesses of a stroke
#define GENTLE_CORNER 0.6f       // cosine of the largest turn at which a stroke's corner is mitred

// ---- triangles and rings ---------------------------------------------------------------------------

// alpha in [0, 1] multiplies the colour's own.
static PfcCorner corner(PfcPaint paint, PfcPoint p, float alpha) {
  return (PfcCorner){p.x, p.y, alpha * (float)paint.color.a};
}

static void fill_triangle(PfcPaint paint, PfcPoint a, PfcPoint b, PfcPoint c, float alpha) {
  const PfcCorner corners[3] = {corner(paint, a, alpha), corner(paint, b, alpha), corner(paint, c, alpha)};
  pfc_raster_triangle(paint.canvas, corners, paint.color);
}

// An edge that fades away from it.
typedef struct Fade {
  PfcPoint opaque[2], clear[2];
} Fade;

static void fill_fade(PfcPaint paint, Fade f, float alpha) {
  const PfcCorner a = corner(paint, f.opaque[0], alpha), b = corner(paint, f.opaque[1], alpha);
  const PfcCorner c = corner(paint, f.clear[0], 0.0f), d = corner(paint, f.clear[1], 0.0f);
  pfc_raster_triangle(paint.canvas, (PfcCorner[3]){a, c, d}, paint.color);
  pfc_raster_triangle(paint.canvas, (PfcCorner[3]){a, d, b}, paint.color);
}

// The outline of a convex shape: opaque up to the inner points, transparent from the outer ones.
typedef struct Rings {
  PfcPoint inner[PFC_MAX_CORNERS], outer[PFC_MAX_CORNERS];
  int32_t count;
} Rings;

static Fade fade_between(const Rings* r, int32_t i, int32_t next) {
  return (Fade){{r->inner[i], r->inner[next]}, {r->outer[i], r->outer[next]}};
}

static void fill_rings(PfcPaint paint, const Rings* r, float alpha) {
  for (int32_t i = 0; i < r->count; ++i) {
    const int32_t next = i + 1 < r->count ? i + 1 : 0;
    if (i > 0 && next > 0) fill_triangle(paint, r->inner[0], r->inner[i], r->inner[next], alpha);
    fill_fade(paint, fade_between(r, i, next), alpha);
  }
}

// The fan of an outline that is not closed, about a pivot.
static void fill_fan(PfcPaint paint, const Rings* r, PfcPoint pivot) {
  for (int32_t i = 0; i + 1 < r->count; ++i) {
    fill_triangle(paint, pivot, r->inner[i], r->inner[i + 1], 1.0f);
    fill_fade(paint, fade_between(r, i, i + 1), 1.0f);
  }
}

// How a shape of half-width `half` covers the pixels about its edge: fully up to `inset` inside the edge, then fading
// until half a pixel outside. One that is thinner than a pixel covers no pixel fully: its plateau is lower instead.
typedef struct Edge {
  float inset, alpha;
} Edge;

static Edge edge_of(float half) {
  const Edge wide = {0.5f, 1.0f}, thin = {2.0f * half - 0.5f, 2.0f * half};
  return half >= 0.5f ? wide : thin;
}

// ---- rectangles ------------------------------------------------------------------------------------

// Pixels [first, last) of one axis, each covered by the same fraction.
typedef struct Run {
  int32_t first, last;
  float coverage;
} Run;

// Cuts the interval [a, b] into runs; returns their number.
static int32_t cut_runs(float a, float b, Run runs[3]) {
  const int32_t first = (int32_t)floorf(a), last = (int32_t)floorf(b);
  int32_t count = 0;
  if (first == last) {
    runs[count++] = (Run){first, first + 1, b - a};
    return count;
  }
  const int32_t full = (int32_t)ceilf(a);
  if (full > first) runs[count++] = (Run){first, full, (float)full - a};
  if (last > full) runs[count++] = (Run){full, last, 1.0f};
  if (b > (float)last) runs[count++] = (Run){last, last + 1, b - (float)last};
  return count;
}

void pfc_fill_rect(PfcPaint paint, float x, float y, float width, float height) {
  Run columns[3], rows[3];
  const int32_t num_columns = cut_runs(x, x + width, columns), num_rows = cut_runs(y, y + height, rows);
  for (int32_t j = 0; j < num_rows; ++j)
    for (int32_t i = 0; i < num_columns; ++i) {
      const PfcBox box = {columns[i].first, rows[j].first, columns[i].last, rows[j].last};
      const float alpha = columns[i].coverage * rows[j].coverage;
      pfc_raster_block(paint.canvas, box, paint.color, alpha * (float)paint.color.a);
    }
}

// ---- round shapes ----------------------------------------------------------------------------------

static int32_t round_points(float radius) {
  const int32_t points = 4 * (int32_t)ceilf(PI_F / 4.0f * sqrtf(fmaxf(radius, 0.0f) / (2.0f * MAX_ROUND_ERROR_PX)));
  return points < MIN_ROUND_POINTS ? MIN_ROUND_POINTS : points > MAX_ROUND_POINTS ? MAX_ROUND_POINTS : points;
}

// A part of a circle, from angle `from` over `sweep`, in steps + 1 points.
typedef struct Arc {
  PfcPoint centre;
  float radius, inset, from, sweep;
  int32_t steps;
} Arc;

static void add_arc(Rings* r, Arc arc) {
  for (int32_t i = 0; i <= arc.steps; ++i) {
    const float angle = arc.from + arc.sweep * (float)i / (float)arc.steps, x = cosf(angle), y = sinf(angle);
    const float inner = arc.radius - arc.inset, outer = arc.radius + 0.5f;
    r->inner[r->count] = (PfcPoint){arc.centre.x + inner * x, arc.centre.y + inner * y};
    r->outer[r->count++] = (PfcPoint){arc.centre.x + outer * x, arc.centre.y + outer * y};
  }
}

void pfc_fill_circle(PfcPaint paint, PfcPoint centre, float radius) {
  Rings rings;
  const Edge edge = edge_of(radius);
  const int32_t points = round_points(radius);
  const float sweep = 2.0f * PI_F * (float)(points - 1) / (float)points;
  rings.count = 0;
  add_arc(&rings, (Arc){centre, radius, edge.inset, 0.0f, sweep, points - 1});
  fill_rings(paint, &rings, edge.alpha * edge.alpha);
}

static Arc quarter_of(PfcPoint centre, float radius, int32_t quarter) {
  return (Arc){centre, radius, 0.5f, PI_F / 2.0f * (float)quarter, PI_F / 2.0f, round_points(radius) / 4};
}

// The corner about `centre` between the whole-pixel lines x = pivot.x and y = pivot.y, in one quarter of the circle.
static void fill_corner(PfcPaint paint, PfcPoint centre, PfcPoint pivot, float radius, int32_t quarter) {
  Rings r;
  r.count = 1;  // the first point is set when the arc's first is known
  add_arc(&r, quarter_of(centre, radius, quarter));
  const int32_t last = r.count++;
  const bool upright = quarter % 2 == 0;  // the arc starts at an upright side and ends at a level one
  r.inner[0] = upright ? (PfcPoint){r.inner[1].x, pivot.y} : (PfcPoint){pivot.x, r.inner[1].y};
  r.outer[0] = upright ? (PfcPoint){r.outer[1].x, pivot.y} : (PfcPoint){pivot.x, r.outer[1].y};
  r.inner[last] = upright ? (PfcPoint){pivot.x, r.inner[last - 1].y} : (PfcPoint){r.inner[last - 1].x, pivot.y};
  r.outer[last] = upright ? (PfcPoint){pivot.x, r.outer[last - 1].y} : (PfcPoint){r.outer[last - 1].x, pivot.y};
  fill_fan(paint, &r, pivot);
}

// All of a rounded rectangle as one ring, for one that is little more than its corners.
static void fill_rounded_ring(PfcPaint paint, const PfcPoint centres[4], float radius) {
  Rings rings;
  rings.count = 0;
  for (int32_t i = 0; i < 4; ++i) add_arc(&rings, quarter_of(centres[i], radius, i));
  fill_rings(paint, &rings, 1.0f);
}

void pfc_fill_rounded_rect(PfcPaint paint, float x, float y, float width, float height, float radius) {
  const float r = fminf(radius, fminf(width, height) / 2.0f);
  if (!(r >= 1.0f)) {
    pfc_fill_rect(paint, x, y, width, height);
    return;
  }
  const float left = ceilf(x + r), right = floorf(x + width - r), top = ceilf(y + r), low = floorf(y + height - r);
  const PfcPoint centres[4] = {
      {x + width - r, y + height - r}, {x + r, y + height - r}, {x + r, y + r}, {x + width - r, y + r}};
  if (left > right || top > low) {
    fill_rounded_ring(paint, centres, r);
    return;
  }
  const PfcPoint pivots[4] = {{right, low}, {left, low}, {left, top}, {right, top}};
  for (int32_t i = 0; i < 4; ++i) fill_corner(paint, centres[i], pivots[i], r, i);
  pfc_fill_rect(paint, x, top, width, low - top);
  pfc_fill_rect(paint, left, y, right - left, top - y);
  pfc_fill_rect(paint, left, low, right - left, y + height - low);
}

void pfc_fill_line(PfcPaint paint, PfcPoint a, PfcPoint b, float half) {
  Rings rings;
  const Edge edge = edge_of(half);
  const float along = atan2f(b.y - a.y, b.x - a.x);
  const int32_t steps = round_points(half) / 2;
  rings.count = 0;
  add_arc(&rings, (Arc){b, half, edge.inset, along - PI_F / 2.0f, PI_F, steps});
  add_arc(&rings, (Arc){a, half, edge.inset, along + PI_F / 2.0f, PI_F, steps});
  fill_rings(paint, &rings, edge.alpha);
}

// ---- polygons and strokes --------------------------------------------------------------------------

// Unit vector to the left of a -> b; 0 where they coincide.
static PfcPoint normal_of(PfcPoint a, PfcPoint b) {
  const float dx = b.x - a.x, dy = b.y - a.y, length = sqrtf(dx * dx + dy * dy);
  const float inverse = length > 1e-6f ? 1.0f / length : 0.0f;
  return (PfcPoint){dy * inverse, -dx * inverse};
}

// Offset of the corner b of a chain a -> b -> c when both its edges move by 1 to the left.
static PfcPoint corner_offset(PfcPoint a, PfcPoint b, PfcPoint c) {
  const PfcPoint m = normal_of(a, b), n = normal_of(b, c);
  const float stretch = 1.0f / fmaxf(1.0f + m.x * n.x + m.y * n.y, 2.0f / (MAX_MITER * MAX_MITER));
  return (PfcPoint){(m.x + n.x) * stretch, (m.y + n.y) * stretch};
}

void pfc_fill_polygon(PfcPaint paint, const PfcPoint* points, int32_t count) {
  Rings rings;
  float area = 0.0f, girth = 0.0f;
  for (int32_t i = 0; i < count; ++i) {
    const PfcPoint a = points[i], b = points[(i + 1) % count];
    area += (a.x * b.y - b.x * a.y) / 2.0f;
    girth += sqrtf((b.x - a.x) * (b.x - a.x) + (b.y - a.y) * (b.y - a.y));
  }
  if (!(girth > 0.0f)) return;
  const float out = area >= 0.0f ? 1.0f : -1.0f;
  const Edge edge = edge_of(2.0f * fabsf(area) / girth);
  for (int32_t i = 0; i < count; ++i) {
    const PfcPoint p = points[i], n = corner_offset(points[(i + count - 1) % count], p, points[(i + 1) % count]);
    rings.inner[i] = (PfcPoint){p.x - out * edge.inset * n.x, p.y - out * edge.inset * n.y};
    rings.outer[i] = (PfcPoint){p.x + out * 0.5f * n.x, p.y + out * 0.5f * n.y};
  }
  rings.count = count;
  fill_rings(paint, &rings, edge.alpha);
}

// A straight piece of a stroke from a to b; its ends are cut along the offsets m and n of its left side.
typedef struct Piece {
  PfcPoint a, b, m, n;
} Piece;

static void fill_piece(PfcPaint paint, Piece p, float half) {
  const PfcPoint a = p.a, b = p.b;
  if (a.x == b.x || a.y == b.y) {
    const float across = a.x == b.x ? half : 0.0f, along = half - across, left = fminf(a.x, b.x), top = fminf(a.y, b.y);
    pfc_fill_rect(paint, left - across, top - along, fabsf(b.x - a.x) + 2.0f * across,
                  fabsf(b.y - a.y) + 2.0f * along);
    return;
  }
  const Edge edge = edge_of(half);
  const float offsets[4] = {half + 0.5f, half - edge.inset, edge.inset - half, -half - 0.5f};  // rim, core, core, rim
  PfcPoint from[4], to[4];
  for (int32_t side = 0; side < 4; ++side) {
    from[side] = (PfcPoint){a.x + offsets[side] * p.m.x, a.y + offsets[side] * p.m.y};
    to[side] = (PfcPoint){b.x + offsets[side] * p.n.x, b.y + offsets[side] * p.n.y};
  }
  fill_triangle(paint, from[1], from[2], to[2], edge.alpha);
  fill_triangle(paint, from[1], to[2], to[1], edge.alpha);
  fill_fade(paint, (Fade){{from[1], to[1]}, {from[0], to[0]}}, edge.alpha);
  fill_fade(paint, (Fade){{from[2], to[2]}, {from[3], to[3]}}, edge.alpha);
}

// A chain of pieces of one thickness with round ends; one that ends where it begins is closed. Gentle corners are
// mitred, sharp ones are round.
static void fill_stroke(PfcPaint paint, const PfcPoint* points, int32_t count, float half) {
  const bool closed = points[0].x == points[count - 1].x && points[0].y == points[count - 1].y;
  bool mitred[PFC_FONT_MAX_POINTS];
  for (int32_t i = 0; i < count; ++i) {
    const PfcPoint before = points[i > 0 ? i - 1 : count - 2], after = points[i + 1 < count ? i + 1 : 1];
    const PfcPoint m = normal_of(before, points[i]), n = normal_of(points[i], after);
    const bool end = !closed && (i == 0 || i + 1 == count);
    mitred[i] = !end && m.x * n.x + m.y * n.y > GENTLE_CORNER;
  }
  for (int32_t i = 0; i + 1 < count; ++i) {
    const PfcPoint a = points[i], b = points[i + 1], own = normal_of(a, b);
    const PfcPoint before = points[i > 0 ? i - 1 : count - 2], after = points[i + 2 < count ? i + 2 : 1];
    const PfcPoint m = mitred[i] ? corner_offset(before, a, b) : own;
    const PfcPoint n = mitred[i + 1] ? corner_offset(a, b, after) : own;
    fill_piece(paint, (Piece){a, b, m, n}, half);
  }
  for (int32_t i = 0; i + closed < count; ++i)
    if (!mitred[i]) pfc_fill_circle(paint, points[i], half);
}

// ---- text ------------------------------------------------------------------------------------------

// Moves the middle of a stroke so that its sides lie on pixel borders, which keeps small text sharp. Rounds halves up
// with a margin: they are frequent, and float error must not make text depend on where in a picture a game lies.
static float snap(float at, float thickness) {
  const float centre = fmodf(thickness, 2.0f) / 2.0f;
  return floorf(at - centre + 0.505f) + centre;
}

static void fill_character(PfcPaint paint, const char* strokes, const PfcFontGrid* grid, int32_t roundings,
                           float half) {
  PfcPoint points[PFC_FONT_MAX_POINTS];
  for (int32_t count; (count = pfc_font_stroke(&strokes, grid, roundings, points)) > 0;) {
    const bool dot = count == 2 && points[0].x == points[1].x && points[0].y == points[1].y;
    if (dot)
      pfc_fill_circle(paint, points[0], DOT_RADIUS * half);
    else
      fill_stroke(paint, points, count, half);
  }
}

void pfc_fill_text(PfcPaint paint, float x, float y, float size, const char* text) {
  const float thickness = fmaxf(roundf(size * TEXT_THICKNESS), 1.0f), half = thickness / 2.0f;
  const float pitch = size * PFC_TEXT_PITCH, column = 0.7f * pitch / (PFC_FONT_COLUMNS - 1);
  const float row = size * (PFC_TEXT_BASELINE - TEXT_THICKNESS / 2.0f) / TEXT_BASE_ROW;
  const int32_t roundings = size < 24.0f ? 2 : 3;
  PfcFontGrid grid;
  for (int32_t i = 0; i < PFC_FONT_ROWS; ++i) grid.rows[i] = snap(y + half + row * (float)i, thickness);
  for (; *text; x += pitch) {
    // Rounding counts from the middle column, so that symmetric characters stay symmetric.
    const float middle = snap(x + pitch / 2.0f, thickness);
    for (int32_t i = 0; i < PFC_FONT_COLUMNS; ++i)
      grid.columns[i] = middle + roundf(column * (float)(i - PFC_FONT_COLUMNS / 2));
    fill_character(paint, pfc_font_next(&text), &grid, roundings, half);
  }
}
