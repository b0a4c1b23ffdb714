// draw_raylib.c - PfcDraw over raylib, the only file that includes it. Compiled twice: into memory, and, with
// PFC_DRAW_WINDOW, into a window. See draw_module.h for what both offer.
//
// raylib keeps its state in globals, and so does this file: one picture per process and module.
#include "draw_module.h"

#include "draw_shapes.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <raylib.h>
#include <rlgl.h>
#ifndef PFC_DRAW_WINDOW
#include <external/rlsw.h>
#endif

#define MAX_POSITION_PX 1e6f  // what lies further away is not drawn

static struct {
  bool open;
  int32_t width, height;  // of the frame
  float scale, left, top;  // pixel = left + scale * world
  PfcDrawCell cell;
#ifndef PFC_DRAW_WINDOW
  unsigned char* pixels;  // of the frame, [height, width, 4] from the bottom row up; the renderer's
  int clip[4];            // pixels of the cell: left, top, right, bottom
#endif
  char message[256];
} state;

static const char* fail(const char* format, ...) {
  va_list args;
  va_start(args, format);
  vsnprintf(state.message, sizeof state.message, format, args);
  va_end(args);
  return state.message;
}

#ifdef PFC_DRAW_WINDOW
static void fill_pixels(int x0, int y0, int x1, int y1, PfcColor color, float alpha) {
  const float left = (float)x0, top = (float)y0, right = (float)x1, bottom = (float)y1;
  const PfcPoint a = {left, top}, b = {left, bottom}, c = {right, bottom}, d = {right, top};
  triangles_begin();
  triangle(a, b, c, color, alpha);
  triangle(a, c, d, color, alpha);
  triangles_end();
}
#else
static int clamp_int(int value, int low, int high) { return value < low ? low : value > high ? high : value; }

// Straight into the renderer's buffer, which holds RGBA bytes with the bottom row first.
static void fill_pixels(int x0, int y0, int x1, int y1, PfcColor color, float alpha) {
  x0 = clamp_int(x0, state.clip[0], state.clip[2]), x1 = clamp_int(x1, state.clip[0], state.clip[2]);
  y0 = clamp_int(y0, state.clip[1], state.clip[3]), y1 = clamp_int(y1, state.clip[1], state.clip[3]);
  const uint32_t a = (uint32_t)(alpha * (float)color.a + 0.5f), b = 255 - a;
  const uint32_t added[4] = {a * color.r + 127, a * color.g + 127, a * color.b + 127, a * 255 + 127};
  for (int y = y0; y < y1; ++y) {
    unsigned char* row = state.pixels + 4 * (size_t)state.width * (size_t)(state.height - 1 - y);
    if (a == 255) {
      const unsigned char bytes[4] = {color.r, color.g, color.b, 255};
      for (int x = x0; x < x1; ++x) memcpy(row + 4 * x, bytes, 4);
      continue;
    }
    for (int x = x0; x < x1; ++x)
      for (int i = 0; i < 4; ++i) row[4 * x + i] = (unsigned char)((added[i] + b * row[4 * x + i]) / 255);
  }
}
#endif

static void triangles_begin(void) { rlBegin(RL_TRIANGLES); }
static void triangles_end(void) { rlEnd(); }
static void vertex(PfcPoint p, PfcColor color, float alpha) {
  rlColor4ub(color.r, color.g, color.b, (unsigned char)(alpha * (float)color.a + 0.5f));
  rlVertex2f(p.x, p.y);
}

// ---- PfcDraw: from the game's world to pixels ----------------------------------------------------------

static bool drawable(float x, float y) { return fabsf(x) < MAX_POSITION_PX && fabsf(y) < MAX_POSITION_PX; }

static PfcPoint pixel(float x, float y) {
  return (PfcPoint){state.left + state.scale * x, state.top + state.scale * y};
}

static void draw_begin(void* context, float width, float height, PfcColor background) {
  (void)context;
  const PfcDrawCell cell = state.cell;
  if (!(width > 0.0f) || !(height > 0.0f)) return;
  const float scale = fminf(cell.width / width, cell.height / height);
  if (!(scale > 1e-6f && scale < 1e6f)) return;
  state.scale = scale;
  state.left = cell.x + (cell.width - scale * width) / 2.0f;
  state.top = cell.y + (cell.height - scale * height) / 2.0f;
  fill_rect(cell.x, cell.y, cell.width, cell.height, background);
}

static void draw_rect(void* context, float x, float y, float width, float height, PfcColor color) {
  (void)context;
  const PfcPoint p = pixel(x, y), q = pixel(x + width, y + height);
  if (drawable(p.x, p.y) && drawable(q.x, q.y) && width > 0.0f && height > 0.0f)
    fill_rect(p.x, p.y, q.x - p.x, q.y - p.y, color);
}

