// render.hpp - render.h for C++17: ownership, spans, exceptions. Header-only.
//
//   #include <pufferc/render.hpp>
//
//   int main() {
//     pufferc::PoolOptions options;
//     options.num_games = 16;
//     pufferc::Pool pool("breakout", options);
//     pool.reset(1);
//     pufferc::Renderer renderer;                                        // into memory; needs no display
//     std::vector<std::uint8_t> rgb = renderer.picture(pool, 640, 360);  // [360, 640, 3]: all 16 in a grid
//
//     pufferc::RendererOptions window;
//     window.window = true;
//     pufferc::Renderer screen(window);
//     while (!screen.poll().closing) {
//       screen.begin(pfc_rgb(0x101216));
//       screen.games(pool, 0, 16, screen.whole());
//       screen.end();
//     }
//   }
//
// A Renderer owns its C object and closes its window when it is destroyed. It can be moved but not copied. Sizes are in
// pixels. The C header documents frames, threads and the window module. Failures throw pufferc::Error.
#ifndef PUFFERC_RENDER_HPP
#define PUFFERC_RENDER_HPP

#include "pufferc/pufferc.hpp"

#if defined(__GNUC__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wold-style-cast"  // the C headers have inline functions with C casts
#endif
#include "pufferc/render.h"
#if defined(__GNUC__)
#pragma GCC diagnostic pop
#endif

namespace pufferc {

// Fields as in PfcRendererDesc. module is used for windows only; empty = the module in the library's folder.
struct RendererOptions {
  bool window = false;
  std::int32_t width_px = 0;
  std::int32_t height_px = 0;
  std::string title = "pufferc";
  std::string module{};
};

class Renderer {
 public:
  explicit Renderer(const RendererOptions& options = {}) : renderer_(create(options)) {}
  PfcRenderer* handle() const noexcept { return renderer_.get(); }

  // All games of a pool, or [first, first + count), as bytes [height_px, width_px, 3].
  std::vector<std::uint8_t> picture(Pool& pool, std::int32_t width_px, std::int32_t height_px) {
    return picture(pool, 0, pool.buffers().num_games, width_px, height_px);
  }
  std::vector<std::uint8_t> picture(Pool& pool, std::int32_t first, std::int32_t count, std::int32_t width_px,
                                    std::int32_t height_px) {
    const bool possible =
        width_px > 0 && height_px > 0 && width_px <= PFC_DRAW_MAX_SIDE_PX && height_px <= PFC_DRAW_MAX_SIDE_PX;
    std::vector<std::uint8_t> rgb(possible ? 3 * detail::length(width_px) * detail::length(height_px) : 1);
    check(pfc_renderer_picture(renderer_.get(), pool.handle(), first, count, width_px, height_px, rgb.data(),
                               rgb.size()));
    return rgb;
  }

  // A frame in steps; sizes of 0 are those of the window.
  void begin(PfcColor background, std::int32_t width_px = 0, std::int32_t height_px = 0) {
    check(pfc_renderer_begin(renderer_.get(), width_px, height_px, background));
  }
  void games(Pool& pool, std::int32_t first, std::int32_t count, PfcDrawCell cell) {
    check(pfc_renderer_games(renderer_.get(), pool.handle(), first, count, cell));
  }
  // Valid until the next call.
  const PfcDraw& draw(PfcDrawCell cell) {
    const PfcDraw* callbacks = pfc_renderer_draw(renderer_.get(), cell);
    if (callbacks == nullptr) throw Error(PFC_STATE, pfc_last_error());
    return *callbacks;
  }
  void end(Span<std::uint8_t> rgb = {}) { check(pfc_renderer_end(renderer_.get(), rgb.data(), rgb.size())); }

  // Windows only.
  const PfcWindowState& poll() {
    check(pfc_renderer_poll(renderer_.get(), &window_));
    return window_;
  }
  // The window's area at the last poll.
  PfcDrawCell whole() const noexcept {
    return {0.0f, 0.0f, static_cast<float>(window_.width_px), static_cast<float>(window_.height_px)};
  }
  std::int32_t next_key() { return pfc_renderer_next_key(renderer_.get()); }
  bool key_down(std::int32_t key) { return pfc_renderer_key_down(renderer_.get(), key) != 0; }

 private:
  static PfcRenderer* create(const RendererOptions& options) {
    PfcRendererDesc desc{};
    desc.window = options.window ? 1 : 0;
    desc.width_px = options.width_px;
    desc.height_px = options.height_px;
    desc.title = options.title.c_str();
    desc.module = options.module.empty() ? nullptr : options.module.c_str();
    return pfc_renderer_create(&desc);
  }

  detail::Handle<PfcRenderer, pfc_renderer_destroy> renderer_;
  PfcWindowState window_{};
};

// {width, height} of the picture, within a box, that shows the first `count` games of a pool at the largest size.
inline std::pair<std::int32_t, std::int32_t> picture_size(Pool& pool, std::int32_t count, std::int32_t width_px,
                                                          std::int32_t height_px) {
  check(pfc_picture_size(pool.handle(), count, &width_px, &height_px));
  return {width_px, height_px};
}

}  // namespace pufferc

#endif  // PUFFERC_RENDER_HPP
