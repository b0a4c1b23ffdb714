// snake.c - many snakes on one board. One agent per snake; each has its own episodes and respawns.
//
// obs   int8[2 vision + 1][2 vision + 1]   the cells around the head in row-major order:
//                                          0 empty  1 food  2 corpse  3 wall  4 own body  5 other body
// act   int32[1]   0 up  1 down  2 left  3 right; a move back onto the own neck goes straight ahead
// rew   -1 death, +0.1 food, +0.1 corpse; terminated at death
//
// The state is one block of memory: the struct Snake, then SnakeBody[snakes], then the order of moves
// int16[snakes], then the board int16[cells] in row-major order, including its wall.
//
// A board cell holds one of the first four codes below, or a piece of a body: 4 * (agent + 2) + the
// direction of the next piece towards the head (in the head's cell: its last move). A body is therefore
// a chain from tail to head without a separate list, and observations need only comparisons of 16-bit
// numbers.
#include "pufferc/env.h"

enum { SNAKE_UP, SNAKE_DOWN, SNAKE_LEFT, SNAKE_RIGHT };  // direction ^ 1 is the opposite direction
enum { SNAKE_EMPTY, SNAKE_FOOD, SNAKE_CORPSE, SNAKE_WALL, SNAKE_OWN, SNAKE_OTHER };
enum {
  SNAKE_MAX_SIDE = 4096,
  SNAKE_MAX_CELLS = SNAKE_MAX_SIDE * SNAKE_MAX_SIDE,
  SNAKE_MAX_SNAKES = INT16_MAX / 4 - 1,  // ids that a cell can hold
  SNAKE_SPAWN_TRIES = 32,
};
#define SNAKE_REWARD_DEATH (-1.0f)
#define SNAKE_REWARD_EAT 0.1f

#define SNAKE_PARAMS(X)                                                                          \
  X(int, max_steps, 0, 0, PFC_MAX_STEPS, "steps until one snake's life is truncated; 0 = never") \
  X(int, width, 640, 1, SNAKE_MAX_SIDE, "cells across, without the wall")                    \
  X(int, height, 360, 1, SNAKE_MAX_SIDE, "cells down, without the wall")                     \
  X(int, snakes, 256, 1, SNAKE_MAX_SNAKES, "snakes on one board; each is an agent")              \
  X(int, food, 4096, 0, SNAKE_MAX_CELLS, "food cells, constant: eaten food reappears elsewhere") \
  X(int, vision, 5, 1, 64, "cells seen from the head in each direction; also the wall's thickness") \
  X(int, max_length, 1024, 1, SNAKE_MAX_CELLS, "length at which a snake stops growing")          \
  X(bool, shuffle, 0, 0, 1, "move in a fresh random order each step instead of by index")
PFC_DEFINE_PARAMS(snake, SnakeParams, SNAKE_PARAMS)

typedef struct Snake {
  PfcRng rng;
  int32_t claimed;  // cells of all bodies; an absent snake counts as one, reserved for its respawn
} Snake;

typedef struct SnakeBody {
  int32_t head, tail;  // board cells; kept after death
  int32_t length;      // cells; kept after death
  int32_t life;        // steps since it spawned
  int16_t direction;   // of the last move
  int16_t present;     // 0 from death to respawn
} SnakeBody;

typedef struct SnakeObs {
  int8_t cell[1];  // [(2 vision + 1)^2]
} SnakeObs;

static const PfcObsRow snake_obs[] = {
    PFC_OBS("cell", 0, 0, 5, "0 empty, 1 food, 2 corpse, 3 wall, 4 own body, 5 other body; row by row, the head amid"),
};

// ---- the board -------------------------------------------------------------------------------------

enum { SNAKE_VISION = 5, SNAKE_SIGHT = 2 * SNAKE_VISION + 1 };  // the default, which has a fast loop
enum { SNAKE_LANE = 16 };  // cells that this loop reads at once; the board ends with as much padding

PFC_FN int32_t snake_stride(const SnakeParams* p) { return p->width + 2 * p->vision; }

