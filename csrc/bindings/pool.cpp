// pool.cpp - PfcPool as the Python class pufferc._core.Pool, the engine of pufferc.VecEnv.
//
// Shapes: N = games * agents rows, O... = observation shape, M metrics; with groups, a group's calls see N / groups
// rows. Every array that Pool returns is a view of the pool's own buffers. Its base is a capsule that shares ownership
// of the PfcPool, so the memory remains valid until the last view is released, even after the Pool object. An array of
// the caller that receives observations is kept alive until the pool has written it. Methods hold the GIL except inside
// the C library, where the pool refuses a second thread.
#include <cmath>
#include <cstring>
#include <memory>
#include <utility>

#include "bindings/arrays.h"

namespace pufferc {
namespace {

// ---- actions ------------------------------------------------------------------------------------------

// Actions for the C API. `data` points into the caller's array or into `converted`.
struct Actions {
  const void* data = nullptr;
  PfcDtype dtype = PFC_INT32;
  py::object keep;
  std::vector<float> converted;
};

// Converts float64 to float32. Finite values are clamped to [-1, 1], so that large ones do not become infinite.
std::vector<float> narrow(const py::array& wide) {
  const auto* from = static_cast<const double*>(wide.data());
  std::vector<float> to(static_cast<size_t>(wide.size()));
  for (size_t i = 0; i < to.size(); ++i) {
    const double value = from[i];
    to[i] = static_cast<float>(!std::isfinite(value) ? value : value < -1.0 ? -1.0 : value > 1.0 ? 1.0 : value);
  }
  return to;
}

void read_discrete(py::array array, const py::dtype& dtype, Actions& out) {
  const int kind = dtype.num();
  const bool narrow_int = kind == py::detail::npy_api::NPY_INT32_, wide_int = kind == py::detail::npy_api::NPY_INT64_;
  if ((narrow_int || wide_int) && is_plain(array, dtype)) {
    out.dtype = narrow_int ? PFC_INT32 : PFC_INT64;
  } else {
    if (dtype.kind() != 'i' && dtype.kind() != 'u')
      raise(PyExc_TypeError, "actions must be integers for this game, got " + std::string(py::str(dtype)));
    array = py::array_t<int64_t, py::array::c_style | py::array::forcecast>::ensure(array);
    if (!array) throw py::error_already_set();
    out.dtype = PFC_INT64;
  }
  out.data = array.data();
  out.keep = std::move(array);
}

void read_continuous(py::array array, const py::dtype& dtype, Actions& out) {
  out.dtype = PFC_FLOAT32;
  if (dtype.num() == py::detail::npy_api::NPY_FLOAT_ && is_plain(array, dtype)) {
    out.data = array.data();
    out.keep = std::move(array);
    return;
  }
  if (dtype.kind() != 'f')
    raise(PyExc_TypeError, "actions must be floats for this game, got " + std::string(py::str(dtype)));
  array = py::array_t<double, py::array::c_style | py::array::forcecast>::ensure(array);
  if (!array) throw py::error_already_set();
  out.converted = narrow(array);
  out.data = out.converted.data();
}

// Lists of numbers, and anything else that NumPy can read.
py::array as_array(py::handle object) {
  if (py::hasattr(object, "detach")) return borrow_array("actions", object);
  try {
    return py::module_::import("numpy").attr("asarray")(object);
  } catch (const py::error_already_set& error) {
    if (!error.matches(PyExc_TypeError) && !error.matches(PyExc_ValueError)) throw;  // that of a signal handler, perhaps
    raise(PyExc_ValueError, std::string("actions cannot be read as an array: ") + error.what());
  }
}

// Actions of `rows` rows of a pool: an array or a torch CPU tensor of integers [rows] or [rows, dims] for a discrete
// game, of floats [rows, dims] for a continuous one, or anything that NumPy turns into such an array.
Actions read_actions(py::handle object, py::ssize_t rows, const PfcBuffers& buffers) {
  py::array array = py::isinstance<py::array>(object) ? py::reinterpret_borrow<py::array>(object) : as_array(object);
  const bool flat = buffers.discrete && buffers.action_dims == 1;
  if (array.ndim() != (flat ? 1 : 2) || array.shape(0) != rows || (!flat && array.shape(1) != buffers.action_dims))
    check_shape("actions", array, flat ? Shape{rows} : Shape{rows, buffers.action_dims});
  Actions read;
  const py::dtype dtype = array.dtype();
  if (buffers.discrete)
    read_discrete(std::move(array), dtype, read);
  else
    read_continuous(std::move(array), dtype, read);
  return read;
}

// ---- the pool -----------------------------------------------------------------------------------------

class Pool {
 public:
  Pool(const py::object& env, int32_t num_games, int32_t num_threads, int32_t num_groups, int32_t autoreset, uint64_t seed,
       const py::dict& params, const py::object& game_numbers, const py::object& data) {
    const Game game = find_game(env);
    const auto values = param_values(params);
    PfcPoolDesc desc = {};
    desc.spec = game.spec;
    desc.num_games = num_games;
    desc.num_threads = num_threads;
    desc.num_groups = num_groups;
    desc.autoreset = static_cast<PfcAutoreset>(autoreset);
    desc.seed = seed;
    desc.params = values.data();
    desc.num_params = static_cast<int32_t>(values.size());
    py::array numbers;  // copied by the pool
    if (!game_numbers.is_none()) {
      numbers = borrow_array("game_numbers", game_numbers);
      desc.game_numbers = static_cast<const uint64_t*>(
          array_data("game_numbers", numbers, py::dtype::of<uint64_t>(), {num_games}, false));
    }
    const Bytes bytes = read_bytes(data);
    if (bytes) {
      desc.data = bytes->ptr;
      desc.data_bytes = static_cast<uint64_t>(bytes->size * bytes->itemsize);
    }
    create(desc, game.module, bytes);
    rows_ = buffers_->rows;
    groups_.resize(static_cast<size_t>(buffers_->num_groups) + 1);
    make_views();
  }

