// maze.c - find the goal in a maze that is drawn from a level's number. One agent; training and test levels differ.
//
// A level's number alone decides its maze, so policies can be trained on some levels and evaluated on others:
// `first_level` and `levels` set the range from which each episode draws its level. A maze has an odd side from 3 to
// `side` in the middle of the board. Its cells with even coordinates are rooms. The walls between neighbouring rooms
// are visited in random order, and opened where the two rooms are not connected yet, so the free cells are a tree and
// every way is unique. The agent starts in the upper left room. The goal is another random free cell.
//
// obs   uint8[side][side]   0 wall, 1 free, 2 goal, 3 agent; with view > 0 [view][view] around the agent
// act   int32[1]            0 up  1 right  2 down  3 left; a move into a wall does nothing
// rew   +1 at the goal, which ends the episode
//
// score = perf: 1 solved, else 0. detour is steps / length of the way.
#include "pufferc/env.h"

enum { MAZE_WALL, MAZE_FREE, MAZE_GOAL, MAZE_AGENT, MAZE_CODES };
enum { MAZE_UP, MAZE_RIGHT, MAZE_DOWN, MAZE_LEFT, MAZE_MOVES };
enum { MAZE_MIN_SIDE = 5, MAZE_SIDE = 15, MAZE_MAX_SIDE = 63, MAZE_MAX_CELLS = MAZE_MAX_SIDE * MAZE_MAX_SIDE };
enum { MAZE_MIN_INNER = 3 };
enum { MAZE_MAX_ROOMS = (MAZE_MAX_SIDE + 1) / 2, MAZE_MAX_WALLS = 2 * MAZE_MAX_ROOMS * (MAZE_MAX_ROOMS - 1) };
#define MAZE_ALL_LEVELS 0x80000000u
#define MAZE_LAST_LEVEL 0x7fffffff

#define MAZE_PARAMS(X)                                                                                 \
  X(int, max_steps, 500, 0, PFC_MAX_STEPS, "steps until truncation; 0 = never")                        \
  X(int, side, MAZE_SIDE, MAZE_MIN_SIDE, MAZE_MAX_SIDE, "of the board and the largest maze, cells; odd") \
  X(int, first_level, 0, 0, MAZE_LAST_LEVEL, "least level number")                                     \
  X(int, levels, 500, 0, MAZE_LAST_LEVEL, "number of levels; 0 = all from first_level to 2^31 - 1")    \
  X(int, view, 0, 0, MAZE_MAX_SIDE, "side of the part around the agent that is seen, odd; 0 = the whole board")
PFC_DEFINE_PARAMS(maze, MazeParams, MAZE_PARAMS)

// Behind it are two arrays of side * side bytes: the cells without the agent, and 1 where the agent has been.
typedef struct Maze {
  PfcRng rng;
  int32_t level;
  int32_t at;  // the agent's cell, side * y + x
  int32_t goal;
  int32_t steps;
  int32_t solved;
  int32_t inner;  // side of this maze
} Maze;

typedef struct MazeObs {
  uint8_t cell[MAZE_SIDE * MAZE_SIDE];  // of the default board
} MazeObs;

// Sizes of the default board; maze_fill_rows corrects them.
static const PfcObsRow maze_obs[] = {
    PFC_OBS_PLANE("cells", MAZE_SIDE * MAZE_SIDE, MAZE_CODES, MAZE_SIDE, MAZE_SIDE,
                  "0 wall, 1 free, 2 goal, 3 agent; row by row from the top left"),
};

PFC_FN int32_t maze_area(const MazeParams* p) { return p->side * p->side; }
PFC_FN uint8_t* maze_cells(Maze* s) { return (uint8_t*)(s + 1); }
PFC_FN const uint8_t* maze_cells_view(const Maze* s) { return (const uint8_t*)(s + 1); }
PFC_FN uint8_t* maze_been(Maze* s, const MazeParams* p) { return maze_cells(s) + maze_area(p); }

static const char* maze_check(const void* params) {
  const MazeParams* p = (const MazeParams*)params;
  if (p->side % 2 == 0) return "side must be odd";
  if (p->view > 0 && p->view % 2 == 0) return "view must be odd, or 0";
  const bool fits = (int64_t)p->first_level + p->levels <= (int64_t)MAZE_ALL_LEVELS;
  return fits ? NULL : "first_level + levels must not exceed 2^31";
}

PFC_FN int32_t maze_seen_side(const MazeParams* p) { return p->view > 0 ? p->view : p->side; }