PFC_FN SnakeBody* snake_bodies(Snake* s) { return (SnakeBody*)(s + 1); }
PFC_FN const SnakeBody* snake_body(const Snake* s, int32_t agent) { return (const SnakeBody*)(s + 1) + agent; }
PFC_FN int16_t* snake_order(Snake* s, const SnakeParams* p) { return (int16_t*)(snake_bodies(s) + p->snakes); }
PFC_FN int16_t* snake_board(Snake* s, const SnakeParams* p) { return snake_order(s, p) + p->snakes; }
PFC_FN const int16_t* snake_board_view(const Snake* s, const SnakeParams* p) {
  return (const int16_t*)snake_body(s, p->snakes) + p->snakes;
}

PFC_FN int16_t snake_piece(int32_t agent, int32_t direction) { return (int16_t)(4 * (agent + 2) + direction); }
PFC_FN int32_t snake_piece_direction(int16_t cell) { return cell & 3; }
PFC_FN int32_t snake_piece_agent(int16_t cell) { return cell / 4 - 2; }

PFC_FN int32_t snake_neighbour(const SnakeParams* p, int32_t cell, int32_t direction) {
  const int32_t vertical = direction < SNAKE_LEFT;  // arithmetic, because a branch would be mispredicted half the time
  return cell + (2 * (direction & 1) - 1) * (1 + vertical * (snake_stride(p) - 1));
}

// Board cell of playing field `index`, counted in row-major order without the wall.
PFC_FN int32_t snake_field(const SnakeParams* p, int32_t index) {
  return (index / p->width + p->vision) * snake_stride(p) + index % p->width + p->vision;
}

// A random empty cell; after some failed tries the next one in scan order, or the next corpse if no
// cell is empty. One of them always exists: see `claimed` in snake_may_grow.
PFC_FN int32_t snake_free_cell(Snake* s, const SnakeParams* p) {
  const int16_t* board = snake_board(s, p);
  const int32_t fields = p->width * p->height;
  int32_t index = 0, corpse = 0;
  for (int32_t i = 0; i < SNAKE_SPAWN_TRIES; ++i) {
    index = (int32_t)pfc_rng_below(&s->rng, (uint32_t)fields);
    const int32_t cell = snake_field(p, index);
    if (board[cell] == SNAKE_EMPTY) return cell;
  }
  for (int32_t i = 0; i < fields; ++i) {
    index = index + 1 < fields ? index + 1 : 0;
    const int32_t cell = snake_field(p, index);
    if (board[cell] == SNAKE_EMPTY) return cell;
    if (board[cell] == SNAKE_CORPSE && corpse == 0) corpse = cell;
  }
  return corpse;
}

// ---- spawn and death -------------------------------------------------------------------------------

PFC_FN void snake_spawn(Snake* s, const SnakeParams* p, int32_t agent) {
  SnakeBody* body = &snake_bodies(s)[agent];
  body->head = body->tail = snake_free_cell(s, p);
  body->length = 1;
  body->life = 0;
  body->direction = SNAKE_UP;
  body->present = 1;
  snake_board(s, p)[body->head] = snake_piece(agent, SNAKE_UP);
}

PFC_FN void snake_place_food(Snake* s, const SnakeParams* p) {
  const int32_t cell = snake_free_cell(s, p);
  snake_board(s, p)[cell] = SNAKE_FOOD;
}

// Removes a snake from the board. The 1st, 3rd, ... piece from the head becomes `odd_code`, the others empty.
PFC_FN void snake_remove(Snake* s, const SnakeParams* p, int32_t agent, int32_t odd_code) {
  SnakeBody* body = &snake_bodies(s)[agent];
  int16_t* board = snake_board(s, p);
  int32_t cell = body->tail;
  for (int32_t nth = body->length; nth >= 1; --nth) {
    const int32_t next = snake_neighbour(p, cell, snake_piece_direction(board[cell]));
    board[cell] = (int16_t)((nth & 1) ? odd_code : (int32_t)SNAKE_EMPTY);
    cell = next;
  }
  body->present = 0;
  s->claimed -= body->length - 1;
}

// A snake that died in this step is already off the board; a truncated one is still on it.
PFC_FN void snake_respawn(void* state, const void* params, int32_t agent) {
  Snake* s = (Snake*)state;
  const SnakeParams* p = (const SnakeParams*)params;
  if (snake_body(s, agent)->present) snake_remove(s, p, agent, SNAKE_EMPTY);
  snake_spawn(s, p, agent);
}

