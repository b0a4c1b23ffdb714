// chess.c - chess with all its rules. Two agents.
//
// Agent 0 has white and begins; the agents take turns, one step is one ply. The waiting agent may only choose 0, which
// is ignored.
//
// - Castling, en passant and promotion to four pieces. Mate wins. Stalemate is a draw.
// - Also drawn: a position that occurs for the third time; 100 plies without a capture or a move of a pawn; dead
//   material: two kings, with one knight or one bishop, or with any bishops that are all on squares of one colour.
// - Two positions are equal if the same side moves, the same rooks may castle, and the same pawn can be taken en
//   passant.
//
// obs   uint8[9][8]   the board, turned (upside down, files in place) so that the agent's pieces move up, row by row
//                     from the top: 0 empty, 1 to 6 own P N B R Q K, 7 to 12 other's, 13 own rook that may castle, 14
//                     other's, 15 other's pawn that can be taken en passant. Then a row: 1 white or 2 black; earlier
//                     occurrences of the position, 0 to 2; plies without a capture or a move of a pawn / 10; 1 if in
//                     check; zeros
// act   int32[1]      73 * from + kind; `from` is the square as above, row by row. kind: 7 * direction + distance - 1
//                     for moves as a queen, directions clockwise from up; 56 to 63 for moves as a knight, clockwise
//                     from up and right; 64 to 72 for promotions, 64 + 3 * piece + way: piece N, B, R, way up and
//                     left, up, up and right. A pawn that moves up to the last row as a queen does becomes a queen.
//                     Castling is a move of the king by two squares. Illegal choices are masked
// rew   +1 for the winner, -1 for the loser, 0 for a draw; both are terminated
//
// score = perf: 1 won, 0.5 drawn or not over, 0 lost.
//
// Boards are sets of squares, one bit each: bit 8 * row + column, row 0 on top. A position is stored in the view of
// the side that moves, and turned after each ply. Turning is a reversal of bytes.
#include "pufferc/env.h"

enum { CHESS_PAWN, CHESS_KNIGHT, CHESS_BISHOP, CHESS_ROOK, CHESS_QUEEN, CHESS_KING, CHESS_KINDS };
enum { CHESS_UP, CHESS_UP_RIGHT, CHESS_TO_RIGHT, CHESS_DOWN_RIGHT, CHESS_DOWN, CHESS_DOWN_LEFT, CHESS_TO_LEFT,
       CHESS_UP_LEFT, CHESS_DIRECTIONS };
enum { CHESS_SQUARES = 64, CHESS_FIRST_KNIGHT = 56, CHESS_FIRST_UNDER = 64, CHESS_MOVES_OF_SQUARE = 73 };
enum { CHESS_CHOICES = CHESS_SQUARES * CHESS_MOVES_OF_SQUARE, CHESS_MAX_MOVES = 256 };
enum { CHESS_MAX_QUIET = 100, CHESS_REPEATS = 2, CHESS_RUNNING = -1, CHESS_DRAWN = 2 };
enum { CHESS_SEEN_OTHER = 6, CHESS_SEEN_OWN_CASTLE = 13, CHESS_SEEN_OTHER_CASTLE, CHESS_SEEN_PASSED, CHESS_SEEN_CODES };

#define CHESS_LEFT_COLUMN 0x0101010101010101ull
#define CHESS_RIGHT_COLUMN 0x8080808080808080ull
#define CHESS_TOP_ROW 0xffull
#define CHESS_DARK 0xaa55aa55aa55aa55ull  // squares of one of the two colours
#define CHESS_ALL 0xffffffffffffffffull

#define CHESS_PARAMS(X) X(int, max_steps, 512, 0, PFC_MAX_STEPS, "plies until truncation; 0 = never")
PFC_DEFINE_PARAMS(chess, ChessParams, CHESS_PARAMS)

// A position in the view of the side that moves.
typedef struct ChessBoard {
  uint64_t own, other;
  uint64_t kinds[CHESS_KINDS];  // of both sides
  uint64_t castling;            // rooks of both sides that may castle
  uint64_t passed;              // the other's pawn that can be taken en passant; 0 = none
} ChessBoard;

typedef struct Chess {
  PfcRng rng;  // the rules draw nothing
  ChessBoard board;
  uint64_t past[CHESS_MAX_QUIET + 1];  // hashes of the positions since the last capture or move of a pawn
  int32_t quiet;    // plies since then; past[quiet] is the position
  int32_t repeats;  // earlier occurrences of the position
  int32_t plies;    // agent plies % 2 moves next
  int32_t winner;
  int32_t in_check;   // the side that moves is in check
  int32_t latest[2];  // from and to of the latest ply in white's view; equal before the first one
} Chess;

typedef struct ChessObs {
  uint8_t square[CHESS_SQUARES];
  uint8_t side, repeats, quiet, check, rest[4];
} ChessObs;

