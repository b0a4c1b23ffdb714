// policy_file.c - reading the file format of policy.h. Every length is checked against the bytes left
// before it is used, every number against its range, and an error names the place of what is wrong.
#include "policy/policy_file.h"

#include <string.h>

#include "core/base.h"
#include "networks/elements.h"

#define POLICY_MAGIC "PFCPOL\r\n"
enum { POLICY_OLDEST_VERSION = 1, POLICY_VERSION = 2, POLICY_FLAG_MASKED = 1, POLICY_KIND_NORMALISE = 1 };

// The bytes that are left, the version of the format, and the name for messages.
typedef struct Reader {
  const unsigned char* at;
  uint64_t left;
  const char* name;
  uint32_t version;
} Reader;

static PfcStatus reader_cut_short(const Reader* r, const char* what) {
  return pfc_fail(PFC_INVALID, "%s: the file ends within %s (%llu bytes are left)", r->name, what,
                  (unsigned long long)r->left);
}

// The next `bytes` bytes, or NULL when there are not as many.
static const unsigned char* reader_take(Reader* r, uint64_t bytes) {
  if (bytes > r->left) return NULL;
  const unsigned char* taken = r->at;
  r->at += bytes;
  r->left -= bytes;
  return taken;
}

static uint32_t get_u32(const unsigned char* at) {
  uint32_t value;
  memcpy(&value, at, sizeof value);
  return value;
}

static uint64_t get_u64(const unsigned char* at) {
  uint64_t value;
  memcpy(&value, at, sizeof value);
  return value;
}

static bool all_finite(const float* values, uint64_t count) {
  float zero = 0.0f;
  for (uint64_t i = 0; i < count; ++i) zero += values[i] * 0.0f;
  return zero == 0.0f;
}

// ---- the head ----------------------------------------------------------------------------------------

// Letters, digits, '_', '-' and '.', at least one, and zeros to the end.
static bool is_name(const char* text, size_t bytes) {
  const size_t length = strnlen(text, bytes);
  for (size_t i = 0; i < length; ++i) {
    const char c = text[i];
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (!letter && c != '_' && c != '-' && c != '.') return false;
  }
  for (size_t i = length; i < bytes; ++i)
    if (text[i]) return false;
  return length > 0 && length < bytes;
}

uint64_t pfc_policy_stated_bytes(const unsigned char* head) {
  if (memcmp(head, POLICY_MAGIC, 8) != 0) return POLICY_HEAD_BYTES;
  return PFC_MAX(PFC_MIN(get_u64(head + 16), (uint64_t)1 << 40), (uint64_t)POLICY_HEAD_BYTES);
}

static PfcStatus read_envelope(Reader* r, const unsigned char* data, uint64_t bytes, uint32_t* layers) {
  if (__BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__)
    return pfc_fail(PFC_UNSUPPORTED, "%s: policies cannot be read on big-endian machines", r->name);
  if (bytes < 8 || memcmp(data, POLICY_MAGIC, 8) != 0)
    return pfc_fail(PFC_INVALID, "%s: not a policy (it does not begin with PFCPOL)", r->name);
  const unsigned char* head = reader_take(r, POLICY_HEAD_BYTES);
  if (!head) return reader_cut_short(r, "its first 32 bytes");
  const uint64_t stated = get_u64(head + 16);
  r->version = get_u32(head + 8);
  if (r->version < POLICY_OLDEST_VERSION || r->version > POLICY_VERSION)
    return pfc_fail(PFC_INVALID, "%s: version %u of the format, expected %d or %d", r->name, r->version,
                    POLICY_OLDEST_VERSION, POLICY_VERSION);
  if (bytes < stated)
    return pfc_fail(PFC_INVALID, "%s: is cut short: %llu bytes of %llu", r->name, (unsigned long long)bytes,
                    (unsigned long long)stated);
  if (bytes > stated)
    return pfc_fail(PFC_INVALID, "%s: is longer than the %llu bytes that it states", r->name,
                    (unsigned long long)stated);
  if (get_u64(head + 24) != pfc_checksum(r->at, r->left))
    return pfc_fail(PFC_INVALID, "%s: is damaged (its checksum does not match)", r->name);
  *layers = get_u32(head + 12);
  if (*layers < 1 || *layers > PFC_POLICY_MAX_LAYERS)
    return pfc_fail(PFC_INVALID, "%s: expected 1 to %d layers, got %u", r->name, PFC_POLICY_MAX_LAYERS, *layers);
  return PFC_OK;
}

