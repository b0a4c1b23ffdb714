// test_snake.c - the rules of snake: scripted scenes drawn as text, then long random runs against a
// second, naive model of the game (snake_model.h) that must agree in every cell, reward, flag, metric,
// observation and random number.
#include "../../csrc/envs/snake.c"

#include <stdlib.h>

#include "check.h"
#include "snake_model.h"

enum { UP = SNAKE_UP, DOWN = SNAKE_DOWN, LEFT = SNAKE_LEFT, RIGHT = SNAKE_RIGHT };
static const PfcEnvSpec* const spec = &pfc_env_module;

// ---- one game, driven as a pool drives it. Owns all its memory. ---------------------------------------

typedef struct Game {
  SnakeParams p;
  PfcLayout layout;
  int32_t rows, sight;
  Snake* state;
  int32_t* actions;
  float* controls;  // unused by the rules, but offsets are taken from it
  float* rewards;
  uint8_t *terminated, *truncated, *alive;
  int8_t *obs, *final_obs;  // [rows, sight, sight]
  float* metrics;           // [rows, 2], of the lives that this step ended
} Game;

static PfcRange game_range(Game* g) {
  const PfcIo io = {g->actions, g->controls, g->rewards, g->terminated, g->truncated, g->alive};
  const uint64_t obs_bytes = (uint64_t)(g->sight * g->sight);
  const PfcRange range = {(unsigned char*)g->state, g->layout.state_bytes, &g->p, 0, 1, g->rows, 1, obs_bytes, io,
                          (unsigned char*)g->obs};
  return range;
}

static Game game_open(SnakeParams p, uint64_t seed) {
  Game g = {.p = p, .rows = p.snakes, .sight = 2 * p.vision + 1};
  spec->layout(&p, &g.layout);
  const size_t rows = (size_t)g.rows, obs_bytes = rows * (size_t)(g.sight * g.sight);
  g.state = calloc(1, g.layout.state_bytes);
  g.actions = calloc(rows, sizeof(int32_t));
  g.rewards = calloc(rows, sizeof(float)), g.controls = calloc(rows, sizeof(float));
  g.terminated = calloc(rows, 1), g.truncated = calloc(rows, 1), g.alive = calloc(rows, 1);
  g.obs = calloc(1, obs_bytes), g.final_obs = calloc(1, obs_bytes);
  g.metrics = calloc(rows, 2 * sizeof(float));
  memset(g.alive, 1, rows);
  pfc_rng_seed(&g.state->rng, seed, 0);
  spec->reset_one(g.state, &g.p);
  const PfcRange range = game_range(&g);
  spec->observe_range(&range);
  return g;
}

static void game_close(Game* g) {
  free(g->state), free(g->actions), free(g->controls), free(g->rewards), free(g->metrics);
  free(g->terminated), free(g->truncated), free(g->alive), free(g->obs), free(g->final_obs);
}

static void game_step_only(Game* g) {
  memset(g->rewards, 0, (size_t)g->rows * sizeof(float));
  memset(g->terminated, 0, (size_t)g->rows), memset(g->truncated, 0, (size_t)g->rows);
  const PfcRange range = game_range(g);
  spec->step_range(&range);
}

static void game_finish(Game* g) {
  const PfcRange range = game_range(g);
  for (int32_t i = 0; i < g->rows; ++i) {
    if (g->p.max_steps > 0 && !g->terminated[i] && snake_body(g->state, i)->life >= g->p.max_steps) g->truncated[i] = 1;
    if (!g->terminated[i] && !g->truncated[i]) continue;
    spec->observe_one(g->state, &g->p, i, g->final_obs + i * g->sight * g->sight);
    spec->metrics_one(g->state, &g->p, i, g->metrics + 2 * i);
  }
  for (int32_t i = 0; i < g->rows; ++i)
    if (g->terminated[i] || g->truncated[i]) spec->respawn(g->state, &g->p, i);
  spec->observe_range(&range);
}

// ---- scripted scenes ---------------------------------------------------------------------------------

// A 6 x 4 board without any snake or food of its own.
static Game scene_open(int32_t snakes, int32_t max_length) {
  const SnakeParams p = {0, 6, 4, snakes, 0, 2, max_length, 0};
  Game g = game_open(p, 1);
  for (int32_t i = 0; i < snakes; ++i) snake_remove(g.state, &g.p, i, SNAKE_EMPTY);
  return g;
}

static int16_t* scene_cell(Game* g, int32_t x, int32_t y) {
  return snake_board(g->state, &g->p) + snake_field(&g->p, y * g->p.width + x);
}

