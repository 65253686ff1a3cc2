"""Reads the sanitizers' reports: prints every error, and every leak that the addon itself allocated. Exit status 1 if any."""
import pathlib
import re
import sys

OURS = re.compile(r'needletail\.node|/native/[\w/]+\.(cc|h|def)')
STANDARD_LIBRARY = re.compile(r'/include/c\+\+/|libstdc\+\+')


def is_ours(block):
    """Whether the first caller of the allocation, templates of the standard library set aside, is the addon's code."""
    frames = re.findall(r'^\s+#[1-9]\d* .*$', block, re.MULTILINE)
    callers = [frame for frame in frames if not STANDARD_LIBRARY.search(frame)]
    return bool(callers and OURS.search(callers[0]))


found = 0
for report in sorted(pathlib.Path(sys.argv[1]).glob('report.*')):
    for block in re.split(r'\n\s*\n', report.read_text(errors='replace')):
        is_leak = re.search(r'(Direct|Indirect) leak of', block)
        if is_ours(block) if is_leak else re.search(r'ERROR: AddressSanitizer|runtime error:', block):
            found += 1
            print(f'{report.name}:\n{block.strip()}\n')

print(f'sanitizers: {found} reports')
sys.exit(1 if found else 0)
