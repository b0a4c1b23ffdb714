// test_maze.c - mazes are trees of even size, and depend on the level alone; recorded path lengths are right; moves,
// the view and the metrics follow the rules.
#include <math.h>
#include <string.h>

#include "../../csrc/envs/maze.c"
#include "check.h"
#include "classic.h"

typedef struct Board {  // room for the largest state
  uint64_t bytes[(sizeof(Maze) + 2 * MAZE_MAX_CELLS) / 8 + 1];
} Board;

static Maze* game(Board* b) { return (Maze*)b->bytes; }
static const Maze* seen_game(const Board* b) { return (const Maze*)b->bytes; }

static MazeParams with_side(int32_t side) {
  const MazeParams p = {.max_steps = 500, .side = side, .first_level = 0, .levels = 0, .view = 0};
  return p;
}

static void start(Board* b, const MazeParams* p, uint64_t seed) {
  memset(b, 0, sizeof *b);
  pfc_rng_seed(&game(b)->rng, seed, 0);
  maze_reset(game(b), p);
}

static void start_level(Board* b, MazeParams* p, int32_t level, uint64_t seed) {
  p->first_level = level, p->levels = 1;
  start(b, p, seed);
}

static Outcome move(Board* b, const MazeParams* p, int32_t choice) {
  Outcome out;
  maze_step(game(b), p, one_agent(&choice, NULL, &out));
  return out;
}

static bool is_free(const Board* b, int side, int x, int y) {
  return x >= 0 && y >= 0 && x < side && y < side && maze_cells_view(seen_game(b))[side * y + x] != MAZE_WALL;
}

// Distances of all free cells from one of them, by relaxing until nothing changes; -1 where no way leads.
static void distances(const Board* b, int side, int from, int* out) {
  for (int i = 0; i < side * side; ++i) out[i] = i == from ? 0 : -1;
  for (bool changed = true; changed;) {
    changed = false;
    for (int y = 0; y < side; ++y)
      for (int x = 0; x < side; ++x) {
        static const int steps[4][2] = {{0, 1}, {0, -1}, {1, 0}, {-1, 0}};
        for (int k = 0; k < 4 && is_free(b, side, x, y); ++k) {
          const int u = x + steps[k][0], v = y + steps[k][1];
          if (!is_free(b, side, u, v) || out[side * v + u] < 0) continue;
          const int through = out[side * v + u] + 1;
          if (out[side * y + x] >= 0 && out[side * y + x] <= through) continue;
          out[side * y + x] = through;
          changed = true;
        }
      }
  }
}

// Connected with one edge less than cells: a tree. Rooms are free, crossings of walls are not.
static void check_tree(const Board* b, int side) {
  int far[MAZE_MAX_CELLS], cells = 0, edges = 0;
  const int inner_side = seen_game(b)->inner, edge = (side - inner_side) / 2, start_cell = side * edge + edge;
  distances(b, side, start_cell, far);
  for (int y = 0; y < side; ++y)
    for (int x = 0; x < side; ++x) {
      const int u = x - edge, v = y - edge;
      const bool inner = u >= 0 && v >= 0 && u < inner_side && v < inner_side, open = is_free(b, side, x, y);
      CHECK(!open || (inner && far[side * y + x] >= 0));
      if (inner && u % 2 == 0 && v % 2 == 0) CHECK(open);
      if (inner && u % 2 == 1 && v % 2 == 1) CHECK(!open);
      cells += open;
      edges += open && is_free(b, side, x + 1, y);
      edges += open && is_free(b, side, x, y + 1);
    }
  CHECK(edges == cells - 1);
  CHECK(seen_game(b)->at == start_cell && seen_game(b)->goal != start_cell && far[seen_game(b)->goal] > 0);
  const MazeParams p = with_side(side);
  CHECK(maze_way(seen_game(b), &p) == far[seen_game(b)->goal]);
}

static void test_mazes_are_trees(void) {
  static const int32_t sides[] = {5, 15, 25, 63};
  static Board b;
  for (int i = 0; i < 4; ++i) {
    MazeParams p = with_side(sides[i]);
    for (int32_t level = 0; level < (sides[i] == 63 ? 20 : 200); ++level) {
      start_level(&b, &p, level, 7);
      const int inner = game(&b)->inner;
      CHECK(game(&b)->level == level && inner % 2 == 1 && inner >= 3 && inner <= sides[i]);
      check_tree(&b, sides[i]);
    }
  }
}

static void test_a_level_is_a_maze(void) {
  static Board a, b;
  MazeParams p = with_side(15);
  for (int32_t level = 0; level < 100; ++level) {
    start_level(&a, &p, level, 1);
    start_level(&b, &p, level, 2);
    CHECK(memcmp(maze_cells(game(&a)), maze_cells(game(&b)), 15 * 15) == 0 && game(&a)->goal == game(&b)->goal);
  }
  start_level(&a, &p, MAZE_LAST_LEVEL, 1);
  CHECK(game(&a)->level == MAZE_LAST_LEVEL);
}

