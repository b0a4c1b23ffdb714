// go.c - Go on boards of 5 x 5 to 19 x 19. Two agents.
//
// Agent 0 has black and begins; the agents take turns, one step is one ply. The waiting agent may only choose 0, which
// is ignored.
//
// - A stone is put on an empty point. Chains of the other colour without liberties are then taken. A stone that would
//   leave its own chain without liberties is illegal.
// - Ko: where a single stone has just taken a single stone, and its only liberty is the point of the taken stone, that
//   point is illegal for one ply. To pass is always legal.
// - A stone after which the whole board equals any earlier one ends the game: it is lost for who played it (superko 1)
//   or a draw (superko 0).
// - The game also ends after two passes in a row, or after 2 size^2 plies. Black wins if its area is greater than
//   white's plus komi, else white wins. The area is the stones and the empty regions that touch only their colour.
//
// obs   uint8[size + 1][size]   the board in the agent's own view: 0 empty, 1 own stone, 2 other's stone,
//                               3 forbidden by ko, 4 the stone that the other has just played; then a row of which
//                               the first value is 1 for black, 2 for white, and the second is 1 if the other has
//                               just passed
// act   int32[1]                a point, row by row, or size^2 to pass
// rew   +1 for the winner, -1 for the loser, 0 for a draw; both are terminated
//
// score = perf: 1 won, 0.5 drawn, 0 lost.
//
// The state is one block: the struct Go, then uint64 past[2 size^2], GoChain chains[cells], uint16 head[cells], uint16
// next[cells] and uint8 color[cells + padding]. Cells are the board with edges: the row above, the row below, and one
// column, which is the right edge of its row and the left edge of the next.
#include "pufferc/env.h"

enum { GO_EMPTY, GO_BLACK, GO_WHITE, GO_EDGE };  // colours; agent + 1 is the agent's
enum { GO_SEEN_EMPTY, GO_SEEN_OWN, GO_SEEN_OTHER, GO_SEEN_KO, GO_SEEN_LATEST, GO_SEEN_CODES };
enum { GO_RUNNING = -1, GO_DRAWN = 2 };  // winner; 0 and 1 are agents
enum { GO_MIN_SIZE = 5, GO_MAX_SIZE = 19, GO_MAX_POINTS = GO_MAX_SIZE * GO_MAX_SIZE };
enum { GO_MAX_CELLS = (GO_MAX_SIZE + 2) * (GO_MAX_SIZE + 1) + 1 };
enum { GO_WORD = 8 };  // cells that are looked at together; the padding behind the board
#define GO_ONES 0x0101010101010101ull

#define GO_PARAMS(X)                                                                               \
  X(int, max_steps, 0, 0, PFC_MAX_STEPS, "plies until truncation; 0 = never")                      \
  X(int, size, 9, GO_MIN_SIZE, GO_MAX_SIZE, "points across and down")                              \
  X(float, komi, 7.5f, -361, 361, "points that black's area must exceed white's by")               \
  X(bool, superko, 1, 0, 1, "a stone that repeats an earlier board loses; 0: the game is a draw")
PFC_DEFINE_PARAMS(go, GoParams, GO_PARAMS)

typedef struct Go {
  PfcRng rng;          // the rules draw nothing
  uint64_t hash;       // of the board
  int32_t plies;       // so far; agent plies % 2 moves next
  int32_t winner;
  int32_t ko;          // cell that is forbidden now; 0 = none
  int32_t latest[2];    // cell of each agent's latest ply; 0 if it passed or has not played
  int32_t passed[2];    // whether each agent's latest ply was a pass
  int32_t captures[2];  // stones that each agent has taken
} Go;

// A chain of connected stones; its entry is at the cell of its head. Liberties are counted once for each stone that
// touches them. They are the same point if and only if liberties * squares = sum^2 (Cauchy and Schwarz).
typedef struct GoChain {
  uint16_t stones, liberties;
  uint32_t sum, squares;  // of the cells of the liberties
} GoChain;

typedef struct GoObs {
  uint8_t code[1];
} GoObs;

