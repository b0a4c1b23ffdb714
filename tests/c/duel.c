// duel.c - a small test game that uses every optional part of the contract. Players take turns on a board: they claim
// free cells and strike cells of others. It is built into the tests, loaded as a module and compiled as C++17.
//
// obs   int8[3 + width * height + sight * each]   see duel_obs; sizes depend on parameters
// act   int32[2]   kind: 0 pass  1 claim  2 strike;   place: 0 to 32 a cell, 33 nowhere
// rew   +0.1 claim, +0.2 strike, -0.2 for being struck; +1 or -1 at the end
//
// A waiting player has one legal choice in each dimension: pass, nowhere. A player without cells is out (alive 0); with
// `lives` that player's episode ends, for pools whose spec has `respawn` (see duel_with_lives).
//
// The state is the struct Duel, then uint16 stamps[cells], then uint8 board[cells] in row-major order.
//
// Data is a map: "DUEL", width, height, charges, then a byte per cell, 1 = wall.
#include "pufferc/env.h"

enum { DUEL_PASS, DUEL_CLAIM, DUEL_STRIKE, DUEL_KINDS };
enum { DUEL_PLACES = 34, DUEL_NOWHERE = DUEL_PLACES - 1, DUEL_CHOICES = DUEL_KINDS + DUEL_PLACES };
enum { DUEL_FREE = 0, DUEL_WALL = 255 };  // values of a cell; i + 1 = owned by agent i
enum { DUEL_MAX_CELLS = 30, DUEL_MAX_PLAYERS = 6, DUEL_MAP_HEAD = 7 };

#define DUEL_PARAMS(X)                                                              \
  X(int, max_steps, 60, 0, PFC_MAX_STEPS, "steps until truncation; 0 = never")      \
  X(int, width, 5, 1, 6, "cells across")                                            \
  X(int, height, 3, 1, 5, "cells down")                                             \
  X(int, players, 2, 2, DUEL_MAX_PLAYERS, "agents that take turns")                 \
  X(int, charges, 3, 0, 9, "strikes that a player has")                             \
  X(int, sight, 1, 0, 5, "other players in the observation; 0 = its last row is empty") \
  X(float, decay, 0.1f, 0, 1, "chance in a step that a cell becomes free again")    \
  X(bool, walls, 0, 0, 1, "maps may have walls; one more code per cell, one more value per player seen") \
  X(bool, sides, 1, 0, 1, "even agents against odd ones")                           \
  X(bool, masked, 1, 0, 1, "refuse illegal choices; otherwise they do nothing")     \
  X(bool, lives, 0, 0, 1, "the end of a player is the end of an episode")
PFC_DEFINE_PARAMS(duel, DuelParams, DUEL_PARAMS)

// The state has a member of every dtype that a state field may have.
typedef struct Duel {
  PfcRng rng;
  uint64_t claims;  // of all players
  int64_t balance;  // claims less strikes
  double weight;    // sum of heat
  uint32_t passes;
  int32_t turn;     // the agent that moves next
  float heat;
  uint16_t strikes;
  int16_t last_place;
  int8_t last_kind;
  uint8_t supply;  // charges that a new player gets
  uint8_t held[DUEL_MAX_PLAYERS], charges[DUEL_MAX_PLAYERS], out[DUEL_MAX_PLAYERS];
} Duel;

typedef struct DuelObs {
  int8_t value[1];
} DuelObs;

// The last three rows have counts, codes and planes of the default parameters; duel_fill_rows corrects them.
static const PfcObsRow duel_obs[] = {
    PFC_OBS("self", 2, 0, 9, "1 if it is the agent's turn; charges left"),
    PFC_OBS_CODES("kind", 1, DUEL_KINDS, "kind of the latest move"),
    PFC_OBS_PLANE("board", 15, 3, 3, 5, "0 free, 1 own, 2 others', 3 wall"),
    PFC_OBS_SET("rivals", 0, 2, 0, DUEL_MAX_CELLS,
                "of the next players in order: 1 while not out, cells, charges if walls"),
};
enum { DUEL_ROW_BOARD = 2, DUEL_ROW_RIVALS = 3 };

// ---- the board -----------------------------------------------------------------------------------------

PFC_FN int32_t duel_cells(const DuelParams* p) { return p->width * p->height; }
PFC_FN uint16_t* duel_stamps(Duel* s) { return (uint16_t*)(s + 1); }
PFC_FN uint8_t* duel_board(Duel* s, const DuelParams* p) { return (uint8_t*)(duel_stamps(s) + duel_cells(p)); }
PFC_FN const uint8_t* duel_board_view(const Duel* s, const DuelParams* p) {
  return (const uint8_t*)((const uint16_t*)(s + 1) + duel_cells(p));
}