PFC_FN void snake_reset(Snake* s, const SnakeParams* p) {
  int16_t* cell = snake_board(s, p);
  for (int32_t y = -p->vision; y < p->height + p->vision; ++y)
    for (int32_t x = -p->vision; x < p->width + p->vision; ++x) {
      const bool inside = x >= 0 && x < p->width && y >= 0 && y < p->height;
      *cell++ = inside ? SNAKE_EMPTY : SNAKE_WALL;
    }
  s->claimed = p->snakes;
  for (int32_t agent = 0; agent < p->snakes; ++agent) {
    snake_order(s, p)[agent] = (int16_t)agent;
    snake_spawn(s, p, agent);
  }
  for (int32_t i = 0; i < p->food; ++i) snake_place_food(s, p);
}

// ---- a step ----------------------------------------------------------------------------------------

// False at max_length, and on a board so full that food or a snake would find no cell: food and claimed
// cells together never exceed the board.
PFC_FN bool snake_may_grow(const Snake* s, const SnakeParams* p, const SnakeBody* body) {
  return body->length < p->max_length && s->claimed + p->food < p->width * p->height;
}

PFC_FN void snake_advance(Snake* s, const SnakeParams* p, int32_t agent, int32_t target, int32_t direction,
                          bool grow) {
  SnakeBody* body = &snake_bodies(s)[agent];
  int16_t* board = snake_board(s, p);
  board[body->head] = board[target] = snake_piece(agent, direction);
  body->head = target;
  body->direction = (int16_t)direction;
  if (grow) {
    body->length += 1;
    s->claimed += 1;
  } else {
    const int32_t next = snake_neighbour(p, body->tail, snake_piece_direction(board[body->tail]));
    board[body->tail] = SNAKE_EMPTY;
    body->tail = next;
  }
}

PFC_FN void snake_move(Snake* s, const SnakeParams* p, int32_t agent, PfcIo io) {
  SnakeBody* body = &snake_bodies(s)[agent];
  if (!body->present || !io.alive[agent]) return;
  body->life += 1;
  const int32_t onto_neck = (body->length > 1) & (io.actions[agent] == (body->direction ^ 1));
  const int32_t direction = io.actions[agent] ^ onto_neck;
  const int32_t target = snake_neighbour(p, body->head, direction);
  const int16_t found = snake_board(s, p)[target];
  if (found >= SNAKE_WALL) {
    snake_remove(s, p, agent, SNAKE_CORPSE);
    io.rewards[agent] = SNAKE_REWARD_DEATH;
    io.terminated[agent] = 1;
  } else if (found == SNAKE_EMPTY) {
    snake_advance(s, p, agent, target, direction, false);
  } else {
    snake_advance(s, p, agent, target, direction, snake_may_grow(s, p, body));
    io.rewards[agent] = SNAKE_REWARD_EAT;
    if (found == SNAKE_FOOD) snake_place_food(s, p);
  }
}

PFC_FN void snake_shuffle(Snake* s, const SnakeParams* p) {
  int16_t* order = snake_order(s, p);
  for (int32_t left = p->snakes; left > 1; --left) {
    const uint32_t pick = pfc_rng_below(&s->rng, (uint32_t)left);
    const int16_t agent = order[pick];
    order[pick] = order[left - 1];
    order[left - 1] = agent;
  }
}

PFC_FN void snake_step(Snake* s, const SnakeParams* p, PfcIo io) {
  if (p->shuffle) snake_shuffle(s, p);
  const int16_t* order = snake_order(s, p);
  for (int32_t i = 0; i < p->snakes; ++i) snake_move(s, p, order[i], io);
}

// ---- observations ----------------------------------------------------------------------------------

// `own` is the agent's piece with direction 0.
PFC_FN int8_t snake_seen(int16_t cell, int16_t own) {
  const int32_t kind = pfc_mini(cell, SNAKE_OTHER);
  return (int8_t)(kind - ((cell & ~3) == own));
}

#if defined(__GNUC__) && !defined(__CUDACC__)
// The default sight with GNU vectors, because compilers rarely vectorise such short loops well. Each
// row is written a full lane wide; the next row overwrites the excess.
#define SNAKE_HAVE_LANES 1
typedef int16_t SnakeLane __attribute__((vector_size(SNAKE_LANE * sizeof(int16_t))));
typedef int8_t SnakeLaneSeen __attribute__((vector_size(SNAKE_LANE)));

