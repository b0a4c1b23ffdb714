// doorkey.c - rooms with a key, a locked door and a goal, seen in part. One agent; three of MiniGrid's tasks.
//
// Task 0 is an empty room with a goal. In task 1 a wall with a locked door parts the room, and its key lies on the
// agent's side. In task 2 the agent sees a key or a ball at the left end of a hallway, and must turn at the right end
// to the side where the same thing lies. The agent has a heading, acts on the cell ahead, and sees a square of 7 x 7
// cells in front of it, in tasks 1 and 2 as far as walls and closed doors let it.
//
// obs   uint8[7][7][3]   object, colour, state of each cell; the first index goes to the agent's right, the second
//                        towards it: the agent is at [3][6] and looks along falling second indices
// act   int32[1]         0 turn left  1 turn right  2 forward  3 pick up  4 drop  5 toggle a door  6 nothing
// rew   1 - 0.9 steps / limit at the goal, which ends the episode; task 2: 0 at the wrong side, which ends it too
//
// score is the return; perf is 1 at success, else 0. The limit is max_steps, or 4, 10 or 5 size^2 by task.
#include "pufferc/env.h"

enum { DOORKEY_EMPTY_ROOM, DOORKEY_DOOR_AND_KEY, DOORKEY_MEMORY, DOORKEY_TASKS };
enum {
  DOORKEY_LEFT,
  DOORKEY_RIGHT,
  DOORKEY_FORWARD,
  DOORKEY_PICK_UP,
  DOORKEY_DROP,
  DOORKEY_TOGGLE,
  DOORKEY_NOTHING,
  DOORKEY_CHOICES
};
// What a cell holds, opaque things first. The first one is for cells of the view only.
enum {
  DOORKEY_UNSEEN,
  DOORKEY_WALL,
  DOORKEY_CLOSED,
  DOORKEY_LOCKED,
  DOORKEY_FLOOR,
  DOORKEY_GOAL,
  DOORKEY_OPEN,
  DOORKEY_YELLOW_KEY,
  DOORKEY_GREEN_KEY,
  DOORKEY_GREEN_BALL,
  DOORKEY_CODES
};
enum { DOORKEY_VIEW = 7, DOORKEY_VIEW_ROW = (1 << DOORKEY_VIEW) - 1 };
enum { DOORKEY_MIN_SIZE = 5, DOORKEY_MAX_SIZE = 17, DOORKEY_MIN_MEMORY_SIZE = 7 };
// The view of an agent in the room reaches MARGIN cells beyond its walls, so the room lies in a larger square of walls.
enum { DOORKEY_MARGIN = DOORKEY_VIEW - 2, DOORKEY_SIDE = DOORKEY_MAX_SIZE + 2 * DOORKEY_MARGIN };
enum { DOORKEY_OBJECTS = 9 };  // codes of objects; colours and states have fewer

#define DOORKEY_PARAMS(X)                                                                                              \
  X(int, max_steps, 0, 0, PFC_MAX_STEPS, "steps until truncation; 0 = 4, 10 or 5 size^2 in task 0, 1, 2")              \
  X(int, task, DOORKEY_DOOR_AND_KEY, 0, DOORKEY_TASKS - 1, "0 empty room, 1 door and key, 2 memory")                   \
  X(int, size, 8, DOORKEY_MIN_SIZE, DOORKEY_MAX_SIZE, "side of the room with its walls; odd and at least 7 in task 2") \
  X(bool, random_length, 0, 0, 1, "task 2: the hallway ends anywhere from column 4 to size - 3, not always there")
PFC_DEFINE_PARAMS(doorkey, DoorkeyParams, DOORKEY_PARAMS)

typedef struct Doorkey {
  PfcRng rng;
  int32_t at;       // the agent's cell, an index into `cells`
  int32_t heading;  // 0 right, 1 down, 2 left, 3 up
  int32_t hands;    // what the agent carries; DOORKEY_FLOOR = nothing
  int32_t steps;
  int32_t good, bad;  // cells where the episode ends with and without success; bad is 0 = none in tasks 0 and 1
  int32_t success;
  uint8_t cells[DOORKEY_SIDE * DOORKEY_SIDE];  // row by row; the room's corner is at (MARGIN, MARGIN)
} Doorkey;