static void maze_layout(const void* params, PfcLayout* sizes) {
  const MazeParams* p = (const MazeParams*)params;
  sizes->state_bytes = sizeof(Maze) + 2 * (uint64_t)maze_area(p);
  sizes->obs_shape[0] = sizes->obs_shape[1] = maze_seen_side(p);
}

static void maze_fill_rows(const void* params, PfcObsRow* rows) {
  const int32_t seen = maze_seen_side((const MazeParams*)params);
  rows[0].count = seen * seen;
  rows[0].plane_height = rows[0].plane_width = seen;
}

// ---- levels ------------------------------------------------------------------------------------------------------

// The room that stands for all rooms that are connected with this one. Halves the way for the next search.
PFC_FN int32_t maze_root(uint16_t* parent, int32_t room) {
  while (parent[room] != room) {
    parent[room] = parent[parent[room]];
    room = parent[room];
  }
  return room;
}

// The walls of rooms x rooms rooms in random order. Wall 2 * room + 0 is to the right of a room, + 1 below it.
PFC_FN int32_t maze_shuffled_walls(int32_t rooms, uint16_t* walls, PfcRng* rng) {
  int32_t count = 0;
  for (int32_t room = 0; room < rooms * rooms; ++room)
    for (int32_t down = 0; down < 2; ++down) {
      if ((down ? room / rooms : room % rooms) == rooms - 1) continue;
      const uint32_t place = pfc_rng_below(rng, (uint32_t)count + 1);
      walls[count] = walls[place];
      walls[place] = (uint16_t)(2 * room + down);
      count += 1;
    }
  return count;
}

// The cell of a room, or with half steps the cell between two rooms.
PFC_FN int32_t maze_room_cell(const MazeParams* p, int32_t inner, int32_t rooms, int32_t room, int32_t right,
                              int32_t down) {
  const int32_t edge = (p->side - inner) / 2;
  return p->side * (edge + 2 * (room / rooms) + down) + edge + 2 * (room % rooms) + right;
}

// Opens a maze of this inner side in cells that are all walls.
PFC_FN void maze_open(uint8_t* cells, const MazeParams* p, int32_t inner, PfcRng* rng) {
  uint16_t walls[MAZE_MAX_WALLS], parent[MAZE_MAX_ROOMS * MAZE_MAX_ROOMS];
  const int32_t rooms = (inner + 1) / 2, count = maze_shuffled_walls(rooms, walls, rng);
  int32_t parts = rooms * rooms;  // rooms that are not connected
  for (int32_t room = 0; room < rooms * rooms; ++room) {
    parent[room] = (uint16_t)room;
    cells[maze_room_cell(p, inner, rooms, room, 0, 0)] = MAZE_FREE;
  }
  for (int32_t i = 0; i < count && parts > 1; ++i) {
    const int32_t room = walls[i] / 2, down = walls[i] % 2;
    const int32_t a = maze_root(parent, room), b = maze_root(parent, room + (down ? rooms : 1));
    if (a == b) continue;
    parent[a] = (uint16_t)b;
    parts -= 1;
    cells[maze_room_cell(p, inner, rooms, room, 1 - down, down)] = MAZE_FREE;
  }
}

// Free cell number `skip`, row by row.
PFC_FN int32_t maze_free_cell(const uint8_t* cells, int32_t skip) {
  int32_t cell = 0;
  while (cells[cell] == MAZE_WALL || skip-- > 0) cell += 1;
  return cell;
}

PFC_FN void maze_build(Maze* s, const MazeParams* p) {
  PfcRng rng;  // the level's own
  pfc_rng_seed(&rng, (uint64_t)s->level, 0);
  const uint32_t sizes = (uint32_t)(p->side - MAZE_MIN_INNER) / 2 + 1;
  uint8_t* cells = maze_cells(s);
  s->inner = MAZE_MIN_INNER + 2 * (int32_t)pfc_rng_below(&rng, sizes);
  maze_open(cells, p, s->inner, &rng);
  const int32_t rooms = (s->inner + 1) / 2, others = 2 * rooms * rooms - 2;  // free cells but the start
  s->at = maze_room_cell(p, s->inner, rooms, 0, 0, 0);
  s->goal = maze_free_cell(cells, 1 + (int32_t)pfc_rng_below(&rng, (uint32_t)others));  // the start is the first one
  cells[s->goal] = MAZE_GOAL;
}

