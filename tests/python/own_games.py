"""User games for tests: created by `pufferc new`, modified, and compiled."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from pufferc.authoring import new as newgame
from pufferc.authoring.build import build

needs_compiler = pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler (cc) on this machine")


def write_game(folder: Path, name: str = "catcher", *changes: tuple[str, str]) -> Path:
    """Write the source of a new game with text replaced. Each text to replace must exist."""
    source = newgame.new_game(name, folder, force=True)[0]
    text = source.read_text()
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    source.write_text(text)
    return source


def build_duel(folder: Path, *changes: tuple[str, str]) -> Path:
    """Compile the test game duel.c with text replaced. It uses every optional part of the contract."""
    text = (Path(__file__).parents[1] / "c" / "duel.c").read_text()
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    source = folder / "duel.c"
    source.write_text(text)
    return build(source)


def build_game(folder: Path, name: str = "catcher", *changes: tuple[str, str]) -> Path:
    """Write a game with `write_game` and compile it."""
    return build(write_game(folder, name, *changes))


def build_masked_catcher(folder: Path) -> Path:
    """A game with masks, one agent and one action dimension. Moves of the paddle into a wall are illegal."""
    return build_game(folder, "catcher", *_MASKED)


_MASKED = (
    (
        "static void catcher_draw",
        """PFC_FN void catcher_mask(const void* state, const void* params, int32_t agent, uint8_t* legal) {
  const Catcher* s = (const Catcher*)state;
  (void)params, (void)agent;
  legal[0] = 1;
  legal[1] = s->paddle_x > 0.0f;
  legal[2] = s->paddle_x < 1.0f;
}
static void catcher_script(const void* state, const void* params, int32_t agent, int32_t level, PfcRng* rng,
                           int32_t* choices, float* controls) {
  const Catcher* s = (const Catcher*)state;
  (void)params, (void)agent, (void)level, (void)rng, (void)controls;
  choices[0] = s->ball_x < s->paddle_x - 0.03f ? 1 : s->ball_x > s->paddle_x + 0.03f ? 2 : 0;
}
static const PfcField catcher_fields[] = {PFC_STATE_FIELD(Catcher, paddle_x, PFC_FLOAT32)};
static void catcher_draw""",
    ),
    (
        ".obs_dtype = PFC_FLOAT32,",
        ".obs_dtype = PFC_FLOAT32, .mask = catcher_mask, .script = catcher_script, .num_levels = 1,\n"
        "               .fields = catcher_fields, .num_fields = 1,",
    ),
)
