// test_policy_file.c - policy files: messages name the error, and no contents make the loader read outside the file
// (every file is in an allocation of exactly its size, so that a sanitizer finds the first byte too far).
#include <unistd.h>

#include "harness.h"
#include "policy_writer.h"

// A file with two parameters: its layers begin at byte LAYERS, the second one at SECOND.
static const Net damaged_net = {"breakout", PFC_FLOAT32, 1, {3}, 0, 2, 2, {118, 128, 4}, {0}, 0};
enum { LAYERS = 168 + 2 * 40, SECOND = LAYERS + 24 + 119 * 128 * 4 };

// Replaces one 32-bit number of the file of damaged_net; the message must contain the word.
typedef struct Damage {
  uint64_t at;
  uint32_t value;
  const char* word;
} Damage;

static const Damage damages[] = {
    {0, 0, "not a policy"},
    {8, 0, "version 0"},
    {8, 3, "version 3"},
    {12, 0, "layers, got 0"},
    {12, 65, "layers, got 65"},
    {12, 1, "last layer"},
    {12, 3, "the file ends within a layer's head"},
    {32, 0, "game has no proper"},
    {32, 0x2f2f2f2f, "proper name"},
    {100, 9, "dtype 9"},
    {104, 0, "1 to 65536 values"},
    {104, 119, "number of inputs"},
    {108, 65536, "1 to 65536 values"},
    {112, 3, "dimension 2"},
    {116, 3, "action head 3"},
    {120, 0, "action dimensions, got 0"},
    {120, 9, "dimensions, got 9"},
    {124, 0, "0 choices"},
    {124, 4, "last layer"},
    {124, 8193, "8193 choices"},
    {128, 1, "1 choices"},
    {156, 65, "at most 64"},
    {160, 2, "flags 2 and 0"},
    {164, 1, "flags 0 and 1"},
    {168, 0, "parameter 0"},
    {168 + 36, 0x7ff00000, "max_steps is not finite"},
    {LAYERS, 1, "kind 1 (normalise) is no longer read"},
    {LAYERS, 0, "kind 0 is unknown"},
    {LAYERS, 8, "size in bytes"},
    {LAYERS, 9, "kind 9 is unknown"},
    {LAYERS + 4, 2, "option is 2"},
    {LAYERS + 8, 117, "number of inputs is 117"},
    {LAYERS + 12, 0, "outputs is 0"},
    {LAYERS + 16, 8, "size in bytes"},
    {LAYERS + 24, 0x7fc00000, "not finite"},
    {SECOND, 1, "kind 1"},
    {SECOND, 8, "kind 8 (codes) may only come first"},
    {SECOND, 6, "number 0 of its shape (height, width, channels, stride) is"},
    {SECOND + 4, 2, "option is 2"},
    {SECOND, 4, "outputs is 4, expected 128"},
};

static void test_damages(void) {
  for (size_t i = 0; i < sizeof damages / sizeof damages[0]; ++i) {
    File file = write_policy(&damaged_net, 1);
    memcpy(file.data + damages[i].at, &damages[i].value, 4);
    seal(&file);
    PfcPolicy* policy = parse(&file);
    check_message(!policy, damages[i].word);
    check_message(!policy, "test.pfc: ");
    pfc_policy_destroy(policy);
    file_free(&file);
  }
}

static void test_masks_need_choices(void) {
  const Net net = {"x", PFC_FLOAT32, 2, {0}, 1, 0, 1, {3, 5}, {0}, 1};
  File file = write_policy(&net, 1);
  check_message(!parse(&file), "is masked and has a normal action head");
  file_free(&file);
}

