// test_draw.c - every game draws itself: begin first, end last, finite numbers, and no change of state.
#include "draw/draw_record.h"
#include "duel.h"

static DrawRecord draw_game(Player* p, int32_t game) {
  DrawRecord record = draw_record_new();
  const PfcDraw draw = draw_recorder(&record);
  CHECK_GAME(p->b->spec->name, pfc_pool_draw(p->pool, game, &draw) == PFC_OK);
  return record;
}

static void check_drawing(Player* p, int32_t game, const char* label) {
  const uint64_t before = hash_pool(p);
  const DrawRecord record = draw_game(p, game);
  CHECK_GAME(label, record.begins == 1 && record.ends == 1 && record.in_order);
  CHECK_GAME(label, record.finite);
  CHECK_GAME(label, record.shapes > 0);
  CHECK_GAME(label, hash_pool(p) == before);
}

static void test_through_a_run(const Case* c) {
  PfcPoolDesc desc = case_desc(c, 3, 8);
  Player p = player_start(&desc);
  for (int32_t t = 0; t < 400; ++t) {
    check_drawing(&p, t % 3, c->label);
    player_step(&p);
  }
  player_close(&p);
}

// A game that is drawn plays on like one that is not. For games that own something outside their state this is the only
// check that drawing changes nothing.
static void test_drawing_changes_nothing(const Case* c) {
  PfcPoolDesc desc = case_desc(c, 3, 8);
  Player drawn = player_start(&desc), other = player_start(&desc);
  for (int32_t t = 0; t < 300; ++t) {
    (void)draw_game(&drawn, t % 3);
    player_step(&drawn), player_step(&other);
    CHECK_GAME(c->label, memcmp(drawn.b->observations, other.b->observations, obs_total_bytes(other.b)) == 0);
  }
  player_close(&drawn), player_close(&other);
}

// A game can also be drawn in the state in which its episode ended.
static void test_after_the_end(const Case* c) {
  PfcPoolDesc desc = case_desc(c, 8, 8);
  desc.autoreset = PFC_AUTORESET_DISABLED;
  Player p = player_start(&desc);
  for (int32_t t = 0; t < 400; ++t) player_step(&p);
  for (int32_t game = 0; game < 8; ++game) check_drawing(&p, game, c->label);
  player_close(&p);
}

static void test_refusals(void) {
  const PfcPoolDesc desc = {.env = "squared", .num_games = 2, .num_groups = 2};
  Player p = player_open(&desc);
  DrawRecord record = {0};
  const PfcDraw draw = draw_recorder(&record);
  CHECK(pfc_pool_draw(p.pool, 0, &draw) == PFC_STATE);  // not reset yet
  CHECK(pfc_pool_reset(p.pool, NULL) == PFC_OK);
  CHECK(pfc_pool_draw(p.pool, -1, &draw) == PFC_INVALID);
  CHECK(pfc_pool_draw(p.pool, 2, &draw) == PFC_INVALID && strstr(pfc_last_error(), "game: expected 0 to 1, got 2"));
  CHECK(pfc_pool_draw(p.pool, 0, NULL) == PFC_INVALID);
  CHECK(pfc_pool_draw(NULL, 0, &draw) == PFC_INVALID);
  fill_actions(p.b, 1, 0, p.actions);
  CHECK(pfc_pool_send(p.pool, 1, p.actions, PFC_INT32, NULL) == PFC_OK);
  CHECK(pfc_pool_draw(p.pool, 0, &draw) == PFC_STATE);
  CHECK(record.begins == 0);
  player_close(&p);
}

int main(void) {
  for_each_case(test_through_a_run);
  for_each_case(test_drawing_changes_nothing);
  for_each_case(test_after_the_end);
  for_each_duel_case(test_through_a_run);
  for_each_duel_case(test_drawing_changes_nothing);
  for_each_duel_case(test_after_the_end);
  test_refusals();
  return check_report();
}
