"""Recordings: the content of the files, and existing files that survive errors."""

import signal
import subprocess
import sys

import gymnasium as gym
import numpy as np
import pytest

import pufferc
from pufferc.pictures.renderer import DrawingUnavailable, Renderer
from pufferc.watch.recording import Recorder, check_recording, record


def moving_square(count=40, size=(120, 80)):
    """Pictures of a square that crosses a field of two colours."""
    pictures = []
    for i in range(count):
        picture = np.full((size[1], size[0], 3), (20, 24, 32), np.uint8)
        picture[60:] = (60, 140, 80)
        picture[20:40, 2 * i : 2 * i + 20] = (242, 177, 52)
        pictures.append(picture)
    return pictures


def frames_of(path):
    frames = []
    with pytest.importorskip("PIL.Image").open(path) as image:
        for i in range(image.n_frames):
            image.seek(i)
            frames.append(np.asarray(image.convert("RGB")).astype(int))
        return frames, image.info


def test_gif_holds_every_picture(tmp_path):
    pytest.importorskip("PIL")
    path, pictures = tmp_path / "out.gif", moving_square()
    with Recorder(path, fps=20) as recorder:
        for picture in pictures:
            recorder.add(picture)
    frames, info = frames_of(path)
    assert len(frames) == len(pictures) and info["duration"] == 50 and info["loop"] == 0
    assert max(np.abs(a - b).max() for a, b in zip(frames, pictures, strict=True)) <= 4
    assert [p.name for p in tmp_path.iterdir()] == ["out.gif"]


def test_gif_of_fewer_pictures_than_the_palette_takes(tmp_path):
    pytest.importorskip("PIL")
    with Recorder(tmp_path / "one.GIF") as recorder:
        recorder.add(moving_square(1)[0])
    assert len(frames_of(tmp_path / "one.GIF")[0]) == 1


def test_gif_shows_colours_that_appear_late(tmp_path):
    """A colour that appears after the pictures used for the palette gets the nearest palette colour."""
    pytest.importorskip("PIL")
    dark, late = np.full((20, 30, 3), 40, np.uint8), np.full((20, 30, 3), 40, np.uint8)
    dark[:, 15:], late[5:15, 5:15] = 90, 255
    with Recorder(tmp_path / "out.gif", fps=10) as recorder:
        for picture in [dark] * 300 + [late]:
            recorder.add(picture)
    frames, _ = frames_of(tmp_path / "out.gif")
    assert len(frames) == 2 and (frames[1][5:15, 5:15] >= 80).all()


def test_gif_keeps_the_colour_of_small_objects(tmp_path):
    """A flame of a few pixels in front of a sky of many shades."""
    pytest.importorskip("PIL")
    shades = np.linspace(10, 90, 300)[None, :] + np.linspace(0, 60, 200)[:, None]
    sky = np.repeat(shades.astype(np.uint8)[:, :, None], 3, axis=2)
    flame = sky.copy()
    flame[100:104, 50:53] = (229, 72, 77)
    with Recorder(tmp_path / "out.gif", fps=10) as recorder:
        for picture in [sky] * 20 + [flame] * 4:
            recorder.add(picture)
    frames, _ = frames_of(tmp_path / "out.gif")
    assert np.abs(frames[-1][100:104, 50:53] - (229, 72, 77)).max() <= 30


@pytest.mark.parametrize("fps", [12.0, 15.0, 50.0, 60.0, 120.0])
def test_gif_keeps_the_frame_rate(tmp_path, fps):
    """Frame delays are whole hundredths of a second, not below the minimum of viewers, and add up to the total time."""
    image = pytest.importorskip("PIL.Image")
    pictures = moving_square()
    with Recorder(tmp_path / "out.gif", fps=fps) as recorder:
        for picture in pictures:
            recorder.add(picture)
    with image.open(tmp_path / "out.gif") as animation:
        durations = []
        for i in range(animation.n_frames):
            animation.seek(i)
            durations.append(animation.info["duration"])
        last = np.asarray(animation.convert("RGB")).astype(int)
    assert min(durations) >= 20 and abs(sum(durations) / 1000.0 - len(pictures) / fps) <= 0.03
    assert len(durations) == len(pictures) if fps <= 50.0 else len(durations) < len(pictures)
    assert np.abs(last - pictures[-1]).max() <= 4