// Version 1 has no flags. Its normalising layer is refused too.
static void test_version_1(void) {
  File file = write_policy_as(&damaged_net, 1, 1), same = write_policy(&damaged_net, 1);
  CHECK(file.bytes == same.bytes - 8);
  PfcPolicy *policy = parse(&file), *other = parse(&same);
  if (!CHECK(policy && other)) return;
  static float observations[3 * 118], outputs[3 * 4], expected[3 * 4];
  for (int i = 0; i < 3 * 118; ++i) observations[i] = (float)(i % 7) - 3.0f;
  CHECK(pfc_policy_info(policy)->mask_words == 0 && pfc_policy_info(policy)->num_params == 2);
  CHECK(pfc_policy_forward(policy, observations, 3, NULL, outputs) == PFC_OK);
  CHECK(pfc_policy_forward(other, observations, 3, NULL, expected) == PFC_OK);
  CHECK(memcmp(outputs, expected, sizeof outputs) == 0);
  pfc_policy_destroy(policy), pfc_policy_destroy(other);
  const uint32_t normalise = 1;
  memcpy(file.data + LAYERS - 8, &normalise, 4);
  seal(&file);
  check_message(!parse(&file), "kind 1 (normalise) is no longer read");
  file_free(&file), file_free(&same);
}

// A file that loads must be usable: runs one row with arrays of exactly their sizes.
static void use(PfcPolicy* policy) {
  const PfcPolicyInfo* info = pfc_policy_info(policy);
  const size_t value_bytes = info->obs_dtype == PFC_FLOAT32 || info->obs_dtype == PFC_INT32 ? 4 : 1;
  void* observation = calloc((size_t)info->obs_size, value_bytes);
  float* outputs = malloc(sizeof(float) * (size_t)info->num_outputs);
  int32_t* actions = malloc(sizeof(int32_t) * (size_t)info->action_dims);  // or as many floats
  float* state = calloc((size_t)info->state_size + 1, sizeof(float));
  CHECK(pfc_policy_forward(policy, observation, 1, state, outputs) == PFC_OK);
  uint32_t* mask = malloc(sizeof(uint32_t) * (size_t)info->mask_words + 1);
  memset(mask, 0xff, sizeof(uint32_t) * (size_t)info->mask_words);
  (void)pfc_policy_act_masked(policy, observation, info->mask_words ? mask : NULL, 1, NULL, state, actions,
                              NULL);  // huge weights may overflow
  free(mask);
  for (int32_t d = 0; d < info->action_dims; ++d) {
    float control;
    memcpy(&control, &actions[d], sizeof control);
    if (info->discrete) CHECK(actions[d] >= 0 && actions[d] < info->action_counts[d]);
    else CHECK(control >= -1.0f && control <= 1.0f);
  }
  CHECK(strlen(info->game) < 64);
  free(observation), free(outputs), free(actions), free(state);
}

static bool try_bytes(const unsigned char* data, uint64_t bytes) {
  unsigned char* exact = malloc(bytes ? bytes : 1);
  memcpy(exact, data, bytes);
  PfcPolicy* policy = pfc_policy_parse(exact, bytes, "fuzz");
  free(exact);
  if (!policy) CHECK(strncmp(pfc_last_error(), "fuzz: ", 6) == 0);
  if (policy) use(policy);
  pfc_policy_destroy(policy);
  return policy != NULL;
}

static void mutate(File* file, PfcRng* rng) {
  const uint64_t head = PFC_MIN(file->bytes, (uint64_t)300);
  for (uint32_t n = 1 + pfc_rng_below(rng, 3); n > 0; --n) {
    static const uint32_t odd[] = {0, 1, 2, 0x7f, 0x80, 0xff, 0x7fffffff, 0x80000000, 0xffffffff, 0x10000, 0x7f800000};
    const uint64_t at = pfc_rng_below(rng, (uint32_t)(pfc_rng_below(rng, 2) ? head : file->bytes));
    const uint32_t word = odd[pfc_rng_below(rng, sizeof odd / sizeof odd[0])];
    switch (pfc_rng_below(rng, 4)) {
      case 0: file->data[at] = (unsigned char)pfc_rng_u32(rng); break;
      case 1: file->data[at] ^= (unsigned char)(1u << pfc_rng_below(rng, 8)); break;
      case 2: memcpy(file->data + at / 4 * 4, &word, 4); break;
      default: if (pfc_rng_below(rng, 4) == 0) file->bytes = at / 4 * 4 + 4; break;
    }
  }
}