static const PfcObsRow chess_obs[] = {
    PFC_OBS_PLANE("board", CHESS_SQUARES, CHESS_SEEN_CODES, 8, 8,
                  "1 to 6 own P N B R Q K, 7 to 12 other's, 13 and 14 rooks that may castle, 15 passed pawn"),
    PFC_OBS_CODES("side", 1, 3, "1 white, 2 black"),
    PFC_OBS_CODES("repeats", 1, CHESS_REPEATS + 1, "earlier occurrences of the position"),
    PFC_OBS_CODES("quiet", 1, CHESS_MAX_QUIET / 10 + 1, "plies without a capture or a move of a pawn / 10"),
    PFC_OBS_CODES("check", 1, 2, "1 if the agent is in check"),
    PFC_OBS_CODES("rest", 4, 2, "zeros"),
};

// ---- squares -----------------------------------------------------------------------------------------------------

// The ranks in reverse order: bytes swapped, then pairs of bytes, then halves. Compilers make one instruction of it.
PFC_FN uint64_t chess_turned(uint64_t squares) {
  squares = (squares >> 8 & 0x00ff00ff00ff00ffull) | (squares & 0x00ff00ff00ff00ffull) << 8;
  squares = (squares >> 16 & 0x0000ffff0000ffffull) | (squares & 0x0000ffff0000ffffull) << 16;
  return squares >> 32 | squares << 32;
}

PFC_FN int32_t chess_square(uint64_t squares) {  // the first one
#ifdef __CUDA_ARCH__
  return __ffsll((long long)squares) - 1;
#else
  return __builtin_ctzll(squares);
#endif
}

PFC_FN bool chess_is_single(uint64_t squares) { return squares != 0 && (squares & (squares - 1)) == 0; }
PFC_FN int32_t chess_turn(const Chess* s) { return s->plies & 1; }

// All squares moved by one; those that leave the board vanish.
PFC_FN uint64_t chess_shift(uint64_t squares, int32_t direction) {
  switch (direction) {
    case CHESS_UP: return squares >> 8;
    case CHESS_UP_RIGHT: return squares >> 7 & ~CHESS_LEFT_COLUMN;
    case CHESS_TO_RIGHT: return squares << 1 & ~CHESS_LEFT_COLUMN;
    case CHESS_DOWN_RIGHT: return squares << 9 & ~CHESS_LEFT_COLUMN;
    case CHESS_DOWN: return squares << 8;
    case CHESS_DOWN_LEFT: return squares << 7 & ~CHESS_RIGHT_COLUMN;
    case CHESS_TO_LEFT: return squares >> 1 & ~CHESS_RIGHT_COLUMN;
    default: return squares >> 9 & ~CHESS_RIGHT_COLUMN;
  }
}

// A move of a knight is one step straight and one diagonal step. Moves are clockwise from up and right.
PFC_FN uint64_t chess_knight_shift(uint64_t squares, int32_t move) {
  const int32_t straight = (move + 1) / 2 * 2 % CHESS_DIRECTIONS, diagonal = move / 2 * 2 + 1;
  return chess_shift(chess_shift(squares, straight), diagonal);
}

PFC_FN uint64_t chess_knight_attacks(uint64_t squares) {
  uint64_t out = 0;
  for (int32_t move = 0; move < 8; ++move) out |= chess_knight_shift(squares, move);
  return out;
}

// Squares reached in one direction, up to and with the first occupied one.
PFC_FN uint64_t chess_ray(uint64_t from, int32_t direction, uint64_t occupied) {
  uint64_t out = 0;
  while (from) {
    from = chess_shift(from, direction);
    out |= from;
    from &= ~occupied;
  }
  return out;
}

// Pieces of both sides that move in this direction as far as they like.
PFC_FN uint64_t chess_sliders(const ChessBoard* b, int32_t direction) {
  return b->kinds[CHESS_QUEEN] | b->kinds[direction % 2 ? CHESS_BISHOP : CHESS_ROOK];
}

// ---- attacks -----------------------------------------------------------------------------------------------------

// Squares that the other attacks, through the own king.
PFC_FN uint64_t chess_danger(const ChessBoard* b) {
  const uint64_t pawns = b->other & b->kinds[CHESS_PAWN], king = b->other & b->kinds[CHESS_KING];
  const uint64_t occupied = (b->own | b->other) & ~(b->own & b->kinds[CHESS_KING]);
  uint64_t out = chess_shift(pawns, CHESS_DOWN_LEFT) | chess_shift(pawns, CHESS_DOWN_RIGHT) |
                 chess_knight_attacks(b->other & b->kinds[CHESS_KNIGHT]);
  for (int32_t direction = 0; direction < CHESS_DIRECTIONS; ++direction)
    out |= chess_ray(b->other & chess_sliders(b, direction), direction, occupied) | chess_shift(king, direction);
  return out;
}

// Pieces of the other that attack a square, on a board that is occupied thus.
PFC_FN uint64_t chess_attackers(const ChessBoard* b, uint64_t square, uint64_t occupied) {
  uint64_t out = (chess_shift(square, CHESS_UP_LEFT) | chess_shift(square, CHESS_UP_RIGHT)) & b->kinds[CHESS_PAWN];
  out |= chess_knight_attacks(square) & b->kinds[CHESS_KNIGHT];
  for (int32_t direction = 0; direction < CHESS_DIRECTIONS; ++direction) {
    out |= chess_ray(square, direction, occupied) & chess_sliders(b, direction);
    out |= chess_shift(square, direction) & b->kinds[CHESS_KING];
  }
  return out & b->other;
}