  ~Pool() {
    // Stops the threads even if views exist, since the arrays that the threads may write to are released next.
    if (owner_) (void)pfc_pool_close(owner_.get());
  }

  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  py::object reset(const py::object& seed, const py::object& seeds, const py::object& mask,
                   const py::object& observations) {
    const Turn turn(*this);
    PfcResetDesc desc = {};
    std::vector<py::object> keep;
    if (!seed.is_none()) {
      desc.has_seed = 1;
      desc.seed = seed.cast<uint64_t>();
    }
    if (!seeds.is_none()) {
      const py::array array = borrow_array("seeds", seeds);
      desc.seeds = static_cast<const uint64_t*>(
          array_data("seeds", array, py::dtype::of<uint64_t>(), {buffers_->num_games}, false));
      keep.push_back(array);
    }
    desc.mask = flag_data("reset_mask", mask, {rows_}, keep, true);
    Target target = read_target(observations, whole());
    desc.observations = target.data;
    PfcStatus status;
    {
      const Unlocked unlocked;
      status = pfc_pool_reset(pool(), &desc);
    }
    check_status(status);
    return latest_observations(whole(), std::move(target.object));
  }

  // (observations, whether any row's episode ended)
  py::tuple step(py::handle actions, const py::object& observations) {
    const Turn turn(*this);
    const Actions read = read_actions(actions, rows_, *buffers_);
    Target target = read_target(observations, whole());
    PfcStatus status;
    {
      const Unlocked unlocked;
      status = pfc_pool_step(pool(), read.data, read.dtype, target.data);
    }
    check_status(status);
    return result(whole(), std::move(target.object), 0, rows_);
  }

  void send(py::handle actions, int32_t group, const py::object& observations) {
    const Turn turn(*this);
    check_group(group);
    const Actions read = read_actions(actions, group_rows(), *buffers_);
    Target target = read_target(observations, group);
    PfcStatus status;
    {
      const Unlocked unlocked;
      status = pfc_pool_send(pool(), group, read.data, read.dtype, target.data);
    }
    check_status(status);
    groups_[group].pending = std::move(target);
  }

