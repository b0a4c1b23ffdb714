// web.h - the functions of a WebAssembly module that runs one game in a page, or under Node. python/pufferc/web builds
// such modules.
//
// A module has one pool, at most one policy and one picture. The page finds their memory with web_view; the addresses
// are valid until the next web_open. Functions that return int32_t return a PfcStatus, and web_error then has the
// reason. Text is UTF-8 and ends with a zero byte. Arguments that are addresses come from web_alloc.
#ifndef PUFFERC_WEB_H
#define PUFFERC_WEB_H

#include "pufferc/pufferc.h"

#define WEB_EXPORT(name) __attribute__((export_name(#name)))

extern const PfcEnvSpec pfc_env_module;  // the game that the module was built with

// Who chooses the actions of web_act.
typedef enum WebPlayer {
  WEB_RANDOM = 0,
  WEB_POLICY = 1,
  WEB_GREEDY = 2,  // the policy's most probable actions
  WEB_SCRIPT = 3   // level 0; WEB_SCRIPT + n = level n
} WebPlayer;

// Arrays of the pool; shapes are those of PfcBuffers.
typedef enum WebView {
  WEB_OBSERVATIONS = 0,
  WEB_ACTIONS = 1,  // [rows, action_dims] of the next step; the page may change them after web_act
  WEB_REWARDS = 2,
  WEB_TERMINATED = 3,
  WEB_TRUNCATED = 4,
  WEB_ALIVE = 5,
  WEB_ACTION_MASK = 6,
  WEB_FORCED = 7,
  WEB_EPISODE_RETURNS = 8,
  WEB_EPISODE_LENGTHS = 9,
  WEB_EPISODE_METRICS = 10,
  WEB_VALUES = 11  // [rows] the policy's estimates
} WebView;

WEB_EXPORT(web_alloc) void* web_alloc(uint32_t bytes);
WEB_EXPORT(web_free) void web_free(void* memory);
WEB_EXPORT(web_error) const char* web_error(void);

// For the next web_open: a parameter of the game, and the bytes of its file. Both stay where they are.
WEB_EXPORT(web_param) int32_t web_param(const char* name, double value);
WEB_EXPORT(web_data) void web_data(const void* data, uint32_t bytes);
WEB_EXPORT(web_clear) void web_clear(void);  // forgets the parameters and the file

// Makes a new pool. autoreset: PfcAutoreset. web_reset must follow, except for web_hash.
WEB_EXPORT(web_open) int32_t web_open(int32_t games, uint64_t seed, int32_t autoreset);
WEB_EXPORT(web_reset) int32_t web_reset(uint64_t seed);
// Resets the rows that ended, in a pool that does not do so itself.
WEB_EXPORT(web_restart) int32_t web_restart(void);
// Reads a policy file and checks that it fits the pool. The bytes are not used later.
WEB_EXPORT(web_policy) int32_t web_policy(const void* data, uint32_t bytes);

// Fills the actions of every row. The draws depend on `seed` and the number of steps since web_reset.
WEB_EXPORT(web_act) int32_t web_act(int32_t player, uint64_t seed);
WEB_EXPORT(web_step) int32_t web_step(void);
// `steps` times web_act and web_step.
WEB_EXPORT(web_run) int32_t web_run(int32_t player, uint64_t seed, int32_t steps);
WEB_EXPORT(web_view) const void* web_view(int32_t view);

// Mean score of the episodes since the last call, and their number; 0 without one.
WEB_EXPORT(web_score) double web_score(void);
WEB_EXPORT(web_episodes) int32_t web_episodes(void);

// The first game as pixels [height, width] of red, green, blue and 255, following `agent`; NULL on failure.
WEB_EXPORT(web_draw) const uint32_t* web_draw(int32_t width_px, int32_t height_px, int32_t agent);
WEB_EXPORT(web_aspect) double web_aspect(void);  // width / height of the game's world; 0 on failure

// The golden hash of a pool that was just made by web_open with same-step autoreset; 0 on failure.
WEB_EXPORT(web_hash) uint64_t web_hash(int32_t steps);

#endif  // PUFFERC_WEB_H
