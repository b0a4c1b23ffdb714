// shapes.h - anti-aliased shapes and text in a canvas.
//
// A pixel shows how much of it a shape covers. Upright rectangles, most of every picture, are cut into blocks of whole
// pixels of one coverage each. Other shapes are two rings of points, one half a pixel inside the outline and one half a
// pixel outside; between the rings the colour fades to transparent. Both ways keep an outline on pixel borders sharp.
//
// Sizes and positions are in pixels of the canvas and finite, sizes positive. Nothing is allocated.
#ifndef PUFFERC_SHAPES_H
#define PUFFERC_SHAPES_H

#include "draw/raster.h"

enum { PFC_MAX_CORNERS = 256 };  // of a polygon

// What a shape is painted with, and onto what.
typedef struct PfcPaint {
  const PfcCanvas* canvas;
  PfcColor color;
} PfcPaint;

void pfc_fill_rect(PfcPaint paint, float x, float y, float width, float height);
// The radius is limited to half of the shorter side.
void pfc_fill_rounded_rect(PfcPaint paint, float x, float y, float width, float height, float radius);
void pfc_fill_circle(PfcPaint paint, PfcPoint centre, float radius);
// A line with round ends, 2 * half thick.
void pfc_fill_line(PfcPaint paint, PfcPoint a, PfcPoint b, float half);
// Convex, corners in either order, count in [3, PFC_MAX_CORNERS].
void pfc_fill_polygon(PfcPaint paint, const PfcPoint* points, int32_t count);
// UTF-8 text of this size; (x, y) is the left end of its upper edge. Strokes are aligned to whole pixels.
void pfc_fill_text(PfcPaint paint, float x, float y, float size, const char* text);

#endif  // PUFFERC_SHAPES_H
