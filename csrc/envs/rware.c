// rware.c - robots of a warehouse carry requested shelves to the goals and back. 1 to 20 agents that move together.
//
// - The grid has 9 shelf_rows + 2 rows and 3 shelf_columns + 1 columns. Free ways are columns 0, 3, 6, ..., rows 0, 9,
//   18, ..., the last row, and the two middle columns in the last 10 rows. Every other cell starts with a shelf. The
//   goals are the two middle cells of the last row.
// - Agents start on different random cells with random headings. They pass under standing shelves, and can load the
//   shelf of their cell. A carried shelf is put down only off the free ways, and is not carried onto a standing shelf.
// - `requests` random shelves are requested. A requested shelf on a goal is a delivery; another shelf is then
//   requested.
// - All agents move at the same time, into cells that are free or become free. Where several chains of agents lead to
//   one free cell, the longest moves; between equal ones, the agent of lower index moves. A ring of three or more
//   agents moves. Two agents cannot swap cells. What wants the cell of an agent that stays, stays.
//
// obs   uint8[71] per agent: x, y, carrying, heading (up, down, left, right; one-hot), on a free way; then the 3 x 3
//       cells around it, row by row: agent there, its heading (up if none), shelf there, shelf requested; zeros and
//       "up" outside
// act   int32[1]   0 none  1 forward  2 turn left  3 turn right  4 load or put down
// rew   +1 per delivery for its carrier (reward_kind 0), or for all agents (1)
//
// score: deliveries of all agents. perf = min(1, score * (height + width) / (500 * agents)).
#include "pufferc/env.h"

enum { RWARE_NONE, RWARE_FORWARD, RWARE_LEFT, RWARE_RIGHT, RWARE_TOGGLE, RWARE_CHOICES };
enum { RWARE_FACES_UP, RWARE_FACES_DOWN, RWARE_FACES_LEFT, RWARE_FACES_RIGHT, RWARE_HEADINGS };
enum { RWARE_NO_SHELF, RWARE_SHELF, RWARE_REQUESTED };
enum { RWARE_COLUMN_HEIGHT = 8, RWARE_QUEUE = 10, RWARE_GOALS = 2 };
enum { RWARE_MAX_ROWS = 3, RWARE_MIN_COLUMNS = 3, RWARE_MAX_COLUMNS = 5, RWARE_MAX_AGENTS = 20 };
enum { RWARE_MAX_HEIGHT = 9 * RWARE_MAX_ROWS + 2, RWARE_MAX_WIDTH = 3 * RWARE_MAX_COLUMNS + 1 };
enum { RWARE_MAX_CELLS = (RWARE_MAX_HEIGHT + 2) * (RWARE_MAX_WIDTH + 2) };  // with one cell of edge on each side
enum { RWARE_SELF = 8, RWARE_CELL = 7, RWARE_AROUND = 9, RWARE_OBS = RWARE_SELF + RWARE_AROUND * RWARE_CELL };
enum { RWARE_FREE = -1 };  // in place of an agent

#define RWARE_PARAMS(X)                                                                                     \
  X(int, max_steps, 500, 0, PFC_MAX_STEPS, "steps until truncation; 0 = never")                             \
  X(int, agents, 2, 1, RWARE_MAX_AGENTS, "robots")                                                          \
  X(int, shelf_rows, 1, 1, RWARE_MAX_ROWS, "blocks of shelves from top to bottom")                          \
  X(int, shelf_columns, 3, RWARE_MIN_COLUMNS, RWARE_MAX_COLUMNS, "blocks of shelves side by side; odd")     \
  X(int, requests, 0, 0, RWARE_MAX_AGENTS, "shelves that are requested at a time; 0 = as many as agents")   \
  X(int, reward_kind, 0, 0, 1, "1 per delivery: 0 for its carrier, 1 for all agents")
PFC_DEFINE_PARAMS(rware, RwareParams, RWARE_PARAMS)

