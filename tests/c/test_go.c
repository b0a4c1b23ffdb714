// test_go.c - the rules of Go against an implementation that floods chains on an array and remembers whole boards;
// symmetry; known positions; and the script's levels.
//
//   test_go [long]   with an argument, ten times as many games, and level 2 against level 1 (a minute)
#include <stdlib.h>
#include <string.h>

#include "../../csrc/envs/go.c"
#include "check.h"

enum { MAX_PLIES = 2 * GO_MAX_POINTS };

// ---- a game in its own memory --------------------------------------------------------------------------------------

typedef struct Outcome {
  float rewards[2];
  uint8_t terminated[2];
} Outcome;

typedef struct Game {
  GoParams p;
  Go* s;
} Game;

static Game game_open(int size, bool superko) {
  Game game = {{.max_steps = 0, .size = size, .komi = 7.5f, .superko = superko}, NULL};
  const size_t bytes = (size_t)(go_state_bytes(&game.p) + 63) / 64 * 64;
  CHECK(go_state_bytes(&game.p) <= GO_MAX_STATE_BYTES);
  game.s = aligned_alloc(64, bytes);
  memset(game.s, 0, bytes);
  go_reset(game.s, &game.p);
  return game;
}

static void game_close(Game* game) { free(game->s); }

static Outcome play(Game* game, int choice) {
  Outcome out = {{0.0f, 0.0f}, {0, 0}};
  uint8_t truncated[2] = {0, 0}, alive[2] = {1, 1};
  int32_t actions[2] = {0, 0};
  actions[go_turn(game->s)] = choice;
  const PfcIo io = {.actions = actions,
                    .rewards = out.rewards,
                    .terminated = out.terminated,
                    .truncated = truncated,
                    .alive = alive};
  go_step(game->s, &game->p, io);
  return out;
}

static void legal_choices(const Game* game, int agent, uint8_t* legal) {
  memset(legal, 0, GO_MAX_POINTS + 8);
  go_mask(game->s, &game->p, agent, legal);
}

// ---- the slow model ------------------------------------------------------------------------------------------------

typedef struct Board {
  char at[19][19];  // 0, 1 black, 2 white
} Board;

typedef struct Model {
  int size, plies, passes, captures[2];
  bool superko;
  Board board;
  int ko_x, ko_y;                // -1 without
  int latest_x[2], latest_y[2];  // of each agent's latest ply; -1 before it and after a pass
  bool passed[2];
  Board past[MAX_PLIES + 1];
  int num_past;
} Model;

static void model_start(Model* m, int size, bool superko) {
  memset(m, 0, sizeof *m);
  m->size = size;
  m->superko = superko;
  m->ko_x = m->ko_y = -1;
  memset(m->latest_x, -1, sizeof m->latest_x);
  m->num_past = 1;
}

// Marks the chain or empty region of a point; returns its number of points, *liberties the empty points beside it, and
// *touched the colours beside it as bits.
static int model_flood(int size, const Board* b, int x, int y, Board* mark, int* liberties, int* touched) {
  static const int ways[4][2] = {{1, 0}, {-1, 0}, {0, 1}, {0, -1}};
  int stack[361], depth = 0, count = 0;
  Board seen;
  memset(&seen, 0, sizeof seen);
  *liberties = *touched = 0;
  const char color = b->at[y][x];
  stack[depth++] = 19 * y + x;
  mark->at[y][x] = 1;
  while (depth > 0) {
    const int point = stack[--depth];
    count += 1;
    for (int i = 0; i < 4; ++i) {
      const int nx = point % 19 + ways[i][0], ny = point / 19 + ways[i][1];
      if (nx < 0 || ny < 0 || nx >= size || ny >= size) continue;
      *touched |= 1 << b->at[ny][nx];
      if (b->at[ny][nx] == color && !mark->at[ny][nx]) {
        mark->at[ny][nx] = 1;
        stack[depth++] = 19 * ny + nx;
      }
      if (b->at[ny][nx] == 0 && !seen.at[ny][nx]) seen.at[ny][nx] = 1, *liberties += 1;
    }
  }
  return count;
}

