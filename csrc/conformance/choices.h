// choices.h - checks a mask that a game wrote, and the actions of its built-in player.
//
// A mistake is reported and then corrected, so that the check can continue.
#ifndef PUFFERC_CONFORMANCE_CHOICES_H
#define PUFFERC_CONFORMANCE_CHOICES_H

#include <stdint.h>

#include "pufferc/env.h"

typedef struct PfcChoices {
  int32_t dims, num_choices;  // num_choices: 0 in a continuous game
  int32_t counts[PFC_MAX_ACTION_DIMS];
} PfcChoices;

typedef void (*PfcFind)(const char* code, const char* subject, const char* seen);

// legal: [num_choices] bytes, then zeros up to a whole word of 32.
void pfc_check_mask(const PfcChoices* choices, uint8_t* legal, PfcFind find);
// player is its name in reports. mask is the row's mask words, or NULL. chosen is [dims].
void pfc_check_choices(const PfcChoices* choices, const char* player, const uint32_t* mask, int32_t* chosen,
                       PfcFind find);
void pfc_check_controls(const PfcChoices* choices, const char* player, float* controls, PfcFind find);

#endif  // PUFFERC_CONFORMANCE_CHOICES_H