PFC_FN void maze_reset(Maze* s, const MazeParams* p) {
  const uint32_t first = (uint32_t)p->first_level;
  s->level = (int32_t)(first + pfc_rng_below(&s->rng, p->levels > 0 ? (uint32_t)p->levels : MAZE_ALL_LEVELS - first));
  maze_build(s, p);
  maze_been(s, p)[s->at] = 1;
}

// ---- a step ------------------------------------------------------------------------------------------------------

// The cell next to another one; -1 beyond the board.
PFC_FN int32_t maze_next(const MazeParams* p, int32_t cell, int32_t move) {
  const int32_t x = cell % p->side + (move == MAZE_RIGHT) - (move == MAZE_LEFT);
  const int32_t y = cell / p->side + (move == MAZE_DOWN) - (move == MAZE_UP);
  return x >= 0 && x < p->side && y >= 0 && y < p->side ? p->side * y + x : -1;
}

PFC_FN void maze_step(Maze* s, const MazeParams* p, PfcIo io) {
  const int32_t next = maze_next(p, s->at, io.actions[0]);
  s->steps += 1;
  if (next < 0 || maze_cells(s)[next] == MAZE_WALL) return;
  s->at = next;
  maze_been(s, p)[next] = 1;
  if (next != s->goal) return;
  s->solved = 1;
  io.rewards[0] = 1.0f;
  io.terminated[0] = 1;
}

// ---- observation, metrics ------------------------------------------------------------------------------------------

PFC_FN void maze_observe(const Maze* s, const MazeParams* p, int32_t agent, MazeObs* obs) {
  (void)agent;
  const uint8_t* cells = maze_cells_view(s);
  uint8_t* out = obs->cell;
  if (p->view == 0) {
    memcpy(out, cells, (size_t)maze_area(p));
    out[s->at] = MAZE_AGENT;
    return;
  }
  const int32_t reach = p->view / 2, left = s->at % p->side - reach, top = s->at / p->side - reach;
  for (int32_t y = 0; y < p->view; ++y)
    for (int32_t x = 0; x < p->view; ++x) {
      const int32_t cell_x = left + x, cell_y = top + y;
      const bool inside = cell_x >= 0 && cell_x < p->side && cell_y >= 0 && cell_y < p->side;
      out[p->view * y + x] = inside ? cells[p->side * cell_y + cell_x] : (uint8_t)MAZE_WALL;
    }
  out[p->view * reach + reach] = MAZE_AGENT;
}

// Steps from the start to the goal. The free cells are a tree, so a search need only avoid the cell it comes from.
PFC_FN int32_t maze_way(const Maze* s, const MazeParams* p) {
  uint16_t cells[MAZE_MAX_CELLS], before[MAZE_MAX_CELLS], length[MAZE_MAX_CELLS];  // in the order of the search
  const int32_t rooms = (s->inner + 1) / 2;
  int32_t count = 1;
  cells[0] = before[0] = (uint16_t)maze_room_cell(p, s->inner, rooms, 0, 0, 0);
  length[0] = 0;
  for (int32_t i = 0; i < count; ++i) {
    if (cells[i] == s->goal) return length[i];
    for (int32_t move = 0; move < MAZE_MOVES; ++move) {
      const int32_t next = maze_next(p, cells[i], move);
      if (next < 0 || next == before[i] || maze_cells_view(s)[next] == MAZE_WALL) continue;
      cells[count] = (uint16_t)next;
      before[count] = cells[i];
      length[count++] = (uint16_t)(length[i] + 1);
    }
  }
  return 0;  // never: the goal is free
}

PFC_FN void maze_metrics(const Maze* s, const MazeParams* p, int32_t agent, float* values) {
  (void)agent;
  values[0] = values[1] = (float)s->solved;
  values[2] = (float)s->steps / (float)maze_way(s, p);
  values[3] = (float)s->level;
}

// ---- picture: 440 x 500, the maze under the level's number --------------------------------------------------------

#define MAZE_VIEW_WIDTH 440.0f
#define MAZE_VIEW_HEIGHT 500.0f
#define MAZE_VIEW_LEFT 20.0f
#define MAZE_VIEW_TOP 80.0f
#define MAZE_VIEW_BOARD 400.0f

static void maze_draw_cell(const PfcDraw* d, const MazeParams* p, int32_t cell, PfcColor color) {
  const float size = MAZE_VIEW_BOARD / (float)p->side;
  const float x = MAZE_VIEW_LEFT + size * (float)(cell % p->side), y = MAZE_VIEW_TOP + size * (float)(cell / p->side);
  d->rect(d->context, x, y, size, size, color);
}

