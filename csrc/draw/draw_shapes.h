// draw_shapes.h - shapes with soft edges, made of triangles and pixels. Everything is in pixels of the picture.
//
// No multisampling: a pixel shows how much of it a shape covers. Upright rectangles, most of every picture, are cut into
// blocks of whole pixels of one coverage each. Other shapes are two rings of points, one half a pixel inside the outline
// and one half a pixel outside; between the rings the colour fades to transparent. Either way, an outline that lies on
// pixel borders stays sharp. Nothing is allocated; positions are finite (the caller looks after that).
//
// Whoever includes this defines the four functions declared first.
#ifndef PUFFERC_DRAW_SHAPES_H
#define PUFFERC_DRAW_SHAPES_H

#include "draw/draw_font.h"

#include <math.h>
#include <stdbool.h>

// Whole pixels [x0, x1) x [y0, y1); alpha in [0, 1] multiplies the colour's own.
static void fill_pixels(int x0, int y0, int x1, int y1, PfcColor color, float alpha);
static void triangles_begin(void);
static void triangles_end(void);
// One corner of a triangle; alpha likewise.
static void vertex(PfcPoint p, PfcColor color, float alpha);

enum { MAX_RING = 256, MIN_ROUND_POINTS = 8, MAX_ROUND_POINTS = 160 };

#define PI_F 3.14159265f
#define MAX_ROUND_ERROR_PX 0.1f  // by which a circle's sides may lie inside it
#define MAX_MITER 2.2f           // length of a corner's offset, in offsets of a straight edge
#define TEXT_THICKNESS 0.095f    // of a stroke, as a part of the text's height
#define TEXT_BASE_ROW 6.0f       // of the font's grid
#define GENTLE_CORNER 0.6f       // cosine of the turn up to which a stroke's corner is mitred

static void triangle(PfcPoint a, PfcPoint b, PfcPoint c, PfcColor color, float alpha) {
  vertex(a, color, alpha);
  vertex(b, color, alpha);
  vertex(c, color, alpha);
}

// The fading strip from the edge a0 a1 (opaque) to b0 b1 (transparent).
static void fade(PfcPoint a0, PfcPoint a1, PfcPoint b0, PfcPoint b1, PfcColor color, float alpha) {
  vertex(a0, color, alpha);
  vertex(b0, color, 0.0f);
  vertex(b1, color, 0.0f);
  vertex(a0, color, alpha);
  vertex(b1, color, 0.0f);
  vertex(a1, color, alpha);
}

// The fan of a convex outline, given by its two rings, about `pivot`; a closed one returns to its first point.
static void fill_fan(PfcPoint pivot, const PfcPoint* inner, const PfcPoint* outer, int count, bool closed,
                     PfcColor color, float alpha) {
  triangles_begin();
  for (int i = 0; i + !closed < count; ++i) {
    const int next = i + 1 < count ? i + 1 : 0;
    if (!closed || (i > 0 && next > 0)) triangle(pivot, inner[i], inner[next], color, alpha);
    fade(inner[i], inner[next], outer[i], outer[next], color, alpha);
  }
  triangles_end();
}

// A convex shape between its two rings.
static void fill(const PfcPoint* inner, const PfcPoint* outer, int count, PfcColor color, float alpha) {
  fill_fan(inner[0], inner, outer, count, true, color, alpha);
}

// How a shape of half-width `half` covers the pixels about its edge: fully up to `inset` inside the edge, fading until half a
// pixel outside. Thinner than a pixel, it covers no pixel fully: the plateau is lower instead.
typedef struct Edge {
  float inset, alpha;
} Edge;

static Edge edge_of(float half) {
  const Edge wide = {0.5f, 1.0f}, thin = {2.0f * half - 0.5f, 2.0f * half};
  return half >= 0.5f ? wide : thin;
}

// Pixels [first, last) of one axis, each covered by the same part.
typedef struct Run {
  int first, last;
  float coverage;
} Run;

// Cuts the interval [a, b] into runs; their number.
static int cut_runs(float a, float b, Run runs[3]) {
  const int first = (int)floorf(a), last = (int)floorf(b);
  int count = 0;
  if (first == last) {
    runs[count++] = (Run){first, first + 1, b - a};
    return count;
  }
  const int full = (int)ceilf(a);
  if (full > first) runs[count++] = (Run){first, full, (float)full - a};
  if (last > full) runs[count++] = (Run){full, last, 1.0f};
  if (b > (float)last) runs[count++] = (Run){last, last + 1, b - (float)last};
  return count;
}