  py::tuple recv(int32_t group) {
    const Turn turn(*this);
    check_group(group);
    PfcStatus status;
    {
      const Unlocked unlocked;
      status = pfc_pool_recv(pool(), group);
    }
    check_status(status);
    const Target target = std::exchange(groups_[group].pending, {});
    return result(group, target.object, group * group_rows(), group_rows());
  }

  py::tuple pop_metrics() {
    const Turn turn(*this);
    std::vector<double> values(static_cast<size_t>(buffers_->num_metrics) + 2);
    int64_t episodes = 0;
    check_status(pfc_pool_pop_metrics(pool(), &episodes, values.data()));
    return py::make_tuple(episodes, py::tuple(py::cast(values)));
  }

  py::bytes save() {
    const Turn turn(*this);
    const uint64_t bytes = pfc_pool_snapshot_bytes(pool());
    auto snapshot = py::reinterpret_steal<py::bytes>(
        PyBytes_FromStringAndSize(nullptr, static_cast<py::ssize_t>(bytes)));
    if (!snapshot) throw py::error_already_set();
    void* data = PyBytes_AS_STRING(snapshot.ptr());
    PfcStatus status;
    {
      const Unlocked unlocked;
      status = pfc_pool_save(pool(), data, bytes);
    }
    check_status(status);
    return snapshot;
  }

  py::object load(const py::bytes& snapshot, const py::object& observations) {
    const Turn turn(*this);
    Target target = read_target(observations, whole());
    const void* data = PyBytes_AS_STRING(snapshot.ptr());
    const auto bytes = static_cast<uint64_t>(PyBytes_GET_SIZE(snapshot.ptr()));
    PfcStatus status;
    {
      const Unlocked unlocked;
      status = pfc_pool_load(pool(), data, bytes, target.data);
    }
    check_status(status);
    return latest_observations(whole(), std::move(target.object));
  }

  // Actions of the built-in player for `rows`, int32 [n], or for all rows if it is None. Shape as for `step`.
  py::array script(int32_t level, const py::object& rows, uint64_t seed, uint64_t step) {
    const Turn turn(*this);
    PfcScriptDesc desc = {};
    desc.level = level;
    desc.num_rows = static_cast<int32_t>(rows_);
    desc.seed = seed;
    desc.step = step;
    py::array numbers;
    if (!rows.is_none()) {
      numbers = borrow_array("rows", rows);
      desc.num_rows = static_cast<int32_t>(numbers.size());
      desc.rows = static_cast<const int32_t*>(
          array_data("rows", numbers, py::dtype::of<int32_t>(), {desc.num_rows}, false));
    }
    const bool discrete = buffers_->discrete != 0;
    Shape shape{desc.num_rows};
    if (!discrete || buffers_->action_dims > 1) shape.push_back(buffers_->action_dims);
    py::array actions(discrete ? py::dtype::of<int32_t>() : py::dtype::of<float>(), shape);
    desc.actions = actions.mutable_data();
    PfcStatus status;
    {
      const Unlocked unlocked;
      status = pfc_pool_script(pool(), &desc);
    }
    check_status(status);
    return actions;
  }

  // (dtype, shape) of the values of get_field and set_field: [games] for a single value, else [games, count].
  py::tuple field(const std::string& name) const {
    const PfcField found = find_field(name).second;
    return py::make_tuple(dtype_of(found.dtype), py::tuple(py::cast(field_shape(found))));
  }

  py::array get_field(const std::string& name) {
    const Turn turn(*this);
    const auto [index, found] = find_field(name);
    py::array values(dtype_of(found.dtype), field_shape(found));
    check_status(pfc_pool_get_field(pool(), index, values.mutable_data(), static_cast<uint64_t>(values.nbytes())));
    return values;
  }

  py::object set_field(const std::string& name, const py::object& values, const py::object& observations) {
    const Turn turn(*this);
    const auto [index, found] = find_field(name);
    const py::array array = borrow_array("values", values);
    const void* data = array_data("values", array, dtype_of(found.dtype), field_shape(found), false);
    const auto bytes = static_cast<uint64_t>(array.nbytes());
    Target target = read_target(observations, whole());
    PfcStatus status;
    {
      const Unlocked unlocked;
      status = pfc_pool_set_field(pool(), index, data, bytes, target.data);
    }
    check_status(status);
    return latest_observations(whole(), std::move(target.object));
  }

