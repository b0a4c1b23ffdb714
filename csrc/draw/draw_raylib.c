// draw_raylib.c - PfcDraw over raylib, which only this file and its part draw_canvas.h include. Compiled twice: into
// memory, and, with PFC_DRAW_WINDOW, into a window. See draw_module.h for what both offer.
//
// Pixels are made in one of two ways: by draw_raster.h in a canvas, or, in a window, by OpenGL. See draw_canvas.h.
//
// raylib keeps its state in globals, and so does this file: one picture per process and module.
#include "draw/draw_module.h"

#include "draw/draw_canvas.h"
#include "draw/draw_shapes.h"

#include <math.h>
#include <raylib.h>
#include <rlgl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define MAX_POSITION_PX 1e6f  // what lies further away is not drawn

static struct {
  bool open;
  int32_t width, height;   // of the frame
  float scale, left, top;  // pixel = left + scale * world
  PfcDrawCell cell;
  bool on_canvas;     // pixels are made there, not by OpenGL
  Canvas canvas;      // without pixels until the first frame, and where OpenGL makes them
  Corner corners[3];  // of the triangle that is begun,
  int32_t corner;     // and how many of them there are
  char message[256];
} state;

static const char* fail(const char* format, ...) {
  va_list args;
  va_start(args, format);
  vsnprintf(state.message, sizeof state.message, format, args);
  va_end(args);
  return state.message;
}

// ---- pixels, as draw_shapes.h asks for them ------------------------------------------------------------

static void triangles_begin(void) {
  state.corner = 0;
  if (!state.on_canvas) rlBegin(RL_TRIANGLES);
}

static void triangles_end(void) {
  if (!state.on_canvas) rlEnd();
}

static void vertex(PfcPoint p, PfcColor color, float alpha) {
  const float opacity = alpha * (float)color.a;
  if (!state.on_canvas) {
    rlColor4ub(color.r, color.g, color.b, (unsigned char)(opacity + 0.5f));
    rlVertex2f(p.x, p.y);
    return;
  }
  state.corners[state.corner++] = (Corner){p.x, p.y, opacity};
  if (state.corner < 3) return;
  state.corner = 0;
  raster_triangle(&state.canvas, state.corners, color);
}

static void fill_pixels(int x0, int y0, int x1, int y1, PfcColor color, float alpha) {
  if (state.on_canvas) {
    raster_block(&state.canvas, x0, y0, x1, y1, color, alpha * (float)color.a);
    return;
  }
  const float left = (float)x0, top = (float)y0, right = (float)x1, bottom = (float)y1;
  const PfcPoint a = {left, top}, b = {left, bottom}, c = {right, bottom}, d = {right, top};
  triangles_begin();
  triangle(a, b, c, color, alpha);
  triangle(a, c, d, color, alpha);
  triangles_end();
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
  state.left = cell.x + roundf((cell.width - scale * width) / 2.0f);  // whole pixels keep the world's borders sharp
  state.top = cell.y + roundf((cell.height - scale * height) / 2.0f);
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
  if (drawable(a.x, a.y) && drawable(b.x, b.y) && half > 0.0f && half < MAX_POSITION_PX)
    fill_capsule(a, b, half, color);
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

// What is made of figures and their signs alone can be read when it is smaller.
static float least_text_px(const char* text) {
  const bool letters = text[strspn(text, "0123456789 +-./")] != 0;
  return letters ? PFC_TEXT_LETTER_PX : PFC_TEXT_MIN_PX;
}

static void draw_text(void* context, float x, float y, float size, const char* text, PfcColor color) {
  (void)context;
  const PfcPoint p = pixel(x, y);
  const float height = size * state.scale;
  if (drawable(p.x, p.y) && height >= least_text_px(text) && height < MAX_POSITION_PX) fill_text(p.x, p.y, height, text, color);
}

static void draw_end(void* context) { (void)context; }

static const PfcDraw draw_callbacks = {.begin = draw_begin,
                                       .rect = draw_rect,
                                       .rounded_rect = draw_rounded_rect,
                                       .circle = draw_circle,
                                       .line = draw_line,
                                       .polygon = draw_polygon,
                                       .text = draw_text,
                                       .end = draw_end};

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
  state.on_canvas = canvas_wanted();
  state.open = true;
  state.width = width;
  state.height = height;
  return NULL;
}

static void module_close(void) {
  if (!state.open) return;
  canvas_drop(&state.canvas);
  CloseWindow();
  state.open = false;
}

// Where OpenGL makes the pixels: they count from the upper left corner.
static void begin_triangles(int32_t width, int32_t height, PfcColor background) {
  rlViewport(0, 0, width, height);
  rlMatrixMode(RL_PROJECTION);
  rlLoadIdentity();
  rlOrtho(0.0, width, height, 0.0, 0.0, 1.0);
  rlMatrixMode(RL_MODELVIEW);
  rlLoadIdentity();
  rlDisableScissorTest();
  rlClearColor(background.r, background.g, background.b, 255);
  rlClearScreenBuffers();
}

static const char* module_begin_frame(int32_t width, int32_t height, PfcColor background) {
  if (!state.open) return fail("no picture is open");
  if (check_size(width, height)) return state.message;
  state.width = width;
  state.height = height;
  if (!state.on_canvas) {
    begin_triangles(width, height, background);
    return NULL;
  }
  if (!canvas_resize(&state.canvas, width, height))
    return fail("no memory for a picture of %d x %d pixels", width, height);
  canvas_clip(&state.canvas, 0, 0, width, height);
  raster_block(&state.canvas, 0, 0, width, height, background, 255.0f);
  return NULL;
}

static const PfcDraw* module_draw(PfcDrawCell cell) {
  const bool somewhere = drawable(cell.x, cell.y) && drawable(cell.width, cell.height);
  if (!somewhere || cell.width < 0.0f || cell.height < 0.0f) cell = (PfcDrawCell){0.0f, 0.0f, 0.0f, 0.0f};
  const int left = (int)floorf(cell.x), top = (int)floorf(cell.y);
  const int right = (int)ceilf(cell.x + cell.width), bottom = (int)ceilf(cell.y + cell.height);
  if (state.on_canvas) {
    canvas_clip(&state.canvas, left, top, right, bottom);
  } else {
    rlDrawRenderBatchActive();
    rlEnableScissorTest();
    rlScissor(left, state.height - bottom, right - left, bottom - top);
  }
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
  const size_t row_bytes = 3 * (size_t)state.width;
  if (state.on_canvas) {
    for (int32_t y = 0; y < state.height; ++y)
      pack_row(rgb + row_bytes * (size_t)y, (const unsigned char*)canvas_row(&state.canvas, y), state.width);
    return NULL;
  }
  unsigned char* rgba = rlReadScreenPixels(state.width, state.height);
  if (!rgba) return fail("no memory for a picture of %d x %d pixels", state.width, state.height);
  for (size_t y = 0; y < (size_t)state.height; ++y)
    pack_row(rgb + row_bytes * y, rgba + 4 * (size_t)state.width * y, state.width);
  MemFree(rgba);
  return NULL;
}

static const char* module_end_frame(uint8_t* rgb) {
  if (!state.on_canvas) rlDrawRenderBatchActive();
  const char* message = rgb ? read_back(rgb) : NULL;
#ifdef PFC_DRAW_WINDOW
  if (state.on_canvas) canvas_show(&state.canvas);
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
