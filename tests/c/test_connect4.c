// test_connect4.c - the rules of Connect4 and the script's search, against an obvious implementation on an array of
// characters. Stronger levels beat weaker ones.
#include <string.h>

#include "../../csrc/envs/connect4.c"
#include "check.h"

static const Connect4Params params = {.max_steps = 0};

typedef struct Outcome {
  float rewards[2];
  uint8_t terminated[2];
} Outcome;

static Connect4 fresh(void) {
  Connect4 s;
  memset(&s, 0, sizeof s);
  pfc_rng_seed(&s.rng, 1, 0);
  connect4_reset(&s, &params);
  return s;
}

// The waiting agent's choice should not matter; `other` is that choice.
static Outcome play(Connect4* s, int32_t column, int32_t other) {
  Outcome out = {{0.0f, 0.0f}, {0, 0}};
  uint8_t truncated[2] = {0, 0}, alive[2] = {1, 1};
  const int32_t mover = connect4_turn(s);
  int32_t actions[2];
  actions[mover] = column, actions[1 - mover] = other;
  const PfcIo io = {.actions = actions,
                    .rewards = out.rewards,
                    .terminated = out.terminated,
                    .truncated = truncated,
                    .alive = alive};
  connect4_step(s, &params, io);
  return out;
}

// ---- the slow model ------------------------------------------------------------------------------------------

enum { ROWS = 6, COLUMNS = 7 };

typedef struct Model {
  char cell[ROWS][COLUMNS];    // 0, or 1 + agent
  int latest[2][2];            // row and column of each agent's latest stone; -1 before the first
  int plies;
} Model;

static Model model_start(void) {
  Model m;
  memset(&m, 0, sizeof m);
  memset(m.latest, -1, sizeof m.latest);
  return m;
}

static int model_row(const Model* m, int column) {  // where a stone comes to rest; -1: the column is full
  int row = -1;
  while (row + 1 < ROWS && !m->cell[row + 1][column]) row += 1;
  return row;
}

static int model_run(const Model* m, int row, int column, int down, int right) {
  const char mine = m->cell[row][column];
  int length = 0;
  for (; row >= 0 && row < ROWS && column >= 0 && column < COLUMNS && m->cell[row][column] == mine; ++length)
    row += down, column += right;
  return length;
}

// Whether the stone at this cell is part of four in a line.
static bool model_wins(const Model* m, int row, int column) {
  static const int ways[4][2] = {{0, 1}, {1, 0}, {1, 1}, {1, -1}};
  for (int i = 0; i < 4; ++i)
    if (model_run(m, row, column, ways[i][0], ways[i][1]) + model_run(m, row, column, -ways[i][0], -ways[i][1]) > 4)
      return true;
  return false;
}

// Drops a stone of the agent that moves; returns whether it wins.
static bool model_drop(Model* m, int column) {
  const int row = model_row(m, column), mover = m->plies % 2;
  m->cell[row][column] = (char)(1 + mover);
  m->latest[mover][0] = row, m->latest[mover][1] = column;
  m->plies += 1;
  return model_wins(m, row, column);
}

// Negamax without pruning: a win n plies from the root is worth 100 - n.
static int model_value(const Model* m, int depth, int ply) {
  int best = -1000;
  for (int column = 0; column < COLUMNS; ++column) {
    if (model_row(m, column) < 0) continue;
    Model next = *m;
    const bool won = model_drop(&next, column);
    const bool leaf = depth == 1 || next.plies == 42;
    const int value = won ? 100 - (ply + 1) : leaf ? 0 : -model_value(&next, depth - 1, ply + 1);
    if (value > best) best = value;
  }
  return best;
}

static void model_best_moves(const Model* m, int depth, bool* best) {
  int values[COLUMNS], top = -1000;
  for (int column = 0; column < COLUMNS; ++column) {
    values[column] = -1000;
    if (model_row(m, column) < 0) continue;
    Model next = *m;
    const bool won = model_drop(&next, column);
    values[column] = won ? 99 : depth == 1 || next.plies == 42 ? 0 : -model_value(&next, depth - 1, 1);
    if (values[column] > top) top = values[column];
  }
  for (int column = 0; column < COLUMNS; ++column) best[column] = values[column] == top;
}