PFC_FN void duel_free_cell(Duel* s, const DuelParams* p, int32_t cell) {
  uint8_t* board = duel_board(s, p);
  s->held[board[cell] - 1] -= 1;
  board[cell] = DUEL_FREE;
}

PFC_FN void duel_take_cell(Duel* s, const DuelParams* p, int32_t agent, int32_t cell) {
  duel_board(s, p)[cell] = (uint8_t)(agent + 1);
  duel_stamps(s)[cell] = (uint16_t)(s->claims & 0xffff);
  s->held[agent] += 1;
}

// True if a new player may take the cell: it is free, or its owner has another one.
PFC_FN bool duel_can_start(const Duel* s, const DuelParams* p, int32_t cell) {
  const int32_t owner = duel_board_view(s, p)[cell];
  return owner == DUEL_FREE || (owner != DUEL_WALL && s->held[owner - 1] > 1);
}

// Gives a new player the first cell that can be taken, starting at a random one. There always is one, because there are
// at least as many cells without walls as players.
PFC_FN void duel_start_player(Duel* s, const DuelParams* p, int32_t agent) {
  const int32_t cells = duel_cells(p);
  for (int32_t cell = 0; s->held[agent] > 0 && cell < cells; ++cell)
    if (duel_board(s, p)[cell] == agent + 1) duel_free_cell(s, p, cell);
  int32_t cell = (int32_t)pfc_rng_below(&s->rng, (uint32_t)cells);
  for (int32_t tries = 0; tries < cells && !duel_can_start(s, p, cell); ++tries) cell = (cell + 1) % cells;
  if (duel_board(s, p)[cell] != DUEL_FREE) duel_free_cell(s, p, cell);
  duel_take_cell(s, p, agent, cell);
  s->charges[agent] = s->supply;
  s->out[agent] = 0;
}

PFC_FN void duel_start(Duel* s, const DuelParams* p) {
  s->last_place = -1;
  s->turn = (int32_t)pfc_rng_below(&s->rng, (uint32_t)p->players);
  for (int32_t agent = 0; agent < p->players; ++agent) duel_start_player(s, p, agent);
}

PFC_FN void duel_reset(Duel* s, const DuelParams* p) {
  s->supply = (uint8_t)p->charges;
  duel_start(s, p);
}

// ---- a step --------------------------------------------------------------------------------------------

// The legal kind of move on a cell: 0 none, DUEL_CLAIM, DUEL_STRIKE.
PFC_FN int32_t duel_use(const Duel* s, const DuelParams* p, int32_t agent, int32_t place) {
  if (place >= duel_cells(p)) return 0;
  const int32_t owner = duel_board_view(s, p)[place];
  if (owner == DUEL_FREE) return DUEL_CLAIM;
  return owner != DUEL_WALL && owner != agent + 1 && s->charges[agent] > 0 ? DUEL_STRIKE : 0;
}

PFC_FN void duel_lose_cell(Duel* s, const DuelParams* p, int32_t cell, PfcIo io) {
  const int32_t loser = duel_board(s, p)[cell] - 1;
  duel_free_cell(s, p, cell);
  if (s->held[loser] > 0) return;
  s->out[loser] = 1;
  if (p->lives) io.terminated[loser] = 1;
  else io.alive[loser] = 0;
}

PFC_FN void duel_move(Duel* s, const DuelParams* p, int32_t agent, PfcIo io) {
  const int32_t kind = io.actions[2 * agent], place = io.actions[2 * agent + 1];
  const bool done = kind != DUEL_PASS && duel_use(s, p, agent, place) == kind;
  s->last_kind = (int8_t)(done ? kind : (int32_t)DUEL_PASS);
  s->last_place = (int16_t)place;
  if (!done) {
    s->passes += 1;
  } else if (kind == DUEL_CLAIM) {
    s->claims += 1;
    s->balance += 1;
    duel_take_cell(s, p, agent, place);
    io.rewards[agent] += 0.1f;
  } else {
    s->strikes += 1;
    s->balance -= 1;
    s->charges[agent] -= 1;
    io.rewards[agent] += 0.2f;
    io.rewards[duel_board(s, p)[place] - 1] -= 0.2f;
    duel_lose_cell(s, p, place, io);
  }
}

// The largest number of cells of one player.
PFC_FN int32_t duel_lead(const Duel* s, const DuelParams* p) {
  int32_t lead = 0;
  for (int32_t agent = 0; agent < p->players; ++agent) lead = pfc_maxi(lead, s->held[agent]);
  return lead;
}

