// style.h - a common look for all games: a palette by meaning, a board on a page, numbers with units.
//
// Optional: a game that uses these looks like the others. Header-only, built on the callbacks of draw.h. Text is
// borrowed for the call. Colours are 0xRRGGBB, for pfc_rgb and pfc_tint.
#ifndef PUFFERC_STYLE_H
#define PUFFERC_STYLE_H

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "pufferc/draw.h"

#define PFC_PAGE 0x0b0d13u    // the margin around the board
#define PFC_BOARD 0x12141cu   // background of the playing area
#define PFC_TILE 0x1d212du    // cells and fields that stand out from the board
#define PFC_LINE 0x323a4du    // walls, rails, marks
#define PFC_DIM 0x8a93a8u     // units and minor details
#define PFC_INK 0xe8ebf2u     // numbers and text
#define PFC_AGENT 0x3fb6d3u   // the agent
#define PFC_RIVAL 0xf2793bu   // its opponents
#define PFC_GOAL 0xf2b134u    // its goal
#define PFC_GOOD 0x5fb96cu
#define PFC_BAD 0xe5484du
#define PFC_VIOLET 0x6d7ff0u  // spare

// A translucent colour; alpha from 0 (transparent) to 255 (opaque).
static inline PfcColor pfc_tint(uint32_t rgb, uint8_t alpha) {
  PfcColor color = pfc_rgb(rgb);
  color.a = alpha;
  return color;
}

// Begins a picture: the world [0, width] x [0, height] as a board on a page.
static inline void pfc_draw_board(const PfcDraw* d, float width, float height) {
  d->begin(d->context, width, height, pfc_rgb(PFC_PAGE));
  d->rect(d->context, 0.0f, 0.0f, width, height, pfc_rgb(PFC_BOARD));
}

static inline float pfc_text_width(const char* text, float size) {
  const size_t characters = strlen(text);
  return PFC_TEXT_PITCH * size * (float)characters;
}

// A number followed by its unit, smaller and dimmer: "184 points". size is the number's height. (x, y) is the top left
// corner of the text if `rightwards`, else its top right corner.
static inline void pfc_draw_figure(const PfcDraw* d, float x, float y, float size, bool rightwards, const char* number,
                                   const char* unit) {
  const float small = 0.55f * size, behind = pfc_text_width(number, size) + 0.25f * size;
  const float left = rightwards ? x : x - behind - pfc_text_width(unit, small);
  d->text(d->context, left, y, size, number, pfc_rgb(PFC_INK));
  d->text(d->context, left + behind, y + PFC_TEXT_BASELINE * (size - small), small, unit, pfc_rgb(PFC_DIM));
}

static inline void pfc_draw_count(const PfcDraw* d, float x, float y, float size, bool rightwards, int32_t count,
                                  const char* unit) {
  const int plain = count;
  char number[16];
  snprintf(number, sizeof number, "%d", plain);
  pfc_draw_figure(d, x, y, size, rightwards, number, unit);
}

// A number with one decimal, clamped to +-1e6. `sign` prints a plus before positive values; 0 has no sign.
static inline void pfc_draw_measure(const PfcDraw* d, float x, float y, float size, bool rightwards, float value,
                                    bool sign, const char* unit) {
  const float bounded = value >= -1e6f ? value <= 1e6f ? value : 1e6f : -1e6f;
  const int32_t tenths = (int32_t)(10.0f * bounded + (bounded < 0.0f ? -0.5f : 0.5f));
  char number[16];
  snprintf(number, sizeof number, sign && tenths != 0 ? "%+.1f" : "%.1f", (double)tenths / 10.0);
  pfc_draw_figure(d, x, y, size, rightwards, number, unit);
}

#endif  // PUFFERC_STYLE_H
