// test_g2048.c - the rules of 2048 against an implementation that slides one line at a time on lists of values;
// symmetry of the moves, conservation of the tiles' sum, and the distribution of new tiles.
#include <string.h>

#include "../../csrc/envs/g2048.c"
#include "check.h"

static const G2048Params usual = {.max_steps = 0, .max_tile = 0, .reward_kind = 1};

typedef struct Outcome {
  float reward;
  uint8_t terminated;
} Outcome;

static G2048 fresh(const G2048Params* p, uint64_t seed, uint64_t index) {
  G2048 s;
  memset(&s, 0, sizeof s);
  pfc_rng_seed(&s.rng, seed, index);
  g2048_reset(&s, p);
  return s;
}

static Outcome play(G2048* s, const G2048Params* p, int32_t move) {
  Outcome out = {0.0f, 0};
  uint8_t truncated = 0, alive = 1;
  const PfcIo io = {.actions = &move,
                    .rewards = &out.reward,
                    .terminated = &out.terminated,
                    .truncated = &truncated,
                    .alive = &alive};
  g2048_step(s, p, io);
  return out;
}

static bool is_legal(const G2048* s, int32_t move) {
  uint8_t legal[4] = {0};
  g2048_mask(s, &usual, 0, legal);
  return legal[move];
}

// ---- the slow model ------------------------------------------------------------------------------------------------

typedef struct Model {
  int value[4][4];  // of tiles; 0 = empty
  int merged;       // sum of merged values of the last move
  double exponents; // sum of their exponents
} Model;

static Model model_of(const G2048* s) {
  Model m;
  memset(&m, 0, sizeof m);
  for (int cell = 0; cell < 16; ++cell) m.value[cell / 4][cell % 4] = s->board[cell] ? 1 << s->board[cell] : 0;
  return m;
}

static int exponent_of(int value) {
  int exponent = 0;
  while (1 << exponent < value) exponent += 1;
  return exponent;
}

// Slides four values to the front.
static void model_slide_line(Model* m, int* line) {
  int out[5] = {0}, count = 0;
  bool joined = false;  // the last value of `out` is a merged tile
  for (int i = 0; i < 4; ++i) {
    if (line[i] == 0) continue;
    if (count > 0 && !joined && out[count - 1] == line[i]) {
      out[count - 1] *= 2;
      m->merged += out[count - 1];
      m->exponents += exponent_of(out[count - 1]);
      joined = true;
    } else {
      out[count++] = line[i];
      joined = false;
    }
  }
  memcpy(line, out, 4 * sizeof *line);
}

static void model_slide(Model* m, int move) {
  m->merged = 0;
  m->exponents = 0.0;
  for (int i = 0; i < 4; ++i) {
    int line[4];
    for (int k = 0; k < 4; ++k) {
      const int from = move == G2048_DOWN || move == G2048_RIGHT ? 3 - k : k;
      line[k] = move == G2048_UP || move == G2048_DOWN ? m->value[from][i] : m->value[i][from];
    }
    model_slide_line(m, line);
    for (int k = 0; k < 4; ++k) {
      const int to = move == G2048_DOWN || move == G2048_RIGHT ? 3 - k : k;
      *(move == G2048_UP || move == G2048_DOWN ? &m->value[to][i] : &m->value[i][to]) = line[k];
    }
  }
}

static bool model_can_move(const Model* m, int move) {
  Model after = *m;
  model_slide(&after, move);
  return memcmp(after.value, m->value, sizeof m->value) != 0;
}

// The only cell in which the board after the step differs from the model's slide, -1 if there is not exactly one.
static int new_tile(const Model* slid, const Model* after) {
  int found = -1, count = 0;
  for (int cell = 0; cell < 16; ++cell) {
    if (slid->value[cell / 4][cell % 4] == after->value[cell / 4][cell % 4]) continue;
    found = cell;
    count += 1;
  }
  return count == 1 ? found : -1;
}

