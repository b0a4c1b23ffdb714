// draw.cpp - drawing modules for pufferc.render: loads one of draw/draw_module.h and draws games with it.
//
// Nothing here is loaded or linked before a DrawModule is made. A picture is an array uint8 [H, W, 3] of the caller's.
// Everything that a frame needs is read from Python first; then the GIL is released and one lock, shared by all modules
// because their state is global, is held until the frame is done.
#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <mutex>
#include <thread>

#include "bindings/arrays.h"
#include "draw/draw_load.h"
#include "draw/grid.h"

namespace pufferc {
namespace {

std::mutex drawing;

// A fork waits for the frame that another thread draws, so that the child finds nothing half done and the lock free.
void keep_through_forks() {
  const auto unlock = [] { drawing.unlock(); };
  (void)pthread_atfork([] { drawing.lock(); }, unlock, unlock);
}

PfcColor color_of(uint32_t rgba) {
  return {static_cast<uint8_t>(rgba >> 24), static_cast<uint8_t>(rgba >> 16), static_cast<uint8_t>(rgba >> 8),
          static_cast<uint8_t>(rgba)};
}

// One game and where it goes; of a game of several agents, whom to follow. Without a pool: an empty cell of a grid.
struct Scene {
  PoolOwner pool;
  int32_t game;
  PfcDrawCell cell;
  int32_t agent;
};

// A rectangle, or text where there is one, over the games.
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

PfcStatus draw_scene(const Scene& scene, const PfcDrawModule& module) {
  PfcDraw draw = *module.draw(scene.cell);
  draw.agent = scene.agent;
  if (!scene.pool) {
    pfc_draw_empty(&draw);
    return PFC_OK;
  }
  return pfc_pool_draw(scene.pool.get(), scene.game, &draw);
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

class DrawModule {
 public:
  explicit DrawModule(const std::string& path) {
    module_ = pfc_draw_load(path.c_str(), false);
    if (!module_) raise(PyExc_ImportError, pfc_last_error());
  }

  bool windowed() const { return module_->windowed; }

  void open(int32_t width, int32_t height, const std::string& title) {
    title_ = title;
    const char* message;
    check_thread();
    {
      const Unlocked unlocked;
      const std::lock_guard<std::mutex> lock(drawing);
      message = module_->open(width, height, title_.c_str());
    }
    if (message) raise(PyExc_RuntimeError, message);
    thread_ = std::this_thread::get_id();
    process_ = getpid();
    open_ = true;
  }

  void close() {
    if (!open_) return;
    if (module_->windowed && process_ != getpid()) return;  // the window is the parent's
    check_thread();
    const Unlocked unlocked;
    const std::lock_guard<std::mutex> lock(drawing);
    module_->close();
    open_ = false;
  }

  void frame(int32_t width, int32_t height, uint32_t background, const py::list& scene_list, const py::list& mark_list,
             const py::object& out) {
    check_thread();
    const auto scenes = read_scenes(scene_list);
    const auto marks = read_marks(mark_list);
    uint8_t* rgb = nullptr;
    py::array array;
    if (!out.is_none()) {
      array = borrow_array("out", out);
      rgb = static_cast<uint8_t*>(array_data("out", array, py::dtype::of<uint8_t>(), {height, width, 3}, true));
    }
    const char* message;
    PfcStatus status = PFC_OK;
    {
      const Unlocked unlocked;
      const std::lock_guard<std::mutex> lock(drawing);
      message = module_->begin_frame(width, height, color_of(background));
      if (!message) {
        for (const Scene& scene : scenes)
          if (status == PFC_OK) status = draw_scene(scene, *module_);
        const PfcDraw& whole =
            *module_->draw({0.0f, 0.0f, static_cast<float>(width), static_cast<float>(height)});
        for (const Mark& mark : marks) draw_mark(whole, mark);
        message = module_->end_frame(rgb);
      }
    }
    check_status(status);
    if (message) raise(PyExc_RuntimeError, message);
  }

  // (the user wants to close, (width, height), keys pressed since the last poll)
  py::tuple poll() {
    check_window();
    bool closing;
    int32_t width, height;
    std::vector<int32_t> keys;
    {
      const Unlocked unlocked;
      const std::lock_guard<std::mutex> lock(drawing);
      module_->poll();
      closing = module_->should_close();
      module_->size(&width, &height);
      while (const int32_t key = module_->next_key()) keys.push_back(key);
    }
    return py::make_tuple(closing, py::make_tuple(width, height), keys);
  }

  bool key_down(int32_t key) {
    check_window();
    return module_->key_down(key);
  }

 private:
  void check_window() const {
    if (!module_->windowed || !open_) raise(PyExc_RuntimeError, "no window is open");
    check_thread();
  }

  // A window belongs to the thread that opened it; pictures in memory may come from any.
  void check_thread() const {
    if (module_->windowed && open_ && process_ != getpid())
      raise(PyExc_RuntimeError, "a window cannot be used in a forked child of the process that opened it");
    if (module_->windowed && open_ && thread_ != std::this_thread::get_id())
      raise(PyExc_RuntimeError, "a window is used by another thread than the one that opened it");
  }

  const PfcDrawModule* module_ = nullptr;
  std::string title_;
  std::thread::id thread_;  // which opened the window, as did
  pid_t process_ = 0;       // this process
  bool open_ = false;
};

py::tuple world_size(py::handle pool, int32_t game) {
  float width, height;
  const PoolOwner owner = pool_owner("pool", pool);
  check_status(pfc_world_size(owner.get(), game, &width, &height));
  return py::make_tuple(width, height);
}

// (width, height, [(x, y, width, height) of every cell], those of the last row that stay empty included)
py::tuple grid(int32_t count, const std::pair<float, float>& world, const std::pair<int32_t, int32_t>& box, bool exact) {
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
  keep_through_forks();
  m.attr("GRID_GAP_COLOR") = (PFC_GRID_GAP_COLOR << 8) | 0xffu;
  m.def("grid", &grid, arg("count"), arg("world"), arg("box"), arg("exact"));
  m.def("world_size", &world_size, arg("pool"), arg("game"));
  py::class_<DrawModule>(m, "DrawModule")
      .def(py::init<const std::string&>(), arg("path"))
      .def_property_readonly("windowed", &DrawModule::windowed)
      .def("open", &DrawModule::open, arg("width"), arg("height"), arg("title"))
      .def("close", &DrawModule::close)
      .def("frame", &DrawModule::frame, arg("width"), arg("height"), arg("background"), arg("scenes"), arg("marks"),
           arg("out"))
      .def("poll", &DrawModule::poll)
      .def("key_down", &DrawModule::key_down, arg("key"));
}

}  // namespace pufferc