static PfcStatus read_observation(PfcPolicyInfo* info, const unsigned char* at, const char* name) {
  const uint32_t dtype = get_u32(at);
  if (dtype > PFC_INT8)
    return pfc_fail(PFC_INVALID, "%s: observations of dtype %u, expected 0 float32, 1 int32, 2 uint8 or 3 int8", name,
                    dtype);
  info->obs_dtype = (PfcDtype)dtype;
  int64_t size = 1;
  for (int32_t i = 0; i < PFC_MAX_OBS_DIMS; ++i) {
    const int32_t side = (int32_t)get_u32(at + 4 + 4 * i);
    if (side < 0 || side > PFC_POLICY_MAX_WIDTH || (side > 0 && info->obs_dims < i))
      return pfc_fail(PFC_INVALID, "%s: dimension %d of an observation is %d, expected 1 to %d, zeros only at the end",
                      name, i, side, PFC_POLICY_MAX_WIDTH);
    if (side == 0) continue;
    info->obs_shape[info->obs_dims++] = side;
    size = PFC_MIN(size * side, (int64_t)PFC_POLICY_MAX_WIDTH + 1);
  }
  if (info->obs_dims == 0 || size > PFC_POLICY_MAX_WIDTH)
    return pfc_fail(PFC_INVALID, "%s: expected 1 to %d values in an observation", name, PFC_POLICY_MAX_WIDTH);
  info->obs_size = (int32_t)size;
  return PFC_OK;
}

static PfcStatus read_actions(PfcPolicy* policy, const unsigned char* at, const char* name) {
  PfcPolicyInfo* info = &policy->info;
  const uint32_t head = get_u32(at);
  const int32_t dims = (int32_t)get_u32(at + 4);
  if (head > POLICY_NORMAL_SQUASHED)
    return pfc_fail(PFC_INVALID, "%s: action head %u is unknown here, expected 0 (categorical), 1 or 2 (normal)", name,
                    head);
  policy->head = (PolicyHead)head;
  info->discrete = head == POLICY_CATEGORICAL;
  info->action_dtype = info->discrete ? PFC_INT32 : PFC_FLOAT32;
  if (dims < 1 || dims > PFC_MAX_ACTION_DIMS)
    return pfc_fail(PFC_INVALID, "%s: expected 1 to %d action dimensions, got %d", name, PFC_MAX_ACTION_DIMS, dims);
  info->action_dims = dims;
  int32_t left = PFC_MAX_CHOICES;
  for (int32_t d = 0; d < PFC_MAX_ACTION_DIMS; ++d) {
    const int32_t count = (int32_t)get_u32(at + 8 + 4 * d);
    const bool used = d < dims && info->discrete;
    if (used ? count < 1 || count > left : count != 0)
      return pfc_fail(PFC_INVALID, "%s: %d choices in action dimension %d of %d, expected %d to %d", name, count, d,
                      dims, used, used ? left : 0);
    info->action_counts[d] = count;
    left -= count;
  }
  info->num_outputs = (info->discrete ? PFC_MAX_CHOICES - left : 2 * dims) + 1;
  return PFC_OK;
}

static PfcStatus read_params(PfcPolicy* policy, Reader* r, uint32_t count) {
  if (count > PFC_POLICY_MAX_PARAMS)
    return pfc_fail(PFC_INVALID, "%s: expected at most %d parameters, got %u", r->name, PFC_POLICY_MAX_PARAMS, count);
  for (uint32_t i = 0; i < count; ++i) {
    const unsigned char* at = reader_take(r, POLICY_PARAM_NAME_BYTES + 8);
    if (!at) return reader_cut_short(r, "the parameters");
    memcpy(policy->param_names[i], at, POLICY_PARAM_NAME_BYTES);
    if (!is_name(policy->param_names[i], POLICY_PARAM_NAME_BYTES))
      return pfc_fail(PFC_INVALID, "%s: parameter %u has no proper name", r->name, i);
    policy->params[i].name = policy->param_names[i];
    memcpy(&policy->params[i].value, at + POLICY_PARAM_NAME_BYTES, 8);
    if (policy->params[i].value - policy->params[i].value != 0.0)
      return pfc_fail(PFC_INVALID, "%s: parameter %s is not finite", r->name, policy->param_names[i]);
  }
  policy->info.params = policy->params;
  policy->info.num_params = (int32_t)count;
  return PFC_OK;
}