typedef struct DoorkeyObs {
  uint8_t image[3 * DOORKEY_VIEW * DOORKEY_VIEW];
} DoorkeyObs;

static const PfcObsRow doorkey_obs[] = {
    PFC_OBS_CODES("image", 3 * DOORKEY_VIEW * DOORKEY_VIEW, DOORKEY_OBJECTS,
                  "[7][7] cells, each: object (0 unseen, 1 empty, 2 wall, 4 door, 5 key, 6 ball, 8 goal), colour (1 "
                  "green, 4 yellow, 5 grey), state (a door's: 0 open, 1 closed, 2 locked)"),
};

PFC_TABLE int32_t doorkey_steps[4] = {1, DOORKEY_SIDE, -1, -DOORKEY_SIDE};  // to the next cell, by heading

// Object, colour, state; the fourth byte is there so that cells can be copied as words.
PFC_TABLE uint8_t doorkey_codes[DOORKEY_CODES][4] = {
    {0, 0, 0, 0}, {2, 5, 0, 0}, {4, 4, 1, 0}, {4, 4, 2, 0}, {1, 0, 0, 0},
    {8, 1, 0, 0}, {4, 4, 0, 0}, {5, 4, 0, 0}, {5, 1, 0, 0}, {6, 1, 0, 0},
};

static const char* doorkey_check(const void* params) {
  const DoorkeyParams* p = (const DoorkeyParams*)params;
  if (p->task != DOORKEY_MEMORY || (p->size % 2 == 1 && p->size >= DOORKEY_MIN_MEMORY_SIZE)) return NULL;
  return "size must be odd and at least 7 in task 2";
}

// ---- rooms -------------------------------------------------------------------------------------------------------

PFC_FN int32_t doorkey_cell(int32_t x, int32_t y) { return DOORKEY_SIDE * (DOORKEY_MARGIN + y) + DOORKEY_MARGIN + x; }

// Fills the rectangle from (x, y) with a code.
PFC_FN void doorkey_fill(Doorkey* s, int32_t x, int32_t y, int32_t width, int32_t height, int32_t code) {
  for (int32_t row = y; row < y + height; ++row)
    for (int32_t column = x; column < x + width; ++column) s->cells[doorkey_cell(column, row)] = (uint8_t)code;
}

// A random one of the floor cells in columns 1 to `columns` and rows 1 to `rows`.
PFC_FN int32_t doorkey_random_floor(Doorkey* s, int32_t columns, int32_t rows) {
  for (;;) {  // at most one of three or more cells is taken
    const int32_t place = (int32_t)pfc_rng_below(&s->rng, (uint32_t)(columns * rows));
    const int32_t cell = doorkey_cell(1 + place % columns, 1 + place / columns);
    if (s->cells[cell] == DOORKEY_FLOOR) return cell;
  }
}

PFC_FN void doorkey_build_door_and_key(Doorkey* s, int32_t size) {
  const int32_t inner = size - 2, wall = 2 + (int32_t)pfc_rng_below(&s->rng, (uint32_t)size - 4);
  doorkey_fill(s, wall, 1, 1, inner, DOORKEY_WALL);
  s->cells[doorkey_cell(wall, 1 + (int32_t)pfc_rng_below(&s->rng, (uint32_t)size - 3))] = DOORKEY_LOCKED;
  const int32_t key = doorkey_random_floor(s, wall - 1, inner);
  s->cells[key] = DOORKEY_YELLOW_KEY;
  s->at = doorkey_random_floor(s, wall - 1, inner);
  s->heading = (int32_t)pfc_rng_below(&s->rng, 4);
}