// Lays a snake from its tail at (x, y) along `moves` of u, d, l, r.
static void scene_lay(Game* g, int32_t agent, int32_t x, int32_t y, const char* moves) {
  SnakeBody* body = &snake_bodies(g->state)[agent];
  int32_t cell = (int32_t)(scene_cell(g, x, y) - snake_board(g->state, &g->p));
  *body = (SnakeBody){.head = cell, .tail = cell, .length = 1, .present = 1};
  snake_board(g->state, &g->p)[cell] = snake_piece(agent, UP);
  for (; *moves; ++moves) {
    const int32_t direction = *moves == 'u' ? UP : *moves == 'd' ? DOWN : *moves == 'l' ? LEFT : RIGHT;
    snake_advance(g->state, &g->p, agent, snake_neighbour(&g->p, body->head, direction), direction, true);
  }
}

// True if the board looks like the picture: . empty, * food, x corpse, A B ... bodies.
static bool scene_is(Game* g, const char* picture) {
  for (int32_t i = 0; i < g->p.width * g->p.height; ++i, ++picture) {
    const int16_t cell = snake_board(g->state, &g->p)[snake_field(&g->p, i)];
    const char shown = cell > SNAKE_WALL ? (char)('A' + cell / 4 - 2) : ".*x#"[cell];
    if (i > 0 && i % g->p.width == 0) ++picture;  // a blank between rows
    if (shown != *picture) return false;
  }
  return true;
}

typedef struct Scene {
  const char* what;
  struct { int32_t x, y; const char* moves; } tail[2];  // moves NULL: no such snake
  int32_t actions[2];
  float rewards[2];
  const char* after;
} Scene;

static const Scene scenes[] = {
    {"odd length into the wall", {{1, 1, "rrrr"}}, {RIGHT}, {-1}, "...... .x.x.x ...... ......"},
    {"even length into the wall", {{3, 3, "uuu"}}, {UP}, {-1}, "...x.. ...... ...x.. ......"},
    {"length 1 into the wall", {{0, 2, ""}}, {LEFT}, {-1}, "...... ...... x..... ......"},
    {"back onto the neck", {{0, 0, "rr"}, {0, 2, "r"}}, {LEFT, LEFT}, {0, 0}, ".AAA.. ...... .BB... ......"},
    {"the neck's side at the wall", {{3, 3, "rr"}}, {LEFT}, {-1}, "...... ...... ...... ...x.x"},
    {"no neck, so back is a turn", {{2, 2, "l"}, {2, 0, ""}}, {UP, DOWN}, {0, 0}, "...... .AB... .A.... ......"},
    {"own body", {{1, 1, "rrdl"}}, {UP}, {-1}, "...... .x.x.. ..x... ......"},
    {"own tail, freed too late", {{1, 1, "rdl"}}, {UP}, {-1}, "...... ..x... .x.... ......"},
    {"a tail freed before", {{1, 1, "rr"}, {1, 3, "u"}}, {RIGHT, UP}, {0, 0}, "...... .BAAA. .B.... ......"},
    {"a tail not yet freed", {{1, 3, "u"}, {1, 1, "rr"}}, {UP, RIGHT}, {-1, 0}, "...... ..BBB. .x.... ......"},
    {"two heads for one cell", {{0, 1, "r"}, {4, 1, "l"}}, {RIGHT, LEFT}, {0, -1}, "...... .AAx.. ...... ......"},
    {"head against head", {{1, 1, "r"}, {4, 1, "l"}}, {RIGHT, LEFT}, {-1, 0.1f}, "...... ..BBB. ...... ......"},
    {"a corpse of this step", {{5, 1, ""}, {4, 1, ""}}, {RIGHT, RIGHT}, {-1, 0.1f}, "...... ....BB ...... ......"},
};

static void test_scenes(void) {
  for (size_t i = 0; i < sizeof scenes / sizeof scenes[0]; ++i) {
    const Scene* scene = &scenes[i];
    const int32_t snakes = scene->tail[1].moves ? 2 : 1;
    Game g = scene_open(snakes, 99);
    for (int32_t k = 0; k < snakes; ++k) {
      scene_lay(&g, k, scene->tail[k].x, scene->tail[k].y, scene->tail[k].moves);
      g.actions[k] = scene->actions[k];
    }
    game_step_only(&g);
    bool held = CHECK(scene_is(&g, scene->after));
    for (int32_t k = 0; k < snakes; ++k) {
      held &= CHECK(g.rewards[k] == scene->rewards[k]);
      held &= CHECK(g.terminated[k] == (scene->rewards[k] < 0) && !g.truncated[k]);
      held &= CHECK(snake_body(g.state, k)->present == !g.terminated[k]);
    }
    if (!held) fprintf(stderr, "  in the scene: %s\n", scene->what);
    game_close(&g);
  }
}