PFC_FN uint64_t chess_checkers(const ChessBoard* b) {
  return chess_attackers(b, b->own & b->kinds[CHESS_KING], b->own | b->other);
}

// Whether a pawn on this square can take the passed pawn without leaving its king in check.
PFC_FN bool chess_may_take_passed(const ChessBoard* b, uint64_t pawn) {
  const uint64_t after = ((b->own | b->other) & ~(pawn | b->passed)) | chess_shift(b->passed, CHESS_UP);
  return (chess_attackers(b, b->own & b->kinds[CHESS_KING], after) & ~b->passed) == 0;
}

// ---- legal moves -------------------------------------------------------------------------------------------------

typedef struct ChessMoves {
  int32_t count;
  uint16_t choice[CHESS_MAX_MOVES];
} ChessMoves;

// What limits the moves of a position.
typedef struct ChessLimits {
  uint64_t targets;  // squares that end a check; all if there is none. The king is not bound by them
  uint64_t danger;
  uint64_t pinned;
  uint64_t lines[CHESS_DIRECTIONS];  // from the king to a slider that pins, 0 = none
} ChessLimits;

PFC_FN ChessLimits chess_limits(const ChessBoard* b) {
  const uint64_t king = b->own & b->kinds[CHESS_KING], occupied = b->own | b->other, checkers = chess_checkers(b);
  ChessLimits out;
  out.danger = chess_danger(b);
  out.pinned = 0;
  out.targets = checkers ? (chess_is_single(checkers) ? checkers : 0) : CHESS_ALL;
  for (int32_t direction = 0; direction < CHESS_DIRECTIONS; ++direction) {
    const uint64_t near = chess_ray(king, direction, occupied), blocker = near & b->own;
    const uint64_t line = chess_ray(king, direction, occupied & ~blocker);
    const bool slider = (line & b->other & chess_sliders(b, direction)) != 0;
    out.lines[direction] = slider && blocker ? line : 0;
    if (slider && blocker) out.pinned |= blocker;
    if (slider && !blocker && out.targets) out.targets |= near;
  }
  return out;
}

// Squares to which a piece may move: all but where it would leave its king in check.
PFC_FN uint64_t chess_allowed(const ChessLimits* limits, uint64_t piece) {
  if (!(piece & limits->pinned)) return limits->targets;
  uint64_t line = 0;
  for (int32_t direction = 0; direction < CHESS_DIRECTIONS; ++direction)
    if (limits->lines[direction] & piece) line = limits->lines[direction];
  return limits->targets & line;
}

PFC_FN void chess_add(ChessMoves* moves, int32_t from, int32_t kind) {
  moves->choice[moves->count++] = (uint16_t)(CHESS_MOVES_OF_SQUARE * from + kind);
}

PFC_FN void chess_add_slides(ChessMoves* moves, const ChessBoard* b, uint64_t piece, uint64_t allowed) {
  const uint64_t occupied = b->own | b->other;
  const int32_t first = piece & b->kinds[CHESS_BISHOP] ? 1 : 0, step = piece & b->kinds[CHESS_QUEEN] ? 1 : 2;
  for (int32_t direction = first; direction < CHESS_DIRECTIONS; direction += step) {
    uint64_t to = chess_shift(piece, direction);
    for (int32_t distance = 0; to & ~b->own; ++distance) {
      if (to & allowed) chess_add(moves, chess_square(piece), 7 * direction + distance);
      to = to & occupied ? 0 : chess_shift(to, direction);
    }
  }
}

PFC_FN void chess_add_king(ChessMoves* moves, const ChessBoard* b, const ChessLimits* limits) {
  const uint64_t king = b->own & b->kinds[CHESS_KING], safe = ~(b->own | limits->danger);
  const uint64_t occupied = b->own | b->other, rooks = b->own & b->castling;
  for (int32_t direction = 0; direction < CHESS_DIRECTIONS; ++direction)
    if (chess_shift(king, direction) & safe) chess_add(moves, chess_square(king), 7 * direction);
  if (!rooks || (king & limits->danger)) return;
  for (int32_t direction = CHESS_TO_RIGHT; direction <= CHESS_TO_LEFT; direction += 4) {
    const uint64_t over = chess_shift(king, direction), to = chess_shift(over, direction);
    if ((chess_ray(king, direction, occupied) & rooks) && !((over | to) & limits->danger))
      chess_add(moves, chess_square(king), 7 * direction + 1);
  }
}

// A step of a pawn: way 0 up and left, 1 up, 2 up and right.
PFC_FN void chess_add_pawn_step(ChessMoves* moves, uint64_t pawn, int32_t way) {
  const int32_t from = chess_square(pawn), direction = way == 0 ? CHESS_UP_LEFT : way - 1;
  chess_add(moves, from, 7 * direction);
  for (int32_t piece = 0; from < 16 && piece < 3; ++piece)
    chess_add(moves, from, CHESS_FIRST_UNDER + 3 * piece + way);
}

