// g2048.c - slide tiles on a board of 4 x 4 cells; equal neighbours merge, and a new tile appears. One agent.
//
// A move slides all tiles to one side. Two equal tiles that meet become one of twice the value; a merged tile does not
// merge again in this move, and pairs are formed from the side to which the tiles slide. Then a new tile appears on a
// random empty cell: 2 with a chance of 0.9, else 4. A game starts with two such tiles. It ends when no move changes
// the board, or when a tile reaches `max_tile`.
//
// obs   uint8[4][4]   exponents, row by row: 0 empty, 1 a tile of 2, 2 a tile of 4, ... 17
// act   int32[1]      0 up  1 right  2 down  3 left; moves that change nothing are illegal
// rew   the sum over the move's merges of the new tile's exponent / 16, or of its value / 1,024 (reward_kind)
//
// score is the sum of the values of all merged tiles, perf whether 2,048 was reached.
//
// A move works on four words, one for each distance from the side to which the tiles slide. Byte i of a word belongs to
// line i, so that all four lines slide together. Exponents are below 128, which leaves the top bit of a byte free.
#include "pufferc/env.h"

enum { G2048_UP, G2048_RIGHT, G2048_DOWN, G2048_LEFT, G2048_MOVES };
enum { G2048_SIDE = 4, G2048_CELLS = G2048_SIDE * G2048_SIDE };
enum { G2048_MAX_EXPONENT = 17, G2048_MAX_TILE = 1 << G2048_MAX_EXPONENT };  // of a tile on 16 cells
enum { G2048_ONE_FOUR_IN = 10 };                                             // new tiles
#define G2048_ONES 0x01010101u

#define G2048_PARAMS(X)                                                                             \
  X(int, max_steps, 0, 0, PFC_MAX_STEPS, "moves until truncation; 0 = never")                       \
  X(int, max_tile, 0, 0, G2048_MAX_TILE, "value of a tile that ends the game, a power of two from 8; 0 = none") \
  X(int, reward_kind, 1, 0, 1, "per merge: 1 the new tile's exponent / 16, 0 its value / 1,024")
PFC_DEFINE_PARAMS(g2048, G2048Params, G2048_PARAMS)

typedef struct G2048 {
  PfcRng rng;
  uint8_t board[G2048_CELLS];  // exponents in row-major order
  int32_t score;
} G2048;

typedef struct G2048Obs {
  uint8_t cell[G2048_CELLS];
} G2048Obs;

static const PfcObsRow g2048_obs[] = {
    PFC_OBS_PLANE("board", G2048_CELLS, G2048_MAX_EXPONENT + 1, G2048_SIDE, G2048_SIDE,
                  "exponents of two, row by row; 0 is an empty cell"),
};

static const char* g2048_check(const void* params) {
  const int32_t tile = ((const G2048Params*)params)->max_tile;
  return tile == 0 || (tile >= 8 && (tile & (tile - 1)) == 0) ? NULL : "max_tile must be 0 or a power of two from 8";
}

// ---- four lines at once --------------------------------------------------------------------------------------

typedef struct G2048Lines {
  uint32_t at[G2048_SIDE];  // cells by distance from the side; byte i is line i
} G2048Lines;

// 255 in every byte that is not 0.
PFC_FN uint32_t g2048_filled(uint32_t cells) {
  const uint32_t top = (cells + 0x7f7f7f7fu) & 0x80808080u;
  return (top - (top >> 7)) | top;
}

// 255 in every byte where both are the same tile.
PFC_FN uint32_t g2048_same(uint32_t a, uint32_t b) { return g2048_filled(a) & ~g2048_filled(a ^ b); }

PFC_FN uint32_t g2048_select(uint32_t mask, uint32_t yes, uint32_t no) { return (yes & mask) | (no & ~mask); }

// The words of a board and back, the first byte of a row lowest. A step loads and stores the board once: words that are
// read just after some of their bytes were written would be slow.
PFC_FN G2048Lines g2048_load(const uint8_t* board) {
  G2048Lines rows;
  memcpy(rows.at, board, sizeof rows.at);
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
  for (int32_t y = 0; y < G2048_SIDE; ++y) rows.at[y] = __builtin_bswap32(rows.at[y]);
#endif
  return rows;
}

