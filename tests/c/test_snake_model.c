// test_snake_model.c - long random runs of snake against a naive model (snake_model.h), which must agree in every cell,
// reward, flag, metric, observation and random number.
#include "check.h"
#include "snake_game.h"
#include "snake_model.h"

// Compares every cell of the board, every chain of pieces and every observation.
static void compare(Model* m, Game* g) {
  const int16_t* board = snake_board(g->state, &g->p);
  int32_t food = 0, bodies = 0, differences = 0;
  model_paint(m);
  for (int32_t i = 0; i < m->fields; ++i) {
    const int16_t cell = board[snake_field(&g->p, i)];
    differences += (cell > SNAKE_WALL ? cell / 4 + 2 : cell) != m->shown[i];
    food += cell == SNAKE_FOOD, bodies += cell > SNAKE_WALL;
  }
  CHECK(differences == 0 && food == g->p.food && bodies == g->state->claimed);
  for (int32_t a = 0; a < g->rows; ++a) {
    const SnakeBody* body = snake_body(g->state, a);
    int32_t cell = body->tail;
    for (int32_t k = m->length[a] - 1; k >= 0; --k) {
      differences += cell != snake_field(&g->p, m->piece[a][k]);
      if (k > 0) cell = snake_neighbour(&g->p, cell, board[cell] & 3);
    }
    CHECK(differences == 0 && cell == body->head && body->length == m->length[a]);
    CHECK(model_sees(m, a, g->obs + a * g->sight * g->sight));
  }
  CHECK(memcmp(&m->rng, &g->state->rng, sizeof m->rng) == 0);
}

// Mostly eats what is next to the head and avoids collisions, so that snakes grow long.
static int32_t choose(const Game* g, int32_t a, PfcRng* rng) {
  const int8_t* head = g->obs + a * g->sight * g->sight + g->p.vision * (g->sight + 1);
  const int32_t beside[4] = {-g->sight, g->sight, -1, 1};
  int32_t action = (int32_t)pfc_rng_below(rng, 4);
  if (pfc_rng_below(rng, 16) == 0) return action;
  for (int32_t i = 0; i < 4 && head[beside[action]] >= SNAKE_WALL; ++i) action = (action + 1) & 3;
  for (int32_t i = 0; i < 4; ++i)
    if (head[beside[i]] == SNAKE_FOOD || head[beside[i]] == SNAKE_CORPSE) action = i;
  return action;
}

static int64_t cut_lives;

static void check_ended_lives(Model* m, Game* g) {
  model_paint(m);
  for (int32_t a = 0; a < g->rows; ++a) {
    const bool cut = m->p.max_steps > 0 && m->present[a] && m->life[a] == m->p.max_steps;
    CHECK(g->terminated[a] == !m->present[a] && g->truncated[a] == cut);
    if (m->present[a] && !cut) continue;
    cut_lives += cut;
    CHECK(model_sees(m, a, g->final_obs + a * g->sight * g->sight));
    CHECK(g->metrics[2 * a] == (float)m->length[a] && g->metrics[2 * a + 1] == (float)m->life[a]);
  }
}

static void run_against_model(SnakeParams p, int32_t steps) {
  CHECK(spec->check(&p) == NULL);
  Game g = game_open(p, 11);
  Model m = model_open(p, 11);
  PfcRng rng;
  pfc_rng_seed(&rng, 3, (uint64_t)p.width);
  compare(&m, &g);
  for (int32_t step = 0; step < steps; ++step) {
    for (int32_t a = 0; a < g.rows; ++a) g.actions[a] = choose(&g, a, &rng);
    game_step_only(&g);
    model_order(&m);
    for (int32_t i = 0; i < g.rows; ++i) {
      const int32_t a = m.order[i];
      CHECK(g.rewards[a] == model_move(&m, a, g.actions[a]));
    }
    game_finish(&g);
    check_ended_lives(&m, &g);
    for (int32_t a = 0; a < g.rows; ++a)
      if (g.terminated[a] || g.truncated[a]) model_spawn(&m, a);
    compare(&m, &g);
  }
  game_close(&g), model_close(&m);
}

static void test_against_model(void) {
  // max_steps, width, height, snakes, food, vision, max_length, shuffle
  static const SnakeParams small[] = {
      {0, 1, 1, 1, 0, 1, 5, 0},     {0, 4, 3, 2, 10, 1, 4, 0},      {0, 8, 8, 4, 60, 2, 1024, 1},
      {0, 6, 6, 3, 5, 5, 1024, 0},  {17, 20, 15, 12, 30, 5, 99, 1}, {0, 24, 9, 6, 12, 3, 1, 0},
      {0, 9, 30, 2, 20, 5, 300, 0}, {90, 64, 48, 32, 64, 7, 40, 0},
  };
  for (size_t i = 0; i < sizeof small / sizeof small[0]; ++i) run_against_model(small[i], 10000);
  const SnakeParams large = {150, 640, 360, 256, 4096, 5, 1024, 0};
  run_against_model(large, 400);
  for (int32_t i = 0; i < MODEL_EVENTS; ++i) CHECK(model_events[i] > 0);
  CHECK(cut_lives > 0);
}

int main(void) {
  test_against_model();
  return check_report();
}