PFC_FN void snake_observe_lanes(const int16_t* corner, int32_t stride, int16_t own, int8_t* out) {
  const int16_t wall = SNAKE_WALL, other = SNAKE_OTHER, no_direction = ~3;
  for (int32_t y = 0; y < SNAKE_SIGHT; ++y) {
    SnakeLane cells;
    memcpy(&cells, corner + y * stride, sizeof cells);
    const SnakeLane body = cells > wall, mine = (cells & no_direction) == own;  // -1 where true
    const SnakeLane kinds = ((cells & ~body) | (body & other)) + mine;
    const SnakeLaneSeen seen = __builtin_convertvector(kinds, SnakeLaneSeen);
    memcpy(out + y * SNAKE_SIGHT, &seen, y < SNAKE_SIGHT - 1 ? (size_t)SNAKE_LANE : (size_t)SNAKE_SIGHT);
  }
}
#endif

// An absent snake observes the cells around its last head.
PFC_FN void snake_observe(const Snake* s, const SnakeParams* p, int32_t agent, SnakeObs* obs) {
  const int32_t stride = snake_stride(p), sight = 2 * p->vision + 1;
  const int16_t own = snake_piece(agent, 0);
  const int16_t* corner = snake_board_view(s, p) + snake_body(s, agent)->head - p->vision * (stride + 1);
  int8_t* out = obs->cell;
#if defined(SNAKE_HAVE_LANES)
  if (p->vision == SNAKE_VISION) {
    snake_observe_lanes(corner, stride, own, out);
    return;
  }
#endif
  for (int32_t y = 0; y < sight; ++y)
    for (int32_t x = 0; x < sight; ++x) out[y * sight + x] = snake_seen(corner[y * stride + x], own);
}

PFC_FN void snake_metrics(const Snake* s, const SnakeParams* p, int32_t agent, float* values) {
  (void)p;
  values[0] = (float)snake_body(s, agent)->length;
  values[1] = (float)snake_body(s, agent)->life;
}

// ---- sizes -----------------------------------------------------------------------------------------

static void snake_layout(const void* params, PfcLayout* sizes) {
  const SnakeParams* p = (const SnakeParams*)params;
  const uint64_t cells = (uint64_t)snake_stride(p) * (uint64_t)(p->height + 2 * p->vision) + SNAKE_LANE;
  const uint64_t snake_bytes = sizeof(SnakeBody) + sizeof(int16_t);  // its body and its entry in the order
  sizes->state_bytes = sizeof(Snake) + snake_bytes * (uint64_t)p->snakes + cells * sizeof(int16_t);
  sizes->agents = p->snakes;
  sizes->obs_shape[0] = sizes->obs_shape[1] = 2 * p->vision + 1;
}

static const char* snake_check(const void* params) {
  const SnakeParams* p = (const SnakeParams*)params;
  if ((int64_t)p->snakes + p->food > (int64_t)p->width * p->height)
    return "the board is too small: snakes + food must not exceed width * height";
  return NULL;
}

// ---- drawing ----------------------------------------------------------------------------------------
//
// One unit is one cell. A board of up to 64 x 48 cells, including its wall, is shown completely. For a larger one the
// picture shows the 48 x 36 cells around the head of the followed agent, so that cells stay visible, and in a corner a
// map of all heads with a frame around this part. A faint square marks what the followed snake observes.

PFC_TABLE uint32_t snake_palette[] = {0x4cc38a, 0x52a9ff, 0xbf7af0, 0xf76190, 0xff8b3e, 0x3ec9b6,
                                      0x849dff, 0xe879c7, 0xb5d14c, 0x6fd3f5, 0xd19dff, 0xffb86b};
enum { SNAKE_PALETTE = sizeof snake_palette / sizeof snake_palette[0] };
enum { SNAKE_WHOLE_WIDTH = 64, SNAKE_WHOLE_HEIGHT = 48, SNAKE_PART_WIDTH = 48, SNAKE_PART_HEIGHT = 36 };
enum { SNAKE_FLOOR = 4 };  // size of the floor's checker pattern, which makes motion of the view visible

