// inspect.cpp - looking at the spec of a loaded module without believing it: every pointer is looked up among the memory
// that this process has mapped before it is followed, so that a damaged or hand-made spec gives an error, not a crash.
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <vector>

#include "bindings/modules.h"

namespace pufferc {
namespace {

constexpr size_t kLongestText = 4096;
constexpr int32_t kMostEntries = 4096;  // of a table

// The process's memory map as it is now: readable regions, neighbours joined, and executable ones.
class MemoryMap {
 public:
  MemoryMap() {
    FILE* file = std::fopen("/proc/self/maps", "r");
    if (!file) return;
    char line[4608];
    while (std::fgets(line, sizeof line, file)) {
      unsigned long begin = 0, end = 0;
      char rights[5] = {};
      if (std::sscanf(line, "%lx-%lx %4s", &begin, &end, rights) != 3) continue;
      if (rights[0] == 'r') add(readable_, begin, end);
      if (rights[2] == 'x') add(executable_, begin, end);
    }
    std::fclose(file);
  }

  bool holds_data(const void* data, uint64_t bytes) const { return room(readable_, data) >= bytes; }
  bool holds_code(const void* code) const { return room(executable_, code) > 0; }

  template <typename Function>
  bool holds_function(Function* function) const {
    return holds_code(reinterpret_cast<const void*>(function));
  }

  bool holds_text(const char* text) const {
    const uint64_t most = std::min<uint64_t>(room(readable_, text), kLongestText);
    return most > 0 && std::memchr(text, 0, most) != nullptr;
  }

 private:
  struct Region {
    uintptr_t begin, end;
  };

  static void add(std::vector<Region>& regions, uintptr_t begin, uintptr_t end) {
    if (!regions.empty() && regions.back().end == begin)
      regions.back().end = end;
    else
      regions.push_back({begin, end});
  }

  // Bytes from `pointer` to the end of its region; 0 outside of all. Without a map every pointer is believed.
  uint64_t room(const std::vector<Region>& regions, const void* pointer) const {
    const auto at = reinterpret_cast<uintptr_t>(pointer);
    if (readable_.empty()) return at ? UINT64_MAX : 0;
    for (const Region& region : regions)
      if (at >= region.begin && at < region.end) return region.end - at;
    return 0;
  }

  std::vector<Region> readable_, executable_;
};

class Inspector {
 public:
  explicit Inspector(const PfcEnvSpec& spec) : spec_(spec) {}

  // The first thing that is wrong, "" if nothing is. NULL pointers are pfc_env_validate's business.
  std::string run() {
    text("name", spec_.name);
    text("title", spec_.title);
    text("summary", spec_.summary);
    text("limit_help", spec_.limit_help);
    for (const char* metric : spec_.metrics) text("a metric's name", metric);
    if (table("params", spec_.params, spec_.num_params))
      for (int32_t i = 0; i < spec_.num_params; ++i) {
        text("a parameter's name", spec_.params[i].name);
        text("a parameter's help", spec_.params[i].help);
      }
    if (table("obs_rows", spec_.obs_rows, spec_.num_obs_rows))
      for (int32_t i = 0; i < spec_.num_obs_rows; ++i) {
        text("an observation's name", spec_.obs_rows[i].name);
        text("an observation's help", spec_.obs_rows[i].help);
      }
    function("layout", spec_.layout);
    function("check", spec_.check);
    function("respawn", spec_.respawn);
    function("open", spec_.open);
    function("close", spec_.close);
    function("reset_one", spec_.reset_one);
    function("step_range", spec_.step_range);
    function("observe_range", spec_.observe_range);
    function("observe_one", spec_.observe_one);
    function("metrics_one", spec_.metrics_one);
    function("draw_one", spec_.draw_one);
    return reason_;
  }

 private:
  void fail(const std::string& reason) {
    if (reason_.empty()) reason_ = "its spec is damaged: " + reason;
  }
  void text(const char* field, const char* value) {
    if (reason_.empty() && value && !map_.holds_text(value)) fail(std::string(field) + " does not point to a text");
  }
  template <typename Entry>
  bool table(const char* field, const Entry* entries, int32_t count) {
    if (!reason_.empty() || !entries) return false;
    if (count < 0 || count > kMostEntries) {
      fail(std::string("num_") + field + " is " + std::to_string(count));
    } else if (!map_.holds_data(entries, sizeof(Entry) * static_cast<uint64_t>(count))) {
      fail(std::string(field) + " does not point to a table of " + std::to_string(count) + " entries");
    }
    return reason_.empty();
  }
  template <typename Function>
  void function(const char* field, Function* value) {
    if (reason_.empty() && value && !map_.holds_function(value)) fail(std::string(field) + " does not point to a function");
  }

  const PfcEnvSpec& spec_;
  MemoryMap map_;
  std::string reason_;
};

}  // namespace

std::string inspect_spec(const void* symbol) {
  const MemoryMap map;
  if (map.holds_code(symbol))
    return "pfc_env_module is a function, expected the record that PFC_DEFINE_ENV makes";
  uint32_t head[2];
  if (!map.holds_data(symbol, sizeof head)) return "pfc_env_module does not point to a spec";
  std::memcpy(head, symbol, sizeof head);
  const auto* spec = static_cast<const PfcEnvSpec*>(symbol);
  // These two are refused by pfc_env_validate before it looks at anything else.
  if (head[0] == PFC_ABI_VERSION && head[1] == sizeof(PfcEnvSpec)) {
    if (!map.holds_data(symbol, sizeof(PfcEnvSpec))) return "its spec is damaged: it is cut off";
    const std::string reason = Inspector(*spec).run();
    if (!reason.empty()) return reason;
  }
  return pfc_env_validate(spec) == PFC_OK ? "" : pfc_last_error();
}

}  // namespace pufferc