// What version 2 added: bytes 160 to 168.
static PfcStatus read_flags(PfcPolicyInfo* info, Reader* r) {
  const unsigned char* at = reader_take(r, 8);
  if (!at) return reader_cut_short(r, "the flags");
  const uint32_t flags = get_u32(at);
  if (flags & ~(uint32_t)POLICY_FLAG_MASKED || get_u32(at + 4))
    return pfc_fail(PFC_INVALID, "%s: flags %u and %u, expected 0 or 1 (masked), and 0", r->name, flags,
                    get_u32(at + 4));
  if (flags && !info->discrete)
    return pfc_fail(PFC_INVALID, "%s: is masked and has a normal action head, which has no masks", r->name);
  if (flags) info->mask_words = (info->num_outputs - 1 + 31) / 32;
  return PFC_OK;
}

static PfcStatus read_head(PfcPolicy* policy, Reader* r) {
  const unsigned char* at = reader_take(r, 128);  // bytes 32 to 160
  if (!at) return reader_cut_short(r, "the description of the game");
  memcpy(policy->game, at, POLICY_NAME_BYTES);
  if (!is_name(policy->game, POLICY_NAME_BYTES))
    return pfc_fail(PFC_INVALID, "%s: the game has no proper name", r->name);
  policy->info.game = policy->game;
  policy->info.game_version = (int32_t)get_u32(at + 64);
  PfcStatus status = read_observation(&policy->info, at + 68, r->name);
  if (!status) status = read_actions(policy, at + 84, r->name);
  if (!status && r->version > 1) status = read_flags(&policy->info, r);
  if (!status) status = read_params(policy, r, get_u32(at + 124));
  return status;
}

// ---- the layers --------------------------------------------------------------------------------------

typedef struct LayerHead {
  uint32_t index, kind, option, inputs, outputs;
  uint64_t columns, rows;  // of its matrix
  uint64_t numbers;        // float32 values that it must have
  PfcConvShape conv;
  PfcSet* sets;  // [option], owned
} LayerHead;

static bool takes_codes(const LayerHead* layer) {
  return layer->kind == POLICY_CODES || layer->kind == POLICY_CODE_ROWS;
}

static PfcStatus layer_wrong(const Reader* r, uint32_t index, const char* what, uint64_t got, uint64_t expected) {
  return pfc_fail(PFC_INVALID, "%s: layer %u: %s is %llu, expected %llu", r->name, index, what, (unsigned long long)got,
                  (unsigned long long)expected);
}

// The layer of codes: its option is the largest code, and it has no numbers.
static PfcStatus check_codes(const Reader* r, const LayerHead* layer, const PfcPolicyInfo* info, uint64_t bytes) {
  if (info->obs_dtype != PFC_UINT8 && info->obs_dtype != PFC_INT8)
    return pfc_fail(PFC_INVALID, "%s: layer %u: kind 3 (codes) takes observations of uint8 or int8", r->name,
                    layer->index);
  if (layer->option < 1 || layer->option > UINT8_MAX)
    return layer_wrong(r, layer->index, "the largest code", layer->option, UINT8_MAX);
  if (layer->inputs > PFC_POLICY_MAX_WIDTH / layer->option || layer->outputs != layer->inputs * layer->option)
    return layer_wrong(r, layer->index, "the number of outputs", layer->outputs,
                       (uint64_t)layer->inputs * layer->option);
  return bytes == 0 ? PFC_OK : layer_wrong(r, layer->index, "the size in bytes", bytes, 0);
}

