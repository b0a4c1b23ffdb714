// flawed.h - a small sound game with places to break it in, and what `pufferc check` says of it then.
//
// A test hands a Flaw to flaw_check: functions that are called after the game's own, and spoil what it did. Where they
// are called from, the check's trace tells: flaw_visit counts how often a stage has come to a step of a game, which
// is how a difference between two pools is made at one place alone.
#ifndef PUFFERC_TESTS_FLAWED_H
#define PUFFERC_TESTS_FLAWED_H

#include <stdbool.h>

#include "conformance/conformance.h"

enum { FLAWED_AGENTS = 2, FLAWED_DIMS = 2, FLAWED_CHOICES = 5, FLAWED_DATA = 24, FLAWED_FOUND = 24 };

typedef struct Flawed {
  PfcRng rng;
  int32_t age;  // steps of the episode
  float x[FLAWED_AGENTS];
  float pair[FLAWED_AGENTS];
  int32_t scratch;
  uint64_t word;  // 0; its last byte is the state's
} Flawed;

typedef struct FlawedObs {
  float x, clock, pair[2];
} FlawedObs;

typedef struct FlawedParams FlawedParams;

// What spoils the game; NULL leaves it sound. The second group gives the game a part that it has not otherwise, which is
// sound until the function spoils it.
typedef struct Flaw {
  void (*reset)(Flawed* s, const FlawedParams* p);
  void (*step)(Flawed* s, PfcIo io);
  void (*observe)(const Flawed* s, int32_t agent, FlawedObs* obs);
  void (*metrics)(const Flawed* s, float* values);
  void (*draw)(const PfcDraw* d);  // instead of its own
  bool dull;                       // nothing is left to chance
  bool endless;                    // no episode ends

  void (*mask)(const Flawed* s, int32_t agent, uint8_t* legal);  // all choices are legal before
  void (*script)(const Flawed* s, int32_t level, PfcRng* rng, int32_t* choices);  // two levels; all choices are 0 before
  int32_t (*team)(int32_t agent);  // of two sides
  void (*fill_rows)(PfcObsRow* rows);
  void (*field)(PfcField* field);  // of the field "age", which is the table's only one
  void (*reset_from)(Flawed* s, const uint8_t* data);
  void (*respawn_from)(Flawed* s, const uint8_t* data);  // with it each agent lives by itself
  const char* (*check_data)(const uint8_t* data, uint64_t bytes);  // asked after the game's own: FLAWED_DATA bytes
} Flaw;

extern const PfcEnvSpec pfc_env_flawed;
extern Flaw flaw;             // of the check that goes on
extern PfcTrace* flaw_trace;  // of the check that goes on

// Whether the check is at this stage and step (and game, -1: any), and how often it has been: 0 = it is not there,
// 1 = for the first time. Counted for one place in each check.
int32_t flaw_visit(const char* stage, int64_t step, int64_t game);

// All that a check found.
typedef struct Found {
  int32_t count;
  PfcStatus status;
  PfcFinding findings[FLAWED_FOUND];
  char subjects[FLAWED_FOUND][32];  // the findings' own may not outlive the check
} Found;

Found flaw_check(Flaw spoiled, const PfcParamValue* params, int32_t num_params);

// The signal that ended such a check in a child process, 0 if none did; *trace is what it left.
int flaw_crash(Flaw spoiled, PfcTrace* trace);

// The finding of this code and subject (NULL: any); NULL if there is none.
const PfcFinding* found_find(const Found* found, const char* code, const char* subject);

// Whether there is such a finding, at this game and step (-1: nowhere), that says these words.
bool found_is(const Found* found, const char* code, const char* subject, int64_t game, int64_t step, const char* words);

// Whether a check found so many things besides the speed, which it always gives. Prints them if not.
bool found_only(const Found* found, int32_t count);

#endif  // PUFFERC_TESTS_FLAWED_H