PFC_FN void chess_add_pawn(ChessMoves* moves, const ChessBoard* b, uint64_t pawn, uint64_t allowed) {
  const uint64_t empty = ~(b->own | b->other), passed = chess_shift(b->passed, CHESS_UP);
  const uint64_t up = chess_shift(pawn, CHESS_UP) & empty;
  const uint64_t sides[2] = {chess_shift(pawn, CHESS_UP_LEFT), chess_shift(pawn, CHESS_UP_RIGHT)};
  if (up & allowed) chess_add_pawn_step(moves, pawn, 1);
  if (chess_square(pawn) >= 48 && (chess_shift(up, CHESS_UP) & empty & allowed))
    chess_add(moves, chess_square(pawn), 7 * CHESS_UP + 1);
  for (int32_t i = 0; i < 2; ++i)
    if ((sides[i] & b->other & allowed) || ((sides[i] & passed) && chess_may_take_passed(b, pawn)))
      chess_add_pawn_step(moves, pawn, 2 * i);
}

// Stops after a piece if `enough` moves were found.
PFC_FN void chess_find_moves(const ChessBoard* b, int32_t enough, ChessMoves* moves) {
  const ChessLimits limits = chess_limits(b);
  moves->count = 0;
  chess_add_king(moves, b, &limits);
  for (uint64_t left = b->own & ~b->kinds[CHESS_KING]; left && moves->count < enough; left &= left - 1) {
    const uint64_t piece = left & (~left + 1), allowed = chess_allowed(&limits, piece);
    if (piece & b->kinds[CHESS_PAWN]) {
      chess_add_pawn(moves, b, piece, allowed);
    } else if (piece & b->kinds[CHESS_KNIGHT]) {
      for (int32_t i = 0; i < 8; ++i)
        if (chess_knight_shift(piece, i) & allowed & ~b->own)
          chess_add(moves, chess_square(piece), CHESS_FIRST_KNIGHT + i);
    } else {
      chess_add_slides(moves, b, piece, allowed);
    }
  }
}

PFC_FN void chess_legal_moves(const ChessBoard* b, ChessMoves* moves) { chess_find_moves(b, CHESS_MAX_MOVES, moves); }

PFC_FN bool chess_has_move(const ChessBoard* b) {
  ChessMoves moves;
  chess_find_moves(b, 1, &moves);
  return moves.count > 0;
}

// ---- a ply ---------------------------------------------------------------------------------------------------------

PFC_FN uint64_t chess_from(int32_t choice) { return 1ull << (choice / CHESS_MOVES_OF_SQUARE); }

PFC_FN uint64_t chess_to(int32_t choice) {
  const uint64_t from = chess_from(choice);
  const int32_t kind = choice % CHESS_MOVES_OF_SQUARE;
  if (kind >= CHESS_FIRST_UNDER) {
    const int32_t way = (kind - CHESS_FIRST_UNDER) % 3;
    return chess_shift(from, way == 0 ? CHESS_UP_LEFT : way - 1);
  }
  if (kind >= CHESS_FIRST_KNIGHT) return chess_knight_shift(from, kind - CHESS_FIRST_KNIGHT);
  uint64_t to = from;
  for (int32_t i = 0; i <= kind % 7; ++i) to = chess_shift(to, kind / 7);
  return to;
}

PFC_FN int32_t chess_kind_at(const ChessBoard* b, uint64_t square) {
  int32_t kind = CHESS_PAWN;
  while (kind < CHESS_KINDS && !(b->kinds[kind] & square)) kind += 1;
  return kind;  // CHESS_KINDS = empty
}

// What the piece is after the ply.
PFC_FN int32_t chess_kind_after(int32_t kind, int32_t choice, uint64_t to) {
  const int32_t move = choice % CHESS_MOVES_OF_SQUARE;
  if (kind != CHESS_PAWN || !(to & CHESS_TOP_ROW)) return kind;
  return move < CHESS_FIRST_UNDER ? CHESS_QUEEN : CHESS_KNIGHT + (move - CHESS_FIRST_UNDER) / 3;
}

PFC_FN void chess_turn_board(ChessBoard* b) {
  const uint64_t own = b->own;
  b->own = chess_turned(b->other);
  b->other = chess_turned(own);
  for (int32_t kind = 0; kind < CHESS_KINDS; ++kind) b->kinds[kind] = chess_turned(b->kinds[kind]);
  b->castling = chess_turned(b->castling);
  b->passed = chess_turned(b->passed);
}

PFC_FN void chess_move_rook(ChessBoard* b, uint64_t over, int32_t direction) {
  const uint64_t rook = chess_ray(over, direction, b->own & b->castling) & b->own & b->castling;
  b->own = (b->own & ~rook) | over;
  b->kinds[CHESS_ROOK] = (b->kinds[CHESS_ROOK] & ~rook) | over;
}