// Sizes of 9 x 9; go_fill_rows corrects them.
static const PfcObsRow go_obs[] = {
    PFC_OBS_PLANE("board", 81, GO_SEEN_CODES, 9, 9,
                  "0 empty, 1 own, 2 other's, 3 forbidden by ko, 4 played by the other just now; row by row"),
    PFC_OBS_CODES("side", 1, 3, "1 black, 2 white"),
    PFC_OBS_CODES("passed", 1, 2, "1 if the other has just passed"),
    PFC_OBS_CODES("rest", 0, 2, "zeros, to the end of the row"),
};

// ---- the parts of a state --------------------------------------------------------------------------------------

typedef struct GoGame {
  Go* s;
  const GoParams* p;
  int32_t size, stride;
  uint64_t* past;   // [2 size^2] hashes of the board after each ply, the empty one first
  GoChain* chains;  // [cells], used at heads
  uint16_t* head;   // [cells] of a stone's chain
  uint16_t* next;   // [cells] stones of a chain form a ring
  uint8_t* color;   // [cells + GO_WORD]
} GoGame;

PFC_FN int32_t go_points(const GoParams* p) { return p->size * p->size; }
PFC_FN int32_t go_max_plies(const GoParams* p) { return 2 * go_points(p); }
PFC_FN int32_t go_cells(const GoParams* p) { return (p->size + 2) * (p->size + 1) + 1; }

PFC_FN uint64_t go_state_bytes(const GoParams* p) {
  const uint64_t cells = (uint64_t)go_cells(p);
  return sizeof(Go) + sizeof(uint64_t) * (uint64_t)go_max_plies(p) +
         cells * (sizeof(GoChain) + 2 * sizeof(uint16_t) + 1) + GO_WORD;
}
enum { GO_MAX_STATE_BYTES = sizeof(Go) + 16 * GO_MAX_POINTS + GO_MAX_CELLS * (sizeof(GoChain) + 5) + GO_WORD };

PFC_FN GoGame go_open(const Go* state, const GoParams* p) {
  const int32_t cells = go_cells(p);
  GoGame g;
  g.s = (Go*)(uintptr_t)state;
  g.p = p;
  g.size = p->size;
  g.stride = p->size + 1;
  g.past = (uint64_t*)(void*)(g.s + 1);
  g.chains = (GoChain*)(void*)(g.past + go_max_plies(p));
  g.head = (uint16_t*)(void*)(g.chains + cells);
  g.next = g.head + cells;
  g.color = (uint8_t*)(void*)(g.next + cells);
  return g;
}

PFC_FN int32_t go_cell(const GoGame* g, int32_t point) {
  return (point / g->size + 1) * g->stride + point % g->size;
}

PFC_FN int32_t go_point(const GoGame* g, int32_t cell) {
  return (cell / g->stride - 1) * g->size + cell % g->stride;
}

PFC_FN int32_t go_turn(const Go* s) { return s->plies & 1; }

PFC_FN void go_neighbours(const GoGame* g, int32_t cell, int32_t* out) {
  out[0] = cell - g->stride, out[1] = cell - 1, out[2] = cell + 1, out[3] = cell + g->stride;
}

PFC_FN GoChain* go_chain(const GoGame* g, int32_t cell) { return &g->chains[g->head[cell]]; }

PFC_FN bool go_in_atari(const GoChain* c) {
  return (uint64_t)c->liberties * c->squares == (uint64_t)c->sum * c->sum;
}

PFC_FN bool go_is_stone(int32_t color) { return color == GO_BLACK || color == GO_WHITE; }

PFC_FN uint64_t go_stone_hash(int32_t cell, int32_t color) { return pfc_hash64((uint64_t)(4 * cell + color)); }

// ---- chains ------------------------------------------------------------------------------------------------------

PFC_FN void go_add_liberty(GoChain* c, int32_t cell) {
  c->liberties += 1;
  c->sum += (uint32_t)cell;
  c->squares += (uint32_t)(cell * cell);
}

PFC_FN void go_remove_liberty(GoChain* c, int32_t cell) {
  c->liberties -= 1;
  c->sum -= (uint32_t)cell;
  c->squares -= (uint32_t)(cell * cell);
}

