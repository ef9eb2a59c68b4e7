"""Every README: its links lead to files, its commands name programs and flags that exist."""

import re
from functools import cache
from pathlib import Path

import pytest
from fakes.programs import run_program

ROOT = Path(__file__).parents[1]
ROOMS = ("mtdepth", "teachers", "data_prep", "export", "notebooks", "tests")
READMES = [
    ROOT / "README.md",
    *(path for room in ROOMS for path in (ROOT / room).rglob("README.md")),
]
PACKAGES = r"(?:mtdepth|teachers|data_prep|export)"
COMMAND = re.compile(rf"python3? -m ({PACKAGES}[\w.]*)([^`|;#]*)")


@cache
def flags_of(program: str) -> set[str]:
    done = run_program(program, "--helpfull")
    if "unrecognized arguments" in done.stderr or not done.stdout:  # argparse
        done = run_program(program, "--help")
    shown = re.findall(r"(?m)^\s+(?:-\S+,\s*)?--(\[no\])?(\w+)", done.stdout)
    return {name for _, name in shown} | {f"no{name}" for negated, name in shown if negated}


def commands(path: Path) -> list[tuple[str, list[str]]]:
    """Program and flags of each command in a file; one may go over several lines."""
    text = path.read_text(encoding="utf-8").replace("\\\n", " ")
    blocks = re.findall(r"```\w*\n(.*?)```", text, re.DOTALL)
    # In prose a command is between backticks, and the line may break anywhere.
    prose = re.findall(r"`([^`]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    lines = [line for block in blocks for line in block.splitlines()]
    lines += [" ".join(quoted.split()) for quoted in prose]
    return [
        (program, re.findall(r"(?<!\S)--(\w+)", rest))
        for line in lines
        for program, rest in COMMAND.findall(line)
    ]


@pytest.mark.parametrize("path", READMES, ids=lambda path: str(path.relative_to(ROOT).parent))
def test_commands_name_programs_and_flags_that_exist(path: Path) -> None:
    wrong = []
    for program, flags in commands(path):
        file = ROOT / program.replace(".", "/")
        if not (file.with_suffix(".py").is_file() or (file / "__main__.py").is_file()):
            wrong.append(f"no program {program}")
        elif missing := sorted(set(flags) - flags_of(program)):
            wrong.append(f"{program} has no --{', --'.join(missing)}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("path", READMES, ids=lambda path: str(path.relative_to(ROOT).parent))
def test_links_lead_to_files(path: Path) -> None:
    text = re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    links = re.findall(r"\]\(([^)#\s]+)", text)
    missing = [link for link in links if "://" not in link and not (path.parent / link).exists()]
    assert not missing


def test_commands_are_found() -> None:
    found = commands(ROOT / "README.md")
    assert ("mtdepth.train", ["decoder", "data", "workdir"]) in found
    assert len({program for program, _ in found}) >= 5


def test_the_tests_that_a_readme_names_are_there() -> None:
    readme = (ROOT / "tests" / "README.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(test_\w+)`", readme))
    code = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("*.py"))
    assert len(named) >= 15
    assert not [name for name in named if f"def {name}(" not in code]
