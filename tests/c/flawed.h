// flawed.h - a small correct game that tests can break, and the findings of `pufferc check` about it.
//
// A test passes a Flaw to flaw_check: functions that run after the game's own functions and spoil their results. They
// use the check's trace to find out where they are: flaw_visit counts how often a stage has reached a step of a game,
// so that a test can make two pools differ at exactly one place.
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

// Functions that spoil the game; NULL leaves it correct. Functions of the second group also give the game an optional
// part that it does not have otherwise.
typedef struct Flaw {
  void (*reset)(Flawed* s, const FlawedParams* p);
  void (*step)(Flawed* s, PfcIo io);
  void (*observe)(const Flawed* s, int32_t agent, FlawedObs* obs);
  void (*metrics)(const Flawed* s, float* values);
  void (*draw)(const PfcDraw* d);  // replaces the game's own
  bool dull;                       // no randomness
  bool endless;                    // no episode ends

  void (*mask)(const Flawed* s, int32_t agent, uint8_t* legal);  // all choices are preset to legal
  void (*script)(const Flawed* s, int32_t level, PfcRng* rng, int32_t* choices);  // two levels; choices are preset to 0
  int32_t (*team)(int32_t agent);  // of two teams
  void (*fill_rows)(PfcObsRow* rows);
  void (*field)(PfcField* field);  // of the field "age", the only one
  void (*reset_from)(Flawed* s, const uint8_t* data);
  void (*respawn_from)(Flawed* s, const uint8_t* data);  // gives each agent its own episodes
  const char* (*check_data)(const uint8_t* data, uint64_t bytes);  // after the check for FLAWED_DATA bytes
} Flaw;

extern const PfcEnvSpec pfc_env_flawed;
extern Flaw flaw;             // of the running check
extern PfcTrace* flaw_trace;  // of the running check

// Returns how often the check has reached this stage, step and game (-1: any): 0 = it is elsewhere now, 1 = first time.
// One counter per check, so ask about one place only.
int32_t flaw_visit(const char* stage, int64_t step, int64_t game);

// All findings of a check.
typedef struct Found {
  int32_t count;
  PfcStatus status;
  PfcFinding findings[FLAWED_FOUND];
  char subjects[FLAWED_FOUND][32];  // copies, because findings may point into the check's memory
} Found;

Found flaw_check(Flaw spoiled, const PfcParamValue* params, int32_t num_params);

// Runs a check in a child process. Returns the signal that ended it, or 0; *trace is its last trace.
int flaw_crash(Flaw spoiled, PfcTrace* trace);

// The finding of this code and subject (NULL: any); NULL if there is none.
const PfcFinding* found_find(const Found* found, const char* code, const char* subject);

// True if there is such a finding, at this game and step (-1: none), whose text contains `words`.
bool found_is(const Found* found, const char* code, const char* subject, int64_t game, int64_t step, const char* words);

// True if a check has `count` findings, not counting the speed, which is always there. Prints them if not.
bool found_only(const Found* found, int32_t count);

#endif  // PUFFERC_TESTS_FLAWED_H
