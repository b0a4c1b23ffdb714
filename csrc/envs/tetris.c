// tetris.c - fill rows of a well with falling pieces; garbage rises from below. One agent.
//
// - The well has 20 rows of 10 cells. Pieces come from shuffled bags of all seven kinds. The next two are visible.
// - A piece appears upright with the upper left corner of its box in column 5 of row 0. If it overlaps, the game ends.
// - A turn is clockwise and keeps the upper left corner of the box. A move or turn that does not fit does nothing.
//   Turns of the square piece do nothing.
// - Hold puts the piece aside and takes the held one, or the next one if none is held; once per piece.
// - After its choice, the piece falls one row every max(3, 6 - level / 4) steps, counted from its appearance. A piece
//   that cannot fall is placed. A hard drop places it at once. A soft drop moves it one row and never places it.
// - Full rows vanish. level = 1 + lines / 10. Divisions round down.
// - At the end of step 500, and max(40, 100 - 7 sqrt(level)) steps after each rise, a garbage row with min(5, max(1,
//   level / 8)) holes rises. The falling piece rises too, if it is below the top row. The game ends if the top row has
//   a placed cell, or if the falling piece then overlaps.
//
// obs   uint8[207]   [20][10] 0 empty, 1 placed, 2 falling; current, next two and held piece; whether hold is allowed;
//                    steps since the piece last fell; level, at most 31
// act   int32[1]     0 none  1 left  2 right  3 turn  4 soft drop  5 hard drop  6 hold; with `masked`, choices that
//                    would do nothing are illegal
// rew   0.1, 0.3, 0.5, 1 for one to four rows; with `shaping` also 0.02 per row of a hard drop and 0.01 per turn
//
// score: 100, 300, 500, 1,000 points for one to four rows, 1 per row of a soft drop, 2 per row of a hard drop.
// perf = min(1, lines / 300).
//
// A row of the well is a word of 16 bits: column x is bit 3 + x, and the walls on both sides are set, as are the rows
// of the floor. A piece fits if its four rows, as one word of 64 bits, share no bit with the well.
#include "pufferc/env.h"

enum { TETRIS_NONE, TETRIS_LEFT, TETRIS_RIGHT, TETRIS_TURN, TETRIS_SOFT, TETRIS_HARD, TETRIS_HOLD, TETRIS_CHOICES };
enum { TETRIS_WIDTH = 10, TETRIS_HEIGHT = 20, TETRIS_CELLS = TETRIS_WIDTH * TETRIS_HEIGHT };
enum { TETRIS_KINDS = 7, TETRIS_TURNS = 4, TETRIS_BOX = 4, TETRIS_PREVIEWS = 2 };
enum { TETRIS_SQUARE = 2 };  // kind of the square piece; 0 = no piece
enum { TETRIS_SPAWN_X = 5, TETRIS_WALL = 3, TETRIS_FULL = 0xffff, TETRIS_EMPTY = 0xe007 };
enum { TETRIS_MAX_PERIOD = 6, TETRIS_MIN_PERIOD = 3, TETRIS_SEEN_LEVELS = 32 };
enum { TETRIS_GARBAGE_START = 500, TETRIS_MIN_GARBAGE_PERIOD = 40, TETRIS_MAX_HOLES = 5 };
enum { TETRIS_GOAL_LINES = 300, TETRIS_LINES_PER_LEVEL = 10 };

#define TETRIS_PARAMS(X)                                                                \
  X(int, max_steps, 10000, 0, PFC_MAX_STEPS, "steps until truncation; 0 = never")       \
  X(bool, masked, 0, 0, 1, "choices that would do nothing are illegal")                 \
  X(bool, shaping, 0, 0, 1, "rewards of 0.02 per row of a hard drop and 0.01 per turn")
PFC_DEFINE_PARAMS(tetris, TetrisParams, TETRIS_PARAMS)

