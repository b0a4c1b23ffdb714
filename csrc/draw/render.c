// render.c - pictures and windows for C programs: a frame's order of calls, grids, and checks. See pufferc/render.h.
//
// What draws is a module of draw_module.h, whose state is global. So a renderer takes its kind, memory or window, for
// the time of a frame; a second one is refused meanwhile.
#include "pufferc/render.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "core/base.h"
#include "draw/draw_load.h"
#include "draw/grid.h"

enum { DEFAULT_WIDTH_PX = 960, DEFAULT_HEIGHT_PX = 720 };

struct PfcRenderer {
  const PfcDrawModule* module;
  pthread_t thread;       // which opened the window, as did
  pid_t process;          // this process
  bool drawing;           // between begin and end
  int32_t width, height;  // of the frame
  char title[128];        // the window borrows it
};

static _Atomic(PfcRenderer*) drawing_now[2];  // in memory, in the window

static PfcStatus check_renderer(const PfcRenderer* r) {
  if (!r) return pfc_fail(PFC_INVALID, "renderer: expected one, got NULL");
  if (r->module->windowed && r->process != getpid())
    return pfc_fail(PFC_STATE, "renderer: a window cannot be used in a forked child of the process that opened it");
  if (r->module->windowed && !pthread_equal(r->thread, pthread_self()))
    return pfc_fail(PFC_STATE, "renderer: a window is used by another thread than the one that opened it");
  return PFC_OK;
}

static PfcStatus check_frame(const PfcRenderer* r) {
  const PfcStatus status = check_renderer(r);
  if (!status && !r->drawing) return pfc_fail(PFC_STATE, "renderer: no frame was begun");
  return status;
}

static PfcStatus check_side(const char* name, int32_t side) {
  if (side >= PFC_DRAW_MIN_SIDE_PX && side <= PFC_DRAW_MAX_SIDE_PX) return PFC_OK;
  return pfc_fail(PFC_INVALID, "%s: expected %d to %d pixels, got %d", name, PFC_DRAW_MIN_SIDE_PX, PFC_DRAW_MAX_SIDE_PX,
                  side);
}

static PfcStatus check_range(const PfcPool* pool, int32_t first, int32_t count) {
  const PfcBuffers* b = pfc_pool_buffers(pool);
  if (!b) return pfc_fail(PFC_INVALID, "pool: expected one, got NULL");
  if (first < 0 || first >= b->num_games)
    return pfc_fail(PFC_INVALID, "first: expected 0 to %d, got %d", b->num_games - 1, first);
  if (count < 1 || count > b->num_games - first)
    return pfc_fail(PFC_INVALID, "count: expected 1 to %d games from game %d on, got %d", b->num_games - first, first,
                    count);
  return PFC_OK;
}

// ---- creation --------------------------------------------------------------------------------------

// Opens the module's window or its memory, which stays: another renderer, of Python say, may be using it.
static PfcStatus open_module(PfcRenderer* r, const PfcRendererDesc* desc) {
  const int32_t width = desc->width_px ? desc->width_px : DEFAULT_WIDTH_PX;
  const int32_t height = desc->height_px ? desc->height_px : DEFAULT_HEIGHT_PX;
  PfcStatus status = check_side("width_px", width);
  if (!status) status = check_side("height_px", height);
  if (status) return status;
  snprintf(r->title, sizeof r->title, "%s", desc->title ? desc->title : "pufferc");
  const char* message = r->module->open(width, height, r->title);
  r->thread = pthread_self();
  r->process = getpid();
  return message ? pfc_fail(PFC_UNSUPPORTED, "no %s: %s", r->module->windowed ? "window" : "pictures", message)
                 : PFC_OK;
}

PfcRenderer* pfc_renderer_create(const PfcRendererDesc* desc) {
  const PfcRendererDesc defaults = {0};
  if (!desc) desc = &defaults;
  const PfcDrawModule* module = pfc_draw_load(desc->module, desc->window != 0);
  if (!module) return NULL;
  if (module->windowed != (desc->window != 0)) {
    pfc_fail(PFC_INVALID, "module: %s draws %s, and window is %d", desc->module,
             module->windowed ? "into a window" : "into memory", desc->window);
    return NULL;
  }
  PfcRenderer* r = pfc_alloc(sizeof *r);
  if (!r) {
    pfc_fail(PFC_NO_MEMORY, "no memory for a renderer");
    return NULL;
  }
  r->module = module;
  if (open_module(r, desc) == PFC_OK) return r;
  pfc_free(r);
  return NULL;
}

// Gives the right to draw back.
static void release(PfcRenderer* r) {
  r->drawing = false;
  atomic_store(&drawing_now[r->module->windowed], NULL);
}

// Forgets a frame that was begun; a new cell has what is waiting drawn, so that the next frame does not show it.
static void drop_frame(PfcRenderer* r) {
  const PfcDrawCell nowhere = {0.0f, 0.0f, 0.0f, 0.0f};
  if (!r->drawing) return;
  (void)r->module->draw(nowhere);
  release(r);
}