PFC_FN bool duel_over(const Duel* s, const DuelParams* p) {
  int32_t standing = 0, free = 0;
  for (int32_t agent = 0; agent < p->players; ++agent) standing += !s->out[agent];
  for (int32_t cell = 0; cell < duel_cells(p); ++cell) free += duel_board_view(s, p)[cell] == DUEL_FREE;
  return free == 0 || (standing == 1 && !p->lives);
}

PFC_FN void duel_end(Duel* s, const DuelParams* p, PfcIo io) {
  const int32_t lead = duel_lead(s, p);
  for (int32_t agent = 0; agent < p->players; ++agent) {
    io.rewards[agent] += s->held[agent] == lead ? 1.0f : -1.0f;
    io.terminated[agent] = 1;
  }
}

PFC_FN void duel_step(Duel* s, const DuelParams* p, PfcIo io) {
  const int32_t cells = duel_cells(p);
  if (io.alive[s->turn]) duel_move(s, p, s->turn, io);
  s->heat = 0.5f * s->heat + pfc_rng_float(&s->rng);
  s->weight += (double)s->heat;
  if (duel_over(s, p)) duel_end(s, p, io);
  const int32_t cell = (int32_t)pfc_rng_below(&s->rng, (uint32_t)cells);
  const int32_t owner = duel_board(s, p)[cell];
  const bool decays = pfc_rng_float(&s->rng) < p->decay;
  if (decays && owner != DUEL_FREE && owner != DUEL_WALL && s->held[owner - 1] > 1) duel_free_cell(s, p, cell);
  for (int32_t i = 0; i < p->players; ++i) {
    s->turn = (s->turn + 1) % p->players;
    if (!s->out[s->turn]) break;
  }
}

PFC_FN void duel_respawn(void* state, const void* params, int32_t agent) {
  duel_start_player((Duel*)state, (const DuelParams*)params, agent);
}

// ---- observation and mask ------------------------------------------------------------------------------

PFC_FN int8_t duel_seen(int32_t owner, int32_t agent) {
  if (owner == DUEL_FREE) return 0;
  return (int8_t)(owner == DUEL_WALL ? 3 : owner == agent + 1 ? 1 : 2);
}

PFC_FN int32_t duel_each(const DuelParams* p) { return p->walls ? 3 : 2; }

PFC_FN void duel_observe(const Duel* s, const DuelParams* p, int32_t agent, DuelObs* obs) {
  int8_t* out = obs->value;
  *out++ = (int8_t)(s->turn == agent);
  *out++ = (int8_t)s->charges[agent];
  *out++ = s->last_kind;
  for (int32_t cell = 0; cell < duel_cells(p); ++cell) *out++ = duel_seen(duel_board_view(s, p)[cell], agent);
  for (int32_t i = 1; i <= p->sight; ++i) {
    const int32_t other = (agent + i) % p->players;
    const bool there = i < p->players && !s->out[other];
    *out++ = there;
    *out++ = (int8_t)(there ? s->held[other] : 0);
    if (p->walls) *out++ = (int8_t)(there ? s->charges[other] : 0);
  }
}

PFC_FN void duel_mask(const void* state, const void* params, int32_t agent, uint8_t* legal) {
  const Duel* s = (const Duel*)state;
  const DuelParams* p = (const DuelParams*)params;
  uint8_t* places = legal + DUEL_KINDS;
  bool any = false;
  for (int32_t place = 0; place < DUEL_NOWHERE && agent == s->turn; ++place) {
    const int32_t use = duel_use(s, p, agent, place);
    if (use == 0) continue;
    any = true;
    legal[use] = places[place] = 1;
  }
  if (!any) legal[DUEL_PASS] = places[DUEL_NOWHERE] = 1;
}

PFC_FN void duel_metrics(const Duel* s, const DuelParams* p, int32_t agent, float* values) {
  values[1] = (float)s->held[agent] / (float)duel_cells(p);
  for (int32_t cell = 0; cell < duel_cells(p); ++cell)
    values[2 + cell] = duel_board_view(s, p)[cell] == agent + 1 ? 1.0f : 0.0f;
}

// ---- host functions --------------------------------------------------------------------------------------

PFC_FN int32_t duel_pick(const uint8_t* legal, int32_t count, PfcRng* rng) {
  int32_t number = 0, choice = 0;
  for (int32_t i = 0; i < count; ++i) number += legal[i];
  int32_t left = (int32_t)pfc_rng_below(rng, (uint32_t)number);
  for (; !legal[choice] || left > 0; ++choice) left -= legal[choice];
  return choice;
}

