// draw.h - drawing callbacks. A game draws with them and does not depend on screens or pixels.
//
// A game's draw function receives a PfcDraw. It calls `begin`, then draws shapes from back to front, then calls `end`.
// The game chooses its units; x points right, y down. The owner of the PfcDraw maps positions to pixels of a window or
// an image in memory, or records the calls in a test. The owner sets every pointer. Text and points are borrowed for
// the call. Drawing must not change the game.
#ifndef PUFFERC_DRAW_H
#define PUFFERC_DRAW_H

#include <stdint.h>

typedef struct PfcColor {
  uint8_t r, g, b, a;  // a: 255 = opaque
} PfcColor;

typedef struct PfcPoint {
  float x, y;
} PfcPoint;

// Limits of a picture's width and height, in pixels.
#define PFC_DRAW_MIN_SIDE_PX 16
#define PFC_DRAW_MAX_SIDE_PX 4096

#define PFC_TEXT_PITCH 0.6f      // width of a character, as a fraction of the text's size
#define PFC_TEXT_BASELINE 0.75f  // from the top of the text to its baseline, as a fraction of the text's size
#define PFC_TEXT_MIN_PX 6.0f     // smallest readable height of digits and signs
#define PFC_TEXT_LETTER_PX 9.0f  // smallest readable height of letters and all other characters

// The part of a picture that a game is drawn into, in pixels. The game's world is centred and keeps its aspect ratio.
typedef struct PfcDrawCell {
  float x, y, width, height;
} PfcDrawCell;

typedef struct PfcDraw {
  void* context;  // first argument of every callback

  // Must be called first. The visible world is [0, width] x [0, height] in game units.
  void (*begin)(void* context, float width, float height, PfcColor background);
  void (*rect)(void* context, float x, float y, float width, float height, PfcColor color);
  void (*rounded_rect)(void* context, float x, float y, float width, float height, float radius, PfcColor color);
  void (*circle)(void* context, float x, float y, float radius, PfcColor color);
  void (*line)(void* context, float x0, float y0, float x1, float y1, float thickness, PfcColor color);
  // A filled convex polygon of count >= 3 corners in either order.
  void (*polygon)(void* context, const PfcPoint* points, int32_t count, PfcColor color);
  // UTF-8 text. (x, y) is its top left corner, size its height in game units. Every character is PFC_TEXT_PITCH * size
  // wide. Text that would be too small to read in the picture is not drawn.
  void (*text)(void* context, float x, float y, float size, const char* text, PfcColor color);
  void (*end)(void* context);

  int32_t agent;         // set by the caller: the agent to follow if a picture cannot show all agents of a game
  int32_t steps;         // set by the pool: steps of the agent's episode so far
  float episode_return;  // set by the pool: sum of the agent's rewards so far
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