static void check_step(const G2048* before, const G2048Params* p, int32_t move) {
  Model slid = model_of(before);
  model_slide(&slid, move);
  G2048 s = *before;
  const Outcome out = play(&s, p, move);
  const Model after = model_of(&s);
  const int cell = new_tile(&slid, &after);
  if (!CHECK(cell >= 0)) return;
  const int value = after.value[cell / 4][cell % 4];
  CHECK(slid.value[cell / 4][cell % 4] == 0 && (value == 2 || value == 4));
  CHECK(s.score == before->score + slid.merged);
  CHECK(out.reward == (p->reward_kind ? (float)(slid.exponents / 16.0) : (float)slid.merged / 1024.0f));
  bool over = true;
  for (int next = 0; next < 4; ++next) {
    CHECK(is_legal(&s, next) == model_can_move(&after, next));
    over = over && !model_can_move(&after, next);
  }
  bool reached = false;
  for (int i = 0; i < 16; ++i) reached |= p->max_tile > 0 && after.value[i / 4][i % 4] >= p->max_tile;
  CHECK(out.terminated == (over || reached));
  G2048Obs obs;
  g2048_observe(&s, p, 0, &obs);
  for (int i = 0; i < 16; ++i)
    CHECK(obs.cell[i] == (after.value[i / 4][i % 4] ? exponent_of(after.value[i / 4][i % 4]) : 0));
}

// Boards that play would hardly reach: any mixture of few exponents, also the largest.
static void test_random_boards(int32_t boards) {
  PfcRng rng;
  pfc_rng_seed(&rng, 3, 0);
  const G2048Params points = {.max_steps = 0, .max_tile = 1024, .reward_kind = 0};
  for (int32_t i = 0; i < boards; ++i) {
    G2048 s = fresh(&usual, 4, (uint64_t)i);
    const uint32_t kinds = 1 + pfc_rng_below(&rng, 5), base = pfc_rng_below(&rng, 13), gaps = pfc_rng_below(&rng, 5);
    for (int cell = 0; cell < 16; ++cell)
      s.board[cell] = pfc_rng_below(&rng, 4) < gaps ? 0 : (uint8_t)(1 + base + pfc_rng_below(&rng, kinds) % 16);
    for (int cell = 0; cell < 16; ++cell) s.board[cell] = (uint8_t)pfc_mini(s.board[cell], 16);
    const Model m = model_of(&s);
    for (int32_t move = 0; move < 4; ++move) {
      CHECK(is_legal(&s, move) == model_can_move(&m, move));
      if (is_legal(&s, move)) check_step(&s, i % 2 ? &usual : &points, move);
    }
  }
}

static int32_t random_move(const G2048* s, PfcRng* rng) {
  int32_t move = (int32_t)pfc_rng_below(rng, 4);
  while (!is_legal(s, move)) move = (move + 1) % 4;
  return move;
}

// In whole games the sum of all tiles rises by the new tile alone.
static void test_games(int32_t games) {
  PfcRng rng;
  pfc_rng_seed(&rng, 6, 0);
  double total = 0.0, moves = 0.0;
  for (int32_t game = 0; game < games; ++game) {
    G2048 s = fresh(&usual, 9, (uint64_t)game);
    int32_t tiles = 0;
    for (int cell = 0; cell < 16; ++cell) tiles += s.board[cell] > 0, CHECK(s.board[cell] <= 2);
    CHECK(tiles == 2 && s.score == 0);
    for (Outcome out = {0.0f, 0}; !out.terminated; moves += 1.0) {
      const int32_t move = random_move(&s, &rng);
      if (game < 100) check_step(&s, &usual, move);
      int32_t before = 0, after = 0;
      for (int cell = 0; cell < 16; ++cell) before += (1 << s.board[cell]) & ~1;
      out = play(&s, &usual, move);
      for (int cell = 0; cell < 16; ++cell) after += (1 << s.board[cell]) & ~1;
      CHECK(after - before == 2 || after - before == 4);
    }
    float values[6] = {0.0f};
    g2048_metrics(&s, &usual, 0, values);
    const int32_t largest = 1 << g2048_largest(s.board);
    CHECK(values[0] == (float)s.score && values[2] == (float)largest && values[1] == values[4]);
    CHECK(values[3] == (float)(largest >= 1024) && values[4] == (float)(largest >= 2048) &&
          values[5] == (float)(largest >= 4096));
    total += s.score;
  }
  printf("random play: mean score %.0f, %.0f moves\n", total / games, moves / games);
  CHECK(total / games > 900 && total / games < 1300);
}

