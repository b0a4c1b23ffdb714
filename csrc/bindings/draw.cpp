// draw.cpp - pictures and windows for pufferc.pictures, by the public C API of pufferc/render.h.
//
// A picture is an array uint8 [H, W, 3] that belongs to the caller. The contents of a frame are read from Python first.
// Then the frame is drawn without the GIL.
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "bindings/arrays.h"
#include "draw/grid.h"
#include "draw/window_load.h"
#include "pufferc/render.h"

namespace pufferc {
namespace {

struct Destroy {
  void operator()(PfcRenderer* renderer) const { pfc_renderer_destroy(renderer); }
};
using RendererOwner = std::unique_ptr<PfcRenderer, Destroy>;

RendererOwner create_renderer(const PfcRendererDesc& desc) {
  RendererOwner renderer;
  {
    const Unlocked unlocked;
    renderer.reset(pfc_renderer_create(&desc));
  }
  if (!renderer) check_status(pfc_last_status());
  return renderer;
}

PfcColor color_of(uint32_t rgba) {
  return {static_cast<uint8_t>(rgba >> 24), static_cast<uint8_t>(rgba >> 16), static_cast<uint8_t>(rgba >> 8),
          static_cast<uint8_t>(rgba)};
}

// One game and its cell. `agent` is the agent to follow in a game with several. Without a pool, the cell is empty.
struct Scene {
  PoolOwner pool;
  int32_t game;
  PfcDrawCell cell;
  int32_t agent;
};

// Text over the games, or a rectangle if the text is empty.
struct Mark {
  float x, y, width, height;
  PfcColor color;
  std::string text;
};

std::vector<Scene> read_scenes(const py::list& list) {
  std::vector<Scene> scenes;
  for (py::handle item : list) {
    const auto [pool, game, x, y, width, height, agent] =
        item.cast<std::tuple<py::object, int32_t, float, float, float, float, int32_t>>();
    scenes.push_back({pool.is_none() ? nullptr : pool_owner("pool", pool), game, {x, y, width, height}, agent});
  }
  return scenes;
}

std::vector<Mark> read_marks(const py::list& list) {
  std::vector<Mark> marks;
  for (py::handle item : list) {
    const auto [x, y, width, height, rgba, text] =
        item.cast<std::tuple<float, float, float, float, uint32_t, std::string>>();
    marks.push_back({x, y, width, height, color_of(rgba), text});
  }
  return marks;
}

void draw_mark(const PfcDraw& draw, const Mark& mark) {
  const float radius = std::min(6.0f, 0.2f * std::min(mark.width, mark.height));
  if (mark.text.empty())
    draw.rounded_rect(draw.context, mark.x, mark.y, mark.width, mark.height, radius, mark.color);
  else
    draw.text(draw.context, mark.x, mark.y, mark.height, mark.text.c_str(), mark.color);
}

// A frame as Python describes it: size, background, games, and marks over them.
struct Frame {
  int32_t width, height;
  PfcColor background;
  std::vector<Scene> scenes;
  std::vector<Mark> marks;
  py::array array;         // keeps `rgb` alive
  uint8_t* rgb = nullptr;  // NULL = the caller wants no picture

  Frame(int32_t width, int32_t height, uint32_t background, const py::list& scene_list, const py::list& mark_list,
        const py::object& out)
      : width(width), height(height), background(color_of(background)), scenes(read_scenes(scene_list)),
        marks(read_marks(mark_list)) {
    if (out.is_none()) return;
    array = borrow_array("out", out);
    rgb = static_cast<uint8_t*>(array_data("out", array, py::dtype::of<uint8_t>(), {height, width, 3}, true));
  }

  uint64_t rgb_bytes() const { return rgb ? 3 * static_cast<uint64_t>(width) * static_cast<uint64_t>(height) : 0; }
};

PfcStatus draw_scene(PfcRenderer* renderer, const Scene& scene) {
  PfcDraw draw = *pfc_renderer_draw(renderer, scene.cell);
  draw.agent = scene.agent;
  if (!scene.pool) {
    pfc_draw_empty(&draw);
    return PFC_OK;
  }
  return pfc_pool_draw(scene.pool.get(), scene.game, &draw);
}

// Releases the GIL. Ends every frame that it begins, so that the renderer can draw the next one.
PfcStatus draw_frame(PfcRenderer* renderer, const Frame& frame) {
  const Unlocked unlocked;
  PfcStatus status = pfc_renderer_begin(renderer, frame.width, frame.height, frame.background);
  if (status) return status;
  for (const Scene& scene : frame.scenes)
    if (status == PFC_OK) status = draw_scene(renderer, scene);
  const PfcDrawCell whole = {0.0f, 0.0f, static_cast<float>(frame.width), static_cast<float>(frame.height)};
  const PfcDraw& draw = *pfc_renderer_draw(renderer, whole);
  for (const Mark& mark : frame.marks) draw_mark(draw, mark);
  const PfcStatus ended = pfc_renderer_end(renderer, frame.rgb, frame.rgb_bytes());
  return ended ? ended : status;  // pfc_last_error() describes the latest failure
}

// Draws frames into memory. Several threads may draw at once: a frame takes the spare renderer, or creates one if there
// is none, and puts it back. The GIL protects spare_; no lock is held that a forked child could inherit.
class Picture {
 public:
  void draw(int32_t width, int32_t height, uint32_t background, const py::list& scenes, const py::list& marks,
            const py::object& out) {
    const Frame frame(width, height, background, scenes, marks, out);
    RendererOwner renderer = std::move(spare_);
    if (!renderer) renderer = create_renderer({});
    const PfcStatus status = draw_frame(renderer.get(), frame);
    spare_ = std::move(renderer);
    check_status(status);
  }