PFC_FN void doorkey_build_memory(Doorkey* s, const DoorkeyParams* p) {
  const int32_t size = p->size, middle = size / 2;
  const int32_t end = p->random_length ? 4 + (int32_t)pfc_rng_below(&s->rng, (uint32_t)size - 6) : size - 3;
  for (int32_t side = -1; side <= 1; side += 2) {  // above and below the hallway
    doorkey_fill(s, 1, middle + 2 * side, 4, 1, DOORKEY_WALL);
    doorkey_fill(s, 4, middle + side, 1, 1, DOORKEY_WALL);
    doorkey_fill(s, 5, middle + side, pfc_maxi(end - 5, 0), 1, DOORKEY_WALL);
  }
  doorkey_fill(s, end, 1, 1, size - 2, DOORKEY_WALL);
  doorkey_fill(s, end, middle, 1, 1, DOORKEY_FLOOR);
  doorkey_fill(s, end + 2, 1, 1, size - 2, DOORKEY_WALL);
  s->at = doorkey_cell(1 + (int32_t)pfc_rng_below(&s->rng, (uint32_t)end), middle);
  const bool ball = pfc_rng_below(&s->rng, 2) == 1, ball_above = pfc_rng_below(&s->rng, 2) == 1;
  const int32_t side = ball == ball_above ? -1 : 1;  // where the same thing lies
  doorkey_fill(s, 1, middle - 1, 1, 1, ball ? DOORKEY_GREEN_BALL : DOORKEY_GREEN_KEY);
  doorkey_fill(s, end + 1, middle - 2, 1, 1, ball_above ? DOORKEY_GREEN_BALL : DOORKEY_GREEN_KEY);
  doorkey_fill(s, end + 1, middle + 2, 1, 1, ball_above ? DOORKEY_GREEN_KEY : DOORKEY_GREEN_BALL);
  s->good = doorkey_cell(end + 1, middle + side);
  s->bad = doorkey_cell(end + 1, middle - side);
}

PFC_FN void doorkey_reset(Doorkey* s, const DoorkeyParams* p) {
  s->hands = DOORKEY_FLOOR;
  memset(s->cells, DOORKEY_WALL, sizeof s->cells);
  doorkey_fill(s, 1, 1, p->size - 2, p->size - 2, DOORKEY_FLOOR);
  if (p->task == DOORKEY_MEMORY) {
    doorkey_build_memory(s, p);
    return;
  }
  s->at = doorkey_cell(1, 1);
  s->good = doorkey_cell(p->size - 2, p->size - 2);
  s->cells[s->good] = DOORKEY_GOAL;
  if (p->task == DOORKEY_DOOR_AND_KEY) doorkey_build_door_and_key(s, p->size);
}

// ---- a step ------------------------------------------------------------------------------------------------------

PFC_FN bool doorkey_is_thing(int32_t code) { return code >= DOORKEY_YELLOW_KEY && code <= DOORKEY_GREEN_BALL; }

PFC_FN bool doorkey_can_be_entered(int32_t code) { return code >= DOORKEY_FLOOR && code <= DOORKEY_OPEN; }

// What a cell holds after the agent has toggled it.
PFC_FN int32_t doorkey_toggled(int32_t code, int32_t hands) {
  if (code == DOORKEY_OPEN) return DOORKEY_CLOSED;
  const bool opens = code == DOORKEY_CLOSED || (code == DOORKEY_LOCKED && hands == DOORKEY_YELLOW_KEY);
  return opens ? DOORKEY_OPEN : code;
}

PFC_FN void doorkey_act(Doorkey* s, int32_t choice) {
  uint8_t* ahead = &s->cells[s->at + doorkey_steps[s->heading]];
  const bool takes = choice == DOORKEY_PICK_UP && s->hands == DOORKEY_FLOOR && doorkey_is_thing(*ahead);
  const bool drops = choice == DOORKEY_DROP && s->hands != DOORKEY_FLOOR && *ahead == DOORKEY_FLOOR;
  if (choice == DOORKEY_LEFT) s->heading = (s->heading + 3) & 3;
  if (choice == DOORKEY_RIGHT) s->heading = (s->heading + 1) & 3;
  if (choice == DOORKEY_FORWARD && doorkey_can_be_entered(*ahead)) s->at = (int32_t)(ahead - s->cells);
  if (choice == DOORKEY_TOGGLE) *ahead = (uint8_t)doorkey_toggled(*ahead, s->hands);
  if (takes || drops) {
    const int32_t held = s->hands;
    s->hands = *ahead;
    *ahead = (uint8_t)held;
  }
}

