"""Print what README.md tells a reader to type, so that CI runs README itself and the two cannot drift.

python .ci/readme.py command WORD   the one line of its bash blocks that holds WORD
python .ci/readme.py snippets       its python blocks, one program
"""

import re
import sys
from pathlib import Path

README = Path(__file__).parents[1] / "README.md"


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", README.read_text(), flags=re.MULTILINE | re.DOTALL)


def command(word):
    lines = [line for block in blocks("bash") for line in block.splitlines() if word in line]
    if len(lines) != 1:
        sys.exit(f"README.md must hold one command with {word!r}, found {len(lines)}: {lines}")
    return lines[0]


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["command", word]:
            print(command(word))
        case ["snippets"]:
            print("\n".join(blocks("python")))
        case _:
            sys.exit(__doc__)