static void fill_rect(float x, float y, float width, float height, PfcColor color) {
  Run columns[3], rows[3];
  const int num_columns = cut_runs(x, x + width, columns), num_rows = cut_runs(y, y + height, rows);
  for (int j = 0; j < num_rows; ++j)
    for (int i = 0; i < num_columns; ++i)
      fill_pixels(columns[i].first, rows[j].first, columns[i].last, rows[j].last, color,
                  columns[i].coverage * rows[j].coverage);
}

static int round_points(float radius) {
  const int points = 4 * (int)ceilf(PI_F / 4.0f * sqrtf(fmaxf(radius, 0.0f) / (2.0f * MAX_ROUND_ERROR_PX)));
  return points < MIN_ROUND_POINTS ? MIN_ROUND_POINTS : points > MAX_ROUND_POINTS ? MAX_ROUND_POINTS : points;
}

// Puts the quarter or half circle about c from angle `from` into both rings; the new count.
static int add_arc(PfcPoint* inner, PfcPoint* outer, int count, PfcPoint c, float radius, float inset, float from,
                   float sweep, int steps) {
  for (int i = 0; i <= steps; ++i) {
    const float angle = from + sweep * (float)i / (float)steps, x = cosf(angle), y = sinf(angle);
    inner[count] = (PfcPoint){c.x + (radius - inset) * x, c.y + (radius - inset) * y};
    outer[count++] = (PfcPoint){c.x + (radius + 0.5f) * x, c.y + (radius + 0.5f) * y};
  }
  return count;
}

static void fill_circle(PfcPoint centre, float radius, PfcColor color) {
  PfcPoint inner[MAX_RING], outer[MAX_RING];
  const Edge edge = edge_of(radius);
  const int points = round_points(radius);
  const float sweep = 2.0f * PI_F * (float)(points - 1) / (float)points;
  const int count = add_arc(inner, outer, 0, centre, radius, edge.inset, 0.0f, sweep, points - 1);
  fill(inner, outer, count, color, edge.alpha * edge.alpha);
}

// The corner about c between the whole-pixel lines x = pivot.x and y = pivot.y, in the given quarter of the circle.
static void fill_corner(PfcPoint c, PfcPoint pivot, float radius, int quarter, PfcColor color) {
  PfcPoint inner[MAX_RING], outer[MAX_RING];
  const int steps = round_points(radius) / 4;
  const int count = add_arc(inner, outer, 1, c, radius, 0.5f, PI_F / 2.0f * (float)quarter, PI_F / 2.0f, steps);
  const bool upright = quarter % 2 == 0;  // the arc starts at an upright side and ends at a level one
  inner[0] = upright ? (PfcPoint){inner[1].x, pivot.y} : (PfcPoint){pivot.x, inner[1].y};
  outer[0] = upright ? (PfcPoint){outer[1].x, pivot.y} : (PfcPoint){pivot.x, outer[1].y};
  inner[count] = upright ? (PfcPoint){pivot.x, inner[count - 1].y} : (PfcPoint){inner[count - 1].x, pivot.y};
  outer[count] = upright ? (PfcPoint){pivot.x, outer[count - 1].y} : (PfcPoint){outer[count - 1].x, pivot.y};
  fill_fan(pivot, inner, outer, count + 1, false, color, 1.0f);
}

// All of it as one ring, for shapes that are little more than their corners.
static void fill_rounded_ring(const PfcPoint corners[4], float radius, PfcColor color) {
  PfcPoint inner[MAX_RING], outer[MAX_RING];
  int count = 0;
  for (int i = 0; i < 4; ++i)
    count = add_arc(inner, outer, count, corners[i], radius, 0.5f, PI_F / 2.0f * (float)i, PI_F / 2.0f,
                    round_points(radius) / 4);
  fill(inner, outer, count, color, 1.0f);
}