PFC_FN int32_t doorkey_limit(const DoorkeyParams* p) {
  const int32_t per_cell = p->task == DOORKEY_DOOR_AND_KEY ? 10 : p->task == DOORKEY_MEMORY ? 5 : 4;
  return p->max_steps > 0 ? p->max_steps : per_cell * p->size * p->size;
}

PFC_FN void doorkey_step(Doorkey* s, const DoorkeyParams* p, PfcIo io) {
  const bool instead = p->task == DOORKEY_MEMORY && io.actions[0] == DOORKEY_PICK_UP;  // nothing is picked up there
  const int32_t limit = doorkey_limit(p);
  doorkey_act(s, instead ? DOORKEY_TOGGLE : io.actions[0]);
  s->steps += 1;
  s->success = s->at == s->good;
  if (s->success) io.rewards[0] = 1.0f - 0.9f * (float)s->steps / (float)limit;
  io.terminated[0] = s->success || s->at == s->bad;
  io.truncated[0] = s->steps >= limit;
}

// ---- observation, metrics ------------------------------------------------------------------------------------------

// The agent's view. Byte y of columns[x] is the cell x from the left and y from the far end. Bit x of byte y of `seen`
// tells whether the agent sees it.
typedef struct DoorkeyView {
  uint64_t columns[DOORKEY_VIEW];
  uint64_t seen;
} DoorkeyView;

#define DOORKEY_EACH_BYTE 0x0101010101010101u

// All runs of clear bits in a row of the view that contain one of the bits `from`, which are clear too.
PFC_FN uint32_t doorkey_runs(uint32_t from, uint32_t clear) {
  const uint32_t upwards = clear & ~(clear + from);  // the carries of the sum run up to the end of a run
  const uint32_t clear2 = clear & clear >> 1, clear4 = clear2 & clear2 >> 2;
  from |= clear & from >> 1;
  from |= clear2 & from >> 2;
  from |= clear4 & from >> 4;
  return from | upwards;
}

// Sight goes from row to row away from the agent, and in each row to the right and then to the left: from a seen cell
// that is neither wall nor closed door, to its neighbour, the cell ahead of it, and that one's neighbour. So it fills
// whole runs of clear cells, and shows the cells beside these and ahead of all of them. Bit x of byte y of `clear`
// tells whether a cell can be looked through.
PFC_FN uint64_t doorkey_see(uint64_t clear) {
  uint32_t row = 1u << DOORKEY_VIEW / 2;
  uint64_t seen = 0;
  for (int32_t y = DOORKEY_VIEW - 1; y >= 0; --y) {
    const uint32_t open = (uint32_t)(clear >> 8 * y) & 0xff, runs = doorkey_runs(row & open, open);
    const uint32_t shown = (runs | runs << 1 | runs >> 1) & DOORKEY_VIEW_ROW;
    seen |= (uint64_t)(row | shown) << 8 * y;
    row = shown;
  }
  return seen;
}

PFC_FN void doorkey_look(const Doorkey* s, const DoorkeyParams* p, DoorkeyView* view) {
  const int32_t ahead = doorkey_steps[s->heading], right = doorkey_steps[(s->heading + 1) & 3];
  const uint8_t* nearest = s->cells + s->at - DOORKEY_VIEW / 2 * right;  // the last cell of a column
  uint64_t clear = 0;
  for (int32_t x = 0; x < DOORKEY_VIEW; ++x, nearest += right) {
    uint64_t column = 0;
    for (int32_t i = 0; i < DOORKEY_VIEW; ++i) column = column << 8 | nearest[i * ahead];
    view->columns[x] = column;
    // The sum sets the top bit of bytes of DOORKEY_FLOOR and more. No carry leaves its byte.
    clear |= ((column + DOORKEY_EACH_BYTE * (0x80 - DOORKEY_FLOOR)) & DOORKEY_EACH_BYTE * 0x80) >> (7 - x);
  }
  view->seen = p->task == DOORKEY_EMPTY_ROOM ? DOORKEY_EACH_BYTE * DOORKEY_VIEW_ROW : doorkey_see(clear);
}

