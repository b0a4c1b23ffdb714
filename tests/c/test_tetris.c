// test_tetris.c - pieces and turns against drawings, bags, hold, drops, full rows and points, falling, garbage, the
// mask, and the ends of a game.
#include <string.h>

#include "../../csrc/envs/tetris.c"
#include "check.h"
#include "classic.h"

static const TetrisParams plain = {.max_steps = 0, .masked = 0, .shaping = 0};
static const TetrisParams shaped = {.max_steps = 0, .masked = 0, .shaping = 1};

static Tetris fresh(uint64_t seed) {
  Tetris s;
  memset(&s, 0, sizeof s);
  pfc_rng_seed(&s.rng, seed, 0);
  tetris_reset(&s, &plain);
  return s;
}

static Outcome play(Tetris* s, const TetrisParams* p, int32_t choice) {
  Outcome out;
  tetris_step(s, p, one_agent(&choice, NULL, &out));
  return out;
}

static bool placed(const Tetris* s, int x, int y) { return (s->rows[y] >> (TETRIS_WALL + x) & 1) != 0; }

static void set_row(Tetris* s, int y, const char* cells) {  // '#' is a placed cell
  s->rows[y] = TETRIS_EMPTY;
  for (int x = 0; x < TETRIS_WIDTH; ++x)
    if (cells[x] == '#') s->rows[y] |= (uint16_t)(1 << (TETRIS_WALL + x));
}

static void set_piece(Tetris* s, int kind, int x, int y) {
  s->kind = (uint8_t)kind, s->turn = 0, s->fall = 0;
  s->x = (int8_t)x, s->y = (int8_t)y;
}

// ---- pieces --------------------------------------------------------------------------------------------------------

static const char* const drawings[7] = {"X.X.X.X.", "XXXX", "X.XX.X", ".XXXX.", "X.XXX.", "X.X.XX", ".X.XXX"};

// Turns a box of height x width clockwise.
static void turn_box(bool box[4][4], int* height, int* width) {
  bool out[4][4] = {{0}};
  for (int y = 0; y < *height; ++y)
    for (int x = 0; x < *width; ++x) out[x][*height - 1 - y] = box[y][x];
  memcpy(box, out, sizeof out);
  const int swap = *height;
  *height = *width, *width = swap;
}

static void test_shapes_equal_turned_drawings(void) {
  for (int kind = 1; kind <= 7; ++kind) {
    bool box[4][4] = {{0}};
    int height = (int)strlen(drawings[kind - 1]) / 2, width = kind == 1 ? 1 : 2;
    for (int i = 0; i < 2 * height; ++i) box[i / 2][i % 2] = drawings[kind - 1][i] == 'X';
    for (int turn = 0; turn < 4; ++turn) {
      for (int i = 0; i < 16; ++i)
        CHECK((tetris_shapes[kind][turn] >> (16 * (i / 4) + i % 4) & 1) == (box[i / 4][i % 4] ? 1u : 0u));
      turn_box(box, &height, &width);
    }
  }
}

static void test_bags_hold_every_kind_once(void) {
  Tetris s = fresh(4);
  int first[8] = {0};
  for (int bag = 0; bag < 2000; ++bag) {
    int seen = 0;
    s.bag_used = TETRIS_KINDS;
    for (int i = 0; i < 7; ++i) {
      const int kind = tetris_draw_kind(&s);
      if (i == 0) first[kind] += 1;
      seen |= 1 << kind;
    }
    CHECK(seen == 0xfe);
  }
  for (int kind = 1; kind <= 7; ++kind) CHECK(first[kind] > 220 && first[kind] < 350);
}

static void test_a_game_starts_with_three_pieces_of_one_bag(void) {
  const Tetris s = fresh(3);
  CHECK(s.kind == s.bag[0] && s.next[0] == s.bag[1] && s.next[1] == s.bag[2]);
  CHECK(s.x == 5 && s.y == 0 && s.turn == 0 && s.held == 0 && s.can_hold == 1);
}

static void test_walls_and_turns(void) {
  Tetris s = fresh(1);
  set_piece(&s, 1, 5, 0);
  for (int i = 0; i < 12; ++i) s.fall = 0, play(&s, &plain, TETRIS_LEFT);
  CHECK(s.x == 0);
  for (int i = 0; i < 12; ++i) s.fall = 0, play(&s, &plain, TETRIS_RIGHT);
  CHECK(s.x == 9 && s.y == 0);
  s.fall = 0;
  CHECK(play(&s, &shaped, TETRIS_TURN).reward == 0.0f && s.turn == 0);  // four cells do not fit, and no kick helps
  s.x = 6, s.fall = 0;
  CHECK(play(&s, &shaped, TETRIS_TURN).reward == 0.01f && s.turn == 1 && s.x == 6 && s.y == 0);
  set_piece(&s, TETRIS_SQUARE, 3, 3);
  CHECK(play(&s, &shaped, TETRIS_TURN).reward == 0.0f && s.turn == 0);
}