static void draw_rounded_rect(void* context, float x, float y, float width, float height, float radius,
                              PfcColor color) {
  (void)context;
  const PfcPoint p = pixel(x, y), q = pixel(x + width, y + height);
  if (drawable(p.x, p.y) && drawable(q.x, q.y) && width > 0.0f && height > 0.0f)
    fill_rounded_rect(p.x, p.y, q.x - p.x, q.y - p.y, radius * state.scale, color);
}

static void draw_circle(void* context, float x, float y, float radius, PfcColor color) {
  (void)context;
  const PfcPoint p = pixel(x, y);
  const float r = radius * state.scale;
  if (drawable(p.x, p.y) && r > 0.0f && r < MAX_POSITION_PX) fill_circle(p, r, color);
}

static void draw_line(void* context, float x0, float y0, float x1, float y1, float thickness, PfcColor color) {
  (void)context;
  const PfcPoint a = pixel(x0, y0), b = pixel(x1, y1);
  const float half = thickness * state.scale / 2.0f;
  if (drawable(a.x, a.y) && drawable(b.x, b.y) && half > 0.0f && half < MAX_POSITION_PX) fill_capsule(a, b, half, color);
}

static void draw_polygon(void* context, const PfcPoint* points, int32_t count, PfcColor color) {
  (void)context;
  PfcPoint at[MAX_RING];
  if (count < 3 || count > MAX_RING) return;
  for (int32_t i = 0; i < count; ++i) {
    at[i] = pixel(points[i].x, points[i].y);
    if (!drawable(at[i].x, at[i].y)) return;
  }
  fill_polygon(at, count, color);
}

static void draw_text(void* context, float x, float y, float size, const char* text, PfcColor color) {
  (void)context;
  const PfcPoint p = pixel(x, y);
  const float height = size * state.scale;
  if (drawable(p.x, p.y) && height > 0.0f && height < MAX_POSITION_PX) fill_text(p.x, p.y, height, text, color);
}

static void draw_end(void* context) { (void)context; }

static const PfcDraw draw_callbacks = {NULL,        draw_begin, draw_rect,    draw_rounded_rect,
                                       draw_circle, draw_line,  draw_polygon, draw_text, draw_end};

// ---- frames ---------------------------------------------------------------------------------------------

// raylib says here why a window cannot be opened; the first reason counts, the rest follows from it. A window hint that
// GLFW does not know is no reason. Having a callback also keeps raylib from printing and from ending the process.
static void keep_warning(int level, const char* format, va_list args) {
  char text[sizeof state.message];
  if (level != LOG_WARNING && level != LOG_ERROR && level != LOG_FATAL) return;
  vsnprintf(text, sizeof text, format, args);
  if (!state.message[0] && !strstr(text, "window hint")) memcpy(state.message, text, sizeof text);
}

static const char* check_size(int32_t width, int32_t height) {
  const int32_t low = PFC_DRAW_MIN_SIDE_PX, high = PFC_DRAW_MAX_SIDE_PX;
  if (width >= low && width <= high && height >= low && height <= high) return NULL;
  return fail("a picture's sides must be in [%d, %d] pixels, got %d x %d", low, high, width, height);
}

static const char* module_open(int32_t width, int32_t height, const char* title) {
#ifdef PFC_DRAW_WINDOW
  if (state.open) return fail("this process already has a window; close it first");
#else
  if (state.open) return NULL;  // memory has room for everybody's pictures, one after the other
#endif
  if (check_size(width, height)) return state.message;
  state.message[0] = 0;
  SetTraceLogCallback(keep_warning);
#ifdef PFC_DRAW_WINDOW
  SetConfigFlags(FLAG_WINDOW_RESIZABLE | FLAG_VSYNC_HINT);
#endif
  InitWindow(width, height, title);
  if (!IsWindowReady()) {
    if (!state.message[0]) return fail("the window could not be opened");
    return state.message;
  }
  SetExitKey(KEY_NULL);
  rlDisableBackfaceCulling();
  rlDisableDepthTest();
  rlSetTexture(0);
  state.open = true;
  state.width = width;
  state.height = height;
  return NULL;
}

static void module_close(void) {
  if (!state.open) return;
  CloseWindow();
  state.open = false;
}