static void test_fuzz(void) {
  PfcRng rng;
  pfc_rng_seed(&rng, 2024, 0);
  const Net small[] = {{"squared", PFC_UINT8, 2, {2, 3}, 1, 2, 2, {5, 4, 6}, {0}, 0},
                       {"x", PFC_FLOAT32, 1, {3}, 0, 0, 1, {3, 4}, {0}, 0},
                       {"x", PFC_FLOAT32, 1, {3}, 0, 0, 3, {3, 3, 2, 4}, {NET_MINGRU, NET_LSTM}, 0},
                       {"x", PFC_FLOAT32, 2, {0}, 0, 0, 1, {3, 5}, {0}, 2}};
  enum { NUM_SMALL = sizeof small / sizeof small[0] };
  File whole[NUM_SMALL];
  for (size_t n = 0; n < NUM_SMALL; ++n) whole[n] = write_policy(&small[n], 1);
  int32_t taken = 0;
  for (int32_t i = 0; i < 30000; ++i) {
    File file = {0};
    put(&file, whole[i / 4 % NUM_SMALL].data, whole[i / 4 % NUM_SMALL].bytes);
    mutate(&file, &rng);
    if (i % 4) seal(&file);  // the others must fail the checksum
    taken += try_bytes(file.data, file.bytes);
    file_free(&file);
  }
  CHECK(taken > 1000 && taken < 25000);  // some mutations load and some do not
  for (size_t n = 0; n < NUM_SMALL; ++n) {
    File file = whole[n];
    CHECK(try_bytes(file.data, file.bytes));
    for (uint64_t bytes = 0; bytes < file.bytes; ++bytes) CHECK(!try_bytes(file.data, bytes));
    for (; file.bytes > 32; file.bytes -= 4) {
      File cut = {0};
      put(&cut, file.data, file.bytes - 4);
      seal(&cut);
      CHECK(!try_bytes(cut.data, cut.bytes));
      file_free(&cut);
    }
    file_free(&file);
  }
}

static void test_load(void) {
  char path[] = "policy-test-XXXXXX";
  const int handle = mkstemp(path);
  if (!CHECK(handle >= 0)) return;
  close(handle);
  File file = write_policy(&damaged_net, 1);
  CHECK(save(path, &file));
  PfcPolicy* policy = pfc_policy_load(path);
  CHECK(policy && strcmp(pfc_policy_info(policy)->params[1].name, "frameskip") == 0);
  CHECK(policy && pfc_policy_info(policy)->params[1].value == 101.0);
  pfc_policy_destroy(policy);
  put(&file, "more", 4);
  CHECK(save(path, &file));
  check_message(!pfc_policy_load(path), "is longer than");
  file.bytes -= 100;
  CHECK(save(path, &file));
  check_message(!pfc_policy_load(path), "is cut short");
  check_message(!pfc_policy_load(path), path);
  file.bytes = 0;
  CHECK(save(path, &file));
  check_message(!pfc_policy_load(path), "not a policy");
  remove(path);
  check_message(!pfc_policy_load(path), "No such file");
  check_message(!pfc_policy_load("."), "cannot be read: Is a directory");
  check_message(!pfc_policy_load("/dev/zero"), "not a policy");
  check_message(!pfc_policy_load(NULL), "path");
  check_message(!pfc_policy_parse(NULL, 3, "here"), "here: data");
  file_free(&file);
}

int main(void) {
  test_damages();
  test_masks_need_choices();
  test_version_1();
  test_fuzz();
  test_load();
  return check_report();
}
