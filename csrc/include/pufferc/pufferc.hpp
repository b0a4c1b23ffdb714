// pufferc.hpp - pufferc.h and policy.h for C++17: ownership, spans, exceptions. Header-only. For pictures: render.hpp.
//
//   #include <cstdio>
//   #include <pufferc/pufferc.hpp>
//
//   int main() {
//     pufferc::PoolOptions options;
//     options.num_games = 1024;
//     options.params = {{"frames_per_step", 4}};
//     pufferc::Pool pool("breakout", options);
//     std::vector<std::int32_t> actions(pool.rows() * pool.action_dims());
//     pool.reset(7);
//     for (int t = 0; t < 1000; ++t) {
//       auto observations = pool.observations<float>();            // [rows, obs_size], row after row
//       for (std::size_t row = 0; row < pool.rows(); ++row)        // element 0 is the position of the paddle
//         actions[row] = observations[row * pool.obs_size()] < 0.5f ? 2 : 1;
//       pool.step(actions);                                        // pool.rewards(), pool.terminated(), ... are new
//     }
//     std::printf("mean score %g\n", pool.pop_metrics().at("score"));
//   }
//
// To let a trained policy play:
//
//   pufferc::Policy policy("breakout.pfc");
//   pufferc::Player player(policy, pool);
//   player.act(draw);  // then, in each step
//   player.step();
//
// A Pool or Policy owns its C object and frees it in its destructor. It can be moved but not copied. handle() returns
// the C object for functions of the C headers, which document shapes, orders and lifetimes. Spans borrow: those of a
// pool are valid until the pool is destroyed, and their contents change with the next step or reset.
//
// Errors of the C functions are thrown as pufferc::Error. So are spans of the wrong length. A call that throws has
// changed nothing. The rules of the C headers apply to a pool or policy that several threads use.
#ifndef PUFFERC_HPP
#define PUFFERC_HPP

#include <string>

#include "pufferc/policy.hpp"
#include "pufferc/pool.hpp"
#include "pufferc/span.hpp"

namespace pufferc {

inline std::string version() { return pfc_version(); }

}  // namespace pufferc

#endif  // PUFFERC_HPP
