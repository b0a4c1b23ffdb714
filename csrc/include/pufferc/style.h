// style.h - one look for all games: a palette by meaning, a board on a page, and figures with their units.
//
// A game may draw as it likes; with these it looks like the others. Header-only, over the callbacks of draw.h; text is
// borrowed for the call. Colours are 0xRRGGBB, for pfc_rgb and pfc_tint.
#ifndef PUFFERC_STYLE_H
#define PUFFERC_STYLE_H

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "pufferc/draw.h"

#define PFC_PAGE 0x0b0d13u    // round the world, where a picture has other proportions
#define PFC_BOARD 0x12141cu   // what the game is played on
#define PFC_TILE 0x1d212du    // what stands out from the board
#define PFC_LINE 0x323a4du    // walls, rails, marks
#define PFC_DIM 0x8a93a8u     // units, and what matters less
#define PFC_INK 0xe8ebf2u     // figures
#define PFC_AGENT 0x3fb6d3u   // who acts
#define PFC_RIVAL 0xf2793bu   // who acts against it
#define PFC_GOAL 0xf2b134u    // what it is after
#define PFC_GOOD 0x5fb96cu
#define PFC_BAD 0xe5484du
#define PFC_VIOLET 0x6d7ff0u  // where a further colour is needed

// A colour that lets through what lies below; alpha from 0 (all of it) to 255 (nothing).
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

// A number with its unit behind it, small and dim, on one line: "184 points". size is the number's height. It goes
// rightwards from (x, y), its upper left corner, or else that is its upper right one.
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

// A figure with one decimal, bounded by a million; 0 has no sign. `sign`: positive ones show theirs.
static inline void pfc_draw_measure(const PfcDraw* d, float x, float y, float size, bool rightwards, float value,
                                    bool sign, const char* unit) {
  const float bounded = value >= -1e6f ? value <= 1e6f ? value : 1e6f : -1e6f;
  const int32_t tenths = (int32_t)(10.0f * bounded + (bounded < 0.0f ? -0.5f : 0.5f));
  char number[16];
  snprintf(number, sizeof number, sign && tenths != 0 ? "%+.1f" : "%.1f", (double)tenths / 10.0);
  pfc_draw_figure(d, x, y, size, rightwards, number, unit);
}

#endif  // PUFFERC_STYLE_H