// Cells have numbers (y + 1) * stride + x + 1: the grid is stored with an edge that nothing enters.
typedef struct Rware {
  PfcRng rng;
  int32_t deliveries;
  int16_t drawn[RWARE_GOALS];  // cells of the shelves that the latest step requested; 0 = none
  int16_t at[RWARE_MAX_AGENTS];       // cells of the agents
  uint8_t heading[RWARE_MAX_AGENTS];
  uint8_t carrying[RWARE_MAX_AGENTS];
  uint8_t shelf[RWARE_MAX_CELLS];  // RWARE_NO_SHELF, RWARE_SHELF or RWARE_REQUESTED
  uint8_t robot[RWARE_MAX_CELLS];  // agent + 1; 0 = none
} Rware;

typedef struct RwareObs {
  uint8_t value[RWARE_OBS];
} RwareObs;

static const PfcObsRow rware_obs[] = {
    PFC_OBS_CODES("x", 1, RWARE_MAX_WIDTH, "column from the left"),
    PFC_OBS_CODES("y", 1, RWARE_MAX_HEIGHT, "row from the top"),
    PFC_OBS_CODES("carrying", 1, 2, "1 if a shelf is carried"),
    PFC_OBS_CODES("heading", RWARE_HEADINGS, 2, "one-hot: up, down, left, right"),
    PFC_OBS_CODES("free_way", 1, 2, "1 on a free way, where shelves cannot be put down"),
    PFC_OBS_CODES("around", RWARE_AROUND * RWARE_CELL, 2,
                  "3 x 3 cells: agent, its heading one-hot (up if none), shelf, requested"),
};

// ---- the grid ----------------------------------------------------------------------------------------------------

PFC_FN int32_t rware_width(const RwareParams* p) { return 3 * p->shelf_columns + 1; }
PFC_FN int32_t rware_height(const RwareParams* p) { return (RWARE_COLUMN_HEIGHT + 1) * p->shelf_rows + 2; }
PFC_FN int32_t rware_stride(const RwareParams* p) { return rware_width(p) + 2; }
PFC_FN int32_t rware_area(const RwareParams* p) { return rware_width(p) * rware_height(p); }
PFC_FN int32_t rware_requests(const RwareParams* p) { return p->requests > 0 ? p->requests : p->agents; }
PFC_FN int32_t rware_cell(const RwareParams* p, int32_t x, int32_t y) { return (y + 1) * rware_stride(p) + x + 1; }
PFC_FN int32_t rware_x(const RwareParams* p, int32_t cell) { return cell % rware_stride(p) - 1; }
PFC_FN int32_t rware_y(const RwareParams* p, int32_t cell) { return cell / rware_stride(p) - 1; }

PFC_FN int32_t rware_goal(const RwareParams* p, int32_t goal) {  // the left one first
  return rware_cell(p, rware_width(p) / 2 - 1 + goal, rware_height(p) - 1);
}

PFC_FN bool rware_is_free_way(const RwareParams* p, int32_t x, int32_t y) {
  const int32_t height = rware_height(p), middle = rware_width(p) / 2;
  const bool in_queue = y >= height - RWARE_QUEUE && (x == middle - 1 || x == middle);
  return x % 3 == 0 || y % (RWARE_COLUMN_HEIGHT + 1) == 0 || y == height - 1 || in_queue;
}

static const char* rware_check(const void* params) {
  return ((const RwareParams*)params)->shelf_columns % 2 == 1 ? NULL : "shelf_columns must be odd";
}

static void rware_layout(const void* params, PfcLayout* sizes) {
  sizes->agents = ((const RwareParams*)params)->agents;
}

// Requests a random one of the shelves that are not requested. Returns its cell.
PFC_FN int32_t rware_request(Rware* s, const RwareParams* p) {
  const int32_t cells = rware_stride(p) * (rware_height(p) + 2);
  int32_t count = 0, cell = 0;
  for (int32_t i = 0; i < cells; ++i) count += s->shelf[i] == RWARE_SHELF;
  for (int32_t skip = (int32_t)pfc_rng_below(&s->rng, (uint32_t)count);; ++cell)
    if (s->shelf[cell] == RWARE_SHELF && skip-- == 0) break;
  s->shelf[cell] = RWARE_REQUESTED;
  return cell;
}

