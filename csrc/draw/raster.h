// raster.h - triangles and blocks of pixels in memory, blended by alpha.
//
// Shapes are cut into many triangles of a few pixels each (see shapes.h), so this is written for small ones: no
// transform and one colour per triangle; only alpha differs between its corners.
#ifndef PUFFERC_RASTER_H
#define PUFFERC_RASTER_H

#include <stdint.h>

#include "pufferc/draw.h"

// Whole pixels [left, right) x [top, bottom).
typedef struct PfcBox {
  int32_t left, top, right, bottom;
} PfcBox;

// Pixels [height, width], top row first; x goes right and y down, and pixel (i, j) has its centre at (i + 0.5, j +
// 0.5). The bytes of a pixel are red, green, blue, 255: every pixel stays opaque. The memory belongs to the caller.
typedef struct PfcCanvas {
  uint32_t* pixels;
  int32_t width, height;
  PfcBox clip;  // only pixels in here change; it lies within the canvas
} PfcCanvas;

typedef struct PfcCorner {
  float x, y, alpha;  // alpha in [0, 255]
} PfcCorner;

// Sets the clip to the part of the box that lies within the canvas.
void pfc_canvas_clip(PfcCanvas* canvas, PfcBox box);

// alpha in [0, 255]; the colour's own alpha is ignored, here and below.
void pfc_raster_block(const PfcCanvas* canvas, PfcBox box, PfcColor color, float alpha);

// Corners in any order. Two triangles that share an edge leave no gap there and cover no pixel twice.
void pfc_raster_triangle(const PfcCanvas* canvas, const PfcCorner corners[3], PfcColor color);

#endif  // PUFFERC_RASTER_H