// The board after a stone, without judging it. Returns the number of taken stones.
static int model_put(const Model* m, int x, int y, Board* after, int* taken_x, int* taken_y) {
  static const int ways[4][2] = {{1, 0}, {-1, 0}, {0, 1}, {0, -1}};
  const int color = 1 + m->plies % 2, size = m->size;
  int taken = 0;
  *after = m->board;
  after->at[y][x] = (char)color;
  for (int i = 0; i < 4; ++i) {
    const int nx = x + ways[i][0], ny = y + ways[i][1];
    Board mark;
    int liberties, touched;
    if (nx < 0 || ny < 0 || nx >= size || ny >= size || after->at[ny][nx] != 3 - color) continue;
    memset(&mark, 0, sizeof mark);
    (void)model_flood(size, after, nx, ny, &mark, &liberties, &touched);
    for (int k = 0; liberties == 0 && k < size * size; ++k) {
      if (!mark.at[k / size][k % size]) continue;
      after->at[k / size][k % size] = 0;
      *taken_x = k % size, *taken_y = k / size;
      taken += 1;
    }
  }
  return taken;
}

static bool model_legal(const Model* m, int x, int y) {
  Board after, mark;
  int tx, ty, liberties, touched;
  if (m->board.at[y][x] || (x == m->ko_x && y == m->ko_y)) return false;
  (void)model_put(m, x, y, &after, &tx, &ty);
  memset(&mark, 0, sizeof mark);
  (void)model_flood(m->size, &after, x, y, &mark, &liberties, &touched);
  return liberties > 0;
}

static int model_lead(const Model* m) {
  Board done;
  int lead = 0;
  memset(&done, 0, sizeof done);
  for (int i = 0; i < m->size * m->size; ++i) {
    const int x = i % m->size, y = i / m->size, color = m->board.at[y][x];
    int liberties, touched;
    if (color) lead += color == 1 ? 1 : -1;
    if (color || done.at[y][x]) continue;
    const int points = model_flood(m->size, &m->board, x, y, &done, &liberties, &touched);
    const bool black = touched & 2, white = touched & 4;
    if (black && !white) lead += points;
    if (white && !black) lead -= points;
  }
  return lead;
}

// Plays; returns GO_RUNNING, the winner, or GO_DRAWN.
static int model_play(Model* m, int choice) {
  const int mover = m->plies % 2, size = m->size;
  const bool passes = choice == size * size;
  m->plies += 1;
  m->ko_x = m->ko_y = m->latest_x[mover] = -1;
  m->passed[mover] = passes;
  if (passes) {
    m->passes += 1;
  } else {
    Model before = *m;
    Board after, mark;
    int x = choice % size, y = choice / size, tx = 0, ty = 0, liberties, touched;
    before.plies -= 1;
    const int taken = model_put(&before, x, y, &after, &tx, &ty);
    m->board = after;
    m->captures[mover] += taken;
    m->passes = 0;
    m->latest_x[mover] = x, m->latest_y[mover] = y;
    memset(&mark, 0, sizeof mark);
    const int stones = model_flood(size, &after, x, y, &mark, &liberties, &touched);
    if (taken == 1 && stones == 1 && liberties == 1) m->ko_x = tx, m->ko_y = ty;
    for (int i = 0; i < m->num_past; ++i)
      if (memcmp(&m->past[i], &after, sizeof after) == 0) return m->superko ? 1 - mover : GO_DRAWN;
    m->past[m->num_past++] = after;
  }
  if (m->passes == 2 || m->plies == 2 * size * size) return model_lead(m) > 7.5 ? 0 : 1;
  return GO_RUNNING;
}

// ---- random games against the model -------------------------------------------------------------------------------