// Makes one chain of two different ones.
PFC_FN void go_join(GoGame* g, int32_t a, int32_t b) {
  if (g->chains[a].stones < g->chains[b].stones) {
    const int32_t swap = a;
    a = b, b = swap;
  }
  GoChain *kept = &g->chains[a], *gone = &g->chains[b];
  int32_t cell = b;
  do {
    g->head[cell] = (uint16_t)a;
    cell = g->next[cell];
  } while (cell != b);
  const uint16_t after = g->next[a];
  g->next[a] = g->next[b];
  g->next[b] = after;
  kept->stones += gone->stones;
  kept->liberties += gone->liberties;
  kept->sum += gone->sum;
  kept->squares += gone->squares;
}

// Takes a chain off the board. Its cells become liberties of the stones around it, all of the other colour.
PFC_FN void go_take(GoGame* g, int32_t head) {
  const int32_t color = g->color[head], taker = GO_BLACK + GO_WHITE - color;
  int32_t cell = head;
  do {
    int32_t around[4];
    go_neighbours(g, cell, around);
    g->color[cell] = GO_EMPTY;
    g->s->hash ^= go_stone_hash(cell, color);
    for (int32_t i = 0; i < 4; ++i)
      if (g->color[around[i]] == taker) go_add_liberty(go_chain(g, around[i]), cell);
    cell = g->next[cell];
  } while (cell != head);
}

// Puts a stone on an empty cell, as a chain of its own that is then joined with its neighbours.
PFC_FN void go_put(GoGame* g, int32_t cell, int32_t color) {
  int32_t around[4];
  GoChain* own = &g->chains[cell];
  own->stones = 1;
  own->liberties = 0;
  own->sum = own->squares = 0;
  g->color[cell] = (uint8_t)color;
  g->head[cell] = g->next[cell] = (uint16_t)cell;
  g->s->hash ^= go_stone_hash(cell, color);
  go_neighbours(g, cell, around);
  for (int32_t i = 0; i < 4; ++i) {
    const int32_t beside = g->color[around[i]];
    if (beside == GO_EMPTY) go_add_liberty(own, around[i]);
    else if (go_is_stone(beside)) go_remove_liberty(go_chain(g, around[i]), cell);
  }
  for (int32_t i = 0; i < 4; ++i)
    if (g->color[around[i]] == color && g->head[around[i]] != g->head[cell])
      go_join(g, g->head[around[i]], g->head[cell]);
}

// ---- rules ---------------------------------------------------------------------------------------------------------

// Whether a stone of this colour may be put on an empty cell without empty neighbours.
PFC_FN bool go_may_fill(const GoGame* g, int32_t cell, int32_t color) {
  int32_t around[4];
  if (cell == g->s->ko) return false;
  go_neighbours(g, cell, around);
  for (int32_t i = 0; i < 4; ++i) {
    const int32_t beside = g->color[around[i]];
    if (!go_is_stone(beside)) continue;
    if (go_in_atari(go_chain(g, around[i])) != (beside == color))
      return true;  // takes, or joins a chain with liberties
  }
  return false;
}

// Stones of the other colour that a stone just put on this cell takes.
PFC_FN int32_t go_take_around(GoGame* g, int32_t cell, int32_t* latest_taken) {
  const int32_t other = GO_BLACK + GO_WHITE - g->color[cell];
  int32_t around[4], taken = 0;
  go_neighbours(g, cell, around);
  for (int32_t i = 0; i < 4; ++i) {
    if (g->color[around[i]] != other || go_chain(g, around[i])->liberties > 0) continue;
    taken += go_chain(g, around[i])->stones;
    *latest_taken = around[i];
    go_take(g, g->head[around[i]]);
  }
  return taken;
}

// Plays a stone. Returns whether the board equals an earlier one.
PFC_FN bool go_play_stone(GoGame* g, int32_t cell) {
  Go* s = g->s;
  const int32_t mover = go_turn(s);
  int32_t latest_taken = 0;
  go_put(g, cell, GO_BLACK + mover);
  const int32_t taken = go_take_around(g, cell, &latest_taken);
  const GoChain* own = go_chain(g, cell);
  s->captures[mover] += taken;
  s->latest[mover] = cell;
  if (taken == 1 && own->stones == 1 && own->liberties == 1) s->ko = latest_taken;
  if (s->captures[0] + s->captures[1] == 0) return false;  // no board repeats while stones are only added
  bool repeats = false;
  for (int32_t i = 0; i <= s->plies; ++i) repeats |= g->past[i] == s->hash;
  return repeats;
}

