// grid.c - how several games share a picture. See grid.h.
#include "draw/grid.h"

#include <math.h>

#include "core/base.h"
#include "pufferc/style.h"

#define MIN_WORLD_PX 4.0  // a world's shorter side in a picture

// Pixels per unit of a world that is repeated in a grid which fills a box.
static double scale_of(int32_t columns, int32_t count, const double world[2], const int32_t box[2]) {
  const int32_t rows = (count + columns - 1) / columns;
  const double across = (box[0] - (columns - 1.0) * PFC_GRID_GAP_PX) / (columns * world[0]);
  const double down = (box[1] - (rows - 1.0) * PFC_GRID_GAP_PX) / (rows * world[1]);
  return PFC_MIN(across, down);
}

static int32_t even_side(int32_t side) {
  return PFC_MIN(PFC_MAX(side + side % 2, PFC_DRAW_MIN_SIDE_PX), PFC_DRAW_MAX_SIDE_PX);
}

PfcStatus pfc_grid_fit(int32_t count, float world_width, float world_height, int32_t box_width, int32_t box_height,
                       bool exact, PfcGrid* grid) {
  const double world[2] = {world_width, world_height};
  const int32_t box[2] = {box_width, box_height};
  const int32_t max_columns = PFC_MIN(count, PFC_DRAW_MAX_SIDE_PX);  // more columns have no pixels
  int32_t columns = 1;
  for (int32_t n = 2; n <= max_columns; ++n)
    if (scale_of(n, count, world, box) > scale_of(columns, count, world, box)) columns = n;
  const int32_t rows = (count + columns - 1) / columns, gap = PFC_GRID_GAP_PX;
  const double scale = scale_of(columns, count, world, box);
  if (!(scale * PFC_MIN(world[0], world[1]) >= MIN_WORLD_PX))
    return pfc_fail(PFC_INVALID, "%d games do not fit into a picture of %d x %d pixels; show fewer", count, box[0],
                    box[1]);
  PfcGrid g = {.count = count, .columns = columns, .width = box[0], .height = box[1]};
  g.cell_width = exact ? (box[0] - (columns - 1) * gap) / columns : (int32_t)PFC_MAX(1.0, scale * world[0]);
  g.cell_height = exact ? (box[1] - (rows - 1) * gap) / rows : (int32_t)PFC_MAX(1.0, scale * world[1]);
  const int32_t full[2] = {columns * (g.cell_width + gap) - gap, rows * (g.cell_height + gap) - gap};
  if (!exact) g.width = even_side(full[0]), g.height = even_side(full[1]);
  g.left = (g.width - full[0]) / 2;
  g.top = (g.height - full[1]) / 2;
  *grid = g;
  return PFC_OK;
}

int32_t pfc_grid_cells(const PfcGrid* grid) {
  return (grid->count + grid->columns - 1) / grid->columns * grid->columns;
}

PfcDrawCell pfc_grid_cell(const PfcGrid* grid, int32_t index) {
  const int32_t column = index % grid->columns, row = index / grid->columns;
  if (grid->count == 1) return (PfcDrawCell){0.0f, 0.0f, (float)grid->width, (float)grid->height};
  return (PfcDrawCell){(float)(grid->left + column * (grid->cell_width + PFC_GRID_GAP_PX)),
                       (float)(grid->top + row * (grid->cell_height + PFC_GRID_GAP_PX)), (float)grid->cell_width,
                       (float)grid->cell_height};
}

void pfc_draw_empty(const PfcDraw* draw) {
  draw->begin(draw->context, 1.0f, 1.0f, pfc_rgb(PFC_PAGE));
  draw->end(draw->context);
}

// Callbacks that record the size of the world and draw nothing.
static void measure_begin(void* context, float width, float height, PfcColor background) {
  float* world = context;
  (void)background;
  world[0] = width, world[1] = height;
}
static void skip_rect(void* context, float x, float y, float width, float height, PfcColor color) {
  (void)context, (void)x, (void)y, (void)width, (void)height, (void)color;
}
static void skip_five(void* context, float x, float y, float width, float height, float more, PfcColor color) {
  (void)context, (void)x, (void)y, (void)width, (void)height, (void)more, (void)color;
}
static void skip_circle(void* context, float x, float y, float radius, PfcColor color) {
  (void)context, (void)x, (void)y, (void)radius, (void)color;
}
static void skip_polygon(void* context, const PfcPoint* points, int32_t count, PfcColor color) {
  (void)context, (void)points, (void)count, (void)color;
}
static void skip_text(void* context, float x, float y, float size, const char* text, PfcColor color) {
  (void)context, (void)x, (void)y, (void)size, (void)text, (void)color;
}
static void skip_end(void* context) { (void)context; }

PfcStatus pfc_world_size(PfcPool* pool, int32_t game, float* width, float* height) {
  float world[2] = {0.0f, 0.0f};
  const PfcDraw draw = {.context = world,          .begin = measure_begin, .rect = skip_rect, .rounded_rect = skip_five,
                        .circle = skip_circle,     .line = skip_five,      .polygon = skip_polygon,
                        .text = skip_text,         .end = skip_end};
  const PfcStatus status = pfc_pool_draw(pool, game, &draw);
  if (status) return status;
  if (!(world[0] > 0.0f && world[1] > 0.0f && isfinite(world[0]) && isfinite(world[1])))
    return pfc_fail(PFC_UNSUPPORTED,
                    "the game %s has no picture: its draw function does not call begin with a valid size",
                    pfc_pool_buffers(pool)->spec->name);
  *width = world[0], *height = world[1];
  return PFC_OK;
}
