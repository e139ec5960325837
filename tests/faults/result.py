"""What a campaign came to."""

from dataclasses import dataclass, field

from tests.faults.checker import Verdict


@dataclass(slots=True, kw_only=True)
class Result:
    """Figures to print, and everything that was wrong; red unless ``violations`` is empty."""

    figures: dict[str, object] = field(default_factory=dict)
    violations: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, verdict: Verdict, **figures: object) -> "Result":
        """Start from the checker's verdict."""
        return cls(
            figures={"accepted": verdict.accepted, "duplicates": verdict.duplicates, **figures},
            violations=list(verdict.violations),
        )

    def expect(self, holds: bool, otherwise: str) -> None:
        """Note a violation unless something holds."""
        if not holds:
            self.violations.append(otherwise)
