"""Windows on a virtual display, with real screenshots and key presses. Skipped without raylib, Xvfb or xdotool.

Every test runs a script in a new process, because a process can have only one window and one display.
"""

import os
import shutil
import subprocess
import sys

import pytest

import pufferc
from pufferc.pictures.window import Viewer, why_no_windows

pytestmark = [
    pytest.mark.skipif(why_no_windows() is not None, reason=str(why_no_windows())),
    pytest.mark.skipif(not shutil.which("Xvfb") or not shutil.which("xdotool"), reason="needs Xvfb and xdotool"),
]

PRELUDE = """
import os, subprocess, sys, threading, time
import numpy as np
from PIL import Image, ImageGrab
import pufferc
from pufferc.watch.play import play
from pufferc.pictures.renderer import DrawingUnavailable, Renderer
from pufferc.pictures.window import Seen, Viewer

def press(*keys):
    subprocess.run(["xdotool", "key", "--delay", "20", *keys], check=True, timeout=60)

def wait_until(condition, viewer, seconds=60.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "the condition did not come true in time"
        viewer._refresh(None)
        time.sleep(0.01)

def simulate_person(*steps):
    # Simulates a person at the keyboard in another thread: keys to press ("d"), to hold ("+d") and to release ("-d"),
    # and conditions to wait for. A condition that never comes true ends the process.
    def act():
        for step in steps:
            end = time.monotonic() + 60.0
            while callable(step) and not step():
                if time.monotonic() > end:
                    sys.stderr.write("a condition did not come true\\n")
                    sys.stderr.flush()
                    os._exit(1)
                time.sleep(0.01)
            if not callable(step):
                word = {"+": "keydown", "-": "keyup"}.get(step[0], "key")
                subprocess.run(["xdotool", word, step.lstrip("+-")], check=True, timeout=60)
    threading.Thread(target=act).start()
"""