// Marks every cell of an empty region as counted and returns its size; *touched gets the colours around it, as bits.
PFC_FN int32_t go_flood(const GoGame* g, int32_t start, uint8_t* counted, int32_t* touched) {
  int16_t stack[GO_MAX_POINTS];
  int32_t depth = 0, cells = 0;
  stack[depth++] = (int16_t)start;
  counted[start] = 1;
  while (depth > 0) {
    int32_t around[4];
    go_neighbours(g, stack[--depth], around);
    cells += 1;
    for (int32_t i = 0; i < 4; ++i) {
      const int32_t beside = g->color[around[i]];
      *touched |= 1 << beside;
      if (beside != GO_EMPTY || counted[around[i]]) continue;
      counted[around[i]] = 1;
      stack[depth++] = (int16_t)around[i];
    }
  }
  return cells;
}

// Black's area less white's.
PFC_FN int32_t go_lead(const GoGame* g) {
  uint8_t counted[GO_MAX_CELLS] = {0};
  int32_t lead = 0;
  for (int32_t point = 0; point < go_points(g->p); ++point) {
    const int32_t cell = go_cell(g, point), color = g->color[cell];
    if (color != GO_EMPTY) lead += color == GO_BLACK ? 1 : -1;
    if (color != GO_EMPTY || counted[cell]) continue;
    int32_t touched = 0;
    const int32_t cells = go_flood(g, cell, counted, &touched);
    const bool black = touched >> GO_BLACK & 1, white = touched >> GO_WHITE & 1;
    if (black != white) lead += black ? cells : -cells;
  }
  return lead;
}

// Plays a legal choice for the agent whose turn it is.
PFC_FN void go_play(GoGame* g, int32_t choice) {
  Go* s = g->s;
  const int32_t mover = go_turn(s), other = 1 - mover;
  const bool passes = choice == go_points(g->p);
  s->ko = s->latest[mover] = 0;
  s->passed[mover] = passes;
  const bool repeats = !passes && go_play_stone(g, go_cell(g, choice));
  s->plies += 1;
  if (repeats)
    s->winner = g->p->superko ? other : GO_DRAWN;
  else if ((passes && s->passed[other]) || s->plies == go_max_plies(g->p))
    s->winner = (float)go_lead(g) > g->p->komi ? 0 : 1;
  else
    g->past[s->plies] = s->hash;
}

PFC_FN void go_reset(Go* s, const GoParams* p) {
  GoGame g = go_open(s, p);
  s->winner = GO_RUNNING;
  memset(g.color, GO_EDGE, (size_t)go_cells(p) + GO_WORD);
  for (int32_t y = 1; y <= g.size; ++y) memset(g.color + y * g.stride, GO_EMPTY, (size_t)g.size);
}

PFC_FN void go_step(Go* s, const GoParams* p, PfcIo io) {
  GoGame g = go_open(s, p);
  go_play(&g, io.actions[go_turn(s)]);
  if (s->winner == GO_RUNNING) return;
  for (int32_t agent = 0; agent < 2; ++agent) {
    io.rewards[agent] = s->winner == GO_DRAWN ? 0.0f : s->winner == agent ? 1.0f : -1.0f;
    io.terminated[agent] = 1;
  }
}

// ---- observation, mask, metrics ----------------------------------------------------------------------------------

PFC_FN uint64_t go_load(const uint8_t* cells) {
  uint64_t word;
  memcpy(&word, cells, sizeof word);
  return word;
}

// 1 in each byte that is an empty cell.
PFC_FN uint64_t go_empties(const uint8_t* cells) {
  const uint64_t word = go_load(cells);
  return ~(word | word >> 1) & GO_ONES;
}

// Eight cells at a time. What is written past the end of a row is overwritten by the next one, and in the end by the
// extra row, which is long enough.
PFC_FN void go_observe_board(const GoGame* g, int32_t agent, uint8_t* out) {
  for (int32_t y = 0; y < g->size; ++y) {
    const uint8_t* row = g->color + (y + 1) * g->stride;
    for (int32_t x = 0; x < g->size; x += GO_WORD) {
      uint64_t word = go_load(row + x);
      if (agent == 1) word = (word & GO_ONES) << 1 | (word >> 1 & GO_ONES);  // black and white exchanged
      memcpy(out + g->size * y + x, &word, sizeof word);
    }
  }
}

