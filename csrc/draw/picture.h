// picture.h - a picture in memory that games, shapes and text are drawn into.
//
//   PfcPicture picture = {0};
//   status = pfc_picture_begin(&picture, width, height, background);
//   status = pfc_pool_draw(pool, game, pfc_picture_draw(&picture, cell));   // any number of times
//   pfc_picture_rgb(&picture, rgb);
//   pfc_picture_free(&picture);
//
// A picture has no state outside of its struct, so threads may draw different pictures at the same time. It needs no
// display, GPU or other library. Equal calls give equal pixels.
#ifndef PUFFERC_PICTURE_H
#define PUFFERC_PICTURE_H

#include "draw/raster.h"
#include "pufferc/pufferc.h"

typedef struct PfcPicture {
  PfcCanvas canvas;
  PfcDrawCell cell;        // the current cell
  float scale, left, top;  // pixel = left + scale * world
  PfcDraw draw;            // its context is this picture
} PfcPicture;

// Starts a frame: every pixel gets the background. Reuses the memory of a previous frame of the same size.
// Sides in [PFC_DRAW_MIN_SIDE_PX, PFC_DRAW_MAX_SIDE_PX]. After PFC_NO_MEMORY there is no frame.
PfcStatus pfc_picture_begin(PfcPicture* picture, int32_t width_px, int32_t height_px, PfcColor background);

// Callbacks that draw into a cell and clip at its borders. Until `begin` is called, positions are pixels from the
// cell's upper left corner. Valid until the next call; `agent` is 0.
const PfcDraw* pfc_picture_draw(PfcPicture* picture, PfcDrawCell cell);

// Copies the frame to rgb [height, width, 3], top row first.
void pfc_picture_rgb(const PfcPicture* picture, uint8_t* rgb);

void pfc_picture_free(PfcPicture* picture);  // also for a picture of zeros; it can be used again afterwards

#endif  // PUFFERC_PICTURE_H