void pfc_renderer_destroy(PfcRenderer* renderer) {
  if (!renderer) return;
  const bool ours = renderer->process == getpid();
  if (ours) drop_frame(renderer);
  if (ours && renderer->module->windowed) renderer->module->close();
  pfc_free(renderer);
}

// ---- frames ----------------------------------------------------------------------------------------

PfcStatus pfc_renderer_begin(PfcRenderer* r, int32_t width_px, int32_t height_px, PfcColor background) {
  PfcStatus status = check_renderer(r);
  if (status) return status;
  if (r->drawing) return pfc_fail(PFC_STATE, "renderer: a frame was begun and not ended");
  int32_t now[2] = {0, 0};
  if (r->module->windowed) r->module->size(&now[0], &now[1]);
  const int32_t width = width_px ? width_px : now[0], height = height_px ? height_px : now[1];
  status = check_side("width_px", width);
  if (!status) status = check_side("height_px", height);
  if (status) return status;
  PfcRenderer* none = NULL;
  if (!atomic_compare_exchange_strong(&drawing_now[r->module->windowed], &none, r))
    return pfc_fail(PFC_BUSY, "renderer: another one is drawing a frame");
  const char* message = r->module->begin_frame(width, height, background);
  if (message) {
    release(r);
    return pfc_fail(PFC_NO_MEMORY, "%s", message);
  }
  r->drawing = true;
  r->width = width, r->height = height;
  return PFC_OK;
}

// The grid's cells, moved to where it goes.
static PfcStatus draw_games(PfcRenderer* r, PfcPool* pool, int32_t first, const PfcGrid* grid, float x, float y) {
  for (int32_t i = 0; i < pfc_grid_cells(grid); ++i) {
    PfcDrawCell cell = pfc_grid_cell(grid, i);
    cell.x += x, cell.y += y;
    if (i >= grid->count) {
      pfc_draw_empty(r->module->draw(cell));
      continue;
    }
    const PfcStatus status = pfc_pool_draw(pool, first + i, r->module->draw(cell));
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
  if (count == 1) return pfc_pool_draw(pool, first, r->module->draw(cell));
  status = pfc_grid_fit(count, world_width, world_height, (int32_t)cell.width, (int32_t)cell.height, true, &grid);
  return status ? status : draw_games(r, pool, first, &grid, cell.x, cell.y);
}

const PfcDraw* pfc_renderer_draw(PfcRenderer* r, PfcDrawCell cell) {
  return check_frame(r) ? NULL : r->module->draw(cell);
}

PfcStatus pfc_renderer_end(PfcRenderer* r, uint8_t* rgb, uint64_t rgb_bytes) {
  const PfcStatus status = check_frame(r);
  if (status) return status;
  const uint64_t bytes = rgb ? 3 * (uint64_t)r->width * (uint64_t)r->height : 0;
  if (rgb_bytes != bytes)
    return pfc_fail(PFC_INVALID, "rgb_bytes: expected %llu for a frame of %d x %d, got %llu", (unsigned long long)bytes,
                    r->width, r->height, (unsigned long long)rgb_bytes);
  const char* message = r->module->end_frame(rgb);
  release(r);
  return message ? pfc_fail(PFC_NO_MEMORY, "%s", message) : PFC_OK;
}

PfcStatus pfc_renderer_picture(PfcRenderer* r, PfcPool* pool, int32_t first, int32_t count, int32_t width_px,
                               int32_t height_px, uint8_t* rgb, uint64_t rgb_bytes) {
  PfcStatus status = check_renderer(r);
  if (!status && !rgb && !r->module->windowed) status = pfc_fail(PFC_INVALID, "rgb: expected memory, got NULL");
  if (!status) status = pfc_renderer_begin(r, width_px, height_px, pfc_rgb(PFC_GRID_GAP_COLOR));
  if (status) return status;
  const PfcDrawCell whole = {0.0f, 0.0f, (float)r->width, (float)r->height};
  status = pfc_renderer_games(r, pool, first, count, whole);
  if (!status) status = pfc_renderer_end(r, rgb, rgb_bytes);
  drop_frame(r);  // nothing to do but after a failure
  return status;
}

PfcStatus pfc_picture_size(PfcPool* pool, int32_t count, int32_t* width_px, int32_t* height_px) {
  float world_width, world_height;
  PfcGrid grid;
  if (!width_px || !height_px) return pfc_fail(PFC_INVALID, "width_px and height_px: expected a box, got NULL");
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
  if (!status && !r->module->windowed) return pfc_fail(PFC_UNSUPPORTED, "renderer: this one draws into memory");
  return status;
}

PfcStatus pfc_renderer_poll(PfcRenderer* r, PfcWindowState* state) {
  const PfcStatus status = check_window(r);
  if (status) return status;
  if (!state) return pfc_fail(PFC_INVALID, "state: expected a struct to write to, got NULL");
  r->module->poll();
  state->closing = r->module->should_close();
  r->module->size(&state->width_px, &state->height_px);
  return PFC_OK;
}

int32_t pfc_renderer_next_key(PfcRenderer* r) { return check_window(r) ? 0 : r->module->next_key(); }

int32_t pfc_renderer_key_down(PfcRenderer* r, int32_t key) { return check_window(r) ? 0 : r->module->key_down(key); }