PFC_FN void go_observe(const Go* s, const GoParams* p, int32_t agent, GoObs* obs) {
  const GoGame g = go_open(s, p);
  const int32_t other = 1 - agent, latest = s->latest[other];
  uint8_t *out = obs->code, *extra = out + go_points(p);
  go_observe_board(&g, agent, out);
  if (latest && g.color[latest] == GO_BLACK + other) out[go_point(&g, latest)] = GO_SEEN_LATEST;
  if (s->ko && agent == go_turn(s)) out[go_point(&g, s->ko)] = GO_SEEN_KO;
  memset(extra, 0, (size_t)g.size);
  extra[0] = (uint8_t)(1 + agent);
  extra[1] = (uint8_t)s->passed[other];
}

// Legal points of the agent that moves, as [size^2] bytes and up to 7 more that are to be ignored. A point beside an
// empty one is always legal; few others need a look at the chains around them.
PFC_FN void go_legal_points(const GoGame* g, uint8_t* legal) {
  const int32_t color = GO_BLACK + go_turn(g->s), size = g->size;
  for (int32_t y = 0; y < size; ++y) {
    const int32_t first = (y + 1) * g->stride;
    for (int32_t x = 0; x < size; x += GO_WORD) {
      const uint8_t* cells = g->color + first + x;
      const uint64_t empty = go_empties(cells);
      const uint64_t open = go_empties(cells - 1) | go_empties(cells + 1) | go_empties(cells - g->stride) |
                            go_empties(cells + g->stride);
      const uint64_t fast = empty & open;
      memcpy(legal + size * y + x, &fast, sizeof fast);
      if (empty == fast) continue;
      for (int32_t i = x; i < pfc_mini(x + GO_WORD, size); ++i)
        if (g->color[first + i] == GO_EMPTY && !legal[size * y + i])
          legal[size * y + i] = go_may_fill(g, first + i, color);
    }
  }
}

PFC_FN void go_mask(const void* state, const void* params, int32_t agent, uint8_t* legal) {
  const Go* s = (const Go*)state;
  const GoParams* p = (const GoParams*)params;
  uint8_t points[GO_MAX_POINTS + GO_WORD];
  if (agent != go_turn(s)) {
    legal[0] = 1;
    return;
  }
  const GoGame g = go_open(s, p);
  go_legal_points(&g, points);
  memcpy(legal, points, (size_t)go_points(p));
  legal[go_points(p)] = 1;
}

PFC_FN void go_metrics(const Go* s, const GoParams* p, int32_t agent, float* values) {
  const GoGame g = go_open(s, p);
  const float margin = (float)go_lead(&g) - p->komi;
  values[0] = values[1] = s->winner == agent ? 1.0f : s->winner == 1 - agent ? 0.0f : 0.5f;
  values[2] = (float)s->plies;
  values[3] = agent == 0 ? 1.0f : 0.0f;
  values[4] = agent == 0 ? margin : -margin;
  values[5] = (float)s->captures[agent];
}

// ---- script --------------------------------------------------------------------------------------------------------
//
// Level 0 plays a random legal stone, but none into its own one-point eyes, and passes if there is no other. Level 1
// takes the largest chain in atari; else it saves the largest own chain that one stone gives two liberties; else it
// plays as level 0. Level 2 tries up to 16 moves of level 0 with 32 games of level 0 against itself each. Among equal
// chains and moves the first one counts.

enum { GO_LEVELS = 3, GO_TRIED_MOVES = 16, GO_TRIED_GAMES = 32 };

// A copy of a game, to play on.
typedef struct GoScratch {
  uint64_t words[(GO_MAX_STATE_BYTES + 7) / 8];
} GoScratch;

static GoGame go_copy(const GoGame* g, GoScratch* scratch) {
  memcpy(scratch->words, g->s, go_state_bytes(g->p));
  return go_open((const Go*)(const void*)scratch->words, g->p);
}

static bool go_is_own_eye(const GoGame* g, int32_t cell, int32_t color) {
  int32_t around[4];
  go_neighbours(g, cell, around);
  for (int32_t i = 0; i < 4; ++i)
    if (g->color[around[i]] != color && g->color[around[i]] != GO_EDGE) return false;
  return true;
}