// Level 0 plays at random. Level 1 strikes if it can, else claims, so it never makes a move without effect.
static void duel_script(const void* state, const void* params, int32_t agent, int32_t level, PfcRng* rng,
                        int32_t* choices, float* controls) {
  (void)controls;
  uint8_t legal[DUEL_CHOICES] = {0};
  duel_mask(state, params, agent, legal);
  choices[0] = legal[DUEL_STRIKE] * DUEL_STRIKE;  // 0: pass
  if (legal[DUEL_CLAIM] && choices[0] == DUEL_PASS) choices[0] = DUEL_CLAIM;
  if (level == 0) choices[0] = duel_pick(legal, DUEL_KINDS, rng);
  for (int32_t place = 0; level > 0 && choices[0] != DUEL_PASS && place < DUEL_NOWHERE; ++place) {
    const int32_t use = duel_use((const Duel*)state, (const DuelParams*)params, agent, place);
    legal[DUEL_KINDS + place] = use == choices[0];
  }
  choices[1] = duel_pick(legal + DUEL_KINDS, DUEL_PLACES, rng);
}

static int32_t duel_team(const void* params, int32_t agent) {
  (void)params;
  return agent % 2;
}

static void duel_layout(const void* params, PfcLayout* sizes) {
  const DuelParams* p = (const DuelParams*)params;
  sizes->state_bytes = sizeof(Duel) + 3 * (uint64_t)duel_cells(p);
  sizes->agents = p->players;
  sizes->obs_shape[0] = 3 + duel_cells(p) + p->sight * duel_each(p);
  sizes->teams = p->sides ? 2 : 0;
  sizes->masked = p->masked;
}

static void duel_fill_rows(const void* params, PfcObsRow* rows) {
  const DuelParams* p = (const DuelParams*)params;
  PfcObsRow* board = &rows[DUEL_ROW_BOARD];
  board->count = duel_cells(p);
  board->plane_height = p->height;
  board->plane_width = p->width;
  board->num_codes = p->walls ? 4 : 3;
  board->high = (float)(board->num_codes - 1);
  rows[DUEL_ROW_RIVALS].each = duel_each(p);
}

static const char* duel_check(const void* params) {
  const DuelParams* p = (const DuelParams*)params;
  return duel_cells(p) < p->players ? "the board needs a cell for each player" : NULL;
}

static const PfcField duel_fields[] = {
    PFC_STATE_FIELD(Duel, claims, PFC_UINT64),
    PFC_STATE_FIELD(Duel, balance, PFC_INT64),
    PFC_STATE_FIELD(Duel, weight, PFC_FLOAT64),
    PFC_STATE_FIELD(Duel, passes, PFC_UINT32),
    PFC_STATE_FIELD(Duel, turn, PFC_INT32),
    PFC_STATE_FIELD(Duel, heat, PFC_FLOAT32),
    PFC_STATE_FIELD(Duel, strikes, PFC_UINT16),
    PFC_STATE_FIELD(Duel, last_place, PFC_INT16),
    PFC_STATE_FIELD(Duel, last_kind, PFC_INT8),
    PFC_STATE_FIELD(Duel, held, PFC_UINT8),
    PFC_STATE_FIELD(Duel, charges, PFC_UINT8),
    PFC_STATE_FIELD(Duel, out, PFC_UINT8),
    {"stamps", PFC_UINT16, 0, sizeof(Duel)},
    {"board", PFC_UINT8, 0, sizeof(Duel)},
};
enum { DUEL_NUM_FIELDS = sizeof duel_fields / sizeof duel_fields[0] };

static void duel_field(const void* params, int32_t index, PfcField* field) {
  const DuelParams* p = (const DuelParams*)params;
  if (index < DUEL_NUM_FIELDS - 2) return;
  field->count = (uint64_t)duel_cells(p);
  if (index == DUEL_NUM_FIELDS - 1) field->offset += 2 * field->count;
}

// ---- maps --------------------------------------------------------------------------------------------------

static const char* duel_check_data(const void* params, const void* data, uint64_t data_bytes) {
  const DuelParams* p = (const DuelParams*)params;
  const uint8_t* map = (const uint8_t*)data;
  const uint64_t cells = (uint64_t)duel_cells(p);
  int32_t walls = 0;
  if (data_bytes < DUEL_MAP_HEAD || map[0] != 'D' || map[1] != 'U' || map[2] != 'E' || map[3] != 'L')
    return "expected a map that begins with DUEL";
  if (map[4] != p->width || map[5] != p->height || data_bytes != DUEL_MAP_HEAD + cells)
    return "expected a map of width x height cells";
  for (uint64_t cell = 0; cell < cells; ++cell) {
    if (map[DUEL_MAP_HEAD + cell] > 1) return "expected cells of 0 and 1";
    walls += map[DUEL_MAP_HEAD + cell];
  }
  if (map[6] > 9) return "expected 0 to 9 charges";
  if (walls > 0 && !p->walls) return "the map has walls; set the parameter walls";
  return (int32_t)cells - walls < p->players ? "the map needs a free cell for each player" : NULL;
}