static void test_death_and_respawn(void) {
  Game g = scene_open(1, 99);
  scene_lay(&g, 0, 1, 1, "rrrr");
  g.actions[0] = RIGHT;
  game_step_only(&g), game_step_only(&g);  // absent in the second: nothing happens
  CHECK(g.rewards[0] == 0.0f && !g.terminated[0] && scene_is(&g, "...... .x.x.x ...... ......"));
  g.terminated[0] = 1;
  game_finish(&g);
  CHECK(g.metrics[0] == 5.0f && g.metrics[1] == 1.0f);
  CHECK(g.final_obs[2 * 5 + 2] == SNAKE_CORPSE && g.final_obs[2 * 5 + 3] == SNAKE_WALL);  // where its head was
  CHECK(snake_body(g.state, 0)->present && snake_body(g.state, 0)->length == 1 && g.state->claimed == 1);
  game_close(&g);
}

static int32_t scene_count(Game* g, int16_t low, int16_t high) {
  int32_t count = 0;
  for (int32_t i = 0; i < 24; ++i) {
    const int16_t cell = *scene_cell(g, i % 6, i / 6);
    count += cell >= low && cell <= high;
  }
  return count;
}

static void test_eating(void) {
  Game g = scene_open(1, 3);
  g.p.food = 1;
  scene_lay(&g, 0, 0, 0, "");
  *scene_cell(&g, 2, 0) = SNAKE_CORPSE;
  g.actions[0] = RIGHT;
  for (int32_t step = 1; step <= 3; ++step) {  // food, corpse, and food again at the greatest length
    for (int32_t i = 0; i < 24; ++i)           // bring the food, wherever it reappeared, before the head
      if (step != 2 && *scene_cell(&g, i % 6, i / 6) == SNAKE_FOOD) *scene_cell(&g, i % 6, i / 6) = SNAKE_EMPTY;
    *scene_cell(&g, step, 0) = step == 2 ? SNAKE_CORPSE : SNAKE_FOOD;
    game_step_only(&g);
    CHECK(g.rewards[0] == 0.1f && !g.terminated[0]);
    CHECK(snake_body(g.state, 0)->length == pfc_mini(step + 1, 3) && g.state->claimed == pfc_mini(step + 1, 3));
    CHECK(scene_count(&g, SNAKE_WALL + 1, INT16_MAX) == pfc_mini(step + 1, 3));
    CHECK(step == 2 || scene_count(&g, SNAKE_FOOD, SNAKE_FOOD) == 1);
    CHECK(scene_count(&g, SNAKE_CORPSE, SNAKE_CORPSE) == (step == 1));
  }
  CHECK(*scene_cell(&g, 0, 0) <= SNAKE_FOOD && *scene_cell(&g, 1, 0) > SNAKE_WALL);  // the tail was freed
  game_close(&g);
}

static void test_cut_short(void) {
  Game g = scene_open(2, 99);
  g.p.max_steps = 2;
  scene_lay(&g, 0, 0, 0, "rr");
  scene_lay(&g, 1, 0, 2, "r");
  g.actions[0] = g.actions[1] = RIGHT;
  game_step_only(&g), game_finish(&g);
  CHECK(!g.truncated[0]);
  g.alive[1] = 0;  // a row that does not act stands still
  game_step_only(&g);
  CHECK(scene_is(&g, "..AAA. ...... .BB... ......") && g.rewards[0] == 0.0f);
  game_finish(&g);
  CHECK(g.truncated[0] && !g.terminated[0] && !g.truncated[1]);
  CHECK(g.metrics[0] == 3.0f && g.metrics[1] == 2.0f);
  CHECK(g.final_obs[2 * 5 + 2] == SNAKE_OWN && g.final_obs[2 * 5 + 1] == SNAKE_OWN);
  CHECK(scene_count(&g, SNAKE_WALL + 1, INT16_MAX) == 3 && scene_count(&g, SNAKE_EMPTY, SNAKE_EMPTY) == 21);
  CHECK(g.state->claimed == 3);
  game_close(&g);
}

static void test_parameters(void) {
  const SnakeParams full = {0, 8, 8, 4, 60, 1, 9, 0}, over = {0, 8, 8, 4, 61, 1, 9, 0};
  CHECK(spec->check(&full) == NULL && spec->check(&over) != NULL);
  SnakeParams largest;
  for (int32_t i = 0; i < spec->num_params; ++i) {
    const int32_t value = (int32_t)spec->params[i].max;
    memcpy((unsigned char*)&largest + 4 * i, &value, sizeof value);
  }
  CHECK(spec->check(&largest) != NULL);  // food fills the board
  PfcLayout sizes = {0};
  spec->layout(&largest, &sizes);
  CHECK(sizes.state_bytes > 2ull * 4096 * 4096 && sizes.state_bytes < 64ull << 20);
  CHECK(sizes.agents == SNAKE_MAX_SNAKES && sizes.obs_shape[0] == 129 && sizes.obs_shape[1] == 129);
  CHECK(snake_piece(SNAKE_MAX_SNAKES - 1, RIGHT) == INT16_MAX && snake_piece(0, UP) > SNAKE_OTHER);
}

