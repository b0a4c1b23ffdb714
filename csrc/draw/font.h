// font.h - every printable ASCII character as strokes, for text of any size.
#ifndef PUFFERC_FONT_H
#define PUFFERC_FONT_H

#include <stdint.h>

#include "pufferc/draw.h"

enum {
  PFC_FONT_COLUMNS = 5,
  PFC_FONT_ROWS = 9,           // 0: top of capitals, 2: top of small letters, 6: base line, 8: bottom of descenders
  PFC_FONT_MAX_POINTS = 128,   // of one stroke after rounding
};

// Where the lines of the characters' grid lie in a picture, in pixels.
typedef struct PfcFontGrid {
  float columns[PFC_FONT_COLUMNS], rows[PFC_FONT_ROWS];
} PfcFontGrid;

// The strokes of the first character of UTF-8 text; *text moves past it. A character that the font lacks is a box.
const char* pfc_font_next(const char** text);

// Writes the next stroke of a character, a chain of points; *strokes moves past it. Curves are rounded `roundings`
// times. Returns the number of points, 0 after the last stroke. A dot is one point twice.
int32_t pfc_font_stroke(const char** strokes, const PfcFontGrid* grid, int32_t roundings,
                        PfcPoint points[PFC_FONT_MAX_POINTS]);

#endif  // PUFFERC_FONT_H