typedef struct Tetris {
  PfcRng rng;
  uint16_t rows[TETRIS_HEIGHT + TETRIS_BOX];  // placed cells and walls, from the top; then the floor
  uint8_t bag[TETRIS_KINDS];                  // kinds 1 to 7
  uint8_t next[TETRIS_PREVIEWS];
  uint8_t kind;      // of the falling piece
  uint8_t turn;      // clockwise quarter turns, 0 to 3
  int8_t x, y;       // upper left corner of its box
  uint8_t held;      // kind; 0 = none
  uint8_t can_hold;
  uint8_t fall;      // steps since the piece last fell or appeared
  uint8_t bag_used;  // pieces taken from the bag
  int32_t steps;
  int32_t next_garbage;  // step at whose end the next garbage row rises
  int32_t lines;
  int32_t score;
} Tetris;

typedef struct TetrisObs {
  uint8_t cell[TETRIS_CELLS];
  uint8_t kind, next[TETRIS_PREVIEWS], held;
  uint8_t can_hold, fall, level;
} TetrisObs;

static const PfcObsRow tetris_obs[] = {
    PFC_OBS_PLANE("well", TETRIS_CELLS, 3, TETRIS_HEIGHT, TETRIS_WIDTH, "0 empty, 1 placed, 2 falling; row by row"),
    PFC_OBS_CODES("pieces", 4, TETRIS_KINDS + 1, "current, next two, held: 1 I, 2 O, 3 S, 4 Z, 5 T, 6 L, 7 J; 0 none"),
    PFC_OBS_CODES("can_hold", 1, 2, "1 if hold is allowed"),
    PFC_OBS_CODES("fall", 1, TETRIS_MAX_PERIOD, "steps since the piece last fell or appeared"),
    PFC_OBS_CODES("level", 1, TETRIS_SEEN_LEVELS, "at most 31"),
};

// Rows of each kind and turn, bit 16 * row + column. Written in hexadecimal: the last digit of each group of four is a
// row, the rightmost group is the top row, and bit 0 is the left column.
PFC_TABLE uint64_t tetris_shapes[TETRIS_KINDS + 1][TETRIS_TURNS] = {
    {0, 0, 0, 0},
    {0x0001000100010001, 0x000f, 0x0001000100010001, 0x000f},      // I: a column
    {0x00030003, 0x00030003, 0x00030003, 0x00030003},              // O
    {0x000200030001, 0x00030006, 0x000200030001, 0x00030006},      // S: X. XX .X
    {0x000100030002, 0x00060003, 0x000100030002, 0x00060003},      // Z: .X XX X.
    {0x000100030001, 0x00020007, 0x000200030002, 0x00070002},      // T: X. XX X.
    {0x000300010001, 0x00010007, 0x000200020003, 0x00070004},      // L: X. X. XX
    {0x000300020002, 0x00070001, 0x000100010003, 0x00040007},      // J: .X .X XX
};

PFC_TABLE int32_t tetris_points[TETRIS_BOX + 1] = {0, 100, 300, 500, 1000};

static void tetris_layout(const void* params, PfcLayout* sizes) {
  sizes->masked = ((const TetrisParams*)params)->masked;
}

// ---- pieces -------------------------------------------------------------------------------------------------------

PFC_FN int32_t tetris_level(const Tetris* s) { return 1 + s->lines / TETRIS_LINES_PER_LEVEL; }

PFC_FN int32_t tetris_fall_period(int32_t level) { return pfc_maxi(TETRIS_MIN_PERIOD, TETRIS_MAX_PERIOD - level / 4); }

PFC_FN int32_t tetris_garbage_period(int32_t level) {
  return pfc_maxi(TETRIS_MIN_GARBAGE_PERIOD, (int32_t)(100.0f - 7.0f * pfc_sqrtf((float)level)));
}