// Keeps the passed pawn only if a pawn can take it. The board is that of the side that could.
PFC_FN void chess_settle_passed(ChessBoard* b) {
  const uint64_t beside = chess_shift(b->passed, CHESS_TO_LEFT) | chess_shift(b->passed, CHESS_TO_RIGHT);
  bool any = false;
  for (uint64_t left = beside & b->own & b->kinds[CHESS_PAWN]; left; left &= left - 1)
    any |= chess_may_take_passed(b, left & (~left + 1));
  if (!any) b->passed = 0;
}

// Plays a legal choice and turns the board. Returns whether it took a piece or moved a pawn.
PFC_FN bool chess_play(ChessBoard* b, int32_t choice) {
  const uint64_t from = chess_from(choice), to = chess_to(choice);
  const int32_t kind = chess_kind_at(b, from), move = choice % CHESS_MOVES_OF_SQUARE;
  const bool pawn = kind == CHESS_PAWN, leaps = move < CHESS_FIRST_KNIGHT && move % 7 == 1;
  const bool passes = pawn && !(to & b->other) && (to & chess_shift(b->passed, CHESS_UP));
  const uint64_t taken = passes ? b->passed : to & b->other;
  b->other &= ~taken;
  for (int32_t i = 0; i < CHESS_KINDS; ++i) b->kinds[i] &= ~(taken | from);
  b->own = (b->own & ~from) | to;
  b->kinds[chess_kind_after(kind, choice, to)] |= to;
  if (kind == CHESS_KING && leaps) chess_move_rook(b, chess_shift(from, move / 7), move / 7);
  b->castling &= kind == CHESS_KING ? b->other : ~(from | to);
  b->passed = pawn && leaps ? to : 0;
  chess_turn_board(b);
  if (b->passed) chess_settle_passed(b);
  return pawn || taken != 0;
}

PFC_FN uint64_t chess_hash(const ChessBoard* b) {
  uint64_t hash = pfc_hash64(b->own ^ (b->castling | b->passed) * 0x9e3779b97f4a7c15ull);
  for (int32_t kind = 0; kind < CHESS_KINDS; ++kind)
    hash = (hash ^ b->kinds[kind]) * 0xd1342543de82ef95ull, hash ^= hash >> 29;
  return hash;
}

PFC_FN bool chess_is_dead(const ChessBoard* b) {
  const uint64_t minors = b->kinds[CHESS_KNIGHT] | b->kinds[CHESS_BISHOP], bishops = b->kinds[CHESS_BISHOP];
  if (b->kinds[CHESS_PAWN] | b->kinds[CHESS_ROOK] | b->kinds[CHESS_QUEEN]) return false;
  if ((minors & (minors - 1)) == 0) return true;
  return minors == bishops && (!(bishops & CHESS_DARK) || !(bishops & ~CHESS_DARK));
}

PFC_FN void chess_remember(Chess* s) {
  const uint64_t hash = chess_hash(&s->board);
  s->past[s->quiet] = hash;
  s->repeats = 0;
  for (int32_t i = s->quiet - 2; i >= 0; i -= 2) s->repeats += s->past[i] == hash;
}

PFC_FN void chess_reset(Chess* s, const ChessParams* p) {
  (void)p;
  ChessBoard* b = &s->board;
  b->own = 0xffffull << 48;
  b->other = 0xffffull;
  b->kinds[CHESS_PAWN] = 0xffull << 48 | 0xffull << 8;
  b->kinds[CHESS_KNIGHT] = 0x42ull << 56 | 0x42;
  b->kinds[CHESS_BISHOP] = 0x24ull << 56 | 0x24;
  b->kinds[CHESS_ROOK] = b->castling = 0x81ull << 56 | 0x81;
  b->kinds[CHESS_QUEEN] = 0x08ull << 56 | 0x08;
  b->kinds[CHESS_KING] = 0x10ull << 56 | 0x10;
  s->winner = CHESS_RUNNING;
  chess_remember(s);
}

PFC_FN void chess_finish(Chess* s, int32_t winner, PfcIo io) {
  s->winner = winner;
  for (int32_t agent = 0; agent < 2; ++agent) {
    io.rewards[agent] = winner == CHESS_DRAWN ? 0.0f : winner == agent ? 1.0f : -1.0f;
    io.terminated[agent] = 1;
  }
}

PFC_FN void chess_step(Chess* s, const ChessParams* p, PfcIo io) {
  (void)p;
  const int32_t mover = chess_turn(s), choice = io.actions[mover], turn = mover == 1 ? CHESS_SQUARES - 8 : 0;
  s->latest[0] = chess_square(chess_from(choice)) ^ turn;
  s->latest[1] = chess_square(chess_to(choice)) ^ turn;
  s->quiet = chess_play(&s->board, choice) ? 0 : s->quiet + 1;
  s->plies += 1;
  chess_remember(s);
  s->in_check = chess_checkers(&s->board) != 0;
  if (!chess_has_move(&s->board))
    chess_finish(s, s->in_check ? mover : CHESS_DRAWN, io);
  else if (s->quiet == CHESS_MAX_QUIET || s->repeats == CHESS_REPEATS || chess_is_dead(&s->board))
    chess_finish(s, CHESS_DRAWN, io);
}

