// version.c - which library this is.
#include "core/base.h"

const char* pfc_version(void) { return PFC_VERSION; }

uint32_t pfc_abi_version(void) { return PFC_ABI_VERSION; }