PFC_FN bool tetris_fits(const Tetris* s, int32_t turn, int32_t x, int32_t y) {
  const uint16_t* rows = s->rows + y;
  const uint64_t well =
      (uint64_t)rows[0] | (uint64_t)rows[1] << 16 | (uint64_t)rows[2] << 32 | (uint64_t)rows[3] << 48;
  return (well & tetris_shapes[s->kind][turn] << (TETRIS_WALL + x)) == 0;
}

// The cells of the falling piece in row y + i of the well, as bits of the row.
PFC_FN uint16_t tetris_piece_row(const Tetris* s, int32_t i) {
  return (uint16_t)((tetris_shapes[s->kind][s->turn] >> 16 * i & 0xffff) << (TETRIS_WALL + s->x));
}

PFC_FN uint8_t tetris_draw_kind(Tetris* s) {
  if (s->bag_used == TETRIS_KINDS) {
    s->bag_used = 0;
    for (int32_t i = 0; i < TETRIS_KINDS; ++i) {
      const uint32_t place = pfc_rng_below(&s->rng, (uint32_t)i + 1);
      s->bag[i] = s->bag[place];
      s->bag[place] = (uint8_t)(i + 1);
    }
  }
  return s->bag[s->bag_used++];
}

PFC_FN uint8_t tetris_take_next(Tetris* s) {
  const uint8_t kind = s->next[0];
  s->next[0] = s->next[1];
  s->next[1] = tetris_draw_kind(s);
  return kind;
}

// Returns whether the piece has room.
PFC_FN bool tetris_appear(Tetris* s, uint8_t kind) {
  s->kind = kind;
  s->turn = s->fall = 0;
  s->x = TETRIS_SPAWN_X;
  s->y = 0;
  return tetris_fits(s, 0, s->x, 0);
}

PFC_FN void tetris_reset(Tetris* s, const TetrisParams* p) {
  (void)p;
  for (int32_t y = 0; y < TETRIS_HEIGHT; ++y) s->rows[y] = TETRIS_EMPTY;
  for (int32_t y = TETRIS_HEIGHT; y < TETRIS_HEIGHT + TETRIS_BOX; ++y) s->rows[y] = TETRIS_FULL;
  s->bag_used = TETRIS_KINDS;
  s->next_garbage = TETRIS_GARBAGE_START;
  for (int32_t i = 0; i < TETRIS_PREVIEWS; ++i) s->next[i] = tetris_draw_kind(s);
  s->can_hold = 1;
  tetris_appear(s, tetris_take_next(s));
}

// ---- a step -------------------------------------------------------------------------------------------------------

// Removes full rows among the four from y on and returns their number.
PFC_FN int32_t tetris_remove_full(Tetris* s, int32_t y) {
  int32_t count = 0;
  for (int32_t row = y; row < pfc_mini(y + TETRIS_BOX, TETRIS_HEIGHT); ++row) {
    if (s->rows[row] != TETRIS_FULL) continue;
    count += 1;
    for (int32_t above = row; above > 0; --above) s->rows[above] = s->rows[above - 1];
    s->rows[0] = TETRIS_EMPTY;
  }
  return count;
}

// Returns whether the next piece has room.
PFC_FN bool tetris_place(Tetris* s, float* reward) {
  for (int32_t i = 0; i < TETRIS_BOX; ++i) s->rows[s->y + i] |= tetris_piece_row(s, i);
  const int32_t count = tetris_remove_full(s, s->y), points = tetris_points[count];
  s->lines += count;
  s->score += points;
  *reward += (float)points / 1000.0f;
  s->can_hold = 1;
  return tetris_appear(s, tetris_take_next(s));
}

// Rows that the piece can fall.
PFC_FN int32_t tetris_room_below(const Tetris* s) {
  int32_t count = 0;
  while (tetris_fits(s, s->turn, s->x, s->y + count + 1)) count += 1;
  return count;
}