// The layer of codes by row: its option is the number of rows, which follow. The rows themselves are checked later.
static PfcStatus check_code_rows(const Reader* r, const LayerHead* layer, uint64_t bytes) {
  if (layer->option < 1 || layer->option > layer->inputs)
    return layer_wrong(r, layer->index, "the number of rows", layer->option, layer->inputs);
  if (layer->outputs < 1 || layer->outputs > PFC_POLICY_MAX_WIDTH)
    return layer_wrong(r, layer->index, "the number of outputs", layer->outputs, PFC_POLICY_MAX_WIDTH);
  const uint64_t expected = sizeof(PolicyCodeRow) * (uint64_t)layer->option;
  return bytes == expected ? PFC_OK : layer_wrong(r, layer->index, "the size in bytes", bytes, expected);
}

// The layer of a convolution: its option is the number of filters, and its shape comes before the weights.
static PfcStatus read_conv_head(Reader* r, LayerHead* layer, uint64_t bytes) {
  enum { SHAPE_BYTES = 16 };
  const unsigned char* at = reader_take(r, SHAPE_BYTES);
  if (!at) return reader_cut_short(r, "the shape of a convolution");
  uint64_t image = 1;
  for (int32_t i = 0; i < 4; ++i) {
    const uint32_t value = get_u32(at + 4 * i);
    image = i < 3 ? PFC_MIN(image * value, (uint64_t)PFC_POLICY_MAX_WIDTH + 1) : image;
    if (value < 1 || value > PFC_POLICY_MAX_WIDTH || image > layer->inputs)
      return pfc_fail(PFC_INVALID,
                      "%s: layer %u: number %d of its shape (height, width, channels, stride) is %u, expected 1 to %d, "
                      "an image of at most %u inputs",
                      r->name, layer->index, i, value, PFC_POLICY_MAX_WIDTH, layer->inputs);
  }
  if (layer->option < 1 || layer->option > PFC_POLICY_MAX_WIDTH)
    return layer_wrong(r, layer->index, "the number of filters", layer->option, PFC_POLICY_MAX_WIDTH);
  layer->conv = (PfcConvShape){(int32_t)get_u32(at), (int32_t)get_u32(at + 4), (int32_t)get_u32(at + 8),
                               (int32_t)layer->option, (int32_t)get_u32(at + 12)};
  const uint64_t outputs = (uint64_t)pfc_conv_outputs(&layer->conv) + (layer->inputs - image);
  if (layer->outputs != outputs || outputs > PFC_POLICY_MAX_WIDTH)
    return layer_wrong(r, layer->index, "the number of outputs", layer->outputs,
                       PFC_MIN(outputs, (uint64_t)PFC_POLICY_MAX_WIDTH));
  layer->columns = 9 * (uint64_t)layer->conv.channels, layer->rows = layer->option;
  layer->numbers = (layer->columns + 1) * layer->rows;
  const uint64_t expected = SHAPE_BYTES + (layer->numbers * 4 + 7) / 8 * 8;
  return bytes == expected ? PFC_OK : layer_wrong(r, layer->index, "the size in bytes", bytes, expected);
}

static PfcSetsShape sets_shape(const LayerHead* layer) {
  return (PfcSetsShape){(int32_t)layer->inputs, (int32_t)layer->option, layer->sets};
}

