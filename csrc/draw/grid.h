// grid.h - how several games share a picture: equal cells, row after row, with a gap between them. All in pixels.
#ifndef PUFFERC_GRID_H
#define PUFFERC_GRID_H

#include "pufferc/pufferc.h"

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { PFC_GRID_GAP_PX = 4 };
#define PFC_GRID_GAP_COLOR 0x2a2f3au  // 0xRRGGBB

typedef struct PfcGrid {
  int32_t count, columns;
  int32_t width, height;            // of the picture
  int32_t left, top;                // of the first cell
  int32_t cell_width, cell_height;
} PfcGrid;

// The grid that shows `count` worlds of one size largest in a box. exact: the picture is the box; else it is cut to its
// contents, with even sides. PFC_INVALID where the games would be too small to see.
PfcStatus pfc_grid_fit(int32_t count, float world_width, float world_height, int32_t box_width, int32_t box_height,
                       bool exact, PfcGrid* grid);
// Cells in all rows, the empty ones of the last row included.
int32_t pfc_grid_cells(const PfcGrid* grid);
// One game has the whole picture.
PfcDrawCell pfc_grid_cell(const PfcGrid* grid, int32_t index);

// Fills a cell that has no game.
void pfc_draw_empty(const PfcDraw* draw);

// Size of a game's world in its own units, which its draw function passes to `begin`. PFC_UNSUPPORTED where it does not
// draw itself.
PfcStatus pfc_world_size(PfcPool* pool, int32_t game, float* width, float* height);

#ifdef __cplusplus
}
#endif

#endif  // PUFFERC_GRID_H