static const char* module_begin_frame(int32_t width, int32_t height, PfcColor background) {
  if (!state.open) return fail("no picture is open");
  if (check_size(width, height)) return state.message;
#ifndef PFC_DRAW_WINDOW
  if (width != state.width || height != state.height) rlResizeFramebuffer(width, height);
  int buffer_width = 0, buffer_height = 0;
  state.pixels = swGetColorBuffer(&buffer_width, &buffer_height);
  if (!state.pixels || buffer_width != width || buffer_height != height)
    return fail("no memory for a picture of %d x %d pixels", width, height);
#endif
  state.width = width;
  state.height = height;
  rlViewport(0, 0, width, height);
  rlMatrixMode(RL_PROJECTION);
  rlLoadIdentity();
  rlOrtho(0.0, width, height, 0.0, 0.0, 1.0);
  rlMatrixMode(RL_MODELVIEW);
  rlLoadIdentity();
  rlDisableScissorTest();
  rlClearColor(background.r, background.g, background.b, 255);
  rlClearScreenBuffers();
  return NULL;
}

static const PfcDraw* module_draw(PfcDrawCell cell) {
  const bool somewhere = drawable(cell.x, cell.y) && drawable(cell.width, cell.height);
  if (!somewhere || cell.width < 0.0f || cell.height < 0.0f) cell = (PfcDrawCell){0.0f, 0.0f, 0.0f, 0.0f};
  const int left = (int)floorf(cell.x), top = (int)floorf(cell.y);
  const int right = (int)ceilf(cell.x + cell.width), bottom = (int)ceilf(cell.y + cell.height);
  rlDrawRenderBatchActive();
  rlEnableScissorTest();
#ifdef PFC_DRAW_WINDOW
  rlScissor(left, state.height - bottom, right - left, bottom - top);
#else
  rlScissor(left, top, right - left, bottom - top);  // the software renderer counts y from the top here
  const int clip[4] = {clamp_int(left, 0, state.width), clamp_int(top, 0, state.height),
                       clamp_int(right, 0, state.width), clamp_int(bottom, 0, state.height)};
  memcpy(state.clip, clip, sizeof clip);
#endif
  state.cell = cell;
  state.scale = 1.0f;
  state.left = cell.x;
  state.top = cell.y;
  return &draw_callbacks;
}

// One row of RGBA pixels as RGB.
static void pack_row(uint8_t* rgb, const unsigned char* rgba, int32_t width) {
  for (int32_t x = 0; x < width; ++x) memcpy(rgb + 3 * x, rgba + 4 * x, 3);
}

// The frame as it was drawn, into `rgb` with the top row first.
static const char* read_back(uint8_t* rgb) {
  const size_t width = (size_t)state.width, height = (size_t)state.height;
#ifdef PFC_DRAW_WINDOW
  unsigned char* rgba = rlReadScreenPixels(state.width, state.height);
  if (!rgba) return fail("no memory for a picture of %d x %d pixels", state.width, state.height);
  for (size_t y = 0; y < height; ++y) pack_row(rgb + 3 * width * y, rgba + 4 * width * y, state.width);
  MemFree(rgba);
#else
  for (size_t y = 0; y < height; ++y)
    pack_row(rgb + 3 * width * y, state.pixels + 4 * width * (height - 1 - y), state.width);
#endif
  return NULL;
}

static const char* module_end_frame(uint8_t* rgb) {
  rlDrawRenderBatchActive();
  const char* message = rgb ? read_back(rgb) : NULL;
#ifdef PFC_DRAW_WINDOW
  SwapScreenBuffer();
#endif
  return message;
}

#ifdef PFC_DRAW_WINDOW
static void module_poll(void) {
  if (state.open) PollInputEvents();
}
static bool module_should_close(void) { return !state.open || WindowShouldClose(); }
static void module_size(int32_t* width, int32_t* height) {
  *width = GetRenderWidth();
  *height = GetRenderHeight();
}
static int32_t module_next_key(void) { return state.open ? GetKeyPressed() : 0; }
static bool module_key_down(int32_t key) { return state.open && key > 0 && key < 512 && IsKeyDown(key); }
#endif

__attribute__((visibility("default"))) extern const PfcDrawModule pfc_draw_module;
const PfcDrawModule pfc_draw_module = {
    .version = PFC_DRAW_MODULE_VERSION,
    .module_bytes = sizeof(PfcDrawModule),
    .open = module_open,
    .close = module_close,
    .begin_frame = module_begin_frame,
    .draw = module_draw,
    .end_frame = module_end_frame,
#ifdef PFC_DRAW_WINDOW
    .windowed = true,
    .poll = module_poll,
    .should_close = module_should_close,
    .size = module_size,
    .next_key = module_next_key,
    .key_down = module_key_down,
#endif
};