// ---- rules against the model -----------------------------------------------------------------------------------

static void check_views(const Connect4* s, const Model* m) {
  for (int32_t agent = 0; agent < 2; ++agent) {
    Connect4Obs obs;
    uint8_t legal[8] = {0};
    connect4_observe(s, &params, agent, &obs);
    connect4_mask(s, &params, agent, legal);
    const bool moves = m->plies % 2 == agent;
    CHECK(legal[7] == 0);
    for (int column = 0; column < COLUMNS; ++column)
      CHECK(legal[column] == (moves ? model_row(m, column) >= 0 : column == 0));
    for (int row = 0; row < ROWS; ++row) {
      for (int column = 0; column < COLUMNS; ++column) {
        const int owner = m->cell[row][column] - 1;
        const bool latest = m->latest[1 - agent][0] == row && m->latest[1 - agent][1] == column;
        CHECK(obs.cell[COLUMNS * row + column] == (owner < 0 ? 0 : owner == agent ? 1 : latest ? 3 : 2));
      }
    }
  }
}

static void test_random_games(int32_t games) {
  PfcRng rng;
  pfc_rng_seed(&rng, 11, 0);
  int32_t wins[2] = {0, 0}, draws = 0, plies = 0;
  for (int32_t game = 0; game < games; ++game) {
    Connect4 s = fresh();
    Model m = model_start();
    for (bool over = false; !over;) {
      check_views(&s, &m);
      int column = (int)pfc_rng_below(&rng, COLUMNS);
      while (model_row(&m, column) < 0) column = (column + 1) % COLUMNS;
      const int mover = m.plies % 2;
      const Outcome out = play(&s, column, (int32_t)pfc_rng_below(&rng, COLUMNS));
      const bool won = model_drop(&m, column);
      over = won || m.plies == 42;
      CHECK(out.terminated[0] == over && out.terminated[1] == over);
      CHECK(out.rewards[mover] == (won ? 1.0f : 0.0f) && out.rewards[1 - mover] == (won ? -1.0f : 0.0f));
      wins[mover] += won;
      draws += over && !won;
      for (int32_t agent = 0; over && agent < 2; ++agent) {
        float values[4] = {out.rewards[agent], -1.0f, -1.0f, -1.0f};
        connect4_metrics(&s, &params, agent, values);
        CHECK(values[0] == 0.5f + 0.5f * out.rewards[agent] && values[1] == values[0]);
        CHECK(values[2] == (float)m.plies && values[3] == (agent == 0 ? 1.0f : 0.0f));
      }
    }
    plies += m.plies;
  }
  printf("random play: %.2f plies; first %d, second %d, drawn %d\n", plies / (double)games, wins[0], wins[1], draws);
  CHECK(plies > 20 * games && plies < 24 * games && wins[0] > wins[1] && draws > 0);
}

// Every line of four alone on the board is found, and no three of its stones are enough.
static void test_every_line(void) {
  static const int ways[4][2] = {{0, 1}, {1, 0}, {1, 1}, {1, -1}};
  int32_t lines = 0;
  for (int i = 0; i < 4 * 42; ++i) {
    const int row = i / 4 / COLUMNS, column = i / 4 % COLUMNS, down = ways[i % 4][0], right = ways[i % 4][1];
    if (row + 3 * down >= ROWS || column + 3 * right >= COLUMNS || column + 3 * right < 0) continue;
    uint64_t four = 0;
    for (int k = 0; k < 4; ++k) four |= 1ull << (8 * (row + k * down) + column + k * right);
    lines += 1;
    CHECK(connect4_has_four(four));
    for (uint64_t rest = four; rest; rest &= rest - 1) {
      const uint64_t missing = rest & (~rest + 1), three = four & ~missing;
      CHECK(!connect4_has_four(three) && (connect4_threats(three, three) & missing));
    }
  }
  CHECK(lines == 69);
}

