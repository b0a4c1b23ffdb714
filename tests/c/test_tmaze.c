// test_tmaze.c - the rules of the T-maze, and a proof by enumeration that it needs memory: every policy that uses only
// the current observation, or also the number of steps, has mean return 0.
#include <string.h>

#include "../../csrc/envs/tmaze.c"
#include "check.h"

enum { LONGEST = 8, OBSERVATIONS = 6, POLICIES = 1 << OBSERVATIONS, EPISODES = 40000 };

static const TmazeParams short_maze = {.max_steps = 0, .length = LONGEST, .min_length = 3, .distractors = 1};

typedef struct Outcome {
  float reward;
  uint8_t terminated;
} Outcome;

static Tmaze fresh(const TmazeParams* p, uint64_t seed, uint64_t index) {
  Tmaze s;
  memset(&s, 0, sizeof s);
  pfc_rng_seed(&s.rng, seed, index);
  tmaze_reset(&s, p);
  return s;
}

static Outcome step(Tmaze* s, const TmazeParams* p, int32_t action) {
  Outcome out = {0.0f, 0};
  uint8_t truncated = 0, alive = 1;
  const PfcIo io = {.actions = &action,
                    .rewards = &out.reward,
                    .terminated = &out.terminated,
                    .truncated = &truncated,
                    .alive = &alive};
  tmaze_step(s, p, io);
  return out;
}

static TmazeObs seen(const Tmaze* s, const TmazeParams* p) {
  TmazeObs obs;
  tmaze_observe(s, p, 0, &obs);
  return obs;
}

// Index of the observation, one of six with distractors: lamp left or right, at the start, in the corridor, at the
// junction.
static int observation_number(TmazeObs o) {
  const int where = o.start > 0.0f ? 0 : o.junction > 0.0f ? 2 : 1;
  return 2 * where + (o.lamp > 0.0f);
}

static void test_an_episode(const TmazeParams* p, uint64_t index) {
  Tmaze s = fresh(p, 3, index);
  const int32_t length = s.length, side = s.side;
  CHECK(length >= p->min_length && length <= p->length && (side == -1 || side == 1));
  CHECK(seen(&s, p).start == 1.0f && seen(&s, p).junction == 0.0f && seen(&s, p).lamp == (float)side);
  for (int32_t t = 1; t <= length; ++t) {
    const Outcome out = step(&s, p, (int32_t)(pfc_hash64(index + (uint64_t)t) & 1));
    const TmazeObs o = seen(&s, p);
    CHECK(out.reward == 0.0f && !out.terminated && s.turned == 0);
    CHECK(o.start == 0.0f && o.junction == (t == length ? 1.0f : 0.0f));
    CHECK(p->distractors ? o.lamp == -1.0f || o.lamp == 1.0f : o.lamp == 0.0f);
  }
  const int32_t action = (int32_t)(index & 1), way = action == TMAZE_RIGHT ? 1 : -1;
  const Outcome out = step(&s, p, action);
  float values[2] = {out.reward, -1.0f};
  tmaze_metrics(&s, p, 0, values);
  CHECK(out.terminated && out.reward == (way == side ? 1.0f : -1.0f) && values[1] == (way == side ? 1.0f : 0.0f));
}

// Actions before the junction have no effect on the state, so they cannot store the side.
static void test_actions_in_the_corridor_have_no_effect(void) {
  for (uint64_t index = 0; index < 200; ++index) {
    Tmaze a = fresh(&short_maze, 5, index), b = a;
    while (a.place < a.length) {
      (void)step(&a, &short_maze, TMAZE_LEFT);
      (void)step(&b, &short_maze, TMAZE_RIGHT);
      CHECK(memcmp(&a, &b, sizeof a) == 0);
    }
  }
}

// Plays every mapping from the six observations to the two actions in the four equally likely situations at the
// junction (side, lamp), for every length. The mean is exactly 0.
static void test_every_memoryless_policy_has_mean_zero(void) {
  for (int policy = 0; policy < POLICIES; ++policy) {
    float sum = 0.0f;
    for (int32_t length = short_maze.min_length; length <= LONGEST; ++length) {
      for (int situation = 0; situation < 4; ++situation) {
        Tmaze s = fresh(&short_maze, 1, 0);
        s.length = length;
        s.side = s.lamp = situation & 1 ? 1 : -1;
        Outcome out = {0.0f, 0};
        while (!out.terminated) {
          if (s.place == length) s.lamp = situation & 2 ? 1 : -1;
          out = step(&s, &short_maze, policy >> observation_number(seen(&s, &short_maze)) & 1);
        }
        sum += out.reward;
      }
    }
    CHECK(sum == 0.0f);
  }
}

// Checks the assumption of the enumeration: given the number of steps and the lamp at the junction, both sides are
// equally likely. So every policy of these two inputs has mean 0.
static void test_both_sides_are_equally_likely_at_the_junction(void) {
  int32_t count[LONGEST + 1][2][2];
  memset(count, 0, sizeof count);
  for (uint64_t index = 0; index < EPISODES; ++index) {
    Tmaze s = fresh(&short_maze, 11, index);
    while (s.place < s.length) (void)step(&s, &short_maze, 0);
    count[s.place][s.lamp > 0][s.side > 0] += 1;
  }
  const int32_t cells = 4 * (LONGEST - short_maze.min_length + 1);
  const double expected = (double)EPISODES / cells;
  double chi_squared = 0.0;
  for (int32_t t = short_maze.min_length; t <= LONGEST; ++t)
    for (int i = 0; i < 4; ++i) {
      const double off = count[t][i & 1][i >> 1] - expected;
      chi_squared += off * off / expected;
    }
  CHECK(chi_squared < 49.7);  // 23 degrees of freedom: exceeded once in a thousand by chance, never with this seed
}

static void test_memory_wins_every_episode(void) {
  for (uint64_t index = 0; index < 1000; ++index) {
    Tmaze s = fresh(&short_maze, 13, index);
    int32_t memory = 0;
    Outcome out = {0.0f, 0};
    while (!out.terminated) {
      const TmazeObs o = seen(&s, &short_maze);
      if (o.start > 0.0f) memory = o.lamp > 0.0f;
      out = step(&s, &short_maze, memory);
    }
    CHECK(out.reward == 1.0f);
  }
}

int main(void) {
  const TmazeParams dark = {.max_steps = 0, .length = 1, .min_length = 1, .distractors = 0};
  const TmazeParams reversed = {.max_steps = 0, .length = 4, .min_length = 5, .distractors = 1};
  for (uint64_t index = 0; index < 300; ++index) {
    test_an_episode(&short_maze, index);
    test_an_episode(&dark, index);
  }
  test_actions_in_the_corridor_have_no_effect();
  test_every_memoryless_policy_has_mean_zero();
  test_both_sides_are_equally_likely_at_the_junction();
  test_memory_wins_every_episode();
  CHECK(tmaze_check(&short_maze) == NULL && tmaze_check(&dark) == NULL && tmaze_check(&reversed) != NULL);
  return check_report();
}