// ---- placing ------------------------------------------------------------------------------------------------------

static void test_a_piece_falls_and_is_placed(void) {
  Tetris s = fresh(2);
  set_piece(&s, TETRIS_SQUARE, 0, 0);
  for (int step = 1; step <= 6; ++step) play(&s, &plain, TETRIS_NONE), CHECK(s.y == step / 6 && s.fall == step % 6);
  s.y = 18;
  for (int step = 1; step < 6; ++step) play(&s, &plain, TETRIS_SOFT), CHECK(s.y == 18 && s.score == 0);
  const uint8_t next = s.next[0];
  play(&s, &plain, TETRIS_NONE);
  CHECK(placed(&s, 0, 18) && placed(&s, 1, 19) && !placed(&s, 2, 19) && s.kind == next && s.y == 0);
}

static void test_periods(void) {
  static const int falls[][2] = {{1, 6}, {3, 6}, {4, 5}, {8, 4}, {11, 4}, {12, 3}, {40, 3}};
  static const int rises[][2] = {{1, 93}, {2, 90}, {4, 86}, {16, 72}, {31, 61}, {73, 40}, {74, 40}, {100, 40}};
  for (int i = 0; i < 7; ++i) CHECK(tetris_fall_period(falls[i][0]) == falls[i][1]);
  for (int i = 0; i < 8; ++i) CHECK(tetris_garbage_period(rises[i][0]) == rises[i][1]);
}

static void test_full_rows(void) {
  static const int points[5] = {0, 100, 300, 500, 1000};
  for (int count = 0; count <= 4; ++count) {
    Tetris s = fresh(5);
    set_row(&s, 15, "..#.......");
    for (int y = 16; y < 20; ++y) set_row(&s, y, y < 20 - count ? ".###.#####" : ".#########");
    set_piece(&s, 1, 0, 0);
    s.lines = 9;
    const Outcome out = play(&s, &shaped, TETRIS_HARD);
    CHECK(s.lines == 9 + count && s.score == points[count] + 2 * 16);
    CHECK(out.reward == 0.02f * 16.0f + (float)points[count] / 1000.0f && !out.terminated);
    CHECK(placed(&s, 2, 15 + count) && (count == 0 || s.rows[14 + count] == TETRIS_EMPTY));
    CHECK(tetris_level(&s) == 1 + (9 + count) / 10);
  }
  Tetris s = fresh(5);  // a full row between others
  set_row(&s, 18, "..########");
  set_row(&s, 17, "....#.....");
  set_piece(&s, TETRIS_SQUARE, 0, 0);
  play(&s, &plain, TETRIS_HARD);
  CHECK(s.lines == 1 && placed(&s, 0, 19) && placed(&s, 1, 19) && placed(&s, 4, 18) && !placed(&s, 0, 18));
}

static void test_hold(void) {
  Tetris s = fresh(6);
  const uint8_t first = s.kind, second = s.next[0], third = s.next[1];
  play(&s, &plain, TETRIS_HOLD);
  CHECK(s.held == first && s.kind == second && s.next[0] == third && !s.can_hold);
  play(&s, &plain, TETRIS_HOLD);
  CHECK(s.held == first && s.kind == second);
  play(&s, &plain, TETRIS_HARD);
  CHECK(s.kind == third && s.can_hold);
  s.x = 2;
  play(&s, &plain, TETRIS_HOLD);
  CHECK(s.held == third && s.kind == first && s.x == TETRIS_SPAWN_X && s.y == 0);
}

static void test_a_piece_without_room_ends_the_game(void) {
  Tetris s = fresh(7);
  set_piece(&s, 1, 0, 16);
  set_row(&s, 0, ".....#....");
  s.next[0] = 1;
  CHECK(play(&s, &plain, TETRIS_HARD).terminated);
  Tetris held = fresh(7);
  set_piece(&held, 1, 0, 0);
  set_row(&held, 0, ".....#....");
  held.next[0] = 1;
  CHECK(!play(&held, &plain, TETRIS_NONE).terminated && play(&held, &plain, TETRIS_HOLD).terminated);
}

// ---- garbage ------------------------------------------------------------------------------------------------------

static int holes(uint16_t row) { return 16 - __builtin_popcount(row); }

static void test_garbage_rises(void) {
  Tetris s = fresh(8);
  int rises[3] = {0}, count = 0;
  for (int step = 1; count < 3; ++step) {
    set_piece(&s, 1, 0, 5);
    const uint16_t below = s.rows[18];
    const int before = s.next_garbage;
    CHECK(!play(&s, &plain, TETRIS_NONE).terminated);
    if (s.next_garbage == before) continue;
    CHECK(s.y == 4 && s.rows[17] == below && holes(s.rows[19]) == 1);
    rises[count++] = step;
  }
  CHECK(rises[0] == 500 && rises[1] == 593 && rises[2] == 686);
}