PFC_FN void rware_reset(Rware* s, const RwareParams* p) {
  const int32_t width = rware_width(p);
  for (int32_t i = 0; i < rware_area(p); ++i) {
    const int32_t x = i % width, y = i / width;
    s->shelf[rware_cell(p, x, y)] = rware_is_free_way(p, x, y) ? RWARE_NO_SHELF : RWARE_SHELF;
  }
  for (int32_t agent = 0; agent < p->agents; ++agent) {
    int32_t cell;
    do {
      const int32_t i = (int32_t)pfc_rng_below(&s->rng, (uint32_t)rware_area(p));
      cell = rware_cell(p, i % width, i / width);
    } while (s->robot[cell]);
    s->robot[cell] = (uint8_t)(agent + 1);
    s->at[agent] = (int16_t)cell;
    s->heading[agent] = (uint8_t)pfc_rng_below(&s->rng, RWARE_HEADINGS);
  }
  for (int32_t i = 0; i < rware_requests(p); ++i) rware_request(s, p);
}

// ---- moving together ---------------------------------------------------------------------------------------------

// What the agents want in one step.
typedef struct RwarePlan {
  int32_t agents;
  int32_t want[RWARE_MAX_AGENTS];  // cell; the own cell if the agent stays
  int32_t next[RWARE_MAX_AGENTS];  // agent in that cell, itself if it stays; RWARE_FREE = none
  int32_t behind[RWARE_MAX_AGENTS];  // length of the longest chain of agents that ends with this one
} RwarePlan;

PFC_FN bool rware_is_standing_shelf(const Rware* s, int32_t cell) {
  return s->shelf[cell] && !(s->robot[cell] && s->carrying[s->robot[cell] - 1]);
}

PFC_FN int32_t rware_wanted(const Rware* s, const RwareParams* p, int32_t agent, int32_t choice) {
  const int32_t at = s->at[agent], stride = rware_stride(p);
  if (choice != RWARE_FORWARD) return at;
  const int32_t x = rware_x(p, at), y = rware_y(p, at);
  int32_t cell = at;
  switch (s->heading[agent]) {
    case RWARE_FACES_UP: cell -= y > 0 ? stride : 0; break;
    case RWARE_FACES_DOWN: cell += y + 1 < rware_height(p) ? stride : 0; break;
    case RWARE_FACES_LEFT: cell -= x > 0; break;
    default: cell += x + 1 < rware_width(p); break;
  }
  return cell != at && s->carrying[agent] && rware_is_standing_shelf(s, cell) ? at : cell;
}

// The number of agents of the ring that this one is in: 1 = it stays, 0 = it is in no ring.
PFC_FN int32_t rware_ring(const RwarePlan* plan, int32_t agent) {
  int32_t at = plan->next[agent], length = 1;
  while (at != agent && at != RWARE_FREE && length <= plan->agents) at = plan->next[at], length += 1;
  return at == agent ? length : 0;
}

// Longest chains. A walk from every agent forwards passes each agent once at most, unless it comes to a ring.
PFC_FN void rware_measure_chains(RwarePlan* plan) {
  for (int32_t agent = 0; agent < plan->agents; ++agent) plan->behind[agent] = 1;
  for (int32_t agent = 0; agent < plan->agents; ++agent) {
    int32_t at = agent;
    for (int32_t length = 1; at != RWARE_FREE && length <= plan->agents; ++length, at = plan->next[at])
      plan->behind[at] = pfc_maxi(plan->behind[at], length);
  }
}

// Whether no other agent that wants the same cell comes before this one.
PFC_FN bool rware_is_first(const RwarePlan* plan, int32_t agent) {
  for (int32_t other = 0; other < plan->agents; ++other) {
    if (other == agent || plan->want[other] != plan->want[agent]) continue;
    const int32_t longer = plan->behind[other] - plan->behind[agent];
    if (longer > 0 || (longer == 0 && other < agent)) return false;
  }
  return true;
}

// Whether an agent moves that is in no ring: all before it in its chain move, up to a free cell.
PFC_FN bool rware_follows(const RwarePlan* plan, int32_t agent) {
  int32_t at = agent;
  for (int32_t length = 0; at != RWARE_FREE && length < plan->agents; ++length, at = plan->next[at])
    if (!rware_is_first(plan, at)) return false;
  return at == RWARE_FREE;
}

PFC_FN bool rware_moves(const RwarePlan* plan, int32_t agent) {
  if (plan->next[agent] == agent) return false;
  const int32_t ring = rware_ring(plan, agent);
  return ring > 0 ? ring > 2 : rware_follows(plan, agent);
}

