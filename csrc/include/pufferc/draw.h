// draw.h - how a game shows itself: a struct of callbacks, so that no game knows a screen.
//
// A game's draw function receives a PfcDraw and calls it between begin and end, in back-to-front order,
// in the game's own coordinates (units chosen by the game, x right, y down). Whoever made the
// PfcDraw maps them to pixels: a window, an image in memory, a test that records the calls.
// All pointers are filled in by the maker; text and points are borrowed for the call only.
// Drawing must not change the game.
#ifndef PUFFERC_DRAW_H
#define PUFFERC_DRAW_H

#include <stdint.h>

typedef struct PfcColor {
  uint8_t r, g, b, a;  // a: 255 = opaque
} PfcColor;

typedef struct PfcPoint {
  float x, y;
} PfcPoint;

// Bounds of a picture's sides, in pixels.
#define PFC_DRAW_MIN_SIDE_PX 16
#define PFC_DRAW_MAX_SIDE_PX 4096

#define PFC_TEXT_PITCH 0.6f      // from character to character, as a part of the text's size
#define PFC_TEXT_BASELINE 0.75f  // from the upper edge to the line that letters stand on, likewise
#define PFC_TEXT_MIN_PX 6.0f     // high: the least at which figures and their signs can be read
#define PFC_TEXT_LETTER_PX 9.0f  // letters and everything else

// The part of a picture that a game is drawn into, in pixels. Its world keeps its proportions and is centred.
typedef struct PfcDrawCell {
  float x, y, width, height;
} PfcDrawCell;

typedef struct PfcDraw {
  void* context;  // handed back as the first argument of every callback

  // First call: the visible world is [0, width] x [0, height] in game units on this background.
  void (*begin)(void* context, float width, float height, PfcColor background);
  void (*rect)(void* context, float x, float y, float width, float height, PfcColor color);
  void (*rounded_rect)(void* context, float x, float y, float width, float height, float radius, PfcColor color);
  void (*circle)(void* context, float x, float y, float radius, PfcColor color);
  void (*line)(void* context, float x0, float y0, float x1, float y1, float thickness, PfcColor color);
  // A filled convex polygon of count >= 3 corners in either order.
  void (*polygon)(void* context, const PfcPoint* points, int32_t count, PfcColor color);
  // UTF-8 text; (x, y) is the left end of its upper edge, size its height in game units. All characters are
  // PFC_TEXT_PITCH wide. What would be too small in the picture to be read is left out.
  void (*text)(void* context, float x, float y, float size, const char* text, PfcColor color);
  void (*end)(void* context);

  // What a game does not know of itself. The agent is the caller's choice: the one of a game of several that a picture
  // follows if it cannot show all. The rest is filled in by the pool.
  int32_t agent;
  int32_t steps;         // that its episode has taken so far
  float episode_return;  // of the steps so far
} PfcDraw;

static inline PfcColor pfc_rgb(uint32_t rgb) {  // 0xRRGGBB
  PfcColor c;
  c.r = (uint8_t)(rgb >> 16);
  c.g = (uint8_t)(rgb >> 8);
  c.b = (uint8_t)rgb;
  c.a = 255;
  return c;
}

#endif  // PUFFERC_DRAW_H