// ---- observation, mask, metrics ----------------------------------------------------------------------------------

PFC_FN void chess_write_codes(uint8_t* out, uint64_t squares, int32_t code) {
  for (; squares; squares &= squares - 1) out[chess_square(squares)] = (uint8_t)code;
}

PFC_FN void chess_observe(const Chess* s, const ChessParams* p, int32_t agent, ChessObs* obs) {
  (void)p;
  const bool moves = agent == chess_turn(s);
  ChessBoard b = s->board;
  memset(obs, 0, sizeof *obs);
  if (!moves) chess_turn_board(&b);
  for (int32_t kind = 0; kind < CHESS_KINDS; ++kind) {
    chess_write_codes(obs->square, b.kinds[kind] & b.own, 1 + kind);
    chess_write_codes(obs->square, b.kinds[kind] & b.other, 1 + kind + CHESS_SEEN_OTHER);
  }
  chess_write_codes(obs->square, b.castling & b.own, CHESS_SEEN_OWN_CASTLE);
  chess_write_codes(obs->square, b.castling & b.other, CHESS_SEEN_OTHER_CASTLE);
  if (moves) chess_write_codes(obs->square, b.passed, CHESS_SEEN_PASSED);
  obs->side = (uint8_t)(1 + agent);
  obs->repeats = (uint8_t)pfc_mini(s->repeats, CHESS_REPEATS);
  obs->quiet = (uint8_t)(s->quiet / 10);
  obs->check = (uint8_t)(moves && s->in_check);
}

PFC_FN void chess_mask(const void* state, const void* params, int32_t agent, uint8_t* legal) {
  (void)params;
  const Chess* s = (const Chess*)state;
  ChessMoves moves;
  if (agent != chess_turn(s)) {
    legal[0] = 1;
    return;
  }
  chess_legal_moves(&s->board, &moves);
  for (int32_t i = 0; i < moves.count; ++i) legal[moves.choice[i]] = 1;
}

PFC_FN void chess_metrics(const Chess* s, const ChessParams* p, int32_t agent, float* values) {
  (void)p;
  values[0] = values[1] = s->winner == agent ? 1.0f : s->winner == 1 - agent ? 0.0f : 0.5f;
  values[2] = (float)s->plies;
  values[3] = agent == 0 ? 1.0f : 0.0f;
}

// ---- script --------------------------------------------------------------------------------------------------------
//
// Level 0 plays at random. Level 1 takes where it wins most: the value of the taken piece, less that of its own piece
// if it can be taken back; if it cannot win anything so, it plays at random. Level 2 searches 3 plies for material and
// mate, and plays a random one of the best moves.

enum { CHESS_RANDOM, CHESS_TAKES, CHESS_SEARCHES, CHESS_LEVELS };
enum { CHESS_DEPTH = 3, CHESS_MATE = 1000, CHESS_INFINITE = 10000 };

PFC_TABLE int32_t chess_values[CHESS_KINDS + 1] = {1, 3, 3, 5, 9, 0, 0};

static int32_t chess_material(const ChessBoard* b) {
  int32_t sum = 0;
  for (int32_t kind = CHESS_PAWN; kind < CHESS_KING; ++kind)
    sum += chess_values[kind] * (__builtin_popcountll(b->kinds[kind] & b->own) -
                                 __builtin_popcountll(b->kinds[kind] & b->other));
  return sum;
}

// What a choice wins, if the piece is taken back at once where that is possible.
static int32_t chess_gain(const ChessBoard* b, int32_t choice) {
  ChessBoard after = *b;
  const int32_t before = chess_material(b);
  chess_play(&after, choice);
  const uint64_t to = chess_turned(chess_to(choice));
  const int32_t gain = -chess_material(&after) - before;
  ChessMoves replies;
  chess_legal_moves(&after, &replies);
  for (int32_t i = 0; i < replies.count; ++i)
    if (chess_to(replies.choice[i]) == to) return gain - chess_values[chess_kind_at(&after, to)];
  return gain;
}

// The value of a position within (alpha, beta), by alpha-beta search; captures first.
static int32_t chess_value(const ChessBoard* b, int32_t depth, int32_t alpha, int32_t beta) {
  if (depth == 0) return chess_material(b);
  ChessMoves moves;
  chess_legal_moves(b, &moves);
  if (moves.count == 0) return chess_checkers(b) ? -CHESS_MATE - depth : 0;
  int32_t best = -CHESS_INFINITE;
  for (int32_t i = 0; i < 2 * moves.count && alpha < beta; ++i) {
    const int32_t choice = moves.choice[i % moves.count];
    if (((chess_to(choice) & b->other) != 0) != (i < moves.count)) continue;
    ChessBoard after = *b;
    chess_play(&after, choice);
    best = pfc_maxi(best, -chess_value(&after, depth - 1, -beta, -alpha));
    alpha = pfc_maxi(alpha, best);
  }
  return best;
}