typedef struct SnakeView {
  int32_t left, top, width, height;  // visible cells, in cells of the playing field; -1 is the wall
  float strip;                       // height of the strip for numbers above them
  bool whole;
} SnakeView;

static SnakeView snake_view(const Snake* s, const SnakeParams* p, int32_t agent) {
  const int32_t width = p->width + 2, height = p->height + 2, stride = snake_stride(p);
  const int32_t head = snake_body(s, agent)->head;
  SnakeView v = {-1, -1, width, height, 0.0f, width <= SNAKE_WHOLE_WIDTH && height <= SNAKE_WHOLE_HEIGHT};
  if (!v.whole) {
    v.width = pfc_mini(width, SNAKE_PART_WIDTH), v.height = pfc_mini(height, SNAKE_PART_HEIGHT);
    v.left = pfc_clampi(head % stride - p->vision - v.width / 2, -1, width - 1 - v.width);
    v.top = pfc_clampi(head / stride - p->vision - v.height / 2, -1, height - 1 - v.height);
  }
  v.strip = 0.09f * (float)v.height;
  return v;
}

// Top left corner of a board cell in the picture.
static PfcPoint snake_place(const SnakeParams* p, const SnakeView* v, int32_t cell) {
  const int32_t stride = snake_stride(p);
  PfcPoint place;
  place.x = (float)(cell % stride - p->vision - v->left);
  place.y = (float)(cell / stride - p->vision - v->top) + v->strip;
  return place;
}

static bool snake_shown(const SnakeParams* p, const SnakeView* v, int32_t cell) {
  const PfcPoint at = snake_place(p, v, cell);
  return at.x >= 0.0f && at.x < (float)v->width && at.y >= v->strip && at.y < v->strip + (float)v->height;
}

// Board cell at the start of row y of the view.
static int32_t snake_row_start(const SnakeParams* p, const SnakeView* v, int32_t y) {
  return (v->top + y + p->vision) * snake_stride(p) + v->left + p->vision;
}

// Fills field cells [x0, x1) x [y0, y1), clipped to the view.
static void snake_fill_cells(const SnakeView* v, int32_t x0, int32_t y0, int32_t x1, int32_t y1, PfcColor color,
                             const PfcDraw* d) {
  x0 = pfc_maxi(x0, v->left), x1 = pfc_mini(x1, v->left + v->width);
  y0 = pfc_maxi(y0, v->top), y1 = pfc_mini(y1, v->top + v->height);
  if (x0 < x1 && y0 < y1)
    d->rect(d->context, (float)(x0 - v->left), (float)(y0 - v->top) + v->strip, (float)(x1 - x0), (float)(y1 - y0),
            color);
}

static void snake_draw_floor(const SnakeParams* p, const SnakeView* v, const PfcDraw* d) {
  snake_fill_cells(v, -1, -1, p->width + 1, p->height + 1, pfc_rgb(PFC_LINE), d);  // the wall, then the field
  snake_fill_cells(v, 0, 0, p->width, p->height, pfc_rgb(PFC_BOARD), d);
  const int32_t first_x = pfc_maxi(v->left, 0) / SNAKE_FLOOR, first_y = pfc_maxi(v->top, 0) / SNAKE_FLOOR;
  for (int32_t j = first_y; j * SNAKE_FLOOR < v->top + v->height; ++j)
    for (int32_t i = first_x + (first_x + j) % 2; i * SNAKE_FLOOR < v->left + v->width; i += 2) {
      const int32_t x = i * SNAKE_FLOOR, y = j * SNAKE_FLOOR;
      snake_fill_cells(v, x, y, pfc_mini(x + SNAKE_FLOOR, p->width), pfc_mini(y + SNAKE_FLOOR, p->height),
                       pfc_rgb(0x161922), d);
    }
}

static void snake_draw_loose(const int16_t* board, const SnakeParams* p, const SnakeView* v, const PfcDraw* d) {
  for (int32_t y = 0; y < v->height; ++y) {
    const int16_t* row = board + snake_row_start(p, v, y);
    for (int32_t x = 0; x < v->width; ++x) {
      const float centre_x = (float)x + 0.5f, centre_y = (float)y + 0.5f + v->strip;
      if (row[x] == SNAKE_FOOD) d->circle(d->context, centre_x, centre_y, 0.3f, pfc_rgb(PFC_GOAL));
      if (row[x] == SNAKE_CORPSE) d->circle(d->context, centre_x, centre_y, 0.36f, pfc_rgb(0x6b7280));
    }
  }
}

