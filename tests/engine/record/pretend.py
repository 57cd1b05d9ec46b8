"""Import an engine's metrics modules, unchanged, without the rest of the engine and what it depends on.

Modules that are named as real are loaded from the unpacked wheel; every other module of the engine, and every
third-party module that is not installed, is a stand-in whose attributes are classes that accept anything.
"""

from __future__ import annotations
import __future__

import ast
import importlib.abc
import importlib.machinery
import importlib.util
import logging
import sys
import types
from collections.abc import Collection, Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any


def _attribute(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(name)
    return stand_in(name)


class _Kind(type):
    """The type of stand-in classes: they work in annotations, as bases and as empty collections."""

    def __getattr__(cls, name: str) -> Any:
        value = _attribute(name)
        setattr(cls, name, value)
        return value

    def __or__(cls, other: object) -> Any:
        return cls

    __ror__ = __or__

    def __getitem__(cls, item: object) -> Any:
        return cls

    def __iter__(cls) -> Any:
        return iter(())


class _StandIn(metaclass=_Kind):
    def __new__(cls, *arguments: Any, **_: Any) -> Any:
        decorated = arguments[0] if len(arguments) == 1 else None
        return decorated if isinstance(decorated, (type, types.FunctionType)) else object.__new__(cls)

    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    def __getattr__(self, name: str) -> Any:
        return _attribute(name)

    def __call__(self, *arguments: Any, **_: Any) -> Any:
        return _StandIn(*arguments)

    def __bool__(self) -> bool:
        return False


def stand_in(name: str) -> Any:
    """Return a class called ``name`` that accepts anything; as a decorator it gives back what it decorates."""
    return _Kind(name, (_StandIn,), {"__module__": "pretend"})


class _Module(types.ModuleType):
    def __getattr__(self, name: str) -> Any:
        if name == "init_logger":
            return logging.getLogger
        value = sys.modules.get(f"{self.__name__}.{name}") or _attribute(name)
        setattr(self, name, value)
        return value


class _Loader(importlib.abc.Loader):
    def create_module(self, spec: ModuleSpec) -> types.ModuleType:
        return _Module(spec.name)

    def exec_module(self, module: types.ModuleType) -> None:
        pass


class _Finder(importlib.abc.MetaPathFinder):
    """Finds the engine's modules: the real ones in the wheel, stand-ins for the others."""

    def __init__(self, wheel: Path, engine: str, real: Collection[str]) -> None:
        self.wheel, self.engine, self.real = wheel, engine, real

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: Any = None
    ) -> ModuleSpec | None:
        if name.partition(".")[0] != self.engine:
            return None
        place = self.wheel.joinpath(*name.split("."))
        if name in self.real or any(name.startswith(f"{parent}.") for parent in self.real):
            if (place / "__init__.py").exists():
                folders = [str(place)]
                return importlib.util.spec_from_file_location(
                    name, place / "__init__.py", submodule_search_locations=folders
                )
            if place.with_suffix(".py").exists():
                return importlib.util.spec_from_file_location(name, place.with_suffix(".py"))
        return ModuleSpec(name, _Loader(), is_package=True)


class _LastResort(importlib.abc.MetaPathFinder):
    """Stand-ins for what is installed nowhere; last in line, so it never hides a module that is there."""

    def __init__(self, names: Collection[str]) -> None:
        self.names = names

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: Any = None
    ) -> ModuleSpec | None:
        return ModuleSpec(name, _Loader(), is_package=True) if name.partition(".")[0] in self.names else None


def install(wheel: Path, engine: str, real: Collection[str], absent: Collection[str]) -> None:
    """From now on import ``real`` modules and packages from ``wheel``, and stand-ins for all else that is absent."""
    sys.meta_path.insert(0, _Finder(wheel, engine, real))
    sys.meta_path.append(_LastResort(absent))


def pick(path: Path, names: Collection[str], scope: dict[str, Any]) -> dict[str, Any]:
    """Run those of the named top-level definitions that a file has, as they stand there, in ``scope``."""
    tree = ast.parse(path.read_text())
    body = [node for node in tree.body if getattr(node, "name", None) in names]
    flags = __future__.annotations.compiler_flag
    exec(compile(ast.Module(body=body, type_ignores=[]), str(path), "exec", flags=flags), scope)
    return scope