// The cells that the agent does not see are darker.
static void maze_draw_fog(const Maze* s, const MazeParams* p, const PfcDraw* d) {
  const int32_t reach = p->view / 2, x = s->at % p->side, y = s->at / p->side;
  for (int32_t cell = 0; p->view > 0 && cell < maze_area(p); ++cell) {
    const int32_t dx = cell % p->side - x, dy = cell / p->side - y;
    if (pfc_maxi(dx, -dx) > reach || pfc_maxi(dy, -dy) > reach) maze_draw_cell(d, p, cell, pfc_tint(PFC_PAGE, 150));
  }
}

static void maze_draw_dot(const PfcDraw* d, const MazeParams* p, int32_t cell, float share, uint32_t color) {
  const float size = MAZE_VIEW_BOARD / (float)p->side;
  d->circle(d->context, MAZE_VIEW_LEFT + size * ((float)(cell % p->side) + 0.5f),
            MAZE_VIEW_TOP + size * ((float)(cell / p->side) + 0.5f), share * size, pfc_rgb(color));
}

static void maze_draw(const Maze* s, const MazeParams* p, const PfcDraw* d) {
  const uint8_t *cells = maze_cells_view(s), *been = cells + maze_area(p);
  char number[16];
  snprintf(number, sizeof number, "#%d", (int)s->level);
  pfc_draw_board(d, MAZE_VIEW_WIDTH, MAZE_VIEW_HEIGHT);
  pfc_draw_figure(d, MAZE_VIEW_LEFT, 24.0f, 32.0f, true, number, "level");
  pfc_draw_count(d, MAZE_VIEW_WIDTH - MAZE_VIEW_LEFT, 32.0f, 22.0f, false, d->steps, "steps");
  d->rounded_rect(d->context, MAZE_VIEW_LEFT - 6.0f, MAZE_VIEW_TOP - 6.0f, MAZE_VIEW_BOARD + 12.0f,
                  MAZE_VIEW_BOARD + 12.0f, 8.0f, pfc_rgb(PFC_LINE));
  for (int32_t cell = 0; cell < maze_area(p); ++cell) {
    if (cells[cell] == MAZE_WALL) continue;
    maze_draw_cell(d, p, cell, pfc_rgb(PFC_BOARD));
    if (been[cell]) maze_draw_cell(d, p, cell, pfc_tint(PFC_AGENT, 105));
  }
  maze_draw_dot(d, p, s->goal, 0.42f, s->solved ? PFC_GOOD : PFC_GOAL);
  maze_draw_dot(d, p, s->goal, 0.22f, PFC_BOARD);
  maze_draw_dot(d, p, s->at, 0.36f, PFC_AGENT);
  maze_draw_fog(s, p, d);
  d->end(d->context);
}

static const PfcKeyBinding maze_keys[] = {
    PFC_BIND("up w", "up", 0, MAZE_UP),
    PFC_BIND("right d", "right", 0, MAZE_RIGHT),
    PFC_BIND("down s", "down", 0, MAZE_DOWN),
    PFC_BIND("left a", "left", 0, MAZE_LEFT),
};

static const PfcField maze_fields[] = {
    PFC_STATE_FIELD(Maze, level, PFC_INT32),
    PFC_STATE_FIELD(Maze, at, PFC_INT32),
    PFC_STATE_FIELD(Maze, goal, PFC_INT32),
    PFC_STATE_FIELD(Maze, inner, PFC_INT32),
};

PFC_DEFINE_ENV(maze, Maze,
               .title = "Maze",
               .summary = "find the goal in mazes drawn from level numbers; train on some, test on others",
               .version = 1,
               .obs_dtype = PFC_UINT8,
               .sizes = {.obs_shape = {MAZE_SIDE, MAZE_SIDE}, .action_counts = {MAZE_MOVES}},
               .layout = maze_layout,
               .check = maze_check,
               .obs_rows = maze_obs,
               .num_obs_rows = sizeof maze_obs / sizeof maze_obs[0],
               .fill_rows = maze_fill_rows,
               .metrics = {"score", "perf", "detour", "level"},
               .fields = maze_fields,
               .num_fields = sizeof maze_fields / sizeof maze_fields[0],
               .fps = 10,
               .keys = maze_keys,
               .num_keys = sizeof maze_keys / sizeof maze_keys[0],
               .idle = PFC_IDLE_KEEP)