def test_a_long_gif_needs_little_memory(tmp_path):
    pytest.importorskip("PIL")
    script = """
import resource, sys
import numpy as np
from pufferc.watch.recording import Recorder
picture = np.zeros((480, 640, 3), np.uint8)
with Recorder(sys.argv[1]) as recorder:
    for i in range(500):
        picture[:] = 20
        picture[200:240, i:i + 40] = 200
        recorder.add(picture)
        if i == 300:
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    out = tmp_path / "out.gif"
    done = subprocess.run([sys.executable, "-c", script, out], check=True, capture_output=True, text=True, timeout=120)
    assert int(done.stdout) < 50_000, "200 more pictures of 900 kB each were kept"
    assert out.stat().st_size < 1_000_000


def test_png_is_the_last_picture(tmp_path):
    image = pytest.importorskip("PIL.Image")
    pictures = moving_square(5)
    with Recorder(tmp_path / "out.png") as recorder:
        for picture in pictures:
            recorder.add(picture)
            picture[:] = 0 if picture is not pictures[-1] else picture
    assert (np.asarray(image.open(tmp_path / "out.png")) == pictures[-1]).all()


# imageio-ffmpeg leaves its reader's pipes open.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("size", [(120, 80), (121, 81)])
def test_mp4_holds_every_picture(tmp_path, size):
    ffmpeg = pytest.importorskip("imageio_ffmpeg")
    path = tmp_path / "out.mp4"
    with Recorder(path, fps=20) as recorder:
        for picture in moving_square(size=size):
            recorder.add(picture)
    reader = ffmpeg.read_frames(str(path))
    meta = next(reader)
    width, height = meta["size"]
    frames = [np.frombuffer(frame, np.uint8).reshape(height, width, 3) for frame in reader]
    assert len(frames) == 40 and abs(meta["fps"] - 20) < 0.01 and width % 2 == 0 and height % 2 == 0
    middle = frames[20][30, 50].astype(int)
    assert np.abs(middle - (242, 177, 52)).max() < 40


def test_the_callers_array_can_be_reused(tmp_path):
    pytest.importorskip("PIL")
    picture = np.zeros((20, 20, 3), np.uint8)
    with Recorder(tmp_path / "out.gif") as recorder:
        for level in (0, 100, 200):
            picture[:] = level
            recorder.add(picture)
    assert [int(f[5, 5, 0]) for f in frames_of(tmp_path / "out.gif")[0]] == [0, 100, 200]


def test_an_exception_keeps_the_existing_file(tmp_path):
    pytest.importorskip("PIL")
    path = tmp_path / "out.gif"
    path.write_bytes(b"precious")
    with pytest.raises(KeyError), Recorder(path) as recorder:
        recorder.add(moving_square(1)[0])
        raise KeyError
    assert path.read_bytes() == b"precious" and len(list(tmp_path.iterdir())) == 1
    with Recorder(path):
        pass
    assert path.read_bytes() == b"precious" and len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("name", ["out.avi", "out", ".gif", "out.gif.txt"])
def test_other_file_extensions_are_refused(tmp_path, name):
    with pytest.raises(ValueError, match=r"\.gif, \.mp4, \.png"):
        Recorder(tmp_path / name)


def test_a_check_beforehand_writes_nothing(tmp_path):
    pytest.importorskip("PIL")
    path = tmp_path / "out.gif"
    for words in ({"max_steps": 0}, {"params": {"frames_per_step": -1}}):
        with pytest.raises(ValueError, match=next(iter(words)) if "max_steps" in words else "frames_per_step"):
            check_recording(path, "breakout", **words)
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        check_recording(tmp_path / "nowhere" / "out.gif", "breakout")
    check_recording(path, "breakout")
    assert not list(tmp_path.iterdir())


def test_unwritable_paths_are_refused(tmp_path):
    pytest.importorskip("PIL")
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        Recorder(tmp_path / "nowhere" / "out.gif")
    (tmp_path / "folder.gif").mkdir()
    with pytest.raises(IsADirectoryError, match="is a folder"):
        Recorder(tmp_path / "folder.gif")
    with pytest.raises(OSError, match="cannot record to"):
        Recorder("/proc/out.gif")
    with pytest.raises(OSError, match="cannot record to"):
        Recorder(tmp_path / ("x" * 300 + ".gif"))


@pytest.mark.parametrize("fps", [0, -1, np.nan, np.inf, 1e9])
def test_impossible_rates_are_refused(tmp_path, fps):
    with pytest.raises(ValueError, match="fps"):
        Recorder(tmp_path / "out.gif", fps=fps)


def test_wrong_pictures_are_refused(tmp_path):
    pytest.importorskip("PIL")
    with Recorder(tmp_path / "out.gif") as recorder:
        recorder.add(np.zeros((20, 30, 3), np.uint8))
        for wrong in (np.zeros((20, 30), np.uint8), np.zeros((20, 30, 4), np.uint8), np.zeros((20, 30, 3), np.float32)):
            with pytest.raises(ValueError, match=r"uint8 \[H, W, 3\]"):
                recorder.add(wrong)
        with pytest.raises(ValueError, match="like the first"):
            recorder.add(np.zeros((30, 20, 3), np.uint8))
    with pytest.raises(RuntimeError, match="closed"):
        recorder.add(np.zeros((20, 30, 3), np.uint8))


@pytest.mark.parametrize(
    ("ending", "module", "package"),
    [("gif", "PIL", "Pillow"), ("png", "PIL", "Pillow"), ("mp4", "imageio_ffmpeg", "imageio-ffmpeg")],
)
def test_a_missing_package_is_named(tmp_path, monkeypatch, ending, module, package):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(DrawingUnavailable, match=rf"needs {package}; install it with: pip install 'pufferc\[render\]'"):
        Recorder(tmp_path / f"out.{ending}")
    assert not list(tmp_path.iterdir())


def unwritten(path):
    """Asserts that the folder holds only `path`, with its content from before the recording."""
    return path.read_bytes() == b"precious" and list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize(
    ("script", "reason"), [("echo '[out @ 0x1] no codec' >&2; exit 3", "no codec"), ("kill -9 $$", "-9")]
)
def test_a_failing_ffmpeg_is_an_error(tmp_path, monkeypatch, script, reason):
    ffmpeg = pytest.importorskip("imageio_ffmpeg")
    program = tmp_path / "ffmpeg"
    program.write_text(f"#!/bin/sh\ncat >/dev/null\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setattr(ffmpeg, "get_ffmpeg_exe", lambda: str(program))
    (tmp_path / "out").mkdir()
    path = tmp_path / "out" / "out.mp4"
    path.write_bytes(b"precious")
    with (
        pytest.raises(OSError, match=rf"cannot record to .*out\.mp4: ffmpeg failed: .*{reason}$"),
        Recorder(path) as recorder,
    ):
        recorder.add(moving_square(1)[0])
    assert unwritten(path)
    program.write_text("#!/bin/sh\necho 'no pipe' >&2; exit 1\n")
    with pytest.raises(OSError, match="ffmpeg failed: no pipe"), Recorder(path) as recorder:
        for picture in moving_square():
            recorder.add(picture)
    assert unwritten(path)


@pytest.mark.skipif(sys.platform == "win32", reason="limits of file sizes are POSIX's")
@pytest.mark.parametrize(("ending", "package"), [("gif", "PIL"), ("png", "PIL"), ("mp4", "imageio_ffmpeg")])
def test_a_full_disk_keeps_the_existing_file(tmp_path, ending, package):
    """A limit on file sizes simulates the full disk."""
    pytest.importorskip(package)
    path = tmp_path / f"out.{ending}"
    path.write_bytes(b"precious")
    script = """