// Keeps the choices of the highest value. Values below the best need not be exact.
static void chess_keep_best(const ChessBoard* b, ChessMoves* moves, int32_t level) {
  int32_t best = level == CHESS_TAKES ? 0 : -CHESS_INFINITE, kept = 0;
  const int32_t count = moves->count;
  for (int32_t i = 0; i < count; ++i) {
    const uint16_t choice = moves->choice[i];
    ChessBoard after = *b;
    chess_play(&after, choice);
    const int32_t value = level == CHESS_TAKES
                              ? ((chess_to(choice) & b->other) ? chess_gain(b, choice) : 0)
                              : -chess_value(&after, CHESS_DEPTH - 1, -CHESS_INFINITE, 1 - best);
    if (value < best || (level == CHESS_TAKES && value == 0)) continue;
    if (value > best) kept = 0;
    best = value;
    moves->choice[kept++] = choice;
  }
  if (kept > 0) moves->count = kept;
}

static void chess_script(const void* state, const void* params, int32_t agent, int32_t level, PfcRng* rng,
                         int32_t* choices, float* controls) {
  (void)params, (void)controls;
  const Chess* s = (const Chess*)state;
  ChessMoves moves;
  choices[0] = 0;
  if (agent != chess_turn(s)) return;
  chess_legal_moves(&s->board, &moves);
  if (level != CHESS_RANDOM) chess_keep_best(&s->board, &moves, level);
  choices[0] = moves.choice[pfc_rng_below(rng, (uint32_t)moves.count)];
}

// ---- picture: 480 x 540, the board with white below, under the numbers --------------------------------------------

#define CHESS_VIEW_WIDTH 480.0f
#define CHESS_VIEW_HEIGHT 540.0f
#define CHESS_VIEW_SQUARE 54.0f
#define CHESS_VIEW_LEFT 24.0f
#define CHESS_VIEW_TOP 80.0f

typedef struct ChessPen {
  const PfcDraw* d;
  float x, y;  // upper left corner of the square
  PfcColor color;
} ChessPen;

// Shapes in a square of 100 x 100.
static void chess_draw_shape(const ChessPen* pen, const float* corners, int32_t count) {
  PfcPoint points[8];
  for (int32_t i = 0; i < count; ++i) {
    points[i].x = pen->x + 0.01f * CHESS_VIEW_SQUARE * corners[2 * i];
    points[i].y = pen->y + 0.01f * CHESS_VIEW_SQUARE * corners[2 * i + 1];
  }
  pen->d->polygon(pen->d->context, points, count, pen->color);
}

static void chess_draw_dot(const ChessPen* pen, float x, float y, float radius) {
  const float unit = 0.01f * CHESS_VIEW_SQUARE;
  pen->d->circle(pen->d->context, pen->x + unit * x, pen->y + unit * y, unit * radius, pen->color);
}

static void chess_draw_box(const ChessPen* pen, float left, float top, float right, float bottom) {
  const float corners[8] = {left, top, right, top, right, bottom, left, bottom};
  chess_draw_shape(pen, corners, 4);
}

static void chess_draw_knight(const ChessPen* pen) {
  static const float neck[] = {44, 20, 62, 30, 70, 50, 70, 74, 34, 74, 46, 52};
  static const float head[] = {44, 20, 58, 34, 50, 52, 30, 58, 22, 50, 30, 36};
  static const float ear[] = {44, 26, 46, 10, 58, 28};
  chess_draw_shape(pen, neck, 6);
  chess_draw_shape(pen, head, 6);
  chess_draw_shape(pen, ear, 3);
}

static void chess_draw_queen(const ChessPen* pen) {
  static const float spikes[3][6] = {{20, 30, 42, 62, 30, 74}, {50, 22, 62, 66, 38, 66}, {80, 30, 70, 74, 58, 62}};
  for (int32_t i = 0; i < 3; ++i) {
    chess_draw_shape(pen, spikes[i], 3);
    chess_draw_dot(pen, spikes[i][0], spikes[i][1] - 3.0f, 6.0f);
  }
  chess_draw_box(pen, 30, 60, 70, 74);
}

static void chess_draw_piece(const ChessPen* pen, int32_t kind) {
  static const float skirt[] = {42, 38, 58, 38, 68, 74, 32, 74}, mitre[] = {50, 18, 64, 40, 58, 58, 42, 58, 36, 40};
  static const float king[] = {26, 40, 50, 46, 74, 40, 68, 74, 32, 74};
  chess_draw_box(pen, kind == CHESS_PAWN ? 28.0f : 22.0f, 76, kind == CHESS_PAWN ? 72.0f : 78.0f, 86);
  switch (kind) {
    case CHESS_PAWN:
      chess_draw_shape(pen, skirt, 4);
      chess_draw_dot(pen, 50, 34, 14);
      break;
    case CHESS_KNIGHT: chess_draw_knight(pen); break;
    case CHESS_BISHOP:
      chess_draw_shape(pen, mitre, 5);
      chess_draw_shape(pen, skirt, 4);
      chess_draw_dot(pen, 50, 15, 6);
      break;
    case CHESS_ROOK:
      chess_draw_box(pen, 33, 40, 67, 74);
      for (int32_t i = 0; i < 3; ++i) chess_draw_box(pen, 26.0f + 18.0f * (float)i, 18, 38.0f + 18.0f * (float)i, 32);
      chess_draw_box(pen, 26, 30, 74, 40);
      break;
    case CHESS_QUEEN: chess_draw_queen(pen); break;
    default:
      chess_draw_shape(pen, king, 5);
      chess_draw_box(pen, 46, 12, 54, 48);
      chess_draw_box(pen, 38, 20, 62, 28);
      break;
  }
}

