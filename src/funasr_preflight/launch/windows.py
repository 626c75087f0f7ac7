"""Scripts of Windows in the words of bash, line by line, so that one reader serves for all."""

from __future__ import annotations

import re
from pathlib import Path

_SPECIAL = str.maketrans({"\\": "\\\\", "`": "\\`", "$": "\\$"})


def from_batch(text: str, folder: Path) -> str:
    """A `.bat` file: `^` joins lines, `%NAME%` is a variable, `%~dp0` the script's folder."""
    return "\n".join(map(_batch_line, _joined(text, "^", folder)))


def from_powershell(text: str, folder: Path) -> str:
    """A `.ps1` file: a backtick joins lines, `$name = ...` sets, `@( ... )` is an array."""
    text = re.sub(r"(?is)<#.*?#>", lambda match: "\n" * match[0].count("\n"), text)
    text = re.sub(r"`\n", "\0", text).replace("\\", "\\\\").replace("\0", "\\\n")
    text = re.sub(r"(?i)\$\{?env:(\w+)\}?", r"$\1", text)
    text = re.sub(r"(?i)\$PSScriptRoot\b", folder.as_posix(), text)
    text = re.sub(r"(?m)@\(([^()]*)\)",
                  lambda match: "(" + re.sub(r"(?<=[\"'\w])[ \t]*,", " ", match[1]) + ")", text)
    text = re.sub(r"(?im)^([ \t]*)\$(\w+)[ \t]*(\+?)=[ \t]*",
                  lambda match: f"{match[1]}{match[2].lower()}{match[3]}=", text)
    text = re.sub(r"(?m)(?<=\s)@(\w+)", lambda match: f'"${{{match[1].lower()}[@]}}"', text)
    text = re.sub(r"\$(\w+)", lambda match: f"${{{match[1].lower()}}}", text)
    text = text.replace("${cuda_visible_devices}", "${CUDA_VISIBLE_DEVICES}")
    text = re.sub(r"(?m)^(\s*)cuda_visible_devices=", r"\1CUDA_VISIBLE_DEVICES=", text)
    return re.sub(r"(?m)^([ \t]*)& ", r"\1", text)


def _joined(text: str, sign: str, folder: Path) -> list[str]:
    own = "" if folder == Path() else folder.as_posix().rstrip("/") + "/"
    text = re.sub(r"%~dp0\\?", lambda _: own or "./", text)
    return text.replace(f"{sign}\n", "\0").split("\n")


def _batch_line(line: str) -> str:
    plain = line.lstrip(" \t@")
    lines = plain.count("\0")
    if re.match(r"(?i)(rem\b|::|:|if\b|for\b|setlocal|endlocal|goto\b|pause|exit\b)", plain):
        return "\n" * lines
    plain = re.sub(r"^(?i:call)\s+", "", plain).translate(_SPECIAL)
    plain = re.sub(r"(?i)%cd%", "$PWD", plain)
    plain = re.sub(r"%(\w+)%", lambda match: f"${{{match[1].upper()}}}", plain)
    match = re.match(r"(?i)set\s+(\"?)([A-Za-z_]\w*)=(.*?)\1\s*$", plain.replace("\0", " "))
    if match:
        value = match[3].replace('"', '\\"')
        return f'{match[2].upper()}="{value}"' + "\n" * lines
    plain = re.sub(r"^(?i:cd)\s+/d\s+", "cd ", plain)
    outside = plain.split('"')
    outside[::2] = [part.replace("'", "\\'").replace("#", "\\#") for part in outside[::2]]
    return '"'.join(outside).replace("\0", "\\\n")