PFC_FN bool tetris_hard_drop(Tetris* s, const TetrisParams* p, float* reward) {
  const int32_t count = tetris_room_below(s);
  s->y = (int8_t)(s->y + count);
  s->score += 2 * count;
  if (p->shaping) *reward += 0.02f * (float)count;
  return tetris_place(s, reward);
}

PFC_FN bool tetris_hold(Tetris* s) {
  if (!s->can_hold) return true;
  const uint8_t kind = s->held ? s->held : tetris_take_next(s);
  s->held = s->kind;
  s->can_hold = 0;
  return tetris_appear(s, kind);
}

PFC_FN bool tetris_may_turn(const Tetris* s) {
  return s->kind != TETRIS_SQUARE && tetris_fits(s, (s->turn + 1) % TETRIS_TURNS, s->x, s->y);
}

// Plays the choice. Returns false if a new piece had no room.
PFC_FN bool tetris_act(Tetris* s, const TetrisParams* p, int32_t choice, float* reward) {
  switch (choice) {
    case TETRIS_LEFT:
    case TETRIS_RIGHT: {
      const int32_t x = s->x + (choice == TETRIS_RIGHT ? 1 : -1);
      if (tetris_fits(s, s->turn, x, s->y)) s->x = (int8_t)x;
      return true;
    }
    case TETRIS_TURN:
      if (!tetris_may_turn(s)) return true;
      s->turn = (uint8_t)((s->turn + 1) % TETRIS_TURNS);
      if (p->shaping) *reward += 0.01f;
      return true;
    case TETRIS_SOFT:
      if (!tetris_fits(s, s->turn, s->x, s->y + 1)) return true;
      s->y += 1;
      s->score += 1;
      return true;
    case TETRIS_HARD:
      return tetris_hard_drop(s, p, reward);
    case TETRIS_HOLD:
      return tetris_hold(s);
    default:
      return true;
  }
}

PFC_FN bool tetris_fall(Tetris* s, float* reward) {
  s->fall += 1;
  if (s->fall < tetris_fall_period(tetris_level(s))) return true;
  if (!tetris_fits(s, s->turn, s->x, s->y + 1)) return tetris_place(s, reward);
  s->y += 1;
  s->fall = 0;
  return true;
}

// A full row with holes in random different columns.
PFC_FN uint16_t tetris_garbage_row(Tetris* s, int32_t holes) {
  uint32_t row = TETRIS_FULL;
  for (int32_t column = 0; column < TETRIS_WIDTH && holes > 0; ++column) {
    if ((int32_t)pfc_rng_below(&s->rng, (uint32_t)(TETRIS_WIDTH - column)) >= holes) continue;
    row &= ~(1u << (TETRIS_WALL + column));
    holes -= 1;
  }
  return (uint16_t)row;
}

// Returns whether the well has room for the row.
PFC_FN bool tetris_rise(Tetris* s) {
  const int32_t level = tetris_level(s);
  if (s->steps < s->next_garbage) return true;
  if (s->rows[0] != TETRIS_EMPTY) return false;
  for (int32_t y = 0; y + 1 < TETRIS_HEIGHT; ++y) s->rows[y] = s->rows[y + 1];
  s->rows[TETRIS_HEIGHT - 1] = tetris_garbage_row(s, pfc_clampi(level / 8, 1, TETRIS_MAX_HOLES));
  s->next_garbage = s->steps + tetris_garbage_period(level);
  if (s->y > 0) s->y -= 1;
  return tetris_fits(s, s->turn, s->x, s->y);
}

PFC_FN void tetris_step(Tetris* s, const TetrisParams* p, PfcIo io) {
  s->steps += 1;
  const bool running =
      tetris_act(s, p, io.actions[0], io.rewards) && tetris_fall(s, io.rewards) && tetris_rise(s);
  io.terminated[0] = !running;
}

// ---- observation, mask, metrics -----------------------------------------------------------------------------------