// Draws the visible straight runs of bodies, each as one thick line from centre to centre. agent -1 = all snakes.
static void snake_draw_bodies(const Snake* s, const SnakeParams* p, const SnakeView* v, int32_t agent, float thickness,
                              const PfcColor* color, const PfcDraw* d) {
  const int16_t* board = snake_board_view(s, p);
  for (int32_t i = 0; i < v->width * v->height; ++i) {
    const int32_t first = snake_row_start(p, v, i / v->width) + i % v->width;
    const int16_t piece = board[first];
    const int32_t owner = snake_piece_agent(piece), direction = snake_piece_direction(piece);
    if (piece <= SNAKE_WALL || (agent >= 0 && owner != agent)) continue;
    const int32_t before = snake_neighbour(p, first, direction ^ 1), head = snake_body(s, owner)->head;
    if (board[before] == piece && before != head && snake_shown(p, v, before)) continue;  // in the middle of a run
    int32_t last = first;
    while (board[last] == piece && last != head && snake_shown(p, v, last)) last = snake_neighbour(p, last, direction);
    const PfcPoint a = snake_place(p, v, first), b = snake_place(p, v, last);
    d->line(d->context, a.x + 0.5f, a.y + 0.5f, b.x + 0.5f, b.y + 0.5f, thickness,
            color ? *color : pfc_rgb(snake_palette[owner % SNAKE_PALETTE]));
  }
}

static void snake_draw_head(const SnakeParams* p, const SnakeView* v, const SnakeBody* body, int32_t agent,
                            const PfcDraw* d) {
  const PfcPoint at = snake_place(p, v, body->head);
  const float x = at.x + 0.5f, y = at.y + 0.5f;
  const float ahead_x = (float)((body->direction == SNAKE_RIGHT) - (body->direction == SNAKE_LEFT));
  const float ahead_y = (float)((body->direction == SNAKE_DOWN) - (body->direction == SNAKE_UP));
  d->circle(d->context, x, y, 0.5f, pfc_rgb(snake_palette[agent % SNAKE_PALETTE]));
  for (int32_t side = -1; side <= 1; side += 2) {
    const float across = 0.21f * (float)side;
    d->circle(d->context, x + 0.14f * ahead_x - across * ahead_y, y + 0.14f * ahead_y + across * ahead_x, 0.12f,
              pfc_rgb(PFC_BOARD));
  }
}

// Draws a frame of four thin lines.
static void snake_draw_frame(float x, float y, float width, float height, float thickness, PfcColor color,
                             const PfcDraw* d) {
  d->rect(d->context, x, y, width, thickness, color);
  d->rect(d->context, x, y + height - thickness, width, thickness, color);
  d->rect(d->context, x, y + thickness, thickness, height - 2.0f * thickness, color);
  d->rect(d->context, x + width - thickness, y + thickness, thickness, height - 2.0f * thickness, color);
}

static void snake_draw_map(const Snake* s, const SnakeParams* p, const SnakeView* v, int32_t followed,
                           const PfcDraw* d) {
  const float scale = 0.3f * pfc_minf((float)v->width / (float)p->width, (float)v->height / (float)p->height);
  const float width = pfc_maxf(scale * (float)p->width, 1.0f), height = pfc_maxf(scale * (float)p->height, 1.0f);
  const float left = (float)v->width - width - 1.0f, top = v->strip + (float)v->height - height - 1.0f, dot = 0.26f;
  d->rounded_rect(d->context, left - 0.4f, top - 0.4f, width + 0.8f, height + 0.8f, 0.4f, pfc_tint(PFC_LINE, 230));
  d->rect(d->context, left, top, width, height, pfc_rgb(PFC_PAGE));
  for (int32_t i = 0; i <= p->snakes; ++i) {  // the followed snake last
    const int32_t agent = i < p->snakes ? i : followed, cell = snake_body(s, agent)->head, stride = snake_stride(p);
    const float side = i < p->snakes ? dot : 2.0f * dot;
    const float x = left + scale * ((float)(cell % stride - p->vision) + 0.5f) - 0.5f * side;
    const float y = top + scale * ((float)(cell / stride - p->vision) + 0.5f) - 0.5f * side;
    if (snake_body(s, agent)->present)
      d->rect(d->context, x, y, side, side, pfc_rgb(i < p->snakes ? PFC_DIM : PFC_GOAL));
  }
  snake_draw_frame(left + scale * (float)v->left, top + scale * (float)v->top, scale * (float)v->width,
                   scale * (float)v->height, 0.14f, pfc_rgb(PFC_INK), d);
}