// Legal points except own one-point eyes; returns their number.
static int32_t go_sensible_points(const GoGame* g, int16_t* points) {
  const int32_t color = GO_BLACK + go_turn(g->s);
  uint8_t legal[GO_MAX_POINTS + GO_WORD];
  int32_t count = 0;
  go_legal_points(g, legal);
  for (int32_t point = 0; point < go_points(g->p); ++point)
    if (legal[point] && !go_is_own_eye(g, go_cell(g, point), color)) points[count++] = (int16_t)point;
  return count;
}

static int32_t go_random_choice(const GoGame* g, PfcRng* rng) {
  int16_t points[GO_MAX_POINTS];
  const int32_t count = go_sensible_points(g, points);
  return count > 0 ? points[pfc_rng_below(rng, (uint32_t)count)] : go_points(g->p);
}

// Whether the chain has two liberties after a stone of its colour on this cell, its only liberty.
static bool go_saves(const GoGame* g, int32_t cell) {
  GoScratch scratch;
  GoGame after = go_copy(g, &scratch);
  (void)go_play_stone(&after, cell);
  const GoChain* c = go_chain(&after, cell);
  return c->liberties > 0 && !go_in_atari(c);
}

// The liberty of the largest chain of this colour that is in atari and where the mover may play to take or save it; -1
// without one.
static int32_t go_urgent_point(const GoGame* g, int32_t color) {
  const int32_t mover = GO_BLACK + go_turn(g->s);
  int32_t found = -1, most = 0;
  for (int32_t point = 0; point < go_points(g->p); ++point) {
    const int32_t cell = go_cell(g, point);
    if (g->color[cell] != color || g->head[cell] != cell) continue;
    const GoChain* c = &g->chains[cell];
    if (c->stones <= most || !go_in_atari(c)) continue;
    const int32_t liberty = (int32_t)(c->sum / c->liberties);
    if (color == mover ? !go_saves(g, liberty) : liberty == g->s->ko) continue;
    found = go_point(g, liberty);
    most = c->stones;
  }
  return found;
}

static int32_t go_urgent_choice(const GoGame* g, PfcRng* rng) {
  const int32_t mover = GO_BLACK + go_turn(g->s);
  const int32_t takes = go_urgent_point(g, GO_BLACK + GO_WHITE - mover);
  if (takes >= 0) return takes;
  const int32_t saves = go_urgent_point(g, mover);
  return saves >= 0 ? saves : go_random_choice(g, rng);
}

// Half points of the agent in games of level 0 against itself after this choice.
static int32_t go_try_choice(const GoGame* g, int32_t choice, PfcRng* rng) {
  const int32_t agent = go_turn(g->s);
  int32_t points = 0;
  for (int32_t i = 0; i < GO_TRIED_GAMES; ++i) {
    GoScratch scratch;
    GoGame game = go_copy(g, &scratch);
    go_play(&game, choice);
    while (game.s->winner == GO_RUNNING) go_play(&game, go_random_choice(&game, rng));
    points += game.s->winner == GO_DRAWN ? 1 : game.s->winner == agent ? 2 : 0;
  }
  return points;
}

static int32_t go_tried_choice(const GoGame* g, PfcRng* rng) {
  int16_t points[GO_MAX_POINTS];
  const int32_t count = go_sensible_points(g, points), tried = pfc_mini(count, GO_TRIED_MOVES);
  int32_t best = go_points(g->p), most = -1;
  for (int32_t i = 0; i < tried; ++i) {
    const int32_t pick = i + (int32_t)pfc_rng_below(rng, (uint32_t)(count - i));
    const int16_t choice = points[pick];
    points[pick] = points[i];
    const int32_t value = go_try_choice(g, choice, rng);
    if (value <= most) continue;
    most = value;
    best = choice;
  }
  return best;
}

static void go_script(const void* state, const void* params, int32_t agent, int32_t level, PfcRng* rng,
                      int32_t* choices, float* controls) {
  (void)controls;
  const GoGame g = go_open((const Go*)state, (const GoParams*)params);
  choices[0] = 0;
  if (agent != go_turn(g.s)) return;
  choices[0] = level == 0   ? go_random_choice(&g, rng)
               : level == 1 ? go_urgent_choice(&g, rng)
                            : go_tried_choice(&g, rng);
}

// ---- sizes -----------------------------------------------------------------------------------------------------