static void check_views(const Game* game, const Model* m, bool over) {
  const int size = m->size;
  for (int agent = 0; agent < 2; ++agent) {
    uint8_t seen[20 * 19 + 1], legal[GO_MAX_POINTS + 8];
    seen[(size + 1) * size] = 77;
    go_observe(game->s, &game->p, agent, (GoObs*)seen);
    CHECK(seen[(size + 1) * size] == 77);
    const bool mover = m->plies % 2 == agent;
    for (int i = 0; i < size * size; ++i) {
      const int x = i % size, y = i / size, color = m->board.at[y][x];
      int expected = color == 0 ? 0 : color == 1 + agent ? 1 : 2;
      if (mover && x == m->ko_x && y == m->ko_y) expected = 3;
      if (expected == 2 && x == m->latest_x[1 - agent] && y == m->latest_y[1 - agent]) expected = 4;
      CHECK(seen[i] == expected);
    }
    CHECK(seen[size * size] == 1 + agent);
    CHECK(seen[size * size + 1] == m->passed[1 - agent]);
    for (int i = 2; i < size; ++i) CHECK(seen[size * size + i] == 0);
    if (over) continue;
    legal_choices(game, agent, legal);
    for (int i = 0; i < size * size; ++i)
      CHECK(legal[i] == (mover ? model_legal(m, i % size, i / size) : i == 0));
    CHECK(legal[size * size] == mover);
    for (int i = size * size + 1; i < GO_MAX_POINTS + 8; ++i) CHECK(legal[i] == 0);
  }
}

typedef struct Tally {
  int games, plies, kos, captures, repeats, long_games, black;
} Tally;

// Chooses captures more often than chance, so that kos and repetitions happen, and passes now and then.
static int random_choice(const Game* game, const uint8_t* legal, PfcRng* rng) {
  const int points = game->p.size * game->p.size;
  int32_t urgent = -1;
  if (pfc_rng_below(rng, 300) == 0) return points;
  if (pfc_rng_below(rng, 3) == 0) {
    const GoGame g = go_open(game->s, &game->p);
    urgent = go_urgent_point(&g, GO_BLACK + GO_WHITE - (GO_BLACK + go_turn(game->s)));
  }
  if (urgent >= 0) return urgent;
  int count = 0, pick;
  for (int i = 0; i < points; ++i) count += legal[i];
  if (count == 0) return points;
  pick = (int)pfc_rng_below(rng, (uint32_t)count);
  for (int i = 0; i < points; ++i)
    if (legal[i] && pick-- == 0) return i;
  return points;
}

static void play_a_game(int size, bool superko, PfcRng* rng, Tally* t) {
  static Model m;
  Game game = game_open(size, superko);
  model_start(&m, size, superko);
  int winner = GO_RUNNING;
  while (winner == GO_RUNNING) {
    uint8_t legal[GO_MAX_POINTS + 8];
    if (size < 12 || m.plies % 16 < 2) check_views(&game, &m, false);  // on large boards the model is slow
    legal_choices(&game, m.plies % 2, legal);
    const int choice = random_choice(&game, legal, rng), before = m.num_past;
    const Outcome out = play(&game, choice);
    winner = model_play(&m, choice);
    CHECK(game.s->winner == winner && game.s->plies == m.plies);
    CHECK(game.s->captures[0] == m.captures[0] && game.s->captures[1] == m.captures[1]);
    for (int agent = 0; agent < 2; ++agent) {
      CHECK(out.terminated[agent] == (winner != GO_RUNNING));
      CHECK(out.rewards[agent] == (winner < 0 || winner == GO_DRAWN ? 0.0f : winner == agent ? 1.0f : -1.0f));
    }
    t->kos += m.ko_x >= 0;
    t->repeats += winner != GO_RUNNING && m.passes < 2 && m.num_past == before && m.plies < 2 * size * size;
  }
  check_views(&game, &m, true);
  for (int agent = 0; agent < 2; ++agent) {
    float v[6] = {0.0f};
    go_metrics(game.s, &game.p, agent, v);
    CHECK(v[0] == v[1] && v[0] == (winner == GO_DRAWN ? 0.5f : winner == agent ? 1.0f : 0.0f));
    CHECK(v[2] == (float)m.plies && v[3] == (float)(agent == 0) && v[5] == (float)m.captures[agent]);
    CHECK(v[4] == (agent == 0 ? 1.0f : -1.0f) * ((float)model_lead(&m) - 7.5f));
  }
  t->games += 1;
  t->plies += m.plies;
  t->captures += m.captures[0] + m.captures[1];
  t->long_games += m.plies == 2 * size * size;
  t->black += winner == 0;
  game_close(&game);
}

