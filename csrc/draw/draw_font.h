// draw_font.h - a plotter's alphabet: every printable ASCII character as strokes, for text of any size.
//
// Characters live on a grid of 5 x 9 points: x 0 to 4, y 0 (top of capitals) to 8 (bottom of descenders), lower-case
// letters from 2, base line 6. A string holds one character's strokes with a space between, each stroke a chain of
// points written as two digits, x and y. A stroke after ~ is a curve: its points but the ends are control points that
// are rounded off, all of them where the stroke ends where it began. A chain of one point twice is a dot.
#ifndef PUFFERC_DRAW_FONT_H
#define PUFFERC_DRAW_FONT_H

#include "pufferc/draw.h"

#include <string.h>

enum { DRAW_FONT_COLUMNS = 5, DRAW_FONT_ROWS = 9 };  // of the grid
#define DRAW_FONT_MAX_POINTS 128  // of one stroke after rounding

static const char* const draw_font[] = {
    "",                                           // space
    "2024 2626",                                  // !
    "1012 3032",                                  // "
    "1016 3036 0242 0444",                        // #
    "~4140000343460605 2026",                     // $
    "~0020220200 ~2444462624 4006",               // %
    "~460100303204063644",                        // &
    "2022",                                       // '
    "~30121638",                                  // (
    "~10323618",                                  // )
    "2125 0244 4204",                             // *
    "2125 0343",                                  // +
    "2618",                                       // ,
    "0343",                                       // -
    "2626",                                       // .
    "4006",                                       // /
    "~0040460600",                                // 0
    "112026 0646",                                // 1
    "~0100404306 0646",                           // 2
    "~0100404323 ~2343460605",                    // 3
    "300444 3036",                                // 4
    "400002 ~0242460605",                         // 5
    "~0242460602 ~400004",                        // 6
    "004016",                                     // 7
    "~0040430300 ~0343460603",                    // 8
    "~0040440400 ~424606",                        // 9
    "2323 2626",                                  // :
    "2323 2618",                                  // ;
    "410345",                                     // <
    "0242 0444",                                  // =
    "014305",                                     // >
    "~010040432324 2626",                         // ?
    "~46060040443432 ~32121434",                  // @
    "062046 1434",                                // A
    "0006 ~00404303 ~03434606",                   // B
    "~414000064645",                              // C
    "0006 ~00404606",                             // D
    "40000646 0333",                              // E
    "400006 0333",                                // F
    "~414000064643 4323",                         // G
    "0006 4046 0343",                             // H
    "1030 2026 1636",                             // I
    "~4043460604",                                // J
    "0006 400346",                                // K
    "000646",                                     // L
    "0600234046",                                 // M
    "06004640",                                   // N
    "~103041453616050110",                        // O
    "0006 ~00404303",                             // P
    "~0040460600 2446",                           // Q
    "0006 ~00404303 2346",                        // R
    "~4140000343460605",                          // S
    "0040 2026",                                  // T
    "~000306464340",                              // U
    "002640",                                     // V
    "0016223640",                                 // W
    "0046 4006",                                  // X
    "002340 2326",                                // Y
    "00400646",                                   // Z
    "30101838",                                   // [
    "0046",                                       // backslash
    "10303818",                                   // ]
    "022042",                                     // ^
    "0747",                                       // _
    "1021",                                       // `
    "~0242460602 4246",                           // a
    "0006 ~0242460602",                           // b
    "~434202064645",                              // c
    "4046 ~0242460602",                           // d
    "0444 ~4442020646",                           // e
    "~40202326 0232",                             // f
    "~0242460602 ~4245480807",                    // g
    "0006 ~0402424446",                           // h
    "122226 1636 2020",                           // i
    "1232 ~3236380807 3030",                      // j
    "0006 420446",                                // k
    "102026 1636",                                // l
    "0206 ~03022223 2326 ~23224243 4346",         // m
    "0206 ~0402424446",                           // n
    "~0242460602",                                // o
    "0208 ~0242460602",                           // p
    "4248 ~0242460602",                           // q
    "0206 ~04024243",                             // r
    "~4342020444460605",                          // s
    "~2024264645 0242",                           // t
    "~0204064644 4246",                           // u
    "022642",                                     // v
    "0216233642",                                 // w
    "0246 4206",                                  // x
    "0226 4218",                                  // y
    "02420646",                                   // z
    "~30202414 ~14242838",                        // {
    "2028",                                       // |
    "~10202434 ~34242818",                        // }
    "~04123442",                                  // ~
};

// The strokes of the character that UTF-8 text starts with; *text moves past it. What the table lacks is a box.
static inline const char* draw_font_next(const char** text) {
  const unsigned char first = (unsigned char)*(*text)++;
  while (((unsigned char)**text & 0xc0) == 0x80) ++*text;
  return first >= 32 && first <= 126 ? draw_font[first - 32] : "0040460600";
}

// Cuts the corners of a chain of `count` points once; the new count. A chain that ends where it began stays closed.
static inline int draw_font_round(PfcPoint* points, int count) {
  PfcPoint cut[DRAW_FONT_MAX_POINTS];
  int made = 0;
  const bool closed = points[0].x == points[count - 1].x && points[0].y == points[count - 1].y;
  if (!closed) cut[made++] = points[0];
  for (int i = 0; i + 1 < count && made + 3 < DRAW_FONT_MAX_POINTS; ++i) {
    const PfcPoint a = points[i], b = points[i + 1];
    const bool first = i == 0 && !closed, last = i + 2 == count && !closed;
    if (!first) cut[made++] = (PfcPoint){0.75f * a.x + 0.25f * b.x, 0.75f * a.y + 0.25f * b.y};
    if (!last) cut[made++] = (PfcPoint){0.25f * a.x + 0.75f * b.x, 0.25f * a.y + 0.75f * b.y};
  }
  cut[made++] = closed ? cut[0] : points[count - 1];
  memcpy(points, cut, sizeof(PfcPoint) * (size_t)made);
  return made;
}

// The next stroke of a character on a grid whose lines lie at the given places: its number of points, 0 at the end.
// *strokes moves past it.
static inline int draw_font_stroke(const char** strokes, int roundings, const float columns[DRAW_FONT_COLUMNS],
                                   const float rows[DRAW_FONT_ROWS], PfcPoint points[DRAW_FONT_MAX_POINTS]) {
  const char* s = *strokes;
  while (*s == ' ') ++s;
  const bool curve = *s == '~';
  if (curve) ++s;
  int count = 0;
  for (; s[0] >= '0' && s[1] >= '0'; s += 2) points[count++] = (PfcPoint){columns[s[0] - '0'], rows[s[1] - '0']};
  *strokes = s;
  for (int i = 0; curve && i < roundings; ++i) count = draw_font_round(points, count);
  return count;
}

#endif  // PUFFERC_DRAW_FONT_H
