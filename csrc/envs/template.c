// template.c - a template for new games: copy this file and change the rules. One agent.
//
// It is a complete game: slide a paddle to catch falling balls. If you can write `if` and `for`, you
// can write a game. The pool calls every function below. The top of pufferc/env.h lists what the pool
// does for you: seeds, episode counts, time limits, resets, threads.
#include "pufferc/env.h"

// Sizes are in fields: the field is 1 wide and 1 high, x right, y down.
#define TEMPLATE_PADDLE_WIDTH 0.2f
#define TEMPLATE_PADDLE_SPEED 0.05f  // fields per step
#define TEMPLATE_MAX_CATCHES 100

// 1. Parameters: type (int, float, bool), name, default, min, max, help. Users set them with
//    make("template", ball_speed=0.1) or --env.ball-speed 0.1; your functions read p->ball_speed.
//    max_steps comes first; the pool truncates an episode after that many steps.
#define TEMPLATE_PARAMS(X)                                                          \
  X(int, max_steps, 5000, 0, PFC_MAX_STEPS, "steps until truncation; 0 = never")    \
  X(float, ball_speed, 0.04f, 0.001f, 0.5f, "how far a ball falls in a step, in fields")
PFC_DEFINE_PARAMS(template, TemplateParams, TEMPLATE_PARAMS)

// 2. The state of one running game. Plain values and arrays, no pointers. It must have a member rng,
//    the only source of random numbers.
typedef struct Template {
  PfcRng rng;
  float paddle_x;        // its centre
  float ball_x, ball_y;
  int32_t catches;
} Template;

// 3. The observation of one agent: a struct of floats of order one (or of uint8_t, see squared.c).
typedef struct TemplateObs {
  float paddle_x, ball_x, ball_y, caught;
} TemplateObs;

// ... and its table: name, number of values, min, max, meaning. Tests check that values stay in range.
static const PfcObsRow template_obs[] = {
    PFC_OBS("paddle_x", 1, 0, 1, "paddle centre, in field widths"),
    PFC_OBS("ball_x", 1, 0, 1, "ball, in field widths"),
    PFC_OBS("ball_y", 1, 0, 1, "ball, in field heights; 0 is the top"),
    PFC_OBS("caught", 1, 0, 1, "balls caught, of 100"),
};

PFC_FN void template_drop_ball(Template* s) {
  s->ball_x = pfc_rng_float(&s->rng);
  s->ball_y = 0.0f;
}

// 4. Starts an episode. Everything but rng is already zero.
PFC_FN void template_reset(Template* s, const TemplateParams* p) {
  (void)p;
  s->paddle_x = 0.5f;
  template_drop_ball(s);
}

// 5. One step. Read io.actions, change the state, write io.rewards, and set io.terminated when the
//    episode is over. The index is the agent, here always 0.
PFC_FN void template_step(Template* s, const TemplateParams* p, PfcIo io) {
  if (io.actions[0] == 1) s->paddle_x -= TEMPLATE_PADDLE_SPEED;
  if (io.actions[0] == 2) s->paddle_x += TEMPLATE_PADDLE_SPEED;
  s->paddle_x = pfc_clampf(s->paddle_x, 0.0f, 1.0f);

  s->ball_y += p->ball_speed;
  if (s->ball_y < 1.0f) return;  // still falling
  s->ball_y = 1.0f;
  if (pfc_absf(s->ball_x - s->paddle_x) > TEMPLATE_PADDLE_WIDTH / 2.0f) {
    io.rewards[0] = -1.0f;
    io.terminated[0] = 1;
    return;
  }
  io.rewards[0] = 1.0f;
  s->catches += 1;
  if (s->catches == TEMPLATE_MAX_CATCHES) io.terminated[0] = 1;
  else template_drop_ball(s);
}

// 6. Writes the observation of agent number `agent`.
PFC_FN void template_observe(const Template* s, const TemplateParams* p, int32_t agent, TemplateObs* obs) {
  (void)p, (void)agent;
  obs->paddle_x = s->paddle_x;
  obs->ball_x = s->ball_x;
  obs->ball_y = s->ball_y;
  obs->caught = (float)s->catches / (float)TEMPLATE_MAX_CATCHES;
}

// 7. Numbers to log when an episode ends, in the order of .metrics below. The first is the score.
PFC_FN void template_metrics(const Template* s, const TemplateParams* p, int32_t agent, float* values) {
  (void)p, (void)agent;
  values[0] = (float)s->catches;
  values[1] = (float)s->catches / (float)TEMPLATE_MAX_CATCHES;
}

// 8. Draws a picture, back to front, with the callbacks of pufferc/draw.h, in units of your choice: here 440 x 400. The
//    palette and the helpers pfc_draw_* come from pufferc/style.h.
static void template_draw(const Template* s, const TemplateParams* p, const PfcDraw* d) {
  (void)p;
  const float width = 440.0f, height = 400.0f, field = 360.0f, left = 40.0f, floor = 372.0f;
  const float ball_x = left + field * s->ball_x, ball_y = 24.0f + (floor - 24.0f) * s->ball_y;
  const float paddle = field * TEMPLATE_PADDLE_WIDTH, paddle_x = left + field * s->paddle_x - paddle / 2.0f;
  pfc_draw_board(d, width, height);
  d->line(d->context, ball_x, ball_y, ball_x, floor, 2.0f, pfc_tint(PFC_GOAL, 40));  // where it will land
  d->rounded_rect(d->context, paddle_x, floor, paddle, 12.0f, 6.0f, pfc_rgb(PFC_AGENT));
  d->circle(d->context, ball_x, ball_y - 11.0f, 11.0f, pfc_rgb(PFC_GOAL));
  pfc_draw_count(d, 20.0f, 18.0f, 30.0f, true, s->catches, "caught");
  d->end(d->context);
}

// 9. Keys for play by hand: names, help, action dimension, choice. Optional: the default is one digit per choice.
static const PfcKeyBinding template_keys[] = {
    PFC_BIND("left a", "left", 0, 1),
    PFC_BIND("right d", "right", 0, 2),
};

// 10. The whole game in one struct. Change `version` whenever the rules change. pufferc/env.h documents these optional
//     members:
//
//       .layout, .fill_rows                sizes and observation rows that depend on parameters
//       .check                             combinations of parameters that are invalid
//       .mask                              choices that are sometimes illegal
//       .script, .num_levels               a built-in player
//       .sizes = {.agents, .teams}, .team  several agents, and their teams
//       .respawn                           agents whose episodes end one by one
//       .check_data, .reset_from           a file that the game reads, such as a map
//       .fields, .field                    state members that tests may read and write
//       .open, .close                      something outside the state, such as a physics world
PFC_DEFINE_ENV(template, Template,
               .title = "Template",
               .summary = "catch falling balls; the starting point for a new game",
               .version = 1,
               .obs_dtype = PFC_FLOAT32,
               .sizes = {.action_counts = {3}},  // 0 stay, 1 left, 2 right
               .obs_rows = template_obs,
               .num_obs_rows = sizeof template_obs / sizeof template_obs[0],
               .metrics = {"score", "perf"},
               .fps = 30,  // steps per second when a person watches or plays
               .keys = template_keys,
               .num_keys = sizeof template_keys / sizeof template_keys[0])