PFC_FN void doorkey_observe(const Doorkey* s, const DoorkeyParams* p, int32_t agent, DoorkeyObs* obs) {
  (void)agent;
  DoorkeyView view;
  doorkey_look(s, p, &view);
  uint8_t image[sizeof obs->image + 1];  // cells are copied as words, of which the next cell overwrites a byte
  for (int32_t x = 0; x < DOORKEY_VIEW; ++x) {
    const uint64_t column = view.columns[x] & (view.seen >> x & DOORKEY_EACH_BYTE) * 0xff;  // 0 = unseen
    for (int32_t y = 0; y < DOORKEY_VIEW; ++y)
      memcpy(image + 3 * (DOORKEY_VIEW * x + y), doorkey_codes[column >> 8 * y & 0xff], 4);
  }
  memcpy(image + 3 * (DOORKEY_VIEW * (DOORKEY_VIEW / 2) + DOORKEY_VIEW - 1), doorkey_codes[s->hands], 3);
  memcpy(obs->image, image, sizeof obs->image);
}

PFC_FN void doorkey_metrics(const Doorkey* s, const DoorkeyParams* p, int32_t agent, float* values) {
  (void)p, (void)agent;  // the score is the return
  values[1] = (float)s->success;
}

// ---- picture: 440 x 500, the room under the steps and what the agent holds ------------------------------------------

#define DOORKEY_PICTURE_WIDTH 440.0f
#define DOORKEY_PICTURE_HEIGHT 500.0f
#define DOORKEY_PICTURE_LEFT 20.0f
#define DOORKEY_PICTURE_TOP 80.0f
#define DOORKEY_PICTURE_ROOM 400.0f

// Where a cell, or what is drawn like one, lies in the picture. Shapes have fractions of its side as coordinates.
typedef struct DoorkeyTile {
  float x, y, side;
} DoorkeyTile;

static DoorkeyTile doorkey_tile(const DoorkeyParams* p, int32_t x, int32_t y) {
  const float side = DOORKEY_PICTURE_ROOM / (float)p->size;
  const DoorkeyTile tile = {DOORKEY_PICTURE_LEFT + side * (float)x, DOORKEY_PICTURE_TOP + side * (float)y, side};
  return tile;
}

static void doorkey_draw_box(const PfcDraw* d, DoorkeyTile t, float x, float y, float width, float height,
                             PfcColor color) {
  d->rounded_rect(d->context, t.x + t.side * x, t.y + t.side * y, t.side * width, t.side * height, 0.08f * t.side,
                  color);
}

static void doorkey_draw_dot(const PfcDraw* d, DoorkeyTile t, float x, float y, float radius, uint32_t color) {
  d->circle(d->context, t.x + t.side * x, t.y + t.side * y, t.side * radius, pfc_rgb(color));
}

static void doorkey_draw_key(const PfcDraw* d, DoorkeyTile t, uint32_t color) {
  doorkey_draw_dot(d, t, 0.3f, 0.5f, 0.19f, color);
  doorkey_draw_dot(d, t, 0.3f, 0.5f, 0.09f, PFC_TILE);
  doorkey_draw_box(d, t, 0.46f, 0.45f, 0.42f, 0.1f, pfc_rgb(color));
  doorkey_draw_box(d, t, 0.66f, 0.5f, 0.08f, 0.17f, pfc_rgb(color));
  doorkey_draw_box(d, t, 0.8f, 0.5f, 0.08f, 0.21f, pfc_rgb(color));
}

static void doorkey_draw_ball(const PfcDraw* d, DoorkeyTile t, uint32_t color) {
  doorkey_draw_dot(d, t, 0.5f, 0.5f, 0.27f, color);
  d->circle(d->context, t.x + 0.42f * t.side, t.y + 0.41f * t.side, 0.08f * t.side, pfc_tint(PFC_INK, 150));
}

