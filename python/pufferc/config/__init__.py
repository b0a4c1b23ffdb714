"""Configuration of a training run: its parameters, and how files and flags set them."""

from pufferc.config.load import (
    as_tables,
    field_type,
    load_config,
    merge,
    packaged_config,
    packaged_variants,
    read_toml,
    setting,
    suggest,
    to_toml,
)
from pufferc.config.schema import (
    SETTING_OF,
    Auto,
    Config,
    ConfigError,
    PolicyConfig,
    SelfplayConfig,
    TrainConfig,
    Value,
    VecConfig,
)

__all__ = [
    "SETTING_OF",
    "Auto",
    "Config",
    "ConfigError",
    "PolicyConfig",
    "SelfplayConfig",
    "TrainConfig",
    "Value",
    "VecConfig",
    "as_tables",
    "field_type",
    "load_config",
    "merge",
    "packaged_config",
    "packaged_variants",
    "read_toml",
    "setting",
    "suggest",
    "to_toml",
]