static void go_layout(const void* params, PfcLayout* sizes) {
  const GoParams* p = (const GoParams*)params;
  sizes->state_bytes = go_state_bytes(p);
  sizes->obs_shape[0] = p->size + 1;
  sizes->obs_shape[1] = p->size;
  sizes->action_counts[0] = go_points(p) + 1;
}

static void go_fill_rows(const void* params, PfcObsRow* rows) {
  const GoParams* p = (const GoParams*)params;
  rows[0].count = go_points(p);
  rows[0].plane_height = rows[0].plane_width = p->size;
}

static const PfcField go_fields[] = {
    PFC_STATE_FIELD(Go, plies, PFC_INT32),    PFC_STATE_FIELD(Go, winner, PFC_INT32),
    PFC_STATE_FIELD(Go, ko, PFC_INT32),       PFC_STATE_FIELD(Go, latest, PFC_INT32),
    PFC_STATE_FIELD(Go, captures, PFC_INT32), {"color", PFC_UINT8, 0, 0},
};
enum { GO_NUM_FIELDS = sizeof go_fields / sizeof go_fields[0] };

static void go_field(const void* params, int32_t index, PfcField* field) {
  const GoParams* p = (const GoParams*)params;
  if (index < GO_NUM_FIELDS - 1) return;
  field->count = (uint64_t)go_cells(p);
  field->offset = go_state_bytes(p) - GO_WORD - field->count;
}

// ---- picture: 480 x 540, the board under the numbers ---------------------------------------------------------------

#define GO_VIEW_WIDTH 480.0f
#define GO_VIEW_HEIGHT 540.0f
#define GO_VIEW_TOP 72.0f
#define GO_VIEW_EDGE 12.0f  // from the picture's edge to the wood
#define GO_VIEW_WOOD 0xc39a5fu
#define GO_VIEW_MARK 0x5b4424u
#define GO_VIEW_BLACK 0x15171fu
#define GO_VIEW_WHITE 0xf3efe6u

typedef struct GoView {
  const GoGame* g;
  const PfcDraw* d;
  float pitch;      // between lines
  float left, top;  // of the first lines
} GoView;

static GoView go_view(const GoGame* g, const PfcDraw* d) {
  const float wood = GO_VIEW_WIDTH - 2.0f * GO_VIEW_EDGE;
  GoView v;
  v.g = g;
  v.d = d;
  v.pitch = wood / (float)g->size;
  v.left = GO_VIEW_EDGE + 0.5f * v.pitch;
  v.top = GO_VIEW_TOP + 0.5f * v.pitch;
  return v;
}

static PfcPoint go_place(const GoView* v, int32_t point) {
  PfcPoint at;
  at.x = v->left + v->pitch * (float)(point % v->g->size);
  at.y = v->top + v->pitch * (float)(point / v->g->size);
  return at;
}

static void go_draw_lines(const GoView* v) {
  const PfcDraw* d = v->d;
  const float length = v->pitch * (float)(v->g->size - 1);
  const float thick = pfc_maxf(0.03f * v->pitch, 1.0f);
  const PfcColor color = pfc_rgb(GO_VIEW_MARK);
  d->rounded_rect(d->context, GO_VIEW_EDGE, GO_VIEW_TOP, GO_VIEW_WIDTH - 2.0f * GO_VIEW_EDGE,
                  GO_VIEW_WIDTH - 2.0f * GO_VIEW_EDGE, 10.0f, pfc_rgb(GO_VIEW_WOOD));
  for (int32_t i = 0; i < v->g->size; ++i) {
    const float x = v->left + v->pitch * (float)i, y = v->top + v->pitch * (float)i;
    d->line(d->context, x, v->top, x, v->top + length, thick, color);
    d->line(d->context, v->left, y, v->left + length, y, thick, color);
  }
}

// The marked points of usual boards: near the corners, in the middle, and on 19 x 19 at the sides.
static void go_draw_star_points(const GoView* v) {
  const int32_t size = v->g->size, near = size < 12 ? 2 : 3, middle = size / 2, far = size - 1 - near;
  for (int32_t i = 0; size % 2 == 1 && size >= 7 && i < 9; ++i) {
    const int32_t x = i % 3 == 0 ? near : i % 3 == 1 ? middle : far, y = i / 3 == 0 ? near : i / 3 == 1 ? middle : far;
    if ((i % 2 == 1 && size < 19) || (size < 9 && i != 4)) continue;
    const PfcPoint at = go_place(v, y * size + x);
    v->d->circle(v->d->context, at.x, at.y, 0.09f * v->pitch, pfc_rgb(GO_VIEW_MARK));
  }
}

