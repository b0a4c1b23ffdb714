"""`pufferc completion`: prints a shell script that completes commands, games and flags.

Flags come from the help of each command, which the script asks for once and keeps, so the list cannot be out of date.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from pufferc.commands.main import COMMANDS
from pufferc.envs.games import list_envs

_GAME_COMMANDS = ("bench", "envs", "eval", "export", "match", "play", "runs", "sweep", "train")

_BASH = r"""declare -A _pufferc_flags
_pufferc() {
    local word="${COMP_WORDS[COMP_CWORD]}" command="${COMP_WORDS[1]}" game="${COMP_WORDS[2]}" key
    if [ "$COMP_CWORD" -eq 1 ]; then
        COMPREPLY=($(compgen -W "@COMMANDS@" -- "$word"))
    elif [ "${word:0:1}" = - ]; then
        [ "${game:0:1}" = - ] && game=
        key="$command $game"
        if [ -z "${_pufferc_flags[$key]+known}" ]; then
            _pufferc_flags[$key]="$(COLUMNS=500 pufferc $command $game --help 2>/dev/null |
                grep -oE -- '--[a-z][a-z0-9._-]*' | sort -u)"
        fi
        COMPREPLY=($(compgen -W "${_pufferc_flags[$key]}" -- "$word"))
    elif [ "$COMP_CWORD" -eq 2 ] && [[ " @GAME_COMMANDS@ " == *" $command "* ]]; then
        COMPREPLY=($(compgen -W "@GAMES@" -- "$word") $(compgen -f -- "$word"))
    else
        COMPREPLY=($(compgen -f -- "$word"))
    fi
}
complete -o filenames -F _pufferc pufferc
"""
_SCRIPTS = {"bash": _BASH, "zsh": "autoload -U +X bashcompinit && bashcompinit\n" + _BASH}


def main(words: Sequence[str]) -> int:
    """`pufferc completion bash | zsh`."""
    parser = argparse.ArgumentParser(
        "pufferc completion",
        description="Print a script that completes commands, games and flags. Put one line into ~/.bashrc or ~/.zshrc: "
        'eval "$(pufferc completion bash)"',
    )
    parser.add_argument("shell", choices=tuple(_SCRIPTS))
    options = parser.parse_args(list(words))
    print(script(options.shell), end="")
    return 0


def script(shell: str) -> str:
    """The script for "bash" or "zsh"."""
    text = _SCRIPTS[shell].replace("@COMMANDS@", " ".join((*COMMANDS, "help", "version")))
    return text.replace("@GAME_COMMANDS@", " ".join(_GAME_COMMANDS)).replace("@GAMES@", " ".join(list_envs()))