PFC_FN void g2048_store(G2048Lines rows, uint8_t* board) {
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
  for (int32_t y = 0; y < G2048_SIDE; ++y) rows.at[y] = __builtin_bswap32(rows.at[y]);
#endif
  memcpy(board, rows.at, sizeof rows.at);
}

PFC_FN G2048Lines g2048_transposed(G2048Lines l) {
  const uint32_t even = 0x00ff00ffu, low = 0x0000ffffu;
  const uint32_t a = (l.at[0] & even) | (l.at[1] & even) << 8, b = (l.at[0] >> 8 & even) | (l.at[1] & ~even);
  const uint32_t c = (l.at[2] & even) | (l.at[3] & even) << 8, d = (l.at[2] >> 8 & even) | (l.at[3] & ~even);
  G2048Lines t;
  t.at[0] = (a & low) | c << 16;
  t.at[1] = (b & low) | d << 16;
  t.at[2] = a >> 16 | (c & ~low);
  t.at[3] = b >> 16 | (d & ~low);
  return t;
}

// Transposes and reverses the lines where the masks are all ones. No branches, because moves cannot be predicted, and
// no loops, because GCC's vectors of four words make these steps half as fast.
PFC_FN G2048Lines g2048_transpose_if(G2048Lines l, uint32_t mask) {
  G2048Lines t = g2048_transposed(l);
  t.at[0] = g2048_select(mask, t.at[0], l.at[0]);
  t.at[1] = g2048_select(mask, t.at[1], l.at[1]);
  t.at[2] = g2048_select(mask, t.at[2], l.at[2]);
  t.at[3] = g2048_select(mask, t.at[3], l.at[3]);
  return t;
}

PFC_FN G2048Lines g2048_reverse_if(G2048Lines l, uint32_t mask) {
  G2048Lines r;
  r.at[0] = g2048_select(mask, l.at[3], l.at[0]);
  r.at[1] = g2048_select(mask, l.at[2], l.at[1]);
  r.at[2] = g2048_select(mask, l.at[1], l.at[2]);
  r.at[3] = g2048_select(mask, l.at[0], l.at[3]);
  return r;
}

PFC_FN uint32_t g2048_all_ones_if(bool yes) { return 0u - (uint32_t)yes; }
PFC_FN uint32_t g2048_is_sideways(int32_t move) { return g2048_all_ones_if(move == G2048_LEFT || move == G2048_RIGHT); }
PFC_FN uint32_t g2048_is_backwards(int32_t move) {
  return g2048_all_ones_if(move == G2048_DOWN || move == G2048_RIGHT);
}

// Moves tiles from `far` to the empty cells of `near`.
PFC_FN void g2048_close_gap(uint32_t* near, uint32_t* far) {
  const uint32_t filled = g2048_filled(*near);
  *near |= *far & ~filled;
  *far &= filled;
}

// Closes the gaps of all lines by a bubble sort of empty cells to the end.
PFC_FN void g2048_close_gaps(G2048Lines* l) {
  g2048_close_gap(&l->at[2], &l->at[3]);
  g2048_close_gap(&l->at[1], &l->at[2]);
  g2048_close_gap(&l->at[0], &l->at[1]);
  g2048_close_gap(&l->at[2], &l->at[3]);
  g2048_close_gap(&l->at[1], &l->at[2]);
  g2048_close_gap(&l->at[2], &l->at[3]);
}