// Draws the strip above, and covers what extends beyond the world.
static void snake_draw_strip(const Snake* s, const SnakeParams* p, const SnakeView* v, const PfcDraw* d) {
  const float width = (float)v->width, height = v->strip + (float)v->height, beyond = 2.0f, size = 0.72f * v->strip;
  const PfcColor page = pfc_rgb(PFC_PAGE);
  char number[16], unit[32];
  d->rect(d->context, -beyond, -beyond, width + 2.0f * beyond, v->strip + beyond, page);
  d->rect(d->context, -beyond, height, width + 2.0f * beyond, beyond, page);
  d->rect(d->context, -beyond, v->strip, beyond, (float)v->height, page);
  d->rect(d->context, width, v->strip, beyond, (float)v->height, page);
  snprintf(number, sizeof number, "#%d", (int)d->agent);
  snprintf(unit, sizeof unit, "of %d snakes", (int)p->snakes);
  pfc_draw_count(d, 0.3f * v->strip, 0.15f * v->strip, size, true, snake_body(s, d->agent)->length, "cells long");
  pfc_draw_figure(d, width - 0.3f * v->strip, 0.15f * v->strip + PFC_TEXT_BASELINE * 0.3f * size, 0.7f * size, false,
                  number, unit);
}

static void snake_draw(const Snake* s, const SnakeParams* p, const PfcDraw* d) {
  const SnakeView v = snake_view(s, p, d->agent);
  const SnakeBody* followed = snake_body(s, d->agent);
  const PfcPoint head = snake_place(p, &v, followed->head);
  const float sight = (float)(2 * p->vision + 1);
  const PfcColor ink = pfc_rgb(PFC_INK);
  d->begin(d->context, (float)v.width, (float)v.height + v.strip, pfc_rgb(PFC_PAGE));
  snake_draw_floor(p, &v, d);
  snake_draw_frame(head.x - (float)p->vision, head.y - (float)p->vision, sight, sight, 0.1f, pfc_tint(PFC_INK, 60), d);
  snake_draw_loose(snake_board_view(s, p), p, &v, d);
  if (followed->present) {  // a bright outline
    snake_draw_bodies(s, p, &v, d->agent, 1.0f, &ink, d);
    d->circle(d->context, head.x + 0.5f, head.y + 0.5f, 0.68f, ink);
  }
  snake_draw_bodies(s, p, &v, -1, 0.74f, NULL, d);
  for (int32_t agent = 0; agent < p->snakes; ++agent) {
    const SnakeBody* body = snake_body(s, agent);
    if (body->present && snake_shown(p, &v, body->head)) snake_draw_head(p, &v, body, agent, d);
  }
  snake_draw_strip(s, p, &v, d);
  if (!v.whole) snake_draw_map(s, p, &v, d->agent, d);
  d->end(d->context);
}

static const PfcKeyBinding snake_keys[] = {
    PFC_BIND("up w", "up", 0, 0),
    PFC_BIND("down s", "down", 0, 1),
    PFC_BIND("left a", "left", 0, 2),
    PFC_BIND("right d", "right", 0, 3),
};

PFC_DEFINE_ENV(snake, Snake,
               .title = "Snake",
               .summary = "many snakes on one board eat, grow and block each other",
               .version = 1,
               .obs_dtype = PFC_INT8,
               .sizes = {.action_counts = {4}},
               .layout = snake_layout,
               .check = snake_check,
               .respawn = snake_respawn,
               .obs_rows = snake_obs,
               .num_obs_rows = sizeof snake_obs / sizeof snake_obs[0],
               .metrics = {"score", "life"},
               .fps = 12,
               .keys = snake_keys,
               .num_keys = sizeof snake_keys / sizeof snake_keys[0],
               .idle = PFC_IDLE_KEEP)
