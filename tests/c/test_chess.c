// test_chess.c - counts of move sequences against well-known ones, ends of games, repetition, the observation, and the
// script.
#include <ctype.h>
#include <string.h>

#include "../../csrc/envs/chess.c"
#include "check.h"

static const ChessParams params = {.max_steps = 0};

// A position with white to move, from the first fields of a FEN.
static ChessBoard from_fen(const char* fen, const char* castling) {
  ChessBoard b;
  memset(&b, 0, sizeof b);
  int square = 0;
  for (; *fen && *fen != ' '; ++fen) {
    if (isdigit((unsigned char)*fen)) square += *fen - '0';
    if (!isalpha((unsigned char)*fen)) continue;
    const uint64_t bit = 1ull << square++;
    const char* kinds = "pnbrqk";
    b.kinds[strchr(kinds, tolower((unsigned char)*fen)) - kinds] |= bit;
    *(isupper((unsigned char)*fen) ? &b.own : &b.other) |= bit;
  }
  if (strchr(castling, 'K')) b.castling |= 1ull << 63;
  if (strchr(castling, 'Q')) b.castling |= 1ull << 56;
  if (strchr(castling, 'k')) b.castling |= 1ull << 7;
  if (strchr(castling, 'q')) b.castling |= 1ull << 0;
  return b;
}

static Chess from_board(ChessBoard b) {
  Chess s;
  memset(&s, 0, sizeof s);
  chess_reset(&s, &params);
  s.board = b;
  s.in_check = chess_checkers(&s.board) != 0;
  chess_remember(&s);
  return s;
}

typedef struct Outcome {
  float rewards[2];
  uint8_t terminated[2];
} Outcome;

static Outcome play(Chess* s, int32_t choice) {
  Outcome out = {{0.0f, 0.0f}, {0, 0}};
  const int32_t choices[2] = {choice, choice};
  uint8_t truncated[2] = {0}, alive[2] = {1, 1};
  const PfcIo io = {.actions = choices,
                    .rewards = out.rewards,
                    .terminated = out.terminated,
                    .truncated = truncated,
                    .alive = alive};
  chess_step(s, &params, io);
  return out;
}

// The first legal choice from one square to another, both in the mover's view and named as white would.
static int32_t find(const Chess* s, const char* name) {
  const int from = 8 * ('8' - name[1]) + name[0] - 'a', to = 8 * ('8' - name[3]) + name[2] - 'a';
  ChessMoves moves;
  chess_legal_moves(&s->board, &moves);
  for (int32_t i = 0; i < moves.count; ++i)
    if (chess_from(moves.choice[i]) == 1ull << from && chess_to(moves.choice[i]) == 1ull << to) return moves.choice[i];
  return -1;
}

// ---- counts ------------------------------------------------------------------------------------------------------

static int64_t count_leaves(const ChessBoard* b, int depth) {
  ChessMoves moves;
  chess_legal_moves(b, &moves);
  if (depth == 1) return moves.count;
  int64_t sum = 0;
  for (int32_t i = 0; i < moves.count; ++i) {
    ChessBoard after = *b;
    chess_play(&after, moves.choice[i]);
    sum += count_leaves(&after, depth - 1);
  }
  return sum;
}

static void test_counts(void) {
  static const struct {
    const char *fen, *castling;
    int64_t counts[5];
  } positions[] = {
      {"rnbqkbnr/pppppppp/8/8/8/8/PPPPPPPP/RNBQKBNR", "KQkq", {20, 400, 8902, 197281, 4865609}},
      {"r3k2r/p1ppqpb1/bn2pnp1/3PN3/1p2P3/2N2Q1p/PPPBBPPP/R3K2R", "KQkq", {48, 2039, 97862, 4085603, 0}},
      {"8/2p5/3p4/KP5r/1R3p1k/8/4P1P1/8", "-", {14, 191, 2812, 43238, 674624}},
  };
  for (int i = 0; i < 3; ++i) {
    const ChessBoard b = from_fen(positions[i].fen, positions[i].castling);
    for (int depth = 1; depth <= 5 && positions[i].counts[depth - 1]; ++depth)
      CHECK(count_leaves(&b, depth) == positions[i].counts[depth - 1]);
  }
  const Chess start = from_board(from_fen(positions[0].fen, positions[0].castling));
  Chess fresh;
  memset(&fresh, 0, sizeof fresh);
  chess_reset(&fresh, &params);
  CHECK(memcmp(&start.board, &fresh.board, sizeof start.board) == 0);
}

