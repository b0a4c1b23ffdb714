// pufferc.hpp - the C++17 face of pufferc.h and policy.h: ownership, spans, exceptions. Header only. Pictures: render.hpp.
//
//   #include <cstdio>
//   #include <pufferc/pufferc.hpp>
//
//   int main() {
//     pufferc::PoolOptions options;
//     options.num_games = 1024;
//     options.params = {{"frameskip", 4}};
//     pufferc::Pool pool("breakout", options);
//     std::vector<std::int32_t> actions(pool.rows() * pool.action_dims());
//     pool.reset(7);
//     for (int t = 0; t < 1000; ++t) {
//       auto observations = pool.observations<float>();            // [rows, obs_size], row after row
//       for (std::size_t row = 0; row < pool.rows(); ++row)        // element 0 is where the paddle is
//         actions[row] = observations[row * pool.obs_size()] < 0.5f ? 2 : 1;
//       pool.step(actions);                                        // pool.rewards(), pool.terminated(), ... are new
//     }
//     std::printf("mean score %g\n", pool.pop_metrics().at("score"));
//   }
//
// A trained policy plays it with  pufferc::Policy policy("breakout.pfc");  pufferc::Player player(policy, pool);  and, step
// after step,  player.act(draw);  player.step();
//
// A Pool or Policy owns its C object, moves but does not copy, and frees it in its destructor; handle() hands it to
// functions of the C headers, which document shapes, orders and lifetimes. Spans borrow: those of a pool are valid
// until it is destroyed, what they show changes with the next step or reset.
//
// Whatever the C functions report is thrown as pufferc::Error, and so is a span of the wrong length: nothing has
// happened then. To use one pool or policy from several threads, the rules of the C headers hold.
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