PFC_FN void duel_reset_from(void* state, const void* params, const void* data, uint64_t data_bytes) {
  (void)data_bytes;
  Duel* s = (Duel*)state;
  const DuelParams* p = (const DuelParams*)params;
  const uint8_t* map = (const uint8_t*)data;
  s->supply = map[6];
  for (int32_t cell = 0; cell < duel_cells(p); ++cell)
    if (map[DUEL_MAP_HEAD + cell]) duel_board(s, p)[cell] = DUEL_WALL;
  duel_start(s, p);
}

// Gives half the charges of the map, so that tests can tell which of the two functions ran.
PFC_FN void duel_respawn_from(void* state, const void* params, int32_t agent, const void* data, uint64_t data_bytes) {
  (void)data_bytes;
  Duel* s = (Duel*)state;
  duel_start_player(s, (const DuelParams*)params, agent);
  s->charges[agent] = (uint8_t)(((const uint8_t*)data)[6] / 2);
}

// ---- picture, keys, spec -----------------------------------------------------------------------------------

static void duel_draw(const Duel* s, const DuelParams* p, const PfcDraw* d) {
  static const uint32_t colours[] = {0x202020, 0x4080ff, 0xff8040, 0x808080};
  d->begin(d->context, 40.0f * (float)p->width, 40.0f * (float)p->height, pfc_rgb(0));
  for (int32_t cell = 0; cell < duel_cells(p); ++cell) {
    const float x = 40.0f * (float)(cell % p->width), y = 40.0f * (float)(cell / p->width);
    const int32_t seen = duel_seen(duel_board_view(s, p)[cell], d->agent);
    d->rect(d->context, x + 1.0f, y + 1.0f, 38.0f, 38.0f, pfc_rgb(colours[seen]));
  }
  d->end(d->context);
}

static const PfcKeyBinding duel_keys[] = {
    PFC_BIND("space", "pass", 0, DUEL_PASS),
    PFC_BIND("c", "claim", 0, DUEL_CLAIM),
    PFC_BIND("s enter", "strike", 0, DUEL_STRIKE),
    PFC_BIND("0", "the first cell", 1, 0),
};

PFC_DEFINE_ENV(duel, Duel,
               .title = "Duel",
               .summary = "players take turns to claim cells; uses every optional part of the contract",
               .version = 1,
               .obs_dtype = PFC_INT8,
               .sizes = {.action_counts = {DUEL_KINDS, DUEL_PLACES}},
               .layout = duel_layout,
               .check = duel_check,
               .mask = duel_mask,
               .script = duel_script,
               .num_levels = 2,
               .team = duel_team,
               .check_data = duel_check_data,
               .reset_from = duel_reset_from,
               .obs_rows = duel_obs,
               .num_obs_rows = sizeof duel_obs / sizeof duel_obs[0],
               .fill_rows = duel_fill_rows,
               .metrics = {"score",   "perf",    "cell_0",  "cell_1",  "cell_2",  "cell_3",  "cell_4",  "cell_5",
                           "cell_6",  "cell_7",  "cell_8",  "cell_9",  "cell_10", "cell_11", "cell_12", "cell_13",
                           "cell_14", "cell_15", "cell_16", "cell_17", "cell_18", "cell_19", "cell_20", "cell_21",
                           "cell_22", "cell_23", "cell_24", "cell_25", "cell_26", "cell_27", "cell_28", "cell_29"},
               .fields = duel_fields,
               .num_fields = DUEL_NUM_FIELDS,
               .field = duel_field,
               .fps = 4,
               .keys = duel_keys,
               .num_keys = sizeof duel_keys / sizeof duel_keys[0],
               .idle = DUEL_PASS)

#ifdef PFC_BUILDING_LIBRARY
PfcEnvSpec duel_with_lives(void);  // see duel.h

PfcEnvSpec duel_with_lives(void) {
  PfcEnvSpec spec = pfc_env_duel;
  spec.name = "duel_lives";
  spec.respawn = duel_respawn;
  spec.respawn_from = duel_respawn_from;
  return spec;
}
#endif