  void set_param(const std::string& name, double value) {
    const Turn turn(*this);
    check_status(pfc_pool_set_param(pool(), name.c_str(), value));
  }

  void close() {
    const Turn turn(*this);
    PfcStatus status;
    {
      const Unlocked unlocked;
      status = pfc_pool_close(pool());
    }
    if (status != PFC_CLOSED) check_status(status);
  }

  const PoolOwner& owner() const { return owner_; }

  // The current value of every parameter, in the order of the game's table.
  py::tuple params() const {
    py::list values;
    for (int32_t i = 0; i < buffers_->spec->num_params; ++i) values.append(pfc_pool_param(owner_.get(), i));
    return values;
  }

  PfcPool* pool() const { return owner_.get(); }

  py::object rewards, terminated, truncated, alive, final_observations;
  py::object episode_returns, episode_lengths, episode_metrics;
  py::object action_mask, forced;  // None in a game without masks
  py::object teams;                // None in a game without teams
  py::object ended;  // bool [N]: terminated or truncated in the latest step; owned by this class, not by the pool

 private:
  // Allows one call at a time, from reading its arguments to its result, even if an argument calls back into the pool.
  // The GIL protects the flag. In a forked child the C library refuses every call, so a flag that another thread has
  // left is ignored there.
  class Turn {
   public:
    explicit Turn(Pool& pool) : pool_(pool) {
      if (pool.in_call_ && pool.generation_ == pfc_process_generation())
        raise(PyExc_RuntimeError, "another thread is using this pool; a pool takes one call at a time");
      pool.in_call_ = true;
    }
    ~Turn() { pool_.in_call_ = false; }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;

   private:
    Pool& pool_;
  };

  using Bytes = std::shared_ptr<py::buffer_info>;
  struct View {
    const void* data;
    py::object array;
  };
  // The array of the caller that receives observations.
  struct Target {
    void* data = nullptr;
    py::object object;  // as given, to be returned
    py::object array;   // keeps the memory valid even if `object` releases it
  };
  // The observation arrays of one group. The last entry of groups_ is for all groups together.
  struct Group {
    std::vector<View> views;  // of the pool's own buffers, created when first used
    Target pending;           // written between send and recv
  };

  // The memory of an object such as bytes or an mmap. While it is held, the object cannot be resized or closed.
  static Bytes read_bytes(const py::object& object) {
    if (object.is_none()) return nullptr;
    if (!PyObject_CheckBuffer(object.ptr()))
      raise(PyExc_TypeError, "data must be bytes or an mmap, got " + type_name(object));
    return std::make_shared<py::buffer_info>(py::reinterpret_borrow<py::buffer>(object).request());
  }

  // The pool keeps the code of a loaded game and the data, since views may outlive all other objects.
  void create(const PfcPoolDesc& desc, const std::shared_ptr<void>& module, const Bytes& data) {
    PfcPool* created;
    {
      const Unlocked unlocked;
      created = pfc_pool_create(&desc);
    }
    if (!created) raise_creation();
    owner_ = PoolOwner(created, [module, data](PfcPool* pool) { pfc_pool_destroy(pool); });
    buffers_ = pfc_pool_buffers(created);
    base_ = py::capsule(new PoolOwner(owner_), [](void* owner) { delete static_cast<PoolOwner*>(owner); });
  }

  [[noreturn]] static void raise_creation() {
    raise(pfc_last_status() == PFC_NO_MEMORY ? PyExc_MemoryError : PyExc_ValueError, pfc_last_error());
  }

  std::pair<int32_t, PfcField> find_field(const std::string& name) const {
    const int32_t index = pfc_pool_find_field(pool(), name.c_str());
    if (index < 0) check_status(pfc_last_status());
    PfcField found;
    check_status(pfc_pool_field(pool(), index, &found));
    return {index, found};
  }