PFC_FN void rware_make_plan(RwarePlan* plan, const Rware* s, const RwareParams* p, const int32_t* choices) {
  plan->agents = p->agents;
  for (int32_t agent = 0; agent < p->agents; ++agent) {
    plan->want[agent] = rware_wanted(s, p, agent, choices[agent]);
    plan->next[agent] = (int32_t)s->robot[plan->want[agent]] - 1;
  }
  rware_measure_chains(plan);
}

// Moves the agents that can, with what they carry: first all leave their cells, then all arrive.
PFC_FN void rware_move_all(Rware* s, const RwareParams* p, const int32_t* choices) {
  RwarePlan plan;
  bool moves[RWARE_MAX_AGENTS];
  uint8_t load[RWARE_MAX_AGENTS];
  rware_make_plan(&plan, s, p, choices);
  for (int32_t agent = 0; agent < p->agents; ++agent) {
    moves[agent] = rware_moves(&plan, agent);
    load[agent] = s->carrying[agent] ? s->shelf[s->at[agent]] : (uint8_t)RWARE_NO_SHELF;
  }
  for (int32_t agent = 0; agent < p->agents; ++agent) {
    if (!moves[agent]) continue;
    s->robot[s->at[agent]] = 0;
    if (load[agent]) s->shelf[s->at[agent]] = RWARE_NO_SHELF;
  }
  for (int32_t agent = 0; agent < p->agents; ++agent) {
    if (!moves[agent]) continue;
    s->at[agent] = (int16_t)plan.want[agent];
    s->robot[s->at[agent]] = (uint8_t)(agent + 1);
    if (load[agent]) s->shelf[s->at[agent]] = load[agent];
  }
}

// ---- a step --------------------------------------------------------------------------------------------------------

PFC_TABLE uint8_t rware_left_of[RWARE_HEADINGS] = {RWARE_FACES_LEFT, RWARE_FACES_RIGHT, RWARE_FACES_DOWN,
                                                   RWARE_FACES_UP};
PFC_TABLE uint8_t rware_right_of[RWARE_HEADINGS] = {RWARE_FACES_RIGHT, RWARE_FACES_LEFT, RWARE_FACES_UP,
                                                    RWARE_FACES_DOWN};

PFC_FN void rware_toggle(Rware* s, const RwareParams* p, int32_t agent) {
  const int32_t cell = s->at[agent];
  if (s->carrying[agent])
    s->carrying[agent] = rware_is_free_way(p, rware_x(p, cell), rware_y(p, cell));
  else
    s->carrying[agent] = s->shelf[cell] != RWARE_NO_SHELF;
}

PFC_FN void rware_deliver(Rware* s, const RwareParams* p, int32_t goal, float* rewards) {
  const int32_t cell = rware_goal(p, goal);
  s->drawn[goal] = 0;
  if (s->shelf[cell] != RWARE_REQUESTED) return;
  s->deliveries += 1;
  s->drawn[goal] = (int16_t)rware_request(s, p);  // the shelf that was delivered is not drawn again
  s->shelf[cell] = RWARE_SHELF;
  if (p->reward_kind == 0) rewards[s->robot[cell] - 1] += 1.0f;  // a shelf on a free way is carried
  else
    for (int32_t agent = 0; agent < p->agents; ++agent) rewards[agent] += 1.0f;
}

PFC_FN void rware_step(Rware* s, const RwareParams* p, PfcIo io) {
  bool any_moves = false;
  for (int32_t agent = 0; agent < p->agents; ++agent) {
    const int32_t choice = io.actions[agent];
    any_moves |= choice == RWARE_FORWARD;
    if (choice == RWARE_LEFT) s->heading[agent] = rware_left_of[s->heading[agent]];
    if (choice == RWARE_RIGHT) s->heading[agent] = rware_right_of[s->heading[agent]];
  }
  if (any_moves) rware_move_all(s, p, io.actions);
  for (int32_t agent = 0; agent < p->agents; ++agent)
    if (io.actions[agent] == RWARE_TOGGLE) rware_toggle(s, p, agent);
  for (int32_t goal = 0; goal < RWARE_GOALS; ++goal) rware_deliver(s, p, goal, io.rewards);
}

// ---- observation, metrics ------------------------------------------------------------------------------------------