static void fill_rounded_rect(float x, float y, float width, float height, float radius, PfcColor color) {
  const float r = fminf(radius, fminf(width, height) / 2.0f);
  if (!(r >= 1.0f)) {
    fill_rect(x, y, width, height, color);
    return;
  }
  const float left = ceilf(x + r), right = floorf(x + width - r), top = ceilf(y + r), low = floorf(y + height - r);
  const PfcPoint corners[4] = {
      {x + width - r, y + height - r}, {x + r, y + height - r}, {x + r, y + r}, {x + width - r, y + r}};
  if (left > right || top > low) {
    fill_rounded_ring(corners, r, color);
    return;
  }
  const PfcPoint pivots[4] = {{right, low}, {left, low}, {left, top}, {right, top}};
  for (int i = 0; i < 4; ++i) fill_corner(corners[i], pivots[i], r, i, color);
  fill_rect(x, top, width, low - top, color);
  fill_rect(left, y, right - left, top - y, color);
  fill_rect(left, low, right - left, y + height - low, color);
}

// A line with round ends.
static void fill_capsule(PfcPoint a, PfcPoint b, float half, PfcColor color) {
  PfcPoint inner[MAX_RING], outer[MAX_RING];
  const Edge edge = edge_of(half);
  const float along = atan2f(b.y - a.y, b.x - a.x);
  const int steps = round_points(half) / 2;
  int count = add_arc(inner, outer, 0, b, half, edge.inset, along - PI_F / 2.0f, PI_F, steps);
  count = add_arc(inner, outer, count, a, half, edge.inset, along + PI_F / 2.0f, PI_F, steps);
  fill(inner, outer, count, color, edge.alpha);
}

// Unit vector to the left of a -> b; 0 where they coincide.
static PfcPoint normal_of(PfcPoint a, PfcPoint b) {
  const float dx = b.x - a.x, dy = b.y - a.y, length = sqrtf(dx * dx + dy * dy);
  const float inverse = length > 1e-6f ? 1.0f / length : 0.0f;
  return (PfcPoint){dy * inverse, -dx * inverse};
}

// Offset of the corner b of a chain a -> b -> c whose edges both move by 1 to the left.
static PfcPoint corner_of(PfcPoint a, PfcPoint b, PfcPoint c) {
  const PfcPoint m = normal_of(a, b), n = normal_of(b, c);
  const float stretch = 1.0f / fmaxf(1.0f + m.x * n.x + m.y * n.y, 2.0f / (MAX_MITER * MAX_MITER));
  return (PfcPoint){(m.x + n.x) * stretch, (m.y + n.y) * stretch};
}

static void fill_polygon(const PfcPoint* points, int count, PfcColor color) {
  PfcPoint inner[MAX_RING], outer[MAX_RING];
  float area = 0.0f, girth = 0.0f;
  for (int i = 0; i < count; ++i) {
    const PfcPoint a = points[i], b = points[(i + 1) % count];
    area += (a.x * b.y - b.x * a.y) / 2.0f;
    girth += sqrtf((b.x - a.x) * (b.x - a.x) + (b.y - a.y) * (b.y - a.y));
  }
  if (!(girth > 0.0f)) return;
  const float out = area >= 0.0f ? 1.0f : -1.0f;
  const Edge edge = edge_of(2.0f * fabsf(area) / girth);
  for (int i = 0; i < count; ++i) {
    const PfcPoint p = points[i], n = corner_of(points[(i + count - 1) % count], p, points[(i + 1) % count]);
    inner[i] = (PfcPoint){p.x - out * edge.inset * n.x, p.y - out * edge.inset * n.y};
    outer[i] = (PfcPoint){p.x + out * 0.5f * n.x, p.y + out * 0.5f * n.y};
  }
  fill(inner, outer, count, color, edge.alpha);
}