// The door's wall runs from top to bottom, so an open door swings to the side.
static void doorkey_draw_door(const PfcDraw* d, DoorkeyTile t, int32_t code) {
  if (code == DOORKEY_OPEN) {
    doorkey_draw_box(d, t, 0.08f, 0.0f, 0.84f, 0.14f, pfc_rgb(PFC_GOAL));
    doorkey_draw_dot(d, t, 0.8f, 0.07f, 0.045f, PFC_PAGE);
    return;
  }
  doorkey_draw_box(d, t, 0.12f, 0.0f, 0.76f, 1.0f, pfc_rgb(PFC_GOAL));
  doorkey_draw_box(d, t, 0.2f, 0.08f, 0.6f, 0.84f, pfc_tint(PFC_PAGE, code == DOORKEY_LOCKED ? 150 : 60));
  if (code == DOORKEY_LOCKED) {
    doorkey_draw_dot(d, t, 0.5f, 0.44f, 0.11f, PFC_GOAL);
    doorkey_draw_box(d, t, 0.45f, 0.46f, 0.1f, 0.24f, pfc_rgb(PFC_GOAL));
  } else {
    doorkey_draw_dot(d, t, 0.68f, 0.5f, 0.07f, PFC_PAGE);
  }
}

static void doorkey_draw_goal(const PfcDraw* d, DoorkeyTile t, bool reached) {
  doorkey_draw_box(d, t, 0.1f, 0.1f, 0.8f, 0.8f, pfc_tint(PFC_GOOD, reached ? 255 : 90));
  doorkey_draw_box(d, t, 0.25f, 0.25f, 0.5f, 0.5f, pfc_rgb(PFC_GOOD));
}

static void doorkey_draw_content(const PfcDraw* d, DoorkeyTile t, int32_t code, bool reached) {
  if (code == DOORKEY_GOAL) doorkey_draw_goal(d, t, reached);
  if (code == DOORKEY_OPEN || code == DOORKEY_CLOSED || code == DOORKEY_LOCKED) doorkey_draw_door(d, t, code);
  if (code == DOORKEY_YELLOW_KEY) doorkey_draw_key(d, t, PFC_GOAL);
  if (code == DOORKEY_GREEN_KEY) doorkey_draw_key(d, t, PFC_GOOD);
  if (code == DOORKEY_GREEN_BALL) doorkey_draw_ball(d, t, PFC_GOOD);
}

// A triangle whose tip points to the heading.
static void doorkey_draw_agent(const PfcDraw* d, DoorkeyTile t, int32_t heading) {
  static const float corners[3][2] = {{0.36f, 0.0f}, {-0.28f, 0.3f}, {-0.28f, -0.3f}};  // ahead, to the right
  static const float ahead[4][2] = {{1, 0}, {0, 1}, {-1, 0}, {0, -1}};
  const float ax = ahead[heading][0], ay = ahead[heading][1];
  PfcPoint points[3];
  for (int32_t i = 0; i < 3; ++i) {
    points[i].x = t.x + t.side * (0.5f + corners[i][0] * ax - corners[i][1] * ay);
    points[i].y = t.y + t.side * (0.5f + corners[i][0] * ay + corners[i][1] * ax);
  }
  d->polygon(d->context, points, 3, pfc_rgb(PFC_AGENT));
}

// Whether the agent sees the cell at (x, y) of the room.
static bool doorkey_is_seen(const Doorkey* s, const DoorkeyView* view, int32_t x, int32_t y) {
  const int32_t dx = DOORKEY_MARGIN + x - s->at % DOORKEY_SIDE, dy = DOORKEY_MARGIN + y - s->at / DOORKEY_SIDE;
  const int32_t forward[4] = {dx, dy, -dx, -dy}, right[4] = {dy, -dx, -dy, dx};
  const int32_t column = DOORKEY_VIEW / 2 + right[s->heading], row = DOORKEY_VIEW - 1 - forward[s->heading];
  const bool inside = column >= 0 && column < DOORKEY_VIEW && row >= 0 && row < DOORKEY_VIEW;
  return inside && (view->seen >> (8 * row + column) & 1);
}