static void test_shuffle(void) {
  const SnakeParams p = {0, 40, 40, 4, 10, 2, 9, 1};
  Game g = game_open(p, 5);
  int32_t first[4] = {0};
  for (int32_t step = 0; step < 4000; ++step) {
    for (int32_t i = 0; i < 4; ++i) g.actions[i] = (step + i) & 3;
    game_step_only(&g), game_finish(&g);
    const int16_t* order = snake_order(g.state, &p);
    CHECK(((1 << order[0]) | (1 << order[1]) | (1 << order[2]) | (1 << order[3])) == 15);
    ++first[order[0]];
  }
  for (int32_t i = 0; i < 4; ++i) CHECK(first[i] > 860 && first[i] < 1140);  // 1000 +- 5 sigma
  game_close(&g);
}

// ---- random runs against the model ---------------------------------------------------------------------

// Every cell of the board, every chain of pieces and every observation.
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

// Mostly goes for what lies beside the head and keeps out of trouble, so that snakes grow long.
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

// ---- drawing -------------------------------------------------------------------------------------------

enum { CANVAS_LINES = 16 };

// The lines and circles of a picture in the order of drawing; what else there is goes nowhere.
typedef struct Canvas {
  int32_t begins, ends, num_lines, num_circles;
  float width, height;
  float lines[CANVAS_LINES][4];
  uint32_t colors[CANVAS_LINES];
} Canvas;

static void canvas_begin(void* context, float width, float height, PfcColor background) {
  Canvas* c = context;
  (void)background;
  c->begins += 1, c->width = width, c->height = height;
}

static void canvas_rect(void* context, float x, float y, float width, float height, PfcColor color) {
  (void)context, (void)x, (void)y, (void)color;
  CHECK(width > 0.0f && height > 0.0f);
}

static void canvas_line(void* context, float x0, float y0, float x1, float y1, float thickness, PfcColor color) {
  Canvas* c = context;
  const int32_t i = c->num_lines++ % CANVAS_LINES;
  CHECK(thickness > 0.0f && thickness <= 1.0f);
  c->lines[i][0] = x0, c->lines[i][1] = y0, c->lines[i][2] = x1, c->lines[i][3] = y1;
  c->colors[i] = (uint32_t)color.r << 16 | (uint32_t)color.g << 8 | color.b;
}

static void canvas_circle(void* context, float x, float y, float radius, PfcColor color) {
  (void)x, (void)y, (void)radius, (void)color;
  ((Canvas*)context)->num_circles += 1;
}

static void canvas_text(void* context, float x, float y, float size, const char* text, PfcColor color) {
  (void)context, (void)x, (void)y, (void)size, (void)color;
  CHECK(text != NULL);
}

static void canvas_end(void* context) { ((Canvas*)context)->ends += 1; }

// A body of two straight runs, and a snake of one piece: the rim of the followed one first, then the bodies.
static void test_draw(void) {
  Game g = scene_open(2, 99);
  scene_lay(&g, 0, 0, 0, "rrd");
  scene_lay(&g, 1, 5, 3, "");
  *scene_cell(&g, 4, 0) = SNAKE_FOOD;
  Canvas canvas = {0};
  const PfcDraw draw = {.context = &canvas,
                        .begin = canvas_begin,
                        .rect = canvas_rect,
                        .circle = canvas_circle,
                        .line = canvas_line,
                        .text = canvas_text,
                        .end = canvas_end};
  spec->draw_one(g.state, &g.p, &draw);
  CHECK(canvas.begins == 1 && canvas.ends == 1 && canvas.width == 8.0f && canvas.height > 6.0f);
  CHECK(canvas.num_circles == 1 + 1 + 2 * 3);  // the food; the rim of a head; heads with their eyes
  int32_t seen = 0;
  for (int32_t i = 0; i < canvas.num_lines; ++i) {
    const float* line = canvas.lines[i];
    seen += line[2] - line[0] == 2.0f && line[1] == line[3];  // right, right
    seen += line[3] - line[1] == 1.0f && line[0] == line[2];  // down
  }
  CHECK(seen == 4 && canvas.num_lines >= 4);  // both runs, in both passes
  CHECK(canvas.colors[0] != canvas.colors[canvas.num_lines - 1]);
  game_close(&g);
}

int main(void) {
  test_scenes();
  test_death_and_respawn();
  test_eating();
  test_cut_short();
  test_parameters();
  test_shuffle();
  test_against_model();
  test_draw();
  return check_report();
}
