// many_breakouts.cpp - shows many games of Breakout in a window, played by a trained policy. You can play the first.
//
//   pufferc export breakout --checkpoint latest --out breakout.pfc
//   many_breakouts breakout.pfc                                  opens a window
//   many_breakouts breakout.pfc --picture out.ppm --steps 300    writes a picture of the games after 300 steps
//
// Without a policy, actions are random. Options: --games N (number of games shown at first), --seed N,
// --size WIDTHxHEIGHT (pixels). The window lists the keys.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <memory>
#include <pufferc/render.hpp>
#include <random>
#include <thread>

namespace {

constexpr std::int32_t kMaxGames = 144;  // all of them play; fewer may be shown
constexpr std::int32_t kSquares[] = {1, 4, 9, 16, 25, 36, 49, 64, 81, 100, 121, 144};
constexpr double kSpeeds[] = {0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0};
constexpr int kNormalSpeed = 3;
constexpr float kBarPx = 30.0f;
constexpr float kTextPx = 15.0f;
constexpr std::uint32_t kBackground = 0x20242e, kText = 0xe8eaf0, kDim = 0x9aa3b5, kMark = 0xf2b134;

using Clock = std::chrono::steady_clock;

struct Options {
  std::string policy, picture;
  std::int32_t games = 36, width = 1152, height = 690;
  std::uint64_t steps = 300, seed = 1;
};

// The games and their players: a policy or random actions; a person may play the first game.
class Arcade {
 public:
  explicit Arcade(const Options& options) : policy_(load(options)), pool_(open(options)), random_(options.seed) {
    if (policy_)
      player_ = std::make_unique<pufferc::Player>(*policy_, pool_);
    else
      actions_.assign(pool_.rows(), 0);
    seed_ = options.seed;
    restart();
  }

  // move: -1, 0 or 1, the person's action; ignored if no person plays.
  void step(int move) {
    if (player_) {
      PfcPolicyDraw draw{};
      draw.seed = seed_;
      draw.step = steps_;
      player_->act(draw);
      if (person) take_over(move);
      player_->step();
    } else {
      for (auto& action : actions_) action = static_cast<std::int32_t>(random_() % 3);
      if (person) actions_[0] = choice_of(move);
      pool_.step(actions_);
    }
    steps_ += 1;
    count_scores();
  }

  void restart() {
    pool_.reset(seed_++);
    if (player_) player_->forget();
    episodes = 0, sum = 0.0;
  }

  pufferc::Pool& pool() { return pool_; }
  bool trained() const { return player_ != nullptr; }
  // A step is `frames_per_step` frames, and spec().fps counts frames.
  double steps_per_second() const { return static_cast<double>(pool_.spec().fps) / pool_.param("frames_per_step"); }
  double mean_score() const { return episodes > 0 ? sum / static_cast<double>(episodes) : 0.0; }

  bool person = false;
  std::int64_t episodes = 0;
  double sum = 0.0;  // of the scores of these episodes

 private:
  static std::unique_ptr<pufferc::Policy> load(const Options& options) {
    if (options.policy.empty()) return nullptr;
    auto policy = std::make_unique<pufferc::Policy>(options.policy);
    if (std::string(policy->info().game) != "breakout")
      throw std::runtime_error(options.policy + ": a policy for " + policy->info().game + ", not for breakout");
    return policy;
  }

  pufferc::Pool open(const Options& options) const {
    pufferc::PoolOptions pool;
    pool.num_games = kMaxGames;
    pool.seed = options.seed;
    if (policy_)
      pool.params = policy_->params();
    else
      pool.params = {{"frames_per_step", 4}};
    return pufferc::Pool("breakout", pool);
  }

  static std::int32_t choice_of(int move) { return move < 0 ? 1 : move > 0 ? 2 : 0; }

  void take_over(int move) {
    if (!player_->choices().empty())
      player_->choices()[0] = choice_of(move);
    else
      player_->controls()[0] = static_cast<float>(move);
  }

  void count_scores() {
    const std::size_t metrics = static_cast<std::size_t>(pool_.buffers().num_metrics);  // the first is the score
    for (std::size_t row = 0; row < pool_.rows(); ++row) {
      if (!pool_.terminated()[row] && !pool_.truncated()[row]) continue;
      episodes += 1;
      sum += static_cast<double>(pool_.episode_metrics()[row * metrics]);
    }
  }

  std::unique_ptr<pufferc::Policy> policy_;
  pufferc::Pool pool_;
  std::unique_ptr<pufferc::Player> player_;
  std::vector<std::int32_t> actions_;
  std::mt19937_64 random_;
  std::uint64_t steps_ = 0, seed_ = 0;
};

// Display settings that keys change.
struct View {
  int square = 5;  // index into kSquares
  int speed = kNormalSpeed;
  bool paused = false, one_step = false, help = true, quit = false;