static void test_against_model(int size, int games) {
  PfcRng rng;
  Tally t = {0, 0, 0, 0, 0, 0, 0};
  pfc_rng_seed(&rng, 7, (uint64_t)size);
  for (int i = 0; i < games; ++i) play_a_game(size, i % 2, &rng, &t);
  printf("size %2d: %d games, %.0f plies, %d kos, %d taken, %d repeats, %d full length, %d for black\n", size, t.games,
         t.plies / (double)games, t.kos, t.captures, t.repeats, t.long_games, t.black);
  CHECK(t.kos > 0 && t.captures > 0 && (size > 5 || (t.repeats > 0 && t.black > 0)));
}

// ---- symmetry -----------------------------------------------------------------------------------------------------

// A transposed and mirrored game stays the image of the original.
static void test_symmetry(int size, int games) {
  PfcRng rng;
  pfc_rng_seed(&rng, 19, 0);
  const int points = size * size;
  for (int i = 0; i < games; ++i) {
    Game a = game_open(size, true), b = game_open(size, true);
    while (a.s->winner == GO_RUNNING) {
      uint8_t legal[GO_MAX_POINTS + 8], image[GO_MAX_POINTS + 8];
      const int agent = go_turn(a.s);
      legal_choices(&a, agent, legal);
      legal_choices(&b, agent, image);
      for (int k = 0; k < points; ++k) CHECK(legal[k] == image[k % size * size + size - 1 - k / size]);
      const int choice = random_choice(&a, legal, &rng);
      const Outcome x = play(&a, choice);
      const Outcome y = play(&b, choice == points ? points : choice % size * size + size - 1 - choice / size);
      CHECK(memcmp(&x, &y, sizeof x) == 0 && a.s->winner == b.s->winner);
    }
    game_close(&a);
    game_close(&b);
  }
}

// ---- known positions -----------------------------------------------------------------------------------------------

static Outcome play_all(Game* game, const int* choices, int count) {
  Outcome out = {{0.0f, 0.0f}, {0, 0}};
  for (int i = 0; i < count; ++i) {
    uint8_t legal[GO_MAX_POINTS + 8];
    legal_choices(game, go_turn(game->s), legal);
    CHECK(legal[choices[i]] && game->s->winner == GO_RUNNING);
    out = play(game, choices[i]);
  }
  return out;
}

// A ko on 5 x 5. Black's stones 1, 5, 11 and white's 2, 8, 12 stand around 6 and 7; white plays 6 and black takes it
// from 7. White may take back only after another ply of both.
static void test_a_ko(void) {
  Game game = game_open(5, true);
  const GoGame g = go_open(game.s, &game.p);
  uint8_t legal[GO_MAX_POINTS + 8], seen[31];
  (void)play_all(&game, (int[]){1, 2, 5, 8, 11, 12, 24, 6, 7}, 9);
  CHECK(game.s->captures[0] == 1 && game.s->ko == go_cell(&g, 6));
  legal_choices(&game, 1, legal);
  CHECK(!legal[6]);
  go_observe(game.s, &game.p, 1, (GoObs*)seen);
  CHECK(seen[6] == GO_SEEN_KO && seen[7] == GO_SEEN_LATEST && seen[1] == GO_SEEN_OTHER && seen[2] == GO_SEEN_OWN);
  go_observe(game.s, &game.p, 0, (GoObs*)seen);
  CHECK(seen[6] == GO_SEEN_EMPTY && seen[7] == GO_SEEN_OWN && seen[25] == 1 && seen[26] == 0);
  (void)play_all(&game, (int[]){25}, 1);  // white passes
  go_observe(game.s, &game.p, 0, (GoObs*)seen);
  CHECK(seen[26] == 1);
  (void)play_all(&game, (int[]){20}, 1);  // black plays elsewhere
  legal_choices(&game, 1, legal);
  CHECK(legal[6]);
  const Outcome out = play_all(&game, (int[]){6}, 1);
  CHECK(!out.terminated[0] && game.s->captures[1] == 1 && game.s->ko == go_cell(&g, 7));
  game_close(&game);
}

