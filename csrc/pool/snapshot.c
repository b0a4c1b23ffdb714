// snapshot.c - save and load every game of a pool as one block of bytes.
//
// Layout: SnapshotHead, parameters, then for all rows or games: running returns and lengths, flags,
// alive, stopped, metric sums and counts, states. The byte order is native; the head records it.
#include <string.h>

#include "pool/pool.h"

typedef struct SnapshotHead {
  char magic[8];
  uint32_t byte_order;    // 0x01020304 in native byte order
  uint32_t format;        // FORMAT
  char game[32];
  int32_t version, num_games, agents, autoreset;
  uint64_t state_bytes;
  uint64_t total_bytes;
  uint64_t data_checksum;
  uint64_t checksum;      // of everything after the head
} SnapshotHead;

static const char MAGIC[8] = "pfcsnap";
enum { FORMAT = 2 };  // changes with SnapshotHead and transfer_all; 1 was written by ABI 1

// Copies between the pool and the snapshot in either direction. If `at` is NULL, it only adds up sizes.
typedef struct Cursor {
  unsigned char* at;
  uint64_t used;
  bool loading;
} Cursor;

static void transfer(Cursor* cursor, void* memory, uint64_t bytes) {
  if (cursor->at && cursor->loading) memcpy(memory, cursor->at + cursor->used, (size_t)bytes);
  else if (cursor->at) memcpy(cursor->at + cursor->used, memory, (size_t)bytes);
  cursor->used += bytes;
}

static void transfer_all(PfcPool* pool, Cursor* cursor) {
  const uint64_t rows = (uint64_t)pool->buffers.rows;
  const uint64_t columns = 2 + (uint64_t)pool->buffers.num_metrics;
  transfer(cursor, pool->games.running_returns, rows * sizeof(float));
  transfer(cursor, pool->games.running_lengths, rows * sizeof(int32_t));
  if (pool->games.autoreset != PFC_AUTORESET_SAME_STEP) {  // only stopped rows keep their flags
    transfer(cursor, pool->games.terminated, rows);
    transfer(cursor, pool->games.truncated, rows);
  }
  transfer(cursor, pool->games.alive, rows);
  transfer(cursor, pool->games.stopped, rows);
  transfer(cursor, pool->games.metric_sums, rows * columns * sizeof(double));
  transfer(cursor, pool->games.metric_counts, rows * sizeof(int32_t));
  for (int32_t game = 0; game < pool->buffers.num_games; ++game)
    transfer(cursor, pfc_game_state(&pool->games, game), pool->layout.state_bytes);
}

uint64_t pfc_pool_snapshot_bytes(const PfcPool* pool) {
  if (!pool) return 0;
  Cursor cursor = {0};
  transfer_all((PfcPool*)pool, &cursor);  // only adds up
  return sizeof(SnapshotHead) + pool->spec->params_bytes + cursor.used;
}

static PfcStatus check_can_snapshot(PfcPool* pool) {
  if (pool->spec->open)
    return pfc_fail(PFC_UNSUPPORTED, "%s cannot be saved or loaded, because it owns objects outside its state",
                    pool->spec->name);
  return pfc_pool_expect_idle(pool);
}

static SnapshotHead head_of(const PfcPool* pool) {
  SnapshotHead head;
  memset(&head, 0, sizeof head);
  memcpy(head.magic, MAGIC, sizeof head.magic);
  head.byte_order = 0x01020304u;
  head.format = FORMAT;
  memcpy(head.game, pool->spec->name, strlen(pool->spec->name));
  head.version = pool->spec->version;
  head.num_games = pool->buffers.num_games;
  head.agents = pool->layout.agents;
  head.autoreset = (int32_t)pool->games.autoreset;
  head.state_bytes = pool->layout.state_bytes;
  head.total_bytes = pfc_pool_snapshot_bytes(pool);
  head.data_checksum = pool->data_checksum;
  return head;
}

