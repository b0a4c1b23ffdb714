// test_snake.c - the rules of snake: scripted scenes in text, and the picture. For long runs see test_snake_model.c.
#include "check.h"
#include "snake_game.h"

// ---- scripted scenes ---------------------------------------------------------------------------------

// An empty 6 x 4 board.
static Game scene_open(int32_t snakes, int32_t max_length) {
  const SnakeParams p = {0, 6, 4, snakes, 0, 2, max_length, 0};
  Game g = game_open(p, 1);
  for (int32_t i = 0; i < snakes; ++i) snake_remove(g.state, &g.p, i, SNAKE_EMPTY);
  return g;
}

static int16_t* scene_cell(Game* g, int32_t x, int32_t y) {
  return snake_board(g->state, &g->p) + snake_field(&g->p, y * g->p.width + x);
}

// Places a snake with its tail at (x, y) along `moves`: u, d, l, r.
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

PFC_FN void test_death_and_respawn(void) {
  Game g = scene_open(1, 99);
  scene_lay(&g, 0, 1, 1, "rrrr");
  g.actions[0] = RIGHT;
  game_step_only(&g), game_step_only(&g);  // absent in the second step: nothing happens
  CHECK(g.rewards[0] == 0.0f && !g.terminated[0] && scene_is(&g, "...... .x.x.x ...... ......"));
  g.terminated[0] = 1;
  game_finish(&g);
  CHECK(g.metrics[0] == 5.0f && g.metrics[1] == 1.0f);
  CHECK(g.final_obs[2 * 5 + 2] == SNAKE_CORPSE && g.final_obs[2 * 5 + 3] == SNAKE_WALL);  // the cell of its head
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
  for (int32_t step = 1; step <= 3; ++step) {  // food, corpse, and food again at max length
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
  g.alive[1] = 0;  // a row that is not alive does not move
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

// ---- drawing -------------------------------------------------------------------------------------------

enum { CANVAS_LINES = 16 };

// Records lines and circles in drawing order; ignores other shapes.
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

// A body of two straight runs, and a snake of one piece. The outline of the followed snake is drawn before the bodies.
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
  CHECK(canvas.num_circles == 1 + 1 + 2 * 3);  // the food; the outline of a head; two heads with two eyes each
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
  test_draw();
  return check_report();
}
