// connect4.c - two players drop stones into a rack of 7 columns and 6 rows; four in a line win. Two agents.
//
// Agent 0 begins, and the agents take turns: one step is one ply. The waiting agent may only choose 0, which is
// ignored. A full rack without four in a line is a draw. With `random_plies` a game begins after 0 to that many random
// plies, so that self-play meets many positions; agent 1 moves first after an odd number.
//
// obs   uint8[6][7]   the rack in the agent's own view, top row first: 0 empty, 1 own stone, 2 other's stone, 3 the
//                     other's latest stone
// act   int32[1]      the column, 0 to 6 from the left; a full column is illegal
// rew   +1 for the winner, -1 for the loser, 0 for a draw; both are terminated
//
// score = perf: 1 won, 0.5 drawn, 0 lost.
//
// Boards are sets of cells, one bit each: bit 8 * row + column, row 0 on top. Bit 7 of each row stays 0, so that a line
// cannot continue from one row to the next.
#include "pufferc/env.h"

enum { CONNECT4_WIDTH = 7, CONNECT4_HEIGHT = 6, CONNECT4_CELLS = CONNECT4_WIDTH * CONNECT4_HEIGHT };
enum { CONNECT4_STRIDE = 8 };  // bits from row to row

#define CONNECT4_BOARD 0x7f7f7f7f7f7full   // all cells
#define CONNECT4_FLOOR 0x7f0000000000ull   // the bottom row
#define CONNECT4_COLUMN 0x010101010101ull  // the left column

#define CONNECT4_PARAMS(X)                                                       \
  X(int, max_steps, 0, 0, PFC_MAX_STEPS, "plies until truncation; 0 = never") \
  X(int, random_plies, 0, 0, 16, "a game begins after 0 to this many random plies")
PFC_DEFINE_PARAMS(connect4, Connect4Params, CONNECT4_PARAMS)

typedef struct Connect4 {
  PfcRng rng;          // for random_plies
  uint64_t stones[2];  // of each agent
  uint64_t latest[2];  // the latest stone of each agent; 0 before the first
  int32_t plies;       // so far, random ones included; agent plies % 2 moves next
  int32_t winner;      // the agent that has four in a line, else -1
} Connect4;

typedef struct Connect4Obs {
  uint8_t cell[CONNECT4_CELLS];
} Connect4Obs;

static const PfcObsRow connect4_obs[] = {
    PFC_OBS_PLANE("board", CONNECT4_CELLS, 4, CONNECT4_HEIGHT, CONNECT4_WIDTH,
                  "0 empty, 1 own, 2 other's, 3 other's latest stone; row by row from the top"),
};

// ---- rules -------------------------------------------------------------------------------------------------

PFC_FN int32_t connect4_turn(const Connect4* s) { return s->plies & 1; }

// The cell of each column that is not full into which a stone would drop.
PFC_FN uint64_t connect4_drops(uint64_t occupied) {
  return (occupied >> CONNECT4_STRIDE | CONNECT4_FLOOR) & ~occupied & CONNECT4_BOARD;
}

PFC_FN bool connect4_has_four(uint64_t stones) {
  const uint64_t across = stones & stones >> 1, down = stones & stones >> 8;
  const uint64_t falling = stones & stones >> 9, rising = stones & stones >> 7;
  return ((across & across >> 2) | (down & down >> 16) | (falling & falling >> 18) | (rising & rising >> 14)) != 0;
}

PFC_FN uint64_t connect4_drop(const Connect4* s, int32_t column) {
  return connect4_drops(s->stones[0] | s->stones[1]) & CONNECT4_COLUMN << column;
}

PFC_FN void connect4_place(Connect4* s, uint64_t stone) {
  const int32_t mover = connect4_turn(s);
  s->stones[mover] |= stone;
  s->latest[mover] = stone;
  s->plies += 1;
}

