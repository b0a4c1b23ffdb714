// text.c - numbers as text and text as numbers, for labels in pictures and for messages.
//
// Reals have up to 17 digits, computed in double precision. The last digits may differ from those of other systems.
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct Out {
  char* text;
  size_t bytes, length;  // length of the whole text, also of the part that does not fit
} Out;

typedef struct Field {  // of one conversion
  bool left, zeros, plus, space;
  int width, precision;  // precision -1: not given
  char kind;
} Field;

static void put(Out* out, char c) {
  if (out->length + 1 < out->bytes) out->text[out->length] = c;
  out->length += 1;
}

static void put_field(Out* out, const Field* field, const char* sign, const char* body, size_t length) {
  int padding = field->width - (int)(length + strlen(sign));
  if (!field->left && !field->zeros)
    for (; padding > 0; --padding) put(out, ' ');
  for (; *sign; ++sign) put(out, *sign);
  if (!field->left)
    for (; padding > 0; --padding) put(out, '0');
  for (size_t i = 0; i < length; ++i) put(out, body[i]);
  for (; padding > 0; --padding) put(out, ' ');
}

static const char* sign_of(const Field* field, bool negative) {
  return negative ? "-" : field->plus ? "+" : field->space ? " " : "";
}

// Writes a whole number backwards, up to `end`, and returns its start.
static char* digits_before(char* end, uint64_t value, unsigned base, const char* digits) {
  do *--end = digits[value % base];
  while (value /= base);
  return end;
}

static void put_whole(Out* out, Field* field, uint64_t value, bool negative) {
  char text[96];
  const bool hexadecimal = field->kind == 'x' || field->kind == 'X' || field->kind == 'p';
  const char* digits = field->kind == 'X' ? "0123456789ABCDEF" : "0123456789abcdef";
  char* start = digits_before(text + sizeof text, value, hexadecimal ? 16 : 10, digits);
  while (text + sizeof text - start < field->precision && start > text) *--start = '0';
  if (field->precision >= 0) field->zeros = false;
  const bool is_signed = field->kind == 'd' || field->kind == 'i';
  put_field(out, field, is_signed ? sign_of(field, negative) : "", start, (size_t)(text + sizeof text - start));
}

static double power_of_ten(int exponent) {
  double power = 1.0, base = exponent < 0 ? 0.1 : 10.0;
  if (exponent < 0) return 1.0 / power_of_ten(-exponent);
  for (; exponent > 0; exponent /= 2, base *= base)
    if (exponent % 2) power *= base;
  return power;
}

// x = digits * 10^(exponent - count + 1) with `count` digits, rounded; x > 0.
static uint64_t decimal_digits(double x, int count, int* exponent) {
  *exponent = 0;
  for (double rest = x; rest >= 10.0; rest /= 10.0) ++*exponent;
  for (double rest = x; rest < 1.0; rest *= 10.0) --*exponent;
  const double limit = power_of_ten(count);
  double scaled = *exponent < count ? x * power_of_ten(count - 1 - *exponent) : x / power_of_ten(*exponent - count + 1);
  scaled = floor(scaled + 0.5);
  if (scaled >= limit) scaled /= 10.0, ++*exponent;
  return (uint64_t)scaled;
}

// Appends x >= 0 with `precision` digits after the point.
static char* fixed(char* at, double x, int precision) {
  char whole[32];
  if (x >= 1e18) x = 1e18;
  if (precision > 17) precision = 17;
  const double scale = power_of_ten(precision);
  double front = floor(x), back = floor((x - front) * scale + 0.5);
  if (back >= scale) front += 1.0, back -= scale;
  char* start = digits_before(whole + sizeof whole, (uint64_t)front, 10, "0123456789");
  while (start < whole + sizeof whole) *at++ = *start++;
  if (precision == 0) return at;
  *at++ = '.';
  start = digits_before(whole + sizeof whole, (uint64_t)back, 10, "0123456789");
  for (int i = (int)(whole + sizeof whole - start); i < precision; ++i) *at++ = '0';
  while (start < whole + sizeof whole) *at++ = *start++;
  return at;
}

// Appends x > 0 in the form d.ddde+xx.
static char* scientific(char* at, uint64_t digits, int count, int exponent) {
  char text[32];
  char* start = digits_before(text + sizeof text, digits, 10, "0123456789");
  *at++ = *start++;
  if (count > 1) *at++ = '.';
  for (int i = 1; i < count; ++i) *at++ = *start++;
  *at++ = 'e';
  *at++ = exponent < 0 ? '-' : '+';
  const int size = exponent < 0 ? -exponent : exponent;
  if (size < 10) *at++ = '0';
  start = digits_before(text + sizeof text, (uint64_t)size, 10, "0123456789");
  while (start < text + sizeof text) *at++ = *start++;
  return at;
}

// %g: the shorter of the two forms, without zeros at the end.
static char* general(char* at, double x, int precision) {
  int exponent = 0, count = precision > 17 ? 17 : precision < 1 ? 1 : precision;
  uint64_t digits = x > 0.0 ? decimal_digits(x, count, &exponent) : 0;
  if (exponent >= -4 && exponent < count) {
    char* end = fixed(at, x, count - 1 - exponent);
    if (!memchr(at, '.', (size_t)(end - at))) return end;
    while (end[-1] == '0') --end;
    return end[-1] == '.' ? end - 1 : end;
  }
  for (; digits % 10 == 0 && count > 1; --count) digits /= 10;
  return scientific(at, digits, count, exponent);
}