// The seven values of a cell. `seen` is the heading of the agent there + 1, 0 = none.
PFC_FN uint8_t* rware_write_cell(uint8_t* out, int32_t seen, int32_t shelf) {
  const int32_t heading = seen > 0 ? seen - 1 : RWARE_FACES_UP;
  memset(out, 0, RWARE_CELL);
  out[0] = seen > 0;
  out[1 + heading] = 1;
  out[5] = shelf != RWARE_NO_SHELF;
  out[6] = shelf == RWARE_REQUESTED;
  return out + RWARE_CELL;
}

PFC_FN void rware_observe(const Rware* s, const RwareParams* p, int32_t agent, RwareObs* obs) {
  const int32_t cell = s->at[agent], stride = rware_stride(p), x = rware_x(p, cell), y = rware_y(p, cell);
  uint8_t* out = obs->value;
  memset(out, 0, RWARE_SELF);
  out[0] = (uint8_t)x;
  out[1] = (uint8_t)y;
  out[2] = s->carrying[agent];
  out[3 + s->heading[agent]] = 1;
  out[7] = rware_is_free_way(p, x, y);
  out += RWARE_SELF;
  for (int32_t dy = -1; dy <= 1; ++dy)
    for (int32_t dx = -1; dx <= 1; ++dx) {
      const int32_t near = cell + dy * stride + dx, robot = s->robot[near];
      out = rware_write_cell(out, robot ? s->heading[robot - 1] + 1 : 0, s->shelf[near]);
    }
}

PFC_FN void rware_metrics(const Rware* s, const RwareParams* p, int32_t agent, float* values) {
  (void)agent;
  const float most = 500.0f * (float)p->agents;
  values[0] = (float)s->deliveries;
  values[1] = pfc_minf(1.0f, (float)(s->deliveries * (rware_height(p) + rware_width(p))) / most);
}

// ---- picture: 480 x 560, the grid under the number of deliveries --------------------------------------------------

#define RWARE_VIEW_WIDTH 480.0f
#define RWARE_VIEW_HEIGHT 560.0f
#define RWARE_VIEW_TOP 76.0f
#define RWARE_VIEW_MARGIN 22.0f

typedef struct RwareView {
  const PfcDraw* d;
  float left, size;  // of the grid, and of a cell
  int32_t stride;
} RwareView;

static RwareView rware_view(const RwareParams* p, const PfcDraw* d) {
  const float across = (RWARE_VIEW_WIDTH - 2.0f * RWARE_VIEW_MARGIN) / (float)rware_width(p);
  const float down = (RWARE_VIEW_HEIGHT - RWARE_VIEW_TOP - RWARE_VIEW_MARGIN) / (float)rware_height(p);
  RwareView v;
  v.d = d;
  v.size = pfc_minf(across, down);
  v.left = 0.5f * (RWARE_VIEW_WIDTH - v.size * (float)rware_width(p));
  v.stride = rware_stride(p);
  return v;
}

// A rounded square in the middle of a cell; `side` is a share of the cell.
static void rware_draw_tile(const RwareView* v, int32_t cell, float side, PfcColor color) {
  const float edge = 0.5f * (1.0f - side) * v->size;
  const float x = v->left + v->size * (float)(cell % v->stride - 1) + edge;
  const float y = RWARE_VIEW_TOP + v->size * (float)(cell / v->stride - 1) + edge;
  v->d->rounded_rect(v->d->context, x, y, side * v->size, side * v->size, 0.14f * v->size, color);
}

// A shelf: a tile with two boards.
static void rware_draw_shelf(const RwareView* v, int32_t cell, uint32_t color) {
  const float x = v->left + v->size * (float)(cell % v->stride - 1);
  const float y = RWARE_VIEW_TOP + v->size * (float)(cell / v->stride - 1);
  rware_draw_tile(v, cell, 0.86f, pfc_rgb(color));
  for (int32_t i = 1; i <= 2; ++i)
    v->d->rect(v->d->context, x + 0.15f * v->size, y + (0.02f + 0.32f * (float)i) * v->size, 0.7f * v->size,
               0.05f * v->size, pfc_tint(PFC_PAGE, 90));
}