// Bits 0 to 4 become bytes 0 to 4: five copies, each 7 bits further, put bit i at bit 8 i.
PFC_FN uint64_t tetris_spread(uint64_t bits) { return (bits & 0x1f) * 0x10204081ull & 0x0101010101ull; }

PFC_FN void tetris_store(uint8_t* out, uint64_t bytes) {  // five bytes, the lowest first
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
  bytes = __builtin_bswap64(bytes);
#endif
  memcpy(out, &bytes, 5);
}

PFC_FN void tetris_observe(const Tetris* s, const TetrisParams* p, int32_t agent, TetrisObs* obs) {
  (void)p, (void)agent;
  for (int32_t y = 0; y < TETRIS_HEIGHT; ++y) {
    const uint32_t row = (uint32_t)s->rows[y] >> TETRIS_WALL;
    tetris_store(obs->cell + TETRIS_WIDTH * y, tetris_spread(row));
    tetris_store(obs->cell + TETRIS_WIDTH * y + 5, tetris_spread(row >> 5));
  }
  for (int32_t i = 0; i < TETRIS_BOX; ++i) {
    uint32_t cells = (uint32_t)(tetris_shapes[s->kind][s->turn] >> 16 * i & 0xf);
    for (int32_t x = s->x; cells; ++x, cells >>= 1)
      if (cells & 1) obs->cell[TETRIS_WIDTH * (s->y + i) + x] = 2;
  }
  obs->kind = s->kind;
  memcpy(obs->next, s->next, sizeof obs->next);
  obs->held = s->held;
  obs->can_hold = s->can_hold;
  obs->fall = s->fall;
  obs->level = (uint8_t)pfc_mini(tetris_level(s), TETRIS_SEEN_LEVELS - 1);
}

PFC_FN void tetris_mask(const void* state, const void* params, int32_t agent, uint8_t* legal) {
  (void)params, (void)agent;
  const Tetris* s = (const Tetris*)state;
  legal[TETRIS_NONE] = legal[TETRIS_HARD] = 1;
  legal[TETRIS_LEFT] = tetris_fits(s, s->turn, s->x - 1, s->y);
  legal[TETRIS_RIGHT] = tetris_fits(s, s->turn, s->x + 1, s->y);
  legal[TETRIS_TURN] = tetris_may_turn(s);
  legal[TETRIS_SOFT] = tetris_fits(s, s->turn, s->x, s->y + 1);
  legal[TETRIS_HOLD] = s->can_hold;
}

PFC_FN void tetris_metrics(const Tetris* s, const TetrisParams* p, int32_t agent, float* values) {
  (void)p, (void)agent;
  values[0] = (float)s->score;
  values[1] = pfc_minf(1.0f, (float)s->lines / TETRIS_GOAL_LINES);
  values[2] = (float)s->lines;
  values[3] = (float)tetris_level(s);
}

// ---- picture: 440 x 560, the well, and the next and held pieces beside it -----------------------------------------

#define TETRIS_VIEW_WIDTH 440.0f
#define TETRIS_VIEW_HEIGHT 560.0f
#define TETRIS_VIEW_CELL 26.0f
#define TETRIS_VIEW_LEFT 22.0f
#define TETRIS_VIEW_TOP 22.0f
#define TETRIS_VIEW_SIDE 308.0f  // left edge of the numbers and pieces beside the well

PFC_TABLE uint32_t tetris_colors[TETRIS_KINDS + 1] = {0x4b556cu, PFC_AGENT, PFC_GOAL,   PFC_GOOD,
                                                      PFC_BAD,   0xb46fe0u, PFC_RIVAL, PFC_VIOLET};

// A cell with a light upper edge and a dark lower one. (x, y) is its upper left corner.
static void tetris_draw_cell(const PfcDraw* d, float x, float y, float size, PfcColor color) {
  const float gap = 0.04f * size, inner = size - 2.0f * gap;
  d->rounded_rect(d->context, x + gap, y + gap, inner, inner, 0.16f * size, color);
  d->rect(d->context, x + 0.18f * size, y + 0.12f * size, 0.64f * size, 0.08f * size, pfc_tint(PFC_INK, 70));
  d->rect(d->context, x + 0.18f * size, y + 0.80f * size, 0.64f * size, 0.08f * size, pfc_tint(PFC_PAGE, 70));
}