// Merges tiles with equal ones behind them, pairs from distance 0 on. Each merge moves up the tiles behind it. The
// words get the merged tiles; a line of four cells has at most one of the first and the third.
PFC_FN void g2048_merge(G2048Lines* l, uint32_t* first_or_third, uint32_t* second) {
  const uint32_t one = g2048_same(l->at[0], l->at[1]);
  l->at[0] += one & G2048_ONES;
  l->at[1] = g2048_select(one, l->at[2], l->at[1]);
  l->at[2] = g2048_select(one, l->at[3], l->at[2]);
  l->at[3] &= ~one;
  const uint32_t two = g2048_same(l->at[1], l->at[2]);
  l->at[1] += two & G2048_ONES;
  l->at[2] = g2048_select(two, l->at[3], l->at[2]);
  l->at[3] &= ~two;
  const uint32_t three = g2048_same(l->at[2], l->at[3]);
  l->at[2] += three & G2048_ONES;
  l->at[3] &= ~three;
  *first_or_third = (l->at[0] & one) | (l->at[2] & three);
  *second = l->at[1] & two;
}

// Whether tiles can slide to the side at distance 0, and to the opposite one.
PFC_FN void g2048_can_slide(const G2048Lines* l, uint32_t* ahead, uint32_t* back) {
  uint32_t filled[G2048_SIDE], forth = 0, other = 0, equal = 0;
  for (int32_t k = 0; k < G2048_SIDE; ++k) filled[k] = g2048_filled(l->at[k]);
  for (int32_t k = 0; k + 1 < G2048_SIDE; ++k) {
    forth |= filled[k + 1] & ~filled[k];
    other |= filled[k] & ~filled[k + 1];
    equal |= filled[k] & ~g2048_filled(l->at[k] ^ l->at[k + 1]);
  }
  *ahead = (forth | equal) != 0;
  *back = (other | equal) != 0;
}

// Bit m is 1 if move m changes the board.
PFC_FN uint32_t g2048_legal_moves(G2048Lines rows) {
  const G2048Lines columns = g2048_transposed(rows);
  uint32_t up, down, left, right;
  g2048_can_slide(&rows, &up, &down);
  g2048_can_slide(&columns, &left, &right);
  return up << G2048_UP | right << G2048_RIGHT | down << G2048_DOWN | left << G2048_LEFT;
}

// ---- a step ----------------------------------------------------------------------------------------------------

typedef struct G2048Gain {
  int32_t exponents, value;  // sums over the merged tiles
} G2048Gain;

PFC_FN void g2048_count_merged(uint32_t tiles, G2048Gain* gain) {
  gain->exponents += (int32_t)(tiles * G2048_ONES >> 24);  // the sum of the bytes, at most 4 * 17
  for (int32_t line = 0; line < G2048_SIDE; ++line)
    gain->value += (1 << (tiles >> 8 * line & 31)) & ~1;  // 0 without a tile: a merged one is at least 4
}

PFC_FN G2048Gain g2048_slide(G2048Lines* rows, int32_t move) {
  const uint32_t sideways = g2048_is_sideways(move), backwards = g2048_is_backwards(move);
  G2048Lines lines = g2048_reverse_if(g2048_transpose_if(*rows, sideways), backwards);
  G2048Gain gain = {0, 0};
  g2048_close_gaps(&lines);
  uint32_t first_or_third, second;
  g2048_merge(&lines, &first_or_third, &second);
  g2048_count_merged(first_or_third, &gain);
  g2048_count_merged(second, &gain);
  *rows = g2048_transpose_if(g2048_reverse_if(lines, backwards), sideways);
  return gain;
}

// Bit i is 1 if cell i is empty.
PFC_FN uint32_t g2048_empty_cells(const G2048Lines* rows) {
  uint32_t empty = 0;
  for (int32_t y = 0; y < G2048_SIDE; ++y) {
    const uint32_t ones = ~g2048_filled(rows->at[y]) & G2048_ONES;
    empty |= (ones * 0x01020408u >> 24 & 15u) << G2048_SIDE * y;  // bits 0, 8, 16, 24 to 24, 25, 26, 27
  }
  return empty;
}

