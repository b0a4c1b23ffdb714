// record.h - a line of tests/golden/<game>.txt: one recorded trajectory.
//
//   version games steps seed hash [parameter=value ...]
//
// Header-only.
#ifndef PUFFERC_TESTS_RECORD_H
#define PUFFERC_TESTS_RECORD_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pufferc/pufferc.h"

enum { RECORD_MAX_GAMES = 1024, RECORD_MAX_PARAMS = 8, RECORD_LINE_BYTES = 512 };

typedef struct Record {
  int32_t version, games, steps;
  unsigned long long seed, hash;
  int32_t num_params;
  PfcParamValue params[RECORD_MAX_PARAMS];
  char text[RECORD_LINE_BYTES];  // storage of the parameter names
} Record;

// Comments and empty lines are no records.
static inline bool line_is_record(const char* line) { return line[0] != '#' && line[0] != '\n' && line[0] != 0; }

// Parses "name=value name=value" in r->text, in place.
static inline bool parse_params(Record* r) {
  for (char* word = strtok(r->text, " \n"); word; word = strtok(NULL, " \n")) {
    char* equals = strchr(word, '=');
    if (!equals || r->num_params == RECORD_MAX_PARAMS) return false;
    *equals = 0;
    r->params[r->num_params].name = word;
    r->params[r->num_params++].value = strtod(equals + 1, NULL);
  }
  return true;
}

static inline bool parse_record(const char* line, Record* r) {
  int used = 0;
  memset(r, 0, sizeof *r);
  if (sscanf(line, "%d %d %d %llu %llx%n", &r->version, &r->games, &r->steps, &r->seed, &r->hash, &used) != 5)
    return false;
  snprintf(r->text, sizeof r->text, "%s", line + used);
  return r->games >= 2 && r->games <= RECORD_MAX_GAMES && r->games % 2 == 0 && parse_params(r);
}

static inline PfcPoolDesc record_desc(const Record* r, const PfcEnvSpec* spec) {
  PfcPoolDesc desc;
  memset(&desc, 0, sizeof desc);
  desc.spec = spec;
  desc.num_games = r->games;
  desc.seed = r->seed;
  desc.params = r->params;
  desc.num_params = r->num_params;
  return desc;
}

#endif  // PUFFERC_TESTS_RECORD_H