static void go_draw_stone(const GoView* v, PfcPoint at, float radius, int32_t color) {
  const PfcDraw* d = v->d;
  d->circle(d->context, at.x, at.y + 0.08f * radius, 1.02f * radius, pfc_tint(GO_VIEW_BLACK, 90));
  d->circle(d->context, at.x, at.y, radius, pfc_rgb(color == GO_BLACK ? GO_VIEW_BLACK : GO_VIEW_WHITE));
  d->circle(d->context, at.x - 0.25f * radius, at.y - 0.3f * radius, 0.35f * radius,
            pfc_tint(0xffffff, color == GO_BLACK ? 26 : 120));
}

static void go_draw_stones(const GoView* v) {
  const Go* s = v->g->s;
  const PfcDraw* d = v->d;
  const int32_t latest = s->latest[1 - go_turn(s)];
  for (int32_t point = 0; point < go_points(v->g->p); ++point) {
    const int32_t cell = go_cell(v->g, point), color = v->g->color[cell];
    const PfcPoint at = go_place(v, point);
    if (color != GO_EMPTY) go_draw_stone(v, at, 0.46f * v->pitch, color);
    if (cell == latest) d->circle(d->context, at.x, at.y, 0.15f * v->pitch, pfc_rgb(PFC_GOAL));
    if (cell != s->ko || s->ko == 0) continue;
    const float side = 0.4f * v->pitch;
    d->rect(d->context, at.x - 0.5f * side, at.y - 0.5f * side, side, side, pfc_rgb(PFC_BAD));
    d->rect(d->context, at.x - 0.3f * side, at.y - 0.3f * side, 0.6f * side, 0.6f * side, pfc_rgb(GO_VIEW_WOOD));
  }
}

// A stone, how many it has taken, and at the end who has won.
static void go_draw_side(const GoView* v, int32_t agent) {
  const Go* s = v->g->s;
  const PfcDraw* d = v->d;
  const float x = agent == 0 ? 36.0f : 262.0f;
  const bool running = s->winner == GO_RUNNING;
  PfcPoint at;
  at.x = x, at.y = 36.0f;
  if (running ? go_turn(s) == agent : s->winner == agent)
    d->circle(d->context, at.x, at.y, 20.0f, pfc_rgb(running ? PFC_AGENT : PFC_GOAL));
  d->circle(d->context, at.x, at.y, 17.0f, pfc_rgb(PFC_DIM));
  go_draw_stone(v, at, 15.0f, GO_BLACK + agent);
  pfc_draw_count(d, x + 32.0f, 24.0f, 26.0f, true, s->captures[agent], s->passed[agent] ? "taken, passed" : "taken");
}

static void go_draw(const Go* s, const GoParams* p, const PfcDraw* d) {
  const GoGame g = go_open(s, p);
  const GoView v = go_view(&g, d);
  pfc_draw_board(d, GO_VIEW_WIDTH, GO_VIEW_HEIGHT);
  for (int32_t agent = 0; agent < 2; ++agent) go_draw_side(&v, agent);
  go_draw_lines(&v);
  go_draw_star_points(&v);
  go_draw_stones(&v);
  d->end(d->context);
}

PFC_DEFINE_ENV(go, Go,
               .title = "Go",
               .summary = "surround points with stones, on boards of 5 x 5 to 19 x 19",
               .version = 1,
               .obs_dtype = PFC_UINT8,
               .sizes = {.agents = 2, .action_counts = {82}, .teams = 2},
               .layout = go_layout,
               .mask = go_mask,
               .script = go_script,
               .num_levels = GO_LEVELS,
               .obs_rows = go_obs,
               .num_obs_rows = sizeof go_obs / sizeof go_obs[0],
               .fill_rows = go_fill_rows,
               .metrics = {"score", "perf", "length", "first", "margin", "captures"},
               .fields = go_fields,
               .num_fields = GO_NUM_FIELDS,
               .field = go_field,
               .fps = 4)