  Shape field_shape(const PfcField& field) const {
    Shape shape{buffers_->num_games};
    if (field.count != 1) shape.push_back(static_cast<py::ssize_t>(field.count));
    return shape;
  }

  template <typename T>
  py::object view(const T* data, const Shape& shape) const {
    return view_as(py::dtype::of<T>(), data, shape);
  }
  py::object view_as(const py::dtype& dtype, const void* data, const Shape& shape) const {
    return py::array(dtype, shape, {}, data, base_);
  }
  py::object flags(const uint8_t* data) const { return view_as(py::dtype::of<bool>(), data, {rows_}); }

  void make_views() {
    const PfcBuffers& b = *buffers_;
    rewards = view(b.rewards, {rows_});
    terminated = flags(b.terminated);
    truncated = flags(b.truncated);
    alive = flags(b.alive);
    final_observations = view_as(dtype_of(b.spec->obs_dtype), b.final_observations, obs_shape(rows_));
    episode_returns = view(b.episode_returns, {rows_});
    episode_lengths = view(b.episode_lengths, {rows_});
    episode_metrics = view(b.episode_metrics, {rows_, b.num_metrics});
    action_mask = forced = teams = py::none();
    if (b.mask_words > 0) {
      action_mask = view(b.action_mask, {rows_, b.mask_words});
      forced = flags(b.forced);
    }
    if (b.num_teams > 0) teams = view(b.teams, {b.agents});
    py::array flags_of_rows(py::dtype::of<bool>(), Shape{rows_});
    ended_ = static_cast<uint8_t*>(flags_of_rows.mutable_data());
    std::memset(ended_, 0, static_cast<size_t>(rows_));
    ended = std::move(flags_of_rows);
  }

  size_t whole() const { return groups_.size() - 1; }
  py::ssize_t group_rows() const { return rows_ / buffers_->num_groups; }

  Shape obs_shape(py::ssize_t rows) const {
    Shape shape{rows};
    shape.insert(shape.end(), buffers_->obs_shape, buffers_->obs_shape + buffers_->obs_dims);
    return shape;
  }

  void check_group(int32_t group) const {
    if (group < 0 || group >= buffers_->num_groups)
      raise(PyExc_ValueError, "group must be in [0, " + std::to_string(buffers_->num_groups) + "), got " +
                                  std::to_string(group));
  }

  Target read_target(const py::object& object, size_t group) const {
    if (object.is_none()) return {};
    const Shape shape = obs_shape(group == whole() ? rows_ : group_rows());
    const py::array array = borrow_array("observations", object);
    void* data = array_data("observations", array, dtype_of(buffers_->spec->obs_dtype), shape, true);
    check_apart(data, static_cast<uint64_t>(array.nbytes()));
    return {data, object, array};
  }

  // Refuses memory that the pool itself uses, or that another group's step writes to.
  void check_apart(const void* data, uint64_t bytes) const {
    const PfcBuffers& b = *buffers_;
    const auto rows = static_cast<uint64_t>(rows_);
    const auto metrics = static_cast<uint64_t>(b.num_metrics);
    bool shared = overlaps(data, bytes, b.final_observations, rows * b.obs_bytes) ||
                  overlaps(data, bytes, b.rewards, rows * 4) || overlaps(data, bytes, b.terminated, rows) ||
                  overlaps(data, bytes, b.truncated, rows) || overlaps(data, bytes, b.alive, rows) ||
                  overlaps(data, bytes, b.episode_returns, rows * 4) ||
                  overlaps(data, bytes, b.episode_lengths, rows * 4) ||
                  overlaps(data, bytes, b.episode_metrics, rows * metrics * 4) ||
                  overlaps(data, bytes, b.action_mask, rows * static_cast<uint64_t>(b.mask_words) * 4) ||
                  overlaps(data, bytes, b.forced, rows);
    const uint64_t group_bytes = static_cast<uint64_t>(group_rows()) * b.obs_bytes;
    for (size_t g = 0; g < groups_.size(); ++g) {
      shared |= overlaps(data, bytes, groups_[g].pending.data, group_bytes);
      for (const View& own : groups_[g].views)
        shared |= overlaps(data, bytes, own.data, g == whole() ? rows * b.obs_bytes : group_bytes);
    }
    if (shared) raise(PyExc_ValueError, "observations overlaps memory that this pool writes to; pass a separate array");
  }