// ---- ends --------------------------------------------------------------------------------------------------------

static void test_mate_and_stalemate(void) {
  Chess s = from_board(from_fen("7k/8/5KQ1/8/8/8/8/8", "-"));
  Outcome out = play(&s, find(&s, "g6g7"));
  CHECK(out.terminated[0] && out.terminated[1] && out.rewards[0] == 1.0f && out.rewards[1] == -1.0f && s.winner == 0);
  s = from_board(from_fen("7k/8/5K2/8/6Q1/8/8/8", "-"));
  out = play(&s, find(&s, "g4g6"));
  CHECK(out.terminated[0] && out.rewards[0] == 0.0f && s.winner == CHESS_DRAWN && !s.in_check);
  float values[4] = {0.0f};
  chess_metrics(&s, &params, 1, values);
  CHECK(values[0] == 0.5f && values[1] == 0.5f && values[2] == 1.0f && values[3] == 0.0f);
}

static void test_the_third_occurrence_is_a_draw(void) {
  static const char* const shuffle[4] = {"g1f3", "g1f3", "f3g1", "f3g1"};  // each in the mover's view
  Chess s = from_board(from_fen("rnbqkbnr/pppppppp/8/8/8/8/PPPPPPPP/RNBQKBNR", "KQkq"));
  for (int ply = 1; ply <= 8; ++ply) {
    const Outcome out = play(&s, find(&s, shuffle[(ply - 1) % 4]));
    CHECK(out.terminated[0] == (ply == 8) && s.repeats == ply / 4 + (ply > 8));
    ChessObs obs;
    chess_observe(&s, &params, 0, &obs);
    CHECK(obs.repeats == s.repeats && obs.quiet == 0);
  }
  CHECK(s.winner == CHESS_DRAWN);
}

static void test_a_hundred_quiet_plies_are_a_draw(void) {
  Chess s = from_board(from_fen("7k/8/8/8/8/8/R7/K7", "-"));
  s.quiet = 98;
  CHECK(!play(&s, find(&s, "a2b2")).terminated[0] && s.quiet == 99);
  CHECK(play(&s, find(&s, "h1g1")).terminated[0] && s.winner == CHESS_DRAWN);
  s = from_board(from_fen("7k/8/8/8/8/8/R6p/K7", "-"));
  s.quiet = 99;
  CHECK(!play(&s, find(&s, "a2h2")).terminated[0] && s.quiet == 0);
}

static void test_dead_material(void) {
  static const struct {
    const char* fen;
    bool dead;
  } positions[] = {{"k7/8/8/8/8/8/8/K7", true},     {"k7/8/8/8/8/8/8/KN6", true},   {"kb6/8/8/8/8/8/8/K7", true},
                   {"k7/8/8/8/8/8/8/KNN5", false},  {"kn6/8/8/8/8/8/8/KN6", false}, {"kb6/8/8/8/8/8/8/KN6", false},
                   {"kb6/8/8/8/8/8/8/K1B5", true}, {"kb6/8/8/8/8/8/8/KB6", false}, {"k7/8/8/8/8/8/8/KB1B4", true},
                   {"k7/8/8/8/8/8/8/KBB5", false},
                   {"k7/7p/8/8/8/8/8/K7", false},   {"k7/8/8/8/8/8/8/KR6", false}};
  for (size_t i = 0; i < sizeof positions / sizeof positions[0]; ++i) {
    const ChessBoard b = from_fen(positions[i].fen, "-");
    CHECK(chess_is_dead(&b) == positions[i].dead);
  }
}

// ---- observation ---------------------------------------------------------------------------------------------------

