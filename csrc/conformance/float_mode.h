// float_mode.h - this thread's floating-point mode: rounding, and whether denormals are flushed to zero.
#ifndef PUFFERC_CONFORMANCE_FLOAT_MODE_H
#define PUFFERC_CONFORMANCE_FLOAT_MODE_H

#include <stdint.h>

uint32_t pfc_float_mode(void);
void pfc_set_float_mode(uint32_t mode);

#endif  // PUFFERC_CONFORMANCE_FLOAT_MODE_H