// A disc with a mark that shows the heading; a ring in the colour of the shelf while the agent carries it.
static void rware_draw_agent(const Rware* s, const RwareView* v, int32_t agent) {
  static const float ahead[RWARE_HEADINGS][2] = {{0, -1}, {0, 1}, {-1, 0}, {1, 0}};
  const int32_t cell = s->at[agent];
  const float x = v->left + v->size * ((float)(cell % v->stride) - 0.5f);
  const float y = RWARE_VIEW_TOP + v->size * ((float)(cell / v->stride) - 0.5f);
  const float* to = ahead[s->heading[agent]];
  if (s->carrying[agent]) v->d->circle(v->d->context, x, y, 0.38f * v->size, pfc_rgb(PFC_INK));
  v->d->circle(v->d->context, x, y, 0.32f * v->size, pfc_rgb(PFC_AGENT));
  v->d->line(v->d->context, x, y, x + 0.3f * v->size * to[0], y + 0.3f * v->size * to[1], 0.12f * v->size,
             pfc_rgb(PFC_PAGE));
}

static void rware_draw(const Rware* s, const RwareParams* p, const PfcDraw* d) {
  const RwareView v = rware_view(p, d);
  pfc_draw_board(d, RWARE_VIEW_WIDTH, RWARE_VIEW_HEIGHT);
  pfc_draw_count(d, v.left, 24.0f, 32.0f, true, s->deliveries, s->deliveries == 1 ? "delivery" : "deliveries");
  pfc_draw_count(d, RWARE_VIEW_WIDTH - v.left, 32.0f, 22.0f, false, d->steps, "steps");
  for (int32_t i = 0; i < rware_area(p); ++i) {
    const int32_t x = i % rware_width(p), y = i / rware_width(p);
    rware_draw_tile(&v, rware_cell(p, x, y), rware_is_free_way(p, x, y) ? 0.94f : 0.86f,
                    rware_is_free_way(p, x, y) ? pfc_rgb(PFC_TILE) : pfc_tint(PFC_TILE, 110));
  }
  for (int32_t goal = 0; goal < RWARE_GOALS; ++goal) {
    rware_draw_tile(&v, rware_goal(p, goal), 0.94f, pfc_rgb(PFC_GOAL));
    rware_draw_tile(&v, rware_goal(p, goal), 0.7f, pfc_rgb(PFC_TILE));
  }
  for (int32_t cell = 0; cell < v.stride * (rware_height(p) + 2); ++cell)
    if (s->shelf[cell]) rware_draw_shelf(&v, cell, s->shelf[cell] == RWARE_REQUESTED ? PFC_GOAL : 0x55607au);
  for (int32_t agent = 0; agent < p->agents; ++agent) rware_draw_agent(s, &v, agent);
  d->end(d->context);
}

static const PfcKeyBinding rware_keys[] = {
    PFC_BIND("up w", "forward", 0, RWARE_FORWARD),
    PFC_BIND("left a", "turn left", 0, RWARE_LEFT),
    PFC_BIND("right d", "turn right", 0, RWARE_RIGHT),
    PFC_BIND("space", "load or put down", 0, RWARE_TOGGLE),
};

static const PfcField rware_fields[] = {
    PFC_STATE_FIELD(Rware, at, PFC_INT16),      PFC_STATE_FIELD(Rware, heading, PFC_UINT8),
    PFC_STATE_FIELD(Rware, carrying, PFC_UINT8), PFC_STATE_FIELD(Rware, shelf, PFC_UINT8),
    PFC_STATE_FIELD(Rware, robot, PFC_UINT8),   PFC_STATE_FIELD(Rware, drawn, PFC_INT16),
};

PFC_DEFINE_ENV(rware, Rware,
               .title = "Rware",
               .summary = "robots carry requested shelves to the goals of a warehouse",
               .version = 1,
               .obs_dtype = PFC_UINT8,
               .sizes = {.agents = 2, .action_counts = {RWARE_CHOICES}},
               .layout = rware_layout,
               .check = rware_check,
               .obs_rows = rware_obs,
               .num_obs_rows = sizeof rware_obs / sizeof rware_obs[0],
               .metrics = {"score", "perf"},
               .fields = rware_fields,
               .num_fields = sizeof rware_fields / sizeof rware_fields[0],
               .fps = 10,
               .keys = rware_keys,
               .num_keys = sizeof rware_keys / sizeof rware_keys[0],
               .idle = RWARE_NONE)