// Adds a tile to a random one of the empty cells, of which there must be one. The search for set bit number `skip`
// halves the cells four times, with the numbers of set bits in groups of 8, 4, 2 and 1 cells.
PFC_FN void g2048_add_tile(G2048Lines* rows, PfcRng* rng) {
  const uint32_t ones = g2048_empty_cells(rows);
  const uint32_t twos = (ones & 0x5555u) + (ones >> 1 & 0x5555u);
  const uint32_t fours = (twos & 0x3333u) + (twos >> 2 & 0x3333u);
  const uint32_t eights = (fours & 0x0f0fu) + (fours >> 4 & 0x0f0fu);
  const uint32_t groups[4] = {eights & 0xff, fours, twos, ones}, masks[4] = {0xff, 0xf, 3, 1};
  uint32_t skip = pfc_rng_below(rng, (eights & 0xff) + (eights >> 8)), cell = 0;
  for (int32_t i = 0; i < 4; ++i) {
    const uint32_t here = groups[i] >> cell & masks[i], beyond = g2048_all_ones_if(skip >= here);
    skip -= here & beyond;
    cell += (8u >> i) & beyond;
  }
  const uint32_t exponent = pfc_rng_below(rng, G2048_ONE_FOUR_IN) == 0 ? 2 : 1;
  for (uint32_t y = 0; y < G2048_SIDE; ++y)
    rows->at[y] |= g2048_all_ones_if(cell / G2048_SIDE == y) & exponent << 8 * (cell % G2048_SIDE);
}

PFC_FN int32_t g2048_largest(const uint8_t* board) {
  int32_t largest = 0;
  for (int32_t cell = 0; cell < G2048_CELLS; ++cell) largest = pfc_maxi(largest, board[cell]);
  return largest;
}

PFC_FN void g2048_reset(G2048* s, const G2048Params* p) {
  (void)p;
  G2048Lines rows = {{0, 0, 0, 0}};
  g2048_add_tile(&rows, &s->rng);
  g2048_add_tile(&rows, &s->rng);
  g2048_store(rows, s->board);
}

PFC_FN void g2048_step(G2048* s, const G2048Params* p, PfcIo io) {
  G2048Lines rows = g2048_load(s->board);
  const G2048Gain gain = g2048_slide(&rows, io.actions[0]);
  s->score += gain.value;
  io.rewards[0] = p->reward_kind ? (float)gain.exponents * (1.0f / 16.0f) : (float)gain.value * (1.0f / 1024.0f);
  g2048_add_tile(&rows, &s->rng);
  g2048_store(rows, s->board);
  const bool reached = p->max_tile && 1 << g2048_largest(s->board) >= p->max_tile;
  if (reached || g2048_legal_moves(rows) == 0) io.terminated[0] = 1;
}

// ---- observation, mask, metrics ----------------------------------------------------------------------------------

PFC_FN void g2048_observe(const G2048* s, const G2048Params* p, int32_t agent, G2048Obs* obs) {
  (void)p, (void)agent;
  memcpy(obs->cell, s->board, sizeof obs->cell);
}

PFC_FN void g2048_mask(const void* state, const void* params, int32_t agent, uint8_t* legal) {
  (void)params, (void)agent;
  const uint32_t moves = g2048_legal_moves(g2048_load(((const G2048*)state)->board));
  for (int32_t move = 0; move < G2048_MOVES; ++move) legal[move] = (uint8_t)(moves >> move & 1u);
}

PFC_FN void g2048_metrics(const G2048* s, const G2048Params* p, int32_t agent, float* values) {
  (void)p, (void)agent;
  const int32_t largest = g2048_largest(s->board);
  values[0] = (float)s->score;
  values[1] = values[4] = largest >= 11 ? 1.0f : 0.0f;
  values[2] = (float)(1 << largest);
  values[3] = largest >= 10 ? 1.0f : 0.0f;
  values[5] = largest >= 12 ? 1.0f : 0.0f;
}

// ---- picture: 440 x 520, the board under the score -------------------------------------------------------------------

#define G2048_VIEW_WIDTH 440.0f
#define G2048_VIEW_HEIGHT 520.0f
#define G2048_VIEW_EDGE 20.0f
#define G2048_VIEW_TOP 100.0f
#define G2048_VIEW_GAP 10.0f
#define G2048_VIEW_TILE 87.5f  // four of them and five gaps are 400 wide