static void put_real(Out* out, Field* field, double x) {
  char text[80], *end = text;
  const bool negative = __builtin_signbit(x) && x == x;
  const double size = fabs(x);
  const int precision = field->precision < 0 ? 6 : field->precision;
  if (!isfinite(x)) {
    field->zeros = false;
    end = strcpy(text, x == x ? "inf" : "nan") + 3;
  } else if (field->kind == 'f') {
    end = fixed(text, size, precision);
  } else if (field->kind == 'e') {
    int exponent = 0;
    const int count = precision > 16 ? 17 : precision + 1;
    const uint64_t digits = size > 0.0 ? decimal_digits(size, count, &exponent) : 0;
    end = scientific(text, digits, digits ? count : 1, exponent);
  } else {
    end = general(text, size, precision);
  }
  put_field(out, field, sign_of(field, negative), text, (size_t)(end - text));
}

static const char* read_number(const char* format, int* number, va_list* arguments) {
  if (*format == '*') {
    *number = va_arg(*arguments, int);
    return format + 1;
  }
  for (*number = 0; *format >= '0' && *format <= '9'; ++format) *number = *number * 10 + (*format - '0');
  return format;
}

static const char* read_field(const char* format, Field* field, int* longs, va_list* arguments) {
  *field = (Field){.precision = -1};
  for (;; ++format) {
    if (*format == '-') field->left = true;
    else if (*format == '0') field->zeros = true;
    else if (*format == '+') field->plus = true;
    else if (*format == ' ') field->space = true;
    else break;
  }
  format = read_number(format, &field->width, arguments);
  if (*format == '.') format = read_number(format + 1, &field->precision, arguments);
  for (*longs = 0; *format == 'l' || *format == 'h' || *format == 'z'; ++format) *longs += *format == 'l';
  field->kind = *format;
  return *format ? format + 1 : format;
}

static void put_conversion(Out* out, Field* field, int longs, va_list* arguments) {
  switch (field->kind) {
    case 'd':
    case 'i': {
      const int64_t value = longs >= 2 ? va_arg(*arguments, long long) : va_arg(*arguments, int);
      put_whole(out, field, value < 0 ? 0u - (uint64_t)value : (uint64_t)value, value < 0);
      break;
    }
    case 'u':
    case 'x':
    case 'X':
      put_whole(out, field, longs >= 2 ? va_arg(*arguments, unsigned long long) : va_arg(*arguments, unsigned), false);
      break;
    case 'p': put_whole(out, field, (uintptr_t)va_arg(*arguments, void*), false); break;
    case 'c': {
      const char c = (char)va_arg(*arguments, int);
      put_field(out, field, "", &c, 1);
      break;
    }
    case 's': {
      const char* text = va_arg(*arguments, const char*);
      field->zeros = false;
      put_field(out, field, "", text, strnlen(text, field->precision < 0 ? SIZE_MAX : (size_t)field->precision));
      break;
    }
    case 'f':
    case 'e':
    case 'g': put_real(out, field, va_arg(*arguments, double)); break;
    default: put(out, field->kind);
  }
}

int vsnprintf(char* restrict text, size_t bytes, const char* restrict format, va_list given) {
  Out out = {text, bytes, 0};
  va_list arguments;
  va_copy(arguments, given);
  while (*format) {
    if (*format != '%') {
      put(&out, *format++);
      continue;
    }
    Field field;
    int longs;
    format = read_field(format + 1, &field, &longs, &arguments);
    put_conversion(&out, &field, longs, &arguments);
  }
  va_end(arguments);
  if (bytes > 0) text[out.length < bytes ? out.length : bytes - 1] = 0;
  return (int)out.length;
}

int snprintf(char* restrict text, size_t bytes, const char* restrict format, ...) {
  va_list arguments;
  va_start(arguments, format);
  const int length = vsnprintf(text, bytes, format, arguments);
  va_end(arguments);
  return length;
}

// ---- text as numbers -------------------------------------------------------------------------------------

double strtod(const char* text, char** end) {
  const bool negative = *text == '-';
  double value = 0.0;
  int exponent = 0, shift = 0;
  text += *text == '-' || *text == '+';
  for (; *text >= '0' && *text <= '9'; ++text) value = value * 10.0 + (*text - '0');
  if (*text == '.')
    for (++text; *text >= '0' && *text <= '9'; ++text, --shift) value = value * 10.0 + (*text - '0');
  if (*text == 'e' || *text == 'E') {
    const bool down = text[1] == '-';
    for (text += text[1] == '-' || text[1] == '+' ? 2 : 1; *text >= '0' && *text <= '9'; ++text)
      exponent = exponent * 10 + (*text - '0');
    if (down) exponent = -exponent;
  }
  exponent += shift;
  if (end) *end = (char*)text;
  value = exponent < 0 ? value / power_of_ten(-exponent) : value * power_of_ten(exponent);
  return negative ? -value : value;
}

float strtof(const char* text, char** end) { return (float)strtod(text, end); }