def run(script, display, **environment):
    """Run a script with the virtual display and return its output."""
    pytest.importorskip("PIL")
    done = subprocess.run(
        [sys.executable, "-c", PRELUDE + script],
        env={**os.environ, "DISPLAY": display, **environment},
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def test_the_screen_shows_the_picture(display):
    """The window shows exactly the pixels that are drawn into memory, also after a resize."""
    run(
        """
envs = pufferc.make("breakout", num_threads=1, seed=1)
envs.reset(seed=1)
def is_shown(picture):
    screen = np.asarray(ImageGrab.grab(xdisplay="").convert("RGB"))
    height, width = picture.shape[:2]
    down, across = screen.shape[0] - height + 1, screen.shape[1] - width + 1
    fits = np.ones((down, across), bool)
    for y in range(0, height, 60):
        for x in range(0, width, 60):
            fits &= (screen[y:y + down, x:x + across] == picture[y, x]).all(2)
    return any((screen[y:y + height, x:x + width] == picture).all() for y, x in np.argwhere(fits)[:9])
with Viewer(envs, size=(640, 366 + 28)) as viewer:  # the bar below the game
    picture = viewer.picture()
    assert (picture[:366] == Renderer(envs, size=(640, 366)).render()).all()
    wait_until(lambda: is_shown(picture), viewer)
    found = subprocess.run(["xdotool", "search", "--name", "pufferc"], check=True, capture_output=True).stdout
    subprocess.run(["xdotool", "windowsize", found.split()[-1], "500", "300"], check=True)
    wait_until(lambda: viewer._size == (500, 300), viewer)
    picture = viewer.picture()
    wait_until(lambda: is_shown(picture), viewer)
""",
        display,
    )


def test_keys_control_the_window(display):
    run(
        """
envs = pufferc.make("cartpole", num_games=3, num_threads=1, seed=1)
observations, _ = envs.reset(seed=1)
seen = Seen(observations, np.zeros(3, np.int32), np.zeros(3, np.float32), np.ones(3, np.float32))
viewer = Viewer(envs)
plain = viewer.picture(seen)
press("o")
wait_until(lambda: viewer.overlay, viewer)
assert (viewer.picture(seen) != plain).any()
press("h", "bracketright", "equal")
wait_until(lambda: viewer.help and viewer.env == 1 and viewer.speed == 2.0, viewer)
press("bracketleft", "bracketleft", "minus", "minus")
wait_until(lambda: viewer.env == 2 and viewer.speed == 0.5, viewer)
press("space")
wait_until(lambda: viewer.paused, viewer)
asked = []
simulate_person(lambda: time.sleep(0.3) or asked.append("a step") or True, "n")
assert viewer.show(seen) and asked and viewer.paused
press("space")
wait_until(lambda: not viewer.paused, viewer)
press("f")
wait_until(lambda: viewer.fast, viewer)
slept, sleep = [], time.sleep
time.sleep = slept.append
for _ in range(200):
    viewer.show(seen)
time.sleep = sleep
assert not slept
press("Escape")
wait_until(lambda: viewer.closed, viewer)
assert viewer.show(seen) is False
viewer.close()
""",
        display,
    )


def test_holding_the_step_key_repeats_steps(display):
    run(
        """
envs = pufferc.make("cartpole", num_threads=1, seed=1)
envs.reset(seed=1)
with Viewer(envs, paused=True) as viewer:
    viewer._refresh(None)
    began = time.monotonic()
    subprocess.run(["xdotool", "keydown", "n"], check=True)
    for _ in range(4):
        assert viewer.show()
    seconds = time.monotonic() - began
    subprocess.run(["xdotool", "keyup", "n"], check=True)
    assert viewer.paused and seconds > 0.5, seconds
""",
        display,
    )


@pytest.mark.parametrize("key", ["o", "h"])
def test_panels_do_not_cover_the_game(display, key):
    """Beside the panel the game is drawn as in a picture of that size."""
    run(
        f"""
from pufferc.pictures.panel import split
envs = pufferc.make("lander", num_threads=1, seed=1)
observations, _ = envs.reset(seed=1)
seen = Seen(observations, np.zeros(1, np.int32), np.ones(1, np.float32), np.zeros(1, np.float32))
with Viewer(envs) as viewer:
    press("{key}")
    wait_until(lambda: viewer.overlay or viewer.help, viewer)
    shown = viewer.picture(seen).astype(int)
    x, y, width, height = map(int, split(viewer._size, (600.0, 400.0), True).game)
    assert width > 400
    expected = Renderer(envs, size=(width, height)).render().astype(int)
    difference = np.abs(shown[y:y + height, x:x + width] - expected).max(axis=2)
    assert (difference > 48).mean() < 0.005
    assert (shown[:, x + width + 4:] > 150).any(), "the panel is empty"
""",
        display,
    )


def test_resized_and_closed_by_the_window_manager(display):
    """Tested while paused and with the panel open. A window manager closes a window by a message, not by a key."""
    run(
        """
import ctypes
def ask_to_close(window):
    class Message(ctypes.Structure):
        _fields_ = [("type", ctypes.c_int), ("serial", ctypes.c_ulong), ("sent", ctypes.c_int),
                    ("display", ctypes.c_void_p), ("window", ctypes.c_ulong), ("name", ctypes.c_ulong),
                    ("format", ctypes.c_int), ("values", ctypes.c_long * 5), ("rest", ctypes.c_long * 16)]
    x = ctypes.CDLL("libX11.so.6")
    x.XOpenDisplay.restype = ctypes.c_void_p
    x.XInternAtom.argtypes, x.XInternAtom.restype = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int], ctypes.c_ulong
    x.XSendEvent.argtypes = [ctypes.c_void_p, ctypes.c_ulong, ctypes.c_int, ctypes.c_long, ctypes.c_void_p]
    x.XCloseDisplay.argtypes = [ctypes.c_void_p]
    display = x.XOpenDisplay(None)
    name, value = (x.XInternAtom(display, text, 0) for text in (b"WM_PROTOCOLS", b"WM_DELETE_WINDOW"))
    message = Message(type=33, window=window, name=name, format=32)
    message.values[0] = value
    x.XSendEvent(display, window, 0, 0, ctypes.byref(message))
    x.XCloseDisplay(display)

envs = pufferc.make("cartpole", num_threads=1, seed=1)
observations, _ = envs.reset(seed=1)
viewer = Viewer(envs, paused=True)
viewer._refresh(None)
window = subprocess.run(["xdotool", "search", "--name", "pufferc"], check=True, capture_output=True).stdout.split()[-1]
viewer.overlay = True
for size in ((500, 700), (300, 200), (60, 40), (1200, 400)):
    subprocess.run(["xdotool", "windowsize", window, *map(str, size)], check=True)
    wait_until(lambda: viewer._size == size, viewer)
    picture = viewer.picture(Seen(observations))
    assert picture.shape == (size[1], size[0], 3) and picture.max() > 200
ask_to_close(int(window))
assert viewer.show() is False and viewer.closed
""",
        display,
    )


def test_the_end_of_an_episode_is_shown(display):
    """Squared marks a reached target. The next episode starts later."""
    run(
        """
import pufferc.watch.play as module
from pufferc.watch.players import Choice
green, steps = [], []
class Down:
    def act(self, observations):
        board = observations[0].reshape(11, 11)
        (y,), (x,) = np.nonzero(board == 1)
        (to_y,), (to_x,) = np.nonzero(board == 2)
        action = 1 if y < to_y else 2 if y > to_y else 3 if x > to_x else 4
        return Choice(np.array([action]), None)
    def restart(self, ended):
        pass
class Spy(module.Viewer):
    def linger(self, seconds, seen=None):
        green.append(bool((self.picture(seen) == (0x5F, 0xB9, 0x6C)).all(axis=2).any()))
        assert super().linger(0.05, seen)
        return True
module.Viewer = Spy
scores = play("squared", agent=Down(), seed=1, fps=200, steps=40)
assert len(scores) >= 2 and all(score > 0.9 for score in scores), scores
assert green == [True] * len(scores), green
""",
        display,
    )


def test_playback_runs_at_the_frame_rate_of_the_game(display):
    """Uses a simulated clock that advances only with sleep calls and by 10 ms per draw."""
    run(
        """
import types
import pufferc.pictures.window as module
clock = [0.0]
def pass_time(seconds):
    clock[0] += seconds
module.time = types.SimpleNamespace(perf_counter=lambda: clock[0], sleep=pass_time)
class Slow(Viewer):
    def _draw(self, seen, out):
        super()._draw(seen, out)
        pass_time(0.01)
envs = pufferc.make("squared", num_threads=1, seed=1)
envs.reset(seed=1)
def seconds_of_twenty(work):
    began = clock[0]
    for _ in range(20):
        pass_time(work)
        viewer.show()
    return clock[0] - began
with Slow(envs, fps=20) as viewer:
    viewer.show()
    assert 0.99 < seconds_of_twenty(0.0) < 1.01
    assert 0.99 < seconds_of_twenty(0.03) < 1.01
    assert 1.98 < seconds_of_twenty(0.09) < 2.02
    assert 0.90 < seconds_of_twenty(0.0) < 1.01
""",
        display,
    )


def test_a_person_can_play(display):
    """Holding the right arrow moves the paddle right, releasing it stops the paddle, and q ends the game."""
    output = run(
        """
import pufferc.watch.play as module
seen = []
class Spy(module.Viewer):
    def show(self, overlay=None):
        seen.append(float(overlay.observations[0, 0]))
        return super().show(overlay)
module.Viewer = Spy
def is_at_rest():
    return len(seen) > 10 and len(set(seen[-10:])) == 1
simulate_person(is_at_rest, "+Right", lambda: seen[-1] > seen[0] + 0.3, "-Right", is_at_rest, "q")
scores = play("breakout", seed=1, params={"balls": 100})
assert all(isinstance(score, float) for score in scores)
print("done")
""",
        display,
    )
    assert output == "done\n"


def test_a_person_can_take_over_from_the_agent(display):
    run(
        """
import pufferc.watch.play as module
from pufferc.watch.players import Choice
actions = []
class Left:
    def act(self, observations):
        return Choice(np.array([1]), np.array([0.5], np.float32))
    def restart(self, ended):
        pass
class Spy(module.Viewer):
    def show(self, overlay=None):
        if overlay.actions is not None:
            actions.append(int(overlay.actions[0]))
        return super().show(overlay)
module.Viewer = Spy
def plays(action):
    return lambda: len(actions) > 5 and set(actions[-5:]) == {action}
simulate_person(plays(1), "+d", plays(2), "-d", plays(1), "q")
play("breakout", agent=Left(), seed=1)
assert set(actions) == {1, 2} and actions[0] == 1 and actions[-1] == 1, actions
""",
        display,
    )


def test_a_person_takes_turns_with_a_script(display):
    """Nothing moves before a key or a click. A key that is no move does not count."""
    pytest.importorskip("torch")
    run(
        """
import pufferc.watch.play as module
from pufferc.selfplay.players import ScriptPlayer
viewers, boards, waits = [], [], []
class Spy(module.Viewer):
    def show(self, seen=None):
        viewers[:] = [self]
        boards.append(np.array(seen.observations[0]))
        return super().show(seen)
    def wait(self, until, seen=None):
        waits.append(len(boards))
        return super().wait(until, seen)
module.Viewer = Spy
def is_turn(number):
    return lambda: len(waits) == number and viewers[0].player == "your turn"
def click():
    # Column 3, bottom row; the picture of 480 x 480 is shown in 720 x 720 pixels.
    found = subprocess.run(["xdotool", "search", "--name", "pufferc"], check=True, capture_output=True)
    window = found.stdout.split()[-1]
    subprocess.run(["xdotool", "mousemove", "--window", window, "270", "627", "mousedown", "1"], check=True, timeout=60)
    time.sleep(0.3)
    subprocess.run(["xdotool", "mouseup", "1"], check=True, timeout=60)
    return True
simulate_person(
    is_turn(1), "x", lambda: time.sleep(1.0) or len(waits) == 1, "4", is_turn(2), click, is_turn(3), "q"
)
play("connect4", opponent=ScriptPlayer(2), seed=1, fps=20)
shown = boards[waits[-1] - 1]
assert shown[5, 3] == shown[5, 2] == 1 and (shown == 1).sum() == 2 and (shown >= 2).sum() == 2, shown
""",
        display,
    )


def test_one_window_at_a_time_and_one_thread(display):
    run(
        """
envs = pufferc.make("squared", num_threads=1, seed=1)
envs.reset(seed=1)
viewer = Viewer(envs)
try:
    Viewer(envs)
    raise SystemExit("a second window opened")
except DrawingUnavailable as error:
    assert "already has a window" in str(error)
errors = []
def other():
    try:
        viewer.show()
    except RuntimeError as error:
        errors.append(str(error))
thread = threading.Thread(target=other)
thread.start()
thread.join()
assert errors and "only the thread" in errors[0]
viewer.close()
viewer.close()
again = Viewer(envs)
assert again.show() and Renderer(envs).render().any()
again.close()
""",
        display,
    )


def test_a_forked_child_cannot_use_the_window(display):
    output = run(
        """
import os
envs = pufferc.make("squared", num_threads=1, seed=1)
envs.reset(seed=1)
viewer = Viewer(envs)
viewer.show()
def attempt(action):
    try:
        action()
    except RuntimeError as error:
        print(error, flush=True)
child = os.fork()
if child == 0:
    for action in (viewer.show, viewer.picture, lambda: Viewer(envs)):
        attempt(action)
    viewer.close()
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0 and viewer.show()
viewer.close()
""",
        display,
    )
    assert output.count("forked child") == 2 and output.count("after fork") == 1, output


def test_a_pool_can_be_stepped_after_its_window_closes(display):
    output = run(
        """
envs = pufferc.make("squared", num_threads=1, seed=1, render_mode="human")
envs.reset(seed=1)
envs._screen._viewer.close()
envs.step([0])
assert envs.render() is None
viewer = Viewer(envs)
envs.close()
for action in (viewer.show, envs.render, lambda: envs.step([0])):
    try:
        action()
    except RuntimeError as error:
        print(error)
viewer.close()
assert not viewer.show() and not viewer.held("left")
try:
    viewer.picture()
except RuntimeError as error:
    print(error)
""",
        display,
    )
    assert output.count("closed") == 3, output


@pytest.mark.parametrize("size", [(0, 0), (-5, 100), (10**9, 300), (float("nan"), 300), "ab", 5, (1.5, 300), (300,)])
def test_absurd_window_sizes_are_refused(size):
    envs = pufferc.make("squared", num_threads=1)
    envs.reset()
    with pytest.raises((ValueError, TypeError), match=r"size must be|width must be"):
        Viewer(envs, size=size)


def test_a_dead_display_is_a_clear_error():
    script = """
import pufferc
from pufferc.pictures.renderer import DrawingUnavailable
envs = pufferc.make("squared", num_threads=1, render_mode="human")
for _ in range(2):
    try:
        envs.reset()
    except DrawingUnavailable as error:
        print(error)
"""
    env = {**os.environ, "DISPLAY": ":98765"}
    done = subprocess.run([sys.executable, "-c", script], env=env, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "") and done.stdout.count("no window") == 2, done.stdout + done.stderr


def test_no_display_is_a_clear_error():
    script = """
import pufferc
from pufferc.watch.play import play
from pufferc.pictures.renderer import DrawingUnavailable
try:
    play("squared")
except DrawingUnavailable as error:
    print(error)
"""
    env = {key: value for key, value in os.environ.items() if key not in ("DISPLAY", "WAYLAND_DISPLAY")}
    done = subprocess.run([sys.executable, "-c", script], env=env, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and "no window" in done.stdout and "DISPLAY" in done.stdout and done.stderr == ""
