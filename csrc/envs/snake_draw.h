// snake_draw.h - how Snake looks. Part of snake.c; one unit is one cell.
//
// A board of up to 64 x 48 cells, its wall included, is shown as a whole. Of a larger one a picture shows the 48 x 36
// cells round the head of the agent that it follows, so that cells stay large enough to be seen, and in a corner a map
// of all heads with a frame round the part shown. A faint square is what the followed snake sees.
#ifndef PUFFERC_ENVS_SNAKE_DRAW_H
#define PUFFERC_ENVS_SNAKE_DRAW_H

PFC_TABLE uint32_t snake_palette[] = {0x4cc38a, 0x52a9ff, 0xbf7af0, 0xf76190, 0xff8b3e, 0x3ec9b6,
                                      0x849dff, 0xe879c7, 0xb5d14c, 0x6fd3f5, 0xd19dff, 0xffb86b};
enum { SNAKE_PALETTE = sizeof snake_palette / sizeof snake_palette[0] };
enum { SNAKE_WHOLE_WIDTH = 64, SNAKE_WHOLE_HEIGHT = 48, SNAKE_PART_WIDTH = 48, SNAKE_PART_HEIGHT = 36 };
enum { SNAKE_FLOOR = 4 };  // side of the floor's chequers, which show that the view moves

typedef struct SnakeView {
  int32_t left, top, width, height;  // the cells shown, in cells of the playing field; -1 is its wall
  float strip;                       // height of the strip for figures above them
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

// Upper left corner of a board cell in the picture.
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

// A rectangle of field cells [x0, x1) x [y0, y1), cut to what is shown.
static void snake_fill_cells(const SnakeView* v, int32_t x0, int32_t y0, int32_t x1, int32_t y1, PfcColor color,
                             const PfcDraw* d) {
  x0 = pfc_maxi(x0, v->left), x1 = pfc_mini(x1, v->left + v->width);
  y0 = pfc_maxi(y0, v->top), y1 = pfc_mini(y1, v->top + v->height);
  if (x0 < x1 && y0 < y1)
    d->rect(d->context, (float)(x0 - v->left), (float)(y0 - v->top) + v->strip, (float)(x1 - x0), (float)(y1 - y0),
            color);
}

static void snake_draw_floor(const SnakeParams* p, const SnakeView* v, const PfcDraw* d) {
  snake_fill_cells(v, -1, -1, p->width + 1, p->height + 1, pfc_rgb(PFC_LINE), d);  // the wall, then the field within
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

// The straight runs of bodies that are shown, each as one thick line from centre to centre. agent: whose; -1 = everybody's.
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

// Four thin lines.
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
  for (int32_t i = 0; i <= p->snakes; ++i) {  // the followed one last
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

// The strip above, and page over what sticks out of the world.
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
  if (followed->present) {  // it has a bright rim
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

#endif  // PUFFERC_ENVS_SNAKE_DRAW_H