  std::int32_t shown() const { return kSquares[square]; }
};

void text(const PfcDraw& draw, float x, float y, const std::string& line, std::uint32_t color) {
  draw.text(draw.context, x, y, kTextPx, line.c_str(), pfc_rgb(color));
}

std::string status(const Arcade& arcade, const View& view) {
  char games[80], scores[80] = "no episodes yet";
  std::snprintf(games, sizeof games, "%d %s   speed x%g   ", view.shown(), view.shown() == 1 ? "game" : "games",
                kSpeeds[view.speed]);
  if (arcade.episodes > 0)
    std::snprintf(scores, sizeof scores, "mean score %.1f, %lld episodes", arcade.mean_score(),
                  static_cast<long long>(arcade.episodes));
  return std::string(games) + scores + (view.paused ? "   PAUSED" : "");
}

// Draws the status line below the games.
void draw_bar(pufferc::Renderer& screen, const Arcade& arcade, const View& view, PfcDrawCell cell) {
  const PfcDraw& draw = screen.draw(cell);
  const float y = (kBarPx - kTextPx) / 2.0f;
  const char* player = arcade.person ? "you play the first game" : arcade.trained() ? "trained policy" : "random players";
  text(draw, 12.0f, y, status(arcade, view), view.paused ? kMark : kText);
  text(draw, cell.width - 330.0f, y, player, arcade.person ? kMark : kDim);
  text(draw, cell.width - 70.0f, y, "h help", kDim);
}

void draw_help(pufferc::Renderer& screen, PfcDrawCell whole) {
  static const char* const lines[][2] = {
      {"space", "pause, resume"},  {"n", "one step"},
      {"+  -", "faster, slower"},  {"m  l", "more, fewer games"},
      {"1 to 9", "1 to 81 games"}, {"arrows", "play the first game"},
      {"enter", "stop playing"},   {"r", "restart"},
      {"h", "this help"},          {"q  esc", "quit"},
  };
  constexpr float width = 300.0f, line_px = 23.0f;
  const float height = line_px * static_cast<float>(std::size(lines)) + 26.0f;
  const PfcDraw& draw = screen.draw(whole);
  const float left = (whole.width - width) / 2.0f, top = (whole.height - height) / 2.0f;
  PfcColor panel = pfc_rgb(0x0b0d12);
  panel.a = 232;
  draw.rounded_rect(draw.context, left, top, width, height, 10.0f, panel);
  for (std::size_t i = 0; i < std::size(lines); ++i) {
    const float y = top + 17.0f + line_px * static_cast<float>(i);
    text(draw, left + 24.0f, y, lines[i][0], kMark);
    text(draw, left + 108.0f, y, lines[i][1], kText);
  }
}

// Draws a whole frame of this size. Call it between begin and end.
void draw_all(pufferc::Renderer& screen, Arcade& arcade, const View& view, float width, float height) {
  const float games_height = std::max(1.0f, height - kBarPx);
  screen.games(arcade.pool(), 0, view.shown(), {0.0f, 0.0f, width, games_height});
  draw_bar(screen, arcade, view, {0.0f, games_height, width, kBarPx});
  if (view.help) draw_help(screen, {0.0f, 0.0f, width, height});
}

void handle(std::int32_t key, Arcade& arcade, View& view) {
  const int squares = static_cast<int>(std::size(kSquares)), speeds = static_cast<int>(std::size(kSpeeds));
  if (key >= '1' && key <= '9') view.square = key - '1';
  switch (key) {
    case PFC_KEY_SPACE:
      view.paused = !view.paused;
      break;
    case 'N':
      view.paused = view.one_step = true;
      break;
    case PFC_KEY_EQUAL:
    case PFC_KEY_KEYPAD_PLUS:
      view.speed = std::min(view.speed + 1, speeds - 1);
      break;
    case PFC_KEY_MINUS:
    case PFC_KEY_KEYPAD_MINUS:
      view.speed = std::max(view.speed - 1, 0);
      break;
    case 'M':
      view.square = std::min(view.square + 1, squares - 1);
      break;
    case 'L':
      view.square = std::max(view.square - 1, 0);
      break;
    case PFC_KEY_LEFT:
    case PFC_KEY_RIGHT:
      arcade.person = true;
      break;
    case PFC_KEY_ENTER:
      arcade.person = false;
      break;
    case 'R':
      arcade.restart();
      break;
    case 'H':
      view.help = !view.help;
      break;
    case 'Q':
    case PFC_KEY_ESCAPE:
      view.quit = true;
      break;
    default:
      break;
  }
}

int first_square_of(std::int32_t games) {
  const auto* found = std::lower_bound(std::begin(kSquares), std::end(kSquares), games);
  return static_cast<int>(std::min(found, std::end(kSquares) - 1) - std::begin(kSquares));
}

// Makes all steps that are due; returns when the next one is due. Skips steps if the machine is too slow.
Clock::time_point step_due(Arcade& arcade, View& view, int move, Clock::time_point due) {
  const std::chrono::duration<double> period(1.0 / (arcade.steps_per_second() * kSpeeds[view.speed]));
  if (view.one_step) arcade.step(move);
  view.one_step = false;
  if (view.paused) return Clock::now();
  const auto end = Clock::now() + std::chrono::milliseconds(12);
  while (due <= Clock::now()) {
    arcade.step(move);
    due += std::chrono::duration_cast<Clock::duration>(period);
    if (Clock::now() > end) return Clock::now();
  }
  return due;
}

void run_window(const Options& options) {
  Arcade arcade(options);
  View view;
  view.square = first_square_of(options.games);
  pufferc::RendererOptions window;
  window.window = true;
  window.width_px = options.width, window.height_px = options.height;
  window.title = "many Breakouts";
  pufferc::Renderer screen(window);
  Clock::time_point due = Clock::now();
  while (!view.quit && !screen.poll().closing) {
    const Clock::time_point begun = Clock::now();
    while (const std::int32_t key = screen.next_key()) handle(key, arcade, view);
    const int move = (screen.key_down(PFC_KEY_RIGHT) ? 1 : 0) - (screen.key_down(PFC_KEY_LEFT) ? 1 : 0);
    due = step_due(arcade, view, move, due);
    screen.begin(pfc_rgb(kBackground));
    draw_all(screen, arcade, view, screen.whole().width, screen.whole().height);
    screen.end();  // waits for the screen's refresh, if vertical sync is on
    std::this_thread::sleep_until(begun + std::chrono::microseconds(15000));
  }
  std::printf("%s\n", status(arcade, view).c_str());
}

void run_picture(const Options& options) {
  Arcade arcade(options);
  View view;
  view.square = first_square_of(options.games);
  view.help = false;
  pufferc::Renderer renderer;
  for (std::uint64_t t = 0; t < options.steps; ++t) arcade.step(0);
  std::vector<std::uint8_t> rgb(3 * static_cast<std::size_t>(options.width) * static_cast<std::size_t>(options.height));
  renderer.begin(pfc_rgb(kBackground), options.width, options.height);
  draw_all(renderer, arcade, view, static_cast<float>(options.width), static_cast<float>(options.height));
  renderer.end(rgb);
  std::ofstream file(options.picture, std::ios::binary);
  file << "P6\n" << options.width << ' ' << options.height << "\n255\n";
  file.write(reinterpret_cast<const char*>(rgb.data()), static_cast<std::streamsize>(rgb.size()));
  if (!file.flush()) throw std::runtime_error(options.picture + ": cannot be written");
  std::printf("%s\n", status(arcade, view).c_str());
}

// Parses a whole number in [low, high].
std::int64_t number(const std::string& option, const std::string& word, std::int64_t low, std::int64_t high) {
  char* end = nullptr;
  const long long value = std::strtoll(word.c_str(), &end, 10);
  if (word.empty() || *end != 0 || value < low || value > high)
    throw std::invalid_argument(option + ": expected a whole number from " + std::to_string(low) + " to " +
                                std::to_string(high) + ", got " + word);
  return value;
}

Options read(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word.rfind("--", 0) != 0) {
      options.policy = word;
      continue;
    }
    if (i + 1 == argc) throw std::invalid_argument(word + ": expected a value after it");
    const std::string value = argv[++i];
    const std::size_t cross = value.find('x');
    if (word == "--picture")
      options.picture = value;
    else if (word == "--games")
      options.games = static_cast<std::int32_t>(number(word, value, 1, kMaxGames));
    else if (word == "--steps")
      options.steps = static_cast<std::uint64_t>(number(word, value, 0, 1000000));
    else if (word == "--seed")
      options.seed = static_cast<std::uint64_t>(number(word, value, 0, INT64_MAX));
    else if (word == "--size" && cross != std::string::npos) {
      options.width = static_cast<std::int32_t>(number(word, value.substr(0, cross), 320, PFC_DRAW_MAX_SIDE_PX));
      options.height = static_cast<std::int32_t>(number(word, value.substr(cross + 1), 240, PFC_DRAW_MAX_SIDE_PX));
    } else {
      throw std::invalid_argument("unknown option " + word + " " + value);
    }
  }
  return options;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const Options options = read(argc, argv);
    if (options.picture.empty())
      run_window(options);
    else
      run_picture(options);
  } catch (const std::invalid_argument& error) {
    std::fprintf(stderr,
                 "many_breakouts: %s\nusage: many_breakouts [POLICY.pfc] [--games N] [--size WIDTHxHEIGHT] "
                 "[--seed N] [--picture FILE.ppm [--steps N]]\n",
                 error.what());
    return 2;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "many_breakouts: %s\n", error.what());
    return 1;
  }
}