static void test_holes_are_even(void) {
  static const int expected[][2] = {{1, 1}, {15, 1}, {16, 2}, {24, 3}, {39, 4}, {40, 5}, {90, 5}};
  for (int i = 0; i < 7; ++i) {
    Tetris s = fresh(9);
    int counts[TETRIS_WIDTH] = {0};
    for (int n = 0; n < 2000; ++n) {
      s.lines = 10 * (expected[i][0] - 1);
      s.steps = s.next_garbage;
      s.rows[0] = TETRIS_EMPTY;
      for (int y = 0; y < TETRIS_HEIGHT; ++y) s.rows[y] = TETRIS_EMPTY;
      set_piece(&s, 1, 0, 5);
      CHECK(tetris_rise(&s) && holes(s.rows[19]) == expected[i][1]);
      for (int x = 0; x < TETRIS_WIDTH; ++x) counts[x] += !placed(&s, x, 19);
    }
    const int mean = 200 * expected[i][1];
    for (int x = 0; x < TETRIS_WIDTH; ++x) CHECK(counts[x] > 0.75 * mean && counts[x] < 1.25 * mean);
  }
}

static void test_garbage_ends_the_game(void) {
  Tetris s = fresh(10);
  s.steps = 499;
  set_piece(&s, 1, 0, 5);
  set_row(&s, 0, ".........#");
  CHECK(play(&s, &plain, TETRIS_NONE).terminated);
  s = fresh(10);  // the piece in the top row cannot rise, and the row below it does
  s.steps = 499;
  set_piece(&s, TETRIS_SQUARE, 5, 0);
  set_row(&s, 2, ".....#....");
  CHECK(play(&s, &plain, TETRIS_NONE).terminated);
  s = fresh(10);
  s.steps = 499;
  set_piece(&s, TETRIS_SQUARE, 5, 0);
  CHECK(!play(&s, &plain, TETRIS_NONE).terminated && s.y == 0);
}

// ---- mask, observation, metrics -----------------------------------------------------------------------------------

static bool acts(const Tetris* before, int32_t choice) {
  Tetris s = *before;
  float reward = 0.0f;
  tetris_act(&s, &plain, choice, &reward);
  return memcmp(&s, before, sizeof s) != 0;
}

static void check_observation(const Tetris* s) {
  TetrisObs obs;
  tetris_observe(s, &plain, 0, &obs);
  int falling = 0;
  for (int i = 0; i < TETRIS_CELLS; ++i) {
    const int x = i % TETRIS_WIDTH, y = i / TETRIS_WIDTH, column = x - s->x, row = y - s->y;
    const bool in_box = column >= 0 && column < 4 && row >= 0 && row < 4;
    const bool piece = in_box && (tetris_shapes[s->kind][s->turn] >> (16 * row + column) & 1);
    CHECK(obs.cell[i] == (piece ? 2 : placed(s, x, y) ? 1 : 0));
    falling += obs.cell[i] == 2;
  }
  CHECK(falling == 4 && obs.kind == s->kind && obs.next[0] == s->next[0] && obs.next[1] == s->next[1]);
  CHECK(obs.held == s->held && obs.can_hold == s->can_hold && obs.fall == s->fall && obs.level <= 31);
}

static void test_the_mask_allows_what_changes_the_game(void) {
  PfcRng rng;
  pfc_rng_seed(&rng, 11, 0);
  int32_t games = 0;
  for (Tetris s = fresh(11); games < 200;) {
    uint8_t legal[TETRIS_CHOICES] = {0};
    tetris_mask(&s, &plain, 0, legal);
    CHECK(legal[TETRIS_NONE]);
    for (int32_t choice = 1; choice < TETRIS_CHOICES; ++choice) CHECK(legal[choice] == acts(&s, choice));
    check_observation(&s);
    if (!play(&s, &plain, (int32_t)pfc_rng_below(&rng, TETRIS_CHOICES)).terminated) continue;
    games += 1;
    s = fresh(11 + (uint64_t)games);
  }
}

static void test_metrics(void) {
  Tetris s = fresh(12);
  s.lines = 75, s.score = 1234;
  float values[4] = {0.0f};
  tetris_metrics(&s, &plain, 0, values);
  CHECK(values[0] == 1234.0f && values[1] == 0.25f && values[2] == 75.0f && values[3] == 8.0f);
  s.lines = 9000;
  tetris_metrics(&s, &plain, 0, values);
  CHECK(values[1] == 1.0f);
}

int main(void) {
  test_shapes_equal_turned_drawings();
  test_bags_hold_every_kind_once();
  test_a_game_starts_with_three_pieces_of_one_bag();
  test_walls_and_turns();
  test_a_piece_falls_and_is_placed();
  test_periods();
  test_full_rows();
  test_hold();
  test_a_piece_without_room_ends_the_game();
  test_garbage_rises();
  test_holes_are_even();
  test_garbage_ends_the_game();
  test_the_mask_allows_what_changes_the_game();
  test_metrics();
  return check_report();
}
