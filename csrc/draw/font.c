// font.c - the strokes of every printable ASCII character. See font.h.
#include "draw/font.h"

#include <stdbool.h>
#include <string.h>

// A string holds one character's strokes, separated by spaces. A stroke is a chain of points, each written as two
// digits, its column and row. A stroke that starts with ~ is a curve: all its points but the two ends are control
// points, whose corners are cut; a closed curve, which ends where it begins, has no ends.
static const char* const characters[] = {
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

static const char missing_character[] = "0040460600";

const char* pfc_font_next(const char** text) {
  const unsigned char first = (unsigned char)*(*text)++;
  while (((unsigned char)**text & 0xc0) == 0x80) ++*text;  // the further bytes of the same character
  return first >= 32 && first <= 126 ? characters[first - 32] : missing_character;
}

// Cuts every corner of a chain once, at a quarter of its edges; returns the new count. A closed chain stays closed.
static int32_t cut_corners(PfcPoint* points, int32_t count) {
  PfcPoint cut[PFC_FONT_MAX_POINTS];
  int32_t made = 0;
  const bool closed = points[0].x == points[count - 1].x && points[0].y == points[count - 1].y;
  if (!closed) cut[made++] = points[0];
  for (int32_t i = 0; i + 1 < count && made + 3 < PFC_FONT_MAX_POINTS; ++i) {
    const PfcPoint a = points[i], b = points[i + 1];
    const bool first = i == 0 && !closed, last = i + 2 == count && !closed;
    if (!first) cut[made++] = (PfcPoint){0.75f * a.x + 0.25f * b.x, 0.75f * a.y + 0.25f * b.y};
    if (!last) cut[made++] = (PfcPoint){0.25f * a.x + 0.75f * b.x, 0.25f * a.y + 0.75f * b.y};
  }
  cut[made++] = closed ? cut[0] : points[count - 1];
  memcpy(points, cut, sizeof(PfcPoint) * (size_t)made);
  return made;
}

int32_t pfc_font_stroke(const char** strokes, const PfcFontGrid* grid, int32_t roundings,
                        PfcPoint points[PFC_FONT_MAX_POINTS]) {
  const char* s = *strokes;
  while (*s == ' ') ++s;
  const bool curve = *s == '~';
  if (curve) ++s;
  int32_t count = 0;
  for (; s[0] >= '0' && s[1] >= '0'; s += 2)
    points[count++] = (PfcPoint){grid->columns[s[0] - '0'], grid->rows[s[1] - '0']};
  *strokes = s;
  for (int32_t i = 0; curve && i < roundings; ++i) count = cut_corners(points, count);
  return count;
}