// Random plies end before a full column is chosen or a line of four would be made.
PFC_FN void connect4_reset(Connect4* s, const Connect4Params* p) {
  s->winner = -1;
  if (p->random_plies == 0) return;
  for (uint32_t left = pfc_rng_below(&s->rng, (uint32_t)p->random_plies + 1); left > 0; --left) {
    const uint64_t stone = connect4_drop(s, (int32_t)pfc_rng_below(&s->rng, CONNECT4_WIDTH));
    if (!stone || connect4_has_four(s->stones[connect4_turn(s)] | stone)) return;
    connect4_place(s, stone);
  }
}

PFC_FN void connect4_step(Connect4* s, const Connect4Params* p, PfcIo io) {
  (void)p;
  const int32_t mover = connect4_turn(s);
  connect4_place(s, connect4_drop(s, io.actions[mover]));
  const bool won = connect4_has_four(s->stones[mover]);
  if (!won && s->plies < CONNECT4_CELLS) return;
  if (won) s->winner = mover;
  io.rewards[mover] = won ? 1.0f : 0.0f;
  io.rewards[1 - mover] = won ? -1.0f : 0.0f;
  io.terminated[0] = io.terminated[1] = 1;
}

// ---- observation, mask, metrics ------------------------------------------------------------------------------

// Bits 0 to 6 become bytes 0 to 6. Seven copies of the row, each 7 bits further, put bit i at bit 8 i.
PFC_FN uint64_t connect4_spread(uint64_t row) {
  return (row & 0x7f) * 0x040810204081ull & 0x01010101010101ull;
}

PFC_FN void connect4_store(uint8_t* out, uint64_t bytes) {  // the lowest byte first
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
  bytes = __builtin_bswap64(bytes);
#endif
  memcpy(out, &bytes, 7);
}

PFC_FN void connect4_observe(const Connect4* s, const Connect4Params* p, int32_t agent, Connect4Obs* obs) {
  (void)p;
  const int32_t other = 1 - agent;
  const uint64_t odd = s->stones[agent] | s->latest[other], two = s->stones[other];  // codes 1 and 3; codes 2 and 3
  for (int32_t row = 0; row < CONNECT4_HEIGHT; ++row) {
    const int32_t first = CONNECT4_STRIDE * row;
    connect4_store(obs->cell + CONNECT4_WIDTH * row, connect4_spread(odd >> first) + 2 * connect4_spread(two >> first));
  }
}

PFC_FN void connect4_mask(const void* state, const void* params, int32_t agent, uint8_t* legal) {
  (void)params;
  const Connect4* s = (const Connect4*)state;
  const uint64_t full = s->stones[0] | s->stones[1];  // in its top row
  connect4_store(legal, agent == connect4_turn(s) ? connect4_spread(~full) : 1);
}

PFC_FN void connect4_metrics(const Connect4* s, const Connect4Params* p, int32_t agent, float* values) {
  (void)p;
  values[0] = values[1] = s->winner < 0 ? 0.5f : s->winner == agent ? 1.0f : 0.0f;
  values[2] = (float)s->plies;
  values[3] = agent == 0 ? 1.0f : 0.0f;
}

// ---- script --------------------------------------------------------------------------------------------------
//
// Level 0 plays at random. Level 1 wins if it can, else it blocks a win of the other, else it plays at random. Levels 2
// to 4 search 4, 6 and 8 plies and play a random one of the best moves: an earlier win is better, a later loss is
// better, and everything else is equal.

enum { CONNECT4_RANDOM, CONNECT4_BLOCKS, CONNECT4_SEARCHES, CONNECT4_LEVELS = 5 };
enum { CONNECT4_WIN = 100 };  // more than any number of plies; a win after n plies is worth CONNECT4_WIN - n

PFC_TABLE int8_t connect4_order[CONNECT4_WIDTH] = {3, 2, 4, 1, 5, 0, 6};  // good moves tend to be in the middle

