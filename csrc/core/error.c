// error.c - the last error of each thread.
#include <stdarg.h>
#include <stdio.h>

#include "core/base.h"

static _Thread_local char last_error[512];
static _Thread_local PfcStatus last_status;

const char* pfc_last_error(void) { return last_error; }

PfcStatus pfc_last_status(void) { return last_status; }

PfcStatus pfc_fail(PfcStatus status, const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  (void)vsnprintf(last_error, sizeof last_error, format, arguments);
  va_end(arguments);
  last_status = status;
  return status;
}