import resource, sys
import numpy as np
from pufferc.watch.recording import Recorder
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
try:
    with Recorder(sys.argv[1]) as recorder:
        for _ in range(8):
            recorder.add(np.random.default_rng(1).integers(0, 256, (120, 160, 3), np.uint8))
except OSError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", script, path], check=True, capture_output=True, text=True, timeout=60)
    assert done.stdout.startswith(f"cannot record to {path}: "), done.stdout + done.stderr
    assert unwritten(path)


@pytest.mark.parametrize(("ending", "package"), [("gif", "PIL"), ("mp4", "imageio_ffmpeg")])
def test_ctrl_c_keeps_the_existing_file(tmp_path, ending, package):
    pytest.importorskip(package)
    path = tmp_path / f"out.{ending}"
    path.write_bytes(b"precious")
    script = """
import sys
from pufferc.watch import recording as record
step = record.Renderer.render
def render(self, out=None):
    print(".", flush=True)
    return step(self, out)
record.Renderer.render = render
record.record(sys.argv[1], "squared", params={"max_steps": 0}, episodes=10**6, max_steps=100_000)
"""
    with subprocess.Popen([sys.executable, "-c", script, path], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as run:
        for _ in range(40):
            assert run.stdout.readline()
        run.send_signal(signal.SIGINT)
        errors = run.communicate(timeout=60)[1]
    assert run.returncode != 0 and errors.strip().endswith(b"KeyboardInterrupt")
    assert unwritten(path)


@pytest.mark.parametrize("name", pufferc.list_envs())
def test_every_game_records(tmp_path, name):
    pytest.importorskip("PIL")
    path = record(tmp_path / "out.gif", name, max_steps=30, episodes=5, seed=3)
    frames, _ = frames_of(path)
    assert 2 <= len(frames) <= 31
    assert np.abs(frames[-1] - frames[0]).max() > 30, "nothing moves"


def test_a_recording_is_small_and_matches_the_pictures(tmp_path):
    pytest.importorskip("PIL")
    path = record(tmp_path / "out.gif", "breakout", max_steps=80, episodes=100, seed=3)
    assert path.stat().st_size < 80 * 3000
    envs = pufferc.make("breakout", num_threads=1, seed=3)
    envs.reset()
    first = Renderer(envs).render().astype(int)
    difference = np.abs(frames_of(path)[0][0] - first)
    assert difference.mean() < 2.0 and difference.max() < 60


def test_a_recording_ends_with_the_episode(tmp_path):
    """The last picture shows the final state, a fallen red pole, and not the start of the next episode."""
    pytest.importorskip("PIL")
    path = record(tmp_path / "out.gif", "cartpole", seed=1)
    frames = frames_of(path)[0]
    assert 8 <= len(frames) < 120
    red = [int(((f[..., 0] > 180) & (f[..., 1] < 110) & (f[..., 2] < 110)).sum()) for f in frames]
    assert red[-1] > 2 * max(red[:-1])


# ---- Gymnasium's recorders ------------------------------------------------------------------------------


def video_of(folder):
    """(number of frames, width, height, the frames) of the one .mp4 file in `folder`."""
    ffmpeg = pytest.importorskip("imageio_ffmpeg")
    (path,) = folder.glob("*.mp4")
    reader = ffmpeg.read_frames(str(path))
    width, height = next(reader)["size"]
    frames = [np.frombuffer(frame, np.uint8).reshape(height, width, 3).astype(int) for frame in reader]
    return len(frames), width, height, frames


# Gymnasium warns that same-step autoreset omits the last frame of an episode. moviepy leaves pipes open.
records_by_gymnasium = [
    pytest.mark.filterwarnings("ignore:.*same-step"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:moviepy"),
]


@pytest.fixture
def video():
    """Gymnasium's RecordVideo for single and for vector environments."""
    pytest.importorskip("moviepy")
    from gymnasium.wrappers import RecordVideo, vector

    return RecordVideo, vector.RecordVideo


@pytest.mark.parametrize("made", ["make", "make_vec"])
class TestRecordVideo:
    pytestmark = records_by_gymnasium

    def envs(self, made, count):
        if made == "make":
            return pufferc.make("breakout", count, num_threads=1, seed=3, render_mode="rgb_array", render_games=None)
        return gym.make_vec(pufferc.env_info("breakout").id, count, num_threads=1, seed=3, render_mode="rgb_array")

    def test_record_video_records_all_rows(self, tmp_path, video, made):
        envs = video[1](self.envs(made, 4), str(tmp_path / "video"), video_length=12, fps=8)
        envs.reset(seed=3)
        first = envs.render()
        for _ in range(20):
            envs.step(np.array([0, 1, 2, 1]))
        envs.close()
        count, width, height, frames = video_of(tmp_path / "video")
        tall, wide = first[0].shape[:2]
        assert (count, width, height) == (12 + 1, 2 * wide, 2 * tall)
        assert np.abs(frames[0][:tall, :wide] - first[0]).mean() < 4
        assert np.abs(frames[0][tall:, wide:] - first[3]).mean() < 4
        assert np.abs(frames[-1] - frames[0]).max() > 60, "nothing moves"

    def test_record_video_records_the_first_row_only(self, tmp_path, video, made):
        envs = video[1](self.envs(made, 3), str(tmp_path / "video"), record_first_only=True, video_length=5, fps=8)
        envs.reset(seed=3)
        size = envs.render()[0].shape
        for _ in range(6):
            envs.step(np.zeros(3, np.int64))
        envs.close()
        assert video_of(tmp_path / "video")[:3] == (5 + 1, size[1], size[0])


class TestRecordVideoOfOneGame:
    pytestmark = records_by_gymnasium

    def test_record_video_records_a_whole_episode(self, tmp_path, video):
        made = gym.make(pufferc.env_info("cartpole").id, render_mode="rgb_array")
        env = video[0](made, str(tmp_path / "video"), fps=8)
        env.reset(seed=1)
        steps, ended = 0, False
        while not ended:
            _, _, terminated, truncated, _ = env.step(1)
            steps, ended = steps + 1, terminated or truncated
        size = env.render().shape
        env.close()
        assert video_of(tmp_path / "video")[:3] == (steps + 1, size[1], size[0])

    def test_render_returns_a_list_of_pictures(self):
        env = gym.make(pufferc.env_info("cartpole").id, render_mode="rgb_array_list")
        env.reset(seed=1)
        for _ in range(3):
            env.step(1)
        assert [picture.dtype for picture in env.render()] == [np.uint8] * 4
        env.close()


def test_render_games_none_returns_a_picture_per_row():
    """With render_games=None there is one picture per row, shared by the rows of a game. A number gives one picture."""
    envs = pufferc.make("snake", num_games=2, num_threads=1, seed=1, render_mode="rgb_array", render_games=None)
    envs.reset()
    pictures = envs.render()
    assert isinstance(pictures, tuple) and len(pictures) == envs.num_envs > 2
    assert all(picture.shape == pictures[0].shape and picture.dtype == np.uint8 for picture in pictures)
    half = envs.agents
    assert (pictures[0] == pictures[half - 1]).all() and (pictures[0] != pictures[half]).any()
    grid = pufferc.make("snake", num_games=2, num_threads=1, seed=1, render_mode="rgb_array", render_games=2)
    grid.reset()
    assert grid.render().ndim == 3


def test_importing_needs_none_of_the_packages():
    script = """
import sys
for name in ("PIL", "imageio_ffmpeg", "matplotlib", "torch"):
    sys.modules[name] = None
import pufferc.watch.recording, pufferc.runs.curves, pufferc.watch.play, pufferc.pictures.window
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)
