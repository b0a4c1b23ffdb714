// snake_model.h - a naive model of snake for test_snake_model.c: each snake is a list of coordinates, and every lookup
// searches all of them. It shares with the game only the parameters, the generator, the numbers of the directions and
// the order of draws, which are part of the rules.
// Owns all its memory; included after snake.c.
#ifndef PUFFERC_TESTS_SNAKE_MODEL_H
#define PUFFERC_TESTS_SNAKE_MODEL_H

#include <stdbool.h>
#include <stdlib.h>

typedef struct Model {
  SnakeParams p;
  PfcRng rng;
  int32_t fields;
  char* item;       // [height * width] '.', '*' or 'x'; '.' under a body
  int32_t* shown;   // [height * width] content of a cell: 0, 1, 2, or 4 + agent; valid after model_paint
  int32_t** piece;  // [snakes][length] fields from the head to the tail
  int32_t *length, *life, *order, *direction;
  bool* present;
} Model;

enum { MODEL_WALLS, MODEL_BODIES, MODEL_FULL_GROWN, MODEL_FULL_BOARD, MODEL_SCANS, MODEL_CORPSES_GIVEN, MODEL_EVENTS };
static int64_t model_events[MODEL_EVENTS];  // counts of events in all runs

static void model_paint(Model* m) {
  for (int32_t i = 0; i < m->fields; ++i) m->shown[i] = m->item[i] == '*' ? 1 : m->item[i] == 'x' ? 2 : 0;
  for (int32_t a = 0; a < m->p.snakes; ++a)
    for (int32_t k = 0; m->present[a] && k < m->length[a]; ++k) m->shown[m->piece[a][k]] = 4 + a;
}

static bool model_occupied(const Model* m, int32_t field) {
  for (int32_t a = 0; a < m->p.snakes; ++a)
    for (int32_t k = 0; m->present[a] && k < m->length[a]; ++k)
      if (m->piece[a][k] == field) return true;
  return false;
}

static int32_t model_free(Model* m) {
  int32_t field = 0, corpse = -1;
  for (int32_t i = 0; i < 32; ++i) {
    field = (int32_t)pfc_rng_below(&m->rng, (uint32_t)m->fields);
    if (m->item[field] == '.' && !model_occupied(m, field)) return field;
  }
  ++model_events[MODEL_SCANS];
  for (int32_t i = 1; i <= m->fields; ++i) {
    const int32_t next = (field + i) % m->fields;
    if (m->item[next] == '.' && !model_occupied(m, next)) return next;
    if (m->item[next] == 'x' && corpse < 0) corpse = next;
  }
  ++model_events[MODEL_CORPSES_GIVEN];
  return corpse;
}

static void model_spawn(Model* m, int32_t a) {
  m->present[a] = false;  // a body cut short leaves nothing
  const int32_t field = model_free(m);
  m->item[field] = '.';
  m->piece[a][0] = field, m->length[a] = 1, m->life[a] = 0, m->present[a] = true;
}

static Model model_open(SnakeParams p, uint64_t seed) {
  const size_t rows = (size_t)p.snakes, fields = (size_t)(p.width * p.height);
  Model m = {.p = p, .fields = (int32_t)fields, .item = malloc(fields), .shown = calloc(fields, sizeof(int32_t))};
  m.piece = calloc(rows, sizeof(int32_t*)), m.present = calloc(rows, sizeof(bool));
  m.length = calloc(rows, 4), m.life = calloc(rows, 4), m.order = calloc(rows, 4), m.direction = calloc(rows, 4);
  memset(m.item, '.', fields);
  pfc_rng_seed(&m.rng, seed, 0);
  for (int32_t a = 0; a < p.snakes; ++a) {
    m.order[a] = a;
    m.piece[a] = calloc((size_t)pfc_mini(p.max_length, m.fields) + 1, sizeof(int32_t));
    model_spawn(&m, a);
  }
  for (int32_t i = 0; i < p.food; ++i) m.item[model_free(&m)] = '*';
  return m;
}

static void model_close(Model* m) {
  for (int32_t a = 0; a < m->p.snakes; ++a) free(m->piece[a]);
  free(m->item), free(m->shown), free(m->piece), free(m->present);
  free(m->length), free(m->life), free(m->order), free(m->direction);
}

// The neighbour of `field`; -1 in the wall.
static int32_t model_next(const Model* m, int32_t field, int32_t direction) {
  const int32_t x = field % m->p.width + (direction == 3) - (direction == 2);
  const int32_t y = field / m->p.width + (direction == 1) - (direction == 0);
  return x < 0 || x >= m->p.width || y < 0 || y >= m->p.height ? -1 : y * m->p.width + x;
}

static float model_move(Model* m, int32_t a, int32_t action) {
  int32_t* piece = m->piece[a];
  ++m->life[a];
  if (m->length[a] == 1 || model_next(m, piece[0], action) != piece[1]) m->direction[a] = action;
  const int32_t target = model_next(m, piece[0], m->direction[a]);
  if (target < 0 || model_occupied(m, target)) {
    ++model_events[target < 0 ? MODEL_WALLS : MODEL_BODIES];
    for (int32_t k = 0; k < m->length[a]; ++k) m->item[piece[k]] = k % 2 == 0 ? 'x' : '.';
    m->present[a] = false;
    return -1.0f;
  }
  int32_t claimed = m->p.food;
  for (int32_t i = 0; i < m->p.snakes; ++i) claimed += m->present[i] ? m->length[i] : 1;
  const char found = m->item[target];
  m->item[target] = '.';
  if (found != '.' && m->length[a] == m->p.max_length) ++model_events[MODEL_FULL_GROWN];
  if (found != '.' && claimed == m->fields) ++model_events[MODEL_FULL_BOARD];
  if (found != '.' && m->length[a] < m->p.max_length && claimed < m->fields) ++m->length[a];
  memmove(piece + 1, piece, (size_t)(m->length[a] - 1) * sizeof(int32_t));
  piece[0] = target;
  if (found == '*') m->item[model_free(m)] = '*';
  return found == '.' ? 0.0f : 0.1f;
}

static void model_order(Model* m) {
  for (int32_t left = m->p.snakes; m->p.shuffle && left > 1; --left) {
    const uint32_t pick = pfc_rng_below(&m->rng, (uint32_t)left);
    const int32_t last = m->order[left - 1];
    m->order[left - 1] = m->order[pick];
    m->order[pick] = last;
  }
}

static bool model_sees(const Model* m, int32_t a, const int8_t* obs) {
  const int32_t v = m->p.vision, x0 = m->piece[a][0] % m->p.width, y0 = m->piece[a][0] / m->p.width;
  for (int32_t y = y0 - v; y <= y0 + v; ++y)
    for (int32_t x = x0 - v; x <= x0 + v; ++x, ++obs) {
      const bool inside = x >= 0 && x < m->p.width && y >= 0 && y < m->p.height;
      const int32_t shown = inside ? m->shown[y * m->p.width + x] : 3;
      if (*obs != (shown < 4 ? shown : shown == 4 + a ? 4 : 5)) return false;
    }
  return true;
}

#endif  // PUFFERC_TESTS_SNAKE_MODEL_H
