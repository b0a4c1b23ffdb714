// agents.h - agents that do not matter: dead ones, ones without rewards, with the observation of another agent, or
// whose actions change nothing.
//
// The first PFC_WATCHED_AGENTS agents of a game are watched. One check at a time, see conformance.h.
#ifndef PUFFERC_CONFORMANCE_AGENTS_H
#define PUFFERC_CONFORMANCE_AGENTS_H

#include "pufferc/pufferc.h"

enum { PFC_WATCHED_AGENTS = 16 };

void pfc_agents_begin(void);
// Call after a pool's reset (step 0) and after each step.
void pfc_agents_watch(const PfcPool* pool, int64_t step);
// Reports what was watched.
void pfc_agents_conclude(void);
// Plays pairs of pools that differ in the actions of one agent.
void pfc_check_agents(void);

#endif  // PUFFERC_CONFORMANCE_AGENTS_H