  // The latest observations of a group: the caller's array or a view of the pool's buffer.
  py::object latest_observations(size_t group, py::object given) {
    if (given) return given;
    Group& g = groups_[group];
    const void* data = group == whole() ? buffers_->observations
                                        : pfc_pool_group_observations(pool(), static_cast<int32_t>(group));
    for (const View& own : g.views)
      if (own.data == data) return own.array;
    const py::ssize_t rows = group == whole() ? rows_ : group_rows();
    g.views.push_back({data, view_as(dtype_of(buffers_->spec->obs_dtype), data, obs_shape(rows))});
    return g.views.back().array;
  }

  py::tuple result(size_t group, py::object given, py::ssize_t first, py::ssize_t rows) {
    // Bytes may alias anything: __restrict lets the loop vectorise.
    const uint8_t* __restrict terminated_data = buffers_->terminated + first;
    const uint8_t* __restrict truncated_data = buffers_->truncated + first;
    uint8_t* __restrict ended_data = ended_ + first;
    uint8_t any = 0;
    for (py::ssize_t i = 0; i < rows; ++i) {
      const auto flag = static_cast<uint8_t>(terminated_data[i] | truncated_data[i]);
      ended_data[i] = flag;
      any |= flag;
    }
    return py::make_tuple(latest_observations(group, std::move(given)), any != 0);
  }

  PoolOwner owner_;
  const PfcBuffers* buffers_ = nullptr;
  py::object base_;  // the capsule that all views share
  py::ssize_t rows_ = 0;
  uint8_t* ended_ = nullptr;  // memory of `ended`
  std::vector<Group> groups_;
  uint64_t generation_ = pfc_process_generation();
  bool in_call_ = false;
};

}  // namespace

PoolOwner pool_owner(const char* name, py::handle object) {
  if (!py::isinstance<Pool>(object))
    raise(PyExc_TypeError, std::string(name) + " must be a pufferc._core.Pool, got " + type_name(object));
  return object.cast<const Pool&>().owner();
}

void bind_pool(py::module_& m) {
  using py::arg;
  py::class_<Pool> pool(m, "Pool");
  pool.def(py::init<const py::object&, int32_t, int32_t, int32_t, int32_t, uint64_t, const py::dict&, const py::object&,
                    const py::object&>(),
           arg("env"), arg("num_games"), arg("num_threads"), arg("num_groups"), arg("autoreset"), arg("seed"),
           arg("params"), arg("game_numbers") = py::none(), arg("data") = py::none())
      .def("reset", &Pool::reset, arg("seed"), arg("seeds"), arg("mask"), arg("observations"))
      .def("step", &Pool::step)
      .def("send", &Pool::send)
      .def("recv", &Pool::recv)
      .def("pop_metrics", &Pool::pop_metrics)
      .def("save", &Pool::save)
      .def("load", &Pool::load)
      .def("script", &Pool::script, arg("level"), arg("rows"), arg("seed"), arg("step"))
      .def("field", &Pool::field)
      .def("get_field", &Pool::get_field)
      .def("set_field", &Pool::set_field)
      .def("set_param", &Pool::set_param)
      .def("params", &Pool::params)
      .def("close", &Pool::close)
      .def_readonly("rewards", &Pool::rewards)
      .def_readonly("terminated", &Pool::terminated)
      .def_readonly("truncated", &Pool::truncated)
      .def_readonly("alive", &Pool::alive)
      .def_readonly("action_mask", &Pool::action_mask)
      .def_readonly("forced", &Pool::forced)
      .def_readonly("final_observations", &Pool::final_observations)
      .def_readonly("ended", &Pool::ended)
      .def_readonly("episode_returns", &Pool::episode_returns)
      .def_readonly("episode_lengths", &Pool::episode_lengths)
      .def_readonly("episode_metrics", &Pool::episode_metrics)
      .def_readonly("teams", &Pool::teams);
}

}  // namespace pufferc