static void tetris_draw_empty(const PfcDraw* d, float x, float y, float size, PfcColor color) {
  d->rounded_rect(d->context, x + 0.08f * size, y + 0.08f * size, 0.84f * size, 0.84f * size, 0.14f * size, color);
}

// Outlines of the cells where the piece would come to rest.
static void tetris_draw_ghost(const Tetris* s, const PfcDraw* d) {
  const int32_t y = s->y + tetris_room_below(s);
  const float size = TETRIS_VIEW_CELL;
  for (int32_t cell = 0; cell < TETRIS_BOX * TETRIS_BOX; ++cell) {
    const int32_t row = cell / TETRIS_BOX, column = cell % TETRIS_BOX;
    if (!(tetris_shapes[s->kind][s->turn] >> (16 * row + column) & 1)) continue;
    const float left = TETRIS_VIEW_LEFT + size * (float)(s->x + column);
    const float top = TETRIS_VIEW_TOP + size * (float)(y + row);
    tetris_draw_empty(d, left, top, size, pfc_tint(tetris_colors[s->kind], 90));
    d->rounded_rect(d->context, left + 4.0f, top + 4.0f, size - 8.0f, size - 8.0f, 2.0f, pfc_rgb(PFC_BOARD));
  }
}

static void tetris_draw_well(const Tetris* s, const PfcDraw* d) {
  const float size = TETRIS_VIEW_CELL;
  d->rounded_rect(d->context, TETRIS_VIEW_LEFT - 6.0f, TETRIS_VIEW_TOP - 6.0f, TETRIS_WIDTH * size + 12.0f,
                  TETRIS_HEIGHT * size + 12.0f, 8.0f, pfc_rgb(PFC_LINE));
  d->rect(d->context, TETRIS_VIEW_LEFT, TETRIS_VIEW_TOP, TETRIS_WIDTH * size, TETRIS_HEIGHT * size, pfc_rgb(PFC_BOARD));
  for (int32_t i = 0; i < TETRIS_CELLS; ++i) {
    const int32_t x = i % TETRIS_WIDTH, y = i / TETRIS_WIDTH;
    const float left = TETRIS_VIEW_LEFT + size * (float)x, top = TETRIS_VIEW_TOP + size * (float)y;
    if (s->rows[y] >> (TETRIS_WALL + x) & 1)
      tetris_draw_cell(d, left, top, size, pfc_rgb(tetris_colors[0]));
    else
      tetris_draw_empty(d, left, top, size, pfc_tint(PFC_TILE, 150));
  }
}

// A kind in its first orientation, with the upper left corner of its box at (x, y).
static void tetris_draw_kind_at(const PfcDraw* d, int32_t kind, float x, float y, float size, uint32_t color) {
  for (int32_t cell = 0; cell < TETRIS_BOX * TETRIS_BOX; ++cell) {
    const int32_t row = cell / TETRIS_BOX, column = cell % TETRIS_BOX;
    if (tetris_shapes[kind][0] >> (16 * row + column) & 1)
      tetris_draw_cell(d, x + size * (float)column, y + size * (float)row, size, pfc_rgb(color));
  }
}

static void tetris_draw_piece(const Tetris* s, const PfcDraw* d) {
  const float size = TETRIS_VIEW_CELL;
  for (int32_t cell = 0; cell < TETRIS_BOX * TETRIS_BOX; ++cell) {
    const int32_t row = cell / TETRIS_BOX, column = cell % TETRIS_BOX;
    if (tetris_shapes[s->kind][s->turn] >> (16 * row + column) & 1)
      tetris_draw_cell(d, TETRIS_VIEW_LEFT + size * (float)(s->x + column),
                       TETRIS_VIEW_TOP + size * (float)(s->y + row), size, pfc_rgb(tetris_colors[s->kind]));
  }
}