PfcStatus pfc_pool_save(PfcPool* pool, void* buffer, uint64_t bytes) {
  PfcStatus status = pfc_pool_enter(pool);
  if (status) return status;
  status = check_can_snapshot(pool);
  if (!status && !pool->was_reset) status = pfc_fail(PFC_STATE, "reset the pool before saving it");
  const uint64_t total = pfc_pool_snapshot_bytes(pool);
  if (!status && (!buffer || bytes != total))
    status = pfc_fail(PFC_INVALID, "buffer: expected %llu bytes, got %llu", (unsigned long long)total,
                      (unsigned long long)(buffer ? bytes : 0));
  if (!status) {
    unsigned char* at = buffer;
    SnapshotHead head = head_of(pool);
    memcpy(at + sizeof head, pool->games.params, pool->spec->params_bytes);
    Cursor cursor = {.at = at + sizeof head + pool->spec->params_bytes};
    transfer_all(pool, &cursor);
    head.checksum = pfc_checksum(at + sizeof head, total - sizeof head);
    memcpy(at, &head, sizeof head);
  }
  pfc_pool_leave(pool);
  return status;
}

static PfcStatus check_head(const PfcPool* pool, const unsigned char* at, uint64_t bytes) {
  SnapshotHead head;
  const SnapshotHead ours = head_of(pool);
  if (!at || bytes < sizeof head)
    return pfc_fail(PFC_INVALID, "snapshot: %llu bytes are too few for a snapshot",
                    (unsigned long long)(at ? bytes : 0));
  memcpy(&head, at, sizeof head);
  head.game[sizeof head.game - 1] = 0;
  if (memcmp(head.magic, MAGIC, sizeof MAGIC) != 0)
    return pfc_fail(PFC_INVALID, "snapshot: expected a snapshot of a pool");
  if (head.byte_order != ours.byte_order)
    return pfc_fail(PFC_INVALID, "snapshot: was saved on a machine with another byte order");
  if (head.format != ours.format)
    return pfc_fail(PFC_INVALID, "snapshot: format is %u, expected %u", head.format, ours.format);
  if (strcmp(head.game, ours.game) != 0 || head.version != ours.version)
    return pfc_fail(PFC_INVALID, "snapshot: is of %s version %d, expected %s version %d", head.game, head.version,
                    ours.game, ours.version);
  if (head.num_games != ours.num_games || head.agents != ours.agents || head.autoreset != ours.autoreset)
    return pfc_fail(PFC_INVALID, "snapshot: has %d games with %d agents (autoreset %d), expected %d with %d (%d)",
                    head.num_games, head.agents, head.autoreset, ours.num_games, ours.agents, ours.autoreset);
  if (head.state_bytes == ours.state_bytes && head.total_bytes == ours.total_bytes && bytes == head.total_bytes &&
      head.checksum != pfc_checksum(at + sizeof head, bytes - sizeof head))
    return pfc_fail(PFC_INVALID, "snapshot: is damaged; its checksum does not match");
  if (head.state_bytes != ours.state_bytes || bytes != ours.total_bytes || head.total_bytes != ours.total_bytes)
    return pfc_fail(PFC_INVALID, "snapshot: has %llu bytes, expected %llu (it has other parameters or is truncated)",
                    (unsigned long long)bytes, (unsigned long long)ours.total_bytes);
  if (memcmp(at + sizeof head, pool->games.params, pool->spec->params_bytes) != 0)
    return pfc_fail(PFC_INVALID, "snapshot: the parameters of %s are different", ours.game);
  if (head.data_checksum != ours.data_checksum)
    return pfc_fail(PFC_INVALID, "snapshot: the data of %s is different", ours.game);
  return PFC_OK;
}

// A loaded pool has no results of a step.
static void clear_step_results(PfcPool* pool) {
  for (int32_t g = 0; g < pool->buffers.num_groups; ++g) pool->groups[g].ended = 0;
  memset(pool->games.rewards, 0, (size_t)pool->buffers.rows * sizeof(float));
  for (int64_t row = 0; row < pool->buffers.rows; ++row)
    if (!pool->games.stopped[row]) pool->games.terminated[row] = pool->games.truncated[row] = 0;
}

PfcStatus pfc_pool_load(PfcPool* pool, const void* buffer, uint64_t bytes, void* observations) {
  PfcStatus status = pfc_pool_enter(pool);
  if (status) return status;
  status = check_can_snapshot(pool);
  if (!status) status = check_head(pool, buffer, bytes);
  if (!status) {
    Cursor cursor = {.at = (unsigned char*)(uintptr_t)buffer + sizeof(SnapshotHead) + pool->spec->params_bytes,
                     .loading = true};
    transfer_all(pool, &cursor);
    clear_step_results(pool);
    pool->was_reset = true;
    pfc_pool_run(pool, PFC_JOB_OBSERVE, observations);
  }
  pfc_pool_leave(pool);
  return status;
}
