// losses.cpp - see losses.h.
#include "bindings/losses.h"

namespace pufferc {

PfcPpoBatch read_columns(Arrays& arrays, py::ssize_t rows, const PpoColumns& from) {
  PfcPpoBatch batch = {};
  batch.rows = rows;
  batch.old_logprobs = arrays.floats("old_logprobs", from.old_logprobs, {rows});
  batch.advantages = arrays.floats("advantages", from.advantages, {rows});
  batch.returns = arrays.floats("returns", from.returns, {rows});
  batch.old_values = arrays.floats("old_values", from.old_values, {rows}, true);
  batch.alive = arrays.flags("alive", from.alive, {rows}, true);
  batch.clip = from.clip;
  batch.value_coef = from.value_coef;
  batch.entropy_coef = from.entropy_coef;
  batch.value_clip = from.value_clip;
  return batch;
}

PfcStatus normalise_advantages(PfcPpoBatch* batch) {
  double mean, std;
  const PfcStatus status = pfc_mean_std(batch->advantages, batch->alive, batch->rows, &mean, &std);
  if (status) return status;
  batch->advantage_mean = static_cast<float>(mean);
  batch->advantage_std = static_cast<float>(std);
  return PFC_OK;
}

py::tuple stats_tuple(const PfcPpoLossStats& stats) {
  return py::make_tuple(stats.loss, stats.policy_loss, stats.value_loss, stats.entropy, stats.approx_kl,
                        stats.old_approx_kl, stats.clip_fraction, stats.count);
}

}  // namespace pufferc
