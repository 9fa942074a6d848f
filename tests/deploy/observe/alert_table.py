"""Writes the table of alerts in docs/observability.md from the rules; test_document.py holds it against them.

python -m tests.deploy.observe.alert_table
"""

import math
import re

from tests.deploy.observe.rules import Rule, alerts, rules
from tests.unit.tree import ROOT

DOCUMENT = ROOT / "docs" / "observability.md"
TABLE = re.compile(r"(?<=<!-- alerts -->\n\n).*?(?=\n\n<!-- /alerts -->)", re.DOTALL)
UNITS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def table() -> str:
    """Return the table, a row for each rule that is not about a missing series."""
    rows = [_row(rule) for rule in alerts() if rule.labels.get("signal") != "absent"]
    return "\n".join(["| alert | severity | limit | for | says |", "|---|---|---|---|---|", *rows])


def _row(rule: Rule) -> str:
    limits = ", ".join(_limit(name, rule) for name in sorted(set(re.findall(r"vote:\w+:limit", rule.expr))))
    says = re.sub(r"\{\{ \$labels\.(\w+) \}\}", r"`\1`", rule.annotations["summary"])
    hold = "" if rule.hold == "0s" else rule.hold
    return f"| [{rule.name}](runbooks/{rule.name}.md) | {rule.labels['severity']} | {limits} | {hold} | {says} |"


def _limit(name: str, rule: Rule) -> str:
    selected = re.findall(rf'{name}\{{severity="(\w+)"\}}', rule.expr)
    figures = [_figure(one) for one in rules() if one.name == name and _is_meant(one, selected)]
    return " / ".join(dict.fromkeys(figures))


def _is_meant(limit: Rule, selected: list[str]) -> bool:
    return not selected or limit.labels.get("severity") in selected


def _figure(limit: Rule) -> str:
    value = math.prod(float(part) for part in limit.expr.split("*"))
    if "ratio" in limit.name:
        return f"{value * 100:g} %"
    if "bytes" in limit.name:
        return f"{value / 1024**2:g} MiB{'/h' if 'per_hour' in limit.name else ''}"
    if "per_second" in limit.name:
        return f"{value:g}/s"
    if "burn" in limit.name:
        return f"{value:g} times"
    if "seconds" not in limit.name:
        return f"{value:g}"
    size, unit = next((size, unit) for size, unit in UNITS if value >= 2 * size or size == 1)
    return f"{value / size:g} {unit}"


def main() -> None:
    """Write the table into the document."""
    text = DOCUMENT.read_text("utf-8")
    DOCUMENT.write_text(TABLE.sub(lambda _: table(), text), "utf-8")


if __name__ == "__main__":
    main()