// The layer of sets: its option is their number, and they come before the weights. The caller frees layer->sets.
static PfcStatus read_sets_head(Reader* r, LayerHead* layer, uint64_t bytes) {
  const uint64_t head = sizeof(PfcSet) * (uint64_t)layer->option;
  if (layer->option < 1 || layer->option > layer->inputs)
    return layer_wrong(r, layer->index, "the number of sets", layer->option, layer->inputs);
  const unsigned char* at = reader_take(r, head);
  if (!at) return reader_cut_short(r, "the sets of a layer");
  PfcSet* sets = pfc_alloc(head);
  if (!sets) return pfc_fail(PFC_NO_MEMORY, "%s: no memory for layer %u", r->name, layer->index);
  memcpy(sets, at, head);
  layer->sets = sets;
  const PfcSetsShape shape = sets_shape(layer);
  const int32_t invalid = pfc_sets_invalid(&shape);
  if (invalid >= 0)
    return pfc_fail(PFC_INVALID,
                    "%s: layer %u: set %d (first %d, count %d, each %d, width %d) is out of order, ends beyond the %u "
                    "inputs, or has no whole entities or a width or entities of more than %d",
                    r->name, layer->index, invalid, sets[invalid].first, sets[invalid].count, sets[invalid].each,
                    sets[invalid].width, layer->inputs, PFC_LINEAR_MAX_WIDTH);
  const uint64_t outputs = (uint64_t)pfc_sets_outputs(&shape);
  if (layer->outputs != outputs || outputs > PFC_LINEAR_MAX_WIDTH)
    return layer_wrong(r, layer->index, "the number of outputs", layer->outputs,
                       PFC_MIN(outputs, (uint64_t)PFC_LINEAR_MAX_WIDTH));
  for (uint32_t i = 0; i < layer->option; ++i)
    layer->numbers += (uint64_t)sets[i].width * ((uint64_t)sets[i].each + 1 + (uint64_t)sets[i].width + 1);
  const uint64_t expected = head + (layer->numbers * 4 + 7) / 8 * 8;
  return bytes == expected ? PFC_OK : layer_wrong(r, layer->index, "the size in bytes", bytes, expected);
}

static PfcStatus check_kind(const Reader* r, const LayerHead* layer) {
  if (layer->kind == POLICY_KIND_NORMALISE)
    return pfc_fail(PFC_INVALID,
                    "%s: layer %u: kind 1 (normalise) is no longer read; fold it into the first linear layer",
                    r->name, layer->index);
  if (layer->kind < POLICY_LINEAR || layer->kind > POLICY_CODE_ROWS)
    return pfc_fail(PFC_INVALID,
                    "%s: layer %u: kind %u is unknown here, expected 2 linear, 3 codes, 4 MinGRU, 5 LSTM, 6 "
                    "convolution, 7 sets or 8 codes by row",
                    r->name, layer->index, layer->kind);
  if (layer->index > 0 && takes_codes(layer))
    return pfc_fail(PFC_INVALID, "%s: layer %u: kind %u (codes) may only come first", r->name, layer->index,
                    layer->kind);
  return PFC_OK;
}

// Reads one layer's head and checks it against the `width` of what comes in.
static PfcStatus read_layer_head(Reader* r, LayerHead* layer, uint32_t width, const PfcPolicyInfo* info) {
  const unsigned char* at = reader_take(r, 24);
  if (!at) return reader_cut_short(r, "a layer's head");
  layer->kind = get_u32(at), layer->option = get_u32(at + 4);
  layer->inputs = get_u32(at + 8), layer->outputs = get_u32(at + 12);
  const PfcStatus status = check_kind(r, layer);
  if (status) return status;
  if (layer->inputs != width) return layer_wrong(r, layer->index, "the number of inputs", layer->inputs, width);
  if (layer->kind == POLICY_CODES) return check_codes(r, layer, info, get_u64(at + 16));
  if (layer->kind == POLICY_CODE_ROWS) return check_code_rows(r, layer, get_u64(at + 16));
  if (layer->kind == POLICY_CONV) return read_conv_head(r, layer, get_u64(at + 16));
  if (layer->kind == POLICY_SETS) return read_sets_head(r, layer, get_u64(at + 16));
  if (layer->option > (layer->kind == POLICY_LINEAR ? 1u : 0u))
    return layer_wrong(r, layer->index, "the option", layer->option, 0);
  if (layer->kind == POLICY_MINGRU && layer->outputs != width)
    return layer_wrong(r, layer->index, "the number of outputs", layer->outputs, width);
  if (layer->outputs < 1 || layer->outputs > PFC_POLICY_MAX_WIDTH)
    return layer_wrong(r, layer->index, "the number of outputs", layer->outputs, PFC_POLICY_MAX_WIDTH);
  layer->rows = (uint64_t)layer->outputs * (layer->kind == POLICY_MINGRU ? 2 : layer->kind == POLICY_LSTM ? 4 : 1);
  layer->columns = width + (layer->kind == POLICY_LSTM ? (uint64_t)layer->outputs : 0);
  layer->numbers = (layer->columns + 1) * layer->rows;
  const uint64_t bytes = (layer->numbers * 4 + 7) / 8 * 8;
  if (get_u64(at + 16) != bytes) return layer_wrong(r, layer->index, "the size in bytes", get_u64(at + 16), bytes);
  return PFC_OK;
}

