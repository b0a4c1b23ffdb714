// picture.c - implements PfcDraw for pictures: converts positions in a game's world to pixels. See picture.h.
#include "draw/picture.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "core/base.h"
#include "draw/shapes.h"

#define MAX_POSITION_PX 1e6f  // shapes farther away are not drawn

// ---- PfcDraw ---------------------------------------------------------------------------------------

static bool drawable(float x, float y) { return fabsf(x) < MAX_POSITION_PX && fabsf(y) < MAX_POSITION_PX; }

static PfcPaint paint_of(const PfcPicture* p, PfcColor color) { return (PfcPaint){&p->canvas, color}; }

static PfcPoint pixel_at(const PfcPicture* p, float x, float y) {
  return (PfcPoint){p->left + p->scale * x, p->top + p->scale * y};
}

static void draw_begin(void* context, float width, float height, PfcColor background) {
  PfcPicture* picture = context;
  const PfcDrawCell cell = picture->cell;
  if (!(width > 0.0f) || !(height > 0.0f)) return;
  const float scale = fminf(cell.width / width, cell.height / height);
  if (!(scale > 1e-6f && scale < 1e6f)) return;
  picture->scale = scale;
  picture->left = cell.x + roundf((cell.width - scale * width) / 2.0f);  // whole pixels keep the world's borders sharp
  picture->top = cell.y + roundf((cell.height - scale * height) / 2.0f);
  pfc_fill_rect(paint_of(picture, background), cell.x, cell.y, cell.width, cell.height);
}

static void draw_rect(void* context, float x, float y, float width, float height, PfcColor color) {
  const PfcPicture* picture = context;
  const PfcPoint p = pixel_at(picture, x, y), q = pixel_at(picture, x + width, y + height);
  if (drawable(p.x, p.y) && drawable(q.x, q.y) && width > 0.0f && height > 0.0f)
    pfc_fill_rect(paint_of(picture, color), p.x, p.y, q.x - p.x, q.y - p.y);
}

static void draw_rounded_rect(void* context, float x, float y, float width, float height, float radius,
                              PfcColor color) {
  const PfcPicture* picture = context;
  const PfcPoint p = pixel_at(picture, x, y), q = pixel_at(picture, x + width, y + height);
  if (drawable(p.x, p.y) && drawable(q.x, q.y) && width > 0.0f && height > 0.0f)
    pfc_fill_rounded_rect(paint_of(picture, color), p.x, p.y, q.x - p.x, q.y - p.y, radius * picture->scale);
}

static void draw_circle(void* context, float x, float y, float radius, PfcColor color) {
  const PfcPicture* picture = context;
  const PfcPoint p = pixel_at(picture, x, y);
  const float r = radius * picture->scale;
  if (drawable(p.x, p.y) && r > 0.0f && r < MAX_POSITION_PX) pfc_fill_circle(paint_of(picture, color), p, r);
}

static void draw_line(void* context, float x0, float y0, float x1, float y1, float thickness, PfcColor color) {
  const PfcPicture* picture = context;
  const PfcPoint a = pixel_at(picture, x0, y0), b = pixel_at(picture, x1, y1);
  const float half = thickness * picture->scale / 2.0f;
  if (drawable(a.x, a.y) && drawable(b.x, b.y) && half > 0.0f && half < MAX_POSITION_PX)
    pfc_fill_line(paint_of(picture, color), a, b, half);
}

static void draw_polygon(void* context, const PfcPoint* points, int32_t count, PfcColor color) {
  const PfcPicture* picture = context;
  PfcPoint at[PFC_MAX_CORNERS];
  if (count < 3 || count > PFC_MAX_CORNERS) return;
  for (int32_t i = 0; i < count; ++i) {
    at[i] = pixel_at(picture, points[i].x, points[i].y);
    if (!drawable(at[i].x, at[i].y)) return;
  }
  pfc_fill_polygon(paint_of(picture, color), at, count);
}

// Digits and their signs are readable at smaller sizes than letters.
static float min_text_px(const char* text) {
  const bool letters = text[strspn(text, "0123456789 +-./")] != 0;
  return letters ? PFC_TEXT_LETTER_PX : PFC_TEXT_MIN_PX;
}

static void draw_text(void* context, float x, float y, float size, const char* text, PfcColor color) {
  const PfcPicture* picture = context;
  const PfcPoint p = pixel_at(picture, x, y);
  const float height = size * picture->scale;
  if (drawable(p.x, p.y) && height >= min_text_px(text) && height < MAX_POSITION_PX)
    pfc_fill_text(paint_of(picture, color), p.x, p.y, height, text);
}

static void draw_end(void* context) { (void)context; }

// ---- frames ----------------------------------------------------------------------------------------

PfcStatus pfc_picture_begin(PfcPicture* picture, int32_t width_px, int32_t height_px, PfcColor background) {
  PfcCanvas* canvas = &picture->canvas;
  if (!canvas->pixels || canvas->width != width_px || canvas->height != height_px) {
    pfc_picture_free(picture);
    canvas->pixels = pfc_alloc(sizeof(uint32_t) * (uint64_t)width_px * (uint64_t)height_px);
    if (!canvas->pixels)
      return pfc_fail(PFC_NO_MEMORY, "no memory for a picture of %d x %d pixels", width_px, height_px);
    canvas->width = width_px, canvas->height = height_px;
  }
  const PfcBox whole = {0, 0, width_px, height_px};
  pfc_canvas_clip(canvas, whole);
  pfc_raster_block(canvas, whole, background, 255.0f);
  return PFC_OK;
}

const PfcDraw* pfc_picture_draw(PfcPicture* picture, PfcDrawCell cell) {
  const bool somewhere = drawable(cell.x, cell.y) && drawable(cell.width, cell.height);
  if (!somewhere || cell.width < 0.0f || cell.height < 0.0f) cell = (PfcDrawCell){0.0f, 0.0f, 0.0f, 0.0f};
  const PfcBox box = {(int32_t)floorf(cell.x), (int32_t)floorf(cell.y), (int32_t)ceilf(cell.x + cell.width),
                      (int32_t)ceilf(cell.y + cell.height)};
  pfc_canvas_clip(&picture->canvas, box);
  picture->cell = cell;
  picture->scale = 1.0f;
  picture->left = cell.x;
  picture->top = cell.y;
  picture->draw = (PfcDraw){.context = picture,
                            .begin = draw_begin,
                            .rect = draw_rect,
                            .rounded_rect = draw_rounded_rect,
                            .circle = draw_circle,
                            .line = draw_line,
                            .polygon = draw_polygon,
                            .text = draw_text,
                            .end = draw_end};
  return &picture->draw;
}

void pfc_picture_rgb(const PfcPicture* picture, uint8_t* rgb) {
  const size_t count = (size_t)picture->canvas.width * (size_t)picture->canvas.height;
  for (size_t i = 0; i < count; ++i) memcpy(rgb + 3 * i, &picture->canvas.pixels[i], 3);
}

void pfc_picture_free(PfcPicture* picture) {
  pfc_free(picture->canvas.pixels);
  *picture = (PfcPicture){0};
}