// A position for the search, in the view of the agent that moves.
typedef struct Connect4Position {
  uint64_t own, other;
  int32_t ply;    // plies since the root
  int32_t depth;  // plies left to search
} Connect4Position;

PFC_FN uint64_t connect4_line_ends(uint64_t stones, int32_t shift) {
  const uint64_t up = stones << shift, down = stones >> shift;
  const uint64_t up2 = up & up << shift, down2 = down & down >> shift;
  return (up2 & stones << 3 * shift) | (up2 & down) | (up & down2) | (down2 & stones >> 3 * shift);
}

// Empty cells that would complete a line of four, wherever a stone can drop now.
PFC_FN uint64_t connect4_threats(uint64_t stones, uint64_t occupied) {
  const uint64_t ends = connect4_line_ends(stones, 1) | connect4_line_ends(stones, 7) | connect4_line_ends(stones, 8) |
                        connect4_line_ends(stones, 9);
  return ends & ~occupied & CONNECT4_BOARD;
}

PFC_FN Connect4Position connect4_after(const Connect4Position* q, uint64_t stone) {
  Connect4Position next;
  next.own = q->other;
  next.other = q->own | stone;
  next.ply = q->ply + 1;
  next.depth = q->depth - 1;
  return next;
}

// Moves after which the other cannot win at once. A stone below a cell that wins for the other gives it that cell.
PFC_FN uint64_t connect4_safe_moves(const Connect4Position* q, uint64_t occupied) {
  const uint64_t drops = connect4_drops(occupied), threats = connect4_threats(q->other, occupied);
  const uint64_t forced = drops & threats;
  if (forced & (forced - 1)) return 0;
  return (forced ? forced : drops) & ~(threats << CONNECT4_STRIDE);
}

// The value of a position within (alpha, beta), by alpha-beta search. The last two plies need no search.
static int32_t connect4_value(const Connect4Position* q, int32_t alpha, int32_t beta) {
  const uint64_t occupied = q->own | q->other, drops = connect4_drops(occupied);
  if (q->depth == 0 || drops == 0) return 0;
  if (drops & connect4_threats(q->own, occupied)) return CONNECT4_WIN - (q->ply + 1);
  if (q->depth == 1) return 0;
  const uint64_t safe = connect4_safe_moves(q, occupied);
  if (safe == 0) return q->ply + 2 - CONNECT4_WIN;
  if (q->depth == 2) return 0;
  int32_t best = -CONNECT4_WIN;
  for (int32_t i = 0; i < CONNECT4_WIDTH; ++i) {
    const uint64_t stone = safe & CONNECT4_COLUMN << connect4_order[i];
    if (!stone) continue;
    const Connect4Position next = connect4_after(q, stone);
    best = pfc_maxi(best, -connect4_value(&next, -beta, -alpha));
    alpha = pfc_maxi(alpha, best);
    if (alpha >= beta) break;
  }
  return best;
}

// The moves of highest value, as cells. Each is searched with a window that shows whether it equals the best so far.
static uint64_t connect4_best_moves(const Connect4Position* q) {
  const uint64_t drops = connect4_drops(q->own | q->other);
  const uint64_t wins = drops & connect4_threats(q->own, q->own | q->other);
  if (wins) return wins;
  int32_t best = -CONNECT4_WIN;
  uint64_t moves = 0;
  for (int32_t i = 0; i < CONNECT4_WIDTH; ++i) {
    const uint64_t stone = drops & CONNECT4_COLUMN << connect4_order[i];
    if (!stone) continue;
    const Connect4Position next = connect4_after(q, stone);
    const int32_t value = -connect4_value(&next, -CONNECT4_WIN, 1 - best);
    moves = value > best ? stone : value == best ? moves | stone : moves;
    best = pfc_maxi(best, value);
  }
  return moves;
}

// A random column among those of the cells, which are not empty.
PFC_FN int32_t connect4_pick(uint64_t cells, PfcRng* rng) {
  int32_t columns[CONNECT4_WIDTH], count = 0;
  for (int32_t column = 0; column < CONNECT4_WIDTH; ++column)
    if (cells & CONNECT4_COLUMN << column) columns[count++] = column;
  return columns[pfc_rng_below(rng, (uint32_t)count)];
}