static void tetris_draw(const Tetris* s, const TetrisParams* p, const PfcDraw* d) {
  (void)p;
  const float side = TETRIS_VIEW_SIDE;
  pfc_draw_board(d, TETRIS_VIEW_WIDTH, TETRIS_VIEW_HEIGHT);
  tetris_draw_well(s, d);
  tetris_draw_ghost(s, d);
  tetris_draw_piece(s, d);
  pfc_draw_count(d, side, 26.0f, 34.0f, true, s->lines, s->lines == 1 ? "line" : "lines");
  pfc_draw_count(d, side, 70.0f, 20.0f, true, s->score, "points");
  pfc_draw_count(d, side, 98.0f, 20.0f, true, tetris_level(s), "level");
  d->text(d->context, side, 154.0f, 16.0f, "next", pfc_rgb(PFC_DIM));
  tetris_draw_kind_at(d, s->next[0], side, 182.0f, 20.0f, tetris_colors[s->next[0]]);
  tetris_draw_kind_at(d, s->next[1], side + 66.0f, 182.0f, 15.0f, tetris_colors[s->next[1]]);
  d->text(d->context, side, 300.0f, 16.0f, "held", pfc_rgb(PFC_DIM));
  if (s->held) tetris_draw_kind_at(d, s->held, side, 328.0f, 20.0f, tetris_colors[s->can_hold ? s->held : 0]);
  pfc_draw_count(d, side, 520.0f, 20.0f, true, s->steps, "steps");
  d->end(d->context);
}

static const PfcKeyBinding tetris_keys[] = {
    PFC_BIND("left a", "left", 0, TETRIS_LEFT),      PFC_BIND("right d", "right", 0, TETRIS_RIGHT),
    PFC_BIND("up w", "turn", 0, TETRIS_TURN),        PFC_BIND("down s", "soft drop", 0, TETRIS_SOFT),
    PFC_BIND("space", "hard drop", 0, TETRIS_HARD),  PFC_BIND("c", "hold", 0, TETRIS_HOLD),
};

static const PfcField tetris_fields[] = {
    PFC_STATE_FIELD(Tetris, rows, PFC_UINT16),     PFC_STATE_FIELD(Tetris, bag, PFC_UINT8),
    PFC_STATE_FIELD(Tetris, next, PFC_UINT8),      PFC_STATE_FIELD(Tetris, kind, PFC_UINT8),
    PFC_STATE_FIELD(Tetris, turn, PFC_UINT8),      PFC_STATE_FIELD(Tetris, x, PFC_INT8),
    PFC_STATE_FIELD(Tetris, y, PFC_INT8),          PFC_STATE_FIELD(Tetris, held, PFC_UINT8),
    PFC_STATE_FIELD(Tetris, lines, PFC_INT32),     PFC_STATE_FIELD(Tetris, score, PFC_INT32),
};

PFC_DEFINE_ENV(tetris, Tetris,
               .title = "Tetris",
               .summary = "fill rows with falling pieces while garbage rises",
               .version = 1,
               .obs_dtype = PFC_UINT8,
               .sizes = {.action_counts = {TETRIS_CHOICES}},
               .layout = tetris_layout,
               .mask = tetris_mask,
               .obs_rows = tetris_obs,
               .num_obs_rows = sizeof tetris_obs / sizeof tetris_obs[0],
               .metrics = {"score", "perf", "lines", "level"},
               .fields = tetris_fields,
               .num_fields = sizeof tetris_fields / sizeof tetris_fields[0],
               .fps = 12,
               .keys = tetris_keys,
               .num_keys = sizeof tetris_keys / sizeof tetris_keys[0],
               .idle = TETRIS_NONE)