// The layer of sets from its numbers.
static PfcStatus make_sets(PfcPolicy* policy, PolicyLayer* made, const LayerHead* layer, const float* numbers) {
  const PfcSetsShape shape = sets_shape(layer);
  if (!pfc_sets_init(&made->sets, false, &shape)) return PFC_NO_MEMORY;
  for (int32_t i = 0; i < 2 * made->sets.num_sets; ++i) {
    int32_t outputs, inputs;
    pfc_sets_layer_shape(&made->sets, i, &outputs, &inputs);
    const int64_t weights = (int64_t)outputs * inputs;
    pfc_sets_set_layer(&made->sets, i, numbers, numbers + weights);
    numbers += weights + outputs;
  }
  policy->widest = PFC_MAX(policy->widest, pfc_padded(made->outputs));
  policy->set_bytes = PFC_MAX(policy->set_bytes, pfc_sets_scratch_bytes(&made->sets, POLICY_BLOCK_ROWS));
  return PFC_OK;
}

// Makes a layer of numbers that are aligned, unlike those in the caller's memory.
static PfcStatus make_layer(PfcPolicy* policy, const LayerHead* layer, const float* numbers) {
  policy->info.num_weights += (int64_t)layer->numbers;
  PolicyLayer* made = &policy->layers[policy->num_layers++];
  *made = (PolicyLayer){.kind = (PolicyKind)layer->kind, .inputs = (int32_t)layer->inputs,
                        .outputs = (int32_t)layer->outputs, .state_offset = policy->info.state_size};
  const float* bias = numbers + layer->columns * layer->rows;
  if (layer->kind == POLICY_SETS) return make_sets(policy, made, layer, numbers);
  if (layer->kind == POLICY_CONV) {
    if (!pfc_conv_init(&made->conv, pfc_linear_infer_kernels(0), &layer->conv, numbers, bias)) return PFC_NO_MEMORY;
    policy->widest = PFC_MAX(policy->widest, made->outputs);
    policy->patches = PFC_MAX(policy->patches, pfc_conv_scratch(&made->conv));
    return PFC_OK;
  }
  if (!pfc_linear_infer_init(&made->linear, pfc_linear_infer_kernels(0), (int32_t)layer->columns, (int32_t)layer->rows,
                             numbers, bias, layer->option == 1))
    return PFC_NO_MEMORY;
  policy->widest = PFC_MAX(policy->widest, made->linear.padded);
  if (layer->kind == POLICY_LSTM) policy->joined = PFC_MAX(policy->joined, (int32_t)layer->columns);
  policy->info.state_size += made->outputs * (layer->kind == POLICY_LSTM ? 2 : layer->kind == POLICY_MINGRU);
  return PFC_OK;
}

// Marks the outputs of a row in taken [outputs]. False if some are out of bounds or already taken.
static bool take_outputs(const PolicyCodeRow* row, uint32_t outputs, uint8_t* taken) {
  const uint64_t width = row->max_code ? (uint32_t)row->max_code : 1;
  for (uint64_t i = 0; i < (uint32_t)row->count; ++i) {
    const uint64_t first = (uint32_t)row->first + i * (uint32_t)row->step;
    if (first + width > outputs) return false;
    for (uint64_t k = first; k < first + width; ++k)
      if (taken[k]++) return false;
  }
  return true;
}

// Every value of an observation must have outputs, and every output one value.
static PfcStatus check_places(const PfcPolicy* policy, const Reader* r, const LayerHead* layer, uint8_t* taken) {
  uint64_t values = 0, places = 0;
  for (int32_t i = 0; i < policy->num_code_rows; ++i) {
    const PolicyCodeRow* row = &policy->code_rows[i];
    values += (uint32_t)row->count;
    if (row->count < 1 || values > layer->inputs || !take_outputs(row, layer->outputs, taken))
      return pfc_fail(PFC_INVALID,
                      "%s: layer %u: row %d has values or outputs out of bounds, or outputs of another row", r->name,
                      layer->index, i);
  }
  for (uint32_t k = 0; k < layer->outputs; ++k) places += taken[k];
  if (values != layer->inputs)
    return layer_wrong(r, layer->index, "the number of values in rows", values, layer->inputs);
  if (places != layer->outputs)
    return layer_wrong(r, layer->index, "the number of outputs of rows", places, layer->outputs);
  return PFC_OK;
}

