// draw_record.h - callbacks that draw nothing and record whether a game follows the rules of draw.h.
//
// Header-only. A DrawRecord belongs to the caller, who passes it as the context: draw_recorder(&record).
#ifndef PUFFERC_DRAW_RECORD_H
#define PUFFERC_DRAW_RECORD_H

#include <math.h>
#include <stdbool.h>
#include <stddef.h>

#include "pufferc/draw.h"

// A record of the calls.
typedef struct DrawRecord {
  int32_t begins, ends, shapes;
  bool in_order, finite;
} DrawRecord;

static inline void draw_note_(DrawRecord* r, bool finite) {
  r->shapes += 1;
  r->in_order = r->in_order && r->begins == 1 && r->ends == 0;
  r->finite = r->finite && finite;
}

static inline void draw_on_begin_(void* context, float width, float height, PfcColor background) {
  DrawRecord* r = context;
  (void)background;
  r->in_order = r->in_order && r->begins == 0 && r->shapes == 0;
  r->begins += 1;
  r->finite = r->finite && isfinite(width) && isfinite(height) && width > 0.0f && height > 0.0f;
}

static inline void draw_on_rect_(void* context, float x, float y, float width, float height, PfcColor color) {
  (void)color;
  draw_note_(context,
             isfinite(x) && isfinite(y) && isfinite(width) && isfinite(height) && width >= 0.0f && height >= 0.0f);
}

static inline void draw_on_rounded_(void* context, float x, float y, float width, float height, float radius,
                                    PfcColor color) {
  draw_on_rect_(context, x, y, width, height, color);
  ((DrawRecord*)context)->finite = ((DrawRecord*)context)->finite && isfinite(radius) && radius >= 0.0f;
}

static inline void draw_on_circle_(void* context, float x, float y, float radius, PfcColor color) {
  (void)color;
  draw_note_(context, isfinite(x) && isfinite(y) && isfinite(radius) && radius >= 0.0f);
}

static inline void draw_on_line_(void* context, float x0, float y0, float x1, float y1, float thickness,
                                 PfcColor color) {
  (void)color;
  const bool ends = isfinite(x0) && isfinite(y0) && isfinite(x1) && isfinite(y1);
  draw_note_(context, ends && isfinite(thickness) && thickness > 0.0f);
}

static inline void draw_on_polygon_(void* context, const PfcPoint* points, int32_t count, PfcColor color) {
  (void)color;
  bool good = count >= 3;
  for (int32_t i = 0; i < count; ++i) good = good && isfinite(points[i].x) && isfinite(points[i].y);
  draw_note_(context, good);
}

static inline void draw_on_text_(void* context, float x, float y, float size, const char* text, PfcColor color) {
  (void)color;
  draw_note_(context, isfinite(x) && isfinite(y) && isfinite(size) && size > 0.0f && text != NULL);
}

static inline void draw_on_end_(void* context) { ((DrawRecord*)context)->ends += 1; }

static inline DrawRecord draw_record_new(void) { return (DrawRecord){.in_order = true, .finite = true}; }

static inline PfcDraw draw_recorder(DrawRecord* record) {
  return (PfcDraw){.context = record,
                   .begin = draw_on_begin_,
                   .rect = draw_on_rect_,
                   .rounded_rect = draw_on_rounded_,
                   .circle = draw_on_circle_,
                   .line = draw_on_line_,
                   .polygon = draw_on_polygon_,
                   .text = draw_on_text_,
                   .end = draw_on_end_};
}

#endif  // PUFFERC_DRAW_RECORD_H
