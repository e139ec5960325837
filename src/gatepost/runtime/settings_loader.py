"""TOML, environment and secret files → Settings, or everything that is wrong with them at once.

- The environment wins over the file: ``GATEPOST_STATE_DIR``, ``GATEPOST_SUBMISSION__MAX_RECIPIENTS`` (two underscores
  between a table and its setting). Lists and tables are written as in TOML.
- A setting that is a secret can be read from a file: ``database_url_file = "…"``, ``GATEPOST_DATABASE_URL_FILE``.
- A path that is not absolute is meant from the folder of the settings file.
- What is not known is an error, so that a misspelt setting is never silently ignored.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from ipaddress import ip_address
from pathlib import Path
from typing import Any, get_origin, get_type_hints

import msgspec

from gatepost.primitives.errors import Misconfigured
from gatepost.primitives.secret import Secret
from gatepost.runtime.setting_types import describe_type, element_type, is_table, parse_setting, plain_type, to_toml
from gatepost.runtime.settings import HOST_NAME, TLS, Settings

ENVIRONMENT_PREFIX = "GATEPOST_"


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingProblem:
    """One thing that is wrong: which key, what about it, and what to write instead. No secret is in it."""

    key: str
    problem: str
    advice: str

    def __str__(self) -> str:
        return f"{self.key} {self.problem}; {self.advice}"


class SettingsInvalid(Misconfigured):
    """The settings cannot be used; ``problems`` says why, all of it."""

    def __init__(self, source: str, problems: list[SettingProblem]) -> None:
        super().__init__("\n".join([f"{source}:", *[f"  {problem}" for problem in problems]]))
        self.problems = tuple(problems)


def load_settings(path: Path, environment: Mapping[str, str]) -> Settings:
    """Read the settings file, with the environment over it.

    Raises:
        Misconfigured: The file cannot be read, or (``SettingsInvalid``) something in it or in the environment is wrong.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise Misconfigured(
            f"cannot read the settings file {path}: {error.strerror}; name it with --config or GATEPOST_CONFIG, "
            "or make one with `gatepost init`"
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Misconfigured(f"{path} is not TOML: {error}") from error
    return read_settings(table, environment, folder=path.absolute().parent, source=str(path))


def read_settings(
    table: Mapping[str, Any], environment: Mapping[str, str], *, folder: Path, source: str = "settings"
) -> Settings:
    """Make Settings of a TOML document and the environment. Raises ``SettingsInvalid``."""
    reader = _Reader(folder)
    merged = reader.merge_environment(table, environment)
    settings = reader.read_table(Settings, merged, "")
    if isinstance(settings, Settings) and not reader.problems:
        reader.problems += find_contradictions(settings)
    if reader.problems or not isinstance(settings, Settings):
        raise SettingsInvalid(source, reader.problems)
    return settings


def find_contradictions(settings: Settings) -> list[SettingProblem]:
    """Return what is wrong with settings that are each of the right type."""
    problems = [*_tls_problems(settings.tls), *_listener_problems(settings)]
    if settings.submission.memory_octets < settings.submission.spool_threshold_octets:
        problems.append(
            SettingProblem(
                key="submission.memory_octets",
                problem="is smaller than submission.spool_threshold_octets",
                advice="one content must fit, many should",
            )
        )
    problems += _dns_problems(settings)
    problems += [
        SettingProblem(
            key="delivery.nameservers",
            problem=f"has {nameserver!r}, which is no IP address",
            advice='write "127.0.0.1", "127.0.0.1:5353" or "[::1]:5353"',
        )
        for nameserver in settings.delivery.nameservers
        if not _is_server(nameserver)
    ]
    return problems


def _tls_problems(tls: TLS) -> Iterator[SettingProblem]:
    for certificate, private_key, prefix in (
        (tls.certificate, tls.private_key, ""),
        (tls.second_certificate, tls.second_private_key, "second_"),
    ):
        if (certificate is None) != (private_key is None):
            present, missing = ("certificate", "private_key") if certificate else ("private_key", "certificate")
            yield SettingProblem(
                key=f"tls.{prefix}{missing}",
                problem=f"is missing, though tls.{prefix}{present} is set",
                advice="set both, or neither",
            )
    if tls.second_certificate and not tls.certificate:
        yield SettingProblem(key="tls.certificate", problem="is missing", advice="the second chain needs a first")


def _listener_problems(settings: Settings) -> Iterator[SettingProblem]:
    listeners = settings.worker_listeners
    if not settings.listeners:
        yield SettingProblem(key="listeners", problem="is empty", advice="leave it out for 25, 587, 2525 and 465")
    keys = [*[f"listeners[{row}]" for row in range(len(settings.listeners))], settings.api.name]
    for key, listener in zip(keys, listeners, strict=False):
        if listener.address != "*" and not _is_address(listener.address):
            yield SettingProblem(key=f"{key}.address", problem="is no IP address", advice='write one, or "*" for all')
    places = [(listener.address, listener.port) for listener in listeners if listener.port]
    for address, port in sorted({place for place in places if places.count(place) > 1}):
        yield SettingProblem(
            key="listeners", problem=f"has {address}, port {port} twice", advice="each can be opened once"
        )


def _dns_problems(settings: Settings) -> Iterator[SettingProblem]:
    dns, host = settings.dns, re.compile(HOST_NAME)
    names = [("dns.zone", dns.zone)] if dns.zone else []
    names += [("dns.name_servers", name) for name in dns.name_servers]
    for key, name in names:
        if not host.fullmatch(name):
            yield SettingProblem(
                key=key, problem=f"has {name!r}, which is no name", advice="write it without a dot at its end"
            )
    if dns.contact and "@" not in dns.contact:
        yield SettingProblem(key="dns.contact", problem="is no address", advice='write one such as "dns@example.com"')
    if dns.address != "*" and not _is_address(dns.address):
        yield SettingProblem(key="dns.address", problem="is no IP address", advice='write one, or "*" for all')
    if dns.push.server and not (dns.zone and dns.push.key_name and dns.push.key_secret):
        yield SettingProblem(
            key="dns.push",
            problem="lacks the zone or the key",
            advice="set dns.zone, dns.push.key_name and dns.push.key_secret_file too",
        )
    if dns.push.server and not _is_server(dns.push.server):
        yield SettingProblem(
            key="dns.push.server", problem="is no IP address", advice='write "192.0.2.53" or "192.0.2.53:5353"'
        )


def _is_server(text: str) -> bool:
    return _is_address(re.sub(r"^\[(.*)\](:\d+)?$|^([\d.]+):\d+$", r"\1\3", text))


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


class _Reader:
    """Reads tables into structs and notes every problem on the way."""

    def __init__(self, folder: Path) -> None:
        self.problems: list[SettingProblem] = []
        self._folder = folder

    def merge_environment(self, table: Mapping[str, Any], environment: Mapping[str, str]) -> dict[str, Any]:
        """Return the document with what the environment says put over it."""
        merged = {name: dict(value) if isinstance(value, dict) else value for name, value in table.items()}
        known = _environment_names()
        for variable in sorted(environment):
            name = variable.removeprefix(ENVIRONMENT_PREFIX)
            if name == variable or name in ("CONFIG", "NO_SKIPS"):
                continue
            if name not in known:
                self._note_unknown_variable(variable, name, known)
                continue
            path, hint = known[name]
            target = merged
            for section in path[:-1]:
                held = target.setdefault(section, {})
                target = held if isinstance(held, dict) else {}
            target[path[-1]] = _environment_value(environment[variable], hint)
        return merged

    def read_table(self, struct: type[msgspec.Struct], table: object, prefix: str) -> msgspec.Struct | None:
        """Return the struct; None where a problem was noted."""
        if not isinstance(table, Mapping):
            self._note(prefix.rstrip("."), "is not a table", f"write it as [{prefix.rstrip('.')}]")
            return None
        hints = get_type_hints(struct, include_extras=True)
        known = set(hints) | {f"{name}_file" for name, hint in hints.items() if _is_secret(hint)}
        for name in table:
            if name not in known:
                self._note(prefix + name, "is not a setting", _did_you_mean(name, known))
        before = len(self.problems)
        values = {
            field.name: value
            for field in msgspec.structs.fields(struct)
            if (value := self._read_field(field, hints[field.name], table, prefix)) is not None
        }
        return struct(**values) if len(self.problems) == before else None

    def _read_field(self, field: msgspec.structs.FieldInfo, hint: Any, table: Mapping[str, Any], prefix: str) -> object:
        """Return the value; None where the default stands or a problem was noted."""
        key = prefix + field.name
        if _is_secret(hint) and f"{field.name}_file" in table:
            return self._read_secret_file(key, table, field.name)
        if field.name not in table:
            if field.required:
                self._note(key, "is missing", _advise(field.name, hint, field))
            return None
        raw = table[field.name]
        kind, _ = plain_type(hint)
        if is_table(kind):
            return self.read_table(kind, raw, f"{key}.")
        if is_table(element_type(kind)):
            if not isinstance(raw, list):
                self._note(key, "is not a list of tables", f"begin each with [[{key}]]")
                return None
            return tuple([self.read_table(element_type(kind), item, f"{key}[{row}].") for row, item in enumerate(raw)])
        try:
            value = parse_setting(hint, raw)
        except ValueError as error:
            self._note(key, str(error), _advise(field.name, hint, field))
            return None
        return self._folder / value if isinstance(value, Path) else value

    def _read_secret_file(self, key: str, table: Mapping[str, Any], name: str) -> Secret[str] | None:
        if name in table:
            self._note(key, f"is set, and so is {key}_file", "keep one of the two")
            return None
        path = self._folder / str(table[f"{name}_file"])
        try:
            text = path.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not text"
            self._note(
                f"{key}_file", f"names {path}, which cannot be read ({reason})", "let the service's user read it"
            )
            return None
        if not text:
            self._note(f"{key}_file", f"names {path}, which is empty", "put the value there, on one line")
            return None
        return Secret(text)

    def _note_unknown_variable(self, variable: str, name: str, known: Mapping[str, object]) -> None:
        # Container platforms put GATEPOST_PORT and GATEPOST_SERVICE_HOST there for a service called "gatepost", so a
        # name is only refused where it can hardly be meant for anything but us.
        close = get_close_matches(name, known, n=1, cutoff=0.85)
        if close:
            self._note(variable, "is not a setting", f"did you mean {ENVIRONMENT_PREFIX}{close[0]}?")
        elif "__" in name:
            self._note(variable, "is not a setting", "see the settings reference, or unset it")

    def _note(self, key: str, problem: str, advice: str) -> None:
        self.problems.append(SettingProblem(key=key, problem=problem, advice=advice))


def _environment_names() -> dict[str, tuple[tuple[str, ...], Any]]:
    """Return, by variable name without prefix, where a setting stands and its type."""
    names: dict[str, tuple[tuple[str, ...], Any]] = {}

    def collect(struct: type[msgspec.Struct], path: tuple[str, ...]) -> None:
        for name, hint in get_type_hints(struct, include_extras=True).items():
            kind, _ = plain_type(hint)
            if is_table(kind):
                collect(kind, (*path, name))
                continue
            names["__".join((*path, name)).upper()] = ((*path, name), hint)
            if _is_secret(hint):
                names["__".join((*path, f"{name}_file")).upper()] = ((*path, f"{name}_file"), str)

    collect(Settings, ())
    return names


def _environment_value(text: str, hint: Any) -> object:
    """Return what TOML would have given: whole numbers, booleans, lists and tables are TOML, all else is text."""
    kind, _ = plain_type(hint)
    if kind not in (bool, int) and get_origin(kind) not in (tuple, dict):
        return text
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _is_secret(hint: Any) -> bool:
    return get_origin(plain_type(hint)[0]) is Secret


def _advise(name: str, hint: Any, field: msgspec.structs.FieldInfo) -> str:
    _, meta = plain_type(hint)
    default = field.default if field.default not in (msgspec.NODEFAULT, None) else None
    example = meta.examples[0] if meta.examples else default
    advice = f"write {describe_type(hint)}"
    return advice if example is None else f"{advice}, for example {name} = {to_toml(example)}"


def _did_you_mean(name: str, known: set[str]) -> str:
    close = get_close_matches(name, known, n=1, cutoff=0.6)
    return f"did you mean {close[0]}?" if close else f"known here: {', '.join(sorted(known))}"