 private:
  RendererOwner spare_;
};

// A window. It belongs to the thread that opened it, which the C API checks.
class Window {
 public:
  Window(int32_t width, int32_t height, const std::string& title, const std::string& module) : process_(getpid()) {
    PfcRendererDesc desc = {};
    desc.window = 1;
    desc.width_px = width;
    desc.height_px = height;
    desc.title = title.c_str();
    desc.module = module.c_str();
    renderer_ = create_renderer(desc);
  }

  // In another thread or a forked child, the destructor does not touch the window.
  ~Window() {
    PfcWindowState state;
    if (renderer_ && pfc_renderer_poll(renderer_.get(), &state) != PFC_OK) (void)renderer_.release();
  }
  Window(const Window&) = delete;
  Window& operator=(const Window&) = delete;

  void draw(int32_t width, int32_t height, uint32_t background, const py::list& scenes, const py::list& marks,
            const py::object& out) {
    const Frame frame(width, height, background, scenes, marks, out);
    check_status(draw_frame(open_renderer(), frame));
  }

  // (the user wants to close, (width, height), keys pressed since the last poll, (x, y) of a click or None)
  py::tuple poll() {
    PfcRenderer* renderer = open_renderer();
    PfcWindowState state = {};
    std::vector<int32_t> keys;
    PfcStatus status;
    {
      const Unlocked unlocked;
      status = pfc_renderer_poll(renderer, &state);
      while (const int32_t key = pfc_renderer_next_key(renderer)) keys.push_back(key);
    }
    check_status(status);
    py::object click = py::none();
    if (state.clicked) click = py::make_tuple(state.click_x_px, state.click_y_px);
    return py::make_tuple(state.closing != 0, py::make_tuple(state.width_px, state.height_px), keys, click);
  }

  bool key_down(int32_t key) { return pfc_renderer_key_down(open_renderer(), key) != 0; }

  // May be called more than once. In a forked child it does nothing, since the window belongs to the parent.
  void close() {
    if (!renderer_ || process_ != getpid()) return;
    PfcWindowState state;
    check_status(pfc_renderer_poll(renderer_.get(), &state));  // refuses other threads
    const Unlocked unlocked;
    renderer_.reset();
  }

 private:
  PfcRenderer* open_renderer() const {
    if (!renderer_) raise(PyExc_RuntimeError, "no window is open");
    return renderer_.get();
  }

  RendererOwner renderer_;
  pid_t process_;
};

void load_window_module(const std::string& path) {
  if (!pfc_window_load(path.c_str())) raise(PyExc_ImportError, pfc_last_error());
}

py::tuple world_size(py::handle pool, int32_t game) {
  float width, height;
  const PoolOwner owner = pool_owner("pool", pool);
  check_status(pfc_world_size(owner.get(), game, &width, &height));
  return py::make_tuple(width, height);
}

// (width, height, [(x, y, width, height) of every cell, including empty ones in the last row])
py::tuple grid(int32_t count, const std::pair<float, float>& world, const std::pair<int32_t, int32_t>& box,
               bool exact) {
  PfcGrid grid;
  check_status(pfc_grid_fit(count, world.first, world.second, box.first, box.second, exact, &grid));
  py::list cells;
  for (int32_t i = 0; i < pfc_grid_cells(&grid); ++i) {
    const PfcDrawCell cell = pfc_grid_cell(&grid, i);
    cells.append(py::make_tuple(cell.x, cell.y, cell.width, cell.height));
  }
  return py::make_tuple(grid.width, grid.height, cells);
}

}  // namespace

void bind_draw(py::module_& m) {
  using py::arg;
  m.attr("GRID_GAP_COLOR") = (PFC_GRID_GAP_COLOR << 8) | 0xffu;
  m.def("grid", &grid, arg("count"), arg("world"), arg("box"), arg("exact"));
  m.def("world_size", &world_size, arg("pool"), arg("game"));
  m.def("load_window_module", &load_window_module, arg("path"));
  py::class_<Picture>(m, "Picture")
      .def(py::init<>())
      .def("draw", &Picture::draw, arg("width"), arg("height"), arg("background"), arg("scenes"), arg("marks"),
           arg("out"));
  py::class_<Window>(m, "Window")
      .def(py::init<int32_t, int32_t, const std::string&, const std::string&>(), arg("width"), arg("height"),
           arg("title"), arg("module"))
      .def("draw", &Window::draw, arg("width"), arg("height"), arg("background"), arg("scenes"), arg("marks"),
           arg("out"))
      .def("poll", &Window::poll)
      .def("key_down", &Window::key_down, arg("key"))
      .def("close", &Window::close);
}

}  // namespace pufferc