static void test_observation(void) {
  static const uint8_t start[2][16] = {{13, 2, 3, 5, 6, 3, 2, 13, 1, 1, 1, 1, 1, 1, 1, 1},
                                       {14, 8, 9, 11, 12, 9, 8, 14, 7, 7, 7, 7, 7, 7, 7, 7}};
  Chess s;
  memset(&s, 0, sizeof s);
  chess_reset(&s, &params);
  for (int agent = 0; agent < 2; ++agent) {
    ChessObs obs;
    chess_observe(&s, &params, agent, &obs);
    for (int column = 0; column < 8; ++column) {
      CHECK(obs.square[56 + column] == start[0][column] && obs.square[48 + column] == start[0][8 + column]);
      CHECK(obs.square[column] == start[1][column] && obs.square[8 + column] == start[1][8 + column]);
    }
    CHECK(obs.side == 1 + agent && obs.check == 0);
  }
  static const char* const opening[] = {"e2e4", "a2a3", "e4e5", "d2d4"};  // the last one passes the pawn on e5
  ChessObs obs;
  for (int i = 0; i < 4; ++i) play(&s, find(&s, opening[i]));
  chess_observe(&s, &params, 0, &obs);
  CHECK(obs.square[3 * 8 + 3] == CHESS_SEEN_PASSED && obs.square[3 * 8 + 4] == 1);
  chess_observe(&s, &params, 1, &obs);
  CHECK(obs.square[4 * 8 + 3] == 1 && obs.square[4 * 8 + 4] == 7);
  play(&s, find(&s, "e5d6"));
  chess_observe(&s, &params, 1, &obs);
  CHECK(obs.square[4 * 8 + 3] == 0 && obs.square[5 * 8 + 3] == 7);
}

// ---- script -------------------------------------------------------------------------------------------------------

static int32_t script(const Chess* s, int32_t level, uint64_t seed) {
  PfcRng rng;
  int32_t choice = -1;
  pfc_rng_seed(&rng, seed, 0);
  chess_script(s, &params, chess_turn(s), level, &rng, &choice, NULL);
  return choice;
}

static void test_the_script_takes_what_it_wins(void) {
  // Rook takes knight or protected bishop.
  const Chess s = from_board(from_fen("k7/8/3p4/R3b3/8/8/n7/7K", "-"));
  const Chess none = from_board(from_fen("k7/8/3p4/R3b3/8/8/8/7K", "-"));
  int32_t others = 0;
  for (uint64_t seed = 0; seed < 20; ++seed) {
    CHECK(script(&s, CHESS_TAKES, seed) == find(&s, "a5a2"));
    others += script(&none, CHESS_TAKES, seed) != find(&none, "a5e5");
  }
  CHECK(others > 10);
}

static void test_the_script_searches(void) {
  const Chess mate = from_board(from_fen("6k1/5ppp/8/8/8/8/8/R6K", "-"));
  // The knight gives check and takes the queen afterwards.
  const Chess fork = from_board(from_fen("2q3k1/5ppp/8/3N4/8/8/8/7K", "-"));
  CHECK(script(&mate, CHESS_SEARCHES, 1) == find(&mate, "a1a8"));
  for (uint64_t seed = 0; seed < 10; ++seed) CHECK(script(&fork, CHESS_SEARCHES, seed) == find(&fork, "d5e7"));
}

// Points of one level against another, sides exchanged from game to game.
static float points(int32_t level, int32_t other, int32_t games) {
  PfcRng rng;
  float sum = 0.0f;
  pfc_rng_seed(&rng, 7, 0);
  for (int32_t game = 0; game < games; ++game) {
    Chess s;
    memset(&s, 0, sizeof s);
    chess_reset(&s, &params);
    for (Outcome out = {{0, 0}, {0, 0}}; !out.terminated[0] && s.plies < 300;) {
      int32_t choice = 0;
      chess_script(&s, &params, chess_turn(&s), chess_turn(&s) == game % 2 ? level : other, &rng, &choice, NULL);
      out = play(&s, choice);
    }
    float values[4];
    chess_metrics(&s, &params, game % 2, values);
    sum += values[0];
  }
  return sum / (float)games;
}

static void test_levels_are_of_rising_strength(void) {
  const float takes = points(CHESS_TAKES, CHESS_RANDOM, 60), searches = points(CHESS_SEARCHES, CHESS_TAKES, 6);
  printf("points: level 1 against 0 %.2f, level 2 against 1 %.2f\n", (double)takes, (double)searches);
  CHECK(takes > 0.6f && searches > 0.7f);
}

int main(void) {
  test_counts();
  test_mate_and_stalemate();
  test_the_third_occurrence_is_a_draw();
  test_a_hundred_quiet_plies_are_a_draw();
  test_dead_material();
  test_observation();
  test_the_script_takes_what_it_wins();
  test_the_script_searches();
  test_levels_are_of_rising_strength();
  return check_report();
}
