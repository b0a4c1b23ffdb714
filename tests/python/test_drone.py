"""The drone's motion against an integration of the same equations by SciPy in double precision."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest

import pufferc
from conftest import GAMES

if "drone" not in GAMES:
    pytest.skip("built without drone", allow_module_level=True)
integrate = pytest.importorskip("scipy.integrate")
Rotation = pytest.importorskip("scipy.spatial.transform").Rotation

STATES, STEPS, STEP_S = 64, 50, 0.04
PLACE, VELOCITY, TURN, RATES, MOTORS = slice(0, 3), slice(3, 6), slice(6, 10), slice(10, 13), slice(13, 17)
ARMS = 0.1 / np.sqrt(2) * np.array([[-1, 1, 0], [1, 1, 0], [1, -1, 0], [-1, -1, 0]])
SPINS = np.array([-1, 1, -1, 1])
SCALES = np.repeat([1.0, 1.0, 1.0, 20.0, 750.0], [3, 3, 4, 3, 4])  # rates and motors as in the observation
Array = np.ndarray[Any, np.dtype[Any]]


class Bodies(NamedTuple):
    """All drones: thrust forces at the ends of the arms, torques of the rotors, drag."""

    mass: Array  # [N]
    inertia: Array  # [N, 3]
    thrust: Array  # [N]
    lag: Array  # [N]

    def derivative(self, values: Array, wanted: Array) -> Array:
        """Of [N, 17] values by time."""
        motors, rates = values[:, MOTORS], values[:, RATES]
        accelerations = (wanted - motors) / self.lag[:, None]
        lifts = np.zeros((len(values), 4, 3))
        lifts[:, :, 2] = self.thrust[:, None] * motors**2
        torque = np.cross(ARMS, lifts).sum(axis=1) - 0.2 * rates
        torque[:, 2] += (motors**2 * 1e-6 - accelerations * 1e-5) @ SPINS
        force = turns(values).apply(lifts.sum(axis=1)) - 0.1 * values[:, VELOCITY]
        w, axis = values[:, TURN][:, :1], values[:, TURN][:, 1:]
        spin = np.hstack([-(axis * rates).sum(axis=1, keepdims=True), w * rates + np.cross(axis, rates)]) / 2
        turning = (torque - np.cross(rates, self.inertia * rates)) / self.inertia
        gravity = np.array([0, 0, 9.81])
        return np.hstack([values[:, VELOCITY], force / self.mass[:, None] - gravity, spin, turning, accelerations])

    def advance(self, values: Array, controls: Array) -> Array:
        """One step of the game."""
        wanted, shape = (controls + 1) / 2 * 750, values.shape
        found = integrate.solve_ivp(
            lambda _, at: self.derivative(at.reshape(shape), wanted).ravel(),
            (0, STEP_S), values.ravel(), method="DOP853", rtol=1e-9, atol=1e-9,
        )  # fmt: skip
        after: Array = found.y[:, -1].reshape(shape)
        after[:, TURN] /= np.linalg.norm(after[:, TURN], axis=1, keepdims=True)
        return after


def turns(values: Array) -> Any:
    return Rotation.from_quat(np.roll(values[:, TURN], -1, axis=1))


def read_bodies(envs: pufferc.VecEnv) -> Bodies:
    names = "per_mass", "thrust", "per_lag_s"
    per_mass, thrust, per_lag_s = (envs.state(name).astype(float).ravel() for name in names)
    return Bodies(1 / per_mass, envs.state("inertia").astype(float), thrust, 1 / per_lag_s)


def start(rng: np.random.Generator) -> Array:
    values = np.zeros((STATES, 17))
    values[:, VELOCITY] = rng.uniform(-3, 3, (STATES, 3))
    values[:, TURN] = np.roll(Rotation.random(STATES, random_state=rng).as_quat(), 1, axis=1)
    values[:, RATES] = rng.uniform(-4, 4, (STATES, 3))
    values[:, MOTORS] = rng.uniform(100, 500, (STATES, 4))
    return values


@pytest.mark.parametrize("spread", [0.0, 0.1])
def test_motion_matches_scipy(spread: float) -> None:
    rng = np.random.default_rng(5)
    envs = pufferc.make("drone", num_games=STATES, seed=2, spread=spread)
    envs.reset()
    bodies, values, fastest = read_bodies(envs), start(rng), 0.0
    envs.set_state("value", values.astype(np.float32))
    for step in range(STEPS):
        if step % 5 == 0:  # new controls; in the middle of the box again, which changes nothing else
            controls = rng.uniform(-0.7, 0.2, (STATES, 4)).astype(np.float32)
            moved = envs.state("value").copy()
            moved[:, PLACE] = values[:, PLACE] = 0
            envs.set_state("value", moved)
        _, _, terminated, *_ = envs.step(controls)
        assert not terminated.any()
        values = bodies.advance(values, controls)
        assert np.abs((envs.state("value") - values) / SCALES).max() < 1e-3, step
        fastest = max(fastest, np.abs(values[:, RATES]).max())
    assert fastest > 2  # rad/s
    envs.close()


def test_the_pilot_flies_through_way_points() -> None:
    envs = pufferc.make("drone", num_games=64, seed=3)
    envs.reset()
    for step in range(520):
        envs.step(envs.script(0, seed=1, step=step))
    metrics = envs.pop_metrics()
    assert metrics["score"] > 7 and metrics["crashed"] < 0.1
    envs.close()