// A run that would continue from the right edge to the left edge of the next row is no line.
static void test_lines_do_not_wrap(void) {
  for (int shift = 7; shift <= 9; ++shift)
    for (int first = 0; first + 3 * shift < 48; ++first) {
      uint64_t cells = 0;
      int on_board = 0, columns[4];
      for (int k = 0; k < 4; ++k) {
        columns[k] = (first + k * shift) % 8;
        on_board += columns[k] < 7;
        cells |= 1ull << (first + k * shift);
      }
      if (on_board < 4) continue;
      bool straight = true;
      for (int k = 1; k < 4; ++k) straight &= columns[k] - columns[k - 1] == shift - 8;
      CHECK(connect4_has_four(cells) == straight);
    }
  CHECK(!connect4_has_four(0x60 | 3ull << 8));  // columns 5 and 6 of one row, 0 and 1 of the next
}

// ---- the script -------------------------------------------------------------------------------------------------

// A random position without an end, after `plies` plies; false if the game ended earlier.
static bool random_position(PfcRng* rng, int plies, Connect4* s, Model* m) {
  *s = fresh();
  *m = model_start();
  while (m->plies < plies) {
    const int column = (int)pfc_rng_below(rng, COLUMNS);
    if (model_row(m, column) < 0) continue;
    (void)play(s, column, 0);
    if (model_drop(m, column)) return false;
  }
  return true;
}

static Connect4Position position_of(const Connect4* s, int depth) {
  const int32_t mover = connect4_turn(s);
  const Connect4Position q = {s->stones[mover], s->stones[1 - mover], 0, depth};
  return q;
}

static void test_search(int depth, int32_t positions, int least_plies) {
  PfcRng rng;
  pfc_rng_seed(&rng, 5, (uint64_t)depth);
  int32_t decided = 0;
  for (int32_t done = 0; done < positions;) {
    Connect4 s;
    Model m;
    const int plies = least_plies + (int)pfc_rng_below(&rng, (uint32_t)(42 - least_plies));
    if (!random_position(&rng, plies, &s, &m)) continue;
    done += 1;
    bool expected[COLUMNS];
    model_best_moves(&m, depth, expected);
    const Connect4Position q = position_of(&s, depth);
    const uint64_t moves = connect4_best_moves(&q);
    int32_t best = 0, legal = 0;
    for (int column = 0; column < COLUMNS; ++column) {
      CHECK(((moves & CONNECT4_COLUMN << column) != 0) == expected[column]);
      best += expected[column];
      legal += model_row(&m, column) >= 0;
    }
    decided += best < legal;
  }
  CHECK(decided > positions / 20);  // many of the positions have worse moves
}

// The choice of a level over many seeds covers exactly the moves that it may play.
static void test_levels_play_their_moves(void) {
  PfcRng rng;
  pfc_rng_seed(&rng, 8, 0);
  for (int32_t i = 0; i < 150; ++i) {
    Connect4 s;
    Model m;
    if (!random_position(&rng, (int)pfc_rng_below(&rng, 30), &s, &m)) continue;
    const int32_t mover = connect4_turn(&s), level = (int32_t)pfc_rng_below(&rng, 3);
    bool expected[COLUMNS], played[COLUMNS] = {false};
    bool wins[COLUMNS], blocks[COLUMNS], any_win = false, any_block = false;
    for (int column = 0; column < COLUMNS; ++column) {
      const int row = model_row(&m, column);
      wins[column] = blocks[column] = false;
      if (row < 0) continue;
      Model own = m, other = m;
      wins[column] = model_drop(&own, column);
      other.cell[row][column] = (char)(2 - mover);
      blocks[column] = model_wins(&other, row, column);
      any_win |= wins[column], any_block |= blocks[column];
    }
    if (level == 2) model_best_moves(&m, 4, expected);
    for (int column = 0; level < 2 && column < COLUMNS; ++column) {
      expected[column] = model_row(&m, column) >= 0;
      if (level == 1 && any_win) expected[column] = wins[column];
      else if (level == 1 && any_block) expected[column] = blocks[column];
    }
    const Connect4 before = s;
    for (int32_t draw = 0; draw < 200; ++draw) {
      int32_t choice = -1, waits = -1;
      connect4_script(&s, &params, mover, level, &rng, &choice, NULL);
      connect4_script(&s, &params, 1 - mover, level, &rng, &waits, NULL);
      CHECK(waits == 0 && choice >= 0 && choice < COLUMNS);
      played[choice] = true;
    }
    CHECK(memcmp(&before, &s, sizeof s) == 0 && memcmp(played, expected, sizeof played) == 0);
  }
}