static uint64_t connect4_block_moves(const Connect4Position* q) {
  const uint64_t occupied = q->own | q->other, drops = connect4_drops(occupied);
  const uint64_t wins = drops & connect4_threats(q->own, occupied),
                 blocks = drops & connect4_threats(q->other, occupied);
  return wins ? wins : blocks ? blocks : drops;
}

static void connect4_script(const void* state, const void* params, int32_t agent, int32_t level, PfcRng* rng,
                            int32_t* choices, float* controls) {
  (void)params, (void)controls;
  const Connect4* s = (const Connect4*)state;
  choices[0] = 0;
  if (agent != connect4_turn(s)) return;
  const Connect4Position q = {s->stones[agent], s->stones[1 - agent], 0, 2 * level};
  const uint64_t moves = level == CONNECT4_RANDOM   ? connect4_drops(q.own | q.other)
                         : level == CONNECT4_BLOCKS ? connect4_block_moves(&q)
                                                    : connect4_best_moves(&q);
  choices[0] = connect4_pick(moves, rng);
}

// ---- picture: 480 x 480, the rack under the numbers -----------------------------------------------------------------

#define CONNECT4_VIEW 480.0f
#define CONNECT4_VIEW_CELL 60.0f
#define CONNECT4_VIEW_LEFT 30.0f
#define CONNECT4_VIEW_TOP 88.0f

PFC_TABLE uint32_t connect4_colors[2] = {PFC_AGENT, PFC_RIVAL};

static PfcPoint connect4_centre(int32_t row, int32_t column) {
  PfcPoint at;
  at.x = CONNECT4_VIEW_LEFT + CONNECT4_VIEW_CELL * ((float)column + 0.5f);
  at.y = CONNECT4_VIEW_TOP + CONNECT4_VIEW_CELL * ((float)row + 0.5f);
  return at;
}

static void connect4_draw_cell(const Connect4* s, int32_t row, int32_t column, const PfcDraw* d) {
  const uint64_t bit = 1ull << (CONNECT4_STRIDE * row + column);
  const PfcPoint at = connect4_centre(row, column);
  const int32_t owner = s->stones[0] & bit ? 0 : s->stones[1] & bit ? 1 : -1;
  d->circle(d->context, at.x, at.y, 24.0f, pfc_rgb(PFC_BOARD));
  if (owner < 0) return;
  const bool latest = (s->latest[1 - connect4_turn(s)] & bit) != 0;
  d->circle(d->context, at.x, at.y, 24.0f, latest ? pfc_rgb(PFC_INK) : pfc_rgb(connect4_colors[owner]));
  d->circle(d->context, at.x, at.y, 20.5f, pfc_rgb(connect4_colors[owner]));
  d->circle(d->context, at.x, at.y, 13.0f, pfc_tint(PFC_PAGE, 40));  // an inner edge, as of a stone
}

// A line through every four in a line of the winner.
static void connect4_draw_fours(const Connect4* s, const PfcDraw* d) {
  static const int32_t steps[4][2] = {{0, 1}, {1, 0}, {1, 1}, {1, -1}};
  for (int32_t i = 0; s->winner >= 0 && i < 4 * CONNECT4_CELLS; ++i) {
    const int32_t row = i / 4 / CONNECT4_WIDTH, column = i / 4 % CONNECT4_WIDTH;
    const int32_t down = steps[i % 4][0], right = steps[i % 4][1];
    const int32_t last_row = row + 3 * down, last_column = column + 3 * right;
    if (last_row >= CONNECT4_HEIGHT || last_column < 0 || last_column >= CONNECT4_WIDTH) continue;
    uint64_t four = 0;
    for (int32_t k = 0; k < 4; ++k) four |= 1ull << (CONNECT4_STRIDE * (row + k * down) + column + k * right);
    if ((s->stones[s->winner] & four) != four) continue;
    const PfcPoint a = connect4_centre(row, column), b = connect4_centre(last_row, last_column);
    d->line(d->context, a.x, a.y, b.x, b.y, 6.0f, pfc_rgb(PFC_GOAL));
  }
}