static void doorkey_draw_room(const Doorkey* s, const DoorkeyParams* p, const PfcDraw* d) {
  DoorkeyView view;
  doorkey_look(s, p, &view);
  for (int32_t i = 0; i < p->size * p->size; ++i) {
    const int32_t x = i % p->size, y = i / p->size, code = s->cells[doorkey_cell(x, y)];
    const DoorkeyTile t = doorkey_tile(p, x, y);
    if (code == DOORKEY_WALL)
      d->rect(d->context, t.x, t.y, t.side, t.side, pfc_rgb(PFC_LINE));
    else
      doorkey_draw_box(d, t, 0.02f, 0.02f, 0.96f, 0.96f, pfc_rgb(PFC_TILE));
    doorkey_draw_content(d, t, code, s->success);
    if (doorkey_cell(x, y) == s->at) doorkey_draw_agent(d, t, s->heading);
    if (!doorkey_is_seen(s, &view, x, y)) d->rect(d->context, t.x, t.y, t.side, t.side, pfc_tint(PFC_PAGE, 125));
  }
}

static void doorkey_draw(const Doorkey* s, const DoorkeyParams* p, const PfcDraw* d) {
  const float left = DOORKEY_PICTURE_LEFT, top = DOORKEY_PICTURE_TOP, room = DOORKEY_PICTURE_ROOM;
  const DoorkeyTile hand = {left + room - 40.0f, 22.0f, 40.0f};
  const float label = hand.x - 12.0f - pfc_text_width("carries", 18.0f);
  pfc_draw_board(d, DOORKEY_PICTURE_WIDTH, DOORKEY_PICTURE_HEIGHT);
  pfc_draw_count(d, left, 24.0f, 32.0f, true, d->steps, d->steps == 1 ? "step" : "steps");
  d->text(d->context, label, 34.0f, 18.0f, "carries", pfc_rgb(PFC_DIM));
  doorkey_draw_box(d, hand, 0.0f, 0.0f, 1.0f, 1.0f, pfc_rgb(PFC_TILE));
  doorkey_draw_content(d, hand, s->hands, false);
  d->rounded_rect(d->context, left - 6.0f, top - 6.0f, room + 12.0f, room + 12.0f, 8.0f, pfc_rgb(PFC_PAGE));
  doorkey_draw_room(s, p, d);
  d->end(d->context);
}

static const PfcKeyBinding doorkey_keys[] = {
    PFC_BIND("left a", "turn left", 0, DOORKEY_LEFT), PFC_BIND("right d", "turn right", 0, DOORKEY_RIGHT),
    PFC_BIND("up w", "forward", 0, DOORKEY_FORWARD),  PFC_BIND("e", "pick up", 0, DOORKEY_PICK_UP),
    PFC_BIND("q", "drop", 0, DOORKEY_DROP),           PFC_BIND("space", "open or close", 0, DOORKEY_TOGGLE),
};

static const PfcField doorkey_fields[] = {
    PFC_STATE_FIELD(Doorkey, at, PFC_INT32),    PFC_STATE_FIELD(Doorkey, heading, PFC_INT32),
    PFC_STATE_FIELD(Doorkey, hands, PFC_INT32), PFC_STATE_FIELD(Doorkey, steps, PFC_INT32),
    PFC_STATE_FIELD(Doorkey, good, PFC_INT32),  PFC_STATE_FIELD(Doorkey, bad, PFC_INT32),
    PFC_STATE_FIELD(Doorkey, cells, PFC_UINT8),
};

PFC_DEFINE_ENV(doorkey, Doorkey, .title = "DoorKey",
               .summary = "rooms seen in part: fetch the key, open the door, find the goal; or remember a thing",
               .version = 1, .obs_dtype = PFC_UINT8,
               .sizes = {.obs_shape = {DOORKEY_VIEW, DOORKEY_VIEW, 3}, .action_counts = {DOORKEY_CHOICES}},
               .check = doorkey_check, .obs_rows = doorkey_obs,
               .num_obs_rows = sizeof doorkey_obs / sizeof doorkey_obs[0], .metrics = {"score", "perf"},
               .fields = doorkey_fields, .num_fields = sizeof doorkey_fields / sizeof doorkey_fields[0], .fps = 10,
               .keys = doorkey_keys, .num_keys = sizeof doorkey_keys / sizeof doorkey_keys[0], .idle = DOORKEY_NOTHING)