static void test_levels_and_sizes_are_even(void) {
  static Board b;
  MazeParams p = with_side(15);
  int sizes[16] = {0}, levels[5] = {0};
  p.first_level = 40, p.levels = 5;
  for (uint64_t seed = 0; seed < 5000; ++seed) {
    start(&b, &p, seed);
    if (CHECK(game(&b)->level >= 40 && game(&b)->level < 45)) levels[game(&b)->level - 40] += 1;
  }
  for (int i = 0; i < 5; ++i) CHECK(levels[i] > 880 && levels[i] < 1120);
  p.first_level = 1000000, p.levels = 0;
  for (uint64_t seed = 0; seed < 7000; ++seed) {
    start(&b, &p, seed);
    CHECK(game(&b)->level >= 1000000);
    sizes[game(&b)->inner] += 1;
  }
  for (int inner = 3; inner <= 15; inner += 2) CHECK(sizes[inner] > 880 && sizes[inner] < 1120);
}

// Recorded once: a change of the generator changes all levels.
static void test_recorded_ways(void) {
  static const int ways15[12] = {18, 29, 43, 13, 12, 10, 7, 14, 18, 10, 12, 12};
  static const int ways25[12] = {4, 32, 47, 25, 27, 12, 17, 44, 14, 22, 18, 1};
  static Board b;
  for (int32_t level = 0; level < 12; ++level) {
    MazeParams p = with_side(15);
    start_level(&b, &p, level, 1);
    CHECK(maze_way(game(&b), &p) == ways15[level]);
    p = with_side(25);
    start_level(&b, &p, level, 1);
    CHECK(maze_way(game(&b), &p) == ways25[level]);
  }
}

// Walks down the distances from the goal, with a bump into a wall or the edge before each step.
static void test_the_way_is_walked(void) {
  static const int steps[4][2] = {{0, -1}, {1, 0}, {0, 1}, {-1, 0}};
  static Board b;
  for (int32_t level = 0; level < 50; ++level) {
    MazeParams p = with_side(15);
    start_level(&b, &p, level, 1);
    int far[MAZE_MAX_CELLS], bumps = 0;
    distances(&b, 15, game(&b)->goal, far);
    const int way = far[game(&b)->at];
    for (int k = 0; k < way; ++k) {
      const int x = game(&b)->at % 15, y = game(&b)->at / 15;
      int ahead = -1;
      for (int i = 0; i < 4; ++i) {
        const int u = x + steps[i][0], v = y + steps[i][1];
        if (is_free(&b, 15, u, v) && far[15 * v + u] == far[game(&b)->at] - 1) ahead = i;
        if (is_free(&b, 15, u, v)) continue;
        const int before = game(&b)->at;
        const Outcome bump = move(&b, &p, i);
        CHECK(game(&b)->at == before && bump.reward == 0.0f && !bump.terminated);
        bumps += 1;
      }
      if (!CHECK(ahead >= 0)) return;
      const Outcome out = move(&b, &p, ahead);
      CHECK(out.terminated == (k == way - 1) && out.reward == (k == way - 1 ? 1.0f : 0.0f));
    }
    float values[4] = {1.0f, 0.0f, 0.0f, 0.0f};
    maze_metrics(game(&b), &p, 0, values);
    CHECK(values[0] == 1.0f && values[1] == 1.0f && values[3] == (float)level);
    CHECK(fabsf(values[2] - (float)(way + bumps) / (float)way) < 1e-5f);
  }
}

static void test_the_view_is_a_part_of_the_board(void) {
  static Board b;
  MazeParams p = with_side(15);
  start_level(&b, &p, 3, 1);
  PfcRng rng;
  pfc_rng_seed(&rng, 5, 0);
  uint8_t whole[15 * 15], part[7 * 7];
  for (int t = 0; t < 400; ++t) {
    move(&b, &p, (int32_t)pfc_rng_below(&rng, 4));
    p.view = 0;
    maze_observe(game(&b), &p, 0, (MazeObs*)whole);
    p.view = 7;
    maze_observe(game(&b), &p, 0, (MazeObs*)part);
    const int x = game(&b)->at % 15, y = game(&b)->at / 15;
    for (int i = 0; i < 49; ++i) {
      const int u = x - 3 + i % 7, v = y - 3 + i / 7;
      const bool inside = u >= 0 && v >= 0 && u < 15 && v < 15;
      CHECK(part[i] == (inside ? whole[15 * v + u] : MAZE_WALL));
    }
    CHECK(part[24] == MAZE_AGENT);
  }
}

int main(void) {
  test_mazes_are_trees();
  test_a_level_is_a_maze();
  test_levels_and_sizes_are_even();
  test_recorded_ways();
  test_the_way_is_walked();
  test_the_view_is_a_part_of_the_board();
  return check_report();
}