// Kind 3 is one row.
static PfcStatus read_codes(PfcPolicy* policy, Reader* r, const LayerHead* layer) {
  const PolicyCodeRow all = {(int32_t)layer->inputs, (int32_t)layer->option, 0, (int32_t)layer->option};
  const int32_t count = layer->kind == POLICY_CODES ? 1 : (int32_t)layer->option;
  const uint64_t bytes = sizeof all * (uint64_t)count;
  const void* rows = layer->kind == POLICY_CODES ? (const void*)&all : reader_take(r, bytes);
  if (!rows) return reader_cut_short(r, "the rows of a layer");
  policy->code_rows = pfc_alloc(bytes);
  uint8_t* taken = pfc_alloc(layer->outputs);
  PfcStatus status = PFC_NO_MEMORY;
  if (policy->code_rows && taken) {
    memcpy(policy->code_rows, rows, bytes);
    policy->num_code_rows = count;
    policy->inputs = (int32_t)layer->outputs;
    status = check_places(policy, r, layer, taken);
  } else {
    pfc_fail(PFC_NO_MEMORY, "%s: no memory for layer %u", r->name, layer->index);
  }
  pfc_free(taken);
  return status;
}

static PfcStatus read_weights(PfcPolicy* policy, Reader* r, const LayerHead* layer) {
  PfcStatus status = PFC_OK;
  const unsigned char* at = reader_take(r, (layer->numbers * 4 + 7) / 8 * 8);
  if (!at) return reader_cut_short(r, "a layer's weights");
  float* numbers = pfc_alloc(layer->numbers * 4);
  if (!numbers) return pfc_fail(PFC_NO_MEMORY, "%s: no memory for layer %u", r->name, layer->index);
  memcpy(numbers, at, layer->numbers * 4);
  if (!all_finite(numbers, layer->numbers))
    status = pfc_fail(PFC_INVALID, "%s: layer %u: has weights that are not finite", r->name, layer->index);
  else if (make_layer(policy, layer, numbers))
    status = pfc_fail(PFC_NO_MEMORY, "%s: no memory for layer %u", r->name, layer->index);
  pfc_free(numbers);
  return status;
}

static PfcStatus read_layer(PfcPolicy* policy, Reader* r, LayerHead* layer, uint32_t width) {
  PfcStatus status = read_layer_head(r, layer, width, &policy->info);
  if (!status) status = takes_codes(layer) ? read_codes(policy, r, layer) : read_weights(policy, r, layer);
  pfc_free(layer->sets);
  return status;
}

PfcStatus pfc_policy_read(PfcPolicy* policy, const unsigned char* data, uint64_t bytes, const char* name) {
  Reader r = {data, bytes, name, 0};
  uint32_t layers = 0;
  PfcStatus status = read_envelope(&r, data, bytes, &layers);
  if (!status) status = read_head(policy, &r);
  if (status) return status;
  LayerHead layer = {0};
  uint32_t width = (uint32_t)policy->info.obs_size;
  policy->inputs = policy->info.obs_size;
  for (uint32_t i = 0; i < layers; ++i) {
    layer = (LayerHead){.index = i};
    status = read_layer(policy, &r, &layer, width);
    if (status) return status;
    width = layer.outputs;
  }
  policy->info.num_layers = (int32_t)layers;
  if (layer.kind != POLICY_LINEAR || layer.option != 0 || width != (uint32_t)policy->info.num_outputs)
    return pfc_fail(
        PFC_INVALID,
        "%s: the last layer must be linear with option 0 and %d outputs (of the action head, and the value)", name,
        policy->info.num_outputs);
  if (r.left) return pfc_fail(PFC_INVALID, "%s: %llu bytes follow the last layer", name, (unsigned long long)r.left);
  return PFC_OK;
}