// From sand over orange and red to gold, then cooler colours for tiles above 2,048.
PFC_TABLE uint32_t g2048_colors[G2048_MAX_EXPONENT + 1] = {0x232836, 0xe9dfd2, 0xe8d8b9, 0xeeae74, 0xf19460, 0xf17a5c,
                                                           0xee5c38, 0xe9c867, 0xe8c455, 0xe7bf42, 0xe6ba30, 0xf2b134,
                                                           0x5fb96c, 0x3fb6d3, 0x4b8df0, 0x6d7ff0, 0xa866e8, 0xe052b4};

static void g2048_draw_tile(int32_t exponent, float x, float y, const PfcDraw* d) {
  char text[16];
  const float tile = G2048_VIEW_TILE;
  d->rounded_rect(d->context, x, y, tile, tile, 8.0f, pfc_rgb(g2048_colors[exponent]));
  if (exponent == 0) return;
  snprintf(text, sizeof text, "%d", 1 << exponent);
  const size_t digits = strlen(text);
  const float size = digits < 3 ? 46.0f : digits == 3 ? 38.0f : digits == 4 ? 31.0f : digits == 5 ? 25.0f : 21.0f;
  const float left = x + 0.5f * (tile - pfc_text_width(text, size)),
              above = y + 0.5f * (tile - PFC_TEXT_BASELINE * size);
  d->text(d->context, left, above, size, text, pfc_rgb(exponent < 3 ? 0x4a4036 : 0xfdfaf3));
}

static void g2048_draw(const G2048* s, const G2048Params* p, const PfcDraw* d) {
  (void)p;
  const float edge = G2048_VIEW_EDGE, top = G2048_VIEW_TOP, pitch = G2048_VIEW_TILE + G2048_VIEW_GAP;
  pfc_draw_board(d, G2048_VIEW_WIDTH, G2048_VIEW_HEIGHT);
  pfc_draw_count(d, edge, 30.0f, 40.0f, true, s->score, "points");
  pfc_draw_count(d, G2048_VIEW_WIDTH - edge, 40.0f, 26.0f, false, d->steps, "moves");
  d->rounded_rect(d->context, edge, top, 400.0f, 400.0f, 14.0f, pfc_rgb(PFC_LINE));
  for (int32_t cell = 0; cell < G2048_CELLS; ++cell)
    g2048_draw_tile(s->board[cell], edge + G2048_VIEW_GAP + pitch * (float)(cell % G2048_SIDE),
                    top + G2048_VIEW_GAP + pitch * (float)(cell / G2048_SIDE), d);
  d->end(d->context);
}

static const PfcKeyBinding g2048_keys[] = {
    PFC_BIND("up w", "up", 0, G2048_UP),
    PFC_BIND("right d", "right", 0, G2048_RIGHT),
    PFC_BIND("down s", "down", 0, G2048_DOWN),
    PFC_BIND("left a", "left", 0, G2048_LEFT),
};

static const PfcField g2048_fields[] = {
    PFC_STATE_FIELD(G2048, board, PFC_UINT8),
    PFC_STATE_FIELD(G2048, score, PFC_INT32),
};

PFC_DEFINE_ENV(g2048, G2048,
               .title = "G2048",
               .summary = "slide tiles; equal ones merge, up to 2,048 and beyond",
               .version = 1,
               .obs_dtype = PFC_UINT8,
               .sizes = {.obs_shape = {G2048_SIDE, G2048_SIDE}, .action_counts = {G2048_MOVES}},
               .check = g2048_check,
               .mask = g2048_mask,
               .obs_rows = g2048_obs,
               .num_obs_rows = sizeof g2048_obs / sizeof g2048_obs[0],
               .metrics = {"score", "perf", "max_tile", "reached_1024", "reached_2048", "reached_4096"},
               .fields = g2048_fields,
               .num_fields = sizeof g2048_fields / sizeof g2048_fields[0],
               .fps = 6,
               .keys = g2048_keys,
               .num_keys = sizeof g2048_keys / sizeof g2048_keys[0],
               .idle = PFC_IDLE_KEEP)