// An eye cannot be filled by the other side while its chain has another liberty, and can when that was the last one.
static void test_suicide_and_eyes(void) {
  Game game = game_open(5, true);
  uint8_t legal[GO_MAX_POINTS + 8];
  (void)play_all(&game, (int[]){1, 24, 5, 23}, 4);  // black around the corner
  (void)play_all(&game, (int[]){22}, 1);
  legal_choices(&game, 1, legal);
  CHECK(!legal[0]);  // white has no liberty there
  const GoGame g = go_open(game.s, &game.p);
  CHECK(go_is_own_eye(&g, go_cell(&g, 0), GO_BLACK) && !go_is_own_eye(&g, go_cell(&g, 0), GO_WHITE));
  (void)play_all(&game, (int[]){2, 21, 6, 20, 10, 15}, 6);  // white surrounds the stones on 1 and 5
  legal_choices(&game, go_turn(game.s), legal);
  CHECK(go_turn(game.s) == 1 && legal[0]);  // now it takes
  const Outcome out = play_all(&game, (int[]){0}, 1);
  CHECK(!out.terminated[0] && game.s->captures[1] == 2);
  game_close(&game);
}

static void test_counting(void) {
  Game game = game_open(5, true);
  // Black's wall in column 1, white's in column 3; column 2 is neutral.
  (void)play_all(&game, (int[]){1, 3, 6, 8, 11, 13, 16, 18, 21, 23}, 10);
  const GoGame g = go_open(game.s, &game.p);
  CHECK(go_lead(&g) == 0);
  (void)play_all(&game, (int[]){2, 25, 7, 25, 12, 25}, 6);
  CHECK(go_lead(&g) == 3);
  const Outcome out = play_all(&game, (int[]){25}, 1);  // the second pass in a row
  CHECK(out.terminated[0] && game.s->winner == 1);  // 3 is less than komi
  game_close(&game);
}

// ---- the script ---------------------------------------------------------------------------------------------------

static int script_choice(const Game* game, int level, PfcRng* rng) {
  int32_t choice = -1, waits = -1;
  const int mover = go_turn(game->s);
  uint8_t legal[GO_MAX_POINTS + 8];
  go_script(game->s, &game->p, mover, level, rng, &choice, NULL);
  go_script(game->s, &game->p, 1 - mover, level, rng, &waits, NULL);
  legal_choices(game, mover, legal);
  CHECK(waits == 0 && legal[choice]);
  return choice;
}

static double points_between(int size, int level, int other, int games) {
  PfcRng rng;
  pfc_rng_seed(&rng, (uint64_t)(10 * level + other), 3);
  double points = 0.0;
  for (int i = 0; i < games; ++i) {
    Game game = game_open(size, true);
    while (game.s->winner == GO_RUNNING)
      (void)play(&game, script_choice(&game, go_turn(game.s) == i % 2 ? level : other, &rng));
    points += game.s->winner == GO_DRAWN ? 0.5 : game.s->winner == i % 2;
    game_close(&game);
  }
  return points / games;
}

// Level 1 takes the larger chain, saves when nothing can be taken, and otherwise plays like level 0.
static void test_level_one(void) {
  PfcRng rng;
  pfc_rng_seed(&rng, 2, 0);
  Game game = game_open(7, true);
  (void)play_all(&game, (int[]){8, 1, 9, 2, 30, 7, 40, 15, 41, 16}, 10);  // white around black's 8 and 9 but for 10
  (void)play_all(&game, (int[]){42}, 1);
  CHECK(script_choice(&game, 1, &rng) == 10);  // white takes
  (void)play_all(&game, (int[]){49}, 1);
  CHECK(script_choice(&game, 1, &rng) == 10);  // black saves
  game_close(&game);
}

int main(int argc, char** argv) {
  (void)argv;
  const int more = argc > 1 ? 10 : 1;
  test_against_model(5, 400 * more);
  test_against_model(6, 12 * more);
  test_against_model(7, 8 * more);
  test_against_model(8, 4 * more);
  test_against_model(9, 6 * more);
  test_against_model(17, more);
  test_against_model(19, more);
  test_symmetry(5, 100);
  test_symmetry(9, 10);
  test_a_ko();
  test_suicide_and_eyes();
  test_counting();
  test_level_one();
  const double one = points_between(7, 1, 0, 60);
  printf("points: level 1 against 0 %.3f\n", one);
  CHECK(one > 0.7);
  if (argc > 1) printf("points: level 2 against 1 %.3f\n", points_between(7, 2, 1, 20));
  return check_report();
}
