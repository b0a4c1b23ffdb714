// test_moba_balance.c - strength of the built-in players: games between two levels, sides exchanged. The same level on
// both sides shows that no side is favoured.
//
//   test_moba_balance [GAMES]    games per pair; 1000 for the figures in docs/games/moba.md
#include "moba_game.h"

enum { QUICK_GAMES = 8, MAX_TICKS = 3000 };
enum { PLAYS_RANDOMLY = 0, MARCHER, LANER, CAPTAIN };

typedef struct Result {
  int32_t games, won, lost, drawn;  // by the first player
  int32_t won_by_team_0;
  int64_t ticks;
} Result;

static void choose_team(Game* game, int32_t team, int32_t level, PfcRng* rng) {
  for (int32_t hero = team * MOBA_TEAM; hero < (team + 1) * MOBA_TEAM; ++hero) {
    if (level == PLAYS_RANDOMLY)
      game_choose(game, hero, (int32_t)pfc_rng_below(rng, 9), (int32_t)pfc_rng_below(rng, 5),
                  (int32_t)pfc_rng_below(rng, 3));
    else
      moba_script(game->s, &game->p, hero, level, NULL, game->actions[hero], NULL);
  }
}

// The first player is team 0 in even games, team 1 in odd ones.
static Result play_pair(int32_t first, int32_t second, int32_t games) {
  Result result = {.games = games};
  Game game = game_open(default_params(), 77, 0);
  PfcRng rng;
  pfc_rng_seed(&rng, 78, 0);
  for (int32_t i = 0; i < games; ++i) {
    const int32_t side = i & 1;
    game_reset(&game, 77, (uint64_t)i);
    while (!game.s->over && game.s->tick < MAX_TICKS) {
      choose_team(&game, side, first, &rng);
      choose_team(&game, !side, second, &rng);
      game_step(&game);
    }
    const bool decided = game.s->over == 1 || game.s->over == 2;
    result.won += decided && game.s->over == 1 + side;
    result.lost += decided && game.s->over == 2 - side;
    result.drawn += !decided;
    result.won_by_team_0 += game.s->over == 1;
    result.ticks += game.s->tick;
  }
  game_close(&game);
  printf("level %d against %d: %d games, %d won, %d lost, %d drawn, %lld ticks on average; team 0 won %d\n", first,
         second, games, result.won, result.lost, result.drawn, (long long)(result.ticks / games), result.won_by_team_0);
  return result;
}

int main(int argc, char** argv) {
  const int32_t games = argc > 1 ? atoi(argv[1]) : QUICK_GAMES;
  const Result laner = play_pair(LANER, MARCHER, games), captain = play_pair(CAPTAIN, LANER, games);
  const Result random = play_pair(PLAYS_RANDOMLY, MARCHER, games);
  CHECK(10 * laner.won >= 9 * games);
  CHECK(10 * captain.won >= 6 * games);
  CHECK(100 * random.lost >= 95 * games);
  if (games < 500) return check_report();  // chance decides short series of equal players
  for (int32_t level = MARCHER; level <= CAPTAIN; ++level) {
    const Result equal = play_pair(level, level, 2 * games);
    const int32_t decided = equal.won + equal.lost;
    CHECK(100 * equal.won_by_team_0 >= 46 * decided && 100 * equal.won_by_team_0 <= 54 * decided);
  }
  return check_report();
}
