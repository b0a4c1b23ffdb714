// render.c - pictures and windows for C programs: order of calls, grids, checks. See pufferc/render.h.
//
// A renderer draws into its own picture, which a window then shows.
#include "pufferc/render.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "core/base.h"
#include "draw/grid.h"
#include "draw/picture.h"
#include "draw/window_load.h"

enum { DEFAULT_WIDTH_PX = 960, DEFAULT_HEIGHT_PX = 720 };

struct PfcRenderer {
  PfcPicture picture;
  bool drawing;                   // between begin and end
  const PfcWindowModule* window;  // NULL = draws into memory only
  pthread_t thread;               // the thread that opened the window
  pid_t process;                  // the process that opened it
  char title[128];                // borrowed by the window
};

static atomic_int window_is_open;  // a process can have one window

static PfcStatus check_renderer(const PfcRenderer* r) {
  if (!r) return pfc_fail(PFC_INVALID, "renderer: expected a renderer, got NULL");
  if (r->window && r->process != getpid())
    return pfc_fail(PFC_STATE, "renderer: a forked child cannot use the window of its parent");
  if (r->window && !pthread_equal(r->thread, pthread_self()))
    return pfc_fail(PFC_STATE, "renderer: only the thread that opened a window can use it");
  return PFC_OK;
}

static PfcStatus check_frame(const PfcRenderer* r) {
  const PfcStatus status = check_renderer(r);
  if (!status && !r->drawing) return pfc_fail(PFC_STATE, "renderer: begin a frame first");
  return status;
}

static PfcStatus check_side(const char* name, int32_t side) {
  if (side >= PFC_DRAW_MIN_SIDE_PX && side <= PFC_DRAW_MAX_SIDE_PX) return PFC_OK;
  return pfc_fail(PFC_INVALID, "%s: expected %d to %d pixels, got %d", name, PFC_DRAW_MIN_SIDE_PX, PFC_DRAW_MAX_SIDE_PX,
                  side);
}

static PfcStatus check_range(const PfcPool* pool, int32_t first, int32_t count) {
  const PfcBuffers* b = pfc_pool_buffers(pool);
  if (!b) return pfc_fail(PFC_INVALID, "pool: expected a pool, got NULL");
  if (first < 0 || first >= b->num_games)
    return pfc_fail(PFC_INVALID, "first: expected 0 to %d, got %d", b->num_games - 1, first);
  if (count < 1 || count > b->num_games - first)
    return pfc_fail(PFC_INVALID, "count: expected 1 to %d games from game %d, got %d", b->num_games - first, first,
                    count);
  return PFC_OK;
}

// ---- creation --------------------------------------------------------------------------------------

static PfcStatus open_window(PfcRenderer* r, const PfcRendererDesc* desc) {
  const int32_t width = desc->width_px ? desc->width_px : DEFAULT_WIDTH_PX;
  const int32_t height = desc->height_px ? desc->height_px : DEFAULT_HEIGHT_PX;
  PfcStatus status = check_side("width_px", width);
  if (!status) status = check_side("height_px", height);
  if (status) return status;
  const PfcWindowModule* window = pfc_window_load(desc->module);
  if (!window) return pfc_last_status();
  if (atomic_exchange(&window_is_open, 1))
    return pfc_fail(PFC_UNSUPPORTED, "no window: this process already has a window; close it first");
  snprintf(r->title, sizeof r->title, "%s", desc->title ? desc->title : "pufferc");
  const char* message = window->open(width, height, r->title);
  if (message) {
    atomic_store(&window_is_open, 0);
    return pfc_fail(PFC_UNSUPPORTED, "no window: %s", message);
  }
  r->window = window;
  r->thread = pthread_self();
  r->process = getpid();
  return PFC_OK;
}

PfcRenderer* pfc_renderer_create(const PfcRendererDesc* desc) {
  PfcRenderer* r = pfc_alloc(sizeof *r);
  if (!r) {
    pfc_fail(PFC_NO_MEMORY, "no memory for a renderer");
    return NULL;
  }
  if (!desc || !desc->window || open_window(r, desc) == PFC_OK) return r;
  pfc_free(r);
  return NULL;
}

void pfc_renderer_destroy(PfcRenderer* renderer) {
  if (!renderer) return;
  if (renderer->window && renderer->process == getpid()) {
    renderer->window->close();
    atomic_store(&window_is_open, 0);
  }
  pfc_picture_free(&renderer->picture);
  pfc_free(renderer);
}

// ---- frames ----------------------------------------------------------------------------------------

PfcStatus pfc_renderer_begin(PfcRenderer* r, int32_t width_px, int32_t height_px, PfcColor background) {
  PfcStatus status = check_renderer(r);
  if (status) return status;
  if (r->drawing) return pfc_fail(PFC_STATE, "renderer: end the current frame first");
  int32_t now[2] = {0, 0};
  if (r->window) r->window->size(&now[0], &now[1]);
  const int32_t width = width_px ? width_px : now[0], height = height_px ? height_px : now[1];
  status = check_side("width_px", width);
  if (!status) status = check_side("height_px", height);
  if (!status) status = pfc_picture_begin(&r->picture, width, height, background);
  r->drawing = status == PFC_OK;
  return status;
}