// Points of the first level in games with changing sides.
static double points_between(int32_t level, int32_t other, int32_t games) {
  PfcRng rng;
  pfc_rng_seed(&rng, (uint64_t)(10 * level + other), 2);
  double points = 0.0;
  for (int32_t game = 0; game < games; ++game) {
    Connect4 s = fresh();
    for (Outcome out = {{0, 0}, {0, 0}}; !out.terminated[0];) {
      const int32_t mover = connect4_turn(&s);
      int32_t choice = 0;
      connect4_script(&s, &params, mover, mover == game % 2 ? level : other, &rng, &choice, NULL);
      out = play(&s, choice, 0);
      if (out.terminated[0]) points += 0.5 + 0.5 * (double)out.rewards[game % 2];
    }
  }
  return points / games;
}

static void test_levels_are_a_ladder(void) {
  const double blocks = points_between(1, 0, 400), four = points_between(2, 1, 400), six = points_between(3, 2, 200),
               eight = points_between(4, 3, 100);
  printf("points: level 1 against 0 %.3f, 2 against 1 %.3f, 3 against 2 %.3f, 4 against 3 %.3f\n", blocks, four, six,
         eight);
  CHECK(blocks > 0.8 && four > 0.65 && six > 0.5 && eight > 0.5);
}

// Games that begin with random plies have alternating stones and nobody's line, and begin after each number of plies.
static void test_random_plies(void) {
  const Connect4Params random = {.random_plies = 8};
  int games[9] = {0}, firsts[CONNECT4_WIDTH] = {0};
  Connect4 s = fresh();
  for (int32_t i = 0; i < 9000; ++i) {
    const PfcRng rng = s.rng;
    memset(&s, 0, sizeof s);
    s.rng = rng;
    connect4_reset(&s, &random);
    const int zero = __builtin_popcountll(s.stones[0]), one = __builtin_popcountll(s.stones[1]);
    CHECK(zero + one == s.plies && zero - one == (s.plies & 1) && (s.stones[0] & s.stones[1]) == 0);
    CHECK(s.winner == -1 && !connect4_has_four(s.stones[0]) && !connect4_has_four(s.stones[1]));
    CHECK(s.plies <= 8);
    games[s.plies] += 1;
    for (int32_t column = 0; s.plies == 1 && column < CONNECT4_WIDTH; ++column)
      firsts[column] += (s.stones[0] & CONNECT4_COLUMN << column) != 0;
  }
  for (int32_t plies = 0; plies <= 6; ++plies) CHECK(games[plies] > 850 && games[plies] < 1250);  // some end at a line
  for (int32_t column = 0; column < CONNECT4_WIDTH; ++column) CHECK(firsts[column] > 90);
}

int main(void) {
  test_random_plies();
  test_every_line();
  test_lines_do_not_wrap();
  test_random_games(3000);
  test_search(1, 300, 0);
  test_search(2, 300, 0);
  test_search(3, 300, 0);
  test_search(4, 150, 0);
  test_search(6, 15, 8);
  test_search(8, 30, 30);
  test_levels_play_their_moves();
  test_levels_are_a_ladder();
  return check_report();
}