// One piece of a stroke from a to b, whose ends are cut along the offsets m and n of its left side.
static void fill_piece(PfcPoint a, PfcPoint b, PfcPoint m, PfcPoint n, float half, PfcColor color) {
  if (a.x == b.x || a.y == b.y) {
    const float across = a.x == b.x ? half : 0.0f, along = half - across, left = fminf(a.x, b.x), top = fminf(a.y, b.y);
    fill_rect(left - across, top - along, fabsf(b.x - a.x) + 2.0f * across, fabsf(b.y - a.y) + 2.0f * along, color);
    return;
  }
  const Edge edge = edge_of(half);
  const float offsets[4] = {half + 0.5f, half - edge.inset, edge.inset - half, -half - 0.5f};  // rim, core, core, rim
  PfcPoint from[4], to[4];
  for (int side = 0; side < 4; ++side) {
    from[side] = (PfcPoint){a.x + offsets[side] * m.x, a.y + offsets[side] * m.y};
    to[side] = (PfcPoint){b.x + offsets[side] * n.x, b.y + offsets[side] * n.y};
  }
  triangles_begin();
  triangle(from[1], from[2], to[2], color, edge.alpha);
  triangle(from[1], to[2], to[1], color, edge.alpha);
  fade(from[1], to[1], from[0], to[0], color, edge.alpha);
  fade(from[2], to[2], from[3], to[3], color, edge.alpha);
  triangles_end();
}

// A chain of strokes of one thickness with round ends; one that ends where it began is closed. Gentle corners are mitred,
// sharp ones are round.
static void fill_stroke(const PfcPoint* points, int count, float half, PfcColor color) {
  const bool closed = points[0].x == points[count - 1].x && points[0].y == points[count - 1].y;
  bool joined[DRAW_FONT_MAX_POINTS];
  for (int i = 0; i < count; ++i) {
    const PfcPoint before = points[i > 0 ? i - 1 : count - 2], after = points[i + 1 < count ? i + 1 : 1];
    const PfcPoint m = normal_of(before, points[i]), n = normal_of(points[i], after);
    const bool end = !closed && (i == 0 || i + 1 == count);
    joined[i] = !end && m.x * n.x + m.y * n.y > GENTLE_CORNER;
  }
  for (int i = 0; i + 1 < count; ++i) {
    const PfcPoint a = points[i], b = points[i + 1], own = normal_of(a, b);
    const PfcPoint before = points[i > 0 ? i - 1 : count - 2], after = points[i + 2 < count ? i + 2 : 1];
    fill_piece(a, b, joined[i] ? corner_of(before, a, b) : own, joined[i + 1] ? corner_of(a, b, after) : own, half, color);
  }
  for (int i = 0; i + closed < count; ++i)
    if (!joined[i]) fill_circle(points[i], half, color);
}

// Strokes are whole pixels thick and the grid's lines lie on whole pixels, so that small text is sharp. Halves are rounded
// up with something to spare: they are frequent, and must not depend on where in a picture a game lies.
static float snap(float at, float thickness) {
  const float centre = fmodf(thickness, 2.0f) / 2.0f;
  return floorf(at - centre + 0.505f) + centre;
}

static void fill_text(float x, float y, float size, const char* text, PfcColor color) {
  const float thickness = fmaxf(roundf(size * TEXT_THICKNESS), 1.0f), half = thickness / 2.0f;
  const float pitch = size * PFC_TEXT_PITCH, column = 0.7f * pitch / (DRAW_FONT_COLUMNS - 1);
  const float row = size * (PFC_TEXT_BASELINE - TEXT_THICKNESS / 2.0f) / TEXT_BASE_ROW;
  const int roundings = size < 24.0f ? 2 : 3;
  float columns[DRAW_FONT_COLUMNS], rows[DRAW_FONT_ROWS];
  for (int i = 0; i < DRAW_FONT_ROWS; ++i) rows[i] = snap(y + half + row * (float)i, thickness);
  for (; *text; x += pitch) {
    const char* strokes = draw_font_next(&text);
    PfcPoint points[DRAW_FONT_MAX_POINTS];
    for (int i = 0; i < DRAW_FONT_COLUMNS; ++i)  // about the middle, so that what is symmetric remains so
      columns[i] = snap(x + pitch / 2.0f, thickness) + roundf(column * (float)(i - DRAW_FONT_COLUMNS / 2));
    for (int count; (count = draw_font_stroke(&strokes, roundings, columns, rows, points)) > 0;) {
      const bool dot = count == 2 && points[0].x == points[1].x && points[0].y == points[1].y;
      if (dot)
        fill_circle(points[0], 1.2f * half, color);
      else
        fill_stroke(points, count, half, color);
    }
  }
}

#endif  // PUFFERC_DRAW_SHAPES_H