// Draws the cells of a grid whose upper left corner is at (x, y).
static PfcStatus draw_games(PfcRenderer* r, PfcPool* pool, int32_t first, const PfcGrid* grid, float x, float y) {
  for (int32_t i = 0; i < pfc_grid_cells(grid); ++i) {
    PfcDrawCell cell = pfc_grid_cell(grid, i);
    cell.x += x, cell.y += y;
    if (i >= grid->count) {
      pfc_draw_empty(pfc_picture_draw(&r->picture, cell));
      continue;
    }
    const PfcStatus status = pfc_pool_draw(pool, first + i, pfc_picture_draw(&r->picture, cell));
    if (status) return status;
  }
  return PFC_OK;
}

PfcStatus pfc_renderer_games(PfcRenderer* r, PfcPool* pool, int32_t first, int32_t count, PfcDrawCell cell) {
  float world_width, world_height;
  PfcGrid grid;
  PfcStatus status = check_frame(r);
  if (!status) status = check_range(pool, first, count);
  if (status) return status;
  const float limit = 1.0f * PFC_DRAW_MAX_SIDE_PX;
  if (!(cell.width >= 1.0f && cell.width <= limit && cell.height >= 1.0f && cell.height <= limit))
    return pfc_fail(PFC_INVALID, "cell: expected sides of 1 to %d pixels, got %g x %g", PFC_DRAW_MAX_SIDE_PX,
                    (double)cell.width, (double)cell.height);
  status = pfc_world_size(pool, first, &world_width, &world_height);
  if (status) return status;
  if (count == 1) return pfc_pool_draw(pool, first, pfc_picture_draw(&r->picture, cell));
  status = pfc_grid_fit(count, world_width, world_height, (int32_t)cell.width, (int32_t)cell.height, true, &grid);
  return status ? status : draw_games(r, pool, first, &grid, cell.x, cell.y);
}

const PfcDraw* pfc_renderer_draw(PfcRenderer* r, PfcDrawCell cell) {
  return check_frame(r) ? NULL : pfc_picture_draw(&r->picture, cell);
}

PfcStatus pfc_renderer_end(PfcRenderer* r, uint8_t* rgb, uint64_t rgb_bytes) {
  const PfcStatus status = check_frame(r);
  if (status) return status;
  const PfcCanvas* canvas = &r->picture.canvas;
  const uint64_t bytes = rgb ? 3 * (uint64_t)canvas->width * (uint64_t)canvas->height : 0;
  if (rgb_bytes != bytes)
    return pfc_fail(PFC_INVALID, "rgb_bytes: expected %llu for a frame of %d x %d, got %llu", (unsigned long long)bytes,
                    canvas->width, canvas->height, (unsigned long long)rgb_bytes);
  r->drawing = false;
  if (rgb) pfc_picture_rgb(&r->picture, rgb);
  const char* message = r->window ? r->window->show(canvas->pixels, canvas->width, canvas->height) : NULL;
  return message ? pfc_fail(PFC_NO_MEMORY, "%s", message) : PFC_OK;
}

PfcStatus pfc_renderer_picture(PfcRenderer* r, PfcPool* pool, int32_t first, int32_t count, int32_t width_px,
                               int32_t height_px, uint8_t* rgb, uint64_t rgb_bytes) {
  PfcStatus status = check_renderer(r);
  if (!status && !rgb && !r->window) status = pfc_fail(PFC_INVALID, "rgb: expected memory, got NULL");
  if (!status) status = pfc_renderer_begin(r, width_px, height_px, pfc_rgb(PFC_GRID_GAP_COLOR));
  if (status) return status;
  const PfcDrawCell whole = {0.0f, 0.0f, (float)r->picture.canvas.width, (float)r->picture.canvas.height};
  status = pfc_renderer_games(r, pool, first, count, whole);
  if (!status) status = pfc_renderer_end(r, rgb, rgb_bytes);
  r->drawing = false;
  return status;
}

PfcStatus pfc_picture_size(PfcPool* pool, int32_t count, int32_t* width_px, int32_t* height_px) {
  float world_width, world_height;
  PfcGrid grid;
  if (!width_px || !height_px) return pfc_fail(PFC_INVALID, "width_px and height_px: expected pointers, got NULL");
  PfcStatus status = check_range(pool, 0, count);
  if (!status) status = check_side("width_px", *width_px);
  if (!status) status = check_side("height_px", *height_px);
  if (!status) status = pfc_world_size(pool, 0, &world_width, &world_height);
  if (!status) status = pfc_grid_fit(count, world_width, world_height, *width_px, *height_px, false, &grid);
  if (!status) *width_px = grid.width, *height_px = grid.height;
  return status;
}

// ---- windows ---------------------------------------------------------------------------------------

static PfcStatus check_window(const PfcRenderer* r) {
  const PfcStatus status = check_renderer(r);
  if (!status && !r->window)
    return pfc_fail(PFC_UNSUPPORTED, "renderer: expected a window, got a renderer that draws into memory");
  return status;
}

PfcStatus pfc_renderer_poll(PfcRenderer* r, PfcWindowState* state) {
  const PfcStatus status = check_window(r);
  if (status) return status;
  if (!state) return pfc_fail(PFC_INVALID, "state: expected a struct to write to, got NULL");
  r->window->poll();
  state->closing = r->window->should_close();
  r->window->size(&state->width_px, &state->height_px);
  state->clicked = r->window->clicked(&state->click_x_px, &state->click_y_px);
  return PFC_OK;
}

int32_t pfc_renderer_next_key(PfcRenderer* r) { return check_window(r) ? 0 : r->window->next_key(); }

int32_t pfc_renderer_key_down(PfcRenderer* r, int32_t key) { return check_window(r) ? 0 : r->window->key_down(key); }
