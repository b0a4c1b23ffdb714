// mini.h - what the mini games share: the board, the choices, sticky actions, planes of an observation, the picture.
//
// The five games mini_asterix, mini_breakout, mini_freeway, mini_invaders and mini_seaquest have the rules of MinAtar
// (Young and Tian 2019): small versions of Atari games on a board of 10 x 10 cells, x right, y down. Their observations
// are planes of the board that hold 0 or 1. Everything in a step is done even after a part of it has ended the episode.
#ifndef PUFFERC_ENVS_MINI_H
#define PUFFERC_ENVS_MINI_H

#include "pufferc/env.h"

enum { MINI_SIDE = 10, MINI_CELLS = MINI_SIDE * MINI_SIDE, MINI_LAST = MINI_SIDE - 1 };
enum { MINI_NONE, MINI_LEFT, MINI_UP, MINI_RIGHT, MINI_DOWN, MINI_FIRE, MINI_CHOICES };

#define MINI_MAX_STEPS(X, steps) X(int, max_steps, steps, 0, PFC_MAX_STEPS, "steps until truncation; 0 = never")
#define MINI_STICKY(X) X(float, sticky, 0.1f, 0, 1, "probability that the action of the step before is taken instead")
#define MINI_RAMPING(X) X(bool, ramping, 1, 0, 1, "1: the game gets faster")

// A row of an observation table: one plane.
#define MINI_PLANE(name, help) PFC_OBS_PLANE(name, MINI_CELLS, 2, MINI_SIDE, MINI_SIDE, help)

static const PfcKeyBinding mini_keys[] = {
    PFC_BIND("left a", "left", 0, MINI_LEFT), PFC_BIND("right d", "right", 0, MINI_RIGHT),
    PFC_BIND("up w", "up", 0, MINI_UP),       PFC_BIND("down s", "down", 0, MINI_DOWN),
    PFC_BIND("space", "fire", 0, MINI_FIRE),
};
enum { MINI_NUM_KEYS = sizeof mini_keys / sizeof mini_keys[0] };

// The action that is taken; `latest` is the one of the step before.
PFC_FN int32_t mini_action(PfcRng* rng, float sticky, int32_t action, int8_t* latest) {
  if (sticky > 0.0f && pfc_rng_float(rng) < sticky) action = *latest;
  *latest = (int8_t)action;
  return action;
}

PFC_FN int32_t mini_is_inside(int32_t x) { return x >= 0 && x < MINI_SIDE; }

// -1, 0 or 1.
PFC_FN int32_t mini_sideways(int32_t action) { return (action == MINI_RIGHT) - (action == MINI_LEFT); }
PFC_FN int32_t mini_downwards(int32_t action) { return (action == MINI_DOWN) - (action == MINI_UP); }

// Clears planes. GCC would use x86's string instruction for a constant size, which is several times slower than memset.
PFC_FN void mini_clear(void* planes, size_t bytes) {
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__CUDACC__)
  __asm__("" : "+r"(bytes));  // hides the constant
#endif
  memset(planes, 0, bytes);
}

PFC_FN void mini_set(uint8_t* plane, int32_t x, int32_t y) { plane[MINI_SIDE * y + x] = 1; }

// Sets a cell that may be beyond the left or right side.
PFC_FN void mini_set_inside(uint8_t* plane, int32_t x, int32_t y) {
  if (mini_is_inside(x)) mini_set(plane, x, y);
}

// Writes a row of cells whose set is `bits`, bit x for column x. Seven copies of seven bits, each 7 bits further, put
// bit i at bit 8 i.
PFC_FN void mini_set_row(uint8_t* plane, int32_t y, uint32_t bits) {
  const uint64_t eighth = bits >> 7 & 1;
  uint64_t first = ((bits & 0x7f) * 0x040810204081ull & 0x01010101010101ull) | eighth << 56;
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
  first = __builtin_bswap64(first);
#endif
  memcpy(plane + MINI_SIDE * y, &first, sizeof first);
  plane[MINI_SIDE * y + 8] = bits >> 8 & 1;
  plane[MINI_SIDE * y + 9] = bits >> 9 & 1;
}

// ---- picture: 440 x 490, the board under the points ---------------------------------------------------------------

#define MINI_VIEW_WIDTH 440.0f
#define MINI_VIEW_HEIGHT 490.0f
#define MINI_VIEW_LEFT 20.0f
#define MINI_VIEW_TOP 70.0f
#define MINI_VIEW_CELL 40.0f

// The centre of a cell.
static inline PfcPoint mini_centre(int32_t x, int32_t y) {
  PfcPoint at;
  at.x = MINI_VIEW_LEFT + MINI_VIEW_CELL * ((float)x + 0.5f);
  at.y = MINI_VIEW_TOP + MINI_VIEW_CELL * ((float)y + 0.5f);
  return at;
}

// A rounded rectangle in the middle of a cell. Cells beyond the sides are not drawn.
static inline void mini_draw_box(const PfcDraw* d, int32_t x, int32_t y, float width, float height, PfcColor color) {
  const PfcPoint at = mini_centre(x, y);
  if (!mini_is_inside(x) || !mini_is_inside(y)) return;
  d->rounded_rect(d->context, at.x - 0.5f * width, at.y - 0.5f * height, width, height, 0.22f * pfc_minf(width, height),
                  color);
}

static inline void mini_draw_dot(const PfcDraw* d, int32_t x, int32_t y, float radius, PfcColor color) {
  const PfcPoint at = mini_centre(x, y);
  if (mini_is_inside(x) && mini_is_inside(y)) d->circle(d->context, at.x, at.y, radius, color);
}

// A triangle in a cell that points to the right or to the left.
static inline void mini_draw_arrow(const PfcDraw* d, int32_t x, int32_t y, int32_t right, float size, PfcColor color) {
  const PfcPoint at = mini_centre(x, y);
  const float ahead = right ? size : -size;
  const PfcPoint corners[3] = {{at.x + ahead, at.y}, {at.x - ahead, at.y - size}, {at.x - ahead, at.y + size}};
  if (mini_is_inside(x) && mini_is_inside(y)) d->polygon(d->context, corners, 3, color);
}

// Begins the picture: the numbers, and the board's cells in a colour for each row.
static inline void mini_draw_start(const PfcDraw* d, const uint32_t* row_colors) {
  pfc_draw_board(d, MINI_VIEW_WIDTH, MINI_VIEW_HEIGHT);
  pfc_draw_count(d, MINI_VIEW_LEFT, 20.0f, 34.0f, true, (int32_t)d->episode_return, "points");
  pfc_draw_count(d, MINI_VIEW_WIDTH - MINI_VIEW_LEFT, 30.0f, 22.0f, false, d->steps, "steps");
  for (int32_t cell = 0; cell < MINI_CELLS; ++cell)
    mini_draw_box(d, cell % MINI_SIDE, cell / MINI_SIDE, 37.0f, 37.0f, pfc_rgb(row_colors[cell / MINI_SIDE]));
}

#endif  // PUFFERC_ENVS_MINI_H