static G2048Gain slide(uint8_t* board, int32_t move) {
  G2048Lines rows = g2048_load(board);
  const G2048Gain gain = g2048_slide(&rows, move);
  g2048_store(rows, board);
  return gain;
}

// Mirrored and transposed boards slide as the mirrored and transposed moves say.
static void test_symmetry(void) {
  static const int32_t mirrored[4] = {G2048_UP, G2048_LEFT, G2048_DOWN, G2048_RIGHT};
  static const int32_t transposed[4] = {G2048_LEFT, G2048_DOWN, G2048_RIGHT, G2048_UP};
  PfcRng rng;
  pfc_rng_seed(&rng, 12, 0);
  for (int32_t i = 0; i < 20000; ++i) {
    uint8_t a[16], b[16], c[16];
    for (int cell = 0; cell < 16; ++cell) a[cell] = (uint8_t)(pfc_rng_below(&rng, 3) ? 1 + pfc_rng_below(&rng, 3) : 0);
    for (int cell = 0; cell < 16; ++cell)
      b[cell / 4 * 4 + 3 - cell % 4] = a[cell], c[cell % 4 * 4 + cell / 4] = a[cell];
    const int32_t move = (int32_t)pfc_rng_below(&rng, 4);
    const G2048Gain gain = slide(a, move), other = slide(b, mirrored[move]), third = slide(c, transposed[move]);
    CHECK(gain.value == other.value && gain.value == third.value && gain.exponents == other.exponents);
    for (int cell = 0; cell < 16; ++cell)
      CHECK(b[cell / 4 * 4 + 3 - cell % 4] == a[cell] && c[cell % 4 * 4 + cell / 4] == a[cell]);
  }
}

// Chi-square of the new tile's cell and value on a board with seven empty cells. The bound is exceeded by chance once
// in a million runs; the seed is fixed.
static void test_new_tiles(void) {
  enum { DRAWS = 200000, EMPTY = 7 };
  G2048 s = fresh(&usual, 21, 0);
  for (int cell = 0; cell < 16; ++cell) s.board[cell] = (uint8_t)(cell % 9 % 2 ? 0 : 5);
  int empty = 0, count[16][3] = {{0}};
  for (int cell = 0; cell < 16; ++cell) empty += s.board[cell] == 0;
  CHECK(empty == EMPTY);
  for (int32_t i = 0; i < DRAWS; ++i) {
    G2048 t = s;
    G2048Lines rows = g2048_load(t.board);
    g2048_add_tile(&rows, &s.rng);
    g2048_store(rows, t.board);
    for (int cell = 0; cell < 16; ++cell)
      if (t.board[cell] != s.board[cell]) count[cell][t.board[cell]] += 1;
  }
  double chi = 0.0;
  for (int cell = 0; cell < 16; ++cell) {
    for (int exponent = 1; exponent <= 2; ++exponent) {
      const double expected = s.board[cell] ? 0.0 : DRAWS / (double)EMPTY * (exponent == 1 ? 0.9 : 0.1);
      const double off = count[cell][exponent] - expected;
      if (expected > 0.0) chi += off * off / expected;
      else CHECK(count[cell][exponent] == 0);
    }
  }
  CHECK(chi < 53.3);  // 13 degrees of freedom
}

int main(void) {
  test_random_boards(20000);
  test_games(2000);
  test_symmetry();
  test_new_tiles();
  CHECK(g2048_check(&usual) == NULL);
  const G2048Params odd = {.max_tile = 100}, small = {.max_tile = 4}, fine = {.max_tile = 2048};
  CHECK(g2048_check(&odd) && g2048_check(&small) && !g2048_check(&fine));
  return check_report();
}