static void connect4_draw_turn(const Connect4* s, const PfcDraw* d) {
  const bool over = s->winner >= 0 || s->plies == CONNECT4_CELLS;
  const int32_t shown = s->winner >= 0 ? s->winner : connect4_turn(s);
  const char* text = s->winner >= 0 ? "wins" : over ? "draw" : "to move";
  const float left = CONNECT4_VIEW - CONNECT4_VIEW_LEFT - pfc_text_width(text, 20.0f);
  d->text(d->context, left, 34.0f, 20.0f, text, pfc_rgb(PFC_DIM));
  if (s->winner >= 0 || !over) d->circle(d->context, left - 20.0f, 43.0f, 10.0f, pfc_rgb(connect4_colors[shown]));
}

static void connect4_draw(const Connect4* s, const Connect4Params* p, const PfcDraw* d) {
  (void)p;
  const float cell = CONNECT4_VIEW_CELL, left = CONNECT4_VIEW_LEFT, top = CONNECT4_VIEW_TOP;
  pfc_draw_board(d, CONNECT4_VIEW, CONNECT4_VIEW);
  pfc_draw_count(d, left, 28.0f, 32.0f, true, s->plies, s->plies == 1 ? "stone" : "stones");
  connect4_draw_turn(s, d);
  d->rounded_rect(d->context, left - 8.0f, top - 8.0f, CONNECT4_WIDTH * cell + 16.0f, CONNECT4_HEIGHT * cell + 16.0f,
                  18.0f, pfc_rgb(0x263157));
  for (int32_t i = 0; i < CONNECT4_CELLS; ++i) connect4_draw_cell(s, i / CONNECT4_WIDTH, i % CONNECT4_WIDTH, d);
  connect4_draw_fours(s, d);
  d->end(d->context);
}

static const PfcKeyBinding connect4_keys[] = {
    PFC_BIND("1", "left column", 0, 0), PFC_BIND("2", "column 2", 0, 1), PFC_BIND("3", "column 3", 0, 2),
    PFC_BIND("4", "column 4", 0, 3),    PFC_BIND("5", "column 5", 0, 4), PFC_BIND("6", "column 6", 0, 5),
    PFC_BIND("7", "right column", 0, 6),
};

static const PfcField connect4_fields[] = {
    PFC_STATE_FIELD(Connect4, stones, PFC_UINT64),
    PFC_STATE_FIELD(Connect4, latest, PFC_UINT64),
    PFC_STATE_FIELD(Connect4, plies, PFC_INT32),
    PFC_STATE_FIELD(Connect4, winner, PFC_INT32),
};

PFC_DEFINE_ENV(connect4, Connect4,
               .title = "Connect4",
               .summary = "two players drop stones; four in a line win",
               .version = 1,
               .obs_dtype = PFC_UINT8,
               .sizes = {.agents = 2,
                         .obs_shape = {CONNECT4_HEIGHT, CONNECT4_WIDTH},
                         .action_counts = {CONNECT4_WIDTH},
                         .teams = 2},
               .mask = connect4_mask,
               .script = connect4_script,
               .num_levels = CONNECT4_LEVELS,
               .obs_rows = connect4_obs,
               .num_obs_rows = sizeof connect4_obs / sizeof connect4_obs[0],
               .metrics = {"score", "perf", "length", "first"},
               .fields = connect4_fields,
               .num_fields = sizeof connect4_fields / sizeof connect4_fields[0],
               .fps = 2,
               .keys = connect4_keys,
               .num_keys = sizeof connect4_keys / sizeof connect4_keys[0])