static void chess_draw_square(const Chess* s, const ChessBoard* b, const PfcDraw* d, int32_t square) {
  const float x = CHESS_VIEW_LEFT + CHESS_VIEW_SQUARE * (float)(square % 8);
  const float y = CHESS_VIEW_TOP + CHESS_VIEW_SQUARE * (float)(square / 8);
  const bool light = (square / 8 + square % 8) % 2 == 0, latest = s->latest[0] != s->latest[1];
  const uint64_t bit = 1ull << square;
  d->rect(d->context, x, y, CHESS_VIEW_SQUARE, CHESS_VIEW_SQUARE, pfc_rgb(light ? 0x77839fu : 0x4a546eu));
  if (latest && (square == s->latest[0] || square == s->latest[1]))
    d->rect(d->context, x, y, CHESS_VIEW_SQUARE, CHESS_VIEW_SQUARE, pfc_tint(PFC_GOAL, 95));
  const bool white = (b->own & bit) != 0;
  if (!white && !(b->other & bit)) return;
  if (s->in_check && (b->kinds[CHESS_KING] & bit) && white == (chess_turn(s) == 0))
    d->circle(d->context, x + 0.5f * CHESS_VIEW_SQUARE, y + 0.5f * CHESS_VIEW_SQUARE, 0.47f * CHESS_VIEW_SQUARE,
              pfc_tint(PFC_BAD, 170));
  ChessPen pen;
  pen.d = d, pen.x = x, pen.y = y, pen.color = pfc_rgb(white ? 0xf4f1e8u : 0x14171fu);
  chess_draw_piece(&pen, chess_kind_at(b, bit));
}

static void chess_draw(const Chess* s, const ChessParams* p, const PfcDraw* d) {
  (void)p;
  static const char* const texts[2][2] = {{"white to move", "black to move"}, {"white wins", "black wins"}};
  const char* text = s->winner == CHESS_DRAWN  ? "draw"
                     : s->winner == CHESS_RUNNING ? texts[0][chess_turn(s)]
                                                  : texts[1][s->winner];
  ChessBoard b = s->board;
  if (chess_turn(s) == 1) chess_turn_board(&b);
  pfc_draw_board(d, CHESS_VIEW_WIDTH, CHESS_VIEW_HEIGHT);
  pfc_draw_count(d, CHESS_VIEW_LEFT, 24.0f, 32.0f, true, s->plies, s->plies == 1 ? "ply" : "plies");
  d->text(d->context, CHESS_VIEW_WIDTH - CHESS_VIEW_LEFT - pfc_text_width(text, 20.0f), 32.0f, 20.0f, text,
          pfc_rgb(PFC_DIM));
  d->rounded_rect(d->context, CHESS_VIEW_LEFT - 6.0f, CHESS_VIEW_TOP - 6.0f, 8.0f * CHESS_VIEW_SQUARE + 12.0f,
                  8.0f * CHESS_VIEW_SQUARE + 12.0f, 8.0f, pfc_rgb(PFC_LINE));
  for (int32_t square = 0; square < CHESS_SQUARES; ++square) chess_draw_square(s, &b, d, square);
  d->end(d->context);
}

static const PfcField chess_fields[] = {
    {"board", PFC_UINT64, sizeof(ChessBoard) / sizeof(uint64_t), offsetof(Chess, board)},
    PFC_STATE_FIELD(Chess, quiet, PFC_INT32),    PFC_STATE_FIELD(Chess, repeats, PFC_INT32),
    PFC_STATE_FIELD(Chess, plies, PFC_INT32),    PFC_STATE_FIELD(Chess, winner, PFC_INT32),
    PFC_STATE_FIELD(Chess, in_check, PFC_INT32),
};

PFC_DEFINE_ENV(chess, Chess,
               .title = "Chess",
               .summary = "two players, all rules, 4,672 choices under a mask",
               .version = 1,
               .obs_dtype = PFC_UINT8,
               .sizes = {.agents = 2, .obs_shape = {9, 8}, .action_counts = {CHESS_CHOICES}, .teams = 2},
               .mask = chess_mask,
               .script = chess_script,
               .num_levels = CHESS_LEVELS,
               .obs_rows = chess_obs,
               .num_obs_rows = sizeof chess_obs / sizeof chess_obs[0],
               .metrics = {"score", "perf", "length", "white"},
               .fields = chess_fields,
               .num_fields = sizeof chess_fields / sizeof chess_fields[0],
               .fps = 2)
